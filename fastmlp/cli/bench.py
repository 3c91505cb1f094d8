"""`fastmlp bench`: the benchmarks on the user's machine, beside other libraries if wanted, and a table of them.

The benchmarks are a package beside this one, which a wheel holds as `fastmlp.benchmarks`. Nothing of it is imported
before it is used.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import fastmlp
from fastmlp.checks.messages import lacks
from fastmlp.cli.arguments import check_place, default, help_shape, naming_options, option
from fastmlp.spec import DTYPES

BESIDE = Path(fastmlp.__file__).resolve().parents[1]  # a checkout's root
PIP_NAMES = {"sklearn": "scikit-learn"}  # where a module's name is not that of its distribution


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    bench = commands.add_parser(
        "bench",
        help="measure the speed on this machine",
        description=(
            "Measures microseconds a training step on one core, and the fraction of what the core can do. With "
            "--peers, the other libraries that are installed take turns with fastmlp on the same core."
        ),
        formatter_class=help_shape,
    )
    bench.set_defaults(run=run)
    bench.add_argument(
        "--workload",
        nargs="+",
        metavar="NAME",
        help="xor, digits, mnist, ...; a wrong one lists them (default: all, and a few with --quick)",
    )
    bench.add_argument("--peers", action="store_true", help="measure NumPy, scikit-learn, PyTorch and JAX, too")
    bench.add_argument("--quick", action="store_true", help="few workloads, and fewer and shorter turns")
    bench.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=list(DTYPES), help=default("precisions", " ".join(DTYPES))
    )
    bench.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the result to FILE, as JSON")


def run(args: argparse.Namespace) -> None:
    check_place("--output", args.output, "result.json", {})

    def keep(result: dict[str, Any]) -> None:
        """Writes what is measured so far: a run may take long, and be stopped."""
        if args.output is not None:
            args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    with _missing_in_words(), naming_options({"workload": "--workload"}):
        compare, report = _module("compare"), _module("report")
        with _bar() as progress:
            result = compare.run(
                None if args.workload is None else list(dict.fromkeys(args.workload)),
                None if args.peers else [],
                list(dict.fromkeys(args.dtype)),
                [1],  # thread
                args.quick,
                progress,
                keep=keep,
                command=_command(args),
            )
    keep(result)
    print(report.terminal(result))


def _command(args: argparse.Namespace) -> str:
    """The command line, for the result to say how it was made."""
    words = ["fastmlp", "bench", *(["--workload", *args.workload] if args.workload else [])]
    words += [option(name) for name in ("peers", "quick") if getattr(args, name)]
    return shlex.join([*words, *(["--dtype", *args.dtype] if args.dtype != list(DTYPES) else [])])


def _module(name: str) -> ModuleType:
    """A module of the benchmarks: of an installed wheel, or else of the checkout that this package lies in."""
    if importlib.util.find_spec("fastmlp.benchmarks") is not None:
        return importlib.import_module(f"fastmlp.benchmarks.{name}")
    if not (BESIDE / "benchmarks" / "compare.py").is_file() or not (BESIDE / "pyproject.toml").is_file():
        raise ImportError(
            "bench needs the benchmarks, which this installation lacks: in a checkout of fastmlp, "
            'pip install ".[peers]"'
        )
    if str(BESIDE) not in sys.path:
        sys.path.insert(0, str(BESIDE))
    return importlib.import_module(f"benchmarks.{name}")


@contextmanager
def _missing_in_words() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in ("", "fastmlp", "benchmarks"):  # a fault of ours
            raise
        raise ImportError(lacks("bench needs", name, package=PIP_NAMES.get(name, name))) from error


@contextmanager
def _bar() -> Iterator[Callable[[int, int, str], None]]:
    """Gives a function of (turns done, turns in all, what is measured); on a terminal, it moves a bar."""
    from tqdm import tqdm

    # get_terminal_size is 80 x 24 for a terminal that says that it is 0 wide, on which tqdm would draw nothing
    size = shutil.get_terminal_size()
    shape = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    with tqdm(total=1, disable=None, leave=False, ncols=size.columns, nrows=size.lines, bar_format=shape) as shown:

        def progress(done: int, total: int, text: str) -> None:
            shown.n, shown.total = done, total
            shown.set_description_str(text)  # and draws: a turn is long

        yield progress
