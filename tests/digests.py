"""Digests of trainings, predictions, elementary functions and random numbers: the promise of equal bits, in hex.

    python tests/digests.py            prints them as JSON, with the kernels that ran
    python tests/digests.py --pairs    first compares each pair, at some of its sizes
    python tests/digests.py --check    compares with tests/golden.json; needs no more than NumPy, Numba and pytest
    python tests/digests.py --check layers "mini-batches"     those whose names hold one of these words
    python tests/digests.py --write    computes tests/golden.json again, by the reference

Everything is made from whole numbers by fastmlp's own generator, so the digests are the same on every machine.
`golden.json` changes only with the numerics version: a change of bits on both sides at once shows here.
"""

import contextlib
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from cases import CASES, check
from trainings import Problem, finish

from fastmlp import Model
from fastmlp.core.preprocess import RobustScale
from fastmlp.engine import initial_weights, model_lanes, numba_backend, reference_backend
from fastmlp.engine.forward import forward_of
from fastmlp.engine.model_lanes import Member
from fastmlp.kernels import registry
from fastmlp.losses import CrossEntropy, Huber, Quantile
from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, ClassicalSGD, PlainAdam, RMSprop
from fastmlp.reference import elementary, gradients, losses, optimizers, preprocess, random
from fastmlp.reference.arithmetic import lanes
from fastmlp.schedules import Cosine, CosineLog, Exponential, FlatCosine, InverseScaling, OneCycle, Step, WarmUp
from fastmlp.spec import DTYPES, NUMERICS_VERSION, Spec
from fastmlp.system.atomic import together
from fastmlp.tables import recipe
from fastmlp.training import Objective, RateFactors, State, Training

