"""The fast side: Numba kernels with the names, files and bits of `fastmlp/reference/`.

`plan.py` and `registry.py` are plain Python. Every other module imports Numba, so nothing outside imports them; the
registry does, to compile a kernel which the cache does not hold.
"""
