"""Work in threads of its own: who waits for it may be interrupted at any moment, and nothing is harmed."""

import _thread
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from models import in_another_process

import fastmlp
from fastmlp.jit import cache, compilation
from fastmlp.jit.loader import Loader
from fastmlp.kernels import registry
from fastmlp.system import background, cpu, memory_limits

PACKAGE = str(Path(fastmlp.__file__).parent)
KERNEL = ("layout.scatter", "float64")


def in_time(function, *arguments, seconds=60):
    """What another thread gets from function(...), which must not hang."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*arguments)), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"{function} hangs"
    return found[0]


def idle(seconds=60):
    """Waits until all workers are."""
    end = time.monotonic() + seconds
    while any(worker.busy or worker._taken or worker._queue for worker in background._workers):
        assert time.monotonic() < end, "a worker hangs"
        time.sleep(0.001)


# ---------------------------------------------------------------------------------------------------------
# Workers


def test_work_is_done_in_order_in_one_thread_that_ends():
    worker, done, gate = background.Worker(), [], threading.Event()
    worker.put(gate.wait)
    for number in range(100):
        worker.put(lambda number=number: done.append((number, _thread.get_ident())))
    gate.set()
    idle()
    assert [number for number, _ in done] == list(range(100))
    assert {thread for _, thread in done} & {_thread.get_ident()} == set()
    assert len({thread for _, thread in done}) == 1
    assert worker.call(len, "four") == 4


def test_many_threads_put_work_and_none_is_lost():
    worker, done = background.Worker(), []

    def put():
        for _ in range(300):
            worker.put(lambda: done.append(1))
            worker.call(int)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    idle()
    assert len(done) == 8 * 300


def test_what_work_raises_reaches_each_who_waits():
    gate, job, worker, caught = threading.Event(), background.Job(), background.Worker(), []

    def work():
        gate.wait()
        job.finish(error=ZeroDivisionError("once"))

    def wait():
        try:
            job.wait()
        except ZeroDivisionError as error:
            caught.append(str(error))

    worker.put(work)
    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(60)
    assert caught == ["once"] * 5
    with pytest.raises(SystemExit, match="3"):
        worker.call(sys.exit, 3)
    assert worker.call(int, "3") == 3


def test_a_worker_may_call_workers():
    """Itself too: whoever is asked inside of a thread that works does it there."""
    one, other = background.Worker(), background.Worker()
    assert one.call(lambda: one.call(lambda: other.call(background.inside)))
    assert not background.inside()


@pytest.mark.parametrize("lacking", ["thread", "memory"])
def test_without_threads_the_caller_works(lacking, monkeypatch):
    def none(*_):
        raise (RuntimeError if lacking == "thread" else MemoryError)("none is left")

    if lacking == "thread":
        monkeypatch.setattr(_thread, "start_new_thread", none)
    else:
        monkeypatch.setattr(memory_limits, "need", none)
    assert background.Worker().call(_thread.get_ident) == _thread.get_ident()
    assert not background.inside()
    monkeypatch.undo()
    with monkeypatch.context() as patched:
        patched.setattr(_thread, "start_new_thread", none if lacking == "thread" else _thread.start_new_thread)
        assert Loader(registry._find).address(*KERNEL)
    idle()


def test_a_thread_that_dies_at_its_birth_is_replaced(monkeypatch):
    """As for lack of memory: Python then prints an error and forgets it."""
    started = _thread.start_new_thread
    born = []

    def dead_at_first(function, arguments):
        born.append(1)
        return started(function if len(born) > 1 else int, arguments)

    monkeypatch.setattr(_thread, "start_new_thread", dead_at_first)
    assert in_time(background.Worker().call, len, "four") == 4
    assert len(born) == 2


# ---------------------------------------------------------------------------------------------------------
# Interrupts


class Stop(BaseException):
    """What a handler of a signal may raise."""


def stopped_at(place, run, *arguments):
    """Runs until the given number of instructions of this package were executed, then raises. -> whether it did."""
    left = place

    def each(frame, event, _):
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == 0:
                raise Stop
        return each

    kept = sys.gettrace()
    sys.settrace(lambda frame, *_: each if frame.f_code.co_filename.startswith(PACKAGE) else None)
    try:
        run(*arguments)
    except Stop:
        return True
    finally:
        sys.settrace(kept)
    assert left > 0
    return False


@pytest.mark.parametrize("cached", [True, False])
def test_an_interrupt_between_any_two_instructions_of_loading_harms_nothing(cached, monkeypatch):
    """The next caller, in this thread and in others, gets the kernel; and no worker is still running."""
    codes = {
        dtype: compilation.compile_function(*registry._find("layout.scatter", dtype))
        for dtype in ("float64", "float32")
    }
    compiled = []
    monkeypatch.setattr(cache, "read", lambda name, dtype: codes[dtype] if cached else None)
    monkeypatch.setattr(cache, "write", lambda *_: None)
    monkeypatch.setattr(compilation, "begin", lambda function, _: lambda: compiled.append(1) or codes["float64"])
    place, stopped = 1, True
    while stopped:
        found = Loader(registry._find)

        def run(found=found):
            found.begin(*KERNEL)
            return found.address(*KERNEL), cached and found.address("layout.scatter", "float32")

        stopped = stopped_at(place, run)
        other = in_time(run)
        assert run() == other
        idle()
        assert not found.loading
        assert not background.inside()
        place += 1
    assert place > 100
    assert len(compiled) == (0 if cached else place - 1)


def test_an_interrupt_between_any_two_instructions_of_a_call_harms_nothing(monkeypatch):
    place, stopped = 1, True
    while stopped:
        monkeypatch.setattr(registry, "_functions", {})

        def run():
            cpu.target.cache_clear()
            return (
                cpu.target(),
                registry.function(*KERNEL, ("Floats", "Int", "Int", "Int", "Floats", "Int")),
                len(registry.load_all()),
            )

        stopped = stopped_at(place, run)
        assert in_time(run)[0] == run()[0]
        idle()
        place += 1
    assert place > 100


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_signals_while_kernels_compile():
    """An alarm whose handler raises, again and again, from the first import on; at last all is as if there was none."""
    script = """
