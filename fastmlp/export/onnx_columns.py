"""A table's columns in an ONNX graph: what is missing filled, words one-hot, and all of them scaled.

`tables/encoder.py` and `core/preprocess.py` do the same. Operators are of float64, and round as the reference does.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from fastmlp.export.onnx_nodes import ML, Graph
from fastmlp.reference.preprocess import CLIPPED


class Column(Protocol):
    """A column of a table: those attributes of `tables.encoder.Feature` that are read here."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def median(self) -> float | None: ...
    @property
    def flagged(self) -> bool: ...
    @property
    def categories(self) -> tuple[str, ...]: ...
    @property
    def others(self) -> bool: ...
    @property
    def width(self) -> int: ...


def encoded(graph: Graph, columns: Sequence[Column], missing: Collection[str]) -> str:
    """Adds the inputs, and the nodes that make x (N, K'), float64, of them -> the name of x.

    Where no column has words, the input is X (N, K), float64. Else each column that has a width is an input of its name
    (N, 1), of texts or float64. NaN is missing; in words, so is each of the texts `missing` that is no category.
    """
    words = [column for column in columns if column.kind == "text" and column.width]
    if words:
        columns = [column for column in columns if column.width]
        names = [column.name for column in columns]
        kinds = [object if column.kind == "text" else np.float64 for column in columns]
        given = [graph.input(name, kind, 1, names) for name, kind in zip(names, kinds, strict=True)]
        numbers = [column for column in columns if column.kind != "text"]
        texts = {column.name: name for column, name in zip(columns, given, strict=True) if column.kind == "text"}
        apart = [name for column, name in zip(columns, given, strict=True) if column.kind != "text"]
        parts = _filled(graph, _joined(graph, apart), numbers) if numbers else []
    else:
        numbers, texts = list(columns), {}
        parts = _filled(graph, graph.input("X", np.float64, len(columns)), numbers)
    places = {column.name: [place, len(numbers) + place] for place, column in enumerate(numbers)}
    end = len(numbers) * len(parts)
    for column in words:
        parts.append(_one_hot(graph, texts[column.name], column, missing))
        places[column.name] = list(range(end, end + column.width))
        end += column.width
    order = [place for column in columns for place in places[column.name][: column.width]]
    x = _joined(graph, parts)
    return x if order == list(range(end)) else graph.node("Gather", x, graph.constant(order, "order", np.int64), axis=1)


def _joined(graph: Graph, parts: list[str]) -> str:
    """Columns side by side."""
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _filled(graph: Graph, here: str, columns: list[Column]) -> list[str]:
    """Numbers (N, K) with medians where they are NaN; and flags (N, K), 1 where they were, if a column has any."""
    medians = [np.nan if column.median is None else column.median for column in columns]
    flagged = any(column.flagged for column in columns)
    if np.isnan(medians).all() and not flagged:
        return [here]
    missing = graph.node(
        "IsNaN", graph.cast(here, np.float64, np.float32)
    )  # which older runtimes have of float32 alone
    filled = graph.node("Where", missing, graph.constant(medians, "medians", np.float64), here)
    return [filled, graph.cast(missing, bool, np.float64)] if flagged else [filled]


def _one_hot(graph: Graph, here: str, column: Column, missing: Collection[str]) -> str:
    """Words (N, 1) -> (N, width), 0 and 1: the row of a table that each text has, where the last one is of zeros."""
    zeros, count = column.width, len(column.categories)
    other = count if column.others else zeros
    nothing = column.width - 1 if column.flagged else other
    places = {**dict.fromkeys(missing, nothing), **{text: place for place, text in enumerate(column.categories)}}
    codes = graph.node(
        "LabelEncoder", here, domain=ML,
        keys_strings=graph.texts(places), values_int64s=list(places.values()), default_int64=other,
    )  # fmt: skip
    codes = graph.node("Squeeze", codes, graph.constant([1], "second", np.int64))
    rows = graph.constant(np.eye(zeros + 1, zeros), f"rows_{zeros}", np.float64)
    return graph.node("Gather", rows, codes)


# ---------------------------------------------------------------------------------------------------------
# Scales: of x (N, K), float64


def standardised(graph: Graph, here: str, mean: np.ndarray, deviation: np.ndarray) -> str:
    """(x - mean) / deviation, and 0 where a deviation is 0."""
    return _varying(graph, _divided(graph, here, mean, deviation), deviation)


def smoothly_clipped(graph: Graph, here: str, centre: np.ndarray, spread: np.ndarray) -> str:
    """t / sqrt(1 + (t / 3)^2) with t = (x - centre) / spread; 0 in columns of spread 0."""

    def number(value: float) -> str:
        return graph.constant(value, kind=np.float64)

    t = _divided(graph, here, centre, spread)
    t = graph.node("Max", graph.node("Min", t, number(CLIPPED)), number(-CLIPPED))
    part = graph.node("Div", t, number(3))
    root = graph.node("Sqrt", graph.node("Add", graph.node("Mul", part, part), number(1)))
    return _varying(graph, graph.node("Div", t, root), spread)


def _divided(graph: Graph, here: str, mean: np.ndarray, deviation: np.ndarray) -> str:
    here = graph.node("Sub", here, graph.constant(mean, "mean", np.float64))
    return graph.node("Div", here, graph.constant(np.where(deviation > 0, deviation, 1), "deviation", np.float64))


def _varying(graph: Graph, here: str, deviation: np.ndarray) -> str:
    """Columns whose deviation is 0 become 0."""
    varies = deviation > 0
    return here if varies.all() else graph.node("Mul", here, graph.constant(varies, "varies", np.float64))
