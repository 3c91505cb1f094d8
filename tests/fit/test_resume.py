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
    rows,
    said,
)  # fmt: skip

from fastmlp import SGD, Adagrad, Adam, AdamW, DivergenceError, EarlyStopping, Model, RMSprop
from fastmlp.schedules import Cosine, ReduceOnPlateau

TESTS = str(Path(__file__).parents[1])


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
    fresh = learner()
    fresh.fit(x, y, epochs=3, optimizer=Adam(0.05))
    fresh.fit(x, y, epochs=2, optimizer=Adam(0.01))
    assert fresh.digest() != model.digest()


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("backend", BACKENDS)
def test_another_schedule_begins_at_its_own_time(backend, batch_size, tmp_path):
    """The batches' rates too: with plain gradient descent, it is as if the run began there."""
    x, y = problem()
    schedule = Cosine(0.5, epochs=8)
    model, other = learner(backend=backend), learner(backend=backend)
    for each in (model, other):
        each.fit(x, y, epochs=3, batch_size=batch_size)
    again = {"epochs": 2, "batch_size": batch_size, "learning_rate": schedule}
    resumed, fresh = model.fit(x, y, resume=True, **again), other.fit(x, y, **again)
    assert resumed.learning_rate.tolist() == schedule.rates([0, 1]).tolist()
    assert resumed.epoch.tolist() == [4, 5]
    assert resumed.loss.tolist() == fresh.loss.tolist()
    assert model.digest() == other.digest()
    model.save(tmp_path / "model")  # and that time goes on, in every copy
    for each in (copy.deepcopy(model), Model.load(tmp_path / "model", backend=backend), model):
        history = each.fit(x, y, epochs=2, batch_size=batch_size, resume=True, learning_rate=schedule)
        assert history.learning_rate.tolist() == schedule.rates([2, 3]).tolist()
    assert model.fit(x, y, epochs=1, resume=True, learning_rate=0.1).learning_rate.tolist() == [0.1]
    assert model.fit(x, y, epochs=1, resume=True, learning_rate=schedule).learning_rate.tolist() == [0.5]


def test_after_early_stopping_another_schedule_begins_there():
    x, y = problem()
    model = learner()
    history = model.fit(x, y, epochs=30, early_stopping=EarlyStopping(4, metric="loss", min_delta=0.02))
    assert history.best_epoch < history.epoch[-1]
    again = model.fit(x, y, epochs=1, resume=True, learning_rate=Cosine(0.5, epochs=8))
    assert (again.epoch.tolist(), again.learning_rate.tolist()) == ([history.best_epoch + 1], [0.5])


@pytest.mark.parametrize("first", [None, 0.25])
def test_other_rows_cannot_be_held_out_later(first, tmp_path):
    """Those of another share have been trained on."""
    x, y = problem()
    model = learner()
    assert len(model.fit(x, y, epochs=2, validation=first)) == 2
    before = inside(model), model.history
    message = said(ValueError, model.fit, x, y, epochs=2, validation=0.5, resume=True)
    for word in ("validation=0.5", "trained on", "(X, y)", "no fraction" if first is None else "validation=0.25"):
        assert word in message
    assert (inside(model), model.history) == before
    twin = copy.deepcopy(model)
    model.save(tmp_path / "model")
    for each in (twin, Model.load(tmp_path / "model")):
        assert said(ValueError, each.fit, x, y, epochs=2, validation=0.5, resume=True) == message
    if first is not None:
        assert len(model.fit(x, y, epochs=2, validation=first, resume=True)) == 2
    held = x[:5], y[:5]
    assert len(model.fit(x, y, epochs=2, validation=held, resume=True)) == 2
    if first is not None:  # that one has trained on all rows
        assert "no fraction" in said(ValueError, model.fit, x, y, epochs=2, validation=first, resume=True)
    assert len(model.fit(x, y, epochs=2, validation=0.5)) == 2  # fresh: whoever asks for it has been told


@pytest.mark.parametrize("metric", ["validation_loss", "validation_accuracy"])
@pytest.mark.parametrize("name", ["sgd", "adam", "plateau"])
def test_early_stopping_never_ends_worse_than_it_began(name, metric):
    """Resumed on labels that ruin it, a model ends as it was."""
    x, y = problem()
    held, wrong = (x, y), (y + 1) % 3
    model = learner()
    options = {"validation": held, **TRAININGS[name]}
    history = model.fit(x, y, epochs=200, early_stopping=EarlyStopping(9, metric=metric), **options)
    before, best = model.digest(), history.best_epoch
    for _ in range(2):
        rule = EarlyStopping(3, metric=metric)
        found = model.fit(x, wrong, epochs=30, resume=True, validation=held, early_stopping=rule)
        assert (model.digest(), found.best_epoch) == (before, best)
        assert found.epoch.tolist() == [best + 1, best + 2, best + 3]
        assert f"in epoch {best}" in found.stopped
    rule = EarlyStopping(3, metric=metric, best_weights=False)  # whose owner wants the last ones
    found = model.fit(x, wrong, epochs=30, resume=True, validation=held, early_stopping=rule)
    assert model.digest() != before
    assert found.best_epoch > best


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("parts", [(6, 34), (5, 35), (1, 1, 38), (20, 20)])
@pytest.mark.parametrize("record_every", [3, 7])
def test_a_plateau_does_not_see_where_a_fit_ends(record_every, parts, batch_size):
    """Its first and last epochs are recorded, and are no reason for another rate."""
    rule = ReduceOnPlateau(0.5, factor=0.5, patience=1, min_delta=0.05)
    options = {"batch_size": batch_size, "learning_rate": rule, "record_every": record_every}
    once, many = learner(), learner()
    whole, found = fits(once, [40], **options), fits(many, parts, **options)
    assert inside(many) == inside(once)
    assert whole[0].learning_rate[-1] < 0.5
    rates = {epoch: rate for each in found for epoch, rate in zip(each.epoch, each.learning_rate, strict=True)}
    assert [rates[epoch] for epoch in whole[0].epoch] == whole[0].learning_rate.tolist()


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


