"""Estimators where something goes wrong: what is refused, and that a trained network outlives it."""

import copy
import re
import warnings

import numpy as np
import pytest
from bits import assert_same_bits

pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")

import sklearn.neural_network as theirs
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import base, classifier
from fastmlp.schedules import Constant, Cosine

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def three(count=120):
    X = np.random.RandomState(7).normal(size=(count, 5))
    return X, np.digitize(X[:, 0], (-0.5, 0.5))


def quick(kind=MLPClassifier, **parameters):
    return kind(**{"hidden_layer_sizes": 6, "max_iter": 8, "random_state": 2, **parameters})


def everything(estimator):
    """What an estimator is, in a form that compares."""
    state = estimator.__dict__ | {"_optimizer": vars(estimator._optimizer), "_label_binarizer": None}
    return repr({name: value for name, value in sorted(state.items()) if name not in base.FOR_SPEED})


# ---------------------------------------------------------------------------------------------------------
# A fit that fails


def raises_in_epoch_3(info):
    if info.epoch == 3:
        raise RuntimeError("the callback's")


def no_table(*_, **__):
    raise KeyboardInterrupt


X, Y = three()
FAILING = {
    "rows of another length": lambda made: made.fit(X[:, :3], Y[:100]),
    "labels that are none": lambda made: made.fit(X[:, :3], np.linspace(0, 1, 120)),
    "validation of other columns": lambda made: made.fit(X[:, :3], Y % 2, X_val=X, y_val=Y),
    "validation of other labels": lambda made: made.fit(X[:, :3], Y % 2, X_val=X[:9, :3], y_val=Y[:9] + 3),
    "weights": lambda made: made.fit(X[:, :3], Y % 2, -np.ones(120)),
    "weights of classes": lambda made: made.set_params(class_weight={0: np.nan}).fit(X[:, :3], Y % 2),
    "activations": lambda made: made.set_params(activation=["relu"] * 3).fit(X[:, :3], Y % 2),
    "dropout": lambda made: made.set_params(dropout=[0.1] * 3).fit(X[:, :3], Y % 2),
    "a small validation": lambda made: made.set_params(early_stopping=True, validation_fraction=0.001).fit(X, Y % 2),
    "divergence": lambda made: made.set_params(solver="sgd", learning_rate_init=1e300).fit(1e200 * X[:, :3], Y % 2),
    "a callback": lambda made: made.set_params(callbacks=raises_in_epoch_3).fit(X[:, :3], Y % 2),
    "a callback of a warm start": lambda made: made.set_params(callbacks=raises_in_epoch_3, warm_start=True).fit(X, Y),
    "divergence of a call": lambda made: made.partial_fit(np.where(X > 0, 1e308, -1e308), Y),
    "labels of a call": lambda made: made.partial_fit(X, Y + 1),
    "Ctrl-C before training": lambda made: made.set_params(early_stopping=True).fit(X[:, :3], Y % 2),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_fit_that_fails_leaves_what_there_was(name, monkeypatch):
    monkeypatch.setattr(base, "train_test_split", no_table if "Ctrl" in name else base.train_test_split)
    made = quick().fit(X, Y)
    before, p, same = everything(made), made.predict_proba(X), copy.deepcopy(made)
    parameters = made.get_params()
    with pytest.raises((ValueError, RuntimeError, KeyboardInterrupt)), np.errstate(all="ignore"):
        FAILING[name](made)
    made.set_params(**parameters)
    assert_same_bits(made.predict_proba(X), p)
    assert everything(made) == before
    assert_same_bits(made.partial_fit(X, Y).predict_proba(X), same.partial_fit(X, Y).predict_proba(X))


def test_a_first_fit_that_fails_leaves_nothing():
    for fail in (
        lambda made: made.fit(X, Y, X_val=X[:3], y_val=Y[:3] + 7),
        lambda made: made.partial_fit(X, Y[:9], classes=[0, 1, 2]),
    ):
        made = quick()
        before = set(vars(made))
        with pytest.raises(ValueError, match=r"has 7|inconsistent"):
            fail(made)
        assert set(vars(made)) - {"_busy"} == before
        with pytest.raises(NotFittedError):
            made.predict(X)


def test_a_training_that_is_interrupted_keeps_what_scikit_learn_keeps():
    class Orders(np.random.RandomState):
        asked = 0

        def shuffle(self, x):
            self.asked += 1
            if self.asked == 4:
                raise KeyboardInterrupt
            super().shuffle(x)

    made = []
    for kind in (theirs.MLPClassifier, MLPClassifier):
        estimator = quick(kind, batch_size=30).fit(X, Y % 2).set_params(random_state=Orders(2))
        with pytest.warns(UserWarning, match=r"^Training interrupted by user\.") as caught:
            estimator.fit(X, Y)
        assert [warning.filename for warning in caught][-1:] == [__file__] or kind is theirs.MLPClassifier
        made.append(estimator)
    a, b = made
    assert b.n_iter_ == a.n_iter_ == len(b.loss_curve_) == len(a.loss_curve_) == 3
    assert b.classes_.tolist() == a.classes_.tolist() == [0, 1, 2]
    np.testing.assert_allclose(b.predict_proba(X), a.predict_proba(X), rtol=1e-9)


# ---------------------------------------------------------------------------------------------------------
# Warnings


def test_filters_of_scikit_learns_sentences_hold():
    for parameters, category, sentence in (
        (
            {},
            ConvergenceWarning,
            "Stochastic Optimizer: Maximum iterations .8. reached and the optimization hasn't conv",
        ),
        (
            {"batch_size": 500},
            UserWarning,
            "Got `batch_size` less than 1 or larger than sample size. It is going to be",
        ),
        ({"solver": "lbfgs"}, ConvergenceWarning, "lbfgs failed to converge after 8 iteration"),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            quick(**parameters).fit(X, Y)
        assert any(warning.filename == __file__ for warning in caught) or "solver" in parameters
        assert all(warning.filename == __file__ for warning in caught if "lbfgs" not in str(warning.message))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "Stochastic", ConvergenceWarning)
            warnings.filterwarnings("ignore", sentence, category)
            quick(**parameters).fit(X, Y)


def test_a_partial_fit_warns_where_it_is_called():
    with pytest.warns(UserWarning, match="Got `batch_size`") as caught:
        quick(batch_size=500).partial_fit(X, Y, classes=[0, 1, 2])
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------------------------------------
# Arguments


@pytest.mark.parametrize(
    ("parameters", "fit", "words"),
    [
        ({"dropout": 0.2}, {}, r"dropout=0.2 goes with"),
        ({"dropout": [0.2]}, {}, r"dropout=\[0.2\] goes with"),
        ({"callbacks": print}, {}, r"callbacks=<built-in function print> goes with"),
        ({"callbacks": [print]}, {}, r"callbacks=\[<built-in function print>\] goes with"),
        ({"learning_rate": Constant(0.1)}, {}, r"learning_rate=Constant\(.*\) goes with"),
        ({"learning_rate": Cosine(0.1, epochs=5)}, {}, r"learning_rate=Cosine\(.*\) goes with"),
        ({}, {"X_val": X, "y_val": Y}, "X_val and y_val go with"),
    ],
)
def test_lbfgs_refuses_what_it_could_only_ignore(parameters, fit, words):
    with pytest.raises(ValueError, match=words + '.*solver="sgd" and "adam".*leave'):
        quick(solver="lbfgs", **parameters).fit(X, Y, **fit)


def test_lbfgs_takes_what_says_nothing():
    quick(solver="lbfgs", dropout=[0.0], callbacks=[], learning_rate="adaptive", n_threads=2).fit(X, Y)


@pytest.mark.parametrize("parameters", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_weights_of_no_validation(parameters):
    with pytest.raises(ValueError, match="sample_weight_val is given without X_val and y_val: give all three"):
        quick(**parameters).fit(X, Y, sample_weight_val=np.ones(120))


@pytest.mark.parametrize("y", [Y.astype(str), list(map(str, Y))])
def test_values_are_numbers(y):
    for kind in (theirs.MLPRegressor, MLPRegressor):
        with pytest.raises(TypeError):
            quick(kind).fit(X, y)


# ---------------------------------------------------------------------------------------------------------
# Weights that others have set


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda made: made.coefs_.__setitem__(0, made.coefs_[0][:, :1]),
            r"coefs_ has the shapes \[\(5, 1\), \(6, 3\)\]",
        ),
        (lambda made: made.intercepts_.__setitem__(1, np.zeros(1)), r"intercepts_ has the shapes \[\(6,\), \(1,\)\]"),
        (lambda made: made.coefs_.pop(), r"coefs_ has the shapes \[\(5, 6\)\]"),
        (lambda made: made.intercepts_.pop(), r"intercepts_ has the shapes \[\(6,\)\]"),
    ],
)
def test_changed_weights_have_their_shapes(change, words):
    made = quick(warm_start=True).fit(X, Y)
    change(made)
    for use in (
        lambda: made.predict(X),
        lambda: made.predict(X[:1]),
        lambda: made.fit(X, Y),
        lambda: copy.deepcopy(made),
    ):
        with pytest.raises(ValueError, match=words + ", and the network .*: give arrays of these"):
            use()


