"""How rows lie in a tile: moves numbers, changes none. The fast twin is `fastmlp/kernels/layout.py`."""


def gather(x, rows):
    """The chosen rows, feature-major: x (N, K), rows (R,) -> (K, R)."""
    return x[rows].T


def scatter(tile):
    """A tile's rows, row-major: (K, R) -> (R, K)."""
    return tile.T
