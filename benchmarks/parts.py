"""The parts of an epoch: the time of each kernel, measured by replacing it with a function that does nothing.

    python -m benchmarks.parts                              XOR, 2-8-8-2, 2000 rows, both dtypes
    python -m benchmarks.parts --layers 30,64,64,2 --rows 2048 --batch 32
    python -m benchmarks.parts --layers 784,128,10 --rows 5000 --batch 128 --pass layered

Softmax and cross-entropy, no records. One core; each figure is the least of many turns. The parts need not add up
to the whole, since the processor overlaps some of the work.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

import numpy as np

from fastmlp.engine import numba_backend
from fastmlp.engine.buffers import DENSE, STEPS
from fastmlp.jit import compilation, machine_code
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.spec import DTYPES, Spec
from fastmlp.training import Training

KERNELS = {
    "dense_forward": at.DENSE_FORWARD,
    "dense_backward_input": at.DENSE_BACKWARD_INPUT,
    "dense_backward_weights": at.DENSE_BACKWARD_WEIGHTS,
    "softmax_cross_entropy": at.LOSS_KERNEL,
    "gather": at.GATHER,
    "copy_rows": at.COPY_ROWS,
    "transpose": at.TRANSPOSE,
    "gradient_descent": at.UPDATE,
}
PASSES = tuple(DENSE)
TURNS = 40
SECONDS = 0.004  # a turn


def nothing(x):
    pass


class Bench:
    """A training whose plan can be changed between turns; it never records, and learns next to nothing.

    options: of the Training, and weighed: whether its rows have weights.
    """

    def __init__(
        self, spec: Spec, rows: int, batch: int, weighed: bool = False, pass_name: str = "streamed", **options: Any
    ):
        draws = np.random.default_rng(0)
        x = draws.normal(size=(rows, spec.inputs)).astype(spec.dtype)
        y = draws.integers(spec.outputs if spec.output == "softmax" else 2, size=(rows, spec.targets))
        y = np.ascontiguousarray(y.reshape(rows) if spec.output == "softmax" else y, spec.dtype)
        parameters = draws.normal(size=spec.parameters).astype(spec.dtype) / 10
        options = {"learning_rate": 1e-12, **options}
        training = Training(epochs=2**40, batch_size=batch, record_every=2**40, **options)
        weights = np.ones(rows, spec.dtype) if weighed else None
        self.workspace = numba_backend.ready(spec, parameters, x, y, training, weights=weights, pass_name=pass_name)
        self.workspace.plan[at.EPOCH] = 2  # the first epoch is recorded
        self.workspace.steps[:] = 1  # Adam's corrections; the engine fills them in as it goes
        self.workspace.steps[:, 0] = 1e-12
        self.run = registry.function("train.train", spec.dtype, numba_backend._TRAIN)
        self.batches = 1
        self.batches = max(1, int(SECONDS / 1e-6 / self.turn()))
        if self.workspace.plan[at.STEP_NUMBERS]:
            self.batches = min(self.batches, STEPS)

    def turn(self) -> float:
        """Microseconds a batch."""
        addresses = self.workspace.plan.ctypes.data, self.workspace.parameters.ctypes.data
        start = time.perf_counter()
        self.run(*addresses, self.batches)
        return (time.perf_counter() - start) / self.batches * 1e6

    def least(self) -> float:
        return min(self.turn() for _ in range(TURNS))

    def without(self, field: int, address: int) -> float:
        plan = self.workspace.plan
        kept, plan[field] = plan[field], address
        try:
            return self.least()
        finally:
            plan[field] = kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", default="2,8,8,2")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--batch", type=int, help="rows of a batch (default: all)")
    parser.add_argument("--pass", dest="pass_name", default="streamed", choices=PASSES)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from numba import types

    idle = machine_code.link(compilation.compile_function(nothing, types.void(types.int64)))
    for dtype in DTYPES:
        spec = Spec.build([int(size) for size in arguments.layers.split(",")], dtype=dtype)
        batch = min(arguments.batch or arguments.rows, arguments.rows)
        bench = Bench(spec, arguments.rows, batch, pass_name=arguments.pass_name)
        whole = bench.least()
        flops = sum(2 * k * j * (3 if layer else 2) for layer, (k, j) in enumerate(spec.shapes)) * batch
        print(f"{dtype}: {whole:.2f} us a batch, {flops / whole / 1e3:.1f} GFLOP/s")
        for name, field in KERNELS.items():
            if bench.workspace.plan[field]:
                print(f"    {name:24} {whole - bench.without(field, idle):6.2f} us")


if __name__ == "__main__":
    main()
