"""The table of `benchmarks.many`: networks of which many are trained at once, and how the models differ.

Model k of a cell has the seed k + 1, and with it weights and orders of its own, and a learning rate of its own. Data
are shared. All contestants train the same models; the judge is the NumPy script in float64, one model after another.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import contestants
from .workloads import WORKLOADS, Workload

FOLDER = "FASTMLP_BENCHMARKS_WEIGHTS"  # the variable that names a folder of initial weights, for a run's processes
NO_COMPILE = "FASTMLP_BENCHMARKS_NO_COMPILE"  # if this is set, torch.compile is not tried
CHECK_STEPS = 60  # after about as many, losses are compared: at least two epochs, or one of more steps
SAMPLE = 16  # of so many models: each of them, or spread ones
RATES = 8  # learning rates that differ


@dataclass(frozen=True)
class Case:
    """A network and its training. epochs: of the training whose models a second are told."""

    name: str
    workload: Workload
    epochs: int

    @property
    def check_epochs(self) -> int:
        """The epochs after which losses are compared."""
        return min(20, max(1, CHECK_STEPS // self.workload.steps_epoch))


def _sgd(name: str, batch: int | None) -> Workload:
    """A workload with plain gradient descent, which every contestant of many models has."""
    return replace(WORKLOADS[name], optimizer="sgd", learning_rate=0.1, batch=batch)


_TABLE = (
    # one row after another: shuffled, as fit does by default
    Case("2-2-1-b1", replace(WORKLOADS["xor-online-1"], shuffle=True), 5000),
    Case("2-2-1-b4", WORKLOADS["xor-online"], 5000),
    Case("2-8-8-2-b4", WORKLOADS["xor-4"], 5000),
    Case("matexp-b200", _sgd("matexp-200", None), 500),
    Case("tab-b32", WORKLOADS["tab"], 20),
    Case("digits-b32", _sgd("digits", 32), 20),
    Case("digits-b200", _sgd("digits", 200), 20),
    Case("xor-b2000", WORKLOADS["xor"], 500),
)
CASES = {case.name: case for case in _TABLE}
MODELS = (1, 8, 64, 512, 4096)


def cell(text: str) -> tuple[Case, int]:
    """(the case, the number of models) of a text like "tab-b32*64". Raises ValueError for another."""
    name, star, models = text.partition("*")
    if name not in CASES:
        raise ValueError(f"case={name!r} is not known: use one of {', '.join(CASES)}")
    if not star or not models.isdecimal() or not int(models):
        raise ValueError(f"case={text!r} needs a number of models after the *, like {name}*64")
    return CASES[name], int(models)


def seeds(models: int) -> range:
    return range(1, models + 1)


def rates(workload: Workload, models: int) -> list[float]:
    """The models' learning rates: the workload's, and smaller ones, down to a third of it."""
    return [workload.learning_rate * 2.0 ** (-(k % RATES) / 5) for k in range(models)]


def orders(workload: Workload, models: int, first: int, epochs: int) -> np.ndarray:
    """(epochs, models, rows) int32: the order of each model's rows from epoch `first` on, which are counted from 1."""
    made = np.empty((epochs, models, workload.rows), np.int32)
    for number in range(epochs):
        for k, seed in enumerate(seeds(models)):
            made[number, k] = contestants.order(workload.rows, first + number, seed)
    return made


def sample(models: int) -> list[int]:
    """The numbers of the models whose losses are compared: the first, the last, and others of all residues."""
    if models <= SAMPLE:
        return list(range(models))
    draws = np.random.RandomState(models).permutation(np.arange(1, models - 1))[: SAMPLE - 2]
    return [0, *sorted(map(int, draws)), models - 1]


# ---------------------------------------------------------------------------------------------------------
# Initial weights, stacked


def stacks(workload: Workload, dtype: str, models: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(w (models, K, J), b (models, J)), ...]: the weights that the models begin with.

    Of the file that `keep_weights` has made, or of as many fastmlp.Model.
    """
    folder = os.environ.get(FOLDER)
    path = Path(folder) / _file(workload, dtype) if folder else None
    if path is not None and path.is_file():
        flat = np.load(path, mmap_mode="r")[:models]
        assert len(flat) == models, f"{path} has {len(flat)} models, and {models} are needed"
    else:
        flat = _drawn(workload, dtype, models)
    made, at = [], 0
    for inputs, outputs in workload.spec(dtype).shapes:
        w = np.array(flat[:, at : at + inputs * outputs]).reshape(models, inputs, outputs)
        at += inputs * outputs
        made.append((w, np.array(flat[:, at : at + outputs])))
        at += outputs
    return made


def keep_weights(workload: Workload, dtype: str, models: int, folder: Path) -> None:
    """Writes them, for the processes that a run starts: each would take long to draw thousands."""
    path = folder / _file(workload, dtype)
    if not path.is_file() or len(np.load(path, mmap_mode="r")) < models:
        np.save(path, _drawn(workload, dtype, models))


def _file(workload: Workload, dtype: str) -> str:
    return f"{'-'.join(map(str, workload.layers))}-{workload.hidden}-{workload.output}-{dtype}.npy"


def _drawn(workload: Workload, dtype: str, models: int) -> np.ndarray:
    """(models, P): layer by layer, w and then b."""
    rows = []
    for seed in seeds(models):
        weights = contestants.initial(workload, dtype, seed)
        rows.append(np.concatenate([part.ravel() for pair in weights for part in pair]))
    return np.stack(rows)


# ---------------------------------------------------------------------------------------------------------
# The judge


def judge(case: Case, models: int) -> list[float]:
    """The losses that the models of `sample` should have after the case's check: those of the NumPy script."""
    from .contestants import numpy_

    workload, found = case.workload, []
    every = rates(workload, models)
    for k in sample(models):
        script = numpy_.Contestant(replace(workload, learning_rate=every[k]), "float64", 1)
        script.seed = k + 1
        script.x, script.y = workload.data("float64")
        script.build()
        script.reset()
        script.given(case.check_epochs)
        found.append(script.loss())
    return found


def furthest(found: Sequence[float], judged: Sequence[float]) -> float:
    """The greatest relative difference of a loss from the judge's; infinite where one is missing or is no number."""
    if len(found) != len(judged):
        return float("inf")
    worst = max(abs(loss - true) / abs(true) for loss, true in zip(found, judged, strict=True))
    return worst if np.isfinite(found).all() else float("inf")
