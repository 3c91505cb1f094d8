"""Buffers of a group of models, and what its plan says of them (`kernels/lanes_plan.py`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.engine.lanes_plan_writer import GroupPlan
from fastmlp.engine.plan_writer import word
from fastmlp.engine.sizes import aligned
from fastmlp.engine.training_numbers import gradient_scale, needed_rows
from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.reference.arithmetic import LINE
from fastmlp.spec import Spec
from fastmlp.system.atomic import Change, copied
from fastmlp.system.cpu import target
from fastmlp.training import RateTable, State, Training

STEP_BYTES = 4 << 20  # of the numbers of a call's updates, where each update has its own
TILE_BYTES = 1 << 20  # of rows that are kept in tiles, where each epoch has them in the same order
PICKED_ROWS = 8  # up to which a batch picks its rows from a tile of all: 3 numbers of 4 rows in a quarter of the time
RECORDS = 1 << 20  # a call's, of all models
ROW_LOSSES = (  # that have kernels of their own for recorded epochs
    "softmax_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_squared_error", "identity_squared_error",
)  # fmt: skip
WRITTEN_OUT = (1, 2, 4, 8, 16, 32)  # rows of batches whose sums have kernels of their own
_BLOCK = 32  # registers, at least as many as a block of sums has, for each level of waiting ones

_GATHER = (Ints, Ints, Int, Ints, Int, Int, Floats, Int)


def lines_apart(count: int, dtype: str) -> int:
    """Numbers from one unit of a tile to the next, of so many each: an odd number of lines."""
    line = LINE // np.dtype(dtype).itemsize
    return (math.ceil(count / line) | 1) * line


@dataclass
class Member:
    """What `numba_backend.train` takes for one model.

    rows: int64, the numbers of the rows of x and y that this model is trained on, in this order; None: all of them.
    """

    parameters: np.ndarray  # (P,), trained by the steps' changes
    x: np.ndarray  # (N, K); members may share it
    y: np.ndarray
    training: Training
    state: State | None = None
    weights: np.ndarray | None = None
    rows: np.ndarray | None = None
    kept: np.ndarray | None = None

    @property
    def count(self) -> int:
        """How many rows it is trained on."""
        return len(self.x) if self.rows is None else len(self.rows)


@dataclass
class Lane:
    """A member in its group."""

    number: int
    member: Member
    lane: int
    powers: np.ndarray  # the optimizer's, (2,)
    of_epochs: RateTable
    of_batches: RateTable
    trained: np.ndarray  # (P,): where steps' changes copy from
    vectors: np.ndarray  # (S, P)
    kept: np.ndarray  # (P,)
    changes: tuple[Change, ...]
    waiting: list[np.ndarray] = field(default_factory=list)  # records of epochs after the last step
    reached: int = 0


class GroupBuffers:
    """Buffers, plan and members of a group."""

    def __init__(self, spec: Spec, members: dict[int, Member], width: int):
        self.spec, self.width = spec, width
        self.one = "_one" if width * np.dtype(spec.dtype).itemsize == target().register else ""
        self._arrays: list[np.ndarray] = []
        first = next(iter(members.values()))
        self.rows, self.training = first.count, first.training
        self.batch = min(self.training.batch_size, self.rows)
        self.an_epoch = math.ceil(self.rows / self.batch)
        self.plan = GroupPlan(spec.dtype, len(spec.shapes))
        self.lanes = [self._lane(i, *item) for i, item in enumerate(members.items())]
        self._all = tuple(self.lanes)  # a step's changes are made after its member has ended
        # some milliseconds; then as measured
        self.batches = max(1, 30_000_000 // (3 * spec.parameters * self.batch * width))
        self._network()
        self._data()
        self._training()
        self.plan.link()
        self._make_tiles()

    # Making

    def _lane(self, lane: int, number: int, member: Member) -> Lane:
        spec, training = self.spec, member.training
        state = member.state or State.new(training.optimizer, spec.parameters, spec.dtype)
        self._arrays += [state.powers, state.vectors]
        trained, powers = member.parameters.copy(), state.powers.copy()
        vectors = state.vectors.copy()
        writes = [copied(member.parameters, trained), copied(state.powers, powers)]
        writes += [copied(*pair) for pair in zip(state.vectors, vectors, strict=True)]
        kept = (member.parameters if member.kept is None else member.kept).copy()
        tables = RateTable(training, 1), RateTable(training, self.an_epoch)
        return Lane(number, member, lane, powers, *tables, trained, vectors, kept, tuple(writes), reached=training.done)

    def _keep(self, array: np.ndarray) -> int:
        self._arrays.append(array)
        return int(array.ctypes.data)

    def _floats(self, count: int) -> int:
        return self._keep(aligned(count, self.spec.dtype))

    def _of_models(self, values: Sequence[Any], dtype: Any) -> np.ndarray:
        """One value for each lane: its member's, and beyond the last one the first one's. Kept."""
        made = aligned(self.width, dtype) if dtype == self.spec.dtype else np.zeros(self.width, dtype)
        made[:] = [*values, *[values[0]] * (self.width - len(values))]
        self._keep(made)
        return made

    def _places(self, rows: int) -> int:
        """The rows of a batch of so many in the order of its tiles."""
        return self._keep(np.array(at.tree_order(rows, LINE // np.dtype(self.spec.dtype).itemsize), np.int64))

    def _network(self) -> None:
        spec, width = self.spec, self.width
        registry.begin("model_lanes.train", spec.dtype)
        self.plan.kernels(FORWARD_BATCH="model_lanes.forward_batch", BACKWARD_BATCH="model_lanes.backward_batch")
        self.plan.kernels(FORWARD=f"lanes_dense.forward{self.one}", GATHER="lanes_rows.gather")
        self.plan.kernels(LOSS_KERNEL=f"losses.{spec.loss_kernel}")
        if spec.loss_kernel in ROW_LOSSES:
            self.plan.kernels(ROW_LOSSES_KERNEL=f"lanes_losses.{spec.loss_kernel}")
        if len(spec.shapes) > 1:
            self.plan.kernels(BACKWARD_INPUT=f"lanes_dense.backward_input{self.one}")
        line = LINE // np.dtype(spec.dtype).itemsize
        unit = lines_apart(self.batch * width, spec.dtype)
        self.plan.counts(
            MODELS=width, LAYERS=len(spec.shapes), PARAMETERS=spec.parameters, OUTPUTS=spec.outputs,
            COLUMNS=spec.targets, UNIT=unit,
        )  # fmt: skip
        last, widest = len(spec.shapes) - 1, 0
        for layer, ((inputs, outputs), offset) in enumerate(zip(spec.shapes, spec.offsets, strict=True)):
            self.plan.layer(layer, LAYER_INPUTS=inputs, LAYER_OUTPUTS=outputs, LAYER_OFFSET=offset)
            self.plan.layer(layer, LAYER_A=self._floats(outputs * unit))
            if layer == last:
                break
            widest, activation = max(widest, outputs), spec.hidden[layer]
            self.plan.layer(layer, LAYER_RELU=activation == "relu")
            if activation not in ("relu", "identity"):
                self.plan.layer(layer, LAYER_SLOPE=self._floats(outputs * unit))
                self.plan.layer_kernel(layer, f"activations.{activation}_forward")
        self.plan.buffers(DELTAS=self._floats(widest * unit), OTHER_DELTAS=self._floats(widest * unit))
        ones = aligned(max(width, line), spec.dtype)
        ones[:] = 1
        self.plan.buffers(
            ONES=self._keep(ones), STATISTICS=self._floats(max(3 * line * line + line, 2 * self.batch * width))
        )
        self.plan.buffers(LEVELS=self._floats(line.bit_length() * _BLOCK * line))
        self.parameters = aligned(spec.parameters * width, spec.dtype).reshape(-1, width)
        self.plan.buffers(VALUES=self._keep(self.parameters))
        if spec.loss_parameter is not None:
            self.plan.buffers(LOSS_PARAMETER=self._keep(np.array([spec.loss_parameter], spec.dtype)))

    def _data(self) -> None:
        """Each model's rows and their order."""
        width, rows = self.width, self.rows
        members = [lane.member for lane in self.lanes]
        self.plan.counts(ROWS=rows, BATCH=self.batch)
        for name, arrays in (("X_OF", [m.x for m in members]), ("Y_OF", [m.y for m in members])):
            own = [np.ascontiguousarray(array, self.spec.dtype) for array in arrays]
            self._arrays += own
            addresses = self._of_models([array.ctypes.data for array in own], np.int64)
            self.plan.buffers(**{name: addresses.ctypes.data})
        self.order = np.empty((rows, width), np.int64)
        self.order[:] = np.arange(rows)[:, None]
        for lane, one in enumerate(members):
            if one.rows is not None:
                self.order[:, lane] = one.rows
        self.order[:, len(members) :] = self.order[:, :1]
        self.row_numbers = self.order.copy()
        self.plan.buffers(ORDER=self._keep(self.order), ROW_NUMBERS=self._keep(self.row_numbers))
        self.plan.buffers(PLACES=self._places(self.batch), SHORT_PLACES=self._places(rows % self.batch))
        order = self.training.order
        self.shuffled = order is not None and self.batch < rows
        self.drawn = self.shuffled and callable(order)
        if self.shuffled and not self.drawn:
            trainings = [m.training for m in members]
            seeds = self._of_models([word(training.order) for training in trainings], np.int64)  # type: ignore[arg-type]
            before = self._of_models([training.epochs_before - training.done for training in trainings], np.int64)
            self.plan.counts(SHUFFLE=1)
            self.plan.buffers(SEEDS=seeds.ctypes.data, EPOCHS_BEFORE=before.ctypes.data)
            self.plan.buffers(SHUFFLE_EPOCHS=self._keep(np.zeros(width, np.int64)))
            self.plan.kernels(ORDERS="lanes_random.orders")
        unit, itemsize = self.plan[at.UNIT], np.dtype(self.spec.dtype).itemsize
        bytes_of_all = self.an_epoch * (self.spec.inputs + self.spec.targets) * unit * itemsize
        self.keeps_tiles = not self.shuffled and (self.batch == rows or bytes_of_all <= TILE_BYTES)
        batches = self.an_epoch if self.keeps_tiles else 1
        inputs, targets = (batches * units * unit for units in (self.spec.inputs, self.spec.targets))
        tiles = self._floats(inputs + targets)
        self.plan.buffers(X_TILE=tiles, Y_TILE=tiles + inputs * itemsize)
        self.picks = self.shuffled and rows <= PICKED_ROWS
        if self.picks:
            of_all = lines_apart(rows * width, self.spec.dtype)
            self.plan.counts(ROWS_UNIT=of_all)
            self.plan.buffers(ROWS_TILE=self._floats((self.spec.inputs + self.spec.targets) * of_all))
            self.plan.kernels(PICK="lanes_rows.pick")

    def _make_tiles(self) -> None:
        """Makes the tiles of all batches, if they stay as they are; or that of all rows, if batches pick theirs."""
        plan, spec = self.plan, self.spec
        itemsize = np.dtype(spec.dtype).itemsize
        if self.keeps_tiles:
            plan.counts(KEPT_TILES=1)
            unit = plan[at.UNIT]
            for number, start in enumerate(range(0, self.rows, self.batch)):
                count, below = min(self.batch, self.rows - start), number * unit * itemsize
                x, y = plan[at.X_TILE] + below * spec.inputs, plan[at.Y_TILE] + below * spec.targets
                places = plan[at.PLACES if count == self.batch else at.SHORT_PLACES]
                self._gather(start, count, places, x, y, unit)
        elif self.picks:
            x, unit = plan[at.ROWS_TILE], plan[at.ROWS_UNIT]
            as_they_are = np.arange(self.rows)
            self._gather(0, self.rows, as_they_are.ctypes.data, x, x + spec.inputs * unit * itemsize, unit)
            self.order[:] = self.row_numbers[:] = as_they_are[:, None]

    def _gather(self, start: int, count: int, places: int, x: int, y: int, unit: int) -> None:
        """Rows at the places from `start` on into tiles of inputs and of targets."""
        plan, spec = self.plan, self.spec
        gather = registry.function("lanes_rows.gather", spec.dtype, _GATHER)
        order = plan[at.ORDER] + start * self.width * 8
        gather(plan[at.X_OF], order, self.width, places, count, spec.inputs, x, unit)
        gather(plan[at.Y_OF], order, self.width, places, count, spec.targets, y, unit)

    def _training(self) -> None:
        spec, width, training = self.spec, self.width, self.training
        trainings = [lane.member.training for lane in self.lanes]
        size, dtype = spec.parameters * width, spec.dtype
        self.plan.counts(
            FIRST_EPOCH=training.first_recorded, EPOCHS=training.last, EPOCH=training.first,
            RECORD_EVERY=training.record_every, LIVING=len(self.lanes),
        )  # fmt: skip
        optimizer = training.optimizer
        vectors = optimizer.vectors if optimizer else 0
        columns = optimizer.steps(np.ones(1), np.ones(2))[0].shape[1] if optimizer else 1
        self.constant = columns == 1 and training.constant
        most = max(1, STEP_BYTES // (columns * width * np.dtype(dtype).itemsize))
        self.most = 1 if self.constant else min(most, training.epochs * self.an_epoch)
        self.descends = not vectors
        self.own_numbers = aligned(self.most * columns * width, dtype).reshape(self.most, columns, width)
        self.plan.buffers(STEPS=self._keep(self.own_numbers))
        self.plan.counts(STEP_NUMBERS=0 if self.constant else columns * width)
        if self.constant:
            for lane in self.lanes:
                rate = lane.member.training.learning_rate
                self.own_numbers[0, 0, lane.lane] = -rate if self.descends else rate  # type: ignore[operator]
        if vectors:
            assert optimizer is not None
            self.state = aligned(vectors * size, dtype).reshape(vectors, -1, width)
            settings = aligned(len(optimizer.settings) * width, dtype).reshape(-1, width)
            for lane in self.lanes:
                self.state[:, :, lane.lane] = lane.vectors
                settings[:, lane.lane] = lane.member.training.optimizer.settings  # type: ignore[union-attr]
            self.plan.buffers(STATE=self._keep(self.state), SETTINGS=self._keep(settings))
            self.plan.counts(VECTORS=vectors)
        if vectors or training.prepares:
            self.plan.buffers(GRADIENT=self._floats(size))
            self.plan.kernels(UPDATE=f"lanes_updates.{optimizer.kernel if optimizer else 'gradient_descent'}")
            self._weights("backward_weights")
        else:
            self._weights("descend")
        if training.prepares:
            self.plan.kernels(PENALIZED="lanes_updates.penalized")
            for name in ("l2", "l1"):
                values = self._of_models([getattr(one, name) for one in trainings], dtype)
                self.plan.buffers(**{name.upper(): values.ctypes.data})
        numbers = aligned(at.NUMBERS_COUNT, dtype)
        numbers[at.SCALE] = gradient_scale(spec, self.batch)
        numbers[at.SHORT_SCALE] = gradient_scale(spec, self.rows % self.batch or self.batch)
        numbers[at.TERMS] = np.dtype(dtype).type(self.rows * spec.loss_terms)
        self.plan.buffers(NUMBERS=self._keep(numbers))
        losses = [-np.inf if one.target_loss is None else one.target_loss for one in trainings]
        needed = [needed_rows(one.target_accuracy, self.rows) for one in trainings]
        self.plan.buffers(TARGET_LOSSES=self._of_models(losses, dtype).ctypes.data)
        self.plan.buffers(NEEDED=self._of_models(needed, np.int64).ctypes.data)
        self.plan.buffers(TOTALS=self._floats(width), RIGHTS=self._floats(width), WRONG=self._floats(width))
        self.live = np.zeros(width, np.int64)
        self.live[: len(self.lanes)] = 1
        self.ends, self.end_epochs, self.end_steps, self.end_records = np.zeros((4, width), np.int64)
        self.finals = aligned((2 + vectors) * size, dtype).reshape(2 + vectors, -1, width)
        self.snapshots = aligned(2 * size, dtype).reshape(2, -1, width)
        capacity = min(
            RECORDS // width, training.epochs // training.record_every + 2
        )  # zeros that are not used cost nothing
        self.record_epochs = np.zeros(capacity, np.int64)
        self.rights = np.zeros((capacity, width), np.int64)
        self.losses = np.zeros((capacity, width), dtype)
        for name, array in {
            "LIVE": self.live, "ENDS": self.ends, "END_EPOCHS": self.end_epochs, "END_STEPS": self.end_steps,
            "END_RECORDS": self.end_records, "FINALS": self.finals, "SNAPSHOTS": self.snapshots,
            "RECORD_EPOCHS": self.record_epochs, "RECORD_RIGHTS": self.rights, "RECORD_LOSSES": self.losses,
        }.items():  # fmt: skip
            self.plan.buffers(**{name: self._keep(array)})
        self.plan.counts(RECORD_CAPACITY=1 if training.watched else capacity)
        for lane in self.lanes:
            self.parameters[:, lane.lane] = lane.trained
            self.snapshots[0, :, lane.lane] = lane.kept

    def _weights(self, name: str) -> None:
        """Asks for the kernels of weight gradients: of a whole batch, and of the shorter last one."""
        written_out = f"_{self.batch}" if self.batch in WRITTEN_OUT else ""
        self.plan.kernels(BACKWARD_WEIGHTS=f"lanes_sums.{name}{written_out}{self.one}")
        if self.rows % self.batch:
            self.plan.kernels(SHORT_WEIGHTS=f"lanes_sums.{name}{self.one}")
