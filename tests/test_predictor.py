"""Predictions of a few rows, by passes that are kept, and `Model.predictor`: the bits, the freshness, the errors."""

import copy
import gc
import itertools
import pickle
import signal
import sys
import threading
import weakref
from functools import partial

import numpy as np
import pytest
from engine.test_buffers import Guarded
from models import BACKENDS, labels, rows, said, targets

from fastmlp import Model
from fastmlp.engine import forward, numba_backend, reference_backend
from fastmlp.engine.choose import FEW_ROWS as FEW
from fastmlp.engine.choose import ROW_BY_ROW
from fastmlp.engine.forward import Forward
from fastmlp.kernels import plan as at
from fastmlp.predictor import Predictor
from fastmlp.spec import DTYPES, HIDDEN, LOSSES

KINDS = [("softmax", 2), ("softmax", 10), ("sigmoid", 1), ("sigmoid", 5), ("identity", 1), ("identity", 33)]
KINDS += [("exponential", 1), ("exponential", 4)]
COUNTS = [*range(1, 21), FEW - 1, FEW, FEW + 1, 70, 255, 257, 512, 1030]


def model_of(layers=(5, 9, 3), output="softmax", dtype="float64", hidden="relu", seed=3, **arguments):
    """With biases that are not zero."""
    model = Model(layers, hidden=hidden, output=output, dtype=dtype, seed=seed, **arguments)
    model.set_weights([(w, np.linspace(-0.4, 0.4, len(b))) for w, b in model.weights])
    return model


def data(model, count, seed=0):
    return rows(count, model.spec.inputs, seed).astype(model.spec.dtype)


def outputs(model, x, **options):
    """What `predict_proba` gives, or `predict` where there are no probabilities, (N, J)."""
    found = model.predict_proba(x, **options) if model.spec.is_classifier else model.predict(x, **options)
    return found.reshape(len(x), -1)


def assert_new(model, x, what=""):
    """Every way to predict x has the bits of a new pass of each pass, and of any number of threads."""
    spec, parameters = model.spec, model._network.parameters
    bits = numba_backend.outputs(spec, parameters, x).tobytes()
    z = numba_backend.logits(spec, parameters, x)
    for pass_name in ("streamed", "layered", "rowwise"):
        assert numba_backend.outputs(spec, parameters, x, pass_name).tobytes() == bits, (what, pass_name)
    for threads in (1, 2, 3, 7):
        assert outputs(model, x, threads=threads).tobytes() == bits, (what, threads)
    assert outputs(model, x).tobytes() == outputs(model, np.asfortranarray(x)).tobytes() == bits, what
    assert model._forward()("logits", x).tobytes() == z.tobytes(), what
    assert model.predictor()(x).tobytes() == bits, what
    if spec.output == "softmax":
        assert model.predict(x).tolist() == z.argmax(axis=1).tolist(), what
    elif spec.output == "sigmoid":
        assert model.predict(x).reshape(z.shape).tolist() == (z > 0).tolist(), what


# ---------------------------------------------------------------------------------------------------------
# Bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "count"), KINDS)
def test_few_rows_have_the_bits_of_a_new_pass(output, count, dtype):
    assert {output for output, _ in KINDS} == set(LOSSES)
    model = model_of((5, 9, 70, count), output, dtype, ("tanh", "relu"))
    predictor = model.predictor()
    every = data(model, max(COUNTS))
    reference = reference_backend.outputs(model.spec, model._network.parameters, every)
    for number in COUNTS:
        assert_new(model, every[:number], number)
        assert outputs(model, every[:number]).tobytes() == reference[:number].tobytes(), number
    for x, expected in zip(every[:70], reference, strict=False):
        assert predictor(x).tobytes() == predictor(x[None]).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", [(1, 1), (64, 100, 10), (2, 8, 8, 2), (3, 33, 1, 17, 7), (70, 129, 65, 5)])
def test_networks_of_all_widths(layers, dtype):
    for output in ("sigmoid", "identity"):
        model = model_of(layers, output, dtype)
        for count in (1, 2, ROW_BY_ROW, ROW_BY_ROW + 1, FEW):
            assert_new(model, data(model, count), count)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_activations(dtype):
    model = model_of((4, *range(5, 5 + len(HIDDEN)), 3), hidden=HIDDEN, dtype=dtype)
    for count in (1, 5):
        assert_new(model, data(model, count))


@pytest.mark.parametrize("limit", [0, 2**30])
@pytest.mark.parametrize("name", ["KEPT_BYTES", "HELD_WORK"])
def test_large_and_small_networks_go_the_same_ways(name, limit, monkeypatch):
    for module in (forward, sys.modules["fastmlp.predictor"]):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, limit)
    model = model_of((6, 50, 4))
    for count in (1, ROW_BY_ROW + 1, FEW + 1):
        assert_new(model, data(model, count))


