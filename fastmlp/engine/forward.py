"""What a network's outputs or labels are, of any number of rows, by passes that are ready.

To make a pass's buffers and plan takes 50 us, and its run on one row of 64-100-10 takes 1: passes are kept.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import signal
import time
from typing import Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.core import data
from fastmlp.core.input_scale import seen
from fastmlp.core.network import Network
from fastmlp.engine import choose, row_pieces
from fastmlp.engine.buffers import Workspace
from fastmlp.engine.choose import FEW_ROWS, ROW_BY_ROW
from fastmlp.engine.sizes import aligned
from fastmlp.engine.thread_tuner import Pace
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.spec import Spec

COPIED = 4096  # numbers: to copy so few in and out takes less than to ask arrays for their addresses, 0.9 us each
KEPT_BYTES = 2**21  # of a pass's buffers, or as many as the parameters have: beyond, it is not kept
PIECES = (256, 128, 64)  # rows of layered pieces, as many as can be kept: 104, 103, 94 GFLOP/s for 784-128-10
CONVERTED_BYTES = 2**21  # of rows that are converted at once
HELD_WORK = 30_000  # multiplications, some 2 us, up to which Python's lock is held: to get it back may take 5 ms


class Forward:
    """The outputs, logits and labels of one network, whose parameters it reads where they are: changes are seen.

    Threads may call it at once: a kept pass is one call's at a time, and who finds none makes one. So it keeps as many
    as have ever run at once.
    """

    def __init__(self, spec: Spec, parameters: np.ndarray, backend: str, network: Network | None = None):
        """network: whose parameters these are, if another thread may train it meanwhile: a prediction then uses its
        parameters as of one moment."""
        assert not spec.input_scale, "use forward_of"
        self.spec, self.parameters, self.backend, self._network = spec, parameters, backend, network
        self.dtype = np.dtype(spec.dtype)
        self._inputs = spec.inputs
        small = FEW_ROWS * sum(spec.layers) * self.dtype.itemsize <= KEPT_BYTES
        most = max(ROW_BY_ROW, min(FEW_ROWS, COPIED // spec.inputs)) if small else ROW_BY_ROW
        self.most = 0 if backend == "reference" else most  # rows that are copied
        self._passes: tuple[list[Pass], list[Pass], list[Pass]] = [], [], []  # of ROW_BY_ROW, of FEW_ROWS, of pieces

    def __call__(self, what: str, X: Any, name: str = "X", threads: int | None = None) -> np.ndarray:
        """The "outputs" or the "logits" of X, (N, J), or its "labels", (N,) for softmax, else (N, J): a new array.

        Raises what `data.features` does for an X that does not fit, and ValueError where an output is not finite.
        """
        if type(X) is np.ndarray and X.dtype is self.dtype:
            shape = X.shape
            if len(shape) == 2 and 0 < shape[0] <= self.most and shape[1] == self._inputs:
                rows = shape[0]
                kept = self._passes[rows > ROW_BY_ROW]
                try:  # as in `_pass`, a call less
                    ready = kept.pop()
                except IndexError:
                    ready = self._new_pass(rows)
                if ready.what != what or ready.elsewhere:
                    ready.turn_to(what)
                x, result = ready.views[rows]
                x[...] = X
                # While Python's lock is held nobody trains.
                network = None if ready.held else self._network
                before = network and network.version
                if ready.run(rows) and (network is None or network.version == before):
                    found = result.copy()
                    kept.append(ready)
                    return labels(self.spec, found) if what == "labels" and rows <= ROW_BY_ROW else found
        network = self._network
        before = network and network.version
        try:
            if self.backend == "reference":
                found = self._by_definition(what, data.features(X, self.spec, name), name)
            else:
                found = self._many(what, X, name, threads)
        except ValueError:  # a mixture of two networks may overflow where neither does
            if network is None or network.version == before:
                raise
        if network is not None and network.version != before:
            return Forward(self.spec, network.parameters_now(), self.backend)(what, X, name, threads)
        return found

    def _pass(self, kept: list[Pass], rows: int) -> Pass:
        """One that nobody uses now: who uses one takes it out, and puts it back afterwards."""
        try:
            return kept.pop()
        except IndexError:
            return self._new_pass(rows)

    def _new_pass(self, rows: int) -> Pass:
        """A pass for so many rows, to keep with `_passes`."""
        pass_name = choose.of_predictions(self.spec, rows)
        if rows > FEW_ROWS:
            return Pass(self.spec, self.parameters, pass_name, piece_rows(self.spec, pass_name), 0)
        if rows > ROW_BY_ROW:
            return Pass(self.spec, self.parameters, pass_name, FEW_ROWS, self.most)
        return Pass(self.spec, self.parameters, pass_name, ROW_BY_ROW, ROW_BY_ROW)

    def _many(self, what: str, X: Any, name: str, threads: int | None) -> np.ndarray:
        """Any rows of any kind of array."""
        rows_of = X if type(X) is np.ndarray and X.dtype.kind in "biuf" else arrays.numeric_array(X, name)
        if rows_of.ndim != 2 or rows_of.shape[1] != self._inputs or not len(rows_of):
            rows_of = data.features(X, self.spec, name)  # raises
        rows = len(rows_of)
        result = empty(self.spec, what, rows)
        kept = self._passes[2 if rows > FEW_ROWS else 1]
        passes = [self._pass(kept, max(rows, ROW_BY_ROW + 1))]
        piece = passes[0].piece
        pace = row_pieces.pace_of(self.spec, rows, piece, threads)
        passes += [self._pass(kept, rows) for _ in range(pace.members - 1)]
        flags = rows_of.flags
        block, size = None, row_pieces.block_rows(self.spec, piece, pace.members)
        if rows_of.dtype != self.dtype or not flags.c_contiguous or not flags.aligned:
            fitting = max(1, CONVERTED_BYTES // (piece * self._inputs * self.dtype.itemsize)) * piece * pace.members
            block = np.empty((min(size, fitting, rows), self._inputs), self.dtype)
            size = len(block)
        good = True
        for first in range(0, rows, size):
            x, to = rows_of[first : first + size], result[first : first + size]
            if block is not None:
                with np.errstate(all="ignore"):
                    np.copyto(block[: len(x)], x, casting="unsafe")
                x = block[: len(x)]
            good &= run(passes, what, x, to, pace)
        kept += [ready for ready in passes if ready.bytes <= max(KEPT_BYTES, self.parameters.nbytes)]
        if not good:
            data.features(X, self.spec, name)
            self._refuse(result, name)
        return result

    def _by_definition(self, what: str, x: np.ndarray, name: str) -> np.ndarray:
        from fastmlp.engine import reference_backend as definition

        with np.errstate(all="ignore"):
            found = (definition.outputs if what == "outputs" else definition.logits)(self.spec, self.parameters, x)
        if not np.isfinite(found).all():
            self._refuse(found, name)
        return labels(self.spec, found) if what == "labels" else found

    def _refuse(self, result: np.ndarray, name: str) -> None:
        """Raises ValueError with the first row that is not as it should be."""
        wrong = result < 0 if result.dtype.kind == "i" else ~np.isfinite(result)
        row = int(np.argmax(wrong.any(axis=1) if wrong.ndim > 1 else wrong))
        raise ValueError(f"the outputs of row {row} are beyond the dtype's range: {name} or the weights are too large")


class ScaledForward:
    """As `Forward`, for a network with an input scale, which is folded into the weights again after each change."""

    def __init__(self, spec: Spec, parameters: np.ndarray, backend: str, network: Network | None = None):
        self.spec, self.parameters, self.backend, self._network = spec, parameters, backend, network
        self._kept: tuple[int, Forward] | None = None  # of the network's version

    def __call__(self, what: str, X: Any, name: str = "X", threads: int | None = None) -> np.ndarray:
        """As `Forward`."""
        network, kept = self._network, self._kept
        version = network.version if network else 0
        if kept is None or kept[0] != version:
            parameters = self.parameters if network is None else network.parameters_now()
            kept = self._kept = version, Forward(self.spec.plain, seen(self.spec, parameters), self.backend)
        return kept[1](what, X, name, threads)


def forward_of(
    spec: Spec, parameters: np.ndarray, backend: str, network: Network | None = None
) -> Forward | ScaledForward:
    """The `Forward` of any network."""
    return (ScaledForward if spec.input_scale else Forward)(spec, parameters, backend, network)


def labels(spec: Spec, logits: np.ndarray) -> np.ndarray:
    """The first largest logit's place (softmax), or whether a logit is above 0, as int64."""
    return logits.argmax(axis=1) if spec.output == "softmax" else (logits > 0).astype(np.int64)


