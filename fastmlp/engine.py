"""Runs kernels: plans the schedule, owns the buffers, and returns to Python every 50 ms or so.

The engine trusts its arguments (`data.py` and `spec.py` have checked them). Nothing is allocated in kernels, and
nothing here while training goes on.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator

import numpy as np

from fastmlp import pairs
from fastmlp import plan as at
from fastmlp.pairs import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.spec import Spec
from fastmlp.target import target
from fastmlp.training import Step, Training, records

CALL_SECONDS = 0.05  # between returns to Python: for Ctrl-C, progress and logging
TILE_BYTES = 24 * 1024  # a tile's activations: most of a 32 KiB L1 cache
SUMS_BYTES = 128 * 1024  # lanes of row sums kept in memory between tiles; beyond, a tile is a whole chunk
MOST_BATCHES = 2**40  # in a call, whatever the clock says
RECORDS = 65536  # a call's records: some 50 ms of the shortest epochs

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


class Workspace:
    """Buffers and plan for one network, schedule and size of data."""

    # of a training, made by `ready`
    order: np.ndarray
    snapshots: np.ndarray
    epochs: np.ndarray
    losses: np.ndarray
    rights: np.ndarray

    def __init__(self, spec: Spec, schedule: str, rows: int):
        self.spec, self.schedule = spec, schedule
        dtype = spec.dtype
        itemsize = np.dtype(dtype).itemsize
        lanes = LINE // itemsize
        # Registers come in twos; and a tile begins where the lanes of its chunk do, or rows would change lanes.
        group = max(2 * target().register, LINE) // itemsize
        self.tile = tile_rows(spec, rows, group) if schedule == "streamed" else group
        self.several = self.tile < min(CHUNK, rows)  # tiles to a chunk
        # A line between units: with a power of two, all units of a row would fall on the same few sets of the cache.
        self.stride = max(self.tile, lanes) + lanes
        self.size = (spec.parameters + lanes) // lanes * lanes  # parameters and the loss, in whole lines
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
        streamed = self.schedule == "streamed"
        row = "" if streamed else "_row"
        plan[at.LAYERS] = len(spec.shapes)
        plan[at.PARAMETERS] = spec.parameters
        plan[at.OUTPUTS] = spec.outputs
        plan[at.TARGETS] = spec.targets
        plan[at.TILE], plan[at.STRIDE] = self.tile, self.stride
        plan[at.X_TILE] = self.floats(spec.inputs * self.stride)
        plan[at.Y_TILE] = self.floats((spec.outputs + spec.targets) * self.stride)
        plan[at.PASS_KERNEL] = self.address(f"train.{self.schedule}")
        if streamed:
            plan[at.GATHER] = self.address("layout.gather")
        plan[at.DENSE_FORWARD] = self.address(f"dense.dense_forward{row}")
        for layer, ((inputs, outputs), offset) in enumerate(zip(spec.shapes, spec.offsets, strict=True)):
            activation = spec.hidden[layer] if layer < len(spec.hidden) else "identity"
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            plan[entry + at.LAYER_INPUTS] = inputs
            plan[entry + at.LAYER_OUTPUTS] = outputs
            plan[entry + at.LAYER_OFFSET] = offset
            plan[entry + at.LAYER_RELU] = activation == "relu"
            plan[entry + at.LAYER_A] = self.floats(outputs * self.stride)
            if activation not in ("relu", "identity"):
                plan[entry + at.LAYER_FORWARD] = self.address(f"activations.{activation}_forward")
                plan[entry + at.LAYER_SLOPE] = self.floats(outputs * self.stride)

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
            setting = aligned(1, spec.dtype)
            setting[0] = spec.loss_parameter
            plan[at.LOSS_PARAMETER] = self.keep(setting)
        ones = aligned(self.stride, spec.dtype)
        ones[:] = 1
        plan[at.ONES] = self.keep(ones)
        plan[at.SUM_BATCH] = self.address("train.sum_batch")
        plan[at.STATISTICS] = self.floats(4 * line)
        self.gradient = aligned(self.size, spec.dtype)
        plan[at.GRADIENT] = self.keep(self.gradient)
        levels = math.ceil(rows / CHUNK).bit_length()
        plan[at.LEVELS] = self.floats(levels * self.size)

    def for_gradient(self) -> None:
        """Readies a pass that also sums the gradient."""
        plan, spec = self.plan, self.spec
        line = LINE // np.dtype(spec.dtype).itemsize
        streamed = self.schedule == "streamed"
        row = "" if streamed else "_row"
        plan[at.DENSE_BACKWARD_INPUT] = self.address(f"dense.dense_backward_input{row}") if len(spec.layers) > 2 else 0
        plan[at.DENSE_BACKWARD_WEIGHTS] = self.address(f"dense.dense_backward_weights{row}")
        if streamed:
            plan[at.SUMS] = self.floats(max(12, spec.parameters if self.several else 0) * line)
        else:
            plan[at.FOLD_ROWS] = self.address("dense.fold_rows")
            plan[at.SUMS] = self.floats(line * self.size)
        if set(spec.hidden) - {"relu", "identity"}:
            plan[at.BACKWARD_KERNEL] = self.address("activations.backward")

    def data(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Rows by rows, gathered tile by tile as they are needed."""
        self.plan[at.X] = self.keep(x)
        if y is not None:
            self.plan[at.Y] = self.keep(y)

    def tiled_data(self, x: np.ndarray, y: np.ndarray) -> None:
        """A copy in tiles, for data that many epochs go through in the same order."""
        starts = [(c, t) for c in range(0, len(x), CHUNK) for t in range(c, min(c + CHUNK, len(x)), self.tile)]
        slots = math.ceil(len(x) / CHUNK) * math.ceil(CHUNK / self.tile)
        for place, rows, columns in (
            (at.X_TILES, x, self.spec.inputs),
            (at.Y_TILES, y, self.spec.targets),
        ):
            tiles = aligned(min(slots, len(starts)) * columns * self.stride, self.spec.dtype)
            self.plan[place] = self.keep(tiles)
            for slot, (chunk, first) in enumerate(starts):
                count = min(self.tile, chunk + CHUNK - first, len(x) - first)
                to = tiles.ctypes.data + slot * columns * self.stride * tiles.itemsize
                self.call("layout.gather", _GATHER, rows.ctypes.data, 0, 0, first, count, columns, to, self.stride)


