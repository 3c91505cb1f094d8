"""What `fastmlp train` and `predict` tell of a model beside its file: reports, JSON, and the curve of held-out rows."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._version import __version__
from fastmlp.cli.arguments import Voice
from fastmlp.core import reports
from fastmlp.tables.labels import as_classes, like_classes, places_of_labels

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.model import Model

HELD_OUT = "tab:red"  # of a plot's line, dotted: it differs in black and white, too


def add_json_and_quiet(parser: argparse._ActionsContainer) -> None:
    """Adds the two options, which exclude each other."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--json", action="store_true", help="print one JSON object, with all figures, and nothing else")
    either.add_argument("--quiet", action="store_true", help="print errors and warnings only")


def voice(args: argparse.Namespace) -> Callable[[str], None]:
    """What prints the lines of `fastmlp train`: nothing with --json and --quiet."""
    if args.json or args.quiet:
        args.progress = bool(args.progress) and not args.quiet
        return _silent
    return Voice(bool(args.output or args.plot))


def _silent(line: str) -> None:
    """Prints nothing."""


def label(value: Any) -> Any:
    """A class as JSON has it: text, or a whole number with all of its digits."""
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, (str, bool)) or value != int(value) else int(value)


def of_rows(model: Model, job: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Any] | None:
    """The report on prepared rows of a job, in the table's own labels and units; None without rows."""
    if not len(x):
        return None
    if job.classes is not None:
        return reports.classification(y, model.predict(x), model.predict_proba(x), [*map(label, job.classes)])
    predicted = model.predict(x).astype(np.float64).reshape(len(x), -1)
    y = y.reshape(len(x), -1)
    if job.target_scale is not None:
        with np.errstate(all="ignore"):
            predicted, y = job.target_scale.backward(predicted), job.target_scale.backward(y)
    return reports.regression(predicted, y)


def of_predictions(classes: np.ndarray | None, predicted: np.ndarray, p: Any, y: Any) -> dict[str, Any] | None:
    """The report on a table's own labels or quantities y, (N,) or (N, J); None if y has a label of none of the classes.

    p (N, C): probabilities, or None.
    """
    if classes is None:
        return reports.regression(predicted, y)
    places, unknown = places_of_labels(classes, y)
    if unknown is not None:
        return None
    return reports.classification(places, places_of_labels(classes, predicted)[0], p, [*map(label, classes)])


def of_loaded(classes: np.ndarray | None, y: Any, predicted: np.ndarray, p: np.ndarray | None) -> dict[str, Any] | None:
    """The report on the rows that have a target. y: its column, or an array (N,) or (N, J), as `Loaded` has it."""
    from fastmlp.tables.columns import Column

    if not isinstance(y, Column):
        return of_predictions(classes, predicted, p, y if classes is None or y.ndim == 1 else as_classes(y))
    there = np.flatnonzero(~y.is_missing())
    labels = y.numbers()[there] if classes is None else like_classes(y.taken(there), classes)[0]
    return of_predictions(classes, predicted[there], None if p is None else p[there], labels)


# ---------------------------------------------------------------------------------------------------------
# Held-out rows during the training


class Curve:
    """Loss and accuracy of held-out rows after each record: `fit` calls it. They are looked at, and decide nothing."""

    def __init__(self, model: Model, x: np.ndarray, y: np.ndarray) -> None:
        self._model, self._rows = model, (x, y)
        self.epochs: list[int] = []
        self.loss: list[float] = []
        self.accuracy: list[float] = []

    def __call__(self, info: Any) -> None:
        found = self._model.evaluate(*self._rows)
        self.epochs.append(info.epoch)
        self.loss.append(found["loss"])
        self.accuracy.append(found.get("accuracy", math.nan))


