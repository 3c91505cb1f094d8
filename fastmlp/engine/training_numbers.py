"""The numbers of a training in the network's dtype: scales, terms of the loss, targets, penalties, limits."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.engine.sizes import aligned
from fastmlp.kernels import plan as at
from fastmlp.spec import Spec
from fastmlp.training import Training


def training_numbers(spec: Spec, training: Training, rows: int, batch: int) -> np.ndarray:
    """What a plan's NUMBERS points to, for so many rows in batches of `batch`, but for the LEARNING_RATE."""
    objective, kind = training.objective, np.dtype(spec.dtype).type
    numbers = aligned(at.NUMBERS_COUNT, spec.dtype)
    if objective is None:
        numbers[at.SCALE] = gradient_scale(spec, batch)
        numbers[at.SHORT_SCALE] = gradient_scale(spec, rows % batch or batch)
        numbers[at.FACTOR], numbers[at.ROW_TERMS] = spec.gradient_factor, spec.loss_terms
        numbers[at.TERMS] = kind(rows * spec.loss_terms)
    else:
        numbers[at.BATCH_ROWS], numbers[at.SHORT_ROWS] = batch, rows % batch or batch
        numbers[at.SCALE], numbers[at.SHORT_SCALE] = (kind(1) / numbers[n] for n in (at.BATCH_ROWS, at.SHORT_ROWS))
        numbers[at.FACTOR] = numbers[at.ROW_TERMS] = 1
        numbers[at.TERMS] = rows
        numbers[at.LOSS_FRACTION], numbers[at.HALF_L2] = objective.share, 0.5 * training.l2
    numbers[at.TARGET_LOSS] = -np.inf if training.target_loss is None else training.target_loss
    numbers[at.L2], numbers[at.L1] = training.l2, training.l1
    numbers[at.CLIP_VALUE], numbers[at.CLIP_NORM] = training.clip_value or 0, training.clip_norm or 0
    return numbers


def update_factors(spec: Spec, training: Training) -> np.ndarray | None:
    """The vectors (V, P) behind the state of an optimizer with rate factors; None where an update takes none.

    The rate factors; and for adam's update whether a parameter's decay counts, 1 or 0.
    """
    optimizer, of_rates = training.optimizer, training.rate_factors
    spared = optimizer is not None and optimizer.spares_biases
    if of_rates is None and not spared:
        return None
    factors = np.ones((2 if optimizer is not None and optimizer.kernel == "adam" else 1, spec.parameters), spec.dtype)
    if of_rates is not None:
        for (w, b), of_weight, of_bias in zip(spec.views(factors[0]), of_rates.weight, of_rates.bias, strict=True):
            w[:], b[:] = of_weight, of_bias
        spec.scale_of(factors[0])[:] = of_rates.input_scale
    if spared:
        for _, b in spec.views(factors[1]):
            b[:] = 0
    return factors


def gradient_scale(spec: Spec, rows: int) -> np.floating:
    """What turns a batch's sum into the gradient of its mean loss."""
    kind = np.dtype(spec.dtype).type
    return kind(spec.gradient_factor) / kind(rows * spec.loss_terms)


def needed_rows(accuracy: float | None, rows: int) -> int:
    """The fewest right rows whose fraction is at least `accuracy`."""
    if accuracy is None:
        return rows + 1
    needed = max(0, min(rows, math.ceil(accuracy * rows)))
    while needed > 0 and (needed - 1) / rows >= accuracy:
        needed -= 1
    while needed / rows < accuracy:
        needed += 1
    return needed
