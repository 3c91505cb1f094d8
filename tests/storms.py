"""Exceptions at any place: what the tests and the long runs in tests/long/ share.

A Bolt strikes at the n-th bytecode that the package's own Python executes. A Scenario is a call that is cut short,
with all that must hold afterwards.
"""

import dataclasses
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import Adam, EarlyStopping, MLPClassifier, Model, Transcript
from fastmlp.fit import lanes, together
from fastmlp.fit.options import FitOptions
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.storage import transcript
from fastmlp.system import thread_pool

PACKAGE = str(Path(fastmlp.__file__).parent) + os.sep
# Written by hand, to be sure that they are none that the package catches.
EXCEPTIONS = (KeyboardInterrupt, type("Deadline", (Exception,), {}), SystemExit)


class Bolt:
    """With it in place, an exception is raised at the n-th bytecode (from 0) of the package; n=None only counts."""

    def __init__(self, n, exception=KeyboardInterrupt):
        self.n, self.exception = n, exception
        self.seen, self.place, self.functions = 0, None, []

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)

    def _call(self, frame, event, _):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._opcode

    def _opcode(self, frame, event, _):
        if event == "opcode":
            if self.seen == self.n:
                self.place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                self.seen += 1
                raise self.exception
            self.seen += 1
            if self.n is None:
                self.functions.append(frame.f_code.co_name)
        return self._opcode


