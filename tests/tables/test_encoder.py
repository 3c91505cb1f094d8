"""Columns of a table as columns of numbers: what becomes of words, holes, booleans and dates."""

import dataclasses

import numpy as np
import pytest

from fastmlp.reference import preprocess
from fastmlp.tables import encoder as module
from fastmlp.tables.columns import Column, Columns
from fastmlp.tables.encoder import Encoder, Feature, encoding_in_words

ROWS = 6
ALL = np.arange(ROWS)


def number(name, values, kind="number"):
    values = np.array(values, np.float64)
    return Column(name, kind, values, np.isnan(values) if np.isnan(values).any() else None)


def text(name, values):
    categories = tuple(dict.fromkeys(value for value in values if value is not None))
    codes = np.array([-1 if value is None else categories.index(value) for value in values], np.int32)
    return Column(name, "text", codes, codes < 0 if (codes < 0).any() else None, categories)


def table(*columns, where="t.csv"):
    return Columns(columns, where)


NAN = np.nan
TABLE = table(
    number("age", [1, NAN, 3, 10, 5, 4]),
    Column("rooms", "integer", np.array([2**60, 1, 2, 3, 4, 5])),
    Column("new", "bool", np.array([True, False, True, True, False, False])),
    text("town", ["Bonn", "Aalen", None, "Bonn", "Celle", "Aalen"]),
    Column("day", "time", np.array([f"1970-01-0{k + 1}T12:00" for k in range(ROWS)], "datetime64[us]")),
    number("empty", [NAN] * ROWS),
)


def test_what_each_kind_becomes():
    made = Encoder.learn(TABLE, ALL)
    assert made.inputs == [
        *("age", "age is missing", "rooms", "new", "town=Aalen", "town=Bonn", "town=others", "town is missing", "day"),
    ]  # fmt: skip
    x, seen = made.encode(TABLE)
    assert x.shape == (ROWS, made.width)
    expected = np.array(
        [
            [1, 4, 3, 10, 5, 4],
            [0, 1, 0, 0, 0, 0],
            [float(2**60), 1, 2, 3, 4, 5],
            [1, 0, 1, 1, 0, 0],
            [0, 1, 0, 0, 0, 1],
            [1, 0, 0, 1, 0, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 1, 0, 0, 0],
            [0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
        ]
    ).T
    assert x.tolist() == expected.tolist()
    assert (seen.missing, seen.unknown) == ({"age": 1, "town": 1}, {})


def test_it_is_learnt_of_training_rows_alone():
    made = Encoder.learn(TABLE, np.array([0, 3, 5]))
    age, *_ = made.features
    assert (age.median, age.flagged) == (4.0, False)
    town = made.features[3]
    assert (town.categories, town.others, town.flagged) == (("Bonn",), True, False)
    x, seen = made.encode(TABLE)
    assert x[1, 0] == 4.0
    assert seen.missing == {"age": 1, "town": 1}


def test_medians_are_those_of_the_reference():
    values = np.random.default_rng(0).normal(size=101)
    made = Encoder.learn(table(number("a", values)), np.arange(101))
    assert made.features[0].median == float(preprocess.median(values))


def test_the_commonest_categories_have_a_column_each(monkeypatch):
    monkeypatch.setattr(module, "MOST_CATEGORIES", 2)
    words = ["c", "c", "a", "a", "b", "b", "d"]
    made = Encoder.learn(table(text("w", words)), np.arange(7))
    assert (made.features[0].categories, made.features[0].others) == (("a", "b"), True)
    turned = Encoder.learn(table(text("w", words[::-1])), np.arange(7))
    assert turned == made


def test_unknown_categories():
    without = Encoder.learn(table(text("w", ["a", "a", "b", "b"])), np.arange(4))
    x, seen = without.encode(table(text("w", ["c", "a", None])))
    assert x.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert seen.unknown == {"w": (1, "c")}
    assert seen.missing == {"w": 1}
    lines = encoding_in_words(without, seen)
    assert lines == [
        "note: words that are missing: w (1 row)",
        "note: categories that were not in training: w 'c' (1 row)",
    ]
    others = Encoder.learn(table(text("w", ["a", "a", "b"])), np.arange(3))
    x, seen = others.encode(table(text("w", ["c", "a", None])))
    assert x.tolist() == [[0, 1], [1, 0], [0, 1]]
    assert seen.unknown == {}


def test_numbers_are_spelled_as_the_categories_are():
    """A file whose codes are 1, 2 and X has text there, and one of its rows alone reads as integers."""
    made = Encoder.learn(table(text("code", ["1", "2", "X", "1", "2", "X"])), ALL)
    for column in (Column("code", "integer", np.array([2, 1])), number("code", [2.0, 1.0])):
        assert made.encode(table(column))[0].tolist() == [[0, 1, 0], [1, 0, 0]]
    made = Encoder.learn(table(text("flag", ["TRUE", "maybe", "TRUE", "maybe"])), np.arange(4))
    assert made.encode(table(Column("flag", "bool", np.array([True, False]))))[0].tolist() == [[1, 0], [0, 0]]


def test_marks_keep_their_zeros_and_ones():
    made = Encoder.learn(TABLE, ALL)
    x, _ = made.encode(TABLE)
    scale = made.scale_of(x)
    z = scale.forward(x)
    assert z[:, 3:8].tolist() == x[:, 3:8].tolist()
    assert np.abs(z[:, [0, 2, 8]].mean(axis=0)).max() < 1e-12
    constant = Encoder.learn(table(text("w", ["a"] * 4), number("c", [0.3, 0.1 * 3] * 2)), np.arange(4))
    x, _ = constant.encode(table(text("w", ["a"] * 4), number("c", [0.3, 0.1 * 3] * 2)))
    assert constant.scale_of(x).constant.tolist() == [True, True]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (text("age", ["x", "1"]), "t.csv, row 0, column 'age': 'x' is text, and the model was trained on numbers"),
        (
            Column("age", "time", np.array(["2020-01-01"] * 2, "datetime64[ns]")),
            "row 0, column 'age': 2020-01-01T00:00:00.0000.* is a date, and the model was trained on numbers there",
        ),
        (number("age", [1, np.inf]), "row 1, column 'age': inf is not a finite number"),
    ],
)
def test_what_is_of_another_kind_is_refused(column, words):
    made = Encoder.learn(table(number("age", [1, 2, 3])), np.arange(3))
    with pytest.raises(ValueError, match=words):
        made.encode(table(column))


