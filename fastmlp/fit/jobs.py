"""What `together.train_together` is given for each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.core.network import Network
from fastmlp.fit.options import FitOptions
from fastmlp.history import History
from fastmlp.system.atomic import Change
from fastmlp.system.busy import Busy


@dataclass(eq=False)
class Job:
    """A model that is to be trained, and what with. Cheap to make: nothing is checked or allocated before its turn.

    backend: "numba" or "reference". X, y, options: as `Model.fit` has them. rows: numbers of the rows of X, y and
    sample_weight that it is trained on, in this order, some of them several times perhaps; None: all. The model is then
    what X[rows], y[rows] and sample_weight[rows] make of it. others: changes that go with the beginning.
    """

    network: Network
    backend: str
    busy: Busy
    X: Any
    y: Any
    options: FitOptions
    rows: Any = None
    history: History = field(default_factory=History)
    others: Sequence[Change] = ()
    group: int = 1  # models that it was trained with, in lanes of registers; known once it has begun


def row_numbers(rows: Any, name: str) -> np.ndarray:
    """rows as int64 row numbers (M,). Raises TypeError or ValueError; whether there are such rows, `Fit` looks."""
    found = np.asarray(rows)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise TypeError(f"{name}={shown(rows)} is no list of row numbers: give whole numbers from 0")
    if not len(found):
        raise ValueError(f"{name} is empty: give at least one row number")
    return np.ascontiguousarray(found, np.int64)


def check_apart(jobs: Sequence[Job]) -> None:
    """Raises ValueError for jobs whose outcome would depend on their order."""
    seen: dict[int, int] = {}
    for place, job in enumerate(jobs):
        shared = {"the model": job.network}
        if not isinstance(job.network.seed, int):
            shared["the generator that is the seed"] = _source(job.network.seed)
        for what, thing in shared.items():
            if (first := seen.setdefault(id(thing), place)) != place:
                raise ValueError(f"job {place} has {what} of job {first}: give each its own, such as a copy")


def _source(generator: np.random.Generator | np.random.RandomState) -> Any:
    """What it draws from, which another one may share."""
    name = "bit_generator" if isinstance(generator, np.random.Generator) else "_bit_generator"
    return getattr(generator, name, generator)
