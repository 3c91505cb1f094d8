"""What rows count for: `sample_weight` and `class_weight`, their errors, and what they do to a training."""

import copy
import warnings

import numpy as np
import pytest
from models import BACKENDS, OUTPUTS, figures, inside, learner, problem, rows, said, targets

from fastmlp import EarlyStopping, Huber, Model, Quantile
from fastmlp.fit.sample_weights import row_weights
from fastmlp.spec import Spec
from fastmlp.splits import split

NAN, INF = float("nan"), float("inf")
NETWORKS = [*OUTPUTS, ("identity", Huber(0.5), 2), ("identity", Quantile(0.9), 1), ("exponential", "poisson", 2)]


def weights_for(y, class_weight, classes=3, sample_weight=None, chosen=None):
    return row_weights(sample_weight, class_weight, np.array(y, float), Spec.build([2, classes]), chosen)


# ---------------------------------------------------------------------------------------------------------
# What is refused


def with_row(value):
    weights = np.ones(23)
    weights[4] = value
    return weights


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sample_weight": np.ones(22)}, ValueError, ["sample_weight has shape (22,)", "X has 23 rows", "(23,)"]),
        ({"sample_weight": np.ones((23, 2))}, ValueError, ["sample_weight has shape (23, 2)", "(23,)"]),
        ({"sample_weight": np.ones((1, 23))}, ValueError, ["sample_weight has shape (1, 23)"]),
        ({"sample_weight": []}, ValueError, ["sample_weight has shape (0,)"]),
        ({"sample_weight": 2.0}, TypeError, ["sample_weight is one float", "each row"]),
        ({"sample_weight": "balanced"}, TypeError, ["sample_weight is one str"]),
        ({"sample_weight": ["1"] * 22 + ["a"]}, TypeError, ["sample_weight holds text (a in row 22)", "numbers"]),
        ({"sample_weight": {0: 1.0}}, TypeError, ["sample_weight"]),
        ({"sample_weight": with_row(-0.5)}, ValueError, ["sample_weight has -0.5 in row 4", "0 or more"]),
        ({"sample_weight": with_row(NAN)}, ValueError, ["sample_weight has nan in row 4", "finite"]),
        ({"sample_weight": with_row(INF)}, ValueError, ["sample_weight has inf in row 4", "finite"]),
        ({"sample_weight": [None] * 23}, ValueError, ["sample_weight has nothing"]),
        ({"sample_weight": np.zeros(23)}, ValueError, ["sample_weight is 0 for every row,", "some row a weight"]),
        ({"sample_weight": np.full(23, 1e308)}, ValueError, ["sample_weight adds up", "float64", "divide"]),
        ({"class_weight": "balance"}, ValueError, ["class_weight='balance'", '"balanced"', "{0: 1.0, 1: 5.0}"]),
        ({"class_weight": [1.0, 2.0, 1.0]}, TypeError, ["class_weight=[1.0, 2.0, 1.0]", '"balanced"', "dict"]),
        ({"class_weight": np.ones(5000)}, TypeError, ["class_weight=", "dict"]),
        ({"class_weight": 2.0}, TypeError, ["class_weight=2.0"]),
        ({"class_weight": True}, TypeError, ["class_weight=True"]),
        *[
            ({"class_weight": {label: 1.0}}, ValueError, [f"class_weight has the label {label!r}", "0 to 2"])
            for label in (3, -1, "a", 1.0, True, None, "1", (0, 1))
        ],
        ({"class_weight": {1: -2.0}}, ValueError, ["class_weight[1]=-2.0", "0 or more"]),
        ({"class_weight": {1: NAN}}, ValueError, ["class_weight[1]=nan", "finite"]),
        ({"class_weight": {1: "2"}}, TypeError, ["class_weight[1]='2'", "not a number"]),
        ({"class_weight": {1: None}}, TypeError, ["class_weight[1]=None"]),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, ["class_weight is 0 for every row"]),
        ({"class_weight": {0: 1e308, 1: 1e308, 2: 1e308}}, ValueError, ["class_weight adds up to more than float64"]),
        (
            {"class_weight": {0: 0}, "sample_weight": (problem()[1] == 0).astype(float)},
            ValueError,
            ["sample_weight times class_weight is 0 for every row"],
        ),
        (
            {"class_weight": {0: 1e-200, 1: 1e-200, 2: 1e-200}, "sample_weight": np.full(23, 1e-200)},
            ValueError,
            ["sample_weight times class_weight is 0 for every row"],
        ),
    ],
)
def test_weights_that_are_refused_change_nothing(options, error, words):
    x, y = problem()
    model = learner("rng")
    model.fit(x, y, epochs=2, optimizer="adam")
    before, history = inside(model), model.history
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = said(error, model.fit, x, y, epochs=2, **options)
    for word in words:
        assert word in message
    assert len(message) < 300
    assert (inside(model), model.history) == (before, history)


