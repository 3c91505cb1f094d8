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
from fastmlp.kernels.memory import advance, fold, load, spread, store, store_folds
from fastmlp.kernels.simd import (
    MINUS_INFINITY,
    NAN,
    always,
    fill,
    fma,
    greater,
    helper,
    lanes,
    line_lanes,
    number,
    select,
)
from fastmlp.pairs import Floats, Int, kernel
from fastmlp.reference import arithmetic
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


# One row: lanes are units. A unit's sum is a chain of fma that wait for each other, 4 cycles each; so up to 8 registers
# of units go side by side. The last ones of a layer begin earlier and do some units again, to the same bits: 0.5 us for
# 64-100-10, where 4 registers at most and the rest unit by unit took 0.7 (float32: 0.4 and 0.8).


@helper
def units_of_row8(a, w, b, z, K, J, j, floor):
    """8 registers of units of one row, from unit j on."""
    s = lanes(a)
    b, w = advance(b, j), advance(w, j)
    c0, c1, c2, c3 = load(b, 0), load(b, s), load(b, 2 * s), load(b, 3 * s)
    c4, c5, c6, c7 = load(b, 4 * s), load(b, 5 * s), load(b, 6 * s), load(b, 7 * s)
    for k in range(K):
        x, i = spread(a, k), k * J
        c0, c1 = fma(x, load(w, i), c0), fma(x, load(w, i + s), c1)
        c2, c3 = fma(x, load(w, i + 2 * s), c2), fma(x, load(w, i + 3 * s), c3)
        c4, c5 = fma(x, load(w, i + 4 * s), c4), fma(x, load(w, i + 5 * s), c5)
        c6, c7 = fma(x, load(w, i + 6 * s), c6), fma(x, load(w, i + 7 * s), c7)
    store_floored(z, j, floor, c0, c1)
    store_floored(z, j + 2 * s, floor, c2, c3)
    store_floored(z, j + 4 * s, floor, c4, c5)
    store_floored(z, j + 6 * s, floor, c6, c7)


@helper
def units_of_row4(a, w, b, z, K, J, j, floor):
    """As units_of_row8, 4 registers."""
    s = lanes(a)
    b, w = advance(b, j), advance(w, j)
    c0, c1, c2, c3 = load(b, 0), load(b, s), load(b, 2 * s), load(b, 3 * s)
    for k in range(K):
        x, i = spread(a, k), k * J
        c0, c1 = fma(x, load(w, i), c0), fma(x, load(w, i + s), c1)
        c2, c3 = fma(x, load(w, i + 2 * s), c2), fma(x, load(w, i + 3 * s), c3)
    store_floored(z, j, floor, c0, c1)
    store_floored(z, j + 2 * s, floor, c2, c3)


@helper
def units_of_row2(a, w, b, z, K, J, j, j1, floor):
    """As units_of_row8, a register from unit j on and one from unit j1."""
    c0, c1 = load(b, j), load(b, j1)
    for k in range(K):
        x, i = spread(a, k), k * J
        c0, c1 = fma(x, load(w, i + j), c0), fma(x, load(w, i + j1), c1)
    store(z, j, select(greater(floor, c0), floor, c0))
    store(z, j1, select(greater(floor, c1), floor, c1))


@helper
def units_of_row1(a, w, b, z, K, J, j, floor):
    """As units_of_row8, one register."""
    c = load(b, j)
    for k in range(K):
        c = fma(spread(a, k), load(w, k * J + j), c)
    store(z, j, select(greater(floor, c), floor, c))


@helper
def numbers_of_row4(a, w, b, z, K, J, j, relu):
    """4 units of one row, where they are less than a register."""
    b, w, z = advance(b, j), advance(w, j), advance(z, j)
    c0, c1, c2, c3 = b[0], b[1], b[2], b[3]
    for k in range(K):
        x, i = a[k], k * J
        c0, c1 = fma(x, w[i], c0), fma(x, w[i + 1], c1)
        c2, c3 = fma(x, w[i + 2], c2), fma(x, w[i + 3], c3)
    zero = number(z, 0)
    z[0] = zero if relu and c0 < 0 else c0
    z[1] = zero if relu and c1 < 0 else c1
    z[2] = zero if relu and c2 < 0 else c2
    z[3] = zero if relu and c3 < 0 else c3


