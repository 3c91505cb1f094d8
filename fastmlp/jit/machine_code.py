"""Machine code: made by Numba from a kernel, and linked into this process by llvmlite alone.

A kernel's object code is plain C with Numba's calling convention: `int32 f(result*, exception**, arguments...)`. It
allocates nothing, raises nothing and refers to no Python object. So a process that finds it in the cache never imports
Numba: linking takes 0.3 ms a kernel, and importing Numba and its registries 500.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from fastmlp.system import memory_limits

# What object code may need from the process: C's memory functions, libm's exact fma (on processors without the
# instruction), and Python's own functions for Ctrl-C.
EXTERNALS = {
    "fma", "fmaf", "memcpy", "memmove", "memset",
    "sched_yield", "PyGILState_Ensure", "PyGILState_Release", "PyOS_InterruptOccurred",
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Object code, the symbol of its one function, and the names that it needs from the process."""

    symbol: str
    externals: tuple[str, ...]
    object: bytes


def compiler_options() -> dict[str, Any]:
    """Returns the only Numba options in fastmlp for functions that stand alone.

    With error_model="numpy", a division by zero is a value, not a branch. There are no wrappers, reference counts or
    bounds checks, since these are C functions. fastmath is never on: it would let the compiler change bits.
    """
    plain = dict(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
    return dict(error_model="numpy", nogil=True, boundscheck=False, fastmath=False, **plain)


def externals(module: Any) -> tuple[str, ...]:
    """Returns the names that an LLVM module needs from the process."""
    names = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    return tuple(sorted(names))


def link(code: Code) -> int:
    """Links code, and returns the address of its function.

    Raises RuntimeError if it cannot be linked, and MemoryError if there is not enough memory for that.
    """
    memory_limits.need(memory_limits.LINK + 4 * len(code.object), "linking a kernel")
    import llvmlite.binding as llvm

    _initialise()
    for name in code.externals:
        llvm.add_symbol(name, _process_address(name))
    content = llvm.ObjectFileRef.from_data(code.object)
    if not content:
        raise RuntimeError("the object code is none")
    # Each kernel has its own engine: two objects in one engine would merge functions of the same name.
    machine = llvm.Target.from_default_triple().create_target_machine()
    module = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.remove_module(module)  # else LLVM compiles the empty module: three quarters of the time
    engine.add_object_file(content)
    engine.finalize_object()
    address = engine.get_function_address(code.symbol)
    if not address:
        raise RuntimeError(f"the object code has no function {code.symbol}")
    _engines.append(engine)
    return address


def _process_address(name: str) -> int:
    """The address of a function of Python, libc or libm. Raises RuntimeError if there is none."""
    libraries: list[Any] = [ctypes.pythonapi]
    if sys.platform == "win32":
        libraries += [ctypes.CDLL("ucrtbase"), ctypes.CDLL("vcruntime140")]
    else:
        libraries += [ctypes.CDLL(None)]
        if name.startswith("fma"):  # on processors without the instruction
            from ctypes.util import find_library  # takes some ms

            path = find_library("m")
            libraries += [ctypes.CDLL(path)] if path else []
    for library in libraries:
        try:
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
        except AttributeError:
            pass
    raise RuntimeError(f"a kernel needs {name}, which this process does not have")


_engines: list[Any] = []  # they own the code at the addresses, and live as long as the process
_ready: list[bool] = []


def _initialise() -> None:
    """Initialises LLVM, once."""
    if not _ready:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        _ready.append(True)


class Function:
    """A linked kernel as a Python function of integers, floats and addresses. The GIL is released during the call."""

    def __init__(self, address: int, arguments: list[Any]):
        kinds = [ctypes.c_void_p, ctypes.c_void_p, *arguments]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address)

    def __call__(self, *arguments: Any) -> int:
        result = ctypes.c_int64(0)  # one for each call: several threads may call at once
        exception = ctypes.c_void_p()
        self._call(ctypes.addressof(result), ctypes.addressof(exception), *arguments)
        return result.value
