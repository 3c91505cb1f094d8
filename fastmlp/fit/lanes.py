"""Which fits are trained as one group, by `engine/model_lanes.py`: those of one network that go in lockstep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Hashable, Sequence

import numpy as np

from fastmlp.engine import choose, model_lanes, numba_backend
from fastmlp.engine.lanes_buffers import Member
from fastmlp.fit.fit import Fit
from fastmlp.training import Step

force = False  # whether all that can be grouped are, though it may not pay: for tests


def group_of(fit: Fit) -> Hashable | None:
    """What fits of one group have in common; None where a fit is trained alone."""
    spec, training, rows = fit.network.spec.of_targets(fit.targets), fit.training, len(fit.targets)
    if fit.backend is not numba_backend or callable(training.order) or not training.epochs:
        return None
    if not choose.fits_lanes(spec, training, rows, fit.weights is not None):
        return None
    return spec, model_lanes.group(training, rows)


def parts(fits: Sequence[Fit], threads: int) -> list[slice]:
    """How fits of one group are parted, for so many threads: those that are faster alone are parts of one."""
    fit, count = fits[0], len(fits)
    rows = len(fit.targets)
    together = count if force else choose.models_in_lanes(fit.network.spec, fit.training, rows, count)
    lanes = model_lanes.width(fit.network.spec, min(fit.training.batch_size, rows), 1)
    size = max(1, math.ceil(math.ceil(together / lanes) / threads)) * lanes
    begins = [*range(0, together, size), *range(together, count), count]
    return [slice(*ends) for ends in itertools.pairwise(begins)]


def train(fits: Sequence[Fit], kept: Sequence[np.ndarray | None]) -> Generator[dict[int, Step], set[int] | None, None]:
    """The steps of fits of one group, by their places. kept: the last Step's of each. Sent: places that have ended."""
    members = []
    for fit, before in zip(fits, kept, strict=True):
        x, y = fit.shared if fit.shared is not None else (fit.x, fit.targets)
        if before is None and fit.moment:
            before = fit.moment.kept
        members.append(
            Member(
                fit.network.parameters, x, y, fit.training, fit.run.state, fit.weights,
                None if fit.shared is None else fit.rows, before,
            )
        )  # fmt: skip
    return model_lanes.train(fits[0].network.spec.of_targets(fits[0].targets), members)
