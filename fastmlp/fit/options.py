"""`FitOptions`: what a training is asked for beside its rows; and the checks of each option."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import schedules
from fastmlp.callbacks import Info
from fastmlp.checks import scalars
from fastmlp.checks.messages import shown
from fastmlp.checks.rounding import check_rounded
from fastmlp.optimizers import Optimizer, OptimizerName, fixed_schedule
from fastmlp.reference.random import dropout_numbers
from fastmlp.schedules import Schedule
from fastmlp.spec import Spec
from fastmlp.stopping import EarlyStopping
from fastmlp.system import thread_pool
from fastmlp.training import Training, times

if TYPE_CHECKING:
    from fastmlp.fit.transcript import Transcript

MOST_DROPPED = 1 - 2.0**-32

EPOCHS = 100  # where a fit says nothing, as `fastmlp train`


def _stored(**default: Any) -> Any:
    """A field that decides the bits, and that a checkpoint holds as it is."""
    return field(**default, metadata={"stored": True})


@dataclass(frozen=True, eq=False, kw_only=True)
class FitOptions:
    """The keyword arguments of `Model.fit`, which says what they mean; as given, or `checked`.

    The command line and the estimators make theirs of their own parameters.
    """

    epochs: int = _stored(default=EPOCHS)
    learning_rate: float | Schedule | None = None
    batch_size: int | None = _stored(default=None)
    shuffle: bool = _stored(default=True)
    optimizer: OptimizerName | Optimizer | None = None
    l2: float = _stored(default=0.0)
    l1: float = _stored(default=0.0)
    dropout: float | Schedule | Sequence[float | Schedule] = _stored(default=0.0)  # noqa: RUF009 - a field
    clip_value: float | None = _stored(default=None)
    clip_norm: float | None = _stored(default=None)
    rate_factors: Mapping[str, Any] | None = None
    sample_weight: Any = None
    class_weight: Any = None
    validation: Any = None
    early_stopping: EarlyStopping | int | None = None
    callback: Callable[[Info], bool | None] | None = None
    resume: bool | str | os.PathLike = False
    record_every: int | None = _stored(default=None)
    target_loss: float | None = _stored(default=None)
    target_accuracy: float | None = _stored(default=None)
    progress: bool | None = None
    threads: int | None = None
    checkpoint: str | os.PathLike | None = None
    checkpoint_every: int | None = None
    keep: int = 1
    transcript: str | os.PathLike | Transcript | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> FitOptions:
        """From a mapping that has all of them, and may have more: the `locals()` of a function of these arguments."""
        return _made({name: arguments[name] for name in NAMES})

    def checked(self, spec: Spec, rows: int, labelled: bool, trained: int) -> FitOptions:
        """With plain values in place of what may stand for them, for a network and this many rows to train on.

        labelled: whether the rows have labels. trained: epochs of all the network's fits. optimizer, learning_rate and
        resume are left to `resume.run_of`, rate factors to `rate_factors`, rows' weights and validation to
        `sample_weights` and `validation`.
        Raises TypeError or ValueError naming the argument.
        """
        epochs = _epochs(self.epochs, trained)
        every, keep, path = _checkpoint(self, epochs)
        size, records = self.batch_size, self.record_every
        plain = {
            "epochs": epochs,
            "checkpoint_every": every,
            "keep": keep,
            "checkpoint": path,
            "threads": thread_count(self.threads),
            "callback": function(self.callback, "callback"),
            "early_stopping": stopping(self.early_stopping),
            "dropout": dropout_rates(self.dropout, spec),
            "batch_size": rows if size is None else min(scalars.positive_int(size, "batch_size"), rows),
            "record_every": 1 if records is None else scalars.positive_int(records, "record_every"),
            "shuffle": scalars.flag(self.shuffle, "shuffle"),
            "target_loss": None if self.target_loss is None else scalars.finite_float(self.target_loss, "target_loss"),
            "target_accuracy": target_accuracy(self.target_accuracy, spec, labelled),
            "l2": penalty(self.l2, "l2", spec.dtype),
            "l1": penalty(self.l1, "l1", spec.dtype),
            "clip_value": limit(self.clip_value, "clip_value", spec.dtype),
            "clip_norm": limit(self.clip_norm, "clip_norm", spec.dtype),
        }
        if self.clip_value is not None and self.clip_norm is not None:
            raise ValueError("clip_value and clip_norm are both given: clip by one of them")
        if self.progress is not None:
            plain["progress"] = scalars.flag(self.progress, "progress")
        elif self.callback is not None:
            plain["progress"] = False  # what a callback prints would land on the bar's line
        return self.replaced(**plain)

    def replaced(self, **others: Any) -> FitOptions:
        """With other values of some."""
        return _made({**self.__dict__, **others})

    def training(self, **others: Any) -> Training:
        """The engine's view of checked options. others: what a Training has beyond them, or of another kind."""
        own = self.__dict__
        made = object.__new__(Training)  # in a third of the time that a frozen dataclass takes to set 24 fields
        made.__dict__.update(_USUAL_TRAINING)
        made.__dict__.update({name: own[name] for name in _OF_TRAINING}, **others)
        return made

    def stored(self) -> dict[str, Any]:
        """What a checkpoint holds of checked options, beside what is described: the optimizer, stopping and rows."""
        stored = {name: getattr(self, name) for name in _STORED}
        rates: Any = self.dropout
        stored["dropout"] = [schedules.describe(rate) if isinstance(rate, Schedule) else rate for rate in rates]
        return stored


