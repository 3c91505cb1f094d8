"""What a training is told: that columns are far from standardised, once, before it begins."""

import warnings

import numpy as np
import pytest

from fastmlp import Model, ScaleWarning
from fastmlp.fit import advice

Z = np.random.default_rng(0).normal(size=(200, 3))
Y = (Z[:, 0] > 0).astype(int)
LONG = {"epochs": 200, "learning_rate": 1e-6}


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ([1, 1e4, 1], r"columns of X are far from standardised, by their typical size: 1 \("),
        ([50, 50, 50], r"by their typical size: 0 \(5\d"),
        ([1e-5, 1e-5, 1e-5], "all columns of X are far from standardised: their typical size is at most"),
    ],
)
def test_columns_far_from_standardised_are_told(scale, said):
    with pytest.warns(ScaleWarning, match=said) as found:
        Model([3, 8, 2]).fit(Z * scale, Y, **LONG)
    assert len(found) == 1
    assert found[0].filename == __file__
    assert "standardize=True" in str(found[0].message)


@pytest.mark.parametrize("scale", [[1, 1, 1], [8, 8, 8], [1, 1e-5, 1]])
def test_others_are_not(scale):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Model([3, 8, 2]).fit(Z * scale, Y, **LONG)


def test_it_is_told_once_and_not_of_a_model_that_standardises():
    model = Model([3, 8, 2])
    with pytest.warns(ScaleWarning):
        model.fit(Z * 1e3, Y, **LONG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(Z * 1e3, Y, **LONG, resume=True)
        Model([3, 8, 2], standardize=True).fit(Z * 1e3, Y, **LONG)
        Model([3, 8, 2]).fit(Z[:20] * 1e3, Y[:20], epochs=1, learning_rate=1e-6)  # too short to take a look


def test_a_sample_is_looked_at():
    x = np.ones((advice.SAMPLE + 1, 1))
    x[-1] = 1e9
    assert advice.far_from_standardised(x, advice.LONG_WORK) == ""
    assert advice.far_from_standardised(x[1:], advice.LONG_WORK) != ""
