"""Workspaces that are used again: the next training's bits are as if they had been new."""

import itertools

import numpy as np
import pytest

from fastmlp import Adam, Model
from fastmlp.engine import kept_workspaces
from fastmlp.fit import options as fit_options
from fastmlp.schedules import Exponential, Step

DRAWS = np.random.default_rng(0)


LAYERS = {"few": [3, 4, 2], "streamed": [9, 30, 2], "layered": [64, 300, 2]}
OPTIONS = [
    {"epochs": 1},
    {"epochs": 3},
    {"epochs": 2, "batch_size": 4},
    {"epochs": 2, "batch_size": 1},
    {"epochs": 2, "batch_size": 1, "optimizer": Adam(0.01)},
    {"epochs": 2, "batch_size": 7, "optimizer": "adam", "dropout": 0.3},
    {"epochs": 2, "batch_size": 7, "shuffle": False, "l2": 0.1, "clip_norm": 1.0},
    {"epochs": 2, "batch_size": 8, "learning_rate": Exponential(0.1, 0.9), "optimizer": "rmsprop"},
    {"epochs": 3, "record_every": 2, "target_loss": 0.01, "callback": lambda info: None},
    {"epochs": 2, "sample_weight": "some"},
    {"epochs": 2, "batch_size": 9, "sample_weight": "some"},
    {"epochs": 2, "batch_size": 9, "rate_factors": {"bias": 0.1}},
    {"epochs": 2, "batch_size": 9, "optimizer": "adam", "rate_factors": {"bias": 0.2}, "dropout": Step(0.5, 1)},
]


def rows(layers, dtype, seed):
    draws = np.random.default_rng(seed)
    return draws.standard_normal((30, layers[0])).astype(dtype), draws.integers(0, 2, 30)


def trained(layers, dtype, seed, options):
    options = dict(options)
    if "sample_weight" in options:
        options["sample_weight"] = np.random.default_rng(seed).random(30)
    model = Model(layers, seed=seed, dtype=dtype, input_scale="rate_factors" in options)
    told = []
    for rate in (0.01, 0.002):
        if not isinstance(options.get("learning_rate"), Exponential) and not isinstance(options.get("optimizer"), Adam):
            options["learning_rate"] = rate
        told.append(model.fit(*rows(layers, dtype, seed), **options).loss.tolist())
    told.append(model.fit(*rows(layers, dtype, seed), **options, resume=True).loss.tolist())
    run = model._network.run
    return told, model.digest(), run.state.vectors.tobytes(), run.state.powers.tolist()


@pytest.mark.sample(3)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_workspace_that_is_used_again_gives_the_bits_of_a_new_one(name, dtype, monkeypatch):
    layers = LAYERS[name]
    cases = list(itertools.product(OPTIONS, range(3)))
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(kept_workspaces, "give", lambda key, workspace: None)
            alone = [trained(layers, dtype, seed, options) for options, seed in cases]
        assert [trained(layers, dtype, seed, options) for options, seed in cases] == alone
        assert kept_workspaces._kept


def test_they_are_few_and_small(monkeypatch):
    monkeypatch.setattr(kept_workspaces, "MOST", 3)
    for epochs in range(1, 9):
        Model([3, 4, 2]).fit(*rows([3], "float64", 0), epochs=epochs)
    assert len(kept_workspaces._kept) == 3
    kept_workspaces._kept.clear()
    monkeypatch.setattr(kept_workspaces, "MOST_BYTES", 100)
    Model([3, 4, 2]).fit(*rows([3], "float64", 0), epochs=1)
    assert not kept_workspaces._kept


def test_many_rows_are_not_kept():
    x = np.random.default_rng(0).standard_normal((3000, 3))
    Model([3, 4, 2]).fit(x, np.arange(3000) % 2, epochs=2)  # copied into tiles
    assert not kept_workspaces._kept
    Model([3, 4, 2]).fit(x, np.arange(3000) % 2, epochs=2, batch_size=9)
    assert kept_workspaces._kept


def test_they_do_not_keep_rows():
    x, y = rows([3], "float64", 0)
    for options in OPTIONS:
        if "sample_weight" not in options:
            Model([3, 4, 2]).fit(x, y, **options)
    assert all(workspace.rows == (None, None) for workspace in kept_workspaces._kept.values())


def test_what_has_diverged_is_not_kept():
    with pytest.raises(ArithmeticError):
        Model([3, 4, 2]).fit(*rows([3], "float64", 0), epochs=30, learning_rate=1e200)
    assert not kept_workspaces._kept


def test_another_seed_of_the_shuffle_is_seen(monkeypatch):
    """The planted fault: the seed of the workspace's first training stays."""
    from fastmlp.engine.plan_writer import PlanWriter

    options = {"epochs": 2, "batch_size": 4}
    alone = [trained([9, 30, 2], "float64", seed, options) for seed in range(2)]
    begin = PlanWriter.begin

    def forgets(writer, training):
        seed = writer.fields[PlanWriter_seed]
        begin(writer, training)
        if seed:
            writer.fields[PlanWriter_seed] = seed

    from fastmlp.kernels import plan

    PlanWriter_seed = plan.SEED
    monkeypatch.setattr(PlanWriter, "begin", forgets)
    kept_workspaces._kept.clear()
    assert [trained([9, 30, 2], "float64", seed, options) for seed in (1, 0)][::-1] != alone


def test_options_are_those_that_the_key_knows():
    """A new option of a fit has to be thought of: it is in the key, or written anew, or none of the engine's."""
    known = set(fit_options._OF_TRAINING)
    in_key = {
        "batch_size",
        "record_every",
        "l1",
        "l2",
        "clip_value",
        "clip_norm",
        "dropout",
        "target_loss",
        "target_accuracy",
        "rate_factors",
    }
    assert known - in_key == {"threads"}
