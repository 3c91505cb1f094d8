"""What is done to a gradient before an update takes it.

Imports NumPy only; the fast twin is `fastmlp/kernels/gradients.py`.
g: (P,); w: as many weights. The other arguments are numbers of g's dtype.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma, row_products


def scaled(total, scale):
    """scale total: the sum over rows made a mean."""
    return scale * total


def penalized(g, w, l2, l1):
    """g + l2 w, by fma, and then + l1 where w > 0, - l1 where w < 0: the slope of l2 w^2 / 2 + l1 |w| added."""
    g = fma(l2, w, g)
    return np.where(w > 0, g + l1, np.where(w < 0, g - l1, g))


def sum_of_squares(w):
    """The sum of squares of w, which add up as the products of a sum over rows do."""
    return row_products(w[:, None], w[:, None])[0, 0]


def clipped_by_value(g, limit):
    """g held between -limit and limit. NaN stays."""
    return np.where(g < -limit, -limit, np.where(g > limit, limit, g))


def clipped_by_norm(g, limit):
    """g (limit / norm) where its norm is above the limit, and finite; else g.

    The norm is the square root of the sum of squares.
    """
    norm = np.sqrt(sum_of_squares(g))
    return g * (limit / norm) if norm > limit and np.isfinite(norm) else g
