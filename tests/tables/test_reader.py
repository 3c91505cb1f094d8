"""Tables: what is read from files, what is refused with which line and column, the split, and the scale."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import splits
from fastmlp.tables import reader


@pytest.fixture
def write(tmp_path):
    def write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


# ---------------------------------------------------------------------------------------------------------
# CSV


@pytest.mark.parametrize(
    "text",
    [
        "a,label,b\n1,0,2.5\n-3e2,1,.5\n",
        "a,label,b\r\n1,0,2.5\r\n-3e2,1,.5\r\n",
        "a,label,b\n1,0,2.5\n-3e2,1,.5",
        "\ufeffa,label,b\n1,0,2.5\n-3e2,1,.5\n",
        '"a","label","b"\n"1","0","2.5"\n"-3e2","1",".5"\n',
        " a , label ,b \n 1 , 0 , 2.5 \n-3e2,1,.5\n",
        "a,label,b\n1,0,2.5\n\n-3e2,1,.5\n\n",
        "\n  \na,label,b\n1,0,2.5\n   \n-3e2,1,.5\n",
    ],
    ids=["plain", "crlf", "no end", "byte-order mark", "quotes", "spaces", "blank lines", "blank start"],
)
def test_a_csv_is_read(write, text):
    table = reader.read_table(write(text), "label")
    assert table.x.tolist() == [[1.0, 2.5], [-300.0, 0.5]]
    assert table.y.tolist() == [0.0, 1.0]
    assert (table.names, table.target) == (["a", "b"], "label")
    assert table.x.flags.c_contiguous


def test_a_header_that_counts_is_a_header(write):
    """As pandas writes an array's columns; it is said, since it may be data."""
    columns = reader.read(write("0,1,2,3\n0.5,1,0,1\n2,3,1,1\n"))
    assert columns.names == ["0", "1", "2", "3"]
    assert "is taken for names" in columns.notes[0]
    for text in ("0,1\n0,1\n2,3\n", "0,1,2,3\n4,5,6,7\n"):
        with pytest.raises(ValueError, match="has no header: its first line looks like numbers"):
            reader.read(write(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,y\n1,2,0\n1,,0\n", ["line 3", "column 'b'", "nothing there"]),
        ("a,b,y\n1,2,0\n\n1, ,0\n", ["line 4", "column 'b'", "nothing there"]),
        ("a,b,y\n1,2,0\n1,male,0\n", ["line 3", "column 'b'", "'male' is not a number"]),
        ("a,b,y\n1,2,no\n", ["line 2", "column 'y'", "'no' is not a number"]),
        ("a,b,y\n1,1_000,0\n", ["line 2", "column 'b'", "'1_000' is not a number"]),
        ("a,b,y\n1,2,0\n1,nan,0\n", ["line 3", "column 'b'", "nothing there"]),
        ("a,b,y\n1,-inf,0\n", ["line 2", "column 'b'", "-inf is not a finite number"]),
        ("a,b,y\n1,1e999,0\n", ["line 2", "column 'b'", "inf is not a finite number"]),
        ("a,b,y\n1,2,0\n1,2\n", ["line 3", "2 cells", "header has 3"]),
        ("a,b,y\n1,2,0,4\n1,2,0,4\n", ["line 2", "4 cells", "header has 3"]),
        ("a,b,b\n1,2,0\n", ["two columns 'b'"]),
        (",b,y\n0,2,0\n0,2,0\n", ["no name for column 1 of 3"]),
        ("a,b,y\n", ["a header and no rows"]),
        ("", ["is empty"]),
        ("\n\n", ["is empty"]),
        ("y\n1\n", ["one column 'y'", "no features"]),
        ("a,b,c\n1,2,0\n", ["no column 'y'", "a, b, c"]),
        ('a,b,y\n1,"2,0\n', ["line 2"]),
        (",".join(f"c{k}" for k in range(40)) + "\n" + "1," * 39 + "2\n", ["c0, c1", "... (40 in all)"]),
    ],
)
def test_a_csv_is_refused(write, text, words):
    path = write(text)
    with pytest.raises(ValueError, match=r"table\.csv") as caught:
        reader.read_table(path, "y")
    for word in words:
        assert word in str(caught.value)


