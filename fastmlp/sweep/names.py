"""The names over which one sweeps, and what is said of others. Imports the options of `Model.fit`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fastmlp.checks.messages import shown
from fastmlp.fit import options

MODEL = (
    "layers", "hidden", "output", "loss", "init", "bias_init", "zero_last", "input_scale", "seed", "dtype", "backend",
)  # fmt: skip
SHAPE = ("depth", "width")
OF_ALL = ("validation", "sample_weight")  # given to `Sweep.fit`, for all points
NEVER = ("callback", "resume", "progress", "threads", "checkpoint", "checkpoint_every", "keep")
FIT = tuple(name for name in options.NAMES if name not in (*OF_ALL, *NEVER))
NAMES = (*MODEL, *SHAPE, *FIT)
# what others call them
ELSEWHERE = {
    "lr": "learning_rate", "learning_rate_init": "learning_rate", "eta": "learning_rate", "rate": "learning_rate",
    "activation": "hidden", "activations": "hidden", "hidden_layer_sizes": "width", "hidden_sizes": "width",
    "units": "width", "n_layers": "depth", "num_layers": "depth", "alpha": "l2", "weight_decay": "l2",
    "max_iter": "epochs", "n_epochs": "epochs", "random_state": "seed", "seeds": "seed", "solver": "optimizer",
    "cv": "folds", "n_splits": "folds",
    "patience": "early_stopping", "momentum": "optimizer", "initializer": "init", "batch": "batch_size",
}  # fmt: skip


def check_names(given: Iterable[str], where: str = "the grid") -> None:
    """Raises ValueError for a name that is not one of NAMES, with what may have been meant."""
    for name in given:
        if name not in NAMES:
            raise ValueError(f"{where} has {shown(name)}, {_advice(name, where)}")


def _advice(name: object, where: str) -> str:
    if name in OF_ALL:
        return f"which is the same for all points: give {name} to fit"
    if name == "callback":
        return "and a sweep calls none: use Model.fit"
    if name in ("checkpoint", "checkpoint_every", "keep", "resume"):
        return "and a sweep has no checkpoints: give fit a folder, which a second call continues"
    if name in NEVER:
        return f"which does not change a result: give {name} to fit"
    return f"which is no option of a sweep{meant(name)}"


def near_to(name: object, names: Iterable[str] = NAMES) -> str | None:
    """Which of the names is meant, perhaps."""
    if not isinstance(name, str):
        return None
    names = list(names)
    if ELSEWHERE.get(name) in names:
        return ELSEWHERE[name]
    return next(iter(difflib.get_close_matches(name, names, 1, 0.6)), None)


def meant(name: object, names: Iterable[str] = NAMES) -> str:
    """': did you mean "learning_rate"?', or the names that there are."""
    near = near_to(name)
    return f': did you mean "{near}"?' if near else f": the names are {', '.join(names)}"


def no_option_of_fit(name: object) -> str:
    """What follows "fit has no argument 'callback'"."""
    if name in NAMES:
        return ": give it to Sweep, in the grid or in base"
    if name in NEVER:
        return f": {_advice(name, '').removeprefix('and ')}"
    return meant(name, FIT)
