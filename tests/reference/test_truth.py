"""The reference against truths of other origin: exact numbers, `@`, mpmath, published vectors, textbook formulas.

Equality of kernel and reference proves nothing about either; these tests do.
"""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
from bits import as_bits, assert_same_bits, cancelling, lines, nasty, random_bits
from cases import Unregistered
from sklearn.metrics import mean_pinball_loss
from trainings import OUTPUTS, PASSES, Problem, finish, name_of

from fastmlp.engine import numba_backend, reference_backend
from fastmlp.kernels import registry
from fastmlp.kernels.simd import fma
from fastmlp.reference import arithmetic, dense, losses, random
from fastmlp.reference import train as reference
from fastmlp.spec import DTYPES, HIDDEN, INITS, Spec
from fastmlp.training import Training

# ---------------------------------------------------------------------------------------------------------
# fma


def rounded(exact, dtype):
    """A rational number rounded to the dtype, ties to even: by whole numbers alone."""
    info = np.finfo(dtype)
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # 2^exponent <= size < 2^(exponent + 1)
    ulp = Fraction(2) ** (max(exponent, info.minexp) - info.nmant)
    count, rest = divmod(size, ulp)
    count += rest * 2 > ulp or (rest * 2 == ulp and count % 2 == 1)
    value = count * ulp
    value = math.inf if value >= Fraction(2) ** info.maxexp else float(value)
    return value if exact > 0 else -value


def exact_fma(a, b, c, dtype):
    """fma by the words of IEEE-754. a, b, c: Python floats."""
    if not all(map(math.isfinite, (a, b, c))):
        if math.isfinite(a) and math.isfinite(b):
            return c
        if math.isnan(a) or math.isnan(b) or 0 in (a, b):
            return math.nan
        return math.copysign(math.inf, math.copysign(1, a) * math.copysign(1, b)) + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        sign = math.copysign(1, a) * math.copysign(1, b)
        zeros = 0 in (a, b) and c == 0
        return -0.0 if zeros and sign < 0 and math.copysign(1, c) < 0 else 0.0
    return rounded(exact, dtype)


