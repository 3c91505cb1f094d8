"""What one trains and predicts with: a file, a data frame, or arrays, as columns with a target and weights of rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.core import data as checks
from fastmlp.tables import reader
from fastmlp.tables.columns import Column, Columns, check_unique, listed
from fastmlp.tables.frames import from_frame


@dataclass(frozen=True, eq=False)
class Loaded:
    """A table whose target is known.

    Attributes
    ----------
    features : Columns
        The features, as they were read.
    y : Column or ndarray of shape (N, J) or None
        The target: a column, or several in an .npz. None where it is not there.
    target : str
        Its name.
    weights : Column or None
        The rows' weights, if a column of them was named.
    title : str
        What the table is called: a file's name, or "X".
    own : bool
        Whether the features' memory is no caller's.
    """

    features: Columns
    y: Column | np.ndarray | None
    target: str
    weights: Column | None
    title: str
    own: bool = False

    def __len__(self) -> int:
        return len(self.features)

    def taken(self, rows: np.ndarray) -> Loaded:
        """Returns the table with these rows only, by their numbers."""
        y = self.y.taken(rows) if isinstance(self.y, Column) else None if self.y is None else self.y[rows]
        weights = None if self.weights is None else self.weights.taken(rows)
        return replace(self, features=self.features.taken(rows), y=y, weights=weights)


def is_path(data: Any) -> bool:
    """Tells whether it names a file."""
    return isinstance(data, (str, os.PathLike))


def is_archive(data: Any) -> bool:
    """Tells whether it names an .npz, whose X has columns by their place."""
    return is_path(data) and Path(data).suffix.lower() == ".npz"


def to_train(
    data: Any, target: str | None, weight: str | None, text: Collection[str] = (), header: bool | None = None
) -> Loaded:
    """Reads a table to train on.

    Parameters
    ----------
    data : path or data frame
        The table.
    target : str or None
        The target's name; of an .npz, "y" if it is None.
    weight : str or None
        The name of the column of the rows' weights.
    text : collection of str, default=()
        Columns that are text, whatever they look like.
    header : bool or None, default=None
        As in `reader.read`.

    Returns
    -------
    Loaded

    Raises
    ------
    OSError, TypeError, ValueError
        As `reader.read` and `from_frame`; ValueError where a named column is not there.
    """
    if weight is not None and weight == target:
        raise ValueError(f"--sample-weight and --target are both {target!r}: name two columns")
    if is_archive(data):
        return _of_archive(Path(data), target, weight)
    table = _read(data, text, header=header)
    if target is None:
        raise ValueError(f"{table.where} needs --target NAME: its columns are {listed(table.names)}")
    y, weights = table[target], None if weight is None else table[weight]
    features = table.without(target, *([] if weight is None else [weight]))
    if not features.columns:
        others = f" and {weight!r}" if weight is not None else ""
        raise ValueError(f"{table.where} has the one column {target!r}{others}, and no features")
    return Loaded(features, _apart(y), target, _apart(weights), _title(data), is_path(data))


def to_predict(
    data: Any,
    names: Sequence[str],
    target: str,
    text: Collection[str] = (),
    header: bool | None = None,
    holes: bool = True,
) -> Loaded:
    """Reads rows to predict.

    Parameters
    ----------
    data : path, data frame, or array of shape (N, K)
        The rows. Columns of files and frames are found by name, and others are ignored; those of an .npz or an array
        go by their place.
    names : sequence of str
        The features.
    target : str
        The target's name.
    text : collection of str, default=()
        Columns that are text, whatever they look like.
    header : bool or None, default=None
        As in `reader.read`.
    holes : bool, default=True
        Whether NaN in an array of numbers is a missing cell.

    Returns
    -------
    Loaded
        Its features in the order of `names`; y is the target, if it is there.

    Raises
    ------
    OSError, TypeError, ValueError
        As `reader.read` and `from_frame`; ValueError where a feature is not there.
    """
    if is_archive(data):
        return _rows_of_archive(Path(data), names, target)
    if not is_path(data) and not hasattr(data, "columns"):
        return Loaded(_of_array(data, names, text, holes), None, target, None, "X")
    table = _read(data, text, names, header)
    there = set(table.names)
    missing = [name for name in names if name not in there]
    if missing:
        raise ValueError(f"{table.where} does not have the model's columns: {listed(missing)} missing")
    y = table[target] if target in there and target not in names else None
    return Loaded(table.selected(names), _apart(y), target, None, _title(data), is_path(data))


def fingerprint(x: np.ndarray, y: np.ndarray) -> str:
    """Returns 16 hex digits that tell these features and targets from others."""
    digest = hashlib.sha256(str((x.shape, y.shape)).encode())
    for part in (x, y):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------------------------------------------------


def _apart(column: Column | None) -> Column | None:
    """A column with memory of its own: that of the features may be taken for what they become."""
    return column if column is None or column.values.base is None else replace(column, values=column.values.copy())


def _title(data: Any) -> str:
    return Path(data).name if is_path(data) else "X"


def _read(
    data: Any, text: Collection[str], checked: Collection[str] | None = None, header: bool | None = None
) -> Columns:
    """The columns of a file or a frame."""
    if is_path(data):
        return reader.read(data, header=header, text=text, checked=checked)
    if not hasattr(data, "columns"):
        raise TypeError(f"the table is one {type(data).__name__}: give a file's name, or a data frame")
    return from_frame(data, text=text, checked=checked) if _is_frame(data) else _of_named_array(data)


def _is_frame(data: Any) -> bool:
    """Tells whether `from_frame` reads it."""
    library = type(data).__module__.partition(".")[0]
    return library in ("pandas", "polars", "pyarrow") or any(
        hasattr(data, name) for name in ("to_pandas", "__dataframe__", "collect", "compute")
    )


def _of_named_array(data: Any) -> Columns:
    """An array of numbers whose `columns` are names."""
    x, names = checks.matrix(data), [str(name) for name in data.columns]
    check_unique(names, "X")
    return Columns(_by_place(x, names), "X")


def _of_array(X: Any, names: Sequence[str], text: Collection[str], holes: bool) -> Columns:
    """An array or list of rows (N, K), whose columns go by their place."""
    if holes and (isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype.kind in "OUS")):
        table = _of_cells(X, names, text)
        if table is not None:
            return table
    found = arrays.numeric_array(X, "X", arrays.TEXT_FEATURES) if holes else None
    if found is not None and found.ndim == 2 and found.dtype.kind == "f" and np.isnan(found).any():
        checks.matrix(np.where(np.isnan(found), 0, found))  # raises what is wrong beside
        x = found.astype(np.float64)
    else:
        x = checks.matrix(X)
    check_count(x.shape[1], names)
    columns = []
    for place, name in enumerate(names):
        missing = np.isnan(x[:, place])
        columns.append(Column(name, "number", x[:, place], missing if missing.any() else None))
    return Columns(tuple(columns), "X")


def _of_cells(X: Any, names: Sequence[str], text: Collection[str]) -> Columns | None:
    """Rows with words or None in them; None for rows of numbers."""
    masked = arrays.masked_place(X, deep=True)
    if masked is not None:
        raise ValueError(f"X has masked values{masked}: fill them in, or leave out their rows")
    cells = np.asarray(X, object)
    if cells.ndim != 2 or not cells.size:
        return None
    if all(isinstance(cell, (int, float, np.number)) for cell in cells.flat):
        return None
    check_count(cells.shape[1], names)
    import pandas as pd

    frame = pd.DataFrame({name: cells[:, place] for place, name in enumerate(names)})
    return from_frame(frame.infer_objects(), text=text)


def check_count(count: int, names: Sequence[str], what: str = "X") -> None:
    """Raises ValueError where an array has another number of columns than the model."""
    if count != len(names):
        raise ValueError(f"{what} has {count} columns, and the model takes {len(names)}: {listed(names)}")


def _of_archive(path: Path, target: str | None, weight: str | None) -> Loaded:
    """An .npz, to train on."""
    try:
        found = reader.read_table(path, target, weight)
    except (TypeError, ValueError):
        table = _with_words(path, target or "y")
        if table is None:
            raise
        return replace(table, weights=None if weight is None else reader.read(path)[weight])
    weights = None if found.weights is None else Column(str(weight), "number", found.weights)
    features = Columns(_by_place(found.x, found.names), str(path))
    y: Column | np.ndarray = found.y
    if found.y.ndim == 1:
        whole = found.whole is not None
        values = found.whole if found.whole is not None else found.y
        y = Column(found.target, "integer" if whole else "number", values, rounded=found.rounded)
    return Loaded(features, y, found.target, weights, path.name)


def _rows_of_archive(path: Path, names: Sequence[str], target: str) -> Loaded:
    """An .npz, to predict."""
    try:
        x, y, _ = reader.read_rows(path, names, target)
    except (TypeError, ValueError):
        table = _with_words(path, target)
        if table is None or len(table.features.columns) != len(names):
            raise
        columns = zip(table.features, names, strict=True)
        return replace(table, features=replace(table.features, columns=tuple(replace(c, name=n) for c, n in columns)))
    if y is None and (table := _with_words(path, target)) is not None:
        return Loaded(Columns(_by_place(x, names), str(path)), table.y, target, None, path.name)
    features = Columns(_by_place(x, names), str(path))
    if y is not None and y.ndim == 1:
        kind = "integer" if y.dtype.kind in "iu" else "number"
        return Loaded(features, Column(target, kind, y), target, None, path.name)
    return Loaded(features, y, target, None, path.name)


def _with_words(path: Path, target: str) -> Loaded | None:
    """An .npz with NaN in X, or a target of words; None where that is not what is unusual about it."""
    try:
        table = reader.read(path)
    except (TypeError, ValueError):
        return None
    if target not in table:
        return None
    count = next(k for k in range(len(table.columns) + 1) if str(k) not in table)
    features = table.selected([str(k) for k in range(count)])
    odd = table[target].kind == "text" or any(column.missing is not None for column in features)
    return Loaded(features, table[target], target, None, path.name) if odd else None


def _by_place(x: np.ndarray, names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name, "number", x[:, place]) for place, name in enumerate(names))
