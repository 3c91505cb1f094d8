"""One data set of a study: which networks are trained on it, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.study.outcomes import loss_of_guessing, run_of, solved, typical
from fastmlp.study.runs import Run
from fastmlp.sweep import Sweep


@dataclass(frozen=True)
class Plan:
    """What a study tries.

    Attributes
    ----------
    rates : tuple of float
        Learning rates, ascending.
    depths : tuple of int
        Numbers of hidden layers, ascending.
    inits : tuple
        Initial weights: names, or standard deviations of normal ones.
    widths : tuple of int
        Sizes of the hidden layers, ascending.
    seeds : tuple of int
        Of the initial weights.
    depth, width, init : object
        Of the networks that differ in something else.
    epochs : int
        Steps of gradient descent over all rows.
    hidden : str
        The activation of the hidden layers.
    goal : float
        The accuracy of a network that solved the task.
    """

    rates: tuple[float, ...] = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    depths: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    inits: tuple[Any, ...] = (0.0, 0.01, "glorot_normal", "he_normal", 3.0)
    widths: tuple[int, ...] = (1, 2, 4, 8, 16)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    depth: int = 2
    width: int = 8
    init: Any = "he_normal"
    epochs: int = 2000
    hidden: str = "relu"
    goal: float = 0.95


@dataclass
class Case:
    """A data set, and the runs on it.

    Attributes
    ----------
    name : str
        What it is called in sentences.
    plan : Plan
        What was tried.
    runs : list of Run
        What became of it.
    rate : float
        The learning rate of the runs that compare initialisations and widths: that which solved the task in most runs
        over all depths; of equal ones, that of the lowest median loss.
    guess : float
        The loss of guessing: that of the best constant answer.
    X, y : ndarray
        The rows (N, K) and the labels (N,).
    """

    name: str
    plan: Plan
    X: np.ndarray
    y: np.ndarray
    runs: list[Run] = field(default_factory=list)
    rate: float = 0.1

    @property
    def guess(self) -> float:
        """The loss of the best constant answer."""
        return loss_of_guessing(self.y)

    def where(self, *, depths: Iterable[int] | None = None, **coordinates: Any) -> list[Run]:
        """The runs with these coordinates. depths: several."""
        allowed = None if depths is None else set(depths)
        return [
            run
            for run in self.runs
            if (allowed is None or run.depth in allowed)
            and all(same(getattr(run, name), value) for name, value in coordinates.items())
        ]

    def by_rate(self, rate: float, depth: int | None = None) -> list[Run]:
        """The runs of this rate and depth, by default the plan's."""
        plan = self.plan
        depth = plan.depth if depth is None else depth
        return self._at(learning_rate=rate, depth=depth, init=plan.init, width=plan.width)

    def by_init(self, init: Any, depth: int) -> list[Run]:
        """The runs with these initial weights and this depth, at the case's rate."""
        return self._at(learning_rate=self.rate, depth=depth, init=init, width=self.plan.width)

    def by_width(self, width: int) -> list[Run]:
        """The runs of this width, at the case's rate; none without hidden layers."""
        if not self.plan.depth:
            return []
        return self._at(learning_rate=self.rate, depth=self.plan.depth, init=self.plan.init, width=width)

    def _at(self, **coordinates: Any) -> list[Run]:
        if coordinates["depth"] == 0:
            del coordinates["width"]  # there are no hidden layers
        return self.where(**coordinates)

    def train(self, threads: int | None, progress: bool | None) -> None:
        """Trains what the plan asks for: first rates by depths, then initialisations by depths, and widths."""
        plan = self.plan
        base = {"hidden": plan.hidden, "init": plan.init, "width": plan.width, "depth": plan.depth}
        seeds = list(plan.seeds)
        grid = {"learning_rate": list(plan.rates), "depth": list(plan.depths), "seed": seeds}
        self._train([grid], base, threads, progress)
        self.rate = self._best_rate()
        grids: list[dict[str, Any]] = []
        if inits := [init for init in plan.inits if not same(init, plan.init)]:
            grids.append({"init": inits, "depth": list(plan.depths), "seed": seeds})
        if plan.depth and (widths := [width for width in plan.widths if width != plan.width]):
            grids.append({"width": widths, "seed": seeds})
        if grids:
            self._train(grids, {**base, "learning_rate": self.rate}, threads, progress)

    def _train(self, grids: list[Any], base: dict[str, Any], threads: int | None, progress: bool | None) -> None:
        plan = self.plan
        results = Sweep(grids, base=base).fit(self.X, self.y, epochs=plan.epochs, threads=threads, progress=progress)
        self.runs += [run_of(self.name, result, base, self.X, self.guess, plan.goal) for result in results]

    def _best_rate(self) -> float:
        """See `rate`."""
        depths = [depth for depth in self.plan.depths if depth] or list(self.plan.depths)

        def rank(rate: float) -> tuple[int, float]:
            runs = self.where(learning_rate=rate, depths=depths)
            loss = typical(runs).loss
            return -solved(runs), loss if np.isfinite(loss) else np.inf

        return min(self.plan.rates, key=rank)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)


def same(one: Any, other: Any) -> bool:
    """Whether two coordinates are equal: a name is no number."""
    return isinstance(one, str) == isinstance(other, str) and bool(one == other)
