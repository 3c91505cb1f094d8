"""Several threads at one training: the same bits, whatever their number, and no thread waits for ever."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from models import figures, inside, learner, problem, said
from trainings import Problem, assert_same_result, finish

from fastmlp import Adam, Model
from fastmlp.engine import numba_backend, thread_tuner
from fastmlp.engine.buffers import Workspace
from fastmlp.engine.thread_tuner import Pace, pace_of
from fastmlp.system import thread_pool
from fastmlp.training import Training

COUNTS = (2, 3, 7)


def train(problem, pass_name, count, weights=None, **asked):
    training = Training(3, **{"learning_rate": 0.1, "batch_size": len(problem.x), "record_every": 1, **asked})
    return finish(
        numba_backend.train, problem, Training(**{**vars(training), "threads": count}), weights, pass_name=pass_name
    )


CASES = {  # (layers, hidden, rows, fields of the Training)
    "two chunks": ([2, 8, 8, 2], "relu", 700, {}),
    "many chunks": ([3, 5, 2], "tanh", 5001, {}),
    "fewer rows than threads": ([3, 9, 4], "relu", 3, {}),
    "one chunk": ([17, 40, 33, 3], ["relu", "gelu"], 500, {}),
    "mini-batches": ([5, 40, 3], "relu", 1300, {"batch_size": 600, "order": 3}),
    "spans": ([5, 33, 3], "silu", 2300, {}),
    "dropout, adam": ([5, 40, 9, 3], "elu", 1300, {"dropout": (0.4, 0.2), "dropout_seed": 1, "optimizer": Adam()}),
    "wide": ([9, 330, 310, 3], "relu", 40, {}),  # whose update is shared
}


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("pass_name", ["streamed", "layered"])
@pytest.mark.parametrize("name", CASES)
def test_any_number_of_threads_gives_the_same_bits(name, pass_name, dtype, weighed):
    layers, hidden, rows, asked = CASES[name]
    problem = Problem.make(1, layers, rows, hidden, "softmax", None, dtype)
    weights = (np.arange(rows) % 3).astype(dtype) if weighed else None
    alone = train(problem, pass_name, 1, weights, **asked)
    for count in COUNTS:
        assert_same_result(train(problem, pass_name, count, weights, **asked), alone)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_callback_ends_it_after_some_calls(threads, monkeypatch):
    """Its steps are closed then, after a team has trained."""
    monkeypatch.setattr(numba_backend, "CALL_SECONDS", 1e-9)
    task = Problem.make(2, [5, 40, 3], 2600)
    model, seen = Model([5, 40, 3], seed=1), []
    asked = dict(epochs=30, learning_rate=0.1, threads=threads, callback=lambda info: seen.append(1) or len(seen) == 20)
    history = model.fit(task.x, task.y, **asked)
    assert len(history) == 20
    model.fit(task.x, task.y, **{**asked, "epochs": 3}, resume=True)


def test_who_came_is_counted(monkeypatch):
    """By which the tuner tells a call of several threads from one of one."""
    helped = []
    monkeypatch.setattr(Pace, "saw", lambda self, by_team, *rest: helped.append(by_team))
    monkeypatch.setattr(numba_backend, "CALL_SECONDS", 1e-9)
    for _ in range(100):  # a busy machine's helper may come late
        train(Problem.make(2, [5, 40, 3], 2600), "streamed", 2)
        if any(helped):
            break
    assert any(helped)


def test_a_member_that_does_nothing_is_seen(monkeypatch):
    """The check of the bits fails where a member's part is left out."""
    from fastmlp.kernels import plan as at

    problem = Problem.make(1, [3, 5, 2], 3000, "tanh", "softmax", None, "float64")
    alone = train(problem, "streamed", 1)
    make = numba_backend.team_of

    def lazy(workspace, *arguments):
        team = make(workspace, *arguments)
        team._plans[0][at.CHUNK_SUMS] = workspace.floats(6 * workspace.size)  # nobody sees its chunks
        return team

    monkeypatch.setattr(numba_backend, "team_of", lazy)

    def until_a_helper_comes():  # one that has no core for 2 ms is not waited for
        for _ in range(200):
            assert_same_result(train(problem, "streamed", 2), alone)

    with pytest.raises(AssertionError):
        until_a_helper_comes()


