"""`python tests/long/fuzz_inputs.py --count 10000 --seed 0`: arrays of every kind through all that takes them.

All cases of `input_zoo` for each output, and --count drawn ones, by outcome. Exit status 1 where one of them gave
other bits than a plain array, was taken though it holds no numbers, or ended in anything but an error in words.
"""

import argparse
import itertools
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import input_fuzz

BLOCK = 200  # drawn cases of one problem


def kinds():
    """Makers of problems: each output in both dtypes, and both estimators."""
    for output in input_fuzz.OUTPUTS:
        for dtype in ("float64", "float32"):
            yield lambda draws, output=output, dtype=dtype: input_fuzz.Problem(draws, output, dtype)
    for kind in ("classifier", "regressor"):
        yield lambda draws, kind=kind: input_fuzz.Estimator(draws, kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="drawn cases; those of the zoo come beside")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started, counts, failures = time.perf_counter(), Counter(), 0
    draws = random.Random(args.seed)
    makers = list(kinds())
    left, makers = args.count, itertools.chain(makers, itertools.cycle(makers))
    for block, make in enumerate(makers):
        problem = make(draws)
        first = block < len(list(kinds()))
        if not first and left <= 0:
            break
        chosen = [input_fuzz.drawn(problem, draws) for _ in range(min(BLOCK, left))]
        left -= len(chosen)
        for label, some in (("zoo", input_fuzz.cases(problem) if first else ()), ("drawn", chosen)):
            found, wrong = input_fuzz.fuzz(problem, some, lambda line: print(line, flush=True))
            counts.update({f"{label}: {outcome}": count for outcome, count in found.items()})
            failures += len(wrong)
    for outcome, count in sorted(counts.items()):
        print(f"{count:8} {outcome}")
    seconds = time.perf_counter() - started
    print(f"{sum(counts.values()):8} cases of seed {args.seed}, {failures} failures, {seconds:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
