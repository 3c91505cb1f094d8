"""The estimators for tables: what scikit-learn promises of them, bits, cells of all kinds, members, calibration."""

import copy
import dataclasses
import pickle
import warnings

import numpy as np
import pytest
from bits import assert_same_bits

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import DivergenceError, DivergenceWarning, Model, TabularClassifier, TabularRegressor
from fastmlp.core import preprocess
from fastmlp.core.preprocess import RobustScale, Scale
from fastmlp.reference import preprocess as definition
from fastmlp.tables import recipe
from fastmlp.tabular import base, rows, temperature

KINDS = [TabularClassifier, TabularRegressor]
SMALL = {"n_members": 1, "hidden_layer_sizes": (6, 5), "epochs": 4, "batch_size": 16}


def table(count=60, seed=0):
    """Rows with a word, a number with holes and a date, and labels."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.RandomState(seed)
    size = np.round(rng.normal(50, 10, count), 2)
    colour = np.array(["red", "green", None], object)[rng.randint(0, 3, count)]
    when = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.randint(0, 400, count), unit="D")
    holes = np.where(rng.uniform(size=count) < 0.2, np.nan, size)
    X = pandas.DataFrame({"size": holes, "colour": colour, "when": when, "old": rng.uniform(size=count) < 0.5})
    return X, np.where(size + 20 * (colour == "red") > 55, "big", "small"), size


def made(kind=TabularClassifier, **parameters):
    return kind(**{**SMALL, **parameters})


def bits(estimator):
    return [estimator.ensemble_.digest()]


def fitted(kind=TabularClassifier, **parameters):
    X, labels, sizes = table()
    return made(kind, **parameters).fit(X, labels if kind is TabularClassifier else sizes), X


# ---------------------------------------------------------------------------------------------------------
# scikit-learn's own checks


@parametrize_with_checks(
    [
        TabularClassifier(n_members=1, hidden_layer_sizes=(24,), epochs=40, batch_size=32),
        TabularRegressor(n_members=1, hidden_layer_sizes=(24,), epochs=40, batch_size=32),
    ]
)
def test_checks_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize("kind", KINDS)
def test_clones_copies_and_pickles_are_equal(kind):
    one, X = fitted(kind, n_members=2)
    y = table()[1 if kind is TabularClassifier else 2]
    assert bits(clone(one).fit(X, y)) == bits(one)
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert_same_bits(other.spread(X), one.spread(X))
        assert (other.predict(X) == one.predict(X)).all()
        assert_same_bits(other.feature_importances_, one.feature_importances_)
    assert list(one.feature_names_in_) == ["size", "colour", "when", "old"]
    assert one.n_features_in_ == 4


def test_labels_come_back_as_they_were():
    X, labels, _ = table()
    one = made().fit(X, labels)
    assert list(one.classes_) == ["big", "small"]
    assert set(one.predict(X)) <= {"big", "small"}
    assert set(made().fit(X, labels == "big").predict(X)) <= {True, False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that probabilities of float32 do not add up to 1
        assert log_loss(labels, one.predict_proba(X)) < 1
    assert cross_val_score(made(epochs=60), X, labels, cv=3).mean() > 0.7


# ---------------------------------------------------------------------------------------------------------
# Bits


@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_the_reference_give_the_same_bits(kind):
    one, X = fitted(kind, n_members=2)
    for parameters in ({"n_threads": 1}, {"n_threads": 2}, {"backend": "reference"}):
        other, _ = fitted(kind, n_members=2, **parameters)
        assert bits(other) == bits(one), parameters
        assert_same_bits(other.spread(X), one.spread(X))
        assert_same_bits(other.feature_importances_, one.feature_importances_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_the_model_that_is_trained_alone(kind):
    one, X = fitted(kind, n_members=3, random_state=5)
    classifies = kind is TabularClassifier
    y = table()[1 if classifies else 2]
    raw, _ = one._encoder.encode(one._columns(X, reset=False))
    x = one._scale.forward(raw).astype(np.float32)
    if classifies:
        targets, groups = (y == "small").astype(int), (y == "small").astype(int)
    else:
        scale = Scale.of(y[:, None], ["y"])
        targets, groups = scale.forward(y[:, None]).astype(np.float32), np.zeros(len(y))
    train, held = rows.parts(groups, 3, 0.2, 5)[2]
    task = "classify" if classifies else "regress"
    model = Model(seed=7, **recipe.network(task, x.shape[1], (6, 5), 2 if classifies else 1, 0.1))
    options = {**recipe.training(task, 4, None, 16), "early_stopping": recipe.stopping()}
    model.fit(x[train], targets[train], validation=(x[held], targets[held]), **options)
    assert model.digest() == one.ensemble_[2].digest()


def test_a_row_s_prediction_does_not_depend_on_the_others():
    one, X = fitted(n_members=2)
    every = one.predict_proba(X)
    for some in ([3], [5, 40, 2], list(range(59, -1, -1))):
        assert_same_bits(one.predict_proba(X.iloc[some]), every[some])


def test_frames_arrays_and_lists_of_the_same_numbers_have_the_same_bits():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    x = np.random.RandomState(0).normal(size=(40, 3)).round(3)
    x[::7, 1] = np.nan
    y = (x[:, 0] > 0).astype(int)
    one = made().fit(x, y)
    for other in (x.tolist(), np.asfortranarray(x), x.astype(object), pandas.DataFrame(x), polars.DataFrame(x)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert bits(made().fit(other, y)) == bits(one)


# ---------------------------------------------------------------------------------------------------------
# Cells


def test_new_words_and_holes_can_be_predicted():
    one, X = fitted()
    new = X.iloc[:4].copy()
    new["colour"] = ["violet", None, "red", "green"]
    new["size"] = np.nan
    assert np.isfinite(one.predict_proba(new)).all()


def test_lists_with_words_are_tables():
    X = [["red", 1.5, None], ["blue", None, None], ["red", 2.5, None], ["blue", 0.5, None]] * 5
    one = made().fit(X, [1, 0, 1, 0] * 5)
    assert one.n_features_in_ == 3
    assert one.predict_proba([["green", 2.0, None]]).shape == (1, 2)
    assert one.feature_importances_[2] == 0


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0], [np.inf]], [0, 1], "infinity"),
        ([[None], [None]], [0, 1], "no feature"),
        ([[1.0], [2.0]], [1, 1], "one class"),
        ([[1.0], [2.0], [3.0]], [0, 1], "inconsistent numbers"),
        (np.ma.masked_equal([[1.0], [2.0]], 2.0), [0, 1], "masked"),
        ([[1.0], [2.0]], np.ma.masked_equal([0, 1], 1), "y has masked values"),
        ([[1.0], [2.0], [3.0]], ["a", None, "b"], "y has no label in row 1"),
    ],
)
def test_what_cannot_be_learned_from_is_said(X, y, message):
    one = made()
    with pytest.raises(ValueError, match=message):
        one.fit(X, y)
    assert not hasattr(one, "classes_")


def test_a_failed_fit_leaves_the_estimator_as_it_was():
    one, X = fitted()
    before = one.predict_proba(X)
    with pytest.raises(ValueError, match="one class"):
        one.fit(X.iloc[:, :1], ["a"] * len(X))  # when names and columns were told already
    assert_same_bits(one.predict_proba(X), before)


def test_other_columns_are_refused():
    one, X = fitted()
    with pytest.raises(ValueError, match="feature names"):
        one.predict(X.rename(columns={"size": "width"}))
    with pytest.raises(NotFittedError):
        made().predict(X)
    with pytest.raises(NotFittedError):
        made().spread(X)
    assert not hasattr(made(), "feature_importances_")


# ---------------------------------------------------------------------------------------------------------
# Scaling


def test_columns_are_scaled_by_quartiles_and_clipped_smoothly():
    rng = np.random.RandomState(0)
    x = rng.normal(100, 5, (401, 2))
    x[0, 0] = 1e300
    x[:, 1] = 0
    x[:3, 1] = [1, 1, 2]  # its quartiles are equal
    scale = RobustScale.of(x, "ab")
    low, middle, high = np.quantile(x[:, 0], [0.25, 0.5, 0.75])
    np.testing.assert_allclose([scale.mean[0], scale.deviation[0]], [middle, high - low], rtol=1e-15)
    assert (scale.mean[1], scale.deviation[1]) == (0, 1)
    z = scale.forward(x)
    t = (x[1:, 0] - middle) / (high - low)
    np.testing.assert_allclose(z[1:, 0], t / np.sqrt(1 + (t / 3) ** 2), rtol=1e-14)
    assert z[0, 0] == 3
    np.testing.assert_allclose(z[:4, 1], [1 / np.sqrt(10 / 9), 1 / np.sqrt(10 / 9), 2 / np.sqrt(13 / 9), 0])
    with pytest.raises(TypeError, match="cannot be scaled back"):
        scale.backward(z)


@pytest.mark.parametrize("values", [[0.3, 0.1 * 3, 0.3, 0.3], [7.0] * 5, [1e9, 1e9 + 1e-7, 1e9]])
def test_constant_columns_become_zeros(values):
    x = np.array(values)[:, None]
    scale = RobustScale.of(x, "a")
    assert scale.constant.all()
    assert not scale.forward(x).any()


def test_numbers_too_far_apart_are_named():
    with pytest.raises(ValueError, match="column 'b' has numbers too far apart"):
        RobustScale.of(np.array([[1.0, -1.7e308], [2.0, -1.7e308], [3.0, 1.7e308], [4.0, 1.7e308]]), "ab")


@pytest.mark.parametrize("rows_of", [1001, preprocess.FEW + 7])
def test_kernels_have_the_definition_s_bits(rows_of, monkeypatch):
    monkeypatch.setattr(preprocess, "FEW", 0)
    x = np.random.RandomState(0).standard_t(2, (rows_of, 2))
    scale = RobustScale.of(x, "ab")
    for k in range(2):
        assert scale.mean[k] == definition.quartile(x[:, k], 2) == definition.median(x[:, k])
        low, high = (definition.quartile(x[:, k], number) for number in (1, 3))
        assert scale.deviation[k] == high - low
    assert_same_bits(scale.forward(x), definition.smoothly_clipped(x, scale.mean, scale.deviation))
    assert_same_bits(scale.forward(x), scale.forward(x, "reference"))


# ---------------------------------------------------------------------------------------------------------
# Members, calibration, importances


def test_members_validate_on_different_rows():
    groups = np.repeat([0, 1], 25)
    parts = rows.parts(groups, 7, 0.2, 3)
    for train, held in parts:
        assert sorted([*train, *held]) == list(range(50))
        assert [int((groups[held] == group).sum()) for group in (0, 1)] == [5, 5]
    assert sorted(np.concatenate([held for _, held in parts[:5]])) == list(range(50))
    assert not np.array_equal(parts[5][1], parts[0][1])


def test_a_class_of_one_row_is_trained_on():
    groups = np.array([0] * 10 + [1])
    for train, held in rows.parts(groups, 5, 0.2, 0):
        assert 10 in train
        assert 10 not in held


def test_values_are_not_extrapolated():
    x = np.arange(80.0)[:, None]
    one = made(TabularRegressor, epochs=60, n_members=2).fit(x, 3 * x[:, 0] + 1)
    found = one.predict(np.array([[-1e6], [40.0], [1e6]]))
    assert 1 <= found.min() <= found.max() <= 3 * 79 + 1
    assert one.spread(x).shape == (80,)
    two = np.stack([x[:, 0], -x[:, 0]], axis=1)
    assert made(TabularRegressor, n_members=2).fit(x, two).spread(x).shape == (80, 2)


def test_one_member_has_no_spread():
    one, X = fitted()
    with pytest.raises(ValueError, match="1 of 1 member predicts, and cannot disagree"):
        one.spread(X)


def test_a_temperature_fits_rows_held_out():
    rng = np.random.RandomState(0)
    logits = 2 * rng.normal(size=(1000, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    places = np.array([rng.choice(3, p=row) for row in p])
    for sharper in (0.5, 1.0, 3.0):
        q = p**sharper / (p**sharper).sum(axis=1, keepdims=True)
        assert abs(temperature.sharpness(q, places) * sharper - 1) < 0.15
    assert temperature.sharpness(np.array([[1.0, 0.0]] * 5), np.zeros(5, int)) == pytest.approx(1 / 8)
    assert temperature.sharpness(np.array([[0.51, 0.49]] * 5000), np.zeros(5000, int)) == pytest.approx(8)


def test_calibration_changes_probabilities_and_not_labels_of_one_member():
    X, labels, _ = table(200)
    plain, one = (made(epochs=30, calibrate=on).fit(X, labels) for on in (False, True))
    assert plain.temperature_ == 1 != one.temperature_
    assert (plain.predict(X) == one.predict(X)).all()
    assert not np.array_equal(plain.predict_proba(X), one.predict_proba(X))
    logits = np.log(plain.predict_proba(X))
    wanted = np.exp(logits / one.temperature_)
    np.testing.assert_allclose(one.predict_proba(X), wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_importances_tell_a_column_of_use(kind):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(200, 3))
    y = X[:, 1] > 0 if kind is TabularClassifier else X[:, 1]
    found = made(kind, epochs=40).fit(X, y).feature_importances_
    assert found.argmax() == 1
    assert found[1] > 0.2 > 4 * abs(found[[0, 2]]).max()


# ---------------------------------------------------------------------------------------------------------
# What is given in other forms


def test_dates_are_dates_in_arrays_and_lists():
    """Whatever their unit is; nothing is a hole, and not a large number."""
    pandas = pytest.importorskip("pandas")
    days = np.datetime64("2020-01-01") + np.arange(60)
    y = (np.arange(60) > 29).astype(int)
    one = made(epochs=20).fit(pandas.DataFrame({"x0": days}), y)
    holes = days.copy()
    holes[::9] = np.datetime64("NaT")
    for X in (days[:, None], days[:, None].astype("datetime64[ns]"), [[day] for day in pandas.to_datetime(days)]):
        assert_same_bits(made(epochs=20).fit(X, y).predict_proba(X), one.predict_proba(pandas.DataFrame({"x0": days})))
    fitted_on_holes = made(epochs=20).fit(holes[:, None], y)
    assert fitted_on_holes._encoder.features[0].flagged
    assert fitted_on_holes._encoder.features[0].kind == "time"
    with pytest.raises(TypeError, match="y holds dates or times"):
        made(TabularRegressor).fit(np.arange(60.0)[:, None], days)


def test_a_frame_is_predicted_by_a_fit_of_an_array():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    x = np.random.RandomState(0).normal(size=(40, 3))
    one = made().fit(x, (x[:, 0] > 0).astype(int))
    for kind in (pandas.DataFrame, polars.DataFrame):
        frame = kind({"c": x[:, 0], "a": x[:, 1], "b": x[:, 2]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_same_bits(one.predict_proba(frame), one.predict_proba(x))


@pytest.mark.parametrize("fraction", [0.5, 0.4, 0.3, 0.21, 0.01, 1e-320])
def test_a_fraction_is_that_of_a_fold(fraction):
    parts = rows.parts(np.zeros(40, int), 1, fraction, 0)
    folds = min(max(2, round(min(1 / fraction, 40))), 40)
    assert len(parts[0][1]) in (40 // folds, -(-40 // folds))


@pytest.mark.parametrize("sizes", [(2.7,), ["8"], 0])
def test_sizes_that_are_none_are_refused(sizes):
    with pytest.raises((TypeError, ValueError)):
        made(hidden_layer_sizes=sizes).fit([[1.0], [2.0]] * 10, [0, 1] * 10)


def test_calibration_looks_at_all_classes_of_a_sorted_table(monkeypatch):
    seen = []
    monkeypatch.setattr(temperature, "ROWS", 20)
    monkeypatch.setattr(temperature, "sharpness", lambda p, places: seen.append((p, places)) or 1.0)
    x = np.random.RandomState(0).normal(size=(200, 2))
    made(n_members=3, calibrate=True).fit(x, np.repeat([0, 1], 100))
    ((p, places),) = seen
    assert p.shape == (20, 2)
    assert 8 <= places.sum() <= 12


def test_a_member_that_diverges_is_told_and_left_out():
    x = np.random.RandomState(0).normal(size=(60, 2))
    y = x[:, 0] * 1e3
    with pytest.raises(DivergenceError, match="all members diverged"):
        made(TabularRegressor, n_members=2, learning_rate=1e38, epochs=60).fit(x, y)


def test_some_members_that_diverge_are_warned_of(monkeypatch):
    real = base.train_parts

    def first_lost(*given):
        first, *others = real(*given)
        return [dataclasses.replace(first, state="diverged", reason="lost"), *others]

    monkeypatch.setattr(base, "train_parts", first_lost)
    x = np.random.RandomState(0).normal(size=(60, 2))
    with pytest.warns(DivergenceWarning, match="1 member of 2 diverged and predict nothing: member 0: lost"):
        one = made(n_members=2).fit(x, (x[:, 0] > 0).astype(int))
    assert_same_bits(one.ensemble_[1].predict_proba(one._rows(x)), one.ensemble_.predict_proba(one._rows(x)))
    with pytest.raises(ValueError, match="1 of 2 members predicts"):
        one.spread(x)


def test_rows_held_out_are_kept_once():
    one, X = fitted(n_members=3)
    x, targets, held = one._held
    assert len(x) == len(targets) == len(X)
    assert [len(some) for some in held] == [12, 12, 12]
