"""Trainings that leave the finite numbers: what is told, and what the model holds then."""

import re
import warnings

import numpy as np
import pytest
from models import BACKENDS, bits, rows, said

from fastmlp import DivergenceError, DivergenceWarning, Model

# ---------------------------------------------------------------------------------------------------------
# Divergence

WILD_X, WILD_Y = rows(70, 3) * 1e3, rows(70, 1, seed=1) * 1e3
QUIET = pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")


def wild(dtype, backend):
    return Model([3, 4, 1], output="identity", seed=1, dtype=dtype, backend=backend)


def rate_that_diverges(**arguments):
    """Some learning rate that leaves the finite numbers, in a later epoch where it can."""
    dtype = arguments.pop("dtype")
    for power in range(-30, 30):
        try:
            wild(dtype, "numba").fit(WILD_X, WILD_Y, learning_rate=2.0**power, **arguments)
        except DivergenceError:
            return 2.0**power
    raise AssertionError("no rate diverges")


@QUIET
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [None, 32, 1])
@pytest.mark.parametrize("record_every", [None, 2, 7])
def test_divergence_leaves_the_last_finite_recorded_state(record_every, batch_size, dtype):
    arguments = {"epochs": 12, "batch_size": batch_size}
    rate = rate_that_diverges(dtype=dtype, record_every=record_every, **arguments)
    found = []
    for backend in BACKENDS:
        model = wild(dtype, backend)
        with pytest.raises(DivergenceError) as caught:
            model.fit(WILD_X, WILD_Y, learning_rate=rate, record_every=record_every, **arguments)
        history, message = model.history, str(caught.value)
        assert isinstance(caught.value, ArithmeticError)
        assert re.search(r"\bepoch \d+\b", message)
        assert f"smaller learning_rate than {rate:g}" in message
        assert history.stopped == "diverged"
        assert np.isfinite(history.loss).all()
        fresh = wild(dtype, backend)
        if len(history):
            last = int(history.epoch[-1])
            assert f"The model holds the weights of epoch {last}," in message
            if last > 1:
                fresh.fit(WILD_X, WILD_Y, **{**arguments, "epochs": last - 1}, learning_rate=rate)
        else:
            assert "this fit began with" in message
        assert bits(model) == bits(fresh)
        assert np.isfinite(np.frombuffer(bits(model), dtype)).all()
        if batch_size is None and len(history):
            assert model.loss(WILD_X, WILD_Y) == history.loss[-1]
        found.append((bits(model), history.epoch.tolist(), history.loss.tolist()))
        # and it trains on
        assert len(model.fit(WILD_X, WILD_Y, epochs=2, learning_rate=1e-30)) == 2
    assert found[0] == found[1]


@QUIET
@pytest.mark.parametrize("batch_size", [None, 32])
def test_divergence_is_told_alike_by_both_backends(batch_size):
    """Where each epoch is recorded; between records, the kernels look at the weights now and then only."""
    arguments = {"epochs": 30, "learning_rate": 1.0, "batch_size": batch_size}
    messages = [said(DivergenceError, wild("float64", b).fit, WILD_X, WILD_Y, **arguments) for b in BACKENDS]
    assert messages[0] == messages[1]


def test_the_reference_diverges_without_warnings_of_numpy():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        said(DivergenceError, wild("float64", "reference").fit, WILD_X, WILD_Y, epochs=30, learning_rate=1.0)


@QUIET
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("epochs", [1, 3])
def test_divergence_in_the_very_last_update(epochs, backend):
    """The loss of each record is finite; the update after the last is not."""
    model = Model([1, 1], output="identity", backend=backend)
    model.set_weights([([[1e-150]], [0.0])])
    x, y = np.array([[1e150]]), [0.0]
    # z = 1 and loss = 1: the gradient is 2e150, and at this rate the first epochs move the weight by 2e-151
    if epochs > 1:
        model.fit(x, y, epochs=epochs - 1, learning_rate=1e-301)
    before, loss = bits(model), model.loss(x, y)
    message = said(DivergenceError, model.fit, x, y, epochs=1, learning_rate=1e200)
    assert "a weight was no longer finite" in message
    assert "epoch 1." in message
    assert bits(model) == before
    assert model.history.loss.tolist() == [loss]
    assert model.loss(x, y) == loss


