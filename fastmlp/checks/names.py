"""Names that callers give, of arguments and of things such as activations: other spellings, and what may be meant.

Imports the checks of messages only. What is slow here runs once a name was not found.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from fastmlp.checks.messages import either, shown

LONGEST = 60  # characters of a name for which a similar one is looked for


class Nothing(TypedDict):
    """Keyword arguments that there are not: `**unknown: Unpack[Nothing]` takes none, as type checkers see it.

    At run time, unknown keywords reach an error of ours, which costs other calls an empty dict: 30 ns.
    """


# What other libraries call an argument: what may be meant, of which a function has one or another.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    "T_max": ("epochs",),
    "activation": ("hidden",),
    "activation_function": ("hidden",),
    "activations": ("hidden",),
    "alpha": ("l2", "decay", "q"),
    "base_lr": ("learning_rate",),
    "batch": ("batch_size",),
    "beta": ("delta",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "betas": ("beta_1",),
    "callbacks": ("callback",),
    "class_weights": ("class_weight",),
    "clipnorm": ("clip_norm",),
    "clipvalue": ("clip_value",),
    "criterion": ("loss",),
    "cv": ("folds",),
    "dropout_rate": ("dropout",),
    "eps": ("epsilon", "label_smoothing"),
    "estimators": ("members", "models"),
    "eta": ("learning_rate",),
    "eta_min": ("floor",),
    "gamma": ("factor",),
    "grad_clip": ("clip_norm",),
    "hidden_layer_sizes": ("width", "layers"),
    "hidden_layers": ("width", "layers"),
    "hidden_sizes": ("width", "layers"),
    "initial_accumulator_value": ("initial_accumulator",),
    "initial_learning_rate": ("learning_rate",),
    "initializer": ("init",),
    "iterations": ("epochs",),
    "kernel_initializer": ("init",),
    "kernel_regularizer": ("l2",),
    "layer_sizes": ("layers",),
    "learning_rate_init": ("learning_rate",),
    "loss_fn": ("loss",),
    "loss_function": ("loss",),
    "lr": ("learning_rate",),
    "max_epochs": ("epochs",),
    "max_grad_norm": ("clip_norm",),
    "max_iter": ("epochs",),
    "max_lr": ("peak",),
    "min_lr": ("floor",),
    "momentum": ("optimizer",),
    "monitor": ("metric",),
    "n_epochs": ("epochs",),
    "n_estimators": ("members",),
    "n_iter": ("draws", "epochs"),
    "n_jobs": ("threads",),
    "n_layers": ("depth", "layers"),
    "n_members": ("members",),
    "n_models": ("members",),
    "n_splits": ("folds",),
    "n_threads": ("threads",),
    "nb_epoch": ("epochs",),
    "num_epochs": ("epochs",),
    "num_layers": ("depth", "layers"),
    "num_threads": ("threads",),
    "num_workers": ("threads",),
    "objective": ("loss",),
    "opt": ("optimizer",),
    "out_activation": ("output",),
    "output_activation": ("output",),
    "param_distributions": ("grid",),
    "param_grid": ("grid",),
    "patience": ("early_stopping",),
    "pct_start": ("warm_up",),
    "random_seed": ("seed",),
    "random_state": ("seed",),
    "rate": ("learning_rate",),
    "reg": ("l2",),
    "restore_best_weights": ("best_weights",),
    "rho": ("decay",),
    "sample_weights": ("sample_weight",),
    "seeds": ("seed",),
    "sizes": ("layers",),
    "smoothing": ("label_smoothing",),
    "solver": ("optimizer",),
    "step_size": ("every",),
    "tau": ("q",),
    "threshold": ("min_delta",),
    "tol": ("min_delta", "early_stopping"),
    "total_steps": ("epochs",),
    "units": ("width", "layers"),
    "val": ("validation",),
    "val_data": ("validation",),
    "val_split": ("validation",),
    "validation_data": ("validation",),
    "validation_fraction": ("validation",),
    "validation_split": ("validation",),
    "verbose": ("progress",),
    "warm_start": ("resume",),
    "warmup": ("warm_up", "epochs"),
    "warmup_steps": ("epochs",),
    "weight_decay": ("l2",),
    "weight_init": ("init",),
    "weights": ("sample_weight",),
    "workers": ("threads",),
}
# Where the other value is not simply this one: how it is given.
HOW = {
    "activation_function": 'hidden="tanh"',
    "betas": "beta_1=0.9, beta_2=0.999",
    "callbacks": "callback=function",
    "hidden_layer_sizes": "layers=[inputs, 64, outputs]",
    "momentum": "optimizer=SGD(0.1, momentum=0.9)",
    "patience": "early_stopping=10",
    "validation_data": "validation=(X, y)",
    "validation_split": "validation=0.1",
    "verbose": "progress=True",
}


# ---------------------------------------------------------------------------------------------------------
# Names of arguments


def near_to(name: object, names: Iterable[str]) -> str | None:
    """Which of the names is meant, perhaps."""
    if not isinstance(name, str) or len(name) > LONGEST:
        return None
    import difflib

    names = list(names)
    for one in ELSEWHERE.get(name, ELSEWHERE.get(name.lower(), ())):
        if one in names:
            return one
    return next(iter(difflib.get_close_matches(name.lower(), names, 1, 0.6)), None)


def no_argument(caller: str, name: object, names: Sequence[str], others: Mapping[str, Sequence[str]]) -> TypeError:
    """The error for a keyword that is none of a function's names; others: {function: names} of those beside it."""
    head = f"{caller} has no argument {shown(name)}"
    known = isinstance(name, str) and (name in ELSEWHERE or name.lower() in ELSEWHERE)
    own = near_to(name, names)
    for other, theirs in others.items():
        meant = name if name in theirs else near_to(name, theirs)
        if meant is not None and (name in theirs or own is None or (known and own not in ELSEWHERE.get(str(name), ()))):
            return TypeError(f"{head}: give {meant} to {other}")
    if own is None:
        return TypeError(f"{head}: its arguments are {', '.join(names)}")
    how = HOW.get(str(name), "")
    return TypeError(f'{head}: did you mean "{own}"?{f" Give {how}" if how.startswith(f"{own}=") else ""}')


