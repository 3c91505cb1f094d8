"""Several changes as one: no exception, signal or other Python thread comes between the first and the last of them.

Between two bytecodes, Python handles signals, exceptions that other threads have sent, and threads that wait for its
lock. `together` is a single call into C that makes many calls of C functions, so there is nothing in between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

_call: Callable[[Any], Any] = partial.__call__
# Python's lock is held. A NumPy assignment releases it for more than 500 numbers.
_move = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
    ctypes.cast(ctypes.memmove, ctypes.c_void_p).value  # type: ignore[arg-type]
)
_byte_of: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer
Change = Callable[[], Any]


def together(changes: Iterable[Change]) -> list[Any]:
    """Makes changes one after the other, and returns what they return.

    The changes are partials of functions written in C, which raise nothing.
    """
    return list(map(_call, changes))


def copied(to: np.ndarray, source: np.ndarray) -> Change:
    """Returns a change that copies one contiguous array's bytes to another of the same size. It keeps neither alive."""
    assert to.nbytes == source.nbytes
    assert to.flags.c_contiguous
    assert source.flags.c_contiguous
    return partial(_move, address(to), address(source), to.nbytes)


def address(array: np.ndarray) -> int:
    """The address of a contiguous array. `array.ctypes.data` takes 1.5 us, and this 0.4."""
    try:
        return ctypes.addressof(_byte_of(array))
    except (TypeError, ValueError):  # a read-only or empty array
        return int(array.ctypes.data)


def held(of: object, name: str, value: object) -> Change:
    """Returns a change that sets an attribute of an object. The object's class must not override that."""
    return partial(setattr, of, name, value)
