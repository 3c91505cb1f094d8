"""Hidden activations on a tile of rows: the twin of `fastmlp/reference/activations.py`.

A forward kernel writes a in place of z, and the slope. relu and identity are done where the sums still are in registers
(`dense.py`) and have no kernels here.
"""

from fastmlp.kernels import elementary
from fastmlp.kernels.memory import load, store
from fastmlp.kernels.simd import absolute, alike, equal, fma, greater, lanes, less, negative, select
from fastmlp.pairs import Floats, Int, kernel
from fastmlp.reference import activations as reference
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
    Constant,
)

GELU_LOWEST = Constant(-GELU_HIGHEST.float32, -GELU_HIGHEST.float64)


@kernel(reference.multiply)
def multiply(a: Floats, factors: Floats, units: Int, rows: Int, stride: Int):
    """a = a factors: dz in place of da by the slopes, and dropout."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            store(a, n, load(a, n) * load(factors, n))


@kernel(reference.leaky_relu_forward)
def leaky_relu_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = z / 100 where z < 0, else z."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            below = less(z, 0)
            store(slope, n, select(below, alike(z, LEAK), 1))
            store(a, n, select(below, z * LEAK, z))


@kernel(reference.elu_forward)
def elu_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = e^z - 1 where z < 0, else z; slope = a + 1 there."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            below = less(z, 0)
            curve = elementary.expm1_nonpositive(select(below, z, 0))
            store(slope, n, select(below, curve + 1, 1))
            store(a, n, select(below, curve, z))


@kernel(reference.selu_forward)
def selu_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = s alpha (e^z - 1) where z < 0, else s z; slope = a + s alpha, or s."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            below = less(z, 0)
            curve = elementary.expm1_nonpositive(select(below, z, 0)) * SELU_ALPHA_SCALE
            store(slope, n, select(below, curve + SELU_ALPHA_SCALE, SELU_SCALE))
            store(a, n, select(below, curve, z * SELU_SCALE))


@kernel(reference.sigmoid_forward)
def sigmoid_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = 1 / (1 + e^-z); slope = a (1 - a)."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            x = elementary.sigmoid(load(a, n))
            store(slope, n, x * (1 - x))
            store(a, n, x)


@kernel(reference.tanh_forward)
def tanh_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = tanh(z); slope = 1 - a^2."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            x = elementary.tanh(load(a, n))
            store(slope, n, fma(negative(x), x, 1))
            store(a, n, x)


@kernel(reference.softplus_forward)
def softplus_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = max(z, 0) + log(1 + e^-|z|); slope = sigmoid(z)."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            rest = elementary.log1p(elementary.exp_nonpositive(negative(absolute(z))))
            store(slope, n, elementary.sigmoid(z))
            store(a, n, select(greater(z, 0), z, 0) + rest)


@kernel(reference.silu_forward)
def silu_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = z s with s = sigmoid(z); slope = s + a (1 - s)."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            s = elementary.sigmoid(z)
            x = select(equal(s, 0), s, z * s)
            store(slope, n, fma(x, 1 - s, s))
            store(a, n, x)


@kernel(reference.gelu_forward)
def gelu_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = z s with s = sigmoid(2u), 2u = c z (1 + 0.044715 z^2); slope = s + z s (1 - s) (2u)'."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            x = select(greater(z, GELU_HIGHEST), GELU_HIGHEST, z)
            x = select(less(x, GELU_LOWEST), GELU_LOWEST, x)
            square = x * x
            s = elementary.sigmoid((x * GELU_SCALE) * fma(square, GELU_CUBE, 1))
            steepness = fma(square, GELU_CUBE_SLOPE, 1) * GELU_SCALE
            store(slope, n, fma(x * (s * (1 - s)), steepness, s))
            store(a, n, select(equal(s, 0), s, z * s))


@kernel(reference.gelu_erf_forward)
def gelu_erf_forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    """a = max(z, 0) - t Phi(-t), t = |z|; slope = Phi(-t) - t phi(t) where z < 0, else 1 less this."""
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            z = load(a, n)
            t = absolute(z)
            t = select(greater(t, NORMAL_HIGHEST), NORMAL_HIGHEST, t)
            tail, steepness = elementary.normal_tail(t)
            steepness = steepness * SCALE_DOWN
            store(slope, n, select(less(z, 0), steepness, 1 - steepness))
            store(a, n, select(greater(z, 0), z, 0) - (t * tail) * SCALE_DOWN)
