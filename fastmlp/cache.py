"""The cache of kernels' object code: files that are whole, current and for this processor, or are not used.

Numba's own cache does not notice an edit in another file, can mix up two kernels, and raises on damaged files
(Numba issues 1833, 10486, 4908). Here a file's name holds a hash of everything that its content depends on, its
first bytes a hash of its content, and anything wrong with it or with the folder is a miss.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import sys
import threading
import time
from pathlib import Path

from fastmlp.native import Code
from fastmlp.target import target

_MAGIC = b"fastmlp kernel 1\n"
_PACKAGE = Path(__file__).parent
# What a kernel's code is made from, besides Numba: the kernels, the reference (for its constants), and how they are
# compiled.
_SOURCES = ("kernels/*.py", "reference/*.py", "compiler.py", "native.py", "pairs.py", "plan.py", "target.py")
_SETTINGS = ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_BOUNDSCHECK", "NUMBA_ENABLE_AVX")
_KEEP_DAYS = 60


def folders() -> list[Path]:
    """Where cached code may be, best first.

    `FASTMLP_CACHE_DIR`; `NUMBA_CACHE_DIR`/fastmlp; `XDG_CACHE_HOME`/fastmlp or the platform's usual place. One that
    cannot be written is still read, so a container image may hold a filled cache.
    """
    chosen = os.environ.get("FASTMLP_CACHE_DIR")
    if chosen:
        return [Path(chosen).expanduser()]
    places = []
    if os.environ.get("NUMBA_CACHE_DIR"):
        places.append(Path(os.environ["NUMBA_CACHE_DIR"]) / "fastmlp")
    usual = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    try:
        places.append((Path(usual) if usual else Path.home() / ".cache") / "fastmlp")
    except RuntimeError:  # no home directory
        pass
    return places


@functools.cache
def stamp() -> str | None:
    """A hash of all that kernels' code depends on; None, and so no caching, where the sources cannot be read."""
    return _stamp()


def _stamp() -> str | None:
    digest = hashlib.sha256()
    try:
        for pattern in _SOURCES:
            paths = sorted(_PACKAGE.glob(pattern))
            if not paths:  # a package in an archive, or of byte code alone
                return None
            for path in paths:
                content = path.read_bytes()
                digest.update(f"{path.name} {len(content)}\n".encode() + content)
        versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite")]
    except (OSError, importlib.metadata.PackageNotFoundError):
        return None
    settings = [os.environ.get(name, "") for name in _SETTINGS]
    machine = target()
    digest.update(repr((versions, settings, machine, sys.platform, sys.version_info[:2])).encode())
    return digest.hexdigest()


def read(name: str, dtype: str) -> Code | None:
    """The code of kernel `name` for `dtype`, or None."""
    if stamp() is None:
        return None
    for folder in folders():
        try:
            content = (folder / _file_name(name, dtype)).read_bytes()
        except OSError:
            continue
        code = _unpack(content, _key(name, dtype))
        if code is not None:
            return code
    return None


def holds(name: str, dtype: str) -> bool:
    """Whether there is a file for a kernel, be it good or not."""
    return stamp() is not None and any((folder / _file_name(name, dtype)).is_file() for folder in folders())


def write(name: str, dtype: str, code: Code) -> None:
    """Keeps the code in the first folder that can be written; in none where there is none.

    In none, either, if a source was edited since this process took its stamp: nobody knows from which text the code is.
    """
    if stamp() is None or stamp() != _stamp():
        return
    for folder in folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A file of another name first, then a rename: readers see the old file, or the new one, whole. (The
            # standard library's temporary files do not follow the user's mask for new files.)
            temporary = folder / f".new-{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
            try:
                with open(temporary, "xb") as file:
                    file.write(_pack(code, _key(name, dtype)))
                os.replace(temporary, folder / _file_name(name, dtype))
            except OSError:
                temporary.unlink(missing_ok=True)
                continue
            _remove_old(folder, name)
            return
        except OSError:
            continue


def _key(name: str, dtype: str) -> str:
    return hashlib.sha256(f"{name} {dtype} {stamp()}".encode()).hexdigest()


def _file_name(name: str, dtype: str) -> str:
    return f"{name}-{dtype}-{_key(name, dtype)[:32]}.kernel"


def _pack(code: Code, key: str) -> bytes:
    body = "\n".join([code.symbol, " ".join(code.externals), ""]).encode() + code.object
    return _MAGIC + hashlib.sha256(key.encode() + body).digest() + body


def _unpack(content: bytes, key: str) -> Code | None:
    """The code in a file; None if the file is damaged, or of another kind or another kernel."""
    start = len(_MAGIC) + 32
    body = content[start:]
    if not content.startswith(_MAGIC) or hashlib.sha256(key.encode() + body).digest() != content[len(_MAGIC) : start]:
        return None
    symbol, externals, code = body.split(b"\n", 2)
    return Code(symbol.decode(), tuple(externals.decode().split()), code)


def _remove_old(folder: Path, name: str) -> None:
    """Removes what nobody wrote or read for 60 days: this kernel's files of other versions, and unfinished files."""
    limit = time.time() - _KEEP_DAYS * 86400
    for path in (*folder.glob(f"{name}-*.kernel"), *folder.glob(".new-*")):
        try:
            status = path.stat()
            if max(status.st_atime, status.st_mtime) < limit:
                path.unlink()
        except OSError:  # gone meanwhile, or somebody else's
            pass
