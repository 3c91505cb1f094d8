"""What a callback of `fit` receives, and what it may return. Imports NumPy only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastmlp.history import History


@dataclass(frozen=True)
class Info:
    """A record, as a callback receives it: Python numbers, and None where there is no figure.

    `print(info)` shows one line, such as

        epoch 7/100, loss 0.0042, accuracy 0.98, validation loss 0.0051, validation accuracy 0.97, learning rate 0.1,
        1.2 s

    Attributes
    ----------
    epoch : int
        The epoch's number, from 1.
    epochs : int
        The number of the last epoch that is asked for.
    loss : float
        The training loss.
    accuracy : float or None
        The fraction of training rows that are predicted right.
    validation_loss : float or None
        The mean loss of the validation rows.
    validation_accuracy : float or None
        The fraction of validation rows that are predicted right.
    learning_rate : float or None
        The rate of the epoch's first batch.
    seconds : float
        The time since `fit` began.
    history : History
        All records so far, this one included; only to be read.
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
        """Makes an Info from a record.

        Parameters
        ----------
        record : numpy.void
            One record of dtype `training.RECORD`.
        epochs : int
            The number of the last epoch that is asked for.
        history : History
            All records so far.

        Returns
        -------
        Info
        """
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
    """Tells whether a callback's return value ends the training.

    Parameters
    ----------
    value : object
        True ends it; None and False do not.

    Returns
    -------
    bool

    Raises
    ------
    TypeError
        For any other value, whose meaning would be a guess.
    """
    if value is None:
        return False
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(
        f"a callback returned {value!r:.40}: return True to stop the training, False or nothing to go on with it"
    )


def _figure(value: Any) -> float | None:
    """A record's number as a float, or None for NaN."""
    return None if math.isnan(value) else float(value)
