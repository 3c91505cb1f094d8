"""Work in threads of its own, so that a caller who waits for it may be interrupted at any moment.

Python runs signal handlers (Ctrl-C, alarms) in the main thread, between any two bytecodes. What a handler raises can
leave a half-imported module or a closed lock behind. A thread that nobody else knows is never interrupted. So work that
must not stop half-way runs in such a thread. The caller only waits, and holds nothing meanwhile. If no thread can be
started, the caller does the work itself.

The threads are started by `_thread`: `threading.Thread.start` waits on a lock in Python code, and an interrupt there
can leave the new thread waiting for ever. A thread ends when its queue is empty. A fork and the interpreter's exit wait
for work in progress, and not for what is still in a queue.
"""

from __future__ import annotations

import _thread
import atexit
import logging  # noqa: F401 (registers its fork handlers before ours, see below)
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from fastmlp.system import memory_limits

_LOOK = 0.5  # seconds after which a waiting caller checks that the thread is alive
_LONGEST = 60  # seconds that a fork waits at most: work in progress may need a lock that the forking thread holds


def _in_child(forget: Callable[[], object]) -> None:
    """Registers a function to be called in each forked child, where the threads do not exist."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


class Job:
    """A future result, for any number of waiting threads."""

    def __init__(self, again: Callable[[], object] | None = None) -> None:
        """again: starts the work once more, if a thread that an exception ended has lost it."""
        self._again = again
        self.done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._bells: deque[Any] = deque()

    def finish(self, value: Any = None, error: BaseException | None = None) -> None:
        """Sets the result or the error, and wakes all who wait."""
        if not self.done:
            self._value, self._error = value, error
            self.done = True
        while self._bells:  # a caller that adds one later sees `done`
            self._bells.popleft().release()

    def wait(self) -> Any:
        """Returns the result, or raises the work's error.

        An interrupt leaves nothing behind: each waiting call has its own lock.
        """
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
    """A queue of work, which one thread at a time does in order; the thread exists while there is work."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._taken: dict[
            str, tuple[int, object]
        ] = {}  # "by": who works on the queue; `setdefault` decides between two
        self._busy: list[int] = []
        _workers.append(self)
        for lost in (self._queue, self._taken, self._busy):
            _in_child(lost.clear)

    @property
    def busy(self) -> bool:
        """Whether work is in progress in a living thread.

        (An exception may leave the mark of a thread that is gone.)
        """
        return bool(self._busy) and not self._idle()

    @property
    def at_work(self) -> bool:
        """Whether there is work in the queue, or in progress in a living thread."""
        return bool(self._queue) or not self._idle()

    def put(self, work: Callable[[], None]) -> None:
        """Queues work. It raises nothing. If no thread can be started, the work is done before this returns."""
        self._queue.append(work)
        self.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls function(*arguments) in the worker's thread, and returns its result.

        In a worker's thread, it calls directly.
        """
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
        """Starts a thread for what is in the queue, if none is at work."""
        if self._queue and self._idle():
            try:
                memory_limits.need(memory_limits.THREAD, "a thread")
                _thread.start_new_thread(self._run, ())
            except (RuntimeError, MemoryError):
                self._run()

    def _idle(self) -> bool:
        """Whether nobody works on the queue. Clears the mark of a thread that is gone, and of an interrupted caller."""
        taken = self._taken.get("by")
        own = taken is not None and taken[0] == _thread.get_ident() and not inside()
        if taken is not None and (own or taken[0] not in sys._current_frames()):  # an exception ended it
            self._taken.pop("by", None)
            self._busy.clear()
            taken = None
        return taken is None

    def forget(self) -> None:
        """Empties the queue."""
        self._queue.clear()

    def _run(self) -> None:
        """Works on the queue until it is empty."""
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
        """Does the first piece of work in the queue, unless a fork is about to happen."""
        self._busy.append(1)  # set before `_forking` is read; a forking thread does the reverse
        try:
            if not _forking:
                self._queue.popleft()()  # no reference stays here: its objects are freed in time
        except IndexError:  # the queue was emptied meanwhile
            pass
        finally:
            self._busy.clear()
        if _forking:
            time.sleep(0.001)


_workers: list[Worker] = []
_inside: dict[int, object] = {}  # threads that are at work
_forking: list[int] = []  # one for each thread that is about to fork
_forgotten: list[Callable[[], object]] = []
_ended: list[int] = []  # not empty when the interpreter exits: no work is started again


def look() -> None:
    """Starts a thread again that died at its birth, for example for lack of memory."""
    for worker in _workers:
        worker.start()


def when_forgotten(forget: Callable[[], object]) -> None:
    """Registers a function for when queued work is dropped: in a forked child, and at the interpreter's exit."""
    _forgotten.append(forget)
    _in_child(forget)


def inside() -> bool:
    """Tells whether this is a worker's thread, which must not wait for a worker."""
    return _thread.get_ident() in _inside


# ---------------------------------------------------------------------------------------------------------
# Fork and exit


def _before_fork() -> None:
    """Waits for work in progress."""
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
    # A fork waits for work in progress. Otherwise, locks of Numba, llvmlite and Python would stay closed in the child.
    # It waits before it takes logging's lock, which Numba needs: what is registered last is called first. After the
    # wait, there is no bytecode at which it could be interrupted.
    os.register_at_fork(before=_before_fork, after_in_parent=_forking.pop)
    _in_child(_forking.clear)
    _in_child(_inside.clear)


@atexit.register
def _before_exit() -> None:
    """Waits for work in progress. LLVM must not be at work when the process's memory is freed: that crashes."""
    _ended.append(1)
    while True:
        for worker in _workers:
            worker.forget()
        if not any(worker.busy for worker in _workers):
            break
        try:
            time.sleep(0.001)
        except BaseException:  # Ctrl-C again; the wait is a second at most
            pass
    for forget in _forgotten:
        forget()
