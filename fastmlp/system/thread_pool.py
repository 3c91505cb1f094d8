"""Threads that wait to help: they run kernels beside the thread that asks, which the GIL does not hinder.

There is one crew a process, of as many threads as were ever asked for. Whoever finds it busy goes on alone, and so does
a forked child until it asks for threads of its own: which threads do the work never changes a result.

Nothing here is ever waited for, released or put back by the thread that asks, so that it may be cut short at any place
by a signal or an exception. A task owns all that its kernel may touch. When a helper is let in, and when it has left,
is decided in kernels alone (kernels/doors.py); docs/reliability.md has the argument.
"""

from __future__ import annotations

import _thread
import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

MOST = 256
Task = Callable[[], object]


def available() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def asked() -> int | None:
    """How many threads the environment asks for: FASTMLP_NUM_THREADS. Raises ValueError for what is no such number."""
    text = os.environ.get("FASTMLP_NUM_THREADS")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise ValueError(f"FASTMLP_NUM_THREADS={text!r} is not a number of threads: use 1 to {MOST}, or unset it")
    return int(text)


class Crew:
    """Threads that do tasks: those that are idle, and others while there are fewer than the largest number asked for.

    A thread puts itself back among the idle ones after its task. One that an exception ends, or whose task was lost on
    its way, is not among them, and so is never used again.
    """

    def __init__(self) -> None:
        self._idle: deque[_Helper] = deque()
        self._made: list[weakref.ref[_Helper]] = []

    def help(self, tasks: Sequence[Task]) -> None:
        """Has as many tasks begun as there are threads for, each in a thread of its own. Waits for nothing."""
        for task in tasks:
            helper = self._free(len(tasks))
            if helper is None:
                return
            helper.tasks.put((helper, task))

    def _free(self, most: int) -> _Helper | None:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        self._made = [made for made in self._made if made() is not None]
        if len(self._made) >= most:
            return None
        try:
            helper = _Helper(self._idle)
        except RuntimeError:  # the system has no more threads
            return None
        self._made.append(weakref.ref(helper))
        return helper


class _Helper:
    """A thread's handle. The thread ends when nobody has the handle any more."""

    __slots__ = ("__weakref__", "tasks")

    def __init__(self, idle: deque[_Helper]) -> None:
        self.tasks: SimpleQueue[Any] = SimpleQueue()
        # The queue's own method, in C: no exception can come between the handle's end and the thread's word of it.
        gone = weakref.ref(self, self.tasks.put)
        # Not by `threading`, whose `start` waits for the thread, and leaves it half known where that is cut short.
        _thread.start_new_thread(_serve, (self.tasks, gone, idle))


def _serve(tasks: SimpleQueue[Any], gone: weakref.ref[_Helper], idle: deque[_Helper]) -> None:
    """A helper's life. It holds no reference to its handle while it waits."""
    while (message := tasks.get()) is not gone:
        helper, task = message
        task()
        del message, task  # it may own a network's buffers
        idle.append(helper)
        del helper


_crew = Crew()


def crew() -> Crew:
    """The process's crew."""
    return _crew


def _forget() -> None:
    """In a forked child: threads are not inherited."""
    global _crew
    _crew = Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
