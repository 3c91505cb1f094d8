"""Tables for `fastmlp train` and `fastmlp predict`: reading a CSV or .npz, and standardised columns.

Imports NumPy, `data` and the reference's sums, so that a scale has the same bits anywhere.
"""

from __future__ import annotations

import csv
import hashlib
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fastmlp import data
from fastmlp.reference.arithmetic import row_sum

MOST_CLASSES = 100  # a column with more different whole numbers is taken for a quantity
SHOWN = 12  # names in a message, before "..."


@dataclass(frozen=True)
class Table:
    """x (N, K) and y (N,) or (N, J), float64 and finite; names: of the K features; target: the name of y.

    weights (N,): the rows' own, where a column or an array of them was named.
    """

    x: np.ndarray
    y: np.ndarray
    names: list[str]
    target: str
    weights: np.ndarray | None = None

    def arranged(self, names: Sequence[str], where: str | Path) -> Table:
        """The same table with its features in this order. Raises ValueError where they are not the same."""
        places = places_of(self.names, names, where)
        return replace(self, x=np.ascontiguousarray(self.x[:, places]), names=list(names))

    def fingerprint(self) -> str:
        """16 digits that tell this table's features and target from others."""
        digest = hashlib.sha256(str((self.x.shape, self.y.shape)).encode())
        for part in (self.x, self.y):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()[:16]


def read(path: str | Path, target: str | None = None, weights: str | None = None) -> Table:
    """The table in a file: .npz, or else CSV.

    target, weights: columns of the CSV, or arrays in the .npz; the target's is y there by default.
    Raises OSError where there is no such file, and ValueError or TypeError for what it holds, naming line and column.
    """
    path = _file(path)
    npz = path.suffix.lower() == ".npz"
    target = target or ("y" if npz else None)
    if weights is not None and weights == target:
        raise ValueError(f"--sample-weight and --target are both {target!r}: name two columns")
    if npz:
        assert target is not None
        return _read_npz(path, target, weights)
    if target is None:
        raise ValueError(f"{path} needs --target NAME: its columns are {listed(_csv_header(path)[0])}")
    return _read_csv(path, target, weights)


def read_rows(
    path: str | Path, names: Sequence[str], target: str, ignored: Collection[str] = ()
) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """(x (N, K), y or None, what is wrong with y or None): rows to predict.

    From a CSV the columns of these names, in whatever order they stand there, and the target's if there is one; others
    than those and the ignored are refused. From an .npz X by position, and the array of the target's name. A target
    that cannot be read is no error. Raises as `read` does.
    """
    path = _file(path)
    if path.suffix.lower() == ".npz":
        return _npz_rows(path, len(names), target)
    header, lines = _csv_header(path)
    unread = {target, *ignored}
    places = places_of(header, names, path, unread)
    values = _loaded(path, lines, len(header))
    if values is None:
        values = _parsed(path, header, unread)
    if not len(values):
        raise ValueError(f"{path} has a header and no rows")
    y = values[:, header.index(target)] if target in header else None
    wrong = None
    if y is not None and not np.isfinite(y).all():
        y, wrong = None, f"column {target!r} is not a number in every row"
    return np.ascontiguousarray(values[:, places]), y, wrong


def places_of(found: Sequence[str], names: Sequence[str], where: str | Path, others: Collection[str] = ()) -> list[int]:
    """Where each of `names` is in `found`. Raises ValueError for one that is not, and for one that is in no list."""
    missing = [name for name in names if name not in found]
    extra = [name for name in found if name not in names and name not in others]
    if missing or extra:
        parts = [f"{listed(some)} {word}" for some, word in ((missing, "missing"), (extra, "too many")) if some]
        raise ValueError(f"{where} does not have the model's columns: {'; '.join(parts)}")
    return [list(found).index(name) for name in names]


# ---------------------------------------------------------------------------------------------------------
# Files


