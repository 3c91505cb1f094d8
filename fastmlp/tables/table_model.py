"""A network with the columns, labels and scales of the table that it was trained on: what `fastmlp train -o` writes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.checks.faults import only_faults
from fastmlp.checks.integers import check_exact, same
from fastmlp.checks.messages import cut, shown
from fastmlp.checks.option_names import in_arguments, naming_arguments
from fastmlp.checks.scalars import flag
from fastmlp.core import data, scores
from fastmlp.core.preprocess import RobustScale, Scale
from fastmlp.errors import DivergenceError
from fastmlp.model import Model
from fastmlp.storage import model_file
from fastmlp.tables import loading
from fastmlp.tables.cells import MARKS
from fastmlp.tables.columns import Column, check_unique, listed, places_of
from fastmlp.tables.encoder import NUMBERS, Encoder, Seen, encoding_in_words
from fastmlp.tables.labels import as_classes, from_header, is_text, like_classes, predicted, text_of
from fastmlp.tables.loading import Loaded

if TYPE_CHECKING:
    from pathlib import Path

    from fastmlp.export.c_parts import Parts


@dataclass(frozen=True, eq=False)
class TableModel:
    """A model that takes a table's rows as they are in the file, and predicts the file's labels or units.

    `TableModel.fit` makes one of a table, and `TableModel.load` of a file.

    Parameters
    ----------
    model : Model
        The network.
    names : tuple of str
        The names of the table's K features.
    target : str
        The name of what is predicted.
    classes : ndarray of shape (C,) or None
        The labels, ascending: texts (of dtype object), booleans, or float64, or int64 or uint64 where float64 would
        round them. None for quantities.
    scale : Scale
        The scale of the network's inputs.
    target_scale : Scale or None, default=None
        The scale of the quantities; None if they were not standardised.
    settings : mapping, default={}
        What `fastmlp train --resume` continues with, as plain values.
    columns : Encoder or None, default=None
        How the features become the network's inputs. None: each is one, a number, as in older files.
    notes : tuple of str, default=()
        What was done with the table in training, as `fastmlp train` prints it. It is not in the file.

    Raises
    ------
    ValueError
        If these do not fit the network.

    Examples
    --------
    With a table whose cells may be numbers, words, booleans, dates or nothing::

        penguins = TableModel.fit("penguins.csv", target="species", epochs=50)
        penguins.predict(frame)  # array(['Adelie', 'Gentoo'], dtype=object)
        penguins.save("penguins.safetensors")
    """

    model: Model
    names: tuple[str, ...]
    target: str
    classes: np.ndarray | None
    scale: Scale
    target_scale: Scale | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: Encoder | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        spec = self.model.spec
        if self.classes is not None and spec.output != "softmax":
            raise ValueError(f'classes need a network with output="softmax", and not {spec.output!r}')
        if self.classes is None and spec.output == "softmax":
            raise ValueError('classes are needed where the network has output="softmax": give the label of each')
        if self.columns is not None and self.columns.names != list(self.names):
            raise ValueError(f"columns are {listed(self.columns.names)}, and names {listed(self.names)}: give the same")
        sizes: list[tuple[str, Any, int]] = [
            ("names", self.encoder.inputs, spec.inputs),
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

    @classmethod
    def fit(cls, table: Any, target: str | None = None, **options: Any) -> TableModel:
        """Trains a model on a table, as `fastmlp train` does, to the same bits.

        Parameters
        ----------
        table : path or data frame
            A file of any kind that `fastmlp train` reads, or a frame of pandas or polars. Cells may be numbers, words,
            booleans, dates, or nothing; docs/preprocessing.md says what becomes of them.
        target : str or None, default=None
            The name of the column to predict. It may be left out with resume, and for an .npz with an array y.
        **options : object
            Options of `fastmlp train` with underscores in their names, such as epochs=50, hidden=[64, 64],
            validation=0.1, early_stopping=10, class_weight={"Gentoo": 2}, sample_weight="count" (a column),
            checkpoint="run.checkpoint", resume="model.safetensors" and transcript="run.jsonl" (or a
            `fastmlp.Transcript`). As there, epochs is 100 and held_out 0.2 of the rows, which are not trained on.

        Returns
        -------
        TableModel
            `model.history` has the records of its training, and `notes` what was done with the table.

        Raises
        ------
        TypeError, ValueError
            If an option or the table is wrong; the error names the option, or the row and column.
        OSError
            If a file cannot be read.
        DivergenceError
            If the training diverged.
        KeyboardInterrupt
            On Ctrl-C.
        """
        from fastmlp.tables import train_checks, train_options
        from fastmlp.tables.train import Training

        notes: list[str] = []
        with naming_arguments():
            args = train_options.namespace(table, {"target": target, **options})
            train_checks.check(args)
            training = Training.of(args, notes.append, cls)
            try:
                training.fit()
            except DivergenceError as error:
                raise DivergenceError(in_arguments(str(error))) from error
        return replace(training.table_model(), notes=tuple(notes))

    def training_rows(self, table: Any, *, no_header: bool = False) -> dict[str, Any]:
        """Gives what the network was trained on: `fastmlp.audit(transcript, **model.training_rows(table))`.

        Parameters
        ----------
        table : path or data frame
            The table of that training, with its target.
        no_header : bool, default=False
            Whether it is a file without names of columns, as for `predict`.

        Returns
        -------
        dict
            The arguments "X" (N, K') and "y" of `Model.fit`, float64 or classes from 0, without the rows that were held
            out, encoded and standardised; "sample_weight" (N,), "class_weight" and "validation", None where there was
            none. Rows are held out by the model's seed and by the fractions in `settings`: those of its last training.

        Raises
        ------
        TypeError, ValueError
            If the table does not fit the model.
        OSError
            If a file cannot be read.
        """
        from fastmlp.tables.train import training_rows

        if flag(no_header, "no_header") and not loading.is_path(table):
            raise TypeError(f"no_header is for files, and table is one {type(table).__name__}: leave it out")
        with naming_arguments():
            return training_rows(table, self, no_header)

    def predict(self, X: Any, *, no_header: bool = False) -> np.ndarray:
        """Predicts labels or quantities.

        Parameters
        ----------
        X : array of shape (N, K), data frame or path
            Rows as in the table, or a file of them. Columns of frames and files are found by their names, in any order,
            and others are ignored; an array's go by position.
        no_header : bool, default=False
            Whether X is a file whose first line is a row: its columns are called 0, 1, ...

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            Labels (N,), as they were in the table: texts, of dtype object, booleans, int64, or uint64 for labels beyond
            it; or quantities, float64, (N,) or (N, J) for J of them.

        Raises
        ------
        TypeError, ValueError
            If X does not fit, or a quantity is not finite.

        Warns
        -----
        UserWarning
            If numbers are missing in a column where none were missing in training: they become the median. If a
            category was not in training, and there is no column for rare ones: all of the column's inputs are 0.
        """
        return self.predict_inputs(self.inputs(self._loaded(X, no_header)))

    def predict_proba(self, X: Any, *, no_header: bool = False) -> np.ndarray:
        """Predicts the probability of each class.

        Parameters
        ----------
        X : array of shape (N, K), data frame or path
            Rows as in the table, as for `predict`.
        no_header : bool, default=False
            Whether X is a file without names of columns, as for `predict`.

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
        self._check_classifies()
        return self.model.predict_proba(self.inputs(self._loaded(X, no_header)))

    def score(self, X: Any, y: Any = None, *, no_header: bool = False) -> dict[str, float]:
        """Computes the accuracy or R2 of the predictions.

        Parameters
        ----------
        X : array of shape (N, K), data frame or path
            Rows as in the table, as for `predict`.
        y : array of shape (N,) or (N, J), or None, default=None
            Labels (N,), or one-hot rows for labels 0, 1, ...; or quantities (N,) or (N, J). None takes the target's
            column of X, without the rows where it is missing.
        no_header : bool, default=False
            Whether X is a file without names of columns, as for `predict`.

        Returns
        -------
        dict of str to float
            {"accuracy"}, the fraction of rows predicted right; or {"r2"}, as in `Model.evaluate`, in y's own units.

        Raises
        ------
        TypeError, ValueError
            If X or y does not fit.
        """
        loaded = self._loaded(X, no_header)
        found = self.predict_inputs(self.inputs(loaded))
        if y is not None:
            return self._scored(found, y)
        if loaded.y is None:
            raise ValueError(f"X has no column {cut(self.target)!r}: give y, or rows with the target")
        scored, _, why = self.scored_loaded(loaded, found)
        if scored is None:
            raise ValueError(f"X cannot be scored: {why}")
        return scored

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
            **{name: None if scale is None else scale.described() for name, scale in scales.items()},
            "settings": dict(self.settings),
        }
        if self.columns is not None:
            table["columns"] = self.columns.described()
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
            As `Model.to_c`. Also if a column has words, dates, missing cells or smooth clipping, if the network
            standardises rows once more, or if quantities come from one with output="sigmoid".
        """
        from fastmlp.export import c_source

        self._check_plain()
        network = self.model.snapshot()
        names = None
        if self.classes is not None and self.classes.dtype.kind in "Ob":
            names = [text_of(label) for label in self.classes]
        parts = self._parts()
        return c_source.write(path, network.spec, network.parameters, network.digest(), name, names, parts)

    def to_onnx(self, path: str | os.PathLike, *, dtype: Any = None) -> Path:
        """Writes the model as an ONNX file, as `Model.to_onnx` does, with its scales and classes.

        The input is "X" (N, K), float64, with rows as in the table and NaN where nothing is. If the table has words,
        each column is an input of its name, (N, 1), instead: texts, or float64. docs/conversions.md has an example.
        The outputs are "label" and "probabilities", or "values", float64.

        Parameters
        ----------
        path : path
            The file's name, ending in .onnx, or a folder, for network.onnx.
        dtype : str, dtype or None, default=None
            "float64" or "float32", of the network's arithmetic in the file. None is the model's dtype.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ImportError, TypeError, ValueError, OSError
            As `Model.to_onnx`. Also if a column has dates, if the network standardises rows once more, or if quantities
            come from one with output="sigmoid".
        """
        from fastmlp.export import onnx_graph

        self._check_written("ONNX", "to_onnx")
        for feature in self.encoder.features:
            if feature.kind == "time" and not feature.left_out:
                raise ValueError(
                    f"column {cut(feature.name)!r} has dates, which ONNX has no type for: train with the days since "
                    "1970-01-01 as a number, or use model.to_onnx, of the network alone"
                )
        network, target = self.model.snapshot(), self.target_scale
        around = onnx_graph.Around(
            (self.scale.mean, self.scale.deviation),
            None if target is None else (target.mean, target.deviation),
            self.classes,
            wide=True,
            clipped=isinstance(self.scale, RobustScale),
            columns=self.encoder.features,
            missing=MARKS,
        )
        return onnx_graph.write(path, network.spec, network.parameters, network.digest(), dtype, around)

    def _check_written(self, kind: str, method: str) -> None:
        """Raises ValueError for what is neither written as C nor as ONNX."""
        if self.model.standardize:
            raise ValueError(
                f"the network standardises rows once more, after the table's scale, which is not written as {kind}: "
                f"use model.{method}, of the network alone, or train a model without standardize"
            )
        if self.classes is None and self.model.spec.is_classifier:
            raise ValueError(
                f'quantities from output="sigmoid" are not written as {kind}: use model.{method}, of its network'
            )

    def _check_plain(self) -> None:
        """Raises ValueError where rows of the table are more than numbers, which alone are written as C."""
        self._check_written("C", "to_c")
        for feature in self.encoder.features:
            if feature.kind not in NUMBERS or feature.width != 1:
                holes = feature.flagged or feature.left_out
                what = "words" if feature.kind == "text" else "dates" if feature.kind == "time" else "missing cells"
                what = "missing cells" if holes else what
                raise ValueError(
                    f"column {cut(feature.name)!r} has {what}, and C is written of tables of numbers only: leave the "
                    "column out in training, or use model.to_c, of the network alone"
                )
        if isinstance(self.scale, RobustScale):
            raise ValueError(
                "columns are clipped smoothly, as by --recipe, which is not written as C: use model.to_c, of the "
                "network alone"
            )

    def _parts(self) -> Parts:
        """What stands before and after the network in C."""
        from fastmlp.export import c_parts

        classes = self.classes
        if classes is not None and classes.dtype.kind in "Ob":
            classes = np.arange(len(classes))  # their names are texts
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
            c_parts.standardise(mean, deviation), restore, self.names, classes, examples, answers, tables,
            f"It takes a row as it is in the table, and predicts {what}.",
        )  # fmt: skip

    def _examples(self) -> tuple[np.ndarray, np.ndarray]:
        """As `c_parts.example_rows`."""
        from fastmlp.export import c_parts

        def scaled(rows: np.ndarray) -> np.ndarray:
            with np.errstate(over="ignore"):
                return self.model.predict(self.scale.forward(rows, self.model.backend))

        predict = self.predict if self.classes is None else self.predict_proba
        target = None if self.target_scale is None else (self.target_scale.mean, self.target_scale.deviation)
        scale, outputs = self.scale, self.model.spec.outputs
        return c_parts.example_rows(scale.mean, scale.deviation, outputs, predict, target, scaled)

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

    # -----------------------------------------------------------------------------------------------------
    # Rows that were read

    @property
    def encoder(self) -> Encoder:
        """How the features become the network's inputs."""
        return Encoder.plain(self.names) if self.columns is None else self.columns

    @property
    def words(self) -> list[str]:
        """The names of columns that are text, whatever a file's cells look like."""
        found = [feature.name for feature in self.encoder.features if feature.kind == "text"]
        labelled = self.classes is not None and self.classes.dtype.kind == "O"
        return [*found, self.target] if labelled else found

    def arranged(self, loaded: Loaded, by_place: bool = False) -> Loaded:
        """Arranges a table to train on.

        Parameters
        ----------
        loaded : Loaded
            The table.
        by_place : bool, default=False
            Whether its features go by their place, as those of an .npz, not by name.

        Returns
        -------
        Loaded
            With the features in the model's order.

        Raises
        ------
        ValueError
            If they differ from the model's.
        """
        if by_place:
            loading.check_count(len(loaded.features.columns), self.names, f"{loaded.features.where}: X")
            named = zip(loaded.features, self.names, strict=True)
            columns = tuple(replace(column, name=name) for column, name in named)
            return replace(loaded, features=replace(loaded.features, columns=columns))
        places_of(loaded.features.names, self.names, loaded.features.where)
        return replace(loaded, features=loaded.features.selected(self.names))

    def predict_inputs(self, z: np.ndarray) -> np.ndarray:
        """Predicts labels or quantities of rows that `inputs` has made.

        Parameters
        ----------
        z : ndarray of shape (N, K')
            The network's inputs.

        Returns
        -------
        ndarray of shape (N,) or (N, J)
            As `predict`.

        Raises
        ------
        ValueError
            If a quantity is not finite.
        """
        found = self.model.predict(z)
        if self.classes is not None:
            return predicted(self.classes, found)
        values = found.astype(np.float64)
        if self.target_scale is None:
            return values
        with np.errstate(over="ignore"):
            z = values.reshape(len(values), -1)
            values = self.target_scale.backward(z, self.model.backend).reshape(values.shape)
        if not np.isfinite(values).all():
            raise ValueError(f"{cut(self.target)} is beyond the range of float64 for these rows: X is too large")
        return values

    def scored_loaded(self, loaded: Loaded, found: np.ndarray) -> tuple[dict[str, float] | None, int, str | None]:
        """Scores predictions by the target that was read with the rows.

        Parameters
        ----------
        loaded : Loaded
            The rows, with a target.
        found : ndarray of shape (N,) or (N, J)
            What `predict_inputs` gave.

        Returns
        -------
        score : dict of str to float, or None
            As `score`, of the rows that have a target; None if they cannot be scored.
        rows : int
            How many these are.
        why : str or None
            Why they cannot be scored.
        """
        y = loaded.y
        assert y is not None
        if not isinstance(y, Column):
            try:
                return self._scored(found, y), len(found), None
            except (TypeError, ValueError) as error:
                return None, 0, str(error)
        there = np.flatnonzero(~y.is_missing())
        if not len(there):
            return None, 0, f"column {cut(self.target)!r} is empty"
        if self.classes is not None:
            labels, why = like_classes(y.taken(there), self.classes)
            if why is not None:
                return None, 0, why
            right = np.asarray(found[there].astype(object) == labels, bool)  # Python's numbers compare exactly
            return {"accuracy": float(right.mean())}, len(there), None
        if y.kind in ("text", "time") or not np.isfinite(y.numbers()[there]).all():
            return None, 0, f"column {cut(self.target)!r} is not a number in every row"
        if found.ndim > 1:
            return None, 0, f"{cut(self.target)!r} is one column, and there are predictions of shape {found.shape}"
        return self._scored(found[there], y.numbers()[there]), len(there), None

    def _check_classifies(self) -> None:
        if self.classes is None:
            raise ValueError(f"{self.target!r} is a quantity, which has no probabilities: use predict")

    def _loaded(self, X: Any, no_header: bool = False) -> Loaded:
        """X, read. Raises as `loading.to_predict`."""
        header = False if flag(no_header, "no_header") else None
        if no_header and not loading.is_path(X):
            raise TypeError(f"no_header is for files, and X is one {type(X).__name__}: leave it out")
        return loading.to_predict(X, self.names, self.target, self.words, header, self.columns is not None)

    def inputs(self, loaded: Loaded, seen: Seen | None = None) -> np.ndarray:
        """Encodes and standardises rows that were read.

        Parameters
        ----------
        loaded : Loaded
            The rows. The memory of those of a file is taken for the result: they cannot be used again.
        seen : Seen or None, default=None
            Where to note what was noticed. None warns of it.

        Returns
        -------
        ndarray of shape (N, K'), float64
            The network's inputs.

        Raises
        ------
        ValueError
            If a column does not fit the model.
        """
        encoder = self.encoder
        x, noticed = encoder.encode(loaded.features, release=loaded.own)
        if seen is None:
            self._warn(encoder, noticed)
        else:
            seen.missing.update(noticed.missing)
            seen.unknown.update(noticed.unknown)
        with np.errstate(over="ignore"):
            return self.scale.forward(x, self.model.backend)

    def _warn(self, encoder: Encoder, noticed: Seen) -> None:
        """Warns of missing numbers in columns where none were missing in training, and of unknown categories."""
        known = {feature.name for feature in encoder.features if feature.flagged or feature.kind == "text"}
        new = Seen({name: count for name, count in noticed.missing.items() if name not in known})
        for line in encoding_in_words(encoder, new):
            warnings.warn(f"{line.removeprefix('note: ')}, and none were missing in training", stacklevel=4)
        for line in encoding_in_words(encoder, Seen({}, noticed.unknown)):
            warnings.warn(f"{line.removeprefix('note: ')}: their inputs are 0", stacklevel=4)

    def _scored(self, found: np.ndarray, y: Any) -> dict[str, float]:
        """The accuracy or R2 of predictions, (N,) or (N, J). Raises TypeError or ValueError for a wrong y."""
        if self.classes is not None and self.classes.dtype.kind in "Ob":
            labels = np.asarray(y, object)
            if labels.shape != found.shape:
                shape = labels.shape
                raise ValueError(f"y has shape {shape}, and there are predictions of shape {found.shape}: give as many")
            right = [text_of(a) == text_of(b) for a, b in zip(found.tolist(), labels.tolist(), strict=True)]
            return {"accuracy": float(np.mean(right))}
        y = arrays.numeric_array(y, "y")
        if y.dtype.kind == "f" and y.size and y.ndim < 3:
            data.matrix(y.reshape(len(y), -1), y.dtype, "y")  # NaN and infinity
        if self.classes is not None and y.ndim == 2:
            y = as_classes(y)
        elif self.classes is not None and y.ndim == 1 and y.dtype.kind == "f":
            check_exact(y, "y")
        if y is None or y.shape != found.shape:
            what = "(not one-hot)" if y is None else y.shape
            raise ValueError(f"y has shape {what}, and there are predictions of shape {found.shape}: give as many")
        if self.classes is not None:
            return {"accuracy": float(same(found, y).mean())}
        rows = len(found)
        return {"r2": scores.r2(found.reshape(rows, -1), y.reshape(rows, -1))}


