"""What an estimator's fit writes into its transcript. There are no checkpoints: an audit trains all of it again."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
from typing import Any

import numpy as np

from fastmlp import losses, schedules
from fastmlp.checks.messages import shown
from fastmlp.fit import transcribing
from fastmlp.schedules import Schedule
from fastmlp.spec import NUMERICS_VERSION, Spec
from fastmlp.storage import checkpoints, rng_state, transcript
from fastmlp.training import Step

# parameters on which no bit depends, or which are elsewhere in the transcript: the seed, and the product of weights
APART = ("random_state", "callbacks", "verbose", "n_threads", "warm_start", "class_weight")
CALLED = "a callback asked for it"  # how `stopped` begins, where a callback ended the training


class Transcriber(transcribing.Transcriber):
    """Writes the transcript of one `fit` of an estimator. asked: its path, or a Transcript. of: a `Stochastic`."""

    advice = ""
    asked_for: dict[str, Any]
    seed: dict[str, Any]

    def prepare(self, estimator: Any, first: bool) -> None:
        """Raises ValueError where this fit has no transcript. first: whether it begins with new weights."""
        if estimator.solver == "lbfgs":
            raise ValueError('transcript goes with solver="sgd" and "adam", and not with "lbfgs": leave it out')
        if not first:
            raise ValueError("transcript is of a fit that begins with new weights: leave it out, or warm_start")
        if type(estimator).__name__ not in KINDS or type(estimator).__module__.partition(".")[0] != "fastmlp":
            raise ValueError(
                f"transcript goes with {' and '.join(KINDS)}, and not with {type(estimator).__name__}, which an audit "
                "does not know: leave it out"
            )
        if self.asked.checkpoint_every is not None:
            raise ValueError("checkpoint_every is given, and an estimator's fit has no checkpoints: leave it out")

    def see_rows(
        self, estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray | None, held: tuple[Any, ...] | None, seed: Any
    ) -> None:
        """Notes what is trained on, before anything is drawn. held: the validation's X, y and weights."""
        given = estimator.random_state
        try:
            self.seed = rng_state.state_of(int(given) if isinstance(given, numbers.Integral) else seed)
        except TypeError as error:
            raise TypeError(str(error).replace("seed", "random_state", 1)) from None
        classes = getattr(estimator, "classes_", None)
        parts = [None] if held is None else [digest_of_rows(held[0]), _digest_of(held[1]), _digest_of(held[2])]
        self.asked_for = {
            "estimator": type(estimator).__name__,
            "parameters": described(estimator),
            "X": digest_of_rows(X),
            "y": _digest_of(y),
            "sample_weight": _digest_of(weights),
            "validation_data": None if held is None else parts,
            "classes": None if classes is None else labels_of(classes),
        }
        self.rows = len(y)

    # -----------------------------------------------------------------------------------------------------

    def head(self, of: Any) -> dict[str, Any]:
        """What the first line says, but for the machine."""
        return {
            "record": "head",
            "format": transcript.FORMAT,
            "version": transcript.FORMAT_VERSION,
            "numerics": NUMERICS_VERSION,
            "spec": checkpoints.plain(of.spec.described()),
            "standardize": False,
            "fit": self.asked_for,
            "rows": self.rows,
            "begun": 0,
            "first": 0,
            "every": self.every,
            "seed": self.seed,
            "callback": bool(of.callbacks),
            "rate_begins": 0,
        }

    def begin(self, of: Any) -> None:
        """Writes what is trained, and the state that it begins with."""
        batches = -(-len(of.order) // of.batch)
        work = of.spec.parameters * len(of.order)
        self._choose(work, batches, of.parameters.nbytes * (2 + len(of.descent.state.vectors)))
        self.check_place()
        head = transcript.chained(
            {**self.head(of), "machine": transcribing.machine("numba", of.training.threads)}, None
        )
        transcript.begin(self.path, head)
        self._last = head
        try:
            self._add(of, {"record": "epoch", **state_of(of, 0)}, False, None)
        except BaseException:
            os.unlink(self.path)
            raise
        self._spent = [0.0, 0.0]

    def check_place(self) -> None:
        """Raises FileExistsError or FileNotFoundError where the file cannot be made."""
        name = self.asked.path
        if os.path.lexists(self.path):
            raise FileExistsError(
                f"transcript={name!r} exists, and is not written over: give another name, or remove it"
            )
        if not os.path.isdir(os.path.dirname(self.path)):
            raise FileNotFoundError(f"transcript={name!r}: there is no such folder, make it first")

    def see(self, of: Any, step: Step) -> str | None:
        """Writes a line after an epoch where one is due. -> why training ends here: None."""
        epoch = of.estimator.n_iter_
        if step.state == "more" and epoch % self.every == 0 and epoch < of.epochs:
            self._write(of, {"record": "epoch", **state_of(of, self._seen)}, False)
        return None

    def end(self, of: Any) -> None:
        """Writes how the training has ended."""
        self._write(of, ending(of, self._seen), False)


def state_of(of: Any, since: int) -> dict[str, Any]:
    """What a line says of the state after an epoch. since: the epoch of the line before."""
    estimator, descent = of.estimator, of.descent
    curves = estimator.loss_curve_, estimator.validation_scores_, estimator.validation_loss_curve_
    parts = [np.array([] if curve is None else curve[since:], np.float64) for curve in curves]
    figures = estimator._no_improvement_count, estimator.best_loss_, estimator.best_validation_score_
    best = np.array([np.nan if figure is None else figure for figure in figures], np.float64)
    loss = float(estimator.loss_curve_[-1]) if estimator.loss_curve_ else np.nan
    return {
        "epoch": estimator.n_iter_,
        "epochs": descent.epochs,
        "parameters": transcript.digest(of.parameters),
        "optimizer": transcript.digest(descent.state.vectors, descent.state.powers),
        "order": None,  # the seed says it
        "rate": float(descent.learning_rate),
        "plateau": None if descent.plateau is None else checkpoints.plain(descent.plateau.state()),
        "history": transcript.digest(*map(transcribing.plain_nan, parts)),
        "loss": loss if np.isfinite(loss) else None,
        "best": transcript.digest(transcribing.plain_nan(best), of.best),
        "kept": None,
    }


def ending(of: Any, since: int) -> dict[str, Any]:
    """What the last line says."""
    return {"record": "end", **state_of(of, since), "trained": of.estimator.n_iter_, "stopped": of.stopped}


# ---------------------------------------------------------------------------------------------------------
# Parameters and rows


KINDS = ("MLPClassifier", "MLPRegressor")
LOSSES: Any = tuple(losses.SETTABLE.values())


def described(estimator: Any) -> dict[str, Any]:
    """An estimator's parameters as JSON holds them. Raises TypeError for what is none of its own."""
    given = estimator.get_params(deep=False)
    return {name: _described(name, value) for name, value in given.items() if name not in APART}


def _described(name: str, value: Any) -> Any:
    if isinstance(value, Schedule):
        return {"schedule": schedules.describe(value)}
    if isinstance(value, LOSSES):
        return {"loss": value.name, "setting": float(dataclasses.astuple(value)[0])}
    if isinstance(value, (list, tuple)):
        return [_described(name, one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _described(name, value.tolist())
    if isinstance(value, float) and value == math.inf:
        return {"number": "inf"}
    if value is None or isinstance(value, (bool, str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"{name}={shown(value)} cannot be written into a transcript: leave transcript out")


def parameters_of(description: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `described`. Raises KeyError, TypeError or ValueError for what it did not return."""
    return {name: _made(value) for name, value in description.items()}


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return [_made(one) for one in value]
    if not isinstance(value, dict):
        return value
    if [*value] == ["schedule"]:
        return schedules.from_description(value["schedule"])
    if {*value} == {"loss", "setting"}:
        return losses.SETTABLE[value["loss"]](value["setting"])
    if value == {"number": "inf"}:
        return math.inf
    raise ValueError(f"{shown(value)} is none of an estimator's parameters")


def labels_of(classes: np.ndarray) -> list[Any]:
    """An estimator's labels as JSON holds them."""
    return [label if isinstance(label, (bool, int, float, str)) else str(label) for label in classes.tolist()]


def digest_of_rows(X: Any) -> str:
    """The digest of X (N, K), an array or a sparse matrix."""
    if not hasattr(X, "tocsr"):
        return transcript.digest(X)
    rows = X.tocsr(copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return transcript.digest(list(rows.shape), rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64))


def digest_of_weights(spec: Spec, pairs: Any) -> str:
    """The digest of a network's weights and biases, layer by layer, as a line has it."""
    parameters = np.concatenate([part.ravel() for pair in pairs for part in pair])
    return transcript.digest(parameters.astype(spec.dtype, copy=False))


def _digest_of(values: np.ndarray | None) -> str | None:
    """That of targets or weights: of numbers in float64."""
    if values is None:
        return None
    return transcript.digest(values if values.dtype.kind == "b" else values.astype(np.float64))
