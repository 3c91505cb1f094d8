"""The options of `fastmlp train`: what is usual, and the objects that they mean.

What there is says `train_parser.py`, what goes with what `train_checks.py`. What is not given is None, so that one can
tell. None of the three imports Numba: `fastmlp --help` is quick.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import numbers
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import losses, schedules
from fastmlp.checks import arrays, scalars
from fastmlp.checks.messages import cut, shown
from fastmlp.checks.option_names import either, naming_options, option
from fastmlp.fit.options import NAMES
from fastmlp.fit.transcript import Transcript
from fastmlp.losses import CrossEntropy, Huber, Loss, Quantile
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import Schedule, WarmUp
from fastmlp.spec import BACKENDS, DTYPES, activation
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
    "recipe": (bool,),
}
# what --resume takes from the file alone
OF_THE_NETWORK = (
    *("task", "hidden", "activation", "init", "loss", "label_smoothing", "delta", "quantile", "dtype", "seed"),
    *("optimizer", "momentum", "nesterov", "beta_1", "beta_2", "epsilon", "weight_decay", "decay"),
    *("initial_accumulator", "decay_biases"),
)
# what --recipe decides
OF_THE_RECIPE = (
    *("activation", "init", "loss", "delta", "quantile", "dtype", "optimizer", "momentum", "nesterov", "beta_1"),
    *("beta_2", "epsilon", "weight_decay", "decay", "decay_biases", "initial_accumulator", "schedule", "warm_up"),
    *("early_stopping", "metric", "resume", "checkpoint"),
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


# every option that is no file of the command line's own, and its default; None where nothing is given
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("target", "task", "sample_weight", "held_out", "hidden", "activation", "init", "loss"),
            *("label_smoothing", "delta", "quantile", "dtype", "seed", "batch_size", "shuffle", "learning_rate"),
            *("optimizer", "momentum", "nesterov", "beta_1", "beta_2", "epsilon", "weight_decay", "decay"),
            *("initial_accumulator", "decay_biases", "schedule", "warm_up", "warm_up_start", *SCHEDULES),
            *("l2", "l1", "dropout", "clip_value", "clip_norm", "class_weight", "validation", "early_stopping"),
            *("metric", "min_delta", "target_loss", "target_accuracy", "record_every", "resume", "checkpoint"),
            *("checkpoint_every", "transcript", "transcript_every", "threads", "progress", "recipe", "words"),
        )
    ),
    "no_header": False,
    "backend": "numba",
    "epochs": 100,
    "keep": 1,
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "task": ("auto", *RATES),
    "loss": tuple(OUTPUTS),
    "dtype": DTYPES,
    "backend": BACKENDS,
    "optimizer": tuple(OPTIMIZERS),
    "schedule": NAMED,
    "metric": METRICS,
}
_WHOLE_NUMBERS = (
    *("seed", "epochs", "batch_size", "every", "patience", "early_stopping", "record_every", "checkpoint_every"),
    *("keep", "threads", "cycles", "transcript_every"),
)
_FLAGS = ("shuffle", "nesterov", "decay_biases", "progress", "no_header", "recipe")
_PATHS = ("resume", "checkpoint", "transcript")
_TEXTS = ("target", "sample_weight")
_LISTS = ("hidden", "activation", "dropout")


_WHOLE = re.compile("[+-]?[0-9]{1,100}")


def namespace(data: Any, given: Mapping[str, Any]) -> argparse.Namespace:
    """The options of a call in Python, as `fastmlp train` has them. Raises TypeError or ValueError naming options."""
    for name in given:
        if name not in DEFAULTS:
            near = difflib.get_close_matches(name, DEFAULTS, 1, 0.6)
            known = f': did you mean "{near[0]}"?' if near else f": the names are {', '.join(sorted(DEFAULTS))}"
            raise TypeError(f"fit has no argument {name!r}{known}")
    plain = {name: _plain(name, value) for name, value in given.items()}
    return argparse.Namespace(**{**DEFAULTS, **plain, "data": data, "output": None, "plot": None})


def _plain(name: str, value: Any) -> Any:
    """A value as the command line's parser would have it."""
    if value is None:
        return DEFAULTS[name]
    what = f"{option(name)}={shown(value)}"
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{what} is not known: use {either(_CHOICES[name])}")
        return value
    if name in _FLAGS:
        return scalars.flag(value, option(name)) or (None if name in ("nesterov", "recipe") else False)
    if name in _PATHS:
        if name == "transcript" and isinstance(value, Transcript):
            return value
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError(f"{what} is no path: give a file's name")
        return Path(value)
    if name in _TEXTS:
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise TypeError(f"{what} is no name: give that of a column")
        return str(value)  # a frame's column may be called 3
    if name == "words":
        names = [value] if isinstance(value, str) or not isinstance(value, (list, tuple)) else value
        return [_plain("target", one) for one in names]
    if name == "class_weight":
        return _class_weight_text(value, what)
    if name in (*_LISTS, "init"):
        return _list_text(name, value, what)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{what} is no number: give one")
    if name in _WHOLE_NUMBERS:
        if not isinstance(value, numbers.Integral):
            raise TypeError(f"{what} is no whole number: give one")
        return int(value)
    return float(value)


