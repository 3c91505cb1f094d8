"""What each activation, loss, optimizer and regulariser costs: microseconds per step, compared with the plain step.

    python -m benchmarks.options                            64-100-10, batches of 32, both dtypes
    python -m benchmarks.options --layers 2,8,8,2 --rows 2000 --batch 2000
    python -m benchmarks.options --write                    puts the first table into docs/performance.md

A step is forward, loss, backward and update of one batch, without shuffles and records. The plain one is relu, softmax
and cross-entropy, gradient descent. All take turns on one core; each figure is the median of many turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.losses import CrossEntropy
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.spec import DTYPES, HIDDEN, LOSSES, Spec

from .parts import Bench

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- options -->", "<!-- /options -->"
TURNS = 25
PLAIN = "plain: relu, softmax with cross_entropy, sgd"


def rows_of_table(hidden: int) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """{label: (arguments of Spec.build, options of Bench)}."""
    table: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {PLAIN: ({}, {})}
    for name in HIDDEN:
        if name != "relu":
            table[f"hidden {name}"] = {"hidden": name}, {}
    for output, losses in LOSSES.items():
        for loss in losses:
            if loss != "cross_entropy":
                table[f"{output} with {loss}"] = {"output": output, "loss": loss}, {}
    table["label smoothing"] = {"loss": CrossEntropy(0.1)}, {}
    for label, optimizer in {
        "momentum": SGD(momentum=0.9),
        "nesterov": SGD(momentum=0.9, nesterov=True),
        "adam": Adam(),
        "adamw": AdamW(),
        "rmsprop": RMSprop(),
        "adagrad": Adagrad(),
    }.items():
        table[label] = {}, {"optimizer": optimizer, "learning_rate": 1e-12}
    table |= {
        "l2": ({}, {"l2": 1e-4}),
        "l1": ({}, {"l1": 1e-4}),
        "dropout 0.5": ({}, {"dropout": (0.5,) * hidden}),
        "clipping by value": ({}, {"clip_value": 1.0}),
        "clipping by norm": ({}, {"clip_norm": 1.0}),
        "weighted rows": ({}, {"weighed": True}),
    }
    return table


def measure(layers: list[int], rows: int, batch: int) -> dict[str, list[float]]:
    """{label: medians in microseconds a step, for each dtype}."""
    medians: dict[str, list[float]] = {}
    for dtype in DTYPES:
        benches = {
            label: Bench(Spec.build(layers, dtype=dtype, **network), rows, batch, **options)
            for label, (network, options) in rows_of_table(len(layers) - 2).items()
        }
        times: dict[str, list[float]] = {label: [] for label in benches}
        for _ in range(TURNS):
            for label, bench in benches.items():
                times[label].append(bench.turn())
        for label, values in times.items():
            medians.setdefault(label, []).append(statistics.median(values))
    return medians


def table(medians: dict[str, list[float]], title: str) -> str:
    lines = [f"| {title} | float64 | | float32 | |", "|---|---:|---:|---:|---:|"]
    for label, values in medians.items():
        cells = (f"{value:.2f} us | {value / plain:.2f}" for value, plain in zip(values, medians[PLAIN], strict=True))
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", default="64,100,10")
    parser.add_argument("--rows", type=int, default=1797)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    layers = [int(size) for size in arguments.layers.split(",")]
    title = f"{'-'.join(map(str, layers))}, a step of {arguments.batch} rows"
    with np.errstate(all="ignore"):
        made = table(measure(layers, arguments.rows, arguments.batch), title)
    print(made)
    if arguments.write:
        text = PAGE.read_text()
        start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
        PAGE.write_text(f"{text[:start]}\n{made}\n{text[end:]}")


if __name__ == "__main__":
    main()
