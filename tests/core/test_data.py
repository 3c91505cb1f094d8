"""Input checking: what is taken, bit for bit, and what is refused, in which words."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastmlp.checks import scalars
from fastmlp.core import data
from fastmlp.spec import DTYPES, Spec

SOFTMAX = Spec.build([2, 3])
WIDE_SIGMOID = Spec.build([2, 3], output="sigmoid")
SIGMOID = Spec.build([2, 1], output="sigmoid")
SIGMOID_SQUARED = Spec.build([2, 1], output="sigmoid", loss="squared_error")
VALUE = Spec.build([2, 1], output="identity")
VALUES = Spec.build([2, 3], output="identity")
COUNT = Spec.build([2, 1], output="exponential")
COUNTS = Spec.build([2, 3], output="exponential")
FLOAT32 = Spec.build([2, 3], dtype="float32")


class Frame:
    """As much of a pandas frame as fastmlp looks at."""

    def __init__(self, values, columns):
        self.values, self.columns = values, columns

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


class Sparse:
    nnz = 1

    def toarray(self):
        return np.eye(2)


def refused(error, words, function, *arguments):
    """function(*arguments) raises `error`, and its message holds each of `words`."""
    with pytest.raises(error) as caught:
        function(*arguments)
    for word in [words] if isinstance(words, str) else words:
        assert word in str(caught.value)


# ---------------------------------------------------------------------------------------------------------
# Features


@pytest.mark.parametrize("dtype", DTYPES)
def test_features_that_are_ready_are_not_copied(dtype):
    spec = Spec.build([2, 3], dtype=dtype)
    x = np.ones((5, 2), dtype)
    assert data.features(x, spec) is x
    x.flags.writeable = False
    assert data.features(x, spec) is x


ROWS = [[0.0, 1.0], [2.0, 3.0], [1.0, 0.0]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "given_x",
    [
        ROWS,
        tuple(tuple(row) for row in ROWS),
        [np.array(row) for row in ROWS],
        np.array(ROWS, order="F"),
        np.array(ROWS, np.float16),
        np.array(ROWS, np.float32),
        np.array(ROWS, np.longdouble),
        np.array(ROWS, np.int8),
        np.array(ROWS, np.uint64),
        np.array(ROWS, ">f8"),
        np.array(ROWS, object),
        np.ma.array(ROWS),
        np.repeat(np.array(ROWS), 2, axis=0)[::2],
        np.array(ROWS)[::-1][::-1],
        np.repeat(np.array(ROWS), 3, axis=1)[:, ::3],
        Frame(ROWS, ["a", "b"]),
        Frame([[0, True - 0.0], [2, 3], [np.float32(1), False]], ["a", "b"]),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_features_of_every_kind(given_x, dtype):
    spec = Spec.build([2, 3], dtype=dtype)
    x = data.features(given_x, spec)
    assert x.dtype == dtype
    assert x.flags.c_contiguous
    assert type(x) is np.ndarray
    assert np.array_equal(x, np.array(ROWS))


def test_features_of_bools():
    assert data.features(np.array([[True, False]]), SOFTMAX).tolist() == [[1.0, 0.0]]


@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int32, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    ),
    st.sampled_from(DTYPES),
)
def test_features_convert_as_numpy_does_or_refuse_and_never_modify(x, dtype):
    spec = Spec.build([x.shape[1], 2], dtype=dtype)
    before = x.tobytes()
    with np.errstate(over="ignore"):
        expected = x.astype(dtype)
    if np.isfinite(expected).all():
        assert data.features(x, spec).tobytes() == expected.tobytes()
    else:
        row, column = np.argwhere(~np.isfinite(expected))[0]
        refused(ValueError, f"row {row}" + (f", column {column}" if x.shape[1] > 1 else ""), data.features, x, spec)
    assert x.tobytes() == before


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        ([[1, 2], [3]], ValueError, ["X is ragged", "row 0 has 2 values", "row 1 has 1 value"]),
        ([[1, 2], 3], ValueError, ["X is ragged", "row 1 has one value"]),
        ([["a", "b"]], TypeError, ["X holds text", "a in row 0, column 0"]),
        ([[1, "b"]], TypeError, ["X holds text", "b in row 0, column 1"]),
        (np.array([["1", "2"]]), TypeError, "X holds text"),
        (np.array([[1, "b"]], object), TypeError, ["X holds text", "b in row 0, column 1"]),
        (np.array([[1, None]], object), ValueError, ["nothing (None)", "row 0, column 1"]),
        (np.array([[1, {}]], object), TypeError, ["dict in row 0, column 1"]),
        (np.array([[1, 10**400]], object), ValueError, ["too large", "row 0, column 1"]),
        (np.array([[1j, 2]]), TypeError, "complex"),
        (np.array([["2020-01-01", "2020-01-02"]], "M8[D]"), TypeError, "dates"),
        (np.array([[1, 2]], "m8[s]"), TypeError, "time spans"),
        (np.zeros(2, [("a", "f8")]), TypeError, "dtype"),
        ([[1, 2], [3, np.nan]], ValueError, ["X has nan", "row 1, column 1"]),
        ([[1, 2], [-np.inf, np.nan]], ValueError, ["X has -inf", "row 1, column 0"]),
        (Frame([[1, 2], [3, np.nan]], ["age", "height"]), ValueError, ["row 1, column 1 (height)"]),
        (Frame(np.array([[1, "x"]], object), ["age", "sex"]), TypeError, ["x in row 0, column 1 (sex)"]),
        ([1, 2], ValueError, ["shape (2,)", "X.reshape(-1, 1)", "X.reshape(1, -1)"]),
        (np.zeros((2, 2, 2)), ValueError, ["shape (2, 2, 2)", "reshape"]),
        (np.zeros((0, 2)), ValueError, "no rows"),
        ([], ValueError, "X has no rows"),
        (np.zeros((2, 0)), ValueError, "no columns"),
        (np.zeros((4, 3)), ValueError, ["3 columns", "layers=[2, 3] begins with 2"]),
        (np.zeros((2, 4)), ValueError, "X.T has"),
        (3.0, TypeError, "one float"),
        (None, TypeError, "X=None"),
        ((row for row in ROWS), TypeError, "one generator"),
        ("ab", TypeError, "one str"),
        (Sparse(), TypeError, "X.toarray()"),
        (np.ma.array(ROWS, mask=[[0, 0], [0, 1], [0, 0]]), ValueError, "masked"),
    ],
)
def test_features_refused(x, error, words):
    refused(error, words, data.features, x, SOFTMAX)


def test_a_number_beyond_float32_is_named():
    x = np.array([[0, 1], [1e39, 2]])
    assert data.features(x, SOFTMAX) is x
    refused(ValueError, ["1e+39", "row 1, column 0", "float32", 'dtype="float64"'], data.features, x, FLOAT32)


def test_another_name():
    refused(ValueError, "X_new has nan", data.features, [[0, np.nan]], SOFTMAX, "X_new")


# ---------------------------------------------------------------------------------------------------------
# Targets


LABELS = [2, 0, 1, 1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        np.array(LABELS, np.int8),
        np.array(LABELS, np.uint64),
        np.array(LABELS, np.float16),
        np.array(LABELS)[:, None],
        np.array(LABELS, object),
        np.eye(3)[LABELS],
        np.eye(3, dtype=bool)[LABELS],
        np.asfortranarray(np.eye(3)[LABELS]),
        np.repeat(LABELS, 2)[::2],
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}-{np.shape(value)}",
)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_labels_of_every_kind(y, dtype, output):
    spec = Spec.build([2, 3], output=output, dtype=dtype)
    expected = np.array(LABELS) if output == "softmax" else np.eye(3)[LABELS]
    found = data.targets(y, 4, spec)
    assert found.dtype == dtype
    assert found.flags.c_contiguous
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spec", ["softmax", "sigmoid", "identity", "exponential"])
def test_targets_that_are_a_column_of_a_table(spec, dtype):
    """Kernels read them by their address: of the network's own dtype, they read what lies beside the column."""
    spec = Spec.build([2, 3 if spec == "softmax" else 1], output=spec, dtype=dtype)
    table = np.array([[7, 8, label % 2] for label in range(6)], dtype)
    for y in (table[:, 2], table[::-1, 2], table[:, 2:], np.lib.stride_tricks.as_strided(table[0, 2:], (6,), (0,))):
        found = data.targets(y, 6, spec)
        assert found.flags.c_contiguous
        assert found.reshape(-1).tolist() == y.reshape(-1).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_probabilities_stay_and_one_hot_rows_are_labels(dtype):
    spec, y = Spec.build([2, 3], dtype=dtype), np.array([[0.25, 0.75, 0], [0, 0, 1]])
    assert data.targets(y, 2, spec).tolist() == y.tolist()
    assert data.targets(y.tolist(), 2, spec).dtype == dtype
    assert data.targets(y[1:], 1, spec).tolist() == [2.0]
    assert data.hard(spec, data.targets(y, 2, spec)).tolist() == [1, 2]
    thirds = np.full((1, 3), 1 / 3)
    for kind in (np.float64, np.float32, np.float16):
        found = data.targets(thirds.astype(kind), 1, spec)
        assert found.dtype == dtype
        assert np.array_equal(found, thirds.astype(kind).astype(dtype))
    for wrong, words in (
        ([0.5, 0.5, 0.1], ["row 0.5 0.5 0.1 (row 1)", "sum to 1.1", "divide each row by its sum"]),
        ([1.5, -0.5, 0.0], ["row 1.5 -0.5 0 (row 1)", "are not all 0 or more"]),
        ([0.5, 0.5, 2e-6], ["sum to 1.000002"]),
        ([0.5, np.nan, 0.5], ["y has nan in row 1"]),
    ):
        refused(ValueError, words, data.targets, [[1, 0, 0], wrong], 2, spec)


