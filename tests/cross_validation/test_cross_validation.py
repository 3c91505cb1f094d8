"""Cross-validation: fold k is the model trained alone on its rows, and scores are those of what the fold holds out."""

import math

import numpy as np
import pytest
from models import figures, inside, said

from fastmlp import DivergenceError, DivergenceWarning, EarlyStopping, Ensemble, Model, cross_validate, splits
from fastmlp.splits import folds
from fastmlp.sweep import Each


def data(count=60):
    """Rows of two columns in three classes that overlap."""
    draws = np.random.RandomState(4)
    x = draws.standard_normal((count, 2))
    return x, (x.sum(axis=1) + draws.standard_normal(count) > 0).astype(int) + (x[:, 0] > 0.5)


def values(outputs=1):
    x, _ = data()
    return x, x[:, [0, 1]][:, :outputs] * 2 + 0.1


NETWORK = {"layers": [2, 5, 3], "hidden": "tanh", "seed": 3}
LINE = {"layers": [2, 5, 1], "hidden": "tanh", "loss": "squared_error", "seed": 3}
OPTIONS = [
    {"epochs": 6, "batch_size": 8},
    {"epochs": 9, "optimizer": "adam", "dropout": 0.3, "class_weight": "balanced"},
    {"epochs": 9, "learning_rate": Each([0.1, 0.2, 0.3, 0.5])},
    {"epochs": 9, "validation": 0.2, "early_stopping": EarlyStopping(1), "optimizer": "rmsprop"},
    {"epochs": 5, "sample_weight": np.linspace(0, 2, 60)},
]


def check_folds(found, parts, x, y, options):
    """Each fold is trained on its rows, and scored on the others."""
    assert len(found) == len(found.folds) == len(found.results) == len(parts)
    for number, (training, held) in enumerate(parts):
        own = {name: value.values[number] if isinstance(value, Each) else value for name, value in options.items()}
        if "sample_weight" in own:
            own["sample_weight"] = own["sample_weight"][training]
        alone = Model(**NETWORK)
        history = alone.fit(x[training], y[training], **own)
        model = found.models[number]
        assert inside(model) == inside(alone)
        assert found.results[number].digest == alone.digest()
        assert figures(found.histories[number]) == figures(history)
        evaluated = alone.evaluate(x[held], y[held])
        assert {name: of_all[number] for name, of_all in found.scores.items()} == evaluated
        assert found.predictions[held].tolist() == alone.predict(x[held]).tolist()
        assert found.probabilities[held].tobytes() == alone.predict_proba(x[held]).tobytes()


@pytest.mark.sample(5)
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ", ".join(options))
@pytest.mark.parametrize("given", [NETWORK, Model(**NETWORK)], ids=["arguments", "model"])
def test_folds_are_those_trained_alone(given, options):
    x, y = data()
    found = cross_validate(given, x, y, folds=4, seed=7, **options)
    check_folds(found, folds(y, 4, 7), x, y, options)
    assert (found.scoring, list(found.scores)) == ("accuracy", ["accuracy", "loss"])
    assert found.mean == found.scores["accuracy"].mean()
    assert found.std == found.scores["accuracy"].std()


def test_a_neighbour_s_fold_is_seen(monkeypatch):
    """A fault that is planted: the check above must fail."""
    x, y = data()
    monkeypatch.setattr(
        splits, "folds", lambda groups, count, seed: folds(groups, count, seed)[1:] + folds(groups, count, seed)[:1]
    )
    found = cross_validate(NETWORK, x, y, folds=4, seed=7, epochs=3)
    with pytest.raises(AssertionError):
        check_folds(found, folds(y, 4, 7), x, y, {"epochs": 3})


def test_the_model_is_as_before():
    model = Model(**NETWORK)
    before = inside(model)
    cross_validate(model, *data(), epochs=2)
    assert inside(model) == before
    model.fit(*data(), epochs=3)
    assert "model was trained for 3 epochs" in said(ValueError, cross_validate, model, *data(), epochs=2)


def test_folds_are_stratified_where_there_are_labels():
    x, y = data()
    zeros = np.zeros(60)
    for given, targets, options, groups in (
        (NETWORK, y, {}, y),
        (NETWORK, np.eye(3)[y], {}, y),
        (NETWORK, y, {"stratified": False}, zeros),
        (LINE, values()[1], {}, zeros),
        ({"layers": [2, 1], "output": "sigmoid"}, y > 0, {}, y > 0),
        ({"layers": [2, 2], "output": "sigmoid"}, np.column_stack([y > 0, y > 1]), {}, y),
        ({"layers": [2, 1], "output": "sigmoid"}, np.full(60, 0.3), {}, zeros),
    ):
        found = cross_validate(given, x, targets, epochs=1, folds=3, seed=2, **options)
        for mine, other in zip(found.folds, folds(groups, 3, 2), strict=True):
            assert (mine[0].tolist(), mine[1].tolist()) == (other[0].tolist(), other[1].tolist())
    words = said(ValueError, cross_validate, LINE, *values(), epochs=1, stratified=True)
    assert "stratified=True needs labels" in words