def test_a_csv_without_a_target_names_its_columns(write):
    with pytest.raises(ValueError, match="--target NAME: its columns are a, b"):
        reader.read_table(write("a,b\n1,2\n"))


def test_a_csv_of_another_encoding(write):
    """Windows' code page is said; a mixture is refused."""
    columns = reader.read(write("größe,b\n1,é€\n", encoding="cp1252"))
    assert (columns.names, columns["b"].texts()) == (["größe", "b"], ["é€"])
    assert columns.notes == ("not in UTF-8: read as Windows-1252 (Latin-1)",)
    path = write("größe,b\n1,2\n")
    path.write_bytes(path.read_bytes() + "1,é\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"table\.csv is not text in UTF-8 \(.* near byte 16\): save it"):
        reader.read(path)


# ---------------------------------------------------------------------------------------------------------
# .npz


def test_an_npz_is_read(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, X=np.array([[1, 2], [3, 4]], np.float32), y=np.array([0, 1]), z=np.eye(2), column=np.ones((2, 1)))
    table = reader.read_table(path)
    assert (table.x.tolist(), table.y.tolist(), table.names) == ([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0], ["0", "1"])
    assert reader.read_table(path, "z").y.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert reader.read_table(path, "column").y.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": np.eye(2)}, ["no array 'y'", "it has X"]),
        ({"data": np.eye(2), "y": np.zeros(2)}, ["no array 'X'", "it has data, y"]),
        ({"X": np.eye(2), "y": np.zeros(3)}, ["y has 3 rows and X has 2"]),
        ({"X": np.ones(2), "y": np.zeros(2)}, ["X.reshape"]),
        ({"X": np.eye(2), "y": np.zeros((2, 0))}, ["y has shape (2, 0)"]),
        ({"X": np.eye(2), "y": np.zeros((2, 1, 1))}, ["y has shape (2, 1, 1)"]),
        ({"X": np.full((2, 2), np.nan), "y": np.zeros(2)}, ["X has nan in row 0, column 0"]),
        ({"X": np.eye(2), "y": np.array([0, np.inf])}, ["y has inf in row 1"]),
        ({"X": np.array([["a"]]), "y": np.zeros(1)}, ["X holds text"]),
        ({"X": np.array([[None]]), "y": np.zeros(1)}, ["cannot be read as numbers"]),
    ],
)
def test_an_npz_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "table.npz", **arrays)
    with pytest.raises((ValueError, TypeError)) as caught:
        reader.read_table(tmp_path / "table.npz")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_a_damaged_npz_is_refused(tmp_path, content):
    (tmp_path / "table.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"table\.npz is not an \.npz file"):
        reader.read_table(tmp_path / "table.npz")


def test_a_nameless_array_is_refused(tmp_path):
    with open(tmp_path / "table.npz", "wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(ValueError, match="one array without a name"):
        reader.read_table(tmp_path / "table.npz")


# ---------------------------------------------------------------------------------------------------------
# Preparing


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([0, 1, 1, 0], [0, 1, 1, 0]),
        ([3, -7, 3, -7], [3, -7, 3, -7]),
        ([0.5, 1, 1, 0], None),
        (np.arange(8), None),
        (np.arange(400) // 2, None),
        (np.eye(3), [0, 1, 2]),
        (np.ones((3, 2)), None),
        ([[0.5, 0.5]], None),
    ],
)
def test_what_counts_as_classes(y, expected):
    found = reader.as_classes(np.array(y, np.float64))
    assert (None if found is None else found.tolist()) == expected


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**64 - 1),
)
def test_a_split_is_a_stratified_partition(groups, share, seed):
    groups = np.array(groups)
    if len(np.unique(groups)) == len(groups):
        with pytest.raises(ValueError, match="nothing can be held out"):
            splits.split(groups, share, seed)
        return
    train, held = splits.split(groups, share, seed)
    assert sorted([*train, *held]) == list(range(len(groups)))
    assert list(train) == sorted(train)
    assert len(held) >= 1
    for group in np.unique(groups):
        size, taken = (groups == group).sum(), (groups[held] == group).sum()
        assert taken < size
        assert abs(taken - share * size) <= 1 or taken == size - 1
    repeated = splits.split(groups, share, seed)
    assert np.array_equal(train, repeated[0])


