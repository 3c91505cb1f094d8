"""Seconds per step of each workload, in calls of `Model.fit` with everything compiled and loaded.

    python -m pytest benchmarks/suites

A round is a fit of a fixed number of epochs, told in seconds a step (`extra_info` of the JSON has the counts): shuffles
are in it, and checks and copies at a fit's beginning, under 3 %. An epoch of the kernels is compared with the
reference's, bit for bit, before any is timed, where the reference can do one in some tenths of a second.
"""

import pytest

from .training import TABLE, Fit, check_bits, epochs_of, reference_can, step_clock

ROWS = {
    (name, dtype, backend): 1 if backend == "reference" else None  # epochs
    for name, workload in TABLE.items()
    for dtype in workload.dtypes
    for backend in ("numba", "reference")
    if backend == "numba" or reference_can(workload)
}


def pytest_generate_tests(metafunc):
    smoke = metafunc.config.getoption("--smoke", False)
    rows = []
    for (name, dtype, backend), epochs in ROWS.items():
        workload = TABLE[name].with_rows(min(TABLE[name].rows, 64)) if smoke else TABLE[name]
        clock = step_clock((epochs or epochs_of(workload)) * workload.steps_epoch)
        label = "fastmlp" if backend == "numba" else "reference"
        marks = pytest.mark.benchmark(timer=clock, group=f"a step of {name}, {dtype}")
        rows.append(pytest.param(workload, dtype, backend, epochs, marks=marks, id=f"{name}-{dtype}-{label}"))
    metafunc.parametrize(("workload", "dtype", "backend", "epochs"), rows)


def test_step(benchmark, smoke, workload, dtype, backend, epochs):
    if backend == "numba" and reference_can(workload):
        check_bits(workload, dtype)
    fit = Fit(workload, dtype, 1 if smoke else epochs, backend)
    benchmark.name = "fastmlp" if backend == "numba" else "reference"
    benchmark.extra_info |= {"epochs": fit.epochs, "steps": fit.steps, "flops_step": workload.flops_step}
    slow = backend == "reference" or fit.epochs * workload.flops_epoch > 2e10
    benchmark.pedantic(fit.run, rounds=3 if slow else 11, warmup_rounds=1)