def files_open():
    """This process's open files, or 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def native_threads():
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


def settled(condition):
    """Whether it holds within 20 seconds: threads need a moment to end, and a core."""
    for _ in range(10_000):
        if condition():
            return True
        time.sleep(0.002)
    return False


def another_thread_can_go_on():
    """Whether one that predicts, and so asks for kernels, comes to its end."""
    model = Model([2, 2])
    other = threading.Thread(target=model.predict, args=(np.zeros((1, 2)),), daemon=True)
    other.start()
    other.join(20)
    return not other.is_alive()


def inside(model):
    """All of a model that training changes, as bytes and numbers."""
    network = model._network
    run = network.run
    told = [network.parameters.tobytes(), network.epochs]
    if run is not None:
        told += [run.state.vectors.tobytes(), run.state.powers.tobytes(), run.epochs]
        told.append(run.plateau.now if run.plateau else None)
    return tuple(told)


class Scenario:
    """A call that is cut short. `ready` makes what it needs, `call` makes it, `check` raises AssertionError after."""

    def ready(self):
        """What `call` and `check` are given."""

    def call(self, of):
        raise NotImplementedError

    def check(self, of):
        raise NotImplementedError


class Fitting(Scenario):
    """A fit. Afterwards the model is as after one of its epochs, its history tells of these, and resuming goes on to
    the bits of a fit that was not cut short."""

    def __init__(self, layers, rows, epochs, make=dict, reached=None, **options):
        """make: gives more options, new ones for each fit. reached: epochs of a fit that ends before its last."""
        draws = np.random.default_rng(0)
        self.x, self.y = draws.standard_normal((rows, layers[0])), draws.integers(0, layers[-1], rows)
        self.layers, self.epochs, self.options, self.make = layers, epochs, options, make
        self.seed = options.pop("seed", lambda: 1)
        self.states = []
        for count in range(epochs + 1):
            model = self.new()
            if count:
                self.fit(model, count)
            self.states.append(inside(model))
        assert len(set(self.states)) == epochs + 1
        self.final = self.new()
        self.losses = self.fit(self.final, epochs).loss.tolist()
        self.outputs = self.final.predict_proba(self.x[:40])

    def new(self):
        return Model(self.layers, seed=self.seed())

    def fit(self, model, epochs, **more):
        return model.fit(self.x, self.y, epochs=epochs, **self.options, **self.make(), **more)

    def ready(self):
        return self.new()

    def call(self, model):
        self.fit(model, self.epochs)

    def check(self, model):
        if model._network.run is None:
            done = 0
            assert model._network.parameters.tobytes() == self.states[0][0]
        else:
            done = self.states.index(inside(model)) if model._network.run.epochs else 0
        history = model.history
        recorded = [] if history is None else history.loss.tolist()
        assert recorded == self.losses[: len(recorded)]
        assert len(recorded) == done, f"{len(recorded)} records, {done} epochs"
        if done < self.epochs:
            rest = self.fit(model, self.epochs - done, resume=True)
            assert rest.loss.tolist() == self.losses[done:]
        assert inside(model) == self.states[-1]
        assert model.predict_proba(self.x[:40]).tobytes() == self.outputs.tobytes()


class Together(Scenario):
    """Several fits at once. Afterwards each model is as after one of its epochs, and resuming goes on to the bits of a
    fit that was not cut short."""

    def __init__(self, threads):
        draws = np.random.default_rng(0)
        self.x, self.y = draws.standard_normal((40, 3)), draws.integers(0, 2, 40)
        self.threads, self.epochs = threads, 3
        validation = draws.standard_normal((9, 3)), draws.integers(0, 2, 9)
        self.options = [
            {"batch_size": 32, "optimizer": Adam(0.01)},
            {"batch_size": 32, "validation": validation, "early_stopping": EarlyStopping(50, best_weights=False)},
            {"callback": lambda info: None},
            {"callback": lambda info: None},
        ]
        self.states = []
        for options in self.options:
            states = []
            for count in range(self.epochs + 1):
                model = Model([3, 4, 2], seed=1)
                if count:
                    model.fit(self.x, self.y, epochs=count, **options)
                states.append(inside(model))
            assert len(set(states)) == self.epochs + 1
            self.states.append(states)

    def ready(self):
        return [Model([3, 4, 2], seed=1) for _ in self.options]

    def call(self, models):
        usual = {field.name: field.default for field in dataclasses.fields(FitOptions)}
        jobs = []
        for model, options in zip(models, self.options, strict=True):
            jobs.append(model.job(self.x, self.y, FitOptions.of({**usual, "epochs": self.epochs, **options})))
        least, together.SHORT_WORK = together.SHORT_WORK, 0  # else the calling thread would train all
        lanes.force = self.threads > 1
        try:
            assert together.train_together(jobs, threads=self.threads) == [None] * len(jobs)
        finally:
            together.SHORT_WORK, lanes.force = least, False

    def check(self, models):
        for model, options, states in zip(models, self.options, self.states, strict=True):
            done = states.index(inside(model)) if model.epochs else 0
            assert model._network.parameters.tobytes() == states[done][0]
            assert (0 if model.history is None else len(model.history)) == done
            if done < self.epochs:
                again = model._network.run is not None
                model.fit(self.x, self.y, epochs=self.epochs - done, resume=again, **options)
            assert inside(model) == states[-1]


class Estimating(Scenario):
    """An estimator's `fit`, or its second `partial_fit`. Afterwards it is as before, or as after an epoch, where Ctrl-C
    has ended the training without an exception; and fitting goes on to the bits of one that was not cut short."""

    def __init__(self, method="fit", epochs=3, **parameters):
        draws = np.random.default_rng(0)
        self.x, self.y = draws.standard_normal((40, 3)), draws.integers(0, 2, 40)
        self.method, self.epochs = method, epochs if method == "fit" else 1
        self.parameters = {"batch_size": 16, "random_state": 1, "n_threads": 1, "tol": 0.0, **parameters}
        self.before = self.state(self.ready())
        self.states = [self.state(self.trained(count)) for count in range(1, self.epochs + 1)]
        assert len({self.before, *self.states}) == self.epochs + 1

    def ready(self):
        made = MLPClassifier((4,), max_iter=self.epochs, **self.parameters)
        return made if self.method == "fit" else made.partial_fit(self.x, self.y, classes=[0, 1])

    def trained(self, epochs):
        made = self.ready()
        if self.method == "fit":
            made.set_params(max_iter=epochs)
        self.call(made)
        return made.set_params(max_iter=self.epochs)

    def call(self, estimator):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            getattr(estimator, self.method)(self.x, self.y)

    def state(self, estimator):
        """All of it that training changes, but for n_iter_, which Ctrl-C leaves at 0 where no epoch was done."""
        if not hasattr(estimator, "coefs_"):
            return None
        descent = estimator._optimizer
        arrays = [*estimator.coefs_, *estimator.intercepts_, descent.state.vectors, descent.state.powers]
        names = ("t_", "loss_", "best_loss_", "best_validation_score_", "_no_improvement_count")
        curves = [estimator.loss_curve_, estimator.validation_scores_, estimator.validation_loss_curve_]
        return (
            *(array.tobytes() for array in arrays),
            *(getattr(estimator, name, None) for name in names),
            *(tuple(curve or ()) for curve in curves),
            *(descent.epochs, descent.learning_rate, descent.plateau.now if descent.plateau else None),
        )

    def check(self, estimator):
        found = self.state(estimator)
        at_once = self.method == "fit" and found is not None and estimator.n_iter_ == 0  # cut short in its first epoch
        assert at_once or found in (self.before, *self.states)
        if self.method == "fit" or found == self.before:
            self.call(estimator)
            assert self.state(estimator) == self.states[-1]


class Reading(Scenario):
    """A call that changes nothing. Afterwards it gives what it should, twice."""

    def __init__(self, layers, rows, method, **options):
        draws = np.random.default_rng(0)
        self.x, y = draws.standard_normal((rows, layers[0])), draws.integers(0, layers[-1], rows)
        self.model, self.method, self.options = Model(layers, seed=1), method, options
        self.arguments = (self.x, y) if method in ("evaluate", "loss") else (self.x,)
        self.expected = self._said(getattr(Model(layers, seed=1), method)(*self.arguments, threads=1))

    def _said(self, value):
        return value.tobytes() if isinstance(value, np.ndarray) else value

    def call(self, _):
        getattr(self.model, self.method)(*self.arguments, **self.options)

    def check(self, _):
        for _ in range(2):
            found = getattr(self.model, self.method)(*self.arguments, **self.options)
            assert self._said(found) == self.expected


class Saving(Scenario):
    """`save` over an older file: afterwards the old model or the new one is there, whole, and nothing else."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / "model"
        self.old, self.new = Model([3, 5, 2], seed=1), Model([3, 5, 2], seed=2)
        self.new.fit(np.eye(3), [0, 1, 0], epochs=2, optimizer="adam")

    def ready(self):
        self.old.save(self.path)

    def call(self, _):
        self.new.save(self.path)

    def check(self, _):
        assert Model.load(self.path).digest() in (self.old.digest(), self.new.digest())
        assert [path.name for path in self.folder.iterdir()] == ["model"]
        self.new.save(self.path)
        assert Model.load(self.path).digest() == self.new.digest()


