"""The registry of pairs: each kernel beside the reference function whose bits it returns.

`@kernel(reference.function)` is the only way to make a kernel, so none can exist that the tests do not compare and
the benchmarks do not time. `address(name, dtype)` is the only way to get at one.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.jit import compilation, machine_code
from fastmlp.jit.loader import Loader

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


def kernel(
    reference: Callable[..., Any] | None, dtypes: tuple[str, ...] = ("float64", "float32")
) -> Callable[[Callable[..., Any]], Kernel]:
    """Registers a kernel with the reference function that defines it.

    The parameters' annotations give the C interface. None stands for a kernel that runs others in order: its
    checks are in tests/kernels/test_orders.py, and in whole trainings.
    """

    def register(function: Callable[..., Any]) -> Kernel:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        arguments = tuple(p.annotation for p in inspect.signature(function).parameters.values())
        made = Kernel(name, function, reference, arguments, dtypes)
        PAIRS[name] = made
        return made

    return register


def address(name: str, dtype: str) -> int:
    """The address of a kernel's code: linked already, or from the cache, or compiled now (and cached).

    It may be interrupted, as by Ctrl-C, at any moment: the kernel is loaded all the same, and the next call finds it.
    """
    return _loader.address(name, dtype)


def function(name: str, dtype: str, arguments: tuple[str, ...]) -> machine_code.Function:
    """A kernel as a Python callable."""
    key = name, dtype
    if key not in _functions:
        kinds = {Floats: ctypes.c_void_p, Ints: ctypes.c_void_p, Int: ctypes.c_int64}
        kinds[Float] = ctypes.c_double if dtype == "float64" else ctypes.c_float
        _functions[key] = machine_code.Function(address(name, dtype), [kinds[argument] for argument in arguments])
    return _functions[key]


def is_linked(name: str, dtype: str) -> bool:
    """Whether a kernel is there, so that `address` waits for nothing."""
    return (name, dtype) in _addresses


def count_linked() -> int:
    """How many kernels this process has loaded, each in one dtype."""
    return len(_addresses)


def begin(name: str, dtype: str) -> None:
    """Starts loading a kernel in the background: `address` waits less for it."""
    _loader.begin(name, dtype)


def _find(name: str, dtype: str) -> tuple[Callable[..., Any], Any]:
    with compilation.importing():
        importlib.import_module(f"fastmlp.kernels.{name.partition('.')[0]}")
        made = PAIRS[name]
        return made.function, made.signature(dtype)


_loader = Loader(_find)
_addresses = _loader.addresses
_functions: dict[tuple[str, str], machine_code.Function] = {}
loading = _loader.seconds  # that this process waited for each kernel, from the cache or compiled


def _load(name: str, dtype: str) -> int:
    """Loads a kernel, be it there already, in this thread."""
    return _loader.now((name, dtype))


def load_all() -> dict[str, Kernel]:
    """All pairs, with every module of kernels imported. Imports Numba."""
    compilation.WORKER.call(_import_all)
    return PAIRS


def _import_all() -> None:
    with compilation.importing():
        for module in pkgutil.iter_modules(importlib.import_module("fastmlp.kernels").__path__):
            importlib.import_module(f"fastmlp.kernels.{module.name}")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.ctypes.data
    return value.item() if isinstance(value, np.generic) else value
