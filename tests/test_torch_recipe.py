"""The recipe for tables, from columns to the chosen epoch, against the same written in PyTorch, in float64.

tests/torch_recipe.json holds PyTorch's figures; `tools/torch_recipe.py` makes them, and here, where torch is installed.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, schedules
from fastmlp.core.preprocess import RobustScale
from fastmlp.optimizers import Adam, AdamW
from fastmlp.schedules import FlatCosine
from fastmlp.stopping import EarlyStopping
from fastmlp.tables import recipe
from fastmlp.training import RateTable
from tools import torch_recipe

ROOT = Path(__file__).parents[1]
STORED = json.loads((ROOT / "tests" / "torch_recipe.json").read_text())["runs"]
LIMIT = 1e-12  # relative to a loss, or to the largest parameter of a w, b or scale; the most that was seen is 5e-15


def asked(run):
    """(arguments of Model, of fit): the recipe's own, but for float64, and what `regularised` adds."""
    task, outputs = run["task"], 3 if run["task"] == "classify" else 1
    network = recipe.network(task, torch_recipe.COLUMNS, torch_recipe.HIDDEN, outputs, recipe.SMOOTHING)
    training = recipe.training(task, run["epochs"], None, torch_recipe.BATCH)
    if "decay" in run:
        decay = FlatCosine(run["decay"], epochs=run["epochs"])
        rate = training["optimizer"].learning_rate
        training["optimizer"] = AdamW(rate, beta_2=0.95, weight_decay=decay, decay_biases=False)
        training["dropout"] = FlatCosine(run["dropout"], epochs=run["epochs"])
    return {**network, "dtype": "float64"}, {**training, "early_stopping": recipe.stopping()}


def ours(run, network=None, training=None, robust=True):
    """A run by Model.fit, with some of its arguments changed."""
    x, y = torch_recipe.table(run["task"])
    if robust:
        x = RobustScale.of(x, "abcde").forward(x)
    of_model, of_fit = asked(run)
    model = Model(seed=torch_recipe.SEED, **{**of_model, **(network or {})})
    count = torch_recipe.TRAINED
    held = (x[count:], y[count:])
    history = model.fit(x[:count], y[:count], validation=held, **{**of_fit, **(training or {})})
    scale = [] if model.input_scale is None else [model.input_scale]
    return {
        "loss": history.loss.tolist(),
        "validation_loss": history.validation_loss.tolist(),
        "best": history.best_epoch,
        "parameters": [p.ravel().tolist() for p in (*(p for pair in model.weights for p in pair), *scale)],
    }


def error(found, expected):
    """The largest difference: of losses relative to them, of parameters to the largest of their w, b or scale."""
    if found["best"] != expected["best"] or len(found["parameters"]) != len(expected["parameters"]):
        return np.inf
    worst = 0.0
    for name in ("loss", "validation_loss"):
        worst = max(worst, np.abs(np.array(found[name]) / expected[name] - 1).max())
    for a, b in zip(found["parameters"], expected["parameters"], strict=True):
        worst = max(worst, np.abs(np.array(a) - b).max() / np.abs(b).max())
    return worst


@pytest.mark.parametrize("name", STORED)
def test_the_recipe_is_that_of_pytorch(name):
    assert error(ours(STORED[name]), STORED[name]["kept"]) <= LIMIT


def test_the_stored_figures_are_of_the_runs_of_the_tool():
    assert {
        name: {part: run[part] for part in run if part != "kept"} for name, run in STORED.items()
    } == torch_recipe.RUNS
    for name, run in STORED.items():
        assert run["rate"] == recipe.RATES[run["task"]]
        assert run.get("smoothing", recipe.SMOOTHING) == recipe.SMOOTHING
        assert 1 < run["kept"]["best"] < run["epochs"] or "regularised" in name  # or its choice is not seen


def test_the_recipe_is_that_of_the_torch_that_is_installed():
    torch = pytest.importorskip("torch", reason="torch is not installed: its stored figures were compared instead")
    for name, run in torch_recipe.trainings(torch).items():
        assert error(run["kept"], STORED[name]["kept"]) <= LIMIT, name
        assert error(ours(run), run["kept"]) <= LIMIT, name


