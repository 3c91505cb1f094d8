"""Dense layers of the streamed pass, a tile of rows at a time: a twin of `fastmlp/reference/dense.py`.

`layered_dense.py` and `rowwise_dense.py` have the same functions for rows that lie otherwise.

A tile is feature-major: unit k of row n is a[k * stride + n], so every vector holds rows, whatever the layer's
width. Loops run over whole groups of two registers; the rows from `rows` up to the group's end are padding, which
`passes.set_tail` keeps from counting.
"""

from fastmlp.kernels.blocks import (
    added,
    floored,
    multiply_add,
    multiply_add_held,
    passed,
    put,
    rows_of,
    spread_rows,
    zeros,
)
from fastmlp.kernels.memory import advance
from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.row_sums import input_rows, multiply_add_rows, put_folds, put_registers, registers_of
from fastmlp.kernels.simd import MINUS_INFINITY, NAN, REGISTER, fill, helper, lanes, line_lanes
from fastmlp.reference import dense as reference
from fastmlp.reference.arithmetic import LINE

# Blocks of 4 outputs x 2 registers: 8 independent sums, as many as two fma units of 4 cycles' latency need, from 2
# loads and 4 broadcasts a step. 8 sums, 2 operands and a broadcast fit the 16 registers of AVX2. What is left of a
# layer goes by two outputs x 4 registers, an odd one twice, to the same bits: alone it would have too few sums in
# flight. Of two inputs, or two outputs on the way back, a block keeps all weights in registers: for networks like XOR's
# that takes 4 % off an epoch.


@helper
def product(x, stride, w, w_in, w_out, depth, c):
    """c, a block of outputs by registers of rows, with their sums over `depth` inputs added."""
    for i in range(depth):
        c = multiply_add(c, w, i * w_in, w_out, x, i * stride)
    return c


@helper
def forward_block(a, w, b, z, K, J, j, n, stride, apart, floor, outputs, registers):
    """Some outputs from j on, `apart` from each other, of some registers of rows from n on."""
    c = spread_rows(b, j, apart, outputs, registers)
    c = product(advance(a, n), stride, advance(w, j), J, apart, K, c)
    put(z, j * stride + n, apart * stride, floored(c, floor))


@kernel(reference.dense_forward)
def dense_forward(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, rows: Int, stride: Int, relu: Int):
    """z[j, n] = b[j] + sum over k of a[k, n] w[k, j]; with relu, 0 where that is below 0. Writes z."""
    floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
    group = 2 * lanes(a)
    j = 0
    while j + 4 <= J and K == 2:
        c, w0, w1 = spread_rows(b, j, 1, 4, 2), spread_rows(w, j, 1, 4, 2), spread_rows(w, J + j, 1, 4, 2)
        for n in range(0, rows, group):
            sums = multiply_add_held(multiply_add_held(c, w0, a, n), w1, a, stride + n)
            put(z, j * stride + n, stride, floored(sums, floor))
        j += 4
    while j + 4 <= J:
        for n in range(0, rows, group):
            forward_block(a, w, b, z, K, J, j, n, stride, 1, floor, 4, 2)
        j += 4
    while j < J:
        apart = int(j + 1 < J)
        n = 0
        while n + group < rows:
            forward_block(a, w, b, z, K, J, j, n, stride, apart, floor, 2, 4)
            n += 2 * group
        if n < rows:
            forward_block(a, w, b, z, K, J, j, n, stride, apart, floor, 2, 2)
        j += 2


@helper
def backward_block(dz, w, a, J, k, n, stride, apart, closed, inputs, registers):
    """Some inputs from k on, `apart` from each other, of some registers of rows from n on."""
    at = k * stride + n
    c = product(advance(dz, n), stride, advance(w, k * J), 1, apart * J, J, zeros(a, inputs, registers))
    put(a, at, apart * stride, passed(c, rows_of(a, at, apart * stride, inputs, registers), closed))


