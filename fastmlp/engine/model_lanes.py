"""Many models at once: those of one network are trained in groups whose lanes are models (`kernels/model_lanes.py`).

Each model gets the bits, the records and the steps of `numba_backend.train` alone. A group of models is trained for
some 50 ms, and then the next group.
"""

from __future__ import annotations

import math
import signal
import time
from collections import deque
from collections.abc import Generator, Hashable, Sequence
from typing import Any

import numpy as np

from fastmlp.engine.lanes_buffers import GroupBuffers, Member
from fastmlp.engine.numba_backend import MOST_BATCHES
from fastmlp.engine.thread_tuner import CALL_SECONDS
from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.plan import DIVERGED, DONE, INTERRUPTED, MORE
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.spec import Spec
from fastmlp.system.atomic import copied
from fastmlp.system.cpu import target
from fastmlp.training import Step, Training, joined, records, times

_TRAIN = (Ints, Floats, Int)


def group(training: Training, rows: int) -> Hashable:
    """Models of one network can be trained in one group, on so many rows each, where this is equal."""
    optimizer, batch = training.optimizer, min(training.batch_size, rows)
    order = "as they come" if training.order is None or batch == rows else callable(training.order)
    return (
        rows, batch, training.epochs, training.done, training.first_recorded, training.record_every, order,
        optimizer.kernel if optimizer else None, training.constant, bool(training.l2 or training.l1),
        training.watched, training.step_every,
    )  # fmt: skip