@pytest.mark.parametrize("batch_size", [None, 700])
def test_fit_with_threads(batch_size):
    draws = np.random.default_rng(0)
    x, y = draws.normal(size=(3000, 6)), draws.integers(0, 3, 3000)
    found = []
    for count in (None, 1, *COUNTS):
        model = Model([6, 40, 3], seed=2)
        history = model.fit(x, y, epochs=4, batch_size=batch_size, threads=count, optimizer="adam", validation=0.2)
        found.append((inside(model), figures(history)))
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0, ValueError, ["threads=0"]),
        (-1, ValueError, ["threads=-1"]),
        (2.5, TypeError, ["threads=2.5"]),
        (True, TypeError, ["threads=True"]),
        ("2", TypeError, ["threads='2'"]),
        (257, ValueError, ["threads=257", "256", "cores"]),
    ],
)
def test_numbers_of_threads_that_are_none(value, error, words):
    model = learner()
    before = inside(model)
    message = said(error, model.fit, *problem(), epochs=1, threads=value)
    for word in words:
        assert word in message
    assert inside(model) == before


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "1000"])
def test_the_environments_number(value, monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", value)
    message = said(ValueError, learner().fit, *problem(), epochs=1)
    for word in (f"FASTMLP_NUM_THREADS='{value}'", "unset"):
        assert word in message


def test_the_environment_gives_way_to_the_argument(monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", "3")
    asked = []
    monkeypatch.setattr(
        numba_backend, "members", lambda workspace, training: asked.append(training.threads) or (1, True)
    )
    learner().fit(*problem(), epochs=1)
    learner().fit(*problem(), epochs=1, threads=2)
    monkeypatch.delenv("FASTMLP_NUM_THREADS")
    learner().fit(*problem(), epochs=1)
    assert asked == [3, 2, None]


# ---------------------------------------------------------------------------------------------------------
# Whether they pay


def paced(speeds, calls, seconds=0.05):
    """What a Pace decides for each call, where a row takes speeds[together] seconds."""
    tried, found = Pace((2, False)), []
    for _ in range(calls):
        found.append(tried.helps(short=False))
        tried.saw(found[-1], round(seconds / speeds[found[-1]]), seconds)
    return found


def test_the_faster_way_is_taken():
    assert paced({False: 2e-6, True: 1e-6}, 8) == [False, True, True, True, True, True, True, True]
    assert paced({False: 1e-6, True: 3e-6}, 8) == [False, True, False, False, False, False, False, False]
    assert sum(paced({False: 1e-6, True: 3e-6}, 160)) == 10  # one in 16 tries again
    assert paced({False: 2e-6, True: 1e-6}, 50, seconds=0.01) == [False] * 50  # too short to tell


def test_who_has_to_use_threads_does():
    forced = Pace((3, True))
    for _ in range(40):
        assert forced.helps(short=True)
        forced.saw(True, 1000, 9.0)
    assert not Pace((1, True)).helps(short=False)


def test_the_next_training_knows(monkeypatch):
    """But for its first call, which is too short for a team."""
    monkeypatch.setattr(thread_tuner, "_paces", {})
    problem = Problem.make(1, [3, 40, 3], 3000, "relu", "softmax", None, "float64")
    made = Workspace(problem.spec, "streamed", 3000)
    first = pace_of(made, (2, False))
    for together, speed in ((False, 2e-6), (True, 1e-6)):
        first.saw(together, 50_000, 50_000 * speed)
    again = pace_of(made, (2, False))
    assert (again.helps(short=True), again.helps(short=False)) == (False, True)
    assert not pace_of(made, (3, False)).helps(short=False)  # another team has to find out


# ---------------------------------------------------------------------------------------------------------
# Threads, processes, Ctrl-C


def large():
    draws = np.random.default_rng(0)
    return draws.normal(size=(6000, 6)), draws.integers(0, 3, 6000)


def test_two_threads_train_at_once():
    """The crew is one's; the other goes on alone. Both give what each would by itself."""
    x, y = large()
    alone = Model([6, 40, 3], seed=2)
    alone.fit(x, y, epochs=40, threads=1)
    models = [Model([6, 40, 3], seed=2) for _ in range(3)]
    runners = [threading.Thread(target=m.fit, args=(x, y), kwargs={"epochs": 40, "threads": 2}) for m in models]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert {model.digest() for model in models} == {alone.digest()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_has_threads_of_its_own():
    x, y = large()
    model = Model([6, 40, 3], seed=2)
    model.fit(x, y, epochs=3, threads=2)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            other = Model([6, 40, 3], seed=2)
            other.fit(x, y, epochs=3, threads=2)
            os.write(writing, other.digest().encode())
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 100).decode() == model.digest()


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from fastmlp import Model
from fastmlp.engine.thread_tuner import Pace, pace_of
from fastmlp.engine.buffers import Workspace
draws = np.random.default_rng(0)
x, y = draws.normal(size=(6000, 6)), draws.integers(0, 3, 6000)
model = Model([6, 40, 3], seed=2)
model.fit(x, y, epochs=1, threads=2)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
started = time.perf_counter()
try:
    model.fit(x, y, epochs=10**9, threads=2)
except KeyboardInterrupt:
    print("interrupted", time.perf_counter() - started < 60, model.history.stopped)
again = Model([6, 40, 3], seed=2)
again.fit(x, y, epochs=3, threads=2)
once = Model([6, 40, 3], seed=2)
once.fit(x, y, epochs=3, threads=1)
print(again.digest() == once.digest())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
def test_ctrl_c_ends_a_team():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], env=environment, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("interrupted True interrupted\nTrue\n", "")


# ---------------------------------------------------------------------------------------------------------
# The crew


def until(condition):
    """Waits for what another thread does."""
    for _ in range(5000):
        if condition():
            return True
        time.sleep(0.002)
    return False


def native_threads():
    return len(os.listdir("/proc/self/task"))


def test_a_crew_does_what_it_is_given():
    crew, done = thread_pool.Crew(), []
    crew.help([lambda: done.append(1), lambda: done.append(2)])
    assert until(lambda: len(done) == 2 and len(crew._idle) == 2)
    first = set(crew._idle)
    crew.help([lambda: done.append(3)])
    assert until(lambda: len(done) == 3 and len(crew._idle) == 2)
    assert set(crew._idle) == first  # the same threads


def test_a_crew_that_is_busy_helps_nobody_else():
    crew, done, over = thread_pool.Crew(), [], threading.Event()
    crew.help([over.wait])
    crew.help([lambda: done.append(1)])
    over.set()
    assert until(lambda: len(crew._idle) == 1)
    assert done == []


def test_a_thread_whose_task_fails_is_never_used_again(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))
    crew, done = thread_pool.Crew(), []
    crew.help([lambda: 1 / 0])
    assert until(lambda: told == [ZeroDivisionError])
    crew.help([lambda: done.append(1)])
    assert until(lambda: done == [1])


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="this system does not list a process's threads")
def test_a_thread_ends_with_its_handle():
    """As where an exception comes between its being taken and its being given a task."""
    before = native_threads()
    crew = thread_pool.Crew()
    crew.help([lambda: None] * 3)
    assert until(lambda: len(crew._idle) == 3)
    assert native_threads() == before + 3
    lost = crew._free(3)
    assert native_threads() == before + 3
    del lost
    assert until(lambda: native_threads() == before + 2)
    crew._idle.clear()
    assert until(lambda: native_threads() == before)


