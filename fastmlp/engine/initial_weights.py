"""Initial weights: by our own generator for a seed (the same bits everywhere), or by a NumPy generator's draws."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int
from fastmlp.reference import random
from fastmlp.spec import INITS, Spec

FEW = 4096  # weights of a layer: the reference draws them in some 30 ms, less than a kernel takes to compile


def check_seed(seed: Any) -> Any:
    """seed, if it is an int from 0 to 2^64 - 1 or a NumPy Generator or RandomState; else TypeError or ValueError."""
    if isinstance(seed, (np.random.Generator, np.random.RandomState)):
        return seed
    try:
        number = None if isinstance(seed, (bool, np.bool_)) else operator.index(seed)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"seed={shown(seed)} is not a seed: give a whole number, or a NumPy Generator or RandomState")
    if not 0 <= number < 2**64:
        raise ValueError(f"seed={shown(seed)} is out of range: give a whole number from 0 to 2**64 - 1")
    return number


def check_init(init: Any) -> Any:
    """init, if it is a name of INITS or a scale of 0 or more; else TypeError or ValueError."""
    if isinstance(init, str):
        if init not in INITS:
            raise ValueError(f"init={shown(init)} is not known: use {either(INITS)}, or a scale like 0.1")
        return init
    if isinstance(init, (bool, np.bool_)) or not isinstance(init, (int, float, np.integer, np.floating)):
        raise TypeError(f"init={shown(init)} is neither a name nor a scale: use a name like {INITS[0]!r}, or a number")
    try:
        scale = float(init)
    except OverflowError:
        scale = np.inf
    if not 0 <= scale < np.inf:
        raise ValueError(f"init={shown(init)} is not a scale: give 0 or a positive number that a float can hold")
    return scale


def initial_parameters(spec: Spec, init: Any, seed: Any, backend: str) -> np.ndarray:
    """The flat parameter vector of an untrained network: weights drawn layer by layer in float64, biases zero."""
    try:
        parameters = np.zeros(spec.parameters, spec.dtype)
    except MemoryError:
        size = spec.parameters * np.dtype(spec.dtype).itemsize / 1e9
        raise MemoryError(f"layers={list(spec.layers)} needs {size:.3g} GB for its parameters alone") from None
    with np.errstate(over="ignore"):
        for layer, ((w, _), (fan_in, fan_out)) in enumerate(zip(spec.views(parameters), spec.shapes, strict=True)):
            w[:] = _drawn(seed, layer, fan_in, fan_out, init, backend)
    if not np.isfinite(parameters).all():
        raise ValueError(f"init={init!r} gives weights beyond the range of {spec.dtype}: use a smaller scale")
    return parameters


def _drawn(seed: Any, layer: int, fan_in: int, fan_out: int, init: Any, backend: str) -> np.ndarray:
    if isinstance(seed, int):
        if backend == "numba" and fan_in * fan_out > FEW:
            return _by_kernels(seed, layer, fan_in, fan_out, init)
        return random.initial_weights(seed, layer, fan_in, fan_out, init)
    size = random.deviation(init, fan_in, fan_out)
    if isinstance(init, str) and init.endswith("_uniform"):
        return seed.uniform(-size, size, (fan_in, fan_out))
    return seed.standard_normal((fan_in, fan_out)) * size + 0.0


def _by_kernels(seed: int, layer: int, fan_in: int, fan_out: int, init: Any) -> np.ndarray:
    """`random.initial_weights`, bit for bit."""
    count = fan_in * fan_out
    x = np.zeros(count + 16)  # kernels write whole registers
    words = np.array(seed, np.uint64).view(np.int64).item()
    draw = registry.function("random.uniform", "float64", (Int, Int, Int, Int, Floats))
    draw(words, random.WEIGHTS, layer, count, x.ctypes.data)
    size = random.deviation(init, fan_in, fan_out)
    if isinstance(init, str) and init.endswith("_uniform"):
        x = (x + x - 1.0) * size
    else:
        registry.function("random.normal_quantile", "float64", (Floats, Int))(x.ctypes.data, count)
        x = x * size
    return x[:count].reshape(fan_in, fan_out) + 0.0
