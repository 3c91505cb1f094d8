"""`Model`: a network with its parameters, and what can be done with it."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastmlp import losses
from fastmlp.callbacks import Info
from fastmlp.checks.names import Nothing, names_of, no_argument, takes_no_more
from fastmlp.core import data, scores
from fastmlp.core.network import Network, standardize_of
from fastmlp.core.summary import Summary
from fastmlp.engine.backends import backend_module, known_backend
from fastmlp.engine.initial_weights import check_init, check_seed, check_start, initial_parameters
from fastmlp.export.conversions import Conversions
from fastmlp.fit import options
from fastmlp.fit.fit import Fit
from fastmlp.fit.jobs import Job
from fastmlp.fit.options import EPOCHS, FitOptions
from fastmlp.history import History
from fastmlp.losses import Loss
from fastmlp.optimizers import Optimizer, OptimizerName
from fastmlp.schedules import Schedule
from fastmlp.spec import Backend, Hidden, Init, LossName, Output, Spec
from fastmlp.stopping import EarlyStopping
from fastmlp.system.atomic import copied, held
from fastmlp.system.busy import Busy
from fastmlp.views import html

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from fastmlp.engine.forward import Forward, ScaledForward
    from fastmlp.fit.transcript import Transcript
    from fastmlp.predictor import Predictor


class _readable:
    """As `property`; but where a subclass sets an attribute of the same name, that one is read, as in a plain class."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        self._read, self.__doc__ = read, read.__doc__

    def __get__(self, model: Any, owner: Any = None) -> Any:
        return self if model is None else self._read(model)