def test_folds_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    x, y = data()
    for split in (
        selection.KFold(3, shuffle=True, random_state=1),
        selection.StratifiedKFold(4),
        selection.LeaveOneOut(),
    ):
        few = slice(None) if split.get_n_splits(x) < 10 else slice(0, 12)
        options = {"epochs": 3, "batch_size": 8}
        found = cross_validate(NETWORK, x[few], y[few], folds=split, **options)
        check_folds(found, list(split.split(x[few], y[few])), x[few], y[few], options)
    groups = np.arange(60) // 6
    found = cross_validate(NETWORK, x, y, folds=selection.GroupKFold(5), groups=groups, epochs=1)
    assert all(not set(groups[training]) & set(groups[held]) for training, held in found.folds)
    found = cross_validate(NETWORK, x, y, folds=selection.ShuffleSplit(3, random_state=0), epochs=1)
    assert (len(found), found.predictions, found.probabilities) == (3, None, None)


def test_folds_as_pairs():
    x, y = data()
    pairs = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    check_folds(cross_validate(NETWORK, x, y, folds=pairs, epochs=2), pairs, x, y, {"epochs": 2})
    check_folds(cross_validate(NETWORK, x, y, folds=iter(pairs), epochs=2), pairs, x, y, {"epochs": 2})


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"folds": 1}, ValueError, "folds=1, and one leaves nothing to train on"),
        ({"folds": 61}, ValueError, "folds=61, and there are 60 rows"),
        ({"folds": 2.5}, TypeError, "folds=2.5"),
        ({"folds": "5"}, TypeError, "folds='5'"),
        ({"folds": []}, ValueError, "folds is empty"),
        ({"folds": [[0, 1, 2]]}, TypeError, "number 0 is [0, 1, 2], not a pair"),
        ({"folds": [([0, 1], [1, 2])]}, ValueError, "number 0 trains on row 1, which it holds out, too"),
        ({"folds": [([0, 1], [60])]}, ValueError, "the rows held out of number 0 have one that is none of the 60 rows"),
        ({"folds": [([0, -1], [2])]}, ValueError, "none of the 60 rows"),
        ({"folds": [([0, 1], [])]}, TypeError, "the rows held out of number 0 are []"),
        ({"folds": [([0, 1], [2])], "stratified": True}, ValueError, "stratified is for a number of folds"),
        ({"groups": [1]}, ValueError, "groups is for folds with a method split"),
        ({"stratified": "no"}, TypeError, "stratified="),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": np.random.RandomState(0)}, TypeError, "the seed of folds is one"),
        ({"scoring": "accuracy_"}, ValueError, 'scoring=\'accuracy_\' is none of "accuracy", "r2" or "loss"'),
        ({"scoring": "r2"}, ValueError, 'scoring="r2" does not go with output="softmax": use "loss" or "accuracy"'),
        ({"scoring": 3}, TypeError, "scoring=3 is neither a name nor a function"),
        ({"scoring": []}, ValueError, "scoring is empty"),
        ({"scoring": ["loss", "loss"]}, ValueError, "scoring has 'loss' twice"),
        ({"scoring": lambda y_true, y_pred: "good"}, TypeError, "<lambda> returned 'good', which is not a number"),
        ({"l2": -1}, ValueError, "l2=-1 is negative"),
        ({"lr": 1}, TypeError, "cross_validate has no argument 'lr': did you mean \"learning_rate\"?"),
        ({"fold": 3}, TypeError, "cross_validate has no argument 'fold': did you mean \"folds\"?"),
        ({"cv": 3}, TypeError, "cross_validate has no argument 'cv': did you mean \"folds\"?"),
        ({"X": [[0.0, 0.0]], "y": [0]}, ValueError, "folds=5, and there is 1 row: give at least 2 rows"),
        ({"nothing": 1}, TypeError, "cross_validate has no argument 'nothing': its arguments are epochs"),
        ({"model": 3}, TypeError, "model=3 is neither a Model nor its arguments"),
        ({"model": {"layers": [2, 3], "hiden": 1}}, TypeError, "hiden"),
        ({"y": [0, 1]}, ValueError, "y has 2 rows and X has 60"),
        ({"learning_rate": Each([0.1])}, ValueError, "learning_rate is Each of 1 values, for 5 models"),
    ],
)
def test_wrong_arguments(wrong, error, words):
    x, y = data()
    assert words in said(
        error, lambda **given: cross_validate(**given), **{"model": NETWORK, "X": x, "y": y, "epochs": 1, **wrong}
    )


# ---------------------------------------------------------------------------------------------------------
# Scores


