"""Checkpoints: a training in a file, so that a process that was killed resumes exactly.

A checkpoint is a model's file, which `Model.load` reads. It also has the rest of a fit: its history, the state of early
stopping and the weights that this would restore, the weights that a diverging fit ends with, and the arguments.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.core.network import Network
from fastmlp.spec import Spec
from fastmlp.stopping import StoppingRun
from fastmlp.storage import model_file, whole_files
from fastmlp.training import RECORD, State

KIND = "checkpoint"
FIGURES = [name for name in RECORD.names or () if name != "epoch"]


@dataclass
class Moment:
    """The state of a fit after one of its epochs."""

    network: Network
    asked: dict[str, Any]  # the fit's arguments, as JSON holds them
    begun: int  # epochs of the run before the fit
    records: np.ndarray  # (R,), of dtype RECORD
    seconds: float
    stopped: str | None
    ended: bool  # whether nothing is left to do
    best_epoch: int | None = None
    stopping: dict[str, Any] | None = None  # the state of early stopping
    best: Network | None = None  # what early stopping would restore
    kept: np.ndarray | None = None  # (P,): the parameters before the last record of a finite loss
    path: str | None = None  # the file that it was read from


class Checkpoints:
    """Where and when a fit's checkpoints are written. keep: the number of files; the newest is at `path` itself.

    Older files are removed only if this training wrote them, which is told by name, inode and time.
    """

    def __init__(self, path: str | os.PathLike, every: int, keep: int) -> None:
        self.path, self.every, self.keep = os.path.abspath(path), every, keep  # absolute: the working folder may change
        self._tried: int | None = None  # the epoch of the newest file, or of the last attempt to write one
        self._unfinished = False  # whether `path` has a training that has not ended
        self._aside: list[tuple[str, _Identity]] = []  # older files of this training, the oldest first

    def is_at(self, path: str | None) -> bool:
        """Tells whether a file is the one at `path`."""
        if path is None:
            return False
        try:
            return os.path.samefile(path, self.path)
        except OSError:
            return False

    def check(self, spec: Spec) -> None:
        """Raises ValueError if something else is at `path` already, and OSError if no file can be written."""
        if os.path.exists(self.path):
            try:
                there, header, _ = model_file.read(self.path, KIND, "model")
            except ValueError as error:
                raise ValueError(
                    f"checkpoint={self.path!r} exists, and would be replaced, but is not a checkpoint: {error}"
                ) from None
            if there.spec != spec:
                raise ValueError(
                    f"checkpoint={self.path!r} exists, and is of another network, {list(there.spec.layers)}: remove "
                    "it, or give another name"
                )
            of = header.get("checkpoint")
            self._unfinished = isinstance(of, dict) and of.get("ended") is False and there.epochs > 0
        whole_files.check_writable(self.path)

    def begin(self, moment: Moment) -> None:
        """Writes the first checkpoint, after `check`. The file of a training that has not ended is renamed."""
        if self._unfinished:
            before = f"{self.path}.before"
            os.replace(self.path, before)
            warnings.warn(
                f"checkpoint={self.path!r} had a training that has not ended, which is now {before!r}: give "
                "resume=True to continue one",
                stacklevel=2,
            )
        self._write(moment)

    def went_on(self, moment: Moment) -> None:
        """The fit continues from the file at `path`. Older files beside it belong to this training, too."""
        epoch = moment.network.run.epochs if moment.network.run else 0
        self._tried = epoch
        folder, name = os.path.split(self.path)
        stem, suffix = os.path.splitext(name)
        found = []
        try:
            for entry in os.listdir(folder):
                number = entry[len(stem) + 1 : len(entry) - len(suffix)]
                if entry == f"{stem}-{number}{suffix}" and number.isdecimal() and int(number) < epoch:
                    found.append((int(number), os.path.join(folder, entry)))
        except OSError:  # a folder that may not be listed
            found = []
        for _, older in sorted(found) if self.keep > 1 else ():
            if _is_of(older, moment):
                self._aside.append((older, _identity(older)))

    def due(self, epoch: int) -> bool:
        """Tells whether a checkpoint is to be written after this epoch of the run."""
        return self._tried is None or epoch // self.every > self._tried // self.every

    def write(self, moment: Moment) -> None:
        """Writes a checkpoint. If that fails, training goes on, and a warning says so."""
        assert moment.network.run is not None
        if self.keep > 1 and self._tried not in (None, moment.network.run.epochs):
            self._set_aside()
        self._write(moment)
        self._prune()

    def _write(self, moment: Moment) -> None:
        """Writes a checkpoint, or warns."""
        assert moment.network.run is not None
        epoch = moment.network.run.epochs
        try:
            write(self.path, moment)
        except (OSError, ValueError) as error:  # ValueError: a pipe in its place
            before = ", and the previous checkpoint is unchanged" if os.path.isfile(self.path) else ""
            warnings.warn(
                f"checkpoint={self.path!r} was not written after epoch {epoch}: {error}. Training continues{before}",
                stacklevel=2,
            )
        self._tried = epoch

    def _set_aside(self) -> None:
        """Gives the newest file a second name, so that there is a file at `path` at all times."""
        epoch, (stem, suffix) = self._tried, os.path.splitext(self.path)
        name = f"{stem}-{epoch}{suffix}"
        try:
            if os.path.lexists(name):
                warnings.warn(f"{name} is there already: the checkpoint of epoch {epoch} is not kept", stacklevel=2)
                return
            try:
                os.link(os.path.realpath(self.path), name)
            except OSError:  # a file system without hard links
                shutil.copy2(self.path, name)
            self._aside.append((name, _identity(name)))
        except OSError as error:
            warnings.warn(f"the checkpoint of epoch {epoch} is not kept: {error}", stacklevel=2)

    def _prune(self) -> None:
        """Removes this training's oldest files, except where something else is in their place."""
        while len(self._aside) > self.keep - 1:
            name, identity = self._aside.pop(0)
            try:
                if _identity(name) == identity:
                    os.unlink(name)
            except OSError:
                pass


