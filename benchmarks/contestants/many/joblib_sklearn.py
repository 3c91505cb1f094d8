"""joblib and scikit-learn: a task for each model, in as many processes as cores."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np

from ...many_cases import sample, stacks
from .. import missing, now, sklearn_, version_of
from . import Base

IMPORTS = ("sklearn.neural_network", "joblib")


def available() -> str | None:
    return missing("sklearn", "joblib")


def versions() -> dict[str, str]:
    return version_of("scikit-learn", "joblib")


def fitted(model: Any, x: np.ndarray, y: np.ndarray, epochs: int) -> Any:
    """A task: trains a model for so many epochs; -> the model, as it comes back from another process."""
    warnings.simplefilter("ignore")  # it warns that max_iter is reached
    model.max_iter = epochs
    model.fit(x, y)
    assert model.n_iter_ == epochs, f"scikit-learn trained {model.n_iter_} epochs of {epochs}"
    return model


class Contestant(Base):
    note = "its own shuffles are in it"

    def build(self) -> None:
        from joblib import Parallel, delayed, parallel_config

        self.data()
        self.delayed = delayed
        self.one = sklearn_.Contestant(self.workload, self.dtype, 1)
        self.one.x, self.one.y = self.x, self.y
        self.one.build()  # may be Unable
        self.tolerance = self.one.tolerance
        how = "one process" if self.threads == 1 else f"{self.threads} processes (loky)"
        self.note = f"{how}; {self.one.note.replace(sklearn_.Contestant.note, Contestant.note)}"
        with parallel_config(backend="loky", inner_max_num_threads=1):
            self.pool = Parallel(n_jobs=self.threads)
            self.pool.__enter__()
        # imports scikit-learn in each process, and compares each model's number of epochs
        self.one.reset()
        self.pool(self.delayed(fitted)(self.one.model, self.x, self.one.target, 1) for _ in range(2 * self.threads))

    def make(self) -> None:
        """Copies of one model, with the initial weights of each: scikit-learn makes its own in fit."""
        self.one.reset()
        self.trained = []
        pairs = stacks(self.workload, self.dtype, self.models)
        factor = self.one.model.learning_rate_init / self.workload.learning_rate
        for k, rate in enumerate(self.rates):
            model = copy.deepcopy(self.one.model)
            model.learning_rate_init = rate * factor
            for (w, _), own in zip(pairs, model.coefs_, strict=True):
                own[:, : w.shape[2]] = w[k]
            self.trained.append(model)

    def run(self, epochs: int, given: bool) -> float:
        if given:  # its fit cannot be told orders: those that are compared are trained here, a call for each epoch
            for k in sample(self.models):
                self.one.model, self.one.seed, self.one.epoch = self.trained[k], k + 1, 0
                self.one.given(epochs)
            return 0.0
        tasks = [self.delayed(fitted)(model, self.x, self.one.target, epochs) for model in self.trained]
        start = now()
        self.trained = self.pool(tasks)
        return now() - start

    def weights(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        self.one.model = self.trained[k]
        return self.one.weights()

    def end(self) -> None:
        self.pool.__exit__(None, None, None)
        if self.threads > 1:
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(wait=True)
