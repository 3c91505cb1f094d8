"""The registry of pairs: each kernel beside the reference function whose bits it returns.

`@kernel(reference.function)` is the only way to make a kernel, so none can exist that the tests do not compare and
the benchmarks do not time. `address(name, dtype)` is the only way to get at one.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import logging  # noqa: F401 (before what it asks of a fork, see below)
import os
import pkgutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import cache, native

# Kinds of a kernel's arguments, to annotate its parameters with.
Floats = "Floats"  # pointer to numbers of the network's dtype
Ints = "Ints"  # pointer to int64
Float = "Float"  # a number of the network's dtype
Int = "Int"  # int64


@dataclass(frozen=True)
class Kernel:
    """A kernel, its reference, and its C interface."""

    name: str  # "dense.dense_forward": file and function, on both sides
    function: Callable[..., Any]
    reference: Callable[..., Any] | None
    arguments: tuple[str, ...]
    dtypes: tuple[str, ...]  # that it is compiled for; a kernel of integers alone is filed under float64

    def signature(self, dtype: str) -> Any:
        """Numba's signature. Imports Numba."""
        from numba import types

        real = getattr(types, dtype)
        kinds = {Floats: types.CPointer(real), Ints: types.CPointer(types.int64), Float: real, Int: types.int64}
        returned = inspect.signature(self.function).return_annotation
        result = types.void if returned in (None, inspect.Signature.empty) else types.int64
        return result(*(kinds[argument] for argument in self.arguments))

    def __call__(self, dtype: str, *arguments: Any) -> int:
        """Runs it on NumPy arrays, ints and floats: for tests and benchmarks. The engine uses addresses."""
        run = function(self.name, dtype, self.arguments)
        return run(*(_plain(value) for value in arguments))


PAIRS: dict[str, Kernel] = {}
loading: list[float] = []  # seconds that this process spent on getting each kernel, from the cache or by compiling it


def kernel(
    reference: Callable[..., Any] | None, dtypes: tuple[str, ...] = ("float64", "float32")
) -> Callable[[Callable[..., Any]], Kernel]:
    """Registers a kernel with the reference function that defines it.

    The parameters' annotations give the C interface. None stands for a kernel that orders other kernels' work and so
    has no arithmetic of its own; its pair is the whole training, in tests/test_train.py.
    """

    def register(function: Callable[..., Any]) -> Kernel:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        arguments = tuple(p.annotation for p in inspect.signature(function).parameters.values())
        made = Kernel(name, function, reference, arguments, dtypes)
        PAIRS[name] = made
        return made

    return register


def address(name: str, dtype: str) -> int:
    """The address of a kernel's code: linked already, or from the cache, or compiled now (and cached)."""
    key = name, dtype
    with _lock:
        if key not in _addresses:
            started = time.perf_counter()
            begun, spent = _begun.pop(key, (None, 0.0))
            _addresses[key] = _load(name, dtype, begun)
            loading.append(time.perf_counter() - started + spent)
        return _addresses[key]


def function(name: str, dtype: str, arguments: tuple[str, ...]) -> native.Function:
    """A kernel as a Python callable."""
    key = name, dtype
    if key not in _functions:
        kinds = {Floats: ctypes.c_void_p, Ints: ctypes.c_void_p, Int: ctypes.c_int64}
        kinds[Float] = ctypes.c_double if dtype == "float64" else ctypes.c_float
        _functions[key] = native.Function(address(name, dtype), [kinds[argument] for argument in arguments])
    return _functions[key]


def begin(name: str, dtype: str) -> None:
    """Sees to it that `address` soon has a kernel's code, if that has to be compiled.

    Numba's part is done now. LLVM's, a third, is done by another thread while the caller goes on.
    """
    key = name, dtype
    with _lock:
        if key in _addresses or key in _begun or cache.holds(name, dtype):
            return
        started = time.perf_counter()
        try:
            with native.compiling():
                made = _kernel(name)
                finish = native.begin(made.function, made.signature(dtype))
        except Exception:
            return  # `address` compiles it in another way, or raises
        from concurrent.futures import Future

        code: Future[native.Code] = Future()
        try:
            thread = threading.Thread(target=_finish, args=(finish, code), daemon=True)
            thread.start()
        except RuntimeError:  # no more threads are to be had
            return
        _threads[:] = [*(other for other in _threads if other.is_alive()), thread]
        _begun[key] = code, time.perf_counter() - started


def _finish(finish: Callable[[], native.Code], code: Any) -> None:
    try:
        code.set_result(finish())
    except BaseException as error:
        code.set_exception(error)


_threads: list[threading.Thread] = []  # at work on LLVM's part
_begun: dict[tuple[str, str], tuple[Any, float]] = {}  # a Future of native.Code, and the seconds spent on it so far
_addresses: dict[tuple[str, str], int] = {}
_functions: dict[tuple[str, str], native.Function] = {}
_lock = threading.RLock()


def _before_fork() -> None:
    _lock.acquire()
    for thread in _threads:
        thread.join()
    _threads.clear()


if hasattr(os, "register_at_fork"):
    # A fork waits for what is being compiled, or locks of Numba, llvmlite and Python would stay closed in the child for
    # ever. It waits before it takes logging's lock, which Numba asks for: what is registered last comes first.
    os.register_at_fork(before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release)


def _kernel(name: str) -> Kernel:
    importlib.import_module(f"fastmlp.kernels.{name.partition('.')[0]}")
    return PAIRS[name]


def _load(name: str, dtype: str, begun: Any = None) -> int:
    code = cache.read(name, dtype) if begun is None else None
    if code is not None:
        try:
            return native.link(code)
        except RuntimeError:
            pass  # it needs something that this process lacks: compile it anew
    with native.compiling():
        try:
            code = begun and begun.result()
        except Exception:
            pass
        if code is None:
            made = _kernel(name)
            code = native.compile_function(made.function, made.signature(dtype))
    if set(code.externals) <= native.EXTERNALS:
        cache.write(name, dtype, code)
    return native.link(code)


def load_all() -> dict[str, Kernel]:
    """All pairs, with every module of kernels imported. Imports Numba."""
    folder = importlib.import_module("fastmlp.kernels").__path__
    with _lock, native.compiling():
        for module in pkgutil.iter_modules(folder):
            importlib.import_module(f"fastmlp.kernels.{module.name}")
    return PAIRS


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    return value.item() if isinstance(value, np.generic) else value
