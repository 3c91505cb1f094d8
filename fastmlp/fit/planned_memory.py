"""How much memory many trainings will need, and in words: to be told before they begin."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import optimizers
from fastmlp.engine import choose
from fastmlp.fit.together import WINDOW, WINDOW_BYTES
from fastmlp.optimizers import SGD, Optimizer
from fastmlp.spec import Spec
from fastmlp.training import RECORD

WORKSPACE = 6  # vectors as long as the parameters that a thread works with: sums, snapshots, lanes that are added up
# Vectors as long as its parameters that a model has as a lane, and for each of its optimizer's. With tracemalloc, 60
# models of 64-100-10 took 7.2 with SGD and 12.9 with Adam.
LANE, LANE_STATE = 7, 3


@dataclass(frozen=True)
class Asked:
    """Of one training, what its memory depends on."""

    spec: Spec
    optimizer: str | Optimizer | None = None
    records: int = 0
    keeps_best: bool = False  # whether early stopping keeps a copy of the best


@dataclass(frozen=True)
class Need:
    """Bytes that models hold when all are trained, and that their trainings work with at the same time."""

    models: int
    meanwhile: int
    words: str

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.models + self.meanwhile


def needed(asked: Iterable[Asked], threads: int = 1, rows: int = 0, kept: bool = True) -> Need:
    """What so many trainings need, beside the caller's own arrays.

    threads: that train at a time. rows: bytes of rows that are converted or copied for them. kept: whether the models
    are kept; else those of a few at a time.
    """
    kinds = Counter(asked)
    each = {kind: _model(kind) for kind in kinds}
    most = max(each.values(), default=0)
    models = sum(each[kind] * count for kind, count in kinds.items()) if kept else 2 * threads * most
    records = sum(kind.records * count for kind, count in kinds.items()) * RECORD.itemsize
    work = max((_work(kind, count, threads) for kind, count in kinds.items()), default=0) + rows
    need = Need(models + records, work, "")
    return Need(need.models, need.meanwhile, _in_words(kinds, need))


def _vectors(optimizer: Any) -> int:
    if isinstance(optimizer, str):
        return optimizers.find(optimizer, None).vectors
    return (optimizer or SGD()).vectors


def _model(kind: Asked) -> int:
    """A model's parameters and its optimizer's state, which it keeps to go on with."""
    return kind.spec.parameters * np.dtype(kind.spec.dtype).itemsize * (1 + _vectors(kind.optimizer)) + 4096


def _work(kind: Asked, count: int, threads: int) -> int:
    """What trainings of one kind work with at a time: one a thread, or a window of them as lanes."""
    size, vectors = kind.spec.parameters * np.dtype(kind.spec.dtype).itemsize, _vectors(kind.optimizer)
    best = _model(kind) if kind.keeps_best else 0
    whole = (size * (WORKSPACE + vectors) + best) * threads
    lanes = 0
    if count > 1 and choose.may_be_lanes(kind.spec):
        lanes = (size * (LANE + LANE_STATE * vectors) + best) * min(count, WINDOW, max(1, WINDOW_BYTES // size))
    return max(whole, lanes) + (threads << 20)


def _in_words(kinds: Counter[Asked], need: Need) -> str:
    """4096 models of 64-100-10 with Adam need 0.76 GB, and 3.1 MB while they train."""
    count = sum(kinds.values())
    specs = {"-".join(map(str, kind.spec.layers)) for kind in kinds}
    names = {_name(kind.optimizer) for kind in kinds}
    of = next(iter(specs)) if len(specs) == 1 else f"{len(specs)} shapes"
    by = f" with {next(iter(names))}" if len(names) == 1 else ""
    models, verb = ("model", "needs") if count == 1 else ("models", "need")
    return (
        f"{count} {models} of {of}{by} {verb} {in_units(need.models)}, and {in_units(need.meanwhile)} while they train"
    )


def _name(optimizer: Any) -> str:
    found = optimizers.find(optimizer, None) if isinstance(optimizer, str) else optimizer or SGD()
    return type(found).__name__


def in_units(size: int) -> str:
    """Bytes in words: 0.74 GB, 12 MB, 3 kB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB")):
        if size >= 0.1 * unit:
            return f"{size / unit:.2g} {name}" if size < 100 * unit else f"{math.ceil(size / unit)} {name}"
    return f"{math.ceil(size / 1000)} kB"
