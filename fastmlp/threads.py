"""Threads that wait to help: they run kernels beside the thread that asks, which the GIL does not hinder.

There is one crew a process, of as many threads as were ever asked for. Whoever finds it at work goes on alone, and so
does a forked child until it asks for threads of its own: which threads do the work never changes a result.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence

MOST = 256
Job = Callable[[], object]


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
    """Threads that do jobs."""

    def __init__(self) -> None:
        self.free = threading.Lock()
        self._helpers: list[_Helper] = []

    def start(self, jobs: Sequence[Job]) -> Callable[[], None]:
        """Has a thread of its own do each job. -> a function that waits until all are done. For who holds `free`."""
        while len(self._helpers) < len(jobs):
            self._helpers.append(_Helper())
        busy = self._helpers[: len(jobs)]
        for helper, job in zip(busy, jobs, strict=True):
            helper.jobs.put(job)

        def wait() -> None:
            for helper in busy:
                helper.done.acquire()

        return wait


class _Helper:
    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.done = threading.Semaphore(0)
        threading.Thread(target=self._run, name="fastmlp", daemon=True).start()

    def _run(self) -> None:
        while True:
            job = self.jobs.get()
            try:
                job()
            except BaseException:  # none that we give does; the next job is none of this one's business
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            finally:
                self.done.release()
                del job  # it may hold a network's buffers


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
