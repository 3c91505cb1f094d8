"""One epoch by kernels and by the reference, batch by batch; and a batch pair by pair, up to the first that differs."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.engine import numba_backend
from fastmlp.engine.reference_backend import Rules
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.system.atomic import address
from fastmlp.testing.bits import assert_same_bits, differing
from fastmlp.training import DropoutRates, RateTable, State, Training
from fastmlp.verification import steps
from fastmlp.verification.places import Place


def first_difference(fit: Any, network: Any, epoch: int, all_pairs: bool = False) -> Place | None:
    """Where the epoch's bits first differ; None where no bit does. network: as it is before the epoch.

    all_pairs: whether pairs are compared in each batch, not only in one after which parameters differ.
    """
    spec, x, y, weights = network.spec.of_targets(fit.targets), fit.x, fit.targets, fit.weights
    training = replace(
        fit.training, epochs=1, done=epoch - 1, epochs_before=network.epochs, begun=fit.begun, target_loss=None,
        target_accuracy=None, step_every=None, threads=1,
    )  # fmt: skip
    order: np.ndarray | None = None
    if callable(training.order):  # draws
        order = np.asarray(network.seed_to_resume().permutation(len(y)))
        training = replace(training, order=lambda _: order)
    elif training.order is not None:
        training = replace(training, order=network.order(len(y)))
    state, parameters = network.run.state.copy(), network.parameters.copy()
    rules = Rules(spec, training, state, len(y))
    vectors, own_order, size = list(state.vectors), rules.order(epoch), training.batch_size
    by_kernels = _batches(spec, parameters, x, y, weights, training, state, own_order)
    for number, (p, v, way) in enumerate(by_kernels):
        some = own_order[number * size : number * size + size]
        places = np.arange(number * size, number * size + len(some))
        batch = steps.Batch(
            spec, rules, way, parameters.copy(), [vector.copy() for vector in vectors], x[some], y[some],
            None if weights is None else weights[some], epoch, number, places, rules.step(epoch, number),
        )  # fmt: skip
        parameters[:], vectors[:] = batch.updated
        after = [parameters, *vectors]
        unequal = any(differing(one, other).any() for one, other in zip([p, *v], after, strict=True))
        if not (unequal or all_pairs):
            continue
        for layer, kernel, got, expected in batch.pairs(own_order if number == 0 else None):
            if differing(got, expected).any():
                return Place(epoch, number + 1, layer, kernel, _shown(got, expected, kernel))
        if unequal:
            return _of_pass(batch, p, after[0], number, training, x, y, weights, own_order)
    return None


def _of_pass(
    batch: steps.Batch, p: np.ndarray, expected: np.ndarray, number: int, training: Training, x: Any, y: Any,
    weights: Any, order: np.ndarray,
) -> Place:  # fmt: skip
    """Where a batch differs though each of its pairs agrees by itself: in the pass that runs them."""
    spec, way = batch.spec, batch.way
    kernel = {"online": "online.train", "few": "few.sum_batch"}.get(way, f"{way}.span")
    if way != "online" and not spec.input_scale:
        first = number * training.batch_size
        got = _gradient(batch, training, x, y, weights, order, first)
        for layer, (one, other) in enumerate(zip(spec.views(got), spec.views(batch.sums.gradient), strict=True)):
            for a, b in zip(one, other, strict=True):
                if differing(a, b).any():
                    return Place(batch.epoch, number + 1, layer + 1, kernel, _shown(a, b, f"{kernel}, dw"))
        kernel = "train.train"  # the gradient agrees, and so what is done with it does not
    for layer, (one, other) in enumerate(zip(spec.views(p), spec.views(expected), strict=True)):
        for a, b in zip(one, other, strict=True):
            if differing(a, b).any():
                return Place(batch.epoch, number + 1, layer + 1, kernel, _shown(a, b, f"{kernel}, w"))
    return Place(batch.epoch, number + 1, None, kernel, "the optimizer's state differs after the batch")


def _ready(
    spec: Any, parameters: np.ndarray, x: Any, y: Any, weights: Any, training: Training, state: State,
    order: np.ndarray,
) -> Any:  # fmt: skip
    """A workspace of kernels for the epoch, with its order and its dropout rates."""
    workspace = numba_backend.ready(spec, parameters, x, y, training, state, weights)
    if callable(training.order) and workspace.plan[at.ORDER]:
        workspace.order[:] = order
    if training.dropout and training.dropout_changes:
        for layer, rate in enumerate(DropoutRates(training).of(training.first)):
            workspace.set_dropout(layer, rate)
    return workspace


def _batches(
    spec: Any, parameters: np.ndarray, x: Any, y: Any, weights: Any, training: Training, state: State,
    order: np.ndarray,
) -> Iterator[tuple[np.ndarray, list[np.ndarray], str]]:  # fmt: skip
    """Parameters and the optimizer's vectors after each batch of the epoch, by kernels, and the pass."""
    workspace = _ready(spec, parameters, x, y, weights, training, state, order)
    plan, powers = workspace.plan, state.powers.copy()
    batches, vectors = math.ceil(len(y) / training.batch_size), len(state.vectors)
    rates = RateTable(training, batches)
    run = registry.function(workspace.loop, spec.dtype, (Ints, Floats, Int))
    for number in range(batches):
        if plan[at.STEP_NUMBERS]:
            done = training.done * batches + number
            after = numba_backend.write_steps(workspace, training, powers, rates.rates(done, 1), done, batches)
            powers[:] = after[-1]
        while run(address(plan), address(workspace.parameters), 1) == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
        trained = workspace.trained[: spec.parameters].copy()
        kept = [vector.copy() for vector in workspace.state[:vectors, : spec.parameters]] if vectors else []
        yield trained, kept, workspace.pass_name


def _gradient(
    batch: steps.Batch, training: Training, x: Any, y: Any, weights: Any, order: np.ndarray, first: int
) -> np.ndarray:
    """The sum of a batch's gradients (P,), by the pass that trains."""
    spec, state = batch.spec, batch.state
    workspace = _ready(spec, batch.parameters, x, y, weights, training, state, order)
    plan = workspace.plan
    if workspace.order is not None:
        workspace.order[:] = order
    name = "few.sum_batch" if batch.way == "few" else "train.sum_batch"
    run = registry.function(name, spec.dtype, (Ints, Floats, Int, Int, Int))
    mode = (int(plan[at.EXTRAS]) | at.BACKWARD | at.RECORD) & ~at.DESCENDS
    while run(address(plan), address(workspace.parameters), first, len(batch.x), mode) == at.INTERRUPTED:
        signal.raise_signal(signal.SIGINT)
    return np.array(workspace.gradient[: spec.parameters])


def _shown(got: np.ndarray, expected: np.ndarray, what: str) -> str:
    """The first element that differs and those around it."""
    try:
        assert_same_bits(np.ascontiguousarray(got), np.ascontiguousarray(expected), what)
    except AssertionError as error:
        return str(error)
    return ""
