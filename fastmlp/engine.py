"""Runs kernels: plans the schedule, owns the buffers, and returns to Python every 50 ms or so.

The engine trusts its arguments (`data.py` and `spec.py` have checked them). Nothing is allocated in kernels, and
nothing here while training goes on.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from fastmlp import pairs, threads
from fastmlp import plan as at
from fastmlp.pairs import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.reference.random import dropout_numbers
from fastmlp.spec import Spec
from fastmlp.target import target
from fastmlp.team import Team
from fastmlp.training import RateTable, State, Step, Training, records

PACES = 1000  # that are remembered
SHARED_WORK = 250_000  # parameters x rows of a batch, from which threads may pay: some 20 us of one core
CALL_SECONDS = 0.05  # between returns to Python: for Ctrl-C, progress and logging
TILE_BYTES = 24 * 1024  # a tile's activations: most of a 32 KiB L1 cache
SPAN = 2 * CHUNK  # rows of a layered pass: all layers' activations are kept
LAYERED_WORK = 16_000  # multiplications for a row, from which the layered schedule pays
LAYERED_WASTE = 1.3  # and this many of them at most for each that is needed
GROUP_BYTES = 256 * 1024  # deltas that the layered schedule packs at once: some of the second cache
SUMS_BYTES = 128 * 1024  # lanes of row sums kept in memory between tiles; beyond, a tile is a whole chunk
MOST_BATCHES = 2**40  # in a call, whatever the clock says
RECORDS = 65536  # a call's records: some 50 ms of the shortest epochs
STEPS = 16384  # a call's updates, where each has numbers of its own

_TRAIN = (Ints, Floats, Int)
_SUM_BATCH = _PASS = (Ints, Floats, Int, Int, Int)
_GATHER = (Floats, Ints, Int, Int, Int, Int, Floats, Int)


# ---------------------------------------------------------------------------------------------------------
# Buffers and plans


def aligned(count: int, dtype: str) -> np.ndarray:
    """An array of zeros on a 64-byte boundary with two lines to spare behind it: kernels write whole registers."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(count * itemsize + 3 * LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + count * itemsize].view(dtype)


