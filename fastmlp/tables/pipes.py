"""The source of a table's text: a file, which is read as often as needed, or a pipe, which is read once."""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST = 2**30  # bytes that are read from a pipe, which may have no end
PATIENCE = 1.0  # seconds until a writer must have begun


@dataclass(frozen=True)
class Piped:
    """What came through a pipe. Its text is the pipe's name, for messages."""

    path: Path
    content: bytes

    def __str__(self) -> str:
        return str(self.path)


def received(path: Path) -> Path | Piped:
    """Returns the path of a file; or all that comes through a pipe, such as `<(...)`, /dev/stdin or "-".

    Raises ValueError for a device, which may have no end, a socket, and a pipe into which nobody or too much is
    written. A folder or a missing file is returned, and fails when it is opened.
    """
    if str(path) == "-":
        return _standard_input()
    if not path.exists() or not stat.S_ISFIFO(os.stat(path).st_mode):
        refuse_device(path)
        return path
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:
        if hasattr(os, "set_blocking"):  # not on Windows, before Python 3.12
            os.set_blocking(descriptor, True)
        content = file.read(MOST + 1)
        last = time.monotonic() + PATIENCE
        while not content and time.monotonic() < last:  # no writer yet
            time.sleep(0.01)
            content = file.read(MOST + 1)
    if not content:
        raise ValueError(
            f"{path} is a device or a pipe, not a file: copy its content to a file first, "
            "since nothing is written into it now"
        )
    if len(content) > MOST:
        raise ValueError(f"{path} is a pipe of more than {MOST >> 20} MB: copy its content to a file first")
    return Piped(path, content)


def refuse_device(path: Path) -> None:
    """Raises ValueError for a device, a pipe or a socket: it may have no end, and can be read only once."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is a device or a pipe, not a file: copy its content to a file first")


def _standard_input() -> Piped:
    """What comes through standard input."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("- is standard input, and nothing is piped into it: write `... < t.csv`, or name a file")
    content = sys.stdin.buffer.read(MOST + 1)
    if len(content) > MOST:
        raise ValueError(f"standard input has more than {MOST >> 20} MB: copy it to a file first")
    return Piped(Path("standard input"), content)


def opened(source: Path | Piped) -> IO[bytes]:
    """Opens a source at its beginning."""
    return io.BytesIO(source.content) if isinstance(source, Piped) else open(source, "rb")


def beginning(source: Path | Piped) -> bytes:
    """Returns the first bytes, which tell what kind of file it is."""
    with opened(source) as file:
        return file.read(512)
