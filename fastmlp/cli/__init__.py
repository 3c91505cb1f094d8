"""The command `fastmlp`: exercises, a study, training, predicting, exports, verifying, audits, measuring, the cache.

Also `python -m fastmlp`.

Exit status: 0; 1 if `verify`, `audit` or `bisect` finds a bit that differs, or `warm` cannot keep kernels; 2 for what
the user can put right, with one line on standard error; 130 for Ctrl-C. Numba and matplotlib are imported by what uses
them, so that `fastmlp --help` is quick.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from fastmlp._version import __version__
from fastmlp.checks.messages import cut, plain
from fastmlp.cli import audit as audit_command
from fastmlp.cli import bench as bench_command
from fastmlp.cli import bisect as bisect_command
from fastmlp.cli import cache as cache_command
from fastmlp.cli import demo as demo_command
from fastmlp.cli import export as export_command
from fastmlp.cli import predict as predict_command
from fastmlp.cli import study as study_command
from fastmlp.cli import train as train_command
from fastmlp.cli import verify as verify_command
from fastmlp.cli import warm as warm_command
from fastmlp.cli.arguments import warnings_as_lines
from fastmlp.errors import DivergenceError

LONGEST = 1000  # characters of an error: a name in a file may be of any length


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command with these arguments, by default the process's own. Returns the exit status."""
    for name in ("stdout", "stderr"):  # closed, as by `>&-`: a file opened later would take its place
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    parser = _parser()
    try:
        args = parser.parse_args(arguments)
        with warnings_as_lines():
            status = args.run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse's, after --help and errors
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", 130)
    except BrokenPipeError:  # `fastmlp demo xor | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        return _fail(f"{named}{error.strerror or error}")
    except DivergenceError as error:  # the model that it speaks of is gone
        return _fail(str(error).partition(" The model")[0].replace("learning_rate", "--learning-rate"))
    except (ValueError, TypeError, ImportError, MemoryError) as error:
        return _fail(str(error) or "there is not enough memory")
    return status or 0


def _fail(message: str, status: int = 2) -> int:
    print(f"fastmlp: {cut(plain(message), LONGEST)}", file=sys.stderr)
    return status


# ---------------------------------------------------------------------------------------------------------
# Arguments


class _Parser(argparse.ArgumentParser):
    """argparse with an error of one line, and `--class-weight -1:2` read as an option's value."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = re.compile(r"^-\.?\d")  # argparse's own knows plain numbers only

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fastmlp: {cut(plain(message), LONGEST)} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastmlp",
        description="Trains small multi-layer perceptrons on a CPU; every bit of the result is specified.",
    )
    parser.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    demo_command.add(commands)
    study_command.add(commands)
    train_command.add(commands)
    predict_command.add(commands)
    export_command.add(commands)
    verify_command.add(commands)
    audit_command.add(commands)
    bisect_command.add(commands)
    bench_command.add(commands)
    cache_command.add(commands)
    warm_command.add(commands)
    return parser
