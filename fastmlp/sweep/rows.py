"""A sweep's rows: read once, converted once for each dtype and kind of targets, validation held out once for all."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.arrays import counted, numeric_array
from fastmlp.core import data
from fastmlp.core.network import wide
from fastmlp.fit import sample_weights, validation
from fastmlp.spec import Spec
from fastmlp.storage import checkpoints

Key = tuple[str, str, int, str, bool]
USUAL = 20  # labels, of which nobody wonders


@dataclass(frozen=True)
class Ready:
    """What `Model.fit` is given for networks of one kind: x (N, K), y, weights (N,) or None, and what is held out."""

    x: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    validation: validation.Held | None
    labelled: bool
    held_labelled: bool | None  # None without validation


class Rows:
    """X and y of a sweep, with validation and weights of rows.

    X, y, validation, sample_weight: as given to `Model.fit`. seed: of the rows that a fraction holds out.
    Raises TypeError or ValueError for an X that no network takes.
    """

    def __init__(self, X: Any, y: Any, given_validation: Any = None, sample_weight: Any = None, seed: int = 0) -> None:
        self._X = data.matrix(X) if not _is_floats(X) else X
        self._given_X = X
        self._y = numeric_array(y, "y", "encode labels as 0, 1, ..., as numpy.unique(y, return_inverse=True)[1] does")
        self._validation, self._weights, self._seed = given_validation, sample_weight, seed
        self.fraction = None
        if given_validation is not None:
            self.fraction = validation.validation_fraction(given_validation)
        self.validates = given_validation is not None
        self.features = int(self._X.shape[1])
        self._parts: tuple[np.ndarray, np.ndarray] | None = None  # row numbers (training, validation), once drawn
        self._labels = 0  # that networks have outputs for
        self._x: dict[str, np.ndarray] = {}
        self._ready: dict[Key, Ready] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without what was given: another process gets what networks of the checked points need."""
        given = dict.fromkeys(("_X", "_given_X", "_y", "_validation", "_weights"))
        return {**self.__dict__, **given, "_x": {}}

    def outputs(self, output: str | None, loss: Any) -> int:
        """The number of outputs that y asks for: its classes, its columns, or 1."""
        y = self._y
        if y.ndim == 2 and y.shape[1] > 1:
            return int(y.shape[1])
        if Spec.build([1, 2], "relu", output, loss).output != "softmax" or not y.size:
            return 1
        with np.errstate(all="ignore"):
            most = y.max()
            found = max(2, int(most) + 1) if np.isfinite(most) and most < data.LABELS else 2
        self._labels = found
        return found

    def tell(self) -> None:
        """Warns of labels that look like quantities."""
        count = len(self._X)
        if self._labels > max(count, USUAL):
            warnings.warn(
                f"y has labels up to {self._labels - 1} in {counted(count, 'row')}, so that a network has "
                f'{self._labels} outputs: if these are quantities, give base={{"output": "identity"}}; if not, number '
                "the labels from 0, as numpy.unique(y, return_inverse=True)[1] does",
                stacklevel=4,
            )

    def of(self, spec: Spec, standardize: bool = False) -> Ready:
        """What networks of this kind train on. standardize: whether they do so with rows, which are float64 then.

        Raises TypeError or ValueError where the rows do not fit the network."""
        key = spec.dtype, spec.output, spec.outputs, spec.loss, standardize
        if spec.inputs != self.features:
            data.features(self._X[:1], spec)  # raises
        if key not in self._ready:
            self._ready[key] = self._made(spec, wide(spec) if standardize else spec)
        return self._ready[key]

    def _made(self, spec: Spec, rows_spec: Spec) -> Ready:
        y = data.targets(self._y, len(self._X), spec)
        weights = self._weights
        if weights is not None:
            sample_weights.row_weights(weights, None, y, spec)  # raises
            weights = np.asarray(weights).reshape(len(y))
        given = self._validation
        held: validation.Held | None = None
        if self.fraction is not None:
            if self._parts is None:
                self._parts = validation.held_out(y, self.fraction, self._seed, spec)
            rows, others = self._parts
            held = self._features(rows_spec, "held out", others), y[others]
            x, y = self._features(rows_spec, "to train on", rows), y[rows]
            weights = None if weights is None else weights[rows]
        else:
            x = self._features(rows_spec, "to train on", None)
            if given is not None:
                held = validation.validation_data(given, spec, rows_spec=rows_spec)
                held = self._x.setdefault(f"given {rows_spec.dtype}", held[0]), *held[1:]
        if held is not None:
            validation.check_classes(y, held[1], spec)
        held_labelled = None if held is None else data.labelled(spec, held[1])
        return Ready(x, y, weights, held, data.labelled(spec, y), held_labelled)

    def _features(self, spec: Spec, part: str, rows: np.ndarray | None) -> np.ndarray:
        """A part of X in the network's dtype, one array for all networks of this dtype."""
        name = f"{part} {spec.dtype}"
        if name not in self._x:
            x = data.features(self._given_X if self._given_X is not None else self._X, spec)
            self._x[name] = x if rows is None else x[rows]
        return self._x[name]

    def digests(self) -> dict[str, str]:
        """What tells these rows from others."""
        known: dict[int, str | None] = {}
        found: dict[str, list[Any]] = {name: [] for name in ("X", "y", "sample_weight", "validation rows")}
        for key in sorted(self._ready):
            ready = self._ready[key]
            held = ready.validation or (None, None)
            arrays = [("X", ready.x), ("y", ready.y), ("sample_weight", ready.sample_weight)]
            for name, array in [*arrays, *(("validation rows", part) for part in held)]:
                if id(array) not in known:
                    known[id(array)] = checkpoints.digest_of(array)
                found[name].append(known[id(array)])
        kind = self.fraction if self.fraction is not None else "rows" if self.validates else None
        digests = {name: hashlib.sha256(repr(of).encode()).hexdigest() for name, of in found.items()}
        return {"validation": repr(kind), **digests}

    def nbytes(self) -> int:
        """The bytes of all arrays that networks are given."""
        arrays: dict[int, np.ndarray] = {}
        for ready in self._ready.values():
            for array in (ready.x, ready.y, ready.sample_weight, *(ready.validation or ())):
                if array is not None:
                    arrays[id(array)] = array
        return sum(array.nbytes for array in arrays.values())


def _is_floats(X: Any) -> bool:
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind == "f" and X.size > 0 and bool(np.isfinite(X).all())
