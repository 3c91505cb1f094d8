"""Arrays of numbers from an .npz file: read whole and checked, or refused with an error that helps.

numpy.load opens such a file, too. But for a damaged file it raises a dozen kinds of exceptions, among them those of
zipfile, zlib, lzma, tokenize and ast. It allocates memory for whatever size an array's header states. And if a damaged
header states less than is there, it does not reach the checksum.
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

_NUMBERS = "biufUScmM"  # and those that `arrays.numeric_array` refuses; objects and structures are not read
_ENCRYPTED = 0x1  # in a member's flags


def read(path: Path, wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads arrays.

    Parameters
    ----------
    path : Path
        The file.
    wanted : iterable of str
        The names to read.

    Returns
    -------
    arrays : dict of str to ndarray
        The wanted arrays that are there.
    names : list of str
        The names of all arrays in the file.

    Raises
    ------
    ValueError
        If it is not an .npz, is damaged, or has Python objects in a wanted array. The error names the path.
    OSError
        If the system does not give the file.
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
                warnings.simplefilter("ignore")  # Python's parser may warn of a header
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
    """What is wrong with a file, to be put after its path."""


def _members(file: IO[bytes], wanted: Iterable[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """The wanted arrays, and all names."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise _Refusal(f"is not an .npz file that NumPy can read ({error}): copy or save it again") from None
    with archive:
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        found = {name: _array(archive, members[name], name) for name in wanted if name in members}
    return found, list(members)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> np.ndarray:
    """One array, checked."""
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
        if stream.read(1):  # reading to the end compares the checksum
            raise _Refusal(f"is damaged: {name} has more data than its header states; copy or save it again")
    return array


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and dtype in an array's header."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:  # 3.0 is for structured dtypes only
        raise _Refusal(f"holds arrays that cannot be read as numbers: they are of .npy version {version}")
    return shape, dtype
