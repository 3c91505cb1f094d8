"""`fastmlp warm`: compiles the kernels beforehand, for a container image or a classroom's machines."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from fastmlp.cli.arguments import default, help_shape
from fastmlp.spec import DTYPES

OF_TESTS = ("elementary",)  # files whose kernels are parts of others, and run alone in tests only
OF_MANY = ("lanes_", "model_lanes")  # of those that train many models at once


def add(commands: Any) -> None:
    """Adds the command to the parser's subcommands."""
    warm = commands.add_parser(
        "warm",
        help="compile all kernels beforehand, for a container image",
        description=(
            "Compiles all kernels that a training and a prediction may need, whatever the network and its options, "
            "unless the cache has them, and says where they are kept. Later processes of the same user, processor, "
            "Python and Numba compile nothing then. The exit status is 1 if they cannot be kept."
        ),
        formatter_class=help_shape,
    )
    warm.add_argument(
        "--dtype", nargs="+", choices=DTYPES, default=[DTYPES[0]], help=default("of the networks to come", DTYPES[0])
    )
    warm.add_argument(
        "--all",
        action="store_true",
        help="both dtypes, and kernels of many models at once: of sweeps, ensembles and cross-validation",
    )
    warm.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fastmlp.jit import cache
    from fastmlp.kernels import registry

    started = time.perf_counter()
    cache.silence()
    wanted = needed(DTYPES if args.all else args.dtype, args.all)
    missing = [key for key in wanted if not cache.holds(*key)]
    for key in missing:
        registry.begin(*key)
    for key in tqdm(missing, "compiling", disable=None, leave=False, unit="kernel"):
        registry.address(*key)
    kept = sum(cache.holds(*key) for key in missing)
    seconds = time.perf_counter() - started
    there = len(wanted) - len(missing)
    print(f"{len(wanted)} kernels: {there} were there, {len(missing)} compiled in {seconds:.1f} s")
    for folder, count, size in _places(wanted):
        print(f"{folder}: {count} of them, {size / 1e6:.1f} MB")
    if kept < len(missing):
        why = " or ".join(cache.refusals()) or "its sources cannot be read, or are being edited"
        print(f"fastmlp: {len(missing) - kept} kernels could not be kept: {why}", file=sys.stderr)
        raise SystemExit(1)


def needed(dtypes: Any, many: bool) -> list[tuple[str, str]]:
    """(name, dtype) of each kernel that networks of these dtypes may need. many: also those of many models at once."""
    from fastmlp.kernels import registry

    return [
        (name, dtype)
        for name, kernel in sorted(registry.load_all().items())
        for dtype in (dtypes if len(kernel.dtypes) > 1 else kernel.dtypes)
        if not name.startswith(OF_TESTS if many else (*OF_TESTS, *OF_MANY))
    ]


def _places(keys: list[tuple[str, str]]) -> list[tuple[str, int, int]]:
    """(folder, kernels, bytes) of each folder from which kernels are read."""
    from fastmlp.jit import cache

    found: dict[str, list[int]] = {}
    for key in keys:
        folder = next((folder for folder in cache.folders() if cache.read_from(folder, *key) is not None), None)
        if folder is not None:
            found.setdefault(str(folder), []).append((folder / cache.file_name(*key)).stat().st_size)
    return [(folder, len(sizes), sum(sizes)) for folder, sizes in found.items()]
