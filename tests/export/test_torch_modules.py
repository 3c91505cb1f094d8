"""Models as modules of PyTorch, and of them: the same values to rounding, and what is refused."""

import copy
import pickle
import sys

import numpy as np
import pytest
from bits import assert_same_bits
from models import rows, said, targets

import fastmlp.export
from fastmlp import Model
from fastmlp.spec import DTYPES, HIDDEN

X = np.concatenate([rows(60, 4) * 2, np.eye(4) * 40, np.zeros((1, 4))])
OUTPUTS = {"softmax": 3, "sigmoid": 2, "identity": 2, "exponential": 2}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: no module is made")


def outputs(model, x=X):
    return model.predict_proba(x) if model.spec.is_classifier else model.predict(x).reshape(len(x), -1)


def of_module(module, x=X):
    import torch

    dtype = next(part.weight.dtype for part in module if hasattr(part, "weight"))
    with torch.no_grad():
        return module(torch.tensor(x, dtype=dtype)).numpy()


def near(found, expected, units=64):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    distance = np.abs(found.astype(float) - expected) / np.maximum(np.abs(expected), 1)
    assert distance.max() <= units * np.finfo(expected.dtype).eps


def network(hidden="tanh", output="softmax", dtype="float64", **options):
    model = Model([4, 7, 5, OUTPUTS[output]], hidden=hidden, output=output, dtype=dtype, seed=1, **options)
    draws = np.random.default_rng(2)
    model.set_weights([(w / 2, draws.standard_normal(b.shape)) for w, b in model.weights])
    return model


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_every_activation_there_and_back(torch, hidden, dtype):
    model = network(hidden, "identity", dtype)
    module = model.to_torch()
    # PyTorch's softplus is z from 20 on, where log(1 + e^z) is up to 2e-9 more
    near(of_module(module), outputs(model), 2**24 if (hidden, dtype) == ("softplus", "float64") else 64)
    assert_same_bits(Model.from_torch(module).predict(X), model.predict(X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_every_output_there_and_back(torch, output, dtype):
    model = network(output=output, dtype=dtype)
    near(of_module(model.to_torch()), outputs(model))
    again = Model.from_torch(model.to_torch())
    assert again.digest() == model.digest()
    bare = model.to_torch(logits=True)
    near(of_module(bare), model._forward()("logits", X))
    assert Model.from_torch(bare).spec.output == "identity"
    assert Model.from_torch(bare, output=output).digest() == model.digest()


def test_a_module_is_trained_without_the_model(torch):
    """Its weights are copies, with gradients."""
    model = network()
    before, module = model.digest(), model.to_torch(logits=True)
    module(torch.tensor(X)).sum().backward()
    with torch.no_grad():
        module[0].weight.sub_(0.1 * module[0].weight.grad)
    assert model.digest() == before
    again = Model.from_torch(module, output="softmax")
    module[0].weight.data.zero_()
    assert again.weights[0][0].any()
    assert again.digest() != before


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardize", [True, "both"])
def test_scales(torch, standardize, dtype):
    output = "softmax" if standardize is True else "identity"
    x = X * [1, 1e3, 1e-5, 0] + [1e6, 4, 5, 7]  # float32 would round the first column to 1/16
    model = Model([4, 5, 3], output=output, standardize=standardize, input_scale=True, seed=1, dtype=dtype)
    assert "call fit first" in said(ValueError, model.to_torch)
    y = targets(output, 3, len(x))
    model.fit(x, y if standardize is True else 100 * y, epochs=3, threads=1)
    model.set_weights(model.weights, input_scale=[3, -1, 0.5, 2])
    module = model.to_torch()

    def values(module):
        with torch.no_grad():
            return module(torch.tensor(x)).numpy()

    expected = outputs(model, x)
    near(values(module), expected, 256)
    near(values(copy.deepcopy(pickle.loads(pickle.dumps(module)))), expected, 256)
    assert "Standardise" in said(ValueError, Model.from_torch, module)
    assert values(module.float()).dtype == np.float32
    wide = values(module.double())
    assert wide.dtype == np.float64
    assert np.abs(wide - expected).max() <= 1e-5 * np.abs(expected).max()


def test_modules_of_others(torch):
    nn = torch.nn
    torch.manual_seed(1)
    nested = nn.Sequential(
        nn.Sequential(nn.Linear(4, 6, bias=False), nn.Dropout(0.5), nn.ReLU()), nn.Linear(6, 5), nn.Identity(),
        nn.Sequential(nn.Linear(5, 2)), nn.Sigmoid(),
    ).eval()  # fmt: skip
    model = Model.from_torch(nested, loss="squared_error", seed=7)
    assert (model.spec.hidden, model.spec.output, model.spec.dtype) == (("relu", "identity"), "sigmoid", "float32")
    assert (model.spec.loss, model.seed) == ("squared_error", 7)
    near(model.predict_proba(X.astype(np.float32)), of_module_of(nested, X))
    model.fit(X, targets("sigmoid", 2, len(X)), epochs=1, threads=1)
    assert Model.from_torch(nn.Linear(4, 2).double(), loss="cross_entropy").spec.output == "softmax"


@pytest.mark.parametrize("what", ["activation", "layer", "sequential"])
def test_a_part_that_stands_twice(torch, what):
    nn = torch.nn
    torch.manual_seed(1)
    layer, shared = nn.Linear(4, 4), nn.ReLU()
    block = nn.Sequential(nn.Linear(4, 4), shared)
    module = {
        "activation": lambda: nn.Sequential(nn.Linear(4, 6), shared, nn.Linear(6, 5), shared, nn.Linear(5, 2)),
        "layer": lambda: nn.Sequential(layer, nn.ReLU(), layer, nn.Tanh(), nn.Linear(4, 2)),
        "sequential": lambda: nn.Sequential(block, block, nn.Linear(4, 2)),
    }[what]()
    model = Model.from_torch(module)
    assert model.spec.hidden == (("relu", "tanh") if what == "layer" else ("relu", "relu"))
    near(model.predict(X.astype(np.float32)), of_module_of(module, X))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # weight_norm, the old one
def test_what_a_class_does_not_show_is_refused(torch):
    nn = torch.nn

    class OwnDropout(nn.Dropout):
        def forward(self, x):
            return 2 * x

    class OwnLinear(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    def hooked(module):
        module.register_forward_hook(lambda of, given, made: 2 * made)
        return module

    def patched(module):
        module.forward = lambda x: x
        return module

    end = nn.Linear(2, 1)
    for module, words in (
        (nn.Sequential(nn.Linear(2, 2), OwnDropout(), end), "module[1] is OwnDropout(p=0.5"),
        (nn.Sequential(nn.Linear(2, 2), OwnLinear(2, 2), end), "module[1] is OwnLinear("),
        (nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 2)), nn.ReLU(), end), "module[0] is Linear("),
        (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), end), "module[0] is Parametr"),
        (nn.Sequential(nn.Linear(2, 2), hooked(nn.ReLU()), end), "module[1] is ReLU() with a hook"),
        (nn.Sequential(hooked(nn.Sequential(nn.Linear(2, 2))), end), "module[0] is Sequential("),
        (hooked(nn.Sequential(nn.Linear(2, 2))), "module is Sequential("),
        (hooked(nn.Linear(2, 2)), "module[0] is Linear("),
        (nn.Sequential(nn.Linear(2, 2), patched(nn.Dropout(0.5)), end), "module[1] is Dropout("),
    ):
        assert words in said(ValueError, Model.from_torch, module)
    assert "a OwnLinear" in said(TypeError, Model.from_torch, OwnLinear(2, 2))
    mixed = nn.Linear(2, 2)
    mixed.bias = nn.Parameter(mixed.bias.double())
    assert "module's weights are float32, float64" in said(ValueError, Model.from_torch, mixed)


