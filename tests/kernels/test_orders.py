"""Each kernel that orders other kernels' work, called by itself and compared with the definition of what it does.

A plan is made ready as for a training. Then one kernel is called, by the address that the plan has for it.
"""

import threading
from dataclasses import replace

import numpy as np
import pytest
from bits import assert_same_bits
from cases import register_lanes
from trainings import Problem

from fastmlp.core.input_scale import seen
from fastmlp.engine import doors, numba_backend, row_pieces, row_scores
from fastmlp.engine import team as teams
from fastmlp.engine.buffers import Workspace
from fastmlp.engine.forward import Pass, empty
from fastmlp.engine.training_numbers import update_factors
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.optimizers import Adam, AdamW
from fastmlp.reference import activations, arithmetic, input_scale, optimizers, random
from fastmlp.reference import train as reference
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.training import Objective, RateFactors, State, Training

PAIRS = registry.load_all()
CHECKED = {}  # kernel: the name of its test


def checks(*kernels):
    """Says which kernels a test compares with the definition."""

    def register(test):
        CHECKED.update(dict.fromkeys(kernels, test.__name__))
        return pytest.mark.parametrize("dtype", ["float64", "float32"])(test)

    return register


def call(name, dtype, *arguments):
    """Calls a kernel; arrays are passed by their addresses."""
    return PAIRS[name](dtype, *arguments)


def ready(problem, pass_name, weights=None, batch=None, **asked):
    """A workspace whose plan is that of a training by this pass."""
    rows = len(problem.x)
    training = Training(9, 0.1, batch or rows, record_every=1, **asked)
    state = State.new(training.optimizer, problem.spec.parameters, problem.spec.dtype)
    parameters, x, y = problem.parameters.copy(), problem.x, problem.y
    workspace = numba_backend.ready(problem.spec, parameters, x, y, training, state, weights, pass_name)
    return workspace, training


def weights_of(problem):
    """A weight for each row, some of them 0."""
    return (np.arange(len(problem.x)) % 4 / 2).astype(problem.spec.dtype)


def assert_sums(workspace, expected, weighed=False):
    """The gradient, the loss, the rows' weights and the right rows, as a pass or a batch leaves them."""
    count = workspace.spec.parameters
    assert_same_bits(workspace.gradient[:count], expected.gradient, "gradient")
    assert_same_bits(workspace.gradient[count], expected.loss, "loss")
    if weighed:
        assert_same_bits(workspace.gradient[count + 1], expected.weight, "sum of weights")
    assert workspace.plan[at.BATCH_RIGHT] == expected.right


# ---------------------------------------------------------------------------------------------------------
# Passes and batches

NETWORKS = [  # layers, hidden, output
    ([3, 7, 5, 2], "relu", "softmax"), ([5, 33, 18, 3], "tanh", "softmax"), ([2, 1], "relu", "sigmoid"),
    ([1, 20, 4], "gelu", "identity"),
]  # fmt: skip
MODE = at.BACKWARD | at.RECORD


@checks("streamed.span", "rowwise.span", "layered.span")
@pytest.mark.parametrize("pass_name", ["streamed", "rowwise", "layered"])
@pytest.mark.parametrize("rows", [1, 7, 100, CHUNK])
def test_a_pass_is_forward_loss_and_gradient(rows, pass_name, dtype):
    for number, (layers, hidden, output) in enumerate(NETWORKS):
        problem = Problem.make(number, layers, rows, hidden, output, dtype=dtype)
        workspace, _ = ready(problem, pass_name)
        plan, parameters, spec = workspace.plan, workspace.parameters, problem.spec
        plan[at.BATCH_RIGHT] = 0
        assert call(f"{pass_name}.span", dtype, plan, parameters, 0, len(problem.x), MODE) == at.DONE
        assert_sums(workspace, reference.loss_and_gradient(spec, problem.parameters, problem.x, problem.y))


