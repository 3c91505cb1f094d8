"""A network as an ONNX file, with what stands before and after it. Imports onnx when a file is written.

Operators are those of the opsets OPSETS that ONNX Runtime has in both dtypes: where it has none of float64, an
activation is composed of others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._version import __version__
from fastmlp.core.preprocess import ScalePair
from fastmlp.export import onnx_columns
from fastmlp.export.files import place_of, write_together
from fastmlp.export.onnx_columns import Column
from fastmlp.export.onnx_nodes import ML, Graph
from fastmlp.export.weights import folded
from fastmlp.reference.constants import GELU_CUBE, GELU_SCALE, LEAK, SELU_ALPHA_SCALE, SELU_SCALE
from fastmlp.spec import NUMERICS_VERSION, Spec, dtype_name

OPSETS, IR = {"": 17, ML: 2}, 8  # of 2022: ONNX Runtime 1.12 and later, as tools/onnx_versions.py shows
MOST = 2**31 - 2**20  # bytes: protobuf takes no more than 2 GiB
LABEL, PROBABILITIES, VALUES = "label", "probabilities", "values"  # the outputs' names


@dataclass(frozen=True, eq=False)
class Around:
    """What stands before and after a network.

    scale: mean and deviation (K,) of the inputs, or None. target_scale: those (J,) of values, or None.
    classes: the labels (C,): numbers, or texts of dtype object; None for the places 0, 1, ...
    pair: whether one probability p is to become two, 1 - p and p, as scikit-learn's estimators have them.
    wide: whether values are float64, whatever the network's dtype.
    clipped: whether inputs are clipped smoothly, and scale is of medians and spreads.
    columns: those of a table that become the inputs. None: X has the inputs. missing: texts for what is not there.
    """

    scale: ScalePair | None = None
    target_scale: ScalePair | None = None
    classes: np.ndarray | None = None
    pair: bool = False
    wide: bool = False
    clipped: bool = False
    columns: Sequence[Column] | None = None
    missing: Collection[str] = ()


def write(
    path: str | os.PathLike, spec: Spec, parameters: np.ndarray, digest: str, dtype: object, around: Around
) -> Path:
    """Writes the file, and returns where it is.

    path: the file, ending in .onnx, or a folder, in which it is network.onnx. digest: `Model.digest()`. dtype: of the
    arithmetic; None is the network's. Raises ImportError without onnx, ValueError and TypeError for arguments, and
    OSError for the file.
    """
    place = place_of(path, ".onnx", "network")
    kind = np.dtype(spec.dtype if dtype is None else dtype_name(dtype))
    if kind == np.float64 and "gelu_erf" in spec.hidden:
        raise ValueError(
            'hidden="gelu_erf" needs the operator Erf, which ONNX Runtime has for float32 alone: give dtype="float32"'
        )
    if spec.parameters * kind.itemsize > MOST:
        raise ValueError(f"the network has {spec.parameters} parameters of {kind}, and an ONNX file takes 2 GiB")
    made = _model(spec.plain, folded(spec, parameters, kind), digest, kind, around)
    write_together({place: made.SerializeToString()})
    return place


def _model(spec: Spec, parameters: np.ndarray, digest: str, kind: np.dtype, around: Around) -> Any:
    """The ONNX model."""
    graph = Graph(kind, (LABEL, PROBABILITIES, VALUES))
    from onnx import checker, helper

    given = np.dtype(np.float64) if around.scale is not None else kind
    if around.columns is None:
        here = graph.input("X", given, spec.inputs)
    else:
        here = onnx_columns.encoded(graph, around.columns, around.missing)
    if around.scale is not None:
        scaled = onnx_columns.smoothly_clipped if around.clipped else onnx_columns.standardised
        here = graph.cast(scaled(graph, here, *around.scale), given, kind)
    for layer, (w, b) in enumerate(spec.views(parameters)):
        last = layer == len(spec.hidden)
        names = graph.constant(w, f"w{layer}"), graph.constant(b, f"b{layer}")
        here = _dense(graph, here, *names, "logits" if last else f"z{layer}")
        if not last:
            here = ACTIVATIONS[spec.hidden[layer]](graph, here)
    outputs = _classified(graph, spec, here, around) if spec.is_classifier else _values(graph, spec, here, around)
    inputs, constants = list(graph.inputs.values()), list(graph.constants.values())
    versions = [helper.make_opsetid(domain, OPSETS[domain]) for domain in sorted(graph.domains)]
    results = [helper.make_tensor_value_info(name, of, shape) for name, of, shape in outputs]
    about = f"A network of fastmlp: {'-'.join(map(str, spec.layers))}"
    made = helper.make_model(
        helper.make_graph(graph.nodes, "network", inputs, results, constants, about),
        opset_imports=versions, ir_version=IR, producer_name="fastmlp", producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(made, {"digest": digest, "numerics": str(NUMERICS_VERSION)})
    checker.check_model(made, full_check=True)
    return made


def _dense(graph: Graph, here: str, w: str, b: str, name: str) -> str:
    """x w + b. ONNX Runtime before 1.18 makes one node of Gemm and an activation, which it has of float32 alone."""
    if graph.kind == np.float32:
        return graph.node("Gemm", here, w, b, name=name)
    return graph.node("Add", graph.node("MatMul", here, w), b, name=name)


def _values(graph: Graph, spec: Spec, here: str, around: Around) -> list[tuple[str, int, list[Any]]]:
    """Values or means, (N,) where there is one output -> the outputs' names, types and shapes."""
    if spec.output == "exponential":
        here = graph.node("Exp", here)
    scaled = around.target_scale is not None
    kind = np.dtype(np.float64) if around.wide or scaled else graph.kind
    here = graph.cast(here, graph.kind, kind)
    if around.target_scale is not None:
        mean, deviation = around.target_scale
        here = graph.node("Mul", here, graph.constant(deviation, "target_deviation", np.float64))
        here = graph.node("Add", here, graph.constant(mean, "target_mean", np.float64))
        kind = kind if around.wide else graph.kind
        here = graph.cast(here, np.float64, kind)
    return [_last(graph, here, VALUES, spec.outputs, kind)]


