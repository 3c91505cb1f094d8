"""What a training recorded, and how it ended. Imports NumPy, and matplotlib to plot."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.checks.messages import lacks
from fastmlp.system.atomic import Change, together
from fastmlp.training import RECORD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the array properties, in the order of a record's fields
COLUMNS = ("epoch", "loss", "accuracy", "learning_rate", "elapsed", "validation_loss", "validation_accuracy")
LOG_DECADES = 2  # losses that span more are drawn on a logarithmic scale
# The lines also differ in black and white: validation is lighter and dashed.
LOSS, ACCURACY, VALIDATION = "tab:blue", "green", "tab:orange"


class History:
    """The records of one call of `fit`, oldest first.

    `len(history)` is R, the number of records.

    Attributes
    ----------
    epoch : ndarray of shape (R,), int64
        The epochs' numbers, from 1.
    loss : ndarray of shape (R,), float64
        The training loss before the epoch's update; with mini-batches, the epoch's mean.
    accuracy : ndarray of shape (R,), float64
        The fraction of rows predicted right, as the loss; NaN without labels.
    learning_rate : ndarray of shape (R,), float64
        The rate of the epoch's first batch.
    elapsed : ndarray of shape (R,), float64
        Seconds from the start of `fit` until the record reached Python. Records arrive in groups, at most some 50 ms
        late.
    validation_loss, validation_accuracy : ndarray of shape (R,), float64
        Loss and accuracy of the validation rows after the epoch; NaN without validation.
    seconds : float
        How long the call took.
    loading : float
        The part of `seconds` that was spent waiting for kernels. It is long if they had to be compiled.
    stopped : str or None
        Why the training ended before its last epoch.
    best_epoch : int or None
        The epoch that early stopping found best.
    """

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []  # arrays of records; always this list object, since changes hold it
        self.seconds: float = 0.0
        self.loading: float = 0.0
        self.stopped: str | None = None
        self.best_epoch: int | None = None

    @property
    def epoch(self) -> np.ndarray:
        """The epochs' numbers, (R,) int64, from 1."""
        return self._records["epoch"]

    @property
    def loss(self) -> np.ndarray:
        """The training losses, (R,) float64."""
        return self._records["loss"]

    @property
    def accuracy(self) -> np.ndarray:
        """The fractions of training rows predicted right, (R,) float64; NaN without labels."""
        return self._records["accuracy"]

    @property
    def learning_rate(self) -> np.ndarray:
        """The learning rates of the epochs' first batches, (R,) float64."""
        return self._records["learning_rate"]

    @property
    def elapsed(self) -> np.ndarray:
        """Seconds from the start of `fit` to each record, (R,) float64."""
        return self._records["seconds"]

    @property
    def validation_loss(self) -> np.ndarray:
        """The validation losses, (R,) float64; NaN without validation."""
        return self._records["validation_loss"]

    @property
    def validation_accuracy(self) -> np.ndarray:
        """The fractions of validation rows predicted right, (R,) float64; NaN without validation or labels."""
        return self._records["validation_accuracy"]

    @property
    def _records(self) -> np.ndarray:
        """All records in one array (R,), which replaces the parts it was joined from."""
        if (count := len(self._parts)) > 1:
            self._parts[:count] = [np.concatenate(self._parts[:count])]
        return self._parts[0] if self._parts else np.zeros(0, RECORD)

    def records(self) -> np.ndarray:
        """Returns a copy of the records.

        Returns
        -------
        ndarray of shape (R,), dtype `training.RECORD`
        """
        return self._records.copy()

    def extend(self, records: np.ndarray) -> None:
        """Adds a copy of some records. `fit` calls this; users only read a history.

        Parameters
        ----------
        records : ndarray of shape (R,), dtype `training.RECORD`
            The new records, as `training.records` makes them.
        """
        together(self.extended(records))

    def extended(self, records: np.ndarray) -> list[Change]:
        """Returns the changes that `extend` makes, for `system.atomic.together`.

        Parameters
        ----------
        records : ndarray of shape (R,), dtype `training.RECORD`
            The new records.

        Returns
        -------
        list of Change
            Empty if there are no records.
        """
        assert records.dtype == RECORD
        return [partial(self._parts.append, records.copy())] if len(records) else []

    def latest(self) -> str:
        """Returns the last record in words.

        Returns
        -------
        str
            'loss 0.0042, accuracy 0.98, validation 0.0051, 0.97', without the figures that there are not; '' without
            records.
        """
        if not self._parts:
            return ""
        last = self._parts[-1][-1]  # not from `_records`, which would join all of them again at every step
        named = {"loss": "loss ", "accuracy": "accuracy ", "validation_loss": "validation ", "validation_accuracy": ""}
        return ", ".join(f"{word}{last[name]:.3g}" for name, word in named.items() if not np.isnan(last[name]))

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain lists and numbers, which `json.dumps` accepts.

        Returns
        -------
        dict
            "epoch", "loss", "accuracy", "learning_rate", "elapsed", "validation_loss" and "validation_accuracy" are
            lists. "seconds", "loading", "stopped" and "best_epoch" are single values. A list without a finite number is
            left out, except "epoch" and "loss". In the lists, None stands for a number that is not finite, since JSON
            has no NaN.
        """
        columns = {name: getattr(self, name) for name in COLUMNS}
        told: dict[str, Any] = {
            name: _numbers(column)
            for name, column in columns.items()
            if name in ("epoch", "loss") or np.isfinite(column).any()
        }
        best = None if self.best_epoch is None else int(self.best_epoch)
        ends = {"seconds": float(self.seconds), "loading": float(self.loading), "stopped": self.stopped}
        return {**told, **ends, "best_epoch": best}

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __repr__(self) -> str:
        if not len(self):
            return "History(no records)"
        parts = ["1 record" if len(self) == 1 else f"{len(self)} records"]
        parts.append(_span("epoch", [str(end) for end in self.epoch[[0, -1]]]))
        for name in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
            column = getattr(self, name)
            there = column[~np.isnan(column)]
            if len(there):
                parts.append(_span(name.replace("_", " "), [f"{end:.4g}" for end in there[[0, -1]]]))
        if self.best_epoch is not None:
            parts.append(f"best epoch {self.best_epoch}")
        parts.append(f"{self.seconds:.3g} s")
        if self.stopped:
            parts.append(f"stopped: {self.stopped}")
        return f"History({', '.join(parts)})"

    def plot(self, path_or_axes: Any = None) -> Figure:
        """Plots loss and accuracy over the epochs, side by side; the loss alone if there is no accuracy.

        Training and validation have a line each. A vertical line marks `best_epoch`. The loss has a logarithmic axis if
        it spans more than two decades.

        Parameters
        ----------
        path_or_axes : path, matplotlib Axes, list of one or two Axes, or None, default=None
            A file to write, whose suffix gives the format (.png, .svg, .pdf); or axes to draw into, one for the loss or
            two for loss and accuracy. None makes a new figure.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `path_or_axes` is something else.

        Notes
        -----
        No display is needed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(lacks("plots need", "matplotlib", "plot")) from error
        has_accuracy = bool(np.isfinite([self.accuracy, self.validation_accuracy]).any())
        to_file = isinstance(path_or_axes, (str, os.PathLike))
        axes: list[Axes]
        if path_or_axes is None or to_file:
            # not pyplot's figure: no global state, no display, nothing to close
            figure = Figure(figsize=(12, 5) if has_accuracy else (6.5, 5), layout="constrained")
            axes = list(figure.subplots(1, 2 if has_accuracy else 1, squeeze=False)[0])
        else:
            axes = _axes(path_or_axes)
            figure = cast("Figure", axes[0].figure)
        self._draw(axes[0], "loss", LOSS)
        losses = np.concatenate([self.loss, self.validation_loss])
        losses = losses[np.isfinite(losses)]
        if len(losses) and losses.min() > 0 and np.log10(losses.max()) - np.log10(losses.min()) > LOG_DECADES:
            axes[0].set_yscale("log")
        if len(axes) > 1 and has_accuracy:
            self._draw(axes[1], "accuracy", ACCURACY)
            axes[1].set_ylim(0, 1.05)
        if to_file:
            figure.savefig(path_or_axes)
        return figure

    def _draw(self, axes: Axes, name: str, color: str) -> None:
        """Draws the lines of training and of validation, through the records that have finite values."""
        training, validation = getattr(self, name), getattr(self, f"validation_{name}")
        validated = bool(np.isfinite(validation).any())
        curves = [("training", training, color, "-")]
        if validated:
            curves.append(("validation", validation, VALIDATION, "--"))
        for label, values, shade, line in curves:
            there = np.isfinite(values)
            marker = _marker(int(there.sum()))
            axes.plot(self.epoch[there], values[there], marker=marker, color=shade, linestyle=line, label=label)
        if self.best_epoch is not None:
            axes.axvline(self.best_epoch, color="black", linewidth=1.2, linestyle=":", label="best")
        if validated or self.best_epoch is not None:
            axes.legend()
        title = name.capitalize() if validated else f"Training {name}"
        axes.set(title=title, xlabel="Epoch", ylabel=name.capitalize())
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(True, alpha=0.5)