def test_a_weight_of_minus_zero_and_a_bias_of_minus_zero():
    model = Model([2, 3, 2], output="identity")
    model.set_weights([(np.full((2, 3), -0.0), np.full(3, -0.0)), (np.full((3, 2), -0.0), np.full(2, -0.0))])
    for x in (np.zeros((1, 2)), np.full((1, 2), -1.0), np.ones((1, 2))):
        assert_new(model, x)


def test_any_memory_order():
    model = model_of()
    x = data(model, 12)
    expected, predictor = outputs(model, x), model.predictor()
    for other in (np.asfortranarray(x), x[::-1][::-1], np.repeat(x, 2, axis=1)[:, ::2], x[:, ::-1].copy()[:, ::-1]):
        for count in (1, 2, 12):
            assert model.predict_proba(other[:count]).tobytes() == expected[:count].tobytes()
            assert predictor(other[:count]).tobytes() == expected[:count].tobytes()
        assert predictor(other[3]).tobytes() == expected[3].tobytes()


def test_results_are_new_arrays():
    model = model_of()
    x = data(model, 2)
    predictor = model.predictor()
    for function, one, other in (
        (model.predict_proba, x[:1], x[1:]), (predictor, x[:1], x[1:]), (predictor, x[0], x[1])
    ):  # fmt: skip
        first = function(one)
        kept = first.copy()
        second = function(other)
        assert (first == kept).all()
        assert (second != kept).any()
        assert first.flags.owndata
        assert first.flags.writeable
        assert first.flags.c_contiguous


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", [(3, 1), (3, 5, 1), (5, 33, 1, 17, 4), (70, 3, 11)])
def test_kept_passes_stay_within_their_buffers(layers, dtype, monkeypatch):
    for count in (1, ROW_BY_ROW, ROW_BY_ROW + 1, FEW, FEW + 1, 257, 1100):
        guarded = Guarded()
        guarded.replace(monkeypatch)
        model = model_of(layers, "sigmoid", dtype)
        x = data(model, count)
        for function in (model.predict, model.predict_proba, model.predictor(), partial(model.predict, threads=3)):
            function(x)
            guarded.check()


# ---------------------------------------------------------------------------------------------------------
# Freshness


def test_new_weights_are_seen(tmp_path):
    model, x = model_of(), rows(1, 5)
    found = [model.predict_proba(x)]
    assert_new(model, x)
    model.set_weights([(w + 0.1, b - 0.2) for w, b in model.weights])
    found.append(model.predict_proba(x))
    assert_new(model, x)
    model.fit(rows(30, 5), labels(rows(30, 5), 3), epochs=3, early_stopping=1)
    found.append(model.predict_proba(x))
    assert_new(model, x)
    model.save(tmp_path / "m")
    loaded = Model.load(tmp_path / "m")
    assert loaded.predict_proba(x).tobytes() == found[-1].tobytes()
    loaded.fit(rows(30, 5), labels(rows(30, 5), 3), epochs=3)
    found.append(loaded.predict_proba(x))
    assert_new(loaded, x)
    assert model.predict_proba(x).tobytes() == found[-2].tobytes()
    assert len({made.tobytes() for made in found}) == 4


def test_a_callback_predicts_with_the_weights_of_its_epoch():
    x, y, some = rows(30, 5), labels(rows(30, 5), 3), rows(4, 5, seed=9)
    model = model_of()
    seen, predictors = [], []

    def callback(info):
        for count in (1, 4):
            assert_new(model, some[:count])
        seen.append(model.predict_proba(some[:1]))
        predictors.append(model.predictor())

    model.fit(x, y, epochs=5, batch_size=7, callback=callback)
    assert len({made.tobytes() for made in seen}) == 5
    for predictor, made in zip(predictors, seen, strict=True):
        assert predictor(some[0]).tobytes() == made.tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_predictor_keeps_the_weights_it_began_with(backend):
    model, x = model_of(backend=backend), rows(3, 5)
    predictor = model.predictor()
    before = model.predict_proba(x)
    model.fit(rows(30, 5), labels(rows(30, 5), 3), epochs=2)
    assert (model.predict_proba(x) != before).any()
    for twin in (predictor, pickle.loads(pickle.dumps(predictor)), copy.copy(predictor), copy.deepcopy(predictor)):
        assert type(twin) is Predictor
        assert twin(x).tobytes() == before.tobytes()
        assert twin(x[1]).tobytes() == before[1].tobytes()
        assert repr(twin) == "<Predictor of 5-9-3, float64>"


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_of_a_model_have_passes_of_their_own(twin_of):
    model, x = model_of(), rows(1, 5)
    before = model.predict_proba(x)
    twin = twin_of(model)
    assert twin._forward_kept is None
    twin.set_weights([(w + 0.1, b) for w, b in twin.weights])
    assert model.predict_proba(x).tobytes() == before.tobytes()
    assert_new(twin, x)
    model.set_weights([(w - 0.1, b) for w, b in model.weights])
    assert_new(twin, x)
    assert_new(model, x)
    size = len(pickle.dumps(model_of()))
    assert len(pickle.dumps(model)) == size, "a pass went into the pickle"


