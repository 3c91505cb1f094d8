"""`MLPClassifier`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d, compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from fastmlp.checks.integers import check_exact
from fastmlp.estimators import arguments
from fastmlp.estimators.arguments import ARRAY
from fastmlp.estimators.base import BaseMLP
from fastmlp.losses import CrossEntropy
from fastmlp.spec import Spec

EXACT = {"e": 2.0**11, "f": 2.0**24, "d": 2.0**53}  # below, labels of these dtypes stay apart


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron for labels, with scikit-learn's interface; also for several yes or no at once.

    The parameters up to max_fun are scikit-learn's `MLPClassifier`'s, with its defaults and meaning; these take more:

    activation: also "leaky_relu", "elu", "selu", "softplus", "gelu", "gelu_erf" and "silu"; and a list of names, one
        for each hidden layer.
    learning_rate: also one of `fastmlp.schedules`, for "adam", too; learning_rate_init then has no part in it.

    And these are new:

    loss: "log_loss"; CrossEntropy(label_smoothing=...) of `fastmlp.losses`; or, of two classes or several labels,
        "squared_error".
    class_weight: {label: weight}, "balanced", or None, as scikit-learn's other classifiers have it.
    dropout: the share of hidden units that each row of a batch goes without, or a list, one for each hidden layer.
    callbacks: a function of a `fastmlp.Info` after each epoch, or a list of them; training ends if one returns True.
    n_threads: None: FASTMLP_NUM_THREADS, or as many as make it faster. The result is the same, to the bit.

    dropout, callbacks and n_threads are for "sgd" and "adam".

    classes_, coefs_, intercepts_, n_features_in_, feature_names_in_, n_iter_, n_layers_, n_outputs_, out_activation_,
    loss_, t_, and of "sgd" and "adam" loss_curve_, best_loss_, validation_scores_ and best_validation_score_ are
    scikit-learn's; validation_loss_curve_ is the validation rows' mean loss after each epoch, without alpha's penalty
    and with all rows counting alike.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> MLPClassifier(random_state=1).fit(X / 16, y).score(X / 16, y)
    1.0
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions({"log_loss", "squared_error"}), CrossEntropy],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    _several = False  # labels a row

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    @available_if(lambda estimator: estimator._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """Goes through the rows once, from where the last call ended; X, y and sample_weight are those of `fit`.

        classes: all labels that will come, sorted or not; the first call needs them.
        """

        def fit() -> MLPClassifier:
            if _check_partial_fit_first_call(self, classes):
                _check_exact(np.asarray(classes), "classes")
                arguments.refuse(y=y)
                with arguments.in_words("y"):
                    several = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if several else classes)
            return self._fit(X, y, sample_weight, (None, None, None), incremental=True)

        return self._trained(fit)

    def predict(self, X: Any) -> np.ndarray:
        """The labels (N,) of rows X (N, K); of several labels a row, 0 or 1 for each, (N, J).

        A label is that of the first largest probability; a yes is a probability above one half.
        """
        p = self._outputs(X) if type(X) is ARRAY else arguments.outputs_of(self, X)
        if p.shape[1] > 1 and self._network.output == "softmax":
            return self.classes_.take(p.argmax(axis=1))
        if p.shape[1] == 1 and len(self.classes_) == 2 and not self._several:
            return self.classes_.take(p[:, 0] > 0.5)
        return self._label_binarizer.inverse_transform(p.ravel() if p.shape[1] == 1 else p)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of classes_: (N, C). Of several labels a row, of each, (N, J)."""
        p = self._outputs(X) if type(X) is ARRAY else arguments.outputs_of(self, X)
        if p.shape[1] > 1:
            return p
        both = np.empty((len(p), 2), p.dtype)
        np.subtract(1, p[:, 0], out=both[:, 0])
        both[:, 1] = p[:, 0]
        return both

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithms of `predict_proba`; -inf, with NumPy's warning, where that is 0."""
        p = self.predict_proba(X)
        return np.log(p, out=p)

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        alike = not reset and type(y) is np.ndarray and self._takes(X) and y.shape == X.shape[:1]
        places = self._places(y) if alike else None
        if places is None:
            X, y = arguments.validated(self, X, y, dtype=(np.float64, np.float32), reset=reset)
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            _check_exact(y, "y")
            if not hasattr(self, "classes_") or not (self.warm_start or incremental):
                self._label_binarizer = LabelBinarizer().fit(y)
                self.classes_ = self._label_binarizer.classes_
            self._several = self._label_binarizer.y_type_.startswith("multilabel")
            places = self._places(y)
        count = len(self.classes_)
        if places is None or (self.warm_start and len(np.unique(places)) < count):
            self._check_labels(y)
            return X, self._label_binarizer.transform(y).astype(bool)
        return X, places[:, None] == (np.arange(count) if count > 2 else [1])

    def _places(self, y: Any) -> np.ndarray | None:
        """The place in classes_ of each label y (N,); None where not all are there, or it takes scikit-learn to tell.

        In 5 us of what its checks and its LabelBinarizer take 500 for.
        """
        kinds = {y.dtype.kind, self.classes_.dtype.kind} if isinstance(y, np.ndarray) and y.ndim == 1 else set("O")
        if self._several or not (kinds <= set("biuf") or kinds == {"U"}):
            return None
        if "f" in kinds:
            exact = min(EXACT.get(some.dtype.char, np.inf) for some in (y, self.classes_))
            if max(float(self.classes_[-1]), -float(self.classes_[0])) >= exact:
                return None
        places = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        return places if (self.classes_[places] == y).all() else None

    def _check_labels(self, y: Any) -> None:
        """Raises ValueError where y has not the classes that a network goes on with."""
        found = unique_labels(y)
        if self.warm_start and set(found) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {found}"
            )
        if len(np.setdiff1d(found, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {found}."
            )

    def _given_validation(self, given: tuple[Any, Any, Any]) -> tuple[Any, np.ndarray, np.ndarray | None] | None:
        arguments.refuse(X_val=given[0], y_val=given[1])
        with arguments.in_words("X_val or y_val"):
            return super()._given_validation(given)

    def _targets_of(self, y: Any) -> np.ndarray:
        if self._several:
            shape, count = np.shape(y), len(self.classes_)
            if len(shape) != 2 or shape[1] != count:
                raise ValueError(f"y_val has the shape {shape}, and y has {count} labels a row: give a column for each")
            return np.asarray(self._label_binarizer.transform(y)).astype(bool)
        y = column_or_1d(y)
        _check_exact(y, "y_val")
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y_val has {unknown[0]}, which y has not: give rows of the classes {self.classes_}")
        return self._label_binarizer.transform(y).astype(bool)

    def _spec(self, layers: list[int], hidden: tuple[str, ...], dtype: str) -> Spec:
        softmax = self._label_binarizer.y_type_ == "multiclass"
        if not softmax:
            loss = "squared_error" if self.loss == "squared_error" else "binary_cross_entropy"
            return Spec.build(layers, hidden, "sigmoid", loss, dtype)
        if self.loss == "squared_error":
            raise ValueError(
                f'loss="squared_error" goes with two classes or several labels a row, and y has {len(self.classes_)} '
                'classes: use "log_loss"'
            )
        return Spec.build(layers, hidden, "softmax", None if self.loss == "log_loss" else self.loss, dtype)

    def _scorer(self, spec: Spec, y: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float] | None:
        if weights is None:
            return None

        def accuracy(p: np.ndarray) -> float:
            right = p.argmax(axis=1) == y.argmax(axis=1) if spec.output == "softmax" else ((p > 0.5) == y).all(axis=1)
            return float(np.average(right, weights=weights))

        return accuracy

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if self._several and isinstance(self.class_weight, dict):
            raise ValueError(
                f"class_weight={self.class_weight!r} is of one label a row, and y has {len(self.classes_)}: use "
                '"balanced", or sample_weight'
            )
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                'class_weight="balanced" is that of all rows, which partial_fit does not see: give a dict, as '
                "sklearn.utils.class_weight.compute_class_weight makes it, or sample_weight"
            )
        if incremental and isinstance(self.class_weight, dict) and not self._several:  # a batch may lack a class
            of_class = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            return of_class[np.searchsorted(self.classes_, column_or_1d(y))]
        return compute_sample_weight(self.class_weight, y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _check_exact(y: Any, name: str) -> None:
    """Raises ValueError for labels (N,), floats, that are so large that two may have become one."""
    if y.dtype.kind == "f" and y.ndim == 1 and y.size and np.isfinite(y).all():
        check_exact(y, name)