def test_weights_of_ones_own_are_trained_on():
    """As scikit-learn's: coefs_ and intercepts_ may be there before any fit."""
    made = [quick(kind, solver="sgd") for kind in (theirs.MLPClassifier, MLPClassifier)]
    rng = np.random.RandomState(0)
    coefs, intercepts = [rng.normal(size=(5, 6)), rng.normal(size=(6, 3))], [np.zeros(6), np.zeros(3)]
    for estimator in made:
        estimator.coefs_, estimator.intercepts_ = [w.copy() for w in coefs], [b.copy() for b in intercepts]
        estimator.n_features_in_, estimator.n_layers_, estimator.n_outputs_ = 5, 3, 3
        estimator.out_activation_, estimator.loss_curve_, estimator.best_loss_ = "softmax", [], np.inf
        estimator.t_ = estimator.n_iter_ = estimator._no_improvement_count = 0
        estimator.partial_fit(X, Y, classes=[0, 1, 2])
    np.testing.assert_allclose(made[1].predict_proba(X), made[0].predict_proba(X), rtol=1e-9)


# ---------------------------------------------------------------------------------------------------------
# Rows to predict


def test_rows_of_other_kinds_take_the_quick_way(monkeypatch):
    made = quick(batch_size=30).fit(X, Y)
    small = quick().fit(X.astype(np.float32), Y)
    p, q = made.predict_proba(X), small.predict_proba(X.astype(np.float32))
    whole = np.round(X * 4).astype(int)
    of_whole = made.predict_proba(whole.astype(float))
    monkeypatch.setattr(base, "validate_data", None)
    for some in (slice(0, 1), slice(0, 2), slice(0, 120)):
        assert_same_bits(made.predict_proba(X[some].tolist()), p[some])
        assert_same_bits(made.predict_proba(list(X[some])), p[some])
        assert_same_bits(made.predict_proba(whole[some]), of_whole[some])
        assert_same_bits(small.predict_proba(X[some]), q[some])
    narrow = X.astype(np.float32)
    assert_same_bits(made.predict_proba(narrow), made.predict_proba(narrow.astype(float)))


