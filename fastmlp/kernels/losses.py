"""Outputs and losses on a tile of rows: the twin of `fastmlp/reference/losses.py`.

A loss writes dz in place of the logits. With `record` it also adds each row's loss, times its weight, to the lanes of
statistics' first line, and 1 for each right row to those of its second. Only lanes of real rows are added to. dz is
weighed by a kernel of its own, `weigh`, and so only where there are weights.

A row's sum over j may begin as +0, though the reference begins with the first term. They differ only where all terms
are -0, and that disappears when the row's loss is added to a lane, which is never -0.
"""

from fastmlp.kernels.elementary import exp, exp_nonpositive, log, log1p, sigmoid
from fastmlp.kernels.memory import load, load_several, store
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.simd import (
    HALF,
    absolute,
    alike,
    alike_number,
    always,
    both,
    equal,
    fill,
    fma,
    greater,
    helper,
    lane_numbers,
    lanes,
    less,
    line_lanes,
    negative,
    same,
    select,
    spread_number,
)
from fastmlp.reference import losses as reference

SEVERAL = 4  # registers of rows side by side


@helper
def real_rows(like, n, rows):
    """Which lanes of a register that begins with row n are rows, and not padding."""
    return less(lane_numbers(like), spread_number(like, rows - n))


@helper
def weighed(x, weight):
    """x weight; +0 where the weight is 0."""
    return select(equal(weight, 0), 0, x * weight)


@helper
def add_statistics(statistics, weights, n, rows, loss, right):
    """Adds a register of row losses, weighed, and of right rows, to the lanes that they belong to."""
    line = line_lanes(statistics)
    lane = n % line
    real = real_rows(statistics, n, rows)
    was = load(statistics, lane)
    store(statistics, lane, select(real, was + weighed(loss, load(weights, n)), was))
    count = load(statistics, line + lane)
    store(statistics, line + lane, select(both(real, right), count + 1, count))


@helper
def exponentials(z, J, stride, n, count):
    """Replaces the logits of `count` registers by e^(z - m).

    -> m, the largest; s, the sum; the sum of z - m.
    """
    m = load_several(z, n, count)
    for j in range(1, J):
        x = load_several(z, j * stride + n, count)
        m = select(greater(x, m), x, m)
    if J == 2:  # one of the two is e^0, which is 1
        first, second = load_several(z, n, count) - m, load_several(z, stride + n, count) - m
        below = first + second
        e = exp_nonpositive(below)
        e0, e1 = select(equal(first, 0), 1, e), select(equal(second, 0), 1, e)
        store(z, n, e0)
        store(z, stride + n, e1)
        s = e0 + e1
    else:
        s = below = alike(m, 0)
        for j in range(J):
            x = load_several(z, j * stride + n, count) - m
            e = exp_nonpositive(x)
            store(z, j * stride + n, e)
            s, below = s + e, below + x
    return m, s, below


@helper
def logit_of(z, target, J, stride, n):
    """The logit of each row's label, and whether it is the (first) largest."""
    m = chosen = load(z, n)
    label = fill(z, 0)
    for j in range(1, J):
        x, number = load(z, j * stride + n), spread_number(z, j)
        larger = greater(x, m)
        m = select(larger, x, m)
        label = select(larger, number, label)
        chosen = select(equal(target, number), x, chosen)
    return chosen, equal(label, target)


@kernel(reference.softmax)
def softmax(z: Floats, J: Int, rows: Int, stride: Int):
    """z = e^(z - m) / s: probabilities in place of logits."""
    for n in range(0, rows, lanes(z)):
        _m, s, _below = exponentials(z, J, stride, n, 1)
        r = 1 / s
        for j in range(J):
            store(z, j * stride + n, load(z, j * stride + n) * r)


@kernel(reference.sigmoid_output)
def sigmoid_output(z: Floats, J: Int, rows: Int, stride: Int):
    """z = sigmoid(z): probabilities in place of logits."""
    for start in range(0, J * stride, stride):
        for n in range(start, start + rows, lanes(z)):
            store(z, n, sigmoid(load(z, n)))


