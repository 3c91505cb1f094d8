"""What happens between the epochs of a `fit`: validation, early stopping, learning rates that wait, callbacks."""

import copy
import os
import pickle
import re
import signal
import threading
import warnings

import numpy as np
import pytest
from models import (
    BACKENDS,
    OUTPUTS,
    PLATEAU,
    SEEDS,
    TRAININGS,
    bits,
    figures,
    inside,
    learner,
    problem,
    rows,
    said,
    targets,
)

from fastmlp import DivergenceError, EarlyStopping, Info, Model
from fastmlp.fit.progress import bar
from fastmlp.fit.validation import held_out
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.spec import Spec
from fastmlp.splits import split

NAN = float("nan")
MODES = pytest.mark.parametrize("batch_size", [None, 7])
EACH_BACKEND = pytest.mark.parametrize("backend", BACKENDS)


def apart(count=11, seed=9):
    """Rows like those of `problem()`, to validate on."""
    x = rows(count, 2, seed=seed)
    return x, (np.abs(x.sum(axis=1)) * 3).astype(int) % 3


# ---------------------------------------------------------------------------------------------------------
# Validation


@EACH_BACKEND
@MODES
@pytest.mark.parametrize("count", [1, 11, 700])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_validation_is_evaluate_after_the_epoch(batch_size, backend, count, dtype):
    x, y = problem()
    held = apart(count)
    model, step = (learner(backend=backend, dtype=dtype) for _ in range(2))
    history = model.fit(x, y, epochs=4, batch_size=batch_size, validation=held, optimizer="adam")
    for epoch in range(4):
        step.fit(x, y, epochs=1, batch_size=batch_size, optimizer="adam", resume=epoch > 0)
        assert step.evaluate(*held) == {
            "loss": history.validation_loss[epoch],
            "accuracy": history.validation_accuracy[epoch],
        }
    assert inside(model) == inside(step)  # and it changes nothing


@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_validation_of_every_output(output, loss, outputs):
    x, y = rows(30, 3), targets(output, outputs, 30)
    held = rows(9, 3, seed=4), targets(output, outputs, 9, seed=5)
    model = Model([3, 4, outputs], output=output, loss=loss)
    history = model.fit(x, y, epochs=3, validation=held, record_every=2)
    found = model.evaluate(*held)
    assert history.validation_loss[-1] == found["loss"]
    assert np.isfinite(history.validation_loss).all()
    if output == "identity":
        assert np.isnan(history.validation_accuracy).all()
    else:
        assert history.validation_accuracy[-1] == found["accuracy"]


def test_soft_validation_has_no_accuracy():
    x = rows(20, 2)
    hard, soft = (x[:, 0] > 0).astype(float), np.abs(x[:, 0]) / 9
    history = Model([2, 1], output="sigmoid").fit(x, hard, epochs=2, validation=(x, soft))
    assert np.isfinite(history.accuracy).all()
    assert np.isnan(history.validation_accuracy).all()
    history = Model([2, 1], output="sigmoid").fit(x, soft, epochs=2, validation=(x, hard))
    assert np.isnan(history.accuracy).all()
    assert np.isfinite(history.validation_accuracy).all()


def test_no_validation_no_figures():
    history = learner().fit(*problem(), epochs=2, callback=lambda info: None)
    assert np.isnan(history.validation_loss).all()
    assert np.isnan(history.validation_accuracy).all()


@pytest.mark.parametrize("kind", [tuple, list])
def test_validation_data_of_every_kind(kind):
    x, y = problem()
    held_x, held_y = apart()
    expected = learner().fit(x, y, epochs=2, validation=(held_x, held_y))
    for other in (
        (held_x.tolist(), held_y.tolist()),
        (held_x, np.eye(3)[held_y]),
        (held_x.astype(">f8"), held_y[:, None]),
    ):
        assert figures(learner().fit(x, y, epochs=2, validation=kind(other))) == figures(expected)


def test_validation_data_is_not_modified():
    held = rows(30, 2), np.arange(30) % 3 * 1.0
    before = [part.tobytes() for part in held]
    learner().fit(*problem(), epochs=3, validation=held, early_stopping=1)
    assert [part.tobytes() for part in held] == before


