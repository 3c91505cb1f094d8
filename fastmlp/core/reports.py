"""What predictions are worth: confusion, precision and recall of classes, log loss; errors of quantities. In float64.

The definitions are scikit-learn's: `confusion_matrix`, `precision_recall_fscore_support` with zero_division=0,
`log_loss`, `mean_absolute_error`, `root_mean_squared_error` and `r2_score`. Imports NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.core import scores

WIDEST = 12  # classes of a confusion matrix that is printed as a whole
MOST = 20  # lines of classes in a report
PAIRS = 10  # of classes that are most often taken for each other, where there are more


def confusion(places: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix (C, C), int64: how many rows of class i, in line i, are predicted as class j.

    places, predicted: classes' numbers (N,), 0 to C - 1.
    """
    counts = np.bincount(places.astype(np.int64) * classes + predicted.astype(np.int64), minlength=classes * classes)
    return counts.reshape(classes, classes)


def log_loss(p: np.ndarray, places: np.ndarray) -> float:
    """The mean of -log of the probability of what happened, of probabilities p (N, C).

    As scikit-learn has it, no probability is below the dtype's epsilon, or above 1 - epsilon.
    """
    epsilon = float(np.finfo(p.dtype).eps)
    happened = p[np.arange(len(p)), places.astype(np.int64)].astype(np.float64)
    return float(-np.log(np.clip(happened, epsilon, 1.0 - epsilon)).mean())


def of_classes(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 and support of each class (C,), of a confusion matrix. A 0 stands for 0/0."""
    right = np.diag(matrix).astype(np.float64)
    precision, recall = _ratio(right, matrix.sum(axis=0)), _ratio(right, matrix.sum(axis=1))
    f1 = _ratio(2 * right, matrix.sum(axis=0) + matrix.sum(axis=1))
    return {"precision": precision, "recall": recall, "f1": f1, "support": matrix.sum(axis=1)}


def classification(
    places: np.ndarray, predicted: np.ndarray, p: np.ndarray | None, labels: Sequence[Any]
) -> dict[str, Any]:
    """The report on classes, as plain values that `json.dumps` accepts.

    labels: what each class is called, of plain values. p (N, C): probabilities, or None.
    """
    matrix = confusion(places, predicted, len(labels))
    of = of_classes(matrix)
    each = [
        {"class": label, **{name: values[place].item() for name, values in of.items()}}
        for place, label in enumerate(labels)
    ]
    return {
        "accuracy": float(np.trace(matrix) / max(1, matrix.sum())),
        "log_loss": None if p is None else finite(log_loss(p, places)),
        "macro_f1": float(of["f1"].mean()),
        "classes": each,
        "confusion": matrix.tolist(),
    }


def regression(predicted: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """The report on quantities (N,) or (N, J), the mean over J: MAE, RMSE and R2, in y's units. None: not finite."""
    rows = len(y)
    y, predicted = y.reshape(rows, -1).astype(np.float64), predicted.reshape(rows, -1).astype(np.float64)
    with np.errstate(all="ignore"):
        error = predicted - y
        rmse = np.sqrt((error * error).mean(axis=0)).mean()
        return {"mae": finite(abs(error).mean()), "rmse": finite(rmse), "r2": finite(scores.r2(predicted, y))}


def finite(value: Any) -> float | None:
    """A number for JSON, which has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is."""
    return np.divide(a, b, out=np.zeros(len(a)), where=b > 0)


# ---------------------------------------------------------------------------------------------------------
# In words


def lines(report: dict[str, Any]) -> list[str]:
    """A report in lines: a table of classes and their confusion, or the errors; [] of an empty one."""
    if not report:
        return []
    if "mae" in report:
        return [", ".join(f"{name.upper()}: {_number(report[name])}" for name in ("mae", "rmse"))]
    found = [f"log loss: {_number(report['log_loss'])}"] if report["log_loss"] is not None else []
    names = [_cut(str(one["class"]), 24) for one in report["classes"]]
    return [*found, *_table(report["classes"], names), *_confusion(report["confusion"], names)]


def _table(classes: list[dict[str, Any]], names: list[str]) -> list[str]:
    """A line for each class: the worst where there are many."""
    order = list(range(len(classes)))
    said = "class"
    if len(classes) > MOST:
        order = sorted(order, key=lambda place: (classes[place]["f1"], -classes[place]["support"]))[:PAIRS]
        said = f"worst {PAIRS} of {len(classes)}"
    width = max(len(said), *(len(names[place]) for place in order))
    found = [f"  {said:<{width}}  precision  recall     F1    rows"]
    for place in order:
        one = classes[place]
        found.append(
            f"  {names[place]:<{width}}  {one['precision']:9.3f}  {one['recall']:6.3f}  {one['f1']:5.3f}  "
            f"{one['support']:6d}"
        )
    return found


def _confusion(matrix: list[list[int]], names: list[str]) -> list[str]:
    """The matrix; or, of many classes, the pairs that are confused most often."""
    if len(names) <= WIDEST:
        heads = [_cut(name, 8) for name in names]
        wide = max(len(name) for name in names)
        widths = [max(len(head), *(len(str(row[j])) for row in matrix)) for j, head in enumerate(heads)]
        found = ["  confusion: a line for each class, a column for each prediction"]
        rows: list[tuple[str, Sequence[Any]]] = [("", heads), *zip(names, matrix, strict=True)]
        for name, row in rows:
            cells = [f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)]
            found.append("  ".join([f"  {name:<{wide}}", *cells]))
        return found
    off = [(n, i, j) for i, row in enumerate(matrix) for j, n in enumerate(row) if n and i != j]
    off.sort(key=lambda one: (-one[0], *one[1:]))
    if not off:
        return []
    more = f", {PAIRS} of {len(off)} pairs" if len(off) > PAIRS else ""
    return [f"  most often confused{more}:"] + [f"  {names[i]} taken for {names[j]}: {n}" for n, i, j in off[:PAIRS]]


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 2]}.."
