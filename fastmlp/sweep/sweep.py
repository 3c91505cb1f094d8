"""`Sweep`: points over which models are made and trained."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastmlp.checks import scalars
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import either, shown
from fastmlp.checks.names import Nothing, takes_no_more
from fastmlp.engine.initial_weights import check_seed
from fastmlp.fit import options as fit_options
from fastmlp.fit.transcript import Transcript
from fastmlp.sweep import engines, memory
from fastmlp.sweep import progress as bars
from fastmlp.sweep.asks import Ask
from fastmlp.sweep.check import check_all
from fastmlp.sweep.folder import Folder
from fastmlp.sweep.names import FIT, check_names, no_argument_of_sweep, no_option_of_fit
from fastmlp.sweep.points import Point, plain, points_of
from fastmlp.sweep.results import TRAINED, Result, SweepResult
from fastmlp.sweep.rows import Rows

if TYPE_CHECKING:
    from typing_extensions import Unpack

KEEP = ("all", "best", "none")


class Sweep:
    """Models over a grid, random draws or a list of points, each bit for bit what it would be alone.

    Parameters
    ----------
    grid : dict, or list of dict
        {name: values}. Lists of values give all combinations, the last name varying fastest; a single value is the same
        for all. In a list, each dict is a grid of its own, or a point. A value with a method `rvs`, such as a
        distribution of scipy.stats, is drawn from, and needs `draws`.

        Names are arguments of `Model` ("layers", "hidden", "output", "loss", "init", "seed", "dtype"), options of
        `Model.fit` ("epochs", "learning_rate", "optimizer", "batch_size", "l2", "dropout", "early_stopping" and
        others), and "depth" and "width": the number and the size of hidden layers, with as many inputs and outputs as
        the data have. A tuple as width, as (64, 32), is the sizes of several layers; a tuple is also one value of
        "hidden" and "dropout". Without any of them there is one hidden layer of 32 units.
    base : dict or None, default=None
        Values for points that do not have these names.
    draws : int or None, default=None
        The number of random points. From lists alone, no point is drawn twice.
    seed : int, default=0
        Of the draws, and of the rows that a validation fraction holds out. A name's draws do not depend on the other
        names, and the first ones are the same with more draws.

    Attributes
    ----------
    points : list of dict
        The coordinates of each model.
    result : SweepResult or None
        The results of the last `fit`, also of one that was interrupted. None before the first.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or a name is not known; the error says which may have been meant.

    Examples
    --------
    >>> from fastmlp.sweep import Sweep
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> sweep = Sweep({"learning_rate": [0.01, 0.3], "width": [2, 8], "seed": range(3)})
    >>> result = sweep.fit(X, [0, 1, 1, 0], epochs=500)
    >>> len(result), result.best().point["learning_rate"]
    (12, 0.3)
    """

    @takes_no_more
    def __init__(
        self,
        grid: Any,
        *,
        base: Mapping[str, Any] | None = None,
        draws: int | None = None,
        seed: int = 0,
        **unknown: Unpack[Nothing],
    ) -> None:
        if unknown:
            raise no_argument_of_sweep(next(iter(unknown)))
        if base is not None and not isinstance(base, Mapping):
            raise TypeError(f"base={shown(base)} is not a dict: give values by name, like {{'width': 64}}")
        check_names(base or {}, "base")
        self.base = {name: plain(value) for name, value in (base or {}).items()}
        if not isinstance(check_seed(seed), int):
            raise TypeError(f"seed={shown(seed)} is not a whole number: a sweep's own seed is one")
        self.seed = int(seed)
        self.points: list[Point] = points_of(grid, draws, self.seed)
        self.result: SweepResult | None = None

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        names = list(dict.fromkeys(name for point in self.points for name in point))
        return f"Sweep({counted(len(self), 'point')} over {', '.join(names) or 'nothing'})"

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        validation: Any = None,
        sample_weight: Any = None,
        keep: str = "all",
        folder: str | os.PathLike | None = None,
        transcripts: str | os.PathLike | Transcript | None = None,
        client: Any = None,
        backend: str | None = None,
        threads: int | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> SweepResult:
        """Makes and trains a model for each point.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features, as in `Model.fit`. They are converted once for all models of a dtype.
        y : array of shape (N,) or (N, J)
            Targets, as in `Model.fit`.
        validation : (X, y), float or None, default=None
            Validation rows, or the fraction of the rows to hold out: once for all models, by the sweep's seed,
            stratified by label. With seed=0, these are the rows that a model with seed=0 holds out.
        sample_weight : array of shape (N,) or None, default=None
            The weight of each row.
        keep : str, default="all"
            Which models the results have: "all", "best" (by `SweepResult.metric`), or "none". The other two need less
            memory.
        folder : path or None, default=None
            A folder for the results, made where there is none. Each point that is done is written there as one whole
            file. After a crash or kill -9, the same call continues, and ends with the table of a sweep that was not
            interrupted, except for seconds. A folder of another sweep, with other points, rows or options, is refused.
            Points that failed are tried again. `fastmlp.sweep.load` reads the table.
        transcripts : path, Transcript or None, default=None
            A folder for a transcript of each model, point-000007.jsonl with its checkpoints; made where there is none,
            and empty, unless `folder` is given, too: then a point that is not done continues its transcript. All
            workers write there. `training_rows` gives what an audit takes.
        client : dask.distributed.Client or None, default=None
            A Dask cluster, whose workers train the models. The rows are sent once; what a lost worker had is done
            again.
        backend : str or None, default=None
            "joblib" trains the models by what `joblib.parallel_config` names: processes, threads, or a cluster.
        threads : int or None, default=None
            The number of threads; with `client` or `backend`, of each task. None is FASTMLP_NUM_THREADS if it is set,
            else as many as there are cores, divided by the number of tasks at the same time on a machine.
        progress : bool or None, default=None
            Whether to show a progress bar of all epochs of all models, with the time left. None shows one on a
            terminal or in a notebook if it takes more than a second.
        **options : object
            Options of `Model.fit` for points that do not have them, such as epochs=200, whose default is 100. A
            learning_rate goes into an optimizer that is an object, in place of its own.

        Returns
        -------
        SweepResult
            A result for each point, in their order. `sweep.result` is the same object.

        Raises
        ------
        ImpossiblePoints
            A ValueError that lists all points that cannot be trained. Nothing was trained then.
        TypeError, ValueError
            If another argument is wrong, or `folder` has something else.
        MemoryError
            If the machine has less memory than the sweep needs. Nothing was trained then; `plan` says how much it is.
        RuntimeError
            If another process runs a sweep in `folder`.
        KeyboardInterrupt
            On Ctrl-C. `sweep.result` has what was done; the other points' state is "not run".

        Notes
        -----
        A model that diverges or fails has its reason in its result, and the others go on. A model is bit for bit what
        `Model(...).fit(...)` makes of the rows that are left to train on.
        """
        asks, rows, threads = self._asks(X, y, validation, sample_weight, threads, options)
        _check_keep(keep)
        if backend not in (None, "joblib"):
            raise ValueError(f'backend={shown(backend)} is not known: use "joblib", or leave it out')
        if backend is not None and client is not None:
            raise ValueError('client and backend="joblib" are both given: use one of them')
        found = memory.plan(asks, keep, rows.nbytes())
        memory.check(found, keep)
        if transcripts is not None:
            asks = _with_transcripts(asks, transcripts, folder is not None)
        home = None if folder is None else Folder(folder, asks, rows)
        try:
            self.result = table = SweepResult([Result(ask.number, ask.point, parameters=_size(ask)) for ask in asks])
            with bars.bar({ask.number: ask.fit["epochs"] for ask in asks}, progress, str(found)) as bar:
                taker = _Taker(table, keep, rows.validates, home, bar)
                there = set[int]() if home is None else set(taker.read())
                left = [ask for ask in asks if ask.number not in there]
                send = keep != "none" or home is not None
                if client is not None:
                    engines.by_dask(client, left, rows, threads, send, taker)
                elif backend is not None:
                    engines.by_joblib(left, rows, threads, send, taker)
                else:
                    engines.here(left, rows, threads, send, taker)
        finally:
            if home is not None:
                home.close()
        return table

    def plan(
        self,
        X: Any,
        y: Any,
        *,
        validation: Any = None,
        sample_weight: Any = None,
        keep: str = "all",
        **options: Any,
    ) -> memory.Plan:
        """Says what `fit` would need of the machine's memory, and checks all points. Nothing is trained.

        Parameters
        ----------
        X, y, validation, sample_weight, keep : object
            As for `fit`.
        **options : object
            As for `fit`.

        Returns
        -------
        Plan
            Printed, it reads "4096 models of 64-100-10, float64, Adam, need 0.9 GB of memory ...". `needed` is the
            number of bytes.

        Raises
        ------
        ImpossiblePoints, TypeError, ValueError
            As `fit`.
        """
        asks, rows, _ = self._asks(X, y, validation, sample_weight, None, options)
        return memory.plan(asks, _check_keep(keep), rows.nbytes())

    def training_rows(
        self, number: int, X: Any, y: Any, *, validation: Any = None, sample_weight: Any = None, **options: Any
    ) -> dict[str, Any]:
        """Gives what the model of a point is trained on: `fastmlp.audit(transcript, **sweep.training_rows(7, X, y))`.

        Parameters
        ----------
        number : int
            The point's number, from 0.
        X, y, validation, sample_weight : object
            As `fit` had them.
        **options : object
            As for `fit`.

        Returns
        -------
        dict
            The arguments "X", "y", "sample_weight", "class_weight" and "validation" of `fastmlp.audit`, without the
            rows that a fraction holds out.

        Raises
        ------
        ImpossiblePoints, TypeError, ValueError
            As `fit`; or if there is no such point.
        """
        asks, rows, _ = self._asks(X, y, validation, sample_weight, None, options)
        if not 0 <= scalars.whole(number, "number") < len(asks):
            raise ValueError(f"number={number} is no point of {len(asks)}: give 0 to {len(asks) - 1}")
        ask = asks[number]
        ready = rows.of(ask.spec, bool(ask.model.get("standardize")))
        weights = {"sample_weight": ready.sample_weight, "class_weight": ask.fit.get("class_weight")}
        return {"X": ready.x, "y": ready.y, **weights, "validation": ready.validation}

    def _asks(
        self, X: Any, y: Any, validation: Any, sample_weight: Any, threads: Any, options: Mapping[str, Any]
    ) -> tuple[list[Ask], Rows, int | None]:
        """What each point asks for, the rows, and the number of threads: all checked."""
        common = self._common(options)
        threads = fit_options.thread_count(threads)
        rows = Rows(X, y, validation, sample_weight, self.seed)
        asks = check_all(self.points, common, rows)
        rows.tell()
        return asks, rows, threads

    def _common(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The values of points that do not have their own: those of `fit`, then those of `base`."""
        for name, value in options.items():
            if name not in FIT:
                raise no_option_of_fit(name)
            if all(name in point for point in self.points):
                raise ValueError(f"{name}={shown(value)} is given to fit, and each point has its own: leave one out")
        return {**self.base, **{name: plain(value) for name, value in options.items()}}