@pytest.mark.parametrize("one_hot", [False, True])
def test_a_class_that_no_training_row_has(one_hot):
    x, y = problem()
    y = np.where(y == 1, 0, y)
    held_x, held_y = apart()
    message = said(ValueError, learner().fit, x, np.eye(3)[y] if one_hot else y, epochs=2, validation=(held_x, held_y))
    for word in ("validation", "class 1", "no row to train on", "shuffle", "validation=0.1"):
        assert word in message
    assert len(learner().fit(x, y, epochs=2, validation=(held_x, np.zeros(11)))) == 2  # fewer classes are fine


@MODES
@pytest.mark.parametrize("name", ["sgd", "adam", "dropout", "plateau"])
@pytest.mark.parametrize("share", [0.25, np.float32(0.5), 1e-9, 0.999])
def test_a_fraction_is_not_trained_on(share, name, batch_size):
    x, y = problem()
    train, held = split(y.astype(float), float(share), 3)
    options = {"epochs": 6, "batch_size": batch_size, **TRAININGS[name]}
    model, other, changed = learner(), learner(), learner()
    shared = model.fit(x, y, validation=share, **options)
    given = other.fit(x[train], y[train], validation=(x[held], y[held]), **options)
    assert inside(model) == inside(other)
    assert figures(shared) == figures(given)
    if name != "plateau":  # whose rate the validation has a say in
        x = x.copy()
        x[held] = 1e6
        changed.fit(x, y, validation=share, **options)
        assert changed.digest() == model.digest()


@pytest.mark.parametrize("share", [0.1, 0.2, 1 / 3, 0.5, 0.9, 0.99, 1e-9])
def test_a_fraction_is_stratified(share):
    y = np.repeat([0, 1, 2, 3], [50, 30, 17, 2])
    train, held = held_out(y.astype(float), share, 3, Spec.build([2, 4]))
    assert sorted([*train, *held]) == list(range(99))
    assert len(held) == min(max(1, round(99 * share)), 95)  # a row of each class is left
    counts = np.bincount(y[held], minlength=4)
    assert (np.abs(counts - share * np.bincount(y)) < 1).all() or share > 0.9
    assert (np.bincount(y[train], minlength=4) > 0).all()
    again = held_out(np.eye(4)[y], share, 3, Spec.build([2, 4], output="sigmoid"))
    assert np.array_equal(again[1], held)  # labels as one-hot rows of a sigmoid


def test_a_fraction_of_many_labels_is_a_fraction():
    """Of 12 outputs each row may be a combination of its own; rows that are alike are stratified all the same."""
    spec = Spec.build([2, 12], output="sigmoid")
    own = (np.arange(200)[:, None] >> np.arange(12) & 1).astype(float)
    assert len(held_out(own, 0.2, 3, spec)[1]) == 40
    alike = np.concatenate([own[:100], np.repeat(own[150:152], 50, axis=0)])
    held = held_out(alike, 0.2, 3, spec)[1]
    assert [np.sum((held >= start) & (held < stop)) for start, stop in ((0, 100), (100, 150), (150, 200))] == [
        20,
        10,
        10,
    ]


def test_a_fraction_of_quantities_is_any_rows():
    y = rows(100, 1)
    train, held = held_out(y, 0.2, 3, Spec.build([2, 1], output="identity"))
    assert len(held) == 20
    assert sorted([*train, *held]) == list(range(100))
    assert held.tolist() != list(range(20))


def test_a_fraction_of_too_little():
    x, _ = problem()
    for count, share in ((1, 0.5), (2, 0.5), (3, 0.9)):
        message = said(ValueError, learner().fit, x[:count], np.arange(count), epochs=1, validation=share)
        for word in (f"validation={share}", "(X, y)"):
            assert word in message
    model = Model([2, 1], output="identity")
    assert "one row" in said(ValueError, model.fit, x[:1], [1.0], epochs=1, validation=0.5)
    assert len(model.fit(x[:2], [1.0, 2.0], epochs=1, validation=0.5)) == 1


