"""A file of named arrays and one JSON header: a safetensors file with a checksum over every bit.

docs/files.md describes the format. This module knows nothing of models. A file is whole or is not used: it is written
under another name and then renamed. Whatever is wrong with a file that is read is a ValueError that names it. The
system's errors stay OSErrors.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from typing import Any, NoReturn

import numpy as np

from fastmlp.checks.messages import cut, shown
from fastmlp.storage import whole_files

FORMAT = "fastmlp"
FORMAT_VERSION = 1

_DTYPES = {
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (8, 4, 2)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (8, 4, 2, 1)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (8, 4, 2, 1)},
    "BOOL": np.dtype(bool),
}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_LENGTH = 8  # bytes of the header's length
_LARGEST = 100_000_000  # bytes of header that safetensors reads


def write(path: str | os.PathLike, tensors: dict[str, np.ndarray], header: dict[str, Any], sync: bool = True) -> None:
    """Writes tensors and a header to a file. A reader finds the old file or the new one.

    Also after a crash or a power cut: it is written under another name, synced, and renamed, and the folder is synced.

    Equal contents give equal bytes. The tensors are copied first, so that another thread may go on changing them. An
    existing file keeps its permissions; a symbolic link's target is replaced.

    Parameters
    ----------
    path : path
        The file's name.
    tensors : dict of str to ndarray
        Floats, integers or bools, of any shape, memory order and byte order. Names are printable ASCII without quotes
        and backslashes.
    header : dict
        What JSON can hold, with text as keys. Floats are restored exactly; tuples become lists.
    sync : bool, default=True
        Whether the file is to survive a power cut, too, which takes some 10 ms. If not, it survives the process, and
        the checksum tells whether the power cut has damaged it.

    Raises
    ------
    TypeError, ValueError
        If something cannot be stored, for example NaN in the header.
    OSError
        If the system refuses. In each case the old file is unchanged, and no other file is left.
    """
    whole_files.write(path, _packed(tensors, header), sync)


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a file that `write` wrote.

    Parameters
    ----------
    path : path
        The file's name.

    Returns
    -------
    tensors : dict of str to ndarray
        New arrays, C-contiguous and writable, in the order of their names.
    header : dict

    Raises
    ------
    ValueError
        If any bit of the file is damaged, or it is cut short, of another kind, or of a later version. The error names
        the path.
    OSError
        If the system does not give the file.
    """
    name = name_to_read(path)
    with open(name, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # The checks that need only the beginning come first: a file of another kind may be large.
        start = file.read(min(size, 512))
        end = _end_of_description(name, start, size)
        start += file.read(max(0, end - len(start)))
        if len(start) < end:
            _refuse_short(name, len(start), end)
        description = _description(name, start[_LENGTH:end])
        metadata = _metadata(name, description)
        _check_size(name, description, end, size)
        content = start + file.read(max(0, size - len(start)))
    tensors = _tensors(name, content)
    _check_sum(name, metadata, tensors)
    return tensors, _header(name, metadata["header"])


def name_to_read(path: str | os.PathLike) -> str:
    """Returns a file's name as text. Raises OSError where there is none, ValueError where it is a device or a pipe."""
    name = os.fsdecode(path)
    kind = os.stat(name).st_mode
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(kind):
        raise ValueError(f"{name} is a device or a pipe, not a file: copy its content to a file first")
    return name


# ---------------------------------------------------------------------------------------------------------
# Writing


def _packed(tensors: dict[str, np.ndarray], header: dict[str, Any]) -> list[Any]:
    """The file's bytes in parts: the description's length, the description, and each tensor's bytes.

    safetensors' own functions are not used: they write metadata in an order that changes from run to run, and version
    0.8.0 writes arrays that are not C-contiguous wrongly (safetensors issues 584, 825).
    """
    copies = {name: _copied(name, tensors[name]) for name in tensors}
    text = _header_text(header)
    description: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "header": text,
            "sha256": _digest(text, copies),
        }
    }
    parts: list[Any] = []
    offset = 0
    for name in sorted(
        copies, key=lambda name: (-copies[name].itemsize, name)
    ):  # the widest first, so that each is aligned
        array = copies[name]
        offsets = [offset, offset + array.nbytes]
        description[name] = {"dtype": _CODES[array.dtype], "shape": list(array.shape), "data_offsets": offsets}
        parts.append(_bytes_of(array))
        offset += array.nbytes
    packed = json.dumps(description, separators=(",", ":")).encode()
    packed += b" " * (-len(packed) % _LENGTH)
    if len(packed) > _LARGEST:
        raise ValueError(
            f"header and names take {len(packed)} bytes, and {_LARGEST} can be stored: store arrays as tensors"
        )
    return [len(packed).to_bytes(_LENGTH, "little"), packed, *parts]


