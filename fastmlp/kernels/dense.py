"""Dense layers on a tile of rows: the twin of `fastmlp/reference/dense.py`.

A tile is feature-major: unit k of row n is a[k * stride + n], so every vector holds rows, whatever the layer's
width. Loops run over whole groups of two registers; the rows from `rows` up to the group's end are padding, which
`train.set_tail` keeps from counting.
"""

from fastmlp.kernels.blocks import (
    cleared,
    floored,
    multiply_add,
    multiply_add_registers,
    passed,
    put,
    put_registers,
    registers_of,
    rows_of,
    spread_rows,
    zeros,
)
from fastmlp.kernels.memory import advance, fold, load, store_folds
from fastmlp.kernels.simd import MINUS_INFINITY, NAN, always, fill, helper, lanes, line_lanes
from fastmlp.pairs import Floats, Int, kernel
from fastmlp.reference import dense as reference

# Blocks of 4 outputs x 2 registers: 8 independent sums, as many as two fma units of 4 cycles' latency need, from 2
# loads and 4 broadcasts a step. 8 sums, 2 operands and a broadcast fit the 16 registers of AVX2.


@helper
def product(x, stride, w, w_in, w_out, depth, c):
    """c, a block of outputs by two registers of rows, with their sums over `depth` inputs added."""
    for i in range(depth):
        c = multiply_add(c, w, i * w_in, w_out, x, i * stride)
    return c


@helper
def forward_outputs(a, w, b, z, K, J, rows, stride, floor, outputs):
    """The outputs from w's and b's first on, of all rows."""
    for n in range(0, rows, 2 * lanes(a)):
        c = product(advance(a, n), stride, w, J, 1, K, spread_rows(b, 0, outputs, 2))
        put(z, n, stride, floored(c, floor))


@kernel(reference.dense_forward)
def dense_forward(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, rows: Int, stride: Int, relu: Int):
    """z[j, n] = b[j] + sum over k of a[k, n] w[k, j]; with relu, 0 where that is below 0. Writes z."""
    floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
    j = 0
    while j + 4 <= J:
        forward_outputs(a, advance(w, j), advance(b, j), advance(z, j * stride), K, J, rows, stride, floor, 4)
        j += 4
    while j < J:
        forward_outputs(a, advance(w, j), advance(b, j), advance(z, j * stride), K, J, rows, stride, floor, 1)
        j += 1


@helper
def backward_inputs(dz, w, a, J, rows, stride, closed, inputs):
    """The inputs from w's and a's first on, of all rows."""
    for n in range(0, rows, 2 * lanes(a)):
        c = product(advance(dz, n), stride, w, 1, J, J, zeros(a, inputs, 2))
        put(a, n, stride, passed(c, rows_of(a, n, stride, inputs, 2), closed))


@kernel(reference.dense_backward_input)
def dense_backward_input(dz: Floats, w: Floats, a: Floats, K: Int, J: Int, rows: Int, stride: Int, relu: Int):
    """da[k, n] = sum over j of dz[j, n] w[k, j]; with relu, +0 where a[k, n] <= 0. Writes da in place of a."""
    closed = fill(a, 0) if relu else fill(a, NAN)  # no number is at most NaN
    k = 0
    while k + 4 <= K:
        backward_inputs(dz, advance(w, k * J), advance(a, k * stride), J, rows, stride, closed, 4)
        k += 4
    while k < K:
        backward_inputs(dz, advance(w, k * J), advance(a, k * stride), J, rows, stride, closed, 1)
        k += 1


# dw by blocks of inputs x outputs whose sums stay in registers while the rows pass: 3 x 4 takes 12 registers and 7
# loads for 12 fma. The bias is one more input, a line of ones, so that db costs no pass of its own. Sums live in
# lines of 64 bytes (8 or 16 lanes) whatever the register: a line of two registers is summed in two passes.


@helper
def block3(x0, x1, x2, dz, stride, rows, sums, row, fresh, outputs):
    """Adds x_i[n] dz[j, n] over the rows to sums[i * row + j * V], or begins these sums; i < 3, j < outputs."""
    line, step = line_lanes(dz), lanes(dz)
    for part in range(0, line, step):
        c = cleared(registers_of(sums, part, row, line, 3, outputs), fresh)
        for n in range(part, rows, line):
            c = multiply_add_registers(c, (load(x0, n), load(x1, n), load(x2, n)), dz, n, stride)
        put_registers(sums, part, row, line, c)


@helper
def block1(x0, dz, stride, rows, sums, fresh, outputs):
    """As block3, for one input."""
    line, step = line_lanes(dz), lanes(dz)
    for part in range(0, line, step):
        c = cleared(registers_of(sums, part, 0, line, 1, outputs), fresh)
        for n in range(part, rows, line):
            c = multiply_add_registers(c, (load(x0, n),), dz, n, stride)
        put_registers(sums, part, 0, line, c)


@kernel(reference.dense_backward_weights)
def dense_backward_weights(
    a: Floats, ones: Floats, dz: Floats, sums: Floats, dw: Floats,
    K: Int, J: Int, rows: Int, stride: Int, first: Int, last: Int,
):  # fmt: skip
    """dw[k, j] = sum over a chunk's rows of a[k, n] dz[j, n]; db[j], in row K of dw, likewise of dz[j, n].

    The chunk comes in one tile or several: the first begins the lanes' sums, the last folds them. Writes sums
    ((K + 1) x J lines, or 12 where one tile is the whole chunk) and, with the last tile, dw ((K + 1) x J numbers).
    """
    line = line_lanes(a)
    alone = first and last
    fresh = always(a, first)
    k = 0
    while k <= K:
        wide = 3 if k + 2 <= K else 1
        x0 = advance(a, k * stride) if k < K else ones
        x1 = advance(a, (k + 1) * stride)
        x2 = advance(a, (k + 2) * stride) if k + 2 < K else ones
        j = 0
        while j < J:
            tall = 4 if j + 4 <= J else 1
            row = tall * line if alone else J * line
            base = sums if alone else advance(sums, (k * J + j) * line)
            d = advance(dz, j * stride)
            if wide == 3:
                if tall == 4:
                    block3(x0, x1, x2, d, stride, rows, base, row, fresh, 4)
                else:
                    block3(x0, x1, x2, d, stride, rows, base, row, fresh, 1)
            elif tall == 4:
                block1(x0, d, stride, rows, base, fresh, 4)
            else:
                block1(x0, d, stride, rows, base, fresh, 1)
            if last:
                for i in range(wide):
                    if tall == 4:
                        store_folds(dw, (k + i) * J + j, base, i * row)
                    else:
                        dw[(k + i) * J + j] = fold(base, i * row)
            j += tall
        k += wide