def test_dates_and_words_are_no_numbers():
    days = Encoder.learn(table(TABLE["day"]), ALL)
    with pytest.raises(ValueError, match="1 is a number, and the model was trained on dates there"):
        days.encode(table(Column("day", "integer", np.array([1, 2]))))
    words = Encoder.learn(table(TABLE["town"]), ALL)
    with pytest.raises(ValueError, match="a date, and the model was trained on text there"):
        words.encode(table(dataclasses.replace(TABLE["day"], name="town")))


def test_a_column_that_is_empty_now_is_missing():
    for column in (number("age", [NAN, NAN]), text("age", [None, None])):
        made = Encoder.learn(table(number("age", [1, 2, 9])), np.arange(3))
        x, seen = made.encode(table(column))
        assert x.tolist() == [[2], [2]]
        assert seen.missing == {"age": 2}


def test_plain_columns_know_no_median():
    made = Encoder.plain(["age"])
    assert made.encode(table(number("age", [1, 2])))[0].tolist() == [[1], [2]]
    with pytest.raises(ValueError, match="row 1, column 'age': nothing there"):
        made.encode(table(number("age", [1, NAN])))


@pytest.mark.parametrize(
    ("unit", "ticks"), [("s", 43_200), ("ms", 43_200_000), ("us", 43_200 * 10**6), ("ns", 43_200 * 10**9), ("D", 1)]
)
def test_days(unit, ticks):
    column = Column("day", "time", np.array([0, ticks, ticks], "int64").view(f"datetime64[{unit}]"))
    made = Encoder.learn(table(column), np.arange(3))
    assert made.encode(table(column))[0][1, 0] == (1.0 if unit == "D" else 0.5)


def test_a_description_has_all_of_it():
    made = Encoder.learn(TABLE, ALL)
    assert Encoder.from_description(made.described()) == made


GOOD = {"name": "a", "kind": "number", "median": 1.0}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ([], "its columns are"),
        ({"version": 1, "features": {}}, "its columns are"),
        ({"version": 2, "features": [GOOD]}, "its columns are of version 2, and 1 is known"),
        ({"version": 1, "features": [3]}, "a feature is 3"),
        ({"version": 1, "features": [{**GOOD, "kind": "number "}]}, "is of kind 'number '"),
        ({"version": 1, "features": [{**GOOD, "median": 1}]}, "a feature has median 1"),
        ({"version": 1, "features": [{**GOOD, "median": np.inf}]}, "has the median inf"),
        ({"version": 1, "features": [{**GOOD, "more": 1}]}, "a feature has more 1"),
        ({"version": 1, "features": [{**GOOD, "others": True}]}, "has categories, or a flag"),
        ({"version": 1, "features": [{"name": "a", "kind": "number", "flagged": True}]}, "a flag and no median"),
        ({"version": 1, "features": [{"name": "a", "kind": "text", "categories": ["b", "a"]}]}, "in ascending order"),
        ({"version": 1, "features": [{"name": "a", "kind": "text", "categories": [1]}]}, "not texts"),
        ({"version": 1, "features": [{"kind": "text"}]}, "name"),
    ],
)
def test_a_wrong_description_is_refused(described, words):
    with pytest.raises((ValueError, KeyError, TypeError), match=words):
        Encoder.from_description(described)


def test_many_columns_take_linear_time():
    x = np.random.default_rng(0).normal(size=(20, 3000))
    many = table(*(number(f"c{k}", x[:, k]) for k in range(3000)))
    made = Encoder.learn(many, np.arange(20))
    assert made.encode(many)[0].tobytes() == x.tobytes()


def test_a_feature_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Feature("a", "number").median = 1.0


@pytest.mark.parametrize("rows", [1, module.ROWS - 1, module.ROWS + 1, 2 * module.ROWS + 3])
def test_rows_are_put_together_in_blocks(rows, monkeypatch):
    """Columns without holes: each number in its row, and a flag of 0 where training had holes."""
    draws = np.random.default_rng(0)
    a, b = draws.normal(size=(2, rows))
    whole = table(number("a", a), text("w", ["u", "v"] * (rows // 2) + ["u"] * (rows % 2)), number("b", b))
    made = Encoder.learn(table(number("a", [1, NAN]), text("w", ["u", "u"]), number("b", [1, 2])), np.arange(2))
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *more: np.full_like(empty(shape, *more), 7))
    x, _ = made.encode(whole)
    assert made.inputs == ["a", "a is missing", "w=u", "b"]
    assert x.tolist() == np.column_stack([a, np.zeros(rows), np.arange(rows) % 2 == 0, b]).tolist()


def test_an_infinite_number_in_any_block_is_refused():
    rows = module.ROWS + 2
    values = np.zeros(rows)
    values[-1] = np.inf
    made = Encoder.learn(table(number("a", [1, 2]), text("w", ["u", "u"])), np.arange(2))
    with pytest.raises(ValueError, match=rf"row {rows - 1}, column 'a': inf is not a finite number"):
        made.encode(table(number("a", values), text("w", ["u"] * rows)))
