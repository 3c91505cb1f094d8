"""Groups of models: each member gets the bits, the records and the steps that it gets alone."""

import dataclasses
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from bits import assert_same_bits
from trainings import FIGURES, OUTPUTS, Problem, name_of

from fastmlp.engine import choose, model_lanes, numba_backend, reference_backend
from fastmlp.engine.model_lanes import Member
from fastmlp.kernels.plan import INTERRUPTED, MORE
from fastmlp.losses import CrossEntropy, Huber
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, ClassicalSGD, PlainAdam, RMSprop
from fastmlp.schedules import Cosine, Step
from fastmlp.spec import DTYPES, HIDDEN
from fastmlp.system.cpu import target
from fastmlp.training import Objective, RateFactors, State, Training

OPTIMIZERS = [
    lambda u: None, lambda u: SGD(0.1, momentum=u), lambda u: SGD(0.1, momentum=u, nesterov=True),
    lambda u: ClassicalSGD(0.1, momentum=u), lambda u: ClassicalSGD(0.1, momentum=u, nesterov=True),
    lambda u: Adam(0.1, beta_1=u), lambda u: AdamW(0.1, weight_decay=u), lambda u: PlainAdam(0.1, beta_2=u),
    lambda u: RMSprop(0.1, decay=u), lambda u: RMSprop(0.1, momentum=u),
    lambda u: Adagrad(0.1, initial_accumulator=u),
]  # fmt: skip


def register(dtype):
    """Models in a register."""
    return target().register // np.dtype(dtype).itemsize


def member(problem, training, rows=None):
    """A Member with arrays of its own."""
    state = State.new(training.optimizer, problem.spec.parameters, problem.spec.dtype)
    return Member(problem.parameters.copy(), problem.x, problem.y, training, state, rows=rows)


def alone(spec, one, backend=numba_backend):
    """What a member's training is without the others: its steps' records, its last step, parameters and state."""
    parameters, state = one.parameters.copy(), one.state.copy()
    chosen = slice(None) if one.rows is None else one.rows
    x, y = (np.ascontiguousarray(array[chosen]) for array in (one.x, one.y))
    records, count = [], 0
    for step in backend.train(spec, parameters, x, y, one.training, state, kept=one.kept):
        records += step.records[FIGURES].tolist()
        count += bool(len(step.records))
        last = dataclasses.replace(step, kept=None if step.kept is None else step.kept.copy())
    return records, last, parameters, state, count


def check(spec, members, lanes=None, backend=numba_backend):
    """Trains the members together and each alone. Raises AssertionError where they differ. -> how each ended."""
    with np.errstate(all="ignore"):
        expected = [alone(spec, one, backend) for one in members]
        found = [[[], None, one.parameters, one.state, 0] for one in members]
        for steps in model_lanes.train(spec, members, lanes):
            for number, step in steps.items():
                own = found[number]
                assert own[1] is None or own[1].state == "more", "a step after the end"
                own[0] += step.records[FIGURES].tolist()
                own[1] = dataclasses.replace(step, kept=None if step.kept is None else step.kept.copy())
                own[4] += bool(len(step.records))
                for change in step.changes:
                    change()
    for number, (got, want) in enumerate(zip(found, expected, strict=True)):
        records, step, parameters, state, count = want
        assert (got[1].state, got[1].epochs) == (step.state, step.epochs), number
        assert_same_bits(np.array(got[0], np.float64), np.array(records, np.float64), f"records of {number}")
        assert_same_bits(got[2], parameters, f"parameters of {number}")
        if step.state != "diverged":
            assert_same_bits(got[3].vectors, state.vectors, f"optimizer's vectors of {number}")
            assert_same_bits(got[3].powers, state.powers, f"optimizer's powers of {number}")
            assert_same_bits(got[1].kept, step.kept, f"parameters to go back to, of {number}")
        if members[number].training.watched:
            assert got[4] == count, "a step for each record"
    return [want[1].state for want in expected]