@checks("streamed.span_with_options", "rowwise.span_with_options", "passes.dropout", "layered.dropout")
@pytest.mark.parametrize("pass_name", ["streamed", "rowwise", "layered"])
def test_a_pass_with_weights_and_dropout(pass_name, dtype):
    rates = (0.4, 0.2)
    for number, hidden in enumerate(("relu", "tanh")):
        problem = Problem.make(number, [3, 18, 5, 2], 100, hidden, dtype=dtype)
        weights, spec = weights_of(problem), problem.spec
        workspace, _ = ready(problem, pass_name, weights, dropout=rates, dropout_seed=9)
        plan = workspace.plan
        name = "layered.span" if pass_name == "layered" else f"{pass_name}.span_with_options"
        mode = MODE | int(plan[at.EXTRAS])
        plan[at.EPOCH] = 4
        assert call(name, dtype, plan, workspace.parameters, 0, 100, mode) == at.DONE
        factors = []
        for layer, (rate, units) in enumerate(zip(rates, spec.layers[1:-1], strict=True)):
            threshold, kept = random.dropout_numbers(rate)
            places, kept = np.arange(100), np.dtype(dtype).type(kept)
            factors.append(random.dropout_factors(9, random.DROPOUT + layer, 4, places, units, threshold, kept))
        expected = reference.loss_and_gradient(spec, problem.parameters, problem.x, problem.y, weights, factors)
        assert_sums(workspace, expected, weighed=True)
        _check_dropout(workspace, pass_name, factors[0], dtype)


def _check_dropout(workspace, pass_name, factors, dtype):
    """The dropout kernel alone: units and slopes are multiplied by the factors of their rows."""
    plan, spec = workspace.plan, workspace.spec
    entry, units = at.FIELDS, spec.layers[1]
    layered = pass_name == "layered"
    stride = int(plan[entry + at.LAYER_STRIDE]) if layered else (1 if pass_name == "rowwise" else workspace.stride)
    rows = 1 if pass_name == "rowwise" else min(12, workspace.tile)

    def view(address):
        kind = np.ctypeslib.as_ctypes_type(dtype)
        shape = (rows, stride) if layered else ((1, units) if pass_name == "rowwise" else (units, stride))
        all_of_it = np.ctypeslib.as_array((kind * (shape[0] * shape[1])).from_address(int(address))).reshape(shape)
        return all_of_it[:, :units] if layered or pass_name == "rowwise" else all_of_it[:, :rows].T

    a, slope = view(plan[entry + at.LAYER_A]), view(plan[entry + at.LAYER_SLOPE])
    draws = np.random.default_rng(0)
    a[:] = draws.standard_normal(a.shape)
    curved = plan[entry + at.LAYER_SLOPE] != plan[entry + at.LAYER_FACTORS]
    if curved:
        slope[:] = draws.standard_normal(a.shape)
    before = a.copy(), slope.copy()
    address = int(plan[entry + at.LAYER_A])
    if layered:
        call("layered.dropout", dtype, plan, address, entry, 0, 0, rows)
    else:
        call("passes.dropout", dtype, plan, address, entry, 0, rows, stride)
    assert_same_bits(a, activations.multiply(before[0], factors[:rows]), "activations")
    assert_same_bits(slope, activations.multiply(before[1], factors[:rows]) if curved else factors[:rows], "slopes")


@checks("train.sum_batch", "few.sum_batch")
@pytest.mark.parametrize("pass_name", ["streamed", "layered", "few"])
def test_a_batch_is_a_tree_of_its_chunks(pass_name, dtype):
    for rows in (1, 5, 8) if pass_name == "few" else (1, CHUNK, CHUNK + 1, 4 * CHUNK + 7, 7 * CHUNK):
        problem = Problem.make(rows, [3, 7, 2], rows, "silu", dtype=dtype)
        workspace, _ = ready(problem, pass_name, optimizer=Adam())  # else `few` updates as it goes back
        workspace.plan[at.BATCH_RIGHT] = 99
        name = "few.sum_batch" if pass_name == "few" else "train.sum_batch"
        mode = MODE & ~at.DESCENDS
        assert call(name, dtype, workspace.plan, workspace.parameters, 0, rows, mode) == at.DONE
        expected = reference.loss_and_gradient(problem.spec, problem.parameters, problem.x, problem.y)
        assert_sums(workspace, expected)


# ---------------------------------------------------------------------------------------------------------
# Between a batch's sum and the update


