"""NumPy, in the exercise's own manner: `@`, `np.exp` and temporaries, the loss computed at every step."""

from __future__ import annotations

import numpy as np

from . import BETA_1, BETA_2, EPSILON, Base, forward, now, sigmoid, version_of

IMPORTS = ()


def available() -> str | None:
    return None


def versions() -> dict[str, str]:
    return version_of("numpy")


class Contestant(Base):
    note = "the exercise's script: the loss at every step; orders are drawn outside of the timer"

    def build(self) -> None:
        self.target = self.y
        if self.workload.output == "softmax":
            self.target = np.eye(self.workload.layers[-1], dtype=self.dtype)[self.y]

    def reset(self) -> None:
        self.parameters = self.initial()
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for pair in self.parameters for p in pair]
        self.updates = 0

    def run(self, epochs: int, given: bool) -> float:
        orders, batches = self.orders(epochs), self.batches()
        whole = len(batches) == 1 and not self.workload.shuffle
        start = now()
        for order in orders:
            for batch in batches:
                rows = batch if order is None else order[batch]
                if whole:
                    self.step(self.x, self.target)
                else:
                    self.step(self.x[rows], self.target[rows])
        return now() - start

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        """One update in place; -> the loss before it."""
        w = self.workload
        *activations, z = forward(w, self.parameters, x)
        if w.output == "softmax":
            e = np.exp(z - np.max(z, axis=1, keepdims=True))
            p = e / np.sum(e, axis=1, keepdims=True)
            loss = -np.mean(np.sum(y * np.log(p + 1e-9), axis=1))
            dz = (p - y) / len(x)
        else:
            p = sigmoid(z) if w.output == "sigmoid" else z
            error = p - y
            loss = np.mean(error**2)
            dz = 2 * error / error.size
            if w.output == "sigmoid":
                dz = dz * p * (1 - p)
        gradients = []
        for layer in reversed(range(len(self.parameters))):
            a = activations[layer]
            gradients += [np.sum(dz, axis=0), a.T @ dz]
            if layer:
                slope = (a > 0) if w.hidden == "relu" else 1 - a**2 if w.hidden == "tanh" else a * (1 - a)
                dz = (dz @ self.parameters[layer][0].T) * slope
        self.update(gradients[::-1])
        return float(loss)

    def update(self, gradients: list[np.ndarray]) -> None:
        rate = self.workload.learning_rate
        parameters = [p for pair in self.parameters for p in pair]
        if self.workload.optimizer == "sgd":
            for p, g in zip(parameters, gradients, strict=True):
                p -= rate * g
            return
        self.updates += 1
        size = rate / (1 - BETA_1**self.updates)
        correction = (1 - BETA_2**self.updates) ** 0.5
        for p, g, (m, v) in zip(parameters, gradients, self.moments, strict=True):
            m *= BETA_1
            m += (1 - BETA_1) * g
            v *= BETA_2
            v += (1 - BETA_2) * g**2
            p -= size * m / (np.sqrt(v) / correction + EPSILON)

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(w.copy(), b.copy()) for w, b in self.parameters]
