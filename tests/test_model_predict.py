"""Predictions and scores of a `Model`, against the textbook."""

import numpy as np
import pytest
from models import BACKENDS, OUTPUTS, XOR_X, rows, said, targets

from fastmlp import Model

# ---------------------------------------------------------------------------------------------------------
# Predictions


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_predictions_and_scores(output, loss, outputs, backend):
    """Against the textbook, from the weights alone."""
    x, y = rows(37, 3), targets(output, outputs, 37)
    model = Model([3, 6, outputs], hidden="tanh", output=output, loss=loss, seed=5, backend=backend)
    model.fit(x, y, epochs=5)
    (w1, b1), (w2, b2) = model.weights
    z = np.tanh(x @ w1 + b1) @ w2 + b2
    predicted, scores = model.predict(x), model.evaluate(x, y)
    if output == "softmax":
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        expected_loss = -np.log(p[np.arange(37), y]).mean()
        assert predicted.tolist() == z.argmax(axis=1).tolist()
        assert np.issubdtype(predicted.dtype, np.integer)
        assert scores["accuracy"] == np.mean(predicted == y)
        assert model.predict_proba(x).sum(axis=1) == pytest.approx(np.ones(37), abs=1e-14)
    elif output == "sigmoid":
        p = 1 / (1 + np.exp(-z))
        terms = -(y * np.log(p) + (1 - y) * np.log(1 - p)) if loss == "binary_cross_entropy" else (p - y) ** 2
        expected_loss = terms.mean()
        assert predicted.tolist() == (z > 0).astype(int).reshape(predicted.shape).tolist()
        assert np.issubdtype(predicted.dtype, np.integer)
        assert scores["accuracy"] == np.mean((predicted.reshape(y.shape) == y).all(axis=1))
    else:
        p, expected_loss = None, ((z - y) ** 2).mean()
        assert predicted == pytest.approx(z.reshape(predicted.shape), rel=1e-12)
        r2 = (1 - ((z - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)).mean()
        assert scores["r2"] == pytest.approx(r2, rel=1e-12)
    assert predicted.shape == ((37,) if output == "softmax" or outputs == 1 else (37, outputs))
    if p is None:
        assert '"softmax"' in said(ValueError, model.predict_proba, x)
    else:
        assert model.predict_proba(x).shape == (37, outputs)
        assert model.predict_proba(x) == pytest.approx(p, rel=1e-12)
    assert set(scores) == {"loss", "r2" if output == "identity" else "accuracy"}
    assert all(type(value) is float for value in scores.values())
    assert scores["loss"] == model.loss(x, y) == pytest.approx(expected_loss, rel=1e-12)


def test_predictions_do_not_depend_on_the_other_rows():
    x = rows(1100, 3)
    model = Model([3, 20, 4], hidden="sigmoid")
    whole = model.predict_proba(x)
    for some in (slice(0, 1), slice(700, 701), slice(3, 9), slice(500, 530), slice(0, 513)):
        assert model.predict_proba(x[some]).tobytes() == whole[some].tobytes()


def test_ties_go_to_the_first_label():
    model = Model([1, 3], init=0)
    assert model.predict([[1.0], [-1.0]]).tolist() == [0, 0]
    assert model.evaluate([[1.0], [-1.0]], [0, 1])["accuracy"] == 0.5


def test_extreme_inputs_keep_probabilities_in_range():
    for output, outputs in (("softmax", 2), ("sigmoid", 1)):
        model = Model([1, outputs], output=output, init=1.0)
        p = model.predict_proba([[1e300], [-1e300], [5e-324], [0]])
        assert ((p >= 0) & (p <= 1)).all()


def test_r2_of_constant_targets():
    model = Model([1, 1], output="identity")
    model.set_weights([([[0.0]], [3.0])])
    assert model.evaluate([[1], [2]], [3, 3])["r2"] == 1
    assert model.evaluate([[1], [2]], [4, 4])["r2"] == 0
    assert model.evaluate([[1], [2]], [2, 4])["r2"] == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_beyond_the_range_are_refused(backend):
    model = Model([2, 2], backend=backend)
    model.set_weights([(np.full((2, 2), 1e300), np.zeros(2))])
    x = [[0.0, 1.0], [1e300, 1e300]]
    for method in (model.predict, model.predict_proba):
        assert "row 1" in said(ValueError, method, x)


def test_soft_targets_have_no_accuracy():
    model = Model([2, 1], output="sigmoid")
    assert np.isnan(model.evaluate(XOR_X, [0.1, 0.2, 0.3, 0.4])["accuracy"])
    assert 0 <= model.evaluate(XOR_X, [0, 1, 1, 0])["accuracy"] <= 1
