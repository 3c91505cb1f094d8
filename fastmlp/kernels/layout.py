"""Rows into a tile and back: the twin of `fastmlp/reference/layout.py`."""

from fastmlp.kernels.simd import lanes
from fastmlp.pairs import Floats, Int, Ints, kernel
from fastmlp.reference import layout as reference


@kernel(reference.gather)
def gather(x: Floats, order: Ints, ordered: Int, first: Int, rows: Int, K: Int, tile: Floats, stride: Int):
    """tile[k, n] = x[order[first + n], k], or x[first + n, k]. Writes `rows` rows and zeros up to a whole group."""
    for n in range(rows):
        row = order[first + n] if ordered else first + n
        for k in range(K):
            tile[k * stride + n] = x[row * K + k]
    group = 2 * lanes(x)
    end = (rows + group - 1) // group * group
    if end > rows:
        for k in range(K):
            for n in range(rows, end):
                tile[k * stride + n] = 0


@kernel(reference.scatter)
def scatter(tile: Floats, stride: Int, rows: Int, K: Int, x: Floats, first: Int):
    """x[first + n, k] = tile[k, n] for `rows` rows."""
    for n in range(rows):
        for k in range(K):
            x[(first + n) * K + k] = tile[k * stride + n]