def test_a_fraction_is_the_same_for_every_fit_of_a_model():
    """Resumed or not: what was held out once is never trained on."""
    x, y = problem()
    for seed in SEEDS:
        model = learner(seed)
        poisoned = x.copy()
        history = model.fit(x, y, epochs=2, validation=0.3)
        held = held_out(y.astype(float), 0.3, model._network.number_seed(), model.spec)[1]
        poisoned[held] = 1e9
        twin = copy.deepcopy(model)
        model.fit(x, y, epochs=3, validation=0.3)
        twin.fit(poisoned, y, epochs=3, validation=0.3)
        assert twin.digest() == model.digest()
        assert history.validation_loss[-1] > 0


# ---------------------------------------------------------------------------------------------------------
# Early stopping


@EACH_BACKEND
@MODES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("metric", [None, "loss", "accuracy", "validation_accuracy"])
def test_early_stopping_gives_back_the_best_weights(metric, dtype, batch_size, backend):
    x, y = problem()
    options = {"learning_rate": 0.9, "batch_size": batch_size, "validation": apart()}
    free = learner(dtype=dtype, backend=backend).fit(x, y, epochs=40, **options)
    model, fresh = (learner(dtype=dtype, backend=backend) for _ in range(2))
    history = model.fit(x, y, epochs=40, early_stopping=EarlyStopping(3, metric=metric), **options)
    shown = getattr(history, metric or "validation_loss")
    best = (np.argmax if "accuracy" in (metric or "") else np.argmin)(shown) + 1
    assert history.best_epoch == best
    assert len(history) in (best + 3, 40)
    assert shown.tolist() == getattr(free, metric or "validation_loss")[: len(shown)].tolist()
    fresh.fit(x, y, epochs=int(best), **options)
    assert inside(model) == inside(fresh)
    if len(history) == 40:
        assert history.stopped is None
    else:
        name = (metric or "validation_loss").replace("_", " ")
        assert history.stopped == f"{name} had its best value, {shown[best - 1]:.6g}, in epoch {best}"
    if metric is None:
        assert model.loss(*apart()) == shown.min()


def test_a_number_is_patience():
    x, y = problem()
    for patience in (3, np.int64(3)):
        one, other = learner(), learner()
        given = one.fit(x, y, epochs=60, learning_rate=2.0, early_stopping=patience, validation=apart())
        rule = EarlyStopping(patience=3)
        made = other.fit(x, y, epochs=60, learning_rate=2.0, early_stopping=rule, validation=apart())
        assert (figures(given), inside(one)) == (figures(made), inside(other))
        assert given.stopped


def test_the_last_weights_where_they_are_wanted():
    x, y = problem()
    model, fresh = learner(), learner()
    rule = EarlyStopping(2, best_weights=False)
    history = model.fit(x, y, epochs=60, learning_rate=2.0, early_stopping=rule, validation=apart())
    assert history.best_epoch == history.epoch[-1] - 2
    fresh.fit(x, y, epochs=int(history.epoch[-1]), learning_rate=2.0)
    assert inside(model) == inside(fresh)


@MODES
def test_patience_counts_records(batch_size):
    x, y = problem()
    options = {"learning_rate": 2.0, "batch_size": batch_size, "validation": apart(), "record_every": 4}
    model, fresh = learner(), learner()
    history = model.fit(x, y, epochs=400, early_stopping=2, **options)
    assert set(history.epoch.tolist()) <= {1, *range(4, 401, 4)}
    assert np.isfinite(history.validation_loss).all()
    assert history.epoch.tolist().index(history.best_epoch) == len(history) - 3
    fresh.fit(x, y, epochs=history.best_epoch, **options)
    assert inside(model) == inside(fresh)


