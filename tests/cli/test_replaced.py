"""Which files `-o` and `--plot` write over: those of their kind, and others with --force only."""

import numpy as np
import pytest

from fastmlp import Model, cli

TEXT = "a,b,y\n" + "".join(f"{k},{k * 7 % 5},{'xy'[k % 2]}\n" for k in range(40))
TRAIN = ["train", "t.csv", "--target", "y", "--epochs", "1", "--hidden", "3", "--threads", "1"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TEXT)

    def run(*arguments):
        """(exit status, standard error)"""
        return cli.main([str(argument) for argument in arguments]), capsys.readouterr().err

    return run


@pytest.mark.parametrize("content", [b"my thesis", TEXT.encode(), b"\x89PNG\r\n\x1a\n"])
def test_output_replaces_models_alone(run, tmp_path, content):
    path = tmp_path / "m"
    path.write_bytes(content)
    status, err = run(*TRAIN, "-o", "m")
    said = (
        "fastmlp: --output m is there, and is not a model of fastmlp's: name another file, or replace it with --force\n"
    )
    assert (status, err) == (2, said)
    assert path.read_bytes() == content
    assert run(*TRAIN, "-o", "m", "--force")[0] == 0
    before = path.read_bytes()
    assert before != content
    assert run(*TRAIN, "-o", "m", "--seed", 1)[0] == 0
    assert path.read_bytes() != before


@pytest.mark.parametrize("kind", ["empty", "model", "cut"])
def test_what_counts_as_a_model(run, tmp_path, kind):
    Model([2, 2]).save(tmp_path / "m")
    if kind != "model":
        (tmp_path / "m").write_bytes(b"" if kind == "empty" else (tmp_path / "m").read_bytes()[:300])
    assert run(*TRAIN, "-o", "m")[0] == (2 if kind == "cut" else 0)


def test_a_plot_replaces_pictures_alone(run, tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "p.png").write_bytes(b"notes")
    status, err = run(*TRAIN, "--plot", "p.png")
    assert status == 2
    assert "--plot p.png is there, and is not a picture" in err
    assert run(*TRAIN, "--plot", "p.png", "--force")[0] == 0
    for name in ("p.png", "p.svg", "p.pdf"):
        assert [run(*TRAIN, "--plot", name)[0] for _ in range(2)] == [0, 0]


def test_a_checkpoint_replaces_checkpoints_alone(run, tmp_path):
    (tmp_path / "c").write_bytes(b"notes")
    status, err = run(*TRAIN, "--checkpoint", "c")
    assert status == 2
    assert err.startswith("fastmlp: c is cut short")
    assert (tmp_path / "c").read_bytes() == b"notes"


def test_predictions_replace_predictions_alone(run, tmp_path):
    assert run(*TRAIN, "-o", "m")[0] == 0
    assert [run("predict", "m", "t.csv", "-o", "out.csv")[0] for _ in range(2)] == [0, 0]
    status, err = run("predict", "m", "t.csv", "-o", "out.csv", "--probabilities")
    assert status == 2
    assert "--output out.csv is there, and is not what `fastmlp predict` has written of such a model" in err
    assert run("predict", "m", "t.csv", "-o", "out.csv", "--probabilities", "--force")[0] == 0
    assert np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1).shape == (40, 2)
