"""What `fit` refuses beyond data and epochs, with a clear error, and that a refused fit changes nothing. What options
do: the files of their subjects, as test_resume.py.
"""

import dataclasses
import gc
import inspect
import tracemalloc
import warnings

import numpy as np
import pytest
from models import OUTPUTS, SEEDS, TRAININGS, XOR_X, XOR_Y, figures, inside, learner, problem, rows, said, targets

import fastmlp
from fastmlp import SGD, Adagrad, Adam, AdamW, EarlyStopping, Model, RMSprop, schedules
from fastmlp.fit.options import FitOptions
from fastmlp.kernels import registry
from fastmlp.schedules import Cosine, OneCycle, ReduceOnPlateau, Step, WarmUp
from fastmlp.spec import Spec

NAN, INF = float("nan"), float("inf")


class Own(schedules.Schedule):
    def _rates(self, t):
        return np.full(t.shape, 0.1)


class OwnPlateau(ReduceOnPlateau):
    pass


def named(value):
    """A test's name for options: those that are given."""
    return " ".join(value) or "none" if isinstance(value, dict) else None


def check_refusal(model, x, y, options, error, words):
    """Raises AssertionError unless this fit is refused with these words, and nothing has changed."""
    model.fit(x, y, epochs=2, optimizer="adam")
    before, history = inside(model), model.history
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = said(error, model.fit, x, y, **{"epochs": 3, **options})
    for word in words:
        assert word in message
    assert len(message) < 400
    assert inside(model) == before
    assert model.history is history
    assert len(model.fit(x, y, epochs=2, resume=True)) == 2


