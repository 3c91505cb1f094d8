"""Which fits of one network are trained together."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastmlp.fit import lanes
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import Training


def fits(count, layers=(2, 8, 8, 2), batch=4):
    one = SimpleNamespace(
        network=SimpleNamespace(spec=Spec.build([*layers], dtype="float64")),
        training=Training(1, 0.1, batch, 1),
        targets=np.zeros(2000),
    )
    return [one] * count


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_models_over_whole_registers_are_trained_alone(threads):
    register = target().register // 8
    for count in (1, register - 1, register, register + 1, 5 * register + 1, 40 * register + register // 2 + 1):
        parts = lanes.parts(fits(count), threads)
        places = [place for part in parts for place in range(count)[part]]
        assert places == [*range(count)]
        together = [len(range(count)[part]) for part in parts if len(range(count)[part]) > 1]
        assert len(together) <= threads
        assert sum(together) in (0, count, count // register * register)
        assert not together or count >= register - 1


def test_wide_networks_are_trained_alone(monkeypatch):
    assert lanes.parts(fits(3, (64, 300, 10), 200), 2) == [slice(0, 1), slice(1, 2), slice(2, 3)]
    monkeypatch.setattr(lanes, "force", True)
    assert lanes.parts(fits(3, (64, 300, 10), 200), 1)[0] == slice(0, 3)
