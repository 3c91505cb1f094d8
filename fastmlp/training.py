"""What a training is asked for and what it reports: the terms that models and backends share. Imports NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastmlp.system.atomic import Change

if TYPE_CHECKING:
    from fastmlp.optimizers import Optimizer
    from fastmlp.schedules import PlateauRun, Schedule

# A record: an epoch, its mean loss, the fraction of rows predicted right, the learning rate, the seconds from the start
# of `fit` until the record reached Python, and loss and accuracy of the validation rows. NaN where there is none.
RECORD = np.dtype(
    [
        ("epoch", np.int64),
        ("loss", np.float64),
        ("accuracy", np.float64),
        ("learning_rate", np.float64),
        ("seconds", np.float64),
        ("validation_loss", np.float64),
        ("validation_accuracy", np.float64),
    ]
)


def records(epoch: Any, loss: Any, accuracy: Any, learning_rate: Any = np.nan) -> np.ndarray:
    """Makes records.

    Parameters
    ----------
    epoch, loss, accuracy : number or array of shape (R,)
        The values of these fields.
    learning_rate : number or array of shape (R,), default=NaN
        The value of this field.

    Returns
    -------
    ndarray of shape (R,), dtype RECORD
        The other fields are NaN.
    """
    made = np.zeros(np.size(epoch), RECORD)
    made["epoch"], made["loss"], made["accuracy"], made["learning_rate"] = epoch, loss, accuracy, learning_rate
    for name in ("seconds", "validation_loss", "validation_accuracy"):
        made[name] = np.nan
    return made


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Concatenates arrays of records. (NumPy takes 27 us for that, even for a single array.)

    Parameters
    ----------
    parts : list of ndarray, dtype RECORD

    Returns
    -------
    ndarray, dtype RECORD
    """
    return parts[0] if len(parts) == 1 else np.concatenate([records([], [], []), *parts])


class Rates(Protocol):
    """A learning rate that changes with time: a `Schedule`, or a `PlateauRun`."""

    fixed: bool  # whether a time's rate is always the same; else it depends on the records so far

    def rates(self, t: Any) -> np.ndarray:
        """Returns the rates (T,), float64, at times t (T,) in epochs."""
        ...


@dataclass(frozen=True)
class Objective:
    """A batch's loss as scikit-learn defines it, where it is not the mean of the rows' terms plus the penalties.

    The terms of all outputs are added, squares count half, and the sum is divided by the number of rows or their total
    weight. The l2 and l1 penalties are added to the batch's sum before that division. The loss that is recorded for an
    epoch is the mean over its rows of their batches' losses, with l2's penalty, each at the parameters before the
    batch's update.

    Attributes
    ----------
    share : float
        The fraction of the sum of the rows' losses that is recorded.
    bound : float or None
        For cross-entropies: the smallest probability that the recorded loss is computed from; 1 - bound is the largest.
    """

    share: float = 1.0
    bound: float | None = None


@dataclass(frozen=True)
class RateFactors:
    """What the learning rate is multiplied by, for each kind of parameter.

    Attributes
    ----------
    weight, bias : tuple of float
        For the weights and the biases of each layer.
    input_scale : float
        For the input scale, if there is one.
    """

    weight: tuple[float, ...]
    bias: tuple[float, ...]
    input_scale: float = 1.0


