"""`fastmlp cache`: what is kept of compiled kernels, and where; and removing it."""

from __future__ import annotations

import argparse
import json
import os
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fastmlp.cli.arguments import help_shape

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Found:
    """A folder of the cache. used: whether it is read; why: what else is to be said of it."""

    folder: str
    used: bool
    why: str
    files: int = 0
    bytes: int = 0
    current: int = 0  # for this version of fastmlp, Numba and Python, these settings and this processor
    bad: int = 0  # of those that are current: damaged, or not to be trusted
    unfinished: int = 0


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    parser = commands.add_parser(
        "cache",
        help="show or clear the cache of compiled kernels",
        description="Shows or clears the folders in which compiled kernels are kept for later processes.",
        formatter_class=help_shape,
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True, help="what to do")
    info = actions.add_parser(
        "info",
        help="show where it is, whether it is used, and what is in it",
        description=(
            "Shows each folder of the cache, best first: whether it is used and if not, why; its files and their size; "
            "and how many are current for this version of fastmlp and Numba, the settings, and this processor."
        ),
        formatter_class=help_shape,
    )
    info.add_argument("--json", action="store_true", help="print it as JSON")
    info.set_defaults(run=run_info)
    clear = actions.add_parser(
        "clear",
        help="remove the compiled kernels",
        description=(
            "Removes the files of compiled kernels, of all versions and processors, from those folders of the cache "
            "that are this user's, and nothing else. Kernels are compiled again when they are next needed."
        ),
        formatter_class=help_shape,
    )
    clear.set_defaults(run=run_clear)


def run_info(args: argparse.Namespace) -> None:
    from fastmlp.jit import cache

    found = [survey(folder) for folder in cache.folders()]
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        print(one.folder)
        print(f"  {one.why}")
        if one.files or one.unfinished:
            bad = f", of which {one.bad} cannot be used" if one.bad else ""
            rest = f"; {one.unfinished} unfinished" if one.unfinished else ""
            print(f"  {_count(one.files, one.bytes)}, {one.current} current{bad}{rest}")
    if not found:
        print("there is no folder for the cache: set FASTMLP_CACHE_DIR to one")
    for refusal in cache.refusals():
        if refusal.startswith("FASTMLP_CACHE_DIR"):
            print(refusal)


def run_clear(args: argparse.Namespace) -> None:
    from fastmlp.jit import cache
    from fastmlp.system import trusted_files

    failed: OSError | None = None
    for folder in cache.folders():
        try:
            place = trusted_files.folder(str(folder))
        except trusted_files.Refused as refused:
            print(f"{folder}: left alone, as {refused.why}")
            continue
        except (OSError, ValueError) as error:
            print(f"{folder}: {_words(error)}")
            continue
        count = size = 0
        for path, status in _files(place):
            try:
                os.unlink(path)
            except OSError as error:
                failed = error
            else:
                count, size = count + 1, size + status.st_size
        print(f"{folder}: removed {_count(count, size)}")
    if failed is not None:
        raise failed


def survey(folder: Path) -> Found:
    """What there is to say of a folder."""
    from fastmlp.jit import cache
    from fastmlp.system import trusted_files

    made = Found(str(folder), True, "")
    try:
        place = trusted_files.folder(str(folder))
    except trusted_files.Refused as refused:
        made.used, made.why, place = False, f"refused: {refused.why}", str(folder)
    except FileNotFoundError:
        made.why = "does not exist yet: it is made when a kernel is compiled, if that may be"
        return made
    except (OSError, ValueError) as error:
        made.used, made.why = False, f"not used: {_words(error)}"
        return made
    else:
        writable = os.access(place, os.W_OK | os.X_OK)
        made.why = "read and written" if writable else "read, but may not be written"
    try:
        files = _files(place)
    except OSError as error:
        made.why += f"; its files may not be listed: {_words(error)}"
        return made
    for path, status in files:
        kernel = cache.kernel_of(os.path.basename(path))
        if kernel is None:
            made.unfinished += 1
            continue
        made.files, made.bytes = made.files + 1, made.bytes + status.st_size
        if kernel.current:
            made.current += 1
            made.bad += made.used and cache.read_from(folder, kernel.name, kernel.dtype) is None
    return made


def _files(place: str) -> list[tuple[str, os.stat_result]]:
    """The cache's own files in a folder: whatever has such a name and is no folder."""
    from fastmlp.jit import cache

    found = []
    for name in sorted(os.listdir(place)):
        if cache.kernel_of(name) is None and not cache.unfinished(name):
            continue
        path = os.path.join(place, name)
        try:
            status = os.lstat(path)
        except OSError:  # gone meanwhile
            continue
        if not stat.S_ISDIR(status.st_mode):
            found.append((path, status))
    return found


def _count(files: int, size: int) -> str:
    return f"{files} file{'s' * (files != 1)}, {size / 1e6:.1f} MB"


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
