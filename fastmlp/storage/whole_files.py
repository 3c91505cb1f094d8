"""Files that are whole or are not there: written under another name, and renamed when the disk has them.

Where several belong together, old ones stay until all are written. This module knows nothing of what they hold.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from functools import partial
from typing import Any


def write(path: str | os.PathLike, content: list[Any], sync: bool = True) -> None:
    """Writes one file, as `write_together` does.

    Parameters
    ----------
    path : path
        The file's name.
    content : list of bytes-like
        What it holds, in parts.
    sync : bool, default=True
        Whether the file is to survive a power cut, too.

    Raises
    ------
    ValueError, OSError
        If the system refuses, or it is no file. The old file is then unchanged, and no other file is left.
    """
    write_together([(path, content)], sync)


def write_together(files: list[tuple[str | os.PathLike, list[Any]]], sync: bool = True) -> None:
    """Writes files that belong together. An existing one keeps its permissions; a symbolic link's target is replaced.

    Parameters
    ----------
    files : list of (path, list of bytes-like)
        The files' names, and what they hold, in parts.
    sync : bool, default=True
        Whether they are to survive a power cut, too.

    Raises
    ------
    ValueError
        If one is a device or a pipe, or two are the same file.
    OSError
        If the system refuses. The old files are then unchanged, unless it refuses to rename a later file; no other
        file is left.
    """
    places = [_place_to_write(path) for path, _ in files]
    if len(set(places)) < len(places):
        raise ValueError(f"{', '.join(os.fsdecode(path) for path, _ in files)} are the same file: name several")
    ready: list[tuple[str, str]] = []
    renamed: list[str] = []
    place = ""
    try:
        for place, (_, content) in zip(places, files, strict=True):
            temporary = os.path.join(os.path.dirname(place), f".fastmlp-{os.getpid()}-{os.urandom(8).hex()}.new")
            ready.append((temporary, place))
            _prepare(temporary, place, content, sync)
        for temporary, place in ready:
            os.replace(temporary, place)
            renamed.append(place)
    except BaseException as error:
        for temporary, _ in ready:
            try:
                os.unlink(temporary)
            except OSError:
                pass
        if isinstance(error, OSError):
            left = f"{renamed[0]} is new" if renamed else "what was there is unchanged"
            raise OSError(error.errno, f"not saved: {error.strerror or error}; {left}", place) from error
        raise
    if sync:
        for folder in dict.fromkeys(map(os.path.dirname, places)):
            _sync_folder(folder)


def _prepare(temporary: str, place: str, content: list[Any], sync: bool) -> None:
    """Writes the file that is to be renamed to a place, with the permissions of what is there."""
    try:
        mode = stat.S_IMODE(os.stat(place).st_mode) & 0o777
    except FileNotFoundError:
        mode = None
    # "x": the file is new. If there was none at `place`, the permissions are those of open(). The descriptor and the
    # file that closes it are made in one call into C: no exception can come in between.
    with open(temporary, "xb", opener=partial(os.open, mode=0o666 if mode is None else mode)) as file:
        for part in content:
            file.write(part)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    if mode is not None:
        os.chmod(temporary, mode)


def check_writable(path: str | os.PathLike) -> None:
    """Raises OSError if `write` could make no file at a path, and ValueError if it would refuse to."""
    folder = os.path.dirname(_place_to_write(path)) or "."
    probe = os.path.join(folder, f".fastmlp-{os.getpid()}-{os.urandom(8).hex()}.new")
    try:
        with open(probe, "xb"):
            pass
    finally:
        try:
            os.unlink(probe)
        except OSError:
            pass


def _place_to_write(path: str | os.PathLike) -> str:
    """The path of the file itself, with links followed. Raises if no file can be written there."""
    place = os.path.realpath(os.fsdecode(path))
    if not os.path.isdir(os.path.dirname(place)):
        raise FileNotFoundError(
            errno.ENOENT, "not saved: there is no such folder, make it first", os.path.dirname(place)
        )
    try:
        kind = os.lstat(place).st_mode
    except FileNotFoundError:
        return place
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, "not saved: this is a folder, give the name of a file", place)
    if stat.S_ISLNK(kind):
        raise OSError(errno.ELOOP, "not saved: this link leads to itself", place)
    if not stat.S_ISREG(kind):
        raise ValueError(f"{place} is a device or a pipe, not a file: give the name of a file")
    if not os.access(place, os.W_OK):  # a rename would replace it in spite of that
        raise PermissionError(errno.EACCES, "not saved: this file is read-only", place)
    return place


def _sync_folder(folder: str) -> None:
    """Asks the system to write the rename to the disk, if it can synchronise folders.

    The file is in its place in any case.
    """
    # One call into C opens, synchronises and closes it: no exception can come in between and leave it open.
    opened = map(os.open, [folder], [os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)])
    to_synchronise, to_close = itertools.tee(opened)
    try:
        list(zip(map(os.fsync, to_synchronise), map(os.close, to_close), strict=False))
    except OSError:  # Windows, a folder that may not be read, or a file system that does not synchronise folders
        for descriptor in to_close:
            os.close(descriptor)
