"""How a table of text is spelled: its separator, its decimal mark, and whether its first line has names.

A first line of data that is taken for names is a silently wrong table. So where it is not clear that the first line has
names, the table is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fastmlp.checks.arrays import counted
from fastmlp.tables import headers
from fastmlp.tables.cells import MARKS, is_number
from fastmlp.tables.columns import check_unique
from fastmlp.tables.sources import Text, rows_of

LINES = 200  # by which the separator is found
SPACES = r"\s+"
_SEPARATORS = ("\t", ";", "|", ",", SPACES)  # where two are as likely, the first
_DECIMAL_COMMA = re.compile(r"[+-]?(?:0|\d{4,}|\d+(?=,(?:\d{1,2}|\d{4,})$)),\d+", re.ASCII)  # and not 1,234
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+", re.ASCII)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_SEP_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a table is spelled.

    Attributes
    ----------
    separator : str
        Between cells; r"\\s+" for runs of spaces and tabs.
    decimal : str
        "." or ",".
    names : list of str or None
        A name for each column of the data; "" for one without a name.
    first : int
        The line of the first row of data.
    notes : tuple of str
        What was noticed.
    spaced : bool
        Whether spaces follow separators.
    """

    separator: str
    decimal: str
    names: list[str]
    first: int
    notes: tuple[str, ...] = ()
    spaced: bool = False


def found(text: Text, header: bool | None = None) -> Dialect:
    """Finds out how a table is spelled.

    Parameters
    ----------
    text : Text
        The table.
    header : bool or None, default=None
        Whether the first line has names; None for True, but refused where it looks like data.

    Raises
    ------
    ValueError
        If the text is empty, the rows differ in length, or the first line looks like data.
    """
    lines = io.StringIO(text.sample(), newline="").readlines()
    skipped = 0
    while lines and not lines[0].strip():
        lines, skipped = lines[1:], skipped + 1
    separator = None
    if lines and (said := _SEP_LINE.fullmatch(lines[0])):  # Excel reads this line, and writes none
        separator, lines, skipped = said[1], lines[1:], skipped + 1
    if not any(line.strip() for line in lines):
        raise ValueError(f"{text} is empty: a header and rows are needed")
    if separator is None:
        separator = _separator(lines)
    rows = _parsed(lines, separator, str(text), skipped)
    decimal = _decimal(rows[1:], separator)
    spaced = any(line.startswith(" ") or f"{separator} " in line for line in lines)
    if not rows:
        raise ValueError(f"{text} is empty: a header and rows are needed")
    line, first = rows[0]
    data = rows[1:]
    if header is False:
        _check_widths(text, first, data, "the first line")
        return Dialect(separator, decimal, [str(place) for place in range(len(first))], line + skipped, (), spaced)
    names = [cell.strip() for cell in first]
    names, notes = _widened(names, data)
    if decimal == ",":
        notes = [*notes, "commas are read as decimal marks"]
    if header is None:
        note = headers.checked(str(text), names, [row for _, row in data], decimal)
        notes += [note] if note else []
    _check_widths(text, names, data, "the header")
    check_unique([name for name in names if name], text)
    after = data[0][0] if data else line + 1
    return Dialect(separator, decimal, names, after + skipped, tuple(notes), spaced)


# ---------------------------------------------------------------------------------------------------------
# Separator and decimal mark


def _separator(lines: Sequence[str]) -> str:
    """The separator by which rows are as long as each other, and most cells are numbers."""
    best, separator = (0.0, 0.0), ","
    for candidate in _SEPARATORS:
        rows = _lenient(lines, candidate)
        widths = Counter(len(row) for row in rows[1:] or rows)
        width, many = widths.most_common(1)[0]
        if width < 2 or len(rows[0]) not in (width, width - 1, width + 1) or len(rows[0]) < 2:
            continue
        alike = many / widths.total()
        cells = [cell for row in rows[1:] or rows for cell in row]
        numeric = sum(_reads(cell) for cell in cells) / len(cells)
        if candidate == SPACES and (alike < 1 or (numeric < 0.5 and (width < 3 or best != (0.0, 0.0)))):
            continue
        if (alike, numeric) > best:
            best, separator = (alike, numeric), candidate
    return separator


