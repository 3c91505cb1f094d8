"""The two ways to compute the same bits: "numba", by compiled kernels, and "reference", by the definition itself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

import numpy as np

from fastmlp.checks.names import one_of
from fastmlp.spec import BACKENDS, Spec
from fastmlp.training import State, Step, Training


class Backend(Protocol):
    """What both modules have. Rows x (N, K) and targets y are checked, and of the network's dtype."""

    def outputs(self, spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Probabilities (softmax, sigmoid), values (identity) or means (exponential), (N, J)."""
        ...

    def logits(self, spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The last layer's sums, (N, J)."""
        ...

    def evaluate(
        self, spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, *, threads: int | None = None
    ) -> tuple[float, float]:
        """The mean loss and the fraction of right rows."""
        ...

    def evaluator(
        self, spec: Spec, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, *,
        threads: int | None = None,
    ) -> Callable[[np.ndarray], tuple[float, float]]:  # fmt: skip
        """`evaluate` as a function of the parameters, made ready for many calls."""
        ...

    def objective(
        self, spec: Spec, x: np.ndarray, y: np.ndarray, training: Training, weights: np.ndarray | None = None
    ) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        """A function of the parameters that gives the training's Objective over all rows, and its gradient (P,)."""
        ...

    def train(
        self,
        spec: Spec,
        parameters: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        training: Training,
        state: State | None = None,
        weights: np.ndarray | None = None,
        *,
        staged: bool = False,
        kept: np.ndarray | None = None,
    ) -> Generator[Step, None, None]:
        """Trains `parameters` and `state`, yielding Steps.

        weights (N,): what each row counts for, or None. staged: whether the caller makes each step's changes itself.
        kept (P,): the last Step's, of the training that this one goes on with.
        """
        ...


def known_backend(backend: Any) -> str:
    """The name of a backend. Raises ValueError."""
    return str(backend) if backend in BACKENDS else one_of("backend", backend, BACKENDS)


def name_of(backend: Backend) -> str:
    """The name of a backend's module: "numba" or "reference"."""
    return getattr(backend, "__name__", "numba").rpartition(".")[2].removesuffix("_backend")


def backend_module(backend: str) -> Backend:
    """The module of a backend."""
    if backend == "reference":
        from fastmlp.engine import reference_backend

        return reference_backend
    from fastmlp.engine import numba_backend

    return numba_backend
