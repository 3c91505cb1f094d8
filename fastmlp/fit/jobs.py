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
