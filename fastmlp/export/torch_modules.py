"""A network as a module of PyTorch, and of one. Imports PyTorch; `foreign.torch_modules` imports this file.

PyTorch has a layer's weights as (J, K), and fastmlp has them as (K, J).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import nn

from fastmlp.checks.messages import shown
from fastmlp.core.preprocess import ScalePair
from fastmlp.export.weights import folded
from fastmlp.spec import Spec

Layers = list[tuple[np.ndarray, np.ndarray]]  # (w (K, J), b (J,)) of each

TO: dict[str, Any] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "gelu_erf": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "identity": nn.Identity,
}


DROPOUT = (nn.Dropout, nn.AlphaDropout)


class Exp(nn.Module):
    """e^z, the output "exponential"."""

    def forward(self, z: Any) -> Any:
        return torch.exp(z)


class _Scale(nn.Module):
    """mean and deviation, which stay float64 when .float(), .double() or .to convert the module around it."""

    mean: Any
    deviation: Any

    def __init__(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float64))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        exact = self.mean, self.deviation
        super()._apply(fn, recurse)
        self.mean, self.deviation = exact[0].to(self.mean.device), exact[1].to(self.mean.device)
        return self


class Standardise(_Scale):
    """(x - mean) / deviation in float64, 0 where a deviation is 0, rounded to the network's dtype.

    That is the dtype of the buffer `like`, which follows .float() and .double() as the weights do.
    """

    like: Any

    def __init__(self, mean: np.ndarray, deviation: np.ndarray, dtype: Any) -> None:
        super().__init__(mean, deviation)
        self.register_buffer("like", torch.zeros((), dtype=dtype))

    def forward(self, x: Any) -> Any:
        varies = self.deviation > 0
        z = (x.to(torch.float64) - self.mean) / torch.where(varies, self.deviation, 1.0)
        return torch.where(varies, z, 0.0).to(self.like.dtype)


class Unstandardise(_Scale):
    """z * deviation + mean in float64, rounded to the network's dtype."""

    def forward(self, z: Any) -> Any:
        return (z.to(torch.float64) * self.deviation + self.mean).to(z.dtype)


def module_of(
    spec: Spec,
    parameters: np.ndarray,
    logits: bool,
    scale: ScalePair | None,
    target_scale: ScalePair | None,
) -> Any:
    """The nn.Sequential with copies of the weights. scale, target_scale: means and deviations, or None.

    Raises ValueError if a weight is not finite.
    """
    dtype = getattr(torch, spec.dtype)
    parameters, spec = folded(spec, parameters), spec.plain
    parts: list[Any] = [] if scale is None else [Standardise(*scale, dtype)]
    for (w, b), hidden in zip(spec.views(parameters), (*spec.hidden, None), strict=True):
        linear = nn.utils.skip_init(nn.Linear, *w.shape, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(w.T))
            linear.bias.copy_(torch.tensor(b))
        parts.append(linear)
        if hidden is not None:
            parts.append(TO[hidden]())
    if not logits:
        last = {"softmax": lambda: nn.Softmax(dim=-1), "sigmoid": nn.Sigmoid, "exponential": Exp}.get(spec.output)
        parts += [] if last is None else [last()]
        parts += [] if target_scale is None else [Unstandardise(*target_scale)]
    return nn.Sequential(*parts)


