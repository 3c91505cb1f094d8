"""The weights that are written for other programs: with the input scale folded in, in their dtype, finite."""

from __future__ import annotations

import numpy as np

from fastmlp.core.input_scale import seen
from fastmlp.spec import Spec


def folded(spec: Spec, parameters: np.ndarray, kind: np.dtype | None = None) -> np.ndarray:
    """The parameters (P,) of `spec.plain` in a dtype, by default their own. Raises ValueError if one is not finite."""
    found = seen(spec, parameters)
    if kind is not None:
        with np.errstate(over="ignore", under="ignore"):
            found = found.astype(kind)
    if not np.isfinite(found).all():
        if np.isfinite(parameters).all():
            raise ValueError(
                f"a weight exceeds the range of {found.dtype}{', its input scale included' * spec.input_scale}: train "
                "with weight decay, or in float64"
            )
        raise ValueError("a weight is NaN or infinite: nothing can be predicted with it")
    return found
