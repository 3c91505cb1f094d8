"""Every wrapping and every bad array of `input_zoo` through all that takes arrays: the same bits, or an error in words."""

import re
import warnings
from collections import Counter

import input_zoo
import numpy as np

from fastmlp import Model
from fastmlp.table_models import TableModel
from fastmlp.tables import Scale

ROWS, COLUMNS = 12, 3
NAMED = ("table", "score")  # entries that go by a frame's names
# What has no memory in predictions: of so many rows, `Model.predict` asks NumPy for a result first.
WITHOUT_MEMORY = ("predict", "predict_proba", "predictor", "score")
TEXTS = ["text", "text in lists", "digits", "bytes"]
TEXTS += [f"pandas {kind} text" for kind in ("str", "string", "string[pyarrow]", "category")]
OUTPUTS = {
    "softmax": {"output": "softmax"},
    "sigmoid": {"output": "sigmoid"},
    "identity": {"output": "identity"},
    "exponential": {"output": "exponential"},
}


class Problem:
    """A network of some output and dtype, its data in whole numbers, and what takes such data: {name: function}.

    Each function takes arrays by the names of `arguments`, and returns bytes that tell results apart.
    """

    def __init__(self, draws, output=None, dtype=None):
        self.output = output or draws.choice(list(OUTPUTS))
        self.dtype = dtype or draws.choice(["float64", "float32"])
        self.outputs = 2 if self.output == "softmax" else 1
        highest = 2 if draws.random() < 0.5 else 7  # ones and zeros come as bools, too
        data = np.random.default_rng(draws.getrandbits(32))
        self.X = data.integers(0, highest, (ROWS, COLUMNS)).astype(float)
        self.y = np.arange(ROWS) % 2.0
        self.weights = data.integers(1, highest + 1, ROWS).astype(float)
        self.arguments = {"X": self.X, "y": self.y, "sample_weight": self.weights}
        self.model = self.new()
        self.model.fit(self.X, self.y, epochs=1, threads=1)
        self.predictor = self.model.predictor()
        classes = np.array([0.0, 1.0]) if self.output == "softmax" else None
        self.expected = {}  # results of plain arrays, by entry
        self.table = TableModel(self.model, ("c0", "c1", "c2"), "y", classes, Scale.of(self.X, ["c0", "c1", "c2"]))

    def new(self):
        return Model([COLUMNS, 4, self.outputs], dtype=self.dtype, seed=1, **OUTPUTS[self.output])

    def entries(self):
        """{name: (function, the names of its arguments, how an error may call each)}"""
        model, table = self.model, self.table
        made = {
            "fit": (self.fit, ["X", "y", "sample_weight"], {}),
            "validation": (self.validation, ["X", "y"], {"X": "validation X", "y": "validation y"}),
            "predict": (lambda X: model.predict(X).tobytes(), ["X"], {}),
            "evaluate": (lambda X, y: repr(model.evaluate(X, y)), ["X", "y"], {}),
            "loss": (lambda X, y: repr(model.loss(X, y)), ["X", "y"], {}),
            "predictor": (lambda X: self.predictor(X).tobytes(), ["X"], {"X": "x"}),
            "table": (lambda X: table.predict(X).tobytes(), ["X"], {}),
            "score": (lambda X, y: repr(table.score(X, y)), ["X", "y"], {}),
        }
        if self.output in ("softmax", "sigmoid"):
            made["predict_proba"] = (lambda X: model.predict_proba(X).tobytes(), ["X"], {})
        return made

    def fit(self, X, y, sample_weight):
        model = self.new()
        model.fit(X, y, sample_weight=sample_weight, epochs=2, batch_size=5, threads=1)
        return model.digest()

    def validation(self, X, y):
        model = self.new()
        history = model.fit(self.X, self.y, epochs=2, validation=(X, y), threads=1)
        return model.digest() + repr(history.validation_loss.tolist())


