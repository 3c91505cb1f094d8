"""A small study: its runs are trainings that could be made alone; its data, its figure, its errors."""

import hashlib
import json
import sys
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, study
from fastmlp.study import datasets, figure
from fastmlp.study.runs import DIVERGED, SOLVED

SMALL = {"rates": (0.1, 1e3), "depths": (0, 2), "inits": (0, "he_normal"), "widths": (2, 8), "seeds": 2, "epochs": 60}


@pytest.fixture(scope="module")
def small():
    return study.run(["xor", "spirals"], **SMALL)


def test_each_run_is_a_training_of_its_own(small):
    assert len(small.runs) == 2 * (2 * 2 * 2 + 2 * 2 + 2)
    points = [(r.dataset, r.depth, r.width if r.depth else 0, r.init, r.learning_rate, r.seed) for r in small.runs]
    assert len(set(points)) == len(points)
    for run in small.runs[::3]:
        X, y = datasets.named(run.dataset)
        model = Model([2, *[run.width] * run.depth, 2], init=run.init, seed=run.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fastmlp.DivergenceWarning)
            try:
                model.fit(X, y, epochs=60, learning_rate=run.learning_rate)
            except fastmlp.DivergenceError:
                assert run.outcome == DIVERGED
        assert model.digest() == run.digest
        assert model.history.loss.tobytes() == run.losses.tobytes()


def test_it_is_the_same_again(small):
    again = study.run("xor", **SMALL, threads=2)
    first = small.cases[0]
    assert [run.digest for run in again.runs] == [run.digest for run in first.runs]
    assert again.sentences == small.sentences[: len(again.sentences)]


def test_what_it_prints_and_holds(small):
    text = repr(small)
    assert text.startswith("xor: 4 rows, 2 features, 2 classes, loss of guessing 0.6931\n14 networks, relu, 60 steps")
    assert "spirals: 96 rows" in text
    plain = " ".join(text.split())
    assert all(" ".join(sentence.split()) in plain for sentence in small.sentences)
    assert text.endswith("at each value; the counts follow.")
    held = json.loads(json.dumps(small.to_dict()))
    assert held["sentences"] == small.sentences
    assert {len(column) for column in held["runs"].values()} == {len(small.runs)}
    assert held["cases"][0]["rates"] == [0.1, 1000.0]
    assert held["cases"][1]["dataset"] == "spirals"


def test_a_linear_network_fails_on_xor_because_it_was_tried(small):
    linear = [run for run in small.cases[0].runs if run.depth == 0]
    assert len(linear) == 6
    assert not any(run.outcome == SOLVED for run in linear)
    assert small.sentences[0].startswith("A network without hidden layers did not solve xor in any of its 6 runs (")


def test_a_task_that_a_line_solves_is_said_to_need_no_hidden_layer():
    X = datasets.named("spirals")[0]
    found = study.run(X, X[:, 0] + X[:, 1] > 0, **{**SMALL, "rates": (1.0,), "epochs": 200, "inits": ("he_normal",)})
    assert found.sentences[0].startswith("A network without hidden layers solved your data in all 2 runs")


# The bits of the three data sets, seed 0 and 1: the same on every machine.
DIGESTS = {
    ("circles", 0): "5daaa19dab37a00d",
    ("circles", 1): "a6a5cdcc5c612dc9",
    ("spirals", 0): "9662a274fca94a63",
    ("spirals", 1): "07acd142baf46e32",
}


@pytest.mark.parametrize(("name", "seed"), DIGESTS)
def test_the_data_are_the_same_everywhere(name, seed):
    X, y = datasets.named(name, seed)
    assert X.shape == (96, 2)
    assert np.bincount(y).tolist() == [48, 48]
    assert hashlib.sha256(X.tobytes()).hexdigest()[:16] == DIGESTS[name, seed]


def test_the_spirals_turn():
    X, _ = datasets.named("spirals")
    arm = X[:48]
    place = np.sqrt((np.arange(48) + 0.5) / 48)
    exact = 1.5 * place[:, None] * np.stack([np.cos(3 * np.pi * place), np.sin(3 * np.pi * place)], axis=1)
    assert np.abs(arm - exact).std() < 0.06
    assert np.abs(datasets._cosine(place * 9 - 4) - np.cos(np.pi * (place * 9 - 4))).max() < 1e-14


# ---------------------------------------------------------------------------------------------------------
# One's own data