def draw(rng, dtype, wild=False):
    """A network and members with random data and options, and how many lanes a group is to have."""
    depth = int(rng.integers(0, 4))
    output, loss = OUTPUTS[rng.integers(len(OUTPUTS))]
    layers = [int(n) for n in rng.integers(1, 20, depth + 2)]
    layers[-1] = int(rng.integers(1 + (output == "softmax"), 6))
    hidden = [str(name) for name in rng.choice(HIDDEN, depth)]
    rows = int(rng.choice([1, 2, 3, 4, 5, 9, 16, 17, 30, 100]))
    batch = int(rng.choice([1, 2, 3, 4, 7, 8, 9, 16, 20, 64, rows]))
    optimizer = OPTIMIZERS[rng.integers(len(OPTIMIZERS))]
    order = rng.choice(["none", "seed", "seed", "drawn"])
    penalized, picked, timed = rng.random(3) < 0.3
    asked = dict(
        epochs=int(rng.integers(1, 9)), batch_size=batch, record_every=int(rng.integers(1, 4)),
        done=int(rng.integers(0, 3)), watched=bool(rng.random() < 0.3), step_every=[None, None, 2][rng.integers(3)],
    )  # fmt: skip
    base = Problem.make(int(rng.integers(1000)), layers, rows + 5, hidden, output, loss, dtype)
    members = []
    for number in range(int(rng.integers(1, 20))):
        problem = Problem.make(int(rng.integers(1000)), layers, rows, hidden, output, loss, dtype)
        chosen = None
        if picked and rng.random() < 0.7:
            problem = dataclasses.replace(problem, x=base.x, y=base.y)
            chosen = rng.integers(0, rows + 5, rows)
        rate = float(rng.choice([0.01, 0.1, 0.5, *([1e3, 1e30] if wild else [])]))
        schedule = Step(rate, every=2, factor=0.5) if number % 2 else Cosine(rate, 5)
        training = Training(
            learning_rate=schedule if timed else rate,
            order={"none": None, "seed": int(rng.integers(2**63)), "drawn": _order(number, rows)}[order],
            optimizer=optimizer(0.9 * float(rng.random()) + 0.01),
            epochs_before=asked["done"] + int(rng.integers(3)),
            target_loss=float(rng.random()) if rng.random() < 0.3 else None,
            target_accuracy=float(rng.random()) if rng.random() < 0.2 else None,
            l2=0.1 * float(rng.random()) if penalized else 0.0, l1=float(rng.choice([0, 0.01])) if penalized else 0.0,
            **asked,
        )  # fmt: skip
        members.append(member(problem, training, chosen))
        if asked["done"]:
            members[-1].state.vectors += np.dtype(dtype).type(0.25)
            members[-1].state.powers *= 0.5
            members[-1].kept = problem.parameters + np.dtype(dtype).type(1)
    return problem.spec, members, [None, register(dtype), 2 * register(dtype), 3 * register(dtype)][rng.integers(4)]


def _order(number, rows):
    return lambda epoch: np.random.default_rng((number, epoch)).permutation(rows)


# ---------------------------------------------------------------------------------------------------------
# Bits


@pytest.mark.sample(2)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", [*range(2), *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 60))])
def test_random_members(seed, dtype):
    """Networks, data, orders, rates, optimizers, penalties, targets and groups at random."""
    check(*draw(np.random.default_rng(seed), dtype, wild=seed % 3 == 0))


@pytest.mark.sample(10)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_every_activation_and_output(hidden, output, dtype):
    for batch in (5, 1):
        members = []
        for seed in range(3):
            problem = Problem.make(seed, [3, 6, 5, 2], 13, hidden, *output, dtype)
            members.append(member(problem, Training(2, 0.1 + seed / 4, batch, record_every=2, order=seed)))
        check(problem.spec, members, register(dtype) * (1 + (batch == 1)))


@pytest.mark.sample(12)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 511, 512])
def test_edges_of_lines_and_the_chunk(rows, dtype):
    for output in ("softmax", "identity"):
        members = []
        for seed in range(2):
            problem = Problem.make(seed, [2, 5, 3], rows, "tanh", output, dtype=dtype)
            members.append(member(problem, Training(2, 0.5, rows, record_every=1)))
        check(problem.spec, members)