@checks("train.step")
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("clip", [{}, {"clip_value": 0.01}, {"clip_norm": 0.05}])
@pytest.mark.parametrize("objective", [None, Objective()])
def test_a_step_prepares_the_gradient_and_updates(objective, clip, weighed, dtype):
    kind = np.dtype(dtype).type
    problem = Problem.make(3, [3, 7, 2], 20, "tanh", dtype=dtype)
    spec, weights = problem.spec, weights_of(problem) if weighed else None
    adam = Adam(learning_rate=0.01)
    asked = dict(l2=0.25, l1=0.125, optimizer=adam, objective=objective, **clip)
    workspace, _ = ready(problem, "streamed", weights, **asked)
    total = np.random.default_rng(1).standard_normal(spec.parameters).astype(dtype)
    for weight in (kind(2.5), kind(0)) if weighed else (None,):
        workspace.parameters[: spec.parameters] = problem.parameters
        workspace.gradient[: spec.parameters] = total
        if weighed:
            workspace.gradient[spec.parameters + 1] = weight
        rows = kind(20)
        scale = reference._scale(spec, 20, weight) if objective is None else reference.row_scale(rows, weight)
        steps, _ = adam.steps(np.array([0.01]), np.ones(2))
        workspace.steps[:1] = steps
        workspace.state[:] = 0.5
        workspace.plan[at.STEP] = 0
        plain = reference._scale(spec, 20, None) if objective is None else reference.row_scale(rows, None)
        call("train.step", dtype, workspace.plan, workspace.parameters, float(plain))
        limits = {name: kind(limit) for name, limit in clip.items()}
        of_sum = objective is not None
        g = reference.prepare(
            spec, problem.parameters, total, scale, l2=kind(0.25), l1=kind(0.125), of_sum=of_sum, **limits
        )
        state = np.full(spec.parameters, 0.5, dtype)
        settings = [kind(setting) for setting in adam.settings]
        expected = optimizers.adam(problem.parameters, g, kind(1), state, state, *steps[0].astype(dtype), *settings)
        assert_same_bits(workspace.parameters[: spec.parameters], expected[0], "parameters")
        assert_same_bits(workspace.state[:, : spec.parameters], np.array(expected[1:]), "state")
        assert workspace.plan[at.STEP] == 1


@checks("train.scaled_step")
@pytest.mark.parametrize("weighed", [False, True])
def test_a_step_with_an_input_scale_updates_it_and_folds_it_again(weighed, dtype):
    kind = np.dtype(dtype).type
    problem = Problem.make(3, [3, 7, 2], 20, "tanh", dtype=dtype, input_scale=True)
    spec, weights = problem.spec, weights_of(problem) if weighed else None
    inner, count = spec.layer_parameters, spec.parameters
    factors = RateFactors((0.5, 1.0), (0.1, 0.0), 6.0)
    adam = AdamW(0.01, weight_decay=2.0, decay_biases=False)
    asked = dict(l2=0.25, optimizer=adam, clip_norm=0.05, rate_factors=factors)
    workspace, workspace_training = ready(problem, "streamed", weights, **asked)
    total = np.random.default_rng(1).standard_normal(inner).astype(dtype)
    weight = kind(2.5) if weighed else None
    workspace.gradient[:inner] = total
    if weighed:
        workspace.gradient[inner + 1] = weight
    steps, _ = adam.steps(np.array([0.01]), np.ones(2))
    workspace.steps[:1] = steps
    workspace.state[:2, :count] = 0.5
    call("train.scaled_step", dtype, workspace.plan, workspace.parameters, float(reference._scale(spec, 20, None)))
    gradient = np.append(total, np.zeros(3, dtype))
    (w, _), (dw, _) = spec.views(problem.parameters)[0], spec.views(gradient)[0]
    dw[:], gradient[inner:] = input_scale.unfolded(dw.copy(), w, spec.scale_of(problem.parameters))
    scale = reference._scale(spec, 20, weight)
    limits = {"l2": kind(0.25), "clip_norm": kind(0.05)}
    g = reference.prepare(spec, problem.parameters, gradient, scale, **limits)
    of_rates, decays = update_factors(spec, workspace_training)
    assert spec.views(of_rates)[1][1].tolist() == [0.0] * 2
    assert [set(part.ravel()) for pair in spec.views(decays) for part in pair] == [{1}, {0}] * 2
    assert spec.scale_of(of_rates).tolist() == [6.0] * 3
    state = np.full(count, 0.5, dtype)
    step = optimizers.with_factors(list(steps[0].astype(dtype)), of_rates, decays)
    settings = [kind(setting) for setting in adam.settings]
    expected = optimizers.adam(problem.parameters, g, kind(1), state, state, *step, *settings)
    assert_same_bits(workspace.trained[:count], expected[0], "what is trained")
    assert_same_bits(workspace.state[:2, :count], np.array(expected[1:]), "state")
    assert_same_bits(workspace.parameters[:inner], seen(spec, expected[0]), "what passes see")
    assert workspace.plan[at.STEP] == 1


