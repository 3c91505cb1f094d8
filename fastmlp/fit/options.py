"""Checks of what `fit` is asked for beyond its data: penalties, limits, dropout, validation."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp import splits
from fastmlp.checks import scalars
from fastmlp.checks.messages import in_digits, shown
from fastmlp.checks.rounding import check_rounded
from fastmlp.core import data
from fastmlp.reference.random import dropout_numbers
from fastmlp.spec import Spec
from fastmlp.stopping import EarlyStopping
from fastmlp.system import thread_pool


def penalty(value: Any, name: str, dtype: str) -> float:
    """value as a number of 0 or more that the dtype can hold. Raises TypeError or ValueError naming the argument."""
    number = scalars.finite_float(value, name)
    if number < 0:
        raise ValueError(f"{name}={shown(value)} is negative, which would reward large weights: give 0 or more")
    check_rounded(number, name, dtype)
    return number


def limit(value: Any, name: str, dtype: str) -> float | None:
    """value as a positive number that the dtype can hold, or None. Raises TypeError or ValueError."""
    if value is None:
        return None
    number = scalars.positive_float(value, name)
    check_rounded(number, name, dtype)
    return number


def check_learning_rate(value: float, name: str, dtype: str) -> None:
    """Raises ValueError where a learning rate is not a positive number of the dtype."""
    check_rounded(value, name, dtype)


def target_accuracy(value: Any, spec: Spec, labelled: bool) -> float | None:
    """value as a share of the rows, or None. Raises TypeError or ValueError, also where there are no labels."""
    if value is None:
        return None
    if not spec.is_classifier:
        raise ValueError(f'target_accuracy needs labels, and output="{spec.output}" has none: use target_loss')
    share = scalars.fraction(value, "target_accuracy")
    if not labelled:
        raise ValueError("target_accuracy needs labels, and y has values other than 0 and 1: use target_loss")
    return share


def thread_count(value: Any) -> int | None:
    """value as a number of threads, or the environment's, or None. Raises TypeError or ValueError."""
    if value is None:
        return thread_pool.asked()
    number = scalars.positive_int(value, "threads")
    if number > thread_pool.MOST:
        raise ValueError(f"threads={number} is more than {thread_pool.MOST}: give as many as there are cores, or None")
    return number


def path(value: Any, name: str) -> str:
    """The path of a file. Raises TypeError for what is none, ValueError for an empty one."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name}={value!r:.60} is no path: give a file's name")
    if not os.fspath(value):
        raise ValueError(f"{name} is empty: give a file's name")
    try:
        whole = b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        whole = False
    if not whole:
        raise ValueError(f"{name}={shown(os.fspath(value))} cannot be a file's name: it has a character that none has")
    return os.fspath(value)


def function(value: Any, name: str) -> Any:
    """value, if it can be called, or None. Raises TypeError."""
    if value is not None and not callable(value):
        raise TypeError(f"{name}={shown(value)} is not a function: give one that takes an Info, or None")
    return value


def dropout_rates(dropout: Any, spec: Spec) -> tuple[float, ...]:
    """A rate for each hidden layer, or () where nothing is dropped. Raises TypeError or ValueError."""
    hidden = len(spec.hidden)
    if isinstance(dropout, (list, tuple)) or (isinstance(dropout, np.ndarray) and dropout.ndim):
        if len(dropout) != hidden:
            raise ValueError(
                f"dropout is a list of {len(dropout)}, and layers={list(spec.layers)} has {hidden} hidden: "
                "give a rate for each hidden layer, or one number for all"
            )
        rates = [_share(rate, f"dropout[{layer}]") for layer, rate in enumerate(dropout)]
    else:
        rates = [_share(dropout, "dropout")] * hidden
        if not hidden and dropout:
            raise ValueError(
                f"dropout={shown(dropout)}, and layers={list(spec.layers)} has no hidden layer: leave it out"
            )
    return tuple(rates) if any(dropout_numbers(rate)[0] for rate in rates) else ()


def validation_share(validation: Any) -> float | None:
    """The share of the rows to hold out, where `validation` is a number; None where it is something else."""
    if isinstance(validation, (bool, np.bool_)) or not isinstance(validation, numbers.Real):
        return None
    share = scalars.finite_float(validation, "validation")
    if not 0 < share < 1:
        raise ValueError(f"validation={shown(validation)} is no share of the rows: give one between 0 and 1, or (X, y)")
    return share


def validation_data(validation: Any, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """(X, y) as `data.features` and `data.targets` have them. Raises TypeError or ValueError."""
    several = isinstance(validation, Sequence) and not isinstance(validation, (str, bytes))
    if not several or len(validation) != 2:
        kind = type(validation).__name__
        what = f"is a {kind} of {len(validation)}" if several else f"is a {kind}"
        raise TypeError(f"validation {what}, neither a pair (X, y) nor a share of the rows, like 0.1")
    x = data.features(validation[0], spec, "validation X")
    return x, data.targets(validation[1], len(x), spec, "validation y", "validation X")


def held_out(targets: np.ndarray, share: float, seed: int, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (training, validation): stratified by label, where each row has one. Raises ValueError."""
    if len(targets) < 2:
        raise ValueError(f"validation={share:g} of one row leaves nothing to train on: give validation=(X, y)")
    groups: np.ndarray
    if not data.labelled(spec, targets):
        groups = np.zeros(len(targets))
    elif targets.ndim == 1:
        groups = targets
    else:
        # a combination of labels of which there is one row stays with the others like it: most are, of many labels
        _, groups, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
        groups = groups.reshape(len(targets))
        groups = np.where(counts[groups] == 1, -1, groups)
    try:
        return splits.split(groups, share, seed)
    except ValueError as error:
        raise ValueError(f"validation={share:g}: {error}; give validation=(X, y)") from None


def stopping(value: Any) -> EarlyStopping | None:
    """What `early_stopping` means, a number being its patience. Raises TypeError or ValueError."""
    if value is None or isinstance(value, EarlyStopping):
        return value
    if isinstance(value, (type, bool, np.bool_)) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"early_stopping={shown(value)} is no patience: give a whole number of records, like 10, "
            "or an object like fastmlp.EarlyStopping(patience=10)"
        )
    return EarlyStopping(patience=scalars.positive_int(value, "early_stopping"))


def check_classes(targets: np.ndarray, held: np.ndarray, spec: Spec) -> None:
    """Raises ValueError where validation has a class that no training row has."""
    if spec.output != "softmax":
        return
    unknown = np.setdiff1d(held, targets)
    if len(unknown):
        raise ValueError(
            f"validation has rows of class {in_digits(unknown[0])}, of which there is no row to train on: "
            "shuffle before you part the data, or hold out a share with validation=0.1, which keeps some of each class"
        )


def _share(value: Any, name: str) -> float:
    number = scalars.finite_float(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name}={shown(value)} is not a share of units to drop: give 0 or more, and less than 1")
    if number > 1 - 2.0**-32:  # what is kept is told by words of 32 bits
        raise ValueError(f"{name}={shown(value)} keeps less than one unit in 2**32: give less")
    return number
