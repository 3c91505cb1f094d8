"""`TabularClassifier`."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import assert_all_finite, column_or_1d, compute_class_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fastmlp.model import Model
from fastmlp.tables import recipe
from fastmlp.tables.columns import listed
from fastmlp.tabular import temperature
from fastmlp.tabular.base import BaseTabular


class TabularClassifier(ClassifierMixin, BaseTabular):
    """A classifier for tables as they are: words, dates and holes beside numbers, in a frame, an array or a list.

    It does with data, network and training what was found to work on many tables, so that its defaults need no search:
    docs/tables.md says what that is, what each piece is worth, and when not to use it. Its bits depend neither on the
    machine nor on the number of threads.

    Parameters
    ----------
    n_members : int, default=5
        The number of networks. Each has other initial weights and validates on other rows: member m on fold m mod F of
        F = 1 / validation_fraction folds. They are trained at once, and predict the mean of their probabilities.
    hidden_layer_sizes : int or array-like of int, default=(128, 128, 128)
        The number of units in each hidden layer.
    epochs : int, default=128
        The number of passes over the rows. The weights after the epoch that validates best are taken.
    batch_size : int, default=256
        Rows in a batch.
    learning_rate : float or None, default=None
        The highest learning rate of Adam; it rises to it and falls four times. None is 0.04.
    label_smoothing : float, default=0.1
        The fraction of each label's probability that training spreads over all classes.
    validation_fraction : float, default=0.2
        The fraction of the rows that each member validates on, above 0 and up to 0.5: that of one of F folds, where F
        is 1 / validation_fraction, rounded.
    calibrate : bool, default=False
        Whether logits are divided by a temperature, from 1/8 to 8, that fits up to 1024 of the rows held out: one for
        all members.
    class_weight : dict, "balanced" or None, default=None
        {label: weight}, or "balanced": N / (number of classes * number of rows of the class), of all rows that weigh
        something. It multiplies `sample_weight` of `fit`, and is 1 for labels that are not in the dict. A dict names
        one of y's labels at least.
    random_state : int, RandomState or None, default=0
        Source of folds, initial weights and orders of rows: member m has the seed random_state + m, so that seeds to
        compare should lie n_members apart. None draws another one in each fit.
    n_threads : int or None, default=None
        The number of threads. None is the environment variable FASTMLP_NUM_THREADS if it is set, else as many as there
        are cores and as make training faster. The result is the same, to the bit.
    backend : {"numba", "reference"}, default="numba"
        "reference" is the definition in NumPy, which is thousands of times slower and gives the same bits.
    verbose : bool or int, default=False
        Whether to show a progress bar, where it takes more than a second.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        The labels, ascending.
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names that are all strings.
    ensemble_ : Ensemble
        The networks, `fastmlp.Model` each, of scaled columns.
    n_iter_ : int
        The number of epochs.
    temperature_ : float
        What logits were divided by; 1 without `calibrate`.
    feature_importances_ : ndarray of shape (n_features_in_,)
        The increase of the error rate if a column is shuffled, on rows held out: computed when it is first asked for.

    Notes
    -----
    Words become a column for each category, dates days, missing numbers the median with a further column that says
    where (docs/preprocessing.md). All columns are then scaled by median and quartiles and clipped smoothly to (-3, 3).
    Rows of a class with one row are trained on by all members; if that leaves a member none to validate on, none
    validates, and the last epoch's weights are taken.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024: RealMLP-TD-S, which has one network of 3 x 256 units and 256 epochs.

    Examples
    --------
    >>> from fastmlp import TabularClassifier
    >>> X = [["red", 1.5], ["blue", None], ["red", 2.5], ["blue", 0.5]] * 10
    >>> made = TabularClassifier(epochs=10).fit(X, ["warm", "cold", "warm", "cold"] * 10)
    >>> made.predict([["blue", 2.0], ["red", None]])
    array(['cold', 'warm'], dtype='<U4')
    """

    _task = "classify"
    _parameter_constraints = {
        **BaseTabular._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "calibrate": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        n_members: int = recipe.MEMBERS,
        *,
        hidden_layer_sizes: Any = recipe.HIDDEN,
        epochs: int = recipe.EPOCHS,
        batch_size: int = recipe.BATCH_SIZE,
        learning_rate: float | None = None,
        label_smoothing: float = recipe.SMOOTHING,
        validation_fraction: float = recipe.VALIDATION,
        calibrate: bool = False,
        class_weight: Any = None,
        random_state: Any = 0,
        n_threads: int | None = None,
        backend: str = "numba",
        verbose: Any = False,
    ) -> None:
        super().__init__(
            n_members,
            hidden_layer_sizes=hidden_layer_sizes,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation_fraction=validation_fraction,
            random_state=random_state,
            n_threads=n_threads,
            backend=backend,
            verbose=verbose,
        )
        self.label_smoothing = label_smoothing
        self.calibrate = calibrate
        self.class_weight = class_weight

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularClassifier:
        """Trains all members, each on the rows that it does not validate on.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows of features: a frame of pandas or polars, an array, or a list of rows. Cells may be numbers, words,
            booleans, dates or nothing.
        y : array of shape (N,)
            Labels, which may be words.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row, 0 or more: in the loss that is trained on, in the validation loss by which the epoch
            is chosen, in `calibrate` and in importances. Only their ratios count.
            Rows of weight 0, or of less than 2^-60 of the largest, are checked and then as if they were not there.
            Medians, quartiles and categories count all others alike.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong; the error names it, and the row and column where a cell is.
        DivergenceError
            If all members diverged. The estimator is then as it was before.
        """
        return self._fitted(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predicts labels.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N,)
            The label of the first largest probability, from classes_.

        Raises
        ------
        TypeError, ValueError
            If X does not fit; the error names row and column where a cell is.
        """
        p = self.predict_proba(X)
        return self.classes_.take(p.argmax(axis=1))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predicts the probability of each class: the mean of the members'.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N, C), float64
            Probabilities, in the order of classes_.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        x = self._rows(X)
        p = self.ensemble_.predict_proba(x, threads=self.n_threads).astype(np.float64)
        return p / temperature.sums(p)[:, None]  # of float32, they add up to 1 but for 1e-7, which log_loss warns of

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predicts the logarithms of the probabilities.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N, C), float64
            The logarithms of `predict_proba`; -inf, with NumPy's warning, where a probability is 0.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        return np.log(self.predict_proba(X))

    def spread(self, X: Any) -> np.ndarray:
        """Computes how far members are apart: the standard deviation of their probabilities.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N, C), float64
            In the order of classes_.

        Raises
        ------
        ValueError
            If there is one member.
        TypeError, ValueError
            As `predict`.
        """
        check_is_fitted(self)
        self._check_several()
        return self.ensemble_.predict_std(self._rows(X), threads=self.n_threads).astype(np.float64)

    def _targets(self, y: Any) -> tuple[np.ndarray, np.ndarray, int]:
        y = column_or_1d(y, warn=True)
        missing = [row for row, label in enumerate(y.tolist()) if _is_missing(label)] if y.dtype.kind == "O" else []
        if missing:
            raise ValueError(f"y has no label in row {missing[0]}: leave out such rows")
        check_classification_targets(y)
        assert_all_finite(y, input_name="y")
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_.tolist()[0]!r}: give rows of 2 classes or more")
        return places, places, len(self.classes_)

    def _smoothing(self) -> float:
        return float(self.label_smoothing)

    def _class_weights(self, targets: np.ndarray) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str):
            labels = self.classes_.take(targets)
            return compute_class_weight(self.class_weight, classes=self.classes_, y=labels)[targets]
        return _of_labels(self.class_weight, self.classes_.tolist())[targets]

    def _trained(self, members: list[Model], x: np.ndarray, y: np.ndarray, held: list[np.ndarray]) -> None:
        self.temperature_ = 1.0
        used, weights = self._used(held), self._weights
        if not self.calibrate or not used:
            return
        member = np.repeat(used, [len(held[k]) for k in used])
        row = np.concatenate([held[k] for k in used])
        if weights is not None:
            member, row = member[weights[row] > 0], row[weights[row] > 0]
        count = min(temperature.ROWS, len(row))
        some = np.arange(count) * len(row) // count  # of all members, and of all their rows
        member, row = member[some], row[some]
        p = np.concatenate([members[k].predict_proba(x[row[member == k]], threads=self.n_threads) for k in used])
        factor = temperature.sharpness(p, y[row], None if weights is None else weights[row])
        for model in members:
            temperature.sharpen(model, factor)
        self.temperature_ = 1 / factor

    def _losses(self, x: np.ndarray, y: np.ndarray, member: int) -> np.ndarray:
        return self.ensemble_[member].predict(x, threads=self.n_threads) != y


def _is_missing(label: Any) -> bool:
    """Whether it is None, NaN, or pandas' NA or NaT."""
    return label is None or type(label).__name__ in ("NAType", "NaTType") or (type(label) is float and label != label)


def _of_labels(class_weight: dict[Any, Any], classes: list[Any]) -> np.ndarray:
    """The weight of each class (C,). Raises ValueError naming the label."""
    if class_weight and not any(label in class_weight for label in classes):
        raise ValueError(
            f"class_weight has the labels {listed(map(repr, class_weight))}, and y has {listed(map(repr, classes))}: "
            "name one of y's"
        )
    for label, weight in class_weight.items():
        good = isinstance(weight, (int, float, np.integer, np.floating)) and not isinstance(weight, bool)
        if not good or not 0 <= weight < np.inf:
            raise ValueError(f"class_weight[{label!r}]={weight!r} is no weight: give a finite number of 0 or more")
    return np.array([float(class_weight.get(label, 1.0)) for label in classes])
