"""Predictions of a row or a few, in one call: a pass, and the checks of what goes in and comes out.

Python's `numpy.isfinite(x).all()` takes 1 us, as long as all that one row of 64-100-10 takes.
"""

from fastmlp import plan as at
from fastmlp.kernels.memory import call, pointer
from fastmlp.kernels.simd import helper
from fastmlp.pairs import Floats, Ints, kernel


@helper
def all_finite(x, count):
    """Whether x - x is 0 for all: it is NaN for NaN and infinity."""
    wrong = 0
    for i in range(count):
        wrong |= int(x[i] - x[i] != 0)
    return wrong == 0


@kernel(None)
def checked(plan: Ints, parameters: Floats) -> int:
    """The plan's pass over its ROWS, up to a chunk: writes their outputs.

    Returns DONE; DIVERGED where a number of these rows or of their outputs is not finite; or INTERRUPTED.
    """
    rows = plan[at.ROWS]  # no argument: each costs the caller 0.04 us
    if not all_finite(pointer(plan[at.X], parameters), rows * plan[at.FIELDS + at.LAYER_INPUTS]):
        return at.DIVERGED
    if call(plan[at.PASS_KERNEL], (plan, parameters, 0, rows, at.OUTPUT)) != at.DONE:
        return at.INTERRUPTED
    if not all_finite(pointer(plan[at.RESULT], parameters), rows * plan[at.OUTPUTS]):
        return at.DIVERGED
    return at.DONE
