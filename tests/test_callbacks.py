"""What callbacks are given, and what they may answer."""

import dataclasses

import numpy as np
import pytest

from fastmlp.callbacks import Info, verdict
from fastmlp.history import History
from fastmlp.training import records


def record(**fields):
    made = records(7, 0.00421, 0.98, 0.1)
    for name, value in {"seconds": 1.234, "validation_loss": 0.0051, "validation_accuracy": 0.97, **fields}.items():
        made[name] = value
    return made[0]


def test_an_info_has_the_figures_of_its_record():
    history = History()
    info = Info.of(record(), 100, history)
    assert info == Info(7, 100, 0.00421, 0.98, 0.0051, 0.97, 0.1, 1.234, history)
    figures = [getattr(info, field.name) for field in dataclasses.fields(info)[:-1]]
    assert {type(number) for number in figures} == {int, float}
    assert info.history is history
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.loss = 0.0


@pytest.mark.parametrize("name", ["accuracy", "validation_loss", "validation_accuracy", "learning_rate"])
def test_a_missing_figure_is_none_and_not_told(name):
    info = Info.of(record(**{name: np.nan}), 100, History())
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate")
    assert [each for each in names if getattr(info, each) is None] == [name]
    everything = str(Info.of(record(), 100, History())).split(", ")
    told = str(info).split(", ")
    assert [part for part in everything if part not in told] == [everything[1 + names.index(name)]]


def test_an_info_in_words():
    assert str(Info.of(record(), 100, History())) == (
        "epoch 7/100, loss 0.00421, accuracy 0.98, validation loss 0.0051, validation accuracy 0.97, "
        "learning rate 0.1, 1.23 s"
    )
    alone = Info(1, 5, 0.5, None, None, None, None, 0.0, History())
    assert str(alone) == "epoch 1/5, loss 0.5, 0 s"
    assert "accuracy 0, " in str(dataclasses.replace(alone, accuracy=0.0))


@pytest.mark.parametrize(
    ("value", "stops"), [(None, False), (False, False), (True, True), (np.True_, True), (np.False_, False)]
)
def test_verdicts(value, stops):
    assert verdict(value) is stops


@pytest.mark.parametrize("value", [0, 1, "stop", 0.5, [], np.array([True]), np.array(True), StopIteration])
def test_what_is_no_verdict_is_refused(value):
    with pytest.raises(TypeError, match=r"a callback returned .*: return True to stop the training, False or nothing"):
        verdict(value)


def test_a_long_answer_is_cut():
    with pytest.raises(TypeError) as error:
        verdict("x" * 1000)
    assert len(str(error.value)) < 200
