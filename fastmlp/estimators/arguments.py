"""Checks of an estimator's arguments that scikit-learn's own do not make, or make otherwise."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from fastmlp.arrays import masked_place
from fastmlp.schedules import Schedule


def layer_sizes(hidden: Any) -> list[int]:
    """The hidden layers' sizes, of a number or a list. Raises ValueError."""
    sizes = [operator.index(size) for size in (hidden if hasattr(hidden, "__iter__") else [hidden])]
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}. Give each layer a unit at least")
    return sizes


def product(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """a b, where None is 1."""
    return b if a is None else a if b is None else a * b


def check_product(weights: Any) -> None:
    """Raises ValueError where class_weight makes weights of rows that nobody could give as sample_weight."""
    good = np.isfinite(weights) & (weights >= 0)
    if not good.all() or not weights.any():
        row = int(np.argmin(good))
        found = f"row {row} weighs {weights[row]}" if not good.all() else "every row weighs 0"
        raise ValueError(f"with class_weight, {found}: weights are finite and 0 or more, and some row's is above 0")


def weights_of_rows(weights: Any, X: Any) -> np.ndarray | None:
    """Checked weights (N,), or None."""
    if weights is None:
        return None
    refuse_masked(sample_weight=weights)
    found = _check_sample_weight(weights, X)
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        raise ValueError(f"Negative values in sample_weight: row {row} has {found[row]}, and 0 is the least")
    if not found.any():
        raise ValueError(
            "sample_weight is 0 for every row, so that there is nothing to learn from: give some row a weight"
        )
    return found


def unmasked(X: Any) -> Any:
    """X. Raises ValueError where it has masked values: scikit-learn's checks would take what lies below the masks."""
    if type(X) is not np.ndarray:
        refuse_masked(X=X)
    return X


def refuse_masked(**arrays: Any) -> None:
    """Raises ValueError, naming the first of these that has masked values."""
    for name, array in arrays.items():
        place = masked_place(array)
        if place is not None:
            raise ValueError(f"{name} has masked values{place}: fill them in, or leave out their rows")


def refuse_of_lbfgs(estimator: Any) -> None:
    """Raises ValueError for a parameter that "lbfgs" could only ignore."""
    dropout, callbacks, rate = estimator.dropout, estimator.callbacks, estimator.learning_rate
    rates = dropout if isinstance(dropout, list | tuple) else [dropout]
    for name, value, given in (
        ("dropout", dropout, any(rates)),
        ("callbacks", callbacks, callable(callbacks) or bool(callbacks)),
        ("learning_rate", rate, isinstance(rate, Schedule)),
    ):
        if given:
            raise ValueError(f'{name}={value!r} goes with solver="sgd" and "adam", and not with "lbfgs": leave it out')
