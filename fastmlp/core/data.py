"""Checks of features and targets against a network's spec.

They are made once, in the public functions. The engine and the kernels trust what they return.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastmlp.checks.arrays import (
    BLOCK,
    LIES_READY,
    TEXT_FEATURES,
    compact,
    converted,
    counted,
    first,
    numeric_array,
    place_of,
)
from fastmlp.checks.integers import check_exact, most_exact
from fastmlp.checks.messages import in_digits

if TYPE_CHECKING:
    from fastmlp.spec import Spec

KINDS = {name: np.dtype(name) for name in ("float64", "float32")}  # by a spec's dtype
SUM = 1e-6  # how far from 1 a row of probabilities may sum to, if its dtype rounds to less
LABELS = 2**24 + 1  # that a float32 network can tell apart: it trains on labels in its dtype


def features(X: Any, spec: Spec, name: str = "X") -> np.ndarray:
    """Reads X as rows of the network's inputs.

    Parameters
    ----------
    X : array of shape (N, K)
        An array of any numeric dtype, order and stride, a nested list, or a frame.
    spec : Spec
        The network.
    name : str, default="X"
        The argument's name, for errors.

    Returns
    -------
    ndarray of shape (N, K), C-contiguous, the network's dtype
        X itself if it is so already.

    Raises
    ------
    TypeError
        If X does not hold numbers.
    ValueError
        If the shape is wrong, there are no rows, or a number is NaN, infinite or too large for the dtype.
    """
    kind = KINDS[spec.dtype]
    ready = type(X) is np.ndarray and X.dtype == kind and X.ndim == 2 and X.shape[1] == spec.inputs
    if ready and X.flags.num & LIES_READY == LIES_READY and len(X) and first(np.isfinite, X) is None:
        return X
    x = matrix(X, kind, name)
    if x.shape[1] != spec.inputs:
        turned = f" ({name}.T has)" if len(x) == spec.inputs else ""
        raise ValueError(
            f"{name} has {counted(x.shape[1], 'column')}, and layers={list(spec.layers)} begins with {spec.inputs}: "
            f"give {name} {counted(spec.inputs, 'column')}{turned}, or change the first size"
        )
    return x


def matrix(X: Any, dtype: np.dtype | str = "float64", name: str = "X") -> np.ndarray:
    """Reads X as an array (N, K) of finite numbers, C-contiguous. Raises as `features`, which also checks K."""
    found = numeric_array(X, name, TEXT_FEATURES)
    if found.shape == (0,):
        raise ValueError(f"{name} has no rows: give at least one")
    if found.ndim == 1:
        raise ValueError(
            f"{name} has shape {found.shape}, and rows of features are needed: use {name}.reshape(-1, 1) for rows of "
            f"one feature, or {name}.reshape(1, -1) for one row"
        )
    if found.ndim != 2:
        raise ValueError(f"{name} has shape {found.shape}: reshape it to (rows, features)")
    if found.shape[0] == 0:
        raise ValueError(f"{name} has no rows: give at least one")
    if found.shape[1] == 0:
        raise ValueError(f"{name} has no columns: give at least one feature")
    return converted(found, np.dtype(dtype), X, name)


def targets(y: Any, rows: int, spec: Spec, name: str = "y", x_name: str = "X") -> np.ndarray:
    """Reads y in the form that the loss takes.

    Parameters
    ----------
    y : array
        For softmax: labels 0..J-1, (N,) or (N, 1), whole numbers of any dtype, one-hot rows (N, J), or rows of
        probabilities (N, J) that sum to 1. Otherwise: (N, J), or (N,) if J is 1. sigmoid with several outputs also
        accepts labels (N,), and makes them one-hot.
        binary_cross_entropy needs values from 0 to 1, poisson values of 0 or more.
    rows : int
        N.
    spec : Spec
        The network.
    name, x_name : str
        The arguments' names, for errors.

    Returns
    -------
    ndarray, C-contiguous, the network's dtype
        Labels (N,) for softmax, or probabilities (N, J) where a row is not one-hot; else values (N, J).

    Raises
    ------
    TypeError, ValueError
        As `features`; and ValueError if a label is not one of 0..J-1, a value is out of range, or the number of rows
        differs.
    """
    found = numeric_array(y, name, _encode(spec))
    outputs, kind = spec.outputs, KINDS[spec.dtype]
    if found.size == 0:
        raise ValueError(f"{name} is empty: give one target for each of the {counted(rows, 'row')} of {x_name}")
    if len(found) != rows:
        raise ValueError(
            f"{name} has {counted(len(found), 'row')} and {x_name} has {rows}: give one target for each row of {x_name}"
        )
    if found.ndim == 1 or found.shape == (rows, 1):
        column = found.reshape(rows)
        if spec.output == "softmax":
            labels = _labels(column, spec, y, name)
            if outputs > LABELS:
                _check_held(labels, spec, name)
            return compact(labels, kind, name)
        if outputs == 1:
            values = column[:, None]
        elif spec.output == "sigmoid":
            return _one_hot(_labels(column, spec, y, name), outputs, kind)
        else:
            _wrong_target_shape(found, rows, spec, name)
    elif found.shape == (rows, outputs):
        if spec.output == "softmax":
            places = _hot_places(found, y, name)
            if places is None:
                _check_sums(found, name)
                return converted(found, kind, y, name)
            if outputs > LABELS:
                _check_held(places, spec, name)
            return places.astype(kind)
        values = found
    else:
        _wrong_target_shape(found, rows, spec, name)
    values = converted(values, kind, y, name)
    if spec.loss == "binary_cross_entropy":
        _check_probabilities(values, y, name)
    if spec.loss == "poisson":
        _check_counts(values, y, name)
    return values


def weight_array(value: Any, shape: tuple[int, ...], name: str, dtype: str) -> np.ndarray:
    """A layer's weights or biases, of a caller, in the network's dtype. Raises TypeError or ValueError naming them."""
    array = numeric_array(value, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: this layer's is {shape}")
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinity, or a number too large for {dtype}: every weight must be finite")
    return array


def labelled(spec: Spec, targets: np.ndarray) -> bool:
    """Tells whether the targets (as `targets` returns them) are labels, so that there is an accuracy."""
    return spec.output == "softmax" or (spec.is_classifier and first(_is_0_or_1, targets) is None)


# ---------------------------------------------------------------------------------------------------------
# Targets


def _is_0_or_1(values: np.ndarray) -> np.ndarray:
    """Where values are 0 or 1."""
    return (values == 0) | (values == 1)


def _labels(column: np.ndarray, spec: Spec, source: Any, name: str) -> np.ndarray:
    """Returns column (N,) if each of its numbers is a label 0..J-1."""
    outputs = spec.outputs
    if column.dtype.kind == "f":
        converted(column, column.dtype, source, name)  # NaN and infinity
        row = first(lambda part: part == np.floor(part), column)
        if row is not None:
            raise ValueError(
                f"{name} has {column[row]} in row {row}, which is not a label: give whole numbers from 0 to "
                f'{outputs - 1}, or one-hot rows; to predict numbers, use output="identity"'
            )
    elif column.dtype.kind == "b":
        column = column.view(np.int8)
    row = first(lambda part: (part >= 0) & (part < outputs), column)
    if row is not None:
        from_one = column.min() == 1 and column.max() == outputs
        raise ValueError(
            f"{name} has label {in_digits(column[row])} in row {row}, and layers={list(spec.layers)} ends in {outputs} "
            f"outputs: labels are 0 to {outputs - 1}{f' (use {name} - 1)' if from_one else ''}"
        )
    if (
        column.dtype.kind == "f" and outputs > 2**11 and outputs > most_exact(column.dtype) + 1
    ):  # 2**11: float16's limit
        check_exact(column, name)
    return column


def _check_held(labels: np.ndarray, spec: Spec, name: str) -> None:
    """Raises ValueError for a label (N,) that the network's dtype, in which it trains on labels, would round."""
    most = most_exact(np.dtype(spec.dtype))
    row = first(lambda part: part <= most, labels)
    if row is not None:
        label = in_digits(labels[row])
        raise ValueError(
            f"{name} has label {label} in row {row}, and a network of {spec.dtype} tells labels up to {most} apart: "
            'use dtype="float64"'
        )


