"""Trainings by an `Objective`: scikit-learn's loss of a batch, against the definition and by hand."""

import dataclasses

import numpy as np
import pytest
from bits import assert_same_bits
from trainings import PASSES, Problem, check_training, finish

from fastmlp.engine import numba_backend, reference_backend
from fastmlp.optimizers import ClassicalSGD, PlainAdam
from fastmlp.reference import losses, optimizers
from fastmlp.spec import DTYPES
from fastmlp.training import Objective, Training

OUTPUTS = (("softmax", None, 0.1), ("sigmoid", None, 0.1), ("identity", None, None), ("exponential", None, None))


def some_weights(rows, dtype):
    return (np.arange(rows) % 4 / 2).astype(dtype)


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("dtype", "weighed"),
    [
        ("float64", False), ("float32", True),
        pytest.param("float64", True, marks=pytest.mark.slow), pytest.param("float32", False, marks=pytest.mark.slow),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("output", "loss", "bound"), OUTPUTS)
def test_every_pass_is_the_definition(output, loss, bound, weighed, dtype):
    problem = Problem.make(1, [3, 9, 5, 3], 43, ["relu", "tanh"], output, loss, dtype)
    weights = some_weights(43, dtype) if weighed else None
    optimizers = None, ClassicalSGD(momentum=0.9), ClassicalSGD(momentum=0.5, nesterov=False), PlainAdam()
    for batch, optimizer, l2 in zip((43, 30, 1, 20), optimizers, (0.3, 0.0, 1.0, 2.0), strict=True):
        training = Training(
            3, 0.02, batch, record_every=1, order=7, optimizer=optimizer, l2=l2, objective=Objective(0.25, bound)
        )
        result = check_training(problem, training, weights)
        assert len(result.records) == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_clipping_dropout_and_threads(threads):
    problem = Problem.make(2, [5, 40, 30, 4], 1100)
    for limit in ({"clip_norm": 0.05}, {"clip_value": 0.01}):
        training = Training(
            2, 0.1, 600, record_every=1, l2=3.0, l1=0.5, dropout=(0.3, 0.0), dropout_seed=4,
            objective=Objective(), threads=threads, **limit,
        )  # fmt: skip
        check_training(problem, training)


@pytest.mark.parametrize("weighed", [False, True])
def test_records_are_means_over_rows_of_batches_losses(weighed):
    """By NumPy's own sums: a learning rate of next to nothing leaves the weights where they are."""
    problem = Problem.make(3, [4, 6, 3], 50, "tanh", "identity")
    weights = some_weights(50, "float64") if weighed else None
    training = Training(1, 1e-300, 20, record_every=1, l2=0.7, objective=Objective(0.5 / 3))
    found = finish(numba_backend.train, problem, training, weights).records[0][1]
    z = numba_backend.outputs(problem.spec, problem.parameters, problem.x)
    squares = sum((w * w).sum() for w, _ in problem.spec.views(problem.parameters))
    expected = 0.0
    for rows in (slice(0, 20), slice(20, 40), slice(40, 50)):
        here = np.ones(50)[rows] if weights is None else weights[rows]
        mean = 0.5 * np.average((z[rows] - problem.y[rows]) ** 2, axis=0, weights=here).mean()
        expected += (mean + 0.35 * squares / here.sum()) * len(here) / 50
    assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss", "bound"), OUTPUTS)
@pytest.mark.parametrize("weighed", [False, True])
def test_objective_and_its_gradient(output, loss, bound, weighed, dtype):
    problem = Problem.make(4, [3, 7, 5, 2], 600, ["relu", "sigmoid"], output, loss, dtype)
    weights = some_weights(600, dtype) if weighed else None
    for l2, l1 in ((0.0, 0.0), (2.0, 0.0), (2.0, 0.5)):
        training = Training(1, 1.0, 600, record_every=1, l2=l2, l1=l1, objective=Objective(0.5, bound))
        expected = reference_backend.objective(problem.spec, problem.x, problem.y, training, weights)(
            problem.parameters
        )
        for pass_name in PASSES:
            function = numba_backend.objective(problem.spec, problem.x, problem.y, training, weights, pass_name)
            for _ in range(2):  # a call leaves nothing behind
                loss_, gradient = function(problem.parameters)
                assert_same_bits(np.array([loss_]), np.array([expected[0]]), "loss")
                assert_same_bits(gradient, expected[1], "gradient")


