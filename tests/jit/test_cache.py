"""The cache of compiled kernels, and linking: whole, current, for this processor, or not used at all."""

import ast
import errno
import functools
import importlib.metadata
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.jit import cache, compilation, machine_code
from fastmlp.jit.machine_code import Code
from fastmlp.kernels import registry

PACKAGE = Path(fastmlp.__file__).parent
PLACES = ("FASTMLP_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA")
DAY = 86400
SMALL = "layout.scatter"  # the kernel that compiles fastest


def code(symbol="f", externals=(), content=b"\x7fELF content\nof an object\n\0"):
    return Code(symbol, tuple(externals), content)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, the only one."""
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@functools.cache
def compiled():
    """The object code of the kernel SMALL, made once."""
    import importlib

    importlib.import_module("fastmlp.kernels.layout")
    kernel = registry.PAIRS[SMALL]
    return compilation.compile_function(kernel.function, kernel.signature("float64"))


def scatters(address):
    """Whether the code at `address` does what the kernel does."""
    import ctypes

    tile, x = np.arange(32.0), np.zeros((3, 2))
    kinds = [ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p, ctypes.c_int64]
    machine_code.Function(address, kinds)(tile.ctypes.data, 16, 3, 2, x.ctypes.data, 0)
    return x.tolist() == [[0, 16], [1, 17], [2, 18]]


def environment(**changes):
    """This process's environment, with the package under test to be found, and only these places for the cache."""
    kept = {name: value for name, value in os.environ.items() if name not in PLACES}
    return {**kept, "PYTHONPATH": str(PACKAGE.parent), **{name: str(value) for name, value in changes.items()}}


def run(script, *arguments, check=True, **changes):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env=environment(**changes),
    )  # fmt: skip
    if check:
        assert done.returncode == 0, done.stderr
    return done


def all_code(folder, monkeypatch):
    """The code in each file of a folder, every one of which must be whole."""
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(folder))
    found = [cache.read(*path.name.split("-")[:2]) for path in folder.iterdir()]
    assert all(found)
    return found


# One kernel, by the way that models take: prints its result and whether Numba was needed.
ONE_KERNEL = """
import sys
import numpy as np
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int
tile, x = np.arange(32.0), np.zeros((3, 2))
run = registry.function("layout.scatter", "float64", (Floats, Int, Int, Int, Floats, Int))
run(tile.ctypes.data, 16, 3, 2, x.ctypes.data, 0)
print(x.ravel().tolist(), "numba" in sys.modules)
"""
RIGHT = "[0.0, 16.0, 1.0, 17.0, 2.0, 18.0]"


# ---------------------------------------------------------------------------------------------------------
# Hit and miss


def test_what_is_written_is_read(folder):
    assert cache.read("a.b", "float64") is None
    kept = code("a name", ("fma", "memcpy"), bytes(range(256)) * 3)
    cache.write("a.b", "float64", kept)
    assert cache.read("a.b", "float64") == kept
    assert cache.read("a.b", "float32") is None
    assert cache.read("a.bc", "float64") is None
    assert [path.suffix for path in folder.iterdir()] == [".kernel"]
    newer = code("another")
    cache.write("a.b", "float64", newer)
    assert cache.read("a.b", "float64") == newer
    assert len(list(folder.iterdir())) == 1


def test_code_without_externals_or_content(folder):
    for kept in (code(), code(content=b""), code(content=b"\n\n\n")):
        cache.write("a.b", "float64", kept)
        assert cache.read("a.b", "float64") == kept


