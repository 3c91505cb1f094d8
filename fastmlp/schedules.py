"""Learning rates that change as training goes on. The arithmetic is `reference/schedules.py`; imports NumPy only.

Time t counts epochs of a run, with fractions: before an epoch's first batch it is the number of epochs done, and each
batch adds 1 / (batches of an epoch). `schedule.rates(t)` gives the rates at these times, in float64. A rate is never
negative, infinite or NaN; it may be 0, as at the end of `Cosine`.

>>> Cosine(0.1, epochs=4).rates([0, 1, 2, 3, 4, 5])
array([0.1       , 0.08535534, 0.05      , 0.01464466, 0.        ,
       0.        ])

Constructors raise TypeError or ValueError naming the argument that is wrong.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.checks.scalars import finite_float, fraction, nonnegative_float, positive_float, positive_int
from fastmlp.reference import schedules as reference
from fastmlp.stopping import metric_name

_set = object.__setattr__  # a frozen dataclass stores what its check made


class Schedule:
    """What all schedules are."""

    fixed = True  # the rate at a time is always the same

    def rates(self, t: Any) -> np.ndarray:
        """The learning rates (T,) at times t (T,): numbers of epochs, 0 or more. Raises ValueError for others."""
        times = np.asarray(t, np.float64)
        if not (times >= 0).all() or np.isinf(times).any():
            wrong = times[~((times >= 0) & (times < np.inf))].flat[0]
            raise ValueError(f"t holds {wrong}: give times of 0 or more, in epochs")
        return self._rates(np.ascontiguousarray(times).reshape(-1)).reshape(times.shape)

    def _rates(self, t: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    @property
    def initial(self) -> float:
        """The rate at t = 0."""
        return float(self._rates(np.zeros(1))[0])


@dataclass(frozen=True)
class Constant(Schedule):
    """learning_rate at all times."""

    learning_rate: float

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return np.full(t.shape, self.learning_rate)


@dataclass(frozen=True)
class Step(Schedule):
    """learning_rate * factor^floor(t / every): times `factor` after every `every` epochs.

    every: a whole number of epochs. factor: above 0, up to 1. PyTorch's StepLR.
    """

    learning_rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "every", positive_int(self.every, "every"))
        _set(self, "factor", _factor(self.factor))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.step(t, self.learning_rate, self.every, self.factor)


@dataclass(frozen=True)
class Exponential(Schedule):
    """learning_rate * factor^t: times `factor` with each epoch, evenly over its batches.

    factor: above 0, up to 1. At whole t, PyTorch's ExponentialLR.
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "factor", _factor(self.factor))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.exponential(t, self.learning_rate, self.factor)


