"""What a training run is asked for, and what it tells: the words that models and backends share. Imports NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastmlp.system.atomic import Change

if TYPE_CHECKING:
    from fastmlp.optimizers import Optimizer
    from fastmlp.schedules import PlateauRun

# A record: an epoch, its mean loss, the share of right rows, the learning rate, the seconds since `fit` began at which
# the record reached Python, and loss and accuracy of the validation rows. NaN where there is none.
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
    """Records (R,), of dtype RECORD, from numbers or from arrays of R numbers; the other fields are NaN."""
    made = np.zeros(np.size(epoch), RECORD)
    made["epoch"], made["loss"], made["accuracy"], made["learning_rate"] = epoch, loss, accuracy, learning_rate
    for name in ("seconds", "validation_loss", "validation_accuracy"):
        made[name] = np.nan
    return made


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Records one after the other. (NumPy takes 27 us to join arrays of records, be it one.)"""
    return parts[0] if len(parts) == 1 else np.concatenate([records([], [], []), *parts])


class Rates(Protocol):
    """Learning rates that change as time goes on."""

    fixed: bool  # whether a time's rate is always the same; else what has been seen decides

    def rates(self, t: Any) -> np.ndarray:
        """The rates (T,) in float64 at times t (T,), in epochs."""
        ...


@dataclass(frozen=True)
class Objective:
    """A batch's loss where it is not the mean over its rows' terms with the penalties added to that mean.

    The terms of all outputs add up and squares are halves, over the rows or their weights; l2 and l1 are added to the
    batch's sum, and divided with it. What is recorded is the mean over an epoch's rows of their batches' losses, with
    l2's penalty, each at the parameters before the batch's update. That is scikit-learn's.

    share: of the sum of the rows' losses, what is recorded. bound: the least probability that a cross-entropy is
    recorded for, and 1 - bound the largest.
    """

    share: float = 1.0
    bound: float | None = None


@dataclass(frozen=True)
class Training:
    """What to train for.

    learning_rate: a number, or an object with rates of times (see `Rates`): a batch's time is the number of epochs
    before it, with the share of its own epoch that is done. optimizer: None for plain gradient descent.
    `order` says in what order the rows come in an epoch: None, as they are; an int, the seed of `permutation`; or a
    function of the epoch. Targets end the training at a record that reaches them.

    Epochs count from `done` + 1 to `done` + `epochs`; `done` of them an earlier training did. `epochs_before` is how
    many went before over all trainings of the network: shuffles and dropout count on from there.
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
    rate_begins: int = 0  # after so many epochs of the run is a learning rate's time 0
    optimizer: Optimizer | None = None
    l2: float = 0.0  # the loss's penalty is l2 / 2 times the weights' squares (not the biases')
    l1: float = 0.0  # and l1 times their sizes
    clip_value: float | None = None  # the most that each part of the gradient may be
    clip_norm: float | None = None  # the most that its length may be
    dropout: tuple[float, ...] = ()  # a rate for each hidden layer; () for none
    dropout_seed: int = 0
    objective: Objective | None = None
    threads: int | None = None  # of the compiled backend; None: as many as pay
    watched: bool = False  # whether each record is a step of its own, so that others can decide between epochs
    step_every: int | None = None  # epochs of the run after whose multiples a step ends
    begun: int | None = None  # where the fit began that this one goes on with, if not at `done`: records count from it

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
    def prepares(self) -> bool:
        """Whether the gradient gets penalties or is clipped."""
        return bool(self.l2 or self.l1) or self.clip_value is not None or self.clip_norm is not None

    @property
    def first_recorded(self) -> int:
        """The first epoch of the fit, which is recorded whatever `record_every` is."""
        return self.first if self.begun is None else self.begun + 1

    def recorded(self, epoch: int) -> bool:
        """Whether an epoch is recorded: the first, the last, and every `record_every`-th."""
        return epoch in (self.first_recorded, self.last) or epoch % self.record_every == 0

    @property
    def constant(self) -> bool:
        """Whether the learning rate is one number."""
        return isinstance(self.learning_rate, float)

    def rates(self, epochs: np.ndarray, parts: np.ndarray | float = 0.0) -> np.ndarray:
        """The learning rates (T,) after so many epochs of the run (T,) and parts of one, in float64."""
        if isinstance(self.learning_rate, float):
            return np.full(len(epochs), self.learning_rate)
        return self.learning_rate.rates((epochs - self.rate_begins) + parts)


class RateTable:
    """A training's learning rates at times 0, 1 / `parts`, 2 / `parts` ... of an epoch.

    Fixed ones are made in blocks: some schedules take a millisecond, be it for one time or for a thousand.
    """

    BLOCK = 1024

    def __init__(self, training: Training, parts: int) -> None:
        self._training, self._parts = training, parts
        self._fixed = training.constant or training.learning_rate.fixed  # type: ignore[union-attr]
        self._first, self._block = 0, np.zeros(0)

    def rates(self, first: int, count: int) -> np.ndarray:
        """(count,), from time `first` / parts on."""
        if not self._fixed:
            return self._made(np.arange(first, first + count))
        if not self._first <= first <= first + count <= self._first + len(self._block):
            left = self._training.last * self._parts - first
            self._first = first
            self._block = self._made(np.arange(first, first + max(count, min(self.BLOCK, left))))
        return self._block[first - self._first :][:count]

    def at(self, places: np.ndarray) -> np.ndarray:
        """The rates at some times / parts, ascending."""
        first, count = int(places[0]), int(places[-1] - places[0]) + 1
        if self._training.constant or count > self.BLOCK:
            return self._made(places)
        return self.rates(first, count)[places - first]

    def _made(self, places: np.ndarray) -> np.ndarray:
        epochs, batches = np.divmod(places, self._parts)
        return self._training.rates(epochs, batches / self._parts)


@dataclass
class State:
    """What an optimizer carries from one update to the next."""

    vectors: np.ndarray  # (S, P), of the network's dtype
    powers: np.ndarray  # (2,) float64: what its averages began with still weighs this much (beta_1^t, beta_2^t)

    @classmethod
    def new(cls, optimizer: Optimizer | None, parameters: int, dtype: str) -> State:
        """Before the first update of a network of this many parameters."""
        count, initial = (optimizer.vectors, optimizer.initial) if optimizer else (0, 0.0)
        return cls(np.full((count, parameters), initial, dtype), np.ones(2))

    def copy(self) -> State:
        return State(self.vectors.copy(), self.powers.copy())


@dataclass
class Run:
    """What a later training goes on from: where an optimizer is, after so many epochs."""

    optimizer: Optimizer
    state: State
    epochs: int = 0
    plateau: PlateauRun | None = None  # where the learning rate waits for progress
    rate_begins: int = 0  # the learning rate's time 0, in epochs of the run
    held_out: float | None = None  # the share of the rows that validation has held out
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
    """How far training is. `state` is "more", "done", "target" or "diverged"; `records` are new since the last step.

    Steps that tell of whole epochs come with the parameters after them, and the changes (`atomic.together`) that write
    these and the optimizer's state to where the training was begun from; others have none of both.
    """

    state: str
    epochs: int  # the number of the last completed one
    records: np.ndarray = field(default_factory=lambda: np.zeros(0, RECORD))
    parameters: np.ndarray | None = None
    changes: tuple[Change, ...] = ()
    kept: np.ndarray | None = None  # what the last record of a finite loss began with: a diverging training ends there
