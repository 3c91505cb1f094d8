"""fastmlp itself, by `Model.fit` as its users call it."""

from __future__ import annotations

import numpy as np

from fastmlp import Model

from . import SEED, Base, version_of, without_setup

IMPORTS = ()


def available() -> str | None:
    return None


def versions() -> dict[str, str]:
    return version_of("numba", "llvmlite")


class Contestant(Base):
    note = "a turn is a fit less a fit of one epoch beside it; the first and the last epoch's loss are recorded"

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
        if not given:
            return without_setup(self.fit, epochs)
        self.fit(epochs)
        return 0.0

    def fit(self, epochs: int) -> None:
        resume = self.model.history is not None
        self.model.fit(
            self.x, self.y, epochs=epochs, record_every=epochs, resume=resume, progress=False, **self.options
        )

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return self.model.weights
