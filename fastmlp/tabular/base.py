"""What the two estimators share: reading and scaling X, training the members, importances."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp import splits
from fastmlp.checks.arrays import counted, masked_place
from fastmlp.core.preprocess import RobustScale, Scale
from fastmlp.ensemble import Ensemble
from fastmlp.errors import DivergenceError, DivergenceWarning
from fastmlp.estimators.arguments import check_product, layer_sizes, product, weights_of_rows
from fastmlp.model import Model
from fastmlp.sweep import Each
from fastmlp.sweep.parts import train_parts
from fastmlp.sweep.results import DIVERGED
from fastmlp.tables import recipe
from fastmlp.tables.encoder import Encoder
from fastmlp.tabular import rows

REPEATS = 5  # permutations of each column for its importance


class BaseTabular(BaseEstimator):
    """Base class of the two estimators, whose docstrings describe the parameters."""

    _task = ""
    _parameter_constraints: dict[str, list[Any]] = {
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "backend": [StrOptions({"numba", "reference"})],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_members: int = recipe.MEMBERS,
        *,
        hidden_layer_sizes: Any = recipe.HIDDEN,
        epochs: int = recipe.EPOCHS,
        batch_size: int = recipe.BATCH_SIZE,
        learning_rate: float | None = None,
        validation_fraction: float = recipe.VALIDATION,
        random_state: Any = 0,
        n_threads: int | None = None,
        backend: Any = "numba",
        verbose: Any = False,
    ) -> None:
        self.n_members = n_members
        self.hidden_layer_sizes = hidden_layer_sizes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.n_threads = n_threads
        self.backend = backend
        self.verbose = verbose

    # -----------------------------------------------------------------------------------------------------
    # Of each class

    def _targets(self, y: Any) -> tuple[np.ndarray, np.ndarray, int]:
        """Checks y. -> what the network trains on, the groups (N,) that folds are stratified by, and its outputs."""
        raise NotImplementedError

    def _smoothing(self) -> float:
        """The label smoothing."""
        return 0.0

    def _class_weights(self, targets: np.ndarray) -> np.ndarray | None:
        """The weight (N,) of each row's class; None if all classes count alike."""
        return None

    def _trained(self, members: list[Model], x: np.ndarray, y: np.ndarray, held: list[np.ndarray]) -> None:
        """What is done with members once they are trained."""

    def _losses(self, x: np.ndarray, y: np.ndarray, member: int) -> np.ndarray:
        """The losses (N,) of a member on inputs (N, K') that importances are differences of."""
        raise NotImplementedError

    # -----------------------------------------------------------------------------------------------------
    # Fitting

    def _fitted(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """What `fit` does, or nothing: if it raises, the estimator is as it was before."""
        before = self.__dict__.copy()
        try:
            return self._fit(X, y, sample_weight)
        except BaseException:
            self.__dict__ = before
            raise

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        place = masked_place(y)
        if place is not None:
            raise ValueError(f"y has masked values{place}: fill them in, or leave out their rows")
        table = self._columns(X, reset=True)
        check_consistent_length(X, y)
        given = weights_of_rows(sample_weight, X)
        given = None if given is None else rows.relative(given.astype(np.float64))
        targets, groups, outputs = self._targets(y)
        every = np.arange(len(table)) if given is None else np.flatnonzero(given)
        if len(every) < len(table):  # what weighs nothing is not there
            targets, groups, outputs = self._targets_that_weigh(_safe_indexing(y, every))
        if len(every) < 2:
            raise ValueError(
                "n_samples=1, and 1 sample cannot be trained and validated on: give at least 2 rows"
                + ("" if given is None else " that weigh more than 0")
            )
        of_classes = self._class_weights(targets)
        weights = product(None if given is None else given[every], of_classes)
        if weights is not None and of_classes is not None:
            check_product(weights)
            weights = rows.relative(weights)
        encoder = Encoder.learn(table, every)
        if not encoder.width:
            raise ValueError("X has no feature: nothing is there in any of its columns")
        raw, _ = encoder.encode(table)
        raw = raw if len(every) == len(table) else raw[every]
        scale = self._scale_of(raw, encoder.inputs)
        x = self._inputs(raw, scale)
        seed = self._seed()
        parts = rows.parts(groups, int(self.n_members), float(self.validation_fraction), seed, self.backend)
        members = [
            Model(seed=seed + number, backend=self.backend, **self._network(x.shape[1], outputs))
            for number in range(len(parts))
        ]
        held = [validation for _, validation in parts]
        options = {**self._training(), "sample_weight": weights}
        if all(rows.weigh(some, weights) for some in held):
            more = [() if weights is None else (weights[some],) for some in held]
            pairs = [(x[some], targets[some], *of) for some, of in zip(held, more, strict=True)]
            options["validation"] = Each(pairs)
            options["early_stopping"] = self._stopping()
        train = [some for some, _ in parts]
        progress = None if self.verbose else False
        results = train_parts("fit", members, x, targets, train, options, self.n_threads, progress)
        left_out = {one.number: str(one.reason) for one in results if one.state == DIVERGED}
        if len(left_out) == len(members):
            raise DivergenceError(
                f"all members diverged, member 0 first: {left_out[0]}; give a learning_rate below "
                f"{self.learning_rate or recipe.RATES[self._task]:g}"
            )
        if left_out:
            first = next(iter(left_out))
            which = f"{counted(len(left_out), 'member')} of {len(members)} diverged and predict nothing"
            warnings.warn(f"{which}: member {first}: {left_out[first]}", DivergenceWarning, stacklevel=5)
        ensemble = Ensemble.of(members)
        ensemble.left_out = left_out
        self._encoder, self._scale = encoder, scale
        self.ensemble_ = ensemble
        self.n_iter_ = max(len(one.history) for one in results)
        self._importances: np.ndarray | None = None
        self._held, self._weights = (x, targets, held), weights
        self._trained(members, x, targets, held)
        return self

    def _targets_that_weigh(self, y: Any) -> Any:
        """`_targets` of rows that weigh more than 0."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DataConversionWarning)  # all rows had it
                return self._targets(y)
        except ValueError as error:
            raise ValueError(f"{error}, whose sample_weight is more than 0") from None

    def _seed(self) -> int:
        """The seed of the first member, of the number or generator that random_state is."""
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _scale_of(self, raw: np.ndarray, names: list[str]) -> Scale:
        """The scale of encoded columns (N, K')."""
        return RobustScale.of(raw, names, self.backend)

    def _network(self, inputs: int, outputs: int) -> dict[str, Any]:
        """The arguments of each member's `Model`."""
        sizes = layer_sizes(self.hidden_layer_sizes)
        return recipe.network(self._task, inputs, sizes, outputs, self._smoothing())

    def _training(self) -> dict[str, Any]:
        """The arguments of each member's `Model.fit`."""
        return recipe.training(self._task, int(self.epochs), self.learning_rate, int(self.batch_size))

    def _stopping(self) -> Any:
        """The rule by which an epoch is chosen."""
        return recipe.stopping()

    # -----------------------------------------------------------------------------------------------------
    # Rows

    def _columns(self, X: Any, reset: bool) -> Any:
        """X as columns. Raises TypeError or ValueError, also where they are not those of training."""
        names, words = None, []
        if not reset:
            names = self._encoder.names
            words = [feature.name for feature in self._encoder.features if feature.kind == "text"]
        found = rows.columns_of(X, names, words, by_place=not hasattr(self, "feature_names_in_"))
        validate_data(self, X, skip_check_array=True, reset=reset)
        if not len(found):
            raise ValueError("X has no rows: give at least one")
        return found

    def _inputs(self, raw: np.ndarray, scale: Scale) -> np.ndarray:
        """What the networks see (N, K') of encoded columns (N, K'): float32."""
        return scale.forward(raw, self.backend).astype(np.float32)

    def _rows(self, X: Any) -> np.ndarray:
        """X as the networks see it (N, K'), once fitted."""
        check_is_fitted(self)
        raw, _ = self._encoder.encode(self._columns(X, reset=False))
        return self._inputs(raw, self._scale)

    # -----------------------------------------------------------------------------------------------------
    # Importances

    @property
    def feature_importances_(self) -> np.ndarray:
        """How much worse rows are predicted that were held out, if a column's cells are shuffled among them: (K,).

        The mean over members and 5 permutations of the increase of the loss: of the error rate for classes, of the mean
        squared error, divided by y's variance, for values; weighted means, where rows have weights. 0 or less means
        that a column was of no use. It is computed when it is first asked for, from the rows that members validated on;
        `fit` keeps all rows for this, so that pickles have them, too. Raises ValueError if no member validated on 2
        rows.
        """
        check_is_fitted(self)
        if self._importances is None:
            self._importances = self._importances_found()
        return self._importances.copy()

    def _importances_found(self) -> np.ndarray:
        found = np.zeros(len(self._encoder.features))
        x_of_all, y_of_all, held = self._held
        weights = self._weights
        used = [k for k in self._used(held) if len(held[k]) > 1]
        if not used:
            raise ValueError("no member has validated on 2 rows or more: fit on more rows for importances")
        for member in used:
            x, y = x_of_all[held[member]], y_of_all[held[member]]
            own = None if weights is None else weights[held[member]]
            plain, at = rows.mean(self._losses(x, y, member), own), 0
            for place, feature in enumerate(self._encoder.features):
                block = slice(at, at + feature.width)
                at += feature.width
                for repeat in range(REPEATS if feature.width else 0):
                    shuffled = x.copy()
                    shuffled[:, block] = x[splits.order(place, repeat + 1, len(x), self.backend), block]
                    found[place] += rows.mean(self._losses(shuffled, y, member), own) - plain
        return found / (len(used) * REPEATS)

    def _used(self, held: list[np.ndarray]) -> list[int]:
        """The members that predict and have validated on rows that weigh something."""
        members, left_out = range(len(self.ensemble_)), self.ensemble_.left_out
        return [k for k in members if k not in left_out and rows.weigh(held[k], self._weights)]

    def _check_several(self) -> None:
        used, count = len(self.ensemble_) - len(self.ensemble_.left_out), len(self.ensemble_)
        if used < 2:
            raise ValueError(
                f"{used} of {counted(count, 'member')} predicts, and cannot disagree: fit with more n_members"
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ensemble_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = False
        return tags
