"""Learning rates that change during training. `reference/schedules.py` defines their arithmetic.

Time t counts the epochs of a run, with fractions. Before the first batch of an epoch, t is the number of epochs done;
each batch adds 1 / (batches of an epoch). `schedule.rates(t)` gives the rates at these times, in float64. A rate is
never negative, infinite or NaN. It may be 0, as at the end of `Cosine`.

>>> from fastmlp.schedules import Cosine
>>> Cosine(0.1, epochs=4).rates([0, 1, 2, 3, 4, 5])
array([0.1       , 0.08535534, 0.05      , 0.01464466, 0.        ,
       0.        ])

The constructors raise TypeError or ValueError, naming the argument that is wrong. Imports NumPy, the checks, the
reference, and the names of metrics.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.checks.names import explained
from fastmlp.checks.scalars import finite_float, fraction, nonnegative_float, positive_float, positive_int
from fastmlp.reference import schedules as reference
from fastmlp.stopping import Metric, metric_name

_set = object.__setattr__  # how a frozen dataclass stores checked values


class Schedule:
    """Base class of the schedules. Each is a frozen dataclass that checks its arguments when it is made."""

    fixed = True  # a time's rate is always the same

    def rates(self, t: Any) -> np.ndarray:
        """Returns the learning rates at some times.

        Parameters
        ----------
        t : array of any shape
            Times in epochs, finite and 0 or more.

        Returns
        -------
        ndarray of the same shape, float64

        Raises
        ------
        ValueError
            If a time is negative, infinite or NaN.
        """
        times = np.asarray(t, np.float64)
        if not (times >= 0).all() or np.isinf(times).any():
            wrong = times[~((times >= 0) & (times < np.inf))].flat[0]
            raise ValueError(f"t holds {wrong}: give times of 0 or more, in epochs")
        return self._rates(np.ascontiguousarray(times).reshape(-1)).reshape(times.shape)

    def _rates(self, t: np.ndarray) -> np.ndarray:
        """The rates (T,) at checked times t (T,)."""
        raise NotImplementedError

    @property
    def initial(self) -> float:
        """The rate at t = 0."""
        return float(self._rates(np.zeros(1))[0])


@explained
@dataclass(frozen=True)
class Constant(Schedule):
    """A constant learning rate.

    Parameters
    ----------
    learning_rate : float
        The rate at all times; above 0.
    """

    learning_rate: float

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return np.full(t.shape, self.learning_rate)


@explained
@dataclass(frozen=True)
class Step(Schedule):
    """The rate is multiplied by `factor` after every `every` epochs.

        learning_rate * factor^floor(t / every)

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    every : int
        The number of epochs between two changes; 1 or more.
    factor : float, default=0.1
        Above 0, up to 1.

    Notes
    -----
    PyTorch's counterpart is StepLR.

    Examples
    --------
    >>> from fastmlp.schedules import Step
    >>> Step(1.0, every=2, factor=0.5).rates([0, 1, 2, 3, 4])
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
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


@explained
@dataclass(frozen=True)
class Exponential(Schedule):
    """The rate is multiplied by `factor` in each epoch, evenly over its batches.

        learning_rate * factor^t

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    factor : float
        Above 0, up to 1.

    Notes
    -----
    PyTorch's counterpart is ExponentialLR, with equal rates at whole t.
    """

    learning_rate: float
    factor: float

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "factor", _factor(self.factor))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.exponential(t, self.learning_rate, self.factor)


