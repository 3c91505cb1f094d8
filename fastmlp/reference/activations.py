"""Hidden activations and their slopes. Imports NumPy only; the fast twin is `fastmlp/kernels/activations.py`.

z, a and da have the shape (N, J). `x_forward(z)` returns a = f(z) and the slope f'(z), and the backward pass is
`multiply(da, slope)`, which returns dz. Two activations differ: relu has a backward function in terms of a, since its
slope is 0 or 1, and identity has neither slope nor backward function. Dropout multiplies a and the slope by random
factors (`random.dropout_factors`).
"""

import numpy as np

from fastmlp.reference import elementary
from fastmlp.reference.arithmetic import fma
from fastmlp.reference.constants import (
    GELU_CUBE,
    GELU_CUBE_SLOPE,
    GELU_HIGHEST,
    GELU_SCALE,
    LEAK,
    NORMAL_HIGHEST,
    SCALE_DOWN,
    SELU_ALPHA_SCALE,
    SELU_SCALE,
)


def multiply(a, factors):
    """a * factors, elementwise: dz from da and the slope, or a with dropout."""
    return a * factors


def relu_forward(z):
    """a = 0 where z < 0, else z. NaN and -0 stay."""
    return np.where(z < 0, z.dtype.type(0), z)


def relu_backward(a, da):
    """dz = +0 where a <= 0, else da."""
    return np.where(a <= 0, a.dtype.type(0), da)


def leaky_relu_forward(z):
    """a = z / 100 where z < 0, else z; slope = 1 / 100 or 1.

    Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013. The factor is
    PyTorch's.
    """
    d = z.dtype
    below = z < 0
    return np.where(below, LEAK[d] * z, z), np.where(below, LEAK[d], d.type(1))


def elu_forward(z):
    """a = e^z - 1 where z < 0, else z; slope = a + 1 or 1.

    Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units", ICLR
    2016, with alpha = 1.
    """
    one = z.dtype.type(1)
    below = z < 0
    curve = elementary.expm1_nonpositive(np.where(below, z, z.dtype.type(0)))
    return np.where(below, curve, z), np.where(below, curve + one, one)


def selu_forward(z):
    """a = s alpha (e^z - 1) where z < 0, else s z; slope = a + s alpha or s.

    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.
    """
    d = z.dtype
    below = z < 0
    curve = SELU_ALPHA_SCALE[d] * elementary.expm1_nonpositive(np.where(below, z, d.type(0)))
    return np.where(below, curve, SELU_SCALE[d] * z), np.where(below, curve + SELU_ALPHA_SCALE[d], SELU_SCALE[d])


def sigmoid_forward(z):
    """a = 1 / (1 + e^-z); slope = a (1 - a)."""
    a = elementary.sigmoid(z)
    return a, a * (1 - a)


def tanh_forward(z):
    """a = tanh(z); slope = 1 - a^2, by one fma."""
    a = elementary.tanh(z)
    return a, fma(-a, a, a.dtype.type(1))


def softplus_forward(z):
    """a = log(1 + e^z), computed as max(z, 0) + log(1 + e^-|z|); slope = sigmoid(z).

    Dugas, Bengio, Belisle, Nadeau and Garcia, "Incorporating second-order functional knowledge for better option
    pricing", Advances in Neural Information Processing Systems 13, 2001.
    """
    positive = np.where(z > 0, z, z.dtype.type(0))
    return positive + elementary.log1p(elementary.exp(-np.abs(z))), elementary.sigmoid(z)


def silu_forward(z):
    """a = z s with s = sigmoid(z); slope = s + a (1 - s), by one fma.

    Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation in reinforcement
    learning", Neural Networks 107, 2018.
    """
    s = elementary.sigmoid(z)
    a = np.where(s == 0, s, z * s)  # not -infinity times 0
    return a, fma(a, 1 - s, s)


def mish_forward(z):
    """a = z tanh(log(1 + e^z)) = z t; slope = t + z t', by one fma.

    With e = e^-|z|, t = n / d: n = e^2 + 2e and d = n + 2 where z < 0, else n = 1 + 2e and d = n + 2e^2. t' is 4u / d^2
    with u = e (1 + e), times e again where z >= 0. Misra, "Mish: a self regularized non-monotonic activation function",
    BMVC 2020.
    """
    one = z.dtype.type(1)
    below = z < 0
    e = elementary.exp_nonpositive(-np.abs(z))
    twice = e + e
    n = np.where(below, fma(e, e, twice), one + twice)
    r = one / np.where(below, n + 2, fma(twice, e, n))
    t = n * r
    u = np.where(below, e, e * e) * (one + e)
    a = np.where(t == 0, t, z * t)  # not -infinity times 0
    return a, fma(np.where(u == 0, u, z), (4 * u) * (r * r), t)


def gelu_forward(z):
    """a = z (1 + tanh(u)) / 2 = z s with s = sigmoid(2u), 2u = c z (1 + 0.044715 z^2), c = 2 sqrt(2 / pi).

    The slope is s + z s (1 - s) (2u)'. u is computed from z clipped to [-GELU_HIGHEST, GELU_HIGHEST], outside of which
    s is 0 or 1. Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016: the approximation with tanh.
    """
    d = z.dtype
    one = d.type(1)
    x = np.where(z > GELU_HIGHEST[d], GELU_HIGHEST[d], z)
    x = np.where(x < -GELU_HIGHEST[d], -GELU_HIGHEST[d], x)
    square = x * x
    s = elementary.sigmoid((GELU_SCALE[d] * x) * fma(GELU_CUBE[d], square, one))
    a = np.where(s == 0, s, z * s)  # not -infinity times 0
    steepness = GELU_SCALE[d] * fma(GELU_CUBE_SLOPE[d], square, one)
    return a, fma(x * (s * (1 - s)), steepness, s)


def gelu_erf_forward(z):
    """a = z Phi(z), computed as max(z, 0) - t Phi(-t) with t = |z|; slope = Phi(z) + z phi(z).

    The slope at -t is Phi(-t) - t phi(t), and that at t is 1 minus this. Hendrycks and Gimpel, "Gaussian error linear
    units (GELUs)", 2016.
    """
    d = z.dtype
    t = np.abs(z)
    t = np.where(t > NORMAL_HIGHEST[d], NORMAL_HIGHEST[d], t)
    tail, slope = elementary.normal_tail(t)
    positive = np.where(z > 0, z, d.type(0))
    slope = slope * SCALE_DOWN[d]
    return positive - (t * tail) * SCALE_DOWN[d], np.where(z < 0, slope, d.type(1) - slope)


def identity_forward(z):
    """a = z."""
    return z
