"""What a fit writes into its transcript, and when; `storage/transcript.py` has the file."""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.core.network import Network
from fastmlp.engine.backends import name_of
from fastmlp.fit.transcript import Transcript
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.storage import checkpoints, model_file, rng_state, transcript
from fastmlp.storage.transcript import Chain
from fastmlp.training import RECORD, Step

Fit = Any  # of fit.py, which imports this file
FIGURES = [name for name in RECORD.names or () if name not in ("epoch", "seconds")]

# How much of the training's time lines and checkpoints take. The interval is chosen by the size of the work alone, so
# that it is the same on every machine; what a machine needs is measured, and intervals are doubled where that is more.
PART = 0.01  # of the time, for each of the two
SPEED = 8e9  # multiplications a second that a training is taken to do: few networks do more with one core
BATCH = 1.5e-6  # seconds that a batch takes at least
LINE, LINE_BYTES = 1e-3, 2e8  # seconds that a line takes, and the bytes a second that are digested
FILE, FILE_BYTES = 4e-3, 5e7  # the same of a checkpoint
MOST_CHECKPOINTS = 32
SOON = 0.5  # seconds after which the measured time counts


class Repeated(Transcript):
    """A sweep's, of a point whose result may have been lost after the transcript's end."""

    repeats = True


class Transcriber:
    """Writes a fit's transcript. asked: its path, or a Transcript."""

    advice = "; resume=True takes it up from its last checkpoint"  # where it cannot be written any more

    def __init__(self, asked: Any) -> None:
        self.asked = asked if isinstance(asked, Transcript) else Transcript(asked)
        self.path = os.path.abspath(self.asked.path)  # the working folder may change
        self.every = self.checkpoint_every = 0
        self._last: dict[str, Any] | None = None  # the last line
        self._ahead: list[dict[str, Any]] = []  # lines that an interrupted fit has written of epochs that come again
        self._seen = self._since = 0  # the epoch of the last line, and of the one before where a fit continues
        self._begun = False  # whether there is a first line of this fit, and no more
        self._broken = False  # whether the file cannot be written any more
        self._best: tuple[Network | None, str | None] = (None, None)  # and its digest
        self._spent = [0.0, 0.0]  # seconds: of lines, of checkpoints

    def plan(self, fit: Fit, last: int) -> int:
        """Chooses the intervals, once the fit's options are known. -> the epochs between two lines, at the least.

        last: the number of the fit's last epoch.
        """
        asked = self.asked
        epochs = max(1, last - fit.begun)
        rows, batch = len(fit.targets), fit.options.batch_size
        state = fit.network.parameters.nbytes * (2 + len(fit.run.state.vectors))  # 2: with what is kept
        an_epoch = self._choose(fit.network.spec.parameters * rows, -(-rows // batch), state)
        file = FILE + (state + RECORD.itemsize * epochs / 2) / FILE_BYTES
        most = max(1, min(MOST_CHECKPOINTS, int(PART * epochs * an_epoch / file)))
        if asked.every is not None:
            most = MOST_CHECKPOINTS
        some = -(-epochs // most)
        self.checkpoint_every = asked.checkpoint_every or -(-some // self.every) * self.every
        self._seen = fit.run.epochs
        return self.every

    def _choose(self, work: int, batches: int, state: int) -> float:
        """Chooses the interval. -> seconds of an epoch. work: parameters x rows. state: bytes that a line digests."""
        an_epoch = work * 3 / SPEED + BATCH * batches
        self.every = self.asked.every or _power_of_two((LINE + state / LINE_BYTES) / (PART * an_epoch))
        return an_epoch

    def check(self, fit: Fit) -> None:
        """Raises FileExistsError, ValueError or OSError where this fit's transcript cannot be written."""
        folder = transcript.folder_of(self.path)
        if fit.moment is not None and fit.moment.ended:
            self._check_ended()
            return
        if fit.moment is not None and os.path.exists(self.path):
            self._take_up(fit, transcript.read(self.path))
            return
        if fit.options.resume is True and os.path.exists(self.path):
            self._check_same(fit, transcript.read(self.path))  # which has no state: there would be a moment
            self._begun = True
            return
        if os.path.lexists(self.path):
            raise FileExistsError(
                f"transcript={self.asked.path!r}: {self.path} exists, and is not written over: give another name, "
                "remove the transcript and its folder, or give resume=True to continue it"
            )
        if os.path.lexists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
            raise FileExistsError(
                f"transcript={self.asked.path!r}: {folder} exists, without its transcript, and is not written over: "
                "give another name, or remove the folder"
            )
        if not os.path.isdir(os.path.dirname(self.path)):
            raise FileNotFoundError(f"transcript={self.asked.path!r}: there is no such folder, make it first")

    def _check_ended(self) -> None:
        """Raises ValueError where a fit that has ended has no transcript with an end: nothing would write it."""
        if not os.path.exists(self.path):
            what = "there is no such transcript: leave it out"
        elif not transcript.read(self.path).ended:
            what = "the transcript has no end: give resume=PATH of a checkpoint in its folder"
        else:
            return
        raise ValueError(f"transcript={self.asked.path!r}: the fit of the checkpoint has ended, and {what}")

    def begin(self, fit: Fit) -> None:
        """Writes what is trained, and the state that it begins with."""
        if self._last is not None:
            self._compare_begin(fit, self._last)
            return
        head = transcript.chained(
            {"record": "head", **head_of(fit, self), "machine": machine(name_of(fit.backend), fit.options.threads)},
            None,
        )
        kept, folder = fit.moment.kept if fit.moment else None, transcript.folder_of(self.path)
        state = self._state(fit, fit.run.epochs, kept)
        if self._begun:
            os.unlink(self.path)
        transcript.begin(self.path, head)
        self._last = head
        try:
            os.makedirs(folder, exist_ok=True)
            self._add(fit, state, True, kept)
        except BaseException:  # what has not begun leaves nothing that a second attempt would meet
            _remove(self.path, os.unlink)
            _remove(transcript.checkpoint_of(self.path, state), os.unlink)
            _remove(folder, os.rmdir)
            raise
        self._spent = [0.0, 0.0]

    def _compare_begin(self, fit: Fit, line: dict[str, Any]) -> None:
        """Raises ValueError where a fit does not continue from the state of a line that is of its epoch."""
        epoch = fit.run.epochs
        assert fit.moment is not None
        here = state_of(fit, self._since, epoch, self._digest_of_best(fit), fit.moment.kept)
        if line["epoch"] == epoch and (wrong := first_difference(line, here)):
            raise ValueError(
                f"transcript={self.asked.path!r}: {wrong} after epoch {epoch} is not that of the checkpoint: one of "
                "the two was changed"
            )

    def see(self, fit: Fit, step: Step) -> str | None:
        """Writes a line after an epoch where one is due. -> why training ends here: None."""
        epoch = step.epochs
        if step.state != "more" or not self._is_due(epoch, fit):
            return None
        self._note(fit, self._state(fit, epoch, step.kept), step.kept)
        return None

    def end(self, fit: Fit) -> None:
        """Writes how the training has ended."""
        line = self._state(fit, None, None, "end")
        self._note(fit, {**line, "trained": fit.trained, "stopped": fit.history.stopped})

    # -----------------------------------------------------------------------------------------------------

    def _is_due(self, epoch: int, fit: Fit) -> bool:
        return epoch > self._seen and epoch % self.every == 0 and epoch < fit.training.last

    def _state(self, fit: Fit, epoch: int | None, kept: np.ndarray | None, record: str = "epoch") -> dict[str, Any]:
        """What a line says of the state after an epoch, but for its interval and its checkpoint."""
        began = time.perf_counter()
        line = {"record": record, **state_of(fit, self._seen, epoch, self._digest_of_best(fit), kept)}
        self._spent[0] += time.perf_counter() - began
        return line

    def _digest_of_best(self, fit: Fit) -> str | None:
        """That of what early stopping would restore; computed where it is another than before."""
        best = fit.monitor.best
        if best is not self._best[0]:
            self._best = best, None if best is None else _digest_of(best)
        return self._best[1]

    def _note(self, fit: Fit, line: dict[str, Any], kept: np.ndarray | None = None) -> None:
        """Writes a line, or compares it with the one that an interrupted fit has written."""
        if not self._ahead:
            due = line["record"] != "end" and line["epoch"] % self.checkpoint_every == 0
            self._write(fit, line, due, kept)
            return
        there = self._ahead.pop(0)
        if wrong := first_difference(there, line):
            raise ValueError(
                f"transcript={self.asked.path!r}, line {there['line'] + 1}: {wrong} after epoch {line['epoch']} is not "
                "what it was before the interruption: run fastmlp verify on both machines"
            )
        self._last, self._seen, self.every = there, line["epoch"], there["every"]
        if there["checkpoint"] and there["record"] == "epoch":  # which may be damaged, or missing
            try:
                checkpoints.write(transcript.checkpoint_of(self.path, there), fit.moment_now(kept=kept), sync=False)
            except OSError as error:
                told = (
                    f"transcript={self.asked.path!r}: the checkpoint of epoch {line['epoch']} was not written: {error}"
                )
                warnings.warn(told, stacklevel=2)

    def _write(self, fit: Fit, line: dict[str, Any], checkpoint: bool, kept: np.ndarray | None = None) -> None:
        """Writes a line, or warns."""
        if self._broken:
            return
        try:
            self._add(fit, line, checkpoint, kept)
        except OSError as error:
            self._broken = True
            warnings.warn(
                f"transcript={self.asked.path!r} was not written after epoch {line['epoch']}: {error}. Training "
                f"continues without it{self.advice}",
                stacklevel=2,
            )

    def _add(self, fit: Fit, line: dict[str, Any], checkpoint: bool, kept: np.ndarray | None) -> None:
        """Adds a line, after its checkpoint. Raises OSError."""
        assert self._last is not None
        began = time.perf_counter()
        if checkpoint:
            checkpoints.write(transcript.checkpoint_of(self.path, line), fit.moment_now(kept=kept), sync=False)
            self._spent[1] += time.perf_counter() - began
        began = time.perf_counter()
        if self._last["record"] != "head":  # the first state's interval is the head's
            self._slow_down(fit, checkpoint)
        line = transcript.chained({**line, "every": self.every, "checkpoint": checkpoint}, self._last)
        transcript.append(self.path, line)
        self._last, self._seen = line, line.get("trained", line["epoch"])
        self._spent[0] += time.perf_counter() - began

    def _slow_down(self, fit: Fit, checkpoint: bool) -> None:
        """Doubles an interval that was chosen here, where lines or checkpoints take more time than they may."""
        seconds = time.perf_counter() - fit.started
        if seconds < SOON or self.asked.every is not None:
            return
        if self._spent[0] > PART * seconds:
            self.every *= 2
        if checkpoint and self._spent[1] > PART * seconds:
            self.checkpoint_every *= 2
        self.checkpoint_every = -(-self.checkpoint_every // self.every) * self.every

    def _take_up(self, fit: Fit, chain: Chain) -> None:
        """Continues with what an interrupted fit has written. Raises ValueError where it is of another fit."""
        assert fit.moment is not None
        name, epoch = self.asked.path, fit.run.epochs
        own_folder = os.path.dirname(fit.moment.path or "") == transcript.folder_of(self.path)
        if chain.ended and own_folder and not self.asked.repeats:
            raise ValueError(f"transcript={name!r} has its end already: give another name")
        self._check_same(fit, chain)
        before = [line for line in chain.states if line["record"] == "epoch" and line["epoch"] <= epoch]
        due = chain.states[len(before) :]
        if not before or (not due and epoch - before[-1]["epoch"] >= before[-1]["every"]):
            raise ValueError(
                f"transcript={name!r} ends after epoch {chain.states[-1]['epoch'] if chain.states else 0}, and the fit "
                f"continues after {epoch}: lines are missing; continue from a checkpoint in its folder"
            )
        self._since = before[-2]["epoch"] if len(before) > 1 else before[-1]["epoch"]
        self._last, self._ahead, self._seen = before[-1], due, before[-1]["epoch"]
        self.every = before[-1]["every"]
        self.checkpoint_every = -(-self.checkpoint_every // self.every) * self.every
        if chain.cut_short:
            os.truncate(self.path, chain.whole)

    def _check_same(self, fit: Fit, chain: Chain) -> None:
        """Raises ValueError where a transcript is of another fit."""
        name = self.asked.path
        own = head_of(fit, self)
        for key in ("spec", "standardize", "fit", "begun", "every", "rate_begins"):
            if not same(own[key], chain.head[key]):
                part = _differing_key(own[key], chain.head[key])
                what = f"{key}'s {part}" if part else key
                raise ValueError(f"transcript={name!r} is of another fit, its {what} differs: give another name")


# ---------------------------------------------------------------------------------------------------------
# What lines say


def head_of(fit: Fit, own: Transcriber) -> dict[str, Any]:
    """What a transcript's first line says of a fit, but for the machine."""
    network = fit.network
    return {
        "format": transcript.FORMAT,
        "version": transcript.FORMAT_VERSION,
        "numerics": NUMERICS_VERSION,
        "spec": checkpoints.plain(network.spec.described()),
        "standardize": network.standardize,
        "fit": fit.asked,
        "rows": len(fit.targets),
        "begun": fit.begun,
        "first": fit.run.epochs,
        "every": own.every,
        "seed": seed_of(network),
        "callback": fit.options.callback is not None,
        "rate_begins": fit.run.rate_begins,
    }


def seed_of(network: Network) -> dict[str, Any]:
    """A network's seed: the number itself, or the digest of a generator's state."""
    seed = rng_state.state_of(network.seed_to_resume())
    return seed if seed["kind"] == "int" else {"kind": seed["kind"], "digest": transcript.digest(seed)}


def state_of(fit: Fit, since: int, epoch: int | None, best: str | None, kept: np.ndarray | None) -> dict[str, Any]:
    """What a line says of the state after an epoch, or at the end (None).

    since: the epoch of the line before. best: the digest of early stopping's. kept: the last Step's.
    """
    stopping = fit.monitor.stopping
    network, run, records = fit.network, fit.run, fit.history.records()
    some = records[records["epoch"] > since]
    if epoch is not None:
        some = some[some["epoch"] <= epoch]
    seed = rng_state.state_of(network.seed_to_resume())
    return {
        "epoch": run.epochs,
        "epochs": network.epochs,
        "parameters": transcript.digest_of_parameters(network),
        "optimizer": transcript.digest(run.state.vectors, run.state.powers),
        "order": transcript.digest(seed, network.drawn_seed),
        "rate": float(fit.training.rates(np.array([run.epochs]))[0]),
        "plateau": None if run.plateau is None else checkpoints.plain(run.plateau.state()),
        "history": transcript.digest(some["epoch"], *(plain_nan(some[name]) for name in FIGURES)),
        "loss": float(some["loss"][-1]) if len(some) else None,
        "best": None if stopping is None else transcript.digest(best, stopping, fit.history.best_epoch),
        "kept": None if kept is None else transcript.digest(kept),
    }


def first_difference(there: dict[str, Any], here: dict[str, Any]) -> str | None:
    """The first thing in words in which a line that is there differs from the state here; None for none."""
    for name, words in WORDS.items():
        if name in there and name in here and not same(there[name], here[name]):
            return words
    return None


def same(one: Any, other: Any) -> bool:
    """Whether two values have one spelling in JSON: neither 1 and true nor 1 and 1.0 have."""
    return transcript.text_of(one) == transcript.text_of(other)


WORDS = {
    "record": "the kind of line",
    "trained": "the epoch of the end",
    "epoch": "the epoch",
    "epochs": "the count of epochs",
    "order": "the order of rows (the seed's state)",
    "rate": "the learning rate",
    "plateau": "the learning rate's plateau",
    "parameters": "the digest of the parameters",
    "optimizer": "the digest of the optimizer's state",
    "history": "the digest of the records",
    "loss": "the loss",
    "best": "the digest of early stopping's state",
    "kept": "the digest of the weights that a divergence ends with",
    "stopped": "why the training stopped",
}


def _digest_of(best: Network) -> str:
    run = best.run
    assert run is not None
    counts = run.epochs, best.epochs, None if run.plateau is None else checkpoints.plain(run.plateau.state())
    return transcript.digest(best.parameters, run.state.vectors, run.state.powers, counts)


def _remove(path: str, how: Callable[[str], None]) -> None:
    """Removes a file or a folder, if that is possible."""
    try:
        how(path)
    except OSError:
        pass


def plain_nan(column: np.ndarray) -> np.ndarray:
    """A record's column, with one kind of NaN."""
    return np.where(np.isnan(column), np.nan, column)


def _power_of_two(least: float) -> int:
    return 1 << max(0, int(np.ceil(np.log2(max(least, 1.0)))))


def _differing_key(one: Any, other: Any) -> str:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return ""
    return next((name for name in sorted({*one, *other}) if one.get(name) != other.get(name)), "")


def machine(backend: str, threads: int | None) -> dict[str, Any]:
    """Where it was written: no part of the chain, which is to be the same on every machine."""
    return {
        "fastmlp": model_file.versions("transcript")["fastmlp"],
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": platform.machine(),
        "backend": backend,
        "threads": threads,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
