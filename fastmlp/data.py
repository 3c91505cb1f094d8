"""Checks of everything that a caller hands in: features, targets, and small numbers such as `epochs`.

Imports NumPy only. It runs once, at the public face; the engine and the kernels trust what comes out.
Rows and columns in its messages are counted from 0, as in X[row, column].
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from fastmlp.spec import Spec

PIECE = 2**16  # numbers that are looked at at once
LIMIT = 2**32 - 1  # of every count: the random numbers' counter holds rows and epochs in 32 bits each

_TEXT_FEATURES = "turn it into numbers first"
_KINDS_OF_NUMBER = "biuf"  # bool, int, unsigned, float: NumPy's letters


def features(X: Any, spec: Spec, name: str = "X") -> np.ndarray:
    """X as (N, K) rows of the network's inputs, C-contiguous and in its dtype: X itself where it is that already.

    Takes arrays of any number type, order and stride, (nested) lists, and pandas frames. Raises TypeError for what
    holds no numbers and ValueError for a wrong shape, no rows, NaN, infinity, or a number that the dtype cannot hold.
    """
    kind = np.dtype(spec.dtype)
    ready = (
        type(X) is np.ndarray and X.dtype == kind and X.ndim == 2 and X.shape[1] == spec.inputs and X.flags.c_contiguous
    )
    if ready and len(X) and all_finite(X):
        return X
    x = matrix(X, kind, name)
    if x.shape[1] != spec.inputs:
        turned = f" ({name}.T has)" if len(x) == spec.inputs else ""
        raise ValueError(
            f"{name} has {_count(x.shape[1], 'column')}, and layers={list(spec.layers)} begins with {spec.inputs}: "
            f"give {name} {_count(spec.inputs, 'column')}{turned}, or change the first size"
        )
    return x


def matrix(X: Any, dtype: np.dtype | str = "float64", name: str = "X") -> np.ndarray:
    """X as an array (N, K) of finite numbers, C-contiguous; for errors see `features`, which also knows K."""
    found = numeric_array(X, name, _TEXT_FEATURES)
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
    return _converted(found, np.dtype(dtype), X, name)


def targets(y: Any, rows: int, spec: Spec, name: str = "y", x_name: str = "X") -> np.ndarray:
    """y as the loss wants it, C-contiguous and in the network's dtype: labels (N,) for softmax, else values (N, J).

    softmax takes labels 0..J-1 (N,) or (N, 1), whole numbers of any type, or one-hot rows (N, J). The others take
    (N, J), and (N,) where J is 1; sigmoid with more outputs also takes labels, and makes them one-hot.
    binary_cross_entropy wants values from 0 to 1, poisson values of 0 or more. Raises TypeError and ValueError as
    `features` does, and ValueError for a label that is not one of 0..J-1 or a number of rows other than `rows`.
    """
    found = numeric_array(y, name, _encode(spec))
    outputs, kind = spec.outputs, np.dtype(spec.dtype)
    if found.size == 0:
        raise ValueError(f"{name} is empty: give one target for each of the {_count(rows, 'row')} of {x_name}")
    if len(found) != rows:
        raise ValueError(
            f"{name} has {_count(len(found), 'row')} and {x_name} has {rows}: give one target for each row of {x_name}"
        )
    if found.ndim == 1 or found.shape == (rows, 1):
        column = found.reshape(rows)
        if spec.output == "softmax":
            return _labels(column, spec, y, name).astype(kind, copy=False)
        if outputs == 1:
            values = column[:, None]
        elif spec.output == "sigmoid":
            return _one_hot(_labels(column, spec, y, name), outputs, kind)
        else:
            _wrong_target_shape(found, rows, spec, name)
    elif found.shape == (rows, outputs):
        if spec.output == "softmax":
            return _hot_places(found, y, name).astype(kind)
        values = found
    else:
        _wrong_target_shape(found, rows, spec, name)
    converted = _converted(values, kind, y, name)
    if spec.loss == "binary_cross_entropy":
        _check_probabilities(converted, y, name)
    if spec.loss == "poisson":
        _check_counts(converted, y, name)
    return converted


def labelled(spec: Spec, targets: np.ndarray) -> bool:
    """Whether the targets, as `targets` gives them, are labels, so that a share of right rows makes sense."""
    return spec.output == "softmax" or (spec.is_classifier and bool(np.isin(targets, (0, 1)).all()))


# ---------------------------------------------------------------------------------------------------------
# Small numbers


def positive_int(value: Any, name: str, most: int = LIMIT) -> int:
    """value as an int from 1 to `most`. Raises TypeError for what is no int (as a bool or 2.0), else ValueError."""
    number = _int(value, name)
    if number < 1:
        raise ValueError(f"{name}={value!r} is not positive: give 1 or more")
    if number > most:
        raise ValueError(f"{name}={value!r} is too large: give {most} or less")
    return number


def finite_float(value: Any, name: str) -> float:
    """value as a float. Raises TypeError for what is no real number (as a bool), ValueError for NaN or infinity."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={value!r} is not a number: give one like 0.1")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}={value!r:.40} is not a finite number: give one like 0.1")
    return number


