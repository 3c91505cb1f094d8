"""What a transcript costs: the same fits with and without one, in turns.

    python -m benchmarks.transcripts               a table of networks, some seconds each
    python -m benchmarks.transcripts --seconds 1   for shorter fits

Each network trains for about as long as asked for, first to find the epochs of that time; then with and without a
transcript in turns. The overhead is the median of the quotients of neighbours: of the processor's seconds, and of the
clock's, which a machine that does other things lengthens. Beginning and end are in it: their seconds are those of a fit
of one epoch.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from fastmlp import Model

CASES = {  # name: (layers, rows, batch, arguments of Model, optimizer)
    "2-8-8-2, 4 rows": ([2, 8, 8, 2], 4, None, {}, "sgd"),
    "4-16-3, 150 rows, batches of 32": ([4, 16, 3], 150, 32, {}, "adam"),
    "64-32-10, 1,797 rows, batches of 32": ([64, 32, 10], 1797, 32, {}, "adam"),
    "64-128-64-10, 1,797 rows, batches of 200, float32": ([64, 128, 64, 10], 1797, 200, {"dtype": "float32"}, "adam"),
    "784-128-10, 2,000 rows, batches of 128, float32": ([784, 128, 10], 2000, 128, {"dtype": "float32"}, "adam"),
    "1000-1000-2, 64 rows": ([1000, 1000, 2], 64, None, {}, "adam"),
}


def fit(case, epochs, transcript=None):
    """(seconds of the processor, of the clock) of one fit."""
    layers, rows, batch, arguments, optimizer = case
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, layers[0])), rng.integers(0, layers[-1], rows)
    model = Model(layers, seed=1, **arguments)
    began = time.process_time(), time.perf_counter()
    model.fit(
        x, y, epochs=epochs, batch_size=batch, optimizer=optimizer, learning_rate=1e-4, threads=1, progress=False,
        record_every=max(1, epochs // 100), transcript=transcript,
    )  # fmt: skip
    return time.process_time() - began[0], time.perf_counter() - began[1]


def in_turns(case, epochs, turns):
    """Seconds without and with a transcript, (turns, 2) each; lines and checkpoints of the last."""
    found = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        for turn in range(turns):
            for written in (False, True) if turn % 2 else (True, False):
                found[written].append(fit(case, epochs, path if written else None))
            lines, files = len(path.read_text().splitlines()), len([*Path(f"{path}.d").iterdir()])
            path.unlink()
            shutil.rmtree(f"{path}.d")
    return np.array(found[False]), np.array(found[True]), lines, files


def measured(case, seconds, turns):
    """(epochs, seconds of a fit without, those of beginning and end, lines, checkpoints, the two overheads)"""
    fit(case, 1)
    epochs, took = 1, fit(case, 1)[0]
    while took < seconds / 4:
        epochs = max(2 * epochs, int(epochs * min(10, seconds / 3 / took)))
        took = fit(case, epochs)[0]
    plain, written, *_ = in_turns(case, 1, turns)
    ends = np.median((written - plain)[:, 0])
    epochs = max(1, int(epochs * seconds / took))
    plain, written, lines, files = in_turns(case, epochs, turns)
    return epochs, np.median(plain[:, 0]), ends, lines, files, *(np.median(written / plain, axis=0) - 1)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--turns", type=int, default=7)
    given = options.parse_args()
    print("| network | epochs | seconds without | beginning and end | lines | checkpoints | overhead | of the clock |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, case in CASES.items():
        epochs, plain, ends, lines, files, more, clock = measured(case, given.seconds, given.turns)
        numbers = f"{epochs:,} | {plain:.2f} | {1000 * ends:.1f} ms | {lines:,} | {files}"
        print(f"| {name} | {numbers} | {more:+.2%} | {clock:+.2%} |", flush=True)


if __name__ == "__main__":
    main()
