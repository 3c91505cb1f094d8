"""Arrays of numbers out of an .npz: read whole and checked, or refused in words.

numpy.load opens such a file, too. But of a damaged one it raises a dozen kinds of exceptions, those of zipfile, zlib,
lzma, tokenize and ast among them; it takes memory for whatever an array's header announces; and where a damaged header
announces less than is there, it does not come to the checksum.
"""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from fastmlp.checks.arrays import check_memory
from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut, shown
from fastmlp.storage.container import look_of
from fastmlp.tables.pipes import refuse_device

_NUMBERS = "biufUScmM"  # and what `arrays.numeric_array` refuses in words; object and structured dtypes are not read
_ENCRYPTED = 0x1  # in a member's flags


def read(path: Path, wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """({name: array} of those that are wanted and there, the names of all that are there).

    Raises ValueError, naming the path, for what is no .npz, is damaged, or holds Python objects in an array that is
    wanted; OSError for a file that the system does not give.
    """
    refuse_device(path)
    with open(path, "rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith(b"\x93NUMPY"):
            raise ValueError(
                f"{path} holds one array without a name: save it with numpy.savez({str(path)!r}, X=X, y=y)"
            )
        if not start.startswith(b"PK"):
            look = look_of(start)
            raise ValueError(
                f"{path} is not an .npz file that NumPy can read{f', but {look}' if look else ''}: "
                "save one with numpy.savez"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of Python's parser, about what it finds in a header
                return _members(file, wanted)
        except _Refusal as refusal:
            raise ValueError(f"{path} {refusal}") from None
        except NotImplementedError as error:
            raise ValueError(
                f"{path} is packed in a way that is not read here ({error}): save it with numpy.savez"
            ) from None
        except MemoryError:
            raise ValueError(f"{path} holds arrays for which there is no memory: give fewer rows") from None
        except Exception as error:
            only_faults(error)
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ValueError(f"{path} is damaged: {cut(what, 200)}; copy or save it again") from error


class _Refusal(ValueError):
    """What is wrong, to be said behind the path."""


def _members(file: IO[bytes], wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise _Refusal(f"is not an .npz file that NumPy can read ({error}): copy or save it again") from None
    with archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        found = {name: _array(archive, members[name], name) for name in wanted if name in members}
    return found, list(members)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> np.ndarray:
    if member.flag_bits & _ENCRYPTED:
        raise _Refusal("is encrypted: save it without a password")
    with archive.open(member) as stream:
        shape, dtype = _header(stream)
        begin = stream.tell()
    if dtype.kind not in _NUMBERS:
        what = "Python objects, which would run code to be read" if dtype.hasobject else f"dtype {cut(str(dtype))}"
        raise _Refusal(f"holds arrays that cannot be read as numbers: {name} is of {what}; save it as numbers")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or begin + size != member.file_size:
        raise _Refusal(
            f"is damaged: {name} has shape {shown(shape)}, which takes {size} bytes, and there are "
            f"{member.file_size - begin}; copy or save it again"
        )
    try:
        check_memory(math.prod(shape), max(dtype, np.dtype(np.float64), key=lambda kind: kind.itemsize), name)
    except ValueError as error:
        raise _Refusal(f"is too large: {error}") from None
    with archive.open(member) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):  # at the end the checksum is compared
            raise _Refusal(f"is damaged: {name} goes on where it should end; copy or save it again")
    return array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """(shape, dtype), as numpy.save writes them."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:  # 3.0 is of structured dtypes alone
        raise _Refusal(f"holds arrays that cannot be read as numbers: they are of .npy version {version}")
    return shape, dtype