def test_weights_that_are_not_finite(torch):
    model = network(dtype="float32", input_scale=True)
    model.set_weights(model.weights, input_scale=[3e38, 3e38, 1, 1])
    model.set_weights([(w * 10, b) for w, b in model.weights])
    assert "range of float32, its input scale included" in said(ValueError, model.to_torch)


def of_module_of(module, x):
    import torch

    with torch.no_grad():
        return module(torch.tensor(x, dtype=torch.float32)).numpy()


def test_what_is_refused(torch):
    nn = torch.nn

    class Own(nn.Module):
        def forward(self, x):
            return x

    class OwnSequential(nn.Sequential):
        def forward(self, x):
            return super().forward(x) + x

    for module, error, words in (
        (OwnSequential(nn.Linear(2, 2)), TypeError, "module is a OwnSequential"),
        (Own(), TypeError, "module is a Own: give an nn.Sequential"),
        (3, TypeError, "module is a int"),
        (nn.Sequential(), ValueError, "has no nn.Linear"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), ValueError, "module[0] is ReLU(), before the first"),
        (nn.Sequential(nn.Linear(2, 1), nn.ReLU()), ValueError, "module[1] is ReLU(), and an output"),
        (nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(-1)), ValueError, 'output="softmax"'),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)), ValueError, "an output of fastmlp is nn.Softmax(dim=-1)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Sigmoid()), ValueError, "after the output"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Tanh(), nn.Linear(2, 1)), ValueError, "module[2] is Tanh()"),
        (nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.2), nn.Linear(2, 1)), ValueError, "negative_slope=0.01"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1)), ValueError, "BatchNorm1d"),
        (nn.Sequential(nn.Linear(2, 2), Own(), nn.Linear(2, 1)), ValueError, "module[1] is Own()"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 1)), ValueError, "module[1] takes 2 inputs"),
        (nn.Linear(2, 1).half(), ValueError, "float16"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()), ValueError, "float32, float64"),
    ):
        assert words in said(error, Model.from_torch, module)
    ends = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    assert "module ends with sigmoid" in said(ValueError, Model.from_torch, ends, output="softmax")
    said(TypeError, Model([2, 2]).to_torch, logits=1)


def test_without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "fastmlp.export.torch_modules", raising=False)
    monkeypatch.delattr(fastmlp.export, "torch_modules", raising=False)
    assert "to_torch needs torch, which is not installed" in said(ImportError, Model([2, 2]).to_torch)
    assert "from_torch needs torch" in said(ImportError, Model.from_torch, None)
