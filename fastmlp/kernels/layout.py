"""Rows into a tile and back: the twin of `fastmlp/reference/layout.py`."""

from fastmlp.kernels.blocks import put
from fastmlp.kernels.memory import advance, load, store, touch
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import lanes, line_lanes
from fastmlp.kernels.squares import ordered_rows, square, square_of_rows, transposed
from fastmlp.reference import layout as reference


@kernel(reference.gather)
def gather(x: Floats, order: Ints, ordered: Int, first: Int, rows: Int, K: Int, tile: Floats, stride: Int):
    """tile[k, n] = x[order[first + n], k], or x[first + n, k]. Writes `rows` rows and zeros up to a whole group."""
    step = lanes(x)
    n = 0
    while n < rows:
        k = 0
        some = step if n + step <= rows else 1
        if some == step and step <= K:
            numbers = ordered_rows(order, ordered, first + n, x)
            while k + step <= K:
                put(tile, k * stride + n, stride, transposed(square_of_rows(x, numbers, K, k)))
                k += step
        for i in range(n, n + some):
            row = order[first + i] if ordered else first + i
            for column in range(k, K):
                tile[column * stride + i] = x[row * K + column]
        n += some
    group = 2 * lanes(x)
    end = (rows + group - 1) // group * group
    if end > rows:
        for k in range(K):
            for n in range(rows, end):
                tile[k * stride + n] = 0


@kernel(reference.copy_rows)
def copy_rows(x: Floats, order: Ints, ordered: Int, first: Int, rows: Int, K: Int, to: Floats, stride: Int):
    """to[n, k] = x[order[first + n], k], or x[first + n, k]; to[n, K] = 1. Rows of `to` are `stride` apart."""
    whole = K // lanes(x) * lanes(x)
    for n in range(rows):
        row = advance(x, (order[first + n] if ordered else first + n) * K)
        line = advance(to, n * stride)
        ahead = n + 2 if n + 2 < rows else n
        later = advance(x, (order[first + ahead] if ordered else first + ahead) * K)
        for k in range(0, whole, line_lanes(x)):
            touch(later, k)
        for k in range(0, whole, lanes(x)):
            store(line, k, load(row, k))
        for k in range(whole, K):
            line[k] = row[k]
        line[K] = 1


@kernel(reference.transpose)
def transpose(x: Floats, x_stride: Int, rows: Int, K: Int, to: Floats, stride: Int):
    """to[k, n] = x[n, k], rows of x `x_stride` apart and rows of `to` `stride`. Writes nothing else."""
    step = lanes(x)
    n = 0
    while n < rows:
        some = step if n + step <= rows else 1
        k = 0
        while some == step and k + step <= K:
            put(to, k * stride + n, stride, transposed(square(x, n * x_stride + k, x_stride)))
            k += step
        while k < K:
            for i in range(n, n + some):
                to[k * stride + i] = x[i * x_stride + k]
            k += 1
        n += some


@kernel(reference.scatter)
def scatter(tile: Floats, stride: Int, rows: Int, K: Int, x: Floats, first: Int):
    """x[first + n, k] = tile[k, n] for `rows` rows."""
    for n in range(rows):
        for k in range(K):
            x[(first + n) * K + k] = tile[k * stride + n]