def choose_schedule(batch: int) -> str:
    """The schedule for batches of this many rows."""
    return "rowwise" if batch == 1 else "streamed"


# ---------------------------------------------------------------------------------------------------------
# What a model asks for


def outputs(spec: Spec, parameters: np.ndarray, x: np.ndarray, schedule: str | None = None) -> np.ndarray:
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential), (N, J)."""
    return _forward(spec, parameters, x, spec.output_kernel and f"losses.{spec.output_kernel}", schedule)


def logits(spec: Spec, parameters: np.ndarray, x: np.ndarray, schedule: str | None = None) -> np.ndarray:
    """The last layer's sums, (N, J), before softmax, sigmoid or e^z."""
    return _forward(spec, parameters, x, None, schedule)


def _forward(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, output_kernel: str | None, schedule: str | None
) -> np.ndarray:
    result = np.empty((len(x), spec.outputs), spec.dtype)
    workspace = Workspace(spec, schedule or choose_schedule(len(x)), len(x))
    workspace.parameters[: spec.parameters] = parameters
    workspace.data(x, None)
    workspace.for_outputs(result, output_kernel)
    _all_rows(workspace, f"train.{workspace.schedule}", len(x), at.OUTPUT)
    return result


def evaluate(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, schedule: str | None = None
) -> tuple[float, float]:
    """The mean loss and the share of right rows."""
    workspace = Workspace(spec, schedule or choose_schedule(len(x)), len(x))
    workspace.parameters[: spec.parameters] = parameters
    workspace.data(x, y)
    workspace.for_loss(len(x))
    state = at.INTERRUPTED
    while state == at.INTERRUPTED:
        state = workspace.call(
            "train.sum_batch", _SUM_BATCH, workspace.plan.ctypes.data, workspace.parameters.ctypes.data,
            0, len(x), at.RECORD,
        )  # fmt: skip
        if state == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
    total = workspace.gradient[spec.parameters]
    return float(total / total.dtype.type(len(x) * spec.loss_terms)), int(workspace.plan[at.BATCH_RIGHT]) / len(x)


def _all_rows(workspace: Workspace, kernel: str, rows: int, mode: int) -> None:
    step = CHUNK * 64  # a look for Ctrl-C at least every 32,768 rows
    first = 0
    while first < rows:
        for start in range(first, min(first + step, rows), CHUNK):
            state = workspace.call(
                kernel, _PASS, workspace.plan.ctypes.data, workspace.parameters.ctypes.data,
                start, min(CHUNK, rows - start), mode,
            )  # fmt: skip
            if state == at.INTERRUPTED:
                signal.raise_signal(signal.SIGINT)
                break
            first = start + CHUNK