def test_the_backend_may_change():
    model, x = model_of(), rows(1, 5)
    before = model.predict_proba(x)
    model.backend = "reference"
    assert model.predict_proba(x).tobytes() == before.tobytes()
    assert model._forward_kept.backend == "reference"


def test_passes_go_with_their_model():
    model = model_of()
    model.predict_proba(rows(1, 5))
    kept = model._forward()._passes[0]
    gone = weakref.ref(kept[0])
    del model, kept
    gc.collect()
    assert gone() is None


def test_what_is_kept(monkeypatch):
    """One pass for a row, one for a few rows and one for pieces of many, and as many of these as threads took part."""
    model = model_of()
    for count in (1, 2, ROW_BY_ROW, ROW_BY_ROW + 1, FEW, FEW + 1, 500):
        for function in (model.predict, model.predict_proba, model.predict):
            function(rows(count, 5))
    kept = model._forward()._passes
    assert [len(passes) for passes in kept] == [1, 1, 1]
    assert [len(passes[0].views) for passes in kept] == [ROW_BY_ROW + 1, FEW + 1, 1]
    model.predict(rows(2000, 5), threads=3)
    assert [len(passes) for passes in kept] == [1, 1, 3]
    monkeypatch.setattr(forward, "KEPT_BYTES", 0)
    model = model_of((600, 3, 3))
    for count in (1, ROW_BY_ROW + 1, FEW + 1, 300):
        assert_new(model, rows(count, 600))
    assert [len(passes) for passes in model._forward()._passes] == [1, 0, 0]


def test_a_pass_goes_from_rows_in_its_buffers_to_rows_elsewhere_and_back():
    """Many columns are read where they lie, also of a few rows; a few rows of another kind are converted elsewhere."""
    model = model_of((700, 9, 3))
    x = rows(40, 700)
    expected = numba_backend.outputs(model.spec, model._network.parameters, x)
    z = numba_backend.logits(model.spec, model._network.parameters, x)
    for count, what in itertools.product((4, 5, 6, 32, 3, 33, 40, 4), ("outputs", "labels", "logits", "outputs")):
        for some in (x[:count], np.asfortranarray(x[:count]), x[:count].tolist()):
            found = model._forward()(what, some)
            right = {"outputs": expected, "logits": z, "labels": z.argmax(axis=1)}[what][:count]
            assert found.tobytes() == right.tobytes(), (count, what)


def test_a_second_call_makes_no_plan(monkeypatch):
    model, predictor = model_of(), model_of().predictor()
    for count in (1, 2, 12, 700):
        model.predict(rows(count, 5))
        model.predict_proba(rows(count, 5))
    monkeypatch.setattr(forward, "Workspace", None)
    for count in (1, 2, 12, 1, 33, 700, 5000):
        model.predict(rows(count, 5))
        model.predict_proba(rows(count, 5))
    predictor(rows(1, 5))
    with pytest.raises(TypeError):
        model.predict(rows(5000, 5), threads=2)  # which needs another pass


# ---------------------------------------------------------------------------------------------------------
# Threads


@pytest.mark.parametrize("held", [0, 2**40], ids=["unlocked", "locked"])
def test_threads_predict_with_one_model_at_once(held, monkeypatch):
    monkeypatch.setattr(forward, "HELD_WORK", held)
    model = model_of((5, 40, 3))
    predictor = model.predictor()
    every = rows(70, 5)
    expected = numba_backend.outputs(model.spec, model._network.parameters, every)
    wrong, begin = [], threading.Barrier(6)

    def work(first):
        begin.wait()
        for turn in range(700):
            n = (first * 7 + turn) % 30
            for count in (1, 3, 9, 34):
                if model.predict_proba(every[n : n + count]).tobytes() != expected[n : n + count].tobytes():
                    wrong.append(("model", n, count))
            if predictor(every[n]).tobytes() != expected[n].tobytes():
                wrong.append(("predictor", n))

    interval = sys.getswitchinterval()
    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong, f"{len(wrong)}, as {wrong[0]}"
    assert all(1 <= len(kept) <= 6 for kept in model._forward()._passes)


