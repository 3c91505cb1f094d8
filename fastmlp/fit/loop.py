"""The loop of every training, by `Model.fit` and by the estimators: a backend's steps, and what is done with each."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Protocol

import numpy as np

from fastmlp.system.atomic import Change
from fastmlp.training import Step


class Epochs(Protocol):
    """What is done with steps that tell of whole epochs.

    A step's changes are made as one (`system/atomic.py`): an exception leaves the state after a step, or before it.
    """

    def changes(self, step: Step) -> list[Change]:
        """What changes with a step, beside the parameters and the optimizer's state: records, counts, learning rate.

        Rows are validated here, since the figures are part of the record. Nothing has changed yet.
        """
        ...

    def commit(self, changes: list[Change]) -> None:
        """Makes them."""
        ...

    def decide(self, step: Step) -> str | None:
        """Why training ends after a step whose changes are made, or None: stopping, callbacks; checkpoints.

        Raises, or gives None, for a step "diverged", which is the last one.
        """
        ...


def run(steps: Generator[Step, None, None], epochs: Epochs, told: Callable[[Step], None] | None = None) -> str | None:
    """Trains until the steps end, or `decide` gives a reason. -> that reason, or None. told: sees each step last."""
    reason = None
    try:
        while reason is None:
            with np.errstate(all="ignore"):  # divergence is told by an exception, not by warnings before it
                step = next(steps, None)
            if step is None:
                break
            if changes := all_changes(step, epochs):
                epochs.commit(changes)
                reason = epochs.decide(step)
            if told is not None:
                told(step)
    finally:
        steps.close()
    return reason


def all_changes(step: Step, epochs: Epochs) -> list[Change]:
    """What changes with a step, the parameters and the optimizer's state among it; nothing within an epoch."""
    return [*step.changes, *epochs.changes(step)] if step.changes else []
