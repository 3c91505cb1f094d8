"""exp, expm1, log, log1p, sigmoid, tanh and normal_cdf: every operation, in order. These functions define the bits.

Imports NumPy only. The fast twin is `fastmlp/kernels/elementary.py`. The functions use + - * / and fma, comparison and
selection, and integer operations on the bits, all in the array's own dtype (float32 or float64). There are no branches:
each line is one vector operation, or a few. Each result is within 1 ulp of the true value, that of normal_cdf within
1.5. `tools/ulps.py` measures the errors, and docs/arithmetic.md has the largest ones that were found.

Sources: the reduction and log follow fdlibm (Sun Microsystems, e_exp.c and e_log.c, 1993), with fma. Rounding by a
magic number and the error-free sums are in Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., 2018, ch. 4.
normal_cdf maps its argument, and multiplies the function to be fitted by t + c, as in Shepherd and Laframboise,
Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < inf, Mathematics of Computation 36(153), 1981.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma
from fastmlp.reference.constants import (
    EXP_HIGHEST,
    EXP_LOWEST,
    EXP_POLYNOMIAL,
    EXPONENT_LIMIT,
    LN2_HI,
    LN2_LO,
    LOG2_E,
    LOG_POLYNOMIAL,
    MAGIC_BITS,
    MAGIC_EXPONENT,
    MAGIC_EXPONENT_DOWN,
    MAGIC_EXPONENT_UP,
    MANTISSA_BITS,
    MANTISSA_MASK,
    MIN_NORMAL,
    NORMAL_CENTRE,
    NORMAL_DENSITY,
    NORMAL_HIGHEST,
    NORMAL_MIDDLE,
    NORMAL_POLYNOMIAL,
    NORMAL_SHIFT,
    ONE_BITS,
    SCALE_DOWN,
    SCALE_UP,
    SIGN_MASK,
    SQRT_HALF_BITS,
    TANH_HIGHEST,
)

# ---------------------------------------------------------------------------------------------------------
# exp


def exp(x):
    """e^x for any x: 0 at -inf, inf at inf, NaN at NaN. Subnormal results are rounded once more."""
    d = x.dtype
    x = np.where(x > EXP_HIGHEST[d], EXP_HIGHEST[d], x)
    x = np.where(x < EXP_LOWEST[d], EXP_LOWEST[d], x)
    magic = np.where(x < 0, MAGIC_EXPONENT_UP[d], MAGIC_EXPONENT_DOWN[d])
    scale = np.where(x < 0, SCALE_DOWN[d], SCALE_UP[d])
    return _scaled_exp(x, magic, scale)


def exp_nonpositive(x):
    """e^x for x <= 0 or NaN: the bits of `exp`, in fewer operations."""
    d = x.dtype
    x = np.where(x < EXP_LOWEST[d], EXP_LOWEST[d], x)
    return _scaled_exp(x, MAGIC_EXPONENT_UP[d], SCALE_DOWN[d])


def expm1_nonpositive(x):
    """e^x - 1 for x <= 0 or NaN: -1 at -inf, +0 at either zero."""
    d = x.dtype
    x = np.where(x < -TANH_HIGHEST[d], -TANH_HIGHEST[d], x)  # e^x - 1 rounds to -1 below
    with np.errstate(all="ignore"):
        power, r_high, p_low = _power_and_rest(x, MAGIC_EXPONENT[d])
        n, n_low = _exp_less_one(power, r_high, p_low)
        return n + n_low


def _exp_less_one(power, r_high, p_low):
    """n + n_low = (2^k - 1) + 2^k (r_high + p_low). n_low is the rounding error of n; for k = 0, n is all of it."""
    rest = power - power.dtype.type(1)
    n = fma(r_high + p_low, power, rest)
    return n, fma(p_low, power, fma(r_high, power, rest - n))


def _scaled_exp(x, magic, scale):
    """e^x for a clipped x, with the scale that goes with `magic`."""
    with np.errstate(all="ignore"):
        power, r_high, p_low = _power_and_rest(x, magic)
        return fma(r_high + p_low, power, power) * scale


def _power_and_rest(x, magic):
    """power = 2^k (times the scale of `magic`), and r_high + p_low = e^x / 2^k - 1, with |r_high + p_low| < 0.42.

    r_high = x - k LN2_HI is exact. p_low = r_low + r^2 q(r) is small beside it. So the rounding of their sum, a quarter
    of an ulp of the result, is nearly all that exp adds to the rounding of its last operation.
    """
    power, k, r_high = _reduced(x, magic)
    return power, r_high, _rest(r_high, k * -LN2_LO[x.dtype])


def _reduced(x, magic):
    """2^k (times the scale of `magic`), k, and r_high = x - k LN2_HI."""
    d = x.dtype
    t = fma(x, LOG2_E[d], magic)
    power = _as_real(_bits(t) << MANTISSA_BITS[d])
    k = t - magic
    return power, k, fma(k, -LN2_HI[d], x)


def _rest(r_high, r_low):
    """r_low + r^2 q(r) with r = r_high + r_low: e^r - 1 - r_high."""
    r = r_high + r_low
    return fma(r * r, horner(EXP_POLYNOMIAL[r.dtype], r), r_low)


# ---------------------------------------------------------------------------------------------------------
# sigmoid and tanh: quotients of pairs. A pair high + low holds a number to about twice the dtype's precision.


def sigmoid(x):
    """1 / (1 + e^-x) for any x: 0 at -inf, 1 at inf, NaN at NaN.

    With E = e^|x| = 2^k (1 + p) and s = 1 / (1 + E), the result is s for x < 0, else 1 - s. Everything up to s is
    SCALE_DOWN times as large, since E may overflow.
    """
    d = x.dtype
    one = SCALE_DOWN[d]
    with np.errstate(all="ignore"):
        t = _as_real(_bits(x) & ~SIGN_MASK[d])
        t = np.where(t > -EXP_LOWEST[d], -EXP_LOWEST[d], t)
        power, r_high, p_low = _power_and_rest(t, MAGIC_EXPONENT_DOWN[d])
        p = r_high + p_low
        e = fma(p, power, power)
        e_low = fma(p, power, power - e)
        high = one + e
        low = (one - (high - e)) + e_low
        s = d.type(1) / high
        s = fma(s, _reciprocal_error(s, high, low), s) * SCALE_DOWN[d]
        return np.where(x < 0, s, d.type(1) - s)


def tanh(x):
    """tanh(x) = n / (2 + n) with n = e^2|x| - 1 and the sign of x, for any x: tanh(-0) = -0, NaN at NaN.

    n is a pair of numbers, so that its own rounding does not count.
    """
    d = x.dtype
    one, two = d.type(1), d.type(2)
    with np.errstate(all="ignore"):
        sign = _bits(x) & SIGN_MASK[d]
        t = _as_real(_bits(x) & ~SIGN_MASK[d]) * two
        t = np.where(t > TANH_HIGHEST[d], TANH_HIGHEST[d], t)
        power, r_high, p_low = _power_and_rest(t, MAGIC_EXPONENT[d])
        n, n_low = _exp_less_one(power, r_high, p_low)
        high = two + n
        low = (n - (high - two)) + n_low
        y = one / high
        y = fma(n, y, y * fma(n, _reciprocal_error(y, high, low), n_low))
        return _as_real(_bits(y) | sign)


def _reciprocal_error(y, high, low):
    """e with 1 / (high + low) = y (1 + e), nearly, for y = 1 / high."""
    return fma(-y, low, fma(-y, high, y.dtype.type(1)))


# ---------------------------------------------------------------------------------------------------------
# The standard normal distribution: function Phi, density phi


def normal_cdf(x):
    """Phi(x), the probability that a standard normal number is at most x: 0 at -inf, 1 at inf, NaN at NaN."""
    d = x.dtype
    with np.errstate(all="ignore"):
        t = np.abs(x)
        tail, _ = normal_tail(np.where(t > NORMAL_HIGHEST[d], NORMAL_HIGHEST[d], t))
        tail = tail * SCALE_DOWN[d]
        return np.where(x < 0, tail, d.type(1) - tail)


def normal_tail(t):
    """SCALE_UP times Phi(-t), and SCALE_UP times Phi(-t) - t phi(t), for t from 0 to NORMAL_HIGHEST or NaN.

    Both are e^(-t^2/2) = 2^k (1 + r_high + p_low) times a number. For the first, the number is q + q_low = Phi(-t)
    e^(t^2/2); for the second, it is that minus t / sqrt(2 pi). The rounding error of the square goes into r_low, since
    the exponential would magnify it. q is a quotient n / s. The rounding errors of n, s and q are in q_low, so that the
    rounding of the last sum is most of the first result's error.
    """
    d = t.dtype
    one = d.type(1)
    with np.errstate(all="ignore"):
        half = t * d.type(-0.5)
        square = half * t
        power, k, r_high = _reduced(square, MAGIC_EXPONENT_UP[d])
        p_low = _rest(r_high, fma(k, -LN2_LO[d], fma(half, t, -square)))

        u = (t - NORMAL_CENTRE[d]) / (t + NORMAL_CENTRE[d])
        slant = horner(NORMAL_POLYNOMIAL[d], u)
        n = fma(slant, u, NORMAL_MIDDLE[d])
        n_low = fma(slant, u, NORMAL_MIDDLE[d] - n)
        s = t + NORMAL_SHIFT[d]
        s_low = t - (s - NORMAL_SHIFT[d])
        y = one / s
        q = n * y
        q_low = (fma(-q, s_low, fma(-q, s, n)) + n_low) * y

        less_density = fma(t, -NORMAL_DENSITY[d], q) + q_low
        tail = q + fma(r_high, q, fma(p_low, q, fma(r_high, q_low, q_low)))
        return tail * power, fma(r_high + p_low, less_density, less_density) * power


# ---------------------------------------------------------------------------------------------------------
# log


def log(x):
    """The natural logarithm: -inf at 0, inf at inf, NaN for x < 0 and NaN. Subnormal x are handled."""
    d = x.dtype
    with np.errstate(all="ignore"):
        small = x < MIN_NORMAL[d]
        exponent, f = _split(np.where(small, x * SCALE_UP[d], x))
        k = exponent - np.where(small, MAGIC_EXPONENT_UP[d], MAGIC_EXPONENT[d])
        y = _log_sum(k, f, f / (f + d.type(2)), k * LN2_LO[d])
        y = np.where(x > 0, y, np.where(x == 0, d.type(-np.inf), d.type(np.nan)))
        return np.where(x == np.inf, x, y)


def log1p(x):
    """log(1 + x) for x >= 0, or NaN; inf at inf. Not defined for x < 0.

    Let u = 1 + x, rounded, and c what the rounding lost: log(1 + x) = log(u) + c / u, nearly. Since u = 2^k (1 + f) and
    1 / (1 + f) = 1 - 2s + ... with s = f / (2 + f), c / u is nearly 2 c / 2^k (1/2 - s).
    """
    d = x.dtype
    one, half = d.type(1), d.type(0.5)
    with np.errstate(all="ignore"):
        u = one + x
        c = x - (u - one)
        exponent, f = _split(u)
        k = exponent - MAGIC_EXPONENT[d]
        twice = _as_real((EXPONENT_LIMIT[d] - _bits(exponent)) << MANTISSA_BITS[d])  # 2 / 2^k
        s = f / (f + d.type(2))
        y = _log_sum(k, f, s, fma(k, LN2_LO[d], (c * twice) * (half - s)))
        return np.where(x < np.inf, y, x)


def _split(x):
    """k + MAGIC_EXPONENT and f, with x = 2^k (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2). x: positive and normal."""
    d = x.dtype
    bits = _bits(x) + (ONE_BITS[d] - SQRT_HALF_BITS[d])
    exponent = _as_real((bits >> MANTISSA_BITS[d]) | MAGIC_BITS[d])
    m = _as_real((bits & MANTISSA_MASK[d]) + SQRT_HALF_BITS[d])
    return exponent, m - d.type(1)


def _log_sum(k, f, s, low):
    """k ln 2 + log(1 + f) + low, with log(1 + f) = f - f^2/2 + s (f^2/2 + z q(z)) and z = s^2; low holds k LN2_LO."""
    d = f.dtype
    z = s * s
    half_square = (f * d.type(0.5)) * f
    tail = fma(z, horner(LOG_POLYNOMIAL[d], z), half_square)
    return fma(k, LN2_HI[d], f - (half_square - fma(s, tail, low)))


# ---------------------------------------------------------------------------------------------------------
# Helpers


def horner(coefficients, x):
    """The polynomial's value at x; coefficients have the highest degree first, and each degree takes one fma."""
    value = fma(coefficients[0], x, coefficients[1])
    for c in coefficients[2:]:
        value = fma(value, x, c)
    return value


def _bits(x):
    """The bits of x as unsigned integers of its width."""
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))


def _as_real(bits):
    """The numbers with these bits."""
    return bits.view(np.dtype(f"f{bits.dtype.itemsize}"))