def curve_of(args: argparse.Namespace, model: Model, job: Any) -> Curve | None:
    """The curve for --plot, which `fit` will be asked to call; None if there is nothing to draw."""
    if args.plot is None or not len(job.held[0]):
        return None
    made = Curve(model, *job.held)
    args.callback = made
    if args.progress is None and not args.json and not args.quiet:
        args.progress = sys.stderr.isatty()  # which a callback would turn off
    return made


def plot(history: History, curve: Curve | None, path: Path) -> None:
    """Draws a history and the curve of held-out rows into a file."""
    if curve is None or not curve.epochs:
        history.plot(path)
        return
    from matplotlib.figure import Figure

    shown = ["loss", "accuracy"] if np.isfinite(history.accuracy).any() else ["loss"]
    figure = Figure(figsize=(12, 5) if len(shown) > 1 else (6.5, 5), layout="constrained")
    axes = list(figure.subplots(1, len(shown), squeeze=False)[0])
    history.plot(axes)
    for one, name in zip(axes, shown, strict=True):
        values = np.array(getattr(curve, name))
        there = np.isfinite(values)
        marker = "o" if there.sum() <= 50 else ""
        epochs = np.array(curve.epochs)[there]
        one.plot(epochs, values[there], color=HELD_OUT, linestyle=":", marker=marker, label="held out")
        one.set_title(name.capitalize())
        one.legend()
    figure.savefig(path)


# ---------------------------------------------------------------------------------------------------------
# JSON


def as_json(
    args: argparse.Namespace, model: Model, job: Any, columns: list[str], figures: dict[str, Any]
) -> dict[str, Any]:
    """The object of `fastmlp train --json`, whose keys are always the same: docs/files.md names them."""
    history, spec = model.history, model.spec
    assert history is not None
    last = history.to_dict()
    files = {"model": args.output, "plot": args.plot, "checkpoint": args.checkpoint, "transcript": args.transcript}
    return {
        "command": "train",
        "version": __version__,
        "data": str(args.data),
        "rows": {
            "training": len(job.train[0]),
            "validation": 0 if job.validation is None else len(job.validation[0]),
            "held_out": len(job.held[0]),
        },
        "columns": columns,
        "target": job.target,
        "task": job.task,
        "classes": None if job.classes is None else [*map(label, job.classes)],
        "network": {
            "layers": list(spec.layers),
            "hidden": list(spec.hidden),
            "output": spec.output,
            "loss": spec.loss,
            "dtype": spec.dtype,
        },
        "epochs": model.epochs,
        "stopped": history.stopped,
        "best_epoch": last["best_epoch"],
        "loss": last["loss"][-1],
        "validation_loss": last.get("validation_loss", [None])[-1],
        "validation_accuracy": last.get("validation_accuracy", [None])[-1],
        "metrics": figures,
        "seconds": history.seconds - history.loading,
        "loading_seconds": history.loading,
        "backend": args.backend,
        "digest": model.digest(),
        "files": {name: None if path is None else str(path) for name, path in files.items()},
    }


def of_prediction(
    args: argparse.Namespace, model: Any, header: list[str], values: np.ndarray, metrics: Any, wrong: str | None
) -> dict[str, Any]:
    """The object of `fastmlp predict --json`: with the predictions, unless a file has them."""
    return {
        "command": "predict",
        "version": __version__,
        "model": str(args.model),
        "data": str(args.data),
        "rows": len(values),
        "target": model.target,
        "task": "regress" if model.classes is None else "classify",
        "classes": None if model.classes is None else [*map(label, model.classes)],
        "columns": header,
        "predictions": None if args.output else (values[:, 0] if len(header) == 1 else values).tolist(),
        "metrics": metrics,
        "not_scored": wrong or None,
        "digest": model.model.digest(),
        "files": {"predictions": None if args.output is None else str(args.output)},
    }


def say_json(value: dict[str, Any]) -> None:
    """Prints an object in one line. A NaN would raise, as it is no JSON."""
    Voice(stubborn=True)(json.dumps(value, allow_nan=False))
