"""What a network is: its layers, activations, loss and dtype, and how its parameters lie in one flat vector.

Imports NumPy and the losses' settings only. Everything else in fastmlp is written in terms of `Spec`.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import either, shown
from fastmlp.losses import SETTABLE, Loss

NUMERICS_VERSION = 1  # of docs/arithmetic.md; a change of any bit anywhere is a new version

HIDDEN = (
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "gelu_erf", "silu", "identity",
)  # fmt: skip
# output -> the losses that it may have, the default first
LOSSES = {
    "softmax": ("cross_entropy",),
    "sigmoid": ("binary_cross_entropy", "squared_error"),
    "identity": ("squared_error", "absolute_error", "huber", "quantile"),
    "exponential": ("poisson",),
}
OUTPUT_KERNELS = {
    "softmax": "softmax", "sigmoid": "sigmoid_output", "identity": None, "exponential": "exponential_output",
}  # fmt: skip
INITS = ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform")
DTYPES = ("float64", "float32")
_SPELLINGS = {
    **dict.fromkeys(("float64", "f8", "<f8", ">f8", "=f8", "d", "double", "float"), "float64"),
    **dict.fromkeys(("float32", "f4", "<f4", ">f4", "=f4", "f", "single"), "float32"),
}
BACKENDS = ("numba", "reference")
MOST_PARAMETERS = 2**40


@functools.cache  # a fit of few rows asks nine times
def _parameters(layers: tuple[int, ...]) -> int:
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(layers))


@dataclass(frozen=True)
class Spec:
    """A network: `layers` units from the inputs to the outputs, an activation for each hidden layer, a loss.

    Make one with `Spec.build`, which validates; the fields are then plain and complete.
    """

    layers: tuple[int, ...]
    hidden: tuple[str, ...]
    output: str
    loss: str
    dtype: str
    loss_parameter: float | None = None  # label_smoothing where it is not 0, delta or q

    @classmethod
    def build(
        cls,
        layers: Sequence[int],
        hidden: str | Sequence[str] = "relu",
        output: str | None = None,
        loss: str | Loss | None = None,
        dtype: object = "float64",
    ) -> Spec:
        """The spec for these arguments of `Model`. Raises ValueError or TypeError naming the one that is wrong.

        output=None is the loss's own output ("identity" for squared_error), or softmax where loss is None, too.
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
        return cls(sizes, hidden, output, name, dtype, parameter)

    @property
    def inputs(self) -> int:
        return self.layers[0]

    @property
    def outputs(self) -> int:
        return self.layers[-1]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(K, J) of each layer's weights."""
        return list(zip(self.layers[:-1], self.layers[1:], strict=True))

    @property
    def offsets(self) -> list[int]:
        """Where each layer begins in the flat parameter vector: w (K, J) by rows, then b (J)."""
        starts = [0]
        for inputs, outputs in self.shapes:
            starts.append(starts[-1] + (inputs + 1) * outputs)
        return starts[:-1]

    @property
    def parameters(self) -> int:
        """The length of the flat parameter vector."""
        return _parameters(self.layers)

    @property
    def is_classifier(self) -> bool:
        """Whether a prediction is a label, so that an accuracy makes sense."""
        return self.output in ("softmax", "sigmoid")

    @property
    def targets(self) -> int:
        """The columns of the targets: one, a label, for softmax; else one for each output."""
        return 1 if self.output == "softmax" else self.outputs

    @property
    def loss_terms(self) -> int:
        """How many terms a row adds to the loss, over which the mean is taken."""
        return 1 if self.loss == "cross_entropy" else self.outputs

    @property
    def gradient_factor(self) -> int:
        """The factor that the loss's derivative leaves out of dz: 2 for squares, else 1."""
        return 2 if self.loss == "squared_error" else 1

    @property
    def loss_kernel(self) -> str:
        """The name of the loss's function in `reference/losses.py`, and of its kernel."""
        smooth = "smooth_" if self.loss == "cross_entropy" and self.loss_parameter is not None else ""
        return f"{self.output}_{smooth}{self.loss}"

    @property
    def output_kernel(self) -> str | None:
        """The name of the function that makes outputs of logits; None for identity."""
        return OUTPUT_KERNELS[self.output]

    def views(self, parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """[(w (K, J), b (J,)), ...]: views into a flat parameter (or gradient) vector."""
        pairs = []
        for start, (inputs, outputs) in zip(self.offsets, self.shapes, strict=True):
            end = start + inputs * outputs
            w = parameters[start:end].reshape(inputs, outputs)
            pairs.append((w, parameters[end : end + outputs]))
        return pairs


def dtype_name(dtype: object) -> str:
    """'float64' or 'float32' for whatever names one of them. Raises ValueError.

    Of texts, only those of _SPELLINGS: NumPy parses others, and of "(2" makes a SyntaxError.
    """
    name: str | None = None
    if isinstance(dtype, str):
        name = _SPELLINGS.get(str(dtype))
    elif isinstance(dtype, (type, np.dtype)) or hasattr(dtype, "dtype"):  # a class, or what JAX's dtypes are
        try:
            name = np.dtype(dtype).name
        except Exception as error:  # an object's `dtype` may be anything
            only_faults(error)
            name = None
    if name not in DTYPES:
        raise ValueError(f"dtype={shown(dtype)} is not known: use {either(DTYPES)}")
    return name


def _layer_sizes(layers: Sequence[int]) -> tuple[int, ...]:
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
        many = f"{count:.3g}" if count < 2**1000 else f"over 2**{count.bit_length() - 1}"  # beyond, no float holds it
        raise ValueError(f"layers={shown(given)} makes {many} parameters: {MOST_PARAMETERS:.3g} is the most")
    return tuple(sizes)


def _hidden_names(hidden: str | Sequence[str], count: int) -> tuple[str, ...]:
    if isinstance(hidden, str):
        _known("hidden", hidden, HIDDEN)
        return (hidden,) * count
    try:
        names = None if isinstance(hidden, (bytes, dict, set, frozenset)) else tuple(hidden)
    except TypeError:
        names = None
    if names is None:
        raise TypeError(f"hidden={shown(hidden)} is neither a name nor a list of names: use one like {HIDDEN[0]!r}")
    for name in names:
        _known("hidden", name, HIDDEN)
    names = tuple(str(name) for name in names)  # NumPy's strings, too, become plain ones
    if len(names) != count:
        raise ValueError(
            f"hidden={shown(list(names))} has {len(names)} names for {count} hidden layers: give one for each"
        )
    return names


def _output_and_loss(output: str | None, loss: str | Loss | None) -> tuple[str, str, float | None]:
    """The output, the loss's name and its parameter."""
    if output is not None:
        _known("output", output, tuple(LOSSES))
    if loss is None:
        output = output or "softmax"
        loss = LOSSES[output][0]
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise TypeError(f"loss={loss.__name__} is a class: give an object, {loss.__name__}()")
    if isinstance(loss, Loss):
        name, parameter = loss.name, loss.parameter
    else:
        _known("loss", loss, tuple(sorted({name for names in LOSSES.values() for name in names})))
        name = str(loss)
        parameter = SETTABLE[name]().parameter if name in SETTABLE else None
    fits = [output for output in LOSSES if name in LOSSES[output]]
    if output is None:
        output = "identity" if "identity" in fits else fits[0]
    if output not in fits:
        raise ValueError(
            f"loss={shown(loss)} does not go with output={output!r}: "
            f"use loss={either(LOSSES[output])}, or output={either(fits)}"
        )
    return str(output), name, parameter


def _check_rounded(parameter: float, loss: str, dtype: str) -> None:
    """Raises ValueError where a loss's parameter is within its range, and no longer so in the dtype."""
    with np.errstate(all="ignore"):
        rounded = np.dtype(dtype).type(parameter)
    if not 0 < rounded < (np.inf if loss == "huber" else 1):
        given = SETTABLE[loss](parameter)
        raise ValueError(f"loss={given} has a number that rounds to {rounded} in {dtype}: use another, or float64")


def _known(argument: str, name: object, names: Sequence[str]) -> None:
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"{argument}={shown(name)} is not known: use {either(names)}")