def width(spec: Spec, batch: int, models: int) -> int:
    """How many lanes a group has, for so many models: whole registers."""
    lanes = target().register // np.dtype(spec.dtype).itemsize
    numbers = spec.parameters + batch * sum(spec.layers)
    most = max(1, min(8, 8192 // (numbers * target().register)))
    return lanes * min(most, math.ceil(models / lanes))


def train(
    spec: Spec, members: Sequence[Member], lanes: int | None = None
) -> Generator[dict[int, Step], set[int] | None, None]:
    """Trains members, yielding the steps of some of them about every 50 ms: by their numbers, as `numba_backend.train`.

    Nothing is written to a member but by its steps' changes, which the caller makes before it goes on. What is sent is
    the numbers of members whose training the caller has ended. lanes: of a group; None: as many as are fast.
    """
    together: dict[Hashable, list[int]] = {}
    for number, member in enumerate(members):
        together.setdefault(group(member.training, member.count), []).append(number)
    waiting: deque[Group] = deque()
    for numbers in together.values():
        first = members[numbers[0]]
        size = lanes or width(spec, min(first.training.batch_size, first.count), len(numbers))
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            waiting.append(Group(spec, {number: members[number] for number in some}, size))
    while waiting:
        now = waiting.popleft()
        until = time.perf_counter() + CALL_SECONDS / 2
        while now.numbers:
            steps = now.steps()
            if steps:
                now.drop((yield steps) or ())
            if time.perf_counter() > until:
                break
        if now.numbers:
            waiting.append(now)


class Group(GroupBuffers):
    """A group's training, call by call."""

    def __init__(self, spec: Spec, members: dict[int, Member], width: int):
        super().__init__(spec, members, width)
        self._run = registry.function("model_lanes.train", spec.dtype, _TRAIN)
        self.drawn_for = 0  # the epoch whose orders were drawn last

    @property
    def numbers(self) -> list[int]:
        """The members that have not ended."""
        return [lane.number for lane in self.lanes]

    def drop(self, numbers: Sequence[int] | set[int]) -> None:
        """Ends members for the caller."""
        for lane in [lane for lane in self.lanes if lane.number in numbers]:
            self.lanes.remove(lane)
            if self.live[lane.lane]:
                self.live[lane.lane] = 0
                self.plan.end_one()

    def _numbers_of_steps(self, done: int, count: int) -> list[np.ndarray]:
        """Writes the numbers of the next updates. -> each lane's powers after each of them, (count, 2)."""
        made: dict[Any, tuple[np.ndarray, np.ndarray]] = {}
        powers = []
        for lane in self.lanes:
            training = lane.member.training
            key = (training.optimizer, training.learning_rate, *lane.powers) if training.constant else id(lane)
            if key not in made:
                rates = lane.of_batches.rates(done, count)
                if training.optimizer is None:
                    made[key] = rates[:, None], np.broadcast_to(lane.powers, (count, 2))
                else:
                    at_times = times(done, count, self.an_epoch) if training.optimizer.decay_changes else None
                    made[key] = training.optimizer.steps(rates, lane.powers, at_times)
            steps, after = made[key]
            self.own_numbers[:count, :, lane.lane] = -steps if self.descends else steps
            powers.append(after)
        return powers

    def _draw_orders(self, epoch: int) -> None:
        for lane in self.lanes:
            training = lane.member.training
            order = training.order(training.epochs_before - training.done + epoch)  # type: ignore[misc,operator]
            self.order[:, lane.lane] = self.row_numbers[order, lane.lane]

    def steps(self) -> dict[int, Step]:
        """Trains for some 50 ms. -> each member's step."""
        plan, training, an_epoch = self.plan, self.training, self.an_epoch
        epoch, start = plan[at.EPOCH], plan[at.START]
        if self.drawn and self.drawn_for != epoch:
            self._draw_orders(epoch)
            self.drawn_for = epoch
        done, left = (epoch - 1) * an_epoch + start // self.batch, an_epoch - start // self.batch
        asked = min(self.batches, training.last * an_epoch - done)
        if not self.constant:
            asked = min(asked, self.most)
        if training.step_every:
            asked = min(asked, (training.step_every - 1 - (epoch - 1) % training.step_every) * an_epoch + left)
        if self.drawn:
            asked = min(asked, left)
        elif asked > left:
            asked = left + (asked - left) // an_epoch * an_epoch
        powers = None if self.constant else self._numbers_of_steps(done, asked)
        before = time.perf_counter()
        ended = self._run(plan.fields.ctypes.data, self.parameters.ctypes.data, asked)
        seconds = max(time.perf_counter() - before, 1e-9)
        if ended != INTERRUPTED:
            self.batches = max(1, min(int(asked * CALL_SECONDS / seconds), asked * 16, MOST_BATCHES))
        self._take_in(powers)
        if ended == INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
            ended = MORE  # the handler goes on; what models that have ended in this call have left is taken now
        return self._made(ended)

    def _take_in(self, powers: list[np.ndarray] | None) -> None:
        """What the call has left of records, and the powers after its updates."""
        written, steps = self.plan[at.RECORDS], self.plan[at.STEP]
        epochs = self.record_epochs[:written].copy()
        for place, lane in enumerate(self.lanes):
            own, made = written, steps
            if not self.live[lane.lane]:
                own, made = int(self.end_records[lane.lane]), int(self.end_steps[lane.lane])
            if powers is not None and made:
                lane.powers[:] = powers[place][made - 1]
            if own:
                losses, rights = self.losses[:own, lane.lane], self.rights[:own, lane.lane]
                new = records(epochs[:own], losses, rights / self.rows)
                new["learning_rate"] = lane.of_epochs.at(epochs[:own] - 1)
                lane.waiting.append(new)

    def _made(self, ended: int) -> dict[int, Step]:
        """The step of each member, and the end of those that have come to theirs."""
        epoch, start, written = (self.plan[field] for field in (at.EPOCH, at.START, at.RECORDS))
        steps: dict[int, Step] = {}
        finite = np.isfinite(self.parameters).all(axis=0)
        kept = self.snapshots[self.plan[at.KEPT]]
        over = []
        for lane in self.lanes:
            m, name, reached = lane.lane, "done" if ended == DONE else "more", epoch - 1
            parameters, snapshot, state, good = self.parameters, kept, getattr(self, "state", None), bool(finite[m])
            if not self.live[m]:
                name = "diverged" if self.ends[m] == DIVERGED else "target"
                reached = int(self.end_epochs[m])
                parameters, snapshot, *_ = self.finals
                state, good = self.finals[2:], True
            elif start and ended == MORE:
                steps[lane.number] = Step("more", lane.reached)
                continue
            seen = name != "more" or (self.training.watched and written > 0)
            if not good and not seen:
                continue
            lane.reached = reached
            lane.trained[:] = parameters[:, m]
            lane.kept[:] = snapshot[:, m]
            if state is not None and len(lane.vectors):
                lane.vectors[:] = state[:, :, m]
            step = Step(name, reached, joined(lane.waiting), lane.trained, lane.changes, lane.kept)
            if name == "diverged" or not good:
                writes = (copied(lane.member.parameters, lane.kept),)
                step = Step("diverged", reached, step.records, lane.kept, writes)
            lane.waiting = []
            steps[lane.number] = step
            if step.state != "more":
                over.append(lane.number)
        self.drop(over)
        return steps
