"""exp, log, log1p, sigmoid and tanh against mpmath: at most 1 ulp off anywhere; normal_cdf, gelu_erf and mish: a few.

float32 results are compared with float64 ones from NumPy's own functions (their error is 2^-28 of a float32 ulp), the
worst of which mpmath confirms; float64 results, and the normal distribution's, with mpmath's. `pytest -s` prints the
worst of each.
"""

import mpmath
import numpy as np
import pytest

from fastmlp.reference import activations, elementary
from fastmlp.reference.constants import NORMAL_HIGHEST, SQRT_HALF

DTYPES = (np.float32, np.float64)
POINTS = {np.float32: 100_000, np.float64: 4_000}  # in each stretch of `arguments`
INF, NAN = np.inf, np.nan
SPECIAL = {  # function: pairs of argument and result
    "exp": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (1e4, INF), (-1e4, 0.0)],
    "exp_nonpositive": [(0.0, 1.0), (-0.0, 1.0), (-INF, 0.0), (-1e4, 0.0)],
    "expm1_nonpositive": [(0.0, 0.0), (-0.0, 0.0), (-INF, -1.0), (-1e30, -1.0), (-50.0, -1.0)],
    "sigmoid": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e4, 1.0), (-1e4, 0.0)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (1e30, 1.0), (-1e30, -1.0), (20.0, 1.0)],
    "log": [(0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-INF, NAN), (-1.0, NAN), (-1e-40, NAN)],
    "log1p": [(0.0, 0.0), (INF, INF)],
    "normal_cdf": [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e30, 1.0), (-1e30, 0.0), (1e-40, 0.5)],
}


# ---------------------------------------------------------------------------------------------------------
# The truth


def mp_sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def mp_normal_cdf(x):
    x = max(min(x, 100), -100)  # Phi(-100) is 10^-2173, and mpmath's erfc overflows far behind
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def mp_mish_tanh(x):
    return mpmath.tanh(mpmath.log1p(mpmath.exp(x)))


def mp_mish_slope(x):
    t = mp_mish_tanh(x)
    return t + x * (1 - t * t) * mp_sigmoid(x)


def np_sigmoid(x):
    return np.where(x < 0, np.exp(x) / (1 + np.exp(x)), 1 / (1 + np.exp(-x)))


TRUTH = {
    "exp": (mpmath.exp, np.exp),
    "exp_nonpositive": (mpmath.exp, np.exp),
    "expm1_nonpositive": (mpmath.expm1, np.expm1),
    "sigmoid": (mp_sigmoid, np_sigmoid),
    "tanh": (mpmath.tanh, np.tanh),
    "log": (mpmath.log, np.log),
    "log1p": (mpmath.log1p, np.log1p),
    "normal_cdf": (mp_normal_cdf, None),
    "gelu_erf": (lambda x: x * mp_normal_cdf(x), None),
    "gelu_erf_slope": (lambda x: mp_normal_cdf(x) + x * mpmath.npdf(x), None),
    "mish": (lambda x: x * mp_mish_tanh(x), None),
    "mish_slope": (mp_mish_slope, None),
}


def truth(name, x, use_mpmath=False):
    """The true f(x) as (high, rest): a float64 array, and what it lacks, in ulps of x's dtype."""
    exact, approximate = TRUTH[name]
    if x.dtype == np.float32 and not use_mpmath:
        with np.errstate(all="ignore"):
            return approximate(x.astype(np.float64)), np.zeros(x.shape)
    with mpmath.workprec(160):
        values = [exact(mpmath.mpf(v)) for v in x.tolist()]
        high = np.array([float(v) for v in values])
        places = last_place(high, x.dtype).tolist()
        rest = [
            float(mpmath.ldexp(v - h, -place)) if np.isfinite(h) else 0.0
            for v, h, place in zip(values, high.tolist(), places, strict=True)
        ]
    return high, np.array(rest)


def last_place(value, dtype):
    """The exponent of the unit in the last place of a true value, in this dtype; all subnormals share theirs."""
    info = np.finfo(dtype)
    exponent = np.where(value == 0, info.minexp, np.frexp(value)[1] - 1)
    return np.maximum(exponent, info.minexp) - info.nmant


def ulps(result, high, rest):
    """The distance from the truth in units in the last place of the true value; 0 where an infinity is right."""
    info = np.finfo(result.dtype)
    place = last_place(high, result.dtype)
    with np.errstate(all="ignore"):
        difference = result.astype(np.float64) - high
        half = -place // 2  # 2^-place itself may overflow
        error = np.abs(np.ldexp(np.ldexp(difference, half), -place - half) - rest)
        overflow = (result == np.inf) & (high >= float(info.max) * (1 + float(info.epsneg) / 2))
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
    if name.endswith("_nonpositive"):
        x = -np.abs(x)
    return x


