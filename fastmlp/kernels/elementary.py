"""exp, log, sigmoid, normal_cdf and so on of a register: the twin of `fastmlp/reference/elementary.py`, line by line.

The functions are copied into the kernels that use them. The kernels here run them over an array, so that tests and
benchmarks can get at each.
"""

from fastmlp.kernels.memory import load, store
from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.simd import (
    HALF,
    INFINITY,
    MINUS_INFINITY,
    NAN,
    absolute,
    alike,
    bits,
    equal,
    fma,
    from_bits,
    greater,
    helper,
    horner,
    lanes,
    less,
    negative,
    select,
)
from fastmlp.reference import elementary as reference
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
    Constant,
)

SIGMOID_HIGHEST = Constant(-EXP_LOWEST.float32, -EXP_LOWEST.float64)
MINUS_SCALE_DOWN = Constant(-SCALE_DOWN.float32, -SCALE_DOWN.float64)
MINUS_DENSITY = Constant(-NORMAL_DENSITY.float32, -NORMAL_DENSITY.float64)
MINUS_HALF = Constant(-HALF.float32, -HALF.float64)
EXPM1_LOWEST = Constant(-TANH_HIGHEST.float32, -TANH_HIGHEST.float64)
# their difference wraps around, as in the reference
BITS_TO_SQRT_HALF = Constant(ONE_BITS.float32 - SQRT_HALF_BITS.float32, ONE_BITS.float64 - SQRT_HALF_BITS.float64)

# ---------------------------------------------------------------------------------------------------------
# exp


@helper
def exp(x):
    """e^x."""
    x = select(greater(x, EXP_HIGHEST), EXP_HIGHEST, x)
    x = select(less(x, EXP_LOWEST), EXP_LOWEST, x)
    below = less(x, 0)
    magic = select(below, alike(x, MAGIC_EXPONENT_UP), MAGIC_EXPONENT_DOWN)
    scale = select(below, alike(x, SCALE_DOWN), SCALE_UP)
    return scaled_exp(x, magic, scale)


@helper
def exp_nonpositive(x):
    """e^x for x <= 0 or NaN: the bits of exp."""
    x = select(less(x, EXP_LOWEST), EXP_LOWEST, x)
    return scaled_exp(x, MAGIC_EXPONENT_UP, SCALE_DOWN)


@helper
def expm1_nonpositive(x):
    """e^x - 1 for x <= 0 or NaN."""
    x = select(less(x, EXPM1_LOWEST), EXPM1_LOWEST, x)
    power, r_high, p_low = power_and_rest(x, MAGIC_EXPONENT)
    n, n_low = exp_less_one(power, r_high, p_low)
    return n + n_low


@helper
def exp_less_one(power, r_high, p_low):
    """n + n_low = (2^k - 1) + 2^k (r_high + p_low)."""
    rest = power - 1
    n = fma(r_high + p_low, power, rest)
    return n, fma(p_low, power, fma(r_high, power, rest - n))


@helper
def scaled_exp(x, magic, scale):
    power, r_high, p_low = power_and_rest(x, magic)
    return fma(r_high + p_low, power, power) * scale


@helper
def power_and_rest(x, magic):
    """power = 2^k (times what `magic` says), and 1 + r_high + p_low = e^x / 2^k."""
    power, k, r_high = reduced(x, magic)
    return power, r_high, rest(r_high, k * LN2_LO)


@helper
def reduced(x, magic):
    """2^k (times what `magic` says), -k, and r_high = x - k LN2_HI."""
    t = fma(x, LOG2_E, magic)
    power = from_bits(bits(t) << MANTISSA_BITS)
    k = negative(t - magic)
    return power, k, fma(k, LN2_HI, x)


@helper
def rest(r_high, r_low):
    """r_low + r^2 q(r), r = r_high + r_low."""
    r = r_high + r_low
    return fma(r * r, horner(r, EXP_POLYNOMIAL), r_low)


# ---------------------------------------------------------------------------------------------------------
# sigmoid and tanh


@helper
def sigmoid(x):
    """1 / (1 + e^-x)."""
    t = absolute(x)
    t = select(greater(t, SIGMOID_HIGHEST), SIGMOID_HIGHEST, t)
    power, r_high, p_low = power_and_rest(t, MAGIC_EXPONENT_DOWN)
    p = r_high + p_low
    e = fma(p, power, power)
    e_low = fma(p, power, power - e)
    high = SCALE_DOWN + e
    low = (SCALE_DOWN - (high - e)) + e_low
    s = 1 / high
    s = fma(s, reciprocal_error(s, high, low), s)
    # the reference's 1 - s: a product with a power of two is exact, or else too small to tell
    return select(less(x, 0), s * SCALE_DOWN, fma(s, MINUS_SCALE_DOWN, 1))


@helper
def tanh(x):
    """tanh(x) = n / (2 + n) with n = e^2|x| - 1, and the sign of x."""
    sign = bits(x) & SIGN_MASK
    t = absolute(x) * 2
    t = select(greater(t, TANH_HIGHEST), TANH_HIGHEST, t)
    power, r_high, p_low = power_and_rest(t, MAGIC_EXPONENT)
    n, n_low = exp_less_one(power, r_high, p_low)
    high = 2 + n
    low = (n - (high - 2)) + n_low
    y = 1 / high
    y = fma(n, y, y * fma(n, reciprocal_error(y, high, low), n_low))
    return from_bits(bits(y) | sign)


