"""Outputs and losses. Imports NumPy only; the fast twin is `fastmlp/kernels/losses.py`.

Each loss takes the logits z (N, J) and the targets y, and returns, for each row:

- dz (N, J): the derivative by z, without the mean's factor (see `reference/train.py`),
- loss (N,): the row's terms, added in the order of j,
- right (N,): whether the row is predicted right.

A parameter of a loss, such as `delta`, is a number of the dtype.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma
from fastmlp.reference.elementary import exp, log, log1p, sigmoid


def softmax(z):
    """p[n, j] = e^(z[n, j] - m) / s with m the row's largest logit and s the sum over j, j ascending. -> (N, J)."""
    m = _largest(z)
    e = exp(z - m[:, None])
    return e * (1 / _sum_in_order(e))[:, None]


def sigmoid_output(z):
    """p = 1 / (1 + e^-z)."""
    return sigmoid(z)


def exponential_output(z):
    """The mean of a count: e^z."""
    return exp(z)


def softmax_cross_entropy(z, y):
    """loss = log(s) - (z_label - m), with m and s of `softmax`. y (N,): labels from 0.

    No logarithm of a small probability is taken.
    """
    m = _largest(z)
    e = exp(z - m[:, None])
    s = _sum_in_order(e)
    is_label = np.arange(z.shape[1]) == y[:, None]
    dz = e * (1 / s)[:, None] - is_label.astype(z.dtype)
    loss = log(s) - (z[is_label] - m)
    right = first_largest(z) == y
    return dz, loss, right


def softmax_bounded_cross_entropy(z, y, least):
    """`softmax_cross_entropy`, with the loss clipped to [least, -log(least)]; dz is unchanged.

    So the label's probability counts as at least `least` and at most 1 - `least`.
    """
    dz, loss, right = softmax_cross_entropy(z, y)
    return dz, _held(loss, least), right