def positive_float(value: Any, name: str) -> float:
    """value as a float above 0; errors as in `finite_float`, and ValueError for 0 or less."""
    number = finite_float(value, name)
    if number <= 0:
        raise ValueError(f"{name}={value} is not positive: give a number above 0")
    return number


def nonnegative_float(value: Any, name: str) -> float:
    """value as a float of 0 or more; errors as in `finite_float`, and ValueError below 0."""
    number = finite_float(value, name)
    if number < 0:
        raise ValueError(f"{name}={value} is negative: give 0 or more")
    return number


def fraction(value: Any, name: str) -> float:
    """value as a float from 0 to 1; errors as in `finite_float`, and ValueError outside."""
    number = finite_float(value, name)
    if not 0 <= number <= 1:
        raise ValueError(f"{name}={value} is not a share: give a number from 0 to 1")
    return number


def flag(value: Any, name: str) -> bool:
    """value as a bool. Raises TypeError for anything else, 0 and 1 too."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r} is not True or False")
    return bool(value)


def _int(value: Any, name: str) -> int:
    if not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name}={value!r} is not a whole number: give an int like 100")


# ---------------------------------------------------------------------------------------------------------
# Arrays of numbers


def numeric_array(value: Any, name: str, instead_of_text: str = _TEXT_FEATURES) -> np.ndarray:
    """value as an array of bools, ints or floats of at least one dimension. Raises TypeError or ValueError in words."""
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{name} is a sparse {type(value).__name__}: give the dense array, {name}.toarray()")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked values: fill them in, or leave out their rows")
    try:
        array = np.asarray(value)
    except Exception as error:  # a list, or an __array__ of someone else's, may raise anything
        ragged = _ragged(value)
        if ragged:
            raise ValueError(f"{name} is ragged: {ragged}: give every row as many values") from None
        raise TypeError(f"{name} cannot be read as an array of numbers: {error}") from error
    if array.ndim == 0:
        if value is None:
            raise TypeError(f"{name}=None is no array: give a list or an array with one entry for each row")
        kind = type(value).__name__
        raise TypeError(f"{name} is one {kind}, not an array: give a list or an array with one entry for each row")
    if array.dtype.kind in _KINDS_OF_NUMBER:
        return array
    if array.dtype.kind == "O":
        return _from_objects(array, value, name, instead_of_text)
    if array.dtype.kind in "UST":
        place = next((i for i, text in enumerate(array.flat) if not reads_as_number(text)), 0)
        where = _place(place, array, value)
        raise TypeError(f"{name} holds text ({array.flat[place]!s:.40} in {where}): {instead_of_text}")
    what = {"c": "complex numbers", "m": "time spans", "M": "dates"}.get(array.dtype.kind, f"dtype {array.dtype}")
    raise TypeError(f"{name} holds {what}: turn it into ordinary numbers first")


def reads_as_number(text: Any) -> bool:
    """Whether float() takes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ragged(rows: Any) -> str | None:
    """Which two rows differ in length, in words; None where that is not what is wrong."""
    try:
        lengths = [len(row) if hasattr(row, "__len__") else None for row in rows]
    except TypeError:
        return None
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            first, other = ("one value" if n is None else _count(n, "value") for n in (lengths[0], length))
            return f"row 0 has {first} and row {row} has {other}"
    return None


def _from_objects(array: np.ndarray, source: Any, name: str, instead_of_text: str) -> np.ndarray:
    """An array of Python objects (as pandas makes of columns of several types) as float64, if each is a number."""
    values = np.empty(array.size)
    for place, item in enumerate(array.flat):
        if isinstance(item, (numbers.Real, np.bool_)):
            try:
                values[place] = float(item)
            except OverflowError:
                where = _place(place, array, source)
                raise ValueError(f"{name} has a number in {where} that is too large for a float: scale it") from None
            continue
        where = _place(place, array, source)
        if isinstance(item, (str, bytes)):
            raise TypeError(f"{name} holds text ({item!s:.40} in {where}): {instead_of_text}")
        if item is None or str(item) in ("<NA>", "NaT"):
            raise ValueError(f"{name} has nothing ({item}) in {where}: fill it in, or leave out its row")
        raise TypeError(f"{name} holds a {type(item).__name__} in {where}: every value must be a number")
    return values.reshape(array.shape)


