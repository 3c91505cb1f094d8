"""Imports run one way: from the command line down to the reference, and never in a circle."""

import ast

import pytest

from tools.architecture import PACKAGE, arrows, circles, floors, modules

# From the ground up. A room imports rooms of lines above its own only, wherever the import stands.
ORDER = [
    "errors _moved _version system checks reference",  # checks: of what callers hand in
    "losses stopping jit views",
    "spec schedules kernels",
    "optimizers",
    "training",
    "core history splits",
    "callbacks engine storage",
    "fit predictor export",
    "model estimators",
    "tables sweep",
    "study ensemble cross_validation testing",
    "verification tabular",
    "cli",
]
RANK = {room: rank for rank, line in enumerate(ORDER) for room in line.split()}
LONGEST = 400  # lines of a file, docstrings apart: what users read in them is as long as it has to be


def upward(package=PACKAGE, rank=RANK):
    """Imports of a room that does not lie below, as "room -> other: file:line"."""
    return [
        f"{room} -> {other}: {place}"
        for (room, other), places in arrows(package).items()
        for place in places
        if rank[room] <= rank[other]
    ]


def test_every_import_runs_down():
    assert upward() == []


def test_each_room_has_its_place():
    assert {module.split(".")[0] for module in modules()} == set(RANK)


def test_no_files_import_each_other():
    assert circles(arrows(of=lambda module: module)) == []


def test_it_stays_as_plain_as_it_is():
    edges = arrows()
    assert max(floors(edges).values()) <= 12
    assert len(edges) <= 224


def test_the_reference_imports_numpy_alone():
    allowed = ("__future__", "collections.abc", "dataclasses", "fractions", "functools", "numpy", "typing")
    for path in (PACKAGE / "reference").glob("*.py"):
        for line in path.read_text().splitlines():
            if line.lstrip().startswith(("import ", "from ")) and " import " in f" {line}":
                name = line.split()[1]
                assert name in allowed or name.startswith("fastmlp.reference"), f"{path.name}: {line}"


def lines(text):
    """How many lines a file has, without those of docstrings."""
    count = len(text.splitlines())
    for node in ast.walk(ast.parse(text)):
        owner = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if owner and ast.get_docstring(node) is not None:
            string = node.body[0]
            count -= string.end_lineno - string.lineno + 1
    return count


@pytest.mark.parametrize("module", sorted(modules()))
def test_files_are_short(module):
    assert lines(modules()[module].read_text()) <= LONGEST


def test_docstrings_are_no_lines():
    assert lines('"""One.\n\nMore.\n"""\nx = 1\n\n\ndef f():\n    """Two."""\n    return 1\n') == 5


PLANTED = {
    "at the top": "from small.above import thing",
    "a module": "import small.above",
    "by the package": "from small import above",
    "in a function": "def f():\n    from small.above import thing",
    "for types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from small.above import thing",
    "by importlib": 'import importlib\nabove = importlib.import_module("small.above")',
    "by a name in an f-string": 'import importlib\nabove = importlib.import_module(f"small.above.{1}")',
}


@pytest.mark.parametrize("how", PLANTED)
def test_an_import_that_runs_up_is_seen(how, tmp_path):
    package = tmp_path / "small"
    (package / "below").mkdir(parents=True)
    for name in ("__init__.py", "below/__init__.py"):
        (package / name).write_text("")
    (package / "above.py").write_text("from small.below import files\n")
    (package / "below" / "files.py").write_text(PLANTED[how] + "\n")
    found = upward(package, {"below": 0, "above": 1})
    assert len(found) == 1
    assert found[0].startswith("below -> above: small/below/files.py:")
    assert circles(arrows(package)) == [["above", "below"]]
