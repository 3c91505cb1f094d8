"""Small models, data for them, and what the tests of `Model` ask of both."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import SGD, Adagrad, Adam, AdamW, Model, RMSprop
from fastmlp.schedules import Cosine, Exponential, InverseScaling, OneCycle, ReduceOnPlateau, Step, WarmUp
from fastmlp.storage import rng_state

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


def in_another_process(script, *arguments, **environment):
    """What the script prints. It must end well."""
    command, environment = [sys.executable, "-c", script, *map(str, arguments)], {**HERE, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def whole_numbers(count=40):
    x = np.random.default_rng(2).integers(0, 4, (count, 3)).astype(float)
    return x, (x.sum(axis=1) > 5).astype(int)


# ---------------------------------------------------------------------------------------------------------
# What a later fit goes on from

SEEDS = {"int": lambda: 3, "state": lambda: np.random.RandomState(3), "rng": lambda: np.random.default_rng(3)}
PLATEAU = ReduceOnPlateau(0.5, factor=0.5, patience=0, min_delta=0.1)
WEIGHTS = np.linspace(0, 2, 23)
# Options of `fit` for `problem()`: each optimizer, each schedule, and all that a resumed fit has to be given again.
TRAININGS = {
    "sgd": {},
    "momentum": {"optimizer": SGD(0.05, momentum=0.9)},
    "nesterov": {"optimizer": SGD(0.05, momentum=0.9, nesterov=True)},
    "adam": {"optimizer": "adam", "learning_rate": 0.02},
    "adamw": {"optimizer": AdamW(0.02, weight_decay=0.1)},
    "rmsprop": {"optimizer": RMSprop(0.02)},
    "adagrad": {"optimizer": Adagrad(0.1, initial_accumulator=0.01)},
    "step": {"learning_rate": Step(0.5, every=4, factor=0.5)},
    "exponential": {"learning_rate": Exponential(0.5, 0.9)},
    "cosine": {"learning_rate": Cosine(0.5, epochs=25)},
    "inverse": {"learning_rate": InverseScaling(0.5)},
    "cycle": {"learning_rate": OneCycle(0.5, epochs=28)},
    "warm-up": {"learning_rate": WarmUp(12.5, Cosine(0.5, epochs=15))},
    "plateau": {"learning_rate": PLATEAU},
    "plateau adam": {"optimizer": Adam(ReduceOnPlateau(0.05, patience=0, metric="validation_loss")), "validation": 0.3},
    "dropout": {"dropout": 0.4},
    "penalties": {"l2": 0.01, "l1": 0.003, "clip_value": 0.05},
    "clip": {"clip_norm": 0.1},
    "weights": {"sample_weight": WEIGHTS, "class_weight": "balanced"},
    "share": {"validation": 0.25},
    "everything": {
        "optimizer": Adam(WarmUp(3, 0.05)), "l2": 0.01, "clip_norm": 1.0, "dropout": [0.3], "sample_weight": WEIGHTS,
        "class_weight": {1: 2.0}, "validation": 0.25,
    },
}  # fmt: skip


def problem():
    """23 rows of two columns in three classes."""
    x = rows(23, 2, seed=5)
    return x, labels(x, 3)


def learner(seed="int", **arguments):
    """A model for `problem()`."""
    return Model([2, 5, 3], **{"hidden": "tanh", "seed": SEEDS[seed](), **arguments})


def inside(model):
    """All that a later fit goes on from, as plain values, compared by ==."""
    network = model._network
    run, told = network.run, None
    if run is not None:
        plateau = run.plateau and run.plateau.state()
        state = run.state.vectors.tobytes().hex(), run.state.powers.tolist()
        told = [repr(run.optimizer), run.epochs, run.not_resumable_because, plateau, *state]
    return [model.digest(), rng_state.state_of(network.seed), network.drawn_seed, network.epochs, told]


def figures(*histories):
    """The records of one or more fits, seconds left out, as bits in hex: NaN is NaN."""
    names = ("epoch", "loss", "accuracy", "learning_rate", "validation_loss", "validation_accuracy")
    return {name: b"".join(getattr(history, name).tobytes() for history in histories).hex() for name in names}