def worst(y_true, y_pred):
    """The largest error."""
    return np.abs(y_true - y_pred).max()


def test_scores_by_functions():
    x, y = values(2)
    given = {**LINE, "layers": [2, 5, 2]}
    seen = []
    found = cross_validate(given, x, y, epochs=5, scoring=["r2", worst, lambda *pair: seen.append(pair) or 1.0, "loss"])
    assert list(found.scores) == ["r2", "worst", "<lambda>", "loss"]
    for number, (_, held) in enumerate(found.folds):
        assert found.scores["worst"][number] == worst(y[held], found.predictions[held])
        assert (seen[number][0] == y[held]).all()
        assert seen[number][1].shape == y[held].shape
    assert found.probabilities is None
    labels = cross_validate(
        NETWORK, *data(), epochs=1, scoring=lambda y_true, y_pred: y_true.dtype.kind == y_pred.dtype.kind == "i"
    )
    assert labels.mean == 1.0


def test_scores_by_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = data()
    three = cross_validate(
        NETWORK, x, y, epochs=9, scoring=["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr", "loss"]
    )
    for number, (_, held) in enumerate(three.folds):
        assert three.scores["f1_macro"][number] == metrics.f1_score(y[held], three.predictions[held], average="macro")
        assert three.scores["neg_log_loss"][number] == pytest.approx(-three.scores["loss"][number])
    two = {"layers": [2, 4, 1], "output": "sigmoid"}
    one = cross_validate(two, x, y > 0, epochs=9, scoring=["roc_auc", metrics.make_scorer(metrics.f1_score)])
    for number, (_, held) in enumerate(one.folds):
        assert one.scores["roc_auc"][number] == metrics.roc_auc_score(y[held] > 0, one.probabilities[held, 0])
        assert one.scores["f1_score"][number] == metrics.f1_score(y[held] > 0, one.predictions[held])
    x, y = values()
    line = cross_validate(LINE, x, y, epochs=9, scoring=["r2", "neg_mean_squared_error", metrics.r2_score, "loss"])
    assert line.scores["r2"] == pytest.approx(line.scores["r2_score"])
    assert line.scores["loss"] == pytest.approx(-line.scores["neg_mean_squared_error"])


def test_a_scorer_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.metrics", None)
    words = said(ValueError, cross_validate, NETWORK, *data(), epochs=1, scoring="roc_auc")
    assert 'scikit-learn, which may know it, is not installed: pip install "fastmlp[sklearn]", or in a clone ' in words


def test_the_table():
    found = cross_validate(NETWORK, *data(), epochs=3)
    table = found.to_dict()
    assert list(table) == ["fold", "accuracy", "loss", "train_loss", "epochs", "seconds", "state", "reason", "digest"]
    assert {len(column) for column in table.values()} == {5}
    assert table["train_loss"] == [float(history.loss[-1]) for history in found.histories]
    assert repr(found).startswith(f"CrossValidation(5 folds: accuracy {found.mean:.4g} +- ")


def test_the_table_as_a_frame():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    found = cross_validate(NETWORK, *data(), epochs=2, folds=3)
    assert found.to_pandas().equals(pandas.DataFrame(found.to_dict()))


def test_targets_that_are_no_labels():
    found = cross_validate({"layers": [2, 1], "output": "sigmoid"}, data()[0], np.full(60, 0.3), epochs=1)
    assert list(found.scores) == ["loss"]


def test_the_folds_make_an_ensemble():
    x, y = data()
    found = cross_validate(NETWORK, x, y, epochs=9)
    assert Ensemble.of(found.models).predict_proba(x).shape == (60, 3)


# ---------------------------------------------------------------------------------------------------------
# Divergence


def test_a_fold_that_diverges_has_no_score():
    x, y = values()
    rates = Each([0.01, 0.01, 1e9, 0.01, 0.01])
    with pytest.warns(
        DivergenceWarning, match=r"^1 fold of 5 diverged, whose scores are NaN: fold 2: .*diverged"
    ) as told:
        found = cross_validate(LINE, x, y, epochs=30, learning_rate=rates)
    assert told[0].filename == __file__
    assert [math.isnan(score) for score in found.scores["r2"]] == [False, False, True, False, False]
    assert math.isnan(found.mean)
    assert (found.predictions, found.probabilities) == (None, None)
    assert found.to_dict()["state"][2] == "diverged"
    steady = cross_validate(LINE, x, y, epochs=30, learning_rate=0.01)
    for number in (0, 1, 3, 4):
        assert found.results[number].digest == steady.results[number].digest
        assert found.scores["loss"][number] == steady.scores["loss"][number]
    words = said(DivergenceError, cross_validate, LINE, x, y, epochs=30, learning_rate=1e9)
    assert words.startswith("all 5 folds diverged, fold 0 first: ")
