"""Trains models on parts of the same rows: bootstrap samples of an ensemble's members, folds of a cross-validation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.model import Model
from fastmlp.sweep.many import Each, train_many
from fastmlp.sweep.names import FIT, NEVER, OF_ALL, meant
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
) -> list[Result]:
    """`train_many` on parts of the rows; rows: numbers for each model, or None for all rows.

    caller: the function that has these options, for errors. A model that diverges has this in its result. What another
    one failed of, such as a wrong option, is raised once all have ended.
    """
    for name in options:
        if name not in (*FIT, *OF_ALL):
            near = meant(name)
            known = near if "did you mean" in near else f": give those of Model.fit, which are {', '.join(FIT)}"
            why = ": many models train at once" if name in NEVER else known
            raise TypeError(f"{caller} has no argument {shown(name)}{why}")
    of_parts = options if rows is None else _with_weights(options, rows)
    each = None if rows is None else Each(rows)
    results = train_many(models, x, y, rows=each, threads=threads, progress=progress, **of_parts)
    for number, found in enumerate(results):
        if found.state == FAILED:
            part = slice(None) if rows is None else rows[number]
            own = {name: _own(value, number) for name, value in {**of_parts, "y": y}.items()}
            _raise_again(models[number], number, x[part], own.pop("y")[part], own, str(found.reason))
    return results


def _with_weights(options: dict[str, Any], rows: Sequence[np.ndarray]) -> dict[str, Any]:
    """Options with the weights of each model's rows."""
    weights = options.get("sample_weight")
    if weights is None:
        return options
    own = [np.asarray(_own(weights, number))[part] for number, part in enumerate(rows)]
    return {**options, "sample_weight": Each(own)}


def _own(value: Any, number: int) -> Any:
    return value.values[number] if isinstance(value, Each) else value


def _raise_again(model: Model, number: int, x: Any, y: Any, options: dict[str, Any], reason: str) -> NoReturn:
    """Raises what a model failed of, which a copy does again."""
    copy.copy(model).fit(x, y, progress=False, **options)
    raise RuntimeError(f"model {number} failed, and the others were trained: {reason}")
