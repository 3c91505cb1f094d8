"""Many models at once: each ends as it does alone, whatever the others do, and whatever interrupts them."""

import copy
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import tracemalloc
import warnings
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
from storms import inside

from fastmlp import DivergenceError, DivergenceWarning, Model
from fastmlp.engine import model_lanes
from fastmlp.fit import lanes, together
from fastmlp.fit.options import FitOptions
from fastmlp.fit.together import train_together
from fastmlp.schedules import Cosine, ReduceOnPlateau
from fastmlp.system import thread_pool

USUAL = {field.name: field.default for field in fields(FitOptions)}
DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((60, 4)), DRAWS.integers(0, 3, 60)
HELD = DRAWS.standard_normal((20, 4)), DRAWS.integers(0, 3, 20)
ROWS = DRAWS.integers(0, 60, 45)


def job(model, x=X, y=Y, rows=None, **options):
    return model.job(x, y, FitOptions.of({**USUAL, **options}), rows)


def asks():
    """(a function that makes a model, options): one of each kind. Options are new ones each time."""
    seen = []
    return [
        (lambda: Model([4, 8, 3], seed=1), {"epochs": 7, "learning_rate": 0.5}),
        (lambda: Model([4, 8, 3], seed=2), {"epochs": 7, "batch_size": 16}),
        (lambda: Model([4, 8, 3], seed=3, dtype="float32"), {"epochs": 5, "batch_size": 7, "optimizer": "adam"}),
        (lambda: Model([4, 6, 5, 3], hidden="tanh", seed=4), {"epochs": 6, "validation": HELD, "early_stopping": 1}),
        (lambda: Model([4, 5, 3], seed=5), {"epochs": 9, "validation": 0.25, "dropout": 0.3, "batch_size": 8}),
        (lambda: Model([4, 5, 3], seed=6), {"epochs": 6, "callback": lambda info: seen.append(info.epoch)}),
        (lambda: Model([4, 5, 3], seed=7), {"epochs": 9, "callback": lambda info: info.epoch == 4}),
        (lambda: Model([4, 3], seed=8), {"epochs": 40, "target_loss": 1.0, "learning_rate": 0.3}),
        (
            lambda: Model([4, 5, 3], seed=9),
            {"epochs": 6, "learning_rate": ReduceOnPlateau(0.3, patience=0), "optimizer": "rmsprop", "l2": 0.1},
        ),
        (lambda: Model([4, 5, 3], seed=np.random.RandomState(3)), {"epochs": 5, "batch_size": 16, "dropout": 0.2}),
        (lambda: Model([4, 5, 3], seed=np.random.default_rng(3)), {"epochs": 5, "batch_size": 16}),
        (
            lambda: Model([4, 5, 3], seed=12),
            {"epochs": 4, "sample_weight": np.linspace(0, 1, 60), "learning_rate": Cosine(0.2, 4)},
        ),
        (lambda: Model([4, 5, 3], seed=13), {"epochs": 3, "record_every": 2, "clip_norm": 0.1, "batch_size": 1}),
        (lambda: Model([4, 5, 3], seed=14, backend="reference"), {"epochs": 2, "batch_size": 16}),
    ]


def told(model):
    """All that a training leaves."""
    history = {name: value for name, value in model.history.to_dict().items() if name not in ("seconds", "loading")}
    history.pop("elapsed", None)
    return inside(model), model.digest(), history


def alone(make, options, x=X, y=Y):
    model = make()
    model.fit(x, y, threads=1, **options)
    return told(model)


@pytest.fixture
def threaded(monkeypatch):
    """No model is trained in the calling thread because it is small."""
    monkeypatch.setattr(together, "SHORT_WORK", 0)


@pytest.fixture(params=[False, True], ids=["where lanes pay", "lanes"])
def grouped(request, monkeypatch):
    """All that can be are trained in lanes."""
    monkeypatch.setattr(lanes, "force", request.param)


