"""Outputs and losses. Imports NumPy only; the fast twin is `fastmlp/kernels/losses.py`.

Each loss takes the logits z (N, J) and the targets y, and gives, a row at a time:
    dz (N, J), the derivative without the mean's factor (see `reference/train.py`);
    loss (N,), the row's share of the sum, its terms added in the order of j;
    right (N,), whether the row's prediction is right.
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


def softmax_cross_entropy(z, y):
    """y (N,): labels, whole numbers from 0. loss = log(s) - (z_y - m), which never takes the log of a small p."""
    m = _largest(z)
    e = exp(z - m[:, None])
    s = _sum_in_order(e)
    is_label = np.arange(z.shape[1]) == y[:, None]
    dz = e * (1 / s)[:, None] - is_label.astype(z.dtype)
    loss = log(s) - (z[is_label] - m)
    right = _first_largest(z) == y
    return dz, loss, right


def sigmoid_binary_cross_entropy(z, y):
    """y (N, J) in [0, 1]. A term is max(z, 0) - z y + log(1 + e^-|z|)."""
    dz = sigmoid(z) - y
    positive = np.where(z > 0, z, z.dtype.type(0))
    loss = _sum_in_order(fma(-z, y, positive) + log1p(exp(-np.abs(z))))
    return dz, loss, _sides_agree(z, y)


def sigmoid_squared_error(z, y):
    """y (N, J). With p = sigmoid(z), a term is (p - y)^2; dz leaves out its factor 2."""
    p = sigmoid(z)
    error = p - y
    return error * (p * (1 - p)), _sum_of_squares(error), _sides_agree(z, y)


def identity_squared_error(z, y):
    """y (N, J). A term is (z - y)^2; dz leaves out its factor 2. No row counts as right."""
    error = z - y
    return error, _sum_of_squares(error), np.zeros(len(z), bool)


def _largest(z):
    m = z[:, 0]
    for j in range(1, z.shape[1]):
        m = np.where(z[:, j] > m, z[:, j], m)
    return m


def _first_largest(z):
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
