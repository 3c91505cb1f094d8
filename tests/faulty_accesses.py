"""Kernels that access what they must not, run with the checks of tools/bounds: prints what these saw, as JSON.

A program of its own, for test_bounds.py: from `prepare` on, all arrays and kernels of a process are checked.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.bounds.__main__ import prepare, report, violations

prepare()

import numpy as np  # noqa: E402
from cases import Unregistered  # noqa: E402

from fastmlp.engine import buffers  # noqa: E402
from fastmlp.kernels import registry  # noqa: E402
from fastmlp.kernels.blocks import put_part, zeros  # noqa: E402
from fastmlp.kernels.doors import arrive  # noqa: E402
from fastmlp.kernels.memory import fold, load, pointer, store  # noqa: E402
from fastmlp.kernels.registry import Floats, Int, Ints  # noqa: E402
from fastmlp.kernels.simd import fill  # noqa: E402
from fastmlp.system.cpu import target  # noqa: E402
from tools.bounds import ranges  # noqa: E402


def adds_up(x: Floats, y: Floats, count: Int):
    for i in range(count):
        y[0] += x[i]


def copies(x: Floats, y: Floats, first: Int, count: Int):
    for i in range(first, count):
        y[i] = x[i]


def copies_units(x: Floats, y: Floats, units: Int, rows: Int, stride: Int):
    for k in range(units):
        for n in range(rows):
            y[k * rows + n] = x[k * stride + n]


def copies_registers(x: Floats, y: Floats, first: Int):
    store(y, first, load(x, first))


def puts_some(x: Floats, rows: Int, columns: Int):
    put_part(x, 0, 8, zeros(x, 2, 1), rows, columns, False, fill(x, 0), fill(x, 0))


def folds(x: Floats, y: Floats, i: Int):
    y[0] = fold(x, i)


def reads_by_address(address: Int, y: Floats):
    y[0] = pointer(address, y)[0]


def arrives(p: Ints, i: Int):
    arrive(p, i)


def numbers(count, dtype="float64"):
    return np.ones(count, dtype)


def calls():
    """{name: (a call that is right, one that is wrong)}; a kernel is compiled once for both."""
    add, copy, units, registers, some, line, by_address, atomic = map(
        Unregistered,
        (adds_up, copies, copies_units, copies_registers, puts_some, folds, reads_by_address, arrives),
    )
    x, y = numbers(40), numbers(40)
    width = target().register // 8
    half = width // 2
    apart = (y.ctypes.data - x.ctypes.data) // 8
    held, gone = numbers(9), numbers(9)
    address = gone.ctypes.data
    del gone
    buffer = buffers.aligned(24, "float64")
    order, rows = np.array([0, 3, 1]), numbers(8).reshape(4, 2)
    gather = registry.PAIRS["layout.gather"]

    def gathered(order):
        gather("float64", rows, order, 1, 0, 3, 2, numbers(64), 32)

    return {
        "one number too many": (lambda: add("float64", x, y, 40), lambda: add("float64", x, y, 41)),
        "of float32": (
            lambda: add("float32", numbers(5, "float32"), numbers(1, "float32"), 5),
            lambda: add("float32", numbers(5, "float32"), numbers(1, "float32"), 6),
        ),
        "before the first": (lambda: copy("float64", x, y, 0, 4), lambda: copy("float64", x, y, -1, 4)),
        "a stride too long": (lambda: units("float64", x, y, 4, 10, 10), lambda: units("float64", x, y, 4, 10, 11)),
        "half a register": (
            lambda: registers("float64", x, y, 40 - width), lambda: registers("float64", x, y, 40 - half)
        ),
        "masked lanes": (  # those that are masked may stick out
            lambda: some("float64", numbers(8 + half), 2, half), lambda: some("float64", numbers(8 + half), 2, half + 1)
        ),
        "a line": (lambda: line("float64", x, y, 32), lambda: line("float64", x, y, 33)),
        "another array": (lambda: copy("float64", x, y, 39, 40), lambda: copy("float64", x, y, apart, apart + 1)),
        "an array that is gone": (
            lambda: by_address("float64", held.ctypes.data, y), lambda: by_address("float64", address, y)
        ),
        "an atomic": (
            lambda: atomic("float64", np.zeros(2, np.int64), 1), lambda: atomic("float64", np.zeros(2, np.int64), 2)
        ),
        "behind the spare lines": (
            lambda: add("float64", buffer, y, 24 + 16), lambda: add("float64", buffer, y, 24 + 17)
        ),
        "a row that there is not": (lambda: gathered(order), lambda: gathered(order + 1)),
    }  # fmt: skip


def main():
    found = {}
    for name, (right, wrong) in calls().items():
        right()
        before = violations()
        wrong()
        found[name] = [sorted(before), sorted(violations())]
        ranges.state[ranges.WRONG :][: ranges.SITES] = 0
    print(json.dumps(found))
    registers = Unregistered(copies_registers)
    registers("float64", numbers(8), numbers(8), 7)
    return 0 if report() else 1


status = 2
try:
    status = main()
finally:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
