"""`fastmlp study`: learning rate, initialisation, depth and width on three small data sets, as a table and a figure."""

from __future__ import annotations

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

from fastmlp.checks.messages import lacks
from fastmlp.cli.arguments import Voice, check_place, check_plot, default, help_shape, naming_options
from fastmlp.spec import HIDDEN

DATASETS = ("xor", "circles", "spirals")
NAMES = {"seeds": "--seeds", "epochs": "--epochs", "seed": "--seed", "threads": "--threads", "goal": "--goal"}


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    study = commands.add_parser(
        "study",
        help="see what learning rate, initialisation and depth do",
        description=(
            "Trains hundreds of small networks that differ in learning rate, initial weights, depth and width. Prints "
            "how many of them solved the task, and what is seen, in sentences that are computed from the runs."
        ),
        formatter_class=help_shape,
    )
    study.set_defaults(run=run)
    study.add_argument(
        "--dataset", nargs="+", choices=DATASETS, metavar="NAME", help=default(", ".join(DATASETS), "all of them")
    )
    study.add_argument("--quick", action="store_true", help="fewer networks, and 500 steps")
    study.add_argument("--epochs", type=int, metavar="N", help=default("steps over all rows", "2000"))
    study.add_argument("--seeds", type=int, metavar="N", help=default("runs with different initial weights", "5"))
    study.add_argument("--seed", type=int, default=0, metavar="N", help=default("the first; also of the data", 0))
    study.add_argument(
        "--hidden",
        choices=HIDDEN,
        default=HIDDEN[0],
        metavar="NAME",
        help=default("activation of the hidden layers: tanh, sigmoid, gelu, ...", HIDDEN[0]),
    )
    study.add_argument(
        "--goal", type=float, metavar="FRACTION", help=default("accuracy of a network that solved the task", 0.95)
    )
    study.add_argument("--plot", type=Path, metavar="FILE", help="draw the figure into FILE (.png, .svg, .pdf)")
    study.add_argument(
        "--json", type=Path, metavar="FILE", help="write every run and the sentences to FILE; - prints them"
    )
    study.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help=default("how many; results do not depend on it", "as many as make it faster"),
    )
    study.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help=default("show bars", "on a terminal, after a second"),
    )


def run(args: argparse.Namespace) -> None:
    drawable = args.plot is None or importlib.util.find_spec("matplotlib") is not None
    if drawable:
        check_plot(args.plot)
    printed = args.json == Path("-")  # in place of the table
    if not printed:
        check_place("--json", args.json, "study.json", {})
    if args.plot is not None and args.json is not None and args.plot.absolute() == args.json.absolute():
        raise ValueError(f"--json {args.json} is the file of --plot, too: name another file")
    from fastmlp.study import run as study

    with naming_options(NAMES):
        found = study(
            args.dataset,
            epochs=args.epochs,
            seeds=args.seeds,
            seed=args.seed,
            hidden=args.hidden,
            goal=args.goal,
            quick=args.quick,
            threads=args.threads,
            progress=args.progress,
        )
    all_of_it = json.dumps(found.to_dict(), indent=1)
    Voice(stubborn=args.plot is not None or args.json is not None)(all_of_it if printed else repr(found))
    if args.json is not None and not printed:
        args.json.write_text(all_of_it + "\n", encoding="utf-8")
    if args.plot is not None:
        if not drawable:
            raise ImportError(lacks("--plot needs", "matplotlib", "plot"))
        found.plot(args.plot)
