"""What became of one network of a study, and what the words for it mean. Imports NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OUTCOMES = SOLVED, PARTLY, GUESSING, DIVERGED = "solved", "partly", "guessing", "diverged"
OFTEN = 0.2  # fraction of the steps that go up where a loss oscillates
DEFINITIONS = (
    "Solved: at the end, {goal} of the rows or more are right. Guessing: the loss ended within 1 % of that of the best "
    "constant answer, or above. Diverged: it ended above twice that, or was not finite. Oscillated: more than 20 % of "
    "the steps that changed the loss raised it. What is said of several runs holds for half or more of them, at each "
    "value; the counts follow."
)

COLUMNS = (
    "dataset", "depth", "width", "init", "learning_rate", "seed", "outcome", "oscillates", "rises", "loss", "accuracy",
    "solved_at", "constant", "digest", "reason",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Run:
    """One network of a study, and what became of it.

    Attributes
    ----------
    dataset : str
        The data set's name.
    depth, width : int
        The number of hidden layers, and the size of each.
    init : str or float
        The initial weights: a name, or the standard deviation of normal ones.
    learning_rate : float
        The learning rate.
    seed : int
        The seed of the initial weights.
    outcome : str
        "solved": at the end, at least the goal's fraction of the rows is right. "diverged": the loss became infinite or
        NaN, or ended above twice the loss of guessing. "guessing": it ended within 1 % of the loss of guessing, or
        above. "partly": anything else.
    rises : float
        Of the steps that changed the loss by more than a millionth of it, the fraction that raised it; 0 if there were
        fewer than 50.
    loss, accuracy : float
        The last finite loss, and the accuracy then, before that epoch's update.
    solved_at : int or None
        The first epoch with the goal's accuracy.
    constant : bool
        Whether the trained network gives every row the same outputs, as when all of its hidden units have died.
    losses : ndarray of shape (epochs,)
        The loss of each epoch; shorter if it ceased to be finite.
    digest : str or None
        `Model.digest()` of the trained network.
    reason : str or None
        Why the training ended early.
    model : Model or None
        The trained network.
    """

    dataset: str
    depth: int
    width: int
    init: Any
    learning_rate: float
    seed: int
    outcome: str
    rises: float = 0.0
    loss: float = math.nan
    accuracy: float = math.nan
    solved_at: int | None = None
    constant: bool = False
    losses: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    digest: str | None = field(default=None, repr=False)
    reason: str | None = field(default=None, repr=False)
    model: Any = field(default=None, repr=False)

    @property
    def oscillates(self) -> bool:
        """Whether more than 20 % of the steps that changed the loss raised it."""
        return self.rises > OFTEN