# ---------------------------------------------------------------------------------------------------------
# Tests


SLOWER = [DTYPES[1], pytest.param(DTYPES[0], marks=pytest.mark.slow)]  # these bits are in golden.json, too


@pytest.mark.parametrize("dtype", SLOWER)
@pytest.mark.parametrize("name", ["exp", "expm1_nonpositive", "sigmoid", "tanh", "log", "log1p"])
def test_at_most_one_ulp(name, dtype):
    x = arguments(name, dtype)
    y = getattr(elementary, name)(x)
    assert y.dtype == dtype
    error = ulps(y, *truth(name, x))
    worst = int(np.argmax(error))
    print(f"\n{name}, {np.dtype(dtype).name}: {error[worst]:.4f} ulp at {x[worst]!r} ({x.size} points)")
    here = slice(worst, worst + 1)
    confirmed = ulps(y[here], *truth(name, x[here], use_mpmath=True))
    np.testing.assert_allclose(confirmed, error[here], atol=1e-6)
    assert error[worst] <= 1.0


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.0625, 0.125), (8.0, 8.5), (59.0, 60.0), (100.0, 104.0)])
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "log", "log1p"])
def test_every_float32(name, low, high):
    """Every 3rd float32 number of a stretch, and its negative."""
    first, last = np.array([low, high], np.float32).view(np.uint32)
    x = np.arange(first, last, 3, dtype=np.uint32)[:300_000].view(np.float32)
    x = x if name in ("log", "log1p") else np.concatenate([x, -x])
    assert ulps(getattr(elementary, name)(x), *truth(name, x)).max() <= 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_nonpositive_has_the_bits_of_exp(dtype):
    x = np.append(arguments("exp_nonpositive", dtype), np.array([0.0, -0.0, -np.inf, -1e30], dtype))
    np.testing.assert_array_equal(bits(elementary.exp_nonpositive(x)), bits(elementary.exp(x)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name, dtype):
    function = getattr(elementary, name)
    for argument, expected in SPECIAL[name]:
        result = function(np.array([argument], dtype))
        assert result.dtype == dtype
        if np.isnan(expected):
            assert np.isnan(result[0]), argument
        else:
            np.testing.assert_array_equal(bits(result), bits(np.array([expected], dtype)), err_msg=f"at {argument}")
    nans = np.array([np.nan, -np.nan], dtype)
    assert np.isnan(function(nans)).all()


def normal_arguments(dtype, seed=0):
    """Arguments all over normal_cdf's domain, most of them where something happens."""
    random = np.random.default_rng(seed)
    n, end = 4000, float(NORMAL_HIGHEST[dtype])
    words = np.dtype(f"u{np.dtype(dtype).itemsize}")
    everything = random.integers(0, np.iinfo(words).max, n, dtype=words, endpoint=True).view(dtype)
    stretches = [
        everything[np.isfinite(everything)],
        random.uniform(-2, 2, n),
        random.uniform(-1, 0, n),
        random.uniform(-end, 9, n),
        random.uniform(-end - 0.1, -end + 1.5, n),  # subnormal results, and 0
        2.0 ** random.uniform(-30, 3, n) * random.choice([-1, 1], n),
    ]
    return np.concatenate([s.astype(dtype) for s in stretches])


# In ulps, the whole sample's worst. The slope's are of the larger of it, which has a zero near -0.75, and Phi(-|z|).
NORMAL_LIMITS = {"normal_cdf": 1.5, "gelu_erf": 2.5, "gelu_erf_slope": 4.0}


@pytest.mark.parametrize("dtype", SLOWER)
@pytest.mark.parametrize("name", NORMAL_LIMITS)
@pytest.mark.slow
def test_the_normal_distribution_is_a_few_ulps_off(name, dtype):
    x = normal_arguments(dtype)
    slope = name == "gelu_erf_slope"
    y = elementary.normal_cdf(x) if name == "normal_cdf" else activations.gelu_erf_forward(x)[slope]
    assert y.dtype == dtype
    high, rest = truth(name, x, use_mpmath=True)
    error = ulps(y, high, rest)
    if slope:
        lower = elementary.normal_cdf(-np.abs(x))
        error = np.ldexp(error, last_place(high, dtype) - last_place(np.maximum(np.abs(high), lower), dtype))
    worst = int(np.argmax(error))
    print(f"\n{name}, {np.dtype(dtype).name}: {error[worst]:.4f} ulp at {x[worst]!r} ({x.size} points)")
    assert error[worst] <= NORMAL_LIMITS[name]


@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_erf_at_its_ends(dtype):
    info = np.finfo(dtype)
    z = np.array([0.0, -0.0, INF, -INF, NAN, info.max, -info.max, -NORMAL_HIGHEST[dtype]], dtype)
    a, slope = activations.gelu_erf_forward(z)
    expected = np.array([0.0, 0.0, INF, 0.0, NAN, info.max, 0.0, 0.0], dtype)
    np.testing.assert_array_equal(bits(a[[0, 1, 2, 3, 5, 6, 7]]), bits(expected[[0, 1, 2, 3, 5, 6, 7]]))
    assert np.isnan(a[4])
    np.testing.assert_array_equal(slope, np.array([0.5, 0.5, 1.0, 0.0, NAN, 1.0, 0.0, 0.0], dtype))
    tiny = np.array([info.smallest_subnormal * 2, -info.tiny], dtype)
    np.testing.assert_array_equal(activations.gelu_erf_forward(tiny)[0], tiny / 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mish_is_a_few_ulps_off(dtype):
    """Its slope, which has a zero near -1.19, in ulps of the larger of it and tanh(log(1 + e^z)); 3.1 and 6.5 seen."""
    random = np.random.default_rng(0)
    lowest = -85 if dtype == np.float32 else -700
    stretches = [(lowest, 40), (-3, 3), (-4, 0), (-20, 5)]
    x = np.concatenate([random.uniform(*ends, 300) for ends in stretches]).astype(dtype)
    a, slope = activations.mish_forward(x)
    assert a.dtype == slope.dtype == dtype
    assert ulps(a, *truth("mish", x, use_mpmath=True)).max() <= 3.5
    high, rest = truth("mish_slope", x, use_mpmath=True)
    t = np.abs(a / x).astype(np.float64)
    places = last_place(high, dtype) - last_place(np.maximum(np.abs(high), t), dtype)
    assert np.ldexp(ulps(slope, high, rest), places).max() <= 7.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_mish_at_its_ends(dtype):
    most = np.finfo(dtype).max
    z = np.array([0.0, -0.0, INF, -INF, most, -most, NAN], dtype)
    with np.errstate(invalid="ignore"):  # infinity times 0, which is not chosen
        a, slope = activations.mish_forward(z)
    np.testing.assert_array_equal(bits(a[:-1]), bits(np.array([0.0, -0.0, INF, 0.0, most, 0.0], dtype)))
    np.testing.assert_array_equal(slope[2:], np.array([1.0, 0.0, 1.0, 0.0, NAN], dtype))
    np.testing.assert_allclose(slope[:2], 0.6, rtol=2 * np.finfo(dtype).eps)
    assert np.isnan(a[-1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_overflow_and_underflow_edges(dtype):
    info = np.finfo(dtype)
    largest = dtype(mpmath.log(float(info.max)))
    largest = largest if mpmath.exp(float(largest)) <= float(info.max) else np.nextafter(largest, dtype(0))
    smallest = dtype(mpmath.log(float(info.smallest_subnormal)))
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
    """Planted fault: each result moved by two units in the last place, away from the truth."""
    x = np.random.default_rng(2).permutation(arguments(name, dtype, seed=1))[:2000]
    y = getattr(elementary, name)(x)
    keep = np.isfinite(y) & (y != 0) & (np.abs(np.frexp(y)[0]) != 0.5)  # below a power of two, ulps halve
    x, y = x[keep], y[keep]
    high, rest = truth(name, x)
    above = (y > high) | (y == high) & (rest < 0)
    away = np.where(above, dtype(np.inf), dtype(-np.inf))
    moved = np.nextafter(np.nextafter(y, away), away)
    assert len(x) > 500
    assert (ulps(y, high, rest) <= 1.0).all()
    assert (ulps(moved, high, rest) > 1.0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_checker_sees_the_smallest_numbers(dtype):
    """Planted faults: 2 ulps where the truth is 0, subnormal, or the smallest normal number; a lost infinity."""
    info = np.finfo(dtype)
    tiny = np.array([0.0, info.smallest_subnormal, info.tiny], dtype)
    moved = tiny + 2 * info.smallest_subnormal
    np.testing.assert_array_equal(ulps(moved, tiny.astype(np.float64), np.zeros(3)), 2.0)
    top = np.array([info.max, np.inf, -np.inf, np.nan], dtype)
    assert not (ulps(top, np.array([np.inf, 1.0, np.inf, 1.0]), np.zeros(4)) <= 1.0).any()


def bits(x):
    return x.view(np.dtype(f"u{x.dtype.itemsize}"))
