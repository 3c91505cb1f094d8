"""A training by the kernels beside the same one by the reference: its records, its parameters, its outputs."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from fastmlp.history import COLUMNS, History
from fastmlp.model import Model
from fastmlp.testing.bits import assert_same_bits, differing

FIGURES = tuple(name for name in COLUMNS if name != "elapsed")


def check_training(model: Model, X: Any, y: Any, **options: Any) -> Model:
    """Trains two copies of a model, by the kernels and by the reference, and compares them bit for bit.

    Parameters
    ----------
    model : Model
        The network to begin with, trained or not. It stays as it is.
    X : array-like of shape (N, K)
        The features. The reference takes about a second for a million products of weights and rows: some hundred rows
        and a few epochs show what thousands do.
    y : array-like of shape (N,) or (N, J)
        The targets.
    **options : object
        What `Model.fit` takes: `epochs`, `learning_rate`, `batch_size` and all others. An object with a state of its
        own, as a callback, is used in both trainings, first in that of the kernels.

    Returns
    -------
    Model
        The copy that the kernels trained, whose digest a test may store.

    Raises
    ------
    AssertionError
        If a record, a layer's weights or biases, or an output differs. The message says in which epoch or layer, and
        shows the elements around the first that differs, in ulps.
    TypeError
        If `model` is no `Model`.
    ValueError
        If `checkpoint` is given, a file that both would write; and whatever `Model.fit` raises.

    Examples
    --------
    >>> from fastmlp import Model
    >>> from fastmlp.testing import check_training
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> trained = check_training(Model([2, 8, 2], seed=1), X, y, epochs=20, optimizer="adam")
    >>> trained.digest()[:8]
    'b6f933a1'
    """
    if not isinstance(model, Model):
        raise TypeError(f"model is {model!r:.60}, of type {type(model).__name__}: give a fastmlp.Model")
    if options.get("checkpoint") is not None:
        raise ValueError("checkpoint is a file that both trainings would write: leave it out of check_training")
    trained = []
    for backend in ("numba", "reference"):
        one = copy.deepcopy(model)
        one.backend = backend
        one.fit(X, y, **options)
        trained.append(one)
    got, expected = trained
    compare_models(got, expected)
    compare_outputs(got, expected, X)
    return got


def compare_models(got: Model, expected: Model) -> None:
    """Compares two trained models: their records, then their parameters, layer by layer.

    Parameters
    ----------
    got, expected : Model
        The models, of one spec.

    Raises
    ------
    AssertionError
        If they differ.
    """
    if got.history is not None and expected.history is not None:
        _compare_histories(got.history, expected.history)
    for layer, parts in enumerate(zip(got.weights, expected.weights, strict=True)):
        for which, one, other in zip(("weights", "biases"), *parts, strict=True):
            assert_same_bits(one, other, f"layer {layer}'s {which}")
    if got.digest() != expected.digest():
        raise AssertionError(f"the digests are {got.digest()} and {expected.digest()}: the networks differ")


def compare_outputs(got: Model, expected: Model, X: Any) -> None:
    """Compares two models' predictions.

    Parameters
    ----------
    got, expected : Model
        The models, of one spec.
    X : array-like of shape (N, K)
        The features.

    Raises
    ------
    AssertionError
        If they differ.
    """
    assert_same_bits(got.predict(X), expected.predict(X), "predictions")
    if got.spec.output in ("softmax", "sigmoid"):
        assert_same_bits(got.predict_proba(X), expected.predict_proba(X), "probabilities")


def _compare_histories(got: History, expected: History) -> None:
    """Compares records, those of the first epoch that differs first."""
    assert_same_bits(got.epoch, expected.epoch, "the epochs that were recorded: ")
    first = {}
    for name in FIGURES:
        differ = differing(getattr(got, name), getattr(expected, name))
        if differ.any():
            first[name] = int(np.argmax(differ))
    if first:
        name = min(first, key=first.__getitem__)
        what = f"the records of {name}, from epoch {got.epoch[first[name]]} on: record "
        assert_same_bits(getattr(got, name), getattr(expected, name), what)