def test_models_of_a_group_end_as_they_do_alone(grouped, threaded):
    """Each of one network, for one kind of options: some stop early, some reach a target, some diverge."""
    for options in (
        {"epochs": 6, "batch_size": 4},
        {"epochs": 6, "batch_size": 7, "optimizer": "adam", "l2": 0.1},
        {"epochs": 20, "validation": HELD, "early_stopping": 1},
        {"epochs": 9, "batch_size": 8, "validation": 0.25},
        {"epochs": 30, "target_loss": 1.05},
    ):
        rates = [0.01, 0.1, 0.02, 1e200, 0.3, 0.05, 1.0]
        asked = [{**options, "learning_rate": rate} for rate in rates]
        models = [Model([4, 5, 3], seed=seed) for seed in range(len(rates))]
        jobs = [job(model, rows=ROWS if seed % 3 else None, **asked[seed]) for seed, model in enumerate(models)]
        outcomes = train_together(jobs, threads=2)
        assert not lanes.force or max(one.group for one in jobs) > 1
        for seed, model in enumerate(models):
            twin = Model([4, 5, 3], seed=seed)
            data = (X[ROWS], Y[ROWS]) if seed % 3 else (X, Y)
            ended = None
            try:
                twin.fit(*data, **asked[seed])
            except DivergenceError as error:
                ended = error
            assert repr(outcomes[seed]) == repr(ended)
            assert told(model) == told(twin), (options, seed)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_each_model_ends_as_it_does_alone(threads, grouped, threaded):
    expected = [alone(make, options) for make, options in asks()]
    given = asks()
    models = [make() for make, _ in given]
    order = np.random.default_rng(threads).permutation(len(given))
    jobs = [job(models[k], **given[k][1]) for k in order]
    assert train_together(jobs, threads=threads) == [None] * len(jobs)
    for k, found in enumerate(map(told, models)):
        assert found == expected[k], asks()[k][1]


def test_jobs_may_be_made_in_their_turn():
    models = []

    def jobs():
        for seed in range(5):
            models.append(Model([4, 8, 3], seed=seed))
            yield job(models[-1], epochs=2)

    assert train_together(jobs(), threads=2) == [None] * 5
    assert [told(model) for model in models] == [
        alone(lambda seed=seed: Model([4, 8, 3], seed=seed), {"epochs": 2}) for seed in range(5)
    ]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 8},
        {"validation": 0.2, "early_stopping": 2},
        {"validation": HELD, "class_weight": "balanced"},
        {"sample_weight": np.linspace(0.1, 1, 60)},
    ],
    ids=str,
)  # fmt: skip
def test_rows_are_as_a_copy_of_them(options, threads, threaded):
    own = {name: value[ROWS] if name == "sample_weight" else value for name, value in options.items()}
    expected = alone(lambda: Model([4, 8, 3], seed=1), {"epochs": 4, **own}, X[ROWS], Y[ROWS])
    models = [Model([4, 8, 3], seed=1) for _ in range(2)]
    assert (
        train_together([job(model, rows=ROWS, epochs=4, **options) for model in models], threads=threads) == [None] * 2
    )
    assert [told(model) for model in models] == [expected] * 2


@pytest.mark.parametrize("rows", [[60], [-1], [], [0.5], [[1]], [True], None])
def test_wrong_rows_are_refused(rows):
    (found,) = train_together([job(Model([4, 3]), rows=rows, epochs=1)])
    assert (found is None) == (rows is None)
    assert rows is None or str(found).startswith("rows")


@pytest.mark.parametrize("threads", [1, 2])
def test_checkpoints_are_as_alone(threads, tmp_path, threaded):
    """Half of a fit, and then its checkpoint gone on with."""
    expected = alone(lambda: Model([4, 8, 3], seed=1), {"epochs": 8, "batch_size": 16})
    for end in (4, 8):
        models = [Model([4, 8, 3], seed=1) for _ in range(3)]

        def stops(info, end=end):
            return info.epoch == end

        jobs = [
            job(model, epochs=8, batch_size=16, checkpoint=tmp_path / str(k), checkpoint_every=2, resume=True, **(
                {"callback": stops} if end < 8 else {}
            )) for k, model in enumerate(models)
        ]  # fmt: skip
        assert train_together(jobs, threads=threads) == [None] * 3
        if end < 8:  # as if the process had been killed: the fit has not ended
            for model in models:
                assert model.epochs == 4
            for path in tmp_path.iterdir():
                path.unlink()
    assert [told(model)[1] for model in models] == [expected[1]] * 3


def test_resumed_fits_go_on():
    twin, models = Model([4, 8, 3], seed=1), [Model([4, 8, 3], seed=1) for _ in range(2)]
    for epochs, resume in ((3, False), (4, True)):
        options = {"epochs": epochs, "batch_size": 16, "optimizer": "adam", "resume": resume}
        twin.fit(X, Y, **options)
        train_together([job(model, **options) for model in models], threads=2)
    assert [told(model) for model in models] == [told(twin)] * 2


# ---------------------------------------------------------------------------------------------------------
# What goes wrong with one


