"""Learning rates: their arithmetic against Python's floats and mpmath, against PyTorch's figures, and their arguments.

tests/schedules.json holds the figures; `tools/schedules.py` makes them with torch, and here, where torch is installed.
"""

import dataclasses
import importlib.util
import json
import math
import pickle
from pathlib import Path

import mpmath
import numpy as np
import pytest
from bits import assert_same_bits

from fastmlp import schedules
from fastmlp.reference import elementary
from fastmlp.reference import schedules as reference
from fastmlp.reference.constants import LOG2_E
from fastmlp.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmUp,
    describe,
    find,
    from_description,
)
from fastmlp.training import RateTable, Training

ROOT = Path(__file__).parents[1]
STORED = json.loads((ROOT / "tests" / "schedules.json").read_text())
LIMIT = 1e-12  # relative: PyTorch goes from one rate to the next, or takes 1 + cos(x) where that is nearly 0
EXAMPLES = [
    Constant(0.1),
    Step(0.1, 7, 0.3),
    Exponential(0.05, 0.97),
    Cosine(0.3, 50, 0.002),
    Cosine(0.3, 12.5),
    InverseScaling(0.2),
    InverseScaling(0.2, 3),
    OneCycle(0.4, 20.5),
    OneCycle(0.4, 30, warm_up=0.9, start_factor=0, end_factor=1),
    FlatCosine(0.3, 20, 0.25, 0.002),
    FlatCosine(0.3, 12.5),
    CosineLog(0.3, 20),
    CosineLog(0.3, 12.5, 7),
    WarmUp(5, 0.2),
    WarmUp(2.5, Cosine(0.3, 10), start=0.25),
    ReduceOnPlateau(0.1),
]
# whole epochs, epochs of 3 and of 128 batches, edges, and the far end
TIMES = np.concatenate([
    np.arange(60.0), np.arange(90) / 3, 7 + np.arange(128) / 128,
    [5e-324, 1e-300, 2**-53, 12.5, 2.5, 6.15, np.nextafter(20.5, 0), np.nextafter(50, 0), 2**32 - 1, 1e17, 1.7e308],
])  # fmt: skip
each = pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)


# ---------------------------------------------------------------------------------------------------------
# docs/arithmetic.md once more, number by number, in Python's floats


def power(base, exponent):
    if exponent != math.floor(exponent):
        x, y = np.array([base]), np.array([exponent])
        return float(elementary.exp(y * elementary.log(x))[0])
    n, result = int(exponent), 1.0
    while n:
        if n & 1:
            result *= base
        base *= base
        n >>= 1
    return result


def half_cosine(f):
    g = min(f, 1 - f)
    mantissa, exponent = math.frexp(g)
    first = math.ldexp(math.trunc(math.ldexp(mantissa, 26)), exponent - 26)
    square, rest = first * first, (g - first) * (g + first)
    z = square + rest
    q = reference.SERIES[0]
    for c in reference.SERIES[1:]:
        q = q * z + c
    s = 2 * square + (2 * rest + z * q)
    return s if f > 0.5 else 1 - s


def blend(a, b, h):
    return a * h + b * (1 - h)


def rate(s, t):
    match s:
        case Constant() | ReduceOnPlateau():
            return s.learning_rate
        case Step():
            return s.learning_rate * power(s.factor, math.floor(t / s.every))
        case Exponential():
            return s.learning_rate * power(s.factor, t)
        case InverseScaling():
            return s.learning_rate / power(1 + t, s.power)
        case Cosine():
            return blend(s.learning_rate, s.floor, half_cosine(min(t, s.epochs) / s.epochs))
        case OneCycle():
            start = s.peak * s.start_factor
            end, top = start * s.end_factor, s.warm_up * s.epochs
            if t < top:
                return blend(start, s.peak, half_cosine(t / top))
            return blend(s.peak, end, half_cosine((t - top) / (s.epochs - top)) if t < s.epochs else 0.0)
        case FlatCosine():
            start = s.flat * s.epochs
            f = 0.0 if t <= start else (t - start) / (s.epochs - start) if t < s.epochs else 1.0
            return blend(s.learning_rate, s.floor, half_cosine(f))
        case CosineLog():
            m, _ = math.frexp(1 + (2.0**s.cycles - 1) * (min(t, s.epochs) / s.epochs))
            done = min(float(elementary.log(np.array([2 * m]))[0]) * LOG2_E.float64, 1.0)
            return s.learning_rate * half_cosine(abs(1 - 2 * done))
        case WarmUp():
            first = rate(s.then, 0.0)
            return blend(first, s.start * first, t / s.epochs) if t < s.epochs else rate(s.then, t - s.epochs)


