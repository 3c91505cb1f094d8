"""Trains the fit of an estimator's transcript again, from its first line to its last, and compares every line."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.checks.arrays import check_memory
from fastmlp.checks.messages import cut
from fastmlp.estimators import MLPClassifier, MLPRegressor, transcribing
from fastmlp.estimators.arguments import layer_sizes
from fastmlp.estimators.problem import DIVERGED
from fastmlp.fit.transcribing import first_difference, same
from fastmlp.storage import checkpoints, rng_state
from fastmlp.storage.transcript import Chain
from fastmlp.training import Step
from fastmlp.verification.replay import Data, Differs

KINDS = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor)}
TIMES = 4  # the parameters, what "adam" keeps of each, and a gradient
_PARTS = ("estimator", "parameters", "X", "y", "sample_weight", "validation_data", "classes")
_OF_HEAD = ("spec", "standardize", "rows", "begun", "first", "rate_begins", "seed", "callback")


class Comparer(transcribing.Transcriber):
    """Compares a fit with the lines of a transcript, and ends it at the last of them. `found` says what differs."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain.path)
        self.chain, self.left = chain, list(chain.states)
        self.found: Differs | None = None
        self.compared = 0  # lines
        self.every = chain.head["every"]

    def begin(self, of: Any) -> None:
        """Compares what is trained, and the first state. Raises Differs."""
        head, own = self.chain.head, self.head(of)
        there, here = head["fit"], own["fit"]
        for part in sorted({*there, *_PARTS}):
            if part not in there or part not in here or not same(there[part], here[part]):
                one = "the one that the transcript is of" if part in ("X", "y") else "what the fit has had"
                raise Differs(f"line 1: {part} is not {one}")
        for name in _OF_HEAD:
            if not same(head[name], own[name]):
                raise Differs(f"line 1: its {name} is not that of the fit")
        self._compare({"record": "epoch", **transcribing.state_of(of, 0)})
        self.compared = 0  # of the first one, nothing was trained
        if self.found is not None:
            raise self.found

    def see(self, of: Any, step: Step) -> str | None:
        """Compares the state with the next line, if it is of this epoch. -> why training ends here."""
        if not self.left:
            return "there is nothing to compare"
        line, epoch = self.left[0], of.estimator.n_iter_
        if step.state == "more" and line["record"] == "epoch" and line["epoch"] == epoch:
            self._compare({"record": "epoch", **transcribing.state_of(of, self._seen)})
        return None if self.left else "the transcript ends here"

    def end(self, of: Any) -> None:
        """Compares how the training ended."""
        if self.left:
            self._compare(transcribing.ending(of, self._seen))
        if self.left and self.found is None:
            at = self.left[0]
            what = f"the training ends after epoch {of.estimator.n_iter_}, and the transcript continues"
            self.found = Differs(f"line {at['line'] + 1}, epoch {at['epoch']}: {what}")

    def _compare(self, here: dict[str, Any]) -> None:
        line = self.left.pop(0)
        self._seen = line["epoch"]
        self.compared += 1
        if wrong := first_difference(line, here):
            at = line.get("trained", line["epoch"])
            self.found = Differs(f"line {line['line'] + 1}, epoch {at}: {wrong} is not what training again gives")
            self.left = []


def train_again(chain: Chain, data: Data, threads: int | None) -> int:
    """Trains all of it again, and compares every line. -> how many, but for the first.

    Raises Differs for the first that differs; and what `fit` raises for wrong rows.
    """
    comparer = Comparer(chain)
    estimator = estimator_of(chain, data, threads)
    last = chain.lines[-1]
    if chain.head["callback"]:
        called = str(last.get("stopped")).startswith(transcribing.CALLED)
        estimator.callbacks = lambda info: called and info.epoch >= last["trained"]
    held = _validation(data.validation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(data.X, data.y, data.sample_weight, **held, transcript=comparer)
        except ValueError as error:
            if isinstance(error, Differs) or not str(error).startswith(DIVERGED) or not comparer.left:
                raise
            at = comparer.left[0]
            where = f"line {at['line'] + 1}, epoch {at['epoch']}"
            raise Differs(f"{where}: the training diverges, and the transcript continues") from None
    if comparer.found is not None:
        raise comparer.found
    return comparer.compared


def estimator_of(chain: Chain, data: Data, threads: int | None) -> Any:
    """The estimator that a transcript's first line describes. Raises Differs where it describes none."""
    asked, kind = chain.head["fit"], KINDS.get(str(chain.head["fit"].get("estimator")))
    if kind is None:
        raise Differs("line 1: its estimator is none that fastmlp has")
    if data.class_weight is not None and kind is MLPRegressor:
        raise ValueError("class_weight is given, and the transcript is of a regressor: leave it out")
    try:
        seed = rng_state.from_state(chain.head["seed"])
        made: Any = kind(**transcribing.parameters_of(asked["parameters"]), random_state=seed, n_threads=threads)
        if data.class_weight is not None:
            made.set_params(class_weight=data.class_weight)
        made._validate_params()
        sizes = [1, *layer_sizes(made.hidden_layer_sizes), 1]
        numbers = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        check_memory(TIMES * numbers, np.dtype(np.float64), "its network")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Differs(f"line 1: the fit's parameters cannot be those of a fit: {cut(str(error), 300)}") from error
    return made


def check_model(chain: Chain, estimator: Any) -> None:
    """Raises Differs where a fitted estimator is not the one of the last line, TypeError where it is none."""
    if type(estimator) not in KINDS.values() or not hasattr(estimator, "coefs_"):
        raise TypeError("model of an estimator's transcript is a fitted MLPClassifier or MLPRegressor: give that")
    head, last = chain.head, chain.lines[-1]
    classes = getattr(estimator, "classes_", None)
    own = type(estimator).__name__, None if classes is None else transcribing.labels_of(classes)
    spec = estimator._network
    if not same(
        [head["spec"], *(head["fit"].get(name) for name in ("estimator", "classes"))],
        [checkpoints.plain(spec.described()), *own],
    ):
        raise Differs("line 1: the model is of another network, or of other classes")
    pairs: Sequence[Any] = [*zip(estimator.coefs_, estimator.intercepts_, strict=True)]
    if transcribing.digest_of_weights(spec, pairs) != last["parameters"]:
        where = f"line {last['line'] + 1}, epoch {last['epoch']}"
        raise Differs(f"{where}: the digest of the parameters is not that of the model")


def _validation(given: Any) -> dict[str, Any]:
    """`fit`'s arguments of validation: (X, y), or (X, y, weights). Raises ValueError for what is neither."""
    if given is None:
        return {}
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation is neither (X_val, y_val) nor (X_val, y_val, sample_weight_val): give one of them")
    return dict(zip(("X_val", "y_val", "sample_weight_val"), given, strict=False))