NUMBERS = ("l2", "l1", "clip_value", "clip_norm")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        *[({name: text}, TypeError, [f"{name}={text!r}", "not a number"]) for name in NUMBERS for text in ("1", True)],
        *[({name: [0.1]}, TypeError, [f"{name}=[0.1]", "not a number"]) for name in NUMBERS],
        *[({name: value}, ValueError, [f"{name}={value}", "finite"]) for name in NUMBERS for value in (NAN, INF)],
        *[({name: -0.1}, ValueError, [f"{name}=-0.1", "negative", "0 or more"]) for name in ("l2", "l1")],
        *[({name: None}, TypeError, [f"{name}=None", "not a number"]) for name in ("l2", "l1")],
        *[({name: 0}, ValueError, [f"{name}=0", "above 0"]) for name in ("clip_value", "clip_norm")],
        ({"clip_value": 1.0, "clip_norm": 1.0}, ValueError, ["clip_value and clip_norm", "one of them"]),
        *[({"dropout": value}, ValueError, [f"dropout={value}", "less than 1"]) for value in (1, 1.0, -0.1, 50)],
        *[({"dropout": value}, TypeError, [f"dropout={value!r}", "not a number"]) for value in (True, "0.5", None)],
        ({"dropout": NAN}, ValueError, ["dropout=nan", "finite"]),
        ({"dropout": np.array(0.5)}, TypeError, ["dropout=array(0.5)", "not a number"]),
        ({"dropout": []}, ValueError, ["dropout is a list of 0", "layers=[2, 5, 3]", "1 hidden", "one number"]),
        ({"dropout": (0.1, 0.2)}, ValueError, ["dropout is a list of 2", "1 hidden"]),
        ({"dropout": [1.0]}, ValueError, ["dropout[0]=1.0", "less than 1"]),
        ({"dropout": ["x"]}, TypeError, ["dropout[0]='x'"]),
        ({"dropout": [[0.1]]}, TypeError, ["dropout[0]=[0.1]"]),
        ({"dropout": np.full((1, 1), 0.1)}, TypeError, ["dropout[0]="]),
        ({"optimizer": "adm"}, ValueError, ["optimizer='adm'", '"adam"', '"sgd"']),
        ({"optimizer": "Nadam"}, ValueError, ["optimizer='Nadam'", 'did you mean "adam"']),
        ({"optimizer": Adam}, TypeError, ["optimizer=Adam", "class", "Adam()", "'adam'"]),
        ({"optimizer": 3}, TypeError, ["optimizer=3", "fastmlp.Adam()"]),
        ({"optimizer": schedules.Constant(0.1)}, TypeError, ["optimizer=Constant", "fastmlp.Adam()"]),
        ({"optimizer": Adam(), "learning_rate": 0.1}, ValueError, ["learning_rate=0.1", "Adam(learning_rate="]),
        ({"optimizer": SGD(), "learning_rate": Step(1, 2)}, ValueError, ["learning_rate=Step", "SGD(learning_rate="]),
        ({"learning_rate": Cosine}, TypeError, ["learning_rate=Cosine", "class", "Cosine(...)"]),
        ({"learning_rate": "0.1"}, TypeError, ["learning_rate='0.1'"]),
        ({"learning_rate": lambda t: 0.1}, TypeError, ["learning_rate=<function"]),
        ({"learning_rate": Adam()}, TypeError, ["learning_rate=Adam("]),
        *[
            ({"learning_rate": rate}, TypeError, ["learning_rate=", "no schedule of fastmlp's", "fastmlp.schedules"])
            for rate in (schedules.Schedule(), Own(), OwnPlateau(0.1), WarmUp(3, Own()))
        ],
        ({"learning_rate": 0.1, "optimizer": "adm"}, ValueError, ["optimizer='adm'"]),
        *[
            ({"resume": value, **more}, TypeError, [f"resume={value!r}", "True or False"])
            for value, more in ((1, {}), (None, {}), (b"yes", {"optimizer": "sgd"}))
        ],
        *[({"callback": value}, TypeError, [f"callback={value!r}", "Info"]) for value in (3, "print", [print], True)],
        *[
            ({"early_stopping": value}, TypeError, [f"early_stopping={value!r}"[:60], "whole number", "EarlyStopping("])
            for value in ("loss", True, 2.0, [3], EarlyStopping, {"patience": 3})
        ],
        *[({"early_stopping": value}, ValueError, [f"early_stopping={value}", "1 or more"]) for value in (0, -3)],
        (
            {"early_stopping": EarlyStopping(metric="validation_loss")},
            ValueError,
            ["early_stopping", "metric='validation_loss'", "validate", 'metric="loss"'],
        ),
        (
            {"early_stopping": EarlyStopping(metric="validation_accuracy")},
            ValueError,
            ["early_stopping", "metric='validation_accuracy'", 'metric="accuracy"'],
        ),
        (
            {"learning_rate": ReduceOnPlateau(0.1, metric="validation_loss")},
            ValueError,
            ["learning_rate", "metric='validation_loss'", 'metric="loss"'],
        ),
        ({"validation": 0}, ValueError, ["validation=0", "between 0 and 1", "(X, y)"]),
        *[
            ({"validation": value}, ValueError, [f"validation={value}", "fraction"])
            for value in (1, 1.0, 1.5, -0.2, 20)
        ],
        ({"validation": NAN}, ValueError, ["validation=nan", "finite"]),
        *[
            ({"validation": value}, TypeError, [f"validation is a {kind}", "(X, y)", "0.1"])
            for value, kind in (
                (True, "bool"), ("0.1", "str"), ((XOR_X,), "tuple of 1"), ((XOR_X, XOR_Y, None, None), "tuple of 4"),
                ({}, "dict"), (rows(5, 2), "ndarray"), (iter([XOR_X, XOR_Y]), "list_iterator"),
            )
        ],
        ({"validation": ([[0, 0, 0]], [0])}, ValueError, ["validation X has 3 columns", "layers=[2, 5, 3]"]),
        ({"validation": (XOR_X, [0])}, ValueError, ["validation y has 1 row", "validation X has 4"]),
        ({"validation": ([], [])}, ValueError, ["validation X has no rows"]),
        ({"validation": (np.zeros((0, 2)), [])}, ValueError, ["validation X has no rows"]),
        ({"validation": (XOR_X, [])}, ValueError, ["validation y is empty", "validation X"]),
        ({"validation": (XOR_X, [0, 1, 2, 3])}, ValueError, ["validation y has label 3 in row 3", "0 to 2"]),
        ({"validation": (XOR_X, None)}, TypeError, ["validation y"]),
        ({"validation": (None, XOR_Y)}, TypeError, ["validation X"]),
        ({"validation": ([[0, NAN]], [0])}, ValueError, ["validation X has nan in row 0, column 1"]),
        ({"validation": ([["a", "b"]], [0])}, TypeError, ["validation X holds text"]),
        # right in themselves, and wrong beside what else is asked for: with what has drawn a number by then
        ({"validation": 0.3, "dropout": 0.5, "epochs": 0}, ValueError, ["epochs=0"]),
        ({"validation": 0.3, "dropout": 0.5, "target_loss": "x"}, TypeError, ["target_loss='x'"]),
        ({"validation": 0.3, "dropout": 0.5, "progress": 1}, TypeError, ["progress=1"]),
        ({"validation": 0.3, "dropout": 0.5, "clip_value": 1, "clip_norm": 1}, ValueError, ["clip_value and"]),
        ({"validation": 0.3, "dropout": 0.5, "resume": True, "optimizer": "sgd"}, ValueError, ["resume=True", "Adam("]),
    ],
    ids=named,
)  # fmt: skip
def test_fit_refuses_and_changes_nothing(options, error, words, seed):
    x, y = problem()
    check_refusal(learner(seed), x, y, options, error, words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *[({name: 1e-60}, [f"{name}=1e-60", "rounds to 0.0 in float32", 'dtype="float64"']) for name in NUMBERS],
        *[({name: 1e60}, [f"{name}=1e+60", "rounds to inf in float32"]) for name in NUMBERS],
        *[
            ({"optimizer": optimizer}, [f"optimizer={type(optimizer).__name__}(", name, f"rounds to {to} in float32"])
            for optimizer, name, to in (
                (SGD(momentum=1e-60), "momentum=1e-60", "0.0"),
                (SGD(momentum=1 - 1e-12), "momentum=0.99", "1.0"),
                (SGD(momentum=1 - 1e-12, nesterov=True), "momentum=0.99", "1.0"),
                (Adam(beta_1=1e-60), "beta_1=1e-60", "0.0"),
                (Adam(beta_2=1 - 1e-9), "beta_2=0.99", "1.0"),
                (AdamW(beta_2=1 - 1e-9), "beta_2=0.99", "1.0"),
                (Adam(epsilon=1e-60), "epsilon=1e-60", "0.0"),
                (Adam(epsilon=1e60), "epsilon=1e+60", "inf"),
                (RMSprop(decay=1 - 1e-9), "decay=0.99", "1.0"),
                (RMSprop(epsilon=1e-60), "epsilon=1e-60", "0.0"),
                (Adagrad(epsilon=1e-60), "epsilon=1e-60", "0.0"),
                (Adagrad(initial_accumulator=1e60), "initial_accumulator=1e+60", "inf"),
                (Adagrad(initial_accumulator=1e-60), "initial_accumulator=1e-60", "0.0"),
            )
        ],
        ({"optimizer": Adam(1e-60)}, ["learning_rate=1e-60", "0.0"]),
        ({"optimizer": "adam", "learning_rate": 1e60}, ["learning_rate=1e+60", "inf"]),
        ({"sample_weight": np.full(23, 1e-60)}, ["sample_weight rounds to 0 for every row"]),
        ({"sample_weight": np.full(23, 1e38)}, ["sample_weight adds up to more than float32 can hold", "divide"]),
    ],
    ids=named,
)  # fmt: skip
def test_numbers_that_float32_cannot_hold(options, words):
    x, y = problem()
    check_refusal(learner(dtype="float32"), x, y, options, ValueError, words)
    with np.errstate(all="ignore"):
        learner().fit(x, y, epochs=1, **options)  # float64 can


