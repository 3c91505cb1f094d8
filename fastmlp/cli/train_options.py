"""The options of `fastmlp train`: what is usual, and the objects that they mean.

What there is says `train_parser.py`, what goes with what `train_checks.py`. What is not given is None, so that one can
tell. None of the three imports Numba: `fastmlp --help` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from typing import Any

from fastmlp import losses, schedules
from fastmlp.checks import arrays, scalars
from fastmlp.checks.messages import cut
from fastmlp.cli.arguments import either, naming_options, option
from fastmlp.fit.options import NAMES
from fastmlp.losses import CrossEntropy, Huber, Loss, Quantile
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import Schedule, WarmUp
from fastmlp.spec import DTYPES, HIDDEN
from fastmlp.stopping import EarlyStopping

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
    *("initial_accumulator", "decay_biases"),
)
ENDING = ("cosine", "one_cycle", "flat_cosine", "cosine_log")  # schedules that end, usually with the training
# option -> the schedules that have it, and its name there
SCHEDULES: dict[str, dict[str, str]] = {
    "every": {"step": "every"},
    "factor": dict.fromkeys(("step", "exponential", "reduce_on_plateau"), "factor"),
    "power": {"inverse_scaling": "power"},
    "floor": dict.fromkeys(("cosine", "flat_cosine", "reduce_on_plateau"), "floor"),
    "schedule_epochs": dict.fromkeys(ENDING, "epochs"),
    "flat": {"flat_cosine": "flat"},
    "cycles": {"cosine_log": "cycles"},
    "rise": {"one_cycle": "warm_up"},
    "start_factor": {"one_cycle": "start_factor"},
    "end_factor": {"one_cycle": "end_factor"},
    "patience": {"reduce_on_plateau": "patience"},
    "threshold": {"reduce_on_plateau": "min_delta"},
}
NAMED = tuple(name for name in schedules.SCHEDULES if name != "warm_up")
FITS_LOSS = {"label_smoothing": "cross_entropy", "delta": "huber", "quantile": "quantile"}
KINDS: dict[str, Any] = dict(OPTIMIZERS)  # dataclasses
# the arguments of Model and fit whose names are in their messages
ARGUMENTS = {
    **{field.name: option(field.name) for kind in KINDS.values() for field in dataclasses.fields(kind)},
    **{name: option(name) for name in (*NAMES, "init", "loss", "metric", "min_delta")},
    "hidden": "--activation",
}


_WHOLE = re.compile("[+-]?[0-9]{1,100}")


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


def dropout_of(text: str | None) -> float | list[float]:
    """--dropout as `fit` takes it."""
    if text is None:
        return 0.0
    try:
        rates = [float(rate) for rate in text.split(",")]
    except ValueError:
        words = "is not a fraction of the units, like 0.2, or a list, like 0.2,0.5"
        raise ValueError(f"--dropout={text} {words}") from None
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
    kind = KINDS[name]
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
        if args.schedule in ENDING:
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