def test_cold_then_warm_through_the_command_line(tmp_path, monkeypatch):
    """A process that finds all kernels in the cache never imports Numba."""
    script = """
    import sys
    from fastmlp.cli import main
    status = main(["demo", "xor"])
    print("numba" in sys.modules, status, file=sys.stderr)
    """
    place = tmp_path / "not yet" / "there"
    before = time.perf_counter()
    cold = run(script, FASTMLP_CACHE_DIR=place)
    between = time.perf_counter()
    warm = run(script, FASTMLP_CACHE_DIR=place)
    after = time.perf_counter()
    print(f"cold {between - before:.2f} s, warm {after - between:.2f} s")
    assert "Final accuracy: 1.0" in cold.stdout
    assert warm.stdout == cold.stdout
    assert cold.stderr.split()[-2:] == ["True", "0"]
    assert warm.stderr.split()[-2:] == ["False", "0"]
    files = list(place.iterdir())
    assert len(files) > 3
    assert all(set(found.externals) <= machine_code.EXTERNALS for found in all_code(place, monkeypatch))
    # a folder in which one file is missing: that file is made again, and nothing else
    times = {path: path.stat().st_mtime_ns for path in files}
    lost = next(path for path in files if path.name.startswith("layout.gather"))
    lost.unlink()
    again = run(script, FASTMLP_CACHE_DIR=place)
    assert again.stdout == cold.stdout
    assert again.stderr.split()[-2:] == ["True", "0"]
    assert lost.exists()
    assert {path: path.stat().st_mtime_ns for path in files if path != lost} == {
        path: times[path] for path in files if path != lost
    }


# ---------------------------------------------------------------------------------------------------------
# Damage


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_a_flipped_bit_anywhere_is_a_miss(folder):
    cache.write("a.b", "float64", code())
    path = only_file(folder)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in (1, 0x80):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            path.write_bytes(damaged)
            assert cache.read("a.b", "float64") is None, f"byte {place}"
    path.write_bytes(whole)
    assert cache.read("a.b", "float64") == code()


def test_a_truncated_or_longer_file_is_a_miss(folder):
    cache.write("a.b", "float64", code())
    path = only_file(folder)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert cache.read("a.b", "float64") is None, f"{length} bytes"
    path.write_bytes(whole + b"\0")
    assert cache.read("a.b", "float64") is None


def _fill(content):
    return lambda path, whole: path.write_bytes(content)


def _directory(path, whole):
    path.unlink()
    (path / "sub").mkdir(parents=True)


def _dangling(path, whole):
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


DAMAGE = {
    "empty": _fill(b""),
    "text": _fill(b"hello\n" * 100),
    "zeros": _fill(bytes(5000)),
    "random": _fill(np.random.default_rng(0).bytes(5000)),
    "truncated": lambda path, whole: path.write_bytes(whole[:-100]),
    "half": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "flipped in the code": lambda path, whole: path.write_bytes(whole[:-200] + bytes([whole[-200] ^ 4]) + whole[-199:]),
    "a directory": _directory,
    "a dangling link": _dangling,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_means_compiling_again(damage, folder, monkeypatch):
    if "link" in damage and sys.platform == "win32":
        pytest.skip("links need rights on Windows that a test does not have")
    made, fresh = [], compiled()
    monkeypatch.setattr(compilation, "compile_function", lambda *_: made.append(1) or fresh)
    assert scatters(registry._load(SMALL, "float64"))
    assert scatters(registry._load(SMALL, "float64"))
    assert len(made) == 1  # the second from the cache
    path = only_file(folder)
    whole = path.read_bytes()
    DAMAGE[damage](path, whole)
    assert scatters(registry._load(SMALL, "float64"))
    assert len(made) == 2
    if damage != "a directory":  # where a directory lies, no file can be put
        assert path.read_bytes() == whole
        assert scatters(registry._load(SMALL, "float64"))
        assert len(made) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda good: Code("nonsense", good.externals, good.object), id="symbol"),
        pytest.param(lambda good: Code(good.symbol, ("no_such_function",), good.object), id="external"),
    ],
)
def test_a_whole_file_with_wrong_content_means_compiling_again(wrong, folder):
    """Sums are right, and still it cannot be linked. In a process of its own, lest LLVM aborts."""
    cache.write(SMALL, "float64", wrong(compiled()))
    assert run(ONE_KERNEL, FASTMLP_CACHE_DIR=folder).stdout.strip() == f"{RIGHT} True"
    assert run(ONE_KERNEL, FASTMLP_CACHE_DIR=folder).stdout.strip() == f"{RIGHT} False"


