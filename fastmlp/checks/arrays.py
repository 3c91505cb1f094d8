"""Reads whatever holds numbers as an array of numbers, or refuses it with a message that helps.

Imports NumPy and other checks only. Messages count rows and columns from 0, as in X[row, column].
"""

from __future__ import annotations

import numbers
import operator
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.integers import integers
from fastmlp.checks.messages import cut

TEXT_FEATURES = "turn it into numbers first"
LIES_READY = 0x101  # NumPy's flags for C-contiguous and aligned
BLOCK = 2**16  # numbers checked at a time: a mask of all data would take an eighth of its memory, and leave the cache

_KINDS_OF_NUMBER = "biuf"  # bool, int, unsigned, float: NumPy's letters
_LISTS = (list, tuple, Sequence)  # NumPy converts their rows without masks; deque and UserList are Sequences
_TEXTS = (str, bytes, bytearray, memoryview, range)  # sequences that hold no array
_MANY = 2**26  # numbers, and
_LARGE = 2**30  # bytes; smaller arrays are not compared with the machine's memory


def numeric_array(value: Any, name: str, instead_of_text: str = TEXT_FEATURES) -> np.ndarray:
    """Reads a value as an array of bools, ints or floats with at least one dimension.

    Parameters
    ----------
    value : object
        An array, a (nested) list, a frame or a series.
    name : str
        The argument's name, for errors.
    instead_of_text : str
        What the error advises if the value holds text.

    Returns
    -------
    ndarray
        `value` itself if it is such an array.

    Raises
    ------
    TypeError
        If it does not hold numbers.
    ValueError
        If it is ragged, or has masked or missing values.
    """
    if type(value) is np.ndarray and value.ndim and value.dtype.kind in _KINDS_OF_NUMBER:
        return value
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{name} is a sparse {type(value).__name__}: give the dense array, {name}.toarray()")
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked values: fill them in, or leave out their rows")
    try:
        mixed = by_column(value)
        array = np.asarray(value) if mixed is None else mixed
    except Exception as error:  # a list, or another library's __array__, may raise anything
        only_faults(error)
        if isinstance(error, np.ma.MaskError):
            raise ValueError(f"{name} has masked values: fill them in, or leave out their rows") from None
        ragged = _ragged(value)
        if ragged:
            raise ValueError(f"{name} is ragged: {ragged}: give every row as many values") from None
        raise TypeError(f"{name} cannot be read as an array of numbers: {cut(str(error), 200)}") from error
    if array.ndim == 0:
        _refuse_scalar(value, name)
    kind = array.dtype.kind
    if array.ndim > 1 or kind == "b":
        masked = masked_place(value, kind == "b")
        if masked is not None:
            raise ValueError(f"{name} has masked values{masked}: fill them in, or leave out their rows")
    if kind in _KINDS_OF_NUMBER:
        return array
    if kind == "O":
        return _from_objects(array, value, name, instead_of_text)
    if kind in "UST":
        texts = enumerate(array.flat[:BLOCK])
        place = next((i for i, text in texts if not reads_as_number(text)), 0)
        found = f" ({cut(str(array.flat[place]), 40)} in {place_of(place, array, value)})" if array.size else ""
        raise TypeError(f"{name} holds text{found}: {instead_of_text}")
    what = {"c": "complex numbers", "m": "time spans", "M": "dates"}.get(kind, f"dtype {cut(str(array.dtype))}")
    raise TypeError(f"{name} holds {what}: turn it into ordinary numbers first")


def by_column(frame: Any) -> np.ndarray | None:
    """Returns a pandas frame's columns of bools and other numbers as one array (N, K); None for all else.

    By itself, pandas makes a Python object of each number of such a frame: 2000 rows of 1000 columns took 2 s, and take
    4 ms here.
    """
    if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "columns"):
        return None
    kinds = set(frame.dtypes)
    numbers = [kind for kind in kinds if type(kind).__module__.startswith("numpy") and kind.kind in "biuf"]
    if len(numbers) < len(kinds) or not len(kinds) > 1 or np.dtype(bool) not in kinds:
        return None
    return frame.to_numpy(np.result_type(*(kind for kind in numbers if kind.kind != "b")))


def masked_place(value: Any, deep: bool = False) -> str | None:
    """Tells whether a value has masked elements, and where.

    NumPy's conversion of a list uses the data below the masks of its rows. It turns single masked numbers into NaN, or
    raises a MaskError if the others are ints. It turns masked bools into True; finding these takes a look at each
    element (`deep`).

    Returns
    -------
    str or None
        '' for an array with masked values, ' in row 3' for a list with such a row, else None.
    """
    if type(value) is list and not deep and operator.countOf(map(type, value), list) == len(value):
        return None  # a list of lists, the usual case: 20 ns a row
    if isinstance(value, np.ma.MaskedArray):
        return "" if np.ma.is_masked(value) else None
    if isinstance(value, _LISTS) and not isinstance(value, _TEXTS):
        for place, row in enumerate(value):
            if type(row) in (list, tuple) and not deep:
                continue
            if isinstance(row, (np.ma.MaskedArray, *_LISTS)) and masked_place(row) is not None:
                return f" in row {place}"
    return None


