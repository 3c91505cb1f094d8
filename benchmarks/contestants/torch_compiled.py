"""PyTorch with torch.compile: a whole step, forward to update, as one graph of functions."""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np

from . import BETA_1, BETA_2, EPSILON, missing, numbers
from . import torch_eager as eager

IMPORTS = ("torch", "torch._dynamo")
versions = eager.versions


def available() -> str | None:
    if missing("torch"):
        return missing("torch")
    compilers = (os.environ.get("CXX"), "g++", "clang++", "c++", "cl")
    return None if any(shutil.which(name) for name in compilers if name) else "torch.compile needs a C++ compiler"


products = eager.products


class Contestant(eager.Contestant):
    note = "orders are drawn outside of the timer; forward, backward and update are one compiled graph"

    def build(self) -> None:
        super().build()
        torch, w = self.torch, self.workload
        network, lossfunction, rate = self.network, self.lossfunction, w.learning_rate

        def loss(parameters: dict[str, Any], x: Any, y: Any) -> Any:
            return lossfunction(torch.func.functional_call(network, parameters, (x,)), y)

        def sgd(p: dict[str, Any], state: tuple[Any, ...], x: Any, y: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
            g = torch.func.grad(loss)(p, x, y)
            return {name: p[name] - rate * g[name] for name in p}, state

        def adam(p: dict[str, Any], state: tuple[Any, ...], x: Any, y: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
            m, v, power_1, power_2 = state
            g = torch.func.grad(loss)(p, x, y)
            m = {name: BETA_1 * m[name] + (1 - BETA_1) * g[name] for name in p}
            v = {name: BETA_2 * v[name] + (1 - BETA_2) * g[name] ** 2 for name in p}
            power_1, power_2 = power_1 * BETA_1, power_2 * BETA_2
            size, correction = (rate / (1 - power_1)).to(x.dtype), (1 - power_2).sqrt().to(x.dtype)
            p = {name: p[name] - size * m[name] / (v[name].sqrt() / correction + EPSILON) for name in p}
            return p, (m, v, power_1, power_2)

        torch._dynamo.reset()  # of another contestant in this process
        self.compiled = torch.compile(sgd if w.optimizer == "sgd" else adam, fullgraph=True, dynamic=False)

    def reset(self) -> None:
        super().reset()
        torch = self.torch
        self.parameters = {name: p.detach().clone() for name, p in self.network.named_parameters()}
        self.state: tuple[Any, ...] = ()
        if self.workload.optimizer == "adam":
            zeros = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
            one = torch.ones((), dtype=torch.float64)
            self.state = (zeros, {name: z.clone() for name, z in zeros.items()}, one, one.clone())

    def run(self, epochs: int, given: bool) -> float:
        with self.torch.no_grad():
            return super().run(epochs, given)

    def step(self, x: Any, y: Any) -> None:
        self.parameters, self.state = self.compiled(self.parameters, self.state, x, y)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        found = [numbers(p) for p in self.parameters.values()]  # weight (J, K), bias (J,), layer by layer
        return [(w.T, b) for w, b in zip(found[::2], found[1::2], strict=True)]
