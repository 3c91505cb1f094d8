"""Seconds of a step of each workload, and the memory of two fits."""

import numpy as np

from benchmarks.suites.training import TABLE, Fit, step_clock
from benchmarks.workloads import WORKLOADS
from fastmlp.spec import DTYPES


class Steps:
    """A sample is a warm fit of a fixed number of epochs, told in seconds a step."""

    params = (tuple(TABLE), DTYPES)
    param_names = ("workload", "dtype")
    number = 1
    repeat = (3, 11, 2.0)
    rounds = 2  # processes
    warmup_time = 0
    timeout = 300

    def __init__(self):
        self.fit = None

    def setup(self, name, dtype):
        if dtype not in TABLE[name].dtypes:
            raise NotImplementedError(f"{name} is not for {dtype}")
        if self.fit is None:
            self.fit = Fit(TABLE[name], dtype)
            self.fit.run()
            self.timer = step_clock(self.fit.steps)

    def time_step(self, name, dtype):
        self.fit.run()


class Memory:
    """The process's most memory in a fit of one epoch, on rows that another process has made."""

    params = ("xor-200000", "mnist")
    param_names = ("workload",)
    timeout = 300

    def setup_cache(self):
        for name in self.params:
            for part, array in zip("xy", WORKLOADS[name].data("float64"), strict=True):
                np.save(f"{name}-{part}.npy", array)

    def peakmem_fit(self, name):
        x, y = (np.load(f"{name}-{part}.npy") for part in "xy")
        Fit(WORKLOADS[name], "float64", epochs=1, data=(x, y)).run()
