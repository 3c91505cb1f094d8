"""A fit holds its data at most once more: no temporary arrays of all rows."""

import sys
import tracemalloc

import numpy as np
import pytest

from benchmarks import memory
from benchmarks.workloads import WORKLOADS
from fastmlp import Model
from fastmlp.core import data

ROWS, INPUTS = 200_000, 16
DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])


def share(dtype, batch_size=None, output="softmax", outputs=3, y=None):
    """The most that NumPy and Python hold during a fit beyond the caller's own data, as a fraction of that data."""
    x = np.random.default_rng(0).random((ROWS, INPUTS)).astype(dtype)
    y = np.resize(np.arange(outputs), ROWS).astype(dtype) if y is None else y
    model = Model([INPUTS, 4, outputs], output=output, dtype=dtype, seed=0)
    settings = dict(learning_rate=0.01, batch_size=batch_size, threads=1, progress=False)
    model.fit(x[:64], y[:64], epochs=1, **settings)  # what is compiled and kept for good
    tracemalloc.start()
    try:
        model.fit(x, y, epochs=2, **settings)
        return tracemalloc.get_traced_memory()[1] / (x.nbytes + y.nbytes)
    finally:
        tracemalloc.stop()


@DTYPES
def test_batches_of_all_rows_copy_the_data_once(dtype):
    assert 1 < share(dtype) < 1.3  # the copy's units are a line apart: 6 to 9 % more; and the buffers of records


@DTYPES
def test_small_batches_copy_no_data(dtype):
    assert share(dtype, batch_size=100) < (0.25 if dtype == "float64" else 0.5)  # the rows' order: 8 bytes each


@DTYPES
@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_small_batches_copy_no_values_either(dtype, output):
    y = np.resize(np.array([0, 1, 1], dtype), (ROWS, 2))
    assert share(dtype, 100, output, 2, y) < (0.25 if dtype == "float64" else 0.5)


@pytest.mark.parametrize("kind", ["int64", "bool", "one-hot"])
def test_labels_of_another_kind_are_copied_and_no_more(kind):
    y = np.resize(np.arange(2), ROWS)
    y = np.eye(2)[y] if kind == "one-hot" else y.astype(kind)
    assert share("float64", 100, outputs=2, y=y) < 0.25


def test_a_temporary_of_all_rows_is_seen(monkeypatch):
    monkeypatch.setattr(data, "first", lambda good, array: None if good(array + 0).all() else 0)
    assert share("float64", batch_size=100) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_benchmark_measures_a_fit():
    workload = WORKLOADS["xor-200000"]
    found = memory.measure(workload, "float64")
    assert found["data"] == 200_000 * 3 * 8
    assert found["workspace"] > found["data"]  # its copy, and vectors
    assert found["data"] + 200_000 * 3 * 8 < found["peak"] < 4 * found["data"]
    assert "| xor-200000 | float64 | 4.8 |" in memory.table({("xor-200000", "float64"): found})
