"""Figures that are neither seconds nor bytes of one call. Less is better in each, as asv takes it to be."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import fastmlp
from benchmarks import fair
from benchmarks.peak import peak
from benchmarks.suites.training import TABLE, Fit, epochs_of
from benchmarks.workloads import SERIES, WORKLOADS
from fastmlp.spec import DTYPES

TURNS = 7


def seconds(fit):
    start = time.perf_counter()
    fit.run()
    return time.perf_counter() - start


class Roofline:
    """How many times the seconds that the step's multiplications and additions take at the core's peak.

    1 / the fraction of the peak. The peak is measured right before and after, and the higher one counts.
    """

    params = (tuple(TABLE), DTYPES)
    param_names = ("workload", "dtype")
    unit = "times"
    timeout = 300

    def setup(self, name, dtype):
        if dtype not in TABLE[name].dtypes:
            raise NotImplementedError(f"{name} is not for {dtype}")

    def track_times_of_peak(self, name, dtype):
        fit = Fit(TABLE[name], dtype)
        fit.run()
        before = peak(dtype)
        step = statistics.median(seconds(fit) for _ in range(TURNS)) / fit.steps
        return step * max(before, peak(dtype)) * 1e9 / TABLE[name].flops_step


class Allocations:
    """What more steps allocate: the same fit with more epochs, less that with few.

    Adam's numbers (matexp-200) are made for up to 16,384 updates ahead, some 65 bytes each, and no more than that.
    """

    params = ("xor-online", "xor", "matexp-200", "tab")
    param_names = ("workload",)
    FEW, MORE = 20, 2020  # epochs
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

    params = (("empty cache", "warm cache"), DTYPES)
    param_names = ("cache", "dtype")
    unit = "s"
    timeout = 600

    def track_first_fit(self, cache, dtype):
        with tempfile.TemporaryDirectory() as folder:
            caches = [Path(folder) / (str(turn) if cache == "empty cache" else "one") for turn in range(4)]
            turns = [self.process(cache, dtype) for cache in caches]
        return statistics.median(turns[1:])

    def process(self, cache, dtype):
        here = [str(Path(fastmlp.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        paths = os.pathsep.join(filter(None, here))
        environment = fair.environment(FASTMLP_CACHE_DIR=str(cache), PYTHONPATH=paths)
        command = [sys.executable, "-c", SCRIPT.format(dtype=dtype)]
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, cwd=cache.parent)
        return time.perf_counter() - start


class Scaling:
    """How xor's full batch scales: microseconds a step and 1000 rows.

    A fit's beginning, which copies the rows, is not in it: it is the difference of two fits.
    """

    params = (tuple(WORKLOADS[name].rows for name in SERIES), DTYPES)
    param_names = ("rows", "dtype")
    unit = "us/1000 rows"
    timeout = 300

    def track_us_per_1000_rows(self, rows, dtype):
        workload = WORKLOADS[f"xor-{rows}"]
        epochs = epochs_of(workload)
        short, long = Fit(workload, dtype, epochs), Fit(workload, dtype, 3 * epochs)
        short.run()
        turns = [(seconds(long) - seconds(short)) / (long.steps - short.steps) for _ in range(TURNS)]
        return statistics.median(turns) * 1e6 / rows * 1000
