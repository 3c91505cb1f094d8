"""`Ensemble`: several models of one task, which predict together. `reference/ensemble.py` says what every bit is."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastmlp import splits
from fastmlp.checks import scalars
from fastmlp.checks.arrays import counted
from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut, shown
from fastmlp.checks.names import Nothing, names_of, no_argument, one_of, takes_no_more
from fastmlp.core import data, scores
from fastmlp.engine.initial_weights import check_seed
from fastmlp.ensemble.predictions import Together, entropy_of, labels_of, mean_of, outputs_of, rows_spec_of, spread_of
from fastmlp.ensemble.shown import in_html
from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.fit import advice
from fastmlp.fit.options import EPOCHS
from fastmlp.fit.validation import validation_fraction
from fastmlp.losses import Loss
from fastmlp.model import Model
from fastmlp.spec import Backend, Hidden, Init, LossName, Output, Spec
from fastmlp.storage import checkpoints, ensemble_file, model_file
from fastmlp.sweep import Each, Result
from fastmlp.sweep.names import FIT_NAMES
from fastmlp.sweep.parts import train_parts
from fastmlp.sweep.results import DIVERGED
from fastmlp.system.busy import Busy

if TYPE_CHECKING:
    from typing_extensions import Unpack

VOTES = ("soft", "hard")


class Ensemble:
    """Models of one task that predict together: the mean of their outputs, and how far they are apart.

    Member k is bit for bit the model that is trained alone with its seed and on its rows. `Ensemble.of` takes models
    that are there.

    Parameters
    ----------
    layers : sequence of int
        Layer sizes of each member, as for `Model`.
    members : int, default=5
        The number of models.
    seed : int, default=0
        Seed of the first member, and of the bootstrap samples. Member k has the seed `seed` + k.
    bootstrap : bool, default=False
        Whether each member trains on a sample of its own: as many rows as there are, drawn with replacement
        (`fastmlp.splits.bootstrap`).
    vote : str, default="soft"
        How labels are predicted: "soft" takes the mean of the probabilities, "hard" the label of most members.
    hidden, output, loss, init, bias_init, zero_last, input_scale, dtype, backend, standardize : object
        As for `Model`, of each member.

    Attributes
    ----------
    members : list of Model
        The models, which are also `ensemble[k]` and what `for model in ensemble` gives.
    left_out : dict of int to str
        Members that diverged in the last `fit`, with the reasons. They take no part in predictions.
    results : list of Result or None
        What became of each member in the last `fit`. None before the first, and after `load`.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.

    Examples
    --------
    >>> from fastmlp import Ensemble
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> ensemble = Ensemble([2, 8, 8, 2], members=4, seed=1)
    >>> results = ensemble.fit(X, [0, 1, 1, 0], epochs=2000, learning_rate=0.1)
    >>> ensemble.predict(X)
    array([0, 1, 1, 0])
    """

    members: list[Model]
    left_out: dict[int, str]
    results: list[Result] | None

    @takes_no_more
    def __init__(
        self,
        layers: Sequence[int],
        *,
        members: int = 5,
        seed: int = 0,
        bootstrap: bool = False,
        vote: str = "soft",
        hidden: Hidden | Sequence[Hidden] = "relu",
        output: Output | None = None,
        loss: LossName | Loss | None = None,
        init: Init | float = "he_normal",
        bias_init: float = 0.0,
        zero_last: bool = False,
        input_scale: bool = False,
        dtype: Any = "float64",
        backend: Backend = "numba",
        standardize: bool | Literal["both"] = False,
        **unknown: Unpack[Nothing],
    ) -> None:
        if unknown:
            raise no_argument("Ensemble", next(iter(unknown)), names_of(Ensemble.__init__), {"fit": FIT_NAMES})
        if isinstance(layers, (list, tuple)) and any(isinstance(size, Model) for size in layers):
            raise TypeError("layers is a list of models: use Ensemble.of(models)")
        if isinstance(members, (list, tuple)):
            raise TypeError(f"members={shown(members)} is a list: Ensemble.of takes models that are there")
        count, first = scalars.positive_int(members, "members"), _seed(seed)
        if first + count > 2**64:
            raise ValueError(
                f"seed={first} leaves no seeds for {count} members, which have {first} and those after it: "
                f"give {2**64 - count} or less"
            )
        given = {
            "hidden": hidden, "output": output, "loss": loss, "init": init, "bias_init": bias_init, "dtype": dtype,
            "zero_last": zero_last, "input_scale": input_scale, "backend": backend, "standardize": standardize,
        }  # fmt: skip
        models = [Model(layers, seed=first + number, **given) for number in range(count)]
        self._begin(models, bootstrap, vote, first)

    @classmethod
    def of(cls, models: Sequence[Model], *, bootstrap: bool = False, vote: str = "soft", seed: int = 0) -> Ensemble:
        """Makes an ensemble of models that are there, trained or not.

        Parameters
        ----------
        models : sequence of Model
            The members. They may differ in hidden layers and seeds, and not in inputs, outputs, loss and dtype. They
            are not copied.
        bootstrap : bool, default=False
            Whether `fit` trains each member on a bootstrap sample.
        vote : str, default="soft"
            "soft" or "hard".
        seed : int, default=0
            Seed of the bootstrap samples.

        Returns
        -------
        Ensemble

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong, or models do not go together.
        """
        try:
            found = list(models)
        except TypeError:
            raise TypeError(f"models={shown(models)} is not a list of models") from None
        made = cls.__new__(cls)
        made._begin(found, bootstrap, vote, _seed(seed))
        return made

    def _begin(self, models: list[Model], bootstrap: bool, vote: str, seed: int) -> None:
        if not models:
            raise ValueError("models is empty: give at least one")
        for number, model in enumerate(models):
            if not isinstance(model, Model):
                raise TypeError(f"models[{number}] is {shown(model)}, not a Model")
            if (first := next(k for k, other in enumerate(models) if other is model)) != number:
                raise ValueError(f"models[{number}] is models[{first}]: give copies, copy.copy(model)")
        _check_alike([model.spec for model in models])
        vote = one_of("vote", vote, VOTES)
        if vote == "hard" and not models[0].spec.is_classifier:
            raise ValueError(f'vote="hard" needs labels, and output="{models[0].spec.output}" has none: use "soft"')
        self.members, self._bootstrap, self._vote, self._seed = models, scalars.flag(bootstrap, "bootstrap"), vote, seed
        self.left_out, self.results = {}, None
        self._drawn_from: tuple[int, str] | None = None  # rows of the last fit, and the digest of X, where samples were
        self._busy = Busy()

    @property
    def bootstrap(self) -> bool:
        """Whether each member trains on a sample of its own."""
        return self._bootstrap

    @property
    def vote(self) -> str:
        """How labels are predicted: "soft" or "hard"."""
        return self._vote

    @property
    def seed(self) -> int:
        """The seed of the bootstrap samples."""
        return self._seed

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.members)

    def __getitem__(self, place: Any) -> Any:
        return self.members[place]

    def __repr__(self) -> str:
        more = [
            name for name, there in (("bootstrap=True", self.bootstrap), ('vote="hard"', self.vote == "hard")) if there
        ]
        out = [f"{len(self.left_out)} left out"] if self.left_out else []
        kinds = list(dict.fromkeys(map(repr, self.members)))
        of = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds of Model"
        return f"Ensemble({', '.join([f'{len(self)} of {of}', *more, *out])})"

    def _repr_html_(self) -> str:
        about = repr(self).removeprefix("Ensemble(").removesuffix(")")
        return in_html(about, self.members, self.left_out)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_busy"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _busy=Busy())

    def __copy__(self) -> Ensemble:
        return copy.deepcopy(self)  # not a second name for the same models

    # -----------------------------------------------------------------------------------------------------
    # Training

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: Any = EPOCHS,
        validation: Any = None,
        threads: int | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> list[Result]:
        """Trains all members together, each from its current weights and bit for bit as it would be alone.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features, as in `Model.fit`.
        y : array of shape (N,) or (N, J), or Each
            Targets, as in `Model.fit`; or `fastmlp.sweep.Each` of such arrays, one for each member, as for replicas.
        epochs : int or Each, default=100
            The number of passes over the rows.
        validation : (X, y), float or None, default=None
            As in `Model.fit`. A fraction is held out by each member's own seed, and does not go with bootstrap samples.
        threads : int or None, default=None
            The number of threads of all. None is FASTMLP_NUM_THREADS if it is set, else as many as there are cores.
        progress : bool or None, default=None
            Whether to show a progress bar. None shows one on a terminal or in a notebook if it takes more than a
            second.
        **options : object or Each
            Further arguments of `Model.fit`, such as learning_rate=0.1, but for callbacks, resume and checkpoints; a
            value for all members, or `Each` of a value for each.

        Returns
        -------
        list of Result
            What became of each member: its history, state and digest. `ensemble.results` is the same object.

        Raises
        ------
        TypeError, ValueError
            If an argument is wrong; the error names it.
        DivergenceError
            If all members diverged.
        RuntimeError
            If another call is training the ensemble.
        KeyboardInterrupt
            On Ctrl-C. Members are left after whole epochs.

        Warns
        -----
        DivergenceWarning
            If some members diverged: they are left out of predictions until a later fit, and `left_out` says why. Also
            if members end with a finite loss far above the one that they began with; these are not left out.

        Notes
        -----
        With bootstrap samples, member k is what `model.fit(X[rows], y[rows], sample_weight=sample_weight[rows])` makes
        of it, where rows is `ensemble.rows(k)`.
        """
        use = self._busy.begin(
            "fit was called while the ensemble trains, as from another thread: call it after that fit, or give each "
            "thread a copy of the ensemble"
        )
        try:
            spec = self._spec
            x = data.features(X, self._rows_spec)
            targets: Any
            if isinstance(y, Each):
                targets = Each([data.targets(one, len(x), spec, f"y[{k}]") for k, one in enumerate(y.values)])
            else:
                targets = data.targets(y, len(x), spec)
            rows, drawn_from = None, None
            if self.bootstrap:
                each = validation.values if isinstance(validation, Each) else [validation]
                if fraction := next((one for one in each if validation_fraction(one) is not None), None):
                    raise ValueError(
                        f"validation={shown(fraction)} of a bootstrap sample would hold out rows that are trained "
                        "on, since some are drawn twice: give validation=(X, y), or use out_of_bag_score"
                    )
                drawn_from = len(x), checkpoints.digest_of(x) or ""
                rows = [splits.bootstrap(len(x), number, self.seed) for number in range(len(self))]
            given = {"epochs": epochs, "validation": validation, **options}
            before, self._drawn_from = self._drawn_from, drawn_from  # also of a fit that is interrupted
            try:
                results = train_parts("fit", self.members, x, targets, rows, given, threads, progress)
            except (TypeError, ValueError):
                self._drawn_from = before
                raise
            self.left_out = {found.number: str(found.reason) for found in results if found.state == DIVERGED}
            self.results = results
            self._tell(targets)
            return results
        finally:
            use.end()

    def _tell(self, targets: Any) -> None:
        """Raises where no member can be used; warns of those that cannot."""
        assert self.results is not None
        out, count = self.left_out, len(self)
        if out:
            first = next(iter(out))
            if len(out) == count:
                raise DivergenceError(f"all {counted(count, 'member')} diverged, member {first} first: {out[first]}")
            are = "is" if len(out) == 1 else "are"
            which = f"{counted(len(out), 'member')} of {count} diverged and {are} left out of predictions"
            warnings.warn(f"{which}: member {first}: {out[first]}", DivergenceWarning, stacklevel=3)
        far = [found for found in self.results if found.number not in out and _is_far(found, targets)]
        if far:
            loss = far[0].history.loss
            warnings.warn(
                f"{counted(len(far), 'member')} of {count} ended with a loss far above the one that it began with: "
                f"member {far[0].number} with {loss[-1]:.3g}, from {loss[0]:.3g}. Try a smaller learning_rate",
                DivergenceWarning,
                stacklevel=3,
            )

    def rows(self, member: int) -> np.ndarray:
        """Returns the row numbers that a member was trained on in the last `fit` with bootstrap samples.

        Parameters
        ----------
        member : int
            The member's number, from 0.

        Returns
        -------
        ndarray of shape (N,), int64
            In the order drawn.

        Raises
        ------
        ValueError
            If there was no such fit, or there is no such member.
        """
        number = -1 if isinstance(member, bool) else int(member)
        if not 0 <= number < len(self):
            raise ValueError(f"member={shown(member)} is none of 0 to {len(self) - 1}")
        return splits.bootstrap(self._drawn()[0], number, self.seed)

    def _drawn(self) -> tuple[int, str]:
        """How many rows samples were drawn from, and the digest of X. Raises ValueError where there were none."""
        if self._drawn_from is None:
            raise ValueError(
                "no bootstrap samples were drawn: fit an Ensemble(..., bootstrap=True)"
                if not self.bootstrap
                else "no bootstrap samples were drawn yet: call fit first"
            )
        return self._drawn_from

    # -----------------------------------------------------------------------------------------------------
    # Predicting

    def predict(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Predicts labels or values.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            identity and exponential: the mean of the members' outputs. softmax: the label of the largest mean
            probability, the first of several. sigmoid: 1 where the mean probability is above 1/2, else 0. With
            vote="hard", the label that most members predict, the smallest of several, and for sigmoid 1 where more than
            half predict 1. Shapes are those of `Model.predict`.

        Raises
        ------
        TypeError, ValueError
            If X does not fit the members, an output is not finite, or all members are left out.
        """
        together, spec = self._together(threads), self._spec
        if self.vote == "hard":
            found = together.votes(X)
        else:
            (found,) = together.by_blocks(X, mean_of)
            found = labels_of(spec, found) if spec.is_classifier else found
        return found[:, 0] if found.ndim == 2 and spec.outputs == 1 else found

    def predict_proba(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Predicts the mean of the members' probabilities.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        ndarray of shape (N, J)
            Probabilities, in the members' dtype.

        Raises
        ------
        ValueError
            For output="identity" and "exponential".
        TypeError, ValueError
            As `predict`.

        Notes
        -----
        The mean is the sum in the order of the members, in float64, divided by their number, and rounded to the dtype.
        """
        self._check_classifies()
        return self._together(threads).by_blocks(X, mean_of)[0]

    def predict_std(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Says how far the members are apart: the standard deviation of their outputs.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            Of values, with the shape of `predict`; or of the probabilities, (N, J). In the members' dtype. The sum of
            squared deviations is divided by the number of members: 0 for one member.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        spec = self._spec
        (found,) = self._together(threads).by_blocks(X, spread_of)
        return found if spec.is_classifier or spec.outputs > 1 else found[:, 0]

    def predict_members(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """Predicts the values or probabilities of each member.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        ndarray of shape (M, N) or (M, N, J)
            Of the M members that are not left out, in their order, what `Model.predict` gives for values, and
            `Model.predict_proba` for classifiers.

        Raises
        ------
        TypeError, ValueError
            As `predict`.
        """
        spec = self._spec
        found = self._together(threads).outputs(data.features(X, self._rows_spec))
        return found if spec.is_classifier or spec.outputs > 1 else found[:, :, 0]

    def uncertainty(self, X: Any, *, threads: int | None = None) -> dict[str, np.ndarray]:
        """Says how uncertain the probabilities are, and how much of it is the members' disagreement.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        dict of str to ndarray, float64
            "entropy": of the mean probabilities, in nats. "mutual_information": the part of it that is disagreement,
            the entropy less the mean of the members' entropies; it is near 0 where rows like these were seen. (N,) for
            softmax; for sigmoid, whose outputs are two classes each, (N,) or (N, J).

        Raises
        ------
        ValueError
            For output="identity" and "exponential".
        TypeError, ValueError
            As `predict`.

        References
        ----------
        Depeweg, Hernández-Lobato, Doshi-Velez and Udluft, "Decomposition of uncertainty in Bayesian deep learning for
        efficient and risk-sensitive learning", ICML 2018.
        """
        self._check_classifies()
        spec = self._spec
        parts = self._together(threads).by_blocks(X, *entropy_of(spec))
        found = dict(zip(("entropy", "mutual_information"), parts, strict=True))
        return {name: part[:, 0] if part.ndim == 2 and spec.outputs == 1 else part for name, part in found.items()}

    # -----------------------------------------------------------------------------------------------------
    # Scoring

    def evaluate(self, X: Any, y: Any, *, threads: int | None = None) -> dict[str, float]:
        """Computes the mean loss and the accuracy, or R2, of what the members predict together.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows of features.
        y : array of shape (N,) or (N, J)
            Targets, as in `fit`.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        dict of str to float
            {"loss", "accuracy"} for softmax and sigmoid, {"loss", "r2"} for identity and exponential. The loss is that
            of the mean probabilities or values; of models that standardise y, in y's own units.

        Raises
        ------
        TypeError, ValueError
            If X or y is wrong, as in `fit`.
        """
        spec = self._spec
        x = data.features(X, self._rows_spec)
        targets = data.targets(y, len(x), spec)
        (outputs,) = self._together(threads).by_blocks(x, mean_of)
        labels = self.predict(x, threads=threads) if spec.is_classifier else None
        return scores.of_outputs(spec, outputs, labels, targets)

    def out_of_bag_score(self, X: Any, y: Any, *, threads: int | None = None) -> dict[str, float]:
        """Scores each row by the members whose bootstrap samples do not have it.

        Parameters
        ----------
        X : array of shape (N, K)
            The rows of the last `fit`, in the same order.
        y : array of shape (N,) or (N, J)
            Their targets.
        threads : int or None, default=None
            The number of threads, as in `Model.predict`.

        Returns
        -------
        dict of str to float
            As `evaluate`; and "rows", the fraction of the rows that some member was not trained on. Others do not
            count. Labels are those of the mean probabilities, also with vote="hard".

        Raises
        ------
        ValueError
            If there were no bootstrap samples, X is not that of the last fit, or each row is in all samples.
        TypeError, ValueError
            If X or y is wrong, as in `fit`.

        References
        ----------
        Breiman, "Out-of-bag estimation", 1996.
        """
        spec = self._spec
        rows, digest = self._drawn()
        x = data.features(X, self._rows_spec)
        targets = data.targets(y, len(x), spec)
        if len(x) != rows or checkpoints.digest_of(x) != digest:
            raise ValueError("X is not the X of the last fit, so that nobody knows which of its rows were drawn")
        total, counts = np.zeros((rows, spec.outputs)), np.zeros(rows, np.int64)
        for number, model in self._used():
            unseen = np.setdiff1d(np.arange(rows), splits.bootstrap(rows, number, self.seed))
            if len(unseen):
                total[unseen] += outputs_of(model, x[unseen], threads)
                counts[unseen] += 1
        scored = counts > 0
        if not scored.any():
            raise ValueError("each row is in the sample of each member: take more members")
        outputs = (total[scored] / counts[scored, None]).astype(spec.dtype)
        labels = labels_of(spec, outputs) if spec.is_classifier else None
        found = scores.of_outputs(spec, outputs, labels, targets[scored])
        return {**found, "rows": float(scored.mean())}

    # -----------------------------------------------------------------------------------------------------
    # Files

    def digest(self) -> str:
        """Returns a digest of the members: equal digests mean equal predictions, to the bit.

        Returns
        -------
        str
            The SHA-256, in hex, of the way of voting and the members that are left out, as JSON, and of each member's
            `Model.digest`, each with a newline.
        """
        words = json.dumps({"left_out": sorted(self.left_out), "vote": self.vote}, sort_keys=True)
        return hashlib.sha256("".join(f"{line}\n" for line in (words, *self._digests())).encode()).hexdigest()

    def _digests(self) -> list[str]:
        return [model.digest() for model in self.members]

    def save(self, path: str | os.PathLike) -> None:
        """Writes all members to one file, with everything that further fits go on from.

        The file is in the safetensors format; docs/files.md describes it. It is written as `Model.save` does: a reader
        finds the old file or the new one.

        Parameters
        ----------
        path : path
            The file's name.

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If a member's seed is a generator whose state cannot be stored.
        """
        rows = None if self._drawn_from is None else {"count": self._drawn_from[0], "digest": self._drawn_from[1]}
        left_out = {str(number): cut(reason, 400) for number, reason in self.left_out.items()}
        of_all = {"vote": self.vote, "bootstrap": self.bootstrap, "seed": self.seed, "left_out": left_out, "rows": rows}
        ensemble_file.write(path, [model.snapshot() for model in self.members], of_all)

    @classmethod
    def load(cls, path: str | os.PathLike, *, backend: Backend = "numba") -> Ensemble:
        """Reads what `save` wrote, in any process and on any machine.

        Parameters
        ----------
        path : path
            The file's name.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        Ensemble
            It predicts and goes on with the same bits. The members' histories are None.

        Raises
        ------
        ValueError
            If the file is damaged, cut short, or not an ensemble of fastmlp.
        OSError
            If there is no such file, or it cannot be read.
        """
        networks, of_all = ensemble_file.read(path)
        models = [Model.from_snapshot(network, backend=backend) for network in networks]
        try:
            return cls._described(models, of_all)
        except Exception as error:
            only_faults(error)
            raise model_file.refusal(path, error) from error

    @classmethod
    def _described(cls, models: list[Model], of_all: dict[str, Any]) -> Ensemble:
        """An ensemble of a header's values, which may be of any kind. Raises what `model_file.refusal` takes."""
        vote, bootstrap, seed = of_all["vote"], of_all["bootstrap"], of_all["seed"]
        if not isinstance(vote, str) or not isinstance(bootstrap, bool) or type(seed) is not int:
            raise ValueError(f"its vote, bootstrap and seed are {shown([vote, bootstrap, seed])}")
        made = cls.of(models, bootstrap=bootstrap, vote=vote, seed=seed)
        for text, reason in model_file.part(of_all, "left_out").items():
            if text not in map(str, range(len(models))) or not isinstance(reason, str):
                raise ValueError(f"its left_out has {shown({text: reason})}")
            made.left_out[int(text)] = cut(reason, 400)
        if of_all["rows"] is not None:
            rows = model_file.part(of_all, "rows")
            count, digest = model_file.count(rows["count"]), rows["digest"]
            if not bootstrap or not count or not isinstance(digest, str):
                raise ValueError(f"its rows are {shown(rows)}")
            made._drawn_from = count, cut(digest, 64)
        return made

    # -----------------------------------------------------------------------------------------------------

    @property
    def _spec(self) -> Spec:
        """The first member's: what is asked of it is the same for all."""
        return self.members[0].spec

    @property
    def _rows_spec(self) -> Spec:
        """The spec that rows are read by: of float64, where members standardise them."""
        return rows_spec_of(self.members)

    def _used(self) -> list[tuple[int, Model]]:
        """The members that predict. Raises ValueError where there are none."""
        found = [(number, model) for number, model in enumerate(self.members) if number not in self.left_out]
        if not found:
            raise ValueError("all members diverged and are left out: fit with a smaller learning_rate")
        return found

    def _together(self, threads: int | None) -> Together:
        return Together([model for _, model in self._used()], threads)

    def _check_classifies(self) -> None:
        spec = self._spec
        if not spec.is_classifier:
            raise ValueError(f'output="{spec.output}" has no probabilities: use predict and predict_std')


def _is_far(found: Result, targets: Any) -> bool:
    """Whether a member has ended far above where it began."""
    assert found.model is not None
    losses, y = found.history.loss, targets.values[found.number] if isinstance(targets, Each) else targets
    if len(losses) < 2 or found.restored:
        return False
    return advice.ended_far_above(found.model.spec, y, float(losses[0]), float(losses[-1]))


def _seed(seed: Any) -> int:
    if not isinstance(check_seed(seed), int):
        raise TypeError(f"seed={shown(seed)} is not a whole number: an ensemble's seed is one")
    return int(seed)


def _check_alike(specs: Sequence[Spec]) -> None:
    """Raises ValueError for networks that are not of one task."""
    for number, spec in enumerate(specs):
        for name in ("inputs", "outputs", "output", "loss", "loss_parameter", "dtype"):
            mine, first = getattr(spec, name), getattr(specs[0], name)
            if mine != first:
                raise ValueError(
                    f"models[{number}] has {name} {mine!r}, and models[0] {first!r}: give models of one task"
                )
