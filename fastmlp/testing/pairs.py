"""A fast function beside the one that defines it: the same results, and the same left in the arguments."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastmlp.testing.bits import assert_same_bits


def check_pair(fast: Callable[..., Any], definition: Callable[..., Any], *arguments: Any, what: str = "") -> Any:
    """Calls both functions with copies of the same arguments, and compares what comes of it, bit for bit.

    Parameters
    ----------
    fast, definition : callable
        The function to check, and the one that says what its results are. They return arrays, numbers, None, or tuples,
        lists and dictionaries of these.
    *arguments : object
        What both are called with. Each gets copies of its own; arrays that a function writes into are compared, too.
    what : str, default=""
        A name for the message; by default, that of `fast`.

    Returns
    -------
    object
        What `fast` returned.

    Raises
    ------
    AssertionError
        If a result, or an argument after the call, differs in dtype, shape or a bit; or if one of the two alone raises
        an exception, or one of another type.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.testing import check_pair
    >>> check_pair(np.negative, lambda x: 0 - x, np.array([1.0, -2.0]))
    array([-1.,  2.])
    """
    name = what or getattr(fast, "__name__", type(fast).__name__)
    given, kept = copy.deepcopy(arguments), copy.deepcopy(arguments)
    got, failed = _called(fast, given)
    expected, failed_too = _called(definition, kept)
    if type(failed) is not type(failed_too):
        said = [f"raised {fault!r}" if fault else "raised nothing" for fault in (failed, failed_too)]
        raise AssertionError(f"{name}: {said[0]}, and its definition {said[1]}") from (failed or failed_too)
    _compare(got, expected, name)
    for number, (after, wanted) in enumerate(zip(given, kept, strict=True)):
        _compare_written(after, wanted, f"{name}: argument {number}, after the call, ")
    if failed is not None:
        raise failed
    return got


def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    """What a function returned, and the exception that it raised."""
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


def _compare_written(after: Any, wanted: Any, what: str) -> None:
    """Compares the arrays in an argument after both calls."""
    if isinstance(wanted, np.ndarray):
        assert_same_bits(after, wanted, what)
    elif isinstance(wanted, Mapping):
        for key, value in wanted.items():
            _compare_written(after.get(key), value, f"{what}{key!r}, ")
    elif isinstance(wanted, (tuple, list)) and len(after) == len(wanted):
        for number, (one, other) in enumerate(zip(after, wanted, strict=True)):
            _compare_written(one, other, f"{what}element {number}, ")


def _compare(got: Any, expected: Any, what: str) -> None:
    """Compares results, and what is in them."""
    if isinstance(expected, Mapping):
        if not isinstance(got, Mapping) or list(got) != list(expected):
            raise AssertionError(f"{what}: returned {got!r:.200}, expected the keys {list(expected)}")
        for key, value in expected.items():
            _compare(got[key], value, f"{what}: {key!r}")
    elif isinstance(expected, (tuple, list)):
        if type(got) is not type(expected) or len(got) != len(expected):
            raise AssertionError(f"{what}: returned {got!r:.200}, expected {len(expected)} results")
        for number, (one, other) in enumerate(zip(got, expected, strict=True)):
            _compare(one, other, f"{what}: result {number} ")
    elif expected is None or got is None:
        if got is not expected:
            raise AssertionError(f"{what}: returned {got!r:.200}, expected {expected!r:.200}")
    else:
        assert_same_bits(got, expected, what)
