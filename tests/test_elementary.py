"""exp, log, log1p, sigmoid and tanh against mpmath: at most 1 ulp off anywhere. `pytest -s` prints the worst of each.

float32 results are compared with float64 ones from NumPy's own functions (their error is 2^-28 of a float32 ulp), the
worst of which mpmath confirms; float64 results with mpmath's.
"""

import mpmath
import numpy as np
import pytest

from fastmlp.reference import elementary
from fastmlp.reference.constants import SQRT_HALF

DTYPES = (np.float32, np.float64)
POINTS = {np.float32: 300_000, np.float64: 6_000}  # in each stretch of `arguments`
SPECIAL = {  # function: {argument: result}
    "exp": {0.0: 1.0, -0.0: 1.0, np.inf: np.inf, -np.inf: 0.0, 1e4: np.inf, -1e4: 0.0},
    "exp_nonpositive": {0.0: 1.0, -0.0: 1.0, -np.inf: 0.0, -1e4: 0.0},
    "sigmoid": {0.0: 0.5, -0.0: 0.5, np.inf: 1.0, -np.inf: 0.0, 1e4: 1.0, -1e4: 0.0},
    "tanh": {0.0: 0.0, -0.0: -0.0, np.inf: 1.0, -np.inf: -1.0, 1e30: 1.0, -1e30: -1.0, 20.0: 1.0, -20.0: -1.0},
    "log": {0.0: -np.inf, -0.0: -np.inf, 1.0: 0.0, np.inf: np.inf, -np.inf: np.nan, -1.0: np.nan, -1e-40: np.nan},
    "log1p": {0.0: 0.0, np.inf: np.inf},
}


# ---------------------------------------------------------------------------------------------------------
# The truth


