"""The peak memory of a fit, and what it needs at least: its data, its parameters and one workspace.

    python -m benchmarks.memory                         xor-2000000, mnist, mnist-wide and wide, both dtypes
    python -m benchmarks.memory --workloads mnist,letter --dtypes float32

Each row is a fresh process, with its kernels in the cache: it imports everything (Numba too), links the kernels by a
fit of a few rows, reads the data from files, and fits it for two epochs. Megabytes of resident memory:

- data: x and y, in the network's dtype and in C order, as `fit` takes them without a copy
- parameters
- workspace: what a training needs in addition, by the formula of `workspace` below
- peak: the most that the process ever held, above what it held before it read the data
- ratio: peak over the sum of the other three; the goal is at most 1.5

Linux only: the peak is read and reset in /proc.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.spec import DTYPES, Spec

from . import fair
from .workloads import WORKLOADS, Workload

DEFAULT = ("xor-2000000", "mnist", "mnist-wide", "wide")
GOAL = 1.5
SPAN = 1024  # rows whose units are all held at once, at most
LINKING_ROWS = 4

# `python -m benchmarks.memory --child` of one workload, in a process of its own.
_CHILD = "--child"


def workspace(spec: Spec, rows: int, batch: int, optimizer: str) -> int:
    """Bytes that a training needs in addition to data and parameters.

    Vectors of all parameters: those in training, the gradient, two snapshots to go back to, the optimizer's own, and
    one for each level of the tree of a batch's spans. The units of a span of rows, and the widest layer's once more,
    packed. Batches of all rows: one copy of x and y, units apart; else the order of the rows.
    """
    state = {"adam": 2}.get(optimizer, 0)
    levels = math.ceil(batch / SPAN).bit_length()
    numbers = (4 + state + levels) * spec.parameters + min(batch, SPAN) * (sum(spec.layers) + max(spec.layers))
    if batch == rows:
        numbers += rows * (spec.inputs + spec.targets)
    return numbers * np.dtype(spec.dtype).itemsize + (0 if batch == rows else 8 * rows)


def measure(workload: Workload, dtype: str) -> dict[str, Any]:
    """{"data", "parameters", "workspace", "peak", "ratio"} of one fit; all but the ratio in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        # The data is made by a process that ends: a child's peak begins with its parent's size.
        for task in ("data", "warm", "fit"):
            ended = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", _CHILD, task, workload.name, dtype, folder],
                env=fair.environment(),
                stdout=subprocess.PIPE,
                check=True,
            )
    spec, itemsize = workload.spec(dtype), np.dtype(dtype).itemsize
    found = {
        "data": workload.rows * (spec.inputs + spec.targets) * itemsize,
        "parameters": spec.parameters * itemsize,
        "workspace": workspace(spec, workload.rows, workload.batch_rows, workload.optimizer),
        "peak": json.loads(ended.stdout),
    }
    return {**found, "ratio": found["peak"] / (found["data"] + found["parameters"] + found["workspace"])}


def table(rows: dict[tuple[str, str], dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| MB | | data | parameters | workspace | peak | ratio |", "|---|---|---:|---:|---:|---:|---:|"]
    for (name, dtype), found in rows.items():
        sizes = " | ".join(f"{found[what] / 1e6:.1f}" for what in ("data", "parameters", "workspace", "peak"))
        ratio = f"{found['ratio']:.2f}"
        lines.append(f"| {name} | {dtype} | {sizes} | {ratio if found['ratio'] <= GOAL else f'**{ratio}**'} |")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------
# In the child


def _data(workload: Workload, dtype: str, folder: Path) -> None:
    x, y = workload.data(dtype)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y.astype(dtype))


def _fit(workload: Workload, dtype: str, folder: Path) -> int:
    """The peak above what there was before the data, in bytes."""
    import numba  # noqa: F401

    from fastmlp import Model

    spec = workload.spec(dtype)

    def fit(x: np.ndarray, y: np.ndarray, batch: int | None) -> None:
        model = Model(workload.layers, hidden=workload.hidden, output=spec.output, loss=workload.loss, dtype=dtype)
        model.fit(
            x, y, epochs=2, batch_size=batch, optimizer=workload.optimizer, learning_rate=workload.learning_rate,
            shuffle=workload.shuffle, threads=1,
        )  # fmt: skip

    few = np.zeros((LINKING_ROWS, spec.inputs), dtype), np.zeros((LINKING_ROWS, spec.targets), dtype)
    fit(*few, None if workload.batch is None else LINKING_ROWS // 2)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak to what is held now
    before = _peak()
    x, y = np.load(folder / "x.npy"), np.load(folder / "y.npy")
    fit(x, y, workload.batch)
    return _peak() - before


def _peak() -> int:
    """VmHWM, in bytes. getrusage's ru_maxrss begins with the parent's, and cannot be reset."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _child(task: str, name: str, dtype: str, folder: str) -> None:
    workload = WORKLOADS[name]
    if task == "data":
        _data(workload, dtype, Path(folder))
    else:
        print(_fit(workload, dtype, Path(folder)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--workloads", default=",".join(DEFAULT), help="names from benchmarks/workloads.py")
    parser.add_argument("--dtypes", default=",".join(DTYPES))
    asked = parser.parse_args(arguments)
    rows = {}
    for name in asked.workloads.split(","):
        for dtype in asked.dtypes.split(","):
            rows[name, dtype] = measure(WORKLOADS[name], dtype)
            print(f"{name} {dtype}: {rows[name, dtype]['ratio']:.2f}", file=sys.stderr, flush=True)
    print(table(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == [_CHILD]:
        _child(*sys.argv[2:])
    else:
        main()
