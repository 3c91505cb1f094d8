"""Files of tensors: exact, whole after any crash, and refused with a clear error for any damage."""

import errno
import io
import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fastmlp.storage import container

TENSORS = {
    "weights": np.array([[1.5, -0.0, 5e-324], [np.pi, -1e308, 0.1]]),
    "w32": np.array([1.5, 0.1, -0.0], np.float32),
    "rows": np.array(7),
}
HEADER = {"layers": [2, 3], "rate": 0.1, "name": "a \u00e9 \ud800"}
posix = pytest.mark.skipif(os.name != "posix", reason="permissions, links and signals of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def bits(array):
    return array.dtype.name, array.shape, array.tobytes()


def same(found, expected=TENSORS):
    return {name: bits(array) for name, array in found.items()} == {name: bits(a) for name, a in expected.items()}


def content(path, tensors=TENSORS, header=HEADER):
    container.write(path, tensors, header)
    return path.read_bytes()


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        container.read(path)
    return str(caught.value).replace(str(path), "PATH")


# What is restored


def test_what_was_written_is_read(path):
    container.write(path, TENSORS, HEADER)
    tensors, header = container.read(path)
    assert same(tensors)
    assert header == HEADER
    assert list(tensors) == sorted(TENSORS)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", "q", "l"])
@pytest.mark.parametrize("order", "<>")
def test_every_dtype_in_both_byte_orders(path, dtype, order):
    array = np.array([[0, 1, 1], [1, 0, 1]], np.dtype(dtype).newbyteorder(order))
    container.write(path, {"a": array}, {})
    found = container.read(path)[0]["a"]
    assert found.dtype.isnative
    assert bits(found) == bits(array.astype(dtype))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,  # safetensors.numpy 0.8.0 writes these three wrongly
        np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
        np.arange(12.0)[::2],
        np.arange(12.0)[::-1],
        np.broadcast_to(np.float32(2), (3, 2)),
        np.array(2.5),
        np.empty(0),
        np.empty((0, 3)),
        np.empty((2, 0, 4), np.float32),
        np.array([np.nan, -np.inf, -np.nan, 5e-324]),
    ],
)
def test_every_layout_and_shape(path, array):
    import safetensors.numpy

    container.write(path, {"a": array, "z": np.ones(1, np.int8)}, {})
    found = container.read(path)[0]["a"]
    assert bits(found) == bits(np.array(array, order="C"))
    assert bits(safetensors.numpy.load_file(path)["a"]) == bits(found)


def test_nan_keeps_its_payload(path):
    array = np.array([0x7FF8000000000123, 0xFFF0000000000001], np.uint64).view(np.float64)
    container.write(path, {"a": array}, {})
    assert bits(container.read(path)[0]["a"]) == bits(array)


def test_arrays_are_ones_own(path):
    odd = {"a": np.ones(3, np.int8), "b": np.ones(3, np.float32), "c": np.ones((2, 3)), "d": np.ones(())}
    container.write(path, odd, {})
    for array in container.read(path)[0].values():
        assert array.flags.owndata
        assert array.flags.writeable
        assert array.flags.aligned
        assert array.flags.c_contiguous
        array[...] = 2
    assert same(container.read(path)[0], odd)


def test_floats_of_the_header_come_back_exactly(path):
    random = np.random.default_rng(0).integers(0, 2**64, 2000, np.uint64).view(np.float64)
    values = [*random[np.isfinite(random)].tolist(), 5e-324, -0.0, 0.1, 1 / 3, 1.7976931348623157e308, np.float64(0.1)]
    header = {"floats": values, "large": 2**128 - 1, "true": True, "none": None}
    container.write(path, {}, header)
    found = container.read(path)[1]
    assert np.array(found["floats"]).tobytes() == np.array(values).tobytes()
    assert found == header
    assert found["true"] is True


def test_equal_contents_are_equal_files(path):
    backwards = dict(reversed(TENSORS.items()))
    assert content(path) == content(path, backwards, dict(reversed(HEADER.items())))
    code = f"from fastmlp.storage import container\ntensors, header = container.read({str(path)!r})\n"
    subprocess.run([sys.executable, "-c", f"{code}container.write({str(path)!r}, tensors, header)"], check=True)
    assert path.read_bytes() == content(path)


