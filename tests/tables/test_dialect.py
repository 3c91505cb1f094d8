"""Separators, decimal marks and headers; and that a first line of data is never taken for names."""

from pathlib import Path

import pytest

from fastmlp.tables import reader
from fastmlp.tables.dialect import found
from fastmlp.tables.pipes import Piped
from fastmlp.tables.sources import text_of


def spelled(text, header=None):
    return found(text_of(Piped(Path("t.csv"), text.encode())), header)


@pytest.mark.parametrize(
    ("text", "separator", "decimal"),
    [
        ("a,b\n1,2\n", ",", "."),
        ("a;b\n1;2\n", ";", "."),
        ("a\tb\n1\t2\n", "\t", "."),
        ("a|b\n1|2\n", "|", "."),
        ("a b c\n1 2 3\n", r"\s+", "."),
        ("a;b\n1,5;2,5\n", ";", ","),
        ("a\tb\n1,5\t2\n", "\t", ","),
        ("a;b\n1.5;x,y\n", ";", "."),
        ("a;b\n1,234;x\n", ";", "."),
        ("a;b\n1.234;2,5\n", ";", ","),
        ('"a;b",c\n"x;y",1\n', ",", "."),
        ("a,b\nx;y,1\nz;w,2\n", ",", "."),
        ("a,genres\n1,x|y\n2,x|z\n", ",", "."),
        ("name\tn\nJohn Smith\t1\nAnn Lee\t2\n", "\t", "."),
        ("sep=;\na,x;b\n1;2\n", ";", "."),
        ('"sep=,"\na,b\n1,2\n', ",", "."),
        ("y\n1\n2\n", ",", "."),
        ("city\nNew York\nLos Angeles\n", ",", "."),
    ],
)
def test_separators(text, separator, decimal):
    result = spelled(text)
    assert (result.separator, result.decimal) == (separator, decimal)


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("a,b\n1,2\n", ["a", "b"], 2),
        ("\n a , b \n\n1,2\n", ["a", "b"], 4),
        ("sep=;\na;b\n1;2\n", ["a", "b"], 3),
        ('"a\nb",c\n1,2\n', ["a\nb", "c"], 3),
        (",a\n0,1\n", ["", "a"], 2),
        ('"a" "b"\n"x" 1 2\n"y" 3 4\n', ["", "a", "b"], 2),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", ""], 2),
        ("a,b,\n1,2\n3,4\n", ["a", "b"], 2),
        ("country,1990,1991\nx,1,2\n", ["country", "1990", "1991"], 2),
        ("a,1\n5,6\n", ["a", "1"], 2),
        ("a,b\n", ["a", "b"], 2),
        ("a,b\nx,y\n", ["a", "b"], 2),
    ],
)
def test_headers(text, names, first):
    result = spelled(text)
    assert (result.names, result.first) == (names, first)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "30,64,1,1\n31,65,2,1\n",
        "5.1,3.5,x\n4.9,3.0,x\n",
        "M,0.4,15\nF,0.3,7\n",
        "0,1,2,3\n4,5,6,7\n",
        "p,x,p\ne,y,p\n",
        "x,y\nx,z\nq,y\n",
        "1,?,3\n2,4,5\n",
        "1;2\n3;4\n",
        "1,5;2,5\n3,5;4,5\n",
        "0 1 1\n1 0 1\n",
        "7.4,0.7,0,1.9,0.076,11,34\n7.8,0.8,0,2.6,0.098,25,67\n",
        "1\n2\n3\n",
    ],
)
def test_a_first_line_of_data_is_noticed(text):
    with pytest.raises(ValueError, match=r"t\.csv has no header: its first line looks like .*give --no-header"):
        spelled(text)
    result = spelled(text, header=False)
    assert result.names == [str(place) for place in range(len(result.names))]
    assert result.first == 1


def test_names_that_count_are_said():
    assert "is taken for names" in spelled("0,1,2,3\n0.5,2,1,7\n").notes[0]
    assert "is taken for names" in spelled("x,2010,2015\nb,1,2\n").notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ('""', "is empty"),
        ("\n \n", "is empty"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("a,b\n1,2\n3\n", "line 3: 1 cell, where the header has 2: is the line cut off"),
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells, where the header has 2: is a separator in it"),
        ("My table\n\na,b,c\n1,2,3\n", "has 1 cell in its first line and 3 in others: leave out what stands above"),
        ('"a"x,b\n1,2\n', "line 1: a cell goes on behind its closing quote"),
    ],
)
def test_what_is_wrong_is_told(text, words):
    with pytest.raises(ValueError, match=words):
        spelled(text)


def test_decimal_commas_of_one_column_are_no_names_of_rows(tmp_path):
    """x = 1.5, 2.7 is no table of two columns, the first of which could be left out."""
    (tmp_path / "t.csv").write_text("x\n1,5\n2,7\n3,9\n")
    with pytest.raises(ValueError, match="cells"):
        reader.read(tmp_path / "t.csv")


def test_decimal_commas_are_said(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1,5;2\n2,5;3\n")
    columns = reader.read(tmp_path / "t.csv")
    assert columns["a"].values.tolist() == [1.5, 2.5]
    assert "commas are read as decimal marks" in columns.notes
