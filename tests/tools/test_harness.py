"""The checkers are checked: each planted fault must be caught by the very function that the suite trusts."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bits import BAND, Guarded, assert_same_bits, nasty
from cases import CASES, TRAINED, Unregistered, check
from kernels import test_registry as test_pairs
from kernels import test_train
from reference import test_truth
from trainings import FIGURES, Problem, Result, assert_same_result, check_training

import fastmlp
from fastmlp.engine import kept_workspaces, reference_backend
from fastmlp.jit import cache, machine_code
from fastmlp.kernels import registry
from fastmlp.kernels.elementary import exp_nonpositive, log
from fastmlp.kernels.memory import advance, load, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints
from fastmlp.kernels.simd import (
    bits,
    equal,
    fill,
    fma,
    from_bits,
    greater,
    lanes,
    line_lanes,
    number,
    select,
    spread_number,
)
from fastmlp.reference import activations, arithmetic, losses
from fastmlp.spec import DTYPES
from fastmlp.training import State, Training

PACKAGE = Path(fastmlp.__file__).parent

# ---------------------------------------------------------------------------------------------------------
# Equality of bits


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_bits_pass(dtype):
    x = nasty(dtype)
    assert_same_bits(x, x.copy())
    assert_same_bits(np.array([np.nan], dtype), -np.array([np.nan], dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_ulp_anywhere_is_seen(dtype):
    x = nasty(dtype)
    for i in np.flatnonzero(np.isfinite(x)):
        moved = x.copy()
        moved[i] = np.nextafter(x[i], np.dtype(dtype).type(0 if x[i] else 1))
        with pytest.raises(AssertionError, match=rf"\[{i}\]: [0-9a-f]+ .*1 of {len(x)} differ"):
            assert_same_bits(moved, x)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (np.array([-0.0]), np.array([0.0])),
        (np.array([np.nan]), np.array([1.0])),
        (np.array([np.inf]), np.array([np.nan])),
        (np.array([1.0]), np.array([1.0], np.float32)),
        (np.array([1.0]), np.array([[1.0]])),
        (np.array([1.0, 2.0]), np.array([1.0])),
        (np.float64(1.0), np.float64(1.0 + 2**-52)),
        (np.array([3]), np.array([4])),
    ],
)
def test_other_differences_are_seen(got, expected):
    with pytest.raises(AssertionError):
        assert_same_bits(got, expected)


# ---------------------------------------------------------------------------------------------------------
# Bands of canaries


@pytest.mark.parametrize("place", [-1, 7, -BAND // 8, 7 + BAND // 8 - 1, 3])
def test_a_write_outside_is_seen(place):
    guarded = Guarded(np.zeros(7), writes=np.arange(7) != 3)
    guarded.array[[0, 1, 2, 4, 5, 6]] = 1
    guarded.check()
    guarded._memory.view(np.float64)[guarded._first + place] = 1
    with pytest.raises(AssertionError, match=rf"1 numbers .* first at {place} of"):
        guarded.check()


def test_a_changed_input_is_seen():
    guarded = Guarded(np.zeros(7))
    guarded.array[2] = -0.0
    with pytest.raises(AssertionError):
        guarded.check()


# ---------------------------------------------------------------------------------------------------------
# Faulty kernels. Each stands beside the kernel whose case must catch it.


def update_past_the_end(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(count + 1):
        p[i] = fma(-learning_rate, scale * total[i], p[i])


def update_before_the_start(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(-1, count):
        p[i] = fma(-learning_rate, scale * total[i], p[i])


def update_of_an_input(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(count):
        total[i] = scale * total[i]
        p[i] = fma(-learning_rate, total[i], p[i])


def update_by_multiply_then_add(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(count):
        p[i] = p[i] - learning_rate * (scale * total[i])


def update_in_another_order(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(count):
        p[i] = fma(-(learning_rate * scale), total[i], p[i])


def update_all_but_the_last(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    for i in range(max(1, count - 1)):
        p[i] = fma(-learning_rate, scale * total[i], p[i])


def one_ulp_more(a: Floats, factors: Floats, units: Int, rows: Int, stride: Int):
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows, lanes(a)):
            y = load(a, n) * load(factors, n)
            store(a, n, from_bits(bits(y) + 1) if n == 0 else y)


def a_float64_literal(a: Floats, slope: Floats, units: Int, rows: Int, stride: Int):
    for start in range(0, units * stride, stride):
        for n in range(start, start + rows):
            slope[n] = 0.01 if a[n] < 0 else 1.0
            a[n] = a[n] * 0.01 if a[n] < 0 else a[n]


def product_from_the_last_input(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, relu: Int):
    for j in range(J):
        c = b[j]
        for k in range(K - 1, -1, -1):
            c = fma(a[k], w[k * J + j], c)
        z[j] = number(a, 0) if relu and c < 0 else c


def bias_last(a: Floats, w: Floats, b: Floats, z: Floats, K: Int, J: Int, relu: Int):
    for j in range(J):
        c = number(a, 0)
        for k in range(K):
            c = fma(a[k], w[k * J + j], c)
        c += b[j]
        z[j] = number(a, 0) if relu and c < 0 else c


def negative_zero(dz: Floats, w: Floats, a: Floats, K: Int, J: Int, relu: Int):
    for k in range(K):
        c = number(a, 0)
        for j in range(J):
            c = fma(dz[j], w[k * J + j], c)
        a[k] = -number(a, 0) if relu and a[k] <= 0 else c


def sum_of_lanes_in_order(sums: Floats, total: Floats, count: Int, size: Int, rows: Int):
    for i in range(count):
        x = sums[i]
        for v in range(1, min(rows, line_lanes(sums))):
            x += sums[v * size + i]
        total[i] = x + number(sums, 0) if rows < line_lanes(sums) else x


def lanes_without_rows_left_out(sums: Floats, total: Floats, count: Int, size: Int, rows: Int):
    half = line_lanes(sums) // 2
    left = min(rows, line_lanes(sums))
    while half > 0:
        for v in range(half, left):
            for i in range(count):
                sums[(v - half) * size + i] += sums[v * size + i]
        left = min(left, half)
        half //= 2
    for i in range(count):
        total[i] = sums[i]  # and so -0 where all rows had -0


def sums_in_order_of_rows(
    a: Floats, ones: Floats, dz: Floats, sums: Floats, dw: Floats,
    K: Int, J: Int, rows: Int, stride: Int, first: Int, last: Int,
):  # fmt: skip
    """No lanes: right for a single row alone."""
    for k in range(K + 1):
        x = advance(a, k * stride) if k < K else ones
        for j in range(J):
            i = k * J + j
            c = number(a, 0) if first else sums[i]
            for n in range(rows):
                c = fma(x[n], dz[j * stride + n], c)
            if first == 0 or last == 0:
                sums[i] = c
            if last:
                dw[i] = c


def padding_counts(
    z: Floats, y: Floats, weights: Floats, statistics: Floats, J: Int, rows: Int, stride: Int, record: Int
):
    """Adds whole registers to the statistics, rows or not."""
    for n in range(0, rows, lanes(z)):
        target = load(y, n)
        m, chosen, label = load(z, n), load(z, n), fill(z, 0)
        for j in range(1, J):
            x = load(z, j * stride + n)
            chosen = select(equal(target, spread_number(z, j)), x, chosen)
            label = select(greater(x, m), spread_number(z, j), label)
            m = select(greater(x, m), x, m)
        s = exp_nonpositive(load(z, n) - m)
        store(z, n, s)
        for j in range(1, J):
            e = exp_nonpositive(load(z, j * stride + n) - m)
            store(z, j * stride + n, e)
            s = s + e
        if record:
            lane = n % line_lanes(z)
            store(statistics, lane, load(statistics, lane) + (log(s) - (chosen - m)))
            lane += line_lanes(z)
            right = select(equal(label, target), fill(z, 1), 0)
            store(statistics, lane, load(statistics, lane) + right)
        r = 1 / s
        for j in range(J):
            is_label = select(equal(target, spread_number(z, j)), fill(z, 1), 0)
            store(z, j * stride + n, load(z, j * stride + n) * r - is_label)


def infinite_times_no_weight(dz: Floats, weights: Floats, sums: Floats, J: Int, rows: Int, stride: Int):
    for n in range(rows):
        sums[n % line_lanes(sums)] += weights[n]
        for j in range(J):
            dz[j * stride + n] *= weights[n]


def padding_weighs(dz: Floats, weights: Floats, sums: Floats, J: Int, rows: Int, stride: Int):
    for n in range(0, rows, lanes(dz)):
        weight = load(weights, n)
        store(sums, n % line_lanes(sums), load(sums, n % line_lanes(sums)) + weight)
        for j in range(J):
            x = load(dz, j * stride + n)
            store(dz, j * stride + n, select(equal(weight, 0), 0, x * weight))


def rows_off_by_one(tile: Floats, stride: Int, rows: Int, K: Int, x: Floats, first: Int):
    for n in range(rows):
        for k in range(K):
            x[(first + n) * K + k] = tile[k * stride + min(n + 1, rows - 1)]


def last_largest(z: Floats, J: Int, rows: Int, stride: Int):
    for n in range(rows):
        m, place, wrong = z[n], 0, z[n] - z[n]
        for j in range(1, J):
            x = z[j * stride + n]
            wrong += x - x
            if x >= m:
                m, place = x, j
        z[n] = place if wrong == 0 else -1


def label_of_infinity(z: Floats, J: Int, rows: Int, stride: Int):
    for n in range(rows):
        m, place = z[n], 0
        for j in range(1, J):
            if z[j * stride + n] > m:
                m, place = z[j * stride + n], j
        z[n] = place


def zero_is_above(z: Floats, J: Int, rows: Int, stride: Int):
    for j in range(J):
        for n in range(j * stride, j * stride + rows):
            z[n] = (1 if z[n] >= 0 else 0) if z[n] - z[n] == 0 else -1


def finite_but_the_last(x: Floats, order: Ints, ordered: Int, first: Int, rows: Int, K: Int, to: Floats, stride: Int):
    wrong = number(x, 0)
    for n in range(rows):
        for k in range(K):
            value = x[(first + n) * K + k]
            to[n * stride + k] = value
            if k < K - 1:
                wrong += value - value
    for i in range(lanes(x) + 1):
        to[rows * stride + i] = wrong


def labels_a_row_late(tile: Floats, stride: Int, rows: Int, K: Int, x: Ints, first: Int):
    for n in range(rows):
        x[first + n + 1] = int(tile[n])


def answers_by_units(tile: Floats, stride: Int, rows: Int, K: Int, x: Ints, first: Int):
    for n in range(rows):
        for k in range(K):
            x[first * K + k * rows + n] = int(tile[k * stride + n])


FAULTS = [
    (update_past_the_end, "optimizers.gradient_descent", "must not"),
    (update_before_the_start, "optimizers.gradient_descent", "must not"),
    (update_of_an_input, "optimizers.gradient_descent", "must not"),
    (update_by_multiply_then_add, "optimizers.gradient_descent", "differ"),
    (update_in_another_order, "optimizers.gradient_descent", "differ"),
    (update_all_but_the_last, "optimizers.gradient_descent", "differ"),
    (one_ulp_more, "activations.multiply", "differ"),
    (product_from_the_last_input, "rowwise_dense.dense_forward", "differ"),
    (bias_last, "rowwise_dense.dense_forward", "differ"),
    (negative_zero, "rowwise_dense.dense_backward_input", "differ"),
    (sum_of_lanes_in_order, "rowwise_dense.fold", "differ"),
    (lanes_without_rows_left_out, "rowwise_dense.fold", "differ"),
    (sums_in_order_of_rows, "dense.dense_backward_weights", "differ"),
    (padding_counts, "losses.softmax_cross_entropy", "must not"),
    (infinite_times_no_weight, "losses.weigh", "differ"),
    (padding_weighs, "losses.weigh", "must not"),
    (rows_off_by_one, "layout.scatter", "differ"),
    (last_largest, "predict.label", "differ"),
    (label_of_infinity, "predict.label", "differ"),
    (zero_is_above, "predict.above_zero", "differ"),
    (finite_but_the_last, "predict.copy_rows", "all are finite"),
    (labels_a_row_late, "predict.scatter_labels", "must not|differ"),
    (answers_by_units, "predict.scatter_answers", "differ"),
]


EACH = [  # in one dtype; with --all in both
    pytest.param(*fault, dtype, id=f"{fault[0].__name__}-{dtype}", marks=marks)
    for number, fault in enumerate(FAULTS)
    for dtype, marks in zip(DTYPES, ([], [pytest.mark.slow])[:: 1 - 2 * (number % 2)], strict=True)
]


@pytest.mark.parametrize(("fault", "name", "words", "dtype"), EACH)
def test_a_faulty_kernel_is_caught(fault, name, words, dtype):
    with pytest.raises(AssertionError, match=words):
        check(name, Unregistered(fault), dtype)


def test_a_float64_literal_in_a_float32_kernel_is_caught():
    check("activations.leaky_relu_forward", Unregistered(a_float64_literal), "float64")
    with pytest.raises(AssertionError, match="differ"):
        check("activations.leaky_relu_forward", Unregistered(a_float64_literal), "float32")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("rowwise_dense.fold", "float64"), ("elementary.map_log", "float32"), ("losses.sigmoid_squared_error", "float64")],
)
def test_fastmath_is_caught(name, dtype):
    """The real kernel, compiled as it is, passes; with fastmath it does not."""
    function = registry.load_all()[name].function
    check(name, Unregistered(function), dtype)
    with pytest.raises(AssertionError, match="differ"):
        check(name, Unregistered(function, fastmath=True), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_contraction_is_caught(dtype):
    """What the compiler fuses by itself: a product and a sum that the reference rounds apart."""
    name = "losses.identity_quantile"
    function = registry.load_all()[name].function
    with pytest.raises(AssertionError, match="differ"):
        check(name, Unregistered(function, fastmath={"contract"}), dtype)


def test_planted_kernels_stay_out_of_the_registry():
    registered = set(registry.load_all())
    assert {name for name in registered if not name.startswith(("lanes_", "model_lanes."))} == set(CASES) | TRAINED
    assert not {fault.__name__ for fault, _, _ in FAULTS} & {name.partition(".")[2] for name in registered}


def test_a_kernel_without_a_case_is_seen():
    registered = dict(registry.load_all())
    assert not test_pairs.unchecked(registered, CASES, TRAINED)
    some = registered["layout.gather"]
    planted = registry.Kernel("layout.forgotten", some.function, some.reference, some.arguments, some.dtypes)
    assert test_pairs.unchecked({**registered, planted.name: planted}, CASES, TRAINED) == {"layout.forgotten"}
    no_reference = registry.Kernel("layout.gather", some.function, None, some.arguments, some.dtypes)
    assert test_pairs.unchecked({**registered, "layout.gather": no_reference}, CASES, TRAINED) == {"layout.gather"}


# ---------------------------------------------------------------------------------------------------------
# Whole trainings


def test_a_training_that_ends_otherwise_is_seen():
    def result(**changes):
        records = [(1, 0.5, 0.25), (2, 0.25, 0.5)]
        optimizer = State(np.ones((2, 3)), np.array([0.5, 0.25]))
        usual = dict(state="done", epochs=2, records=records, parameters=np.ones(3), steps=1, optimizer=optimizer)
        return Result(**{**usual, **changes})

    assert_same_result(result(steps=7), result())
    moved = np.array([1, 1, 1 + 2**-52])
    for changes in (
        {"state": "target"}, {"epochs": 1}, {"records": [(1, 0.5, 0.25)]}, {"parameters": moved},
        {"records": [(1, 0.5, 0.25), (2, 0.25 + 2**-54, 0.5)]}, {"records": [(1, 0.5, 0.25), (2, 0.25, 0.5 + 2**-52)]},
        {"optimizer": State(np.stack([np.ones(3), moved]), np.array([0.5, 0.25]))},
        {"optimizer": State(np.ones((2, 3)), np.array([0.5, 0.25 + 2**-54]))},
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            assert_same_result(result(**changes), result())


def test_a_figure_of_validation_that_differs_is_seen():
    def result(validation_loss):
        record = dict.fromkeys(FIGURES, np.nan) | {"epoch": 1, "loss": 0.5, "validation_loss": validation_loss}
        return Result("done", 1, [tuple(record.values())], np.ones(3), 1, State(np.zeros((0, 3)), np.ones(2)))

    assert "seconds" not in FIGURES
    assert_same_result(result(0.25), result(0.25))
    for other in (0.25 + 2**-54, np.nan):
        with pytest.raises(AssertionError):
            assert_same_result(result(other), result(0.25))


def planted_update(name, function, dtype, monkeypatch):
    """Puts a faulty kernel in a real one's place."""
    registry.address(name, dtype)
    monkeypatch.setitem(registry._addresses, (name, dtype), machine_code.link(Unregistered(function).code(dtype)))
    kept_workspaces._kept.clear()  # whose plans have the real one's address


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("optimizers.gradient_descent", update_by_multiply_then_add),
        ("optimizers.gradient_descent", update_in_another_order),
        ("dense.dense_backward_weights", sums_in_order_of_rows),
        ("rowwise_dense.dense_forward", bias_last),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_faulty_kernel_is_caught_in_training(name, fault, dtype, monkeypatch):
    problem = Problem.make(22, [3, 5, 2], 60, "tanh", dtype=dtype)
    training = Training(3, 0.3, 60, record_every=1)
    check_training(problem, training)
    planted_update(name, fault, dtype, monkeypatch)
    with pytest.raises(AssertionError, match="differ"):
        check_training(problem, training)


