"""Every registered kernel, its reference, and NumPy where it has the operation; compiling and linking by themselves.

    python -m pytest benchmarks/suites

A round is one call on the same inputs, which are put back between rounds, outside of the timer. The least of rounds
holds some 1 us of Python's call of a C function (the group "a call").
"""

import ctypes
import statistics
import time

import pytest

from fastmlp.jit import cache, compilation, machine_code
from fastmlp.kernels import registry

from ..parts import nothing
from .kernels import ROWS, SMALL, TYPICAL, Bench, unmeasured

PAIRS = registry.load_all()
MADE = [(name, dtype) for name in PAIRS for dtype in PAIRS[name].dtypes]
SLOWEST = 0.3  # seconds that one row's rounds may take, about


@pytest.fixture(scope="session")
def bench(request):
    """Ready kernels by name and dtype, each made once: that compares its bits with the reference's."""
    size = SMALL if request.config.getoption("--smoke", False) else TYPICAL
    made = {}

    def get(name, dtype):
        if (name, dtype) not in made:
            made.clear()  # a kernel's rows come one after another
            made[name, dtype] = Bench(name, dtype, size)
        return made[name, dtype]

    return get


def rounds_for(function, restore):
    """As many calls as fit SLOWEST, 3 to 500, after looking at a few."""
    seen = []
    for _ in range(3):
        restore()
        start = time.perf_counter()
        function()
        seen.append(time.perf_counter() - start)
    return max(3, min(500, int(SLOWEST / statistics.median(seen))))


def test_no_kernel_is_unmeasured():
    assert not unmeasured(PAIRS, ROWS), "give each of these a row in benchmarks/suites"
    assert not unmeasured(ROWS, PAIRS), "these are no longer registered"


@pytest.mark.parametrize(
    ("name", "dtype", "who"),
    [(name, dtype, who) for name, dtype in MADE for who in ("kernel", "reference", "numpy")],
)
def test_time(benchmark, bench, smoke, name, dtype, who):
    ready = bench(name, dtype)
    if who == "numpy":
        if ready.numpy is None:
            pytest.skip("NumPy has no such operation")
        ready.check_numpy()
    function = getattr(ready, who)
    benchmark.group = f"{name} {dtype}"
    benchmark.name = who
    rounds = 1 if smoke else rounds_for(function, ready.restore)
    benchmark.pedantic(function, setup=ready.restore, rounds=rounds, warmup_rounds=min(rounds, 3))


def test_a_call(benchmark):
    """What a kernel that does nothing takes, called as the kernels are."""
    from numba import types

    run = machine_code.Function(
        machine_code.link(compilation.compile_function(nothing, types.void(types.int64))), [ctypes.c_int64]
    )
    benchmark.group = "a call"
    benchmark(run, 0)


def pytest_generate_tests(metafunc):
    """For `name` and `dtype`. Compiling all kernels takes a minute: a smoke run takes the first of each file."""
    if "who" not in metafunc.fixturenames and "name" in metafunc.fixturenames:
        first = {name.split(".")[0]: (name, dtype) for name, dtype in reversed(MADE)}
        metafunc.parametrize(("name", "dtype"), first.values() if metafunc.config.getoption("--smoke", False) else MADE)


def test_compile(benchmark, name, dtype):
    """Seconds from a Python function to object code, with Numba imported and warm."""
    from numba import types

    compilation.compile_function(nothing, types.void(types.int64))
    kernel = PAIRS[name]
    benchmark.group = f"compile {name.split('.')[0]}"
    benchmark.name = f"{name} {dtype}"
    code = benchmark.pedantic(compilation.compile_function, (kernel.function, kernel.signature(dtype)), rounds=1)
    benchmark.extra_info["bytes"] = len(code.object)


def test_link(benchmark, name, dtype):
    """Seconds from a file of the cache to an address."""
    registry.address(name, dtype)
    if cache.read(name, dtype) is None:
        pytest.skip("no folder can be written to cache it in")
    benchmark.group = f"link {name.split('.')[0]}"
    benchmark.name = f"{name} {dtype}"
    benchmark.pedantic(lambda: machine_code.link(cache.read(name, dtype)), rounds=5)
