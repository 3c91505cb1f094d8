"""fastmlp itself, by `Model.fit` as its users call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import Model

from . import SEED, Base, now, version_of

IMPORTS = ()


def available() -> str | None:
    return None


def versions() -> dict[str, str]:
    return version_of("numba", "llvmlite")


def products() -> list[str]:
    from fastmlp.system.cpu import target

    return [f"its own kernels (registers of {target().register} bytes)"]


class Contestant(Base):
    note = "between a fit's first epoch and its last, whose losses are recorded; as many threads as fit itself chooses"

    def build(self) -> None:
        pass

    def reset(self) -> None:
        w = self.workload
        self.model = Model(w.layers, hidden=w.hidden, output=w.output, loss=w.loss, seed=SEED, dtype=self.dtype)
        self.options = {
            "batch_size": w.batch,
            "shuffle": w.shuffle,
            "optimizer": w.optimizer,
            "learning_rate": w.learning_rate,
        }

    def run(self, epochs: int, given: bool) -> float:
        if given:
            self.fit(epochs)
            return 0.0
        # What fit sets up once, of 2,000,000 rows as long as 6 epochs, is left out: the callback is called after the
        # first epoch and after the last.
        times: list[float] = []
        self.fit(1 + epochs, lambda info: times.append(now()))
        return times[-1] - times[0]

    def fit(self, epochs: int, callback: Callable[[Any], None] | None = None) -> None:
        resume = self.model.history is not None
        # an epoch's number counts on, so that no multiple of this lies within the fit
        every = 2**32 - 1 if callback else epochs
        self.model.fit(
            self.x, self.y, epochs=epochs, record_every=every, resume=resume, progress=False, callback=callback,
            **self.options,
        )  # fmt: skip

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return self.model.weights
