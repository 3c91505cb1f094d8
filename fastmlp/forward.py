"""What a network's outputs are, of any number of rows; for a few rows by a pass that is ready, in microseconds.

To make a pass's buffers and plan takes 40 us, and its run on one row of 64-100-10 takes 1: passes of few rows are kept.
"""

from __future__ import annotations

import ctypes
import dataclasses
import math
import signal
from typing import Any

import numpy as np

from fastmlp import data, pairs
from fastmlp import plan as at
from fastmlp.network import backend_module
from fastmlp.reference.arithmetic import LINE
from fastmlp.spec import Spec
from fastmlp.workspace import Workspace, aligned

ROW_BY_ROW = 3  # rows up to which the rowwise schedule is the fastest, or nearly: 64-100-10, 784-128-10, 2-8-8-2
FEW = 32  # rows of a pass that is kept: beyond, 40 us matter less
KEPT_BYTES = 2**20  # of the parameters, and of a pass's rows: beyond, passes are kept of ROW_BY_ROW rows only
HELD_WORK = 30_000  # multiplications, some 2 us, up to which Python's lock is held: to get it back may take 5 ms


class Forward:
    """The outputs and the logits of one network, whose parameters it reads where they are: changes in place are seen.

    Threads may call it at once: a kept pass is one call's at a time, and who finds none makes one. So it keeps as many
    as have ever run at once, of up to FEW rows each.
    """

    def __init__(self, spec: Spec, parameters: np.ndarray, backend: str):
        self.spec, self.parameters, self.backend = spec, parameters, backend
        self._dtype = np.dtype(spec.dtype)
        self._inputs = spec.inputs
        small = max(spec.parameters, FEW * spec.inputs) * self._dtype.itemsize <= KEPT_BYTES
        self.most = 0 if backend == "reference" else FEW if small else ROW_BY_ROW  # rows of a kept pass
        self._passes: dict[tuple[str, bool], list[Pass]] = {}

    def __call__(self, what: str, X: Any, name: str = "X") -> np.ndarray:
        """The "outputs" or the "logits" of X, (N, J), a new array.

        Raises what `data.features` does for an X that does not fit, and ValueError where one of them is not finite,
        since a label would then be made of NaN.
        """
        if type(X) is np.ndarray and X.dtype is self._dtype:
            shape = X.shape
            if len(shape) == 2 and 0 < shape[0] <= self.most and shape[1] == self._inputs:
                rows = shape[0]
                kept = self.kept(what, rows)
                try:
                    ready = kept.pop()
                except IndexError:
                    ready = self.new_pass(what, rows)
                x, result = ready.views[rows]
                x[...] = X
                if ready.run(rows):
                    found = result.copy()
                    kept.append(ready)
                    return found
        return self.checked(what, data.features(X, self.spec, name), name)

    def kept(self, what: str, rows: int) -> list[Pass]:
        """The passes for so many rows that nobody uses now: who uses one takes it out, and puts it back afterwards."""
        return self._passes.setdefault((what, rows <= ROW_BY_ROW), [])

    def new_pass(self, what: str, rows: int) -> Pass:
        """A pass to put there."""
        schedule, most = ("rowwise", ROW_BY_ROW) if rows <= ROW_BY_ROW else ("streamed", FEW)
        return Pass(self.spec, self.parameters, what, schedule, most)

    def checked(self, what: str, x: np.ndarray, name: str = "X") -> np.ndarray:
        """The same of what `data.features` has let through, by a pass of its own."""
        with np.errstate(all="ignore"):
            found = getattr(backend_module(self.backend), what)(self.spec, self.parameters, x)
        if not np.isfinite(found).all():
            row = int(np.argmin(np.isfinite(found).all(axis=1)))
            raise ValueError(
                f"the outputs of row {row} are beyond the dtype's range: {name} or the weights are too large"
            )
        return found


class Pass:
    """A pass of up to `rows` rows, with its buffers.

    views: for n rows at place n, (x (n, K), the result (n, J)): copy rows into the one, `run`, and copy from the other.
    """

    def __init__(
        self, spec: Spec, parameters: np.ndarray, what: str, schedule: str, rows: int, padded: Spec | None = None
    ):
        """padded: how the parameters lie, if as `in_lines` has made them."""
        workspace = Workspace(padded or spec, schedule, rows)
        workspace.parameters = parameters  # these two schedules read no number past the last
        workspace.plan[at.OUTPUTS] = spec.outputs
        for layer, (inputs, _) in enumerate(spec.shapes):
            workspace.plan[at.FIELDS + layer * at.LAYER_FIELDS + at.LAYER_INPUTS] = inputs
        x = aligned(rows * spec.inputs, spec.dtype).reshape(rows, spec.inputs)
        result = np.zeros((rows, spec.outputs), spec.dtype)
        kernel = spec.output_kernel if what == "outputs" else None
        workspace.data(x, None)
        workspace.for_outputs(result, f"losses.{kernel}" if kernel else None)
        workspace.for_pass()
        self.views = [(x[:n], result[:n]) for n in range(rows + 1)]
        prototype = ctypes.PYFUNCTYPE if spec.parameters * rows <= HELD_WORK else ctypes.CFUNCTYPE
        # As `native.Function` does, in a fourth of its time: the result has its place, Python may stay locked, and what
        # ctypes.byref makes is passed as it is, where addresses as ints are converted in each call (0.07 us).
        self.call = prototype(None)(pairs.address("predict.checked", spec.dtype))
        self.state = ctypes.c_int64()
        addresses = workspace.plan.ctypes.data, parameters.ctypes.data
        plan, first = (ctypes.byref(ctypes.c_char.from_address(address)) for address in addresses)
        self.arguments = ctypes.byref(self.state), None, plan, first
        self.rows = 0
        self.plan = workspace.plan
        self._workspace = workspace  # keeps alive what the plan points to

    def run(self, rows: int) -> bool:
        """Whether all was finite, the views' x and what is now in their result."""
        if self.rows != rows:
            self.plan[at.ROWS] = self.rows = rows
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
