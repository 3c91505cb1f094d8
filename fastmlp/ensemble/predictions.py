"""What some models predict together, block by block of rows. `reference/ensemble.py` says what every bit is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp.core import data
from fastmlp.core.network import wide
from fastmlp.model import Model
from fastmlp.reference import ensemble as definition
from fastmlp.spec import Spec

BLOCK = 2**21  # numbers that all models predict at once, 16 MB


class Together:
    """Models of one task, at least one, in the order in which they are added up."""

    def __init__(self, models: Sequence[Model], threads: int | None) -> None:
        self.models, self.threads = models, threads
        self.spec, self.rows_spec = models[0].spec, rows_spec_of(models)

    def by_blocks(self, X: Any, *what: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """What functions of the outputs (M, n, J) give for all rows. Raises TypeError or ValueError for a wrong X."""
        x = data.features(X, self.rows_spec)
        step = max(1, BLOCK // (len(self.models) * self.spec.outputs))
        parts = []
        for start in range(0, len(x), step):
            outputs = self.outputs(x[start : start + step])
            parts.append([function(outputs) for function in what])
        return [np.concatenate(of_one) for of_one in zip(*parts, strict=True)]

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The outputs (M, n, J) of all models."""
        return np.stack([outputs_of(model, x, self.threads) for model in self.models])

    def votes(self, X: Any) -> np.ndarray:
        """The labels that most models predict: (N,) for softmax, else (N, J)."""
        x = data.features(X, self.rows_spec)
        votes = np.stack([model.predict(x, threads=self.threads).reshape(len(x), -1) for model in self.models])
        if self.spec.output == "softmax":
            return definition.most_votes(votes[:, :, 0], self.spec.outputs)
        return (2 * votes.sum(axis=0) > len(votes)).astype(np.int64)


def rows_spec_of(models: Sequence[Model]) -> Spec:
    """The spec that rows are read by: of float64, where one of the models standardises them."""
    return next((wide(model.spec) for model in models if model.standardize), models[0].spec)


def mean_of(outputs: np.ndarray) -> np.ndarray:
    """The mean over models (M, N, J), in their dtype (N, J). Raises ValueError where it is beyond float64's range."""
    with np.errstate(over="ignore"):
        found = definition.mean(outputs).astype(outputs.dtype)
    if not np.isfinite(found).all():
        raise ValueError("the members' outputs add up to more than float64 can hold: scale y")
    return found


def spread_of(outputs: np.ndarray) -> np.ndarray:
    """The standard deviation over models (M, N, J), in their dtype (N, J)."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = definition.deviation(outputs).astype(outputs.dtype)
    if not np.isfinite(found).all():
        raise ValueError("the members' outputs are farther apart than float64 can square: scale y")
    return found


def entropy_of(spec: Spec) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """The entropy of the mean, and the mutual information, as functions of probabilities (M, N, J)."""

    def classes(p: np.ndarray) -> np.ndarray:
        p = p.astype(np.float64)
        return np.stack([p, 1.0 - p], axis=-1) if spec.output == "sigmoid" else p

    def entropy(p: np.ndarray) -> np.ndarray:
        return definition.entropy(definition.mean(classes(p)))

    def information(p: np.ndarray) -> np.ndarray:
        return definition.mutual_information(classes(p))

    return entropy, information


def outputs_of(model: Model, x: np.ndarray, threads: int | None) -> np.ndarray:
    """A model's probabilities or values, (N, J)."""
    if model.spec.is_classifier:
        return model.predict_proba(x, threads=threads)
    return model.predict(x, threads=threads).reshape(len(x), -1)


def labels_of(spec: Spec, mean: np.ndarray) -> np.ndarray:
    """Labels of mean probabilities (N, J): (N,) for softmax, else (N, J)."""
    return mean.argmax(axis=1) if spec.output == "softmax" else (mean > 0.5).astype(np.int64)