@each
def test_every_bit_is_the_formulas(schedule):
    expected = [rate(schedule, t) for t in TIMES.tolist()]
    assert_same_bits(schedule.rates(TIMES), np.array(expected))


@each
def test_a_rate_depends_on_its_own_time_alone(schedule):
    together = schedule.rates(TIMES)
    apart = [schedule.rates([t])[0] for t in TIMES]
    assert_same_bits(together, np.array(apart))
    assert_same_bits(schedule.rates(TIMES[::-1])[::-1], together)
    assert schedule.rates(TIMES[:6].reshape(2, 3)).shape == (2, 3)
    assert schedule.rates(3).shape == ()
    assert_same_bits(schedule.rates(np.arange(60)), together[:60])


# ---------------------------------------------------------------------------------------------------------
# Truth


def fractions():
    draw = np.random.default_rng(0)
    return np.concatenate([
        draw.uniform(0, 1, 4000), draw.uniform(0.45, 0.55, 4000),
        2.0 ** -draw.uniform(1, 1074, 1000), 1 - 2.0 ** -draw.uniform(1, 53, 1000), np.arange(1, 100) / 100,
    ])  # fmt: skip


def ulps_of_half_cosine(f, h):
    with mpmath.workdps(50):
        true = [mpmath.cos(mpmath.pi * mpmath.mpf(x) / 2) ** 2 for x in f.tolist()]
        return np.array([float((y - v) / math.ulp(float(v))) for y, v in zip(h.tolist(), true, strict=True)])


def test_half_cosine_is_within_one_ulp():
    f = fractions()
    h = reference.half_cosine(f)
    error = np.abs(ulps_of_half_cosine(f, h))
    print(f"\nhalf_cosine: {error.max():.4f} ulp at {f[error.argmax()]!r}")
    assert error.max() <= 1
    moved = np.nextafter(np.nextafter(h, 2), 2)  # the planted fault
    assert np.abs(ulps_of_half_cosine(f[:100], moved[:100])).min() > 1


def test_half_cosine_is_exact_where_it_can_be_and_never_rises():
    assert reference.half_cosine(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 0.5, 0.0]
    h = reference.half_cosine(np.sort(np.concatenate([fractions(), np.linspace(0, 1, 200_001)])))
    assert (np.diff(h) <= 0).all()
    assert h[0] == 1
    assert h[-1] == 0
    near = 0.5 + np.arange(-2000, 2001) * 2.0**-53
    assert (np.diff(reference.half_cosine(near)) <= 0).all()


def test_the_series_is_taylors():
    with mpmath.workdps(50):
        for k, c in zip(range(11, 0, -1), reference.SERIES, strict=True):
            term = (-1) ** (k + 1) * mpmath.pi ** (2 * k) / (2 * mpmath.factorial(2 * k))
            assert c == float(term - 2 if k == 1 else term)
        assert mpmath.pi**24 / (2 * mpmath.factorial(24)) / 4**12 < 1e-19


