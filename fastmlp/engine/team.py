"""A training's team: plans for its members, and threads that work by them while the leader is in a kernel."""

from __future__ import annotations

from functools import partial

from fastmlp.engine import doors
from fastmlp.engine.buffers import Workspace
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.system import thread_pool
from fastmlp.training import Training

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
        self._shared = doors.lines(at.RIGHTS // at.DOOR + members + 1)
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
        self._lead = registry.function("team.lead", dtype, _LEAD)
        self._work = registry.function("team.work", dtype, _WORK)
        self.members = members  # of the last call: those who came

    def train(self, batches: int) -> int:
        """Trains on about so many batches, with the helpers that are free, and returns what the loop does."""
        call_doors = doors.Doors(len(self._others))
        shared, parameters = self._shared.ctypes.data, self._workspace.parameters.ctypes.data
        thread_pool.crew().help(
            [partial(self._help, place, parameters, shared, call_doors) for place in range(call_doors.helpers)]
        )
        ended = self._lead(
            self._workspace.plan.ctypes.data, parameters, batches, shared, call_doors.address, call_doors.helpers
        )  # fmt: skip
        self.members = 1 + call_doors.left()
        return ended

    def _help(self, place: int, parameters: int, shared: int, call_doors: doors.Doors) -> None:
        self._work(self._plans[place].ctypes.data, parameters, shared, call_doors.of(place))


def team(workspace: Workspace, members: int, training: Training) -> Team:
    """A team for a training whose workspace is ready."""
    rows = int(workspace.plan[at.BATCH])
    columns = workspace.columns > workspace.spec.targets
    others = [Workspace(workspace.spec, workspace.schedule, rows, columns) for _ in range(members - 1)]
    for other in others:
        other.plan[at.EXTRAS] = workspace.plan[at.EXTRAS]
        other.for_loss(rows)
        other.for_gradient()
        if workspace.schedule == "streamed":
            other.plan[at.X_TILE] = other.floats(workspace.spec.inputs * workspace.stride)
            if training.drops:
                other.for_dropout(training)
    return Team(workspace, others, rows)