GOLDEN = Path(__file__).parent / "golden.json"
MAPS = ("exp", "exp_nonpositive", "expm1_nonpositive", "log", "log1p", "normal_cdf", "sigmoid", "tanh")
# Every kernel runs; a chunk comes in one tile, in three and in five (whose rows end within a line), the last chunk is
# short, batches are whole, short, and of one row.
TRAININGS = {  # name: (layers, hidden, output, loss, rows, batch, shuffled, epochs, pass_name)
    "three chunks": ([2, 8, 8, 2], "relu", "softmax", None, 1100, 1100, False, 3, "streamed"),
    "three tiles": ([3, 8, 3], "tanh", "softmax", None, 700, 700, False, 2, "streamed"),
    "five tiles": ([10, 20, 20, 3], "relu", "softmax", None, 512, 512, False, 2, "streamed"),
    "mini-batches": ([3, 5, 4, 2], ["tanh", "sigmoid"], "sigmoid", None, 257, 100, True, 3, "streamed"),
    "curves": (
        [3, 9, 5, 6, 4, 7, 3],
        ["leaky_relu", "elu", "selu", "softplus", "gelu"],
        "softmax",
        None,
        70,
        32,
        True,
        2,
        "streamed",
    ),
    "gelu_erf": ([3, 9, 2], "gelu_erf", "softmax", None, 20, 1, False, 2, "rowwise"),
    "silu": ([3, 9, 2], "silu", "softmax", None, 20, 1, False, 2, "rowwise"),
    "mish": ([3, 9, 5, 2], ["mish", "selu"], "softmax", None, 50, 16, True, 2, "streamed"),
    "wide": ([9, 33, 70, 13, 2, 5], "relu", "identity", None, 100, 64, True, 2, "streamed"),
    "one row": ([4, 9, 33, 1], ["sigmoid", "relu"], "sigmoid", "squared_error", 40, 1, True, 2, "rowwise"),
    "few rows": ([5, 17, 4, 3], ["tanh", "identity"], "softmax", None, 31, 7, False, 2, "rowwise"),
    "few values": ([2, 6, 2], "sigmoid", "identity", None, 25, 25, False, 2, "rowwise"),
    "smooth labels": ([4, 7, 5], "tanh", "softmax", CrossEntropy(0.1), 130, 50, True, 3, "streamed"),
    "soft targets": ([4, 7, 5], "tanh", "softmax", CrossEntropy(0.1), 130, 50, True, 3, "streamed"),
    "absolute errors": ([3, 6, 3], "relu", "identity", "absolute_error", 90, 90, False, 3, "streamed"),
    "huber": ([3, 6, 2], "silu", "identity", Huber(0.3), 90, 32, True, 3, "streamed"),
    "quantile": ([3, 6, 1], "tanh", "identity", Quantile(0.9), 30, 1, True, 2, "rowwise"),
    "counts": ([3, 5, 4], "tanh", "exponential", "poisson", 75, 25, True, 3, "streamed"),
    "small batches": ([2, 3, 2, 1], ["sigmoid", "elu"], "sigmoid", "squared_error", 20, 6, True, 4, None),
    "layers": ([17, 70, 33, 5], ["relu", "tanh"], "softmax", None, 1100, 1030, True, 2, "layered"),
}
TOGETHER = ("three chunks", "layers")  # by two threads
# The same with more of what a training may be asked for: (a name of TRAININGS, fields of the Training, weights?)
ASKED = {
    "momentum, l2, l1, dropout": (
        "mini-batches", {"optimizer": SGD(momentum=0.9), "l2": 0.01, "l1": 0.001, "dropout": (0.5, 0.2)}, True,
    ),
    "nesterov, norm, dropout": (
        "one row", {"optimizer": SGD(momentum=0.5, nesterov=True), "clip_norm": 0.1, "dropout": (0.0, 0.3)}, True,
    ),
    "adam, value, one cycle": (
        "three tiles", {"optimizer": Adam(), "clip_value": 0.01, "learning_rate": OneCycle(0.1, epochs=2)}, False,
    ),
    "adamw, warm-up": ("curves", {"optimizer": AdamW(), "learning_rate": WarmUp(1, InverseScaling(0.1))}, False),
    "rmsprop, exponential": ("smooth labels", {"optimizer": RMSprop(), "learning_rate": Exponential(0.01, 0.5)}, True),
    "adagrad, step": ("counts", {"optimizer": Adagrad(), "learning_rate": Step(0.1, every=1, factor=0.25)}, True),
    "adam, dropout, by layers": (
        "layers", {"optimizer": Adam(), "dropout": (0.5, 0.2), "learning_rate": 0.01}, True,
    ),
    "momentum of rates, objective": (
        "mini-batches", {"optimizer": ClassicalSGD(momentum=0.9, nesterov=False), "l2": 0.5,
                         "objective": Objective(bound=0.01)}, True,
    ),
    "nesterov of rates, objective": (
        "few values", {"optimizer": ClassicalSGD(), "l2": 0.5, "objective": Objective(0.25)}, False,
    ),
    "plain adam, objective": ("three tiles", {"optimizer": PlainAdam(), "objective": Objective(bound=0.25)}, False),
    "an epoch without a record": ("three chunks", {"record_every": 3}, False),
    "a record now and then": ("small batches", {"record_every": 3}, False),
    "rmsprop with momentum, cosine of logarithms": (
        "mish", {"optimizer": RMSprop(momentum=0.9), "learning_rate": CosineLog(0.01, 2)}, True,
    ),
    "adam, flat cosine": ("mini-batches", {"optimizer": Adam(), "learning_rate": FlatCosine(0.05, 3)}, False),
    "input scale, rate factors": (
        "three tiles", {"optimizer": AdamW(weight_decay=0.1, decay_biases=False),
                        "rate_factors": RateFactors((0.5, 2.0), (0.1, 0.1), 6.0)}, False,
    ),
    "cosine": ("few rows", {"learning_rate": Cosine(0.5, epochs=2)}, True),
}  # fmt: skip


# Models that are trained together, each with weights, rows, an order, a rate and a penalty of its own:
# (layers, hidden, output, loss, rows, batch, optimizer)
MODELS = {
    "two sigmoids": ([2, 2, 1], "sigmoid", "sigmoid", "squared_error", 4, 1, None),
    "labels": ([2, 8, 8, 2], "relu", "softmax", None, 13, 4, None),
    "curves": ([4, 7, 5, 3], ["tanh", "gelu"], "softmax", None, 40, 17, Adam()),
    "values": ([3, 6, 2], "silu", "identity", Huber(0.3), 30, 30, SGD(momentum=0.9)),
    "mish": ([3, 6, 2], "mish", "softmax", None, 20, 6, None),
}


