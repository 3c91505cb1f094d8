"""No contestant's BLAS is held back by the environment; where one is, the result is not called fair."""

import ast
import io
import json
import os
import platform
import subprocess
import sys
import types
from pathlib import Path

import pytest
import results

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/ lies beside the package

from benchmarks import children, compare, contestants, cores, fair, memory, paired, quick, startup  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402

VARIABLE = "OPENBLAS_CORETYPE"
OLD = "Nehalem"  # an OpenBLAS on x86 runs these kernels where it is told to: no AVX, a quarter of the speed or so
X86 = platform.machine().lower() in ("x86_64", "amd64")
PLANTED = {VARIABLE: OLD, "OPENBLAS_L2_SIZE": "64", "MKL_CBWR": "COMPATIBLE"}


@pytest.fixture
def held_environment(monkeypatch):
    """As on the machine where this was found out: the variables are set when the benchmarks are called."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


def run_python(script, **more):
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**fair.without(os.environ), "PYTHONPATH": paths, **more}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=True)
    return ended.stdout.strip()


# ---------------------------------------------------------------------------------------------------------
# Environments


def test_what_is_taken_out():
    environment = {"PATH": "here", "OPENBLAS_VERBOSE": "2", "OPENBLAS_NUM_THREADS": "1", **PLANTED, "MKL_VERBOSE": ""}
    assert fair.held_back(environment) == [VARIABLE, "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_VERBOSE"]
    assert fair.without(environment) == {"PATH": "here", "OPENBLAS_VERBOSE": "2", "OPENBLAS_NUM_THREADS": "1"}
    assert not fair.held_back(cores.environment(1))  # what we set ourselves


def test_an_environment_is_this_process_s_without_them(held_environment, monkeypatch):
    monkeypatch.setenv("OF_THE_USER", "kept")
    made = fair.environment(MORE="1")
    assert not fair.held_back(made)
    assert (made["OF_THE_USER"], made["MORE"]) == ("kept", "1")
    assert os.environ[VARIABLE] == OLD


class Started(Exception):
    """Instead of a process."""


@pytest.fixture
def environments(held_environment, monkeypatch):
    """The environments that processes would have been started with."""
    seen = []

    def start(command, **more):
        seen.append(more.get("env") or dict(os.environ))
        raise Started

    for name in ("run", "Popen"):
        monkeypatch.setattr(subprocess, name, start)
    return seen


def side(tmp_path):
    paired.Side(str(ROOT), "", tmp_path, 0)


def asv_start(tmp_path):
    from benchmarks.asv import tracks

    tracks.Start().process(tmp_path / "cache", "float64")


@pytest.mark.parametrize(
    "start",
    [
        lambda folder: children.Child("numpy", "xor@20", "float64", cores.chosen(1)),
        lambda folder: startup.run(str(folder), cores.chosen(1)),
        lambda folder: memory.measure(WORKLOADS["xor"], "float64"),
        side,
        asv_start,
    ],
    ids=["children", "startup", "memory", "paired", "asv"],
)
def test_every_process_starts_without_them(environments, tmp_path, start):
    with pytest.raises(Started):
        start(tmp_path)
    assert [fair.held_back(environment) for environment in environments] == [[]]
    assert environments[0]["PATH"] == os.environ["PATH"]


def test_a_process_between_two_checkouts_starts_without_them(held_environment, tmp_path, monkeypatch):
    """The first fits' processes, too, which the pair starts one by one."""
    made = types.SimpleNamespace(stdout=io.StringIO('["a row"]\n'))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: made)
    seen = []
    monkeypatch.setattr(subprocess, "run", lambda *_, env, **__: seen.append(env))
    both = paired.Side(str(ROOT), "", tmp_path, 0)
    for name in paired.PROCESSES:
        both.process_seconds(name)
    assert len(seen) == len(paired.PROCESSES)
    assert not any(fair.held_back(environment) for environment in [both.env, *seen])


