"""JAX: many epochs in one jit, a scan over the batches of each, in orders that are drawn before."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from . import BETA_1, BETA_2, EPSILON, Base, missing, now, numbers, version_of

IMPORTS = ("jax",)
EPOCHS = 64  # of a call where rows are shuffled: orders of another shape would be compiled again


def available() -> str | None:
    return missing("jax", "jaxlib")


def versions() -> dict[str, str]:
    return version_of("jax", "jaxlib")


def products() -> list[str]:
    return [f"XLA's own, in jaxlib {versions()['jaxlib']}"]


class Contestant(Base):
    # jax.random.permutation sorts: in float32 on `letter`, that is 87 of 136 us a step; NumPy draws in 3.
    # So JAX is given its orders, as NumPy and PyTorch are.
    note = f"a call trains all epochs of a turn, or {EPOCHS} if shuffled; orders are drawn outside of the timer"

    def build(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        jax.config.update("jax_enable_x64", self.dtype == "float64")
        jnp, lax = jax.numpy, jax.lax
        w = self.workload
        rows, batch = w.rows, w.batch_rows
        whole = rows // batch * batch  # rows in whole batches
        activation = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[w.hidden]
        self.jax, self.features, self.target = jax, jnp.asarray(self.x), jnp.asarray(self.y)

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            for weight, bias in parameters[:-1]:
                x = activation(x @ weight + bias)
            z = x @ parameters[-1][0] + parameters[-1][1]
            if w.output == "softmax":
                return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
            return (((jax.nn.sigmoid(z) if w.output == "sigmoid" else z) - y) ** 2).mean()

        def step(carry: Any, x: Any, y: Any) -> Any:
            parameters, m, v, count = carry
            g = jax.grad(loss)(parameters, x, y)
            each = jax.tree_util.tree_map
            if w.optimizer == "sgd":
                return each(lambda p, g: p - w.learning_rate * g, parameters, g), m, v, count
            count = count + 1
            m = each(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, g)
            v = each(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, g)
            size = w.learning_rate / -jnp.expm1(count * np.log(BETA_1))
            correction = jnp.sqrt(-jnp.expm1(count * np.log(BETA_2)))
            parameters = each(lambda p, m, v: p - size * m / (jnp.sqrt(v) / correction + EPSILON), parameters, m, v)
            return parameters, m, v, count

        def epoch(carry: Any, order: Any, x: Any, y: Any) -> Any:
            if rows == batch and order is None:
                return step(carry, x, y)

            def some(carry: Any, start_or_rows: Any) -> Any:
                if order is None:
                    cut = [lax.dynamic_slice_in_dim(a, start_or_rows, batch) for a in (x, y)]
                    return step(carry, *cut), None
                return step(carry, x[start_or_rows], y[start_or_rows]), None

            several = jnp.arange(0, whole, batch) if order is None else order[:whole].reshape(-1, batch)
            carry, _ = lax.scan(some, carry, several)
            if whole < rows:
                rest = slice(whole, rows) if order is None else order[whole:]
                carry = step(carry, x[rest], y[rest])
            return carry

        def several(carry: Any, orders: Any, epochs: Any, x: Any, y: Any) -> Any:
            def one(number: Any, carry: Any) -> Any:
                return epoch(carry, None if orders is None else orders[number], x, y)

            return lax.fori_loop(0, epochs, one, carry)

        self.several = jax.jit(several)

    def reset(self) -> None:
        jnp = self.jax.numpy
        parameters = [(jnp.asarray(w), jnp.asarray(b)) for w, b in self.initial()]
        zeros = self.jax.tree_util.tree_map(jnp.zeros_like, parameters)
        self.carry: Any = (parameters, zeros, zeros, jnp.zeros((), self.dtype))

    def run(self, epochs: int, given: bool) -> float:
        calls = self.calls(epochs)
        start = now()
        for orders, count in calls:
            self.carry = self.several(self.carry, orders, count, self.features, self.target)
        self.jax.block_until_ready(self.carry)
        return now() - start

    def calls(self, epochs: int) -> list[tuple[Any, int]]:
        """(orders (EPOCHS, N) or None, how many of them) of each call that so many epochs take."""
        if not self.workload.shuffle:
            return [(None, epochs)]
        orders, made = self.orders(epochs), []
        for first in range(0, epochs, EPOCHS):
            some = np.zeros((EPOCHS, self.workload.rows), np.int32)
            count = len(orders[first : first + EPOCHS])
            some[:count] = orders[first : first + EPOCHS]
            made.append((self.jax.block_until_ready(self.jax.numpy.asarray(some)), count))
        return made

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(numbers(w), numbers(b)) for w, b in self.carry[0]]
