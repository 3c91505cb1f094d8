"""The two ways to compute the same bits: "numba", by compiled kernels, and "reference", by the definition itself."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from fastmlp.spec import BACKENDS


def known_backend(backend: Any) -> str:
    """backend, if it is one. Raises ValueError."""
    if backend not in BACKENDS:
        raise ValueError(f'backend={backend!r} is not known: use "numba" or "reference"')
    return str(backend)


def backend_module(backend: str) -> ModuleType:
    """The module with `train`, `evaluate`, `outputs` and `logits` of a backend: both have the same functions."""
    if backend == "reference":
        from fastmlp.engine import reference_backend

        return reference_backend
    from fastmlp.engine import numba_backend

    return numba_backend
