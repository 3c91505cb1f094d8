"""Start-up: a fresh process that trains XOR, with an empty cache of kernels, and with a full one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastmlp

from . import cores, fair

# What `fastmlp demo xor` trains. It prints the seconds of its parts; what the parent sees beyond them is Python's.
SCRIPT = """
import time
start = time.perf_counter()
import json
import numpy as np
from fastmlp import Model
from fastmlp.kernels.registry import loading
imported = time.perf_counter()
x = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64), (500, 1))
y = np.tile([0, 1, 1, 0], 500)
model = Model([2, 8, 8, 2], seed=1)
model.fit(x, y, epochs=5000, learning_rate=0.1, record_every=500)
end = time.perf_counter()
load = sum(loading)
print(json.dumps({"import": imported - start, "load_kernels": load, "train": end - imported - load}))
"""


def run(cache: str, pins: Sequence[int]) -> dict[str, Any]:
    """{"seconds", "parts"} of one process, with the kernels' cache in this folder."""
    root = str(Path(fastmlp.__file__).parents[1])
    script = (
        f"import sys; sys.path.insert(0, {root!r})\n{SCRIPT}"  # before the folder it is called in, maybe a checkout
    )
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = fair.environment(**cores.environment(len(pins)), FASTMLP_CACHE_DIR=cache, PYTHONPATH=paths)
    with cores.pinned(pins):
        start = time.perf_counter()
        ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        seconds = time.perf_counter() - start
    parts = json.loads(ended.stdout)
    return {"seconds": seconds, "parts": {"python": seconds - sum(parts.values()), **parts}}


def measure(turns: int, pins: Sequence[int]) -> list[dict[str, Any]]:
    """A row for the empty cache and one for the warm: the median run of `turns` each, with its own parts."""
    found: dict[str, list[dict[str, Any]]] = {"empty cache": [], "warm cache": []}
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as cache:
            found["empty cache"].append(run(cache, pins))
            found["warm cache"].append(run(cache, pins))
    return [{"what": what, **median_run(runs)} for what, runs in found.items()]


def median_run(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run whose seconds are the (lower) median, so that its parts are of one run and add up."""
    middle = statistics.median_low(run["seconds"] for run in runs)
    return next(run for run in runs if run["seconds"] == middle)
