"""What a transcript costs: the same fits with and without one, in turns.

    python -m benchmarks.transcripts               a table of networks, some seconds each
    python -m benchmarks.transcripts --seconds 1   for shorter fits

Each network trains for about as long as asked for, first to find the epochs of that time; then with and without a
transcript in turns. Seconds are the processor's: a machine that does other things lengthens the clock's. "Inside" is
what the functions that write a transcript take, as a part of the fit's seconds without them; beginning and end, which
do not grow with the epochs, are apart. "Paired" is the median of the quotients of neighbours, all in all.
"""

import argparse
import functools
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from fastmlp import Model
from fastmlp.fit.transcribing import Transcriber

CASES = {  # name: (layers, rows, batch, arguments of Model, optimizer)
    "2-8-8-2, 4 rows": ([2, 8, 8, 2], 4, None, {}, "sgd"),
    "4-16-3, 150 rows, batches of 32": ([4, 16, 3], 150, 32, {}, "adam"),
    "64-32-10, 1,797 rows, batches of 32": ([64, 32, 10], 1797, 32, {}, "adam"),
    "64-128-64-10, 1,797 rows, batches of 200, float32": ([64, 128, 64, 10], 1797, 200, {"dtype": "float32"}, "adam"),
    "784-128-10, 2,000 rows, batches of 128, float32": ([784, 128, 10], 2000, 128, {"dtype": "float32"}, "adam"),
    "1000-1000-2, 64 rows": ([1000, 1000, 2], 64, None, {}, "adam"),
}


SPENT = {"see": 0.0, "ends": 0.0}  # the processor's seconds, of one fit


def timed(name, part):
    """Has a method of those that write transcripts count its seconds."""
    method = getattr(Transcriber, name)

    @functools.wraps(method)
    def counted(*arguments):
        began = time.process_time()
        found = method(*arguments)
        SPENT[part] += time.process_time() - began
        return found

    setattr(Transcriber, name, counted)


def fit(case, epochs, transcript=None):
    """The processor's seconds of one fit: all of them; writing lines; and at the beginning and the end."""
    layers, rows, batch, arguments, optimizer = case
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, layers[0])), rng.integers(0, layers[-1], rows)
    model = Model(layers, seed=1, **arguments)
    SPENT.update(see=0.0, ends=0.0)
    began = time.process_time()
    model.fit(
        x, y, epochs=epochs, batch_size=batch, optimizer=optimizer, learning_rate=1e-4, threads=1, progress=False,
        record_every=max(1, epochs // 100), transcript=transcript,
    )  # fmt: skip
    return time.process_time() - began, SPENT["see"], SPENT["ends"]


def measured(case, seconds, turns):
    """(epochs, seconds without, lines, checkpoints, seconds of beginning and end, inside, paired)"""
    fit(case, 1)
    epochs, took = 1, fit(case, 1)[0]
    while took < seconds / 4:
        epochs = max(2 * epochs, int(epochs * min(10, seconds / 3 / took)))
        took = fit(case, epochs)[0]
    epochs, found = max(1, int(epochs * seconds / took)), {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        for turn in range(turns):
            for written in (False, True) if turn % 2 else (True, False):
                found[written].append(fit(case, epochs, path if written else None))
            lines, files = len(path.read_text().splitlines()), len([*Path(f"{path}.d").iterdir()])
            path.unlink()
            shutil.rmtree(f"{path}.d")
    plain, written = np.array(found[False]), np.array(found[True])
    inside = np.median(written[:, 1] / (written[:, 0] - written[:, 1] - written[:, 2]))
    paired = np.median(written[:, 0] / plain[:, 0]) - 1
    return epochs, np.median(plain[:, 0]), lines, files, np.median(written[:, 2]), inside, paired


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--turns", type=int, default=7)
    given = options.parse_args()
    for name, part in (("plan", "ends"), ("check", "ends"), ("begin", "ends"), ("see", "see"), ("end", "ends")):
        timed(name, part)
    print("| network | epochs | seconds | lines | checkpoints | beginning and end | inside | paired |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, case in CASES.items():
        epochs, plain, lines, files, ends, inside, paired = measured(case, given.seconds, given.turns)
        numbers = f"{epochs:,} | {plain:.2f} | {lines:,} | {files} | {1000 * ends:.1f} ms"
        print(f"| {name} | {numbers} | {inside:.2%} | {paired:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
