"""The estimators for tables with weights of rows and classes: bits, what a weight of 0 and of 1 is, errors."""

import numpy as np
import pytest
from bits import assert_same_bits
from test_tabular import KINDS, bits, fitted, made, table

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

from sklearn.utils import compute_sample_weight

from fastmlp import TabularClassifier, TabularRegressor
from fastmlp.tabular import base, rows, temperature


def of(kind, count=60):
    X, labels, sizes = table(count)
    return X, labels if kind is TabularClassifier else sizes


def everything(estimator, X):
    """All that weights may change: members, predictions, temperature, importances."""
    plain = [*bits(estimator), getattr(estimator, "temperature_", None), estimator.predict(X).tolist()]
    return plain + [estimator.feature_importances_.tobytes()]


# ---------------------------------------------------------------------------------------------------------
# Bits


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_one_change_no_bit(kind):
    X, y = of(kind)
    more = {"calibrate": True} if kind is TabularClassifier else {}
    one = made(kind, n_members=2, **more).fit(X, y)
    for weights in (np.ones(60), [1] * 60, np.ones(60, np.float32)):
        assert everything(made(kind, n_members=2, **more).fit(X, y, weights), X) == everything(one, X)
    y = np.stack([np.arange(60.0), np.arange(60.0) ** 2], axis=1)
    if kind is TabularRegressor:
        one, other = (made(kind).fit(X, y, weights) for weights in (None, np.ones(60)))
        assert everything(one, X) == everything(other, X)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_the_reference_give_the_same_bits(kind):
    X, y = of(kind)
    weights = np.linspace(0, 2, 60)
    one = made(kind, n_members=2).fit(X, y, weights)
    for parameters in ({"n_threads": 1}, {"n_threads": 2}, {"backend": "reference"}):
        other = made(kind, n_members=2, **parameters).fit(X, y, weights)
        assert everything(other, X) == everything(one, X), parameters
    assert bits(one) != bits(made(kind, n_members=2).fit(X, y))


@pytest.mark.parametrize("kind", KINDS)
def test_what_weighs_nothing_is_not_there(kind):
    """Also its words, holes, labels, and what else is learnt of all rows."""
    X, y = of(kind, 70)
    X, y = X.copy(), y.astype(object if kind is TabularClassifier else float)
    gone = np.arange(70) % 7 == 3
    weights = np.where(gone, 0, np.linspace(0.5, 2, 70))
    X.loc[gone, "colour"], X.loc[gone, "size"] = "violet", 1e9
    y[gone] = "other" if kind is TabularClassifier else 1e12
    more = {"class_weight": "balanced", "calibrate": True} if kind is TabularClassifier else {}
    one = made(kind, n_members=2, **more).fit(X, y, weights)
    other = made(kind, n_members=2, **more).fit(X[~gone], y[~gone], weights[~gone])
    assert everything(one, X) == everything(other, X)
    if kind is TabularClassifier:
        assert list(one.classes_) == ["big", "small"]


@pytest.mark.parametrize("class_weight", ["balanced", {"big": 3.0}, {"big": 0.5, "small": 2}])
def test_class_weights_are_sample_weights(class_weight):
    X, labels = of(TabularClassifier)
    one = made(class_weight=class_weight).fit(X, labels)
    given = {"small": 1.0, **class_weight} if isinstance(class_weight, dict) else class_weight
    by_row = compute_sample_weight(given, labels)
    assert everything(one, X) == everything(made().fit(X, labels, by_row), X)
    own = np.linspace(0.5, 2, 60)
    both = made(class_weight=class_weight).fit(X, labels, own)
    assert everything(both, X) == everything(made().fit(X, labels, own * by_row), X)
    assert bits(one) != bits(fitted()[0])


# ---------------------------------------------------------------------------------------------------------
# What weights do


def test_weights_train_validate_and_reach_the_members(monkeypatch):
    """Each member gets those of its rows, and those of its validation."""
    seen = []
    real = base.train_parts

    def told(caller, models, x, y, train, options, *more):
        seen.append((train, options))
        return real(caller, models, x, y, train, options, *more)

    monkeypatch.setattr(base, "train_parts", told)
    X, y = of(TabularRegressor)
    weights = np.arange(1.0, 61)
    made(TabularRegressor, n_members=3).fit(X, y, weights)
    ((train, options),) = seen
    weights = weights / 32  # the largest is from 1 to 2: only ratios count
    assert_same_bits(options["sample_weight"], weights)
    for some, held in zip(train, options["validation"].values, strict=True):
        assert sorted([*weights[some], *held[2]]) == sorted(weights)


def test_the_heavy_rows_are_learnt():
    """Two groups that say opposite things of one column: the heavier one is right."""
    x = np.tile(np.linspace(-1, 1, 60), 2)[:, None]
    group = np.repeat([0, 1], 60)
    y = np.where(group == 0, x[:, 0], -x[:, 0])
    for heavy, slope in ((0, 1), (1, -1)):
        weights = np.where(group == heavy, 20.0, 1.0)
        value = made(TabularRegressor, epochs=40).fit(x, y, weights).predict([[0.8]])[0]
        label = made(epochs=40).fit(x, y > 0, weights).predict([[0.8]])[0]
        assert slope * value > 0.3
        assert label == (slope > 0)


