"""What the tests of sweeps share: rows, mixed options, and a table without seconds."""

import numpy as np

from fastmlp import SGD, EarlyStopping, Huber, Model
from fastmlp.schedules import Cosine, ReduceOnPlateau

# what random mixed points are made of: each option has its usual value, too
OPTIONS = {
    "depth": [0, 1, 2], "width": [2, 8, 33], "hidden": ["relu", "tanh", "gelu"], "seed": list(range(50)),
    "init": ["he_normal", "glorot_uniform", 0.0, 2.0], "dtype": ["float64", "float32"], "epochs": [1, 4, 9],
    "learning_rate": [0.01, 0.1, Cosine(0.2, 5), ReduceOnPlateau(0.2, patience=1), 1e12],
    "optimizer": ["sgd", "adam", "rmsprop", SGD(momentum=0.9)], "batch_size": [None, 1, 7, 16], "l2": [0.0, 0.01],
    "l1": [0.0, 0.001], "dropout": [0.0, 0.3], "clip_norm": [None, 1.0], "early_stopping": [None, 1, EarlyStopping(2)],
    "shuffle": [True, False], "record_every": [None, 2], "class_weight": [None, "balanced"],
    "target_loss": [None, 0.9],
}  # fmt: skip
REGRESSION = {"output": ["identity"], "loss": [None, "absolute_error", Huber(0.5)], "class_weight": [None]}


def blobs(rows=60):
    """Rows of 4 features in 3 classes that overlap."""
    draw = np.random.RandomState(1)
    y = np.arange(rows) % 3
    return draw.standard_normal((rows, 4)) + y[:, None], y


def mixed(count, seed, options=OPTIONS):
    """Random points of all options at once."""
    draw = np.random.RandomState(seed)
    points = []
    for _ in range(count):
        point = {name: values[draw.randint(len(values))] for name, values in options.items()}
        if not point["depth"]:
            del point["dropout"]
        points.append(point)
    return points


def alone(point, X, y, **options):
    """The model of a point that is trained by itself."""
    given = {**options, **point}
    kinds = ("hidden", "init", "seed", "dtype", "output", "loss")
    of_model = {name: given.pop(name) for name in kinds if name in given}
    outputs = 1 if of_model.get("output") == "identity" else int(y.max()) + 1
    depth, width = given.pop("depth", 1), given.pop("width", 32)
    model = Model([X.shape[1], *[width] * depth, outputs], **of_model)
    optimizer = given.get("optimizer")
    if isinstance(optimizer, SGD) and "learning_rate" in given:
        given["optimizer"] = SGD(given.pop("learning_rate"), optimizer.momentum, optimizer.nesterov)
    try:
        model.fit(X, y, **given)
    except ArithmeticError as error:
        return model, str(error)
    return model, None


def records(history):
    """All of a history but for the seconds."""
    found = history.records()
    found["seconds"] = 0
    return found.tobytes(), history.stopped, history.best_epoch


def table(result):
    """A result's table and its histories, without seconds."""
    columns = result.to_dict()
    del columns["seconds"]
    return columns, [records(history) for history in result.histories]
