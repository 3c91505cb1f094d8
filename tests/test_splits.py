"""Folds and bootstrap samples, beside the steps of docs/arithmetic.md in Python's integers."""

from collections import Counter

import numpy as np
import pytest
from models import said

from fastmlp import Model, splits
from fastmlp.reference.random import BOOTSTRAP, permutation, words
from fastmlp.splits import FOLDS, bootstrap, folds

SEEDS = (0, 7, 2**64 - 1)


def draws_by_hand(rows, member, seed, stream=BOOTSTRAP):
    return [int(word) * rows >> 64 for word in words(seed, stream, member, rows)]


def folds_by_hand(groups, count, seed):
    """The fold of each row: rows by group, each group's in the order drawn, dealt out in turn."""
    drawn = [int(row) for row in permutation(seed, FOLDS, len(groups))]
    dealt = [row for group in sorted(set(groups)) for row in drawn if groups[row] == group]
    return [dealt.index(row) % count for row in range(len(groups))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rows", [1, 2, 10, 1000, 2**20 + 1])
def test_draws_are_those_of_the_page(rows, seed):
    for member in (0, 5, 2**32 - 2) if rows < 2**20 else (3,):
        drawn = bootstrap(rows, member, seed)
        assert drawn.dtype == np.int64
        assert drawn.tolist() == draws_by_hand(rows, member, seed)


def test_a_draw_of_another_stream_or_member_is_seen():
    drawn = bootstrap(50, 2, 1).tolist()
    assert drawn != draws_by_hand(50, 3, 1)
    assert drawn != draws_by_hand(50, 2, 1, stream=1)


def test_some_two_thirds_of_the_rows_are_drawn():
    shares = [len(set(bootstrap(1000, member, 3).tolist())) / 1000 for member in range(20)]
    assert abs(np.mean(shares) - (1 - np.exp(-1))) < 0.01
    assert len(set(shares)) > 10


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [2, 3, 5, 23])
def test_folds_are_those_of_the_page(count, seed):
    groups = [0] * 11 + [1] * 7 + [5] * 4 + [9]
    parts = folds(np.array(groups), count, seed)
    by_hand = folds_by_hand(groups, count, seed)
    for number, (training, held) in enumerate(parts):
        assert held.tolist() == [row for row, fold in enumerate(by_hand) if fold == number]
        assert sorted([*training.tolist(), *held.tolist()]) == list(range(23))
        assert training.tolist() == sorted(training.tolist())


def test_folds_differ_by_a_row_at_most_in_all_and_in_each_group():
    groups = np.random.RandomState(0).randint(0, 4, 97)
    parts = folds(groups, 6, 1)
    assert {len(held) for _, held in parts} == {16, 17}
    counts = [Counter(groups[held].tolist()) for _, held in parts]
    assert all(max(c[g] for c in counts) - min(c[g] for c in counts) <= 1 for g in range(4))
    assert any((one != other).any() for (_, one), (_, other) in zip(parts[:1], folds(groups, 6, 2)[:1], strict=True))


def test_folds_that_cannot_be():
    assert "folds=1, and one leaves nothing to train on" in said(ValueError, folds, np.zeros(9), 1, 0)
    assert "folds=10, and there are 9 rows" in said(ValueError, folds, np.zeros(9), 10, 0)
    assert "folds=2.5" in said(TypeError, folds, np.zeros(9), 2.5, 0)


@pytest.mark.parametrize("seed", [0, 7, 2**63, 2**64 - 1])
def test_many_rows_are_ordered_by_the_kernel(seed):
    rows = splits.FEW + 1
    for epoch in (0, splits.FOLDS):
        order = splits.order(seed, epoch, rows, "numba")
        assert order.dtype == np.int64
        assert (order == permutation(seed, epoch, rows)).all()
    groups = np.arange(rows) % 3
    whole = splits.split(groups, 0.25, seed)
    for part, again in zip(whole, splits.split(groups, 0.25, seed, "numba"), strict=True):
        assert (part == again).all()


def test_the_reference_asks_for_no_kernel(monkeypatch):
    """Nor does a fit by it, or an audit."""
    monkeypatch.setattr(splits.registry, "function", None)
    rows = splits.FEW + 1
    x, y = np.zeros((rows, 1)), np.arange(rows) % 2
    splits.split(y, 0.5, 1)
    splits.folds(y, 2, 1)
    model = Model([1, 2], backend="reference", seed=1)
    model.fit(x, y, epochs=1, batch_size=rows, validation=0.5)
    with pytest.raises(TypeError):
        splits.split(y, 0.5, 1, "numba")
