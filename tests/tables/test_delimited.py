"""Text parsed by pandas: the same columns however it is cut into blocks; Python's floats; errors with their line."""

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp.tables import delimited, reader
from fastmlp.tables.cells import MARKS
from fastmlp.tables.pipes import Piped

pytest.importorskip("pandas", reason="pandas is not installed: tables of text are missing")


def columns_of(content, size=None, **options):
    """The columns of a text, read in blocks of some bytes."""
    with pytest.MonkeyPatch.context() as patch:
        if size is not None:
            patch.setattr(delimited, "BLOCK", size)
            patch.setattr(delimited, "CELLS", 1)
        options = {"header": None, "text": (), "checked": None} | options
        return delimited.read(Piped("t.csv", content.encode()), *options.values())


def described(columns):
    """All that is in columns."""
    return [
        (
            column.name,
            column.kind,
            column.texts() if column.kind == "text" else column.values[~column.is_missing()].tolist(),
            column.is_missing().tolist(),
            column.rounded,
        )
        for column in columns
    ]


CELLS = ["1", "2.5", "", "?", "x", "True", "False", "2011-01-02", "-3", "1e300", "inf", "1e999", str(2**53 + 1), "1.0"]
CELLS += [str(2**63), str(-(2**63)), str(2**64 - 1), "1" * 25, "9007199254740993.0", " y ", '"a,b"', '"c\nd"', "1,5"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_blocks_do_not_matter(data):
    """Each column draws from a few kinds of cells, so that a kind often changes late."""
    width = data.draw(st.integers(1, 3))
    few = [data.draw(st.lists(st.sampled_from(CELLS[:22]), min_size=1, max_size=3)) for _ in range(width)]
    rows = data.draw(st.lists(st.tuples(*map(st.sampled_from, few)), min_size=1, max_size=30))
    text = "\n".join([",".join(f"c{k}" for k in range(width)), *map(",".join, rows)]) + "\n"
    options = {"checked": []}
    try:
        whole = described(columns_of(text, **options))
    except ValueError:  # without rows, for example
        return
    for size in (8, 40):
        assert described(columns_of(text, size, **options)) == whole


def test_a_kind_that_changes_late():
    """Numbers, then a word: the numbers' own texts are kept."""
    text = "a,b,c,y\n" + "1.0,,5,1\n007,,,2\n" * 40 + "x,True,,3\n"
    for size in (None, 32):
        columns = columns_of(text, size)
        assert columns["a"].texts()[:2] == ["1.0", "007"]
        assert [column.kind for column in columns] == ["text", "bool", "integer", "integer"]
        assert columns["b"].is_missing().sum() == 80


@pytest.mark.parametrize("mark", [mark for mark in MARKS if mark])
def test_marks_are_missing_wherever_they_first_stand(mark):
    """Those that begin as numbers do are kept from the parser."""
    text = "a,b,y\n" + "1.5,u,1\n" * 9 + f"{mark},{mark},2\n" + "-2.5,v,3\n" * 9
    for size in (None, 16):
        columns = columns_of(text, size)
        assert described(columns)[0][1:4] == ("number", [1.5] * 9 + [-2.5] * 9, [False] * 9 + [True] + [False] * 9)
        assert columns["b"].texts() == ["u"] * 9 + [None] + ["v"] * 9


@pytest.mark.parametrize("few", [-1, 2**12])
def test_words_are_in_the_order_of_the_rows(few, monkeypatch):
    """However pandas sorts the categories of a block, and whatever is missing."""
    monkeypatch.setattr("fastmlp.tables.gathered.FEW_TEXTS", few)
    words = ["q", "z", "", "a", "m", "z", "?", "b", "", "a", "zz", "", ""]
    text = "w,y\n" + "".join(f"{word},1\n" for word in words)
    for size in (None, 4, 8, 13, 20):  # the first block is read before it is known that these are words
        column = columns_of(text, size)["w"]
        assert column.texts() == [word if word not in ("", "?") else None for word in words]
        assert column.categories == ("q", "z", "a", "m", "b", "zz")


def test_words_that_look_like_numbers_stay_words_in_blocks_of_their_own():
    """pandas makes numbers of categories that all look like some."""
    words = ["x", "1e300", "007", "8", "1.0", "True", "False", "2011-01-02", "8.0", "inf"]
    text = "w,y\n" + "".join(f"{word},1\n" for word in words)
    for size in (None, 6, 12, 24):
        assert columns_of(text, size)["w"].texts() == words


def test_one_odd_mark_reads_no_texts_again(monkeypatch):
    """A column of many floats as texts would take 14 times as long."""
    monkeypatch.setattr(delimited, "_texts", None)
    text = "a,b\n" + "".join(f"{k}.5,-{k}.25\n" for k in range(200)) + "-nan,1.#IND\n"
    for size in (None, 64):
        columns = columns_of(text, size)
        assert [column.is_missing().sum() for column in columns] == [1, 1]


def cells_of_floats(count):
    draw = random.Random(0)
    for _ in range(count):
        yield repr(draw.uniform(-1, 1) * 10.0 ** draw.randrange(-320, 308))
        yield "".join(draw.choices("0123456789", k=draw.randrange(1, 40))) + "." + "1" * draw.randrange(20)
        yield f"{draw.uniform(-1e-300, 1e-300):.25e}"
        value = draw.uniform(1, 2) * 2.0 ** draw.randrange(-40, 40)
        between = (Fraction(value) + Fraction(float(np.nextafter(value, np.inf)))) / 2  # half way
        yield f"{Decimal(between.numerator) / Decimal(between.denominator)}"
        yield f"{draw.uniform(0, 1000):.{draw.randrange(7)}f}"


def test_floats_are_those_of_python():
    """To the last bit, of numbers that a quick reader rounds wrongly."""
    cells = list(cells_of_floats(400))
    for separator, mark in ((",", "."), (";", ",")):
        rows = [f"{cell.replace('.', mark)}{separator}0" for cell in cells]
        values = columns_of("\n".join([f"a{separator}b", *rows]), 500)["a"].values
        assert values.tobytes() == np.array(list(map(float, cells))).tobytes()


def test_leading_zeros_and_words_on_demand():
    text = "zip,n\n02134,1\n10001,2\n"
    assert columns_of(text)["zip"].values.tolist() == [2134, 10001]
    for size in (None, 4):
        assert columns_of(text, size, text=["zip"])["zip"].texts() == ["02134", "10001"]
    assert columns_of("a,b\ntrue,1\n2011-01-02,2\n", text=["a"])["a"].texts() == ["true", "2011-01-02"]


ROWS = "".join(f"{k},{k}\n" for k in range(100))


@pytest.mark.parametrize("size", [None, 64])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n" + ROWS + "1\n" + ROWS, "line 102: 1 cell, where the header has 2"),
        ("a,b\n" + ROWS * 3 + "1,2,3\n" + ROWS, "line 302: 3 cells, where the header has 2"),
        ("a,b\n" + ROWS * 3 + '1,"2\n' + ROWS, "line 302: a quote opens in this row and never closes"),
        ("a,b\n" + ROWS * 3 + '"1,2\n' + ROWS + '3,4"x\n', "line 302: a cell goes on behind its closing quote"),
        ('a,b\n"x, y",1\n' + '"x",\n' * 300 + '"x"\n', "line 303: 1 cell"),
        ("a b c\n" + "1 2 3\n" * 300 + "1 2\n", "line 302: 2 cells, where the header has 3"),
        ("a;b\n" + "1;2\n" * 300 + "1;2;\n", "line 302: 3 cells"),
        ("a,b\n" + ROWS + "\n\n1,inf\n", "line 104, column 'b': inf is not a finite number"),
        ("a,b\n" + ROWS + "1,-1e999\n", "line 102, column 'b': -inf is not a finite number"),
        ("a,b\n" + ROWS + "1,O.5\n", r"line 102, column 'b': 'O\.5' is not a number, as 100 other cells"),
        ("a,b\n" + ROWS + "a,b\n", "line 102, column 'a': 'a' is not a number"),
    ],
)
def test_an_error_has_its_line(text, words, size):
    with pytest.raises(ValueError, match=rf"^t\.csv, {words}"):
        columns_of(text, size)


