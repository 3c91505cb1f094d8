"""What each kernel whose lanes are models has to give: the definition of one model, model by model.

Arrays are [...][model]. The rows in `lanes_kernels.py` and the tests of these kernels compare with this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.reference import activations, dense, losses, optimizers, random
from fastmlp.reference import train as reference

Arrays = tuple[np.ndarray, ...]


def by_models(definition: Callable[..., Any], *arrays: np.ndarray) -> Arrays:
    """What a definition makes of each model's part of the arrays: the same arrays of all models."""
    found = [definition(*(array[..., m] for array in arrays)) for m in range(arrays[0].shape[-1])]
    made = [one if isinstance(one, tuple) else (one,) for one in found]
    return tuple(np.stack(of_all, axis=-1) for of_all in zip(*made, strict=True))


def forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, relu: int) -> Arrays:
    """A layer's outputs."""

    def one(*layer: np.ndarray) -> Any:
        z = dense.dense_forward(*layer)
        return activations.relu_forward(z) if relu else z

    return by_models(one, x, w, b)


def backward_input(dz: np.ndarray, w: np.ndarray, a: np.ndarray | None, slope: np.ndarray | None) -> Arrays:
    """The deltas of the layer below, whose outputs were a, of a relu; or have a slope; or neither."""
    (da,) = by_models(dense.dense_backward_input, dz, w)
    if a is not None:
        return (activations.relu_backward(a, da),)
    return (da if slope is None else activations.multiply(da, slope),)


def sums(x: np.ndarray, dz: np.ndarray) -> Arrays:
    """The gradient of weights, and that of the biases behind it."""

    def one(x: np.ndarray, dz: np.ndarray) -> np.ndarray:
        dw, db = dense.dense_backward_weights(x, dz)
        return np.vstack([dw, db[None]])

    return by_models(one, x, dz)


def descended(was: np.ndarray, x: np.ndarray, dz: np.ndarray, rates: np.ndarray, scale: Any) -> Arrays:
    """What becomes of weights and biases by these sums. rates: [model]."""
    return by_models(lambda p, g, rate: optimizers.gradient_descent(p, g, scale, rate), was, *sums(x, dz), rates)


def orders(rows: np.ndarray, seeds: np.ndarray, epochs: np.ndarray) -> Arrays:
    """rows [place][model], shuffled."""

    def one(own: np.ndarray, seed: Any, epoch: Any) -> np.ndarray:
        return own[random.permutation(int(seed) % 2**64, int(epoch), len(own))]

    return by_models(one, rows, seeds, epochs)


def updated(
    name: str, p: np.ndarray, total: np.ndarray, state: np.ndarray, step: np.ndarray, settings: np.ndarray, scale: Any
) -> Arrays:
    """The parameters and vectors of state after an optimizer's update. step, settings: [number][model]."""
    update = getattr(optimizers, name)

    def one(p: Any, total: Any, state: Any, step: Any, settings: Any) -> Any:
        return update(p, total, scale, *state, *step, *settings)

    with np.errstate(all="ignore"):
        return by_models(one, p, total, state, step, settings)


def penalized(spec: Any, parameters: np.ndarray, total: np.ndarray, scale: Any, l2: float, l1: float) -> Arrays:
    """The sums times scale, and the penalties' slopes."""
    kind = parameters.dtype.type

    def one(own: np.ndarray, total: np.ndarray) -> Any:
        return reference.prepare(spec, own, total, scale, l2=kind(l2), l1=kind(l1))

    return by_models(one, parameters, total)


def row_losses(name: str, z: np.ndarray, y: np.ndarray) -> Arrays:
    """dz (J, N), the rows' losses and whether they are right, of logits (J, N) and targets (N,) or (J, N).

    A loss of -0 is +0, as it is after it was added to a sum.
    """
    dz, values, right = getattr(losses, name)(np.ascontiguousarray(z.T), np.ascontiguousarray(y.T))
    return np.ascontiguousarray(dz.T), values + np.zeros(1, z.dtype), right.astype(z.dtype)
