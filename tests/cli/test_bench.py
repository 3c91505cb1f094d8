"""`fastmlp bench`: what it asks of benchmarks.compare, what it prints and writes, and its errors. Nothing is timed."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from results import result, row

import fastmlp
from fastmlp import cli
from fastmlp.cli import bench as bench_command

ROOT = Path(__file__).parents[2]
COMPARE = """
asked = []

def run(workloads, peers, dtypes, threads, quick, progress, keep, command):
    for name in workloads or ():
        if name not in ("xor", "wide"):
            raise ValueError(f"workload={name!r} is not known: use one of xor, wide")
    asked.append((workloads, peers, dtypes, threads, quick, command))
    keep({**made, "rows": []})
    for done in range(4):
        progress(done, 3, f"turn {done}")
    return made
"""


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main(["bench", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def fake(folder, made):
    """The package `benchmarks` in a folder, with a compare that returns a result."""
    package = folder / "benchmarks"
    package.mkdir()
    for name in ("__init__.py", "fair.py", "report.py", "goals.py", "plots.py"):
        shutil.copy(ROOT / "benchmarks" / name, package / name)
    (package / "compare.py").write_text(f"made = {made!r}\n{COMPARE}")


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """fastmlp.benchmarks as a wheel would have it. -> its module compare"""
    fake(tmp_path, result())
    for name in [name for name in sys.modules if name.startswith("fastmlp.benchmarks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(fastmlp, "__path__", [str(tmp_path), *fastmlp.__path__])
    yield bench_command._module("compare")
    for name in [name for name in sys.modules if name.startswith("fastmlp.benchmarks")]:
        del sys.modules[name]
    vars(fastmlp).pop("benchmarks", None)


BOTH = ["float64", "float32"]


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], (None, [], BOTH, [1], False)),
        (["--peers"], (None, None, BOTH, [1], False)),
        (["--workload", "wide", "xor", "wide", "--quick"], (["wide", "xor"], [], BOTH, [1], True)),
        (["--dtype", "float32"], (None, [], ["float32"], [1], False)),
    ],
)
def test_what_is_asked_of_compare(run, compare, arguments, asked):
    assert run(*arguments)[0] == 0
    assert compare.asked == [(*asked, " ".join(["fastmlp bench", *arguments]))]


def test_it_prints_the_report_s_tables(run, compare):
    status, out, err = run("--peers")
    assert (status, err) == (0, "")  # no bar where there is no terminal
    assert out.startswith("float64, one core\nworkload ")
    assert "Faster than every peer on 5 of 6 workloads; lost: wide.\n\n- wide: " in out
    assert out.endswith("Not measured\n- PyTorch: torch is not installed\n")


def test_it_writes_the_result(run, compare, tmp_path):
    assert run("-o", tmp_path / "mine.json")[0] == 0
    assert json.loads((tmp_path / "mine.json").read_text()) == result()
    report = bench_command._module("report")
    assert report.read(tmp_path / "mine.json") == result()


@pytest.mark.parametrize("columns", ["80", "0"])  # 0: a bare terminal that does not tell its width
def test_a_terminal_sees_a_bar(compare, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main(["bench"]) == 0
    drawn = capsys.readouterr().err.split("\r")
    for done, percent in enumerate([0, 33, 67, 100]):
        assert any(line.startswith(f"turn {done} {percent:3}%|") for line in drawn), (done, drawn)
    assert drawn[-2].strip() == ""  # gone before the table is printed


# ---------------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--workload", "xor", "xro"], "--workload='xro' is not known: use one of xor, wide"),
        (["--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["-o", "no/mine.json"], "--output no/mine.json: there is no folder no"),
        (["-o", "."], "--output . is a folder: name a file in it, like result.json"),
    ],
)
def test_arguments_are_refused_before_anything_is_measured(run, compare, arguments, line):
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"fastmlp: {line}")
    assert compare.asked == []


def test_without_the_benchmarks_a_checkout_is_asked_for(run, monkeypatch, tmp_path):
    monkeypatch.setattr(bench_command, "BESIDE", tmp_path)
    monkeypatch.setattr(bench_command.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "benchmarks").mkdir()  # another project's, without our compare
    assert run() == (
        2,
        "",
        "fastmlp: bench needs the benchmarks, which this installation lacks: in a checkout of fastmlp, "
        'pip install ".[peers]"\n',
    )


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("sklearn.datasets", "bench needs sklearn, which is not installed: pip install scikit-learn"),
        ("mlxtend", "bench needs mlxtend, which is not installed: pip install mlxtend"),
    ],
)
def test_a_library_that_is_missing_is_named(run, compare, monkeypatch, module, line):
    def fails(*_, **__):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(compare, "run", fails)
    assert run() == (2, "", f"fastmlp: {line}\n")


def test_an_error_of_compare_keeps_its_words(run, compare, monkeypatch):
    def fails(*_, **__):
        raise ValueError("no contestant could do it")

    monkeypatch.setattr(compare, "run", fails)
    assert run() == (2, "", "fastmlp: no contestant could do it\n")


def test_ctrl_c_ends_with_130_and_keeps_what_was_measured(run, compare, monkeypatch, tmp_path):
    def stopped(*_, keep, **__):
        keep({"so": "far"})
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "run", stopped)
    assert run("-o", tmp_path / "mine.json") == (130, "", "fastmlp: stopped by Ctrl-C\n")
    assert json.loads((tmp_path / "mine.json").read_text()) == {"so": "far"}


# ---------------------------------------------------------------------------------------------------------
# Where the benchmarks are


def test_a_checkout_s_benchmarks_lie_beside_the_package(tmp_path):
    """In another process and folder, so that it is the place that finds them."""
    (tmp_path / "pyproject.toml").write_text("")
    fake(tmp_path, result([row("xor", "fastmlp", 14.8)], startup=[], missing=[]))
    script = "import sys; from pathlib import Path; from fastmlp import cli\n"
    script += "from fastmlp.cli import bench as bench_command\n"
    script += f"bench_command.BESIDE = Path({str(tmp_path)!r}); sys.exit(cli.main(['bench']))"
    path = os.pathsep.join(entry for entry in [str(ROOT), os.environ.get("PYTHONPATH", "")] if entry)
    (tmp_path / "elsewhere").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": path},
    )
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[:4] == [
        "float64, one core",
        "workload  us a step     quartiles  of peak",
        "--------  ---------  ------------  -------",
        "xor            14.8  14.5 to 15.2     60 %",
    ]


def test_the_package_s_own_place_is_the_checkout():
    assert (bench_command.BESIDE / "fastmlp" / "cli" / "bench.py").samefile(bench_command.__file__)


# ---------------------------------------------------------------------------------------------------------
# Help


@pytest.mark.parametrize("columns", [60, 100, 300])
def test_help(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert out.startswith("usage: fastmlp bench")
    assert columns == 60 or max(map(len, out.splitlines())) <= 100


def test_help_imports_nothing_heavy():
    script = "import sys, fastmlp.cli; fastmlp.cli.main(['bench', '--help'])\n"
    script += "sys.exit(', '.join({'numba', 'llvmlite', 'matplotlib', 'benchmarks', 'tqdm'} & {*sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == "\n"


def test_every_option_of_the_design_is_there():
    parser = argparse.ArgumentParser()
    bench_command.add(parser.add_subparsers())
    args = parser.parse_args(["bench", "--workload", "a", "b", "--peers", "--quick", "--dtype", "float32", "-o", "f"])
    assert (args.workload, args.peers, args.quick) == (["a", "b"], True, True)
    assert (args.dtype, args.output) == (["float32"], Path("f"))
