"""benchmarks/reading.py reads the tables that it says. No timing decides anything."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("pandas", reason="pandas is not installed: tables of text are missing")


@pytest.fixture
def reading(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2]), *sys.path])
    from benchmarks import reading

    return reading


def test_it_reads_each_table_and_says_how_long(reading, capsys):
    assert reading.command(["--rows", "50", "--turns", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[4:]] == [
        f"{name}: {numbers} and {words} columns" for name, (numbers, words) in reading.TABLES.items()
    ]


def test_both_read_the_same_columns(reading, tmp_path):
    from fastmlp.tables import reader

    for numbers, words in reading.TABLES.values():
        reading.write(tmp_path / "t.csv", 40, numbers, words)
        found = reader.read(tmp_path / "t.csv")
        assert [column.kind for column in found] == ["number"] * numbers + ["text"] * words
        assert [column.is_missing().any() for column in found] == [False] * numbers + [k == 0 for k in range(words)]


def test_the_first_turn_is_not_counted(reading, tmp_path, monkeypatch):
    clock = iter([0.0, 100.0, 0.0, 1.0, 0.0, 3.0, 0.0, 2.0])
    monkeypatch.setattr(reading.time, "process_time", lambda: next(clock))
    assert reading.times({"one": lambda path: None}, tmp_path, 3) == {"one": 2.0}
