"""What a plain `fit` takes, refuses and records, and where it stops, on both backends. Options: test_fit_options.py."""

import copy
import warnings

import numpy as np
import pytest
from models import BACKENDS, OUTPUTS, XOR_X, XOR_Y, bits, labels, rows, said, targets, trained, whole_numbers

from fastmlp import History, Model
from fastmlp.reference import random as reference_random

# ---------------------------------------------------------------------------------------------------------
# fit: its arguments


@pytest.mark.parametrize(
    ("argument", "value", "error", "words"),
    [
        *[("epochs", value, ValueError, ["positive"]) for value in (0, -1)],
        *[("epochs", value, TypeError, ["whole number"]) for value in (1.0, "5", True, None)],
        ("epochs", 2**32, ValueError, ["429496729", "or less"]),
        *[("learning_rate", value, ValueError, ["positive"]) for value in (0, -0.1, 1e-400)],
        *[("learning_rate", value, ValueError, ["finite"]) for value in (float("nan"), float("inf"))],
        pytest.param("learning_rate", 10**400, ValueError, ["finite"], id="learning_rate-beyond_floats"),
        *[("learning_rate", value, TypeError, ["not a number"]) for value in ("0.1", True, 1j, [0.1])],
        *[("batch_size", value, ValueError, ["positive"]) for value in (0, -1)],
        *[("batch_size", value, TypeError, ["whole number"]) for value in (2.0, "2", True)],
        *[("shuffle", value, TypeError, ["True or False"]) for value in (1, None, "yes")],
        *[("record_every", value, ValueError, ["positive"]) for value in (0, -1)],
        *[("record_every", value, TypeError, ["whole number"]) for value in (1.5, "all", True)],
        *[("target_loss", value, ValueError, ["finite"]) for value in (float("nan"), float("inf"))],
        *[("target_loss", value, TypeError, ["not a number"]) for value in ("0.1", True)],
        *[("target_accuracy", value, ValueError, ["from 0 to 1"]) for value in (-0.1, 1.5, 95)],
        *[("target_accuracy", value, TypeError, ["not a number"]) for value in ("95%", True)],
        *[("progress", value, TypeError, ["True or False"]) for value in (1, "yes")],
    ],
)
def test_fit_refuses_and_changes_nothing(argument, value, error, words):
    model = Model([2, 3, 2], seed=np.random.RandomState(1))
    model.fit(XOR_X, XOR_Y, epochs=2)
    before = model.digest(), model.history, model._network.seed.get_state()[2]
    message = said(error, model.fit, XOR_X, XOR_Y, **{"epochs": 1, argument: value})
    for word in [argument, *words]:
        assert word in message
    assert (model.digest(), model.history, model._network.seed.get_state()[2]) == before


