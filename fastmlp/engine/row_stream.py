"""Rows that lie elsewhere, as in a sparse matrix: a few batches of them at a time are written where kernels read.

Kernels find row n at an address plus n rows. So the address is moved back by the rows that come before those that are
there: the kernels, and the bits, are those of dense rows, of which never more than a group is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from fastmlp.engine.plan_writer import read_rows_at
from fastmlp.engine.sizes import aligned, row_stride
from fastmlp.kernels import plan as at

GROUP_BYTES = 1 << 22  # of dense rows at once, if a batch has no more
LARGE = 1 << 24  # bytes of a group that is made again in each epoch, which takes some 0.3 ms for each MB
FEWEST = 32  # rows of a prediction's piece


class Source(Protocol):
    """Rows (N, K) that are written out as they are asked for."""

    shape: tuple[int, int]
    dtype: np.dtype

    def __len__(self) -> int: ...

    def write(self, numbers: np.ndarray, to: np.ndarray) -> None:
        """Writes the rows of these numbers (n,) to zeros (n, K)."""

    def erase(self, numbers: np.ndarray, to: np.ndarray) -> None:
        """Makes what `write` has written zeros again."""


class RowStream:
    """A buffer for some of a source's rows: whole batches."""

    def __init__(self, source: Source, batch: int, layered: bool = False) -> None:
        """layered: whether rows lie as the layered pass copies them, with a 1 behind each."""
        rows, inputs = source.shape
        stride = row_stride(inputs, source.dtype.name) if layered else inputs
        self.source, self.rows, self.row_bytes = source, rows, stride * source.dtype.itemsize
        self.group = max(1, min(GROUP_BYTES // (batch * self.row_bytes), math.ceil(rows / batch))) * batch
        self._layered, self._stride = layered, stride
        self.x = self._buffer()
        self._numbers: np.ndarray | None = np.zeros(0, np.int64)  # of the rows that are there; None: one cannot tell

    def _buffer(self) -> np.ndarray:
        """Zeros (group, K), and what the layered pass wants behind each row, and behind all."""
        inputs, count = self.source.shape[1], self.group + (at.BLOCK_ROWS if self._layered else 0)
        lines = aligned(count * self._stride, self.source.dtype.name).reshape(-1, self._stride)
        if self._layered:
            lines[: self.group, inputs] = 1
        return lines[: self.group, :inputs]

    def write(self, first: int, numbers: np.ndarray) -> int:
        """Writes a group that begins with row `first`. -> the address where row 0 would lie."""
        before, self._numbers = self._numbers, None
        if before is None:  # Ctrl-C came in between
            self.x[:] = 0
        else:
            self.source.erase(before, self.x[: len(before)])
        self.source.write(numbers, self.x[: len(numbers)])
        self._numbers = numbers.copy()
        return self.x.ctypes.data - first * self.row_bytes


class Stream(RowStream):
    """A training's rows with their targets y (N, columns), in each epoch's order."""

    def __init__(self, source: Source, y: np.ndarray, batch: int, layered: bool) -> None:
        super().__init__(source, batch, layered)
        self._y = y
        self._targets = np.zeros((self.group, *y.shape[1:]), y.dtype)
        self._there: tuple[int, int] | None = None  # an order's epoch, and a row
        self._at = 0, 0

    def go_to(self, start: int, order: np.ndarray | None, epoch: int, plans: Sequence[np.ndarray]) -> int:
        """Has the plans read the epoch's rows from `start` on. -> the row before which they have to stop.

        order (N,): the epoch's, or None for the rows' own.
        """
        first = start // self.group * self.group
        last = min(self.rows, first + self.group)
        there = (0 if order is None else epoch), first
        if there != self._there:
            self._there = None
            if not len(self.x):
                self.x, self._numbers = self._buffer(), np.zeros(0, np.int64)
            numbers = np.arange(first, last) if order is None else order[first:last]
            x = self.write(first, numbers)
            np.take(self._y, numbers, axis=0, out=self._targets[: len(numbers)])
            self._at = x, self._targets.ctypes.data - first * self._targets.strides[0]
            self._there = there
        for plan in plans:
            read_rows_at(plan, self._layered, *self._at)
        return last

    def let_go(self) -> None:
        """Frees a large group's memory until `go_to`: between two epochs, validation may need as much."""
        if self.x.nbytes > LARGE:
            self.x, self._there = self.x[:0].copy(), None


def piece_rows(source: Source, most: int) -> int:
    """The rows of a prediction's piece: as many as a group has, but FEWEST at least, and `most` at most."""
    return min(most, max(FEWEST, GROUP_BYTES // (source.shape[1] * source.dtype.itemsize)))
