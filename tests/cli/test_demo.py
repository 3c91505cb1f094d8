"""`fastmlp demo` on other data sets and with other networks, and its picture. The exercises: test_cli.py."""

import re

import numpy as np
import pytest

from fastmlp import cli
from fastmlp.cli import demo_figure, demos
from fastmlp.study import datasets


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main(["demo", *(str(argument) for argument in arguments)])
        return status, *capsys.readouterr()

    return run


def test_the_data_sets_are_those_of_the_study_and_more():
    assert set(demos.DATASETS) == set(datasets.ALL)
    assert set(datasets.DATASETS) < set(datasets.ALL)


def test_moons_and_a_sine():
    X, y = datasets.moons(0)
    assert (X.shape, np.bincount(y).tolist()) == ((96, 2), [48, 48])
    angle = np.linspace(0, np.pi, 48)
    arcs = np.concatenate(
        [np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)]
    )
    assert 0.08 < (X - arcs).std() < 0.12
    X, y = datasets.sine(0)
    assert (X.shape, y.shape) == ((96, 1), (96,))
    assert 0.08 < (y - np.sin(np.pi * X[:, 0])).std() < 0.12
    for name in ("moons", "sine"):
        assert (datasets.ALL[name](0)[0] != datasets.ALL[name](1)[0]).any() or name == "sine"
        assert (datasets.ALL[name](0)[1] != datasets.ALL[name](1)[1]).any() or name == "moons"


@pytest.mark.parametrize("dataset", ["circles", "moons", "spirals"])
def test_each_data_set_is_solved(run, dataset):
    status, out, err = run("--dataset", dataset)
    assert status == 0
    assert out.count("Epoch") == 10
    assert "Final accuracy: 1.0\n" in out
    assert "5000 epochs" in err


def test_a_sine_is_fitted(run, tmp_path):
    plot = tmp_path / "sine.svg"
    status, out, _ = run("--dataset", "sine", "--plot", plot)
    assert status == 0
    assert "acc" not in out
    assert float(re.search(r"Final R2: (\S+)", out)[1]) > 0.97
    assert "<svg" in plot.read_text()


def test_options_are_what_the_model_gets(run, monkeypatch):
    made = []
    plain = demos.xor
    monkeypatch.setitem(demos.DEMOS, "xor", lambda settings: (made.append(plain(settings)), made[-1])[1])
    run("--layers", "2-5-2", "--hidden", "tanh", "--init", "0.3", "--seed", 7, "--epochs", 3, "--dataset", "moons")
    (done,) = made
    assert (done.model.spec.layers, done.model.spec.hidden) == ((2, 5, 2), ("tanh",))
    np.testing.assert_array_equal(done.x, datasets.moons(7)[0])
    first = [np.random.RandomState(7).randn(2, 5) * 0.3]
    untrained = demos.xor(demos.Settings((2, 5, 2), 1, 1e-300, 1, "tanh", 0.3, "moons", 7)).model.weights[0][0]
    np.testing.assert_allclose(untrained, first[0], rtol=1e-12)


def test_the_exercises_with_their_own_seed_are_the_default(run):
    assert run("xor", "--epochs", 2, "--seed", 42)[1] == run("--epochs", 2)[1]
    assert run("xor", "--epochs", 2, "--seed", 43)[1] != run("--epochs", 2)[1]


def test_xor_sigmoid_on_other_points(run):
    status, out, _ = run("xor-sigmoid", "--dataset", "moons", "--layers", "2,6,1", "--epochs", 4, "--log-every", 2)
    assert status == 0
    assert out.startswith("Iteration 0, Loss: 0.")


@pytest.mark.parametrize("name", ["xor", "xor-sigmoid"])
def test_the_surface_is_the_models(run, name, monkeypatch, tmp_path):
    drawn = []
    from matplotlib.axes import Axes

    plain = Axes.contourf
    monkeypatch.setattr(
        Axes, "contourf", lambda axes, *given, **how: (drawn.append(given), plain(axes, *given, **how))[1]
    )
    monkeypatch.setattr(demo_figure, "GRID", 9)
    done = []
    of = demos.DEMOS[name]
    monkeypatch.setitem(demos.DEMOS, name, lambda settings: (done.append(of(settings)), done[-1])[1])
    run(name, "--epochs", 50, "--plot", tmp_path / "a.png")
    ((first, second, p),) = drawn
    rows = np.array([[first[3], second[5]], [first[8], second[0]]])
    expected = done[0].model.predict_proba(rows).reshape(2, -1)[:, -1]
    np.testing.assert_array_equal([p[5, 3], p[0, 8]], expected)
    assert (first[0], first[-1]) == pytest.approx((-0.15, 1.15))