@pytest.mark.parametrize("base", [0.1, 0.5, 0.97, 1.0, 1.5, 7.0])
def test_powers_are_powers(base):
    exponents = np.concatenate([np.arange(80.0), np.arange(80) / 3, [0.5, 1e-9, 299.0, 250.25]])
    found = reference.power(base, exponents)
    with mpmath.workdps(50):
        for y, value in zip(exponents.tolist(), found.tolist(), strict=True):
            true = mpmath.mpf(base) ** mpmath.mpf(y)
            # a rounding for each factor; or 1 ulp of log and half of the product, in the exponent, and 1 of exp
            roundings = y if y == math.floor(y) else 3 * abs(y * math.log(base)) + 2
            assert abs(value - true) <= true * (1.01 * roundings) * 2.0**-53, (base, y)
    assert reference.power(0.3, np.array([0.0, 1.0, 2.0])).tolist() == [1.0, 0.3, 0.3 * 0.3]


# ---------------------------------------------------------------------------------------------------------
# PyTorch


def ours(case):
    schedule = from_description(case["schedule"])
    if "t" in case:
        return schedule.rates(case["t"])
    run, rates = schedule.start(), []
    for value in case["values"]:
        run.see(value, schedule.metric == "accuracy")
        rates.append(run.rates([0.0])[0])
    return np.array(rates)


@pytest.mark.parametrize("case", STORED, ids=lambda case: case["torch"])
def test_rates_are_pytorchs(case):
    assert len(case["rates"]) > 10
    assert describe(from_description(case["schedule"])) == case["schedule"]
    np.testing.assert_allclose(ours(case), case["rates"], rtol=LIMIT, atol=0)


def test_stored_figures_cover_each_scheduler():
    names = {case["schedule"]["name"] for case in STORED}
    assert names == {
        "step",
        "exponential",
        "cosine",
        "warm_up",
        "one_cycle",
        "reduce_on_plateau",
        "flat_cosine",
        "cosine_log",
    }
    for case in STORED:
        assert len(set(case["rates"])) > 4, "a rate that hardly changes shows little"


def test_rates_are_those_of_the_torch_that_is_installed():
    pytest.importorskip("torch", reason="torch is not installed: its stored figures were compared instead")
    place = importlib.util.spec_from_file_location("tools_schedules", ROOT / "tools" / "schedules.py")
    tool = importlib.util.module_from_spec(place)
    place.loader.exec_module(tool)
    live = tool.cases()
    assert [case["torch"] for case in live] == [case["torch"] for case in STORED]
    for case, stored in zip(live, STORED, strict=True):
        np.testing.assert_allclose(case["rates"], stored["rates"], rtol=LIMIT, atol=0, err_msg=case["torch"])
        np.testing.assert_allclose(ours(case), case["rates"], rtol=LIMIT, atol=0, err_msg=case["torch"])


# ---------------------------------------------------------------------------------------------------------
# What each schedule promises


@each
def test_no_rate_is_negative_or_not_finite_or_above_the_first_or_the_peak(schedule):
    rates = schedule.rates(TIMES)
    top = getattr(schedule, "peak", None) or find(getattr(schedule, "then", schedule)).learning_rate
    assert (rates >= 0).all()
    assert (rates <= top).all()


@each
def test_initial_is_the_rate_at_0(schedule):
    assert schedule.initial == schedule.rates([0.0])[0]


def test_ends_are_exact_and_last():
    assert Cosine(0.3, 10, 0.1).rates([0, 10, 11, 1e9]).tolist() == [0.3, 0.1, 0.1, 0.1]
    assert Cosine(0.3, 10).rates([10]).tolist() == [0.0]
    cycle = OneCycle(0.4, 10, warm_up=0.5, start_factor=0.1, end_factor=0.01)
    start = 0.4 * 0.1
    assert cycle.rates([0, 5, 10, 11, 1e9]).tolist() == [start, 0.4, start * 0.01, start * 0.01, start * 0.01]
    assert Step(0.1, 3, 0.5).rates([0, 2.999, 3, 5.999, 6]).tolist() == [0.1, 0.1, 0.05, 0.05, 0.025]
    assert FlatCosine(0.3, 10, 0.4, 0.1).rates([0, 3, 4, 10, 11]).tolist() == [0.3, 0.3, 0.3, 0.1, 0.1]
    assert WarmUp(4, 0.2).rates([0, 1, 2, 4, 5]).tolist() == [0.0, 0.05, 0.1, 0.2, 0.2]
    assert InverseScaling(0.5).rates([0.0]).tolist() == [0.5]


