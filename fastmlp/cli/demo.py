"""The command `fastmlp demo`: its options, and what is wrong with them. What it does: `demos.py`, `demo_figure.py`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from fastmlp.checks import scalars
from fastmlp.checks.arrays import reads_as_number
from fastmlp.cli import demos
from fastmlp.cli.arguments import add_backend, add_plot, check_plot, default, either, help_shape, naming_options
from fastmlp.spec import DTYPES, HIDDEN, INITS

MOST_SEED = 2**32 - 1  # that NumPy's RandomState takes


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    demo = commands.add_parser(
        "demo",
        help="train one of the two XOR exercises, or a network of your own on points to look at",
        description=(
            "Trains one of the two XOR exercises and prints what it prints; or another network, from other weights, on "
            "another data set. --plot draws the loss, the accuracy, and what the network has made of the plane."
        ),
        formatter_class=help_shape,
    )
    demo.set_defaults(run=run)
    usual = demos.DEFAULTS.values()
    rates, epochs, logs, hidden, inits = (
        " or ".join(f"{getattr(one, field):g}" if number else str(getattr(one, field)) for one in usual)
        for field, number in (
            ("learning_rate", True), ("epochs", True), ("log_every", True), ("hidden", False), ("init", False),
        )
    )  # fmt: skip
    layers = " or ".join(",".join(map(str, one.layers)) for one in usual)
    larger = " and ".join(",".join(map(str, one["layers"])) for one in demos.OF_DATA.values())
    demo.add_argument(
        "name",
        nargs="?",
        choices=tuple(demos.DEMOS),
        default="xor",
        help=default(
            "xor: 2-8-8-2, relu, softmax, 2000 rows; xor-sigmoid: 2-2-1, sigmoids, squared error, 4 rows", "xor"
        ),
    )
    demo.add_argument(
        "--dataset",
        choices=demos.DATASETS,
        default="xor",
        help=default("points of two classes in the plane, or a sine to fit", "xor"),
    )
    demo.add_argument(
        "--layers",
        metavar="SIZES",
        help=f"from the inputs to the outputs (default: {layers}; of spirals and sine, {larger}, with tanh)",
    )
    demo.add_argument("--hidden", metavar="NAME", help=f"activation: {either(HIDDEN)} (default: {hidden})")
    demo.add_argument("--init", metavar="INIT", help=f"initial weights: {either(INITS)}, or a scale (default: {inits})")
    demo.add_argument(
        "--seed", type=int, default=demos.SEED, metavar="N", help=default("of weights and points", demos.SEED)
    )
    demo.add_argument("--epochs", type=int, metavar="N", help=f"passes over the rows (default: {epochs})")
    demo.add_argument("--learning-rate", type=float, metavar="RATE", help=f"step size (default: {rates})")
    demo.add_argument("--log-every", type=int, metavar="N", help=f"print every N epochs (default: {logs})")
    demo.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help=default("precision", DTYPES[0]))
    add_backend(demo)
    add_plot(demo)


def run(args: argparse.Namespace) -> None:
    settings = settings_of(args)
    check_plot(args.plot)
    with naming_options({"init": "--init"}):
        done = demos.DEMOS[args.name](settings)
    if args.plot:
        from fastmlp.cli import demo_figure

        demo_figure.draw(done, args.plot)


def settings_of(args: argparse.Namespace) -> demos.Settings:
    """What the options ask for. Raises ValueError or TypeError, naming the option."""
    usual = dataclasses.replace(demos.DEFAULTS[args.name], dataset=args.dataset)
    if args.name == "xor":
        usual = dataclasses.replace(usual, **demos.OF_DATA.get(args.dataset, {}))
    if not 0 <= args.seed <= MOST_SEED:
        raise ValueError(f"--seed={args.seed} is not a seed: give a whole number from 0 to 2^32 - 1")
    given: dict[str, Any] = {"seed": args.seed, "dtype": args.dtype, "backend": args.backend}
    for name, check in (
        ("epochs", scalars.positive_int),
        ("learning_rate", scalars.positive_float),
        ("log_every", scalars.positive_int),
    ):
        if getattr(args, name) is not None:
            given[name] = check(getattr(args, name), "--" + name.replace("_", "-"))
    if args.layers is not None:
        given["layers"] = _layers(args.layers)
    if args.hidden is not None:
        given["hidden"] = _hidden(args.hidden)
    if args.init is not None:
        given["init"] = float(args.init) if reads_as_number(args.init) else args.init
    settings = dataclasses.replace(usual, **given)
    demos.check_fits(args.name, settings)
    return settings


def _layers(text: str) -> tuple[int, ...]:
    """(2, 16, 2) for "2,16,2", or "2-16-2"."""
    try:
        sizes = [int(size) for size in text.replace("-", ",").split(",")]
    except ValueError:
        raise ValueError(
            f"--layers={text} is not a list of sizes: give all of them, from the inputs to the outputs, like 2,16,2"
        ) from None
    return tuple(scalars.positive_int(size, "--layers") for size in sizes)


def _hidden(text: str) -> str:
    """The name of an activation."""
    if text not in HIDDEN:
        sizes = "; sizes are what --layers takes" if text[:1].isdigit() else ""
        raise ValueError(f"--hidden={text} is no activation: use {either(HIDDEN)}{sizes}")
    return text