def _list_text(name: str, value: Any, what: str) -> str:
    """One value or a list of them, as text: "64,64"."""
    values = list(value) if isinstance(value, (list, tuple)) and name != "init" else [value]
    if name == "hidden" and isinstance(value, (list, tuple)) and not value:
        return "none"
    for one in values:
        if isinstance(one, (bool, np.bool_)) or not isinstance(one, (str, numbers.Real)):
            raise TypeError(
                f"{what} holds {shown(one)}: give a text or a number{'' if name == 'init' else ', or a list'}"
            )
    return ",".join(one if isinstance(one, str) else repr(np.asarray(one).item()) for one in values)


def _class_weight_text(value: Any, what: str) -> str:
    """Weights of classes, as text."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f'{what} is neither "balanced" nor a dict of labels and weights, like {{0: 1, 1: 5}}')
    weights = {}
    for label, weight in value.items():
        if isinstance(weight, (bool, np.bool_)) or not isinstance(weight, numbers.Real):
            raise TypeError(f"{what} has the weight {shown(weight)}, which is no number")
        weights[str(label.item() if isinstance(label, np.generic) else label)] = float(weight)
    return json.dumps(weights, ensure_ascii=False)


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
    given = (args.activation or USUAL["activation"]).split(",")
    names = [activation(name.strip(), "--activation") for name in given]
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


def class_weights(text: str) -> str | dict[str, float]:
    """--class-weight: "balanced", or {label: weight}, each label as it was spelled."""
    if text == "balanced":
        return text
    option = f"--class-weight={cut(text)}"
    weights: dict[str, float] = {}
    seen = set()
    for name, number in _weights_in(text, option):
        key = as_number(name)
        if key in seen:
            raise ValueError(f"{option} has the label {name} twice: give it one weight")
        seen.add(key)
        weights[name] = scalars.finite_float(float(number), f"the weight of {name} in --class-weight")
        if weights[name] < 0:
            raise ValueError(f"{option} has a negative weight: give 0 or more")
    return weights


def _weights_in(text: str, option: str) -> list[tuple[str, Any]]:
    """The labels and weights of "0:1,1:5", or of JSON, for labels with commas in them: {"a, b": 5}."""
    wrong = ValueError(f'{option} is neither "balanced" nor labels and weights like 0:1,1:5')
    if text.startswith("{"):
        try:
            found = [*json.loads(text).items()]
        except ValueError:
            raise wrong from None
    else:
        found = [(name.strip(), number) for name, _, number in (part.rpartition(":") for part in text.split(","))]
    if not found or not all(name and not isinstance(n, bool) and _reads(n) for name, n in found):
        raise wrong
    return found


def _reads(number: Any) -> bool:
    return isinstance(number, (int, float)) or (isinstance(number, str) and arrays.reads_as_number(number))


def as_number(label: str) -> Any:
    """A label as the number that it spells, a whole one as an int, which has all of its digits; else as it is."""
    if not arrays.reads_as_number(label):
        return label
    return int(label) if _WHOLE.fullmatch(label.strip()) else float(label)


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


def transcript_of(args: argparse.Namespace) -> Transcript | None:
    """--transcript as `fit` takes it."""
    if args.transcript is None or isinstance(args.transcript, Transcript):
        return args.transcript
    return Transcript(args.transcript, every=args.transcript_every)


def stopping_of(args: argparse.Namespace) -> EarlyStopping | None:
    if args.early_stopping is None:
        return None
    with naming_options({"patience": "--early-stopping", "min_delta": "--min-delta"}):
        return EarlyStopping(args.early_stopping, args.metric, args.min_delta or 0.0)
