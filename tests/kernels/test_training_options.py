"""Whole trainings with optimizers, schedules, penalties, clipping, dropout and weights, against the definition."""

import dataclasses
import itertools

import numpy as np
import pytest
from bits import assert_same_bits
from trainings import OUTPUTS, PASSES, Problem, check_training, finish, name_of

from fastmlp import optimizers, schedules
from fastmlp.engine import buffers, kept_workspaces, numba_backend, reference_backend
from fastmlp.kernels import registry
from fastmlp.losses import CrossEntropy
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.reference import random
from fastmlp.reference import train as reference_train
from fastmlp.spec import DTYPES, HIDDEN
from fastmlp.training import RateFactors, State, Training

OPTIMIZERS = {
    "sgd": None,
    "momentum": SGD(0.05, momentum=0.9),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "adam": Adam(0.02),
    "adamw": AdamW(0.02, weight_decay=0.1),
    "rmsprop": RMSprop(0.02),
    "rmsprop momentum": RMSprop(0.01, momentum=0.5),
    "adagrad": Adagrad(0.1, initial_accumulator=0.01),
}
REGULARISERS = {
    "none": {},
    "l2": {"l2": 0.01},
    "l1": {"l1": 0.003},
    "both": {"l2": 0.02, "l1": 0.001},
    "dropout": {"dropout": (0.5, 0.25)},
    "one dropout": {"dropout": (0.0, 0.7)},
    "value": {"clip_value": 0.02},
    "norm": {"clip_norm": 0.05},
}
RATES = {
    "constant": 0.05,
    "step": schedules.Step(0.1, every=1, factor=0.5),
    "exponential": schedules.Exponential(0.1, 0.7),
    "cosine": schedules.Cosine(0.1, epochs=3),
    "cosine of logarithms": schedules.CosineLog(0.1, epochs=3),
    "one cycle": schedules.OneCycle(0.1, epochs=3),
    "warm-up": schedules.WarmUp(1.5, schedules.InverseScaling(0.1)),
}


def weights_of(kind, rows, dtype):
    """Rows' weights; "zeros" has whole batches of none."""
    u = random.uniform(8, 104, 0, rows)
    weights = {
        "none": None,
        "ones": np.ones(rows),
        "some": 2 * u,
        "zeros": np.where(np.arange(rows) < rows // 2, 0.0, np.floor(3 * u)),
        "one": np.where(np.arange(rows) == rows - 1, 0.3, 0.0),
    }[kind]
    return None if weights is None else weights.astype(dtype)


def training(rows, batch, optimizer="sgd", rate="constant", regulariser="none", epochs=2, **more):
    return Training(
        epochs=epochs,
        learning_rate=RATES[rate],
        batch_size=batch,
        record_every=1,
        order=7 if batch < rows else None,
        optimizer=OPTIMIZERS[optimizer],
        dropout_seed=2**63 + 11,
        **REGULARISERS[regulariser],
        **more,
    )


def problem_of(rows, hidden="tanh", output=("softmax", None), dtype="float64", seed=21):
    return Problem.make(seed, [3, 7, 5, 2], rows, hidden, *output, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [41, 16])
@pytest.mark.parametrize("rate", ["constant", "cosine"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer, rate, batch, dtype):
    check_training(problem_of(41, dtype=dtype), training(41, batch, optimizer, rate, epochs=3))


@pytest.mark.sample(12)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [41, 16, 1])
@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_every_regulariser(regulariser, batch, dtype):
    rows = 41 if batch > 1 else 9
    check_training(problem_of(rows, ["tanh", "relu"], dtype=dtype), training(rows, batch, regulariser=regulariser))


@pytest.mark.sample(7)
@pytest.mark.parametrize("batch", [20, 7])
@pytest.mark.parametrize("rate", RATES)
def test_every_schedule(rate, batch):
    check_training(problem_of(20), training(20, batch, rate=rate, epochs=4))


@pytest.mark.sample(16)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["ones", "some", "zeros", "one"])
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
def test_weights_with_every_loss(output, kind, dtype):
    problem = problem_of(43, "relu", output, dtype)
    for batch in (43, 8):
        check_training(problem, training(43, batch), weights_of(kind, 43, dtype))


FACTORS = RateFactors((0.5, 1.0, 2.0), (0.1, 0.0, 3.0), 6.0)