def test_a_split_holds_out_the_fraction():
    train, held = splits.split(np.repeat([0, 1, 2], [50, 30, 23]), 0.2, seed=3)
    assert (len(train), len(held)) == (82, 21)
    assert [len(part) for part in splits.split(np.zeros(10), 0, seed=3)] == [10, 0]


def test_a_split_depends_on_the_seed():
    groups = np.zeros(100)
    assert not np.array_equal(splits.split(groups, 0.2, 1)[1], splits.split(groups, 0.2, 2)[1])


def test_a_scale_standardises():
    x = np.random.default_rng(0).normal(5, 3, (700, 4))
    x[:, 2] = 0.1
    scale = reader.Scale.of(x, list("abcd"))
    z = scale.forward(x)
    assert np.allclose(z.mean(axis=0), 0)
    assert np.allclose(z.std(axis=0), [1, 1, 0, 1])
    assert (z[:, 2] == 0).all()
    assert (scale.forward(x + 1)[:, 2] == 0).all(), "a constant column stays 0 on other rows"


def test_a_scale_refuses_what_overflows():
    with pytest.raises(ValueError, match="column 'b' is too large"):
        reader.Scale.of(np.array([[1, 1e300], [2, -1e300]]), ["a", "b"])


def test_a_scale_goes_back():
    x = np.random.default_rng(0).normal(5, 3, (70, 3))
    x[:, 1] = 7
    scale = reader.Scale.of(x, list("abc"))
    assert np.allclose(scale.backward(scale.forward(x)), x, rtol=1e-14)
    assert (scale.backward(np.ones((1, 3)))[:, 1] == 7).all(), "a constant column stays what it was"
    assert scale.backward(np.ones((1, 3), np.float32)).dtype == np.float64


# ---------------------------------------------------------------------------------------------------------
# Weights, and rows to predict


def test_a_column_of_weights_is_no_feature(write):
    table = reader.read_table(write("a,w,y,b\n1,2,3,4\n5,6,7,8\n"), "y", "w")
    assert (table.x.tolist(), table.y.tolist(), table.names) == ([[1, 4], [5, 8]], [3, 7], ["a", "b"])
    assert table.weights.tolist() == [2, 6]
    assert reader.read_table(write("a,w,y,b\n1,2,3,4\n"), "y").weights is None


def test_an_array_of_weights_is_read(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, X=np.eye(2), y=np.zeros(2), w=np.array([[1], [2]]), wide=np.eye(2), short=np.ones(1))
    assert reader.read_table(path, weights="w").weights.tolist() == [1, 2]
    for name, words in (("wide", "give one weight for each row"), ("short", "short has 1 rows"), ("v", "no array 'v'")):
        with pytest.raises(ValueError, match=words):
            reader.read_table(path, weights=name)


def test_weights_that_are_missing_are_refused(write):
    with pytest.raises(ValueError, match="no column 'w': it has a, y"):
        reader.read_table(write("a,y\n1,2\n"), "y", "w")
    with pytest.raises(ValueError, match="the one column 'y' and 'w', and no features"):
        reader.read_table(write("w,y\n1,2\n"), "y", "w")