def test_cycles_begin_and_end_at_0_and_double():
    for cycles in (1, 4, 9):
        whole = 2.0**cycles - 1
        schedule = CosineLog(0.3, whole, cycles)
        assert schedule.rates(2.0 ** np.arange(cycles + 1) - 1).tolist() == [0.0] * (cycles + 1)
        tops = schedule.rates(2.0 ** (np.arange(cycles) + 0.5) - 1)
        np.testing.assert_allclose(tops, 0.3, rtol=1e-14)
    assert CosineLog(0.3, 10).rates([10, 11, 1e9]).tolist() == [0.0] * 3


def test_what_follows_a_warm_up_begins_its_own_time_there():
    t = np.arange(40) / 4
    then = Cosine(0.3, 5, 0.01)
    rates = WarmUp(3, then, start=0.5).rates(t)
    assert_same_bits(rates[12:], then.rates(t[12:] - 3))
    assert rates[0] == 0.15
    assert (np.diff(rates[:13]) > 0).all()
    assert WarmUp(3, 0.2).then == Constant(0.2)


def test_a_cycle_of_no_width_is_still_a_number():
    rates = OneCycle(0.1, 3, warm_up=math.nextafter(1, 0)).rates([0, 2.999, math.nextafter(3, 0), 3, 4])
    assert np.isfinite(rates).all()
    assert rates[-1] == 0.1 * (1 / 25) * 1e-4
    assert np.isfinite(OneCycle(0.1, 1e-200, warm_up=1e-200).rates([0, 1e-201, 1])).all()


# ---------------------------------------------------------------------------------------------------------
# Plateaus


def rates_of(rule, values, higher_is_better=False):
    run, rates = rule.start(), []
    for value in values:
        run.see(value, higher_is_better)
        rates.append(run.rate)
    return rates


def test_a_plateau_lasts_longer_than_its_patience():
    rule = ReduceOnPlateau(1.0, factor=0.5, patience=2, min_delta=0.0)
    assert rates_of(rule, [3, 3, 3, 3, 3, 3, 3]) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert rates_of(rule, [3, 3, 3, 2, 2, 2, 2]) == [1, 1, 1, 1, 1, 1, 0.5]
    assert rates_of(rule, [3, 4, 5, 6], higher_is_better=True) == [1, 1, 1, 1]
    assert rates_of(ReduceOnPlateau(1.0, factor=0.5, patience=0), [3, 2, 2, 1]) == [1, 1, 0.5, 0.5]


def test_a_plateau_has_a_floor():
    rule = ReduceOnPlateau(1.0, factor=0.5, patience=0, floor=0.3)
    assert rates_of(rule, [1, 1, 1, 1]) == [1, 0.5, 0.3, 0.3]
    assert rates_of(ReduceOnPlateau(1.0, factor=0.5, patience=0, floor=1.0), [1, 1]) == [1, 1]


def test_better_is_by_a_share_of_the_best():
    rule = ReduceOnPlateau(1.0, factor=0.5, patience=0, min_delta=0.25)
    assert rates_of(rule, [8, 6]) == [1, 0.5]  # not below 8 * 0.75
    assert rates_of(rule, [8, math.nextafter(6, 0)]) == [1, 1]
    assert rates_of(rule, [8, 10], higher_is_better=True) == [1, 0.5]
    assert rates_of(rule, [8, math.nextafter(10, 11)], higher_is_better=True) == [1, 1]
    assert rates_of(rule, [-8, -10]) == [1, 0.5]  # a negative loss must fall, too
    assert rates_of(rule, [-8, math.nextafter(-10, -11)]) == [1, 1]
    assert rates_of(rule, [-8, -6], higher_is_better=True) == [1, 0.5]
    assert rates_of(rule, [0, 0, -1e-300]) == [1, 0.5, 0.5]


