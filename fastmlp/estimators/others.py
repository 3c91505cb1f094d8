"""Estimators of scikit-learn's, and as ONNX. Imported where a method needs it."""

from __future__ import annotations

import copy
import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from fastmlp.checks.messages import shown
from fastmlp.core.network import Network
from fastmlp.export import foreign, onnx_graph
from fastmlp.spec import Spec

# What estimators have beside weights: scikit-learn's under the names that ours have, all but validation_loss_curve_.
STATE = (
    "classes_", "_label_binarizer", "n_features_in_", "feature_names_in_", "n_iter_", "t_", "n_layers_", "n_outputs_",
    "out_activation_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "validation_loss_curve_",
    "best_validation_score_", "_no_improvement_count",
)  # fmt: skip


def fitted(cls: Any, estimator: Any) -> Any:
    """An estimator of class cls with the weights and state of scikit-learn's, or of ours."""
    kinds = [kind.__name__ for kind in type(estimator).__mro__]
    name = next(kind.__name__ for kind in cls.__mro__ if kind.__name__ in ("MLPClassifier", "MLPRegressor"))
    spec, layers = foreign.network_of(estimator)
    if name not in kinds:
        raise TypeError(f"estimator is a {type(estimator).__name__}, and {cls.__name__}.from_sklearn takes an {name}")
    known = inspect.signature(cls.__init__).parameters
    given = {key: value for key, value in estimator.get_params(deep=False).items() if key in known}
    made = cls(**{**given, "random_state": copy.deepcopy(given["random_state"])})  # a RandomState changes as it draws
    for key in STATE:
        if key in vars(estimator):
            setattr(made, key, copy.deepcopy(vars(estimator)[key]))
    if name == "MLPClassifier":
        made._several = made._label_binarizer.y_type_.startswith("multilabel")
    if "loss_curve_" in vars(made) and "validation_loss_curve_" not in vars(made):
        scores = made.validation_scores_
        made.validation_loss_curve_ = None if scores is None else [np.nan] * len(scores)
    made.coefs_, made.intercepts_ = [w for w, _ in layers], [b for _, b in layers]
    made._hold(spec, made._flat(spec))
    return made


def to_onnx(estimator: Any, path: str | os.PathLike, spec: Spec, parameters: np.ndarray, dtype: object) -> Path:
    """Writes a fitted estimator's network (P,), with its labels."""
    classes, pair = None, False
    if is_classifier(estimator) and not estimator._several:
        classes, pair = estimator.classes_, spec.outputs == 1
        if len(classes) == 1:
            raise ValueError(f"classes_ is {shown(classes.tolist())}, one label alone: nothing is to be predicted")
        if classes.dtype.kind in "UO" and all(isinstance(label, str) for label in classes):
            classes = classes.astype(object)
        elif classes.dtype.kind not in "biuf":
            raise ValueError(f"classes_ is {shown(classes.tolist())}, and labels in ONNX are numbers or texts")
    around = onnx_graph.Around(classes=classes, pair=pair)
    return onnx_graph.write(path, spec, parameters, Network(spec, parameters, 0).digest(), dtype, around)