class Model(Conversions):
    """A multi-layer perceptron that trains by gradient descent, with the same bits on every machine.

    Parameters
    ----------
    layers : sequence of int
        Layer sizes, from the inputs to the outputs, such as [2, 8, 8, 2].
    hidden : str or sequence of str, default="relu"
        Activation of the hidden layers: one name, or one for each hidden layer. Names are "relu", "leaky_relu", "elu",
        "selu", "sigmoid", "tanh", "softplus", "gelu", "gelu_erf", "silu", "mish" and "identity". Other spellings and
        other libraries' names of these, as "ReLU" and "swish", are understood, here and wherever a name is given;
        `spec` has the names of this list.
    output : str or None, default=None
        "softmax" for one class of several, "sigmoid" for probabilities, "identity" for values, or "exponential" for
        counts. None is the loss's own output, or "softmax" if `loss` is None, too.
    loss : str, Loss or None, default=None
        A loss that goes with the output:

        - "softmax": "cross_entropy";
        - "sigmoid": "binary_cross_entropy" (its default) or "squared_error";
        - "identity": "squared_error" (its default), "absolute_error", "huber" or "quantile";
        - "exponential": "poisson".

        One of `output` and `loss` is enough; "squared_error" alone goes with "identity".
        `CrossEntropy(label_smoothing)`, `Huber(delta)` and `Quantile(q)` of `fastmlp.losses` can be given in place of a
        name. None is the output's default.
    init : str or float, default="he_normal"
        Distribution of the initial weights: "he_normal", "he_uniform", "glorot_normal", "glorot_uniform",
        "lecun_normal", or the standard deviation of normal weights.
    bias_init : float, default=0.0
        Standard deviation of normal initial biases. 0 starts from zeros.
    zero_last : bool, default=False
        Whether the weights and biases of the last layer start from 0.
    input_scale : bool, default=False
        Whether each input is multiplied by a scale of its own, which is trained with the weights and starts from 1.
    seed : int, numpy.random.Generator or numpy.random.RandomState, default=0
        Source of the initial weights and, in `fit`, of the shuffles, dropout, and the rows that a validation fraction
        holds out. An int from 0 to 2^64 - 1 uses fastmlp's own generator, whose bits are portable. A NumPy generator
        makes its own draws.
    dtype : str or dtype, default="float64"
        "float64" or "float32", of the parameters and of all arithmetic.
    backend : str, default="numba"
        "numba", or "reference": the definition in NumPy, which is thousands of times slower and gives the same bits.
    standardize : bool or str, default=False
        True or "features": the model subtracts each column's mean from X and divides by its standard deviation, in
        `fit` and in every prediction. The first `fit` learns both from the rows that it trains on, and later ones keep
        them. "both": so it does with y, too, and predictions are in y's units; for output="identity" alone. Losses are
        of standardised targets then.

    Attributes
    ----------
    spec : Spec
        The network's layers, activations, loss and dtype.
    history : History or None
        The records of the last `fit`, also of one that was interrupted. None before the first.
    weights : list of (ndarray, ndarray)
        Copies of each layer's w (K, J) and b (J,).
    input_scale : ndarray of shape (K,) or None
        A copy of the inputs' scales; None for a model without.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.

    Examples
    --------
    >>> from fastmlp import Model
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> model = Model([2, 8, 8, 2], seed=1)
    >>> history = model.fit(X, [0, 1, 1, 0], epochs=2000, learning_rate=0.1)
    >>> model.predict(X)
    array([0, 1, 1, 0])
    """

    spec: Spec
    history: History | None  # of the last `fit`, also where that was interrupted
    _forward_kept: Forward | ScaledForward | None = None

    @takes_no_more
    def __init__(
        self,
        layers: Sequence[int],
        *,
        hidden: Hidden | Sequence[Hidden] = "relu",
        output: Output | None = None,
        loss: LossName | Loss | None = None,
        init: Init | float = "he_normal",
        bias_init: float = 0.0,
        zero_last: bool = False,
        input_scale: bool = False,
        seed: int | np.random.Generator | np.random.RandomState = 0,
        dtype: Any = "float64",
        backend: Backend = "numba",
        standardize: bool | Literal["both"] = False,
        **unknown: Unpack[Nothing],
    ) -> None:
        if unknown:
            raise no_argument("Model", next(iter(unknown)), names_of(Model.__init__), {"fit": options.NAMES})
        self.spec = Spec.build(layers, hidden, output, loss, dtype, input_scale)
        self.backend = known_backend(backend)
        seed = check_seed(seed)
        start = check_start(bias_init, zero_last)
        parameters = initial_parameters(self.spec, check_init(init), seed, self.backend, *start)
        self._network = Network(self.spec, parameters, seed)
        self._network.standardize = standardize_of(standardize, self.spec)
        self._busy = Busy()
        self.history = None

    def __repr__(self) -> str:
        spec = self.spec
        hidden = list(spec.hidden) if len(set(spec.hidden)) > 1 else (*spec.hidden, "relu")[0]
        loss = losses.of(spec.loss, spec.loss_parameter)
        scales = {"": "", "features": ", standardize=True"}.get(self.standardize, f", standardize={self.standardize!r}")
        return (
            f"Model({list(spec.layers)}, hidden={hidden!r}, output={spec.output!r}, loss={loss!r}, "
            f"dtype={spec.dtype!r}, {'input_scale=True, ' if spec.input_scale else ''}backend={self.backend!r}{scales})"
        )

    def _repr_html_(self) -> str:
        summary = self.summary()
        past = [] if self.history is None else [self.history._repr_html_()]
        return html.block(html.heading(*summary.heading()), summary.table(), *past)

    def __getstate__(self) -> dict[str, Any]:
        # A copy that a callback makes is not training, and addresses are of no use to it.
        return {name: value for name, value in self.__dict__.items() if name not in ("_busy", "_forward_kept")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _busy=Busy(), _forward_kept=None)

    def __copy__(self) -> Model:
        return copy.deepcopy(self)  # not a second name for the same parameters

    @takes_no_more
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = EPOCHS,
        learning_rate: float | Schedule | None = None,
        batch_size: int | None = None,
        shuffle: bool = True,
        optimizer: OptimizerName | Optimizer | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        dropout: float | Schedule | Sequence[float | Schedule] = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        rate_factors: Mapping[str, Any] | None = None,
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
        transcript: str | os.PathLike | Transcript | None = None,
        **unknown: Unpack[Nothing],
    ) -> History:
        """Trains the model from its current weights, and returns what was recorded.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features: any array, list or frame of finite numbers. It is not changed.
        y : array of shape (N,) or (N, J)
            Targets. For softmax: labels 0, 1, ... (N,), one-hot rows (N, J), or rows of probabilities (N, J), each of
            which sums to 1. Otherwise: values (N, J), or (N,) for one output; sigmoid with several outputs also accepts
            labels (N,). For "binary_cross_entropy" from 0 to 1, for "poisson" 0 or more. It is not changed.
        epochs : int, default=100
            The number of passes over X.
        learning_rate : float, Schedule or None, default=None
            Of an optimizer that is given by name: a number, or one of `fastmlp.schedules`. None is the optimizer's
            default (0.1 for "sgd", 0.001 for "adam").
        batch_size : int or None, default=None
            Rows in a batch; the last batch may be shorter. None makes one batch of all rows.
        shuffle : bool, default=True
            Whether each epoch of mini-batches goes through the rows in a new order. A second call continues with the
            orders where the first one ended.
        optimizer : str, Optimizer or None, default=None
            "sgd" (the default), "adam", "adamw", "rmsprop" or "adagrad", or an object of `fastmlp.optimizers`.
        l2 : float, default=0.0
            Adds l2 / 2 times the sum of the squared weights to the mean loss that is minimised. Biases are not
            penalised. The recorded loss does not include the penalty.
        l1 : float, default=0.0
            Adds l1 times the sum of the weights' absolute values, in the same way.
        dropout : float, Schedule or sequence of these, default=0.0
            The fraction of hidden units that is dropped, drawn for each row of a batch; or a list with one fraction for
            each hidden layer. The units that are kept are divided by 1 - dropout. Predictions drop nothing. Of a
            schedule of `fastmlp.schedules`, an epoch takes the value at its beginning, in epochs of the run.
        clip_value : float or None, default=None
            The largest absolute value of each component of the gradient. Only one of `clip_value` and `clip_norm` may
            be given.
        clip_norm : float or None, default=None
            The largest norm of the gradient over all parameters.
        rate_factors : dict or None, default=None
            What the learning rate is multiplied by: {"weight": f, "bias": f, "input_scale": f}, 0 or more each, and 1
            for what is left out. For weights and biases also a list with one factor for each layer. {"weight": "ntk"}
            is the neural tangent parametrisation's: 1 / sqrt(K) for a layer of K inputs, with "sgd" 1 / K.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row. A batch's loss is the sum of weight * loss, divided by the sum of weights.
        class_weight : dict, "balanced" or None, default=None
            {label: weight}, or "balanced": N / (number of classes * number of rows of the class). It multiplies
            `sample_weight`.
        validation : (X, y), (X, y, sample_weight), float or None, default=None
            Validation rows, or the fraction of the rows to hold out of training, such as 0.1; stratified by label.
            Their loss and accuracy after the epoch are in each record. All of these rows count alike, but where they
            come with weights: the loss is then the sum of weight * loss, divided by the sum of weights.
        early_stopping : EarlyStopping, int or None, default=None
            An EarlyStopping, or its patience. Training ends when the validation loss (without validation, the training
            loss) has not improved for this number of records. However training ends, the weights after the epoch of the
            best record are restored, unless the object has best_weights=False.
        callback : callable or None, default=None
            A function of an `Info`, called after each record's epoch. Training ends if it returns True.
        resume : bool or path, default=False
            Whether to continue where the last fit ended, with the state of its optimizer, its learning rate and its
            count of epochs: 10 epochs and then 20 give the bits of 30. All other options have to be given again.
            `optimizer` may be left out; the same name means the same optimizer. If `checkpoint` names a file that
            exists, or if a path is given, the fit continues from that checkpoint. If False, the optimizer and the
            learning rate start again.
        record_every : int or None, default=None
            Record the first epoch, every k-th and the last. None records every epoch. A record takes 56 bytes.
        target_loss : float or None, default=None
            End training at a record whose loss is at most this.
        target_accuracy : float or None, default=None
            End training at a record whose accuracy is at least this.
        progress : bool or None, default=None
            Whether to show a progress bar. None shows one on a terminal or in a notebook if the run takes more than a
            second and there is no callback.
        threads : int or None, default=None
            The number of threads. None is the environment variable FASTMLP_NUM_THREADS if it is set; otherwise as many
            as there are cores and as make training faster, which is found by trying during training. The result is the
            same, to the bit.
        checkpoint : path or None, default=None
            A file for checkpoints: the whole state of this fit. The file is always whole.
        checkpoint_every : int or None, default=None
            A checkpoint is written after each multiple of this many epochs of the run, and at the end. None is a tenth
            of `epochs`.
        keep : int, default=1
            The number of checkpoints to keep. Those before the newest have their epoch in their names.
        transcript : path, Transcript or None, default=None
            A file to write a chain of digests into: of the data, of the order of rows, of the parameters and of the
            optimizer's state, now and then; with checkpoints in a folder beside it, PATH.d. `fastmlp audit` checks it
            by training parts of it again, and `fastmlp bisect` says where two of them part. The training's bits are
            the same as without. A `Transcript` sets the interval. An existing file is not written over; with
            resume=True, the fit continues from the newest of its checkpoints, or from `checkpoint`.

        Returns
        -------
        History
            The records. `model.history` is the same object.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong; the error names it. Also if a checkpoint is resumed with other arguments or rows.
        DivergenceError
            If a recorded loss or a parameter is not finite. The model then has the weights of the last record that was.
        RuntimeError
            If another call is training the model.

        Warns
        -----
        DivergenceWarning
            If training ends with a finite loss far above the one that it began with.

        Notes
        -----
        A record has the loss and accuracy before the epoch's update; with mini-batches, the epoch's means. With one
        batch in an epoch, a target leaves the weights that reached it.

        After a crash, the same call with `checkpoint` and resume=True continues. It ends with the bits and the history
        of a fit that was not interrupted, early stopping included. `Model.load` reads a checkpoint, too.

        KeyboardInterrupt (Ctrl-C), an exception of a signal handler and an exception of a callback leave the model and
        `model.history` as they were after the last whole epoch that was reported: at most some 50 ms, or one epoch,
        earlier. resume=True then continues exactly. Predictions that another thread makes meanwhile use the weights
        after one of the epochs.
        """
        if unknown:
            raise no_argument("fit", next(iter(unknown)), names_of(Model.fit), {"Model": names_of(Model.__init__)})
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

    def job(self, X: Any, y: Any, options: FitOptions, rows: Any = None) -> Job:
        """Returns what `fastmlp.fit.together.train_together` takes to train this model, with others, as `fit` does.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Targets.
        options : FitOptions
            The other arguments of `fit`.
        rows : array of int of shape (M,) or None, default=None
            The numbers of the rows to train on, in this order; None is all.

        Returns
        -------
        Job
            Nothing is checked before its turn.
        """
        history = History()
        others = (held(self, "history", history),)
        return Job(self._network, self.backend, self._busy, X, y, options, rows, history, others)

    def predict(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Predicts labels or values.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads. None is FASTMLP_NUM_THREADS if it is set; otherwise as many as there are cores, for
            calls that take one core some milliseconds.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            softmax: labels (N,), integers. sigmoid: 0 or 1 for each output. identity: values. exponential: means. The
            last three have the shape (N,) for one output, else (N, J).

        Raises
        ------
        TypeError, ValueError
            If X does not fit the network, or has NaN or infinity, or an output is not finite.

        Notes
        -----
        A label is the index of the first largest logit. A sigmoid's 1 is a logit above 0. The bits of a row's outputs
        depend neither on the number of threads nor on the other rows.
        """
        spec = self.spec
        threads = threads if threads is None else options.thread_count(threads)
        if spec.is_classifier:
            found = self._forward()("labels", self._rows(X), "X", threads)
        else:
            found = self._values(self._forward(), X, threads)
        return found[:, 0] if spec.outputs == 1 else found

    def predict_proba(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Predicts the probability of each class (softmax), or of a 1 in each output (sigmoid).

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `predict`.

        Returns
        -------
        ndarray of shape (N, J)
            Probabilities, in the network's dtype.

        Raises
        ------
        ValueError
            For output="identity" and "exponential".
        TypeError, ValueError
            As `predict`.
        """
        spec = self.spec
        if not spec.is_classifier:
            raise ValueError(
                f'output="{spec.output}" has no probabilities: use predict, or output="softmax" or "sigmoid"'
            )
        threads = threads if threads is None else options.thread_count(threads)
        return self._forward()("outputs", self._rows(X), "X", threads)

    def predictor(self) -> Predictor:
        """Returns a function that computes the outputs of one row, or of several, as fast as possible.

        It takes a snapshot of the current weights: later training does not change it.

        Returns
        -------
        Predictor
            A function of a row (K,) or of rows (N, K) that returns the outputs, (J,) or (N, J).
            `fastmlp.predictor.Predictor` says what it accepts, checks and raises.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Model
        >>> model = Model([2, 8, 8, 2], seed=1)
        >>> outputs = model.predictor()
        >>> outputs(np.array([0.0, 1.0])).shape
        (2,)
        """
        from fastmlp.predictor import Predictor

        network = self._network
        return Predictor(self.spec, network.parameters_now(), self.backend, network if network.standardize else None)

    def evaluate(self, X: Any, y: Any, *, threads: int | None = None) -> dict[str, float]:
        """Computes the mean loss and the accuracy, or R2, on some rows.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Targets, as in `fit`.
        threads : int or None, default=None
            The number of threads, as in `predict`.

        Returns
        -------
        dict of str to float
            {"loss", "accuracy"} for softmax and sigmoid, {"loss", "r2"} for identity and exponential.

        Raises
        ------
        TypeError, ValueError
            If X or y is wrong, as in `fit`.

        Notes
        -----
        The accuracy is the fraction of rows that `predict` gets right, in every output; NaN if a sigmoid's targets are
        not all 0 or 1. Where softmax has probabilities as targets, the right label is that of the first largest one. r2
        is the coefficient of determination of what `predict` returns, averaged over the outputs.
        """
        spec = self.spec
        threads = threads if threads is None else options.thread_count(threads)
        x = data.features(X, self._network.rows_spec)
        targets = data.targets(y, len(x), spec)
        parameters = self._network.parameters_now()
        loss, accuracy = self._evaluate(parameters, x, targets, threads)
        if spec.is_classifier:
            return {"loss": loss, "accuracy": accuracy if data.labelled(spec, targets) else math.nan}
        return {"loss": loss, "r2": scores.r2(self._values(self._forward_of(parameters), x, threads), targets)}

    def loss(self, X: Any, y: Any, *, threads: int | None = None) -> float:
        """Computes the mean loss on some rows.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Targets, as in `fit`.
        threads : int or None, default=None
            The number of threads, as in `predict`.

        Returns
        -------
        float
            The loss, without penalties and without weights of rows.

        Raises
        ------
        TypeError, ValueError
            If X or y is wrong, as in `fit`.
        """
        threads = threads if threads is None else options.thread_count(threads)
        x = data.features(X, self._network.rows_spec)
        return self._evaluate(self._network.parameters_now(), x, data.targets(y, len(x), self.spec), threads)[0]

    @property
    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Copies of the parameters: a list of (w, b), one for each layer, with w (K, J) and b (J,).

        `set_weights` accepts such a list.
        """
        return self.spec.views(self._network.parameters_now())

    @property
    def input_scale(self) -> np.ndarray | None:
        """A copy of the inputs' scales, (K,); None for a model without."""
        return self.spec.scale_of(self._network.parameters_now()) if self.spec.input_scale else None

    def set_weights(self, weights: Iterable[tuple[Any, Any]], input_scale: Any = None) -> None:
        """Replaces all parameters.

        Parameters
        ----------
        weights : iterable of (w, b)
            For each layer, w of shape (K, J) and b of shape (J,), finite numbers.
        input_scale : array of shape (K,) or None, default=None
            The inputs' scales, finite numbers. None leaves them as they are.

        Raises
        ------
        TypeError, ValueError
            If a shape or a number is wrong. Nothing is changed then.
        RuntimeError
            If another call is training the model.

        Notes
        -----
        A fit cannot be resumed after this.
        """
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
            scale = self.spec.scale_of(parameters)
            scale[:] = self.spec.scale_of(network.parameters)
            if input_scale is not None:
                if not self.spec.input_scale:
                    raise ValueError("input_scale is given, and the model has none: make it with input_scale=True")
                scale[:] = data.weight_array(input_scale, (self.spec.inputs,), "input_scale", self.spec.dtype)
            changes = [copied(network.parameters, parameters)]
            if network.run is not None:
                changes.append(held(network.run, "not_resumable_because", "set_weights has replaced the weights"))
            network.change(changes)
        finally:
            use.end()

    def save(self, path: str | os.PathLike) -> None:
        """Writes the model to a file.

        The file, in the safetensors format, holds the weights, the spec, and everything that `fit(..., resume=True)`
        continues from. docs/files.md describes it.

        Parameters
        ----------
        path : path
            The file's name.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If the seed is a generator whose state cannot be stored.

        Notes
        -----
        The file is written under another name and renamed when it is whole: after a crash, either the old file or the
        new one is there. A callback may call this method.
        """
        from fastmlp.storage import model_file

        model_file.write(path, self.snapshot(), "model")

    def to_numpy(self, path: str | os.PathLike) -> None:
        """Writes the network as one file of Python that needs NumPy alone, and predicts the same bits.

        The file has `predict`, `outputs` and `logits`, functions of rows (N, K); the functions of the reference that
        these take; and the weights in hex. It is slow, as the reference is: a second for some ten million products of
        weights and rows.

        Parameters
        ----------
        path : path
            The file's name, which ends in .py.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If the name does not end in .py, or no fit has learnt the scale.

        Notes
        -----
        The file is written under another name and renamed when it is whole.
        """
        from fastmlp.storage import numpy_file

        network = self.snapshot()
        numpy_file.write(path, self.spec, network.parameters, network.digest(), *network.scales())

    @classmethod
    def load(cls, path: str | os.PathLike, *, backend: Backend = "numba") -> Model:
        """Reads a model that `save` wrote, or a checkpoint, in any process and on any machine.

        Parameters
        ----------
        path : path
            The file's name.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        Model
            It continues with the same bits. Its history is None.

        Raises
        ------
        ValueError
            If the file is damaged, cut short, or not a model of fastmlp.
        OSError
            If there is no such file, or it cannot be read.
        """
        from fastmlp.storage import model_file

        return cls.from_snapshot(model_file.read(path, "model", "checkpoint")[0], backend=backend)

    @classmethod
    def from_snapshot(cls, network: Network, *, backend: str = "numba") -> Model:
        """Makes a model of a snapshot.

        Parameters
        ----------
        network : Network
            What `snapshot` returned. It belongs to the new model from then on.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        Model
            Its history is None.
        """
        model = cls.__new__(cls)
        model.spec, model.backend, model._network = network.spec, known_backend(backend), network
        model._busy, model.history = Busy(), None
        return model

    @_readable
    def standardize(self) -> str:
        """What the model standardises: "features", "both", or "" for nothing."""
        return self._network.standardize

    @_readable
    def scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Copies of the means (K,) and standard deviations (K,) of the features that `standardize` has learnt, or None.

        A deviation of 0 is that of a column that is constant, but for rounding perhaps; the network sees 0 there.
        """
        found = self._network.scale
        return None if found is None else (found.mean.copy(), found.deviation.copy())

    @_readable
    def target_scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """As `scale`, of the targets (J,): for standardize="both"."""
        found = self._network.target_scale
        return None if found is None else (found.mean.copy(), found.deviation.copy())

    @_readable
    def epochs(self) -> int:
        """The number of epochs of the training that `fit(..., resume=True)` continues; 0 if there was none."""
        run = self._network.run
        return 0 if run is None else run.epochs

    @_readable
    def optimizer(self) -> Optimizer | None:
        """The last fit's optimizer, with its learning rate or schedule; None if there was no fit."""
        run = self._network.run
        return None if run is None else run.optimizer

    @_readable
    def not_resumable_because(self) -> str | None:
        """Why `fit(..., resume=True)` cannot continue the last fit; None if it can, or if there was no fit."""
        run = self._network.run
        return None if run is None else run.not_resumable_because

    @_readable
    def seed(self) -> int:
        """The seed as a number. A NumPy generator draws one once, for dropout and for validation splits."""
        return self._network.number_seed()

    def snapshot(self) -> Network:
        """Returns a copy of everything that `save` writes, as of one moment, even while another thread trains.

        Returns
        -------
        Network
            The spec, the parameters, the seed, and the state of the last fit.
        """
        return self._network.at_once()

    def summary(self) -> Summary:
        """Returns the layers, their shapes and their numbers of parameters.

        Returns
        -------
        Summary
            `print(model.summary())` shows it, and so does the end of a notebook's cell.

        Examples
        --------
        >>> from fastmlp import Model
        >>> print(Model([2, 8, 2]).summary())
        Model 2-8-2: 42 parameters of float64 (336 bytes), loss cross_entropy
        layer  inputs  outputs  activation  weights  biases  parameters
            1       2        8        relu       16       8          24
            2       8        2     softmax       16       2          18
        """
        return Summary(self.spec)

    def digest(self) -> str:
        """Returns a digest of the network: equal digests mean equal bits.

        Returns
        -------
        str
            The SHA-256, in hex, of the spec, the numerics version, and the parameters' bits (little-endian).
        """
        return self._network.digest()

    # -----------------------------------------------------------------------------------------------------

    def _forward(self) -> Forward | ScaledForward:
        """Returns the object that predicts with the current parameters; it keeps its buffers for later calls."""
        found = self._forward_kept
        if found is None or found.backend != self.backend or found.parameters is not self._network.parameters:
            found = self._forward_kept = self._forward_of(self._network.parameters, self._network)
        return found

    def _forward_of(self, parameters: np.ndarray, network: Network | None = None) -> Forward | ScaledForward:
        from fastmlp.engine.forward import forward_of

        return forward_of(self.spec, parameters, self.backend, network)

    def _evaluate(
        self, parameters: np.ndarray, x: np.ndarray, targets: np.ndarray, threads: int | None
    ) -> tuple[float, float]:
        network = self._network
        x, targets = network.inputs(x, self.backend), network.scaled_targets(targets, self.backend)
        with np.errstate(all="ignore"):
            return backend_module(self.backend).evaluate(self.spec, parameters, x, targets, threads=threads)

    def _rows(self, X: Any) -> Any:
        """X, as the network sees it: standardised, if the model does that."""
        network = self._network
        return X if not network.standardize else network.inputs(data.features(X, network.rows_spec), self.backend)

    def _values(self, forward: Forward | ScaledForward, X: Any, threads: int | None) -> np.ndarray:
        """The outputs (N, J), in y's units."""
        return self._network.in_units(forward("outputs", self._rows(X), "X", threads), self.backend)
