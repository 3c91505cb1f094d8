"""Reads a CSV or .npz for `fastmlp train` and `fastmlp predict`. Imports NumPy and the checks."""

from __future__ import annotations

import csv
import hashlib
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np

from fastmlp.checks import arrays
from fastmlp.checks.integers import check_exact, integers, is_large
from fastmlp.checks.messages import cut, in_digits, shown
from fastmlp.core import data
from fastmlp.core.preprocess import Scale
from fastmlp.storage.container import look_of
from fastmlp.tables import npz
from fastmlp.tables.pipes import Piped, beginning, opened, received

__all__ = ["Scale", "Table", "as_classes", "check_unique", "listed", "places_of", "read", "read_rows"]

MOST_CLASSES = 100  # a column with more different whole numbers is taken for a quantity
SHOWN = 12  # names in a message, before "..."
_UNPACKED = (
    ".gz",
    ".bz2",
    ".xz",
    ".lzma",
)  # numpy.loadtxt would unpack files with these names, though the header is plain text


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
    """

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    target: str
    weights: np.ndarray | None = None
    whole: np.ndarray | None = None
    rounded: str | None = None

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


def read(path: str | Path, target: str | None = None, weights: str | None = None) -> Table:
    """Reads the table in a file: .npz, or else CSV, which may come through a pipe such as `<(...)`.

    Parameters
    ----------
    path : path
        The file.
    target : str or None, default=None
        A column of the CSV, or an array of the .npz, where it is "y" by default.
    weights : str or None, default=None
        The column or array of the rows' weights.

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
    source = received(path)
    if target is None:
        raise ValueError(f"{path} needs --target NAME: its columns are {listed(_csv_header(source)[0])}")
    return _read_csv(source, target, weights)


