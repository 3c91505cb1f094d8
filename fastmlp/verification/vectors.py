"""The vectors: files of JSON whose floats are hex strings, as arrays. Imports NumPy alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "vectors"
FILES = ("functions", "layers", "random", "trainings")


def read(name: str) -> list[dict[str, Any]]:
    """Returns the entries of a file.

    Parameters
    ----------
    name : str
        One of FILES.

    Returns
    -------
    list of dict

    Raises
    ------
    OSError
        If the file is not there.
    ValueError
        If it holds no entries.
    """
    path = FOLDER / f"{name}.json"
    entries = json.loads(path.read_text(encoding="utf-8")).get("entries")
    if not entries:
        raise ValueError(f"{path} holds no vectors: install fastmlp again")
    return list(entries)


def floats(values: Any, dtype: str) -> np.ndarray:
    """Returns hex strings, in lists of any depth, as an array.

    Parameters
    ----------
    values : str or nested list of str
        The numbers, as `float.hex` writes them.
    dtype : str
        "float64" or "float32", in which each of them is exact.

    Returns
    -------
    ndarray of that dtype
    """
    return np.array(_parsed(values), np.float64).astype(dtype)


def in_hex(values: np.ndarray) -> Any:
    """Returns an array as nested lists of hex strings, what `floats` reads.

    Parameters
    ----------
    values : ndarray
        Floats.

    Returns
    -------
    str or nested list of str
    """
    return _written(np.asarray(values, np.float64).tolist())


def _parsed(values: Any) -> Any:
    return [_parsed(value) for value in values] if isinstance(values, list) else float.fromhex(values)


def _written(values: Any) -> Any:
    return [_written(value) for value in values] if isinstance(values, list) else values.hex()
