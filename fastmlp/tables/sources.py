"""The text of a table: unpacked, decoded, and cut into blocks of whole rows, in constant memory.

gzip, bzip2, xz, zstandard and zip are known by their first bytes, not by the file's name. Text is UTF-8, UTF-16 or
UTF-32, or else Windows' code page 1252.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastmlp.checks.messages import cut, lacks
from fastmlp.storage.container import look_of
from fastmlp.tables.pipes import Piped, beginning, opened

BLOCK = 2**22  # bytes that are parsed at once, which a cache holds; the parser takes some three times as much memory
LONGEST = 2**30  # bytes without an end of a row
SAMPLE = 2**18  # bytes by which separator and header are found,
FEWEST = 4  # or so many lines

_BOMS = (  # the longer ones first
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile, OSError)
_ZSTD = b"\x28\xb5\x2f\xfd"


class NotUtf8(ValueError):
    """The text is not UTF-8, and all before that was ASCII."""


@dataclass(frozen=True)
class Text:
    """A text that can be read again and again.

    Attributes
    ----------
    source : Path or Piped
        Where it is.
    encoding : str
        Its encoding.
    skip : int
        Bytes of a byte-order mark.
    lone_returns : bool
        Whether lines end with a carriage return alone, as on old Macs.
    """

    source: Path | Piped
    encoding: str
    skip: int = 0
    lone_returns: bool = False

    def __str__(self) -> str:
        return str(self.source)

    def sample(self) -> str:
        """Returns the beginning, up to the end of a line if one is there."""
        size = SAMPLE
        with self._bytes() as file:
            start = file.read(size)
            while len(start) == size and start.count(b"\n") + start.count(b"\r") < FEWEST and size < LONGEST:
                start += file.read(size)  # rows of very many columns
                size *= 2
        text = codecs.getincrementaldecoder(self.encoding)("replace").decode(start, len(start) < size)
        if self.lone_returns:
            text = text.replace("\r", "\n")
        if len(start) == size and "\n" in text:
            text = text[: text.rfind("\n") + 1]
        return text

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yields the text as UTF-8, some rows at a time.

        Raises NotUtf8; ValueError for damage, and for what is no text.
        """
        decode = codecs.getincrementaldecoder(self.encoding)().decode
        left, at, ascii_only = b"", self.skip, True
        with self._bytes() as file:
            while True:
                block = file.read(size)
                end = not block
                try:
                    if self.encoding == "utf-8" and block.isascii():
                        part = decode(block, end).encode() if end or not ascii_only else block
                    else:
                        part = decode(block, end).encode("utf-8")
                        ascii_only = False
                except UnicodeDecodeError as error:
                    self._refuse_encoding(error, at, ascii_only and block[: error.start].isascii())
                if b"\0" in part:
                    raise ValueError(f"{self} has a NUL byte, so that it is not a table of text: {_looks(self.source)}")
                if self.lone_returns:
                    part = part.replace(b"\r", b"\n")
                at += len(block)
                place = len(part) if end else _last_end(part, left)
                if place or end:
                    yield b"".join((left, memoryview(part)[:place]))
                    left = part[place:]
                else:
                    left += part
                if end:
                    return
                if len(left) > LONGEST:
                    raise ValueError(f"{self} has a row of more than {LONGEST >> 20} MB: is a quote missing?")

    def rows(self, separator: str) -> Iterator[tuple[int, list[str]]]:
        """Yields (line, cells) of each row that is not blank; lines count from 1. This is slow: for errors.

        Raises ValueError with the line for wrong quotes.
        """
        with self._bytes() as file:
            text: Any = io.TextIOWrapper(file, encoding=self.encoding, errors="replace", newline="")
            lines = (line.replace("\r", "\n") for line in _split(text)) if self.lone_returns else text
            yield from rows_of(lines, separator, str(self))

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        """The unpacked bytes after the mark, where damage is a ValueError that names the file."""
        with unpacked(self.source) as file:
            file.read(self.skip)
            yield file

    def _refuse_encoding(self, error: UnicodeDecodeError, at: int, ascii_before: bool) -> None:
        """Raises NotUtf8 if another encoding may be meant, else ValueError."""
        if self.encoding == "utf-8" and ascii_before:
            raise NotUtf8
        look = _looks(self.source) if self.encoding == "utf-8" else "save it as UTF-8"
        name = self.encoding.upper()
        raise ValueError(f"{self} is not text in {name} ({error.reason} near byte {at + error.start}): {look}")


