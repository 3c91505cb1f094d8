"""Updates of a group of models: the formulas of `fastmlp/reference/optimizers.py`, with numbers of each model's own.

p, total and the state's vectors are [parameter][model], step and settings [number][model]. The state's vectors lie one
behind the other.
"""

from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels.memory import advance, load, pointer, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.simd import fill, fma, greater, lanes, less, negative, select, sqrt


@kernel(None)
def gradient_descent(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """p = p - learning_rate (scale total). Writes p. step: -learning_rate."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate = load(step, m)
        for i in range(m, count * models, models):
            store(p, i, fma(rate, load(total, i) * factor, load(p, i)))


@kernel(None)
def momentum(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = momentum v + g; p = p - learning_rate v. Writes p and v."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, keep = negative(load(step, m)), load(settings, m)
        for i in range(m, count * models, models):
            v = fma(keep, load(state, i), load(total, i) * factor)
            store(state, i, v)
            store(p, i, fma(rate, v, load(p, i)))


@kernel(None)
def nesterov(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = momentum v + g; p = p - learning_rate (momentum v + g). Writes p and v."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, keep = negative(load(step, m)), load(settings, m)
        for i in range(m, count * models, models):
            g = load(total, i) * factor
            v = fma(keep, load(state, i), g)
            store(state, i, v)
            store(p, i, fma(rate, fma(keep, v, g), load(p, i)))


@kernel(None)
def classical_momentum(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = momentum v - learning_rate g; p = p + v. Writes p and v."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, keep = load(step, m), load(settings, m)
        for i in range(m, count * models, models):
            v = fma(keep, load(state, i), negative(rate * (load(total, i) * factor)))
            store(state, i, v)
            store(p, i, load(p, i) + v)


@kernel(None)
def classical_nesterov(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = momentum v - learning_rate g; p = p + (momentum v - learning_rate g). Writes p and v."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, keep = load(step, m), load(settings, m)
        for i in range(m, count * models, models):
            own = negative(rate * (load(total, i) * factor))
            v = fma(keep, load(state, i), own)
            store(state, i, v)
            store(p, i, load(p, i) + fma(keep, v, own))


@kernel(None)
def adam(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """m = beta_1 m + rest_1 g; v = beta_2 v + rest_2 g^2; p = decay p - step_size m / (correction sqrt(v) + epsilon).

    step: step_size, correction and decay of each model. Writes p, m and v.
    """
    factor, second = fill(p, scale), advance(state, count * models)
    for m in range(0, models, lanes(p)):
        minus_step_size = negative(load(step, m))
        correction, decay = load(step, models + m), load(step, 2 * models + m)
        beta_1, rest_1 = load(settings, m), load(settings, models + m)
        beta_2, rest_2 = load(settings, 2 * models + m), load(settings, 3 * models + m)
        epsilon = load(settings, 4 * models + m)
        for i in range(m, count * models, models):
            g = load(total, i) * factor
            first = fma(beta_1, load(state, i), rest_1 * g)
            v = fma(beta_2, load(second, i), rest_2 * (g * g))
            store(state, i, first)
            store(second, i, v)
            store(p, i, fma(minus_step_size, first / fma(sqrt(v), correction, epsilon), load(p, i) * decay))


@kernel(None)
def rmsprop(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = decay v + rest g^2; p = p - learning_rate g / (sqrt(v) + epsilon). Writes p and v."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, decay = negative(load(step, m)), load(settings, m)
        rest, epsilon = load(settings, models + m), load(settings, 2 * models + m)
        for i in range(m, count * models, models):
            g = load(total, i) * factor
            v = fma(decay, load(state, i), rest * (g * g))
            store(state, i, v)
            store(p, i, fma(rate, g / (sqrt(v) + epsilon), load(p, i)))


@kernel(None)
def rmsprop_momentum(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """v = decay v + rest g^2; u = momentum u + g / (sqrt(v) + epsilon); p = p - learning_rate u. Writes p, v and u."""
    second, factor = advance(state, count * models), fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, decay = negative(load(step, m)), load(settings, m)
        rest, epsilon = load(settings, models + m), load(settings, 2 * models + m)
        keep = load(settings, 3 * models + m)
        for i in range(m, count * models, models):
            g = load(total, i) * factor
            v = fma(decay, load(state, i), rest * (g * g))
            u = fma(keep, load(second, i), g / (sqrt(v) + epsilon))
            store(state, i, v)
            store(second, i, u)
            store(p, i, fma(rate, u, load(p, i)))


@kernel(None)
def adagrad(
    p: Floats, total: Floats, scale: Float, state: Floats, step: Floats, settings: Floats, models: Int, count: Int
):
    """s = s + g^2; p = p - learning_rate g / (sqrt(s) + epsilon). Writes p and s."""
    factor = fill(p, scale)
    for m in range(0, models, lanes(p)):
        rate, epsilon = negative(load(step, m)), load(settings, m)
        for i in range(m, count * models, models):
            g = load(total, i) * factor
            s = fma(g, g, load(state, i))
            store(state, i, s)
            store(p, i, fma(rate, g / (sqrt(s) + epsilon), load(p, i)))


@kernel(None)
def penalized(plan: Ints, gradient: Floats, parameters: Floats, scale: Float):
    """g = scale g, and of weights + l2 w, and then + l1 where w > 0, - l1 where w < 0. Writes g."""
    models = plan[at.MODELS]
    l2, l1 = pointer(plan[at.L2], gradient), pointer(plan[at.L1], gradient)
    factor = fill(gradient, scale)
    for number_of in range(plan[at.LAYERS]):
        layer = at.FIELDS + number_of * at.LAYER_FIELDS
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        begin = plan[layer + at.LAYER_OFFSET] * models
        biases, end = begin + K * J * models, begin + (K + 1) * J * models
        for m in range(0, models, lanes(gradient)):
            square, size = load(l2, m), load(l1, m)
            for i in range(begin + m, biases, models):
                x = load(parameters, i)
                y = fma(square, x, load(gradient, i) * factor)
                store(gradient, i, select(greater(x, 0), y + size, select(less(x, 0), y - size, y)))
            for i in range(biases + m, end, models):
                store(gradient, i, load(gradient, i) * factor)