def careless(source):
    """Lines that start a process of Python without `env=`, or make an environment without `fair`."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.run", "subprocess.Popen"):
            program = ast.unparse(node.args[0])
            if not program.startswith("['git'") and "env" not in {keyword.arg for keyword in node.keywords}:
                lines.append(node.lineno)
        copied = isinstance(node, ast.Dict) and any(
            key is None and ast.unparse(value) == "os.environ"
            for key, value in zip(node.keys, node.values, strict=True)
        )
        called = isinstance(node, ast.Call) and ast.unparse(node) in ("os.environ.copy()", "dict(os.environ)")
        if copied or called:
            lines.append(node.lineno)
    return lines


def test_no_other_place_starts_a_process():
    """Whoever adds one has to give it an environment, by `fair.environment`."""
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        assert not careless(path.read_text()), path
    for planted in (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''])",
        "import subprocess, sys\nsubprocess.Popen(command, stdin=None)",
        "import os\nenvironment = {**os.environ, 'A': '1'}",
        "import os\nenvironment = os.environ.copy()",
        "import os\nenvironment = dict(os.environ)",
    ):
        assert careless(planted) == [2]


# ---------------------------------------------------------------------------------------------------------
# A process of its own: what it runs, and what it says


def first_of(child):
    with child:
        return child.first


def test_a_child_runs_the_kernels_that_its_blas_chooses_itself(held_environment):
    pytest.importorskip("threadpoolctl")
    first = first_of(children.Child("numpy", "xor@20", "float64", cores.chosen(1)))
    assert first["held_back"] == []
    assert first["blas"]
    assert not any(OLD in library for library in first["blas"])


def test_a_child_that_is_held_back_says_so(held_environment, monkeypatch, tmp_path):
    """An environment that is not cleaned, and a NumPy that read it before the benchmarks could: really slow kernels."""
    (tmp_path / "sitecustomize.py").write_text("import numpy\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(children.fair, "without", dict)
    first = first_of(children.Child("numpy", "xor@20", "float64", cores.chosen(1)))
    assert first["held_back"] == list(PLANTED)
    if X86 and first["blas"] and any(library.startswith("OpenBLAS") for library in first["blas"]):
        assert any(OLD in library for library in first["blas"])


def test_a_child_cleans_its_own_environment(held_environment, monkeypatch):
    """Where NumPy has not been loaded, to import the benchmarks is enough."""
    monkeypatch.setattr(children.fair, "without", dict)
    first = first_of(children.Child("numpy", "xor@20", "float64", cores.chosen(1)))
    assert first["held_back"] == []
    assert not any(OLD in library for library in first["blas"] or ())


SAY = "import json; from benchmarks import fair; print(json.dumps([fair.held(), fair.line()]))"


def test_a_command_that_times_numpy_itself_says_which_blas():
    pytest.importorskip("threadpoolctl")
    held, line = json.loads(run_python(f"import benchmarks, numpy\n{SAY}", **PLANTED))
    assert held == []
    assert line.startswith("BLAS: ")
    assert OLD not in line


def test_a_command_that_comes_too_late_says_that_it_is_not_fair():
    held, line = json.loads(run_python(f"import numpy, benchmarks\n{SAY}", **PLANTED))
    assert held == list(PLANTED)
    assert line == (
        "not fair: OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE, MKL_CBWR held OpenBLAS and MKL back, as NumPy had been loaded "
        "before: unset them, and measure again"
    )


@pytest.mark.parametrize("name", ["quick", "estimators"])
def test_what_is_not_fair_is_not_written_into_a_page(monkeypatch, capsys, name, tmp_path):
    if name == "estimators":
        pytest.importorskip("sklearn")
    from benchmarks import estimators

    module, place = {"quick": (quick, "README"), "estimators": (estimators, "PAGE")}[name]
    monkeypatch.setattr(module, place, tmp_path / "page.md")
    monkeypatch.setattr(estimators, "one_thread", lambda: None)
    monkeypatch.setattr(fair, "_late", set())
    for variable in fair.HELD_BACK:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(VARIABLE, OLD)
    with pytest.raises(SystemExit):
        module.main(["--write"])
    assert f"not fair: {VARIABLE} held OpenBLAS back" in capsys.readouterr().err
    assert not (tmp_path / "page.md").exists()


def test_without_threadpoolctl_that_is_said(monkeypatch):
    monkeypatch.setattr(fair, "_late", set())
    for name in fair.HELD_BACK:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert fair.blas() is None
    assert fair.line() == "threadpoolctl is not installed: which BLAS ran is not known"


def test_libraries_in_words(monkeypatch):
    found = [
        {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31.188.0", "architecture": "Haswell"},
        {"user_api": "openmp", "internal_api": "openmp", "version": None},
        {"user_api": "blas", "internal_api": "mkl", "version": "2024.2-Product"},
        {"user_api": "blas", "internal_api": "openblas", "version": "0.3.31", "architecture": "Haswell"},
        {"user_api": "blas", "internal_api": "another", "version": None, "architecture": "zen3"},
    ]
    monkeypatch.setitem(sys.modules, "threadpoolctl", types.SimpleNamespace(threadpool_info=lambda: found))
    assert fair.blas() == ["OpenBLAS 0.3.31 (Haswell)", "MKL 2024.2-Product", "another (zen3)"]


def test_libraries_that_threadpoolctl_does_not_see(monkeypatch):
    """PyTorch's BLAS is a part of its own library: it is asked itself."""
    shown = "PyTorch built with:\n  - GCC 11.2\n  - Intel(R) oneAPI Math Kernel Library Version 2024.2-Product for "
    shown += "Intel(R) 64\n  - Intel(R) MKL-DNN v3.7.1 (Git Hash abc)\n  - Build settings: BLAS_INFO=mkl, USE_MKL=ON\n"
    torch = types.ModuleType("torch")
    torch.__config__ = types.SimpleNamespace(show=lambda: shown)
    cpu = types.SimpleNamespace(get_cpu_capability=lambda: "AVX2")
    torch.backends = types.SimpleNamespace(cpu=cpu)
    monkeypatch.setitem(sys.modules, "torch", torch)
    (told,) = contestants.module("torch_eager").products()
    assert told == "oneAPI Math Kernel Library Version 2024.2-Product, MKL-DNN v3.7.1 (Git Hash abc) (AVX2)"
    assert contestants.module("torch_compiled").products() == [told]
    (ours,) = contestants.module("fastmlp").products()
    assert ours.startswith("its own kernels (registers of ")