class Loading(Scenario):
    def __init__(self, folder):
        self.path = Path(folder) / "loaded"
        self.model = Model([3, 5, 2], seed=2)
        self.model.fit(np.eye(3), [0, 1, 0], epochs=2, optimizer="adam")
        self.model.save(self.path)

    def call(self, _):
        Model.load(self.path)

    def check(self, _):
        assert inside(Model.load(self.path)) == inside(self.model)


class Transcribing(Scenario):
    """A fit with a transcript. Afterwards a new model that resumes it, or begins anew where it had not begun, ends with
    the same bits and the same chain."""

    def __init__(self, folder):
        draws = np.random.default_rng(0)
        self.x, self.y = draws.standard_normal((40, 3)), draws.integers(0, 2, 40)
        self.folder, self.number = Path(folder), 0
        model, path = self.ready()
        self.fit(model, path)
        self.final, self.chain = inside(model), transcript.read(path).hash

    def ready(self):
        self.number += 1
        return Model([3, 4, 2], seed=1), self.folder / f"{self.number}.jsonl"

    def fit(self, model, path, **more):
        asked = Transcript(path, every=1, checkpoint_every=1)
        model.fit(self.x, self.y, epochs=3, batch_size=16, optimizer=Adam(0.01), transcript=asked, **more)

    def call(self, of):
        self.fit(*of)

    def check(self, of):
        _, path = of
        begun = path.is_file() and path.read_bytes().count(b"\n") > 1
        if begun and not transcript.read(path).ended:
            model = Model([3, 4, 2], seed=5)
            self.fit(model, path, resume=True)
        elif not begun:
            model, path = self.ready()
            self.fit(model, path)
        else:
            model = of[0]
            if model._network.run.epochs < 3:  # cut short after the last line
                model, path = self.ready()
                self.fit(model, path)
        assert inside(model) == self.final
        found = transcript.read(path)
        assert found.ended
        assert found.hash == self.chain


