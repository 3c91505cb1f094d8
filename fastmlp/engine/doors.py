"""The words of memory by which a leader and its helpers come together: see fastmlp/kernels/doors.py."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels import plan as at
from fastmlp.reference.arithmetic import LINE


def lines(count: int) -> np.ndarray:
    """So many lines of int64 zeros, on a 64-byte boundary: words that threads look at while others write them."""
    words = LINE // 8
    raw = np.zeros((count + 1) * words, np.int64)
    start = -raw.ctypes.data % LINE // 8
    return raw[start : start + count * words]


class Doors:
    """A door for each helper of one call, all SHUT. A later call has doors of its own: these never open again."""

    def __init__(self, helpers: int) -> None:
        self.helpers = helpers
        self.words = lines(helpers)
        self.address = self.words.ctypes.data

    def of(self, helper: int) -> int:
        """The address of a helper's door."""
        return self.address + helper * at.DOOR * 8

    def left(self) -> int:
        """How many helpers came in, when the call is over."""
        return int(np.count_nonzero(self.words[:: at.DOOR] == at.LEFT))
