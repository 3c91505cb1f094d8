"""The benchmarks run, and have a row for everything that there is. No timing decides anything."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import optimizers
from fastmlp.spec import HIDDEN, LOSSES, Spec

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(monkeypatch):
    """benchmarks/options.py, which lies beside the package and is not installed."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import options

    return options


def test_a_row_for_each_activation_loss_and_optimizer(options):
    rows = options.rows_of_table(2)
    built = [Spec.build([3, 4, 4, 2], **network) for network, _ in rows.values()]
    assert {name for spec in built for name in spec.hidden} == set(HIDDEN)
    assert {(spec.output, spec.loss) for spec in built} == {
        (o, loss) for o, losses in LOSSES.items() for loss in losses
    }
    assert {spec.loss_kernel for spec in built} >= {"softmax_smooth_cross_entropy"}
    used = [more["optimizer"] for _, more in rows.values() if "optimizer" in more]
    assert {type(optimizer) for optimizer in used} == set(optimizers.OPTIMIZERS.values())
    kernels = {kind().kernel for kind in optimizers.OPTIMIZERS.values()} | {"momentum", "nesterov"}
    assert {optimizer.kernel for optimizer in used} | {"gradient_descent"} == kernels


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_every_row_trains(options, monkeypatch, dtype, pytestconfig):
    monkeypatch.setattr("benchmarks.parts.SECONDS", 1e-4)
    rows = [*options.rows_of_table(2).items()]
    for label, (network, more) in rows if pytestconfig.getoption("--all") else rows[::8]:
        bench = options.Bench(Spec.build([3, 4, 4, 2], dtype=dtype, **network), rows=20, batch=8, **more)
        before = bench.workspace.parameters.copy()
        assert bench.turn() > 0, label
        assert np.isfinite(bench.workspace.parameters).all(), label
        if dtype == "float64":
            assert (bench.workspace.parameters != before).any(), label


def test_the_table_has_each_row_and_its_ratio_to_the_plain_one(options):
    made = options.table({options.PLAIN: [2.0, 1.0], "adam": [3.0, 1.5]}, "a step")
    assert made.splitlines()[-1] == "| adam | 3.00 us | 1.50 | 1.50 us | 1.50 |"


def test_the_page_has_a_place_for_it(options):
    text = options.PAGE.read_text()
    assert text.count(options.BEGIN) == text.count(options.END) == 1


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_predictions_are_timed_beside_numpys(options, dtype):
    from benchmarks import predict

    for count, threads in ((1, 1), (5, 1), (700, 2)):
        found = predict.ways([3, 4, 2], dtype, count, threads)
        assert set(found) - {"predictor", "PyTorch"} == {"predict_proba", "predict", "NumPy"}
        assert ("predictor" in found) == (count == 1)
        shapes = {name: function().shape for name, function in found.items()}
        assert shapes.pop("predict") == (count,)
        assert shapes.pop("predictor", (2,)) == (2,)
        assert set(shapes.values()) == {(count, 2)}
        assert all(microseconds > 0 for microseconds in predict.measure(found, turns=1).values())


# ---------------------------------------------------------------------------------------------------------
# python -m benchmarks


@pytest.fixture
def commands(options, monkeypatch):
    """benchmarks/__main__.py"""
    import importlib

    return importlib.import_module("benchmarks.__main__")


def runs_itself(folder):
    """By the text alone: files that do something when they are run, but for the list itself; and folders."""
    files = {path.stem for path in folder.glob("*.py") if '__name__ == "__main__"' in path.read_text()} - {"__main__"}
    inner = {"contestants"}  # imported only
    return files | {path.name for path in folder.iterdir() if (path / "__init__.py").is_file()} - inner


def test_every_command_is_listed_with_a_line(commands, capsys):
    known = commands.commands()
    assert set(known) == runs_itself(ROOT / "benchmarks")
    assert commands.main([]) == 0
    printed = capsys.readouterr().out.splitlines()
    for name, line in known.items():
        assert line.endswith((".", "?")), name
        assert [shown for shown in printed if shown.split()[:1] == [name]] == [
            f"    {name:{max(map(len, known))}}  {line}"
        ]
    assert commands.main(["--help"]) == 0
    assert capsys.readouterr().out.splitlines() == printed
    assert max(map(len, printed)) <= 140


def test_a_command_that_is_planted_is_listed(commands, monkeypatch, tmp_path):
    (tmp_path / "planted.py").write_text('"""One line.\n\nMore."""\nif __name__ == "__main__":\n    pass\n')
    (tmp_path / "library.py").write_text('"""No command."""\n')
    monkeypatch.setattr(commands, "FOLDER", tmp_path)
    assert commands.commands() == {"planted": "One line."}
    assert runs_itself(tmp_path) == {"planted"}


def test_the_documents_know_every_command(commands):
    """All but those that others start: a contestant's process."""
    pages = ["docs/benchmarks.md", "docs/performance.md", "docs/estimators.md", "bench_results/README.md"]
    text = "".join((ROOT / page).read_text() for page in pages)
    for name in set(commands.commands()) - {"contestant"}:
        there = {"suites": "python -m pytest benchmarks/suites", "asv": "asv run"}.get(name, f"benchmarks.{name}")
        assert there in text or f"python -m benchmarks {name}" in text, f"{name} is in no document"


def test_an_unknown_command_is_refused_in_words(commands, capsys):
    assert commands.main(["compair"]) == 2
    assert "command='compair' is not known: use one of asv, compare, " in capsys.readouterr().err


def test_a_command_gets_its_arguments_and_gives_its_status(tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "benchmarks", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)

    (tmp_path / "no.json").write_text("{}")
    ended = run("report", str(tmp_path / "no.json"))
    assert ended.returncode == 2
    assert "no.json is no result" in ended.stderr
    ended = run("compare", "--workload", "xar")
    assert ended.returncode == 2
    assert "workload='xar' is not known" in ended.stderr


@pytest.mark.parametrize(("name", "program"), [("suites", "pytest"), ("asv", "asv")])
def test_a_folder_s_program_is_started_without_variables_that_hold_back(commands, monkeypatch, name, program):
    seen = []
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")

    def run(command, env, **more):
        seen.append((command, env))
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(commands.subprocess, "run", run)
    assert commands.main([name, "--more"]) == 5
    ((command, env),) = seen
    assert command[1:3] == ["-m", program]
    assert command[-1] == "--more"
    assert "OPENBLAS_CORETYPE" not in env
