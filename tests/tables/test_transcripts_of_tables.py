"""`fastmlp train --transcript` and `TableModel.fit(transcript=...)`, audited by the table and the saved model."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import TableModel, Transcript
from fastmlp.cli import main
from fastmlp.storage import transcript

DRAWS = np.random.default_rng(0)
TOWNS = [str(town) for town in DRAWS.choice(["Bonn", "Ulm", "Aalen", ""], 90)]
A = DRAWS.standard_normal(90).round(3)
USUAL = ["--epochs", "12", "--hidden", "6", "--quiet"]
WRITTEN = ["--transcript", "run.jsonl", "--transcript-every", "4"]
CASES = {  # name: what is predicted, and options
    "classes": (
        "kind",
        ["--validation", "0.2", "--sample-weight", "w", "--class-weight", "x:2,y:1", "--l2", "0.1"],
    ),
    "a quantity": ("a", ["--optimizer", "adam", "--held-out", "0", "--early-stopping", "3", "--dtype", "float32"]),
    "the recipe": ("kind", ["--recipe", "--validation", "0.2"]),
}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """rows.csv and other.csv, in which one column's numbers stand in other rows."""
    monkeypatch.chdir(tmp_path)
    for name, a in (("rows.csv", A), ("other.csv", A[::-1])):
        kinds = np.where(A > 0, "x", "y")
        rows = [f"{one},{TOWNS[k]},{k % 3 + 1},{kinds[k]}" for k, one in enumerate(a)]
        Path(name).write_text("\n".join(["a,town,w,kind", *rows]) + "\n")
    return "rows.csv"


@pytest.mark.parametrize("name", CASES)
def test_the_command_s_training_is_audited(name, table, capsys):
    target, options = CASES[name]
    asked = ["train", table, "--target", target, *USUAL, *options]
    assert main([*asked, *WRITTEN, "-o", "m"]) == 0
    assert main([*asked, "-o", "plain"]) == 0
    assert TableModel.load("plain").model.digest() == TableModel.load("m").model.digest()
    audit = ["audit", "run.jsonl", "--model", "m", "--segments", "all", "--data"]
    assert main([*audit, table]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("every bit equal: 3 of 3 segments, numerics 1, ")
    assert main([*audit, "other.csv"]) == 1
    assert " is not the one that the transcript is of" in capsys.readouterr().out
    assert main(["bisect", "run.jsonl", "run.jsonl", "--data", table, "--model", "m"]) == 0


def test_the_same_command_goes_on(table, capsys):
    asked = ["train", table, "--target", "kind", *USUAL[:-1], *WRITTEN, "--json"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["files"]["transcript"] == "run.jsonl"
    whole = Path("run.jsonl").read_bytes()
    Path("run.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert main(asked[:-1]) == 0
    assert "going on from the checkpoints of run.jsonl" in capsys.readouterr().out
    assert Path("run.jsonl").read_bytes() == whole
    assert main(asked) == 2
    assert "--transcript run.jsonl has its end already: name another file, or remove it and run.jsonl.d" in (
        capsys.readouterr().err
    )


def test_python_gives_the_rows(table):
    asked = Transcript("run.jsonl", every=2, checkpoint_every=4)
    model = TableModel.fit(table, "kind", epochs=8, hidden=4, validation=0.2, sample_weight="w", transcript=asked)
    rows = model.training_rows(table)
    assert [*rows] == ["X", "y", "sample_weight", "class_weight", "validation"]
    assert len(rows["X"]) == len(rows["sample_weight"]) == 58
    found = fastmlp.audit("run.jsonl", **rows, segments="all")
    assert (found.equal, found.segments) == (True, 2)
    model.save("m")
    other = TableModel.load("m").training_rows(table)
    assert np.array_equal(rows["X"], other["X"])
    assert fastmlp.audit("run.jsonl", **other, segments="all", model="m").equal
    TableModel.fit(table, "kind", epochs=8, hidden=4, seed=3, sample_weight="w").save("another")
    assert "is not that of the model" in fastmlp.audit("run.jsonl", **rows, model="another").difference
    more = TableModel.fit(table, resume="m", epochs=4, transcript="more.jsonl", transcript_every=2)
    found = fastmlp.audit("more.jsonl", **more.training_rows(table), segments="all")
    assert ", from epoch 8 of a run that is taken as given" in found.last_line()


def test_a_file_without_names_of_columns(table, capsys):
    lines = Path(table).read_text().splitlines()
    Path("bare.csv").write_text("\n".join(lines[1:]) + "\n")
    assert main(["train", "bare.csv", "--no-header", "--target", "3", *USUAL, *WRITTEN, "-o", "m"]) == 0
    audit = ["audit", "run.jsonl", "--data", "bare.csv", "--model", "m"]
    assert main([*audit, "--no-header"]) == 0
    assert main([*audit, "--no-header", "--target", "2"]) == 2
    assert "--target 2: m predicts '3'; leave --target out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--transcript-every", "4"], "--transcript-every is of --transcript FILE"),
        (["--transcript", "run.jsonl", "--transcript-every", "0"], "--transcript-every=0 is not positive"),
        (["--transcript", "rows.csv"], "--transcript rows.csv is the table, and would be overwritten"),
        (["--transcript", "nowhere/run.jsonl"], "there is no folder nowhere"),
    ],
)
def test_wrong_options(options, said, table, capsys):
    assert main(["train", table, "--target", "kind", *USUAL, *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_wrong_arguments(table):
    with pytest.raises(ValueError, match="transcript_every is given beside a Transcript"):
        TableModel.fit(table, "kind", transcript=Transcript("run.jsonl"), transcript_every=3)
    model = TableModel.fit(table, "kind", epochs=2, hidden=2, transcript="run.jsonl")
    assert transcript.read("run.jsonl").ended
    with pytest.raises(TypeError, match="no_header is for files, and table is one ndarray"):
        model.training_rows(np.zeros((3, 3)), no_header=True)
    with pytest.raises(ValueError, match=r"transcript run.jsonl has its end already"):
        TableModel.fit(table, "kind", epochs=2, hidden=2, transcript="run.jsonl")


def test_rows_keep_their_targets():
    """Of the rows to train on and to validate on, whichever they are."""
    pd = pytest.importorskip("pandas")
    place = np.arange(200)
    frame = pd.DataFrame({"place": place, "town": np.where(place % 3, "Bonn", "Ulm"), "w": place + 1, "y": place})
    model = TableModel.fit(frame, target="y", epochs=1, validation=0.25, sample_weight="w")
    rows = model.training_rows(frame)
    assert len(rows["X"]) == 120
    assert (np.diff(rows["sample_weight"][np.argsort(rows["X"][:, 0])]) > 0).all()
    for x, y in ((rows["X"], rows["y"]), rows["validation"][:2]):
        assert (np.diff(y[np.argsort(x[:, 0]), 0]) > 0).all()
    frame["y"] = np.where(place > 70, "a", "b")
    rows = TableModel.fit(frame, target="y", epochs=1, validation=0.25).training_rows(frame)
    for x, y in ((rows["X"], rows["y"]), rows["validation"][:2]):
        assert x[y == 1, 0].max() < x[y == 0, 0].min()  # "a" is class 0