@pytest.mark.parametrize("value", [1e-60, 1e60])
def test_a_learning_rate_that_float32_cannot_hold(value):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Model([2, 3, 2], dtype="float32")
        assert "learning_rate" in said(ValueError, model.fit, XOR_X, XOR_Y, epochs=1, learning_rate=value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_target_loss_that_float32_cannot_hold_is_above_all(backend):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Model([2, 3, 2], dtype="float32", backend=backend)
        history = model.fit(XOR_X, XOR_Y, epochs=5, target_loss=1e60)
    assert history.epoch.tolist() == [1]


def test_fit_takes_numbers_of_numpy():
    plain = trained(XOR_X, XOR_Y, epochs=4, learning_rate=0.5, batch_size=2, shuffle=False)
    numpys = trained(
        XOR_X, XOR_Y, epochs=np.int16(4), learning_rate=np.float32(0.5), batch_size=np.uint8(2), shuffle=np.False_
    )
    assert plain == numpys


def test_epochs_are_100_and_named():
    assert len(Model([2, 3, 2]).fit(XOR_X, XOR_Y)) == 100
    assert "positional" in said(TypeError, Model([2, 3, 2]).fit, XOR_X, XOR_Y, 5)


def test_target_accuracy_needs_labels():
    model = Model([2, 3, 1], output="identity")
    assert "target_accuracy" in said(ValueError, model.fit, XOR_X, XOR_Y, epochs=2, target_accuracy=0.5)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_target_accuracy_needs_labels_also_of_a_sigmoid(loss):
    """Of targets between 0 and 1 the history says that there is no accuracy, so none can be reached."""
    model = Model([2, 3, 1], output="sigmoid", loss=loss)
    soft = [0.1, 0.2, 0.3, 0.4]
    assert np.isnan(model.fit(XOR_X, soft, epochs=2).accuracy).all()
    assert "target_accuracy" in said(ValueError, model.fit, XOR_X, soft, epochs=2, target_accuracy=0.5)


# ---------------------------------------------------------------------------------------------------------
# fit: what it records


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize(
    ("epochs", "record_every", "recorded"),
    [
        (5, None, [1, 2, 3, 4, 5]),
        (5, 1, [1, 2, 3, 4, 5]),
        (7, 3, [1, 3, 6, 7]),
        (6, 3, [1, 3, 6]),
        (5, 5, [1, 5]),
        (5, 100, [1, 5]),
        (1, 10, [1]),
    ],
)
def test_records_are_the_first_each_kth_and_the_last(epochs, record_every, recorded, batch_size, backend):
    x = rows(7, 2)
    model = Model([2, 3, 2], backend=backend)
    history = model.fit(x, labels(x), epochs=epochs, record_every=record_every, batch_size=batch_size)
    assert history is model.history
    assert isinstance(history, History)
    assert history.epoch.tolist() == recorded
    assert history.loss.shape == history.accuracy.shape == history.epoch.shape
    assert history.stopped is None
    assert history.seconds > 0
    # recording changes nothing
    again = Model([2, 3, 2], backend=backend)
    complete = again.fit(x, labels(x), epochs=epochs, batch_size=batch_size)
    assert complete.loss[history.epoch - 1].tolist() == history.loss.tolist()
    assert again.digest() == model.digest()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
@pytest.mark.parametrize("count", [1, 700])
def test_a_recorded_loss_stands_before_the_update(output, loss, outputs, dtype, count):
    x, y = rows(count, 3), targets(output, outputs, count)
    whole, step = (Model([3, 5, outputs], output=output, loss=loss, dtype=dtype, seed=1) for _ in range(2))
    history = whole.fit(x, y, epochs=4, learning_rate=0.2)
    for epoch in range(4):
        found = step.evaluate(x, y)
        assert step.loss(x, y) == found["loss"] == history.loss[epoch]
        if output == "identity":
            assert np.isnan(history.accuracy[epoch])
        else:
            assert found["accuracy"] == history.accuracy[epoch]
        step.fit(x, y, epochs=1, learning_rate=0.2)
    assert step.digest() == whole.digest()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "seed", [11, np.random.RandomState(11), np.random.default_rng(11)], ids=["int", "state", "rng"]
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_mini_batches_are_steps_on_slices_and_their_mean_is_recorded(seed, shuffle, backend):
    x = rows(23, 2)
    y = labels(x)
    orders = copy.deepcopy(seed)
    whole = Model([2, 4, 2], seed=seed, backend=backend)
    slices = Model([2, 4, 2], seed=orders, backend=backend)
    history = whole.fit(x, y, epochs=3, batch_size=10, shuffle=shuffle)
    for epoch in range(3):
        order = np.arange(23)
        if shuffle:
            draw = orders.permutation if not isinstance(seed, int) else lambda n: None
            order = draw(23) if not isinstance(seed, int) else reference_random.permutation(seed, epoch + 1, 23)
        total, right = 0.0, 0.0
        for start in (0, 10, 20):
            batch = order[start : start + 10]
            record = slices.fit(x[batch], y[batch], epochs=1)
            total += record.loss[0] * len(batch)
            right += record.accuracy[0] * len(batch)
        assert history.loss[epoch] == pytest.approx(total / 23, rel=1e-13)
        assert history.accuracy[epoch] == pytest.approx(right / 23, rel=1e-13)
    assert bits(slices) == bits(whole)


def test_a_batch_of_all_rows_or_more_is_the_full_batch():
    x, y = whole_numbers()
    for size in (40, 41, 10**9):
        assert trained(x, y, batch_size=size) == trained(x, y)
    assert trained(x, y, batch_size=40, shuffle=False) == trained(x, y)


def test_shuffles_differ_from_epoch_to_epoch():
    x, y = whole_numbers()
    model = Model([3, 5, 2], seed=3)
    model.fit(x, y, epochs=2, batch_size=8)
    repeated = Model([3, 5, 2], seed=3)
    order = reference_random.permutation(3, 1, 40)
    for _ in range(2):
        repeated.fit(x[order], y[order], epochs=1, batch_size=8, shuffle=False)
    assert bits(repeated) != bits(model)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_second_fit_goes_on(backend):
    x, y = whole_numbers()
    once, twice = (Model([3, 5, 2], seed=1, backend=backend) for _ in range(2))
    whole = once.fit(x, y, epochs=6)
    first, second = twice.fit(x, y, epochs=4), twice.fit(x, y, epochs=2)
    assert bits(twice) == bits(once)
    assert first.loss.tolist() + second.loss.tolist() == whole.loss.tolist()
    assert second.epoch.tolist() == [1, 2]
    assert twice.history is second


@pytest.mark.parametrize("backend", BACKENDS)
def test_many_epochs_of_a_generators_shuffles(backend):
    """Each epoch is a call of its own; what the engine learns from their times must stay within a call's reach."""
    epochs = 1000 if backend == "numba" else 20
    model = Model([2, 3, 2], seed=np.random.RandomState(0), backend=backend)
    history = model.fit(XOR_X, XOR_Y, epochs=epochs, batch_size=2, learning_rate=0.01)
    assert history.epoch.tolist() == list(range(1, epochs + 1))


def test_millions_of_epochs():
    history = Model([2, 2]).fit(XOR_X, XOR_Y, epochs=2_500_000)
    assert len(history) == 2_500_000
    assert history.epoch[-1] == 2_500_000


# ---------------------------------------------------------------------------------------------------------
# fit: targets


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_target_loss_keeps_the_weights_that_reached_it(backend, dtype):
    x = rows(60, 2)
    y = (x[:, 0] > 0).astype(int)

    def model():
        return Model([2, 4, 2], seed=1, dtype=dtype, backend=backend)

    free = model().fit(x, y, epochs=12, learning_rate=0.5)
    assert (np.diff(free.loss) < 0).all()
    for epoch in (1, 7, 12):
        goal = float(free.loss[epoch - 1])  # "reaches" includes equality
        stopped = model()
        history = stopped.fit(x, y, epochs=12, learning_rate=0.5, target_loss=goal)
        assert history.loss.tolist() == free.loss[:epoch].tolist()
        assert history.stopped == f"loss {goal:.6g} reached the target in epoch {epoch}"
        assert stopped.loss(x, y) == history.loss[-1]
        fresh = model()
        if epoch > 1:
            fresh.fit(x, y, epochs=epoch - 1, learning_rate=0.5)
        assert bits(stopped) == bits(fresh)


def test_a_target_is_met_at_records_only():
    x = rows(60, 2)
    y = (x[:, 0] > 0).astype(int)
    model = Model([2, 4, 2], seed=1)
    free = Model([2, 4, 2], seed=1).fit(x, y, epochs=12, learning_rate=0.5)
    history = model.fit(x, y, epochs=12, learning_rate=0.5, record_every=5, target_loss=float(free.loss[6]))
    assert history.epoch.tolist() == [1, 5, 10]
    assert model.loss(x, y) == history.loss[-1]


def test_a_target_out_of_reach_changes_nothing():
    x, y = whole_numbers()
    model = Model([3, 5, 2], seed=3)
    assert trained(x, y, model=model, target_loss=-1.0) == trained(x, y)
    assert model.history.stopped is None


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_target_with_mini_batches_stops_after_the_epoch(backend):
    x = rows(50, 2)
    y = (x[:, 0] > 0).astype(int)

    def model():
        return Model([2, 4, 2], seed=1, backend=backend)

    free = model().fit(x, y, epochs=8, batch_size=20)
    stopped, fresh = model(), model()
    history = stopped.fit(x, y, epochs=8, batch_size=20, target_loss=float(free.loss[3]))
    assert history.epoch.tolist() == [1, 2, 3, 4]
    fresh.fit(x, y, epochs=4, batch_size=20)
    assert bits(stopped) == bits(fresh)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("output", "outputs"), [("softmax", 2), ("sigmoid", 1), ("sigmoid", 2)])
