"""Each kernel of groups by itself, compared with the definition of what it does, model by model.

What a kernel may write lies between bands of canaries.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
from bits import Guarded, assert_same_bits, lines
from trainings import Problem

from fastmlp.engine.lanes_plan_writer import GroupPlan
from fastmlp.engine.model_lanes import Group, Member
from fastmlp.kernels import lanes_dense, lanes_sums, registry
from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels.plan import DONE
from fastmlp.optimizers import Adam
from fastmlp.reference import gradients, optimizers, random
from fastmlp.reference import train as reference
from fastmlp.system.cpu import target
from fastmlp.training import State, Training

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks/ lies beside the package

from benchmarks.suites import lanes_definitions as definitions

PAIRS = registry.load_all()
OF_GROUPS = {name for name in PAIRS if name.startswith(("lanes_", "model_lanes."))}
CHECKED = {}  # kernel: the name of its test


def checks(*kernels):
    """Says which kernels a test compares with the definition."""

    def mark(test):
        CHECKED.update(dict.fromkeys(kernels, test.__name__))
        return pytest.mark.parametrize("dtype", ["float64", "float32"])(test)

    return mark


def call(name, dtype, *arguments):
    """Calls a kernel; arrays are passed by their addresses."""
    return PAIRS[name](dtype, *arguments)


def groups(dtype):
    """(models of a group, the end of its kernels' names): of one register, of several."""
    one = target().register // np.dtype(dtype).itemsize
    return [(one, "_one"), (one, ""), (3 * one, "")]


def wild(rng, shape, dtype):
    """Random numbers, some of them zeros of both signs."""
    x = rng.standard_normal(shape).astype(dtype)
    x[rng.random(shape) < 0.1] = 0.0
    x[rng.random(shape) < 0.1] = -0.0
    return x


def tile(x, unit, writes=False):
    """x [row][unit][model] as a tile, [unit][row][model] with units `unit` numbers apart, guarded."""
    rows, units, models = x.shape
    flat = np.full((units, unit), np.nan, x.dtype)
    flat[:, : rows * models] = x.swapaxes(0, 1).reshape(units, -1)
    allowed = np.zeros((units, unit), bool)
    allowed[:, : rows * models] = writes
    return Guarded(flat, writes=allowed.ravel())


def read(guarded, shape, unit):
    """What `tile` has made, again."""
    rows, units, models = shape
    guarded.check()
    return guarded.array.reshape(units, unit)[:, : rows * models].reshape(units, rows, models).swapaxes(0, 1)


SIZES = [(1, 1, 1), (2, 2, 4), (3, 5, 9), (14, 7, 16), (5, 9, 32), (4, 3, 37)]  # inputs, outputs, rows


@checks(*(f"lanes_dense.{name}{one}" for name in ("forward", "backward_input") for one in ("", "_one")))
def test_a_layer_forward_and_back(dtype):
    rng = np.random.default_rng(0)
    for models, one in groups(dtype):
        for K, J, rows in SIZES:
            a, w, b = (wild(rng, shape, dtype) for shape in ((rows, K, models), (K, J, models), (J, models)))
            unit = (rows + 1) * models
            parameters = Guarded(np.append(w, b))
            for relu in (0, 1):
                z = tile(np.zeros((rows, J, models), dtype), unit, writes=True)
                call(
                    f"lanes_dense.forward{one}", dtype, tile(a, unit).array, parameters.array, z.array, models, K, J,
                    rows, unit, relu,
                )  # fmt: skip
                got = read(z, (rows, J, models), unit)
                assert_same_bits(got, *definitions.forward(a, w, b, relu))
            dz, slope = wild(rng, (rows, J, models), dtype), wild(rng, a.shape, dtype)
            for way in (lanes_dense.STRAIGHT, lanes_dense.RELU, lanes_dense.SLOPED):
                da = tile(np.zeros_like(a), unit, writes=True)
                call(
                    f"lanes_dense.backward_input{one}", dtype, tile(dz, unit).array, parameters.array,
                    tile(a, unit).array, tile(slope, unit).array, da.array, models, K, J, rows, unit, way,
                )  # fmt: skip
                got = read(da, a.shape, unit)
                expected = definitions.backward_input(
                    dz, w, a if way == lanes_dense.RELU else None, slope if way == lanes_dense.SLOPED else None
                )
                assert_same_bits(got, *expected)


WEIGHTS = [(name, literal) for name in ("backward_weights", "descend") for literal in (0, *lanes_sums.WRITTEN_OUT)]


@pytest.mark.sample(6)
@checks(*(f"lanes_sums.{name}{f'_{n}' if n else ''}{one}" for name, n in WEIGHTS for one in ("", "_one")))
@pytest.mark.parametrize(("name", "literal"), WEIGHTS)
def test_sums_over_rows(name, literal, dtype):
    """Also sums of -0 alone, and products that underflow to -0."""
    rng = np.random.default_rng(1)
    tiny = np.finfo(dtype).tiny
    for models, one in groups(dtype):
        for K, J, rows in [(1, 1, literal), (5, 3, literal), (11, 4, literal)] if literal else [*SIZES, (4, 3, 512)]:
            a, dz = wild(rng, (rows, K, models), dtype), wild(rng, (rows, J, models), dtype)
            a[:, 0], dz[:, 0] = -tiny, tiny
            was, rates = wild(rng, (K + 1, J, models), dtype), rng.random(models).astype(dtype)
            unit = (rows + 1) * models
            to, order = Guarded(was, writes=True), at.tree_order(rows, lines(dtype))
            scale = np.dtype(dtype).type(0.3)
            ones, levels = np.ones(max(models, lines(dtype)), dtype), np.zeros(200 * lines(dtype), dtype)
            call(
                f"lanes_sums.{name}{f'_{literal}' if literal else ''}{one}", dtype, tile(a[order], unit).array, ones,
                tile(dz[order], unit).array, to.array, levels, Guarded(rates).array, scale, models, K, J, rows, unit,
            )  # fmt: skip
            to.check()
            got = to.array.reshape(was.shape)
            if name == "descend":
                expected = definitions.descended(was, a, dz, -rates, scale)
            else:
                expected = definitions.sums(a, dz)
            assert_same_bits(got, *expected)


def test_rows_of_a_tile_lie_as_their_sums_are_folded():
    assert at.tree_order(1, 16) == [0]
    assert at.tree_order(5, 8) == [0, 4, 2, 1, 3]
    assert at.tree_order(8, 8) == [0, 4, 2, 6, 1, 5, 3, 7]
    assert at.tree_order(11, 4) == [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7]
    assert sorted(at.tree_order(200, 16)) == list(range(200))


@checks("lanes_rows.gather")
def test_each_model_gathers_its_own_rows(dtype):
    rng = np.random.default_rng(2)
    for models, _ in groups(dtype):
        for K in (1, 2, 4, 7, 8, 17):
            xs = [rng.standard_normal((20, K)).astype(dtype) for _ in range(models)]
            order = rng.integers(0, 20, (9, models))
            sources = np.array([x.ctypes.data for x in xs])
            unit = 10 * models
            to = tile(np.zeros((9, K, models), dtype), unit, writes=True)
            places = rng.permutation(9)
            call("lanes_rows.gather", dtype, sources, order, models, places, 9, K, to.array, unit)
            expected = np.stack([x[order[places, m]] for m, x in enumerate(xs)], axis=2)
            assert_same_bits(read(to, expected.shape, unit), expected)


@checks("lanes_rows.pick")
def test_each_model_picks_its_own_rows(dtype):
    rng = np.random.default_rng(2)
    for models, _ in groups(dtype):
        for count, rows, units in ((1, 1, 1), (4, 1, 3), (4, 4, 3), (5, 3, 2), (8, 7, 20)):
            x = rng.standard_normal((count, units, models)).astype(dtype)
            order = rng.integers(0, count, (rows, models))
            x_unit, unit = (count + 1) * models, (rows + 2) * models
            to = tile(np.zeros((rows, units, models), dtype), unit, writes=True)
            places = rng.permutation(rows)
            call(
                "lanes_rows.pick", dtype, tile(x, x_unit).array, order, models, count, x_unit, places, rows, units,
                to.array, unit,
            )  # fmt: skip
            expected = np.stack([x[order[places, m], :, m] for m in range(models)], axis=2)
            assert_same_bits(read(to, expected.shape, unit), expected)


@checks("lanes_random.orders")
def test_orders_are_permutations_of_each_models_seed_and_epoch(dtype):
    rng = np.random.default_rng(3)
    for models, _ in groups(dtype):
        seeds = rng.integers(-(2**63), 2**63 - 1, models)
        epochs = rng.integers(1, 2**32, models)
        for count in (1, 2, 3, 4, 5, 33, 200):
            rows = rng.integers(0, 1000, (count, models))
            order = Guarded(np.zeros(count * models, np.int64), writes=True)
            PAIRS["lanes_random.orders"]("float64", seeds, epochs, models, count, rows, order.array)
            order.check()
            assert_same_bits(order.array.reshape(count, models), *definitions.orders(rows, seeds, epochs))


def test_places_among_many_rows():
    """The low half of a word's product decides one place in 30,000 here."""
    models, count = target().register // 8, 1 << 17
    seeds, epochs = np.arange(models), np.ones(models, np.int64)
    rows, order = np.repeat(np.arange(count), models), np.zeros(count * models, np.int64)
    PAIRS["lanes_random.orders"]("float64", seeds, epochs, models, count, rows, order)
    for m in range(models):
        assert (order.reshape(count, models)[:, m] == random.permutation(m, 1, count)).all()


UPDATES = {  # kernel: vectors, numbers of a step, settings
    "gradient_descent": (0, 1, 0), "momentum": (1, 1, 1), "nesterov": (1, 1, 1), "classical_momentum": (1, 1, 1),
    "classical_nesterov": (1, 1, 1), "adam": (2, 3, 5), "rmsprop": (1, 1, 3),
    "rmsprop_momentum": (2, 1, 4), "adagrad": (1, 1, 2 - 1),
}  # fmt: skip


@checks(*(f"lanes_updates.{name}" for name in UPDATES))
@pytest.mark.parametrize("name", UPDATES)
def test_updates_take_each_models_numbers(name, dtype):
    rng = np.random.default_rng(4)
    vectors, numbers, shared = UPDATES[name]
    for models, _ in groups(dtype):
        p, total = wild(rng, (7, models), dtype), wild(rng, (7, models), dtype)
        state = abs(wild(rng, (vectors, 7, models), dtype))
        step, settings = (abs(wild(rng, (n, models), dtype)) for n in (numbers, shared))
        scale = np.dtype(dtype).type(0.3)
        got, held = Guarded(p, writes=True), Guarded(state, writes=True)
        given = -step if name == "gradient_descent" else step
        call(
            f"lanes_updates.{name}",
            dtype,
            got.array,
            total.copy(),
            scale,
            held.array,
            given,
            settings.copy(),
            models,
            7,
        )
        got.check()
        held.check()
        expected = definitions.updated(name, p, total, state, step, settings, scale)
        assert_same_bits(got.array.reshape(p.shape), expected[0], "parameters")
        assert_same_bits(held.array.reshape(state.shape), np.array(expected[1:], dtype).reshape(state.shape), "state")


def group(dtype, registers, problems, **asked):
    """A group of these problems, ready to train, and its members."""
    members = []
    for seed, problem in enumerate(problems):
        options = {
            "epochs": 3,
            "learning_rate": 0.1 + seed / 7,
            "batch_size": 5,
            "record_every": 1,
            "order": seed,
            **asked,
        }
        training = Training(**options)
        state = State.new(training.optimizer, problem.spec.parameters, dtype)
        members.append(Member(problem.parameters.copy(), problem.x, problem.y, training, state))
    lanes = target().register // np.dtype(dtype).itemsize  # 2 of float64 in a register of 16 bytes
    width = max(registers, -(-len(problems) // lanes)) * lanes
    return Group(problems[0].spec, dict(enumerate(members)), width), members


def problems(dtype, count=3, output="softmax", hidden="tanh"):
    return [Problem.make(seed, [3, 6, 5, 2], 13, hidden, output, dtype=dtype) for seed in range(count)]


@checks("lanes_updates.penalized")
def test_penalties_of_each_model(dtype):
    made, members = group(dtype, 2, problems(dtype), l2=0.125, l1=0.0625)
    rng, scale = np.random.default_rng(5), np.dtype(dtype).type(0.3)
    total = wild(rng, made.parameters.shape, dtype)
    gradient = Guarded(total, writes=True)
    call("lanes_updates.penalized", dtype, made.plan.fields, gradient.array, made.parameters, scale)
    gradient.check()
    got = gradient.array.reshape(total.shape)
    parameters = np.stack([one.parameters for one in members], axis=-1)
    expected = definitions.penalized(made.spec, parameters, total[:, : len(members)], scale, 0.125, 0.0625)
    assert_same_bits(got[:, : len(members)], *expected)


LOSSES = [
    "softmax_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_squared_error", "identity_squared_error"
]  # fmt: skip


@checks(*(f"lanes_losses.{name}" for name in LOSSES))
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_rows(name, dtype):
    rng = np.random.default_rng(6)
    step = target().register // np.dtype(dtype).itemsize
    for J in (2, 3, 1):
        if name.startswith("softmax") and J == 1:
            continue
        for registers in (1, 4, 7):
            rows = registers * step
            stride = rows + lines(dtype)
            z, y = 3 * wild(rng, (J, rows), dtype), rng.random((J, rows)).astype(dtype)
            if name.startswith("softmax"):
                y[0] = rng.integers(0, J, rows)
            padded = np.zeros((2, J, stride), dtype)
            padded[0, :, :rows], padded[1, :, :rows] = z, y
            dz = Guarded(padded[0], writes=np.tile(np.arange(stride) < rows, J))
            values, rights = (Guarded(np.zeros(rows, dtype), writes=True) for _ in range(2))
            call(f"lanes_losses.{name}", dtype, dz.array, padded[1], values.array, rights.array, J, rows, stride)
            for guarded in (dz, values, rights):
                guarded.check()
            expected = definitions.row_losses(name, z, y[0] if name.startswith("softmax") else y)
            assert_same_bits(dz.array.reshape(J, stride)[:, :rows], expected[0], "dz")
            assert_same_bits(values.array + np.zeros(1, dtype), expected[1], "losses")  # of -0: +0
            assert_same_bits(rights.array, expected[2], "right rows")


@checks("model_lanes.forward_batch", "model_lanes.backward_batch")
@pytest.mark.parametrize(
    "output", ["softmax", "exponential"]
)  # whose losses have a kernel for all rows; or go row by row
@pytest.mark.parametrize("optimizer", [None, Adam()])
def test_a_batch_forward_and_back(optimizer, output, dtype):
    for registers in (1, 3):
        some = problems(dtype, output=output)
        made, members = group(dtype, registers, some, order=None, optimizer=optimizer, batch_size=13)
        plan, scale = made.plan, np.dtype(dtype).type(0.25)
        before = made.parameters.copy()
        totals = _view(plan[at.TOTALS], made.width, dtype)
        for record in (0, 1):
            call("model_lanes.forward_batch", dtype, plan.fields, made.parameters, 0, 13, record)
            assert record or not totals.any()
        call("model_lanes.backward_batch", dtype, plan.fields, made.parameters, 0, 13, scale)
        assert plan[at.STEP] == 1
        rights = _view(plan[at.RIGHTS], made.width, dtype)
        for m, (one, problem) in enumerate(zip(members, some, strict=True)):
            sums = reference.loss_and_gradient(made.spec, problem.parameters, problem.x, problem.y)
            assert_same_bits(totals[m], sums.loss, "loss")
            assert rights[m] == sums.right
            if optimizer is None:
                rate = np.dtype(dtype).type(one.training.learning_rate)
                expected = optimizers.gradient_descent(problem.parameters, sums.gradient, scale, rate)
                assert_same_bits(made.parameters[:, m], expected, "parameters")
            else:
                gradient = _view(plan[at.GRADIENT], before.size, dtype).reshape(before.shape)
                assert_same_bits(gradient[:, m], sums.gradient, "gradient")


def _view(address, count, dtype):
    return np.ctypeslib.as_array((np.ctypeslib.as_ctypes_type(dtype) * count).from_address(address))


@checks("model_lanes.train")
def test_an_epoch_of_each_model(dtype):
    """Order, batches and updates; whole trainings are compared in tests/engine/test_model_lanes.py."""
    made, members = group(dtype, 2, problems(dtype), epochs=1)
    assert call("model_lanes.train", dtype, made.plan.fields, made.parameters, 100) == DONE
    kind = np.dtype(dtype).type
    for m, one in enumerate(members):
        parameters = one.parameters
        order = random.permutation(m, 1, 13)
        for start in (0, 5, 10):
            rows = order[start : start + 5]
            sums = reference.loss_and_gradient(made.spec, parameters, one.x[rows], one.y[rows])
            scale = reference._scale(made.spec, len(rows), None)
            parameters = optimizers.gradient_descent(parameters, sums.gradient, scale, kind(one.training.learning_rate))
        assert_same_bits(made.parameters[:, m], parameters)


# ---------------------------------------------------------------------------------------------------------
# All of them


def test_every_kernel_of_groups_is_checked():
    assert set(CHECKED) == OF_GROUPS
    assert all(PAIRS[name].reference is None for name in OF_GROUPS - {"model_lanes.train"})


def test_a_field_of_another_kind_is_refused():
    plan = GroupPlan("float64", 2)
    plan.counts(MODELS=8)
    plan.layer(1, LAYER_INPUTS=5)
    assert plan[at.MODELS] == 8
    assert plan[at.FIELDS + at.LAYER_FIELDS + at.LAYER_INPUTS] == 5
    for wrong in (
        lambda: plan.counts(ORDER=1), lambda: plan.buffers(MODELS=1), lambda: plan.kernels(ORDER="lanes_rows.gather"),
    ):  # fmt: skip
        with pytest.raises(AssertionError):
            wrong()


def test_penalties_are_those_of_the_definition():
    """As the kernel of groups has its own loop over layers: the formula is one."""
    g, w = np.array([1.0, 1.0, 1.0]), np.array([2.0, -2.0, 0.0])
    assert gradients.penalized(g, w, 0.5, 0.25).tolist() == [2.25, -0.25, 1.0]