@MODES
@pytest.mark.parametrize("ends", ["target_loss", "target_accuracy", "callback", "epochs"])
def test_the_best_weights_come_back_however_it_ends(ends, batch_size):
    x, y = problem()
    options = {"learning_rate": 0.9, "batch_size": batch_size, "validation": apart()}
    free = learner().fit(x, y, epochs=40, **options)
    worst = int(np.argmax(free.validation_loss[5:])) + 6  # an epoch after a better one
    stops = {
        "target_loss": {"target_loss": float(free.loss[worst - 1])},
        "target_accuracy": {"target_accuracy": float(free.accuracy[:worst].max())},
        "callback": {"callback": lambda info: info.epoch == worst},
        "epochs": {"epochs": worst},
    }[ends]
    model, fresh = learner(), learner()
    history = model.fit(x, y, **{"epochs": 40, "early_stopping": 100, **options, **stops})
    best = int(np.argmin(history.validation_loss)) + 1
    assert history.best_epoch == best
    assert model.loss(*apart()) == history.validation_loss.min()
    words = {"target_loss": "reached the target", "target_accuracy": "reached the target", "callback": "the callback"}
    assert (words[ends] in history.stopped) if ends in words else history.stopped is None
    if not (ends.startswith("target") and best == history.epoch[-1]):
        fresh.fit(x, y, epochs=best, **options)
        assert inside(model) == inside(fresh)


