"""The optimizers: their updates against PyTorch's, planted faults in their kernels, and their numbers' checks."""

import dataclasses
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from bits import assert_same_bits
from cases import Unregistered, check

from fastmlp.kernels.memory import advance, load, store
from fastmlp.kernels.registry import Float, Floats, Int
from fastmlp.kernels.simd import fill, fma, greater, lanes, less, line_lanes, negative, number, select, sqrt
from fastmlp.optimizers import LATER, OPTIMIZERS, SGD, Adagrad, Adam, AdamW, RMSprop, describe, find, from_description
from fastmlp.reference import gradients
from fastmlp.reference import optimizers as reference
from fastmlp.schedules import Schedule
from fastmlp.spec import DTYPES

HERE = Path(__file__).parent
STORED = json.loads((HERE / "trajectories.json").read_text())
ONE = np.float64(1)


class Halving(Schedule):
    """A schedule."""

    def _rates(self, t):
        return 0.5**t


# ---------------------------------------------------------------------------------------------------------
# Updates against PyTorch's, which tools/trajectories.py stored


def ours(run):
    """Our optimizer for a stored run, by PyTorch's names of its options; and its weight decay, where that is L2."""
    options = dict(run["options"])
    names = {"lr": "learning_rate", "eps": "epsilon", "alpha": "decay"}
    names["initial_accumulator_value"] = "initial_accumulator"
    given = {names.get(name, name): value for name, value in options.items() if name != "betas"}
    if "betas" in options:
        given["beta_1"], given["beta_2"] = options["betas"]
    l2 = given.pop("weight_decay", 0.0) if run["optimizer"] != "AdamW" else 0.0
    return {kind.__name__: kind for kind in OPTIMIZERS.values()}[run["optimizer"]](**given), l2


def trajectory(run, part=50):
    """The parameters after the stored updates; the updates' numbers are made for `part` of them at a time."""
    optimizer, l2 = ours(run)
    A, b, p = (np.array(STORED[name], np.float64) for name in ("A", "b", "start"))
    state = [np.full(len(p), optimizer.initial) for _ in range(optimizer.vectors)]
    powers, kept = np.ones(2), []
    for update in range(1, max(STORED["updates"]) + 1):
        if (update - 1) % part == 0:
            steps, after = optimizer.steps(np.full(part, optimizer.learning_rate), powers)
            powers = after[-1]
        g = gradients.scaled(A @ p - b, np.float64(run.get("factor", 1)))
        if "norm" in run:
            g = gradients.clipped_by_norm(g, np.float64(run["norm"]))
        if "value" in run:
            g = gradients.clipped_by_value(g, np.float64(run["value"]))
        if l2:
            g = gradients.penalized(g, p, np.float64(l2), np.float64(0))
        step = steps[(update - 1) % part]
        made = getattr(reference, optimizer.kernel)(p, g, ONE, *state, *step, *np.array(optimizer.settings))
        p, *state = made if optimizer.vectors else (made,)
        if update in STORED["updates"]:
            kept.append(p)
    return np.array(kept)


@pytest.mark.parametrize("name", STORED["runs"])
def test_updates_are_those_of_pytorch(name):
    run = STORED["runs"][name]
    kept = np.array(run["kept"])
    assert kept.shape == (len(STORED["updates"]), len(STORED["start"]))
    np.testing.assert_allclose(trajectory(run), kept, rtol=1e-10, atol=0)


@pytest.mark.parametrize("name", ["sgd, momentum", "adam", "adamw, much decay"])
def test_how_many_updates_are_prepared_at_a_time_changes_no_bit(name):
    for part in (1, 7, 49):
        assert_same_bits(trajectory(STORED["runs"][name], part), trajectory(STORED["runs"][name]))


def test_the_stored_runs_see_every_optimizer():
    assert {run["optimizer"] for run in STORED["runs"].values()} == {kind.__name__ for kind in OPTIMIZERS.values()}
    seen = {ours(run)[0].kernel for run in STORED["runs"].values()}
    assert seen == {"gradient_descent", "momentum", "nesterov", "adam", "rmsprop", "rmsprop_momentum", "adagrad"}


