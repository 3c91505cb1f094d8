"""What the command runs: every pair's cases, the digests, trainings of all kinds, predictions and scores.

All compare bits as well, so that what comes of a wrong access is seen, too. `every`: how many are left out for each
that is done.
"""

import itertools
import json

import numpy as np
from cases import CASES, check
from digests import GOLDEN, jobs
from long.fuzz_together import fuzz
from trainings import OUTPUTS, Problem, assert_same_result, finish

from fastmlp import SGD, Adagrad, Adam, AdamW, Model, RMSprop
from fastmlp.engine import choose, numba_backend, reference_backend, sizes
from fastmlp.kernels import registry
from fastmlp.optimizers import ClassicalSGD, PlainAdam
from fastmlp.schedules import Cosine
from fastmlp.spec import DTYPES, HIDDEN, LOSSES
from fastmlp.training import Objective, Training
from tools.bounds import ranges


class Alone:
    """A kernel as `pairs.Kernel`, which may access the arrays of its call alone, and each to its last number."""

    def __init__(self, kernel):
        self.kernel, self.function, self.arguments = kernel, kernel.function, kernel.arguments

    def __call__(self, dtype, *arguments):
        ranges.only([value for value in arguments if isinstance(value, np.ndarray)])
        try:
            return self.kernel(dtype, *arguments)
        finally:
            ranges.everything()


def run_pairs(every=1):
    """Each pair that has cases, at all sizes."""
    for name in CASES:
        for dtype in registry.PAIRS[name].dtypes:
            check(name, Alone(registry.PAIRS[name]), dtype, every)


def run_digests(every=1):
    """The trainings and functions of tests/golden.json."""
    golden = json.loads(GOLDEN.read_text())["digests"]
    differ = [name for name, job in list(jobs().items())[::every] if job(True) != golden[name]]
    assert not differ, f"digests of checked kernels that are not those of golden.json: {differ}"


# ---------------------------------------------------------------------------------------------------------
# Trainings

OPTIONS = [  # fields of a Training, and whether rows have weights; losses with a setting are among OUTPUTS
    ({}, False),
    ({"record_every": 5}, False),
    ({"optimizer": SGD(momentum=0.9)}, False),
    ({"optimizer": Adam(), "l2": 0.01}, True),
    ({"dropout": 0.4, "dropout_seed": 5}, False),
    ({"optimizer": AdamW(), "dropout": 0.3, "clip_norm": 0.1}, True),
    ({"l2": 0.1, "l1": 0.01, "clip_value": 0.05}, False),
    ({"optimizer": SGD(momentum=0.5, nesterov=True), "clip_norm": 0.01}, False),
    ({"optimizer": RMSprop(), "learning_rate": Cosine(0.1, epochs=3)}, True),
    ({"optimizer": RMSprop(momentum=0.5)}, False),
    ({"optimizer": Adagrad(), "l1": 0.01}, False),
    ({"optimizer": ClassicalSGD(momentum=0.9, nesterov=False), "objective": Objective(), "l2": 0.5}, False),
    ({"optimizer": ClassicalSGD(), "objective": Objective(0.5), "l2": 0.5}, True),
    ({"optimizer": PlainAdam(), "objective": Objective()}, False),
]
# Inputs and hidden units, on either side of a register, a line and a panel.
NETWORKS = [
    [1], [2, 2], [3, 5], [8, 8, 8], [9, 7, 1], [5, 17, 4], [15, 16], [2, 33, 3], [17, 31, 9], [1, 64], [66, 65],
    [3, 5, 4, 6, 2, 7], [129, 3], [7, 130, 12], [40, 40],
]  # fmt: skip
LAST = (1, 2, 3, 4, 33)  # outputs; 33 of float32 are read as 64, as many as kernels ever read too much
# (rows, batch): one row, few, less than a group, chunks, spans, and one more or less; whole batches and short ones.
SIZES = [
    (1, 1), (2, 2), (3, 1), (4, 4), (5, 3), (7, 7), (8, 8), (9, 9), (11, 1), (15, 15), (16, 16), (17, 5), (31, 32),
    (33, 33), (70, 64), (100, 13), (255, 255), (511, 511), (512, 512), (513, 513), (700, 512), (1023, 1023),
    (1025, 1025), (1100, 600), (1537, 1537), (2049, 2049), (2561, 1030),
]  # fmt: skip
TILE_BYTES = (sizes.TILE_BYTES, 1500, 4000)  # chunks come in one tile, or in several
TOGETHER = 60  # cases of models that train together
CALL_SECONDS = numba_backend.CALL_SECONDS  # a call ends after so long; with none, it ends within an epoch


