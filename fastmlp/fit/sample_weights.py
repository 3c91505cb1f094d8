"""What each row counts for in the loss: `sample_weight` and `class_weight`, checked and multiplied."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.checks import arrays, scalars
from fastmlp.checks.messages import shown
from fastmlp.spec import Spec


def row_weights(
    sample_weight: Any,
    class_weight: Any,
    targets: np.ndarray,
    spec: Spec,
    rows: np.ndarray | None = None,
    of: str = "",
) -> np.ndarray | None:
    """The weights, in the network's dtype, of the rows that train (all, or those numbered); None where none are given.

    sample_weight (N,): finite numbers of 0 or more, not all 0. class_weight: {label: weight}, a label that is not in it
    counting 1, or "balanced": N / (classes * rows of the class), of those that train. A row weighs the product of the
    two. of: "validation " where these are rows to validate on. Raises TypeError or ValueError naming the argument.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(targets)) if sample_weight is None else _sample_weights(sample_weight, len(targets), of)
    if rows is not None:
        weights, targets = weights[rows], targets[rows]
    if class_weight is not None:
        weights = weights * _class_weights(class_weight, targets, spec)[_labels(targets, spec)]
    with np.errstate(over="ignore", under="ignore"):
        rounded = weights.astype(spec.dtype)
        total = rounded.sum(dtype=rounded.dtype)
    names = " times ".join(
        of + name
        for name, given in (("sample_weight", sample_weight), ("class_weight", class_weight))
        if given is not None
    )
    if total == 0:
        every = "every row" if rows is None else "every row that validation leaves to train on"
        zero, purpose = "rounds to 0" if weights.any() else "is 0", "validate on" if of else "learn from"
        raise ValueError(f"{names} {zero} for {every}, so that there is nothing to {purpose}: give some row a weight")
    least = rounded[rounded > 0].min()
    if least < np.finfo(spec.dtype).tiny:  # a batch of such rows would be divided by it
        raise ValueError(
            f"{names} is as small as {least:g}, too near to 0 for {spec.dtype}: multiply all by one number"
        )
    if not np.isfinite(total * rounded.dtype.type(spec.outputs)):
        raise ValueError(f"{names} adds up to more than {spec.dtype} can hold: divide all weights by one number")
    return rounded


def validation_weights(weights: Any, targets: np.ndarray, spec: Spec) -> np.ndarray:
    """What rows to validate on count for (M,), in the network's dtype. Raises TypeError or ValueError naming them."""
    found = row_weights(weights, None, targets, spec, of="validation ")
    assert found is not None
    return found


def _sample_weights(sample_weight: Any, rows: int, of: str) -> np.ndarray:
    name = f"{of}sample_weight"
    found = arrays.numeric_array(sample_weight, name, "give numbers")
    if found.shape == (rows, 1):
        found = found[:, 0]
    if found.shape != (rows,):
        raise ValueError(f"{name} has shape {found.shape}, and {of}X has {rows} rows: give shape ({rows},)")
    weights = found.astype(np.float64)
    good = np.isfinite(weights) & (weights >= 0)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"{name} has {found[row]} in row {row}: a weight is a finite number of 0 or more")
    return weights


def _labels(targets: np.ndarray, spec: Spec) -> np.ndarray:
    return targets.reshape(len(targets)).astype(np.int64)


def _class_weights(class_weight: Any, targets: np.ndarray, spec: Spec) -> np.ndarray:
    """The weight of each class (C,)."""
    binary = spec.output == "sigmoid" and spec.outputs == 1 and bool(np.isin(targets, (0, 1)).all())
    if spec.output != "softmax" and not binary:
        raise ValueError(
            f'class_weight needs one label a row, as output="softmax" has, or "sigmoid" with one output and labels 0 '
            f"and 1: here it is output={spec.output!r} of layers={list(spec.layers)}, so use sample_weight"
        )
    if spec.output == "softmax" and targets.ndim == 2:
        raise ValueError(
            "class_weight needs one label a row, and y has probabilities of all classes: use sample_weight, or give "
            "labels"
        )
    classes = 2 if binary else spec.outputs
    if isinstance(class_weight, str) and class_weight == "balanced":
        counts = np.bincount(_labels(targets, spec), minlength=classes)
        if not counts.all():
            raise ValueError(
                f'class_weight="balanced" divides by the rows of each class, and class {int(np.argmin(counts))} of '
                f"0..{classes - 1} has none to train on: give a dict like {{0: 1.0, 1: 5.0}}, or rows of that class"
            )
        return len(targets) / (classes * counts)
    if not isinstance(class_weight, Mapping):
        kind = ValueError if isinstance(class_weight, str) else TypeError
        raise kind(f'class_weight={shown(class_weight)} is neither "balanced" nor a dict like {{0: 1.0, 1: 5.0}}')
    weights = np.ones(classes)
    for label, weight in class_weight.items():
        try:
            place = None if isinstance(label, (bool, np.bool_)) else operator.index(label)
        except TypeError:
            place = None
        if place is None or not 0 <= place < classes:
            raise ValueError(
                f"class_weight has the label {shown(label)}: labels are whole numbers from 0 to {classes - 1}"
            )
        value = scalars.finite_float(weight, f"class_weight[{place}]")
        if value < 0:
            raise ValueError(f"class_weight[{place}]={shown(weight)} is negative: give 0 or more")
        weights[place] = value
    return weights
