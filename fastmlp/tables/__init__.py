"""Tables of numbers from files, and models of them."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """What `fastmlp.tables` had when it was one file."""
    import importlib
    import warnings

    home = importlib.import_module("fastmlp.tables.reader")
    if name.startswith("__") or not hasattr(home, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(f"fastmlp.tables.{name} is now fastmlp.tables.reader.{name}", DeprecationWarning, stacklevel=2)
    return getattr(home, name)