def rows_of(lines: Any, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yields (line, cells) of each row that is not blank, of an iterable of lines. Raises ValueError with the line."""
    spaces = separator == r"\s+"
    if spaces:
        lines = (" ".join(line.replace("\t", " ").split()) for line in lines)
    reader = csv.reader(lines, delimiter=" " if spaces else separator, skipinitialspace=True, strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        words = str(error)
        if "field larger" in words:
            words = f"a cell of more than {csv.field_size_limit()} characters; is a quote missing?"
        elif "unexpected end" in words:
            words = "a quote opens in this row and never closes: close it, or leave it out"
        elif "expected after" in words:
            words = "a cell goes on behind its closing quote: double the quotes inside it, or leave them out"
        raise ValueError(f"{name}, line {begin}: {words}") from None


def text_of(source: Path | Piped) -> Text:
    """Returns the text of a source, whose encoding is known by its beginning.

    Raises ValueError for what is no text, and OSError.
    """
    with unpacked(source) as file:
        start = file.read(2**16)
    encoding, skip = next(((name, len(mark)) for mark, name in _BOMS if start.startswith(mark)), ("utf-8", 0))
    if not skip and start[:2].count(0) == 1 and len(start) > 3:  # UTF-16 without its mark
        encoding = "utf-16-le" if start[1] == 0 else "utf-16-be"
        if start[1 if start[1] == 0 else 0 :: 2].count(0) < 0.9 * (len(start) // 2):
            encoding = "utf-8"
    look = look_of(start)
    if look and not skip:
        raise ValueError(f"{source} is not a table of text: it looks like {look}; save it as CSV")
    for magic, words in (
        (b"<!doctype html", "a web page: download the file itself"),
        (b"<html", "a web page: download the file itself"),
        (b"@relation", "Weka's ARFF: save it as CSV"),
    ):
        if start.lstrip().lower().startswith(magic):
            raise ValueError(f"{source} is not a CSV: it looks like {words}")
    text = codecs.getincrementaldecoder(encoding)("replace").decode(start[skip:])
    return Text(source, encoding, skip, "\r" in text and "\n" not in text)


@contextmanager
def unpacked(source: Path | Piped) -> Iterator[IO[bytes]]:
    """Opens a source and unpacks it, if it is packed. Raises ValueError for damage, and OSError for a missing file."""
    start = beginning(source)
    with opened(source) as file:
        kind, opener = _unpacker(source, start)
        if opener is None:
            yield file
            return
        try:
            with opener(file) as inner:
                yield inner
        except (*_DAMAGED, RuntimeError, NotImplementedError) as error:
            if isinstance(error, (FileNotFoundError, PermissionError, BrokenPipeError)):
                raise
            raise ValueError(
                f"{source} is {kind} that cannot be unpacked ({cut(str(error) or type(error).__name__, 100)}): "
                "copy or save it again"
            ) from None
        except Exception as error:
            if type(error).__name__ not in ("LZMAError", "ZstdError"):
                raise
            raise ValueError(f"{source} is {kind} that is damaged ({cut(str(error), 100)}): copy it again") from None


def _unpacker(source: Path | Piped, start: bytes) -> tuple[str, Any]:
    """(what kind of packed file it is, a function that unpacks an open one); (..., None) for another file."""
    if start.startswith(b"\x1f\x8b"):
        import gzip

        return "a gzip file", lambda file: gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        import bz2

        return "a bzip2 file", bz2.BZ2File
    if start.startswith(b"\xfd7zXZ\0"):
        import lzma

        return "an xz file", lzma.LZMAFile
    if start.startswith(_ZSTD):
        return "a zstandard file", _zstd(source)
    if start.startswith(b"PK\x03\x04"):
        return "a zip archive", lambda file: _only_member(source, file)
    return "", None


def _zstd(source: Path | Piped) -> Any:
    """Opens zstandard files, by whatever can."""
    try:
        from compression import zstd  # Python 3.14

        return zstd.ZstdFile
    except ImportError:
        pass
    try:
        import zstandard

        return lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    except ImportError:
        pass
    try:
        import pyarrow

        return lambda file: pyarrow.CompressedInputStream(pyarrow.PythonFile(file, mode="r"), "zstd")
    except ImportError:
        raise ValueError(lacks(f"unpack {source}, which is read by", "zstandard")) from None


@contextmanager
def _only_member(source: Path | Piped, file: IO[bytes]) -> Iterator[IO[bytes]]:
    """The one file in a zip archive."""
    with zipfile.ZipFile(file) as archive:
        members = [
            m for m in archive.infolist() if not m.filename.startswith("__MACOSX/") and not m.filename.endswith("/")
        ]
        if len(members) != 1:
            from fastmlp.tables.columns import listed

            names = listed(member.filename for member in members)
            raise ValueError(f"{source} is a zip archive of {len(members)} files ({names}): unpack it, and name one")
        with archive.open(members[0]) as inner:
            yield inner


def _last_end(block: bytes, before: bytes) -> int:
    """Where the last row ends that ends in a block: behind a line's end outside of quotes; 0 if none does."""
    place = block.rfind(b"\n") + 1
    if b'"' not in block and b'"' not in before:
        return place
    odd = before.count(b'"') % 2
    if block.count(b'"', 0, place) % 2 == odd:
        return place
    found = np.frombuffer(block, np.uint8)
    quotes, ends = (np.flatnonzero(found == ord(mark)) for mark in '"\n')
    outside = ends[np.searchsorted(quotes, ends) % 2 == odd]
    return int(outside[-1]) + 1 if len(outside) else 0


def _looks(source: Path | Piped) -> str:
    """What to do with a file that is no text."""
    look = look_of(beginning(source))
    return f"it looks like {look}; save it as CSV" if look else "save it as CSV in UTF-8"


def _split(text: Any) -> Iterator[str]:
    """The lines of a text whose lines end with a carriage return."""
    left = ""
    while part := text.read(2**16):
        *lines, left = (left + part).split("\r")
        yield from (line + "\r" for line in lines)
    if left:
        yield left
