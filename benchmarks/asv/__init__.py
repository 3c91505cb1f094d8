"""Benchmarks for asv: thin classes over the one table. `asv.conf.json` names this folder.

asv takes this folder for a package of its own, and fastmlp from wherever it is installed. So the table, which lies
next to this folder, is loaded by its path: with the checkout on sys.path, the checkout's fastmlp would be measured.
"""

import importlib.util
import sys
from pathlib import Path

if "benchmarks" not in sys.modules:
    _folder = Path(__file__).resolve().parents[1]
    _spec = importlib.util.spec_from_file_location(
        "benchmarks", _folder / "__init__.py", submodule_search_locations=[str(_folder)]
    )
    assert _spec
    assert _spec.loader
    sys.modules["benchmarks"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["benchmarks"])
