"""Trains many models at once, each to the bits, the records and the end that it has alone.

Threads compute: a backend's next step, and what changes with it. The calling thread does all else: it makes the fits,
makes their changes, decides whether they go on, calls callbacks, writes checkpoints, and warns. So a model is changed
by the calling thread alone, and an exception there at any moment leaves each model after one of its whole epochs. A
thread that computes meanwhile ends its step, some 50 ms, and nobody makes the changes.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

import numpy as np

from fastmlp.engine.backends import backend_module
from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.fit import lanes
from fastmlp.fit.checked_rows import CheckedRows
from fastmlp.fit.fit import Fit
from fastmlp.fit.jobs import Job, check_apart, row_numbers
from fastmlp.fit.loop import all_changes
from fastmlp.fit.options import thread_count
from fastmlp.system import thread_pool
from fastmlp.system.atomic import Change, held
from fastmlp.system.busy import Use
from fastmlp.training import Step

LOOK = 0.5  # seconds after which the calling thread looks whether those that it waits for are still there
LONGEST = 10.0  # seconds that it waits, after an exception, for threads to end their steps
SHORT_WORK = 3_000_000  # parameters x rows x epochs, some 0.3 ms, up to which no other thread is asked

BUSY = (
    "a model that is to be trained trains already, as by another thread: train it after that, or give each thread a "
    "copy of the model"
)
# What ends one model alone, if it is of Python's own classes or fastmlp's: others are a signal handler's or a caller's.
_OF_ONE = (DivergenceError, ValueError, TypeError, RuntimeError, MemoryError, OSError, Warning)
_OF_ALL = (TimeoutError, InterruptedError, RecursionError)

WINDOW, WINDOW_BYTES = 512, 1 << 28  # models that wait for others of their group, and the bytes that they take

Told = Callable[[int, int], object]
Ended = Callable[[int, "BaseException | None"], object]
Found = tuple[Step, list[Change]]
Steps = Generator[dict[int, Step], set[int] | None, None]
Answer = BaseException | dict[int, Found | BaseException]


def train_together(
    jobs: Iterable[Job],
    *,
    threads: int | None = None,
    told: Told | None = None,
    ended: Ended | None = None,
    warn: bool = True,
) -> list[BaseException | None]:
    """Trains the models of all jobs. -> how each has ended: None, or the exception that `Model.fit` would have raised.

    A model's bits, history and end do not depend on the other jobs, their order, or the threads.

    jobs are taken one by one, some before their turn. threads: how many compute; None: as many as FASTMLP_NUM_THREADS
    says, or as there are cores. A model of several is trained by one thread at a time, whatever its options say.

    told(job, epochs): is called now and then, with the epochs of the job that are done. ended(job, outcome): is called
    when a job has ended. Both, and callbacks of fits, are called in the calling thread.

    An exception of one job's arguments, rows or training (DivergenceError, ValueError, MemoryError, ...) is its
    outcome, and the others go on. What is none of these, such as KeyboardInterrupt, TimeoutError, or a callback's
    exception of a class of its own, ends all: each model is then as after one of its epochs, with the history up to
    there, and the exception is raised. Warns, with DivergenceWarning, as `Model.fit`, and says of which job; warn=False
    does not: who filters warnings changes what other threads warn of.

    Raises ValueError where two jobs of a list share a model, or a generator as seed.
    """
    several, count = True, thread_count(threads)
    if isinstance(jobs, Sequence):
        check_apart(jobs)
        several = len(jobs) > 1
    if not several:  # it has all threads, if they help
        jobs = [replace(job, options=job.options.replaced(threads=count or job.options.threads)) for job in jobs]
    many = _Many(jobs, count or thread_pool.available(), several, told, ended, warn, sys._getframe())
    try:
        many.run()
    except BaseException as error:
        many.cut_short(error)
        raise
    finally:
        many.come_home()
    return many.outcomes


# ---------------------------------------------------------------------------------------------------------


class _Member:
    """A job on its way."""

    def __init__(self, place: int, job: Job, use: Use, checks: CheckedRows, several: bool) -> None:
        self.place, self.job, self.use = place, job, use
        rows = None if job.rows is None else row_numbers(job.rows, "rows")
        backend, options = backend_module(job.backend), job.options.replaced(threads=1) if several else job.options
        self.fit = fit = Fit(job.network, backend, job.X, job.y, options, rows, checks)
        self.done = fit.training.done
        self.begun = False
        self.kept: np.ndarray | None = None  # the last step's

    def alone(self) -> bool:
        """Whether it is trained in the calling thread: where it draws from its model's generator, or is soon done."""
        training, work = self.fit.training, self.fit.network.spec.parameters * len(self.fit.targets)
        return callable(training.order) or work * training.epochs < SHORT_WORK

    @property
    def bytes(self) -> int:
        """Of what is the model's, and of its fit's own targets and weights."""
        fit, weights = self.fit, self.fit.weights
        own = fit.network.parameters.nbytes + fit.run.state.vectors.nbytes
        if fit.network.standardize and fit.rows is not None:
            own += fit.x.nbytes
        return own + (fit.targets.nbytes if fit.rows is not None else 0) + (0 if weights is None else weights.nbytes)

    def begin(self) -> bool:
        """-> whether there is anything to train."""
        if not self.fit.begin(self.job.history, *self.job.others):
            return False
        self.begun = True
        self.fit.go_on()
        return self.fit.training.epochs > 0

    def computed(self, step: Step) -> Found | BaseException:
        """What changes with a step. Called in any thread."""
        try:
            return step, all_changes(step, self.fit)
        except BaseException as error:
            return error

    def take(self, step: Step, changes: list[Change], warn: bool) -> bool:
        """Makes a step's changes, and decides. -> whether the training has ended."""
        fit, reason = self.fit, None
        if changes:
            kept = None if step.kept is None else step.kept.copy()
            fit.commit([*changes, held(self, "kept", kept)])
            reason = fit.decide(step)
        if reason is None and step.state == "more":
            return False
        harm = fit.finish(reason)  # the step is the last one
        if harm and warn:
            warnings.warn(f"job {self.place}: {harm}", DivergenceWarning, stacklevel=5)
        return True

    def go_back(self) -> None:
        """Goes back to the last step whose changes were made: the thread is lost that had gone on from there."""
        fit, run = self.fit, self.fit.run
        left, before = fit.training.last - run.epochs, fit.network.epochs
        fit.training = replace(fit.training, epochs=left, done=run.epochs, epochs_before=before, begun=fit.begun)

    def end(self, error: BaseException | None = None) -> None:
        """Writes down how it ended. Its model may be used again."""
        if self.begun:
            if error is not None:
                self.fit.cut_short(error)
            self.fit.tell_seconds()
        self.use.end()


