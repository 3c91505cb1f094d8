"""What an estimator is given as X, as a table's columns; and which rows each member validates on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils import check_array

from fastmlp import splits
from fastmlp.checks.arrays import masked_place
from fastmlp.tables.columns import Column, Columns
from fastmlp.tables.frames import from_frame

LEAST = 2.0**-60  # of the largest weight: rows that weigh less are left out


def columns_of(
    X: Any, names: Sequence[str] | None = None, words: Collection[str] = (), by_place: bool = False
) -> Columns:
    """Reads X: a frame of pandas or polars, or an array or list of rows (N, K), as columns.

    names: the columns' names in training, None for those of a frame, or x0, x1, ... words: columns that are text,
    whatever they look like. by_place: whether a frame's columns are those of an array in training. Raises TypeError or
    ValueError.
    """
    if hasattr(X, "columns") and not hasattr(X, "toarray"):
        if by_place and names is not None and len(X.columns) == len(names) and set(map(str, X.columns)) != {*names}:
            X = (
                X.set_axis(names, axis=1)
                if hasattr(X, "set_axis")
                else X.rename(dict(zip(X.columns, names, strict=True)))
            )
        return from_frame(X, text=words)
    place = masked_place(X)
    if place is not None:
        raise ValueError(f"X has masked values{place}: fill them in, or leave out their rows")
    if not hasattr(X, "toarray") and (cells := _mixed(X)) is not None:
        return _of_cells(cells, names, words)
    x = check_array(X, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X")
    return Columns(tuple(_number(name, x[:, k]) for k, name in enumerate(_names(names, x.shape[1]))), "X")


def _names(names: Sequence[str] | None, count: int) -> Sequence[str]:
    if names is None or len(names) != count:  # another number of columns than in training is refused later
        return [f"x{k}" for k in range(count)]
    return names


def _number(name: str, values: np.ndarray) -> Column:
    missing = np.isnan(values)
    return Column(name, "number", values, missing if missing.any() else None)


def _mixed(X: Any) -> np.ndarray | None:
    """X as cells (N, K), if some are no numbers; None for rows of numbers, and for what is no array of rows."""
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OUS":
        return X if X.dtype.kind in "Mm" and X.ndim == 2 else None
    try:
        cells = np.asarray(X, object)
    except ValueError:
        return None
    if cells.ndim != 2 or not cells.size:
        return None
    numbers = all(issubclass(kind, (Number, np.bool_)) for kind in {type(cell) for cell in cells.flat})
    return None if numbers else cells


def _of_cells(cells: np.ndarray, names: Sequence[str] | None, words: Collection[str]) -> Columns:
    """Columns of rows with words or dates in them."""
    import pandas

    named = {name: cells[:, k] for k, name in enumerate(_names(names, cells.shape[1]))}
    return from_frame(pandas.DataFrame(named).infer_objects(), text=words)


def relative(weights: np.ndarray) -> np.ndarray:
    """The weights (N,) of rows over a power of two, so that the largest is from 1 to less than 2; 0 below 2^-60.

    Only their ratios count, and of any numbers these are weights that float32 holds.
    """
    scaled = np.ldexp(weights, 1 - int(np.frexp(weights.max())[1]))
    return np.where(scaled < LEAST, 0.0, scaled)


def weigh(some: np.ndarray, weights: np.ndarray | None) -> bool:
    """Whether there are rows with these numbers, and one of them weighs something."""
    return bool(len(some) and (weights is None or weights[some].any()))


def mean(losses: np.ndarray, weights: np.ndarray | None) -> float:
    """The mean of losses (N,) or (N, J), by the rows' weights (N,) if there are some."""
    if weights is None:
        return float(losses.mean())
    each = losses.T * weights
    return float(each.sum() / (weights.sum() * (losses.size // len(losses))))


def parts(
    groups: np.ndarray, members: int, fraction: float, seed: int, backend: str = "reference"
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training, validation) rows of each member, ascending.

    Member m validates on fold m mod F of the F = 1 / fraction folds (rounded, 2 or more) that the seed `seed` + floor(m
    / F) draws. groups (N,): the labels, or zeros. Rows whose class would not be trained on are trained on: the fold may
    be empty then.
    """
    count = max(2, round(min(1 / fraction, len(groups))))
    found, drawn = [], []
    for member in range(members):
        if member % count == 0:
            drawn = splits.folds(groups, count, seed + member // count, backend)
        train, held = drawn[member % count]
        alone = ~np.isin(groups[held], groups[train])
        found.append((np.sort(np.concatenate([train, held[alone]])), held[~alone]))
    return found
