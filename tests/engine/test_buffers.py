"""The engine: buffers, tiles, plans, and how it returns to Python now and then."""

import ctypes
import gc
import math
import time
import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp.engine import buffers, forward, kept_workspaces, numba_backend, reference_backend, training_numbers
from fastmlp.engine.buffers import Workspace
from fastmlp.engine.choose import of_batches
from fastmlp.engine.sizes import TILE_BYTES, aligned, padded_size, tile_rows
from fastmlp.kernels import plan as at
from fastmlp.optimizers import SGD, Adam
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.schedules import Cosine
from fastmlp.spec import DTYPES, Spec
from fastmlp.training import Training

PASSES = ("streamed", "layered", "rowwise")


def random_data(spec, rows, seed=0):
    draws = np.random.default_rng(seed)
    x = draws.normal(size=(rows, spec.inputs)).astype(spec.dtype)
    if spec.output == "softmax":
        return x, draws.integers(0, spec.outputs, rows).astype(spec.dtype)
    return x, draws.integers(0, 2, (rows, spec.outputs)).astype(spec.dtype)


def random_parameters(spec, seed=1):
    return (np.random.default_rng(seed).normal(size=spec.parameters) / 3).astype(spec.dtype)


def training(epochs=3, batch_size=10**9, **arguments):
    return Training(
        **{"epochs": epochs, "learning_rate": 0.1, "batch_size": batch_size, "record_every": 1, **arguments}
    )


def end_of(steps):
    """All records, as words since NaN in them equals NaN, and the last state."""
    records = []
    for step in steps:
        records.extend(map(repr, step.records.tolist()))
    return records, step.state, step.epochs


# ---------------------------------------------------------------------------------------------------------
# Buffers


@pytest.mark.parametrize("dtype", [*DTYPES, "int64"])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 1000])
def test_aligned_buffers(count, dtype):
    for _ in range(20):
        x = aligned(count, dtype)
        assert (x.shape, x.dtype) == ((count,), dtype)
        assert x.ctypes.data % LINE == 0 or count == 0
        assert not x.any()
        # two lines behind it, which kernels may write, are the buffer's own
        base = x
        while base.base is not None:
            base = base.base
        end = x.ctypes.data + x.nbytes
        assert base.ctypes.data <= x.ctypes.data
        assert base.ctypes.data + base.nbytes >= end + 2 * LINE or count == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_like_the_gradient_is_whole_lines(dtype):
    line = LINE // np.dtype(dtype).itemsize
    for count in range(1, 70):
        size = padded_size(count, dtype)
        assert size % line == 0
        assert count + 2 <= size < count + 2 + line
        assert size == (count + 1 + line) // line * line  # as the kernels have it


@given(
    layers=st.lists(st.integers(1, 1500), min_size=2, max_size=6),
    rows=st.integers(1, 5000),
    group=st.sampled_from([4, 8, 16, 32]),
    dtype=st.sampled_from(DTYPES),
)
def test_tiles_are_whole_groups_that_cover_a_chunk(layers, rows, group, dtype):
    spec = Spec.build(layers, output="identity", dtype=dtype)
    tile = tile_rows(spec, rows, group)
    chunk = min(rows, CHUNK)
    assert tile % group == 0
    assert group <= tile <= CHUNK
    # as few rows too many as groups allow, and no tile without a row
    tiles = math.ceil(chunk / tile)
    assert (tiles - 1) * tile < chunk <= tiles * tile
    assert tile - group < chunk


def test_tiles_fit_the_cache_while_sums_do():
    for layers in ([2, 8, 8, 2], [30, 20, 10], [1, 1], [16, 64, 10]):
        spec = Spec.build(layers, output="identity")
        tile = tile_rows(spec, 100_000, 8)
        assert tile == 8 or tile * 8 * (sum(layers) + spec.targets) <= TILE_BYTES + 8 * 8 * 2 * sum(layers)


