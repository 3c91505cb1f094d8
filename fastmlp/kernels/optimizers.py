"""Updates of the flat parameter vector, in place: the twin of `fastmlp/reference/optimizers.py`.

state holds the vectors of the reference's signature, `padded_size` numbers apart; step and settings hold its numbers:
those of this update, and those of all.
"""

from fastmlp.kernels.memory import advance, load, padded_size, store
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.simd import fill, fma, lanes, negative, sqrt
from fastmlp.reference import optimizers as reference


@kernel(reference.gradient_descent)
def gradient_descent(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    """p = p - learning_rate (scale total). Writes p, whole registers of it."""
    step = negative(fill(p, learning_rate))
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        store(p, i, fma(step, load(total, i) * factor, load(p, i)))


@kernel(reference.momentum)
def momentum(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = momentum v + g; p = p - learning_rate v. Writes p and v, whole registers of each."""
    rate = negative(fill(p, step[0]))
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        v = fma(keep, load(state, i), load(total, i) * factor)
        store(state, i, v)
        store(p, i, fma(rate, v, load(p, i)))


@kernel(reference.nesterov)
def nesterov(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = momentum v + g; p = p - learning_rate (momentum v + g). Writes p and v, whole registers of each."""
    rate = negative(fill(p, step[0]))
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        v = fma(keep, load(state, i), g)
        store(state, i, v)
        store(p, i, fma(rate, fma(keep, v, g), load(p, i)))


@kernel(reference.classical_momentum)
def classical_momentum(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int
):
    """v = momentum v - learning_rate g; p = p + v. Writes p and v, whole registers of each."""
    rate = fill(p, step[0])
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        v = fma(keep, load(state, i), negative(rate * (load(total, i) * factor)))
        store(state, i, v)
        store(p, i, load(p, i) + v)


@kernel(reference.classical_nesterov)
def classical_nesterov(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int
):
    """v = momentum v - learning_rate g; p = p + (momentum v - learning_rate g). Writes p and v, whole registers."""
    rate = fill(p, step[0])
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        own = negative(rate * (load(total, i) * factor))
        v = fma(keep, load(state, i), own)
        store(state, i, v)
        store(p, i, load(p, i) + fma(keep, v, own))


@kernel(reference.adam)
def adam(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """m = beta_1 m + rest_1 g; v = beta_2 v + rest_2 g^2; p = decay p - step_size m / (correction sqrt(v) + epsilon).

    step: step_size, correction and decay, made in float64 by `reference.adam_steps`. Writes p, m and v, whole
    registers of each.
    """
    second = advance(state, padded_size(p, count))
    minus_step_size, correction, decay = negative(fill(p, step[0])), fill(p, step[1]), fill(p, step[2])
    beta_1, rest_1 = fill(p, settings[0]), fill(p, settings[1])
    beta_2, rest_2, epsilon = fill(p, settings[2]), fill(p, settings[3]), fill(p, settings[4])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        m = fma(beta_1, load(state, i), rest_1 * g)
        v = fma(beta_2, load(second, i), rest_2 * (g * g))
        store(state, i, m)
        store(second, i, v)
        store(p, i, fma(minus_step_size, m / fma(sqrt(v), correction, epsilon), load(p, i) * decay))


@kernel(reference.rmsprop)
def rmsprop(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = decay v + rest g^2; p = p - learning_rate g / (sqrt(v) + epsilon).

    Writes p and v, whole registers of each.
    """
    rate = negative(fill(p, step[0]))
    decay, rest, epsilon = fill(p, settings[0]), fill(p, settings[1]), fill(p, settings[2])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        v = fma(decay, load(state, i), rest * (g * g))
        store(state, i, v)
        store(p, i, fma(rate, g / (sqrt(v) + epsilon), load(p, i)))


@kernel(reference.rmsprop_momentum)
def rmsprop_momentum(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = decay v + rest g^2; u = momentum u + g / (sqrt(v) + epsilon); p = p - learning_rate u.

    Writes p, v and u, whole registers of each.
    """
    second = advance(state, padded_size(p, count))
    rate = negative(fill(p, step[0]))
    decay, rest, epsilon = fill(p, settings[0]), fill(p, settings[1]), fill(p, settings[2])
    keep = fill(p, settings[3])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        v = fma(decay, load(state, i), rest * (g * g))
        u = fma(keep, load(second, i), g / (sqrt(v) + epsilon))
        store(state, i, v)
        store(second, i, u)
        store(p, i, fma(rate, u, load(p, i)))


@kernel(reference.adagrad)
def adagrad(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """s = s + g^2; p = p - learning_rate g / (sqrt(s) + epsilon).

    Writes p and s, whole registers of each.
    """
    rate = negative(fill(p, step[0]))
    epsilon = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        s = fma(g, g, load(state, i))
        store(state, i, s)
        store(p, i, fma(rate, g / (sqrt(s) + epsilon), load(p, i)))
