"""Signals and exceptions at any moment: in short; tests/long/ has the long runs.

The first tests break the code on purpose: the storms must see it.
"""

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from long.bytecodes import storm as bytecodes
from long.signals import storm as signals
from models import in_another_process
from storms import Bolt, Fitting, Reading, events, scenarios, strike

from fastmlp import Model
from fastmlp.engine import team as teams
from fastmlp.fit import fit as fitting
from fastmlp.system import atomic, thread_pool

EVERY = 251  # bytecodes: each is struck in the long run

NAMES = tuple(scenarios("."))


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_at_any_bytecode(name, tmp_path):
    count, struck, wrong = bytecodes(name, scenarios(tmp_path)[name], EVERY)
    assert not wrong, "\n".join(wrong)
    assert struck >= count // EVERY


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
def test_signals_at_random_moments():
    counts, wrong = signals(25, seed=int(time.time()))
    assert not wrong, "\n".join(wrong)
    assert counts["sent"] == 25
    assert counts["cut a call short"] > 0


# ---------------------------------------------------------------------------------------------------------
# The storms see what they are there for


def failures(scenario, function):
    """What goes wrong after an exception at each bytecode of a function of this name, up to the first failure."""
    places = [n for n, name in enumerate(events(scenario)) if name == function]
    assert places
    for n in places:
        try:
            strike(scenario, n)
        except AssertionError as error:
            return [str(error)]
    return []


def test_changes_one_after_the_other_are_seen(monkeypatch):
    def one_by_one(changes):
        found = []
        for change in changes:
            found.append(change())
        return found

    monkeypatch.setattr(atomic, "together", one_by_one)
    for module in ("core.network", "history", "engine.reference_backend", "engine.numba_backend"):
        monkeypatch.setattr(f"fastmlp.{module}.together", one_by_one)
    one_by_one.__code__ = one_by_one.__code__.replace(co_filename=fitting.__file__)  # the package's own
    assert failures(Fitting([3, 4, 2], 40, 2, batch_size=16, optimizer="adam"), "one_by_one")


def test_a_model_that_stays_busy_is_seen(monkeypatch):
    monkeypatch.setattr("fastmlp.system.busy.Use.is_going_on", lambda self: not self._over)
    assert failures(Fitting([3, 4, 2], 40, 2), "fit")


def test_a_file_left_open_is_seen(tmp_path, monkeypatch):
    def leaky(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        os.close(descriptor)

    leaky.__code__ = leaky.__code__.replace(co_filename=fitting.__file__)
    monkeypatch.setattr("fastmlp.storage.whole_files._sync_folder", leaky)
    if os.path.isdir("/proc/self/fd"):
        assert any("left open" in text for text in failures(scenarios(tmp_path)["save"](), "leaky"))


def test_other_bits_are_seen():
    scenario = Reading([3, 4, 2], 3000, "predict_proba", threads=2)
    scenario.expected = b"other bits"
    assert failures(scenario, "predict_proba")


# ---------------------------------------------------------------------------------------------------------
# The moments at which a helper used to be left behind

X = np.random.default_rng(0).standard_normal((60_000, 8))
Y = np.arange(1536) % 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
@pytest.mark.parametrize("moment", ["before the kernel", "after the kernel"])
@pytest.mark.parametrize("what", ["fit", "predict"])
def test_ctrl_c_around_a_kernel_of_several_threads(what, moment):
    script = f"""
import os, signal, numpy as np
from fastmlp import Model
from fastmlp.system import thread_pool
from fastmlp.engine import team
from fastmlp.engine import row_pieces
from fastmlp.engine import doors
x = np.random.default_rng(0).standard_normal((60000, 8)); y = np.arange(1536) % 2
what, moment = {what!r}, {moment!r}
model = Model([8, 64, 64, 2], seed=1)
def call():
    if what == "fit":
        made = Model([8, 16, 2], seed=1)
        made.fit(x[:1536], y, epochs=3, threads=2)
        return made.digest()
    return model.predict_proba(x, threads=2).tobytes()
expected = call()
sent = []
def send():
    sent.append(1)
    os.kill(os.getpid(), signal.SIGINT)
real_help, real_left = thread_pool.Crew.help, doors.Doors.left
def help(self, tasks):
    real_help(self, tasks)
    if moment == "before the kernel" and not sent:
        send()
def left(self):
    if moment == "after the kernel" and not sent:
        send()
    return real_left(self)
thread_pool.Crew.help, doors.Doors.left = help, left
try:
    call()
except KeyboardInterrupt:
    print("interrupted", len(sent))
print(sum(call() == expected for _ in range(50)))
"""
    assert in_another_process(script).split() == ["interrupted", "1", "50"]


def test_an_exception_in_a_helper_is_no_concern_of_the_caller(own_helpers):
    """Sent into its thread, which ends by it; another one takes its place."""
    import ctypes

    model = Model([8, 64, 64, 2], seed=1)
    expected = model.predict_proba(X, threads=2).tobytes()
    ended, before = [], sys.unraisablehook
    sys.unraisablehook = lambda what: ended.append(what.exc_type)
    try:
        for _ in range(20):
            for thread in own_helpers():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(RuntimeError))
            assert model.predict_proba(X, threads=2).tobytes() == expected
    finally:
        sys.unraisablehook = before
    assert ended
    assert set(ended) == {RuntimeError}


