"""`fastmlp verify`: the kernels of this machine against the shipped vectors, a table, and a last line."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.cli.arguments import help_shape


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    parser = commands.add_parser(
        "verify",
        help="compare every bit on this machine with the reference's",
        description=(
            "Runs kernels, whole trainings, predictions, a saved model and models together, and compares every bit "
            "with vectors that the reference made and that fastmlp ships. The first time, kernels are compiled, which "
            "takes most of a minute; later it takes seconds. The last line is the same on every machine. The exit "
            "status is 0 if every bit is equal, and 1 if not."
        ),
        formatter_class=help_shape,
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from fastmlp.verification import verify

    with bar() as progress:
        found = verify(progress=progress)
    print(json.dumps(found.to_dict(), indent=1) if args.json else found.table())
    return 0 if found.equal else 1


@contextmanager
def bar() -> Iterator[Callable[[int, int, str], None] | None]:
    """Gives a function that moves a bar on standard error, or None where that is no terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    # tqdm draws nothing on a terminal that says that it is 0 wide, as bare ones do
    size = shutil.get_terminal_size()
    shape = "{desc:32.32} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
    with tqdm(total=1, leave=False, ncols=size.columns, nrows=size.lines, bar_format=shape) as shown:

        def progress(done: int, total: int, text: str) -> None:
            shown.n, shown.total = done, total
            shown.set_description_str(text)  # and draws

        yield progress