# ---------------------------------------------------------------------------------------------------------
# Results


def test_a_planted_peer_that_is_held_back_makes_a_result_unfair(monkeypatch, tmp_path, capsys):
    """From its process to the words of compare and report: a peer that sets a variable by itself."""
    from benchmarks import report

    (tmp_path / "planted_held.py").write_text(
        f"import os\nos.environ[{VARIABLE!r}] = {OLD!r}\nfrom benchmarks.contestants.numpy_ import *\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv(VARIABLE, OLD)  # and monkeypatch takes away again what the module sets in this process
    monkeypatch.setattr(compare.startup, "measure", lambda turns, pins: [])
    place = tmp_path / "mine.json"
    compare.main(["--workload", "xor@20", "--peers", "numpy", ":planted_held", "--dtype", "float64", "--threads", "1",
                  "--quick", "--out", str(place)])  # fmt: skip
    why = f":planted_held: {VARIABLE} held OpenBLAS back"
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if "not fair" in line] == [f"not fair: {why}"]
    assert out.startswith("not fair")  # above the figures
    assert "\nBLAS of fastmlp: its own kernels (registers of " in out
    assert "\nBLAS of numpy: " in out
    rows = {row["contestant"]: row for row in json.loads(place.read_text())["rows"]}
    assert {name: row["held_back"] for name, row in rows.items()} == {
        "fastmlp": [], "numpy": [], ":planted_held": [VARIABLE]
    }  # fmt: skip
    assert all(row["blas"] is None or row["blas"] for row in rows.values())
    assert report.main([str(place), "--check"]) == 1
    assert f"{place}: not fair: {why}" in capsys.readouterr().out.splitlines()


