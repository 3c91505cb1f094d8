"""`MLPRegressor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from fastmlp.estimators import arguments
from fastmlp.estimators.arguments import ARRAY
from fastmlp.estimators.base import BaseMLP
from fastmlp.losses import Huber, Quantile
from fastmlp.spec import Spec


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multi-layer perceptron for values, one or several a row, with scikit-learn's interface.

    The parameters up to max_fun are scikit-learn's `MLPRegressor`'s, with its defaults and meaning; these take more:

    loss: "squared_error" and "poisson" are halves, as there, and "poisson" is for counts, whose mean is e^z; also
        "absolute_error", "huber" and "quantile", and Huber(delta) or Quantile(q) of `fastmlp.losses`.
    activation, learning_rate: as `MLPClassifier` has them, and dropout, callbacks and n_threads, which are new.

    Attributes are `MLPClassifier`'s, but for classes_.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(MLPRegressor(solver="lbfgs", alpha=1, max_iter=1000, random_state=1).fit(X, y).score(X, y), 1)
    0.6
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "loss": [
            StrOptions({"squared_error", "poisson", "absolute_error", "huber", "quantile"}), Huber, Quantile,
        ],
    }  # fmt: skip

    def __init__(
        self,
        loss: Any = "squared_error",
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
        dropout: Any = 0.0,
        callbacks: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep(locals())

    @available_if(lambda estimator: estimator._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Goes through the rows once, from where the last call ended; X, y and sample_weight are those of `fit`."""
        return self._trained(lambda: self._fit(X, y, sample_weight, (None, None, None), True))

    def predict(self, X: Any) -> np.ndarray:
        """The values of rows X (N, K): (N,), or (N, J) where there are several, in the network's dtype."""
        values = self._outputs(X) if type(X) is ARRAY else arguments.outputs_of(self, X)
        return values.reshape(-1) if values.shape[1] == 1 else values

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        if reset or not (type(y) is np.ndarray and y.dtype.kind in "biuf" and self._takes(X) and _fits(X, y)):
            X, y = arguments.validated(self, X, y, y_numeric=True, dtype=(np.float64, np.float32), reset=reset)
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            if y.dtype.kind not in "biuf":
                raise TypeError(f"y has the dtype {y.dtype}, and takes numbers: give y.astype(float), if it has them")
        return X, self._checked(y, "y")

    def _given_validation(self, given: tuple[Any, Any, Any]) -> tuple[Any, np.ndarray, np.ndarray | None] | None:
        arguments.refuse(X_val=given[0], y_val=given[1])
        with arguments.in_words("X_val or y_val"):
            return super()._given_validation(given)

    def _targets_of(self, y: Any) -> np.ndarray:
        return self._checked(check_array(y, ensure_2d=False, dtype="numeric", input_name="y_val"), "y_val")

    def _checked(self, y: np.ndarray, name: str) -> np.ndarray:
        if y.dtype.kind not in "biu" and y.dtype.char not in "efd":  # objects, longdouble: scores are of float64
            with arguments.in_words(name), np.errstate(over="ignore"):
                y = y.astype(np.float64)
            if not np.isfinite(y).all():
                raise ValueError(f"{name} has a number that is too large for float64: scale it")
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f'{name} has {y.min()}, and loss="poisson" takes counts, or other values of 0 or more')
        return y

    def _spec(self, layers: list[int], hidden: tuple[str, ...], dtype: str) -> Spec:
        output = "exponential" if self.loss == "poisson" else "identity"
        return Spec.build(layers, hidden, output, self.loss, dtype)

    def _scorer(self, spec: Spec, y: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float] | None:
        return lambda values: float(r2_score(y, values, sample_weight=weights)) if np.isfinite(values).all() else np.nan

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _fits(X: np.ndarray, y: np.ndarray) -> bool:
    """Whether y is (N,), or (N, J) of several columns, and finite: scikit-learn's checks would say nothing of it."""
    return len(y) == len(X) and (y.ndim == 1 or (y.ndim == 2 and y.shape[1] > 1)) and bool(np.isfinite(y).all())