class _Taker:
    """Takes results as they come: into the folder, into the table, and onto the bar."""

    def __init__(self, table: SweepResult, keep: str, validates: bool, home: Folder | None, bar: bars.Bar) -> None:
        self._table, self._keep, self._home, self._bar = table, keep, home, bar
        self._metric = "validation_loss" if validates else "loss"
        self._best: tuple[float, int] | None = None  # of models that are kept
        self.told = bar.told

    def read(self) -> list[int]:
        """Takes what is in the folder already. -> the numbers of the points."""
        assert self._home is not None
        numbers = self._home.done()
        for number in numbers:
            self._keep_of(self._home.read(number))
        return numbers

    def take(self, result: Result) -> None:
        """Takes a model that has ended."""
        if self._home is not None:
            self._home.write(result)
        self._keep_of(result)

    def _keep_of(self, result: Result) -> None:
        """Puts a result into the table, with or without its model."""
        if self._keep == "none":
            result.model = None
        elif self._keep == "best":
            rank = getattr(result, self._metric), result.number
            if result.state != TRAINED or not math.isfinite(rank[0]) or (self._best and rank > self._best):
                result.model = None
            else:
                if self._best is not None:
                    self._table[self._best[1]].model = None
                self._best = rank
        self._table.results[result.number] = result
        self._bar.ended(result)


def _with_transcripts(asks: Sequence[Ask], given: Any, continues: bool) -> list[Ask]:
    """The same, with a transcript each in a folder, which is made. Raises FileExistsError where others are there."""
    from fastmlp.fit.transcribing import Repeated

    asked = given if isinstance(given, Transcript) else Transcript(scalars.path(given, "transcripts"))
    home = os.path.abspath(asked.path)
    os.makedirs(home, exist_ok=True)
    if not continues and (others := os.listdir(home)):
        raise FileExistsError(
            f"transcripts={asked.path!r} is not empty ({shown(others[0])}), and nothing is written over: name another "
            "folder; or give folder, too, to continue a sweep"
        )

    def of(ask: Ask) -> Transcript:
        return Repeated(os.path.join(home, f"point-{ask.number:06d}.jsonl"), asked.every, asked.checkpoint_every)

    return [replace(ask, transcript=of(ask)) for ask in asks]


def _check_keep(keep: str) -> str:
    if keep not in KEEP:
        raise ValueError(f"keep={shown(keep)} is not known: use {either(KEEP)}")
    return keep


def _size(ask: Ask) -> int:
    return ask.spec.parameters