@dataclass(frozen=True)
class Training:
    """The options of one training.

    Epochs count from `done` + 1 to `done` + `epochs`; an earlier training did the first `done` of them. `epochs_before`
    is the number of epochs of all earlier trainings of the network: shuffles and dropout continue from there. A record
    that reaches a target ends the training.

    Attributes
    ----------
    epochs : int
        The number of epochs to train.
    learning_rate : float or Rates
        A batch's time is the number of epochs before it, plus the fraction of its own epoch that is done.
    batch_size : int
        Rows in a batch.
    record_every : int
        Every k-th epoch is recorded.
    order : int, callable or None
        The order of the rows in an epoch: None leaves them as they are, an int is the seed of `permutation`, and a
        function maps an epoch's number to row numbers (N,).
    optimizer : Optimizer or None
        None is plain gradient descent.
    """

    epochs: int
    learning_rate: float | Rates
    batch_size: int
    record_every: int
    order: int | Callable[[int], np.ndarray] | None = None
    target_loss: float | None = None
    target_accuracy: float | None = None
    epochs_before: int = 0
    done: int = 0
    rate_begins: int = 0  # the epoch of the run, done, at which the learning rate's time is 0
    optimizer: Optimizer | None = None
    l2: float = 0.0  # the penalty l2 / 2 * (sum of the weights' squares) is added to the loss; biases are not penalised
    l1: float = 0.0  # and l1 * (sum of their absolute values)
    clip_value: float | None = None  # the largest absolute value of a component of the gradient
    clip_norm: float | None = None  # the gradient's largest norm
    dropout: tuple[float | Schedule, ...] = ()  # a rate for each hidden layer; () for none
    dropout_seed: int = 0
    rate_factors: RateFactors | None = None  # None: all 1
    objective: Objective | None = None
    threads: int | None = None  # of the compiled backend; None: as many as make it faster
    watched: bool = False  # whether each record is a step of its own, so that a caller can act between epochs
    step_every: int | None = None  # a step also ends after each multiple of so many epochs of the run
    begun: int | None = None  # the epochs done before the fit that this one continues, if not `done`

    @property
    def first(self) -> int:
        """The first epoch's number."""
        return self.done + 1

    @property
    def last(self) -> int:
        """The last epoch's number."""
        return self.done + self.epochs

    @property
    def drops(self) -> bool:
        """Whether there is any dropout."""
        return any(self.dropout)

    @property
    def dropout_changes(self) -> bool:
        """Whether a dropout rate is a schedule: it is then another one in each epoch."""
        return bool(self.dropout) and not all(isinstance(rate, float) for rate in self.dropout)

    @property
    def prepares(self) -> bool:
        """Whether the gradient gets penalties or is clipped."""
        return bool(self.l2 or self.l1) or self.clip_value is not None or self.clip_norm is not None

    @property
    def first_recorded(self) -> int:
        """The number of the fit's first epoch, which is always recorded."""
        return self.first if self.begun is None else self.begun + 1

    def recorded(self, epoch: int) -> bool:
        """Whether an epoch is recorded: the first, the last, and every `record_every`-th."""
        return epoch in (self.first_recorded, self.last) or epoch % self.record_every == 0

    @property
    def constant(self) -> bool:
        """Whether the learning rate is one number."""
        return isinstance(self.learning_rate, float)

    def rates(self, epochs: np.ndarray, parts: np.ndarray | float = 0.0) -> np.ndarray:
        """The learning rates (T,), float64, after `epochs` (T,) whole epochs of the run and `parts` of the next one."""
        if isinstance(self.learning_rate, float):
            return np.full(len(epochs), self.learning_rate)
        return self.learning_rate.rates((epochs - self.rate_begins) + parts)


def times(first: int, count: int, parts: int) -> np.ndarray:
    """Returns the times of a run's updates.

    Parameters
    ----------
    first, count : int
        The number of the first update, from 0, and how many.
    parts : int
        The updates of an epoch.

    Returns
    -------
    ndarray of shape (count,), float64
        The run's whole epochs before each, and the fraction of its own that is done.
    """
    epochs, batches = np.divmod(np.arange(first, first + count), parts)
    return epochs + batches / parts


class DropoutRates:
    """The dropout rates of a training's epochs, each layer's at the time of an epoch's begin; computed in blocks."""

    BLOCK = 1024

    def __init__(self, training: Training) -> None:
        self._training = training
        self._first, self._block = 0, np.zeros((0, len(training.dropout)))

    def of(self, epoch: int) -> list[float]:
        """The rates of an epoch of the run, which is counted from 1."""
        place = epoch - 1 - self._first
        if not 0 <= place < len(self._block):
            count = max(1, min(self.BLOCK, self._training.last - epoch + 1))
            self._first, place = epoch - 1, 0
            at = times(epoch - 1, count, 1)
            rates = self._training.dropout
            columns = [np.full(count, rate) if isinstance(rate, float) else rate.rates(at) for rate in rates]
            self._block = np.stack(columns, axis=1)
        return self._block[place].tolist()