_Identity = tuple[int, int, int]


def _identity(path: str) -> _Identity:
    """What tells a file from another one of the same name. Raises OSError."""
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _is_of(path: str, moment: Moment) -> bool:
    """Whether a file is a checkpoint of the same training."""
    try:
        return read(path).asked == moment.asked
    except (OSError, ValueError):
        return False


def write(path: str, moment: Moment, sync: bool = True) -> None:
    """Writes a checkpoint as one whole file. sync: as for `container.write`. Raises OSError."""
    tensors = {"checkpoint.epoch": np.ascontiguousarray(moment.records["epoch"])}
    for name in FIGURES:
        tensors[f"checkpoint.{name}"] = np.ascontiguousarray(moment.records[name])
    if moment.kept is not None:
        tensors["checkpoint.kept"] = moment.kept
    best = None
    if moment.best is not None:
        run = moment.best.run
        assert run is not None
        tensors["checkpoint.best"] = moment.best.parameters
        for number, vector in enumerate(run.state.vectors):
            tensors[f"checkpoint.best.{number}"] = vector
        best = {
            "epochs": moment.best.epochs,
            "of_run": run.epochs,
            "powers": run.state.powers.tolist(),
            "plateau": run.plateau.state() if run.plateau else None,
        }
    header = {
        "asked": moment.asked,
        "begun": moment.begun,
        "seconds": moment.seconds,
        "stopped": moment.stopped,
        "ended": moment.ended,
        "best_epoch": moment.best_epoch,
        "stopping": moment.stopping,
        "best": best,
    }
    model_file.write(path, moment.network, KIND, {"checkpoint": header}, tensors, sync)


