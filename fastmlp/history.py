"""What a training run recorded, and how it ended. Imports NumPy, and matplotlib to plot."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.system.atomic import Change, together
from fastmlp.training import RECORD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the properties that are arrays, in the order of a record's fields
COLUMNS = ("epoch", "loss", "accuracy", "learning_rate", "elapsed", "validation_loss", "validation_accuracy")
LOG_DECADES = 2  # losses that span more are drawn on a logarithmic scale
# In print without colours the curves differ too: validation is lighter, and dashed.
LOSS, ACCURACY, VALIDATION = "tab:blue", "green", "tab:orange"


class History:
    """The records of one call of `fit`, oldest first.

    Of each record, (R,): epoch (int64, from 1) and, float64 with NaN where there is none, loss, as it stood before that
    epoch's update (with mini-batches: the epoch's mean); accuracy, the share of right rows; learning_rate; elapsed, the
    seconds since `fit` began at which the record reached Python (some 50 ms late at most, many at once); and
    validation_loss and validation_accuracy.

    seconds: how long the call took; loading: how many of them went to getting kernels, long where these had to be
    compiled. stopped: why it ended before its last epoch, or None. best_epoch: the epoch that early stopping found
    best, or None.
    """

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []  # of records; one list, which others hold that add to it
        self.seconds: float = 0.0
        self.loading: float = 0.0
        self.stopped: str | None = None
        self.best_epoch: int | None = None

    @property
    def epoch(self) -> np.ndarray:
        return self._records["epoch"]

    @property
    def loss(self) -> np.ndarray:
        return self._records["loss"]

    @property
    def accuracy(self) -> np.ndarray:
        return self._records["accuracy"]

    @property
    def learning_rate(self) -> np.ndarray:
        return self._records["learning_rate"]

    @property
    def elapsed(self) -> np.ndarray:
        return self._records["seconds"]

    @property
    def validation_loss(self) -> np.ndarray:
        return self._records["validation_loss"]

    @property
    def validation_accuracy(self) -> np.ndarray:
        return self._records["validation_accuracy"]

    @property
    def _records(self) -> np.ndarray:
        if (count := len(self._parts)) > 1:
            self._parts[:count] = [np.concatenate(self._parts[:count])]
        return self._parts[0] if self._parts else np.zeros(0, RECORD)

    def records(self) -> np.ndarray:
        """A copy of the records (R,), of dtype `training.RECORD`."""
        return self._records.copy()

    def extend(self, records: np.ndarray) -> None:
        """Adds a copy of records (R,), as `training.records` makes them. `fit` calls this; its caller only reads."""
        together(self.extended(records))

    def extended(self, records: np.ndarray) -> list[Change]:
        """The changes that `extend` makes."""
        assert records.dtype == RECORD
        return [partial(self._parts.append, records.copy())] if len(records) else []

    def latest(self) -> str:
        """The last record in words: 'loss 0.0042, accuracy 0.98, validation 0.0051, 0.97', or '' if there is none."""
        if not self._parts:
            return ""
        last = self._parts[-1][-1]  # not of all records, which would be joined anew at every step
        named = {"loss": "loss ", "accuracy": "accuracy ", "validation_loss": "validation ", "validation_accuracy": ""}
        return ", ".join(f"{word}{last[name]:.3g}" for name, word in named.items() if not np.isnan(last[name]))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and numbers, which `json.dumps` takes.

        {"epoch": [1, 2], "loss": [0.7, 0.6], "accuracy": ..., "learning_rate": ..., "elapsed": ...,
        "validation_loss": ..., "validation_accuracy": ..., "seconds": 0.5, "loading": 0.0, "stopped": None,
        "best_epoch": None}: a list is left out where it has no finite number, but for epoch and loss; in the others
        None stands for what is not finite, which JSON does not know.
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
        """Draws loss and accuracy over the epochs, side by side; the loss alone where there is no accuracy.

        Each of training and, where there is one, of validation. A vertical line stands at `best_epoch`, where that is
        set. Losses that span more than two decades have a logarithmic axis.

        path_or_axes: a file to write (its ending says the format: .png, .svg, .pdf), or matplotlib axes to draw into,
        one for the loss or two for both, or None. Returns the figure. Needs no display. Raises ImportError where
        matplotlib is missing, and TypeError for anything else as an argument.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("plots need matplotlib, which is not installed: pip install matplotlib") from error
        has_accuracy = bool(np.isfinite([self.accuracy, self.validation_accuracy]).any())
        to_file = isinstance(path_or_axes, (str, os.PathLike))
        axes: list[Axes]
        if path_or_axes is None or to_file:
            # a Figure of its own, not pyplot's: no global state, no display, nothing to close
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
        """The curves of training and of validation, through the records that have them."""
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
    """A column as Python numbers; None where one is not finite."""
    finite = np.isfinite(column)
    return [number if there else None for number, there in zip(column.tolist(), finite.tolist(), strict=True)]


def seconds_of(history: History) -> str:
    """How long a run took, in words: '0.11 s', or '0.11 s, after 2.4 s to compile kernels, once'."""
    time = f"{history.seconds - history.loading:.3g} s"
    compiled = history.loading > 0.2  # from the cache it takes some 0.03
    return f"{time}, after {history.loading:.1f} s to compile kernels, once" if compiled else time


def _whole_numbers() -> Any:
    """Where an axis of epochs has its ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)  # of a single epoch, that one


def _span(name: str, ends: list[str]) -> str:
    first, last = ends
    return f"{name} {first}" if first == last else f"{name} {first} -> {last}"


def _marker(records: int) -> str:
    return "o" if records <= 50 else ""


def _axes(given: Any) -> list[Axes]:
    several = list(given.flat) if isinstance(given, np.ndarray) else given
    several = list(several) if isinstance(several, Iterable) else [several]
    if not 1 <= len(several) <= 2 or not all(hasattr(one, "get_figure") for one in several):
        raise TypeError(f"path_or_axes={given!r} is neither a path nor one or two matplotlib axes")
    return several