def test_an_altered_golden_digest_is_seen():
    golden = test_train.golden()
    test_train.assert_same_digests(dict(golden), golden)
    name = next(iter(golden))
    digit = "1" if golden[name][0] == "0" else "0"
    for altered in ({**golden, name: digit + golden[name][1:]}, {k: v for k, v in golden.items() if k != name}):
        with pytest.raises(AssertionError, match=name):
            test_train.assert_same_digests(golden, altered)
        with pytest.raises(AssertionError, match=name):
            test_train.assert_same_digests(altered, golden)


# ---------------------------------------------------------------------------------------------------------
# The truths see a wrong reference


def test_a_wrong_derivative_is_seen(monkeypatch):
    real = activations.tanh_forward
    monkeypatch.setattr(activations, "tanh_forward", lambda z: (real(z)[0], 1 - real(z)[0]))
    with pytest.raises(AssertionError):
        test_truth.test_gradients_are_the_slopes_of_the_loss("tanh", ("softmax", "cross_entropy"))


def test_a_wrong_loss_is_seen(monkeypatch):
    real = losses.softmax_cross_entropy

    def wrong(z, y):
        dz, loss, right = real(z, y)
        return dz, loss + 1e-9, right

    monkeypatch.setattr(losses, "softmax_cross_entropy", wrong)
    with pytest.raises(AssertionError):
        test_truth.test_softmax_cross_entropy_is_minus_log_p(0, "float64")
    with pytest.raises(AssertionError):
        test_truth.check_trajectory(reference_backend.train, "relu", ("softmax", "cross_entropy"), 57, "float64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["cancellation", "almost ties", "far apart"])
def test_multiply_then_add_is_no_fma(kind, dtype, monkeypatch):
    monkeypatch.setattr(arithmetic, "fma", lambda a, b, c: a * b + c)
    with pytest.raises(AssertionError):
        test_truth.test_fma_is_exact(kind, dtype)


def test_rounding_twice_is_no_fma(monkeypatch):
    """float32 by way of float64, without rounding to odd: wrong in one case of 2^29."""
    monkeypatch.setattr(arithmetic, "fma", lambda a, b, c: (a.astype(float) * b + c).astype(np.float32))
    with pytest.raises(AssertionError):
        test_truth.test_fma_is_exact("almost ties", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_another_order_of_chunks_is_seen(dtype, monkeypatch):
    def in_order(chunks):
        total = chunks[0]
        for chunk in chunks[1:]:
            total = total + chunk
        return total

    monkeypatch.setattr(arithmetic, "tree", in_order)
    test_truth.test_row_sum_is_what_the_words_say(1025, dtype)  # three chunks: the same order
    with pytest.raises(AssertionError):
        test_truth.test_row_sum_is_what_the_words_say(7 * 512 + 3, dtype)


# ---------------------------------------------------------------------------------------------------------
# Stale caches

SCRIPT = """
import sys
import numpy as np
from fastmlp.jit import cache
from fastmlp.kernels import registry
if sys.argv[1] == "unstamped":
    cache.stamp = cache._stamp = lambda: "the same for ever"
x = np.zeros(8)
registry.function("planted.planted", "float64", (registry.Floats,))(x.ctypes.data)
print(x[0], "numba" in sys.modules)
"""
KERNEL = """
from fastmlp.kernels.planted_helper import value
from fastmlp.kernels.registry import Floats, kernel

@kernel(None, dtypes=("float64",))
def planted(x: Floats):
    x[0] = value()
"""
HELPER = """
from fastmlp.kernels.simd import helper

@helper
def value():
    return {}
"""


def values_before_and_after_an_edit(folder, stamped):
    """What a kernel gives before and after an edit of a helper in another file, with one cache all along."""
    package = folder / "fastmlp"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "kernels" / "planted.py").write_text(KERNEL)
    environment = {**os.environ, "FASTMLP_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(folder)}
    found = []
    for value in (1.0, 1.0, 2.0):
        (package / "kernels" / "planted_helper.py").write_text(HELPER.format(value))
        done = subprocess.run(
            [sys.executable, "-B", "-c", SCRIPT, "stamped" if stamped else "unstamped"],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        number, compiled = done.stdout.split()
        found.append((float(number), compiled == "True"))
    assert found[:2] == [(1.0, True), (1.0, False)], "compiled first, then from the cache"
    return found[2]


def test_an_edit_makes_cached_code_stale(tmp_path):
    assert values_before_and_after_an_edit(tmp_path, stamped=True) == (2.0, True)


def test_without_a_stamp_stale_code_would_run_and_be_seen(tmp_path):
    assert values_before_and_after_an_edit(tmp_path, stamped=False) == (1.0, False)


def kernel_sources():
    """The files of fastmlp from which kernels take anything: their own, and all that they import from."""
    files = set()
    for path in (PACKAGE / "kernels").glob("*.py"):
        files.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastmlp"):
                parts = node.module.split(".")[1:]
                for place in ([*parts], *([*parts, alias.name] for alias in node.names)):
                    files.add(PACKAGE.joinpath(*place).with_suffix(".py"))
    return sorted(str(path.relative_to(PACKAGE)) for path in files if path.is_file())


def test_kernel_sources_are_found():
    found = kernel_sources()
    assert {"kernels/dense.py", "kernels/plan.py", "reference/constants.py", "system/cpu.py"} <= set(found)


STAMPED = sorted({*kernel_sources(), "kernels/registry.py", "jit/compilation.py", "jit/numba_pipeline.py"})


@pytest.mark.parametrize("source", STAMPED)
def test_an_edit_of_any_source_changes_the_stamp(source, tmp_path, monkeypatch):
    """Kernels take constants from these files, so an edit must make their cached code stale."""
    package = tmp_path / "fastmlp"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "_PACKAGE", package)
    before = cache.stamp.__wrapped__()
    assert before == cache.stamp.__wrapped__()
    with (package / source).open("a") as file:
        file.write("\n# edited\n")
    assert cache.stamp.__wrapped__() != before


@pytest.mark.parametrize(
    "folder", ["kernels", "kernels/inner", "reference", "reference/inner", "jit", "jit/inner/deep"]
)
def test_a_file_in_any_folder_changes_the_stamp(folder, tmp_path, monkeypatch):
    """A new file, an edit of it, and its move to another folder with the same name and content."""
    package = tmp_path / "fastmlp"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "_PACKAGE", package)
    seen = [cache.stamp.__wrapped__()]
    (package / folder).mkdir(parents=True, exist_ok=True)
    planted = package / folder / "planted.py"
    for text in ("ONE = 1\n", "ONE = 2\n"):
        planted.write_text(text)
        seen.append(cache.stamp.__wrapped__())
    (package / folder / "other").mkdir()
    planted.rename(package / folder / "other" / "planted.py")
    seen.append(cache.stamp.__wrapped__())
    assert len(set(seen)) == 4


def test_a_new_file_of_kernels_is_found(tmp_path, monkeypatch):
    """load_all reads the folder, so that a kernel in a new file cannot escape the comparison."""
    import fastmlp.kernels

    (tmp_path / "brand_new.py").write_text(
        "from fastmlp.kernels.registry import Floats, kernel\n"
        "from fastmlp.reference import optimizers\n"
        "@kernel(optimizers.gradient_descent)\n"
        "def wrong(p: Floats):\n"
        "    pass\n"
    )
    monkeypatch.setattr(registry, "PAIRS", dict(registry.load_all()))
    monkeypatch.setattr(fastmlp.kernels, "__path__", [*fastmlp.kernels.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "fastmlp.kernels.brand_new", None)  # so that it is forgotten afterwards
    del sys.modules["fastmlp.kernels.brand_new"]
    assert test_pairs.unchecked(registry.load_all(), CASES, TRAINED) == {"brand_new.wrong"}
