"""Rows of a sparse matrix for the engine, which has some batches of them dense at a time. Imports no scipy."""

from __future__ import annotations

from typing import Any

import numpy as np

PIECE = 1 << 16  # numbers that are written at once: 3 MB of their places


class SparseRows:
    """A sparse matrix (N, K) as an `engine.row_stream.Source` of rows in a dtype. It copies no CSR matrix in order."""

    def __init__(self, X: Any, dtype: np.dtype) -> None:
        """Raises ValueError for a number that is too large for the dtype."""
        rows = X.tocsr()
        if not rows.has_sorted_indices:
            rows = rows.sorted_indices()
        self.rows, self.shape, self.dtype = rows, rows.shape, dtype
        self.single = bool(rows.has_canonical_format)  # else a number may be given in parts, which are added
        self.low, self.high = (float(rows.data.min()), float(rows.data.max())) if rows.nnz else (0.0, 0.0)
        with np.errstate(over="ignore"):
            if np.isinf(dtype.type(self.low)) or np.isinf(dtype.type(self.high)):
                raise ValueError(f"X has a value too large for {dtype}, which the network is trained in: scale X")

    def __len__(self) -> int:
        return self.shape[0]

    def max(self) -> float:
        """The largest number, the zeros among them."""
        return max(self.high, 0.0)

    def min(self) -> float:
        """The smallest number, the zeros among them."""
        return min(self.low, 0.0)

    def dense(self) -> np.ndarray:
        """All rows (N, K)."""
        return np.ascontiguousarray(self.rows.toarray(), self.dtype)

    def write(self, numbers: np.ndarray, to: np.ndarray) -> None:
        """Writes the rows of these numbers (n,) to zeros (n, K)."""
        if self.single:
            self._put(numbers, to, True)
        else:
            to[:] = self.rows[numbers].toarray()

    def erase(self, numbers: np.ndarray, to: np.ndarray) -> None:
        """Makes them zeros again: where few columns are set, this takes much less time than to fill `to`."""
        if self.single:
            self._put(numbers, to, False)
        else:
            to[:] = 0

    def _put(self, numbers: np.ndarray, to: np.ndarray, full: bool) -> None:
        """Puts the numbers that the matrix has of these rows, or zeros, in their places, PIECE by PIECE."""
        data, indices, indptr = self.rows.data, self.rows.indices, self.rows.indptr
        begins = indptr[numbers].astype(np.int64)
        counts = indptr[numbers + 1] - begins
        ends = np.cumsum(counts)
        first, done = 0, 0
        while first < len(numbers):
            last = max(first + 1, int(np.searchsorted(ends, done + PIECE, "right")))
            some = slice(first, last)
            where = np.repeat(begins[some] - (ends[some] - counts[some]), counts[some])
            where += np.arange(done, ends[last - 1])
            rows = np.repeat(np.arange(first, last), counts[some])
            to[rows, indices[where]] = data[where] + 0 if full else 0  # as toarray, which adds: -0 becomes 0
            first, done = last, int(ends[last - 1])
