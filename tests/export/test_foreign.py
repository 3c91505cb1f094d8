"""Networks of scikit-learn's estimators: as Model, and as fastmlp's estimators."""

import sys
import warnings

import numpy as np
import pytest
from bits import assert_same_bits
from models import rows, said

import fastmlp
from fastmlp import Model

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed: there are no estimators")
from sklearn import neural_network as theirs  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402

X = rows(60, 4)
WORDS = np.array(["ape", "bee", "cow"])[np.arange(60) % 3]
LABELS = {"three words": WORDS, "two numbers": np.arange(60) % 2 + 5, "several": rows(60, 3, 1) > 0}


def fitted(estimator, x=X, y=WORDS):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(x, y)


def near(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-14 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("kind", LABELS)
def test_classifiers(kind, activation):
    y = LABELS[kind]
    other = fitted(theirs.MLPClassifier((5, 4), activation, max_iter=4, random_state=1), y=y)
    made = fastmlp.MLPClassifier.from_sklearn(other)
    near(made.predict_proba(X), other.predict_proba(X))
    assert (made.predict(X) == other.predict(X)).all()
    assert (made.classes_ == other.classes_).all()
    assert made.loss_curve_ == other.loss_curve_
    assert made.get_params()["activation"] == activation
    model = Model.from_sklearn(other)
    p = other.predict_proba(X)
    near(model.predict_proba(X), p[:, 1:] if kind == "two numbers" else p)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", [*LABELS, "one value", "two values"])
def test_models_of_our_estimators_have_their_bits(kind, dtype):
    x = X.astype(dtype)
    if "value" in kind:
        y = x[:, 0] * 3 if kind == "one value" else x[:, :2] * 3
        made = fitted(fastmlp.MLPRegressor(hidden_layer_sizes=(5,), max_iter=4, random_state=1), x, y)
        found, expected = Model.from_sklearn(made).predict(x), made.predict(x)
    else:
        made = fitted(fastmlp.MLPClassifier((5,), "tanh", max_iter=4, random_state=1), x, LABELS[kind])
        found, expected = Model.from_sklearn(made).predict_proba(x), made.predict_proba(x)
        expected = expected[:, 1:] if kind == "two numbers" else expected
    assert found.dtype == dtype
    assert_same_bits(found, expected)
    again = type(made).from_sklearn(made)
    assert_same_bits(again.predict(x), made.predict(x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors(outputs, dtype):
    y = X[:, :outputs] * 3 + 1 if outputs > 1 else X[:, 0] * 3
    other = fitted(theirs.MLPRegressor(hidden_layer_sizes=(5,), max_iter=4, random_state=1), X.astype(dtype), y)
    made, model = fastmlp.MLPRegressor.from_sklearn(other), Model.from_sklearn(other)
    expected = other.predict(X.astype(dtype))
    for found in (made.predict(X.astype(dtype)), model.predict(X)):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 64 * np.finfo(dtype).eps * np.abs(expected).max()
    assert model.spec.dtype == np.dtype(dtype).name


def test_poisson():
    if "loss" not in theirs.MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no Poisson loss")
    other = fitted(
        theirs.MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), max_iter=4, random_state=1), y=np.arange(60) % 4
    )
    model = Model.from_sklearn(other)
    assert (model.spec.output, model.spec.loss) == ("exponential", "poisson")
    near(model.predict(X), other.predict(X))
    near(fastmlp.MLPRegressor.from_sklearn(other).predict(X), other.predict(X))


@pytest.mark.parametrize("early", [False, True])
def test_training_goes_on(early):
    other = fitted(theirs.MLPClassifier((5,), max_iter=4, random_state=1, warm_start=True, early_stopping=early))
    made = fastmlp.MLPClassifier.from_sklearn(other)
    before = len(made.loss_curve_)
    fitted(made)
    assert len(made.loss_curve_) > before
    assert len(made.validation_loss_curve_ or []) == len(made.validation_scores_ or [])
    if not early:
        w, count = made.coefs_[0].copy(), len(made.loss_curve_)
        made.partial_fit(X, WORDS)
        assert len(made.loss_curve_) == count + 1
        assert np.isfinite(made.loss_)
        assert (made.coefs_[0] != w).any()
        assert (other.coefs_[0] != w).any()


def test_the_curves_of_our_own_estimator():
    made = fitted(fastmlp.MLPClassifier((5,), max_iter=4, random_state=1, early_stopping=True))
    again = fastmlp.MLPClassifier.from_sklearn(made)
    assert np.isfinite(made.validation_loss_curve_).all()
    assert again.validation_loss_curve_ == made.validation_loss_curve_
    assert again.validation_loss_curve_ is not made.validation_loss_curve_


def test_a_generator_is_not_shared():
    draws = np.random.RandomState(1)
    other = fitted(theirs.MLPClassifier((5,), max_iter=2, random_state=draws))
    made = fastmlp.MLPClassifier.from_sklearn(other)
    assert made.random_state is not draws
    before = draws.get_state()[2], draws.get_state()[1].tolist()
    fitted(made)
    assert (draws.get_state()[2], draws.get_state()[1].tolist()) == before


@pytest.mark.parametrize("home", [theirs, fastmlp])
def test_weights_that_are_wrong_are_refused(home):
    def changed(change):
        other = fitted(home.MLPClassifier((5,), max_iter=2, random_state=1))
        change(other)
        for make in (Model, fastmlp.MLPClassifier):
            yield said(ValueError, make.from_sklearn, other)

    def nan(other):
        other.coefs_[0][1, 2] = np.nan

    def broadcast(other):
        other.coefs_[1] = other.coefs_[1][:1]

    def infinite(other):
        other.intercepts_[1][0] = np.inf

    assert all("NaN or infinite" in text for text in changed(nan))
    assert all("NaN or infinite" in text for text in changed(infinite))
    assert all("(1, 3)" in text for text in changed(broadcast))


@pytest.mark.parametrize("home", [theirs, fastmlp])
def test_one_class_alone_is_refused(home):
    other = fitted(home.MLPClassifier((5,), max_iter=2), y=np.full(60, "ape"))
    for make in (Model, fastmlp.MLPClassifier):
        assert "one label alone" in said(ValueError, make.from_sklearn, other)


def test_a_scaler_of_that_name_alone_is_refused():
    class Own:
        def fit(self, x, y=None):
            self.n_features_in_ = x.shape[1]
            return self

        def transform(self, x):
            return -x

    Own.__name__ = "StandardScaler"
    other = fitted(make_pipeline(Own(), theirs.MLPClassifier((5,), max_iter=2)))
    assert "one StandardScaler of scikit-learn's is known: give the last step" in said(
        TypeError, Model.from_sklearn, other
    )


@pytest.mark.parametrize("options", [{}, {"with_mean": False}, {"with_std": False}])
def test_a_pipeline_with_a_scaler(options, tmp_path):
    x = X * [1, 1e3, 1e-5, 0] + [3, 4, 5, 7]  # the last column is constant, and in new rows it is not
    rows = np.concatenate([x, x + [0.5, 2e2, 1e-5, 3]])
    for kind in (theirs.MLPClassifier, fastmlp.MLPClassifier):
        other = fitted(make_pipeline(StandardScaler(**options), kind((5,), max_iter=4, random_state=1)), x)
        model = Model.from_sklearn(other)
        p = other.predict_proba(rows)
        assert np.abs(model.predict_proba(rows) - p).max() <= 1e-11
        assert model.standardize == "features"
        model.save(tmp_path / "model")
        again = Model.load(tmp_path / "model")
        assert_same_bits(again.predict_proba(rows), model.predict_proba(rows))
        model.fit(x, np.arange(60) % 3, epochs=1, threads=1)
        assert np.abs(model.scale[0] / x.mean(axis=0) - 1).max() < 1e-12  # learnt anew


def test_a_copy_is_independent():
    other = fitted(theirs.MLPClassifier((5,), max_iter=4, random_state=1))
    made, model = fastmlp.MLPClassifier.from_sklearn(other), Model.from_sklearn(other)
    p, digest = made.predict_proba(X), model.digest()
    other.coefs_[0][:] = 0
    other.classes_[:] = "x"
    assert_same_bits(made.predict_proba(X), p)
    assert (model.digest(), made.classes_[0]) == (digest, "ape")


def test_what_is_refused():
    classifier = fitted(theirs.MLPClassifier((5,), max_iter=2))
    assert "is not fitted" in said(ValueError, Model.from_sklearn, theirs.MLPClassifier())
    assert "is a int, and not an MLPClassifier" in said(TypeError, Model.from_sklearn, 3)
    pipeline = make_pipeline(StandardScaler(), classifier)
    assert "is not fitted" in said(ValueError, Model.from_sklearn, pipeline)
    longer = make_pipeline(MinMaxScaler(), StandardScaler(), classifier)
    assert "with MinMaxScaler, StandardScaler before" in said(TypeError, Model.from_sklearn, longer)
    assert "with nothing before" in said(TypeError, Model.from_sklearn, make_pipeline(classifier))
    assert "not an MLPClassifier" in said(TypeError, fastmlp.MLPClassifier.from_sklearn, pipeline)
    assert "takes an MLPRegressor" in said(TypeError, fastmlp.MLPRegressor.from_sklearn, classifier)
    assert "not an MLPClassifier" in said(TypeError, fastmlp.MLPClassifier.from_sklearn, StandardScaler())


def test_a_wrong_order_of_weights_is_seen(monkeypatch):
    from fastmlp.export import foreign

    other = fitted(theirs.MLPClassifier((4,), max_iter=4, random_state=1))
    real = foreign.network_of
    monkeypatch.setattr(foreign, "network_of", lambda e: (real(e)[0], [(w[::-1], b) for w, b in real(e)[1]]))
    with pytest.raises(AssertionError):
        near(Model.from_sklearn(other).predict_proba(X), other.predict_proba(X))


def test_a_model_does_not_import_the_estimators_for_it():
    import subprocess

    script = (
        "import sys, fastmlp; from fastmlp.export import foreign; fastmlp.Model([2, 2])\n"
        "assert not {'sklearn', 'torch', 'onnx'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
