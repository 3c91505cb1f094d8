"""An ensemble: its members are those trained alone, and what they predict together is what the reference says."""

import copy
import functools
import math
import pickle
import signal
import warnings

import numpy as np
import pytest
from models import bits, figures, inside, said

from fastmlp import CrossEntropy, DivergenceError, DivergenceWarning, Ensemble, Huber, Model, Quantile, splits
from fastmlp.reference import ensemble as definition
from fastmlp.splits import bootstrap
from fastmlp.sweep import Each, train_many

OUTPUTS = [
    ("softmax", "cross_entropy", 3),
    ("softmax", CrossEntropy(0.1), 3),
    ("sigmoid", "binary_cross_entropy", 1),
    ("sigmoid", "binary_cross_entropy", 2),
    ("sigmoid", "squared_error", 2),
    ("identity", "squared_error", 1),
    ("identity", "absolute_error", 2),
    ("identity", Huber(0.5), 1),
    ("identity", Quantile(0.2), 1),
    ("exponential", "poisson", 1),
]
DTYPES = ("float64", "float32")


def data(output="softmax", outputs=3, count=60):
    """Rows of two columns, and targets that they say something about."""
    draws = np.random.RandomState(4)
    x = draws.standard_normal((count, 2))
    if output == "softmax":
        return x, (x.sum(axis=1) > 0).astype(int) + (x[:, 0] > 0.5)
    if output == "sigmoid":
        return x, (x[:, [0, 1]] + draws.standard_normal((count, 2)) > 0).astype(int)[:, :outputs]
    return x, np.abs(x[:, [0, 1]][:, :outputs] + 0.3 * draws.standard_normal((count, outputs)))


def ensemble(output="softmax", loss="cross_entropy", outputs=3, dtype="float64", **arguments):
    given = {"members": 4, "seed": 3, "hidden": "tanh", "output": output, "loss": loss, "dtype": dtype, **arguments}
    return Ensemble([2, 5, outputs], **given)


def trained(output="softmax", loss="cross_entropy", outputs=3, dtype="float64", **arguments):
    made = ensemble(output, loss, outputs, dtype, **arguments)
    made.fit(*data(output, outputs), epochs=15, batch_size=16, learning_rate=0.2)
    return made


# ---------------------------------------------------------------------------------------------------------
# Members


OPTIONS = [
    {"epochs": 7, "batch_size": 8},
    {"epochs": 6, "batch_size": 16, "optimizer": "adam", "dropout": 0.3, "l2": 0.01},
    {"epochs": 9, "learning_rate": Each([0.1, 0.2, 0.3, 0.5]), "class_weight": "balanced"},
    {"epochs": 12, "batch_size": 16, "validation": data(count=20), "early_stopping": 2, "optimizer": "rmsprop"},
    {"epochs": 5, "sample_weight": np.linspace(0, 2, 60), "clip_norm": 0.3},
]


def check_members(made, x, y, options, sampled):
    """Each member is the model that is trained alone, with its seed, on its rows."""
    for number, (model, found) in enumerate(zip(made.members, made.results, strict=True)):
        own = {name: value.values[number] if isinstance(value, Each) else value for name, value in options.items()}
        rows = bootstrap(len(x), number, 3) if sampled else np.arange(len(x))
        if "sample_weight" in own:
            own["sample_weight"] = own["sample_weight"][rows]
        alone = Model([2, 5, 3], hidden="tanh", seed=3 + number)
        history = alone.fit(x[rows], y[rows], **own)
        assert found.digest == model.digest() == alone.digest()
        assert inside(model) == inside(alone)
        assert figures(model.history) == figures(history)
        assert (model.history.stopped, model.history.best_epoch) == (history.stopped, history.best_epoch)
        if sampled:
            assert (made.rows(number) == rows).all()


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ", ".join(options))
def test_members_are_those_trained_alone(options, sampled):
    x, y = data()
    made = ensemble(bootstrap=sampled)
    assert [model.seed for model in made.members] == [3, 4, 5, 6]
    made.fit(x, y, **options)
    check_members(made, x, y, options, sampled)


@pytest.mark.parametrize("rows_of", [lambda member: (member + 1) % 4, lambda member: 0])
def test_a_neighbour_s_rows_are_seen(rows_of, monkeypatch):
    """A fault that is planted: the check above must fail."""
    x, y = data()
    monkeypatch.setattr(splits, "bootstrap", lambda rows, member, seed: bootstrap(rows, rows_of(member), seed))
    made = ensemble(bootstrap=True)
    made.fit(x, y, epochs=3)
    with pytest.raises(AssertionError):
        check_members(made, x, y, {"epochs": 3}, True)