def empty(spec: Spec, what: str, rows: int) -> np.ndarray:
    """An array for the results of so many rows."""
    if what != "labels":
        return np.empty((rows, spec.outputs), spec.dtype)
    return np.empty(rows if spec.output == "softmax" else (rows, spec.outputs), np.int64)


def piece_rows(spec: Spec, pass_name: str) -> int:
    """The rows of a piece of many rows."""
    if pass_name != "layered":
        return CHUNK
    itemsize = np.dtype(spec.dtype).itemsize
    row = (sum(spec.layers) + LINE * len(spec.layers)) * itemsize
    most = max(KEPT_BYTES, spec.parameters * itemsize)
    return next((rows for rows in PIECES if rows * row <= most), PIECES[-1])


def run(passes: list[Pass], what: str, x: np.ndarray, result: np.ndarray, pace: Pace) -> bool:
    """Fills the result of the rows x, which lie as the network has them. -> whether all numbers were finite."""
    first, rows = passes[0], len(x)
    addresses = x.ctypes.data, result.ctypes.data
    helped = len(passes) > 1 and rows > first.piece and pace.helps(False)
    used = passes if helped else passes[:1]
    for ready in used:
        ready.take(what, rows, *addresses)
    if len(passes) == 1:
        return first.run(rows)
    before = time.perf_counter()
    plans = [ready.plan for ready in used]
    good, came = row_pieces.run(
        "predict.checked", first.spec.dtype, plans, first.parameters.ctypes.data, used, x, result
    )  # fmt: skip
    pace.saw(came > 1, rows, time.perf_counter() - before)
    return good


