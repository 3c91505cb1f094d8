"""Updates of the flat parameter vector. Imports NumPy only; the fast twin is `fastmlp/kernels/optimizers.py`."""

from fastmlp.reference.arithmetic import fma


def gradient_descent(p, total, scale, learning_rate):
    """p - learning_rate g, by one fma, with g = scale total: the sum over rows made a mean.

    p, total: (P,). scale, learning_rate: numbers of p's dtype.
    """
    return fma(-learning_rate, scale * total, p)