def test_no_weight_left_to_train_on():
    """The words tell this from weights that are all 0."""
    x, y = problem()
    held = split(y.astype(float), 0.25, 3)[1]
    weights = np.isin(np.arange(23), held).astype(float)
    model = learner()
    message = said(ValueError, model.fit, x, y, epochs=2, validation=0.25, sample_weight=weights)
    assert "sample_weight is 0 for every row that validation leaves to train on" in message
    assert len(model.fit(x, y, epochs=2, sample_weight=weights)) == 2


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 2.0}])
@pytest.mark.parametrize(
    ("output", "outputs"), [("identity", 1), ("identity", 2), ("exponential", 1), ("sigmoid", 2), ("sigmoid", 1)]
)
def test_class_weights_need_one_label_a_row(output, outputs, class_weight):
    model = Model([2, outputs], output=output)
    x = rows(20, 2)
    y = rows(20, outputs, seed=1) ** 2
    y = y / y.max() if outputs == 1 else (y > 0.5).astype(float)  # soft, for the sigmoid of one output
    message = said(ValueError, model.fit, x, y, epochs=2, class_weight=class_weight)
    for word in ("class_weight", f"output={output!r}", f"layers=[2, {outputs}]", "sample_weight"):
        assert word in message


def test_balanced_with_an_absent_class():
    x, y = problem()
    two = np.where(y == 1, 0, y)
    message = said(ValueError, learner().fit, x, two, epochs=2, class_weight="balanced")
    for word in ("class_weight", "class 1 of 0..2", "{0: 1.0, 1: 5.0}"):
        assert word in message
    assert len(learner().fit(x, two, epochs=2, class_weight={1: 7.0})) == 2  # a label may be absent, if it is known
    model = Model([2, 1], output="sigmoid")
    assert "class 1 of 0..1" in said(ValueError, model.fit, x, np.zeros(23), epochs=2, class_weight="balanced")


# ---------------------------------------------------------------------------------------------------------
# What a row weighs


def test_weights_of_classes():
    y = [0, 0, 0, 1, 2, 2]
    assert weights_for(y, {1: 5.0}).tolist() == [1, 1, 1, 5, 1, 1]
    assert weights_for(y, {np.int8(1): np.float32(5), 0: 0}).tolist() == [0, 0, 0, 5, 1, 1]
    assert weights_for(y, {}).tolist() == [1] * 6
    assert weights_for(y, "balanced") == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2, 1, 1])
    assert weights_for(y, {2: 3.0}, sample_weight=[0, 1, 2, 3, 4, 5]).tolist() == [0, 1, 2, 3, 12, 15]
    assert weights_for(y, None) is None
    chosen = np.array([0, 3, 4])
    assert weights_for(y, "balanced", chosen=chosen).tolist() == [1, 1, 1]
    assert weights_for(y, None, sample_weight=[0, 1, 2, 3, 4, 5], chosen=chosen).tolist() == [0, 3, 4]


def test_balanced_is_scikit_learns():
    sklearn = pytest.importorskip("sklearn.utils.class_weight")
    y = np.random.default_rng(0).integers(0, 5, 60)
    expected = sklearn.compute_sample_weight("balanced", y)
    assert weights_for(y, "balanced", classes=5) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda w: w[:, None], lambda w: w.astype(object)])
