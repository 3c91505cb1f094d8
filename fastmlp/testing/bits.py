"""Equality of bits, and a message that shows what differs, and by how many ulps. Imports NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np

BESIDE = 3  # elements that a message shows on either side of the first that differs


def as_bits(x: np.ndarray) -> np.ndarray:
    """Returns the bits of an array as unsigned integers of its width.

    Parameters
    ----------
    x : ndarray
        Numbers of 1, 2, 4 or 8 bytes, or booleans.

    Returns
    -------
    ndarray of unsigned integers, of x's shape
    """
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").reshape(np.shape(x))


def differing(actual: np.ndarray, desired: np.ndarray) -> np.ndarray:
    """Returns where two arrays of one dtype and shape differ in their bits.

    Parameters
    ----------
    actual, desired : ndarray
        The arrays. A NaN equals any NaN; -0 differs from +0.

    Returns
    -------
    ndarray of bool, of their shape
    """
    if actual.dtype.kind not in "biuf":  # text, dates: no ulps, and no second way to say the same
        return np.asarray(actual != desired)
    if actual.dtype.itemsize not in (1, 2, 4, 8):  # long double, some of whose bytes mean nothing
        return ~(
            (actual == desired) & (np.signbit(actual) == np.signbit(desired)) | np.isnan(actual) & np.isnan(desired)
        )
    differ = as_bits(actual) != as_bits(desired)
    if actual.dtype.kind == "f":
        differ &= ~(np.isnan(actual) & np.isnan(desired))
    return differ


def ulps(actual: Any, desired: Any) -> int | None:
    """Returns how many steps from one number to the next lie between two floats, or the difference of integers.

    Parameters
    ----------
    actual, desired : NumPy scalars of one dtype
        The numbers. Infinity is one step above the largest; from -0 to +0 is no step.

    Returns
    -------
    int or None
        Above 0 where `actual` is the larger; None where one alone is a NaN, or where there are no steps.
    """
    if actual.dtype.kind in "biu":
        return int(actual) - int(desired)
    if actual.dtype.kind != "f" or actual.dtype.itemsize not in (2, 4, 8) or np.isnan(actual) != np.isnan(desired):
        return None
    if np.isnan(actual):
        return 0
    below = 1 << (8 * actual.dtype.itemsize - 1)  # of the sign
    steps = [int(as_bits(np.asarray(x))[()]) for x in (actual, desired)]
    a, b = (below - bits if bits & below else bits for bits in steps)
    return a - b


def assert_same_bits(actual: Any, desired: Any, what: str = "", where: Any = None) -> None:
    """Raises AssertionError unless both are arrays of the same dtype, shape and bits.

    Parameters
    ----------
    actual : array-like
        What was computed.
    desired : array-like
        What it must be. A NaN equals any NaN, whatever its sign and payload; -0 differs from +0.
    what : str, default=""
        A name for the message.
    where : ndarray of bool, optional
        The elements that are compared, an array that broadcasts to their shape; by default, all.

    Raises
    ------
    AssertionError
        If dtype, shape or a bit differs. The message shows the first element that differs, in C order, with its
        neighbours, and how many ulps lie between the two.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.testing import assert_same_bits
    >>> assert_same_bits(np.arange(3.0), [0.0, 1.0, 2.0])
    >>> assert_same_bits(np.array([1.0, 0.1 + 0.2]), np.array([1.0, 0.3]), "sums")
    Traceback (most recent call last):
        ...
    AssertionError: sums[1]: 3fd3333333333334 (0.30000000000000004), expected 3fd3333333333333 (0.3); 1 of 2 differ
        index  actual                 expected               ulps
          [0]  0x1.0000000000000p+0   0x1.0000000000000p+0      0
        > [1]  0x1.3333333333334p-2   0x1.3333333333333p-2      1
    """
    got, expected = np.asarray(actual), np.asarray(desired)
    if got.dtype != expected.dtype:
        raise AssertionError(f"{what}: dtype {got.dtype}, expected {expected.dtype}")
    if got.shape != expected.shape:
        raise AssertionError(f"{what}: shape {got.shape}, expected {expected.shape}")
    differ = differing(got, expected)
    if where is not None:
        differ = differ & where
    if not differ.any():
        return
    first = int(np.flatnonzero(differ)[0])
    index = [int(i) for i in np.unravel_index(first, got.shape)]
    a, b = (f"{_in_hex(x.flat[first])} ({x.flat[first]!s})" for x in (got, expected))
    raise AssertionError(
        f"{what}{index}: {a}, expected {b}; {int(differ.sum())} of {differ.size} differ\n"
        + _beside(got, expected, differ, first)
    )


def _beside(got: np.ndarray, expected: np.ndarray, differ: np.ndarray, first: int) -> str:
    """The first element that differs, and its neighbours in C order, as a table."""
    rows = [("index", "actual", "expected", "ulps")]
    for i in range(max(0, first - BESIDE), min(got.size, first + BESIDE + 1)):
        place = f"{'> ' if differ.flat[i] else '  '}{[int(k) for k in np.unravel_index(i, got.shape)]}"
        distance = ulps(got.flat[i], expected.flat[i]) if got.dtype.kind in "biuf" else None
        one, other = (_digits(x.flat[i]) for x in (got, expected))
        rows.append((place, one, other, "-" if distance is None else str(distance)))
    width = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"    {row[0]:>{width[0]}}  {row[1]:<{width[1]}}  {row[2]:<{width[2]}}  {row[3]:>{width[3]}}" for row in rows
    )


def _in_hex(x: Any) -> str:
    """The bits of a number in hex; where it has none to show, its digits."""
    simple = x.dtype.kind in "biuf" and x.dtype.itemsize in (1, 2, 4, 8)
    return f"{int(as_bits(np.asarray(x))[()]):0{2 * x.dtype.itemsize}x}" if simple else _digits(x)


def _digits(x: Any) -> str:
    """A float in hex, so that neighbours differ in their last digits; others as they are."""
    return float(x).hex() if x.dtype.kind == "f" and x.dtype.itemsize <= 8 else str(x)