def test_a_target_accuracy(output, outputs, backend):
    x = rows(60, 2)
    y = (x[:, 0] > 0).astype(int)
    y = np.column_stack([y, 1 - y]) if (output, outputs) == ("sigmoid", 2) else y
    arguments = {"epochs": 200, "learning_rate": 1.0}

    def model():
        return Model([2, 4, outputs], output=output, hidden="tanh", seed=1, backend=backend)

    stopped = model()
    history = stopped.fit(x, y, target_accuracy=0.95, **arguments)
    assert history.accuracy[-1] >= 0.95
    assert (history.accuracy[:-1] < 0.95).all()
    assert history.stopped == f"accuracy {history.accuracy[-1]:.6g} reached the target in epoch {history.epoch[-1]}"
    assert stopped.evaluate(x, y) == {"loss": history.loss[-1], "accuracy": history.accuracy[-1]}
    assert len(model().fit(x, y, target_accuracy=history.accuracy[-1], **arguments)) == len(history)
    assert len(model().fit(x, y, target_accuracy=0, **arguments)) == 1


def test_either_target_stops():
    x = rows(60, 2)
    y = (x[:, 0] > 0).astype(int)
    history = Model([2, 4, 2], seed=1).fit(x, y, epochs=500, target_loss=1e-9, target_accuracy=0.6)
    assert history.stopped.startswith("accuracy")
    history = Model([2, 4, 2], seed=1).fit(x, y, epochs=500, target_loss=10, target_accuracy=1)
    assert history.stopped.startswith("loss")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_float32_loss_that_equals_the_rounded_target_is_the_reason(backend):
    """The target is compared in the network's dtype, so what is said must be too."""
    x, y = whole_numbers()
    model = Model([3, 4, 2], dtype="float32", seed=1, backend=backend)
    goal = np.nextafter(model.loss(x, y), 0)  # rounds to that loss in float32
    history = model.fit(x, y, epochs=3, target_loss=float(goal))
    assert history.epoch.tolist() == [1]
    assert history.stopped.startswith("loss")


# ---------------------------------------------------------------------------------------------------------
# Several fits


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", [5, "state"])
def test_epochs_in_several_fits_are_the_epochs_of_one(backend, seed):
    """Shuffles count epochs over all fits, so that a loop over fit(epochs=1) does not repeat one order."""
    x, y = rows(50, 2), np.arange(50) % 2

    def trained(parts):
        model = Model([2, 4, 2], seed=np.random.RandomState(1) if seed == "state" else seed, backend=backend)
        for epochs in parts:
            model.fit(x, y, epochs=epochs, batch_size=8, learning_rate=0.2)
        return model.digest()

    assert trained([6]) == trained([2, 4]) == trained([1] * 6) != trained([5])
