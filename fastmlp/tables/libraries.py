"""Libraries that read tables: imported when they are first needed, or asked for in a sentence."""

from __future__ import annotations

import importlib
from typing import Any

from fastmlp.checks.messages import lacks


def pandas_for(what: object) -> Any:
    """Returns pandas. Raises ValueError that says how to install it."""
    return needed("pandas", what, "tables")


def needed(module: str, what: object, extra: str | None = None) -> Any:
    """Imports a module.

    Parameters
    ----------
    module : str
        Its name.
    what : object
        The file that needs it, for the error.
    extra : str or None, default=None
        The extra of fastmlp that brings it; None if it is installed by its own name.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(lacks(f"{what} is read by", module, extra)) from None