def reads_as_number(text: Any) -> bool:
    """Tells whether float() accepts the text."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def converted(found: np.ndarray, kind: np.dtype, source: Any, name: str) -> np.ndarray:
    """Returns `found` C-contiguous, aligned and as the dtype `kind`.

    Raises ValueError if a number of it is not finite.
    """
    x = compact(found, kind, name)
    place = first(np.isfinite, x)
    if place is None:
        return x
    value, where = found.flat[place], place_of(place, found, source)
    if np.isfinite(value):
        wider = ', or use dtype="float64"' if kind == np.float32 else ""
        raise ValueError(f"{name} has {value} in {where}, which is too large for {kind.name}: scale the data{wider}")
    raise ValueError(f"{name} has {value} in {where}: every value must be a finite number")


def compact(found: np.ndarray, kind: np.dtype, name: str) -> np.ndarray:
    """Returns `found` as the dtype `kind`, C-contiguous and aligned, as the kernels read it.

    If it is so already, it is returned itself.
    """
    if found.dtype == kind and found.flags.num & LIES_READY == LIES_READY:
        return found
    if found.size > _MANY:
        check_memory(found.size, kind, name)
    try:
        with np.errstate(over="ignore"):
            x = np.ascontiguousarray(found, kind)
            return x if x.flags.aligned else x.copy()
    except MemoryError:
        raise ValueError(f"{name} has shape {found.shape}, for which there is no memory: give fewer rows") from None


def first(good: Callable[[np.ndarray], np.ndarray], array: np.ndarray) -> int | None:
    """Returns the flat index of the first number that is not good, or None.

    good(block) returns a mask for a block of numbers.
    """
    if array.size <= BLOCK:
        mask = good(array)
        return None if mask.all() else int(np.argmin(mask))
    flat = array.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        mask = good(flat[start : start + BLOCK])
        if not mask.all():
            return start + int(np.argmin(mask))
    return None


def place_of(place: int, array: np.ndarray, source: Any) -> str:
    """Returns 'row 3, column 2 (age)' for a flat index; the name is that of a pandas column."""
    row, *column = np.unravel_index(place, array.shape)
    if len(column) != 1 or array.shape[1] == 1:
        return f"row {row}"
    try:
        named = f" ({cut(str(source.columns[column[0]]), 40)})"
    except Exception as error:  # not a frame, or `columns` are something else
        only_faults(error)
        named = ""
    return f"row {row}, column {column[0]}{named}"


def check_memory(count: int, kind: np.dtype, name: str) -> None:
    """Raises ValueError if so many numbers do not fit into the machine's memory.

    A broadcast view can have any shape.
    """
    size = count * kind.itemsize
    if size > _LARGE and size > _memory():
        taken, there = (f"{number / 1e9:.3g} GB" for number in (size, _memory()))
        raise ValueError(f"{name} takes {taken} as {kind.name}, and this machine has {there}: give fewer rows")


# ---------------------------------------------------------------------------------------------------------


def _memory() -> float:
    """The machine's memory in bytes; infinity if the system does not tell (Windows)."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return np.inf


def _refuse_scalar(value: Any, name: str) -> None:
    """Raises TypeError for a value without dimensions."""
    if value is None:
        raise TypeError(f"{name}=None is not an array: give a list or an array with one entry for each row")
    kind = type(value).__name__
    how = f"{name}.collect()" if hasattr(value, "collect") else "a list or an array with one entry for each row"
    one = f"an array of shape () ({kind})" if isinstance(value, np.ndarray) else f"one {kind}, not an array"
    raise TypeError(f"{name} is {one}: give {how}")


def _ragged(rows: Any) -> str | None:
    """Says which two rows differ in length; None if none do."""
    try:
        lengths = [len(row) if hasattr(row, "__len__") else None for row in rows]
    except Exception as error:
        only_faults(error)
        return None
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            one, other = ("one value" if n is None else counted(n, "value") for n in (lengths[0], length))
            return f"row 0 has {one} and row {row} has {other}"
    return None


def _from_objects(array: np.ndarray, source: Any, name: str, instead_of_text: str) -> np.ndarray:
    """Returns an array of Python objects, such as pandas makes of mixed columns, as numbers.

    They are integers if all are ints.
    """
    check_memory(array.size, np.dtype(np.float64), name)
    if array.size and all(type(item) is int for item in array.flat):  # float64 would round large ones
        exact = integers(array.ravel().tolist())
        if exact is not None:
            return exact.reshape(array.shape)
    values = np.empty(array.size)
    for place, item in enumerate(array.flat):
        if type(item) is np.ndarray and not item.ndim:
            item = item[()]
        if isinstance(item, (numbers.Real, np.bool_)) or _is_decimal(item):
            try:
                values[place] = float(item)
                continue
            except OverflowError:
                where = place_of(place, array, source)
                raise ValueError(f"{name} has a number in {where} that is too large for a float: scale it") from None
            except Exception as error:  # Decimal("sNaN"), or any class that claims to be a number
                only_faults(error)
                where = place_of(place, array, source)
                kind = type(item).__name__
                raise ValueError(f"{name} holds a {kind} in {where} that is not a float: {error}") from None
        where = place_of(place, array, source)
        if isinstance(item, (str, bytes)):
            raise TypeError(f"{name} holds text ({cut(str(item), 40)} in {where}): {instead_of_text}")
        kind = type(item).__name__
        if np.ma.is_masked(item):
            raise ValueError(f"{name} has masked values in {where}: fill them in, or leave out their rows")
        if item is None or kind in ("NAType", "NaTType"):  # pandas' missing values
            raise ValueError(f"{name} has nothing ({item}) in {where}: fill it in, or leave out its row")
        raise TypeError(f"{name} holds a {kind} in {where}: every value must be a number")
    return values.reshape(array.shape)


def _is_decimal(item: Any) -> bool:
    """Whether it is a number that is not complex, such as a Decimal. (Importing `decimal` takes a millisecond.)"""
    return isinstance(item, numbers.Number) and not isinstance(item, numbers.Complex)


def counted(number: int, thing: str) -> str:
    """Returns '1 row' or '3 rows'."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
