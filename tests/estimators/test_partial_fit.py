"""`partial_fit` of the estimators: what it keeps from call to call changes no bit, and hides nothing from checks."""

import pickle

import numpy as np
import pytest
from bits import assert_same_bits

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

from fastmlp import MLPClassifier, MLPRegressor, Spec
from fastmlp.engine import numba_backend
from fastmlp.schedules import Cosine
from fastmlp.training import Training

pytestmark = pytest.mark.filterwarnings("ignore:Got `batch_size`")


def rows(count=400, columns=7):
    rng = np.random.RandomState(3)
    X = rng.normal(size=(count, columns))
    return X, np.digitize(X[:, 0], (-0.5, 0.5))


def bits(estimator):
    vectors = estimator._optimizer.state.vectors
    return np.concatenate([x.ravel() for x in (*estimator.coefs_, *estimator.intercepts_, vectors)])


SOME = [
    slice(0, 40),
    slice(40, 80),
    slice(80, 120),
    slice(0, 1),
    slice(1, 2),
    slice(0, 40),
    slice(0, 400),
    slice(0, 400),
]
PARAMETERS = [
    {},
    {"batch_size": 16},
    {"batch_size": 16, "shuffle": False},
    {"solver": "sgd"},
    {"solver": "sgd", "momentum": 0.0, "alpha": 0.0},
    {"learning_rate": Cosine(0.01, epochs=9)},
    {"dropout": 0.3},
    {"hidden_layer_sizes": (300,), "batch_size": 300},  # layered
    {"n_threads": 2, "hidden_layer_sizes": (300,)},
    {"random_state": np.random.RandomState(1)},
]


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda given: "-".join(given) or "plain")
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_kept_changes_no_bit(parameters, weighed, dtype):
    X, y = rows()
    X = X.astype(dtype)
    weights = np.linspace(0.5, 2, len(X))
    made = []
    for keeps in (True, False):
        estimator = MLPClassifier(
            **{"hidden_layer_sizes": 9, "random_state": 1, **pickle.loads(pickle.dumps(parameters))}
        )
        for some in SOME:
            if not keeps:
                estimator.__dict__.pop("_kept", None), estimator.__dict__.pop("_seeded", None)
            estimator.partial_fit(X[some], y[some], weights[some] if weighed else None, classes=[0, 1, 2])
        made.append(estimator)
    assert_same_bits(bits(made[0]), bits(made[1]))
    assert made[0].loss_curve_ == made[1].loss_curve_
    assert len(made[0].loss_curve_) == len(SOME)


def test_workspaces_are_kept_while_rows_are_as_many(monkeypatch):
    X, y = rows()
    made, ready = [], numba_backend.ready
    monkeypatch.setattr(numba_backend, "ready", lambda *a, **k: made.append(1) or ready(*a, **k))
    estimator = MLPClassifier(9, random_state=1)
    for count, expected in ((40, 1), (40, 1), (40, 1), (39, 2), (39, 2), (40, 3)):
        estimator.partial_fit(X[:count], y[:count], classes=[0, 1, 2])
        assert len(made) == expected
    assert estimator._kept[1].rows == ()  # nobody's rows are held
    estimator.set_params(alpha=0.1).partial_fit(X[:40], y[:40])
    assert len(made) == 4
    assert "_kept" not in pickle.loads(pickle.dumps(estimator)).__dict__
    made.clear()
    MLPClassifier(9, dropout=0.5).partial_fit(X, y, classes=[0, 1, 2])
    assert len(made) == 1