def run_trainings(every=1):
    """Networks, options, outputs, activations and tiles in turns, by each pass that can, and by two threads."""
    turns = zip(*map(itertools.cycle, (NETWORKS, OPTIONS, OUTPUTS, HIDDEN, TILE_BYTES)))  # noqa: B905 (without an end)
    every_size = itertools.product(range(len(LAST)), SIZES, DTYPES)
    plain = itertools.product((0, 1), ((3, 1), (4, 4), (7, 7), (9, 1)), DTYPES, NETWORKS, [OPTIONS[1]], OUTPUTS)
    runs = [(*size, *turn) for size, turn in zip(every_size, turns, strict=False)]
    plain = zip(itertools.islice(plain, 0, None, 5), itertools.cycle(HIDDEN), strict=False)
    runs += [(*run, hidden, TILE_BYTES[0]) for run, hidden in plain]
    runs += [
        (1, (40, 40), dtype, [330, 310], ({}, False), ("softmax", None), "relu", TILE_BYTES[0]) for dtype in DTYPES
    ]
    for run in runs[::every]:
        _train(*run)


def _train(seed, size, dtype, layers, options, output, hidden, tile_bytes):
    (rows, batch), (asked, weighed) = size, options
    last = max(LAST[seed % len(LAST)], 1 + (output[0] == "softmax"))
    problem = Problem.make(seed, [*layers, last], rows, hidden, *output, dtype)
    plain = {"learning_rate": 0.1, "batch_size": batch, "record_every": 1, "order": (None, 7)[seed % 2]}
    training = {**plain, **asked}
    if "dropout" in training:
        training["dropout"] = (training["dropout"],) * (len(layers) - 1)
    weights = (np.arange(rows) % 3).astype(dtype) if weighed else None
    assert hasattr(sizes, "TILE_BYTES")
    assert hasattr(numba_backend, "CALL_SECONDS")
    sizes.TILE_BYTES, numba_backend.CALL_SECONDS = tile_bytes, (CALL_SECONDS, 1e-9)[seed % 2]
    first = None
    for pass_name, threads in _ways(problem.spec, Training(3, **training), rows, batch, weighed):
        found = finish(
            numba_backend.train, problem, Training(3, **training, threads=threads), weights, pass_name=pass_name
        )
        first = first or found
        assert_same_result(found, first)
    sizes.TILE_BYTES, numba_backend.CALL_SECONDS = TILE_BYTES[0], CALL_SECONDS


def _ways(spec, training, rows, batch, weighed):
    """(pass_name, threads) that can do a training."""
    yield from (("streamed", 1), ("streamed", 2), ("layered", 1), ("layered", 2), (None, None))
    if rows <= 300:
        yield "rowwise", 1
    if choose.fits_few(spec, training, min(batch, rows), weighed):
        yield "few", 1


def run_together(every=1):
    """Random models in lanes of groups, each against itself alone."""
    counts = fuzz(max(1, TOGETHER // every), seed=2, most=1)  # ranges.py has one table for all threads
    assert counts["in groups"] or every > 1


# ---------------------------------------------------------------------------------------------------------
# Predictions and scores

COUNTS = (1, 2, 3, 4, 5, 7, 9, 15, 17, 31, 32, 33, 70, 127, 129, 257, 511, 513, 1031)


def run_predictions(every=1):
    """Models' outputs, labels and scores of all counts of rows: rows as they lie, and rows that are converted."""
    lasts, hidden = itertools.cycle(LAST), itertools.cycle(HIDDEN)
    networks = [
        ([*layers, max(next(lasts), 1 + (output == "softmax"))], next(hidden), output, dtype)
        for layers, output, dtype in itertools.product(NETWORKS, LOSSES, DTYPES)
    ]
    for layers, activation, output, dtype in networks[::every]:
        _predict(Problem.make(3, layers, max(COUNTS), activation, output, None, dtype))


def _predict(problem):
    spec = problem.spec
    model = Model(spec.layers, hidden=spec.hidden, output=spec.output, dtype=spec.dtype)
    model.set_weights(spec.views(problem.parameters))
    predictor = model.predictor()
    expected = reference_backend.outputs(spec, problem.parameters, problem.x)
    scores = {}
    for count, threads in itertools.product(COUNTS, (1, 2)):
        x, y = problem.x[:count].copy(), problem.y[:count].copy()
        found = [numba_backend.outputs(spec, problem.parameters, x, pass_name, threads) for pass_name in PASSES]
        found += [_outputs(model, rows, threads) for rows in (x, np.asfortranarray(x))]
        found += [predictor(x), np.array([predictor(row) for row in x[:5]])] if threads == 1 else []
        for outputs in found:
            assert outputs.tobytes() == expected[: len(outputs)].tobytes(), (spec, count, threads)
        model.predict(x, threads=threads)
        for pass_name in PASSES:
            score = numba_backend.evaluate(spec, problem.parameters, x, y, pass_name, threads)
            assert scores.setdefault(count, score) == score, (spec, count, threads)


PASSES = ("streamed", "layered", "rowwise", None)


def _outputs(model, x, threads):
    found = model.predict_proba(x, threads=threads) if model.spec.is_classifier else model.predict(x, threads=threads)
    return found.reshape(len(x), -1)
