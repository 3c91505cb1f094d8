"""`Model.summary`."""

import numpy as np
import pytest

from fastmlp import Huber, Model
from fastmlp.core.summary import _in_bytes


def test_it_prints_layers_and_parameters():
    summary = Model([2, 1000, 1], hidden="tanh", loss=Huber(2), dtype="float32").summary()
    assert str(summary) == repr(summary)
    assert str(summary).splitlines() == [
        "Model 2-1000-1: 4,001 parameters of float32 (16 kB), loss Huber(delta=2.0)",
        "layer  inputs  outputs  activation  weights  biases  parameters",
        "    1       2    1,000        tanh    2,000   1,000       3,000",
        "    2   1,000        1    identity    1,000       1       1,001",
    ]


@pytest.mark.parametrize("layers", [[1, 2], [3, 4, 5, 6]])
def test_the_numbers_are_those_of_the_weights(layers):
    model = Model(layers)
    summary = model.summary()
    assert summary.parameters == sum(row[-1] for row in summary.rows) == sum(w.size + b.size for w, b in model.weights)
    assert [row[1:3] for row in summary.rows] == [w.shape for w, _ in model.weights]
    assert all(row[4] == np.prod(row[1:3]) for row in summary.rows)


def test_an_input_scale_comes_first():
    summary = Model([3, 4, 2], input_scale=True).summary()
    assert summary.rows[0] == ("scale", 3, 3, "identity", 3, 0, 3)
    assert summary.parameters == sum(row[-1] for row in summary.rows) == 29


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 bytes"), (1234, "1.23 kB"), (5 * 10**6, "5 MB"), (2 * 10**12, "2 TB")],
)
def test_sizes_in_words(size, text):
    assert _in_bytes(size) == text
