"""Calls in any order, in short: tests/long/fuzz_machines.py does many more."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from machines import COUNTS, Estimators, Models

FEW = settings(
    max_examples=10, stateful_step_count=12, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.parametrize("machine", [Models, Estimators])
def test_calls_in_any_order(machine):
    run_state_machine_as_test(machine, settings=FEW)
    assert COUNTS["cut short"]


def test_a_twin_of_other_bits_is_seen(monkeypatch):
    """A reference that rounds once more than it should."""
    from fastmlp.reference import optimizers

    real = optimizers.adam
    monkeypatch.setattr(optimizers, "adam", lambda w, *others: real(w * (1 + 2**-50), *others))
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Models, settings=settings(FEW, phases=[Phase.generate]))
