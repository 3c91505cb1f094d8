"""What a model is and what outlives its process: a spec, parameters, a seed, and where its training is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.spec import BACKENDS, Spec
from fastmlp.training import Run


@dataclass
class Network:
    """All of a model but its history. What changes as it trains is changed in place."""

    spec: Spec
    parameters: np.ndarray  # (P,)
    seed: Any  # an int, or a NumPy Generator or RandomState, in whatever state it is
    drawn_seed: int | None = None  # a number that was drawn from the latter
    epochs: int = 0  # of all fits: shuffles and dropout count on
    run: Run | None = None  # the last fit's, to resume

    def __setstate__(self, state: dict[str, Any]) -> None:
        """From a pickle, whose buffers may lie anywhere and be read-only: kernels want whole addresses, and write."""
        self.__dict__.update(state)
        self.parameters = np.require(self.parameters, requirements=["C", "A", "W"])

    def number_seed(self) -> int:
        """The seed as a number: of a NumPy generator, the one that was drawn, or that `draw_seed` will draw."""
        if isinstance(self.seed, int):
            return self.seed
        return _drawn(copy.deepcopy(self.seed)) if self.drawn_seed is None else self.drawn_seed

    def draw_seed(self) -> None:
        """Draws the number, once, where the seed is a NumPy generator."""
        if not isinstance(self.seed, int) and self.drawn_seed is None:
            self.drawn_seed = _drawn(self.seed)

    def order(self, rows: int) -> int | Callable[[int], np.ndarray]:
        """How the rows of an epoch are shuffled: `Training.order`."""
        return self.seed if isinstance(self.seed, int) else lambda epoch: self.seed.permutation(rows)


def _drawn(generator: np.random.Generator | np.random.RandomState) -> int:
    draw = generator.integers if isinstance(generator, np.random.Generator) else generator.randint
    return int(draw(2**31))


def known_backend(backend: Any) -> str:
    """backend, if it is one. Raises ValueError."""
    if backend not in BACKENDS:
        raise ValueError(f'backend={backend!r} is not known: use "numba" or "reference"')
    return str(backend)


def backend_module(backend: str) -> ModuleType:
    """`engine`, or `definition`, which does the same by the definition itself."""
    if backend == "reference":
        from fastmlp import definition

        return definition
    from fastmlp import engine

    return engine