@pytest.mark.sample(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 40])
def test_any_number_of_members_in_groups_of_any_width(count, dtype):
    for registers in (1, 2, 3, 8):
        members = []
        for seed in range(count):
            problem = Problem.make(seed, [2, 2, 1], 4, "sigmoid", "sigmoid", dtype=dtype)
            members.append(member(problem, Training(3, 0.1 * (seed + 1), 1, record_every=2, order=seed)))
        check(problem.spec, members, registers * register(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_definition_itself(dtype):
    members = []
    for seed in range(3):
        problem = Problem.make(seed, [3, 5, 4, 2], 21, ["tanh", "relu"], dtype=dtype)
        members.append(member(problem, Training(3, 0.2, 8, record_every=1, order=seed, optimizer=Adam(0.1), l2=0.1)))
    check(problem.spec, members, backend=reference_backend)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(15))
def test_nasty_numbers(seed, dtype):
    """Zeros of both signs, subnormals, products that underflow to -0, overflow, cancellation."""
    rng = np.random.default_rng(seed)
    hidden, output = rng.choice(HIDDEN), OUTPUTS[seed % len(OUTPUTS)]
    rows, batch = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    limit = -np.finfo(dtype).minexp * (0.1, 0.5, 0.7)[seed % 3]
    members = []
    for number in range(3):
        problem = Problem.make(seed + number, [3, 5, 4, 2], rows, hidden, *output, dtype)
        for numbers in (problem.x, problem.parameters):
            scale = np.exp2(np.trunc(rng.uniform(-limit, limit / 4, numbers.shape)))
            numbers[:] = numbers * np.where(rng.random(numbers.shape) < 0.3, -0.0, scale)
        members.append(member(problem, Training(3, 0.5, batch, record_every=1, order=seed)))
    check(problem.spec, members)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_that_underflow_keep_their_sign(dtype):
    tiny = float(np.finfo(dtype).tiny)
    for rows in (1, 2, 3, 4, 8, 13, 16, 29):
        problem = Problem.make(24, [2, 2], rows, "identity", "identity", dtype=dtype)
        problem.parameters[:], problem.x[:], problem.y[:] = -0.0, tiny, tiny  # each x dz is -tiny^2
        check(problem.spec, [member(problem, Training(1, 1.0, rows, record_every=1)) for _ in range(2)])


# ---------------------------------------------------------------------------------------------------------
# Members go their own ways


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [7, 30])
@pytest.mark.parametrize("watched", [False, True])
def test_one_diverges_and_one_reaches_its_target(watched, batch, dtype):
    problem = Problem.make(3, [3, 6, 2], 30, "tanh", "identity", dtype=dtype)
    asked = dict(record_every=2, order=5, watched=watched)
    trainings = [Training(9, 0.1, batch, **asked) for _ in range(5)]
    trainings[1] = dataclasses.replace(trainings[1], learning_rate=1e37)
    records = alone(problem.spec, member(problem, trainings[3]))[0]
    trainings[3] = dataclasses.replace(trainings[3], target_loss=records[2][1])
    ends = check(problem.spec, [member(problem, training) for training in trainings])
    assert ends == ["done", "diverged", "done", "target", "done"]


def test_all_of_a_group_end_early():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    training = Training(10**9, 0.1, 30, record_every=1, target_loss=100.0)
    assert check(problem.spec, [member(problem, training) for _ in range(3)]) == ["target"] * 3


def test_the_caller_ends_some():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    training = Training(6, 0.1, 7, record_every=1, order=5, watched=True)
    members = [member(problem, training) for _ in range(4)]
    steps, seen = model_lanes.train(problem.spec, members), dict.fromkeys(range(4), 0)
    made = next(steps)
    while made:
        for number, step in made.items():
            seen[number] += 1
            for change in step.changes:
                change()
        try:
            made = steps.send({1, 2} if seen[1] == 2 else set())
        except StopIteration:
            break
    assert seen == {0: 6, 1: 2, 2: 2, 3: 6}
    short = member(problem, dataclasses.replace(training, epochs=2))
    assert_same_bits(members[1].parameters, alone(problem.spec, short)[2])
    assert_same_bits(members[3].parameters, alone(problem.spec, member(problem, training))[2])