def test_another_kernels_file_under_this_name_is_a_miss(folder):
    """As a copy with changed names, or a file system that mixes up files, may leave."""
    cache.write("a.b", "float64", code("a.b"))
    path = only_file(folder)
    cache.write("a.b", "float32", code("single"))
    (other,) = (one for one in folder.iterdir() if one != path)
    shutil.copy(other, path)
    assert cache.read("a.b", "float64") is None


# ---------------------------------------------------------------------------------------------------------
# Where


def test_the_order_of_places(tmp_path, monkeypatch):
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    usual = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    assert cache.folders() == [tmp_path / "home" / ".cache" / "fastmlp"]
    monkeypatch.setenv(usual, str(tmp_path / "usual"))
    assert cache.folders() == [tmp_path / "usual" / "fastmlp"]
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache.folders() == [tmp_path / "numba" / "fastmlp", tmp_path / "usual" / "fastmlp"]
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(tmp_path / "own"))
    assert cache.folders() == [tmp_path / "own"]
    for name in (*PLACES,):
        monkeypatch.setenv(name, "")  # empty is as good as unset
    assert cache.folders() == [tmp_path / "home" / ".cache" / "fastmlp"]


def test_the_first_place_that_takes_it_is_written_and_all_are_read(tmp_path, monkeypatch):
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    monkeypatch.setenv("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", str(tmp_path / "usual"))
    cache.write("a.b", "float64", code("kept"))
    assert len(list((tmp_path / "usual" / "fastmlp").iterdir())) == 1
    assert cache.read("a.b", "float64") == code("kept")
    assert blocked.read_text() == "in the way"
    # a damaged file in the better place does not hide a good one
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    cache.write("a.b", "float64", code("better"))
    assert cache.read("a.b", "float64") == code("better")
    only_file(tmp_path / "numba" / "fastmlp").write_bytes(b"")
    assert cache.read("a.b", "float64") == code("kept")


def test_no_home(monkeypatch):
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)

    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    assert cache.folders() == []
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") is None


@pytest.mark.skipif(sys.platform == "win32", reason="these names mean something on Unix only")
@pytest.mark.parametrize(
    "place", ["/dev/null", "/dev/null/below", "/proc/nothing", "/" + "x" * 300, "/tmp/" + "long/" * 1000, "/tmp/a\0b"]
)
def test_places_that_cannot_be(place, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "FASTMLP_CACHE_DIR": place})  # putenv takes no null character
    assert cache.folders() == [Path(place)]
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") is None
    assert not cache.holds("a.b", "float64")
    assert not Path("/tmp/long").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="these names mean something on Unix only")
def test_a_strange_name_is_a_name(folder, monkeypatch):
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(folder / "a\nb \udcff"))
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") == code()


