"""A table's columns: names, selections, places in messages."""

import numpy as np
import pytest

from fastmlp.tables.columns import Column, Columns, listed, places_of


def table(**options):
    return Columns(
        (
            Column("a", "number", np.array([1.5, np.nan, 3.0]), np.array([False, True, False])),
            Column("b", "integer", np.array([2**60 + 1, 0, 7]), np.array([False, True, False])),
            Column("c", "text", np.array([0, -1, 1], np.int32), np.array([False, True, False]), ("red", "blue")),
            Column("d", "bool", np.array([True, False, True])),
        ),
        "t.csv",
        **options,
    )


def test_a_table_has_rows_names_and_columns():
    columns = table()
    assert (len(columns), columns.names) == (3, ["a", "b", "c", "d"])
    assert columns["b"].values[0] == 2**60 + 1
    assert "c" in columns
    assert "e" not in columns
    assert [column.name for column in columns] == columns.names
    with pytest.raises(ValueError, match=r"t\.csv has no column 'e': it has a, b, c, d"):
        columns["e"]
    assert len(Columns((), "t.csv")) == 0


def test_columns_are_selected_and_left_out():
    assert table().without("b", "e").names == ["a", "c", "d"]
    assert table().selected(["d", "a"]).names == ["d", "a"]
    with pytest.raises(ValueError, match=r"t\.csv has no column 'e': it has a, b, c, d"):
        table().selected(["a", "e"])


def test_numbers_and_texts():
    columns = table()
    assert np.array_equal(columns["b"].numbers(), [2.0**60, np.nan, 7], equal_nan=True)
    assert columns["d"].numbers().tolist() == [1, 0, 1]
    assert columns["c"].texts() == ["red", None, "blue"]
    assert columns["d"].is_missing().tolist() == [False] * 3
    with pytest.raises(TypeError, match="'c' is a column of kind text"):
        columns["c"].numbers()


def test_rows_are_taken_and_keep_their_places():
    columns = table(locate=lambda row: f"line {row + 2}")
    assert columns.place(1, "a") == "t.csv, line 3, column 'a'"
    assert table().place(1, "a") == "t.csv, row 1, column 'a'"
    for rows in (np.array([True, False, True]), np.array([0, 2])):
        taken = columns.taken(rows)
        assert taken["a"].values.tolist() == [1.5, 3.0]
        assert taken["a"].missing is None
        assert taken.place(1, "a") == "t.csv, line 4, column 'a'"


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="X has two columns 'a': rename one"):
        Columns((Column("a", "bool", np.ones(1, bool)), Column("a", "bool", np.ones(1, bool))), "X")


def test_names_in_messages():
    assert listed([]) == "none"
    assert listed(range(14)).endswith("11, ... (14 in all)")
    assert places_of(["b", "a", "y"], ["a", "b"], "t.csv", ["y"]) == [1, 0]
    with pytest.raises(ValueError, match=r"t\.csv does not have the model's columns: a missing; c too many"):
        places_of(["b", "c"], ["a", "b"], "t.csv")
