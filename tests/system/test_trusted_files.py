"""The cache's files are run: only what this user or root alone can have written is read, and written to."""

import os
import socket
import stat
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from models import HERE

from fastmlp.jit import cache
from fastmlp.jit.machine_code import Code
from fastmlp.system import trusted_files

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no owners and modes of this kind")
AS_ROOT = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="only root can give files away")
NAMES = ("FASTMLP_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
CODE = Code("f", (), b"the content of an object")
OTHER = 65534  # nobody


@pytest.fixture
def place(tmp_path, monkeypatch):
    """base/above/cache with a kernel in it, that is read; and nothing was refused in this process."""
    base = tmp_path.resolve()
    folder = base / "above" / "cache"
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(folder))
    monkeypatch.setattr(cache, "_refusals", [])
    monkeypatch.setattr(cache, "_told", [])
    cache.write("a.b", "float64", CODE)
    assert cache.read("a.b", "float64") == CODE
    return folder


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def refused(*words):
    """Nothing is read or written, and it is said why: by whom, and what to do."""
    assert cache.read("a.b", "float64") is None
    assert len(cache._refusals) == 1
    for word in (*words, "FASTMLP_CACHE_DIR"):
        assert word in cache._refusals[0]
    return True


# ---------------------------------------------------------------------------------------------------------
# Owners and modes


def test_what_is_made_is_for_its_user_alone(place):
    kept = os.umask(0)
    try:
        cache.write("a.c", "float64", CODE)
    finally:
        os.umask(kept)
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place, place.parent)] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("entry", "mode", "good"),
    [
        ("file", 0o600, True),
        ("file", 0o644, True),
        ("file", 0o400, True),
        ("file", 0o620, False),
        ("file", 0o602, False),
        ("file", 0o666, False),
        ("folder", 0o755, True),
        ("folder", 0o770, False),
        ("folder", 0o775, False),
        ("folder", 0o707, False),
        ("folder", 0o1777, False),
        ("above", 0o755, True),
        ("above", 0o1777, True),  # as /tmp: each may move his own entries alone
        ("above", 0o1770, True),
        ("above", 0o770, False),
        ("above", 0o777, False),
    ],
)
def test_modes(entry, mode, good, place):
    path = {"file": only_file(place), "folder": place, "above": place.parent}[entry]
    if mode & stat.S_IWGRP and os.geteuid() != 0 and trusted_files._private(path.stat().st_gid, os.geteuid()):
        pytest.skip("the group is this user's alone")
    path.chmod(mode)
    assert (
        cache.read("a.b", "float64") == CODE
        if good
        else refused(str(path), *([] if mode & stat.S_ISVTX else ["chmod"]))
    )
    before = sorted(place.iterdir())
    cache.write("a.c", "float64", CODE)
    written = sorted(place.iterdir()) != before
    assert written is (good or entry == "file")


@AS_ROOT
@pytest.mark.parametrize("entry", ["file", "folder", "above"])
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_what_belongs_to_another_user(entry, mode, place):
    path = {"file": only_file(place), "folder": place, "above": place.parent}[entry]
    os.chown(path, OTHER, -1)
    path.chmod(mode)
    assert refused(str(path), f"user {OTHER}")
    before = sorted(place.iterdir())
    cache.write("a.c", "float64", CODE)
    assert (sorted(place.iterdir()) != before) is (entry == "file")
    if entry == "file":  # the folder is ours: the file is replaced
        cache.write("a.b", "float64", CODE)
        assert cache.read("a.b", "float64") == CODE


@AS_ROOT
def test_a_folder_that_somebody_made_first(tmp_path, place, monkeypatch):
    """In a folder that all may write, such as /tmp, under the name that will be asked for."""
    shared = place.parent / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(shared / "cache"))
    cache.write("a.b", "float64", CODE)  # nobody did
    assert cache.read("a.b", "float64") == CODE
    (shared / "theirs").mkdir()
    os.chown(shared / "theirs", OTHER, -1)
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(shared / "theirs"))
    cache.write("a.b", "float64", CODE)
    assert list((shared / "theirs").iterdir()) == []
    assert f"theirs belongs to nobody (user {OTHER})" in cache._refusals[0]


