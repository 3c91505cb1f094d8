"""`python tests/long/fuzz_files.py --count 10000 --seed 0`: mutants of files through the command line, by outcome.

Exit status 1 where one of them ended in a traceback, hung, took much memory, or printed what is not finite; its number
and --only make it again.
"""

import argparse
import faulthandler
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import file_fuzz


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this mutant alone")
    parser.add_argument("--keep", help="write that mutant to this file")
    args = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        corpus = file_fuzz.Corpus(folder, args.seed)
        numbers = range(args.count) if args.only is None else [args.only]
        if args.keep:
            Path(args.keep).write_bytes(corpus.mutant(numbers[0])[1])
        faulthandler.enable()
        counts, failures = file_fuzz.fuzz(corpus, numbers, lambda line: print(line, flush=True))
    for outcome, count in sorted(counts.items()):
        print(f"{count:8} {outcome}")
    print(
        f"{len(numbers):8} mutants of seed {args.seed}, {len(failures)} failures, {time.perf_counter() - started:.0f} s"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
