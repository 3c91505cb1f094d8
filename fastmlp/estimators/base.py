"""What the two estimators share: parameters and their checks, fitting, the trained network, and pickling."""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from fastmlp.engine import numba_backend
from fastmlp.engine.forward import Forward
from fastmlp.estimators import arguments, problem
from fastmlp.estimators.arguments import ARRAY
from fastmlp.estimators.descent import Descent
from fastmlp.estimators.lbfgs import minimize
from fastmlp.estimators.problem import Rows
from fastmlp.estimators.stochastic import Score, Stochastic, batch_size, loss_and_score
from fastmlp.export.foreign import OUT_ACTIVATIONS
from fastmlp.schedules import Schedule
from fastmlp.spec import Spec
from fastmlp.system.busy import Busy

if TYPE_CHECKING:
    import os
    from pathlib import Path

CURVES = ("loss_curve_", "validation_scores_", "validation_loss_curve_")
FOR_SPEED = (
    "_forward",
    "_views",
    "_kept",
    "_seeded",
    "_busy",
)  # made again where they are missing: buffers that have addresses


class BaseMLP(BaseEstimator):
    """Base class of the two estimators, whose docstrings describe the parameters."""

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
        """Stores the arguments of `__init__` unchanged."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    # -----------------------------------------------------------------------------------------------------
    # Of each class

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, np.ndarray]:
        """Checks X (N, K) and y, and returns them: y (N, J) as numbers, or as booleans for classes."""
        raise NotImplementedError

    def _spec(self, layers: list[int], hidden: tuple[str, ...], dtype: str) -> Spec:
        """Returns the spec of the network."""
        raise NotImplementedError

    def _targets_of(self, y: Any) -> np.ndarray:
        """Checks a validation's y, and returns it in the form of `_validate_input`."""
        raise NotImplementedError

    def _scorer(self, spec: Spec, y: np.ndarray, weights: np.ndarray | None) -> Callable[[np.ndarray], float] | None:
        """Returns the function that scores outputs (N, J) as `score` does; None if that is the plain accuracy."""
        raise NotImplementedError

    def _class_weights(self, y: Any, incremental: bool) -> np.ndarray | None:
        """Returns the weight (N,) of each row's class; None if all classes count alike."""
        return None

    # -----------------------------------------------------------------------------------------------------
    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None, transcript: Any = None,
    ) -> Any:  # fmt: skip
        """Trains the network, from new initial weights, or with warm_start from the present ones.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features. float32 is trained in float32, everything else in float64. Of a large sparse X,
            some batches at a time are made dense; by "lbfgs", all of it.
        y : array of shape (N,) or (N, J)
            Labels or values. A classifier accepts several labels a row as 0 or 1 in J columns.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row, 0 or more.
        X_val : array or sparse matrix of shape (M, K) or None, default=None
            Rows to validate on after each epoch, in place of those that early_stopping would hold out. Without
            early_stopping, their score and loss are recorded and do not end the training. For "sgd" and "adam".
        y_val : array of shape (M,) or (M, J) or None, default=None
            Their targets.
        sample_weight_val : array of shape (M,) or None, default=None
            Their weights, for the score.
        transcript : path, Transcript or None, default=None
            A file to write a transcript into, for `fastmlp.audit` with this X and y. There are no checkpoints: an audit
            trains all of it again. For "sgd" and "adam", and new weights.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong, or the training diverges. The estimator is then as it was before.
        RuntimeError
            If another call is fitting the estimator.
        OSError
            If there is a transcript of this name, or it cannot be written.

        Notes
        -----
        Ctrl-C ends a training by "sgd" or "adam" with a warning, and keeps the weights after the last epoch.
        """
        validation = X_val, y_val, sample_weight_val
        return self._trained(lambda: self._fit(X, y, sample_weight, validation, False, transcript))

    def _trained(self, fit: Callable[[], Any]) -> Any:
        """Calls `fit`. If it raises (bad arguments, divergence, a callback), the estimator is restored."""
        busy: Busy = self.__dict__.setdefault("_busy", Busy())
        use = busy.begin(
            "the estimator is being fitted, as where a callback or another thread calls fit: do it after that fit, or "
            "give each thread a clone of its own"
        )
        try:
            before = self.__dict__.copy()
            curves = [(curve, len(curve)) for curve in map(before.get, CURVES) if type(curve) is list]
            try:
                return fit()
            except BaseException:
                for curve, length in curves:
                    del curve[length:]
                self.__dict__ = before  # one store
                raise
        finally:
            use.end()

    def _is_stochastic(self) -> bool:
        """Whether the solver trains on batches. Raises AttributeError if not, as scikit-learn does."""
        if self.solver not in ("sgd", "adam"):
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], incremental: bool,
        transcript: Any = None,
    ) -> Any:  # fmt: skip
        if self.solver == "lbfgs":
            arguments.refuse_of_lbfgs(self)
        if self.early_stopping and incremental:
            raise ValueError(
                "partial_fit does not support early_stopping=True: it goes through the rows once, and validates nothing"
            )
        sizes = arguments.layer_sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        transcriber = None if transcript is None else _transcriber(transcript, self, first)
        labels = y
        X, y = self._validate_input(X, y, incremental, reset=first)
        y = y.reshape(len(y), -1)
        given, of_classes = arguments.weights_of_rows(sample_weight, X), self._class_weights(labels, incremental)
        weights = arguments.product(given, of_classes)
        if of_classes is not None:
            arguments.check_product(weights)
        held = self._given_validation(validation)
        if held is not None and held[1].shape[1] != y.shape[1]:
            raise ValueError(f"y_val has {held[1].shape[1]} columns, and y has {y.shape[1]}: give as many")
        random_state = self._begin_random(incremental)
        if transcriber is not None:
            transcriber.see_rows(self, X, y, weights, held, random_state)
        spec, parameters = self._begin_network([X.shape[1], *sizes, y.shape[1]], X.dtype, random_state, first)
        smoothing = problem.smoothing_of(self.loss) if is_classifier(self) else 0.0
        if self.solver == "lbfgs":
            minimize(self, spec, parameters, Rows.of(spec, X, y, weights, smoothing, whole=True))
            self._hold(spec, parameters)
            return self
        if not incremental:
            self._kept = None
        descent: Descent | None = self.__dict__.get("_optimizer") if incremental else None
        self._optimizer = descent.copy() if descent else Descent.begin(self, spec)
        if self.early_stopping and held is None:
            train, some = self._hold_out(y, random_state)
            held = X[some], y[some], None if given is None else given[some]
            X, y, weights = X[train], y[train], None if weights is None else weights[train]
        self._begin_curves(first, held is not None)
        score: Score | None = None
        if held is not None:
            X_val, y_val, weights_val = held
            score = loss_and_score(spec, Rows.of(spec, X_val, y_val, None), self._scorer(spec, y_val, weights_val))
        whole = batch_size(self.batch_size, len(y), warns=False) == len(y)  # then a batch is all rows
        rows = Rows.of(spec, X, y, weights, smoothing, whole)
        self._hold(spec, parameters)  # callbacks see the weights as they change
        Stochastic(self, spec, parameters, rows, self._optimizer, random_state, score, incremental, transcriber).go()
        return self

    def _begin_random(self, incremental: bool) -> np.random.RandomState:
        """Returns random_state as a RandomState. `partial_fit` seeds a kept one again: making one takes 80 us."""
        kept: np.random.RandomState | None = self.__dict__.get("_seeded")
        if incremental and kept is not None and type(self.random_state) is int:
            kept.seed(self.random_state)
            return kept
        made = check_random_state(self.random_state)
        self._seeded = made if type(self.random_state) is int else None
        return made

    def _begin_network(
        self, layers: list[int], dtype: np.dtype, random_state: np.random.RandomState, first: bool
    ) -> tuple[Spec, np.ndarray]:
        """Returns the spec and the parameters (P,) to start from: new ones, or the present ones. lbfgs uses float64."""
        hidden = problem.hidden_names(self.activation, len(layers) - 2)
        network = None if first else self.__dict__.get("_network")  # none where coefs_ were set, and never fitted
        name = network.dtype if network else dtype.name
        spec = self._spec(layers, hidden, name if self.solver != "lbfgs" else "float64")
        if first:
            self.n_iter_ = self.t_ = 0
            self.n_outputs_, self.n_layers_ = spec.outputs, len(spec.layers)
            self.out_activation_ = OUT_ACTIVATIONS[spec.output]
            return spec, problem.initial_parameters(spec, self.activation, random_state, dtype)
        if network and spec.layers != network.layers:
            raise ValueError(
                f"the network has the layers {list(network.layers)}, and this fit would have "
                f"{list(spec.layers)}: go on with the same hidden_layer_sizes and outputs, or with warm_start=False"
            )
        return spec, self._flat(spec)

    def _begin_curves(self, first: bool, validates: bool) -> None:
        """Sets the curves and counts that "sgd" and "adam" extend."""
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
        """Checks X_val, y_val and sample_weight_val.

        Returns X (M, K), y (M, J), and weights (M,) or None; None if they are not given.
        """
        X, y, weights = given
        if (X is None) != (y is None):
            one, other = ("X_val", "y_val") if y is None else ("y_val", "X_val")
            raise ValueError(f"{one} is given without {other}: give both, or neither")
        if X is None:
            if weights is not None:
                raise ValueError("sample_weight_val is given without X_val and y_val: give all three, or leave it out")
            return None
        if self.solver == "lbfgs":
            raise ValueError('X_val and y_val go with solver="sgd" and "adam", and not with "lbfgs": leave them out')
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)
        check_consistent_length(X, y)
        y = self._targets_of(y)
        if len(y) < 2 and self.early_stopping:
            raise ValueError(f"The validation set is too small. X_val has {len(y)} rows, and 2 are the least")
        return X, y.reshape(-1, 1) if y.ndim == 1 else y, arguments.weights_of_rows(weights, X)

    def _hold_out(self, y: np.ndarray, random_state: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the numbers of the rows to train on and of those to validate on, by scikit-learn's split."""
        stratify = y if is_classifier(self) and y.shape[1] == 1 else None
        train, held = train_test_split(
            np.arange(len(y)), random_state=random_state, test_size=self.validation_fraction, stratify=stratify
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset. "
                f"validation_fraction={self.validation_fraction} of {len(y)} rows is {len(held)}, and 2 are the least; "
                "or give X_val and y_val"
            )
        return train, held

    # -----------------------------------------------------------------------------------------------------
    # The trained network

    def _hold(self, spec: Spec, parameters: np.ndarray) -> None:
        """Makes parameters (P,) the network's: coefs_ and intercepts_ become views into them."""
        self._network = spec
        pairs = spec.views(parameters)
        self.coefs_ = [w for w, _ in pairs]
        self.intercepts_ = [b for _, b in pairs]
        self._views = [*self.coefs_, *self.intercepts_]
        self._forward = Forward(spec, parameters, "numba")

    def _flat(self, spec: Spec) -> np.ndarray:
        """Returns a copy of coefs_ and intercepts_ in one vector (P,) of the network's dtype, whoever set them."""
        parameters = np.empty(spec.parameters, spec.dtype)
        for name, places in zip(("coefs_", "intercepts_"), zip(*spec.views(parameters), strict=True), strict=True):
            arrays = getattr(self, name)
            shapes, expected = [np.shape(array) for array in arrays], [place.shape for place in places]
            if shapes != expected:
                raise ValueError(f"{name} has the shapes {shapes}, and the network {expected}: give arrays of these")
            for place, array in zip(places, arrays, strict=True):
                place[:] = array
        return parameters

    def _outputs(self, X: Any) -> np.ndarray:
        """Returns the network's outputs (N, J) in its dtype, in a new array.

        Numeric input goes straight to the kept pass, which takes microseconds. Input that it refuses, and all other
        input, goes through scikit-learn's checks, whose errors are raised.
        """
        held = self.__dict__
        forward = held.get("_forward")
        if forward is not None:
            weights = (*self.coefs_, *self.intercepts_)
            if len(weights) == len(self._views) and all(map(operator.is_, weights, self._views)):
                try:
                    if type(X) is ARRAY and X.dtype is forward.dtype and "feature_names_in_" not in held:
                        return forward("outputs", X)  # 0.3 us less than by the general way below
                    rows = X if type(X) is np.ndarray else problem.as_array(X, held.get("feature_names_in_"))
                    named = rows is X and "feature_names_in_" in held  # whose lack is warned of
                    if not named and rows.dtype.kind in "fiub" and rows.shape[1:] == (self.n_features_in_,):
                        if len(rows) <= forward.most and rows.dtype != self._network.dtype:
                            with np.errstate(all="ignore"):  # what becomes infinite is refused
                                rows = rows.astype(self._network.dtype)
                        return forward("outputs", rows)
                except (ValueError, TypeError, AttributeError):
                    pass
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        with np.errstate(all="ignore"):
            x = problem.features(X, self._network.dtype)
            if X.dtype.kind == "O":  # of which the checks see nothing: None is NaN now
                assert_all_finite(x, input_name="X")
            return numba_backend.outputs(self._network, self._flat(self._network), x)

    def _takes(self, X: Any) -> bool:
        """Whether X is an array of valid rows (N, K), which needs none of scikit-learn's checks. They take 0.3 ms."""
        held = self.__dict__
        return (
            type(X) is np.ndarray
            and "feature_names_in_" not in held
            and X.dtype.char in "fd"
            and X.ndim == 2
            and len(X) > 0
            and X.shape[1] == held.get("n_features_in_")
            and bool(np.isfinite(X).all())
        )

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Any:
        """Makes a fitted estimator of scikit-learn's fitted one, with copies of its weights, labels and curves.

        Parameters
        ----------
        estimator : sklearn.neural_network.MLPClassifier or MLPRegressor
            The fitted estimator of the same name.

        Returns
        -------
        MLPClassifier or MLPRegressor
            It predicts what the other does, to rounding, and has its parameters; those that this class lacks are
            dropped. `partial_fit` and warm_start go on from the weights, with an optimizer that begins anew.

        Raises
        ------
        TypeError, ValueError
            If estimator is something else, not fitted, or fitted to one class alone; if its weights do not fit each
            other, or one is not finite.
        """
        from fastmlp.estimators import others

        return others.fitted(cls, estimator)

    def to_onnx(self, path: str | os.PathLike, *, dtype: Any = None) -> Path:
        """Writes the network as an ONNX file, as `Model.to_onnx` does. It needs the package onnx.

        The outputs are "label", as `predict`, and "probabilities", as `predict_proba`; or "values", as `predict`.

        Parameters
        ----------
        path : path
            The file's name, ending in .onnx, or a folder, for network.onnx.
        dtype : str, dtype or None, default=None
            "float64" or "float32", of the arithmetic in the file. None is the network's dtype.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ImportError, TypeError, ValueError, OSError
            As `Model.to_onnx`. Also if the estimator is not fitted, or its labels are no numbers or texts.
        """
        from fastmlp.estimators import others

        check_is_fitted(self)
        return others.to_onnx(self, path, self._network, self._flat(self._network), dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name not in FOR_SPEED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "coefs_" in self.__dict__ and "_network" in self.__dict__:
            self._hold(self._network, self._flat(self._network))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_network")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _transcriber(asked: Any, estimator: Any, first: bool) -> Any:
    """What writes a transcript; `fit(transcript=...)` may also be given one, as audits do."""
    from fastmlp.estimators.transcribing import Transcriber

    made = asked if isinstance(asked, Transcriber) else Transcriber(asked)
    made.prepare(estimator, first)
    return made