@explained
@dataclass(frozen=True)
class Cosine(Schedule):
    """The rate falls along half a cosine from `learning_rate` at t = 0 to `floor` at t = epochs, and stays there.

        floor + (learning_rate - floor) * (1 + cos(pi t / epochs)) / 2

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    epochs : float
        The number of epochs until `floor`; above 0.
    floor : float, default=0.0
        The last rate, from 0 to `learning_rate`.

    Notes
    -----
    PyTorch's counterpart is CosineAnnealingLR, with equal rates until t = epochs. From there on it rises again.

    References
    ----------
    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
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


@explained
@dataclass(frozen=True)
class InverseScaling(Schedule):
    """The rate falls with a power of time.

        learning_rate / (1 + t)^power

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    power : float, default=0.5
        The exponent; above 0.

    Notes
    -----
    scikit-learn's counterpart is "invscaling", which counts rows instead of epochs.
    """

    learning_rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "power", positive_float(self.power, "power"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.inverse_scaling(t, self.learning_rate, self.power)


@explained
@dataclass(frozen=True)
class OneCycle(Schedule):
    """The rate rises from `start` to `peak` at t = warm_up * epochs, and falls to `end` at t = epochs, where it stays.

        start = peak * start_factor,   end = start * end_factor

    Both ways follow half a cosine, as in `Cosine`.

    Parameters
    ----------
    peak : float
        The largest rate; above 0.
    epochs : float
        The number of epochs until `end`; above 0.
    warm_up : float, default=0.3
        The fraction of `epochs` in which the rate rises; above 0 and below 1.
    start_factor : float, default=1/25
        start / peak, from 0 to 1.
    end_factor : float, default=1e-4
        end / start, from 0 to 1.

    Notes
    -----
    PyTorch's OneCycleLR(max_lr, total_steps=T, pct_start=p) has its peak at step p T - 1 and its end at step T - 1, the
    last one. With B batches in an epoch, that is epochs=(T - 1) / B and warm_up=(p T - 1) / (T - 1).

    References
    ----------
    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2017.
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
            raise ValueError(f"warm_up={self.warm_up} leaves no rise or no fall: give a fraction above 0 and below 1")
        _set(self, "start_factor", fraction(self.start_factor, "start_factor"))
        _set(self, "end_factor", fraction(self.end_factor, "end_factor"))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.one_cycle(t, self.peak, self.epochs, self.warm_up, self.start_factor, self.end_factor)


@explained
@dataclass(frozen=True)
class FlatCosine(Schedule):
    """The rate is `learning_rate` up to t = flat * epochs, and falls to `floor` at t = epochs, where it stays.

    It falls along half a cosine, as in `Cosine`.

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    epochs : float
        The number of epochs until `floor`; above 0.
    flat : float, default=0.5
        The fraction of `epochs` in which the rate stays the same, from 0 to less than 1.
    floor : float, default=0.0
        The last rate, from 0 to `learning_rate`.

    Notes
    -----
    With the defaults, it is pytabkit's "flat_cos".

    Examples
    --------
    >>> from fastmlp.schedules import FlatCosine
    >>> FlatCosine(1.0, epochs=8).rates([0, 4, 6, 8, 9])
    array([1. , 1. , 0.5, 0. , 0. ])
    """

    learning_rate: float
    epochs: float
    flat: float = 0.5
    floor: float = 0.0

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "epochs", positive_float(self.epochs, "epochs"))
        _set(self, "flat", finite_float(self.flat, "flat"))
        if not 0 <= self.flat < 1:
            raise ValueError(f"flat={self.flat} leaves no fall: give a fraction from 0 to less than 1")
        _set(self, "floor", _floor(self.floor, self.learning_rate))

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.flat_cosine(t, self.learning_rate, self.epochs, self.flat, self.floor)