def _copied(name: Any, array: Any) -> np.ndarray:
    """A little-endian, C-contiguous copy of a tensor.

    Its name must need no escapes in JSON, which would give it two spellings.
    """
    if not isinstance(name, str) or not name.isascii() or not name.isprintable() or set(name) & set('"\\'):
        raise ValueError(f"tensor name {name!r} cannot be stored: use printable ASCII without quotes and backslashes")
    if name in ("", "__metadata__"):
        raise ValueError(f"tensor name {name!r} is taken by the format: use another")
    if not isinstance(array, np.ndarray):
        raise TypeError(f"tensor {name} is a {type(array).__name__}, not a NumPy array")
    little = array.dtype.newbyteorder("<")
    if little not in _CODES:
        raise TypeError(f"tensor {name} is of dtype {array.dtype}: give floats of at most 64 bits, integers or bool")
    return np.array(array, little, order="C", copy=True, subok=False)


def _header_text(header: dict[str, Any]) -> str:
    """The header as JSON, in one way of writing."""
    if not isinstance(header, dict):
        raise TypeError(f"header is a {type(header).__name__}: give a dict")
    _check_keys(header)
    try:
        # ASCII, so that every text is restored, even half of a surrogate pair
        return json.dumps(header, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"header cannot be stored as JSON: {error}") from None


def _check_keys(value: Any) -> None:
    """Raises TypeError for keys that are not text, which JSON would turn into text."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"header has the key {key!r}, a {type(key).__name__}: use text as keys")
            _check_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_keys(item)


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    """SHA-256 of the header's text and a newline, then of each tensor's line and bytes, in the order of the names.

    The line is [name, dtype, shape] as JSON, and a newline.
    """
    digest = hashlib.sha256(f"{text}\n".encode())
    for name, array in sorted(tensors.items()):
        little = array.dtype.newbyteorder("<")
        line = json.dumps([name, _CODES[little], list(array.shape)], separators=(",", ":"))
        digest.update(f"{line}\n".encode())
        digest.update(_bytes_of(array.astype(little, copy=False)))
    return digest.hexdigest()


def _bytes_of(array: np.ndarray) -> memoryview:
    """An array's bytes."""
    return array.reshape(-1).view(np.uint8).data


# ---------------------------------------------------------------------------------------------------------
# Reading


def _end_of_description(name: str, start: bytes, size: int) -> int:
    """The offset at which the tensors' bytes begin. Raises ValueError unless the file begins as safetensors do."""
    if size == 0:
        raise ValueError(f"{name} is empty: the program that wrote it, or a copy of it, did not finish")
    length = int.from_bytes(start[:_LENGTH], "little")
    # This check comes before `look_of`: the first bytes of a pickle can also be a length.
    if len(start) > _LENGTH and (length > _LARGEST or start[_LENGTH] != ord("{")):
        look = look_of(start) or "no safetensors file, or one whose beginning is damaged"
        raise ValueError(f"{name} is {look}: give a file that fastmlp saved")
    if size <= _LENGTH or size < _LENGTH + length:
        _refuse_short(name, size, _LENGTH + (length if size >= _LENGTH else 1))
    return _LENGTH + length


_KINDS = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GGUF", "a GGUF file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"PAR1", "a Parquet file"),
    *((mark, "text in UTF-16, which spreadsheets call Unicode text") for mark in (b"\xff\xfe", b"\xfe\xff")),
    (b"version https://git-lfs", "a pointer of Git LFS, whose file `git lfs pull` gets"),
    (b"<", "a web page or XML"),
    (b"{", "a text, JSON perhaps"),
    *(
        (bytes((0x80, protocol)), "a Python pickle, as pickle, joblib and old versions of torch write them")
        for protocol in range(2, 6)
    ),
)