def test_the_gradient_is_that_of_the_objective():
    """By differences, where no bound and no share keeps the one from being the other's."""
    problem = Problem.make(5, [3, 6, 3], 40, "tanh", "softmax")
    training = Training(1, 1.0, 40, record_every=1, l2=0.8, objective=Objective())
    function = numba_backend.objective(problem.spec, problem.x, problem.y, training, some_weights(40, "float64"))
    _, gradient = function(problem.parameters)
    for place in range(0, len(gradient), 5):
        moved = np.zeros_like(gradient)
        moved[place] = 1e-6
        slope = (function(problem.parameters + moved)[0] - function(problem.parameters - moved)[0]) / 2e-6
        assert slope == pytest.approx(gradient[place], abs=1e-8)


def test_a_batch_without_weight_changes_nothing():
    problem = Problem.make(6, [2, 3, 2], 8)
    training = Training(1, 0.1, 4, record_every=1, l2=1.0, objective=Objective())
    weights = np.array([0, 0, 0, 0, 1, 2, 1, 1.0])
    check_training(problem, training, weights)
    alone = dataclasses.replace(problem, x=problem.x[4:], y=problem.y[4:])
    found = finish(numba_backend.train, problem, training, weights)
    assert_same_bits(found.parameters, finish(numba_backend.train, alone, training, weights[4:]).parameters)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bounds(dtype):
    """Of a certain row, and of a hopeless one: least and -log(least); what is between keeps its bits."""
    z = np.array([[0.0, 900], [0, 900], [0.3, 0.1], [np.nan, 1]], dtype)
    y, least = np.array([1.0, 0, 1, 1], dtype), np.dtype(dtype).type(1e-7)
    dz, loss, right = losses.softmax_cross_entropy(z, y)
    held = losses.softmax_bounded_cross_entropy(z, y, least)
    assert_same_bits(held[0], dz)
    assert (held[2] == right).all()
    assert held[1][:2].tolist() == [least, pytest.approx(-np.log(1e-7), rel=1e-6)]
    assert_same_bits(held[1][2:], loss[2:])
    z, y = np.array([[900, -900], [-900, 900], [0.5, 0.25]], dtype), np.array([[1, 0], [1, 0], [0, 1.0]], dtype)
    held = losses.sigmoid_bounded_binary_cross_entropy(z, y, least)
    assert_same_bits(held[0], losses.sigmoid_binary_cross_entropy(z, y)[0])
    assert held[1][0] == least + least
    assert held[1][1] == pytest.approx(-2 * np.log(1e-7), rel=1e-6)
    assert_same_bits(held[1][2:], losses.sigmoid_binary_cross_entropy(z, y)[1][2:])


def test_velocities_of_rates():
    """While the rate is the same they are those of the usual form times the rate; Adam's epsilon stands alone."""
    rng = np.random.default_rng(0)
    p = q = rng.normal(size=50)
    v = u = np.zeros(50)
    one, rate, momentum = np.float64(1), np.float64(0.1), np.float64(0.9)
    for _ in range(5):
        g = rng.normal(size=50)
        p, v = optimizers.nesterov(p, g, one, v, rate, momentum)
        q, u = optimizers.classical_nesterov(q, g, one, u, rate, momentum)
    np.testing.assert_allclose(q, p, rtol=0, atol=1e-14)
    np.testing.assert_allclose(u, -0.1 * v, rtol=0, atol=1e-14)
    steps, powers = PlainAdam(epsilon=0.5).steps(np.array([0.1, 0.2]), np.ones(2))
    assert powers.tolist() == [[0.9, 0.999], [0.9 * 0.9, 0.999 * 0.999]]
    np.testing.assert_allclose(steps[:, 0], [0.1 * 0.001**0.5 / 0.1, 0.2 * (1 - 0.999**2) ** 0.5 / 0.19], rtol=1e-12)
    assert (steps[:, 1:] == 1).all()
