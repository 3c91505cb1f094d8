"""Initial weights: by our own generator for a seed (the same bits everywhere), or by a NumPy generator's draws."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.checks.scalars import flag
from fastmlp.kernels import registry
from fastmlp.kernels.plan import NORMAL_BLOCK
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.reference import random
from fastmlp.reference.arithmetic import LINE
from fastmlp.spec import INITS, Spec, init_name

FEW = 4096  # weights of a layer: the reference draws them in some 30 ms, less than a kernel takes to compile
SEVERAL = 4  # networks that the reference has drawn before a kernel for smaller layers is loaded, in the background
_ARGUMENTS = {
    "random.uniform": (Int, Int, Int, Int, Floats),
    "random.normal": (Int, Int, Int, Int, Floats, Floats, Ints),
}
_without: dict[str, int] = {}  # how often the reference has drawn for want of the kernel


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
    """init as a name of INITS or a scale of 0 or more; else TypeError or ValueError."""
    if isinstance(init, str):
        return init if init in INITS else init_name(init)
    if isinstance(init, (bool, np.bool_)) or not isinstance(init, (int, float, np.integer, np.floating)):
        raise TypeError(f"init={shown(init)} is neither a name nor a scale: use a name like {INITS[0]!r}, or a number")
    return _scale(init, "init")


def check_start(bias_init: Any, zero_last: Any) -> tuple[float, bool]:
    """Both, if bias_init is a scale of 0 or more and zero_last True or False; else TypeError or ValueError."""
    if isinstance(bias_init, (bool, np.bool_)) or not isinstance(bias_init, (int, float, np.integer, np.floating)):
        raise TypeError(f"bias_init={shown(bias_init)} is not a scale: give a number, like 0 or 1")
    return _scale(bias_init, "bias_init"), flag(zero_last, "zero_last")


def _scale(value: Any, name: str) -> float:
    try:
        scale = float(value)
    except OverflowError:
        scale = np.inf
    if not 0 <= scale < np.inf:
        raise ValueError(f"{name}={shown(value)} is not a scale: give 0 or a positive number that a float can hold")
    return scale


def initial_parameters(
    spec: Spec, init: Any, seed: Any, backend: str, bias_init: float = 0.0, zero_last: bool = False
) -> np.ndarray:
    """The flat parameter vector of an untrained network: weights drawn layer by layer in float64, then biases.

    bias_init: the standard deviation of biases; they are zero where it is 0. zero_last: whether all of the last layer
    is zero, whatever was drawn. An input scale is 1.
    """
    kernel = _kernel(init)
    try:
        if type(seed) is int and backend == "numba" and (_linked(kernel) or _pays(spec)):
            parameters = _by_kernels(spec, seed, init, kernel)
        else:
            parameters = _by_numpy(spec, seed, init)
    except MemoryError:
        size = spec.parameters * np.dtype(spec.dtype).itemsize / 1e9
        raise MemoryError(f"layers={list(spec.layers)} needs {size:.3g} GB for its parameters alone") from None
    if spec.input_scale:
        spec.scale_of(parameters)[:] = 1  # first: kernels leave it as it was in memory
    if not isinstance(init, str) and not np.isfinite(parameters).all():  # the others are of 0.01 to 10
        raise ValueError(f"init={init!r} gives weights beyond the range of {spec.dtype}: use a smaller scale")
    if bias_init:
        with np.errstate(over="ignore"):
            for layer, (_, b) in enumerate(spec.views(parameters)):
                b[:] = _drawn_biases(seed, layer, len(b), bias_init)
        if not np.isfinite(parameters).all():
            raise ValueError(
                f"bias_init={bias_init!r} gives biases beyond the range of {spec.dtype}: use a smaller one"
            )
    if zero_last:
        parameters[spec.offsets[-1] : spec.layer_parameters] = 0
    return parameters


def get_ready(init: Any) -> None:
    """Loads the kernel that draws these weights, be it compiled now: for many networks, to which it pays."""
    registry.function(_kernel(init), "float64", _ARGUMENTS[_kernel(init)])


def _kernel(init: Any) -> str:
    return "random.uniform" if isinstance(init, str) and init.endswith("_uniform") else "random.normal"


def _linked(kernel: str) -> bool:
    """Whether the kernel is there. Where the reference has drawn SEVERAL times without it, it begins to be loaded."""
    if registry.is_linked(kernel, "float64"):
        return True
    _without[kernel] = _without.get(kernel, 0) + 1
    if _without[kernel] >= SEVERAL:
        registry.begin(kernel, "float64")
    return False


def _pays(spec: Spec) -> bool:
    """Whether a network is so large that the reference takes longer than loading the kernel."""
    return any(fan_in * fan_out > FEW for fan_in, fan_out in spec.shapes)


def _by_numpy(spec: Spec, seed: Any, init: Any) -> np.ndarray:
    """By the reference, or by the draws of a NumPy generator."""
    parameters = np.zeros(spec.parameters, spec.dtype)
    with np.errstate(over="ignore"):
        for layer, ((w, _), (fan_in, fan_out)) in enumerate(zip(spec.views(parameters), spec.shapes, strict=True)):
            w[:] = _drawn(seed, layer, fan_in, fan_out, init)
    return parameters


def _drawn(seed: Any, layer: int, fan_in: int, fan_out: int, init: Any) -> np.ndarray:
    if isinstance(seed, int):
        return random.initial_weights(seed, layer, fan_in, fan_out, init)
    size = random.deviation(init, fan_in, fan_out)
    if isinstance(init, str) and init.endswith("_uniform"):
        return seed.uniform(-size, size, (fan_in, fan_out))
    return seed.standard_normal((fan_in, fan_out)) * size + 0.0


def _drawn_biases(seed: Any, layer: int, count: int, deviation: float) -> np.ndarray:
    if isinstance(seed, int):
        return random.initial_biases(seed, layer, count, deviation)
    return seed.standard_normal(count) * deviation + 0.0


def _by_kernels(spec: Spec, seed: int, init: Any, kernel: str) -> np.ndarray:
    """By a kernel, with the bits of `random.initial_weights`."""
    draw = registry.function(kernel, "float64", _ARGUMENTS[kernel])
    uniform, count, of_scale = kernel == "random.uniform", spec.parameters, not isinstance(init, str)
    x = np.empty(count + LINE)  # kernels write whole registers
    address, others = x.ctypes.data, tuple[int, ...]()
    if not uniform:
        tails = np.empty(2 * (NORMAL_BLOCK + LINE))
        others = tails.ctypes.data, tails.ctypes.data + tails.nbytes // 2
    number, start = seed - 2**64 if seed >> 63 else seed, 0  # in 64 bits with a sign
    with np.errstate(over="ignore"):
        for layer, (fan_in, fan_out) in enumerate(spec.shapes):
            end = start + fan_in * fan_out
            draw(number, random.WEIGHTS, layer, end - start, address + 8 * start, *others)
            w = x[start:end]
            if uniform:
                w += w
                w -= 1.0
            w *= random.deviation(init, fan_in, fan_out)
            if of_scale:
                w += 0.0  # a scale of 0 leaves no -0
            start = end + fan_out
            x[end:start] = 0
        return x[:count] if spec.dtype == "float64" else x[:count].astype(spec.dtype)
