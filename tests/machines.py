"""Models and estimators in any order of calls, each beside a twin that must have the same bits.

A model's twin is of the reference backend. An estimator's twin goes through a pickle before each call, has nothing that
is kept from one call to the next, and another number of threads. Hypothesis chooses the calls; tests/test_machines.py
runs few of them, tests/long/fuzz_machines.py many.
"""

import copy
import io
import pickle
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from storms import Bolt, inside

from fastmlp import Adam, EarlyStopping, MLPClassifier, Model
from fastmlp.schedules import Cosine, ReduceOnPlateau

COUNTS = Counter()
DRAWS = np.random.default_rng(0)
X, Y = np.round(4 * DRAWS.standard_normal((24, 3))) / 4, DRAWS.integers(0, 2, 24)

OPTIONS = st.fixed_dictionaries(
    {"epochs": st.integers(1, 4)},
    optional={
        "batch_size": st.sampled_from([1, 5, 8, 24]),
        "shuffle": st.booleans(),
        "l2": st.sampled_from([0.0, 0.01]),
        "l1": st.sampled_from([0.0, 0.01]),
        "dropout": st.sampled_from([0.0, 0.5]),
        "clip_norm": st.sampled_from([0.1, 10.0]),
        "sample_weight": st.sampled_from([None, np.arange(24) % 3 + 0.5]),
        "class_weight": st.sampled_from([None, "balanced", {0: 2.0}]),
        "validation": st.sampled_from([None, 0.25, (X[:7], Y[:7])]),
        "early_stopping": st.sampled_from([None, 1, EarlyStopping(2, "accuracy")]),
        "record_every": st.sampled_from([1, 2]),
        "target_accuracy": st.sampled_from([None, 1.0]),
        "threads": st.sampled_from([1, 2]),
    },
)
OPTIMIZERS = st.sampled_from(
    [None, "sgd", "adam", "rmsprop", "adagrad", Adam(Cosine(0.05, epochs=5)), Adam(ReduceOnPlateau(0.1, patience=0))]
)
SEEDS = st.sampled_from([0, 7, "RandomState", "Generator"])


class Stop(Exception):
    """What a callback raises."""


def seed_of(kind):
    made = {"RandomState": np.random.RandomState, "Generator": np.random.default_rng}
    return made[kind](3) if kind in made else kind


class Models(RuleBasedStateMachine):
    """A Model and its twin of the reference."""

    @initialize(
        hidden=st.sampled_from(["relu", "tanh", "gelu"]), dtype=st.sampled_from(["float64", "float32"]), seed=SEEDS
    )
    def begin(self, hidden, dtype, seed):
        arguments = {"hidden": hidden, "dtype": dtype}
        self.model = Model([3, 4, 2], seed=seed_of(seed), **arguments)
        self.twin = Model([3, 4, 2], seed=seed_of(seed), backend="reference", **arguments)
        self.folder = tempfile.TemporaryDirectory()
        self.saved = None
        COUNTS["models"] += 1

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def both(self, what):
        """The same of both: what they return, or raise."""
        ends = []
        for model in (self.model, self.twin):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    ends.append(what(model))
                except (ValueError, ArithmeticError, Stop) as error:
                    ends.append(f"{type(error).__name__}: {error}")
        assert ends[0] == ends[1]
        self.same()
        return ends[0]

    def same(self):
        one, other = inside(self.model), inside(self.twin)
        assert len(one) == len(other)
        spoilt = [
            model._network.run is not None and model._network.run.not_resumable_because
            for model in (self.model, self.twin)
        ]
        assert spoilt[0] == spoilt[1]
        for a, b in zip(one, other, strict=True):
            assert a == b or spoilt[0]  # a diverged optimizer's state is in no defined state
        assert one[0] == other[0]

    @rule(options=OPTIONS, optimizer=OPTIMIZERS, resume=st.booleans(), stop=st.sampled_from([None, 1, 2, "return"]))
    def fit(self, options, optimizer, resume, stop):
        def callback(info):
            if info.epoch == stop:
                raise Stop(info.epoch)
            return stop == "return" and info.epoch > 1

        options = {**options, "resume": resume}
        if stop is not None:
            options["callback"] = callback
        if not (resume and self.model._network.run is not None):
            options["optimizer"] = optimizer

        def call(model):
            history = model.fit(X, Y, **options)
            return {k: v for k, v in history.to_dict().items() if k not in ("seconds", "loading", "elapsed")}

        ended = self.both(call)
        COUNTS["fits" if isinstance(ended, dict) else ended.split(":")[0]] += 1

    @rule(place=st.floats(0, 1), epochs=st.integers(1, 3))
    def a_fit_that_is_cut_short_and_resumed(self, place, epochs):
        """By an exception at any bytecode; the twin's is not."""
        options = {"batch_size": 8, "optimizer": "adam"}
        before = copy.deepcopy(self.model)
        with Bolt(None) as counted:
            before.fit(X, Y, epochs=epochs, **options)
        history = self.model.history
        try:
            with Bolt(int(place * counted.seen), Stop):
                self.model.fit(X, Y, epochs=epochs, **options)
        except Stop:
            COUNTS["cut short"] += 1
        begun = self.model.history is not history
        done = len(self.model.history) if begun else 0
        if done < epochs:
            self.model.fit(X, Y, epochs=epochs - done, resume=begun, **options)
        self.twin.fit(X, Y, epochs=epochs, **options)
        self.same()

    @rule(rows=st.integers(1, 24), what=st.sampled_from(["predict", "predict_proba"]), threads=st.sampled_from([1, 2]))
    def predict(self, rows, what, threads):
        self.both(lambda model: getattr(model, what)(X[:rows], threads=threads).tobytes())
        COUNTS["predictions"] += 1

    @rule(place=st.floats(0, 1))
    def a_prediction_that_is_cut_short(self, place):
        with Bolt(None) as counted:
            self.model.predict_proba(X)
        try:
            with Bolt(int(place * counted.seen), Stop):
                self.model.predict_proba(X)
        except Stop:
            COUNTS["cut short"] += 1
        self.predict(24, "predict_proba", 1)

    @rule()
    def evaluate(self):
        self.both(lambda model: model.evaluate(X, Y))
        self.both(lambda model: model.digest())

    @rule(factor=st.sampled_from([0.5, -1.0, 0.0]))
    def set_weights(self, factor):
        self.both(lambda model: model.set_weights([(w * factor, b + factor) for w, b in model.weights]))

    @rule(how=st.sampled_from(["copy", "deepcopy", "pickle", "pickle 5"]))
    def copy(self, how):
        self.model, self.twin = (copied(model, how) for model in (self.model, self.twin))
        self.same()
        COUNTS["copies"] += 1

    @rule()
    def save(self):
        self.saved = [Path(self.folder.name) / name for name in ("model", "twin")]
        for model, path in zip((self.model, self.twin), self.saved, strict=True):
            model.save(path)
        spoilt = self.model._network.run is not None and self.model._network.run.not_resumable_because
        assert spoilt or self.saved[0].read_bytes() == self.saved[1].read_bytes()
        COUNTS["saved"] += 1

    @precondition(lambda self: self.saved)
    @rule()
    def load(self):
        self.model = Model.load(self.saved[0])
        self.twin = Model.load(self.saved[1], backend="reference")
        self.same()
        COUNTS["loaded"] += 1


