"""Which rows are trained on and which are held out, the same on every machine: a split, folds, bootstrap samples.

Orders are the reference's; its kernel draws those of many rows where it is asked for.
"""

from __future__ import annotations

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.checks.scalars import positive_int
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Int, Ints
from fastmlp.reference import random

FEW = 2**13  # rows, some 7 ms in NumPy, up to which no kernel is looked for: the first call may compile it
FOLDS = 2**32 - 1  # the epoch that stands for folds in their seed's orders: no training comes to it


def split(groups: np.ndarray, share: float, seed: int, backend: str = "reference") -> tuple[np.ndarray, np.ndarray]:
    """Splits row numbers at random into a training part and a part held out, stratified by group.

    Parameters
    ----------
    groups : array of shape (N,)
        The group of each row, for example its label.
    share : float
        The fraction of the rows to hold out, from 0 to less than 1.
    seed : int
        Seed of the random choice, from 0 to 2^64 - 1.
    backend : {"reference", "numba"}, default="reference"
        What draws the order: the same bits. NumPy takes a second for 10^6 rows, the kernel 0.03 s.

    Returns
    -------
    training : ndarray of shape (N - H,), int64
        Row numbers, ascending.
    held_out : ndarray of shape (H,), int64
        Row numbers, ascending. H is share * N, rounded; at least 1 if share > 0.

    Raises
    ------
    ValueError
        If share > 0 and no row can be held out, because each row is a group of its own; or if there is no such backend.

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
    drawn = order(seed, 0, rows, backend)  # epoch 0: the shuffles of training count from 1
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
    by_group = drawn[np.argsort(members[drawn], kind="stable")]  # each group's rows, in the order drawn
    places = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_held = np.zeros(rows, bool)
    is_held[by_group[places < np.repeat(held, sizes)]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def folds(groups: np.ndarray, count: int, seed: int, backend: str = "reference") -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits row numbers at random into folds, stratified by group: each row is held out once.

    Parameters
    ----------
    groups : array of shape (N,)
        The group of each row, for example its label; one group for all where folds are not to be stratified.
    count : int
        The number of folds, from 2 to N.
    seed : int
        Seed of the random choice, from 0 to 2^64 - 1.
    backend : {"reference", "numba"}, default="reference"
        As for `split`.

    Returns
    -------
    list of (ndarray, ndarray)
        For each fold, the row numbers to train on and those that are held out, ascending, int64.

    Raises
    ------
    TypeError, ValueError
        If count is not a whole number from 2 to N, or there is no such backend.

    Notes
    -----
    The rows, group by group and within a group in random order, go to the folds in turn. So folds differ by at most one
    row, and by at most one row of each group. docs/arithmetic.md has the steps.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.splits import folds
    >>> parts = folds(np.array([0, 0, 0, 0, 1, 1, 1, 1]), 4, seed=1)
    >>> [len(held_out) for training, held_out in parts]
    [2, 2, 2, 2]
    """
    rows = len(groups)
    if rows < 2:
        raise ValueError(f"folds={count}, and there {'is 1 row' if rows else 'are no rows'}: give at least 2 rows")
    if not 2 <= positive_int(count, "folds") <= rows:
        few = "one leaves nothing to train on" if count == 1 else f"there are {rows} rows"
        raise ValueError(f"folds={count}, and {few}: give a number from 2 to {rows}")
    drawn = order(seed, FOLDS, rows, backend)
    _, members = np.unique(groups, return_inverse=True)
    fold = np.empty(rows, np.int64)
    fold[drawn[np.argsort(members[drawn], kind="stable")]] = np.arange(rows) % count
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(count)]


def bootstrap(rows: int, member: int, seed: int) -> np.ndarray:
    """Draws as many row numbers as there are rows, with replacement: the bootstrap sample of a member of an ensemble.

    Parameters
    ----------
    rows : int
        N, the number of rows.
    member : int
        The member's number, from 0: each has its own draws.
    seed : int
        Seed of the draws, from 0 to 2^64 - 1.

    Returns
    -------
    ndarray of shape (N,), int64
        Row numbers, in the order drawn. Some 63 % of the rows are among them.

    Examples
    --------
    >>> from fastmlp.splits import bootstrap
    >>> len(bootstrap(10, member=0, seed=1))
    10
    """
    return random.draws_with_replacement(seed, member, rows)


def order(seed: int, epoch: int, rows: int, backend: str) -> np.ndarray:
    """Draws a shuffled order of rows: `reference.random.permutation`.

    Parameters
    ----------
    seed : int
        From 0 to 2^64 - 1.
    epoch : int
        From 0 to 2^32 - 1: each has another order.
    rows : int
        N, less than 2^32.
    backend : {"reference", "numba"}
        As for `split`.

    Returns
    -------
    ndarray of shape (N,), int64
        Row numbers.

    Raises
    ------
    ValueError
        If there is no such backend.
    """
    if backend not in ("reference", "numba"):
        raise ValueError(f"backend={shown(backend)} is neither 'reference' nor 'numba'")
    if rows <= FEW or backend == "reference":
        return random.permutation(seed, epoch, rows)
    drawn = np.empty(rows, np.int64)
    registry.function("random.permutation", "float64", (Int, Int, Int, Ints))(int(seed), epoch, rows, drawn.ctypes.data)
    return drawn
