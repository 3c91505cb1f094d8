"""Tables of numbers in files, and models of them."""

from __future__ import annotations

from typing import Any

_HAD = ("Table", "Scale", "read", "read_rows", "as_classes", "listed", "places_of", "SHOWN", "MOST_CLASSES")


def __getattr__(name: str) -> Any:
    """The names that `fastmlp.tables` had when it was one file."""
    if name not in _HAD:  # perhaps a module of this folder that is about to be imported
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib
    import warnings

    warnings.warn(f"fastmlp.tables.{name} is now fastmlp.tables.reader.{name}", DeprecationWarning, stacklevel=2)
    name = "read_table" if name == "read" else name
    return getattr(importlib.import_module("fastmlp.tables.reader"), name)