def models_digest(by_kernel, name, dtype):
    """Of the records and parameters of 9 models."""
    layers, hidden, output, loss, rows, batch, optimizer = MODELS[name]
    members, recorded = [], []
    for k in range(9):
        problem = Problem.make(k, layers, rows, hidden, output, loss, dtype)
        more = {"order": k, "l2": 0.001 * k, "optimizer": optimizer}
        training = Training(3, 0.5 / (k + 1), batch, record_every=2, **more)
        state = State.new(optimizer, problem.spec.parameters, dtype)
        members.append(Member(problem.parameters.copy(), problem.x, problem.y, training, state))
        recorded.append([])
        if not by_kernel:
            of = problem.spec, members[k].parameters, problem.x, problem.y, training, state
            recorded[k] += [step.records for step in reference_backend.train(*of)]
    if by_kernel:
        for steps in model_lanes.train(problem.spec, members):
            for k, step in steps.items():
                together(step.changes)
                recorded[k].append(step.records)
    figures = [np.concatenate([part[figure] for part in own]) for own in recorded for figure in ("loss", "accuracy")]
    return digest(np.array(figures), *(member.parameters for member in members))


def training_digest(backend, name, dtype, asked=None, weighed=False):
    """Of a training's records and parameters, and of the trained network's outputs and loss.

    asked: more fields of the Training, whose learning rates and optimizer's vectors then count, too.
    """
    layers, hidden, output, loss, rows, batch, shuffled, epochs, pass_name = TRAININGS[name]
    scaled = bool(asked and "rate_factors" in asked)
    problem = Problem.make(
        1, layers, rows, hidden, output, loss, dtype, soft=name.startswith("soft"), input_scale=scaled
    )
    order = 2 if shuffled else None
    plain = {"learning_rate": 0.5, "batch_size": batch, "record_every": 1, "order": order, "dropout_seed": 3}
    plain["threads"] = 2 if name in TOGETHER else 1
    training = Training(epochs, **{**plain, **(asked or {})})
    options = {} if backend is reference_backend else {"pass_name": pass_name}
    initial_weights = (4 * random.uniform(6, 0, 0, rows)).astype(dtype) if weighed else None
    result = finish(backend.train, problem, training, initial_weights, **options)
    data = problem.spec, result.parameters, problem.x
    evaluated = backend.evaluate(*data, problem.y, **options)
    outputs = backend.outputs(*data, **options), backend.logits(*data, **options)
    if backend is not reference_backend and name in TOGETHER:  # by two threads the same
        assert backend.evaluate(*data, problem.y, **options, threads=2) == evaluated
        assert backend.outputs(*data, **options, threads=2).tobytes() == outputs[0].tobytes()
    if backend is not reference_backend:  # a few rows' outputs come by a call of their own
        few = forward_of(problem.spec, result.parameters, "numba")("outputs", problem.x[:5])
        assert few.tobytes() == outputs[0][:5].tobytes()
    recorded = np.array(result.records)[:, :3]  # epoch, loss, accuracy
    if asked:
        recorded = np.array(result.records)[:, :4]
        outputs = *outputs, result.optimizer.vectors, result.optimizer.powers
    return digest(recorded, result.parameters, np.array(evaluated), *outputs)


def map_digest(by_kernel, name, dtype):
    """Of a function's values at numbers of random bits and at ordinary ones."""
    words = random.words(3, 0, 0, 4096)
    x = words.view(dtype)
    x = np.concatenate([x, (40 * random.uniform(3, 1, 0, 4096) - 20).astype(dtype)])
    x = -np.abs(x) if name.endswith("_nonpositive") else np.abs(x) if name == "log1p" else x
    if not by_kernel:
        return digest(getattr(elementary, name)(x))
    y = np.empty_like(x)  # a multiple of every register
    registry.PAIRS[f"elementary.map_{name}"](dtype, x, y, len(x))
    return digest(y)


def weigh_digest(by_kernel, dtype):
    """Of 77 rows' derivatives, weighed by 0 to 3, and of the weights' sums in each lane."""
    rows, J, line = 77, 3, lanes(dtype)
    dz = (8 * random.uniform(5, 0, 0, rows * J) - 4).astype(dtype).reshape(J, rows)
    some = np.trunc(8 * random.uniform(5, 1, 0, rows)).astype(dtype) * np.dtype(dtype).type(0.5)
    if not by_kernel:
        sums = np.zeros(line, dtype)
        for n, weight in enumerate(some):
            sums[n % line] += weight
        return digest(losses.weigh(dz.T, some, some)[0].T, sums)
    stride = 96
    tile, unit = np.zeros((J, stride), dtype), np.zeros(stride, dtype)
    tile[:, :rows], unit[:rows], sums = dz, some, np.zeros(line, dtype)
    registry.PAIRS["losses.weigh"](dtype, tile, unit, sums, J, rows, stride)
    return digest(tile[:, :rows], sums)


