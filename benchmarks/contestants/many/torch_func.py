"""PyTorch: torch.func's `vmap` of `grad` over stacked weights, eager or compiled, whichever is faster."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...many_cases import NO_COMPILE, stacks
from .. import BETA_1, BETA_2, EPSILON, now, numbers, torch_eager
from . import Base

IMPORTS = ("torch",)
available, versions, products = torch_eager.available, torch_eager.versions, torch_eager.products
WARM, TRIED = 3, 10  # steps


class Contestant(Base):
    note = "orders are drawn outside of the timer"
    stacked = True

    def build(self) -> None:
        import torch
        from torch.nn import functional

        torch.set_num_threads(self.threads)
        self.torch, w = torch, self.workload
        self.data()
        self.features, self.target = torch.from_numpy(self.x), torch.from_numpy(self.y)
        rates = torch.tensor(self.rates, dtype=getattr(torch, self.dtype))
        activation = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}[w.hidden]

        def loss(p: list[Any], x: Any, y: Any) -> Any:
            for weight, bias in zip(p[:-2:2], p[1:-2:2], strict=True):
                x = activation(x @ weight + bias)
            z = x @ p[-2] + p[-1]
            if w.output == "softmax":
                return functional.cross_entropy(z, y)
            return functional.mse_loss(torch.sigmoid(z) if w.output == "sigmoid" else z, y)

        shared = None if not w.shuffle else 0
        gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(0, shared, shared))

        def broad(p: Any) -> Any:
            return rates.reshape(-1, *[1] * (p.ndim - 1))

        def sgd(p: list[Any], state: tuple[Any, ...], x: Any, y: Any) -> tuple[list[Any], tuple[Any, ...]]:
            g = gradients(p, x, y)
            return [a - broad(a) * b for a, b in zip(p, g, strict=True)], state

        def adam(p: list[Any], state: tuple[Any, ...], x: Any, y: Any) -> tuple[list[Any], tuple[Any, ...]]:
            m, v, power_1, power_2 = state
            g = gradients(p, x, y)
            m = [BETA_1 * a + (1 - BETA_1) * b for a, b in zip(m, g, strict=True)]
            v = [BETA_2 * a + (1 - BETA_2) * b**2 for a, b in zip(v, g, strict=True)]
            power_1, power_2 = power_1 * BETA_1, power_2 * BETA_2
            correction, size = (1 - power_2).sqrt().to(x.dtype), (1 / (1 - power_1)).to(x.dtype)
            p = [a - broad(a) * size * b / (c.sqrt() / correction + EPSILON) for a, b, c in zip(p, m, v, strict=True)]
            return p, (m, v, power_1, power_2)

        self.eager = self.step = sgd if w.optimizer == "sgd" else adam
        self.make()
        how = "eager" if os.environ.get(NO_COMPILE) else self.faster()
        self.run(1, given=False)  # what is compiled for the last batch, which may be shorter
        self.note = f"{how}; {Contestant.note}"

    def faster(self) -> str:
        """Chooses the compiled step if it works and is faster; -> what was chosen."""
        eager = self.seconds()
        try:
            self.step = self.torch.compile(self.eager, fullgraph=True, dynamic=False)
            compiled = self.seconds()
        except Exception as error:  # whatever a compiler throws
            self.step = self.eager
            return f"eager, as torch.compile failed ({type(error).__name__})"
        if compiled < eager:
            return "compiled"
        self.step = self.eager
        return "eager, which is faster than compiled"

    def seconds(self) -> float:
        """Of some steps of whole batches."""
        rows = np.resize(np.arange(self.workload.batch_rows), (self.models, self.workload.batch_rows))
        some = self.torch.from_numpy(rows) if self.workload.shuffle else None
        spent = []
        with self.torch.no_grad():
            for _ in range(WARM + TRIED):
                start = now()
                self.parameters, self.state = self.step(self.parameters, self.state, *self.cut(some))
                spent.append(now() - start)
                if sum(spent) > 2 and len(spent) > WARM:
                    break
        return min(spent[1:])

    def cut(self, rows: Any) -> tuple[Any, Any]:
        return (self.features, self.target) if rows is None else (self.features[rows], self.target[rows])

    def make(self) -> None:
        torch = self.torch
        self.parameters = [
            torch.from_numpy(part) for pair in stacks(self.workload, self.dtype, self.models) for part in pair
        ]
        self.state: tuple[Any, ...] = ()
        if self.workload.optimizer == "adam":
            one = torch.ones((), dtype=torch.float64)
            zeros = [[torch.zeros_like(p) for p in self.parameters] for _ in range(2)]
            self.state = (*zeros, one, one.clone())

    def run(self, epochs: int, given: bool) -> float:
        w, calls = self.workload, []
        for orders, count in self.orders_of_calls(epochs, given):
            if orders is None or given or not calls:
                put = None if orders is None else self.torch.from_numpy(orders[: min(epochs, len(orders))])
                put = None if put is None else put.long()
            calls.append((put, count))
        step, cut = self.step, self.cut
        start = now()
        with self.torch.no_grad():
            p, state = self.parameters, self.state
            for orders, count in calls:
                for number in range(count):
                    if orders is None:
                        p, state = step(p, state, *cut(None))
                        continue
                    for first in range(0, w.rows, w.batch_rows):
                        p, state = step(p, state, *cut(orders[number, :, first : first + w.batch_rows]))
        seconds = now() - start
        self.parameters, self.state = p, state
        return seconds

    def weights(self, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        found = [numbers(p[k]) for p in self.parameters]
        return list(zip(found[::2], found[1::2], strict=True))
