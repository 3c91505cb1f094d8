"""Losses with a parameter of their own: `loss=Huber(delta=2)` in place of a loss's name.

Imports the checks only. `reference/losses.py` defines what each loss computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fastmlp.checks.names import explained
from fastmlp.checks.scalars import finite_float, positive_float


@explained
@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of softmax probabilities, with label smoothing.

        loss = -sum over classes j of t_j log(p_j),   t_j = (1 - label_smoothing) [j = label] + label_smoothing / J

    Parameters
    ----------
    label_smoothing : float, default=0.0
        The fraction of a label's probability 1 that is spread evenly over all J classes, in [0, 1). 0 is the plain
        cross-entropy.

    Raises
    ------
    TypeError
        If `label_smoothing` is not a number.
    ValueError
        If it is not finite or not in [0, 1).

    References
    ----------
    Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Examples
    --------
    >>> from fastmlp import CrossEntropy, Model
    >>> Model([2, 8, 3], loss=CrossEntropy(label_smoothing=0.1)).spec.loss_parameter
    0.1
    """

    label_smoothing: float = 0.0
    name: ClassVar[str] = "cross_entropy"

    def __post_init__(self) -> None:
        smoothing = finite_float(self.label_smoothing, "label_smoothing")
        if not 0 <= smoothing < 1:
            raise ValueError(
                f"label_smoothing={self.label_smoothing} is out of range: give 0 or more, and less than 1, as 0.1"
            )
        object.__setattr__(self, "label_smoothing", smoothing)

    @property
    def parameter(self) -> float | None:
        """The number that a `Spec` stores; None without smoothing."""
        return self.label_smoothing or None


@explained
@dataclass(frozen=True)
class Huber:
    """Huber loss: half the squared error up to `delta`, linear beyond it.

        loss = e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2),   e = prediction - target

    Parameters
    ----------
    delta : float, default=1.0
        The absolute error from which the loss is linear, in the targets' unit; above 0.

    Raises
    ------
    TypeError
        If `delta` is not a number.
    ValueError
        If it is not finite or not above 0.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35(1), 1964.
    """

    delta: float = 1.0
    name: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", positive_float(self.delta, "delta"))

    @property
    def parameter(self) -> float | None:
        """The number that a `Spec` stores: delta."""
        return self.delta


@explained
@dataclass(frozen=True)
class Quantile:
    """Quantile loss, also called pinball loss. Its mean is least where the prediction is the q-quantile of the targets.

        loss = q (y - prediction) where the prediction is too low, else (1 - q) (prediction - y)

    Parameters
    ----------
    q : float, default=0.5
        The quantile, above 0 and below 1. 0.5 gives half the absolute error.

    Raises
    ------
    TypeError
        If `q` is not a number.
    ValueError
        If it is not above 0 and below 1.

    References
    ----------
    Koenker and Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    """

    q: float = 0.5
    name: ClassVar[str] = "quantile"

    def __post_init__(self) -> None:
        q = finite_float(self.q, "q")
        if not 0 < q < 1:
            raise ValueError(f"q={self.q} is not a quantile: give a number above 0 and below 1, as 0.9")
        object.__setattr__(self, "q", q)

    @property
    def parameter(self) -> float | None:
        """The number that a `Spec` stores: q."""
        return self.q


Loss = CrossEntropy | Huber | Quantile
SETTABLE: dict[str, type[Loss]] = {kind.name: kind for kind in (CrossEntropy, Huber, Quantile)}


def of(name: str, parameter: float | None) -> str | Loss:
    """Returns the `loss` argument that gives a spec's loss.

    Parameters
    ----------
    name : str
        The spec's `loss`.
    parameter : float or None
        The spec's `loss_parameter`.

    Returns
    -------
    str or Loss
        The name where there is no parameter, else an object with that parameter.
    """
    return name if parameter is None else SETTABLE[name](parameter)