def test_an_unchecked_column_may_hold_anything():
    columns = columns_of("a,b\n" + ROWS + "1,inf\n1,x\n", checked=["a"])
    assert columns["b"].kind == "text"
    assert np.isinf(columns_of("a,b\n" + ROWS + "1,inf\n", checked=["a"])["b"].values[-1])


@pytest.mark.parametrize(
    ("text", "names", "note"),
    [
        (",a\n0,5\n1,6\n", ["a"], "left out the first column, an index without a name"),
        ('"",a\n"x",5\n"y",6\n', ["a"], "left out the first column, an index without a name"),
        ("Unnamed: 0,a\n3,5\n4,6\n", ["a"], "left out 'Unnamed: 0', an index"),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b"], ""),
        ("a,b,,\n1,2,,\n3,4,,\n", ["a", "b"], ""),
    ],
)
def test_columns_without_a_name(text, names, note):
    columns = columns_of(text)
    assert columns.names == names
    assert note in " ".join(columns.notes)
    assert bool(note) == bool(columns.notes)


@pytest.mark.parametrize("text", [",a\n5,5\n5,6\n", "a,,b\n1,2,3\n4,5,6\n", ",a\n0.5,1\n0.7,2\n"])
def test_a_column_of_data_without_a_name_is_refused(text):
    with pytest.raises(ValueError, match=r"has no name for column \d of \d in its header: name it, or leave it out"):
        columns_of(text)


