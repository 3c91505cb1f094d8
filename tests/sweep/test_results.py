"""The table: what is best, text, dict, frame and plot; Ctrl-C; and the plan of memory."""

import json
import math
import re
import threading
import time
import warnings

import numpy as np
import pytest
from sweep.tables import blobs, records, table

from fastmlp import SGD, Adam, EarlyStopping, Model, training
from fastmlp.schedules import Step
from fastmlp.sweep import Result, Sweep, SweepResult, load, memory, train_many


def made(number, state="trained", **figures):
    """A result with one record."""
    found = Result(number, {"width": number}, state)
    record = training.records(1, np.nan, np.nan)
    for name, value in figures.items():
        record[name] = value
    found.history.extend(record)
    return found


@pytest.mark.parametrize(
    ("results", "metric", "best"),
    [
        ([made(0, loss=2.0), made(1, loss=1.0), made(2, loss=1.0)], None, 1),
        ([made(0, loss=math.nan), made(1, loss=9.0)], None, 1),
        ([made(0, "diverged", loss=0.1), made(1, loss=9.0)], "loss", 1),
        ([made(0, loss=1.0, validation_loss=2.0), made(1, loss=2.0, validation_loss=1.0)], None, 1),
        ([made(0, loss=1.0, accuracy=0.2), made(1, loss=2.0, accuracy=0.9)], "accuracy", 1),
        ([made(0, loss=1.0, accuracy=0.9), made(1, loss=2.0, accuracy=0.9)], "accuracy", 0),
    ],
)
def test_best(results, metric, best):
    assert SweepResult(results).best(metric).number == best
    assert SweepResult(results[::-1]).best(metric).number == best


def test_no_best():
    lost = made(0, "diverged", loss=1.0)
    lost.reason = "training diverged: the loss"
    with pytest.raises(ValueError, match="no model has a loss: 1 point: 1 diverged; of point 0: training diverged"):
        SweepResult([lost]).best()
    with pytest.raises(ValueError, match="1 model trained without one, which takes validation="):
        SweepResult([made(0, loss=1.0)]).best("validation_loss")
    with pytest.raises(ValueError, match="metric='los' is not known"):
        SweepResult([made(0, loss=1.0)]).best("los")


def test_figures_are_those_of_the_restored_weights():
    X, y = blobs()
    usual = {"learning_rate": 0.5, "width": 8}
    points = [{**usual, "early_stopping": stop} for stop in (3, EarlyStopping(3, best_weights=False))]
    restored, last = Sweep(points).fit(X, y, epochs=200, batch_size=8, validation=0.3)
    assert restored.best_epoch == last.best_epoch < last.epochs == restored.epochs
    assert restored.validation_loss == restored.history.validation_loss.min() < last.validation_loss
    assert last.validation_loss == last.history.validation_loss[-1]
    assert restored.stopped == last.stopped


def test_the_table_in_every_form(tmp_path):
    X, y = blobs()
    result = Sweep({"learning_rate": [0.01, 1.0], "loss": [None, "cross_entropy"], "width": [(4, 3), 5]}).fit(
        X, y, epochs=3, validation=0.2
    )
    columns = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert columns["given_loss"][:4] == [None, None, "cross_entropy", "cross_entropy"]
    assert columns["width"][:2] == [[4, 3], 5]
    assert columns["loss"] == [found.loss for found in result]
    frame = pytest.importorskip("pandas", reason="pandas is not installed") and result.to_pandas()
    assert list(frame.columns) == list(columns)
    assert len(frame) == 8
    assert len(str(result).splitlines()) == 10
    assert str(result).splitlines()[2].split()[0] == str(result.best().number)
    assert result[2:4].points == result.points[2:4]
    assert repr(result) == "SweepResult(8 points: 8 trained)"
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    result.plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000
    axes = result.plot(x="width", metric="accuracy").axes[0]
    assert axes.get_xlabel() == "width"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["(4, 3)", "5"]
    with pytest.raises(ValueError, match="x='depth' was not swept"):
        result.plot(x="depth")


@pytest.mark.parametrize("keep", ["all", "best", "none"])
def test_losses_of_different_kinds_are_told(keep):
    X, y = blobs()
    base, two = {"output": "identity", "layers": [4, 1]}, {"loss": ["squared_error", "huber"]}
    result = Sweep(two, base=base).fit(X, y, epochs=2, learning_rate=0.01, validation=0.2, keep=keep)
    with pytest.warns(UserWarning, match="validation_loss is compared between models of different losses"):
        result.best()
    weighed = Sweep({"class_weight": [None, {0: 9.0}, "balanced"]}, base={"width": 2})
    weighed = weighed.fit(X, y, epochs=2, validation=0.2, keep=keep)
    with pytest.warns(UserWarning, match="loss is compared between models of different losses or class weights"):
        weighed.best("loss")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weighed.best()
        result[:1].best()
        Sweep({"width": [2, 3]}).fit(X, y, epochs=2, keep=keep).best()
        Sweep({"loss": [None, "cross_entropy"]}).fit(X, y, epochs=2, validation=0.2).best()
        Sweep({"output": ["softmax", "sigmoid"], "layers": [[4, 3]]}).fit(X, np.eye(3)[y], epochs=2).best("accuracy")


