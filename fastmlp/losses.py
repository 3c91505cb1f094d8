"""Losses with a setting of their own: what may stand where a loss's name stands, as `loss=Huber(delta=2)`.

Imports the checks of `data.py` only. What a loss computes is in `reference/losses.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastmlp.checks.scalars import finite_float, positive_float


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of softmax. label_smoothing: the share of a label's 1 that goes to all classes alike, in [0, 1)."""

    label_smoothing: float = 0.0
    name: ClassVar[str] = "cross_entropy"

    def __post_init__(self) -> None:
        share = finite_float(self.label_smoothing, "label_smoothing")
        if not 0 <= share < 1:
            raise ValueError(
                f"label_smoothing={self.label_smoothing} is out of range: give 0 or more, and less than 1, as 0.1"
            )
        object.__setattr__(self, "label_smoothing", share)

    @property
    def parameter(self) -> float | None:
        """What a `Spec` keeps of it; None where there is no smoothing, and so nothing to set."""
        return self.label_smoothing or None


@dataclass(frozen=True)
class Huber:
    """Half the squared error, and a straight line where the error is beyond delta. delta: above 0."""

    delta: float = 1.0
    name: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", positive_float(self.delta, "delta"))

    @property
    def parameter(self) -> float | None:
        return self.delta


@dataclass(frozen=True)
class Quantile:
    """q times the error where a value is too low, 1 - q times where it is too high: least at the q-quantile.

    q: above 0 and below 1; 0.5 gives half the absolute error.
    """

    q: float = 0.5
    name: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        q = finite_float(self.q, "q")
        if not 0 < q < 1:
            raise ValueError(f"q={self.q} is no quantile: give a number above 0 and below 1, as 0.9")
        object.__setattr__(self, "q", q)

    @property
    def parameter(self) -> float | None:
        return self.q


Loss = CrossEntropy | Huber | Quantile
SETTABLE: dict[str, type[Loss]] = {kind.name: kind for kind in (CrossEntropy, Huber, Quantile)}


def of(name: str, parameter: float | None) -> str | Loss:
    """What to give as `loss` for a spec's loss and loss_parameter: the name, or an object where there is one."""
    return name if parameter is None else SETTABLE[name](parameter)
