"""What errors say, by `checks/messages.py`: here, what to install."""

import re
from pathlib import Path

import pytest

import fastmlp
from fastmlp.checks import messages

PACKAGE = Path(fastmlp.__file__).parent
PROJECT = PACKAGE.parent / "pyproject.toml"
BY_HAND = {
    "checks/messages.py",
    "cli/bench.py",
    "estimators/__init__.py",
    "tabular/__init__.py",
}  # the helper; of a checkout; a docstring


def test_what_to_install_is_said_for_a_clone_too():
    assert messages.install("plot") == 'pip install "fastmlp[plot]", or in a clone pip install ".[plot]"'
    said = messages.lacks("plots need", "matplotlib", "plot")
    assert said == f"plots need matplotlib, which is not installed: {messages.install('plot')}"
    said = messages.lacks("bench needs", "sklearn", package="scikit-learn")
    assert said == "bench needs sklearn, which is not installed: pip install scikit-learn"


def test_every_error_says_it_by_the_helper():
    files = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    assert {name for name, text in files.items() if "pip install" in text} <= BY_HAND


def test_the_extras_exist():
    if not PROJECT.is_file():
        pytest.skip("this is no checkout")
    known = set(re.findall(r"^(\w+) = \[", PROJECT.read_text().partition("optional-dependencies]")[2], re.M))
    asked = set()
    for path in PACKAGE.rglob("*.py"):
        asked |= set(re.findall(r"""(?:\binstall\(|\blacks\([^,\n]+, "[\w.]+", )["'](\w+)["']""", path.read_text()))
    assert {"plot", "sklearn", "cluster"} <= asked <= known
