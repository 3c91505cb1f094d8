"""What is done to a gradient before an update: scaling, penalties, clipping.

Imports NumPy only; the fast twin is `fastmlp/kernels/gradients.py`. g: (P,); w: as many weights. The other arguments
are numbers of g's dtype.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma, row_products


def scaled(total, scale):
    """scale * total: turns the sum over rows into the mean's gradient."""
    return scale * total


def penalized(g, w, l2, l1):
    """Adds the gradient of l2 w^2 / 2 + l1 |w|: g + l2 w, by fma; then + l1 where w > 0 and - l1 where w < 0."""
    g = fma(l2, w, g)
    return np.where(w > 0, g + l1, np.where(w < 0, g - l1, g))


def sum_of_squares(w):
    """The sum of the squares of w (P,), in the order of a sum over rows."""
    return row_products(w[:, None], w[:, None])[0, 0]


def clipped_by_value(g, limit):
    """g clipped to [-limit, limit]. NaN stays."""
    return np.where(g < -limit, -limit, np.where(g > limit, limit, g))


def clipped_by_norm(g, limit):
    """g (limit / norm) where the norm of g is finite and above the limit, else g.

    The norm is the square root of `sum_of_squares`. Pascanu, Mikolov and Bengio, "On the difficulty of training
    recurrent neural networks", ICML 2013.
    """
    norm = np.sqrt(sum_of_squares(g))
    return g * (limit / norm) if norm > limit and np.isfinite(norm) else g
