"""A training's team: plans for its members, and threads that work by them while the leader is in a kernel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastmlp import pairs, threads
from fastmlp import plan as at
from fastmlp.pairs import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK

if TYPE_CHECKING:
    from fastmlp.workspace import Workspace

_LEAD = (Ints, Floats, Int, Int, Ints, Int)
_WORK = (Ints, Floats, Int, Ints)
# What a member has of its own; all else of a plan is the leader's.
_OWN = {
    "streamed": (at.X_TILE, at.Y_TILE, at.SUMS, at.STATISTICS, at.GRADIENT),
    "layered": (at.Y_TILE, at.STATISTICS, at.PANEL, at.DELTAS, at.PACKED, at.BLOCKS),
}
_OWN_OF_LAYERS = {"streamed": (at.LAYER_A, at.LAYER_SLOPE, at.LAYER_FACTORS), "layered": ()}


class Team:
    """The members' plans. `others`: a workspace for each member but the leader, of the same network and sizes."""

    def __init__(self, workspace: Workspace, others: list[Workspace], rows: int):
        self._workspace, self._others = workspace, others  # whose buffers the plans reach
        schedule, plan, dtype = workspace.schedule, workspace.plan, workspace.spec.dtype
        members = len(others) + 1
        self._shared = threads.lines(at.RIGHTS // at.DOOR + members + 1)
        plan[at.LOOP] = workspace.address(workspace.loop)
        for field, kernel in ((at.MEET, "meet"), (at.OWN_PART, "own_part"), (at.TOGETHER, "together")):
            plan[field] = workspace.address(f"team.{kernel}")
        plan[at.SHARE] = plan[at.PASS_KERNEL]
        if schedule == "streamed":
            plan[at.SHARE] = workspace.address("team.share_chunks")
            self._shared[at.JOB_SUMS] = workspace.floats(-(-rows // CHUNK) * workspace.size)
        self._plans = [plan.copy() for _ in others]
        for other, own in zip(others, self._plans, strict=True):
            own[at.TEAM], own[at.CHUNK_SUMS] = self._shared.ctypes.data, self._shared[at.JOB_SUMS]
            for field in _OWN[schedule]:
                own[field] = other.plan[field]
            for layer in range(int(plan[at.LAYERS])):
                entry = at.FIELDS + layer * at.LAYER_FIELDS
                for field in _OWN_OF_LAYERS[schedule]:
                    own[entry + field] = other.plan[entry + field]
        self._lead = pairs.function("team.lead", dtype, _LEAD)
        self._work = pairs.function("team.work", dtype, _WORK)
        self.members = members  # of the last call: those who came

    def train(self, batches: int) -> int:
        """Trains on about so many batches, with the helpers that are free, and returns what the loop does."""
        doors = threads.Doors(len(self._others))
        shared, parameters = self._shared.ctypes.data, self._workspace.parameters.ctypes.data
        threads.crew().help([partial(self._help, place, parameters, shared, doors) for place in range(doors.helpers)])
        ended = self._lead(
            self._workspace.plan.ctypes.data, parameters, batches, shared, doors.address, doors.helpers
        )  # fmt: skip
        self.members = 1 + doors.left()
        return ended

    def _help(self, place: int, parameters: int, shared: int, doors: threads.Doors) -> None:
        self._work(self._plans[place].ctypes.data, parameters, shared, doors.of(place))