def test_members_of_different_trainings_come_in_groups_of_their_own():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    trainings = [
        Training(3, 0.1, 7, 1, order=1), Training(4, 0.1, 7, 1, order=1), Training(3, 0.1, 30, 1),
        Training(3, 0.1, 7, 1),
        Training(3, 0.1, 7, 2, order=1), Training(3, Cosine(0.1, 3), 7, 1, order=1),
        Training(3, 0.1, 7, 1, order=1, l2=0.1), Training(3, 0.1, 7, 1, order=1, optimizer=Adam()),
    ]  # fmt: skip
    assert len({model_lanes.group(training, 30) for training in trainings}) == len(trainings)
    members = [member(problem, training) for training in trainings] + [member(problem, trainings[0], np.arange(9))]
    check(problem.spec, members)


def test_nothing_is_written_but_by_changes():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    members = [member(problem, Training(3, 0.1, 7, 1, order=1, optimizer=Adam(), watched=True)) for _ in range(3)]
    steps = model_lanes.train(problem.spec, members)
    next(steps)
    next(steps)
    steps.close()
    for one in members:
        assert_same_bits(one.parameters, problem.parameters)
        assert not one.state.vectors.any()
        assert (one.state.powers == 1).all()


def test_ctrl_c_comes_between_batches():
    """A handler that does not raise: training goes on as if nothing had been."""
    problem = Problem.make(3, [30, 64, 64, 2], 512, "relu", dtype="float32")
    members = [member(problem, Training(60, 0.1 + n / 9, 512, 9)) for n in range(register("float32"))]
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(time.perf_counter()))
    began = time.perf_counter()
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        for steps in model_lanes.train(problem.spec, members):
            for step in steps.values():
                for change in step.changes:
                    change()
        ended = time.perf_counter()
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1
    assert seen[0] < ended
    assert seen[0] - began < 20
    for one in members[:2]:
        fresh = member(problem, one.training)
        assert_same_bits(one.parameters, alone(problem.spec, fresh)[2])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
@pytest.mark.parametrize("dtype", DTYPES)
def test_ctrl_c_whose_handler_goes_on_changes_nothing(dtype, monkeypatch):
    """Also where a model ends in the call that is interrupted: its records and powers are of no later call."""
    pressed, ended = [], []
    function = model_lanes.registry.function

    def interrupting(name, *rest):
        run = function(name, *rest)

        def some_batches(plan, parameters, asked):
            state = run(plan, parameters, min(asked, 2))
            return INTERRUPTED if state == MORE else state

        return some_batches if name == "model_lanes.train" else run

    def take_in(group, powers, usual=model_lanes.Group._take_in):
        ended.append(sum(not group.live[lane.lane] for lane in group.lanes))
        return usual(group, powers)

    monkeypatch.setattr(model_lanes.registry, "function", interrupting)
    monkeypatch.setattr(model_lanes.Group, "_take_in", take_in)
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        for seed, rate in enumerate((0.5, Cosine(0.5, 30))):
            problem = Problem.make(seed, [5, 6, 3], 20, dtype=dtype)
            training = Training(
                epochs=30, learning_rate=rate, batch_size=8, record_every=1, order=3, optimizer=Adam(0.5)
            )
            several = [dataclasses.replace(training, target_loss=1.2 - 0.05 * k, order=k) for k in range(9)]
            wild = dataclasses.replace(training, learning_rate=1e30 if seed == 0 else Cosine(1e30, 30))
            states = check(problem.spec, [member(problem, one) for one in [*several, wild]])
            assert len(set(states)) > 1
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(pressed) > 4
    assert sum(ended) > 2


# ---------------------------------------------------------------------------------------------------------
# What runs where

VALUES = {  # of options: values that a member may have
    "learning_rate": [0.1, Cosine(0.1, 3)], "order": [None, 3, _order(1, 30)], "batch_size": [1, 7, 30],
    "record_every": [1, 2], "target_loss": [None, 0.5], "target_accuracy": [None, 0.9], "epochs_before": [0, 4],
    "done": [0, 3], "rate_begins": [0, 1], "optimizer": [make(0.5) for make in OPTIMIZERS], "l2": [0.0, 0.1],
    "l1": [0.0, 0.1], "clip_value": [0.1], "clip_norm": [0.1], "dropout": [(0.5,)], "dropout_seed": [0, 3],
    "objective": [Objective()], "threads": [None, 1], "watched": [False, True], "step_every": [None, 2],
    "rate_factors": [RateFactors((1.0, 1.0), (0.1, 0.1))], "begun": [None, 0], "epochs": [1, 3],
}  # fmt: skip


