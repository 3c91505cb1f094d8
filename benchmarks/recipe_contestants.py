"""Who takes the recipe's step: fastmlp, and the same in PyTorch; each in a process of its own, started by `children`.

As `contestant`: NAME TASK DTYPE THREADS, where the task is "classify" or "regress"; the commands are train, given, loss
and quit. Weights begin as fastmlp's, and "given" trains in its orders.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import contestants, fair
from .contestant import serve
from .contestants import SEED, now, order, torch_compiled, torch_eager, version_of
from .workloads import WORKLOADS

LAYERS, BATCH = (17, 256, 256, 6), 256
EPOCHS = 128  # of the schedule, the recipe's own; a training that goes on for longer begins it again
ROWS = WORKLOADS["policy"].rows
STEPS = ROWS // BATCH  # of an epoch


def data(task: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """x (N, 17); labels (N,) of 6 classes, or values (N, 6)."""
    x, y = WORKLOADS["policy"].data(dtype)
    return x, y.argmax(axis=1) if task == "classify" else y


class Fastmlp:
    """By `Model.fit`, as the estimators for tables call it."""

    @staticmethod
    def available() -> str | None:
        return None

    def __init__(self, task: str, dtype: str, threads: int) -> None:
        from fastmlp import Model
        from fastmlp.tables import recipe

        self.x, self.y = data(task, dtype)
        network = recipe.network(task, LAYERS[0], LAYERS[1:-1], LAYERS[-1], recipe.SMOOTHING)
        self.model = Model(seed=SEED, **{**network, "dtype": dtype})
        self.options = recipe.training(task, EPOCHS, None, BATCH)

    def given(self, epochs: int) -> None:
        self._fit(epochs, None)

    def train(self, epochs: int) -> float:
        """Between the ends of a fit's first epoch and its last."""
        times: list[float] = []
        self._fit(1 + epochs, lambda info: times.append(now()))
        return times[-1] - times[0]

    def _fit(self, epochs: int, callback: Callable[[Any], None] | None) -> None:
        options = {**self.options, "epochs": epochs, "callback": callback, "record_every": 2**32 - 1}
        self.model.fit(self.x, self.y, resume=self.model.epochs + epochs <= EPOCHS, progress=False, **options)

    def loss(self) -> float:
        return float(self.model.loss(self.x, self.y))

    @staticmethod
    def products() -> list[str]:
        return contestants.module("fastmlp").products()

    @staticmethod
    def versions() -> dict[str, str]:
        return version_of("numba", "llvmlite")


class Torch:
    """Eager: functions of tensors, Adam's fused kernel for each group of parameters of one rate factor."""

    available = staticmethod(torch_eager.available)
    products = staticmethod(torch_eager.products)
    versions = staticmethod(torch_eager.versions)

    def __init__(self, task: str, dtype: str, threads: int) -> None:
        import torch
        from torch.nn import functional

        from fastmlp import Model
        from fastmlp.tables import recipe

        torch.set_num_threads(threads)
        self.torch = torch
        x, y = data(task, dtype)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        network = recipe.network(task, LAYERS[0], LAYERS[1:-1], LAYERS[-1], recipe.SMOOTHING)
        begins = Model(seed=SEED, **{**network, "dtype": dtype}).weights
        ws = [torch.tensor(w, requires_grad=True) for w, _ in begins]
        bs = [torch.tensor(b, requires_grad=True) for _, b in begins]
        scale = torch.ones(LAYERS[0], dtype=ws[0].dtype, requires_grad=True)
        squash = functional.selu if task == "classify" else functional.mish
        self.rate, self.done = recipe.RATES[task], 0

        def loss(x: Any, y: Any) -> Any:
            a = x * scale
            for w, b in zip(ws[:-1], bs[:-1], strict=True):
                a = squash(torch.addmm(b, a, w))
            z = torch.addmm(bs[-1], a, ws[-1])
            if task == "classify":
                return functional.cross_entropy(z, y, label_smoothing=recipe.SMOOTHING)
            return functional.mse_loss(z, y)

        self.lossfunction = self.made(loss)
        first, *others = ws
        groups = [
            {"params": [first], "of": len(first) ** -0.5},
            {"params": others, "of": len(others[0]) ** -0.5},
            {"params": bs, "of": 0.1},
            {"params": [scale], "of": 6.0},
        ]
        self.optimizer = torch.optim.Adam(groups, lr=0.1, betas=(0.9, 0.95), fused=True)

    def made(self, loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return loss

    def given(self, epochs: int) -> None:
        self.train(epochs)

    def train(self, epochs: int) -> float:
        """Orders and rates are made outside of the timer."""
        from fastmlp.schedules import CosineLog

        torch, optimizer, lossfunction = self.torch, self.optimizer, self.lossfunction
        orders = [torch.from_numpy(order(ROWS, self.done + epoch + 1)) for epoch in range(epochs)]
        t = (self.done + np.arange(epochs * STEPS) / STEPS) % EPOCHS
        rates = iter(CosineLog(self.rate, epochs=EPOCHS).rates(t).tolist())
        self.done += epochs
        start = now()
        for chosen in orders:
            for first in range(0, ROWS, BATCH):
                some = chosen[first : first + BATCH]
                optimizer.zero_grad()
                lossfunction(self.x[some], self.y[some]).backward()
                rate = next(rates)
                for group in optimizer.param_groups:
                    group["lr"] = rate * group["of"]
                optimizer.step()
        return now() - start

    def loss(self) -> float:
        with self.torch.no_grad():
            return float(self.lossfunction(self.x, self.y))


class TorchCompiled(Torch):
    """Forward, loss and backward compiled; the optimizer as in `Torch`."""

    available = staticmethod(torch_compiled.available)

    def made(self, loss: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return self.torch.compile(loss)


KINDS: dict[str, Any] = {"fastmlp": Fastmlp, "torch_eager": Torch, "torch_compiled": TorchCompiled}


def start(name: str, task: str, dtype: str, threads: int) -> tuple[Any, dict[str, Any]]:
    """(the contestant, or None; what it says first)."""
    kind = KINDS[name]
    why = kind.available()
    if why is not None:
        return None, {"missing": why}
    started = time.perf_counter()
    made = kind(task, dtype, threads)
    told = {"prepare_s": time.perf_counter() - started, "blas": kind.products(), "held_back": fair.held()}
    return made, {"ready": True, **told, "versions": kind.versions()}


def main(arguments: list[str]) -> None:
    name, task, dtype, threads = arguments
    serve(lambda: start(name, task, dtype, int(threads)))