def test_the_stored_runs_see_clipping():
    """Some updates are clipped, and some are not."""
    for name, plain in [("sgd, norm clipped", "sgd"), ("adam, norm clipped", "adam"), ("adam, values clipped", "adam")]:
        clipped, free = (np.array(STORED["runs"][n]["kept"]) for n in (name, plain))
        assert not np.allclose(clipped[-1], free[-1], rtol=1e-3)
    limit = STORED["runs"]["sgd, norm clipped"]["norm"] / STORED["runs"]["sgd, norm clipped"]["factor"]
    A, b = np.array(STORED["A"]), np.array(STORED["b"])
    norms = [np.linalg.norm(A @ p - b) for p in STORED["runs"]["sgd, norm clipped"]["kept"]]
    assert norms[0] > limit > norms[-1]


def test_a_wrong_update_is_seen(monkeypatch):
    def inside(p, total, scale, v, learning_rate, decay, rest, epsilon):
        g = scale * total
        v = decay * v + rest * g**2
        return p - learning_rate * g / np.sqrt(v + epsilon), v

    monkeypatch.setattr(reference, "rmsprop", inside)
    with pytest.raises(AssertionError):
        test_updates_are_those_of_pytorch("rmsprop")


def test_pytorch_still_gives_the_stored_figures():
    pytest.importorskip("torch", reason="torch is not installed: its stored figures are compared without it")
    tool = HERE.parent / "tools" / "trajectories.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------------------------------------------------
# Adam's numbers, and the gradient's, against exact ones


def test_adam_steps():
    rates = np.array([0.1, 0.2, 0.3])
    steps, powers = reference.adam_steps(rates, np.ones(2), 0.5, 0.75, 0.25)
    assert_same_bits(powers, np.array([[0.5, 0.75], [0.25, 0.5625], [0.125, 0.421875]]))
    assert_same_bits(steps[:, 0], rates / np.array([0.5, 0.75, 0.875]))
    assert_same_bits(steps[:, 1], 1 / np.sqrt([0.25, 0.4375, 0.578125]))
    assert_same_bits(steps[:, 2], 1 - rates * 0.25)


def test_adam_powers_are_products_one_after_another():
    _, powers = reference.adam_steps(np.ones(1000), np.ones(2), 0.9, 0.999, 0.0)
    first = second = 1.0
    for row in powers.tolist():
        first, second = first * 0.9, second * 0.999
        assert row == [first, second]


def test_adam_steps_end_well():
    """No learning rates; powers that have gone to nothing; betas of 0."""
    steps, powers = reference.adam_steps(np.ones(0), np.array([0.5, 0.25]), 0.9, 0.999, 0.0)
    assert steps.shape == (0, 3)
    assert powers.shape == (0, 2)
    steps, _ = reference.adam_steps(np.array([0.1]), np.zeros(2), 0.9, 0.999, 0.0)
    assert steps.tolist() == [[0.1, 1.0, 1.0]]
    steps, _ = reference.adam_steps(np.array([0.1, 0.1]), np.ones(2), 0.0, 0.0, 0.0)
    assert steps.tolist() == [[0.1, 1.0, 1.0]] * 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_penalties_are_the_slopes_of_their_formulas(dtype):
    g = np.array([1, 1, 1, -1, 1], dtype)
    w = np.array([2, -2, 0, -0.0, np.nan], dtype)
    found = gradients.penalized(g, w, g.dtype.type(0.25), g.dtype.type(0.5))
    assert_same_bits(found, np.array([2, 0, 1, -1, np.nan], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 7, 513, 5000])
def test_norms_are_the_exact_ones(count, dtype):
    """Of whole numbers, whose squares add up exactly: every order of the sum gives the same."""
    g = np.random.default_rng(count).integers(-9, 10, count).astype(dtype)
    g[0] = 3
    norm = math.sqrt(sum(Fraction(float(x)) ** 2 for x in g))
    above, below = g.dtype.type(norm * 1.01), g.dtype.type(norm * 0.5)
    assert gradients.clipped_by_norm(g, above) is g
    factor = below / np.sqrt(g.dtype.type(norm**2))
    assert_same_bits(gradients.clipped_by_norm(g, below), g * factor)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_has_no_norm_is_not_clipped(dtype):
    for x in (np.nan, np.inf, np.finfo(dtype).max):
        g = np.array([1, x, 2], dtype)
        with np.errstate(over="ignore"):
            assert_same_bits(gradients.clipped_by_norm(g, g.dtype.type(1)), g)


def test_values_are_clipped_on_both_sides():
    g = np.array([-3, -2, -1, -0.0, 1, 2, 3, np.inf, -np.inf, np.nan])
    expected = np.array([-2, -2, -1, -0.0, 1, 2, 2, 2, -2, np.nan])
    assert_same_bits(gradients.clipped_by_value(g, np.float64(2)), expected)


