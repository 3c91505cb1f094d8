"""Work done by threads of its own, so that those who wait for it may be interrupted at any moment.

Python runs the handlers of signals (Ctrl-C, alarms) in the main thread, between any two of its instructions, and what
a handler raises leaves a half-imported module or a closed lock behind. A thread that nobody else knows is never
interrupted. So whatever must not stop half-way runs in such a thread; the caller only waits, and holds nothing while
it does. Where no thread is to be had, the caller does the work itself.

The threads are made by `_thread`: `threading.Thread.start` waits on a lock in Python code, and an interrupt in it can
leave the new thread waiting for ever. They end when their queue is empty. A fork and the interpreter's exit wait for
what is being done, and for nothing that is still in a queue.
"""

from __future__ import annotations

import _thread
import atexit
import logging  # noqa: F401 (before what it asks of a fork, see below)
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from fastmlp.system import memory_limits

_LOOK = 0.5  # seconds after which who waits looks whether the thread has come to life
_LONGEST = 60  # seconds that a fork waits: should work in progress wait for a lock that the forking thread holds


def _in_child(forget: Callable[[], object]) -> None:
    """Has `forget` called in each forked child, where the threads are not."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


class Job:
    """A result to come, for any number of waiting threads."""

    def __init__(self, again: Callable[[], object] | None = None) -> None:
        """again: has the work begun once more, where a thread that an exception ended has lost it."""
        self._again = again
        self.done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._bells: deque[Any] = deque()

    def finish(self, value: Any = None, error: BaseException | None = None) -> None:
        if not self.done:
            self._value, self._error = value, error
            self.done = True
        while self._bells:  # whoever adds one later sees that it is done
            self._bells.popleft().release()

    def wait(self) -> Any:
        """The result, or raises what the work raised. An interrupt leaves nothing behind: the bell is its own."""
        if not self.done:
            bell = _thread.allocate_lock()
            bell.acquire()
            self._bells.append(bell)
            while not self.done and not bell.acquire(timeout=_LOOK):
                look()
                if self._again is not None and not (self.done or _ended or any(w.at_work for w in _workers)):
                    self._again()
        if self._error is not None:
            raise self._error
        return self._value


class Worker:
    """A queue of work, done in order by one thread at a time, which lives while there is any."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._taken: dict[str, tuple[int, object]] = {}  # by who works on the queue; `setdefault` decides between two
        self._busy: list[int] = []
        _workers.append(self)
        for lost in (self._queue, self._taken, self._busy):
            _in_child(lost.clear)

    @property
    def busy(self) -> bool:
        """Whether a piece of work is being done: by a thread that lives, as an exception may leave the mark behind."""
        return bool(self._busy) and not self._idle()

    @property
    def at_work(self) -> bool:
        """Whether there is work in the queue, or a living thread at it."""
        return bool(self._queue) or not self._idle()

    def put(self, work: Callable[[], None]) -> None:
        """Has it done soon. It raises nothing. Where no thread can be made, it is done before this returns."""
        self._queue.append(work)
        self.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """function(*arguments), done in the worker's thread. Inside of any worker's thread it is called as it is."""
        if inside():
            return function(*arguments)
        job = Job(lambda: self.put(work))

        def work() -> None:
            try:
                job.finish(function(*arguments))
            except BaseException as error:
                job.finish(error=error)

        self.put(work)
        return job.wait()

    def start(self) -> None:
        """Sees to it that what is in the queue is done."""
        if self._queue and self._idle():
            try:
                memory_limits.need(memory_limits.THREAD, "a thread")
                _thread.start_new_thread(self._run, ())
            except (RuntimeError, MemoryError):
                self._run()

    def _idle(self) -> bool:
        """Whether nobody works on the queue; nor seems to, after an interrupt of a caller who did the work itself."""
        taken = self._taken.get("by")
        own = taken is not None and taken[0] == _thread.get_ident() and not inside()
        if taken is not None and (own or taken[0] not in sys._current_frames()):  # or an exception ended it
            self._taken.pop("by", None)
            self._busy.clear()
            taken = None
        return taken is None

    def forget(self) -> None:
        """Drops what is in the queue."""
        self._queue.clear()

    def _run(self) -> None:
        here = _thread.get_ident()
        me = here, object()
        outer = _inside.setdefault(here, me)
        try:
            while self._queue and self._taken.setdefault("by", me) is me:
                try:
                    while self._queue:
                        self._next()
                finally:
                    self._taken.pop("by", None)
        finally:
            if outer is me:
                _inside.pop(here, None)

    def _next(self) -> None:
        self._busy.append(1)  # before it looks whether somebody forks, who looks at it afterwards
        try:
            if not _forking:
                self._queue.popleft()()  # nothing refers to it here: what it holds is gone before others think it is
        except IndexError:  # forgotten meanwhile
            pass
        finally:
            self._busy.clear()
        if _forking:
            time.sleep(0.001)


_workers: list[Worker] = []
_inside: dict[int, object] = {}  # threads that are at work
_forking: list[int] = []  # one for each thread that is about to fork
_forgotten: list[Callable[[], object]] = []
_ended: list[int] = []  # not empty when the interpreter exits: nothing is begun again


def look() -> None:
    """Starts a thread again that died at its birth, as for lack of memory."""
    for worker in _workers:
        worker.start()


def when_forgotten(forget: Callable[[], object]) -> None:
    """Has `forget` called when work in queues was dropped: in a forked child, and when the interpreter exits."""
    _forgotten.append(forget)
    _in_child(forget)


def inside() -> bool:
    """Whether this thread is a worker's: it must not wait for a worker."""
    return _thread.get_ident() in _inside


# ---------------------------------------------------------------------------------------------------------
# Fork and exit


def _before_fork() -> None:
    _forking.append(1)
    if inside():
        return
    caught: BaseException | None = None
    end = time.monotonic() + _LONGEST
    while any(worker.busy for worker in _workers) and time.monotonic() < end:
        try:
            time.sleep(0.001)
        except BaseException as error:  # a fork cannot be stopped, and its child would hang
            caught = error
    if caught is not None:
        raise caught  # Python prints it


if hasattr(os, "register_at_fork"):
    # A fork waits for what is being done, or locks of Numba, llvmlite and Python would stay closed in the child for
    # ever. It waits before it takes logging's lock, which Numba asks for: what is registered last comes first.
    # Afterwards there is no instruction of Python's in which it could be interrupted.
    os.register_at_fork(before=_before_fork, after_in_parent=_forking.pop)
    _in_child(_forking.clear)
    _in_child(_inside.clear)


@atexit.register
def _before_exit() -> None:
    """LLVM must not be at work when the process's memory is taken down: that crashes."""
    _ended.append(1)
    while True:
        for worker in _workers:
            worker.forget()
        if not any(worker.busy for worker in _workers):
            break
        try:
            time.sleep(0.001)
        except BaseException:  # Ctrl-C again: a second at most
            pass
    for forget in _forgotten:
        forget()
