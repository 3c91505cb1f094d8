"""Networks of other libraries: the door to PyTorch, and those of estimators. Imports neither before it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.checks.messages import lacks, shown
from fastmlp.core.preprocess import ScalePair
from fastmlp.spec import Spec

# What estimators call outputs.
OUT_ACTIVATIONS = {"softmax": "softmax", "sigmoid": "logistic", "identity": "identity", "exponential": "exp"}


def torch_modules(what: str) -> Any:
    """The module of this folder that imports PyTorch. what: who needs it. Raises ImportError without PyTorch."""
    try:
        from fastmlp.export import torch_modules
    except ImportError as error:
        raise ImportError(lacks(f"{what} needs", "torch")) from error
    return torch_modules


def _name_of(kind: type) -> str:
    """The package and the name of a class, as "sklearn.StandardScaler"."""
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def scaler_of(estimator: Any) -> tuple[Any, ScalePair | None]:
    """(the last step, mean and deviation) of a fitted pipeline of a StandardScaler and it; (estimator, None) of others.

    Raises TypeError for a pipeline of other steps, ValueError for one that is not fitted.
    """
    if not hasattr(estimator, "steps"):
        return estimator, None
    steps = [step for _, step in estimator.steps if step is not None and not isinstance(step, str)]
    if [_name_of(type(step)) for step in steps[:-1]] != ["sklearn.StandardScaler"]:
        told = ", ".join(type(step).__name__ for step in steps[:-1]) or "nothing"
        raise TypeError(
            f"estimator is a pipeline with {told} before its last step, and one StandardScaler of scikit-learn's is "
            "known: give the last step, and scale rows as the others do"
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

    Raises TypeError for another object, ValueError for one that is not fitted, or has one class alone, or a weight that
    is not finite.
    """
    kinds = {_name_of(kind) for kind in type(estimator).__mro__}
    classifies = kinds & {"sklearn.MLPClassifier", "fastmlp.MLPClassifier"}
    if not classifies and not kinds & {"sklearn.MLPRegressor", "fastmlp.MLPRegressor"}:
        raise TypeError(f"estimator is a {type(estimator).__name__}, and not an MLPClassifier or MLPRegressor")
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"estimator is a {type(estimator).__name__} that is not fitted: call its fit first")
    if classifies and len(estimator.classes_) == 1 and not estimator._label_binarizer.y_type_.startswith("multilabel"):
        raise ValueError(
            f"estimator's classes_ is {shown(estimator.classes_.tolist())}, one label alone: nothing is to be predicted"
        )
    layers = list(zip(map(np.asarray, estimator.coefs_), map(np.asarray, estimator.intercepts_), strict=True))
    if not all(np.isfinite(array).all() for pair in layers for array in pair):
        raise ValueError("estimator has a weight that is NaN or infinite: nothing can be predicted with it")
    known = getattr(estimator, "_network", None)
    if isinstance(known, Spec):
        return known, layers
    sizes = [layers[0][0].shape[0], *(len(b) for _, b in layers)]
    loss = {"log_loss": None}.get(estimator.loss, estimator.loss)
    output = next(ours for ours, theirs in OUT_ACTIVATIONS.items() if theirs == estimator.out_activation_)
    return Spec.build(sizes, estimator.activation, output, loss, layers[0][0].dtype), layers
