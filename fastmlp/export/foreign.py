"""Networks of other libraries: the door to PyTorch, and those of estimators. Imports neither before it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.checks.messages import lacks
from fastmlp.spec import Spec

OUTPUTS = {"softmax": "softmax", "logistic": "sigmoid", "identity": "identity", "exp": "exponential"}


def torch_modules(what: str) -> Any:
    """The module of this folder that imports PyTorch. what: who needs it. Raises ImportError without PyTorch."""
    try:
        from fastmlp.export import torch_modules
    except ImportError as error:
        raise ImportError(lacks(f"{what} needs", "torch")) from error
    return torch_modules


def scaler_of(estimator: Any) -> tuple[Any, tuple[np.ndarray, np.ndarray] | None]:
    """(the last step, mean and deviation) of a fitted pipeline of a StandardScaler and it; (estimator, None) of others.

    Raises TypeError for a pipeline of other steps, ValueError for one that is not fitted.
    """
    if not hasattr(estimator, "steps"):
        return estimator, None
    steps = [step for _, step in estimator.steps if step is not None and not isinstance(step, str)]
    before = [type(step).__name__ for step in steps[:-1]]
    if before != ["StandardScaler"]:
        told = ", ".join(before) or "nothing"
        raise TypeError(
            f"estimator is a pipeline with {told} before its last step, and one StandardScaler is known: give the last "
            "step, and scale rows as the others do"
        )
    scaler, last = steps
    if not hasattr(scaler, "n_features_in_"):
        raise ValueError("estimator is a pipeline that is not fitted: call its fit first")
    mean, deviation = scaler.mean_ if scaler.with_mean else None, scaler.scale_ if scaler.with_std else None
    count = scaler.n_features_in_
    mean = np.zeros(count) if mean is None else np.array(mean, np.float64)
    return last, (mean, np.ones(count) if deviation is None else np.array(deviation, np.float64))


def network_of(estimator: Any) -> tuple[Spec, list[tuple[np.ndarray, np.ndarray]]]:
    """The spec of a fitted MLPClassifier or MLPRegressor, scikit-learn's or ours, and (w (K, J), b (J,)) of each layer.

    Raises TypeError for another object, ValueError for one that is not fitted.
    """
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(estimator).__mro__}
    if not kinds & {f"{home}.{name}" for home in ("sklearn", "fastmlp") for name in ("MLPClassifier", "MLPRegressor")}:
        raise TypeError(f"estimator is a {type(estimator).__name__}, and not an MLPClassifier or MLPRegressor")
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"estimator is a {type(estimator).__name__} that is not fitted: call its fit first")
    layers = list(zip(map(np.asarray, estimator.coefs_), map(np.asarray, estimator.intercepts_), strict=True))
    known = getattr(estimator, "_network", None)
    if isinstance(known, Spec):
        return known, layers
    sizes = [layers[0][0].shape[0], *(len(b) for _, b in layers)]
    loss = {"log_loss": None}.get(estimator.loss, estimator.loss)
    output = OUTPUTS[estimator.out_activation_]
    return Spec.build(sizes, estimator.activation, output, loss, layers[0][0].dtype), layers
