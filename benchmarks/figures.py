"""Turns: how many epochs each takes, their order, and the medians of their seconds with their spread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    """The median, and the quartiles on either side: half of the turns lie between them."""

    median: float
    low: float
    high: float
    turns: int


def summary(values: Iterable[float]) -> Summary:
    """Of one value or more. Quartiles are interpolated linearly, as NumPy's percentiles are."""
    numbers = np.array(list(values), np.float64)
    low, median, high = np.percentile(numbers, [25, 50, 75])
    return Summary(float(median), float(low), float(high), len(numbers))


def rotated(names: Sequence[str], turn: int) -> list[str]:
    """The order of a turn: A B C, then B C A, then C A B. So none always comes after the same other's caches."""
    start = turn % len(names) if names else 0
    return [*names[start:], *names[:start]]


def epochs_of_turn(train: Callable[[int], float], target: float) -> int:
    """How many epochs take about `target` seconds, found by training; at least one, and at most 2^40."""
    epochs = 1
    seconds = train(epochs)
    while seconds < target / 4 and epochs < 2**40:
        # 16 times as many at most, as the first are slower
        epochs *= int(min(16, max(2, target / 2 / max(seconds, 1e-9))))
        seconds = train(epochs)
    return max(1, min(2**40, round(epochs * target / max(seconds, 1e-9))))


def agrees(loss: float, judge: float, tolerance: float) -> bool:
    """Whether a loss is the judge's, relatively to within the tolerance. NaN is never."""
    return bool(abs(loss - judge) <= tolerance * abs(judge))
