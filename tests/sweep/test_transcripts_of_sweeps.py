"""`train_many(transcript=Each(...))` and `Sweep.fit(transcripts=...)`: one transcript for each model, as alone."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import DivergenceError, EarlyStopping, Model, Transcript
from fastmlp.fit import lanes
from fastmlp.storage import transcript
from fastmlp.sweep import Each, Sweep, train_many

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((90, 4)), DRAWS.integers(0, 3, 90)
WEIGHTS = np.arange(90) % 3 + 1.0
OPTIONS = {"validation": 0.2, "sample_weight": WEIGHTS, "epochs": 8, "batch_size": 16, "class_weight": "balanced"}


def grid():
    return Sweep(
        {"learning_rate": [0.01, 0.1], "seed": [1, 2]},
        base={"width": 6, "standardize": True, "dtype": "float32", "early_stopping": EarlyStopping(3)},
        seed=5,
    )


def heads(folder):
    """The heads of the chains, by the files' names."""
    return {path.name: transcript.read(path).hash for path in sorted(Path(folder).glob("*.jsonl"))}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_models_that_are_there():
    parts = [np.arange(60), np.arange(30, 90), None, np.array([3] * 5 + [7] * 9)]
    asked = ["a", Transcript("b", every=3), None, "d"]
    options = {"epochs": 12, "learning_rate": Each([0.1, 0.2, 0.3, 0.4]), "batch_size": 16}
    made = [[Model([4, 6, 3], seed=seed) for seed in range(4)] for _ in range(2)]
    rows = Each([np.arange(90) if part is None else part for part in parts])
    plain = train_many(made[0], X, Y, rows=rows, **options)
    found = train_many(made[1], X, Y, rows=rows, transcript=Each(asked), **options)
    assert [result.digest for result in found] == [result.digest for result in plain]
    assert [result.point for result in found] == [result.point for result in plain]
    assert sorted(os.listdir()) == ["a", "a.d", "b", "b.d", "d", "d.d"]
    for name, part in (("a", parts[0]), ("b", parts[1]), ("d", parts[3])):
        assert fastmlp.audit(name, X[part], Y[part], segments="all").equal
    alone = Model([4, 6, 3], seed=1)
    alone.fit(X[30:], Y[30:], epochs=12, learning_rate=0.2, batch_size=16, transcript=Transcript("alone", every=3))
    assert transcript.read("alone").hash == transcript.read("b").hash


@pytest.mark.parametrize(
    "options",
    [{}, {"batch_size": 16, "record_every": 5, "optimizer": "adam"}, {"learning_rate": 1e200}, {"target_loss": 1.05}],
    ids=["all rows", "batches", "diverges", "a target"],
)
def test_models_in_lockstep(options, monkeypatch):
    """Of one group, which a kernel trains together."""
    monkeypatch.setattr(lanes, "force", True)
    models = [Model([4, 6, 3], seed=seed) for seed in range(3)]
    asked = [Transcript(f"{seed}", every=4) for seed in range(3)]
    found = train_many(models, X, Y, epochs=23, transcript=Each(asked), threads=1, **options)
    assert [result.together for result in found] == [3] * 3
    for seed in range(3):
        with contextlib.suppress(DivergenceError):
            Model([4, 6, 3], seed=seed).fit(X, Y, epochs=23, transcript=Transcript("alone", every=4), **options)
        assert transcript.read("alone").hash == transcript.read(f"{seed}").hash
        assert fastmlp.audit(f"{seed}", X, Y, segments="all").equal
        os.unlink("alone")
        shutil.rmtree("alone.d")


def test_one_file_is_of_one_model():
    models = [Model([4, 3], seed=seed) for seed in range(2)]
    with pytest.raises(TypeError, match=r"transcript='a' is one for 2 models: give Each"):
        train_many(models, X, Y, epochs=2, transcript="a")
    with pytest.raises(ValueError, match=r"transcript\[1\] is that of model 0, .*a: give each model its own"):
        train_many(models, X, Y, epochs=2, transcript=Each(["a", Transcript("./a")]))
    with pytest.raises(TypeError, match="transcript=3 is no path"):
        train_many(models, X, Y, epochs=2, transcript=Each([3, "b"]))
    assert os.listdir() == []
    assert train_many(models[:1], X, Y, epochs=2, transcript="a")[0].state == "trained"
    found = train_many(models, X, Y, epochs=2, transcript=Each(["a", "b"]))
    assert [result.state for result in found] == ["failed", "trained"]
    assert "exists, and is not written over" in found[0].reason


def test_a_sweep_s_models():
    sweep = grid()
    table, plain = sweep.fit(X, Y, **OPTIONS, transcripts=Transcript("runs", every=2)), grid().fit(X, Y, **OPTIONS)
    assert [result.digest for result in table] == [result.digest for result in plain]
    assert [*heads("runs")] == [f"point-00000{number}.jsonl" for number in range(4)]
    for number, result in enumerate(table.results):
        result.model.save("model")
        rows = sweep.training_rows(number, X, Y, **OPTIONS)
        path = f"runs/point-00000{number}.jsonl"
        assert fastmlp.audit(path, **rows, segments="all", model="model").difference is None
    with pytest.raises(ValueError, match="number=4 is no point of 4"):
        sweep.training_rows(4, X, Y, **OPTIONS)
    with pytest.raises(FileExistsError, match=r"transcripts='runs' is not empty \('point"):
        sweep.fit(X, Y, **OPTIONS, transcripts="runs")
    with pytest.raises(TypeError, match="transcripts=3 is no path"):
        sweep.fit(X, Y, **OPTIONS, transcripts=3)
    with pytest.raises(ValueError, match=r"the grid has 'transcript', and each model of a sweep has its own"):
        Sweep({"transcript": ["a"]})


def test_a_sweep_that_was_killed_continues():
    """As it ended, as it trained, and as it began; before their results were written."""
    options = {**OPTIONS, "folder": "home", "transcripts": Transcript("runs", every=2)}
    table = grid().fit(X, Y, **options)
    whole = heads("runs")
    for number, left in ((0, None), (1, -2), (2, 1)):
        os.unlink(f"home/point-00000{number}.safetensors")
        path = Path(f"runs/point-00000{number}.jsonl")
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
    os.unlink("home/point-000003.safetensors")
    os.unlink("runs/point-000003.jsonl")
    shutil.rmtree("runs/point-000003.jsonl.d")
    again = grid().fit(X, Y, **options)
    assert [result.state for result in again.results] == ["trained"] * 4
    assert [result.digest for result in again.results] == [result.digest for result in table.results]
    assert heads("runs") == whole


def test_by_joblib():
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("threading", n_jobs=2):
        table = grid().fit(X, Y, **OPTIONS, backend="joblib", transcripts="runs")
    assert [result.state for result in table.results] == ["trained"] * 4
    assert all(transcript.read(f"runs/{name}").ended for name in heads("runs"))
