"""The progress bar, on pseudo-terminals of this process's own. How `fit` shows it is in test_model_progress.py."""

import io
import os
import re
import sys
import time

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.fit import progress
from fastmlp.history import History
from fastmlp.training import records
from fastmlp.views import bars

terminals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


def shown(monkeypatch, columns, act):
    """What `act()` writes to standard error where that is a terminal so wide: the lines that followed each other."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    with open(slave, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        act()
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError:  # the end, as Linux says it
        pass
    finally:
        os.close(master)
    return [line.strip() for line in re.split("[\r\n]+", written.decode()) if line.strip()]


def run(epochs, wanted=None, seconds=0.0, **columns):
    """A run of ten steps, which takes `seconds`."""
    history = History()
    with progress.bar(epochs, wanted) as advance:
        for step in range(1, 11):
            time.sleep(seconds / 10)
            made = records(step * epochs // 10, 0.123456, 0.987654)
            for name, value in columns.items():
                made[name] = value
            history.extend(made)
            advance(step * epochs // 10, history)


@terminals
@pytest.mark.parametrize("columns", [0, 80, 100, 120])
def test_a_bar_tells_everything_in_one_line(monkeypatch, columns):
    """With 0 columns, a terminal that does not tell its size."""
    lines = shown(monkeypatch, columns, lambda: run(3000, True))
    assert all(len(line) <= (columns or 80) for line in lines)
    assert lines[-1].startswith("100%|")
    assert "| 3000/3000 [" in lines[-1]
    assert lines[-1].endswith("epoch/s, loss 0.123, accuracy 0.988]")


@terminals
@pytest.mark.parametrize(("columns", "full"), [(0, False), (80, False), (100, False), (120, True)])
def test_validation_fits_in_the_line(monkeypatch, columns, full):
    validation = {"validation_loss": 0.0123456, "validation_accuracy": 0.876543}
    lines = shown(monkeypatch, columns, lambda: run(3000, True, **validation))
    assert all(len(line) <= (columns or 80) for line in lines)
    assert lines[-1].rstrip("]").endswith("loss 0.123, accuracy 0.988, validation 0.0123, 0.877")
    assert ("epoch/s" in lines[-1]) == full
    assert "| 3000/3000, 00:" in lines[-1] or full


@terminals
def test_what_does_not_fit_is_cut(monkeypatch):
    """A line that is too long would go on in the next one, and the bar scroll away."""
    lines = shown(monkeypatch, 50, lambda: run(3000, True, validation_loss=0.0123456, validation_accuracy=0.876543))
    assert max(len(line) for line in lines) == 49


@terminals
def test_a_bar_that_nobody_asked_for_waits(monkeypatch):
    assert bars.PATIENCE == 1.0
    monkeypatch.setattr(bars, "PATIENCE", 0.4)
    assert shown(monkeypatch, 80, lambda: run(50)) == []
    assert shown(monkeypatch, 80, lambda: run(50, seconds=1.0))[-1].startswith("100%|")
    assert shown(monkeypatch, 80, lambda: run(50, False, seconds=1.0)) == []


@terminals
def test_a_second_fit_has_a_bar_of_its_own_epochs(monkeypatch):
    model = Model([2, 3, 2])
    x, y = np.eye(2), [0, 1]
    model.fit(x, y, epochs=70)
    lines = shown(monkeypatch, 80, lambda: model.fit(x, y, epochs=30, progress=True))
    assert "| 30/30 [" in lines[-1]
    assert lines[0].startswith("0%|")


@pytest.mark.parametrize("wanted", [None, False, True])
def test_without_a_standard_error_there_is_no_bar(monkeypatch, wanted):
    monkeypatch.setattr(sys, "stderr", None)
    run(50, wanted)
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    run(50, wanted)


def test_a_bar_goes_to_a_file_only_where_it_is_wanted(monkeypatch):
    for wanted in (None, False, True):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        run(50, wanted)
        assert ("50/50" in sys.stderr.getvalue()) == (wanted is True)