def test_weights_of_every_kind(kind):
    x, y = problem()
    weights = np.arange(23.0)
    given = kind(weights)
    kept = copy.deepcopy(given)
    one, other = learner(), learner()
    one.fit(x, y, epochs=3, sample_weight=given)
    other.fit(x, y, epochs=3, sample_weight=weights)
    assert inside(one) == inside(other)
    assert np.array_equal(given, kept)
    one.fit(x, y, epochs=1, sample_weight=weights > 4)
    other.fit(x, y, epochs=1, sample_weight=(weights > 4).astype(np.int8))
    assert inside(one) == inside(other)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize(("output", "loss", "outputs"), NETWORKS)
def test_weights_of_one_size_change_nothing(output, loss, outputs, batch_size, dtype):
    """W is then a power of two times N, and all else scales exactly."""
    x, y = rows(23, 2), np.abs(targets(output, outputs, 23))
    found = []
    for weights in (None, np.ones(23), np.full(23, 0.25)):
        model = Model([2, 4, outputs], output=output, loss=loss, dtype=dtype, hidden="tanh")
        history = model.fit(x, y, epochs=4, batch_size=batch_size, sample_weight=weights)
        found.append((figures(history), inside(model)))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("output", "loss", "outputs"), NETWORKS)
def test_a_weighed_loss_is_the_mean_of_weighed_losses(output, loss, outputs, backend):
    x, y = rows(23, 2), np.abs(targets(output, outputs, 23))
    model = Model([2, 4, outputs], output=output, loss=loss, hidden="tanh", backend=backend)
    weights = np.linspace(0, 2, 23)
    each = [model.loss(x[row : row + 1], y[row : row + 1]) for row in range(23)]
    accuracy = model.evaluate(x, y).get("accuracy", NAN)
    history = model.fit(x, y, epochs=1, sample_weight=weights)
    assert history.loss[0] == pytest.approx(np.average(each, weights=weights), rel=1e-13)
    assert np.array_equal(history.accuracy[0], accuracy, equal_nan=True)  # right rows are counted without weights


@pytest.mark.parametrize("batch_size", [None, 5])
def test_whole_weights_are_repeated_rows_and_none(batch_size):
    x, y = problem()
    weights = np.arange(23) % 3
    order = np.repeat(np.arange(23), weights)
    weighed, repeated = learner(), learner()
    options = {"epochs": 5, "shuffle": False, "learning_rate": 0.5}
    if batch_size is None:
        weighed.fit(x, y, sample_weight=weights, **options)
        repeated.fit(x[order], y[order], **options)
    else:  # batch by batch, so that the same rows come together; a batch of weights 0 alone would do nothing
        for _ in range(3):
            for start in range(0, 23, batch_size):
                batch = np.arange(start, min(start + batch_size, 23))
                weighed.fit(x[batch], y[batch], sample_weight=weights[batch], **options)
                again = np.repeat(batch, weights[batch])
                repeated.fit(x[again], y[again], **options)
    for (w, b), (v, c) in zip(weighed.weights, repeated.weights, strict=True):
        assert w == pytest.approx(v, rel=1e-9)
        assert b == pytest.approx(c, rel=1e-9)


def test_a_batch_without_weight_does_nothing():
    x, y = problem()
    weights = np.zeros(23)
    weights[:10] = 1
    model, other = learner(), learner()
    model.fit(x, y, epochs=1, batch_size=10, shuffle=False, sample_weight=weights)
    other.fit(x[:10], y[:10], epochs=1)
    assert model.digest() == other.digest()


