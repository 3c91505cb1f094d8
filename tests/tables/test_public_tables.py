"""The first rows of public files: each is read as what it holds, or refused by a sentence that says what to do."""

import pytest
from public_tables import NO_HEADER, TABLES

from fastmlp.tables import reader

KINDS = {"n": "number", "i": "integer", "b": "bool", "t": "text", "d": "time"}


def written(folder, table):
    path = folder / table.name
    path.write_bytes(table.text.encode(table.encoding))
    return path


def test_there_are_many():
    assert len({table.name for table in TABLES}) == len(TABLES) >= 60


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_public_table(tmp_path, table):
    columns = reader.read(written(tmp_path, table), header=None if table.header else False)
    assert [column.kind for column in columns] == [KINDS[kind] for kind in table.kinds]
    assert table.target.strip() in columns
    assert table.notes in " ".join(columns.notes)
    assert table.notes or not columns.notes


@pytest.mark.parametrize("table", NO_HEADER, ids=lambda table: table.name)
def test_a_public_table_without_a_header_is_noticed(tmp_path, table):
    with pytest.raises(ValueError, match=r"has no header: its first line looks like .*--no-header"):
        reader.read(written(tmp_path, table))
