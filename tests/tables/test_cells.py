"""What a column of text is: numbers with either mark, thousands, dates, booleans, words, and what is missing."""

import numpy as np
import pytest

from fastmlp.tables.cells import MARKS, Texts, understood


def column(*texts, **options):
    places = {}
    codes = [-1 if text is None else places.setdefault(text, len(places)) for text in texts]
    return understood(
        Texts("a", np.array(codes, np.int32), list(places)), "t.csv", lambda row: f"line {row + 2}", **options
    )


def described(found):
    values = found.texts() if found.kind == "text" else found.values.tolist()
    return found.kind, [None if gone else value for gone, value in zip(found.is_missing(), values, strict=True)]


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "2"], "integer", [1, 2]),
        (["1", "2.5", " 3 "], "number", [1, 2.5, 3]),
        (["1.0", "2e3", "-.5", "+7."], "number", [1, 2000, -0.5, 7]),
        (["1,5", "2"], "number", [1.5, 2]),
        (["0,123", "4,567"], "number", [0.123, 4.567]),
        (["1,234", "999"], "integer", [1234, 999]),
        (["1,234.5", "2,999"], "number", [1234.5, 2999]),
        (["1,234,567", "12,345"], "integer", [1234567, 12345]),
        (["1.234,5", "7,25", "1.234.567,0"], "number", [1234.5, 7.25, 1234567]),
        (["1.234.567", "1.000.000"], "integer", [1234567, 1000000]),
        (["1.234.567", "0.5"], "text", ["1.234.567", "0.5"]),
        (["1 234,5", "12 345"], "number", [1234.5, 12345]),
        (["1'234.5"], "number", [1234.5]),
        (["9223372036854775808", "1"], "integer", [2**63, 1]),
        (["1234567890123456789", "?"], "integer", [1234567890123456789, None]),
        (["9007199254740993.0", "1"], "integer", [9007199254740993, 1]),
        (["True", "false", "NA"], "bool", [True, False, None]),
        (["yes", "no"], "text", ["yes", "no"]),
        (["x ", "x", " "], "text", ["x", "x", None]),
        (["1_000", "2"], "text", ["1_000", "2"]),
        (["0x10"], "text", ["0x10"]),
        (["\uff11"], "text", ["\uff11"]),  # float() reads a wide 1
        (["12%", "$5"], "text", ["12%", "$5"]),
        (["1,2,3"], "text", ["1,2,3"]),
        (["a, b", "1,5"], "text", ["a, b", "1,5"]),
    ],
)
def test_texts_are_understood(texts, kind, values):
    assert described(column(*texts)) == (kind, values)


def test_beside_decimal_commas_a_point_groups():
    assert described(column("1.234", "3.456", decimal=",")) == ("integer", [1234, 3456])
    assert described(column("1.234", "3.456")) == ("number", [1.234, 3.456])
    assert described(column("1.23", "3.456", decimal=",")) == ("number", [1.23, 3.456])
    assert described(column("1,234", "3,456", decimal=",")) == ("number", [1.234, 3.456])


def test_a_comma_that_may_be_either_is_refused():
    with pytest.raises(ValueError, match=r"t\.csv, line 2, column 'a': '1,234' may be 1234 or 1\.234: write"):
        column("1,234", "2,345")
    assert column("1,234", "2,345", strict=False).kind == "text"
    with pytest.raises(ValueError, match="may be 1234 or"):  # 2,000 is written as 2 where commas are decimal marks
        column("1,234", "2", "3,456")


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_missing_values(mark):
    assert described(column("1", mark, None)) == ("integer", [1, None, None])
    assert described(column("x", mark)) == ("text", ["x", None])
    assert described(column(mark)) == ("number", [None])


def test_a_few_words_among_numbers_are_errors():
    numbers = [f"{k}.5" for k in range(20)]
    with pytest.raises(ValueError, match=r"line 22, column 'a': 'O\.5' is not a number, as 20 other cells"):
        column(*numbers, "O.5")
    assert column(*numbers, "O.5", strict=False).kind == "text"
    assert column(*numbers, "O.5", words=True).kind == "text"
    assert column(*numbers, "x", "y", "z", "w").kind == "text", "more than a tenth are words, and more than three"
    assert column(*["1", "2"] * 20, "x").kind == "text", "few different numbers are names"


def test_what_float64_rounds_is_told():
    assert column("12345678901234567890123", "5").rounded == (
        "has 12345678901234567890123 in line 2, which float64 rounds to 1.2345678901234568e+22"
    )
    assert column("1e300", "5").rounded is None
    assert column("1" * 5000, "5").kind == "number"


@pytest.mark.parametrize(
    ("texts", "times"),
    [
        (["2011-01-02"], ["2011-01-02"]),
        (["2011-01-02 03:04:05", "2011-01-02"], ["2011-01-02T03:04:05", "2011-01-02"]),
        (["2011-01-02T03:04:05.25Z"], ["2011-01-02T03:04:05.25"]),
        (["2011-01-02T03:00+02:00"], ["2011-01-02T01:00"]),
        (["2011/1/2"], ["2011-01-02"]),
        (["2.1.2011"], ["2011-01-02"]),
        (["20141013T000000"], ["2014-10-13"]),
        (["1/31/2011", "2/3/2011"], ["2011-01-31", "2011-02-03"]),
        (["31/1/2011", "2/3/2011"], ["2011-01-31", "2011-03-02"]),
        (["1/31/2011 10:20"], ["2011-01-31T10:20"]),
    ],
)
def test_dates(texts, times):
    pytest.importorskip("pandas")
    found = column(*texts, None)
    assert found.kind == "time"
    assert found.values[:-1].tolist() == np.array(times, "datetime64[us]").tolist()
    assert np.isnat(found.values[-1])


@pytest.mark.parametrize(
    "texts", [["3/4/2020"], ["1/31/2011", "31/1/2011"], ["2011-02-30"], ["2011-01-02", "x"], ["10:20"]]
)
def test_what_is_no_clear_date_is_text(texts):
    pytest.importorskip("pandas")
    assert column(*texts).kind == "text"
