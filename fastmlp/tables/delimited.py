"""Tables of text, such as CSV: parsed by pandas, some rows at a time; each error names line and column."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.checks.messages import cut
from fastmlp.tables import dialect as dialects
from fastmlp.tables import headers
from fastmlp.tables.cells import MARKS, Texts, understood
from fastmlp.tables.columns import Column, Columns
from fastmlp.tables.dialect import SPACES, Dialect
from fastmlp.tables.gathered import Gatherer, is_of_numbers
from fastmlp.tables.libraries import pandas_for
from fastmlp.tables.sources import BLOCK, NotUtf8, Text, rows_of, text_of


def read(
    source: Any,
    header: bool | None,
    text: Collection[str] | bool,
    checked: Collection[str] | None = None,
) -> Columns:
    """Reads a table of text; see `reader.read`."""
    pandas_for(source)
    content = text_of(source)
    try:
        return _read(content, header, text, checked)
    except NotUtf8:
        return _read(replace(content, encoding="cp1252"), header, text, checked)


def _read(
    text: Text,
    header: bool | None,
    words: Collection[str] | bool,
    checked: Collection[str] | None,
    spaced: bool = False,
) -> Columns:
    """The table, in a known encoding."""
    spelled = dialects.found(text, header)
    spelled = replace(spelled, spaced=spelled.spaced or spaced)
    names, where = spelled.names, str(text)
    line = _Lines(text, spelled)
    decimal = spelled.decimal
    as_words = [place for place, name in enumerate(names) if words is True or (words and name in words)]
    gathered = Gatherer(names)
    for frame in _frames(text, spelled, as_words, gathered):
        gathered.add(frame)
    if not gathered.rows:
        raise ValueError(f"{where} has a header and no rows")
    again = gathered.again()
    found: dict[int, Column] = {}
    reread = _texts(text, spelled, again) if again else {}
    for place, name in enumerate(names):
        strict = checked is None or name in checked
        if place in reread:
            found[place] = understood(reread.pop(place), where, line, decimal, strict)
        else:
            found[place] = gathered.column(place, where, line, decimal, strict, place in as_words)
    texts = (text for column in found.values() for text in column.categories or ())
    if not spelled.spaced and any(text.startswith('"') for text in texts):  # spaces follow separators further below
        return _read(text, header, words, checked, spaced=True)
    if any("\n" in text for column in found.values() for text in column.categories or ()):
        for _ in text.rows(spelled.separator):  # a quote that closes rows below may be one that was forgotten
            pass
    notes = list(spelled.notes)
    if text.encoding == "cp1252":
        notes.insert(0, "not in UTF-8: read as Windows-1252 (Latin-1)")
    columns = headers.without_unnamed(where, [found[place] for place in range(len(names))], notes)
    finite = {name for place, name in enumerate(names) if gathered.is_finite(place)}
    _check_finite([c for c in columns if c.name not in finite and (checked is None or c.name in checked)], where, line)
    return Columns(tuple(columns), where, tuple(notes), line)


LINE = 4096  # bytes by which it is seen that a block is not blank
CELLS = 2**15  # bytes for each column, since pandas takes some 20 us for each column of each block
MOST = 2**26
# What pandas takes for missing. With those that begin as numbers do, it looks up each negative number, a fifth of its
# time: so it hears of all of them only where a column is not of numbers and such a one may be why.
_PLAIN_MARKS = [mark for mark in MARKS if mark[:1] not in ("-", "1")]
_LINE_END = re.compile(rb"\r\n|\r|\n")  # as Python's csv counts lines; a file may mix them


class _Lines:
    """Says in which line a row stands, by reading the text again."""

    def __init__(self, text: Text, spelled: Dialect) -> None:
        self.text, self.spelled = text, spelled

    def __call__(self, row: int) -> str:
        at = -1
        try:
            for line, _ in self.text.rows(self.spelled.separator):
                at += line >= self.spelled.first
                if at == row:
                    return f"line {line}"
        except (ValueError, OSError):
            pass
        return f"row {row}"


# ---------------------------------------------------------------------------------------------------------
# pandas


def _options(spelled: Dialect) -> dict[str, Any]:
    """What pandas.read_csv is told. Numbers become the nearest float64, the bits that float() gives.

    Text is read as categories where these are few, else as Python's objects, which take a third longer: from 3.0 on,
    `str` stands for Arrow's arrays, which take twice as long.
    Before 3.1, pandas' own default was off by one unit in the last place in places, and "round_trip" takes 2.8 times as
    long for a file of floats.
    """
    import pandas

    version = tuple(int(part) for part in pandas.__version__.split(".")[:2])
    return {
        "sep": spelled.separator,
        "decimal": spelled.decimal,
        "header": None,
        "names": range(len(spelled.names)),
        "index_col": False,
        "skipinitialspace": spelled.spaced,  # else faster by 0.1 to 0.9 of the time; cells are stripped anyway
        "keep_default_na": False,
        "na_values": _PLAIN_MARKS,
        "low_memory": False,
        "engine": "c",
        **({"float_precision": "round_trip"} if version < (3, 1) else {}),
    }


def _frames(text: Text, spelled: Dialect, words: list[int], gathered: Gatherer) -> Iterator[Any]:
    """The rows as frames, block by block, each checked for rows of a wrong length."""
    options = _options(spelled)
    for block in _blocks(text, spelled):
        texts = gathered.text_columns()
        kinds = dict.fromkeys([*words, *texts], object)
        few = {place: "category" for place in texts if texts[place]}
        frame = _parsed(text, spelled, block, {**options, "dtype": kinds | few})
        if frame is None:
            continue
        again: dict[str, Any] = {}
        found = frame.dtypes.tolist()
        if any(is_of_numbers(found[place]) for place in few):
            again["dtype"] = kinds
        new = any(dtype.kind not in "iufb" and place not in texts for place, dtype in enumerate(found))
        if new and _may_have_odd_marks(block):
            again["na_values"] = list(MARKS)
        if again:
            frame = _parsed(text, spelled, block, {**options, "dtype": kinds | few, **again}, check=False)
        yield frame


def _texts(text: Text, spelled: Dialect, places: list[int]) -> dict[int, Texts]:
    """The texts of some columns."""
    import pandas

    options = {**_options(spelled), "usecols": places, "dtype": object}
    codes: dict[int, list[np.ndarray]] = {place: [] for place in places}
    found: dict[int, dict[str, int]] = {place: {} for place in places}
    for block in _blocks(text, spelled):
        frame = _parsed(text, spelled, block, options, check=False)
        if frame is None:
            continue
        for place in places:
            part, texts = pandas.factorize(frame[place])
            among = [found[place].setdefault(str(one), len(found[place])) for one in texts.tolist()]
            codes[place].append(np.array([*among, -1], np.int32)[part])
    return {place: Texts(spelled.names[place], np.concatenate(codes[place]), list(found[place])) for place in places}


def _blocks(text: Text, spelled: Dialect) -> Iterator[bytes]:
    """The rows of data."""
    above = spelled.first - 1  # lines
    width = len(spelled.names)
    for block in text.blocks(min(max(BLOCK, width * CELLS), MOST)):
        while above and block:
            end = _LINE_END.search(block)
            block = block[end.end() :] if end else b""
            above -= 1
        if block[:LINE].strip() or block.strip():
            yield block


def _parsed(text: Text, spelled: Dialect, block: bytes, options: dict[str, Any], check: bool = True) -> Any:
    """A block as a frame, None if it has no rows."""
    import pandas

    try:
        if check:
            _check_first(spelled, block)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pandas.errors.ParserWarning)
            frame = pandas.read_csv(io.BytesIO(block), **options)
    except pandas.errors.EmptyDataError:
        return None
    except (pandas.errors.ParserError, _Odd) as error:
        _explain(text, spelled)
        raise ValueError(f"{text} cannot be read as a table: {cut(str(error).strip(), 200)}") from None
    if check and _short(spelled, block, frame):
        _explain(text, spelled)
    return frame if len(frame) else None


def _may_have_odd_marks(block: bytes) -> bool:
    """Whether a mark that begins as a number does may be in a block: -nan, -NaN, or one with a #."""
    return any(part in block for part in (b"#", b"-nan", b"-NaN"))


