"""Whether the first line of a table has names, and what is done with columns that have none. Imports checks only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fastmlp.tables.cells import MARKS, is_number
from fastmlp.tables.columns import Column, listed

_UNNAMED = "Unnamed: 0"  # what pandas makes of a column without a name
_YEARS = range(1800, 2201)


def checked(where: str, names: Sequence[str], rows: Sequence[Sequence[str]], decimal: str) -> str | None:
    """Raises ValueError if the first line looks like data; or returns what is to be noted, or None."""
    named = [name for name in names if name]
    numeric = [name for name in named if _kind(name, decimal) == "number"]
    below = [_below(rows, place, decimal) for place in range(len(names))]
    kinds = [(_kind(name, decimal) if name else "nothing", kind) for name, kind in zip(names, below, strict=True)]
    above, alike = kinds.count(("word", "number")), kinds.count(("number", "number"))
    if above and not alike:
        return None  # words above numbers
    if numeric and len(numeric) > 1 and _counts(numeric) and not _goes_on(numeric, names, rows):
        if above:
            return None
        return f"the first line ({listed(names)}) is taken for names; if it is data, give --no-header"
    if above and above >= alike:
        return None
    if alike or (numeric and len(numeric) == len(named)):
        raise _data(where, names, "numbers")
    if rows and len(set(named)) < len(named):
        raise _data(where, names, "data, since it repeats cells")
    if sum(_reappears(rows, place, name) for place, name in enumerate(names)) * 2 > len(names) and len(names) > 1:
        raise _data(where, names, "data, since its cells come again below")
    return None


def _data(where: str, names: Sequence[str], what: str) -> ValueError:
    """The error for a file whose first line looks like data."""
    return ValueError(
        f"{where} has no header: its first line looks like {what} ({listed(names)}). Put a line of names above it; or "
        "give --no-header (in Python, TableModel.fit(..., no_header=True)), and the columns are called 0, 1, 2, ..."
    )


def _kind(cell: str, decimal: str) -> str:
    """ "number", "nothing" or "word" """
    cell = cell.strip()
    if cell in MARKS:
        return "nothing"
    return "number" if is_number(cell) or (decimal == "," and is_number(cell.replace(",", ".", 1))) else "word"


def _below(rows: Sequence[Sequence[str]], place: int, decimal: str) -> str:
    """What most cells of a column are: "number", "word"; "nothing" where there is none."""
    kinds = Counter(_kind(row[place], decimal) for row in rows if place < len(row))
    del kinds["nothing"]
    if not kinds:
        return "nothing"
    return "number" if kinds["number"] > 0.9 * kinds.total() else "word"


def _counts(numeric: Sequence[str]) -> bool:
    """Whether whole numbers count up by one, or are years that go up."""
    if not all(name.isascii() and name.isdigit() and len(name) < 18 for name in numeric):
        return False
    numbers = [int(name) for name in numeric]
    steps = [after - before for before, after in pairwise(numbers)]
    years = all(number in _YEARS for number in numbers) and all(step > 0 for step in steps)
    return years or (len(numbers) > 3 and set(steps) == {1})


def _goes_on(numeric: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the second line counts on, or counts up, too, so that the first is data."""
    if len(numeric) < len(names) or not rows:
        return False
    cells = [cell.strip() for cell in rows[0]]
    return _counts(cells)


def _reappears(rows: Sequence[Sequence[str]], place: int, name: str) -> bool:
    """Whether a name is also a cell of its column, on a line that is not the header again."""
    return bool(name) and any(place < len(row) and row[place].strip() == name for row in rows)


def without_unnamed(where: str, columns: list[Column], notes: list[str]) -> list[Column]:
    """The columns without those that have no name: one that counts or names the rows, and empty ones."""
    kept = []
    for place, column in enumerate(columns):
        if column.name == _UNNAMED and place == 0 and column.kind == "integer" and _distinct(column):
            notes.append(f"left out {_UNNAMED!r}, an index that counts the rows")
        elif column.name:
            kept.append(column)
        elif place == 0 and len(columns) > 1 and column.kind in ("integer", "text") and _distinct(column):
            notes.append("left out the first column, an index without a name")
        elif column.missing is None or not column.missing.all():
            raise ValueError(
                f"{where} has no name for column {place + 1} of {len(columns)} in its header: "
                "name it, or leave it out if it only counts the rows"
            )
    return kept


def _distinct(column: Column) -> bool:
    """Whether all values differ."""
    return column.missing is None and len(np.unique(column.values)) == len(column)
