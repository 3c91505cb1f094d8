"""Those who train many models at once: a file each, with `available()`, `versions()`, IMPORTS and a `Contestant`.

Each trains the models of `many_cases`: own weights, own orders of rows and own learning rates on shared data, and every
model as many steps. `many_contestant.py` runs one in a process of its own.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np

from ...many_cases import Case, orders, rates, sample
from .. import loss

MODULES = {
    "fastmlp_together": "fastmlp_together",
    "fastmlp_loop": "fastmlp_loop",
    "jax_vmap": "jax_vmap",
    "jax_map": "jax_map",
    "torch_func": "torch_func",
    "joblib_sklearn": "joblib_sklearn",
}
ORDERS = 2**20  # row numbers that a call is given at most: 4 MiB
MOST_EPOCHS = 2**16  # of a call


def module(name: str) -> ModuleType:
    """The module of a contestant: one of MODULES, or any that can be imported, by a name with a dot or a colon before.

    ":own" is the module `own`.
    """
    if name in MODULES:
        return importlib.import_module(f".{MODULES[name]}", __name__)
    if "." in name or name.startswith(":"):
        return importlib.import_module(name.removeprefix(":"))
    raise ValueError(f"contestant={name!r} is not known: use one of {', '.join(MODULES)}, or :module for your own")


class Base:
    """What contestants share. One that subclasses it has `build`, `make`, `run` and `weights`."""

    note = ""  # what is not the same as in the others, for the report
    tolerance = 0.0  # the relative difference of a loss that is to be expected, where it is more than rounding
    stacked = False  # whether it holds the activations of all models at once

    def __init__(self, case: Case, models: int, dtype: str, threads: int):
        self.case, self.workload = case, case.workload
        self.models, self.dtype, self.threads = models, dtype, threads
        self.rates = rates(case.workload, models)

    def build(self) -> None:
        """Everything that comes before the models: data as the framework takes it, functions; perhaps compiled."""
        raise NotImplementedError

    def make(self) -> None:
        """Makes the models with their initial weights: the set-up that is timed."""
        raise NotImplementedError

    def run(self, epochs: int, given: bool) -> float:
        """Trains all models on for so many epochs; -> seconds of the whole call.

        given: they are new, and their orders are exactly fastmlp's, from the first epoch on.
        """
        raise NotImplementedError

    def weights(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(w (K, J), b (J,)), ...] of model k as they are now."""
        raise NotImplementedError

    def end(self) -> None:
        """Ends processes that it has started."""

    # -----------------------------------------------------------------------------------------------------

    def data(self) -> None:
        self.x, self.y = self.workload.data(self.dtype)

    def losses(self) -> list[float]:
        """Those of the models of `sample`, on all rows, in float64."""
        return [loss(self.workload, self.weights(k), self.x, self.y) for k in sample(self.models)]

    def epochs_of_call(self) -> int:
        """Of which a call is given the orders at once."""
        return max(1, min(MOST_EPOCHS, ORDERS // (self.models * self.workload.rows)))

    def orders_of_calls(self, epochs: int, given: bool) -> list[tuple[np.ndarray | None, int]]:
        """(orders (E, models, rows), or None for rows as they are; how many of them are trained) of each call.

        All calls have orders of one shape. Calls of timed turns have the same orders: drawing millions takes long.
        """
        if not self.workload.shuffle:
            return [(None, epochs)]
        size, calls = self.epochs_of_call(), []
        for first in range(0, epochs, size):
            count = min(size, epochs - first)
            if given:
                some = np.zeros((size, self.models, self.workload.rows), np.int32)
                some[:count] = orders(self.workload, self.models, 1 + first, count)
            else:
                some = self._kept(size)
            calls.append((some, count))
        return calls

    def _kept(self, size: int) -> np.ndarray:
        """Orders of a call: some, repeated."""
        if not hasattr(self, "_some"):
            few = orders(self.workload, self.models, 1, min(size, 16))
            self._some = np.ascontiguousarray(np.resize(few, (size, *few.shape[1:])))
        return self._some
