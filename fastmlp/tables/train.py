"""What `fastmlp train` and `TableModel.fit` do: from a table and options to a trained `TableModel`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.checks.messages import cut, shown
from fastmlp.checks.option_names import naming_options, option
from fastmlp.core.preprocess import Scale
from fastmlp.errors import DivergenceError
from fastmlp.fit.options import NAMES, FitOptions
from fastmlp.model import Model
from fastmlp.storage import transcript
from fastmlp.tables import loading, recipe, train_checks, train_options
from fastmlp.tables.columns import listed
from fastmlp.tables.labels import class_names, text_of
from fastmlp.tables.prepare import Job, prepared, seed_of
from fastmlp.tables.train_options import ARGUMENTS, KEPT, OUTPUTS, USUAL, USUAL_FIT

LARGE = 100.0  # counts: a larger one may be why training diverges
_WHAT_DIVERGED = re.compile(r"training diverged: .*?epoch \d+")


@dataclass
class Training:
    """One training of a table's model, made ready: `fit` trains it.

    Attributes
    ----------
    args : argparse.Namespace
        The options, by their names; see `train_options.DEFAULTS`.
    settings : dict
        Those that a file keeps, as given, or else as they were, or else as usual.
    before : TableModel or None
        The model that is trained on.
    job : Job
        The table made ready.
    model : Model
        The network.
    kind : type
        The class `TableModel`.
    """

    args: argparse.Namespace
    settings: dict[str, Any]
    before: Any
    job: Job
    model: Model
    kind: Any

    @classmethod
    def of(cls, args: argparse.Namespace, say: Callable[[str], None], kind: Any) -> Training:
        """Reads the table and makes the model. Raises ValueError, TypeError or OSError that names options.

        kind: the class `TableModel`, which calls this. say: is told what is done, a line at a time.
        """
        args = recipe.completed(args) if args.recipe else args
        before = _loaded(args, kind) if args.resume else None
        settings = _settings(args, before)
        target = args.target if before is None else before.target
        text = args.words or [] if before is None else before.words
        table = loading.to_train(args.data, target, settings["sample_weight"], text, False if args.no_header else None)
        for name in args.words or ():
            if loading.is_archive(args.data):
                raise ValueError(f"--words {name}: the columns of an .npz are numbers; give a table with names")
            if name != table.target and name not in table.features:
                raise ValueError(f"--words {name}: it is none of the columns {listed(table.features.names)}")
        if before is not None:
            table = before.arranged(table, loading.is_archive(args.data))
        job = prepared(table, args, settings, before, say)
        model = _new_model(job, args) if before is None else before.model
        say(f"network: {_in_words(model)}")
        if args.recipe:
            say(f"recipe: {recipe.in_words(job.task, args.learning_rate)}")
        if before is not None:
            say(_resumed(args, model, settings))
        if args.checkpoint is not None and args.checkpoint.exists():
            say(f"going on from {args.checkpoint}")
        elif (written := train_options.transcript_of(args)) and os.path.exists(written.path):
            if transcript.read(written.path).ended:
                raise ValueError(
                    f"--transcript {written.path} has its end already: name another file, or remove it and "
                    f"{transcript.folder_of(str(written.path))}"
                )
            say(f"going on from the checkpoints of {written.path}")
        return cls(args, settings, before, job, model, kind)

    def fit(self) -> None:
        """Trains the model. Raises ValueError or DivergenceError that names options; KeyboardInterrupt."""
        options = _options(self.model, self.job, self.args, self.settings)
        try:
            with naming_options(ARGUMENTS):
                self.model.fit(*self.job.train, **vars(options))
        except DivergenceError as error:
            raise DivergenceError(_diverged(error, self.model, self.job, self.args, self.settings)) from error

    @property
    def names(self) -> list[str]:
        """The names of the table's columns that are features."""
        return list(self.job.columns.names if self.before is None else self.before.names)

    def table_model(self) -> Any:
        """Returns the trained model, with its table's columns, classes and scales."""
        job, kept = self.job, {name: value for name, value in self.settings.items() if value is not None}
        kept["table"] = job.fingerprint
        columns = job.columns if self.before is None else self.before.columns
        names = tuple(self.names)
        return self.kind(self.model, names, job.target, job.classes, job.scale, job.target_scale, kept, columns)


# ---------------------------------------------------------------------------------------------------------
# Going on


