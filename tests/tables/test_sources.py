"""Text from files: unpacked, decoded, in blocks of whole rows."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from pathlib import Path

import pytest

from fastmlp.tables import reader, sources
from fastmlp.tables.pipes import Piped
from fastmlp.tables.sources import Text, text_of

pytest.importorskip("pandas", reason="pandas is not installed: tables of text are missing")
TEXT = "a,b,y\n1,2,0\n3,4,1\n"


def zipped(content, *names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names or ("t.csv",):
            archive.writestr(name, content)
    return buffer.getvalue()


def zstd(content):
    return pytest.importorskip("pyarrow").compress(content, "zstd", asbytes=True)


PACKERS = [gzip.compress, bz2.compress, lzma.compress, zipped, zstd]


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("name", ["t.csv", "t.dat.gz"])
def test_packed_files_are_known_by_their_bytes(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(TEXT.encode()))
    assert reader.read(tmp_path / name)["b"].values.tolist() == [2, 4]


@pytest.mark.parametrize("pack", PACKERS)
def test_damage_is_told(tmp_path, pack):
    content = pack((TEXT * 500).encode())
    for cut in (content[: len(content) // 2], content[:20] + b"\xff\0\xff" + content[23:]):
        (tmp_path / "t.csv").write_bytes(cut)
        with pytest.raises(ValueError, match=r"t\.csv"):
            reader.read(tmp_path / "t.csv")


def test_an_archive_of_several_files_is_refused(tmp_path):
    (tmp_path / "t.zip").write_bytes(zipped(TEXT, "a.csv", "b.csv"))
    with pytest.raises(ValueError, match=r"t\.zip is a zip archive of 2 files \(a\.csv, b\.csv\): unpack it"):
        reader.read(tmp_path / "t.zip")
    (tmp_path / "t.zip").write_bytes(zipped(TEXT, "~").replace(b"~", b"\0"))  # a file without a name
    assert len(reader.read(tmp_path / "t.zip")) == 2
    (tmp_path / "t.zip").write_bytes(zipped(TEXT, "a.csv", "__MACOSX/._a.csv"))
    assert len(reader.read(tmp_path / "t.zip")) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings(tmp_path, encoding):
    text = "größe,b,y\n" + "1,ß,0\n2,é,1\n" * 40
    if encoding == "utf-16-le":  # as with a mark; without one it is known by its zeros
        text = text.replace("ß", "s").replace("ö", "o").replace("é", "e")
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    columns = reader.read(tmp_path / "t.csv")
    assert columns.names == text.split("\n")[0].split(",")
    assert columns["b"].texts() == [line.split(",")[1] for line in text.split("\n")[1:-1]]
    assert ("not in UTF-8" in " ".join(columns.notes)) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,\0\n", "has a NUL byte"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"@relation iris\n@data\n", "Weka's ARFF"),
        (b"\x93NUMPY\x01\0", "a NumPy array (.npy)"),
        (b"\x80\x04\x95abc", "a Python pickle"),
        (b"a\n\x81\n", "is not text in CP1252"),
    ],
)
def test_what_is_no_table_is_told(tmp_path, content, words):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(words)):
        reader.read(tmp_path / "t.csv")


@pytest.mark.parametrize("size", range(1, 40))
@pytest.mark.parametrize("text", [TEXT, 'a,b\n1,"x\ny"\n2,"z"\n3,"\n\n"\n', "a,b\n1,2", "ä\nüöß\n"])
def test_blocks_end_between_rows(text, size):
    blocks = list(Text(Piped(Path("p"), text.encode()), "utf-8").blocks(size))
    assert b"".join(blocks) == text.encode()
    for block in blocks[:-1]:
        assert block.endswith(b"\n")
        assert block.count(b'"') % 2 == 0


def test_returns_alone_end_lines():
    text = text_of(Piped(Path("p"), b"a,b\r1,2\r"))
    assert b"".join(text.blocks()) == b"a,b\n1,2\n"
    assert list(text.rows(",")) == [(1, ["a", "b"]), (2, ["1", "2"])]


def test_a_row_without_an_end(monkeypatch):
    monkeypatch.setattr(sources, "LONGEST", 100)
    with pytest.raises(ValueError, match="p has a row of more than 0 MB: is a quote missing"):
        list(Text(Piped(Path("p"), b"1," * 200), "utf-8").blocks(16))


def test_rows_have_lines():
    text = Text(Piped(Path("p"), b'\na,b\n\n1,"x\ny"\n \n2,3\n'), "utf-8")
    assert list(text.rows(",")) == [(2, ["a", "b"]), (4, ["1", "x\ny"]), (7, ["2", "3"])]
