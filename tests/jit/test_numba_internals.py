"""docs/numba.md lists which parts of Numba are used; this Numba has them, and it is within the bound."""

import ast
import importlib
import importlib.metadata
import re
from functools import cache
from pathlib import Path

import numba
import pytest

import fastmlp

PACKAGE = Path(fastmlp.__file__).parent
ROOT = Path(__file__).parents[2]
PUBLIC = ("numba", "numba.types", "numba.njit", "numba.config")


@cache
def imports():
    """{(file, imported module or name of numba's)}, but for what `numba` itself hands out."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if "numba" not in (text := path.read_text()):  # most files, of which each takes some 10 ms to parse
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
                for alias in node.names:
                    found.add((path.relative_to(PACKAGE).as_posix(), f"{node.module}.{alias.name}"))
    return {(file, name) for file, name in found if name not in PUBLIC}


def part_of(name):
    """'core.ir' for numba.core.ir.Block, 'extending' for numba.extending.intrinsic: as the page has it."""
    parts = name.split(".")[1:]
    return parts[0] if parts[0] == "extending" else ".".join(parts[:2])


def listed():
    """{(file, part)} of the page's table."""
    found = set()
    for line in (ROOT / "docs" / "numba.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            found |= {(cells[0].strip("`"), part) for part in re.findall(r"`([\w.]+)`", cells[1])}
    return found


def test_the_page_lists_what_is_imported():
    assert listed() == {(file, part_of(name)) for file, name in imports()}


@pytest.mark.parametrize("name", sorted({name for _, name in imports()}))
def test_this_numba_has_it(name):
    module, _, last = name.rpartition(".")
    users = ", ".join(sorted(file for file, used in imports() if used == name))
    words = (
        f"Numba {numba.__version__} has no {name}, which {users} uses: keep Numba below this version in "
        "pyproject.toml, or find what replaces it (docs/numba.md says what happens without)"
    )
    try:
        home = importlib.import_module(module)
    except ImportError:
        pytest.fail(words)
    if not hasattr(home, last):
        try:
            importlib.import_module(name)
        except ImportError:
            pytest.fail(words)


def test_numba_has_an_upper_bound_that_this_one_is_below():
    requires = importlib.metadata.requires("fastmlp") or []
    bounds = re.search(r'"numba>=0\.(\d+),<0\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert bounds, f"pyproject.toml gives Numba no bounds: {requires}"
    lowest, above = map(int, bounds.groups())
    assert lowest <= int(numba.__version__.split(".")[1]) < above