def _one_hot(labels: np.ndarray, outputs: int, kind: np.dtype) -> np.ndarray:
    """One-hot rows (N, J) of labels (N,)."""
    return (labels[:, None] == np.arange(outputs)).astype(kind)


def _hot_places(found: np.ndarray, source: Any, name: str) -> np.ndarray | None:
    """The labels (N,) of one-hot rows (N, J); None where a row is not one-hot."""
    if found.dtype.kind == "f":
        converted(found, found.dtype, source, name)  # NaN and infinity
    places = np.empty(len(found), np.int64)
    step = max(1, BLOCK // found.shape[1])
    for start in range(0, len(found), step):
        part = found[start : start + step]
        hot = part == 1
        good = (hot.sum(axis=1) == 1) & ((part != 0).sum(axis=1) == 1)
        if not good.all():
            return None
        places[start : start + step] = hot.argmax(axis=1)
    return places


def _check_sums(found: np.ndarray, name: str) -> None:
    """Raises ValueError for a row that is not of probabilities whose sum is 1, within the rounding of its dtype."""
    outputs = found.shape[1]
    rounding = max(SUM, outputs * float(np.finfo(found.dtype).eps)) if found.dtype.kind == "f" else SUM
    step = max(1, BLOCK // outputs)
    for start in range(0, len(found), step):
        part = found[start : start + step].astype(np.float64)
        good = (part >= 0).all(axis=1) & (np.abs(part.sum(axis=1) - 1) <= rounding)
        if not good.all():
            row = start + int(np.argmin(good))
            values = " ".join(f"{value:g}" for value in found[row, :8].astype(float))
            more = " ..." if outputs > 8 else ""
            wrong = (
                f"sum to {found[row].astype(float).sum():.8g}" if (found[row] >= 0).all() else "are not all 0 or more"
            )
            raise ValueError(
                f"{name} has the row {values}{more} (row {row}), which is not one-hot, and not of probabilities, as "
                f"its numbers {wrong}: give one 1 and else 0, or divide each row by its sum"
            )


def hard(spec: Spec, targets: np.ndarray) -> np.ndarray:
    """Returns targets (as `targets` returns them) with the label of a softmax row in place of its probabilities."""
    return targets.argmax(axis=1) if spec.output == "softmax" and targets.ndim == 2 else targets


def _check_probabilities(values: np.ndarray, source: Any, name: str) -> None:
    """Raises ValueError for a value outside of [0, 1]."""
    place = first(lambda part: (part >= 0) & (part <= 1), values)
    if place is not None:
        value = values.flat[place]
        signs = f"; for labels -1 and 1, use ({name} + 1) / 2" if np.isin(values, (-1, 1)).all() else ""
        raise ValueError(
            f"{name} has {value} in {place_of(place, values, source)}: "
            f'loss="binary_cross_entropy" takes values from 0 to 1{signs}'
        )


def _check_counts(values: np.ndarray, source: Any, name: str) -> None:
    """Raises ValueError for a value below 0."""
    place = first(lambda part: part >= 0, values)
    if place is not None:
        raise ValueError(
            f"{name} has {values.flat[place]} in {place_of(place, values, source)}: "
            'loss="poisson" takes counts, or other values of 0 or more; for values of both signs, use output="identity"'
        )


def _wrong_target_shape(found: np.ndarray, rows: int, spec: Spec, name: str) -> NoReturn:
    """Raises ValueError that says which shapes the network takes."""
    outputs = spec.outputs
    shapes = f"({rows}, {outputs})"
    if spec.output == "softmax":
        shapes = f"({rows},) of labels, or {shapes}, one-hot or probabilities"
    elif outputs == 1:
        shapes = f"({rows},) or {shapes}"
    elif spec.output == "sigmoid":
        shapes += f", or ({rows},) of labels"
    raise ValueError(
        f"{name} has shape {found.shape}, and layers={list(spec.layers)} ends in {counted(outputs, 'output')}: "
        f"give shape {shapes}"
    )


@functools.lru_cache(maxsize=64)
def _encode(spec: Spec) -> str:
    """What to do about text in the targets."""
    if not spec.is_classifier:
        return "give numbers"
    last = max(spec.outputs, 2) - 1
    return f"encode the labels as 0..{last}, for instance with numpy.unique(labels, return_inverse=True)[1]"
