"""A sweep in a folder: what it was asked for, and a file for each point that is done, so that a second call continues.

`sweep.safetensors` has what was asked for. `point-000007.safetensors` is point 7, a checkpoint of a training that has
ended: `Model.load` reads it. All files are whole or are not there. Points that failed have none, and are tried again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastmlp._version import __version__
from fastmlp.checks.messages import shown
from fastmlp.checks.scalars import path as checked_path
from fastmlp.history import History
from fastmlp.model import Model
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.storage import checkpoints, container, rng_state
from fastmlp.storage.checkpoints import Moment
from fastmlp.sweep.asks import Ask
from fastmlp.sweep.points import plain
from fastmlp.sweep.results import DIVERGED, FAILED, TRAINED, Result, SweepResult
from fastmlp.sweep.rows import Rows
from fastmlp.sweep.run import restores

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = "sweep.safetensors"
POINT = re.compile(r"point-(\d{6})\.safetensors")
LEFT = re.compile(r"\.fastmlp-\d+-[0-9a-f]{16}\.new")  # by a process that was killed while it wrote
LONG = 0.2  # seconds of a training from which its file is synced, which takes some 0.01 s
ANOTHER = "name another folder, or a new one, for this sweep"


def _opened(path: str) -> Any:
    """An open folder, with its `number`, which is closed when nothing refers to it.

    Its class's `__del__` is in C: an exception that comes at any moment leaves no lock behind, and is not lost here.
    """
    number = os.open(path, os.O_RDONLY)
    return type("Opened", (), {"number": number, "__del__": staticmethod(partial(os.close, number))})()


class Folder:
    """The folder of one sweep. Raises OSError, and ValueError if it has another sweep or something else."""

    def __init__(self, path: Any, asks: Sequence[Ask], rows: Rows) -> None:
        self.path = os.path.abspath(checked_path(path, "folder"))
        self._asks = {ask.number: ask for ask in asks}
        _check_folder(self.path)
        os.makedirs(self.path, exist_ok=True)
        self._lock: Any = None
        try:
            self._take()
            names = list(dict.fromkeys(name for ask in asks for name in ask.point))
            points = [describe(ask) for ask in asks]
            asked = checkpoints.plain({"names": names, "points": points, "rows": rows.digests()})
            self.id = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
            self._begin(asked)
        except BaseException:
            self.close()
            raise

    def _take(self) -> None:
        """Makes sure that no other process works here. The system ends this with the process."""
        if fcntl is None:
            return
        self._lock = _opened(self.path)
        try:
            fcntl.flock(self._lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            if not isinstance(error, BlockingIOError):
                return  # a file system without locks
            raise RuntimeError(f"folder={self.path!r} is in use: another process runs its sweep, wait for it") from None

    def close(self) -> None:
        """Lets others in."""
        self._lock = None

    def _begin(self, asked: dict[str, Any]) -> None:
        """Compares with what is there, or writes what is asked for."""
        place = os.path.join(self.path, NAME)
        names = os.listdir(self.path)
        for name in names:
            if LEFT.fullmatch(name):
                os.unlink(os.path.join(self.path, name))
        if NAME in names:
            self._compare(asked, _description(place))
            return
        others = [name for name in names if not LEFT.fullmatch(name)]
        if others:
            raise ValueError(f"folder={self.path!r} has no sweep, and is not empty ({shown(others[0])}): {ANOTHER}")
        header = {"kind": "sweep", "fastmlp": __version__, "numerics": NUMERICS_VERSION, "id": self.id, "asked": asked}
        container.write(place, {}, header)

    def _compare(self, asked: dict[str, Any], header: dict[str, Any]) -> None:
        """Raises ValueError that says in what another sweep differs."""
        if header.get("numerics") != NUMERICS_VERSION:
            raise ValueError(
                f"folder={self.path!r} is of numerics version {shown(header.get('numerics'))}, and this fastmlp "
                f"computes by version {NUMERICS_VERSION}: {ANOTHER}"
            )
        if header.get("id") != self.id:
            raise ValueError(
                f"folder={self.path!r} has another sweep: {_difference(asked, header['asked'])}: {ANOTHER}"
            )

    # -----------------------------------------------------------------------------------------------------
    # Points

    def _place(self, number: int) -> str:
        return os.path.join(self.path, f"point-{number:06d}.safetensors")

    def write(self, result: Result) -> None:
        """Writes a point that is done; one that failed is tried again by the next call."""
        model = result.model
        if model is None or result.state == FAILED:
            return
        about = {"sweep": self.id, "point": result.number, "state": result.state, "reason": result.reason}
        history = result.history
        moment = Moment(
            network=model.snapshot(),
            asked=about,
            begun=0,
            records=history.records(),
            seconds=history.seconds,
            stopped=history.stopped,
            ended=True,
            best_epoch=history.best_epoch,
        )
        checkpoints.write(self._place(result.number), moment, sync=history.seconds > LONG)

    def done(self) -> list[int]:
        """The numbers of the points that are there."""
        found = [POINT.fullmatch(name) for name in os.listdir(self.path)]
        return sorted(number for one in found if one and (number := int(one[1])) in self._asks)

    def read(self, number: int) -> Result:
        """A point that is there. Raises ValueError that names a file that is damaged, or of something else."""
        place, ask = self._place(number), self._asks[number]
        try:
            moment = checkpoints.read(place)
        except ValueError as error:
            raise ValueError(f"{error}. Remove this file, and its point will be trained again") from error
        about = moment.asked
        if about.get("sweep") != self.id or about.get("point") != number:
            raise ValueError(f"{place} is not of this sweep: remove the file, and the point will be trained again")
        return result_of(moment, ask.point, ask.model.get("backend", "numba"), ask.fit.get("early_stopping"))


def result_of(moment: Moment, point: dict[str, Any], backend: str, early_stopping: Any) -> Result:
    """The result that a point's file describes."""
    history = History()
    history.extend(moment.records)
    history.seconds, history.stopped, history.best_epoch = moment.seconds, moment.stopped, moment.best_epoch
    model = Model.from_snapshot(moment.network, backend=backend)
    model.history = history
    about = moment.asked
    state = str(about["state"])
    return Result(
        number=int(about["point"]),
        point=point,
        state=state if state in (TRAINED, DIVERGED) else FAILED,
        reason=about["reason"],
        history=history,
        model=model,
        digest=model.digest(),
        parameters=model.spec.parameters,
        restored=state == TRAINED and restores(early_stopping, history),
    )


