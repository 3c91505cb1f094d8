"""Trains a part of a transcript again: from one of its checkpoints, compared with every line up to another."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp.errors import DivergenceError
from fastmlp.fit.transcribing import Fit, Transcriber, first_difference, same, seed_of, state_of
from fastmlp.model import Model
from fastmlp.stopping import EarlyStopping
from fastmlp.storage import checkpoints, transcript
from fastmlp.storage.transcript import Chain
from fastmlp.training import State

_AS_THEY_ARE = (
    *("epochs", "batch_size", "shuffle", "l2", "l1", "clip_value", "clip_norm", "record_every", "target_loss"),
    "target_accuracy",
)
_DATA = ("X", "y", "sample_weight", "validation_data")
CALLED = "the callback asked for it"  # how `stopped` begins, where a callback ended the training


class Differs(ValueError):
    """What a transcript says is not what this machine finds. Its text names the place."""


@dataclass(frozen=True)
class Data:
    """The rows of a transcript's fit, and what else of it is given as arrays: as `Model.fit` takes them."""

    X: Any
    y: Any
    sample_weight: Any = None
    class_weight: Any = None
    validation: Any = None

    def check(self, head: dict[str, Any]) -> None:
        """Raises ValueError where something is not given that the fit had."""
        asked = head["fit"]
        if asked.get("validation") is None and asked.get("validation_data") not in (None, [None, None]):
            if self.validation is None:
                raise ValueError("validation is not given, and the transcript's fit had rows for it: give (X, y)")
        elif self.validation is not None:
            raise ValueError("validation is given, and the transcript's fit had no rows for it: leave it out")
        weighs = self.sample_weight is not None or self.class_weight is not None
        if weighs != (asked.get("sample_weight") is not None):
            what = "had none: leave both out" if weighs else "had weights: give those that it had"
            raise ValueError(f"sample_weight or class_weight: the transcript's fit {what}")


