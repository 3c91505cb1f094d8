"""Buffers and plans: all memory that kernels work in, for one network, schedule and size of data.

A `Workspace` trusts its arguments (`data.py` and `spec.py` have checked them). Kernels allocate nothing, and find
everything by the plan.
"""

from __future__ import annotations

import math

import numpy as np

from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.reference.random import dropout_numbers
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import State, Training

DENSE = {"streamed": "dense", "rowwise": "row", "layered": "wide"}  # each schedule's kernels of dense layers
TILE_BYTES = 48 * 1024  # a tile's activations: a first cache, or a bit more; half of it makes xor 5 to 7 % slower
SUMS_BYTES = 128 * 1024  # lanes of row sums kept in memory between tiles; beyond, a tile is a whole chunk
SPAN = 2 * CHUNK  # rows of a layered pass: all layers' activations are kept
GROUP_BYTES = 256 * 1024  # deltas that the layered schedule packs at once: some of the second cache
TILED = ("streamed", "few")  # schedules whose rows come in tiles
DESCENT_WORK = 1_000_000_000  # parameters x rows of a batch that updates as it goes back, and so holds up Ctrl-C
STEPS = 16384  # a call's updates, where each has numbers of its own

_GATHER = (Floats, Ints, Int, Int, Int, Int, Floats, Int)


