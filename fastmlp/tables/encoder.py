"""From a table's columns to numbers: missing cells filled, words one-hot, dates as days. docs/preprocessing.md.

The arithmetic is that of `core/preprocess.py`, which `reference/preprocess.py` defines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import cut, shown
from fastmlp.core import preprocess
from fastmlp.core.preprocess import Scale
from fastmlp.tables.cells import looks_like
from fastmlp.tables.columns import KINDS, Column, Columns, listed

MOST_CATEGORIES = 64  # of a column that have a column each: those with the most rows
LEAST_ROWS = 2  # of a category that has a column
ROWS = 4096  # moved at once
VERSION = 1  # of what a file says of columns
NUMBERS = ("number", "integer", "bool")
A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True)
class Feature:
    """How one column of a table becomes columns of numbers.

    Attributes
    ----------
    name : str
        The column's name.
    kind : str
        Its kind in training, as of a `Column`.
    median : float or None
        What missing cells become; None of text, and where missing cells are refused.
    flagged : bool
        Whether one more column says where cells were missing.
    categories : tuple of str
        Of text: the categories that have a column each, ascending.
    others : bool
        Of text: whether the other categories share a column.
    left_out : bool
        Whether it has no column at all, since nothing was there.
    """

    name: str
    kind: str
    median: float | None = None
    flagged: bool = False
    categories: tuple[str, ...] = ()
    others: bool = False
    left_out: bool = False

    @property
    def width(self) -> int:
        """The number of columns that it becomes."""
        own = len(self.categories) + self.others if self.kind == "text" else 1
        return 0 if self.left_out else own + self.flagged

    @property
    def names(self) -> list[str]:
        """The names of these columns."""
        own = [self.name]
        if self.kind == "text":
            own = [*(f"{self.name}={category}" for category in self.categories), *[f"{self.name}=others"] * self.others]
        return [] if self.left_out else [*own, *[f"{self.name} is missing"] * self.flagged]


@dataclass
class Seen:
    """What was noticed when rows were encoded: by column, the number of rows."""

    missing: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, tuple[int, str]] = field(default_factory=dict)  # and one of the categories


@dataclass(frozen=True)
class Encoder:
    """How the columns of a table become the K' columns of numbers (N, K') that are standardised.

    Attributes
    ----------
    features : tuple of Feature
        In the order of the columns.
    """

    features: tuple[Feature, ...]

    @classmethod
    def learn(cls, table: Columns, rows: np.ndarray) -> Encoder:
        """Returns the encoder of a table by its training rows, of which the numbers are given."""
        return cls(tuple(_learnt(column.taken(rows), table) for column in table))

    @classmethod
    def plain(cls, names: Sequence[str]) -> Encoder:
        """Returns the encoder of columns that are numbers without any missing, as older files have them."""
        return cls(tuple(Feature(name, "number") for name in names))

    @property
    def names(self) -> list[str]:
        """The names of the table's columns."""
        return [feature.name for feature in self.features]

    @property
    def inputs(self) -> list[str]:
        """The names of the columns of numbers."""
        return [name for feature in self.features for name in feature.names]

    @property
    def width(self) -> int:
        """K'."""
        return sum(feature.width for feature in self.features)

    def encode(self, table: Columns, *, release: bool = False) -> tuple[np.ndarray, Seen]:
        """Returns x (N, K'), float64, and what was noticed.

        release: whether the memory of the table may be taken for x, as in `Columns.matrix`. Raises ValueError where a
        column is of another kind than in training, or has a number that is not finite.
        """
        if self._takes_as_it_is(table):
            for column in table:
                _check_finite(column.values, column.name, table)
            return table.matrix(self.names, release=release), Seen()
        by_name = {column.name: column for column in table}
        x, seen, at, plain = np.empty((len(table), self.width)), Seen(), 0, []
        for feature in self.features:
            if feature.left_out:
                continue
            column = by_name[feature.name]
            to = x[:, at : at + feature.width]
            if feature.kind in NUMBERS and column.kind in NUMBERS and column.missing is None:
                plain.append((column, to))
            else:
                (_put_words if feature.kind == "text" else _put_numbers)(feature, column, table, to, seen)
            at += feature.width
        _put_together(plain, table)
        return x, seen

    def _takes_as_it_is(self, table: Columns) -> bool:
        """Tells whether all columns are numbers without any missing, one input each."""
        plain = all(feature.kind in NUMBERS and feature.width == 1 for feature in self.features)
        return plain and all(column.kind in NUMBERS and column.missing is None for column in table)

    def scale_of(self, x: np.ndarray, backend: str = "numba") -> Scale:
        """Returns the scale of training rows x (M, K').

        Columns of 0 and 1 stay what they are, unless they are constant. Raises ValueError as `Scale.of`.
        """
        found = Scale.of(x, self.inputs, backend)
        marks = np.concatenate([_marks(feature) for feature in self.features]) & ~found.constant
        return Scale(np.where(marks, 0.0, found.mean), np.where(marks, 1.0, found.deviation))

    def described(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        usual = Feature("", "number")
        features = []
        for feature in self.features:
            entry: dict[str, Any] = {"name": feature.name, "kind": feature.kind}
            for name in ("median", "flagged", "categories", "others", "left_out"):
                if (value := getattr(feature, name)) != getattr(usual, name):
                    entry[name] = list(value) if isinstance(value, tuple) else value
            features.append(entry)
        return {"version": VERSION, "features": features}

    @classmethod
    def from_description(cls, described: Any) -> Encoder:
        """Returns the encoder of a header's values, which may be of any kind. Raises ValueError or KeyError."""
        if not isinstance(described, dict) or not isinstance(described.get("features"), list):
            raise ValueError(f"its columns are {shown(described)}, not a dict of features")
        if described.get("version") != VERSION:
            raise ValueError(f"its columns are of version {shown(described.get('version'))}, and {VERSION} is known")
        return cls(tuple(_feature(entry) for entry in described["features"]))


# ---------------------------------------------------------------------------------------------------------
# Learning


def _learnt(column: Column, table: Columns) -> Feature:
    """The feature of a column's training rows."""
    missing = column.is_missing()
    if missing.all():
        return Feature(column.name, column.kind, left_out=True)
    if column.kind == "text":
        return _words(column, bool(missing.any()))
    values = _days(column) if column.kind == "time" else column.numbers()
    _check_finite(values, column.name, table)
    there = values[~missing]
    return Feature(column.name, column.kind, preprocess.median(there), bool(missing.any()))


def _words(column: Column, flagged: bool) -> Feature:
    """The feature of a column of text, of which a row is not missing."""
    assert column.categories is not None
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.categories))
    there = [place for place in np.flatnonzero(counts).tolist() if counts[place] >= LEAST_ROWS]
    # of as many rows, the first in alphabetical order: so the order of rows does not matter
    there.sort(key=lambda place: (-counts[place], column.categories[place]))  # type: ignore[index]
    kept = sorted(column.categories[place] for place in there[:MOST_CATEGORIES])
    others = len(kept) < np.count_nonzero(counts)
    return Feature(column.name, "text", None, flagged, tuple(kept), bool(others))