@AS_ROOT
@pytest.mark.parametrize("mode", [0o755, 0o555])
def test_a_cache_that_root_filled_serves_other_users(mode, tmp_path):
    """As in a container's image: its files are root's and may be read by all."""
    script = """
import os, shutil, sys, tempfile
from pathlib import Path
from fastmlp.jit import cache
from fastmlp.jit.machine_code import Code
above = Path(tempfile.mkdtemp(dir="/tmp"))
above.chmod(0o755)
os.environ["FASTMLP_CACHE_DIR"] = str(above / "cache")
cache.write("a.b", "float64", Code("f", (), b"content"))
(file,) = (above / "cache").iterdir()
os.seteuid(65534)
hidden = cache.read("a.b", "float64")
os.seteuid(0)
file.chmod(0o644)
(above / "cache").chmod(int(sys.argv[1]))
os.seteuid(65534)
found = cache.read("a.b", "float64")
cache.write("a.c", "float64", found)
os.seteuid(0)
count = len(list((above / "cache").iterdir()))
shutil.rmtree(above)
print(hidden is None, found is not None, count, len(cache._refusals))
"""
    *found, told = python(script, mode).stdout.split()
    assert found == ["True", "True", "1"]
    assert told in ("0", "1")  # that nothing can be written there: where that user may import what says so


@AS_ROOT
@pytest.mark.parametrize("members", ["alone", "others"])
def test_a_group_that_is_the_users_alone(members, monkeypatch, place):
    """Where systems make a group for each user, new folders may be written by it; and it holds nobody else."""
    import grp
    import pwd

    monkeypatch.setattr(pwd, "getpwuid", lambda number: pwd.struct_passwd(["ann", "x", 1234, 4321, "", "", ""]))
    names = [] if members == "alone" else ["bob"]
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(["ann", "x", 4321, names]))
    trusted_files._private.cache_clear()
    try:
        assert trusted_files._private(4321, 1234) is (members == "alone")
        assert not trusted_files._private(4322, 1234)  # another group than the user's own
        assert not trusted_files._private(4321, 0)
        assert not trusted_files._private(0, 1234)  # root's, in which containers run programs of many users
        monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(["staff", "x", 4321, []]))
        trusted_files._private.cache_clear()
        assert not trusted_files._private(4321, 1234)
        monkeypatch.setattr(trusted_files, "_private", lambda group, user: (group, user) == (4321, 0))
        os.chown(place, 0, 4321)
        place.chmod(0o770)
        assert (cache.read("a.b", "float64") == CODE) is (sys.platform == "linux")
    finally:
        monkeypatch.undo()
        trusted_files._private.cache_clear()


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access control lists are set in Linux's way")
def test_the_users_group_and_a_list_of_other_users(place, monkeypatch):
    """The group's bits then say what the list gives at most."""
    monkeypatch.setattr(trusted_files, "_private", lambda group, user: True)
    place.chmod(0o770)
    assert cache.read("a.b", "float64") == CODE
    nobody = 0xFFFFFFFF
    rights = [(1, 7, nobody), (2, 7, OTHER), (4, 0, nobody), (16, 7, nobody), (32, 0, nobody)]
    try:
        os.setxattr(place, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(_entry(*one) for one in rights))
    except OSError as error:
        pytest.skip(f"this file system has no access control lists: {error}")
    assert stat.S_IMODE(place.stat().st_mode) == 0o770
    assert refused(str(place), "group")


def _entry(kind, rights, number):
    return struct.pack("<HHI", kind, rights, number)


# ---------------------------------------------------------------------------------------------------------
# Links


