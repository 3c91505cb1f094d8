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
    "streamed": ("X_TILE", "Y_TILE", "SUMS", "STATISTICS", "GRADIENT"),
    "layered": ("Y_TILE", "STATISTICS", "PANEL", "DELTAS", "PACKED", "BLOCKS"),
}
_OWN_OF_LAYERS: dict[str, tuple[str, ...]] = {"streamed": ("LAYER_A", "LAYER_SLOPE", "LAYER_FACTORS"), "layered": ()}


class Team:
    """The members' plans. `others`: a workspace for each member but the leader, of the same network and sizes."""

    def __init__(self, workspace: Workspace, others: list[Workspace], rows: int):
        self._workspace, self._others = workspace, others  # whose buffers the plans reach
        pass_name, dtype = workspace.pass_name, workspace.spec.dtype
        members = len(others) + 1
        self._shared = doors.lines(at.RIGHTS // at.DOOR + members + 1)
        if pass_name == "streamed":
            self._shared[at.JOB_SUMS] = workspace.floats(-(-rows // CHUNK) * workspace.size)
        workspace.writer.lead(workspace.loop, "team.share_chunks" if pass_name == "streamed" else None)
        differs = _OWN[pass_name], _OWN_OF_LAYERS[pass_name], self._shared.ctypes.data, int(self._shared[at.JOB_SUMS])
        self._plans = [workspace.writer.member(other.writer, *differs) for other in others]
        self.plans = [workspace.plan, *self._plans]
        self._lead = registry.function("team.lead", dtype, _LEAD)
        self._work = registry.function("team.work", dtype, _WORK)
        self.members = members  # of the last call: those who came

    def follow_dropout(self) -> None:
        """Has the members drop at the leader's rates."""
        self._workspace.writer.copy_to(self._plans, "LAYER_THRESHOLD")

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
    others = [Workspace(workspace.spec, workspace.pass_name, rows, columns) for _ in range(members - 1)]
    for other in others:
        other.writer.counts(EXTRAS=workspace.plan[at.EXTRAS])
        other.for_loss(rows)
        other.for_gradient()
        if workspace.pass_name == "streamed":
            other.writer.buffers(X_TILE=other.floats(workspace.spec.inputs * workspace.stride))
            if training.drops:
                other.for_dropout(training)
    return Team(workspace, others, rows)