def read_rows(
    path: str | Path, names: Sequence[str], target: str, ignored: Collection[str] = ()
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
        Columns of a CSV that are not read. Other columns are refused.

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
    source = received(path)
    header, lines = _csv_header(source)
    unread = {target, *ignored}
    places = places_of(header, names, path, unread)
    values = _loaded(source, lines, len(header))
    if values is None:
        values = _parsed(source, header, unread)
    if not len(values):
        raise ValueError(f"{path} has a header and no rows")
    y = values[:, header.index(target)] if target in header else None
    wrong = None
    if y is not None and not np.isfinite(y).all():
        y, wrong = None, f"column {target!r} is not a number in every row"
    if y is not None and is_large(y):
        whole, _ = _whole_column(source, header.index(target))
        y = y if whole is None else whole
    return np.ascontiguousarray(values[:, places]), y, wrong


def places_of(found: Sequence[str], names: Sequence[str], where: str | Path, others: Collection[str] = ()) -> list[int]:
    """Returns the index of each of `names` in `found`. Raises ValueError for a missing or an additional name."""
    places = {name: place for place, name in enumerate(found)}
    known = {*names, *others}
    missing = [name for name in names if name not in places]
    extra = [name for name in found if name not in known]
    if missing or extra:
        parts = [f"{listed(some)} {word}" for some, word in ((missing, "missing"), (extra, "too many")) if some]
        raise ValueError(f"{where} does not have the model's columns: {'; '.join(parts)}")
    return [places[name] for name in names]


def check_unique(names: Sequence[str], where: object) -> None:
    """Raises ValueError if two columns have the same name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{where} has two columns {shown(twice)}: rename one")


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


def _read_csv(path: Path | Piped, target: str, weights: str | None) -> Table:
    """The table in a CSV."""
    header, lines = _csv_header(path)
    columns = {name: column for column, name in enumerate(header)}
    for name in (target, weights):
        if name is not None and name not in columns:
            hint = ""
            if len(header) == 1 and ";" in header[0]:
                hint = "; its cells are separated by ';', and a CSV has commas"
            elif all(arrays.reads_as_number(name) for name in header):
                hint = "; its first line looks like numbers: put a line of names above it"
            raise ValueError(f"{path} has no column {name!r}: it has {listed(header)}{hint}")
    apart = [columns[name] for name in (target, weights) if name is not None]
    names = [name for column, name in enumerate(header) if column not in apart]
    if not names:
        others = f" and {weights!r}" if weights is not None else ""
        raise ValueError(f"{path} has the one column {target!r}{others}, and no features")
    values = _loaded(path, lines, len(header))
    if values is None:
        values = _parsed(path, header)
    if not len(values):
        raise ValueError(f"{path} has a header and no rows")
    x = np.ascontiguousarray(np.delete(values, apart, axis=1))
    y, *rest = (values[:, column].copy() for column in apart)
    whole, rounded = _whole_column(path, columns[target]) if is_large(y) else (None, None)
    return Table(x, y, names, target, rest[0] if rest else None, whole, rounded)


def _csv_header(path: Path | Piped) -> tuple[list[str], int]:
    """The names in a CSV's first line, and the number of lines that they take."""
    for line, cells in _csv_rows(path):
        header = [cell.strip() for cell in cells]
        for column, name in enumerate(header):
            if not name:
                raise ValueError(
                    f"{path} has no name for column {column + 1} of {len(header)} in its header: "
                    "name it, or leave it out if it only counts the rows"
                )
        check_unique(header, path)
        return header, line
    raise ValueError(f"{path} is empty: a header and rows of numbers are needed")


def _csv_rows(path: Path | Piped) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each line of a CSV that is not blank; lines count from 1."""
    with opened(path) as file:
        reader = csv.reader(file, strict=True)
        try:
            for cells in reader:
                if cells and (len(cells) > 1 or cells[0].strip()):
                    yield reader.line_num, cells
        except csv.Error as error:
            long = f"a cell of more than {csv.field_size_limit()} characters; is a quote missing?"
            wrong = long if "field larger" in str(error) else error
            raise ValueError(f"{path}, line {reader.line_num}: {wrong}") from error
        except UnicodeDecodeError as error:
            look = look_of(beginning(path))
            what = f"it looks like {look}; save it as CSV" if look else f"{error.reason} near byte {error.start}"
            raise ValueError(f"{path} is not a CSV in UTF-8: {what}") from error


def _loaded(path: Path | Piped, skip: int, columns: int) -> np.ndarray | None:
    """The numbers (N, columns) below the header, by NumPy's fast reader; None if anything is unusual."""
    if str(path).lower().endswith(_UNPACKED):
        return None
    text: Path | TextIO = path if isinstance(path, Path) else opened(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning about a file without rows
            values = np.loadtxt(
                text, delimiter=",", skiprows=skip, ndmin=2, comments=None, quotechar='"', encoding="utf-8-sig"
            )
    except ValueError:
        return None
    return values if values.shape[1] == columns and np.isfinite(values).all() else None


def _parsed(path: Path | Piped, header: list[str], unread: Collection[str] = ()) -> np.ndarray:
    """The same numbers, cell by cell: some twenty times slower, with line and column in every error.

    In the columns named in `unread`, what is not a finite number becomes NaN.
    """
    rows = []
    lines = _csv_rows(path)
    next(lines)  # the header
    for line, cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"{path}, line {line}: {len(cells)} cells, where the header has {len(header)}")
        row = []
        for cell, name in zip(cells, header, strict=True):
            try:
                row.append(_number(cell, path, line, name))
            except ValueError:
                if name not in unread:
                    raise
                row.append(np.nan)
        rows.append(row)
    return np.array(rows, np.float64).reshape(-1, len(header))


def _whole_column(path: Path | Piped, column: int) -> tuple[np.ndarray | None, str | None]:
    """(whole, rounded) of a `Table`, from the cells of a column of finite numbers."""
    from decimal import Decimal

    rows = _csv_rows(path)
    next(rows)  # the header
    cells = [(line, cells[column].strip()) for line, cells in rows]
    numbers = []
    for _, cell in cells:
        try:
            numbers.append(Decimal(cell))
        except ArithmeticError:  # an exponent of 20 digits: since the float is finite, it is 0
            numbers.append(Decimal(0))
    if all(number == number.to_integral_value() for number in numbers):
        whole = integers([int(number) for number in numbers])
        if whole is not None:
            return whole, None
    for (line, cell), number in zip(cells, numbers, strict=True):
        if Decimal(repr(float(number))) != number:  # 1e300 is unchanged; an id of 25 digits is not
            return None, f"has {cut(cell, 40)} in line {line}, which float64 rounds to {in_digits(float(number))}"
    return None, None


def _number(cell: str, path: Path | Piped, line: int, name: str) -> float:
    """The number in a cell. Raises ValueError."""
    where = f"{path}, line {line}, column {name!r}"
    cell = cell.strip()
    if not cell:
        raise ValueError(f"{where}: nothing there; fill it in, or leave out the line")
    try:
        number = float(cell) if "_" not in cell else None  # Python reads 1_000; other CSV readers do not
    except ValueError:
        number = None
    if number is None:
        raise ValueError(
            f"{where}: {cell[:40]!r} is not a number; encode it as one (classes as 0, 1, 2), or leave out the column"
        )
    if not np.isfinite(number):
        raise ValueError(f"{where}: {cell[:40]} is not a finite number; fill it in, or leave out the line")
    return number


def listed(names: Iterable[object]) -> str:
    """Returns the names as text, the first 12 of them."""
    texts = [cut(str(name), 40) for name in names]
    more = f", ... ({len(texts)} in all)" if len(texts) > SHOWN else ""
    return (", ".join(texts[:SHOWN]) + more) or "none"


# ---------------------------------------------------------------------------------------------------------
# Preparing


def as_classes(y: np.ndarray) -> np.ndarray | None:
    """Returns y as labels (N,) if it looks like labels, else None: whole numbers, few and repeated, or one-hot rows.

    Integers stay integers; see `Table.labels`.
    """
    if y.ndim == 2:
        one_hot = np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1).astype(np.float64) if one_hot else None
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        return None
    different = len(np.unique(y))
    return y if different <= MOST_CLASSES and 2 * different <= max(len(y), 4) else None
