"""Buffers: all memory that kernels work in, for one network, pass and size of data; and what the plan says of it.

A `Workspace` trusts its arguments (`data.py` and `spec.py` have checked them). Kernels allocate nothing, and find
everything by the plan, which `plan_writer.py` writes.
"""

from __future__ import annotations

import math

import numpy as np

from fastmlp.core.input_scale import seen
from fastmlp.engine.plan_writer import PlanWriter, layer_field
from fastmlp.engine.row_stream import Stream
from fastmlp.engine.sizes import aligned, outputs_first, padded_size, panel_width, row_stride, tile_rows
from fastmlp.engine.training_numbers import update_factors
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.reference.random import dropout_numbers
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import DropoutRates, State, Training

DENSE = {"streamed": "dense", "rowwise": "rowwise_dense", "layered": "layered_dense"}  # each pass's dense layers
SPAN = 2 * CHUNK  # rows of a layered pass: all layers' activations are kept
GROUP_BYTES = 256 * 1024  # deltas that the layered pass packs at once: some of the second cache
TILED = ("streamed", "few")  # passes whose rows come in tiles
DESCENT_WORK = 1_000_000_000  # parameters x rows of a batch that updates as it goes back, and so holds up Ctrl-C
STEPS = 16384  # a call's updates, where each has numbers of its own

_GATHER = (Floats, Ints, Int, Int, Int, Int, Floats, Int)