def names_of(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments."""
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind in kinds and parameter.name != "self"]


F = TypeVar("F", bound=Callable[..., Any])


def takes_no_more(function: F) -> F:
    """Leaves `**unknown` out of the signature that `inspect` gives: it is there for the sake of the error."""
    found = inspect.signature(function)
    kept = [one for one in found.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = found.replace(parameters=kept)  # type: ignore[attr-defined]
    return function


K = TypeVar("K", bound=type)


def explained(kind: K) -> K:
    """A dataclass whose constructor says what an unknown keyword may mean."""
    made = kind.__init__  # type: ignore[misc]

    @functools.wraps(made)
    def __init__(self: Any, *values: Any, **named: Any) -> None:
        try:
            made(self, *values, **named)
        except TypeError:
            names = names_of(made)
            for name in named:
                if name not in names:
                    others = {"fit": ("l2",)} if name == "weight_decay" else {}
                    raise no_argument(kind.__name__, name, names, others) from None
            raise

    kind.__init__ = __init__  # type: ignore[misc]
    return kind


# ---------------------------------------------------------------------------------------------------------
# Names of things


def folded(name: str) -> str:
    """A name without what spellings differ in: "Leaky ReLU" and "leaky-relu" are both "leakyrelu"."""
    return name.lower().translate(_SIGNS)


_SIGNS = str.maketrans("", "", " -_")


def one_of(
    argument: str,
    name: object,
    names: Sequence[str],
    others: Mapping[str, str] | None = None,
    more: str = "",
    several: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The one of `names` that is meant: by its own spelling, by another one, or by one of `others`, {folded: name}.

    Raises ValueError naming the argument, with what may have been meant; several: {folded: names} of what is not clear.
    more: what else could be given, for the error.
    """
    if not isinstance(name, str):
        raise ValueError(f"{argument}={shown(name)} is not known: use {either(names)}{more}")
    if name in names:
        return str(name)  # NumPy's strings become plain ones
    short = folded(name[: LONGEST + 1])
    known = {**{folded(one): one for one in names}, **(others or {})}
    if short in known:
        return known[short]
    meant = (several or {}).get(short) or _similar(short, known)
    ask = f"did you mean {either(meant)}? Use" if meant else "use"
    raise ValueError(f"{argument}={shown(name)} is not known: {ask} {either(names)}{more}")


def _similar(short: str, known: Mapping[str, str]) -> list[str]:
    """Which of the known names, {folded: name}, is meant, perhaps; none or one."""
    if not short or len(short) > LONGEST:
        return []
    import difflib

    return [known[near] for near in difflib.get_close_matches(short, known, 1, 0.7)]
