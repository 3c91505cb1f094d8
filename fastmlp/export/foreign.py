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


def network_of(estimator: Any) -> tuple[Spec, list[tuple[np.ndarray, np.ndarray]]]:
    """The spec of a fitted MLPClassifier or MLPRegressor, scikit-learn's or ours, and (w (K, J), b (J,)) of each layer.

    Raises TypeError for another object, ValueError for one that is not fitted.
    """
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(estimator).__mro__}
    if not kinds & {f"{home}.{name}" for home in ("sklearn", "fastmlp") for name in ("MLPClassifier", "MLPRegressor")}:
        hint = ": give its last step, and scale rows as the others do" if hasattr(estimator, "steps") else ""
        raise TypeError(f"estimator is a {type(estimator).__name__}, and not an MLPClassifier or MLPRegressor{hint}")
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
