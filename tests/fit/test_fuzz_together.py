"""Random models together against each alone, in short: `tests/long/fuzz_together.py`; and what it must catch."""

import numpy as np
import pytest
from long.fuzz_together import fuzz

from fastmlp.engine import model_lanes


def test_models_together_end_as_they_do_alone():
    counts = fuzz(15, seed=21)
    assert counts["cases"] == 15
    assert counts["in groups"] > 3
    assert counts["ended with DivergenceError"] + counts["stopped early"] > 0


def test_a_neighbours_number_is_seen(monkeypatch):
    """The planted fault: with a model that ends early, one bit of its neighbour's changes."""
    take_in = model_lanes.Group._take_in

    def faulty(group, powers):
        take_in(group, powers)
        ended = [lane.lane for lane in group.lanes if not group.live[lane.lane]]
        others = [lane.lane for lane in group.lanes if group.live[lane.lane]]
        if ended and others:
            group.parameters[0, others[0]] = np.nextafter(group.parameters[0, others[0]], np.inf)

    monkeypatch.setattr(model_lanes.Group, "_take_in", faulty)
    with pytest.raises(AssertionError, match="of seed"):
        fuzz(200, seed=22)
