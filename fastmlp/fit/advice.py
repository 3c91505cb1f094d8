"""How a training ended, in words: a target that it reached, or where it diverged, and what to scale then."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.spec import Spec

FAR = 100.0  # times the first loss, or that of predicting 0: where a training that does worse has gone wrong
LONG_WORK = 1_000_000  # some 0.1 ms
SAMPLE = 256  # rows that are looked at
TYPICAL = 0.01, 30.0  # root mean squares beyond which columns are far from standardised: pixels from 0 to 16 are not
LARGE = 100.0  # the largest absolute value of columns that are standardised is some 3 to 10


def far_from_standardised(x: np.ndarray, work: int) -> str:
    """What is said before a training on rows x (N, K) whose columns need to be scaled; '' for any other.

    work: multiplications, parameters x rows x epochs. It looks at the first rows only, some 20 us.
    """
    if work < LONG_WORK:
        return ""
    with np.errstate(all="ignore"):
        sample = x[:SAMPLE].astype(np.float64, copy=False)
        typical = np.sqrt((sample * sample).mean(axis=0))  # 1 of a standardised column
    largest = float(typical.max())
    far = np.flatnonzero(typical > TYPICAL[1])
    if len(far):
        parts = [f"{k} ({typical[k]:.3g})" for k in far[:4].tolist()]
        more = f" and {len(far) - 4} more" if len(far) > 4 else ""
        what = f"columns of X are far from standardised, by their typical size: {', '.join(parts)}{more}"
    elif 0 < largest < TYPICAL[0]:
        what = f"all columns of X are far from standardised: their typical size is at most {largest:.3g}"
    else:
        return ""
    return f"{what}. Training is slow or ends badly then: give Model(..., standardize=True), or scale X"


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
    if not last > FAR * abs(first):
        return False
    if spec.loss in ("cross_entropy", "binary_cross_entropy"):
        trivial = math.log(max(2, spec.outputs))
    elif spec.loss == "squared_error":
        with np.errstate(all="ignore"):
            trivial = float(np.mean(np.square(y, dtype=np.float64)))
    else:
        trivial = _largest(y)
    return last > trivial


def reached(record: np.void, target_loss: float | None, spec: Spec) -> str:
    """Which target a record has reached."""
    with np.errstate(all="ignore"):  # a goal beyond float32 is infinity
        by_loss = target_loss is not None and record["loss"] <= np.dtype(spec.dtype).type(target_loss)
    figure = f"loss {record['loss']:.6g}" if by_loss else f"accuracy {record['accuracy']:.6g}"
    return f"{figure} reached the target in epoch {record['epoch']}"


def what_diverged(epochs: int, records: np.ndarray, finite: int) -> str:
    """What was not finite by this epoch. finite: how many of the last step's records have a finite loss."""
    if finite < len(records):
        last = records[-1]
        return f"the loss was {last['loss']} in epoch {last['epoch']}"
    return f"a weight was no longer finite by epoch {max(epochs, 1)}"


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max()) if array.size else 0.0
