"""`fastmlp train`'s table made ready: what it predicts, which rows are held out, and standardised columns."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import splits
from fastmlp.checks.integers import places_in
from fastmlp.checks.messages import in_digits
from fastmlp.cli import train_checks, train_options
from fastmlp.cli.train_options import USUAL
from fastmlp.tables import reader
from fastmlp.tables.reader import Scale, Table

if TYPE_CHECKING:
    from fastmlp.tables.table_model import TableModel

MANY = 20  # classes: so many are listed, and more may be a quantity


@dataclass(frozen=True)
class Job:
    """A table made ready, in the units that the network sees: rows to train on, to validate on, and held out."""

    target: str
    task: str
    outputs: int
    classes: np.ndarray | None
    scale: Scale
    target_scale: Scale | None
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray] | None
    held: tuple[np.ndarray, np.ndarray]
    weights: np.ndarray | None  # of the training rows


def prepared(
    table: Table,
    args: argparse.Namespace,
    settings: dict[str, Any],
    before: TableModel | None,
    say: Callable[[str], None],
) -> Job:
    """Splits and standardises a table, and prints what it holds."""
    rows, columns = table.x.shape
    if rows < 2:
        raise ValueError(f"{args.data} has one row: at least 2 are needed")
    labels = _labels_or_none(table, args, before)
    classes = None
    y: np.ndarray
    groups: np.ndarray
    shape = f"{args.data.name}: {rows} rows, {columns} features"
    if labels is not None:
        classes = np.unique(labels) if before is None else before.classes
        assert classes is not None
        if len(classes) < 2:
            value = in_digits(classes[0])
            raise ValueError(f"{table.target!r} is {value} in every row: there is nothing to tell apart")
        y, unknown = places_in(classes, labels)
        if unknown is not None:
            raise ValueError(
                f"{table.target!r} holds {in_digits(unknown)}, which is none of the classes of {args.resume} "
                f"({class_names(classes)}): leave out those rows, or --resume, to train a new model"
            )
        groups = y
        task, outputs = "classify", len(classes)
        say(f"{shape}, {outputs} classes ({class_names(classes)})")
        if before is None and outputs > MANY and args.task in (None, "auto") and args.loss is None:
            say("note: whole numbers are taken for classes; --task regress takes them for a quantity")
    else:
        y = table.y.reshape(rows, -1)
        task, outputs, groups = "regress", y.shape[1], np.zeros(rows)
        _check_quantity(table, args, outputs, before)
        say(f"{shape}, {'a quantity' if outputs == 1 else f'{outputs} quantities'} to predict")
    if before is not None and columns != len(before.names):
        raise ValueError(f"{args.data}: X has {columns} columns, and {args.resume} takes {len(before.names)}")
    train_checks.check_task(args, task, table.target)
    weights = _checked_weights(table, settings)
    seed = seed_of(args, before)
    train, held = splits.split(groups, settings["held_out"], seed)
    watched = None
    if settings["validation"] is not None:
        rest, chosen = splits.split(groups[train], settings["validation"], seed)
        train, watched = train[rest], train[chosen]
    if before is not None:
        scale, target_scale = before.scale, before.target_scale
    else:
        scale, target_scale = Scale.of(table.x[train], table.names), None
        if task == "regress" and args.loss != "poisson":
            target_scale = Scale.of(y[train], [table.target] * outputs)
    x = scale.forward(table.x)
    if target_scale is not None:
        y = target_scale.forward(y)  # R2 is the same in either unit
    parts = [f"training on {len(train)} rows", f"{len(held)} held out"]
    if watched is not None:
        parts.insert(1, f"validating on {len(watched)}")
    say(", ".join(parts))
    if before is not None and (len(held) or watched is not None):
        own = table.fingerprint()
        if before.settings.get("table", own) != own:
            say(f"note: {args.resume} was trained on another table; rows of both may be among those kept apart here")
    return Job(
        table.target,
        task,
        outputs,
        classes,
        scale,
        target_scale,
        (x[train], y[train]),
        None if watched is None else (x[watched], y[watched]),
        (x[held], y[held]),
        None if weights is None else weights[train],
    )


def seed_of(args: argparse.Namespace, before: TableModel | None) -> int:
    if before is not None:
        return before.model.seed
    return USUAL["seed"] if args.seed is None else args.seed


def _labels_or_none(table: Table, args: argparse.Namespace, before: TableModel | None) -> np.ndarray | None:
    """The target's labels (N,), or None where it is a quantity."""
    task = args.task
    if before is not None:
        task = "regress" if before.classes is None else "classify"
    elif task in (None, "auto") and args.loss is not None:
        task = train_options.task_of(args.loss)
    if task == "classify":
        said = "classes" if before is not None else "--task classify" if args.task == task else f"--loss {args.loss}"
        return _labels(table, said)
    if task == "regress":
        return None
    found = reader.as_classes(table.y if table.whole is None else table.whole)
    return table.labels() if found is not None and table.y.ndim == 1 else found


def _labels(table: Table, said: str) -> np.ndarray:
    """The target as class numbers, whatever they are, where it was said that it holds classes."""
    if table.y.ndim == 2:
        labels = reader.as_classes(table.y)
        if labels is None:
            raise ValueError(f"{said}: {table.target!r} has {table.y.shape[1]} columns and is not one-hot")
        return labels
    whole = table.y == np.floor(table.y)
    if not whole.all():
        value = table.y[int(np.argmin(whole))]
        raise ValueError(f"{said}: {table.target!r} holds {value:g}, and classes are whole numbers")
    return table.labels()


def _check_quantity(table: Table, args: argparse.Namespace, outputs: int, before: TableModel | None) -> None:
    poisson = args.loss == "poisson" if before is None else before.model.spec.loss == "poisson"
    if poisson and (table.y < 0).any():
        raise ValueError(
            f"--loss poisson: {table.target!r} holds {table.y.min():g}, and counts are 0 or more; "
            "use --loss squared_error"
        )
    if before is not None and outputs != before.model.spec.outputs:
        raise ValueError(
            f"{table.target!r} has {outputs} columns, and {args.resume} predicts {before.model.spec.outputs}"
        )


def _checked_weights(table: Table, settings: dict[str, Any]) -> np.ndarray | None:
    weights = table.weights
    if weights is not None and (weights < 0).any():
        raise ValueError(
            f"--sample-weight {settings['sample_weight']}: it holds {weights.min():g}, and a weight is 0 or more"
        )
    return weights


def class_names(classes: np.ndarray) -> str:
    texts = [in_digits(value) for value in classes]
    return " ".join(texts if len(texts) <= MANY else [*texts[:10], "...", texts[-1]])