def test_zeros_are_settings_too():
    """A momentum, decay or beta of 0 is what it says, and is not taken for one that rounds to 0."""
    x, y = problem()
    for optimizer in (
        Adam(beta_1=0),
        Adam(beta_2=0),
        RMSprop(decay=0),
        Adagrad(initial_accumulator=0),
        SGD(momentum=0),
    ):
        learner(dtype="float32").fit(x, y, epochs=1, optimizer=optimizer)
    plain, zeros = learner(), learner()
    plain.fit(x, y, epochs=3, batch_size=7)
    zeros.fit(x, y, epochs=3, batch_size=7, l2=0, l1=0.0, dropout=0, optimizer=SGD(momentum=0), learning_rate=None)
    assert inside(zeros) == inside(plain)


def test_dropout_without_hidden_layers():
    for dropout in (0.5, [0.5]):
        check_refusal(Model([2, 2]), XOR_X, XOR_Y, {"dropout": dropout}, ValueError, ["dropout", "layers=[2, 2]"])
    for dropout in (0, 0.0, []):
        assert len(Model([2, 2]).fit(XOR_X, XOR_Y, epochs=1, dropout=dropout)) == 1


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_dropout_of_each_layer(kind):
    x, y = problem()

    def trained(dropout):
        model = Model([2, 5, 4, 3], seed=1)
        model.fit(x, y, epochs=3, dropout=dropout)
        return model.digest()

    assert trained(kind([0.5, 0.5])) == trained(0.5) == trained(np.float32(0.5))
    assert trained(kind([0.5, 0])) != trained(kind([0, 0.5]))
    assert trained(kind([0, 0])) == trained(0.0) != trained(0.5)