def _classified(graph: Graph, spec: Spec, here: str, around: Around) -> list[tuple[str, int, list[Any]]]:
    """Labels and probabilities -> the outputs' names, types and shapes."""
    outputs = spec.outputs
    if spec.output == "softmax":
        places = graph.node("ArgMax", here, axis=1, keepdims=0)
        p = graph.node("Softmax", here, axis=1)
        shape: list[Any] = ["N"]
    else:
        places = graph.node("Cast", graph.node("Greater", here, graph.constant(0)), to=graph.of_kind(np.int64))
        p = graph.node("Sigmoid", here)
        shape = ["N"] if outputs == 1 else ["N", outputs]
        if outputs == 1:
            places = graph.node("Squeeze", places, graph.constant([1], "second", np.int64))
    if around.pair:
        p = graph.node("Concat", graph.node("Sub", graph.constant(1), p), p, axis=1)
        outputs = 2
    kind = np.dtype(np.int64)
    if around.classes is not None:
        if around.classes.dtype == object:
            graph.texts(around.classes)
        table = graph.constant(around.classes, "classes", around.classes.dtype)
        graph.node("Gather", table, places, name=LABEL)
        kind = around.classes.dtype
    else:
        graph.node("Identity", places, name=LABEL)
    graph.node("Identity", p, name=PROBABILITIES)
    return [(LABEL, graph.of_kind(kind), shape), (PROBABILITIES, graph.of_kind(graph.kind), ["N", outputs])]


