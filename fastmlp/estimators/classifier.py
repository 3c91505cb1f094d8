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
    """A multi-layer perceptron classifier with scikit-learn's interface; also for several labels a row.

    The parameters up to `max_fun` are scikit-learn's, with its defaults and meaning; `activation` and `learning_rate`
    accept more than there. `loss`, `class_weight`, `dropout`, `callbacks` and `n_threads` are additional parameters.

    Parameters
    ----------
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
        Whether to hold out validation_fraction of the rows (stratified for two classes), end training when their score
        has not improved by tol for n_iter_no_change epochs, and restore the weights of the best score. For "sgd" and
        "adam"; not for `partial_fit`.
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
    loss : {"log_loss", "squared_error"} or CrossEntropy, default="log_loss"
        "squared_error" is for two classes, or for several labels a row. `CrossEntropy(label_smoothing)` of
        `fastmlp.losses` is the log loss with label smoothing.
    class_weight : dict, "balanced" or None, default=None
        {label: weight}, or "balanced", as in scikit-learn's other classifiers; with several labels a row, only
        "balanced".
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
    classes_ : ndarray of shape (C,)
        The labels, ascending.
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
        The output activation: "softmax" or "logistic".
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
    >>> from fastmlp import MLPClassifier
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> MLPClassifier(max_iter=300, random_state=1).fit(X / 16, y).score(X / 16, y)
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
        """Goes through the rows once, from where the last call ended. For "sgd" and "adam".

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Labels.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row, 0 or more.
        classes : array of shape (C,) or None, default=None
            All labels that will occur, in any order. The first call needs them.

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
        """Predicts labels.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            One label for each row, from classes_; with several labels a row, 0 or 1 for each.

        Notes
        -----
        A label is that of the first largest probability. With two classes or several labels, a 1 is a probability above
        1/2.
        """
        p = self._outputs(X) if type(X) is ARRAY else arguments.outputs_of(self, X)
        if p.shape[1] > 1 and self._network.output == "softmax":
            return self.classes_.take(p.argmax(axis=1))
        if p.shape[1] == 1 and len(self.classes_) == 2 and not self._several:
            return self.classes_.take(p[:, 0] > 0.5)
        return self._label_binarizer.inverse_transform(p.ravel() if p.shape[1] == 1 else p)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predicts the probability of each class.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.

        Returns
        -------
        ndarray of shape (N, C)
            Probabilities, in the order of classes_. With several labels a row, the probability of each label, (N, J).
        """
        p = self._outputs(X) if type(X) is ARRAY else arguments.outputs_of(self, X)
        if p.shape[1] > 1:
            return p
        both = np.empty((len(p), 2), p.dtype)
        np.subtract(1, p[:, 0], out=both[:, 0])
        both[:, 1] = p[:, 0]
        return both

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predicts the logarithms of the probabilities.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, K)
            Rows of features.

        Returns
        -------
        ndarray of shape (N, C)
            The logarithms of `predict_proba`; -inf, with NumPy's warning, where a probability is 0.
        """
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
        """Returns the index in classes_ of each label y (N,); None if one is missing or needs scikit-learn's checks.

        It takes 5 us; scikit-learn's checks and LabelBinarizer take 500.
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
        """Raises ValueError if y does not have the classes that the network continues with."""
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