def test_a_file_in_place_of_the_folder_works_without_a_cache(tmp_path):
    place = tmp_path / "cache"
    place.write_text("mine")
    assert run(ONE_KERNEL, FASTMLP_CACHE_DIR=place).stdout.strip() == f"{RIGHT} True"
    assert place.read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no users of this kind")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_without_rights(mode):
    """Readable: its code is used, and new code not kept. Unreadable: compiled every time. Root gives up its rights."""
    script = """
    import os, shutil, sys, tempfile
    from pathlib import Path
    from fastmlp.jit import cache
    from fastmlp.jit import compilation, machine_code
    from fastmlp.kernels import registry
    from fastmlp.jit.machine_code import Code
    gather = registry.load_all()["layout.gather"]
    compilation.compile_function(gather.function, gather.signature("float64"))  # imports all that compiling imports
    above = Path(tempfile.mkdtemp(dir="/tmp"))  # TMPDIR may be closed to the user that root becomes
    folder = above / "cache"
    os.environ["FASTMLP_CACHE_DIR"] = str(folder)
    kept = Code("f", (), b"content")
    cache.write("a.b", "float64", kept)
    (file,) = folder.iterdir()
    if os.geteuid() == 0:
        above.chmod(0o755)
        os.chown(folder, 65534, -1)
        os.chown(file, 65534, -1)
        os.seteuid(65534)
    os.chmod(folder, int(sys.argv[1]))
    found = cache.read("a.b", "float64")
    cache.write("a.c", "float64", kept)
    again = cache.read("a.c", "float64")
    address = registry.address("layout.scatter", "float64")
    os.chmod(folder, 0o700)
    files = list(folder.iterdir())
    os.seteuid(os.getuid())
    shutil.rmtree(above)
    print(found == kept, again is None, address > 0, files == [file])
    """
    assert run(script, mode).stdout.split() == [str(mode == 0o500), "True", "True", "True"]


def test_a_full_disk(folder, tmp_path, monkeypatch):
    """Nothing is raised, nothing half written stays, and the next place is tried."""
    monkeypatch.delenv("FASTMLP_CACHE_DIR")
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(first))
    monkeypatch.setenv("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", str(second))
    written, full = [], {1}
    write = os.write

    def full_at_times(file, content):
        written.append(1)
        if full == "always" or len(written) in full:
            write(file, content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content)

    monkeypatch.setattr(os, "write", full_at_times)
    cache.write("a.b", "float64", code())
    assert list((first / "fastmlp").iterdir()) == []
    assert len(list((second / "fastmlp").iterdir())) == 1
    assert cache.read("a.b", "float64") == code()
    full = "always"
    cache.write("a.c", "float64", code())
    assert len(written) == 4
    assert cache.read("a.c", "float64") is None
    assert len(list(first.rglob("*.*"))) + len(list(second.rglob("*.*"))) == 1


def test_a_disk_that_takes_little_at_once(folder, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:7]))
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") == code()


@pytest.mark.parametrize("call", ["replace", "mkdir", "open", "write", "lstat", "listdir"])
@pytest.mark.parametrize("number", [errno.EROFS, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_every_call_may_fail(call, number, folder, monkeypatch):
    failed = []

    def fail(*_, **__):
        failed.append(1)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        cache.write("a.b", "float64", code())
        cache.read("a.b", "float64")
    assert failed
    left = list(folder.iterdir()) if folder.exists() else []
    assert [path for path in left if path.name.startswith(".new-")] == []
    assert cache.read("a.b", "float64") in (None, code())


# ---------------------------------------------------------------------------------------------------------
# The stamp


def stamp_of(package, monkeypatch):
    monkeypatch.setattr(cache, "_PACKAGE", package)
    return cache.stamp.__wrapped__()


def copied_package(tmp_path):
    copy = tmp_path / "fastmlp"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def kernel_sources():
    """Files of the package whose content is in kernels: they, and what they import."""
    found = set()
    for path in (PACKAGE / "kernels").glob("*.py"):
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastmlp"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("fastmlp.")]
            else:
                continue
            for name in names:
                file = PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")
                found |= {file} if file.exists() else set()
    return sorted(
        str(path.relative_to(PACKAGE))
        for path in found | {*(PACKAGE / "jit").glob("*.py"), PACKAGE / "system" / "cpu.py"}
    )


def test_the_stamp_is_of_each_source_that_kernels_use(tmp_path, monkeypatch):
    copy = copied_package(tmp_path)
    seen = {stamp_of(copy, monkeypatch)}
    sources = kernel_sources()
    assert "kernels/dense.py" in sources
    assert "reference/constants.py" in sources
    for number, name in enumerate(sources):
        text = (copy / name).read_text()
        (copy / name).write_text(text + "\n# an edit\n")
        seen.add(stamp_of(copy, monkeypatch))
        assert len(seen) == number + 2, f"an edit of {name} does not change the stamp"
        (copy / name).write_text(text)
    assert stamp_of(copy, monkeypatch) in seen
    assert len(seen) == len(sources) + 1
    (copy / "kernels" / "new.py").write_text("")
    assert stamp_of(copy, monkeypatch) not in seen


def test_the_stamp_is_of_content_alone(tmp_path, monkeypatch):
    """Not of times or places: a copied installation finds the cache of the first."""
    one, other = copied_package(tmp_path / "a"), copied_package(tmp_path / "b")
    for path in other.rglob("*.py"):
        os.utime(path, (1, 1))
    assert stamp_of(one, monkeypatch) == stamp_of(other, monkeypatch) == stamp_of(PACKAGE, monkeypatch)


def test_the_stamp_is_of_what_moves_between_files(tmp_path, monkeypatch):
    """A line that leaves the end of one file for the beginning of the next is a change."""
    copy = copied_package(tmp_path)
    before = stamp_of(copy, monkeypatch)
    first, second = sorted((copy / "kernels").glob("*.py"))[1:3]
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:-1]))
    second.write_bytes(lines[-1] + second.read_bytes())
    assert stamp_of(copy, monkeypatch) != before


