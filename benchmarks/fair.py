"""Removes the variables that slow a peer's BLAS from every contestant's environment, and reports which BLAS ran.

With OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE set, NumPy's and scikit-learn's products ran at half speed, which a table
does not show. A library reads such variables once, when it is loaded. So the package `benchmarks` removes them from its
own process before it imports NumPy, and every process that it starts gets `environment()`.

Imports nothing but the standard library, as it has to come before NumPy.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# Variables that choose other kernels, blocks or threads than a library would by itself, and which library reads them.
# Numbers of threads are not here: `cores.environment` sets those. OPENBLAS_VERBOSE and BLIS_ARCH_DEBUG say something
# once and slow nothing down.
HELD_BACK = {
    "OPENBLAS_CORETYPE": "OpenBLAS",
    "OPENBLAS_L2_SIZE": "OpenBLAS",
    "OPENBLAS_BLOCK_FACTOR": "OpenBLAS",
    "MKL_DEBUG_CPU_TYPE": "MKL",
    "MKL_ENABLE_INSTRUCTIONS": "MKL",
    "MKL_CBWR": "MKL",
    "MKL_DOMAIN_NUM_THREADS": "MKL",  # goes before MKL_NUM_THREADS
    "MKL_VERBOSE": "MKL",  # a line printed for each product
    "BLIS_ARCH_TYPE": "BLIS",
    "BLIS_MODEL_TYPE": "BLIS",
    "AOCL_ENABLE_INSTRUCTIONS": "BLIS",
    "NVPL_BLAS_DEBUG_CPU_TYPE": "NVPL BLAS",
    "ONEDNN_MAX_CPU_ISA": "oneDNN",
    "DNNL_MAX_CPU_ISA": "oneDNN",
    "ONEDNN_VERBOSE": "oneDNN",
    "DNNL_VERBOSE": "oneDNN",
    "ATEN_CPU_CAPABILITY": "PyTorch",
    "NPY_DISABLE_CPU_FEATURES": "NumPy",
    "OMP_THREAD_LIMIT": "OpenMP",
}
NO_THREADPOOLCTL = "threadpoolctl is not installed: which BLAS ran is not known"
LIBRARIES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}  # by threadpoolctl's names

_late: set[str] = set()  # taken out when NumPy had been loaded, and had read them


def held_back(environ: Mapping[str, str]) -> list[str]:
    """The variables of HELD_BACK that are set."""
    return [name for name in HELD_BACK if name in environ]


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """A copy that has none of them."""
    return {name: value for name, value in environ.items() if name not in HELD_BACK}


def environment(**more: str) -> dict[str, str]:
    """What every process of a measurement is started with: this one's, without HELD_BACK, and with `more`."""
    return {**without(os.environ), **more}


def free() -> None:
    """Takes them out of this process's environment, and keeps in mind those that came too late for NumPy."""
    for name in held_back(os.environ):
        del os.environ[name]
        if "numpy" in sys.modules:
            _late.add(name)


def held() -> list[str]:
    """The variables that have held this process's libraries back, or may have."""
    return [name for name in HELD_BACK if name in _late or name in os.environ]


def blas() -> list[str] | None:
    """The BLAS libraries that this process has loaded, like "OpenBLAS 0.3.31 (Haswell)"; None without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    return list(dict.fromkeys(_words(found) for found in threadpool_info() if found["user_api"] == "blas"))


def _words(found: Mapping[str, Any]) -> str:
    name = LIBRARIES.get(found["internal_api"], found["internal_api"])
    version = ".".join(str(found.get("version") or "").split(".")[:3])
    kernel = f"({found['architecture']})" if found.get("architecture") else ""
    return " ".join(filter(None, (name, version, kernel)))


def why_not(names: list[str]) -> str:
    """What makes a measurement with these variables unfair, in words."""
    libraries = " and ".join(dict.fromkeys(HELD_BACK[name] for name in names if name in HELD_BACK))
    return f"{', '.join(names)} held {libraries or 'a library'} back"


def unfair(result: Mapping[str, Any]) -> dict[str, list[str]]:
    """{contestant: the variables that held it back} of a result of `benchmarks.compare`; {} where all was fair."""
    found: dict[str, dict[str, None]] = {}
    for row in result["rows"]:
        if row.get("held_back"):
            found.setdefault(row["contestant"].rstrip("_"), {}).update(dict.fromkeys(row["held_back"]))
    late = (result.get("goals") or {}).get("held_back")
    if late:
        found["NumPy's predictions"] = dict.fromkeys(late)
    return {name: list(variables) for name, variables in found.items()}


def told(result: Mapping[str, Any]) -> dict[str, str]:
    """{contestant: what multiplied its matrices} of a result, in words; without those of which nothing was written."""
    found: dict[str, dict[str, None]] = {}
    for row in result["rows"]:
        if "blas" in row:
            of = found.setdefault(row["contestant"].rstrip("_"), {})
            of.update(dict.fromkeys([NO_THREADPOOLCTL] if row["blas"] is None else sorted(row["blas"])))
    return {name: ", ".join(of) or "no BLAS that threadpoolctl knows" for name, of in found.items()}


def line() -> str:
    """For commands that time NumPy or scikit-learn in their own process: which BLAS, or why it is not fair."""
    if held():
        return f"not fair: {why_not(held())}, as NumPy had been loaded before: unset them, and measure again"
    found = blas()
    return NO_THREADPOOLCTL if found is None else f"BLAS: {', '.join(found) or 'none that threadpoolctl knows'}"
