"""Rows and targets that several fits share, checked and converted once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fastmlp.core import data
from fastmlp.spec import Spec

KEPT = 16  # arrays that are remembered: the last ones


class Checks(Protocol):
    """What a fit asks about rows: the module `core.data`, or a `CheckedRows`."""

    def features(self, X: Any, spec: Spec, name: str = "X") -> np.ndarray:
        """As `data.features`."""
        ...

    def targets(self, y: Any, rows: int, spec: Spec, name: str = "y", x_name: str = "X") -> np.ndarray:
        """As `data.targets`."""
        ...

    def labelled(self, spec: Spec, targets: np.ndarray) -> bool:
        """As `data.labelled`."""
        ...


class CheckedRows:
    """The checks of `core.data`, which remember what they have found for an array that is given again.

    Arrays must not change meanwhile.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def features(self, X: Any, spec: Spec, name: str = "X") -> np.ndarray:
        """As `data.features`."""
        return self.once(X, ("x", spec.inputs, spec.dtype), lambda: data.features(X, spec, name))

    def targets(self, y: Any, rows: int, spec: Spec, name: str = "y", x_name: str = "X") -> np.ndarray:
        """As `data.targets`."""
        key = "y", rows, spec.output, spec.outputs, spec.loss, spec.dtype
        return self.once(y, key, lambda: data.targets(y, rows, spec, name, x_name))

    def labelled(self, spec: Spec, targets: np.ndarray) -> bool:
        """As `data.labelled`."""
        return bool(self.once(targets, ("labelled", spec.output), lambda: data.labelled(spec, targets)))

    def once(self, given: Any, key: tuple[Any, ...], check: Callable[[], Any]) -> Any:
        """What `check` found for this array and key when it was last called."""
        key = id(given), *key
        known = self._found.get(key)  # with the array: no other one has its id meanwhile
        if known is None:
            known = given, check()
            while len(self._found) >= KEPT:
                self._found.pop(next(iter(self._found)))
            self._found[key] = known
        return known[1]


def check_rows(rows: np.ndarray, count: int) -> None:
    """Raises ValueError where one of the numbers is of none of so many rows."""
    wrong = (rows < 0) | (rows >= count)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(f"rows has {rows[place]} in place {place}, and X has {count} rows: their numbers begin at 0")
