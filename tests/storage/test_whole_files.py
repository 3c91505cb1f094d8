"""Files that are whole or are not there, and several that belong together; test_container.py has more of one file."""

import os
import stat

import pytest
from models import said

from fastmlp import Model
from fastmlp.export.files import place_of
from fastmlp.storage import whole_files

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def model():
    return Model([2, 2], seed=1)


@posix
def test_permissions_and_links_stay(model, tmp_path):
    """As for `Model.save`."""
    real, link = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    link.mkdir()
    for name in ("net.c", "net.h"):
        (real / name).write_text("old")
        (real / name).chmod(0o600)
        (link / name).symlink_to(real / name)
    assert model.to_c(link / "net.c") == (link / "net.c", link / "net.h")
    for name in ("net.c", "net.h"):
        assert (link / name).is_symlink()
        assert "net_selftest" in (real / name).read_text()
        assert stat.S_IMODE((real / name).stat().st_mode) == 0o600
    assert sorted(contents(real)) == ["net.c", "net.h"]


def test_a_header_that_is_a_folder(model, tmp_path):
    (tmp_path / "net.h").mkdir()
    (tmp_path / "net.c").write_text("old")
    assert "this is a folder" in said(IsADirectoryError, model.to_c, tmp_path / "net.c")
    assert contents(tmp_path) == {"net.c": b"old"}


@posix
def test_two_names_of_one_file(model, tmp_path):
    (tmp_path / "net.h").symlink_to(tmp_path / "net.c")
    assert "are the same file" in said(ValueError, model.to_c, tmp_path / "net.c")
    assert not (tmp_path / "net.c").exists()


@pytest.mark.parametrize("renamed", [0, 1])
def test_a_rename_that_fails(tmp_path, monkeypatch, renamed):
    """No other file is left; what the error says of the first is true."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("old")
    replace, calls = os.replace, []

    def failing(old, new):
        calls.append(new)
        if len(calls) > renamed:
            raise PermissionError(13, "in use")
        replace(old, new)

    monkeypatch.setattr(os, "replace", failing)
    text = said(OSError, whole_files.write_together, [(a, [b"1"]), (b, [b"2"])])
    assert ("what was there is unchanged" in text) == (not renamed)
    assert (f"{os.path.realpath(a)} is new" in text) == bool(renamed)
    assert contents(tmp_path) == {"a": b"1" if renamed else b"old"}


def test_all_are_on_the_disk_before_the_first_is_renamed(tmp_path, monkeypatch):
    steps, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (steps.append("replace"), replace(old, new)))
    whole_files.write_together([(tmp_path / "a", [b"1"]), (tmp_path / "b", [b"2"])])
    assert steps[:4] == ["fsync", "fsync", "replace", "replace"]


def test_an_empty_path_is_no_folder(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "path='' is empty" in said(ValueError, model.to_c, "")
    assert "path='' is empty" in said(ValueError, place_of, "", ".onnx", "network")
    assert not list(tmp_path.iterdir())
