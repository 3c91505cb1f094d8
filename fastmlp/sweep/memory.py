"""What a sweep needs of the machine's memory, and whether that is there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import optimizers
from fastmlp.checks.arrays import counted
from fastmlp.fit.options import stopping
from fastmlp.fit.together import WINDOW, WINDOW_BYTES
from fastmlp.sweep.asks import Ask
from fastmlp.system import thread_pool
from fastmlp.training import RECORD

OBJECTS = 6_000  # bytes of Python's objects of a model with its history, as tracemalloc counts them


@dataclass(frozen=True)
class Plan:
    """The memory of a sweep, in bytes.

    Attributes
    ----------
    models : int
        The number of models.
    what : str
        The models in words.
    kept : int
        For models and histories that the results have.
    training : int
        For models while they train.
    rows : int
        For X, y and validation.
    free : int or None
        What the machine has; None if it does not tell.
    """

    models: int
    what: str
    kept: int
    training: int
    rows: int
    free: int | None

    @property
    def needed(self) -> int:
        """All that the sweep needs at the same time."""
        return self.kept + self.training + self.rows

    def __str__(self) -> str:
        free = "" if self.free is None else f", of {_gigabytes(self.free)} that are free"
        parts = f"models {_gigabytes(self.kept)}, training {_gigabytes(self.training)}, rows {_gigabytes(self.rows)}"
        return f"{self.what} need {_gigabytes(self.needed)} of memory ({parts}){free}"


def plan(asks: Sequence[Ask], keep: str, rows: int) -> Plan:
    """The plan for these models. rows: bytes."""
    alike = Counter((id(ask.fit), ask.spec) for ask in asks)
    one_of = {(id(ask.fit), ask.spec): ask for ask in asks}
    groups = [(one_of[key], count) for key, count in alike.items()]
    whole = sum(_size(ask) * count for ask, count in groups)
    largest = max((_size(ask) for ask, _ in groups), default=0)
    models = {"all": whole, "best": largest, "none": 0}[keep]
    histories = sum(_history(ask) * count for ask, count in groups)
    training = _on_their_way(groups, lambda ask: 2 * _vector(ask) + (_size(ask) if _restores(ask) else 0))
    if keep != "all":
        training += _on_their_way(groups, _size)
    return Plan(len(asks), _in_words(groups), models + histories, training, rows, free())


def check(found: Plan, keep: str) -> None:
    """Raises MemoryError if the machine has less than is needed."""
    if found.free is None or found.needed <= found.free:
        return
    ways = {"all": 'give keep="best" or keep="none", or fewer points', "best": "give fewer points", "none": ""}[keep]
    raise MemoryError(f"{found}: {ways or 'give fewer points'}. Nothing was trained")


def free() -> int | None:
    """The bytes that this process may still use; None if the system does not tell."""
    found = [size for size in (_of_machine(), _of_group()) if size is not None]
    return min(found) if found else None


def _of_machine() -> int | None:
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_group() -> int | None:
    """What a container's limit leaves (version 2 of Linux's control groups)."""
    try:
        with open("/sys/fs/cgroup/memory.max") as most, open("/sys/fs/cgroup/memory.current") as used:
            return max(0, int(most.read()) - int(used.read()))
    except (OSError, ValueError):  # no such group, or "max"
        return None


def _optimizer(ask: Ask) -> Any:
    return optimizers.find(ask.fit.get("optimizer") or "sgd", ask.fit.get("learning_rate"))


def _vector(ask: Ask) -> int:
    """The bytes of a model's parameters."""
    return ask.spec.parameters * np.dtype(ask.spec.dtype).itemsize


def _size(ask: Ask) -> int:
    """The bytes of a trained model: parameters and the optimizer's state."""
    return _vector(ask) * (1 + _optimizer(ask).vectors) + OBJECTS


def _history(ask: Ask) -> int:
    return RECORD.itemsize * (ask.fit["epochs"] // (ask.fit.get("record_every") or 1) + 2)


def _restores(ask: Ask) -> bool:
    rule = stopping(ask.fit.get("early_stopping"))
    return rule is not None and rule.best_weights


def _on_their_way(groups: Sequence[tuple[Ask, int]], size: Callable[[Ask], int]) -> int:
    """The sizes of models that train or wait for others of their group, at most."""
    return min(_most(groups, WINDOW, size), WINDOW_BYTES + _most(groups, 4 * thread_pool.cores(), size))


def _most(groups: Sequence[tuple[Ask, int]], at_once: int, size: Callable[[Ask], int]) -> int:
    """The sizes of the largest `at_once` models."""
    total = 0
    for most, count in sorted(((size(ask), count) for ask, count in groups), reverse=True):
        total += most * min(count, at_once)
        at_once -= min(count, at_once)
    return total


def _in_words(groups: Sequence[tuple[Ask, int]]) -> str:
    """'4096 models of 64-100-10, float64, Adam'."""
    asks = [ask for ask, _ in groups]
    several = {("-".join(map(str, ask.spec.layers)), ask.spec.dtype) for ask in asks}
    names = sorted({type(_optimizer(ask)).__name__ for ask in asks})
    largest = max(ask.spec.parameters for ask in asks)
    what = f"of {', '.join(next(iter(several)))}" if len(several) == 1 else f"of up to {largest:,} parameters"
    return f"{counted(sum(count for _, count in groups), 'model')} {what}, {' and '.join(names)},"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e8 else f"{size / 1e6:.3g} MB"