@pytest.mark.parametrize("threads", [1, 2])
def test_what_ends_one_leaves_the_others(threads, threaded):
    bad = {
        "diverges": {"epochs": 30, "learning_rate": 1e200},
        "no options": {"epochs": 0},
        "no data": {"epochs": 2, "x": X[:, :2]},
        "one class too many": {"epochs": 2, "y": Y + 1},
        "raises": {"epochs": 3, "callback": lambda info: int("no number")},
    }
    expected = {}
    for name, options in bad.items():
        model, options = Model([4, 5, 3], seed=1), dict(options)
        with pytest.raises((ValueError, DivergenceError)) as caught:
            model.fit(options.pop("x", X), options.pop("y", Y), threads=1, **options)
        expected[name] = type(caught.value), str(caught.value), inside(model), getattr(model.history, "stopped", None)
    good = asks()[:6]
    fine, models = [make() for make, _ in good], {name: Model([4, 5, 3], seed=1) for name in bad}
    jobs = [job(model, **options) for model, (_, options) in zip(fine, good, strict=True)]
    for place, (name, options) in enumerate(bad.items()):
        jobs.insert(2 * place, job(models[name], **options))
    ended = {}
    outcomes = train_together(jobs, threads=threads, ended=ended.__setitem__)
    assert ended == dict(enumerate(outcomes))
    for place, (name, model) in enumerate(models.items()):
        found = outcomes[2 * place]
        assert (type(found), str(found), inside(model), getattr(model.history, "stopped", None)) == expected[name]
    assert sum(outcome is None for outcome in outcomes) == len(good)
    assert [told(model) for model in fine] == [alone(*ask) for ask in asks()[:6]]


@pytest.mark.parametrize("calls", [0, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_too_little_memory_for_a_group_is_enough_for_each(threads, calls, threaded, monkeypatch):
    """Buffers of a group are those of many models: where they are too large, each model has what it has alone."""
    options = {"epochs": 6, "batch_size": 16, "validation": HELD}
    expected = [alone(lambda seed=seed: Model([4, 5, 3], seed=seed), options) for seed in range(5)]
    made, steps = [], model_lanes.Group.steps

    def too_large(group):
        made.append(group)
        if len(made) > calls:
            raise MemoryError
        return steps(group)

    monkeypatch.setattr(model_lanes.Group, "steps", too_large)
    monkeypatch.setattr(lanes, "force", True)
    models = [Model([4, 5, 3], seed=seed) for seed in range(5)]
    jobs = [job(model, **options) for model in models]
    assert train_together(jobs, threads=threads) == [None] * 5
    assert len(made) > calls
    assert [told(model) for model in models] == expected
    assert [one.group for one in jobs] == [1] * 5


def test_warnings_say_of_which_job():
    model = Model([1, 1], output="identity", seed=1)
    jobs = [
        job(Model([1, 1], output="identity", seed=1), np.ones((4, 1)), np.ones(4), epochs=3, learning_rate=rate)
        for rate in (0.1, 3.0)
    ]
    with pytest.warns(DivergenceWarning, match=r"^job 1: training ended with a loss of") as caught:
        assert train_together(jobs) == [None, None]
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(DivergenceWarning) as of_one:
        model.fit(np.ones((4, 1)), np.ones(4), epochs=3, learning_rate=3.0)
    assert f"job 1: {of_one[0].message}" == str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = train_together(jobs[1:])
    assert isinstance(found, DivergenceWarning)


def test_a_model_of_two_jobs_is_refused():
    model, seed = Model([4, 3]), np.random.default_rng(1)
    with pytest.raises(ValueError, match=r"^job 2 has the model of job 0"):
        train_together([job(model, epochs=1), job(Model([4, 3]), epochs=1), job(model, epochs=1)])
    with pytest.raises(ValueError, match="the generator that is the seed of job 0"):
        train_together([job(Model([4, 3], seed=seed), epochs=1), job(Model([4, 3], seed=seed), epochs=1)])


@pytest.mark.parametrize("kind", [np.random.Generator, np.random.RandomState])
def test_generators_that_draw_from_one_source_are_refused(kind):
    source = np.random.MT19937(1)
    models = [Model([4, 3], seed=np.random.Generator(source)), Model([4, 3], seed=kind(source))]
    with pytest.raises(ValueError, match=r"^job 1 has the generator that is the seed of job 0"):
        train_together([job(model, epochs=1, batch_size=8) for model in models])


def test_a_model_that_trains_elsewhere_is_left_alone():
    busy, other = Model([4, 3], seed=1), Model([4, 3], seed=2)

    def call(info):
        found = train_together([job(busy, epochs=1), job(other, epochs=1)])
        assert isinstance(found[0], RuntimeError)
        assert found[1] is None

    busy.fit(X, Y, epochs=1, callback=call)
    assert other.epochs == 1


def test_a_callback_may_not_train_a_model_that_is_trained():
    first, second = Model([4, 3], seed=1), Model([4, 3], seed=2)
    calls = []

    def call(info):
        with pytest.raises(RuntimeError, match="while the model trains"):
            first.fit(X, Y, epochs=1)
        calls.append(threading.current_thread())

    train_together([job(first, epochs=2, callback=call), job(second, epochs=1)], threads=2)
    assert calls == [threading.main_thread()] * 2
    first.fit(X, Y, epochs=1)


# ---------------------------------------------------------------------------------------------------------
# What ends all


class Stop(Exception):
    """A class of the caller's own."""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, SystemExit, TimeoutError, type("Mine", (ValueError,), {})])