def _numbers(column: np.ndarray) -> list[Any]:
    """A column as Python numbers, with None for those that are not finite."""
    finite = np.isfinite(column)
    return [number if there else None for number, there in zip(column.tolist(), finite.tolist(), strict=True)]


def seconds_of(history: History) -> str:
    """Returns how long a training took, in words.

    Parameters
    ----------
    history : History

    Returns
    -------
    str
        '0.11 s', or '0.11 s, after 2.4 s to compile kernels, once'.
    """
    time = f"{history.seconds - history.loading:.3g} s"
    compiled = history.loading > 0.2  # loading from the cache takes some 0.03 s
    return f"{time}, after {history.loading:.1f} s to compile kernels, once" if compiled else time


def _whole_numbers() -> Any:
    """The ticks of an axis of epochs: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)  # for a single epoch, one tick


def _span(name: str, ends: list[str]) -> str:
    """'loss 0.7 -> 0.1', or 'loss 0.7' where both ends are equal."""
    first, last = ends
    return f"{name} {first}" if first == last else f"{name} {first} -> {last}"


def _marker(records: int) -> str:
    """The marker of a line: points where there are few records."""
    return "o" if records <= 50 else ""


def _axes(given: Any) -> list[Axes]:
    """The axes that were given, as a list of one or two."""
    several = list(given.flat) if isinstance(given, np.ndarray) else given
    several = list(several) if isinstance(several, Iterable) else [several]
    if not 1 <= len(several) <= 2 or not all(hasattr(one, "get_figure") for one in several):
        raise TypeError(f"path_or_axes={given!r} is neither a path nor one or two matplotlib axes")
    return several
