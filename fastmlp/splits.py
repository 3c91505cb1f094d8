"""Splits rows into a training part and a part held out, the same on every machine.

Imports NumPy and the reference's random numbers.
"""

from __future__ import annotations

import numpy as np

from fastmlp.reference.random import permutation


def split(groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits row numbers at random into a training part and a part held out, stratified by group.

    Parameters
    ----------
    groups : array of shape (N,)
        The group of each row, for example its label.
    share : float
        The fraction of the rows to hold out, from 0 to less than 1.
    seed : int
        Seed of the random choice, from 0 to 2^64 - 1.

    Returns
    -------
    training : ndarray of shape (N - H,), int64
        Row numbers, ascending.
    held_out : ndarray of shape (H,), int64
        Row numbers, ascending. H is share * N, rounded; at least 1 if share > 0.

    Raises
    ------
    ValueError
        If share > 0 and no row can be held out, because each row is a group of its own.

    Notes
    -----
    Each group gives share of its rows, rounded down; the rows that are still missing come from the groups with the
    largest remainders. Every group keeps at least one row for training, so H may be smaller. docs/arithmetic.md has the
    steps.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.splits import split
    >>> training, held_out = split(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 0.25, seed=1)
    >>> len(training), len(held_out)
    (6, 2)
    """
    rows = len(groups)
    order = permutation(seed, 0, rows)  # epoch 0: the shuffles of training count from 1
    _, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    wanted = max(1, int(share * rows + 0.5)) if share > 0 else 0
    quotas = share * sizes
    held = np.minimum(np.floor(quotas).astype(int), sizes - 1)
    by_remainder = np.argsort(np.floor(quotas) - quotas, kind="stable")
    may_give = by_remainder[held[by_remainder] < sizes[by_remainder] - 1]
    held[may_give[: max(0, wanted - held.sum())]] += 1
    if share > 0 and held.sum() == 0:
        raise ValueError(f"nothing can be held out of {rows} rows that are each a class of their own")
    by_group = order[np.argsort(members[order], kind="stable")]  # each group's rows, in the order drawn
    places = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_held = np.zeros(rows, bool)
    is_held[by_group[places < np.repeat(held, sizes)]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)
