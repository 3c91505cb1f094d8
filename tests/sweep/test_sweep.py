"""Model k of a sweep equals the model that is trained alone: parameters, history, and why it stopped."""

import json
import pickle
import warnings

import numpy as np
import pytest
from sweep import tables
from sweep.tables import records

from fastmlp import SGD, EarlyStopping, Model
from fastmlp.fit import together
from fastmlp.schedules import Cosine
from fastmlp.splits import split
from fastmlp.sweep import Each, ImpossiblePoints, Sweep, train_many


@pytest.fixture(scope="module")
def blobs():
    return tables.blobs(90)


def alone(*arguments, **options):
    return tables.alone(*arguments, **options)[0]


def test_models_equal_those_alone(blobs):
    X, y = blobs
    grid = {"learning_rate": [0.01, Cosine(0.5, 9)], "depth": [0, 2], "hidden": ["tanh", "gelu"], "seed": range(2)}
    result = Sweep(grid, base={"width": 7}).fit(X, y, epochs=9, batch_size=16)
    assert len(result) == 16
    for found in result:
        model = alone(found.point, X, y, epochs=9, batch_size=16, width=7)
        assert found.digest == found.model.digest() == model.digest()
        assert records(found.history) == records(model.history)


def test_validation_is_held_out_once(blobs):
    X, y = blobs
    result = Sweep({"seed": [0, 5]}).fit(X, y, epochs=5, validation=0.2, early_stopping=2)
    rows, others = split(y, 0.2, 0)
    for found in result:
        model = alone(found.point, X[rows], y[rows], epochs=5, early_stopping=2, validation=(X[others], y[others]))
        assert found.digest == model.digest()
        assert records(found.history) == records(model.history)
    assert result[0].digest == alone({}, X, y, epochs=5, early_stopping=2, validation=0.2).digest()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["fraction", "rows", "weighed rows"])
def test_weights_of_rows(blobs, dtype, kind):
    X, y = blobs
    weights = np.linspace(0.5, 2, len(y))
    rows, others = split(y, 0.2, 7)
    usual = {"epochs": 4, "batch_size": 8, "class_weight": "balanced", "dtype": dtype}
    result = Sweep([{**usual, "seed": seed} for seed in (0, 1)], seed=7)
    held = X[others], y[others], np.arange(len(others)) if kind == "weighed rows" else None
    if kind == "fraction":
        found = result.fit(X, y, validation=0.2, sample_weight=weights)
    else:
        found = result.fit(X[rows].tolist(), y[rows].tolist(), validation=held, sample_weight=weights[rows].tolist())
    for one in found:
        model = alone(one.point, X[rows], y[rows], validation=held, sample_weight=weights[rows])
        assert one.digest == model.digest()
        assert records(one.history) == records(model.history)


def test_what_is_wrong_with_all_points_is_told_once(blobs):
    X, y = blobs
    says = "all 9 points are impossible, and nothing was trained: y has 0.5 in row 0, which is not a label"
    with pytest.raises(ImpossiblePoints, match=says) as raised:
        Sweep({"seed": range(9)}).fit(X, y + 0.5, epochs=3)
    assert len(raised.value.impossible) == 9
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_the_table(blobs):
    X, y = blobs
    grid = {"learning_rate": [0.01, 1e9], "loss": ["squared_error"]}
    result = Sweep(grid).fit(X, y, epochs=30, validation=0.2)
    table = json.loads(json.dumps(result.to_dict()))
    assert table["learning_rate"] == [0.01, 1e9]
    assert table["given_loss"] == ["squared_error"] * 2
    assert table["state"] == ["trained", "diverged"]
    assert "diverged" in table["reason"][1]
    assert result.best().number == 0
    assert list(result.to_pandas().columns) == list(table)
    assert "2 points: 1 trained, 1 diverged" in str(result)
    assert [found.number for found in result] == [0, 1]
    with pytest.raises(ValueError, match='use "loss", "accuracy"'):
        result.best("los")


