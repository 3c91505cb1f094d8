"""Checkpoints: a training that is killed at any moment goes on to the bits and the history of one that is not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from models import in_another_process, said
from storms import inside

from fastmlp import Adam, DivergenceError, EarlyStopping, Model
from fastmlp.schedules import Cosine, OneCycle, ReduceOnPlateau
from fastmlp.storage import checkpoints

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((90, 4)), DRAWS.integers(0, 3, 90)
OPTIONS = {  # name: (arguments of Model, a function that gives those of fit)
    "all rows": ({}, lambda: {"epochs": 12}),
    "batches": ({}, lambda: {"epochs": 12, "batch_size": 32, "optimizer": "adam", "learning_rate": 0.01}),
    "float32": ({"dtype": "float32"}, lambda: {"epochs": 12, "batch_size": 7, "optimizer": "rmsprop"}),
    "dropout, weights, penalties": (
        {},
        lambda: {"epochs": 9, "batch_size": 32, "dropout": 0.3, "sample_weight": np.arange(90) % 4, "l2": 0.01,
                 "clip_norm": 0.5, "class_weight": "balanced"},
    ),
    "a generator": (
        {"seed": lambda: np.random.RandomState(3)},
        lambda: {"epochs": 9, "batch_size": 32, "dropout": 0.1, "validation": 0.2},
    ),
    "records now and then": ({}, lambda: {"epochs": 14, "batch_size": 32, "record_every": 5, "validation": (X, Y)}),
    "a plateau": (
        {}, lambda: {"epochs": 20, "learning_rate": ReduceOnPlateau(0.5, factor=0.5, patience=1), "record_every": 2}
    ),
    "a cycle": ({}, lambda: {"epochs": 12, "batch_size": 30, "optimizer": Adam(OneCycle(0.05, epochs=12))}),
    "early stopping": (
        {},
        lambda: {"epochs": 60, "batch_size": 16, "optimizer": "adam", "learning_rate": 0.05, "validation": 0.3,
                 "early_stopping": EarlyStopping(6)},
    ),
    "early stopping with a plateau": (
        {"seed": lambda: np.random.default_rng(5)},
        lambda: {"epochs": 60, "batch_size": 16, "optimizer": Adam(ReduceOnPlateau(0.05, patience=2)),
                 "validation": 0.3, "early_stopping": EarlyStopping(7, "validation_accuracy")},
    ),
    "a target": ({}, lambda: {"epochs": 40, "target_loss": 1.0, "batch_size": 30}),
    "the reference": ({"backend": "reference"}, lambda: {"epochs": 6, "batch_size": 50, "optimizer": "adam"}),
    "two threads": ({"hidden": "tanh"}, lambda: {"epochs": 6, "threads": 2}),
    "one epoch": ({}, lambda: {"epochs": 1}),
}  # fmt: skip


class Killed(BaseException):
    pass


def new(arguments):
    return Model([4, 6, 3], **{"seed": 1, **{k: v() if callable(v) else v for k, v in arguments.items()}})


def told(history):
    figures = history.to_dict()
    return {name: figures[name] for name in figures if name not in ("seconds", "loading", "elapsed")}


def killed_after(writes, monkeypatch):
    """Has the process end, as it were, after so many checkpoints."""
    real, count = checkpoints.write, [0]

    def write(path, moment):
        real(path, moment)
        count[0] += 1
        if count[0] == writes:
            raise Killed

    monkeypatch.setattr(checkpoints, "write", write)


@pytest.mark.parametrize("name", OPTIONS)
def test_going_on_is_as_never_having_stopped(name, tmp_path, monkeypatch):
    arguments, options = OPTIONS[name]
    whole = new(arguments)
    history = whole.fit(X, Y, **options())
    writes, ended = 0, False
    while not ended:
        writes += 1 + writes // 3
        path = tmp_path / f"{writes}.checkpoint"
        with monkeypatch.context() as patched:
            killed_after(writes, patched)
            try:
                new(arguments).fit(X, Y, **options(), checkpoint=path, checkpoint_every=2)
                ended = True
            except Killed:
                pass
        model = new(arguments)
        again = model.fit(X, Y, **options(), checkpoint=path, checkpoint_every=2, resume=True)
        assert told(again) == told(history), writes
        assert inside(model) == inside(whole), writes
        assert model.predict(X).tobytes() == whole.predict(X).tobytes()
    assert writes > 1
    third = model.fit(X, Y, **options(), resume=path)  # a fit that has ended says what it came to
    assert told(third) == told(history)
    assert Model.load(path).digest() == whole.digest()


def test_killed_again_and_again(tmp_path, monkeypatch):
    arguments, options = OPTIONS["early stopping with a plateau"]
    whole = new(arguments)
    history = whole.fit(X, Y, **options())
    for _ in range(100):
        model = new(arguments)
        with monkeypatch.context() as patched:
            killed_after(2, patched)
            try:
                again = model.fit(X, Y, **options(), checkpoint=tmp_path / "c", checkpoint_every=1, resume=True)
                break
            except Killed:
                pass
    assert told(again) == told(history)
    assert inside(model) == inside(whole)


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_a_fit_that_diverges_after_going_on_keeps_the_same_weights(backend, tmp_path, monkeypatch):
    options = {"epochs": 40, "learning_rate": Cosine(1e200, epochs=40), "batch_size": 45, "record_every": 3}

    def fit(model, **more):
        with pytest.raises(DivergenceError) as caught:
            model.fit(X, Y, **options, **more)
        return str(caught.value)

    whole = Model([4, 6, 3], hidden="identity", backend=backend)
    message = fit(whole)
    for writes in range(1, 4):
        path = tmp_path / str(writes)
        with monkeypatch.context() as patched:
            killed_after(writes, patched)
            try:
                Model([4, 6, 3], hidden="identity", backend=backend).fit(
                    X, Y, **options, checkpoint=path, checkpoint_every=1
                )
            except (Killed, DivergenceError):
                pass
        model = Model([4, 6, 3], hidden="identity", backend=backend)
        assert fit(model, checkpoint=path, resume=True) == message
        assert inside(model) == inside(whole)


# ---------------------------------------------------------------------------------------------------------
# Files


def test_some_checkpoints_are_kept(tmp_path):
    Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "run.ckpt", checkpoint_every=2, keep=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-6.ckpt", "run-8.ckpt", "run.ckpt"]
    for name, epochs in (("run-6.ckpt", 6), ("run-8.ckpt", 8), ("run.ckpt", 10)):
        alone = Model([4, 6, 3])
        alone.fit(X, Y, epochs=epochs)
        assert Model.load(tmp_path / name).digest() == alone.digest()
    again = Model([4, 6, 3])
    again.fit(X, Y, epochs=10, resume=tmp_path / "run-6.ckpt")
    assert again.digest() == alone.digest()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_of_like_names_stay(tmp_path):
    """Of other trainings, of models, and of nothing that we know."""
    for name in ("run-1.ckpt", "run-3.ckpt"):
        Model([4, 6, 3], seed=9).fit(X, Y, epochs=5, checkpoint=tmp_path / name)
    Model([4, 6, 3], seed=9).save(tmp_path / "run-6.ckpt")
    (tmp_path / "run-2.ckpt").write_bytes(b"something else")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "run.ckpt", checkpoint_every=5)
    assert set(names_in(tmp_path)) == {*before, "run.ckpt"}
    (tmp_path / "run.ckpt").unlink()
    with pytest.warns(UserWarning, match=r"run-[26]\.ckpt is there already"):
        Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "run.ckpt", checkpoint_every=2, keep=3)
    assert set(names_in(tmp_path)) == {*before, "run-4.ckpt", "run-8.ckpt", "run.ckpt"}
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_longer_training_before_under_the_same_name(tmp_path):
    Model([4, 6, 3]).fit(X, Y, epochs=20, checkpoint=tmp_path / "c", checkpoint_every=2, keep=3)
    assert names_in(tmp_path) == ["c", "c-16", "c-18"]
    Model([4, 6, 3], seed=5).fit(X, Y, epochs=10, checkpoint=tmp_path / "c", checkpoint_every=2, keep=3)
    assert names_in(tmp_path) == ["c", "c-16", "c-18", "c-6", "c-8"]


def test_what_was_put_in_the_place_of_an_older_checkpoint_stays(tmp_path):
    def put(info):
        if info.epoch == 7:
            (tmp_path / "c-2").unlink()
            (tmp_path / "c-2").write_bytes(b"mine")

    Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "c", checkpoint_every=2, keep=4, callback=put)
    assert (tmp_path / "c-2").read_bytes() == b"mine"


def cut(path, epoch=7, **options):
    """A training of 10 epochs that an exception ended; its model."""

    def press(info):
        if info.epoch == epoch:
            raise KeyboardInterrupt

    model = Model([4, 6, 3])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, epochs=10, checkpoint=path, checkpoint_every=2, callback=press, **options)
    return model


def test_older_ones_of_the_same_training_count(tmp_path):
    cut(tmp_path / "c", keep=3)
    assert names_in(tmp_path) == ["c", "c-2", "c-4"]
    Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "c", checkpoint_every=2, keep=3, resume=True)
    assert names_in(tmp_path) == ["c", "c-6", "c-8"]


def test_going_on_under_another_name(tmp_path):
    cut(tmp_path / "a")
    (tmp_path / "notes").write_text("my notes")
    again = Model([4, 6, 3])
    with pytest.raises(ValueError, match="is not a checkpoint"):
        again.fit(X, Y, epochs=10, resume=tmp_path / "a", checkpoint=tmp_path / "notes", checkpoint_every=2)
    assert (tmp_path / "notes").read_text() == "my notes"
    seen = []

    def look(info):
        seen.append((tmp_path / "b").exists())

    again.fit(X, Y, epochs=10, resume=tmp_path / "a", checkpoint=tmp_path / "b", checkpoint_every=2, callback=look)
    assert all(seen)
    assert Model.load(tmp_path / "b").digest() == again.digest()
    last = Model([4, 6, 3])
    last.fit(X, Y, epochs=10, resume=tmp_path / "b", checkpoint=tmp_path / "c", checkpoint_every=2)
    assert Model.load(tmp_path / "c").digest() == again.digest()


def test_a_training_that_has_not_ended_is_not_lost(tmp_path):
    cut(tmp_path / "c")
    with pytest.warns(UserWarning, match="has not ended"):
        Model([4, 6, 3], seed=3).fit(X, Y, epochs=4, checkpoint=tmp_path / "c")
    alone, again = Model([4, 6, 3]), Model([4, 6, 3])
    alone.fit(X, Y, epochs=10)
    again.fit(X, Y, epochs=10, checkpoint=tmp_path / "c.before", checkpoint_every=2, resume=True)
    assert again.digest() == alone.digest()


def test_another_networks_model_is_not_replaced(tmp_path):
    Model([4, 300, 3]).save(tmp_path / "best")
    with pytest.raises(ValueError, match=r"of another network, \[4, 300, 3\]"):
        Model([4, 6, 3]).fit(X, Y, epochs=4, checkpoint=tmp_path / "best")
    assert Model.load(tmp_path / "best").spec.layers == (4, 300, 3)


@pytest.mark.parametrize("name", ["no such folder/c", "text", "folder"])
def test_a_bad_name_leaves_the_last_fit_as_it_was(name, tmp_path):
    (tmp_path / "text").write_text("text")
    (tmp_path / "folder").mkdir()
    options = {"batch_size": 16, "optimizer": "adam"}
    model, alone = Model([4, 6, 3]), Model([4, 6, 3])
    history = model.fit(X, Y, epochs=5, **options)
    with pytest.raises((OSError, ValueError)):
        model.fit(X, Y, epochs=5, checkpoint=tmp_path / name, **options)
    assert model.history is history
    model.fit(X, Y, epochs=5, resume=True, batch_size=16)
    alone.fit(X, Y, epochs=10, **options)
    assert model.digest() == alone.digest()


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_has(name):
    with pytest.raises(ValueError, match="checkpoint="):
        Model([4, 6, 3]).fit(X, Y, epochs=1, checkpoint=name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_behind_a_link_older_ones_are_older(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "c").symlink_to(tmp_path / "real" / "store")
    Model([4, 6, 3]).fit(X, Y, epochs=10, checkpoint=tmp_path / "c", checkpoint_every=2, keep=3)
    found = {name: Model.load(tmp_path / name).digest() for name in ("c", "c-8", "c-6")}
    for name, epochs in (("c", 10), ("c-8", 8), ("c-6", 6)):
        alone = Model([4, 6, 3])
        alone.fit(X, Y, epochs=epochs)
        assert found[name] == alone.digest()


def test_it_stays_in_its_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    Model([4, 6, 3]).fit(
        X, Y, epochs=10, checkpoint="c", checkpoint_every=2, callback=lambda info: os.chdir(tmp_path / "elsewhere")
    )
    assert names_in(tmp_path / "elsewhere") == []
    assert Model.load(tmp_path / "c")._network.epochs == 10


def test_one_that_cannot_be_written_is_tried_as_often_as_others(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()

    def remove(info):
        if info.epoch == 3:
            shutil.rmtree(folder)

    with pytest.warns(UserWarning, match="was not written") as told:
        Model([4, 6, 3]).fit(X, Y, epochs=20, checkpoint=folder / "c", checkpoint_every=4, callback=remove)
    assert 5 <= len(told) <= 6
    assert "is unchanged" not in str(told[0].message)


def test_a_checkpoint_that_cannot_be_written_later_costs_no_training(tmp_path, monkeypatch):
    real = checkpoints.write

    def full(path, moment):
        if moment.network.epochs:
            raise OSError(28, "No space left on device")
        real(path, moment)

    monkeypatch.setattr(checkpoints, "write", full)
    model = Model([4, 6, 3])
    with pytest.warns(UserWarning, match="No space left"):
        model.fit(X, Y, epochs=4, checkpoint=tmp_path / "c", checkpoint_every=2)
    assert model._network.epochs == 4


def test_what_is_refused(tmp_path):
    model = Model([4, 6, 3])
    before = inside(model)
    other = tmp_path / "table.csv"
    other.write_text("a,b\n1,2\n")
    model_file = tmp_path / "model"
    model.save(model_file)
    cases = [
        ({"checkpoint": tmp_path / "none" / "c"}, OSError, "none"),
        ({"checkpoint": other}, ValueError, "not a checkpoint"),
        ({"checkpoint": 3}, TypeError, "checkpoint=3"),
        ({"checkpoint": ""}, ValueError, "checkpoint"),
        ({"checkpoint_every": 3}, ValueError, "checkpoint_every"),
        ({"keep": 3}, ValueError, "keep"),
        ({"checkpoint": tmp_path / "c", "keep": 0}, ValueError, "keep=0"),
        ({"checkpoint": tmp_path / "c", "checkpoint_every": 0}, ValueError, "checkpoint_every=0"),
        ({"resume": tmp_path / "nothing"}, OSError, "nothing"),
        ({"resume": model_file}, ValueError, "holds a model, not a checkpoint"),
        ({"resume": other}, ValueError, "table.csv"),
    ]
    for options, error, word in cases:
        assert word in said(error, model.fit, X, Y, epochs=2, **options)
        assert inside(model)[:2] == before[:2]
    assert other.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 7), ("batch_size", 10), ("l2", 0.1), ("learning_rate", 0.3), ("optimizer", "adam"),
        ("validation", 0.3), ("dropout", 0.2), ("shuffle", False), ("early_stopping", 4), ("record_every", 2),
        ("sample_weight", np.ones(90)), ("X", X + 1), ("y", (Y + 1) % 3),
    ],
)  # fmt: skip
def test_another_fit_does_not_go_on(name, value, tmp_path):
    options = {"X": X, "y": Y, "epochs": 6, "batch_size": 30, "learning_rate": 0.1}
    Model([4, 6, 3]).fit(**options, checkpoint=tmp_path / "c", checkpoint_every=2)
    model = Model([4, 6, 3], seed=9)
    before = inside(model)
    message = said(ValueError, model.fit, **{**options, name: value}, resume=tmp_path / "c")
    assert name in message
    assert inside(model) == before
    assert "network" in said(ValueError, Model([4, 5, 3]).fit, **options, resume=tmp_path / "c")


# ---------------------------------------------------------------------------------------------------------
# Killed

SCRIPT = """
import json, os, sys
import numpy as np
from fastmlp import EarlyStopping, Model
path = sys.argv[1]
draws = np.random.default_rng(0)
x, y = draws.standard_normal((400, 6)), draws.integers(0, 3, 400)
model = Model([6, 16, 3], seed=np.random.RandomState(1))
history = model.fit(
    x, y, epochs=400, batch_size=32, optimizer="adam", validation=0.2, early_stopping=EarlyStopping(300),
    **({"checkpoint": path, "checkpoint_every": 7, "resume": True, "keep": 2} if path else {}),
)
figures = history.to_dict()
for name in ("seconds", "loading", "elapsed"):
    figures.pop(name)
print(json.dumps([model.digest(), figures]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_random_moments(tmp_path):
    expected = json.loads(in_another_process(SCRIPT, ""))
    path = tmp_path / "c"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    draw, killed = random.Random(time.time_ns()), 0
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", SCRIPT, str(path)], env=environment, stdout=subprocess.PIPE)
        try:
            out, _ = child.communicate(timeout=draw.uniform(0.25, 0.9))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            killed += child.returncode == -signal.SIGKILL
    out = in_another_process(SCRIPT, str(path))
    assert killed
    assert json.loads(out) == expected
