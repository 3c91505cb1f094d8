"""Initial weights by kernels: the bits of the definition, and no compiler where one network is made."""

import subprocess
import sys

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.engine import initial_weights
from fastmlp.spec import INITS, Spec

SEEDS = (0, 1, 2**63 - 1, 2**63, 2**64 - 1)


@pytest.mark.sample(10)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("init", [*INITS, 0.3, 0.0, 1e-310, 1e-40, 1e30])
def test_kernels_draw_the_definition_s_weights(init, dtype):
    initial_weights.get_ready(init)
    for layers in ([2, 3], [1, 1, 1], [5, 7, 9, 3], [40, 60, 2]):
        spec = Spec.build(layers, output="identity", dtype=dtype)
        for seed in SEEDS:
            found = initial_weights.initial_parameters(spec, init, seed, "numba")
            expected = initial_weights.initial_parameters(spec, init, seed, "reference")
            assert found.dtype == dtype
            assert found.tobytes() == expected.tobytes(), (layers, seed)
            assert found.flags.c_contiguous and found.flags.writeable and found.flags.aligned  # noqa: PT018


def test_another_stream_would_be_seen(monkeypatch):
    """The planted fault."""
    initial_weights.get_ready("he_normal")
    expected = Model([5, 7, 2]).digest()
    monkeypatch.setattr(initial_weights.random, "WEIGHTS", 1)
    assert Model([5, 7, 2]).digest() != expected


def test_overflow_is_an_error_and_no_warning():
    for init, dtype in ((1e300, "float32"), (1.7e308, "float64")):
        initial_weights.get_ready(init)
        with np.errstate(all="raise"), pytest.raises(ValueError, match="init"):
            Model([2, 9, 2], init=init, dtype=dtype)


def test_one_network_needs_no_compiler():
    script = """
import sys
from fastmlp import Model
for seed in range(3):
    Model([64, 60, 10], seed=seed)
assert "llvmlite" not in sys.modules
Model([64, 100, 10])
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_several_networks_load_the_kernel():
    script = """
import sys, time
from fastmlp import Model
from fastmlp.kernels import registry
end = time.monotonic() + 60
while not registry.is_linked("random.normal", "float64") and time.monotonic() < end:
    Model([4, 3])
    time.sleep(0.01)
assert registry.is_linked("random.normal", "float64")
assert "numba" not in sys.modules
"""
    initial_weights.get_ready("he_normal")  # it is in the cache from here on
    subprocess.run([sys.executable, "-c", script], check=True)
