"""The fast side: Numba kernels with the names, files and bits of `fastmlp/reference/`.

`plan.py` is plain Python. Every other module imports Numba, so nothing outside imports them but `fastmlp.jit.registry`,
and that only to compile a kernel which the cache does not hold.
"""

from fastmlp.jit import registry

registry.kernels_are_in(__name__)
