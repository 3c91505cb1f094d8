"""`fastmlp warm`: which kernels it takes, what it says, and what a process finds after it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, cli
from fastmlp.cli import warm
from fastmlp.jit import cache
from fastmlp.kernels import registry

ROOT = str(Path(fastmlp.__file__).parents[1])
ONE = ("layout.scatter", "float64")  # it compiles fast
FIT = """
import sys, numpy as np
from fastmlp import Model
x, y = np.random.RandomState(0).randn(300, 40), np.arange(300) % 3
for layers, options in (([40, 100, 3], {"optimizer": "adam", "batch_size": 32}), ([40, 8, 3], {"dropout": 0.2})):
    model = Model(layers, seed=0)
    model.fit(x, y, epochs=2, validation=0.1, l2=1e-4, **options)
    model.predict(x), model.evaluate(x, y), model.predictor()(x[0])
sys.exit("compiled" if "numba" in sys.modules else 0)
"""


def run(folder, *command, **more):
    environment = {**os.environ, "PYTHONPATH": ROOT, "FASTMLP_CACHE_DIR": str(folder), **more}
    return subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=1000)


def of_one(folder):
    """The command in a new process, where one kernel is all there is."""
    script = f"import sys\nfrom fastmlp import cli\nfrom fastmlp.cli import warm\nwarm.needed = lambda *_: [{ONE!r}]\n"
    return run(folder, "-c", script + "sys.exit(cli.main(['warm']))")


def test_it_says_what_is_there_and_where(tmp_path):
    done = of_one(tmp_path / "cache")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first.startswith("1 kernels: 0 were there, 1 compiled in ")
    assert second.startswith(f"{tmp_path / 'cache'}: 1 of them, ")
    again = of_one(tmp_path / "cache")
    assert again.stdout.startswith("1 kernels: 1 were there, 0 compiled in ")


def test_a_cache_that_cannot_be_written_is_said_once_and_is_status_1(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = of_one(tmp_path / "file" / "cache")
    assert done.returncode == 1
    assert done.stdout.startswith("1 kernels: 0 were there, 1 compiled in ")
    (line,) = done.stderr.splitlines()
    assert line.startswith("fastmlp: 1 kernels could not be kept: the cache of compiled kernels in ")
    assert "cannot be written (" in line
    assert line.endswith("Set FASTMLP_CACHE_DIR to a folder that can be written")
    script = (
        "from fastmlp.kernels import registry\n"
        "for name in ('layout.scatter', 'layout.transpose'): registry.address(name, 'float64')\n"
    )
    done = run(tmp_path / "file" / "cache", "-c", script)
    assert done.returncode == 0
    assert done.stderr.count("cannot be written (") == 1


def test_it_takes_what_trainings_ask_for(monkeypatch):
    """Of Model's and of the estimators', whatever the pass; others are checked where they are asked for."""
    asked = set()
    address = registry.address
    monkeypatch.setattr(registry, "address", lambda name, dtype: (asked.add((name, dtype)), address(name, dtype))[1])
    x, y = np.random.RandomState(0).randn(30, 4), np.arange(30) % 3
    for options in (
        {"batch_size": 1},
        {"batch_size": 7, "optimizer": "adam", "clip_norm": 1.0},
        {"shuffle": True, "batch_size": 8},
    ):
        model = Model([4, 9, 3], hidden="gelu", seed=0)
        model.fit(x, y, epochs=2, **options)
        model.evaluate(x, y)
        model.predict(x)
    assert asked
    needed = warm.needed(["float64"], False)
    assert asked <= set(needed)
    everything = {(name, dtype) for name, kernel in registry.load_all().items() for dtype in kernel.dtypes}
    all_of_it = set(warm.needed(["float64", "float32"], True))
    assert set(needed) < all_of_it < everything
    assert {name.partition(".")[0] for name, _ in everything - all_of_it} == {"elementary"}
    engine = "".join(path.read_text() for path in sorted((Path(fastmlp.__file__).parent / "engine").glob("*.py")))
    assert "elementary." not in engine.replace("kernels.elementary", "")


def test_a_warning_is_no_second_time_of_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cache, "_refusals", [])
    monkeypatch.setattr(cache, "folders", list)
    cache._unwritable(None)
    cache._unwritable(None)
    (said,) = cache.refusals()
    assert said.startswith("there is no folder for the cache of compiled kernels: each process compiles kernels again")


@pytest.mark.slow
def test_after_it_a_first_fit_compiles_nothing(tmp_path):
    done = run(tmp_path, "-m", "fastmlp", "warm")
    assert done.returncode == 0, done.stderr
    fitted = run(tmp_path, "-c", FIT)
    assert fitted.returncode == 0, fitted.stderr


def test_its_help(capsys):
    assert cli.main(["warm", "--help"]) == 0
    assert "The exit status is 1 if they cannot be kept" in " ".join(capsys.readouterr().out.split())
