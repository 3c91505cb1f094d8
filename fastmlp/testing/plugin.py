"""A plugin of pytest for regression tests of bits; an installed fastmlp registers it, under the name "fastmlp".

It has the fixture `stored_bits`, which compares arrays and models with what was stored beside the test, the option
`--write-bits`, which stores them, and the marker `numerics`. It imports nothing of fastmlp before a test asks for it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LONGEST = 64  # numbers of an array up to which all are stored, and not a digest alone


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option."""
    group = parser.getgroup("fastmlp", "bits of fastmlp")
    group.addoption("--write-bits", action="store_true", help="store what the fixture stored_bits is given")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker."""
    config.addinivalue_line(
        "markers",
        "numerics(version): what this test stores belongs to this numerics version; with another, it is skipped",
    )
    if config.getoption("--write-bits") and hasattr(config, "workerinput"):
        raise pytest.UsageError("--write-bits writes a file for each module: run pytest without -n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test of another numerics version."""
    for marker in item.iter_markers("numerics"):
        from fastmlp.spec import NUMERICS_VERSION

        if len(marker.args) != 1 or marker.kwargs or not isinstance(marker.args[0], int):
            raise pytest.UsageError("the marker numerics takes one number, as in @pytest.mark.numerics(1)")
        if marker.args[0] != NUMERICS_VERSION:
            pytest.skip(f"its bits belong to numerics version {marker.args[0]}; this fastmlp has {NUMERICS_VERSION}")


@pytest.fixture
def stored_bits(request: pytest.FixtureRequest) -> Iterator[Callable[[str, Any], None]]:
    """A function of a name and an array or a model: it fails where they differ from what is stored under this name.

    They are stored in `bits/MODULE.json` beside the test's module: a digest, and up to 64 numbers for the message.
    """
    path = Path(request.path)
    stored = path.parent / "bits" / f"{path.stem}.json"
    test = request.node.nodeid.partition("::")[2]
    writes = request.config.getoption("--write-bits")
    found = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    entries = found.get(test, {})
    made: dict[str, Any] = {}

    def check(name: str, value: Any) -> None:
        __tracebackhide__ = True
        if name in made:
            raise ValueError(f"{name!r} was given twice in this test: give each its own name")
        made[name] = entry = _entry(value)
        if writes:
            return
        if name not in entries:
            said = f"nothing is stored for {name!r} in {stored}: run this test with --write-bits, and commit it"
            pytest.fail(said, pytrace=False)
        _compare(name, value, entry, entries[name])

    yield check
    if writes and made and made != entries:
        stored.parent.mkdir(exist_ok=True)
        found[test] = made
        beside = stored.with_suffix(".json.part")
        beside.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(beside, stored)


def _entry(value: Any) -> dict[str, Any]:
    """What is stored of a value."""
    import numpy as np

    if hasattr(value, "digest"):
        return {"digest": value.digest()}
    x = np.asarray(value)
    if x.dtype.kind not in "biuf" or x.dtype.itemsize > 8:
        raise TypeError(f"an array of dtype {x.dtype} cannot be stored: give numbers, or an object with digest()")
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x)
    little = np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<"))
    entry: dict[str, Any] = {
        "dtype": x.dtype.name,
        "shape": list(x.shape),
        "digest": hashlib.sha256(little.tobytes()).hexdigest(),
    }
    if x.size <= LONGEST:
        entry["values"] = [float(v).hex() if x.dtype.kind == "f" else int(v) for v in x.flat]
    return entry


def _compare(name: str, value: Any, made: dict[str, Any], stored: dict[str, Any]) -> None:
    """Fails where a value is not what is stored, by its numbers where they are stored."""
    import numpy as np

    from fastmlp.testing.bits import assert_same_bits

    if made == stored:
        return
    if "values" in made and "values" in stored:
        numbers = [float.fromhex(v) if isinstance(v, str) else v for v in stored["values"]]
        assert_same_bits(value, np.array(numbers, stored["dtype"]).reshape(stored["shape"]), name)
    said = ", ".join(
        f"{key} {made.get(key)}, stored {stored.get(key)}"
        for key in ("dtype", "shape", "digest")
        if made.get(key) != stored.get(key)
    )
    raise AssertionError(f"{name}: {said}")
