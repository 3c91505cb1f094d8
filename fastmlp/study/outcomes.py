"""The outcome of a training, by the definitions that `Study.definitions` quotes, and tallies of runs. Imports NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.study.runs import DIVERGED, GUESSING, PARTLY, SOLVED, Run

if TYPE_CHECKING:
    from fastmlp.sweep import Result

NEAR = 0.99  # of the loss of guessing: what ends above it has learned nothing
FAR = 2.0  # times the loss of guessing: what ends above it has diverged
MOVE = 1e-6  # of the loss: a step that changes it by less is at rest
MOVES = 50  # steps that change the loss: of fewer, no fraction is told


def run_of(dataset: str, result: Result, settings: dict[str, Any], X: np.ndarray, guess: float, goal: float) -> Run:
    """A sweep's result as a Run. settings: values that its point does not have. Raises RuntimeError if it failed."""
    if result.state not in ("trained", "diverged"):
        raise RuntimeError(f"a network of the study could not be trained: {result.reason}")
    history = result.history
    settings = {**settings, **result.point}
    losses, accuracies = history.loss, history.accuracy
    names = "depth", "width", "init", "learning_rate", "seed"
    return Run(
        dataset,
        **{name: settings[name] for name in names},
        **judged(losses, accuracies, result.state == "diverged", guess, goal),
        constant=result.model is not None and is_constant(result.model.predict_proba(X)),
        losses=losses.copy(),
        digest=result.digest,
        reason=result.reason,
        model=result.model,
    )


def judged(losses: np.ndarray, accuracies: np.ndarray, ended_early: bool, guess: float, goal: float) -> dict[str, Any]:
    """Outcome, rises, loss, accuracy and solved_at of a training with these records, by the definitions of `Run`."""
    losses, accuracies = np.asarray(losses, np.float64), np.asarray(accuracies, np.float64)
    if not len(losses):
        return {"outcome": DIVERGED}
    loss, accuracy = float(losses[-1]), float(accuracies[-1])
    if ended_early or not loss <= FAR * guess:
        outcome = DIVERGED
    elif accuracy >= goal:
        outcome = SOLVED
    else:
        outcome = GUESSING if loss > NEAR * guess else PARTLY
    there = np.flatnonzero(accuracies >= goal)
    return {
        "outcome": outcome,
        "rises": rises(losses),
        "loss": loss,
        "accuracy": accuracy,
        "solved_at": int(there[0]) + 1 if len(there) else None,
    }


def is_constant(outputs: np.ndarray) -> bool:
    """Whether outputs (N, J) are the same in every row."""
    return bool(np.all(outputs == outputs[:1]))


def rises(losses: np.ndarray) -> float:
    """Of the steps that changed the loss by more than MOVE of it, the fraction that raised it; 0 for a few steps.

    A network whose units have died, or one that has converged, is at rest, and so are weights that jump between two
    places of the same loss.
    """
    change, least = np.diff(losses), MOVE * np.abs(losses[:-1])
    moves = int(np.sum(np.abs(change) > least))
    return float(np.sum(change > least)) / moves if moves >= MOVES else 0.0


def loss_of_guessing(y: np.ndarray) -> float:
    """The cross-entropy of the best constant answer, which is the entropy of the labels' frequencies."""
    counts = np.bincount(y)
    frequencies = counts[counts > 0] / len(y)
    return float(-sum(p * math.log(p) for p in frequencies.tolist()))


# ---------------------------------------------------------------------------------------------------------
# Several runs


def solved(runs: Sequence[Run]) -> int:
    """How many solved the task."""
    return count(runs, SOLVED)


def count(runs: Sequence[Run], outcome: str) -> int:
    return sum(run.outcome == outcome for run in runs)


def mostly(runs: Sequence[Run], outcome: str) -> bool:
    """Whether at least half of the runs ended so."""
    return bool(runs) and 2 * count(runs, outcome) >= len(runs)


def mostly_oscillate(runs: Sequence[Run]) -> bool:
    return bool(runs) and 2 * sum(run.oscillates for run in runs) >= len(runs)


def still_falls(run: Run) -> bool:
    """Whether the last tenth of the training still lowered the loss by more than a thousandth of it."""
    if len(run.losses) < 10:
        return False
    before = run.losses[-len(run.losses) // 10]
    return bool(run.losses[-1] < before * (1 - 1e-3))


def typical(runs: Sequence[Run]) -> Run:
    """The run with the median loss; of an even number, the better of the two in the middle."""
    ordered = sorted(runs, key=lambda run: (not math.isfinite(run.loss), run.loss, run.seed))
    return ordered[(len(ordered) - 1) // 2]


def median_solved_at(runs: Sequence[Run]) -> int | None:
    """The epoch within which half of the runs had the goal's accuracy; None if fewer ever had it."""
    epochs = sorted(run.solved_at for run in runs if run.solved_at is not None)
    half = (len(runs) + 1) // 2
    return epochs[half - 1] if len(epochs) >= half else None