def test_a_second_fit_goes_on_from_the_weights():
    x, y = data()
    made = ensemble(bootstrap=True)
    for _ in range(2):
        made.fit(x, y, epochs=3)
    for number, model in enumerate(made.members):
        alone, rows = Model([2, 5, 3], hidden="tanh", seed=3 + number), bootstrap(60, number, 3)
        for _ in range(2):
            alone.fit(x[rows], y[rows], epochs=3)
        assert model.digest() == alone.digest()


def test_targets_of_each_member():
    """As for replicas: the same rows, and targets that differ."""
    x, y = data("identity", 1)
    replicas = [y + 0.1 * np.random.RandomState(k).standard_normal(y.shape) for k in range(4)]
    made = ensemble("identity", "squared_error", 1)
    made.fit(x, Each(replicas), epochs=5)
    for number, model in enumerate(made.members):
        alone = Model([2, 5, 1], hidden="tanh", output="identity", seed=3 + number)
        alone.fit(x, replicas[number], epochs=5)
        assert model.digest() == alone.digest()


def test_it_is_a_sequence_of_its_members():
    made = ensemble()
    assert [*made] == made.members
    assert made[0] is made.members[0]
    assert made[-1] is made.members[-1]
    assert made[1:3] == made.members[1:3]
    assert [found.state for found in train_many(made, *data(), epochs=1)] == ["trained"] * 4


def test_models_that_are_there():
    x, y = data()
    models = [Model([2, width, 3], seed=width) for width in (3, 4, 5)]
    train_many(models, x, y, epochs=5)
    made = Ensemble.of(models)
    assert made.members == models
    assert made.predict_proba(x).tobytes() == definition.mean(made.predict_members(x)).tobytes()
    assert "3 of 3 kinds of Model" in repr(made)
    assert "models[1] is models[0]" in said(ValueError, Ensemble.of, [models[0]] * 2)
    assert "models[1] has outputs 2, and models[0] 3" in said(ValueError, Ensemble.of, [models[0], Model([2, 2])])
    other = Model([2, 3], dtype="float32")
    assert "models[1] has dtype 'float32'" in said(ValueError, Ensemble.of, [models[0], other])
    assert "models is empty" in said(ValueError, Ensemble.of, [])
    assert "models[0] is 3, not a Model" in said(TypeError, Ensemble.of, [3])
    assert "is not a list of models" in said(TypeError, Ensemble.of, 3)


# ---------------------------------------------------------------------------------------------------------
# What they predict


def outputs_of(made, x):
    """The members' outputs, one after the other."""
    found = [model.predict_proba(x) if model.spec.is_classifier else model.predict(x) for model in made.members]
    return [output.reshape(len(x), -1) for output in found]


def mean_by_hand(outputs, dtype):
    """The sum in the members' order, by Python's floats, and one division."""
    rows, columns = outputs[0].shape
    mean = np.empty((rows, columns))
    for n in range(rows):
        for j in range(columns):
            total = float(outputs[0][n, j])
            for output in outputs[1:]:
                total += float(output[n, j])
            mean[n, j] = total / len(outputs)
    return mean.astype(dtype)


def check_mean(made, x):
    """`predict` and `predict_proba` have the bits of the mean."""
    spec = made.members[0].spec
    mean = mean_by_hand(outputs_of(made, x), spec.dtype)
    if spec.is_classifier:
        assert made.predict_proba(x).tobytes() == mean.tobytes()
        labels = mean.argmax(axis=1) if spec.output == "softmax" else (mean > 0.5).astype(np.int64)
        assert made.predict(x).reshape(labels.shape).tolist() == labels.tolist()
        assert made.predict(x).dtype == np.int64
    else:
        assert made.predict(x).tobytes() == mean.tobytes()
    assert made.predict(x).shape == made.members[0].predict(x).shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_the_mean(output, loss, outputs, dtype):
    made = trained(output, loss, outputs, dtype)
    check_mean(made, data(output, outputs, 90)[0])


def shifted(made):
    """The members, the first of which is there twice, and the last not at all."""
    return [(0, made.members[0]), *enumerate(made.members[:-1])]


