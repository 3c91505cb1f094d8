"""Temperature scaling: one number by which all logits are divided, so that probabilities fit rows held out.

Guo, Pleiss, Sun and Weinberger, *On calibration of modern neural networks* (ICML 2017). docs/arithmetic.md has every
step: all is made of operations whose bits are specified.
"""

from __future__ import annotations

import numpy as np

from fastmlp.model import Model
from fastmlp.reference.arithmetic import row_sum
from fastmlp.reference.elementary import exp, log

LEAST = 2.0**-100  # a probability counts as this at least
RANGE = (0.125, 8.0)  # what logits are multiplied by: 1 / temperature
STEPS = 30  # halvings of the range
ROWS = 1024  # that are looked at: 1 s of the definition of exp, for 26 classes


def sharpness(p: np.ndarray, places: np.ndarray) -> float:
    """What logits are to be multiplied by, 1 / temperature, so that probabilities (N, C) fit the classes' places (N,).

    The log loss against targets with 1 / (N + 1) of their weight on all classes alike is convex in it: its slope, the
    mean over rows of the expected logit less the target's, is brought to 0 by halving RANGE. Give ROWS rows at most.
    """
    p = p.astype(np.float64)
    rows, classes = p.shape
    logits = log(np.where(p > LEAST, p, LEAST))
    logits = logits - logits.max(axis=1, keepdims=True)
    uniform = 1 / (rows + 1)
    target = logits[np.arange(rows), places] * (1 - uniform) + sums(logits) / classes * uniform
    low, high = RANGE
    for _ in range(STEPS):
        middle = (low + high) * 0.5
        weights = exp(logits * middle)
        expected = sums(weights * logits) / sums(weights)
        if row_sum((expected - target)[:, None])[0] > 0:
            high = middle
        else:
            low = middle
    return (low + high) * 0.5


def sums(values: np.ndarray) -> np.ndarray:
    """The sum of each row (N, C), from the first class to the last. -> (N,)"""
    total = values[:, 0]
    for column in values.T[1:]:
        total = total + column
    return total


def sharpen(model: Model, factor: float) -> None:
    """Multiplies a model's logits: each weight and bias of its last layer by the factor, rounded once each."""
    *layers, (w, b) = model.weights
    kind = w.dtype.type
    model.set_weights([*layers, (w * kind(factor), b * kind(factor))], model.input_scale)