class Workspace:
    """Buffers and plan for one network, pass and size of data."""

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
    stream: Stream | None = None  # where x is not in memory as a whole
    kept_bytes: int | None = None  # `bytes`, once they have been counted; 0 if they are too many to be kept

    def __init__(self, spec: Spec, pass_name: str, rows: int, weighed: bool = False, together: bool = False):
        """rows: of a batch. together: kernels that have to be compiled are made side by side, up to `link`."""
        self.columns = spec.targets + weighed  # of y
        self.spec, self.pass_name = spec, pass_name
        dtype = spec.dtype
        itemsize = np.dtype(dtype).itemsize
        lanes = LINE // itemsize
        # Registers come in twos; and a tile begins where the lanes of its chunk do, or rows would change lanes.
        group = max(2 * target().register, LINE) // itemsize
        if pass_name in TILED:
            self.tile = tile_rows(spec, rows, group)
        else:  # the loss's: of a chunk, or of one row
            self.tile = math.ceil((1 if pass_name in ("rowwise", "online") else min(rows, CHUNK)) / group) * group
        self.span = min(SPAN, 2 ** math.ceil(math.log2(math.ceil(rows / CHUNK))) * CHUNK)
        self.span_rows = min(rows, self.span)
        self.several = self.tile < min(CHUNK, rows)  # tiles to a chunk
        # A line between units: with a power of two, all units of a row would fall on the same few sets of the cache.
        self.stride = max(self.tile, lanes) + lanes
        self.size = padded_size(spec.parameters, dtype)
        self._arrays: list[np.ndarray] = []
        self._copies: list[tuple[np.ndarray, int]] = []  # of all rows, with the columns or the stride
        self.writer = PlanWriter(dtype, len(spec.shapes), together)
        self.plan = self.writer.fields
        self.parameters = aligned(self.size, dtype)  # as passes see them
        self.trained = self.parameters  # that are trained: others where there is an input scale
        self.loop = "train.train"
        self._network()

    def keep(self, array: np.ndarray) -> int:
        """The array's address; the workspace keeps it alive."""
        self._arrays.append(array)
        return array.ctypes.data

    @property
    def bytes(self) -> int:
        """Of all that it keeps, the caller's rows apart."""
        return sum(array.nbytes for array in self._arrays)

    @property
    def bytes_of_rows(self) -> int:
        """Of its copies of all rows."""
        return sum(copy.nbytes for copy, _ in self._copies)

    def floats(self, count: int) -> int:
        return self.keep(aligned(count, self.spec.dtype))

    def call(self, kernel: str, arguments: tuple[str, ...], *values: int) -> int:
        return registry.function(kernel, self.spec.dtype, arguments)(*values)

    def _network(self) -> None:
        spec, write = self.spec, self.writer
        streamed, layered = self.pass_name in TILED, self.pass_name == "layered"
        write.counts(LAYERS=len(spec.shapes), OUTPUTS=spec.outputs, COLUMNS=self.columns)
        write.counts(PARAMETERS=spec.layer_parameters, TRAINED=spec.parameters)
        if self.columns > spec.targets:
            write.add_option(at.WEIGHED)
        write.counts(TILE=self.tile, STRIDE=self.stride, SPAN=self.span if layered else CHUNK)
        write.buffers(Y_TILE=self.floats((spec.outputs + self.columns) * self.stride))
        if streamed:
            write.buffers(X_TILE=self.floats(spec.inputs * self.stride))
        if streamed or layered:
            write.kernels(GATHER="layout.gather")
        if layered:
            write.counts(X_STRIDE=row_stride(spec.inputs, spec.dtype))
            write.kernels(TRANSPOSE="layout.transpose")
            write.buffers(PANEL=self.floats((at.DEPTH + LINE) * panel_width(spec.dtype)))
        if self.pass_name == "online":
            self._online()
        elif self.pass_name == "few":
            self._few()
        else:
            write.kernels(DENSE_FORWARD=self.dense("forward"))
        for layer, ((inputs, outputs), offset) in enumerate(zip(spec.shapes, spec.offsets, strict=True)):
            activation = spec.hidden[layer] if layer < len(spec.hidden) else "identity"
            write.layer(layer, LAYER_INPUTS=inputs, LAYER_OUTPUTS=outputs, LAYER_OFFSET=offset)
            write.layer(layer, LAYER_RELU=activation == "relu", LAYER_STRIDE=self.row_stride(outputs))
            write.layer(layer, LAYER_A=self.units(outputs))
            if activation not in ("relu", "identity"):
                if self.plan[layer_field(layer, at.LAYER_CURVE)] not in (at.SIGMOID, at.TANH):
                    write.layer_kernel(layer, f"activations.{activation}_forward")
                write.layer(layer, LAYER_SLOPE=self.units(outputs))

    def _online(self) -> None:
        """The parameters as online training wants them, and its kernels."""
        spec, write = self.spec, self.writer
        self.loop = "online.train"
        register = target().register // np.dtype(spec.dtype).itemsize
        for layer, (inputs, outputs) in enumerate(spec.shapes):
            stride = self.row_stride(outputs)
            write.layer(layer, LAYER_ROWS=self.floats((inputs + 1) * stride))
            write.layer(layer, LAYER_COLUMNS=self.floats(outputs * self.row_stride(inputs)) if layer else 0)
            write.layer(layer, LAYER_DELTAS=self.units(outputs))
            if layer < len(spec.hidden) and spec.hidden[layer] not in ("relu", "identity"):
                own = {"sigmoid": at.SIGMOID, "tanh": at.TANH} if stride == register else {}
                write.layer(layer, LAYER_CURVE=own.get(spec.hidden[layer], at.CALLED))
        self._own_loss()
        write.kernels(PACK="online.pack", UNPACK="online.unpack")
        if any(self.row_stride(outputs) > register for outputs in spec.layers[1:]):
            write.kernels(SWEEP="online.sweep")

    def _few(self) -> None:
        """What a batch of few rows does by itself, without other kernels."""
        spec, write = self.spec, self.writer
        for layer, activation in enumerate(spec.hidden):
            write.layer(layer, LAYER_DELTAS=self.units(spec.layers[layer + 1]))
            if activation not in ("relu", "identity"):
                write.layer(layer, LAYER_CURVE={"sigmoid": at.SIGMOID, "tanh": at.TANH}.get(activation, at.CALLED))
        self._own_loss()

    def _own_loss(self) -> None:
        """What the passes of few rows do of losses by themselves: the deltas of one output."""
        spec, write = self.spec, self.writer
        curves = {  # of the output, and of its deltas
            "sigmoid_squared_error": (at.SIGMOID, at.SIGMOID),
            "sigmoid_binary_cross_entropy": (at.SIGMOID, at.STRAIGHT),
            "identity_squared_error": (at.STRAIGHT, at.STRAIGHT),
        }
        write.counts(LOSS_CURVE=at.CALLED)
        if spec.outputs == 1 and spec.loss_kernel in curves:
            of_output, of_deltas = curves[spec.loss_kernel]
            write.layer(len(spec.shapes) - 1, LAYER_CURVE=of_output, LAYER_SLOPE=self.units(1))
            write.counts(LOSS_CURVE=of_deltas)

    def row_stride(self, units: int) -> int:
        """Numbers from one row of so many units to the next: of all rows if layered, of w if online."""
        if self.pass_name == "online":
            register = target().register // np.dtype(self.spec.dtype).itemsize
            return math.ceil(units / register) * register
        return row_stride(units, self.spec.dtype)

    def units(self, count: int) -> int:
        """A buffer for so many units of all rows of a tile, or of a span; online, of one row and the row before."""
        if self.pass_name == "online":
            return self.floats(2 * self.row_stride(count))
        if self.pass_name == "layered":
            return self.floats((self.span_rows + at.BLOCK_ROWS) * row_stride(count, self.spec.dtype))
        return self.floats(math.ceil(count / 4) * 4 * self.stride)

    def dense(self, what: str) -> str:
        """The name of a dense layer's kernel in this pass."""
        return f"{DENSE[self.pass_name]}.dense_{what}"

    def take_parameters(self, parameters: np.ndarray) -> None:
        """Takes the parameters (P,) of a network."""
        spec = self.spec
        self.trained[: spec.parameters] = parameters
        if spec.input_scale:
            self.parameters[: spec.layer_parameters] = seen(spec, parameters)

    def for_loss(self, rows: int, bound: float | None = None) -> None:
        """Readies a pass that sums the loss over up to `rows` rows; bound: as an `Objective` has it."""
        spec, plan, write = self.spec, self.plan, self.writer
        line = LINE // np.dtype(spec.dtype).itemsize
        name, parameter = spec.loss_kernel, spec.loss_parameter
        if bound is not None:
            name, parameter = f"{spec.output}_bounded_{spec.loss}", bound
        write.kernels(LOSS_KERNEL=f"losses.{name}")
        if parameter is not None:
            write.add_option(at.LOSS_IS_SET)
            write.buffers(LOSS_PARAMETER=self.keep(np.array([parameter], spec.dtype)))
        if plan[at.EXTRAS] & at.WEIGHED:
            write.kernels(WEIGH_KERNEL="losses.weigh")
        ones = aligned(self.stride, spec.dtype)
        ones[:] = 1
        write.buffers(ONES=self.keep(ones))
        write.buffers(STATISTICS=self.floats(5 * line))
        if self.pass_name == "online":
            return
        write.kernels(SUM_BATCH="few.sum_batch" if self.pass_name == "few" else "train.sum_batch")
        self.gradient = aligned(self.size, spec.dtype)
        write.buffers(GRADIENT=self.keep(self.gradient))
        levels = math.ceil(rows / int(plan[at.SPAN])).bit_length()
        write.buffers(LEVELS=self.floats(levels * self.size))
        write.buffers(SCALARS=self.floats(2 * (SPAN // CHUNK).bit_length() + 2))

    def for_gradient(self) -> None:
        """Readies a pass that also sums the gradient."""
        spec, plan, write = self.spec, self.plan, self.writer
        if self.pass_name in ("online", "few"):
            return
        line = LINE // np.dtype(spec.dtype).itemsize
        if len(spec.layers) > 2:
            write.kernels(DENSE_BACKWARD_INPUT=self.dense("backward_input"))
        if plan[at.EXTRAS] & at.DESCENDS:
            write.kernels(DENSE_DESCEND=self.dense("descend"))
        else:
            write.kernels(DENSE_BACKWARD_WEIGHTS=self.dense("backward_weights"))
        if self.pass_name == "streamed":
            write.buffers(SUMS=self.floats(max(12, spec.parameters if self.several else 0) * line))
        elif self.pass_name == "layered":
            rows, panel = self.span_rows, panel_width(spec.dtype)
            widest = self._deltas()
            group = panel * max(1, GROUP_BYTES // (rows * panel * LINE // line))
            together = line // at.BLOCK_INPUTS * at.BLOCK_INPUTS
            inputs = math.ceil((max(spec.layers) + 1) / together) if group < widest else 1  # once for several groups
            group = min(group, math.ceil(widest / panel) * panel)
            write.counts(GROUP=group)
            write.buffers(PACKED=self.floats(rows * (group + inputs * together) + line))
            write.buffers(BLOCKS=self.floats((at.LEVELS_OF_LANES + at.LEVELS_OF_CHUNKS) * at.BLOCK_INPUTS * panel))
            write.buffers(DELTAS=self.floats((at.PASSING + at.BLOCK_ROWS) * panel))
        else:
            write.kernels(FOLD="rowwise_dense.fold")
            write.buffers(SUMS=self.floats(line * self.size))
        if set(spec.hidden) - {"relu", "identity"}:
            write.kernels(MULTIPLY="activations.multiply")

    def _deltas(self) -> int:
        """Gives the layered pass's layers room for their deltas. -> the most outputs that a weights' gradient has.

        The first two of the way back have room of their own; the others take a layer's activations that are done with:
        those of the layer above would still be read by a team's other members.
        """
        spec, plan, write = self.spec, self.plan, self.writer
        last, widest, room = len(spec.shapes) - 1, 0, 0
        for layer in range(last, -1, -1):
            inputs, outputs = spec.shapes[layer]
            if layer + 2 < last and row_stride(outputs, spec.dtype) <= plan[layer_field(layer + 2, at.LAYER_STRIDE)]:
                write.layer(layer, LAYER_DELTAS=plan[layer_field(layer + 2, at.LAYER_A)])
            elif layer < last:
                write.layer(layer, LAYER_DELTAS=self.units(outputs))
            turned = outputs_first(inputs, outputs, spec.dtype)
            write.layer(layer, LAYER_TURNED=turned)
            widest = max(widest, inputs + 1 if turned else outputs)
            room = max(room, (inputs + 1) * outputs if turned else 0)
        write.buffers(TURNED=self.floats(room) if room else 0)
        return widest

    def for_pass(self) -> None:
        """Readies the pass itself, once all is known that it is asked for."""
        if self.pass_name in ("online", "few"):
            return
        options = int(self.plan[at.EXTRAS]) & (at.WEIGHED | at.DROPS | at.LOSS_IS_SET) and self.pass_name != "layered"
        self.writer.kernels(PASS_KERNEL=f"{self.pass_name}.span{'_with_options' if options else ''}")

    def for_dropout(self, training: Training) -> None:
        """Readies dropout for a pass that sums the gradient."""
        spec, plan, write = self.spec, self.plan, self.writer
        write.add_option(at.DROPS)
        write.kernels(DROPOUT="layered.dropout" if self.pass_name == "layered" else "passes.dropout")
        write.kernels(DROPOUT_FACTORS="random.dropout_factors", MULTIPLY="activations.multiply")
        self._kept_factors: dict[int, np.ndarray] = {}
        for layer, rate in enumerate(DropoutRates(training).of(training.first)):
            if not isinstance(training.dropout[layer], float) or dropout_numbers(rate)[0]:
                self._kept_factors[layer] = np.zeros(1, spec.dtype)
                factors = self.units(spec.layers[layer + 1])
                write.layer(layer, LAYER_KEPT=self.keep(self._kept_factors[layer]), LAYER_FACTORS=factors)
                self.set_dropout(layer, rate)
                if plan[layer_field(layer, at.LAYER_SLOPE)] == 0:
                    write.layer(layer, LAYER_SLOPE=factors)

    def set_dropout(self, layer: int, rate: float) -> None:
        """Has a layer that has dropout drop at this rate from now on; 0 keeps all."""
        if layer in self._kept_factors:
            threshold, self._kept_factors[layer][0] = dropout_numbers(rate)
            self.writer.layer(layer, LAYER_THRESHOLD=threshold)

    def for_update(self, training: Training, state: State, rows: int, batches: int) -> None:
        """Readies what becomes of a gradient: penalties, clipping, and the optimizer's update.

        rows: of a batch. batches: of an epoch; if it has one, a record is looked at before the update.
        """
        spec, plan, write = self.spec, self.plan, self.writer
        optimizer, objective = training.optimizer, training.objective
        factors = update_factors(spec, training)
        if self.pass_name != "online":
            factored = "" if factors is None else "factored_"
            write.kernels(UPDATE=f"{factored}optimizers.{optimizer.kernel if optimizer else 'gradient_descent'}")
        if spec.input_scale:
            self.trained = aligned(self.size, spec.dtype)
            write.buffers(OWN=self.keep(self.trained))
            write.kernels(FOLDED="input_scale.folded", UNFOLDED="input_scale.unfolded")
        columns, vectors = 1, optimizer.vectors if optimizer else 0
        if vectors or factors is not None:
            rows_of_factors = () if factors is None else factors
            self.state = aligned((vectors + len(rows_of_factors)) * self.size, spec.dtype).reshape(-1, self.size)
            self.state[:vectors, : spec.parameters] = state.vectors
            if factors is not None:
                self.state[vectors:, : spec.parameters] = factors
            settings = optimizer.settings if optimizer else ()
            write.buffers(STATE=self.keep(self.state), SETTINGS=self.keep(np.array((*settings, 0.0), spec.dtype)))
        if optimizer is not None and vectors:
            columns = optimizer.steps(np.ones(1), np.ones(2))[0].shape[1]
        constant = columns == 1 and training.constant
        updates = min(STEPS, training.epochs * batches)  # zeros for all take 5 us
        self.steps = np.zeros((1 if constant else updates, columns), spec.dtype)
        if constant:
            self.steps[:] = training.learning_rate
        write.buffers(STEPS=self.keep(self.steps))
        write.counts(STEP_NUMBERS=0 if constant else columns)
        if spec.input_scale:
            write.kernels(STEP_KERNEL="train.scaled_step")
        elif plan[at.STATE] or plan[at.EXTRAS] & at.WEIGHED or training.prepares or not constant:
            write.kernels(STEP_KERNEL="train.step")
        elif objective is None and self._descends(rows, several=batches > 1):
            write.add_option(at.DESCENDS)
        if objective is not None:
            write.counts(OF_SUM=1)
            write.kernels(RECORD_OBJECTIVE="train.record_objective")
            if training.l2:
                write.kernels(SQUARES="gradients.sum_of_squares")
        if training.clip_norm is not None or (objective is not None and training.l2):
            levels = math.ceil(spec.parameters / CHUNK).bit_length()
            write.buffers(SCRATCH=self.floats(levels + 4 * LINE))
        if training.prepares:
            clips = training.clip_value is not None or training.clip_norm is not None
            if clips or objective is None:
                write.kernels(SCALED="gradients.scaled")
            if training.l2 or training.l1:
                write.kernels(PENALIZED="gradients.penalized")
            if training.clip_value is not None:
                write.kernels(CLIPPED_BY_VALUE="gradients.clipped_by_value")
            if training.clip_norm is not None:
                write.kernels(CLIPPED_BY_NORM="gradients.clipped_by_norm")

    def _descends(self, rows: int, several: bool) -> bool:
        """Whether the pass over a batch's rows updates the weights, where nothing stands between."""
        at_once = rows <= self.span and rows * self.spec.parameters <= DESCENT_WORK
        return self.pass_name == "few" or (self.pass_name == "layered" and several and at_once)

    def point_to(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Has the plan read these rows, which live as long as it does."""
        self.rows = (x, y)
        self.writer.point_to(x, y)

    def data(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Rows by rows, gathered tile by tile as they are needed."""
        self.point_to(x, y)
        if self.pass_name == "layered":
            self.writer.buffers(X_TILE=self.units(self.spec.inputs))
            self.writer.kernels(COPY_ROWS="layout.copy_rows")

    def streamed_data(self, stream: Stream) -> None:
        """Some batches at a time, which `stream` writes in the epoch's order to where the pass wants them."""
        self.stream = stream

    def copied_data(self, x: np.ndarray, y: np.ndarray) -> None:
        """A copy of the features as the layered pass wants them, for data that many epochs go through alike."""
        stride = row_stride(self.spec.inputs, self.spec.dtype)
        self._copies = [(aligned((len(x) + at.BLOCK_ROWS) * stride, self.spec.dtype), stride)]
        self.writer.buffers(X_TILE=self.keep(self._copies[0][0]))
        self.take_rows(x, y)

    def tiled_data(self, x: np.ndarray, y: np.ndarray) -> None:
        """A copy in tiles, for data that many epochs go through in the same order."""
        slots = min(math.ceil(len(x) / CHUNK) * math.ceil(CHUNK / self.tile), len(self._starts(len(x))))
        for field, columns in (("X_TILES", self.spec.inputs), ("Y_TILES", self.columns)):
            tiles = aligned(slots * columns * self.stride, self.spec.dtype)
            self.writer.buffers(**{field: self.keep(tiles)})
            self._copies.append((tiles, columns))
        self.take_rows(x, y)

    def _starts(self, rows: int) -> list[tuple[int, int]]:
        """For each tile of so many rows, the first row of its chunk, and its own."""
        return [(c, t) for c in range(0, rows, CHUNK) for t in range(c, min(c + CHUNK, rows), self.tile)]

    def take_rows(self, x: np.ndarray, y: np.ndarray) -> None:
        """Has the plan read these rows, or copies them to where it reads copies: others than before, and as many."""
        if not self._copies:
            self.point_to(x, y)
        elif self.pass_name == "layered":
            ((copy, stride),) = self._copies
            copy_rows = registry.function("layout.copy_rows", self.spec.dtype, _GATHER)
            copy_rows(x.ctypes.data, 0, 0, 0, len(x), self.spec.inputs, copy.ctypes.data, stride)
            self.rows = (None, y)
            self.writer.buffers(Y=y.ctypes.data)
        else:
            gather = registry.function("layout.gather", self.spec.dtype, _GATHER)
            for (tiles, columns), rows in zip(self._copies, (x, y), strict=True):
                source, to, apart = rows.ctypes.data, tiles.ctypes.data, columns * self.stride * tiles.itemsize
                for slot, (chunk, first) in enumerate(self._starts(len(x))):
                    count = min(self.tile, chunk + CHUNK - first, len(x) - first)
                    gather(source, 0, 0, first, count, columns, to + slot * apart, self.stride)

    def let_go(self) -> None:
        """Lets go of the caller's rows. Another call gives the plan others, before it runs."""
        self.rows = (None, None)
