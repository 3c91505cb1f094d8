"""Networks, data and whole trainings, made from whole numbers by fastmlp's own generator: the same bits everywhere."""

from dataclasses import dataclass

import numpy as np
from bits import assert_same_bits, lines

from fastmlp.engine import numba_backend, reference_backend
from fastmlp.engine.choose import fits_few
from fastmlp.losses import CrossEntropy, Huber, Quantile
from fastmlp.reference import random
from fastmlp.spec import HIDDEN, LOSSES, Spec
from fastmlp.training import RECORD, State, Training

# every loss by its name, so as it is by default; and those that have a setting with another
OUTPUTS = [
    *((output, loss) for output, losses in LOSSES.items() for loss in losses),
    ("softmax", CrossEntropy(0.125)), ("identity", Huber(0.375)), ("identity", Quantile(0.875)),
]  # fmt: skip
INPUTS, TARGETS, BIASES = 101, 102, 103  # streams that the package does not use
PASSES = ("streamed", "layered", "rowwise")
FIGURES = [name for name in RECORD.names if name != "seconds"]  # of a record: epoch, loss, accuracy and so on


def name_of(output):
    """A test's name for an entry of OUTPUTS."""
    return "-".join(map(str, output))


@dataclass(frozen=True)
class Problem:
    """A network with its initial parameters, and data for it."""

    spec: Spec
    parameters: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @classmethod
    def make(cls, seed, layers, rows, hidden="relu", output="softmax", loss=None, dtype="float64", **more):
        """more: "soft", whether targets are probabilities; "input_scale"."""
        spec = Spec.build(layers, hidden, output, loss, dtype, more.get("input_scale", False))
        parameters = np.zeros(spec.parameters, dtype)
        scale = spec.scale_of(parameters)
        scale[:] = random.uniform(seed, BIASES, 2**31, len(scale)) + 0.5
        for layer, (w, b) in enumerate(spec.views(parameters)):
            w[:] = random.initial_weights(seed, layer, *w.shape, "glorot_normal")
            b[:] = random.uniform(seed, BIASES, layer, len(b)) - 0.5
        x = (4 * random.uniform(seed, INPUTS, 0, rows * spec.inputs) - 2).astype(dtype).reshape(rows, -1)
        u = random.uniform(seed, TARGETS, 0, rows * spec.targets).reshape(rows, -1)
        y = {
            "softmax": np.floor(u * spec.outputs)[:, 0], "sigmoid": u > 0.5, "identity": 2 * u - 1,
            "exponential": np.floor(4 * u * u),
        }[spec.output]  # fmt: skip
        if more.get("soft"):  # eighths, and halves and thirds
            drawn = random.uniform(seed, TARGETS, 1, 8 * rows).reshape(rows, 8)
            y = (np.floor(drawn * spec.outputs)[:, :, None] == np.arange(spec.outputs)).sum(axis=1) / 8
            y[::3] = y[::3] >= y[::3].max(axis=1, keepdims=True)  # some of them one-hot
            y /= y.sum(axis=1)[:, None]
        return cls(spec, parameters, x, y.astype(dtype))


@dataclass(frozen=True)
class Result:
    """What came of a training: the last step's state and epoch, all FIGURES, the parameters, the count of steps."""

    state: str
    epochs: int
    records: list
    parameters: np.ndarray
    steps: int
    optimizer: State


def finish(train, problem, training, weights=None, state=None, **options):
    """Runs `engine.train` or `definition.train` to its end, from a copy of the optimizer's state or a new one."""
    parameters = problem.parameters.copy()
    state = state.copy() if state else State.new(training.optimizer, problem.spec.parameters, problem.spec.dtype)
    before = problem.x.copy(), problem.y.copy()
    records, steps = [], 0
    with np.errstate(all="ignore"):
        for step in train(problem.spec, parameters, problem.x, problem.y, training, state, weights, **options):
            records += step.records[FIGURES].tolist()
            steps += 1
    assert_same_bits(problem.x, before[0], "x, which training must not change")
    assert_same_bits(problem.y, before[1], "y, which training must not change")
    return Result(step.state, step.epochs, records, parameters, steps, state)


def assert_same_result(got, expected):
    """Raises AssertionError unless two trainings ended alike, with the same records and parameters, bit for bit."""
    assert (got.state, got.epochs) == (expected.state, expected.epochs)
    a, b = (np.array(result.records, np.float64) for result in (got, expected))
    assert_same_bits(a, b, "records")
    assert_same_bits(got.parameters, expected.parameters, "parameters")
    if expected.state != "diverged":  # its optimizer is of no use, and in no defined state
        assert_same_bits(got.optimizer.vectors, expected.optimizer.vectors, "the optimizer's vectors")
        assert_same_bits(got.optimizer.powers, expected.optimizer.powers, "the optimizer's powers")


def cost(spec, rows, batch, epochs):
    """About the seconds that the reference takes: 60 ns a product, and 80 us a call of fma."""
    products = rows * 3 * sum(inputs * outputs for inputs, outputs in spec.shapes)
    calls = -(-rows // batch) * (3 * sum(spec.layers) + 30) + rows / lines(spec.dtype) * len(spec.shapes)
    return epochs * (products * 60e-9 + calls * 80e-6)


def draw(rng, seconds):
    """A random problem and training that the reference does in about `seconds` or less."""
    while True:
        depth = int(rng.integers(1, 6))
        layers = [int(n) for n in np.exp(rng.uniform(0, np.log(71), depth + 1))]
        output, loss = OUTPUTS[rng.integers(len(OUTPUTS))]
        if output == "softmax":
            layers[-1] = max(2, layers[-1])
        rows = int(np.exp(rng.uniform(0, np.log(1101)))) if rng.random() < 0.5 else int(rng.integers(1, 1101))
        batch = rows if rng.random() < 0.5 else int(rng.integers(1, rows + 1))
        epochs = int(rng.integers(1, 5))
        hidden = [str(name) for name in rng.choice(HIDDEN, depth - 1)]
        dtype = str(rng.choice(["float64", "float32"]))
        spec = Spec.build(layers, hidden, output, loss, dtype)
        if cost(spec, rows, batch, epochs) < seconds:
            break
    problem = Problem.make(int(rng.integers(2**31)), layers, rows, hidden, output, loss, dtype)
    order = [None, int(rng.integers(2**62)), lambda epoch: np.random.RandomState(epoch).permutation(rows)]
    training = Training(
        epochs=epochs,
        learning_rate=float(rng.choice([0.01, 0.1, 0.7])),
        batch_size=batch,
        record_every=int(rng.choice([1, 1, 2, 3])),
        order=order[rng.integers(3)],
    )
    return problem, training


def check_training(problem, training, weights=None, state=None, passes=PASSES):
    """Trains by the definition and by each pass, and that of few rows if it can. Raises AssertionError where they
    differ in any bit."""
    if passes == PASSES and fits_few(
        problem.spec, training, min(training.batch_size, len(problem.x)), weights is not None
    ):
        passes += ("few",)
    expected = finish(reference_backend.train, problem, training, weights, state)
    for pass_name in passes:
        assert_same_result(
            finish(numba_backend.train, problem, training, weights, state, pass_name=pass_name), expected
        )
    return expected
