"""Scores of predictions, in float64. Imports NumPy and what a network is."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.core import data
from fastmlp.spec import Spec


def r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """1 - (squared error) / (squared deviation from the mean), averaged over outputs; in float64."""
    y, predicted = y.astype(np.float64), predicted.astype(np.float64)
    error = ((y - predicted) ** 2).sum(axis=0)
    deviation = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    # a constant output: 1 where it is met exactly, else 0, as in scikit-learn
    scores = np.where(deviation > 0, 1 - error / np.where(deviation > 0, deviation, 1), (error == 0).astype(float))
    return float(scores.mean())


def of_outputs(spec: Spec, outputs: np.ndarray, labels: np.ndarray | None, targets: np.ndarray) -> dict[str, float]:
    """The mean loss, and the accuracy or R2, of outputs that are no single network's: as `Model.evaluate` has them.

    outputs (N, J): probabilities or values; labels: what a classifier predicts; targets: as `data.targets` has them.
    """
    loss = mean_loss(spec, outputs, targets)
    if labels is None:
        return {"loss": loss, "r2": r2(outputs, targets)}
    if not data.labelled(spec, targets):
        return {"loss": loss, "accuracy": math.nan}
    return {"loss": loss, "accuracy": accuracy(labels, data.hard(spec, targets))}


def accuracy(labels: np.ndarray, targets: np.ndarray) -> float:
    """The fraction of rows whose labels, (N,) or (N, J), are the targets in every output."""
    rows = len(targets)
    return float((labels.reshape(rows, -1) == targets.reshape(rows, -1)).all(axis=1).mean())


def mean_loss(spec: Spec, outputs: np.ndarray, targets: np.ndarray) -> float:
    """The mean over rows of the network's loss, of its outputs (N, J) and not of logits.

    It is infinite where the probability of what happened is 0.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        terms = _terms(spec, outputs.astype(np.float64), targets.astype(np.float64))
        rows = terms.sum(axis=1) if spec.output == "softmax" else terms.mean(axis=1)
        return float(rows.mean())


def _terms(spec: Spec, p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The terms (N, J) of each row's loss, as `reference/losses.py` defines them, float64."""
    setting = spec.loss_parameter or 0.0
    if spec.output == "softmax":
        hot = np.arange(p.shape[1]) == y[:, None] if y.ndim == 1 else y
        target = (1.0 - setting) * hot + setting / p.shape[1]
        return -_product(target, np.log(p))
    if spec.loss == "binary_cross_entropy":
        return -_product(y, np.log(p)) - _product(1.0 - y, np.log1p(-p))
    if spec.loss == "poisson":
        return p - _product(y, np.log(p))
    error = p - y
    if spec.loss == "squared_error":
        return error * error
    if spec.loss == "huber":
        clipped = np.clip(error, -setting, setting)
        return clipped * (error - clipped / 2)
    if spec.loss == "quantile":
        return np.where(error > 0, (1.0 - setting) * error, -setting * error)
    return np.abs(error)


def _product(weight: np.ndarray, term: np.ndarray) -> np.ndarray:
    """weight * term, and 0 where the weight is 0, whatever the term is."""
    return np.where(weight == 0, 0.0, weight * term)