@kernel(reference.dense_backward_input)
def dense_backward_input(dz: Floats, w: Floats, a: Floats, K: Int, J: Int, rows: Int, stride: Int, relu: Int):
    """da[k, n] = sum over j of dz[j, n] w[k, j]; with relu, +0 where a[k, n] <= 0. Writes da in place of a."""
    closed = fill(a, 0) if relu else fill(a, NAN)  # no number is at most NaN
    group = 2 * lanes(a)
    k = 0
    while k + 4 <= K and J == 2:
        w0, w1 = spread_rows(w, 2 * k, 2, 4, 2), spread_rows(w, 2 * k + 1, 2, 4, 2)
        for n in range(0, rows, group):
            c = multiply_add_held(multiply_add_held(zeros(a, 4, 2), w0, dz, n), w1, dz, stride + n)
            put(a, k * stride + n, stride, passed(c, rows_of(a, k * stride + n, stride, 4, 2), closed))
        k += 4
    while k + 4 <= K:
        for n in range(0, rows, group):
            backward_block(dz, w, a, J, k, n, stride, 1, closed, 4, 2)
        k += 4
    while k < K:
        apart = int(k + 1 < K)
        n = 0
        while n + group < rows:
            backward_block(dz, w, a, J, k, n, stride, apart, closed, 2, 4)
            n += 2 * group
        if n < rows:
            backward_block(dz, w, a, J, k, n, stride, apart, closed, 2, 2)
        k += 2


# dw by blocks of inputs x outputs whose sums stay in registers while the rows pass: 6 x 4 take 24 registers, and 10
# loads for 24 fma; 3 x 4 where there are 16 registers. The bias is one more input, a line of ones, so that db costs no
# pass of its own. Lanes of sums are lines of 64 bytes (8 or 16 lanes) whatever the register: a line of two registers is
# summed in two passes.

INPUTS = 6 if REGISTER == LINE else 3


if REGISTER == LINE:

    @helper
    def weights(xs, dz, stride, rows, sums, row, dw, J, rest, first, last, inputs, outputs):
        """Adds x_i[n] dz[j, n] over the rows to the sums of a block, or begins them; the last tile writes dw instead.

        rest: the block's last input; those behind it are none.
        """
        line = line_lanes(dz)
        if first:
            c = zeros(dz, inputs, outputs)
        else:
            c = registers_of(sums, 0, row, rest, line, inputs, outputs)
        for n in range(0, rows, line):
            c = multiply_add_rows(c, xs, dz, n, stride)
        if last:
            put_folds(dw, 0, J, rest, c)
        else:
            put_registers(sums, 0, row, rest, line, c)

else:

    @helper
    def weights(xs, dz, stride, rows, sums, row, dw, J, rest, first, last, inputs, outputs):
        """Adds x_i[n] dz[j, n] over the rows to the sums of a block, or begins them; the last tile also writes dw.

        rest: the block's last input; those behind it are none.
        """
        line, step = line_lanes(dz), lanes(dz)
        for part in range(0, line, step):
            if first:
                c = zeros(dz, inputs, outputs)
            else:
                c = registers_of(sums, part, row, rest, line, inputs, outputs)
            for n in range(part, rows, line):
                c = multiply_add_rows(c, xs, dz, n, stride)
            put_registers(sums, part, row, rest, line, c)
        if last:
            half = line // 2
            while half >= step:  # a line's registers meet first, as its lanes do
                for part in range(0, half, step):
                    c = registers_of(sums, part, row, rest, line, inputs, outputs)
                    c = added(c, registers_of(sums, part + half, row, rest, line, inputs, outputs))
                    put_registers(sums, part, row, rest, line, c)
                half //= 2
            put_folds(dw, 0, J, rest, registers_of(sums, 0, row, rest, line, inputs, outputs))


@helper
def weights_of_inputs(xs, dz, stride, rows, sums, row, column, dw, J, rest, first, last, inputs):
    """All outputs' weights of these inputs. `column`: numbers from one output's sums to the next."""
    j = 0
    while j + 4 <= J:
        weights(
            xs, advance(dz, j * stride), stride, rows, advance(sums, j * column), row, advance(dw, j), J, rest,
            first, last, inputs, 4,
        )  # fmt: skip
        j += 4
    if j + 2 <= J:
        weights(
            xs, advance(dz, j * stride), stride, rows, advance(sums, j * column), row, advance(dw, j), J, rest,
            first, last, inputs, 2,
        )  # fmt: skip
        j += 2
    if j < J:
        weights(
            xs, advance(dz, j * stride), stride, rows, advance(sums, j * column), row, advance(dw, j), J, rest,
            first, last, inputs, 1,
        )  # fmt: skip


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
    row, column = (4 * line, 0) if alone else (J * line, line)
    k = 0
    while k <= K:
        some = advance(sums, 0 if alone else k * row)
        to = advance(dw, k * J)
        if INPUTS == 6 and k + 3 <= K:
            xs = input_rows(a, ones, k, K, stride, 6)
            weights_of_inputs(xs, dz, stride, rows, some, row, column, to, J, K - k, first, last, 6)
            k += 6
        else:
            few = input_rows(a, ones, k, K, stride, 3)
            weights_of_inputs(few, dz, stride, rows, some, row, column, to, J, K - k, first, last, 3)
            k += 3
