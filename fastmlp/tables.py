"""Tables for `fastmlp train`: reading a CSV or .npz, and standardised columns.

Imports NumPy, `data` and the reference's sums, so that a scale has the same bits anywhere.
"""

from __future__ import annotations

import csv
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastmlp import data
from fastmlp.reference.arithmetic import row_sum

MOST_CLASSES = 100  # a column with more different whole numbers is taken for a quantity
SHOWN = 12  # names in a message, before "..."


@dataclass(frozen=True)
class Table:
    """x (N, K) and y (N,) or (N, J), float64 and finite; names: of the K features; target: the name of y."""

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    target: str


def read(path: str | Path, target: str | None = None) -> Table:
    """The table in a file: .npz, or else CSV. target: a column of the CSV, or the array in the .npz that is y.

    Raises OSError where there is no such file, and ValueError or TypeError for what it holds, naming line and column.
    """
    path = Path(path)
    if path.suffix.lower() == ".npz":
        return _read_npz(path, target or "y")
    if target is None:
        raise ValueError(f"{path} needs --target NAME: its columns are {_listed(_csv_header(path)[0])}")
    return _read_csv(path, target)


# ---------------------------------------------------------------------------------------------------------
# Files


def _read_npz(path: Path, target: str) -> Table:
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz file that NumPy can read") from error
    if isinstance(archive, np.ndarray):
        raise ValueError(f"{path} holds one array without a name: save it with numpy.savez({str(path)!r}, X=X, y=y)")
    with archive:
        for name in ("X", target):
            if name not in archive.files:
                raise ValueError(f"{path} has no array {name!r}: it has {_listed(archive.files)}")
        try:
            x, y = archive["X"], archive[target]
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds arrays that cannot be read as numbers: {error}") from error
    x = data.matrix(x, name="X")
    y = data.numeric_array(y, target)
    if y.ndim > 2 or y.shape[1:] == (0,):
        raise ValueError(f"{target} has shape {y.shape}: give ({len(x)},), or ({len(x)}, J) for J outputs")
    if len(y) != len(x):
        raise ValueError(f"{target} has {len(y)} rows and X has {len(x)}: give one target for each row of X")
    y = data.matrix(y.reshape(len(y), -1), name=target)
    return Table(x, y[:, 0] if y.shape[1] == 1 else y, [str(k) for k in range(x.shape[1])], target)


def _read_csv(path: Path, target: str) -> Table:
    header, lines = _csv_header(path)
    if target not in header:
        hint = ""
        if len(header) == 1 and ";" in header[0]:
            hint = "; cells are parted by ';' there, and a CSV has commas"
        elif all(data.reads_as_number(name) for name in header):
            hint = "; its first line looks like numbers: put a line of names above it"
        raise ValueError(f"{path} has no column {target!r}: it has {_listed(header)}{hint}")
    if len(header) == 1:
        raise ValueError(f"{path} has the one column {target!r}, and no features")
    values = _loaded(path, lines, len(header))
    if values is None:
        values = _parsed(path, header)
    if not len(values):
        raise ValueError(f"{path} has a header and no rows")
    column = header.index(target)
    x = np.ascontiguousarray(np.delete(values, column, axis=1))
    return Table(x, values[:, column].copy(), header[:column] + header[column + 1 :], target)


def _csv_header(path: Path) -> tuple[list[str], int]:
    """The names in a CSV's first line, and the number of lines that they take."""
    for line, cells in _csv_rows(path):
        header = [cell.strip() for cell in cells]
        for column, name in enumerate(header):
            if not name:
                raise ValueError(
                    f"{path} has no name for column {column + 1} of {len(header)} in its header: "
                    "name it, or leave it out if it only counts the rows"
                )
            if name in header[:column]:
                raise ValueError(f"{path} has two columns {name!r}: rename one")
        return header, line
    raise ValueError(f"{path} is empty: a header and rows of numbers are needed")


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each line of a CSV that is not blank; lines count from 1."""
    with open(path, newline="", encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte-order mark
        reader = csv.reader(file, strict=True)
        try:
            for cells in reader:
                if cells and (len(cells) > 1 or cells[0].strip()):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not a CSV in UTF-8: {error.reason} near byte {error.start}") from error


def _loaded(path: Path, skip: int, columns: int) -> np.ndarray | None:
    """The numbers (N, columns) below the header by NumPy's own fast reader, or None where anything is unusual."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a file without rows
            values = np.loadtxt(
                path, delimiter=",", skiprows=skip, ndmin=2, comments=None, quotechar='"', encoding="utf-8-sig"
            )
    except ValueError:
        return None
    return values if values.shape[1] == columns and np.isfinite(values).all() else None


def _parsed(path: Path, header: list[str]) -> np.ndarray:
    """The same numbers, cell by cell: some twenty times slower, and every error has its line and column."""
    rows = []
    lines = _csv_rows(path)
    next(lines)  # the header
    for line, cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"{path}, line {line}: {len(cells)} cells, where the header has {len(header)}")
        rows.append([_number(cell, path, line, name) for cell, name in zip(cells, header, strict=True)])
    return np.array(rows, np.float64).reshape(-1, len(header))


def _number(cell: str, path: Path, line: int, name: str) -> float:
    where = f"{path}, line {line}, column {name!r}"
    cell = cell.strip()
    if not cell:
        raise ValueError(f"{where}: nothing there; fill it in, or leave out the line")
    try:
        number = float(cell) if "_" not in cell else None  # Python reads 1_000, which no other reader of a CSV does
    except ValueError:
        number = None
    if number is None:
        raise ValueError(
            f"{where}: {cell[:40]!r} is not a number; encode it as one (classes as 0, 1, 2), or leave out the column"
        )
    if not np.isfinite(number):
        raise ValueError(f"{where}: {cell[:40]} is not a finite number; fill it in, or leave out the line")
    return number


def _listed(names: Iterable[object]) -> str:
    texts = [str(name) for name in names]
    more = f", ... ({len(texts)} in all)" if len(texts) > SHOWN else ""
    return (", ".join(texts[:SHOWN]) + more) or "none"


# ---------------------------------------------------------------------------------------------------------
# Preparing


def as_classes(y: np.ndarray) -> np.ndarray | None:
    """y as class numbers (N,) if it looks like labels, else None: whole numbers, few and repeated, or one-hot rows."""
    if y.ndim == 2:
        one_hot = np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()
        return y.argmax(axis=1).astype(np.float64) if one_hot else None
    if (y != np.floor(y)).any():
        return None
    different = len(np.unique(y))
    return y if different <= MOST_CLASSES and 2 * different <= max(len(y), 4) else None


@dataclass(frozen=True)
class Scale:
    """Columns' means (K,) and standard deviations (K,); a deviation of 0 marks a constant column, which becomes 0."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, names: list[str]) -> Scale:
        """The scale of x (N, K). Raises ValueError naming a column whose numbers are too large to square."""
        with np.errstate(all="ignore"):
            mean = row_sum(x) / len(x)
            deviation = np.sqrt(row_sum((x - mean) ** 2) / len(x))
        deviation = np.where((x == x[0]).all(axis=0), 0.0, deviation)  # not by a rounded mean
        if not np.isfinite(deviation).all():
            raise ValueError(f"column {names[int(np.argmin(np.isfinite(deviation)))]!r} is too large to standardise")
        return cls(mean, deviation)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, K) in deviations from the mean."""
        return np.where(self.deviation > 0, (x - self.mean) / np.where(self.deviation > 0, self.deviation, 1.0), 0.0)
