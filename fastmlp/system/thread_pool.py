"""The process's threads that help: they run kernels in parallel with the calling thread, without the GIL.

There is one pool in a process, with as many threads as were ever asked for. If it is busy, a call runs single-threaded,
and so does a call in a forked child until it has threads of its own. Which threads do the work never changes a result.

The calling thread never waits for anything here, releases it or puts it back, so a signal or an exception may end the
call anywhere. A task owns everything that its kernel may touch. Kernels alone decide when a helper is let in and when
it has left (kernels/doors.py); docs/reliability.md has the argument.
"""

from __future__ import annotations

import _thread
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

MOST = 256
Task = Callable[[], Any]


def cores() -> int:
    """Returns the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available() -> int:
    """Returns the number of cores that this process may use: all; in a worker process, its fraction of them.

    joblib (loky) and Dask tell their workers in OMP_NUM_THREADS, so that all workers together have as many threads as
    there are cores. In other processes that variable has no meaning here.
    """
    return min(cores(), _of_a_worker() or MOST)


def _of_a_worker() -> int | None:
    """What a worker process was told; None in any other process."""
    processes = sys.modules.get("multiprocessing.process")  # which a child of `multiprocessing` and its like has
    if processes is None or processes.parent_process() is None:
        return None
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def asked() -> int | None:
    """Returns the number of threads in FASTMLP_NUM_THREADS, or None. Raises ValueError if it is not such a number."""
    text = os.environ.get("FASTMLP_NUM_THREADS")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise ValueError(f"FASTMLP_NUM_THREADS={text!r} is not a number of threads: use 1 to {MOST}, or unset it")
    return int(text)


class Crew:
    """Threads that do tasks: the idle ones, and new ones while there are fewer than the largest number asked for.

    After its task, a thread puts itself back among the idle ones. A thread that an exception ended, or whose task was
    lost, is not among them, and is never used again.
    """

    def __init__(self) -> None:
        self._idle: deque[Helper] = deque()
        self._made: list[weakref.ref[Helper]] = []

    def help(self, tasks: Sequence[Task]) -> None:
        """Starts as many of the tasks as there are threads for, each in a thread of its own. Waits for nothing."""
        for task in tasks:
            if self.start(task, len(tasks)) is None:
                return

    def start(self, task: Task, most: int) -> Helper | None:
        """Starts a task, where a thread is idle or there are fewer than `most`. Waits for nothing.

        What a task returns, if it is not None, is called when the thread is among the idle ones again: to tell the
        caller, who may have another task for it at once. -> the thread's helper, or None if there is none to be had.
        """
        helper = self._free(most)
        if helper is not None:
            helper.tasks.put((helper, task))
        return helper

    def _free(self, most: int) -> Helper | None:
        """An idle helper, or a new one, or None."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        self._made = [made for made in self._made if made() is not None]
        if len(self._made) >= most:
            return None
        try:
            helper = Helper(self._idle)
        except RuntimeError:  # the system has no more threads
            return None
        self._made.append(weakref.ref(helper))
        return helper


class Helper:
    """A thread's handle. The thread ends when nothing refers to the handle."""

    __slots__ = ("__weakref__", "_serving", "tasks")

    def __init__(self, idle: deque[Helper]) -> None:
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        self._serving: list[int] = []  # the thread, once it has begun
        # The queue's own method is in C: no exception can come between the handle's end and the message to the thread.
        gone = weakref.ref(self, self.tasks.put)
        # `threading.Thread.start` waits for the thread, and leaves it half registered if the wait is interrupted.
        _thread.start_new_thread(_serve, (self.tasks, gone, idle, self._serving))

    def has_ended(self) -> bool:
        """Whether its thread has begun, and an exception has ended it."""
        if not self._serving:
            return False
        number = self._serving[0]
        frame = sys._current_frames().get(number)
        # `frame.f_locals` would tell, too, but the frame would keep what it held then: the last task and the handle.
        while frame is not None and frame.f_code is not _serve.__code__:
            frame = frame.f_back
        return frame is None or _of_numbers.get(number) is not self._serving

    def will_never_begin(self) -> bool:
        """Whether nobody will do its task: takes the task back if the thread has not begun.

        An exception may have ended the thread before its first bytecode. A thread that is only slow finds no task.
        """
        if not self._serving:
            with suppress(Empty):
                self.tasks.get_nowait()
                return True
        return self.tasks.empty() and not self._serving  # in this order: a thread takes a task after it has begun


def _serve(tasks: SimpleQueue[Any], gone: weakref.ref[Helper], idle: deque[Helper], serving: list[int]) -> None:
    """A helper's loop. It holds no reference to its handle while it waits."""
    number = _thread.get_ident()
    _of_numbers[number] = serving
    serving.append(number)
    while (message := tasks.get()) is not gone:
        helper, task = message
        tell = task()
        del message, task  # it may own a network's buffers
        idle.append(helper)
        del helper
        if tell is not None:
            tell()
        del tell


_crew = Crew()
_of_numbers: dict[int, list[int]] = {}  # a thread's number, which may be used again: `_serving` of its last helper


def crew() -> Crew:
    """Returns the process's pool."""
    return _crew


def _forget() -> None:
    """Makes a new pool in a forked child, which does not inherit threads."""
    global _crew
    _crew = Crew()
    _of_numbers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
