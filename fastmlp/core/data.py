"""Checks of the rows that a caller hands in, features and targets, against a network's spec.

They run once, at the public face; the engine and the kernels trust what comes out.
"""

from __future__ import annotations

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

KINDS = {name: np.dtype(name) for name in ("float64", "float32")}  # of a spec
LABELS = 2**24 + 1  # that a network of float32, which trains on them in its dtype, tells apart


def features(X: Any, spec: Spec, name: str = "X") -> np.ndarray:
    """X as (N, K) rows of the network's inputs, C-contiguous and in its dtype: X itself where it is that already.

    Takes arrays of any number type, order and stride, (nested) lists, and pandas frames. Raises TypeError for what
    holds no numbers and ValueError for a wrong shape, no rows, NaN, infinity, or a number that the dtype cannot hold.
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
    """X as an array (N, K) of finite numbers, C-contiguous; for errors see `features`, which also knows K."""
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
    """y as the loss wants it, C-contiguous and in the network's dtype: labels (N,) for softmax, else values (N, J).

    softmax takes labels 0..J-1 (N,) or (N, 1), whole numbers of any type, or one-hot rows (N, J). The others take
    (N, J), and (N,) where J is 1; sigmoid with more outputs also takes labels, and makes them one-hot.
    binary_cross_entropy wants values from 0 to 1, poisson values of 0 or more. Raises TypeError and ValueError as
    `features` does, and ValueError for a label that is not one of 0..J-1 or a number of rows other than `rows`.
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
            return compact(labels, kind, name) if labels.dtype == kind else labels.astype(kind)
        if outputs == 1:
            values = column[:, None]
        elif spec.output == "sigmoid":
            return _one_hot(_labels(column, spec, y, name), outputs, kind)
        else:
            _wrong_target_shape(found, rows, spec, name)
    elif found.shape == (rows, outputs):
        if spec.output == "softmax":
            places = _hot_places(found, y, name)
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
    """Whether the targets, as `targets` gives them, are labels, so that a share of right rows makes sense."""
    return spec.output == "softmax" or (spec.is_classifier and first(_is_0_or_1, targets) is None)


# ---------------------------------------------------------------------------------------------------------
# Targets


def _is_0_or_1(values: np.ndarray) -> np.ndarray:
    return (values == 0) | (values == 1)


def _labels(column: np.ndarray, spec: Spec, source: Any, name: str) -> np.ndarray:
    """column (N,) if each is a whole number of 0..J-1."""
    outputs = spec.outputs
    if column.dtype.kind == "f":
        converted(column, column.dtype, source, name)  # NaN and infinity
        row = first(lambda part: part == np.floor(part), column)
        if row is not None:
            raise ValueError(
                f"{name} has {column[row]} in row {row}, which is no label: give whole numbers from 0 to "
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
    if column.dtype.kind == "f" and outputs > 2**11 and outputs > most_exact(column.dtype) + 1:  # 2**11: of float16
        check_exact(column, name)
    return column


def _check_held(labels: np.ndarray, spec: Spec, name: str) -> None:
    """Raises ValueError for a label (N,) that the network's dtype, in which it trains on them, would round."""
    most = most_exact(np.dtype(spec.dtype))
    row = first(lambda part: part <= most, labels)
    if row is not None:
        label = in_digits(labels[row])
        raise ValueError(
            f"{name} has label {label} in row {row}, and a network of {spec.dtype} tells labels up to {most} apart: "
            'use dtype="float64"'
        )


def _one_hot(labels: np.ndarray, outputs: int, kind: np.dtype) -> np.ndarray:
    return (labels[:, None] == np.arange(outputs)).astype(kind)


def _hot_places(found: np.ndarray, source: Any, name: str) -> np.ndarray:
    """The labels (N,) of one-hot rows (N, J)."""
    if found.dtype.kind == "f":
        converted(found, found.dtype, source, name)  # NaN and infinity
    places = np.empty(len(found), np.int64)
    step = max(1, BLOCK // found.shape[1])
    for start in range(0, len(found), step):
        part = found[start : start + step]
        hot = part == 1
        good = (hot.sum(axis=1) == 1) & ((part != 0).sum(axis=1) == 1)
        if not good.all():
            row = start + int(np.argmin(good))
            values = " ".join(f"{value:g}" for value in found[row, :8].astype(float))
            more = " ..." if found.shape[1] > 8 else ""
            raise ValueError(f"{name} has the row {values}{more} (row {row}), which is not one-hot: one 1, and else 0")
        places[start : start + step] = hot.argmax(axis=1)
    return places


def _check_probabilities(values: np.ndarray, source: Any, name: str) -> None:
    place = first(lambda part: (part >= 0) & (part <= 1), values)
    if place is not None:
        value = values.flat[place]
        signs = f"; for labels -1 and 1, use ({name} + 1) / 2" if np.isin(values, (-1, 1)).all() else ""
        raise ValueError(
            f"{name} has {value} in {place_of(place, values, source)}: "
            f'loss="binary_cross_entropy" takes values from 0 to 1{signs}'
        )


def _check_counts(values: np.ndarray, source: Any, name: str) -> None:
    place = first(lambda part: part >= 0, values)
    if place is not None:
        raise ValueError(
            f"{name} has {values.flat[place]} in {place_of(place, values, source)}: "
            'loss="poisson" takes counts, or other values of 0 or more; for values of both signs, use output="identity"'
        )


def _wrong_target_shape(found: np.ndarray, rows: int, spec: Spec, name: str) -> NoReturn:
    outputs = spec.outputs
    shapes = f"({rows}, {outputs})"
    if spec.output == "softmax":
        shapes = f"({rows},) of labels, or one-hot {shapes}"
    elif outputs == 1:
        shapes = f"({rows},) or {shapes}"
    elif spec.output == "sigmoid":
        shapes += f", or ({rows},) of labels"
    raise ValueError(
        f"{name} has shape {found.shape}, and layers={list(spec.layers)} ends in {counted(outputs, 'output')}: "
        f"give shape {shapes}"
    )


def _encode(spec: Spec) -> str:
    if not spec.is_classifier:
        return "give numbers"
    last = max(spec.outputs, 2) - 1
    return f"encode the labels as 0..{last}, for instance with numpy.unique(labels, return_inverse=True)[1]"
