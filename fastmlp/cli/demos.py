"""`fastmlp demo`: two exercises from their own random draws, in their own line formats, and what may be changed.

Each trains by gradient descent over all rows, prints to standard output what the exercise prints, and gives back its
model and its history. The time goes to standard error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.core import scores
from fastmlp.history import seconds_of
from fastmlp.training import records

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.model import Model
    from fastmlp.spec import Backend, Hidden, Init

REPEATS = 500  # of the four points in the first exercise
SEED = 42  # of both
DATASETS = ("xor", "circles", "moons", "spirals", "sine")  # of study/datasets.py, whose import takes some 0.2 s


@dataclass(frozen=True)
class Settings:
    """What the options of `fastmlp demo` may change. init: a name, or a scale. seed: of weights and of points."""

    layers: tuple[int, ...]
    epochs: int
    learning_rate: float
    log_every: int
    hidden: Hidden = "relu"
    init: Init | float = "he_normal"
    dataset: str = "xor"
    seed: int = SEED
    dtype: str = "float64"
    backend: Backend = "numba"


# What each exercise sets. The second one's update follows the gradient of half the sum of squares over its 4 rows, at
# a rate of 0.1; ours is that of the mean, so 0.1 (e^2/2 summed over 4) is 0.2 (e^2 averaged over 4).
DEFAULTS = {
    "xor": Settings((2, 8, 8, 2), epochs=5000, learning_rate=0.1, log_every=500),
    "xor-sigmoid": Settings(
        (2, 2, 1), epochs=10_000, learning_rate=0.2, log_every=1000, hidden="sigmoid", init=1.0
    ),
}  # fmt: skip
# What other data sets need, in place of the first exercise's.
OF_DATA: dict[str, dict[str, Any]] = {
    "spirals": {"layers": (2, 32, 32, 2), "hidden": "tanh", "learning_rate": 0.3},
    "sine": {"layers": (1, 16, 16, 1), "hidden": "tanh"},
}


@dataclass(frozen=True)
class Done:
    """What a demonstration has made: its points X (N, K) and y (N,), the model and the history."""

    x: np.ndarray
    y: np.ndarray
    model: Model
    history: History


def xor(settings: Settings) -> Done:
    """2-8-8-2, relu and softmax, on the four points 500 times over; or another network, on other points."""
    from fastmlp.model import Model

    x, y = _points(settings)
    if settings.dataset == "xor":
        x, y = np.tile(x, (REPEATS, 1)), np.tile(y, REPEATS)
    quantity = settings.dataset == "sine"
    model = Model(
        settings.layers,
        hidden=settings.hidden,
        output="identity" if quantity else "softmax",
        init=settings.init,
        seed=np.random.RandomState(settings.seed),
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
    predicted = model.predict(x)
    if quantity:
        print(f"\nFinal R2: {scores.r2(predicted.reshape(-1, 1), y[:, None]):.4f}")
    else:
        print("\nFinal accuracy:", np.mean(predicted == y).item())
        print("Sample predictions (first 8):", predicted[:8])
        print("Sample truths      (first 8):", y[:8])
    _print_time(history, settings)
    return Done(x, y, model, history)


def xor_sigmoid(settings: Settings) -> Done:
    """2-2-1, sigmoid and sigmoid, squared error, on the four points; or on other points of two classes.

    The exercise counts iterations from 0: iteration i is epoch i + 1. What it shows at the end are the outputs of its
    last forward pass, before the last update; so one epoch fewer is trained here, and that pass is a prediction.
    """
    from fastmlp.history import History
    from fastmlp.model import Model

    x, y = _points(settings)
    model = Model(
        settings.layers,
        hidden=settings.hidden,
        output="sigmoid",
        loss="squared_error",
        init=settings.init,
        seed=np.random.RandomState(settings.seed),
        dtype=settings.dtype,
        backend=settings.backend,
    )
    history = History()
    try:
        if settings.epochs > 1:
            history = model.fit(
                x,
                y,
                epochs=settings.epochs - 1,
                learning_rate=settings.learning_rate,
                record_every=1,
            )
        last = model.evaluate(x, y)
        history.extend(records(settings.epochs, last["loss"], last["accuracy"]))
    finally:
        _print_iterations(model.history or history, settings)
    print("Training complete!")
    print("Final output:")
    print(model.predict_proba(x))
    _print_time(history, settings)
    return Done(x, y, model, history)


DEMOS = {"xor": xor, "xor-sigmoid": xor_sigmoid}


def check_fits(name: str, settings: Settings) -> None:
    """Raises ValueError where the network does not fit the data set, or the data set the exercise."""
    if settings.dataset == "sine" and name != "xor":
        raise ValueError(f"--dataset sine has a quantity, and {name} predicts classes: leave {name} out")
    inputs, outputs = (1, 1) if settings.dataset == "sine" else (2, DEFAULTS[name].layers[-1])
    layers = settings.layers
    if len(layers) < 2 or (layers[0], layers[-1]) != (inputs, outputs):
        said = ",".join(map(str, layers))
        like = ",".join(map(str, (inputs, *(layers[1:-1] or (8,)), outputs)))
        raise ValueError(
            f"--layers={said} does not fit: {settings.dataset} needs {inputs} in the first place and {outputs} in the "
            f"last one, for its inputs and outputs, like {like}"
        )


def _points(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The data set X (N, K) and y (N,)."""
    from fastmlp.study import datasets

    return datasets.ALL[settings.dataset](settings.seed)


def _print_epochs(history: History | None, settings: Settings) -> None:
    if history is not None:
        for epoch, loss, accuracy in zip(history.epoch, history.loss, history.accuracy, strict=True):
            if epoch % settings.log_every == 0 or settings.epochs < settings.log_every:
                right = "" if np.isnan(accuracy) else f" | acc={accuracy:.4f}"
                print(f"Epoch {epoch:4d} | loss={loss:.6f}{right}")


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