@helper
def reciprocal_error(y, high, low):
    """e with 1 / (high + low) = y (1 + e), nearly, for y = 1 / high."""
    return fma(negative(y), low, fma(negative(y), high, 1))


# ---------------------------------------------------------------------------------------------------------
# The standard normal distribution


@helper
def normal_cdf(x):
    """Phi(x)."""
    t = absolute(x)
    tail, _ = normal_tail(select(greater(t, NORMAL_HIGHEST), NORMAL_HIGHEST, t))
    tail = tail * SCALE_DOWN
    return select(less(x, 0), tail, 1 - tail)


@helper
def normal_tail(t):
    """Phi(-t) and Phi(-t) - t phi(t), both SCALE_UP times as large, for t from 0 to NORMAL_HIGHEST or NaN."""
    half = t * MINUS_HALF
    square = half * t
    power, k, r_high = reduced(square, MAGIC_EXPONENT_UP)
    p_low = rest(r_high, fma(k, LN2_LO, fma(half, t, negative(square))))

    u = (t - NORMAL_CENTRE) / (t + NORMAL_CENTRE)
    slant = horner(u, NORMAL_POLYNOMIAL)
    n = fma(slant, u, NORMAL_MIDDLE)
    n_low = fma(slant, u, NORMAL_MIDDLE - n)
    s = t + NORMAL_SHIFT
    s_low = t - (s - NORMAL_SHIFT)
    y = 1 / s
    q = n * y
    q_low = (fma(negative(q), s_low, fma(negative(q), s, n)) + n_low) * y

    less_density = fma(t, MINUS_DENSITY, q) + q_low
    tail = q + fma(r_high, q, fma(p_low, q, fma(r_high, q_low, q_low)))
    return tail * power, fma(r_high + p_low, less_density, less_density) * power


# ---------------------------------------------------------------------------------------------------------
# log


@helper
def log(x):
    """The natural logarithm."""
    small = less(x, MIN_NORMAL)
    exponent, f = split(select(small, x * SCALE_UP, x))
    k = exponent - select(small, alike(x, MAGIC_EXPONENT_UP), MAGIC_EXPONENT)
    y = log_sum(k, f, f / (f + 2), k * LN2_LO)
    y = select(greater(x, 0), y, select(equal(x, 0), alike(x, MINUS_INFINITY), NAN))
    return select(equal(x, INFINITY), x, y)


@helper
def log1p(x):
    """log(1 + x) for x >= 0, or NaN."""
    u = 1 + x
    c = x - (u - 1)
    exponent, f = split(u)
    k = exponent - MAGIC_EXPONENT
    twice = from_bits((EXPONENT_LIMIT - bits(exponent)) << MANTISSA_BITS)
    s = f / (f + 2)
    y = log_sum(k, f, s, fma(k, LN2_LO, (c * twice) * (HALF - s)))
    return select(less(x, INFINITY), y, x)


@helper
def split(x):
    """exponent = k + MAGIC_EXPONENT and f, with x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)."""
    b = bits(x) + BITS_TO_SQRT_HALF
    exponent = from_bits((b >> MANTISSA_BITS) | MAGIC_BITS)
    m = from_bits((b & MANTISSA_MASK) + SQRT_HALF_BITS)
    return exponent, m - 1


@helper
def log_sum(k, f, s, low):
    """k ln 2 + log(1 + f) + low (which holds k LN2_LO)."""
    z = s * s
    half_square = (f * HALF) * f
    tail = fma(z, horner(z, LOG_POLYNOMIAL), half_square)
    return fma(k, LN2_HI, f - (half_square - fma(s, tail, low)))


# ---------------------------------------------------------------------------------------------------------
# Over an array


@kernel(reference.exp)
def map_exp(x: Floats, y: Floats, count: Int):
    """y = e^x. Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, exp(load(x, i)))


@kernel(reference.exp_nonpositive)
def map_exp_nonpositive(x: Floats, y: Floats, count: Int):
    """y = e^x for x <= 0. Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, exp_nonpositive(load(x, i)))


@kernel(reference.expm1_nonpositive)
def map_expm1_nonpositive(x: Floats, y: Floats, count: Int):
    """y = e^x - 1 for x <= 0. Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, expm1_nonpositive(load(x, i)))


@kernel(reference.log)
def map_log(x: Floats, y: Floats, count: Int):
    """y = log(x). Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, log(load(x, i)))


@kernel(reference.log1p)
def map_log1p(x: Floats, y: Floats, count: Int):
    """y = log(1 + x) for x >= 0. Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, log1p(load(x, i)))


@kernel(reference.normal_cdf)
def map_normal_cdf(x: Floats, y: Floats, count: Int):
    """y = Phi(x). Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, normal_cdf(load(x, i)))


@kernel(reference.sigmoid)
def map_sigmoid(x: Floats, y: Floats, count: Int):
    """y = 1 / (1 + e^-x). Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, sigmoid(load(x, i)))


@kernel(reference.tanh)
def map_tanh(x: Floats, y: Floats, count: Int):
    """y = tanh(x). Writes whole registers."""
    for i in range(0, count, lanes(x)):
        store(y, i, tanh(load(x, i)))
