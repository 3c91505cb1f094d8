"""The bar that `fit` shows. The bar itself: test_progress.py."""

import os
import subprocess
import sys

import pytest
from models import HERE, XOR_X, XOR_Y, in_another_process, trained

from fastmlp import Model

# ---------------------------------------------------------------------------------------------------------
# Progress


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_a_bar_where_it_is_wanted(progress, shown, capfd):
    """Standard error is no terminal here."""
    Model([2, 3, 2]).fit(XOR_X, XOR_Y, epochs=50, progress=progress)
    out, err = capfd.readouterr()
    assert out == ""
    assert ("50/50" in err) == shown
    assert ("loss 0." in err) == shown
    assert ("accuracy" in err) == shown


def test_a_bar_changes_no_bits(capfd):
    assert trained(XOR_X, XOR_Y, progress=True) == trained(XOR_X, XOR_Y, progress=False)


def test_no_bar_imports_no_tqdm():
    script = (
        f"import sys\nfrom fastmlp import Model\nModel([2, 3, 2]).fit({XOR_X}, {XOR_Y}, epochs=3)\n"
        "print('tqdm' in sys.modules)"
    )
    assert in_another_process(script).strip() == "False"


ON_A_TERMINAL = """
import os, sys, time
import numpy as np
from fastmlp import Model
draws = np.random.default_rng(0)
x = draws.normal(size=(2000, 2))
y = (x[:, 0] > 0).astype(int)
def fit(epochs):
    return Model([2, 8, 8, 2]).fit(x, y, epochs=epochs, record_every=1000, progress=eval(sys.argv[2])).seconds
fit(10)
each = fit(1000) / 1000
print(fit(max(1, int(float(sys.argv[1]) / each))))
"""


@pytest.mark.sample(2)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(
    ("seconds", "progress", "shown"), [(2.5, None, True), (0.2, None, False), (1.8, False, False), (0.2, True, True)]
)
def test_on_a_terminal_long_runs_have_a_bar(seconds, progress, shown):
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    try:
        took = float(in_another_process_on(slave, ON_A_TERMINAL, seconds, progress))
        os.close(slave)
        slave = None
        written = b""
        try:
            while piece := os.read(master, 65536):
                written += piece
        except OSError:  # the end, as Linux says it
            pass
    finally:
        os.close(master)
        if slave is not None:
            os.close(slave)
    if progress is None and (took > 1.2) != shown:
        pytest.skip(f"the machine changed its pace: a run meant for {seconds} s took {took:.2f} s")
    assert (b"epoch" in written) == shown
    assert (b"loss 0." in written) == shown
    if not shown:
        assert written == b""


def in_another_process_on(terminal, script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True, timeout=120, env=HERE,
    )  # fmt: skip
    assert done.returncode == 0
    return done.stdout
