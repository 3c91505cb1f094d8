"""What the commands share: help with defaults, checks of places to write to, and errors that name options."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fastmlp.checks.messages import lacks, plain
from fastmlp.checks.option_names import either as either
from fastmlp.checks.option_names import in_options
from fastmlp.checks.option_names import naming_options as naming_options
from fastmlp.checks.option_names import option as option
from fastmlp.spec import BACKENDS

WIDEST = 100  # columns of help


def help_shape(prog: str) -> argparse.HelpFormatter:
    """Help as wide as the terminal, within reason."""
    width = min(shutil.get_terminal_size().columns, WIDEST) - 2
    return argparse.HelpFormatter(prog, max_help_position=32, width=width)


def default(text: str, value: object) -> str:
    return f"{text} (default: {value})"


def add_backend(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help=default("numba is fast, reference is its definition in NumPy; both give the same bits", BACKENDS[0]),
    )


def add_plot(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw loss and accuracy into FILE (.png, .svg, .pdf)")


class Voice:
    """Prints lines at once. stubborn: goes on where nobody reads (`| head -1`), since a file is to be written."""

    def __init__(self, stubborn: bool) -> None:
        self._stubborn = stubborn

    def __call__(self, line: str) -> None:
        try:
            try:
                print(line, flush=True)
            except UnicodeEncodeError as error:  # a name that the output's encoding lacks, as cp1252 on Windows
                print(line.encode(error.encoding, "backslashreplace").decode(error.encoding), flush=True)
        except BrokenPipeError:
            if not self._stubborn:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# ---------------------------------------------------------------------------------------------------------
# Places to write to: what would be raised after a long training is raised before it


def check_place(name: str, path: Path | None, like: str, inputs: Mapping[str, Path | None]) -> None:
    """Raises ValueError where a file cannot be written, or is one of those that are read."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise ValueError(f"{name} {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{name} {path} is a folder: name a file in it, like {path / like}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{name} {path} may not be written: name another file")
    for what, read in inputs.items():
        if read is not None and path.exists() and read.exists() and path.samefile(read):
            raise ValueError(f"{name} {path} is {what}, and would be overwritten: name another file")


def check_plot(path: Path | None) -> None:
    if path is None:
        return
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(lacks("--plot needs", "matplotlib", "plot"))
    check_place("--plot", path, "training.png", {})
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in known:
        raise ValueError(f"--plot {path}: {path.suffix} is not a format of matplotlib: use {', '.join(sorted(known))}")


# ---------------------------------------------------------------------------------------------------------
# Warnings and errors


@contextmanager
def warnings_as_lines(names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Prints each warning of Python's `warnings` inside once, as a line without the file that it came from.

    names: {argument: option}, as for `naming_options`.
    """
    said = set()
    before = warnings.showwarning

    def show(message: Warning | str, *_: object, **__: object) -> None:
        line = f"fastmlp: warning: {plain(in_options(str(message), names or {}))}"
        if line not in said:
            said.add(line)
            print(line, file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        finally:
            warnings.showwarning = before
