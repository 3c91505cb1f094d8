"""Masked values are missing, whatever holds them: NumPy's conversion of a list takes what lies below the masks."""

from collections import UserList, deque

import numpy as np
import pytest
from models import trained

from fastmlp import Model
from fastmlp.checks import arrays
from fastmlp.tables.reader import Scale
from fastmlp.tables.table_model import TableModel

X = np.random.default_rng(0).normal(size=(12, 3))
Y = np.arange(12) % 2
HOLES = np.zeros(X.shape, bool)
HOLES[4, 1] = True


def masked(values, holes=None):
    return np.ma.array(values, mask=HOLES[:, 1] if np.ndim(values) == 1 else HOLES if holes is None else holes)


FEATURES = {
    "array": masked,
    "list of rows": lambda x: list(masked(x)),
    "tuple of rows": lambda x: tuple(masked(x)),
    "deque of rows": lambda x: deque(masked(x)),
    "UserList of rows": lambda x: UserList(masked(x)),
    "one row of a list": lambda x: [*x[:4].tolist(), masked(x)[4], *x[5:]],
    "int rows": lambda x: list(masked(x.astype(int))),
    "bool rows": lambda x: list(masked(x > 0)),
    "float32 rows": lambda x: list(masked(x.astype("f4"))),
    "all of a row": lambda x: [np.ma.masked_all(3), *x[1:]],
    "numbers": lambda x: [list(row) for row in masked(x)],
    "ints": lambda x: [list(row) for row in masked(x.astype(int))],
    "bools": lambda x: [
        [np.ma.array(v, mask=m) for v, m in zip(*pair, strict=True)] for pair in zip(x > 0, HOLES, strict=True)
    ],
    "bools in tuples": lambda x: tuple((np.ma.array(v, mask=k == 4), v, v) for k, v in enumerate(x[:, 0] > 0)),
    "objects": lambda x: np.array([list(row) for row in masked(x)], object),
    "a subclass": lambda x: masked(x).view(type("Ours", (np.ma.MaskedArray,), {})),
    "rows of a subclass": lambda x: list(masked(x).view(type("Ours", (np.ma.MaskedArray,), {}))),
}
VALUES = {
    "array": masked,
    "list": lambda y: list(masked(y)),
    "floats": lambda y: list(masked(y.astype(float))),
    "0-d ints": lambda y: [np.ma.array(v, mask=k == 4) for k, v in enumerate(y)],
    "0-d bools": lambda y: [np.ma.array(v, mask=k == 4) for k, v in enumerate(y == 1)],
    "columns": lambda y: list(masked(y)[:, None]),
    "bool columns": lambda y: [np.ma.array([v], mask=[k == 4]) for k, v in enumerate(y == 1)],
}
pytestmark = pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan:UserWarning")


def words(name):
    return rf"^{name} has (masked values|nan in row|nothing \(--\))"


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_masked_features(kind, dtype):
    x = FEATURES[kind](X)
    model = Model([3, 4, 2], dtype=dtype, seed=1)
    table = TableModel(model, ("a", "b", "c"), "y", np.array([0.0, 1.0]), Scale.of(X, list("abc")))
    for call, name in (
        (lambda: model.fit(x, Y, epochs=1), "X"),
        (lambda: model.fit(X, Y, epochs=1, validation=(x, Y)), "validation X"),
        (lambda: model.predict(x), "X"),
        (lambda: model.predict_proba(x), "X"),
        (lambda: model.predictor()(x), "x"),
        (lambda: model.evaluate(x, Y), "X"),
        (lambda: model.loss(x, Y), "X"),
        (lambda: table.predict(x), "X"),
        (lambda: table.predict_proba(x), "X"),
        (lambda: table.score(x, Y), "X"),
    ):
        with pytest.raises(ValueError, match=words(name)):
            call()
    with pytest.raises(ValueError, match=words("x")):
        model.predictor()(masked(X)[4])


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
def test_masked_targets_and_weights(kind, output):
    y = VALUES[kind](Y)
    model = Model([3, 4, 2 if output == "softmax" else 1], output=output, seed=1)
    for call, name in (
        (lambda: model.fit(X, y, epochs=1), "y"),
        (lambda: model.fit(X, Y, epochs=1, sample_weight=y), "sample_weight"),
        (lambda: model.fit(X, Y, epochs=1, validation=(X, y)), "validation y"),
        (lambda: model.evaluate(X, y), "y"),
        (lambda: model.loss(X, y), "y"),
    ):
        with pytest.raises(ValueError, match=words(name)):
            call()


