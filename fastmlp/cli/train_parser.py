"""The options of `fastmlp train`: what there is, and what it says of each in its help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fastmlp.cli.arguments import add_backend, add_plot, default, either
from fastmlp.cli.reporting import add_json_and_quiet
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.spec import DTYPES, HIDDEN, INITS
from fastmlp.stopping import METRICS
from fastmlp.tables.train_options import NAMED, OUTPUTS, POISSON, RATES


def add(train: argparse.ArgumentParser) -> None:
    """Adds all options but the table's file."""
    _add_table(train.add_argument_group("table"))
    _add_network(train.add_argument_group("network"))
    _add_training(train.add_argument_group("training"))
    _add_schedule(train.add_argument_group("learning rate over time"))
    _add_restraints(train.add_argument_group("regularisation and weights"))
    _add_stopping(train.add_argument_group("validation and stopping"))
    _add_files(train.add_argument_group("files and display"))


def _add_table(group: Any) -> None:
    group.add_argument("--target", metavar="NAME", help="the column to predict (for .npz: the array; default: y)")
    group.add_argument(
        "--no-header", action="store_true", help="the table has no line of names: columns are called 0, 1, 2, ..."
    )
    group.add_argument(
        "--words",
        action="append",
        metavar="COLUMN",
        help="a column of words whatever it looks like, as 00501 and 1 to 5 for kinds; can be given several times",
    )
    group.add_argument(
        "--task",
        choices=("auto", *RATES),
        help=default("what the target is; auto looks at --loss, then at the target", "auto"),
    )
    group.add_argument(
        "--sample-weight", metavar="COLUMN", help="what each row counts for; then this column is no feature"
    )
    group.add_argument(
        "--held-out", type=float, metavar="FRACTION", help=default("fraction of rows to test on, or 0", "0.2")
    )


def _add_network(group: Any) -> None:
    group.add_argument(
        "--recipe",
        action="store_const",
        const=True,
        help="what needs no search on most tables: three layers of 128 units, clipped columns, and the activation, "
        "optimizer, schedule and choice of an epoch that go with them, with --validation 0.2 and --batch-size 256",
    )
    group.add_argument("--hidden", metavar="SIZES", help=default('hidden layers, like 64,64, or "none"', "128"))
    group.add_argument(
        "--activation",
        metavar="NAMES",
        help=default(f"of the hidden layers, one, or one for each, like relu,tanh: {either(HIDDEN)}", "relu"),
    )
    group.add_argument(
        "--init", metavar="INIT", help=default(f"initial weights: {either(INITS)}, or a scale", INITS[0])
    )
    group.add_argument(
        "--loss",
        choices=tuple(OUTPUTS),
        help=default("what to minimise", "cross_entropy to classify, else squared_error"),
    )
    group.add_argument(
        "--label-smoothing", type=float, metavar="FRACTION", help=default("of cross_entropy: over all classes", 0)
    )
    group.add_argument("--delta", type=float, metavar="D", help=default("of huber: the error where squares end", 1))
    group.add_argument("--quantile", type=float, metavar="Q", help=default("of quantile: which one", 0.5))
    group.add_argument("--dtype", choices=DTYPES, help=default("precision", DTYPES[0]))
    group.add_argument("--seed", type=int, metavar="N", help=default("of split, weights, order and dropout", "0"))
    add_backend(group)


def _add_training(group: Any) -> None:
    group.add_argument("--epochs", type=int, default=100, metavar="N", help=default("passes over the rows", "100"))
    group.add_argument("--batch-size", type=int, metavar="N", help=default("rows in an update", "32"))
    group.add_argument(
        "--shuffle", action=argparse.BooleanOptionalAction, help=default("a new order of the rows in each epoch", "yes")
    )
    rates = ", ".join(f"{rate:g} to {task}" for task, rate in RATES.items())
    group.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help=default(
            "step size",
            f"of sgd {rates}, {POISSON:g} / mean count for poisson, all times 1 - momentum; of adam and adamw "
            "0.001, of the others 0.01",
        ),
    )
    group.add_argument("--optimizer", choices=tuple(OPTIMIZERS), help=default("how to step", "sgd"))
    group.add_argument("--momentum", type=float, metavar="M", help=default("of sgd, rmsprop", 0))
    group.add_argument("--nesterov", action="store_const", const=True, help="with --momentum: Nesterov's")
    group.add_argument("--beta-1", type=float, metavar="B", help=default("of adam, adamw: average of gradients", 0.9))
    group.add_argument("--beta-2", type=float, metavar="B", help=default("of adam, adamw: average of squares", 0.999))
    group.add_argument("--epsilon", type=float, metavar="E", help=default("of all but sgd", "1e-8; adagrad 1e-10"))
    group.add_argument("--weight-decay", type=float, metavar="W", help=default("of adamw", 0.01))
    group.add_argument(
        "--decay-biases",
        action=argparse.BooleanOptionalAction,
        help=default("of adamw: whether biases decay, too", "yes"),
    )
    group.add_argument("--decay", type=float, metavar="D", help=default("of rmsprop: average of squares", 0.99))
    group.add_argument("--initial-accumulator", type=float, metavar="A", help=default("of adagrad", 0))


