"""What the constructor of `Model` takes and refuses, and the initial weights."""

import warnings

import numpy as np
import pytest
from models import BACKENDS, XOR_X, bits, said

from fastmlp import Model

# ---------------------------------------------------------------------------------------------------------
# The constructor


@pytest.mark.parametrize(
    ("argument", "value", "error", "words"),
    [
        ("layers", "2,2", TypeError, ["[2, 8, 8, 2]"]),
        ("layers", 5, TypeError, ["[2, 8, 8, 2]"]),
        ("layers", None, TypeError, ["[2, 8, 8, 2]"]),
        ("layers", np.array(3), TypeError, ["layers", "[2, 8, 8, 2]"]),
        ("layers", [], ValueError, ["layers", "too short"]),
        ("layers", [2], ValueError, ["layers", "too short"]),
        ("layers", [2, 0, 2], ValueError, ["layers", "holds 0", "at least 1"]),
        ("layers", [2, -1, 2], ValueError, ["layers", "holds -1", "at least 1"]),
        ("layers", [2, 2.0], TypeError, ["layers", "2.0", "whole number"]),
        ("layers", [2, "8", 2], TypeError, ["layers", "'8'", "whole number"]),
        ("layers", [2, True, 2], ValueError, ["layers", "True"]),
        ("layers", [2, None, 2], TypeError, ["layers", "None"]),
        ("layers", [2, 8, 1], ValueError, ["layers", "at least 2", '"sigmoid"']),
        ("layers", [2, 2**62, 2**62], (ValueError, MemoryError), ["layers"]),
        ("hidden", "maxout", ValueError, ["hidden='maxout'", '"relu", "leaky_relu"', 'or "identity"']),
        ("hidden", "Relu6", ValueError, ["hidden='Relu6'", 'did you mean "relu"']),
        ("hidden", ["relu", "maxout"], ValueError, ["hidden='maxout'", '"tanh"']),
        ("hidden", ["relu"], ValueError, ["hidden=['relu']", "2 hidden layers"]),
        ("hidden", [], ValueError, ["hidden=[]", "2 hidden layers"]),
        ("hidden", ["relu"] * 3, ValueError, ["3 names", "2 hidden layers"]),
        ("hidden", None, (TypeError, ValueError), ["hidden=None"]),
        ("hidden", 5, (TypeError, ValueError), ["hidden=5"]),
        ("hidden", {"relu", "tanh"}, (TypeError, ValueError), ["hidden"]),  # a set has no order to rely on
        ("output", "tanh", ValueError, ["output='tanh'", '"softmax", "sigmoid", "identity" or "exponential"']),
        ("loss", "hinge", ValueError, ["loss='hinge'", '"cross_entropy"', '"squared_error"']),
        ("init", "zeros", ValueError, ["init='zeros'", '"he_normal", "he_uniform", "glorot_normal"', "0.1"]),
        ("init", None, TypeError, ["init=None", "he_normal"]),
        ("init", True, TypeError, ["init=True"]),
        ("init", -0.5, ValueError, ["init=-0.5", "positive"]),
        ("init", float("nan"), ValueError, ["init=nan"]),
        ("init", float("inf"), ValueError, ["init=inf"]),
        pytest.param("init", 10**400, ValueError, ["init"], id="init-beyond_floats"),
        ("bias_init", None, TypeError, ["bias_init=None"]),
        ("bias_init", "he_normal", TypeError, ["bias_init='he_normal'", "number"]),
        ("bias_init", -1, ValueError, ["bias_init=-1", "positive"]),
        ("zero_last", 1, TypeError, ["zero_last=1"]),
        ("input_scale", 6, TypeError, ["input_scale=6"]),
        ("seed", None, TypeError, ["seed=None", "Generator or RandomState"]),
        ("seed", True, TypeError, ["seed=True"]),
        ("seed", 1.0, TypeError, ["seed=1.0", "whole number"]),
        ("seed", "1", TypeError, ["seed='1'"]),
        ("seed", -1, ValueError, ["seed=-1", "0 to 2**64 - 1"]),
        ("seed", 2**64, ValueError, ["seed=18446744073709551616", "0 to 2**64 - 1"]),
        ("seed", np.random.PCG64(1), TypeError, ["seed=", "Generator or RandomState"]),
        ("seed", np.array([1, 2]), TypeError, ["seed"]),
        ("seed", np.array(1.5), TypeError, ["seed"]),
        ("dtype", "float16", ValueError, ["dtype='float16'", '"float64" or "float32"']),
        ("dtype", int, ValueError, ["dtype=<class 'int'>", '"float64"']),
        ("dtype", None, ValueError, ["dtype=None", '"float64"']),
        ("dtype", "nonsense", ValueError, ["dtype='nonsense'", '"float64"']),
        ("dtype", [("a", float)], ValueError, ["dtype=", '"float64"']),
        ("backend", "cuda", ValueError, ["backend='cuda'", '"numba" or "reference"']),
        ("backend", None, ValueError, ["backend=None", '"numba" or "reference"']),
    ],
)
def test_the_constructor_refuses(argument, value, error, words):
    arguments = {"layers": [2, 3, 3, 2], argument: value}
    layers = arguments.pop("layers")
    message = said(error, Model, layers, **arguments)
    for word in words:
        assert word in message


