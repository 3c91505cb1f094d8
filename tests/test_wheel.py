"""What a wheel has of the benchmarks: all that `fastmlp bench` imports, and nothing else."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ lies beside the package

from benchmarks import contestants  # noqa: E402

FOLDER = ROOT / "benchmarks"
LATER = {"goals.py": {"memory", "predict", "scaling"}}  # imported by a command that a wheel has no use for: `measure`


def shipped(text):
    """{path in the repository: path in the wheel} of pyproject's force-include."""
    (part,) = re.findall(r"^\[tool\.hatch\.build\.targets\.wheel\.force-include\]\n(.*?)\n\n", text, re.DOTALL | re.M)
    pairs = re.findall(r'^"(.+?)" = "(.+?)"$', part, re.MULTILINE)
    assert len(pairs) == len(part.splitlines())
    return dict(pairs)


def modules_of(path, folder):
    """Files of this package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1]
            base = base.joinpath(*(node.module or "").split(".")) if node.module else base
            for name in [base, *(base / alias.name for alias in node.names)]:
                found |= {place for place in (name.with_suffix(".py"), name / "__init__.py") if place.is_file()}
    return found - {folder / f"{name}.py" for name in LATER.get(path.name, ())}


def needed(first, folder=FOLDER):
    """Files that these import, and those that they import, and so on; with the packages that they lie in."""
    found, left = set(), [folder / "__init__.py", *first]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += modules_of(path, folder)
    return {path.relative_to(folder.parent).as_posix() for path in found}


def asked_for():
    """The modules that `fastmlp bench` names, the script of a contestant's process, and the contestants."""
    text = (ROOT / "fastmlp" / "cli" / "bench.py").read_text()
    names = {*re.findall(r'_module\("(\w+)"\)', text)}
    assert names == {"compare", "report"}
    children = (FOLDER / "children.py").read_text()
    assert "from {package}.{module} import main" in children
    assert 'module: str = "contestant"' in children
    files = [FOLDER / f"{name}.py" for name in [*names, "contestant"]]
    return files + [FOLDER / "contestants" / f"{module}.py" for module in contestants.MODULES.values()]


def test_the_wheel_has_what_bench_imports_and_no_more():
    listed = shipped((ROOT / "pyproject.toml").read_text())
    assert set(listed) == needed(asked_for())
    assert listed == {path: f"fastmlp/{path}" for path in listed}


def test_what_only_a_checkout_needs_is_not_in_it():
    listed = set(shipped((ROOT / "pyproject.toml").read_text()))
    for name in ("paired", "estimators", "memory", "predict", "scaling", "options", "parts", "quick", "__main__"):
        assert (FOLDER / f"{name}.py").is_file()
        assert f"benchmarks/{name}.py" not in listed
    assert not any(path.startswith(("benchmarks/suites", "benchmarks/asv")) for path in listed)


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("from . import forgotten", "forgotten.py"),
        ("def later():\n    from .forgotten import thing", "forgotten.py"),
        ("from .folder import thing", "folder/__init__.py"),
        ("from .folder.deep import thing", "folder/deep.py"),
    ],
)
def test_an_import_that_is_forgotten_is_seen(tmp_path, line, file):
    folder = tmp_path / "benchmarks"
    (folder / "folder").mkdir(parents=True)
    for name in ("__init__.py", "forgotten.py", "folder/__init__.py", "folder/deep.py", "other.py"):
        (folder / name).write_text("")
    (folder / "compare.py").write_text(line + "\n")
    found = needed([folder / "compare.py"], folder)
    assert f"benchmarks/{file}" in found
    assert "benchmarks/other.py" not in found
