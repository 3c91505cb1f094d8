"""`train_many`: trains models that are there, together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.fit import options as fit_options
from fastmlp.fit.jobs import row_numbers
from fastmlp.fit.transcript import Transcript
from fastmlp.model import Model
from fastmlp.sweep import progress as bars
from fastmlp.sweep.names import FIT, OF_ALL, no_option
from fastmlp.sweep.points import plain
from fastmlp.sweep.results import Result
from fastmlp.sweep.run import Task, result_of, run

ON_ERROR = ("record", "raise")


class Each:
    """A value for each model: `train_many(models, X, y, epochs=10, learning_rate=Each([0.1, 0.01]))`.

    Parameters
    ----------
    values : sequence
        As many values as there are models.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise TypeError(f"Each of {shown(values)}, which is not a list: give a value for each model")
        self.values = list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Each({shown(self.values)})"


def train_many(
    models: Sequence[Model],
    X: Any,
    y: Any,
    *,
    epochs: Any = fit_options.EPOCHS,
    rows: Any = None,
    validation: Any = None,
    transcript: Any = None,
    threads: int | None = None,
    progress: bool | None = None,
    on_error: str = "record",
    **options: Any,
) -> list[Result]:
    """Trains models together, each bit for bit as `model.fit` alone would.

    Parameters
    ----------
    models : sequence of Model
        The models, which are trained in place. No model may be there twice.
    X : array of shape (N, K)
        Rows of features, for all models.
    y : array of shape (N,) or (N, J)
        Targets, for all models; or `Each` of such arrays.
    epochs : int or Each, default=100
        The number of passes over the rows.
    rows : Each of arrays of int, or None, default=None
        The row numbers that each model trains on, as for a fold or a bootstrap sample; a number may be there several
        times. None is all rows. A model is then what `fit(X[rows], y[rows])` makes of it.
    validation : (X, y), float, Each or None, default=None
        As in `Model.fit`: a fraction is held out by each model's own seed.
    transcript : Each of paths or of Transcripts, or None, default=None
        Where the transcript of each model is written; None in `Each` writes none for that model. `fastmlp.audit` is
        given the model's own rows.
    threads : int or None, default=None
        The number of threads of all. None is FASTMLP_NUM_THREADS if it is set, else as many as there are cores.
    progress : bool or None, default=None
        Whether to show a progress bar of all epochs of all models. None shows one on a terminal or in a notebook if it
        takes more than a second.
    on_error : str, default="record"
        "record" puts the message of a model that diverged or failed into its result; "raise" raises the first error,
        in the order of the models, once all have ended.
    **options : object or Each
        Further arguments of `Model.fit`: a value for all models, or `Each` of a value for each.

    Returns
    -------
    list of Result
        In the order of the models. A result's `point` has the values of `Each`.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.
    KeyboardInterrupt
        On Ctrl-C. Models are left after whole epochs, and `model.history` has what was recorded.

    Examples
    --------
    >>> from fastmlp import Model
    >>> from fastmlp.sweep import Each, train_many
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> models = [Model([2, 8, 2], seed=seed) for seed in range(3)]
    >>> results = train_many(models, X, [0, 1, 1, 0], epochs=500, learning_rate=Each([0.1, 0.2, 0.5]))
    >>> [result.state for result in results]
    ['trained', 'trained', 'trained']
    """
    models = _models(models)
    count = len(models)
    for name in options:
        if name not in (*FIT, *OF_ALL):
            raise no_option("train_many", name, ("rows", "transcript", "threads", "progress", "on_error"))
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error={shown(on_error)} is not known: use {either(ON_ERROR)}")
    threads = fit_options.thread_count(threads)
    _check_transcripts(transcript, count)
    given = {"epochs": epochs, "validation": validation, "transcript": transcript, **options}
    each = {name: _each(value, name, count) for name, value in given.items()}
    points = [
        {name: plain(each[name][k]) for name, value in given.items() if _is_point(value, name)} for k in range(count)
    ]
    targets = _each(y, "y", count)
    parts = [None] * count if rows is None else _each(_rows(rows), "rows", count)
    tasks = [
        Task(k, model, X, targets[k], {name: each[name][k] for name in given}, _numbers(parts[k], k))
        for k, model in enumerate(models)
    ]
    found: dict[int, tuple[Result, BaseException | None]] = {}
    with bars.bar({task.number: _count(task) for task in tasks}, progress) as bar:

        def ended(task: Task, error: BaseException | None) -> None:
            found[task.number] = result_of(task, error, points[task.number]), error
            bar.ended(found[task.number][0])

        run(tasks, threads, bar.told, ended)
    errors = [error for number in range(count) if (error := found[number][1]) is not None]
    wrong_for_all = len(errors) == count and all(type(error) in (TypeError, ValueError) for error in errors)
    if errors and (on_error == "raise" or wrong_for_all):
        raise errors[0]
    return [found[number][0] for number in range(count)]


def _is_point(value: Any, name: str) -> bool:
    return isinstance(value, Each) and name not in (*OF_ALL, "transcript")


def _check_transcripts(given: Any, count: int) -> None:
    """Raises TypeError or ValueError where two models would write one file."""
    if given is None or (count == 1 and not isinstance(given, Each)):
        return
    if not isinstance(given, Each):
        raise TypeError(f"transcript={shown(given)} is one for {count} models: give Each([...]) with a path for each")
    places: dict[str, int] = {}
    for number, asked in enumerate(given.values):
        if asked is None:
            continue
        path = os.path.abspath((asked if isinstance(asked, Transcript) else Transcript(asked)).path)
        if (first := places.setdefault(path, number)) != number:
            raise ValueError(f"transcript[{number}] is that of model {first}, {path}: give each model its own")


def _models(models: Any) -> list[Model]:
    """The models, each once."""
    if isinstance(models, (str, bytes)) or not isinstance(models, (Model, Iterable)):
        raise TypeError(f"models={shown(models)} is not a list of models")
    found = [models] if isinstance(models, Model) else list(models)
    for place, model in enumerate(found):
        if not isinstance(model, Model):
            raise TypeError(f"models[{place}] is {shown(model)}, not a Model")
    places: dict[int, int] = {}
    for place, model in enumerate(found):
        if (first := places.setdefault(id(model), place)) != place:
            raise ValueError(f"models[{place}] is models[{first}]: give copies, copy.copy(model)")
    return found


def _each(value: Any, name: str, count: int) -> list[Any]:
    """A value for each model."""
    if not isinstance(value, Each):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} is Each of {len(value)} values, for {count} models: give one for each model")
    return value.values


def _rows(rows: Any) -> Each:
    if not isinstance(rows, Each):
        raise TypeError("rows is not an Each: give Each([...]) with an array of row numbers for each model")
    return rows


def _numbers(rows: Any, number: int) -> np.ndarray | None:
    """The numbers of the rows that a model trains on."""
    return None if rows is None else row_numbers(rows, f"rows[{number}]")


def _count(task: Task) -> int:
    epochs = task.options["epochs"]
    return epochs if isinstance(epochs, int) and epochs > 0 else 0
