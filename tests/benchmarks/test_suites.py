"""The benchmark suites cover the registry, look at bits before they time, and run. No timing decides anything.

`python -m pytest benchmarks/suites --smoke`, which .ci/run calls, runs every row; here are the parts that need neither
pytest-benchmark nor asv.
"""

import ast
import inspect
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastmlp.kernels import registry

ROOT = Path(__file__).parents[2]
PAIRS = registry.load_all()


@pytest.fixture
def path(monkeypatch):
    """benchmarks/ lies beside the package and is not installed under this name."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])


@pytest.fixture
def kernels(path):
    from benchmarks.suites import kernels

    return kernels


@pytest.fixture
def training(path, monkeypatch):
    """Fits of one epoch."""
    from benchmarks.suites import training

    monkeypatch.setattr(training, "epochs_of", lambda workload: 1)
    return training


def test_no_kernel_goes_unmeasured(kernels):
    assert not kernels.unmeasured(PAIRS, kernels.ROWS), "give each of these a row in benchmarks/suites"
    assert not kernels.unmeasured(kernels.ROWS, PAIRS), "these are no longer registered"
    assert kernels.unmeasured({**PAIRS, "dense.new": None}, kernels.ROWS) == {"dense.new"}


ROWS = [(name, dtype) for name in PAIRS for dtype in PAIRS[name].dtypes]


@pytest.mark.sample(10)
@pytest.mark.parametrize(
    ("name", "dtype"), [pytest.param(*row, marks=[pytest.mark.slow] if n % 9 else []) for n, row in enumerate(ROWS)]
)
def test_a_row_has_the_references_bits_each_time(kernels, name, dtype):
    bench = kernels.Bench(name, dtype, kernels.SMALL)
    bench.reference()
    for _ in range(2):
        bench.restore()
        bench.kernel()
        kernels.assert_same(bench._expected, bench.row.results(), name)
    if bench.numpy:
        bench.check_numpy()


def planted(kernels, monkeypatch, name, **changes):
    """Makes the row of a kernel with something else in it."""
    make = kernels.ROWS[name]
    monkeypatch.setitem(kernels.ROWS, name, lambda dtype, size: replace(make(dtype, size), **changes))
    return kernels.Bench(name, "float32", kernels.SMALL)


def test_one_ulp_stops_a_row(kernels, monkeypatch):
    right = kernels.Bench("activations.tanh_forward", "float32", kernels.SMALL)._expected
    wrong = right[0].copy()
    wrong[3, 2] = np.nextafter(wrong[3, 2], np.float32(9))
    with pytest.raises(AssertionError, match=r"tanh_forward float32: 1 of 95 numbers of result 0"):
        planted(kernels, monkeypatch, "activations.tanh_forward", reference=lambda forward: (wrong, right[1]))
    with pytest.raises(AssertionError, match="expected"):
        planted(kernels, monkeypatch, "activations.tanh_forward", reference=lambda forward: right[:1])


def test_numpy_that_does_other_work_is_seen(kernels, monkeypatch):
    x = np.zeros((19, 3), np.float32)
    bench = planted(kernels, monkeypatch, "losses.softmax", numpy=lambda: (x,))
    with pytest.raises(AssertionError, match=r"losses\.softmax float32: NumPy's"):
        bench.check_numpy()


def test_what_a_call_overwrites_comes_back(kernels):
    bench = kernels.Bench("train.step", "float64", kernels.SMALL)
    arrays = [bench.row.arguments["plan"], bench.row.arguments["parameters"], *bench.row.buffers]
    before = [array.copy() for array in arrays]
    bench.kernel()
    assert all((array != was).any() for array, was in zip(arrays, before, strict=True))
    bench.restore()
    for array, was in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_a_kernel_of_another_commit_is_unfit(kernels, monkeypatch):
    with pytest.raises(kernels.Unfit, match=r"random\.uniform is no kernel for float32"):
        kernels.Bench("random.uniform", "float32", kernels.SMALL)
    with pytest.raises(kernels.Unfit, match=r"takes .*'stride'.* gives"):
        planted(kernels, monkeypatch, "activations.multiply", arguments={"a": np.zeros(3)})


def test_steps_are_counted_and_bits_compared(training, monkeypatch):
    workload = training.TABLE["xor-online-1"]
    fit = training.Fit(workload, "float64", epochs=3)
    before = fit.model.digest()
    fit.run()
    assert fit.steps == 12
    assert fit.model.digest() != before
    training.check_bits(workload, "float32")
    digests = iter("ab")
    monkeypatch.setattr("fastmlp.Model.digest", lambda model: next(digests))
    with pytest.raises(AssertionError, match="xor-online-1 float32: the kernels' bits"):
        training.check_bits(workload, "float32")


def test_a_fit_is_many_epochs_of_a_short_one(path, monkeypatch):
    from benchmarks.suites.training import LEAST_EPOCHS, TABLE, epochs_of, reference_can, step_clock

    assert epochs_of(TABLE["xor"]) > 100
    assert epochs_of(TABLE["mnist"]) == LEAST_EPOCHS
    assert epochs_of(TABLE["wide"]) == 1
    assert [name for name in TABLE if reference_can(TABLE[name])] == ["xor", "xor-online", "xor-online-1", "matexp-200"]
    monkeypatch.setattr("benchmarks.suites.training.time.perf_counter", lambda: 12.0)
    assert step_clock(4)() == 3.0


@pytest.fixture
def asv(path, training, monkeypatch):
    """The modules of benchmarks/asv, by name, at tiny sizes."""
    from benchmarks.asv import kernels, tracks
    from benchmarks.asv import training as asv_training
    from benchmarks.suites.kernels import SMALL, Bench

    monkeypatch.setattr(kernels, "Bench", lambda name, dtype: Bench(name, dtype, SMALL))
    monkeypatch.setattr(tracks, "epochs_of", lambda workload: 1)
    monkeypatch.setattr(tracks, "TURNS", 1)
    monkeypatch.setattr(tracks.Allocations, "MORE", 30)
    monkeypatch.setattr(tracks, "peak", lambda dtype: 100.0)
    return {"kernels": kernels, "tracks": tracks, "training": asv_training}


def measurements(asv):
    """(class, name of a measurement) of asv's classes, by asv's own rule for names."""
    for module in asv.values():
        for _, made in inspect.getmembers(module, inspect.isclass):
            if made.__module__ == module.__name__:
                for name in vars(made):
                    if name.startswith(("time_", "track_", "peakmem_")):
                        yield made, name


def test_asv_times_each_kernel_and_each_workload(asv, kernels, training):
    assert set(asv["kernels"].Kernels.params[0]) == set(PAIRS)
    for made in (asv["training"].Steps, asv["tracks"].Roofline):
        assert set(made.params[0]) == set(training.TABLE)
    found = {f"{made.__name__}.{name}" for made, name in measurements(asv)}
    assert found == {
        "Kernels.time_kernel", "Steps.time_step", "Memory.peakmem_fit", "Roofline.track_times_of_peak",
        "Allocations.track_numba_allocations", "Allocations.track_python_bytes", "Start.track_first_fit",
        "Scaling.track_us_per_1000_rows",
    }  # fmt: skip


def test_asv_measures(asv, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(asv["training"].Memory, "params", ("xor-200",))
    choice = {
        "Kernels": ("dense.dense_forward", "float32"), "Steps": ("xor-online", "float32"), "Memory": ("xor-200",),
        "Roofline": ("xor", "float32"), "Allocations": ("xor-online",), "Scaling": (4, "float64"),
    }  # fmt: skip
    for made, name in measurements(asv):
        if made.__name__ == "Start":
            continue  # compiles in a process of its own: see below
        instance, chosen = made(), choice[made.__name__]
        assert len(made.param_names) == len(chosen)
        getattr(instance, "setup_cache", lambda: None)()
        getattr(instance, "setup", lambda *_: None)(*chosen)
        value = getattr(instance, name)(*chosen)
        if name.startswith("track_"):
            assert math.isfinite(value), (made, name)
            assert getattr(made, "unit", None) or getattr(getattr(made, name), "unit", None)


def test_asv_s_figures_of_known_seconds(asv, monkeypatch):
    """A fit that takes 3 s to begin, and 2 us a step; a core of 100 GFLOP/s."""
    tracks = asv["tracks"]
    monkeypatch.setattr(tracks, "seconds", lambda fit: 3.0 + 2e-6 * fit.steps)
    for rows in (4, 200):
        assert tracks.Scaling().track_us_per_1000_rows(rows, "float64") == pytest.approx(2 * 1000 / rows, rel=1e-6)
    monkeypatch.setattr(tracks, "seconds", lambda fit: 2e-6 * fit.steps)
    flops = tracks.TABLE["xor"].flops_step  # 11.24 us of them at the peak
    assert tracks.Roofline().track_times_of_peak("xor", "float64") == pytest.approx(2e-6 / (flops / 100e9))


def test_asv_leaves_out_what_there_is_not(asv):
    for made, chosen in (
        (asv["training"].Steps, ("pinn", "float32")),
        (asv["kernels"].Kernels, ("random.uniform",) * 2),
    ):
        with pytest.raises(NotImplementedError):
            made().setup(*chosen)


def test_asv_starts_a_process_with_the_measured_package(asv, tmp_path, monkeypatch):
    monkeypatch.setattr(asv["tracks"], "SCRIPT", "import fastmlp, os; open('seen', 'w').write(fastmlp.__file__)")
    seconds = asv["tracks"].Start().process(tmp_path / "cache", "float64")
    assert seconds > 0
    assert Path((tmp_path / "seen").read_text()) == Path(sys.modules["fastmlp"].__file__)


def test_asv_is_set_up_for_this_repository():
    conf = json.loads((ROOT / "asv.conf.json").read_text())
    assert (ROOT / conf["benchmark_dir"] / "__init__.py").exists()
    ignored = (ROOT / ".gitignore").read_text().split()
    assert all(f"/{conf[folder]}".startswith("/.asv/") for folder in ("env_dir", "html_dir"))
    assert ".asv/" in ignored
    assert conf["results_dir"] == "bench_results/asv"


# ---------------------------------------------------------------------------------------------------------
# The committed baseline

BASELINE = ROOT / "bench_results" / "asv" / "zen3"
MOST_BYTES = 200_000  # of the baseline's files together


def baseline():
    """{name of a benchmark: (results, its parameters' values)} of the one committed file."""
    (path,) = BASELINE.glob("*-virtualenv-*.json")
    return {name: (of[0], of[1]) for name, of in json.loads(path.read_text())["results"].items()}


def test_the_baseline_is_small_and_names_no_place():
    files = sorted(BASELINE.iterdir())
    assert [path.name for path in files] == ["12d7c202-virtualenv-py3.11.json", "machine.json"]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    text = "".join(path.read_text() for path in files)
    assert not any(place in text for place in ("/tmp", "/home", "/root", "\\Users"))
    machine = json.loads((BASELINE / "machine.json").read_text())
    assert machine["machine"] == BASELINE.name
    assert "Zen 3" in machine["cpu"]


def test_the_baseline_is_of_what_asv_measures(asv, training):
    known = {f"{Path(sys.modules[made.__module__].__file__).stem}.{made.__name__}.{name}": made
             for made, name in measurements(asv)}  # fmt: skip
    found = baseline()
    assert set(found) <= set(known)
    assert "training.Steps.time_step" in found
    for name, (values, parameters) in found.items():
        params = known[name].params
        lists = [params] if isinstance(params[0], str) else params  # asv takes one list, too
        assert [[*map(ast.literal_eval, of)] for of in parameters] == [[*of] for of in lists]
        assert len(values) == math.prod(map(len, parameters))
    steps = [value for value in found["training.Steps.time_step"][0] if math.isfinite(value)]
    assert len(steps) == sum(len(workload.dtypes) for workload in training.TABLE.values())
    assert all(0 < value < 10 for value in steps)


@pytest.mark.parametrize(
    ("place", "ignored"),
    [
        ("asv/benchmarks.json", True),
        ("asv/their-machine/machine.json", True),
        ("asv/their-machine/0123abcd-virtualenv-py3.12.json", True),
        ("asv/zen3/0123abcd-virtualenv-py3.11.json", True),
        ("asv/zen3/machine.json", False),
        ("asv/zen3/12d7c202-virtualenv-py3.11.json", False),
        ("zen5.json", False),
    ],
)
def test_a_user_s_own_results_are_ignored_by_git(tmp_path, place, ignored):
    """By git itself, in a repository that has these files alone."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / "bench_results").mkdir()
    shutil.copy(ROOT / "bench_results" / ".gitignore", tmp_path / "bench_results")
    command = ["git", "-C", str(tmp_path), "check-ignore", "-q", f"bench_results/{place}"]
    assert (subprocess.run(command, check=False).returncode == 0) == ignored
