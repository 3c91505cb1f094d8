"""Outputs and losses on a tile of rows: the twin of `fastmlp/reference/losses.py`.

A loss writes dz in place of the logits. With `record` it also adds each row's loss to the lanes of statistics' first
line, and 1 for each right row to those of its second. Only lanes of real rows are added to.
"""

from fastmlp.kernels.elementary import exp_nonpositive, log, log1p, sigmoid
from fastmlp.kernels.memory import load, store
from fastmlp.kernels.simd import (
    HALF,
    absolute,
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
from fastmlp.pairs import Floats, Int, kernel
from fastmlp.reference import losses as reference


@helper
def add_statistics(statistics, n, rows, loss, right):
    """Adds a register of row losses, and of right rows, to the lanes that they belong to."""
    line = line_lanes(statistics)
    lane = n % line
    real = less(lane_numbers(statistics), spread_number(statistics, rows - n))
    was = load(statistics, lane)
    store(statistics, lane, select(real, was + loss, was))
    count = load(statistics, line + lane)
    store(statistics, line + lane, select(both(real, right), count + 1, count))


@helper
def exponentials(z, J, stride, n):
    """Replaces a register's logits by e^(z - m). -> m, the largest; s, the sum; the label of the (first) largest."""
    m = load(z, n)
    label = fill(z, 0)
    for j in range(1, J):
        x = load(z, j * stride + n)
        larger = greater(x, m)
        m = select(larger, x, m)
        label = select(larger, spread_number(z, j), label)
    s = exp_nonpositive(load(z, n) - m)
    store(z, n, s)
    for j in range(1, J):
        e = exp_nonpositive(load(z, j * stride + n) - m)
        store(z, j * stride + n, e)
        s = s + e
    return m, s, label


@kernel(reference.softmax)
def softmax(z: Floats, J: Int, rows: Int, stride: Int):
    """z = e^(z - m) / s: probabilities in place of logits."""
    for n in range(0, rows, lanes(z)):
        _m, s, _label = exponentials(z, J, stride, n)
        r = 1 / s
        for j in range(J):
            store(z, j * stride + n, load(z, j * stride + n) * r)


@kernel(reference.sigmoid_output)
def sigmoid_output(z: Floats, J: Int, rows: Int, stride: Int):
    """z = sigmoid(z): probabilities in place of logits."""
    for start in range(0, J * stride, stride):
        for n in range(start, start + rows, lanes(z)):
            store(z, n, sigmoid(load(z, n)))


@kernel(reference.softmax_cross_entropy)
def softmax_cross_entropy(z: Floats, y: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int):
    """y: one unit, labels. z = e^(z - m) / s - [j = y]; the row's loss is log(s) - (z_y - m)."""
    for n in range(0, rows, lanes(z)):
        target = load(y, n)
        chosen = load(z, n)
        if record:
            for j in range(1, J):
                chosen = select(equal(target, spread_number(z, j)), load(z, j * stride + n), chosen)
        m, s, label = exponentials(z, J, stride, n)
        if record:
            add_statistics(statistics, n, rows, log(s) - (chosen - m), equal(label, target))
        r = 1 / s
        for j in range(J):
            is_label = select(equal(target, spread_number(z, j)), fill(z, 1), 0)
            store(z, j * stride + n, load(z, j * stride + n) * r - is_label)


@kernel(reference.sigmoid_binary_cross_entropy)
def sigmoid_binary_cross_entropy(z: Floats, y: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int):
    """y: J units in [0, 1]. z = sigmoid(z) - y; a term of the loss is max(z, 0) - z y + log(1 + e^-|z|)."""
    for n in range(0, rows, lanes(z)):
        if record:
            loss = binary_term(load(z, n), load(y, n))
            right = sides_agree(load(z, n), load(y, n))
            for j in range(1, J):
                x, t = load(z, j * stride + n), load(y, j * stride + n)
                loss = loss + binary_term(x, t)
                right = both(right, sides_agree(x, t))
            add_statistics(statistics, n, rows, loss, right)
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
def sigmoid_squared_error(z: Floats, y: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int):
    """y: J units. With p = sigmoid(z), z = (p - y) (p (1 - p)); a term of the loss is (p - y)^2."""
    for n in range(0, rows, lanes(z)):
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
            add_statistics(statistics, n, rows, loss, right)


@kernel(reference.identity_squared_error)
def identity_squared_error(z: Floats, y: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int):
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
            add_statistics(statistics, n, rows, loss, less(loss, 0))
