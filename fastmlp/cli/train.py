"""`fastmlp train`: from a table and options to a report, a plot and a file. The options: `train_parser.py`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks.messages import cut, in_digits, shown
from fastmlp.cli import reporting, train_checks, train_options, train_parser
from fastmlp.cli.arguments import (
    check_place,
    check_plot,
    help_shape,
    naming_options,
    option,
    warnings_as_lines,
)  # fmt: skip
from fastmlp.cli.train_options import ARGUMENTS, KEPT, OUTPUTS, USUAL, USUAL_FIT
from fastmlp.cli.train_table import Job, class_names, prepared, seed_of
from fastmlp.core import reports
from fastmlp.errors import DivergenceError
from fastmlp.fit.options import NAMES, FitOptions
from fastmlp.history import seconds_of
from fastmlp.tables import reader
from fastmlp.tables.reader import Scale, Table

LARGE = 100.0  # counts: a larger one may be why training diverges
_WHAT_DIVERGED = re.compile(r"training diverged: .*?epoch \d+")

if TYPE_CHECKING:
    from fastmlp.history import History
    from fastmlp.model import Model
    from fastmlp.tables.table_model import TableModel


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    train = commands.add_parser(
        "train",
        usage="%(prog)s DATA [--target NAME] [options]",
        help="train on a table of numbers",
        description=(
            "Trains on a table of numbers and reports how well it does on rows held out: accuracy for classes, R2 for "
            "quantities. Features are standardised by the training rows; so is a quantity to predict, but for poisson, "
            "so that losses and --delta are in its standard deviations. The last layer is as wide as the target needs."
        ),
        formatter_class=help_shape,
    )
    train.set_defaults(run=run)
    train.add_argument("data", type=Path, metavar="DATA", help="a CSV of numbers with a header, or .npz with X and y")
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
    before = _loaded(args) if args.resume else None
    settings = _settings(args, before)
    target = args.target if before is None else before.target
    table = reader.read_table(args.data, target, settings["sample_weight"], False if args.no_header else None)
    if before is not None and not _is_npz(args.data):
        table = table.arranged(before.names, args.data)
    say = reporting.voice(args)
    for note in table.notes:
        say(f"note: {args.data.name}: {note}")
    job = prepared(table, args, settings, before, say)
    model = _new_model(table, job, args) if before is None else before.model
    say(f"network: {_in_words(model)}")
    if before is not None:
        say(_resumed(args, model, settings))
    if args.checkpoint is not None and args.checkpoint.exists():
        say(f"going on from {args.checkpoint}")
    from fastmlp.tables.table_model import TableModel

    curve = reporting.curve_of(args, model, job)
    interrupt = None
    try:
        _fit(model, table, job, args, settings)
    except KeyboardInterrupt as error:  # what was reached is worth a report, and a file
        interrupt = error
    except DivergenceError as error:
        raise ValueError(_diverged(error, model, job, args, settings)) from error
    history = model.history
    if history is not None and len(history):
        try:
            if args.output:
                names = table.names if before is None else before.names
                kept = {name: value for name, value in settings.items() if value is not None}
                kept["table"] = table.fingerprint()
                made = TableModel(model, tuple(names), table.target, job.classes, job.scale, job.target_scale, kept)
                made.save(args.output)
        finally:
            figures = _report(model, history, job, args, say)
        if args.output:
            say(f"saved to: {args.output}")
        if args.plot:
            reporting.plot(history, curve, args.plot)
        if args.json:
            reporting.say_json(reporting.as_json(args, model, job, list(table.names), figures))
    elif args.output:
        print("nothing to save: no epoch was done", file=sys.stderr)
    if interrupt is not None:
        raise interrupt


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


# ---------------------------------------------------------------------------------------------------------
# Going on


def _loaded(args: argparse.Namespace) -> TableModel:
    """The model to go on with. Raises ValueError where it cannot go on, or not with this."""
    from fastmlp.tables.table_model import TableModel

    before = TableModel.load(args.resume, backend=args.backend)
    _check_kept(before.settings, args.resume)
    if before.model.optimizer is None:
        raise ValueError(f"--resume {args.resume}: this model has not been trained, so that nothing goes on there")
    if why := before.model.not_resumable_because:
        raise ValueError(f"--resume {args.resume}: nothing can go on there, since {why}")
    if args.target not in (None, before.target):
        raise ValueError(f"--target {args.target}: {args.resume} predicts {before.target!r}; leave --target out")
    train_checks.check_task(args, "regress" if before.classes is None else "classify", before.target)
    return before


def _check_kept(settings: Mapping[str, Any], path: Path) -> None:
    """Raises ValueError for what no `fastmlp train` wrote: a file's options are checked as those given here are."""
    for name in (*KEPT, "table"):
        value = settings.get(name)
        good = value is None or type(value) in KEPT.get(name, (str,))
        if good and name in ("held_out", "validation") and value is not None:
            good = 0 <= value < 1
        if not good:
            raise ValueError(f"--resume {path}: its {option(name)} is {shown(value)}, which no training wrote")


def _settings(args: argparse.Namespace, before: TableModel | None) -> dict[str, Any]:
    """The options that are kept in a file: as given, or else as they were, or else as usual."""
    kept = {name: getattr(args, name) for name in KEPT}
    if before is not None:
        old = dict(before.settings)
        _check_shares(args, old)
        for pair in (("clip_value", "clip_norm"), ("clip_norm", "clip_value")):
            if kept[pair[0]] is not None:
                old.pop(pair[1], None)
        kept = {name: old.get(name) if value is None else value for name, value in kept.items()}
    return {name: USUAL_FIT.get(name) if value is None else value for name, value in kept.items()}


