"""Every registered kernel against its reference, bit for bit, on edge sizes, between bands of canaries."""

import pytest
from cases import CASES, TRAINED, check

from fastmlp.kernels import registry

PAIRS = registry.load_all()


def unchecked(registered, cases, trained):
    """The names of kernels that nothing compares with a reference."""
    return {
        name
        for name, kernel in registered.items()
        if name not in trained
        and (name not in cases or kernel.reference is None)
        and not name.startswith(("lanes_", "model_lanes."))  # test_lane_kernels.py has them all
    }


def test_no_kernel_goes_unchecked():
    assert not unchecked(PAIRS, CASES, TRAINED), "give each of these a case in tests/cases.py"
    assert not (set(CASES) | TRAINED) - set(PAIRS), "these are no longer registered"
    assert not set(CASES) & TRAINED


@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name in CASES for dtype in PAIRS[name].dtypes])
def test_kernel_has_the_bits_of_its_reference(name, dtype, request):
    check(name, PAIRS[name], dtype, every=1 if request.config.getoption("--all") else 2)