def _last(graph: Graph, here: str, name: str, outputs: int, kind: np.dtype) -> tuple[str, int, list[Any]]:
    """The last node of values."""
    if outputs == 1:
        graph.node("Squeeze", here, graph.constant([1], "second", np.int64), name=name)
    else:
        graph.node("Identity", here, name=name)
    return name, graph.of_kind(kind), ["N"] if outputs == 1 else ["N", outputs]


# ---------------------------------------------------------------------------------------------------------
# Activations: each adds its nodes for z, and returns the name of a


def _times(graph: Graph, factor: Any, z: str) -> str:
    return graph.node("Mul", z, graph.constant(factor))


def _positive(graph: Graph, z: str) -> str:
    """The larger of z and 0."""
    return graph.node("Max", z, graph.constant(0))


def _leaky_relu(graph: Graph, z: str) -> str:
    if graph.kind == np.float32:
        return graph.node("LeakyRelu", z, alpha=0.01)
    return graph.node("Max", z, _times(graph, LEAK[graph.kind], z))


def _expm1_nonpositive(graph: Graph, z: str) -> str:
    """e^z - 1 where z < 0, else 0: 2 t / (1 - t) with t = tanh(z / 2)."""
    t = graph.node("Tanh", _times(graph, 0.5, graph.node("Min", z, graph.constant(0))))
    return graph.node("Div", _times(graph, 2, t), graph.node("Sub", graph.constant(1), t))


def _elu(graph: Graph, z: str) -> str:
    if graph.kind == np.float32:
        return graph.node("Elu", z, alpha=1.0)
    return graph.node("Add", _positive(graph, z), _expm1_nonpositive(graph, z))


def _selu(graph: Graph, z: str) -> str:
    if graph.kind == np.float32:
        return graph.node("Selu", z)
    below = _times(graph, SELU_ALPHA_SCALE[graph.kind], _expm1_nonpositive(graph, z))
    return graph.node("Add", _times(graph, SELU_SCALE[graph.kind], _positive(graph, z)), below)


def _softplus(graph: Graph, z: str) -> str:
    if graph.kind == np.float32:
        return graph.node("Softplus", z)
    e = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    return graph.node("Add", _positive(graph, z), graph.node("Log", graph.node("Add", e, graph.constant(1))))


def _silu(graph: Graph, z: str) -> str:
    if graph.kind == np.float32:
        return graph.node("Mul", z, graph.node("Sigmoid", z))
    # not z sigmoid(z), of which ONNX Runtime 1.14 to 1.20, and perhaps later, makes one node, which is of float32 alone
    return graph.node("Div", z, graph.node("Add", graph.node("Exp", graph.node("Neg", z)), graph.constant(1)))


def _mish(graph: Graph, z: str) -> str:
    return graph.node("Mul", z, graph.node("Tanh", _softplus(graph, z)))


def _gelu(graph: Graph, z: str) -> str:
    """z sigmoid(c z (1 + 0.044715 z^2))."""
    inner = graph.node("Add", _times(graph, GELU_CUBE[graph.kind], graph.node("Mul", z, z)), graph.constant(1))
    twice = graph.node("Mul", _times(graph, GELU_SCALE[graph.kind], z), inner)
    return graph.node("Mul", z, graph.node("Sigmoid", twice))


def _gelu_erf(graph: Graph, z: str) -> str:
    erf = graph.node("Erf", _times(graph, np.sqrt(0.5), z))
    return graph.node("Mul", _times(graph, 0.5, z), graph.node("Add", erf, graph.constant(1)))


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "relu": lambda graph, z: graph.node("Relu", z),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "sigmoid": lambda graph, z: graph.node("Sigmoid", z),
    "tanh": lambda graph, z: graph.node("Tanh", z),
    "softplus": _softplus,
    "gelu": _gelu,
    "gelu_erf": _gelu_erf,
    "silu": _silu,
    "mish": _mish,
    "identity": lambda graph, z: z,
}