@pytest.mark.sample(5)
@pytest.mark.parametrize("pass_name", [*PASSES, "few"])
@pytest.mark.parametrize("rows", [1, 3, 600])
def test_a_workspace_keeps_its_arrays_alive(rows, pass_name):
    spec = Spec.build([3, 4, 2], hidden="tanh")
    x, y = random_data(spec, rows)
    buffers = Workspace(spec, pass_name, rows)
    buffers.for_loss(rows)
    buffers.for_gradient()
    buffers.data(x, y)
    alive = [weakref.ref(x), weakref.ref(y)]
    extents = [(array.ctypes.data, array.nbytes) for array in (*buffers._arrays, x, y)]
    del x, y
    gc.collect()
    assert all(reference() is not None for reference in alive)
    fields = {
        "streamed": [at.X_TILE, at.SUMS],
        "layered": [at.X_TILE, at.PANEL, at.DELTAS, at.PACKED, at.BLOCKS, at.SCALARS],
        "rowwise": [at.SUMS],
        "few": [at.X_TILE],
    }[pass_name]
    fields += [at.X, at.Y, at.Y_TILE, at.ONES, at.STATISTICS, at.GRADIENT, at.LEVELS]
    for field in fields:
        address = int(buffers.plan[field])
        assert any(start <= address < start + max(size, 1) for start, size in extents), f"field {field}"
        if field not in (at.X, at.Y):
            assert address % LINE == 0
    del buffers
    gc.collect()
    assert all(reference() is None for reference in alive)


def test_the_plan_holds_the_layers():
    spec = Spec.build([3, 4, 5, 2], hidden=["relu", "tanh"])
    buffers = Workspace(spec, "streamed", 100)
    plan = buffers.plan
    assert (plan[at.LAYERS], plan[at.PARAMETERS], plan[at.OUTPUTS], plan[at.COLUMNS]) == (3, spec.parameters, 2, 1)
    table = plan[at.FIELDS :].reshape(3, at.LAYER_FIELDS)
    assert table[:, at.LAYER_INPUTS].tolist() == [3, 4, 5]
    assert table[:, at.LAYER_OUTPUTS].tolist() == [4, 5, 2]
    assert table[:, at.LAYER_OFFSET].tolist() == spec.offsets == [0, 16, 41]
    assert table[:, at.LAYER_RELU].tolist() == [1, 0, 0]
    assert (table[:, at.LAYER_FORWARD] != 0).tolist() == [False, True, False]
    assert plan[at.STRIDE] >= plan[at.TILE] > 0


def test_the_pass_of_a_batch():
    small, wide, odd = Spec.build([4, 8, 2]), Spec.build([784, 128, 10]), Spec.build([2, 129, 129, 2], dtype="float32")
    middling = Spec.build([128, 128, 10])
    for spec in (small, wide, odd, middling):
        assert of_batches(spec, 1) == "rowwise"
    for batch in (2, 3, 16, 512, 10**6):
        assert of_batches(small, batch) == "streamed"  # too little to do in a row
        assert of_batches(wide, batch) == "layered"
        assert of_batches(odd, batch) == "streamed"  # 129 units would be 160
        assert of_batches(middling, batch) == ("layered" if batch > 100 else "streamed")


GUARD = 1 << 17  # bytes on either side


class Guarded:
    """Stands for `aligned`: buffers between bytes that nobody may change, but two lines behind each."""

    def __init__(self):
        self.made = []
        kept_workspaces._kept.clear()  # whose buffers were made without guards

    def replace(self, monkeypatch):
        for module in (numba_backend, forward, buffers, training_numbers):
            monkeypatch.setattr(module, "aligned", self)

    def __call__(self, count, dtype):
        size = count * np.dtype(dtype).itemsize
        raw = np.full(size + 2 * GUARD + LINE, 0xA5, np.uint8)
        start = GUARD + (-(raw.ctypes.data + GUARD)) % LINE
        raw[start : start + size + 2 * LINE] = 0
        self.made.append((raw, start, start + size + 2 * LINE))
        return raw[start : start + size].view(dtype)

    def check(self):
        assert self.made
        for number, (raw, start, end) in enumerate(self.made):
            assert (raw[:start] == 0xA5).all(), f"buffer {number} of {end - start - 2 * LINE} bytes: written before it"
            behind = np.flatnonzero(raw[end:] != 0xA5)
            assert not len(behind), (
                f"buffer {number} of {end - start - 2 * LINE} bytes: written {behind[0] + 2 * LINE} bytes behind it"
            )


