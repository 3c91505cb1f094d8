"""Many rows at once, in pieces that threads take in turn: the same bits and errors, and no thread still running."""

import ctypes
import functools
import os
import signal
import sys
import threading
import types

import numpy as np
import pytest
from models import bits, in_another_process, labels, rows, said, targets
from test_predictor import data, model_of, outputs

from fastmlp import CrossEntropy, Model
from fastmlp.core import data as checks
from fastmlp.engine import choose, forward, numba_backend, reference_backend, row_pieces, thread_tuner
from fastmlp.kernels import plan as at
from fastmlp.kernels.passes import INTERRUPT_WORK
from fastmlp.spec import DTYPES, Spec
from fastmlp.system import thread_pool

COUNTS = (1, 2, 3, 7)
PASSES = ("streamed", "layered", "rowwise")
NETWORKS = {  # layers, hidden, output
    "streamed": ((2, 8, 8, 2), "relu", "softmax"),
    "layered": ((31, 128, 128, 10), "tanh", "softmax"),
    "sigmoid": ((16, 64, 5), "gelu", "sigmoid"),
    "one output": ((40, 32, 1), "relu", "sigmoid"),
    "values": ((33, 64, 32), "silu", "identity"),
    "counts": ((3, 5, 2), "relu", "exponential"),
}


@pytest.fixture(autouse=True)
def from_few_rows_on(monkeypatch):
    """Threads by default, too, and a new trial of whether they pay."""
    monkeypatch.setattr(row_pieces, "SHARED_WORK", 1)
    monkeypatch.setattr(row_pieces, "BLOCK_WORK", 1)
    monkeypatch.setattr(row_pieces, "SHORTEST", 0)
    monkeypatch.setattr(thread_tuner, "_paces", {})


# ---------------------------------------------------------------------------------------------------------
# Bits


def assert_same_everywhere(model, x, *counts):
    """Of each number of threads and by each pass, the definition's bits."""
    spec, parameters = model.spec, model._network.parameters
    expected = reference_backend.outputs(spec, parameters, x).tobytes()
    if spec.is_classifier:
        right = forward.labels(spec, reference_backend.logits(spec, parameters, x)).tobytes()
    for count in counts:
        assert outputs(model, x, threads=count).tobytes() == expected
        if spec.is_classifier:
            assert model.predict(x, threads=count).tobytes() == right
        for pass_name in PASSES:
            assert numba_backend.outputs(spec, parameters, x, pass_name, count).tobytes() == expected, pass_name


@pytest.mark.sample(5)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_threads_gives_the_same_bits(name, dtype):
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, dtype, hidden)
    x = data(model, 1543)
    if name in ("streamed", "layered"):
        assert choose.of_predictions(model.spec, len(x)) == name
    assert_same_everywhere(model, x, None, *COUNTS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["streamed", "layered"])
def test_a_rows_bits_do_not_depend_on_its_batch(name, dtype):
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, dtype, hidden)
    x = data(model, 1500)
    whole, chosen = model.predict_proba(x), model.predict(x)
    assert (whole.argmax(axis=1) == chosen).all()
    for first, count in ((0, 1), (3, 2), (700, 3), (255, 4), (256, 5), (511, 31), (1, 33), (13, 300), (500, 1000)):
        for asked in (1, 3):
            part = slice(first, first + count)
            assert model.predict_proba(x[part], threads=asked).tobytes() == whole[part].tobytes(), (first, count)
            assert model.predict(x[part], threads=asked).tobytes() == chosen[part].tobytes(), (first, count)
    turned = model.predict_proba(x[::-1], threads=2)
    assert turned[::-1].tobytes() == whole.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity", "exponential"])
