"""Checkpoints: a training in a file, so that a process that was killed goes on as if it never had been.

A checkpoint is a model's file, which `Model.load` reads, with all that a fit has beside the model: its history, what
early stopping has seen and would go back to, the weights that a diverging fit ends with, and what was asked for.
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
from fastmlp.stopping import StoppingRun
from fastmlp.storage import model_file
from fastmlp.training import RECORD, State

KIND = "checkpoint"
FIGURES = [name for name in RECORD.names or () if name != "epoch"]


@dataclass
class Moment:
    """A fit after one of its epochs."""

    network: Network
    asked: dict[str, Any]  # what the fit was asked for, as JSON has it
    begun: int  # epochs of the run before the fit
    records: np.ndarray  # (R,), of dtype RECORD
    seconds: float
    stopped: str | None
    ended: bool  # whether nothing is left to do
    best_epoch: int | None = None
    stopping: dict[str, Any] | None = None  # what early stopping has seen
    best: Network | None = None  # what it would go back to
    kept: np.ndarray | None = None  # (P,): what the last record of a finite loss began with


class Checkpoints:
    """Where a fit's checkpoints go, and when. keep: how many files, the newest at `path` itself."""

    def __init__(self, path: str | os.PathLike, every: int, keep: int) -> None:
        self.path, self.every, self.keep = os.fspath(path), every, keep
        self._written: int | None = None  # the epoch of the file at `path`, if this fit wrote or read it
        self._looked_at: dict[str, bool] = {}  # files beside it: whether they are checkpoints

    def begin(self, moment: Moment) -> None:
        """Writes the first one. Raises OSError where it cannot, and ValueError for a file that is something else."""
        if os.path.exists(self.path):
            try:
                model_file.read(self.path, KIND, "model")
            except ValueError as error:
                raise ValueError(
                    f"checkpoint={self.path!r} is there, and would be replaced, but is no checkpoint: {error}"
                ) from None
        write(self.path, moment)
        self._written = moment.network.run.epochs if moment.network.run else 0

    def went_on(self, epoch: int) -> None:
        """The file at `path`, of this epoch, is where the fit goes on from."""
        self._written = epoch

    def due(self, epoch: int) -> bool:
        """Whether one is to be written after this epoch of the run."""
        return self._written is None or epoch // self.every > self._written // self.every

    def write(self, moment: Moment) -> None:
        """Writes one. Where it cannot, training goes on, and a warning says so."""
        assert moment.network.run is not None
        epoch = moment.network.run.epochs
        try:
            if self.keep > 1 and self._written is not None and self._written != epoch and os.path.exists(self.path):
                self._set_aside(self._written)
            write(self.path, moment)
        except OSError as error:
            warnings.warn(
                f"checkpoint={self.path!r} was not written after epoch {epoch}: {error}. The training goes on, and the "
                "checkpoint before is as it was",
                stacklevel=2,
            )
            return
        self._written = epoch
        self._prune()

    def _older(self, epoch: int | str) -> str:
        stem, suffix = os.path.splitext(self.path)
        return f"{stem}-{epoch}{suffix}"

    def _set_aside(self, epoch: int) -> None:
        """Gives the newest file a second name, so that there is one at `path` all the time."""
        name = self._older(epoch)
        if os.path.exists(name):
            if not self._is_checkpoint(name):
                return
            os.unlink(name)
        try:
            os.link(self.path, name)
        except OSError:  # a file system without hard links
            shutil.copy2(self.path, name)
        self._looked_at[name] = True

    def _prune(self) -> None:
        """Removes the oldest checkpoints, and no other file whose name is like theirs."""
        folder, name = os.path.split(self.path)
        stem, suffix = os.path.splitext(name)
        found = {}
        for entry in os.listdir(folder or "."):
            number = entry[len(stem) + 1 : len(entry) - len(suffix)]
            if entry == f"{stem}-{number}{suffix}" and number.isdecimal():
                found[int(number)] = os.path.join(folder, entry)
        ours = [epoch for epoch in sorted(found) if self._is_checkpoint(found[epoch])]
        for epoch in ours[: max(0, len(ours) - self.keep + 1)]:
            try:
                os.unlink(found[epoch])
            except OSError:
                pass

    def _is_checkpoint(self, path: str) -> bool:
        if path not in self._looked_at:
            try:
                model_file.read(path, KIND)
            except (OSError, ValueError):
                self._looked_at[path] = False
            else:
                self._looked_at[path] = True
        return self._looked_at[path]


def write(path: str, moment: Moment) -> None:
    """Writes a checkpoint as one whole file. Raises OSError."""
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
    model_file.write(path, moment.network, KIND, {"checkpoint": header}, tensors)


def read(path: str | os.PathLike) -> Moment:
    """The checkpoint of a file. Raises OSError where there is none, ValueError for what is damaged or no checkpoint."""
    network, header, tensors = model_file.read(path, KIND)
    try:
        return _moment(network, header["checkpoint"], tensors)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        wrong = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{os.fspath(path)} has parts that do not fit together: {wrong}") from error


def _moment(network: Network, of: dict[str, Any], tensors: dict[str, np.ndarray]) -> Moment:
    epochs = tensors.pop("checkpoint.epoch")
    if epochs.ndim != 1 or epochs.dtype != np.int64:
        raise ValueError("its history's epochs are no list of whole numbers")
    records = np.zeros(len(epochs), RECORD)
    records["epoch"] = epochs
    for name in FIGURES:
        records[name] = model_file.taken(tensors, f"checkpoint.{name}", epochs.shape, "float64")
    spec, run = network.spec, network.run
    if run is None:
        raise ValueError("it has no fit to go on with")
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
        raise ValueError("what the fit was asked for is no dict")
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
    """Raises ValueError that names the first argument that is not as the checkpoint's fit had it."""
    for name, value in asked.items():
        if name not in stored or stored[name] != value:
            if name in ("X", "y", "sample_weight", "validation_data"):
                raise ValueError(f"{name} is not that of the fit whose checkpoint {path} is: give the same rows")
            raise ValueError(
                f"{name}={value!r:.60} where the fit whose checkpoint {path} is had {stored.get(name)!r:.60}: give the "
                "same, or name another checkpoint to begin anew"
            )


def plain(value: Any) -> Any:
    """A value as it comes back from a file."""
    return json.loads(json.dumps(value))


def digest_of(array: np.ndarray | None) -> str | None:
    """SHA-256, in hex, of an array's shape and bytes."""
    if array is None:
        return None
    digest = hashlib.sha256(f"{array.shape} {array.dtype}".encode())
    digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