@checks("train.record_objective")
@pytest.mark.parametrize("weighed", [False, True])
def test_the_objective_of_a_batch(weighed, dtype):
    kind = np.dtype(dtype).type
    problem = Problem.make(3, [3, 7, 2], 20, "tanh", "identity", "squared_error", dtype=dtype)
    spec = problem.spec
    workspace, _ = ready(
        problem, "streamed", weights_of(problem) if weighed else None, l2=0.5, objective=Objective(0.5)
    )
    for weight in (kind(2.5), kind(0)) if weighed else (None,):
        workspace.gradient[spec.parameters] = 3.3
        if weighed:
            workspace.gradient[spec.parameters + 1] = weight
        workspace.numbers[at.TOTAL] = 0.7
        call("train.record_objective", dtype, workspace.plan, workspace.parameters, 20.0)
        sums = reference.Sums(kind(3.3), np.zeros(0), weight, 0)
        expected = kind(0.7) + reference.batch_loss(spec, problem.parameters, sums, kind(20), kind(0.5), kind(0.25))
        assert_same_bits(workspace.numbers[at.TOTAL], expected)


# ---------------------------------------------------------------------------------------------------------
# Online


@checks("online.sweep")
def test_a_sweep_updates_each_weight_and_then_uses_it(dtype):
    draws = np.random.default_rng(0)
    lanes = register_lanes(dtype)
    for count in (1, 3, 8):
        for width in (1, 3, 4, 5, 9):
            stride = width * lanes
            w = draws.standard_normal((count, stride)).astype(dtype)
            now, before = draws.standard_normal((2, count)).astype(dtype)
            deltas, sums = draws.standard_normal((2, stride)).astype(dtype)
            scale, rate = np.dtype(dtype).type(0.25), np.dtype(dtype).type(0.1)
            expected, total = w.copy(), sums.copy()
            for i in range(count):
                expected[i] = optimizers.gradient_descent(w[i], before[i] * deltas + 0, scale, rate)
                total = arithmetic.fma(now[i], expected[i], total)
            call("online.sweep", dtype, w, now, before, deltas, sums, count, stride, float(scale), float(rate))
            assert_same_bits(w, expected, "w")
            assert_same_bits(sums, total, "sums")


@checks("online.pack", "online.unpack", "online.train")
def test_packed_parameters_and_the_updates_that_wait(dtype):
    """Packing and unpacking change nothing; after a row, unpacking makes its update."""
    for layers in ([2, 2, 1], [3, 17, 5, 2]):
        problem = Problem.make(4, layers, 6, "tanh", "identity", "squared_error", dtype=dtype)
        if problem.spec.outputs == 2:
            problem = Problem.make(4, layers, 6, "tanh", dtype=dtype)
        workspace, _ = ready(problem, "rowwise", batch=1)
        assert workspace.pass_name == "online"
        plan, spec, count = workspace.plan, problem.spec, problem.spec.parameters
        scale, rate = (workspace.numbers[number] for number in (at.SCALE, at.LEARNING_RATE))
        call("online.pack", dtype, plan, workspace.parameters)
        workspace.parameters[:count] = 7  # w is read before it is written, and not from here
        call("online.unpack", dtype, plan, workspace.parameters, float(scale), float(rate))
        zeros = np.zeros(count, dtype)
        expected = optimizers.gradient_descent(problem.parameters, zeros, scale, rate)
        assert_same_bits(workspace.parameters[:count], expected)
        workspace.parameters[:count] = problem.parameters
        assert call("online.train", dtype, plan, workspace.parameters, 1) == at.MORE  # one row
        sums = reference.loss_and_gradient(spec, problem.parameters, problem.x[:1], problem.y[:1])
        expected = optimizers.gradient_descent(problem.parameters, sums.gradient, scale, rate)
        assert_same_bits(workspace.parameters[:count], expected)


