"""`bisect`: where two transcripts of one training part, and whether it is a kernel of this machine that differs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastmlp.checks import scalars
from fastmlp.fit.transcribing import Fit, first_difference, state_of
from fastmlp.storage import transcript
from fastmlp.storage.transcript import Chain
from fastmlp.verification.places import Place
from fastmlp.verification.replay import Data, Differs, Replayer, replay

OF_THE_HEAD = ("spec", "standardize", "rows", "begun", "rate_begins", "seed", "fit")
_STATE = ("epochs", "parameters", "optimizer", "order", "plateau")
_SINCE = ("history", "loss")  # what depends on the line before, too


@dataclass(frozen=True)
class Bisection:
    """What `bisect` found.

    Attributes
    ----------
    a, b : str
        The transcripts.
    difference : str or None
        What differs first, in words; None if every line that both have agrees.
    last_common : int or None
        The last epoch at which both have a line, and the same.
    epoch : int or None
        The first epoch at which both have a line, and another.
    line_a, line_b : int or None
        The lines of that epoch, from 1.
    place : Place or None
        Where this machine's kernels and the reference differ: `epoch`, `batch`, `layer` and `kernel`; None where they
        agree, up to that epoch.
    agrees : str or None
        Which of the two this machine agrees with, up to that epoch: "a", "b", "both" or "neither". None if nothing was
        trained.
    """

    a: str
    b: str
    difference: str | None = None
    last_common: int | None = None
    epoch: int | None = None
    line_a: int | None = None
    line_b: int | None = None
    place: Place | None = None
    agrees: str | None = None

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None

    def last_line(self) -> str:
        """Returns the verdict.

        Returns
        -------
        str
        """
        if self.difference is None:
            return f"equal up to epoch {self.last_common}"
        if self.place is not None:
            of = self.place
            batch = "" if of.batch is None else f", batch {of.batch}"
            layer = "" if of.layer is None else f", layer {of.layer}"
            return f"kernels differ from the reference here: epoch {of.epoch}{batch}{layer}: {of.kernel}"
        if self.epoch is None:
            return f"they are of different trainings: {self.difference}"
        other = {"a": f"{self.b} was", "b": f"{self.a} was", "neither": "both were"}.get(self.agrees or "")
        where = f"epoch {self.epoch}, {self.difference}"
        if other is None:
            return f"they differ: {where}"
        return f"kernels and reference agree here, and {other} written by an environment that differs: {where}"

    def table(self) -> str:
        """Returns what was found, in words; its last line is `last_line`.

        Returns
        -------
        str
        """
        said = []
        if self.last_common is not None:
            said.append(f"last common line   epoch {self.last_common}")
        if self.epoch is not None:
            lines = f"line {self.line_a} of {self.a}, line {self.line_b} of {self.b}"
            said.append(f"first that differs epoch {self.epoch}, {self.difference}: {lines}")
        if self.agrees is not None:
            of = {"a": self.a, "b": self.b, "both": "both", "neither": "neither"}[self.agrees]
            said.append(f"this machine       agrees with {of}")
        if self.place is not None:
            said += self.place.detail.splitlines()
        return "\n".join([*said, self.last_line()])

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as JSON can hold it.

        Returns
        -------
        dict
            The attributes, "place" as a dict with its own, and "equal".
        """
        return {"equal": self.equal, **asdict(self)}

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Bisection: {self.last_line()}>"


