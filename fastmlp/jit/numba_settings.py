"""Numba's settings while kernels are compiled: those of the environment that the cache knows of, else its defaults.

`numba.config` also takes a `.numba_config.yaml` of the working folder, other variables, and assignments. They change
the machine code, or print while it is made, and are not in a cached file's name. Imports Numba when first used.
"""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Variables that change kernels' code; the cache keeps the code of each value apart.
VARIABLES = ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_BOUNDSCHECK", "NUMBA_ENABLE_AVX")
PROCESSOR = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")  # these too: they are in `target()`
# Not of compilers for CPUs: other threads may be at work by them.
_LEFT_ALONE = ("CACHE_", "CUDA_", "NUMBA_", "THREADING_")


def values() -> dict[str, str]:
    """The variables that are set."""
    return {name: os.environ[name] for name in (*VARIABLES, *PROCESSOR) if name in os.environ}


def wanted() -> dict[str, Any]:
    """What `numba.config` would hold in a process where no other variable is set, and no file is there."""
    from numba.core import config

    # Numba's own reading of the environment, a function that assigns to its module's names: here to others.
    read = config._EnvReloader.process_environ.__code__
    names = {name for name in (*read.co_varnames, *read.co_cellvars) if name.isupper()}
    scope = {name: value for name, value in vars(config).items() if name not in names}
    types.FunctionType(read, scope)(None, values())
    return {name: scope[name] for name in names & scope.keys() if not name.startswith(_LEFT_ALONE)}


@contextmanager
def pinned() -> Iterator[None]:
    """Numba's settings are `wanted()` meanwhile; it does not look for a changed environment or file, either."""
    from numba.core import config

    try:
        settings, reloader = wanted(), vars(config._env_reloader)
    except (AttributeError, KeyError, NameError):  # a Numba whose parts have changed
        settings, reloader = {}, {}
    with changed(vars(config), {"DISABLE_JIT": 0, **settings}), changed(reloader, {"update": lambda force=False: None}):
        yield


_ABSENT: Any = object()


@contextmanager
def changed(scope: dict[str, Any], values: Mapping[str, Any]) -> Iterator[None]:
    """A module's names with other values meanwhile. What somebody else assigned since then stays."""
    before = {name: scope.get(name, _ABSENT) for name in values}
    try:
        scope.update(values)
        yield
    finally:
        for name, value in values.items():
            if scope.get(name, _ABSENT) is value:
                if before[name] is _ABSENT:
                    scope.pop(name, None)
                else:
                    scope[name] = before[name]
