"""Columns gathered from blocks of rows, as pandas parses them, with little more memory than the columns themselves.

Columns of floats lie side by side in one array (N, S) that grows in place: appending a block to each of S arrays, and
putting these together at the end, would take twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.checks.arrays import check_memory
from fastmlp.checks.integers import EXACT
from fastmlp.tables.cells import Texts, understood
from fastmlp.tables.columns import Column

FEW_TEXTS = 2**12  # that pandas may sort in each block, as its categories are
GROWTH = 1.05  # of the array of floats: so much more than is needed


@dataclass
class _Gathering:
    """One column of which some blocks are known.

    kind is None as long as nothing was in it. slot is its place among the floats. In `pieces` are its values, block by
    block, where it has no slot. again: its texts must be read, since blocks differ or float64 would round a number.
    """

    kind: str | None = None
    slot: int | None = None
    pieces: list[np.ndarray] = field(default_factory=list)
    holes: list[np.ndarray | None] = field(default_factory=list)
    texts: dict[str, int] = field(default_factory=dict)
    again: bool = False
    top: float = 0.0
    any_nan: bool = False


class Gatherer:
    """Takes frames with the same columns, one after the other, and makes columns of them.

    Parameters
    ----------
    names : list of str
        The columns' names.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.rows = 0
        self._states = [_Gathering() for _ in names]
        self._floats = np.empty((0, 0))

    def text_columns(self) -> dict[int, bool]:
        """Returns the columns that are text so far, and whether it is few different ones; what follows is text, too."""
        return {
            place: len(state.texts) <= FEW_TEXTS
            for place, state in enumerate(self._states)
            if state.kind == "text" and not state.again
        }

    def again(self) -> list[int]:
        """Returns the columns whose texts must be read, once all blocks are known."""
        for place, state in enumerate(self._states):
            if not state.again and state.kind == "number":
                state.again = EXACT <= self._top(state) < np.inf and _all_whole(self._values(place))
            if state.again:
                state.pieces, state.holes = [], []
        return [place for place, state in enumerate(self._states) if state.again]

    def add(self, frame: Any) -> None:
        """Takes a block of rows."""
        rows = len(frame)
        dtypes = frame.dtypes.tolist()
        if not self.rows:
            slots = [place for place, dtype in enumerate(dtypes) if dtype == np.float64]
            for slot, place in enumerate(slots):
                self._states[place].slot = slot
            self._floats = np.empty((0, len(slots)))
        self._grow(self.rows + rows)
        slotted = [place for place, state in enumerate(self._states) if state.slot is not None]
        alike = [place for place in slotted if dtypes[place] == np.float64]
        if alike:
            block = (frame if len(alike) == len(dtypes) else frame[alike]).to_numpy()
            high, least = np.fmax.reduce(block, axis=0).tolist(), np.minimum.reduce(block, axis=0).tolist()
            part = self._floats[self.rows : self.rows + rows]
            if len(alike) == self._floats.shape[1]:
                part[...] = block
            else:
                part[:, [found for place in alike if (found := self._states[place].slot) is not None]] = block
            for column, (place, most, low) in enumerate(zip(alike, high, least, strict=True)):
                state = self._states[place]
                nothing = most != most  # NaN: all are
                if low != low:  # NaN: one is
                    state.any_nan = True
                    low = 0.0 if nothing else float(np.fmin.reduce(block[:, column]))
                if not nothing:
                    state.top = max(state.top, most, -low)
                self._take_floats(state, rows, nothing)
        done = set(alike)
        for place, dtype in enumerate(dtypes):
            if place not in done and not self._states[place].again:
                self._take(self._states[place], frame[place], dtype, rows)
        self.rows += rows

    def column(
        self, place: int, where: str, line: Callable[[int], str], decimal: str, strict: bool, words: bool
    ) -> Column:
        """Returns a column that is not to be read again, and forgets its parts."""
        state, name = self._states[place], self.names[place]
        if state.kind == "text":
            texts = Texts(name, _joined(state.pieces), list(state.texts))
            state.pieces, state.texts = [], {}
            return understood(texts, where, line, decimal, strict, words)
        if state.kind is None:
            return Column(name, "number", np.full(self.rows, np.nan), np.ones(self.rows, bool))
        if state.kind == "number":
            values = self._values(place)
            missing = np.isnan(values) if state.any_nan or state.slot is None else None
            if missing is None or not missing.any():
                return Column(name, "number", values)
            if _all_whole(values) and self._top(state) < EXACT:  # integers with holes
                return Column(name, "integer", np.where(missing, 0, values).astype(np.int64), missing)
            return Column(name, "number", values, missing)
        holes = None
        if any(hole is not None for hole in state.holes):
            holes = np.concatenate(
                [
                    np.zeros(len(piece), bool) if hole is None else hole
                    for piece, hole in zip(state.pieces, state.holes, strict=True)
                ]
            )
        values = _joined(state.pieces)
        state.pieces = []
        return Column(name, state.kind, values, holes)

    def is_finite(self, place: int) -> bool:
        """Tells whether a column cannot hold an infinite number."""
        state = self._states[place]
        return state.slot is not None and not state.again and state.top < np.inf

    # -----------------------------------------------------------------------------------------------------

    def _top(self, state: _Gathering) -> float:
        """The largest absolute value of a column of floats."""
        if state.slot is not None:
            return state.top
        return max(float(np.fmax.reduce(abs(piece))) for piece in state.pieces)

    def _grow(self, rows: int) -> None:
        """Makes room for so many rows of floats, in place: realloc moves pages, not bytes."""
        have, slots = self._floats.shape
        if rows > have and slots:
            check_memory(rows * slots, self._floats.dtype, "the table")
            self._floats.resize((max(rows, int(have * GROWTH)), slots), refcheck=False)

    def _values(self, place: int) -> np.ndarray:
        """A column of floats; NaN where it is missing."""
        state = self._states[place]
        if state.slot is not None:
            return self._floats[: self.rows, state.slot]
        if len(state.pieces) > 1:
            state.pieces = [_joined(state.pieces)]
        return state.pieces[0]

    def _take_floats(self, state: _Gathering, rows: int, nothing: bool) -> None:
        """Takes a block of floats that stands in the column's slot already."""
        if state.again:
            return
        if state.kind in (None, "number"):
            state.kind = state.kind if nothing else "number"
        elif nothing:
            self._append_nothing(state, rows)
        else:  # words or booleans before
            state.again = True

    def _take(self, state: _Gathering, series: Any, dtype: Any, rows: int) -> None:
        """Takes a block of a column that is not among the floats, or not in this block."""
        kind, values, hole = _part(series, dtype)
        if kind is None:
            if state.kind is None and state.slot is None:
                state.slot = None
                self._append_nothing(state, rows)
            elif state.slot is not None and state.kind in (None, "number"):
                self._floats[self.rows : self.rows + rows, state.slot] = np.nan
                state.any_nan = True
            else:
                self._append_nothing(state, rows)
            return
        if kind == "?":
            state.again = True
            return
        if state.slot is not None and state.kind in (None, "number") and kind in ("number", "integer"):
            if kind == "integer" and (values >= EXACT).any() | (values <= -EXACT).any():
                state.again = True
                return
            part = self._floats[self.rows : self.rows + rows, state.slot]
            part[...] = values
            if hole is not None:
                part[hole] = np.nan
                state.any_nan = True
            state.top = max(state.top, float(abs(values).max()))
            state.kind = "number"
            return
        if state.kind is None:
            self._begin(state, kind)
        elif {state.kind, kind} == {"integer", "number"}:
            if kind == "integer":
                values = _as_floats(values, hole)
            else:
                state.pieces = [_as_floats(*pair) for pair in zip(state.pieces, state.holes, strict=True)]
                state.holes = [None] * len(state.pieces)
                state.kind = "number"
            if values is None or any(piece is None for piece in state.pieces):
                state.again = True
                return
            hole = None
        elif state.kind != kind:
            state.again = True
            return
        if kind == "text":
            values = _codes(values, state.texts)
        if state.kind == "integer" and state.pieces and values.dtype != state.pieces[0].dtype:
            state.again = True  # int64 and uint64
            return
        state.pieces.append(values)
        state.holes.append(hole)

    def _begin(self, state: _Gathering, kind: str) -> None:
        """The column's kind is known from here on; what was before is missing."""
        state.kind, state.slot = kind, None
        state.pieces, state.holes = [], []
        if self.rows:
            self._append_nothing(state, self.rows)

    def _append_nothing(self, state: _Gathering, rows: int) -> None:
        """Appends rows in which nothing is."""
        value, dtype = {
            None: (np.nan, np.float64),
            "number": (np.nan, np.float64),
            "integer": (0, state.pieces[0].dtype if state.pieces else np.int64),
            "bool": (False, bool),
            "text": (-1, np.int32),
        }[state.kind]
        state.pieces.append(np.full(rows, value, dtype))
        state.holes.append(np.ones(rows, bool))


