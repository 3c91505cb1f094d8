"""Training allocates nothing that grows with the number of steps: neither in kernels nor in Python."""

import tracemalloc

import numpy as np
import pytest
from cases import Unregistered
from numba import njit
from numba.core.runtime import _nrt_python, rtsys
from trainings import Problem, finish

from fastmlp.engine import numba_backend
from fastmlp.jit import cache, compilation, machine_code
from fastmlp.kernels import registry
from fastmlp.training import Training

PAIRS = registry.load_all()


def numba_allocations(function):
    """How many times `function` makes Numba's runtime allocate."""
    _nrt_python.memsys_enable_stats()
    before = rtsys.get_allocation_stats()
    function()
    after = rtsys.get_allocation_stats()
    return after.alloc - before.alloc + after.mi_alloc - before.mi_alloc


def python_growth(function):
    """The most bytes that `function` holds at once, beyond what there was before."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def train(epochs, batch=8, order=None, pass_name=None):
    problem = Problem.make(21, [2, 4, 2], 8)
    training = Training(epochs, 0.01, batch, record_every=10**9, order=order)
    return lambda: finish(numba_backend.train, problem, training, pass_name=pass_name)


WAYS = [dict(), dict(batch=3, order=5), dict(batch=1, pass_name="rowwise")]


def test_the_counter_counts():
    """An array made in Numba code is seen."""

    @njit
    def wasteful(count):
        total = 0.0
        for _ in range(count):
            total += np.ones(1000)[0]
        return total

    wasteful(1)
    assert numba_allocations(lambda: wasteful(500)) - numba_allocations(lambda: wasteful(10)) >= 490


@pytest.mark.parametrize("way", WAYS, ids=["whole", "mini-batches", "one row"])
def test_numba_allocates_nothing_more_for_more_epochs(way):
    train(10, **way)()
    assert numba_allocations(train(10_000, **way)) == numba_allocations(train(10, **way)) == 0


@pytest.mark.parametrize("way", WAYS, ids=["whole", "mini-batches", "one row"])
def test_python_holds_no_more_for_more_epochs(way):
    train(1000, **way)()
    few, many = python_growth(train(1000, **way)), python_growth(train(20_000, **way))
    assert many < few + 20_000, "less than a byte an epoch"


def test_python_growth_is_seen():
    assert python_growth(lambda: [float(i) for i in range(20_000)]) > 20_000


# ---------------------------------------------------------------------------------------------------------
# What kernels may call: no allocator among it


EACH = [(name, dtype) for name in PAIRS for dtype in PAIRS[name].dtypes]


@pytest.mark.parametrize(
    ("name", "dtype"), [pytest.param(*one, marks=[pytest.mark.slow] if n % 4 else []) for n, one in enumerate(EACH)]
)
def test_kernels_call_nothing_that_allocates(name, dtype):
    kernel = PAIRS[name]
    code = cache.read(name, dtype) or compilation.compile_function(kernel.function, kernel.signature(dtype))
    assert set(code.externals) <= machine_code.EXTERNALS


def test_the_list_of_externals_has_no_allocator():
    assert not [name for name in machine_code.EXTERNALS if "alloc" in name.lower() or name.startswith("NRT")]


def allocates(x: registry.Floats, count: registry.Int):
    x[0] = np.zeros(count)[0]


def test_a_kernel_that_allocates_is_seen():
    code = Unregistered(allocates, _nrt=True).code("float64")
    assert not set(code.externals) <= machine_code.EXTERNALS
