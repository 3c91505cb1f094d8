"""A fit that goes on where the last one ended: bit for bit as if there had been one."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from models import (
    BACKENDS,
    SEEDS,
    TRAININGS,
    XOR_X,
    XOR_Y,
    figures,
    in_another_process,
    inside,
    learner,
    problem,
    said,
)  # fmt: skip

from fastmlp import SGD, Adagrad, Adam, AdamW, DivergenceError, EarlyStopping, Model, RMSprop
from fastmlp.schedules import Cosine, ReduceOnPlateau

TESTS = str(Path(__file__).parent)


def fits(model, parts, **options):
    """The histories of one fit after the other, the later ones resumed."""
    x, y = problem()
    return [model.fit(x, y, epochs=epochs, resume=number > 0, **options) for number, epochs in enumerate(parts)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TRAININGS)
def test_thirty_epochs_are_ten_and_twenty(name, seed, batch_size, dtype):
    options = {"batch_size": batch_size, **TRAININGS[name]}
    once, twice = learner(seed, dtype=dtype), learner(seed, dtype=dtype)
    whole, parts = fits(once, [30], **options), fits(twice, [10, 20], **options)
    assert inside(twice) == inside(once)
    assert figures(*parts) == figures(*whole)
    assert parts[1].epoch.tolist() == list(range(11, 31))


@pytest.mark.parametrize("name", ["adam", "plateau adam", "everything"])
def test_thirty_epochs_one_at_a_time(name):
    once, many = learner(), learner()
    whole, parts = (
        fits(once, [30], batch_size=7, **TRAININGS[name]),
        fits(many, [1] * 30, batch_size=7, **TRAININGS[name]),
    )
    assert inside(many) == inside(once)
    assert figures(*parts) == figures(*whole)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("name", TRAININGS)
def test_both_backends_tell_the_same(name, batch_size, dtype):
    """3 epochs and 2 more: digests, optimizers, records."""
    found = []
    for backend in BACKENDS:
        model = learner(dtype=dtype, backend=backend)
        histories = fits(model, [3, 2], batch_size=batch_size, **TRAININGS[name])
        found.append((inside(model), figures(*histories)))
    assert found[0] == found[1]


@pytest.mark.parametrize("seed", ["state", "rng"])
def test_both_backends_draw_the_same(seed):
    found = []
    for backend in BACKENDS:
        model = learner(seed, backend=backend)
        histories = fits(model, [3, 2], batch_size=7, **TRAININGS["everything"])
        found.append((inside(model), figures(*histories)))
    assert found[0] == found[1]


RESUMED = """
import json, sys
sys.path.insert(0, sys.argv[2])
from models import TRAININGS, figures, inside, problem
from fastmlp import Model
x, y = problem()
told = {}
for name, options in TRAININGS.items():
    for seed in ("int", "state", "rng"):
        for dtype in ("float64", "float32"):
            model = Model.load(f"{sys.argv[1]}/{name} {seed} {dtype}")
            history = model.fit(x, y, epochs=20, batch_size=7, resume=True, **options)
            told[f"{name} {seed} {dtype}"] = [inside(model), figures(history)]