def test_a_temperature_counts_weights():
    """Rows that weigh twice count as two; the unit of the weights says nothing."""
    rng = np.random.RandomState(0)
    p = rng.dirichlet([1, 1, 1], 400)
    places = np.array([rng.choice(3, p=row) for row in p])
    weights = np.where(places == p.argmax(axis=1), 2.0, 1.0)
    found = temperature.sharpness(p, places, weights)
    again = np.repeat(np.arange(400), weights.astype(int))
    assert found == pytest.approx(temperature.sharpness(p[again], places[again]), rel=0.01)
    assert temperature.sharpness(p, places, weights * 8) == found
    assert found > 1.1 * temperature.sharpness(p, places)


def test_weighted_means():
    losses, weights = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([1.0, 3.0])
    assert rows.mean(losses, weights) == (1 + 2 + 3 * (3 + 5)) / (4 * 2)
    assert rows.mean(losses[:, 0] > 2, weights) == 0.75
    assert rows.mean(losses, None) == losses.mean()


def test_calibration_and_importances_get_the_weights_of_rows_held_out(monkeypatch):
    """Those that weigh something."""
    seen, means = [], []
    real = rows.mean
    monkeypatch.setattr(temperature, "sharpness", lambda p, places, weights: seen.append((places, weights)) or 1.0)
    monkeypatch.setattr(rows, "mean", lambda losses, weights: means.append(weights) or real(losses, weights))
    X, labels = of(TabularClassifier)
    weights = np.linspace(1, 1.9, 60)
    one = made(n_members=2, calibrate=True, class_weight={"big": 0.0}).fit(X, labels, weights)
    ((places, given),) = seen
    held = np.concatenate(one._held[2])
    assert (places == 1).all()  # "small"
    assert_same_bits(given, weights[held][labels[held] == "small"])
    assert one.feature_importances_.shape == (4,)
    for own, some in zip(means[:: len(means) // 2], one._held[2], strict=True):
        assert_same_bits(own, weights[some] * (labels[some] == "small"))


def test_importances_count_weights():
    """A column that tells only what rows without much weight are has no importance."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(240, 2))
    group = np.arange(240) % 2
    y = np.where(group == 0, X[:, 0], X[:, 1])
    X = np.column_stack([X, group])
    found = made(TabularRegressor, epochs=40).fit(X, y, np.where(group == 0, 1.0, 1e-3)).feature_importances_
    assert found[0] > 0.5 > 10 * found[1]


def test_a_fold_that_weighs_nothing_validates_nothing():
    """class_weight of 0 leaves rows where they are; if a member's all are of that class, no member validates."""
    x = np.arange(40.0)[:, None]
    y = np.array(["a"] * 3 + ["b"] * 37)
    one = made(n_members=5, class_weight={"b": 0.0}).fit(x, y)
    assert len(one.classes_) == 2
    assert np.isnan(one.ensemble_[0].history.validation_loss).all()
    assert list(one.predict(x[:3])) == ["a", "a", "a"]


# ---------------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.zeros(60), "sample_weight is 0 for every row|Sample weights must contain"),
        (np.full(60, -1.0), "Negative values in sample_weight: row 0"),
        (np.full(60, np.nan), "sample_weight contains NaN"),
        (np.ones(59), "sample_weight"),
        (np.eye(60)[4], "give at least 2 rows that weigh more than 0|y has one class"),
    ],
)
def test_wrong_weights_are_named(kind, weights, words):
    one = made(kind)
    with pytest.raises(ValueError, match=words):
        one.fit(*of(kind), sample_weight=weights)
    assert not hasattr(one, "ensemble_")


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({"large": 1.0}, "large|not in class_weight"),
        ({"big": -1.0}, r"class_weight\['big'\]=-1.0 is no weight"),
        ({"big": 0, "small": 0}, "with class_weight, every row weighs 0"),
        ("even", "class_weight"),
    ],
)
def test_wrong_class_weights_are_named(class_weight, words):
    with pytest.raises(ValueError, match=words):
        made(class_weight=class_weight).fit(*of(TabularClassifier))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_names_the_class_that_the_caller_knows(kind):
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.fit\(\) got an unexpected keyword argument 'weights'"):
        made(kind).fit(*of(kind), weights=np.ones(60))


@pytest.mark.parametrize("factor", [2.0**-900, 2.0**900])
def test_only_ratios_count(factor):
    X, y = of(TabularRegressor)
    weights = np.arange(1.0, 61)
    alone, scaled = (made(TabularRegressor).fit(X, y, given) for given in (weights, weights * factor))
    assert [m.digest() for m in alone.ensemble_] == [m.digest() for m in scaled.ensemble_]


def test_rows_of_next_to_no_weight_are_not_there():
    X, y = of(TabularRegressor)
    nothing = np.arange(60) % 2
    found = [made(TabularRegressor).fit(X, y, np.where(nothing, 1.0, least)) for least in (0.0, 1e-30, 1e-300)]
    assert len({tuple(m.digest() for m in one.ensemble_) for one in found}) == 1
    made().fit(X, y > np.median(y), np.exp(-0.7 * np.arange(60)))


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({1: -1}, r"class_weight\[1\]=-1 is no weight"),
        ({0: np.inf}, r"class_weight\[0\]=inf is no weight"),
        ({0: "a"}, r"class_weight\[0\]='a' is no weight"),
        ({"0": 2}, r"class_weight has the labels '0', and y has 0, 1: name one of y's"),
    ],
)
def test_errors_of_class_weights_name_the_label(class_weight, words):
    X, y = of(TabularRegressor)
    with pytest.raises(ValueError, match=words):
        made(class_weight=class_weight).fit(X, (y > np.median(y)).astype(int))
