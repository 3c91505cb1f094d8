"""How many times faster fit is with its default number of threads than with one thread, in turns.

    python -m benchmarks.scaling                      workloads whose batches are large enough for several threads
    python -m benchmarks.scaling wide mnist           of all workloads

Each turn trains for half a second with FASTMLP_NUM_THREADS=1 and as long without; a figure is the median of the turns'
ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fastmlp.engine.thread_tuner import SHARED_WORK
from fastmlp.spec import DTYPES

from .contestants import fastmlp_
from .workloads import WORKLOADS, Workload

TURNS, SECONDS = 7, 0.5
VARIABLE = "FASTMLP_NUM_THREADS"


def shared(workload: Workload) -> bool:
    """Whether fit looks for more than one thread there."""
    weights = sum((inputs + 1) * outputs for inputs, outputs in zip(workload.layers, workload.layers[1:], strict=False))
    return workload.batch_rows > 1 and workload.batch_rows * weights >= SHARED_WORK


SHARED = [name for name, workload in WORKLOADS.items() if shared(workload)]


def gain(workload: Workload, dtype: str) -> float:
    """Time with one thread over time with as many as fit chooses."""
    made = fastmlp_.Contestant(workload, dtype, 1)
    with threads(None):
        made.prepare()
        epochs = max(1, round(SECONDS / max(made.train(1), made.train(1))))
        made.train(epochs)  # as a longer fit would, it finds out what pays
    ratios = []
    for _ in range(TURNS):
        with threads(1):
            one = made.train(epochs)
        with threads(None):
            ratios.append(one / made.train(epochs))
    return statistics.median(ratios)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """As many by the environment, or None: as many as fit chooses."""
    before = os.environ.pop(VARIABLE, None)
    if count:
        os.environ[VARIABLE] = str(count)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
        if before:
            os.environ[VARIABLE] = before


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="by default those that share work")
    names = parser.parse_args(arguments).workloads or SHARED
    for name in names:
        if name not in WORKLOADS:
            parser.error(f"{name} is no workload: use some of {', '.join(WORKLOADS)}")
    print("| default against 1 thread | float64 | float32 |\n|---|---:|---:|")
    for name in names:
        cells = [f"{gain(WORKLOADS[name], dtype):.2f}" if dtype in WORKLOADS[name].dtypes else "-" for dtype in DTYPES]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
