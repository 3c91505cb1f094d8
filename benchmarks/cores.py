"""Which cores a measurement runs on. Where the system cannot pin (macOS, Windows), nothing is pinned."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PINS = hasattr(os, "sched_setaffinity")

# What libraries read when they are imported.
_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip


def available() -> list[int]:
    """The numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if PINS else list(range(os.cpu_count() or 1))


def chosen(threads: int) -> list[int]:
    """The first `threads` of them. Raises ValueError where there are not so many."""
    cores = available()
    if not 1 <= threads <= len(cores):
        raise ValueError(f"threads={threads} is not to be had: this process may use {len(cores)} cores")
    return cores[:threads]


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """This thread, and all threads and processes that it starts meanwhile, run on these cores."""
    if not PINS:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(threads: int) -> dict[str, str]:
    """Variables that hold BLAS, OpenMP, PyTorch and XLA to so many threads, for processes yet to start."""
    xla = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
    return {**dict.fromkeys(_VARIABLES, str(threads)), "XLA_FLAGS": xla}
