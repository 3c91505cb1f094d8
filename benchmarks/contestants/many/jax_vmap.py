"""JAX: `vmap` over the models of a jitted training, a scan over the batches of each epoch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...many_cases import stacks
from .. import BETA_1, BETA_2, EPSILON, jax_, now, numbers
from . import Base

IMPORTS = ("jax",)
available, versions, products = jax_.available, jax_.versions, jax_.products
LONG = 200e-6  # seconds of a step of all models, from which a call for each step may be faster than a loop in one call


class Contestant(Base):
    note = "orders are drawn outside of the timer"
    stacked = True
    mapped = False  # one model after another, by lax.map

    def build(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        jax.config.update("jax_enable_x64", self.dtype == "float64")
        self.jax, w = jax, self.workload
        self.data()
        self.features, self.target = jax.numpy.asarray(self.x), jax.numpy.asarray(self.y)
        self.rate = jax.numpy.asarray(np.array(self.rates, self.dtype))
        rows, batch = w.rows, w.batch_rows
        whole = rows // batch * batch  # rows in whole batches
        lax, jnp = jax.lax, jax.numpy
        step = step_of(jax, w)

        def epoch(carry: Any, order: Any, rate: Any, x: Any, y: Any) -> Any:
            """Of one model."""
            if rows == batch and order is None:
                return step(carry, rate, x, y)

            def some(carry: Any, start_or_rows: Any) -> Any:
                if order is None:
                    cut = [lax.dynamic_slice_in_dim(a, start_or_rows, batch) for a in (x, y)]
                    return step(carry, rate, *cut), None
                return step(carry, rate, x[start_or_rows], y[start_or_rows]), None

            several = jnp.arange(0, whole, batch) if order is None else order[:whole].reshape(-1, batch)
            carry, _ = lax.scan(some, carry, several)
            if whole < rows:
                rest = slice(whole, rows) if order is None else order[whole:]
                carry = step(carry, rate, x[rest], y[rest])
            return carry

        def together(carry: Any, orders: Any, epochs: Any, rate: Any, x: Any, y: Any) -> Any:
            every = jax.vmap(epoch, in_axes=(0, None if orders is None else 0, 0, None, None))

            def one(number: Any, carry: Any) -> Any:
                return every(carry, None if orders is None else orders[number], rate, x, y)

            return lax.fori_loop(0, epochs, one, carry)

        def in_turn(carry: Any, orders: Any, epochs: Any, rate: Any, x: Any, y: Any) -> Any:
            def train(model: Any) -> Any:
                carry, order, rate = model

                def one(number: Any, carry: Any) -> Any:
                    return epoch(carry, None if order is None else order[number], rate, x, y)

                return lax.fori_loop(0, epochs, one, carry)

            return lax.map(train, (carry, None if orders is None else orders.swapaxes(0, 1), rate))

        self.several = jax.jit(in_turn if self.mapped else together)
        every = jax.vmap(step, in_axes=(0, 0, 0, 0) if w.shuffle else (0, 0, None, None))
        self.single = jax.jit(
            (lambda c, rate, x, y, rows: every(c, rate, x[rows], y[rows]))
            if w.shuffle
            else (lambda c, rate, x, y, rows: every(c, rate, x, y)),
            donate_argnums=0,
        )
        self.by_step = False
        self.make()
        self.run(1, given=False)  # compiles
        if not self.mapped and (w.shuffle or rows == batch):
            seconds = self.run(1, given=False)
            if seconds / w.steps_epoch > LONG:
                self.by_step = True
                self.make()
                self.run(1, given=False)
                self.by_step = min(self.run(1, given=False) for _ in range(2)) < seconds
        told = "a call for each step" if self.by_step else "a call trains epochs of steps"
        self.note = f"{told}; {Contestant.note}"

    def make(self) -> None:
        jax = self.jax
        parameters = [
            (jax.numpy.asarray(w), jax.numpy.asarray(b)) for w, b in stacks(self.workload, self.dtype, self.models)
        ]
        if self.workload.optimizer == "sgd":
            self.carry: Any = (parameters,)
        else:
            zeros = jax.tree_util.tree_map(jax.numpy.zeros_like, parameters)
            more = jax.tree_util.tree_map(jax.numpy.zeros_like, parameters)
            self.carry = (parameters, zeros, more, jax.numpy.zeros((self.models,), self.dtype))
        jax.block_until_ready(self.carry)

    def run(self, epochs: int, given: bool) -> float:
        calls = []
        for orders, count in self.orders_of_calls(epochs, given):
            if orders is None or given or not calls:
                put = self.by_steps(orders) if self.by_step else orders
                put = self.jax.block_until_ready(self.jax.tree_util.tree_map(self.jax.numpy.asarray, put))
            calls.append((put, count))  # those of a timed turn are the same
        data = self.features, self.target
        carry = self.carry
        start = now()
        for orders, count in calls:
            if not self.by_step:
                carry = self.several(carry, orders, count, self.rate, *data)
                continue
            for number in range(count):
                for rows in [None] if orders is None else orders[number]:
                    carry = self.single(carry, self.rate, *data, rows)
        self.jax.block_until_ready(carry)
        seconds = now() - start
        self.carry = carry
        return seconds

    def by_steps(self, orders: np.ndarray | None) -> Any:
        """[[(models, batch) of each step] of each epoch]."""
        if orders is None:
            return None
        w = self.workload
        return [
            [order[:, first : first + w.batch_rows] for first in range(0, w.rows, w.batch_rows)] for order in orders
        ]

    def weights(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(numbers(w[k]), numbers(b[k])) for w, b in self.carry[0]]


def step_of(jax: Any, w: Any) -> Any:
    """step(carry, rate, x, y) of one model -> carry: (parameters,), or (parameters, m, v, steps) of Adam."""
    jnp, each = jax.numpy, jax.tree_util.tree_map
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[w.hidden]

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = activation(x @ weight + bias)
        z = x @ parameters[-1][0] + parameters[-1][1]
        if w.output == "softmax":
            return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
        return (((jax.nn.sigmoid(z) if w.output == "sigmoid" else z) - y) ** 2).mean()

    def sgd(carry: Any, rate: Any, x: Any, y: Any) -> Any:
        (parameters,) = carry
        return (each(lambda p, g: p - rate * g, parameters, jax.grad(loss)(parameters, x, y)),)

    def adam(carry: Any, rate: Any, x: Any, y: Any) -> Any:
        parameters, m, v, count = carry
        g = jax.grad(loss)(parameters, x, y)
        count = count + 1
        m = each(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, g)
        v = each(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, g)
        size = rate / -jnp.expm1(count * np.log(BETA_1))
        correction = jnp.sqrt(-jnp.expm1(count * np.log(BETA_2)))
        parameters = each(lambda p, m, v: p - size * m / (jnp.sqrt(v) / correction + EPSILON), parameters, m, v)
        return parameters, m, v, count

    return sgd if w.optimizer == "sgd" else adam
