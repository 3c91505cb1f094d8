"""Sweeps of random mixed options equal loops, in any order, with any number of threads, and whatever neighbours do."""

import random
import warnings

import numpy as np
import pytest
from sweep.tables import OPTIONS, REGRESSION, alone, blobs, mixed, records, table

from fastmlp.errors import DivergenceWarning
from fastmlp.fit import lanes
from fastmlp.model import Model
from fastmlp.splits import split
from fastmlp.sweep import Each, Sweep, train_many

NAN = [[0.0, 1.0], [1.0, float("nan")]]


@pytest.fixture(scope="module", params=["labels", "values"])
def case(request):
    """(points, X, y)"""
    X, y = blobs()
    if request.param == "labels":
        return mixed(30, 1), X, y
    return mixed(30, 2, {**OPTIONS, **REGRESSION}), X, X[:, 0] * X[:, 1]


@pytest.fixture(scope="module")
def whole(case):
    """The sweep in this process on one thread."""
    points, X, y = case
    return Sweep(points).fit(X, y, validation=0.2, threads=1)


def test_each_model_equals_the_one_alone(case, whole):
    points, X, y = case
    labels = y if y.dtype.kind == "i" else np.zeros(len(y))
    rows, others = split(labels, 0.2, 0)
    for found, point in zip(whole, points, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            model, reason = alone(point, X[rows], y[rows], validation=(X[others], y[others]))
        assert found.reason == reason
        assert found.state == ("trained" if reason is None else "diverged")
        assert found.model.digest() == found.digest == model.digest()
        assert records(found.history) == records(model.history)
        assert found.model.epochs == model.epochs
    assert any("best value" in (found.stopped or "") for found in whole)
    assert y.dtype.kind == "i" or any(found.state == "diverged" for found in whole)


@pytest.mark.parametrize("forced", [False, True])
def test_two_threads_in_shuffled_order(case, whole, forced, monkeypatch):
    """forced: models that can be trained in one group are, though it may not pay."""
    monkeypatch.setattr(lanes, "force", forced)
    points, X, y = case
    order = list(range(len(points)))
    random.Random(1).shuffle(order)
    shuffled = Sweep([points[k] for k in order]).fit(X, y, validation=0.2, threads=2)
    expected = [whole[k] for k in order]
    for found, one in zip(shuffled, expected, strict=True):
        assert (found.digest, found.state, found.reason) == (one.digest, one.state, one.reason)
        assert records(found.history) == records(one.history)


@pytest.mark.parametrize("forced", [False, True])
def test_neighbours_that_end_early_change_nothing(forced, monkeypatch):
    monkeypatch.setattr(lanes, "force", forced)
    X, y = blobs()
    values = y[:, None] * 1.0
    usual = {"learning_rate": 0.05, "epochs": 20, "batch_size": 8, "output": "identity", "width": 8}
    points = [{**usual, "seed": seed} for seed in range(16)]
    quiet = Sweep(points).fit(X, values, validation=0.2)
    points[3] = {**points[3], "learning_rate": 1e30}
    points[7] = {**points[7], "early_stopping": 1, "learning_rate": 0.3}
    points[9] = {**points[9], "target_loss": 1.0}
    loud = Sweep(points).fit(X, values, validation=0.2)
    assert {found.together for found in (*quiet, *loud)} != {1} or not (forced and lanes._lanes)
    assert loud[3].state == "diverged"
    assert loud[7].stopped
    assert "target" in loud[9].stopped or loud[9].epochs < 20
    for k in range(16):
        if k not in (3, 7, 9):
            assert loud[k].digest == quiet[k].digest
            assert records(loud[k].history) == records(quiet[k].history)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_more_mixtures(seed, monkeypatch):
    monkeypatch.setattr(lanes, "force", bool(seed % 2))
    X, y = blobs(47)
    points = mixed(60, seed)
    found = Sweep(points).fit(X, y, threads=2)
    assert table(found) == table(Sweep(points).fit(X, y, threads=1))
    for k in range(0, 60, 3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DivergenceWarning)
            model, reason = alone(points[k], X, y)
        assert (found[k].digest, found[k].reason) == (model.digest(), reason)
        assert records(found[k].history) == records(model.history)


@pytest.mark.parametrize(
    ("wrong", "words"), [({"epochs": "3"}, "epochs"), ({"epochs": 3, "l2": -1.0}, "l2"), ({"epochs": 3, "X": NAN}, "X")]
)
def test_what_is_wrong_for_all_models_is_raised(wrong, words):
    models = [Model([2, 3, 2], seed=seed) for seed in range(3)]
    asked = {"X": [[0.0, 1.0], [1.0, 0.0]], "y": [0, 1], **wrong}
    with pytest.raises((TypeError, ValueError), match=words):
        train_many(models, **asked)


def test_what_is_wrong_for_one_model_is_recorded():
    models = [Model([2, 3, 2], seed=seed) for seed in range(3)]
    found = train_many(models, [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=Each([2, "3", 2]))
    assert [result.state for result in found] == ["trained", "failed", "trained"]