@QUIET
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("arguments", [{}, {"batch_size": 1}, {"record_every": 5}], ids=["full", "mini", "record"])
def test_divergence_behind_a_dead_relu(arguments, backend):
    """An update makes a weight -infinity; its unit is then dead, and all later losses are finite."""
    start = [([[1e-300]], [0.0]), ([[1e10, -1e10]], [0.0, 0.0])]
    model = Model([1, 1, 2], backend=backend)
    model.set_weights(start)
    before = bits(model)
    message = said(DivergenceError, model.fit, [[1e300], [1e300]], [1, 1], epochs=5, learning_rate=1.0, **arguments)
    assert all(np.isfinite(w).all() and np.isfinite(b).all() for w, b in model.weights)
    assert bits(model) == before
    assert re.search(r"epoch \d", message)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@QUIET
def test_a_loss_that_is_infinite_from_the_start(dtype):
    for backend in BACKENDS:
        model = wild(dtype, backend)
        huge = np.sqrt(np.finfo(dtype).max) * 2
        before = bits(model)
        message = said(DivergenceError, model.fit, WILD_X, WILD_Y * float(huge), epochs=3)
        assert "the loss was inf in epoch 1" in message
        assert "this fit began with" in message
        assert bits(model) == before
        assert len(model.history) == 0


def test_what_divergence_tells_does_not_depend_on_the_clock():
    x = np.random.default_rng(0).normal(size=(600, 50))
    said_by = []
    for backend in BACKENDS:
        model = Model([50, 30, 1], output="identity", backend=backend)
        with pytest.raises(DivergenceError) as error:
            model.fit(x, 1e3 * x[:, 0], epochs=5, batch_size=10, learning_rate=50, record_every=5)
        said_by.append((str(error.value), model.digest(), len(model.history)))
    assert said_by[0] == said_by[1]


# ---------------------------------------------------------------------------------------------------------
# Finite, and yet gone wrong


WRONG = {  # name: (layers, output, a factor of X, one of y, options, words)
    "a rate": ([4, 8, 2], None, 1, 1, {"learning_rate": 1e6, "epochs": 3}, ["learning_rate than 1e+06"]),
    "a large X": ([4, 8, 2], None, 1e6, 1, {"epochs": 12}, ["scale X", "largest absolute value is"]),
    "a large y": ([4, 8, 1], "identity", 1, 1e5, {"epochs": 3}, ["scale y"]),
}


def far(name):
    layers, output, of_x, of_y, options, words = WRONG[name]
    draws = np.random.default_rng(0)
    x = draws.standard_normal((200, 4))
    y = (x[:, 0] > 0).astype(float) * of_y
    return Model(layers, output=output), x * of_x, y, options, words


@pytest.mark.parametrize("name", WRONG)
def test_a_loss_that_ends_far_above_its_beginning_is_told(name):
    model, x, y, options, words = far(name)
    with pytest.warns(DivergenceWarning) as caught:
        history = model.fit(x, y, **options)
    assert np.isfinite(history.loss).all()
    assert history.loss[-1] > 100 * history.loss[0]
    (warning,) = caught
    assert warning.filename == __file__
    for word in [*words, "far above"]:
        assert word in str(warning.message)
    if name == "a rate":
        assert "scale" not in str(warning.message)  # what is scaled already
    if name == "a large y":
        assert "scale X" not in str(warning.message)


@pytest.mark.parametrize("name", WRONG)
def test_a_training_that_diverges_says_what_to_scale(name):
    model, x, y, options, words = far(name)
    with pytest.raises(DivergenceError) as caught:
        model.fit(x, y, **{**options, "epochs": 300})
    for word in words:
        assert word in str(caught.value)
    if name == "a rate":
        assert "scale" not in str(caught.value)


def test_no_word_of_a_loss_that_only_wavers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Model([4, 8, 1], output="identity")
        x = np.random.default_rng(0).standard_normal((60, 4))
        model.fit(x, x[:, :1], epochs=300)
        model.fit(x, x[:, :1] + 1e-7, epochs=30, learning_rate=0.2, resume=False)


def test_estimators_tell_it_too():
    from sklearn.exceptions import ConvergenceWarning

    from fastmlp import MLPRegressor

    x = np.random.default_rng(0).standard_normal((200, 4))
    made = MLPRegressor(
        hidden_layer_sizes=8,
        solver="sgd",
        learning_rate_init=30.0,
        max_iter=3,
        random_state=0,
        batch_size=200,
        momentum=0,
    )
    with pytest.warns(ConvergenceWarning) as caught:
        made.fit(x, x[:, 0])
    assert made.loss_ > 100 * made.loss_curve_[0]
    assert any("far above" in str(warning.message) and warning.filename == __file__ for warning in caught)
