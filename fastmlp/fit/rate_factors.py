"""What `fit(rate_factors=...)` means for a network and its optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.checks import scalars
from fastmlp.checks.messages import either, shown
from fastmlp.checks.rounding import check_rounded
from fastmlp.optimizers import SGD, Optimizer
from fastmlp.spec import Spec
from fastmlp.training import RateFactors

KINDS = ("weight", "bias", "input_scale")
NTK = "ntk"


def checked(given: Any, spec: Spec, optimizer: Optimizer) -> RateFactors | None:
    """The factors of each layer, None where all are 1. Raises TypeError or ValueError naming the argument."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise TypeError(f'rate_factors={shown(given)} is not a dict: give one like {{"bias": 0.1, "input_scale": 6}}')
    for name in given:
        if not isinstance(name, str) or name not in KINDS:
            raise ValueError(f"rate_factors has {shown(name)}, which no parameter is: use {either(KINDS)}")
    if "input_scale" in given and not spec.input_scale:
        raise ValueError(
            "rate_factors has input_scale, and the model has none: make it with input_scale=True, or leave it out"
        )
    weight = given.get("weight", 1.0)
    if isinstance(weight, str):
        if weight != NTK:
            raise ValueError(f'rate_factors["weight"]={shown(weight)} is not known: use a number or "{NTK}"')
        power = 1.0 if isinstance(optimizer, SGD) else 0.5
        weights = tuple(float(1 / np.float64(inputs) ** power) for inputs, _ in spec.shapes)
    else:
        weights = _of_layers(weight, "weight", spec)
    biases = _of_layers(given.get("bias", 1.0), "bias", spec)
    found = RateFactors(weights, biases, _factor(given.get("input_scale", 1.0), 'rate_factors["input_scale"]', spec))
    different = {*found.weight, *found.bias, *([found.input_scale] if spec.input_scale else [])}
    if different == {0.0}:
        raise ValueError("rate_factors are all 0, so that nothing would be trained: give another one")
    return None if different == {1.0} else found


def _of_layers(value: Any, name: str, spec: Spec) -> tuple[float, ...]:
    """A factor for each layer."""
    layers, name = len(spec.shapes), f'rate_factors["{name}"]'
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        if len(value) != layers:
            raise ValueError(
                f"{name} is a list of {len(value)}, and layers={list(spec.layers)} makes {layers} layers: give a "
                "factor for each, or one number for all"
            )
        return tuple(_factor(one, f"{name}[{layer}]", spec) for layer, one in enumerate(value))
    return (_factor(value, name, spec),) * layers


def _factor(value: Any, name: str, spec: Spec) -> float:
    number = scalars.finite_float(value, name)
    if number < 0:
        raise ValueError(f"{name}={shown(value)} is negative, which would go up the slope: give 0 or more")
    if number:
        check_rounded(number, name, spec.dtype)
    return number