class _Mark:
    """A thread's work on a line's next steps."""

    over = False


class _Line:
    """Members whose steps come from one generator, which is in one thread at a time."""

    def __init__(self, members: Sequence[_Member]) -> None:
        self.members = dict(enumerate(members))
        self.own = len(members) == 1 and members[0].alone()
        self._count, self._over = len(members), set[int]()
        self._steps: Steps | None = None

    def advance(self) -> Answer:
        """The next steps, with what changes with them. Called in any thread; raises nothing."""
        try:
            over, self._over = self._over, set()
            with np.errstate(all="ignore"):
                if self._steps is None:
                    self._steps = self._begun()
                    found = next(self._steps)
                else:
                    found = self._steps.send(over)
            return {number: self.members[number].computed(step) for number, step in found.items()}
        except BaseException as error:
            return error

    def _begun(self) -> Steps:
        members = [*self.members.values()]
        if self._count == 1:
            return _steps_of(members[0])
        steps = lanes.train([member.fit for member in members], [member.kept for member in members])
        return _numbered(steps, [*self.members])

    def end(self, number: int) -> _Member:
        """Takes out a member that has ended."""
        member = self.members.pop(number)
        self._over.add(number)
        if not self.members and self._steps is not None:
            self._steps.close()
        return member

    def go_back(self) -> None:
        """Goes back to the last steps whose changes were made: the thread is lost that had gone on from there."""
        self._steps, self._over = None, set()
        for member in self.members.values():
            member.go_back()


