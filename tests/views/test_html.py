"""HTML for notebooks: what is in it, and that nothing from outside is markup."""

import warnings
import xml.etree.ElementTree as xml

import numpy as np
import pytest

from fastmlp import Ensemble, History, Model, cross_validate
from fastmlp.sweep import Sweep
from fastmlp.sweep.results import Result, SweepResult
from fastmlp.training import records
from fastmlp.views import html

X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
EVIL = "<script>alert('x')</script>&\x1b[31m\n"


def read(thing):
    """(the tree, its text) of what a notebook shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = thing._repr_html_()
    assert len(shown) < 40_000
    tree = xml.fromstring(shown)
    return tree, " ".join(tree.itertext())


def charts(tree):
    return [one.get("aria-label") for one in tree.iter() if one.tag.endswith("svg")]


def test_a_history_shows_its_curves():
    model = Model([2, 8, 2], seed=1)
    assert charts(read(History())[0]) == []
    history = model.fit(X, Y, epochs=20, learning_rate=0.1)
    tree, text = read(history)
    assert charts(tree) == ["Loss over epochs 1 to 20", "Accuracy over epochs 1 to 20"]
    assert "20 records, epoch 1 -> 20" in text
    assert "validation" not in text
    text = read(model.fit(X, Y, epochs=20, validation=(X, Y), early_stopping=50))[1]
    assert "validation" in text
    assert "best: epoch" in text


def test_a_history_of_values_has_no_accuracy():
    history = Model([2, 8, 1], loss="mse").fit(X, Y, epochs=2)
    assert charts(read(history)[0]) == ["Loss over epochs 1 to 2"]


def test_a_model_shows_layers_parameters_and_its_history():
    model = Model([2, 8, 2])
    tree, text = read(model)
    assert {"Model 2-8-2", "24", "18", "relu", "softmax"} <= set(tree.itertext())
    assert "42 parameters of float64 (336 bytes), loss cross_entropy" in text
    assert charts(tree) == []
    model.fit(X, Y, epochs=2)
    assert len(charts(read(model)[0])) == 2


def test_showing_a_model_changes_nothing():
    """A NumPy generator that is asked for the seed would draw one."""
    generator = np.random.default_rng(3)
    model, ensemble = Model([2, 3, 2], seed=generator), Ensemble([2, 3, 2], members=2)
    before = str(generator.bit_generator.state), model.digest(), [one.digest() for one in ensemble]
    read(model), read(ensemble), read(Ensemble.of([model]))
    assert before == (str(generator.bit_generator.state), model.digest(), [one.digest() for one in ensemble])


def test_a_sweep_shows_its_table():
    result = Sweep({"learning_rate": [0.01, 0.3], "seed": range(13)}).fit(X, Y, epochs=5)
    tree, text = read(result)
    assert len([one for one in tree.iter() if one.tag == "tr"]) == 21
    assert "26 points: 26 trained" in text
    assert "... and 6 more" in text
    assert charts(tree) == ["Loss over epochs 1 to 5"]
    assert len(charts(read(result[0])[0])) == 2
    assert charts(read(SweepResult([]))[0]) == []


def test_what_comes_from_outside_is_text():
    history = History()
    history.extend(records(1, 0.5, 0.5))
    history.stopped = EVIL
    failed = Result(0, {"hidden": EVIL}, "failed", EVIL, history)
    for thing in (history, failed, SweepResult([failed])):
        assert "script" not in {one.tag for one in read(thing)[0].iter()}
        assert "\x1b" not in thing._repr_html_()
    assert html.table([EVIL], [[EVIL]]).count("&lt;script&gt;") == 2
    assert len(html.table([], [["x" * 1000]])) < 200


def test_an_ensemble_shows_its_members():
    ensemble = Ensemble([2, 8, 2], members=25)
    tree, text = read(ensemble)
    assert charts(tree) == []
    assert "... and 5 more" in text
    ensemble = Ensemble([2, 8, 2], members=3)
    ensemble.fit(X, Y, epochs=4)
    ensemble.left_out = {1: "inf"}
    tree, text = read(ensemble)
    assert len([one for one in tree.iter() if one.tag.endswith("polyline")]) == 2
    assert text.count("left out") == 2  # in the heading, too


def test_a_cross_validation_shows_its_folds():
    found = cross_validate({"layers": [2, 8, 2]}, X * 3, Y * 3, folds=3, epochs=4)
    tree, text = read(found)
    assert len([one for one in tree.iter() if one.tag == "tr"]) == 4
    assert "3 folds: accuracy" in text
    assert charts(tree) == ["Loss over epochs 1 to 4"]


@pytest.mark.parametrize("loss", [np.nan, np.inf, -1.0, 0.0])
def test_odd_losses_are_shown(loss):
    history = History()
    history.extend(records(1, loss, np.nan))
    read(history)
