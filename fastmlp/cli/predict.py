"""`fastmlp predict`: a trained model's answers for the rows of a table, as CSV."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastmlp.checks.messages import in_digits
from fastmlp.cli import reporting
from fastmlp.cli.arguments import add_backend, check_place, help_shape
from fastmlp.cli.reporting import add_json_and_quiet
from fastmlp.core import reports
from fastmlp.tables import reader

BLOCK = 4096  # rows that are written at once


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    predict = commands.add_parser(
        "predict",
        help="predict with a trained model",
        description=(
            "Writes what a model of `fastmlp train -o` predicts, as CSV: a header, and a line for each row of the "
            "table. A CSV's columns are found by their names. The target's column may be there, too: how well it is "
            "met goes to standard error."
        ),
        formatter_class=help_shape,
    )
    predict.set_defaults(run=run)
    predict.add_argument("model", type=Path, metavar="MODEL", help="what `fastmlp train -o` wrote")
    predict.add_argument(
        "data", type=Path, metavar="DATA", help="a table with the model's columns; - for standard input; or .npz with X"
    )
    predict.add_argument(
        "--no-header", action="store_true", help="the table has no line of names: columns are called 0, 1, 2, ..."
    )
    predict.add_argument(
        "--probabilities", action="store_true", help="a column for each class, p_0, p_1, ..., not the class itself"
    )
    predict.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to FILE, not to standard output")
    add_json_and_quiet(predict)
    add_backend(predict)


def run(args: argparse.Namespace) -> None:
    from fastmlp.tables.table_model import TableModel

    check_place("--output", args.output, "predictions.csv", {"the table": args.data, "the model": args.model})
    model = TableModel.load(args.model, backend=args.backend)
    if args.probabilities and model.classes is None:
        raise ValueError(f"--probabilities needs classes, and {model.target!r} is a quantity: leave it out")
    weights = model.settings.get("sample_weight")
    ignored = [] if weights is None else [weights]
    first = False if args.no_header else None
    x, y, wrong = reader.read_rows(args.data, model.names, model.target, ignored, first)
    header, columns = _columns(model, x, args.probabilities)
    if args.json and args.output is None:
        pass  # they are in the object
    elif args.output is None:
        _check_encoding(header)
        _write(sys.stdout, header, columns)
        sys.stdout.flush()
    else:
        with open(args.output, "w", encoding="utf-8", newline="") as file:
            _write(file, header, columns)
    score, report = None, None
    if y is not None:
        try:
            score = model.score(x, y)
            labels = y if model.classes is None or y.ndim == 1 else reader.as_classes(y)
            p = None if model.classes is None else model.predict_proba(x)
            report = reporting.of_predictions(model.classes, model.predict(x), p, labels)
        except ValueError as error:
            wrong = str(error)
    if args.json:
        reporting.say_json(reporting.of_prediction(args, model, header, columns, report or score, wrong))
    elif not args.quiet:
        _say(score, report, wrong, f"{len(x)} rows of {args.data.name}")


def _say(score: dict[str, float] | None, report: dict[str, Any] | None, wrong: str | None, of: str) -> None:
    """Tells on standard error how well the target is met."""
    for name, value in (score or {}).items():
        print(f"{name.replace('r2', 'R2')}: {value:.4f} on {of}", file=sys.stderr)
    for line in reports.lines(report or {}):
        print(line, file=sys.stderr)
    if score and not report:
        print("note: the target has labels that the model does not know: no figures of each class", file=sys.stderr)
    if wrong:
        print(f"not scored: {wrong}", file=sys.stderr)


def _check_encoding(header: list[str]) -> None:
    """Raises ValueError where standard output cannot spell a column's name, as cp1252 on Windows."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for name in header:
        try:
            name.encode(encoding)
        except UnicodeEncodeError:
            raise ValueError(
                f"standard output is in {encoding}, which cannot spell the column {name!a}: write to a file with "
                "-o FILE, which is in UTF-8, or set PYTHONIOENCODING=utf-8"
            ) from None


def _columns(model: Any, x: np.ndarray, probabilities: bool) -> tuple[list[str], np.ndarray]:
    """(names, values (N, C))"""
    if probabilities:
        return [f"p_{in_digits(label)}" for label in model.classes], model.predict_proba(x)
    values = model.predict(x)
    if values.ndim == 1:
        return [model.target], values[:, None]
    return [f"{model.target}_{output}" for output in range(values.shape[1])], values


def _write(file: IO[str], header: list[str], values: np.ndarray) -> None:
    """Numbers that read back as what they are: Python's shortest digits of a float64."""
    csv.writer(file, lineterminator="\n").writerow(header)
    for lines in _blocks(values):
        file.write(lines)


def _blocks(values: np.ndarray) -> Iterator[str]:
    for start in range(0, len(values), BLOCK):
        rows = values[start : start + BLOCK].tolist()
        yield "".join(f"{','.join(map(repr, row))}\n" for row in rows)
