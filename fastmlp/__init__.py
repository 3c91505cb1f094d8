"""fastmlp trains small and mid-sized multi-layer perceptrons on a CPU, and every bit of the result is specified.

`Model` is the whole of it for most uses; `fastmlp demo xor` in a shell shows it at work. Names load when first used:
`import fastmlp` by itself takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.errors import DivergenceError
    from fastmlp.history import History
    from fastmlp.model import Model
    from fastmlp.spec import Spec

__version__ = "0.1.0"
__all__ = ["DivergenceError", "History", "Model", "Spec", "__version__"]

_HOMES = {
    "DivergenceError": "fastmlp.errors",
    "History": "fastmlp.history",
    "Model": "fastmlp.model",
    "Spec": "fastmlp.spec",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # the next look-up finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
