"""Whole trainings of the vectors, by either backend: records, parameters, predictions, a file, many models together."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import losses, optimizers, schedules
from fastmlp.model import Model
from fastmlp.reference import random
from fastmlp.spec import Backend
from fastmlp.sweep import Each, train_many

INPUTS, TARGETS = 101, 102  # streams of random numbers that trainings do not use
_LOSSES = {"cross_entropy": losses.CrossEntropy, "huber": losses.Huber, "quantile": losses.Quantile}


def rows_of(entry: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Makes an entry's rows, from whole numbers.

    Parameters
    ----------
    entry : dict
        With "layers", "output" and "rows": {"xor": repetitions}, or {"seed": seed, "count": N}.

    Returns
    -------
    X : ndarray of shape (N, K), float64
        XOR's four points, again and again; or 4 u - 2, u being uniform numbers of stream 101.
    y : ndarray of shape (N,) or (N, J)
        XOR; or of uniform numbers u of stream 102: the label floor(u J) of softmax, u of sigmoid, 2 u - 1 of identity,
        floor(4 u u) of exponential.
    """
    of, K, J = entry["rows"], entry["layers"][0], entry["layers"][-1]
    if "xor" in of:
        points = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        y = np.tile([0, 1, 1, 0], of["xor"])
        return np.tile(points, (of["xor"], 1)), y if entry["output"] == "softmax" else y[:, None].astype(float)
    seed, count = of["seed"], of["count"]
    X = (4 * random.uniform(seed, INPUTS, 0, count * K) - 2).reshape(count, K)
    if entry["output"] == "softmax":
        return X, np.floor(random.uniform(seed, TARGETS, 0, count) * J).astype(np.int64)
    u = random.uniform(seed, TARGETS, 0, count * J).reshape(count, J)
    return X, {"sigmoid": u, "identity": 2 * u - 1, "exponential": np.floor(4 * u * u)}[entry["output"]]


def model_of(entry: dict[str, Any], backend: Backend, seed: int | None = None) -> Model:
    """Makes an entry's model.

    Parameters
    ----------
    entry : dict
        The training.
    backend : str
        "numba" or "reference".
    seed : int, optional
        By default, the entry's.

    Returns
    -------
    Model
    """
    loss = entry["loss"]
    if "loss_parameter" in entry:
        loss = _LOSSES[loss](entry["loss_parameter"])
    return Model(
        entry["layers"], hidden=entry["hidden"] or "relu", output=entry["output"], loss=loss, dtype=entry["dtype"],
        seed=entry["seed"] if seed is None else seed, backend=backend,
    )  # fmt: skip


def options_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Makes the arguments of an entry's `Model.fit`, but for the rows.

    Parameters
    ----------
    entry : dict
        The training.

    Returns
    -------
    dict
    """
    options = {**entry["fit"], "threads": 1}
    optimizer = dict(entry["optimizer"])
    if "schedule" in entry:
        schedule = dict(entry["schedule"])
        optimizer["learning_rate"] = getattr(schedules, schedule.pop("name"))(**schedule)
    options["optimizer"] = getattr(optimizers, optimizer.pop("name"))(**optimizer)
    return options


def run(entry: dict[str, Any], backend: Backend) -> tuple[dict[str, Any], int]:
    """Trains an entry's model, or its models together.

    Parameters
    ----------
    entry : dict
        The training, of the vectors.
    backend : str
        "numba" or "reference".

    Returns
    -------
    results : dict
        What the vectors have under "results": floats in hex, and digests.
    numbers : int
        How many numbers of the dtype these stand for.
    """
    X, y = rows_of(entry)
    if "models" in entry:
        return _together(entry, X, y, backend)
    model, options = model_of(entry, backend), options_of(entry)
    initial = model.digest()
    history = model.fit(X, y, **options)
    outputs = model.predict(X) if entry["output"] in ("identity", "exponential") else model.predict_proba(X)
    alone = np.stack([model.predictor()(row) for row in X[:5]]) if backend == "numba" else outputs[:5]
    at_end = model.evaluate(X, y)
    results = {
        "initial": initial,
        "loss": [float(value).hex() for value in history.loss],
        "digest": model.digest(),
        "outputs": _digest(outputs),
        "alone": _digest(np.asarray(alone, outputs.dtype).reshape(outputs[:5].shape)),
        "evaluated": float(at_end["loss"]).hex(),
    }
    numbers = 2 * model.spec.parameters + len(history.loss) + outputs.size + outputs[:5].size + 1
    if "resumed" in entry:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            model.save(path)
            model = Model.load(path, backend=backend)
        same = {name: value for name, value in options.items() if name not in ("epochs", "optimizer")}
        model.fit(X, y, epochs=entry["resumed"], resume=True, **same)
        results["resumed"] = model.digest()
        numbers += model.spec.parameters
    return results, numbers


def _together(entry: dict[str, Any], X: np.ndarray, y: np.ndarray, backend: Backend) -> tuple[dict[str, Any], int]:
    """Models of several seeds and rates: kernels train them together, the reference one after the other."""
    options, rates = options_of(entry), [0.5 / (k + 1) for k in range(entry["models"])]
    models = [model_of(entry, backend, entry["seed"] + k) for k in range(entry["models"])]
    kinds = [type(options["optimizer"])(rate) for rate in rates]
    del options["optimizer"]
    if backend == "numba":
        train_many(models, X, y, optimizer=Each(kinds), progress=False, on_error="raise", **options)
    else:
        for model, optimizer in zip(models, kinds, strict=True):
            model.fit(X, y, optimizer=optimizer, **options)
    numbers = sum(model.spec.parameters for model in models)
    return {"digests": [model.digest() for model in models]}, numbers


def _digest(x: np.ndarray) -> str:
    """The SHA-256, in hex, of an array's bits (little-endian)."""
    return hashlib.sha256(np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<")).tobytes()).hexdigest()
