"""`cross_validate`: trains a model on all folds of some rows at once, and scores what each has held out."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastmlp import splits
from fastmlp.checks import scalars
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import shown
from fastmlp.core import data
from fastmlp.core.network import wide
from fastmlp.cross_validation import scoring as scores
from fastmlp.cross_validation.result import CrossValidation
from fastmlp.engine.initial_weights import check_seed
from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.fit.options import EPOCHS
from fastmlp.model import Model
from fastmlp.spec import Spec
from fastmlp.sweep.parts import train_parts
from fastmlp.sweep.results import TRAINED, Result

Folds = list[tuple[np.ndarray, np.ndarray]]
OWN = ("folds", "stratified", "groups", "seed", "scoring")  # what may have been meant by another name


def cross_validate(
    model: Model | Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    epochs: Any = EPOCHS,
    folds: Any = 5,
    stratified: bool | None = None,
    groups: Any = None,
    seed: int = 0,
    scoring: Any = None,
    threads: int | None = None,
    progress: bool | None = None,
    **options: Any,
) -> CrossValidation:
    """Trains a model on each fold's rows, all folds at once, and scores it on the rows that the fold holds out.

    Parameters
    ----------
    model : Model or dict
        A model that was not trained yet, of which each fold gets a copy; or the arguments of `Model` by name, such as
        {"layers": [4, 16, 3], "seed": 1}.
    X : array of shape (N, K)
        Rows of features, as in `Model.fit`.
    y : array of shape (N,) or (N, J)
        Targets, as in `Model.fit`.
    epochs : int or Each, default=100
        The number of passes over a fold's rows.
    folds : int, object or iterable, default=5
        The number of folds, which `fastmlp.splits.folds` draws; an object with a method `split`, such as scikit-learn's
        KFold or StratifiedKFold; or pairs of row numbers (to train on, held out).
    stratified : bool or None, default=None
        Whether each fold has the classes in equal proportions. None means yes where there are labels.
    groups : array of shape (N,) or None, default=None
        Handed on to `folds.split`, as GroupKFold needs it.
    seed : int, default=0
        Seed of the folds.
    scoring : str, callable, list or None, default=None
        What to compute of the rows that are held out: "accuracy", "r2", "loss"; a function of (y_true, y_pred) that
        returns a number; a name or a scorer of scikit-learn, if that is installed; or a list of these. None is
        ["accuracy", "loss"] for classifiers and ["r2", "loss"] for values.
    threads : int or None, default=None
        The number of threads of all. None is FASTMLP_NUM_THREADS if it is set, else as many as there are cores.
    progress : bool or None, default=None
        Whether to show a progress bar. None shows one on a terminal or in a notebook if it takes more than a second.
    **options : object or Each
        Further arguments of `Model.fit`, such as learning_rate=0.1; `fastmlp.sweep.Each` of a value for each fold.
        sample_weight has a weight for each row of X. A validation fraction is held out of a fold's rows to train on.

    Returns
    -------
    CrossValidation
        Scores, histories, models and predictions.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.
    DivergenceError
        If all folds diverged.
    KeyboardInterrupt
        On Ctrl-C.

    Warns
    -----
    DivergenceWarning
        If some folds diverged. Their scores are NaN, and so is the mean.

    Notes
    -----
    Fold k's model is bit for bit what `model.fit(X[rows], y[rows], ...)` makes of a copy, where rows is `folds[k][0]`.

    Examples
    --------
    >>> from fastmlp import cross_validate
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]] * 5, [0, 1, 1, 0] * 5
    >>> found = cross_validate({"layers": [2, 8, 2], "seed": 1}, X, y, epochs=300, learning_rate=0.1)
    >>> found.scores["accuracy"]
    array([1., 1., 1., 1., 1.])
    """
    made = _model(model)
    spec = made.spec
    x = data.features(X, wide(spec) if made.standardize else spec)
    targets = data.targets(y, len(x), spec)
    labelled = data.labelled(spec, targets)
    scorers = scores.scorers_of(scoring, spec, labelled)
    parts = _folds(folds, x, targets, spec, labelled, stratified, groups, seed)
    models = [copy.copy(made) for _ in parts]
    given, rows = {"epochs": epochs, **options}, [rows for rows, _ in parts]
    results = train_parts("cross_validate", models, x, targets, rows, given, threads, progress, OWN)
    _tell(results)
    held = [
        scores.HeldOut(model, x[others], targets[others], threads) if found.state == TRAINED else None
        for model, found, (_, others) in zip(models, results, parts, strict=True)
    ]
    table = np.array([scores.of_all(scorers, one) for one in held]).reshape(len(parts), len(scorers))
    found = {name: table[:, column].copy() for column, name in enumerate(scorers)}
    predictions, probabilities = _out_of_fold(held, parts, len(x), threads)
    return CrossValidation(found, parts, results, predictions, probabilities)


def _model(model: Any) -> Model:
    """The model that each fold begins with."""
    if isinstance(model, Mapping):
        return Model(**model)
    if not isinstance(model, Model):
        raise TypeError(f"model={shown(model)} is neither a Model nor its arguments, like {{'layers': [4, 8, 3]}}")
    if model.epochs:
        raise ValueError(
            f"model was trained for {counted(model.epochs, 'epoch')}, perhaps on rows that folds hold out: give one "
            "that was not, or its arguments as a dict"
        )
    return model


def _folds(
    given: Any,
    x: np.ndarray,
    targets: np.ndarray,
    spec: Spec,
    labelled: bool,
    stratified: bool | None,
    groups: Any,
    seed: Any,
) -> Folds:
    """The row numbers of each fold, checked."""
    if not isinstance(check_seed(seed), int):
        raise TypeError(f"seed={shown(seed)} is not a whole number: the seed of folds is one")
    by_label = labelled if stratified is None else scalars.flag(stratified, "stratified")
    rows = len(x)
    splits_itself = hasattr(given, "split") and not isinstance(given, str)
    counts = isinstance(given, str) or not isinstance(given, Iterable)  # a text is refused as a number
    if counts and not splits_itself:
        if groups is not None:
            raise ValueError("groups is for folds with a method split, such as scikit-learn's GroupKFold(5)")
        if by_label and not labelled:
            raise ValueError("stratified=True needs labels, and y has none: leave it out")
        kinds = (
            np.unique(data.hard(spec, targets), axis=0, return_inverse=True)[1].reshape(rows)
            if by_label
            else np.zeros(rows)
        )
        return splits.folds(kinds, given, int(seed))
    if stratified is not None:
        raise ValueError("stratified is for a number of folds, and folds says itself which rows are held out")
    y = scores.in_the_form_of_predictions(spec, targets)
    pairs = given.split(x, y, groups) if splits_itself else given
    found = [_checked(pair, number, rows) for number, pair in enumerate(pairs)]
    if not found:
        raise ValueError("folds is empty: give pairs of row numbers, or how many folds there are")
    return found


def _checked(pair: Any, number: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to train on, and held out."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"folds: number {number} is {shown(pair)}, not a pair of row numbers (to train on, held out)")
    parts = []
    for part, what in zip(pair, ("to train on", "held out"), strict=True):
        numbers = np.asarray(part)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not len(numbers):
            raise TypeError(f"folds: the rows {what} of number {number} are {shown(part)}, not an array of row numbers")
        if numbers.min() < 0 or numbers.max() >= rows:
            raise ValueError(f"folds: the rows {what} of number {number} have one that is none of the {rows} rows of X")
        parts.append(numbers.astype(np.int64))
    both = np.intersect1d(parts[0], parts[1])
    if len(both):
        raise ValueError(f"folds: number {number} trains on row {both[0]}, which it holds out, too")
    return parts[0], parts[1]


def _tell(results: list[Result]) -> None:
    """Raises where all folds diverged, and warns where some did."""
    lost = [found for found in results if found.state != TRAINED]
    if not lost:
        return
    if len(lost) == len(results):
        raise DivergenceError(f"all {counted(len(results), 'fold')} diverged, fold 0 first: {lost[0].reason}")
    warnings.warn(
        f"{counted(len(lost), 'fold')} of {len(results)} diverged, whose scores are NaN: fold {lost[0].number}: "
        f"{lost[0].reason}",
        DivergenceWarning,
        stacklevel=3,
    )


def _out_of_fold(
    held: list[scores.HeldOut | None], parts: Folds, rows: int, threads: int | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Predictions and probabilities of each row by the fold that holds it out; None where there is not one for each."""
    there = [one for one in held if one is not None]
    order = np.concatenate([others for _, others in parts])
    if len(there) < len(held) or len(order) != rows or not (np.bincount(order, minlength=rows) == 1).all():
        return None, None
    back = np.argsort(order)
    predictions = np.concatenate([one.predicted() for one in there])[back]
    if not there[0].model.spec.is_classifier:
        return predictions, None
    return predictions, np.concatenate([one.model.predict_proba(one.x, threads=threads) for one in there])[back]
