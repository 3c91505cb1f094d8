"""`fastmlp predict`: a trained model's answers for the rows of a table, as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastmlp.checks.messages import plain
from fastmlp.cli import replaced, reporting
from fastmlp.cli.arguments import add_backend, check_place, help_shape
from fastmlp.core import reports

BLOCK = 4096  # rows that are written at once


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    predict = commands.add_parser(
        "predict",
        help="predict with a trained model",
        description=(
            "Writes what a model of `fastmlp train -o` predicts, as CSV: a header, and a line for each row of the "
            "table. Columns are found by their names, and others are ignored. The target's may be there, too: how "
            "well it is met goes to standard error."
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
    predict.add_argument("--force", action="store_true", help="replace FILE, whatever it is")
    reporting.add_json_and_quiet(predict)
    add_backend(predict)


def run(args: argparse.Namespace) -> None:
    from fastmlp.tables.table_model import TableModel

    check_place("--output", args.output, "predictions.csv", {"the table": args.data, "the model": args.model})
    model = TableModel.load(args.model, backend=args.backend)
    if args.probabilities and model.classes is None:
        raise ValueError(f"--probabilities needs classes, and {model.target!r} is a quantity: leave it out")
    from fastmlp.tables import loading
    from fastmlp.tables.encoder import Seen, encoding_in_words

    rows = loading.to_predict(args.data, model.names, model.target, model.words, False if args.no_header else None)
    seen = Seen()
    z = model.inputs(rows, seen)
    header, columns, found = _columns(model, z, args.probabilities)
    if args.json and args.output is None:
        pass  # they are in the object
    elif args.output is None:
        _check_encoding(header)
        _write(sys.stdout, header, columns)
        sys.stdout.flush()
    else:
        replaced.check_predictions("--output", args.output, args.force, _line(header))
        with open(args.output, "w", encoding="utf-8", newline="") as file:
            _write(file, header, columns)
    for note in (*(f"note: {note}" for note in rows.features.notes), *encoding_in_words(model.encoder, seen)):
        if not args.quiet:
            print(plain(note), file=sys.stderr)
    score, count, wrong, report = None, 0, None, None
    if rows.y is not None:
        found = model.predict_inputs(z) if found is None else found
        score, count, wrong = model.scored_loaded(rows, found)
        if score is not None:
            p = None if model.classes is None else model.model.predict_proba(z)
            report = reporting.of_loaded(model.classes, rows.y, found, p)
    if args.json:
        reporting.say_json(reporting.of_prediction(args, model, header, columns, report or score, wrong))
    elif not args.quiet:
        _say(score, report, wrong, f"{count} rows of {args.data.name}")


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


def _columns(model: Any, z: np.ndarray, probabilities: bool) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """(names, values (N, C), the predictions or None) of the network's inputs (N, K')"""
    from fastmlp.tables.labels import text_of

    if probabilities:
        return [f"p_{text_of(label)}" for label in model.classes], model.model.predict_proba(z), None
    found = model.predict_inputs(z)
    if found.ndim == 1:
        return [model.target], found[:, None], found
    return [f"{model.target}_{output}" for output in range(found.shape[1])], found, found


def _line(cells: list[str]) -> str:
    """One line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _write(file: IO[str], header: list[str], values: np.ndarray) -> None:
    """Numbers that read back as what they are: Python's shortest digits of a float64; words in quotes as needed."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    for rows in _blocks(values):
        if values.dtype.kind == "O":
            writer.writerows(rows)
        else:
            file.write("".join(f"{','.join(map(repr, row))}\n" for row in rows))


def _blocks(values: np.ndarray) -> Iterator[list[list[Any]]]:
    for start in range(0, len(values), BLOCK):
        yield values[start : start + BLOCK].tolist()
