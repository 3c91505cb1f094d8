"""Reading a table of 10^6 rows from CSV: fastmlp's columns beside `pandas.read_csv`, in seconds of the processor.

    python -m benchmarks.reading                      three tables, one core
    python -m benchmarks.reading --threads 2 --rows 100000

The tables are made up. The two read in turns, and the figures are medians. pandas reads the whole file at once, and
fastmlp some megabytes at a time, with what each column holds and with errors that name the line.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from . import cores

# {name: columns of numbers, columns of words}; in one column of words cells are missing
TABLES = {"numbers": (8, 0), "numbers and words": (8, 2), "mostly words": (3, 4)}
WORDS = ("red", "green", "blue", "")


def write(path: Path, rows: int, numbers: int, words: int) -> None:
    """Writes a table: numbers with four digits behind the point, and words of a few kinds."""
    import pandas

    draws = np.random.default_rng(0)
    frame = pandas.DataFrame(draws.normal(size=(rows, numbers)).round(4), columns=[f"x{k}" for k in range(numbers)])
    for k in range(words):
        frame[f"w{k}"] = np.array(WORDS if k == 0 else WORDS[:-1])[draws.integers(0, 4 - (k > 0), rows)]
    frame.to_csv(path, index=False)


def times(readers: dict[str, Callable[[Path], Any]], path: Path, turns: int) -> dict[str, float]:
    """Seconds of the processor that each takes: the median of its turns. The first turn is not counted."""
    found: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(turns + 1):
        for name, read in readers.items():
            start = time.process_time()
            read(path)
            found[name].append(time.process_time() - start)
    return {name: median(seconds[1:]) for name, seconds in found.items()}


def command(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10**6)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="cores that both are pinned to")
    args = parser.parse_args(arguments)
    import pandas

    from fastmlp.tables import reader

    readers = {"fastmlp": reader.read, "pandas": pandas.read_csv}
    print(f"{args.rows} rows, pandas {pandas.__version__}, {args.threads} of the cores, seconds of the processor\n")
    print("| | fastmlp | pandas | ratio |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, cores.pinned(cores.chosen(args.threads)):
        for name, (numbers, words) in TABLES.items():
            path = Path(folder) / "table.csv"
            write(path, args.rows, numbers, words)
            found = times(readers, path, args.turns)
            ours, theirs = found["fastmlp"], found["pandas"]
            print(f"| {name}: {numbers} and {words} columns | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(command())
