"""When to stop early: once a metric has not improved for a number of records. Imports the checks only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fastmlp.checks.messages import either, shown
from fastmlp.checks.names import explained, one_of
from fastmlp.checks.scalars import nonnegative_float, positive_int

Metric = Literal["loss", "accuracy", "validation_loss", "validation_accuracy"]
METRICS: tuple[str, ...] = get_args(Metric)
TIES = ("first", "last")
OTHER_METRICS = {
    "acc": "accuracy",
    "valloss": "validation_loss",
    **dict.fromkeys(("valacc", "valaccuracy"), "validation_accuracy"),
}


@explained
@dataclass(frozen=True)
class EarlyStopping:
    """Stops a training once `patience` recorded epochs in a row were not better than the best one before them.

    Parameters
    ----------
    patience : int or None, default=10
        The number of recorded epochs without improvement that end the training; 1 or more. None never ends it: the
        training goes on to its last epoch, and then has the parameters of the best one.
    metric : str or None, default=None
        "loss", "accuracy", "validation_loss" or "validation_accuracy". None is "validation_loss" if there are
        validation rows, else "loss".
    min_delta : float, default=0.0
        An improvement has to be larger than this, in the metric's unit; 0 or more. The difference is rounded in
        float64.
    best_weights : bool, default=True
        Whether the training ends with the parameters of the best recorded epoch; if False, with the last ones.
    ties : str, default="first"
        Which of several equally good epochs is the best one. With "last", an equal value is an improvement: for an
        accuracy of few rows, which many epochs reach, and with a learning rate that ends low. It needs min_delta=0.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.

    Notes
    -----
    Lower is better for a loss, higher for an accuracy. NaN and infinity are never better. The first finite value always
    is.

    Examples
    --------
    >>> from fastmlp import EarlyStopping
    >>> EarlyStopping(patience=5, metric="validation_accuracy")
    EarlyStopping(patience=5, metric='validation_accuracy', min_delta=0.0, best_weights=True, ties='first')
    """

    patience: int | None = 10
    metric: Metric | None = None
    min_delta: float = 0.0
    best_weights: bool = True
    ties: Literal["first", "last"] = "first"

    def __post_init__(self) -> None:
        keep = object.__setattr__
        keep(self, "patience", None if self.patience is None else positive_int(self.patience, "patience"))
        keep(self, "metric", metric_name(self.metric))
        keep(self, "min_delta", nonnegative_float(self.min_delta, "min_delta"))
        if not isinstance(self.best_weights, bool):
            raise TypeError(f"best_weights={shown(self.best_weights)} is neither True nor False: give one of them")
        keep(self, "ties", one_of("ties", self.ties, TIES))
        if self.ties == "last" and self.min_delta:
            raise ValueError(
                f'min_delta={shown(self.min_delta)} with ties="last", where an equal value is an improvement: give one'
            )
        if self.patience is None and not self.best_weights:
            raise ValueError("patience=None with best_weights=False does nothing: give a patience, or leave it out")

    def start(self) -> StoppingRun:
        """Starts the count for one training.

        Returns
        -------
        StoppingRun
            A run that has seen no record.
        """
        return StoppingRun(self)


class StoppingRun:
    """The state of early stopping in one training.

    Parameters
    ----------
    rule : EarlyStopping
        The rule to follow.

    Attributes
    ----------
    best : float or None
        The best value; None until a value was finite.
    best_epoch : int or None
        Its epoch.
    waited : int
        The number of recorded epochs since then.
    """

    def __init__(self, rule: EarlyStopping) -> None:
        self.rule = rule
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.waited = 0  # recorded epochs since the best one

    def state(self) -> dict[str, Any]:
        """Returns the state as plain values, from which `go_on` continues.

        Returns
        -------
        dict
            "best", "best_epoch" and "waited".
        """
        return {"best": self.best, "best_epoch": self.best_epoch, "waited": self.waited}

    def go_on(self, state: dict[str, Any]) -> None:
        """Continues from a state.

        Parameters
        ----------
        state : dict
            What `state` returned.

        Raises
        ------
        ValueError
            If it is not such a state.
        """
        self.check(state)
        self.best, self.best_epoch, self.waited = state["best"], state["best_epoch"], state["waited"]

    @staticmethod
    def check(state: Any) -> None:
        """Checks that a value is a state that `state` may have returned.

        Parameters
        ----------
        state : object
            The value to check.

        Raises
        ------
        ValueError
            If it is not.
        """
        if not isinstance(state, dict) or set(state) != {"best", "best_epoch", "waited"}:
            raise ValueError("what early stopping has seen is not a dict of best, best_epoch and waited")
        best, epoch, waited = state["best"], state["best_epoch"], state["waited"]
        if (best is None) != (epoch is None) or not (best is None or (type(best) is float and math.isfinite(best))):
            raise ValueError(f"early stopping's best is {best!r:.40}, and its epoch {epoch!r:.40}")
        if not all(value is None or (type(value) is int and value >= 0) for value in (epoch, waited)) or waited is None:
            raise ValueError(f"early stopping's counts are {epoch!r:.40} and {waited!r:.40}")

    def see(self, epoch: int, value: float) -> str:
        """Takes in the metric of a recorded epoch.

        Parameters
        ----------
        epoch : int
            The epoch's number.
        value : float
            The metric's value.

        Returns
        -------
        str
            "better"; "worse", also for an equal value with ties="first"; or "stop" if it is worse and `patience` is
            used up.
        """
        gain = self._gain(float(value))
        if gain > self.rule.min_delta or (gain == 0 and self.rule.ties == "last"):
            self.best, self.best_epoch, self.waited = float(value), int(epoch), 0
            return "better"
        self.waited += 1
        return "stop" if self.rule.patience is not None and self.waited >= self.rule.patience else "worse"

    def _gain(self, value: float) -> float:
        """The improvement over the best value: infinity for the first finite value, -infinity for NaN and infinity."""
        if not math.isfinite(value):
            return -math.inf
        if self.best is None:
            return math.inf
        return value - self.best if higher_is_better(self.rule.metric) else self.best - value


# ---------------------------------------------------------------------------------------------------------
# Metrics


def higher_is_better(metric: str | None) -> bool:
    """Tells whether a higher value of a metric is better.

    Parameters
    ----------
    metric : str or None
        A metric's name; None is a loss.

    Returns
    -------
    bool
        True for an accuracy.
    """
    return metric is not None and metric.endswith("accuracy")


def metric_name(metric: Any) -> str | None:
    """Checks the name of a metric.

    Parameters
    ----------
    metric : object
        One of METRICS, or None.

    Returns
    -------
    str or None

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    if metric is None:
        return None
    if not isinstance(metric, str):
        raise TypeError(f"metric={shown(metric)} is not a name: use {either(METRICS)}, or None")
    return one_of("metric", metric, METRICS, OTHER_METRICS, ", or None")


def resolve_metric(metric: str | None, validates: bool, has_accuracy: bool) -> str:
    """Returns the metric that a training watches.

    Parameters
    ----------
    metric : str or None
        The metric asked for; None is the default.
    validates : bool
        Whether the training has validation rows.
    has_accuracy : bool
        Whether the network predicts labels.

    Returns
    -------
    str
        One of METRICS.

    Raises
    ------
    ValueError
        If such a training does not have this metric.
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
