"""What a network is: its layers, activations, loss and dtype, and the layout of its parameters in one flat vector.

Imports NumPy, the checks and the parametrised losses. Everything else in fastmlp is written in terms of `Spec`.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import either, shown
from fastmlp.checks.names import one_of
from fastmlp.checks.scalars import flag
from fastmlp.losses import SETTABLE, Loss

NUMERICS_VERSION = 1  # of docs/arithmetic.md; it changes with any bit of any result

# Names as type checkers know them. Others that mean one of them, as "ReLU" and "mse", are understood where they come
# in; a Spec and files hold these.
Hidden = Literal[
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "gelu_erf", "silu", "mish", "identity"
]  # fmt: skip
Output = Literal["softmax", "sigmoid", "identity", "exponential"]
LossName = Literal[
    "cross_entropy", "binary_cross_entropy", "squared_error", "absolute_error", "huber", "quantile", "poisson"
]  # fmt: skip
Init = Literal["he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal"]
Backend = Literal["numba", "reference"]

HIDDEN: tuple[str, ...] = get_args(Hidden)
# output: the losses that it may have, the default first
LOSSES = {
    "softmax": ("cross_entropy",),
    "sigmoid": ("binary_cross_entropy", "squared_error"),
    "identity": ("squared_error", "absolute_error", "huber", "quantile"),
    "exponential": ("poisson",),
}
_LOSS_NAMES = tuple(sorted({name for names in LOSSES.values() for name in names}))
SOFT = "soft_cross_entropy"  # of the engine's specs alone: cross-entropy where targets are probabilities
OUTPUT_KERNELS = {
    "softmax": "softmax", "sigmoid": "sigmoid_output", "identity": None, "exponential": "exponential_output",
}  # fmt: skip
INITS: tuple[str, ...] = get_args(Init)
DTYPES = ("float64", "float32")
_SPELLINGS = {
    **dict.fromkeys(("float64", "f8", "<f8", ">f8", "=f8", "d", "double", "float"), "float64"),
    **dict.fromkeys(("float32", "f4", "<f4", ">f4", "=f4", "f", "single"), "float32"),
}
BACKENDS: tuple[str, ...] = get_args(Backend)
# What others call them, without capitals and signs; only where it means one thing.
_OTHER_ACTIVATIONS = {
    "swish": "silu",
    "linear": "identity",
    "none": "identity",
    "logistic": "sigmoid",
    "lrelu": "leaky_relu",
}
_OTHER_OUTPUTS = {"linear": "identity", "none": "identity", "logistic": "sigmoid", "exp": "exponential"}
_OTHER_LOSSES = {
    **dict.fromkeys(("mse", "mseloss", "meansquarederror", "squaredloss"), "squared_error"),
    **dict.fromkeys(("mae", "l1loss", "meanabsoluteerror"), "absolute_error"),
    **dict.fromkeys(("crossentropyloss", "categoricalcrossentropy", "sparsecategoricalcrossentropy"), "cross_entropy"),
    **dict.fromkeys(("bce", "bceloss", "bcewithlogitsloss", "binarycrossentropy"), "binary_cross_entropy"),
    **dict.fromkeys(("pinball", "pinballloss", "quantileloss"), "quantile"),
    "huberloss": "huber",
}
_SEVERAL_LOSSES = dict.fromkeys(("logloss", "nll", "nllloss"), ("cross_entropy", "binary_cross_entropy"))
_OTHER_INITS = {
    "kaimingnormal": "he_normal", "kaiminguniform": "he_uniform",
    "xaviernormal": "glorot_normal", "xavieruniform": "glorot_uniform",
}  # fmt: skip
_SEVERAL_INITS = {
    **dict.fromkeys(("he", "kaiming"), ("he_normal", "he_uniform")),
    **dict.fromkeys(("glorot", "xavier"), ("glorot_normal", "glorot_uniform")),
}
MOST_PARAMETERS = 2**40


LATER = {"input_scale": False}  # fields that files and digests leave out at these values: they are older


@functools.cache  # called nine times in a fit of few rows
def _parameters(layers: tuple[int, ...]) -> int:
    """The number of weights and biases of a network with these layer sizes."""
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(layers))


@dataclass(frozen=True, repr=False)
class Spec:
    """The description of a network. `Spec.build` makes one from a model's arguments and validates them.

    Attributes
    ----------
    layers : tuple of int
        Layer sizes, from the inputs to the outputs.
    hidden : tuple of str
        The activation of each hidden layer.
    output : str
        "softmax", "sigmoid", "identity" or "exponential".
    loss : str
        The loss's name.
    dtype : str
        "float64" or "float32".
    loss_parameter : float or None
        The label smoothing where it is not 0, delta or q.
    input_scale : bool
        Whether each input is multiplied by a learnable scale.
    """

    layers: tuple[int, ...]
    hidden: tuple[str, ...]
    output: str
    loss: str
    dtype: str
    loss_parameter: float | None = None  # a label smoothing that is not 0, delta or q
    input_scale: bool = False

    @classmethod
    def build(
        cls,
        layers: Sequence[int],
        hidden: str | Sequence[str] = "relu",
        output: str | None = None,
        loss: str | Loss | None = None,
        dtype: object = "float64",
        input_scale: bool = False,
    ) -> Spec:
        """Makes the spec for a model's arguments.

        Parameters
        ----------
        layers : sequence of int
            Layer sizes, from the inputs to the outputs; at least two.
        hidden : str or sequence of str, default="relu"
            One activation for all hidden layers, or one for each.
        output : str or None, default=None
            The output. None is the loss's own output ("identity" for "squared_error"), or "softmax" if `loss` is None,
            too.
        loss : str, Loss or None, default=None
            The loss. None is the output's default loss.
        dtype : object, default="float64"
            Anything that names float64 or float32.
        input_scale : bool, default=False
            Whether each input is multiplied by a learnable scale.

        Returns
        -------
        Spec

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong; the error names it.

        Examples
        --------
        >>> from fastmlp import Spec
        >>> Spec.build([2, 8, 1], loss="huber")
        Spec(layers=(2, 8, 1), hidden=('relu',), output='identity', loss='huber', dtype='float64', loss_parameter=1.0)
        """
        sizes = _layer_sizes(layers)
        hidden = _hidden_names(hidden, len(sizes) - 2)
        output, name, parameter = _output_and_loss(output, loss)
        if output == "softmax" and sizes[-1] < 2:
            raise ValueError(
                f"layers={list(sizes)} ends in one output, and softmax needs at least 2: "
                'end in 2, or use output="sigmoid"'
            )
        dtype = dtype_name(dtype)
        if parameter is not None:
            _check_rounded(parameter, name, dtype)
        return cls(sizes, hidden, output, name, dtype, parameter, flag(input_scale, "input_scale"))

    def __repr__(self) -> str:
        told = ((field.name, getattr(self, field.name)) for field in fields(self))
        return (
            f"Spec({', '.join(f'{name}={value!r}' for name, value in told if (name, value) != ('input_scale', False))})"
        )

    def described(self) -> dict[str, Any]:
        """Returns the fields as plain values, without those of LATER at their defaults."""
        return {name: value for name, value in asdict(self).items() if name not in LATER or value != LATER[name]}

    @property
    def inputs(self) -> int:
        """K of the first layer: the number of features."""
        return self.layers[0]

    @property
    def outputs(self) -> int:
        """J of the last layer."""
        return self.layers[-1]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shape (K, J) of each layer's weights."""
        return list(zip(self.layers[:-1], self.layers[1:], strict=True))

    @property
    def offsets(self) -> list[int]:
        """The index at which each layer starts in the flat parameter vector: w (K, J), row by row, then b (J,)."""
        starts = [0]
        for inputs, outputs in self.shapes:
            starts.append(starts[-1] + (inputs + 1) * outputs)
        return starts[:-1]

    @property
    def parameters(self) -> int:
        """The number of parameters, P: those of the layers, and one for each input that has a scale."""
        return _parameters(self.layers) + (self.layers[0] if self.input_scale else 0)

    @property
    def layer_parameters(self) -> int:
        """The number of the layers' weights and biases, which come first."""
        return _parameters(self.layers)

    @property
    def plain(self) -> Spec:
        """The same network without an input scale: it is what passes over rows see, of `core.input_scale.seen`."""
        return replace(self, input_scale=False) if self.input_scale else self

    @property
    def is_classifier(self) -> bool:
        """Whether a prediction is a label, so that there is an accuracy."""
        return self.output in ("softmax", "sigmoid")

    @property
    def targets(self) -> int:
        """The number of columns of the targets: 1 for a label of softmax, else one for each output."""
        return 1 if self.loss == "cross_entropy" else self.outputs

    @property
    def loss_terms(self) -> int:
        """The number of terms that a row adds to the loss; the mean is over all terms."""
        return 1 if self.output == "softmax" else self.outputs

    @property
    def gradient_factor(self) -> int:
        """The factor that dz leaves out of the loss's derivative: 2 for squared error, else 1."""
        return 2 if self.loss == "squared_error" else 1

    @property
    def loss_kernel(self) -> str:
        """The name of the loss's function in `reference/losses.py`, and of its kernel."""
        smooth = "smooth_" if self.loss == "cross_entropy" and self.loss_parameter is not None else ""
        return f"{self.output}_{smooth}{self.loss}"

    def of_targets(self, y: np.ndarray) -> Spec:
        """The spec that the engine trains and scores with, for targets as `core.data.targets` returns them.

        Parameters
        ----------
        y : ndarray of shape (N,) or (N, J)
            The targets.

        Returns
        -------
        Spec
            This one; for softmax with probabilities (N, J), the same with the loss "soft_cross_entropy", whose
            parameter is the label smoothing, also where it is 0.
        """
        if y.ndim == 1 or self.output != "softmax":
            return self
        return replace(self, loss=SOFT, loss_parameter=self.loss_parameter or 0.0)

    @property
    def output_kernel(self) -> str | None:
        """The name of the function that makes outputs of logits; None for identity."""
        return OUTPUT_KERNELS[self.output]

    def views(self, parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Splits a flat vector into the layers' weights and biases.

        Parameters
        ----------
        parameters : ndarray of shape (P,)
            Parameters or a gradient.

        Returns
        -------
        list of (w, b)
            For each layer, views w (K, J) and b (J,) into the vector.
        """
        pairs = []
        for start, (inputs, outputs) in zip(self.offsets, self.shapes, strict=True):
            end = start + inputs * outputs
            w = parameters[start:end].reshape(inputs, outputs)
            pairs.append((w, parameters[end : end + outputs]))
        return pairs

    def scale_of(self, parameters: np.ndarray) -> np.ndarray:
        """Returns the input scale in a flat vector: a view (K,) behind the layers; (0,) where there is none.

        Parameters
        ----------
        parameters : ndarray of shape (P,)
            Parameters or a gradient.

        Returns
        -------
        ndarray of shape (K,) or (0,)
        """
        return parameters[self.layer_parameters :]


def activation(name: object, argument: str = "hidden") -> str:
    """Returns the activation that a name means.

    Parameters
    ----------
    name : object
        A name in HIDDEN, in any spelling, or another library's name of one of them.
    argument : str, default="hidden"
        The argument's name, for errors.

    Returns
    -------
    str
        One of HIDDEN.

    Raises
    ------
    ValueError
        If it names none.
    """
    return one_of(argument, name, HIDDEN, _OTHER_ACTIVATIONS)


def init_name(name: str) -> str:
    """Returns the distribution of initial weights that a name means.

    Parameters
    ----------
    name : str
        A name in INITS, in any spelling, or another library's name of one of them.

    Returns
    -------
    str
        One of INITS.

    Raises
    ------
    ValueError
        If it names none.
    """
    return one_of("init", name, INITS, _OTHER_INITS, ", or a scale like 0.1", _SEVERAL_INITS)


def dtype_name(dtype: object) -> str:
    """Returns the name of a dtype.

    Parameters
    ----------
    dtype : object
        A name, a NumPy dtype or scalar type, or an object with a `dtype`.

    Returns
    -------
    str
        "float64" or "float32".

    Raises
    ------
    ValueError
        If it names neither.

    Notes
    -----
    Of texts, only those of _SPELLINGS are accepted. NumPy would parse others, and raise a SyntaxError for "(2".
    """
    name: str | None = None
    if isinstance(dtype, str):
        name = _SPELLINGS.get(str(dtype))
    elif isinstance(dtype, (type, np.dtype)) or hasattr(dtype, "dtype"):  # a type, or a dtype of NumPy or JAX
        try:
            name = np.dtype(dtype).name
        except Exception as error:  # an object's `dtype` may be anything
            only_faults(error)
            name = None
    if name not in DTYPES:
        raise ValueError(f"dtype={shown(dtype)} is not known: use {either(DTYPES)}")
    return name


def _layer_sizes(layers: Sequence[int]) -> tuple[int, ...]:
    """Returns checked layer sizes."""
    try:
        given = None if isinstance(layers, (str, bytes, dict, set)) else list(layers)
    except TypeError:
        given = None
    if given is None:
        raise TypeError(f"layers={shown(layers)} is not a list of sizes: give one like [2, 8, 8, 2], inputs first")
    sizes = []
    for size in given:
        try:
            sizes.append(operator.index(size))
        except TypeError:
            raise TypeError(f"layers={shown(given)} holds {shown(size)}: every size is a whole number") from None
        if isinstance(size, (bool, np.bool_)) or sizes[-1] < 1:
            raise ValueError(f"layers={shown(given)} holds {shown(size)}: every size is a whole number of at least 1")
    if len(sizes) < 2:
        raise ValueError(
            f"layers={shown(sizes)} is too short: give the number of inputs, of hidden units, and of outputs"
        )
    count = sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(sizes))
    if count > MOST_PARAMETERS:
        many = f"{count:.3g}" if count < 2**1000 else f"over 2**{count.bit_length() - 1}"  # else a float overflows
        raise ValueError(f"layers={shown(given)} makes {many} parameters: {MOST_PARAMETERS:.3g} is the most")
    return tuple(sizes)


def _hidden_names(hidden: str | Sequence[str], count: int) -> tuple[str, ...]:
    """Returns a checked activation for each of `count` hidden layers."""
    if isinstance(hidden, str):
        name = str(hidden) if hidden in HIDDEN else activation(hidden)
        return (name,) * count
    try:
        names = None if isinstance(hidden, (bytes, dict, set, frozenset)) else tuple(hidden)
    except TypeError:
        names = None
    if names is None:
        raise TypeError(f"hidden={shown(hidden)} is neither a name nor a list of names: use one like {HIDDEN[0]!r}")
    names = tuple(activation(name) for name in names)
    if len(names) != count:
        raise ValueError(
            f"hidden={shown(list(names))} has {len(names)} names for {count} hidden layers: give one for each"
        )
    return names


def _output_and_loss(output: str | None, loss: str | Loss | None) -> tuple[str, str, float | None]:
    """Returns the output, the loss's name and its parameter."""
    if output is not None:
        output = one_of("output", output, tuple(LOSSES), _OTHER_OUTPUTS)
    if loss is None:
        output = output or "softmax"
        loss = LOSSES[output][0]
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise TypeError(f"loss={loss.__name__} is a class: give an object, {loss.__name__}()")
    if isinstance(loss, Loss):
        name, parameter = loss.name, loss.parameter
    else:
        name = one_of("loss", loss, _LOSS_NAMES, _OTHER_LOSSES, several=_SEVERAL_LOSSES)
        parameter = SETTABLE[name]().parameter if name in SETTABLE else None
    fits = [output for output in LOSSES if name in LOSSES[output]]
    if output is None:
        output = "identity" if "identity" in fits else fits[0]
    if output not in fits:
        raise ValueError(
            f"loss={shown(loss)} does not go with output={output!r}: "
            f"use loss={either(LOSSES[output])}, or output={either(fits)}"
        )
    return output, name, parameter


def _check_rounded(parameter: float, loss: str, dtype: str) -> None:
    """Raises ValueError if a loss's parameter is out of its range once it is rounded to the dtype."""
    with np.errstate(all="ignore"):
        rounded = np.dtype(dtype).type(parameter)
    if not 0 < rounded < (np.inf if loss == "huber" else 1):
        given = SETTABLE[loss](parameter)
        raise ValueError(f"loss={given} has a number that rounds to {rounded} in {dtype}: use another, or float64")