import gc, signal, sys, time
import numpy as np
class Stop(BaseException): pass
def stop(*_): raise Stop
from fastmlp import Model
before = gc.get_threshold(), sys.getswitchinterval()
x, y = np.eye(4), [0, 1, 1, 0]
def train():
    model = Model([4, 3, 2], seed=1)
    model.fit(x, y, epochs=3, batch_size=2)
    return model.digest()
signal.signal(signal.SIGALRM, stop)
stops = 0
for delay in range(1, 100):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05 * delay, 0.05 * delay)  # one raised in a __del__ is lost
        try:
            train()
            break
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except Stop:
        stops += 1
from fastmlp.system import background
import numba
assert stops > 2, stops
first = train()
while any(worker.busy for worker in background._workers): time.sleep(0.01)
assert (gc.get_threshold(), sys.getswitchinterval(), numba.config.DISABLE_JIT) == (*before, 0)
assert numba.njit(lambda a: a + 1)(2) == 3
model = Model([4, 3, 2], seed=1, backend="reference")
model.fit(x, y, epochs=3, batch_size=2)
print(first == model.digest(), stops)
"""
    with tempfile.TemporaryDirectory() as place:
        assert in_another_process(script, FASTMLP_CACHE_DIR=place).split()[0] == "True"


def test_an_exception_into_the_calling_thread_while_it_compiles():
    """As by a watchdog of time limits (PyThreadState_SetAsyncExc)."""
    script = """
import ctypes, sys, threading, time
from fastmlp.jit import compilation
from fastmlp.system import background
from fastmlp.kernels import registry
class Stop(BaseException): pass
caught, begun, go, real = [], threading.Event(), threading.Event(), compilation.begin
compilation.begin = lambda *asked: begun.set() or go.wait(60) and real(*asked)  # it goes on when the exception is there
def load():
    try:
        registry.address("layout.scatter", "float64")
    except Stop:
        caught.append(1)
thread = threading.Thread(target=load)
thread.start()
# A thread that is being born has its maker's identity, and would get the exception
begun.wait(60)
while sys._current_frames()[thread.ident].f_code is not background.Job.wait.__code__:
    time.sleep(0.001)
ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
thread.join(60)
go.set()
address = registry.address("layout.scatter", "float64")
print(address == registry.address("layout.scatter", "float64"), len(registry._addresses), caught)
"""
    with tempfile.TemporaryDirectory() as place:
        assert in_another_process(script, FASTMLP_CACHE_DIR=place).split() == ["True", "1", "[1]"]


def test_a_mark_of_a_thread_that_has_ended_is_no_mark():
    """As an exception leaves it that ends a worker's thread between two of its instructions."""
    worker = background.Worker()
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    worker._taken["by"] = dead.ident, object()
    worker._busy.append(1)
    found = []
    thread = threading.Thread(target=lambda: found.append(worker.call(lambda: 7)), daemon=True)
    thread.start()
    thread.join(20)
    assert found == [7]
    assert not worker.busy
    worker._busy.append(1)  # left behind right before the work: the interpreter's exit and forks wait for who is busy
    assert not worker.busy


def test_nothing_is_begun_again_while_the_interpreter_exits(monkeypatch):
    monkeypatch.setattr(background, "_ended", [1])
    begun = []
    job = background.Job(lambda: begun.append(1))
    thread = threading.Thread(target=job.wait, daemon=True)
    thread.start()
    time.sleep(3 * background._LOOK)
    assert not begun
    background._ended.clear()
    while not begun:
        time.sleep(0.01)
    job.finish(1)
    thread.join(20)
    assert not thread.is_alive()


def test_work_that_was_lost_is_begun_again():
    worker, found = background.Worker(), []
    real = worker._queue
    lost = []

    class Losing(type(real)):
        def popleft(self):
            work = super().popleft()
            if not lost:
                lost.append(work)
                raise SystemExit  # as an exception sent to the thread, right after it took the work
            return work

    worker._queue = Losing()
    thread = threading.Thread(target=lambda: found.append(worker.call(lambda: 7)), daemon=True)
    thread.start()
    thread.join(20)
    assert lost
    assert found == [7]


def test_an_interrupt_while_a_fork_waits_is_told(monkeypatch):
    """The fork waits on, and then Python prints it; the work is not waited for without an end."""
    busy = [1]
    monkeypatch.setattr(background, "_workers", [type("Busy", (), {"busy": property(lambda self: bool(busy))})()])
    monkeypatch.setattr(background, "_forking", [])

    def interrupted(_):
        busy.clear()
        raise KeyboardInterrupt

    monkeypatch.setattr(background.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        background._before_fork()
    assert background._forking == [1]
