"""What a training run recorded: epochs, losses, accuracies, and how it ended. Imports NumPy, and matplotlib to plot."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.training import RECORD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_DECADES = 2  # losses that span more are drawn on a logarithmic scale


class History:
    """The records of one call of `fit`, oldest first.

    epoch (R,) int64, from 1; loss (R,) float64, as it stood before that epoch's update (with mini-batches: the epoch's
    mean); accuracy (R,) float64, the share of right rows, NaN where there are no labels.
    seconds: how long the call took; loading: how many of them went to getting kernels, long where these had to be
    compiled. stopped: why it ended before its last epoch, or None.
    """

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []  # of records; one list, so that an interrupt finds whole records
        self.seconds: float = 0.0
        self.loading: float = 0.0
        self.stopped: str | None = None

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
    def _records(self) -> np.ndarray:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0] if self._parts else np.zeros(0, RECORD)

    def extend(self, records: Any) -> None:
        """Adds records, an array of RECORD or tuples of its fields. `fit` calls this; its caller only reads."""
        if len(records):
            self._parts.append(np.array(records, RECORD))

    def latest(self) -> str:
        """The last record in words: 'loss 0.0042, accuracy 0.98'."""
        _, loss, accuracy = self._parts[-1][-1]  # not of all records, which would be joined anew at every step
        return f"loss {loss:.4g}" + ("" if np.isnan(accuracy) else f", accuracy {accuracy:.4g}")

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __repr__(self) -> str:
        if not len(self):
            return "History(no records)"
        parts = ["1 record" if len(self) == 1 else f"{len(self)} records"]
        first, last = self._records[[0, -1]].tolist()
        parts.append(_span("epoch", [str(first[0]), str(last[0])]))
        parts.append(_span("loss", [f"{first[1]:.4g}", f"{last[1]:.4g}"]))
        if not np.isnan(last[2]):
            parts.append(_span("accuracy", [f"{first[2]:.4g}", f"{last[2]:.4g}"]))
        parts.append(f"{self.seconds:.3g} s")
        if self.stopped:
            parts.append(f"stopped: {self.stopped}")
        return f"History({', '.join(parts)})"

    def plot(self, path_or_axes: Any = None) -> Figure:
        """Draws loss and accuracy over the epochs, side by side; the loss alone where there is no accuracy.

        path_or_axes: a file to write (its ending says the format: .png, .svg, .pdf), or matplotlib axes to draw into,
        one for the loss or two for both, or None. Returns the figure. Needs no display. Raises ImportError where
        matplotlib is missing, and TypeError for anything else as an argument.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("plots need matplotlib, which is not installed: pip install matplotlib") from error
        has_accuracy = bool(np.isfinite(self.accuracy).any())
        to_file = isinstance(path_or_axes, (str, os.PathLike))
        axes: list[Axes]
        if path_or_axes is None or to_file:
            # a Figure of its own, not pyplot's: no global state, no display, nothing to close
            figure = Figure(figsize=(12, 5) if has_accuracy else (6.5, 5), layout="constrained")
            axes = list(figure.subplots(1, 2 if has_accuracy else 1, squeeze=False)[0])
        else:
            axes = _axes(path_or_axes)
            figure = cast("Figure", axes[0].figure)
        self._draw_loss(axes[0])
        if len(axes) > 1 and has_accuracy:
            self._draw_accuracy(axes[1])
        if to_file:
            figure.savefig(path_or_axes)
        return figure

    def _draw_loss(self, axes: Axes) -> None:
        loss = self.loss
        axes.plot(self.epoch, loss, marker=_marker(len(self)))
        axes.set(title="Training loss", xlabel="Epoch", ylabel="Loss")
        if len(self) and loss.min() > 0 and np.log10(loss.max() / loss.min()) > LOG_DECADES:
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(True)

    def _draw_accuracy(self, axes: Axes) -> None:
        axes.plot(self.epoch, self.accuracy, marker=_marker(len(self)), color="green")
        axes.set(title="Training accuracy", xlabel="Epoch", ylabel="Accuracy", ylim=(0, 1.05))
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(True)


def seconds_of(history: History) -> str:
    """How long a run took, in words: '0.11 s', or '0.11 s, after 2.4 s to compile kernels, once'."""
    time = f"{history.seconds - history.loading:.3g} s"
    compiled = history.loading > 0.2  # from the cache it takes some 0.03
    return f"{time}, after {history.loading:.1f} s to compile kernels, once" if compiled else time


def _whole_numbers() -> Any:
    """Where an axis of epochs has its ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, steps=[1, 2, 5, 10])


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
