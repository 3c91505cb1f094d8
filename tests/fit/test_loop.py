"""The loop by which models and estimators train: what it asks for, in what order, and how it ends."""

import numpy as np
import pytest

from fastmlp.fit import loop
from fastmlp.training import Step


class Noted:
    """An `Epochs` that writes down what it is asked for. ends: why `decide` ends the training, in which epoch."""

    def __init__(self, ends=()):
        self.ends, self.seen, self.closed = dict(ends), [], False

    def steps(self, *states):
        try:
            for epoch, state in enumerate(states, 1):
                changes = () if state == "within" else (lambda epoch=epoch: self.seen.append(f"step {epoch}"),)
                yield Step("more" if state == "within" else state, epoch, changes=changes)
        finally:
            self.closed = True

    def changes(self, step):
        self.seen.append(f"look {step.epochs}")
        return [lambda: self.seen.append(f"own {step.epochs}")]

    def commit(self, changes):
        for change in changes:
            change()

    def decide(self, step):
        self.seen.append(f"decide {step.epochs}")
        found = self.ends.get(step.epochs)
        if isinstance(found, Exception):
            raise found
        return found


def test_a_step_is_looked_at_made_and_decided_on():
    noted = Noted()
    assert loop.run(noted.steps("more", "done"), noted, lambda step: noted.seen.append(f"told {step.epochs}")) is None
    words = ("look", "step", "own", "decide", "told")
    assert noted.seen == [f"{word} {epoch}" for epoch in (1, 2) for word in words]


def test_a_step_within_an_epoch_changes_nothing():
    noted = Noted()
    loop.run(noted.steps("within", "done"), noted, lambda step: noted.seen.append(f"told {step.epochs}"))
    assert noted.seen == ["told 1", "look 2", "step 2", "own 2", "decide 2", "told 2"]


def test_a_reason_ends_it():
    noted = Noted({2: "enough"})
    assert loop.run(noted.steps("more", "more", "more"), noted) == "enough"
    assert noted.seen[-1] == "decide 2"
    assert noted.closed


def test_an_exception_closes_the_steps():
    noted = Noted({1: ZeroDivisionError()})
    steps = noted.steps("more", "more")
    with pytest.raises(ZeroDivisionError):
        loop.run(steps, noted)
    assert noted.closed


def test_steps_compute_without_warnings():
    def steps():
        yield Step("more", int(np.float64(1) / np.float64(0) > 0))

    assert loop.run(steps(), Noted()) is None