def options_of(chain: Chain, data: Data) -> dict[str, Any]:
    """The options of a transcript's fit. Raises Differs where its first line has what no fit can have."""
    asked = chain.head["fit"]
    try:
        given = {name: asked[name] for name in _AS_THEY_ARE}
        rates = [schedules.from_description(rate) if isinstance(rate, dict) else rate for rate in asked["dropout"]]
        factors, rule = asked.get("rate_factors"), asked["early_stopping"]
        return {
            **given,
            "dropout": rates or 0.0,
            "rate_factors": factors and {name: of for name, of in factors.items() if name != "input_scale" or of != 1},
            "early_stopping": rule and EarlyStopping(**rule),
            "validation": data.validation if asked["validation"] is None else asked["validation"],
            "sample_weight": data.sample_weight,
            "class_weight": data.class_weight,
            "progress": False,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Differs(f"line 1: the fit's options cannot be those of a fit: {error}") from error


class Replayer(Transcriber):
    """Compares a fit with lines of a transcript, from that of its checkpoint on. start, end: their places in `states`.

    The fit ends at the last of them. `found` says what differs.
    """

    def __init__(self, chain: Chain, start: int, end: int) -> None:
        self.chain, self.start = chain, start
        self.left = chain.states[start + 1 : end + 1]
        self.found: Differs | None = None
        self.compared = 0  # lines
        self.done = False
        self.kept: np.ndarray | None = None  # as it is at the beginning
        self._best = (None, None)

    def plan(self, fit: Fit, last: int) -> int:
        """The first line's interval: every other one is a multiple of it."""
        return int(self.chain.head["every"])

    def check(self, fit: Fit) -> None:
        """Raises Differs where the rows, or the checkpoint, are not those of the transcript."""
        asked = self.chain.head["fit"]
        for name in {**fit.asked, **asked}:
            if name not in asked or name not in fit.asked or not same(asked[name], fit.asked[name]):
                if name in _DATA:
                    raise Differs(f"line 1: {name} is not the one that the transcript is of")
                raise Differs(f"line 1: {name} is not what the fit has had")
        head = self.chain.head
        if len(fit.targets) != head["rows"] or fit.begun != head["begun"]:
            raise Differs("line 1: the number of rows, or of the epochs before, is not that of the fit")
        if fit.run.rate_begins != head["rate_begins"]:
            raise Differs("line 1: the epoch at which the learning rate's schedule begins is not the checkpoint's")

    def begin(self, fit: Fit) -> None:
        """Compares the checkpoint with its line. Raises Differs."""
        line = self.chain.states[self.start]
        before = self.chain.states[self.start - 1]["epoch"] if self.start else line["epoch"]
        self.kept = fit.moment.kept
        here = state_of(fit, before, line["epoch"], self._digest_of_best(fit), self.kept)
        if wrong := first_difference(line, here):
            raise Differs(f"line {line['line'] + 1}, epoch {line['epoch']}: {wrong} is not that of its checkpoint")
        head = self.chain.head
        if not self.start and not same(head["seed"], seed_of(fit.network)):
            raise Differs("line 1: its seed is not that of the first checkpoint")
        if fit.moment.stopped is not None or (not self.start and head["first"] == 0 and not _begins(fit)):
            what = "that begins" if not self.start else "that goes on"
            raise Differs(f"line {line['line'] + 1}, epoch {line['epoch']}: its checkpoint is not of a training {what}")
        self._seen = line["epoch"]
        if not self.left:
            self.done = True

    def see(self, fit: Fit, step: Any) -> str | None:
        """Compares the state with the next line, if it is of this epoch."""
        if self.done:
            return "there is nothing to compare"
        line = self.left[0]
        if step.state != "more" or line["record"] == "end" or step.epochs != line["epoch"]:
            return None
        here = state_of(fit, self._seen, step.epochs, self._digest_of_best(fit), step.kept)
        self._compare(line, {"record": "epoch", **here})
        return "the part ends here" if self.done else None

    def end(self, fit: Fit) -> None:
        """Compares how the training ended."""
        if self.done:
            return
        line, here = self.left[0], state_of(fit, self._seen, None, self._digest_of_best(fit), None)
        own = {"record": "end", **here, "trained": fit.trained, "stopped": fit.history.stopped}
        self._compare(line, own)
        if not self.done:
            self._differ(line, f"the training ends after epoch {fit.trained}, and the transcript continues")

    def _compare(self, line: dict[str, Any], here: dict[str, Any]) -> None:
        wrong = first_difference(line, here)
        if wrong:
            self._differ(line, f"{wrong} is not what training again gives")
            return
        self.left = self.left[1:]
        self.compared += 1
        self._seen, self.done = line["epoch"], not self.left

    def _differ(self, line: dict[str, Any], what: str) -> None:
        at = line.get("trained", line["epoch"])
        self.found, self.done = Differs(f"line {line['line'] + 1}, epoch {at}: {what}"), True


def train_again(
    chain: Chain, start: int, end: int, data: Data, backend: str = "numba", threads: int | None = None
) -> int:
    """Trains from the checkpoint of state `start` to state `end`, and compares every line. -> how many.

    Raises Differs for the first that differs, also of the checkpoint; and what `Model.fit` raises for wrong rows.
    """
    replayer = Replayer(chain, start, end)
    replay(replayer, data, backend, threads)
    if replayer.found is not None:
        raise replayer.found
    if not replayer.done:
        line = chain.states[start]["line"]
        raise Differs(f"line {line + 2}: the training was not what the transcript says")
    return replayer.compared


def replay(replayer: Replayer, data: Data, backend: str, threads: int | None) -> None:
    """Trains from a replayer's checkpoint on, until it ends the fit. Raises Differs; and what `Model.fit` raises."""
    chain = replayer.chain
    model, place = start_of(chain, chain.states[replayer.start], backend)
    last, callback = chain.lines[-1], None
    if chain.head["callback"]:
        called = str(last.get("stopped")).startswith(CALLED)
        callback = lambda info: called and info.epoch >= last["trained"]  # noqa: E731
    asked = {**options_of(chain, data), "resume": place, "threads": threads, "callback": callback}
    own: Any = replayer  # in place of a transcript that is written
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(data.X, data.y, **asked, transcript=own)
        except DivergenceError:
            pass  # which is compared, too


def start_of(chain: Chain, line: dict[str, Any], backend: str) -> tuple[Model, str]:
    """The model of a line's checkpoint, and its path. Raises Differs."""
    place, where = transcript.checkpoint_of(chain.path, line), f"line {line['line'] + 1}, epoch {line['epoch']}"
    if not os.path.exists(place):
        raise Differs(f"{where}: its checkpoint {place} is missing")
    try:
        moment = checkpoints.read(place)
    except ValueError as error:
        raise Differs(f"{where}: its checkpoint cannot be read: {error}") from error
    network = moment.network
    if not is_of(network, chain.head):
        raise Differs(f"{where}: its checkpoint is of another network than line 1")
    asked, run = chain.head["fit"], network.run
    if run is None or run.not_resumable_because or (run.epochs and not same(run.held_out, asked.get("validation"))):
        raise Differs(f"{where}: its checkpoint is not of a training that goes on with the fit that line 1 tells of")
    for name in sorted({*asked, *moment.asked}):
        if name not in asked or name not in moment.asked or not same(asked[name], moment.asked[name]):
            raise Differs(f"{where}: its checkpoint is of a fit with another {name} than line 1 says")
    return Model.from_snapshot(network, backend=backend), place


def is_of(network: Any, head: dict[str, Any]) -> bool:
    """Whether a network is as a transcript's first line says."""
    own = checkpoints.plain(network.spec.described())
    return same([own, network.standardize], [head["spec"], head["standardize"]])


def _begins(fit: Fit) -> bool:
    """Whether a checkpoint has nothing of a training before it: what no line before it could show to be right."""
    moment, run = fit.moment, fit.run
    rule, plateau = moment.asked["early_stopping"], run.plateau
    fresh = State.new(run.optimizer, len(fit.network.parameters), fit.network.spec.dtype)
    waiting = None if plateau is None else {**plateau.rule.start().state(), "metric": plateau.metric}
    return (
        not len(moment.records)
        and moment.best is None
        and moment.kept is None
        and moment.best_epoch is None
        and moment.stopping == (EarlyStopping(**rule).start().state() if rule else None)
        and run.state.vectors.tobytes() == fresh.vectors.tobytes()
        and run.state.powers.tobytes() == fresh.powers.tobytes()
        and (plateau is None or plateau.state() == waiting)
    )
