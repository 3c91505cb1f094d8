"""Every command of the benchmarks, and the way to run one.

python -m benchmarks                          lists the commands
python -m benchmarks compare --quick          runs one, with the arguments after its name
python -m benchmarks compare --help           shows its help
"""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import fair

FOLDER = Path(__file__).resolve().parent
PACKAGE = __package__ or "benchmarks"
INNER = ("__main__",)
# Folders that other programs run; and the lines that tell of them.
FOLDERS = {
    "suites": (
        ("-m", "pytest", str(FOLDER / "suites")),
        "Every kernel and every workload's step, by pytest-benchmark.",
    ),
    "asv": (("-m", "asv"), "The same over a range of commits, by asv (asv run, asv continuous, ...)."),
}


def commands() -> dict[str, str]:
    """{name: the first line of its docstring} of each file here that can be run, and of FOLDERS, by name."""
    found = {name: line for name, (_, line) in FOLDERS.items() if (FOLDER / name).is_dir()}
    for path in FOLDER.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.stem not in INNER and any(_runs(node) for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return dict(sorted(found.items()))


def _runs(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def listing() -> str:
    known = commands()
    width = max(map(len, known))
    lines = [f"    {name:{width}}  {line}" for name, line in known.items()]
    return "\n".join([f"python -m {PACKAGE} COMMAND [ARGUMENTS], where COMMAND is one of", "", *lines])


def main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(listing())
        return 0
    name, *rest = arguments
    if name not in commands():
        print(f"{PACKAGE}: command={name!r} is not known: use one of {', '.join(commands())}", file=sys.stderr)
        return 2
    if name in FOLDERS:
        command = [sys.executable, *FOLDERS[name][0], *rest]
        return subprocess.run(command, env=fair.environment(), cwd=FOLDER.parent, check=False).returncode
    sys.argv = [str(FOLDER / f"{name}.py"), *rest]
    runpy.run_module(f"{PACKAGE}.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