def test_other_exceptions_end_all(error, threads, threaded):
    def call(info):
        if info.epoch == 2:
            raise error

    models = [Model([4, 5, 3], seed=seed) for seed in range(6)]
    jobs = [job(model, epochs=4, callback=call if k == 2 else None) for k, model in enumerate(models)]
    with pytest.raises(error):
        train_together(jobs, threads=threads)
    assert models[2].epochs == 2
    word = "interrupted" if error is KeyboardInterrupt else f"{error.__name__} was raised"
    assert models[2].history.stopped == word
    for seed, model in enumerate(models):
        model.fit(X, Y, epochs=4 - model.epochs, resume=model.epochs > 0) if model.epochs < 4 else None
        assert inside(model) == alone(lambda seed=seed: Model([4, 5, 3], seed=seed), {"epochs": 4})[0]


def test_an_exception_as_an_answer_arrives_is_raised_at_once(threaded, monkeypatch):
    """The answer is lost, and nobody waits for another one."""
    lost = []

    class Queue(together.SimpleQueue):
        def get(self, **how):
            found = super().get(**how)
            if not lost:
                lost.append(found)
                raise Stop
            return found

    monkeypatch.setattr(together, "SimpleQueue", Queue)
    models = [Model([4, 5, 3], seed=seed) for seed in range(3)]
    began = time.monotonic()
    with pytest.raises(Stop):
        train_together([job(model, epochs=4) for model in models], threads=2)
    assert time.monotonic() - began < together.LONGEST / 3
    assert lost
    for seed, model in enumerate(models):
        model.fit(X, Y, epochs=4 - model.epochs, resume=model.epochs > 0)
        assert inside(model) == alone(lambda seed=seed: Model([4, 5, 3], seed=seed), {"epochs": 4})[0]


def changed_afterwards(monkeypatch):
    """Whether models change after an exception, while threads compute that nobody waits for."""
    monkeypatch.setattr(together._Many, "come_home", lambda many: None)
    models = [Model([4, 30, 3], seed=seed) for seed in range(2)]

    def stops(*_):
        if all(model.epochs for model in models):
            raise Stop

    with pytest.raises(Stop):
        train_together([job(model, epochs=10**6, batch_size=16) for model in models], threads=2, told=stops)
    left = [inside(model) for model in models]
    time.sleep(0.3)
    return [inside(model) for model in models] != left


def test_nothing_changes_after_an_exception(threaded, monkeypatch):
    assert not changed_afterwards(monkeypatch)


def test_changes_that_a_thread_makes_are_seen(threaded, monkeypatch):
    """The planted fault: a step's changes are made where it is computed."""
    computed = together._Member.computed

    def hasty(member, step):
        found = computed(member, step)
        member.fit.commit(found[1])
        return step, [partial(int)]

    monkeypatch.setattr(together._Member, "computed", hasty)
    assert any(changed_afterwards(monkeypatch) for _ in range(10))  # threads are at work at most of these moments


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_all_soon(threads):
    x = np.random.default_rng(1).standard_normal((2000, 30))
    y = np.arange(2000) % 3
    models = [Model([30, 50, 3], seed=seed) for seed in range(3)]
    waits = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    waits.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train_together([job(model, x, y, epochs=10**6, batch_size=100) for model in models], threads=threads)
    assert time.monotonic() - started < 5
    assert any(model.epochs for model in models)
    assert [model.history.stopped for model in models if model.epochs] == ["interrupted"] * sum(
        model.epochs > 0 for model in models
    )
    for seed, model in enumerate(models):
        if 0 < model.epochs < 2000:
            again = Model([30, 50, 3], seed=seed)
            again.fit(x, y, epochs=model.epochs, batch_size=100)
            assert inside(again) == inside(model)


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_thread_that_is_lost_is_made_up_for(moment, grouped, threaded, monkeypatch):
    options = {"epochs": 6, "batch_size": 16}
    expected = [alone(lambda seed=seed: Model([4, 5, 3], seed=seed), options) for seed in range(3)]
    monkeypatch.setattr(together, "LOOK", 0.02)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    task, struck = together._advance, []

    def lost(line, mark, answers):
        if len(struck) < 2:
            struck.append(moment)
            if moment == "before":
                raise SystemExit
            task(line, mark, answers)
            if moment == "within":
                raise SystemExit

            def dies():
                raise SystemExit

            return dies
        return task(line, mark, answers)

    monkeypatch.setattr(together, "_advance", lost)
    models = [Model([4, 5, 3], seed=seed) for seed in range(3)]
    assert train_together([job(model, **options) for model in models], threads=2) == [None] * 3
    assert [told(model) for model in models] == expected


