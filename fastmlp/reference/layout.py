"""How rows lie in a tile: moves numbers, changes none. The fast twin is `fastmlp/kernels/layout.py`."""

import numpy as np


def gather(x, rows):
    """The chosen rows, feature-major: x (N, K), rows (R,) -> (K, R)."""
    return x[rows].T


def copy_rows(x, rows):
    """The chosen rows, each with a 1 behind it: x (N, K), rows (R,) -> (R, K + 1)."""
    return np.column_stack([x[rows], np.ones(len(rows), x.dtype)])


def transpose(x):
    """(R, K) -> (K, R)."""
    return x.T


def scatter(tile):
    """A tile's rows, row-major: (K, R) -> (R, K)."""
    return tile.T