@EACH_BACKEND
@MODES
def test_a_validation_that_is_never_finite(batch_size, backend):
    """It is recorded as it is, stops a training that waits for it, and gives back nothing."""
    x, y = rows(30, 2), rows(30, 1, seed=2)
    held = np.full((3, 2), 1e200), np.zeros(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, fresh = (Model([2, 3, 1], output="identity", backend=backend, hidden="identity") for _ in range(2))
        history = model.fit(x, y, epochs=9, batch_size=batch_size, validation=held, early_stopping=3)
        assert not np.isfinite(history.validation_loss).any()
        assert history.stopped == "validation loss was not a finite number in any record"
        assert history.best_epoch is None
        assert history.epoch.tolist() == [1, 2, 3]
        fresh.fit(x, y, epochs=3, batch_size=batch_size)
        assert bits(model) == bits(fresh)
        seen = []
        rate = ReduceOnPlateau(0.1, patience=0)
        history = model.fit(x, y, epochs=3, validation=held, learning_rate=rate, callback=seen.append)
    assert history.learning_rate.tolist() == pytest.approx([0.1, 0.01, 0.001])
    assert [info.validation_loss is None or np.isinf(info.validation_loss) for info in seen] == [True] * 3
    assert history.latest().startswith("loss ")
    assert model.fit(x, y, epochs=1, resume=True).epoch.tolist() == [4]


# ---------------------------------------------------------------------------------------------------------
# ReduceOnPlateau


@EACH_BACKEND
@MODES
@pytest.mark.parametrize("metric", [None, "loss", "accuracy", "validation_loss", "validation_accuracy"])
@pytest.mark.parametrize("record_every", [1, 3])
def test_the_rate_falls_where_the_record_says(record_every, metric, batch_size, backend):
    x, y = problem()
    rule = ReduceOnPlateau(0.9, factor=0.5, patience=1, min_delta=0.05, metric=metric)
    model = learner(backend=backend)
    history = model.fit(
        x, y, epochs=25, batch_size=batch_size, learning_rate=rule, validation=apart(), record_every=record_every
    )
    run, rates = rule.start(), []
    name = metric or "validation_loss"
    run.watch(name)
    for epoch, value in zip(history.epoch, getattr(history, name), strict=True):
        rates.append(run.rate)
        if epoch == 1 or epoch % record_every == 0:  # and not where the training happens to end
            run.see(value, "accuracy" in name)
    assert history.learning_rate.tolist() == rates
    assert len(set(rates)) > 1
    assert inside(model)[4][3] == run.state()


@MODES
def test_the_best_moment_has_its_own_count_of_waiting(batch_size):
    """A plateau that was waiting when the best epoch came goes on waiting from there."""
    x, y = problem()
    rule = ReduceOnPlateau(0.9, factor=0.5, patience=99, min_delta=0.5)
    options = {"learning_rate": rule, "batch_size": batch_size}
    stop = EarlyStopping(9, metric="validation_accuracy")
    model, fresh = learner(), learner()
    history = model.fit(x, y, epochs=60, early_stopping=stop, validation=apart(), **options)
    fresh.fit(x, y, epochs=history.best_epoch, validation=apart(), **options)
    assert 1 < history.best_epoch < history.epoch[-1]
    assert inside(fresh)[4][3]["waited"] > 0
    for _ in range(2):
        assert inside(model) == inside(fresh)
        for each in (model, fresh):
            each.fit(x, y, epochs=5, resume=True, validation=apart(), **options)


def test_another_figure_is_not_measured_by_the_best_of_the_last_one():
    """Resumed without validation: the loss is watched, and validation's best value says nothing of it."""
    x, y = problem()
    rule = ReduceOnPlateau(0.1, factor=0.5, patience=3)
    model = learner()
    model.fit(x, y, epochs=3, learning_rate=rule, validation=apart())
    before = inside(model)[4][3]
    assert before["metric"] == "validation_loss"
    history = model.fit(x, y, epochs=1, resume=True)
    after = inside(model)[4][3]
    assert after == {"rate": before["rate"], "best": history.loss[0], "waited": 0, "metric": "loss"}


# ---------------------------------------------------------------------------------------------------------
# Callbacks


@EACH_BACKEND
@MODES
def test_a_callback_sees_the_model_as_it_stands(batch_size, backend):
    x, y = problem()
    seen = []
    model, step = (learner(backend=backend) for _ in range(2))
    held = apart()

    def callback(info):
        assert isinstance(info, Info)
        assert info.history is model.history
        assert len(info.history) == info.epoch
        assert model.evaluate(*held) == {"loss": info.validation_loss, "accuracy": info.validation_accuracy}
        seen.append((inside(model), info.epoch, info.epochs, model.predict(x).tolist()))

    options = {"batch_size": batch_size, "validation": held, "optimizer": "adam"}
    history = model.fit(x, y, epochs=4, callback=callback, **options)
    assert [each[1:3] for each in seen] == [(epoch, 4) for epoch in (1, 2, 3, 4)]
    for epoch, (found, *_, predicted) in enumerate(seen):
        step.fit(x, y, epochs=1, resume=epoch > 0, **options)
        assert found == inside(step)
        assert predicted == step.predict(x).tolist()
    assert inside(model) == inside(step)
    assert (np.diff(history.elapsed) >= 0).all()
    model.fit(x, y, epochs=2, resume=True, callback=lambda info: seen.append((info.epoch, info.epochs)))
    assert seen[4:] == [(5, 6), (6, 6)]


@EACH_BACKEND
@MODES
@pytest.mark.parametrize("answer", [True, np.True_])
def test_a_callback_stops_the_training(answer, batch_size, backend):
    x, y = problem()
    model, fresh = (learner(backend=backend) for _ in range(2))
    history = model.fit(
        x,
        y,
        epochs=9,
        batch_size=batch_size,
        optimizer="adam",
        callback=lambda info: answer if info.epoch == 3 else None,
    )
    assert history.epoch.tolist() == [1, 2, 3]
    assert history.stopped == "the callback asked for it in epoch 3"
    fresh.fit(x, y, epochs=3, batch_size=batch_size, optimizer="adam")
    assert inside(model) == inside(fresh)
    for each in (model, fresh):
        each.fit(x, y, epochs=2, batch_size=batch_size, resume=True)
    assert inside(model) == inside(fresh)


def test_the_first_reason_is_told():
    """Of a target, a rule and a callback that end a training in the same epoch."""
    x, y = problem()
    options = {"learning_rate": 2.0, "validation": apart()}
    stops = learner().fit(x, y, epochs=60, early_stopping=2, **options)
    last, asked = int(stops.epoch[-1]), []

    def callback(info):
        asked.append(info.epoch)
        return info.epoch == last

    both = learner().fit(x, y, epochs=60, early_stopping=2, callback=callback, **options)
    assert both.stopped == stops.stopped
    assert asked == list(range(1, last + 1))  # it sees the last one, too
    goal = float(stops.loss[last - 1])
    first = int(np.argmax(stops.loss <= goal)) + 1
    history = learner().fit(x, y, epochs=60, target_loss=goal, callback=lambda info: info.epoch == first, **options)
    assert history.stopped.endswith(f"reached the target in epoch {first}")


def test_a_callback_is_asked_at_records():
    seen = []
    learner().fit(*problem(), epochs=7, record_every=3, callback=lambda info: seen.append(info.epoch))
    assert seen == [1, 3, 6, 7]


class Unforeseen(Exception):
    pass


@EACH_BACKEND
@MODES
@pytest.mark.parametrize("early_stopping", [None, 2])
@pytest.mark.parametrize("kind", [Unforeseen, KeyboardInterrupt, SystemExit, StopIteration, DivergenceError, "answer"])
def test_what_a_callback_raises(kind, early_stopping, batch_size, backend):
    """It comes out; weights and history are those of that epoch, and training goes on from there."""
    x, y = problem()
    model, fresh = (learner(backend=backend) for _ in range(2))
    options = {"batch_size": batch_size, "optimizer": "adam", "dropout": 0.2}

    def callback(info):
        if info.epoch == 3:
            if kind == "answer":
                return 3
            raise kind("for a reason of its own")
        return None

    with pytest.raises(TypeError if kind == "answer" else kind) as caught:
        model.fit(x, y, epochs=9, callback=callback, early_stopping=early_stopping, **options)
    assert ("a callback returned 3: return True" if kind == "answer" else "of its own") in str(caught.value)
    assert model.history.epoch.tolist() == [1, 2, 3]
    name = "TypeError" if kind == "answer" else kind.__name__
    assert model.history.stopped == ("interrupted" if kind is KeyboardInterrupt else f"{name} was raised")
    assert model.history.seconds > 0
    fresh.fit(x, y, epochs=3, **options)
    assert inside(model) == inside(fresh)
    for each in (model, fresh):
        each.fit(x, y, epochs=2, resume=True, **options)
    assert inside(model) == inside(fresh)
    assert len(model.fit(x, y, epochs=2)) == 2


def test_fit_and_set_weights_are_refused_in_a_callback():
    x, y = problem()
    model, fresh = learner(), learner()
    told = []

    def callback(info):
        before = inside(model)
        told.append(said(RuntimeError, model.fit, x, y, epochs=1))
        told.append(said(RuntimeError, model.set_weights, model.weights))
        assert inside(model) == before
        assert model.history is info.history

    model.fit(x, y, epochs=2, callback=callback)
    assert len(told) == 4
    assert all(
        re.match(r"(fit|set_weights) was called while the model trains, as from a callback", text) for text in told
    )
    fresh.fit(x, y, epochs=2)
    assert inside(model) == inside(fresh)
    model.set_weights(model.weights)
    model.fit(x, y, epochs=1)
    with pytest.raises(RuntimeError, match="fit was called"):
        model.fit(x, y, epochs=1, callback=lambda info: model.fit(x, y, epochs=1))
    model.fit(x, y, epochs=1)


def test_two_threads_do_not_train_one_model():
    x, y = problem()
    model = learner()
    inside_it, told = threading.Event(), []

    def callback(info):
        inside_it.set()
        other.join(20)

    def run():
        inside_it.wait(20)
        told.append(said(RuntimeError, model.fit, x, y, epochs=1))

    other = threading.Thread(target=run)
    other.start()
    model.fit(x, y, epochs=1, callback=callback)
    assert "fit was called while the model trains" in told[0]


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model)), "file"])
@MODES
@pytest.mark.parametrize("name", ["sgd", "adam", "plateau", "everything"])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_callback_keeps_goes_on_alike(seed, name, batch_size, copied, tmp_path):
    """Copies and files that are made while the model trains: a fit of theirs is the rest of the training."""
    x, y = problem()
    model, kept = learner(seed), []

    def callback(info):
        if info.epoch == 4:
            if copied == "file":
                model.save(tmp_path / "kept")
                kept.append(Model.load(tmp_path / "kept"))
            else:
                kept.append(copied(model))

    options = {"batch_size": batch_size, **TRAININGS[name]}
    history = model.fit(x, y, epochs=9, callback=callback, **options)
    (twin,) = kept
    rest = twin.fit(x, y, epochs=5, resume=True, **options)
    assert inside(twin) == inside(model)
    expected, found = (figures(each) for each in (history, rest))
    assert all(expected[column].endswith(found[column]) for column in found)
    assert rest.epoch.tolist() == [5, 6, 7, 8, 9]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send SIGINT to a process")