@helper
def store_floored(z, to, floor, x0, x1):
    """Two registers, or the floor where they are below it; a NaN stays."""
    store(z, to, select(greater(floor, x0), floor, x0))
    store(z, to + lanes(z), select(greater(floor, x1), floor, x1))


@kernel(reference.dense_forward)
def dense_forward_row(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, relu: Int):
    """dense_forward for one row: a[k], z[j]."""
    step = lanes(a)
    floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
    j = 0
    if step <= J:
        last = J - step
        while j < J:
            left = J - j
            if left > 4 * step and 8 * step <= J:
                units_of_row8(a, w, b, z, K, J, j if left >= 8 * step else J - 8 * step, floor)
                j += 8 * step
            elif left > 2 * step and 4 * step <= J:
                units_of_row4(a, w, b, z, K, J, j if left >= 4 * step else J - 4 * step, floor)
                j += 4 * step
            elif left > step:
                units_of_row2(a, w, b, z, K, J, j, j + step if left >= 2 * step else last, floor)
                j += 2 * step
            else:
                units_of_row1(a, w, b, z, K, J, last, floor)
                j += step
    elif J >= 4:
        while j < J:
            numbers_of_row4(a, w, b, z, K, J, j if j + 4 <= J else J - 4, relu)
            j += 4
    else:
        while j < J:
            c = b[j]
            for k in range(K):
                c = fma(a[k], w[k * J + j], c)
            z[j] = number(a, 0) if relu and c < 0 else c
            j += 1


@kernel(reference.dense_backward_input)
def dense_backward_input_row(dz: Floats, w: Floats, a: Floats, K: Int, J: Int, relu: Int):
    """dense_backward_input for one row: dz[j]; da[k] in place of a[k]. Four inputs at a time: four chains."""
    k = 0
    while k < K:
        some = 4 if k + 4 <= K else 1
        i = k * J
        c0 = c1 = c2 = c3 = number(dz, 0)
        if some == 4:
            for j in range(J):
                d = dz[j]
                c0, c1 = fma(d, w[i + j], c0), fma(d, w[i + J + j], c1)
                c2, c3 = fma(d, w[i + 2 * J + j], c2), fma(d, w[i + 3 * J + j], c3)
            a[k + 1] = number(a, 0) if relu and a[k + 1] <= 0 else c1
            a[k + 2] = number(a, 0) if relu and a[k + 2] <= 0 else c2
            a[k + 3] = number(a, 0) if relu and a[k + 3] <= 0 else c3
        else:
            for j in range(J):
                c0 = fma(dz[j], w[i + j], c0)
        a[k] = number(a, 0) if relu and a[k] <= 0 else c0
        k += some


@kernel(reference.dense_backward_weights)
def dense_backward_weights_row(a: Floats, dz: Floats, sums: Floats, K: Int, J: Int, first: Int):
    """sums[k, j] = a[k] dz[j], or adds it, and dz[j] in row K: one lane's sums, for `fold_rows`."""
    for k in range(K + 1):
        j = 0
        while j + lanes(a) <= J:
            i = k * J + j
            x = spread(a, k) if k < K else fill(a, 1)
            store(sums, i, fma(x, load(dz, j), fill(a, 0) if first else load(sums, i)))
            j += lanes(a)
        while j < J:
            i = k * J + j
            x = a[k] if k < K else number(a, 1)
            sums[i] = fma(x, dz[j], number(a, 0) if first else sums[i])
            j += 1


@kernel(arithmetic.fold)
def fold_rows(sums: Floats, total: Floats, count: Int, size: Int, rows: Int):
    """total = the sum of `rows` lanes, or of all where rows are more, by halves. Lane v is sums[v * size] and on.

    Destroys sums. A lane without a row counts as +0, which is added once, at the end: it can only turn -0 to +0.
    """
    line = line_lanes(sums)
    left = rows if rows < line else line
    half = line // 2
    while half > 0:
        for v in range(half, left):
            to, take = advance(sums, (v - half) * size), advance(sums, v * size)
            for i in range(0, count, lanes(sums)):
                store(to, i, load(to, i) + load(take, i))
        left = left if left < half else half
        half //= 2
    for i in range(0, count, lanes(sums)):
        x = load(sums, i)
        store(total, i, x + 0 if rows < line else x)
