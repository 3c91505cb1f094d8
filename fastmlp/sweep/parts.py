"""Trains models on parts of the same rows: bootstrap samples of an ensemble's members, folds of a cross-validation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.model import Model
from fastmlp.sweep.many import Each, train_many
from fastmlp.sweep.names import FIT, OF_ALL, no_option
from fastmlp.sweep.results import FAILED, Result


def train_parts(
    caller: str,
    models: Sequence[Model],
    x: np.ndarray,
    y: Any,
    rows: Sequence[np.ndarray] | None,
    options: dict[str, Any],
    threads: int | None,
    progress: bool | None,
    others: Sequence[str] = (),
) -> list[Result]:
    """`train_many` on parts of the rows; rows: numbers for each model, or None for all rows.

    caller: the function that has these options, for errors; others: its other arguments, which may have been meant. A
    model that diverges has this in its result. What another one failed of, such as a wrong option, is raised once all
    have ended.
    """
    for name in options:
        if name not in (*FIT, *OF_ALL):
            raise no_option(caller, name, ("threads", "progress", *others))
    each = None if rows is None else Each(rows)
    results = train_many(models, x, y, rows=each, threads=threads, progress=progress, **options)
    for number, found in enumerate(results):
        if found.state == FAILED:  # a result has words only: a copy fails again
            own = {name: _own(value, number) for name, value in {**options, "y": y}.items()}
            part = None if rows is None else Each([rows[number]])
            train_many([copy.copy(models[number])], x, rows=part, progress=False, on_error="raise", **own)
            raise RuntimeError(f"model {number} failed, and the others were trained: {found.reason}")
    return results


def _own(value: Any, number: int) -> Any:
    return value.values[number] if isinstance(value, Each) else value
