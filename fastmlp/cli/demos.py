"""The two exercises that `fastmlp demo` reproduces, from their own random draws, in their own line formats.

Each trains by gradient descent over all rows, prints to standard output what the exercise prints, and gives back its
history. The time goes to standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.history import seconds_of
from fastmlp.training import records

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.spec import Backend

POINTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
XOR = np.array([0, 1, 1, 0])


@dataclass(frozen=True)
class Settings:
    """What the options of `fastmlp demo` may change."""

    epochs: int
    learning_rate: float
    log_every: int
    dtype: str = "float64"
    backend: Backend = "numba"


# What each exercise sets. The second one's update follows the gradient of half the sum of squares over its 4 rows, at
# a rate of 0.1; ours is that of the mean, so 0.1 (e^2/2 summed over 4) is 0.2 (e^2 averaged over 4).
DEFAULTS = {
    "xor": Settings(epochs=5000, learning_rate=0.1, log_every=500),
    "xor-sigmoid": Settings(epochs=10_000, learning_rate=0.2, log_every=1000),
}


def xor(settings: Settings) -> History:
    """2-8-8-2, relu and softmax, on the four points 500 times over."""
    from fastmlp.model import Model

    x, y = np.tile(POINTS, (500, 1)), np.tile(XOR, 500)
    model = Model(
        [2, 8, 8, 2],
        init="he_normal",
        seed=np.random.RandomState(42),
        dtype=settings.dtype,
        backend=settings.backend,
    )
    try:
        history = model.fit(
            x,
            y,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            record_every=settings.log_every,
        )
    finally:  # what was reached before Ctrl-C or divergence is worth seeing
        _print_epochs(model.history, settings)
    labels = model.predict(x)
    print("\nFinal accuracy:", np.mean(labels == y).item())
    print("Sample predictions (first 8):", labels[:8])
    print("Sample truths      (first 8):", y[:8])
    _print_time(history, settings)
    return history


def xor_sigmoid(settings: Settings) -> History:
    """2-2-1, sigmoid and sigmoid, squared error, on the four points.

    The exercise counts iterations from 0: iteration i is epoch i + 1. What it shows at the end are the outputs of its
    last forward pass, before the last update; so one epoch fewer is trained here, and that pass is a prediction.
    """
    from fastmlp.history import History
    from fastmlp.model import Model

    model = Model(
        [2, 2, 1],
        hidden="sigmoid",
        output="sigmoid",
        loss="squared_error",
        init=1.0,
        seed=np.random.RandomState(42),
        dtype=settings.dtype,
        backend=settings.backend,
    )
    history = History()
    try:
        if settings.epochs > 1:
            history = model.fit(
                POINTS,
                XOR,
                epochs=settings.epochs - 1,
                learning_rate=settings.learning_rate,
                record_every=1,
            )
        last = model.evaluate(POINTS, XOR)
        history.extend(records(settings.epochs, last["loss"], last["accuracy"]))
    finally:
        _print_iterations(model.history or history, settings)
    print("Training complete!")
    print("Final output:")
    print(model.predict_proba(POINTS))
    _print_time(history, settings)
    return history


DEMOS = {"xor": xor, "xor-sigmoid": xor_sigmoid}


def _print_epochs(history: History | None, settings: Settings) -> None:
    if history is not None:
        for epoch, loss, accuracy in zip(history.epoch, history.loss, history.accuracy, strict=True):
            if epoch % settings.log_every == 0 or settings.epochs < settings.log_every:
                print(f"Epoch {epoch:4d} | loss={loss:.6f} | acc={accuracy:.4f}")


def _print_iterations(history: History, settings: Settings) -> None:
    number = np.dtype(settings.dtype).type  # so that float32 shows its own digits
    for iteration, loss in enumerate(history.loss):
        if iteration % settings.log_every == 0:
            print(f"Iteration {iteration}, Loss: {number(loss)!s}")


def _print_time(history: History, settings: Settings) -> None:
    epochs = int(history.epoch[-1])
    each = (history.seconds - history.loading) / epochs * 1e6
    rate = f"{each:.3g} us" if each < 1000 else f"{each / 1000:.3g} ms"
    time = seconds_of(history)
    print(f"{epochs} epochs in {time}; {rate} an epoch ({settings.dtype}, {settings.backend})", file=sys.stderr)
