"""When to stop early: once a metric has not got better for a while. Imports NumPy only, by way of `data.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fastmlp.checks.messages import either, shown
from fastmlp.checks.scalars import nonnegative_float, positive_int

METRICS = ("loss", "accuracy", "validation_loss", "validation_accuracy")


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `patience` recorded epochs in a row were not better than the best one before them.

    metric: "loss", "accuracy", "validation_loss" or "validation_accuracy"; None is "validation_loss" where there are
    rows to validate on, else "loss". Better is lower for a loss and higher for an accuracy, by more than `min_delta`
    (the difference rounded in float64); NaN and infinity are never better, and any other first value is.
    best_weights: end with the parameters of the best recorded epoch; if False, with the last ones.
    Raises ValueError or TypeError naming the argument that is wrong.
    """

    patience: int = 10
    metric: str | None = None
    min_delta: float = 0.0
    best_weights: bool = True

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "patience", positive_int(self.patience, "patience"))
        keep(self, "metric", metric_name(self.metric))
        keep(self, "min_delta", nonnegative_float(self.min_delta, "min_delta"))
        if not isinstance(self.best_weights, bool):
            raise TypeError(f"best_weights={shown(self.best_weights)} is neither True nor False: give one of them")

    def start(self) -> StoppingRun:
        """A run that has seen nothing yet."""
        return StoppingRun(self)


class StoppingRun:
    """What one training has shown. `best` and `best_epoch` are None until a value was finite."""

    def __init__(self, rule: EarlyStopping) -> None:
        self.rule = rule
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.waited = 0  # recorded epochs since the best one

    def state(self) -> dict[str, Any]:
        """Plain numbers, from which `go_on` goes on exactly as this run would."""
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def go_on(self, state: dict[str, Any]) -> None:
        self.check(state)
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]

    @staticmethod
    def check(state: Any) -> None:
        """Raises ValueError for what no `state` gave."""
        if not isinstance(state, dict) or set(state) != {"best", "best_epoch", "waited"}:
            raise ValueError("what early stopping has seen is no dict of best, best_epoch and waited")
        best, epoch, waited = state["best"], state["best_epoch"], state["waited"]
        if (best is None) != (epoch is None) or not (best is None or (type(best) is float and math.isfinite(best))):
            raise ValueError(f"early stopping's best is {best!r:.40}, and its epoch {epoch!r:.40}")
        if not all(value is None or (type(value) is int and value >= 0) for value in (epoch, waited)) or waited is None:
            raise ValueError(f"early stopping's counts are {epoch!r:.40} and {waited!r:.40}")

    def see(self, epoch: int, value: float) -> str:
        """Takes in a recorded epoch's metric -> "better"; "worse" (or as good); or "stop", worse for the last time."""
        gain = self._gain(float(value))
        if gain > self.rule.min_delta:
            self.best, self.best_epoch, self.waited = float(value), int(epoch), 0
            return "better"
        self.waited += 1
        return "stop" if self.waited >= self.rule.patience else "worse"

    def _gain(self, value: float) -> float:
        if not math.isfinite(value):
            return -math.inf
        if self.best is None:
            return math.inf
        return value - self.best if higher_is_better(self.rule.metric) else self.best - value


# ---------------------------------------------------------------------------------------------------------
# Metrics


def higher_is_better(metric: str | None) -> bool:
    """Whether a metric is an accuracy; None is a loss, whichever it will be."""
    return metric is not None and metric.endswith("accuracy")


def metric_name(metric: Any) -> str | None:
    """metric, if it is one of METRICS or None. Raises TypeError or ValueError."""
    if metric is None:
        return None
    if not isinstance(metric, str):
        raise TypeError(f"metric={shown(metric)} is no name: use {either(METRICS)}, or None")
    if metric not in METRICS:
        raise ValueError(f"metric={shown(metric)} is not known: use {either(METRICS)}, or None")
    return str(metric)


def resolve_metric(metric: str | None, validates: bool, has_accuracy: bool) -> str:
    """The metric that is meant, for a training that validates or does not, of a network with labels or without.

    Raises ValueError for a metric that such a training has not got.
    """
    if metric is None:
        return "validation_loss" if validates else "loss"
    if metric.startswith("validation") and not validates:
        other = metric.removeprefix("validation_")
        raise ValueError(f'metric={metric!r} needs rows to validate on: give some, or use metric="{other}"')
    if metric.endswith("accuracy") and not has_accuracy:
        other = metric.replace("accuracy", "loss")
        raise ValueError(f'metric={metric!r} needs labels, and this network predicts values: use metric="{other}"')
    return metric
