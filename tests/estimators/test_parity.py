"""The estimators beside scikit-learn's: learning curves, weights, counts and predictions, to rounding."""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

import sklearn.neural_network as theirs
from scipy import sparse
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastmlp.estimators as ours

WEIGHS = "sample_weight" in inspect.signature(theirs.MLPClassifier.fit).parameters  # from 1.7 on, as has Poisson


@pytest.fixture(autouse=True)
def one_thread_of_blas():
    """Several of them spin against pytest's own processes: 4 minutes instead of 10 seconds."""
    with threadpool_limits(1):
        yield


SOLVERS = {
    "plain": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "adam": {"solver": "adam"},
}


def scaled(X):
    return StandardScaler().fit_transform(X)


def problem(name):
    """(kind of estimator, X, y) of scikit-learn's own data, scaled."""
    if name == "digits":
        X, y = datasets.load_digits(return_X_y=True)
        return "MLPClassifier", X / 16, y
    if name == "breast_cancer":
        X, y = datasets.load_breast_cancer(return_X_y=True)
        return "MLPClassifier", scaled(X), y
    X, y = datasets.load_diabetes(return_X_y=True)
    return "MLPRegressor", scaled(X), (y - y.mean()) / y.std()


def small(kind, rows=150, outputs=1):
    """Made-up rows, for what need not be large."""
    rng = np.random.RandomState(outputs)
    X = rng.normal(size=(rows, 6))
    z = X @ rng.normal(size=(6, outputs)) + 0.3 * rng.normal(size=(rows, outputs))
    of = {
        "labels": lambda: np.digitize(z[:, 0], (-1, 1)),
        "names": lambda: np.array(list("abc"))[np.digitize(z[:, 0], (-1, 1))],
        "two": lambda: z[:, 0] > 0,
        "several": lambda: (z > 0).astype(int),
        "values": lambda: z if outputs > 1 else z[:, 0],
        "counts": lambda: rng.poisson(np.exp(0.5 * np.tanh(z[:, 0]))),
    }
    return X, of[kind]()


def pair(kind, X, y, fit=None, **parameters):
    """Both fitted, scikit-learn's and ours; their warnings are of the same kinds, and ours begin as those."""
    made = []
    for module in (theirs, ours):
        estimator = getattr(module, kind)(**{"random_state": 3, **parameters})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with np.errstate(all="ignore"):
                estimator.fit(X, y, **(fit or {}))
        told = sorted((warning.category.__name__, str(warning.message).partition(" after ")[0]) for warning in caught)
        made.append(
            (estimator, [each for each in told if each[0] != "DeprecationWarning"])
        )  # of old ones with new scipy
    (a, told), (b, said) = made
    assert [kind for kind, _ in told] == [kind for kind, _ in said]
    assert all(ours.startswith(theirs.rstrip(".")) for (_, ours), (_, theirs) in zip(said, told, strict=True))
    return a, b


def quietly(estimator, X, y):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        estimator.fit(X, y)