def pairwise(outputs):
    total = (outputs[0].astype(float) + outputs[1]) + (outputs[2].astype(float) + outputs[3])
    return total / len(outputs)


def in_the_dtype(outputs):
    return sum(outputs[1:], outputs[0]) / outputs.dtype.type(len(outputs))


FAULTS = {
    "another member": ("float64", (Ensemble, "_used"), shifted),
    "in pairs": ("float64", (definition, "mean"), pairwise),
    "in the dtype": ("float32", (definition, "mean"), in_the_dtype),
    "without the last": ("float32", (definition, "mean"), lambda outputs: np.mean(outputs[:-1], axis=0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_mean_is_seen(fault, monkeypatch):
    """Faults that are planted: another member's weights, another order of the sum, another dtype."""
    dtype, where, function = FAULTS[fault]
    made, x = trained(dtype=dtype), data(count=90)[0]
    check_mean(made, x)
    monkeypatch.setattr(*where, function)
    with pytest.raises(AssertionError):
        check_mean(made, x)


def test_blocks_of_rows_change_no_bit(monkeypatch):
    made, x = trained(), data(count=90)[0]
    whole = [made.predict(x), made.predict_proba(x), made.predict_std(x), *made.uncertainty(x).values()]
    monkeypatch.setattr("fastmlp.ensemble.predictions.BLOCK", 100)
    parts = [made.predict(x), made.predict_proba(x), made.predict_std(x), *made.uncertainty(x).values()]
    assert [part.tobytes() for part in parts] == [part.tobytes() for part in whole]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_the_spread(output, loss, outputs, dtype):
    made = trained(output, loss, outputs, dtype)
    x = data(output, outputs, 30)[0]
    members = np.array(outputs_of(made, x))
    spread = made.predict_std(x)
    assert spread.dtype == dtype
    assert spread.shape == (members.shape[1:] if made.members[0].spec.is_classifier or outputs > 1 else (30,))
    assert spread.reshape(30, -1) == pytest.approx(
        members.astype(float).std(axis=0), rel=1e-5 if dtype[-1] == "2" else 1e-12
    )
    assert made.predict_members(x).reshape(members.shape).tobytes() == members.tobytes()
    assert (spread > 0).all()
    assert not Ensemble.of(made.members[:1]).predict_std(x).any()


def entropy_by_hand(p):
    return -sum(q * math.log(q) for q in map(float, p) if q > 0)


@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS[:5])
def test_uncertainty(output, loss, outputs):
    made = trained(output, loss, outputs)
    x = data(output, outputs, 20)[0]
    found = made.uncertainty(x)
    members = np.array(outputs_of(made, x))
    for n in range(20):
        for j in range(1 if output == "softmax" else outputs):
            p = members[:, n] if output == "softmax" else np.stack([members[:, n, j], 1 - members[:, n, j]], axis=1)
            entropy, own = entropy_by_hand(p.mean(axis=0)), np.mean([entropy_by_hand(q) for q in p])
            at = (n, j) if output == "sigmoid" and outputs > 1 else (n,)
            assert found["entropy"][at] == pytest.approx(entropy, rel=1e-12)
            assert found["mutual_information"][at] == pytest.approx(entropy - own, abs=1e-12)
    assert (found["mutual_information"] >= 0).all()
    shape = (20,) if output == "softmax" or outputs == 1 else (20, outputs)
    assert found["entropy"].shape == found["mutual_information"].shape == shape


def test_entropy_of_certainty_is_zero():
    p = np.array([[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.5, 0.5]]])
    assert definition.entropy(p[0]).tolist() == [0.0, pytest.approx(math.log(2), rel=1e-15)]
    assert definition.mutual_information(p).tolist() == [0.0, 0.0]
    apart = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert definition.mutual_information(apart).tolist() == [pytest.approx(math.log(2), rel=1e-15)]


@pytest.mark.parametrize(("output", "outputs"), [("softmax", 3), ("sigmoid", 1), ("sigmoid", 2)])
def test_votes(output, outputs):
    soft = trained(output, None, outputs, members=4)
    hard = Ensemble.of(soft.members, vote="hard")
    x = 3 * data(output, outputs, 200)[0]
    votes = np.array([model.predict(x).reshape(200, -1) for model in soft.members])
    for n, label in enumerate(hard.predict(x).reshape(200, -1)):
        for j, mine in enumerate(label):
            counts = [int((votes[:, n, j] == one).sum()) for one in range(3)]
            assert mine == (counts.index(max(counts)) if output == "softmax" else int(counts[1] > 2))
    assert hard.predict(x).dtype == np.int64
    assert (hard.predict(x) != soft.predict(x)).any()
    assert hard.predict_proba(x).tobytes() == soft.predict_proba(x).tobytes()
    assert hard.digest() != soft.digest()
    assert "needs labels" in said(ValueError, ensemble, "identity", None, 1, vote="hard")
    assert 'vote=3 is not known: use "soft" or "hard"' in said(ValueError, ensemble, vote=3)


def test_a_tie_is_no():
    """A probability of 1/2, and as many votes for as against."""
    made = Ensemble([1, 1], members=2, output="sigmoid")
    made.members[0].set_weights([([[3.0]], [0.0])])
    made.members[1].set_weights([([[-3.0]], [0.0])])
    x = [[0.0], [1.0], [-2.0]]
    assert made.predict_proba(x)[0, 0] == 0.5
    assert made.predict(x).tolist()[0] == 0
    assert Ensemble.of(made.members, vote="hard").predict(x).tolist() == [0, 0, 0]


def test_what_values_have_not():
    made = ensemble("identity", None, 1)
    for function in (made.predict_proba, made.uncertainty):
        assert 'output="identity" has no probabilities' in said(ValueError, function, [[0, 1]])
    for wrong in ([[0, 1, 2]], [[0, np.nan]], "x"):
        for function in (made.predict, made.predict_std, made.predict_members):
            with pytest.raises((TypeError, ValueError), match=r"^X "):
                function(wrong)


def test_a_mean_beyond_all_numbers():
    made = Ensemble([1, 1], members=2, output="identity")
    for model in made.members:
        model.set_weights([([[1.0]], [0.0])])
    assert "add up to more than float64 can hold" in said(ValueError, made.predict, [[1.7e308]])


# ---------------------------------------------------------------------------------------------------------
# Scores


@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_one_member_scores_as_its_model(output, loss, outputs):
    x, y = data(output, outputs)
    made = Ensemble.of([trained(output, loss, outputs).members[1]])
    assert made.evaluate(x, y) == pytest.approx(made.members[0].evaluate(x, y), rel=1e-12)


def test_scores_are_of_the_mean():
    x, y = data()
    made = trained()
    found, p = made.evaluate(x, y), made.predict_proba(x)
    assert found["loss"] == pytest.approx(-np.log(p[np.arange(60), y]).mean(), rel=1e-12)
    assert found["accuracy"] == (made.predict(x) == y).mean()
    soft = ensemble("sigmoid", None, 1)
    assert math.isnan(soft.evaluate(x, np.full(60, 0.5))["accuracy"])


@pytest.mark.parametrize(("output", "outputs"), [("softmax", 3), ("sigmoid", 1), ("identity", 2)])
def test_out_of_bag(output, outputs):
    x, y = data(output, outputs)
    made = trained(output, None, outputs, bootstrap=True)
    found = made.out_of_bag_score(x, y)
    unseen = np.array([[row not in set(bootstrap(60, k, 3).tolist()) for row in range(60)] for k in range(4)])
    scored = np.flatnonzero(unseen.any(axis=0))
    p = np.array(outputs_of(made, x))
    mean = np.array([p[unseen[:, row], row].mean(axis=0) for row in scored])
    assert found["rows"] == len(scored) / 60
    if output == "identity":
        assert found["loss"] == pytest.approx(((mean - y[scored]) ** 2).mean())
        assert 0 < found["r2"] < 1
    else:
        labels = mean.argmax(axis=1) if output == "softmax" else (mean[:, 0] > 0.5).astype(int)
        assert found["accuracy"] == (labels == y[scored].reshape(-1)).mean()


def test_out_of_bag_needs_the_rows_of_the_fit():
    x, y = data()
    made = ensemble(bootstrap=True)
    assert "call fit first" in said(ValueError, made.out_of_bag_score, x, y)
    assert "bootstrap=True" in said(ValueError, ensemble().rows, 0)
    made.fit(x, y, epochs=1)
    for other in (x[::-1], x[:-1], x + 1e-9):
        assert "X is not the X of the last fit" in said(ValueError, made.out_of_bag_score, other, y[: len(other)])
    assert "member=4 is none of 0 to 3" in said(ValueError, made.rows, 4)
    assert "member=-1 is none of 0 to 3" in said(ValueError, made.rows, -1)
    one = ensemble(bootstrap=True, members=1)
    one.fit([[0.0, 1.0]], [1], epochs=1)
    assert "take more members" in said(ValueError, one.out_of_bag_score, [[0.0, 1.0]], [1])


# ---------------------------------------------------------------------------------------------------------
# What goes wrong


def test_members_that_diverge_are_left_out():
    x, y = data("identity", 1)
    made = ensemble("identity", None, 1)
    rates = [0.01, 1e9, 0.02, 0.03]
    with pytest.warns(
        DivergenceWarning, match=r"^1 member of 4 diverged and is left out of predictions: member 1: "
    ) as told:
        results = made.fit(x, y, epochs=30, learning_rate=Each(rates))
    assert told[0].filename == __file__
    assert [found.state for found in results] == ["trained", "diverged", "trained", "trained"]
    assert list(made.left_out) == [1]
    assert "diverged" in made.left_out[1]
    assert "1 left out" in repr(made)
    alone = Model([2, 5, 1], hidden="tanh", output="identity", seed=4)
    assert said(DivergenceError, alone.fit, x, y, epochs=30, learning_rate=1e9) == made.left_out[1]
    assert alone.digest() == made.members[1].digest()
    rest = Ensemble.of([made.members[k] for k in (0, 2, 3)])
    for name in ("predict", "predict_std", "predict_members"):
        assert getattr(made, name)(x).tobytes() == getattr(rest, name)(x).tobytes()
    for number in (0, 2, 3):
        alone = Model([2, 5, 1], hidden="tanh", output="identity", seed=3 + number)
        alone.fit(x, y, epochs=30, learning_rate=rates[number])
        assert alone.digest() == made.members[number].digest()
    made.fit(x, y, epochs=2, learning_rate=0.01)
    assert made.left_out == {}


def test_all_members_diverge():
    x, y = data("identity", 1)
    made = ensemble("identity", None, 1)
    assert "all 4 members diverged, member 0 first: " in said(
        DivergenceError, made.fit, x, y, epochs=30, learning_rate=1e9
    )
    assert "all members diverged and are left out" in said(ValueError, made.predict, x)


def test_a_member_far_above_its_beginning_is_told():
    x, y = data("identity", 1)
    made = ensemble("identity", None, 1)
    rates = Each([0.01, 3e5, 0.01, 0.01])
    with pytest.warns(DivergenceWarning, match=r"1 member of 4 ended with a loss far above .* member 1 with"):
        made.fit(x, y, epochs=2, learning_rate=rates)
    assert made.left_out == {}


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"l2": -1}, ValueError, "l2=-1 is negative"),
        ({"dropout": Each([0.0, 0.1, 2, 0.1])}, ValueError, "dropout=2"),
        ({"sample_weight": np.full(60, -1.0)}, ValueError, "sample_weight has -1.0 in row"),
        ({"lr": 0.1}, TypeError, "fit has no argument 'lr': did you mean \"learning_rate\"?"),
        ({"resume": True}, TypeError, "fit has no argument 'resume': many models train at once"),
        ({"seed": 3}, TypeError, "fit has no argument 'seed': give seed to Model"),
        ({"hiden": "relu"}, TypeError, "fit has no argument 'hiden': give hidden to Model"),
        ({"epochs": 0}, ValueError, "epochs=0"),
        ({"learning_rate": Each([0.1])}, ValueError, "learning_rate is Each of 1 values, for 4 models"),
        ({"validation": Each([data(), 0.1, 0.1, 0.1])}, ValueError, "validation=0.1 of a bootstrap sample"),
        ({"validation": 0.1}, ValueError, "validation=0.1 of a bootstrap sample would hold out rows"),
        ({"threads": 0}, ValueError, "threads=0"),
    ],
)
def test_wrong_options(wrong, error, words):
    made = ensemble(bootstrap=True)
    before = made.digest()
    assert words in said(error, made.fit, *data(), **{"epochs": 2, **wrong})
    assert "dropout" in wrong or made.digest() == before


