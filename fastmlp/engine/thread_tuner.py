"""How many threads a training uses, and in which calls: found by trying, as the machine may have other work."""

from __future__ import annotations

import math
from typing import Any

from fastmlp.engine.buffers import Workspace
from fastmlp.kernels import plan as at
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.system import thread_pool
from fastmlp.training import Training

SHARED_WORK = 250_000  # parameters x rows of a batch, from which threads may pay: some 20 us of one core
CALL_SECONDS = 0.05  # between returns to Python: for Ctrl-C, progress and logging
PACES = 1000  # that are remembered


def members(workspace: Workspace, training: Training) -> tuple[int, bool]:
    """(the most threads that a training may use, whether it has to)."""
    if workspace.pass_name in ("rowwise", "online", "few"):
        return 1, True
    batch, spec = int(workspace.plan[at.BATCH]), workspace.spec
    parts = math.ceil(batch / (CHUNK if workspace.pass_name == "streamed" else at.BLOCK_ROWS))
    if parts == 1:
        return 1, True
    asked = training.threads or thread_pool.asked()
    if asked:
        return min(asked, parts), True
    if batch * spec.parameters < SHARED_WORK:
        return 1, True
    return min(thread_pool.available(), parts), False


class Pace:
    """Whether a team is to be at work in the next call: always, never, or while it is faster.

    That is found by trying, as it depends on what else the machine has to do; the bits do not depend on it. Calls that
    are much shorter than CALL_SECONDS tell nothing, as a team takes half a millisecond to come together; so a short
    training is done alone. Once in AGAIN calls the other way is tried again.
    """

    AGAIN = 16

    def __init__(self, members: tuple[int, bool], shortest: float = CALL_SECONDS / 4):
        self.members, self._settled = members
        self._shortest = shortest  # seconds of a call that tells something
        self.together = self.members > 1 and self._settled
        self._seen: dict[bool, float] = {}
        self._calls = 0

    def helps(self, short: bool) -> bool:
        """Whether a team is to be at work in the next call; short: a training's first."""
        return self.together and (self._settled or not short)

    def saw(self, together: bool, rows: int, seconds: float) -> None:
        """Takes in a call, of a team or not, that trained so many rows."""
        if self._settled or rows <= 0 or seconds < self._shortest:
            return
        self._calls += 1
        self._seen[together] = seconds / rows
        if len(self._seen) < 2:
            self.together = not together
        else:
            self.together = self._seen[True] < self._seen[False]
            if self._calls % self.AGAIN == 0:
                self.together = not self.together


_paces: dict[Any, Pace] = {}  # of trainings whose threads are not given: what one has found out, the next one knows


def pace_of(workspace: Workspace, team: tuple[int, bool]) -> Pace:
    """The Pace of a training with these (members, whether it has to)."""
    if team[1]:
        return Pace(team)
    return remembered((workspace.spec, int(workspace.plan[at.BATCH]), team), team)


def remembered(key: Any, team: tuple[int, bool], shortest: float = CALL_SECONDS / 4) -> Pace:
    """The Pace that goes with this key: the one that others have found out, or a new one."""
    if len(_paces) > PACES:
        _paces.clear()
    return _paces.setdefault(key, Pace(team, shortest))
