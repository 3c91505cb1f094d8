"""Scores of predictions. Imports NumPy only."""

from __future__ import annotations

import numpy as np


def r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """1 - (squared error) / (squared deviation from the mean), averaged over outputs; in float64."""
    y, predicted = y.astype(np.float64), predicted.astype(np.float64)
    error = ((y - predicted) ** 2).sum(axis=0)
    deviation = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    # a constant output: 1 where it is met exactly, else 0, as in scikit-learn
    scores = np.where(deviation > 0, 1 - error / np.where(deviation > 0, deviation, 1), (error == 0).astype(float))
    return float(scores.mean())