@pytest.mark.parametrize("metric", ["accuracy", "validation_accuracy"])
def test_an_accuracy_needs_labels(metric):
    x, y = rows(20, 2), rows(20, 1, seed=1)
    for output, loss in (("identity", None), ("sigmoid", "squared_error"), ("exponential", None)):
        model = Model([2, 3, 1], output=output, loss=loss)
        soft = np.abs(y) / 9
        for options in (
            {"early_stopping": EarlyStopping(metric=metric)}, {"learning_rate": ReduceOnPlateau(0.1, metric=metric)},
        ):  # fmt: skip
            words = [next(iter(options)), f"metric={metric!r}", "labels", "loss"]
            check_refusal(model, x, soft, {"validation": (x, soft), **options}, ValueError, words)
    model = Model([2, 3, 1], output="sigmoid")  # it is the validation's labels that count, or the training's
    hard, options = (x[:, 0] > 0).astype(float), {"early_stopping": EarlyStopping(metric=metric)}
    pairs_of = [(hard, soft), (soft, hard)] if metric == "accuracy" else [(soft, hard), (hard, soft)]
    model.fit(x, pairs_of[0][0], epochs=2, validation=(x, pairs_of[0][1]), **options)
    check_refusal(model, x, pairs_of[1][0], {"validation": (x, pairs_of[1][1]), **options}, ValueError, [metric])


def test_a_count_of_epochs_that_would_not_fit():
    model = Model([2, 2])
    model.fit(XOR_X, XOR_Y, epochs=2)
    model._network.epochs = 2**32 - 5
    message = said(ValueError, model.fit, XOR_X, XOR_Y, epochs=5)
    for word in ("epochs=5", str(2**32 - 5), str(2**32 - 1), "give 4 or less"):
        assert word in message
    assert len(model.fit(XOR_X, XOR_Y, epochs=4, batch_size=2, dropout=0.0)) == 4
    assert "new Model" in said(ValueError, model.fit, XOR_X, XOR_Y, epochs=1)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["step", "exponential", "cosine", "inverse", "cycle", "warm-up"])
def test_the_history_has_the_schedules_rates(name, resume):
    x, y = problem()
    schedule = TRAININGS[name]["learning_rate"]
    model = learner()
    for batch_size in (None, 7):
        if resume:
            model.fit(x, y, epochs=4, learning_rate=schedule)
        history = model.fit(
            x, y, epochs=20, batch_size=batch_size, learning_rate=schedule, resume=resume, record_every=3
        )
        assert history.learning_rate.tolist() == schedule.rates(history.epoch - 1).tolist()
        assert history.epoch[0] == (5 if resume else 1)


def test_default_learning_rates():
    x, y = problem()
    for name, rate in (("sgd", 0.1), ("adam", 0.001), ("adamw", 0.001), ("rmsprop", 0.01), ("adagrad", 0.01)):
        named, given, plain = learner(), learner(), learner()
        assert named.fit(x, y, epochs=2, optimizer=name).learning_rate.tolist() == [rate, rate]
        given.fit(x, y, epochs=2, optimizer=name, learning_rate=rate)
        plain.fit(x, y, epochs=2)
        assert inside(named) == inside(given)
        assert (named.digest() == plain.digest()) == (name == "sgd")