NAMES = tuple(field.name for field in fields(FitOptions))
_STORED = tuple(field.name for field in fields(FitOptions) if field.metadata)
# a Training's epochs are this call's, its learning rate has been looked up, and its optimizer is None for plain descent
_OF_TRAINING = tuple(
    field.name
    for field in fields(Training)
    if field.name in NAMES and field.name not in ("epochs", "learning_rate", "optimizer")
)
_USUAL_TRAINING = {field.name: field.default for field in fields(Training) if field.default is not MISSING}


def _made(values: dict[str, Any]) -> FitOptions:
    """In a tenth of the time that a frozen dataclass takes to set 24 fields."""
    made = object.__new__(FitOptions)
    made.__dict__.update(values)
    return made


def _epochs(value: Any, trained: int) -> int:
    """The epochs, where they fit into what counts those of all fits."""
    count, left = scalars.positive_int(value, "epochs"), scalars.LIMIT - trained
    if count > left:
        raise ValueError(
            f"epochs={value!r} after {trained} that the model has trained is more than it can count, "
            f"{scalars.LIMIT}: " + (f"give {left} or less" if left else "give the weights to a new Model")
        )
    return count


def _checkpoint(options: FitOptions, epochs: int) -> tuple[int, int, str | None]:
    """(checkpoint_every, keep, checkpoint)"""
    every = options.checkpoint_every
    some = max(1, epochs // 10) if every is None else scalars.positive_int(every, "checkpoint_every")
    keep = scalars.positive_int(options.keep, "keep")
    if options.checkpoint is None:
        if every is not None or keep != 1:
            name = "keep" if every is None else "checkpoint_every"
            raise ValueError(f"{name} goes with checkpoint, which is not given: give the path of a file")
        return some, keep, None
    return some, keep, scalars.path(options.checkpoint, "checkpoint")


# ---------------------------------------------------------------------------------------------------------
# Each option


def penalty(value: Any, name: str, dtype: str) -> float:
    """value as a number of 0 or more that the dtype can hold. Raises TypeError or ValueError naming the argument."""
    if type(value) is float and value == 0:
        return value
    number = scalars.finite_float(value, name)
    if number < 0:
        raise ValueError(f"{name}={shown(value)} is negative, which would reward large weights: give 0 or more")
    check_rounded(number, name, dtype)
    return number


def limit(value: Any, name: str, dtype: str) -> float | None:
    """value as a positive number that the dtype can hold, or None. Raises TypeError or ValueError."""
    if value is None:
        return None
    number = scalars.positive_float(value, name)
    check_rounded(number, name, dtype)
    return number


def check_learning_rate(value: float, name: str, dtype: str) -> None:
    """Raises ValueError where a learning rate is not a positive number of the dtype."""
    check_rounded(value, name, dtype)


def target_accuracy(value: Any, spec: Spec, labelled: bool) -> float | None:
    """value as a fraction of the rows, or None. Raises TypeError or ValueError, also where there are no labels."""
    if value is None:
        return None
    if not spec.is_classifier:
        raise ValueError(f'target_accuracy needs labels, and output="{spec.output}" has none: use target_loss')
    found = scalars.fraction(value, "target_accuracy")
    if not labelled:
        raise ValueError("target_accuracy needs labels, and y has values other than 0 and 1: use target_loss")
    return found


def thread_count(value: Any) -> int | None:
    """value as a number of threads, or the environment's, or None. Raises TypeError or ValueError."""
    if value is None:
        return thread_pool.asked()
    number = scalars.positive_int(value, "threads")
    if number > thread_pool.MOST:
        raise ValueError(f"threads={number} is more than {thread_pool.MOST}: give as many as there are cores, or None")
    return number


def function(value: Any, name: str) -> Any:
    """value, if it can be called, or None. Raises TypeError."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}={shown(value)} is not a function: give one that takes an Info, or None")
    return value


def dropout_rates(dropout: Any, spec: Spec) -> tuple[float | Schedule, ...]:
    """A rate for each hidden layer, or () where nothing is dropped. Raises TypeError or ValueError."""
    if type(dropout) is float and dropout == 0:
        return ()
    hidden = len(spec.hidden)
    if isinstance(dropout, (list, tuple)) or (isinstance(dropout, np.ndarray) and dropout.ndim):
        if len(dropout) != hidden:
            raise ValueError(
                f"dropout is a list of {len(dropout)}, and layers={list(spec.layers)} has {hidden} hidden: "
                "give a rate for each hidden layer, or one number for all"
            )
        rates = [_dropout(rate, f"dropout[{layer}]") for layer, rate in enumerate(dropout)]
    else:
        rates = [_dropout(dropout, "dropout")] * hidden
        if not hidden and dropout:
            raise ValueError(
                f"dropout={shown(dropout)}, and layers={list(spec.layers)} has no hidden layer: leave it out"
            )
    some = any(isinstance(rate, Schedule) or dropout_numbers(rate)[0] for rate in rates)
    return tuple(rates) if some else ()


def check_dropout(training: Training) -> None:
    """Raises ValueError where a schedule of dropout leaves its range in one of a training's epochs."""
    at = times(training.done, training.epochs, 1)
    for layer, rate in enumerate(training.dropout):
        if isinstance(rate, Schedule) and len(at):
            found = rate.rates(at)
            worst = int(found.argmax())
            if found[worst] > MOST_DROPPED:
                raise ValueError(
                    f"dropout[{layer}]={shown(rate)} is {found[worst]:g} in epoch {training.first + worst}, and not a "
                    "fraction of units to drop: give a schedule below 1"
                )


def _dropout(value: Any, name: str) -> float | Schedule:
    return fixed_schedule(value, name) if isinstance(value, Schedule) else _fraction(value, name)


def stopping(value: Any) -> EarlyStopping | None:
    """What `early_stopping` means, a number being its patience. Raises TypeError or ValueError."""
    if value is None or isinstance(value, EarlyStopping):
        return value
    if isinstance(value, (type, bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"early_stopping={shown(value)} is no patience: give a whole number of records, like 10, "
            "or an object like fastmlp.EarlyStopping(patience=10)"
        )
    return EarlyStopping(patience=scalars.positive_int(value, "early_stopping"))


def _fraction(value: Any, name: str) -> float:
    number = scalars.finite_float(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name}={shown(value)} is not a fraction of units to drop: give 0 or more, and less than 1")
    if number > MOST_DROPPED:  # what is kept is told by words of 32 bits
        raise ValueError(f"{name}={shown(value)} keeps less than one unit in 2**32: give less")
    return number