@pytest.mark.sample(8)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, "adamw without biases"])
def test_rate_factors_and_input_scales(optimizer, dtype):
    """Each optimizer with rate factors, without and with an input scale; and the scale without factors."""
    chosen = OPTIMIZERS.get(optimizer) if optimizer in OPTIMIZERS else AdamW(0.02, weight_decay=0.5, decay_biases=False)
    for scaled, factors, batch in ((False, FACTORS, 41), (True, FACTORS, 16), (True, None, 16)):
        problem = Problem.make(21, [3, 7, 5, 2], 41, ["tanh", "relu"], dtype=dtype, input_scale=scaled)
        asked = dataclasses.replace(training(41, batch, rate="cosine"), optimizer=chosen, rate_factors=factors)
        found = check_training(problem, asked)
        scale = problem.spec.scale_of(found.parameters)
        assert (scale != problem.spec.scale_of(problem.parameters)).all()
        biases = [problem.spec.views(part)[1][1] for part in (found.parameters, problem.parameters)]
        if factors and (optimizer != "adamw"):
            assert_same_bits(*biases, "biases whose factor is 0")
        else:
            assert (biases[0] != biases[1]).any()


@pytest.mark.sample(3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [1101, 600, 1])
def test_input_scales_with_the_other_options(batch, dtype):
    """Several chunks; weights, penalties, clipping, dropout; one row, where plain updates have a loop of their own."""
    rows = 9 if batch == 1 else 1101
    problem = Problem.make(22, [4, 9, 6, 3], rows, ["relu", "gelu"], dtype=dtype, input_scale=True)
    plain = training(rows, batch)
    check_training(problem, plain)
    asked = dataclasses.replace(plain, optimizer=Adam(0.02), l2=0.02, l1=0.001, dropout=(0.3, 0.1), clip_norm=0.5)
    check_training(problem, asked, weights_of("zeros", rows, dtype))
    check_training(problem, dataclasses.replace(plain, clip_value=0.01, l1=0.001))
    if batch == 600:
        wide = Problem.make(22, [9, 70, 33, 2], rows, "relu", dtype=dtype, input_scale=True)
        for threads in (1, 2):
            check_training(
                wide, dataclasses.replace(plain, threads=threads, rate_factors=FACTORS), passes=("streamed", "layered")
            )


def test_an_input_scale_is_a_diagonal_layer_within_rounding():
    """Its gradient, by differences of the loss."""
    problem = Problem.make(5, [3, 6, 2], 30, "tanh", input_scale=True)
    spec, start, step = problem.spec, problem.parameters, 1e-6

    def loss(parameters):
        return reference_backend.evaluate(spec, parameters, problem.x, problem.y)[0]

    found = reference_train.loss_and_gradient(spec, start, problem.x, problem.y).gradient / 30
    for place in range(spec.parameters):
        moved = [start + sign * step * (np.arange(len(start)) == place) for sign in (1, -1)]
        slope = (loss(moved[0]) - loss(moved[1])) / (2 * step)
        assert found[place] == pytest.approx(slope, abs=1e-8)
    (w, b), *_ = spec.views(start)
    scaled = problem.x * spec.scale_of(start)
    hidden = reference_train.forward(spec, start, problem.x)[0][1]
    np.testing.assert_allclose(hidden, np.tanh(scaled @ w + b), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [43, 8, 1])
