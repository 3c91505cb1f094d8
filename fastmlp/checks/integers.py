"""Whole numbers, such as labels, that must stay distinct: a float rounds large ones.

Imports NumPy and the messages only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.checks.messages import in_digits

EXACT = 2**53  # from here on, a float64 may be another whole number that was rounded


def most_exact(dtype: np.dtype) -> int:
    """Returns the number up to which a float dtype holds every whole number: 2**24 for float32, 2**53 for float64."""
    return 2 ** (np.finfo(dtype).nmant + 1)


def check_exact(labels: np.ndarray, name: str) -> None:
    """Checks that the dtype of float labels cannot have rounded them.

    Parameters
    ----------
    labels : ndarray of shape (N,)
        Finite floats.
    name : str
        The argument's name, for the error.

    Raises
    ------
    ValueError
        If a label is so large that its dtype may have rounded it.
    """
    most = most_exact(labels.dtype)
    good = abs(labels) < most  # most + 1 is rounded to most
    if not good.all():
        row = int(np.argmin(good))
        kind = labels.dtype.name
        raise ValueError(
            f"{name} has {in_digits(labels[row])} in row {row}, and {kind} rounds whole numbers from {most} on, so "
            f"that two labels may have become one: give integers, as they were before they became {kind}"
        )


def is_large(numbers: np.ndarray) -> bool:
    """Tells whether float64 may have rounded one of the numbers (N,)."""
    return bool(len(numbers) and (numbers.max() >= EXACT or numbers.min() <= -EXACT))


def integers(values: Sequence[int]) -> np.ndarray | None:
    """Returns values as an array (N,) of int64, or else of uint64; None if neither holds them all."""
    least, most = min(values), max(values)
    if least >= -(2**63) and most < 2**63:
        return np.array(values, np.int64)
    return np.array(values, np.uint64) if least >= 0 and most < 2**64 else None


def same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Tells where two arrays (N,) of numbers are exactly equal, (N,).

    NumPy would compare int64 with floats as float64.
    """
    if a.dtype != b.dtype and (is_large(a) or is_large(b)):
        a, b = a.astype(object), b.astype(object)
    return np.asarray(a == b, bool)


def places_in(classes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Any]:
    """Finds labels among classes.

    Parameters
    ----------
    classes : ndarray of shape (C,)
        Ascending.
    labels : ndarray of shape (N,)
        The labels to find.

    Returns
    -------
    places : ndarray of shape (N,), int64
        The index in classes of each label.
    unknown : number or None
        The least label that is not in classes.
    """
    if classes.dtype != labels.dtype:
        classes, labels = classes.astype(object), labels.astype(object)
    places = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    unknown = labels[classes[places] != labels]
    return places, min(unknown) if len(unknown) else None
