"""fastmlp, one model after another: a loop over `Model.fit` as its users write it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import Model

from ...many_cases import seeds
from .. import fastmlp_, now
from . import Base

IMPORTS = ()
available, versions, products = fastmlp_.available, fastmlp_.versions, fastmlp_.products


class Contestant(Base):
    note = "draws its orders in its turns"

    def build(self) -> None:
        self.data()
        w = self.workload
        self.kinds = {"hidden": w.hidden, "output": w.output, "loss": w.loss, "dtype": self.dtype}
        self.options: dict[str, Any] = {"batch_size": w.batch, "shuffle": w.shuffle, "optimizer": w.optimizer}
        Model(w.layers, seed=0, **self.kinds).fit(self.x, self.y, epochs=1, progress=False, **self.options)  # compiles

    def make(self) -> None:
        self.fitted = [Model(self.workload.layers, seed=seed, **self.kinds) for seed in seeds(self.models)]

    def run(self, epochs: int, given: bool) -> float:
        start = now()
        for model, rate in zip(self.fitted, self.rates, strict=True):
            model.fit(
                self.x, self.y, epochs=epochs, record_every=epochs, learning_rate=rate, progress=False, **self.options
            )
        return now() - start

    def weights(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return self.fitted[k].weights
