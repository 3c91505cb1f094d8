"""A contestant's process, from its parent's side: started on given cores, asked with a time limit, and always ended.

A child that crashes, hangs, or prints something that is not JSON is `Failed`, with the reason; the others continue.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from . import cores, fair

START_SECONDS = 600.0  # for imports, data and compiling
ANSWER_SECONDS = 300.0


class Failed(Exception):
    """A child did not answer; says why."""


class Child:
    """`python -m benchmarks.contestant` with the arguments, pinned. `first` is what it said when it was ready.

    module: the one whose `main` is run, if it is another than `contestant`.
    """

    def __init__(
        self,
        name: str,
        workload: str,
        dtype: str,
        pins: Sequence[int],
        start_seconds: float = START_SECONDS,
        module: str = "contestant",
    ) -> None:
        self.name = name
        package = __package__ or "benchmarks"
        root = Path(__file__).parents[package.count(".") + 1]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = fair.environment(
            **cores.environment(len(pins)),
            PYTHONPATH=os.pathsep.join(paths),
            TORCHINDUCTOR_COMPILE_THREADS="1",  # no helper processes that run during the others' turns
        )
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # As `python -m` has it, but for the path: that puts the folder it is called in first, and in a checkout this is
        # another fastmlp than the installed one that `fastmlp bench` measures.
        script = f"import sys; sys.path.insert(0, {str(root)!r}); from {package}.{module} import main; "
        script += "main(sys.argv[1:])"
        command = [sys.executable, "-c", script, name, workload, dtype, str(len(pins))]
        with cores.pinned(pins):  # before it starts threads: they inherit it
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment, text=True
            )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.first: dict[str, Any] = {}
        try:
            self.first = self._answer(start_seconds, "getting ready")
        except BaseException:
            self.end()
            raise

    def ask(self, command: str, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Its answer. Raises Failed, and ends it, where there is none in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(command + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended: the missing answer says how
        return self._answer(seconds, repr(command))

    def end(self) -> None:
        """Ends it, if it has not ended: politely, and after 5 seconds not."""
        process = self._process
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:
            pass
        try:
            process.wait(0 if not self.first else 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._errors.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    # -----------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")  # the end

    def _answer(self, seconds: float, what: str) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            self.first = {}
            self.end()
            raise Failed(f"no answer to {what} in {seconds:g} s") from None
        if not line:
            self._lines.put("")  # for later reads
            self._process.wait()
            raise Failed(f"ended in {what} with code {self._process.returncode}: {self._last_words()}")
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failed(f"answered {what} with {line.strip()!r:.80}")
        return found

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4096))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"