class EstimatingTranscribed(Estimating):
    """An estimator's fit with a transcript. Afterwards its lines are the first ones of a fit that was not cut short."""

    def __init__(self, folder):
        self.folder, self.number, self.path = Path(folder), 0, None
        super().__init__(early_stopping=True, validation_fraction=0.25)
        self.call(self.ready())
        self.hashes = [line["hash"] for line in transcript.read(self.path).lines]

    def call(self, estimator):
        self.number += 1
        self.path = self.folder / f"estimator-{self.number}.jsonl"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(self.x, self.y, transcript=Transcript(self.path, every=1))

    def check(self, estimator):
        if self.path.is_file() and b"\n" in self.path.read_bytes():
            found = [line["hash"] for line in transcript.read(self.path).lines]
            assert found == self.hashes[: len(found)]
        super().check(estimator)


def scenarios(folder):
    """{name: a function that makes the Scenario}."""
    watched = {"early_stopping": EarlyStopping(50, best_weights=False), "validation": 0.25}
    return {
        "fit": lambda: Fitting([3, 4, 2], 40, 3, batch_size=16, optimizer=Adam(0.01)),
        "fit, all rows": lambda: Fitting([3, 4, 2], 40, 3),
        "fit, watched": lambda: Fitting(
            [3, 4, 2], 40, 3, lambda: {"callback": lambda info: None}, batch_size=16, optimizer="adam",
            learning_rate=ReduceOnPlateau(0.01, patience=0, factor=0.5), **watched,
        ),
        "fit, a generator": lambda: Fitting(
            [3, 4, 2], 40, 3, batch_size=16, seed=lambda: np.random.RandomState(3), dropout=0.25
        ),
        "fit, 2 threads": lambda: Fitting([3, 5, 2], 1100, 3, threads=2),
        "fit, 2 threads, layered": lambda: Fitting([64, 300, 2], 70, 3, threads=2, batch_size=50, learning_rate=0.01),
        "fits together": lambda: Together(1),
        "fits together, 2 threads": lambda: Together(2),
        "an estimator's fit": Estimating,
        "an estimator's fit, watched": lambda: Estimating(
            early_stopping=True, validation_fraction=0.25, learning_rate=ReduceOnPlateau(0.01, patience=0, factor=0.5)
        ),
        "partial_fit": lambda: Estimating("partial_fit"),
        "predict": lambda: Reading([3, 4, 2], 5, "predict_proba"),
        "predict, 2 threads": lambda: Reading([3, 4, 2], 3000, "predict_proba", threads=2),
        "labels, 2 threads": lambda: Reading([3, 4, 2], 3000, "predict", threads=2),
        "evaluate": lambda: Reading([3, 4, 2], 50, "evaluate"),
        "evaluate, 2 threads": lambda: Reading([3, 4, 2], 3000, "evaluate", threads=2),
        "save": lambda: Saving(folder),
        "load": lambda: Loading(folder),
        "fit, a transcript": lambda: Transcribing(folder),
        "an estimator's fit, a transcript": lambda: EstimatingTranscribed(folder),
    }  # fmt: skip


def events(scenario):
    """The function of each bytecode of the package that the scenario's call executes, once all it needs is there."""
    for _ in range(3):
        of = scenario.ready()
        with Bolt(None) as bolt:
            scenario.call(of)
    return bolt.functions


def all_idle():
    """Whether each helper is idle, or has ended since nobody holds its handle."""
    crew = thread_pool.crew()
    return {id(made()) for made in [*crew._made] if made() is not None} <= {id(helper) for helper in [*crew._idle]}


def came_of(raised, exception):
    """Whether it is an exception of this class, or was made of one: scikit-learn makes AttributeError of any."""
    while raised is not None and not isinstance(raised, exception):
        raised = raised.__cause__
    return raised is not None


def strike(scenario, n, exception=KeyboardInterrupt):
    """Cuts the scenario's call short at the n-th bytecode, and checks. -> where, or None if it ended before."""
    of = scenario.ready()
    files = files_open()
    bolt = Bolt(n, exception)
    try:
        with bolt:
            scenario.call(of)
    except BaseException as raised:
        if not came_of(raised, exception):
            raise
    assert another_thread_can_go_on(), f"after an exception at bytecode {n}, {bolt.place}: a lock is left closed"
    try:
        assert files_open() <= files, f"{files_open() - files} files are left open"
        scenario.check(of)
        assert settled(all_idle), "a thread is still running"
    except BaseException as error:
        raise AssertionError(f"after an exception at bytecode {n}, {bolt.place}: {error!r}") from error
    return bolt.place
