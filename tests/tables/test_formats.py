"""Tables in Parquet, Feather, spreadsheets and JSON; and what is said where a library is missing."""

import builtins
import importlib.util
import sys

import numpy as np
import pytest

from fastmlp.tables import libraries, reader

pandas = pytest.importorskip("pandas", reason="pandas is not installed: tables are missing")
arrow = pytest.mark.skipif(not importlib.util.find_spec("pyarrow"), reason="pyarrow is not installed")
openpyxl = pytest.mark.skipif(not importlib.util.find_spec("openpyxl"), reason="openpyxl is not installed")

ID = 1234567890123456789
FRAME = pandas.DataFrame(
    {
        "n": [1.5, None, -2.0],
        "i": pandas.array([ID, None, 3], "Int64"),
        "t": ["red", None, "?"],
        "b": [True, False, True],
        "d": pandas.to_datetime(["2020-01-02", "2020-01-03", None]),
    }
)


def check(columns):
    assert [column.kind for column in columns] == ["number", "integer", "text", "bool", "time"]
    assert columns["n"].is_missing().tolist() == [False, True, False]
    assert columns["i"].values.tolist() == [ID, 0, 3]
    assert columns["t"].texts() == ["red", None, None]
    assert columns["d"].values[0] == np.datetime64("2020-01-02")


@arrow
@pytest.mark.parametrize("index", [None, [7, 8, 9]])
def test_parquet_and_feather(tmp_path, index):
    frame = FRAME if index is None else FRAME.set_index(pandas.Index(index))
    frame.to_parquet(tmp_path / "t.parquet")
    check(reader.read(tmp_path / "t.parquet"))
    if index is None:
        frame.to_feather(tmp_path / "t.feather")
        check(reader.read(tmp_path / "t.feather"))


@openpyxl
def test_a_spreadsheet(tmp_path):
    path = tmp_path / "t.xlsx"
    frame = FRAME.assign(i=[5, None, 3])
    with pandas.ExcelWriter(path) as book:
        frame.to_excel(book, sheet_name="one", index=False)
        frame.to_excel(book, sheet_name="two", index=False)
    columns = reader.read(path)
    assert [column.kind for column in columns] == ["number", "integer", "text", "bool", "time"]
    assert columns.notes == ("read the first sheet, 'one', of 2 (one, two)",)
    frame.to_excel(path)  # with an index
    assert "left out the first column" in reader.read(path).notes[0]
    pandas.DataFrame([[1, 2], [3, 4]]).to_excel(path, index=False, header=False)
    with pytest.raises(ValueError, match="has no header"):
        reader.read(path)
    assert reader.read(path, header=False)["1"].values.tolist() == [2, 4]


def test_json(tmp_path):
    path = tmp_path / "t.json"
    for text in (
        f'{{"a": 1.5, "i": {ID}, "t": "x"}}\n\n{{"a": null, "i": 2, "t": "?"}}\n',
        f'[{{"a": 1.5, "i": {ID}, "t": "x"}}, {{"i": 2}}]',
    ):
        path.write_text(text)
        columns = reader.read(path)
        assert [column.kind for column in columns] == ["number", "integer", "text"]
        assert columns["i"].values.tolist() == [ID, 2]
        assert columns["t"].texts() == ["x", None]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1}\n{"a": }\n', "line 2: not JSON"),
        (b'{"a": 1}\n3\n', "line 2: not an object"),
        (b'{"a": 1}\n{"a": [1]}\n', "line 2, column 'a': a list is neither number nor text"),
        (b'[{"a": {"b": 1}}]', "record 1, column 'a': an object is neither"),
        (b'{"a": "\xff"}', "is not in UTF-8"),
        (b'[{"a": ' + b"[" * 5000, "t.json"),
        (b"PAR1 nothing", "cannot be read as parquet"),
        (b"ARROW1\0\0 nothing", "cannot be read as feather"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "t.json"),
    ],
)
def test_damage_is_told(tmp_path, content, words):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        reader.read(tmp_path / "t.json")


def test_an_npz_as_columns(tmp_path):
    path = tmp_path / "t.npz"
    X = np.array([[1, 2], [3, np.nan]])
    np.savez(path, X=X, y=np.array([ID, 2]), two=np.eye(2), wide=np.float16([4096, 1]), other=np.ones(7))
    columns = reader.read(path)
    assert columns.names == ["0", "1", "y", "two_0", "two_1", "wide"]
    assert columns["1"].is_missing().tolist() == [False, True]
    assert columns["y"].values.tolist() == [ID, 2]
    assert "float16 rounds" in columns["wide"].rounded


def missing(monkeypatch, module):
    """Makes a module look as if it were not installed."""
    real = builtins.__import__

    def fails(name, *arguments, **named):
        if name.partition(".")[0] == module:
            raise ImportError(name)
        return real(name, *arguments, **named)

    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", fails)
    monkeypatch.setattr(libraries.importlib, "import_module", fails)


def test_without_pandas_npz_is_read_and_others_are_not(tmp_path, monkeypatch):
    np.savez(tmp_path / "t.npz", X=np.eye(2), y=np.zeros(2))
    (tmp_path / "t.csv").write_text("a,y\n1,2\n")
    (tmp_path / "t.json").write_text('{"a": 1}')
    missing(monkeypatch, "pandas")
    assert len(reader.read(tmp_path / "t.npz")) == 2
    assert reader.read_table(tmp_path / "t.npz").x.shape == (2, 2)
    for name in ("t.csv", "t.json"):
        with pytest.raises(ValueError, match=rf"{name} is read by pandas, which is not installed: pip install \"fast"):
            reader.read(tmp_path / name)


@arrow
def test_without_pyarrow_parquet_is_refused(tmp_path, monkeypatch):
    FRAME.to_parquet(tmp_path / "t.parquet")
    missing(monkeypatch, "pyarrow")
    with pytest.raises(ValueError, match=r"parquet is read by pyarrow, which is not installed: pip install pyarrow"):
        reader.read(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    "text", ['[\n  {\n    "a": 1,\n    "y": 0\n  }\n]\n', '{ "a": 1, "y": 0 }\n', '\n[{"a": 1, "y": 0}]']
)
def test_json_as_programs_write_it(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    assert reader.read(tmp_path / "t.json")["a"].values.tolist() == [1]


def test_categories_stay_what_they_are_in_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    from fastmlp.tables.frames import from_frame

    frame = pandas.DataFrame({"c": pandas.Categorical(["1", "2", "1"]), "x": np.float32([2**25, 1, 2])})
    frame.to_parquet(tmp_path / "t.parquet")
    for columns in (from_frame(frame), reader.read(tmp_path / "t.parquet")):
        assert columns["c"].kind == "text"
        assert columns["x"].rounded is not None