def tile_rows(spec: Spec, rows: int, group: int) -> int:
    """Rows of a tile, a multiple of `group`: as many as fit the cache, and a chunk in tiles of about the same size."""
    chunk = min(CHUNK, rows)
    itemsize = np.dtype(spec.dtype).itemsize
    if spec.parameters * LINE > SUMS_BYTES:
        fitting = chunk
    else:
        fitting = max(group, TILE_BYTES // (itemsize * (sum(spec.layers) + spec.targets)))
    tiles = math.ceil(chunk / fitting)
    return math.ceil(math.ceil(chunk / tiles) / group) * group


def panel_width(dtype: str) -> int:
    """Units of the layered schedule's panels, or more: four lines."""
    return 4 * LINE // np.dtype(dtype).itemsize


def row_stride(units: int, dtype: str) -> int:
    """Numbers from one row to the next in the layered schedule: whole panels, a 1, and an odd number of lines.

    With a power of two, rows would fall on the same few sets of the cache.
    """
    lanes, panel = LINE // np.dtype(dtype).itemsize, panel_width(dtype)
    lines = math.ceil(max(math.ceil(units / panel) * panel, units + 1) / lanes)
    return (lines | 1) * lanes


class Workspace:
    """Buffers and plan for one network, schedule and size of data."""

    # of a training, made by `ready`
    order: np.ndarray
    snapshots: np.ndarray
    epochs: np.ndarray
    losses: np.ndarray
    rights: np.ndarray
    state: np.ndarray
    steps: np.ndarray

    def __init__(self, spec: Spec, schedule: str, rows: int, weighed: bool = False):
        self.columns = spec.targets + weighed  # of y
        self.spec, self.schedule = spec, schedule
        dtype = spec.dtype
        itemsize = np.dtype(dtype).itemsize
        lanes = LINE // itemsize
        # Registers come in twos; and a tile begins where the lanes of its chunk do, or rows would change lanes.
        group = max(2 * target().register, LINE) // itemsize
        self.tile = {
            "streamed": lambda: tile_rows(spec, rows, group),
            "layered": lambda: math.ceil(min(rows, CHUNK) / group) * group,
            "rowwise": lambda: group,
        }[schedule]()
        self.span = min(SPAN, 2 ** math.ceil(math.log2(math.ceil(rows / CHUNK))) * CHUNK)
        self.span_rows = min(rows, self.span)
        self.several = self.tile < min(CHUNK, rows)  # tiles to a chunk
        # A line between units: with a power of two, all units of a row would fall on the same few sets of the cache.
        self.stride = max(self.tile, lanes) + lanes
        # parameters, the loss and the sum of weights, in whole lines
        self.size = (spec.parameters + 1 + lanes) // lanes * lanes
        self._arrays: list[np.ndarray] = []
        self.plan = np.zeros(at.FIELDS + at.LAYER_FIELDS * (len(spec.layers) - 1), np.int64)
        self.parameters = aligned(self.size, dtype)
        self._network()

    def keep(self, array: np.ndarray) -> int:
        """The array's address; the workspace keeps it alive."""
        self._arrays.append(array)
        return array.ctypes.data

    def floats(self, count: int) -> int:
        return self.keep(aligned(count, self.spec.dtype))

    def address(self, kernel: str) -> int:
        return pairs.address(kernel, self.spec.dtype)

    def call(self, kernel: str, arguments: tuple[str, ...], *values: int) -> int:
        return pairs.function(kernel, self.spec.dtype, arguments)(*values)

    def _network(self) -> None:
        spec, plan = self.spec, self.plan
        streamed, layered = self.schedule == "streamed", self.schedule == "layered"
        plan[at.LAYERS] = len(spec.shapes)
        plan[at.SPAN] = self.span if layered else CHUNK
        plan[at.PARAMETERS] = spec.parameters
        plan[at.OUTPUTS] = spec.outputs
        plan[at.COLUMNS] = self.columns
        if self.columns > spec.targets:
            plan[at.EXTRAS] |= at.WEIGHED
        plan[at.TILE], plan[at.STRIDE] = self.tile, self.stride
        plan[at.Y_TILE] = self.floats((spec.outputs + self.columns) * self.stride)
        if streamed:
            plan[at.X_TILE] = self.floats(spec.inputs * self.stride)
        if streamed or layered:
            plan[at.GATHER] = self.address("layout.gather")
        if layered:
            plan[at.X_STRIDE] = row_stride(spec.inputs, spec.dtype)
            plan[at.TRANSPOSE] = self.address("layout.transpose")
            plan[at.PANEL] = self.floats((at.DEPTH + LINE) * panel_width(spec.dtype))
        plan[at.DENSE_FORWARD] = self.address(self.dense("forward"))
        for layer, ((inputs, outputs), offset) in enumerate(zip(spec.shapes, spec.offsets, strict=True)):
            activation = spec.hidden[layer] if layer < len(spec.hidden) else "identity"
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            plan[entry + at.LAYER_INPUTS] = inputs
            plan[entry + at.LAYER_OUTPUTS] = outputs
            plan[entry + at.LAYER_OFFSET] = offset
            plan[entry + at.LAYER_RELU] = activation == "relu"
            plan[entry + at.LAYER_STRIDE] = row_stride(outputs, spec.dtype)
            plan[entry + at.LAYER_A] = self.units(outputs)
            if activation not in ("relu", "identity"):
                plan[entry + at.LAYER_FORWARD] = self.address(f"activations.{activation}_forward")
                plan[entry + at.LAYER_SLOPE] = self.units(outputs)

    def units(self, count: int) -> int:
        """A buffer for so many units of all rows of a tile, or of a span."""
        if self.schedule == "layered":
            return self.floats((self.span_rows + at.BLOCK_ROWS) * row_stride(count, self.spec.dtype))
        return self.floats(math.ceil(count / 4) * 4 * self.stride)

    def dense(self, what: str) -> str:
        """The name of a dense layer's kernel in this schedule."""
        module, ending = {"streamed": ("dense", ""), "rowwise": ("dense", "_row"), "layered": ("wide", "")}[
            self.schedule
        ]
        return f"{module}.dense_{what}{ending}"

    def for_outputs(self, result: np.ndarray, kernel: str | None) -> None:
        """Readies a pass that writes the outputs of all rows: the logits, or what `kernel` makes of them."""
        plan = self.plan
        plan[at.RESULT] = self.keep(result)
        plan[at.SCATTER] = self.address("layout.scatter")
        plan[at.OUTPUT_KERNEL] = self.address(kernel) if kernel else 0

    def for_loss(self, rows: int) -> None:
        """Readies a pass that sums the loss over up to `rows` rows."""
        plan, spec = self.plan, self.spec
        line = LINE // np.dtype(spec.dtype).itemsize
        plan[at.LOSS_KERNEL] = self.address(f"losses.{spec.loss_kernel}")
        if spec.loss_parameter is not None:
            plan[at.EXTRAS] |= at.LOSS_IS_SET
            plan[at.LOSS_PARAMETER] = self.keep(np.array([spec.loss_parameter], spec.dtype))
        if plan[at.EXTRAS] & at.WEIGHED:
            plan[at.WEIGH_KERNEL] = self.address("losses.weigh")
        ones = aligned(self.stride, spec.dtype)
        ones[:] = 1
        plan[at.ONES] = self.keep(ones)
        plan[at.SUM_BATCH] = self.address("train.sum_batch")
        plan[at.STATISTICS] = self.floats(5 * line)
        self.gradient = aligned(self.size, spec.dtype)
        plan[at.GRADIENT] = self.keep(self.gradient)
        levels = math.ceil(rows / int(plan[at.SPAN])).bit_length()
        plan[at.LEVELS] = self.floats(levels * self.size)
        plan[at.SCALARS] = self.floats(2 * (SPAN // CHUNK).bit_length() + 2)

    def for_gradient(self) -> None:
        """Readies a pass that also sums the gradient."""
        plan, spec = self.plan, self.spec
        line = LINE // np.dtype(spec.dtype).itemsize
        plan[at.DENSE_BACKWARD_INPUT] = self.address(self.dense("backward_input")) if len(spec.layers) > 2 else 0
        plan[at.DENSE_BACKWARD_WEIGHTS] = self.address(self.dense("backward_weights"))
        if self.schedule == "streamed":
            plan[at.SUMS] = self.floats(max(12, spec.parameters if self.several else 0) * line)
        elif self.schedule == "layered":
            rows, panel, widest = self.span_rows, panel_width(spec.dtype), max(spec.layers[1:])
            group = panel * max(1, GROUP_BYTES // (rows * panel * LINE // line))
            inputs = max(spec.layers) + 1 if group < widest else 0  # packed once for several groups
            plan[at.GROUP] = group = min(group, math.ceil(widest / panel) * panel)
            plan[at.PACKED] = self.floats(rows * (group + inputs + at.BLOCK_INPUTS) + line)
            plan[at.BLOCKS] = self.floats((at.LEVELS_OF_LANES + at.LEVELS_OF_CHUNKS) * at.BLOCK_INPUTS * panel)
            plan[at.DELTAS] = self.floats((at.PASSING + at.BLOCK_ROWS) * panel)
        else:
            plan[at.FOLD_ROWS] = self.address("dense.fold_rows")
            plan[at.SUMS] = self.floats(line * self.size)
        if set(spec.hidden) - {"relu", "identity"}:
            plan[at.MULTIPLY] = self.address("activations.multiply")

    def team(self, members: int, training: Training) -> Team:
        """A team for a training that is ready."""
        rows = int(self.plan[at.BATCH])
        others = [
            Workspace(self.spec, self.schedule, rows, self.columns > self.spec.targets) for _ in range(members - 1)
        ]
        for other in others:
            other.for_loss(rows)
            other.for_gradient()
            if self.schedule == "streamed":
                other.plan[at.X_TILE] = other.floats(self.spec.inputs * self.stride)
                if training.drops:
                    other.for_dropout(training)
        return Team(self, others, rows)

    def for_pass(self) -> None:
        """Readies the pass itself, once all is known that it is asked for."""
        options = int(self.plan[at.EXTRAS]) & (at.WEIGHED | at.DROPS | at.LOSS_IS_SET) and self.schedule != "layered"
        self.plan[at.PASS_KERNEL] = self.address(f"train.{self.schedule}{'_with_options' if options else ''}")

    def for_dropout(self, training: Training) -> None:
        """Readies dropout for a pass that sums the gradient."""
        plan, spec = self.plan, self.spec
        plan[at.EXTRAS] |= at.DROPS
        plan[at.DROPOUT] = self.address("train.dropout_by_rows" if self.schedule == "layered" else "train.dropout")
        plan[at.DROPOUT_FACTORS] = self.address("random.dropout_factors")
        plan[at.MULTIPLY] = self.address("activations.multiply")
        plan[at.DROPOUT_SEED] = np.array(training.dropout_seed, np.uint64).view(np.int64)
        for layer, rate in enumerate(training.dropout):
            threshold, kept = dropout_numbers(rate)
            if threshold:
                entry = at.FIELDS + layer * at.LAYER_FIELDS
                plan[entry + at.LAYER_THRESHOLD] = threshold
                plan[entry + at.LAYER_KEPT] = self.keep(np.array([kept], spec.dtype))
                plan[entry + at.LAYER_FACTORS] = self.units(spec.layers[layer + 1])
                if plan[entry + at.LAYER_SLOPE] == 0:
                    plan[entry + at.LAYER_SLOPE] = plan[entry + at.LAYER_FACTORS]

    def for_update(self, training: Training, state: State) -> None:
        """Readies what becomes of a gradient: penalties, clipping, and the optimizer's update."""
        plan, spec = self.plan, self.spec
        optimizer = training.optimizer
        plan[at.UPDATE] = self.address(f"optimizers.{optimizer.kernel if optimizer else 'gradient_descent'}")
        columns = 1
        if optimizer is not None and optimizer.vectors:
            self.state = aligned(optimizer.vectors * self.size, spec.dtype).reshape(-1, self.size)
            self.state[:, : spec.parameters] = state.vectors
            plan[at.STATE] = self.keep(self.state)
            plan[at.SETTINGS] = self.keep(np.array(optimizer.settings, spec.dtype))
            columns = optimizer.steps(np.ones(1), np.ones(2))[0].shape[1]
        constant = columns == 1 and training.constant
        self.steps = np.zeros((1 if constant else STEPS, columns), spec.dtype)
        if constant:
            self.steps[:] = training.learning_rate
        plan[at.STEPS], plan[at.STEP_NUMBERS] = self.keep(self.steps), 0 if constant else columns
        if plan[at.STATE] or plan[at.EXTRAS] & at.WEIGHED or training.prepares or not constant:
            plan[at.STEP_KERNEL] = self.address("train.step")
        if training.prepares:
            plan[at.SCALED] = self.address("gradients.scaled")
            if training.l2 or training.l1:
                plan[at.PENALIZED] = self.address("gradients.penalized")
            if training.clip_value is not None:
                plan[at.CLIPPED_BY_VALUE] = self.address("gradients.clipped_by_value")
            if training.clip_norm is not None:
                plan[at.CLIPPED_BY_NORM] = self.address("gradients.clipped_by_norm")
                levels = math.ceil(spec.parameters / CHUNK).bit_length()
                plan[at.SCRATCH] = self.floats(levels + 4 * LINE)

    def data(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Rows by rows, gathered tile by tile as they are needed."""
        self.plan[at.X] = self.keep(x)
        if y is not None:
            self.plan[at.Y] = self.keep(y)
        if self.schedule == "layered":
            self.plan[at.X_TILE] = self.units(self.spec.inputs)
            self.plan[at.COPY_ROWS] = self.address("layout.copy_rows")

    def copied_data(self, x: np.ndarray, y: np.ndarray) -> None:
        """A copy of the features as the layered schedule wants them, for data that many epochs go through alike."""
        stride = row_stride(self.spec.inputs, self.spec.dtype)
        rows = aligned((len(x) + at.BLOCK_ROWS) * stride, self.spec.dtype)
        self.plan[at.X_TILE], self.plan[at.Y] = self.keep(rows), self.keep(y)
        columns = self.spec.inputs
        self.call("layout.copy_rows", _GATHER, x.ctypes.data, 0, 0, 0, len(x), columns, rows.ctypes.data, stride)

    def tiled_data(self, x: np.ndarray, y: np.ndarray) -> None:
        """A copy in tiles, for data that many epochs go through in the same order."""
        starts = [(c, t) for c in range(0, len(x), CHUNK) for t in range(c, min(c + CHUNK, len(x)), self.tile)]
        slots = math.ceil(len(x) / CHUNK) * math.ceil(CHUNK / self.tile)
        for place, rows, columns in (
            (at.X_TILES, x, self.spec.inputs),
            (at.Y_TILES, y, self.columns),
        ):
            tiles = aligned(min(slots, len(starts)) * columns * self.stride, self.spec.dtype)
            self.plan[place] = self.keep(tiles)
            for slot, (chunk, first) in enumerate(starts):
                count = min(self.tile, chunk + CHUNK - first, len(x) - first)
                to = tiles.ctypes.data + slot * columns * self.stride * tiles.itemsize
                self.call("layout.gather", _GATHER, rows.ctypes.data, 0, 0, first, count, columns, to, self.stride)


def choose_schedule(spec: Spec, batch: int) -> str:
    """The schedule for batches of this many rows.

    Layered reaches 0.8 to 0.95 of the peak where streamed reaches 0.4 to 0.6, but computes whole panels of units and
    has more to do beside; measured on both sides of LAYERED_WORK and LAYERED_WASTE, see docs/performance.md.
    """
    if batch == 1:
        return "rowwise"
    work = padded = 0
    for layer, (inputs, outputs) in enumerate(spec.shapes):
        work += inputs * outputs * (3 if layer else 2)
        padded += (inputs + inputs + 1) * whole_panels(outputs, spec.dtype)
        padded += outputs * whole_panels(inputs, spec.dtype) if layer else 0
    return "layered" if work >= LAYERED_WORK and padded <= LAYERED_WASTE * work else "streamed"


def whole_panels(units: int, dtype: str) -> int:
    """Units that the layered schedule computes for so many: the last panel has 4 registers or 2."""
    line = LINE // np.dtype(dtype).itemsize
    return math.ceil(units / (2 * line)) * 2 * line


# ---------------------------------------------------------------------------------------------------------
# What a model asks for


def outputs(spec: Spec, parameters: np.ndarray, x: np.ndarray, schedule: str | None = None) -> np.ndarray:
    """Probabilities (softmax, sigmoid) or values (identity, exponential), (N, J)."""
    kernel = spec.output_kernel
    return _forward(spec, parameters, x, f"losses.{kernel}" if kernel else None, schedule)


def logits(spec: Spec, parameters: np.ndarray, x: np.ndarray, schedule: str | None = None) -> np.ndarray:
    """The last layer's sums, (N, J), before softmax or sigmoid."""
    return _forward(spec, parameters, x, None, schedule)


def _forward(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, output_kernel: str | None, schedule: str | None
) -> np.ndarray:
    result = np.empty((len(x), spec.outputs), spec.dtype)
    workspace = Workspace(spec, schedule or choose_schedule(spec, len(x)), len(x))
    workspace.parameters[: spec.parameters] = parameters
    workspace.data(x, None)
    workspace.for_outputs(result, output_kernel)
    _all_rows(workspace, f"train.{workspace.schedule}", len(x), at.OUTPUT)
    return result


def evaluate(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, schedule: str | None = None
) -> tuple[float, float]:
    """The mean loss and the share of right rows."""
    return evaluator(spec, x, y, schedule)(parameters)


def evaluator(
    spec: Spec, x: np.ndarray, y: np.ndarray, schedule: str | None = None
) -> Callable[[np.ndarray], tuple[float, float]]:
    """A function of the parameters that gives the mean loss and the share of right rows, made ready for many calls."""
    workspace = Workspace(spec, schedule or choose_schedule(spec, len(x)), len(x))
    workspace.data(x, y)
    workspace.for_loss(len(x))
    workspace.for_pass()
    run = pairs.function("train.sum_batch", spec.dtype, _SUM_BATCH)
    mode = at.RECORD | int(workspace.plan[at.EXTRAS])
    arguments = workspace.plan.ctypes.data, workspace.parameters.ctypes.data, 0, len(x), mode

    def evaluated(parameters: np.ndarray) -> tuple[float, float]:
        workspace.parameters[: spec.parameters] = parameters
        while run(*arguments) == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
        total = workspace.gradient[spec.parameters]
        loss = float(total / total.dtype.type(len(x) * spec.loss_terms))
        return loss, int(workspace.plan[at.BATCH_RIGHT]) / len(x)

    return evaluated


def _all_rows(workspace: Workspace, kernel: str, rows: int, mode: int) -> None:
    span = int(workspace.plan[at.SPAN])
    step = CHUNK * 64  # a look for Ctrl-C at least every 32,768 rows
    first = 0
    while first < rows:
        for start in range(first, min(first + step, rows), span):
            state = workspace.call(
                kernel, _PASS, workspace.plan.ctypes.data, workspace.parameters.ctypes.data,
                start, min(span, rows - start), mode,
            )  # fmt: skip
            if state == at.INTERRUPTED:
                signal.raise_signal(signal.SIGINT)
                break
            first = start + span


def ready(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State | None = None,
    weights: np.ndarray | None = None,
    schedule: str | None = None,
) -> Workspace:
    """A workspace whose plan is that of a training, at its beginning."""
    rows = len(x)
    kind = np.dtype(spec.dtype).type
    batch = min(training.batch_size, rows)
    workspace = Workspace(spec, schedule or choose_schedule(spec, batch), batch, weights is not None)
    plan = workspace.plan
    workspace.parameters[: spec.parameters] = parameters
    workspace.for_loss(batch)
    workspace.for_gradient()
    if training.drops:
        workspace.for_dropout(training)
    workspace.for_pass()
    workspace.for_update(training, state or State.new(training.optimizer, spec.parameters, spec.dtype))
    if weights is not None:
        y = np.ascontiguousarray(np.column_stack([y, weights]), spec.dtype)
    if batch == rows and workspace.schedule == "streamed":
        workspace.tiled_data(x, y)
    elif batch == rows and workspace.schedule == "layered":
        workspace.copied_data(x, y)
    else:
        workspace.data(x, y)
    if training.order is not None and batch < rows:
        workspace.order = np.arange(rows)
        plan[at.ORDER] = workspace.keep(workspace.order)
        if not callable(training.order):
            plan[at.SHUFFLE], plan[at.SEED] = 1, np.array(training.order, np.uint64).view(np.int64)
            plan[at.PERMUTATION] = pairs.address("random.permutation", "float64")

    numbers = aligned(at.NUMBERS_COUNT, spec.dtype)
    numbers[at.LEARNING_RATE] = workspace.steps[0, 0]
    numbers[at.SCALE] = _scale(spec, batch)
    numbers[at.SHORT_SCALE] = _scale(spec, rows % batch or batch)
    numbers[at.FACTOR], numbers[at.ROW_TERMS] = spec.gradient_factor, spec.loss_terms
    numbers[at.TERMS] = kind(rows * spec.loss_terms)
    numbers[at.TARGET_LOSS] = -np.inf if training.target_loss is None else training.target_loss
    numbers[at.L2], numbers[at.L1] = training.l2, training.l1
    numbers[at.CLIP_VALUE], numbers[at.CLIP_NORM] = training.clip_value or 0, training.clip_norm or 0
    plan[at.NUMBERS] = workspace.keep(numbers)
    plan[at.ROWS], plan[at.BATCH] = rows, batch
    plan[at.FIRST_EPOCH], plan[at.EPOCHS] = training.first, training.last
    plan[at.RECORD_EVERY] = training.record_every
    plan[at.NEEDED] = _needed(training.target_accuracy, rows)
    workspace.snapshots = aligned(2 * workspace.size, spec.dtype)
    workspace.snapshots[: spec.parameters] = parameters  # to go back to if the first epoch already diverges
    plan[at.SNAPSHOTS], plan[at.SNAPSHOT_SIZE] = workspace.keep(workspace.snapshots), workspace.size
    workspace.epochs, workspace.rights = np.zeros(RECORDS, np.int64), np.zeros(RECORDS, np.int64)
    workspace.losses = np.zeros(RECORDS, kind)
    plan[at.RECORD_EPOCHS], plan[at.RECORD_LOSSES] = workspace.keep(workspace.epochs), workspace.keep(workspace.losses)
    plan[at.RECORD_RIGHTS] = workspace.keep(workspace.rights)
    plan[at.RECORD_CAPACITY] = 1 if training.watched else RECORDS
    plan[at.EPOCH], plan[at.EPOCHS_BEFORE] = training.first, training.epochs_before - training.done
    return workspace


def train(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State | None = None,
    weights: np.ndarray | None = None,
    schedule: str | None = None,
) -> Iterator[Step]:
    """Trains `parameters` and `state` in place, yielding a Step about every 50 ms, with both as they then are.

    weights (N,): what each row counts for, or None. A step "diverged" comes with the parameters that the last record of
    a finite loss began with; the state is then that of an earlier step.
    """
    state = State.new(training.optimizer, spec.parameters, spec.dtype) if state is None else state
    workspace = ready(spec, parameters, x, y, training, state, weights, schedule)
    plan = workspace.plan
    pace = pace_of(workspace, members(workspace, training))
    short = True  # the first call, which a team would not be worth its coming together
    team: Team | None = None
    rows, batch = int(plan[at.ROWS]), int(plan[at.BATCH])
    drawn = training.order if callable(training.order) and plan[at.ORDER] else None
    drawn_for = 0  # the epoch whose order was drawn last
    run = pairs.function("train.train", spec.dtype, _TRAIN)
    addresses = plan.ctypes.data, workspace.parameters.ctypes.data
    an_epoch = math.ceil(rows / batch)
    of_epochs, of_batches = RateTable(training, 1), RateTable(training, an_epoch)
    batches = max(1, 1_000_000 // (3 * spec.parameters * batch))  # some tenths of a millisecond; then as measured
    ended, reached = at.MORE, training.done
    while ended in (at.MORE, at.INTERRUPTED):
        if drawn is not None and drawn_for != plan[at.EPOCH]:
            drawn_for = int(plan[at.EPOCH])
            workspace.order[:] = drawn(training.epochs_before - training.done + drawn_for)
        left = an_epoch - int(plan[at.START]) // batch
        asked = min(batches, left) if drawn is not None else batches
        powers = None
        if plan[at.STEP_NUMBERS]:
            done = (int(plan[at.EPOCH]) - 1) * an_epoch + int(plan[at.START]) // batch
            asked = min(asked, len(workspace.steps), training.last * an_epoch - done)
            powers = _steps(workspace, training, state, of_batches.rates(done, asked))
        before = time.perf_counter()
        place = int(plan[at.EPOCH]) * rows + int(plan[at.START])
        helped = pace.helps(short)
        if helped and team is None:
            team = workspace.team(pace.members, training)
        with team.at_work() if team and helped else nullcontext():
            ended = run(*addresses, asked)
        seconds, short = max(time.perf_counter() - before, 1e-9), False
        pace.saw(helped, int(plan[at.EPOCH]) * rows + int(plan[at.START]) - place, seconds)
        batches = max(1, min(int(asked * CALL_SECONDS / seconds), asked * 16, MOST_BATCHES))
        written = int(plan[at.RECORDS])
        epochs = workspace.epochs[:written]
        made = records(epochs, workspace.losses[:written], workspace.rights[:written] / rows)
        if written:
            made["learning_rate"] = of_epochs.at(epochs - 1)
        # Records look at the parameters; the last update comes after the last record. In between nothing is decided,
        # so that what is told does not depend on when a call returns; but what is not finite is not handed out.
        finite = bool(np.isfinite(workspace.parameters[: spec.parameters]).all())
        name = {at.DONE: "done", at.REACHED: "target", at.DIVERGED: "diverged"}.get(ended, "more")
        seen = name != "more" or (training.watched and written > 0)  # whoever watches is shown finite parameters only
        if name == "diverged" or (seen and not finite):
            name = "diverged"
            kept = int(plan[at.KEPT]) * workspace.size
            parameters[:] = workspace.snapshots[kept : kept + spec.parameters]
        elif finite:
            parameters[:] = workspace.parameters[: spec.parameters]
            if plan[at.STATE]:
                state.vectors[:] = workspace.state[:, : spec.parameters]
            if powers is not None and plan[at.STEP]:
                state.powers[:] = powers[int(plan[at.STEP]) - 1]
        if finite or name == "diverged":
            reached = int(plan[at.EPOCH]) - 1  # else what is handed out is of an earlier step
        yield Step(name, reached, made)
        if name == "diverged":
            return
        if ended == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)


def members(workspace: Workspace, training: Training) -> tuple[int, bool]:
    """(the most threads that a training may use, whether it has to)."""
    asked = training.threads or threads.asked()
    if workspace.schedule == "rowwise":
        return 1, True
    batch, spec = int(workspace.plan[at.BATCH]), workspace.spec
    parts = math.ceil(batch / (CHUNK if workspace.schedule == "streamed" else at.BLOCK_ROWS))
    if asked:
        return min(asked, parts), True
    if batch * spec.parameters < SHARED_WORK:
        return 1, True
    return min(threads.available(), parts), False


class Pace:
    """Whether a team is to be at work in the next call: always, never, or while it is faster.

    That is found by trying, as it depends on what else the machine has to do; the bits do not depend on it. Calls that
    are much shorter than CALL_SECONDS tell nothing, as a team takes half a millisecond to come together; so a short
    training is done alone. Once in AGAIN calls the other way is tried anew.
    """

    AGAIN = 16

    def __init__(self, members: tuple[int, bool]):
        self.members, self._settled = members
        self.together = self.members > 1 and self._settled
        self._seen: dict[bool, float] = {}
        self._calls = 0

    def helps(self, short: bool) -> bool:
        """Whether a team is to be at work in the next call; short: a training's first."""
        return self.together and (self._settled or not short)

    def saw(self, together: bool, rows: int, seconds: float) -> None:
        """Takes in a call, of a team or not, that trained so many rows."""
        if self._settled or rows <= 0 or seconds < CALL_SECONDS / 4:
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
    key = workspace.spec, int(workspace.plan[at.BATCH]), team
    if len(_paces) > PACES:
        _paces.clear()
    return _paces.setdefault(key, Pace(team))


def _steps(workspace: Workspace, training: Training, state: State, rates: np.ndarray) -> np.ndarray:
    """Writes the numbers of the next updates, T in all. -> the optimizer's powers after each, (T, 2)."""
    if training.optimizer is None:
        steps, powers = rates[:, None], np.broadcast_to(state.powers, (len(rates), 2))
    else:
        steps, powers = training.optimizer.steps(rates, state.powers)
    workspace.steps[: len(rates)] = steps
    return powers


def _scale(spec: Spec, rows: int) -> np.floating:
    """What turns a batch's sum into the gradient of its mean loss."""
    kind = np.dtype(spec.dtype).type
    return kind(spec.gradient_factor) / kind(rows * spec.loss_terms)


def _needed(accuracy: float | None, rows: int) -> int:
    """The fewest right rows whose share is at least `accuracy`."""
    if accuracy is None:
        return rows + 1
    needed = max(0, min(rows, math.ceil(accuracy * rows)))
    while needed > 0 and (needed - 1) / rows >= accuracy:
        needed -= 1
    while needed / rows < accuracy:
        needed += 1
    return needed
