"""The names over which one sweeps, and what is said of others. Imports the options of `Model.fit`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastmlp.checks.messages import shown
from fastmlp.checks.names import ELSEWHERE, near_to, no_argument
from fastmlp.fit import options

MODEL = (
    "layers", "hidden", "output", "loss", "init", "bias_init", "zero_last", "input_scale", "seed", "dtype", "backend",
    "standardize",
)  # fmt: skip
SHAPE = ("depth", "width")
OF_ALL = ("validation", "sample_weight")  # given to `Sweep.fit`, for all points
NEVER = ("callback", "resume", "progress", "threads", "checkpoint", "checkpoint_every", "keep", "transcript")
FIT_NAMES = options.NAMES
FIT = tuple(name for name in FIT_NAMES if name not in (*OF_ALL, *NEVER))
NAMES = (*MODEL, *SHAPE, *FIT)
SWEEP = ("grid", "base", "draws", "seed")


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
    if name == "transcript":
        return "and each model of a sweep has its own: give fit a folder, transcripts=..."
    if name in NEVER:
        return f"which does not change a result: give {name} to fit"
    near = near_to(name, NAMES)
    known = f': did you mean "{near}"?' if near else f": the names are {', '.join(NAMES)}"
    return f"which is no option of a sweep{known}"


def no_option(caller: str, name: str, others: Sequence[str]) -> TypeError:
    """The error for what is no option of a function that trains many models; others: its further arguments."""
    meant = name if name in NEVER else next(iter(ELSEWHERE.get(name, ())), "")
    if meant in NEVER and meant not in others:
        return TypeError(f"{caller} has no argument {shown(name)}: many models train at once")
    return no_argument(caller, name, (*FIT, *OF_ALL, *others), {"Model": MODEL})


def no_option_of_fit(name: str) -> TypeError:
    """The error for what is no option of `Sweep.fit`."""
    head = f"fit has no argument {shown(name)}"
    if name in NAMES:
        return TypeError(f"{head}: give it to Sweep, in the grid or in base")
    if name in NEVER:
        return TypeError(f"{head}: {_advice(name, '').removeprefix('and ')}")
    return no_argument("fit", name, (*FIT, *OF_ALL, "threads", "progress"), {"Sweep, in the grid or in base": NAMES})


def no_argument_of_sweep(name: str) -> TypeError:
    """The error for what is no argument of `Sweep`."""
    if (own := name if name in NAMES else near_to(name, NAMES)) and near_to(name, SWEEP) is None:
        return TypeError(f"Sweep has no argument {shown(name)}: give {own} in the grid, as {{{own!r}: [...]}}")
    return no_argument("Sweep", name, SWEEP, {})
