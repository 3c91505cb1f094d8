"""Exported C against Model on random rows of all magnitudes: every activation, dtype and output, here and in emulators.

    python tests/long/export_rows.py --rows 100000 --seed 0
    python tests/long/export_rows.py --rows 2000 --seed 0 --target aarch64

Each case is a network of random depth with one activation, whose probabilities or values, logits and labels are
compared bit by bit; gcc and clang take turns, and so do their options. Prints a line for each case, then counts, and
ends with 1 where a bit differs or a self-test fails.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from c_programs import COMPILERS, TARGETS, Program, compare, magnitudes, ways_at_once

from fastmlp import Model
from fastmlp.spec import DTYPES, HIDDEN, LOSSES

HERE = [
    (compiler, *flags)
    for flags in (
        ("-std=gnu99", "-O2", "-mfma"), ("-std=c99", "-O0"), ("-std=c99", "-O3", "-march=native"),
        ("-std=gnu11", "-O1"), ("-std=gnu99", "-O3", "-mfma", "-ffp-contract=fast"), ("-std=c99", "-O2"),
        ("-std=gnu99", "-O1", "-mfma"), ("-std=c99", "-Os", "-mfma", "-ffp-contract=fast"), ("-std=gnu99", "-O3"),
    )
    for compiler in COMPILERS
]  # fmt: skip
ALONE = ("-std=c99", "-O2"), ("-std=gnu99", "-O2", "-march=native")
THERE = [("-std=gnu99", "-O2"), ("-std=c99", "-O0"), ("-std=gnu99", "-O3", "-ffp-contract=fast"), ("-std=c99", "-O1")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=["here", *TARGETS], default="here")
    parser.add_argument("--compiler", choices=COMPILERS, help="this one alone, with and without FMA in turn")
    parser.add_argument("--level", choices=["-O0", "-O1", "-O2", "-O3", "-Os"], help="of optimisation, of every case")
    parser.add_argument("--every", type=int, default=1, help="3: each third case, with all activations and outputs")
    parser.add_argument("--only", help="cases with this word, such as tanh or float32")
    args = parser.parse_args()
    started, counts = time.perf_counter(), Counter()
    cases = itertools.product(HIDDEN, DTYPES, LOSSES)
    with tempfile.TemporaryDirectory() as folder:
        for number, (hidden, dtype, output) in enumerate(cases):
            if number % args.every:
                continue
            rng = np.random.default_rng((args.seed, number))
            depth, outputs = int(rng.integers(1, 4)), int(rng.integers(1 + (output == "softmax"), 6))
            layers = [*map(int, rng.integers(1, 20, depth + 1)), outputs]
            model = Model(
                layers, hidden=hidden, output=output, seed=number, dtype=dtype, init=float(rng.choice([0.5, 2]))
            )
            model.set_weights([(w, rng.standard_normal(b.shape)) for w, b in model.weights])
            if args.target == "here":
                compiler, *flags = HERE[number % len(HERE)]
                if args.compiler:
                    compiler, flags = args.compiler, ALONE[number % 2]
                compiler, emulator = (compiler,), ()
            else:
                compiler, emulator = TARGETS[args.target]
                flags = THERE[number % len(THERE)]
            if args.level:
                flags = [args.level if flag.startswith("-O") else flag for flag in flags]
            what = f"{hidden} {dtype} {output} {'-'.join(map(str, layers))} {' '.join([*compiler, *flags])}"
            if args.only and args.only not in what:
                continue
            source, _ = model.to_c(Path(folder) / "net.c")
            program = Program(source, model.spec, *flags, compiler=compiler, emulator=emulator)
            try:
                state = program.selftest()
                assert state == 0, f"the self-test returns {state}"
                same, refused = compare(program, ways_at_once(model), magnitudes(rng, args.rows, layers[0], dtype))
                counts += Counter(cases=1, rows_equal=same, rows_refused_by_both=refused)
                print(f"{what}: {same} rows equal, {refused} refused by both", flush=True)
            except AssertionError as error:
                counts["failures"] += 1
                print(f"{what}: {error}", flush=True)
    print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()), end="")
    print(f", seed {args.seed}, {args.target}, {time.perf_counter() - started:.0f} s")
    return 1 if counts["failures"] or not counts["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())
