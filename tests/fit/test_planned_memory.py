"""What many trainings are said to need, against what they take."""

import tracemalloc
from dataclasses import fields

import numpy as np
import pytest

from fastmlp import Adam, Model
from fastmlp.fit.options import FitOptions
from fastmlp.fit.planned_memory import Asked, in_units, needed
from fastmlp.fit.together import train_together
from fastmlp.spec import Spec


def test_in_words():
    found = needed([Asked(Spec.build([64, 100, 10]), "adam")] * 4096, threads=2)
    assert found.words == "4096 models of 64-100-10 with Adam need 0.76 GB, and 0.4 GB while they train"
    mixed = [Asked(Spec.build([2, size, 2])) for size in (3, 4)]
    assert needed(mixed).words.startswith("2 models of 2 shapes with SGD need 9 kB")
    assert needed(mixed[:1]).words.startswith("1 model of 2-3-2 with SGD needs 5 kB")
    assert [in_units(size) for size in (0, 1001, 10**6, 10**8, 2 * 10**11)] == [
        "0 kB",
        "2 kB",
        "1 MB",
        "0.1 GB",
        "200 GB",
    ]


@pytest.mark.parametrize("optimizer", [None, Adam(0.01)])
def test_it_is_what_they_take(optimizer):
    x, y = np.random.default_rng(0).standard_normal((40, 64)), np.arange(40) % 10
    usual = {field.name: field.default for field in fields(FitOptions)}
    options = FitOptions.of({**usual, "epochs": 3, "batch_size": 8, "optimizer": optimizer})

    def take():
        models = [Model([64, 100, 10], seed=seed) for seed in range(60)]
        assert train_together([model.job(x, y, options) for model in models], threads=2) == [None] * 60
        return models

    kept = take()
    tracemalloc.start()
    try:
        kept = take()
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found = needed([Asked(kept[0].spec, optimizer, records=3)] * 60, threads=2)
    assert 0.8 * found.models < now < 1.2 * found.models
    assert most < 1.3 * found.bytes
