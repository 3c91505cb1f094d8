"""Runs kernels: outputs, losses, and training, which returns to Python every 50 ms or so.

The engine trusts its arguments (`data.py` and `spec.py` have checked them). Nothing is allocated in kernels, and
nothing here while training goes on.
"""

from __future__ import annotations

import dataclasses
import math
import signal
import time
from collections.abc import Callable, Generator

import numpy as np

from fastmlp.engine import choose, kept_workspaces
from fastmlp.engine.buffers import TILED, Workspace
from fastmlp.engine.row_scores import evaluate, evaluator, logits, outputs, with_weights
from fastmlp.engine.row_stream import Source, Stream
from fastmlp.engine.sizes import aligned
from fastmlp.engine.team import Team
from fastmlp.engine.team import team as team_of
from fastmlp.engine.thread_tuner import CALL_SECONDS, members, pace_of
from fastmlp.engine.training_numbers import needed_rows, training_numbers
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Float, Floats, Int, Ints
from fastmlp.spec import Spec
from fastmlp.system.atomic import address, copied, together
from fastmlp.training import DropoutRates, RateTable, State, Step, Training, joined, records, times

__all__ = ["can_be_kept", "evaluate", "evaluator", "logits", "objective", "outputs", "ready", "train"]

MOST_BATCHES = 2**40  # in a call, whatever the clock says
RECORDS = 65536  # a call's records: some 50 ms of the shortest epochs

_ENDS = {at.DONE: "done", at.REACHED: "target", at.DIVERGED: "diverged"}
_TRAIN = (Ints, Floats, Int)
_SUM_BATCH = (Ints, Floats, Int, Int, Int)


