"""A table made ready to train on: what it predicts, which rows are held out, and columns encoded and standardised."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import splits
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import cut, shown
from fastmlp.core.preprocess import RobustScale, Scale
from fastmlp.tables import encoder, train_checks, train_options
from fastmlp.tables.columns import Column
from fastmlp.tables.encoder import Encoder
from fastmlp.tables.labels import MANY, as_classes, class_names, classes_of, labels_of, places_of_labels, text_of
from fastmlp.tables.loading import Loaded, fingerprint
from fastmlp.tables.train_options import USUAL

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    """A table made ready, in the units that the network sees: rows to train on, to validate on, and held out."""

    target: str
    task: str
    outputs: int
    classes: np.ndarray | None
    columns: Encoder
    scale: Scale
    target_scale: Scale | None
    train: Pair
    validation: Pair | None
    held: Pair
    weights: np.ndarray | None  # of the training rows
    fingerprint: str


def prepared(
    table: Loaded,
    args: argparse.Namespace,
    settings: dict[str, Any],
    before: Any,
    say: Callable[[str], None],
) -> Job:
    """Splits, encodes and standardises a table, and says what it holds. before: the TableModel to train on, or None."""
    whole = len(table)
    table = _with_targets(table)
    rows, columns = len(table), len(table.features.columns)
    if rows < 2:
        raise ValueError(f"{table.features.where} has {'one row' if rows else 'no rows'}: at least 2 are needed")
    labels = _labels_or_none(table, args, before)
    classes = None
    y: np.ndarray
    groups: np.ndarray
    shape = f"{table.title}: {rows} rows, {counted(columns, 'feature')}"
    left_out = whole - rows
    if labels is not None:
        classes = classes_of(labels) if before is None else before.classes
        assert classes is not None
        if len(classes) < 2:
            value = cut(text_of(classes[0]))
            raise ValueError(f"{table.target!r} is {value} in every row: there is nothing to tell apart")
        y, unknown = places_of_labels(classes, labels)
        if unknown is not None:
            raise ValueError(
                f"{table.target!r} holds {cut(text_of(unknown))}, which is none of the classes of {args.resume} "
                f"({class_names(classes)}): leave out those rows, or --resume, to train a new model"
            )
        groups = y
        task, outputs = "classify", len(classes)
        say(f"{shape}, {outputs} classes ({class_names(classes)})")
        whole_numbers = classes.dtype.kind in "fiu"
        if before is None and whole_numbers and outputs > MANY and args.task in (None, "auto") and args.loss is None:
            say("note: whole numbers are taken for classes; --task regress takes them for a quantity")
    else:
        y = _quantities(table)
        task, outputs, groups = "regress", y.shape[1], np.zeros(rows)
        _check_quantity(table, y, args, before)
        say(f"{shape}, {'a quantity' if outputs == 1 else f'{outputs} quantities'} to predict")
    for note in table.features.notes:
        say(f"note: {note}")
    if left_out:
        say(f"note: left out, since nothing is there as {table.target!r}: {counted(left_out, 'row')}")
    train_checks.check_task(args, task, table.target)
    weights = _checked_weights(table, settings)
    seed = seed_of(args, before)
    train, held = _split(groups, settings["held_out"], seed, args, say)
    watched = None
    if settings["validation"] is not None:
        rest, chosen = splits.split(groups[train], settings["validation"], seed, args.backend)
        train, watched = train[rest], train[chosen]
    columns_of = Encoder.learn(table.features, train) if before is None else before.encoder
    if not columns_of.width:
        raise ValueError(f"{table.features.where} has no feature: nothing is there in any of its columns")
    raw, seen = columns_of.encode(table.features, release=table.own)
    own = fingerprint(raw, _numbers_of(table, y))
    rows_of = {"train": train, "held": held} | ({} if watched is None else {"watched": watched})
    parts_of = {part: raw[rows] for part, rows in rows_of.items()}
    del raw  # may be gigabytes
    if before is not None:
        scale, target_scale = before.scale, before.target_scale
    else:
        if settings["recipe"]:
            scale = RobustScale.of(parts_of["train"], columns_of.inputs, args.backend)
        else:
            scale = columns_of.scale_of(parts_of["train"], args.backend)
        target_scale = None
        if task == "regress" and args.loss != "poisson":
            target_scale = Scale.of(y[train], [table.target] * outputs, args.backend)
        for note in encoder.learning_in_words(columns_of, table.features, scale, seen):
            say(note)
    if target_scale is not None:
        y = target_scale.forward(y, args.backend)  # R2 is the same in either unit
    parts = [f"training on {len(train)} rows", f"{len(held)} held out"]
    if watched is not None:
        parts.insert(1, f"validating on {len(watched)}")
    say(", ".join(parts))
    if before is not None and (len(held) or watched is not None) and before.settings.get("table", own) != own:
        say(f"note: {args.resume} was trained on another table; rows of both may be among those kept apart here")
    pairs: dict[str, Pair] = {}
    with np.errstate(over="ignore"):
        for part, rows in rows_of.items():
            pairs[part] = scale.forward(parts_of.pop(part), args.backend), y[rows]
    return Job(
        table.target,
        task,
        outputs,
        classes,
        columns_of,
        scale,
        target_scale,
        pairs["train"],
        pairs.get("watched"),
        pairs["held"],
        None if weights is None else weights[train],
        own,
    )


def seed_of(args: argparse.Namespace, before: Any) -> int:
    """The seed of a training."""
    if before is not None:
        return before.model.seed
    return USUAL["seed"] if args.seed is None else args.seed


def _split(
    groups: np.ndarray, fraction: float, seed: int, args: argparse.Namespace, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers (training, held out). Where nobody asked for the fraction, it may be no row at all."""
    try:
        return splits.split(groups, fraction, seed, args.backend)
    except ValueError as error:
        if args.held_out is not None:
            raise
        say(f"note: {error}")
        return np.arange(len(groups)), np.zeros(0, np.int64)