def test_the_stamp_is_of_versions_settings_and_the_processor(monkeypatch):
    seen = [cache.stamp.__wrapped__()]
    for name in ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_BOUNDSCHECK"):
        with monkeypatch.context() as changed:
            changed.setenv(name, "0" if os.environ.get(name) != "0" else "1")
            seen.append(cache.stamp.__wrapped__())
    for package in ("numba", "llvmlite"):
        with monkeypatch.context() as changed:
            real = cache.version
            changed.setattr(cache, "version", lambda name, p=package, r=real: "9.9" if name == p else r(name))
            seen.append(cache.stamp.__wrapped__())
    here = cache.target()
    for other in (
        type(here)("generic", here.features, here.register),
        type(here)(here.name, here.features + ",+avx10", here.register),
        type(here)(here.name, here.features, 16 if here.register != 16 else 32),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(cache, "target", lambda other=other: other)
            seen.append(cache.stamp.__wrapped__())
    with monkeypatch.context() as changed:
        changed.setattr(cache.sys, "version_info", (3, 99, 0))
        seen.append(cache.stamp.__wrapped__())
    assert len(set(seen)) == len(seen)
    assert cache.stamp.__wrapped__() == seen[0]


@pytest.mark.parametrize("folders", [[], ["numba-1.2.dist-info"], ["numba-1.2.dist-info", "numba-1.3.dist-info"]])
def test_versions_are_read_as_pythons_metadata_tells(folders, tmp_path, monkeypatch):
    """By the name of the one folder that there is; in any other case by `importlib.metadata`."""
    for folder in folders:
        (tmp_path / folder).mkdir()
    real = [cache.version(name) for name in ("numba", "llvmlite")]
    assert real == [importlib.metadata.version(name) for name in ("numba", "llvmlite")]
    monkeypatch.setattr(cache.sys, "path", [str(tmp_path / "none"), str(tmp_path)])
    if len(folders) == 1:
        assert cache.version("numba") == "1.2"
    elif not folders:
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            cache.version("numba")


@pytest.mark.parametrize("lacking", ["numba", "sources"])
def test_without_a_stamp_nothing_is_cached(lacking, folder, tmp_path, monkeypatch):
    """A package in an archive, or of byte code alone, shows no sources: nobody could tell old code from new."""
    if lacking == "numba":

        def version(name):
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(cache, "version", version)
    else:
        monkeypatch.setattr(cache, "_PACKAGE", tmp_path / "nothing here")
    stamp = cache.stamp.__wrapped__()
    assert stamp is None
    monkeypatch.setattr(cache, "stamp", lambda: stamp)
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") is None
    assert not folder.exists()


EDITED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
from fastmlp.jit import cache
from fastmlp.kernels import registry
cache.stamp()
if sys.argv[2] == "edit":
    source = Path(sys.argv[1], "fastmlp", "kernels", "layout.py")
    text = source.read_text()
    assert "x[(first + n) * K + k] = tile[k * stride + n]" in text
    source.write_text(text.replace("= tile[k * stride + n]", "= tile[k * stride + n] + 1000"))
tile, x = np.arange(32.0), np.zeros((3, 2))
address = registry.address("layout.scatter", "float64")
registry.PAIRS or __import__("fastmlp.kernels.layout")
run = registry.function("layout.scatter", "float64", ("Floats", "Int", "Int", "Int", "Floats", "Int"))
run(tile.ctypes.data, 16, 3, 2, x.ctypes.data, 0)
if sys.argv[2] == "edit":
    source.write_text(text)
print(x.ravel().tolist())
"""


def test_an_edit_while_a_process_runs_leaves_nothing_stale(tmp_path):
    """The stamp is taken when the first kernel is asked for, a kernel's source read when it is compiled.

    Someone who edits in between, and then takes the edit back, must not find the edited code under the old stamp.
    """
    copied_package(tmp_path / "site")
    place = tmp_path / "cache"
    edited = run(EDITED, tmp_path / "site", "edit", FASTMLP_CACHE_DIR=place, PYTHONPATH="", PYTHONDONTWRITEBYTECODE=1)
    assert edited.stdout.strip() == "[1000.0, 1016.0, 1001.0, 1017.0, 1002.0, 1018.0]"
    plain = run(EDITED, tmp_path / "site", "plain", FASTMLP_CACHE_DIR=place, PYTHONPATH="", PYTHONDONTWRITEBYTECODE=1)
    assert plain.stdout.strip() == RIGHT


# ---------------------------------------------------------------------------------------------------------
# Several processes and processors


@pytest.mark.slow
def test_processes_that_fill_a_folder_at_once(tmp_path, monkeypatch):
    script = """
    import sys
    from fastmlp import Model
    from fastmlp.kernels.registry import address
    for name in ("layout.scatter", "layout.gather", "optimizers.gradient_descent"):
        address(name, "float64")
    """ + ONE_KERNEL.replace("\n", "\n    ")
    place = tmp_path / "cache"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(FASTMLP_CACHE_DIR=place),
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert out.startswith(RIGHT)
    files = sorted(place.iterdir())
    assert len(files) == 3  # and no temporary ones
    assert len(all_code(place, monkeypatch)) == 3
    assert run(ONE_KERNEL, FASTMLP_CACHE_DIR=place).stdout.strip() == f"{RIGHT} False"


def test_processors_live_side_by_side(tmp_path):
    place = tmp_path / "cache"
    for count, name in ((1, "generic"), (2, None), (2, "generic"), (2, None)):
        changes = {"NUMBA_CPU_NAME": name} if name else {}
        said = run(ONE_KERNEL, FASTMLP_CACHE_DIR=place, **changes).stdout.split(" ")
        assert " ".join(said[:-1]) == RIGHT
        assert len(list(place.iterdir())) == count
    assert said[-1].strip() == "False"


def test_kernels_compile_where_jit_is_switched_off(tmp_path):
    """NUMBA_DISABLE_JIT is for debugging and coverage of a user's own functions; here it must work, or say so."""
    done = run(ONE_KERNEL, FASTMLP_CACHE_DIR=tmp_path / "cache", NUMBA_DISABLE_JIT=1, check=False)
    assert done.stdout.startswith(RIGHT) or "NUMBA_DISABLE_JIT" in done.stderr


# ---------------------------------------------------------------------------------------------------------
# Old files


def test_old_files_go(folder):
    folder.mkdir()
    now = time.time()
    ages = {  # name: (days since read, days since written)
        "a.b-float64-00.kernel": (70, 80),
        "a.b-float32-01.kernel": (70, 80),
        "a.b-float64-02.kernel": (50, 80),  # read lately
        "a.b-float64-03.kernel": (70, 50),  # written lately, on a system that notes no reading
        "a.b-float64-04.kernel.bak": (70, 80),
        "a.bc-float64-05.kernel": (70, 80),
        "x.a.b-float64-06.kernel": (70, 80),
        "notes.txt": (70, 80),
    }
    for name, (read, written) in ages.items():
        (folder / name).write_text("")
        os.utime(folder / name, (now - read * DAY, now - written * DAY))
    cache.write("a.b", "float64", code())
    left = {path.name for path in folder.iterdir()}
    assert set(ages) - left == {"a.b-float64-00.kernel", "a.b-float32-01.kernel"}
    assert cache.read("a.b", "float64") == code()
    assert len(left) == len(ages) - 2 + 1


def test_leftovers_of_killed_processes_go(folder):
    """A process that dies between writing and renaming leaves a temporary file."""
    folder.mkdir()
    now = time.time()
    for name, days in ((".new-old", 80), (".new-fresh", 0)):
        (folder / name).write_text("")
        os.utime(folder / name, (now - days * DAY,) * 2)
    cache.write("a.b", "float64", code())
    left = {path.name for path in folder.iterdir() if path.name.startswith(".new-")}
    assert left == {".new-fresh"}  # another process may be writing that one


def test_an_old_file_that_vanishes_meanwhile_is_no_matter(folder, tmp_path, monkeypatch):
    folder.mkdir()
    (folder / "a.b-float64-00.kernel").write_text("")
    gone = "a.b-float64-0123456789abcdef.kernel"
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda place: [*listdir(place), gone])
    cache.write("a.b", "float64", code())
    assert cache.read("a.b", "float64") == code()