def test_own_data_with_text_labels():
    X, y = datasets.named("circles")
    found = study.run(X, np.array(["in", "out"])[y], name="rings", **SMALL)
    assert found.cases[0].name == "rings"
    named = study.run("circles", **SMALL)
    assert [run.digest for run in found.runs] == [run.digest for run in named.runs]
    assert "did not solve rings in any of its 6 runs" in found.sentences[0]


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("moons",), {}, 'no data set \'moons\': use "xor", "circles" or "spirals"'),
        ((["xor", "moons"],), {}, "no data set 'moons'"),
        ((np.zeros((4, 2)),), {}, "X is given without y"),
        ((None, [0, 1]), {}, "y is given without X"),
        ((np.zeros((4, 2)), [0, 1, 1]), {}, "X has 4 rows and y has 3"),
        ((np.zeros((4, 2)), [0.5, 1, 1, 0]), {}, "a study is about classes; for quantities, use fastmlp.sweep"),
        ((np.zeros((4, 2)), [1, 1, 1, 1]), {}, "nothing to tell apart"),
        ((np.zeros((4, 2)), np.eye(4)), {}, "y has 4 columns"),
        (("xor",), {"rates": 0.1}, "rates=0.1 is not a list"),
        (("xor",), {"rates": []}, "rates is empty"),
        (("xor",), {"rates": [0.1, -1]}, "rates=-1 is not positive"),
        (("xor",), {"depths": [1.5]}, "depths=1.5"),
        (("xor",), {"depths": [-1]}, "depths=-1 is negative: give 0 or more"),
        (("xor",), {"inits": ["he"]}, "init='he' is not known"),
        (("xor",), {"seeds": 0}, "seeds=0 is not positive"),
        (("xor",), {"goal": 2}, "goal=2.0 is no fraction"),
        (("xor",), {"hidden": "cubic"}, "hidden='cubic' is not known"),
        (("xor",), {"quick": 1}, "quick=1"),
        (("xor",), {"seed": np.random.RandomState(1)}, "is not a whole number"),
    ],
)
def test_errors(arguments, options, said):
    with pytest.raises((ValueError, TypeError)) as error:
        study.run(*arguments, **options)
    assert said in str(error.value)


def test_lists_are_sorted_and_each_value_is_taken_once():
    found = study.run("xor", rates=[1, 0.1, 0.1], depths=[1, 0, 1], inits=[0, 0.0], widths=[3], seeds=1, epochs=60)
    plan = found.cases[0].plan
    assert (plan.rates, plan.depths, plan.inits, plan.widths) == ((0.1, 1.0), (0, 1), (0.0,), (3,))
    assert (plan.depth, plan.width, plan.init) == (1, 3, 0.0)
    assert len(found.runs) == 4


def test_linear_networks_alone():
    found = study.run("xor", depths=[0], seeds=1, epochs=60)
    assert {run.depth for run in found.runs} == {0}
    assert "with no hidden layer" in found.sentences[1]
    repr(found)


# ---------------------------------------------------------------------------------------------------------
# The figure


def drawn(axes):
    return {axes.get_title().partition(":")[0]: axes for axes in axes if axes.get_title()}


def test_the_figure(small, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    path = tmp_path / "study.png"
    made = small.plot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    axes = made.get_axes()
    assert len(axes) == 2 * (4 + 4)
    curves = [one for one in axes if one.get_title().startswith("loss")]
    assert [(one.get_xscale(), one.get_yscale()) for one in curves] == [("log", "log")] * 2
    assert [text.get_text() for text in curves[0].get_legend().get_texts()] == ["0.1", "1000", "guessing"]
    ends = {line.get_marker() for line in curves[0].get_lines() if len(line.get_xdata()) == 1}
    assert "X" in ends  # where the rate of 1000 ends
    maps = [one for one in axes if "init and depth" in one.get_title()]
    case = small.cases[0]
    told = [text.get_text() for text in maps[0].texts]
    assert len(told) == 4
    assert told[0].startswith("0")
    assert [label.get_text() for label in maps[0].get_yticklabels()] == ["zeros", "he_normal"]
    surfaces = [one for one in axes if "\n" in one.get_title()]
    assert surfaces[0].get_title().startswith("no hidden layer\nhe_normal, rate ")
    titles = [title for title, _ in figure.outcomes(case)]
    assert [one.get_title() for one in surfaces[: len(titles)]] == titles
    assert len({id(run) for _, run in figure.outcomes(case)}) == len(titles)


def test_figures_of_one_data_set_of_three_classes_and_of_more_features(small, tmp_path):
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    X = np.random.RandomState(0).standard_normal((30, 2))
    three = study.run(X, np.arange(30) % 3, **SMALL)
    assert len(three.plot(tmp_path / "three.svg").get_axes()) == 8
    wide = study.run(np.concatenate([X, X], axis=1), np.arange(30) % 2, **SMALL)
    assert len(wide.plot().get_axes()) == 4  # no decision surfaces
    with pytest.raises(TypeError, match="is not a path"):
        wide.plot(3)


def test_without_matplotlib(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install \"fastmlp\[plot\]"):
        small.plot()