class _Odd(ValueError):
    """A row of a wrong length."""


def _cells(spelled: Dialect, block: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of a block, as Python's csv reads them."""
    lines = io.TextIOWrapper(io.BytesIO(block), encoding="utf-8", errors="replace", newline="")
    return rows_of(lines, spelled.separator, "")


def _check_first(spelled: Dialect, block: bytes) -> None:
    """Raises _Odd if a block's first row is too long: pandas would cut all rows, and compares only later ones."""
    try:
        first = next(_cells(spelled, block), None)
    except ValueError as error:
        raise _Odd(str(error)) from None
    if first is not None and len(first[1]) > len(spelled.names):
        raise _Odd


def _short(spelled: Dialect, block: bytes, frame: Any) -> bool:
    """Whether a row is too short: pandas fills it up with missing values, so that its last cell is missing."""
    width = len(spelled.names)
    plain = b'"' not in block and spelled.separator != SPACES
    if width < 2 or (not (plain and str(frame.dtypes[width - 1]) == "object") and not frame[width - 1].isna().any()):
        return False
    if plain:  # of words, this is sooner known than whether one is missing
        return block.count(spelled.separator.encode()) != (width - 1) * len(frame)
    try:
        return any(len(cells) != width for _, cells in _cells(spelled, block))
    except ValueError:
        return True


def _explain(text: Text, spelled: Dialect) -> None:
    """Raises ValueError for the first row of a wrong length or with a wrong quote, if there is one."""
    for line, cells in text.rows(spelled.separator):
        if line >= spelled.first and len(cells) != len(spelled.names):
            raise dialects.ragged(text, line, len(cells), len(spelled.names))


# ---------------------------------------------------------------------------------------------------------
# Columns


def _check_finite(columns: list[Column], where: str, line: _Lines) -> None:
    """Raises ValueError for an infinite number."""
    for column in columns:
        if column.kind != "number":
            continue
        with np.errstate(invalid="ignore"):
            infinite = np.isinf(column.values)
        if infinite.any():
            row = int(np.argmax(infinite))
            raise ValueError(
                f"{where}, {line(row)}, column {cut(column.name)!r}: {column.values[row]:g} is not a finite number: "
                "correct it, or write NA where a value is missing"
            )