def fair_result(**held):
    rows = [
        results.row("xor", name, us, blas=["OpenBLAS 0.3.31 (Haswell)"], held_back=held.get(name, []))
        for name, us in (("fastmlp", 10.0), ("numpy", 200.0), ("sklearn", 300.0))
    ]
    return results.result(rows, startup=[], missing=[])


def test_the_report_of_a_fair_result_says_which_blas():
    from benchmarks import report

    made = fair_result()
    made["rows"][2]["blas"] = None
    assert report.unfair(made) == []
    for text in (report.page(made, "mine"), report.readme_table(made, "mine"), report.terminal(made)):
        assert "not fair" not in text
    assert (
        "## BLAS\n\n- fastmlp: OpenBLAS 0.3.31 (Haswell)\n- NumPy: OpenBLAS 0.3.31 (Haswell)\n"
        "- scikit-learn: threadpoolctl is not installed: which BLAS ran is not known\n"
    ) in report.page(made, "mine")
    assert (
        "\n\nBLAS\n- fastmlp: OpenBLAS 0.3.31 (Haswell)\n- NumPy: OpenBLAS 0.3.31 (Haswell)\n"
        "- scikit-learn: threadpoolctl is not installed"
    ) in report.terminal(made)
    made["rows"] = made["rows"][:1]  # fastmlp alone has nobody to be fair to
    assert "BLAS" not in report.terminal(made).replace("OpenBLAS", "")


def test_a_result_of_before_does_not_know():
    from benchmarks import report

    made = results.result()
    assert report.unfair(made) == []
    assert f"## BLAS\n\n{report.UNKNOWN_BLAS}\n" in report.page(made, "mine")


def test_the_report_of_an_unfair_result_says_so_wherever_it_shows_figures():
    from benchmarks import report

    made = fair_result(numpy=["OPENBLAS_L2_SIZE"], sklearn=[VARIABLE, "OPENBLAS_L2_SIZE"])
    said = [
        "not fair: NumPy: OPENBLAS_L2_SIZE held OpenBLAS back",
        "not fair: scikit-learn: OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE held OpenBLAS back",
    ]
    assert report.unfair(made) == said
    bold = "\n\n".join(f"**{line}**" for line in said)
    assert report.readme_table(made, "mine").startswith(bold)
    assert f"\n\n{bold}\n\n" in report.page(made, "mine")
    assert report.terminal(made).startswith("\n".join(said) + "\n\n")
    made = {**fair_result(), "goals": {"held_back": [VARIABLE]}}
    assert report.unfair(made) == ["not fair: NumPy's predictions: OPENBLAS_CORETYPE held OpenBLAS back"]


@pytest.mark.parametrize(("held", "status"), [({}, 0), ({"numpy": [VARIABLE]}, 1)])
def test_the_check_refuses_an_unfair_result_though_nothing_is_stale(monkeypatch, tmp_path, capsys, held, status):
    from benchmarks import report

    monkeypatch.setattr(report.plots, "shown", lambda result: [])
    place = tmp_path / "mine.json"
    place.write_text(json.dumps(fair_result(**held)))
    assert report.main([str(place)]) == 0
    written = capsys.readouterr()
    assert report.main([str(place), "--check"]) == status
    checked = capsys.readouterr()
    line = f"{place}: not fair: NumPy: OPENBLAS_CORETYPE held OpenBLAS back"
    assert checked.out.splitlines() == [line] * status
    assert (line in written.out.splitlines()) == bool(status)
    assert ("1 not fair: measure again" in checked.err) == bool(status)
