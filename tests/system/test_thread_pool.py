"""Handles of helper threads: whether one has ended, or never begins. The crew's tasks: tests/engine/test_team.py."""

import _thread
import sys
import threading
import time
import weakref

from fastmlp.system import thread_pool


class Task:
    """A task that goes on until `over`, and owns what a network's buffers stand for."""

    def __init__(self):
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self):
        self.begun.set()
        self.over.wait()


def until(condition):
    for _ in range(5000):
        if condition():
            return True
        time.sleep(0.002)
    return False


def test_to_look_whether_one_has_ended_keeps_nothing_of_its_task():
    """A frame keeps what `f_locals` was when it was asked for: the task, and the handle, whose thread never ends."""
    crew, task = thread_pool.Crew(), Task()
    helper = crew.start(task, 1)
    assert task.begun.wait(20)
    assert not helper.has_ended()
    owned, handle, over = weakref.ref(task), weakref.ref(helper), task.over
    del task, helper
    over.set()
    assert until(lambda: owned() is None)
    assert until(lambda: len(crew._idle) == 1)
    crew._idle.clear()
    assert until(lambda: handle() is None)


def test_one_that_an_exception_ended_has_ended(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    def dies():
        raise SystemExit

    helper = thread_pool.Crew().start(dies, 1)
    assert until(helper.has_ended)
    assert helper.will_never_begin() is False  # it did begin


def test_a_number_that_is_used_again_is_not_the_thread(monkeypatch):
    """Another helper's thread has the number of one that has ended."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    crew, task = thread_pool.Crew(), Task()
    first = crew.start(sys.exit, 2)
    assert until(first.has_ended)
    second = crew.start(task, 2)
    assert task.begun.wait(20)
    first._serving[:] = second._serving
    assert first.has_ended()
    assert not second.has_ended()
    task.over.set()


def test_a_thread_that_never_begins_gives_its_task_back(monkeypatch):
    """As one that an exception ended before its first bytecode."""
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 0)
    task = Task()
    helper, owned = thread_pool.Crew().start(task, 1), weakref.ref(task)
    del task
    assert not helper.has_ended()
    assert helper.will_never_begin()
    assert helper.will_never_begin()
    handle = weakref.ref(helper)
    del helper
    assert owned() is None
    assert handle() is None


def test_one_that_has_begun_keeps_its_task():
    crew, task = thread_pool.Crew(), Task()
    helper = crew.start(task, 1)
    assert task.begun.wait(20)
    assert not helper.will_never_begin()
    task.over.set()
    assert until(lambda: len(crew._idle) == 1)