@pytest.mark.parametrize(("init", "dtype"), [(1e300, "float32"), (1.7e308, "float64")])
def test_initial_weights_beyond_the_dtype_are_refused(init, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "init" in said(ValueError, Model, [2, 9, 2], init=init, dtype=dtype)


def test_only_layers_are_positional():
    assert "positional" in said(TypeError, Model, [2, 3, 2], "relu")
    assert "activation" in said(TypeError, Model, [2, 3, 2], activation="relu")


@pytest.mark.parametrize(
    "layers", [[2, 3, 2], (2, 3, 2), np.array([2, 3, 2]), np.array([2, 3, 2], np.uint8), iter([2, 3, 2]), range(2, 5)]
)
def test_layers_of_every_kind(layers):
    model = Model(layers)
    assert all(type(size) is int for size in model.spec.layers)
    assert [w.shape for w, _ in model.weights] == [(2, 3), (3, model.spec.outputs)]


def test_hidden_is_one_name_or_one_for_each():
    assert Model([2, 3, 4, 2], hidden="tanh").spec.hidden == ("tanh", "tanh")
    assert Model([2, 3, 4, 2], hidden=["tanh", "relu"]).spec.hidden == ("tanh", "relu")
    assert Model([2, 3, 4, 2], hidden=("sigmoid", "identity")).spec.hidden == ("sigmoid", "identity")
    assert Model([2, 2], hidden="tanh").spec.hidden == ()
    assert Model([2, 2], hidden=[]).spec.hidden == ()


@pytest.mark.parametrize(
    ("output", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "binary_cross_entropy"), ("identity", "squared_error")],
)
def test_an_output_has_a_default_loss(output, loss):
    assert Model([2, 3], output=output).spec.loss == loss


@pytest.mark.parametrize("dtype", ["float32", "f4", "f", "single", np.float32, np.dtype("float32"), "<f4", ">f4"])
def test_dtype_spellings(dtype):
    model = Model([2, 3, 2], dtype=dtype)
    assert model.spec.dtype == "float32"
    assert all(part.dtype == np.float32 and part.dtype.isnative for layer in model.weights for part in layer)
    assert model.predict_proba(XOR_X).dtype == np.float32


def test_the_repr_is_code_that_makes_the_network():
    for model in (
        Model([2, 3, 3, 2], hidden=["relu", "tanh"], dtype="float32", backend="reference"),
        Model([2, 1], output="sigmoid"),
        Model([2, 3, 1], hidden="tanh", output="identity"),
        Model([2, 3, 3, 2], hidden=np.array(["relu", "tanh"])),
    ):
        again = eval(repr(model), {"Model": Model})
        assert (again.spec, again.backend) == (model.spec, model.backend)


# ---------------------------------------------------------------------------------------------------------
# Initial weights


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        ("he_normal", 2 / 120),
        ("he_uniform", 2 / 120),
        ("glorot_normal", 2 / 220),
        ("glorot_uniform", 2 / 220),
        (0.25, 0.0625),
    ],
)
@pytest.mark.parametrize("seed", [5, np.random.RandomState(5), np.random.default_rng(5)], ids=["int", "state", "rng"])
def test_scales_of_initial_weights(init, variance, seed):
    w, b = Model([120, 100, 2], init=init, seed=seed).weights[0]
    assert not b.any()
    count = w.size
    assert abs(w.mean()) < 5 * np.sqrt(variance / count)
    uniform = str(init).endswith("uniform")
    # the variance of a sample variance: (kurtosis - 1) / count, with kurtosis 9/5 or 3
    assert abs(w.var() / variance - 1) < 5 * np.sqrt((0.8 if uniform else 2) / count)
    fourth = ((w - w.mean()) ** 4).mean() / w.var() ** 2
    assert abs(fourth - (1.8 if uniform else 3)) < 0.2
    if uniform:
        limit = np.sqrt(3 * variance)
        assert 0.99 * limit < np.abs(w).max() < limit
    assert abs(np.corrcoef(w[0::2].ravel(), w[1::2].ravel())[0, 1]) < 5 / np.sqrt(count / 2)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_random_state_gives_the_exercises_draws(dtype, backend):
    draws = np.random.RandomState(42)
    model = Model([2, 8, 8, 2], seed=np.random.RandomState(42), dtype=dtype, backend=backend)
    for (w, b), (fan_in, fan_out) in zip(model.weights, model.spec.shapes, strict=True):
        assert w.tobytes() == (draws.randn(fan_in, fan_out) * np.sqrt(2 / fan_in)).astype(dtype).tobytes()
        assert not b.any()


