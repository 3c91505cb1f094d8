"""A network with the columns, labels and scales of the table that it was trained on: what `fastmlp train -o` writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.checks.faults import only_faults
from fastmlp.checks.integers import EXACT, check_exact, integers, same
from fastmlp.checks.messages import cut, shown
from fastmlp.core import data, scores
from fastmlp.model import Model
from fastmlp.reference.arithmetic import fma
from fastmlp.storage import model_file
from fastmlp.tables.reader import Scale, as_classes, check_unique, listed, places_of

if TYPE_CHECKING:
    from pathlib import Path

    from fastmlp.export.c_parts import Parts


@dataclass(frozen=True, eq=False)
class TableModel:
    """A model that takes a table's rows as they are in the file, and predicts the file's labels or units.

    Parameters
    ----------
    model : Model
        The network.
    names : tuple of str
        The names of the K features, in the order of the network's inputs.
    target : str
        The name of what is predicted.
    classes : ndarray of shape (C,) or None
        The labels, ascending: float64, or int64 or uint64 where float64 would round them. None for quantities.
    scale : Scale
        The scale of the features.
    target_scale : Scale or None, default=None
        The scale of the quantities; None if they were not standardised.
    settings : mapping, default={}
        What `fastmlp train --resume` continues with, as plain values.

    Raises
    ------
    ValueError
        If these do not fit the network.

    Examples
    --------
    With a file that `fastmlp train -o` wrote::

        wine = TableModel.load("wine.safetensors")
        wine.predict([[12.8, 2.4, 107.0]])  # array([3])
    """

    model: Model
    names: tuple[str, ...]
    target: str
    classes: np.ndarray | None
    scale: Scale
    target_scale: Scale | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spec = self.model.spec
        if self.classes is not None and spec.output != "softmax":
            raise ValueError(f'classes need a network with output="softmax", and not {spec.output!r}')
        if self.classes is None and spec.output == "softmax":
            raise ValueError('classes are needed where the network has output="softmax": give the label of each')
        sizes: list[tuple[str, Any, int]] = [
            ("names", self.names, spec.inputs),
            ("classes", self.classes, spec.outputs),
            ("scale", self.scale.mean, spec.inputs),
            ("scale", self.scale.deviation, spec.inputs),
        ]
        if self.target_scale is not None:
            sizes += [
                ("target_scale", part, spec.outputs) for part in (self.target_scale.mean, self.target_scale.deviation)
            ]
        for name, values, size in sizes:
            if values is not None and len(values) != size:
                raise ValueError(f"{name} has {len(values)} entries, and layers={list(spec.layers)} needs {size}")

    def predict(self, X: Any) -> np.ndarray:
        """Predicts labels or quantities.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows as in the table. A frame's columns are found by their names, in any order; an array's by position.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            Labels (N,), int64, or uint64 for labels beyond it; or quantities, float64, (N,) or (N, J) for J of them.

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or a quantity is not finite.
        """
        found = self.model.predict(self._features(X))
        if self.classes is not None:
            small = self.classes.dtype.kind == "f" and (abs(self.classes) <= EXACT).all()
            return (self.classes.astype(np.int64) if small else self.classes)[found]
        values = found.astype(np.float64)
        if self.target_scale is None:
            return values
        with np.errstate(over="ignore"):
            values = self.target_scale.backward(values.reshape(len(values), -1)).reshape(values.shape)
        if not np.isfinite(values).all():
            raise ValueError(f"{cut(self.target)} is beyond the range of float64 for these rows: X is too large")
        return values

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predicts the probability of each class.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows as in the table.

        Returns
        -------
        ndarray of shape (N, C)
            Probabilities, in the order of `classes`.

        Raises
        ------
        ValueError
            For quantities.
        TypeError, ValueError
            As `predict`.
        """
        if self.classes is None:
            raise ValueError(f"{self.target!r} is a quantity, which has no probabilities: use predict")
        return self.model.predict_proba(self._features(X))

    def score(self, X: Any, y: Any) -> dict[str, float]:
        """Computes the accuracy or R2 of the predictions.

        Parameters
        ----------
        X : array of shape (N, K)
            Rows as in the table.
        y : array of shape (N,) or (N, J)
            Labels (N,), or one-hot rows for labels 0, 1, ...; or quantities (N,) or (N, J).

        Returns
        -------
        dict of str to float
            {"accuracy"}, the fraction of rows predicted right; or {"r2"}, as in `Model.evaluate`, in y's own units.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit.
        """
        predicted = self.predict(X)
        y = arrays.numeric_array(y, "y")
        if y.dtype.kind == "f" and y.size and y.ndim < 3:
            data.matrix(y.reshape(len(y), -1), y.dtype, "y")  # NaN and infinity
        if self.classes is not None and y.ndim == 2:
            y = as_classes(y)
        elif self.classes is not None and y.ndim == 1 and y.dtype.kind == "f":
            check_exact(y, "y")
        if y is None or y.shape != predicted.shape:
            shape = "(not one-hot)" if y is None else y.shape
            raise ValueError(f"y has shape {shape}, and there are predictions of shape {predicted.shape}: give as many")
        if self.classes is not None:
            return {"accuracy": float(same(predicted, y).mean())}
        rows = len(predicted)
        return {"r2": scores.r2(predicted.reshape(rows, -1), y.reshape(rows, -1))}

    def save(self, path: str | os.PathLike) -> None:
        """Writes everything to one file, as `Model.save` does.

        Parameters
        ----------
        path : path
            The file's name.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        scales = {"scale": self.scale, "target_scale": self.target_scale}
        table = {
            "names": list(self.names),
            "target": self.target,
            "task": "regress" if self.classes is None else "classify",
            "classes": None if self.classes is None else self.classes.tolist(),
            **{
                name: None if scale is None else {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()}
                for name, scale in scales.items()
            },
            "settings": dict(self.settings),
        }
        model_file.write(path, self.model.snapshot(), "table", {"table": table})

    def to_c(self, path: str | os.PathLike, *, name: str | None = None) -> tuple[Path, Path]:
        """Writes the model as C99, as `Model.to_c` does, with its scales and classes: it takes rows as in the table.

        Parameters
        ----------
        path : path
            The source's name, ending in .c; the header goes beside it. Or a folder, for network.c and network.h.
        name : str or None, default=None
            What every name in C begins with. None is the source's name without .c.

        Returns
        -------
        source, header : Path
            The two files.

        Raises
        ------
        TypeError, ValueError, OSError
            As `Model.to_c`. Also if quantities come from a network with output="sigmoid".
        """
        from fastmlp.export import c_source

        network = self.model.snapshot()
        return c_source.write(path, network.spec, network.parameters, network.digest(), name, parts=self._parts())

    def _parts(self) -> Parts:
        """What stands before and after the network in C."""
        from fastmlp.export import c_parts

        if self.classes is None and self.model.spec.is_classifier:
            raise ValueError('quantities from output="sigmoid" are not written as C: use model.to_c, of its network')
        mean, deviation = self.scale.mean, self.scale.deviation
        restore, tables = None, mean.nbytes + deviation.nbytes
        if self.classes is None:
            target = self.target_scale
            scale = None if target is None else (target.mean, target.deviation)
            restore = c_parts.rescale(scale, self.model.spec.outputs)
            tables += 0 if target is None else target.mean.nbytes + target.deviation.nbytes
        examples, answers = self._examples()
        what = f"the classes of {self.target}" if self.classes is not None else self.target
        return c_parts.Parts(
            c_parts.standardise(mean, deviation), restore, self.names, self.classes, examples, answers, tables,
            f"It takes a row as it is in the table, and predicts {what}.",
        )  # fmt: skip

    def _examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Eight rows around the mean (R, K), and what is predicted of them; none if that is beyond the range.

        Of 64, they are those first whose quantities would change if product and sum were rounded once.
        """
        number = np.arange(64.0)[:, None]
        steps = (7 * number + 3 * np.arange(len(self.names))) % 13 + number / 64
        with np.errstate(all="ignore"):
            rows = self.scale.mean + self.scale.deviation * ((steps - 6) / 4)
        try:
            answers = (self.predict if self.classes is None else self.predict_proba)(rows).reshape(len(rows), -1)
        except ValueError:
            return rows[:0], np.zeros((0, self.model.spec.outputs))
        hard = np.zeros(len(rows), bool)
        if self.target_scale is not None:
            z = self.model.predict(self._features(rows)).reshape(answers.shape).astype(np.float64)
            hard = (fma(z, self.target_scale.deviation, self.target_scale.mean) != answers).any(axis=1)
        chosen = np.argsort(~hard, kind="stable")[:8]
        return rows[chosen], answers[chosen]

    @classmethod
    def load(cls, path: str | os.PathLike, *, backend: str = "numba") -> TableModel:
        """Reads what `save` or `fastmlp train -o` wrote.

        Parameters
        ----------
        path : path
            The file's name.
        backend : str, default="numba"
            "numba" or "reference".

        Returns
        -------
        TableModel

        Raises
        ------
        ValueError, OSError
            As `Model.load`.
        """
        network, header, tensors = model_file.read(path, "table")
        model = Model.from_snapshot(network, backend=backend)
        try:
            if tensors:
                raise ValueError(f"nothing of a table's model is called {cut(next(iter(tensors)))}")
            return cls(model, **_described(model_file.part(header, "table")))
        except Exception as error:
            only_faults(error)
            raise model_file.refusal(path, error) from error

    def _features(self, X: Any) -> np.ndarray:
        """X (N, K) as the network's inputs: columns in order, standardised."""
        x = data.matrix(X)
        columns = getattr(X, "columns", None)
        if columns is not None:
            found = [str(name) for name in columns]
            check_unique(found, "X")
            x = x[:, places_of(found, self.names, "X")]
        if x.shape[1] != len(self.names):
            raise ValueError(f"X has {x.shape[1]} columns, and the model takes {len(self.names)}: {listed(self.names)}")
        with np.errstate(over="ignore"):
            return self.scale.forward(x)


