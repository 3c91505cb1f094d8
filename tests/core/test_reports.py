"""Reports beside scikit-learn's metrics, whose definitions they have, and what they look like."""

import json
import warnings

import numpy as np
import pytest

from fastmlp.core import reports


def labels(classes, rows=200, seed=0, most=None):
    random = np.random.RandomState(seed)
    y = random.randint(0, most or classes, rows)
    p = random.dirichlet(np.ones(classes), rows)
    return y, p.argmax(axis=1), p


@pytest.mark.parametrize(("classes", "most"), [(2, 2), (5, 5), (5, 3), (30, 30)])  # of 5, 3: two have no row
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_classes_are_as_in_scikit_learn(classes, most, dtype):
    metrics = pytest.importorskip("sklearn.metrics")
    y, predicted, p = labels(classes, most=most)
    predicted[predicted == 1] = 0  # which nothing is predicted as
    p = p.astype(dtype)
    p[0] = np.eye(classes)[(y[0] + 1) % classes]  # what happened had probability 0
    found = reports.classification(y, predicted, p, [*range(classes)])
    names = [*range(classes)]
    assert found["confusion"] == metrics.confusion_matrix(y, predicted, labels=names).tolist()
    theirs = metrics.precision_recall_fscore_support(y, predicted, labels=names, zero_division=0)
    for name, values in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        np.testing.assert_allclose([one[name] for one in found["classes"]], values, rtol=1e-14)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted), rel=1e-14)
    assert found["macro_f1"] == pytest.approx(np.mean(theirs[2]), rel=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = metrics.log_loss(y, p, labels=names)
    assert found["log_loss"] == pytest.approx(loss, rel=1e-12 if dtype == "float64" else 1e-6)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("shape", [(50,), (50, 3)])
def test_quantities_are_as_in_scikit_learn(shape):
    metrics = pytest.importorskip("sklearn.metrics")
    y, predicted = (np.random.RandomState(seed).randn(*shape) for seed in (0, 1))
    found = reports.regression(predicted, y)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, predicted), rel=1e-14)
    rows = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    rmse = np.mean([metrics.mean_squared_error(a, b) ** 0.5 for a, b in zip(rows[0].T, rows[1].T, strict=True)])
    assert found["rmse"] == pytest.approx(rmse, rel=1e-14)
    assert found["r2"] == pytest.approx(metrics.r2_score(y, predicted), rel=1e-14)


def test_what_is_not_finite_is_none():
    assert reports.regression(np.array([1e200, np.inf]), np.arange(2)) == {"mae": None, "rmse": None, "r2": None}
    assert reports.lines({"mae": None, "rmse": 1.5, "r2": None}) == ["MAE: not finite, RMSE: 1.5"]


def test_a_report_of_few_classes():
    y = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, 1])
    found = reports.classification(y, predicted, None, ["ham", "a name that is longer than a line may hold", 12])
    assert reports.lines(found) == [
        "  class                     precision  recall     F1    rows",
        "  ham                           1.000   0.667  0.800       3",
        "  a name that is longer ..      0.500   1.000  0.667       2",
        "  12                            0.000   0.000  0.000       1",
        "  confusion: a line for each class, a column for each prediction",
        "                            ham  a name..  12",
        "  ham                         2         1   0",
        "  a name that is longer ..    0         2   0",
        "  12                          0         1   0",
    ]
    assert reports.lines({}) == []


def test_a_report_of_many_classes_is_cut():
    y, predicted, p = labels(60, rows=600)
    told = reports.lines(reports.classification(y, predicted, p, [*range(60)]))
    assert told[0].startswith("log loss: ")
    assert told[1].startswith("  worst 10 of 60")
    assert told[12].startswith("  most often confused, 10 of ")
    assert len(told) == 23
    assert max(map(len, told)) < 80
    perfect = reports.lines(reports.classification(y, y, None, [*range(60)]))
    assert len(perfect) == 11
