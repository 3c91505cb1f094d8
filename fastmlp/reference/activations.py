"""Hidden activations and their derivatives. Imports NumPy only; the fast twin is `fastmlp/kernels/activations.py`.

`x_forward(z)` gives a; `x_backward(a, da)` gives dz, with the derivative written in terms of a.
"""

import numpy as np

from fastmlp.reference import elementary
from fastmlp.reference.arithmetic import fma


def relu_forward(z):
    """a = 0 where z < 0, else z. A NaN stays, and so does -0."""
    return np.where(z < 0, z.dtype.type(0), z)


def relu_backward(a, da):
    """dz = +0 where a <= 0, else da."""
    return np.where(a <= 0, a.dtype.type(0), da)


def sigmoid_forward(z):
    """a = 1 / (1 + e^-z)."""
    return elementary.sigmoid(z)


def sigmoid_backward(a, da):
    """dz = da (a (1 - a))."""
    return da * (a * (1 - a))


def tanh_forward(z):
    """a = tanh(z)."""
    return elementary.tanh(z)


def tanh_backward(a, da):
    """dz = da (1 - a^2), with 1 - a^2 by one fma."""
    return da * fma(-a, a, a.dtype.type(1))


def identity_forward(z):
    """a = z."""
    return z


def identity_backward(a, da):
    """dz = da."""
    return da