@kernel(reference.exponential_output)
def exponential_output(z: Floats, J: Int, rows: Int, stride: Int):
    """z = e^z: means in place of logits."""
    for start in range(0, J * stride, stride):
        for n in range(start, start + rows, lanes(z)):
            store(z, n, exp(load(z, n)))


@kernel(reference.softmax_cross_entropy)
def softmax_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: one unit, labels. z = e^(z - m) / s - [j = y]; the row's loss is log(s) - (z_y - m)."""
    begin = 0
    if not record:
        begin = rows // (SEVERAL * lanes(z)) * SEVERAL * lanes(z)
        for n in range(0, begin, SEVERAL * lanes(z)):
            _m, s, _below = exponentials(z, J, stride, n, SEVERAL)
            less_labels(z, load_several(y, n, SEVERAL), 1 / s, J, stride, n, SEVERAL)
    for n in range(begin, rows, lanes(z)):
        target = load(y, n)
        chosen, right = load(z, n), equal(target, target)
        if record:
            chosen, right = logit_of(z, target, J, stride, n)
        m, s, _below = exponentials(z, J, stride, n, 1)
        if record:
            add_statistics(statistics, weights, n, rows, log(s) - (chosen - m), right)
        less_labels(z, target, 1 / s, J, stride, n, 1)


@helper
def less_labels(z, target, r, J, stride, n, count):
    """z r - [j = label], of `count` registers."""
    zero = alike(r, 0)
    if J == 2:
        one = equal(target, 1)
        store(z, n, load_several(z, n, count) * r - select(one, zero, 1))
        store(z, stride + n, load_several(z, stride + n, count) * r - select(one, zero + 1, 0))
    else:
        for j in range(J):
            is_label = select(equal(target, alike_number(r, j)), zero + 1, 0)
            store(z, j * stride + n, load_several(z, j * stride + n, count) * r - is_label)


@helper
def held(loss, lowest, highest):
    """The loss, or the bound that it is beyond; a NaN stays."""
    return select(greater(loss, highest), highest, select(less(loss, lowest), lowest, loss))


@kernel(reference.softmax_bounded_cross_entropy)
def softmax_bounded_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, least: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """`softmax_cross_entropy`; the row's loss is held between least and -log(least)."""
    lowest = fill(z, least)
    highest = negative(log(lowest))
    for n in range(0, rows, lanes(z)):
        target = load(y, n)
        chosen, right = load(z, n), equal(target, target)
        if record:
            chosen, right = logit_of(z, target, J, stride, n)
        m, s, _below = exponentials(z, J, stride, n, 1)
        if record:
            add_statistics(statistics, weights, n, rows, held(log(s) - (chosen - m), lowest, highest), right)
        r = 1 / s
        for j in range(J):
            is_label = select(equal(target, spread_number(z, j)), fill(z, 1), 0)
            store(z, j * stride + n, load(z, j * stride + n) * r - is_label)


@kernel(reference.softmax_smooth_cross_entropy)
def softmax_smooth_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, smoothing: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """y: one unit, labels. z = e^(z - m) / s - (on + off where j = y, else off).

    off = smoothing / J, on = 1 - smoothing; the row's loss is log(s) - (off sum_j (z_j - m) + on (z_y - m)).
    """
    off = fill(z, smoothing) / spread_number(z, J)
    on = 1 - fill(z, smoothing)
    for n in range(0, rows, lanes(z)):
        target = load(y, n)
        chosen, right = load(z, n), equal(target, target)
        if record:
            chosen, right = logit_of(z, target, J, stride, n)
        m, s, below = exponentials(z, J, stride, n, 1)
        if record:
            loss = log(s) - fma(off, below, on * (chosen - m))
            add_statistics(statistics, weights, n, rows, loss, right)
        r = 1 / s
        for j in range(J):
            share = select(equal(target, spread_number(z, j)), on + off, off)
            store(z, j * stride + n, load(z, j * stride + n) * r - share)


@helper
def first_largest(z, J, stride, n):
    """The largest unit of each row, and the number of the first such one."""
    most, place = load(z, n), fill(z, 0)
    for j in range(1, J):
        x = load(z, j * stride + n)
        above = greater(x, most)
        most, place = select(above, x, most), select(above, spread_number(z, j), place)
    return most, place