def test_a_generator_gives_its_draws():
    draws = np.random.default_rng(7)
    for w, _ in Model([3, 4, 2], init="glorot_uniform", seed=np.random.default_rng(7)).weights:
        limit = np.sqrt(6 / sum(w.shape))
        assert w.tobytes() == draws.uniform(-limit, limit, w.shape).tobytes()
    draws = np.random.default_rng(7)
    for w, _ in Model([3, 4, 2], init=0.5, seed=np.random.default_rng(7)).weights:
        assert w.tobytes() == (draws.standard_normal(w.shape) * 0.5).tobytes()


def test_a_generator_is_the_callers_and_moves_on():
    draws = np.random.default_rng(7)
    first, second = Model([3, 4, 2], seed=draws), Model([3, 4, 2], seed=draws)
    assert bits(first) != bits(second)


@pytest.mark.parametrize("init", ["he_normal", "he_uniform", 0.1])
def test_large_layers_draw_the_same_bits_on_both_backends(init):
    """Layers of more than 4096 weights are drawn by kernels."""
    one, other = (Model([65, 64, 70, 2], init=init, seed=2**63 + 5, backend=backend) for backend in BACKENDS)
    assert bits(one) == bits(other)


def test_an_int_seed_gives_the_same_bits_everywhere():
    model = Model([2, 3, 2], seed=1)
    assert model.weights[0][0].tolist() == GOLDEN_WEIGHTS
    assert bits(Model([2, 3, 2], seed=np.uint8(1))) == bits(model)
    assert bits(Model([2, 3, 2], seed=2)) != bits(model)
    assert bits(Model([2, 3, 2], seed=2**64 - 1)) != bits(Model([2, 3, 2], seed=0))
    assert bits(Model([2, 3, 2])) == bits(Model([2, 3, 2], seed=0))


def test_a_float32_network_begins_with_the_float64_weights_rounded():
    wide, narrow = Model([9, 8, 7], seed=4), Model([9, 8, 7], seed=4, dtype="float32")
    for (w, _), (single, _) in zip(wide.weights, narrow.weights, strict=True):
        assert w.astype(np.float32).tobytes() == single.tobytes()


GOLDEN_WEIGHTS = [
    [1.251833426235645, 0.5570930630842974, 1.1460459748596203],
    [0.40185103133819344, 0.14210187919024006, 1.4158366325692235],
]


@pytest.mark.parametrize("seed", [5, np.random.RandomState(5), np.random.default_rng(5)], ids=["int", "state", "rng"])
def test_initial_biases_the_last_layer_and_the_scale(seed):
    """Weights stay those of a model without."""
    layers = [3, 4000, 2]
    plain = Model(layers, init="lecun_normal", seed=5).weights
    made = Model(layers, init="lecun_normal", bias_init=0.5, zero_last=True, input_scale=True, seed=seed)
    (w, b), (last, end) = made.weights
    assert abs(b.std() - 0.5) < 0.03
    assert abs(b.mean()) < 0.03
    assert not last.any()
    assert not end.any()
    assert made.input_scale.tolist() == [1.0] * 3
    assert abs(w.std() * np.sqrt(3) - 1) < 0.03
    if isinstance(seed, int):
        assert (w == plain[0][0]).all()
        on_reference = Model(layers, init="lecun_normal", bias_init=0.5, seed=seed, backend="reference")
        assert (on_reference.weights[0][1] == b).all()
        assert not np.isin(b, w).any()


def test_initial_biases_beyond_the_dtype_are_refused():
    with pytest.raises(ValueError, match=r"bias_init=2e\+38 .*float32"):
        Model([2, 2000, 2], bias_init=2e38, dtype="float32")