class Estimators(RuleBasedStateMachine):
    """An MLPClassifier and its twin that keeps nothing."""

    @initialize(
        solver=st.sampled_from(["adam", "sgd"]),
        warm=st.booleans(),
        early=st.booleans(),
        batch=st.sampled_from([6, "auto"]),
    )
    def begin(self, solver, warm, early, batch):
        arguments = {
            "hidden_layer_sizes": (4,), "solver": solver, "warm_start": warm, "random_state": 3, "max_iter": 3,
            "early_stopping": early, "batch_size": batch, "learning_rate_init": 0.05,
        }  # fmt: skip
        self.one, self.twin = MLPClassifier(**arguments), MLPClassifier(**arguments, n_threads=2)
        COUNTS["estimators"] += 1

    def both(self, what):
        self.twin = pickle.loads(pickle.dumps(self.twin))
        ends = []
        for estimator in (self.one, self.twin):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    ends.append(what(estimator))
                except (ValueError, AttributeError, Stop) as error:
                    ends.append(f"{type(error).__name__}: {str(error)[:60]}")
        assert ends[0] == ends[1]
        COUNTS["estimators' calls"] += 1
        for name in ("coefs_", "intercepts_", "loss_curve_", "n_iter_", "t_", "loss_", "best_loss_"):
            values = [getattr(estimator, name, None) for estimator in (self.one, self.twin)]
            texts = [[np.asarray(v).tobytes() for v in value] if isinstance(value, list) else value for value in values]
            assert texts[0] == texts[1], name
        return ends[0]

    @rule(rows=st.integers(8, 24), weighed=st.booleans())
    def fit(self, rows, weighed):
        weights = np.arange(rows) % 3 + 1.0 if weighed else None
        self.both(lambda estimator: estimator.fit(X[:rows], Y[:rows], weights) is estimator)

    @rule(rows=st.integers(2, 24))
    def partial_fit(self, rows):
        self.both(lambda estimator: estimator.partial_fit(X[:rows], Y[:rows], classes=[0, 1]) is estimator)

    @rule(rows=st.integers(1, 24))
    def predict(self, rows):
        self.both(lambda estimator: estimator.predict_proba(X[:rows]).tobytes())

    @rule(place=st.floats(0, 1), incremental=st.booleans())
    def a_fit_that_is_cut_short(self, place, incremental):
        """Leaves the estimator as it was, or as after the fit: then the twin does it, too."""

        def call(estimator):
            return estimator.partial_fit(X, Y, classes=[0, 1]) if incremental else estimator.fit(X, Y)

        twin = copied(self.one, "pickle")
        before = state(self.one)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Bolt(None) as counted:
                    call(twin)
            except ValueError:
                return
            try:
                with Bolt(int(place * counted.seen), Stop):
                    call(self.one)
            except (Stop, AttributeError):  # the latter by scikit-learn's `available_if`, of any Exception
                COUNTS["cut short"] += 1
            if state(self.one) != before:
                call(self.twin)
        self.both(lambda estimator: hasattr(estimator, "coefs_"))

    @rule(name=st.sampled_from(["alpha", "learning_rate_init"]), value=st.sampled_from([0.001, 0.1]))
    def set_params(self, name, value):
        self.both(lambda estimator: estimator.set_params(**{name: value}) is estimator)

    @rule(how=st.sampled_from(["deepcopy", "pickle"]))
    def copy(self, how):
        self.one = copied(self.one, how)


def state(estimator):
    names = ("coefs_", "intercepts_")
    return [[w.tobytes() for w in getattr(estimator, name, [])] for name in names], getattr(estimator, "t_", None)


def copied(of, how):
    if how == "copy":
        return copy.copy(of)
    if how == "deepcopy":
        return copy.deepcopy(of)
    if how == "pickle":
        return pickle.loads(pickle.dumps(of))
    buffers = []  # read-only, as of a file that is mapped
    stream = io.BytesIO()
    pickle.Pickler(stream, 5, buffer_callback=buffers.append).dump(of)
    return pickle.loads(stream.getvalue(), buffers=[bytes(buffer.raw()) for buffer in buffers])
