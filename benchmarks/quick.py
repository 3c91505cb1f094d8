"""Microseconds per epoch of `fastmlp demo xor` and of the exercise's NumPy script, in one run.

    python -m benchmarks.quick            prints the table
    python -m benchmarks.quick --write    and puts it into README.md

One core; NumPy's BLAS has one thread, too. The contestants take turns, and each figure is the median of its turns.
fastmlp records the loss at the first and the last epoch of a turn; the script computes it every epoch, as the exercise
does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

# before NumPy is imported: its BLAS reads them then
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

from . import exercise, fair  # noqa: E402

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- timing -->", "<!-- /timing -->"
TURNS = 15


def numpy_turn(dtype: str, epochs: int) -> float:
    x, labels = exercise.data(dtype=dtype)
    weights, one_hot = exercise.initial(dtype=dtype), np.eye(2, dtype=dtype)[labels]
    start = time.perf_counter()
    for _ in range(epochs):
        exercise.epoch(weights, x, one_hot, 0.1)
    return (time.perf_counter() - start) / epochs * 1e6


def fastmlp_turn(dtype: str, epochs: int) -> float:
    from fastmlp import Model

    x, labels = exercise.data(dtype=dtype)
    model = Model([2, 8, 8, 2], seed=np.random.RandomState(42), dtype=dtype)
    start = time.perf_counter()
    model.fit(x, labels, epochs=epochs, learning_rate=0.1, record_every=epochs)
    return (time.perf_counter() - start) / epochs * 1e6


def measure() -> dict[tuple[str, str], float]:
    """Medians, in microseconds an epoch, by contestant and dtype."""
    contestants = {"NumPy script": (numpy_turn, 50), "fastmlp": (fastmlp_turn, 2000)}
    keys = [(name, dtype) for dtype in ("float64", "float32") for name in contestants]
    times: dict[tuple[str, str], list[float]] = {key: [] for key in keys}
    for turn in range(TURNS + 1):  # the first warms up and is not counted
        for name, dtype in keys:
            run, epochs = contestants[name]
            seconds = run(dtype, epochs)
            if turn:
                times[name, dtype].append(seconds)
    return {key: statistics.median(values) for key, values in times.items()}


def table(medians: dict[tuple[str, str], float]) -> str:
    lines = ["| XOR, 2-8-8-2, 2000 rows, one epoch | float64 | float32 |", "|---|---:|---:|"]
    for name, label in (("NumPy script", "the exercise's NumPy script"), ("fastmlp", "fastmlp")):
        cells = " | ".join(f"{medians[name, dtype]:.1f} us" for dtype in ("float64", "float32"))
        lines.append(f"| {label} | {cells} |")
    ratios = [medians["NumPy script", d] / medians["fastmlp", d] for d in ("float64", "float32")]
    lines.append("| times faster | " + " | ".join(f"{ratio:.0f}" for ratio in ratios) + " |")
    return "\n".join(lines)


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args(given)
    if arguments.write and fair.held():
        parser.error(fair.line())
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    made = table(measure())
    print(made)
    print(fair.line())
    if arguments.write:
        text = README.read_text()
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        README.write_text(f"{text[:start]}\n{made}\n{text[end:]}")


if __name__ == "__main__":
    main()