NETWORKS = [
    ([3, 1], "identity"),
    ([1, 1, 1], "sigmoid"),
    ([3, 5, 1], "sigmoid"),
    ([3, 5, 7, 3], "identity"),
    ([2, 8, 8, 2], "softmax"),
    ([5, 33, 1, 17, 4], "softmax"),
    ([3, 40, 40, 6], "softmax"),  # more sums than are kept between tiles
    ([70, 3, 11], "softmax"),
    ([1, 2, 130, 2], "softmax"),
]


@pytest.mark.sample(8)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", ["relu", "tanh"])
@pytest.mark.parametrize(("layers", "output"), NETWORKS)
def test_kernels_stay_within_their_buffers(layers, output, hidden, dtype, monkeypatch):
    """Writes past the end corrupt memory that belongs to others, and may show only in a crash much later."""
    spec = Spec.build(layers, hidden=hidden, output=output, dtype=dtype)
    parameters = random_parameters(spec)
    for rows, batches in ((1, (1,)), (37, (1, 5, 37)), (300, (300, 64)), (513, (513,)), (2100, (2100, 700))):
        x, y = random_data(spec, rows)
        for pass_name in PASSES if rows < 100 else (None,):
            for batch in batches:
                guarded = Guarded()
                guarded.replace(monkeypatch)
                end_of(
                    numba_backend.train(spec, parameters.copy(), x, y, training(2, batch, order=1), pass_name=pass_name)
                )
                guarded.check()
            for calculate in (numba_backend.outputs, numba_backend.logits):
                guarded = Guarded()
                guarded.replace(monkeypatch)
                calculate(spec, parameters, x, pass_name)
                guarded.check()
            guarded = Guarded()
            guarded.replace(monkeypatch)
            numba_backend.evaluate(spec, parameters, x, y, pass_name)
            guarded.check()


@pytest.mark.sample(10)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "more",
    [
        {"optimizer": SGD(momentum=0.9), "clip_norm": 0.1, "l2": 0.01},
        {"optimizer": Adam(), "clip_value": 0.1, "l1": 0.01, "learning_rate": Cosine(0.1, epochs=3)},
    ],
    ids=["norm", "value"],
)
@pytest.mark.parametrize(("layers", "output"), [*NETWORKS, ([30, 40, 2], "softmax"), ([70, 130, 3], "softmax")])
def test_kernels_stay_within_their_buffers_with_all_options(layers, output, more, dtype, monkeypatch):
    spec = Spec.build(layers, hidden="tanh", output=output, dtype=dtype)
    dropout = (0.5,) * len(spec.hidden)
    for rows, batches in ((1, (1,)), (37, (1, 5, 37)), (600, (600, 64))):
        x, y = random_data(spec, rows)
        weights = (np.arange(rows) % 3 + 1).astype(dtype)
        for pass_name in PASSES if rows < 100 else (None,):
            for batch in batches:
                guarded = Guarded()
                guarded.replace(monkeypatch)
                asked = training(2, batch, order=1, dropout=dropout, **more)
                parameters = random_parameters(spec)
                end_of(numba_backend.train(spec, parameters, x, y, asked, weights=weights, pass_name=pass_name))
                guarded.check()


