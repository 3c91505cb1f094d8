"""Trains models one after the other, or together, and tells what became of each."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.fit.options import stopping
from fastmlp.history import History
from fastmlp.model import Model
from fastmlp.sweep.asks import Ask
from fastmlp.sweep.results import DIVERGED, FAILED, TRAINED, Result
from fastmlp.sweep.rows import Rows

Told = Callable[[int], Any]  # of epochs that are done


@dataclass
class Task:
    """A model that is there, and what `Model.fit` is called with."""

    number: int
    model: Model
    x: Any
    y: Any
    options: dict[str, Any]


def run(tasks: Sequence[Task], threads: int | None, told: Told) -> Iterator[tuple[Task, Exception | None]]:
    """Trains each task's model; gives each as it has ended, with the exception that ended it."""
    for task in tasks:
        ended: Exception | None = None
        try:
            task.model.fit(task.x, task.y, threads=threads, progress=False, **task.options)
        except Exception as raised:
            ended = raised
        told(int(task.options["epochs"]))
        yield task, ended


def results_of(asks: Sequence[Ask], rows: Rows, threads: int | None, keep: bool, told: Told) -> Iterator[Result]:
    """Makes and trains what is asked for, and gives each result as it is there. keep: with its model."""
    tasks = []
    for ask in asks:
        try:
            tasks.append(_task(ask, rows))
        except Exception as error:  # no memory, or weights beyond the dtype
            told(int(ask.fit["epochs"]))
            yield Result(ask.number, ask.point, FAILED, in_words(error), History(), parameters=ask.spec.parameters)
    of = {ask.number: ask for ask in asks}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DivergenceWarning)  # the table has the losses
        for task, ended in run(tasks, threads, told):
            yield result_of(task, ended, of[task.number].point, keep)


def _task(ask: Ask, rows: Rows) -> Task:
    ready = rows.of(ask.spec)
    options = {**ask.fit, "validation": ready.validation, "sample_weight": ready.sample_weight}
    return Task(ask.number, Model(**ask.model), ready.x, ready.y, options)


def result_of(task: Task, error: Exception | None, point: dict[str, Any], keep: bool = True) -> Result:
    """What became of a task."""
    model = task.model
    state = TRAINED if error is None else DIVERGED if isinstance(error, DivergenceError) else FAILED
    history = model.history if model.history is not None and state != FAILED else History()
    rule = stopping(task.options.get("early_stopping"))
    return Result(
        number=task.number,
        point=point,
        state=state,
        reason=None if error is None else in_words(error),
        history=history,
        model=model if keep else None,
        digest=None if state == FAILED else model.digest(),
        parameters=model.spec.parameters,
        restored=state == TRAINED and rule is not None and rule.best_weights and history.best_epoch is not None,
    )


def in_words(error: BaseException) -> str:
    """The message of an error, with its kind where that says more."""
    kind = type(error).__name__
    return str(error) if isinstance(error, DivergenceError) else f"{kind}: {error}" if str(error) else kind
