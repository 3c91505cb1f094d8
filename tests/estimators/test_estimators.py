"""What the estimators have beside scikit-learn's, and what scikit-learn promises of every estimator."""

import copy
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from bits import assert_same_bits

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from test_docs import run_page

import fastmlp
from fastmlp import CrossEntropy, Huber, MLPClassifier, MLPRegressor, Quantile, Spec, estimators
from fastmlp.engine import numba_backend
from fastmlp.schedules import Cosine, ReduceOnPlateau

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]


def rows(count=120, columns=5, outputs=1):
    rng = np.random.RandomState(7)
    X = rng.normal(size=(count, columns))
    return X, (X[:, :outputs] + X[:, 1 : outputs + 1] ** 2 > 0.6).astype(int).squeeze()


def three(count=120):
    X, _ = rows(count)
    return X, np.digitize(X[:, 0], (-0.5, 0.5))


def quick(kind=MLPClassifier, **parameters):
    return kind(**{"hidden_layer_sizes": 6, "max_iter": 8, "batch_size": 25, "random_state": 2, **parameters})


def bits(estimator):
    return np.concatenate([x.ravel() for x in estimator.coefs_ + estimator.intercepts_])


# ---------------------------------------------------------------------------------------------------------
# scikit-learn's own checks


def expected_failures(estimator):
    """{check: why it may fail}: none may."""
    return {}


@parametrize_with_checks(
    [MLPClassifier(max_iter=100), MLPRegressor(max_iter=100), MLPClassifier(max_iter=20, solver="lbfgs")],
    expected_failed_checks=expected_failures,
)
def test_checks_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


# ---------------------------------------------------------------------------------------------------------
# Bits


FIT = """
import json, sys, hashlib, warnings
import numpy as np
from fastmlp import MLPClassifier, MLPRegressor
warnings.simplefilter("ignore")
rng = np.random.RandomState(0)
X = rng.normal(size=(900, 40))
found = []
for dtype in ("float64", "float32"):
    for options in ({}, {"solver": "sgd", "batch_size": 900}, {"solver": "lbfgs", "max_iter": 5}):
        options = {"max_iter": 3, "random_state": 1, "hidden_layer_sizes": (60, 50), "batch_size": 600, **options}
        threads = json.loads(sys.argv[1])
        for kind, y in ((MLPClassifier, X[:, 0] > 0), (MLPRegressor, X[:, :3])):
            made = kind(n_threads=threads, **options).fit(X.astype(dtype), y)
            arrays = [*made.coefs_, *made.intercepts_, made.predict(X[:9].astype(dtype))]
            found.append(hashlib.sha256(b"".join(x.tobytes() for x in arrays)).hexdigest())
print(json.dumps(found))
"""


