"""The constants of `elementary.py` and of the activations, for each dtype. Imports NumPy only.

The kernels read the same numbers. `LN2_HI[x.dtype]` is a NumPy scalar of the array's own dtype, and
`EXP_POLYNOMIAL[x.dtype]` a tuple of them. Each literal is exact: a decimal that reads as this very number, or a power
of two. `tools/coefficients.py` made the fitted and the rounded ones, and can check them.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Constant:
    """One number for each dtype: a real number in the dtype itself, an integer as the unsigned integer of its width."""

    float32: np.generic
    float64: np.generic

    def __getitem__(self, dtype):
        """The number for a dtype."""
        return getattr(self, np.dtype(dtype).name)


@dataclass(frozen=True)
class Polynomial:
    """The coefficients of one polynomial for each dtype, the highest degree first."""

    float32: tuple
    float64: tuple

    def __getitem__(self, dtype):
        """The coefficients for a dtype."""
        return getattr(self, np.dtype(dtype).name)


def _real(float32, float64):
    """A real constant."""
    return Constant(np.float32(float32), np.float64(float64))


def _integer(float32, float64):
    """An integer constant."""
    return Constant(np.uint32(float32), np.uint64(float64))


def _polynomial(float32, float64):
    """A polynomial with coefficients of each dtype."""
    return Polynomial(tuple(map(np.float32, float32)), tuple(map(np.float64, float64)))


# ---------------------------------------------------------------------------------------------------------
# The format: a sign bit, the exponent field (exponent + bias), and the mantissa's bits

MANTISSA_BITS = _integer(float32=23, float64=52)
MANTISSA_MASK = _integer(float32=0x007FFFFF, float64=0x000FFFFFFFFFFFFF)
EXPONENT_LIMIT = _integer(float32=255, float64=2047)  # the field's value in inf and NaN
SIGN_MASK = _integer(float32=0x80000000, float64=0x8000000000000000)
ONE_BITS = _integer(float32=0x3F800000, float64=0x3FF0000000000000)  # 1.0
MIN_NORMAL = _real(float32=2.0**-126, float64=2.0**-1022)

# The smallest results are computed SCALE_UP times as large, and the largest SCALE_DOWN times as large.
SCALE_UP = _real(float32=2.0**32, float64=2.0**64)
SCALE_DOWN = _real(float32=2.0**-32, float64=2.0**-64)

# Adding 1.5 * 2^23 (float32) or 1.5 * 2^52 rounds a number to an integer, which is in the sum's lowest bits (two's
# complement). The bias and the scale's exponent are added at the same time. The lowest bits of k + MAGIC_EXPONENT are
# the exponent field of 2^k; with MAGIC_EXPONENT_UP, that of 2^k SCALE_UP; with MAGIC_EXPONENT_DOWN, of 2^k SCALE_DOWN.
MAGIC_BITS = _integer(float32=0x4B400000, float64=0x4338000000000000)  # of 1.5 * 2^23, 1.5 * 2^52
MAGIC_EXPONENT = _real(float32=1.5 * 2.0**23 + 127, float64=1.5 * 2.0**52 + 1023)
MAGIC_EXPONENT_UP = _real(float32=1.5 * 2.0**23 + 127 + 32, float64=1.5 * 2.0**52 + 1023 + 64)
MAGIC_EXPONENT_DOWN = _real(float32=1.5 * 2.0**23 + 127 - 32, float64=1.5 * 2.0**52 + 1023 - 64)

# ---------------------------------------------------------------------------------------------------------
# exp, sigmoid, tanh

EXP_LOWEST = _real(float32=-105.0, float64=-746.0)  # e^x is 0 below
EXP_HIGHEST = _real(float32=89.0, float64=710.0)  # e^x is infinite above
TANH_HIGHEST = _real(float32=20.0, float64=40.0)  # a value of 2|x|; tanh is +-1 above

LOG2_E = _real(float32=1.4426950216293335, float64=1.4426950408889634)  # 1 / ln 2
LN2_HI = _real(float32=0.6931471824645996, float64=0.6931471805599453)  # ln 2, rounded
LN2_LO = _real(float32=-1.9046542121259336e-09, float64=2.3190468138462996e-17)  # ln 2 - LN2_HI, rounded

# e^r = 1 + r + r^2 q(r), |r| <= ln(2) / 2
EXP_POLYNOMIAL = _polynomial(
    float32=(
        0.0013545664260163903,
        0.008366094902157784,
        0.04167235642671585,
        0.1666654795408249,
        0.4999998211860657,
    ),
    float64=(
        2.4717714952864372e-08,
        2.762485943674732e-07,
        2.755842583272179e-06,
        2.4801508474886638e-05,
        0.00019841268642096447,
        0.001388888892868172,
        0.008333333333847896,
        0.041666666666586166,
        0.16666666666665958,
        0.5000000000000004,
    ),
)

# ---------------------------------------------------------------------------------------------------------
# log, log1p

SQRT_HALF = _real(float32=0.7071067690849304, float64=0.7071067811865476)
SQRT_HALF_BITS = _integer(float32=0x3F3504F3, float64=0x3FE6A09E667F3BCD)  # of SQRT_HALF

# log((1 + s) / (1 - s)) = 2s + s z q(z), z = s^2, |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)
LOG_POLYNOMIAL = _polynomial(
    float32=(
        0.29870694875717163,
        0.3997758626937866,
        0.6666677594184875,
    ),
    float64=(
        0.14795364154575769,
        0.15314110847280835,
        0.18183561889571842,
        0.22222198621895453,
        0.28571428741890575,
        0.3999999999941705,
        0.6666666666666734,
    ),
)

# ---------------------------------------------------------------------------------------------------------
# normal_cdf: Phi(-t) = e^(-t^2/2) N(u) / (t + NORMAL_SHIFT), u = (t - NORMAL_CENTRE) / (t + NORMAL_CENTRE)

NORMAL_HIGHEST = _real(float32=14.625, float64=38.75)  # a value of t; Phi(-t) and t phi(t) are 0 above
# The shift makes N nearly flat, 0.6 for small t and 0.4 for large, so that an error in u has little effect. It has few
# bits, so that subtracting it from t + NORMAL_SHIFT is exact. Many centres fit equally well. These are the multiples of
# 1/32 for which N(0) and its slope are very nearly numbers of the dtype, so that rounding them adds next to no error.
NORMAL_SHIFT = _real(float32=1.25, float64=1.25)
NORMAL_CENTRE = _real(float32=4.09375, float64=5.03125)
NORMAL_DENSITY = _real(float32=0.3989422917366028, float64=0.3989422804014327)  # 1 / sqrt(2 pi)

# N(u) = NORMAL_MIDDLE + u q(u)
NORMAL_MIDDLE = _real(float32=0.4940483868122101, float64=0.48034930186896135)
NORMAL_POLYNOMIAL = _polynomial(
    float32=(
        -7.62144845793955e-05,
        -0.00014527948223985732,
        0.0006481116288341582,
        0.00029606581665575504,
        -0.00581583334133029,
        0.016563627868890762,
        -0.02387501671910286,
        0.008485352620482445,
        0.04703477770090103,
        -0.13823555409908295,
    ),
    float64=(
        4.975180952067689e-10,
        3.5974195588321995e-09,
        2.6144605406649556e-09,
        -2.8365199533102983e-08,
        -3.576542775122548e-08,
        1.78057821195171e-07,
        2.1101378848867378e-07,
        -1.2205029347220954e-06,
        -6.546081786337366e-07,
        8.989914683701465e-06,
        -5.953802466742321e-06,
        -5.8788804397971206e-05,
        0.0001634914925659945,
        8.852872723131079e-05,
        -0.0017508193684822291,
        0.006128316326973397,
        -0.01308164506858376,
        0.01861793536178119,
        -0.014048598545622083,
        -0.010771165305705361,
        0.06034583988634474,
        -0.12704160879279475,
    ),
)

# ---------------------------------------------------------------------------------------------------------
# Activations: the factors of their papers and of PyTorch, rounded to each dtype

HALF = _real(float32=0.5, float64=0.5)
LEAK = _real(float32=0.01, float64=0.01)  # leaky_relu
SELU_SCALE = _real(float32=1.0507009873554805, float64=1.0507009873554805)
SELU_ALPHA_SCALE = _real(float32=1.7580993408473766, float64=1.7580993408473766)
GELU_SCALE = _real(float32=1.5957691216057308, float64=1.5957691216057308)  # 2 sqrt(2 / pi)
GELU_CUBE = _real(float32=0.044715, float64=0.044715)
GELU_CUBE_SLOPE = _real(float32=0.134145, float64=0.134145)  # 3 GELU_CUBE
GELU_HIGHEST = _real(float32=11.0, float64=22.0)  # sigmoid(2u) is 0 or 1 beyond
