"""Where a fit begins: from scratch, after the last one, or at a checkpoint; and which options a checkpoint holds."""

from __future__ import annotations

import dataclasses
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import optimizers, schedules
from fastmlp.checks import scalars
from fastmlp.core.network import Network
from fastmlp.fit import options
from fastmlp.fit.options import FitOptions
from fastmlp.fit.validation import Split
from fastmlp.schedules import ReduceOnPlateau, Schedule
from fastmlp.spec import Spec
from fastmlp.stopping import EarlyStopping
from fastmlp.training import RateFactors, Rates, Run, State

if TYPE_CHECKING:
    from fastmlp.storage.checkpoints import Moment

MOST = 256  # optimizers that are remembered


def moment_to_go_on_from(checkpoint: Any, resume: Any, spec: Spec, transcript: Any = None) -> Moment | None:
    """The moment of the checkpoint that `resume` is, or that is there and means it; None for any other fit."""
    path, moment = None, None
    if isinstance(resume, (str, os.PathLike)):
        path = resume
    elif resume is True and checkpoint is not None and os.path.exists(scalars.path(checkpoint, "checkpoint")):
        path = checkpoint
    elif resume is True and transcript is not None:
        moment = last_moment(transcript)
    if path is not None:
        from fastmlp.storage import checkpoints

        moment = checkpoints.read(path)
    if moment is not None and moment.network.spec != spec:
        name, there = moment.path if path is None else os.fspath(path), moment.network.spec
        raise ValueError(
            f"{name} is the checkpoint of another network, {list(there.layers)}, {there.dtype}: load it with "
            "Model.load, and fit that"
        )
    return moment


def last_moment(asked: Any) -> Moment | None:
    """That of the newest checkpoint of a transcript (a path, or a Transcript) that can be read; None where no state is.

    A checkpoint that is damaged, as by a power cut, is passed over with a warning.
    """
    from fastmlp.fit.transcript import Transcript
    from fastmlp.storage import checkpoints, transcript

    path = os.path.abspath((asked if isinstance(asked, Transcript) else Transcript(asked)).path)
    if not os.path.exists(path):
        return None
    states = transcript.read(path).states
    if not states:
        return None  # killed as it began: `Transcriber` writes it again
    for line in reversed(states):
        if line["checkpoint"] and os.path.exists(place := transcript.checkpoint_of(path, line)):
            try:
                return checkpoints.read(place)
            except (OSError, ValueError) as error:
                warnings.warn(f"{error}: the fit continues from an older checkpoint, if there is one", stacklevel=2)
    raise ValueError(
        f"{path} is a transcript without a checkpoint to continue from: give another name, or remove it and its folder"
    )


def run_of(source: Network, optimizer: Any, learning_rate: Any, resume: bool) -> Run:
    """The run that a fit belongs to: a new one, or the network's last."""
    spec = source.spec
    last = source.run if resume else None
    found: Any
    if last is None:
        found = _found("sgd" if optimizer is None else optimizer, learning_rate, spec.dtype)
        return Run(found, State.new(found, spec.parameters, spec.dtype))
    if why := last.not_resumable_because:
        raise ValueError(f"resume=True has nothing to go on from, since {why}: leave it out to start from scratch")
    found = last.optimizer
    named = isinstance(optimizer, str) and type(found) is optimizers.kind_of(optimizer)
    if optimizer is not None and not named:
        found = optimizers.find(optimizer, learning_rate)
    elif learning_rate is not None:
        found = dataclasses.replace(found, learning_rate=learning_rate)
    if found.kernel != last.optimizer.kernel:
        raise ValueError(
            f"resume=True goes on with {last.optimizer}, whose state another optimizer cannot use: "
            "leave optimizer out; or leave resume out, to start from scratch"
        )
    optimizers.check_settings(found, spec.dtype)
    same = found.learning_rate == last.optimizer.learning_rate
    plateau, begins = (last.plateau, last.rate_begins) if same else (None, last.epochs)
    return Run(found, last.state, last.epochs, plateau, begins, last.held_out, drawn_from=last.drawn_from)


def _found(optimizer: Any, learning_rate: Any, dtype: str) -> Any:
    """The optimizer that is meant, checked: a name with a plain rate once for all fits, which takes 25 us."""
    key = optimizer, learning_rate, dtype
    usual = type(optimizer) is str and type(learning_rate) in (float, type(None))
    found = _usual.get(key) if usual else None
    if found is None:
        found = optimizers.find(optimizer, learning_rate)
        optimizers.check_settings(found, dtype)
        if usual:
            if len(_usual) >= MOST:
                _usual.clear()
            _usual[key] = found
    return found


_usual: dict[tuple[str, float | None, str], Any] = {}


def rates_of(run: Run, dtype: str) -> float | Rates:
    """The learning rate, as a Training has it. Raises TypeError or ValueError where it is none of ours."""
    rate = run.optimizer.learning_rate
    if type(rate) is ReduceOnPlateau:
        assert run.plateau is not None
        return run.plateau
    if isinstance(rate, Schedule):
        try:
            schedules.describe(rate)  # one of our own, all the way down: others could not be saved
        except TypeError:
            words = "give a number, or one of fastmlp.schedules"
            raise TypeError(f"learning_rate={rate!r:.60} is no schedule of fastmlp's: {words}") from None
        return rate
    options.check_learning_rate(rate, "learning_rate", dtype)
    return rate


def check_held_out(run: Run, fraction: float | None) -> None:
    """Raises ValueError where a resumed run would hold out rows that it has trained on."""
    if fraction is None or not run.epochs or fraction == run.held_out:
        return
    before, again = "no fraction", ""
    if run.held_out:
        before, again = f"{run.held_out:g}", f"validation={run.held_out:g}, or "
    raise ValueError(
        f"validation={fraction:g} with resume=True would hold out rows that the run has trained on, as it held "
        f"out {before}: give {again}validation=(X, y) of other rows"
    )


def described(rule: EarlyStopping) -> dict[str, Any]:
    """A rule as a checkpoint holds it: `ties` at its default is left out, as in checkpoints before there was one."""
    found = dataclasses.asdict(rule)
    if rule.ties == "first":
        del found["ties"]
    return found


def asked(
    checked: FitOptions,
    run: Run,
    split: Split,
    x: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    factors: RateFactors | None,
) -> dict[str, Any]:
    """What a fit was asked for, as far as its bits depend on it, for its checkpoints."""
    from fastmlp.storage import checkpoints

    rule, rate = checked.early_stopping, run.optimizer.learning_rate
    digest_of = checkpoints.digest_of
    return checkpoints.plain(
        {
            **checked.stored(),
            "optimizer": optimizers.describe(run.optimizer),
            "learning_rate": rate if isinstance(rate, float) else schedules.describe(rate),
            "validation": split.fraction,
            "early_stopping": described(rule) if isinstance(rule, EarlyStopping) else None,
            "X": digest_of(x),
            "y": digest_of(targets),
            "sample_weight": digest_of(weights),
            "validation_data": [digest_of(part) for part in split.held or (None, None)],
            **({} if factors is None else {"rate_factors": dataclasses.asdict(factors)}),
        }
    )