def look_of(start: bytes) -> str | None:
    """Says in words what kind of file it is, by its first bytes; None if they are not known."""
    kind = next((words for magic, words in _KINDS if start.startswith(magic)), None)
    if kind == "a zip archive":
        if b"data.pkl" in start:
            return "a zip archive, as torch.save writes them"
        if b".npy" in start:
            return "a zip archive, as numpy.savez writes them (.npz)"
        if b"metadata.json" in start or b"config.json" in start:
            return "a zip archive, as Keras writes them (.keras)"
        if b"[Content_Types].xml" in start:
            return "a zip archive, as spreadsheets are (.xlsx)"
    return kind


def _refuse_short(name: str, size: int, least: int) -> NoReturn:
    """Raises ValueError for a file that is cut short."""
    raise ValueError(f"{name} is cut short: it has {size} bytes of at least {least}; copy or save it again")


def _refuse_damaged(name: str, what: object) -> NoReturn:
    """Raises ValueError for a file that is damaged."""
    raise ValueError(f"{name} is damaged: {cut(str(what), 200)}; copy or save it again") from None


def _description(name: str, text: bytes) -> dict[str, Any]:
    """The description, parsed."""
    try:
        description = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        _refuse_damaged(name, f"its description is not JSON ({error})")
    if not isinstance(description, dict):
        _refuse_damaged(name, "its description is not a JSON object")
    return description


def _metadata(name: str, description: dict[str, Any]) -> dict[str, str]:
    """The checked metadata of the description."""
    metadata = description.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        _refuse_damaged(name, "its metadata are not text")
    if metadata.get("format") != FORMAT:
        names = [f"{key:.40}" for key in description if key != "__metadata__"]
        some = f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
        of_another = f"its metadata say format={shown(metadata.get('format'), 20)}"
        said = of_another if "format" in metadata else "no fastmlp metadata"
        raise ValueError(
            f"{name} is a safetensors file that fastmlp did not write, or is damaged: {said}, {len(names)} tensors"
            f"{some}: give a file that fastmlp saved"
        )
    version = metadata.get("format_version", "")
    if version.isascii() and version.isdigit() and len(version) < 10 and int(version) > FORMAT_VERSION:
        raise ValueError(
            f"{name} has format version {version}, and this fastmlp reads version {FORMAT_VERSION}: update fastmlp"
        )
    if version != str(FORMAT_VERSION):
        _refuse_damaged(name, f"its format version is {version!r:.20}")
    if set(metadata) != {"format", "format_version", "header", "sha256"} or not metadata["header"].isascii():
        _refuse_damaged(name, f"its metadata are {', '.join(sorted(metadata))!r:.200}")
    return metadata


def _check_size(name: str, description: dict[str, Any], start: int, size: int) -> None:
    """Detects a file that is cut short before it is read. safetensors refuses everything else that is odd here."""
    try:
        end = max((entry["data_offsets"][1] for key, entry in description.items() if key != "__metadata__"), default=0)
        short = size < start + end
    except (TypeError, LookupError):
        return
    if short:
        _refuse_short(name, size, start + end)


def _tensors(name: str, content: bytes) -> dict[str, np.ndarray]:
    """The tensors by name. safetensors checks that offsets, shapes and dtypes fit each other and the file."""
    import safetensors

    try:
        entries = dict(safetensors.deserialize(content))
    except safetensors.SafetensorError as error:
        _refuse_damaged(name, error)
    tensors = {}
    for key in sorted(entries):
        entry = entries.pop(key)  # frees its bytes as soon as they are copied
        dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            _refuse_damaged(name, f"its tensor {cut(key)} is of dtype {entry['dtype']}")
        try:
            array = np.empty(entry["shape"], dtype.newbyteorder("="))
        except (ValueError, OverflowError) as error:
            _refuse_damaged(name, f"its tensor {cut(key)} has shape {shown(entry['shape'])} ({error})")
        if array.size:
            array[...] = np.frombuffer(entry["data"], dtype).reshape(array.shape)
        if dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
            _refuse_damaged(name, f"its tensor {cut(key)} has bytes that are neither False nor True")
        tensors[key] = array
    return tensors


def _check_sum(name: str, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> None:
    """Raises ValueError if the content does not have the checksum."""
    if _digest(metadata["header"], tensors) != metadata["sha256"]:
        _refuse_damaged(name, "its content does not fit its checksum")


def _header(name: str, text: str) -> dict[str, Any]:
    """The header, parsed."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        header = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        _refuse_damaged(name, f"its header is not JSON ({error})")
    if not isinstance(header, dict):
        _refuse_damaged(name, "its header is not a JSON object")
    return header
