"""`Model`: a network, its parameters, and what one does with them."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import losses
from fastmlp.callbacks import Info
from fastmlp.core import data, scores
from fastmlp.core.network import Network
from fastmlp.engine.backends import backend_module, known_backend
from fastmlp.engine.initial_weights import check_init, check_seed, initial_parameters
from fastmlp.fit import options
from fastmlp.fit.fit import Fit
from fastmlp.fit.options import FitOptions
from fastmlp.history import History
from fastmlp.losses import Loss
from fastmlp.optimizers import Optimizer
from fastmlp.schedules import Schedule
from fastmlp.spec import Spec
from fastmlp.stopping import EarlyStopping
from fastmlp.storage import model_file
from fastmlp.system.atomic import copied, held
from fastmlp.system.busy import Busy

if TYPE_CHECKING:
    from fastmlp.engine.forward import Forward
    from fastmlp.predictor import Predictor


class Model:
    """A multi-layer perceptron that trains by gradient descent, the same bits on every machine.

    layers: sizes from the inputs to the outputs, [2, 8, 8, 2].
    hidden: "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "gelu_erf", "silu" or
        "identity", one name or one for each hidden layer.
    output, loss: "softmax" with "cross_entropy"; "sigmoid" with "binary_cross_entropy" (its default) or
        "squared_error"; "identity" with "squared_error" (its default), "absolute_error", "huber" or "quantile";
        "exponential" with "poisson", for counts. One of them is enough ("squared_error" alone is with "identity"), and
        neither means softmax. CrossEntropy(label_smoothing), Huber(delta) and Quantile(q) of `fastmlp.losses` may
        stand where a loss's name stands.
    init: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", or the standard deviation of normal weights.
    seed: a whole number (our own generator: portable bits), or a NumPy Generator or RandomState (their draws).
        It gives the initial weights and, in `fit`, the shuffles, dropout, and the rows that a share holds out.
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
    _forward_kept: Forward | None = None

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
        self.backend = known_backend(backend)
        seed = check_seed(seed)
        self._network = Network(self.spec, initial_parameters(self.spec, check_init(init), seed, backend), seed)
        self._busy = Busy()
        self.history = None

    def __repr__(self) -> str:
        spec = self.spec
        hidden = list(spec.hidden) if len(set(spec.hidden)) > 1 else (*spec.hidden, "relu")[0]
        loss = losses.of(spec.loss, spec.loss_parameter)
        return (
            f"Model({list(spec.layers)}, hidden={hidden!r}, output={spec.output!r}, loss={loss!r}, "
            f"dtype={spec.dtype!r}, backend={self.backend!r})"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A copy that a callback makes is not training, and addresses are of no use to it.
        return {name: value for name, value in self.__dict__.items() if name not in ("_busy", "_forward_kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _busy=Busy(), _forward_kept=None)

    def __copy__(self) -> Model:
        return copy.deepcopy(self)  # not a second name for the same parameters

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int,
        learning_rate: float | Schedule | None = None,
        batch_size: int | None = None,
        shuffle: bool = True,
        optimizer: str | Optimizer | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        validation: Any = None,
        early_stopping: EarlyStopping | int | None = None,
        callback: Callable[[Info], bool | None] | None = None,
        resume: bool | str | os.PathLike = False,
        record_every: int | None = None,
        target_loss: float | None = None,
        target_accuracy: float | None = None,
        progress: bool | None = None,
        threads: int | None = None,
        checkpoint: str | os.PathLike | None = None,
        checkpoint_every: int | None = None,
        keep: int = 1,
    ) -> History:
        """Trains from the current weights; returns what it recorded.

        X (N, K): any array, list or frame of finite numbers. y: labels 0, 1, ... (N,) or one-hot rows (N, J) for
            softmax; (N, J), or (N,) for one output, else; 0 or more for poisson. Neither is changed.
        epochs: passes over X.
        optimizer: "sgd" (the default), "adam", "adamw", "rmsprop", "adagrad", or one of `fastmlp.optimizers`.
        learning_rate: of an optimizer that is given by name: a number, or one of `fastmlp.schedules`; None: its default
            (0.1 for "sgd", 0.001 for "adam").
        batch_size: rows of a batch (the last may be shorter); None: all.
        shuffle: whether each epoch of mini-batches goes through the rows in a new order; a second call goes on with
            the orders where the first one ended.
        l2, l1: add l2 / 2 times the sum of the weights' squares, and l1 times that of their sizes, to the mean loss
            that training minimises; biases are left out, and so are both terms from the loss that is recorded.
        dropout: the share of hidden units that each row of a batch goes without; or a list, one for each hidden layer.
            What is kept is divided by 1 - dropout. Predictions drop nothing.
        clip_value, clip_norm: the most that each part of the gradient, or its length over all parameters, may be; one
            of them.
        sample_weight (N,): what each row counts for. A batch's loss is the sum of weight * loss over that of weights.
        class_weight: {label: weight}, or "balanced": N / (classes * rows of the class).
        validation: (X, y), or the share of the rows (stratified by label) to hold out of training, like 0.1. Its loss
            and accuracy, for which all rows count alike, are recorded with each record, as they stand after that epoch.
        early_stopping: an EarlyStopping, or its patience: ends training when the validation loss (without validation:
            the loss) has not improved for so many records. When training ends, be it by a target, a callback or the
            last epoch, the weights come back as they stood after the epoch of the best record.
        callback: a function of an Info that is called after each record's epoch; training ends if it returns True.
        resume: goes on where the last fit ended: with its optimizer's state and learning rate, and its count of epochs,
            so that 10 epochs and 20 more are 30, bit for bit. The other options have to be given again; optimizer need
            not, and by the same name is the same. Otherwise the optimizer and its learning rate begin anew.
            With a checkpoint that is there, or given its path: goes on from the checkpoint, see there.
        record_every: records the first epoch, each k-th and the last; None: every epoch, at 56 bytes each.
        target_loss, target_accuracy: a record that reaches either ends the training.
        progress: a bar; None: on a terminal, for runs of more than a second.
        threads: how many; None: FASTMLP_NUM_THREADS, or else as many as there are cores and as make it faster, which is
            tried out while training. The result is the same, to the bit.
        checkpoint: the path of a file to which the whole state of this fit is written after each `checkpoint_every`
            epochs (None: ten times) and at its end; the file is always whole. After a crash, the same call with
            resume=True goes on from there and ends with the very bits and history of a fit that was not cut short, with
            early stopping, too; it raises ValueError where its arguments or rows differ. `Model.load` reads the file.
        keep: how many checkpoints stay: those before the newest get the number of their epoch into their names.

        A record's loss and accuracy stand as before that epoch's update; with mini-batches they are the epoch's mean.
        With one batch an epoch, a target leaves the very weights that reached it.

        Raises DivergenceError if a recorded loss or a parameter is not finite; the model then holds the weights of the
        last record that was. KeyboardInterrupt (Ctrl-C), any exception of a signal's handler, and what a callback
        raises, leave the model and `model.history` as they stood after the last whole epoch that was told, some 50 ms
        ago or an epoch; resume then goes on exactly. RuntimeError if another call trains the model. Predictions that
        another thread makes meanwhile use the weights as they stood after one of the epochs.
        """
        asked = FitOptions.of(locals())
        use = self._busy.begin(
            "fit was called while the model trains, as from a callback or another thread: call it after that fit, "
            "or give each thread a copy of the model"
        )
        try:
            fit = Fit(self._network, backend_module(self.backend), X, y, asked)
            history = History()
            fit.go(history, held(self, "history", history))
            return history
        finally:
            use.end()

    def predict(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Labels (N,) for softmax; 0 or 1 for sigmoid, values for identity and means for exponential, (N,) for one
        output, else (N, J).

        A label is that of the first largest logit; a sigmoid's 1 is a logit above 0.
        threads: how many; None: FASTMLP_NUM_THREADS, or else as many as there are cores, for what takes a core some
        milliseconds. The bits of a row's outputs depend neither on them nor on the other rows.

        Raises ValueError or TypeError for an X that does not fit, and ValueError where an output is not finite.
        """
        spec = self.spec
        threads = threads if threads is None else options.thread_count(threads)
        found = self._forward()("labels" if spec.is_classifier else "outputs", X, "X", threads)
        return found[:, 0] if spec.outputs == 1 else found

    def predict_proba(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The probability of each class (softmax) or of each output being 1 (sigmoid), (N, J).

        threads: as for `predict`.

        Raises ValueError for output="identity" and "exponential", and as `predict` does.
        """
        spec = self.spec
        if not spec.is_classifier:
            raise ValueError(
                f'output="{spec.output}" has no probabilities: use predict, or output="softmax" or "sigmoid"'
            )
        threads = threads if threads is None else options.thread_count(threads)
        return self._forward()("outputs", X, "X", threads)

    def predictor(self) -> Predictor:
        """A function of one row (K,), or of rows (N, K), that gives the outputs, (J,) or (N, J), as fast as can be.

        It has a copy of the weights as they are now: later training does not change it. For what it takes, checks and
        raises, see `fastmlp.predictor.Predictor`.

        >>> model = Model([2, 8, 8, 2], seed=1)
        >>> outputs = model.predictor()
        >>> outputs(np.array([0.0, 1.0])).shape
        (2,)
        """
        from fastmlp.predictor import Predictor

        return Predictor(self.spec, self._network.parameters_now(), self.backend)

    def evaluate(self, X: Any, y: Any, *, threads: int | None = None) -> dict[str, float]:
        """{"loss", "accuracy"}, or {"loss", "r2"} for output="identity" and "exponential".

        The accuracy is the share of rows that `predict` gets right, in every output; NaN where a sigmoid's targets are
        not all 0 or 1. r2 is that of what `predict` gives, its mean over outputs. threads: as for `predict`. Raises as
        `fit` does for X and y.
        """
        spec = self.spec
        threads = threads if threads is None else options.thread_count(threads)
        x = data.features(X, spec)
        targets = data.targets(y, len(x), spec)
        parameters = self._network.parameters_now()
        loss, accuracy = self._evaluate(parameters, x, targets, threads)
        if spec.is_classifier:
            return {"loss": loss, "accuracy": accuracy if data.labelled(spec, targets) else math.nan}
        forward = self._forward_of(parameters)
        return {"loss": loss, "r2": scores.r2(forward("outputs", x, "X", threads), targets)}

    def loss(self, X: Any, y: Any, *, threads: int | None = None) -> float:
        """The mean loss. threads: as for `predict`."""
        threads = threads if threads is None else options.thread_count(threads)
        x = data.features(X, self.spec)
        return self._evaluate(self._network.parameters_now(), x, data.targets(y, len(x), self.spec), threads)[0]

    @property
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(w (K, J), b (J,)), ...], a layer each: copies; `set_weights` takes such a list back."""
        return self.spec.views(self._network.parameters_now())

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
        use = self._busy.begin(
            "set_weights was called while the model trains, as from a callback or another thread: call it after fit"
        )
        try:
            network, parameters = self._network, np.empty_like(self._network.parameters)
            for number, ((w, b), (inputs, outputs)) in enumerate(zip(layers, shapes, strict=True)):
                places = self.spec.views(parameters)[number]
                for value, place, shape, name in (
                    (w, places[0], (inputs, outputs), "w"),
                    (b, places[1], (outputs,), "b"),
                ):
                    place[:] = data.weight_array(value, shape, f"weights[{number}] {name}", self.spec.dtype)
            changes = [copied(network.parameters, parameters)]
            if network.run is not None:
                changes.append(held(network.run, "not_resumable_because", "set_weights has replaced the weights"))
            network.change(changes)
        finally:
            use.end()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the model to one safetensors file: weights, spec, and all that `fit(..., resume=True)` goes on from.

        The file is written beside its place and moved there when it is whole: after a crash it is the old or the new
        one. A callback may call it. Raises OSError where it cannot be written.
        """
        model_file.write(path, self.snapshot(), "model")

    @classmethod
    def load(cls, path: str | os.PathLike, *, backend: str = "numba") -> Model:
        """The model that `save` wrote, in any process and on any machine: the same bits from there on.

        Raises ValueError, in words, for a file that is damaged, cut short, or not a model of fastmlp's, and OSError
        where there is none.
        """
        return cls.from_snapshot(model_file.read(path, "model", "checkpoint")[0], backend=backend)

    @classmethod
    def from_snapshot(cls, network: Network, *, backend: str = "numba") -> Model:
        """The model that holds a `snapshot`, which then is its own."""
        model = cls.__new__(cls)
        model.spec, model.backend, model._network = network.spec, known_backend(backend), network
        model._busy, model.history = Busy(), None
        return model

    @property
    def epochs(self) -> int:
        """The epochs of the training that `fit(..., resume=True)` goes on with; 0 where there was none."""
        run = self._network.run
        return 0 if run is None else run.epochs

    @property
    def optimizer(self) -> Optimizer | None:
        """The last fit's, with its learning rate or schedule; None where there was none."""
        run = self._network.run
        return None if run is None else run.optimizer

    @property
    def not_resumable_because(self) -> str | None:
        """Why `fit(..., resume=True)` cannot go on with the last fit, or None where it can, or there was none."""
        run = self._network.run
        return None if run is None else run.not_resumable_because

    @property
    def seed(self) -> int:
        """The seed as a number: of a NumPy generator, the one that is drawn from it once, for dropout and splits."""
        return self._network.number_seed()

    def snapshot(self) -> Network:
        """All that `save` writes: a copy as it stands at one moment, also while another thread trains."""
        return self._network.at_once()

    def digest(self) -> str:
        """SHA-256, in hex, of the network's spec, the numerics version, and the parameters' bits (little-endian)."""
        return self._network.digest()

    # -----------------------------------------------------------------------------------------------------

    def _forward(self) -> Forward:
        """What predicts, with the passes that it keeps."""
        found = self._forward_kept
        if found is None or found.backend != self.backend or found.parameters is not self._network.parameters:
            found = self._forward_kept = self._forward_of(self._network.parameters, self._network)
        return found

    def _forward_of(self, parameters: np.ndarray, network: Network | None = None) -> Forward:
        from fastmlp.engine.forward import Forward

        return Forward(self.spec, parameters, self.backend, network)

    def _evaluate(
        self, parameters: np.ndarray, x: np.ndarray, targets: np.ndarray, threads: int | None
    ) -> tuple[float, float]:
        with np.errstate(all="ignore"):
            return backend_module(self.backend).evaluate(self.spec, parameters, x, targets, threads=threads)