def test_scores(output, dtype):
    model = model_of((20, 33, 3), output, dtype, "tanh")
    for count in (1, 511, 513, 2100):
        x, y = data(model, count), np.abs(targets(output, 3, count))
        spec, parameters = model.spec, model._network.parameters
        told = checks.targets(y, count, spec)
        expected = reference_backend.evaluate(spec, parameters, x, told)
        for asked in (None, *COUNTS):
            assert model.loss(x, y, threads=asked) == expected[0]
            for pass_name in PASSES:
                assert numba_backend.evaluate(spec, parameters, x, told, pass_name, asked) == expected
            assert model.evaluate(x, y, threads=asked) == model.evaluate(x, y, threads=1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("softmax", CrossEntropy(0.1)),
        pytest.param("sigmoid", None, marks=pytest.mark.slow),
        pytest.param("identity", None, marks=pytest.mark.slow),
    ],
)
def test_scores_of_weighed_rows(output, loss, dtype):
    """All passes and threads have the definition's bits; a weight of 0 hides a loss that is not finite."""
    spec = Spec.build([5, 9, 3], "relu", output, loss, dtype)
    model = Model([5, 9, 3], output=output, loss=loss, dtype=dtype, seed=1)
    parameters = model._network.parameters
    for count in (1, 3, 511, 1100):
        x, y = data(model, count), np.abs(targets(output, 3, count))
        told = checks.targets(y, count, spec)
        weights = (np.arange(1, count + 1) % 5 / 4).astype(dtype)
        x[weights == 0] = np.finfo(dtype).max  # whose logits overflow
        with np.errstate(all="ignore"):
            expected = reference_backend.evaluator(spec, x, told, weights)(parameters)
        assert np.isfinite(expected[0])
        for asked in (None, *COUNTS):
            for pass_name in (None, *PASSES):
                found = numba_backend.evaluator(spec, x, told, weights, pass_name, asked)(parameters)
                assert found == expected, (count, pass_name, asked)


@pytest.mark.parametrize("count", [1, 700])
def test_scores_of_rows_that_weigh_one_are_plain(count):
    model = model_of((20, 33, 3), "softmax", "float32", "tanh")
    x, y = data(model, count), targets("softmax", 3, count)
    told = checks.targets(y, count, model.spec)
    parameters = model._network.parameters
    for backend in (numba_backend, reference_backend):
        plain = backend.evaluator(model.spec, x, told)(parameters)
        assert backend.evaluator(model.spec, x, told, np.ones(count, np.float32))(parameters) == plain


@pytest.mark.parametrize("asked", [None, 1, 3])
def test_a_trainings_validation(asked):
    x, y = rows(3000, 6), labels(rows(3000, 6), 3)
    found = []
    for count in (1, asked):
        model = Model([6, 40, 3], seed=2)
        history = model.fit(x, y, epochs=3, validation=0.5, threads=count, optimizer="adam", early_stopping=1)
        found.append((bits(model), history.validation_loss.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("count", COUNTS)
def test_rows_that_have_to_be_converted(count, monkeypatch):
    monkeypatch.setattr(forward, "CONVERTED_BYTES", 1)  # a piece at a time for each thread
    model = model_of((4, 8, 3), dtype="float32")
    x = (rows(2000, 4) * 8).round()
    expected = model.predict_proba(x.astype("float32"), threads=1)
    strided = np.zeros((2000, 9))
    strided[:, 1::2] = x
    unaligned = np.frombuffer(b"\0" + x.astype("float32").tobytes(), np.uint8)[1:].view("float32").reshape(x.shape)
    assert not unaligned.flags.aligned
    for other in (
        x, x.astype(int), x.astype("float16"), np.asfortranarray(x), strided[:, 1::2], x.astype(">f8"),
        x.astype(object), x.tolist(), x.astype("float32")[::-1][::-1], unaligned,
    ):  # fmt: skip
        assert model.predict_proba(other, threads=count).tobytes() == expected.tobytes()


# ---------------------------------------------------------------------------------------------------------
# The checks see what they are there for


@pytest.mark.parametrize("name", ["streamed", "layered"])
def test_a_member_that_does_nothing_is_seen(name, monkeypatch):
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, "float64", hidden)
    x = data(model, 1543)
    real = row_pieces.run

    def lazy(kernel, dtype, plans, *others):
        done = real(kernel, dtype, plans, *others)
        if len(plans) > 1:
            reached = np.ctypeslib.as_array((forward.ctypes.c_double * 9).from_address(int(plans[0][at.RESULT])))
            reached[:] = 0  # as where nobody had taken the first piece
        return done

    monkeypatch.setattr(row_pieces, "run", lazy)
    with pytest.raises(AssertionError):
        assert_same_everywhere(model, x, 2)


@pytest.mark.parametrize("name", ["streamed", "layered"])
def test_members_that_share_a_buffer_are_seen(name, monkeypatch):
    """Two threads in one pass's activations: the same rows again and again until a number differs."""
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, "float64", hidden)
    x = data(model, 100_000)
    expected = model.predict_proba(x, threads=1)
    real = forward.run

    def confused(passes, *arguments):
        first = passes[0].plan
        for ready in passes[1:]:
            for layer in range(int(first[at.LAYERS])):
                entry = at.FIELDS + layer * at.LAYER_FIELDS + at.LAYER_A
                ready.plan[entry] = first[entry]
        return real(passes, *arguments)

    monkeypatch.setattr(forward, "run", confused)
    found = []
    for _ in range(3000):  # a core that another process has too may take a thousand
        try:
            found.append(model.predict_proba(x, threads=7).tobytes() != expected.tobytes())
        except ValueError:  # not even finite
            found.append(True)
        if found[-1]:
            break
    assert found[-1] or thread_pool.available() == 1