class Pass:
    """A pass over rows in pieces of up to `piece`, with its buffers: it reads the parameters where they are.

    views: for n rows at place n, up to `own`, (x (n, K), the result): copy rows into the one, `run`, and copy from the
    other.
    """

    def __init__(
        self, spec: Spec, parameters: np.ndarray, pass_name: str, piece: int, own: int, padded: Spec | None = None
    ):
        """padded: how the parameters lie, if as `in_lines` has made them."""
        made = self._workspace = Workspace(padded or spec, pass_name, piece)  # keeps alive what the plan points to
        self.spec, self.pass_name, self.piece, self.parameters = spec, pass_name, piece, parameters
        plan = self.plan = made.plan
        write = self._writer = made.writer
        write.counts(OUTPUTS=spec.outputs)
        for layer, (inputs, _) in enumerate(spec.shapes):
            write.layer(layer, LAYER_INPUTS=inputs)
        self._x = aligned(own * spec.inputs, spec.dtype).reshape(own, spec.inputs)
        self._ways: dict[str, Any] = {}
        made.for_pass()
        write.counts(PIECE=piece)
        self._tail: np.ndarray | None = None
        if pass_name == "layered":
            write.buffers(X_TILE=made.units(spec.inputs))
            write.kernels(COPY_ROWS="predict.copy_rows")
            self._place_tail()
        self.bytes = sum(array.nbytes for array in made._arrays)
        self.held = own > 0 and spec.parameters * piece <= HELD_WORK
        prototype = ctypes.PYFUNCTYPE if self.held else ctypes.CFUNCTYPE
        # As `native.Function` does, in a fourth of its time: the result has its place, Python may stay locked, and what
        # ctypes.byref makes is passed as it is, where addresses as ints are converted in each call (0.07 us).
        self.call = prototype(None)(registry.address("predict.checked", spec.dtype))
        self.state = ctypes.c_int64()
        addresses = plan.ctypes.data, parameters.ctypes.data
        plan_, first = (ctypes.byref(ctypes.c_char.from_address(address)) for address in addresses)
        self.arguments = ctypes.byref(self.state), None, plan_, first
        self.rows = 0
        self.what = ""

    def turn_to(self, what: str) -> None:
        """Makes "outputs", "logits" or "labels" from now on. Row by row, logits stand for labels."""
        if what not in self._ways:
            self._ways[what] = self._way(what)
        fields, self.views = self._ways[what]
        self._writer.write(fields)
        self.what, self.elsewhere = what, False

    def _way(self, what: str) -> tuple[list[tuple[int, int]], list[tuple[np.ndarray, np.ndarray]]]:
        """(what the plan says then, the views)."""
        spec = self.spec
        softmax, labelled = spec.output == "softmax", what == "labels" and self.pass_name != "rowwise"
        kernel, scatter = None, "layout.scatter"
        if what == "outputs" and spec.output_kernel:
            kernel = f"losses.{spec.output_kernel}"
        elif labelled:
            kernel = f"predict.{'label' if softmax else 'above_zero'}"
            scatter = f"predict.{'scatter_labels' if softmax else 'scatter_answers'}"
        result = empty(spec, what if labelled else "outputs", len(self._x))
        fields = self._writer.prepared(
            OUTPUT_KERNEL=kernel or 0, SCATTER=scatter, LABELS=(1 if softmax else spec.outputs) if labelled else 0,
            X=self._x.ctypes.data, RESULT=result.ctypes.data,
        )  # fmt: skip
        return fields, [(self._x[:n], result[:n]) for n in range(len(result) + 1)]

    def take(self, what: str, rows: int, x: int, result: int) -> None:
        """Readies it for rows that lie elsewhere than in the views."""
        if self.what != what:
            self.turn_to(what)
        self._writer.take_rows(rows, x, result)
        self.rows, self.elsewhere = rows, True
        if self._tail is not None:
            self._tail[...] = self._end

    def run(self, rows: int) -> bool:
        """Whether all was finite, the rows' numbers and what is now in their result."""
        if self.rows != rows:
            self._writer.set_rows(rows)
            self.rows = rows
        if self._tail is not None:
            self._tail[...] = self._end
        self.call(*self.arguments)
        while self.see_interrupt():
            self.call(*self.arguments)
        return self.state.value == at.DONE

    def see_interrupt(self) -> bool:
        """Whether Ctrl-C ended the last run, if what Python does upon it has not raised."""
        if self.state.value != at.INTERRUPTED:
            return False
        signal.raise_signal(signal.SIGINT)
        return True

    def _place_tail(self) -> None:
        """Has the last layers read from a copy: wide kernels read up to two lines past a layer's last parameter."""
        spec, itemsize = self.spec, np.dtype(self.spec.dtype).itemsize
        spare = 2 * LINE // itemsize
        ends = [layer for layer, offset in enumerate(spec.offsets) if spec.parameters - offset >= spare]
        begin = max(ends, default=0)
        offset = spec.offsets[begin]
        self._end = self.parameters[offset : spec.parameters]
        tail = self._tail = aligned(len(self._end), spec.dtype)
        apart = (tail.ctypes.data - self.parameters.ctypes.data) // itemsize - offset
        self._writer.move_layers(begin, apart)


def in_lines(spec: Spec, parameters: np.ndarray) -> tuple[Spec, np.ndarray]:
    """The parameters with every layer's units filled up to whole lines, and the network of that size, for one row.

    A layer of less than a line goes as one register then, not unit by unit: 0.2 us of 64-100-10's 1.4 in float32.
    """
    lanes = LINE // np.dtype(spec.dtype).itemsize
    padded = dataclasses.replace(
        spec, layers=(spec.inputs, *(math.ceil(units / lanes) * lanes for units in spec.layers[1:]))
    )
    held = aligned(padded.parameters, spec.dtype)
    for (w, b), offset, units in zip(spec.views(parameters), padded.offsets, padded.layers[1:], strict=True):
        rows, used = w.shape
        layer = held[offset : offset + (rows + 1) * units].reshape(rows + 1, units)  # the plan knows how many rows
        layer[:rows, :used], layer[rows, :used] = w, b
    return padded, held
