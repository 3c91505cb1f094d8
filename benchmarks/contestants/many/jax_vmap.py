"""JAX: `vmap` over the models of a jitted training, a scan over the batches of each epoch."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...many_cases import stacks
from .. import BETA_1, BETA_2, EPSILON, jax_, now
from . import Base

IMPORTS = ("jax",)
available, versions, products = jax_.available, jax_.versions, jax_.products
TRIED = 0.02  # seconds of a try
LONG = 200e-6  # seconds of a step of all models, from which a call for each step may be faster than a loop in one call


class Contestant(Base):
    note = "orders are drawn outside of the timer"
    stacked = True
    mapped = False  # one model after another, by lax.map

    def build(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        divides = self.threads > 1 and self.models % self.threads == 0 and hasattr(jax, "shard_map")
        if divides:
            jax.config.update("jax_num_cpu_devices", self.threads)
        jax.config.update("jax_enable_x64", self.dtype == "float64")
        self.jax, w = jax, self.workload
        self.data()
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

        train = in_turn if self.mapped else together
        plain = self.several = jax.jit(train)
        every = jax.vmap(step, in_axes=(0, 0, 0, 0) if w.shuffle else (0, 0, None, None))
        self.single = jax.jit(
            (lambda c, rate, x, y, rows: every(c, rate, x[rows], y[rows]))
            if w.shuffle
            else (lambda c, rate, x, y, rows: every(c, rate, x, y)),
            donate_argnums=0,
        )
        self.by_step, self.shards = False, None
        told, seconds = "a call trains epochs of steps", self.tried()
        if not self.mapped and (w.shuffle or rows == batch) and seconds / w.steps_epoch > LONG:
            self.by_step = True
            self.by_step = self.tried() < seconds
            if self.by_step:
                told, seconds = "a call for each step", self.tried()
        if divides:
            by_step, self.by_step = self.by_step, False
            self.shards = jax.sharding.Mesh(np.array(jax.devices()), ("models",))
            spec, every = jax.sharding.PartitionSpec, jax.sharding.PartitionSpec("models")
            orders = spec(None, "models") if w.shuffle else None
            self.several = jax.jit(
                jax.shard_map(
                    train, mesh=self.shards, in_specs=(every, orders, spec(), every, spec(), spec()), out_specs=every,
                    check_vma=False,
                )
            )  # fmt: skip
            if self.tried() < seconds:
                told = f"models are divided among {self.threads} devices by shard_map"
            else:
                self.by_step, self.shards, self.several = by_step, None, plain
        self.note = f"{told}; {Contestant.note}"

    def tried(self) -> float:
        """Seconds of some epochs, once it is compiled."""
        self.make()
        self.run(1, given=False)
        epochs = 1
        while (seconds := self.run(epochs, given=False)) < TRIED and epochs < 2**20:
            epochs *= 4
        return min(seconds, self.run(epochs, given=False)) / epochs

    def put(self, array: Any, axis: int | None = 0) -> Any:
        """On the devices that have it; axis: that of the models."""
        jax = self.jax
        if self.shards is None:
            return jax.numpy.asarray(array)
        spec = (
            jax.sharding.PartitionSpec(*([None] * axis), "models") if axis is not None else jax.sharding.PartitionSpec()
        )
        return jax.device_put(array, jax.sharding.NamedSharding(self.shards, spec))

    def put_orders(self, array: Any) -> Any:
        return self.put(array, 1)

    def make(self) -> None:
        jax = self.jax
        parameters = [(self.put(w), self.put(b)) for w, b in stacks(self.workload, self.dtype, self.models)]
        self.features, self.target = self.put(self.x, None), self.put(self.y, None)
        self.rate = self.put(np.array(self.rates, self.dtype))
        if self.workload.optimizer == "sgd":
            self.carry: Any = (parameters,)
        else:
            zeros = jax.tree_util.tree_map(jax.numpy.zeros_like, parameters)
            more = jax.tree_util.tree_map(jax.numpy.zeros_like, parameters)
            self.carry = (parameters, zeros, more, self.put(np.zeros((self.models,), self.dtype)))
        jax.block_until_ready(self.carry)

    def run(self, epochs: int, given: bool) -> float:
        calls = []
        for orders, count in self.orders_of_calls(epochs, given):
            if orders is None or given or not calls:
                put = self.by_steps(orders) if self.by_step else orders
                put = self.jax.tree_util.tree_map(self.put if self.by_step else self.put_orders, put)
                put = self.jax.block_until_ready(put)
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
        return [(np.asarray(w)[k].copy(), np.asarray(b)[k].copy()) for w, b in self.carry[0]]


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