def test_others_read_it(path):
    """By the library's own functions, and by the code of docs/files.md."""
    from safetensors import safe_open

    container.write(path, TENSORS, HEADER)
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
        assert same({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    assert metadata["format"] == "fastmlp"
    assert metadata["format_version"] == "1"
    assert json.loads(metadata["header"]) == HEADER
    text = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), names)
    tensors, header = names["read"](path)
    assert same(tensors)
    assert header == HEADER


def test_writing_needs_no_library_and_nothing_is_imported_early(path):
    code = f"import sys, fastmlp.storage.container as files\nfiles.write({str(path)!r}, {{}}, {{}})\n"
    code += "assert 'safetensors' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# What cannot be stored


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, [[{"a": np.nan}]]])
def test_a_header_of_numbers_that_json_lacks(path, value):
    with pytest.raises(ValueError, match="header cannot be stored as JSON"):
        container.write(path, {}, {"a": value})
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": np.ones(2)}, "header cannot be stored as JSON: Object of type ndarray"),
        ({"a": np.float32(1)}, "header cannot be stored as JSON: Object of type float32"),
        ({"a": [({1: 2},)]}, "header has the key 1, a int: use text as keys"),
        ([1], "header is a list: give a dict"),
    ],
)
def test_headers_of_other_types(path, header, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        container.write(path, {}, header)


@pytest.mark.parametrize("name", ["", "__metadata__", 'a"', "a\\", "\n", "\u00e9", 3])
def test_names_that_are_refused(path, name):
    with pytest.raises(ValueError, match="tensor name"):
        container.write(path, {name: np.ones(1)}, {})


@pytest.mark.parametrize(
    "array", [np.array([None]), np.array(["a"]), np.ones(2, complex), np.ones(2, "i4,f8"), [1.0], 1.0]
)
def test_tensors_that_are_refused(path, array):
    with pytest.raises(TypeError, match="tensor a is"):
        container.write(path, {"a": array}, {})


def test_a_header_that_safetensors_would_not_read(path, monkeypatch):
    monkeypatch.setattr(container, "_LARGEST", 1000)
    with pytest.raises(ValueError, match="1000 can be stored"):
        container.write(path, {}, {"a": "a" * 1000})


# Damage


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = content(path)
    for size in range(len(whole)):
        message = refused(path, whole[:size])
        assert "empty" in message if size == 0 else "cut short" in message
    refused(path, whole + b"\0")


def is_refused(path):
    try:
        container.read(path)
    except ValueError as error:
        return str(path) in str(error)
    return False


def unnoticed_flips(path, whole):
    """Which flipped bits raise no ValueError that names the file; any other exception goes through."""
    unnoticed = []
    path.write_bytes(whole)
    with open(path, "r+b", buffering=0) as file:  # in place: a new file for each bit takes some systems 20 times longer
        for bit in range(8 * len(whole)):
            place = bit // 8
            for byte in (whole[place] ^ 1 << bit % 8, whole[place]):
                file.seek(place)
                file.write(bytes([byte]))
                if byte != whole[place] and not is_refused(path):
                    unnoticed.append(bit)
    return unnoticed


def test_every_flipped_bit_is_noticed(path):
    assert unnoticed_flips(path, content(path)) == []


def test_without_the_checksum_flips_go_unnoticed(path, monkeypatch):
    whole = content(path)
    monkeypatch.setattr(container, "_check_sum", lambda name, metadata, tensors: None)
    data = 8 * (8 + int.from_bytes(whole[:8], "little"))
    assert set(range(data, 8 * len(whole))) <= set(unnoticed_flips(path, whole))


def rebuilt(whole, change):
    """whole, with its description as `change` leaves it."""
    length = int.from_bytes(whole[:8], "little")
    description = json.loads(whole[8 : 8 + length])
    change(description)
    text = json.dumps(description).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + length :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["__metadata__"].update(format_version="2"),
            "has format version 2, and this fastmlp reads version 1",
        ),
        (lambda d: d["__metadata__"].update(format_version="0"), "its format version is '0'"),
        (lambda d: d["__metadata__"].update(format_version="one"), "its format version is 'one'"),
        (lambda d: d["__metadata__"].pop("format_version"), "its format version is ''"),
        (lambda d: d.update(__metadata__={"format": "fastmlp", "format_version": "12"}), "has format version 12, and"),
        (lambda d: d["__metadata__"].update(note="x"), "its metadata are 'format, format_version, header, note"),
        (lambda d: d["__metadata__"].pop("header"), "its metadata are"),
        (lambda d: d["__metadata__"].update(header="\u00e9"), "its metadata are"),
        (lambda d: d["__metadata__"].update(header="\ud800"), "its metadata are"),
        (lambda d: d["__metadata__"].update(header="{}"), "does not fit its checksum"),
        (lambda d: d["__metadata__"].update(sha256="0" * 64), "does not fit its checksum"),
        (lambda d: d["__metadata__"].update(sha256=0), "its metadata are not text"),
        (
            lambda d: d["__metadata__"].update(format="pt"),
            "its metadata say format='pt', 3 tensors (rows, weights, w32)",
        ),
        (lambda d: d.pop("__metadata__"), "no fastmlp metadata, 3 tensors"),
        (lambda d: d["weights"].update(shape=[6]), "does not fit its checksum"),
        (lambda d: d["weights"].update(dtype="I64"), "does not fit its checksum"),
        (lambda d: d["weights"].update(dtype="BF16"), "is damaged"),
        (lambda d: d["weights"].update(shape=[2, 2**62]), "is damaged"),
        (lambda d: d.update(other=d.pop("weights")), "does not fit its checksum"),
        (lambda d: d.update(deep=eval("[" * 90 + "]" * 90)), "is damaged"),
        *((lambda d, odd=odd: d.update(odd=odd), "is damaged") for odd in (3, {}, "x", None, {"data_offsets": "ab"})),
        *(
            (lambda d, odd=odd: d["weights"].update(data_offsets=odd), "PATH is ")
            for odd in (3, [], [8], [8, 56, 60], [0, -1], [56, 8], [8, 56.0], [8, 2**70], [8, "a"], [0, 48], [9, 57])
        ),
    ],
)
def test_other_descriptions(path, change, message):
    assert message in refused(path, rebuilt(content(path), change))