# ---------------------------------------------------------------------------------------------------------
# Reading a header, whose values may be of any kind


def _described(table: dict[str, Any]) -> dict[str, Any]:
    """A TableModel's fields, from a header whose values may be of any kind.

    Raises ValueError, TypeError or KeyError.
    """
    names, target = table["names"], table["target"]
    if not isinstance(names, list) or not all(map(_is_name, [*names, target])):
        raise ValueError(f"its names and target are {shown([names, target])}, not text")
    check_unique(names, "names")
    classes = table["classes"]
    return {
        "names": tuple(names),
        "target": target,
        "classes": None if classes is None else _classes(classes),
        "scale": _scale(model_file.part(table, "scale")),
        "target_scale": None if table["target_scale"] is None else _scale(model_file.part(table, "target_scale")),
        "settings": model_file.part(table, "settings"),
    }


def _is_name(value: Any) -> bool:
    """Whether it is text that UTF-8 can encode. JSON can hold halves of surrogate pairs, and a table cannot."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _classes(values: Any) -> np.ndarray:
    """The labels (C,): integers if float64 would round one, as `save` writes them, else float64."""
    found: np.ndarray | None
    if isinstance(values, list) and values and all(type(value) is int for value in values):
        found = integers(values)
    else:
        found = _numbers(values, "classes")
    if found is None or not (found[1:] > found[:-1]).all():
        raise ValueError(f"its classes are {shown(values)}, not labels in ascending order")
    return found


def _scale(parts: dict[str, Any]) -> Scale:
    """A scale from a header."""
    mean, deviation = _numbers(parts["mean"], "mean"), _numbers(parts["deviation"], "deviation")
    if (deviation < 0).any():
        raise ValueError(f"a deviation is {deviation.min():g}, and 0 is the least")
    return Scale(mean, deviation)


def _numbers(values: Any, name: str) -> np.ndarray:
    """Finite floats (K,), float64. Raises ValueError."""
    if not isinstance(values, list) or not all(type(value) is float for value in values):
        raise ValueError(f"its {name} is {shown(values)}, not a list of floats")
    found = np.array(values, np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"its {name} is {shown(values)}: every value must be finite")
    return found
