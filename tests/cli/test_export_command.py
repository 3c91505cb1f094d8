"""`fastmlp export`: what it writes, what it says, and its errors of one line."""

import sys

import numpy as np
import pytest

from fastmlp import Ensemble, Model, TableModel, cli
from fastmlp.export.files import word
from fastmlp.tables.reader import Scale


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main(["export", *map(str, arguments)])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def saved(tmp_path):
    model = Model([2, 3, 2], seed=1)
    path = tmp_path / "my-model.safetensors"
    model.save(path)
    return path


def test_a_model_goes_to_a_file_or_a_folder(run, saved, tmp_path):
    status, said, wrong = run(saved, "--c", tmp_path / "net.c")
    assert (status, wrong) == (0, "")
    assert said == f"wrote {tmp_path / 'net.c'} and {tmp_path / 'net.h'}\n"
    assert run(saved, "--c", tmp_path)[0] == 0
    assert "int my_model_selftest(void);" in (tmp_path / "my_model.h").read_text()
    assert run(saved, "--c", tmp_path, "--name", "wine")[0] == 0
    assert (tmp_path / "wine.c").exists()


def test_a_table_s_model_takes_its_rows(run, tmp_path):
    scale = Scale(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    table = TableModel(Model([2, 3, 2], seed=1), ("a", "b"), "kind", np.array([1.0, 5.0]), scale)
    table.save(tmp_path / "t.safetensors")
    assert run(tmp_path / "t.safetensors", "--c", tmp_path / "t.c")[0] == 0
    assert "const double t_classes[T_OUTPUTS] = {" in (tmp_path / "t.c").read_text()
    assert (tmp_path / "t.c").read_text() == table.to_c(tmp_path / "t.c")[0].read_text()


def test_onnx(run, saved, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: no ONNX file is written")
    status, said, wrong = run(saved, "--onnx", tmp_path / "net.onnx", "--c", tmp_path / "net.c", "--dtype", "float32")
    assert (status, wrong) == (0, "")
    assert said == f"wrote {tmp_path / 'net.c'} and {tmp_path / 'net.h'}\nwrote {tmp_path / 'net.onnx'}\n"
    assert run(saved, "--onnx", tmp_path)[0] == 0
    assert (tmp_path / "my-model.onnx").exists()
    for options, what in (
        (("--onnx", tmp_path / "net.txt"), "--onnx"),
        (("--onnx", tmp_path, "--dtype", "half"), "--dtype='half'"),
    ):
        status, said, wrong = run(saved, *options)
        assert (status, said, wrong.count("\n")) == (2, "", 1)
        assert what in wrong


def test_without_onnx(run, saved, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, said, wrong = run(saved, "--onnx", tmp_path, "--c", tmp_path)
    assert (status, said, wrong.count("\n")) == (2, "", 1)
    assert not list(tmp_path.glob("*.c"))
    assert 'pip install "fastmlp[onnx]"' in wrong


def test_errors_are_one_line(run, saved, tmp_path):
    Ensemble([2, 3, 2], members=2).save(tmp_path / "e.safetensors")
    for arguments, what in (
        ((saved, "--c", tmp_path / "net.txt"), "does not end in .c"),
        ((saved, "--c", tmp_path / "none" / "net.c"), "no such folder"),
        ((saved, "--c", tmp_path / "net.c", "--name", "a b"), "--name"),
        ((saved,), "give --c PLACE or --onnx FILE"),
        ((saved, "--onnx", tmp_path / "net.onnx", "--name", "net"), "--name goes with --c, which is not given"),
        ((saved, "--c", tmp_path / "net.c", "--dtype", "float32"), "--dtype goes with --onnx, which"),
        ((tmp_path / "none.safetensors", "--c", tmp_path), "none.safetensors"),
        ((tmp_path / "e.safetensors", "--c", tmp_path), "ensemble"),
    ):
        status, said, wrong = run(*arguments)
        assert (status, said, wrong.count("\n")) == (2, "", 1), arguments
        assert what in wrong


@pytest.mark.parametrize(
    ("model", "options", "what"),
    [
        ("net.onnx", ("--onnx", "net.onnx"), "--onnx net.onnx is the model"),
        ("net.onnx", ("--onnx", "."), "--onnx net.onnx is the model"),
        ("net.c", ("--c", "net.c"), "--c net.c is the model"),
        ("net.h", ("--c", "net.c"), "--c: the header net.h is the model"),
        ("net.h", ("--c", "."), "--c: the header net.h is the model"),
        ("net.h", ("--c", "folder", "--name", "net"), "--c: the header folder/net.h is the model"),  # a link
        ("model", ("--c", "other.c"), "--c: the header other.h is a folder"),
        ("model", ("--c", "net.c", "--onnx", "net.txt"), "does not end in .onnx"),
        ("model", ("--c", "net.c", "--onnx", "none/net.onnx"), "none"),
        ("model", ("--c", "old.c", "--onnx", "same.onnx"), "is the source of --c"),
    ],
)
def test_nothing_is_written_over_the_model(run, saved, tmp_path, monkeypatch, model, options, what):
    """Nor is anything written before all can be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", sys)  # the checks come before its first use
    saved.rename(model)
    for folder in ("folder", "other.h"):
        (tmp_path / folder).mkdir()
    (tmp_path / "folder" / "net.h").symlink_to(tmp_path / "net.h")
    (tmp_path / "old.c").write_text("old")
    (tmp_path / "same.onnx").symlink_to(tmp_path / "old.c")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, said, wrong = run(model, *options)
    assert (status, said, wrong.count("\n")) == (2, "", 1)
    assert what in wrong.replace("\\", "/")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_names_of_files_become_names_in_c():
    assert [word(name) for name in ("wine", "a-b.c", "2x", "ä", "x" * 60)] == [
        "wine",
        "a_b_c",
        "model_2x",
        "model__",
        "x" * 40,
    ]