def read(path: str | os.PathLike) -> Moment:
    """Reads a checkpoint. Raises OSError if there is none, ValueError if it is damaged or is not a checkpoint."""
    network, header, tensors = model_file.read(path, KIND)
    try:
        moment = _moment(network, header["checkpoint"], tensors)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        wrong = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{os.fspath(path)} has parts that do not fit together: {wrong}") from error
    moment.path = os.path.abspath(path)
    return moment


def _moment(network: Network, of: dict[str, Any], tensors: dict[str, np.ndarray]) -> Moment:
    """The moment that a checkpoint's header and tensors describe."""
    epochs = tensors.pop("checkpoint.epoch")
    if epochs.ndim != 1 or epochs.dtype != np.int64:
        raise ValueError("its history's epochs are not a list of whole numbers")
    records = np.zeros(len(epochs), RECORD)
    records["epoch"] = epochs
    for name in FIGURES:
        records[name] = model_file.taken(tensors, f"checkpoint.{name}", epochs.shape, "float64")
    spec, run = network.spec, network.run
    if run is None:
        raise ValueError("it has no fit to continue")
    kept = None
    if "checkpoint.kept" in tensors:
        kept = model_file.taken(tensors, "checkpoint.kept", (spec.parameters,), spec.dtype)
    best = None
    if of["best"] is not None:
        described, best = of["best"], network.at_once()
        assert best.run is not None
        best.parameters = model_file.taken(tensors, "checkpoint.best", (spec.parameters,), spec.dtype)
        vectors = np.empty_like(run.state.vectors)
        for number in range(len(vectors)):
            vectors[number] = model_file.taken(tensors, f"checkpoint.best.{number}", (spec.parameters,), spec.dtype)
        best.run.state = State(vectors, model_file.powers_of(described["powers"]))
        best.epochs, best.run.epochs = model_file.count(described["epochs"]), model_file.count(described["of_run"])
        if described["plateau"] is not None:
            if best.run.plateau is None:
                raise ValueError("its best epoch has a plateau, and its learning rate none")
            best.run.plateau = best.run.plateau.rule.start(described["plateau"])
    if tensors:
        raise ValueError(f"nothing of a checkpoint is called {next(iter(tensors))}")
    if not isinstance(of["asked"], dict) or not isinstance(of["ended"], bool):
        raise ValueError("what the fit was asked for is not a dict")
    stopping = of["stopping"]
    if stopping is not None:
        StoppingRun.check(stopping)
    return Moment(
        network=network,
        asked=of["asked"],
        begun=model_file.count(of["begun"]),
        records=records,
        seconds=float(of["seconds"]),
        stopped=None if of["stopped"] is None else str(of["stopped"]),
        ended=of["ended"],
        best_epoch=None if of["best_epoch"] is None else model_file.count(of["best_epoch"]),
        stopping=stopping,
        best=best,
        kept=kept,
    )


def check_same(asked: dict[str, Any], stored: dict[str, Any], path: str) -> None:
    """Raises ValueError for the first argument that differs from that of the checkpoint's fit."""
    if "rate_factors" in stored and "rate_factors" not in asked:
        raise ValueError(f"rate_factors is not given, and the fit whose checkpoint {path} is had some: give the same")
    for name, value in asked.items():
        if name not in stored or stored[name] != value:
            if name in ("X", "y", "sample_weight", "validation_data"):
                raise ValueError(f"{name} is not that of the fit whose checkpoint {path} is: give the same rows")
            raise ValueError(
                f"{name}={value!r:.60} where the fit whose checkpoint {path} is had {stored.get(name)!r:.60}: give the "
                "same, or name another checkpoint to start again"
            )


def plain(value: Any) -> Any:
    """Returns a value as it is restored from a file."""
    return json.loads(json.dumps(value))


def digest_of(array: np.ndarray | None) -> str | None:
    """Returns the SHA-256, in hex, of an array's shape and bytes; None for None."""
    if array is None:
        return None
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
