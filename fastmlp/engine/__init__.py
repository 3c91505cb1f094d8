"""Passes over rows on memory that is ready: buffers, plans, the choice of a pass, threads."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """What `fastmlp.engine` had when it was one file."""
    import importlib
    import warnings

    home = importlib.import_module("fastmlp.engine.numba_backend")
    if name.startswith("__") or not hasattr(home, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"fastmlp.engine.{name} is now fastmlp.engine.numba_backend.{name}", DeprecationWarning, stacklevel=2)
    return getattr(home, name)
