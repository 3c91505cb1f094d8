"""All points of a sweep are checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from fastmlp import optimizers
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import cut, plain, shown
from fastmlp.core.network import standardize_of
from fastmlp.engine.backends import known_backend
from fastmlp.engine.initial_weights import check_init, check_seed, check_start
from fastmlp.fit import rate_factors, resume, sample_weights, validation
from fastmlp.fit.options import FitOptions
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.stopping import EarlyStopping
from fastmlp.sweep.asks import Ask, ask_of
from fastmlp.sweep.points import Point
from fastmlp.sweep.rows import Ready, Rows

LISTED = 50  # impossible points in a message


class ImpossiblePoints(ValueError):
    """Some points of a sweep cannot be trained; nothing was.

    Attributes
    ----------
    impossible : list of (int, dict, str)
        Number, coordinates and reason of each.
    """

    def __init__(self, impossible: Sequence[tuple[int, Point, str]], points: int) -> None:
        self.impossible, self.points = list(impossible), points
        super().__init__(self._message())

    def __reduce__(self) -> Any:
        return type(self), (self.impossible, self.points)

    def _message(self) -> str:
        if len(self.impossible) == self.points > 1 and len({reason for _, _, reason in self.impossible}) == 1:
            return f"all {self.points} points are impossible, and nothing was trained: {self.impossible[0][2]}"
        few = self.impossible[:LISTED]
        lines = [f"  point {number} ({coordinates(point)}): {reason}" for number, point, reason in few]
        more = len(self.impossible) - len(few)
        if more:
            lines.append(f"  and {more} more, which are in this error's `impossible`")
        is_are = "is" if len(self.impossible) == 1 else "are"
        head = f"{len(self.impossible)} of {counted(self.points, 'point')} {is_are} impossible, and nothing was trained"
        return "\n".join([f"{head}:", *lines])


def coordinates(point: Point) -> str:
    """'learning_rate=0.1, seed=3'."""
    return ", ".join(f"{name}={plain(shown(value))}" for name, value in point.items()) or "no coordinates"


def check_all(points: Sequence[Point], common: Mapping[str, Any], rows: Rows) -> list[Ask]:
    """What each point asks for. Raises ImpossiblePoints, which lists all that cannot be trained."""
    asks, impossible = list[Ask](), list[tuple[int, Point, str]]()
    known: dict[Any, Ask | str] = {}  # most points differ from another one in their seed alone
    weighed: dict[tuple[Any, ...], str | None] = {}
    for number, point in enumerate(points):
        key = tuple((name, _told_apart(value)) for name, value in point.items() if name != "seed")
        if key not in known:
            known[key] = _checked(number, point, common, rows, weighed)
        found = known[key]
        try:
            if isinstance(found, str):
                raise ValueError(found)
            asks.append(found.of(number, point, check_seed(point.get("seed", common.get("seed", 0)))))
        except (TypeError, ValueError) as error:
            impossible.append((number, point, cut(str(error), 400)))
    if impossible:
        raise ImpossiblePoints(impossible, len(points))
    return asks


def _told_apart(value: Any) -> Any:
    """What tells a value from others: 1, 1.0 and True are three; objects are told by which they are."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, tuple(_told_apart(one) for one in value)
    return kind, value if kind in (int, float, str, bool) and value == value else id(value)


def _checked(
    number: int, point: Point, common: Mapping[str, Any], rows: Rows, weighed: dict[tuple[Any, ...], str | None]
) -> Ask | str:
    """What a point asks for, but for its seed; or why it cannot be trained."""
    try:
        ask = ask_of(number, {**point, "seed": 0}, common, rows)
        _check(ask, rows, weighed)
        return ask
    except (TypeError, ValueError) as error:
        return str(error)


def _check(ask: Ask, rows: Rows, weighed: dict[tuple[Any, ...], str | None]) -> None:
    """Raises TypeError or ValueError where `Model` or `Model.fit` would, without making either's arrays."""
    model, spec = ask.model, ask.spec
    known_backend(model.get("backend", "numba"))
    check_init(model.get("init", "he_normal"))
    check_start(model.get("bias_init", 0.0), model.get("zero_last", False))
    ready = rows.of(spec, bool(standardize_of(model.get("standardize", False), spec)))
    options = FitOptions(**ask.fit)
    optimizer = options.optimizer
    found = optimizers.find("sgd" if optimizer is None else optimizer, options.learning_rate)
    optimizers.check_settings(found, spec.dtype)
    resume.rates_of(cast(Any, SimpleNamespace(optimizer=found, plateau=found)), spec.dtype)
    rate_factors.checked(options.rate_factors, spec, found)
    checked = options.checked(spec, len(ready.x), ready.labelled, 0)
    rules = [("early_stopping", checked.early_stopping), ("learning_rate", found.learning_rate)]
    for argument, rule in rules:
        if isinstance(rule, (EarlyStopping, ReduceOnPlateau)):
            validation.metric_of(rule.metric, argument, ready.labelled, ready.held_labelled)
    _check_weights(ask, ready, weighed)


def _check_weights(ask: Ask, ready: Ready, weighed: dict[tuple[Any, ...], str | None]) -> None:
    """Checks weights of rows and classes, once for each kind of network and class_weight."""
    by_class = ask.fit.get("class_weight")
    if by_class is None and ready.sample_weight is None:
        return
    key = id(ready), repr(by_class)
    if key not in weighed:
        try:
            sample_weights.row_weights(ready.sample_weight, by_class, ready.y, ask.spec)
            weighed[key] = None
        except (TypeError, ValueError) as error:
            weighed[key] = str(error)
    if (why := weighed[key]) is not None:
        raise ValueError(why)
