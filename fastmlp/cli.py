"""The command `fastmlp`: the two exercises, and training on a table. `python -m fastmlp` is the same.

Exit status: 0; 2 for what the user can put right, with one line on standard error; 130 for Ctrl-C. Numba and
matplotlib are imported by what uses them, so that `fastmlp --help` is quick.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

import fastmlp
from fastmlp import data, demos, splits, tables
from fastmlp.errors import DivergenceError
from fastmlp.history import seconds_of
from fastmlp.spec import BACKENDS, DTYPES, HIDDEN

if TYPE_CHECKING:
    from fastmlp.model import Model

# learning rates for standardised columns and batches of 32; at 0.01 squared error jumps about on the diabetes data
# (held-out R2 of 0.33 to 0.41 over three seeds, where 0.005 gives 0.41 to 0.48)
RATES = {"classify": 0.1, "regress": 0.005}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, by default the process's own. Returns the exit status."""
    parser = _parser()
    try:
        args = parser.parse_args(arguments)
        args.run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse's, after --help and errors
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", 130)
    except BrokenPipeError:  # `fastmlp demo xor | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        return _fail(named)
    except DivergenceError as error:  # the model that it speaks of is gone
        return _fail(str(error).partition(" The model")[0].replace("learning_rate", "--learning-rate"))
    except (ValueError, TypeError, ImportError, MemoryError) as error:
        return _fail(str(error))
    return 0


def _fail(message: str, status: int = 2) -> int:
    print(f"fastmlp: {' '.join(message.split())}", file=sys.stderr)
    return status


# ---------------------------------------------------------------------------------------------------------
# Arguments


