"""What predictions need besides the outputs. Imports NumPy only; the fast twin is `fastmlp/kernels/predict.py`."""

import numpy as np

from fastmlp.reference.losses import first_largest


def copy_rows(x, rows):
    """Selects rows, and tells whether all their numbers are finite: x (N, K), rows (R,) -> (R, K), bool."""
    return x[rows], bool(np.isfinite(x[rows]).all())


def label(z):
    """The index of each row's first largest logit, z (N, J) -> (N,); -1 if one of the row's logits is not finite."""
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(z).all(axis=1), first_largest(z), z.dtype.type(-1))


def above_zero(z):
    """1 for a logit above 0, else 0, z (N, J) -> (N, J); -1 for a logit that is not finite."""
    return np.where(np.isfinite(z), (z > 0).astype(z.dtype), z.dtype.type(-1))


def scatter_labels(tile):
    """The first unit of a tile, as integers: (J, R) -> (R,)."""
    return tile[0].astype(np.int64)


def scatter_answers(tile):
    """All units of a tile, as integers, row by row: (J, R) -> (R, J)."""
    return tile.T.astype(np.int64)
