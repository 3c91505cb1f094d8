"""fastmlp.testing.trainings: kernels beside the reference on the caller's data, and a fault in a kernel is seen."""

import copy

import numpy as np
import pytest
from cases import Unregistered

from fastmlp import Model
from fastmlp.jit import machine_code
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Float, Floats, Int
from fastmlp.testing import check_training
from fastmlp.testing.trainings import compare_models

X = np.linspace(-1, 1, 60).reshape(20, 3)
y = np.arange(20) % 2
ASKED = {"epochs": 3, "batch_size": 8, "optimizer": "adam", "validation": 0.25}


def test_a_training_passes_and_the_model_stays():
    model = Model([3, 5, 2], seed=1)
    before = model.digest()
    trained = check_training(model, X, y, **ASKED)
    assert model.digest() == before != trained.digest()
    assert trained.history.epoch.tolist() == [1, 2, 3]
    other = Model([3, 4, 1], output="identity", dtype="float32", seed=1)
    check_training(other, X, X[:, 0], epochs=1)


def off_by_an_ulp(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    """Gradient descent by a product and a sum."""
    for i in range(count):
        p[i] = p[i] - learning_rate * (scale * total[i])


def test_a_kernel_that_rounds_twice_is_seen(monkeypatch):
    name = "optimizers.gradient_descent"
    registry.address(name, "float64")
    faulty = machine_code.link(Unregistered(off_by_an_ulp).code("float64"))
    monkeypatch.setitem(registry._addresses, (name, "float64"), faulty)
    with pytest.raises(AssertionError, match=r"(?s)(from epoch|layer \d's) .* differ\n.*ulps"):
        check_training(Model([3, 5, 2], seed=1), X, y, epochs=9)


def test_the_first_epoch_that_differs_is_named():
    model = Model([3, 5, 2], seed=1)
    model.fit(X, y, epochs=4)
    other = copy.deepcopy(model)
    other.history._records["loss"][2] = np.nextafter(model.history.loss[2], 0)
    with pytest.raises(AssertionError, match=r"the records of loss, from epoch 3 on: record \[2\]: "):
        compare_models(model, other)
    different = Model([3, 5, 2], seed=1, hidden="tanh")
    different.fit(X, y, epochs=4)
    with pytest.raises(AssertionError, match="from epoch 1 on"):
        compare_models(model, different)


def test_what_is_refused():
    with pytest.raises(TypeError, match=r"model is .3., of type str: give a fastmlp\.Model"):
        check_training("3", X, y, epochs=1)
    with pytest.raises(ValueError, match="checkpoint is a file that both trainings would write"):
        check_training(Model([3, 2]), X, y, epochs=1, checkpoint="here")
