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
    """A multi-layer perceptron regressor with scikit-learn's interface, for one value or several a row.

    The parameters up to `max_fun` are scikit-learn's, with its defaults and meaning; `loss`, `activation` and
    `learning_rate` accept more than there. `dropout`, `callbacks` and `n_threads` are additional parameters.

    Parameters
    ----------
    loss : str, Huber or Quantile, default="squared_error"
        "squared_error" and "poisson" have a factor of 1/2, as in scikit-learn. "poisson" is for counts, whose mean is
        e^z. Additional losses are "absolute_error", "huber", "quantile", and `Huber(delta)` and `Quantile(q)` of
        `fastmlp.losses`.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The number of units in each hidden layer.
    activation : str or list of str, default="relu"
        Activation of the hidden layers: one name, or a list with one for each hidden layer. scikit-learn's "identity",
        "logistic", "tanh" and "relu"; and "leaky_relu", "elu", "selu", "softplus", "gelu", "gelu_erf", "silu",
        "mish" and "sigmoid", which is "logistic".
    solver : {"lbfgs", "sgd", "adam"}, default="adam"
        "lbfgs" is scipy's L-BFGS-B, in float64 and single-threaded. "sgd" and "adam" are stochastic: they train on
        batches.
    alpha : float, default=0.0001
        Strength of the L2 penalty: alpha / 2 times the sum of the squared weights, divided by the number of rows in the
        batch (or their total weight). Biases are not penalised.
    batch_size : int or "auto", default="auto"
        Rows in a batch for "sgd" and "adam"; "auto" is min(200, number of rows).
    learning_rate : {"constant", "invscaling", "adaptive"} or Schedule, default="constant"
        The names are for "sgd". "constant" is learning_rate_init. "invscaling" is learning_rate_init / (t_ +
        1)^power_t, changed after each epoch. "adaptive" divides the rate by 5 each time that n_iter_no_change epochs in
        a row did not improve by tol. One of `fastmlp.schedules` is accepted for "sgd" and "adam"; learning_rate_init is
        then not used.
    learning_rate_init : float, default=0.001
        The first learning rate of "sgd" and "adam".
    power_t : float, default=0.5
        The exponent of "invscaling".
    max_iter : int, default=200
        The largest number of iterations; for "sgd" and "adam", of epochs.
    shuffle : bool, default=True
        Whether "sgd" and "adam" shuffle the rows in each epoch.
    random_state : int, RandomState or None, default=None
        Source of the initial weights, the rows that early_stopping holds out, the order of the rows, and dropout.
    tol : float, default=1e-4
        Training has converged when n_iter_no_change epochs in a row did not improve the loss (with early_stopping, the
        validation score) by at least tol. For "lbfgs", the tolerance of the gradient.
    verbose : bool or int, default=False
        Whether to print the loss of each iteration.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit. hidden_layer_sizes must not have changed.
    momentum : float, default=0.9
        Momentum of "sgd", from 0 to 1.
    nesterovs_momentum : bool, default=True
        Whether the momentum of "sgd" is Nesterov's.
    early_stopping : bool, default=False
        Whether to hold out validation_fraction of the rows, end training when their score has not improved by tol for
        n_iter_no_change epochs, and restore the weights of the best score. For "sgd" and "adam"; not for `partial_fit`.
    validation_fraction : float, default=0.1
        The fraction of the rows that early_stopping holds out.
    beta_1 : float, default=0.9
        Decay of the average of gradients in "adam", from 0 to less than 1.
    beta_2 : float, default=0.999
        Decay of the average of squared gradients in "adam", from 0 to less than 1.
    epsilon : float, default=1e-8
        Added to the denominator of "adam"; above 0.
    n_iter_no_change : int or inf, default=10
        The number of epochs without improvement by tol that are allowed.
    max_fun : int, default=15000
        The largest number of loss evaluations of "lbfgs".
    dropout : float or list of float, default=0.0
        The fraction of hidden units that is dropped, drawn for each row of a batch; or a list with one fraction for
        each hidden layer. For "sgd" and "adam".
    callbacks : callable, list of callable or None, default=None
        Functions of a `fastmlp.Info` that are called after each epoch. Training ends if one of them returns True. For
        "sgd" and "adam".
    n_threads : int or None, default=None
        The number of threads of "sgd" and "adam". None is the environment variable FASTMLP_NUM_THREADS if it is set,
        else as many as make training faster. The result is the same, to the bit.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (K, J)
        The weights of each layer.
    intercepts_ : list of ndarray of shape (J,)
        The biases of each layer.
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        The features' names, if X had column names that are all strings.
    n_iter_ : int
        The number of iterations of the last fit; for "sgd" and "adam", of epochs.
    n_layers_ : int
        The number of layers, inputs and outputs included.
    n_outputs_ : int
        The number of outputs.
    out_activation_ : str
        The output activation: "identity", or "exp" for "poisson".
    loss_ : float
        The last loss.
    t_ : int
        The number of rows that "sgd" and "adam" have seen, over all epochs.
    loss_curve_ : list of float
        The loss of each epoch. With "sgd" and "adam" only, as all that follow.
    best_loss_ : float or None
        The smallest loss; None with early_stopping.
    validation_scores_ : list of float or None
        The score of the validation rows after each epoch; None without validation.
    best_validation_score_ : float or None
        The largest of them.
    validation_loss_curve_ : list of float or None
        The mean loss of the validation rows after each epoch, without alpha's penalty and with all rows counting alike;
        None without validation. scikit-learn does not have this attribute.

    Notes
    -----
    By default the arithmetic is scikit-learn's, except for rounding: the same random_state gives the same initial
    weights, batches and learning curve. docs/estimators.md has the details, and what differs.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
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
        """Goes through the rows once, from where the last call ended. For "sgd" and "adam".

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Values.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row, 0 or more.

        Returns
        -------
        self
            The estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong, or the training diverges. The estimator is then as it was before.
        RuntimeError
            If another call is fitting the estimator.
        """
        return self._trained(lambda: self._fit(X, y, sample_weight, (None, None, None), True))

    def predict(self, X: Any) -> np.ndarray:
        """Predicts values.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            One value for each row, or J of them, in the network's dtype.
        """
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