@pytest.mark.parametrize("loss", [None, CrossEntropy(0.125)], ids=["plain", "smoothed"])
def test_soft_targets(loss, batch, dtype):
    problem = Problem.make(21, [3, 7, 3], 43 if batch > 1 else 9, "relu", "softmax", loss, dtype, soft=True)
    assert 0 < (problem.y == 1).any(axis=1).sum() < len(problem.y)  # rows of both kinds
    for kind in ("none", "some"):
        check_training(
            problem, training(len(problem.x), batch, regulariser="both"), weights_of(kind, len(problem.x), dtype)
        )
    for backend in (reference_backend, numba_backend):
        with np.errstate(all="ignore"):
            found = backend.evaluate(problem.spec, problem.parameters, problem.x, problem.y)
        assert found == reference_backend.evaluate(problem.spec, problem.parameters, problem.x, problem.y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_hot_probabilities_are_labels_within_rounding(dtype):
    problem = problem_of(43, dtype=dtype)
    soft = dataclasses.replace(problem, y=np.eye(2, dtype=dtype)[problem.y.astype(int)])
    a, b = (finish(numba_backend.train, one, training(43, 16)) for one in (problem, soft))
    np.testing.assert_allclose(a.parameters, b.parameters, rtol=1e-5 if dtype == "float32" else 1e-13)


@pytest.mark.sample(12)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_dropout_with_every_activation(hidden, dtype):
    check_training(problem_of(40, hidden, dtype=dtype), training(40, 16, regulariser="dropout"))


def covering(seed, *axes):
    """Combinations that have each pair of values of any two axes: drawn at random, those that cover most are taken."""
    rng = np.random.default_rng(seed)
    missing = {
        (i, a, j, b)
        for (i, first), (j, second) in itertools.combinations(enumerate(axes), 2)
        for a, b in itertools.product(first, second)
    }
    while missing:
        tried = [tuple(axis[rng.integers(len(axis))] for axis in axes) for _ in range(60)]
        pairs_of = [
            {(i, c[i], j, c[j]) for i, j in itertools.combinations(range(len(axes)), 2)} & missing for c in tried
        ]
        best = max(range(len(tried)), key=lambda k: len(pairs_of[k]))
        missing -= pairs_of[best]
        if pairs_of[best]:
            yield tried[best]


COVERING = list(
    covering(
        1, list(HIDDEN), OUTPUTS, list(OPTIMIZERS), list(REGULARISERS), list(RATES),
        ["none", "some", "zeros"], [1, 17, 37], list(DTYPES),
    )
)  # fmt: skip


@pytest.mark.sample(20)
@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=[pytest.mark.slow] if n % 4 else []) for n in range(len(COVERING))]
)
def test_every_pair_of_options(number):
    """Activation, loss, optimizer, regulariser, schedule, weights, batch, dtype: each pair of two of them together."""
    hidden, output, optimizer, regulariser, rate, kind, batch, dtype = COVERING[number]
    rows = 37 if batch > 1 else 9
    problem = problem_of(rows, [hidden, HIDDEN[number % len(HIDDEN)]], output, dtype, seed=number)
    check_training(problem, training(rows, batch, optimizer, rate, regulariser), weights_of(kind, rows, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_more_than_a_chunk(dtype):
    """Chunks, tiles and the tree, with all of it at once."""
    problem = Problem.make(22, [4, 9, 6, 3], 1101, ["relu", "gelu"], dtype=dtype)
    asked = dataclasses.replace(training(1101, 600, "adam", "cosine", "both"), dropout=(0.3, 0.1), clip_norm=0.5)
    check_training(problem, asked, weights_of("some", 1101, dtype))


def test_weights_of_one_change_no_bit():
    problem = problem_of(700)
    for batch in (700, 64):
        plain = finish(numba_backend.train, problem, training(700, batch))
        weighed = finish(numba_backend.train, problem, training(700, batch), weights_of("ones", 700, "float64"))
        assert_same_bits(weighed.parameters, plain.parameters)
        assert_same_bits(np.array(weighed.records), np.array(plain.records))


def test_rows_of_weight_zero_teach_nothing():
    """Whatever they hold that does not overflow: training on the other rows alone gives the same loss, to rounding."""
    problem = problem_of(60)
    kept = np.arange(60) % 3 > 0
    other = dataclasses.replace(problem, x=problem.x[kept], y=problem.y[kept])
    problem.x[~kept] = 1e300
    with_zeros = finish(numba_backend.train, problem, training(60, 60), kept.astype(float))
    without = finish(numba_backend.train, other, training(40, 40))
    np.testing.assert_allclose(with_zeros.parameters, without.parameters, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([r[1] for r in with_zeros.records], [r[1] for r in without.records], rtol=1e-12)


def test_a_whole_weight_is_that_many_rows():
    problem = problem_of(30)
    counts = np.arange(30) % 4
    repeated = dataclasses.replace(problem, x=np.repeat(problem.x, counts, 0), y=np.repeat(problem.y, counts, 0))
    rows = int(counts.sum())
    weighed = finish(numba_backend.train, problem, training(30, 30), counts.astype(float))
    many = finish(numba_backend.train, repeated, training(rows, rows))
    np.testing.assert_allclose(weighed.parameters, many.parameters, rtol=1e-12)


# ---------------------------------------------------------------------------------------------------------
# Going on


@pytest.mark.sample(8)
@pytest.mark.parametrize("backend", [reference_backend, numba_backend], ids=["definition", "engine"])
@pytest.mark.parametrize("batch", [30, 8])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_epochs_and_twenty_are_thirty(optimizer, batch, backend):
    problem = problem_of(30)
    asked = training(30, batch, optimizer, "warm-up", "dropout", epochs=5)
    first = finish(backend.train, problem, dataclasses.replace(asked, epochs=2))
    rest = finish(
        backend.train, dataclasses.replace(problem, parameters=first.parameters),
        dataclasses.replace(asked, epochs=3, done=2, epochs_before=2), state=first.optimizer,
    )  # fmt: skip
    whole = finish(backend.train, problem, asked)
    assert_same_bits(rest.parameters, whole.parameters)
    assert_same_bits(rest.optimizer.vectors, whole.optimizer.vectors)
    assert_same_bits(rest.optimizer.powers, whole.optimizer.powers)
    assert_same_bits(np.array(first.records + rest.records), np.array(whole.records))


@pytest.mark.parametrize("backend", [reference_backend, numba_backend], ids=["definition", "engine"])
def test_drawn_orders_go_on(backend):
    """Orders that a caller draws for each epoch's number, over all trainings."""
    problem = problem_of(30)
    asked = dataclasses.replace(
        training(30, 8, "momentum", epochs=5),
        order=lambda epoch: np.random.RandomState(epoch).permutation(30),
        epochs_before=4,
    )
    whole = finish(backend.train, problem, asked)
    first = finish(backend.train, problem, dataclasses.replace(asked, epochs=2))
    rest = finish(
        backend.train, dataclasses.replace(problem, parameters=first.parameters),
        dataclasses.replace(asked, epochs=3, done=2, epochs_before=6), state=first.optimizer,
    )  # fmt: skip
    assert_same_bits(rest.parameters, whole.parameters)


@pytest.mark.parametrize("batch", [20, 6])
def test_calls_that_end_before_their_last_update(monkeypatch, batch):
    """At a full table of records, and at a target: the optimizer's powers are those of the updates that were made."""
    problem = problem_of(20)
    asked = training(20, batch, "adam", "cosine", epochs=9)
    free = check_training(problem, asked)
    middle = free.records[4]
    check_training(problem, dataclasses.replace(asked, target_loss=middle[1]))
    monkeypatch.setattr(numba_backend, "RECORDS", 2)
    check_training(problem, asked)
    check_training(problem, dataclasses.replace(asked, watched=True))


@pytest.mark.parametrize("pass_name", PASSES)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_returning_to_python_changes_no_bits(monkeypatch, optimizer, pass_name):
    problem, asked = problem_of(50), training(50, 8, optimizer, "cosine", "dropout", epochs=6)
    weights = weights_of("some", 50, "float64")
    straight = finish(numba_backend.train, problem, asked, weights, pass_name=pass_name)
    monkeypatch.setattr(numba_backend, "CALL_SECONDS", 1e-9)
    monkeypatch.setattr(numba_backend, "RECORDS", 3)
    monkeypatch.setattr(buffers, "STEPS", 2)
    kept_workspaces._kept.clear()  # whose records and steps were made before
    stopped = finish(numba_backend.train, problem, asked, weights, pass_name=pass_name)
    assert straight.steps < 10 < stopped.steps
    assert_same_bits(np.array(stopped.records), np.array(straight.records))
    assert_same_bits(stopped.parameters, straight.parameters)
    assert_same_bits(stopped.optimizer.powers, straight.optimizer.powers)


@pytest.mark.parametrize("batch", [30, 8])
def test_a_watched_training_shows_each_epoch_as_it_stands_after_it(batch):
    """Both backends hand out the same parameters with each record: those after that epoch's last update."""
    problem = problem_of(30)
    asked = dataclasses.replace(training(30, batch, "adam", "cosine", epochs=4), watched=True)
    seen = {}
    for backend in (reference_backend, numba_backend):
        parameters, state = problem.parameters.copy(), State.new(asked.optimizer, problem.spec.parameters, "float64")
        seen[backend] = [
            (step.records["epoch"][0], step.epochs, parameters.copy(), state.vectors.copy(), state.powers.copy())
            for step in backend.train(problem.spec, parameters, problem.x, problem.y, asked, state)
            if len(step.records)
        ]
    assert [entry[:2] for entry in seen[numba_backend]] == [entry[:2] for entry in seen[reference_backend]] == [
        (epoch, epoch) for epoch in (1, 2, 3, 4)
    ]  # fmt: skip
    for entry, expected in zip(seen[numba_backend], seen[reference_backend], strict=True):
        for got, wanted in zip(entry[2:], expected[2:], strict=True):
            assert_same_bits(got, wanted)
    alone = finish(numba_backend.train, problem, dataclasses.replace(asked, epochs=2))
    assert_same_bits(seen[numba_backend][1][2], alone.parameters)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_nothing_that_is_not_finite_is_handed_out(monkeypatch, optimizer):
    """Between records, too, where a step may find parameters that are on their way to infinity."""
    problem = Problem.make(24, [1, 1], 5, output="identity")
    problem.x[:] = 1  # at a rate of 3 the error grows by a factor of 5 or more: infinite after some 440 updates
    rate = schedules.Constant(3.0)
    asked = dataclasses.replace(training(5, 1, optimizer, epochs=400), learning_rate=rate, record_every=400)
    monkeypatch.setattr(buffers, "STEPS", 50)  # to a call
    parameters, steps = problem.parameters.copy(), []
    state = State.new(asked.optimizer, len(parameters), "float64")
    with np.errstate(all="ignore"):
        for step in numba_backend.train(problem.spec, parameters, problem.x, problem.y, asked, state):
            assert np.isfinite(parameters).all(), step
            assert np.isfinite(state.vectors).all(), step
            steps.append(step)
    assert steps[-1].state == "diverged"
    assert len(steps) > 5  # those whose parameters are finite


@pytest.mark.parametrize("dropout", [(), (0.5, 0.5)])
def test_padding_that_overflows_is_not_seen(dropout):
    """Rows that a tile lacks are rows of zeros, whose activations may be infinite where no real row's are."""
    problem = Problem.make(23, [1, 1, 1, 2], 5, "identity", "identity")
    problem.x[:] = 1
    problem.parameters[:4] = -1e200, 1e200, 1e200, 1  # z = 0 at x = 1; at x = 0 it is 1e200, and then infinite
    assert np.isfinite(reference_backend.logits(problem.spec, problem.parameters, problem.x)).all()
    asked = dataclasses.replace(training(5, 5), learning_rate=1e-300, dropout=dropout)
    expected = finish(reference_backend.train, problem, asked)
    assert np.isfinite(expected.parameters).all()
    check_training(problem, asked)


# ---------------------------------------------------------------------------------------------------------
# Dropout


def test_dropout_drops_its_share_and_keeps_the_mean():
    threshold, kept = random.dropout_numbers(0.3)
    factors = random.dropout_factors(5, random.DROPOUT, 1, np.arange(2000), 30, threshold, kept)
    assert set(np.unique(factors)) == {0.0, kept}
    assert abs((factors == 0).mean() - 0.3) < 0.01
    assert abs(factors.mean() - 1) < 0.02
    assert abs((factors == 0).mean(axis=0) - 0.3).max() < 0.05  # each unit
    assert abs(np.corrcoef(factors.T)[np.triu_indices(30, 1)]).max() < 0.1  # and by itself


def test_dropout_depends_on_seed_layer_epoch_and_place_alone():
    threshold, kept = random.dropout_numbers(0.5)

    def factors(seed=1, stream=2, epoch=1, places=range(8), units=9):
        return random.dropout_factors(seed, stream, epoch, np.array(places), units, threshold, kept)

    first = factors()
    np.testing.assert_array_equal(factors(places=[5]), first[5:6])
    for other in (factors(seed=2), factors(stream=3), factors(epoch=2), factors(places=range(8, 16))):
        assert (other != first).any()


# ---------------------------------------------------------------------------------------------------------
# What it costs those who do not use it


def test_the_plain_path_asks_for_no_other_kernel(monkeypatch):
    asked_for = []
    real = registry.address
    monkeypatch.setattr(registry, "address", lambda name, dtype: asked_for.append(name) or real(name, dtype))
    problem = Problem.make(1, [2, 8, 8, 2], 20)
    finish(numba_backend.train, problem, Training(3, 0.1, 20, record_every=1))
    assert set(asked_for) - {"train.train"} == {
        "train.sum_batch", "streamed.span", "layout.gather", "dense.dense_forward",
        "dense.dense_backward_input", "dense.dense_backward_weights", "losses.softmax_cross_entropy",
        "optimizers.gradient_descent",
    }  # fmt: skip


def test_every_optimizer_is_here():
    assert {type(found) for found in OPTIMIZERS.values() if found} == set(optimizers.OPTIMIZERS.values())
