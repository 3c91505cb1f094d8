"""The reference as a backend: what `engine.py` does, by the definition itself. Slow, and right by definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.engine.training_numbers import update_factors
from fastmlp.reference import optimizers, random
from fastmlp.reference import train as reference
from fastmlp.spec import Spec
from fastmlp.system.atomic import copied, together
from fastmlp.training import DropoutRates, State, Step, Training, joined, records


def outputs(spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential), (N, J)."""
    return reference.outputs(spec, parameters, x)


def logits(spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The last layer's sums, (N, J), before softmax, sigmoid or e^z."""
    return reference.logits(spec, parameters, x)


def evaluate(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    threads: int | None = None,
) -> tuple[float, float]:
    """The mean loss and the fraction of right rows, by one thread."""
    loss, accuracy = reference.evaluate(spec.of_targets(y), parameters, x, y, weights)
    return float(loss), accuracy


def evaluator(
    spec: Spec, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, *, threads: int | None = None
) -> Callable[[np.ndarray], tuple[float, float]]:
    """A function of the parameters that gives the mean loss and the fraction of right rows, by one thread."""
    return lambda parameters: evaluate(spec, parameters, x, y, weights)


def objective(
    spec: Spec, x: np.ndarray, y: np.ndarray, training: Training, weights: np.ndarray | None = None
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """A function of the parameters that gives the training's Objective over all rows, and its gradient (P,)."""
    kind = np.dtype(spec.dtype).type
    asked = training.objective
    assert asked is not None

    def at_point(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        sums = reference.loss_and_gradient(spec, parameters, x, y, weights, None, asked.bound)
        rows = kind(len(x))
        loss = reference.batch_loss(spec, parameters, sums, rows, kind(asked.share), kind(0.5 * training.l2))
        gradient = reference.prepare(
            spec, parameters, sums.gradient, reference.row_scale(rows, sums.weight),
            l2=kind(training.l2), l1=kind(training.l1), of_sum=True,
        )  # fmt: skip
        return float(loss / rows), gradient

    return at_point


def train(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State | None = None,
    weights: np.ndarray | None = None,
    staged: bool = False,
    kept: np.ndarray | None = None,
) -> Generator[Step, None, None]:
    """Trains `parameters` and `state` in place, yielding a Step for each epoch.

    staged: whether the caller makes each step's changes itself, together with its own. kept (P,): the last Step's, of
    the training that this one goes on with.
    """
    spec = spec.of_targets(y)
    state = State.new(training.optimizer, spec.parameters, spec.dtype) if state is None else state
    trained, working = parameters.copy(), state.copy()
    changes = (
        copied(parameters, trained), copied(state.powers, working.powers), copied(state.vectors, working.vectors),
    )  # fmt: skip
    waiting = []
    for step in _steps(spec, trained, x, y, training, working, weights, kept):
        waiting.append(step.records)
        if step.state == "more" and not np.isfinite(trained).all():
            continue  # what is not finite is not handed out
        some = changes[:1] if step.state == "diverged" else changes
        step = replace(step, records=joined(waiting), parameters=trained, changes=some)
        waiting = []
        if not staged:
            together(step.changes)
        yield step


def _steps(
    spec: Spec,
    parameters: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State,
    weights: np.ndarray | None,
    kept: np.ndarray | None,
) -> Iterator[Step]:
    """The steps, with `parameters` and `state` as they are after each."""
    whole = training.batch_size >= len(x)
    vectors = list(state.vectors)
    kept = parameters.copy() if kept is None else kept
    held = Step("more", training.done)
    for record in _epochs(spec, parameters, vectors, x, y, training, state, weights):
        # A whole batch's record comes before its update, and so after the one of the epoch before (reference.train).
        if whole and record.epoch > training.first:
            if training.watched and len(held.records) and not np.isfinite(parameters).all():
                parameters[:] = kept
                yield Step("diverged", held.epochs, held.records, kept=kept)
                return
            yield replace(held, kept=kept)
        name, made = "more", records([], [], [])
        if training.recorded(record.epoch):
            rate = training.rates(np.array([record.epoch - 1]))
            made = records(record.epoch, record.loss, record.accuracy, rate)
            if not np.isfinite(record.loss):
                name = "diverged"
            elif _reached(record, training):
                name = "target"
        if len(made) and not np.isfinite(parameters).all():
            # the loss may still be finite: a saturated sigmoid's
            name, made = "diverged", made[~np.isfinite(made["loss"])]
        if name == "diverged":
            parameters[:] = kept
        elif len(made):
            kept = record.parameters
        if name != "more":
            yield Step(name, record.epoch - 1 if whole else record.epoch, made)
            return
        held = Step("more", record.epoch, made)
        if not whole:
            yield replace(held, kept=kept)
    if not np.isfinite(parameters).all():
        parameters[:] = kept
        yield Step("diverged", training.last, held.records if whole else records([], [], []))
        return
    yield Step("done", training.last, held.records if whole else records([], [], []), kept=kept)


def _epochs(
    spec: Spec,
    parameters: np.ndarray,
    vectors: list[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    training: Training,
    state: State,
    weights: np.ndarray | None,
) -> Iterator[reference.Record]:
    """`reference.train` for this training."""
    rules, objective, kind = Rules(spec, training, state, len(x)), training.objective, np.dtype(spec.dtype).type
    if objective is not None:
        options = {"share": kind(objective.share), "bound": objective.bound, "half_l2": kind(0.5 * training.l2)}
    else:
        options = {}
    return reference.train(
        spec, parameters, vectors, x, y, weights, epochs=range(training.first, training.last + 1),
        batch_size=training.batch_size, order=rules.order, factors=rules.factors, update=rules.update, **options,
    )  # fmt: skip


class Rules:
    """What `reference.train` asks of a training on so many rows: orders, dropout's factors, and updates.

    state: the optimizer's, which updates change.
    """

    def __init__(self, spec: Spec, training: Training, state: State, rows: int) -> None:
        self.spec, self.training, self.state, self.rows = spec, training, state, rows
        self.kind = kind = np.dtype(spec.dtype).type
        self.batches = math.ceil(rows / training.batch_size)
        optimizer = training.optimizer
        self.kernel = optimizer.kernel if optimizer else "gradient_descent"
        self.settings = [kind(setting) for setting in optimizer.settings] if optimizer else []
        self.own = update_factors(spec, training)
        self._rates = DropoutRates(training)

    def order(self, epoch: int) -> np.ndarray:
        """The rows' order in an epoch of the run."""
        training = self.training
        if training.order is None or training.batch_size >= self.rows:
            return np.arange(self.rows)
        number = training.epochs_before - training.done + epoch
        if callable(training.order):
            return training.order(number)
        return random.permutation(training.order, number, self.rows)

    def drops(self, epoch: int) -> list[tuple[int, float]]:
        """Dropout's numbers in an epoch: the threshold of each hidden layer, and what the units that stay divide by."""
        return [random.dropout_numbers(rate) for rate in self._rates.of(epoch)]

    def factors(self, epoch: int, places: np.ndarray) -> list[np.ndarray | None] | None:
        """Dropout's factors for the rows at these places of an epoch's order."""
        training, spec = self.training, self.spec
        if not training.drops:
            return None
        number = training.epochs_before - training.done + epoch
        widths = zip(self.drops(epoch), spec.layers[1:-1], strict=True)
        return [
            random.dropout_factors(
                training.dropout_seed, random.DROPOUT + layer, number, places, units, threshold, self.kind(kept)
            )
            if threshold
            else None
            for layer, ((threshold, kept), units) in enumerate(widths)
        ]

    def prepared(self, parameters: np.ndarray, total: np.ndarray, scale: Any) -> tuple[np.ndarray, Any]:
        """The gradient (P,) that an update takes of a batch's sum, with penalties and clipped, and its scale."""
        training, kind = self.training, self.kind
        if not training.prepares:
            return total, scale
        limits = {
            name: None if limit is None else kind(limit)
            for name, limit in (("clip_value", training.clip_value), ("clip_norm", training.clip_norm))
        }
        total = reference.prepare(
            self.spec, parameters, total, scale, l2=kind(training.l2), l1=kind(training.l1),
            of_sum=training.objective is not None, **limits,
        )  # fmt: skip
        return total, kind(1)

    def step(self, epoch: int, batch: int) -> list[Any]:
        """The numbers of an update, but for rate factors. It counts in the optimizer's powers."""
        training, state = self.training, self.state
        steps = training.rates(np.array([epoch - 1]), batch / self.batches)[:, None]
        if training.optimizer:
            at_times = np.array([epoch - 1 + batch / self.batches])
            steps, powers = training.optimizer.steps(steps[:, 0], state.powers, at_times)
            state.powers[:] = powers[-1]
        return list(steps[0].astype(self.kind))

    def updated(
        self, parameters: np.ndarray, vectors: list[np.ndarray], total: np.ndarray, scale: Any, step: list[Any]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The parameters and the optimizer's vectors after an update by these numbers."""
        if self.own is not None:
            step = optimizers.with_factors(step, self.own[0], self.own[-1])
        updated = getattr(optimizers, self.kernel)(parameters, total, scale, *vectors, *step, *self.settings)
        return (updated[0], list(updated[1:])) if vectors else (updated, [])

    def update(
        self, parameters: np.ndarray, vectors: list[np.ndarray], total: np.ndarray, scale: Any, epoch: int, batch: int
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """The parameters and the optimizer's vectors after a batch."""
        total, scale = self.prepared(parameters, total, scale)
        parameters, vectors = self.updated(parameters, vectors, total, scale, self.step(epoch, batch))
        if vectors:
            self.state.vectors[:] = vectors
        return parameters, vectors


def _reached(record: reference.Record, training: Training) -> bool:
    loss = training.target_loss is not None and record.loss <= record.loss.dtype.type(training.target_loss)
    return bool(loss) or (training.target_accuracy is not None and record.accuracy >= training.target_accuracy)
