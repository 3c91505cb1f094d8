"""What to say of a training that diverged, or ended far above where it began: what to scale, and by how much."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.spec import Spec

FAR = 100.0  # times the first loss, or that of predicting 0: where a training that does worse has gone wrong
LARGE = 100.0  # the largest absolute value of columns that are standardised is some 3 to 10


def what_to_try(spec: Spec, x: np.ndarray, y: np.ndarray, rate: str) -> str:
    """What to try, of rows x (N, K) and targets y (N, J); rate: the learning rate, in words."""
    tries = [f"Try a smaller learning_rate than {rate}"]
    parts = {"X": x, "y": y} if spec.output in ("identity", "exponential") else {"X": x}
    for name, part in parts.items():
        if (largest := _largest(part)) > LARGE:
            tries.append(f"scale {name}, whose largest absolute value is {largest:.3g}")
    return ", or ".join(tries)


def ended_far_above(spec: Spec, y: np.ndarray, first: float, last: float) -> bool:
    """Whether a training has done harm: its last loss is FAR above its first, and above that of predicting nothing."""
    if spec.loss in ("cross_entropy", "binary_cross_entropy"):
        trivial = math.log(max(2, spec.outputs))
    elif spec.loss == "squared_error":
        with np.errstate(all="ignore"):
            trivial = float(np.mean(np.square(y, dtype=np.float64)))
    else:
        trivial = _largest(y)
    return last > FAR * abs(first) and last > trivial


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max()) if array.size else 0.0