# ---------------------------------------------------------------------------------------------------------
# Reading a header, whose values may be of any kind


def _described(table: dict[str, Any]) -> dict[str, Any]:
    """A TableModel's fields, from a header whose values may be of any kind.

    Raises ValueError, TypeError or KeyError.
    """
    names, target = table["names"], table["target"]
    if not isinstance(names, list) or not all(map(is_text, [*names, target])):
        raise ValueError(f"its names and target are {shown([names, target])}, not text")
    check_unique(names, "names")
    classes = table["classes"]
    return {
        "names": tuple(names),
        "target": target,
        "classes": None if classes is None else from_header(classes),
        "scale": _scale(model_file.part(table, "scale")),
        "target_scale": None if table["target_scale"] is None else _scale(model_file.part(table, "target_scale")),
        "settings": model_file.part(table, "settings"),
        "columns": None if "columns" not in table else Encoder.from_description(table["columns"]),
    }


def _scale(parts: dict[str, Any]) -> Scale:
    """A scale from a header."""
    mean, deviation = _numbers(parts["mean"], "mean"), _numbers(parts["deviation"], "deviation")
    if (deviation < 0).any():
        raise ValueError(f"a deviation is {deviation.min():g}, and 0 is the least")
    clipped = parts.get("clipped", False)
    if type(clipped) is not bool:
        raise ValueError(f"its clipped is {shown(clipped)}, neither true nor false")
    return RobustScale(mean, deviation) if clipped else Scale(mean, deviation)


def _numbers(values: Any, name: str) -> np.ndarray:
    """Finite floats (K,), float64. Raises ValueError."""
    if not isinstance(values, list) or not all(type(value) is float for value in values):
        raise ValueError(f"its {name} is {shown(values)}, not a list of floats")
    found = np.array(values, np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"its {name} is {shown(values)}: every value must be finite")
    return found