@pytest.mark.parametrize("name", ["streamed", "layered"])
def test_a_piece_too_short_is_seen(name, monkeypatch):
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, "float64", hidden)
    x = data(model, 1543)
    real = forward.Pass.take

    def take(self, what, count, *addresses):
        real(self, what, count, *addresses)
        self.plan[at.ROWS] -= 1

    monkeypatch.setattr(forward.Pass, "take", take)
    monkeypatch.setattr(forward, "empty", lambda *arguments: np.full_like(empty(*arguments), 7))
    with pytest.raises(AssertionError):
        assert_same_everywhere(model, x, 1)


empty = forward.empty


def test_passes():
    def chosen(layers, dtype="float64"):
        spec = model_of(layers, dtype=dtype).spec
        return [choose.of_predictions(spec, count) for count in (1, 3, 4, 32, 33, 10**6)]

    assert chosen((2, 8, 8, 2)) == chosen((64, 100, 10)) == 2 * ["rowwise"] + 4 * ["streamed"]
    assert chosen((784, 128, 10)) == 2 * ["rowwise"] + 4 * ["layered"]
    assert chosen((784, 70, 10), "float32") == 2 * ["rowwise"] + 2 * ["layered"] + 2 * ["streamed"]  # 70 go as 96


# ---------------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_number_must_be_finite(name, dtype):
    layers, hidden, output = NETWORKS[name]
    model = model_of(layers, output, dtype, hidden)
    model.set_weights([(np.zeros_like(w), b) for w, b in model.weights])  # so that nothing else tells
    for count in (40, 600, 1543):
        x = data(model, count)
        model.predict(x, threads=2)
        for place in (0, x.size - 1, x.size // 2, 33):
            for value in (np.nan, np.inf, -np.inf):
                bad = x.copy()
                bad.flat[place] = value
                row, column = divmod(place, x.shape[1])
                for asked in (1, 2):
                    message = said(ValueError, model.predict, bad, threads=asked)
                    assert message.startswith(f"X has {value} in row {row}, column {column}:")
        assert (
            outputs(model, x).tobytes() == reference_backend.outputs(model.spec, model._network.parameters, x).tobytes()
        )


@pytest.mark.parametrize("output", ["softmax", "sigmoid", "identity"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_row_beyond_the_range_is_named(output, dtype):
    model = Model([32, 32, 32], output=output, dtype=dtype)
    w = np.full((32, 32), 1e30 if dtype == "float32" else 1e300)
    model.set_weights([(w, np.zeros(32)), (w, np.zeros(32))])
    for count, row in ((40, 39), (700, 300), (1543, 513)):
        x = np.zeros((count, 32), dtype)
        x[row:] = 1
        for asked in COUNTS:
            message = said(ValueError, model.predict, x, threads=asked)
            assert f"the outputs of row {row} are beyond the dtype's range" in message
        assert model.predict(x[:row]).shape == (row, 32)[: 1 if output == "softmax" else 2]


@pytest.mark.parametrize("method", ["predict", "predict_proba", "evaluate", "loss"])
def test_numbers_of_threads_that_are_none(method):
    model, x = model_of(), rows(40, 5)
    arguments = (x,) if method.startswith("predict") else (x, np.zeros(40, int))
    for value, kind in ((0, ValueError), (-1, ValueError), (257, ValueError), (2.5, TypeError), (True, TypeError)):
        assert f"threads={value}" in said(kind, getattr(model, method), *arguments, threads=value)
        with pytest.raises(kind):
            getattr(Model([5, 3], backend="reference"), method)(*arguments, threads=value)


@pytest.mark.parametrize("value", ["0", "two", "1000"])
def test_the_environments_number(value, monkeypatch):
    monkeypatch.setenv("FASTMLP_NUM_THREADS", value)
    message = said(ValueError, model_of().predict, rows(2000, 5))
    assert f"FASTMLP_NUM_THREADS='{value}'" in message


# ---------------------------------------------------------------------------------------------------------
# How many


def test_how_many_threads(monkeypatch):
    spec = model_of().spec
    monkeypatch.setattr(thread_pool, "available", lambda: 4)
    monkeypatch.setattr(row_pieces, "SHARED_WORK", 1000 * spec.parameters)
    assert [row_pieces.pace_of(spec, count, 256, None).members for count in (1, 256, 257, 999, 1000, 10**6)] == (
        [1, 1, 1, 1, 4, 4]
    )
    assert [row_pieces.pace_of(spec, count, 256, 3).members for count in (1, 256, 257, 600, 10**6)] == [1, 1, 2, 3, 3]
    monkeypatch.setenv("FASTMLP_NUM_THREADS", "2")
    assert [row_pieces.pace_of(spec, count, 256, None).members for count in (256, 257, 10**6)] == [1, 2, 2]
    assert row_pieces.pace_of(spec, 10**6, 256, 3).members == 3


def test_a_call_that_is_not_told_tries_both_ways(monkeypatch):
    """The first block alone, the next with all, and then as is faster: also in the next call."""
    monkeypatch.setattr(thread_pool, "available", lambda: 2)
    model, x = model_of(), rows(512 * 12, 5)
    seen, clock = [], [0.0]
    real = row_pieces.run

    def run(kernel, dtype, plans, *others):
        seen.append(len(plans))
        clock[0] += 2 / len(plans)
        return real(kernel, dtype, plans, *others)[0], len(plans)  # whether or not the helper had a core

    monkeypatch.setattr(row_pieces, "run", run)
    monkeypatch.setattr(forward, "time", types.SimpleNamespace(perf_counter=lambda: clock[0]))
    expected = reference_backend.outputs(model.spec, model._network.parameters, x)
    assert model.predict_proba(x).tobytes() == expected.tobytes()
    assert seen == [1] + 5 * [2]
    del seen[:]
    assert model.predict_proba(x[:2000]).tobytes() == expected[:2000].tobytes()
    assert seen == [2, 2]


# ---------------------------------------------------------------------------------------------------------
# Threads, processes, Ctrl-C


def test_several_threads_predict_and_train_at_once():
    """The crew is one's at a time; the others go on alone."""
    model = model_of((5, 40, 3))
    x = rows(5000, 5)
    y = labels(x, 3)
    expected, loss = model.predict_proba(x, threads=1), model.loss(x, y, threads=1)
    alone = Model([5, 9, 3])
    alone.fit(x, y, epochs=10, threads=1)
    wrong = []

    def work(number):
        for _ in range(20):
            if model.predict_proba(x, threads=2).tobytes() != expected.tobytes():
                wrong.append("outputs")
            if model.loss(x, y, threads=3) != loss:
                wrong.append("loss")
        if number % 2:
            other = Model([5, 9, 3])
            other.fit(x, y, epochs=10, threads=2)
            if other.digest() != alone.digest():
                wrong.append("fit")

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_predicts():
    script = """
import os, sys
import numpy as np
from fastmlp import CrossEntropy, Model
model, x = Model([5, 40, 3]), np.random.default_rng(0).normal(size=(5000, 5))
expected = model.predict_proba(x, threads=2).tobytes()
sys.stdout.flush()
child = os.fork()
if child == 0:
    os._exit(0 if all(model.predict_proba(x, threads=n).tobytes() == expected for n in (1, 2, 3)) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), model.predict_proba(x, threads=2).tobytes() == expected)
"""
    assert in_another_process(script).split() == ["0", "True"]


class Pressed(Exception):
    pass


def interrupted_within(function, pieces_before, states):
    """The kernel, with a Ctrl-C that is pending as it begins, and that its first plan sees after so many pieces."""
    set_interrupt = ctypes.PYFUNCTYPE(None)(("PyErr_SetInterrupt", ctypes.pythonapi))

    def call(address, parameters, *others):
        plan = np.ctypeslib.as_array((ctypes.c_int64 * at.FIELDS).from_address(address))
        if len(states) >= 3:
            return function(address, parameters, *others)
        plan[at.WORK] = INTERRUPT_WORK - int(plan[at.PIECE] * plan[at.PARAMETERS] * (pieces_before + 0.5))
        state, error = ctypes.c_int64(), ctypes.c_void_p()
        arguments = ctypes.addressof(state), ctypes.addressof(error), address, parameters, *others
        # one after the other in C, so that Python does not see the signal before the kernel does
        list(map(functools.partial.__call__, [set_interrupt_now, functools.partial(function._call, *arguments)]))
        states.append(state.value)
        return state.value

    set_interrupt_now = functools.partial(set_interrupt)
    return call


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("asked", [1, 3])
@pytest.mark.parametrize("method", ["predict_proba", "loss"])
def test_an_interrupt_at_any_piece(method, asked, goes_on, monkeypatch):
    """The handler raises, and nobody works on; or what was begun goes on to the same bits."""
    monkeypatch.setattr(row_pieces, "BLOCK_WORK", 10**12)  # all rows in one call
    before_look = 2 if asked == 1 else 0  # of several threads, each is sure of its first piece alone
    model, x = model_of((5, 40, 3)), rows(5000, 5)
    arguments = (x,) if method == "predict_proba" else (x, labels(x, 3))
    expected = getattr(model, method)(*arguments, threads=1)
    presses, states = [], []

    def press(*_):
        presses.append(1)
        if not goes_on:
            raise Pressed

    before = signal.signal(signal.SIGINT, press)
    real = row_pieces.registry.function
    wrapped = ("predict.lead", "predict.checked", "predict.scored")
    monkeypatch.setattr(
        row_pieces.registry,
        "function",
        lambda name, *others: (
            interrupted_within(real(name, *others), before_look, states) if name in wrapped else real(name, *others)
        ),
    )
    if asked == 1:  # as with several threads, but for these
        monkeypatch.setattr(forward.Pass, "run", lambda self, count: row_pieces.run(
            "predict.checked", "float64", [self.plan], self.parameters.ctypes.data)[0])  # fmt: skip
    try:
        if goes_on:
            assert np.array_equal(getattr(model, method)(*arguments, threads=asked), expected)
            assert len(presses) == 3 if asked == 1 else 1 <= len(presses) <= 3
        else:
            with pytest.raises(Pressed):
                getattr(model, method)(*arguments, threads=asked)
            assert len(presses) == 1
        assert states[0] == at.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.undo()
    assert np.array_equal(getattr(model, method)(*arguments, threads=asked), expected)


@pytest.mark.sample(2)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to oneself")
@pytest.mark.parametrize("method", ["predict", "predict_proba", "loss", "evaluate"])
def test_ctrl_c_ends_threads(method):
    script = """
import os, signal, sys, threading, time
import numpy as np
from fastmlp import CrossEntropy, Model
draws = np.random.default_rng(0)
x, y = draws.normal(size=(300_000, 64)), draws.integers(0, 10, 300_000)
model = Model([64, 256, 10])
run, data = getattr(model, sys.argv[1]), (x,) if sys.argv[1].startswith("predict") else (x, y)
expected = run(*(part[:3000] for part in data), threads=2)
sent = []
def press():
    time.sleep(0.2)
    sent.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
try:
    while True:
        run(*data, threads=2)
except KeyboardInterrupt:
    print(time.process_time() - sent[0])
again = run(*(part[:3000] for part in data), threads=2)
assert np.array_equal(again, expected) or again == expected
"""
    seconds = float(in_another_process(script, method))
    print(f"{method}: stopped after {seconds * 1e3:.1f} ms")
    assert seconds < 10  # of the processor


# ---------------------------------------------------------------------------------------------------------
# Memory


def test_nothing_as_large_as_the_data_is_made(monkeypatch):
    import tracemalloc

    monkeypatch.setattr(row_pieces, "SHARED_WORK", 10**12)
    monkeypatch.setattr(forward, "CONVERTED_BYTES", 2**18)
    model = model_of((40, 32, 3))
    x = rows(40_000, 40)
    wide, turned = x.astype(np.float32), np.asfortranarray(x)
    for run in (
        lambda: model.predict(x), lambda: model.predict_proba(x), lambda: model.predict(x, threads=2),
        lambda: model.predict(wide), lambda: model.predict_proba(turned),
    ):  # fmt: skip
        run()
        tracemalloc.start()
        try:
            result = run()
            most = tracemalloc.get_traced_memory()[1] - result.nbytes
        finally:
            tracemalloc.stop()
        assert most < 2**19 < x.size // 2, "not a byte for each number of x"