def _converted(found: np.ndarray, kind: np.dtype, source: Any, name: str) -> np.ndarray:
    """found, C-contiguous and as `kind`, with every number finite."""
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(found, kind)
    if all_finite(x):
        return x
    place = int(np.argmin(np.isfinite(x)))
    value, where = found.flat[place], _place(place, found, source)
    if np.isfinite(value):
        wider = ', or use dtype="float64"' if kind == np.float32 else ""
        raise ValueError(f"{name} has {value} in {where}, which is too large for {kind.name}: scale the data{wider}")
    raise ValueError(f"{name} has {value} in {where}: every value must be a finite number")


def all_finite(x: np.ndarray) -> bool:
    """Whether every number of x, C-contiguous, is finite; a piece at a time, which stays in the cache."""
    flat = x.reshape(-1)
    return all(np.isfinite(flat[first : first + PIECE]).all() for first in range(0, len(flat), PIECE))


def _place(place: int, array: np.ndarray, source: Any) -> str:
    """'row 3, column 2 (age)' for a place in the flat array; the name is that of a pandas column."""
    row, *column = np.unravel_index(place, array.shape)
    if len(column) != 1 or array.shape[1] == 1:
        return f"row {row}"
    names = getattr(source, "columns", None)
    named = f" ({names[column[0]]})" if names is not None else ""
    return f"row {row}, column {column[0]}{named}"


# ---------------------------------------------------------------------------------------------------------
# Targets


def _labels(column: np.ndarray, spec: Spec, source: Any, name: str) -> np.ndarray:
    """column (N,) if each is a whole number of 0..J-1."""
    outputs = spec.outputs
    if column.dtype.kind == "f":
        _converted(column, column.dtype, source, name)  # NaN and infinity
        whole = column == np.floor(column)
        if not whole.all():
            row = int(np.argmin(whole))
            raise ValueError(
                f"{name} has {column[row]} in row {row}, which is no label: give whole numbers from 0 to "
                f'{outputs - 1}, or one-hot rows; to predict numbers, use output="identity"'
            )
    elif column.dtype.kind == "b":
        column = column.view(np.int8)
    outside = (column < 0) | (column >= outputs)
    if outside.any():
        row = int(np.argmax(outside))
        from_one = column.min() == 1 and column.max() == outputs
        raise ValueError(
            f"{name} has label {column[row]:.0f} in row {row}, and layers={list(spec.layers)} ends in {outputs} "
            f"outputs: labels are 0 to {outputs - 1}{f' (use {name} - 1)' if from_one else ''}"
        )
    return column


def _one_hot(labels: np.ndarray, outputs: int, kind: np.dtype) -> np.ndarray:
    return (labels[:, None] == np.arange(outputs)).astype(kind)


def _hot_places(found: np.ndarray, source: Any, name: str) -> np.ndarray:
    """The labels (N,) of one-hot rows (N, J)."""
    if found.dtype.kind == "f":
        _converted(found, found.dtype, source, name)  # NaN and infinity
    hot = found == 1
    good = (hot.sum(axis=1) == 1) & ((found != 0).sum(axis=1) == 1)
    if not good.all():
        row = int(np.argmin(good))
        values = " ".join(f"{value:g}" for value in found[row, :8].astype(float))
        more = " ..." if found.shape[1] > 8 else ""
        raise ValueError(f"{name} has the row {values}{more} (row {row}), which is not one-hot: one 1, and else 0")
    return hot.argmax(axis=1)


def _check_probabilities(values: np.ndarray, source: Any, name: str) -> None:
    outside = (values < 0) | (values > 1)
    if outside.any():
        place = int(np.argmax(outside))
        value = values.flat[place]
        signs = f"; for labels -1 and 1, use ({name} + 1) / 2" if np.isin(values, (-1, 1)).all() else ""
        raise ValueError(
            f"{name} has {value} in {_place(place, values, source)}: "
            f'loss="binary_cross_entropy" takes values from 0 to 1{signs}'
        )


def _check_counts(values: np.ndarray, source: Any, name: str) -> None:
    if (values < 0).any():
        place = int(np.argmax(values < 0))
        raise ValueError(
            f"{name} has {values.flat[place]} in {_place(place, values, source)}: "
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
        f"{name} has shape {found.shape}, and layers={list(spec.layers)} ends in {_count(outputs, 'output')}: "
        f"give shape {shapes}"
    )


def _encode(spec: Spec) -> str:
    if not spec.is_classifier:
        return "give numbers"
    last = max(spec.outputs, 2) - 1
    return f"encode the labels as 0..{last}, for instance with numpy.unique(labels, return_inverse=True)[1]"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
