"""Updates of the flat parameter vector. Imports NumPy only; the fast twin is `fastmlp/kernels/optimizers.py`.

Every update function takes

- p and total (P,): the parameters, and the sum of the gradient over the batch's rows,
- scale: g = scale total is the gradient,
- the state's vectors (P,), if there are any,
- the numbers of this update, then those that all updates share; each has p's dtype,

and returns p and the state's vectors. Where parameters have rate factors (`with_factors`), the first number of an
update is an array (P,), a rate for each parameter, and so is adam's decay.

Formulas are rounded in the order in which they are written here; fma(a, b, c) is a b + c, rounded once.
`fastmlp/optimizers.py` names the sources.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma


def with_factors(step, factors, decays):
    """An update's numbers, with a rate of its own for each parameter: rate * factor, and 1 for a decay that is spared.

    step: the numbers, as a list; the first is the rate or step size, adam's third is the decay. factors (P,): of the
    rates, in the dtype. decays (P,): 1, or 0 for a parameter whose decay is 1.
    """
    rate, *others = step
    if len(step) == 3:
        others[1] = np.where(decays == 0, factors.dtype.type(1), others[1])
    return [rate * factors, *others]


def gradient_descent(p, total, scale, learning_rate):
    """p = p - learning_rate g, by one fma."""
    return fma(-learning_rate, scale * total, p)


def momentum(p, total, scale, v, learning_rate, momentum):
    """v = momentum v + g; p = p - learning_rate v."""
    g = scale * total
    v = fma(momentum, v, g)
    return fma(-learning_rate, v, p), v


def nesterov(p, total, scale, v, learning_rate, momentum):
    """v = momentum v + g; p = p - learning_rate (momentum v + g)."""
    g = scale * total
    v = fma(momentum, v, g)
    return fma(-learning_rate, fma(momentum, v, g), p), v


def classical_momentum(p, total, scale, v, learning_rate, momentum):
    """v = momentum v - learning_rate g; p = p + v. A later rate does not rescale the velocity."""
    g = scale * total
    v = fma(momentum, v, -(learning_rate * g))
    return p + v, v


def classical_nesterov(p, total, scale, v, learning_rate, momentum):
    """v = momentum v - learning_rate g; p = p + (momentum v - learning_rate g)."""
    g = scale * total
    step = -(learning_rate * g)
    v = fma(momentum, v, step)
    return p + fma(momentum, v, step), v


def adam(p, total, scale, m, v, step_size, correction, decay, beta_1, rest_1, beta_2, rest_2, epsilon):
    """m = beta_1 m + rest_1 g; v = beta_2 v + rest_2 g^2; p = decay p - step_size m / (correction sqrt(v) + epsilon).

    rest_i is 1 - beta_i. `adam_steps` makes step_size, correction and decay. decay is 1 without weight decay.
    """
    g = scale * total
    m = fma(beta_1, m, rest_1 * g)
    v = fma(beta_2, v, rest_2 * (g * g))
    return fma(-step_size, m / fma(np.sqrt(v), correction, epsilon), p * decay), m, v


def rmsprop(p, total, scale, v, learning_rate, decay, rest, epsilon):
    """v = decay v + rest g^2; p = p - learning_rate g / (sqrt(v) + epsilon). rest is 1 - decay."""
    g = scale * total
    v = fma(decay, v, rest * (g * g))
    return fma(-learning_rate, g / (np.sqrt(v) + epsilon), p), v


def rmsprop_momentum(p, total, scale, v, u, learning_rate, decay, rest, epsilon, momentum):
    """v = decay v + rest g^2; u = momentum u + g / (sqrt(v) + epsilon); p = p - learning_rate u."""
    g = scale * total
    v = fma(decay, v, rest * (g * g))
    u = fma(momentum, u, g / (np.sqrt(v) + epsilon))
    return fma(-learning_rate, u, p), v, u


def adagrad(p, total, scale, s, learning_rate, epsilon):
    """s = s + g^2; p = p - learning_rate g / (sqrt(s) + epsilon)."""
    g = scale * total
    s = fma(g, g, s)
    return fma(-learning_rate, g / (np.sqrt(s) + epsilon), p), s


def adam_steps(rates, powers, beta_1, beta_2, weight_decay):
    """The numbers that `adam` takes at T successive updates, in float64. It has no fast twin.

    Parameters
    ----------
    rates : ndarray of shape (T,)
        The learning rates.
    powers : ndarray of shape (2,)
        beta_1^t and beta_2^t before the first of these updates; (1, 1) at the start.
    beta_1, beta_2 : float
        The optimizer's.
    weight_decay : float or ndarray of shape (T,)
        The optimizer's, or that of each update.

    Returns
    -------
    steps : ndarray of shape (T, 3)
        step_size = rate / (1 - beta_1^t), correction = 1 / sqrt(1 - beta_2^t), decay = 1 - rate weight_decay.
    powers : ndarray of shape (T, 2)
        The powers after each update: each is the last one times beta.
    """
    factors = np.empty((len(rates) + 1, 2))
    factors[0], factors[1:] = powers, (beta_1, beta_2)
    powers = np.multiply.accumulate(factors)[1:]  # one product after another
    step_size = rates / (1 - powers[:, 0])
    correction = 1 / np.sqrt(1 - powers[:, 1])
    return np.column_stack([step_size, correction, 1 - rates * weight_decay]), powers


def plain_adam_steps(rates, powers, beta_1, beta_2):
    """As `adam_steps`, with both corrections in the step size, so that epsilon is not divided by the second one.

    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 2, have both orders; they call this
    one's epsilon "epsilon-hat".

    Returns
    -------
    steps : ndarray of shape (T, 3)
        step_size = rate sqrt(1 - beta_2^t) / (1 - beta_1^t), 1 and 1.
    powers : ndarray of shape (T, 2)
        The powers after each update.
    """
    _steps, powers = adam_steps(rates, powers, beta_1, beta_2, 0.0)
    step_size = rates * np.sqrt(1 - powers[:, 1]) / (1 - powers[:, 0])
    return np.column_stack([step_size, np.ones((len(rates), 2))]), powers