def weights_digest(by_kernel, init):
    """Of initial weights, of more than `weights.FEW` so that kernels draw them."""
    return digest(
        initial_weights.initial_parameters(Spec.build([70, 70, 2]), init, 4, "numba" if by_kernel else "reference")
    )


# The optimizers beside gradient descent: this update's numbers, and those of all updates.
UPDATES = {
    "momentum": ((0.1,), (0.9,)),
    "nesterov": ((0.1,), (0.9,)),
    "classical_momentum": ((0.1,), (0.9,)),
    "classical_nesterov": ((0.1,), (0.9,)),
    "adam": ((0.01, 1.5, 0.999), (0.9, 0.1, 0.99, 0.01, 1e-8)),
    "rmsprop": ((0.01,), (0.99, 0.01, 1e-8)),
    "rmsprop_momentum": ((0.01,), (0.99, 0.01, 1e-8, 0.9)),
    "adagrad": ((0.01,), (1e-10,)),
}
# What is done to gradients: its numbers.
PREPARATIONS = {"scaled": (1 / 3,), "penalized": (0.1, 0.01), "clipped_by_value": (5.0,), "clipped_by_norm": (7.0,)}
MANY = 1801  # numbers: four chunks, the last one short, and no whole register


def numbers(stream, dtype):
    """Numbers between -20 and 20, and room behind them for a line or two."""
    x = np.zeros(MANY + 32, dtype)
    x[:MANY] = (40 * random.uniform(3, stream, 0, MANY) - 20).astype(dtype)
    return x