def test_a_late_helper_finds_its_door_closed(monkeypatch):
    """A helper that comes when the call is over touches nothing, though the next call uses the same plan."""
    held = []
    monkeypatch.setattr(thread_pool.Crew, "help", lambda self, tasks: held.extend(tasks))
    made = Model([8, 16, 2], seed=1)
    alone = Model([8, 16, 2], seed=1)
    alone.fit(X[:1536], Y, epochs=4, threads=1)
    real = teams.Team.train

    def train(team, batches):
        ended = real(team, batches)
        for task in held:
            task()  # in this very thread: it returns at once
        return ended

    monkeypatch.setattr(teams.Team, "train", train)
    made.fit(X[:1536], Y, epochs=4, threads=2)
    assert held
    assert made.digest() == alone.digest()


# ---------------------------------------------------------------------------------------------------------
# A model's one use at a time


def test_a_model_that_another_thread_trains_says_so():
    model, errors, started, go_on = Model([2, 3, 2]), [], threading.Event(), threading.Event()

    def wait(info):
        started.set()
        go_on.wait(30)

    x, y = [[0.0, 1.0], [1.0, 0.0]] * 10, [0, 1] * 10
    other = threading.Thread(target=lambda: model.fit(x, y, epochs=1, callback=wait))
    other.start()
    started.wait(30)
    for call in (lambda: model.fit(x, y, epochs=1), lambda: model.set_weights(model.weights)):
        try:
            call()
        except RuntimeError as error:
            errors.append(str(error))
    go_on.set()
    other.join()
    assert ["another thread" in text for text in errors] == [True, True]
    model.fit(x, y, epochs=1)  # and now it may


def test_one_of_many_threads_that_fit_a_model_does():
    """Each either trains or is refused: the model is as after so many fits as have trained."""
    x, y = X[:200], Y[:200]
    for _ in range(20):
        model, done, refused, start = Model([8, 4, 2]), [], [], threading.Barrier(4)

        def fit(model=model, done=done, refused=refused, start=start):
            start.wait()
            try:
                model.fit(x, y, epochs=3, threads=1)
                done.append(1)
            except RuntimeError:
                refused.append(1)

        fitters = [threading.Thread(target=fit) for _ in range(4)]
        for fitter in fitters:
            fitter.start()
        for fitter in fitters:
            fitter.join()
        assert len(done) + len(refused) == 4
        alone = Model([8, 4, 2])
        for _ in done:
            alone.fit(x, y, epochs=3, threads=1)
        assert model.digest() == alone.digest()


@pytest.mark.parametrize("layers", [[8, 4, 2], [8, 300, 2]])
def test_a_prediction_while_another_thread_trains_is_of_one_moment(layers):
    """Of an epoch's end: here each epoch's outputs are known before."""
    x, y, epochs = X[:200], Y[:200], 60
    known = set()
    alone = Model(layers)
    known.add(alone.predict_proba(x).tobytes())
    alone.fit(x, y, epochs=epochs, callback=lambda info: known.add(alone.predict_proba(x).tobytes()) and None)
    model, over = Model(layers), threading.Event()
    seen, loaded = set(), []

    def watch():
        while not over.is_set():
            seen.add(model.predict_proba(x).tobytes())
            loaded.append(model.digest())

    watcher = threading.Thread(target=watch)
    watcher.start()
    model.fit(x, y, epochs=epochs, callback=lambda info: time.sleep(0.001))
    over.set()
    watcher.join()
    assert len(seen) > 2
    assert seen <= known


def test_a_bolt_strikes_where_it_should():
    model = Model([2, 3, 2])
    with Bolt(None) as counted:
        model.predict([[0.0, 1.0]])
    assert counted.seen > 50
    with pytest.raises(signal.ItimerError), Bolt(20, signal.ItimerError) as bolt:
        model.predict([[0.0, 1.0]])
    assert bolt.place