def test_wrong_rows():
    made, (x, y) = ensemble(), data()
    assert "y has 59 rows and X has 60" in said(ValueError, made.fit, x, y[1:], epochs=1)
    assert "X has 3 columns" in said(ValueError, made.fit, np.zeros((60, 3)), y, epochs=1)
    assert "y[1] has label 8" in said(ValueError, made.fit, x, Each([y, y + 7, y, y]), epochs=1)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"members": 0}, ValueError, "members=0"),
        ({"members": 1.5}, TypeError, "members=1.5"),
        ({"members": [1]}, TypeError, "Ensemble.of takes models that are there"),
        ({"seed": "x"}, TypeError, "seed='x'"),
        ({"seed": np.random.default_rng(0)}, TypeError, "an ensemble's seed is one"),
        ({"seed": 2**64 - 2}, ValueError, "leaves no seeds for 5 members"),
        ({"bootstrap": "yes"}, TypeError, "bootstrap="),
        ({"layers": [Model([2, 2])]}, TypeError, "use Ensemble.of(models)"),
        ({"hidden": "rel"}, ValueError, "hidden="),
    ],
)
def test_wrong_arguments(wrong, error, words):
    assert words in said(error, lambda **given: Ensemble(**given), **{"layers": [2, 2], **wrong})


