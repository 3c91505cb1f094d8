"""PyTorch, eager: nn.Sequential, a loss, backward, an optimizer's step."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import BETA_1, BETA_2, EPSILON, Base, missing, now, numbers, version_of

IMPORTS = ("torch",)


def available() -> str | None:
    return missing("torch")


def versions() -> dict[str, str]:
    return version_of("torch")


def products() -> list[str]:
    """As PyTorch tells it: its BLAS is a part of its own library, where threadpoolctl does not look."""
    import torch

    told = (line.strip(" -") for line in torch.__config__.show().splitlines())
    libraries = [line.partition(" for ")[0] for line in told if "MKL" in line or "Math Kernel Library" in line]
    libraries = [line.replace("Intel(R) ", "") for line in libraries if not line.startswith("Build settings")]
    capability = torch.backends.cpu.get_cpu_capability()
    return [f"{', '.join(libraries) or 'its own BLAS'} ({capability})"]


class Contestant(Base):
    note = "orders are drawn outside of the timer; Adam is the fused one"

    def build(self) -> None:
        import torch
        from torch.nn import functional

        torch.set_num_threads(self.threads)
        w = self.workload
        kinds = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
        parts: list[Any] = []
        for inputs, outputs in zip(w.layers, w.layers[1:], strict=False):
            parts += [torch.nn.Linear(inputs, outputs, dtype=getattr(torch, self.dtype)), kinds[w.hidden]()]
        parts = parts[:-1] + [torch.nn.Sigmoid()] * (w.output == "sigmoid")
        self.torch, self.network = torch, torch.nn.Sequential(*parts)
        self.lossfunction = functional.cross_entropy if w.output == "softmax" else functional.mse_loss
        self.features, self.target = torch.from_numpy(self.x), torch.from_numpy(self.y)

    def linears(self) -> list[Any]:
        return [part for part in self.network if isinstance(part, self.torch.nn.Linear)]

    def reset(self) -> None:
        torch, w = self.torch, self.workload
        with torch.no_grad():
            for part, (weight, bias) in zip(self.linears(), self.initial(), strict=True):
                part.weight.copy_(torch.from_numpy(weight.T))
                part.bias.copy_(torch.from_numpy(bias))
        if w.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(self.network.parameters(), lr=w.learning_rate)
        else:
            self.optimizer = torch.optim.Adam(
                self.network.parameters(), lr=w.learning_rate, betas=(BETA_1, BETA_2), eps=EPSILON, fused=True
            )

    def run(self, epochs: int, given: bool) -> float:
        batches = self.batches()
        orders = [None if order is None else self.torch.from_numpy(order) for order in self.orders(epochs)]
        x, y = self.features, self.target
        whole = len(batches) == 1 and not self.workload.shuffle
        start = now()
        for order in orders:
            for batch in batches:
                if whole:
                    self.step(x, y)
                else:
                    rows = batch if order is None else order[batch]
                    self.step(x[rows], y[rows])
        return now() - start

    def step(self, x: Any, y: Any) -> None:
        self.optimizer.zero_grad()
        self.lossfunction(self.network(x), y).backward()
        self.optimizer.step()

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(numbers(part.weight.detach()).T, numbers(part.bias.detach())) for part in self.linears()]
