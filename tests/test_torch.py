"""Whole trainings by the public `Model.fit`, against PyTorch's of the same networks, in float64.

tests/torch.json holds PyTorch's figures; `tools/torch_trainings.py` makes them, and here, where torch is installed.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import Model, schedules
from fastmlp.core.network import Network
from fastmlp.fit import sample_weights
from fastmlp.optimizers import Adagrad, Adam, RMSprop
from fastmlp.training import RateTable
from tools import torch_trainings

pytest.importorskip("sklearn", reason="scikit-learn is not installed: the trainings' digits are missing")
ROOT = Path(__file__).parents[1]
STORED = json.loads((ROOT / "tests" / "torch.json").read_text())["runs"]
# Relative to a loss, or to the root of the sum of a w's or b's squares. The most that was seen is 6e-14 where the norm
# is clipped, and 6e-15 elsewhere.
LIMIT = 1e-10
WIDER = {"clipped by norm, gradients as they are": 1e-5}  # PyTorch divides by the norm + 1e-6: 6e-7 seen


def loss_of(run):
    name = run["loss"].removeprefix("sigmoid ").removeprefix("soft ")
    if run["parameter"] is None:
        return name
    kind = {"cross_entropy": fastmlp.CrossEntropy, "huber": fastmlp.Huber, "quantile": fastmlp.Quantile}[name]
    return kind(run["parameter"])


def ours(run):
    """{"loss", "final", "parameters"} of a run by Model.fit."""
    x, digits = torch_trainings.rows()
    y = torch_trainings.targets(torch_trainings.LOSSES[run["loss"]][1], x, digits)
    rate = run["rate"] if isinstance(run["rate"], float) else getattr(schedules, run["rate"][0])(**run["rate"][1])
    options = {name: value for name, value in run["fit"].items() if name != "factor"}
    if "class_weight" in options:
        options["class_weight"] = dict(enumerate(options["class_weight"]))
    if "sample_weight" in options:
        options["sample_weight"] = torch_trainings.row_weights()
    output = "sigmoid" if run["loss"].startswith("sigmoid") else None
    model = Model(
        torch_trainings.layers(run),
        hidden=run["hidden"],
        output=output,
        loss=loss_of(run),
        seed=torch_trainings.SEED,
        **run.get("model", {}),
    )
    optimizer = getattr(fastmlp, run["optimizer"])(learning_rate=rate, **run["settings"])
    history = model.fit(x, y, epochs=torch_trainings.EPOCHS, optimizer=optimizer, **options)
    scale = [] if model.input_scale is None else [model.input_scale]
    return {
        "loss": history.loss.tolist(),
        "final": model.loss(x, y),
        "parameters": torch_trainings.figures([*(p for pair in model.weights for p in pair), *scale]),
    }


def error(found, expected):
    """The largest difference: of losses relative to them, of parameters to their layer's norm."""
    if len(found["parameters"]) != len(expected["parameters"]):
        return np.inf
    losses = np.array([*found["loss"], found["final"]]) / np.array([*expected["loss"], expected["final"]]) - 1
    a, b = np.array(found["parameters"]), np.array(expected["parameters"])
    return max(np.abs(losses).max(), (np.abs(a - b) / b[:, :1]).max())


@pytest.mark.parametrize("name", STORED)
def test_trainings_are_those_of_pytorch(name):
    assert error(ours(STORED[name]), STORED[name]["kept"]) <= WIDER.get(name, LIMIT)


def test_the_stored_figures_are_of_the_runs_of_the_tool():
    stored = {name: {part: run[part] for part in run if part != "kept"} for name, run in STORED.items()}
    assert stored == json.loads(json.dumps(torch_trainings.RUNS))


def test_trainings_are_those_of_the_torch_that_is_installed():
    torch = pytest.importorskip("torch", reason="torch is not installed: its stored figures were compared instead")
    for name, run in torch_trainings.trainings(torch).items():
        assert error(run["kept"], STORED[name]["kept"]) <= WIDER.get(name, LIMIT), name
        assert error(ours(run), run["kept"]) <= WIDER.get(name, LIMIT), name


# ---------------------------------------------------------------------------------------------------------
# The comparison sees what it should


def test_no_two_runs_are_alike():
    names = [name for name in STORED if name not in WIDER]
    for i, name in enumerate(names):
        for other in names[:i]:
            a, b = STORED[name]["kept"], STORED[other]["kept"]
            assert error(a, b) > 1e-6, f"{name}, {other}"


def more(value):
    """A setting a hundredth larger; a schedule's or a list's numbers one by one."""
    if isinstance(value, float):
        yield "", value * 1.01
    if isinstance(value, dict):
        for name, number in value.items():
            yield from ((f" {name}{where}", {**value, name: made}) for where, made in more(number))
    if isinstance(value, list):
        for place, number in enumerate(value):
            yield from (
                (f" {place}{where}", [*value[:place], made, *value[place + 1 :]]) for where, made in more(number)
            )


@pytest.mark.parametrize("name", STORED)
def test_every_number_counts(name):
    run = STORED[name]
    given = {part: run[part] for part in ("parameter", "settings", "rate", "fit")}
    for part in ("factor", "class_weight"):  # the tool's own; and one that is 0 stays 0
        given["fit"] = {option: value for option, value in given["fit"].items() if option != part}
    for what, changed in more(given):
        fit = {**run["fit"], **changed["fit"]}
        assert error(ours({**run, **changed, "fit": fit}), run["kept"]) > 100 * WIDER.get(name, LIMIT), what


def swapped_betas(monkeypatch):
    monkeypatch.setattr(
        Adam, "settings", property(lambda a: (a.beta_2, 1 - a.beta_2, a.beta_1, 1 - a.beta_1, a.epsilon))
    )


def no_correction(monkeypatch):
    steps = Adam.steps
    monkeypatch.setattr(Adam, "steps", lambda a, rates, powers, *more: steps(a, rates, np.zeros(2), *more))


def decay_of_the_gradient(monkeypatch):
    monkeypatch.setattr(RMSprop, "settings", property(lambda o: (1 - o.decay, o.decay, o.epsilon)))


def a_batch_late(monkeypatch):
    made = RateTable._made
    monkeypatch.setattr(RateTable, "_made", lambda table, places: made(table, places + 1))


def another_order(monkeypatch):
    monkeypatch.setattr(Network, "order", lambda network, rows: network.seed + 1)


def weights_of_one(monkeypatch):
    monkeypatch.setattr(sample_weights, "_class_weights", lambda weights, targets, spec: np.ones(10))


def no_accumulator(monkeypatch):
    monkeypatch.setattr(Adagrad, "initial", 0.0)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (swapped_betas, "adam"),
        (no_correction, "adam"),
        (decay_of_the_gradient, "rmsprop"),
        (no_accumulator, "adagrad"),
        (a_batch_late, "schedule cosine"),
        (another_order, "hidden relu"),
        (weights_of_one, "class weights"),
    ],
)
def test_faults_are_seen(monkeypatch, fault, name):
    fault(monkeypatch)
    assert error(ours(STORED[name]), STORED[name]["kept"]) > 1e-4