@pytest.mark.parametrize(
    "rate", [WarmUp(2, OneCycle(1e60, 9)), Cosine(1e60, 9), Step(1e60, 1)], ids=["warm-up", "cosine", "step"]
)
def test_a_schedule_beyond_float32_diverges_in_words(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = said(fastmlp.DivergenceError, learner(dtype="float32").fit, *problem(), epochs=9, learning_rate=rate)
    assert f"smaller learning_rate than {rate}" in message


KERNELS = {
    "activations.multiply", "activations.tanh_forward", "dense.dense_backward_input", "dense.dense_backward_weights",
    "dense.dense_forward", "layout.gather", "losses.softmax_cross_entropy", "optimizers.gradient_descent",
    "streamed.span", "train.sum_batch", "train.train",
}  # fmt: skip


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, set()),
        ({"batch_size": 9}, {"random.permutation"}),
        ({"l2": 0.0, "dropout": 0.0, "resume": True, "progress": False}, set()),
        ({"callback": print}, set()),
        ({"validation": 0.2, "early_stopping": 3}, {"predict.scored"}),
        ({"sample_weight": np.ones(23)}, {"losses.weigh", "train.step", "streamed.span_with_options"}),
        ({"clip_value": 1.0}, {"train.step", "gradients.scaled", "gradients.clipped_by_value"}),
        ({"dropout": 0.5}, {"passes.dropout", "random.dropout_factors", "streamed.span_with_options"}),
    ],
    ids=named,
)
def test_a_fit_asks_for_the_kernels_that_it_needs(options, more, monkeypatch, capsys):
    asked = set()

    def noted(find):
        def found(kernel, *arguments):
            asked.add(kernel)
            return find(kernel, *arguments)

        return found

    model = learner()
    for name in ("address", "function"):
        monkeypatch.setattr(registry, name, noted(getattr(registry, name)))
    model.fit(*problem(), epochs=2, **options)
    plain = {"streamed.span"} if "streamed.span_with_options" in more else set()
    assert asked == (KERNELS - plain) | more


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"validation": "big"},
        {"validation": "big", "early_stopping": 2},
        {"validation": "big", "early_stopping": 2, "callback": lambda _: None, "learning_rate": ReduceOnPlateau(0.1)},
        {"validation": 0.5, "sample_weight": np.ones(20_000), "optimizer": "adam", "dropout": 0.5, "early_stopping": 1},
    ],
    ids=named,
)  # fmt: skip
def test_nothing_big_is_kept(options):
    """Not the data, and not until the garbage collector comes by: 20,000 rows of two columns are 320 kB."""
    x, y = rows(20_000, 2), targets("softmax", 3, 20_000)
    model = learner()
    if options.get("validation") == "big":
        options = {**options, "validation": (x.astype(np.float32), y)}
    model.fit(x, y, epochs=3, **options)
    model.fit(x[:9], y[:9], epochs=1)
    collects = gc.isenabled()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model.fit(x, y.astype(np.int8), epochs=3, **options)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        if collects:
            gc.enable()
    assert kept < 50_000


@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_every_output_takes_the_options(output, loss, outputs):
    x, y = rows(40, 3), targets(output, outputs, 40)
    options = {
        "optimizer": "adam", "l2": 0.01, "clip_norm": 1.0, "dropout": 0.2, "sample_weight": np.linspace(0, 1, 40),
        "validation": 0.25, "early_stopping": 5, "batch_size": 8, "epochs": 6,
    }  # fmt: skip
    found = []
    for backend in ("numba", "reference"):
        model = Model([3, 4, outputs], output=output, loss=loss, backend=backend)
        found.append((figures(model.fit(x, y, **options)), inside(model)))
    assert found[0] == found[1]


def test_fit_options_are_the_arguments_of_fit():
    """Names, order, defaults and types: each list stands twice, and so they are compared."""
    of_fit = list(inspect.signature(Model.fit).parameters.values())[3:]
    of_options = list(inspect.signature(FitOptions).parameters.values())
    assert [(one.name, one.default, one.annotation) for one in of_options] == [
        (one.name, one.default, one.annotation) for one in of_fit
    ]
    assert all(one.kind is one.KEYWORD_ONLY for one in of_fit)


def test_fit_options_are_frozen():
    options = FitOptions(epochs=3)
    assert vars(FitOptions.of({**vars(options), "self": None})) == vars(options)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.epochs = 4


def test_checked_options_are_plain():
    options = FitOptions(epochs=np.int64(30), early_stopping=4, dropout=0.5, batch_size=100, callback=print)
    checked = options.checked(Spec.build([2, 3, 4, 2]), rows=20, labelled=True, trained=0)
    assert (checked.epochs, checked.batch_size, checked.record_every, checked.checkpoint_every) == (30, 20, 1, 3)
    assert (checked.dropout, checked.early_stopping, checked.progress) == ((0.5, 0.5), EarlyStopping(4), False)
    assert type(checked.epochs) is int
    assert options.batch_size == 100  # as given
    assert set(checked.stored()) == {
        *("epochs", "batch_size", "shuffle", "l2", "l1", "dropout", "clip_value", "clip_norm", "record_every"),
        *("target_loss", "target_accuracy"),
    }
