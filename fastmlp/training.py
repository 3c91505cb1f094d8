"""What a training run is asked for, and what it tells: the words that models and backends share. Imports NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Training:
    """What to train for. `order` says which rows come in an epoch, and in what order: None, as they are; an int, the
    seed of `permutation`; or a function of the epoch. Targets end the training at a record that reaches them."""

    epochs: int
    learning_rate: float
    batch_size: int
    record_every: int
    order: int | Callable[[int], np.ndarray] | None = None
    target_loss: float | None = None
    target_accuracy: float | None = None

    def recorded(self, epoch: int) -> bool:
        """Whether an epoch is recorded: the first, the last, and every `record_every`-th."""
        return epoch in (1, self.epochs) or epoch % self.record_every == 0


@dataclass(frozen=True)
class Step:
    """How far training is. `state` is "more", "done", "target" or "diverged"; a record is (epoch, loss, accuracy)."""

    state: str
    epochs: int  # completed
    records: list[tuple[int, float, float]] = field(default_factory=list)
