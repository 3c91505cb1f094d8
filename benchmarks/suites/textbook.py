"""The textbook's formulas in NumPy, with temporaries: what a kernel's time is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# ---------------------------------------------------------------------------------------------------------
# activations.py: what is above, and its slope


def logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def numpy_elu(z: np.ndarray, scale: float = 1.0, alpha: float = 1.0) -> tuple[np.ndarray, ...]:
    curve = scale * alpha * np.expm1(np.minimum(z, 0))
    return np.where(z < 0, curve, scale * z), np.where(z < 0, curve + scale * alpha, z.dtype.type(scale))


def numpy_mish(z: np.ndarray) -> tuple[np.ndarray, ...]:
    t = np.tanh(np.logaddexp(0, z))
    return z * t, t + z * (1 - t * t) * logistic(z)


def numpy_silu(z: np.ndarray) -> tuple[np.ndarray, ...]:
    s = logistic(z)
    a = z * s
    return a, s + a * (1 - s)


def numpy_gelu(z: np.ndarray) -> tuple[np.ndarray, ...]:
    c = 0.7978845608028654
    t = np.tanh(c * (z + 0.044715 * z * z * z))
    return z * (1 + t) / 2, (1 + t) / 2 + z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z) / 2


def numpy_sigmoid(z: np.ndarray) -> tuple[np.ndarray, ...]:
    a = logistic(z)
    return a, a * (1 - a)


def numpy_tanh(z: np.ndarray) -> tuple[np.ndarray, ...]:
    a = np.tanh(z)
    return a, 1 - a * a


NUMPY_ACTIVATIONS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, ...]] | None] = {
    "leaky_relu": lambda z: (np.where(z < 0, z / 100, z), np.where(z < 0, z.dtype.type(0.01), z.dtype.type(1))),
    "elu": numpy_elu,
    "selu": lambda z: numpy_elu(z, 1.0507009873554805, 1.6732632423543772),
    "sigmoid": numpy_sigmoid,
    "tanh": numpy_tanh,
    "softplus": lambda z: (np.logaddexp(0, z), logistic(z)),
    "silu": numpy_silu,
    "mish": numpy_mish,
    "gelu": numpy_gelu,
    "gelu_erf": None,
}


# ---------------------------------------------------------------------------------------------------------
# losses.py: dz; they make the rows' losses, too


def numpy_softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def numpy_cross_entropy(z: np.ndarray, y: np.ndarray, smoothing: float = 0.0) -> tuple[np.ndarray]:
    p = numpy_softmax(z)
    wanted = np.where(np.arange(z.shape[1]) == y[:, None], z.dtype.type(1 - smoothing), z.dtype.type(0))
    wanted += z.dtype.type(smoothing / z.shape[1])
    np.sum(-wanted * np.log(p), axis=1)
    return (p - wanted,)


def numpy_bounded_cross_entropy(z: np.ndarray, y: np.ndarray, least: float) -> tuple[np.ndarray]:
    p = numpy_softmax(z)
    wanted = np.where(np.arange(z.shape[1]) == y[:, None], z.dtype.type(1), z.dtype.type(0))
    np.sum(-wanted * np.log(np.clip(p, least, 1 - least)), axis=1)
    return (p - wanted,)


def numpy_binary(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray]:
    np.sum(np.logaddexp(0, z) - z * y, axis=1)
    return (logistic(z) - y,)


def numpy_bounded_binary(z: np.ndarray, y: np.ndarray, least: float) -> tuple[np.ndarray]:
    p = logistic(z)
    held = np.clip(p, least, 1 - least)
    np.sum(-y * np.log(held) - (1 - y) * np.log(1 - held), axis=1)
    return (p - y,)


def numpy_soft_cross_entropy(z: np.ndarray, y: np.ndarray, smoothing: float) -> tuple[np.ndarray]:
    t = y * z.dtype.type(1 - smoothing) + z.dtype.type(smoothing / z.shape[1])
    below = z - z.max(axis=1)[:, None]
    e = np.exp(below)
    s = e.sum(axis=1)
    np.log(s) - np.sum(t * below, axis=1)
    return (e / s[:, None] - t,)


def numpy_sigmoid_squared(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray]:
    p = logistic(z)
    error = p - y
    np.sum(error * error, axis=1)
    return (error * p * (1 - p),)


def numpy_squared(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray]:
    error = z - y
    np.sum(error * error, axis=1)
    return (error,)


def numpy_absolute(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray]:
    error = z - y
    np.sum(np.abs(error), axis=1)
    return (np.sign(error),)


def numpy_huber(z: np.ndarray, y: np.ndarray, delta: float) -> tuple[np.ndarray]:
    error = z - y
    c = np.clip(error, -delta, delta)
    np.sum(c * (error - c / 2), axis=1)
    return (c,)


def numpy_quantile(z: np.ndarray, y: np.ndarray, q: float) -> tuple[np.ndarray]:
    error = z - y
    dz = np.where(error > 0, z.dtype.type(1 - q), np.where(error < 0, z.dtype.type(-q), error))
    np.sum(dz * error, axis=1)
    return (dz,)


def numpy_poisson(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray]:
    mean = np.exp(z)
    np.sum(mean - y * z, axis=1)
    return (mean - y,)


NUMPY_LOSSES: dict[str, tuple[Callable[..., tuple[np.ndarray]], dict[str, float]]] = {
    "softmax_cross_entropy": (numpy_cross_entropy, {}),
    "softmax_smooth_cross_entropy": (numpy_cross_entropy, {"smoothing": 0.1}),
    "softmax_soft_cross_entropy": (numpy_soft_cross_entropy, {"smoothing": 0.1}),
    "softmax_bounded_cross_entropy": (numpy_bounded_cross_entropy, {"least": 1e-3}),
    "sigmoid_bounded_binary_cross_entropy": (numpy_bounded_binary, {"least": 1e-3}),
    "sigmoid_binary_cross_entropy": (numpy_binary, {}),
    "sigmoid_squared_error": (numpy_sigmoid_squared, {}),
    "identity_squared_error": (numpy_squared, {}),
    "identity_absolute_error": (numpy_absolute, {}),
    "identity_huber": (numpy_huber, {"delta": 1.0}),
    "identity_quantile": (numpy_quantile, {"q": 0.9}),
    "exponential_poisson": (numpy_poisson, {}),
}


# ---------------------------------------------------------------------------------------------------------
# optimizers.py


def numpy_momentum(p: Any, g: Any, v: Any, rate: float, momentum: float) -> tuple[np.ndarray, ...]:
    v = momentum * v + g
    return p - rate * v, v


def numpy_nesterov(p: Any, g: Any, v: Any, rate: float, momentum: float) -> tuple[np.ndarray, ...]:
    v = momentum * v + g
    return p - rate * (momentum * v + g), v


def numpy_classical_momentum(p: Any, g: Any, v: Any, rate: float, momentum: float) -> tuple[np.ndarray, ...]:
    v = momentum * v - rate * g
    return p + v, v


def numpy_classical_nesterov(p: Any, g: Any, v: Any, rate: float, momentum: float) -> tuple[np.ndarray, ...]:
    v = momentum * v - rate * g
    return p + (momentum * v - rate * g), v


def numpy_adam(
    p: Any, g: Any, m: Any, v: Any, size: float, correction: float, decay: float, b1: float, r1: float, b2: float,
    r2: float, epsilon: float,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    m = b1 * m + r1 * g
    v = b2 * v + r2 * (g * g)
    return p * decay - size * m / (correction * np.sqrt(v) + epsilon), m, v


def numpy_rmsprop(
    p: Any, g: Any, v: Any, rate: float, decay: float, rest: float, epsilon: float
) -> tuple[np.ndarray, ...]:
    v = decay * v + rest * (g * g)
    return p - rate * g / (np.sqrt(v) + epsilon), v


def numpy_rmsprop_momentum(
    p: Any, g: Any, v: Any, u: Any, rate: float, decay: float, rest: float, epsilon: float, momentum: float
) -> tuple[np.ndarray, ...]:
    v = decay * v + rest * (g * g)
    u = momentum * u + g / (np.sqrt(v) + epsilon)
    return p - rate * u, v, u


def numpy_adagrad(p: Any, g: Any, s: Any, rate: float, epsilon: float) -> tuple[np.ndarray, ...]:
    s = s + g * g
    return p - rate * g / (np.sqrt(s) + epsilon), s


# name: (vectors of state, this update's numbers, those of all updates, NumPy's)
UPDATES: dict[str, tuple[int, list[float], list[float], Callable[..., tuple[np.ndarray, ...]]]] = {
    "momentum": (1, [1e-3], [0.9], numpy_momentum),
    "nesterov": (1, [1e-3], [0.9], numpy_nesterov),
    "classical_momentum": (1, [1e-3], [0.9], numpy_classical_momentum),
    "classical_nesterov": (1, [1e-3], [0.9], numpy_classical_nesterov),
    "adam": (2, [1e-3, 1.001, 1.0], [0.9, 0.1, 0.999, 1e-3, 1e-8], numpy_adam),
    "rmsprop": (1, [1e-3], [0.99, 0.01, 1e-8], numpy_rmsprop),
    "rmsprop_momentum": (2, [1e-3], [0.99, 0.01, 1e-8, 0.9], numpy_rmsprop_momentum),
    "adagrad": (1, [1e-3], [1e-10], numpy_adagrad),
}