def test_the_guards_see_a_write():
    guarded = Guarded()
    x = guarded(10, "float64")
    for place, seen in ((-1, True), (10 + 2 * LINE // 8, True), (10, False), (10 + 2 * LINE // 8 - 1, False)):
        address = x.ctypes.data + 8 * place
        kept = ctypes.c_double.from_address(address).value
        ctypes.c_double.from_address(address).value = 1.0
        if seen:
            with pytest.raises(AssertionError, match="written"):
                guarded.check()
        else:
            guarded.check()
        ctypes.c_double.from_address(address).value = kept
    guarded.check()


# ---------------------------------------------------------------------------------------------------------
# Data in tiles


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", [[2, 8, 8, 2], [3, 120, 2], [5, 400, 3]])
@pytest.mark.parametrize("rows", [1, 7, 100, 512, 513, 1300])
def test_rows_lie_in_tiles(rows, layers, dtype):
    spec = Spec.build(layers, dtype=dtype)
    x, y = random_data(spec, rows)
    buffers = Workspace(spec, "streamed", rows)
    buffers.tiled_data(x, y)
    tile, stride = int(buffers.plan[at.TILE]), int(buffers.plan[at.STRIDE])
    per_chunk = math.ceil(CHUNK / tile)  # as `kernels/train.py` finds a tile
    kind = ctypes.c_double if dtype == "float64" else ctypes.c_float
    for field, source in ((at.X_TILES, x), (at.Y_TILES, y[:, None])):
        columns = source.shape[1]
        for chunk in range(0, rows, CHUNK):
            for first in range(chunk, min(chunk + CHUNK, rows), tile):
                number = chunk // CHUNK * per_chunk + (first - chunk) // tile
                address = int(buffers.plan[field]) + number * columns * stride * x.itemsize
                held = np.ctypeslib.as_array((kind * (columns * stride)).from_address(address)).reshape(columns, stride)
                last = min(first + tile, chunk + CHUNK, rows)
                assert held[:, : last - first].tobytes() == source[first:last].T.tobytes()
                assert not held[:, last - first : tile].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [511, 512, 513, 1024, 1025, 1537, 2561])
def test_many_chunks_are_the_references_bits(rows, dtype):
    """The chunks' tree, with an odd one here and there."""
    spec = Spec.build([2, 3, 2], dtype=dtype)
    x, y = random_data(spec, rows)
    parameters = random_parameters(spec)
    assert numba_backend.evaluate(spec, parameters, x, y) == reference_backend.evaluate(spec, parameters, x, y)
    assert (
        numba_backend.outputs(spec, parameters, x).tobytes() == reference_backend.outputs(spec, parameters, x).tobytes()
    )
    one, other = parameters.copy(), parameters.copy()
    assert end_of(numba_backend.train(spec, one, x, y, training())) == end_of(
        reference_backend.train(spec, other, x, y, training())
    )
    assert one.tobytes() == other.tobytes()


def test_outputs_of_more_rows_than_one_call_takes():
    """A look for Ctrl-C comes every 64 chunks."""
    spec = Spec.build([2, 3, 2])
    rows = CHUNK * 64 + 700
    x, y = random_data(spec, rows)
    parameters = random_parameters(spec)
    whole = numba_backend.logits(spec, parameters, x)
    for first in (0, CHUNK * 64 - 3, CHUNK * 64, rows - 5):
        part = slice(first, first + 5)
        assert numba_backend.logits(spec, parameters, x[part]).tobytes() == whole[part].tobytes()
    assert numba_backend.evaluate(spec, parameters, x, y)[1] == np.mean(whole.argmax(axis=1) == y)


# ---------------------------------------------------------------------------------------------------------
# Small numbers


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10, 49, 60])
def test_needed_rows_against_all_of_them(rows):
    shares = {right / rows for right in range(rows + 1)}
    shares |= {np.nextafter(share, up).item() for share in shares for up in (0, 1)}
    shares |= {0.5, 0.9, 0.95, 0.99, 1 / 3, 5e-324, 1 - 2**-53}
    for share in shares:
        fewest = next(right for right in range(rows + 1) if right / rows >= share)
        assert training_numbers.needed_rows(share, rows) == fewest
    assert training_numbers.needed_rows(None, rows) == rows + 1


@given(rows=st.integers(1, 2**32 - 1), share=st.floats(0, 1))
def test_needed_rows_of_any_number(rows, share):
    needed = training_numbers.needed_rows(share, rows)
    assert 0 <= needed <= rows
    assert needed / rows >= share
    assert needed == 0 or (needed - 1) / rows < share


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "factor", "terms"), [("softmax", 1, 1), ("sigmoid", 1, 3), ("identity", 2, 3)])
def test_the_scale_of_a_batch(output, factor, terms, dtype):
    spec = Spec.build([2, 3], output=output, dtype=dtype)
    kind = np.dtype(dtype).type
    for rows in (1, 7, 512, 10**6 + 1):
        scale = training_numbers.gradient_scale(spec, rows)
        assert scale.dtype == dtype
        exact = Fraction(factor) / Fraction(float(kind(rows * terms)))
        assert scale == kind(factor) / kind(rows * terms)
        assert abs(Fraction(float(scale)) - exact) <= Fraction(float(np.spacing(scale))) / 2


# ---------------------------------------------------------------------------------------------------------
# Returning to Python


