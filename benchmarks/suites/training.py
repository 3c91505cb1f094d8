"""Fits of the table's workloads, for both suites: so many epochs that a fit is worth timing, counted in steps."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from fastmlp import Model

from ..workloads import SERIES, WORKLOADS, Workload

# Of a fit: some 10 ms to 50 ms, counted in flops, as a number of epochs that a clock chose would be another tomorrow.
FLOPS = 1e9
STEP = 20_000  # flops that a step's own costs stand for
# Beginning a fit (checks, copies) takes an eighth of an epoch of mnist: few epochs would hide behind it. An epoch of
# `wide` takes a second, where it is nothing.
LEAST_EPOCHS = 5
LONG_EPOCH = 3e10
REFERENCE_FLOPS = 2e6  # of an epoch that the reference is asked to do: some tenths of a second

TABLE = {name: workload for name, workload in WORKLOADS.items() if name not in SERIES}


def epochs_of(workload: Workload) -> int:
    """Epochs of a fit that is worth timing."""
    epochs = round(FLOPS / (workload.flops_epoch + STEP * workload.steps_epoch))
    return max(epochs, LEAST_EPOCHS if workload.flops_epoch < LONG_EPOCH else 1)


class Fit:
    """A model and its data, ready to train `epochs` epochs, again and again, each time from where it is."""

    def __init__(
        self,
        workload: Workload,
        dtype: str,
        epochs: int | None = None,
        backend: str = "numba",
        data: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        self.workload, self.epochs = workload, epochs or epochs_of(workload)
        self.x, self.y = data or workload.data(dtype)
        self.model = Model(
            workload.layers, hidden=workload.hidden, output=workload.output, loss=workload.loss, seed=1, dtype=dtype,
            backend=backend,
        )  # fmt: skip

    @property
    def steps(self) -> int:
        return self.epochs * self.workload.steps_epoch

    def run(self) -> None:
        workload = self.workload
        # not said where it is the default: asv looks at commits that had no other
        options = {} if workload.optimizer == "sgd" else {"optimizer": workload.optimizer}
        self.model.fit(
            self.x, self.y, epochs=self.epochs, learning_rate=workload.learning_rate, batch_size=workload.batch,
            shuffle=workload.shuffle, record_every=self.epochs, progress=False, **options,
        )  # fmt: skip


def reference_can(workload: Workload) -> bool:
    """Whether an epoch is short enough for the reference."""
    return workload.flops_epoch <= REFERENCE_FLOPS


def check_bits(workload: Workload, dtype: str) -> None:
    """Raises AssertionError unless an epoch of the kernels is an epoch of the reference, bit for bit."""
    digests = []
    for backend in ("numba", "reference"):
        fit = Fit(workload, dtype, 1, backend)
        fit.run()
        digests.append(fit.model.digest())
    assert digests[0] == digests[1], f"{workload.name} {dtype}: the kernels' bits are not the reference's"


def step_clock(steps: int) -> Callable[[], float]:
    """A clock that goes so much slower that a fit of `steps` steps takes as long on it as one step does."""
    return lambda: time.perf_counter() / steps
