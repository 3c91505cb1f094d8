"""How numbers are put into sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastmlp.checks.arrays import counted
from fastmlp.study.runs import Run


def listed(words: Sequence[str], last: str = "and") -> str:
    """'a, b and c'."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def numbers(values: Sequence[float], known: Sequence[float] = ()) -> str:
    """'0.1 to 1' for three and more values that are neighbours among the known ones; else each of them."""
    values, known = sorted(values), sorted(known)
    if len(values) > 2 and values[0] in known:
        first = known.index(values[0])
        if values == known[first : first + len(values)]:
            return f"{values[0]:g} to {values[-1]:g}"
    return listed([f"{value:g}" for value in values])


def rates_words(rates: Sequence[float], known: Sequence[float]) -> str:
    """'Learning rate 0.1', 'Learning rates 0.1 to 1'."""
    return f"Learning rate{'s' if len(rates) > 1 else ''} {numbers(rates, known)}"


def hidden_layers(depths: Sequence[int]) -> str:
    """'no hidden layer', '1 hidden layer', '3 to 6 hidden layers', '2, 4 and 6 hidden layers'."""
    if list(depths) == [0]:
        return "no hidden layer"
    every = range(min(depths), max(depths) + 1)  # depths between that were not tried are not claimed
    return "1 hidden layer" if list(depths) == [1] else f"{numbers(depths, every)} hidden layers"


def of_runs(some: int, all_runs: int) -> str:
    """'3 of 5 runs', 'none of 5 runs', 'all 5 runs'."""
    runs = counted(all_runs, "run")
    if not some:
        return f"none of {runs}"
    return f"all {runs}" if some == all_runs > 1 else f"{some} of {runs}"


def percent(fraction: float) -> str:
    """'75 %'. What is below 1 is not rounded to 100 %, nor what is above 0 to 0 %."""
    whole = round(100 * fraction)
    if (whole == 100 and fraction < 1) or (whole == 0 and fraction > 0):
        return f"{100 * fraction:.2g} %" if whole == 0 else f"{math.floor(1000 * fraction) / 10:g} %"
    return f"{whole} %"


def best_of(runs: Sequence[Run]) -> str:
    """The best accuracy at the end, '75 %'; '' if there is none."""
    accuracies = [run.accuracy for run in runs if math.isfinite(run.accuracy)]
    return percent(max(accuracies)) if accuracies else ""


def init_name(init: Any) -> str:
    """As a table calls initial weights."""
    return init if isinstance(init, str) else "zeros" if init == 0 else f"{init:g}"


def init_words(init: Any) -> str:
    """As a sentence calls them: 'weights of zero', 'weights of standard deviation 0.01', 'he_normal'."""
    if isinstance(init, str):
        return init
    return "weights of zero" if init == 0 else f"weights of standard deviation {init:g}"
