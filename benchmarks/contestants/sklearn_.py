"""scikit-learn's MLPClassifier and MLPRegressor, by `fit` with warm_start."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import BETA_1, BETA_2, EPSILON, Base, Unable, missing, now, version_of

IMPORTS = ("sklearn.neural_network",)


def available() -> str | None:
    return missing("sklearn")


def versions() -> dict[str, str]:
    return version_of("scikit-learn")


@contextmanager
def ends_of_epochs(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` after each epoch that scikit-learn trains meanwhile, which is when it tells its optimizer."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

    before = {kind: kind.iteration_ends for kind in (AdamOptimizer, SGDOptimizer)}

    def telling(ends: Callable[..., None]) -> Callable[..., None]:
        return lambda *given: (ends(*given), tell())[0]

    for kind, ends in before.items():
        kind.iteration_ends = telling(ends)
    try:
        yield
    finally:
        for kind, ends in before.items():
            kind.iteration_ends = ends


class Contestant(Base):
    note = "between a fit's first epoch and its last; its own shuffles are in it"

    def build(self) -> None:
        from sklearn.exceptions import ConvergenceWarning

        w = self.workload
        if w.output == "sigmoid":
            raise Unable("scikit-learn has no sigmoid output with squared error")
        warnings.simplefilter("ignore", ConvergenceWarning)  # it warns that max_iter is reached
        # Its loss is half the sum of squares over a row's outputs, ours their mean. Adam takes no notice of a factor
        # but in epsilon.
        self.factor = 1.0 if w.output == "softmax" else 2 / w.layers[-1]
        self.extra = w.output == "softmax" and w.layers[-1] == 2
        if self.extra:
            self.note = f"a third class that never occurs, as it gives two only one logistic output; {Contestant.note}"
        if w.optimizer == "adam":
            # It adds epsilon before the averages are corrected, the others after: at the first steps its is 30 times
            # theirs, which shows where gradients are small.
            self.tolerance = 1e-4
            self.note += "; its Adam adds epsilon in another place"

    def reset(self) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        w = self.workload
        activation = {"sigmoid": "logistic"}.get(w.hidden, w.hidden)
        rate = w.learning_rate * (self.factor if w.optimizer == "sgd" else 1)
        kind = MLPClassifier if w.output == "softmax" else MLPRegressor
        self.model: Any = kind(
            hidden_layer_sizes=w.layers[1:-1], activation=activation, solver=w.optimizer, alpha=0.0,
            batch_size=w.batch_rows, learning_rate_init=rate, shuffle=w.shuffle, momentum=0.0,
            nesterovs_momentum=False, beta_1=BETA_1, beta_2=BETA_2, epsilon=EPSILON / self.factor,
            random_state=0, max_iter=1, n_iter_no_change=2**31, tol=0.0,
        )  # fmt: skip
        # One epoch makes the weights, which are then overwritten in place. All classes are told here; those that fit
        # looks for are the ones that there are, as it refuses to go on where one never occurs.
        if kind is MLPClassifier:
            self.target = self.y
            self.model.partial_fit(self.x, self.target, classes=np.arange(w.layers[-1] + self.extra))
            self.model.classes_ = np.unique(self.target)
        else:
            self.target = self.y[:, 0] if w.layers[-1] == 1 else self.y
            self.model.partial_fit(self.x, self.target)
        self.model.warm_start = True
        for own, (given, _) in zip(self.model.coefs_, self.initial(), strict=True):
            own[...] = 0
            own[:, : given.shape[1]] = given
        for own in self.model.intercepts_:
            own[...] = 0
        if self.extra:
            self.model.intercepts_[-1][2] = -1e30  # a probability of exactly 0, and no gradient
        del self.model._optimizer  # partial_fit makes a new one

    def run(self, epochs: int, given: bool) -> float:
        if given:
            self.model.shuffle = False
            for order in self.orders(epochs):
                some = slice(None) if order is None else order
                self.model.partial_fit(self.x[some], self.target[some])
            self.model.shuffle = self.workload.shuffle
            return 0.0
        # What fit checks and copies first, once, is left out: its optimizer is told of the end of each epoch.
        times: list[float] = []
        with ends_of_epochs(lambda: times.append(now())):
            self.model.max_iter = 1 + epochs
            self.model.fit(self.x, self.target)
        return times[-1] - times[0]

    def weights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        outputs = self.workload.layers[-1]
        pairs = [(w.copy(), b.copy()) for w, b in zip(self.model.coefs_, self.model.intercepts_, strict=True)]
        w, b = pairs[-1]
        return [*pairs[:-1], (w[:, :outputs], b[:outputs])]
