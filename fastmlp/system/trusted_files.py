"""Files and folders that only this user or root can have made or changed.

What is read through this module is run as machine code. So a file, its folder and every folder above must belong to
this user or to root, and nobody else may have the right to write to them. A sticky folder that everybody may write to,
such as /tmp, is accepted above: there, nobody can move another user's entry, and the entry's owner is checked.

The path is walked from the root, links included. Each step checks an entry of a folder that has passed, so nobody else
can exchange the entry between the check and its use, and no descriptor has to be held open. A file is checked once more
through the descriptor that it is read from.

Windows has no such owners and modes. There, the rights of the user's profile are trusted (docs/security.md).
"""

from __future__ import annotations

import errno
import functools
import os
import stat

_POSIX = hasattr(os, "geteuid")
_LINKS = 40  # the most that are followed, as by Linux
# Opening a pipe does not wait for a writer, a link is not followed, and child processes do not inherit the descriptor.
_OPEN = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC", "O_NOINHERIT", "O_BINARY"))


class Refused(Exception):
    """Another user may have made a file or folder.

    why: who may have. cure: what to do, as the beginning of a sentence, such as "S".
    """

    def __init__(self, why: str, cure: str):
        super().__init__(f"{why}. {cure}")
        self.why, self.cure = why, cure


def folder(path: str, create: bool = False) -> str:
    """Returns the path of a folder that this user can trust, without links.
    With `create`, a missing folder is made, for this user alone.

    Raises Refused if it cannot be trusted; OSError or ValueError if it does not exist or cannot be made.
    """
    if not _POSIX:
        if create:
            os.makedirs(path, exist_ok=True)
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(f"{path} is not a folder")
        return path
    try:
        os.lstat(path)
    except FileNotFoundError:
        if not create:
            raise
    # Any other error, such as too long a path, is raised before a part of it is made.
    here, links = "/", 0
    _check(here, os.lstat(here), last=False)
    left = [name for name in path.split("/")[::-1] if name not in ("", ".")]
    while left:
        name = left.pop()
        if name == "..":
            here = os.path.dirname(here)
            continue
        entry = os.path.join(here, name)
        try:
            status = os.lstat(entry)
        except FileNotFoundError:
            if not create:
                raise
            try:
                os.mkdir(entry, 0o700)
            except FileExistsError:  # another process made it
                pass
            status = os.lstat(entry)
        if stat.S_ISLNK(status.st_mode):
            links += 1
            if links > _LINKS:
                raise OSError(f"{path}: too many links")
            _check_owner(entry, status)
            target = os.readlink(entry)
            here = "/" if target.startswith("/") else here
            left += [name for name in target.split("/")[::-1] if name not in ("", ".")]
            continue
        _check(entry, status, last=not left)
        here = entry
    return here


def content(folder: str, name: str, most: int) -> bytes:
    """Returns the content of a file in a folder that has passed.

    Raises Refused if it cannot be trusted; OSError also if it is not a regular file, or is longer than `most` bytes.
    """
    path = os.path.join(folder, name)
    file = os.open(path, os.O_RDONLY | _OPEN)
    try:
        status = os.fstat(file)
        if _POSIX:
            _check_owner(path, status)
            _check_mode(path, status, last=True)
        return _read(file, path, status, most)
    finally:
        os.close(file)


def plain(path: str, most: int) -> bytes:
    """Returns the content of any regular file, whoever owns it. Raises OSError."""
    file = os.open(path, os.O_RDONLY | _OPEN & ~getattr(os, "O_NOFOLLOW", 0))
    try:
        return _read(file, path, os.fstat(file), most)
    finally:
        os.close(file)


def _read(file: int, path: str, status: os.stat_result, most: int) -> bytes:
    """The content of an open regular file of at most `most` bytes."""
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        raise OSError(f"{path} is not a file, or has more than {most} bytes")
    parts = []
    left = most
    while left > 0 and (part := os.read(file, min(left, status.st_size + 1))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def create(folder: str, name: str, whole: bytes) -> None:
    """Makes a file for this user alone. Raises OSError, and then leaves a file that is not whole."""
    file = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        left = memoryview(whole)
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)


# ---------------------------------------------------------------------------------------------------------
# Owners and modes


def _check(path: str, status: os.stat_result, last: bool) -> None:
    """Checks a folder: its type, owner and mode."""
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{path} is not a folder")
    _check_owner(path, status)
    _check_mode(path, status, last)


def _check_owner(path: str, status: os.stat_result) -> None:
    """Raises Refused unless this user or root is the owner."""
    if status.st_uid not in (os.geteuid(), 0):
        raise Refused(f"{path} belongs to {_user(status.st_uid)}", "S")


def _check_mode(path: str, status: os.stat_result, last: bool) -> None:
    """Raises Refused if others may write."""
    mode = status.st_mode
    others, group = mode & stat.S_IWOTH, mode & stat.S_IWGRP
    if mode & stat.S_ISVTX and not last and stat.S_ISDIR(mode):
        return
    if others or (group and not (_private(status.st_gid, os.geteuid()) and _without_acl(path))):
        who = "everybody" if others else f"group {_group(status.st_gid)}"
        import shlex

        own = status.st_uid == os.geteuid() and not mode & stat.S_ISVTX
        raise Refused(f"{path} may be written by {who}", f"Run chmod go-w {shlex.quote(path)}, or s" if own else "S")


@functools.cache
def _private(group: int, user: int) -> bool:
    """Whether a group is the user's alone: systems make one for each user, of the same name.

    There, new folders are writable for the group. Root's group is not private: programs of many users run in it in
    containers.
    """
    # It is not checked whether another user has the same primary group: that takes a list of all users.
    if user == 0 or group == 0:
        return False
    try:
        import grp
        import pwd

        entry, found = pwd.getpwuid(user), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    return entry.pw_gid == group and found.gr_name == entry.pw_name and set(found.gr_mem) <= {entry.pw_name}


def _without_acl(path: str) -> bool:
    """Whether the group's bits mean the group alone, and not an access control list. Linux."""
    try:
        os.getxattr(path, "system.posix_acl_access", follow_symlinks=False)
    except AttributeError:
        return False
    except OSError as error:
        return error.errno in (errno.ENODATA, errno.EOPNOTSUPP)
    return False


def _user(number: int) -> str:
    """A user's name and number."""
    try:
        import pwd

        return f"{pwd.getpwuid(number).pw_name} (user {number})"
    except (ImportError, KeyError):
        return f"user {number}"


def _group(number: int) -> str:
    """A group's name and number."""
    try:
        import grp

        return f"{grp.getgrgid(number).gr_name} ({number})"
    except (ImportError, KeyError):
        return str(number)