def load(folder: Any) -> SweepResult:
    """Reads the table of a sweep's folder, also of one that has not ended, or that another process runs.

    Parameters
    ----------
    folder : path
        What `Sweep.fit` was given.

    Returns
    -------
    SweepResult
        A result for each point; "not run" where there is no file yet. Values of points that are objects are text.

    Raises
    ------
    ValueError
        If the folder has no sweep, or a file is damaged.
    OSError
        If the system does not give a file.
    """
    path = os.path.abspath(checked_path(folder, "folder"))
    _check_folder(path)
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {path!r}")
    if not os.path.exists(os.path.join(path, NAME)):
        raise ValueError(f"folder={path!r} has no sweep: give what Sweep.fit was given")
    asked = _description(os.path.join(path, NAME))["asked"]
    results = []
    for number, ask in enumerate(asked["points"]):
        point = {name: ask["point"][name] for name in asked["names"] if name in ask["point"]}
        place = os.path.join(path, f"point-{number:06d}.safetensors")
        if os.path.exists(place):
            # EarlyStopping is stored as text; whether weights were restored shows in the figures only
            restores = ask["fit"].get("early_stopping")
            rule = None if restores is None or "best_weights=False" in str(restores) else 1
            results.append(result_of(checkpoints.read(place), point, "numba", rule))
        else:
            results.append(Result(number, point))
    return SweepResult(results)


# ---------------------------------------------------------------------------------------------------------
# What was asked for


def _check_folder(path: str) -> None:
    if os.path.exists(path) and not os.path.isdir(path):
        raise NotADirectoryError(errno.ENOTDIR, f"folder={path!r} is a file: name a folder")


def describe(ask: Ask) -> dict[str, Any]:
    """An Ask as JSON holds it."""
    parts = {"point": ask.point, "model": ask.model, "fit": ask.fit}
    return {part: {name: _described(value) for name, value in values.items()} for part, values in parts.items()}


def _described(value: Any) -> Any:
    """A value as JSON holds it; an object of fastmlp as its text, which has all of its numbers."""
    value = plain(value)
    if isinstance(value, (np.random.Generator, np.random.RandomState)):
        return rng_state.state_of(value)
    if isinstance(value, (list, tuple)):
        return [_described(one) for one in value]
    if isinstance(value, dict):
        return sorted([repr(key), _described(one)] for key, one in value.items())
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return value if value is None or isinstance(value, (bool, int, str)) else repr(value)


def _description(place: str) -> dict[str, Any]:
    """What is in the file of a sweep. Raises OSError or ValueError."""
    _, header = container.read(place)
    asked = header.get("asked")
    if header.get("kind") != "sweep" or not isinstance(asked, dict) or not isinstance(asked.get("points"), list):
        raise ValueError(f"{place} is not the file of a sweep: {ANOTHER}")
    return header


def _difference(asked: dict[str, Any], there: dict[str, Any]) -> str:
    """In words, the first thing that differs."""
    here, other = asked["points"], there["points"]
    for name, digest in asked["rows"].items():
        if digest != there["rows"].get(name):
            return f"its {name} is not this one"
    if len(here) != len(other):
        return f"it has {len(other)} points, and this one has {len(here)}"
    for number, (mine, its) in enumerate(zip(here, other, strict=True)):
        for part in ("point", "model", "fit"):
            for name in {**its[part], **mine[part]}:
                was, is_now = (one[part].get(name, "not given") for one in (its, mine))
                if was != is_now:
                    return f"point {number} has {name}={shown(was)} there, and {shown(is_now)} here"
    return "it was written by another version"