@explained
@dataclass(frozen=True)
class CosineLog(Schedule):
    """The rate rises from 0 and falls to 0 again several times; each time takes twice as long as the one before.

        learning_rate * (1 - cos(2 pi log2(1 + (2^cycles - 1) t / epochs))) / 2

    Parameters
    ----------
    learning_rate : float
        The largest rate; above 0.
    epochs : float
        The number of epochs until the end, where the rate is 0 and stays; above 0.
    cycles : int, default=4
        How often the rate rises and falls, from 1 to 50.

    Notes
    -----
    With 4 cycles, it is RealMLP's "coslog4". The first batch has the rate 0.

    References
    ----------
    Holzmueller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024.

    Examples
    --------
    >>> from fastmlp.schedules import CosineLog
    >>> CosineLog(1.0, epochs=15).rates([0, 1, 3, 7, 15]).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0]
    >>> CosineLog(1.0, epochs=15).rates([0.25, 2, 10]).round(2).tolist()
    [0.72, 0.93, 0.98]
    """

    learning_rate: float
    epochs: float
    cycles: int = 4

    def __post_init__(self) -> None:
        _set(self, "learning_rate", positive_float(self.learning_rate, "learning_rate"))
        _set(self, "epochs", positive_float(self.epochs, "epochs"))
        _set(self, "cycles", positive_int(self.cycles, "cycles"))
        if self.cycles > 50:
            raise ValueError(f"cycles={self.cycles} makes the first one shorter than any batch: give 50 or less")

    def _rates(self, t: np.ndarray) -> np.ndarray:
        return reference.cosine_log(t, self.learning_rate, self.epochs, self.cycles)


