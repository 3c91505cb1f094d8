"""Passes over rows on memory that is ready: buffers, plans, the choice of a pass, threads."""

from __future__ import annotations

from typing import Any

_HAD = ("train", "evaluate", "evaluator", "objective", "outputs", "logits", "ready", "can_be_kept")


def __getattr__(name: str) -> Any:
    """What `fastmlp.engine` had when it was one file."""
    if name not in _HAD:  # a module of this folder, perhaps, that is about to be imported
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib
    import warnings

    warnings.warn(f"fastmlp.engine.{name} is now fastmlp.engine.numba_backend.{name}", DeprecationWarning, stacklevel=2)
    return getattr(importlib.import_module("fastmlp.engine.numba_backend"), name)
