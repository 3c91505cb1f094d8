"""Workspaces of trainings that have ended, for others like them: to make one takes ten times a small batch's time.

One that is in use is not here: what a call leaves that is cut short, no other one takes.
"""

from __future__ import annotations

from collections.abc import Hashable

from fastmlp.engine.buffers import Workspace
from fastmlp.spec import Spec
from fastmlp.training import Training

MOST_BYTES = 1 << 20  # of one that is kept
MOST_OF_ROWS = 1 << 15  # of them, those of copies of a caller's rows
MOST = 16  # that are kept

_kept: dict[Hashable, Workspace] = {}


def key_of(spec: Spec, training: Training, rows: int, weighed: bool, pass_name: str | None) -> Hashable:
    """What a workspace depends on, beside the numbers that `Workspace.refill` writes."""
    optimizer, order = training.optimizer, training.order
    return (
        spec, rows, weighed, pass_name, training.epochs, training.batch_size, training.record_every, training.constant,
        optimizer and (optimizer.kernel, optimizer.settings, optimizer.spares_biases), training.rate_factors,
        order is None or callable(order), callable(order),
        training.l1, training.l2, training.clip_value, training.clip_norm, training.dropout, training.objective,
        training.target_loss, training.target_accuracy, training.watched,
    )  # fmt: skip


def take(key: Hashable) -> Workspace | None:
    """One that is kept, or None. It is the caller's then."""
    return _kept.pop(key, None)


def give(key: Hashable, workspace: Workspace) -> None:
    """Keeps one, in place of another of its kind, or of the one that was given first."""
    if workspace.kept_bytes is None:
        small = workspace.bytes <= MOST_BYTES and workspace.bytes_of_rows <= MOST_OF_ROWS
        workspace.kept_bytes = workspace.bytes if small else 0
    if workspace.kept_bytes:
        workspace.let_go()
        _kept[key] = workspace
        if len(_kept) > MOST:
            for oldest in [*_kept][:-MOST]:
                _kept.pop(oldest, None)
