"""The layout of rows in a tile: moves numbers and changes none. The fast twin is `fastmlp/kernels/layout.py`."""

import numpy as np


def gather(x, rows):
    """Selects rows and transposes them: x (N, K), rows (R,) -> (K, R)."""
    return x[rows].T


def copy_rows(x, rows):
    """Selects rows and appends a 1 to each: x (N, K), rows (R,) -> (R, K + 1)."""
    return np.column_stack([x[rows], np.ones(len(rows), x.dtype)])


def transpose(x):
    """(R, K) -> (K, R)."""
    return x.T


def scatter(tile):
    """The rows of a tile, row by row: (K, R) -> (R, K)."""
    return tile.T