@pytest.mark.slow
def test_other_processes_and_threads_give_the_same_bits():
    environment = {**os.environ, "PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}
    found = []
    for threads, more in (
        ("1", {}),
        ("2", {}),
        ("null", {"FASTMLP_NUM_THREADS": "2"}),
        ("null", {"OMP_NUM_THREADS": "1"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", FIT, threads], env=environment | more, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout))
    assert found.count(found[0]) == len(found)


def test_a_search_by_two_processes_gives_the_same_bits():
    X, y = three()
    grid = {"alpha": [1e-4, 1.0], "solver": ["sgd", "adam"]}
    found = [GridSearchCV(quick(), grid, n_jobs=jobs, cv=3).fit(X, y) for jobs in (1, 2)]
    assert found[0].best_params_ == found[1].best_params_
    assert (found[0].cv_results_["mean_test_score"] == found[1].cv_results_["mean_test_score"]).all()
    assert_same_bits(bits(found[0].best_estimator_), bits(found[1].best_estimator_))
    alone = clone(found[0].best_estimator_).fit(X, y)
    assert_same_bits(bits(alone), bits(found[1].best_estimator_))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_rows_prediction_does_not_depend_on_its_batch(kind, dtype):
    X, y = three(700)
    X = X.astype(dtype)
    made = quick(kind).fit(X, y)
    predict = made.predict_proba if kind is MLPClassifier else made.predict
    every = predict(X)
    for some in (slice(0, 1), slice(699, 700), slice(3, 40), slice(10, 600), slice(None, None, -1), [5, 600, 7]):
        assert_same_bits(predict(X[some]), every[some])
        assert_same_bits(predict(np.asfortranarray(X[some])), every[some])
        assert_same_bits(predict(sparse.csr_matrix(X[some])), every[some])


def test_weights_of_ones_change_no_bit():
    X, y = three()
    assert_same_bits(bits(quick().fit(X, y)), bits(quick().fit(X, y, np.ones(len(X)))))


# ---------------------------------------------------------------------------------------------------------
# The trained network is its attributes


@pytest.mark.parametrize("kind", KINDS)
def test_copies(kind, tmp_path):
    X, y = three()
    made = quick(kind).fit(X, y)
    (tmp_path / "model").write_bytes(pickle.dumps(made))
    for other in (pickle.loads((tmp_path / "model").read_bytes()), copy.deepcopy(made)):
        assert_same_bits(other.predict(X), made.predict(X))
        other.partial_fit(X, y)
        again = copy.deepcopy(made)
        assert_same_bits(bits(again.partial_fit(X, y)), bits(other))
        assert bits(other).tobytes() != bits(made).tobytes()
    assert not hasattr(clone(made), "coefs_")


def test_a_changed_weight_changes_predictions():
    X, y = three()
    made = quick(MLPRegressor).fit(X, y)
    before = made.predict(X[:4])
    made.intercepts_[-1][0] += 1.0  # in place
    np.testing.assert_allclose(made.predict(X[:4]), before + 1)
    made.intercepts_[-1] = made.intercepts_[-1] + 1.0  # another array
    np.testing.assert_allclose(made.predict(X[:4]), before + 2)
    made.coefs_ = [w * 0 for w in made.coefs_]
    np.testing.assert_allclose(made.predict(X[:4]), made.intercepts_[-1][0])
    made.warm_start = True
    made.fit(X, y)
    assert np.isfinite(made.predict(X)).all()


def test_a_new_fit_leaves_the_old_weights_alone():
    X, y = three()
    made = quick().fit(X, y)
    held, before = made.coefs_[0], made.coefs_[0].copy()
    made.set_params(random_state=9).fit(X, y)
    assert_same_bits(held, before)


def test_predictions_by_threads():
    X, y = three()
    made = quick().fit(X, y)
    every, wrong = made.predict_proba(X), []

    def predict(row):
        for _ in range(300):
            if made.predict_proba(X[row : row + 1]).tobytes() != every[row : row + 1].tobytes():
                wrong.append(row)

    crew = [threading.Thread(target=predict, args=(row,)) for row in range(4)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert not wrong


def test_rows_that_may_only_be_read(tmp_path):
    X, y = three()
    for name, array in (("X", X), ("y", y)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("X", "y")]
    for parameters in ({}, {"early_stopping": True}, {"solver": "lbfgs"}):
        found = quick(**parameters).fit(*mapped)
        assert_same_bits(bits(found), bits(quick(**parameters).fit(X, y)))
        assert_same_bits(found.predict_proba(mapped[0]), found.predict_proba(X))


def test_names_of_features():
    import pandas

    X, y = three()
    frame = pandas.DataFrame(X, columns=list("abcde"))
    made = quick().fit(frame, y)
    assert made.feature_names_in_.tolist() == list("abcde")
    assert_same_bits(made.predict_proba(frame), quick().fit(X, y).predict_proba(X))
    with pytest.warns(UserWarning, match="feature names"):
        made.predict(X)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.full((1, 5), np.nan), "contains NaN"),
        (np.full((1, 5), np.inf), "contains infinity"),
        (np.zeros((1, 4)), "expecting 5 features"),
        (np.zeros(5), "2D array"),
        ([["a"] * 5], "string"),
    ],
)
def test_rows_that_do_not_fit(X, words):
    made = quick().fit(*three())
    with pytest.raises(ValueError, match=words):
        made.predict(X)
    with pytest.raises(NotFittedError):
        quick().predict(X)


# ---------------------------------------------------------------------------------------------------------
# What scikit-learn's have not


def test_activations_of_each_layer():
    X, y = three()
    made = quick(hidden_layer_sizes=(5, 4, 3), activation=["gelu", "logistic", "leaky_relu"]).fit(X, y)
    spec = Spec.build([5, 5, 4, 3, 3], ["gelu", "sigmoid", "leaky_relu"], "softmax")
    flat = np.concatenate([np.append(w.ravel(), b) for w, b in zip(made.coefs_, made.intercepts_, strict=True)])
    assert_same_bits(made.predict_proba(X), numba_backend.outputs(spec, flat, X))
    for wrong in (["gelu"], ["gelu", "tanh", "swish"]):
        with pytest.raises(ValueError, match="activation has"):
            quick(hidden_layer_sizes=(5, 4, 3), activation=wrong).fit(X, y)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", Huber(0.3), Quantile(0.9)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_values(loss, solver):
    X, _ = rows(300)
    y = X[:, 0] + 0.1 * X[:, 1] ** 3
    made = MLPRegressor(loss, 12, solver=solver, max_iter=150, learning_rate_init=0.02, random_state=0).fit(X, y)
    if loss == Quantile(0.9):
        assert 0.8 < (y <= made.predict(X)).mean() < 0.98
    else:
        assert np.abs(y - made.predict(X)).mean() < 0.25


def test_losses_of_labels():
    X, y = rows(300)
    plain = quick(max_iter=150, learning_rate_init=0.05).fit(X, y)
    smooth = quick(max_iter=150, learning_rate_init=0.05, loss=CrossEntropy(0.3)).fit(X, y)
    assert plain.predict_proba(X).max() > 0.95 > 0.9 > np.median(smooth.predict_proba(X).max(axis=1)) > 0.7
    X, y = three(300)
    smooth = quick(max_iter=150, learning_rate_init=0.05, loss=CrossEntropy(0.3)).fit(X, y)
    assert 0.9 > np.median(smooth.predict_proba(X).max(axis=1)) > 0.7
    squared = quick(max_iter=100, learning_rate_init=0.05, loss="squared_error")
    assert squared.fit(*rows(300)).score(*rows(300)) > 0.85
    with pytest.raises(ValueError, match='loss="squared_error" goes with two classes'):
        squared.fit(X, y)


def test_counts_are_not_negative():
    with pytest.raises(ValueError, match=r"y has -1.*counts"):
        quick(MLPRegressor, loss="poisson").fit(*[rows()[0], rows()[1] - 1])


def test_class_weight():
    X, y = three()
    names = np.array(["x", "y", "z"])[y]
    by_hand = quick().fit(X, names, np.where(y == 1, 5.0, 1.0))
    assert_same_bits(bits(quick(class_weight={"y": 5.0}).fit(X, names)), bits(by_hand))
    counts = np.bincount(y)
    balanced = quick().fit(X, names, len(y) / (3 * counts[y]))
    assert_same_bits(bits(quick(class_weight="balanced").fit(X, names)), bits(balanced))
    both = quick(class_weight={"y": 5.0}).fit(X, names, np.arange(len(y)) + 1.0)
    assert_same_bits(bits(both), bits(quick().fit(X, names, np.where(y == 1, 5.0, 1.0) * (np.arange(len(y)) + 1.0))))
    with pytest.raises(ValueError, match="partial_fit does not see"):
        quick(class_weight="balanced").partial_fit(X, names, classes=["x", "y", "z"])


def test_dropout():
    X, y = three()
    made = [quick(hidden_layer_sizes=(20, 20), dropout=rate).fit(X, y) for rate in (0.0, 0.5, 0.5, [0.5, 0.0])]
    assert_same_bits(bits(made[1]), bits(made[2]))
    assert len({bits(each).tobytes() for each in made}) == 3
    with pytest.raises(ValueError, match="dropout is a list of 3"):
        quick(dropout=[0.1, 0.2, 0.3]).fit(X, y)
    again = [quick(dropout=0.5) for _ in range(2)]
    for each in again:
        for _ in range(3):
            each.partial_fit(X, y, classes=[0, 1, 2])
    assert_same_bits(bits(again[0]), bits(again[1]))


def test_validation_of_ones_own():
    X, y = three(300)
    names = np.array(["x", "y", "z"])[y]
    train, held = slice(0, 200), slice(200, 300)
    made = quick(max_iter=30).fit(X[train], names[train], X_val=X[held], y_val=names[held])
    assert len(made.validation_scores_) == len(made.validation_loss_curve_) == 30
    assert made.validation_scores_[-1] == made.score(X[held], names[held])
    p = made.predict_proba(X[held])[np.arange(100), y[held]]
    assert made.validation_loss_curve_[-1] == pytest.approx(-np.log(p).mean(), rel=1e-12)
    assert_same_bits(bits(made), bits(quick(max_iter=30).fit(X[train], names[train])))  # it only looks
    stopped = quick(max_iter=300, early_stopping=True, learning_rate_init=0.1)
    stopped.fit(X[train], names[train], X_val=X[held], y_val=names[held])
    assert stopped.n_iter_ < 300
    assert stopped.best_validation_score_ == max(stopped.validation_scores_) == stopped.score(X[held], names[held])
    weights = np.arange(100.0)
    made.fit(X[train], names[train], X_val=X[held], y_val=names[held], sample_weight_val=weights)
    assert made.validation_scores_[-1] == pytest.approx(made.score(X[held], names[held], weights), rel=1e-12)


def test_validation_of_values_and_of_several_labels():
    X, y = rows(200, outputs=3)
    made = quick().fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    assert made.validation_scores_[-1] == made.score(X[150:], y[150:])
    values = quick(MLPRegressor).fit(X[:150], X[:150, :2], X_val=X[150:], y_val=X[150:, :2])
    assert values.validation_scores_[-1] == pytest.approx(values.score(X[150:], X[150:, :2]), rel=1e-12)
    errors = values.predict(X[150:]) - X[150:, :2]
    assert values.validation_loss_curve_[-1] == pytest.approx(0.5 * (errors**2).mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"X_val": np.zeros((3, 5))}, "X_val is given without y_val"),
        ({"y_val": np.zeros(3)}, "y_val is given without X_val"),
        ({"X_val": np.zeros((3, 4)), "y_val": np.zeros(3)}, "expecting 5 features"),
        ({"X_val": np.zeros((3, 5)), "y_val": np.zeros(2)}, "inconsistent numbers of samples"),
        ({"X_val": np.zeros((3, 5)), "y_val": [0, 1, 7]}, "y_val has 7, which y has not"),
    ],
)
def test_validation_that_does_not_fit(given, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(*three(), **given)


def test_lbfgs_validates_nothing():
    X, y = three()
    with pytest.raises(ValueError, match=r"X_val and y_val go with"):
        quick(solver="lbfgs").fit(X, y, X_val=X, y_val=y)
    assert not hasattr(quick(solver="lbfgs", early_stopping=True).fit(X, y), "validation_scores_")


def test_validation_is_routed_through_a_pipeline():
    X, y = three(200)
    X = 50 + 10 * X
    with sklearn.config_context(enable_metadata_routing=True):
        net = quick().set_fit_request(X_val=True, y_val=True)
        line = Pipeline([("scale", StandardScaler()), ("net", net)], transform_input=["X_val"])
        line.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    assert line[-1].validation_scores_[-1] == line.score(X[150:], y[150:])
    assert make_pipeline(StandardScaler(), quick(max_iter=99)).fit(X, y).score(X, y) > 0.5


def test_callbacks():
    X, y = three()
    seen, others = [], []

    def first(info):
        seen.append(info)
        return info.epoch == 5

    made = quick(callbacks=[first, others.append], max_iter=50).fit(X, y, X_val=X, y_val=y)
    assert made.n_iter_ == len(seen) == len(others) == 5
    assert [info.loss for info in seen] == made.loss_curve_
    assert [info.validation_accuracy for info in seen] == made.validation_scores_
    assert [info.validation_loss for info in seen] == made.validation_loss_curve_
    assert [info.learning_rate for info in seen] == [0.001] * 5
    assert (seen[-1].epochs, len(seen[-1].history)) == (50, 5)
    assert quick(callbacks=first, max_iter=50).fit(X, y).n_iter_ == 5
    with pytest.raises(TypeError, match="a callback returned 3"):
        quick(callbacks=lambda info: 3).fit(X, y)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_schedules(solver):
    X, y = three()
    rates = []
    made = quick(
        solver=solver, learning_rate=Cosine(0.05, epochs=8), callbacks=lambda info: rates.append(info.learning_rate)
    )
    made.fit(X, y)
    np.testing.assert_allclose(rates, Cosine(0.05, epochs=8).rates(np.arange(8)))
    steps = quick(solver=solver, learning_rate=Cosine(0.05, epochs=8))
    for _ in range(4):
        steps.partial_fit(X, y, classes=[0, 1, 2])
    assert steps._optimizer.learning_rate == pytest.approx(Cosine(0.05, epochs=8).rates([4])[0])
    rates.clear()
    plateau = ReduceOnPlateau(0.5, factor=0.5, patience=1, metric="validation_accuracy")
    quick(
        solver=solver, learning_rate=plateau, max_iter=40, callbacks=lambda info: rates.append(info.learning_rate)
    ).fit(X, y, X_val=X, y_val=y)
    assert rates[0] == 0.5 > rates[-1]


def test_threads():
    X, y = three()
    assert_same_bits(bits(quick(n_threads=2).fit(X, y)), bits(quick(n_threads=1).fit(X, y)))
    with pytest.raises(ValueError, match="n_threads"):
        quick(n_threads=0).fit(X, y)


# ---------------------------------------------------------------------------------------------------------
# Edges


def test_partial_fit_is_for_some_solvers():
    assert not hasattr(quick(solver="lbfgs"), "partial_fit")
    X, y = three()
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        quick(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes must be passed"):
        quick().partial_fit(X, y)
    with pytest.raises(ValueError, match="has classes not in"):
        quick().partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y + 1)


def test_warm_starts_of_other_shapes_and_kinds():
    X, y = three()
    made = quick(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"go on with the same hidden_layer_sizes"):
        made.set_params(hidden_layer_sizes=7).fit(X, y)
    with pytest.raises(ValueError, match="warm_start can only be used where"):
        made.set_params(hidden_layer_sizes=6).fit(X, y % 2)
    made.set_params(solver="lbfgs").fit(X, y)
    made.set_params(solver="sgd").fit(X, y)
    made.set_params(early_stopping=True).fit(X, y)
    made.set_params(early_stopping=False).fit(X.astype(np.float32), y)
    assert made.coefs_[0].dtype == np.float64
    fresh = quick(solver="lbfgs", warm_start=True).fit(X, y)
    assert len(fresh.set_params(solver="adam").fit(X, y).loss_curve_) == 8


@pytest.mark.parametrize(
    ("weights", "words"), [([-1.0] + [1.0] * 119, "Negative values"), ([0.0] * 120, "0 for every row|non-zero")]
)
def test_weights_that_do_not_fit(weights, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(*three(), sample_weight=weights)


def test_what_is_warned_of():
    X, y = three()
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(8\) reached"):
        quick().fit(X, y)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        quick(solver="lbfgs", max_iter=3).fit(X, y)
    with pytest.warns(UserWarning, match=r"clipped: batch_size=500 to the 120 rows"):
        quick(batch_size=500).fit(X, y)


def test_control_c_keeps_what_was_trained():
    X, y = three(2000)

    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread")
    seen = []
    made = quick(max_iter=10**6, n_iter_no_change=10**6, callbacks=seen.append)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.warns(UserWarning, match="interrupted"):
        made.fit(X, y)
    timer.join()
    assert 0 < made.n_iter_ == len(made.loss_curve_) < 10**6
    assert np.isfinite(made.predict_proba(X)).all()


def test_without_scikit_learn():
    """The rest of the package does without; the estimators say what to install."""
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import fastmlp; fastmlp.Model([2, 2])\n"
        "try:\n    fastmlp.MLPClassifier\n"
        "except ImportError as error:\n    print(error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(fastmlp.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'pip install "fastmlp[sklearn]"' in done.stdout
    assert fastmlp.MLPClassifier is estimators.MLPClassifier


def test_the_page_prints_what_it_says():
    text = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
    found = run_page(text)
    assert len(found) == text.count("```python") == text.count("<!-- prints -->")
    for printed, stated in found:
        assert printed == stated


def test_a_copy_predicts_by_the_networks_dtype():
    """Whatever dtype coefs_ were given meanwhile."""
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((8,), max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    model.coefs_ = [w.astype(np.float32) for w in model.coefs_]
    model.intercepts_ = [b.astype(np.float32) for b in model.intercepts_]
    np.testing.assert_array_equal(copy.deepcopy(model).predict_proba(X), model.predict_proba(X))


def test_class_weights_are_weights():
    X, y = load_iris(return_X_y=True)
    for given in ({0: -2.0}, {0: 0, 1: 0, 2: 0}, {0: np.nan}):
        with pytest.raises(ValueError, match="class_weight"):
            MLPClassifier((8,), class_weight=given).fit(X, y)


def test_a_fit_that_failed_leaves_nothing_fitted():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((8,))
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, y, X_val=X[:3], y_val=y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match="too small"):
        MLPClassifier((8,), early_stopping=True).fit(X, y, X_val=X[:1], y_val=y[:1])


def test_a_batch_may_lack_a_class_that_has_a_weight():
    X, y = load_iris(return_X_y=True)
    model, same = MLPClassifier((8,), class_weight={0: 2.0}, random_state=0), MLPClassifier((8,), random_state=0)
    for some in (slice(50, 150), slice(0, 60)):
        model.partial_fit(X[some], y[some], classes=[0, 1, 2])
        same.partial_fit(X[some], y[some], np.where(y[some] == 0, 2.0, 1.0), classes=[0, 1, 2])
    for a, b in zip(model.coefs_, same.coefs_, strict=True):
        assert_same_bits(a, b)


def test_targets_of_the_validation_have_the_shape_of_the_others():
    X, y = load_iris(return_X_y=True)
    several = np.column_stack([y == 0, y > 0]).astype(int)
    with pytest.raises(ValueError, match=r"y_val has the shape \(5,\), and y has 2 labels a row"):
        MLPClassifier((8,)).fit(X, several, X_val=X[:5], y_val=y[:5])
    with pytest.raises(ValueError, match="y_val has 1 columns, and y has 2"):
        MLPRegressor(hidden_layer_sizes=(8,)).fit(X, X[:, :2], X_val=X[:5], y_val=X[:5, 0])


def test_callbacks_see_the_network_that_is_trained():
    X, y = load_iris(return_X_y=True)
    model, seen = MLPClassifier((8,), max_iter=3, random_state=0), []
    model.callbacks = lambda *_: seen.append((model.predict_proba(X), model.coefs_[0].copy()))
    for _ in range(2):
        del seen[:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        assert len(seen) == 3
        assert (seen[0][0] != seen[1][0]).any()
        assert_same_bits(seen[2][0], model.predict_proba(X))
        assert_same_bits(seen[2][1], model.coefs_[0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"callbacks": [lambda info: None, 5]}, TypeError, "callbacks[1]=5 is not a function"),
        ({"max_iter": 10**30}, ValueError, "is more than can be counted"),
    ],
)
def test_what_scikit_learns_checks_let_pass_is_refused_in_words(options, error, words):
    with pytest.raises(error, match=re.escape(words)):
        MLPClassifier(**options).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
