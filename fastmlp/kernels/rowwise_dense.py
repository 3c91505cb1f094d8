"""Dense layers of the rowwise pass, one row at a time: a twin of `fastmlp/reference/dense.py`. Lanes are units.

A unit's sum is a chain of fma that wait for each other, 4 cycles each; so up to 8 registers of units go side by side.
The last ones of a layer begin earlier and do some units again, to the same bits: 0.5 us for 64-100-10, where 4
registers at most and the rest unit by unit took 0.7 (float32: 0.4 and 0.8).
"""

from fastmlp.kernels.memory import advance, load, spread, store
from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.simd import MINUS_INFINITY, fill, fma, greater, helper, lanes, line_lanes, number, select
from fastmlp.reference import arithmetic
from fastmlp.reference import dense as reference


@helper
def forward_8_registers(a, w, b, z, K, J, j, floor):
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
def forward_4_registers(a, w, b, z, K, J, j, floor):
    """As forward_8_registers, 4 registers."""
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
def forward_2_registers(a, w, b, z, K, J, j, j1, floor):
    """As forward_8_registers, a register from unit j on and one from unit j1."""
    c0, c1 = load(b, j), load(b, j1)
    for k in range(K):
        x, i = spread(a, k), k * J
        c0, c1 = fma(x, load(w, i + j), c0), fma(x, load(w, i + j1), c1)
    store(z, j, select(greater(floor, c0), floor, c0))
    store(z, j1, select(greater(floor, c1), floor, c1))


@helper
def forward_1_register(a, w, b, z, K, J, j, floor):
    """As forward_8_registers, one register."""
    c = load(b, j)
    for k in range(K):
        c = fma(spread(a, k), load(w, k * J + j), c)
    store(z, j, select(greater(floor, c), floor, c))


@helper
def forward_4_units(a, w, b, z, K, J, j, relu):
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
def dense_forward(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, relu: Int):
    """dense_forward for one row: a[k], z[j]."""
    step = lanes(a)
    floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
    j = 0
    if step <= J:
        last = J - step
        while j < J:
            left = J - j
            if left > 4 * step and 8 * step <= J:
                forward_8_registers(a, w, b, z, K, J, j if left >= 8 * step else J - 8 * step, floor)
                j += 8 * step
            elif left > 2 * step and 4 * step <= J:
                forward_4_registers(a, w, b, z, K, J, j if left >= 4 * step else J - 4 * step, floor)
                j += 4 * step
            elif left > step:
                forward_2_registers(a, w, b, z, K, J, j, j + step if left >= 2 * step else last, floor)
                j += 2 * step
            else:
                forward_1_register(a, w, b, z, K, J, last, floor)
                j += step
    elif J >= 4:
        while j < J:
            forward_4_units(a, w, b, z, K, J, j if j + 4 <= J else J - 4, relu)
            j += 4
    else:
        while j < J:
            c = b[j]
            for k in range(K):
                c = fma(a[k], w[k * J + j], c)
            z[j] = number(a, 0) if relu and c < 0 else c
            j += 1


@kernel(reference.dense_backward_input)
def dense_backward_input(dz: Floats, w: Floats, a: Floats, K: Int, J: Int, relu: Int):
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
def dense_backward_weights(a: Floats, dz: Floats, sums: Floats, K: Int, J: Int, first: Int):
    """sums[k, j] = a[k] dz[j], or adds it, and dz[j] in row K: one lane's sums, for `fold`."""
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
def fold(sums: Floats, total: Floats, count: Int, size: Int, rows: Int):
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
