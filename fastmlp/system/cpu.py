"""The processor that kernels are compiled for, as Numba sees it.

Imports llvmlite at the first call, and never Numba.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass

from fastmlp.system import background, memory_limits


@dataclass(frozen=True)
class Target:
    """A processor's name and features, and the width in bytes of the registers that kernels use."""

    name: str
    features: str
    register: int


@functools.cache
def target() -> Target:
    """Returns this process's target.

    The environment variables `NUMBA_CPU_NAME` and `NUMBA_CPU_FEATURES` choose another processor than the host, as for
    Numba. `FASTMLP_REGISTER_BYTES` (16, 32 or 64) chooses the width. Results do not depend on any of them.
    """
    return _importer.call(_target)


_importer = background.Worker()  # an interrupt must not leave half of llvmlite imported


def _target() -> Target:
    """Determines the target. Raises ValueError for a wrong FASTMLP_REGISTER_BYTES."""
    if "llvmlite.binding" not in sys.modules:
        memory_limits.need(16 * memory_limits.MB, "LLVM", code=192 * memory_limits.MB)
    import llvmlite.binding as llvm

    name = os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name == "generic" else llvm.get_host_cpu_features().flatten()
    width = 64 if "+avx512f" in features else 32 if "+avx2" in features else 16
    forced = os.environ.get("FASTMLP_REGISTER_BYTES")
    if forced:
        if forced not in ("16", "32", "64"):
            raise ValueError(f"FASTMLP_REGISTER_BYTES={forced!r} is not a width: use 16, 32 or 64, or unset it")
        width = int(forced)
    return Target(name, features, width)


def spin_hint() -> tuple[str, tuple[int, ...]] | None:
    """Returns LLVM's name and arguments of the instruction for a spinning thread; None if the processor has none."""
    import llvmlite.binding as llvm

    machine = llvm.get_default_triple().partition("-")[0]
    if machine in ("x86_64", "i686"):
        return "llvm.x86.sse2.pause", ()
    return ("llvm.aarch64.hint", (1,)) if machine in ("aarch64", "arm64") else None


def yield_function() -> str | None:
    """Returns the name of the C function that yields the core to other threads; None if the process has none."""
    return None if sys.platform == "win32" else "sched_yield"
