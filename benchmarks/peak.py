"""The peak of a core: fused multiply-adds on registers alone.

    python -m benchmarks.peak                GFLOP/s of one core, and of all

The kernel is compiled as fastmlp's own are, for the same registers; it is not part of the package.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import threading
import time
from typing import Any

import numpy as np

from fastmlp.jit import compilation, machine_code
from fastmlp.spec import DTYPES
from fastmlp.system.cpu import target

from .cores import available, pinned

# Independent sums: two units of 4 or 5 cycles' latency need 10 in flight; 12, two operands and a spare are the 16
# registers of AVX2.
SUMS = 12
SECONDS = 0.02  # a turn
TURNS = 5


@functools.cache
def _kernel(dtype: str) -> machine_code.Function:
    """f(address of room for a register, count): count times SUMS fused multiply-adds of whole registers."""
    with compilation.compiling():
        from numba import types

        from fastmlp.kernels import memory, simd

        load, store, fill, fma = memory.load, memory.store, simd.fill, simd.fma

        def chains(room, count):  # type: ignore[no-untyped-def]
            factor, term = load(room, 0), load(room, 64)
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = fill(room, 0)
            for _ in range(count):
                s0, s1, s2 = fma(factor, s0, term), fma(factor, s1, term), fma(factor, s2, term)
                s3, s4, s5 = fma(factor, s3, term), fma(factor, s4, term), fma(factor, s5, term)
                s6, s7, s8 = fma(factor, s6, term), fma(factor, s7, term), fma(factor, s8, term)
                s9, s10, s11 = fma(factor, s9, term), fma(factor, s10, term), fma(factor, s11, term)
            store(room, 0, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11)

        real = getattr(types, dtype)
        code = compilation.compile_function(chains, types.void(types.CPointer(real), types.int64))
    return machine_code.Function(machine_code.link(code), [ctypes.c_void_p, ctypes.c_int64])


def _turn(dtype: str, threads: int, count: int) -> tuple[int, float]:
    """(floating-point operations of all threads, seconds)."""
    run = _kernel(dtype)
    rooms = []
    for _ in range(threads):
        room = np.zeros(192, dtype)  # the kernel trusts its addresses: registers at 0 and at 64
        room[:64], room[64:] = 1 - 1e-3, 1e-3  # the sums go to 1 and stay there
        rooms.append(room)
    workers = [threading.Thread(target=run, args=(room.ctypes.data, count)) for room in rooms[1:]]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    run(rooms[0].ctypes.data, count)
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    lanes = target().register // np.dtype(dtype).itemsize
    return threads * count * SUMS * 2 * lanes, seconds


def peak(dtype: str, threads: int = 1, turns: int = TURNS, seconds: float = SECONDS) -> float:
    """GFLOP/s that so many threads reach together, each on a core of its own: the best turn."""
    _kernel(dtype)
    count = 10_000
    while (taken := _turn(dtype, threads, count)[1]) < seconds / 4:
        count *= 2
    count = max(1, int(count * seconds / taken))
    return max(flops / taken for flops, taken in (_turn(dtype, threads, count) for _ in range(turns))) / 1e9


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    cores: list[Any] = available()
    for threads in sorted({1, len(cores)}):
        with pinned(cores[:threads]):
            for dtype in DTYPES:
                print(f"{dtype}, {threads} thread{'s' * (threads > 1)}: {peak(dtype, threads):.0f} GFLOP/s")


if __name__ == "__main__":
    main()
