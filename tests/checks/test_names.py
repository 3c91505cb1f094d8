"""Names that callers give: other spellings, what is said of unknown ones, and at what cost to others."""

import copy
import inspect
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastmlp import (
    SGD,
    Adam,
    AdamW,
    CrossEntropy,
    EarlyStopping,
    Ensemble,
    Huber,
    Model,
    Quantile,
    RMSprop,
    cross_validate,
    schedules,
)  # fmt: skip
from fastmlp.checks import names
from fastmlp.engine.backends import known_backend
from fastmlp.engine.initial_weights import check_init
from fastmlp.fit import options
from fastmlp.optimizers import OPTIMIZERS, kind_of
from fastmlp.spec import BACKENDS, HIDDEN, INITS, LOSSES, Spec
from fastmlp.stopping import METRICS, metric_name
from fastmlp.sweep import Sweep, train_many

X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


def fit(**named):
    return Model([2, 3, 2]).fit(X, Y, **named)


def ensemble_fit(**named):
    return Ensemble([2, 3, 2], members=2).fit(X, Y, **named)


def many(**named):
    return train_many([Model([2, 3, 2])], X, Y, **named)


def folds(**named):
    return cross_validate({"layers": [2, 3, 2]}, X, Y, folds=2, **named)


def sweep_fit(**named):
    return Sweep({"seed": [0, 1]}).fit(X, Y, **named)


def model(**named):
    return Model([2, 3, 2], **named)


def ensemble(**named):
    return Ensemble([2, 3, 2], **named)


def sweep(**named):
    return Sweep({"seed": [0]}, **named)


@pytest.mark.parametrize(
    ("call", "name", "says"),
    [
        *((call, "lr", 'did you mean "learning_rate"?') for call in (fit, ensemble_fit, many, folds, sweep_fit)),
        *((call, "lr", 'did you mean "learning_rate"?') for call in (SGD, Adam, AdamW)),
        *((call, "verbose", 'did you mean "progress"?') for call in (fit, ensemble_fit, many, folds, sweep_fit)),
        *((call, "n_jobs", 'did you mean "threads"?') for call in (fit, ensemble_fit, many, folds, sweep_fit)),
        *((call, "max_iter", 'did you mean "epochs"?') for call in (fit, ensemble_fit, many, folds, sweep_fit)),
        *((call, "activation", 'did you mean "hidden"?') for call in (model, ensemble)),
        *((call, "activation", "give hidden to Model") for call in (fit, ensemble_fit, many, folds)),
        *((call, "loss_fn", 'did you mean "loss"?') for call in (model, ensemble)),
        *((call, "lr", "give learning_rate to fit") for call in (model, ensemble)),
        *((call, "epochs", "give epochs to fit") for call in (model, ensemble)),
        *((call, "random_state", 'did you mean "seed"?') for call in (model, ensemble, sweep, folds)),
        (model, "hidden_layer_sizes", 'did you mean "layers"? Give layers=[inputs, 64, outputs]'),
        (model, "hiden", 'did you mean "hidden"?'),
        (model, "device", "its arguments are layers, hidden, output"),
        (ensemble, "n_estimators", 'did you mean "members"?'),
        (fit, "validation_split", 'did you mean "validation"? Give validation=0.1'),
        (fit, "validation_data", 'did you mean "validation"? Give validation=(X, y)'),
        (fit, "callbacks", 'did you mean "callback"? Give callback=function'),
        (fit, "momentum", "Give optimizer=SGD(0.1, momentum=0.9)"),
        (fit, "patience", "Give early_stopping=10"),
        (fit, "n_epochs", 'did you mean "epochs"?'),
        (fit, "learningrate", 'did you mean "learning_rate"?'),
        (fit, "seed", "give seed to Model"),
        (fit, "metrics", "its arguments are X, y, epochs"),
        (ensemble_fit, "callbacks", "many models train at once"),
        (folds, "cv", 'did you mean "folds"?'),
        (sweep, "lr", "give learning_rate in the grid"),
        (sweep, "n_iter", 'did you mean "draws"?'),
        (sweep_fit, "activation", "give hidden to Sweep, in the grid or in base"),
        (SGD, "weight_decay", "give l2 to fit"),
        (Adam, "eps", 'did you mean "epsilon"?'),
        (Adam, "betas", "Give beta_1=0.9, beta_2=0.999"),
        (RMSprop, "alpha", 'did you mean "decay"?'),
        (schedules.Cosine, "T_max", 'did you mean "epochs"?'),
        (schedules.Cosine, "eta_min", 'did you mean "floor"?'),
        (schedules.Step, "gamma", 'did you mean "factor"?'),
        (schedules.OneCycle, "max_lr", 'did you mean "peak"?'),
        (schedules.ReduceOnPlateau, "monitor", 'did you mean "metric"?'),
        (EarlyStopping, "monitor", 'did you mean "metric"?'),
        (EarlyStopping, "restore_best_weights", 'did you mean "best_weights"?'),
        (CrossEntropy, "smoothing", 'did you mean "label_smoothing"?'),
        (Huber, "beta", 'did you mean "delta"?'),
        (Quantile, "tau", 'did you mean "q"?'),
    ],
)  # fmt: skip
def test_an_unknown_keyword_says_what_may_be_meant(call, name, says):
    with pytest.raises(TypeError, match=re.escape(says)) as caught:
        call(**{name: 1})
    assert f"has no argument '{name}': " in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_others_call_an_argument_is_none_of_ours_and_leads_to_one_of_ours():
    calls = (Model, Model.fit, Ensemble, Sweep, cross_validate, EarlyStopping, CrossEntropy, Huber, Quantile)
    kinds = (*OPTIMIZERS.values(), *schedules.SCHEDULES.values())
    ours = {name for call in (*calls, *kinds) for name in names.names_of(call)} | {"width", "depth", "models"}
    for theirs, meant in names.ELSEWHERE.items():
        assert set(meant) <= ours, theirs
    for call in (Model, Model.fit, Ensemble, Sweep):
        assert not set(names.ELSEWHERE) & set(names.names_of(call))