def _read_npz(path: Path, target: str, weights: str | None) -> Table:
    x, arrays = _npz_arrays(path, [target] if weights is None else [target, weights])
    y = _one_each(arrays[target], target, len(x))
    w = None
    if weights is not None:
        w = _one_each(arrays[weights], weights, len(x))
        if w.ndim != 1:
            raise ValueError(f"{weights} has shape {w.shape}: give one weight for each row, ({len(x)},)")
    return Table(x, y, [str(k) for k in range(x.shape[1])], target, w)


def _npz_rows(path: Path, columns: int, target: str) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    x, arrays = _npz_arrays(path, [], [target])
    if x.shape[1] != columns:
        raise ValueError(f"{path}: X has {x.shape[1]} columns, and the model takes {columns}")
    if target not in arrays:
        return x, None, None
    try:
        return x, _one_each(arrays[target], target, len(x)), None
    except (ValueError, TypeError) as error:
        return x, None, str(error)


def _npz_arrays(
    path: Path, needed: list[str], others: Collection[str] = ()
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """X, checked, and the arrays that are needed, and of the others those that are there, as they are."""
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an .npz file that NumPy can read") from error
    if isinstance(archive, np.ndarray):
        raise ValueError(f"{path} holds one array without a name: save it with numpy.savez({str(path)!r}, X=X, y=y)")
    with archive:
        for name in ("X", *needed):
            if name not in archive.files:
                raise ValueError(f"{path} has no array {name!r}: it has {listed(archive.files)}")
        try:
            x = archive["X"]
            arrays = {name: archive[name] for name in (*needed, *others) if name in archive.files}
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} holds arrays that cannot be read as numbers: {error}") from error
    return data.matrix(x, name="X"), arrays


def _one_each(values: np.ndarray, name: str, rows: int) -> np.ndarray:
    """values as finite numbers (N,), or (N, J) for J > 1, one for each row of X."""
    y = data.numeric_array(values, name)
    if y.ndim > 2 or y.shape[1:] == (0,):
        raise ValueError(f"{name} has shape {y.shape}: give ({rows},), or ({rows}, J) for J outputs")
    if len(y) != rows:
        raise ValueError(f"{name} has {len(y)} rows and X has {rows}: give one target for each row of X")
    y = data.matrix(y.reshape(len(y), -1), name=name)
    return y[:, 0] if y.shape[1] == 1 else y


def _read_csv(path: Path, target: str, weights: str | None) -> Table:
    header, lines = _csv_header(path)
    for name in (target, weights):
        if name is not None and name not in header:
            hint = ""
            if len(header) == 1 and ";" in header[0]:
                hint = "; cells are parted by ';' there, and a CSV has commas"
            elif all(data.reads_as_number(name) for name in header):
                hint = "; its first line looks like numbers: put a line of names above it"
            raise ValueError(f"{path} has no column {name!r}: it has {listed(header)}{hint}")
    apart = [header.index(name) for name in (target, weights) if name is not None]
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
    return Table(x, y, names, target, rest[0] if rest else None)


def _file(path: str | Path) -> Path:
    """The path, unless it is a device or a pipe: a table is read more than once, which would lose rows of those."""
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is a device or a pipe, not a file: copy its content to a file first")
    return path


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


def _parsed(path: Path, header: list[str], unread: Collection[str] = ()) -> np.ndarray:
    """The same numbers, cell by cell: some twenty times slower, and every error has its line and column.

    In the columns whose names are in `unread`, what is no finite number is NaN.
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


def listed(names: Iterable[object]) -> str:
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

    def backward(self, z: np.ndarray) -> np.ndarray:
        """What `forward` made z (N, K) of, but for its rounding; float64."""
        return z.astype(np.float64) * self.deviation + self.mean

    def forward(self, x: np.ndarray) -> np.ndarray:
        """x (N, K) in deviations from the mean."""
        return np.where(self.deviation > 0, (x - self.mean) / np.where(self.deviation > 0, self.deviation, 1.0), 0.0)