def test_no_thread_to_be_had_means_one(monkeypatch):
    x, y = large()
    alone = Model([6, 40, 3], seed=2)
    alone.fit(x, y, epochs=3, threads=1)

    def none(*_):
        asked.append(1)
        raise RuntimeError("can't start new thread")

    asked = []
    monkeypatch.setattr(thread_pool, "_crew", thread_pool.Crew())
    monkeypatch.setattr(thread_pool._thread, "start_new_thread", none)
    model = Model([6, 40, 3], seed=2)
    model.fit(x, y, epochs=3, threads=2)
    assert asked
    assert model.digest() == alone.digest()
    assert model.predict_proba(x, threads=3).tobytes() == alone.predict_proba(x, threads=1).tobytes()
    assert model.evaluate(x, y, threads=3) == alone.evaluate(x, y, threads=1)


def test_a_handler_that_does_not_raise_costs_no_batch():
    """Also where a team's pass updates the weights itself: what looks for Ctrl-C must not have it done twice."""
    x, y = np.random.default_rng(0).normal(size=(1500, 200)), np.random.default_rng(1).integers(0, 10, 1500)

    def trained():
        model = Model([200, 512, 10], seed=3, dtype="float32")
        model.fit(x, y, epochs=12, batch_size=128, threads=2)
        return [w.tobytes() for w, _ in model.weights]

    alone, hits, ended = trained(), [], threading.Event()

    def press():
        while not ended.wait(0.005):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, lambda *_: hits.append(1))
    presser = threading.Thread(target=press)
    try:
        presser.start()
        assert trained() == alone
    finally:
        ended.set()
        presser.join()
        signal.signal(signal.SIGINT, before)
    assert hits
