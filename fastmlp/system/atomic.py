"""Several changes as one: no exception, signal or other thread's Python comes between the first and the last of them.

Python looks for signals, for exceptions that another thread has sent, and for threads that wait for its lock, between
two bytecodes. `together` is one call of C that makes many calls of C, so there is nothing in between.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

_call: Callable[[Any], Any] = partial.__call__
# With Python's lock held, which an assignment of NumPy's gives up for more than 500 numbers.
_move = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)(
    ctypes.cast(ctypes.memmove, ctypes.c_void_p).value  # type: ignore[arg-type]
)
_byte_of: Callable[[Any], ctypes.c_char] = ctypes.c_char.from_buffer
Change = Callable[[], Any]


def together(changes: Iterable[Change]) -> list[Any]:
    """Makes changes, one after the other. -> what they return.

    They are partials of functions that are written in C, and raise nothing.
    """
    return list(map(_call, changes))


def copied(to: np.ndarray, source: np.ndarray) -> Change:
    """A change that copies an array's bytes to another one, both contiguous and of one size. Keeps neither alive."""
    assert to.nbytes == source.nbytes
    assert to.flags.c_contiguous
    assert source.flags.c_contiguous
    return partial(_move, _address(to), _address(source), to.nbytes)


def _address(array: np.ndarray) -> int:
    """`array.ctypes.data`, which takes 1.5 us and this 0.4."""
    try:
        return ctypes.addressof(_byte_of(array))
    except (TypeError, ValueError):  # an array that may not be written, or is empty
        return int(array.ctypes.data)


def held(of: object, name: str, value: object) -> Change:
    """A change that gives an attribute, of an object without properties of its own, this value."""
    return partial(setattr, of, name, value)
