"""fastmlp.testing.bits: what is equal, and what a message says."""

import numpy as np
import pytest
from bits import nasty

from fastmlp.spec import DTYPES
from fastmlp.testing import assert_same_bits
from fastmlp.testing.bits import ulps


def message(actual, desired, **options):
    with pytest.raises(AssertionError) as raised:
        assert_same_bits(actual, desired, **options)
    return str(raised.value)


def test_the_message_shows_the_first_difference_and_its_neighbours_in_ulps():
    desired = np.arange(12, dtype=np.float32).reshape(3, 4) / 3
    actual = desired.copy()
    actual[1, 2] = np.nextafter(np.nextafter(actual[1, 2], np.float32(9)), np.float32(9))
    actual[2, 1] = np.nan
    lines = message(actual, desired, what="w").splitlines()
    assert lines[0] == "w[1, 2]: 40000002 (2.0000005), expected 40000000 (2.0); 2 of 12 differ"
    assert lines[1].split() == ["index", "actual", "expected", "ulps"]
    assert len(lines) == 2 + 7
    assert lines[5] == "    > [1, 2]  0x1.0000040000000p+1  0x1.0000000000000p+1     2"
    assert lines[8].split() == [">", "[2,", "1]", "nan", float(desired[2, 1]).hex(), "-"]
    assert [line.split()[-1] for line in lines[2:5] + lines[6:8]] == ["0"] * 5


@pytest.mark.parametrize(
    ("actual", "desired", "says"),
    [
        (np.float64(1), np.float64(2), "[]: 3ff0000000000000 (1.0)"),
        ([1, 2], [1, 3], "> [1]  2       3           -1"),
        ([True], [False], "[0]: 01 (True), expected 00 (False)"),
        (["a"], ["b"], "[0]: a (a), expected b (b)"),
        (np.array([1.0, 2.0], np.longdouble), np.array([1.0, 3.0], np.longdouble), "1 of 2 differ"),
        (np.array([0.0], np.longdouble), np.array([-0.0], np.longdouble), "1 of 1 differ"),
        (np.array([1], np.int8), np.array([1]), "dtype int8, expected int64"),
        (np.zeros((2, 1)), np.zeros(2), "shape (2, 1), expected (2,)"),
    ],
)
def test_other_kinds_of_numbers(actual, desired, says):
    assert says in message(actual, desired)


def test_what_is_equal():
    for x in (np.array([np.nan, -0.0]), np.array(["a"]), np.array([], np.float32), np.array([np.nan], np.longdouble)):
        assert_same_bits(x, x.copy())
    assert_same_bits([1.0, 2.0], [1.0, 3.0], where=[True, False])


@pytest.mark.parametrize("dtype", DTYPES)
def test_ulps_count_the_steps_between_neighbours(dtype):
    ordered = np.sort(np.unique(nasty(dtype)[np.isfinite(nasty(dtype))]))
    for x in ordered:
        for steps, towards in ((1, np.inf), (-1, -np.inf)):
            with np.errstate(over="ignore"):
                moved = np.nextafter(x, np.dtype(dtype).type(towards))
            assert ulps(moved, x) == steps
    info = np.finfo(dtype)
    assert ulps(info.smallest_subnormal, -info.smallest_subnormal) == 2
    assert ulps(np.array(-0.0, dtype)[()], np.array(0.0, dtype)[()]) == 0
    assert ulps(np.array(np.inf, dtype)[()], info.max) == 1
    assert ulps(np.array(np.nan, dtype)[()], info.max) is None
