"""`fastmlp audit`: a transcript's chain, and some of its segments trained again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.cli.arguments import add_backend, default, help_shape, naming_options
from fastmlp.cli.verify import bar

ARRAYS = ("X", "y", "sample_weight", "X_validation", "y_validation", "sample_weight_validation")
NAMES = {
    "segments": "--segments",
    "seed": "--seed",
    "sample_weight": "--data's sample_weight",
    "validation": "--data's X_validation",
    "validation sample_weight": "--data's sample_weight_validation",
    "validation X": "--data's X_validation",
    "validation y": "--data's y_validation",
}


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    parser = commands.add_parser(
        "audit",
        help="check a transcript by training parts of it again",
        description=(
            "Checks the chain of a transcript that fit(transcript=...) wrote, trains some of its segments again, from "
            "one checkpoint to the next, and compares every digest. Prints the chain's head, and the probability with "
            "which a forgery would have been found. The exit status is 0 if every bit is equal; 1 if not, and then the "
            "last line says which line of the transcript is the first that differs."
        ),
        formatter_class=help_shape,
    )
    parser.add_argument("transcript", type=Path, metavar="RUN", help="the transcript, with its checkpoints in RUN.d")
    add_data(parser, "a model that is to be the one at its end; one of fastmlp train also says how")
    parser.add_argument(
        "--segments", type=_segments, default=5, metavar="K", help=default("segments to train again, or all", 5)
    )
    parser.add_argument("--seed", type=int, metavar="N", help="draw the segments by a seed (default: nobody can tell)")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    add_backend(parser)
    parser.set_defaults(run=run)


def add_data(parser: argparse.ArgumentParser, model: str) -> None:
    """Adds the options that say which rows were trained on. model: what to say of --model, up to how rows are made."""
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="the rows: an .npz with X, y, and if there were some sample_weight, X_validation, y_validation and "
        "sample_weight_validation; or a table of numbers, with --target",
    )
    parser.add_argument("--target", metavar="NAME", help="the target's column of a table")
    words = f"{model} the table's columns become rows, so that --target is left out"
    parser.add_argument("--model", type=Path, metavar="FILE", help=words)
    parser.add_argument("--no-header", action="store_true", help="the table's first line is a row, not names")


def run(args: argparse.Namespace) -> int:
    from fastmlp.verification import audit

    rows = rows_of(args)
    with bar() as progress, naming_options(NAMES):
        found = audit(
            args.transcript, **rows, segments=args.segments, model=args.model, seed=args.seed, backend=args.backend,
            progress=progress,
        )  # fmt: skip
    print(json.dumps(found.to_dict(), indent=1) if args.json else found.table())
    return 0 if found.equal else 1


def rows_of(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments X, y, sample_weight, class_weight and validation. Raises ValueError or OSError."""
    if args.model is not None and (made := _of_model(args)) is not None:
        return made
    if args.data.suffix.lower() != ".npz":
        return _of_table(args)
    from fastmlp.tables import npz

    found, names = npz.read(args.data, ARRAYS)
    for name in ("X", "y", *(("y_validation",) if "X_validation" in found else ())):
        if name not in found:
            raise ValueError(f"--data {args.data} has no array {name}, but {', '.join(names) or 'none'}: save it there")
    rows = {name: found.get(name) for name in ARRAYS[:3]}
    validation = tuple(found.get(name) for name in ARRAYS[3:]) if "X_validation" in found else None
    return {**rows, "validation": validation}


def _of_model(args: argparse.Namespace) -> dict[str, Any] | None:
    """Rows as a model of `fastmlp train` was trained on them; None where it is another model."""
    from fastmlp.storage import model_file

    if model_file.read(args.model, "model", "checkpoint", "table")[1]["kind"] != "table":
        return None
    from fastmlp.tables.table_model import TableModel

    model = TableModel.load(args.model)
    if args.target not in (None, model.target):
        raise ValueError(f"--target {args.target}: {args.model} predicts {model.target!r}; leave --target out")
    with naming_options({"table": "--data"}):
        return model.training_rows(args.data, no_header=args.no_header)


def _of_table(args: argparse.Namespace) -> dict[str, Any]:
    """Columns of numbers, in the table's order."""
    from fastmlp.tables import loading

    table = loading.to_train(args.data, args.target, None, header=False if args.no_header else None)
    y: Any = table.y
    for column in (*table.features.columns, y):
        if column.kind not in ("number", "integer", "bool") or column.is_missing().any():
            raise ValueError(
                f"--data {args.data}: column {column.name!r} is not of numbers alone: save the arrays that were "
                f"trained on with numpy.savez, as X and y"
            )
    X = np.column_stack([column.numbers() for column in table.features.columns])
    return {"X": X, "y": y.values}


def _segments(text: str) -> int | str:
    if text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of segments nor all") from None