def _days(column: Column) -> np.ndarray:
    """Days since 1970-01-01 (N,), float64, NaN where missing: one division of the count of seconds or their parts."""
    unit = np.datetime_data(column.values.dtype)[0]
    values = column.values if unit in A_DAY else column.values.astype("datetime64[s]")
    days = values.astype(np.int64) / np.float64(A_DAY[unit if unit in A_DAY else "s"])
    days[np.isnat(column.values)] = np.nan
    return days


def _marks(feature: Feature) -> np.ndarray:
    """Which of its columns hold 0 and 1 only, (width,)."""
    marks = np.ones(feature.width, bool)
    if marks.size and feature.kind not in ("text", "bool"):
        marks[0] = False
    return marks


# ---------------------------------------------------------------------------------------------------------
# Encoding


def _put_together(plain: list[tuple[Column, np.ndarray]], table: Columns) -> None:
    """Fills (N, 1 or 2) with each column's numbers, of which none is missing, and zeros.

    Some rows of all columns at a time: 10^6 rows of 8 columns, which lie side by side, take a fifth of the time.
    """
    for first in range(0, len(table), ROWS):
        rows = slice(first, first + ROWS)
        for column, to in plain:
            part = column.values[rows]
            if np.isinf(part).any():
                _check_finite(column.values, column.name, table)
            to[rows, 0] = part
            to[rows, 1:] = 0.0


