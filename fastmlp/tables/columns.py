"""A table as it was read: columns of numbers, integers, booleans, text or times, nothing filled or scaled.

Imports NumPy and checks only. `reader.read` makes one of a file, `frames.from_frame` of a data frame.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fastmlp.checks.messages import cut, shown

KINDS = ("number", "integer", "bool", "text", "time")
SHOWN = 12  # names in a message, before "..."

_ROWS = 4096  # moved at once
_DTYPES = {"number": "f", "integer": "iu", "bool": "b", "text": "i", "time": "M"}  # NumPy's letters


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        "number", "integer", "bool", "text" or "time".
    values : ndarray of shape (N,)
        number: float64, NaN where missing. integer: int64 or uint64, exact, 0 where missing. bool: bool, False where
        missing. text: int32, an index into categories, -1 where missing. time: datetime64, NaT where missing.
    missing : ndarray of shape (N,), bool, or None
        Where nothing is; None if that is nowhere.
    categories : tuple of str or None
        Of text: the different texts, in the order in which they first appear.
    rounded : str or None
        Of numbers: why they cannot be labels, since float64 has rounded whole numbers of more than 64 bits.
    """

    name: str
    kind: str
    values: np.ndarray
    missing: np.ndarray | None = None
    categories: tuple[str, ...] | None = None
    rounded: str | None = None

    def __post_init__(self) -> None:
        assert self.values.ndim == 1
        assert self.values.dtype.kind in _DTYPES[self.kind]
        assert (self.categories is not None) == (self.kind == "text")
        assert self.missing is None or self.missing.shape == self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def is_missing(self) -> np.ndarray:
        """Returns a mask (N,) of the rows where nothing is."""
        return np.zeros(len(self), bool) if self.missing is None else self.missing

    def numbers(self) -> np.ndarray:
        """Returns float64 (N,), NaN where missing, of a number, integer or bool. Large integers are rounded."""
        if self.kind == "number":
            return self.values
        if self.kind not in ("integer", "bool"):
            raise TypeError(f"{self.name!r} is a column of kind {self.kind}, not of numbers")
        values = self.values.astype(np.float64)
        if self.missing is not None:
            values[self.missing] = np.nan
        return values

    def texts(self) -> list[str | None]:
        """Returns the cells of a column of text, None where missing."""
        assert self.categories is not None
        among = [*self.categories, None]  # index -1
        return [among[place] for place in self.values.tolist()]

    def taken(self, rows: np.ndarray) -> Column:
        """Returns the column with these rows only: a mask or indices."""
        missing = None if self.missing is None else self.missing[rows]
        if missing is not None and not missing.any():
            missing = None
        return replace(self, values=self.values[rows], missing=missing)


@dataclass(frozen=True, eq=False)
class Columns:
    """A table: columns in the file's order, all of the same length.

    Attributes
    ----------
    columns : tuple of Column
        The columns. Their names differ.
    where : str
        The file's name, or "X", for messages.
    notes : tuple of str
        What was noticed and is to be said: an index column that was dropped, an encoding other than UTF-8.
    locate : callable or None
        locate(row) says where a row stands: "line 17". None for "row 15".
    """

    columns: tuple[Column, ...]
    where: str
    notes: tuple[str, ...] = ()
    locate: Callable[[int], str] | None = field(default=None, repr=False)
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_unique(self.names, self.where)
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.names)})
        assert len({len(column) for column in self.columns}) <= 1

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Column:
        """Returns a column by its name. Raises ValueError that lists the names."""
        if name not in self._places:
            raise ValueError(f"{self.where} has no column {name!r}: it has {listed(self.names)}")
        return self.columns[self._places[name]]

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    def without(self, *names: str) -> Columns:
        """Returns the table without these columns, of which some may not be there."""
        return replace(self, columns=tuple(column for column in self.columns if column.name not in names))

    def selected(self, names: Sequence[str]) -> Columns:
        """Returns the table with these columns only, in this order. Raises ValueError for one that is not there."""
        return replace(self, columns=tuple(self[name] for name in names))

    def matrix(self, names: Sequence[str], *, release: bool = False) -> np.ndarray:
        """Returns columns of numbers, integers or booleans as rows.

        Parameters
        ----------
        names : sequence of str
            The K columns.
        release : bool, default=False
            Whether the memory of the columns may be taken for the result: none of the table may be used afterwards.
            Numbers that `read` has put side by side then need no second array.

        Returns
        -------
        ndarray of shape (N, K), float64
            C-contiguous; NaN where missing.

        Raises
        ------
        TypeError, ValueError
            For a column of another kind, and for a name that is not there.
        """
        found = self._moved([self[name] for name in names]) if release else None
        if found is None:
            found = np.empty((len(self), len(names)))
            for place, name in enumerate(names):
                found[:, place] = self[name].numbers()
        return found

    def _moved(self, columns: Sequence[Column]) -> np.ndarray | None:
        """The columns moved together in the array in which they lie side by side; None if they do not."""
        base = columns[0].values.base if columns else None
        if base is None or base.ndim != 2 or base.dtype != np.float64 or not base.flags.c_contiguous:
            return None
        start = base.ctypes.data
        slots = [(column.values.ctypes.data - start) // base.itemsize for column in columns]
        if (
            any(column.values.base is not base or column.kind != "number" for column in columns)
            or sorted(slots) != slots
        ):
            return None
        rows, flat = len(self), base.reshape(-1)
        for first in range(0, rows, _ROWS):
            part = base[first : min(first + _ROWS, rows), slots]  # a copy: what it overwrites was read before
            flat[first * len(slots) : first * len(slots) + part.size] = part.reshape(-1)
        return flat[: rows * len(slots)].reshape(rows, len(slots))

    def taken(self, rows: np.ndarray) -> Columns:
        """Returns the table with these rows only: a mask or indices."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        columns = tuple(column.taken(places) for column in self.columns)
        return replace(self, columns=columns, locate=lambda row: self.row_name(int(places[row])))

    def row_name(self, row: int) -> str:
        """Returns "line 17" for a row of a file of lines, else "row 15"."""
        return f"row {row}" if self.locate is None else self.locate(row)

    def place(self, row: int, name: str) -> str:
        """Returns "FILE, line 17, column 'age'", for an error. A file may be read again to find the line."""
        return f"{self.where}, {self.row_name(row)}, column {cut(name, 60)!r}"


def listed(names: Iterable[object]) -> str:
    """Returns the names as text, the first 12 of them."""
    texts = [cut(str(name), 40) for name in names]
    more = f", ... ({len(texts)} in all)" if len(texts) > SHOWN else ""
    return (", ".join(texts[:SHOWN]) + more) or "none"


def check_unique(names: Sequence[str], where: object) -> None:
    """Raises ValueError if two columns have the same name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{where} has two columns {shown(twice)}: rename one")


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