def optimizer_digest(by_kernel, name, dtype):
    """Of the parameters and the state after three updates."""
    scale = np.dtype(dtype).type(1 / 3)
    step, settings = (np.array(values, dtype) for values in UPDATES[name])
    vectors = 2 if name in ("adam", "rmsprop_momentum") else 1
    size = (MANY + 1 + 64 // scale.itemsize) // (64 // scale.itemsize) * (64 // scale.itemsize)
    p, state = numbers(2, dtype), np.zeros((vectors, size), dtype)
    for update in range(3):
        total = numbers(3 + update, dtype)
        if by_kernel:
            registry.PAIRS[f"optimizers.{name}"](dtype, p, total, scale, state, step, settings, MANY)
        else:
            made = getattr(optimizers, name)(p[:MANY], total[:MANY], scale, *state[:, :MANY], *step, *settings)
            p[:MANY], state[:, :MANY] = made[0], made[1:]
    return digest(p[:MANY], state[:, :MANY])


def preparation_digest(by_kernel, name, dtype):
    """Of a gradient that was scaled, penalized or clipped."""
    settings = [np.dtype(dtype).type(value) for value in PREPARATIONS[name]]
    g, w, scratch = numbers(2, dtype), numbers(3, dtype), np.zeros(32, dtype)
    if not by_kernel:
        initial_weights = [w[:MANY]] if name == "penalized" else []
        return digest(getattr(gradients, name)(g[:MANY], *initial_weights, *settings))
    others = {"penalized": [w], "clipped_by_norm": [scratch]}.get(name, [])
    registry.PAIRS[f"gradients.{name}"](dtype, g, *others, *settings, MANY)
    return digest(g[:MANY])


def permutation_digest(by_kernel, count):
    order = np.empty(count, np.int64)
    if by_kernel:
        registry.PAIRS["random.permutation"]("float64", 2**64 - 1 - 2**64, 7, count, order)
    else:
        order[:] = random.permutation(2**64 - 1, 7, count)
    return digest(order)


def preprocess_digest(by_kernel):
    """Of two chunks of columns: mean, deviation, standardised and back, a median, filled cells and one-hot rows."""
    x = np.trunc(4096 * random.uniform(6, 0, 0, 3 * 1001)).reshape(1001, 3) / 64 + [0.0, 1e6, -3.5]
    x[:, 2] = 0.1
    values, codes = x[:, 0].copy(), np.arange(1001) % 5 - 1
    if not by_kernel:
        mean = preprocess.mean(x)
        deviation = preprocess.deviation(x, mean)
        z = preprocess.standardised(x, mean, deviation)
        back, middle = preprocess.unstandardised(z, mean, deviation), np.array([preprocess.median(values)])
        values[::7] = np.nan
        return digest(mean, deviation, z, back, middle, *preprocess.filled(values, 0.5), preprocess.one_hot(codes, 3))

    def run(name, *arguments):
        registry.PAIRS[f"preprocess.{name}"]("float64", *arguments)

    mean, deviation, middle, sums = np.empty(3), np.empty(3), np.empty(1), np.empty(30)
    run("mean", x, 1001, 3, sums, mean)
    run("deviation", x, mean, 1001, 3, sums, deviation)
    z, back = np.empty_like(x), np.empty_like(x)
    run("standardised", x, mean, deviation, 1001, 3, z)
    run("unstandardised", z, mean, deviation, 1001, 3, back)
    run("median", values, 1001, np.empty(1001), middle)
    values[::7] = np.nan
    to, flags, hot = np.empty(1001), np.empty(1001), np.empty((1001, 3))
    run("filled", values, 0.5, 1001, to, flags)
    run("one_hot", codes, 3, 1001, hot)
    return digest(mean, deviation, z, back, middle, to, flags, hot)


def robust_digest(by_kernel):
    """Of two chunks of columns, one of few values: quartiles, and rows that are scaled by them and clipped smoothly."""
    x = random.uniform(7, 0, 0, 3 * 1001).reshape(1001, 3)
    x = x * x * x * [1.0, 1e200, -8.0]
    x[:, 2] = np.trunc(x[:, 2])
    if not by_kernel:
        found = np.array([[preprocess.quartile(x[:, k], number) for k in range(3)] for number in (1, 2, 3)])
        spread = preprocess.robust_spread(found[0], found[2], x.min(axis=0), x.max(axis=0))
        return digest(found, spread, preprocess.smoothly_clipped(x, found[1], spread))
    found, z = np.empty((3, 3)), np.empty_like(x)
    for number in (1, 2, 3):
        for k in range(3):
            one = np.empty(1)
            values = np.ascontiguousarray(x[:, k])
            registry.PAIRS["preprocess.quartile"]("float64", values, number, 1001, np.empty(1001), one)
            found[number - 1, k] = one[0]
    spread = preprocess.robust_spread(found[0], found[2], x.min(axis=0), x.max(axis=0))
    registry.PAIRS["preprocess.smoothly_clipped"]("float64", x, found[1].copy(), spread, 1001, 3, z)
    return digest(found, spread, z)


def robust_single_digest(by_kernel):
    """Robust scaling of float32 columns: the second is constant but for rounding, the fourth whole numbers."""
    x = random.uniform(8, 1, 0, 4 * 8200).reshape(8200, 4)
    x = (x * np.array([1.0, 1e-7, 1e-5, 9.0]) + np.array([0.0, 1.0, 1.0, 0.0])).astype(np.float32).astype(np.float64)
    x[:, 3] = np.floor(x[:, 3])
    scale = RobustScale.of(x, range(4), "numba" if by_kernel else "reference")
    return digest(scale.mean, scale.deviation, scale.forward(x, "numba" if by_kernel else "reference"))


def recipe_digest(by_kernel, task, weighed=False):
    """A training by the recipe for tables, with rows that validate; weighed: none of them counts as the next."""
    x = (4 * random.uniform(8, 0, 0, 5 * 300).reshape(300, 5) - 2).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0.3).astype(int) if task == "classify" else x[:, :1] * x[:, 1:2] - x[:, 2:3]
    outputs = 2 if task == "classify" else 1
    backend = "numba" if by_kernel else "reference"
    model = Model(seed=5, backend=backend, **recipe.network(task, 5, (16, 8), outputs, recipe.SMOOTHING))
    options = {**recipe.training(task, 12, None, 64), "early_stopping": recipe.stopping()}
    weights = (np.arange(300) % 7 + 1) / 4 if weighed else None
    held = (x[240:], y[240:]) if weights is None else (x[240:], y[240:], weights[240:])
    model.fit(x[:240], y[:240], validation=held, sample_weight=None if weights is None else weights[:240], **options)
    return digest(model._network.parameters, model.history.validation_loss)