print(json.dumps(told))
"""


def test_thirty_epochs_are_ten_here_and_twenty_in_another_process(tmp_path):
    expected = {}
    for name, options in TRAININGS.items():
        for seed in SEEDS:
            for dtype in ("float64", "float32"):
                once, model = learner(seed, dtype=dtype), learner(seed, dtype=dtype)
                fits(once, [30], batch_size=7, **options)
                later = fits(copy.deepcopy(model), [10, 20], batch_size=7, **options)[1]
                fits(model, [10], batch_size=7, **options)
                key = f"{name} {seed} {dtype}"
                model.save(tmp_path / key)
                expected[key] = [inside(once), figures(later)]
    told = json.loads(in_another_process(RESUMED, tmp_path, TESTS))
    assert told.keys() == expected.keys()
    wrong = [key for key in expected if told[key] != json.loads(json.dumps(expected[key]))]
    assert not wrong


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["plateau adam", "everything"])
def test_copies_resume(name, seed, copied):
    model = learner(seed)
    fits(model, [10], batch_size=7, **TRAININGS[name])
    twin = copied(model)
    assert inside(twin) == inside(model)
    x, y = problem()
    again = {"epochs": 5, "batch_size": 7, "resume": True, **TRAININGS[name]}
    before = inside(model)
    twin.fit(x, y, **again)
    assert inside(model) == before != inside(twin)
    model.fit(x, y, **again)
    assert inside(twin) == inside(model)


# ---------------------------------------------------------------------------------------------------------
# Without it, and with less or other options


@pytest.mark.parametrize(
    "options", [{"optimizer": Adam(0.05)}, {"optimizer": SGD(0.05, momentum=0.9)}, {"learning_rate": Cosine(0.5, 12)}]
)
def test_without_it_optimizer_and_schedule_begin_anew(options):
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=10, **options)
    other = learner()
    other.set_weights(model.weights)
    first, second = (each.fit(x, y, epochs=10, **options) for each in (model, other))
    assert model.digest() == other.digest()
    assert figures(first) == figures(second)
    assert first.epoch[0] == 1
    assert inside(model)[4] == inside(other)[4]


def test_resume_of_nothing_is_a_beginning():
    x, y = problem()
    found = []
    for resume in (True, False):
        model = learner()
        found.append((figures(model.fit(x, y, epochs=3, optimizer="adam", resume=resume)), inside(model)))
    assert found[0] == found[1]


def test_the_optimizer_need_not_be_given_again():
    """Nor its learning rate; by name, or as it was, it is the same."""
    x, y = problem()
    optimizer = Adam(0.05, beta_1=0.8)
    found = []
    for again in (
        {}, {"optimizer": optimizer}, {"optimizer": "adam"}, {"learning_rate": 0.05},
        {"optimizer": "adam", "learning_rate": 0.05},
    ):  # fmt: skip
        model = learner()
        model.fit(x, y, epochs=3, optimizer=optimizer)
        history = model.fit(x, y, epochs=2, resume=True, **again)
        assert (history.learning_rate == 0.05).all()
        found.append(inside(model))
    assert all(each == found[0] for each in found)


def test_another_learning_rate_goes_on_with_the_state():
    x, y = problem()
    model, other = learner(), learner()
    for each, again in ((model, {"learning_rate": 0.01}), (other, {"optimizer": Adam(0.01)})):
        each.fit(x, y, epochs=3, optimizer=Adam(0.05))
        history = each.fit(x, y, epochs=2, resume=True, **again)
        assert history.learning_rate.tolist() == [0.01, 0.01]
        assert history.epoch.tolist() == [4, 5]
    assert inside(model) == inside(other)
    anew = learner()
    anew.fit(x, y, epochs=3, optimizer=Adam(0.05))
    anew.fit(x, y, epochs=2, optimizer=Adam(0.01))
    assert anew.digest() != model.digest()


def test_a_schedule_goes_on_in_time():
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=3)
    schedule = Cosine(0.5, epochs=8)
    assert model.fit(x, y, epochs=2, resume=True, learning_rate=schedule).learning_rate.tolist() == (
        schedule.rates([3, 4]).tolist()
    )


def test_a_plateau_is_forgotten_with_its_schedule():
    x, y = problem()
    model = learner()
    first = model.fit(x, y, epochs=8, learning_rate=ReduceOnPlateau(0.5, patience=0, min_delta=1.0))
    assert first.learning_rate[-1] < 0.5
    reduced = inside(model)[4][3]["rate"]
    same = copy.deepcopy(model)
    assert same.fit(x, y, epochs=1, resume=True).learning_rate.tolist() == [reduced]
    other = ReduceOnPlateau(0.3, patience=0)
    assert model.fit(x, y, epochs=1, resume=True, learning_rate=other).learning_rate.tolist() == [0.3]


KINDS = [SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), Adam(), RMSprop(), Adagrad()]


@pytest.mark.parametrize("first", KINDS, ids=str)
def test_another_optimizer_is_refused(first):
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=2, optimizer=first)
    before, history = inside(model), model.history
    for second in KINDS:
        if second.kernel == first.kernel:
            continue
        message = said(ValueError, model.fit, x, y, epochs=2, optimizer=second, resume=True)
        for word in ("resume=True", str(first), "leave optimizer out", "begin anew"):
            assert word in message
        assert (inside(model), model.history) == (before, history)
        clone = copy.deepcopy(model)
        assert len(clone.fit(x, y, epochs=2, optimizer=second)) == 2  # as it says


def test_adam_and_adamw_have_the_same_state():
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=2, optimizer="adam")
    model.fit(x, y, epochs=2, optimizer=AdamW(weight_decay=0.1), resume=True)
    assert model._network.run.optimizer == AdamW(weight_decay=0.1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_goes_on_from_a_divergence(backend, tmp_path):
    model = Model([2, 3, 1], output="identity", backend=backend)
    y = np.array(XOR_Y) * 1e200
    with pytest.raises(DivergenceError):
        model.fit(XOR_X, y, epochs=20, learning_rate=1.0)
    before = inside(model)
    for each in (model, copy.deepcopy(model)):
        message = said(ValueError, each.fit, XOR_X, XOR_Y, epochs=2, resume=True)
        for word in ("resume=True", "diverged", "leave it out"):
            assert word in message
        assert inside(each) == before
    model.save(tmp_path / "model")
    assert "diverged" in said(ValueError, Model.load(tmp_path / "model").fit, XOR_X, XOR_Y, epochs=2, resume=True)
    model.fit(XOR_X, XOR_Y, epochs=2)
    model.fit(XOR_X, XOR_Y, epochs=2, resume=True)


def test_nothing_goes_on_after_set_weights(tmp_path):
    model = learner()
    x, y = problem()
    fits(model, [3], optimizer="adam")
    model.set_weights(model.weights)
    model.save(tmp_path / "model")
    for each in (model, copy.deepcopy(model), Model.load(tmp_path / "model")):
        message = said(ValueError, each.fit, x, y, epochs=2, resume=True)
        for word in ("resume=True", "set_weights", "leave it out"):
            assert word in message
    model.fit(x, y, epochs=2)
    model.fit(x, y, epochs=2, resume=True)
    untrained = learner()
    untrained.set_weights(model.weights)
    assert len(untrained.fit(x, y, epochs=2, resume=True)) == 2


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("name", ["sgd", "adam", "nesterov", "cosine", "plateau", "dropout", "everything"])
def test_after_early_stopping_it_goes_on_from_the_best_epoch(name, batch_size):
    """As from a training of so many epochs."""
    x, y = problem()
    options = {"batch_size": batch_size, **TRAININGS[name]}
    model = learner()
    history = model.fit(x, y, epochs=30, early_stopping=EarlyStopping(4, metric="loss", min_delta=0.02), **options)
    assert 1 <= history.best_epoch < history.epoch[-1]
    fresh = learner()
    fresh.fit(x, y, epochs=history.best_epoch, **options)
    assert inside(model) == inside(fresh)
    after = [each.fit(x, y, epochs=5, resume=True, **options) for each in (model, fresh)]
    assert inside(model) == inside(fresh)
    assert figures(after[0]) == figures(after[1])
    assert after[0].epoch[0] == history.best_epoch + 1


def test_a_fit_from_the_beginning_leaves_the_last_run_as_it_was():
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=2, optimizer="adam")
    run = model._network.run
    before = run.epochs, run.state.vectors.tobytes(), run.state.powers.tolist()
    model.fit(x, y, epochs=3, optimizer="adam")
    assert model._network.run is not run
    assert (run.epochs, run.state.vectors.tobytes(), run.state.powers.tolist()) == before