# ---------------------------------------------------------------------------------------------------------
# The comparison sees every piece


def optimizer(run, kind=Adam, rate=None, **changed):
    rate = rate or schedules.CosineLog(run["rate"], epochs=run["epochs"])
    return {"optimizer": kind(rate, **{"beta_2": 0.95, **changed})}


def factors(**changed):
    found = {"weight": "ntk", "bias": 0.1, "input_scale": 6.0, **changed}
    return {"rate_factors": {name: value for name, value in found.items() if value is not None}}


FAULTS = {  # name: (run, what is changed)
    "no robust scale": ("classes", lambda run: {"robust": False}),
    "relu": ("values", lambda run: {"network": {"hidden": "relu"}}),
    "mish for selu": ("classes", lambda run: {"network": {"hidden": "mish"}}),
    "no smoothing": ("classes", lambda run: {"network": {"loss": "cross_entropy"}}),
    "more smoothing": ("classes", lambda run: {"network": {"loss": fastmlp.CrossEntropy(0.1001)}}),
    "another initialisation": ("values", lambda run: {"network": {"init": "he_normal"}}),
    "biases from 0": ("values", lambda run: {"network": {"bias_init": 0.0}}),
    "a random last layer": ("values", lambda run: {"network": {"zero_last": False}}),
    "no input scale": (
        "values",
        lambda run: {"network": {"input_scale": False}, "training": factors(input_scale=None)},
    ),
    "the scale's factor": ("values", lambda run: {"training": factors(input_scale=6.001)}),
    "the biases' factor": ("classes", lambda run: {"training": factors(bias=0.1001)}),
    "plain weights": ("classes", lambda run: {"training": factors(weight=None)}),
    "weights' factor of SGD": ("classes", lambda run: {"training": factors(weight=[1 / 5, 1 / 16, 1 / 8, 1 / 8])}),
    "beta_2": ("values", lambda run: {"training": optimizer(run, beta_2=0.951)}),
    "beta_1": ("values", lambda run: {"training": optimizer(run, beta_1=0.901)}),
    "epsilon": ("values", lambda run: {"training": optimizer(run, epsilon=1.01e-8)}),
    "the rate": (
        "values",
        lambda run: {"training": optimizer(run, rate=schedules.CosineLog(0.0701, epochs=run["epochs"]))},
    ),
    "three cycles": (
        "values",
        lambda run: {"training": optimizer(run, rate=schedules.CosineLog(0.07, epochs=run["epochs"], cycles=3))},
    ),
    "one cosine": (
        "values",
        lambda run: {"training": optimizer(run, rate=schedules.Cosine(0.07, epochs=run["epochs"]))},
    ),
    "rows as they are": ("values", lambda run: {"training": {"shuffle": False}}),
    "the last epoch": ("classes", lambda run: {"training": {"early_stopping": None}}),
    "the least loss of training": (
        "classes",
        lambda run: {"training": {"early_stopping": EarlyStopping(patience=None, metric="loss")}},
    ),
    "no dropout": ("values, regularised", lambda run: {"training": {"dropout": 0.0}}),
    "dropout that stays": ("values, regularised", lambda run: {"training": {"dropout": run["dropout"]}}),
    "no decay": ("values, regularised", lambda run: {"training": optimizer(run)}),
    "decay that stays": (
        "values, regularised",
        lambda run: {"training": optimizer(run, AdamW, weight_decay=run["decay"], decay_biases=False)},
    ),
    "biases that decay": (
        "values, regularised",
        lambda run: {
            "training": optimizer(run, AdamW, weight_decay=FlatCosine(run["decay"], epochs=run["epochs"])),
        },
    ),
}


@pytest.mark.filterwarnings("ignore::fastmlp.errors.ScaleWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_piece_that_is_another_is_seen(fault):
    name, change = FAULTS[fault]
    run = STORED[name]
    assert error(ours(run, **change(run)), run["kept"]) > 100 * LIMIT


def test_a_schedule_that_is_a_batch_late_is_seen(monkeypatch):
    made = RateTable._made
    monkeypatch.setattr(RateTable, "_made", lambda table, places: made(table, places + 1))
    assert error(ours(STORED["values"]), STORED["values"]["kept"]) > 1e-4
