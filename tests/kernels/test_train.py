"""Whole trainings: every pass against the definition, bit for bit; and against digests that may never change."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import digests
import numpy as np
import pytest
from bits import assert_same_bits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trainings import OUTPUTS, PASSES, Problem, assert_same_result, check_training, draw, finish, name_of

import fastmlp
from fastmlp.engine import choose, kept_workspaces, numba_backend, reference_backend, sizes
from fastmlp.kernels import registry
from fastmlp.losses import Huber
from fastmlp.optimizers import SGD
from fastmlp.schedules import Cosine
from fastmlp.spec import DTYPES, HIDDEN
from fastmlp.training import Training

# ---------------------------------------------------------------------------------------------------------
# Trainings


@pytest.mark.sample(12)
@pytest.mark.parametrize("seed", [*range(25), *(pytest.param(n, marks=pytest.mark.slow) for n in range(25, 100))])
def test_random_networks(seed):
    """Depths 1-5, widths 1-70, rows 1-1100, batches, orders, every activation, output and dtype, at random."""
    check_training(*draw(np.random.default_rng(seed), seconds=2.0 if seed % 10 == 0 else 0.5))


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    layers=st.lists(st.integers(1, 19), min_size=2, max_size=5),
    rows=st.integers(1, 70),
    batch=st.integers(1, 80),
    hidden=st.sampled_from(HIDDEN),
    output=st.sampled_from(OUTPUTS),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**64 - 1),
)
def test_small_networks(layers, rows, batch, hidden, output, dtype, seed):
    layers[-1] += output[0] == "softmax"
    problem = Problem.make(seed, layers, rows, hidden, *output, dtype)
    check_training(problem, Training(3, 0.3, batch, record_every=1, order=seed))


@pytest.mark.sample(16)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_every_activation_and_output(hidden, output, dtype):
    problem = Problem.make(5, [3, 7, 5, 2], 75, hidden, *output, dtype)
    check_training(problem, Training(2, 0.5, 75, record_every=1))
    check_training(problem, Training(2, 0.5, 32, record_every=1, order=9))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 1537, 2561])
def test_edges_of_lines_chunks_and_the_tree(rows, dtype):
    check_training(Problem.make(rows, [2, 3, 2], rows, dtype=dtype), Training(2, 0.5, rows, record_every=1))


@pytest.mark.parametrize("batch", [pytest.param(1, marks=pytest.mark.slow), 2, 8, 255, 256, 512, 513, 700])
def test_batches(batch):
    """Short last batches, of one row and of more than a chunk."""
    problem = Problem.make(6, [2, 4, 1], 1025, "tanh", "sigmoid", "squared_error")
    check_training(problem, Training(1, 0.5, batch, record_every=1, order=3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_layers(dtype):
    check_training(Problem.make(7, [70, 70, 67, 10], 130, dtype=dtype), Training(1, 0.1, 130, record_every=1))


@pytest.mark.sample(24)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(30))
def test_nasty_numbers(seed, dtype):
    """Zeros of both signs, subnormals, products that underflow to -0, overflow, cancellation."""
    rng = np.random.default_rng(seed)
    hidden, output = rng.choice(HIDDEN), OUTPUTS[seed % len(OUTPUTS)]
    rows, batch = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    problem = Problem.make(seed, [3, 5, 4, 2], rows, hidden, *output, dtype)
    limit = -np.finfo(dtype).minexp * (0.1, 0.5, 0.7)[seed % 3]
    for numbers in (problem.x, problem.parameters):
        scale = np.exp2(np.trunc(rng.uniform(-limit, limit / 4, numbers.shape)))
        numbers[:] = numbers * np.where(rng.random(numbers.shape) < 0.3, -0.0, scale)
    check_training(problem, Training(3, 0.5, batch, record_every=1, order=seed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_that_underflow_keep_their_sign(dtype):
    """A sum of -0: rows of padding, and lanes without rows, must add to it what the definition says and no more."""
    tiny = float(np.finfo(dtype).tiny)
    for rows in (1, 3, 8, 13, 16, 29):
        problem = Problem.make(24, [2, 2], rows, "identity", "identity", dtype=dtype)
        problem.parameters[:], problem.x[:], problem.y[:] = -0.0, tiny, tiny  # each x dz is -tiny^2
        check_training(problem, Training(1, 1.0, rows, record_every=1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", ["relu", "identity"])
def test_what_overflows_in_padding_stays_there(hidden, dtype):
    """A row of zeros would give infinities in the second layer; the rows that there are do not."""
    big = float(np.sqrt(np.finfo(dtype).max)) * 4
    problem = Problem.make(25, [1, 1, 1, 1], 3, hidden, "identity", dtype=dtype)
    problem.parameters[:] = -big, big, big, 0, 1, 0
    problem.x[:], problem.y[:] = 1, 0.5
    result = check_training(problem, Training(1, 2.0**-100, 3, record_every=1))
    assert np.isfinite(result.parameters).all()


@pytest.mark.parametrize(("rows", "batch"), [(60, 60), (60, 25)])
@pytest.mark.parametrize("every", [1, 3, 1000])
def test_which_epochs_are_recorded(rows, batch, every):
    training = Training(8, 0.1, batch, record_every=every, order=1)
    result = check_training(Problem.make(8, [2, 3, 2], rows), training)
    assert [record[0] for record in result.records] == [epoch for epoch in range(1, 9) if training.recorded(epoch)]


# ---------------------------------------------------------------------------------------------------------
# Batches of one row: `online.train`, where updates are plain


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_online(hidden, output, dtype):
    """Layers of less than a register, of one, and of several side by side, before and behind each other."""
    last = 1 + (output[0] == "softmax")
    for layers, every in (([2, 2, last], 1), ([3, 4, 19, 2], 2)):
        problem = Problem.make(26, layers, 3, hidden, *output, dtype)
        check_training(problem, Training(3, 0.3, 1, record_every=every, order=7), passes=("rowwise",))


@pytest.mark.sample(7)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", [[1, 1], [3, 1], [2, 17], [20, 40, 33], [1, 8, 8, 8, 1], [2, 16, 1], [130, 9, 3]])
def test_online_by_layers(layers, dtype):
    for hidden, output in (("relu", ("identity", "squared_error")), ("tanh", ("sigmoid", "binary_cross_entropy"))):
        problem = Problem.make(27, layers, 6, hidden, *output, dtype)
        check_training(problem, Training(4, 0.2, 1, record_every=4), passes=("rowwise",))


@pytest.mark.parametrize("dtype", DTYPES)
def test_online_products_that_underflow_keep_their_sign(dtype):
    """Weights of -0, whose update is a product that underflows to -0: fma(-rate, +0, -0) is -0, with -0 it is +0."""
    tiny = float(np.finfo(dtype).tiny)
    problem = Problem.make(24, [2, 2], 4, "identity", "identity", dtype=dtype)
    problem.parameters[:], problem.x[:], problem.y[:] = -0.0, tiny, tiny  # each x dz is -tiny^2
    problem.x[1::2] *= -1
    result = check_training(problem, Training(1, 1.0, 1, record_every=1), passes=("rowwise",))
    assert np.signbit(result.parameters[:4]).all()


@pytest.mark.sample(8)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(10))
def test_online_nasty_numbers(seed, dtype):
    rng = np.random.default_rng(seed)
    problem = Problem.make(seed, [3, 5, 18, 2], 7, rng.choice(HIDDEN), *OUTPUTS[seed % len(OUTPUTS)], dtype)
    limit = -np.finfo(dtype).minexp * (0.1, 0.5, 0.7)[seed % 3]
    for numbers in (problem.x, problem.parameters):
        scale = np.exp2(np.trunc(rng.uniform(-limit, limit / 4, numbers.shape)))
        numbers[:] = numbers * np.where(rng.random(numbers.shape) < 0.3, -0.0, scale)
    check_training(problem, Training(4, 0.5, 1, record_every=2, order=seed), passes=("rowwise",))


def test_what_is_trained_online(monkeypatch):
    """Batches of one row of several, plain updates, and not so wide that a step takes long; the bits are the same."""
    asked_for = set()
    real = registry.address
    monkeypatch.setattr(registry, "address", lambda name, dtype: asked_for.add(name) or real(name, dtype))
    monkeypatch.setattr(registry, "_functions", {})

    def kernels(rows=6, batch=1, output=("softmax", None), weights=None, **more):
        asked_for.clear()
        kept_workspaces._kept.clear()  # which have their kernels already
        problem = Problem.make(28, [3, 4, 2], rows, "tanh", *output)
        training = Training(2, **{"learning_rate": 0.1, "batch_size": batch, "record_every": 1, **more})
        return finish(numba_backend.train, problem, training, weights), set(asked_for)

    plain, found = kernels()
    assert found == {"online.train", "online.pack", "online.unpack", "losses.softmax_cross_entropy"}
    for other in (
        dict(batch=2), dict(rows=1), dict(weights=np.ones(6)), dict(l2=0.1), dict(optimizer=SGD(momentum=0.5)),
        dict(dropout=(0.5,)), dict(learning_rate=Cosine(0.1, epochs=2)), dict(output=("identity", Huber(1.0))),
    ):  # fmt: skip
        assert "online.train" not in kernels(**other)[1], other
    monkeypatch.setattr(choose, "ONLINE_PARAMETERS", 25)
    same, found = kernels()
    assert "rowwise.span" in found
    assert_same_result(same, plain)


# ---------------------------------------------------------------------------------------------------------
# Batches of a few rows: `few.sum_batch`


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_few(hidden, output, dtype):
    """One output and several, whose deltas are made in different places; epochs with a record and without."""
    for layers, rows, every in (([2, 2, 1 + (output[0] == "softmax")], 4, 3), ([3, 4, 5, 2], 7, 2)):
        problem = Problem.make(29, layers, rows, hidden, *output, dtype)
        check_training(problem, Training(5, 0.3, rows, record_every=every))


@pytest.mark.sample(8)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17])
def test_few_by_rows(rows, dtype):
    """As many as halve to a line, and between; whole epochs and batches, with a short last one."""
    outputs = ("identity", "squared_error"), ("sigmoid", "binary_cross_entropy"), ("identity", "squared_error")
    for hidden, output in zip(("relu", "tanh", "silu"), outputs, strict=True):
        problem = Problem.make(30, [2, 3, 1, 1], rows, hidden, *output, dtype)
        check_training(problem, Training(5, 0.2, rows, record_every=5))
        check_training(problem, Training(4, 0.2, 4, record_every=3, order=8))
        check_training(problem, Training(4, 0.2, rows, record_every=3, optimizer=SGD(momentum=0.5)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_end_at_a_record_before_its_update(dtype):
    problem = Problem.make(31, [2, 3, 1], 4, "tanh", "sigmoid", "squared_error", dtype)
    result = check_training(problem, Training(5, 0.2, 4, record_every=2, target_loss=1e9))
    assert (result.state, result.epochs) == ("target", 0)
    assert_same_bits(result.parameters, problem.parameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(10))
def test_few_nasty_numbers(seed, dtype):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 9))
    output = OUTPUTS[seed % len(OUTPUTS)]
    problem = Problem.make(seed, [3, 5, 1 + (output[0] == "softmax")], rows, rng.choice(HIDDEN), *output, dtype)
    limit = -np.finfo(dtype).minexp * (0.1, 0.5, 0.7)[seed % 3]
    for numbers in (problem.x, problem.parameters):
        scale = np.exp2(np.trunc(rng.uniform(-limit, limit / 4, numbers.shape)))
        numbers[:] = numbers * np.where(rng.random(numbers.shape) < 0.3, -0.0, scale)
    check_training(problem, Training(4, 0.5, rows, record_every=3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_products_that_underflow_keep_their_sign(dtype):
    """As `test_products_that_underflow_keep_their_sign`, where weights are updated at once."""
    tiny = float(np.finfo(dtype).tiny)
    for rows in (3, 4, 5, 8, 16):
        problem = Problem.make(24, [2, 1], rows, "identity", "identity", dtype=dtype)
        problem.parameters[:], problem.x[:], problem.y[:] = -0.0, tiny, tiny
        check_training(problem, Training(3, 1.0, rows, record_every=3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_overflows_behind_few_rows_stays_there(dtype):
    """As `test_what_overflows_in_padding_stays_there`, in epochs without a record."""
    big = float(np.sqrt(np.finfo(dtype).max)) * 4
    problem = Problem.make(25, [1, 1, 1, 1], 3, "identity", "identity", dtype=dtype)
    problem.parameters[:] = -big, big, big, 0, 1, 0
    problem.x[:], problem.y[:] = 1, 0.5
    result = check_training(problem, Training(3, 2.0**-100, 3, record_every=3))
    assert np.isfinite(result.parameters).all()


def test_what_few_rows_are(monkeypatch):
    """Small networks, more than one row of a batch and at most a line, no options of the pass."""
    asked_for = set()
    real = registry.address
    monkeypatch.setattr(registry, "address", lambda name, dtype: asked_for.add(name) or real(name, dtype))

    def kernels(layers=(3, 4, 2), rows=8, batch=8, weights=None, dtype="float64", **more):
        asked_for.clear()
        problem = Problem.make(28, list(layers), rows, "tanh", dtype=dtype)
        finish(
            numba_backend.train,
            problem,
            Training(2, **{"learning_rate": 0.1, "record_every": 1, "batch_size": batch, **more}),
            weights,
        )
        return set(asked_for)

    for few in (dict(), dict(batch=3), dict(rows=16, batch=16, dtype="float32"), dict(optimizer=SGD(momentum=0.5))):
        found = kernels(**few)
        assert "few.sum_batch" in found, few
        assert not any(name.startswith(("dense", "streamed")) for name in found), few
    for other in (
        dict(batch=1), dict(rows=9, batch=9), dict(rows=17, batch=17, dtype="float32"), dict(layers=(10, 16, 2)),
        dict(weights=np.ones(8)), dict(dropout=(0.5,)),
    ):  # fmt: skip
        assert "few.sum_batch" not in kernels(**other), other


# ---------------------------------------------------------------------------------------------------------
# How the engine goes about it


def some_training(dtype="float64", epochs=6):
    """1100 rows, in batches of 600: chunks of 512 and 88, and a short batch of 500."""
    problem = Problem.make(9, [3, 9, 6, 2], 1100, ["relu", "tanh"], dtype=dtype)
    return problem, Training(epochs, 0.3, 600, record_every=1, order=4)


@pytest.fixture(scope="module", params=DTYPES)
def long_training(request):
    problem, training = some_training(request.param)
    return problem, training, finish(reference_backend.train, problem, training)


@pytest.mark.parametrize("pass_name", PASSES)
@pytest.mark.parametrize("tile_bytes", [1, 1500, 3000, 8000, 24 * 1024, 2**30])
def test_tile_sizes(long_training, monkeypatch, tile_bytes, pass_name):
    problem, training, expected = long_training
    monkeypatch.setattr(sizes, "TILE_BYTES", tile_bytes)
    assert_same_result(finish(numba_backend.train, problem, training, pass_name=pass_name), expected)


@pytest.mark.parametrize("sums_bytes", [0, 2**30])
@pytest.mark.parametrize("whole", [False, True])
def test_sums_in_one_tile_or_several(long_training, monkeypatch, sums_bytes, whole):
    problem, training, expected = long_training
    if whole:
        training = Training(2, 0.3, len(problem.x), record_every=1)
        expected = finish(reference_backend.train, problem, training)
    monkeypatch.setattr(sizes, "TILE_BYTES", 4000)
    monkeypatch.setattr(sizes, "SUMS_BYTES", sums_bytes)
    assert_same_result(finish(numba_backend.train, problem, training, pass_name="streamed"), expected)


@pytest.mark.parametrize("rows", [37, 512, 700, 1100])
def test_whole_batches_in_tiles(monkeypatch, rows):
    """The tiled copy of the data, whose last chunk and tile are short."""
    problem = Problem.make(10, [3, 5, 2], rows, output="sigmoid")
    training = Training(2, 0.3, rows, record_every=1)
    expected = finish(reference_backend.train, problem, training)
    for tile_bytes in (1, 2000, 3000, 5000, 2**30):
        monkeypatch.setattr(sizes, "TILE_BYTES", tile_bytes)
        assert_same_result(finish(numba_backend.train, problem, training, pass_name="streamed"), expected)


@pytest.mark.parametrize("order", [None, 5, lambda epoch: np.random.RandomState(epoch).permutation(97)])
def test_returning_to_python_changes_no_bits(monkeypatch, order):
    problem = Problem.make(11, [6, 20, 20, 3], 97, "sigmoid")
    training = Training(12, 0.3, 10, record_every=3, order=order)
    expected = finish(reference_backend.train, problem, training)
    for pass_name in PASSES:
        straight = finish(numba_backend.train, problem, training, pass_name=pass_name)
        with monkeypatch.context() as changed:
            changed.setattr(numba_backend, "CALL_SECONDS", 1e-9)
            changed.setattr(numba_backend, "RECORDS", 3)
            stopped = finish(numba_backend.train, problem, training, pass_name=pass_name)
        assert straight.steps < 12 + (order is not None) * 12 < 50 < stopped.steps
        assert_same_result(straight, expected)
        assert_same_result(stopped, expected)


@pytest.mark.parametrize("pass_name", PASSES)
def test_more_records_than_a_call_holds(monkeypatch, pass_name):
    monkeypatch.setattr(numba_backend, "RECORDS", 3)
    for batch in (20, 7):
        problem, training = Problem.make(12, [2, 3, 2], 20), Training(20, 0.3, batch, record_every=1, order=1)
        assert_same_result(
            finish(numba_backend.train, problem, training, pass_name=pass_name),
            finish(reference_backend.train, problem, training),
        )


def test_training_goes_on_where_another_ended():
    """Without shuffles, 3 epochs and then 4 are 7 epochs."""
    problem, _ = some_training()
    whole = finish(numba_backend.train, problem, Training(7, 0.3, 600, record_every=1))
    first = finish(numba_backend.train, problem, Training(3, 0.3, 600, record_every=1))
    rest = finish(
        numba_backend.train,
        dataclasses.replace(problem, parameters=first.parameters),
        Training(4, 0.3, 600, record_every=1),
    )
    assert_same_bits(rest.parameters, whole.parameters)


# ---------------------------------------------------------------------------------------------------------
# Targets and divergence


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [40, 16])
@pytest.mark.parametrize("every", [1, 4])
def test_targets_stop_both_at_the_same_step(batch, every, dtype):
    problem = Problem.make(13, [2, 8, 2], 40, dtype=dtype)
    training = Training(14, 0.5, batch, record_every=every, order=2)
    free = check_training(problem, training)
    assert free.state == "done"
    middle = free.records[len(free.records) // 2]
    for target in (
        {"target_loss": middle[1]}, {"target_accuracy": middle[2]}, {"target_loss": 1e9}, {"target_accuracy": 0.0},
        {"target_loss": middle[1] * (1 + 1e-12), "target_accuracy": 1.0},
    ):  # fmt: skip
        stopped = check_training(problem, dataclasses.replace(training, **target))
        assert stopped.state == "target"
        assert stopped.epochs <= middle[0]
    assert check_training(problem, dataclasses.replace(training, target_loss=0.0)).state == "done"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [30, 7])
@pytest.mark.parametrize("output", [("identity", "squared_error"), ("softmax", "cross_entropy")], ids="-".join)
def test_divergence_ends_both_with_the_same_parameters(output, batch, dtype):
    problem = Problem.make(14, [3, 6, 2], 30, "relu", *output, dtype)
    result = check_training(problem, Training(2000, 1e18, batch, record_every=1))
    assert result.state == "diverged"
    assert np.isfinite(result.parameters).all()


@pytest.mark.parametrize("batch", [30, 7])
@pytest.mark.parametrize("every", [2, 50])
def test_divergence_between_records(every, batch):
    """The definition sees it at once, the engine when it returns: both go back to the same parameters."""
    problem = Problem.make(14, [3, 6, 2], 30, "relu", "identity")
    training = Training(2000, 1e18, batch, record_every=every)
    expected = finish(reference_backend.train, problem, training)
    for pass_name in PASSES:
        got = finish(numba_backend.train, problem, training, pass_name=pass_name)
        assert got.state == expected.state == "diverged"
        assert_same_bits(got.parameters, expected.parameters)


@pytest.mark.parametrize("train", [reference_backend.train, numba_backend.train], ids=["definition", "engine"])
@pytest.mark.parametrize("every", [1, 10])
def test_divergence_of_parameters_alone_leaves_finite_ones(train, every):
    """An infinite weight under a saturated sigmoid: each loss is finite, and so must be what is kept."""
    problem = Problem.make(15, [1, 1], 1, output="sigmoid", loss="squared_error")
    problem.parameters[:], problem.x[:], problem.y[:] = 0, 100, 0  # the first update makes w -infinity
    result = finish(train, problem, Training(50, 1e308, 1, record_every=every))
    assert result.state == "diverged"
    assert np.isfinite(result.parameters).all()


# ---------------------------------------------------------------------------------------------------------
# Predictions


@pytest.mark.sample(16)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("rows", [1, 9, 130, 1025])
def test_predictions(rows, output, dtype):
    problem = Problem.make(16, [3, 9, 4, 2], rows, ["tanh", "relu"], *output, dtype)
    data = problem.spec, problem.parameters, problem.x
    for pass_name in (*PASSES, None):
        for name in ("outputs", "logits"):
            expected = getattr(reference_backend, name)(*data)
            assert_same_bits(getattr(numba_backend, name)(*data, pass_name), expected, name)
        got, expected = (
            b.evaluate(*data, problem.y, *s) for b, s in ((numba_backend, [pass_name]), (reference_backend, []))
        )
        assert_same_bits(np.array(got), np.array(expected), "loss and accuracy")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
def test_a_rows_prediction_is_the_same_in_any_batch(output, dtype):
    problem = Problem.make(17, [4, 11, 5, 3], 1000, ["relu", "sigmoid"], *output, dtype)
    for predict, pass_name in itertools.product((numba_backend.outputs, numba_backend.logits), PASSES):
        every = predict(problem.spec, problem.parameters, problem.x, pass_name)
        for first, count in ((0, 1), (999, 1), (511, 1), (512, 3), (1, 17), (37, 600), (480, 520)):
            some = np.ascontiguousarray(problem.x[first : first + count])
            assert_same_bits(
                predict(problem.spec, problem.parameters, some, pass_name), every[first : first + count], f"{first}"
            )
        turned = predict(problem.spec, problem.parameters, np.ascontiguousarray(problem.x[::-1]), pass_name)
        assert_same_bits(turned[::-1], every)


# ---------------------------------------------------------------------------------------------------------
# Other processors, registers and compilers' settings; and the bits of yesterday


def golden():
    return json.loads(digests.GOLDEN.read_text())["digests"]


def assert_same_digests(got, expected):
    changed = [name for name in {**expected, **got} if got.get(name) != expected.get(name)]
    assert not changed, (
        f"the bits of {changed} are not those of tests/golden.json. "
        "If the numerics version changed on purpose, run `python tests/digests.py --write`"
    )


def digests_elsewhere(cache, settings):
    """What `digests.py --pairs` prints in a process of its own, with these settings and this cache folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "FASTMLP_"))}
    environment |= {"FASTMLP_CACHE_DIR": str(cache), "PYTHONPATH": str(Path(fastmlp.__file__).parents[1]), **settings}
    command = [sys.executable, digests.__file__, "--pairs"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_some_digests_of_a_generic_processor(tmp_path):
    """Registers of 16 bytes, no fused multiply-add. All digests and pairs are below."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "FASTMLP_"))}
    environment |= {"FASTMLP_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}
    environment |= {"NUMBA_CPU_NAME": "generic"}
    command = [sys.executable, digests.__file__, "--check", "three tiles", "few values", "layers"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


SETTINGS = [
    {"NUMBA_CPU_NAME": "generic"},
    {"FASTMLP_REGISTER_BYTES": "16"},
    {"FASTMLP_REGISTER_BYTES": "32"},
    {"FASTMLP_REGISTER_BYTES": "64"},  # without AVX-512, LLVM makes two registers of one
    {"NUMBA_OPT": "0"},
    {"NUMBA_LOOP_VECTORIZE": "0"},
]


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: " ".join(f"{k}={v}" for k, v in s.items()))
def test_same_bits_elsewhere(settings, tmp_path):
    found = digests_elsewhere(tmp_path, settings)
    assert_same_digests(found["digests"], golden())
    every = {f"{name} {dtype}" for name, kernel in registry.load_all().items() for dtype in kernel.dtypes}
    assert set(found["kernels"]) == every, "digests.py must run every kernel"


@pytest.mark.slow
def test_golden_digests_of_the_reference():
    assert_same_digests(digests.digests(by_kernel=False), golden())


def test_golden_digests_of_the_kernels():
    registry.load_all()
    assert_same_digests(digests.digests(by_kernel=True), golden())