KINDS = [
    SGD(),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    Adam(),
    RMSprop(),
    RMSprop(momentum=0.5),
    Adagrad(),
]


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
        for word in ("resume=True", str(first), "leave optimizer out", "start from scratch"):
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


@pytest.mark.parametrize("how", ["mapped", "pickle 5"])
def test_a_model_whose_arrays_are_read_only_resumes(how, tmp_path):
    """As joblib maps them, and as buffers of a pickle are that lie in read-only memory."""
    joblib = pytest.importorskip("joblib")
    x, y = np.random.default_rng(0).standard_normal((40, 3)), np.arange(40) % 2
    options = {"optimizer": "adam", "batch_size": 16}
    whole, model = Model([3, 5, 2], seed=1), Model([3, 5, 2], seed=1)
    whole.fit(x, y, epochs=5, **options)
    model.fit(x, y, epochs=2, **options)
    if how == "mapped":
        joblib.dump(model, tmp_path / "model")
        again = joblib.load(tmp_path / "model", mmap_mode="r")
    else:
        buffers = []
        text = pickle.dumps(model, 5, buffer_callback=buffers.append)
        again = pickle.loads(text, buffers=[bytes(buffer.raw()) for buffer in buffers])
        assert buffers
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    again.fit(x, y, epochs=3, resume=True, **options)
    assert again.digest() == whole.digest()
    assert again._network.run.state.vectors.tobytes() == whole._network.run.state.vectors.tobytes()


@pytest.mark.parametrize("make", [lambda: np.random.Generator(np.random.PCG64(3)), lambda: np.random.RandomState(3)])
@pytest.mark.parametrize("more", [{}, {"dropout": 0.3}])
def test_after_a_cut_a_fit_from_the_beginning_is_that_of_the_saved_model(make, more, tmp_path):
    """Orders that were drawn for an epoch which did not count are drawn again."""
    model, (x, y) = Model([4, 8, 2], seed=make()), (rows(200, 4), np.arange(200) % 2)

    def press(info):
        if info.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=9, batch_size=7, callback=press)
    from fastmlp.core.network import raw_state

    model._network.run.drawn_from = raw_state(make())  # as if it had been cut within an epoch that had been drawn
    model.save(tmp_path / "saved")
    other = Model.load(tmp_path / "saved")
    for one in (model, other):
        one.fit(x, y, epochs=2, batch_size=7, **more)
    assert model.digest() == other.digest()


class Wrong(np.random.Generator):
    def permutation(self, rows):
        return np.full(rows, 10**12)


def test_an_order_that_is_none_is_refused():
    with pytest.raises(ValueError, match="not an order of 64 rows"):
        Model([4, 8, 2], seed=Wrong(np.random.PCG64(1))).fit(rows(64, 4), np.arange(64) % 2, epochs=2, batch_size=16)


# ---------------------------------------------------------------------------------------------------------
# What a model tells of its last fit


def test_what_a_model_tells_of_its_last_fit():
    x, y = problem()
    model = Model([2, 5, 3], seed=3)
    assert (model.epochs, model.optimizer, model.not_resumable_because, model.seed) == (0, None, None, 3)
    model.fit(x, y, epochs=2, optimizer=Adam(0.02))
    model.fit(x, y, epochs=3, resume=True)
    assert (model.epochs, model.optimizer, model.not_resumable_because) == (5, Adam(0.02), None)
    model.set_weights(model.weights)
    assert model.not_resumable_because == "set_weights has replaced the weights"
    with pytest.raises(ValueError, match=f"since {model.not_resumable_because}"):
        model.fit(x, y, epochs=1, resume=True)
    model.fit(x, y, epochs=1)
    assert (model.epochs, model.not_resumable_because) == (1, None)


def test_the_seed_of_a_generator_is_the_number_that_a_fit_draws():
    x, y = problem()
    model = Model([2, 5, 3], seed=np.random.default_rng(3))
    told = model.seed
    assert type(told) is int
    model.fit(x, y, epochs=1, dropout=0.5)
    assert model.seed == told == model._network.drawn_seed


def test_a_snapshot_is_a_model_s_own_moment():
    x, y = problem()
    model = learner()
    model.fit(x, y, epochs=2)
    twin = Model.from_snapshot(model.snapshot())
    assert inside(twin) == inside(model)
    model.fit(x, y, epochs=1, resume=True)
    assert twin.epochs == 2
    twin.fit(x, y, epochs=1, resume=True)
    assert inside(twin) == inside(model)