# ---------------------------------------------------------------------------------------------------------
# Predictions and scores


def predicting(problem, pass_name, piece=32):
    made = Pass(problem.spec, problem.parameters, pass_name, piece, 0)
    result = empty(problem.spec, "outputs", len(problem.x))
    made.take("outputs", len(problem.x), problem.x.ctypes.data, result.ctypes.data)
    return made, result


@checks("predict.checked")
@pytest.mark.parametrize("pass_name", ["streamed", "rowwise", "layered"])
def test_outputs_of_pieces(pass_name, dtype):
    problem = Problem.make(5, [3, 9, 4], 75, "elu", dtype=dtype)
    made, result = predicting(problem, pass_name)
    parameters = problem.parameters.ctypes.data
    assert call("predict.checked", dtype, made.plan, parameters) == at.DONE
    assert_same_bits(result, reference.outputs(problem.spec, problem.parameters, problem.x))
    problem.x[70, 1] = np.inf
    assert call("predict.checked", dtype, made.plan, parameters) == at.DIVERGED
    problem.x[70, 1] = 1
    result[:] = 0
    assert call("predict.checked", dtype, made.plan, parameters) == at.DONE  # it has not kept what was wrong
    assert_same_bits(result, reference.outputs(problem.spec, problem.parameters, problem.x))


@checks("predict.scored")
@pytest.mark.parametrize("pass_name", ["streamed", "rowwise", "layered"])
def test_losses_of_chunks(pass_name, dtype):
    problem = Problem.make(6, [3, 9, 4], 2 * CHUNK + 9, "elu", dtype=dtype)
    spec, losses = problem.spec, np.zeros(3, dtype)
    workspace = row_scores._for_scores(Workspace(spec, pass_name, CHUNK), problem.x, problem.y, losses)
    workspace.parameters[: spec.parameters] = problem.parameters
    assert call("predict.scored", dtype, workspace.plan, workspace.parameters) == at.DONE
    _, loss, right = reference.loss_rows(spec, reference.logits(spec, problem.parameters, problem.x), problem.y)
    expected = [arithmetic.row_sum(loss[start : start + CHUNK]) for start in range(0, len(loss), CHUNK)]
    assert_same_bits(losses, np.array(expected))
    assert workspace.plan[at.BATCH_RIGHT] == right.sum()


@checks("predict.lead", "predict.help_out")
def test_a_leader_and_a_helper_share_pieces(dtype):
    problem = Problem.make(7, [3, 9, 4], 3200, "elu", dtype=dtype)
    expected = reference.outputs(problem.spec, problem.parameters, problem.x[:100])
    first, result = predicting(problem, "streamed")
    second, _ = predicting(problem, "streamed")
    second.take("outputs", len(problem.x), problem.x.ctypes.data, result.ctypes.data)
    turns, words = doors.lines(2), doors.Doors(1)
    turns[at.TAKEN] = 1
    for made in (first, second):
        made.plan[at.TURNS] = turns.ctypes.data
    function, parameters = registry.address("predict.checked", dtype), problem.parameters.ctypes.data
    help_out = registry.function("predict.help_out", dtype, row_pieces._HELP)
    lead = registry.function("predict.lead", dtype, row_pieces._LEAD)
    helper = threading.Thread(target=help_out, args=(second.plan.ctypes.data, parameters, function, words.of(0)))
    helper.start()
    assert lead(first.plan.ctypes.data, parameters, function, words.address, 1) == at.DONE
    helper.join(20)
    alone, whole = predicting(problem, "streamed")
    call("predict.checked", dtype, alone.plan, parameters)
    assert_same_bits(result, whole)
    assert_same_bits(result[:100], expected)


# ---------------------------------------------------------------------------------------------------------
# Teams


def team_of(problem, pass_name, members):
    workspace, training = ready(problem, pass_name)
    made = teams.team(workspace, members, training)
    plans = [workspace.plan, *made._plans]
    for number, plan in enumerate(plans):
        plan[at.ME], plan[at.MEMBERS], plan[at.TEAM] = number, members, made._shared.ctypes.data
    return workspace, made, plans