def sealed(path, tensors, text):
    """A file whose checksum fits, of a header that `write` refuses."""
    whole = content(path, tensors, {})

    def change(description):
        description["__metadata__"].update(header=text, sha256=container._digest(text, tensors))

    return rebuilt(whole, change)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":NaN}', "[" * 100_000, "1" * 10_000, '{"a":' * 50_000])
def test_headers_that_fit_their_checksum_and_are_none(path, text):
    message = refused(path, sealed(path, {}, text))
    assert "its header is not" in message
    assert "JSON" in message


def test_bytes_that_are_no_bool(path):
    whole = content(path, {"a": np.array([True])}, {})
    assert "neither False nor True" in refused(path, whole[:-1] + b"\2")


@pytest.mark.parametrize(
    "description",
    [
        b"{" + b"[" * 200_000,
        b'{"a":' * 100_000,
        b"{\xff}",
        b"{}",
        b'{"__metadata__":3}',
        b'{"__metadata__":{"format":3}}',
        b'{"a":' + b"1" * 10_000 + b"}",
        "{}".encode("utf-16"),
    ],
)
def test_hostile_descriptions(path, description):
    refused(path, len(description).to_bytes(8, "little") + description)


@pytest.mark.parametrize("length", [0, 1, 99_999_999, 100_000_001, 2**40, 2**63, 2**64 - 1])
def test_a_hostile_length_takes_no_memory(path, length):
    import tracemalloc

    tracemalloc.start()
    try:
        refused(path, length.to_bytes(8, "little") + b"{}" + b" " * 1000)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def saved_by(function, *arguments):
    file = io.BytesIO()
    function(file, *arguments)
    return file.getvalue()


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x" * 100)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((pickle.dumps({"a": np.ones(3)}, protocol), "a Python pickle") for protocol in range(2, 6)),
        (saved_by(lambda file: np.savez(file, a=np.ones(3))), "as numpy.savez writes them"),
        (saved_by(np.save, np.ones(3)), "a NumPy array"),
        (zipped("archive/data.pkl", "archive/data/0"), "as torch.save writes them"),
        (zipped("metadata.json", "config.json", "model.weights.h5"), "as Keras writes them"),
        (zipped("letter.txt"), "a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
        (b"\x1f\x8b\x08\x00" + bytes(100), "a gzip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'{"layers": [2, 3]}', "a text"),
        (b"layers = 2, 3\n" * 9, "no safetensors file"),
        (bytes(1000), "no safetensors file"),
        (b"\xff" * 1000, "no safetensors file"),
    ],
)
def test_files_of_other_kinds(path, content, message):
    assert message in refused(path, content)


def test_files_of_other_kinds_are_not_read_whole(path):
    path.write_bytes(b"PK\x03\x04" + bytes(10_000))
    os.truncate(path, 2**36)  # a hole
    with pytest.raises(ValueError, match="a zip archive"):
        container.read(path)


def test_a_description_larger_than_any_is_not_read(path):
    path.write_bytes((200_000_000).to_bytes(8, "little") + b"{")
    os.truncate(path, 2**36)
    with pytest.raises(ValueError, match="no safetensors file, or one whose beginning is damaged"):
        container.read(path)


def test_safetensors_of_others(path):
    import safetensors.numpy

    safetensors.numpy.save_file({"a": np.ones(3)}, path)
    assert "no fastmlp metadata, 1 tensors (a)" in refused(path, path.read_bytes())


def test_the_system_s_errors_stay_its_own(path, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        container.read(path)
    assert caught.value.filename == str(path)
    with pytest.raises(IsADirectoryError) as caught:
        container.read(tmp_path)
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(TypeError):
        container.read(0)


@posix
def test_a_pipe_is_refused_and_not_waited_for(path):
    os.mkfifo(path)
    for work in (lambda: container.read(path), lambda: container.write(path, {}, {})):
        with pytest.raises(ValueError, match="a device or a pipe"):
            work()
    with pytest.raises(ValueError, match="a device or a pipe"):
        container.write("/dev/null", {}, {})


@posix
def test_a_file_that_may_not_be_read(path, monkeypatch):
    container.write(path, {}, {})
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser reads it")
    with pytest.raises(PermissionError) as caught:
        container.read(path)
    assert caught.value.filename == str(path)


# Where it is written


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_open(path, mask):
    before = os.umask(mask)
    try:
        container.write(path, {}, {})
        with open(path.with_name("other"), "wb"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(path.with_name("other").stat().st_mode) == 0o666 & ~mask


@posix
@pytest.mark.parametrize("mode", [0o600, 0o666, 0o640, 0o755])
def test_a_file_keeps_its_permissions(path, mode, monkeypatch):
    container.write(path, {}, {})
    path.chmod(mode)
    synchronise, modes = os.fsync, []

    def look(descriptor):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    container.write(path, TENSORS, {})
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert modes[0] & ~mode == 0, "nobody may read the new file before it is in its place who might not read the old"
    assert same(container.read(path)[0])


@posix
def test_a_read_only_file_is_not_replaced(path, monkeypatch):
    old = content(path)
    path.chmod(0o400)
    monkeypatch.setattr(os, "access", lambda place, what: False)  # as for who is not the superuser
    with pytest.raises(PermissionError, match="read-only"):
        container.write(path, {}, {})
    assert path.read_bytes() == old


@posix
def test_the_target_of_a_link_is_replaced(path, tmp_path):
    (tmp_path / "deep").mkdir()
    target = tmp_path / "deep" / "target"
    path.symlink_to(Path("deep", "target"))
    for tensors in ({}, TENSORS):  # once where nothing is yet
        container.write(path, tensors, {})
        assert path.is_symlink()
        assert not target.is_symlink()
        assert same(container.read(target)[0], tensors)
        assert os.listdir(tmp_path / "deep") == ["target"]
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(OSError, match="leads to itself"):
        container.write(loop, {}, {})
    assert loop.is_symlink()


def test_every_way_to_name_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = "m" * 255
    for name in ("model", b"bytes", Path("path"), "a b \u00e9.x", "../" + tmp_path.name + "/up", long):
        container.write(name, TENSORS, {})
        assert same(container.read(name)[0])
    assert len(os.listdir()) == 6
    with pytest.raises(TypeError):
        container.write(3, {}, {})


def test_places_that_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder, make it first") as caught:
        container.write(tmp_path / "none" / "model", {}, {})
    assert caught.value.filename == str(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match="this is a folder, give the name of a file"):
        container.write(tmp_path, {}, {})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="there is no such folder"):
        container.write(tmp_path / "file" / "model", {}, {})


# Crashes


class Full(io.FileIO):
    """A file on a full disk."""

    def write(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


FAULTS = {
    "no space": lambda patch: patch.setattr(
        "builtins.open", lambda name, mode, opener: Full(opener(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w")
    ),
    "fsync": lambda patch: patch.setattr(os, "fsync", raising(OSError(errno.EIO, "input/output error"))),
    "replace": lambda patch: patch.setattr(os, "replace", raising(PermissionError(errno.EACCES, "in use"))),
    "interrupt": lambda patch: patch.setattr(os, "fsync", raising(KeyboardInterrupt())),
    "interrupt late": lambda patch: patch.setattr(os, "replace", raising(KeyboardInterrupt())),
    "memory": lambda patch: patch.setattr(os, "fsync", raising(MemoryError())),
}


def raising(error):
    def function(*arguments, **named):
        raise error

    return function


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("there", [True, False])
def test_a_fault_leaves_what_was_there(path, fault, there):
    old = content(path) if there else None
    with pytest.MonkeyPatch.context() as patch:
        FAULTS[fault](patch)
        with pytest.raises((OSError, KeyboardInterrupt, MemoryError)) as caught:
            container.write(path, {"a": np.ones(100_000)}, {})
    if isinstance(caught.value, OSError):
        assert "not saved: " in str(caught.value)
        assert "what was there is unchanged" in str(caught.value)
        assert caught.value.filename == str(path)
    assert [name.read_bytes() for name in path.parent.iterdir()] == ([old] if there else [])


@posix
def test_a_disk_without_space(path):
    """The system's own refusal: a limit on the size of files."""
    old = content(path)
    code = f"""if True:
        import resource, signal
        import numpy as np
        from fastmlp.storage import container
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            container.write({str(path)!r}, {{"a": np.ones(100_000)}}, {{}})
        except OSError as error:
            print(error)
    """
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "not saved: File too large; what was there is unchanged" in ended.stdout
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == [path.name]


def test_the_file_is_on_the_disk_before_it_is_in_its_place_and_its_folder_after(path, monkeypatch):
    steps = []
    synchronise, replace = os.fsync, os.replace

    def fsync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if folder else f"file of {os.fstat(descriptor).st_size}")
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append("replace"), replace(old, new)))
    size = len(content(path))
    assert steps[:2] == [f"file of {size}", "replace"]
    assert os.name == "nt" or steps[2:] == ["folder"]


def test_a_folder_that_cannot_be_synchronised_is_no_error(path, monkeypatch):
    synchronise = os.fsync

    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    container.write(path, TENSORS, HEADER)
    assert same(container.read(path)[0])


def numbered(number):
    return {"a": np.full(20_000, number), "b": np.full((100, 100), number, np.float32)}, {"number": number}


def number_of(path):
    """Which of the numbered files this is, whole."""
    tensors, header = container.read(path)
    assert same(tensors, numbered(header["number"])[0])
    return header["number"]


SAVES = """if True:
    import itertools, sys
    import numpy as np
    from fastmlp.storage import container
    for number in itertools.count(1):
        tensors = {"a": np.full(20_000, number), "b": np.full((100, 100), number, np.float32)}
        container.write(sys.argv[1], tensors, {"number": number})
        if number == 1:
            print(flush=True)
"""


@posix
def test_a_killed_writer_leaves_a_whole_file(path):
    numbers = []
    for attempt in range(8):
        with subprocess.Popen([sys.executable, "-c", SAVES, path], stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            time.sleep(0.05 + 0.0137 * attempt)
            child.send_signal(signal.SIGKILL)
        numbers.append(number_of(path))
        others = [place for place in path.parent.iterdir() if place != path]
        assert len(others) <= 1
        for place in others:
            assert place.name.startswith(".fastmlp-")
            place.unlink()
    assert max(numbers) > 1


def test_writers_at_the_same_time_leave_one_whole_file(path):
    container.write(path, *numbered(0))

    def work(number):
        for _ in range(20):
            container.write(path, *numbered(number))
            assert 0 <= number_of(path) <= 4

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 5)))
    assert 1 <= number_of(path) <= 4
    assert os.listdir(path.parent) == [path.name]


def test_tensors_are_copied_before_they_are_hashed(path, monkeypatch):
    array = np.ones(1000)
    digest = container._digest

    def meanwhile(text, tensors):
        result = digest(text, tensors)
        array[:] = 2  # another thread's training
        return result

    monkeypatch.setattr(container, "_digest", meanwhile)
    container.write(path, {"a": array}, {})
    monkeypatch.undo()
    assert same(container.read(path)[0], {"a": np.ones(1000)})
