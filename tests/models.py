"""Small models, data for them, and what the tests of `Model` ask of both."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import Model

BACKENDS = ("numba", "reference")
HERE = {**os.environ, "PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}  # scripts find the package under test
XOR_X, XOR_Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
OUTPUTS = [
    ("softmax", "cross_entropy", 3),
    ("sigmoid", "binary_cross_entropy", 1),
    ("sigmoid", "binary_cross_entropy", 3),
    ("sigmoid", "squared_error", 1),
    ("sigmoid", "squared_error", 2),
    ("identity", "squared_error", 1),
    ("identity", "squared_error", 3),
]


def rows(count, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(count, columns))


def labels(x, classes=2):
    return (np.abs(x.sum(axis=1)) * 3).astype(int) % classes


def targets(output, outputs, count, seed=1):
    draws = np.random.default_rng(seed)
    if output == "softmax":
        return draws.integers(0, outputs, count)
    if output == "sigmoid":
        return draws.integers(0, 2, (count, outputs)).astype(float)
    return draws.normal(size=(count, outputs))


def bits(model):
    return np.concatenate([part.ravel() for layer in model.weights for part in layer]).tobytes()


def trained(x, y, *, model=None, **arguments):
    """(digest, losses, accuracies) of a training of a new network, or of `model`."""
    model = model or Model([np.shape(x)[1], 5, 2], seed=3)
    history = model.fit(x, y, **{"epochs": 5, "learning_rate": 0.3, **arguments})
    return model.digest(), history.loss.tolist(), history.accuracy.tobytes()  # NaN is NaN


def said(error, function, *arguments, **named):
    """The message of the error that function(...) raises."""
    with pytest.raises(error) as caught:
        function(*arguments, **named)
    return str(caught.value)


def in_another_process(script, *arguments):
    """What the script prints. It must end well."""
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=HERE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def whole_numbers(count=40):
    x = np.random.default_rng(2).integers(0, 4, (count, 3)).astype(float)
    return x, (x.sum(axis=1) > 5).astype(int)
