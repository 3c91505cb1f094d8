"""Checks of single values, such as `epochs` or a learning rate.

They are made once, in the public functions; what they return is trusted.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown

LIMIT = 2**32 - 1  # of every count: the random numbers' counter has 32 bits each for rows and epochs


def positive_int(value: Any, name: str, most: int = LIMIT) -> int:
    """Returns value as an int from 1 to `most`.

    Raises TypeError if it is not an int (True and 2.0 are not), else ValueError.
    """
    number = whole(value, name)
    if number < 1:
        raise ValueError(f"{name}={shown(value)} is not positive: give 1 or more")
    if number > most:
        raise ValueError(f"{name}={shown(value)} is too large: give {most} or less")
    return number


def finite_float(value: Any, name: str) -> float:
    """Returns value as a float.

    Raises TypeError if it is not a real number (a bool is not), ValueError for NaN and infinity.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}={shown(value)} is not a number: give one like 0.1")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name}={shown(value)} is not a finite number: give one like 0.1")
    return number


def positive_float(value: Any, name: str) -> float:
    """Returns value as a float above 0. Raises as `finite_float`, and ValueError for 0 or less."""
    number = finite_float(value, name)
    if number <= 0:
        raise ValueError(f"{name}={value} is not positive: give a number above 0")
    return number


def nonnegative_float(value: Any, name: str) -> float:
    """Returns value as a float of 0 or more. Raises as `finite_float`, and ValueError below 0."""
    number = finite_float(value, name)
    if number < 0:
        raise ValueError(f"{name}={value} is negative: give 0 or more")
    return number


def fraction(value: Any, name: str) -> float:
    """Returns value as a float from 0 to 1. Raises as `finite_float`, and ValueError outside of that range."""
    number = finite_float(value, name)
    if not 0 <= number <= 1:
        raise ValueError(f"{name}={value} is not a fraction: give a number from 0 to 1")
    return number


def flag(value: Any, name: str) -> bool:
    """Returns value as a bool. Raises TypeError for anything else, including 0 and 1."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={shown(value)} is not True or False")
    return bool(value)


def path(value: Any, name: str) -> str:
    """The path of a file. Raises TypeError for what is none, ValueError for an empty one."""
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise TypeError(f"{name}={value!r:.60} is no path: give a file's name")
    if not os.fspath(value):
        raise ValueError(f"{name} is empty: give a file's name")
    try:
        possible = b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise ValueError(f"{name}={shown(os.fspath(value))} cannot be a file's name: it has a character that none has")
    return os.fspath(value)


def whole(value: Any, name: str) -> int:
    """Returns value as an int. Raises TypeError if it is not one."""
    if not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name}={shown(value)} is not a whole number: give an int like 100")