def test_links_are_followed_step_by_step(place, monkeypatch):
    way = place.parent / "way"
    way.mkdir()
    (way / "relative").symlink_to("../cache")
    (way / "full").symlink_to(place.parent)
    (way / "twice").symlink_to("relative")
    for path in ("relative", "full/cache", "twice", "../cache", "full/way/../cache", "./relative/."):
        monkeypatch.setenv("FASTMLP_CACHE_DIR", f"{way}/{path}")
        assert cache.read("a.b", "float64") == CODE, path
        cache.write("a.c", "float64", CODE)
    assert len(list(place.iterdir())) == 2
    assert cache._refusals == []


def test_links_in_a_circle(place, monkeypatch):
    (place.parent / "one").symlink_to("other")
    (place.parent / "other").symlink_to("one")
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(place.parent / "one" / "cache"))
    cache.write("a.b", "float64", CODE)
    assert cache.read("a.b", "float64") is None


def test_a_link_to_nowhere(place, monkeypatch):
    (place.parent / "one").symlink_to(place.parent / "not yet" / "there")
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(place.parent / "one"))
    assert cache.read("a.b", "float64") is None
    cache.write("a.b", "float64", CODE)
    assert cache.read("a.b", "float64") == CODE


@AS_ROOT
@pytest.mark.parametrize("whose", ["link", "target's parent"])
def test_a_link_of_another_user_or_into_his_folder(whose, place, monkeypatch):
    way = place.parent / "way"
    way.mkdir()
    way.chmod(0o1777)
    if whose == "link":
        (way / "link").symlink_to(place)
        os.chown(way / "link", OTHER, -1, follow_symlinks=False)
    else:
        theirs = place.parent / "theirs"
        theirs.mkdir()
        place.rename(theirs / "cache")
        os.chown(theirs, OTHER, -1)
        (way / "link").symlink_to(theirs / "cache")
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(way / "link"))
    assert refused(f"user {OTHER}")


def test_a_kernels_file_that_is_a_link_is_a_miss(place):
    path = only_file(place)
    path.rename(place.parent / "elsewhere")
    path.symlink_to(place.parent / "elsewhere")
    assert path.read_bytes()
    assert cache.read("a.b", "float64") is None
    cache.write("a.b", "float64", CODE)
    assert not path.is_symlink()
    assert cache.read("a.b", "float64") == CODE


# ---------------------------------------------------------------------------------------------------------
# Files of other kinds


def pipe(path):
    os.mkfifo(path)


def listening(path):
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def device(path):
    if os.geteuid() != 0:
        pytest.skip("only root can make devices")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero


def endless(path):
    with open(path, "wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("make", [pipe, listening, device, os.mkdir, endless], ids=lambda make: make.__name__)
def test_what_is_no_plain_file_is_a_miss(make, place):
    path = only_file(place)
    path.unlink()
    make(path)
    path.chmod(0o600)
    assert cache.read("a.b", "float64") is None
    assert not cache.holds("a.b", "float64")
    cache.write("a.b", "float64", CODE)
    if make is not os.mkdir:  # where a folder lies, no file can be put
        assert cache.read("a.b", "float64") == CODE


@pytest.mark.parametrize("make", [pipe, listening, device], ids=lambda make: make.__name__)
def test_a_source_that_is_no_plain_file_means_no_cache(make, tmp_path, monkeypatch):
    for pattern in cache._SOURCES:
        place = tmp_path / pattern.replace("**/*", "plan")
        place.parent.mkdir(exist_ok=True)
        place.write_text("")
    monkeypatch.setattr(cache, "_PACKAGE", tmp_path)
    assert cache._stamp() is not None
    (tmp_path / "kernels" / "plan.py").unlink()
    make(tmp_path / "kernels" / "plan.py")
    assert cache._stamp() is None


# ---------------------------------------------------------------------------------------------------------
# Relative paths


@pytest.mark.parametrize("name", [*NAMES, "HOME"])
def test_relative_paths_are_ignored(name, place, monkeypatch, tmp_path):
    """Code would be run from whatever folder the process happens to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASTMLP_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(name, "here")
    assert all(folder.is_absolute() and "here" not in folder.parts for folder in cache.folders())
    cache.write("a.b", "float64", CODE)
    assert not (tmp_path / "here").exists()
    if name == "FASTMLP_CACHE_DIR":
        assert "'here'" in cache._refusals[0]
        assert cache.read("a.b", "float64") == CODE  # from the usual place
    if name == "HOME":
        assert cache.folders() == []


def test_the_home_of_nobody(place, monkeypatch):
    monkeypatch.setenv("FASTMLP_CACHE_DIR", "~no-user-of-this-name/cache")
    assert all(folder.is_absolute() for folder in cache.folders())
    cache.write("a.b", "float64", CODE)
    assert "~no-user" in cache._refusals[0]


# ---------------------------------------------------------------------------------------------------------
# What is said


def python(script, *arguments, options=(), check=True, **changes):
    kept = {name: value for name, value in HERE.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, *options, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, timeout=120, env={**kept, **{k: str(v) for k, v in changes.items()}},
    )  # fmt: skip
    assert done.returncode == 0 or not check, done.stderr
    return done


LOADS = """
from fastmlp.kernels import registry
for dtype in ("float64", "float32"):
    registry.address("layout.scatter", dtype)
print("loaded")
"""


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_a_refused_cache_is_said_once(options, place):
    place.chmod(0o777)
    done = python(LOADS, options=options, FASTMLP_CACHE_DIR=place)
    assert done.stdout == "loaded\n"
    assert done.stderr.count("is not used") == 1
    assert f"{place} may be written by everybody" in done.stderr


def test_a_warning_is_at_the_callers_line(place):
    place.chmod(0o777)
    assert cache.read("a.b", "float64") is None
    with pytest.warns(UserWarning, match="may be written by everybody") as told:
        cache.tell()
    assert [one.filename for one in told] == [__file__]
    with warnings.catch_warnings(record=True) as caught:
        cache.tell()
    assert caught == []


@pytest.mark.parametrize("what", ["unwritable", "unreadable", "missing"])
def test_a_cache_that_cannot_be_written_is_said_once(what, place):
    if what == "missing":
        folder = place / "below" / "a file"
        folder.parent.mkdir()
        folder.write_text("")
    else:
        folder = place
        folder.chmod(0o500 if what == "unwritable" else 0)
    drop = """
import os
from fastmlp.jit import compilation, machine_code
from fastmlp.kernels import registry
registry.load_all()
compilation.compile_function(*registry._find("layout.gather", "float64"))  # imports all that compiling imports
if os.geteuid() == 0:
    os.seteuid(65534)
"""
    if os.geteuid() == 0:
        os.chown(folder, OTHER, -1)
        for path in (place, *place.parents):
            if path != Path("/") and path.stat().st_uid == 0 and not path.stat().st_mode & 1:
                path.chmod(path.stat().st_mode | 0o11)
    done = python(drop + LOADS, FASTMLP_CACHE_DIR=folder)
    assert done.stderr.count("cannot be written") == 1
    assert done.stderr.count("\n") <= 2  # the warning, and the line that it is of
    assert "Traceback" not in done.stderr
    assert done.stdout == "loaded\n"


# ---------------------------------------------------------------------------------------------------------
# Code that says that it ran

PLANT = """
import sys
import llvmlite.binding as llvm
from fastmlp.jit import cache
from fastmlp.jit import compilation, machine_code
machine_code._initialise()
command = (sys.argv[1] + chr(0)).encode()
text = "".join(f"\\\\{byte:02X}" for byte in command)
ir = f'''target triple = "{llvm.get_default_triple()}"
@c = private constant [{len(command)} x i8] c"{text}"
declare i32 @system(i8*)
define i32 @planted(i64* %r, i8** %e, i64 %a, i64 %b, i64 %c) {{
  %q = call i32 @system(i8* getelementptr ([{len(command)} x i8], [{len(command)} x i8]* @c, i64 0, i64 0))
  store i64 0, i64* %r
  ret i32 0
}}'''
code = llvm.Target.from_default_triple().create_target_machine(reloc="pic").emit_object(llvm.parse_assembly(ir))
cache.write("layout.scatter", "float64", machine_code.Code("planted", (), code))
"""
RUNS = """
import numpy as np
from fastmlp.kernels import registry
tile, x = np.arange(32.0), np.zeros((3, 2))
run = registry.function("layout.scatter", "float64", ("Floats", "Int", "Int", "Int", "Floats", "Int"))
run(tile.ctypes.data, 16, 3, 2, x.ctypes.data, 0)
print(x.ravel().tolist())
"""
RIGHT = "[0.0, 16.0, 1.0, 17.0, 2.0, 18.0]"


@AS_ROOT
def test_planted_code_runs_from_ones_own_file_and_from_nobody_elses(tmp_path):
    """The one shows that the other was really in the way: a whole file of the right name, and a check of its owner."""
    place, mark = tmp_path / "cache", tmp_path / "it ran"
    python(PLANT, f"touch '{mark}'", FASTMLP_CACHE_DIR=place)
    kernel = only_file(place)
    whole = kernel.read_bytes()
    assert python(RUNS, FASTMLP_CACHE_DIR=place).stdout.strip() != RIGHT
    assert mark.exists()
    for entry in (kernel, place, tmp_path):
        mark.unlink(missing_ok=True)
        kernel.write_bytes(whole)
        os.chown(entry, OTHER, -1)
        done = python(RUNS, FASTMLP_CACHE_DIR=place)
        assert done.stdout.strip() == RIGHT
        assert not mark.exists()
        assert f"{entry} belongs to" in done.stderr
        os.chown(entry, 0, -1)


def test_code_that_asks_for_more_than_kernels_do(place):
    """A file that says so is not used, nor written."""
    path = only_file(place)
    path.write_bytes(cache._pack(Code("f", ("fma", "system"), b"content"), cache._key("a.b", "float64")))
    assert cache.read("a.b", "float64") is None
    path.write_bytes(cache._pack(Code("f", ("fma", "memcpy"), b"content"), cache._key("a.b", "float64")))
    assert cache.read("a.b", "float64") is not None
    before = path.read_bytes()
    cache.write("a.b", "float64", Code("f", ("system",), b"content"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("body", [b"", b"f", b"f\nfma", b"\xff\n\ncontent", b"f\n\xff\ncontent", b"\n\n"])
def test_a_whole_file_whose_text_says_nothing(body, place):
    import hashlib

    path, key = only_file(place), cache._key("a.b", "float64")
    path.write_bytes(cache._MAGIC + hashlib.sha256(key.encode() + body).digest() + body)
    assert cache.read("a.b", "float64") is None


@pytest.mark.sample(3)
@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"content" * 1000, b"BC\xc0\xde" + bytes(60), "half", "zeros"])
def test_an_object_that_cannot_be_linked_is_compiled_again(content, tmp_path):
    """In a process of its own, lest LLVM ends it."""
    script = """
import sys
from fastmlp.jit import cache
from fastmlp.jit import compilation, machine_code
from fastmlp.kernels import registry
content = sys.argv[1] if len(sys.argv) < 3 else bytes.fromhex(sys.argv[2])
fresh = compilation.compile_function(*registry._find("layout.scatter", "float64"))
if content == "half":
    content = fresh.object[: len(fresh.object) // 2]
if content == "zeros":
    content = fresh.object[:64] + bytes(len(fresh.object) - 64)
cache.write("layout.scatter", "float64", machine_code.Code(fresh.symbol, (), content))
assert cache.read("layout.scatter", "float64").object == content
address = registry.address("layout.scatter", "float64")
print(address > 0, len(cache.read("layout.scatter", "float64").object) == len(fresh.object) and
      cache.read("layout.scatter", "float64").object != content)
"""
    arguments = (content,) if isinstance(content, str) else ("", content.hex())
    assert python(script, *arguments, FASTMLP_CACHE_DIR=tmp_path).stdout.split() == ["True", "True"]