def _add_schedule(group: Any) -> None:
    group.add_argument(
        "--schedule",
        choices=NAMED,
        metavar="NAME",
        help=default(f"how --learning-rate goes on: {', '.join(NAMED)}", "constant"),
    )
    group.add_argument("--every", type=int, metavar="EPOCHS", help="of step: from one fall to the next")
    group.add_argument(
        "--factor", type=float, help="of each fall (step, reduce_on_plateau; default: 0.1) or epoch (exponential)"
    )
    group.add_argument("--power", type=float, metavar="P", help=default("of inverse_scaling", 0.5))
    group.add_argument(
        "--floor",
        type=float,
        metavar="RATE",
        help=default("of cosine, flat_cosine, reduce_on_plateau: the least rate", 0),
    )
    group.add_argument(
        "--schedule-epochs",
        type=float,
        metavar="EPOCHS",
        help=default("of cosine, one_cycle, flat_cosine, cosine_log: until the end", "that of training"),
    )
    group.add_argument(
        "--flat", type=float, metavar="FRACTION", help=default("of flat_cosine: the epochs at the first rate", 0.5)
    )
    group.add_argument("--cycles", type=int, metavar="N", help=default("of cosine_log: rises and falls", 4))
    group.add_argument(
        "--rise", type=float, metavar="FRACTION", help=default("of one_cycle: the epochs to the peak", 0.3)
    )
    group.add_argument(
        "--start-factor", type=float, metavar="F", help=default("of one_cycle: first rate / peak", "1/25")
    )
    group.add_argument(
        "--end-factor", type=float, metavar="F", help=default("of one_cycle: last rate / first rate", "1e-4")
    )
    group.add_argument(
        "--patience", type=int, metavar="N", help=default("of reduce_on_plateau: records without progress", 10)
    )
    group.add_argument(
        "--threshold", type=float, metavar="FRACTION", help=default("of reduce_on_plateau: what is progress", "1e-4")
    )
    group.add_argument("--warm-up", type=float, metavar="EPOCHS", help="at first, go up to the rate in a straight line")
    group.add_argument(
        "--warm-up-start", type=float, metavar="FRACTION", help=default("where it begins, as a fraction of its end", 0)
    )


def _add_restraints(group: Any) -> None:
    group.add_argument("--l2", type=float, metavar="L", help=default("adds L/2 * (sum of squared weights)", 0))
    group.add_argument("--l1", type=float, metavar="L", help=default("adds L * (sum of the weights' sizes)", 0))
    group.add_argument(
        "--dropout",
        metavar="RATES",
        help=default("fraction of hidden units to drop, or one for each layer, like 0.2,0.5", 0),
    )
    group.add_argument("--clip-value", type=float, metavar="MOST", help="bound each part of the gradient")
    group.add_argument("--clip-norm", type=float, metavar="MOST", help="bound the gradient's length")
    group.add_argument(
        "--class-weight",
        metavar="WEIGHTS",
        help='"balanced", or label:weight for some labels, like 0:1,1:5 (default: 1 each)',
    )


def _add_stopping(group: Any) -> None:
    group.add_argument(
        "--validation", type=float, metavar="FRACTION", help="fraction of the training rows to watch, not to train on"
    )
    group.add_argument(
        "--early-stopping",
        type=int,
        metavar="PATIENCE",
        help="stop after so many records without progress, and go back to the best",
    )
    group.add_argument(
        "--metric",
        choices=METRICS,
        help=default(
            "what --early-stopping and reduce_on_plateau watch", "validation_loss, or loss without validation"
        ),
    )
    group.add_argument("--min-delta", type=float, metavar="D", help=default("of --early-stopping: what is progress", 0))
    group.add_argument("--target-loss", type=float, metavar="LOSS", help="stop at a record that reaches it")
    group.add_argument("--target-accuracy", type=float, metavar="FRACTION", help="stop at a record that reaches it")
    group.add_argument("--record-every", type=int, metavar="N", help=default("epochs from record to record", 1))


def _add_files(group: Any) -> None:
    group.add_argument(
        "-o", "--output", type=Path, metavar="MODEL", help="write the trained model, for predict and --resume"
    )
    group.add_argument(
        "--resume",
        type=Path,
        metavar="MODEL",
        help="train a written model for --epochs more, as before but for options given here",
    )
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="write the whole state of the training there now and then; after a crash the same command goes on from it",
    )
    group.add_argument(
        "--checkpoint-every", type=int, metavar="N", help=default("epochs from one checkpoint to the next", "a tenth")
    )
    group.add_argument("--keep", type=int, metavar="K", default=1, help=default("checkpoints that stay", 1))
    group.add_argument(
        "--transcript",
        type=Path,
        metavar="FILE",
        help="write a transcript for fastmlp audit, with checkpoints in FILE.d; the same command goes on with it",
    )
    group.add_argument(
        "--transcript-every", type=int, metavar="N", help=default("epochs from one line to the next", "by the work")
    )
    add_plot(group)
    add_json_and_quiet(group)
    group.add_argument("--force", action="store_true", help="replace the files of -o and --plot, whatever they are")
    group.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=default("how many; results do not depend on it", "as many as make it faster"),
    )
    group.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help=default("show a bar", "on a terminal, after a second")
    )