@explained
@dataclass(frozen=True)
class WarmUp(Schedule):
    """The rate rises linearly to the first rate of `then` at t = epochs, and from there on is that of `then`.

    The own time of `then` is t - epochs.

    Parameters
    ----------
    epochs : float
        The length of the rise, in epochs; above 0.
    then : float or Schedule
        A number, or any schedule but WarmUp and ReduceOnPlateau.
    start : float, default=0.0
        The first rate as a fraction of the first rate of `then`, from 0 to 1.

    Notes
    -----
    PyTorch's counterpart is a SequentialLR of LinearLR(start_factor=start, total_iters=epochs) and `then`, with equal
    rates at whole t.

    Examples
    --------
    >>> from fastmlp.schedules import Cosine, WarmUp
    >>> WarmUp(2, Cosine(0.02, epochs=13)).rates([0, 1, 2, 8.5, 15])
    array([0.  , 0.01, 0.02, 0.01, 0.  ])
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
            raise ValueError(f"then={self.then!r} would count the warm-up's own epochs: give another, or use it alone")

    def _rates(self, t: np.ndarray) -> np.ndarray:
        then = find(self.then, "then")
        warms = t < self.epochs
        line = reference.warm_up(np.where(warms, t, 0.0), self.epochs, self.start, then.initial)
        return np.where(warms, line, then._rates(np.where(warms, 0.0, t - self.epochs)))


@explained
@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """The rate is multiplied by `factor` when more than `patience` recorded epochs in a row were not better.

    The count starts again after each reduction. The rate never falls below `floor`.

    Parameters
    ----------
    learning_rate : float
        The first rate; above 0.
    factor : float, default=0.1
        Above 0 and below 1.
    patience : int, default=10
        The number of recorded epochs without improvement that are allowed; 0 or more.
    min_delta : float, default=1e-4
        An improvement has to be larger than this fraction of the best value's absolute value, from 0 to 1.
    floor : float, default=0.0
        The smallest rate, from 0 to `learning_rate`.
    metric : str or None, default=None
        What to watch, as in `EarlyStopping`.

    Notes
    -----
    Lower is better for a loss, higher for an accuracy. NaN and infinity are never better. For a metric that is not
    negative, this is PyTorch's ReduceLROnPlateau with threshold_mode="rel", cooldown=0 and eps=0.

    `rates` gives the rates of a run without records. `start` makes the run that takes them in.
    """

    learning_rate: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    floor: float = 0.0
    metric: Metric | None = None

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
        """Starts the schedule for one training.

        Parameters
        ----------
        state : dict or None, default=None
            The `state()` of a run to continue; None for a run that has seen no record.

        Returns
        -------
        PlateauRun

        Raises
        ------
        TypeError, ValueError
            If it is not such a state.
        """
        return PlateauRun(self, state)


@dataclass(frozen=True)
class Plateau:
    """The state of a ReduceOnPlateau.

    Attributes
    ----------
    rate : float
        The rate.
    best : float or None
        The best value; None until a value was finite.
    waited : int
        The number of recorded epochs since the best one, or since the rate fell.
    metric : str or None
        The metric that `best` belongs to.
    """

    rate: float
    best: float | None = None
    waited: int = 0
    metric: str | None = None


class PlateauRun:
    """A ReduceOnPlateau in one training.

    Parameters
    ----------
    rule : ReduceOnPlateau
        The schedule.
    state : dict or None, default=None
        The `state()` of a run to continue.

    Attributes
    ----------
    now : Plateau
        The present state; replaced as a whole.
    rate : float
        The present rate.
    best : float or None
        The best value; None until a value was finite.
    waited : int
        The number of recorded epochs since the best one, or since the rate fell.
    metric : str or None
        The metric that `best` belongs to.
    """

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
        """Also reads older pickles, in which a run had the fields of `now` itself."""
        now = state.get("now") or Plateau(*(state[name] for name in ("rate", "best", "waited", "metric")))
        self.rule, self.now = state["rule"], now

    @property
    def rate(self) -> float:
        """The present rate."""
        return self.now.rate

    @property
    def best(self) -> float | None:
        """The best value; None until a value was finite."""
        return self.now.best

    @property
    def waited(self) -> int:
        """The number of recorded epochs since the best one, or since the rate fell."""
        return self.now.waited

    @property
    def metric(self) -> str | None:
        """The metric that `best` belongs to."""
        return self.now.metric

    def rates(self, t: Any) -> np.ndarray:
        """Returns the present rate for each time.

        Parameters
        ----------
        t : array of any shape
            Times in epochs.

        Returns
        -------
        ndarray of the same shape, float64
        """
        return np.full(np.shape(t), self.now.rate)

    def watching(self, metric: str) -> Plateau:
        """Returns the state in which values of a metric can be taken in.

        Parameters
        ----------
        metric : str
            What the next values are.

        Returns
        -------
        Plateau
            `now` if it is of this metric; else the present rate, without a best value.
        """
        return self.now if self.now.metric == metric else Plateau(self.now.rate, metric=metric)

    def watch(self, metric: str) -> None:
        """Sets which metric the next values are of.

        Parameters
        ----------
        metric : str
            One of `stopping.METRICS`.
        """
        self.now = self.watching(metric)

    def after(self, value: float, higher_is_better: bool) -> Plateau:
        """Returns the state after a recorded epoch; its rate may be lower.

        Parameters
        ----------
        value : float
            The epoch's metric.
        higher_is_better : bool
            Whether the metric is an accuracy.

        Returns
        -------
        Plateau
        """
        value, now = float(value), self.now
        if self._is_better(value, higher_is_better):
            return dataclasses.replace(now, best=value, waited=0)
        waited = now.waited + 1
        if waited > self.rule.patience:
            return dataclasses.replace(now, rate=max(now.rate * self.rule.factor, self.rule.floor), waited=0)
        return dataclasses.replace(now, waited=waited)

    def see(self, value: float, higher_is_better: bool) -> None:
        """Takes in the metric of a recorded epoch.

        Parameters
        ----------
        value : float
            The epoch's metric.
        higher_is_better : bool
            Whether the metric is an accuracy.
        """
        self.now = self.after(value, higher_is_better)

    def state(self) -> dict[str, Any]:
        """Returns the state as plain values, from which `ReduceOnPlateau.start` continues.

        Returns
        -------
        dict
            "rate", "best", "waited" and "metric".
        """
        return dataclasses.asdict(self.now)

    def _is_better(self, value: float, higher_is_better: bool) -> bool:
        """Whether a value is better than the best one by more than min_delta."""
        if self.best is None or not math.isfinite(value):
            return math.isfinite(value)
        # best * (1 -+ min_delta) as PyTorch rounds it; for a negative best the sign of min_delta changes
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
    "flat_cosine": FlatCosine,
    "cosine_log": CosineLog,
    "warm_up": WarmUp,
    "reduce_on_plateau": ReduceOnPlateau,
}


def find(value: Any, name: str = "learning_rate") -> Schedule:
    """Returns the schedule that an argument means.

    Parameters
    ----------
    value : float or Schedule
        A schedule, which is returned as it is, or a positive number, which becomes `Constant`.
    name : str, default="learning_rate"
        The argument's name, for errors.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    if isinstance(value, Schedule):
        return value
    if isinstance(value, type) and issubclass(value, Schedule):
        raise TypeError(f"{name}={value.__name__} is the class: make a schedule of it, like Cosine(0.1, epochs=100)")
    if isinstance(value, str):
        raise TypeError(f"{name}={shown(value)} is text: give a number, or a schedule like Cosine(0.1, epochs=100)")
    return Constant(positive_float(value, name))


