"""A copy of the repository in a temporary folder, in which files are changed on purpose and commands run."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "bench_results", "build", "dist", "venv")


class Result(NamedTuple):
    """What a command did. status: its exit status, or None where it was killed as it took too long."""

    status: int | None
    output: str
    seconds: float


class Copy:
    """The folder of a copy, and a cache of kernels of its own."""

    def __init__(self, folder):
        self.root, self._cache = folder / "copy", folder / "kernels"
        self._home, self._temporary = folder / "home", folder / "tmp"
        shutil.copytree(ROOT, self.root, ignore=LEFT_OUT)
        self._home.mkdir()
        self._temporary.mkdir()

    @contextmanager
    def changed(self, path, content, fresh=True):
        """With other bytes in a file. fresh: with a cache of kernels of its own, now and afterwards."""
        file = self.root / path
        before = file.read_bytes()
        file.write_bytes(content)
        if fresh:
            shutil.rmtree(self._cache, ignore_errors=True)
        try:
            yield
        finally:
            file.write_bytes(before)
            if fresh:
                shutil.rmtree(self._cache, ignore_errors=True)

    def run(self, command, timeout):
        """Runs Python with these arguments in the copy; what it started ends with it."""
        settings = {k: v for k, v in os.environ.items() if not k.startswith(("FASTMLP_", "NUMBA_", "PYTEST_"))}
        settings |= {"PYTHONPATH": str(self.root), "FASTMLP_CACHE_DIR": str(self._cache)}
        settings |= {"HOME": str(self._home), "TMPDIR": str(self._temporary)}  # who knows what a fault removes
        settings["PYTHONDONTWRITEBYTECODE"] = "1"  # a file that changes twice in a second may look as if it had not
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command], cwd=self.root, env=settings, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        status = None
        try:
            output, _ = process.communicate(timeout=timeout)
            status = process.returncode
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()
        finally:
            _end(process)
        return Result(status, output, time.perf_counter() - started)


def _end(process):
    """Ends a process and all that it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            process.kill()
    except ProcessLookupError:
        pass


@contextmanager
def copied():
    """A Copy that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fastmlp-copy-") as folder:
        yield Copy(Path(folder))


def pytest(*arguments):
    """The command of a run of tests that ends at the first failure."""
    return ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