def test_each_option_has_its_cell():
    """A new option of a training is one that lanes have, or one that is planned elsewhere on purpose."""
    names = {field.name for field in dataclasses.fields(Training)}
    assert set(choose.OPTIONS) == names | {"weights"}
    assert set(VALUES) == names
    assert set(choose.OPTIONS.values()) == {"lanes", "whole"}


@pytest.mark.parametrize("option", VALUES)
def test_an_option_runs_where_the_table_says(option):
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    asked = dict(epochs=4, learning_rate=0.1, batch_size=7, record_every=1, order=1)
    for value in VALUES[option]:
        training = Training(**{**asked, option: value})
        fits = choose.fits_lanes(problem.spec, training, 30)
        assert fits == (choose.OPTIONS[option] == "lanes")
        if fits:
            check(problem.spec, [member(problem, training) for _ in range(2)])


def test_weights_of_rows_run_whole():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    assert choose.OPTIONS["weights"] == "whole"
    assert not choose.fits_lanes(problem.spec, Training(1, 0.1, 30, 1), 30, weighed=True)


def test_input_scales_and_decays_that_spare_biases_run_whole():
    training = Training(1, 0.1, 30, 1)
    scaled = Problem.make(3, [3, 6, 2], 30, "tanh", input_scale=True).spec
    assert not choose.fits_lanes(scaled, training, 30)
    assert choose.fits_lanes(scaled.plain, training, 30)
    spares = dataclasses.replace(training, optimizer=AdamW(decay_biases=False))
    assert not choose.fits_lanes(scaled.plain, spares, 30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1, 7, 30])
def test_soft_targets_run_as_lanes(batch, dtype):
    for loss in (None, CrossEntropy(0.125)):
        problem = Problem.make(3, [3, 6, 3], 30, "tanh", "softmax", loss, dtype, soft=True)
        training = Training(4, 0.1, batch, 1, order=1)
        spec = problem.spec.of_targets(problem.y)
        assert choose.fits_lanes(spec, training, 30)
        check(spec, [member(problem, training) for _ in range(3)])


def test_more_than_a_chunk_runs_whole():
    spec = Problem.make(3, [3, 6, 2], 30, "tanh").spec
    assert choose.fits_lanes(spec, Training(1, 0.1, 512, 1), 1000)
    assert not choose.fits_lanes(spec, Training(1, 0.1, 513, 1), 1000)


def test_every_loss_fits():
    for output in OUTPUTS:
        assert choose.fits_lanes(Problem.make(1, [2, 3], 4, "relu", *output).spec, Training(1, 0.1, 4, 1), 4)
    assert choose.fits_lanes(Problem.make(1, [2, 3], 4, "relu", "identity", Huber(2.0)).spec, Training(1, 0.1, 4, 1), 4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lanes_pay_for_tiny_networks_and_not_for_wide_ones(dtype):
    tiny, wide = (Problem.make(1, layers, 4, dtype=dtype).spec for layers in ([2, 8, 8, 2], [64, 100, 10]))
    training = Training(1, 0.1, 4, 1)
    lanes = register(dtype)
    assert choose.models_in_lanes(tiny, training, 2000, 64) == 64
    assert choose.models_in_lanes(tiny, training, 2000, lanes) == lanes
    assert choose.models_in_lanes(tiny, training, 2000, 1) == 0
    full = dataclasses.replace(training, batch_size=2000)
    assert choose.models_in_lanes(tiny, full, 512, lanes + 1) == lanes  # the second register would be nearly empty
    assert choose.models_in_lanes(tiny, full, 512, 2 * lanes) == 2 * lanes
    assert choose.models_in_lanes(tiny, full, 512, lanes // 2) == 0
    assert choose.models_in_lanes(wide, dataclasses.replace(training, batch_size=200), 2000, 64) == 0
    some = dataclasses.replace(training, batch_size=32)
    assert choose.models_in_lanes(wide, some, 2000, 64) == (64 if dtype == "float32" else 0)