# ---------------------------------------------------------------------------------------------------------
# Errors


BAD = {
    "text": [["a", "b", "c"]],
    "none": None,
    "a number": 3.0,
    "nan": np.array([[1.0, np.nan, 2.0]]),
    "infinity": np.array([[1.0, 2.0, -np.inf]]),
    "nan in row 4": np.vstack([np.ones((4, 3)), [[0, np.nan, 0]]]),
    "empty": np.zeros((0, 3)),
    "no columns": np.zeros((1, 0)),
    "narrow": np.zeros((1, 2)),
    "wide": np.zeros((2, 4)),
    "turned": np.zeros((3, 1)),
    "cube": np.zeros((1, 1, 3)),
    "ragged": [[1, 2, 3], [1, 2]],
    "complex": np.zeros((1, 3), complex),
    "dates": np.zeros((1, 3), "M8[s]"),
    "too large for float32": np.array([[1.0, 2.0, 1e300]]),
    "masked": np.ma.masked_array(np.ones((1, 3)), [[0, 1, 0]]),
}


def message(function, *arguments):
    """(type, words) of what the call raises, or None."""
    try:
        function(*arguments)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize("what", BAD)
def test_what_is_refused_is_refused_in_the_same_words(what):
    from fastmlp.core.data import features

    for dtype in DTYPES:
        model, bad = model_of((3, 4, 2), dtype=dtype), BAD[what]
        predictor = model.predictor()
        expected = message(features, bad, model.spec)
        assert (expected is None) == (what == "too large for float32" and dtype == "float64")
        for _ in range(2):
            assert message(model.predict, bad) == message(model.predict_proba, bad) == expected
            assert message(predictor, bad) == message(features, bad, model.spec, "x")
            assert model.predict_proba(np.ones((1, 3))).shape == (1, 2)  # none of it stays
            assert predictor(np.ones(3, dtype)).shape == (2,)


