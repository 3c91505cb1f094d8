"""How rows lie in a tile. Imports NumPy only; the fast twin is `fastmlp/kernels/layout.py`. Moves numbers, changes none."""


def gather(x, rows):
    """The chosen rows, feature-major: x (N, K), rows (R,) -> (K, R)."""
    return x[rows].T


def scatter(tile):
    """A tile's rows, row-major: (K, R) -> (R, K)."""
    return tile.T
