"""Columns of data frames: of pandas, polars and pyarrow, with every kind of column."""

import datetime
import decimal

import numpy as np
import pytest

from fastmlp.tables.frames import from_frame

pandas = pytest.importorskip("pandas", reason="pandas is not installed: frames are missing")
polars = pytest.importorskip("polars", reason="polars is not installed: its frames are missing")
pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed: its types are missing")

ID = 1234567890123456789  # 19 digits, which float64 would round


def described(column):
    """(kind, values, with None where missing)"""
    values = column.texts() if column.kind == "text" else column.values.tolist()
    return column.kind, [None if gone else value for gone, value in zip(column.is_missing(), values, strict=True)]


def series(values, dtype=None):
    return pandas.DataFrame({"a": pandas.Series(values, dtype=dtype)})


DAY = datetime.datetime(2020, 3, 4)
PANDAS = [
    (series([1.5, np.nan]), ("number", [1.5, None])),
    (series([1, 2], "int8"), ("integer", [1, 2])),
    (series([ID, 2], "int64"), ("integer", [ID, 2])),
    (series([2**64 - 1, 2], "uint64"), ("integer", [2**64 - 1, 2])),
    (series([ID, None], "Int64"), ("integer", [ID, None])),
    (series([2**64 - 1, None], "UInt64"), ("integer", [2**64 - 1, None])),
    (series([0.5, None], "Float32"), ("number", [0.5, None])),
    (series([True, False]), ("bool", [True, False])),
    (series([True, None], "boolean"), ("bool", [True, None])),
    (series([True, None], object), ("bool", [True, None])),
    (series([ID, None], object), ("integer", [ID, None])),
    (series([1, 2.5, None], object), ("number", [1.0, 2.5, None])),
    (series([decimal.Decimal("0.5"), None], object), ("number", [0.5, None])),
    (series(["red", " blue", None, "?"], object), ("text", ["red", "blue", None, None])),
    (series(["red", None], "string"), ("text", ["red", None])),
    (series(["1.5", "?", "2"], object), ("number", [1.5, None, 2.0])),
    (series(["x", 1, 2.0], object), ("text", ["x", "1", "2"])),
    (series(["b", "a", None], "category"), ("text", ["b", "a", None])),
    (series([2, 1, None], "category"), ("text", ["2", "1", None])),
    (series(["1", "2"], "category"), ("text", ["1", "2"])),
    (series([DAY, None]), ("time", [DAY, None])),
    (series([DAY.date(), None], object), ("time", [DAY, None])),
    (series([DAY]).assign(a=lambda f: f["a"].dt.tz_localize("UTC")), ("time", [DAY])),
    (series([None, None], object), ("number", [None, None])),
    (series([1.5, 0.0], pandas.SparseDtype("float64", 0.0)), ("number", [1.5, 0.0])),
    (series([ID, None], pandas.ArrowDtype(pyarrow.int64())), ("integer", [ID, None])),
    (series(["x", None], pandas.ArrowDtype(pyarrow.string())), ("text", ["x", None])),
    (series([True, None], pandas.ArrowDtype(pyarrow.bool_())), ("bool", [True, None])),
    (series([0.5, None], pandas.ArrowDtype(pyarrow.float32())), ("number", [0.5, None])),
    (series([DAY, None], pandas.ArrowDtype(pyarrow.timestamp("us"))), ("time", [DAY, None])),
    (series([decimal.Decimal("0.5")], pandas.ArrowDtype(pyarrow.decimal128(5, 2))), ("number", [0.5])),
    (series([1, 2], "Int64").astype("period[D]") if False else series([DAY], "period[D]"), ("time", [DAY])),
]


@pytest.mark.parametrize(("frame", "expected"), PANDAS, ids=range(len(PANDAS)))
def test_columns_of_pandas(frame, expected):
    assert described(from_frame(frame)["a"]) == expected


