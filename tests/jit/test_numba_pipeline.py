"""The short compiler: it takes all kernels, and makes of them what Numba's whole compiler makes."""

import threading

import numpy as np
import pytest
from cases import Unregistered

from fastmlp.jit import cache, compilation, machine_code
from fastmlp.jit.loader import Loader
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.kernels.simd import helper

PAIRS = registry.load_all()
with compilation.compiling():
    from fastmlp.jit import numba_pipeline


EACH_EIGHTH = [
    pytest.param(name, marks=[pytest.mark.slow] if number % 8 else []) for number, name in enumerate(sorted(PAIRS))
]


@pytest.mark.parametrize("name", EACH_EIGHTH)
def test_no_kernel_needs_the_whole_compiler(name):
    kernel = PAIRS[name]
    with compilation.compiling():
        _symbol, externals, code = numba_pipeline.compile_function(kernel.function, kernel.signature(kernel.dtypes[-1]))
    assert code
    assert set(externals) <= machine_code.EXTERNALS


@helper
def third_of(x, i):
    if i % 2 == 0:
        return x[i] / 3
    y = x[i - 1]
    return y - x[i]


def wholes(x: Floats, counts: Ints, count: Int) -> int:
    """Signed division and remainder, int() of a number and of a truth, and a helper that is copied in twice."""
    total = 0
    for i in range(count):
        counts[i] = (i - 5) // 3 * 100 + (i - 5) % 3
        total += int(x[i]) + int(x[i] > 2)
        x[i] = third_of(x, i) * third_of(i=i, x=x)
    return total


def run(code, count=12):
    x, counts = np.linspace(-4.0, 9.0, count), np.zeros(count, np.int64)
    kinds = Unregistered(wholes)
    with compilation.compiling():
        address = machine_code.link(
            code(wholes, registry.Kernel("wholes", wholes, None, kinds.arguments, ()).signature("float64"))
        )
    call = machine_code.Function(
        address, [machine_code.ctypes.c_void_p, machine_code.ctypes.c_void_p, machine_code.ctypes.c_int64]
    )
    return call(x.ctypes.data, counts.ctypes.data, count), x.tobytes(), counts.tobytes()


def test_both_compilers_make_the_same_of_a_function():
    short = run(lambda *asked: machine_code.Code(*numba_pipeline.compile_function(*asked)))
    assert short == run(compilation.compile_by_numba)
    assert short[0] != 0


def greatest(x: Floats, count: Int):
    for i in range(count):
        x[i] = max(x[i], 2.0)


def test_what_the_short_compiler_does_not_know_goes_to_the_whole_one():
    """min and max are overloads in Numba."""
    x = np.arange(5.0)
    Unregistered(greatest)("float64", x, 5)
    np.testing.assert_array_equal(x, [2, 2, 2, 3, 4])


def test_a_numba_whose_parts_have_changed_only_takes_longer(monkeypatch):
    def changed(*_):
        raise AttributeError("PassManager")

    monkeypatch.setattr(numba_pipeline, "begin", changed)
    x = np.arange(5.0)
    Unregistered(greatest)("float64", x, 5)
    np.testing.assert_array_equal(x, [2, 2, 2, 3, 4])


def test_numba_itself_stays_as_it_was():
    """The target is fastmlp's alone: other code of the process compiles as ever, int() and overloads included."""
    from numba import njit

    @njit
    def mixed(values):
        return int(values.max()), len([1, 2]), str(3), max(1, 2)

    assert mixed(np.arange(4.0)) == (3, 2, "3", 2)


@pytest.mark.parametrize("fails", ["", "numba", "llvm"])
def test_llvm_works_beside_numba(fails, monkeypatch):
    """Each part in a thread of its own. Whatever fails there is done again, by Numba's whole compiler."""
    found = Loader(registry._find)
    monkeypatch.setattr(cache, "read", lambda *_: None)
    monkeypatch.setattr(cache, "write", lambda *_: None)
    threads, whole = [], []
    begin, compile_by_numba = compilation.begin, compilation.compile_by_numba

    def part(name):
        threads.append(threading.get_ident())
        if fails == name:
            raise RuntimeError(name)

    def begun(*asked):
        part("numba")
        finish = begin(*asked)
        return lambda: part("llvm") or finish()

    monkeypatch.setattr(compilation, "begin", begun)
    monkeypatch.setattr(compilation, "compile_by_numba", lambda *asked: whole.append(1) or compile_by_numba(*asked))
    found.begin("layout.scatter", "float64")
    found.begin("layout.scatter", "float64")
    address = found.address("layout.scatter", "float64")
    assert address
    assert len(threads) == (1 if fails == "numba" else 2)
    assert threading.get_ident() not in threads
    assert len(set(threads)) == len(threads)
    assert len(whole) == bool(fails)
    found.begin("layout.scatter", "float64")  # it is there
    assert found.address("layout.scatter", "float64") == address
    assert len(found.seconds) == 1