@dataclass(frozen=True)
class Cosine(Schedule):
    """floor + (learning_rate - floor) * (1 + cos(pi t / epochs)) / 2; from t = epochs on, `floor`.

    floor: from 0 to learning_rate. Until t = epochs, PyTorch's CosineAnnealingLR, which climbs again after its end.
    """

    learning_rate: float
    epochs: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "epochs", positive_float(self.epochs, "epochs"))
        _set(self, "floor", _floor(self.floor, self.learning_rate))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.cosine(t, self.learning_rate, self.epochs, self.floor)


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """learning_rate / (1 + t)^power, power > 0. scikit-learn's "invscaling", with epochs where that counts rows."""

    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "power", positive_float(self.power, "power"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.inverse_scaling(t, self.learning_rate, self.power)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From `start` up to `peak` at t = warm_up * epochs, down to `end` at t = epochs, and `end` from there on.

    start = peak * start_factor, end = start * end_factor; both ways along half a cosine, as in Cosine.
    warm_up: the rise's share of `epochs`, above 0 and below 1. start_factor, end_factor: from 0 to 1.

    PyTorch's OneCycleLR(max_lr, total_steps=T, pct_start=p) comes to its peak at step p T - 1 and to its end at step
    T - 1, the last one. With B batches an epoch it is epochs=(T - 1) / B, warm_up=(p T - 1) / (T - 1).
    """

    peak: float
    epochs: float
    warm_up: float = 0.3
    start_factor: float = 1 / 25
    end_factor: float = 1e-4

    def __post_init__(self) -> None:
        _set(self, "peak", positive_float(self.peak, "peak"))
        _set(self, "epochs", positive_float(self.epochs, "epochs"))
        _set(self, "warm_up", finite_float(self.warm_up, "warm_up"))
        if not 0 < self.warm_up < 1:
            raise ValueError(f"warm_up={self.warm_up} leaves no rise or no fall: give a share above 0 and below 1")
        _set(self, "start_factor", fraction(self.start_factor, "start_factor"))
        _set(self, "end_factor", fraction(self.end_factor, "end_factor"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.one_cycle(t, self.peak, self.epochs, self.warm_up, self.start_factor, self.end_factor)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line up to the first rate of `then` at t = epochs, where `then` begins, its own time being t - epochs.

    then: a number, or any schedule but WarmUp and ReduceOnPlateau. start: the line's first rate as a share of its last,
    from 0 to 1. PyTorch's SequentialLR of LinearLR(start_factor=start, total_iters=epochs) and `then`, at whole t.
    """

    epochs: float
    then: float | Schedule
    start: float = 0.0

    def __post_init__(self) -> None:
        _set(self, "epochs", positive_float(self.epochs, "epochs"))
        _set(self, "then", find(self.then, "then"))
        _set(self, "start", fraction(self.start, "start"))
        if isinstance(self.then, WarmUp):
            raise ValueError(f"then={self.then!r} is a warm-up itself: give what comes after both, and one WarmUp")
        if isinstance(self.then, ReduceOnPlateau):
            raise ValueError(
                f"then={self.then!r} would count the warm-up's own epochs: "
                "give another schedule, or use ReduceOnPlateau alone"
            )

    def _rates(self, t: np.ndarray) -> np.ndarray:
        then = find(self.then, "then")
        warms = t < self.epochs
        line = reference.warm_up(np.where(warms, t, 0.0), self.epochs, self.start, then.initial)
        return np.where(warms, line, then._rates(np.where(warms, 0.0, t - self.epochs)))


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """learning_rate, times `factor` once more than `patience` recorded epochs in a row were not better.

    The rate never falls below `floor`, and the count begins anew with each fall. Better is lower for a loss, higher for
    an accuracy, by more than the share `min_delta` of the best value's size. NaN and infinity are never better.
    factor: above 0 and below 1. patience: 0 or more. min_delta: from 0 to 1. floor: from 0 to learning_rate. metric: as
    in `EarlyStopping`.

    PyTorch's ReduceLROnPlateau with threshold_mode="rel", cooldown=0 and eps=0, where the metric is not negative.

    `rates` are those of a run that has seen nothing; `start` makes the run that sees.
    """

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    floor: float = 0.0
    metric: str | None = None

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "factor", _factor(self.factor))
        if self.factor == 1:
            raise ValueError("factor=1.0 would never change the rate: give a number above 0 and below 1")
        _set(self, "patience", _nonnegative_int(self.patience, "patience"))
        _set(self, "min_delta", fraction(self.min_delta, "min_delta"))
        _set(self, "floor", _floor(self.floor, self.learning_rate))
        _set(self, "metric", metric_name(self.metric))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return np.full(t.shape, self.learning_rate)

    def start(self, state: dict[str, Any] | None = None) -> PlateauRun:
        """A run that has seen nothing yet, or one that goes on from another's `state()`. Raises ValueError."""
        return PlateauRun(self, state)


@dataclass(frozen=True)
class Plateau:
    """What a ReduceOnPlateau has been shown, and the rate that follows."""

    rate: float
    best: float | None = None  # of the values so far, once one was finite
    waited: int = 0  # recorded epochs since the best one, or since the rate fell
    metric: str | None = None  # of which figure `best` is


class PlateauRun:
    """What one training has shown to a ReduceOnPlateau, and the rate that follows."""

    fixed = False
    now: Plateau  # replaced as a whole

    def __init__(self, rule: ReduceOnPlateau, state: dict[str, Any] | None = None) -> None:
        self.rule = rule
        self.now = Plateau(rule.learning_rate)
        if state is not None:
            _check_fields(state, "state", ("rate", "best", "waited", "metric"))
            self.now = Plateau(
                metric=metric_name(state["metric"]),
                rate=nonnegative_float(state["rate"], "rate"),
                best=None if state["best"] is None else finite_float(state["best"], "best"),
                waited=_nonnegative_int(state["waited"], "waited"),
            )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Also from pickles whose runs had the fields of `now` themselves."""
        now = state.get("now") or Plateau(*(state[name] for name in ("rate", "best", "waited", "metric")))
        self.rule, self.now = state["rule"], now

    @property
    def rate(self) -> float:
        return self.now.rate

    @property
    def best(self) -> float | None:
        return self.now.best

    @property
    def waited(self) -> int:
        return self.now.waited

    @property
    def metric(self) -> str | None:
        return self.now.metric

    def rates(self, t: Any) -> np.ndarray:
        """The rate as it is now, for each time in t (T,)."""
        return np.full(np.shape(t), self.now.rate)

    def watching(self, metric: str) -> Plateau:
        """`now`, if `metric` is what comes next; the best value of another one is forgotten, and the rate stays."""
        return self.now if self.now.metric == metric else Plateau(self.now.rate, metric=metric)

    def watch(self, metric: str) -> None:
        """Says which figure comes next."""
        self.now = self.watching(metric)

    def after(self, value: float, higher_is_better: bool) -> Plateau:
        """What `now` is to be after a recorded epoch's metric; the rate may fall."""
        value, now = float(value), self.now
        if self._is_better(value, higher_is_better):
            return dataclasses.replace(now, best=value, waited=0)
        waited = now.waited + 1
        if waited > self.rule.patience:
            return dataclasses.replace(now, rate=max(now.rate * self.rule.factor, self.rule.floor), waited=0)
        return dataclasses.replace(now, waited=waited)

    def see(self, value: float, higher_is_better: bool) -> None:
        """Takes in a recorded epoch's metric."""
        self.now = self.after(value, higher_is_better)

    def state(self) -> dict[str, Any]:
        """Plain numbers, from which `ReduceOnPlateau.start` goes on exactly as this run would."""
        return dataclasses.asdict(self.now)

    def _is_better(self, value: float, higher_is_better: bool) -> bool:
        if self.best is None or not math.isfinite(value):
            return math.isfinite(value)
        # best * (1 -+ min_delta) as PyTorch rounds it; of a negative best the share has the other sign
        upwards = higher_is_better == (self.best >= 0)
        limit = self.best * (1 + self.rule.min_delta if upwards else 1 - self.rule.min_delta)
        return value > limit if higher_is_better else value < limit


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "inverse_scaling": InverseScaling,
    "one_cycle": OneCycle,
    "warm_up": WarmUp,
    "reduce_on_plateau": ReduceOnPlateau,
}