POLARS = [
    (polars.Series([1.5, None, float("nan")]), ("number", [1.5, None, None])),
    (polars.Series([ID, None]), ("integer", [ID, None])),
    (polars.Series([2**64 - 1, None], dtype=polars.UInt64), ("integer", [2**64 - 1, None])),
    (polars.Series([1, None], dtype=polars.Int8), ("integer", [1, None])),
    (polars.Series([True, None]), ("bool", [True, None])),
    (polars.Series(["red", None, "?"]), ("text", ["red", None, None])),
    (polars.Series(["1.5", "?"]), ("number", [1.5, None])),
    (polars.Series(["b", "a", None], dtype=polars.Categorical), ("text", ["b", "a", None])),
    (polars.Series(["2", None], dtype=polars.Enum(["1", "2"])), ("text", ["2", None])),
    (polars.Series([DAY, None]), ("time", [DAY, None])),
    (polars.Series([DAY.date(), None]), ("time", [DAY, None])),
    (polars.Series([decimal.Decimal("0.50"), None]), ("number", [0.5, None])),
    (polars.Series([None, None]), ("number", [None, None])),
]


@pytest.mark.parametrize(("column", "expected"), POLARS, ids=range(len(POLARS)))
def test_columns_of_polars(column, expected):
    assert described(from_frame(polars.DataFrame({"a": column}))["a"]) == expected


def test_a_table_of_pyarrow():
    table = pyarrow.table({"a": pyarrow.array([ID, None]), "b": pyarrow.array(["x", None]), "c": [1.5, 2.5]})
    columns = from_frame(table)
    assert [described(column) for column in columns] == [
        ("integer", [ID, None]),
        ("text", ["x", None]),
        ("number", [1.5, 2.5]),
    ]


def test_words_stay_words():
    frame = pandas.DataFrame({"zip": ["02134", "10001"], "n": [1, 2], "f": [1.0, 2.5], "b": [True, False]})
    for one in (frame, polars.DataFrame(frame.to_dict("list"))):
        columns = from_frame(one, text=["zip", "n", "f", "b"])
        assert [column.texts() for column in columns] == [
            ["02134", "10001"],
            ["1", "2"],
            ["1", "2.5"],
            ["True", "False"],
        ]


def test_labels_that_were_rounded_are_told():
    frame = pandas.DataFrame({"a": [2.0**53, 1.0], "b": np.array([2**24, 1], np.float32), "c": [0.5, 2.0**60]})
    columns = from_frame(frame)
    assert "float64 rounds whole numbers from 9007199254740992 on" in columns["a"].rounded
    assert "float32 rounds whole numbers from 16777216 on" in columns["b"].rounded
    assert columns["c"].rounded is None
    assert "which float64 rounds" in from_frame(series([10**25 + 1, 5], object))["a"].rounded


REFUSED = [
    (series([[1], [2]], object), TypeError, "X, row 0, column 'a': a list is neither number nor text"),
    (series([1 + 2j]), TypeError, "column 'a' holds complex numbers"),
    (series([datetime.timedelta(1)]), TypeError, "column 'a' holds time spans"),
    (series([1.0, np.inf]), ValueError, "X, row 1, column 'a': inf is not a finite number"),
    (series([*map(str, range(50)), "x"]), ValueError, "X, row 50, column 'a': 'x' is not a number, as 50 other"),
    (pandas.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "X has two columns 'a'"),
    (pandas.DataFrame([[1, 2]], columns=["0", 0]), ValueError, "X has two columns '0'"),
    (pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("a", "b")])), ValueError, "names of 2 levels"),
    (polars.DataFrame({"a": [[1]]}), TypeError, "column 'a' is of polars' List"),
    (polars.DataFrame({"a": [1]}).lazy(), TypeError, r"give X\.collect\(\)"),
    (np.eye(2), TypeError, "X is one ndarray, not a frame"),
    ([[1]], TypeError, "X is one list, not a frame"),
]


@pytest.mark.parametrize(("frame", "kind", "words"), REFUSED, ids=range(len(REFUSED)))
def test_frames_are_refused(frame, kind, words):
    with pytest.raises(kind, match=words):
        from_frame(frame)


def test_unchecked_columns_may_hold_anything():
    frame = pandas.DataFrame({"a": [*map(str, range(50)), "x"], "b": [np.inf] * 51})
    assert [column.kind for column in from_frame(frame, checked=[])] == ["text", "number"]


def test_an_index_is_no_column():
    frame = pandas.DataFrame({"a": [1, 2]}, index=[7, 9])
    assert from_frame(frame).names == ["a"]
    with pytest.raises(TypeError, match=r"give X\.compute\(\)"):
        from_frame(pytest.importorskip("dask.dataframe").from_pandas(frame, npartitions=1))