@kernel(reference.softmax_soft_cross_entropy)
def softmax_soft_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, smoothing: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """y: J units, probabilities. z = e^(z - m) / s - t, t = on y + off; the row's loss is log(s) - sum_j t_j (z_j - m).

    off = smoothing / J, on = 1 - smoothing.
    """
    off = fill(z, smoothing) / spread_number(z, J)
    on = 1 - fill(z, smoothing)
    for n in range(0, rows, lanes(z)):
        products = right = alike(load(z, n), 0)
        if record:
            largest, label = first_largest(z, J, stride, n)
            _most, target = first_largest(y, J, stride, n)
            right = select(equal(label, target), 1, right)
            products = fma(on, load(y, n), off) * (load(z, n) - largest)
            for i in range(stride + n, J * stride + n, stride):
                products = fma(fma(on, load(y, i), off), load(z, i) - largest, products)
        _m, s, _below = exponentials(z, J, stride, n, 1)
        if record:
            add_statistics(statistics, weights, n, rows, log(s) - products, equal(right, 1))
        r = 1 / s
        for i in range(n, J * stride + n, stride):
            store(z, i, load(z, i) * r - fma(on, load(y, i), off))


@kernel(reference.sigmoid_binary_cross_entropy)
def sigmoid_binary_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: J units in [0, 1]. z = sigmoid(z) - y; a term of the loss is max(z, 0) - z y + log(1 + e^-|z|)."""
    begin = 0
    if not record:
        begin = rows // (SEVERAL * lanes(z)) * SEVERAL * lanes(z)
        for n in range(0, begin, SEVERAL * lanes(z)):
            for i in range(n, n + J * stride, stride):
                store(z, i, sigmoid(load_several(z, i, SEVERAL)) - load_several(y, i, SEVERAL))
    for n in range(begin, rows, lanes(z)):
        if record:
            loss = binary_term(load(z, n), load(y, n))
            right = sides_agree(load(z, n), load(y, n))
            for j in range(1, J):
                x, t = load(z, j * stride + n), load(y, j * stride + n)
                loss = loss + binary_term(x, t)
                right = both(right, sides_agree(x, t))
            add_statistics(statistics, weights, n, rows, loss, right)
        for i in range(n, n + J * stride, stride):
            store(z, i, sigmoid(load(z, i)) - load(y, i))


@kernel(reference.sigmoid_bounded_binary_cross_entropy)
def sigmoid_bounded_binary_cross_entropy(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, least: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """`sigmoid_binary_cross_entropy`; each term of the loss is held between least and -log(least)."""
    lowest = fill(z, least)
    highest = negative(log(lowest))
    for n in range(0, rows, lanes(z)):
        if record:
            loss = fill(z, 0)
            right = always(z, 1)
            for j in range(J):
                x, t = load(z, j * stride + n), load(y, j * stride + n)
                loss = loss + held(binary_term(x, t), lowest, highest)
                right = both(right, sides_agree(x, t))
            add_statistics(statistics, weights, n, rows, loss, right)
        for i in range(n, n + J * stride, stride):
            store(z, i, sigmoid(load(z, i)) - load(y, i))


@helper
def binary_term(z, y):
    positive = select(greater(z, 0), z, 0)
    return fma(negative(z), y, positive) + log1p(exp_nonpositive(negative(absolute(z))))


@helper
def sides_agree(z, y):
    return same(greater(z, 0), greater(y, HALF))


@kernel(reference.sigmoid_squared_error)
def sigmoid_squared_error(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: J units. With p = sigmoid(z), z = (p - y) (p (1 - p)); a term of the loss is (p - y)^2."""
    begin = 0
    if not record:
        begin = rows // (SEVERAL * lanes(z)) * SEVERAL * lanes(z)
        for n in range(0, begin, SEVERAL * lanes(z)):
            for i in range(n, n + J * stride, stride):
                p = sigmoid(load_several(z, i, SEVERAL))
                store(z, i, (p - load_several(y, i, SEVERAL)) * (p * (1 - p)))
    for n in range(begin, rows, lanes(z)):
        x, t = load(z, n), load(y, n)
        p = sigmoid(x)
        error = p - t
        loss = error * error
        right = sides_agree(x, t)
        store(z, n, error * (p * (1 - p)))
        for j in range(1, J):
            x, t = load(z, j * stride + n), load(y, j * stride + n)
            p = sigmoid(x)
            error = p - t
            loss = fma(error, error, loss)
            right = both(right, sides_agree(x, t))
            store(z, j * stride + n, error * (p * (1 - p)))
        if record:
            add_statistics(statistics, weights, n, rows, loss, right)


