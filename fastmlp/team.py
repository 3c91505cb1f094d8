"""A training's team: plans for its members, and threads that work by them while the main thread is in a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fastmlp import interrupts, pairs, threads
from fastmlp import plan as at
from fastmlp.pairs import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK, LINE

if TYPE_CHECKING:
    from fastmlp.workspace import Workspace

_TOGETHER = (Ints, Floats, Int, Int, Int, Int)
# What a member has of its own; all else of a plan is the main thread's.
_OWN = {
    "streamed": (at.X_TILE, at.Y_TILE, at.SUMS, at.STATISTICS, at.GRADIENT),
    "layered": (at.Y_TILE, at.STATISTICS, at.PANEL, at.DELTAS, at.PACKED, at.BLOCKS),
}
_OWN_OF_LAYERS = {"streamed": (at.LAYER_A, at.LAYER_SLOPE, at.LAYER_FACTORS), "layered": ()}


class Team:
    """The members' plans. `others`: a workspace for each member but the main thread, of the same network and sizes."""

    def __init__(self, workspace: Workspace, others: list[Workspace], rows: int):
        self._workspace, self._others = workspace, others  # whose buffers the plans reach
        schedule, plan, dtype = workspace.schedule, workspace.plan, workspace.spec.dtype
        members = len(others) + 1
        self._shared = np.zeros(at.RIGHTS + 8 * members + LINE // 8, np.int64)
        skip = -self._shared.ctypes.data % LINE // 8
        self._shared = self._shared[skip:]
        plan[at.TEAM], plan[at.MEMBERS] = workspace.keep(self._shared), members
        for field, kernel in ((at.MEET, "meet"), (at.OWN_PART, "own_part"), (at.TOGETHER, "together")):
            plan[field] = workspace.address(f"team.{kernel}")
        plan[at.SHARE] = plan[at.PASS_KERNEL]
        if schedule == "streamed":
            plan[at.SHARE] = workspace.address("team.share_chunks")
            plan[at.CHUNK_SUMS] = workspace.floats(-(-rows // CHUNK) * workspace.size)
        self._plans = [plan.copy() for _ in others]
        for me, (other, own) in enumerate(zip(others, self._plans, strict=True), start=1):
            own[at.ME] = me
            for field in _OWN[schedule]:
                own[field] = other.plan[field]
            for layer in range(int(plan[at.LAYERS])):
                entry = at.FIELDS + layer * at.LAYER_FIELDS
                for field in _OWN_OF_LAYERS[schedule]:
                    own[entry + field] = other.plan[entry + field]
        self._reached = plan[[at.TEAM, at.CHUNK_SUMS]]
        plan[[at.TEAM, at.CHUNK_SUMS]] = 0  # but while they are at work
        self._work = pairs.function("team.work", dtype, (Ints, Floats))
        self._together = pairs.function("team.together", dtype, _TOGETHER)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The other members wait for jobs meanwhile; where their threads have other work, the main thread is alone."""
        plan = self._workspace.plan
        crew = threads.crew()
        if not crew.free.acquire(blocking=False):
            yield
            return
        try:
            self._shared[at.ARRIVED] = 0
            for each in (plan, *self._plans):
                each[at.MEETINGS] = 0
            plan[[at.TEAM, at.CHUNK_SUMS]] = self._reached
            parameters = self._workspace.parameters.ctypes.data
            wait = None
            try:
                with interrupts.later():  # nobody may be left waiting for who was never called
                    wait = crew.start([partial(self._work, own.ctypes.data, parameters) for own in self._plans])
                yield
            finally:
                with interrupts.later():
                    if wait is not None:
                        self._together(plan.ctypes.data, parameters, at.LEAVE, 0, 0, 0)
                        wait()
                    plan[[at.TEAM, at.CHUNK_SUMS]] = 0  # alone, until the next time
        finally:
            crew.free.release()
