"""`fastmlp study`: the table, the sentences, the figure, and errors of one line."""

import importlib.util
import json

import pytest

from fastmlp import cli, study
from fastmlp.cli import study as command

FEW = ["--dataset", "xor", "--quick", "--epochs", "60", "--seeds", "1"]


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main(["study", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


def test_it_prints_the_study(run, tmp_path):
    path = tmp_path / "study.json"
    status, said, errors = run(*FEW, "--json", path)
    found = study.run("xor", quick=True, epochs=60, seeds=1)
    assert (status, said, errors) == (0, f"{found!r}\n", "")
    assert json.loads(path.read_text()) == found.to_dict()
    assert "- A network without hidden layers did not solve xor in any of its 8 runs (" in said


def test_it_prints_json(run):
    status, said, errors = run(*FEW, "--json", "-")
    assert (status, errors) == (0, "")
    assert json.loads(said) == study.run("xor", quick=True, epochs=60, seeds=1).to_dict()


def test_it_draws(run, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    path = tmp_path / "study.png"
    assert run(*FEW, "--plot", path)[0] == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_table_is_printed_and_a_sentence_says_what_to_install(run, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else found(name))
    status, said, errors = run(*FEW, "--plot", tmp_path / "study.png")
    assert status == 2
    assert said.startswith("xor: 4 rows")
    assert errors.startswith(
        'fastmlp: --plot needs matplotlib, which is not installed: pip install "fastmlp[plot]", or in '
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset", "moons"], "argument --dataset: invalid choice: 'moons'"),
        (["--epochs", "0"], "--epochs=0 is not positive"),
        (["--seeds", "0"], "--seeds=0 is not positive"),
        (["--seed", "-1"], "--seed=-1 is out of range"),
        (["--goal", "3"], "--goal=3.0 is no fraction of the rows"),
        (["--threads", "0"], "--threads=0 is not positive"),
        (["--json", "/there/is/none.json"], "there is no folder"),
        (["--plot", "a.png", "--json", "a.png"], "is the file of --plot, too"),
        (["--plot", "a.xyz"], ".xyz is not a format of matplotlib"),
    ],
)
def test_errors_are_one_line_and_come_before_the_work(run, arguments, said):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    status, out, errors = run(*arguments)
    assert (status, out, errors.count("\n")) == (2, "", 1)
    assert said in errors


def test_its_data_sets_are_those_of_the_study():
    from fastmlp.study.datasets import DATASETS

    assert tuple(DATASETS) == command.DATASETS