@EACH_BACKEND
@MODES
def test_ctrl_c_in_a_callback(batch_size, backend):
    x, y = problem()
    model, fresh = (learner(backend=backend) for _ in range(2))

    def callback(info):
        if info.epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):  # Python looks for signals between any two of these
                pass

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=9, batch_size=batch_size, callback=callback, optimizer="adam")
    assert model.history.stopped == "interrupted"
    assert model.history.epoch.tolist() == [1, 2, 3]
    fresh.fit(x, y, epochs=3, batch_size=batch_size, optimizer="adam")
    for each in (model, fresh):
        each.fit(x, y, epochs=2, batch_size=batch_size, resume=True)
    assert inside(model) == inside(fresh)


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (None, False), (False, False)])
def test_a_bar_beside_a_callback(progress, shown, capfd, monkeypatch):
    """What a callback prints would break it, so that it is there only where it is asked for."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("fastmlp.fit.fit.bar", lambda epochs, wanted: asked.append(wanted) or bar(epochs, wanted))
    learner().fit(*problem(), epochs=20, progress=progress, callback=lambda info: None, validation=apart())
    assert asked == [progress is True]
    err = capfd.readouterr()[1]
    assert ("20/20" in err or "of 20" in err) == shown


def test_without_a_callback_the_terminal_decides(monkeypatch):
    asked = []
    monkeypatch.setattr("fastmlp.fit.fit.bar", lambda epochs, wanted: asked.append(wanted) or bar(epochs, wanted))
    learner().fit(*problem(), epochs=2, validation=apart())
    assert asked == [None]


# ---------------------------------------------------------------------------------------------------------
# Divergence


@EACH_BACKEND
@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("watch", ["callback", "validation", "early_stopping", "stop", "plateau"])
def test_nobody_is_shown_weights_that_are_not_finite(watch, epochs, backend):
    """The first record is finite, and its update is not: no callback stops, and no rule chooses, what is there then."""
    model = Model([1, 1], output="identity", backend=backend)
    model.set_weights([([[1e-150]], [0.0])])
    before, seen = bits(model), []
    options = {
        "callback": {"callback": seen.append},
        "validation": {"validation": ([[1.0]], [1.0])},
        "early_stopping": {"early_stopping": 1},
        "stop": {"callback": lambda info: True},
        "plateau": {"learning_rate": ReduceOnPlateau(1e200, patience=0)},
    }[watch]
    with pytest.raises(DivergenceError, match="a weight was no longer finite by epoch 1"):
        model.fit([[1e150]], [0.0], **{"epochs": epochs, "learning_rate": 1e200, **options})
    assert bits(model) == before
    assert seen == []
    history = model.history
    assert (history.stopped, history.best_epoch) == ("diverged", None)
    assert history.loss.tolist() == [1.0]
    assert np.isnan(history.validation_loss).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("options", [{}, {"early_stopping": 3}, {"learning_rate": ReduceOnPlateau(1.0)}], ids=[1, 2, 3])
@MODES
def test_watched_divergence_is_told_alike_by_both_backends(batch_size, options):
    x, y = rows(60, 3) * 1e3, rows(60, 1, seed=1) * 1e3
    found = []
    for backend in BACKENDS:
        model = Model([3, 4, 1], output="identity", backend=backend)
        with pytest.raises(DivergenceError) as caught:
            model.fit(
                x, y, **{"epochs": 30, "learning_rate": 1.0, "batch_size": batch_size, "validation": 0.2, **options}
            )
        history = model.history
        found.append((str(caught.value), bits(model), figures(history), history.stopped, history.best_epoch))
    assert found[0] == found[1]


# ---------------------------------------------------------------------------------------------------------
# All of it at once


@MODES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", SEEDS)
def test_both_backends_watch_alike(seed, dtype, batch_size):
    found = []
    for backend in BACKENDS:
        model, seen = learner(seed, dtype=dtype, backend=backend), []
        history = model.fit(
            *problem(), epochs=20, batch_size=batch_size, optimizer="sgd", learning_rate=PLATEAU, dropout=0.2, l1=1e-3,
            validation=0.3, early_stopping=EarlyStopping(3, min_delta=0.05), target_accuracy=1.0, record_every=2,
            callback=lambda info, seen=seen: seen.append((info.epoch, info.loss, info.validation_loss)),
        )  # fmt: skip
        found.append((inside(model), figures(history), history.stopped, history.best_epoch, seen))
    assert found[0] == found[1]
