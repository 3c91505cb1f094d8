"""A network as a file of plain NumPy: the same bits, no other imports, and what it refuses."""

import ast
import runpy

import numpy as np
import pytest
from bits import assert_same_bits

from fastmlp import Model
from fastmlp.spec import HIDDEN

OUTPUTS = {"softmax": 3, "sigmoid": 2, "identity": 1, "exponential": 2}
X = np.concatenate([np.random.RandomState(1).normal(size=(9, 4)) * 3, np.eye(4)[:2] * 1e3, np.zeros((1, 4))])


def file_of(model, tmp_path):
    path = tmp_path / "network.py"
    model.to_numpy(path)
    return path, runpy.run_path(str(path))


@pytest.mark.sample(16)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_it_predicts_the_same_bits(hidden, output, dtype, tmp_path):
    layers = [4, 7, 5, OUTPUTS[output]]
    model = Model(layers, hidden=[hidden, "tanh"], output=output, dtype=dtype, seed=1)
    path, made = file_of(model, tmp_path)
    imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [ast.unparse(node) for node in imports] == [
        "from dataclasses import dataclass", "from fractions import Fraction", "import numpy as np",
    ]  # fmt: skip
    assert_same_bits(made["predict"](X), model.predict(X))
    if model.spec.is_classifier:
        assert_same_bits(made["outputs"](X), model.predict_proba(X))
    assert model.digest() in made["__doc__"]


def test_without_hidden_layers_and_with_one_output(tmp_path):
    for output in ("sigmoid", "exponential"):
        model = Model([4, 1], output=output, seed=2)
        made = file_of(model, tmp_path)[1]
        assert_same_bits(made["predict"](X / 100), model.predict(X / 100))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_input_scale_is_folded_into_the_weights(tmp_path, dtype):
    model = Model([4, 7, 3], hidden="mish", dtype=dtype, seed=1, input_scale=True)
    model.set_weights(model.weights, input_scale=[3.1, -0.7, 0, 1 / 3])
    made = file_of(model, tmp_path)[1]
    assert_same_bits(made["outputs"](X), model.predict_proba(X))
    assert_same_bits(made["predict"](X), model.predict(X))
    assert model.digest() in made["__doc__"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("standardize", "output"), [(True, "softmax"), (True, "exponential"), ("both", "identity")])
def test_scales_are_in_the_file(tmp_path, standardize, output, dtype):
    model = Model([4, 5, 3], output=output, dtype=dtype, standardize=standardize, seed=1)
    with pytest.raises(ValueError, match="call fit first"):
        model.to_numpy(tmp_path / "network.py")
    x = X * [1, 1e3, 1e-5, 0] + [3, 4, 5, 7]
    y = np.arange(3.0 * len(x)).reshape(-1, 3) % 5
    y = {"softmax": np.arange(len(x)) % 3, "exponential": y}.get(output, y * [1e3, 33.3, 1 / 7] + 1 / 3)
    model.fit(x, y, epochs=2, threads=1, learning_rate=1e-4)
    made = file_of(model, tmp_path)[1]
    rows = np.concatenate([x, np.random.default_rng(3).normal(size=(300, 4)) * [1, 1e3, 1e-5, 2] + [3, 4, 5, 7]])
    assert_same_bits(made["predict"](rows), model.predict(rows))
    if output == "softmax":
        assert_same_bits(made["outputs"](rows), model.predict_proba(rows))
    for wrong in (np.nan, np.inf):
        rows[0, 3] = wrong  # of the column that is constant, too
        with pytest.raises(ValueError, match="NaN or infinity"):
            made["predict"](rows)
        with pytest.raises(ValueError, match="must be a finite number"):
            model.predict(rows)


def test_what_is_refused(tmp_path):
    model = Model([4, 2], seed=1)
    with pytest.raises(ValueError, match=r"path='net.txt' is to be a file of Python: .* ends in \.py"):
        model.to_numpy("net.txt")
    made = file_of(model, tmp_path)[1]
    with pytest.raises(ValueError, match=r"X has the shape \(3,\): give rows of 4 features, \(N, 4\)"):
        made["predict"](np.ones(3))
    with pytest.raises(ValueError, match="X has NaN or infinity"):
        made["predict"](np.full((1, 4), np.nan))
    for output, rows in (("softmax", np.full((1, 4), 1e308)), ("exponential", np.full((1, 4), 1e4))):
        large = Model([4, 2], output=output, init=100.0, seed=1)
        made = file_of(large, tmp_path)[1]
        for predict in (large.predict, made["predict"]):
            with pytest.raises(ValueError, match="the outputs of row 0 are beyond the dtype's range"):
                predict(rows)