def _part(series: Any, dtype: Any) -> tuple[str | None, Any, np.ndarray | None]:
    """(kind, values, holes) of a block of a column: None for an empty one, "?" for one whose texts must be read."""
    if dtype == np.float64:
        values = series.to_numpy(copy=True)
        hole = np.isnan(values)
        if hole.all():
            return None, values, hole
        if hole.any() and _all_whole(values):  # integers with holes
            if np.fmax.reduce(abs(values)) >= EXACT:
                return "?", values, hole
            return "integer", np.where(hole, 0, values).astype(np.int64), hole
        return "number", values, None
    kind = getattr(dtype, "kind", "O")
    if dtype == np.int64 or dtype == np.uint64:
        return "integer", series.to_numpy(copy=True), None
    if dtype == np.bool_:
        return "bool", series.to_numpy(copy=True), None
    import pandas

    if kind == "O" and not isinstance(dtype, pandas.CategoricalDtype):
        found = pandas.api.types.infer_dtype(series, skipna=True)
        if found not in ("boolean", "string", "empty"):
            return "?", None, None
        if found != "string":
            hole = series.isna().to_numpy()
            if hole.all():
                return None, None, hole
            values = series.to_numpy(dtype=object, copy=True)
            values[hole] = False
            return "bool", values.astype(bool), hole if hole.any() else None
    if isinstance(dtype, pandas.CategoricalDtype):
        return _of_categories(series)
    codes, texts = pandas.factorize(series)
    return ("text", (codes, texts), None) if len(texts) else (None, None, np.ones(len(series), bool))


