"""Checks of an estimator's arguments that scikit-learn's own do not make, or make otherwise."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight, validate_data

from fastmlp.checks.arrays import check_memory, masked_place
from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut
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
    refuse(sample_weight=weights)
    with in_words("sample_weight"):
        found = _check_sample_weight(weights, X)
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        raise ValueError(f"Negative values in sample_weight: row {row} has {found[row]}, and 0 is the least")
    if not found.any():
        raise ValueError(
            "sample_weight is 0 for every row, so that there is nothing to learn from: give some row a weight"
        )
    return found


ARRAY = np.ndarray  # `np.ndarray` takes 30 ns more


def validated(estimator: Any, X: Any, y: Any, **how: Any) -> tuple[Any, np.ndarray]:
    """X and y as scikit-learn's `validate_data` has them; raises as that does, and `refuse`, and `in_words`."""
    refuse(X=X, y=y)
    with in_words("X or y"):
        return validate_data(estimator, X, y, accept_sparse=["csr", "csc"], multi_output=True, **how)


def outputs_of(estimator: Any, X: Any) -> np.ndarray:
    """Its outputs of what is no plain array, with errors in scikit-learn's words but for `refuse`'s."""
    if type(X) is not list or masked_place(X) is not None:
        refuse(X=X)
    return estimator._outputs(X)


@contextmanager
def in_words(names: str) -> Iterator[None]:
    """Makes a ValueError or TypeError of what else an array of someone else's raises, or a number that is no float."""
    try:
        yield
    except (ValueError, TypeError, MemoryError):
        raise
    except Exception as error:
        only_faults(error)
        kind = ValueError if isinstance(error, ArithmeticError) else TypeError
        raise kind(f"{names} cannot be read as an array of numbers: {error}") from error


def refuse(**arrays: Any) -> None:
    """Raises ValueError or TypeError, naming it, for an array that scikit-learn's checks would take without a word.

    They take what lies below a mask, dates as numbers, and of a broadcast view go through all rows that it says it has.
    """
    for name, array in arrays.items():
        place = masked_place(array)
        if place is not None:
            raise ValueError(f"{name} has masked values{place}: fill them in, or leave out their rows")
        for dtype in _dtypes(array):
            kind = getattr(dtype, "kind", "")
            if kind in ("m", "M", "V") or (hasattr(dtype, "is_temporal") and dtype.is_temporal()):
                what = f"dtype {cut(str(dtype))}" if kind == "V" else "dates or times"
                raise TypeError(f"{name} holds {what}: turn it into ordinary numbers first")
        if isinstance(array, np.ndarray):
            check_memory(array.size, array.dtype, name)


def _dtypes(array: Any) -> list[Any]:
    """Those of an array or a series, or of a frame's columns (pandas, polars); [] of all else."""
    if isinstance(array, np.ndarray):
        return [array.dtype]
    found: Any = getattr(array, "dtypes", getattr(array, "dtype", None))
    return list(found) if hasattr(found, "__iter__") and not isinstance(found, np.dtype) else [found]


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
