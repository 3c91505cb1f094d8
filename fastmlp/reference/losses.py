"""Outputs and losses. Imports NumPy only; the fast twin is `fastmlp/kernels/losses.py`.

Each loss takes the logits z (N, J) and the targets y, and gives, a row at a time:
    dz (N, J), the derivative without the mean's factor (see `reference/train.py`);
    loss (N,), the row's share of the sum, its terms added in the order of j;
    right (N,), whether the row's prediction is right.
A setting of the loss, as `delta`, is a number of the dtype.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma
from fastmlp.reference.elementary import exp, log, log1p, sigmoid


def softmax(z):
    """p[n, j] = e^(z[n, j] - m) / s with m the row's largest logit and s the sum over j, j ascending."""
    m = _largest(z)
    e = exp(z - m[:, None])
    return e * (1 / _sum_in_order(e))[:, None]


def sigmoid_output(z):
    """p = 1 / (1 + e^-z)."""
    return sigmoid(z)


def exponential_output(z):
    """A mean of counts: e^z."""
    return exp(z)


def softmax_cross_entropy(z, y):
    """y (N,): labels, whole numbers from 0. loss = log(s) - (z_y - m), which never takes the log of a small p."""
    m = _largest(z)
    e = exp(z - m[:, None])
    s = _sum_in_order(e)
    is_label = np.arange(z.shape[1]) == y[:, None]
    dz = e * (1 / s)[:, None] - is_label.astype(z.dtype)
    loss = log(s) - (z[is_label] - m)
    right = first_largest(z) == y
    return dz, loss, right


def softmax_bounded_cross_entropy(z, y, least):
    """`softmax_cross_entropy`, with the loss that a label's probability between least and 1 - least would have."""
    dz, loss, right = softmax_cross_entropy(z, y)
    return dz, _held(loss, least), right


def softmax_smooth_cross_entropy(z, y, smoothing):
    """y (N,): labels, each of which gives the share `smoothing` of its 1 to all J classes alike.

    The target is on + off at the label and off elsewhere, with off = smoothing / J and on = 1 - smoothing. The loss is
    log(s) - (off sum_j (z_j - m) + on (z_y - m)).
    """
    m = _largest(z)
    e = exp(z - m[:, None])
    s = _sum_in_order(e)
    off, on = smoothing / z.dtype.type(z.shape[1]), z.dtype.type(1) - smoothing
    is_label = np.arange(z.shape[1]) == y[:, None]
    dz = e * (1 / s)[:, None] - np.where(is_label, on + off, off)
    loss = log(s) - fma(off, _sum_in_order(z - m[:, None]), on * (z[is_label] - m))
    right = first_largest(z) == y
    return dz, loss, right


def sigmoid_binary_cross_entropy(z, y):
    """y (N, J) in [0, 1]. A term is max(z, 0) - z y + log(1 + e^-|z|)."""
    dz = sigmoid(z) - y
    positive = np.where(z > 0, z, z.dtype.type(0))
    loss = _sum_in_order(fma(-z, y, positive) + log1p(exp(-np.abs(z))))
    return dz, loss, _sides_agree(z, y)


def sigmoid_bounded_binary_cross_entropy(z, y, least):
    """`sigmoid_binary_cross_entropy`, each of whose terms is held between least and -log(least)."""
    dz, _, right = sigmoid_binary_cross_entropy(z, y)
    terms = [sigmoid_binary_cross_entropy(z[:, j : j + 1], y[:, j : j + 1])[1] for j in range(z.shape[1])]
    return dz, _sum_in_order(_held(np.column_stack(terms), least)), right


def sigmoid_squared_error(z, y):
    """y (N, J). With p = sigmoid(z), a term is (p - y)^2; dz leaves out its factor 2."""
    p = sigmoid(z)
    error = p - y
    return error * (p * (1 - p)), _sum_of_squares(error), _sides_agree(z, y)


def identity_squared_error(z, y):
    """y (N, J). A term is (z - y)^2; dz leaves out its factor 2. No row counts as right."""
    error = z - y
    return error, _sum_of_squares(error), np.zeros(len(z), bool)


def identity_absolute_error(z, y):
    """y (N, J). A term is |z - y|; its slope is 1 or -1, and 0 where z = y. No row counts as right."""
    error = z - y
    one = z.dtype.type(1)
    dz = np.where(error > 0, one, np.where(error < 0, -one, error))
    return dz, _sum_in_order(np.abs(error)), np.zeros(len(z), bool)


def identity_huber(z, y, delta):
    """y (N, J). With c the error held between -delta and delta, a term is c (error - c / 2). No row counts as right.

    That is half the error's square up to delta, and from there on a straight line.
    """
    error = z - y
    c = np.where(error > delta, delta, np.where(error < -delta, -delta, error))
    rest = fma(-c, z.dtype.type(0.5), error)
    loss = c[:, 0] * rest[:, 0]
    for j in range(1, z.shape[1]):
        loss = fma(c[:, j], rest[:, j], loss)
    return c, loss, np.zeros(len(z), bool)


def identity_quantile(z, y, q):
    """y (N, J). A term is (1 - q) error where that is above 0, else -q error. No row counts as right.

    Its mean is least where z is the q-quantile of y: an error below costs q, one above 1 - q.
    """
    error = z - y
    dz = np.where(error > 0, z.dtype.type(1) - q, np.where(error < 0, -q, error))
    return dz, _sum_in_order(dz * error), np.zeros(len(z), bool)


def exponential_poisson(z, y):
    """y (N, J), 0 or more. A term is e^z - y z: -log of the chance of y where e^z is expected, but for log(y!)."""
    mean = exp(z)
    return mean - y, _sum_in_order(fma(-y, z, mean)), np.zeros(len(z), bool)


def weigh(dz, loss, weights):
    """dz (N, J) and loss (N,) times their rows' weights (N,); +0 where that is 0, of whatever else."""
    ignored, zero = weights == 0, dz.dtype.type(0)
    return np.where(ignored[:, None], zero, dz * weights[:, None]), np.where(ignored, zero, loss * weights)


def _held(loss, least):
    """Held between least, which -log(1 - least) rounds to where it is small, and -log(least)."""
    most = -log(np.array([least]))[0]
    return np.where(loss > most, most, np.where(loss < least, least, loss))


def _largest(z):
    m = z[:, 0]
    for j in range(1, z.shape[1]):
        m = np.where(z[:, j] > m, z[:, j], m)
    return m


def first_largest(z):
    m, label = z[:, 0], np.zeros(len(z), z.dtype)
    for j in range(1, z.shape[1]):
        label = np.where(z[:, j] > m, z.dtype.type(j), label)
        m = np.where(z[:, j] > m, z[:, j], m)
    return label


def _sum_in_order(terms):
    total = terms[:, 0]
    for j in range(1, terms.shape[1]):
        total = total + terms[:, j]
    return total


def _sum_of_squares(error):
    total = error[:, 0] * error[:, 0]
    for j in range(1, error.shape[1]):
        total = fma(error[:, j], error[:, j], total)
    return total


def _sides_agree(z, y):
    """A row is right where every output is on its target's side of one half."""
    return ((z > 0) == (y > 0.5)).all(axis=1)