def fma_arguments(rng, kind, count, dtype):
    """Three arrays, of one of the kinds that are hard."""
    info = np.finfo(dtype)
    a, b = rng.standard_normal((2, count)).astype(dtype)
    c = rng.standard_normal(count).astype(dtype)
    if kind == "random bits":
        return [random_bits(rng, count, dtype) for _ in range(3)]
    if kind == "cancellation":  # c within some ulps of -ab
        c = -(a * b)
        return a, b, (c + np.spacing(c) * rng.integers(-3, 4, count).astype(dtype)).astype(dtype)
    if kind == "ties":  # few bits, so that results lie half way between two numbers
        half = 2 ** ((info.nmant + 1) // 2 + 1)
        a, b = rng.integers(-half, half, (2, count)).astype(dtype)
        return a, b, np.ldexp(rng.integers(-4, 5, count), info.nmant + rng.integers(-1, 3, count)).astype(dtype)
    if kind == "almost ties":  # products half way between two numbers, and a c that decides
        half = 2 ** ((info.nmant + 1) // 2)
        a, b = (half + rng.integers(0, half, (2, count)) | 1).astype(dtype)
        return a, b, np.ldexp(c, -2 * info.nmant).astype(dtype)
    if kind == "far apart":
        return a, b, np.ldexp(c, rng.integers(-2 * info.nmant, 2 * info.nmant, count)).astype(dtype)
    if kind == "subnormal":
        low = rng.integers(info.minexp - info.nmant, info.minexp + 4, count)
        return [np.ldexp(x, e).astype(dtype) for x, e in ((a, low // 2), (b, low - low // 2), (c, low))]
    if kind == "overflow":
        high = rng.integers(info.maxexp - 3, info.maxexp + 2, count)
        factors = np.ldexp(a, high // 2).astype(dtype), np.ldexp(b, high - high // 2).astype(dtype)
        return *factors, np.ldexp(c, rng.integers(info.maxexp - 60, info.maxexp, count)).astype(dtype)
    zoo = nasty(dtype)
    return zoo[rng.integers(0, len(zoo), (3, count))]


FMA_KINDS = ("random bits", "cancellation", "ties", "almost ties", "far apart", "subnormal", "overflow", "nasty")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", FMA_KINDS)
def test_fma_is_exact(kind, dtype):
    with np.errstate(all="ignore"):
        a, b, c = fma_arguments(np.random.default_rng(1), kind, 4000, dtype)
        got = arithmetic.fma(a, b, c)
        triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
        expected = np.array([exact_fma(*triple, dtype) for triple in triples]).astype(dtype)
    assert_same_bits(got, expected, kind)


def hardware_fma(a: registry.Floats, b: registry.Floats, c: registry.Floats, out: registry.Floats, count: registry.Int):
    for i in range(count):
        out[i] = fma(a[i], b[i], c[i])


@pytest.mark.parametrize("dtype", DTYPES)
def test_fma_is_the_hardwares(dtype):
    run = Unregistered(hardware_fma)
    rng = np.random.default_rng(2)
    for kind in FMA_KINDS:
        with np.errstate(all="ignore"):
            a, b, c = (np.ascontiguousarray(x) for x in fma_arguments(rng, kind, 50_000, dtype))
            expected = arithmetic.fma(a, b, c)
        out = np.empty_like(a)
        run(dtype, a, b, c, out, len(out))
        assert_same_bits(out, expected, kind)


# ---------------------------------------------------------------------------------------------------------
# Sums over rows


def sum_as_described(terms, add, dtype):
    """The sum of DESIGN.md's words, number by number: lanes within chunks of 512, folded by halves, then the tree.

    add(term, total) adds a row's term to a lane.
    """
    kind = np.dtype(dtype).type
    count = lines(dtype)

    def chunk(rows):
        lane = [kind(0)] * count
        for n, term in enumerate(rows):
            lane[n % count] = add(term, lane[n % count])
        half = count // 2
        while half:
            lane = [lane[i] + lane[i + half] for i in range(half)]
            half //= 2
        return lane[0]

    def tree(first, size):
        """The chunks from `first` to first + size, as far as they exist."""
        if size == 1:
            return chunk(terms[512 * first : 512 * (first + 1)])
        half = size // 2
        left = tree(first, half)
        return left if 512 * (first + half) >= len(terms) else left + tree(first + half, half)

    size = 1
    while 512 * size < len(terms):
        size *= 2
    return tree(0, size)


ROWS = (1, 2, 15, 16, 17, 511, 512, 513, 1024, 1025, 1600, 2049, 3000, 3585, 5 * 512, 7 * 512 + 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_row_sum_is_what_the_words_say(rows, dtype):
    rng = np.random.default_rng(rows)
    some = rng.standard_normal((4, rows)).astype(dtype)
    for x in (*some, cancelling(rng, rows, dtype), np.full(rows, -0.0, dtype)):
        described = sum_as_described(list(x), lambda term, total: total + term, dtype)
        assert_same_bits(arithmetic.row_sum(x), described, "sum")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_row_products_are_what_the_words_say(rows, dtype):
    kind = np.dtype(dtype).type
    a, d = np.random.default_rng(rows).standard_normal((2, rows, 1)).astype(dtype)

    def add(term, total):
        return kind(exact_fma(float(term[0]), float(term[1]), float(total), dtype))

    described = sum_as_described(list(zip(a[:, 0], d[:, 0], strict=True)), add, dtype)
    assert_same_bits(arithmetic.row_products(a, d)[0, 0], described, "product")


@pytest.mark.parametrize("dtype", DTYPES)
def test_row_sums_are_close_to_the_true_sums(dtype):
    x = np.random.default_rng(3).random((5000, 4)).astype(dtype)
    true = [math.fsum(column.tolist()) for column in x.T]
    # 64 / itemsize lanes of at most 64 terms, 4 folds, 4 levels of chunks: (64 + 8) roundings at most
    np.testing.assert_allclose(arithmetic.row_sum(x), true, rtol=72 * np.finfo(dtype).eps / 2)
    squares = [math.fsum((column.astype(float) ** 2).tolist()) for column in x.T]
    np.testing.assert_allclose(np.diag(arithmetic.row_products(x, x)), squares, rtol=72 * np.finfo(dtype).eps / 2)


# ---------------------------------------------------------------------------------------------------------
# Products of small whole numbers, where every rounding is exact: BLAS is a second judge of every index


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "K", "J"), [(1, 1, 1), (5, 3, 2), (1300, 13, 9), (600, 70, 33)])
def test_products_of_whole_numbers_are_exact(rows, K, J, dtype):
    rng = np.random.default_rng(rows)
    a, w, b, dz = (rng.integers(-8, 9, shape).astype(dtype) for shape in ((rows, K), (K, J), J, (rows, J)))
    assert_same_bits(dense.dense_forward(a, w, b), a @ w + b)
    assert_same_bits(dense.dense_backward_input(dz, w) + 0, dz @ w.T + 0)
    dw, db = dense.dense_backward_weights(a, dz)
    assert_same_bits(dw + 0, a.T @ dz + 0)
    assert_same_bits(db + 0, dz.sum(axis=0) + 0)


@pytest.mark.parametrize("pass_name", PASSES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_training_on_whole_numbers_is_exact(pass_name, dtype):
    """One update of a linear network of whole numbers, with a learning rate and row count of powers of two."""
    rng = np.random.default_rng(4)
    rows, (K, H, J) = 1024, (5, 6, 4)
    problem = Problem.make(0, [K, H, J], rows, "relu", "identity", dtype=dtype)
    w1, b1, w2, b2 = (rng.integers(-2, 3, shape).astype(dtype) for shape in ((K, H), H, (H, J), J))
    x, y = (rng.integers(-3, 4, shape).astype(dtype) for shape in ((rows, K), (rows, J)))
    problem.parameters[:] = np.concatenate([p.ravel() for p in (w1, b1, w2, b2)])
    problem.x[:], problem.y[:] = x, y
    z = x @ w1 + b1
    a = np.maximum(z, 0)
    error = a @ w2 + b2 - y
    dz = (error @ w2.T) * (z > 0)
    scale = np.dtype(dtype).type(2 / (rows * J))
    gradients = [g * scale for g in (x.T @ dz, dz.sum(axis=0), a.T @ error, error.sum(axis=0))]
    expected = [p - np.dtype(dtype).type(0.25) * g for p, g in zip((w1, b1, w2, b2), gradients, strict=True)]
    result = finish(numba_backend.train, problem, Training(1, 0.25, rows, record_every=1), pass_name=pass_name)
    assert_same_bits(result.parameters + 0, np.concatenate([p.ravel() for p in expected]) + 0)
    assert result.records[0][1] == (error.astype(np.float64) ** 2).sum() / (rows * J)


# ---------------------------------------------------------------------------------------------------------
# Gradients and losses


def mean_loss(problem, parameters):
    return reference.evaluate(problem.spec, parameters, problem.x, problem.y)[0]


@pytest.mark.sample(6)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradients_are_the_slopes_of_the_loss(hidden, output):
    problem = Problem.make(18, [3, 3, 2, 2], 23, hidden, *output)
    spec = problem.spec
    sums = reference.loss_and_gradient(spec, problem.parameters, problem.x, problem.y)
    gradient = sums.gradient * spec.gradient_factor / (23 * spec.loss_terms)
    slopes = central_differences(lambda parameters: mean_loss(problem, parameters), problem.parameters)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-9)
    assert np.abs(gradient).max() > 1e-3


def central_differences(function, at, step=1e-5):
    """The slopes of a function of a vector along each of its numbers."""
    slopes = []
    for i in range(len(at)):
        sides = []
        for side in (step, -step):
            moved = at.copy()
            moved[i] += side
            sides.append(function(moved))
        slopes.append((sides[0] - sides[1]) / (2 * step))
    return np.array(slopes)


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("output", "hidden"),
    zip(OUTPUTS, itertools.cycle(["relu", "tanh", "identity"]), strict=False),
    ids=lambda value: name_of(value) if isinstance(value, tuple) else value,
)
def test_gradients_with_weights_dropout_and_penalties(hidden, output):
    """The whole of what training minimises: a weighted mean under fixed dropout, and penalties on the weights."""
    problem = Problem.make(20, [3, 4, 3, 2], 11, hidden, *output)
    spec, x, y = problem.spec, problem.x, problem.y
    problem.parameters[:] *= 0.5  # e^z of the largest would leave differences no digits
    weights = np.arange(11) % 4 * 0.5
    factors = [random.dropout_factors(1, 2 + layer, 1, np.arange(11), n, 2**31, 2.0) for layer, n in enumerate((4, 3))]
    l2, l1 = 0.3, 0.2
    scale = 1 / (weights.sum() * spec.loss_terms)

    def objective(parameters):
        loss = reference.loss_and_gradient(spec, parameters, x, y, weights, factors).loss * scale
        layers = [w for w, _ in spec.views(parameters)]
        return loss + sum(l2 / 2 * (w * w).sum() + l1 * np.abs(w).sum() for w in layers)

    sums = reference.loss_and_gradient(spec, problem.parameters, x, y, weights, factors)
    assert sums.weight == weights.sum()
    gradient = reference.prepare(spec, problem.parameters, sums.gradient, spec.gradient_factor * scale, l2=l2, l1=l1)
    np.testing.assert_allclose(gradient, central_differences(objective, problem.parameters), rtol=1e-6, atol=1e-8)


LOGITS = [[0.3, -1.2, 2.0], [1000.0, 0.0, -1000.0], [-800.0, -801.5, -800.25], [0.0, 0.0, 0.0], [40.0, -40.0, 1e-3]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("label", [0, 1, 2])
def test_softmax_cross_entropy_is_minus_log_p(label, dtype):
    z = np.array(LOGITS, dtype)
    dz, loss, right = losses.softmax_cross_entropy(z, np.full(len(z), label, dtype))
    eps = np.finfo(dtype).eps
    with mpmath.workdps(50):
        for n, row in enumerate(z.tolist()):
            e = [mpmath.exp(mpmath.mpf(v)) for v in row]
            true = -mpmath.log(e[label] / sum(e))
            assert abs(loss[n] - float(true)) <= 4 * eps * max(1, abs(float(true)))
            for j in range(3):
                assert abs(dz[n, j] - float(e[j] / sum(e) - (j == label))) <= 4 * eps
            assert right[n] == (row.index(max(row)) == label)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_is_its_formula(target, dtype):
    z = np.array([-1000.0, -30.0, -2.0, 0.0, 1e-4, 3.0, 45.0, 900.0], dtype)[:, None]
    dz, loss, _ = losses.sigmoid_binary_cross_entropy(z, np.full(z.shape, target, dtype))
    eps = np.finfo(dtype).eps
    with mpmath.workdps(500):  # 1 - p, of p = 1 - e^-1000
        for n, value in enumerate(z[:, 0].tolist()):
            p = 1 / (1 + mpmath.exp(-mpmath.mpf(value)))
            true = float(-target * mpmath.log(p) - (1 - target) * mpmath.log(1 - p))
            assert abs(loss[n] - true) <= 4 * eps * max(abs(value) * eps, abs(true))
            assert abs(dz[n, 0] - float(p - target)) <= 4 * eps * max(float(p), target)


@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_errors_are_their_formulas(dtype):
    z, y = np.random.default_rng(5).standard_normal((2, 40, 3)).astype(dtype)
    dz, loss, _ = losses.identity_squared_error(z, y)
    np.testing.assert_allclose(loss, ((z - y) ** 2).sum(axis=1), rtol=8 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(dz, z - y)
    dz, loss, _ = losses.sigmoid_squared_error(z, y)
    p = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(loss, ((p - y) ** 2).sum(axis=1), rtol=1e3 * np.finfo(dtype).eps)
    np.testing.assert_allclose(dz, (p - y) * p * (1 - p), rtol=1e3 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


TORCH = json.loads((Path(__file__).parents[1] / "losses.json").read_text())  # made by tools/losses.py


def check_torch(entry):
    """The sums over rows of the loss and its gradient, beside PyTorch's."""
    z, y = np.array(TORCH["z"]), np.array(entry["y"], np.float64)
    setting = [] if entry["setting"] is None else [np.float64(entry["setting"])]
    dz, loss, _ = getattr(losses, entry["function"])(z, y, *setting)
    if entry["weights"] is not None:
        dz, loss = losses.weigh(dz, loss, np.array(entry["weights"]))
    np.testing.assert_allclose(loss.sum(), entry["loss"], rtol=1e-12)
    np.testing.assert_allclose(dz, entry["gradient"], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("entry", TORCH["losses"], ids=lambda e: f"{e['function']} {e['setting']} {bool(e['weights'])}")
def test_losses_are_pytorchs(entry):
    check_torch(entry)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_loss_is_scikit_learns(q):
    z, y = np.random.default_rng(6).standard_normal((2, 40, 3))
    _, loss, _ = losses.identity_quantile(z, y, np.float64(q))
    assert loss.sum() / z.size == pytest.approx(mean_pinball_loss(y, z, alpha=q), rel=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_least_at_the_quantile(q, dtype):
    y = np.random.default_rng(7).standard_normal(1001).astype(dtype)[:, None]
    slopes = [losses.identity_quantile(np.full_like(y, v), y, y.dtype.type(q))[0].sum() for v in np.sort(y[:, 0])]
    assert abs(np.searchsorted(slopes, 0) - 1001 * q) <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_of_errors_at_their_corners(dtype):
    """No error, one of exactly delta, infinite and NaN ones; a slope of NaN shows what went wrong."""
    kind = np.dtype(dtype).type
    z = np.array([0.0, 2, -2, 3, np.inf, -np.inf, np.nan], dtype)[:, None]
    y = np.zeros_like(z)
    expected = {
        "absolute_error": ([0, 1, -1, 1, 1, -1, np.nan], [0, 2, 2, 3, np.inf, np.inf, np.nan], []),
        "huber": ([0, 2, -2, 2, 2, -2, np.nan], [0, 2, 2, 4, np.inf, np.inf, np.nan], [kind(2)]),
        "quantile": (
            [0, 0.25, -0.75, 0.25, 0.25, -0.75, np.nan],
            [0, 0.5, 1.5, 0.75, np.inf, np.inf, np.nan],
            [kind(0.75)],
        ),
    }
    for name, (slopes, terms, setting) in expected.items():
        dz, loss, right = getattr(losses, f"identity_{name}")(z, y, *setting)
        assert_same_bits(dz[:, 0], np.array(slopes, dtype), name)
        assert_same_bits(loss, np.array(terms, dtype), name)
        assert not right.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_weight_of_zero_leaves_nothing_of_a_row(dtype):
    """Also where its loss is not finite; another weight is a factor."""
    dz, loss = np.array([[np.nan, -1], [np.inf, 2], [-3, 4]], dtype), np.array([np.inf, np.nan, 5], dtype)
    with np.errstate(invalid="ignore"):  # infinity times 0, which is not chosen
        dz, loss = losses.weigh(dz, loss, np.array([0, -0.0, 0.5], dtype))
    assert_same_bits(dz, np.array([[0, 0], [0, 0], [-1.5, 2]], dtype))
    assert_same_bits(loss, np.array([0, 0, 2.5], dtype))


# ---------------------------------------------------------------------------------------------------------
# Trajectories, beside a script like the exercises' own


def s(z):
    return 1 / (1 + np.exp(-z))


def gelu(z):
    u = np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)
    steep = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    return z * (1 + np.tanh(u)) / 2, (1 + np.tanh(u)) / 2 + z * (1 - np.tanh(u) ** 2) * steep / 2


def gelu_erf(z):
    phi = ((1 + np.vectorize(math.erf, otypes=[float])(z / np.sqrt(2))) / 2).astype(z.dtype)
    return z * phi, phi + z * np.exp(-z * z / 2) / z.dtype.type(np.sqrt(2 * np.pi))


def mish(z):
    t = np.tanh(np.log1p(np.exp(z)))
    return z * t, t + z * (1 - t**2) * s(z)


SELU, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
TEXTBOOK = {  # (f(z), f'(z)) by NumPy's functions
    "relu": lambda z: (np.maximum(z, 0), z > 0),
    "leaky_relu": lambda z: (np.where(z < 0, 0.01 * z, z).astype(z.dtype), np.where(z < 0, 0.01, 1).astype(z.dtype)),
    "elu": lambda z: (np.where(z < 0, np.expm1(z), z), np.where(z < 0, np.exp(z), 1)),
    "selu": lambda z: (
        (SELU * np.where(z < 0, SELU_ALPHA * np.expm1(z), z)).astype(z.dtype),
        (SELU * np.where(z < 0, SELU_ALPHA * np.exp(z), 1)).astype(z.dtype),
    ),
    "sigmoid": lambda z: (s(z), s(z) * (1 - s(z))),
    "tanh": lambda z: (np.tanh(z), 1 - np.tanh(z) ** 2),
    "softplus": lambda z: (np.log1p(np.exp(z)), s(z)),
    "gelu": gelu,
    "gelu_erf": gelu_erf,
    "silu": lambda z: (z * s(z), s(z) * (1 + z * (1 - s(z)))),
    "mish": mish,
    "identity": lambda z: (z, 1),
}


TEXTBOOK_LOSSES = {  # (terms, slopes) by z, y and the loss's parameter
    "binary_cross_entropy": lambda z, y, _: (-(y * np.log(s(z)) + (1 - y) * np.log(1 - s(z))), s(z) - y),
    "absolute_error": lambda z, y, _: (np.abs(z - y), np.sign(z - y)),
    "huber": lambda z, y, delta: (
        np.where(np.abs(z - y) <= delta, (z - y) ** 2 / 2, delta * (np.abs(z - y) - delta / 2)),
        np.clip(z - y, -delta, delta),
    ),
    "quantile": lambda z, y, q: (np.maximum(q * (y - z), (q - 1) * (y - z)), np.where(z > y, 1 - q, -q)),
    "poisson": lambda z, y, _: (np.exp(z) - y * z, np.exp(z) - y),
}


def textbook(problem, epochs, learning_rate, batch):
    """Gradient descent by `@` and NumPy's functions. -> (each epoch's loss before its updates, or mean; parameters)."""
    spec, x = problem.spec, problem.x
    params = [(w.copy(), b.copy()) for w, b in spec.views(problem.parameters)]
    y = problem.y
    if spec.output == "softmax":
        smoothing = spec.loss_parameter or 0.0
        y = ((1 - smoothing) * np.eye(spec.outputs)[y.astype(int)] + smoothing / spec.outputs).astype(spec.dtype)
    recorded = []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch):
            target = y[start : start + batch]
            n = len(target)
            a, slopes = [x[start : start + batch]], [None]
            for (w, b), name in zip(params, (*spec.hidden, "identity"), strict=True):
                value, slope = TEXTBOOK[name](a[-1] @ w + b)
                a.append(value)
                slopes.append(slope)
            z = a[-1]
            if spec.output == "softmax":
                p = np.exp(z - z.max(axis=1, keepdims=True))
                p /= p.sum(axis=1, keepdims=True)
                total += -(target * np.log(p)).sum()
                dz = (p - target) / n
            elif spec.loss == "squared_error":
                p = s(z) if spec.output == "sigmoid" else z
                total += ((p - target) ** 2).sum() / spec.outputs
                dz = 2 * (p - target) / target.size * (p * (1 - p) if spec.output == "sigmoid" else 1)
            else:
                terms, slopes_of_terms = TEXTBOOK_LOSSES[spec.loss](z, target, spec.loss_parameter)
                total += terms.sum() / spec.outputs
                dz = (slopes_of_terms / target.size).astype(spec.dtype)
            gradients = []
            for layer in reversed(range(len(params))):
                gradients.insert(0, (a[layer].T @ dz, dz.sum(axis=0)))
                if layer:
                    dz = (dz @ params[layer][0].T) * slopes[layer]
            params = [(w - learning_rate * dw, b - learning_rate * db)
                      for (w, b), (dw, db) in zip(params, gradients, strict=True)]  # fmt: skip
        recorded.append(total / len(x))
    return np.array(recorded), np.concatenate([np.concatenate([w.ravel(), b]) for w, b in params])


def check_trajectory(train, hidden, output, batch, dtype):
    problem = Problem.make(19, [3, 6, 5, 2], 57, hidden, *output, dtype)
    rate = 0.01 if problem.spec.loss == "poisson" else 0.1  # e^z runs away at more
    recorded, parameters = textbook(problem, 30, np.dtype(dtype).type(rate), batch)
    result = finish(train, problem, Training(30, rate, batch, record_every=1))
    tolerance = {"float64": 1e-11, "float32": 1e-4}[dtype]
    np.testing.assert_allclose([record[1] for record in result.records], recorded, rtol=tolerance)
    np.testing.assert_allclose(result.parameters, parameters, rtol=tolerance, atol=tolerance)
    assert np.abs(result.parameters - problem.parameters).max() > 0.01


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [57, 20])
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_trajectories_are_the_textbooks_within_rounding(hidden, output, batch, dtype):
    check_trajectory(numba_backend.train, hidden, output, batch, dtype)


# ---------------------------------------------------------------------------------------------------------
# Random numbers

KNOWN_ANSWERS = [  # counter, key, result: philox4x32 10 of Random123's kat_vectors, https://github.com/DEShawResearch/random123
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def hexes(text):
    return np.array([int(word, 16) for word in text.split()], np.uint64)


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, answer):
    got = random.philox(hexes(counter)[:, None], hexes(key))
    np.testing.assert_array_equal(got[:, 0], hexes(answer))


def test_words_come_from_the_published_answers():
    """Block 0 of seed 0, stream 0, epoch 0 has the counter and the key zero; low halves first."""
    c = [int(word) for word in hexes(KNOWN_ANSWERS[0][2])]
    expected = [c[0] + (c[1] << 32), c[2] + (c[3] << 32)]
    assert random.words(0, 0, 0, 2).tolist() == expected
    unit = [((word >> 12) + 0.5) / 2.0**52 for word in expected]
    assert random.uniform(0, 0, 0, 2).tolist() == unit
    x = np.zeros(2)
    registry.load_all()["random.uniform"]("float64", 0, 0, 0, 2, x)
    assert x.tolist() == unit


def test_words_depend_on_nothing_but_their_names():
    every = random.words(5, 1, 2, 101)
    assert_same_bits(random.words(5, 1, 2, 50), every[:50])
    others = [random.words(*name, 101) for name in ((6, 1, 2), (5, 0, 2), (5, 1, 3), (5 + 2**32, 1, 2))]
    for other in others:
        assert not set(other.tolist()) & set(every.tolist())


def test_normal_quantile_is_the_inverse_of_the_normal_distribution():
    rng = np.random.default_rng(6)
    lower = np.concatenate([
        rng.random(300) / 2, 10.0 ** -rng.uniform(1, 16, 200), 10.0 ** -rng.uniform(16, 307, 200),
        [2.0**-53, 0.075, 0.0751, math.exp(-25), 5e-324, 2.3e-308, 0.5 - 2**-54, 0.4999999],
    ])  # fmt: skip
    upper = 1 - lower[(lower > 2.0**-53) & (lower < 0.5)]
    worst = 0.0
    with mpmath.workdps(60):
        for p in (lower, upper[upper < 1]):
            for value, x in zip(p.tolist(), random.normal_quantile(p).tolist(), strict=True):
                if x == 0:
                    continue
                tail = value if x < 0 else 1 - mpmath.mpf(value)  # exact
                away = mpmath.mpf(abs(x))
                density = mpmath.npdf(away)
                # one Newton step from x to the true quantile
                error = (mpmath.erfc(away / mpmath.sqrt(2)) / 2 - tail) / density
                worst = max(worst, float(abs(error) / away))
    print(f"\nnormal_quantile: at most {worst:.2g} off, relatively")
    assert worst < 1e-14
    assert random.normal_quantile(np.array([0.5]))[0] == 0


def test_uniform_numbers_are_uniform():
    x = random.uniform(7, 0, 0, 200_000)
    assert x.min() > 0
    assert x.max() < 1
    assert abs(x.mean() - 0.5) < 4 / np.sqrt(12 * len(x))
    assert abs(x.var() - 1 / 12) < 4 / np.sqrt(180 * len(x))
    furthest = np.abs(np.sort(x) - (np.arange(len(x)) + 0.5) / len(x)).max()
    assert furthest < 2 / np.sqrt(len(x))  # Kolmogorov and Smirnov: 1.95 at one in a thousand
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(len(x))


def test_normal_numbers_are_normal():
    x = random.normal(8, 0, 0, 200_000)
    n = len(x)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - moment) < 4 * np.sqrt(variance / n)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000, 4097])
def test_a_permutation_is_one(count):
    for epoch in range(3):
        assert sorted(random.permutation(9, epoch, count).tolist()) == list(range(count))


def chi_square(counts):
    expected = sum(counts) / len(counts)
    return sum((c - expected) ** 2 for c in counts) / expected


def test_permutations_are_uniform():
    """All 24 orders of 4 rows; and where each of 8 rows lands. Limits: one in ten thousand."""
    orders, first, last = {}, np.zeros(8), np.zeros(8)
    for epoch in range(4800):
        key = tuple(random.permutation(10, epoch, 4))
        orders[key] = orders.get(key, 0) + 1
        order = random.permutation(11, epoch, 8)
        first[order[0]] += 1
        last[order[-1]] += 1
    assert len(orders) == 24
    assert chi_square(list(orders.values())) < 56.0  # 23 degrees of freedom
    assert chi_square(first.tolist()) < 29.9  # 7
    assert chi_square(last.tolist()) < 29.9


@pytest.mark.parametrize("init", [*INITS, 0.3])
def test_initial_weights_have_their_deviation(init):
    K, J = 90, 110
    w = random.initial_weights(12, 0, K, J, init)
    fan = K if str(init).startswith("he") else K + J
    deviation = np.sqrt(2 / fan) if isinstance(init, str) else init
    if init == "lecun_normal":
        deviation = np.sqrt(1 / K)
    assert w.shape == (K, J)
    assert abs(w.std() / deviation - 1) < 4 / np.sqrt(2 * w.size)
    assert abs(w.mean()) < 4 * deviation / np.sqrt(w.size)
    if str(init).endswith("uniform"):
        assert np.abs(w).max() <= np.sqrt(6 / fan)
        assert np.abs(w).max() > 0.99 * np.sqrt(6 / fan)


# ---------------------------------------------------------------------------------------------------------
# The public face of it all


def test_xor_is_learned():
    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    spec = Spec.build([2, 8, 2])
    problem = Problem(spec, Problem.make(20, [2, 8, 2], 1).parameters, x, np.array([0.0, 1, 1, 0]))
    result = finish(numba_backend.train, problem, Training(2000, 0.5, 4, record_every=2000))
    p = reference_backend.outputs(spec, result.parameters, x)
    assert (p.argmax(axis=1) == problem.y).all()
    assert as_bits(p).shape == (4, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
