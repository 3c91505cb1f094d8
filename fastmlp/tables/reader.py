"""Reads a table from a file of any kind; and tables of numbers. pandas is imported for a file that is not .npz."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastmlp.checks import arrays
from fastmlp.checks.integers import check_exact, integers, is_large
from fastmlp.checks.messages import cut
from fastmlp.core import data
from fastmlp.core.preprocess import Scale as Scale
from fastmlp.tables import delimited, formats, npz
from fastmlp.tables.cells import is_number
from fastmlp.tables.columns import SHOWN as SHOWN
from fastmlp.tables.columns import Column, Columns
from fastmlp.tables.columns import check_unique as check_unique
from fastmlp.tables.columns import listed as listed
from fastmlp.tables.columns import places_of as places_of
from fastmlp.tables.labels import MOST_CLASSES as MOST_CLASSES
from fastmlp.tables.labels import as_classes as as_classes
from fastmlp.tables.pipes import beginning, received

_NUMBERS = ("number", "integer", "bool")


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes
    ----------
    x : ndarray of shape (N, K), float64
        Features; finite.
    y : ndarray of shape (N,) or (N, J), float64
        Targets; finite.
    names : list of str
        The names of the K features.
    target : str
        The name of y.
    weights : ndarray of shape (N,) or None
        The rows' weights, if a column or an array of them was named.
    whole : ndarray of shape (N,) or None
        y as int64 or uint64, if it has whole numbers that float64 may round.
    rounded : str or None
        Why y cannot be labels, if it has such numbers and no `whole`.
    notes : tuple of str
        What was noticed in the file.
    """

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    target: str
    weights: np.ndarray | None = None
    whole: np.ndarray | None = None
    rounded: str | None = None
    notes: tuple[str, ...] = ()

    def labels(self) -> np.ndarray:
        """Returns y (N,) as whole numbers. Raises ValueError if two labels may have become one."""
        if self.rounded is not None:
            raise ValueError(f"{self.target!r} {self.rounded}; --task regress takes it for a quantity")
        return self.y if self.whole is None else self.whole

    def arranged(self, names: Sequence[str], where: str | Path) -> Table:
        """Returns the same table with its features in this order. Raises ValueError if they are not the same."""
        places = places_of(self.names, names, where)
        return replace(self, x=np.ascontiguousarray(self.x[:, places]), names=list(names))

    def fingerprint(self) -> str:
        """Returns 16 hex digits that tell this table's features and targets from others."""
        digest = hashlib.sha256(str((self.x.shape, self.y.shape)).encode())
        for part in (self.x, self.y):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()[:16]