def aligned(count: int, dtype: str) -> np.ndarray:
    """An array of zeros on a 64-byte boundary with two lines to spare behind it: kernels write whole registers."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(count * itemsize + 3 * LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + count * itemsize].view(dtype)


def padded_size(count: int, dtype: str) -> int:
    """Numbers of a vector like the gradient: `count` parameters, the loss, the sum of weights, up to a whole line."""
    line = LINE // np.dtype(dtype).itemsize
    return math.ceil((count + 2) / line) * line


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
    numbers: np.ndarray
    snapshots: np.ndarray
    epochs: np.ndarray
    losses: np.ndarray
    rights: np.ndarray
    state: np.ndarray
    steps: np.ndarray
    begun: tuple[np.ndarray, np.ndarray]  # the plan and the numbers, before anything was trained
    rows: tuple[np.ndarray | None, ...]  # x and y, where they are the caller's

    def __init__(self, spec: Spec, schedule: str, rows: int, weighed: bool = False, together: bool = False):
        """rows: of a batch. together: kernels that have to be compiled are made side by side, up to `link`."""
        self.columns = spec.targets + weighed  # of y
        self.spec, self.schedule = spec, schedule
        dtype = spec.dtype
        itemsize = np.dtype(dtype).itemsize
        lanes = LINE // itemsize
        # Registers come in twos; and a tile begins where the lanes of its chunk do, or rows would change lanes.
        group = max(2 * target().register, LINE) // itemsize
        if schedule in TILED:
            self.tile = tile_rows(spec, rows, group)
        else:  # the loss's: of a chunk, or of one row
            self.tile = math.ceil((1 if schedule in ("rowwise", "online") else min(rows, CHUNK)) / group) * group
        self.span = min(SPAN, 2 ** math.ceil(math.log2(math.ceil(rows / CHUNK))) * CHUNK)
        self.span_rows = min(rows, self.span)
        self.several = self.tile < min(CHUNK, rows)  # tiles to a chunk
        # A line between units: with a power of two, all units of a row would fall on the same few sets of the cache.
        self.stride = max(self.tile, lanes) + lanes
        self.size = padded_size(spec.parameters, dtype)
        self._arrays: list[np.ndarray] = []
        self.plan = np.zeros(at.FIELDS + at.LAYER_FIELDS * (len(spec.layers) - 1), np.int64)
        self.parameters = aligned(self.size, dtype)
        self.loop = "train.train"
        self._asked: dict[int, str] | None = {} if together else None
        self._network()

    def keep(self, array: np.ndarray) -> int:
        """The array's address; the workspace keeps it alive."""
        self._arrays.append(array)
        return array.ctypes.data

    @property
    def bytes(self) -> int:
        """Of all that it keeps, the caller's rows apart."""
        return sum(array.nbytes for array in self._arrays)

    def floats(self, count: int) -> int:
        return self.keep(aligned(count, self.spec.dtype))

    def address(self, kernel: str) -> int:
        return registry.address(kernel, self.spec.dtype)

    def ask(self, field: int, kernel: str) -> None:
        """Writes a kernel's address to a field of the plan; if several are made together, when `link` is called."""
        if self._asked is None:
            self.plan[field] = self.address(kernel)
        else:
            self._asked[field] = kernel
            registry.begin(kernel, self.spec.dtype)

    def link(self) -> None:
        """Ends a time of several kernels together: all that were asked for are in the plan."""
        asked, self._asked = self._asked or {}, None
        for field, kernel in asked.items():
            self.ask(field, kernel)

    def call(self, kernel: str, arguments: tuple[str, ...], *values: int) -> int:
        return registry.function(kernel, self.spec.dtype, arguments)(*values)

    def _network(self) -> None:
        spec, plan = self.spec, self.plan
        streamed, layered = self.schedule in TILED, self.schedule == "layered"
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
            self.ask(at.GATHER, "layout.gather")
        if layered:
            plan[at.X_STRIDE] = row_stride(spec.inputs, spec.dtype)
            self.ask(at.TRANSPOSE, "layout.transpose")
            plan[at.PANEL] = self.floats((at.DEPTH + LINE) * panel_width(spec.dtype))
        if self.schedule == "online":
            self._online()
        elif self.schedule == "few":
            self._few()
        else:
            self.ask(at.DENSE_FORWARD, self.dense("forward"))
        for layer, ((inputs, outputs), offset) in enumerate(zip(spec.shapes, spec.offsets, strict=True)):
            activation = spec.hidden[layer] if layer < len(spec.hidden) else "identity"
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            plan[entry + at.LAYER_INPUTS] = inputs
            plan[entry + at.LAYER_OUTPUTS] = outputs
            plan[entry + at.LAYER_OFFSET] = offset
            plan[entry + at.LAYER_RELU] = activation == "relu"
            plan[entry + at.LAYER_STRIDE] = self.row_stride(outputs)
            plan[entry + at.LAYER_A] = self.units(outputs)
            if activation not in ("relu", "identity"):
                if plan[entry + at.LAYER_CURVE] not in (at.SIGMOID, at.TANH):
                    self.ask(entry + at.LAYER_FORWARD, f"activations.{activation}_forward")
                plan[entry + at.LAYER_SLOPE] = self.units(outputs)

    def _online(self) -> None:
        """The parameters as online training wants them, and its kernels."""
        spec, plan = self.spec, self.plan
        self.loop = "online.train"
        register = target().register // np.dtype(spec.dtype).itemsize
        for layer, (inputs, outputs) in enumerate(spec.shapes):
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            stride = self.row_stride(outputs)
            plan[entry + at.LAYER_ROWS] = self.floats((inputs + 1) * stride)
            plan[entry + at.LAYER_COLUMNS] = self.floats(outputs * self.row_stride(inputs)) if layer else 0
            plan[entry + at.LAYER_DELTAS] = self.units(outputs)
            if layer < len(spec.hidden) and spec.hidden[layer] not in ("relu", "identity"):
                own = {"sigmoid": at.SIGMOID, "tanh": at.TANH} if stride == register else {}
                plan[entry + at.LAYER_CURVE] = own.get(spec.hidden[layer], at.CALLED)
        self._own_loss()
        self.ask(at.PACK, "online.pack")
        self.ask(at.UNPACK, "online.unpack")
        if any(self.row_stride(outputs) > register for outputs in spec.layers[1:]):
            self.ask(at.SWEEP, "online.sweep")

    def _few(self) -> None:
        """What a batch of few rows does by itself, without other kernels."""
        spec, plan = self.spec, self.plan
        for layer, activation in enumerate(spec.hidden):
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            plan[entry + at.LAYER_DELTAS] = self.units(spec.layers[layer + 1])
            if activation not in ("relu", "identity"):
                plan[entry + at.LAYER_CURVE] = {"sigmoid": at.SIGMOID, "tanh": at.TANH}.get(activation, at.CALLED)
        self._own_loss()

    def _own_loss(self) -> None:
        """What the schedules of few rows do of losses by themselves: the deltas of one output."""
        spec, plan = self.spec, self.plan
        last = at.FIELDS + (len(spec.shapes) - 1) * at.LAYER_FIELDS
        curves = {  # of the output, and of its deltas
            "sigmoid_squared_error": (at.SIGMOID, at.SIGMOID),
            "sigmoid_binary_cross_entropy": (at.SIGMOID, at.STRAIGHT),
            "identity_squared_error": (at.STRAIGHT, at.STRAIGHT),
        }
        plan[at.LOSS_CURVE] = at.CALLED
        if spec.outputs == 1 and spec.loss_kernel in curves:
            plan[last + at.LAYER_CURVE], plan[at.LOSS_CURVE] = curves[spec.loss_kernel]
            plan[last + at.LAYER_SLOPE] = self.units(1)

    def row_stride(self, units: int) -> int:
        """Numbers from one row of so many units to the next: of all rows if layered, of w if online."""
        if self.schedule == "online":
            register = target().register // np.dtype(self.spec.dtype).itemsize
            return math.ceil(units / register) * register
        return row_stride(units, self.spec.dtype)

    def units(self, count: int) -> int:
        """A buffer for so many units of all rows of a tile, or of a span; online, of one row and the row before."""
        if self.schedule == "online":
            return self.floats(2 * self.row_stride(count))
        if self.schedule == "layered":
            return self.floats((self.span_rows + at.BLOCK_ROWS) * row_stride(count, self.spec.dtype))
        return self.floats(math.ceil(count / 4) * 4 * self.stride)

    def dense(self, what: str) -> str:
        """The name of a dense layer's kernel in this schedule."""
        return f"{DENSE[self.schedule]}.dense_{what}"

    def for_outputs(self, result: np.ndarray, kernel: str | None) -> None:
        """Readies a pass that writes the outputs of all rows: the logits, or what `kernel` makes of them."""
        plan = self.plan
        plan[at.RESULT] = self.keep(result)
        self.ask(at.SCATTER, "layout.scatter")
        if kernel:
            self.ask(at.OUTPUT_KERNEL, kernel)

    def for_loss(self, rows: int, bound: float | None = None) -> None:
        """Readies a pass that sums the loss over up to `rows` rows; bound: as an `Objective` has it."""
        plan, spec = self.plan, self.spec
        line = LINE // np.dtype(spec.dtype).itemsize
        name, parameter = spec.loss_kernel, spec.loss_parameter
        if bound is not None:
            name, parameter = f"{spec.output}_bounded_{spec.loss}", bound
        self.ask(at.LOSS_KERNEL, f"losses.{name}")
        if parameter is not None:
            plan[at.EXTRAS] |= at.LOSS_IS_SET
            plan[at.LOSS_PARAMETER] = self.keep(np.array([parameter], spec.dtype))
        if plan[at.EXTRAS] & at.WEIGHED:
            self.ask(at.WEIGH_KERNEL, "losses.weigh")
        ones = aligned(self.stride, spec.dtype)
        ones[:] = 1
        plan[at.ONES] = self.keep(ones)
        plan[at.STATISTICS] = self.floats(5 * line)
        if self.schedule == "online":
            return
        self.ask(at.SUM_BATCH, "few.sum_batch" if self.schedule == "few" else "train.sum_batch")
        self.gradient = aligned(self.size, spec.dtype)
        plan[at.GRADIENT] = self.keep(self.gradient)
        levels = math.ceil(rows / int(plan[at.SPAN])).bit_length()
        plan[at.LEVELS] = self.floats(levels * self.size)
        plan[at.SCALARS] = self.floats(2 * (SPAN // CHUNK).bit_length() + 2)

    def for_gradient(self) -> None:
        """Readies a pass that also sums the gradient."""
        plan, spec = self.plan, self.spec
        if self.schedule in ("online", "few"):
            return
        line = LINE // np.dtype(spec.dtype).itemsize
        if len(spec.layers) > 2:
            self.ask(at.DENSE_BACKWARD_INPUT, self.dense("backward_input"))
        if plan[at.EXTRAS] & at.DESCENDS:
            self.ask(at.DENSE_DESCEND, self.dense("descend"))
        else:
            self.ask(at.DENSE_BACKWARD_WEIGHTS, self.dense("backward_weights"))
        if self.schedule == "streamed":
            plan[at.SUMS] = self.floats(max(12, spec.parameters if self.several else 0) * line)
        elif self.schedule == "layered":
            rows, panel = self.span_rows, panel_width(spec.dtype)
            widest = self._deltas()
            group = panel * max(1, GROUP_BYTES // (rows * panel * LINE // line))
            together = line // at.BLOCK_INPUTS * at.BLOCK_INPUTS
            inputs = math.ceil((max(spec.layers) + 1) / together) if group < widest else 1  # once for several groups
            plan[at.GROUP] = group = min(group, math.ceil(widest / panel) * panel)
            plan[at.PACKED] = self.floats(rows * (group + inputs * together) + line)
            plan[at.BLOCKS] = self.floats((at.LEVELS_OF_LANES + at.LEVELS_OF_CHUNKS) * at.BLOCK_INPUTS * panel)
            plan[at.DELTAS] = self.floats((at.PASSING + at.BLOCK_ROWS) * panel)
        else:
            self.ask(at.FOLD_ROWS, "row.fold")
            plan[at.SUMS] = self.floats(line * self.size)
        if set(spec.hidden) - {"relu", "identity"}:
            self.ask(at.MULTIPLY, "activations.multiply")

    def _deltas(self) -> int:
        """Gives the layered schedule's layers room for their deltas. -> the most outputs that a weights' gradient has.

        The first two of the way back have room of their own; the others take a layer's activations that are done with:
        those of the layer above would still be read by a team's other members.
        """
        plan, spec = self.plan, self.spec
        last, widest, room = len(spec.shapes) - 1, 0, 0
        for layer in range(last, -1, -1):
            inputs, outputs = spec.shapes[layer]
            entry = at.FIELDS + layer * at.LAYER_FIELDS
            above = entry + 2 * at.LAYER_FIELDS
            if layer + 2 < last and row_stride(outputs, spec.dtype) <= plan[above + at.LAYER_STRIDE]:
                plan[entry + at.LAYER_DELTAS] = plan[above + at.LAYER_A]
            elif layer < last:
                plan[entry + at.LAYER_DELTAS] = self.units(outputs)
            turned = outputs_first(inputs, outputs, spec.dtype)
            plan[entry + at.LAYER_TURNED] = turned
            widest = max(widest, inputs + 1 if turned else outputs)
            room = max(room, (inputs + 1) * outputs if turned else 0)
        plan[at.TURNED] = self.floats(room) if room else 0
        return widest

    def for_pass(self) -> None:
        """Readies the pass itself, once all is known that it is asked for."""
        if self.schedule in ("online", "few"):
            return
        options = int(self.plan[at.EXTRAS]) & (at.WEIGHED | at.DROPS | at.LOSS_IS_SET) and self.schedule != "layered"
        self.ask(at.PASS_KERNEL, f"{self.schedule}.span{'_with_options' if options else ''}")

    def for_dropout(self, training: Training) -> None:
        """Readies dropout for a pass that sums the gradient."""
        plan, spec = self.plan, self.spec
        plan[at.EXTRAS] |= at.DROPS
        self.ask(at.DROPOUT, "layered.dropout" if self.schedule == "layered" else "passes.dropout")
        self.ask(at.DROPOUT_FACTORS, "random.dropout_factors")
        self.ask(at.MULTIPLY, "activations.multiply")
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

    def for_update(self, training: Training, state: State, rows: int, several: bool) -> None:
        """Readies what becomes of a gradient: penalties, clipping, and the optimizer's update.

        rows: of a batch. several: whether an epoch has more than one; else a record is looked at before the update.
        """
        plan, spec = self.plan, self.spec
        optimizer, objective = training.optimizer, training.objective
        if self.schedule != "online":
            self.ask(at.UPDATE, f"optimizers.{optimizer.kernel if optimizer else 'gradient_descent'}")
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
            self.ask(at.STEP_KERNEL, "train.step")
        elif objective is None and self._descends(rows, several):
            plan[at.EXTRAS] |= at.DESCENDS
        if objective is not None:
            plan[at.OF_SUM] = 1
            self.ask(at.RECORD_OBJECTIVE, "train.record_objective")
            if training.l2:
                self.ask(at.SQUARES, "gradients.sum_of_squares")
        if training.clip_norm is not None or (objective is not None and training.l2):
            levels = math.ceil(spec.parameters / CHUNK).bit_length()
            plan[at.SCRATCH] = self.floats(levels + 4 * LINE)
        if training.prepares:
            clips = training.clip_value is not None or training.clip_norm is not None
            if clips or objective is None:
                self.ask(at.SCALED, "gradients.scaled")
            if training.l2 or training.l1:
                self.ask(at.PENALIZED, "gradients.penalized")
            if training.clip_value is not None:
                self.ask(at.CLIPPED_BY_VALUE, "gradients.clipped_by_value")
            if training.clip_norm is not None:
                self.ask(at.CLIPPED_BY_NORM, "gradients.clipped_by_norm")

    def _descends(self, rows: int, several: bool) -> bool:
        """Whether the pass over a batch's rows updates the weights, where nothing stands between."""
        at_once = rows <= self.span and rows * self.spec.parameters <= DESCENT_WORK
        return self.schedule == "few" or (self.schedule == "layered" and several and at_once)

    def point_to(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Has the plan read these rows, which live as long as it does."""
        self.rows = (x, y)
        self.plan[at.X] = x.ctypes.data
        if y is not None:
            self.plan[at.Y] = y.ctypes.data

    def data(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Rows by rows, gathered tile by tile as they are needed."""
        self.point_to(x, y)
        if self.schedule == "layered":
            self.plan[at.X_TILE] = self.units(self.spec.inputs)
            self.ask(at.COPY_ROWS, "layout.copy_rows")

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


def outputs_first(inputs: int, outputs: int, dtype: str) -> bool:
    """Whether the layered schedule makes a weights' gradient transposed: where its blocks are then fewer."""
    rows, columns = (whole_panels(count, dtype) for count in (inputs + 1, outputs))
    blocks = math.ceil(outputs / at.BLOCK_INPUTS) * rows
    return blocks < 0.8 * math.ceil((inputs + 1) / at.BLOCK_INPUTS) * columns


def whole_panels(units: int, dtype: str) -> int:
    """Units that the layered schedule computes for so many: the last panel has 4 registers or 2."""
    line = LINE // np.dtype(dtype).itemsize
    return math.ceil(units / (2 * line)) * 2 * line