def _put_numbers(feature: Feature, column: Column, table: Columns, to: np.ndarray, seen: Seen) -> None:
    """Fills `to` (N, 1 or 2) with a column's numbers, and where they are missing."""
    values = _numbers(feature, column, table)
    missing = np.isnan(values)
    _check_finite(values, column.name, table)
    if not missing.any():
        to[:, 0] = values
        to[:, 1:] = 0.0
        return
    if feature.median is None:
        place = table.place(int(np.argmax(missing)), column.name)
        raise ValueError(f"{place}: nothing there; fill it in, or leave out the row: the model knows no median")
    filled, flags = preprocess.filled(values, feature.median)
    to[:, 0] = filled
    if feature.flagged:
        to[:, 1] = flags
    seen.missing[feature.name] = int(missing.sum())


def _numbers(feature: Feature, column: Column, table: Columns) -> np.ndarray:
    """A column's numbers (N,), NaN where missing. Raises ValueError where it does not hold any."""
    missing = column.is_missing()
    if missing.all():
        return np.full(len(column), np.nan)
    if feature.kind == "time" and column.kind == "time":
        return _days(column)
    if feature.kind in NUMBERS and column.categories and all(map(arrays.reads_as_number, column.categories)):
        found = np.array([*map(float, column.categories), np.nan])  # -1 is the last, where a cell is missing
        return found[column.values]
    if feature.kind != "time" and column.kind in NUMBERS:
        return column.numbers()
    row = int(np.argmin(missing))
    if column.kind == "text":
        what = f"{cut(str(column.texts()[row]), 40)!r} is text"
    else:
        what = f"{cut(str(column.values[row]), 40)} is {'a date' if column.kind == 'time' else 'a number'}"
    wanted = "dates" if feature.kind == "time" else "numbers"
    raise ValueError(f"{table.place(row, column.name)}: {what}, and the model was trained on {wanted} there")


