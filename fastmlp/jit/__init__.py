"""Kernels' code: the registry, compiling, linking and the cache."""