def distance(found, expected):
    """The largest difference, relative to the largest size."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)


def assert_alike(ours, theirs, close=1e-8):
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)
    assert distance(ours.loss_curve_, theirs.loss_curve_) <= close
    for found, expected in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        assert distance(found, expected) <= close
    assert ours.loss_ == ours.loss_curve_[-1]
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None)
        assert found is None or distance(found, expected) <= max(close, 1e-8)
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "_no_improvement_count"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.sample(6)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_fifty_epochs(name, solver):
    kind, X, y = problem(name)
    a, b = pair(kind, X, y, max_iter=50, n_iter_no_change=100, **SOLVERS[solver])
    assert b.n_iter_ == 50
    assert_alike(b, a)
    assert (
        (b.predict(X) == a.predict(X)).all() if kind == "MLPClassifier" else distance(b.predict(X), a.predict(X)) < 1e-8
    )


@pytest.mark.sample(8)
@pytest.mark.parametrize(
    "parameters",
    [
        {"tol": 1e-3},
        {"solver": "sgd", "learning_rate_init": 0.1, "tol": 1e-3},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "power_t": 0.3, "tol": 3e-3},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05, "tol": 1e-3, "momentum": 0.5},
        {"early_stopping": True},
        {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05, "early_stopping": True},
    ],
    ids=lambda parameters: " ".join(f"{k}={v}" for k, v in parameters.items()),
)
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_rules_end_trainings_in_the_same_epoch(name, parameters):
    kind, X, y = problem(name)
    a, b = pair(kind, X[:600], y[:600], max_iter=500, hidden_layer_sizes=30, **parameters)
    assert b.n_iter_ < 500
    assert_alike(b, a)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "diabetes"])
def test_lbfgs_comes_to_the_same_loss(name):
    """As far as it converges; on diabetes that takes a penalty, and an activation without corners."""
    kind, X, y = problem(name)
    more = {"activation": "tanh", "alpha": 100.0, "tol": 1e-6} if name == "diabetes" else {}
    a, b = pair(kind, X, y, solver="lbfgs", max_iter=2000, **more)
    assert abs(b.loss_ - a.loss_) <= 1e-6 * a.loss_
    assert b.n_iter_ < 5000
    assert not hasattr(b, "loss_curve_")


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", ["labels", "names", "two", "several", "values", "counts"])
def test_activations_and_targets(kind, activation):
    if kind == "counts" and not WEIGHS:
        pytest.skip("this scikit-learn has no Poisson loss")
    X, y = small(kind, outputs=3 if kind == "several" else 1)
    name = "MLPRegressor" if kind in ("values", "counts") else "MLPClassifier"
    more = {"loss": "poisson"} if kind == "counts" else {}
    a, b = pair(
        name, X, y, hidden_layer_sizes=(9, 5), activation=activation, batch_size=40, max_iter=20, alpha=0.1, **more
    )
    assert_alike(b, a)
    if name == "MLPClassifier":
        assert b.predict(X).dtype == a.predict(X).dtype
        assert (b.predict(X) == a.predict(X)).all()
        assert (b.classes_ == a.classes_).all()
        np.testing.assert_allclose(b.predict_proba(X), a.predict_proba(X), rtol=1e-8)
        np.testing.assert_allclose(b.predict_log_proba(X), a.predict_log_proba(X), rtol=1e-8, atol=1e-12)
    else:
        np.testing.assert_allclose(b.predict(X), a.predict(X), rtol=1e-8)
    assert b.score(X, y) == pytest.approx(a.score(X, y), rel=1e-9)


@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_without_hidden_layers(activation):
    for kind, targets in (("MLPClassifier", "labels"), ("MLPRegressor", "values")):
        a, b = pair(kind, *small(targets), hidden_layer_sizes=(), activation=activation, max_iter=10)
        assert_alike(b, a)


def test_several_values():
    X, y = small("values", outputs=3)
    for parameters in ({}, {"early_stopping": True, "max_iter": 40}, {"solver": "lbfgs", "max_iter": 30}):
        a, b = pair("MLPRegressor", X, y, **{"hidden_layer_sizes": 8, "max_iter": 20, **parameters})
        assert b.predict(X).shape == y.shape
        if "solver" in parameters:
            np.testing.assert_allclose(b.loss_, a.loss_, rtol=1e-6)
        else:
            assert_alike(b, a)


@pytest.mark.skipif(not WEIGHS, reason="this scikit-learn's MLP knows no weights of rows")
@pytest.mark.parametrize("kind", ["labels", "two", "values", "counts"])
def test_weights_of_rows(kind):
    X, y = small(kind)
    weights = np.random.RandomState(0).uniform(0.1, 3, len(X))
    name = "MLPRegressor" if kind in ("values", "counts") else "MLPClassifier"
    more = {"loss": "poisson"} if kind == "counts" else {}
    for parameters in ({"batch_size": 40}, {}, {"early_stopping": True, "batch_size": 31}, {"solver": "sgd"}):
        a, b = pair(
            name, X, y, {"sample_weight": weights}, hidden_layer_sizes=7, max_iter=15, alpha=0.5, **more, **parameters
        )
        assert_alike(b, a)
    a, b = pair(name, X, y, {"sample_weight": weights}, solver="lbfgs", hidden_layer_sizes=3, alpha=3, tol=1e-5, **more)
    np.testing.assert_allclose(b.loss_, a.loss_, rtol=1e-6)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", ["auto", 1, 7, 150, 1000])
def test_batches(batch_size, shuffle):
    X, y = small("labels")
    a, b = pair("MLPClassifier", X, y, hidden_layer_sizes=5, batch_size=batch_size, shuffle=shuffle, max_iter=4)
    assert_alike(b, a)


def test_a_random_state_is_left_as_scikit_learn_leaves_it():
    X, y = small("two")
    for batch_size in ("auto", 40):
        made = []
        for module in (theirs, ours):
            state = np.random.RandomState(5)
            with pytest.warns(ConvergenceWarning):
                module.MLPClassifier(random_state=state, max_iter=3, batch_size=batch_size).fit(X, y)
            made.append(state.randint(2**31))
        assert made[0] == made[1]


@pytest.mark.parametrize("parameters", [{}, {"solver": "sgd"}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_partial_fit(parameters):
    X, y = small("names")
    made = [module.MLPClassifier(random_state=1, batch_size=40, **parameters) for module in (theirs, ours)]
    for first in (0, 50, 100, 0, 50):
        for estimator in made:
            estimator.partial_fit(X[first : first + 50], y[first : first + 50], classes=["a", "b", "c"])
    assert_alike(made[1], made[0])
    assert made[1].n_iter_ == 1
    made = [module.MLPRegressor(random_state=1, **parameters) for module in (theirs, ours)]
    for _ in range(3):
        for estimator in made:
            estimator.partial_fit(X, X[:, :2])
    assert_alike(made[1], made[0])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_start(early_stopping):
    X, y = small("labels")
    made = []
    for module in (theirs, ours):
        estimator = module.MLPClassifier(
            random_state=1, warm_start=True, max_iter=5, early_stopping=early_stopping, hidden_layer_sizes=6
        )
        for _ in range(3):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                estimator.fit(X, y)
        made.append(estimator)
    assert len(made[1].loss_curve_) > 10
    assert_alike(made[1], made[0])


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_float32(kind):
    X, y = small("labels" if kind == "MLPClassifier" else "values")
    X = X.astype(np.float32)
    a, b = pair(kind, X, y, hidden_layer_sizes=8, max_iter=20)
    assert {x.dtype for x in b.coefs_ + b.intercepts_} == {np.dtype(np.float32)}
    assert_alike(b, a, close=1e-4)
    if kind == "MLPRegressor":
        assert b.predict(X).dtype == np.float32


def test_certain_predictions_in_float32():
    """scikit-learn holds probabilities within epsilon of 0 and 1: here most rows are there."""
    rng = np.random.RandomState(0)
    X, y = (100 * rng.normal(size=(300, 3))).astype(np.float32), rng.randint(0, 3, 300)
    a, b = pair("MLPClassifier", X, y, hidden_layer_sizes=10, max_iter=3, batch_size=50)
    assert a.loss_curve_[0] > 5
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-4)


@pytest.mark.parametrize("of", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_rows(of):
    X, y = small("labels")
    X = np.where(X > 0, X, 0)
    a, b = pair("MLPClassifier", of(X), y, hidden_layer_sizes=5, max_iter=8)
    assert_alike(b, a)
    assert (b.predict_proba(of(X)) == b.predict_proba(X)).all()


def test_sparse_labels():
    X, y = small("several", outputs=3)
    a, b = pair("MLPClassifier", X, sparse.csr_matrix(y), hidden_layer_sizes=5, max_iter=8)
    assert_alike(b, a)
    found, expected = b.predict(X), a.predict(X)
    assert type(found) is type(expected)
    assert (found != expected).nnz == 0


def test_what_is_printed(capsys):
    X, y = small("two")
    for parameters in ({}, {"early_stopping": True}, {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1}):
        printed = []
        for module in (theirs, ours):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module.MLPClassifier(random_state=1, max_iter=20, verbose=True, **parameters).fit(X, y)
            printed.append(capsys.readouterr().out.splitlines())
        assert printed[1] == printed[0]


def test_one_class_alone():
    X, _ = small("two")
    a, b = pair("MLPClassifier", X, np.full(len(X), "x"), max_iter=2)
    assert (b.predict(X) == a.predict(X)).all()


def test_a_diverging_training_with_early_stopping():
    X, y = small("values")
    parameters = {"solver": "sgd", "learning_rate_init": 1e6, "activation": "identity", "max_iter": 12}
    a, b = pair("MLPRegressor", X, y, early_stopping=True, **parameters)
    assert b.n_iter_ == a.n_iter_ == 12
    assert np.isnan(b.validation_scores_[-1])
    assert len(b.validation_scores_) == len(b.loss_curve_) == 12
    assert np.isfinite(b.predict(X)).all()
    for module in (theirs, ours):
        estimator = module.MLPRegressor(**parameters)
        with pytest.raises(
            ValueError, match=r"^Solver produced .* weights. The input data may .* to be preprocessed\."
        ):
            quietly(estimator, X, y)


BROKEN = [
    ({"hidden_layer_sizes": -1}, {}),
    ({"hidden_layer_sizes": (3, 0)}, {}),
    ({"alpha": -1}, {}),
    ({"activation": "swish"}, {}),
    ({"solver": "newton"}, {}),
    ({"learning_rate": "cosine"}, {}),
    ({"learning_rate_init": 0}, {}),
    ({"batch_size": 0}, {}),
    ({"max_iter": 0}, {}),
    ({"momentum": 1.5}, {}),
    ({"beta_1": 1.0}, {}),
    ({"epsilon": 0}, {}),
    ({"tol": -1}, {}),
    ({"n_iter_no_change": 0}, {}),
    ({"validation_fraction": 1.0}, {}),
    ({"early_stopping": True, "validation_fraction": 0.001}, {}),
    ({"early_stopping": "yes"}, {}),
    ({"random_state": "seed"}, {}),
    ({"max_fun": 0, "solver": "lbfgs"}, {}),
    ({}, {"X": np.full((150, 6), np.nan)}),
    ({}, {"X": np.zeros((149, 6))}),
    ({}, {"X": np.zeros(150)}),
    ({}, {"y": np.linspace(0, 1, 150)}),
    ({}, {"X": [["a"] * 6] * 150}),
]


@pytest.mark.parametrize(("parameters", "data"), BROKEN, ids=lambda case: ", ".join(case))
def test_errors_are_of_the_same_kind(parameters, data):
    X, y = small("two")
    data = {"X": X, "y": y, **data}
    raised = []
    for module in (theirs, ours):
        with pytest.raises((ValueError, TypeError)) as found:
            quietly(module.MLPClassifier(**parameters), **data)
        raised.append(found.value)
    assert type(raised[1]) is type(raised[0])
    if type(raised[0]).__name__ != "InvalidParameterError":
        assert str(raised[1]).startswith(str(raised[0]).rstrip("."))
    elif "activation" not in parameters:  # there are more of them, and more kinds of rates
        words = [str(error).split()[:3] for error in raised]
        assert words[0] == words[1]


def test_every_parameter_and_default_of_scikit_learn_is_ours():
    for kind in ("MLPClassifier", "MLPRegressor"):
        expected = getattr(theirs, kind)().get_params()
        found = getattr(ours, kind)().get_params()
        assert {name: found.get(name) for name in expected} == expected
        positional = [
            [p.name for p in inspect.signature(getattr(module, kind)).parameters.values() if p.kind != p.KEYWORD_ONLY]
            for module in (theirs, ours)
        ]
        assert positional[1][-2:] == positional[0][-2:]
