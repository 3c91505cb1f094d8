"""Arrays out of an .npz: what is read, and that whatever is wrong with one is a ValueError that names it."""

import io
import re
import struct
import sys
import zipfile

import mutants
import numpy as np
import pytest

from fastmlp.checks import arrays
from fastmlp.tables import npz

ARRAYS = {"X": np.arange(60.0).reshape(20, 3), "y": np.arange(20) % 2, "text": np.array(["a", "b"])}
METHODS = {"stored": zipfile.ZIP_STORED, "deflated": 8, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.npz"


def npy(array):
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def headed(text, data=b"", version=1):
    """An array's file with this text as its header."""
    text = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + data


def refused(path, wanted=("X", "y")):
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} ") as caught:
        npz.read(path, wanted)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_arrays_are_read_by_every_method(path, method):
    zipped(path, {f"{name}.npy": npy(array) for name, array in ARRAYS.items()}, METHODS[method])
    found, names = npz.read(path, {"X", "y", "text", "nothing"})
    assert names == list(ARRAYS)
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in ARRAYS.items()
    }


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(ARRAYS["X"]), ARRAYS["X"].astype(">f4"), np.zeros((0, 3)), np.array(1.5), np.zeros((2, 0, 3)),
        np.array([True, False]), np.arange(2**16, dtype=np.uint64), np.array([1 + 2j]),
    ],
)  # fmt: skip
def test_what_numpy_writes_is_read(path, save, array):
    save(path, X=array)
    found = npz.read(path, ["X"])[0]["X"]
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


@pytest.mark.parametrize("method", METHODS)
def test_every_flipped_byte_is_refused_or_makes_no_difference(path, method):
    """At each place of the file: fields of the zip, of the arrays' headers, and numbers."""
    members = {f"{name}.npy": npy(ARRAYS[name]) for name in ("X", "y")}
    whole = bytearray(zipped(path, members, METHODS[method]).read_bytes())
    counts = {"refused": 0, "same": 0, "lacks": 0}
    for place in range(0, len(whole), 1 if method == "deflated" else 7):
        damaged = whole.copy()
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            found, _ = npz.read(path, {"X", "y"})
        except ValueError:
            counts["refused"] += 1
        else:
            for name, array in found.items():
                assert array.tobytes() == ARRAYS[name].tobytes(), f"byte {place}"
            counts["same" if len(found) == 2 else "lacks"] += 1
    assert counts["refused"] > counts["same"] + counts["lacks"], counts  # many fields of a zip are never looked at


def test_every_length_is_refused(path):
    whole = zipped(path, {f"{name}.npy": npy(ARRAYS[name]) for name in ("X", "y")}).read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        refused(path)


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (8, struct.pack("<H", 1), "is encrypted: save it without a password"),
        (10, struct.pack("<H", 9), r"is packed in a way that is not read here \(That compression method"),  # deflate64
        (10, struct.pack("<H", 93), "is packed in a way that is not read here"),  # Zstandard, of later Pythons
        (6, struct.pack("<H", 255), "is packed in a way that is not read here .zip file version 25.5"),
        (16, b"\0\0\0\0", "is damaged: BadZipFile: Bad CRC-32"),
        (42, struct.pack("<I", 7), "is damaged: BadZipFile"),
        (
            24,
            struct.pack("<I", 10**9),
            r"is damaged: X has shape \(20, 3\), which takes 480 bytes, and there are 99999",
        ),
    ],
)
def test_fields_of_the_directory(path, offset, value, words):
    if value == struct.pack("<H", 93) and sys.version_info >= (3, 14):
        pytest.skip("this Python reads Zstandard")
    whole = bytearray(zipped(path, {"X.npy": npy(ARRAYS["X"])}, zipfile.ZIP_STORED).read_bytes())
    entry = whole.index(b"PK\x01\x02")
    whole[entry + offset : entry + offset + len(value)] = value
    path.write_bytes(whole)
    assert re.search(words, refused(path, ["X"]))