@kernel(reference.identity_squared_error)
def identity_squared_error(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: J units. z = z - y; a term of the loss is (z - y)^2. No row counts as right."""
    for n in range(0, rows, lanes(z)):
        error = load(z, n) - load(y, n)
        loss = error * error
        store(z, n, error)
        for j in range(1, J):
            error = load(z, j * stride + n) - load(y, j * stride + n)
            loss = fma(error, error, loss)
            store(z, j * stride + n, error)
        if record:
            add_statistics(statistics, weights, n, rows, loss, always(z, 0))


@kernel(reference.identity_absolute_error)
def identity_absolute_error(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: J units. z = 1, -1 or 0, the sign of z - y; a term of the loss is |z - y|. No row counts as right."""
    for n in range(0, rows, lanes(z)):
        loss = fill(z, 0)
        for i in range(n, n + J * stride, stride):
            error = load(z, i) - load(y, i)
            loss = loss + absolute(error)
            store(z, i, select(greater(error, 0), 1, select(less(error, 0), -1, error)))
        if record:
            add_statistics(statistics, weights, n, rows, loss, always(z, 0))


@kernel(reference.identity_huber)
def identity_huber(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, delta: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """y: J units. z = c, z - y held between -delta and delta; a term of the loss is c ((z - y) - c / 2).

    No row counts as right.
    """
    highest = fill(z, delta)
    lowest = negative(highest)
    for n in range(0, rows, lanes(z)):
        loss = fill(z, 0)
        for i in range(n, n + J * stride, stride):
            error = load(z, i) - load(y, i)
            c = select(greater(error, highest), highest, select(less(error, lowest), lowest, error))
            loss = fma(c, fma(negative(c), HALF, error), loss)
            store(z, i, c)
        if record:
            add_statistics(statistics, weights, n, rows, loss, always(z, 0))


@kernel(reference.identity_quantile)
def identity_quantile(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, q: Float,
    J: Int, rows: Int, stride: Int, record: Int,
):  # fmt: skip
    """y: J units. z = 1 - q where z - y > 0, -q where z - y < 0, else 0; a term of the loss is that times z - y.

    No row counts as right.
    """
    above, below = 1 - fill(z, q), negative(fill(z, q))
    for n in range(0, rows, lanes(z)):
        loss = fill(z, 0)
        for i in range(n, n + J * stride, stride):
            error = load(z, i) - load(y, i)
            slope = select(greater(error, 0), above, select(less(error, 0), below, error))
            loss = loss + slope * error
            store(z, i, slope)
        if record:
            add_statistics(statistics, weights, n, rows, loss, always(z, 0))


@kernel(reference.exponential_poisson)
def exponential_poisson(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """y: J units, 0 or more. z = e^z - y; a term of the loss is e^z - y z. No row counts as right."""
    for n in range(0, rows, lanes(z)):
        loss = fill(z, 0)
        for i in range(n, n + J * stride, stride):
            x, t = load(z, i), load(y, i)
            mean = exp(x)
            loss = loss + fma(negative(t), x, mean)
            store(z, i, mean - t)
        if record:
            add_statistics(statistics, weights, n, rows, loss, always(z, 0))


@kernel(reference.weigh)
def weigh(dz: Floats, weights: Floats, sums: Floats, J: Int, rows: Int, stride: Int):
    """dz = dz weights[n], +0 where the weight is 0; a row's weight is added to its lane of sums, a line.

    weights: one unit. Only lanes of real rows are added to.
    """
    for n in range(0, rows, lanes(dz)):
        weight = load(weights, n)
        lane = n % line_lanes(sums)
        was = load(sums, lane)
        store(sums, lane, select(real_rows(sums, n, rows), was + weight, was))
        for i in range(n, n + J * stride, stride):
            store(dz, i, weighed(load(dz, i), weight))