def test_the_last_seeds():
    assert [model.seed for model in Ensemble([2, 2], members=2, seed=2**64 - 2).members] == [2**64 - 2, 2**64 - 1]


def test_one_fit_at_a_time():
    made, (x, y) = ensemble(), data()
    words = []

    class Y(list):
        """Looks at what happens when the fit reads it."""

        def __array__(self, *arguments, **named):
            words.append(said(RuntimeError, made.fit, x, y, epochs=1))
            return np.array(list(self))

    made.fit(x, Y(y.tolist()), epochs=1)
    assert not words or "fit was called while the ensemble trains" in words[0]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
def test_an_interrupted_fit_leaves_whole_epochs():
    x, y = data()
    made = ensemble(bootstrap=True)
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    made.fit(x, y, epochs=1, batch_size=8)
    first = [model.history for model in made.members]
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            made.fit(x, y, epochs=10**6, batch_size=8)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert any(model.history is not one for model, one in zip(made.members, first, strict=True))
    for number, model in enumerate(made.members):
        alone, rows = Model([2, 5, 3], hidden="tanh", seed=3 + number), bootstrap(60, number, 3)
        alone.fit(x[rows], y[rows], epochs=1, batch_size=8)
        if model.history is not first[number] and len(model.history):
            alone.fit(x[rows], y[rows], epochs=len(model.history), batch_size=8)
        assert alone.digest() == model.digest()
    assert made.out_of_bag_score(x, y)["rows"] > 0.5
    made.fit(x, y, epochs=1)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads):
    x, y = data()
    made = [ensemble(bootstrap=True, members=7, dtype=dtype) for dtype in DTYPES]
    for one in made:
        one.fit(x, y, epochs=20, batch_size=16, threads=threads)
    assert [one.digest() for one in made] == digests()