@pytest.mark.parametrize("slow", [False, True])
def test_a_thread_that_never_begins_is_made_up_for(slow, grouped, threaded, monkeypatch):
    """Or that begins when nobody counts on it any more, as on a busy machine."""
    options = {"epochs": 6, "batch_size": 16}
    expected = [alone(lambda seed=seed: Model([4, 5, 3], seed=seed), options) for seed in range(3)]
    start, unborn = thread_pool._thread.start_new_thread, []

    def begins_late(*how):
        if len(unborn) >= 2:
            return start(*how)
        unborn.append(how)
        return start(lambda: (time.sleep(0.1), how[0](*how[1])), ()) if slow else 0

    monkeypatch.setattr(together, "LOOK", 0.02)
    monkeypatch.setattr(thread_pool, "_crew", thread_pool.Crew())
    monkeypatch.setattr(thread_pool._thread, "start_new_thread", begins_late)
    models = [Model([4, 5, 3], seed=seed) for seed in range(3)]
    assert train_together([job(model, **options) for model in models], threads=2) == [None] * 3
    assert [told(model) for model in models] == expected
    assert unborn


def test_an_exception_that_is_sent_into_a_thread_is_raised(threaded, own_helpers):
    """As by PyThreadState_SetAsyncExc, which may strike any thread."""
    struck, send = [], ctypes.pythonapi.PyThreadState_SetAsyncExc

    def strike(*_):
        for thread in own_helpers():
            if not struck:
                struck.append(send(ctypes.c_ulong(thread), ctypes.py_object(Stop)))

    models = [Model([4, 30, 3], seed=seed) for seed in range(3)]
    try:
        train_together([job(m, epochs=20_000, batch_size=16) for m in models], threads=2, told=strike)
    except Stop:
        pass
    for seed, model in enumerate(models):
        if 0 < model.epochs < 20_000:
            model.fit(X, Y, epochs=20_000 - model.epochs, batch_size=16, resume=True)
        if model.epochs:
            again = Model([4, 30, 3], seed=seed)
            again.fit(X, Y, epochs=20_000, batch_size=16)
            assert inside(again) == inside(model)


# ---------------------------------------------------------------------------------------------------------
# What it costs


def test_rows_are_checked_once(monkeypatch):
    from fastmlp.core import data

    seen = []
    monkeypatch.setattr(data, "features", lambda X, *_, of=data.features: seen.append("X") or of(X, *_))
    monkeypatch.setattr(data, "targets", lambda y, *_, of=data.targets: seen.append("y") or of(y, *_))
    models = [Model([4, 5, 3], seed=seed) for seed in range(5)]
    train_together([job(model, epochs=1, validation=HELD) for model in models])
    assert sorted(seen) == ["X", "X", "y", "y"]


def test_nothing_big_is_kept():
    x, y = np.random.default_rng(1).standard_normal((20_000, 4)), np.arange(20_000) % 3
    models = [Model([4, 5, 3], seed=seed) for seed in range(4)]
    options = {"epochs": 2, "validation": (x.astype(np.float32), y), "early_stopping": 2}

    def call():
        bad = [job(Model([4, 5, 3]), x, y, epochs=2, learning_rate=1e300)]
        return train_together([*(job(m, x.tolist(), y, **options) for m in models), *bad], threads=2)

    kept = call()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = call()
        after = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert after < 50_000
    assert isinstance(kept[-1], DivergenceError)


def test_a_model_s_copy_is_no_job_of_it():
    model = Model([4, 3])
    train_together([job(model, epochs=1), job(copy.copy(model), epochs=1)])
    assert model.epochs == 1