# ---------------------------------------------------------------------------------------------------------
# Linking


def test_linking_needs_what_the_code_says():
    with pytest.raises(RuntimeError, match="no_such_function"):
        machine_code.link(Code("f", ("no_such_function",), b""))


@pytest.mark.parametrize("name", sorted(machine_code.EXTERNALS))
def test_the_process_has_what_kernels_may_need(name):
    assert machine_code._process_address(name) > 0


def test_a_kernel_linked_twice_is_two_functions():
    one, other = machine_code.link(compiled()), machine_code.link(compiled())
    assert one != other
    assert scatters(one)
    assert scatters(other)


def test_functions_are_kept_for_the_process(folder):
    address = registry.address(SMALL, "float64")
    assert registry.address(SMALL, "float64") == address
    assert registry.function(SMALL, "float64", registry.load_all()[SMALL].arguments) is registry.function(
        SMALL, "float64", ()
    )


def test_unknown_kernels():
    with pytest.raises((KeyError, ModuleNotFoundError)):
        registry.address("layout.nothing", "float64")
    with pytest.raises((KeyError, ModuleNotFoundError)):
        registry.address("nothing.at_all", "float64")


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill cannot send SIGINT to a process on Windows")
@pytest.mark.parametrize("module", ["numba.core.errors", "numba.core.cpu", "fastmlp.kernels.simd"])
def test_ctrl_c_while_numba_loads_leaves_a_usable_process(module, tmp_path):
    """In a notebook, the first fit of all is what people interrupt: the second must work."""
    script = """
    import os, signal, sys
    import numpy as np
    from fastmlp.kernels import registry

    class Press:
        def find_spec(self, name, path=None, target=None):
            if name == sys.argv[1]:
                sys.meta_path.remove(self)
                os.kill(os.getpid(), signal.SIGINT)

    sys.meta_path.insert(0, Press())
    try:
        registry.address("layout.scatter", "float64")
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted")
    """ + ONE_KERNEL.replace("\n", "\n    ")
    said = run(script, module, FASTMLP_CACHE_DIR=tmp_path / "cache").stdout.splitlines()
    assert said[0] == "interrupted"
    assert said[1].startswith(RIGHT)
