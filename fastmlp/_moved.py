"""Modules that have moved: importing one by its old name works, with a DeprecationWarning.

A finder at the end of `sys.meta_path` handles the old names. Python asks it only for names that nothing else has found,
so other imports do not become slower.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "address_space": "system.memory_limits",
    "advice": "fit.advice",
    "arrays": "checks.arrays",
    "atomic": "system.atomic",
    "bench_command": "cli.bench",
    "busy": "system.busy",
    "cache": "jit.cache",
    "cache_command": "cli.cache",
    "checkpoints": "storage.checkpoints",
    "command_line": "cli.arguments",
    "compiler": "jit.numba_pipeline",
    "data": "core.data",
    "definition": "engine.reference_backend",
    "demos": "cli.demos",
    "files": "storage.container",
    "fitting": "fit.fit",
    "forward": "engine.forward",
    "generators": "storage.rng_state",
    "jobs": "system.background",
    "loader": "jit.loader",
    "native": "jit.machine_code",
    "network": "core.network",
    "npz": "tables.npz",
    "numba_settings": "jit.numba_settings",
    "options": "fit.options",
    "pace": "engine.thread_tuner",
    "pairs": "kernels.registry",
    "pieces": "engine.row_pieces",
    "pipes": "tables.pipes",
    "plan": "kernels.plan",
    "predict_command": "cli.predict",
    "progress": "fit.progress",
    "saving": "storage.model_file",
    "table_models": "tables.table_model",
    "target": "system.cpu",
    "team": "engine.team",
    "threads": "system.thread_pool",
    "train_command": "cli.train",
    "train_options": "tables.train_options",
    "train_table": "tables.prepare",
    "trusted": "system.trusted_files",
    "watching": "fit.monitor",
    "weighing": "fit.sample_weights",
    "weights": "engine.initial_weights",
    "whole": "checks.integers",
    "words": "checks.messages",
    "workspace": "engine.buffers",
}
IN_PICKLES = ("network",)  # pickles name it: they load without a warning


def moved(name: str, stacklevel: int = 3) -> ModuleType:
    """Imports and returns the module that was `fastmlp.<name>`, with a DeprecationWarning unless pickles name it."""
    new = f"fastmlp.{MOVED[name]}"
    if name not in IN_PICKLES:
        warnings.warn(f"fastmlp.{name} is now {new}", DeprecationWarning, stacklevel=stacklevel)
    return importlib.import_module(new)


class _Finder:
    """Finds `fastmlp.<old name>` for an import statement."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        return ModuleSpec(fullname, self) if package == "fastmlp" and name in MOVED else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        sys.modules[name] = moved(name.partition(".")[2])  # an import statement returns this entry


def install() -> None:
    """Makes the old names importable."""
    sys.meta_path.append(_Finder())
