"""The one implementation that makes columns ready: kernels for many numbers, the reference for few, the same bits."""

import numpy as np
import pytest

from fastmlp.core import preprocess
from fastmlp.core.preprocess import Scale
from fastmlp.kernels import registry
from fastmlp.reference import preprocess as definition


def test_kernels_are_called_as_they_are():
    pairs = registry.load_all()
    assert {name: pairs[f"preprocess.{name}"].arguments for name in preprocess.ARGUMENTS} == preprocess.ARGUMENTS
    assert {f"preprocess.{name}" for name in preprocess.ARGUMENTS} == {n for n in pairs if n.startswith("preprocess.")}


@pytest.mark.parametrize("columns", [1, 7])
@pytest.mark.parametrize("transposed", [False, True])
def test_many_numbers_have_the_definition_s_bits(columns, transposed):
    rows = preprocess.FEW // columns + 2
    x = np.random.default_rng(0).normal(3, 2, (rows, columns))
    if transposed:
        x = np.asfortranarray(x)
    scale = Scale.of(x, range(columns))
    mean = definition.mean(x)
    assert scale.mean.tobytes() == mean.tobytes()
    assert scale.deviation.tobytes() == definition.deviation(x, mean).tobytes()
    z = scale.forward(x)
    assert z.tobytes() == definition.standardised(x, mean, scale.deviation).tobytes()
    assert scale.backward(z).tobytes() == definition.unstandardised(z, mean, scale.deviation).tobytes()
    assert scale.forward(x, "reference").tobytes() == z.tobytes()
    values = x[:, 0] if columns == 1 else np.ascontiguousarray(x).reshape(-1)
    assert preprocess.median(values) == definition.median(values) == np.median(values)
    values = values.copy()
    values[::3] = np.nan
    for got, expected in zip(preprocess.filled(values, 0.5), definition.filled(values, 0.5), strict=True):
        assert got.tobytes() == expected.tobytes()
    codes = np.arange(rows) % 5 - 1
    assert preprocess.one_hot(codes, 9).tobytes() == definition.one_hot(codes, 9).tobytes()


@pytest.mark.parametrize("rows", [3, preprocess.FEW + 3])
def test_what_cannot_be_squared_is_named(rows):
    x = np.ones((rows, 2))
    x[0, 1] = 1e200
    with pytest.raises(ValueError, match="column 'b' is too large to standardise"):
        Scale.of(x, ["a", "b"])


@pytest.mark.parametrize(
    ("values", "constant"),
    [
        ([0.3, 0.1 * 3], True),
        ([1e9, 1e9 + 1e-7], True),
        ([0.3, 0.3 + 1e-13], False),
        ([1.6e18, 1.6e18 + 1e6], False),
        ([5_000_000, 5_000_001], False),
        ([np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(1))], True),
        ([0.5, 0.50000024], False),
        ([0.0, 0.0], True),
        ([-1e-300, 1e-300], True),  # whose squares are 0
        ([0.0, 1e-3], False),
    ],
)
def test_what_is_constant_but_for_rounding(values, constant):
    x = np.array(values * 50, np.float64)[:, None]
    assert Scale.of(x, ["a"]).constant.tolist() == [constant]


def test_a_running_sum_of_one_is_constant():
    parts = np.random.default_rng(0).dirichlet(np.ones(10), 1000)
    total = parts.cumsum(axis=1)[:, -1:]
    assert len(np.unique(total)) > 1
    assert Scale.of(total, ["total"]).constant.all()
