"""Figures that are neither seconds nor bytes of one call. Less is better in each, as asv takes it to be."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from benchmarks.peak import peak
from benchmarks.suites.training import TABLE, Fit
from benchmarks.workloads import SERIES, WORKLOADS

import fastmlp
from fastmlp.spec import DTYPES

TURNS = 7


def seconds_a_step(fit):
    """The median of turns of a warm fit."""
    fit.run()
    turns = []
    for _ in range(TURNS):
        start = time.perf_counter()
        fit.run()
        turns.append((time.perf_counter() - start) / fit.steps)
    return statistics.median(turns)


class Roofline:
    """How many times the seconds that the step's multiplications and additions take at the core's peak.

    1 / the share of the peak. The peak is measured right before and after, and the higher one counts.
    """

    params = [list(TABLE), list(DTYPES)]
    param_names = ["workload", "dtype"]
    unit = "times"
    timeout = 300

    def setup(self, name, dtype):
        if dtype not in TABLE[name].dtypes:
            raise NotImplementedError(f"{name} is not for {dtype}")

    def track_times_of_peak(self, name, dtype):
        before = peak(dtype)
        seconds = seconds_a_step(Fit(TABLE[name], dtype))
        return seconds * max(before, peak(dtype)) * 1e9 / TABLE[name].flops_step


class Allocations:
    """What more steps allocate: the same fit with more epochs, less that with few."""

    params = ["xor-online", "xor", "tab", "policy"]
    param_names = ["workload"]
    FEW, MORE = 20, 220
    timeout = 300

    def difference(self, name, measured):
        """`measured` of the longer fit less that of the shorter, a step."""
        few, more = (Fit(TABLE[name], "float64", epochs) for epochs in (self.FEW, self.MORE))
        few.run()
        more.run()
        return (measured(more.run) - measured(few.run)) / (more.steps - few.steps)

    def track_numba_allocations(self, name):
        from numba.core.runtime import _nrt_python, rtsys

        _nrt_python.memsys_enable_stats()

        def measured(function):
            before = rtsys.get_allocation_stats()
            function()
            after = rtsys.get_allocation_stats()
            return after.alloc - before.alloc + after.mi_alloc - before.mi_alloc

        return self.difference(name, measured)

    track_numba_allocations.unit = "allocations/step"

    def track_python_bytes(self, name):
        def measured(function):
            tracemalloc.start()
            try:
                function()
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        return self.difference(name, measured)

    track_python_bytes.unit = "bytes/step"


SCRIPT = """
from fastmlp import Model
Model([2, 8, 8, 2], seed=1, dtype={dtype!r}).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=10)
"""


class Start:
    """Seconds of a whole process that fits xor for the first time, its kernels in the cache or not."""

    params = [["empty cache", "warm cache"], list(DTYPES)]
    param_names = ["cache", "dtype"]
    unit = "s"
    timeout = 600

    def track_first_fit(self, cache, dtype):
        with tempfile.TemporaryDirectory() as folder:
            turns = [self.process(Path(folder) / str(turn if cache == "empty cache" else 0), dtype) for turn in range(4)]
        return statistics.median(turns[1:])

    def process(self, folder, dtype):
        paths = [str(Path(fastmlp.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = os.environ | {
            "FASTMLP_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, paths))
        }  # fmt: skip
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", SCRIPT.format(dtype=dtype)], env=environment, check=True, cwd=folder.parent)
        return time.perf_counter() - start


class Scaling:
    """How xor's full batch scales: microseconds a step and 1000 rows."""

    params = [[WORKLOADS[name].rows for name in SERIES], list(DTYPES)]
    param_names = ["rows", "dtype"]
    unit = "us/1000 rows"
    timeout = 300

    def track_us_per_1000_rows(self, rows, dtype):
        return seconds_a_step(Fit(WORKLOADS[f"xor-{rows}"], dtype)) * 1e6 / rows * 1000
