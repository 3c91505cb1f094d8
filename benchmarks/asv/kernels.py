"""Seconds of a call of each kernel, on the rows of `benchmarks/suites`; bits are compared first."""

from benchmarks.suites.kernels import ROWS, Bench, Unfit
from fastmlp.spec import DTYPES


class Kernels:
    params = (tuple(ROWS), DTYPES)
    param_names = ("kernel", "dtype")
    number = 1  # calls between two runs of `setup`, which puts back what a call has overwritten
    repeat = (20, 500, 0.2)
    rounds = 1  # processes
    warmup_time = 0.01
    timeout = 120

    def __init__(self):
        self.bench = None

    def setup(self, name, dtype):
        if self.bench is None:
            try:
                self.bench = Bench(name, dtype)
            except Unfit as why:
                raise NotImplementedError(str(why)) from None  # asv leaves the row out
        self.bench.restore()

    def time_kernel(self, name, dtype):
        self.bench.kernel()