def test_masked_one_hot_rows_and_weights_of_layers():
    hot = np.ma.array(np.eye(2)[Y], mask=HOLES[:, :2])
    model = Model([3, 4, 2], seed=1)
    for y in (hot, list(hot), list(hot.astype(int)), list(hot.astype(bool))):
        with pytest.raises(ValueError, match=words("y")):
            model.fit(X, y, epochs=1)
    w = np.ma.array(np.ones((3, 4)), mask=np.eye(3, 4))
    for first in (w, list(w)):
        with pytest.raises(ValueError, match=words(r"weights\[0\] w")):
            model.set_weights([(first, np.zeros(4)), model.weights[1]])


@pytest.mark.parametrize("make", [np.ma.array, lambda x: list(np.ma.array(x)), lambda x: deque(np.ma.array(x))])
def test_nothing_is_masked(make):
    """A mask that hides nothing hides nothing."""
    assert trained(make(X), make(Y), sample_weight=make(np.ones(12))) == trained(X, Y, sample_weight=np.ones(12))
    assert trained(np.ma.array(X, mask=np.zeros_like(HOLES)), Y) == trained(X, Y)


def test_the_row_is_named():
    assert arrays.masked_place(list(masked(X))) == " in row 4"
    assert arrays.masked_place(masked(X)) == ""
    assert arrays.masked_place([[1.0], (2.0,), np.ma.array([1.0])]) is None
    with pytest.raises(ValueError, match="X has masked values in row 4: fill them in, or leave out their rows"):
        Model([3, 2]).predict(list(masked(X)))


@pytest.fixture
def estimators():
    pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")
    from fastmlp import MLPClassifier, MLPRegressor

    return [kind(hidden_layer_sizes=4, max_iter=2, random_state=1) for kind in (MLPClassifier, MLPRegressor)]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    "kind", [kind for kind in FEATURES if kind not in ("numbers", "ints", "objects", "bools", "bools in tuples")]
)
def test_masked_features_of_an_estimator(estimators, kind):
    """scikit-learn's own checks see no masks, and its estimators train on what lies below them."""
    x = FEATURES[kind](X)
    for made in estimators:
        made.fit(X, Y)
        for call, name in (
            (lambda made=made: made.fit(x, Y), "X"),
            (lambda made=made: made.partial_fit(x, Y), "X"),
            (lambda made=made: made.fit(X, Y, X_val=x, y_val=Y), "X_val"),
            (lambda made=made: made.predict(x), "X"),
            (lambda made=made: made.score(x, Y), "X"),
        ):
            with pytest.raises(ValueError, match=rf"^{name} has masked values"):
                call()
    with pytest.raises(ValueError, match=r"^X has masked values"):
        estimators[0].predict_proba(x)
    with pytest.raises(ValueError, match=r"^X has masked values"):
        estimators[0].predict_log_proba(x)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("kind", VALUES)
def test_masked_targets_of_an_estimator(estimators, kind):
    y = VALUES[kind](Y)
    for made in estimators:
        made.fit(X, Y)
        for call in (
            lambda made=made: made.fit(X, y),
            lambda made=made: made.partial_fit(X, y),
            lambda made=made: made.fit(X, Y, X_val=X, y_val=y),
            lambda made=made: made.fit(X, Y, y),
            lambda made=made: made.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=y),
        ):
            with pytest.raises(ValueError, match=r"(y|y_val|sample_weight) has masked values|contains NaN|masked"):
                call()
    fresh = type(estimators[0])()
    with pytest.raises(ValueError, match=r"y has masked values|contains NaN|masked"):
        fresh.partial_fit(X, y, classes=[0, 1])
