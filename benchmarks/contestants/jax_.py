"""JAX: all epochs of a turn in one jit, a scan over the batches of each, shuffles included."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from . import BETA_1, BETA_2, EPSILON, Base, missing, now, numbers, version_of

IMPORTS = ("jax",)


def available() -> str | None:
    return missing("jax", "jaxlib")


def versions() -> dict[str, str]:
    return version_of("jax", "jaxlib")


class Contestant(Base):
    note = "all epochs of a turn are one call; its own shuffles are in it"

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

        def given(carry: Any, order: Any, x: Any, y: Any) -> Any:
            return epoch(carry, order, x, y)

        def own(carry: Any, key: Any, epochs: Any, x: Any, y: Any) -> Any:
            def one(_: Any, carry_and_key: Any) -> Any:
                carry, key = carry_and_key
                order = None
                if w.shuffle:
                    key, sub = jax.random.split(key)
                    order = jax.random.permutation(sub, rows)
                return epoch(carry, order, x, y), key

            return lax.fori_loop(0, epochs, one, (carry, key))

        self.own, self.in_order = jax.jit(own), jax.jit(given)

    def reset(self) -> None:
        jnp = self.jax.numpy
        parameters = [(jnp.asarray(w), jnp.asarray(b)) for w, b in self.initial()]
        zeros = self.jax.tree_util.tree_map(jnp.zeros_like, parameters)
        self.carry: Any = (parameters, zeros, zeros, jnp.zeros((), self.dtype))
        self.key = self.jax.random.key(0)

    def run(self, epochs: int, given: bool) -> float:
        x, y = self.features, self.target
        if given:
            for order in self.orders(epochs):
                self.carry = self.in_order(self.carry, order, x, y)
            return 0.0
        start = now()
        self.carry, self.key = self.jax.block_until_ready(self.own(self.carry, self.key, epochs, x, y))
        return now() - start

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(numbers(w), numbers(b)) for w, b in self.carry[0]]
