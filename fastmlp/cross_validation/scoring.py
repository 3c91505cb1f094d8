"""What `scoring` means: fastmlp's own figures, a function of (y_true, y_pred), or scikit-learn's scorers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import either, install, shown
from fastmlp.core import data
from fastmlp.model import Model
from fastmlp.spec import Spec

OWN = ("accuracy", "r2", "loss")


class HeldOut:
    """What a fold's model makes of the rows that were held out: each figure is computed once."""

    def __init__(self, model: Model, x: np.ndarray, targets: np.ndarray, threads: int | None) -> None:
        self.model, self.x, self.threads = model, x, threads
        self.targets, self.y_true = targets, in_the_form_of_predictions(model.spec, targets)
        self._evaluated: dict[str, float] | None = None
        self._predicted: np.ndarray | None = None

    def evaluated(self) -> dict[str, float]:
        """`Model.evaluate`."""
        if self._evaluated is None:
            self._evaluated = self.model.evaluate(self.x, self.targets, threads=self.threads)
        return self._evaluated

    def predicted(self) -> np.ndarray:
        """`Model.predict`."""
        if self._predicted is None:
            self._predicted = self.model.predict(self.x, threads=self.threads)
        return self._predicted


Scorer = Callable[[HeldOut], float]


def in_the_form_of_predictions(spec: Spec, targets: np.ndarray) -> np.ndarray:
    """Targets, as `data.targets` has them, in the shape of `Model.predict`; labels are integers."""
    targets = data.hard(spec, targets)
    y = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    return y.astype(np.int64) if data.labelled(spec, targets) else y


def scorers_of(scoring: Any, spec: Spec, labelled: bool) -> dict[str, Scorer]:
    """{name: scorer}, the one that stands for the others first. Raises TypeError or ValueError naming scoring."""
    if scoring is None:
        if not spec.is_classifier:
            scoring = ["r2", "loss"]
        else:
            scoring = ["accuracy", "loss"] if labelled else ["loss"]
    several = list(scoring) if isinstance(scoring, Sequence) and not isinstance(scoring, str) else [scoring]
    if not several:
        raise ValueError("scoring is empty: give a name or a function, or leave it out")
    found: dict[str, Scorer] = {}
    for one in several:
        name, scorer = _scorer(one, spec, labelled)
        if name in found:
            raise ValueError(f"scoring has {shown(name)} twice")
        found[name] = scorer
    return found


def _scorer(one: Any, spec: Spec, labelled: bool) -> tuple[str, Scorer]:
    if isinstance(one, str):
        if one in OWN:
            _check_own(one, spec, labelled)
            return one, lambda held: held.evaluated()[one]
        return one, _by_sklearn(_named(one), one)
    if not callable(one):
        raise TypeError(f"scoring={shown(one)} is neither a name nor a function of (y_true, y_pred)")
    function = getattr(one, "_score_func", one)
    name = str(getattr(function, "__name__", type(function).__name__))
    if function is not one:  # what scikit-learn's make_scorer and get_scorer return
        return name, _by_sklearn(one, name)
    return name, lambda held: _number(one(held.y_true, held.predicted()), name)


def _check_own(name: str, spec: Spec, labelled: bool) -> None:
    """Raises ValueError for a figure that such a network does not have."""
    there = ("loss", "r2") if not spec.is_classifier else ("loss", "accuracy") if labelled else ("loss",)
    if name not in there:
        soft = " and targets that are no labels" if spec.is_classifier and not labelled else ""
        why = f'output="{spec.output}"{soft}'
        raise ValueError(f'scoring="{name}" does not go with {why}: use {either(there)}')


def _named(name: str) -> Any:
    """scikit-learn's scorer of a name."""
    try:
        from sklearn.metrics import get_scorer
    except ImportError:
        raise ValueError(
            f"scoring={shown(name)} is none of {either(OWN)}; scikit-learn, which may know it, is not installed: "
            f"{install('sklearn')}; or give a function of (y_true, y_pred)"
        ) from None
    try:
        return get_scorer(name)
    except ValueError:
        raise ValueError(
            f"scoring={shown(name)} is none of {either(OWN)}, nor one of scikit-learn's: give one of these, "
            "or a function of (y_true, y_pred)"
        ) from None


def _by_sklearn(scorer: Any, name: str) -> Scorer:
    def score(held: HeldOut) -> float:
        return _number(scorer(_estimator(held), held.x, held.y_true), name)

    return score


def _estimator(held: HeldOut) -> Any:
    """The model as scikit-learn's scorers take one."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    spec = held.model.spec

    class Base(BaseEstimator):  # type: ignore[misc]
        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, X: Any) -> np.ndarray:
            return held.predicted() if X is held.x else held.model.predict(X)

    class Classifier(ClassifierMixin, Base):  # type: ignore[misc]
        classes_ = np.arange(max(2, spec.outputs))

        def predict_proba(self, X: Any) -> np.ndarray:
            p = held.model.predict_proba(X, threads=held.threads)
            return np.column_stack([1 - p, p]) if p.shape[1] == 1 else p

    class Regressor(RegressorMixin, Base):  # type: ignore[misc]
        pass

    return Classifier() if spec.is_classifier else Regressor()


def _number(value: Any, name: str) -> float:
    """A score as a float."""
    try:
        return float(value)
    except Exception as error:
        only_faults(error)
        raise TypeError(f"scoring: {name} returned {shown(value)}, which is not a number") from None


def of_all(scorers: dict[str, Scorer], held: HeldOut | None) -> list[float]:
    """Each score of a fold; NaN where its training diverged."""
    return [math.nan if held is None else scorer(held) for scorer in scorers.values()]
