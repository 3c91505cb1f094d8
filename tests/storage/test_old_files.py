"""Files and pickles that an earlier version wrote: they load, predict and go on to the figures that they had there.

tests/written_by_3022ee4/make.py made them, and is not run again.
"""

import json
import pickle
import warnings
from pathlib import Path

import pytest
from written_by_3022ee4 import make

from fastmlp import SGD, Model
from fastmlp.training import Run, State

FIGURES = json.loads((Path(make.__file__).parent / "figures.json").read_text())


@pytest.mark.parametrize("backend", ["numba", "reference"])
@pytest.mark.parametrize("name", make.MODELS)
def test_models_in_files(name, backend):
    assert make.figures(Model.load(make.FOLDER / f"{name}.model", backend=backend), name) == FIGURES[name]


@pytest.mark.parametrize("name", make.MODELS)
def test_models_in_pickles(name):
    model = pickle.loads((make.FOLDER / f"{name}.pickle").read_bytes())
    assert len(model.history) == len(model.history.loss)
    assert make.figures(model, name) == FIGURES[name]


@pytest.mark.parametrize("name", make.ESTIMATORS)
def test_estimators_in_pickles(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another version of scikit-learn's
        made = pickle.loads((make.FOLDER / f"{name}.pickle").read_bytes())
        assert make.of_estimator(made) == FIGURES[name]


@pytest.mark.parametrize("name", make.MODELS)
def test_what_is_written_now_is_what_was_written_then(name, tmp_path):
    """The same bytes: new fields are left out where they are at their defaults."""
    path = make.FOLDER / f"{name}.model"
    Model.load(path).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_run_of_an_old_pickle_says_why_it_cannot_go_on():
    """Its field had another name."""
    run = Run(SGD(0.1), State.new(SGD(0.1), 6, "float64"))
    state = {**vars(run), "spoilt": "the last fit diverged"}
    del state["not_resumable_because"]
    old = Run.__new__(Run)
    old.__setstate__(state)
    assert vars(old) == {**vars(run), "not_resumable_because": "the last fit diverged"}
    assert vars(pickle.loads(pickle.dumps(old))).keys() == vars(run).keys()