def mp_sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def np_sigmoid(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


TRUTH = {
    "exp": (mpmath.exp, np.exp),
    "exp_nonpositive": (mpmath.exp, np.exp),
    "sigmoid": (mp_sigmoid, np_sigmoid),
    "tanh": (mpmath.tanh, np.tanh),
    "log": (mpmath.log, np.log),
    "log1p": (mpmath.log1p, np.log1p),
}


def true_pair(name, x):
    """The true f(x) as high + low, two float64 arrays: low is what high lacks (0 for float32 x)."""
    exact, approximate = TRUTH[name]
    if x.dtype == np.float32:
        with np.errstate(all="ignore"):
            return approximate(x.astype(np.float64)), np.zeros(x.shape)
    values = [exact(mpmath.mpf(v)) for v in x.tolist()]
    high = np.array([float(v) for v in values])
    low = [float(v - h) if np.isfinite(h) else 0.0 for v, h in zip(values, high.tolist(), strict=True)]
    return high, np.array(low)


def ulps(result, high, low):
    """|result - (high + low)| in units in the last place of the true value; 0 where both are the same infinity."""
    info = np.finfo(result.dtype)
    result = result.astype(np.float64)
    with np.errstate(all="ignore"):
        exponent = np.maximum(np.frexp(high)[1] - 1, info.minexp)
        # A subnormal `high` of float64 is short of digits, and so is a `low` near it: scale both before they meet.
        shift = info.nmant - exponent
        error = np.abs(np.ldexp(np.ldexp(result - high, shift // 2) - np.ldexp(low, shift // 2), shift - shift // 2))
        overflow = np.isinf(result) & (high >= float(info.max) * (1 + float(info.epsneg) / 2)) & (result > 0)
    return np.where((result == high) & np.isinf(high) | overflow, 0.0, error)


def arguments(name, dtype, seed=0):
    """Arguments all over the function's domain, and many near the edges of its reduction."""
    random = np.random.default_rng(seed)
    n = POINTS[dtype]
    info = np.finfo(dtype)
    lowest = -105.0 if dtype == np.float32 else -746.0
    highest = np.log(float(info.max))
    ln2 = np.log(2.0)
    k = random.integers(int(lowest / ln2), int(highest / ln2), n)
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    everything = random.integers(0, np.iinfo(bits).max, n, dtype=bits, endpoint=True).view(dtype)
    everything = everything[np.isfinite(everything)]
    sqrt_half = float(SQRT_HALF[dtype])
    stretches = [everything, random.uniform(-2, 2, n), 2.0 ** random.uniform(-30, 3, n)]
    if name in ("log", "log1p"):
        scale = 2.0 ** random.integers(info.minexp, info.maxexp - 1, n)
        stretches += [
            random.uniform(0.5, 2, n),
            random.uniform(0, 10, n),
            random.uniform(0.99, 1.01, n) * sqrt_half,
            random.uniform(0.99, 1.01, n) * 2 * sqrt_half,
            random.uniform(0.99, 1.01, n) * sqrt_half * scale,
            random.uniform(0.4, 0.43, n),  # log1p: from here on k = 1
            info.smallest_subnormal * random.integers(1, 2**20, n),
        ]
    else:
        stretches += [
            random.uniform(lowest, highest, n),
            random.uniform(-0.5, 0.5, n) * ln2 + k * ln2,
            (k + 0.5) * ln2 + random.normal(0, 0.01, n),  # k changes
            random.uniform(lowest, lowest + 40, n),  # subnormal results
            random.uniform(-20, 20, n),
            random.uniform(0.17, 0.18, n),  # tanh: from here on k = 1
            info.smallest_subnormal * random.integers(1, 2**20, n),
        ]
    x = np.concatenate([np.asarray(s).astype(dtype) for s in stretches])
    if name in ("log", "log1p"):
        x = np.abs(x)
        x = x[x > 0]
    if name == "exp_nonpositive":
        x = -np.abs(x)
    return x


# ---------------------------------------------------------------------------------------------------------
# Tests


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "log", "log1p"])
def test_at_most_one_ulp(name, dtype):
    x = arguments(name, dtype)
    y = getattr(elementary, name)(x)
    assert y.dtype == dtype
    error = ulps(y, *true_pair(name, x))
    worst = int(np.argmax(error))
    print(f"\n{name}, {np.dtype(dtype).name}: {error[worst]:.4f} ulp at {x[worst]!r} ({x.size} points)")
    exact = TRUTH[name][0](mpmath.mpf(float(x[worst])))
    high = float(exact)
    confirmed = ulps(y[worst : worst + 1], np.array([high]), np.array([float(exact - high)]))
    np.testing.assert_allclose(confirmed, error[worst], atol=1e-6)
    assert error[worst] <= 1.0


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0625, 0.125), (8.0, 8.5), (59.0, 60.0), (100.0, 104.0)])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "log", "log1p"])
def test_every_float32(name, low, high):
    """Every 3rd float32 number of a stretch, and its negative."""
    first, last = np.array([low, high], np.float32).view(np.uint32)
    x = np.arange(first, last, 3, dtype=np.uint32)[:700_000].view(np.float32)
    x = x if name in ("log", "log1p") else np.concatenate([x, -x])
    assert ulps(getattr(elementary, name)(x), *true_pair(name, x)).max() <= 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_nonpositive_has_the_bits_of_exp(dtype):
    x = np.append(arguments("exp_nonpositive", dtype), np.array([0.0, -0.0, -np.inf, -1e30], dtype))
    np.testing.assert_array_equal(bits(elementary.exp_nonpositive(x)), bits(elementary.exp(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype):
    function = getattr(elementary, name)
    for argument, expected in SPECIAL[name].items():
        result = function(np.array([argument], dtype))
        assert result.dtype == dtype
        if np.isnan(expected):
            assert np.isnan(result[0]), argument
        else:
            np.testing.assert_array_equal(bits(result), bits(np.array([expected], dtype)), err_msg=f"at {argument}")
    nans = np.array([np.nan, -np.nan], dtype)
    assert np.isnan(function(nans)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_overflow_and_underflow_edges(dtype):
    info = np.finfo(dtype)
    largest = dtype(mpmath.log(float(info.max)))
    largest = largest if mpmath.exp(float(largest)) <= float(info.max) else np.nextafter(largest, dtype(0))
    # half of the smallest subnormal: below it, e^x is 0
    smallest = dtype(float(mpmath.log(mpmath.mpf(float(info.smallest_subnormal)))))
    y = elementary.exp(np.array([largest, largest + dtype(0.01), smallest, smallest - dtype(0.8)], dtype))
    assert np.isfinite(y[0])
    assert np.isposinf(y[1])
    assert y[2] == info.smallest_subnormal
    assert y[3] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_odd(dtype):
    x = arguments("tanh", dtype)
    np.testing.assert_array_equal(bits(elementary.tanh(-x)), bits(-elementary.tanh(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "log", "log1p"])
def test_the_checker_sees_two_ulps(name, dtype):
    """Planted fault: one result, moved by two units in the last place, subnormal or not."""
    x = arguments(name, dtype, seed=1)[::37][:2000]
    y = getattr(elementary, name)(x)
    keep = np.isfinite(y) & (y != 0)
    x, y = x[keep], y[keep]
    high, low = true_pair(name, x)
    moved = (y.view(bits(y).dtype) + 2).view(dtype)
    keep = np.isfinite(moved)
    # Less 0.5 + 0.5: the result may be off by one ulp the other way, and an ulp halves below a power of two.
    assert (ulps(y, high, low) <= 1.0).all()
    assert (ulps(moved, high, low)[keep] >= 1.0).all()
    assert (ulps(moved, high, low)[keep] > 1.0).mean() > 0.999


def bits(x):
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))