@pytest.mark.parametrize("call", [Model, Model.fit, Ensemble, Sweep, SGD, schedules.Cosine, EarlyStopping])
def test_signatures_have_no_trace_of_it(call):
    kinds = {one.kind for one in inspect.signature(call).parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    assert {"unknown", "values", "named"}.isdisjoint(inspect.signature(call).parameters)


def test_the_options_of_fit_are_its_arguments():
    found = inspect.signature(Model.fit).parameters
    assert list(found) == ["self", "X", "y", *options.NAMES]
    assert found["epochs"].default == options.FitOptions().epochs == 100


def test_other_errors_of_constructors_pass():
    with pytest.raises(TypeError, match="missing 2 required positional arguments: 'learning_rate' and 'epochs'"):
        schedules.Cosine()
    with pytest.raises(TypeError, match="momentum='x' is not a number"):
        SGD(0.1, momentum="x")
    made = SGD(0.1, momentum=0.5)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made


# ---------------------------------------------------------------------------------------------------------
# Names of things


@pytest.mark.parametrize(
    ("given", "meant"),
    [("ReLU", "relu"), ("Leaky ReLU", "leaky_relu"), ("LeakyReLU", "leaky_relu"), ("swish", "silu"),
     ("Linear", "identity"), ("logistic", "sigmoid"), ("GELU", "gelu"), ("TANH", "tanh"), ("none", "identity")],
)  # fmt: skip
def test_other_names_of_activations(given, meant):
    for hidden in (given, [given], (given,)):
        assert Model([2, 3, 2], hidden=hidden).spec.hidden == (meant,)


@pytest.mark.parametrize(
    ("given", "meant"),
    [("mse", "squared_error"), ("MSELoss", "squared_error"), ("mean_squared_error", "squared_error"),
     ("MAE", "absolute_error"), ("L1Loss", "absolute_error"), ("cross-entropy", "cross_entropy"),
     ("CrossEntropyLoss", "cross_entropy"), ("sparse_categorical_crossentropy", "cross_entropy"),
     ("BCE", "binary_cross_entropy"), ("BCEWithLogitsLoss", "binary_cross_entropy"), ("Huber", "huber"),
     ("pinball", "quantile"), ("Poisson", "poisson")],
)  # fmt: skip
def test_other_names_of_losses(given, meant):
    assert Spec.build([2, 3, 2], loss=given) == Spec.build([2, 3, 2], loss=meant)


@pytest.mark.parametrize(
    ("check", "given", "meant"),
    [(check_init, "KaimingNormal", "he_normal"), (check_init, "xavier_uniform", "glorot_uniform"),
     (check_init, "HeUniform", "he_uniform"), (known_backend, "Numba", "numba"),
     (metric_name, "val_loss", "validation_loss"), (metric_name, "val_acc", "validation_accuracy"),
     (metric_name, "acc", "accuracy")],
)  # fmt: skip
def test_other_names_of_the_rest(check, given, meant):
    assert check(given) == meant


def test_what_is_kept_is_the_canonical_name(tmp_path):
    """Spec, digest, file and a resumed fit do not know which spelling was given."""
    own = Model([2, 3, 2], hidden="silu", loss="cross_entropy", init="he_uniform", backend="numba")
    other = Model([2, 3, 2], hidden="Swish", loss="CrossEntropyLoss", init="kaiming_uniform", backend="Numba")
    for each, optimizer, metric in ((own, "adam", "validation_loss"), (other, "Adam", "val_loss")):
        rule = EarlyStopping(metric=metric)
        each.fit(X, Y, epochs=3, optimizer=optimizer, learning_rate=0.05, validation=(X, Y), early_stopping=rule)
        each.fit(X, Y, epochs=3, optimizer=optimizer, resume=True)  # the same name: with the rate that it had
        assert each.optimizer == Adam(0.05)
        each.save(tmp_path / optimizer)
    assert (own.spec, own.digest(), own.backend) == (other.spec, other.digest(), other.backend)
    assert (tmp_path / "adam").read_bytes() == (tmp_path / "Adam").read_bytes()
    assert repr(own) == repr(other)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: Model([2, 3, 2], hidden="rellu"), "hidden='rellu' is not known: did you mean \"relu\"? Use "),
        (lambda: Model([2, 3, 2], hidden="xyz"), "hidden='xyz' is not known: use \"relu\""),
        (lambda: Model([2, 3, 2], hidden=["relu2"]), 'did you mean "relu"?'),
        (lambda: Model([2, 3, 2], loss="crossentropi"), 'did you mean "cross_entropy"?'),
        (lambda: Model([2, 3, 2], loss="log_loss"), 'did you mean "cross_entropy" or "binary_cross_entropy"? Use'),
        (lambda: Model([2, 3, 2], init="he"), 'did you mean "he_normal" or "he_uniform"? Use'),
        (lambda: Model([2, 3, 2], init="xavier"), 'did you mean "glorot_normal" or "glorot_uniform"? Use'),
        (lambda: Model([2, 3, 2], hidden="relu" * 100), "hidden='relurelu"),
        (lambda: fit(optimizer="adamm"), 'did you mean "adam"?'),
        (lambda: Ensemble([2, 3, 2], vote="softt"), 'did you mean "soft"?'),
        (lambda: EarlyStopping(metric="valloss_"[::-1]), "use \"loss\""),
    ],
)  # fmt: skip
def test_unknown_names_of_things(act, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        act()


@given(st.text(max_size=80))
def test_any_name_is_understood_or_refused(name):
    for known, check in (
        (HIDDEN, lambda: Spec.build([2, 3, 2], name).hidden[0]),
        ([loss for of in LOSSES.values() for loss in of], lambda: Spec.build([2, 3, 2], loss=name).loss),
        (INITS, lambda: check_init(name)),
        (BACKENDS, lambda: known_backend(name)),
        (METRICS, lambda: metric_name(name)),
        (OPTIMIZERS, lambda: next(key for key, kind in OPTIMIZERS.items() if kind is kind_of(name))),
    ):
        try:
            assert check() in known
        except ValueError as error:
            assert "is not known" in str(error)  # noqa: PT017
    assert isinstance(names.no_argument("fit", name, options.NAMES, {"Model": ["hidden"]}), TypeError)


def test_spellings_of_one_name_do_not_mean_another():
    for known in (HIDDEN, tuple(LOSSES), INITS, tuple(OPTIMIZERS), METRICS):
        assert len({names.folded(name) for name in known}) == len(known)