def _steps_of(member: _Member) -> Steps:
    with closing(member.fit.steps(member.kept)) as steps:  # here: what is raised while one is let go of is lost
        for step in steps:
            yield {0: step}


def _numbered(steps: Steps, numbers: Sequence[int]) -> Steps:
    """A group's steps by other numbers: of those members of a line that are left."""
    over = None
    place = {number: place for place, number in enumerate(numbers)}
    with closing(steps):
        while True:
            try:
                found = steps.send(over)
            except StopIteration:
                return
            ended = yield {numbers[at]: step for at, step in found.items()}
            over = {place[number] for number in ended or () if number in place} or None


class _Many:
    """The jobs of one call. frame: of `train_together`, which all their models are in use by."""

    def __init__(
        self,
        jobs: Iterable[Job],
        threads: int,
        several: bool,
        told: Told | None,
        ended: Ended | None,
        warn: bool,
        frame: FrameType,
    ) -> None:
        self.outcomes: list[BaseException | None] = []
        self._jobs, self._threads, self._several = enumerate(jobs), threads if several else 1, several
        self._told, self._ended, self._warn = told, ended, warn
        self._frame: FrameType | None = frame
        self._checks = CheckedRows()
        self._members: set[_Member] = set()
        self._ready: deque[_Line] = deque()  # made, and not begun
        self._groups: dict[Hashable, list[_Member]] = {}  # that others may come to
        self._waiting = self._bytes = 0  # in them
        self._own: deque[_Line] = deque()  # trained by the calling thread
        self._away: dict[_Mark, tuple[_Line, thread_pool.Helper]] = {}  # a thread is at work on their next step
        self._answers: SimpleQueue[tuple[_Mark, Answer]] = SimpleQueue()

    def run(self) -> None:
        """Trains all."""
        while True:
            while len(self._away) + len(self._own) < self._threads and self._has_ready():
                self._begin(self._ready.popleft())
            if self._away and len(self._ready) < self._threads and self._answers.empty():
                self._has_ready(more=True)  # while others compute
            if self._away and not (self._own and self._answers.empty()):
                line, answer = self._awaited()
            elif self._own:
                line = self._own.popleft()
                answer = line.advance()
            else:
                return
            self._take(line, answer)
            if line.members:
                self._go_on(line)

    def _has_ready(self, more: bool = False) -> bool:
        """Whether there is a line to begin; makes one if there is none, or where more are wanted."""
        while more or not self._ready:
            place, job = next(self._jobs, (0, None))
            if job is None:
                self._part()
                break
            more = False
            member = self._made(place, job)
            if member is None:
                continue
            group = lanes.group_of(member.fit) if self._several else None
            if group is None:
                self._ready.append(_Line([member]))
                continue
            self._groups.setdefault(group, []).append(member)
            self._waiting += 1
            self._bytes += member.bytes
            if self._waiting >= WINDOW or self._bytes >= WINDOW_BYTES:
                self._part()
        return bool(self._ready)

    def _made(self, place: int, job: Job) -> _Member | None:
        """A job's fit; None if its arguments are wrong."""
        self.outcomes.append(None)
        use: Use | None = None
        try:
            use = job.busy.begin(BUSY, self._frame)
            member = _Member(place, job, use, self._checks, self._several)
        except Exception as error:
            self._note(place, error)
            if use is not None:
                use.end()
            self._tell_end(place)
            return None
        self._members.add(member)
        return member

    def _part(self) -> None:
        """Makes lines of the groups, and of each of their members for which lanes do not pay."""
        groups, self._groups, self._waiting, self._bytes = self._groups, {}, 0, 0
        for members in groups.values():
            parts = lanes.parts([member.fit for member in members], self._threads)
            self._ready.extend(_Line(members[part]) for part in parts)

    def _begin(self, line: _Line) -> None:
        """Has the models of a line be those of these fits, and takes the first step."""
        for number, member in [*line.members.items()]:
            member.job.group = len(line.members)
            try:
                goes = member.begun or member.begin()
            except Exception as error:
                self._end(line, number, error)
            else:
                if not goes:
                    self._end(line, number)
        if line.members:
            self._go_on(line)

    def _go_on(self, line: _Line) -> None:
        """Has a thread compute the next step of a line, or this one do so in its turn."""
        mark, helper = _Mark(), None
        if self._threads > 1 and not line.own:
            helper = thread_pool.crew().start(partial(_advance, line, mark, self._answers), self._threads)
        if helper is None:
            self._own.append(line)
        else:
            self._away[mark] = line, helper

    def _awaited(self) -> tuple[_Line, Answer]:
        """The next answer. The line of a thread that is lost is gone on with from its last step."""
        while True:
            try:
                mark, answer = self._answers.get(timeout=LOOK)
            except Empty:
                for mark, (line, helper) in [*self._away.items()]:
                    if self._answers.empty() and (helper.has_ended() or helper.will_never_begin()):
                        del self._away[mark]
                        line.go_back()
                        return line, {}
                continue
            if mark in self._away:
                return self._away.pop(mark)[0], answer

    def _take(self, line: _Line, answer: Answer) -> None:
        """Makes what changes with a line's steps."""
        if isinstance(answer, MemoryError) and len(line.members) > 1:  # each alone needs less
            line.go_back()
            answer.with_traceback(None)  # which would keep the group's buffers
            self._ready.extendleft(_Line([member]) for member in line.members.values())
            line.members.clear()
            return
        if isinstance(answer, BaseException):
            for number in [*line.members]:
                self._end(line, number, answer)
            return
        for number, found in answer.items():
            member = line.members[number]
            try:
                over = not isinstance(found, BaseException) and member.take(*found, self._warn)
            except Exception as error:
                found = error
            if isinstance(found, BaseException):
                self._end(line, number, found)
                continue
            if self._told is not None:
                self._told(member.place, found[0].epochs - member.done)
            if over:
                self._end(line, number)

    def _end(self, line: _Line, number: int, error: BaseException | None = None) -> None:
        member = line.members[number]
        if error is not None:
            self._note(member.place, error)
        line.end(number)
        self._members.discard(member)
        member.end(error)
        self._tell_end(member.place)

    def _note(self, place: int, error: BaseException) -> None:
        """Writes down an exception as a job's outcome. Raises it, if it is none of one job alone."""
        own = type(error).__module__.partition(".")[0] in ("builtins", "fastmlp", "numpy")
        if not own or not isinstance(error, _OF_ONE) or isinstance(error, _OF_ALL):
            raise error
        self.outcomes[place] = error.with_traceback(None)  # which would keep the rows alive

    def _tell_end(self, place: int) -> None:
        if self._ended is not None:
            self._ended(place, self.outcomes[place])

    def cut_short(self, error: BaseException) -> None:
        """Writes down, for all that are on their way, what has ended them."""
        while self._members:
            self._members.pop().end(error)

    def come_home(self) -> None:
        """Waits for the threads that compute, some 50 ms; nobody makes the changes. Lets go of everything."""
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            for mark, (_, helper) in [*self._away.items()]:
                # over: the exception may have come as its answer was taken
                if mark.over or helper.has_ended() or helper.will_never_begin():
                    del self._away[mark]
            if not self._away:
                break
            with suppress(Empty):
                self._answers.get(timeout=LOOK)
        self._frame = None


def _advance(line: _Line, mark: _Mark, answers: SimpleQueue[Any]) -> Callable[[], None]:
    """A helper's task. -> what tells the calling thread."""
    answer = line.advance()
    mark.over = True
    return partial(answers.put, (mark, answer))