class Estimator:
    """The same of an estimator: `fit`, `partial_fit`, validation, `predict`, `score`."""

    # What scikit-learn takes as it is meant, and which means something else.
    odd = [
        *[("X", "one column more"), ("X", "polars structs"), ("y", "polars structs")],
        *[("y", name) for name in TEXTS],
        *[("sample_weight", "a number"), ("sample_weight", "a float of its own"), ("y", "a float of its own")],
    ]

    def __init__(self, draws, kind):
        from fastmlp import MLPClassifier, MLPRegressor

        self.kind = MLPClassifier if kind == "classifier" else MLPRegressor
        problem = Problem(draws, "softmax" if kind == "classifier" else "identity", "float64")
        self.X, self.y, self.weights, self.arguments = problem.X, problem.y, problem.weights, problem.arguments
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.made = self.new().fit(self.X, self.y)
        self.output, self.dtype, self.expected = kind, "either", {}

    def new(self):
        return self.kind(hidden_layer_sizes=4, max_iter=2, random_state=1, solver="adam", batch_size=5)

    def entries(self):
        first = {"classes": [0, 1]} if hasattr(self.kind, "predict_proba") else {}
        arguments = ["X", "y", "sample_weight"]
        return {
            "fit": (lambda X, y, sample_weight: self.bits(self.new().fit(X, y, sample_weight)), arguments, None),
            "partial_fit": (
                lambda X, y, sample_weight: self.bits(self.new().partial_fit(X, y, sample_weight, **first)),
                arguments,
                None,
            ),
            "validation": (self.validation, arguments, None),
            "predict": (lambda X: self.made.predict(X).astype("f8").tobytes(), ["X"], None),
            "score": (lambda X: repr(float(self.made.score(X, self.y))), ["X"], None),
        }

    def validation(self, X, y, sample_weight):
        validation = {"X_val": X, "y_val": y, "sample_weight_val": sample_weight}
        return self.bits(self.new().fit(self.X, self.y, **validation))

    def bits(self, made):
        return b"".join(w.tobytes() for w in made.coefs_) + repr(made.validation_scores_).encode()


def run(problem, entry, argument, value, reason=None):
    """(what became of it, what is wrong or None) of one argument given as `value`.

    reason: why it should be refused; None where it holds the problem's own numbers.
    """
    function, names, words = problem.entries()[entry]
    given = {name: problem.arguments[name] for name in names}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if entry not in problem.expected:
                problem.expected[entry] = {function(**given)}
                if words is None:  # scikit-learn's estimators train float32 in float32
                    problem.expected[entry].add(function(**{**given, "X": given["X"].astype("f4")}))
            expected = problem.expected[entry]
            found = function(**{**given, argument: value})
    except (ValueError, TypeError) as error:
        if reason is None and words is not None:
            return "refused", f"the same numbers are refused: {error}"
        name = (words or {}).get(argument, argument)
        said = str(error)
        if words is not None and not re.search(rf"\b({name}|y)\b", said):  # or y, that it has other rows than X
            return "refused", f"{name} is not named: {type(error).__name__}: {said[:500]}"
        return "refused", None if said and len(said) < 1500 else f"said {len(said)} characters: {said[:200]!r}"
    except MemoryError as error:
        return "MemoryError", None if entry in WITHOUT_MEMORY else repr(error)
    except Exception as error:
        return type(error).__name__, f"{type(error).__name__}: {str(error)[:300]}"
    if reason is not None and words is not None:  # scikit-learn takes digits as text, and labels of any kind
        return "taken", f"it was taken, though {reason}"
    return "same", None if found in expected else "the result has other bits than that of a plain array"


def cases(problem):
    """(entry, argument, name of the case, value, why it should be refused or None), all of them, each made anew."""
    odd = getattr(problem, "odd", ())
    for entry, (_, names, _) in problem.entries().items():
        for argument in names:
            for name, value in input_zoo.good(problem.arguments[argument]).items():
                if not (entry in NAMED and name in ("pandas twice a name", "pandas levels")):
                    yield entry, argument, name, value, None
            for name, value in input_zoo.bad(problem.arguments[argument]).items():
                fewer = name == "a row less" and names == ["X"]
                if not (fewer or (name == "nothing" and argument == "sample_weight") or (argument, name) in odd):
                    yield entry, argument, name, value, "it is no whole array of numbers"


def fuzz(problem, chosen=lambda: True, say=lambda line: None):
    """(Counter of what became of them, [what is wrong]) of a problem's cases, or those of them that are chosen."""
    counts, failures = Counter(), []
    for entry, argument, name, value, reason in cases(problem):
        if not chosen():
            continue
        outcome, wrong = run(problem, entry, argument, value, reason)
        counts[outcome] += 1
        if wrong is not None:
            failures.append(f"{problem.output} {problem.dtype} {entry}({argument}={name}): {wrong}")
            say(failures[-1])
    return counts, failures
