"""Checks of bits for other projects' tests, as `numpy.testing` is for NumPy's values.

`assert_same_bits` compares two arrays, `check_pair` a fast function with the one that defines it, and `check_training`
trainings of your own network on your own data, by the kernels and by the reference. pytest finds the plugin,
`fastmlp.testing.plugin`, by itself; so names are loaded when they are first used, and pytest starts as fast as without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.testing.bits import assert_same_bits
    from fastmlp.testing.pairs import check_pair
    from fastmlp.testing.trainings import check_training

__all__ = ["assert_same_bits", "check_pair", "check_training"]

_HOMES = {"assert_same_bits": "bits", "check_pair": "pairs", "check_training": "trainings"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # later look-ups do not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