@pytest.mark.parametrize("shape", ["(20, 2)", "(19, 3)", "(20, 4)", "(0, 3)", "(-20, 3)", "(-20, -3)", "(60, True)"])
def test_shapes_that_do_not_fit_what_is_there(path, shape):
    """One that announces less would come to an end before the checksum is compared."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    zipped(path, {"X.npy": headed(header, ARRAYS["X"].tobytes())})
    assert "is damaged" in refused(path, ["X"])


@pytest.mark.parametrize(
    "shape", ["(10**5, 10**5)", "(4611686018427387904, 4)", "(99999999999, 3)", "(9223372036854775808,)"]
)
def test_shapes_that_take_all_memory(path, shape):
    """Nothing is as large as a header says before so much is there: neither memory nor time goes into it."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape.replace('10**5', '100000')}, }}"
    zipped(path, {"X.npy": headed(header, b"\0" * 80)})
    assert "is damaged: X has shape" in refused(path, ["X"])


def test_an_array_larger_than_the_memory(path, monkeypatch):
    """Packed 1000 to 1: a file of 100 kB may hold what no machine does."""
    np.savez_compressed(path, X=np.zeros((2000, 1000)))
    assert path.stat().st_size < 30_000
    monkeypatch.setattr(arrays, "_LARGE", 2**20)
    monkeypatch.setattr(arrays, "_memory", lambda: 1e7)
    assert "is too large: X takes 0.016 GB as float64, and this machine has 0.01 GB" in refused(path, ["X"])
    monkeypatch.setattr(arrays, "_memory", lambda: 1e8)
    assert npz.read(path, ["X"])[0]["X"].shape == (2000, 1000)


def test_memory_that_ends(path, monkeypatch):
    np.savez(path, X=ARRAYS["X"])

    def read_array(*_, **__):
        raise MemoryError

    monkeypatch.setattr(np.lib.format, "read_array", read_array)
    assert "for which there is no memory" in refused(path, ["X"])


@pytest.mark.parametrize("description", mutants.DESCRIPTIONS)
def test_descriptions_of_dtypes(path, description):
    """NumPy parses them: of one it makes a SyntaxError. None but numbers are read, and nothing is unpickled."""
    header = f"{{'descr': {description}, 'fortran_order': False, 'shape': (2,), }}"
    zipped(path, {"X.npy": headed(header, b"\0" * 16)})
    try:
        found = npz.read(path, ["X"])[0]["X"]
    except ValueError:
        refused(path, ["X"])
    else:
        assert found.dtype.kind in "biufUScmM"
        assert found.nbytes == 16


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "1", "{'descr': '<f8'}", "(" * 5000, "{" * 90 + "}" * 90, "'\\x'", "\0", "1" * 9000]
)
def test_headers_that_are_none(path, header):
    zipped(path, {"X.npy": headed(header)})
    assert "is damaged" in refused(path, ["X"])


@pytest.mark.parametrize("version", [0, 3, 9, 255])
def test_versions_that_are_not_read(path, version):
    zipped(path, {"X.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': (0,), }", b"", version)})
    assert "cannot be read as numbers" in refused(path, ["X"])


@pytest.mark.parametrize(
    "content", [b"", b"X", b"PK", b"PK\x03\x04", b"hello", b"PK\x05\x06" + b"\0" * 17, b"\x1f\x8b" * 99]
)
def test_what_is_no_archive(path, content):
    path.write_bytes(content)
    assert "is not an .npz file that NumPy can read" in refused(path)


def test_a_member_that_is_no_array(path):
    zipped(path, {"X": b"1,2,3"})
    assert "is damaged" in refused(path, ["X"])


def test_what_is_not_wanted_is_not_read(path):
    zipped(path, {"X.npy": npy(ARRAYS["X"]), "notes": b"?", "objects.npy": npy(np.array([None]))})
    assert list(npz.read(path, ["X"])[0]) == ["X"]


def test_errors_of_the_system_stay(tmp_path):
    with pytest.raises(FileNotFoundError):
        npz.read(tmp_path / "none.npz", ["X"])
    with pytest.raises(OSError, match=r"directory|Permission"):
        npz.read(tmp_path, ["X"])


def test_a_long_header_is_read(path):
    """Version 2, whose length of the header has four bytes."""
    data = np.arange(3.0)
    zipped(path, {"X.npy": headed("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", data.tobytes(), 2)})
    assert npz.read(path, ["X"])[0]["X"].tolist() == data.tolist()
