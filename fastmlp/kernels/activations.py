"""Hidden activations on a tile of rows: the twin of `fastmlp/reference/activations.py`.

A forward kernel writes a in place of z, and the slope. relu and identity are done where the sums still are in registers
(`dense.py`) and have no kernels here.

A curve is a chain of some 40 operations that wait for each other, and a processor has four or five chains in sight. So
8 registers go through it side by side: tanh takes 18 cycles for one in place of 30, in float32 15 in place of 23.
"""

from fastmlp.kernels import elementary
from fastmlp.kernels.memory import load, load_several, store
from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.simd import REGISTER, absolute, alike, equal, fma, greater, helper, lanes, less, negative, select
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


@helper
def leaky_relu(z):
    """a = z / 100 where z < 0, else z."""
    below = less(z, 0)
    return select(below, z * LEAK, z), select(below, alike(z, LEAK), 1)


@helper
def elu(z):
    """a = e^z - 1 where z < 0, else z; slope = a + 1 there."""
    below = less(z, 0)
    curve = elementary.expm1_nonpositive(select(below, z, 0))
    return select(below, curve, z), select(below, curve + 1, 1)


@helper
def selu(z):
    """a = s alpha (e^z - 1) where z < 0, else s z; slope = a + s alpha, or s."""
    below = less(z, 0)
    curve = elementary.expm1_nonpositive(select(below, z, 0)) * SELU_ALPHA_SCALE
    return select(below, curve, z * SELU_SCALE), select(below, curve + SELU_ALPHA_SCALE, SELU_SCALE)


@helper
def sigmoid(z):
    """a = 1 / (1 + e^-z); slope = a (1 - a)."""
    a = elementary.sigmoid(z)
    return a, a * (1 - a)


@helper
def tanh(z):
    """a = tanh(z); slope = 1 - a^2."""
    a = elementary.tanh(z)
    return a, fma(negative(a), a, 1)


@helper
def softplus(z):
    """a = max(z, 0) + log(1 + e^-|z|); slope = sigmoid(z)."""
    rest = elementary.log1p(elementary.exp_nonpositive(negative(absolute(z))))
    return select(greater(z, 0), z, 0) + rest, elementary.sigmoid(z)


@helper
def silu(z):
    """a = z s with s = sigmoid(z); slope = s + a (1 - s)."""
    s = elementary.sigmoid(z)
    a = select(equal(s, 0), s, z * s)
    return a, fma(a, 1 - s, s)


@helper
def mish(z):
    """a = z t, t = tanh(log(1 + e^z)) = n / d; slope = t + z 4u / d^2."""
    below = less(z, 0)
    e = elementary.exp_nonpositive(negative(absolute(z)))
    twice = e + e
    n = select(below, fma(e, e, twice), 1 + twice)
    r = 1 / select(below, n + 2, fma(twice, e, n))
    t = n * r
    u = select(below, e, e * e) * (1 + e)
    return select(equal(t, 0), t, z * t), fma(select(equal(u, 0), u, z), (4 * u) * (r * r), t)


@helper
def gelu(z):
    """a = z s with s = sigmoid(2u), 2u = c z (1 + 0.044715 z^2); slope = s + z s (1 - s) (2u)'."""
    x = select(greater(z, GELU_HIGHEST), GELU_HIGHEST, z)
    x = select(less(x, GELU_LOWEST), GELU_LOWEST, x)
    square = x * x
    s = elementary.sigmoid((x * GELU_SCALE) * fma(square, GELU_CUBE, 1))
    steepness = fma(square, GELU_CUBE_SLOPE, 1) * GELU_SCALE
    return select(equal(s, 0), s, z * s), fma(x * (s * (1 - s)), steepness, s)


@helper
def gelu_erf(z):
    """a = max(z, 0) - t Phi(-t), t = |z|; slope = Phi(-t) - t phi(t) where z < 0, else 1 less this."""
    t = absolute(z)
    t = select(greater(t, NORMAL_HIGHEST), NORMAL_HIGHEST, t)
    tail, steepness = elementary.normal_tail(t)
    steepness = steepness * SCALE_DOWN
    a = select(greater(z, 0), z, 0) - (t * tail) * SCALE_DOWN
    return a, select(less(z, 0), steepness, 1 - steepness)


SEVERAL, SOME = (8, 4) if REGISTER == 64 else (4, 2)  # of 32 registers, or of 16


@helper
def draw(curve, a, slope, n, end, count):
    """The curve for `count` registers at a time, from n up to end. -> where it stops."""
    while n + count * lanes(a) <= end:
        x, rise = curve(load_several(a, n, count))
        store(slope, n, rise)
        store(a, n, x)
        n += count * lanes(a)
    return n


def _forward(curve, definition):
    """The kernel of a curve, z -> (a, slope)."""

    def forward(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
        for start in range(0, units * stride, stride):
            end = start + (rows + lanes(a) - 1) // lanes(a) * lanes(a)
            n = draw(curve, a, slope, start, end, SEVERAL)
            n = draw(curve, a, slope, n, end, SOME)
            draw(curve, a, slope, n, end, 1)

    forward.__name__, forward.__doc__ = definition.__name__, curve.__doc__
    return kernel(definition)(forward)


leaky_relu_forward = _forward(leaky_relu, reference.leaky_relu_forward)
elu_forward = _forward(elu, reference.elu_forward)
selu_forward = _forward(selu, reference.selu_forward)
sigmoid_forward = _forward(sigmoid, reference.sigmoid_forward)
tanh_forward = _forward(tanh, reference.tanh_forward)
softplus_forward = _forward(softplus, reference.softplus_forward)
silu_forward = _forward(silu, reference.silu_forward)
mish_forward = _forward(mish, reference.mish_forward)
gelu_forward = _forward(gelu, reference.gelu_forward)
gelu_erf_forward = _forward(gelu_erf, reference.gelu_erf_forward)