def _check_shares(args: argparse.Namespace, old: dict[str, Any]) -> None:
    """Raises ValueError where rows that the model has trained on would pass for others. Training on all is fine."""
    for name in ("held_out", "validation"):
        was, asked = old.get(name, USUAL_FIT.get(name)), getattr(args, name)
        if asked in (None, was) or (name == "held_out" and not asked and old.get("validation") is None):
            continue
        kept = f"{was:g} of the rows" if was else "no rows"
        raise ValueError(
            f"{option(name)} {asked:g}: {args.resume} was trained with {kept} kept apart, and rows that it has learned "
            f"would pass for new ones; leave {option(name)} out"
        )


def _resumed(args: argparse.Namespace, model: Model, settings: dict[str, Any]) -> str:
    """What goes on, in words."""
    old = [
        option(name) + ("" if value is True else f" {value}") if value is not False else f"--no-{name}"
        for name, value in settings.items()
        if getattr(args, name) is None and value is not None and value != USUAL_FIT.get(name)
    ]
    rate = (
        ""
        if args.learning_rate is None and args.schedule is None and args.warm_up is None
        else " at a new learning rate"
    )
    return f"resuming {args.resume} after epoch {model.epochs}{rate}{', still with ' if old else ''}{' '.join(old)}"


# ---------------------------------------------------------------------------------------------------------
# Training


def _new_model(table: Table, job: Job, args: argparse.Namespace) -> Model:
    from fastmlp.model import Model

    with naming_options(ARGUMENTS):
        named: dict[str, Any] = {
            "hidden": train_options.activations(args),
            "output": OUTPUTS[args.loss] if args.loss else "softmax" if job.task == "classify" else "identity",
            "loss": train_options.loss_of(args, job.task),
            "init": train_options.initial(args),
        }
        return Model(
            [table.x.shape[1], *train_options.sizes(args.hidden or USUAL["hidden"]), job.outputs],
            seed=seed_of(args, None),
            dtype=args.dtype or USUAL["dtype"],
            backend=args.backend,
            **named,
        )


def _in_words(model: Model) -> str:
    """'64-128-10, relu, softmax, float64'"""
    spec = model.spec
    hidden = spec.hidden if len(set(spec.hidden)) > 1 else spec.hidden[:1]
    loss = train_options.described_loss(spec.loss, spec.loss_parameter)
    parts = ["-".join(map(str, spec.layers)), "-".join(hidden), spec.output, loss, spec.dtype]
    return ", ".join(part for part in parts if part)


def _fit(model: Model, table: Table, job: Job, args: argparse.Namespace, settings: dict[str, Any]) -> None:
    options = _options(model, table, job, args, settings)
    with naming_options(ARGUMENTS), warnings_as_lines(ARGUMENTS):
        model.fit(*job.train, **vars(options))


def _options(model: Model, table: Table, job: Job, args: argparse.Namespace, settings: dict[str, Any]) -> FitOptions:
    """What `fit` is asked for: options of its arguments' names as they are, and the others by what they mean."""
    optimizer, rate = None, None
    last = model.optimizer if args.resume else None
    if last is None:
        level = (
            float(Scale.of(job.train[1], [table.target] * job.outputs).mean.max()) if args.loss == "poisson" else 1.0
        )
        optimizer = train_options.optimizer_of(args, job.task, level)
    else:
        rate = train_options.rate_on_resuming(args, last)
    goes_on = args.checkpoint is not None and args.checkpoint.exists()
    given = {name: value for name, value in {**vars(args), **settings}.items() if name in NAMES and value is not None}
    meant = {
        "optimizer": optimizer,
        "learning_rate": rate,
        "resume": args.checkpoint if goes_on else last is not None,
        "dropout": train_options.dropout_of(settings["dropout"]),
        "sample_weight": job.weights,
        "class_weight": _class_weight(settings["class_weight"], job),
        "validation": job.validation,
        "early_stopping": train_options.stopping_of(args),
    }
    return FitOptions(**{**given, **meant})


def _diverged(
    error: DivergenceError, model: Model, job: Job, args: argparse.Namespace, settings: dict[str, Any]
) -> str:
    assert model.optimizer is not None
    advice = f"try a smaller --learning-rate than {train_options.base_rate(model.optimizer.learning_rate):g}"
    if settings["clip_norm"] is None and settings["clip_value"] is None:
        advice += ", or --clip-norm 1"
    if model.spec.loss == "poisson" and (largest := float(job.train[1].max())) > LARGE:  # others are standardised
        advice += f", or divide {job.target!r}, which goes up to {largest:.3g}, by a number"
    what = _WHAT_DIVERGED.match(str(error))
    return f"{what[0] if what else 'training diverged'}; {advice}{'; nothing was saved' if args.output else ''}"


def _class_weight(text: str | None, job: Job) -> Any:
    """--class-weight by the network's labels 0, 1, ..., where it is given by the table's own."""
    if text is None:
        return None
    assert job.classes is not None
    weights = train_options.class_weights(text)
    if isinstance(weights, str):
        missing = np.setdiff1d(np.arange(len(job.classes)), job.train[1])
        if len(missing):
            raise ValueError(
                f"--class-weight balanced: there is no row of class {in_digits(job.classes[missing[0]])} to train "
                "on; give weights like 0:1,1:5"
            )
        return weights
    places = {label: place for place, label in enumerate(job.classes.tolist())}  # an int is found by an equal float
    for label in weights:
        if label not in places:
            raise ValueError(f"--class-weight={cut(text)}: {label} is none of the classes ({class_names(job.classes)})")
    return {places[label]: weight for label, weight in weights.items()}


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