def _with_targets(table: Loaded) -> Loaded:
    """The rows of the table that have a target. Raises ValueError where none has."""
    if not isinstance(table.y, Column) or table.y.missing is None:
        return table
    rows = np.flatnonzero(~table.y.missing)
    if not len(rows):
        raise ValueError(f"{table.features.where}: {table.target!r} has nothing in any row, so that nothing is learned")
    return table.taken(rows)


def _labels_or_none(table: Loaded, args: argparse.Namespace, before: Any) -> np.ndarray | None:
    """The target's labels (N,), or None where it is a quantity."""
    task, y = args.task, table.y
    assert y is not None
    said = f"--task {task}"
    if before is not None:
        task, said = ("regress" if before.classes is None else "classify"), f"--resume {args.resume}"
    elif task in (None, "auto") and args.loss is not None:
        task, said = train_options.task_of(args.loss), f"--loss {args.loss}"
    if not isinstance(y, Column):
        return _labels_of_rows(table, y, "classes" if before is not None else said, task)
    if task == "regress":
        if y.kind in ("text", "time"):
            what = "text, which is no quantity" if y.kind == "text" else "dates, which are no quantity"
            raise ValueError(f"{said}: {table.target!r} holds {what}{_example(y)}")
        return None
    if task == "classify":
        return _labels(y, "classes" if before is not None else said)
    if y.kind == "number" and as_classes(y.values) is None:
        return None
    if y.kind == "integer" and as_classes(y.values) is None:
        return None
    labels = labels_of(y)
    if y.kind == "text" and 2 * (different := len(classes_of(labels))) > max(len(labels), 4):
        raise ValueError(
            f"{table.target!r} holds {different} different texts in {len(labels)} rows{_example(y)}, which are "
            "hardly classes: name another --target, or say --task classify"
        )
    return labels


def _labels_of_rows(table: Loaded, y: np.ndarray, said: str, task: str | None) -> np.ndarray | None:
    """The labels of one-hot rows y (N, J), or None where they are quantities."""
    if task == "regress":
        return None
    labels = as_classes(y)
    if labels is None and task == "classify":
        raise ValueError(f"{said}: {table.target!r} has {y.shape[1]} columns and is not one-hot")
    return labels


def _labels(y: Column, said: str) -> np.ndarray:
    """The target as labels, whatever they are, where it was said that it holds classes."""
    if y.kind == "number":
        is_whole = y.values == np.floor(y.values)
        if not is_whole.all():
            value = y.values[int(np.argmin(is_whole))]
            raise ValueError(f"{said}: {y.name!r} holds {value:g}, and classes are whole numbers")
    return labels_of(y)


def _example(y: Column) -> str:
    """' ("Adelie")', of text."""
    return f" ({cut(shown(y.texts()[0]), 40)})" if y.kind == "text" else ""


def _quantities(table: Loaded) -> np.ndarray:
    """The target as quantities (N, J), float64. Raises ValueError for an infinite one."""
    if not isinstance(table.y, Column):
        assert table.y is not None
        return table.y
    values = table.y.numbers()
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"{table.features.place(row, table.target)}: {values[row]} is not a finite number")
    return values.reshape(-1, 1)


def _numbers_of(table: Loaded, y: np.ndarray) -> np.ndarray:
    """The target as numbers: a file tells one table from another by them."""
    if not isinstance(table.y, Column):
        assert table.y is not None
        return table.y
    return y.astype(np.float64) if table.y.kind == "text" else table.y.numbers()


def _check_quantity(table: Loaded, y: np.ndarray, args: argparse.Namespace, before: Any) -> None:
    poisson = args.loss == "poisson" if before is None else before.model.spec.loss == "poisson"
    if poisson and (y < 0).any():
        raise ValueError(
            f"--loss poisson: {table.target!r} holds {y.min():g}, and counts are 0 or more; use --loss squared_error"
        )
    if before is not None and y.shape[1] != before.model.spec.outputs:
        raise ValueError(
            f"{table.target!r} has {y.shape[1]} columns, and {args.resume} predicts {before.model.spec.outputs}"
        )


def _checked_weights(table: Loaded, settings: dict[str, Any]) -> np.ndarray | None:
    """The rows' weights (N,). Raises ValueError for what is none."""
    if table.weights is None:
        return None
    said = f"--sample-weight {settings['sample_weight']}"
    if table.weights.kind in ("text", "time"):
        raise ValueError(f"{said}: it holds no numbers{_example(table.weights)}")
    weights = table.weights.numbers()
    finite = np.isfinite(weights)
    if not finite.all():
        row = int(np.argmin(finite))
        what = "nothing there" if np.isnan(weights[row]) else f"{weights[row]} is not a finite number"
        raise ValueError(f"{table.features.place(row, table.weights.name)}: {what}; give each row a weight")
    if (weights < 0).any():
        raise ValueError(f"{said}: it holds {weights.min():g}, and a weight is 0 or more")
    return weights