def bisect(
    a: str | os.PathLike,
    b: str | os.PathLike,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    validation: Any = None,
    threads: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Bisection:
    """Finds where two transcripts of one training part, and what makes them part.

    From the newest checkpoint before the first line that differs, the training is done again by kernels and by the
    reference, epoch by epoch. Where the two differ on this machine, the epoch is done batch by batch, and the batch
    pair by pair, so that the batch, the layer and the kernel are known. Where they agree, an environment in which a
    transcript was written differs from this one.

    Parameters
    ----------
    a, b : path
        The transcripts; one of them with its checkpoints.
    X, y : array
        The rows that both were trained on, as `Model.fit` had them.
    sample_weight, class_weight : object, default=None
        As `Model.fit` had them.
    validation : (X, y), (X, y, sample_weight) or None, default=None
        The validation rows, if `Model.fit` had some.
    threads : int or None, default=None
        As in `Model.fit`, of the kernels. The reference takes about a second for a million products of weights, rows
        and epochs.
    progress : callable, optional
        Called with the number of epochs done, the number of all, and what is done.

    Returns
    -------
    Bisection
        `place` names the kernel, if there is one that differs here; `epoch` the first line that differs.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, a file is no transcript, its chain is broken, the rows are not the training's, or
        there is no epoch of which both have a line.
    OSError
        If a file cannot be read.
    """
    chains = transcript.read(scalars.path(a, "a")), transcript.read(scalars.path(b, "b"))
    names = chains[0].path, chains[1].path
    for name, chain in zip(names, chains, strict=True):
        if not chain.states:
            raise ValueError(f"{name} has no line of a state, only of what is trained: its fit did not begin")
    heads = chains[0].head, chains[1].head
    if wrong := _of_heads(*heads):
        return Bisection(*names, difference=wrong)
    common, found, wrong = _compared(*chains)
    if wrong is None:
        if common is None:
            raise ValueError(f"{names[0]} and {names[1]} have no line of the same epoch: there is nothing to compare")
        return Bisection(*names, last_common=common)
    if found == (chains[0].states[0], chains[1].states[0]):
        return Bisection(*names, difference=f"{wrong} that they begin with")
    of = {"difference": wrong, "last_common": common, "epoch": _epoch(found[0])}
    of |= {"line_a": found[0]["line"] + 1, "line_b": found[1]["line"] + 1}
    if "estimator" in heads[0]["fit"]:  # which has no checkpoints to begin from
        return Bisection(*names, **of)  # type: ignore[arg-type]
    data = Data(X, y, sample_weight, class_weight, validation)
    data.check(heads[0])
    target = max(map(_epoch, found))
    try:
        search = _Search(chains, common or 0, target, data, threads, progress)
        place = search.kernels_and_reference()
    except Differs as error:
        raise ValueError(f"{names[0]}: {error}") from error
    return Bisection(*names, **of, place=place, agrees=search.agrees())  # type: ignore[arg-type]


def _of_heads(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """What differs between two first lines, in words."""
    for name in OF_THE_HEAD:
        if one[name] != other[name]:
            if name != "fit":
                return f"{name} of line 1"
            return next(
                part for part in sorted({*one[name], *other[name]}) if one[name].get(part) != other[name].get(part)
            )
    return None


def _epoch(line: dict[str, Any]) -> int:
    return int(line.get("trained", line["epoch"]))


def _compared(a: Chain, b: Chain) -> tuple[int | None, tuple[dict[str, Any], dict[str, Any]], str | None]:
    """The last common epoch, the lines of the first that differs, and what differs in words; None for nothing."""
    places = [{_epoch(line): line for line in chain.states} for chain in (a, b)]
    pairs = [(places[0][epoch], places[1][epoch]) for epoch in sorted(places[0].keys() & places[1].keys())]
    if a.ended and b.ended and _epoch(a.lines[-1]) != _epoch(b.lines[-1]):
        pairs.append((a.lines[-1], b.lines[-1]))
    common, pair = None, (a.states[0], b.states[0])
    for pair in pairs:
        one, other = pair
        if one["record"] != other["record"]:  # one has its end where the other goes on
            one, other = ({name: of for name, of in line.items() if name in _STATE} for line in pair)
        if _before(a, pair[0]) != _before(b, pair[1]):
            one = {name: of for name, of in one.items() if name not in _SINCE}
        if wrong := first_difference(one, other):
            return common, pair, wrong
        common = _epoch(pair[0])
    return common, pair, None


def _before(chain: Chain, line: dict[str, Any]) -> int:
    """The epoch of the line before."""
    return int(chain.lines[line["line"] - 1].get("epoch", 0))


class _Watch(Replayer):
    """Shows a fit to a function after each of its epochs, and at its beginning; what it returns ends the fit."""

    def __init__(self, chain: Chain, start: int, told: Callable[[Fit, int], str | None]) -> None:
        super().__init__(chain, start, start)
        self._told = told
        self._over: str | None = None

    def plan(self, fit: Fit, last: int) -> int:
        """Every epoch."""
        return 1

    def begin(self, fit: Fit) -> None:
        """Compares the checkpoint with its line, too. Raises Differs."""
        super().begin(fit)
        self._over = self._told(fit, fit.run.epochs)

    def see(self, fit: Fit, step: Any) -> str | None:
        """Shows it the epoch."""
        self.kept = step.kept
        return self._over or (None if step.state == "diverged" else self._told(fit, step.epochs))

    def end(self, fit: Fit) -> None:
        """Has nothing to compare."""

    def digest_of_best(self, fit: Fit) -> str | None:
        """That of what early stopping would restore."""
        return self._digest_of_best(fit)


class _Search:
    """One training by kernels and by the reference, from the newest checkpoint up to an epoch."""

    def __init__(
        self,
        chains: tuple[Chain, Chain],
        common: int,
        target: int,
        data: Data,
        threads: int | None,
        progress: Callable[[int, int, str], None] | None,
    ) -> None:
        self.chains, self.target, self.data, self.threads, self.progress = chains, target, data, threads, progress
        self.chain, self.start = self._start(common)
        self.begins = int(self.chain.states[self.start]["epoch"])
        self.here: dict[int, dict[str, Any]] = {}  # states after each epoch, by kernels

    def kernels_and_reference(self) -> Place | None:
        """Where the two differ; None where they agree up to the target."""
        self._train("numba", self._keep)
        different: list[Any] = []  # the epoch, and in words what differs

        def compare(fit: Fit, epoch: int) -> str | None:
            if not different and epoch in self.here:
                wrong = first_difference(self.here[epoch], self._state(fit, epoch))
                different[:] = [epoch, wrong] if wrong else []
            self._tell(epoch, "reference")
            return "enough" if different or epoch >= self.target else None

        self._train("reference", compare)
        if not different:
            return None
        (epoch, words), kept = different, list[Any]()

        def keep(fit: Fit, at: int) -> str | None:
            if at == max(epoch - 1, self.begins):
                kept[:] = fit, fit.network.at_once()
            return "enough" if kept else None

        self._train("numba", keep)
        from fastmlp.verification import lockstep  # with Numba

        for all_pairs in (False, True):
            if place := lockstep.first_difference(kept[0], kept[1], max(epoch, self.begins + 1), all_pairs):
                return place
        return Place(epoch, None, None, "train.train", f"{words} differs after epoch {epoch}, and no pair by itself")

    def agrees(self) -> str:
        """Which of the transcripts have the lines that the kernels here give."""
        right = [all(self._has(chain, line) for line in chain.states) for chain in self.chains]
        return {(True, True): "both", (True, False): "a", (False, True): "b"}.get((right[0], right[1]), "neither")

    def _has(self, chain: Chain, line: dict[str, Any]) -> bool:
        epoch = _epoch(line)
        if epoch not in self.here or epoch <= self.begins or line["record"] == "end":
            return epoch not in self.here or line["record"] != "end" or self._ends_so(line, epoch)
        skipped = () if _before(chain, line) == self.here[epoch]["since"] else _SINCE
        return not first_difference({k: v for k, v in line.items() if k not in skipped}, self.here[epoch])

    def _ends_so(self, line: dict[str, Any], epoch: int) -> bool:
        return line["epoch"] != epoch or line["parameters"] == self.here[epoch]["parameters"]

    def _start(self, common: int) -> tuple[Chain, int]:
        """The transcript, and the place in it, of the newest checkpoint up to an epoch."""
        best: tuple[int, Chain, int] | None = None
        for chain in self.chains:
            for place, line in enumerate(chain.states):
                there = line["record"] == "epoch" and os.path.exists(transcript.checkpoint_of(chain.path, line))
                if there and line["epoch"] <= common and (best is None or line["epoch"] > best[0]):
                    best = line["epoch"], chain, place
        if best is None:
            raise Differs(f"neither transcript has a checkpoint of epoch {common} or before")
        return best[1], best[2]

    def _since(self, epoch: int) -> int:
        """The epoch of the last line before, in either transcript, as lines come there."""
        every = [line["epoch"] for chain in self.chains for line in chain.states if line["epoch"] < epoch]
        return max([self.begins, *every])

    def _state(self, fit: Fit, epoch: int) -> dict[str, Any]:
        since = self._since(epoch)
        watch = self._watch
        return {**state_of(fit, since, epoch, watch.digest_of_best(fit), watch.kept), "since": since}

    def _keep(self, fit: Fit, epoch: int) -> str | None:
        self.here.setdefault(epoch, self._state(fit, epoch))
        self._tell(epoch, "kernels")
        return "enough" if epoch >= self.target else None

    def _tell(self, epoch: int, what: str) -> None:
        if self.progress is not None:
            self.progress(epoch - self.begins, max(1, self.target - self.begins), what)

    def _train(self, backend: str, told: Callable[[Fit, int], str | None]) -> None:
        self._watch = _Watch(self.chain, self.start, told)
        replay(self._watch, self.data, backend, self.threads)