@pytest.mark.parametrize("text", ["y,b,w,a\n3,4,2,1\n7,8,6,5\n", 'y,b,w,a\n3,4,2,1\n7,"8",,5\n'], ids=["fast", "slow"])
def test_rows_to_predict_are_found_by_name(write, text):
    x, y, wrong = reader.read_rows(write(text), ["a", "b"], "y", ["w"])
    assert (x.tolist(), y.tolist(), wrong) == ([[1, 4], [5, 8]], [3, 7], None)
    assert x.flags.c_contiguous


def test_rows_to_predict_need_no_target(write):
    x, y, wrong = reader.read_rows(write("b,a\n4,1\n"), ["a", "b"], "y")
    assert (x.tolist(), y, wrong) == ([[1, 4]], None, None)


@pytest.mark.parametrize("cell", ["", "?", "nan", "1e999"])
def test_a_target_that_cannot_be_read_is_told(write, cell):
    x, y, wrong = reader.read_rows(write(f"a,y\n1,2\n3,{cell}\n"), ["a"], "y")
    assert (x.tolist(), y, wrong) == ([[1], [3]], None, "column 'y' is not a number in every row")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,c\n1,2\n", ["table.csv does not have the model's columns: b missing; c too many"]),
        ("a\n1\n", ["b missing"]),
        ("a,b,w\n1,2,3\n", ["columns: w too many"]),
        ("a,b,y\n1,,3\n", ["line 2, column 'b': nothing there"]),
        ("a,b\n", ["a header and no rows"]),
        ("a,b,b\n1,2,3\n", ["two columns 'b'"]),
    ],
)
def test_rows_to_predict_are_refused(write, text, words):
    with pytest.raises(ValueError, match=r"table\.csv") as caught:
        reader.read_rows(write(text), ["a", "b"], "y")
    for word in words:
        assert word in str(caught.value)


def test_rows_of_an_npz_go_by_place(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, X=np.eye(2), y=np.arange(2), short=np.ones(1), other=np.ones(7))
    x, y, wrong = reader.read_rows(path, ["a", "b"], "y")
    assert (x.tolist(), y.tolist(), wrong) == ([[1, 0], [0, 1]], [0, 1], None)
    assert reader.read_rows(path, ["a", "b"], "z")[1:] == (None, None)
    _, y, wrong = reader.read_rows(path, ["a", "b"], "short")
    assert y is None
    assert "short has 1 rows" in wrong
    with pytest.raises(ValueError, match="X has 2 columns, and the model takes 3"):
        reader.read_rows(path, ["a", "b", "c"], "y")


def test_a_table_is_arranged(write):
    table = reader.read_table(write("b,a,y\n2,1,3\n"), "y")
    arranged = table.arranged(("a", "b"), "table.csv")
    assert (arranged.x.tolist(), arranged.names, arranged.y.tolist()) == ([[1, 2]], ["a", "b"], [3])
    with pytest.raises(ValueError, match="a missing; b too many"):
        reader.read_table(write("b,y\n2,3\n"), "y").arranged(("a",), "table.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_refused(tmp_path):
    """Where nobody writes: to wait would be to hang. See test_pipes.py for others."""
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for read in (lambda: reader.read_table(pipe, "y"), lambda: reader.read_rows(pipe, ["a"], "y")):
        with pytest.raises(ValueError, match=r"pipe\.csv is a device or a pipe, not a file: copy"):
            read()


def test_labels_that_float64_would_round_are_kept(tmp_path):
    large = np.array([2**53, 2**53 + 1, 2**53, 2**53 + 1])
    np.savez(tmp_path / "t.npz", X=np.ones((4, 1)), y=large)
    labels = reader.read_table(tmp_path / "t.npz", "y").labels()
    assert labels.tolist() == large.tolist()
    np.savez(tmp_path / "t.npz", X=np.ones((2, 1)), y=[0, 1])
    assert reader.read_table(tmp_path / "t.npz", "y").labels().tolist() == [0, 1]
