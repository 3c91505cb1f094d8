"""The options of `fastmlp train`: what there is, what goes with what, and the objects that they mean.

What is not given is None, so that one can tell. Imports no Numba: `fastmlp --help` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from pathlib import Path
from typing import Any

from fastmlp import losses, schedules
from fastmlp.checks import arrays, scalars
from fastmlp.checks.messages import cut
from fastmlp.cli.arguments import add_backend, add_plot, default, either, naming_options, option
from fastmlp.losses import CrossEntropy, Huber, Loss, Quantile
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import Schedule, WarmUp
from fastmlp.spec import DTYPES, HIDDEN, INITS
from fastmlp.stopping import METRICS, EarlyStopping

# learning rates of plain gradient descent for standardised columns and batches of 32; at 0.01 squared error jumps about
# on the diabetes data (held-out R2 of 0.33 to 0.41 over three seeds, where 0.005 gives 0.41 to 0.48)
RATES = {"classify": 0.1, "regress": 0.005}
POISSON = 0.01  # divided by the mean count, with which the loss's curvature grows: at 0.005 a mean of 25 diverges
OUTPUTS = {
    "cross_entropy": "softmax",
    **dict.fromkeys(("squared_error", "absolute_error", "huber", "quantile"), "identity"),
    "poisson": "exponential",
}
USUAL: dict[str, Any] = {"hidden": "128", "activation": "relu", "init": "he_normal", "dtype": DTYPES[0], "seed": 0}
USUAL_FIT: dict[str, Any] = {"batch_size": 32, "shuffle": True, "held_out": 0.2}
# what a file keeps for --resume to go on with, and its types there: the arithmetic depends on it
KEPT: dict[str, tuple[type, ...]] = {
    "batch_size": (int,),
    "shuffle": (bool,),
    **dict.fromkeys(("l2", "l1", "clip_value", "clip_norm", "validation", "held_out"), (float, int)),
    **dict.fromkeys(("dropout", "class_weight", "sample_weight"), (str,)),
}
# what --resume takes from the file alone
OF_THE_NETWORK = (
    *("task", "hidden", "activation", "init", "loss", "label_smoothing", "delta", "quantile", "dtype", "seed"),
    *("optimizer", "momentum", "nesterov", "beta_1", "beta_2", "epsilon", "weight_decay", "decay"),
    "initial_accumulator",
)
# option -> the schedules that have it, and its name there
SCHEDULES: dict[str, dict[str, str]] = {
    "every": {"step": "every"},
    "factor": dict.fromkeys(("step", "exponential", "reduce_on_plateau"), "factor"),
    "power": {"inverse_scaling": "power"},
    "floor": dict.fromkeys(("cosine", "reduce_on_plateau"), "floor"),
    "schedule_epochs": dict.fromkeys(("cosine", "one_cycle"), "epochs"),
    "rise": {"one_cycle": "warm_up"},
    "start_factor": {"one_cycle": "start_factor"},
    "end_factor": {"one_cycle": "end_factor"},
    "patience": {"reduce_on_plateau": "patience"},
    "threshold": {"reduce_on_plateau": "min_delta"},
}
NAMED = tuple(name for name in schedules.SCHEDULES if name != "warm_up")
FITS_LOSS = {"label_smoothing": "cross_entropy", "delta": "huber", "quantile": "quantile"}
# the arguments of Model and fit whose names are in their messages
ARGUMENTS = {
    **{
        name: option(name)
        for name in (
            *("epochs", "learning_rate", "batch_size", "optimizer", "momentum", "beta_1", "beta_2", "decay", "epsilon"),
            *("l2", "l1", "dropout", "clip_value", "clip_norm", "sample_weight", "class_weight", "validation"),
            *(
                "early_stopping",
                "record_every",
                "target_loss",
                "target_accuracy",
                "init",
                "metric",
                "loss",
                "min_delta",
                "checkpoint",
                "checkpoint_every",
                "keep",
            ),
        )
    },
    "hidden": "--activation",
}


_WHOLE = re.compile("[+-]?[0-9]{1,100}")


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
    group.add_argument("--target", metavar="NAME", help="the CSV's column to predict (for .npz: the array; default: y)")
    group.add_argument(
        "--task",
        choices=("auto", *RATES),
        help=default("what the target is; auto looks at --loss, then at the target", "auto"),
    )
    group.add_argument(
        "--sample-weight", metavar="COLUMN", help="what each row counts for; then this column is no feature"
    )
    group.add_argument("--held-out", type=float, metavar="SHARE", help=default("share of rows to test on, or 0", "0.2"))


def _add_network(group: Any) -> None:
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
        "--label-smoothing", type=float, metavar="SHARE", help=default("of cross_entropy: spread over all classes", 0)
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
    group.add_argument("--momentum", type=float, metavar="M", help=default("of sgd", 0))
    group.add_argument("--nesterov", action="store_const", const=True, help="with --momentum: Nesterov's")
    group.add_argument("--beta-1", type=float, metavar="B", help=default("of adam, adamw: average of gradients", 0.9))
    group.add_argument("--beta-2", type=float, metavar="B", help=default("of adam, adamw: average of squares", 0.999))
    group.add_argument("--epsilon", type=float, metavar="E", help=default("of all but sgd", "1e-8; adagrad 1e-10"))
    group.add_argument("--weight-decay", type=float, metavar="W", help=default("of adamw", 0.01))
    group.add_argument("--decay", type=float, metavar="D", help=default("of rmsprop: average of squares", 0.99))
    group.add_argument("--initial-accumulator", type=float, metavar="A", help=default("of adagrad", 0))


def _add_schedule(group: Any) -> None:
    group.add_argument("--schedule", choices=NAMED, help=default("how --learning-rate goes on", "constant"))
    group.add_argument("--every", type=int, metavar="EPOCHS", help="of step: from one fall to the next")
    group.add_argument(
        "--factor", type=float, help="of each fall (step, reduce_on_plateau; default: 0.1) or epoch (exponential)"
    )
    group.add_argument("--power", type=float, metavar="P", help=default("of inverse_scaling", 0.5))
    group.add_argument(
        "--floor", type=float, metavar="RATE", help=default("of cosine, reduce_on_plateau: the least rate", 0)
    )
    group.add_argument(
        "--schedule-epochs",
        type=float,
        metavar="EPOCHS",
        help=default("of cosine, one_cycle: until the end", "that of training"),
    )
    group.add_argument("--rise", type=float, metavar="SHARE", help=default("of one_cycle: the epochs to the peak", 0.3))
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
        "--threshold", type=float, metavar="SHARE", help=default("of reduce_on_plateau: what is progress", "1e-4")
    )
    group.add_argument("--warm-up", type=float, metavar="EPOCHS", help="at first, go up to the rate in a straight line")
    group.add_argument(
        "--warm-up-start", type=float, metavar="SHARE", help=default("where that line begins, as a share of its end", 0)
    )


def _add_restraints(group: Any) -> None:
    group.add_argument("--l2", type=float, metavar="L", help=default("adds L/2 * (sum of squared weights)", 0))
    group.add_argument("--l1", type=float, metavar="L", help=default("adds L * (sum of the weights' sizes)", 0))
    group.add_argument(
        "--dropout",
        metavar="RATES",
        help=default("share of hidden units to drop, or one for each layer, like 0.2,0.5", 0),
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
        "--validation", type=float, metavar="SHARE", help="share of the training rows to watch, not to train on"
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
    group.add_argument("--target-accuracy", type=float, metavar="SHARE", help="stop at a record that reaches it")
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
    add_plot(group)
    group.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=default("how many; results do not depend on it", "as many as make it faster"),
    )
    group.add_argument(
        "--progress", action=argparse.BooleanOptionalAction, help=default("show a bar", "on a terminal, after a second")
    )


# ---------------------------------------------------------------------------------------------------------
# What goes with what


def check(args: argparse.Namespace) -> None:
    """Raises ValueError or TypeError for what is wrong without any table. Errors name options."""
    scalars.positive_int(args.epochs, "--epochs")
    if args.batch_size is not None:
        scalars.positive_int(args.batch_size, "--batch-size")
    if args.learning_rate is not None:
        scalars.positive_float(args.learning_rate, "--learning-rate")
    if args.held_out is not None and not 0 <= args.held_out < 1:
        raise ValueError(f"--held-out={args.held_out} is not a share of the rows: give 0 or more, and less than 1")
    if args.validation is not None and not 0 < args.validation < 1:
        raise ValueError(f"--validation={args.validation} is not a share of the rows: give one between 0 and 1")
    if args.seed is not None and not 0 <= args.seed < 2**64:
        raise ValueError(f"--seed={args.seed} is not a seed: give a whole number from 0 to 2^64 - 1")
    if args.clip_value is not None and args.clip_norm is not None:
        raise ValueError("--clip-value and --clip-norm are both given: clip by one of them")
    if args.class_weight is not None:
        class_weights(args.class_weight)
    if args.resume is not None:
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
    rates = dropout_rates(args.dropout)
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
    kinds: dict[str, Any] = dict(OPTIMIZERS)
    fits: dict[str, list[str]] = {}
    for name, kind in kinds.items():
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
            raise ValueError("--warm-up does not go with --schedule one_cycle, which rises by itself: use --rise SHARE")
        if args.schedule == "reduce_on_plateau":
            raise ValueError(
                "--warm-up does not go with --schedule reduce_on_plateau, which would count it as no progress: "
                "leave one of them out"
            )
        if args.warm_up >= args.epochs and args.schedule == "cosine" and args.schedule_epochs is None:
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
        raise ValueError(f"--metric {args.metric} needs --validation SHARE: give that, or another metric")


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


# ---------------------------------------------------------------------------------------------------------
# What they mean


def task_of(loss: str) -> str:
    return "classify" if OUTPUTS[loss] == "softmax" else "regress"


def sizes(text: str) -> list[int]:
    """[64, 64] for "64,64", [] for "none"."""
    if text.strip().lower() in ("", "none"):
        return []
    try:
        found = [int(size) for size in text.split(",")]
    except ValueError:
        raise ValueError(f'--hidden={text} is not a list of sizes: give some like 64,64, or "none"') from None
    return [scalars.positive_int(size, "--hidden") for size in found]


def activations(args: argparse.Namespace) -> str | list[str]:
    """A name, or several."""
    names = [name.strip() for name in (args.activation or USUAL["activation"]).split(",")]
    for name in names:
        if name not in HIDDEN:
            raise ValueError(f"--activation={name} is not known: use {either(HIDDEN)}")
    return names[0] if len(names) == 1 else names


def initial(args: argparse.Namespace) -> str | float:
    """--init as `Model` takes it."""
    text = USUAL["init"] if args.init is None else args.init
    return float(text) if arrays.reads_as_number(text) else text


def dropout_rates(text: str | None) -> float | list[float]:
    """--dropout as `fit` takes it."""
    if text is None:
        return 0.0
    try:
        rates = [float(rate) for rate in text.split(",")]
    except ValueError:
        raise ValueError(f"--dropout={text} is not a share of the units, like 0.2, or a list, like 0.2,0.5") from None
    return rates[0] if len(rates) == 1 else rates


def class_weights(text: str) -> str | dict[float, float]:
    """--class-weight: "balanced", or {label: weight}, a whole label as an int, which has all of its digits."""
    if text == "balanced":
        return text
    option = f"--class-weight={cut(text)}"
    weights: dict[float, float] = {}
    for part in text.split(","):
        name, _, number = part.rpartition(":")
        if not (arrays.reads_as_number(name) and arrays.reads_as_number(number)):
            raise ValueError(f'{option} is neither "balanced" nor labels and weights like 0:1,1:5')
        label = int(name) if _WHOLE.fullmatch(name.strip()) else float(name)
        if label in weights:
            raise ValueError(f"{option} has the label {name} twice: give it one weight")
        weights[label] = scalars.finite_float(float(number), f"the weight of {name} in --class-weight")
        if weights[label] < 0:
            raise ValueError(f"{option} has a negative weight: give 0 or more")
    return weights


def loss_of(args: argparse.Namespace, task: str) -> str | Loss:
    """What to give as `Model`'s loss."""
    name = args.loss or ("cross_entropy" if task == "classify" else "squared_error")
    with naming_options({"label_smoothing": "--label-smoothing", "delta": "--delta", "q": "--quantile"}):
        if args.label_smoothing is not None:
            return CrossEntropy(args.label_smoothing)
        if name == "huber":
            return Huber() if args.delta is None else Huber(args.delta)
        if name == "quantile":
            return Quantile() if args.quantile is None else Quantile(args.quantile)
    return name