def objective(
    spec: Spec,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    weights: np.ndarray | None = None,
    pass_name: str | None = None,
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function of the parameters that gives the training's Objective over all rows, and its gradient (P,).

    Made ready for many calls, as optimizers of their own make them. One thread does it all.
    """
    parameters = np.zeros(spec.parameters, spec.dtype)
    training = dataclasses.replace(training, batch_size=len(x), optimizer=None)
    workspace = ready(spec, parameters, x, y, training, None, weights, pass_name)
    plan, total = workspace.plan, workspace.gradient[: spec.parameters]
    numbers = workspace.numbers
    run = registry.function("train.sum_batch", spec.dtype, _SUM_BATCH)
    record = registry.function("train.record_objective", spec.dtype, (Ints, Floats, Float))
    prepare = registry.function("train.step", spec.dtype, (Ints, Floats, Float))
    addresses = plan.ctypes.data, workspace.parameters.ctypes.data
    arguments = *addresses, 0, len(x), at.BACKWARD | at.RECORD | int(plan[at.EXTRAS])
    workspace.writer.kernels(SCALED="gradients.scaled")  # in its place; the update behind it is of no use to anyone

    def at_point(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        workspace.parameters[: spec.parameters] = parameters
        while run(*arguments) == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
        numbers[at.TOTAL] = 0
        workspace.writer.begin_steps()
        record(*addresses, float(numbers[at.BATCH_ROWS]))
        prepare(*addresses, float(numbers[at.SCALE]))
        return float(numbers[at.TOTAL] / numbers[at.TERMS]), total.copy()

    return at_point


def ready(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray | Source,
    y: np.ndarray,
    training: Training,
    state: State | None = None,
    weights: np.ndarray | None = None,
    pass_name: str | None = None,
    once: bool = False,
) -> Workspace:
    """A workspace whose plan is that of a training, at its beginning.

    once: whether it goes through the rows but once, so that no copy of them pays.
    """
    rows = len(x)
    batch = min(training.batch_size, rows)
    pass_name = choose.of_training(spec, training, rows, weights is not None, pass_name)
    workspace = Workspace(spec, pass_name, batch, weights is not None, together=True)
    write = workspace.writer
    objective = training.objective
    workspace.for_loss(batch, objective.bound if objective else None)
    state = state or State.new(training.optimizer, spec.parameters, spec.dtype)
    workspace.for_update(training, state, batch, batches=math.ceil(rows / batch))
    workspace.take_parameters(parameters)
    workspace.for_gradient()
    if training.drops:
        workspace.for_dropout(training)
    workspace.for_pass()
    registry.begin(workspace.loop, spec.dtype)
    if weights is not None:
        y = with_weights(y, weights, spec)
    again = batch == rows and not once  # the same rows in the same order
    if not isinstance(x, np.ndarray):
        workspace.streamed_data(Stream(x, y, batch, workspace.pass_name == "layered"))
    elif again and workspace.pass_name in TILED:
        workspace.tiled_data(x, y)
    elif again and workspace.pass_name == "layered":
        workspace.copied_data(x, y)
    else:
        workspace.data(x, y)
    if training.order is not None and batch < rows and workspace.stream is None:
        workspace.order = np.arange(rows)
        write.buffers(ORDER=workspace.keep(workspace.order))
        if not callable(training.order):
            write.shuffle()
    write.link()

    numbers = training_numbers(spec, training, rows, batch)
    numbers[at.LEARNING_RATE] = workspace.steps[0, 0]
    workspace.numbers = numbers
    write.buffers(NUMBERS=workspace.keep(numbers))
    write.counts(ROWS=rows, BATCH=batch, RECORD_EVERY=training.record_every)
    write.counts(NEEDED=needed_rows(training.target_accuracy, rows))
    # Of streamed rows no parameters are kept to go back to: they take the memory of the gradient, which comes after.
    streams = workspace.stream is not None
    workspace.snapshots = workspace.gradient if streams else aligned(2 * workspace.size, spec.dtype)
    workspace.snapshots[: spec.parameters] = parameters  # to go back to if the first epoch already diverges
    write.buffers(SNAPSHOTS=workspace.keep(workspace.snapshots))
    write.counts(SNAPSHOT_SIZE=0 if streams else workspace.size)
    capacity = min(RECORDS, training.epochs // training.record_every + 2)  # zeros for 65,536 take 84 us
    workspace.epochs, workspace.rights = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
    workspace.losses = np.zeros(capacity, spec.dtype)
    write.buffers(RECORD_EPOCHS=workspace.keep(workspace.epochs), RECORD_LOSSES=workspace.keep(workspace.losses))
    write.buffers(RECORD_RIGHTS=workspace.keep(workspace.rights))
    write.counts(RECORD_CAPACITY=1 if training.watched else capacity)
    write.begin(training)
    workspace.begun = workspace.plan.copy(), numbers.copy()
    return workspace


def can_be_kept(workspace: Workspace, training: Training) -> bool:
    """Whether `train` may have a workspace of `ready(once=True)` again: of one thread, one rate, and no dropout."""
    return training.constant and not training.drops and members(workspace, training)[0] == 1


def _begin_again(
    workspace: Workspace,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State,
    weights: np.ndarray | None,
) -> None:
    """Puts a kept workspace back to where `ready` left it, with other rows, as many, and other numbers."""
    spec = workspace.spec
    plan, workspace.numbers[:] = workspace.begun
    workspace.writer.go_back(plan)
    workspace.writer.begin(training)  # not what the call had that it was made for
    workspace.take_parameters(parameters)
    workspace.snapshots[: spec.parameters] = parameters
    if len(state.vectors):
        workspace.state[: len(state.vectors), : spec.parameters] = state.vectors
    if training.constant and not plan[at.STEP_NUMBERS]:
        workspace.steps[:] = training.learning_rate
    workspace.numbers[at.LEARNING_RATE] = workspace.steps[0, 0]
    workspace.take_rows(x, y if weights is None else with_weights(y, weights, spec))


def train(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray | Source,
    y: np.ndarray,
    training: Training,
    state: State | None = None,
    weights: np.ndarray | None = None,
    pass_name: str | None = None,
    workspace: Workspace | None = None,
    staged: bool = False,
    kept: np.ndarray | None = None,
) -> Generator[Step, None, None]:
    """Trains `parameters` and `state` in place, yielding a Step about every 50 ms, with both as after its last epoch.

    x: the rows, or a source of them, of which some batches are in memory at a time; then the order is drawn, or None,
    and nothing is kept to go back to where it diverges.
    weights (N,): what each row counts for, or None. A step "diverged" comes with the parameters that the last record of
    a finite loss began with; the state is then that of an earlier step. workspace: of `ready(once=True)`, new, or one
    that `can_be_kept` of the same training, with other rows, as many: to make it takes ten times a batch's 20 us.
    staged: whether the caller makes each step's changes itself, together with its own. kept (P,): the last Step's, of
    the training that this one goes on with.
    """
    spec = spec.of_targets(y)
    state = State.new(training.optimizer, spec.parameters, spec.dtype) if state is None else state
    key = None
    if workspace is None and isinstance(x, np.ndarray):
        key = kept_workspaces.key_of(spec, training, len(x), weights is not None, pass_name)
        workspace = kept_workspaces.take(key)
    if workspace is None:
        workspace = ready(spec, parameters, x, y, training, state, weights, pass_name, once=training.epochs == 1)
    elif isinstance(x, np.ndarray):
        _begin_again(workspace, parameters, x, y, training, state, weights)
    if kept is not None:
        workspace.snapshots[: spec.parameters] = kept
    plan = workspace.plan
    pace = pace_of(workspace, members(workspace, training))
    short = True  # the first call, which a team would not be worth its coming together
    team: Team | None = None
    rows, batch = int(plan[at.ROWS]), int(plan[at.BATCH])
    stream = workspace.stream
    drawn = training.order if callable(training.order) and (plan[at.ORDER] or stream) else None
    order: np.ndarray | None = None
    drawn_for = 0  # the epoch whose order was drawn last
    dropout = DropoutRates(training) if training.dropout and training.dropout_changes else None
    dropped_for = 0  # the epoch whose rates are set
    run = registry.function(workspace.loop, spec.dtype, _TRAIN)
    addresses = address(plan), address(workspace.parameters)
    trained, powers_now = workspace.trained[: spec.parameters], state.powers.copy()
    writes = [copied(parameters, trained), copied(state.powers, powers_now)]
    if len(state.vectors):
        kept_state = workspace.state[: len(state.vectors), : spec.parameters]
        writes += [copied(*pair) for pair in zip(state.vectors, kept_state, strict=True)]
    changes = tuple(writes)
    an_epoch = math.ceil(rows / batch)
    of_epochs, of_batches = RateTable(training, 1), RateTable(training, an_epoch)
    batches = max(1, 1_000_000 // (3 * spec.parameters * batch))  # some tenths of a millisecond; then as measured
    ended, reached = at.MORE, training.done
    waiting: list[np.ndarray] = []  # records of epochs after the last step
    apart = int(plan[at.SNAPSHOT_SIZE])
    own_numbers, most = bool(plan[at.STEP_NUMBERS]), len(workspace.steps)
    epoch, start = training.first, int(plan[at.START])
    while ended in (at.MORE, at.INTERRUPTED):
        if drawn is not None and drawn_for != epoch:
            drawn_for, order = epoch, drawn(training.epochs_before - training.done + epoch)
            if stream is None:
                workspace.order[:] = order
        if dropout is not None and dropped_for != epoch:
            dropped_for = epoch
            for layer, rate in enumerate(dropout.of(epoch)):
                workspace.set_dropout(layer, rate)
            if team is not None:
                team.follow_dropout()
        done, left = (epoch - 1) * an_epoch + start // batch, an_epoch - start // batch
        asked = min(batches, training.last * an_epoch - done)
        if own_numbers:
            asked = min(asked, most)
        if training.step_every:
            asked = min(asked, (training.step_every - 1 - (epoch - 1) % training.step_every) * an_epoch + left)
        if drawn is not None or dropout is not None:
            asked = min(asked, left)
        elif asked > left:  # a call that goes beyond this epoch ends with one: only there the weights are handed out
            asked = left + (asked - left) // an_epoch * an_epoch
        if stream is not None:
            there = stream.go_to(start, order, epoch, team.plans if team else [plan]) - start
            asked = min(asked, math.ceil(there / batch))
        powers = None
        if own_numbers:
            powers = write_steps(workspace, training, powers_now, of_batches.rates(done, asked), done, an_epoch)
        before = time.perf_counter()
        helped = pace.helps(short)
        if helped and team is None:
            team = team_of(workspace, pace.members, training)
        if team and helped:
            ended = team.train(asked)
            helped = team.members > 1
        else:
            ended = run(*addresses, asked)
        seconds, short = max(time.perf_counter() - before, 1e-9), False
        epoch, start, steps, _, _, written, _, kept_at = plan[at.EPOCH : at.WORK].tolist()  # a field by itself: 0.1 us
        pace.saw(helped, ((epoch - 1) * an_epoch + start // batch - done) * batch, seconds)
        if ended != at.INTERRUPTED:
            batches = max(1, min(int(asked * CALL_SECONDS / seconds), asked * 16, MOST_BATCHES))
        if powers is not None and steps:
            powers_now[:] = powers[steps - 1]
        if written:
            epochs = workspace.epochs[:written]
            made = records(epochs, workspace.losses[:written], workspace.rights[:written] / rows)
            made["learning_rate"] = of_epochs.at(epochs - 1)
            waiting.append(made)
        if ended == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
            continue
        name = _ENDS.get(ended, "more")
        if name == "more" and start:
            yield Step("more", reached)  # within an epoch nothing is handed out, or resuming would not be exact
            continue
        # Records look at the parameters; the last update comes after the last record. In between nothing is decided,
        # so that what is told does not depend on when a call returns; but what is not finite is not handed out.
        finite = bool(np.isfinite(trained).all())
        seen = name != "more" or (training.watched and written > 0)  # whoever watches is shown finite parameters only
        if not finite and not seen:
            continue
        reached, place = epoch - 1, kept_at * apart
        before_it = workspace.snapshots[place : place + len(trained)]
        step = Step(name, reached, joined(waiting), trained, changes, before_it)
        if name == "diverged" or not finite:
            step = Step("diverged", reached, step.records, before_it, (copied(parameters, before_it),))
        waiting = []
        if stream is not None:
            stream.let_go()
        if not staged:
            together(step.changes)
        closed = False
        try:
            yield step
        except GeneratorExit:  # the caller has made its changes
            closed = True
        if step.state != "diverged" and (closed or name != "more") and key is not None and team is None:
            kept_workspaces.give(key, workspace)
        if closed or step.state != "more":
            return


def write_steps(
    workspace: Workspace, training: Training, powers: np.ndarray, rates: np.ndarray, done: int, an_epoch: int
) -> np.ndarray:
    """Writes the numbers of the next updates, T in all, after `done` of the run. -> the powers after each, (T, 2)."""
    if training.optimizer is None:
        steps, powers = rates[:, None], np.broadcast_to(powers, (len(rates), 2))
    else:
        at_times = times(done, len(rates), an_epoch) if training.optimizer.decay_changes else None
        steps, powers = training.optimizer.steps(rates, powers, at_times)
    workspace.steps[: len(rates)] = steps
    return powers