def test_a_table_takes_the_quick_way(monkeypatch):
    import pandas

    table = pandas.DataFrame(X, columns=list("abcde"))
    made = quick().fit(table, Y)
    p = made.predict_proba(table)
    for wrong, words in ((table[list("edcba")], "same order"), (table[list("abcd")], "missing"), (X.tolist(), None)):
        if words:
            with pytest.raises(ValueError, match=words):
                made.predict(wrong)
        else:
            with pytest.warns(UserWarning, match="does not have valid feature names"):
                made.predict(wrong)
    table.iloc[3, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        made.predict(table)
    monkeypatch.setattr(base, "validate_data", None)
    assert_same_bits(made.predict_proba(table[:1]), p[:1])


WRONG = [
    [],
    [[]],
    [1.0] * 5,
    [[1.0] * 4],
    [[1.0] * 5, [1.0] * 4],
    [[1.0, 2.0, 3.0, 4.0, np.nan]],
    [["a"] * 5],
    [[[1.0] * 5]],
    [[10**400] * 5],
    None,
    "rows",
    np.zeros((2, 5), complex),
    np.full((1, 5), np.float32(np.inf)),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong)[:30])
def test_rows_are_refused_in_scikit_learns_words(wrong):
    said = []
    for kind in (theirs.MLPClassifier, MLPClassifier):
        made = quick(kind).fit(X, Y)
        with pytest.raises((ValueError, TypeError, OverflowError)) as raised:
            made.predict(wrong)
        said.append((type(raised.value), str(raised.value)))
    if said[0][0] is OverflowError:  # of scikit-learn's; ours is an error of X
        assert said[1][0] is ValueError
        assert "X" in said[1][1]
    else:
        assert said[1] == said[0]


def test_none_is_no_number():
    with pytest.raises(ValueError, match="Input X contains NaN"):
        quick().fit(X, Y).predict([[None] * 5])


# ---------------------------------------------------------------------------------------------------------
# Class weights and validation


def test_class_weights_are_for_training_alone():
    """Scores are those of `score`, whoever chose the rows."""
    weights = {0: 9.0, 1: 0.5}
    early = quick(early_stopping=True, class_weight=weights, validation_fraction=0.3, max_iter=40)
    own, given = np.linspace(1, 2, 120), early.get_params()
    for sample_weight in (None, own):
        made = quick(**given).fit(X, Y, sample_weight)
        train, held = classifier_split(made, Y)
        again = quick(**given).fit(X[train], Y[train], X_val=X[held], y_val=Y[held])
        extra = None if sample_weight is None else own[held]
        assert made.best_validation_score_ == pytest.approx(made.score(X[held], Y[held], extra), rel=1e-12)
        assert again.best_validation_score_ == again.score(X[held], Y[held])