def test_a_place_is_told_by_its_line(tmp_path):
    (tmp_path / "t.csv").write_text('a,b\n\n1,"x\ny"\n2,z\n')
    columns = reader.read(tmp_path / "t.csv")
    assert [columns.row_name(row) for row in range(2)] == ["line 3", "line 5"]


def test_rows_lie_side_by_side_and_are_moved_in_place():
    """So that a table takes its memory once."""
    rows = np.random.default_rng(0).normal(size=(5000, 4))
    text = "a,b,c,d\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    columns = columns_of(text, 1000)
    assert columns["a"].values.base is columns["d"].values.base
    assert columns.matrix(["d", "a"]).tobytes() == np.ascontiguousarray(rows[:, [3, 0]]).tobytes()
    moved = columns.matrix(["a", "c", "d"], release=True)
    assert np.shares_memory(moved, columns["a"].values)
    assert moved.tobytes() == np.ascontiguousarray(rows[:, [0, 2, 3]]).tobytes()
    again = columns_of(text, 1000)
    assert again.matrix(["d", "a"], release=True).tobytes() == np.ascontiguousarray(rows[:, [3, 0]]).tobytes()


def test_spaces_before_quotes_below_the_beginning_are_seen():
    """Else x and "x" would be two categories."""
    text = "a,w\n" + "1,x\n" * 80_000 + '2, "x"\n'
    column = columns_of(text)["w"]
    assert column.categories == ("x",)
    assert len(column) == 80_001


@pytest.mark.parametrize(
    "text", [b"a,b\r1,2\n3,4\n", b"a,b\r\r\n1,2\r\r\n3,4\r\r\n", b"\ra,b\r\n1,2\r3,4", b"a,b\n\r\n1,2\r3,4\n"]
)
def test_mixed_ends_of_lines_lose_no_row(tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text)
    columns = delimited.read(tmp_path / "t.csv", None, (), None)
    assert [column.values.tolist() for column in columns] == [[1, 3], [2, 4]]
