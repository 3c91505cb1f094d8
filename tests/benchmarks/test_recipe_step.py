"""benchmarks/recipe_step.py: contestants begin and train alike, its table by hand. No timing decides anything."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def modules(monkeypatch):
    """(recipe_contestants, recipe_step), which lie beside the package."""
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import recipe_contestants, recipe_step

    return recipe_contestants, recipe_step


@pytest.mark.parametrize("task", ["regress", pytest.param("classify", marks=pytest.mark.slow)])
def test_contestants_train_the_same(modules, task):
    """After the epochs that the command compares, and as it does; the schedule is begun again after its end."""
    from benchmarks.contestant import answer

    contestants, step = modules
    ours, first = contestants.start("fastmlp", task, "float64", 1)
    assert first["ready"]
    begun = ours.loss()
    assert answer(ours, f"given {step.CHECKED}") == {}
    loss = answer(ours, "loss")["loss"]
    assert loss < 0.7 * begun
    theirs, said = contestants.start("torch_eager", task, "float64", 1)
    if theirs is not None:
        answer(theirs, f"given {step.CHECKED}")
        assert step.agrees(theirs.loss(), loss, step.TOLERANCE["float64"])
    else:
        assert said == {"missing": "torch is not installed"}
    assert answer(ours, "train 2")["seconds"] > 0
    assert ours.model.epochs == step.CHECKED + 3
    with pytest.raises(ValueError, match="'what' is not known"):
        answer(ours, "what")


def test_a_training_goes_on_after_the_schedule_s_end(modules, monkeypatch):
    contestants, _ = modules
    monkeypatch.setattr(contestants, "EPOCHS", 3)
    ours, _ = contestants.start("fastmlp", "regress", "float32", 1)
    for epochs, of_run in ((2, 2), (1, 3), (2, 2), (5, 5)):
        ours.given(epochs)
        assert ours.model.epochs == of_run
    assert ours.loss() < 1


def test_the_table_by_hand(modules):
    _, step = modules
    row = {"task": "regress", "dtype": "float32", "low": 1.0, "high": 3.0}
    made = step.table(
        [
            {**row, "contestant": "fastmlp", "us_step": 2.0, "loss_ok": True},
            {**row, "contestant": "torch_eager", "us_step": 5.0, "loss_ok": False},
            {"contestant": "torch_compiled", "missing": "no compiler"},
        ]
    )
    assert made.splitlines()[2:] == [
        "| regress, float32 | `fastmlp` | 2 | 1 to 3 | 1.00 | yes |",
        "| regress, float32 | `torch_eager` | 5 | 1 to 3 | 2.50 | no |",
    ]


@pytest.mark.slow
def test_turns_of_processes(modules, monkeypatch, capsys):
    """The command itself, of fastmlp alone; another loss is exit 1."""
    _, step = modules
    monkeypatch.setattr(step, "TURN_SECONDS", {True: 1e-3})
    given = ["--quick", "--contestants", "fastmlp", "--dtypes", "float64"]
    assert step.command(given) == 0
    assert "| regress, float64 | `fastmlp` | " in capsys.readouterr().out
    monkeypatch.setattr(step, "judged", lambda task, pins: 0.5)
    assert step.command(given) == 1
