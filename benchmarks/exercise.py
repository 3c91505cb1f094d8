"""The classroom exercise as a NumPy script would have it: XOR, 2-8-8-2, relu and softmax, gradient descent.

These are the textbook's formulas with `@`, `np.exp` and temporaries. The kernels' speed is compared with them.
"""

import itertools

import numpy as np


def data(rows=2000, dtype="float64"):
    """The four cases of XOR, tiled. -> X (rows, 2), labels (rows,)."""
    x = np.tile(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype), (rows // 4, 1))
    return x, np.tile([0, 1, 1, 0], rows // 4)


def initial(layers=(2, 8, 8, 2), dtype="float64"):
    """[(w, b), ...] from the exercise's draws: RandomState(42), randn sqrt(2 / fan_in), layer by layer."""
    draws = np.random.RandomState(42)
    shapes = itertools.pairwise(layers)
    return [((draws.randn(k, j) * np.sqrt(2.0 / k)).astype(dtype), np.zeros((1, j), dtype)) for k, j in shapes]


def epoch(weights, x, one_hot, learning_rate):
    """One epoch of full-batch gradient descent, in place. -> the loss before it."""
    activations = [x]
    for w, b in weights[:-1]:
        activations.append(np.maximum(0, activations[-1] @ w + b))
    w, b = weights[-1]
    z = activations[-1] @ w + b
    z = z - np.max(z, axis=1, keepdims=True)
    e = np.exp(z)
    p = e / np.sum(e, axis=1, keepdims=True)
    loss = -np.mean(np.sum(one_hot * np.log(p + 1e-9), axis=1))
    dz = (p - one_hot) / len(x)
    for layer in reversed(range(len(weights))):
        w, b = weights[layer]
        a = activations[layer]
        dw, db = a.T @ dz, np.sum(dz, axis=0, keepdims=True)
        if layer:
            dz = (dz @ w.T) * (a > 0)
        w -= w.dtype.type(learning_rate) * dw
        b -= w.dtype.type(learning_rate) * db
    return loss
