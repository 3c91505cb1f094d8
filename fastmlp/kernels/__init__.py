"""The fast side: Numba kernels with the names, files and bits of `fastmlp/reference/`.

Importing a module of this package imports Numba, so nothing outside of `fastmlp/pairs.py` does, and that only to
compile a kernel which the cache does not hold.
"""
