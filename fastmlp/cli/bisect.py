"""`fastmlp bisect`: where two transcripts of one training part."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fastmlp.cli.arguments import help_shape, naming_options
from fastmlp.cli.audit import NAMES, add_data, rows_of
from fastmlp.cli.verify import bar


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    parser = commands.add_parser(
        "bisect",
        help="find where two transcripts of one training part",
        description=(
            "Finds the first line in which two transcripts of one training differ, trains again from the last "
            "checkpoint before it, by kernels and by the reference, and names the batch, the layer and the kernel that "
            "first differ on this machine; or, where they agree, the transcript that another environment wrote. The "
            "exit status is 0 if nothing differs, and 1 if something does."
        ),
        formatter_class=help_shape,
    )
    parser.add_argument("a", type=Path, metavar="A", help="a transcript, with its checkpoints in A.d")
    parser.add_argument("b", type=Path, metavar="B", help="another one; its checkpoints may be missing")
    add_data(parser, "a model of fastmlp train, which says how")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from fastmlp.verification import bisect

    rows = rows_of(args)
    with bar() as progress, naming_options(NAMES):
        found = bisect(args.a, args.b, **rows, progress=progress)
    print(json.dumps(found.to_dict(), indent=1) if args.json else found.table())
    return 0 if found.equal else 1