def _loaded(args: argparse.Namespace, kind: Any) -> Any:
    """The model to go on with. Raises ValueError where it cannot go on, or not with this."""
    before = kind.load(args.resume, backend=args.backend)
    _check_kept(before.settings, args.resume)
    if before.settings.get("recipe"):
        raise ValueError(f"--resume {args.resume}: it was trained by --recipe, whose learning rate has come to its end")
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


def _settings(args: argparse.Namespace, before: Any) -> dict[str, Any]:
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
# Rows that a model was trained on


def training_rows(table: Any, before: Any, no_header: bool) -> dict[str, Any]:
    """What `Model.fit` was given of a table, by the TableModel of that training. Raises as `Training.of`."""
    args = train_options.namespace(table, {"backend": before.model.backend})
    args.resume = "the model"  # of messages
    settings = _settings(args, before)
    header = False if no_header else None
    read = loading.to_train(table, before.target, settings["sample_weight"], before.words, header)
    job = prepared(before.arranged(read, loading.is_archive(table)), args, settings, before, lambda _: None)
    weights = _class_weight(settings["class_weight"], job)
    X, y = job.train
    return {"X": X, "y": y, "sample_weight": job.weights, "class_weight": weights, "validation": job.validation}


# ---------------------------------------------------------------------------------------------------------
# Training


def _new_model(job: Job, args: argparse.Namespace) -> Model:
    sizes = train_options.sizes(args.hidden or USUAL["hidden"])
    if args.recipe:
        smoothing = recipe.SMOOTHING if args.label_smoothing is None else args.label_smoothing
        made = recipe.network(job.task, job.columns.width, sizes, job.outputs, smoothing)
        return Model(seed=seed_of(args, None), backend=args.backend, **made)
    with naming_options(ARGUMENTS):
        named: dict[str, Any] = {
            "hidden": train_options.activations(args),
            "output": OUTPUTS[args.loss] if args.loss else "softmax" if job.task == "classify" else "identity",
            "loss": train_options.loss_of(args, job.task),
            "init": train_options.initial(args),
        }
        return Model(
            [job.columns.width, *sizes, job.outputs],
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


def _options(model: Model, job: Job, args: argparse.Namespace, settings: dict[str, Any]) -> FitOptions:
    """What `fit` is asked for: options of its arguments' names as they are, and the others by what they mean."""
    optimizer, rate = None, None
    last = model.optimizer if args.resume else None
    if last is None:
        level = 1.0
        if args.loss == "poisson":
            level = float(Scale.of(job.train[1], [job.target] * job.outputs, args.backend).mean.max())
        optimizer = train_options.optimizer_of(args, job.task, level)
    else:
        rate = train_options.rate_on_resuming(args, last)
    goes_on = args.checkpoint is not None and args.checkpoint.exists()
    written = train_options.transcript_of(args)
    given = {name: value for name, value in {**vars(args), **settings}.items() if name in NAMES and value is not None}
    meant = {
        "optimizer": optimizer,
        "learning_rate": rate,
        "resume": args.checkpoint if goes_on else last is not None or bool(written and os.path.exists(written.path)),
        "transcript": written,
        "dropout": train_options.dropout_of(settings["dropout"]),
        "sample_weight": job.weights,
        "class_weight": _class_weight(settings["class_weight"], job),
        "validation": job.validation,
        "early_stopping": train_options.stopping_of(args),
    }
    if args.recipe:
        with naming_options(ARGUMENTS):
            made = recipe.training(job.task, args.epochs, args.learning_rate, settings["batch_size"])
        meant.update({name: made[name] for name in ("optimizer", "rate_factors")}, early_stopping=recipe.stopping())
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
    if text == "balanced":
        missing = np.setdiff1d(np.arange(len(job.classes)), job.train[1])
        if len(missing):
            raise ValueError(
                f"--class-weight balanced: there is no row of class {cut(text_of(job.classes[missing[0]]))} to train "
                "on; give weights like 0:1,1:5"
            )
        return text
    weights = train_options.class_weights(text)
    assert isinstance(weights, dict)
    if job.classes.dtype.kind in "Ob":
        places: dict[Any, int] = {text_of(label): place for place, label in enumerate(job.classes.tolist())}
        weights = {str(label): weight for label, weight in weights.items()}
    else:
        places = {label: place for place, label in enumerate(job.classes.tolist())}  # an int is found by an equal float
        weights = {train_options.as_number(label): weight for label, weight in weights.items()}
    for label in weights:
        if label not in places:
            raise ValueError(f"--class-weight={cut(text)}: {label} is none of the classes ({class_names(job.classes)})")
    return {places[label]: weight for label, weight in weights.items()}