def network_of(module: Any) -> tuple[list[int], list[str], str | None, str, Layers]:
    """(layer sizes, hidden activations, the output or None where the last part is a layer, dtype, weights).

    Raises TypeError for what is no nn.Sequential of layers, and ValueError for one that fastmlp has no network for.
    """
    if type(module) is nn.Linear:
        module = nn.Sequential(module)
    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        raise TypeError(
            f"module is a {type(module).__name__}: give an nn.Sequential of nn.Linear and activations, since of other "
            "modules only their forward method says what they compute"
        )
    found = [part for part in _flat(module, "module") if type(part[1]) not in DROPOUT]
    linear = [place for place, (_, part) in enumerate(found) if type(part) is nn.Linear]
    if not linear:
        raise ValueError("module has no nn.Linear: give an nn.Sequential of nn.Linear and activations")
    if linear[0]:
        where, part = found[0]
        raise ValueError(f"{where} is {shown(part)}, before the first nn.Linear: fastmlp's networks begin with a layer")
    hidden = []
    for here, after in itertools.pairwise(linear):
        names = [(where, part, _activation(where, part)) for where, part in found[here + 1 : after]]
        real = [name for name in names if name[2] != "identity"]
        if len(real) > 1:
            raise ValueError(f"{real[1][0]} is {shown(real[1][1])}, after another activation: one a layer is known")
        hidden.append(real[0][2] if real else "identity")
    output = None
    for where, part in found[linear[-1] + 1 :]:
        if output is not None:
            raise ValueError(f"{where} is {shown(part)}, after the output: leave it out")
        output = _output(where, part)
    layers = [found[place] for place in linear]
    weights = [part for _, layer in layers for part in (layer.weight, layer.bias) if part is not None]
    dtypes = {str(part.dtype).removeprefix("torch.") for part in weights}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise ValueError(f"module's weights are {', '.join(sorted(dtypes))}: call module.float() or .double() first")
    sizes = [layers[0][1].in_features, *(layer.out_features for _, layer in layers)]
    for (where, layer), size in zip(layers, sizes[:-1], strict=True):
        if layer.in_features != size:
            raise ValueError(f"{where} takes {layer.in_features} inputs, and the layer before gives {size}")
    return sizes, hidden, output, dtypes.pop(), [_weights(layer) for _, layer in layers]


def _flat(module: Any, where: str) -> list[tuple[str, Any]]:
    """[(where it stands, a part)] of nested Sequentials. A part that stands in several places is in each."""
    _check_hooks(where, module)
    found = []
    for name, part in module._modules.items():
        inside, here = type(part) is nn.Sequential, f"{where}[{name}]"
        if not inside:
            _check_hooks(here, part)
        found += _flat(part, here) if inside else [(here, part)]
    return found


def _check_hooks(where: str, part: Any) -> None:
    """Raises ValueError for what changes a part's results, and is not seen in its class and weights."""
    if (
        any(getattr(part, name, None) for name in ("_forward_hooks", "_forward_pre_hooks", "parametrizations"))
        or "forward" in part.__dict__
    ):
        raise ValueError(
            f"{where} is {shown(part)} with a hook, a parametrization or a forward of its own, as weight_norm and "
            "spectral_norm add: remove it first, since it changes what the part computes"
        )


def _weights(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    w = layer.weight.detach().cpu().numpy().T
    return w, np.zeros(w.shape[1], w.dtype) if layer.bias is None else layer.bias.detach().cpu().numpy()


def _activation(where: str, part: Any) -> str:
    """Our name of a hidden activation."""
    kind = type(part).__name__ if type(part).__module__.startswith("torch.nn.") else ""
    settings = {
        "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
        "ELU": ("elu", {"alpha": 1.0}),
        "Softplus": ("softplus", {"beta": 1.0, "threshold": 20.0}),
    }
    if kind in settings:
        name, wanted = settings[kind]
        for setting, value in wanted.items():
            if getattr(part, setting) != value:
                raise ValueError(f"{where} is {shown(part)}, and fastmlp's {name} has {setting}={value:g}")
        return name
    if kind == "GELU":
        return "gelu" if part.approximate == "tanh" else "gelu_erf"
    plain = {
        "ReLU": "relu", "SELU": "selu", "Sigmoid": "sigmoid", "Tanh": "tanh", "SiLU": "silu", "Mish": "mish",
        "Identity": "identity",
    }  # fmt: skip
    if kind not in plain:
        raise ValueError(f"{where} is {shown(part)}, which fastmlp has no layer or activation for")
    return plain[kind]


def _output(where: str, part: Any) -> str | None:
    """Our name of an output; None for one that changes nothing."""
    if type(part) is nn.Softmax and part.dim in (-1, 1):
        return "softmax"
    if type(part) is nn.LogSoftmax:
        raise ValueError(
            f'{where} is {shown(part)}, and a Model gives probabilities: leave it out, with output="softmax"'
        )
    found = {nn.Sigmoid: "sigmoid", nn.Identity: None, Exp: "exponential"}
    if type(part) not in found:
        raise ValueError(
            f"{where} is {shown(part)}, and an output of fastmlp is nn.Softmax(dim=-1), nn.Sigmoid, or none: values"
        )
    return found[type(part)]
