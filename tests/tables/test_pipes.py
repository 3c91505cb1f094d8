"""Tables that come through a pipe, and what would never end."""

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from models import HERE

from fastmlp.tables import pipes, reader
from fastmlp.tables.pipes import Piped

TEXT = "a,b,y\n1,2,0\n3,4,1\n5,6,0\n"
fifos = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
numbered = pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="this system names no open files")


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path / "pipe.csv"


@fifos
@pytest.mark.parametrize("rows", [3, 20_000])  # more than a pipe holds
def test_a_csv_through_a_pipe(pipe, rows, monkeypatch):
    values = np.arange(3.0 * rows).reshape(rows, 3)
    content = "a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in values.tolist())
    monkeypatch.setattr(pipes, "PATIENCE", 60)  # the thread may be slow to begin
    thread = threading.Thread(target=pipe.write_bytes, args=(content.encode(),), daemon=True)
    thread.start()
    table = reader.read_table(pipe, "y")
    assert np.column_stack([table.x, table.y]).tolist() == values.tolist()
    thread.join(10)


def described(source):
    """What is read, or the error's words."""
    try:
        table = reader.read_table(source, "y")
    except ValueError as error:
        return str(error)
    return repr((table.x.tolist(), table.y.tolist(), table.names))


@numbered
@pytest.mark.parametrize("text", [TEXT, TEXT.replace("1,2", '"1"," 2"'), "\ufeff" + TEXT, TEXT.replace("6", "")])
def test_a_pipe_is_read_as_a_file_is(tmp_path, text):
    """By its number, as `<(...)` gives it; errors name line and column."""
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    reading, end = os.pipe()
    os.write(end, text.encode())
    os.close(end)
    path = f"/dev/fd/{reading}"
    found = [described(source) for source in (tmp_path / "t.csv", path)]
    os.close(reading)
    assert found[1] == found[0].replace(str(tmp_path / "t.csv"), path)


@fifos
def test_a_pipe_into_which_nobody_writes_does_not_hang(pipe):
    code = f"from fastmlp import cli; raise SystemExit(cli.main(['train', {str(pipe)!r}, '--target', 'y']))"
    done = subprocess.run([sys.executable, "-c", code], env=HERE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr == f"fastmlp: {pipe} is a device or a pipe, not a file: " + (
        "copy its content to a file first, since nothing is written into it now\n"
    )


@numbered
def test_a_pipe_without_an_end(monkeypatch):
    monkeypatch.setattr(pipes, "MOST", 1000)
    reading, end = os.pipe()
    try:
        os.write(end, b"1," * 600)
        with pytest.raises(ValueError, match=r"is a pipe of more than 0 MB: copy"):
            pipes.received(pipes.Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
        os.close(end)


@numbered
@pytest.mark.parametrize("more", [0, 1])
def test_how_much_a_pipe_may_hold(monkeypatch, more):
    monkeypatch.setattr(pipes, "MOST", 1000)
    reading, end = os.pipe()
    try:
        os.write(end, b"1" * (1000 + more))
        os.close(end)
        if more:
            with pytest.raises(ValueError, match=r"is a pipe of more than 0 MB: copy"):
                pipes.received(pipes.Path(f"/dev/fd/{reading}"))
        else:
            pipes.received(pipes.Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no /dev/zero")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
def test_devices_are_refused_before_they_are_opened(device):
    for read in (lambda: reader.read_table(device, "y"), lambda: reader.read_rows(device, ["a"], "y")):
        with pytest.raises(ValueError, match=f"^{device} is a device or a pipe, not a file: copy"):
            read()


@fifos
@pytest.mark.parametrize("name", ["t.npz", "t.csv", "m.safetensors"])
def test_nothing_waits_for_a_writer(tmp_path, name):
    """As the table, and as the model: to open a pipe without a writer would be to wait for one."""
    os.mkfifo(tmp_path / name)
    if name.startswith("m"):
        read = f"from fastmlp import Model; Model.load({str(tmp_path / name)!r})"
    else:
        read = f"from fastmlp import tables; tables.read({str(tmp_path / name)!r}, 'y')"
    done = subprocess.run([sys.executable, "-c", read], env=HERE, capture_output=True, text=True, timeout=60)
    assert f"ValueError: {tmp_path / name} is a device or a pipe, not a file: copy" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no /dev/zero")
def test_links_to_a_device_are_devices(tmp_path):
    for name in ("t.npz", "t.csv"):
        (tmp_path / name).symlink_to("/dev/zero")
        with pytest.raises(ValueError, match=r"is a device or a pipe, not a file: copy"):
            reader.read_table(tmp_path / name, "y")


def test_a_folder_and_what_is_not_there(tmp_path):
    assert pipes.received(tmp_path) == tmp_path
    assert pipes.received(tmp_path / "none") == tmp_path / "none"
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=re.escape(str(path))):
            reader.read_table(path, "y")


def test_what_came_is_read_again_and_again():
    source = Piped(pipes.Path("p"), "\ufeffa,y\r\n1,0\r\n".encode())
    assert str(source) == "p"
    for _ in range(2):
        with pipes.opened(source) as file:
            assert file.read() == source.content
    assert pipes.beginning(source).startswith(b"\xef\xbb\xbfa,y")
