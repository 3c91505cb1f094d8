""".ci/run ends with 0 where every step does, with another number where one does not, and leaves nothing behind.

The real script runs, with stand-ins for python, pip and the checkers that write down what they were asked.
"""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

STAND_IN = """#!/bin/bash
echo "$(basename "$0") $*" >> "$ASKED"
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; touch "$3/bin/activate"; fi
[ "$(basename "$0") $*" != "$FAILS" ]
"""


def run(tmp_path: Path, fails: str = "nothing") -> tuple[int, list[str], list[str], str]:
    """The exit status, what was asked for, what was left in the temporary folder, and what was printed."""
    tree, programs, temporary = (tmp_path / name for name in ("tree", "programs", "temporary"))
    for folder in (tree / ".ci", programs, temporary):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tree / ".ci" / "run")
    shutil.copy(ROOT / "README.md", tree)
    for name in ("python", "python3", "pip", "mypy", "ruff"):
        (programs / name).write_text(STAND_IN)
        (programs / name).chmod(stat.S_IRWXU)
    environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", TMPDIR=str(temporary))
    environment.update(ASKED=str(tmp_path / "asked"), FAILS=fails)
    done = subprocess.run([tree / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=60)
    asked = (tmp_path / "asked").read_text().splitlines()
    return done.returncode, asked, [entry.name for entry in temporary.iterdir()], done.stdout


def test_a_green_run_ends_with_0_and_leaves_nothing(tmp_path: Path) -> None:
    status, asked, left, printed = run(tmp_path)
    assert (status, left) == (0, [])
    assert printed.endswith("== all passed\n")
    for step in ("python -m pytest -n 2", "mypy ", "ruff check .", "ruff format --check ."):
        assert step in asked


@pytest.mark.parametrize(
    "step",
    [
        "python -m pip --version",
        "python -m pytest -n 2",
        "python -m pytest -q benchmarks/suites --smoke",
        "ruff check .",
        "ruff format --check .",
        "mypy ",
        "pip install .[test]",
    ],
)
def test_a_step_that_fails_fails_the_run(tmp_path: Path, step: str) -> None:
    status, asked, left, printed = run(tmp_path, step)
    assert status != 0
    assert left == []
    assert step in asked
    assert "all passed" not in printed
