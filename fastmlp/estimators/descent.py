"""The optimizers "sgd" and "adam" with their learning rates, as they go on from one `partial_fit` to the next."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.optimizers import ClassicalSGD, Optimizer, PlainAdam
from fastmlp.schedules import PlateauRun, ReduceOnPlateau, Schedule
from fastmlp.spec import Spec
from fastmlp.stopping import higher_is_better
from fastmlp.system.atomic import Change, held
from fastmlp.training import Rates, State

SMALLEST_RATE = 1e-6  # at which "adaptive" ends a training


@dataclass
class Descent:
    """An optimizer, its state, and the learning rate of the epoch to come.

    To the engine it is an object with rates of times, all of which are the rate as it is now.
    """

    optimizer: Optimizer
    state: State
    learning_rate: float
    initial: float
    rule: str | Schedule  # "constant", "invscaling" or "adaptive"
    power_t: float
    plateau: PlateauRun | None
    epochs: int = 0

    fixed = False

    @classmethod
    def begin(cls, estimator: Any, spec: Spec) -> Descent:
        """What an estimator's parameters ask for, before the first update."""
        rule = estimator.learning_rate
        optimizer: Optimizer
        if estimator.solver == "sgd":
            optimizer = ClassicalSGD(momentum=float(estimator.momentum), nesterov=bool(estimator.nesterovs_momentum))
        else:
            beta_1, beta_2, epsilon = (float(getattr(estimator, name)) for name in ("beta_1", "beta_2", "epsilon"))
            optimizer = PlainAdam(beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
            rule = rule if isinstance(rule, Schedule) else "constant"
        rate = rule.initial if isinstance(rule, Schedule) else float(estimator.learning_rate_init)
        plateau = rule.start() if isinstance(rule, ReduceOnPlateau) else None
        state = State.new(optimizer, spec.parameters, spec.dtype)
        return cls(optimizer, state, rate, rate, rule, float(estimator.power_t), plateau)

    def copy(self) -> Descent:
        return dataclasses.replace(self, state=self.state.copy(), plateau=copy.copy(self.plateau))

    def rates(self, t: Any) -> np.ndarray:
        """The rate as it is now, for each time in t (T,)."""
        return np.full(np.shape(t), self.learning_rate)

    @property
    def of_training(self) -> float | Rates:
        """What a Training has as its learning rate."""
        if isinstance(self.rule, Schedule) and self.plateau is None:
            return self.rule
        return self.learning_rate if self.rule == "constant" else self

    def epoch_ended(self, rows_ever: int, metric: str, value: float) -> list[Change]:
        """The changes after an epoch, with so many rows seen in all. metric, value: what a plateau looks at."""
        epochs, rate, changes = self.epochs + 1, self.learning_rate, []
        if self.rule == "invscaling":
            rate = self.initial / (rows_ever + 1) ** self.power_t
        elif self.plateau is not None:
            now = self.plateau.after(value, higher_is_better(metric))
            changes.append(held(self.plateau, "now", now))
            rate = now.rate
        elif isinstance(self.rule, Schedule):
            rate = float(self.rule.rates([epochs])[0])
        return [*changes, held(self, "epochs", epochs), held(self, "learning_rate", rate)]

    def stops(self, why: str, say: Callable[[str], None]) -> bool:
        """Whether training ends where it gets no better: "adaptive" goes on with a fifth of the rate while it can."""
        if self.rule != "adaptive":
            say(f"{why} Stopping.")
            return True
        if self.learning_rate <= SMALLEST_RATE:
            say(f"{why} Learning rate too small. Stopping.")
            return True
        self.learning_rate /= 5.0
        say(f"{why} Setting learning rate to {self.learning_rate:f}")
        return False
