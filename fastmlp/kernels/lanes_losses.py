"""Losses of a group of models whose epochs are recorded: as in `losses.py`, with a loss for each row.

A tile (J, N) is that of `losses.py`, where n goes through the rows and, of each row, through the models. So a row's
loss is a number of its own, and is added to its lane later. Losses that are not here go by the kernels of `losses.py`,
row by row.
"""

from fastmlp.kernels.elementary import log, sigmoid
from fastmlp.kernels.losses import binary_term, exponentials, less_labels
from fastmlp.kernels.memory import load, load_several, store
from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.simd import (
    HALF,
    alike,
    alike_number,
    both,
    equal,
    fma,
    greater,
    helper,
    lanes,
    same,
    select,
)

SEVERAL = 4  # registers side by side


@helper
def softmax_of(z, y, values, rights, J, n, stride, count):
    """A cross-entropy's rows of `count` registers."""
    target = load_several(y, n, count)
    m = chosen = load_several(z, n, count)
    label = alike(m, 0)
    for j in range(1, J):
        x, number = load_several(z, j * stride + n, count), alike_number(m, j)
        larger = greater(x, m)
        m = select(larger, x, m)
        label = select(larger, number, label)
        chosen = select(equal(target, number), x, chosen)
    m, s, _below = exponentials(z, J, stride, n, count)
    store(values, n, log(s) - (chosen - m))
    store(rights, n, select(equal(label, target), alike(m, 1), 0))
    less_labels(z, target, 1 / s, J, stride, n, count)


@kernel(None)
def softmax_cross_entropy(z: Floats, y: Floats, values: Floats, rights: Floats, J: Int, rows: Int, stride: Int):
    """z = e^(z - m) / s - [j = y]; a row's loss is log(s) - (z_y - m)."""
    n = 0
    while n + SEVERAL * lanes(z) <= rows:
        softmax_of(z, y, values, rights, J, n, stride, SEVERAL)
        n += SEVERAL * lanes(z)
    while n < rows:
        softmax_of(z, y, values, rights, J, n, stride, 1)
        n += lanes(z)


@helper
def binary_of(z, y, values, rights, J, n, stride, count):
    """A binary cross-entropy's rows of `count` registers."""
    x, t = load_several(z, n, count), load_several(y, n, count)
    loss = binary_term(x, t)
    right = same(greater(x, 0), greater(t, HALF))
    store(z, n, sigmoid(x) - t)
    for i in range(n + stride, n + J * stride, stride):
        x, t = load_several(z, i, count), load_several(y, i, count)
        loss = loss + binary_term(x, t)
        right = both(right, same(greater(x, 0), greater(t, HALF)))
        store(z, i, sigmoid(x) - t)
    store(values, n, loss)
    store(rights, n, select(right, alike(x, 1), 0))


@kernel(None)
def sigmoid_binary_cross_entropy(
    z: Floats, y: Floats, values: Floats, rights: Floats, J: Int, rows: Int, stride: Int
):  # fmt: skip
    """z = sigmoid(z) - y; a term of the loss is max(z, 0) - z y + log(1 + e^-|z|)."""
    n = 0
    while n + SEVERAL * lanes(z) <= rows:
        binary_of(z, y, values, rights, J, n, stride, SEVERAL)
        n += SEVERAL * lanes(z)
    while n < rows:
        binary_of(z, y, values, rights, J, n, stride, 1)
        n += lanes(z)


@helper
def squares_of(z, y, values, rights, J, n, stride, count):
    """A sigmoid's squared errors of `count` registers."""
    x, t = load_several(z, n, count), load_several(y, n, count)
    p = sigmoid(x)
    error = p - t
    loss = error * error
    right = same(greater(x, 0), greater(t, HALF))
    store(z, n, error * (p * (1 - p)))
    for i in range(n + stride, n + J * stride, stride):
        x, t = load_several(z, i, count), load_several(y, i, count)
        p = sigmoid(x)
        error = p - t
        loss = fma(error, error, loss)
        right = both(right, same(greater(x, 0), greater(t, HALF)))
        store(z, i, error * (p * (1 - p)))
    store(values, n, loss)
    store(rights, n, select(right, alike(x, 1), 0))


@kernel(None)
def sigmoid_squared_error(z: Floats, y: Floats, values: Floats, rights: Floats, J: Int, rows: Int, stride: Int):
    """With p = sigmoid(z), z = (p - y) (p (1 - p)); a term of the loss is (p - y)^2."""
    n = 0
    while n + SEVERAL * lanes(z) <= rows:
        squares_of(z, y, values, rights, J, n, stride, SEVERAL)
        n += SEVERAL * lanes(z)
    while n < rows:
        squares_of(z, y, values, rights, J, n, stride, 1)
        n += lanes(z)


@kernel(None)
def identity_squared_error(z: Floats, y: Floats, values: Floats, rights: Floats, J: Int, rows: Int, stride: Int):
    """z = z - y; a term of the loss is (z - y)^2. No row counts as right."""
    for n in range(0, rows, lanes(z)):
        error = load(z, n) - load(y, n)
        loss = error * error
        store(z, n, error)
        for i in range(n + stride, n + J * stride, stride):
            error = load(z, i) - load(y, i)
            loss = fma(error, error, loss)
            store(z, i, error)
        store(values, n, loss)
        store(rights, n, alike(loss, 0))