# ---------------------------------------------------------------------------------------------------------
# Faulty kernels, each of which its case must catch


def second_vector_too_near(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int
):
    """Its place is that of the gradient's size, without the room for a line."""
    line = line_lanes(p)
    second = advance(state, count // line * line)
    for i in range(count):
        g = total[i] * scale
        m = fma(settings[0], state[i], settings[1] * g)
        v = fma(settings[2], second[i], settings[3] * (g * g))
        state[i] = m
        second[i] = v
        p[i] = fma(-step[0], m / fma(sqrt(v), step[1], settings[4]), p[i] * step[2])


def correction_of_the_mean(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int
):
    """Adam's formula rounded otherwise: the decay taken after the step's product."""
    line = line_lanes(p)
    second = advance(state, (count + 1 + line) // line * line)
    for i in range(count):
        g = total[i] * scale
        m = fma(settings[0], state[i], settings[1] * g)
        v = fma(settings[2], second[i], settings[3] * (g * g))
        state[i] = m
        second[i] = v
        p[i] = fma(p[i], step[2], -step[0] * (m / fma(sqrt(v), step[1], settings[4])))


def velocity_of_rates(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int
):
    """The other form of momentum, with the learning rate in v."""
    for i in range(0, count, lanes(p)):
        v = fma(fill(p, settings[0]), load(state, i), (load(total, i) * fill(p, scale)) * fill(p, step[0]))
        store(state, i, v)
        store(p, i, load(p, i) - v)


def no_look_ahead(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    for i in range(0, count, lanes(p)):
        v = fma(fill(p, settings[0]), load(state, i), load(total, i) * fill(p, scale))
        store(state, i, v)
        store(p, i, fma(negative(fill(p, step[0])), v, load(p, i)))


def epsilon_inside(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    for i in range(count):
        g = total[i] * scale
        state[i] = fma(settings[0], state[i], settings[1] * (g * g))
        p[i] = fma(-step[0], g / sqrt(state[i] + settings[2]), p[i])


def square_then_sum(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    for i in range(count):
        g = total[i] * scale
        state[i] = state[i] + g * g
        p[i] = fma(-step[0], g / (sqrt(state[i]) + settings[0]), p[i])


def penalty_of_what_lies_behind(g: Floats, w: Floats, l2: Float, l1: Float, count: Int):
    for i in range(0, count, lanes(g)):
        x = load(w, i)
        y = fma(fill(g, l2), x, load(g, i))
        store(g, i, select(greater(x, 0), y + fill(g, l1), select(less(x, 0), y - fill(g, l1), y)))


def penalty_of_zero(g: Floats, w: Floats, l2: Float, l1: Float, count: Int):
    for i in range(count):
        y = fma(l2, w[i], g[i])
        g[i] = y - l1 if w[i] < 0 else y + l1


def nan_clipped(g: Floats, limit: Float, count: Int):
    for i in range(count):
        g[i] = -limit if g[i] < -limit else g[i] if g[i] < limit else limit


def squares_in_order(g: Floats, scratch: Floats, limit: Float, count: Int):
    total = number(g, 0)
    for i in range(count):
        total = fma(g[i], g[i], total)
    norm = sqrt(total)
    if norm > limit and norm - norm == 0:
        for i in range(count):
            g[i] = g[i] * (limit / norm)


def infinite_norm(g: Floats, scratch: Floats, limit: Float, count: Int):
    total = number(g, 0)
    for i in range(count):
        total = fma(g[i], g[i], total)
    if sqrt(total) > limit:
        for i in range(count):
            g[i] = g[i] * (limit / sqrt(total))


FAULTS = [
    (second_vector_too_near, "optimizers.adam", "differ|must not"),
    (correction_of_the_mean, "optimizers.adam", "differ"),
    (velocity_of_rates, "optimizers.momentum", "differ"),
    (no_look_ahead, "optimizers.nesterov", "differ"),
    (epsilon_inside, "optimizers.rmsprop", "differ"),
    (square_then_sum, "optimizers.adagrad", "differ"),
    (penalty_of_what_lies_behind, "gradients.penalized", "must not"),
    (penalty_of_zero, "gradients.penalized", "differ"),
    (nan_clipped, "gradients.clipped_by_value", "differ"),
    (squares_in_order, "gradients.clipped_by_norm", "differ|must not"),
    (infinite_norm, "gradients.clipped_by_norm", "overflow.*must not"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("fault", "name", "words"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_faulty_kernel_is_caught(fault, name, words, dtype):
    with pytest.raises(AssertionError, match=words):
        check(name, Unregistered(fault), dtype)


# ---------------------------------------------------------------------------------------------------------
# What an optimizer is asked for


def test_kernels_and_settings():
    assert (SGD().kernel, SGD().vectors, SGD().settings, SGD().initial) == ("gradient_descent", 0, (), 0.0)
    assert (SGD(0.1, 0.9).kernel, SGD(0.1, 0.9).vectors, SGD(0.1, 0.9).settings) == ("momentum", 1, (0.9,))
    assert (SGD(0.1, 0.9, True).kernel, SGD(0.1, 0.9, True).settings) == ("nesterov", (0.9,))
    settings = (0.9, 1 - 0.9, 0.999, 1 - 0.999, 1e-8)
    assert Adam().settings == AdamW().settings == settings
    assert (Adam().kernel, Adam().vectors) == (AdamW().kernel, AdamW().vectors) == ("adam", 2)
    assert (RMSprop().kernel, RMSprop().vectors, RMSprop().settings) == ("rmsprop", 1, (0.99, 1 - 0.99, 1e-8))
    quick = RMSprop(momentum=0.9)
    assert (quick.kernel, quick.vectors, quick.settings) == ("rmsprop_momentum", 2, (0.99, 1 - 0.99, 1e-8, 0.9))
    assert (Adagrad().kernel, Adagrad().vectors, Adagrad().settings) == ("adagrad", 1, (1e-10,))
    assert Adagrad(initial_accumulator=2).initial == 2.0


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_shapes_of_steps(kind):
    columns = 3 if kind in (Adam, AdamW) else 1
    rates = np.array([0.5, 0.25])
    steps, powers = kind().steps(rates, np.array([0.5, 0.25]))
    assert (steps.shape, powers.shape) == ((2, columns), (2, 2))
    assert steps.dtype == powers.dtype == np.float64
    if columns == 1:
        assert_same_bits(steps[:, 0], rates)
        assert powers.tolist() == [[0.5, 0.25]] * 2


def test_plain_numbers_are_stored():
    made = AdamW(np.float32(0.5), np.float64(0.5), 0, np.float32(1), np.int64(1))
    values = [getattr(made, field.name) for field in dataclasses.fields(made)]
    assert [type(value) for value in values] == [float] * 5 + [bool]
    assert values == [0.5, 0.5, 0.0, 1.0, 1.0, True]
    assert AdamW(decay_biases=np.False_).decay_biases is False
    assert SGD(0.1, 0.5, np.True_).nesterov is True
    assert Adam(0.25) == Adam(learning_rate=np.float32(0.25))
    assert hash(Adam(0.25)) == hash(Adam(np.float32(0.25)))
    assert repr(SGD()) == "SGD(learning_rate=0.1, momentum=0.0, nesterov=False)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.epsilon = 1.0


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_a_schedule_is_a_learning_rate(kind):
    schedule = Halving()
    assert kind(schedule).learning_rate is schedule
    with pytest.raises(TypeError, match=r"learning_rate=Halving is a class: give an object of it, Halving\(\.\.\.\)"):
        kind(Halving)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD(0), ValueError, "learning_rate=0 is not positive"),
        (lambda: SGD(-0.1), ValueError, "learning_rate=-0.1 is not positive"),
        (lambda: Adam(math.nan), ValueError, "learning_rate=nan is not a finite number"),
        (lambda: Adam("fast"), TypeError, "learning_rate='fast' is not a number"),
        (lambda: Adam(None), TypeError, "learning_rate=None is not a number"),
        (lambda: SGD(momentum=1), ValueError, "momentum=1 is out of range: give a number from 0 to less than 1"),
        (lambda: SGD(momentum=-0.1), ValueError, "momentum=-0.1 is out of range"),
        (lambda: SGD(momentum=True), TypeError, "momentum=True is not a number"),
        (lambda: SGD(momentum=0.9, nesterov=1), TypeError, "nesterov=1 is neither True nor False"),
        (lambda: SGD(nesterov=True), ValueError, "nesterov=True needs a momentum, and momentum=0.0: give one like 0.9"),
        (lambda: Adam(beta_1=1.0), ValueError, "beta_1=1.0 is out of range"),
        (lambda: Adam(beta_2=-1e-9), ValueError, "beta_2=-1e-09 is out of range"),
        (lambda: Adam(beta_2=math.inf), ValueError, "beta_2=inf is not a finite number"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon=0 is not positive"),
        (lambda: AdamW(beta_1=1), ValueError, "beta_1=1 is out of range"),
        (lambda: AdamW(beta_2=2), ValueError, "beta_2=2 is out of range"),
        (lambda: AdamW(epsilon=-1), ValueError, "epsilon=-1 is not positive"),
        (lambda: AdamW(weight_decay=-0.01), ValueError, "weight_decay=-0.01 is negative: give 0 or more"),
        (lambda: AdamW(weight_decay="0"), TypeError, "weight_decay='0' is not a number"),
        (lambda: RMSprop(decay=1), ValueError, "decay=1 is out of range"),
        (lambda: RMSprop(epsilon=0), ValueError, "epsilon=0 is not positive"),
        (lambda: Adagrad(initial_accumulator=-1), ValueError, "initial_accumulator=-1 is negative"),
        (lambda: Adagrad(epsilon=0.0), ValueError, "epsilon=0.0 is not positive"),
    ],
)
def test_what_is_out_of_range_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(("name", "kind"), OPTIMIZERS.items())
def test_by_name(name, kind):
    assert find(name, None) == kind()
    assert find(name, 0.125) == kind(0.125)
    schedule = Halving()
    assert find(name, schedule).learning_rate is schedule
    made = kind(0.125)
    assert find(made, None) is made


@pytest.mark.parametrize(
    ("optimizer", "rate", "error", "words"),
    [
        ("lion", None, ValueError, 'is not known: use "sgd", "adam", "adamw", "rmsprop" or "adagrad"'),
        ("adam", 0, ValueError, "learning_rate=0 is not positive"),
        ("adam", "1", TypeError, "learning_rate='1' is not a number"),
        (Adam(0.5), 0.1, ValueError, r"learning_rate=0.1 is given with .* own, 0.5: .* to Adam\(learning_rate="),
        (RMSprop, None, TypeError, r"optimizer=RMSprop is a class: .* like RMSprop\(\), or 'rmsprop'"),
        (dict, None, TypeError, r"optimizer=dict is a class: give an object of it, like Adam\(\), or 'adam'"),
        (None, None, TypeError, "optimizer=None is not an optimizer of fastmlp"),
        ([], 0.1, TypeError, r"optimizer=\[\] is not an optimizer of fastmlp"),
        (Halving(), None, TypeError, "Halving object at .* is not an optimizer of fastmlp"),
    ],
)  # fmt: skip
def test_find_says_what_is_wrong(optimizer, rate, error, words):
    with pytest.raises(error, match=words):
        find(optimizer, rate)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(), SGD(0.1, 0.9), SGD(0.1, 0.5, True), Adam(beta_1=0.5), AdamW(0.001, 0.5, 0.75, 0.1, 0.2),
        RMSprop(decay=1 / 3), RMSprop(momentum=0.5), Adagrad(initial_accumulator=0.1),
    ],
)  # fmt: skip
def test_descriptions(optimizer):
    written = json.loads(json.dumps(describe(optimizer)))
    assert written["name"] == next(name for name, kind in OPTIMIZERS.items() if kind is type(optimizer))
    assert "learning_rate" not in written
    usual = type(optimizer)().learning_rate
    assert from_description(written) == dataclasses.replace(optimizer, learning_rate=usual)
    assert describe(dataclasses.replace(optimizer, learning_rate=Halving())) == written


def test_fields_that_came_later_are_left_out_at_their_defaults():
    """As in files that were written before there were such fields."""
    described = {"name": "rmsprop", "decay": 0.9, "epsilon": 0.1}
    assert describe(RMSprop(decay=0.9, epsilon=0.1)) == described
    assert from_description(described) == RMSprop(decay=0.9, epsilon=0.1)
    for (name, field), usual in LATER.items():
        assert getattr(OPTIMIZERS[name](), field) == usual


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ({"name": "lion"}, "the optimizer's name, 'lion', is not known"),
        ({"momentum": 0.9}, "the optimizer's name, None, is not known"),
        ({"name": ["sgd"]}, r"the optimizer's name, \['sgd'\], is not known"),
        (
            {"name": "adagrad", "epsilon": 0.1},
            r"has the fields \['initial_accumulator', 'epsilon'\], and not",
        ),
        ({"name": "sgd", "momentum": 0.9, "nesterov": False, "dampening": 0.0}, "'sgd' has the fields"),
        ({"name": "sgd", "momentum": 9.0, "nesterov": False}, "momentum=9.0 is out of range"),
    ],
)
def test_a_wrong_description_is_refused(description, words):
    with pytest.raises(ValueError, match=words):
        from_description(description)
