"""What passes over rows see of a network with an input scale: one without, into whose weights the scale is folded."""

from __future__ import annotations

import numpy as np

from fastmlp.reference import input_scale as reference
from fastmlp.spec import Spec


def seen(spec: Spec, parameters: np.ndarray) -> np.ndarray:
    """The parameters of `spec.plain`: a new array, or `parameters` itself where there is no input scale."""
    if not spec.input_scale:
        return parameters
    made = parameters[: spec.layer_parameters].copy()
    w, _ = spec.views(made)[0]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        w[:] = reference.folded(w, spec.scale_of(parameters))
    return made