@pytest.mark.parametrize("kind", ["int", "str", "bool", "float", "object", "list", "two", "one"])
def test_labels_of_all_kinds_are_found(kind):
    """By a search of classes_, or where that does not do, as scikit-learn does."""
    X, y = rows(90)
    of = {
        "int": lambda: y - 5,
        "str": lambda: np.array(["bb", "a", "ccc"])[y],
        "bool": lambda: y > 1,
        "float": lambda: y * 2.0,
        "object": lambda: np.array(["bb", "a", "ccc"], object)[y],
        "list": lambda: list(y),
        "two": lambda: np.array(["no", "yes"])[y % 2],
        "one": lambda: np.full(90, 4),
    }[kind]()
    classes = np.unique(of)
    for some in (slice(0, 90), slice(5, 6)):
        estimator = MLPClassifier(4, random_state=1).partial_fit(X, of, classes=classes)
        places = np.searchsorted(classes, of[some])
        _, targets = estimator._validate_input(X[some], of[some], True, reset=False)
        assert targets.dtype == bool
        expected = places[:, None] == np.arange(3) if len(classes) > 2 else places[:, None] == 1
        assert (targets == expected).all()


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.zeros((4, 7)), np.array([0, 1, 2, 3]), r"`y` has classes not in `self.classes_`. `self.classes_` has"),
        (np.zeros((4, 7)), np.array([0.0, 1.0, 2.0, np.nan]), "NaN"),
        (np.zeros((4, 7)), np.array(list("0120")), "has classes not in"),
        (np.zeros((4, 7)), np.array([0, 1, 2]), "inconsistent numbers of samples"),
        (np.full((4, 7), np.nan), np.array([0, 1, 2, 0]), "X contains NaN"),
        (np.zeros((4, 6)), np.array([0, 1, 2, 0]), "expecting 7 features"),
        (np.zeros((0, 7)), np.zeros(0, int), "0 sample"),
        (np.zeros((4, 7)), [[0], [1, 2], [], []], "inhomogeneous|sequence"),
    ],
)
def test_rows_that_do_not_fit_are_refused_in_later_calls(X, y, words):
    good = rows()
    made = MLPClassifier(4, random_state=1).partial_fit(*good, classes=[0, 1, 2])
    before = bits(made)
    with pytest.raises(ValueError, match=words):
        made.partial_fit(X, y)
    assert_same_bits(bits(made), before)
    made.partial_fit(*good)
    assert_same_bits(
        bits(made), bits(MLPClassifier(4, random_state=1).partial_fit(*good, classes=[0, 1, 2]).partial_fit(*good))
    )


def test_a_call_that_fails_late_is_as_if_it_had_not_been():
    """Also for what is kept, in which it had already trained."""
    X, y = rows()

    def fails(info):
        raise RuntimeError(f"epoch {info.epoch}")

    made = [MLPClassifier(4, random_state=1).partial_fit(X, y, classes=[0, 1, 2]) for _ in range(2)]
    kept = made[0]._kept
    with pytest.raises(RuntimeError, match="epoch 1"):
        made[0].set_params(callbacks=fails).partial_fit(X[::-1], y)
    made[0].set_params(callbacks=None)
    assert made[0]._kept is kept
    assert_same_bits(bits(made[0]), bits(made[1]))
    for estimator in made:
        estimator.partial_fit(X, y)
    assert_same_bits(bits(made[0]), bits(made[1]))
    assert made[0].loss_curve_ == made[1].loss_curve_


def test_a_kept_workspace_goes_back_to_where_a_diverging_training_began():
    X, y = rows(80)
    spec = Spec.build([7, 5, 3], "tanh", "softmax")
    training = Training(1, 0.5, 80, record_every=1)
    parameters = np.random.RandomState(0).normal(size=spec.parameters)
    x, targets = np.ascontiguousarray(X), y.astype(float)
    workspace = numba_backend.ready(spec, parameters, x, targets, training, once=True)
    assert numba_backend.can_be_kept(workspace, training)
    (step,) = numba_backend.train(spec, parameters, x, targets, training, workspace=workspace)
    assert step.state == "done"
    before, bad = parameters.copy(), x.copy()
    bad[3, 2] = np.nan
    (step,) = numba_backend.train(spec, parameters, bad, targets, training, workspace=workspace)
    assert step.state == "diverged"
    assert_same_bits(parameters, before)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(400, np.nan), "y contains NaN"),
        (np.array([1.0, np.inf] * 200), "y contains infinity"),
        (np.zeros(399), "inconsistent numbers of samples"),
        (np.full(400, "1"), "takes numbers"),
    ],
)
def test_values_that_do_not_fit_are_refused_in_later_calls(y, words):
    X, good = rows()
    made = MLPRegressor(hidden_layer_sizes=4, random_state=1).partial_fit(X, good)
    before = bits(made)
    with pytest.raises((ValueError, TypeError), match=words):
        made.partial_fit(X, y)
    assert_same_bits(bits(made), before)
