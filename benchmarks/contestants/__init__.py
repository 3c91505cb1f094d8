"""Those who train the same networks: a file each, with `available()`, `versions()`, IMPORTS and a `Contestant`.

Every one begins with the weights that `fastmlp.Model(seed=1)` begins with, on the same rows, with the same update; it
differs in how it computes. `contestant.py` runs one in a process of its own.
"""

from __future__ import annotations

import importlib
import time
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.kernels import registry
from fastmlp.kernels.registry import Int, Ints

from ..workloads import Workload

SEED = 1  # of the initial weights and of the orders, as of fastmlp.Model
MODULES = {
    "fastmlp": "fastmlp_",
    "numpy": "numpy_",
    "sklearn": "sklearn_",
    "torch_eager": "torch_eager",
    "torch_compiled": "torch_compiled",
    "jax": "jax_",
}
# Adam's settings, everywhere
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def module(name: str) -> ModuleType:
    """The module of a contestant: one of MODULES, or any that can be imported, by a name with a dot or a colon before.

    ":own" is the module `own`.
    """
    if name in MODULES:
        return importlib.import_module(f".{MODULES[name]}", __name__)
    if "." in name or name.startswith(":"):
        return importlib.import_module(name.removeprefix(":"))
    raise ValueError(f"contestant={name!r} is not known: use one of {', '.join(MODULES)}, or :module for your own")


class Unable(Exception):
    """A contestant cannot do a workload; says why."""


class Base:
    """What contestants share. One that subclasses it has `build`, `reset`, `run` and `weights`."""

    note = ""  # what is not the same as in the others, for the report
    tolerance = 0.0  # the relative difference of its loss that is to be expected, where it is more than rounding
    seed = SEED

    def __init__(self, workload: Workload, dtype: str, threads: int):
        self.workload, self.dtype, self.threads = workload, dtype, threads
        self.epoch = 0  # trained since the initial weights

    def build(self) -> None:
        """Makes the network, and the data as the framework takes it, from `self.x` and `self.y`."""
        raise NotImplementedError

    def reset(self) -> None:
        """Back to the initial weights, with an optimizer that has done nothing yet."""
        raise NotImplementedError

    def run(self, epochs: int, given: bool) -> float:
        """Trains on; -> seconds of `epochs`.

        given: for exactly these, in the orders of `orders`, and nobody looks at the seconds; else perhaps in its own,
        and perhaps for a few more.
        """
        raise NotImplementedError

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(w (K, J), b (J,)), ...] as they are now."""
        raise NotImplementedError

    # -----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Everything that comes before training, compiling and the first touch of memory included."""
        self.x, self.y = self.workload.data(self.dtype)
        self.build()
        self.reset()
        self.run(1, given=False)
        self.again()

    def again(self) -> None:
        self.reset()
        self.epoch = 0

    def train(self, epochs: int) -> float:
        """Trains on for so many epochs, as its users would; -> seconds."""
        seconds = self.run(epochs, given=False)
        self.epoch += epochs
        return seconds

    def given(self, epochs: int) -> None:
        """Trains on for so many epochs in fastmlp's orders."""
        self.run(epochs, given=True)
        self.epoch += epochs

    def loss(self) -> float:
        """The mean loss of the weights on all rows, in float64."""
        return loss(self.workload, self.weights(), self.x, self.y)

    # -----------------------------------------------------------------------------------------------------

    def initial(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return initial(self.workload, self.dtype, self.seed)

    def batches(self) -> list[slice]:
        rows, batch = self.workload.rows, self.workload.batch_rows
        return [slice(start, min(start + batch, rows)) for start in range(0, rows, batch)]

    def orders(self, epochs: int) -> list[np.ndarray | None]:
        """The order of the rows in each of the next epochs, None for as they are."""
        if not self.workload.shuffle:
            return [None] * epochs
        return [order(self.workload.rows, self.epoch + 1 + number, self.seed) for number in range(epochs)]


def initial(workload: Workload, dtype: str, seed: int = SEED) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(w, b), ...] as `fastmlp.Model` with this seed begins."""
    from fastmlp import Model

    kinds = {"hidden": workload.hidden, "output": workload.output, "loss": workload.loss}
    return Model(workload.layers, seed=seed, dtype=dtype, **kinds).weights


def order(rows: int, epoch: int, seed: int = SEED) -> np.ndarray:
    """The order of the rows in an epoch, as fastmlp with this seed shuffles them."""
    made = np.arange(rows)
    registry.function("random.permutation", "float64", (Int, Int, Int, Ints))(seed, epoch, rows, made.ctypes.data)
    return made


def forward(workload: Workload, weights: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> list[np.ndarray]:
    """[x, a of each hidden layer, z]: the exercise's own formulas."""
    activations = [x]
    for w, b in weights[:-1]:
        z = activations[-1] @ w + b
        if workload.hidden == "relu":
            activations.append(np.maximum(0, z))
        else:
            activations.append(np.tanh(z) if workload.hidden == "tanh" else sigmoid(z))
    w, b = weights[-1]
    return [*activations, activations[-1] @ w + b]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


ROWS = 65536  # of a pass that evaluates


def loss(workload: Workload, weights: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, y: np.ndarray) -> float:
    """The mean loss on all rows, in float64 by NumPy: the same judge for every contestant."""
    exact = [(w.astype(np.float64), b.astype(np.float64)) for w, b in weights]
    total, terms = 0.0, 0
    for start in range(0, len(x), ROWS):
        some = slice(start, start + ROWS)
        z = forward(workload, exact, x[some].astype(np.float64))[-1]
        if workload.loss == "cross_entropy":
            z = z - z.max(axis=1, keepdims=True)
            each = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), y[some]]
        else:
            each = ((sigmoid(z) if workload.output == "sigmoid" else z) - y[some]) ** 2
        total, terms = total + float(each.sum()), terms + each.size
    return total / terms


def now() -> float:
    return time.perf_counter()


def version_of(*projects: str) -> dict[str, str]:
    """{project: its installed version}."""
    from importlib import metadata

    return {project: metadata.version(project) for project in projects}


def missing(*packages: str) -> str | None:
    """Why none of these can be imported; None where all can."""
    import importlib.util

    for package in packages:
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    return None


def numbers(array: Any) -> np.ndarray:
    """A framework's array as NumPy's, copied."""
    return np.asarray(array).copy()