def test_a_row_that_is_no_array_of_the_dtype_is_converted():
    for dtype in DTYPES:
        model = model_of((3, 4, 2), dtype=dtype)
        predictor = model.predictor()
        expected = model.predict_proba(np.array([[1, 0, 1]], dtype))
        for kind in ("float64", "float32", "float16", "int64", "uint8", "bool", ">f8", ">f4", "object"):
            x = np.array([1, 0, 1]).astype(kind)
            assert predictor(x).tobytes() == expected[0].tobytes(), kind
            assert predictor(x[None]).tobytes() == model.predict_proba(x[None]).tobytes() == expected.tobytes(), kind
        for x in (
            [1, 0, 1],
            (1.0, 0.0, 1.0),
            np.ma.masked_array([1.0, 0, 1]),
            np.ones(3).view(np.recarray) * [1, 0, 1],
        ):
            assert predictor(x).tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_number_of_a_row_must_be_finite(dtype):
    """Also where the outputs do not tell: tanh makes 1 of infinity, and relu 0 of -infinity."""
    for columns in (1, 7, 64, 65):
        model = Model([columns, 2, 1], hidden="tanh", output="identity", dtype=dtype)
        model.set_weights([(np.ones((columns, 2)), np.zeros(2)), (np.ones((2, 1)), np.zeros(1))])
        predictor = model.predictor()
        assert predictor(np.zeros(columns, dtype)).tolist() == [0]
        for place in range(columns):
            for value in (np.nan, np.inf, -np.inf):
                x = np.zeros((1, columns), dtype)
                x[0, place] = value
                assert f"X has {value} in row 0" in said(ValueError, model.predict, x)
                assert f"x has {value} in row 0" in said(ValueError, predictor, x[0])
    biggest = np.full((1, 1), np.finfo(dtype).max, dtype)
    model = Model([1, 2, 1], hidden="tanh", output="identity", init=0, dtype=dtype)
    assert model.predict(biggest).tolist() == model.predictor()(biggest)[0].tolist() == [0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_beyond_the_range_are_refused(dtype):
    model = Model([2, 3], output="identity", dtype=dtype)
    model.set_weights([(np.full((2, 3), np.finfo(dtype).max), np.zeros(3))])
    x = np.array([[0, 1], [9, 9], [1, 0]], dtype)
    predictor = model.predictor()
    for x_ in (x, np.repeat(x, 3, axis=0)[2:]):
        assert "the outputs of row 1 are beyond the dtype's range: X or the weights" in said(
            ValueError, model.predict, x_
        )
        assert "the outputs of row 1 are beyond the dtype's range: x or the weights" in said(ValueError, predictor, x_)
    assert "the outputs of row 0 are" in said(ValueError, predictor, x[1])
    assert np.isfinite(predictor(x[0])).all()


def test_there_are_no_probabilities_of_values():
    model = model_of(output="identity")
    assert "has no probabilities" in said(ValueError, model.predict_proba, None)
    assert model.predictor()(rows(1, 5)).shape == (1, 3)


# ---------------------------------------------------------------------------------------------------------
# Ctrl-C


class Pressed(Exception):
    pass


class Interrupted(forward.Pass):
    """One of its runs finds that Ctrl-C was pressed."""

    at_run: int | None = None

    def __init__(self, *arguments):
        super().__init__(*arguments)
        real, self.runs = self.call, 0

        def call(*arguments):
            real(*arguments)
            self.runs += 1
            if self.runs == self.at_run:
                self.state.value = at.INTERRUPTED

        self.call = call


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("way", ["model", "predictor"])
def test_a_long_pass_sees_an_interrupt(way, goes_on, monkeypatch):
    """The handler raises, or the row is begun again."""
    presses = []

    def handler(*_):
        presses.append(1)
        if not goes_on:
            raise Pressed

    model, x = model_of(), rows(1, 5)
    expected = numba_backend.outputs(model.spec, model._network.parameters, x).tobytes()
    monkeypatch.setattr(
        sys.modules["fastmlp.engine.forward" if way == "model" else "fastmlp.predictor"], "Pass", Interrupted
    )
    monkeypatch.setattr(
        Interrupted, "at_run", 1 if way == "model" else 2
    )  # a predictor's first run is that of its making
    function = model.predict_proba if way == "model" else model.predictor()
    before = signal.signal(signal.SIGINT, handler)
    try:
        if goes_on:
            assert function(x).tobytes() == expected
        else:
            with pytest.raises(Pressed):
                function(x)
    finally:
        signal.signal(signal.SIGINT, before)
    monkeypatch.setattr(Interrupted, "at_run", None)
    assert presses == [1]
    assert function(x).tobytes() == expected


@pytest.mark.parametrize("output", list(LOSSES))
def test_evaluate_and_predict_agree(output):
    model = model_of(output=output)
    x, y = rows(6, 5), np.abs(targets(output, 3, 6))
    one = model.evaluate(x, y)
    if output == "softmax":
        assert one["accuracy"] == np.mean(model.predict(x) == y)
    assert one == model.evaluate(x, y)


def test_forward_reads_the_parameters_where_they_are():
    model = model_of()
    parameters = model._network.parameters.copy()
    ahead = Forward(model.spec, parameters, "numba")
    x = rows(1, 5)
    first = ahead("outputs", x)
    parameters += 0.25
    assert (ahead("outputs", x) != first).any()
    assert ahead("outputs", x).tobytes() == numba_backend.outputs(model.spec, parameters, x).tobytes()


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_parameters_of_a_pickle_may_lie_anywhere(offset):
    """Buffers out of band come as they are: at any address, and read-only."""
    model = model_of((200, 300, 10))
    buffers = []
    frame = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    moved = [(bytes(offset) + buffer.raw().tobytes()) for buffer in buffers]
    again = pickle.loads(frame, buffers=[memoryview(some)[offset:] for some in moved])
    for count in (1, 5, 300):
        x = rows(count, 200)
        assert again.predict_proba(x).tobytes() == model.predict_proba(x).tobytes()
    again.fit(rows(20, 200), np.arange(20) % 10, epochs=1)


def test_a_mixture_of_two_networks_that_overflows_is_predicted_again(monkeypatch):
    """Another thread changed the model meanwhile: no number of either network is too large."""
    model, x = model_of([4, 6, 3]), rows(2000, 4)
    expected = model.predict_proba(x)
    real, calls = forward.Forward._many, []

    def mixed(self, *arguments):
        calls.append(1)
        if len(calls) == 1:
            self._network.version += 1
            raise ValueError("the outputs of row 3 are beyond the dtype's range")
        return real(self, *arguments)

    monkeypatch.setattr(forward.Forward, "_many", mixed)
    assert model.predict_proba(x).tobytes() == expected.tobytes()
    assert len(calls) == 2
    calls.clear()

    def wrong(self, *arguments):
        raise ValueError("the outputs of row 3 are beyond the dtype's range")

    monkeypatch.setattr(forward.Forward, "_many", wrong)
    with pytest.raises(ValueError, match="row 3"):
        model.predict_proba(x)
