"""Measures the package's structure from its imports, and exits with 1 if an import runs upward or in a circle.

    python -m tools.architecture            rooms, floors, arrows, circles
    python -m tools.architecture --arrows   each arrow, too
    python -m tools.architecture --calls    the package's modules, functions and Python calls of one training

For another checkout: PYTHONPATH=CHECKOUT python tools/architecture.py --calls.

A room is a folder of fastmlp/ or a file next to them. An arrow A -> B: a file of A imports something of B, anywhere: at
the top, in a function, for types only, or by `importlib.import_module`. A room is one floor above the highest room that
it imports. fastmlp/__init__.py and __main__.py are not rooms.
"""

import argparse
import ast
import contextlib
import io
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fastmlp"


def module_of(path, package=PACKAGE):
    """'jit.cache' for fastmlp/jit/cache.py."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package=PACKAGE):
    """{name: path} of the package's files, but for its own __init__ and __main__, which hand on."""
    found = {module_of(path, package): path for path in sorted(package.rglob("*.py"))}
    found.pop("", None)
    found.pop("__main__", None)
    return found


def imported(tree, known, name):
    """Names of modules of the package that a file's syntax tree imports, each with the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == name:
            base = node.module[len(name) + 1 :]
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in known else base, node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == name:
                    yield alias.name[len(name) + 1 :], node.lineno
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module":
            for text in ast.walk(node):
                if isinstance(text, ast.Constant) and str(text.value).startswith(f"{name}."):
                    inner = str(text.value)[len(name) + 1 :].rstrip(".")
                    while inner and inner not in known:
                        inner = inner.rpartition(".")[0]
                    yield inner, node.lineno


def arrows(package=PACKAGE, of=lambda module: module.split(".")[0]):
    """{(room, other room): ["file:line", ...]}."""
    known, found = modules(package), defaultdict(list)
    for module, path in known.items():
        for other, line in imported(ast.parse(path.read_text()), known, package.name):
            if other in known and of(other) != of(module):
                found[of(module), of(other)].append(f"{path.relative_to(package.parent)}:{line}")
    return dict(found)


def circles(edges):
    """Groups of rooms that import each other, each sorted."""
    below = defaultdict(set)
    for room, other in edges:
        below[room].add(other)

    def reached(room):
        seen, left = set(), [room]
        while left:
            for other in below[left.pop()] - seen:
                seen.add(other)
                left.append(other)
        return seen

    reach = {room: reached(room) for room in {room for edge in edges for room in edge}}
    groups = {
        frozenset(other for other in reach[room] if room in reach[other]) for room in reach if room in reach[room]
    }
    return sorted(sorted(group) for group in groups)


def floors(edges):
    """{room: floor}, of rooms without circles; the ground is 1."""
    below = defaultdict(set)
    for room, other in edges:
        below[room].add(other)
    found = {}

    def floor(room):
        if room not in found:
            found[room] = 1 + max((floor(other) for other in below[room]), default=0)
        return found[room]

    for room in {room for edge in edges for room in edge}:
        floor(room)
    return found


def trainings(folder):
    """{name: what trains}: 20 rows of the exclusive or, by a Model, an estimator and the command."""
    import numpy as np

    from fastmlp import MLPClassifier, Model
    from fastmlp.cli import main as command

    x = np.random.default_rng(1).integers(0, 2, (20, 2)).astype(float)
    y = (x[:, 0] != x[:, 1]).astype(int)
    table = Path(folder) / "xor.csv"
    table.write_text("a,b,y\n" + "".join(f"{a:g},{b:g},{c}\n" for (a, b), c in zip(x, y, strict=True)))
    model = Model([2, 8, 8, 2], seed=1)
    estimator = MLPClassifier((8, 8), max_iter=10, tol=0, n_iter_no_change=1000, random_state=1, n_threads=1)
    line = ["train", str(table), "--target", "y", "--epochs", "10", "--no-progress", "--threads", "1"]
    return {
        "Model.fit": lambda: model.fit(x, y, epochs=10, threads=1),
        "MLPClassifier.fit": lambda: estimator.fit(x, y),
        "fastmlp train": lambda: command(line),
    }


def calls_of(run):
    """{(file, line, function): count} of Python's calls of the package's functions, once kernels are loaded."""
    import fastmlp

    home, found = str(Path(fastmlp.__file__).parent), Counter()

    def see(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(home):  # or going on with a generator
            found[code.co_filename[len(home) + 1 :], code.co_firstlineno, code.co_name] += 1

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            run()
        sys.setprofile(see)
        try:
            run()
        finally:
            sys.setprofile(None)
    return found


def print_calls():
    with tempfile.TemporaryDirectory() as folder:
        for name, run in trainings(folder).items():
            found = calls_of(run)
            files = {file for file, _, _ in found}
            rooms = {file.removesuffix(".py").split("/")[0] for file in files}
            calls = f"{sum(found.values())} calls of {len(found)} functions"
            print(f"{name}: {calls} of {len(files)} modules in {len(rooms)} rooms")
            print("    " + " ".join(sorted(files)))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--arrows", action="store_true")
    options.add_argument("--calls", action="store_true")
    given = options.parse_args()
    if given.calls:
        print_calls()
        return 0
    edges = arrows()
    if given.arrows:
        for (room, other), places in sorted(edges.items()):
            print(f"{room} -> {other}: {', '.join(places[:4])}{' ...' if len(places) > 4 else ''}")
    rooms = {module.split(".")[0] for module in modules()}
    bad = circles(edges)
    print(f"rooms   {len(rooms)}\narrows  {len(edges)}\ncircles {len(bad)}")
    for group in bad:
        print("        " + " ".join(group))
    if not bad:
        table = defaultdict(list)
        for room, floor in floors(edges).items():
            table[floor].append(room)
        print(f"floors  {len(table)}")
        for floor in sorted(table, reverse=True):
            print(f"{floor:4}    {' '.join(sorted(table[floor]))}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
