"""What a training run is asked for, and what it tells: the words that models and backends share. Imports NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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


@dataclass(frozen=True)
class Training:
    """What to train for.

    `order` says in what order the rows come in an epoch: None, as they are; an int, the seed of `permutation`; or a
    function of the epoch. The latter two count epochs from `epochs_before` on. Targets end the training at a record
    that reaches them.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    record_every: int
    order: int | Callable[[int], np.ndarray] | None = None
    target_loss: float | None = None
    target_accuracy: float | None = None
    epochs_before: int = 0

    def recorded(self, epoch: int) -> bool:
        """Whether an epoch is recorded: the first, the last, and every `record_every`-th."""
        return epoch in (1, self.epochs) or epoch % self.record_every == 0


@dataclass(frozen=True)
class Step:
    """How far training is. `state` is "more", "done", "target" or "diverged"; `records` are new since the last step."""

    state: str
    epochs: int  # completed
    records: np.ndarray = field(default_factory=lambda: np.zeros(0, RECORD))
