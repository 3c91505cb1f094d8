"""`audit`: checks a transcript's chain, and trains some of its segments again."""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fastmlp.checks import scalars
from fastmlp.checks.messages import shown
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.storage import model_file, transcript
from fastmlp.verification.replay import Data, Differs, is_of, train_again

SHOWN = 5  # sizes of a forgery in the table


@dataclass(frozen=True)
class Audit:
    """What `audit` found.

    Attributes
    ----------
    path : str
        The transcript.
    hash : str
        The chain's head: the hash of its last line, which stands for all of them.
    ended : bool
        Whether the transcript has the training's end.
    lines : int
        How many lines it has.
    segments : int
        How many segments it has: from a checkpoint to the next, or to the end.
    checked : list of int
        The segments that were trained again, from 1, and had the digests that their lines have.
    compared : int
        How many lines were compared with a training.
    difference : str or None
        None if nothing differs; else the first difference, with the line that has it.
    seconds : float
        How long it took.
    first : int
        The epoch of the run at which the transcript begins. If it is not 0, what was before is taken as given.
    """

    path: str
    hash: str
    ended: bool
    lines: int
    segments: int
    checked: list[int] = field(default_factory=list)
    compared: int = 0
    difference: str | None = None
    seconds: float = 0.0
    first: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None

    def probability(self, forged: int) -> float:
        """Returns the probability that an audit of as many segments finds a forgery.

        Parameters
        ----------
        forged : int
            How many of the segments do not lead from their checkpoint to the next.

        Returns
        -------
        float
            1 - C(M - f, n) / C(M, n), for n of M segments drawn without replacement (hypergeometric).

        Raises
        ------
        TypeError, ValueError
            If `forged` is no whole number from 1 to the number of segments.
        """
        count = scalars.positive_int(forged, "forged")
        if count > self.segments:
            raise ValueError(f"forged={count} is more than the {self.segments} segments that there are")
        missed = math.comb(self.segments - count, len(self.checked)) / math.comb(self.segments, len(self.checked))
        return 1 - missed

    def last_line(self) -> str:
        """Returns the verdict, with the chain's head.

        Returns
        -------
        str
        """
        if self.difference is not None:
            return f"NOT EQUAL: {self.difference}"
        end = "" if self.ended else ", without its end"
        if self.first:
            end += f", from epoch {self.first} of a run that is taken as given"
        return (
            f"every bit equal: {len(self.checked)} of {self.segments} segments{end}, numerics {NUMERICS_VERSION}, "
            f"{self.hash}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as JSON can hold it.

        Returns
        -------
        dict
            "transcript", "equal", "hash", "ended", "lines", "segments", "checked", "compared", "difference", "first",
            "found_if" (the probability for each number of forged segments), "numerics" and "seconds".
        """
        return {
            "transcript": self.path,
            "equal": self.equal,
            "hash": self.hash,
            "ended": self.ended,
            "lines": self.lines,
            "segments": self.segments,
            "checked": self.checked,
            "compared": self.compared,
            "difference": self.difference,
            "first": self.first,
            "found_if": {str(size): self.probability(size) for size in self._sizes()},
            "numerics": NUMERICS_VERSION,
            "seconds": round(self.seconds, 3),
        }

    def table(self) -> str:
        """Returns what was found, in words; its last line is `last_line`.

        Returns
        -------
        str
        """
        ends = "to the end" if self.ended else "without an end: the training was interrupted, or goes on"
        said = [f"{self.path}: {self.lines} lines, {ends}", f"head of the chain  {self.hash}"] if self.lines else []
        if self.equal:
            those = ", ".join(map(str, self.checked))
            of = f"{len(self.checked)} of {self.segments}"
            said.append(f"trained again      {of} segments ({those}), {self.compared} lines, {self.seconds:.1f} s")
            for size in self._sizes() if len(self.checked) < self.segments else ():
                words = f"{size} forged segment{'s' if size > 1 else ''}"
                said.append(f"{words:>18} would have been found with a probability of {self.probability(size):.3f}")
        return "\n".join([*said, self.last_line()])

    def _sizes(self) -> list[int]:
        """Numbers of forged segments to tell of: 1, 2, 4 ..."""
        return [size for size in (1 << i for i in range(SHOWN)) if size <= self.segments]

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Audit: {self.last_line()}>"


def audit(
    path: str | os.PathLike,
    X: Any,
    y: Any,
    *,
    segments: int | Literal["all"] = 5,
    sample_weight: Any = None,
    class_weight: Any = None,
    validation: Any = None,
    model: Any = None,
    seed: int | None = None,
    backend: str = "numba",
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Audit:
    """Checks a transcript that `fit(transcript=...)` wrote: its chain, and some segments by training them again.

    A segment goes from one checkpoint to the next. It is trained again on the rows that are given, and every line in it
    is compared: parameters, optimizer's state, order of rows, learning rate and records. A fit of an estimator has no
    checkpoints, and is one segment.

    Parameters
    ----------
    path : path
        The transcript. Its checkpoints are in the folder beside it, PATH.d.
    X, y : array
        The rows that it was trained on, as `Model.fit` or the estimator's `fit` had them.
    segments : int or "all", default=5
        How many segments to train again, which are drawn; or all of them.
    sample_weight, class_weight : object, default=None
        As `Model.fit` had them.
    validation : (X, y), (X, y, sample_weight) or None, default=None
        The validation rows, if `fit` had some. A fraction that it held out is in the transcript.
    model : path, estimator or None, default=None
        A file of `Model.save` or `TableModel.save`, or the fitted estimator, whose weights have to be those of the
        transcript's end.
    seed : int or None, default=None
        Draws the segments. None draws them in a way that nobody can know before.
    backend : str, default="numba"
        "numba", or "reference", which is not for estimators.
    threads : int or None, default=None
        As in `Model.fit`.
    progress : callable, optional
        Called with the number of segments done, the number of all, and what comes next.

    Returns
    -------
    Audit
        `equal` says whether all of it is right; `difference` names the line that is not.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; or if the file is no transcript, or one of another numerics version.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import fastmlp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> model = fastmlp.Model([2, 8, 2], seed=1)
    >>> history = model.fit(X, y, epochs=100, transcript=fastmlp.Transcript("xor.jsonl", every=10))
    >>> fastmlp.audit("xor.jsonl", X, y, segments="all").equal
    True
    """
    began = time.perf_counter()
    path = scalars.path(path, "path")
    wanted = None if _is_all(segments) else scalars.positive_int(segments, "segments")
    if seed is not None:
        seed = scalars.whole(seed, "seed")
    try:
        chain = transcript.read(path)
    except transcript.Broken as error:
        return Audit(path, "", False, 0, 0, difference=error.what)
    data = Data(X, y, sample_weight, class_weight, validation)
    data.check(chain.head)
    of_estimator = "estimator" in chain.head["fit"]
    if of_estimator and backend != "numba":
        raise ValueError(f"backend={shown(backend)} is not for estimators, which kernels train: leave it out")
    if model is not None and not of_estimator:
        model = scalars.path(model, "model")
    parts = [(0, len(chain.states) - 1)] if of_estimator and chain.states[1:] else chain.segments()
    drawn = _drawn(len(parts), wanted, seed)
    checked, compared, difference = [], 0, None
    try:
        if not parts:
            raise Differs("line 2: there is no state to begin with, and so nothing to train again")
        _check_model(chain, model)
        for done, number in enumerate(drawn):
            start, end = parts[number]
            if progress is not None:
                progress(done, len(drawn), f"segment {number + 1}, to epoch {chain.states[end]['epoch']}")
            if of_estimator:
                from fastmlp.verification import estimator_replay  # with scikit-learn

                compared += estimator_replay.train_again(chain, data, threads)
            else:
                compared += train_again(chain, start, end, data, backend, threads)
            checked.append(number + 1)
        if progress is not None:
            progress(len(drawn), len(drawn), "done")
    except Differs as error:
        difference = str(error)
    seconds = time.perf_counter() - began
    return Audit(
        chain.path, chain.hash, chain.ended, len(chain.lines), len(parts), checked, compared, difference, seconds,
        chain.head["first"],
    )  # fmt: skip


def _is_all(segments: Any) -> bool:
    """Whether all segments are asked for. Raises ValueError for another word."""
    if isinstance(segments, str) and segments != "all":
        raise ValueError(f'segments={shown(segments)} is not known: give "all", or how many')
    return isinstance(segments, str)


def _drawn(count: int, wanted: int | None, seed: int | None) -> list[int]:
    """Which segments to train again, in their order. wanted: how many; None: all."""
    if wanted is None or wanted >= count:
        return list(range(count))
    source = random.SystemRandom() if seed is None else random.Random(seed)
    return sorted(source.sample(range(count), wanted))


def _check_model(chain: transcript.Chain, model: Any) -> None:
    """Raises Differs where a model does not have the weights of the last line."""
    if model is None:
        return
    if not chain.ended:
        raise ValueError("model is given, and the transcript has no end to compare it with: leave it out")
    if "estimator" in chain.head["fit"]:
        from fastmlp.verification import estimator_replay

        estimator_replay.check_model(chain, model)
        return
    last = chain.lines[-1]
    network = model_file.read(model, "model", "checkpoint", "table")[0]
    if not is_of(network, chain.head):
        raise Differs(f"line 1: the model {model} is of another network")
    if transcript.digest_of_parameters(network) != last["parameters"]:
        where = f"line {last['line'] + 1}, epoch {last['epoch']}"
        raise Differs(f"{where}: the digest of the parameters is not that of the model {model}")
