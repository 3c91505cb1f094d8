"""Learning rates as functions of time, in float64. These functions define the bits of the rates.

Imports NumPy only. Both backends call this file; there is no fast twin. t (T,) is the time in epochs since the schedule
began: 0 or more, with fractions. All other arguments are numbers. The functions use + - * /, floor, frexp, comparison,
selection, `elementary.exp` and `elementary.log`. They use no fma, which is slow in NumPy and not needed here.
"""

import numpy as np

from fastmlp.reference import constants
from fastmlp.reference.elementary import exp, log

LOG2_E = constants.LOG2_E.float64

# The Taylor series (1 - cos(pi g)) / 2 = sum over k = 1, 2, ... of (-1)^(k+1) pi^(2k) / (2 (2k)!) z^k, z = g^2 <= 1/4:
# the coefficients from k = 11 down to k = 1. The last one is reduced by 2, since 2 z is added separately. The terms
# that are left out are below 1e-19.
SERIES = (
    3.850353565300677e-11,
    -1.8023653987312506e-09,
    6.939476231106886e-08,
    -2.1515347935164736e-06,
    5.231905246242285e-05,
    -0.0009647871547019616,
    0.01290344569500703,
    -0.1176653151794466,
    0.6676313844272947,
    -2.0293560632083842,
    0.46740110027233966,
)
TOP_BITS = np.uint64(0xFFFFFFFFF8000000)  # keeps 26 of a float64's 53 bits, whose square is exact


def step(t, learning_rate, every, factor):
    """learning_rate * factor^floor(t / every)."""
    return learning_rate * power(factor, np.floor(t / every))


def exponential(t, learning_rate, factor):
    """learning_rate * factor^t."""
    return learning_rate * power(factor, t)


def inverse_scaling(t, learning_rate, exponent):
    """learning_rate / (1 + t)^exponent."""
    return learning_rate / power(1.0 + t, exponent)


def cosine(t, learning_rate, epochs, floor):
    """Half a cosine from learning_rate at t = 0 to floor at t = epochs, and floor from there on."""
    return blend(learning_rate, floor, half_cosine(np.minimum(t, epochs) / epochs))


def one_cycle(t, peak, epochs, warm_up, start_factor, end_factor):
    """Half a cosine from `start` up to peak at t = top, another one down to `end` at t = epochs, then `end`.

    start = peak * start_factor, end = start * end_factor, top = warm_up * epochs.
    """
    start = peak * start_factor
    end = start * end_factor
    top = warm_up * epochs
    rises = t < top
    with np.errstate(all="ignore"):  # in quotients that are not selected
        f = np.where(rises, t / top, np.where(t < epochs, (t - top) / (epochs - top), 1.0))
    h = half_cosine(f)
    return np.where(rises, blend(start, peak, h), blend(peak, end, h))


def flat_cosine(t, learning_rate, epochs, flat, floor):
    """learning_rate up to t = flat * epochs, then half a cosine down to floor at t = epochs, and then floor."""
    start = flat * epochs
    with np.errstate(all="ignore"):  # in quotients that are not selected
        f = np.where(t < epochs, (t - start) / (epochs - start), 1.0)
    return blend(learning_rate, floor, half_cosine(np.where(t > start, f, 0.0)))


def cosine_log(t, learning_rate, epochs, cycles):
    """learning_rate (1 - cos(2 pi u)) / 2 with u = log2(1 + (2^cycles - 1) t / epochs) up to t = epochs, and then 0.

    Each cycle of u, from one whole number to the next, takes twice as long as the one before. 1 + (2^cycles - 1) f =
    2^k m with 1 <= m < 2 gives the fraction of the cycle, log(m) * LOG2_E, so that the ends of cycles are exact.
    """
    m, _ = np.frexp(1.0 + (power(2.0, float(cycles)) - 1.0) * (np.minimum(t, epochs) / epochs))
    done = np.minimum(log(m * 2.0) * LOG2_E, 1.0)
    return learning_rate * half_cosine(np.abs(1.0 - 2.0 * done))


def warm_up(t, epochs, start, learning_rate):
    """The straight line from start * learning_rate at t = 0 to learning_rate at t = epochs, for t in between."""
    return blend(learning_rate, start * learning_rate, t / epochs)


# ---------------------------------------------------------------------------------------------------------
# Building blocks


def blend(a, b, h):
    """a * h + b * (1 - h): exactly a for h = 1, and exactly b for h = 0."""
    return a * h + b * (1.0 - h)


def power(base, exponent):
    """base^exponent for base > 0, exponent >= 0, broadcast: by squaring for integer exponents, else by exp and log."""
    base, exponent = np.broadcast_arrays(base, exponent)
    whole = exponent == np.floor(exponent)
    with np.errstate(all="ignore"):
        result = _whole_power(base, np.where(whole, exponent, 0.0))
        return result if whole.all() else np.where(whole, result, exp(exponent * log(base)))


def _whole_power(base, n):
    """base^n for integers n >= 0: from 1, times base^(2^i) for each bit i of n that is set, the lowest first."""
    result = np.ones(base.shape)
    while n.any():
        half = np.floor(n / 2)
        result = np.where(n != 2 * half, result * base, result)
        base = base * base
        n = half
    return result


def half_cosine(f):
    """(1 + cos(pi f)) / 2 for f from 0 to 1: exactly 1, 1/2 and 0 at 0, 1/2 and 1, and within 1 ulp elsewhere.

    Let g = min(f, 1 - f), which is exact, and s = (1 - cos(pi g)) / 2. The result is 1 - s up to f = 1/2, and s from
    there on. s = 2 z + z q(z) with z = g^2 = square + rest. square is the square of g's first 26 bits, which is exact;
    what is added to it is small.
    """
    late = f > 0.5
    g = np.where(late, 1.0 - f, f)
    first = (g.view(np.uint64) & TOP_BITS).view(np.float64)
    square = first * first
    rest = (g - first) * (g + first)
    z = square + rest
    q = SERIES[0]
    for c in SERIES[1:]:
        q = q * z + c
    s = 2.0 * square + (2.0 * rest + z * q)
    return np.where(late, s, 1.0 - s)
