"""Fits under limits on memory: each ends well or with a MemoryError, where LLVM would end the process.

    python tests/long/memory_limits.py [--quick]

Linux. Prints, for each kind of limit and each state of the cache, how many limits were tried and how processes ended;
exits 1 if one ended otherwise. Limits are above what the process has when the fit begins.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIT = r"""
import resource, sys
import numpy as np
from fastmlp import Model
state, kind, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
x, y = np.random.default_rng(0).standard_normal((2000, 20)), np.arange(2000) % 3
if state == "linked":  # most kernels are yet to be
    Model([20, 5, 3]).fit(x, y, epochs=1, batch_size=64)
if state == "imported":
    import numba
model = Model([20, 64, 3], hidden="gelu_erf", dtype="float32")
if limit >= 0:
    field = {"AS": "VmSize", "DATA": "VmData"}[kind]
    used = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field)][0]
    resource.setrlimit(getattr(resource, "RLIMIT_" + kind), ((used + limit) << 10, resource.RLIM_INFINITY))
try:
    model.fit(x, y, epochs=2, batch_size=64, threads=1, optimizer="adam", dropout=0.5)
    print("fit")
except MemoryError as error:
    print("MemoryError", error)
"""
MB = 1024
# state of the cache and of the process: limits in KB
STEPS = {
    "linked": [*range(0, 2 * MB, 64), *range(2 * MB, 20 * MB, MB)],  # the cache is full, and some kernels are linked
    "full": [*range(0, 20 * MB, MB), *range(20 * MB, 400 * MB, 10 * MB)],  # nothing is linked, nor llvmlite imported
    "empty": [*range(0, 400 * MB, 10 * MB), *range(400 * MB, 800 * MB, 50 * MB)],
    "imported": [*range(0, 400 * MB, 10 * MB)],  # Numba is, by somebody else
}


def run(state: str, kind: str, limit: int, folder: Path) -> tuple[str, str]:
    """How a fit ended, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", FIT, state, kind, str(limit)],
        capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "FASTMLP_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    word = done.stdout.split(" ")[0].strip()
    if done.returncode == 0 and word in ("fit", "MemoryError"):
        return word, done.stdout.strip()
    return f"status {done.returncode}", done.stderr.strip()[-300:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every fourth limit")
    step = 4 if parser.parse_args().quick else 1
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        full = Path(place, "full")
        for state in ("linked", "full"):
            assert run(state, "AS", -1, full)[0] == "fit"
        for state, limits in STEPS.items():
            for kind in ("AS", "DATA"):
                count: Counter[str] = Counter()
                for limit in limits[::step]:
                    folder = full if state in ("linked", "full") else Path(place, f"{state} {kind} {limit}")
                    how, told = run(state, kind, limit, folder)
                    count[how] += 1
                    if how not in ("fit", "MemoryError"):
                        wrong += 1
                        print(f"  {limit} KB: {how}: {told}")
                print(f"{state}, RLIMIT_{kind}: {len(limits[::step])} limits: {dict(count)}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
