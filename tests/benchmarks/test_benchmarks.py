"""The benchmarks run, and have a row for everything that there is. No timing decides anything."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import optimizers
from fastmlp.spec import DTYPES, HIDDEN, LOSSES, Spec

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


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_row_trains(options, monkeypatch, dtype):
    monkeypatch.setattr("benchmarks.parts.SECONDS", 1e-4)
    for label, (network, more) in options.rows_of_table(2).items():
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


@pytest.mark.parametrize("dtype", DTYPES)
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
