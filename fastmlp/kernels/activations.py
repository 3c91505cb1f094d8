"""Hidden activations on a tile of rows: the twin of `fastmlp/reference/activations.py`.

relu and identity are done where the sums still are in registers (`dense.py`) and have no kernels here.
"""

from fastmlp.kernels import elementary
from fastmlp.kernels.simd import fma, lanes, load, negative, store
from fastmlp.pairs import Floats, Int, kernel
from fastmlp.reference import activations as reference


@kernel(reference.sigmoid_forward)
def sigmoid_forward(a: Floats, units: Int, rows: Int, stride: Int):
    """a = 1 / (1 + e^-a), in place."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            store(a, n, elementary.sigmoid(load(a, n)))


@kernel(reference.sigmoid_backward)
def sigmoid_backward(a: Floats, da: Floats, units: Int, rows: Int, stride: Int):
    """a = da (a (1 - a)): writes dz in place of a."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            x = load(a, n)
            store(a, n, load(da, n) * (x * (1 - x)))


@kernel(reference.tanh_forward)
def tanh_forward(a: Floats, units: Int, rows: Int, stride: Int):
    """a = tanh(a), in place."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            store(a, n, elementary.tanh(load(a, n)))


@kernel(reference.tanh_backward)
def tanh_backward(a: Floats, da: Floats, units: Int, rows: Int, stride: Int):
    """a = da (1 - a^2): writes dz in place of a."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            x = load(a, n)
            store(a, n, load(da, n) * fma(negative(x), x, 1))
