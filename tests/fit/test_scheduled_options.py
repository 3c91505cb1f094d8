"""Dropout and weight decay that are schedules: the same bits on both backends, by threads, resumed; and refusals."""

import dataclasses

import numpy as np
import pytest
from trainings import Problem, check_training, finish

from fastmlp import AdamW, Model
from fastmlp.engine import choose, model_lanes, numba_backend, reference_backend
from fastmlp.optimizers import describe, from_description
from fastmlp.schedules import Constant, Cosine, FlatCosine, ReduceOnPlateau, Schedule, Step
from fastmlp.training import DropoutRates, State, Training

X = np.random.RandomState(1).standard_normal((60, 4))
Y = (X[:, 0] > 0).astype(int)
RATES = (Cosine(0.5, 4), 0.25)


def asked(rows, batch, **more):
    return Training(5, 0.1, batch, 1, order=7 if batch < rows else None, dropout_seed=3, **more)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("batch", [41, 16, 1])
def test_passes_give_the_bits_of_the_definition(batch, dtype):
    """The last epochs drop nothing in the first layer."""
    rows = 41 if batch > 1 else 9
    problem = Problem.make(21, [3, 7, 5, 2], rows, ["tanh", "relu"], dtype=dtype)
    decaying = AdamW(0.02, weight_decay=FlatCosine(5.0, 4, 0.25))
    check_training(problem, asked(rows, batch, dropout=RATES))
    check_training(problem, asked(rows, batch, optimizer=decaying, dropout=(0.5, Step(0.6, 2))))
    check_training(problem, asked(rows, batch, optimizer=decaying))


def test_each_epoch_has_its_own_rates_whatever_the_blocks():
    training = asked(41, 16, dropout=RATES)
    expected = [[float(RATES[0].rates(epoch - 1)), 0.25] for epoch in range(1, 6)]
    table = DropoutRates(training)
    table.BLOCK = 2
    assert [table.of(epoch) for epoch in range(1, 6)] == expected
    assert DropoutRates(training).of(4) == expected[3]
    assert expected[4] == [0.0, 0.25]
    constant = dataclasses.replace(training, dropout=(Constant(0.5), 0.25))
    plain = dataclasses.replace(training, dropout=(0.5, 0.25))
    problem = Problem.make(21, [3, 7, 5, 2], 41, "tanh")
    a, b = (finish(numba_backend.train, problem, one) for one in (constant, plain))
    assert a.parameters.tobytes() == b.parameters.tobytes()


def test_threads_change_no_bit():
    problem = Problem.make(22, [9, 70, 33, 2], 1100, "relu")
    training = dataclasses.replace(asked(1100, 1030, dropout=(Cosine(0.5, 4), 0.25)), threads=2)
    for pass_name in ("streamed", "layered"):
        found = [
            finish(numba_backend.train, problem, one, pass_name=pass_name).parameters.tobytes()
            for one in (training, dataclasses.replace(training, threads=1))
        ]
        assert found[0] == found[1]


def test_a_scheduled_decay_goes_as_lanes():
    problem = Problem.make(3, [3, 6, 2], 30, "tanh")
    expected = problem.parameters.copy()
    training = asked(30, 7, optimizer=AdamW(0.02, weight_decay=Cosine(5.0, 4)))
    state = State.new(training.optimizer, problem.spec.parameters, "float64")
    for _ in reference_backend.train(problem.spec, expected, problem.x, problem.y, training, state):
        pass
    members = [
        model_lanes.Member(
            problem.parameters.copy(), problem.x, problem.y, training,
            State.new(training.optimizer, problem.spec.parameters, "float64"),
        )
        for _ in range(3)
    ]  # fmt: skip
    assert choose.fits_lanes(problem.spec, training, 30)
    for steps in model_lanes.train(problem.spec, members):
        for step in steps.values():
            for change in step.changes:
                change()
    assert all(one.parameters.tobytes() == expected.tobytes() for one in members)


def model():
    return Model([4, 6, 5, 2], seed=1)


OPTIONS = {
    "batch_size": 16, "dropout": [FlatCosine(0.5, 6), 0.25],
    "optimizer": AdamW(0.01, weight_decay=FlatCosine(0.5, 6)),
}  # fmt: skip


def test_resumed_and_checkpointed_fits_have_the_bits_of_one(tmp_path):
    whole, parts = model(), model()
    whole.fit(X, Y, epochs=6, **OPTIONS)
    parts.fit(X, Y, epochs=4, **OPTIONS)
    parts.save(tmp_path / "model")
    parts = Model.load(tmp_path / "model")
    assert parts.optimizer == OPTIONS["optimizer"]
    parts.fit(X, Y, epochs=2, resume=True, **OPTIONS)
    assert parts.digest() == whole.digest()

    def stop(info):
        if info.epoch == 4:
            raise KeyboardInterrupt

    path, again = tmp_path / "fit", model()
    with pytest.raises(KeyboardInterrupt):
        again.fit(X, Y, epochs=6, checkpoint=path, checkpoint_every=2, callback=stop, **OPTIONS)
    again = model()
    with pytest.raises(ValueError, match="dropout="):
        again.fit(X, Y, epochs=6, checkpoint=path, checkpoint_every=2, resume=True, **{**OPTIONS, "dropout": 0.25})
    again.fit(X, Y, epochs=6, checkpoint=path, checkpoint_every=2, resume=True, **OPTIONS)
    assert again.digest() == whole.digest()


class Own(Schedule):
    def _rates(self, t):
        return np.full(t.shape, 0.1)


def test_what_is_refused():
    for dropout, error, words in (
        (ReduceOnPlateau(0.5), ValueError, "dropout=.* waits for progress"),
        ([0.1, Own()], TypeError, r"dropout\[1\]=.* is no schedule of fastmlp's"),
        (Cosine(1.5, 4), ValueError, r"dropout\[0\]=.* is 1.5 in epoch 1, and not a fraction"),
    ):
        with pytest.raises(error, match=words):
            model().fit(X, Y, epochs=3, dropout=dropout)
    later = Step(2.0, 3, 0.25)  # below 1 from epoch 4 on
    first = model()
    first.fit(X, Y, epochs=3)
    first.fit(X, Y, epochs=2, resume=True, dropout=later)
    for decay, error, words in (
        (ReduceOnPlateau(0.5), ValueError, "weight_decay=.* waits for progress"),
        (Own(), TypeError, "weight_decay=.* is no schedule of fastmlp's"),
        (-1.0, ValueError, "weight_decay=-1.0"),
    ):
        with pytest.raises(error, match=words):
            AdamW(weight_decay=decay)


def test_a_scheduled_decay_is_described():
    optimizer = AdamW(weight_decay=FlatCosine(0.5, 6))
    assert from_description(describe(optimizer)) == optimizer
    steps, _ = optimizer.steps(np.full(3, 0.1), np.ones(2), np.array([0.0, 4.5, 6.0]))
    assert steps[:, 2].tolist() == [1 - 0.1 * 0.5, 1 - 0.1 * 0.25, 1.0]
    assert optimizer.steps(np.full(1, 0.1), np.ones(2))[0][0, 2] == 1 - 0.1 * 0.5