def _lenient(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The cells of the first rows, whatever their quotes are."""
    some: Sequence[str] = lines[:LINES]
    spaces = separator == SPACES
    if spaces:
        some = [" ".join(line.split()) for line in some]
    reader = csv.reader(some, delimiter=" " if spaces else separator, skipinitialspace=True)
    rows = []
    try:
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:  # a cell without an end
        pass
    if len(rows) > 2 and len(some) < len(lines):
        rows.pop()  # may be cut off
    return rows or [[""]]


def _reads(cell: str) -> bool:
    """Whether a cell holds a number, perhaps with a comma, or nothing."""
    cell = cell.strip()
    return cell in MARKS or is_number(cell) or is_number(cell.replace(",", ".", 1))


def _parsed(lines: Sequence[str], separator: str, name: str, skipped: int) -> list[tuple[int, list[str]]]:
    """(line, cells) of the first rows. Raises ValueError for a wrong quote in the first one."""
    rows = []
    try:
        for row in rows_of(iter(lines), separator, name):
            rows.append(row)
            if len(rows) > LINES:
                break
    except ValueError as error:
        if not rows:
            line = str(error).rpartition(", line ")[2].partition(":")
            raise ValueError(f"{name}, line {int(line[0]) + skipped}:{line[2]}") from None
    return rows


def _decimal(rows: Sequence[tuple[int, list[str]]], separator: str) -> str:
    """The decimal mark: a comma where cells show it, and none has a point."""
    if separator == ",":
        return "."
    cells = [cell.strip() for _, row in rows for cell in row]
    if any(_DECIMAL_POINT.fullmatch(cell) and not _GROUPED.fullmatch(cell) for cell in cells):
        return "."
    return "," if any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells) else "."


# ---------------------------------------------------------------------------------------------------------
# Header


def _widened(names: list[str], data: Sequence[tuple[int, list[str]]]) -> tuple[list[str], list[str]]:
    """(names, notes) for a header that has one name fewer than each row has cells, or a separator at its end."""
    rows = [row for _, row in data]
    if rows and not names[-1] and all(len(row) == len(names) - 1 for row in rows):
        return names[:-1], []
    if not rows or any(len(row) != len(names) + 1 for row in rows):
        return names, []
    if not any(row[-1].strip() for row in rows):  # a separator at the end of each row
        return [*names, ""], []
    firsts = [row[0] for row in rows]
    if len(names) > 1 and len(set(firsts)) == len(firsts):  # as R writes names of rows; of one name, 1,5 is a number
        return ["", *names], []
    return names, []


def _check_widths(text: Text, names: Sequence[str], data: Sequence[tuple[int, list[str]]], what: str) -> None:
    """Raises ValueError for a row of another length than the header, among the first rows."""
    odd = next(((line, row) for line, row in data if len(row) != len(names)), None)
    if odd is None:
        return
    widths = Counter(len(row) for _, row in data)
    width, many = widths.most_common(1)[0]
    if len(names) < 3 <= width and many > 1:
        raise ValueError(
            f"{text} has {counted(len(names), 'cell')} in its first line and {width} in others: "
            "leave out what stands above the line of names"
        )
    raise ragged(text, odd[0], len(odd[1]), len(names), what)


def ragged(text: Text, line: int, cells: int, width: int, what: str = "the header") -> ValueError:
    """Returns the error for a row of a wrong length."""
    how = "is a separator in it that should be in quotes?" if cells > width else "is the line cut off?"
    return ValueError(f"{text}, line {line}: {counted(cells, 'cell')}, where {what} has {width}: {how}")
