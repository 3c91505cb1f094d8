"""Sweeps in a folder: killed and continued, refused, damaged."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from storms import Bolt
from sweep.killed import GRID, run
from sweep.tables import blobs, table

from fastmlp import Model
from fastmlp.storage import checkpoints
from fastmlp.sweep import Result, Sweep, folder, load
from fastmlp.sweep.check import check_all
from fastmlp.sweep.rows import Rows

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole():
    return run()


def started(place):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(ROOT / "tests" / "sweep" / "killed.py"), str(place)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True)


def files(place):
    return {path.name: path.read_bytes() for path in place.glob("point-*")} if place.exists() else {}


def kill_at_random(place, kills, draw):
    """Starts the sweep again and again, and kills it once it has done some more. -> how often it was killed."""
    killed = 0
    for _ in range(kills):
        before = files(place)
        child = started(place)
        wanted = len(before) + draw.randint(1, 12)
        end = time.monotonic() + 60
        while child.poll() is None and len(files(place)) < wanted and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.02)
        killed += child.poll() is None
        child.send_signal(signal.SIGKILL)
        child.communicate()
        after = files(place)
        assert before.items() <= after.items()  # what was finished is not done again
    return killed


def check_killed(place, kills, seed, whole):
    assert kill_at_random(place, kills, random.Random(seed)) > 0
    there = load(place)
    assert 0 < sum(found.state != "not run" for found in there) <= len(whole)
    before = files(place)
    assert table(run(place)) == table(whole)
    assert before.items() <= files(place).items()
    assert table(run(place)) == table(whole)  # from files alone
    assert not [name for name in os.listdir(place) if name.endswith(".new")]
    read = load(place)
    assert [found.digest for found in read] == [found.digest for found in whole]
    assert read.to_dict()["validation_loss"] == whole.to_dict()["validation_loss"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
def test_a_sweep_that_is_killed_goes_on(tmp_path, whole):
    assert {found.state for found in whole} == {"trained", "diverged"}
    check_killed(tmp_path / "sweep", 2, 1, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_a_sweep_that_is_killed_often_goes_on(tmp_path, whole, seed):
    check_killed(tmp_path / "sweep", 8, seed, whole)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """(folder, sweep, X, y) of a sweep that has ended."""
    place = tmp_path_factory.mktemp("small") / "sweep"
    X, y = blobs()
    sweep = Sweep({"learning_rate": [0.1, 0.2], "seed": [0, 1]})
    sweep.fit(X, y, epochs=3, folder=place)
    return place, sweep, X, y


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"X": 1}, "its X is not this one"),
        ({"y": 1}, "its y is not this one"),
        ({"sample_weight": np.ones(60)}, "its sample_weight is not this one"),
        ({"validation": 0.2}, "its validation is not this one"),
        ({"epochs": 4}, "point 0 has epochs=3 there, and 4 here"),
        ({"l2": 0.1}, "point 0 has l2='not given' there, and 0.1 here"),
        ({"grid": {"learning_rate": [0.1, 0.2], "seed": [0, 1, 2]}}, "it has 4 points, and this one has 6"),
        ({"grid": {"learning_rate": [0.1, 0.2], "seed": [0, 7]}}, "point 1 has seed=1 there, and 7 here"),
    ],
)
def test_another_sweep_is_refused(small, change, says):
    place, sweep, X, y = small
    before = files(place)
    options = {"epochs": 3, **change}
    sweep = Sweep(options.pop("grid", {"learning_rate": [0.1, 0.2], "seed": [0, 1]}))
    X, y = X + options.pop("X", 0), (y + options.pop("y", 0)) % 3
    with pytest.raises(ValueError, match=f"has another sweep: {says}"):
        sweep.fit(X, y, folder=place, **options)
    assert files(place) == before


def test_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("chapter one")
    X, y = blobs()
    with pytest.raises(ValueError, match="has no sweep, and is not empty"):
        Sweep({"seed": [0]}).fit(X, y, epochs=1, folder=tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    with pytest.raises(TypeError, match="folder=3 is no path"):
        Sweep({"seed": [0]}).fit(X, y, epochs=1, folder=3)
    with pytest.raises(NotADirectoryError, match=r"folder='.*thesis.tex' is a file: name a folder"):
        Sweep({"seed": [0]}).fit(X, y, epochs=1, folder=tmp_path / "thesis.tex")
    with pytest.raises(ValueError, match=r"folder='.*' has no sweep"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nowhere'"):
        load(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError, match=r"thesis.tex' is a file: name a folder"):
        load(tmp_path / "thesis.tex")


def test_a_damaged_file_is_told(small, tmp_path):
    place, sweep, X, y = small
    copy = tmp_path / "copy"
    shutil.copytree(place, copy)
    file = copy / "point-000002.safetensors"
    content = bytearray(file.read_bytes())
    for at in (3, len(content) // 2, len(content) - 1):
        damaged = content.copy()
        damaged[at] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"point-000002.safetensors .*Remove this file"):
            sweep.fit(X, y, epochs=3, folder=copy)
    file.unlink()
    again = sweep.fit(X, y, epochs=3, folder=copy)
    assert file.read_bytes() != content  # seconds differ
    assert table(again) == table(sweep.fit(X, y, epochs=3, folder=place))
    shutil.copy(copy / "point-000001.safetensors", file)
    with pytest.raises(ValueError, match="is not of this sweep"):
        sweep.fit(X, y, epochs=3, folder=copy)


def test_points_are_models(small):
    place, sweep, _, _ = small
    assert Model.load(place / "point-000001.safetensors").digest() == sweep.result[1].digest


@pytest.mark.skipif(folder.fcntl is None, reason="this system has no locks of folders")
def test_one_process_at_a_time(tmp_path):
    place = tmp_path / "sweep"
    child = started(place)
    try:
        while not files(place):
            time.sleep(0.01)
        with pytest.raises(RuntimeError, match="another process runs its sweep"):
            run(place)
    finally:
        child.kill()
        child.communicate()


def test_failed_points_are_tried_again(tmp_path, monkeypatch):
    X, y = blobs()
    sweep = Sweep({"init": [0.1, 0.2]})
    made = Model.__init__

    def full(self, layers, *, init, **options):
        if init == 0.2:
            raise MemoryError("no memory")
        made(self, layers, init=init, **options)

    monkeypatch.setattr(Model, "__init__", full)
    first = sweep.fit(X, y, epochs=2, folder=tmp_path)
    assert [found.state for found in first] == ["trained", "failed"]
    assert first[1].reason == "MemoryError: no memory"
    monkeypatch.undo()
    assert [found.state for found in sweep.fit(X, y, epochs=2, folder=tmp_path)] == ["trained"] * 2


def test_a_point_that_failed_while_it_trained_has_no_file(tmp_path):
    X, y = blobs()
    rows = Rows(X, y)
    asks = check_all([{"epochs": 1}], {}, rows)
    home = folder.Folder(tmp_path, asks, rows)
    home.write(Result(0, {}, "failed", "MemoryError", model=Model([4, 3])))
    home.close()
    assert os.listdir(tmp_path) == [folder.NAME]


def test_diverged_points_are_read_as_they_were(tmp_path):
    """Early stopping has seen a best epoch, and its weights are not restored."""
    X, _ = blobs()
    sweep = Sweep({"learning_rate": [1e4], "early_stopping": [50]}, base={"output": "identity"})
    first = sweep.fit(X, X[:, 0] * X[:, 1], epochs=50, folder=tmp_path)
    assert first[0].state == "diverged"
    assert first[0].best_epoch < first[0].epochs
    assert first[0].loss == first[0].history.loss[-1]
    assert table(sweep.fit(X, X[:, 0] * X[:, 1], epochs=50, folder=tmp_path)) == table(first)
    assert load(tmp_path)[0].loss == first[0].loss


def test_a_full_disk_ends_the_sweep(tmp_path, monkeypatch):
    X, y = blobs()
    sweep = Sweep({"seed": range(5)})
    write = checkpoints.write

    def full(path, moment, sync=True):
        if path.endswith("3.safetensors"):
            raise OSError(28, "No space left on device")
        write(path, moment, sync)

    monkeypatch.setattr(checkpoints, "write", full)
    with pytest.raises(OSError, match="No space left"):
        sweep.fit(X, y, epochs=2, folder=tmp_path, threads=1)
    done = [found.number for found in sweep.result if found.state == "trained"]
    assert 3 not in done
    monkeypatch.undo()
    again = sweep.fit(X, y, epochs=2, folder=tmp_path)
    assert table(again) == table(sweep.fit(X, y, epochs=2))


@pytest.mark.parametrize("keep", ["all", "best", "none"])
def test_models_that_are_kept(tmp_path, keep):
    X, y = blobs()
    sweep = Sweep({"seed": range(6)})
    for _ in range(2):  # trained, then read
        result = sweep.fit(X, y, epochs=5, validation=0.2, keep=keep, folder=tmp_path)
        there = [found.number for found in result if found.model is not None]
        assert there == {"all": list(range(6)), "best": [result.best().number], "none": []}[keep]
        assert all(found.digest for found in result)


def test_the_grid_is_large_enough():
    assert np.prod([len(values) for values in GRID.values()]) == 48


def test_an_exception_at_any_moment_leaves_no_lock(tmp_path):
    """From the lock to the first point: the same call goes on."""
    X, y = np.eye(3), [0, 1, 0]

    def call(name):
        return Sweep({"seed": range(2)}, base={"width": 3}).fit(X, y, epochs=1, folder=tmp_path / name, threads=1)

    call("before")
    with Bolt(None) as seen:
        call("counted")
    first = seen.functions.index("_opened")
    sizes = [n for n, name in enumerate(seen.functions) if name == "_size" and n > first]
    taken = [n for n in range(first, sizes[0]) if seen.functions[n] in ("_opened", "_take")]
    closed = [n for n, name in enumerate(seen.functions) if name == "close" and n > first]
    begun = range(first, sizes[0], 97)
    struck = 0
    for n in sorted({*taken, *begun, *sizes[:20], *closed}):
        bolt = Bolt(n)
        try:
            with bolt:
                call(f"folder {n}")
        except KeyboardInterrupt:
            struck += 1
        assert [one.state for one in call(f"folder {n}")] == ["trained"] * 2, bolt.place
    assert struck > len(taken)
