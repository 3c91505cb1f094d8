"""What the two estimators share: parameters and their checks, fitting, the trained network, and pickling."""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted, validate_data

from fastmlp import engine
from fastmlp.estimators import problem
from fastmlp.estimators.descent import Descent
from fastmlp.estimators.lbfgs import minimize
from fastmlp.estimators.problem import Rows
from fastmlp.estimators.stochastic import Score, Stochastic, loss_and_score
from fastmlp.forward import Forward
from fastmlp.schedules import Schedule
from fastmlp.spec import Spec

OUT_ACTIVATIONS = {"softmax": "softmax", "sigmoid": "logistic", "identity": "identity", "exponential": "exp"}


class BaseMLP(BaseEstimator):
    """The parameters are documented in the two classes."""

    _parameter_constraints: dict[str, list[Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(problem.KNOWN)), list, tuple],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"}), Schedule],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), list, tuple],
        "callbacks": [callable, list, tuple, None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Stores the arguments of `__init__`, as they are."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # -----------------------------------------------------------------------------------------------------
    # Of each class

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """X, and y (N, J) as numbers, or as booleans of classes."""
        raise NotImplementedError

    def _spec(self, layers: list[int], hidden: tuple[str, ...], dtype: str) -> Spec:
        """The network."""
        raise NotImplementedError

    def _targets_of(self, y: Any) -> np.ndarray:
        """A validation's y as `_validate_input` gives it."""
        raise NotImplementedError

    def _scorer(self, spec: Spec, y: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float] | None:
        """The validation's score of outputs (N, J), as `score` has it; None where the share of right rows is that."""
        raise NotImplementedError

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        """The weight (N,) of each row's class, before y is made numbers of; None where all count alike."""
        return None

    # -----------------------------------------------------------------------------------------------------
    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:  # fmt: skip
        """Trains from new initial weights, or with warm_start from those that there are; returns the estimator.

        X (N, K): an array or a sparse matrix; float32 is trained in float32, all else in float64. y (N,) or (N, J).
        sample_weight (N,): what each row counts for, 0 or more.
        X_val, y_val, sample_weight_val: rows to validate on after each epoch, in place of those that early_stopping
            would hold out; without early_stopping their score and loss are recorded, and end nothing.

        Raises ValueError for what does not fit, and where the training diverges. Ctrl-C ends the training with a
        warning, and leaves the weights that it had reached.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), incremental=False)

    def _is_stochastic(self) -> bool:
        if self.solver not in ("sgd", "adam"):
            raise AttributeError(f'partial_fit goes with solver="sgd" and "adam", and not with {self.solver!r}')
        return True

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], incremental: bool) -> Any:
        if self.early_stopping and incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it goes through the rows once, and validates nothing"
            )
        sizes = _sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        labels = y
        X, y = self._validate_input(X, y, incremental, reset=first)
        y = y.reshape(len(y), -1)
        of_classes = self._class_weights(labels, incremental)
        weights = _product(_weights(sample_weight, X), of_classes)
        if of_classes is not None:
            _check_product(weights)
        held = self._given_validation(validation)
        if held is not None and held[1].shape[1] != y.shape[1]:
            raise ValueError(f"y_val has {held[1].shape[1]} columns, and y has {y.shape[1]}: give as many")
        random_state = check_random_state(self.random_state)
        spec, parameters = self._begin_network([X.shape[1], *sizes, y.shape[1]], X.dtype, random_state, first)
        smoothing = problem.smoothing_of(self.loss) if is_classifier(self) else 0.0
        if self.solver == "lbfgs":
            minimize(self, spec, parameters, Rows.of(spec, X, y, weights, smoothing))
            self._hold(spec, parameters)
            return self
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = Descent.begin(self, spec)
        if self.early_stopping and held is None:
            X, y, weights, held = self._hold_out(X, y, weights, random_state)
        self._begin_curves(first, held is not None)
        score: Score | None = None
        if held is not None:
            X_val, y_val, weights_val = held
            score = loss_and_score(spec, Rows.of(spec, X_val, y_val, None), self._scorer(spec, y_val, weights_val))
        rows = Rows.of(spec, X, y, weights, smoothing)
        self._hold(spec, parameters)  # callbacks see the weights as they change
        try:
            Stochastic(self, spec, parameters, rows, self._optimizer, random_state, score, incremental).go()
        finally:
            self._hold(spec, parameters)
        return self

    def _begin_network(
        self, layers: list[int], dtype: np.dtype, random_state: np.random.RandomState, first: bool
    ) -> tuple[Spec, np.ndarray]:
        """The network, and its parameters to begin with: new ones, or those that there are. lbfgs is in float64."""
        hidden = problem.hidden_names(self.activation, len(layers) - 2)
        name = dtype.name if self.solver != "lbfgs" else "float64"
        if first:
            spec = self._spec(layers, hidden, name)
            self.n_iter_ = self.t_ = 0
            self.n_outputs_, self.n_layers_ = spec.outputs, len(spec.layers)
            self.out_activation_ = OUT_ACTIVATIONS[spec.output]
            return spec, problem.initial_parameters(spec, self.activation, random_state, dtype)
        spec = self._spec(layers, hidden, self._network.dtype if self.solver != "lbfgs" else name)
        if spec.layers != self._network.layers:
            raise ValueError(
                f"the network has the layers {list(self._network.layers)}, and this fit would have "
                f"{list(spec.layers)}: go on with the same hidden_layer_sizes and outputs, or with warm_start=False"
            )
        return spec, self._flat().astype(spec.dtype)

    def _begin_curves(self, first: bool, validates: bool) -> None:
        """What a first fit by "sgd" or "adam" sets, and a later one that asks for more than the last."""
        if first or not hasattr(self, "loss_curve_"):
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            self.best_loss_: float | None = None
            self.best_validation_score_: float | None = None
            self.validation_scores_: list[float] | None = None
            self.validation_loss_curve_: list[float] | None = None
        if not self.early_stopping and self.best_loss_ is None:
            self.best_loss_ = np.inf
        if validates and self.validation_scores_ is None:
            self.validation_scores_, self.validation_loss_curve_, self.best_validation_score_ = [], [], -np.inf

    def _given_validation(self, given: tuple[Any, Any, Any]) -> tuple[Any, np.ndarray, np.ndarray | None] | None:
        X, y, weights = given
        if (X is None) != (y is None):
            one, other = ("X_val", "y_val") if y is None else ("y_val", "X_val")
            raise ValueError(f"{one} is given without {other}: give both, or neither")
        if X is None:
            return None
        if self.solver == "lbfgs":
            raise ValueError('X_val and y_val go with solver="sgd" and "adam", and not with "lbfgs": leave them out')
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        check_consistent_length(X, y)
        y = self._targets_of(y)
        if len(y) < 2 and self.early_stopping:
            raise ValueError(f"The validation set is too small. X_val has {len(y)} rows, and 2 are the least")
        return X, y.reshape(-1, 1) if y.ndim == 1 else y, _weights(weights, X)

    def _hold_out(self, X: Any, y: np.ndarray, weights: np.ndarray | None, random_state: Any) -> Any:
        """X, y and weights of the rows to train on, and the three of those to validate on: scikit-learn's split."""
        stratify = y if is_classifier(self) and y.shape[1] == 1 else None
        train, held = train_test_split(
            np.arange(len(y)), random_state=random_state, test_size=self.validation_fraction, stratify=stratify
        )
        if len(held) < 2:
            raise ValueError(
                f"The validation set is too small. validation_fraction={self.validation_fraction} of {len(y)} rows is "
                f"{len(held)}, and 2 are the least: give a larger fraction, or X_val and y_val"
            )
        if weights is None:
            return X[train], y[train], None, (X[held], y[held], None)
        return X[train], y[train], weights[train], (X[held], y[held], weights[held])

    # -----------------------------------------------------------------------------------------------------
    # The trained network

    def _hold(self, spec: Spec, parameters: np.ndarray) -> None:
        """Makes these parameters the network's: coefs_ and intercepts_ are views of them."""
        self._network = spec
        pairs = spec.views(parameters)
        self.coefs_ = [w for w, _ in pairs]
        self.intercepts_ = [b for _, b in pairs]
        self._views = [*self.coefs_, *self.intercepts_]
        self._forward = Forward(spec, parameters, "numba")

    def _flat(self) -> np.ndarray:
        """The parameters in one vector: a copy of coefs_ and intercepts_, whoever made them."""
        parameters = np.empty(self._network.parameters, np.result_type(*self.coefs_))
        for (w, b), coef, intercept in zip(self._network.views(parameters), self.coefs_, self.intercepts_, strict=True):
            w[:], b[:] = coef, intercept
        return parameters

    def _outputs(self, X: Any) -> np.ndarray:
        """The network's outputs (N, J) in its dtype, a new array.

        An array of the network's dtype goes straight to the pass that is kept, in microseconds; whatever that refuses,
        and all else, goes by scikit-learn's checks, in its words.
        """
        held = self.__dict__
        forward = held.get("_forward")
        if forward is not None and type(X) is np.ndarray and "feature_names_in_" not in held:
            ours = all(map(_is, (*self.coefs_, *self.intercepts_), self._views))
            if ours and X.ndim == 2 and X.shape[1] == self.n_features_in_ and X.dtype == self._network.dtype:
                try:
                    return forward("outputs", X)
                except ValueError:
                    pass
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        with np.errstate(all="ignore"):
            return engine.outputs(
                self._network, self._flat().astype(self._network.dtype), problem.dense(X, self._network.dtype)
            )

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_forward", None)  # its buffers have addresses
        state.pop("_views", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "coefs_" in self.__dict__:
            self._hold(self._network, self._flat().astype(self._network.dtype, copy=False))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _is(a: Any, b: Any) -> bool:
    return a is b


def _sizes(hidden: Any) -> list[int]:
    """The hidden layers' sizes, of a number or a list. Raises ValueError."""
    sizes = [operator.index(size) for size in (hidden if hasattr(hidden, "__iter__") else [hidden])]
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}: give each layer a unit at least")
    return sizes


def _product(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """a b, where None is 1."""
    return b if a is None else a if b is None else a * b


def _check_product(weights: Any) -> None:
    """Raises ValueError where class_weight makes weights of rows that nobody could give as sample_weight."""
    good = np.isfinite(weights) & (weights >= 0)
    if not good.all() or not weights.any():
        row = int(np.argmin(good))
        found = f"row {row} weighs {weights[row]}" if not good.all() else "every row weighs 0"
        raise ValueError(f"with class_weight, {found}: weights are finite and 0 or more, and some row's is above 0")


def _weights(weights: Any, X: Any) -> np.ndarray | None:
    """Checked weights (N,), or None."""
    if weights is None:
        return None
    found = _check_sample_weight(weights, X)
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        raise ValueError(f"Negative values in sample_weight: row {row} has {found[row]}, and 0 is the least")
    if not found.any():
        raise ValueError(
            "sample_weight is 0 for every row, so that there is nothing to learn from: give some row a weight"
        )
    return found
