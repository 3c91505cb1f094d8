"""`TabularRegressor`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from fastmlp.core.preprocess import Scale
from fastmlp.estimators.arguments import in_words, refuse
from fastmlp.reference import ensemble as definition
from fastmlp.reference.preprocess import clipped
from fastmlp.tabular.base import BaseTabular


class TabularRegressor(RegressorMixin, BaseTabular):
    """A regressor for tables as they are: words, dates and holes beside numbers, in a frame, an array or a list.

    It does with data, network and training what was found to work on many tables, so that its defaults need no search:
    docs/tables.md says what that is, what each piece is worth, and when not to use it. Its bits depend neither on the
    machine nor on the number of threads.

    Parameters
    ----------
    n_members : int, default=5
        The number of networks. Each has other initial weights and validates on other rows: member m on fold m mod F of
        F = 1 / validation_fraction folds. They are trained at once, and predict the mean of their values.
    hidden_layer_sizes : int or array-like of int, default=(128, 128, 128)
        The number of units in each hidden layer.
    epochs : int, default=128
        The number of passes over the rows. The weights after the epoch that validates best are taken.
    batch_size : int, default=256
        Rows in a batch.
    learning_rate : float or None, default=None
        The highest learning rate of Adam; it rises to it and falls four times. None is 0.07.
    validation_fraction : float, default=0.2
        The fraction of the rows that each member validates on, above 0 and up to 0.5: that of one of F folds, where F
        is 1 / validation_fraction, rounded.
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
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names that are all strings.
    ensemble_ : Ensemble
        The networks, `fastmlp.Model` each, of scaled columns and standardised targets.
    n_iter_ : int
        The number of epochs.
    feature_importances_ : ndarray of shape (n_features_in_,)
        The increase of the mean squared error, divided by y's variance, if a column is shuffled, on rows held out:
        computed when it is first asked for.

    Notes
    -----
    Features are prepared as by `TabularClassifier`. y is standardised, and predictions are clipped to what lies between
    the least and the largest y of training: it does not extrapolate.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on tabular data",
    NeurIPS 2024: RealMLP-TD-S, which has one network of 3 x 256 units and 256 epochs.

    Examples
    --------
    >>> from fastmlp import TabularRegressor
    >>> X = [["red", 1.0], ["blue", None], ["red", 2.0], ["blue", 0.5]] * 10
    >>> made = TabularRegressor(epochs=20).fit(X, [2.0, 0.0, 3.0, 1.0] * 10)
    >>> made.predict([["blue", 0.5]]).round(1)
    array([1.])
    """

    _task = "regress"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TabularRegressor:
        """Trains all members, each on the rows that it does not validate on.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows of features: a frame of pandas or polars, an array, or a list of rows. Cells may be numbers, words,
            booleans, dates or nothing.
        y : array of shape (N,) or (N, J)
            Values.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row, 0 or more: in the loss that is trained on, in the validation loss by which the epoch
            is chosen, and in importances. Only their ratios count. Rows of weight 0, or of
            less than 2^-60 of the largest, are checked and then as if they were not there. Medians, quartiles,
            categories, and y's mean, deviation and range count all others alike.

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
        """Predicts values: the mean of the members'.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N,), or (N, J) for a y of J columns, float64
            In y's unit.

        Raises
        ------
        TypeError, ValueError
            If X does not fit; the error names row and column where a cell is.
        """
        return self._shaped(definition.mean(self._of_members(X)))

    def spread(self, X: Any) -> np.ndarray:
        """Computes how far members are apart: the standard deviation of their values.

        Parameters
        ----------
        X : data frame, or array of shape (N, K)
            Rows, with the columns of training.

        Returns
        -------
        ndarray of shape (N,), or (N, J) for a y of J columns, float64
            In y's unit.

        Raises
        ------
        ValueError
            If there is one member.
        TypeError, ValueError
            As `predict`.
        """
        check_is_fitted(self)
        self._check_several()
        return self._shaped(definition.deviation(self._of_members(X)))

    def _of_members(self, X: Any) -> np.ndarray:
        """The values of the members in y's unit, clipped: (M, N, J), float64."""
        x = self._rows(X)
        return np.stack([self._values(z) for z in self.ensemble_.predict_members(x, threads=self.n_threads)])

    def _values(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs (N,) or (N, J) in y's unit, clipped: (N, J), float64."""
        z = outputs.reshape(len(outputs), -1).astype(np.float64)
        return clipped(self._target_scale.backward(z, self.backend), *self._range)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._plain else values

    def _targets(self, y: Any) -> tuple[np.ndarray, np.ndarray, int]:
        refuse(y=y)
        with in_words("y"):
            y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        self._plain = y.ndim == 1
        y = np.ascontiguousarray(y.reshape(len(y), -1))
        names = ["y"] if self._plain else [f"y[:, {j}]" for j in range(y.shape[1])]
        self._target_scale = Scale.of(y, names, self.backend)
        self._range = y.min(axis=0), y.max(axis=0)
        return self._target_scale.forward(y, self.backend).astype(np.float32), np.zeros(len(y), np.int64), y.shape[1]

    def _losses(self, x: np.ndarray, y: np.ndarray, member: int) -> np.ndarray:
        distance = self.ensemble_[member].predict(x, threads=self.n_threads).reshape(y.shape) - y
        return distance.astype(np.float64) ** 2

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