def described_loss(name: str, parameter: float | None) -> str:
    """'huber, delta 1' for what is not a task's usual loss, else ''."""
    if parameter is None:
        return name if name not in ("cross_entropy", "squared_error") else ""
    field = dataclasses.fields(losses.SETTABLE[name])[0].name.replace("_", " ")
    return f"{name}, {field} {parameter:g}"


def optimizer_of(args: argparse.Namespace, task: str, level: float) -> Optimizer:
    """The optimizer of a new training, with its learning rate or schedule. level: the mean of counts, for poisson."""
    name = args.optimizer or "sgd"
    kind: Any = OPTIMIZERS[name]
    fields = [field.name for field in dataclasses.fields(kind) if field.name != "learning_rate"]
    given = {field: getattr(args, field) for field in fields if getattr(args, field) is not None}
    with naming_options({field: option(field) for field in fields}):
        made = kind(**given)
    rate = args.learning_rate
    if rate is None:
        usual = POISSON / max(level, 1.0) if args.loss == "poisson" else RATES[task]
        rate = usual * (1 - made.momentum) if name == "sgd" else made.learning_rate
    return dataclasses.replace(made, learning_rate=schedule_of(args, rate, args.epochs))


def rate_on_resuming(args: argparse.Namespace, last: Optimizer) -> float | Schedule | None:
    """`fit`'s learning_rate for --resume: None where nothing is asked for, to go on with the last one."""
    if args.schedule is None and args.warm_up is None:
        return args.learning_rate
    rate = base_rate(last.learning_rate) if args.learning_rate is None else args.learning_rate
    return schedule_of(args, rate, args.epochs)


