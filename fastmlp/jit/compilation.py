"""Compiles a kernel to object code: by the short pipeline, or by Numba's whole compiler where that fails.

Importing this module does not import Numba.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.jit import numba_settings
from fastmlp.jit.machine_code import Code, compiler_options, externals
from fastmlp.system import background, memory_limits

# Everything that imports Numba or compiles runs in this worker's thread.
WORKER = background.Worker()


@contextmanager
def compiling() -> Iterator[None]:
    """A context for compiling: Numba's settings are those that the cache knows, and NUMBA_DISABLE_JIT is off.

    A kernel is not a Python function that could run uncompiled.
    """
    with _in_haste(), numba_settings.pinned():
        yield


@contextmanager
def importing() -> Iterator[None]:
    """A context for importing Numba and kernels: NUMBA_DISABLE_JIT is off, and OPT is an object of Numba's.

    Other threads may use Numba's other settings. Numba makes its target when the first helper is decorated, and fails
    if somebody has assigned a plain number to `numba.config.OPT`.
    """
    if "fastmlp.jit.numba_pipeline" not in sys.modules:
        memory_limits.need(160 * memory_limits.MB, "compiling kernels", code=96 * memory_limits.MB)
    with _in_haste():
        from numba import config

        usable = {"DISABLE_JIT": 0}
        if type(config.OPT) is int:
            usable["OPT"] = config._OptLevel(config.OPT)
        with numba_settings.changed(vars(config), usable):
            yield


@contextmanager
def _in_haste() -> Iterator[None]:
    """A context without garbage collection and with quick switches of Python's lock.

    What other code sets meanwhile stays set.
    """
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    short = interval
    try:
        gc.set_threshold(0)
        # LLVM's thread calls some hundred small functions, and would wait 5 ms for Python's lock at each.
        sys.setswitchinterval(5e-5)
        short = sys.getswitchinterval()  # it is rounded
        yield
    finally:
        if sys.getswitchinterval() == short:
            sys.setswitchinterval(interval + 1e-7)  # Python keeps whole microseconds, rounded down
        if gc.get_threshold()[0] == 0:
            gc.set_threshold(*threshold)


def compile_function(function: Callable[..., Any], signature: Any) -> Code:
    """Compiles `function` for a Numba signature and this process's target. Imports Numba."""
    try:
        return begin(function, signature)()
    except MemoryError:
        raise
    except Exception:
        # It needs more than `numba_pipeline` declares, or the parts of Numba that this uses have changed.
        return compile_by_numba(function, signature)


def begin(function: Callable[..., Any], signature: Any) -> Callable[[], Code]:
    """Does Numba's part of `compile_function`, and returns a function that does LLVM's, a third of the time.

    That function is called once, in any thread. It raises if the whole compiler is needed.
    """
    with importing():
        from numba.core.compiler_lock import global_compiler_lock

        from fastmlp.jit import numba_pipeline
    memory_limits.need(memory_limits.COMPILE, "compiling a kernel")
    with global_compiler_lock, compiling():
        finish = numba_pipeline.begin(function, signature)

    def finished() -> Code:
        memory_limits.need(memory_limits.COMPILE, "compiling a kernel")
        return Code(*finish())

    return finished


def compile_by_numba(function: Callable[..., Any], signature: Any, **options: Any) -> Code:
    """Compiles by Numba's whole compiler, which takes twice as long; `options` are further options of Numba's."""
    with importing():
        from llvmlite import binding as llvm
        from numba import njit
        from numba.core.codegen import JITCPUCodegen
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.registry import cpu_target
    memory_limits.need(2 * memory_limits.COMPILE, "compiling a kernel")
    with global_compiler_lock, compiling():
        # Numba's own target has the settings of the time when it was made.
        fresh = {"_internal_codegen": JITCPUCodegen("fastmlp")}
        with numba_settings.changed(vars(cpu_target.target_context), fresh):
            dispatcher = njit(**{**compiler_options(), **options})(function)
            dispatcher.compile(signature)
        result = dispatcher.overloads[signature.args]
        module = llvm.parse_assembly(result.library.get_llvm_str())
        return Code(result.fndesc.llvm_func_name, externals(module), result.library._get_compiled_object())