def find(value: Any, name: str = "learning_rate") -> Schedule:
    """The schedule that an argument means: itself, or Constant of a number. Raises TypeError or ValueError."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, type) and issubclass(value, Schedule):
        raise TypeError(f"{name}={value.__name__} is the class: make a schedule of it, like Cosine(0.1, epochs=100)")
    if isinstance(value, str):
        raise TypeError(f"{name}={shown(value)} is text: give a number, or a schedule like Cosine(0.1, epochs=100)")
    return Constant(positive_float(value, name))


def describe(schedule: Schedule) -> dict[str, Any]:
    """The schedule as plain values, for JSON: its name in SCHEDULES, and its arguments."""
    for name, kind in SCHEDULES.items():
        if type(schedule) is kind:
            # not asdict, which would describe `then` without its name
            fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
            return {"name": name} | {
                key: describe(value) if isinstance(value, Schedule) else value for key, value in fields.items()
            }
    raise TypeError(f"schedule={shown(schedule)} is none of fastmlp's: use one of {either(list(SCHEDULES))}")


def from_description(description: dict[str, Any]) -> Schedule:
    """The schedule that `describe` described. Raises TypeError or ValueError naming what is wrong."""
    if not isinstance(description, dict):
        raise TypeError(f"schedule={shown(description)} is no description: give a dict as describe() makes it")
    arguments = dict(description)
    name = arguments.pop("name", None)
    kind = SCHEDULES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"the schedule's name={shown(name)} is not known: use {either(list(SCHEDULES))}")
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    needed = [field.name for field in fields if field.default is dataclasses.MISSING]
    _check_fields(arguments, f"schedule {name!r}", needed, [field.name for field in fields])
    then = arguments.get("then")
    if isinstance(then, dict):
        if then.get("name") == "warm_up":  # before it is read: one in another may go 10000 deep
            raise ValueError("then={'name': 'warm_up', ...} is a warm-up itself: give what comes after both")
        arguments["then"] = from_description(then)
    return kind(**arguments)


# ---------------------------------------------------------------------------------------------------------
# Checks


def _factor(value: Any) -> float:
    number = positive_float(value, "factor")
    if number > 1:
        raise ValueError(f"factor={value} would let the rate grow without end: give a number above 0, up to 1")
    return number


def _floor(value: Any, learning_rate: float) -> float:
    number = nonnegative_float(value, "floor")
    if number > learning_rate:
        raise ValueError(f"floor={value} is above learning_rate={learning_rate}: give a number from 0 up to that")
    return number


def _nonnegative_int(value: Any, name: str) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={shown(value)} is not a whole number: give an int like 10")
    if value < 0:
        raise ValueError(f"{name}={shown(value)} is negative: give 0 or more")
    return int(value)


def _check_fields(given: Any, name: str, needed: Any, known: Any = None) -> None:
    """given has all the keys that are needed and none that is not known."""
    if not isinstance(given, dict):
        raise TypeError(f"{name}={shown(given)} is no dict: give one with {either(list(needed))}")
    for key in needed:
        if key not in given:
            raise ValueError(f"{name} has no {key!r}: give it")
    for key in given:
        if key not in (known or needed):
            raise ValueError(f"{name} has {shown(key)}, which is not known: use {either(list(known or needed))}")
