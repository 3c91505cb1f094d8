"""The cache of the kernels' object code. A file is used only if it is whole, current and for this processor.

Numba's own cache does not notice an edit in another file, can mix up two kernels, and raises for damaged files (Numba
issues 1833, 10486, 4908). Here, a file's name has a hash of everything that its content depends on, and the file begins
with a hash of its content. Anything wrong with a file or a folder is a miss.

The content is run. So only files that this user or root alone can have written are read (`system/trusted_files.py`).
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from fastmlp.checks.faults import only_faults
from fastmlp.jit import machine_code, numba_settings
from fastmlp.jit.machine_code import Code
from fastmlp.system import trusted_files
from fastmlp.system.cpu import target

_MAGIC = b"fastmlp kernel 1\n"
_PACKAGE = Path(__file__).parents[1]
# What a kernel's code depends on, besides Numba: the kernels, the reference (for its constants), and the compiling.
_SOURCES = ("kernels/**/*.py", "reference/**/*.py", "jit/**/*.py", "system/cpu.py")
_MOST = 16 << 20  # bytes of a file; the largest has 0.02 MB
_KEEP_DAYS = 60
_KEEP_UNFINISHED_DAYS = 1
_NAME = re.compile(r"(\w+\.\w+)-(float64|float32)-[0-9a-f]+\.kernel")
_UNFINISHED = ".new-"
_METADATA = ".dist-info"  # the end of the name of a package's folder of metadata: NAME-VERSION.dist-info


# ---------------------------------------------------------------------------------------------------------
# Where


def folders() -> list[Path]:
    """Returns the folders where cached code may be, the best first.

    That is `FASTMLP_CACHE_DIR`; or else `NUMBA_CACHE_DIR`/fastmlp, and `XDG_CACHE_HOME`/fastmlp or the platform's usual
    folder. A folder that cannot be written to is still read, so a container image may have a filled cache. Relative
    paths are ignored: code would be run from whatever folder the process works in.
    """
    chosen = os.environ.get("FASTMLP_CACHE_DIR")
    if chosen:
        own = _full(chosen)
        if own is not None:
            return [own]
        _refuse(
            f"FASTMLP_CACHE_DIR={chosen!r} is ignored, as it is not a full path: set it to one, or unset it. "
            "The cache of compiled kernels is in its default folder"
        )
    places = [_full(os.environ.get("NUMBA_CACHE_DIR", ""))]
    usual = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    try:
        places.append(_full(usual) or _full(str(Path.home() / ".cache")))
    except (RuntimeError, ValueError):  # no home folder
        pass
    return [place / "fastmlp" for place in places if place is not None]


def _full(path: str) -> Path | None:
    """The path, if it begins at the root or at a user's home; else None."""
    try:
        full = Path(path).expanduser()
    except (RuntimeError, ValueError):  # ~user of an unknown name
        return None
    return full if full.is_absolute() else None


_refusals: list[str] = []
_told: list[str] = []


def _refuse(why: str) -> None:
    """Notes why something was refused."""
    if why not in _refusals:
        _refusals.append(why)


def refusals() -> list[str]:
    """Returns what was refused so far in this process, in words."""
    return list(_refusals)


def silence() -> None:
    """Has `tell` say nothing in this process: for who says all of `refusals`."""
    _told.append("")


def tell() -> None:
    """Warns of the first cache that was refused, once in a process, at the line that called this package.

    It raises nothing, since a cache is never necessary.
    """
    if _refusals and not _told:
        _told.append(_refusals[0])
        level, frame = 1, sys._getframe()
        while frame.f_back is not None and frame.f_code.co_filename.startswith(str(_PACKAGE)):
            level, frame = level + 1, frame.f_back
        try:
            warnings.warn(f"fastmlp: {_told[0]}.", stacklevel=level)
        except Warning:  # as by python -W error
            print(f"fastmlp: {_told[0]}.", file=sys.stderr)


def _refused(folder: Path, refused: trusted_files.Refused) -> None:
    """Notes that a folder was refused, why, and what to do."""
    _refuse(
        f"the cache of compiled kernels in {folder} is not used, as {refused.why}, and its files are run as code. "
        f"{refused.cure}et FASTMLP_CACHE_DIR to a folder of your own. Until then kernels are compiled, for seconds"
    )


def _unwritable(failed: tuple[Path, Exception] | None) -> None:
    """Notes that code could not be kept: the best folder and its error, or None where there is no folder."""
    what = "there is no folder for the cache of compiled kernels"
    if failed is not None:
        folder, error = failed
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        what = f"the cache of compiled kernels in {folder} cannot be written ({why})"
    _refuse(
        f"{what}: each process compiles kernels again, for seconds. Set FASTMLP_CACHE_DIR to a folder that can be "
        "written"
    )


# ---------------------------------------------------------------------------------------------------------
# What code depends on


@functools.cache
def stamp() -> str | None:
    """Returns a hash of everything that the kernels' code depends on; None, and so no cache, if that cannot be read."""
    return _stamp()


def _stamp() -> str | None:
    """Computes the hash."""
    digest = hashlib.sha256()
    try:
        for pattern in _SOURCES:
            paths = sorted(_PACKAGE.glob(pattern))
            if not paths:  # a package in an archive, or without sources
                return None
            for path in paths:
                content = trusted_files.plain(str(path), _MOST)
                name = path.relative_to(_PACKAGE).as_posix()
                digest.update(f"{name} {len(content)}\n".encode() + content)
        versions = [version(name) for name in ("numba", "llvmlite")]
    except Exception as error:  # unreadable files, or packages' damaged metadata
        only_faults(error)
        return None
    if not all(versions):
        return None
    settings = [os.environ.get(name, "") for name in numba_settings.VARIABLES]
    digest.update(repr((versions, settings, target(), sys.platform, sys.version_info[:2])).encode())
    return digest.hexdigest()