@checks("team.share_chunks")
def test_members_share_the_chunks(dtype):
    rows = 5 * CHUNK + 3
    problem = Problem.make(8, [3, 7, 2], rows, "silu", dtype=dtype)
    spec = problem.spec
    workspace, made, plans = team_of(problem, "streamed", 3)
    workspace.plan[at.CHUNK_SUMS] = made._shared[at.JOB_SUMS]
    for plan in plans:
        call("team.share_chunks", dtype, plan, workspace.parameters, 0, rows, MODE)
    kind = np.ctypeslib.as_ctypes_type(dtype)
    sums = np.ctypeslib.as_array((kind * (6 * workspace.size)).from_address(int(made._shared[at.JOB_SUMS])))
    for chunk in range(6):
        some = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        expected = reference.loss_and_gradient(spec, problem.parameters, problem.x[some], problem.y[some])
        got = sums[chunk * workspace.size :][: spec.parameters + 1]
        assert_same_bits(got, np.append(expected.gradient, expected.loss), f"chunk {chunk}")
    right = reference.loss_and_gradient(spec, problem.parameters, problem.x, problem.y).right
    assert sum(plan[at.BATCH_RIGHT] for plan in plans) == right


@checks("team.own_part")
def test_a_members_part_of_an_update(dtype):
    problem = Problem.make(9, [40, 90, 7], 30, dtype=dtype)
    count = problem.spec.parameters
    workspace, made, plans = team_of(problem, "layered", 3)
    workspace.gradient[:] = np.random.default_rng(2).standard_normal(workspace.size)
    workspace.plan[at.UPDATE] = registry.address("optimizers.gradient_descent", dtype)
    for plan in plans:
        plan[at.UPDATE] = workspace.plan[at.UPDATE]
        plan[at.GRADIENT] = workspace.plan[at.GRADIENT]
    workspace.numbers[at.JOB_SCALE] = 0.3
    made._shared[at.JOB] = at.UPDATE_PARAMETERS
    for plan in plans:
        before = workspace.parameters.copy()
        call("team.own_part", dtype, plan, workspace.parameters)
        assert 0 < (workspace.parameters != before).sum() < count
    scale, rate = workspace.numbers[at.JOB_SCALE], workspace.numbers[at.LEARNING_RATE]
    expected = optimizers.gradient_descent(problem.parameters, workspace.gradient[:count], scale, rate)
    assert_same_bits(workspace.parameters[:count], expected)


@checks("team.lead", "team.work", "team.together", "team.meet", "train.train")
@pytest.mark.parametrize("pass_name", ["streamed", "layered"])
def test_a_team_trains_as_one(pass_name, dtype):
    """An epoch by the leader's kernel, with a helper that comes in: it waits until there is one."""
    problem = Problem.make(10, [3, 40, 2], 3 * CHUNK, "relu", dtype=dtype)
    alone, _ = ready(problem, pass_name)
    call("train.train", dtype, alone.plan, alone.parameters, 2)
    for _ in range(500):  # a helper that has no core for 2 ms is not waited for
        workspace, training = ready(problem, pass_name)
        made = teams.team(workspace, 2, training)
        assert made.train(2) == at.MORE
        assert_same_bits(workspace.parameters, alone.parameters)
        if made.members == 2:
            break
    else:
        pytest.fail("no helper came in")
    sums = reference.loss_and_gradient(problem.spec, problem.parameters, problem.x, problem.y)
    scale = reference._scale(problem.spec, len(problem.x), None)
    one = replace(problem, parameters=problem.parameters.copy())
    first, _ = ready(one, pass_name)
    call("train.train", dtype, first.plan, first.parameters, 1)
    rate = np.dtype(dtype).type(0.1)
    expected = optimizers.gradient_descent(problem.parameters, sums.gradient, scale, rate)
    assert_same_bits(first.parameters[: problem.spec.parameters], expected)


def test_every_kernel_that_orders_others_is_checked():
    ordering = {name for name, kernel in PAIRS.items() if kernel.reference is None}
    ordering -= {name for name in ordering if name.startswith(("lanes_", "model_lanes."))}  # test_lane_kernels.py
    assert ordering - set(CHECKED) == set(), "give each of these a test above"
    assert set(CHECKED) <= set(PAIRS), "these are no longer registered"
