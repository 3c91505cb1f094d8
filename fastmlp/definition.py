"""The reference as a backend: what `engine.py` does, by the definition itself. Slow, and right by definition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastmlp.reference import random
from fastmlp.reference import train as reference
from fastmlp.spec import Spec
from fastmlp.training import Step, Training, records


def outputs(spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential), (N, J)."""
    return reference.outputs(spec, parameters, x)


def logits(spec: Spec, parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The last layer's sums, (N, J), before softmax, sigmoid or e^z."""
    return reference.logits(spec, parameters, x)


def evaluate(spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The mean loss and the share of right rows."""
    loss, accuracy = reference.evaluate(spec, parameters, x, y)
    return float(loss), accuracy


def train(spec: Spec, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, training: Training) -> Iterator[Step]:
    """Trains `parameters` in place, yielding a Step for each epoch."""
    whole = training.batch_size >= len(x)

    def order(epoch: int) -> np.ndarray:
        if training.order is None or whole:
            return np.arange(len(x))
        number = training.epochs_before + epoch
        if callable(training.order):
            return training.order(number)
        return random.permutation(training.order, number, len(x))

    kept = parameters.copy()
    epochs = reference.train(
        spec, parameters, x, y, epochs=training.epochs, learning_rate=training.learning_rate,
        batch_size=training.batch_size, order=order,
    )  # fmt: skip
    for record in epochs:
        state, made = "more", records([], [], [])
        if training.recorded(record.epoch):
            made = records(record.epoch, record.loss, record.accuracy)
            if not np.isfinite(record.loss):
                state = "diverged"
            elif _reached(record, training):
                state = "target"
        if len(made) and not np.isfinite(parameters).all():
            # the loss may still be finite: a saturated sigmoid's
            state, made = "diverged", made[~np.isfinite(made["loss"])]
        if state == "diverged":
            parameters[:] = kept
        elif len(made):
            kept = record.parameters
        # A record of the whole batch comes before its update (see reference.train).
        yield Step(state, record.epoch - 1 if whole else record.epoch, made)
        if state != "more":
            return
    if not np.isfinite(parameters).all():
        parameters[:] = kept
        yield Step("diverged", training.epochs)
        return
    yield Step("done", training.epochs)


def _reached(record: reference.Record, training: Training) -> bool:
    loss = training.target_loss is not None and record.loss <= record.loss.dtype.type(training.target_loss)
    return bool(loss) or (training.target_accuracy is not None and record.accuracy >= training.target_accuracy)