def test_all_impossible_points_are_told_before_anything_runs(blobs):
    grid = {"learning_rate": [0.1, -1], "depth": [0, 1], "dropout": [0.0, 0.5], "init": ["he_normal", "he"]}
    sweep = Sweep(grid)
    with pytest.raises(ImpossiblePoints, match="13 of 16 points are impossible, and nothing was trained") as raised:
        sweep.fit(*blobs, epochs=3)
    assert [number for number, _, _ in raised.value.impossible] == [1, 2, 3, 5, 7, *range(8, 16)]
    assert "point 2 (learning_rate=0.1, depth=0, dropout=0.5, init='he_normal'): dropout=0.5" in str(raised.value)
    assert sweep.result is None


def test_an_optimizer_object_takes_a_learning_rate(blobs):
    X, y = blobs
    result = Sweep({"optimizer": [SGD(momentum=0.9), "adam"], "learning_rate": [0.01, 0.02]}).fit(X, y, epochs=4)
    model = alone({}, X, y, optimizer=SGD(0.02, momentum=0.9), epochs=4)
    assert result[1].digest == model.digest()


@pytest.mark.parametrize(
    ("models", "options", "says"),
    [
        (3, {}, "models=3 is not a list of models"),
        (None, {}, "models=None is not a list of models"),
        ([Model([4, 3])], {"lr": 0.1}, "train_many has no argument 'lr': did you mean \"learning_rate\""),
        ([Model([4, 3])], {"callback": print}, "train_many has no argument 'callback': many models train at once"),
    ],
)
def test_wrong_arguments_of_train_many(blobs, models, options, says):
    with pytest.raises(TypeError, match=says):
        train_many(models, *blobs, epochs=1, **options)


@pytest.mark.parametrize("values", [3, None, "abc"])
def test_each_takes_a_list(values):
    with pytest.raises(TypeError, match=f"Each of {values!r}, which is not a list: give a value for each model"):
        Each(values)


def test_warnings_of_other_threads_are_left_alone(monkeypatch):
    """What the table has is no warning; but the process's filters, which are for all threads, stay as they are."""
    filters, seen, take = list(warnings.filters), [], together._Member.take

    def taken(*arguments):
        seen.append(list(warnings.filters) == filters)
        return take(*arguments)

    monkeypatch.setattr(together._Member, "take", taken)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        for count in (1, 2):
            models = [Model([1, 1], output="identity", seed=seed) for seed in range(count)]
            results = train_many(models, np.ones((4, 1)), np.ones(4), epochs=3, learning_rate=3.0)
            assert [result.state for result in results] == ["trained"] * count
        assert not caught
        models[0].fit(np.ones((4, 1)), np.ones(4), epochs=3, learning_rate=3.0)
        assert len(caught) == 1  # of these rows, a fit warns
    assert seen
    assert all(seen)


def test_models_that_are_there(blobs):
    X, y = blobs
    half = np.arange(0, 90, 2)
    models = [Model([4, 5, 1], loss="squared_error", seed=seed) for seed in range(3)]
    rates = [0.1, 1e9, 0.2]
    found = train_many(
        models, X, y, epochs=Each([3, 4, 5]), learning_rate=Each(rates), rows=Each([None, None, half]), batch_size=8,
        early_stopping=EarlyStopping(3),
    )  # fmt: skip
    assert [result.state for result in found] == ["trained", "diverged", "trained"]
    assert found[2].point == {"epochs": 5, "learning_rate": 0.2}
    for k, (rows, epochs) in enumerate(((slice(None), 3), (slice(None), 4), (half, 5))):
        model = Model([4, 5, 1], loss="squared_error", seed=k)
        try:
            model.fit(X[rows], y[rows], epochs=epochs, learning_rate=rates[k], batch_size=8, early_stopping=3)
        except ArithmeticError:
            pass
        assert models[k].digest() == model.digest() == found[k].digest
        assert records(models[k].history) == records(model.history)
    with pytest.raises(ValueError, match=r"models\[1\] is models\[0\]"):
        train_many([models[0]] * 2, X, y, epochs=1)
    with pytest.raises(ArithmeticError, match="diverged"):
        train_many(models, X, y, epochs=5, learning_rate=Each(rates), on_error="raise")
