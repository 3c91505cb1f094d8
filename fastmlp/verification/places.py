"""`Place`: where kernels and the reference first differ. `lockstep.py` finds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where kernels and reference first differ.

    Attributes
    ----------
    epoch : int
        The epoch of the run.
    batch : int or None
        The batch, from 1; None where the parameters agree after each of them.
    layer : int or None
        The layer, from 1; None for what is of no layer.
    kernel : str
        The kernel: file and function, on both sides.
    detail : str
        The first number that differs, with those around it, in ulps.
    """

    epoch: int
    batch: int | None
    layer: int | None
    kernel: str
    detail: str
