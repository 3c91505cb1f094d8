"""The options of `fastmlp train`: what is wrong with each without any table, and what goes with what."""

from __future__ import annotations

import argparse
import dataclasses

from fastmlp.checks import scalars
from fastmlp.checks.option_names import either, option
from fastmlp.fit.transcript import Transcript
from fastmlp.tables.train_options import (
    FITS_LOSS,
    KINDS,
    OF_THE_NETWORK,
    OF_THE_RECIPE,
    OUTPUTS,
    RATES,
    SCHEDULES,
    USUAL,
    activations,
    class_weights,
    dropout_of,
    sizes,
    task_of,
)


def check(args: argparse.Namespace) -> None:
    """Raises ValueError or TypeError for what is wrong without any table. Errors name options."""
    scalars.positive_int(args.epochs, "--epochs")
    if args.batch_size is not None:
        scalars.positive_int(args.batch_size, "--batch-size")
    if args.learning_rate is not None:
        scalars.positive_float(args.learning_rate, "--learning-rate")
    if args.held_out is not None and not 0 <= args.held_out < 1:
        raise ValueError(f"--held-out={args.held_out} is not a fraction of the rows: give 0 or more, and less than 1")
    if args.validation is not None and not 0 < args.validation < 1:
        raise ValueError(f"--validation={args.validation} is not a fraction of the rows: give one between 0 and 1")
    if args.seed is not None and not 0 <= args.seed < 2**64:
        raise ValueError(f"--seed={args.seed} is not a seed: give a whole number from 0 to 2^64 - 1")
    if args.clip_value is not None and args.clip_norm is not None:
        raise ValueError("--clip-value and --clip-norm are both given: clip by one of them")
    if args.class_weight is not None:
        class_weights(args.class_weight)
    if args.recipe:
        given = [option(name) for name in OF_THE_RECIPE if getattr(args, name) is not None]
        if given:
            raise ValueError(
                f"{', '.join(given)} beside --recipe, which decides on {'it' if len(given) == 1 else 'them'}: give "
                "one or the other"
            )
    if args.resume is not None:
        if args.words:
            raise ValueError(f"--words beside --resume: {args.resume} has its columns' kinds; leave it out")
        given = [option(name) for name in OF_THE_NETWORK if getattr(args, name) is not None]
        if given:
            raise ValueError(
                f"{', '.join(given)} beside --resume: {args.resume} has its network, loss, optimizer and seed; leave "
                f"{'it' if len(given) == 1 else 'them'} out, or --resume, to train a new one"
            )
    else:
        _check_network(args)
        _check_optimizer(args)
    _check_schedule(args)
    _check_stopping(args)
    _check_transcript(args)


def _check_transcript(args: argparse.Namespace) -> None:
    if args.transcript_every is None:
        return
    scalars.positive_int(args.transcript_every, "--transcript-every")
    if args.transcript is None:
        raise ValueError("--transcript-every is of --transcript FILE: give that, or leave --transcript-every out")
    if isinstance(args.transcript, Transcript):
        raise ValueError("--transcript-every is given beside a Transcript, which has its own: leave it out")


def _check_network(args: argparse.Namespace) -> None:
    hidden = sizes(args.hidden or USUAL["hidden"])
    if not hidden:
        for name in ("activation", "dropout"):
            if getattr(args, name) is not None:
                raise ValueError(
                    f"{option(name)} is of hidden layers, and --hidden none has no such layer: leave it out"
                )
    layers = "there is one hidden layer" if len(hidden) == 1 else f"there are {len(hidden)} hidden layers"
    activation = activations(args)
    if isinstance(activation, list) and len(activation) != len(hidden):
        raise ValueError(
            f"--activation={args.activation} has {len(activation)} names, and {layers}: give one name, or one for each"
        )
    rates = dropout_of(args.dropout)
    if isinstance(rates, list) and len(rates) != len(hidden):
        raise ValueError(
            f"--dropout={args.dropout} has {len(rates)} rates, and {layers}: give one rate, or one for each"
        )
    if args.loss is not None and args.task in RATES and args.task != task_of(args.loss):
        fits = [name for name in OUTPUTS if task_of(name) == args.task]
        raise ValueError(f"--loss {args.loss} does not go with --task {args.task}: use {either(fits)}")
    for name, loss in FITS_LOSS.items():
        smooths = name == "label_smoothing" and args.loss is None  # cross_entropy is what classes have anyway
        if getattr(args, name) is not None and args.loss != loss and not smooths:
            _refuse(name, "loss", [loss], args.loss)