def digest(*arrays):
    """SHA-256, in hex, of the arrays' bits (little-endian); all NaN count as one."""
    sha = hashlib.sha256()
    for x in arrays:
        if x.dtype.kind == "f":
            x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x)
        sha.update(f"{x.dtype.name} {x.shape}\n".encode() + x.astype(x.dtype.newbyteorder("<")).tobytes())
    return sha.hexdigest()


def jobs():
    """{name: a function of whether kernels do it -> the digest}."""

    def backend(by_kernel):
        return numba_backend if by_kernel else reference_backend

    every = {}
    for dtype in DTYPES:
        for name in TRAININGS:
            every[f"training, {name}, {dtype}"] = lambda k, n=name, d=dtype: training_digest(backend(k), n, d)
        for name, (of, asked, weighed) in ASKED.items():
            every[f"training, {name}, {dtype}"] = lambda k, n=of, d=dtype, a=asked, w=weighed: training_digest(
                backend(k), n, d, a, w
            )
        for name in MODELS:
            every[f"models, {name}, {dtype}"] = lambda k, n=name, d=dtype: models_digest(k, n, d)
        for name in MAPS:
            every[f"{name}, {dtype}"] = lambda k, n=name, d=dtype: map_digest(k, n, d)
        every[f"weigh, {dtype}"] = lambda k, d=dtype: weigh_digest(k, d)
    for dtype in DTYPES:
        for name in UPDATES:
            every[f"optimizer, {name}, {dtype}"] = lambda k, n=name, d=dtype: optimizer_digest(k, n, d)
        for name in PREPARATIONS:
            every[f"gradient, {name}, {dtype}"] = lambda k, n=name, d=dtype: preparation_digest(k, n, d)
    for init in ("he_normal", "glorot_uniform"):
        every[f"initial weights, {init}"] = lambda k, i=init: weights_digest(k, i)
    every["permutation"] = lambda k: permutation_digest(k, 1001)
    every["preprocess"] = preprocess_digest
    every["preprocess, robust"] = robust_digest
    for task in recipe.RATES:
        every[f"recipe for tables, {task}"] = lambda k, t=task: recipe_digest(k, t)
        every[f"recipe for tables, {task}, weights of rows"] = lambda k, t=task: recipe_digest(k, t, True)
    every["preprocess, robust, float32"] = robust_single_digest
    return every


def digests(by_kernel, words=()):
    """{name: digest} of all jobs, or of those whose names hold one of the words."""
    chosen = {name: job for name, job in jobs().items() if not words or any(word in name for word in words)}
    return {name: job(by_kernel) for name, job in chosen.items()}


def write(path=GOLDEN):
    found = {"numerics": NUMERICS_VERSION, "digests": digests(by_kernel=False)}
    path.write_text(json.dumps(found, indent=1) + "\n")


def main(arguments):
    if arguments == ["--write"]:
        write()
        return
    registered = registry.load_all()
    if arguments == ["--pairs"]:
        for name in CASES:
            for dtype in registered[name].dtypes:
                check(name, registered[name], dtype, every=7)
        with contextlib.redirect_stdout(sys.stderr):  # kernels of several models, which have a definition each
            import pytest

            assert (
                pytest.main(
                    ["-q", "--all", "-p", "no:cacheprovider", str(GOLDEN.parent / "kernels/test_lane_kernels.py")]
                )
                == 0
            )
    check_alone, words = arguments[:1] == ["--check"], arguments[1:]
    found = digests(True, words if check_alone else ())
    if check_alone:
        golden = json.loads(GOLDEN.read_text())["digests"]
        golden = {name: golden[name] for name in golden if not words or name in found}
        assert golden, f"no digest's name holds any of {words}"
        differ = [name for name in golden if found.get(name) != golden[name]]
        print(f"{len(golden) - len(differ)} of {len(golden)} digests are those of golden.json", *differ, sep="\n  ")
        sys.exit(1 if differ else 0)
    ran = sorted(f"{name} {dtype}" for name, dtype in registry._addresses)
    print(json.dumps({"digests": found, "kernels": ran}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
