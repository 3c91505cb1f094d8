"""Rows to validate on: those of `validation=(X, y)`, or a fraction of the rows that is held out of training."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import splits
from fastmlp.checks import scalars
from fastmlp.checks.messages import in_digits, shown
from fastmlp.core import data
from fastmlp.fit import sample_weights
from fastmlp.fit.checked_rows import Checks
from fastmlp.spec import Spec
from fastmlp.stopping import resolve_metric

Held = tuple[np.ndarray, ...]  # x (N, K), y (N,) or (N, J), and if rows do not count alike, weights (N,)


@dataclass(frozen=True)
class Split:
    """The rows of a fit. rows: numbers of those to train on, None for all; held: the validation's data, None for none.

    fraction: of the rows, what was held out; None where nothing was.
    """

    fraction: float | None = None
    rows: np.ndarray | None = None
    held: Held | None = None


NOTHING = Split()


def split(
    validation: Any,
    x: np.ndarray,
    targets: np.ndarray,
    spec: Spec,
    seed: Callable[[], int],
    checks: Checks = data,
    rows_spec: Spec | None = None,
    backend: str = "reference",
) -> Split:
    """What `validation` means for these rows. seed: gives the number that a split is drawn by.

    rows_spec: by which rows of features are read, if not by `spec`. backend: what draws a split.

    Raises TypeError or ValueError naming the argument.
    """
    fraction = validation_fraction(validation)
    if fraction is not None:
        rows, others = held_out(targets, fraction, seed(), spec, backend)
        return Split(fraction, rows, (x[others], targets[others]))
    held = validation_data(validation, spec, checks, rows_spec)
    check_classes(targets, held[1], spec)
    return Split(held=held)


def metric_of(name: str | None, argument: str, labelled: bool, held_labelled: bool | None) -> str:
    """The metric that an argument's rule looks at. held_labelled: of the validation's rows, None where there are none.

    Raises ValueError naming the argument.
    """
    of_rows = bool(held_labelled) if (name or "").startswith("validation") else labelled
    try:
        return resolve_metric(name, held_labelled is not None, of_rows)
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from None


def evaluator(evaluate: Callable[[np.ndarray], tuple[float, float]], labelled: bool) -> Any:
    """A function of parameters that gives (loss, accuracy), NaN where there are no labels, without a warning."""

    def validated(parameters: np.ndarray) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            loss, accuracy = evaluate(parameters)
        return loss, accuracy if labelled else math.nan

    return validated


def validation_fraction(validation: Any) -> float | None:
    """The fraction of the rows to hold out, where `validation` is a number; None where it is something else."""
    if isinstance(validation, (bool, np.bool_)) or not isinstance(validation, numbers.Real):
        return None
    fraction = scalars.finite_float(validation, "validation")
    if not 0 < fraction < 1:
        raise ValueError(
            f"validation={shown(validation)} is no fraction of the rows: give one between 0 and 1, or (X, y)"
        )
    return fraction


def validation_data(validation: Any, spec: Spec, checks: Checks = data, rows_spec: Spec | None = None) -> Held:
    """(X, y) as `data.features` and `data.targets` have them, and weights if there are some.

    Raises TypeError or ValueError.
    """
    several = isinstance(validation, Sequence) and not isinstance(validation, (str, bytes))
    if not several or len(validation) not in (2, 3):
        kind = type(validation).__name__
        what = f"is a {kind} of {len(validation)}" if several else f"is a {kind}"
        raise TypeError(
            f"validation {what}, neither a pair (X, y), nor (X, y, sample_weight), nor a fraction of the rows, like 0.1"
        )
    x = checks.features(validation[0], rows_spec or spec, "validation X")
    y = checks.targets(validation[1], len(x), spec, "validation y", "validation X")
    if len(validation) == 2 or validation[2] is None:
        return x, y
    return x, y, sample_weights.validation_weights(validation[2], y, spec)


def held_out(
    targets: np.ndarray, fraction: float, seed: int, spec: Spec, backend: str = "reference"
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (training, validation): stratified by label, where each row has one. Raises ValueError."""
    if len(targets) < 2:
        raise ValueError(f"validation={fraction:g} of one row leaves nothing to train on: give validation=(X, y)")
    groups: np.ndarray
    if not data.labelled(spec, targets):
        groups = np.zeros(len(targets))
    elif targets.ndim == 1 or spec.output == "softmax":
        groups = data.hard(spec, targets)
    else:
        # a combination of labels of which there is one row stays with the others like it: most are, of many labels
        _, groups, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
        groups = groups.reshape(len(targets))
        groups = np.where(counts[groups] == 1, -1, groups)
    try:
        return splits.split(groups, fraction, seed, backend)
    except ValueError as error:
        raise ValueError(f"validation={fraction:g}: {error}; give validation=(X, y)") from None


def check_classes(targets: np.ndarray, held: np.ndarray, spec: Spec) -> None:
    """Raises ValueError where validation has a class that no training row has; probabilities are of all classes."""
    if spec.output != "softmax" or targets.ndim == 2 or held.ndim == 2:
        return
    unknown = np.setdiff1d(held, targets)
    if len(unknown):
        raise ValueError(
            f"validation has rows of class {in_digits(unknown[0])}, of which there is no row to train on: "
            "shuffle before you part the data, or hold out a fraction with validation=0.1, which keeps some of each "
            "class"
        )
