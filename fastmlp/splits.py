"""Rows held out of training, the same ones anywhere. Imports NumPy and the reference's random numbers."""

from __future__ import annotations

import numpy as np

from fastmlp.reference.random import permutation


def split(groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (training, held out), each ascending; each group gives about `share` of its rows, drawn at random.

    groups (N,): a number for each row. The held-out part has share * N rows, rounded, and at least one if share > 0;
    what the groups' own roundings leave goes to the largest remainders. Every group keeps a row for training. Raises
    ValueError where nothing can be held out.
    """
    rows = len(groups)
    order = permutation(seed, 0, rows)  # epoch 0: training shuffles with epochs from 1
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
    by_group = order[np.argsort(members[order], kind="stable")]  # each group's rows as they were drawn
    places = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_held = np.zeros(rows, bool)
    is_held[by_group[places < np.repeat(held, sizes)]] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)