def is_of_numbers(dtype: Any) -> bool:
    """Tells whether these are categories that pandas has made numbers or booleans of, as from 3.1 on of all or none."""
    categories = getattr(dtype, "categories", None)
    return categories is not None and len(categories) > 0 and not isinstance(categories[0], str)


def _of_categories(series: Any) -> tuple[str | None, Any, np.ndarray | None]:
    """`_part` of categories: texts in the order in which they first appear, and not in the alphabet's."""
    import pandas

    places, first = pandas.factorize(series.cat.codes.to_numpy())
    codes = np.arange(len(first))
    if (first < 0).any():  # one of the places stands for what is missing
        codes = np.where(first < 0, -1, codes - np.cumsum(first < 0))
    texts = series.cat.categories.to_numpy()[first[first >= 0]]
    return ("text", (codes[places], texts), None) if len(texts) else (None, None, np.ones(len(series), bool))


def _codes(factorized: Any, texts: dict[str, int]) -> np.ndarray:
    """Indices into texts, to which the block's texts are added."""
    codes, found = factorized
    among = [texts.setdefault(str(text), len(texts)) for text in found.tolist()]
    return np.array([*among, -1], np.int32)[codes]


def _as_floats(values: np.ndarray, hole: np.ndarray | None) -> Any:
    """The same as float64, NaN where holes are; None if float64 would round one."""
    if values.dtype.kind == "f":
        return values
    if len(values) and (values.max() >= EXACT or values.min() <= -EXACT):
        return None
    values = values.astype(np.float64)
    if hole is not None:
        values[hole] = np.nan
    return values


def _all_whole(values: np.ndarray) -> bool:
    """Whether all numbers are whole; most that are not show it soon."""
    for part in (values[:64], values):
        part = part[~np.isnan(part)]
        if not (part == np.trunc(part)).all():
            return False
    return True


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    """One array of several."""
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
