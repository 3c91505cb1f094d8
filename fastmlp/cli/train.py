"""`fastmlp train`: from a table and options to a report, a plot and a file.

The options are in `train_parser.py`; `fastmlp/tables/train.py` trains, as for `TableModel.fit`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.cli import replaced, reporting, train_parser
from fastmlp.cli.arguments import check_place, check_plot, help_shape, warnings_as_lines
from fastmlp.core import reports
from fastmlp.errors import DivergenceError
from fastmlp.history import seconds_of
from fastmlp.tables import train_checks
from fastmlp.tables.train_options import ARGUMENTS

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.model import Model
    from fastmlp.tables.prepare import Job


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    train = commands.add_parser(
        "train",
        usage="%(prog)s DATA [--target NAME] [options]",
        help="train on a table",
        description=(
            "Trains on a table and reports how well it does on rows held out: accuracy for classes, R2 for quantities. "
            "Words become a column for each category, dates days, and missing numbers the median. Features are "
            "standardised by the training rows; so is a quantity to predict, but for poisson, so that losses and "
            "--delta are in its standard deviations. The last layer is as wide as the target needs."
        ),
        formatter_class=help_shape,
    )
    train.set_defaults(run=run)
    train.add_argument(
        "data", type=Path, metavar="DATA", help="a table with names of its columns, such as a CSV, or .npz with X and y"
    )
    train_parser.add(train)


def run(args: argparse.Namespace) -> None:
    train_checks.check(args)
    check_plot(args.plot)
    check_place("--output", args.output, "model.safetensors", {"the table": args.data})
    if args.output is not None and args.output.exists() and not args.output.is_file():
        raise ValueError(f"--output {args.output} is a device or a pipe: name a file")
    if args.output is not None and args.output == args.plot:
        raise ValueError(f"--output and --plot are both {args.output}: name two files")
    if args.checkpoint is not None:
        others = {"the table": args.data, "--output": args.output, "--plot": args.plot, "--resume": args.resume}
        check_place("--checkpoint", args.checkpoint, "run.checkpoint", others)
    if args.transcript is not None:
        others = {"the table": args.data, "--output": args.output, "--plot": args.plot, "--checkpoint": args.checkpoint}
        check_place("--transcript", args.transcript, "run.jsonl", {**others, "--resume": args.resume})
    replaced.check_model("--output", args.output, args.force)
    replaced.check_picture("--plot", args.plot, args.force)
    say = reporting.voice(args)
    from fastmlp.tables.table_model import TableModel
    from fastmlp.tables.train import Training

    training = Training.of(args, say, TableModel)
    model, job = training.model, training.job
    curve = reporting.curve_of(args, model, job)
    interrupt = None
    try:
        with warnings_as_lines(ARGUMENTS):
            training.fit()
    except DivergenceError as error:
        raise ValueError(str(error)) from error
    except KeyboardInterrupt as error:  # what was reached is worth a report, and a file
        interrupt = error
    history = model.history
    if history is not None and len(history):
        try:
            if args.output:
                training.table_model().save(args.output)
        finally:
            figures = _report(model, history, job, args, say)
        if args.output:
            say(f"saved to: {args.output}")
        if args.plot:
            reporting.plot(history, curve, args.plot)
        if args.json:
            reporting.say_json(reporting.as_json(args, model, job, training.names, figures))
    elif args.output:
        print("nothing to save: no epoch was done", file=sys.stderr)
    if interrupt is not None:
        raise interrupt


def _report(
    model: Model, history: History, job: Job, args: argparse.Namespace, say: Callable[[str], None]
) -> dict[str, Any]:
    """Says how well the model does. -> its figures on the training rows and on those held out."""
    figures = {"training": reporting.of_rows(model, job, *job.train)}
    place = len(history) - 1
    if history.stopped and history.stopped != "interrupted":
        say(f"stopped: {history.stopped}")
    if history.best_epoch is not None and history.stopped != "interrupted":  # whose weights the model has
        places = np.flatnonzero(history.epoch == history.best_epoch)
        if not len(places):
            say(f"no better epoch: the weights are those of epoch {history.best_epoch}, as in {args.resume}")
        place = int(places[0]) if len(places) else place
    epoch = history.epoch[place]
    best = f", the best of {history.epoch[-1]}" if epoch != history.epoch[-1] else ""
    say(f"loss: {history.loss[place]:.6g} in epoch {epoch}{best}")
    if job.validation is not None:
        accuracy = history.validation_accuracy[place]
        text = "" if np.isnan(accuracy) else f", accuracy: {accuracy:.4f}"
        say(f"validation loss: {history.validation_loss[place]:.6g}{text}")
    say(f"training {_quality(model, *job.train)}")
    if len(job.held[0]):
        say(f"held-out {_quality(model, *job.held)}")
        say(f"held-out loss: {model.loss(*job.held):.6g}")
    figures["held_out"] = reporting.of_rows(model, job, *job.held)
    for line in reports.lines(figures["held_out"] or figures["training"] or {}):
        say(line)
    say(f"time: {seconds_of(history)} ({args.backend})")
    say(f"digest: {model.digest()}")
    return figures


def _quality(model: Model, x: np.ndarray, y: np.ndarray) -> str:
    found = model.evaluate(x, y)
    return f"accuracy: {found['accuracy']:.4f}" if "accuracy" in found else f"R2: {found['r2']:.4f}"