def test_what_is_not_finite_is_never_better():
    rule = ReduceOnPlateau(1.0, factor=0.5, patience=0)
    nan, inf = math.nan, math.inf
    assert rates_of(rule, [nan, inf, 5, nan, -inf]) == [0.5, 0.25, 0.25, 0.125, 0.0625]
    assert rates_of(rule, [nan, 5, inf], higher_is_better=True) == [0.5, 0.5, 0.25]


def test_a_resumed_plateau_goes_on_exactly():
    rule = ReduceOnPlateau(0.3, factor=0.7, patience=1, min_delta=0.01, floor=1e-5)
    draw = np.random.default_rng(1)
    values = (1 / np.arange(1, 81) + 0.1 * draw.random(80)).tolist()
    whole = rates_of(rule, values)
    assert len(set(whole)) > 5
    for cut in (0, 1, 7, 40):
        first = rule.start()
        for value in values[:cut]:
            first.see(value, False)
        second = rule.start(json.loads(json.dumps(first.state(), allow_nan=False)))
        assert second.state() == first.state()
        rest = []
        for value in values[cut:]:
            second.see(value, False)
            rest.append(second.rate)
        assert rest == whole[cut:]


def test_a_plateaus_rates_are_what_it_has_seen():
    rule = ReduceOnPlateau(0.1, factor=0.5, patience=0)
    run = rule.start()
    run.see(1, False)
    assert run.rates([0, 1, 2]).tolist() == [0.1, 0.1, 0.1]
    run.see(1, False)
    assert run.rates(np.zeros(2)).tolist() == [0.05, 0.05]
    assert rule.rates([0, 1]).tolist() == [0.1, 0.1]
    assert rule.start().rate == 0.1


# ---------------------------------------------------------------------------------------------------------
# Descriptions


@each
def test_descriptions_bring_the_schedule_back(schedule):
    text = json.dumps(describe(schedule), allow_nan=False)
    again = from_description(json.loads(text))
    assert again == schedule
    assert type(again) is type(schedule)
    assert_same_bits(again.rates(TIMES), schedule.rates(TIMES))
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_each_schedule_has_a_name():
    assert {type(schedule) for schedule in EXAMPLES} == set(SCHEDULES.values())
    assert {describe(schedule)["name"] for schedule in EXAMPLES} == set(SCHEDULES)
    for schedule in EXAMPLES:
        assert describe(schedule)["name"].replace("_", "") == type(schedule).__name__.lower()


def test_defaults():
    assert Step(0.1, 3) == Step(0.1, 3, 0.1)
    assert Cosine(0.1, 3) == Cosine(0.1, 3, 0.0)
    assert InverseScaling(0.1) == InverseScaling(0.1, 0.5)
    assert OneCycle(0.1, 3) == OneCycle(0.1, 3, 0.3, 0.04, 1e-4)
    assert WarmUp(3, 0.1) == WarmUp(3, 0.1, 0.0)
    assert ReduceOnPlateau(0.1) == ReduceOnPlateau(0.1, 0.1, 10, 1e-4, 0.0, None)


def test_numbers_are_stored_as_plain_ones():
    made = ReduceOnPlateau(np.float32(0.5), np.float64(0.5), np.int64(0), np.float32(0.25), np.int64(0))
    assert [type(getattr(made, f.name)) for f in dataclasses.fields(made)][:5] == [float, float, int, float, float]
    assert type(Step(1, np.int32(3)).every) is int
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.factor = 0.1