class _Parser(argparse.ArgumentParser):
    """argparse with an error of one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fastmlp: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastmlp",
        description="Trains small multi-layer perceptrons on a CPU; every bit of the result is specified.",
    )
    parser.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_train(commands)
    return parser


def _add_demo(commands: Any) -> None:
    demo = commands.add_parser(
        "demo",
        help="train one of the two XOR exercises",
        description="Trains one of the two XOR exercises and prints what it prints.",
    )
    demo.set_defaults(run=_demo)
    rates, epochs, logs = (
        " or ".join(f"{getattr(settings, field):g}" for settings in demos.DEFAULTS.values())
        for field in ("learning_rate", "epochs", "log_every")
    )
    demo.add_argument(
        "name",
        choices=tuple(demos.DEMOS),
        help="xor: 2-8-8-2, relu, softmax, 2000 rows; xor-sigmoid: 2-2-1, sigmoids, squared error, 4 rows",
    )
    demo.add_argument("--epochs", type=int, metavar="N", help=f"passes over the rows (default: {epochs})")
    demo.add_argument("--learning-rate", type=float, metavar="RATE", help=f"step size (default: {rates})")
    demo.add_argument("--log-every", type=int, metavar="N", help=f"print every N epochs (default: {logs})")
    _add_common(demo)


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        help="train on a table of numbers",
        description=(
            "Trains on a table of numbers and reports how well it does on rows held out: accuracy for classes, R2 for "
            "quantities. Columns are standardised by the training rows. The last layer is as wide as the target needs."
        ),
    )
    train.set_defaults(run=_train)
    train.add_argument("data", type=Path, metavar="DATA", help="a CSV of numbers with a header, or .npz with X and y")
    train.add_argument("--target", metavar="NAME", help="the CSV's column to predict (for .npz: the array; default: y)")
    train.add_argument("--task", choices=("auto", *RATES), default="auto", help=_default("what the target is", "auto"))
    train.add_argument(
        "--hidden", default="128", metavar="SIZES", help=_default('hidden layers, like 64,64, or "none"', "128")
    )
    train.add_argument("--activation", choices=HIDDEN, default="relu", help=_default("of the hidden layers", "relu"))
    train.add_argument("--epochs", type=int, default=100, metavar="N", help=_default("passes over the rows", "100"))
    train.add_argument("--batch-size", type=int, default=32, metavar="N", help=_default("rows in an update", "32"))
    rates = ", ".join(f"{rate:g} to {task}" for task, rate in RATES.items())
    train.add_argument("--learning-rate", type=float, metavar="RATE", help=_default("step size", rates))
    train.add_argument(
        "--held-out", type=float, default=0.2, metavar="SHARE", help=_default("share of rows to test on, or 0", "0.2")
    )
    train.add_argument("--seed", type=int, default=0, metavar="N", help=_default("of split, weights and order", "0"))
    _add_common(train)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help=_default("precision", DTYPES[0]))
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help=_default("numba is fast, reference is its definition in NumPy; both give the same bits", BACKENDS[0]),
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw loss and accuracy into FILE (.png, .svg, .pdf)")


def _default(text: str, value: str) -> str:
    return f"{text} (default: {value})"


def _check_plot(path: Path | None) -> None:
    """Raises before a long training what would be raised after it."""
    if path is None:
        return
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError("--plot needs matplotlib, which is not installed: pip install matplotlib")
    if not path.parent.is_dir():
        raise ValueError(f"--plot {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"--plot {path} is a folder: name a file in it, like {path / 'training.png'}")
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in known:
        raise ValueError(f"--plot {path}: {path.suffix} is not a format of matplotlib: use {', '.join(sorted(known))}")


# ---------------------------------------------------------------------------------------------------------
# Commands


def _demo(args: argparse.Namespace) -> None:
    usual = demos.DEFAULTS[args.name]
    settings = demos.Settings(
        epochs=usual.epochs if args.epochs is None else data.positive_int(args.epochs, "--epochs"),
        learning_rate=(
            usual.learning_rate
            if args.learning_rate is None
            else data.positive_float(args.learning_rate, "--learning-rate")
        ),
        log_every=usual.log_every if args.log_every is None else data.positive_int(args.log_every, "--log-every"),
        dtype=args.dtype,
        backend=args.backend,
    )
    _check_plot(args.plot)
    history = demos.DEMOS[args.name](settings)
    if args.plot:
        history.plot(args.plot)


@dataclass(frozen=True)
class _Job:
    """A table made ready: training rows x, y and held-out rows, in the units that the network sees."""

    task: str
    outputs: int
    train: tuple[np.ndarray, np.ndarray]
    held: tuple[np.ndarray, np.ndarray]


def _train(args: argparse.Namespace) -> None:
    hidden = _sizes(args.hidden)
    epochs = data.positive_int(args.epochs, "--epochs")
    batch_size = data.positive_int(args.batch_size, "--batch-size")
    if args.learning_rate is not None:
        data.positive_float(args.learning_rate, "--learning-rate")
    if not 0 <= args.held_out < 1:
        raise ValueError(f"--held-out={args.held_out} is not a share of the rows: give 0 or more, and less than 1")
    if not 0 <= args.seed < 2**64:
        raise ValueError(f"--seed={args.seed} is not a seed: give a whole number from 0 to 2^64 - 1")
    _check_plot(args.plot)
    table = tables.read(args.data, args.target)
    job = _prepared(table, args)

    from fastmlp.model import Model

    layers = [table.x.shape[1], *hidden, job.outputs]
    output = "softmax" if job.task == "classify" else "identity"
    model = Model(layers, hidden=args.activation, output=output, seed=args.seed, dtype=args.dtype, backend=args.backend)
    print(f"network: {'-'.join(map(str, layers))}, {args.activation}, {output}, {args.dtype}", flush=True)
    interrupt = None
    try:
        model.fit(
            *job.train,
            epochs=epochs,
            learning_rate=RATES[job.task] if args.learning_rate is None else args.learning_rate,
            batch_size=batch_size,
        )
    except KeyboardInterrupt as error:  # what was reached is worth a report
        interrupt = error
    history = model.history
    if history is not None and len(history):
        print(f"loss: {history.loss[-1]:.6g} in epoch {history.epoch[-1]}")
        print(f"training {_quality(model, *job.train)}")
        if len(job.held[0]):
            print(f"held-out {_quality(model, *job.held)}")
        print(f"time: {seconds_of(history)} ({args.backend})")
        print(f"digest: {model.digest()}", flush=True)
        if args.plot:
            history.plot(args.plot)
    if interrupt is not None:
        raise interrupt


def _sizes(text: str) -> list[int]:
    """[64, 64] for "64,64", [] for "none"."""
    if text.strip().lower() in ("", "none"):
        return []
    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        raise ValueError(f'--hidden={text} is not a list of sizes: give some like 64,64, or "none"') from None
    return [data.positive_int(size, "--hidden") for size in sizes]


def _prepared(table: tables.Table, args: argparse.Namespace) -> _Job:
    """Splits and standardises a table, and prints what it holds."""
    rows, columns = table.x.shape
    if rows < 2:
        raise ValueError(f"{args.data} has one row: at least 2 are needed")
    labels = tables.as_classes(table.y) if args.task == "auto" else None
    if args.task == "classify":
        labels = _labels(table)
    y: np.ndarray
    groups: np.ndarray
    shape = f"{args.data.name}: {rows} rows, {columns} features"
    if labels is not None:
        classes, y = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"{table.target!r} is {classes[0]:g} in every row: there is nothing to tell apart")
        task, outputs, groups = "classify", len(classes), y
        print(f"{shape}, {outputs} classes ({_listed(classes)})")
    else:
        y = table.y.reshape(rows, -1)
        task, outputs, groups = "regress", y.shape[1], np.zeros(rows)
        print(f"{shape}, {'a quantity' if outputs == 1 else f'{outputs} quantities'} to predict")
    train, held = splits.split(groups, args.held_out, args.seed)
    scale = tables.Scale.of(table.x[train], table.names)
    x = scale.forward(table.x)
    if task == "regress":
        y = tables.Scale.of(y[train], [table.target] * outputs).forward(y)  # R2 is the same in either unit
    print(f"training on {len(train)} rows, {len(held)} held out", flush=True)
    return _Job(task, outputs, (x[train], y[train]), (x[held], y[held]))


def _labels(table: tables.Table) -> np.ndarray:
    """The target as class numbers, whatever they are, for --task classify."""
    if table.y.ndim == 2:
        labels = tables.as_classes(table.y)
        if labels is None:
            raise ValueError(f"--task classify: {table.target!r} has {table.y.shape[1]} columns and is not one-hot")
        return labels
    whole = table.y == np.floor(table.y)
    if not whole.all():
        value = table.y[int(np.argmin(whole))]
        raise ValueError(f"--task classify: {table.target!r} holds {value:g}, and classes are whole numbers")
    return table.y


def _listed(classes: np.ndarray) -> str:
    texts = [f"{value:.0f}" for value in classes]
    return " ".join(texts if len(texts) <= 20 else [*texts[:10], "...", texts[-1]])


def _quality(model: Model, x: np.ndarray, y: np.ndarray) -> str:
    found = model.evaluate(x, y)
    return f"accuracy: {found['accuracy']:.4f}" if "accuracy" in found else f"R2: {found['r2']:.4f}"