def describe(schedule: Schedule) -> dict[str, Any]:
    """Describes a schedule by plain values, for JSON.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    dict
        "name", its key in SCHEDULES, and its arguments.

    Raises
    ------
    TypeError
        If its class is not one of SCHEDULES.
    """
    for name, kind in SCHEDULES.items():
        if type(schedule) is kind:
            # not asdict, which would describe `then` without its name
            fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
            return {"name": name} | {
                key: describe(value) if isinstance(value, Schedule) else value for key, value in fields.items()
            }
    raise TypeError(f"schedule={shown(schedule)} is not one of fastmlp's: use one of {either(list(SCHEDULES))}")


def from_description(description: dict[str, Any]) -> Schedule:
    """Makes the schedule that `describe` described.

    Parameters
    ----------
    description : dict
        What `describe` returned.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError, ValueError
        If something in it is wrong; the error names it.
    """
    if not isinstance(description, dict):
        raise TypeError(f"schedule={shown(description)} is not a description: give a dict as describe() makes it")
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
        if then.get("name") == "warm_up":  # before it is read: warm-ups in warm-ups may be 10,000 deep
            raise ValueError("then={'name': 'warm_up', ...} is a warm-up itself: give what comes after both")
        arguments["then"] = from_description(then)
    return kind(**arguments)


# ---------------------------------------------------------------------------------------------------------
# Checks


def _factor(value: Any) -> float:
    """Returns a checked factor, above 0 and up to 1."""
    number = positive_float(value, "factor")
    if number > 1:
        raise ValueError(f"factor={value} would let the rate grow without end: give a number above 0, up to 1")
    return number


def _floor(value: Any, learning_rate: float) -> float:
    """Returns a checked floor, from 0 to the learning rate."""
    number = nonnegative_float(value, "floor")
    if number > learning_rate:
        raise ValueError(f"floor={value} is above learning_rate={learning_rate}: give a number from 0 up to that")
    return number


def _nonnegative_int(value: Any, name: str) -> int:
    """Returns value as an int of 0 or more."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={shown(value)} is not a whole number: give an int like 10")
    if value < 0:
        raise ValueError(f"{name}={shown(value)} is negative: give 0 or more")
    return int(value)


def _check_fields(given: Any, name: str, needed: Any, known: Any = None) -> None:
    """Checks that a dict has all the keys that are needed and none that is not known."""
    if not isinstance(given, dict):
        raise TypeError(f"{name}={shown(given)} is not a dict: give one with {either(list(needed))}")
    for key in needed:
        if key not in given:
            raise ValueError(f"{name} has no {key!r}: give it")
    for key in given:
        if key not in (known or needed):
            raise ValueError(f"{name} has {shown(key)}, which is not known: use {either(list(known or needed))}")