def _check_optimizer(args: argparse.Namespace) -> None:
    chosen = args.optimizer or "sgd"
    fits: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        for field in dataclasses.fields(kind):
            fits.setdefault(field.name, []).append(name)
    for name in fits:
        if name != "learning_rate" and getattr(args, name) is not None and chosen not in fits[name]:
            _refuse(name, "optimizer", fits[name], chosen)
    if args.nesterov and not args.momentum:
        raise ValueError("--nesterov needs a momentum: give --momentum, like 0.9")


def _check_schedule(args: argparse.Namespace) -> None:
    for name, fits in SCHEDULES.items():
        if getattr(args, name) is not None and args.schedule not in fits:
            _refuse(name, "schedule", list(fits), args.schedule)
    for name, needed, like in (("every", "step", "30"), ("factor", "exponential", "0.95")):
        if args.schedule == needed and getattr(args, name) is None:
            raise ValueError(f"--schedule {needed} needs {option(name)}: give it, like {option(name)} {like}")
    if args.warm_up is not None:
        if args.schedule == "one_cycle":
            raise ValueError(
                "--warm-up does not go with --schedule one_cycle, which rises by itself: use --rise FRACTION"
            )
        if args.schedule == "cosine_log":
            raise ValueError("--warm-up does not go with --schedule cosine_log, which rises by itself: leave it out")
        if args.schedule == "reduce_on_plateau":
            raise ValueError(
                "--warm-up does not go with --schedule reduce_on_plateau, which would count it as no progress: "
                "leave one of them out"
            )
        if args.warm_up >= args.epochs and args.schedule in ("cosine", "flat_cosine") and args.schedule_epochs is None:
            raise ValueError(f"--warm-up {args.warm_up:g} leaves no epochs of {args.epochs} for the cosine: give fewer")
    elif args.warm_up_start is not None:
        raise ValueError("--warm-up-start is of --warm-up EPOCHS: give that, or leave --warm-up-start out")


def _check_stopping(args: argparse.Namespace) -> None:
    if args.min_delta is not None and args.early_stopping is None:
        raise ValueError("--min-delta is of --early-stopping PATIENCE: give that, or leave --min-delta out")
    if args.metric is None:
        return
    if args.early_stopping is None and args.schedule != "reduce_on_plateau":
        raise ValueError(
            "--metric is what --early-stopping or --schedule reduce_on_plateau watches: give one, or leave --metric out"
        )
    if args.metric.startswith("validation") and args.validation is None and args.resume is None:
        raise ValueError(f"--metric {args.metric} needs --validation FRACTION: give that, or another metric")


def check_task(args: argparse.Namespace, task: str, target: str) -> None:
    """Raises ValueError for options of classes where the target is a quantity."""
    if task == "classify":
        return
    for name, instead in (
        ("label_smoothing", "leave it out, or say --task classify"),
        ("class_weight", "use --sample-weight COLUMN"),
        ("target_accuracy", "use --target-loss"),
    ):
        if getattr(args, name) is not None:
            raise ValueError(f"{option(name)} needs classes, and {target!r} is a quantity: {instead}")
    if args.metric is not None and args.metric.endswith("accuracy"):
        loss = args.metric.replace("accuracy", "loss")
        raise ValueError(f"--metric {args.metric} needs classes, and {target!r} is a quantity: use --metric {loss}")


def _refuse(name: str, choice: str, fits: list[str], chosen: str | None) -> None:
    but = f", and not with {chosen}" if chosen is not None else ""
    raise ValueError(
        f"{option(name)} goes with {option(choice)} {either(fits)}{but}: give that, or leave {option(name)} out"
    )
