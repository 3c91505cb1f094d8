"""Updates of the flat parameter vector, in place: the twin of `fastmlp/reference/optimizers.py`."""

from fastmlp.kernels.memory import load, store
from fastmlp.kernels.simd import fill, fma, lanes, negative
from fastmlp.pairs import Float, Floats, Int, kernel
from fastmlp.reference import optimizers as reference


@kernel(reference.gradient_descent)
def gradient_descent(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    """p = p - learning_rate (scale total). Writes p, whole registers of it."""
    step = negative(fill(p, learning_rate))
    factor = fill(p, scale)
    for i in range(0, count, lanes(p)):
        store(p, i, fma(step, load(total, i) * factor, load(p, i)))
