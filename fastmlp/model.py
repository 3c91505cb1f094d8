"""`Model`: a network, its parameters, and what one does with them."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp import data, losses
from fastmlp.errors import DivergenceError
from fastmlp.history import History
from fastmlp.losses import Loss
from fastmlp.pairs import loading
from fastmlp.progress import bar
from fastmlp.spec import BACKENDS, NUMERICS_VERSION, Spec
from fastmlp.training import Step, Training
from fastmlp.weights import check_init, check_seed, initial_parameters


class Model:
    """A multi-layer perceptron that trains by gradient descent, the same bits on every machine.

    layers: sizes from the inputs to the outputs, [2, 8, 8, 2].
    hidden: "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "silu" or "identity", one name
        or one for each hidden layer.
    output, loss: "softmax" with "cross_entropy"; "sigmoid" with "binary_cross_entropy" (its default) or
        "squared_error"; "identity" with "squared_error" (its default), "absolute_error", "huber" or "quantile";
        "exponential" with "poisson", for counts. One of them is enough ("squared_error" alone is with "identity"), and
        neither means softmax. CrossEntropy(label_smoothing), Huber(delta) and Quantile(q) of `fastmlp.losses` may
        stand where a loss's name stands.
    init: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", or the standard deviation of normal weights.
    seed: a whole number (our own generator: portable bits), or a NumPy Generator or RandomState (their draws).
        It gives the initial weights and, in `fit`, the shuffles.
    dtype: "float64" or "float32", of the parameters and of all arithmetic.
    backend: "numba", or "reference": the definition itself, thousands of times slower.

    Raises ValueError or TypeError that name the argument.

    >>> model = Model([2, 8, 8, 2], seed=1)
    >>> history = model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], epochs=2000, learning_rate=0.1)
    >>> model.predict([[0, 0], [0, 1], [1, 0], [1, 1]])
    array([0, 1, 1, 0])
    """

    spec: Spec
    history: History | None  # of the last `fit`, also where that was interrupted

    def __init__(
        self,
        layers: Sequence[int],
        *,
        hidden: str | Sequence[str] = "relu",
        output: str | None = None,
        loss: str | Loss | None = None,
        init: str | float = "he_normal",
        seed: int | np.random.Generator | np.random.RandomState = 0,
        dtype: Any = "float64",
        backend: str = "numba",
    ) -> None:
        self.spec = Spec.build(layers, hidden, output, loss, dtype)
        if backend not in BACKENDS:
            raise ValueError(f'backend={backend!r} is not known: use "numba" or "reference"')
        self.backend = backend
        self._seed = check_seed(seed)
        self._parameters = initial_parameters(self.spec, check_init(init), self._seed, backend)
        self._epochs = 0  # of all calls of `fit`: shuffles count on
        self.history = None

    def __repr__(self) -> str:
        spec = self.spec
        hidden = list(spec.hidden) if len(set(spec.hidden)) > 1 else (*spec.hidden, "relu")[0]
        loss = losses.of(spec.loss, spec.loss_parameter)
        return (
            f"Model({list(spec.layers)}, hidden={hidden!r}, output={spec.output!r}, loss={loss!r}, "
            f"dtype={spec.dtype!r}, backend={self.backend!r})"
        )

    def __copy__(self) -> Model:
        return copy.deepcopy(self)  # not a second name for the same parameters

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int,
        learning_rate: float = 0.1,
        batch_size: int | None = None,
        shuffle: bool = True,
        record_every: int | None = None,
        target_loss: float | None = None,
        target_accuracy: float | None = None,
        progress: bool | None = None,
    ) -> History:
        """Trains by gradient descent from the current weights; returns what it recorded.

        X (N, K): any array, list or frame of finite numbers. y: labels 0, 1, ... (N,) or one-hot rows (N, J) for
            softmax; (N, J), or (N,) for one output, else; 0 or more for poisson. Neither is changed.
        epochs: passes over X. learning_rate: w -= learning_rate * (gradient of the mean loss).
        batch_size: rows of a batch (the last may be shorter); None: all.
        shuffle: whether each epoch of mini-batches goes through the rows in a new order; a second call goes on with
            the orders where the first one ended.
        record_every: records the first epoch, each k-th and the last; None: every epoch, at 56 bytes each.
        target_loss, target_accuracy: a record that reaches either ends the training.
        progress: a bar; None: on a terminal, for runs of more than a second.

        A record's loss and accuracy stand as before that epoch's update; with mini-batches they are the epoch's mean.
        With one batch an epoch, a target leaves the very weights that reached it.

        Raises DivergenceError if a recorded loss or a parameter is not finite; the model then holds the weights of the
        last record that was. KeyboardInterrupt (Ctrl-C) leaves the weights reached so far, and `model.history`.
        """
        spec = self.spec
        x = data.features(X, spec)
        targets = data.targets(y, len(x), spec)
        training = Training(
            epochs=data.positive_int(epochs, "epochs", most=data.LIMIT - self._epochs),
            learning_rate=self._learning_rate(learning_rate),
            batch_size=len(x) if batch_size is None else min(data.positive_int(batch_size, "batch_size"), len(x)),
            record_every=1 if record_every is None else data.positive_int(record_every, "record_every"),
            order=self._order(len(x)) if _flag(shuffle, "shuffle") else None,
            target_loss=None if target_loss is None else data.finite_float(target_loss, "target_loss"),
            target_accuracy=self._target_accuracy(target_accuracy),
            epochs_before=self._epochs,
        )
        if progress is not None:
            _flag(progress, "progress")
        labelled = _labelled(spec, targets)
        if training.target_accuracy is not None and not labelled:
            raise ValueError("target_accuracy needs labels, and y has values other than 0 and 1: use target_loss")
        history = self.history = History()
        started = time.perf_counter()
        loaded = sum(loading)
        try:
            # divergence is told by an exception, not by NumPy's warnings on the way to it
            with np.errstate(all="ignore"), bar(training.epochs, progress) as advance:
                for step in self._run().train(spec, self._parameters, x, targets, training):
                    history.seconds = time.perf_counter() - started
                    self._epochs = training.epochs_before + step.epochs
                    self._note(history, step, labelled, training)
                    advance(step.epochs, history)
        except KeyboardInterrupt:
            history.stopped = "interrupted"
            raise
        finally:
            history.seconds = time.perf_counter() - started
            history.loading = sum(loading) - loaded
        return history

    def predict(self, X: Any) -> np.ndarray:
        """Labels (N,) for softmax; 0 or 1 for sigmoid, values for identity and means for exponential, (N,) for one
        output, else (N, J).

        A label is that of the first largest logit; a sigmoid's 1 is a logit above 0. Raises ValueError or TypeError for
        an X that does not fit, and ValueError where an output is not finite.
        """
        spec = self.spec
        x = data.features(X, spec)
        if not spec.is_classifier:
            values = self._forward("outputs", x)
        else:
            z = self._forward("logits", x)
            if spec.output == "softmax":
                return np.argmax(z, axis=1)
            values = (z > 0).astype(np.int64)
        return values[:, 0] if spec.outputs == 1 else values

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class (softmax) or of each output being 1 (sigmoid), (N, J).

        Raises ValueError for output="identity" and "exponential", and as `predict` does.
        """
        spec = self.spec
        if not spec.is_classifier:
            raise ValueError(
                f'output="{spec.output}" has no probabilities: use predict, or output="softmax" or "sigmoid"'
            )
        return self._forward("outputs", data.features(X, spec))

    def evaluate(self, X: Any, y: Any) -> dict[str, float]:
        """{"loss", "accuracy"}, or {"loss", "r2"} for output="identity" and "exponential".

        The accuracy is the share of rows that `predict` gets right, in every output; NaN where a sigmoid's targets are
        not all 0 or 1. r2 is that of what `predict` gives, its mean over outputs. Raises as `fit` does for X and y.
        """
        spec = self.spec
        x = data.features(X, spec)
        targets = data.targets(y, len(x), spec)
        loss, accuracy = self._evaluate(x, targets)
        if spec.is_classifier:
            return {"loss": loss, "accuracy": accuracy if _labelled(spec, targets) else math.nan}
        return {"loss": loss, "r2": _r2(self._forward("outputs", x), targets)}

    def loss(self, X: Any, y: Any) -> float:
        """The mean loss."""
        x = data.features(X, self.spec)
        return self._evaluate(x, data.targets(y, len(x), self.spec))[0]

    @property
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(w (K, J), b (J,)), ...], a layer each: copies; `set_weights` takes such a list back."""
        return [(w.copy(), b.copy()) for w, b in self.spec.views(self._parameters)]

    def set_weights(self, weights: Iterable[tuple[Any, Any]]) -> None:
        """Replaces all parameters by [(w (K, J), b (J,)), ...]. Raises before anything is changed."""
        shapes = self.spec.shapes
        try:
            layers = [tuple(layer) for layer in weights]
        except TypeError:
            raise TypeError(f"weights is not a list of {len(shapes)} pairs (w, b), one for each layer") from None
        if len(layers) != len(shapes) or any(len(layer) != 2 for layer in layers):
            raise ValueError(
                f"weights must be {len(shapes)} pairs (w, b), one for each layer: got {len(layers)} entries"
            )
        parameters = np.empty_like(self._parameters)
        for number, ((w, b), (inputs, outputs)) in enumerate(zip(layers, shapes, strict=True)):
            places = self.spec.views(parameters)[number]
            for value, place, shape, name in ((w, places[0], (inputs, outputs), "w"), (b, places[1], (outputs,), "b")):
                place[:] = _weight_array(value, shape, f"weights[{number}] {name}", self.spec.dtype)
        self._parameters[:] = parameters

    def digest(self) -> str:
        """SHA-256, in hex, of the network's spec, the numerics version, and the parameters' bits (little-endian)."""
        fields = asdict(self.spec)
        if self.spec.loss_parameter is None:
            del fields["loss_parameter"]  # digests of networks without one are older than it
        words = json.dumps({"numerics": NUMERICS_VERSION, **fields}, sort_keys=True)
        numbers = self._parameters.astype(self._parameters.dtype.newbyteorder("<")).tobytes()
        return hashlib.sha256(words.encode() + b"\n" + numbers).hexdigest()

    # -----------------------------------------------------------------------------------------------------

    def _run(self) -> ModuleType:
        if self.backend == "reference":
            from fastmlp import definition

            return definition
        from fastmlp import engine

        return engine

    def _forward(self, what: str, x: np.ndarray) -> np.ndarray:
        """The logits or the outputs; ValueError where one is not finite, since a label would then be made of NaN."""
        with np.errstate(all="ignore"):
            found = getattr(self._run(), what)(self.spec, self._parameters, x)
        if not np.isfinite(found).all():
            row = int(np.argmin(np.isfinite(found).all(axis=1)))
            raise ValueError(f"the outputs of row {row} are beyond the dtype's range: X or the weights are too large")
        return found

    def _evaluate(self, x: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            return self._run().evaluate(self.spec, self._parameters, x, targets)

    def _note(self, history: History, step: Step, labelled: bool, training: Training) -> None:
        """Adds a step's records to the history; raises DivergenceError where the step says so."""
        finite = step.records[np.isfinite(step.records["loss"])]
        if not labelled:
            finite["accuracy"] = np.nan
        finite["seconds"] = history.seconds
        if len(finite):
            history.extend(finite)
        if step.state == "target":
            epoch, loss, accuracy = (finite[name][-1] for name in ("epoch", "loss", "accuracy"))
            goal = training.target_loss
            by_loss = goal is not None and loss <= np.dtype(self.spec.dtype).type(goal)
            history.stopped = f"loss {loss:.6g}" if by_loss else f"accuracy {accuracy:.6g}"
            history.stopped += f" reached the target in epoch {epoch}"
        if step.state == "diverged":
            history.stopped = "diverged"
            what = f"a weight was no longer finite by epoch {max(step.epochs, 1)}"
            if len(finite) < len(step.records):
                last = step.records[-1]
                what = f"the loss was {last['loss']} in epoch {last['epoch']}"
            held = "the weights that this fit began with"
            if len(history):
                held = f"the weights of epoch {history.epoch[-1]}, the last whose loss is recorded as finite"
            raise DivergenceError(
                f"training diverged: {what}. Try a smaller learning_rate than {training.learning_rate:g}, or scale X. "
                f"The model holds {held}"
            )

    def _order(self, rows: int) -> Any:
        seed = self._seed
        return seed if isinstance(seed, int) else lambda epoch: seed.permutation(rows)

    def _learning_rate(self, value: Any) -> float:
        number = data.positive_float(value, "learning_rate")
        with np.errstate(all="ignore"):
            rounded = np.dtype(self.spec.dtype).type(number)
        if not 0 < rounded < np.inf:
            raise ValueError(
                f"learning_rate={value!r} rounds to {rounded} in {self.spec.dtype}: use another, or float64"
            )
        return number

    def _target_accuracy(self, value: Any) -> float | None:
        if value is None:
            return None
        if not self.spec.is_classifier:
            raise ValueError(f'target_accuracy needs labels, and output="{self.spec.output}" has none: use target_loss')
        return data.fraction(value, "target_accuracy")


def _labelled(spec: Spec, targets: np.ndarray) -> bool:
    """Whether the targets are labels, so that a share of right rows makes sense."""
    return spec.output == "softmax" or (spec.is_classifier and bool(np.isin(targets, (0, 1)).all()))


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name}={value!r} is not True or False")
    return bool(value)


def _weight_array(value: Any, shape: tuple[int, ...], name: str, dtype: str) -> np.ndarray:
    array = data.numeric_array(value, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}: this layer's is {shape}")
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinity, or a number too large for {dtype}: every weight must be finite")
    return array


def _r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """1 - (squared error) / (squared deviation from the mean), averaged over outputs; in float64."""
    y, predicted = y.astype(np.float64), predicted.astype(np.float64)
    error = ((y - predicted) ** 2).sum(axis=0)
    deviation = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    # a constant output: 1 where it is met exactly, else 0, as in scikit-learn
    scores = np.where(deviation > 0, 1 - error / np.where(deviation > 0, deviation, 1), (error == 0).astype(float))
    return float(scores.mean())