def test_bools_are_labels_of_two_classes():
    assert data.targets(np.array([True, False]), 2, Spec.build([2, 2])).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("spec", [SIGMOID, SIGMOID_SQUARED, VALUE])
def test_one_output_takes_a_vector_or_a_column(spec):
    for y in ([0, 1, 0.5], [[0], [1], [0.5]], np.array([0, 1, 0.5], np.float16)):
        assert data.targets(y, 3, spec).tolist() == [[0.0], [1.0], [0.5]]


def test_several_outputs_take_rows():
    y = np.array([[0.25, 0, 1], [1, 1, 0]])
    assert data.targets(y, 2, WIDE_SIGMOID) is y
    assert data.targets(np.asfortranarray(-y), 2, VALUES).tolist() == (-y).tolist()


def test_counts_need_not_be_whole():
    assert data.targets([0, -0.0, 7, 2.5], 4, COUNT).tolist() == [[0.0], [0.0], [7.0], [2.5]]
    assert data.targets(np.eye(3, dtype=np.uint8), 3, COUNTS).tolist() == np.eye(3).tolist()


def test_squared_error_takes_any_finite_number():
    assert data.targets([-3, 7], 2, SIGMOID_SQUARED).tolist() == [[-3.0], [7.0]]


@pytest.mark.parametrize(
    ("y", "spec", "error", "words"),
    [
        ([0, 1], SOFTMAX, ValueError, ["y has 2 rows and X has 3"]),
        ([[0, 1, 0]], SOFTMAX, ValueError, ["y has 1 row and X has 3"]),
        ([], SOFTMAX, ValueError, "y is empty"),
        ([0, 1, 3], SOFTMAX, ValueError, ["label 3 in row 2", "layers=[2, 3]", "0 to 2"]),
        ([1, 2, 3], SOFTMAX, ValueError, ["label 3 in row 2", "use y - 1"]),
        ([0, -1, 1], SOFTMAX, ValueError, ["label -1 in row 1"]),
        ([0, 0.5, 1], SOFTMAX, ValueError, ["0.5 in row 1", 'output="identity"']),
        ([0, np.nan, 1], SOFTMAX, ValueError, ["y has nan in row 1"]),
        ([0, np.inf, 1], SOFTMAX, ValueError, ["y has inf in row 1"]),
        (["a", "b", "a"], SOFTMAX, TypeError, ["a in row 0", "0..2", "return_inverse"]),
        (np.array(["a", "b", "a"], object), SIGMOID, TypeError, ["a in row 0", "0..1"]),
        (["a", "b", "a"], VALUE, TypeError, ["give numbers"]),
        (np.ones((3, 3)), SOFTMAX, ValueError, ["row 1 1 1 (row 0)", "not one-hot", "sum to 3"]),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], SOFTMAX, ValueError, "(row 2)"),
        ([[1, 0, 0], [0, 1, 0.5], [0, 0, 1]], SOFTMAX, ValueError, "(row 1)"),
        ([[1, 0, 0], [0, 1, np.nan], [0, 0, 1]], SOFTMAX, ValueError, ["nan", "row 1, column 2"]),
        (np.ones((3, 2)), SOFTMAX, ValueError, ["shape (3, 2)", "(3,) of labels", "(3, 3)"]),
        (np.ones((3, 1, 1)), SOFTMAX, ValueError, "shape (3, 1, 1)"),
        ([0, 1, 3], WIDE_SIGMOID, ValueError, "label 3 in row 2"),
        (np.ones((3, 2)), WIDE_SIGMOID, ValueError, ["(3, 3)", "of labels"]),
        ([0, 1, 1.5], SIGMOID, ValueError, ["1.5 in row 2", "from 0 to 1"]),
        ([1, -1, 1], SIGMOID, ValueError, ["-1.0 in row 1", "(y + 1) / 2"]),
        (np.full((3, 3), 2), WIDE_SIGMOID, ValueError, ["2.0 in row 0, column 0"]),
        ([0, 1, np.nan], SIGMOID_SQUARED, ValueError, "nan in row 2"),
        ([0, 1, 2], VALUES, ValueError, ["shape (3,)", "3 outputs", "(3, 3)"]),
        (np.ones((3, 3)), VALUE, ValueError, ["shape (3, 3)", "1 output", "(3,) or (3, 1)"]),
        ([0, 1, np.inf], VALUE, ValueError, "inf in row 2"),
        ([0, 1, -1], COUNT, ValueError, ["-1.0 in row 2", "counts", "0 or more", 'output="identity"']),
        ([[0, 1, 2], [0, 0, -0.5], [1, 1, 1]], COUNTS, ValueError, ["-0.5 in row 1, column 2"]),
        ([0, 1, 2], COUNTS, ValueError, ["shape (3,)", "3 outputs", "(3, 3)"]),
        ([0, 1, np.nan], COUNT, ValueError, "nan in row 2"),
        (["a", "b", "a"], COUNT, TypeError, ["give numbers"]),
        (1.0, VALUE, TypeError, "one float"),
    ],
)
def test_targets_refused(y, spec, error, words):
    refused(error, words, data.targets, y, 3, spec)