# ---------------------------------------------------------------------------------------------------------
# Errors in words


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Constant(0), ValueError, r"learning_rate=0 is not positive: give a number above 0"),
        (lambda: Constant("0.1"), TypeError, r"learning_rate='0.1' is not a number"),
        (lambda: Constant(math.nan), ValueError, r"learning_rate=nan is not a finite number"),
        (lambda: Step(0.1, 2.5), TypeError, r"every=2.5 is not a whole number"),
        (lambda: Step(0.1, 0), ValueError, r"every=0 is not positive"),
        (lambda: Step(0.1, 1, 1.5), ValueError, r"factor=1.5 would let the rate grow without end: give a number above"),
        (lambda: Exponential(0.1, 0), ValueError, r"factor=0 is not positive"),
        (lambda: Cosine(0.1, -1), ValueError, r"epochs=-1 is not positive"),
        (lambda: Cosine(0.1, 5, 0.2), ValueError, r"floor=0.2 is above learning_rate=0.1: give a number from 0"),
        (lambda: Cosine(0.1, 5, -0.2), ValueError, r"floor=-0.2 is negative: give 0 or more"),
        (lambda: InverseScaling(0.1, -0.5), ValueError, r"power=-0.5 is not positive"),
        (lambda: OneCycle(0, 5), ValueError, r"peak=0 is not positive"),
        (lambda: OneCycle(0.1, 5, 1), ValueError, r"warm_up=1.0 leaves no rise or no fall: give a fraction above 0"),
        (lambda: OneCycle(0.1, 5, 0.0), ValueError, r"warm_up=0.0 leaves no rise"),
        (lambda: FlatCosine(0.1, 5, 1), ValueError, r"flat=1.0 leaves no fall: give a fraction from 0 to less than 1"),
        (lambda: FlatCosine(0.1, 5, floor=1), ValueError, r"floor=1 is above learning_rate=0.1"),
        (lambda: CosineLog(0.1, 5, 2.5), TypeError, r"cycles=2.5"),
        (lambda: CosineLog(0.1, 5, 51), ValueError, r"cycles=51 makes the first one shorter than any batch"),
        (lambda: OneCycle(0.1, 5, start_factor=25), ValueError, r"start_factor=25 is not a fraction"),
        (lambda: OneCycle(0.1, 5, end_factor=1e4), ValueError, r"end_factor=10000.0 is not a fraction"),
        (lambda: WarmUp(5, 0), ValueError, r"then=0 is not positive"),
        (lambda: WarmUp(0, 0.1), ValueError, r"epochs=0 is not positive"),
        (lambda: WarmUp(5, Cosine), TypeError, r"then=Cosine is the class: make a schedule of it, like Cosine"),
        (lambda: WarmUp(5, 0.1, start=2), ValueError, r"start=2 is not a fraction"),
        (lambda: WarmUp(5, WarmUp(5, 0.1)), ValueError, r"then=WarmUp\(.*is a warm-up itself: give what comes after"),
        (
            lambda: WarmUp(5, ReduceOnPlateau(0.1)),
            ValueError,
            r"then=Reduce.*would count the warm-up's own epochs: g",
        ),
        (lambda: ReduceOnPlateau(0.1, factor=1), ValueError, r"factor=1.0 would never change the rate: give a number"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), ValueError, r"patience=-1 is negative: give 0 or more"),
        (lambda: ReduceOnPlateau(0.1, patience=True), TypeError, r"patience=True is not a whole number: give an int"),
        (lambda: ReduceOnPlateau(0.1, patience=0.0), TypeError, r"patience=0.0 is not a whole number: give an int"),
        (lambda: ReduceOnPlateau(0.1, min_delta=-1e-4), ValueError, r"min_delta=-0.0001 is not a fraction"),
        (lambda: ReduceOnPlateau(0.1, floor=1), ValueError, r"floor=1 is above learning_rate=0.1"),
        (lambda: ReduceOnPlateau(0.1, metric="auc"), ValueError, r"metric='auc' is not known: use \"loss\", \"accu"),
        (lambda: Constant(0.1).rates([0, -1]), ValueError, r"t holds -1.0: give times of 0 or more, in epochs"),
        (lambda: Constant(0.1).rates([math.nan]), ValueError, r"t holds nan"),
        (lambda: Constant(0.1).rates([math.inf]), ValueError, r"t holds inf"),
        (lambda: find("cosine"), TypeError, r"learning_rate='cosine' is text: give a number, or a schedule like Cos"),
        (lambda: find(None), TypeError, r"learning_rate=None is not a number"),
        (lambda: describe(0.1), TypeError, r"schedule=0.1 is not one of fastmlp's"),
        (lambda: from_description([]), TypeError, r"schedule=\[\] is not a description: give a dict"),
        (lambda: from_description({}), ValueError, r"name=None is not known: use \"constant\", "),
        (lambda: from_description({"name": ["step"]}), ValueError, r"name=\['step'\] is not known"),
        (lambda: from_description({"name": "step"}), ValueError, r"schedule 'step' has no 'learning_rate': give it"),
        (
            lambda: from_description({"name": "constant", "learning_rate": 0.1, "size": 1}),
            ValueError,
            r"schedule 'constant' has 'size', which is not known: use \"learning_rate\"",
        ),
        (
            lambda: from_description({"name": "warm_up", "epochs": 1, "then": {"name": "cosine"}}),
            ValueError,
            r"schedule 'cosine' has no 'learning_rate'",
        ),
        (lambda: ReduceOnPlateau(0.1).start([]), TypeError, r"state=\[\] is not a dict"),
        (lambda: ReduceOnPlateau(0.1).start({"rate": 0.1}), ValueError, r"state has no 'best': give it"),
        (
            lambda: ReduceOnPlateau(0.1).start({"rate": -1.0, "best": None, "waited": 0, "metric": None}),
            ValueError,
            r"rate=-1.0 is negative",
        ),
        (
            lambda: ReduceOnPlateau(0.1).start({"rate": 1.0, "best": None, "waited": 0.5, "metric": None}),
            TypeError,
            r"waited=0.5 is not a whole number",
        ),
    ],
)
def test_errors_in_words(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_a_number_is_a_constant_schedule():
    assert find(0.1) == Constant(0.1)
    assert find(EXAMPLES[3]) is EXAMPLES[3]


def test_the_examples_in_the_docstrings():
    import doctest

    assert doctest.testmod(schedules).failed == 0


@pytest.mark.parametrize("begins", [0, 7])
@pytest.mark.parametrize("parts", [1, 13])
def test_the_rates_of_any_updates(parts, begins):
    """RateTable makes them by the thousand; whatever is asked for, within a block or across its end, is the same."""
    schedule = Cosine(0.5, 150)
    training = Training(200, schedule, 2, 1, done=begins, rate_begins=begins)
    epochs, batches = np.divmod(np.arange(200 * parts), parts)
    expected = schedule.rates(epochs + batches / parts)
    table, start, total = RateTable(training, parts), begins * parts, len(expected)
    for first, count in (
        (0, 5),
        (0, 9),
        (3, 1),
        (150, 50),
        (total // 2, total // 2),
        (1020, 9),
        (1, 0),
        (total - 1, 1),
    ):
        if first + count <= total:
            assert table.rates(start + first, count).tolist() == expected[first : first + count].tolist()
    for first in range(0, total - 60, 60):
        assert table.rates(start + first, 60).tolist() == expected[first : first + 60].tolist()
    for places in ([0], [3, 9, 40], [1, total - 1], [total - 60, total - 2]):
        assert table.at(start + np.array(places)).tolist() == expected[places].tolist()


@pytest.mark.parametrize("kind", [*schedules.SCHEDULES.values()], ids=lambda kind: kind.__name__)
def test_an_unknown_argument_says_what_may_be_meant(kind):
    with pytest.raises(TypeError, match=r"did you mean|its arguments are"):
        kind(lr=0.1)