def base_rate(rate: Any) -> float:
    """The number that a schedule starts from."""
    while isinstance(rate, Schedule):
        rate = next(getattr(rate, name) for name in ("then", "peak", "learning_rate") if hasattr(rate, name))
    return rate


def schedule_of(args: argparse.Namespace, rate: float, epochs: int) -> float | Schedule:
    """The learning rate over `epochs`: a number where it does not change."""
    warm_up = args.warm_up or 0.0
    chosen: float | Schedule = rate
    names = {"learning_rate": "--learning-rate", "peak": "--learning-rate"}
    if args.schedule not in (None, "constant"):
        kind: Any = schedules.SCHEDULES[args.schedule]
        fields = {}
        for name, fits in SCHEDULES.items():
            if args.schedule in fits:
                names[fits[args.schedule]] = option(name)
                if getattr(args, name) is not None:
                    fields[fits[args.schedule]] = getattr(args, name)
        if args.schedule in ("cosine", "one_cycle"):
            fields.setdefault("epochs", epochs - warm_up)
        if args.schedule == "reduce_on_plateau":
            fields["metric"] = args.metric
        with naming_options(names):
            chosen = kind(rate, **fields)
    if args.warm_up is None:
        return chosen
    with naming_options({"epochs": "--warm-up", "start": "--warm-up-start"}):
        return WarmUp(args.warm_up, chosen, args.warm_up_start or 0.0)


def stopping_of(args: argparse.Namespace) -> EarlyStopping | None:
    if args.early_stopping is None:
        return None
    with naming_options({"patience": "--early-stopping", "min_delta": "--min-delta"}):
        return EarlyStopping(args.early_stopping, args.metric, args.min_delta or 0.0)