def test_a_long_training_returns_now_and_then():
    """The aim is 50 ms, as shown; how much of a processor a test gets, nobody knows."""
    spec = Spec.build([2, 8, 8, 2])
    x, y = random_data(spec, 2000)
    steps, ends = [], [time.perf_counter()]
    for step in numba_backend.train(spec, random_parameters(spec), x, y, training(10**9, record_every=10**9)):
        steps.append(step)
        ends.append(time.perf_counter())
        if ends[-1] - ends[0] > 0.8:
            break
    seconds = np.diff(ends)
    print("ms between returns:", *(f"{1e3 * s:.1f}" for s in seconds))
    assert 5 < len(steps) < 200
    assert np.median(seconds[len(seconds) // 2 :]) < 0.5
    epochs = [step.epochs for step in steps]
    assert epochs == sorted(set(epochs))
    assert steps[-1].state == "more"


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("clock", ["stands still", "runs", "jumps"])
def test_calls_ask_for_a_number_of_batches_that_kernels_can_count(clock, drawn, monkeypatch):
    """Whatever the clock shows, and however short each call is: an int64, and no infinity on the way."""
    ticks = {"stands still": 0.0, "runs": 1e-7, "jumps": 1e6}[clock]
    now = [0.0]

    def perf_counter():
        now[0] += ticks
        return now[0]

    asked = []
    function = numba_backend.registry.function

    def spying(name, dtype, arguments):
        run = function(name, dtype, arguments)
        if name not in ("train.train", "online.train"):
            return run

        def spied(plan, parameters, batches):
            asked.append(batches)
            return run(plan, parameters, batches)

        return spied

    monkeypatch.setattr(numba_backend.time, "perf_counter", perf_counter)
    monkeypatch.setattr(numba_backend.registry, "function", spying)
    monkeypatch.setattr(numba_backend, "RECORDS", 4)  # a call ends after so many
    spec = Spec.build([2, 2])
    x, y = random_data(spec, 4)
    order = np.random.RandomState(0).permutation
    arguments = {"batch_size": 2, "order": lambda epoch: order(4)} if drawn else {}
    records, state, epochs = end_of(
        numba_backend.train(spec, random_parameters(spec), x, y, training(1200, **arguments)),
    )
    assert (state, epochs, len(records)) == ("done", 1200, 1200)
    assert all(type(count) is int and 1 <= count < 2**62 for count in asked)


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("batch", [10**9, 16, 7, 1])
def test_calls_of_one_batch_give_the_same_bits(batch, drawn, monkeypatch):
    """However often training returns to Python, and wherever in an epoch."""
    spec = Spec.build([2, 3, 2], hidden="tanh")
    x, y = random_data(spec, 50)

    def train():
        parameters = random_parameters(spec)
        order = np.random.RandomState(0).permutation
        asked = training(6, batch, order=(lambda epoch: order(50)) if drawn else 3)
        return end_of(numba_backend.train(spec, parameters, x, y, asked)), parameters.tobytes()

    expected = train()
    function = numba_backend.registry.function
    calls = []

    def by_ones(name, dtype, arguments):
        run = function(name, dtype, arguments)
        trains = name in ("train.train", "online.train")
        return (lambda *given: calls.append(1) or run(*given[:2], 1)) if trains else run

    monkeypatch.setattr(numba_backend.registry, "function", by_ones)
    assert train() == expected
    assert len(calls) >= 6 * math.ceil(50 / batch)
    monkeypatch.setattr(numba_backend, "RECORDS", 1)
    assert train() == expected


def test_parameters_are_the_callers_at_each_step():
    """A step's parameters are those after its epochs: who stops there may keep them."""
    spec = Spec.build([2, 3, 2])
    x, y = random_data(spec, 40)
    parameters = random_parameters(spec)
    order = np.random.RandomState(0).permutation
    asked = training(5, 16, order=lambda epoch: order(40))
    seen = [(step.epochs, parameters.tobytes()) for step in numba_backend.train(spec, parameters, x, y, asked)]
    reference = random_parameters(spec)
    order = np.random.RandomState(0).permutation
    expected = [(s.epochs, reference.tobytes()) for s in reference_backend.train(spec, reference, x, y, asked)]
    assert set(seen) <= {*expected, (5, reference.tobytes())}
    assert seen[-1] == (5, reference.tobytes())
