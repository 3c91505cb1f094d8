"""Whether a network's dtype can hold a number."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_rounded(number: float, name: str, dtype: str) -> None:
    """Raises ValueError if a number becomes infinite in the dtype, or becomes 0 and is not."""
    if 1e-30 < number < 1e30:  # which both can hold; the look takes 0.1 us
        return
    found = rounded(number, dtype)
    if not np.isfinite(found) or (number > 0 and found == 0):
        raise ValueError(f'{name}={number!r} rounds to {found} in {dtype}: use another, or a Model of dtype="float64"')


def rounded(number: float, dtype: str) -> Any:
    """Returns the number in the dtype; infinity if it is too large."""
    with np.errstate(all="ignore"):
        return np.dtype(dtype).type(number)