@pytest.mark.parametrize("class_weight", [{1: 5.0}, {0: 0.5, 2: 0.0}, "balanced"])
@pytest.mark.parametrize("one_hot", [False, True])
def test_class_weights_are_sample_weights(class_weight, one_hot):
    x, y = problem()
    if class_weight == "balanced":
        weights = (23 / (3 * np.bincount(y)))[y]
    else:
        weights = np.array([class_weight.get(label, 1.0) for label in y])
    by_class, by_row = learner(), learner()
    by_class.fit(x, np.eye(3)[y] if one_hot else y, epochs=3, batch_size=7, class_weight=class_weight)
    by_row.fit(x, y, epochs=3, batch_size=7, sample_weight=weights)
    assert inside(by_class) == inside(by_row)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_class_weights_of_a_sigmoid(loss):
    x, y = problem()
    y = (y == 1).astype(int)
    one, other = (Model([2, 3, 1], output="sigmoid", loss=loss) for _ in range(2))
    one.fit(x, y[:, None], epochs=3, class_weight={1: 3.0})
    other.fit(x, y, epochs=3, sample_weight=1.0 + 2 * y)
    assert inside(one) == inside(other)


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 3.0}])
def test_weights_with_a_held_out_fraction(class_weight):
    """The weights are those of the rows that train, and "balanced" counts these; validation weighs all rows alike."""
    x, y = problem()
    weights = np.linspace(0.5, 2, 23)
    train, held = split(y.astype(float), 0.3, 3)
    one, other = learner(), learner()
    shared = one.fit(x, y, epochs=4, batch_size=7, sample_weight=weights, class_weight=class_weight, validation=0.3)
    given = other.fit(
        x[train], y[train], epochs=4, batch_size=7, sample_weight=weights[train], class_weight=class_weight,
        validation=(x[held], y[held]),
    )  # fmt: skip
    assert inside(one) == inside(other)
    assert figures(shared) == figures(given)
    assert shared.validation_loss[-1] == one.loss(x[held], y[held])


# ---------------------------------------------------------------------------------------------------------
# What a row to validate on weighs


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("standardize", [False, "both"])
def test_a_validation_loss_is_the_mean_of_weighed_losses(backend, standardize):
    x, y = rows(23, 2), rows(23, 1, seed=1)
    model = Model([2, 4, 1], output="identity", hidden="tanh", backend=backend, standardize=standardize)
    weights = np.linspace(0, 2, 8)
    history = model.fit(x[:15], y[:15], epochs=2, batch_size=5, validation=(x[15:], y[15:], weights))
    z = model.predict(x[15:]).reshape(-1, 1)
    variance = np.var(y[:15]) if standardize else 1.0
    expected = np.average(((z - y[15:]) ** 2)[:, 0], weights=weights) / variance
    assert history.validation_loss[-1] == pytest.approx(expected, rel=1e-12)


def test_weights_of_validation_choose_the_epoch():
    """And change nothing else; weights of 1 change nothing at all, and None is none."""
    x, y = problem()
    found = []
    for weights in (None, np.ones(8), [0, 0, 0, 0, 0, 0, 0, 9.0]):
        model = learner()
        stop = EarlyStopping(patience=None, metric="validation_loss")
        held = (x[15:], y[15:], weights)
        history = model.fit(x[:15], y[:15], epochs=40, batch_size=4, validation=held, early_stopping=stop)
        found.append((inside(model), history.loss.tolist(), history.validation_loss.tolist(), history.best_epoch))
    assert found[0] == found[1]
    assert found[0][1] == found[2][1]
    assert found[0][2] != found[2][2]
    assert found[0][3] != found[2][3]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(7), "validation sample_weight has shape (7,)"),
        (np.full(8, -1.0), "validation sample_weight has -1.0 in row 0"),
        (np.zeros(8), "validation sample_weight is 0 for every row"),
    ],
)
def test_wrong_weights_of_validation_are_named(weights, words):
    x, y = problem()
    assert words in said(ValueError, learner().fit, x[:15], y[:15], epochs=1, validation=(x[15:], y[15:], weights))
    message = said(TypeError, learner().fit, x, y, epochs=1, validation=(x, y, None, None))
    assert "validation is a tuple of 4, neither a pair (X, y), nor (X, y, sample_weight), nor a fraction" in message


def test_a_checkpoint_knows_the_weights_of_validation(tmp_path):
    x, y = problem()
    path, held = tmp_path / "one.safetensors", (x[15:], y[15:], np.arange(8.0))
    options = {"batch_size": 4, "checkpoint": path, "checkpoint_every": 2}
    learner().fit(x[:15], y[:15], epochs=4, validation=held, **options)
    with pytest.raises(ValueError, match="validation_data"):
        learner().fit(x[:15], y[:15], epochs=4, validation=held[:2], resume=True, **options)
    learner().fit(x[:15], y[:15], epochs=4, validation=held, resume=True, **options)
