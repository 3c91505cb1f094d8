"""R2, beside scikit-learn's."""

import numpy as np
import pytest

from fastmlp.core.scores import r2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_r2_is_scikit_learn_s(dtype):
    metrics = pytest.importorskip("sklearn.metrics")
    draws = np.random.default_rng(0)
    y = draws.normal(3, 2, (40, 3)).astype(dtype)
    predicted = (y + draws.normal(0, 0.5, y.shape)).astype(dtype)
    assert r2(predicted, y) == pytest.approx(metrics.r2_score(y.astype(float), predicted.astype(float)), abs=1e-12)


def test_r2_of_an_output_that_is_constant():
    y = np.full((5, 1), 2.0)
    assert r2(y.copy(), y) == 1
    assert r2(y + 1, y) == 0
