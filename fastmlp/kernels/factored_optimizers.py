"""Updates of the flat parameter vector with a rate for each parameter: as `optimizers.py`, of the same definitions.

Behind the vectors of state that a kernel writes lie the rate factors, and rate * factor is in the place of the rate.
Adam's update has one vector more: 1, or 0 where a parameter's decay is spared (`reference.with_factors`).
"""

from fastmlp.kernels.memory import advance, load, padded_size, store
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.simd import equal, fill, fma, lanes, negative, select, sqrt
from fastmlp.reference import optimizers as reference


@kernel(reference.gradient_descent)
def gradient_descent(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """p = p - (learning_rate factor) (scale total). Writes p, whole registers of it. state: factors."""
    rate = negative(fill(p, step[0]))
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        store(p, i, fma(rate * load(state, i), load(total, i) * factor, load(p, i)))


@kernel(reference.momentum)
def momentum(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = momentum v + g; p = p - (learning_rate factor) v. Writes p and v, whole registers of each.

    state: v, factors.
    """
    factors = advance(state, padded_size(p, count))
    rate = negative(fill(p, step[0]))
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        v = fma(keep, load(state, i), load(total, i) * factor)
        store(state, i, v)
        store(p, i, fma(rate * load(factors, i), v, load(p, i)))


@kernel(reference.nesterov)
def nesterov(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = momentum v + g; p = p - (learning_rate factor) (momentum v + g). Writes p and v, whole registers of each.

    state: v, factors.
    """
    factors = advance(state, padded_size(p, count))
    rate = negative(fill(p, step[0]))
    keep = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        v = fma(keep, load(state, i), g)
        store(state, i, v)
        store(p, i, fma(rate * load(factors, i), fma(keep, v, g), load(p, i)))


@kernel(reference.adam)
def adam(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """As `optimizers.adam`, with step_size factor in the place of step_size, and p * 1 where the decay is spared.

    Writes p, m and v, whole registers of each. state: m, v, factors, decays.
    """
    size = padded_size(p, count)
    second, factors, decays = advance(state, size), advance(state, 2 * size), advance(state, 3 * size)
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
        kept = load(p, i) * select(equal(load(decays, i), 0), 1, decay)
        store(p, i, fma(minus_step_size * load(factors, i), m / fma(sqrt(v), correction, epsilon), kept))


@kernel(reference.rmsprop)
def rmsprop(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = decay v + rest g^2; p = p - (learning_rate factor) g / (sqrt(v) + epsilon).

    Writes p and v, whole registers of each. state: v, factors.
    """
    factors = advance(state, padded_size(p, count))
    rate = negative(fill(p, step[0]))
    decay, rest, epsilon = fill(p, settings[0]), fill(p, settings[1]), fill(p, settings[2])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        v = fma(decay, load(state, i), rest * (g * g))
        store(state, i, v)
        store(p, i, fma(rate * load(factors, i), g / (sqrt(v) + epsilon), load(p, i)))


@kernel(reference.rmsprop_momentum)
def rmsprop_momentum(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """v = decay v + rest g^2; u = momentum u + g / (sqrt(v) + epsilon); p = p - (learning_rate factor) u.

    Writes p, v and u, whole registers of each. state: v, u, factors.
    """
    size = padded_size(p, count)
    second, factors = advance(state, size), advance(state, 2 * size)
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
        store(p, i, fma(rate * load(factors, i), u, load(p, i)))


@kernel(reference.adagrad)
def adagrad(p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, count: Int):
    """s = s + g^2; p = p - (learning_rate factor) g / (sqrt(s) + epsilon).

    Writes p and s, whole registers of each. state: s, factors.
    """
    factors = advance(state, padded_size(p, count))
    rate = negative(fill(p, step[0]))
    epsilon = fill(p, settings[0])
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        g = load(total, i) * factor
        s = fma(g, g, load(state, i))
        store(state, i, s)
        store(p, i, fma(rate * load(factors, i), g / (sqrt(s) + epsilon), load(p, i)))
