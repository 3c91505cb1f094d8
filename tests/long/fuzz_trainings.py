"""Random trainings by the kernels against the reference, over all options and all passes.

    python tests/long/fuzz_trainings.py --count 500 --seed 1

Networks, data and options are drawn; each training is done by the definition and by every pass that can do it, with one
thread and with two, and all bits are compared: records, parameters, the optimizer's state. Prints counts, and ends with
1 at the first difference.
"""

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
from trainings import PASSES, assert_same_result, draw, finish

from fastmlp.engine import numba_backend, reference_backend
from fastmlp.engine.choose import fits_few
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from fastmlp.schedules import Cosine, Exponential, InverseScaling, OneCycle, Step, WarmUp

OPTIMIZERS = (None, SGD(momentum=0.9), SGD(momentum=0.5, nesterov=True), Adam(), AdamW(), RMSprop(), Adagrad())


def options(rng, problem, training):
    """More of what a training may be asked for, and the weights of the rows."""
    rates = (
        training.learning_rate, Cosine(0.1, epochs=3), Step(0.1, every=1, factor=0.5), OneCycle(0.1, epochs=4),
        Exponential(0.1, 0.7), WarmUp(1, InverseScaling(0.1)),
    )  # fmt: skip
    asked = {
        "optimizer": OPTIMIZERS[rng.integers(len(OPTIMIZERS))],
        "learning_rate": rates[rng.integers(len(rates))] if rng.random() < 0.5 else training.learning_rate,
        "l2": float(rng.choice([0.0, 0.0, 0.01])),
        "l1": float(rng.choice([0.0, 0.0, 0.01])),
        "threads": int(rng.integers(1, 4)),
        "epochs_before": int(rng.integers(0, 3)),
        "watched": bool(rng.random() < 0.3),
    }
    clip = rng.random()
    asked |= {"clip_norm": 0.5} if clip < 0.15 else {"clip_value": 0.05} if clip < 0.3 else {}
    if rng.random() < 0.3 and len(problem.spec.layers) > 2:
        asked["dropout"] = tuple(float(rate) for rate in rng.choice([0.0, 0.2, 0.5], len(problem.spec.layers) - 2))
        asked["dropout_seed"] = int(rng.integers(2**31))
    weights = (rng.integers(0, 4, len(problem.x)) / 2).astype(problem.spec.dtype) if rng.random() < 0.3 else None
    if weights is not None and not weights.any():
        weights = None
    return dataclasses.replace(training, **asked), weights


def fuzz(count, seed, seconds=0.25):
    """-> {what: how often}. Raises AssertionError at the first difference."""
    rng, counts = np.random.default_rng(seed), Counter()
    for number in range(count):
        problem, training = draw(rng, seconds)
        training, weights = options(rng, problem, training)
        if callable(training.order) and training.epochs_before:
            training = dataclasses.replace(training, epochs_before=0)
        batch = min(training.batch_size, len(problem.x))
        passes = [None, *PASSES]
        if fits_few(problem.spec, training, batch, weights is not None):
            passes.append("few")
        expected = finish(reference_backend.train, problem, training, weights)
        for name in passes:
            try:
                assert_same_result(finish(numba_backend.train, problem, training, weights, pass_name=name), expected)
            except AssertionError as error:
                raise AssertionError(f"training {number} of seed {seed}, pass {name}: {problem} {training}") from error
            counts[f"by the pass {name or 'that is chosen'}"] += 1
        counts["trainings"] += 1
        counts[f"of state {expected.state}"] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for what, times in sorted(fuzz(arguments.count, arguments.seed).items()):
        print(f"{times:8d} {what}")
    print("all bits equal")
