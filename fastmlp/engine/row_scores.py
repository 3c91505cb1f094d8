"""Outputs, logits and losses of any number of rows by kernels: of rows in memory, or of a source that is streamed."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable

import numpy as np

from fastmlp.core.input_scale import seen
from fastmlp.engine import choose, forward, row_pieces, row_stream
from fastmlp.engine.buffers import Workspace
from fastmlp.engine.plan_writer import read_rows_at
from fastmlp.engine.row_stream import RowStream, Source
from fastmlp.kernels import plan as at
from fastmlp.reference.arithmetic import CHUNK, row_sum, tree
from fastmlp.spec import Spec


def outputs(
    spec: Spec, parameters: np.ndarray, x: np.ndarray | Source, pass_name: str | None = None, threads: int | None = None
) -> np.ndarray:
    """Probabilities (softmax, sigmoid) or values (identity, exponential), (N, J)."""
    return _forward("outputs", spec, parameters, x, pass_name, threads)


def logits(
    spec: Spec, parameters: np.ndarray, x: np.ndarray | Source, pass_name: str | None = None, threads: int | None = None
) -> np.ndarray:
    """The last layer's sums, (N, J), before softmax or sigmoid."""
    return _forward("logits", spec, parameters, x, pass_name, threads)


def _forward(
    what: str, spec: Spec, parameters: np.ndarray, x: np.ndarray | Source, pass_name: str | None, threads: int | None
) -> np.ndarray:
    spec, parameters = spec.plain, seen(spec, parameters)
    pass_name = pass_name or choose.of_predictions(spec, len(x))
    piece = forward.piece_rows(spec, pass_name)
    piece = piece if isinstance(x, np.ndarray) else row_stream.piece_rows(x, piece)
    pace = row_pieces.pace_of(spec, len(x), piece, threads)
    passes = [forward.Pass(spec, parameters, pass_name, piece, 0) for _ in range(pace.members)]
    result = forward.empty(spec, what, len(x))
    if isinstance(x, np.ndarray):
        forward.run(passes, what, x, result, pace)
        return result
    stream = RowStream(x, piece)
    for first in range(0, len(x), stream.group):
        to = result[first : first + stream.group]
        stream.write(0, np.arange(first, first + len(to)))
        forward.run(passes, what, stream.x[: len(to)], to, pace)
    return result


def evaluate(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    pass_name: str | None = None,
    threads: int | None = None,
) -> tuple[float, float]:
    """The mean loss and the fraction of right rows."""
    return evaluator(spec, x, y, None, pass_name, threads)(parameters)


def evaluator(
    spec: Spec,
    x: np.ndarray | Source,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    pass_name: str | None = None,
    threads: int | None = None,
) -> Callable[[np.ndarray], tuple[float, float]]:
    """A function of the parameters: the mean loss and the fraction of right rows, made ready for many calls.

    weights (N,): what each row's loss counts for, in the network's dtype.
    """
    if isinstance(x, np.ndarray):
        return _evaluator(spec, x, y, weights, pass_name, threads)
    # A chunk of streamed rows may take much memory, and logits are made of a few rows at a time. The loss of a network
    # whose only layer leaves its inputs as they are is that of these logits, if all are finite.
    logits_of_rows = np.zeros((len(x), spec.outputs), spec.dtype)
    through = dataclasses.replace(spec.plain, layers=(spec.outputs, spec.outputs), hidden=())
    leaves = np.zeros(through.parameters, spec.dtype)
    through.views(leaves)[0][0][...] = np.eye(spec.outputs)
    of_logits = _evaluator(through, logits_of_rows, y, weights, None, threads)

    def evaluated(parameters: np.ndarray) -> tuple[float, float]:
        logits_of_rows[:] = logits(spec, parameters, x, pass_name, threads)
        finite = np.isfinite(logits_of_rows).all()
        return of_logits(leaves) if finite else _evaluator(spec, x, y, weights, pass_name, threads)(parameters)

    return evaluated


def _evaluator(
    spec: Spec,
    x: np.ndarray | Source,
    y: np.ndarray,
    weights: np.ndarray | None,
    pass_name: str | None,
    threads: int | None,
) -> Callable[[np.ndarray], tuple[float, float]]:
    """`evaluator` with whole chunks of rows in memory."""
    whole, rows = spec, len(x)
    spec = spec.of_targets(y).plain
    weighed = weights is not None
    kind = np.dtype(spec.dtype).type
    terms = kind(rows * spec.loss_terms)
    if weights is not None:
        terms = row_sum(weights) * kind(spec.loss_terms)
        y = with_weights(y, weights, spec)
    pass_name = pass_name or choose.of_predictions(spec, rows)
    pace = row_pieces.pace_of(spec, rows, CHUNK, threads)
    losses = np.zeros(math.ceil(rows / CHUNK), spec.dtype)
    block = row_pieces.block_rows(spec, CHUNK, pace.members)
    stream: RowStream | None = None
    if isinstance(x, np.ndarray):
        here = x
    else:
        stream = RowStream(x, min(rows, CHUNK))
        here, block = stream.x, min(block, stream.group)

    def made() -> list[Workspace]:
        workspaces = [Workspace(spec, pass_name, min(rows, CHUNK), weighed) for _ in range(pace.members)]
        return [_for_scores(workspace, here, y, losses) for workspace in workspaces]

    kept: list[list[Workspace]] = []  # empty while a call uses them: what one leaves that is cut short, no other takes

    def evaluated(parameters: np.ndarray) -> tuple[float, float]:
        workspaces = kept.pop() if kept else made()
        held, plans = workspaces[0].parameters, [workspace.plan for workspace in workspaces]
        held[: spec.parameters] = seen(whole, parameters)
        for workspace in workspaces:
            workspace.writer.forget_right_rows()
        used = workspaces if pace.helps(False) else workspaces[:1]
        before, most = time.perf_counter(), 1
        for first in range(0, rows, block):
            last = min(rows, first + block)
            where = stream.write(first, np.arange(first, last)) if stream else 0
            for workspace in used:
                workspace.writer.set_part(first, last)
                if stream:
                    read_rows_at(workspace.plan, False, where, y.ctypes.data)
            addresses = plans[: len(used)], held.ctypes.data
            came = row_pieces.run("predict.scored", spec.dtype, *addresses, workspaces, x, y)[1]
            most = max(most, came)
        pace.saw(most > 1, rows, time.perf_counter() - before)
        total = tree(list(losses))
        right = sum(int(plan[at.BATCH_RIGHT]) for plan in plans)
        kept.append(workspaces)
        return float(total / terms), right / rows

    return evaluated


def with_weights(y: np.ndarray, weights: np.ndarray, spec: Spec) -> np.ndarray:
    """Targets with another column, the rows' weights."""
    return np.ascontiguousarray(np.column_stack([y, weights]), spec.dtype)


def _for_scores(workspace: Workspace, x: np.ndarray, y: np.ndarray, losses: np.ndarray) -> Workspace:
    workspace.data(x, y)
    workspace.for_loss(min(len(y), CHUNK))
    workspace.for_pass()
    workspace.writer.counts(ROWS=len(y), PIECE=CHUNK)
    workspace.writer.buffers(RESULT=workspace.keep(losses))
    return workspace
