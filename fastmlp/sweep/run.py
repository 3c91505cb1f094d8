"""Makes models, trains them together, and tells what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastmlp.errors import DivergenceError
from fastmlp.fit.jobs import Job
from fastmlp.fit.options import FitOptions, stopping
from fastmlp.fit.together import train_together
from fastmlp.history import History
from fastmlp.model import Model
from fastmlp.sweep.asks import Ask
from fastmlp.sweep.results import DIVERGED, FAILED, TRAINED, Result
from fastmlp.sweep.rows import Rows


class Taker(Protocol):
    """Who is told what happens."""

    def told(self, number: int, epochs: int) -> None:
        """So many epochs of a model are done by now."""
        ...

    def take(self, result: Result) -> None:
        """A model has ended."""
        ...


@dataclass
class Task:
    """A model that is there, and what `Model.fit` is called with. rows: their numbers, or None for all."""

    number: int
    model: Model
    x: Any
    y: Any
    options: dict[str, Any]
    rows: Any = None
    job: Job | None = None  # since it is on its way


def run(
    tasks: Iterable[Task],
    threads: int | None,
    told: Callable[[int, int], None],
    ended: Callable[[Task, BaseException | None], None],
) -> None:
    """Trains each task's model. ended: is called with the exception that ended a model, as soon as it has ended.

    tasks: are made one by one where they are no list, so that few models are there at the same time.
    """
    on_their_way: dict[int, Task] = {}

    def job(task: Task) -> Job:
        on_their_way[len(begun)] = task
        begun.append(task.number)
        task.job = task.model.job(task.x, task.y, FitOptions(**task.options, progress=False), task.rows)
        return task.job

    begun: list[int] = []  # numbers, in the order of the jobs
    jobs = [job(task) for task in tasks] if isinstance(tasks, Sequence) else (job(task) for task in tasks)
    train_together(
        jobs,
        threads=threads,
        told=lambda place, epochs: told(begun[place], epochs),
        ended=lambda place, error: ended(on_their_way.pop(place), error),
        warn=False,  # the table has the losses
    )


def train(asks: Sequence[Ask], rows: Rows, threads: int | None, keep: bool, taker: Taker) -> None:
    """Makes and trains what is asked for. keep: results have their models."""
    of = {ask.number: ask for ask in asks}

    def made() -> Iterator[Task]:
        for ask in asks:
            try:
                task = _task(ask, rows)
            except Exception as error:  # no memory, or weights beyond the dtype
                taker.take(
                    Result(ask.number, ask.point, FAILED, in_words(error), History(), parameters=ask.spec.parameters)
                )
                continue
            yield task

    def ended(task: Task, error: BaseException | None) -> None:
        taker.take(result_of(task, error, of[task.number].point, keep))

    run([*made()] if len(asks) == 1 else made(), threads, taker.told, ended)


def _task(ask: Ask, rows: Rows) -> Task:
    ready = rows.of(ask.spec, bool(ask.model.get("standardize")))
    options = {**ask.fit, "validation": ready.validation, "sample_weight": ready.sample_weight}
    if ask.transcript is not None:  # which a process that was killed may have begun
        options.update(transcript=ask.transcript, resume=True)
    return Task(ask.number, Model(**ask.model), ready.x, ready.y, options)


def result_of(task: Task, error: BaseException | None, point: dict[str, Any], keep: bool = True) -> Result:
    """What became of a task."""
    model = task.model
    state = TRAINED if error is None else DIVERGED if isinstance(error, DivergenceError) else FAILED
    history = model.history if model.history is not None and state != FAILED else History()
    return Result(
        number=task.number,
        point=point,
        state=state,
        reason=None if error is None else in_words(error),
        history=history,
        model=model if keep else None,
        digest=None if state == FAILED else model.digest(),
        parameters=model.spec.parameters,
        restored=state == TRAINED and restores(task.options.get("early_stopping"), history),
        together=1 if task.job is None else task.job.group,
    )


def restores(early_stopping: Any, history: History) -> bool:
    """Whether a training that has ended well has restored the weights of its best epoch."""
    rule = stopping(early_stopping)
    return rule is not None and rule.best_weights and history.best_epoch is not None


def in_words(error: BaseException) -> str:
    """The message of an error, with its kind where that says more."""
    kind = type(error).__name__
    return str(error) if isinstance(error, DivergenceError) else f"{kind}: {error}" if str(error) else kind