def test_a_target_beyond_float32_is_named():
    spec = Spec.build([2, 1], output="identity", dtype="float32")
    refused(ValueError, ["1e+39 in row 1", "float32"], data.targets, [0, 1e39], 2, spec)


@given(st.data())
def test_labels_one_hot_rows_and_columns_agree(draw):
    outputs = draw.draw(st.integers(2, 9))
    labels = np.array(draw.draw(st.lists(st.integers(0, outputs - 1), min_size=1, max_size=20)))
    spec = Spec.build([2, outputs], dtype=draw.draw(st.sampled_from(DTYPES)))
    expected = labels.astype(spec.dtype)
    for y in (labels, labels[:, None], labels.astype(float), np.eye(outputs)[labels]):
        before = y.copy()
        assert np.array_equal(data.targets(y, len(y), spec), expected)
        assert np.array_equal(y, before)


# ---------------------------------------------------------------------------------------------------------
# Small numbers


def test_numbers_that_pass():
    assert scalars.positive_int(np.int16(3), "n") == 3
    assert type(scalars.positive_int(np.int16(3), "n")) is int
    assert scalars.positive_float(np.float32(0.5), "x") == 0.5
    assert scalars.positive_float(2, "x") == 2.0
    assert scalars.finite_float(-1, "x") == -1.0
    assert [scalars.fraction(value, "x") for value in (0, 0.5, 1)] == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("check", "value", "error"),
    [
        (scalars.positive_int, 0, ValueError),
        (scalars.positive_int, -1, ValueError),
        (scalars.positive_int, 2**32, ValueError),
        (scalars.positive_int, True, TypeError),
        (scalars.positive_int, np.True_, TypeError),
        (scalars.positive_int, 2.0, TypeError),
        (scalars.positive_int, "2", TypeError),
        (scalars.positive_int, None, TypeError),
        (scalars.positive_float, 0, ValueError),
        (scalars.positive_float, -0.1, ValueError),
        (scalars.positive_float, np.nan, ValueError),
        (scalars.positive_float, np.inf, ValueError),
        (scalars.positive_float, 10**400, ValueError),
        (scalars.positive_float, True, TypeError),
        (scalars.positive_float, "0.1", TypeError),
        (scalars.positive_float, 1j, TypeError),
        (scalars.positive_float, None, TypeError),
        (scalars.finite_float, np.nan, ValueError),
        (scalars.fraction, -0.1, ValueError),
        (scalars.fraction, 1.1, ValueError),
        (scalars.fraction, False, TypeError),
    ],
)
def test_numbers_refused(check, value, error):
    with pytest.raises(error, match=f"^epochs={re.escape(str(value))[:20]}|^epochs={re.escape(repr(value))[:20]}"):
        check(value, "epochs")