def softmax_smooth_cross_entropy(z, y, smoothing):
    """Cross-entropy with the target on + off at the label and off elsewhere: off = smoothing / J, on = 1 - smoothing.

    loss = log(s) - (off sum over j of (z_j - m) + on (z_label - m)). y (N,): labels from 0. Szegedy et al., "Rethinking
    the Inception architecture for computer vision", CVPR 2016.
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


def softmax_soft_cross_entropy(z, y, smoothing):
    """Cross-entropy with probabilities y (N, J) as targets, whose rows sum to 1: t = on y + off.

    off and on are those of `softmax_smooth_cross_entropy`. loss = log(s) - sum over j of t_j (z_j - m). A row is right
    if its first largest logit is at its first largest probability.
    """
    m = _largest(z)
    e = exp(z - m[:, None])
    s = _sum_in_order(e)
    off, on = smoothing / z.dtype.type(z.shape[1]), z.dtype.type(1) - smoothing
    t = fma(on, y, off)
    dz = e * (1 / s)[:, None] - t
    products = t[:, 0] * (z[:, 0] - m)
    for j in range(1, z.shape[1]):
        products = fma(t[:, j], z[:, j] - m, products)
    return dz, log(s) - products, first_largest(z) == first_largest(y)


def sigmoid_binary_cross_entropy(z, y):
    """Each term is max(z, 0) - z y + log(1 + e^-|z|). y (N, J), in [0, 1]."""
    dz = sigmoid(z) - y
    positive = np.where(z > 0, z, z.dtype.type(0))
    loss = _sum_in_order(fma(-z, y, positive) + log1p(exp(-np.abs(z))))
    return dz, loss, _sides_agree(z, y)


def sigmoid_bounded_binary_cross_entropy(z, y, least):
    """`sigmoid_binary_cross_entropy`, with each term clipped to [least, -log(least)]; dz is unchanged."""
    dz, _, right = sigmoid_binary_cross_entropy(z, y)
    terms = [sigmoid_binary_cross_entropy(z[:, j : j + 1], y[:, j : j + 1])[1] for j in range(z.shape[1])]
    return dz, _sum_in_order(_held(np.column_stack(terms), least)), right


def sigmoid_squared_error(z, y):
    """Each term is (p - y)^2 with p = sigmoid(z); dz leaves out the factor 2. y (N, J)."""
    p = sigmoid(z)
    error = p - y
    return error * (p * (1 - p)), _sum_of_squares(error), _sides_agree(z, y)


def identity_squared_error(z, y):
    """Each term is (z - y)^2; dz leaves out the factor 2. y (N, J). No row counts as right."""
    error = z - y
    return error, _sum_of_squares(error), np.zeros(len(z), bool)


def identity_absolute_error(z, y):
    """Each term is |z - y|; its derivative is 1 or -1, and 0 where z = y. y (N, J). No row counts as right."""
    error = z - y
    one = z.dtype.type(1)
    dz = np.where(error > 0, one, np.where(error < 0, -one, error))
    return dz, _sum_in_order(np.abs(error)), np.zeros(len(z), bool)


def identity_huber(z, y, delta):
    """Each term is c (e - c / 2) with e = z - y and c = e clipped to [-delta, delta]. y (N, J). No row counts as right.

    That is e^2 / 2 up to delta, and linear from there on. Huber, "Robust estimation of a location parameter", Annals of
    Mathematical Statistics 35(1), 1964.
    """
    error = z - y
    c = np.where(error > delta, delta, np.where(error < -delta, -delta, error))
    rest = fma(-c, z.dtype.type(0.5), error)
    loss = c[:, 0] * rest[:, 0]
    for j in range(1, z.shape[1]):
        loss = fma(c[:, j], rest[:, j], loss)
    return c, loss, np.zeros(len(z), bool)


def identity_quantile(z, y, q):
    """Each term is (1 - q) e where e = z - y is above 0, else -q e. y (N, J). No row counts as right.

    The mean is least where z is the q-quantile of y. Koenker and Bassett, "Regression quantiles", Econometrica 46(1),
    1978.
    """
    error = z - y
    dz = np.where(error > 0, z.dtype.type(1) - q, np.where(error < 0, -q, error))
    return dz, _sum_in_order(dz * error), np.zeros(len(z), bool)


def exponential_poisson(z, y):
    """Each term is e^z - y z. y (N, J), 0 or more. No row counts as right.

    That is -log of the Poisson probability of y with mean e^z, without the constant log(y!).
    """
    mean = exp(z)
    return mean - y, _sum_in_order(fma(-y, z, mean)), np.zeros(len(z), bool)


def weigh(dz, loss, weights):
    """Multiplies dz (N, J) and loss (N,) by rows' weights (N,). A weight of 0 gives +0, even of NaN or infinity."""
    ignored, zero = weights == 0, dz.dtype.type(0)
    return np.where(ignored[:, None], zero, dz * weights[:, None]), np.where(ignored, zero, loss * weights)


def _held(loss, least):
    """Clips losses to [least, -log(least)]; for a small `least`, -log(1 - least) rounds to `least`."""
    most = -log(np.array([least]))[0]
    return np.where(loss > most, most, np.where(loss < least, least, loss))


def _largest(z):
    """The largest logit of each row, z (N, J) -> (N,)."""
    m = z[:, 0]
    for j in range(1, z.shape[1]):
        m = np.where(z[:, j] > m, z[:, j], m)
    return m


def first_largest(z):
    """The index of each row's first largest logit, z (N, J) -> (N,), in z's dtype."""
    m, label = z[:, 0], np.zeros(len(z), z.dtype)
    for j in range(1, z.shape[1]):
        label = np.where(z[:, j] > m, z.dtype.type(j), label)
        m = np.where(z[:, j] > m, z[:, j], m)
    return label


def _sum_in_order(terms):
    """The sum over j of terms (N, J), j ascending. -> (N,)."""
    total = terms[:, 0]
    for j in range(1, terms.shape[1]):
        total = total + terms[:, j]
    return total


def _sum_of_squares(error):
    """The sum over j of error^2, (N, J) -> (N,): the first square is rounded, the others are added by fma."""
    total = error[:, 0] * error[:, 0]
    for j in range(1, error.shape[1]):
        total = fma(error[:, j], error[:, j], total)
    return total


def _sides_agree(z, y):
    """Whether each output of a row is on its target's side of 1/2. z, y (N, J) -> (N,)."""
    return ((z > 0) == (y > 0.5)).all(axis=1)