def ready(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, training: Training, schedule: str | None = None
) -> Workspace:
    """A workspace whose plan is that of a training, at its beginning."""
    rows = len(x)
    kind = np.dtype(spec.dtype).type
    batch = min(training.batch_size, rows)
    workspace = Workspace(spec, schedule or choose_schedule(batch), batch)
    plan = workspace.plan
    workspace.parameters[: spec.parameters] = parameters
    workspace.for_loss(batch)
    workspace.for_gradient()
    if batch == rows and workspace.schedule == "streamed":
        workspace.tiled_data(x, y)
    else:
        workspace.data(x, y)
    if training.order is not None and batch < rows:
        workspace.order = np.arange(rows)
        plan[at.ORDER] = workspace.keep(workspace.order)
        if not callable(training.order):
            plan[at.SHUFFLE], plan[at.SEED] = 1, np.array(training.order, np.uint64).view(np.int64)
            plan[at.PERMUTATION] = pairs.address("random.permutation", "float64")

    numbers = aligned(at.NUMBERS_COUNT, spec.dtype)
    numbers[at.LEARNING_RATE] = training.learning_rate
    numbers[at.SCALE] = _scale(spec, batch)
    numbers[at.SHORT_SCALE] = _scale(spec, rows % batch or batch)
    numbers[at.TERMS] = kind(rows * spec.loss_terms)
    numbers[at.TARGET_LOSS] = -np.inf if training.target_loss is None else training.target_loss
    plan[at.NUMBERS] = workspace.keep(numbers)
    plan[at.UPDATE] = workspace.address("optimizers.gradient_descent")
    plan[at.ROWS], plan[at.BATCH], plan[at.EPOCHS] = rows, batch, training.epochs
    plan[at.RECORD_EVERY] = training.record_every
    plan[at.NEEDED] = _needed(training.target_accuracy, rows)
    workspace.snapshots = aligned(2 * workspace.size, spec.dtype)
    workspace.snapshots[: spec.parameters] = parameters  # to go back to if the first epoch already diverges
    plan[at.SNAPSHOTS], plan[at.SNAPSHOT_SIZE] = workspace.keep(workspace.snapshots), workspace.size
    workspace.epochs, workspace.rights = np.zeros(RECORDS, np.int64), np.zeros(RECORDS, np.int64)
    workspace.losses = np.zeros(RECORDS, kind)
    plan[at.RECORD_EPOCHS], plan[at.RECORD_LOSSES] = workspace.keep(workspace.epochs), workspace.keep(workspace.losses)
    plan[at.RECORD_RIGHTS], plan[at.RECORD_CAPACITY] = workspace.keep(workspace.rights), RECORDS
    plan[at.EPOCH], plan[at.EPOCHS_BEFORE] = 1, training.epochs_before
    return workspace


def train(
    spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, training: Training, schedule: str | None = None
) -> Iterator[Step]:
    """Trains `parameters` in place, yielding a Step about every 50 ms, with the parameters as they then are.

    A step "diverged" comes with the parameters that the last record of a finite loss began with.
    """
    workspace = ready(spec, parameters, x, y, training, schedule)
    plan = workspace.plan
    rows, batch = int(plan[at.ROWS]), int(plan[at.BATCH])
    drawn = training.order if callable(training.order) and plan[at.ORDER] else None
    drawn_for = 0  # the epoch whose order was drawn last
    run = pairs.function("train.train", spec.dtype, _TRAIN)
    addresses = plan.ctypes.data, workspace.parameters.ctypes.data
    an_epoch = math.ceil(rows / batch)
    batches = max(1, 1_000_000 // (3 * spec.parameters * batch))  # some tenths of a millisecond; then as measured
    state = at.MORE
    while state in (at.MORE, at.INTERRUPTED):
        if drawn is not None and drawn_for != plan[at.EPOCH]:
            drawn_for = int(plan[at.EPOCH])
            workspace.order[:] = drawn(training.epochs_before + drawn_for)
        left = an_epoch - int(plan[at.START]) // batch
        asked = min(batches, left) if drawn is not None else batches
        before = time.perf_counter()
        state = run(*addresses, asked)
        seconds = max(time.perf_counter() - before, 1e-9)
        batches = max(1, min(int(asked * CALL_SECONDS / seconds), asked * 16, MOST_BATCHES))
        written = int(plan[at.RECORDS])
        made = records(workspace.epochs[:written], workspace.losses[:written], workspace.rights[:written] / rows)
        # Records look at the parameters; the last update comes after the last record. In between nothing is decided,
        # so that what is told does not depend on when a call returns; but what is not finite is not handed out.
        finite = bool(np.isfinite(workspace.parameters[: spec.parameters]).all())
        name = {at.DONE: "done", at.REACHED: "target", at.DIVERGED: "diverged"}.get(state, "more")
        if name == "diverged" or (name != "more" and not finite):
            name = "diverged"
            kept = int(plan[at.KEPT]) * workspace.size
            parameters[:] = workspace.snapshots[kept : kept + spec.parameters]
        elif finite:
            parameters[:] = workspace.parameters[: spec.parameters]
        yield Step(name, int(plan[at.EPOCH]) - 1, made)
        if name == "diverged":
            return
        if state == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)


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