def classifier_split(made, y):
    """The rows that early stopping trained on, and held out."""
    state = np.random.RandomState(made.random_state)
    for w in made.coefs_:
        state.uniform(size=w.size + w.shape[1])
    return made._hold_out(made._label_binarizer.transform(y), state)


def test_places_are_searched_for_in_plain_labels_alone():
    made = quick().fit(X, Y)
    assert made._places(Y.astype(object)) is None
    assert made._places(Y.astype(str)) is None
    assert made._places(Y + 1) is None
    assert classifier.unique_labels(Y).tolist() == made.classes_[np.unique(made._places(Y))].tolist()


# ---------------------------------------------------------------------------------------------------------
# Numbers that float32 does not hold, labels beyond floats, and early stopping that has found nothing


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_fit_that_diverges_at_once_raises_with_early_stopping_too(kind, warm_start):
    X, y = three()
    options = dict(early_stopping=True, solver="sgd", batch_size=10, max_iter=5, random_state=0, warm_start=warm_start)
    made = kind(hidden_layer_sizes=6, **options).fit(X, y)
    before = made.predict(X), made.validation_scores_[:]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        made.set_params(learning_rate_init=1e300).fit(X, y)
    assert_same_bits(made.predict(X), before[0])
    assert made.validation_scores_ == before[1]


def test_rows_that_float32_does_not_hold_are_refused():
    X, y = three()
    made = MLPClassifier(6, max_iter=3, random_state=0).fit(X.astype("f4"), y)
    row = X[:1].copy()
    row[0, 1] = 1e39
    for count in (1, 200):
        with pytest.raises(ValueError, match="X has a value too large for float32, which the network is trained in"):
            made.predict_proba(np.repeat(row, count, axis=0))
    with pytest.raises(ValueError, match="too large for float32"):
        made.fit(X.astype("f4"), y, X_val=np.repeat(row, 3, axis=0), y_val=[0, 1, 2])
    with pytest.raises(TypeError, match="X has the dtype datetime64"):
        made.predict(np.zeros((2, 5), "datetime64[s]"))


@pytest.mark.parametrize("weight", [1e-50, 1e39])
def test_weights_that_float32_does_not_hold_are_refused(weight):
    X, y = three()
    with pytest.raises(ValueError, match=re.escape(f"a row is {weight:g}, which float32 does not hold")):
        MLPClassifier(5, max_iter=3).fit(X.astype("f4"), y, np.full(len(X), weight))


def test_class_weights_of_unknown_labels_are_refused_by_partial_fit():
    X, y = three()
    for weights in ({99: 1.0}, {"0": 2.0}):
        with pytest.raises(ValueError, match="are not in class_weight"):
            MLPClassifier(6, class_weight=weights).partial_fit(X, y, classes=[0, 1, 2])
    several = np.stack([y > 0, y > 1], axis=1)
    with pytest.raises(ValueError, match='of one label a row, and y has 2: use "balanced"'):
        MLPClassifier(6, class_weight={0: 2.0}).fit(X, several)


def test_poisson_takes_no_negative_y_val():
    X, y = three()
    with pytest.raises(ValueError, match='y_val has -1, and loss="poisson" takes counts'):
        MLPRegressor("poisson", 6, max_iter=2).fit(X, y, X_val=X, y_val=y - 1)


def test_whole_numbers_that_are_no_floats_are_no_class():
    X, _ = three(9)
    y = np.array([1.0, 2.0, 2.0**53 - 1] * 3)
    made = MLPClassifier(4, max_iter=2, warm_start=True).fit(X, y)
    beyond = np.array([1, 2, 2**53] * 3)
    with pytest.raises(ValueError, match="same classes"):
        made.fit(X, beyond)


def test_lbfgs_warns_at_the_call_of_fit():
    X, y = three()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(6, solver="lbfgs", max_iter=1).fit(X, y)
    assert [(w.category, w.filename) for w in caught] == [(ConvergenceWarning, __file__)]


def test_what_is_kept_between_batches_is_small_and_goes_with_a_fit():
    X, y = np.zeros((3000, 100)), np.arange(3000) % 3
    made = MLPClassifier((200, 200), batch_size=3000, n_threads=1).partial_fit(X, y, classes=[0, 1, 2])
    assert made._kept is None
    made = MLPClassifier(5).partial_fit(X[:32], y[:32], classes=[0, 1, 2])
    assert made._kept is not None
    made.set_params(max_iter=1).fit(X[:32], y[:32])
    assert made._kept is None
