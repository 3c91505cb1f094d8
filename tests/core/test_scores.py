"""R2, beside scikit-learn's; losses of outputs, beside the reference's of logits."""

import math

import numpy as np
import pytest

from fastmlp import CrossEntropy, Huber, Quantile
from fastmlp.core.scores import accuracy, mean_loss, of_outputs, r2
from fastmlp.reference import losses as reference
from fastmlp.spec import Spec


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_r2_is_scikit_learn_s(dtype):
    metrics = pytest.importorskip("sklearn.metrics")
    draws = np.random.default_rng(0)
    y = draws.normal(3, 2, (40, 3)).astype(dtype)
    predicted = (y + draws.normal(0, 0.5, y.shape)).astype(dtype)
    assert r2(predicted, y) == pytest.approx(metrics.r2_score(y.astype(float), predicted.astype(float)), abs=1e-12)


def test_r2_of_an_output_that_is_constant():
    y = np.full((5, 1), 2.0)
    assert r2(y.copy(), y) == 1
    assert r2(y + 1, y) == 0


LOSSES = [
    ("softmax", None, 3, lambda z, y: reference.softmax_cross_entropy(z, y)[1]),
    ("softmax", CrossEntropy(0.2), 3, lambda z, y: reference.softmax_smooth_cross_entropy(z, y, np.float64(0.2))[1]),
    ("soft", None, 3, lambda z, y: reference.softmax_soft_cross_entropy(z, y, np.float64(0))[1]),
    ("soft", CrossEntropy(0.2), 3, lambda z, y: reference.softmax_soft_cross_entropy(z, y, np.float64(0.2))[1]),
    ("sigmoid", None, 2, lambda z, y: reference.sigmoid_binary_cross_entropy(z, y)[1] / 2),
    ("sigmoid", "squared_error", 2, lambda z, y: reference.sigmoid_squared_error(z, y)[1] / 2),
    ("identity", None, 2, lambda z, y: reference.identity_squared_error(z, y)[1] / 2),
    ("identity", "absolute_error", 2, lambda z, y: reference.identity_absolute_error(z, y)[1] / 2),
    ("identity", Huber(0.7), 2, lambda z, y: reference.identity_huber(z, y, np.float64(0.7))[1] / 2),
    ("identity", Quantile(0.2), 2, lambda z, y: reference.identity_quantile(z, y, np.float64(0.2))[1] / 2),
    ("exponential", None, 2, lambda z, y: reference.exponential_poisson(z, y)[1] / 2),
]
ACTIVATED = {
    "softmax": reference.softmax, "sigmoid": reference.sigmoid_output, "identity": lambda z: z,
    "exponential": reference.exponential_output,
}  # fmt: skip


@pytest.mark.parametrize(("output", "loss", "outputs", "of_logits"), LOSSES)
def test_a_loss_of_outputs_is_that_of_logits(output, loss, outputs, of_logits):
    draws = np.random.RandomState(1)
    z = 2 * draws.standard_normal((40, outputs))
    y = draws.randint(0, 3, 40) if output == "softmax" else draws.uniform(0, 1, (40, outputs))
    if output == "soft":
        output, y = "softmax", y / y.sum(axis=1)[:, None]
    spec = Spec.build([2, outputs], "relu", output, loss)
    assert mean_loss(spec, ACTIVATED[output](z), y) == pytest.approx(of_logits(z, y).mean(), rel=1e-12)


def test_what_is_certain_costs_nothing_or_all():
    softmax, sigmoid = Spec.build([1, 2]), Spec.build([1, 1], output="sigmoid")
    poisson = Spec.build([1, 1], loss="poisson")
    assert mean_loss(softmax, np.array([[0.0, 1.0]]), np.array([1])) == 0
    assert mean_loss(softmax, np.array([[0.0, 1.0]]), np.array([0])) == math.inf
    assert mean_loss(sigmoid, np.array([[0.0], [1.0]]), np.array([[0], [1]])) == 0
    assert mean_loss(sigmoid, np.array([[0.0], [1.0]]), np.array([[0], [0]])) == math.inf
    assert mean_loss(poisson, np.array([[0.0]]), np.array([[0]])) == 0


def test_figures_of_outputs():
    spec, p, y = Spec.build([1, 2]), np.array([[0.1, 0.9], [0.6, 0.4]]), np.array([1, 1])
    found = of_outputs(spec, p, np.array([1, 0]), y)
    assert found == {"loss": pytest.approx(-math.log(0.9 * 0.4) / 2), "accuracy": 0.5}
    halves = np.array([[0.5, 0.5], [0.25, 0.75]])
    found = of_outputs(spec, p, np.array([1, 0]), halves)
    assert found == {"loss": pytest.approx(-np.sum(halves * np.log(p)) / 2), "accuracy": 0.0}
    line = Spec.build([1, 1], output="identity")
    assert of_outputs(line, np.ones((3, 1)), None, np.ones((3, 1))) == {"loss": 0, "r2": 1}
    soft = Spec.build([1, 1], output="sigmoid")
    assert math.isnan(of_outputs(soft, np.full((2, 1), 0.5), np.ones((2, 1)), np.full((2, 1), 0.5))["accuracy"])
    assert accuracy(np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]])) == 0.5