def read(
    path: str | Path,
    *,
    header: bool | None = None,
    text: Collection[str] = (),
    checked: Collection[str] | None = None,
) -> Columns:
    """Reads the table in a file.

    Text with separators, packed or not: see docs/files.md. Parquet, Feather, spreadsheets, JSON, and .npz, whose X
    becomes columns 0, 1, ..., and whose other arrays with as many rows become columns, too.

    Parameters
    ----------
    path : path
        The file; "-" for standard input.
    header : bool or None, default=None
        Whether the first line has names. None: yes, but a first line that looks like data is refused. False: columns
        are called 0, 1, ...
    text : collection of str, default=()
        Columns that are text, whatever they look like: "007" stays so.
    checked : collection of str or None, default=None
        Columns whose cells are checked; None for all. Others may have infinite numbers, and a few words among numbers.

    Returns
    -------
    Columns

    Raises
    ------
    OSError
        If there is no such file.
    TypeError, ValueError
        If its content is wrong. The error names the file, and for text the line and the column.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _npz_columns(path)
    source = received(path)
    kind = formats.kind_of(source, beginning(source))
    if kind is None and formats.json_kind(source):
        kind = "json"
    if kind is not None:
        return formats.read(source, kind, header, text, checked)
    return delimited.read(source, header, text, checked)


def read_table(
    path: str | Path, target: str | None = None, weights: str | None = None, header: bool | None = None
) -> Table:
    """Reads the table in a file: .npz, or else CSV, which may come through a pipe such as `<(...)`.

    Parameters
    ----------
    path : path
        The file.
    target : str or None, default=None
        A column of the CSV, or an array of the .npz, where it is "y" by default.
    weights : str or None, default=None
        The column or array of the rows' weights.
    header : bool or None, default=None
        As in `read`.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        If there is no such file.
    TypeError, ValueError
        If its content is wrong. The error names the line and the column of a CSV.
    """
    path = Path(path)
    archive = path.suffix.lower() == ".npz"
    target = target or ("y" if archive else None)
    if weights is not None and weights == target:
        raise ValueError(f"--sample-weight and --target are both {target!r}: name two columns")
    if archive:
        assert target is not None
        return _read_npz(path, target, weights)
    columns = read(path, header=header)
    if target is None:
        raise ValueError(f"{path} needs --target NAME: its columns are {listed(columns.names)}")
    return _table(columns, target, weights)


def read_rows(
    path: str | Path,
    names: Sequence[str],
    target: str,
    ignored: Collection[str] = (),
    header: bool | None = None,
) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """Reads rows to predict.

    Parameters
    ----------
    path : path
        The file.
    names : sequence of str
        The features. A CSV has them in any order; in an .npz, X has them by position.
    target : str
        The target's name.
    ignored : collection of str
        Columns that are not read. Other columns are refused.
    header : bool or None, default=None
        As in `read`.

    Returns
    -------
    x : ndarray of shape (N, K), float64
    y : ndarray or None
        The target, if it is there and can be read; as whole numbers where `Table.whole` would have them.
    wrong : str or None
        Why the target cannot be read.

    Raises
    ------
    OSError, TypeError, ValueError
        As `read`.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _npz_rows(path, len(names), target)
    unread = {target, *ignored}
    columns = read(path, header=header, checked=names)
    places_of(columns.names, names, path, unread)
    wrong = y = None
    if target in columns:
        column = columns[target]
        wrong = f"column {target!r} is not a number in every row"
        if column.kind in _NUMBERS and column.missing is None and np.isfinite(column.values).all():
            large = column.kind == "integer" and is_large(column.values)
            wrong, y = None, column.values if large else column.numbers().copy()
    return _matrix(columns, names, release=True), y, wrong


# ---------------------------------------------------------------------------------------------------------
# Files


def _read_npz(path: Path, target: str, weights: str | None) -> Table:
    """The table in an .npz."""
    x, arrays = _npz_arrays(path, [target] if weights is None else [target, weights])
    w = None
    with _naming(path):
        y, whole, rounded = _target(arrays[target], target, len(x))
        if weights is not None:
            w, _, _ = _target(arrays[weights], weights, len(x))
            if w.ndim != 1:
                raise ValueError(f"{weights} has shape {w.shape}: give one weight for each row, ({len(x)},)")
    return Table(x, y, [str(k) for k in range(x.shape[1])], target, w, whole, rounded)


def _npz_rows(path: Path, columns: int, target: str) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """`read_rows` for an .npz."""
    x, arrays = _npz_arrays(path, [], [target])
    if x.shape[1] != columns:
        raise ValueError(f"{path}: X has {x.shape[1]} columns, and the model takes {columns}")
    if target not in arrays:
        return x, None, None
    try:
        y, whole, _ = _target(arrays[target], target, len(x))
        return x, y if whole is None else whole, None
    except (ValueError, TypeError) as error:
        return x, None, str(error)