def version(package: str) -> str:
    """Returns an installed package's version. Raises whatever damaged metadata leads to."""
    for folder in filter(os.path.isabs, sys.path):  # not the working folder
        try:
            found = [entry for entry in os.listdir(folder) if entry.startswith(f"{package}-")]
        except OSError:
            continue
        names = [entry[len(package) + 1 : -len(_METADATA)] for entry in found if entry.endswith(_METADATA)]
        if len(names) == 1:
            return names[0]
        if found:
            break
    import importlib.metadata  # takes 20 ms of a first fit's 400

    return importlib.metadata.version(package)


# ---------------------------------------------------------------------------------------------------------
# Reading and writing


def read(name: str, dtype: str) -> Code | None:
    """Returns the code of the kernel `name` for `dtype`, or None."""
    if stamp() is None:
        return None
    for folder in folders():
        code = read_from(folder, name, dtype)
        if code is not None:
            return code
    return None


def read_from(folder: Path, name: str, dtype: str) -> Code | None:
    """Returns the code in one folder, or None."""
    try:
        content = trusted_files.content(trusted_files.folder(str(folder)), file_name(name, dtype), _MOST)
    except trusted_files.Refused as refused:
        _refused(folder, refused)
        return None
    except (OSError, ValueError):  # ValueError: a path that the system cannot spell
        return None
    return _unpack(content, _key(name, dtype))


def holds(name: str, dtype: str) -> bool:
    """Tells whether `read` finds a kernel."""
    return read(name, dtype) is not None


def write(name: str, dtype: str, code: Code) -> None:
    """Writes the code to the first folder that can be written to, if there is one.

    Nothing is written if a source was edited since this process computed its stamp, since the code may be of either
    text. Nor is it if the code needs a function of the process that is not in `machine_code.EXTERNALS`.
    """
    if stamp() is None or stamp() != _stamp() or not set(code.externals) <= machine_code.EXTERNALS:
        return
    failed: tuple[Path, Exception] | None = None
    for folder in folders():
        try:
            place = trusted_files.folder(str(folder), create=True)
            # Another name first, then a rename: readers see either the old file or the new one, whole.
            temporary = f"{_UNFINISHED}{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
            try:
                trusted_files.create(place, temporary, _pack(code, _key(name, dtype)))
                os.replace(os.path.join(place, temporary), os.path.join(place, file_name(name, dtype)))
            except OSError as error:
                failed = failed or (folder, error)
                os.unlink(os.path.join(place, temporary))
                continue
            _remove_old(place, name)
            return
        except trusted_files.Refused as refused:
            _refused(folder, refused)
        except (OSError, ValueError) as error:
            failed = failed or (folder, error)
    if failed is not None or not folders():
        _unwritable(failed)


def _key(name: str, dtype: str) -> str:
    """A hash of the kernel's name, its dtype and the stamp."""
    return hashlib.sha256(f"{name} {dtype} {stamp()}".encode()).hexdigest()


def file_name(name: str, dtype: str) -> str:
    """Returns the name of a kernel's file."""
    return f"{name}-{dtype}-{_key(name, dtype)[:32]}.kernel"


def _pack(code: Code, key: str) -> bytes:
    """A file's content."""
    body = "\n".join([code.symbol, " ".join(code.externals), ""]).encode() + code.object
    return _MAGIC + hashlib.sha256(key.encode() + body).digest() + body


def _unpack(content: bytes, key: str) -> Code | None:
    """The code in a file; None if the file is damaged, of another kind or kernel, or needs what no kernel needs."""
    start = len(_MAGIC) + 32
    body = content[start:]
    if not content.startswith(_MAGIC) or hashlib.sha256(key.encode() + body).digest() != content[len(_MAGIC) : start]:
        return None
    try:
        symbol, externals, code = body.split(b"\n", 2)
        made = Code(symbol.decode("ascii"), tuple(externals.decode("ascii").split()), code)
    except ValueError:
        return None
    return made if made.symbol and set(made.externals) <= machine_code.EXTERNALS else None


# ---------------------------------------------------------------------------------------------------------
# Files in the cache


@dataclass(frozen=True)
class Kept:
    """What a file is, by its name."""

    file: str
    name: str
    dtype: str

    @property
    def current(self) -> bool:
        """Whether this process would read it."""
        return stamp() is not None and self.file == file_name(self.name, self.dtype)


def kernel_of(file: str) -> Kept | None:
    """Returns what a file is, by its name; None if it does not belong to the cache."""
    found = _NAME.fullmatch(file)
    return found and Kept(file, *found.groups())


def unfinished(name: str) -> bool:
    """Tells by a file's name whether a process is writing it, or was killed while writing it."""
    return name.startswith(_UNFINISHED)


def _remove_old(folder: str, name: str) -> None:
    """Removes this kernel's files that were neither written nor read for 60 days, and unfinished files after a day."""
    now = time.time()
    for file in os.listdir(folder):
        kernel = kernel_of(file)
        if not unfinished(file) and (kernel is None or kernel.name != name):
            continue
        path = os.path.join(folder, file)
        try:
            status = os.lstat(path)
            days = (now - max(status.st_atime, status.st_mtime)) / 86400
            if days > (_KEEP_UNFINISHED_DAYS if unfinished(file) else _KEEP_DAYS):
                os.unlink(path)
        except OSError:  # removed meanwhile, or a folder
            pass
