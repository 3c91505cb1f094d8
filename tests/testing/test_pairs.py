"""fastmlp.testing.pairs: results, arguments and exceptions of two functions."""

import numpy as np
import pytest

from fastmlp.testing import check_pair


def halves(x):
    return x / 2, {"count": len(x), "rest": None}


def test_equal_functions_pass_and_the_arguments_stay():
    x = np.array([1.0, 2.0])
    assert check_pair(halves, lambda x: (x * 0.5, {"count": x.size, "rest": None}), x)[1] == {"count": 2, "rest": None}
    np.testing.assert_array_equal(x, [1.0, 2.0])


def in_place(x):
    x[0] = 7


@pytest.mark.parametrize(
    ("fast", "definition", "says"),
    [
        (lambda x: x + 1e-16, lambda x: x, "<lambda>[0]: "),
        (lambda x: (x, x + 1), lambda x: (x, x), "<lambda>: result 1 [0]: "),
        (lambda x: {"a": x}, lambda x: {"a": x, "b": x}, "expected the keys ['a', 'b']"),
        (lambda x: {"a": -x}, lambda x: {"a": x}, "'a'[0]: "),
        (lambda x: (x,), lambda x: [x], "expected 1 results"),
        (lambda x: None, lambda x: x, "returned None"),
        (in_place, lambda x: None, "in_place: argument 0, after the call, [0]: "),
        (lambda x: x["a"], lambda x: x, "raised IndexError"),
        (lambda x: x["a"], lambda x: int("a"), "its definition raised ValueError"),
    ],
)
def test_differences_are_seen(fast, definition, says):
    with pytest.raises(AssertionError) as raised:
        check_pair(fast, definition, np.array([0.25]))
    assert says in str(raised.value)


def test_both_may_raise_the_same():
    with pytest.raises(ValueError, match="invalid literal"):
        check_pair(int, lambda x: int(x, 10), "a")


@pytest.mark.parametrize("given", [[np.array([0.25])], {"a": np.array([0.25])}, ([np.array([0.25])],)])
def test_what_is_written_into_an_argument_is_seen(given):
    def writes(x):
        while not isinstance(x, np.ndarray):
            x = x["a"] if isinstance(x, dict) else x[0]
        x[0] = 5

    with pytest.raises(AssertionError, match="argument 0, after the call"):
        check_pair(writes, lambda x: None, given)