def _check_finite(values: np.ndarray, name: str, table: Columns) -> None:
    """Raises ValueError for an infinite number."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(f"{table.place(row, name)}: {values[row]} is not a finite number; fill it in, or leave it out")


def _put_words(feature: Feature, column: Column, table: Columns, to: np.ndarray, seen: Seen) -> None:
    """Fills `to` (N, width) with one-hot rows."""
    places = {category: place for place, category in enumerate(feature.categories)}
    other = len(places) if feature.others else -1
    texts, codes = _texts(column, places, table)
    of_texts = np.array([places.get(text, other) for text in texts] + [other], np.int64)
    code = of_texts[codes]
    missing = codes < 0
    if missing.any():
        seen.missing[feature.name] = int(missing.sum())
        if feature.flagged:
            code[missing] = feature.width - 1
    if not feature.others:
        unknown = (code < 0) & ~missing
        if unknown.any():
            seen.unknown[feature.name] = int(unknown.sum()), texts[int(codes[np.argmax(unknown)])]
    for first in range(0, len(code), ROWS):
        to[first : first + ROWS] = preprocess.one_hot(code[first : first + ROWS], feature.width)


def _texts(column: Column, known: dict[str, int], table: Columns) -> tuple[list[str], np.ndarray]:
    """(different texts, the place among them of each row's (N,), -1 where missing) of a column of any kind.

    Numbers are spelled as the known categories are: a file of the rows with "1" and "2" alone reads as integers.
    """
    if column.kind == "text":
        assert column.categories is not None
        return list(column.categories), column.values
    missing = column.is_missing()
    if column.kind == "time" and not missing.all():
        row = int(np.argmin(missing))
        raise ValueError(f"{table.place(row, column.name)}: a date, and the model was trained on text there")
    different, codes = np.unique(column.values[~missing], return_inverse=True)
    places = np.full(len(column), -1, np.int64)
    places[~missing] = codes.reshape(-1)
    return [_spelled(value, known) for value in different.tolist()], places


def _spelled(value: Any, known: dict[str, int]) -> str:
    """A number or boolean as one of the known texts, where it is one of them."""
    spellings: list[str] = [repr(value)]
    if isinstance(value, bool):
        spellings += [spell(repr(value)) for spell in (str.lower, str.upper)]
    elif isinstance(value, float) and value.is_integer():
        spellings.append(str(int(value)))
    return next((text for text in spellings if text in known), spellings[-1 if isinstance(value, float) else 0])


# ---------------------------------------------------------------------------------------------------------
# In words


def learning_in_words(encoder: Encoder, table: Columns, scale: Scale, seen: Seen) -> list[str]:
    """What was done with the columns of a training's table, a line each."""
    by_name = {column.name: column for column in table}

    def names(of: Callable[[Feature], str | None]) -> str:
        found = [text for text in map(of, encoder.features) if text]
        return listed(found) if found else ""

    def filled(feature: Feature) -> str | None:
        count = seen.missing.get(feature.name)
        if count is None or feature.kind == "text":
            return None
        return f"{feature.name} ({counted(count, 'row')}: {feature.median:.6g})"

    def empty(feature: Feature) -> str | None:
        count = seen.missing.get(feature.name)
        return f"{feature.name} ({counted(count, 'row')})" if count is not None and feature.kind == "text" else None

    def words(feature: Feature) -> str | None:
        if feature.kind != "text" or feature.left_out:
            return None
        different, kept = len(by_name[feature.name].categories or ()), len(feature.categories)
        return f"{feature.name} ({different if different == kept else f'{kept} of {different}'})"

    def meant(what: str) -> Callable[[Feature], str | None]:
        def one(feature: Feature) -> str | None:
            texts = (feature.kind == "text" and by_name[feature.name].categories) or ()
            return f"{feature.name} ({cut(texts[0], 20)!r})" if looks_like(texts) == what else None

        return one

    constant, at = [], 0
    for feature in encoder.features:
        if feature.width and scale.constant[at : at + feature.width].all():
            constant.append(feature.name)
        at += feature.width
    limit = any(feature.others for feature in encoder.features)
    shared = ""
    if limit:
        shared = f" (with one row, or beyond the {MOST_CATEGORIES} commonest, they share one)"
    lines = [
        (names(filled), "missing numbers became the median, and a further column says where: {}"),
        (names(empty), "missing words became a category of their own: {}"),
        (names(words), "words became a column for each category" + shared + ": {}"),
        (
            names(meant("numbers")),
            "taken for words, for what stands beside their digits; without it they are numbers: {}",
        ),
        (names(meant("dates")), "taken for words, since day and month cannot be told apart, as in 2020-03-01: {}"),
        (names(lambda f: f.name if f.kind == "time" and not f.left_out else None), "dates became days since 1970: {}"),
        (names(lambda f: f.name if f.left_out else None), "left out, since nothing is there: {}"),
        (listed(constant) if constant else "", "constant, and so of no use: {}"),
    ]
    return [f"note: {text.format(found)}" for found, text in lines if found]


def encoding_in_words(encoder: Encoder, seen: Seen) -> list[str]:
    """What was done with rows that are predicted, a line each."""
    kinds = {feature.name: feature.kind for feature in encoder.features}
    filled = [f"{name} ({counted(count, 'row')})" for name, count in seen.missing.items() if kinds[name] != "text"]
    empty = [f"{name} ({counted(count, 'row')})" for name, count in seen.missing.items() if kinds[name] == "text"]
    unknown = [f"{name} {cut(text, 40)!r} ({counted(count, 'row')})" for name, (count, text) in seen.unknown.items()]
    lines = [
        (filled, "missing numbers became the median of training: {}"),
        (empty, "words that are missing: {}"),
        (unknown, "categories that were not in training: {}"),
    ]
    return [f"note: {text.format(listed(found))}" for found, text in lines if found]


# ---------------------------------------------------------------------------------------------------------
# Reading a header


def _feature(entry: Any) -> Feature:
    """A feature of a header's values, which may be of any kind. Raises ValueError or KeyError."""
    if not isinstance(entry, dict):
        raise ValueError(f"a feature is {shown(entry)}, not a dict")
    known = {"name": str, "kind": str, "median": float, "flagged": bool, "categories": list, "others": bool}
    for name, value in entry.items():
        if type(value) is not {**known, "left_out": bool}.get(name):
            raise ValueError(f"a feature has {cut(name)} {shown(value)}")
    words = entry.get("categories", [])
    if not all(isinstance(word, str) for word in words) or sorted(set(words)) != words:
        raise ValueError(f"a feature has the categories {shown(words)}, not texts in ascending order")
    found = Feature(**{**entry, "categories": tuple(words)})
    if found.kind not in KINDS:
        raise ValueError(f"a feature is of kind {shown(found.kind)}, none of {', '.join(KINDS)}")
    is_text = found.kind == "text"
    if not is_text and (words or found.others or (found.flagged and found.median is None)):
        raise ValueError(f"a feature of kind {found.kind} has categories, or a flag and no median")
    if found.median is not None and (is_text or found.left_out or not np.isfinite(found.median)):
        raise ValueError(f"a feature of kind {found.kind} has the median {found.median!r}")
    return found