class RateTable:
    """A training's learning rates at the times 0, 1 / parts, 2 / parts ... in epochs.

    Rates that depend on time alone are computed in blocks: some schedules take a millisecond, for one time or for a
    thousand.
    """

    BLOCK = 1024

    def __init__(self, training: Training, parts: int) -> None:
        self._training, self._parts = training, parts
        self._fixed = training.constant or training.learning_rate.fixed  # type: ignore[union-attr]
        self._first, self._block = 0, np.zeros(0)

    def rates(self, first: int, count: int) -> np.ndarray:
        """The rates (count,) at the times first / parts, (first + 1) / parts ..."""
        if not self._fixed:
            return self._made(np.arange(first, first + count))
        if not self._first <= first <= first + count <= self._first + len(self._block):
            left = self._training.last * self._parts - first
            self._first = first
            self._block = self._made(np.arange(first, first + max(count, min(self.BLOCK, left))))
        return self._block[first - self._first :][:count]

    def at(self, places: np.ndarray) -> np.ndarray:
        """The rates (T,) at the times places / parts; places (T,) are ascending."""
        if isinstance(rate := self._training.learning_rate, float):
            return np.full(len(places), rate)
        first, count = int(places[0]), int(places[-1] - places[0]) + 1
        if count > self.BLOCK:
            return self._made(places)
        return self.rates(first, count)[places - first]

    def _made(self, places: np.ndarray) -> np.ndarray:
        """Computes the rates (T,) at the times places / parts."""
        epochs, batches = np.divmod(places, self._parts)
        return self._training.rates(epochs, batches / self._parts)


@dataclass
class State:
    """What an optimizer keeps from one update to the next."""

    vectors: np.ndarray  # (S, P), of the network's dtype
    powers: np.ndarray  # (2,) float64: beta_1^t and beta_2^t, the weight that the averages' first value still has

    @classmethod
    def new(cls, optimizer: Optimizer | None, parameters: int, dtype: str) -> State:
        """The state before the first update of a network with this many parameters."""
        count, initial = (optimizer.vectors, optimizer.initial) if optimizer else (0, 0.0)
        vectors = np.full((count, parameters), initial, dtype) if count else np.empty((0, parameters), dtype)
        return cls(vectors, np.ones(2))

    def copy(self) -> State:
        """A copy with arrays of its own."""
        return State(self.vectors.copy(), self.powers.copy())


@dataclass
class Run:
    """What a later training continues from: the optimizer and its state after a number of epochs."""

    optimizer: Optimizer
    state: State
    epochs: int = 0
    plateau: PlateauRun | None = None  # if the learning rate is a ReduceOnPlateau
    rate_begins: int = 0  # the learning rate's time 0, in epochs of the run
    held_out: float | None = None  # the fraction of the rows that validation has held out
    not_resumable_because: str | None = None  # in words
    # Of a seed that is a generator, while an epoch's order may have been drawn that is not trained on yet: its state
    # before that.
    drawn_from: dict[str, Any] | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """From a pickle; older ones call a field otherwise."""
        if "spoilt" in state:
            state = {**state, "not_resumable_because": state["spoilt"]}
            del state["spoilt"]
        self.__dict__.update(state)


@dataclass(slots=True)
class Step:
    """How far a training has come.

    `state` is "more", "done", "target" or "diverged". `records` are those since the last step. A step that reports
    whole epochs has the parameters after them, and the changes (for `atomic.together`) that write these and the
    optimizer's state to the arrays that the training was started with. Other steps have neither.
    """

    state: str
    epochs: int  # the number of the last completed one
    records: np.ndarray = field(default_factory=lambda: np.zeros(0, RECORD))
    parameters: np.ndarray | None = None
    changes: tuple[Change, ...] = ()
    kept: np.ndarray | None = None  # parameters before the last record of a finite loss: a diverged training ends there
