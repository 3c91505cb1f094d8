"""What a row of the table of kernels is, its sizes, and the arrays that rows are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.engine.sizes import aligned


@dataclass(frozen=True)
class Size:
    """rows x inputs -> outputs of a layer, classes of a loss, and numbers of a vector."""

    rows: int
    K: int
    J: int
    classes: int
    count: int


TYPICAL = Size(rows=256, K=64, J=32, classes=10, count=10_000)
SMALL = Size(rows=19, K=5, J=3, classes=3, count=37)  # with padding everywhere; for --smoke


@dataclass
class Row:
    """What to call a kernel with, and what should come of it.

    reference takes the kernel's reference and gives what `results` reads off the arguments after a call. numpy does the
    same work; where it gives arrays, they are the first of these results but for rounding. buffers: arrays that the
    kernel reaches by addresses and may overwrite.
    """

    arguments: dict[str, Any]
    reference: Callable[[Any], tuple[np.ndarray, ...]]
    results: Callable[[], tuple[np.ndarray, ...]]
    numpy: Callable[[], tuple[np.ndarray, ...]] | None = None
    buffers: tuple[np.ndarray, ...] = ()


ROWS: dict[str, Callable[[str, Size], Row]] = {}


def row(name: str) -> Callable[[Callable[[str, Size], Row]], Callable[[str, Size], Row]]:
    def register(make: Callable[[str, Size], Row]) -> Callable[[str, Size], Row]:
        ROWS[name] = make
        return make

    return register


def normal(shape: int | tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def vector(values: np.ndarray) -> np.ndarray:
    """A copy on a line's boundary, behind which kernels may write."""
    made = aligned(values.size, values.dtype.name)
    made[:] = values.ravel()
    return made