@pytest.mark.parametrize(("dtype", "limit"), [("float16", 2**11), ("float32", 2**24), ("float64", 2**53)])
def test_labels_at_the_limit_of_their_dtype(dtype, limit):
    """limit + 1 is rounded to limit: the two cannot be told apart any more."""
    from fastmlp.checks.integers import check_exact

    check_exact(np.array([0, limit - 1], dtype), "y")
    for number in (limit, limit + 1, -limit):
        with pytest.raises(ValueError, match="rounds whole numbers"):
            check_exact(np.array([0, number], dtype), "y")


def test_large_whole_numbers_that_pandas_holds_exactly():
    pandas = pytest.importorskip("pandas")
    from fastmlp.checks.arrays import numeric_array

    y = pandas.Series([0, 2**53, 2**53 + 1] * 20, dtype="Int64")
    assert numeric_array(y.astype(object), "y").tolist() == y.tolist()


class Rows:
    """A sequence of somebody's own."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        return self.rows[place]


def test_masked_rows_of_any_sequence_are_refused():
    import collections.abc

    from fastmlp.checks.arrays import numeric_array

    collections.abc.Sequence.register(Rows)
    good, bad = np.ma.array([1.0, 2.0]), np.ma.array([1.0, 2.0], mask=[True, False])
    assert numeric_array(Rows([good, good]), "X").shape == (2, 2)
    with pytest.raises(ValueError, match="masked"):
        numeric_array(Rows([good, bad]), "X")
