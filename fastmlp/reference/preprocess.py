"""What is done to a table's columns before the network sees them. Imports NumPy and the reference's sums only.

All of it is float64, whatever the network's dtype: a float32 network takes the result rounded once. The fast twins are
in `fastmlp/kernels/preprocess.py`. x (N, K) are N rows of K columns, without NaN unless a function says so.
"""

import numpy as np

from fastmlp.reference.arithmetic import row_sum

# A column whose deviation is at most this times its largest absolute value is constant but for rounding. 0.3 and
# 0.1 * 3 are one unit in the last place apart, fractions that add up to 1 a few, and a running sum of 1000 terms some
# 20: 2^-46 is 64 units of a float64.
CONSTANT = 2.0**-46
# Of a column of float32 numbers, which have been rounded to 24 bits: two units. Whole numbers are not such a column:
# small ones are exact in float32, and 5000000 and 5000001 differ.
CONSTANT_SINGLE = 2.0**-22
CLIPPED = 2.0**500  # robustly scaled numbers are as good as infinite from here on


def median(values):
    """The median of values (N,): the middle one in ascending order, or half of one middle value + half of the other."""
    ordered = np.sort(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle] + 0.0  # -0 becomes 0: which of them is in the middle, an order does not say
    return ordered[middle - 1] * 0.5 + ordered[middle] * 0.5 + 0.0


def quartile(values, number):
    """The first, second or third quartile (`number`) of values (N,): N - 1 places divided into four, linearly.

    With a and b at places i = floor((N - 1) number / 4) and i + 1 in ascending order, and t the remainder of that
    division / 4: (1 - t) a + t b, each product and the sum rounded; a alone where t is 0.
    """
    ordered = np.sort(values)
    at, rest = divmod((len(ordered) - 1) * number, 4)
    if not rest:
        return ordered[at] + 0.0  # -0 becomes 0, as in `median`
    t = rest / 4
    return ordered[at] * (1 - t) + ordered[at + 1] * t + 0.0


def robust_spread(low, high, least, largest, single=False):
    """What columns are divided by (K,): the distance of their quartiles; where it is 0, half of that of their extremes.

    low, high: first and third quartiles (K,). least, largest: the least and the largest value (K,). single (K,): which
    columns are `singles`. A distance of at most CONSTANT, or for these CONSTANT_SINGLE, times the larger absolute value
    of the two counts as 0. 0 of a constant column.
    """
    rounding = np.where(single, CONSTANT_SINGLE, CONSTANT)
    inner = distance(low, high, rounding)
    return np.where(inner > 0, inner, distance(least, largest, rounding) * 0.5)


def distance(low, high, rounding):
    """high - low (K,), and 0 where it is at most `rounding` times the larger absolute value of the two."""
    found = high - low
    return np.where(found <= rounding * np.maximum(np.abs(low), np.abs(high)), 0.0, found)


def singles(x):
    """Which columns have been rounded to float32: all rows are float32 numbers, and not all whole. (N, K) -> (K,)."""
    return (x == x.astype(np.float32)).all(axis=0) & ~(x == np.floor(x)).all(axis=0)


def smoothly_clipped(x, centre, spread):
    """t / sqrt(1 + (t / 3)^2) with t = (x - centre) / spread; 0 in columns of spread 0. (N, K) -> (N, K).

    Nearly t for small t, and between -3 and 3 for all. t beyond CLIPPED is taken for that: its square is finite.
    Holzmueller, Grinsztajn and Steinwart, Better by default (NeurIPS 2024), section 3.
    """
    varies = spread > 0
    t = (x - centre) / np.where(varies, spread, 1.0)
    t = np.where(t > CLIPPED, CLIPPED, np.where(t < -CLIPPED, -CLIPPED, t))
    part = t / 3.0
    return np.where(varies, t / np.sqrt(part * part + 1.0), 0.0)


def clipped(values, least, largest):
    """values (N, J) where they lie between least and largest (J,), and the nearer of the two elsewhere."""
    return np.where(values < least, least, np.where(values > largest, largest, values))


def filled(values, value):
    """values (N,) with `value` where they are NaN -> (N,); and flags: 1 where they were NaN, else 0 -> (N,)."""
    missing = np.isnan(values)
    return np.where(missing, value, values), missing.astype(values.dtype)


def one_hot(codes, count):
    """Rows (N, count): 1 in column codes[n] of row n, else 0. A code below 0, or of count or more, gives zeros only."""
    return (codes[:, None] == np.arange(count)).astype(np.float64)


def mean(x):
    """The mean of each column: the sum over rows (`row_sum`), divided by N. (N, K) -> (K,)."""
    return row_sum(x) / len(x)


def deviation(x, mean):
    """The standard deviation of each column: the root of the mean of (x - mean)^2. (N, K) -> (K,).

    It is 0 where all rows are equal, which a deviation from a rounded mean does not show, and where it is at most
    CONSTANT times the column's largest absolute value; CONSTANT_SINGLE of `singles`.
    """
    distance = x - mean
    found = np.sqrt(row_sum(distance * distance) / len(x))
    equal = (x == x[0]).all(axis=0)
    least = np.where(singles(x), CONSTANT_SINGLE, CONSTANT)
    return np.where(equal | (found <= least * np.abs(x).max(axis=0)), 0.0, found)


def standardised(x, mean, deviation):
    """(x - mean) / deviation, and 0 in columns of deviation 0. (N, K) -> (N, K)."""
    varies = deviation > 0
    return np.where(varies, (x - mean) / np.where(varies, deviation, 1.0), 0.0)


def unstandardised(z, mean, deviation):
    """z * deviation + mean, rounded twice: what `standardised` made z of, except for rounding. (N, K) -> (N, K)."""
    return z * deviation + mean
