"""Probabilities as targets of softmax, by `Model.fit`: what they mean, and what goes with them."""

import numpy as np
import pytest

from fastmlp import CrossEntropy, Ensemble, Model, cross_validate

X = np.random.RandomState(1).standard_normal((60, 4))
P = np.random.RandomState(2).dirichlet([0.5] * 3, 60)
HARD = P.argmax(axis=1)


def made(loss=None, **options):
    return Model([4, 6, 3], hidden="tanh", loss=loss, seed=3, **options)


def test_one_hot_rows_have_the_bits_of_labels():
    digests = set()
    for y in (HARD, np.eye(3)[HARD], np.eye(3, dtype="float32")[HARD]):
        model = made()
        model.fit(X, y, epochs=3, batch_size=16)
        digests.add(model.digest())
    assert len(digests) == 1


@pytest.mark.parametrize("loss", [None, CrossEntropy(0.2)], ids=["plain", "smoothed"])
def test_loss_and_accuracy_are_those_of_the_probabilities(loss):
    model = made(loss)
    history = model.fit(X, P, epochs=40, batch_size=20, optimizer="adam", learning_rate=0.01, validation=(X, P))
    smoothing = 0.2 if loss else 0.0
    targets = (1 - smoothing) * P + smoothing / 3
    expected = -np.mean(np.sum(targets * np.log(model.predict_proba(X)), axis=1))
    found = model.evaluate(X, P)
    assert found["loss"] == pytest.approx(expected, rel=1e-12)
    assert found["loss"] == model.loss(X, P) == history.validation_loss[-1]
    assert found["accuracy"] == np.mean(model.predict(X) == HARD) == history.validation_accuracy[-1]
    assert history.loss[-1] < history.loss[0]


def test_the_backends_agree_and_threads_change_no_bit():
    digests = set()
    for options in ({"backend": "reference"}, {}, {"threads": 2}):
        threads = options.pop("threads", None)
        model = made(**options)
        weights = np.arange(60) % 3
        model.fit(X, P, epochs=2, batch_size=25, sample_weight=weights, validation=0.2, threads=threads)
        digests.add(model.digest())
    assert len(digests) == 1


def test_a_resumed_fit_has_the_bits_of_one(tmp_path):
    whole, parts = made(), made()
    whole.fit(X, P, epochs=6, batch_size=16, validation=0.25)
    parts.fit(X, P, epochs=2, batch_size=16, validation=0.25)
    parts.save(tmp_path / "model")
    parts = Model.load(tmp_path / "model")
    parts.fit(X, P, epochs=4, batch_size=16, validation=0.25, resume=True)
    assert parts.digest() == whole.digest()


def test_class_weights_are_refused_in_words():
    for weights in ("balanced", {0: 2.0}):
        with pytest.raises(ValueError, match="class_weight needs one label a row, and y has probabilities"):
            made().fit(X, P, epochs=1, class_weight=weights)


def test_labels_validate_probabilities_and_the_other_way_round():
    for y, held in ((P, HARD), (HARD, P)):
        model = made()
        history = model.fit(X, y, epochs=2, validation=(X, held))
        assert history.validation_loss[-1] == model.loss(X, held)


def test_ensembles_and_folds_take_them():
    ensemble = Ensemble([4, 6, 3], members=2, seed=1)
    ensemble.fit(X, P, epochs=2)
    assert set(ensemble.evaluate(X, P)) == {"loss", "accuracy"}
    scores = cross_validate(made(), X, P, folds=3, epochs=2)
    assert len(scores.scores["accuracy"]) == 3


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_with_an_input_scale_and_standardised_rows(backend):
    """By both backends as on rows that are standardised beforehand."""
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    options = {"epochs": 2, "batch_size": 25, "validation": (X, P)}
    model = made(input_scale=True, standardize=True, backend=backend)
    model.fit(X, P, **options)
    same = made(input_scale=True)
    same.fit(scaled, P, **options | {"validation": (scaled, P)})
    assert np.ptp(model.input_scale) > 0
    for (w, b), (v, c) in zip(model.weights, same.weights, strict=True):
        np.testing.assert_allclose(w, v, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(b, c, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(model.input_scale, same.input_scale, rtol=1e-10)
    assert model.history.validation_loss[-1] == model.evaluate(X, P)["loss"] == pytest.approx(same.loss(scaled, P))
    assert (model.predictor()(X) == model.predict_proba(X)).all()
    assert (model.predictor()(X[0]) == model.predict_proba(X[:1])[0]).all()