@functools.cache
def digests():
    """Of the same ensembles, by a loop."""
    x, y = data()
    found = []
    for dtype in DTYPES:
        one = ensemble(bootstrap=True, members=7, dtype=dtype)
        for number, model in enumerate(one.members):
            rows = bootstrap(60, number, 3)
            model.fit(x[rows], y[rows], epochs=20, batch_size=16)
        found.append(one.digest())
    return found


# ---------------------------------------------------------------------------------------------------------
# Copies


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies(twin_of):
    x, y = data()
    made = trained(bootstrap=True, vote="hard")
    made.left_out[2] = "diverged"
    twin = twin_of(made)
    assert (twin.digest(), twin.left_out, twin.vote, twin.bootstrap) == (made.digest(), {2: "diverged"}, "hard", True)
    assert twin.out_of_bag_score(x, y) == made.out_of_bag_score(x, y)
    assert twin.members[0] is not made.members[0]
    before = made.digest()
    for each in (twin, made):
        each.fit(x, y, epochs=2)
    assert twin.digest() == made.digest() != before


def test_a_digest_is_of_what_is_predicted():
    made, twin = trained(), trained()
    assert made.digest() == twin.digest()
    twin.left_out[0] = "diverged"
    assert made.digest() != twin.digest()
    twin.left_out.clear()
    twin.members.reverse()
    assert made.digest() != twin.digest()
    assert [bits(model) for model in made.members] == [bits(model) for model in reversed(twin.members)]


def test_no_warning_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(bootstrap=True)
