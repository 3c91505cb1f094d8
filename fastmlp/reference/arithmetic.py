"""The arithmetic that everything else is built on: fused multiply-add, and sums over rows.

Imports NumPy only. The fast twins of `row_sum` and `row_products` are in `fastmlp/kernels/dense.py`. The twin of `fma`
is the processor's own instruction (`fastmlp/kernels/simd.py`).
"""

from fractions import Fraction

import numpy as np

CHUNK = 512  # rows; each chunk is summed by itself, and the chunks' sums in a binary tree
LINE = 64  # bytes; the lanes of a sum fill one line: 8 lanes of float64, 16 of float32


def lanes(dtype):
    """Returns the number of lanes V in a sum over rows: 8 for float64, 16 for float32."""
    return LINE // np.dtype(dtype).itemsize


# ---------------------------------------------------------------------------------------------------------
# Fused multiply-add


def fma(a, b, c):
    """Fused multiply-add: a * b + c, rounded once (to nearest, ties to even), elementwise.

    NumPy has no such operation. It is computed exactly from the operations that NumPy has.

    Parameters
    ----------
    a, b, c : array, float32 or float64
        All of one dtype; they are broadcast. NaN and infinities follow IEEE-754.

    Returns
    -------
    ndarray of the broadcast shape and the same dtype

    References
    ----------
    Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE
    Transactions on Computers 57(4), 2008.
    """
    a, b, c = np.broadcast_arrays(a, b, c)
    with np.errstate(all="ignore"):
        if a.dtype == np.float32:
            return _fma32(a, b, c)
        return _fma64(a, b, c)


def _fma32(a, b, c):
    """fma of float32 arrays of one shape."""
    # The product of two float32 is exact in float64. The float64 sum is rounded to odd, so that the second rounding,
    # to float32, is right, too (Boldo and Melquiond 2008, theorem 2).
    product = a.astype(np.float64) * b.astype(np.float64)
    return _add_to_odd(product, c.astype(np.float64)).astype(np.float32)


def _fma64(a, b, c):
    """fma of float64 arrays of one shape."""
    # Boldo and Melquiond 2008: exact product, exact sum, one rounding to odd.
    product, product_error = _two_product(a, b)
    high, high_error = _two_sum(c, product_error)
    value, value_error = _two_sum(product, high)
    result = value + _add_to_odd(high_error, value_error)
    # The error-free steps are valid where nothing overflows and no error term underflows. A product that is exactly 0
    # or not finite has no error term. The few other cases are computed in rational arithmetic.
    size, other = np.abs(product), np.abs(c)
    factors = np.maximum(np.abs(a), np.abs(b))
    trivial = (a == 0) | (b == 0) | ~np.isfinite(a) | ~np.isfinite(b)
    safe = (size > 2.0**-900) & (size < 2.0**1000) & (factors < 2.0**990) & (other < 2.0**1000)
    safe &= (other == 0) | (other > 2.0**-900)
    result = np.where(trivial, a * b + c, result)
    slow = ~trivial & ~safe
    if slow.any():
        result[slow] = [_fma_exact(x, y, z) for x, y, z in zip(a[slow], b[slow], c[slow], strict=True)]
    return result


def _fma_exact(a, b, c):
    """fma of finite, nonzero float64 numbers a and b, in rational arithmetic."""
    if not np.isfinite(c):
        return c
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return a * 0.0 * b + c if c == 0 else np.float64(0.0)
    try:
        value = exact.numerator / exact.denominator  # Python rounds this quotient correctly
    except OverflowError:
        return np.float64(np.inf if exact > 0 else -np.inf)
    return np.float64(value) if value else np.copysign(np.float64(0.0), 1.0 if exact > 0 else -1.0)


def _two_sum(a, b):
    """Returns s and e with s = a + b, rounded, and s + e = a + b exactly (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a, b):
    """Returns p and e with p = a * b, rounded, and p + e = a * b exactly (Dekker); float64."""
    p = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def _split(a):
    """Splits a float64 into two halves of at most 26 bits each: a = high + low exactly (Veltkamp)."""
    t = 134217729.0 * a  # 2**27 + 1 (Veltkamp)
    high = t - (t - a)
    return high, a - high


def _add_to_odd(a, b):
    """Returns a + b in float64, rounded to odd: if the sum is inexact, its neighbour whose last bit is 1."""
    s, e = _two_sum(a, b)
    bits = s.view(np.int64)
    inexact_and_even = (e != 0) & ((bits & 1) == 0) & np.isfinite(s)
    towards_e = np.where((e > 0) == (s > 0), 1, -1)
    return np.where(inexact_and_even, bits + towards_e, bits).view(np.float64)


# ---------------------------------------------------------------------------------------------------------
# Sums over rows


def row_sum(x):
    """The sum over rows of x (N, ...). -> (...).

    Chunks of 512 rows are summed in lanes, lanes by halves, and the chunks' sums in a binary tree.
    """
    return tree([_lane_sums(x[start : start + CHUNK]) for start in range(0, len(x), CHUNK)])


def row_products(a, d):
    """The sum over rows n of a[n, k] * d[n, j]. a: (N, K), d: (N, J) -> (K, J).

    The order is that of `row_sum`, and each product is added by fma.
    """
    starts = range(0, len(a), CHUNK)
    return tree([_lane_products(a[start : start + CHUNK], d[start : start + CHUNK]) for start in starts])


def _lane_sums(x):
    """The sum of one chunk (N, ...): lane v adds rows v, v + V, v + 2V ... in this order, from +0; then lanes fold."""
    v = lanes(x.dtype)
    total = np.zeros((v, *x.shape[1:]), x.dtype)
    for start in range(0, len(x), v):
        rows = x[start : start + v]
        total[: len(rows)] = total[: len(rows)] + rows
    return fold(total)


def _lane_products(a, d):
    """The same for the products of one chunk, a (N, K) and d (N, J), each added by fma."""
    v = lanes(a.dtype)
    total = np.zeros((v, a.shape[1], d.shape[1]), a.dtype)
    for start in range(0, len(a), v):
        x, y = a[start : start + v], d[start : start + v]
        total[: len(x)] = fma(x[:, :, None], y[:, None, :], total[: len(x)])
    return fold(total)


def fold(x):
    """The sum of the lanes x (V, ...), by halves: lane v becomes lane v + lane (v + V/2), and so on. -> (...)."""
    while len(x) > 1:
        half = len(x) // 2
        x = x[:half] + x[half:]
    return x[0]


def tree(chunks):
    """The sum of the chunks' results: in pairs, then in pairs of pairs. An odd one at the end moves up unchanged."""
    while len(chunks) > 1:
        pairs = [x + y for x, y in zip(chunks[0::2], chunks[1::2], strict=False)]
        chunks = pairs + chunks[2 * len(pairs) :]
    return chunks[0]