def test_objects_are_told_apart(tmp_path):
    X, y = blobs()
    grid = {
        "optimizer": [SGD(momentum=0.5), SGD(momentum=0.9), Adam()],
        "learning_rate": [0.1, Step(0.1, every=2, factor=0.5), Step(0.1, every=2, factor=0.25)],
        "early_stopping": [EarlyStopping(3)],
    }
    result = Sweep(grid).fit(X, y, epochs=2, validation=0.2, folder=tmp_path)
    shown = str(result)
    for text in ("SGD(momentum=0.5)", "SGD(momentum=0.9)", "Adam()", "Step(0.1, 2, factor=0.25)"):
        assert text in shown
    rows = [re.split(" {2,}", line.strip())[1:3] for line in str(load(tmp_path)).splitlines()[2:]]
    assert len({tuple(row) for row in rows}) == 9
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    axes = result.plot().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "SGD(momentum=0.5)",
        "SGD(momentum=0.9)",
        "Adam()",
    ]


def test_whole_numbers_have_whole_ticks():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    X, y = blobs()
    axes = Sweep({"seed": range(3)}, base={"width": 2}).fit(X, y, epochs=1).plot().axes[0]
    assert {tick % 1 for tick in axes.get_xticks()} == {0}


class Stop(Exception):
    pass


def test_an_interrupt_keeps_what_is_done(tmp_path):
    X, y = blobs()
    sweep = Sweep({"seed": range(80)}, base={"width": 8})
    options = {"epochs": 100, "batch_size": 4, "threads": 1}

    def interrupt():
        while sweep.result is None or sum(found.state == "trained" for found in sweep.result) < 5:
            time.sleep(0.001)
        import _thread

        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        sweep.fit(X, y, folder=tmp_path, **options)
    states = [found.state for found in sweep.result]
    assert 5 <= states.count("trained") < 80
    assert set(states) == {"trained", "not run"}
    done = sweep.result
    for found in done:
        if found.state == "trained":
            assert found.digest == found.model.digest()
    again = sweep.fit(X, y, folder=tmp_path, **options)
    assert {found.state for found in again} == {"trained"}
    for one, other in zip(done, again, strict=True):
        if one.state == "trained":
            assert one.digest == other.digest
            assert records(one.history) == records(other.history)


def test_one_bar_of_all_epochs(capsys):
    X, y = blobs()
    Sweep({"seed": range(4), "epochs": [10, 20]}).fit(X, y, progress=True)
    shown = capsys.readouterr().err
    assert shown.startswith("8 models of 4-32-3, float64, SGD, need ")
    assert "120/120" in shown
    assert "8/8 models, best" in shown
    Sweep({"seed": range(4)}).fit(X, y, epochs=50, early_stopping=1, learning_rate=50.0, progress=True)
    assert "200/200" in capsys.readouterr().err
    train_many([Model([4, 3])], X, y, epochs=7, progress=True)
    assert "7/7" in capsys.readouterr().err
    Sweep({"seed": range(4)}).fit(X, y, epochs=5)
    assert capsys.readouterr().err == ""


def test_memory_is_planned(monkeypatch):
    sweep = Sweep({"seed": range(4096)}, base={"width": 100, "optimizer": "adam"})
    X, y = np.zeros((20, 64)), np.arange(20) % 10
    plan = sweep.plan(X, y, epochs=20)
    parameters = 64 * 100 + 100 + 100 * 10 + 10
    assert 4096 * parameters * 8 * 3 < plan.needed < 1.3 * 4096 * parameters * 8 * 3
    assert str(plan).startswith("4096 models of 64-100-10, float64, Adam, need 0.829 GB")
    few = sweep.plan(X, y, epochs=20, keep="none")
    assert few.needed < plan.needed / 4
    monkeypatch.setattr(memory, "free", lambda: 2 * few.needed)
    with pytest.raises(MemoryError, match=r'4096 models of 64-100-10.*give keep="best".*Nothing was trained'):
        sweep.fit(X, y, epochs=20)
    assert sweep.result is None


def test_the_plan_is_about_right():
    """What Python's allocator and NumPy hand out for a sweep's models stays near the plan."""
    import tracemalloc

    X, y = np.random.RandomState(0).standard_normal((50, 64)), np.arange(50) % 10
    sweep = Sweep({"seed": range(20)}, base={"width": 40, "optimizer": "adam"})
    sweep.fit(X, y, epochs=2)
    planned = sweep.plan(X, y, epochs=2).kept
    tracemalloc.start()
    result = sweep.fit(X, y, epochs=2)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(result) == 20
    assert 0.7 * planned < taken < 1.3 * planned


def test_the_same_table_twice():
    X, y = blobs()
    sweep = Sweep({"learning_rate": [0.1, 0.2], "dropout": [0.0, 0.4]})
    assert table(sweep.fit(X, y, epochs=4)) == table(sweep.fit(X, y, epochs=4))
