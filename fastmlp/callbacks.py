"""What a callback of `fit` is given, and what it may answer. Imports NumPy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastmlp.history import History


@dataclass(frozen=True)
class Info:
    """A record, as a callback sees it: Python numbers, None where there is no figure.

    epochs: the number of the last epoch that is asked for. seconds: since `fit` began. history: all records so far,
    this one included, to read.

    >>> print(info)
    epoch 7/100, loss 0.0042, accuracy 0.98, validation loss 0.0051, validation accuracy 0.97, learning rate 0.1, 1.2 s
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float | None
    seconds: float
    history: History

    @classmethod
    def of(cls, record: np.void, epochs: int, history: History) -> Info:
        """From one record of dtype RECORD."""
        return cls(
            epoch=int(record["epoch"]),
            epochs=epochs,
            loss=float(record["loss"]),
            accuracy=_figure(record["accuracy"]),
            validation_loss=_figure(record["validation_loss"]),
            validation_accuracy=_figure(record["validation_accuracy"]),
            learning_rate=_figure(record["learning_rate"]),
            seconds=float(record["seconds"]),
            history=history,
        )

    def __str__(self) -> str:
        parts = [f"epoch {self.epoch}/{self.epochs}"]
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name.replace('_', ' ')} {value:.4g}")
        return ", ".join([*parts, f"{self.seconds:.3g} s"])


def verdict(value: Any) -> bool:
    """Whether training stops, by what a callback returned: True stops it; None and False let it go on.

    Raises TypeError for anything else, which may have been meant as either.
    """
    if value is None:
        return False
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(
        f"a callback returned {value!r:.40}: return True to stop the training, False or nothing to go on with it"
    )


def _figure(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