def _npz_arrays(
    path: Path, needed: list[str], others: Collection[str] = ()
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """X, checked; and the arrays that are needed, and those of the others that are there."""
    arrays, names = npz.read(path, {"X", *needed, *others})
    for name in ("X", *needed):
        if name not in arrays:
            raise ValueError(f"{path} has no array {name!r}: it has {listed(names)}")
    with _naming(path):
        return data.matrix(arrays["X"], name="X"), arrays


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the path before the message of a ValueError or TypeError."""
    try:
        yield
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError  # subclasses may not take a text
        raise kind(f"{path}: {error}") from None


def _target(values: np.ndarray, name: str, rows: int) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """(y, whole, rounded) of a `Table`: finite numbers (N,), or (N, J) for J > 1, one for each row of X."""
    found = arrays.numeric_array(values, name)
    if found.ndim > 2 or found.shape[1:] == (0,):
        raise ValueError(f"{name} has shape {found.shape}: give ({rows},), or ({rows}, J) for J outputs")
    if len(found) != rows:
        raise ValueError(f"{name} has {len(found)} rows and X has {rows}: give one target for each row of X")
    found = found.reshape(rows, -1)
    y = data.matrix(found, name=name)
    if y.shape[1] > 1:
        return y, None, None
    whole = rounded = None
    if found.dtype.kind in "iu":
        whole = integers(found[:, 0].tolist()) if is_large(y) else None
    elif found.dtype.kind == "f":
        try:
            check_exact(found[:, 0], name)
        except ValueError as error:
            rounded = str(error).removeprefix(f"{name} ")
    return y[:, 0], whole, rounded


def _table(columns: Columns, target: str, weights: str | None) -> Table:
    """The table in columns of numbers."""
    wanted = columns[target]
    if weights is not None:
        columns[weights]
    names = [name for name in columns.names if name not in (target, weights)]
    if not names:
        others = f" and {weights!r}" if weights is not None else ""
        raise ValueError(f"{columns.where} has the one column {target!r}{others}, and no features")
    y = _matrix(columns, [target])[:, 0]
    large = wanted.kind == "integer" and is_large(y)
    w = None if weights is None else _matrix(columns, [weights])[:, 0]
    return Table(
        *(_matrix(columns, names, release=True), y, names, target, w),
        whole=wanted.values if large else None,
        rounded=wanted.rounded,
        notes=columns.notes,
    )


def _matrix(columns: Columns, names: Sequence[str], release: bool = False) -> np.ndarray:
    """Columns of numbers as rows (N, K), float64. Raises ValueError for text and for missing cells."""
    for name in names:
        column = columns[name]
        if column.missing is not None:
            row = int(np.argmax(column.missing))
            raise ValueError(f"{columns.place(row, name)}: nothing there; fill it in, or leave out the line")
        if column.kind not in _NUMBERS:
            texts = column.texts() if column.kind == "text" else [str(time) for time in column.values]
            row = next(row for row, text in enumerate(texts) if text is not None and not is_number(text))
            raise ValueError(
                f"{columns.place(row, name)}: {cut(str(texts[row]), 40)!r} is not a number; "
                "encode it as one (classes as 0, 1, 2), or leave out the column"
            )
    return columns.matrix(names, release=release)


def _npz_columns(path: Path) -> Columns:
    """An .npz as columns."""
    _, names = npz.read(path, ())
    found, _ = npz.read(path, names)
    if "X" not in found:
        raise ValueError(f"{path} has no array 'X': it has {listed(names)}")
    with _naming(path):
        x = arrays.numeric_array(found.pop("X"), "X")
        if x.ndim != 2:
            raise ValueError(f"X has shape {x.shape}: give (N, K), one row for each example")
        columns = [_npz_column(str(place), x[:, place]) for place in range(x.shape[1])]
        for name, values in found.items():
            if len(values.shape) not in (1, 2) or len(values) != len(x):
                continue  # a table for other things, which is not asked for
            if values.dtype.kind == "U" and values.ndim == 1:
                columns.append(_words(name, values))
                continue
            values = arrays.numeric_array(values, name).reshape(len(x), -1)
            wide = values.shape[1] != 1
            columns += [
                _npz_column(f"{name}_{place}" if wide else name, values[:, place]) for place in range(values.shape[1])
            ]
    return Columns(tuple(columns), str(path))


def _words(name: str, values: np.ndarray) -> Column:
    """Texts (N,) as a column."""
    places = {text: place for place, text in enumerate(dict.fromkeys(values.tolist()))}
    codes = np.array([places[text] for text in values.tolist()], np.int32)
    return Column(name, "text", codes, categories=tuple(places))


def _npz_column(name: str, values: np.ndarray) -> Column:
    """A column of an array."""
    if values.dtype.kind == "b":
        return Column(name, "bool", values)
    if values.dtype.kind in "iu":
        return Column(name, "integer", values.astype(np.uint64 if values.dtype == np.uint64 else np.int64))
    hole = np.isnan(values)
    rounded = None
    if np.isfinite(values).all():
        _, _, rounded = _target(values, name, len(values))
    return Column(name, "number", values.astype(np.float64), hole if hole.any() else None, rounded=rounded)
