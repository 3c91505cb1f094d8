"""`fastmlp cache`: what it says of folders and files, and what it removes: the cache's own files and nothing else."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from fastmlp import cli
from fastmlp.jit import cache
from fastmlp.jit.machine_code import Code

NAMES = ("FASTMLP_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA")
NO_MODES = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no owners and modes of this kind")
USUAL = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main(["cache", *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache with two current files, an old one, one of another version, a leftover, and files of somebody else's."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "cache"
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(folder))
    monkeypatch.setattr(cache, "_refusals", [])
    for dtype in ("float64", "float32"):
        cache.write("a.b", dtype, Code("f", (), bytes(100_000)))
    (folder / f"a.b-float64-{'0' * 32}.kernel").write_bytes(b"of another version")
    (folder / f"gone.kernel_of_old-float32-{'f' * 32}.kernel").write_bytes(b"")
    (folder / ".new-1-2-3").write_bytes(b"half")
    for name in OTHERS:
        (folder / name).write_text("mine")
    (folder / f"a.c-float64-{'0' * 32}.kernel").mkdir()
    return folder


OTHERS = (
    "notes.txt",
    "a.b.kernel",
    "a.b-float64-xyz.kernel",
    "a.b-float16-00.kernel",
    "x a.b-float64-00.kernel",
    "new-1",
)


def told(run):
    status, out, err = run("info", "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def test_info(run, place):
    (found,) = told(run)
    assert found.pop("bytes") > 200_000
    assert found == {
        "folder": str(place), "used": True, "why": "read and written",
        "files": 4, "current": 2, "bad": 0, "unfinished": 1,
    }  # fmt: skip
    assert run("info")[:2] == (0, f"{place}\n  read and written\n  4 files, 0.2 MB, 2 current; 1 unfinished\n")


def test_info_of_files_that_cannot_be_used(run, place):
    current = [path for path in place.iterdir() if path.name == cache.file_name("a.b", "float64")]
    current[0].write_bytes(b"damaged")
    assert told(run)[0]["bad"] == 1
    assert "2 current, of which 1 cannot be used" in run("info")[1]


def test_info_where_there_is_nothing(run, place, monkeypatch):
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(place / "below"))
    assert "does not exist yet" in run("info")[1]
    assert not (place / "below").exists()
    monkeypatch.setenv("FASTMLP_CACHE_DIR", str(place / "notes.txt"))
    (found,) = told(run)
    assert not found["used"] or sys.platform == "win32"
    assert run("clear")[0] == 0


def test_info_of_each_folder(run, place, monkeypatch, tmp_path):
    monkeypatch.delenv("FASTMLP_CACHE_DIR")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    monkeypatch.setenv(USUAL, str(tmp_path / "usual"))
    shutil.copytree(place, tmp_path / "usual" / "fastmlp")
    first, second = told(run)
    assert (first["folder"], first["files"]) == (str(tmp_path / "numba" / "fastmlp"), 0)
    assert (second["folder"], second["files"], second["current"]) == (str(tmp_path / "usual" / "fastmlp"), 4, 2)
    out = run("clear")[1]
    assert "removed 5 files" in out
    assert place.exists()
    assert len(list(place.iterdir())) == 5 + len(OTHERS) + 1


def test_a_relative_folder_is_said(run, place, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTMLP_CACHE_DIR", "cache")
    monkeypatch.setenv(USUAL, str(tmp_path / "usual"))
    assert "FASTMLP_CACHE_DIR='cache' is ignored" in run("info")[1]
    run("clear")
    assert len(list(place.iterdir())) == 5 + len(OTHERS) + 1


def test_clear_removes_the_caches_own_files_alone(run, place):
    status, out, err = run("clear")
    assert (status, err) == (0, "")
    assert out == f"{place}: removed 5 files, 0.2 MB\n"
    assert {path.name for path in place.iterdir()} == {*OTHERS, f"a.c-float64-{'0' * 32}.kernel"}
    assert all((place / name).read_text() == "mine" for name in OTHERS)
    assert run("clear")[1] == f"{place}: removed 0 files, 0.0 MB\n"
    assert told(run)[0]["current"] == 0


@NO_MODES
def test_clear_follows_no_link(run, place, tmp_path):
    (tmp_path / "kept").write_text("mine")
    (place / f"a.d-float64-{'0' * 32}.kernel").symlink_to(tmp_path / "kept")
    assert "removed 6 files" in run("clear")[1]
    assert (tmp_path / "kept").read_text() == "mine"


@NO_MODES
def test_a_folder_that_others_may_write_is_refused(run, place):
    place.chmod(0o777)
    (found,) = told(run)
    assert not found["used"]
    assert found["why"] == f"refused: {place} may be written by everybody"
    assert (found["files"], found["current"]) == (4, 2)
    status, out, _ = run("clear")
    assert status == 0
    assert "left alone" in out
    assert len(list(place.iterdir())) == 5 + len(OTHERS) + 1


def test_what_cannot_be_removed_is_an_error(run, place, monkeypatch):
    """After all else is removed."""
    unlink = os.unlink

    def fail(path):
        if Path(path).name == ".new-1-2-3":
            raise PermissionError(13, "Permission denied", path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", fail)
    status, out, err = run("clear")
    assert status == 2
    assert err == f"fastmlp: {place / '.new-1-2-3'}: Permission denied\n"
    assert "removed 4 files" in out


def test_help(run):
    for arguments in (["--help"], ["info", "--help"], ["clear", "--help"]):
        status, out, err = run(*arguments)
        assert (status, err) == (0, "")
        assert out.startswith("usage: fastmlp cache")
    assert run()[0] == 2
    assert run("burn")[0] == 2
