"""Numba's settings while kernels are compiled: those environment variables that the cache knows, and else the defaults.

`numba.config` also takes a `.numba_config.yaml` in the working folder, other variables, and assignments. These change
the machine code, or print while it is made, and are not part of a cached file's name. Imports Numba at the first use.
"""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Variables that change kernels' code; the cache has a separate file for each value.
VARIABLES = ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_BOUNDSCHECK", "NUMBA_ENABLE_AVX")
PROCESSOR = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")  # these, too; `target()` includes them
# Settings that compilers for CPUs do not use; other threads may.
_LEFT_ALONE = ("CACHE_", "CUDA_", "NUMBA_", "THREADING_")


def values() -> dict[str, str]:
    """Returns the known variables that are set."""
    return {name: os.environ[name] for name in (*VARIABLES, *PROCESSOR) if name in os.environ}


def wanted() -> dict[str, Any]:
    """Returns what `numba.config` would hold in a process where no other variable is set and there is no file."""
    from numba.core import config

    # Numba's own function that reads the environment assigns to its module's names; here it assigns to others.
    read = config._EnvReloader.process_environ.__code__
    names = {name for name in (*read.co_varnames, *read.co_cellvars) if name.isupper()}
    scope = {name: value for name, value in vars(config).items() if name not in names}
    types.FunctionType(read, scope)(None, values())
    return {name: scope[name] for name in names & scope.keys() if not name.startswith(_LEFT_ALONE)}


@contextmanager
def pinned() -> Iterator[None]:
    """A context in which Numba's settings are `wanted()`, and Numba does not look for a changed environment or file."""
    from numba.core import config

    try:
        settings, reloader = wanted(), vars(config._env_reloader)
    except (AttributeError, KeyError, NameError):  # another version of Numba
        settings, reloader = {}, {}
    with changed(vars(config), {"DISABLE_JIT": 0, **settings}), changed(reloader, {"update": lambda force=False: None}):
        yield


_ABSENT: Any = object()


@contextmanager
def changed(scope: dict[str, Any], values: Mapping[str, Any]) -> Iterator[None]:
    """A context in which a module's names have other values. What other code assigns meanwhile stays assigned."""
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
