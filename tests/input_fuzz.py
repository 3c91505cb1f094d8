"""Every wrapping and every bad array of `input_zoo` through what takes arrays: the same bits, or a clear error."""

import re
import warnings
from collections import Counter

import input_zoo
import numpy as np

from fastmlp import Model
from fastmlp.tables.reader import Scale
from fastmlp.tables.table_model import TableModel

ROWS, COLUMNS = 12, 3
OUTPUTS = ("softmax", "sigmoid", "identity", "exponential")


class Problem:
    """A network of some output and dtype, its data in small whole numbers, and what takes such data."""

    odd = ()  # (argument, name) of cases that mean something else here

    def __init__(self, draws, output=None, dtype=None):
        self.output = output or draws.choice(OUTPUTS)
        self.dtype = dtype or draws.choice(["float64", "float32"])
        highest = draws.choice([2, 7])  # zeros and ones come as bools, too
        data = np.random.default_rng(draws.getrandbits(32))
        self.X = data.integers(0, highest, (ROWS, COLUMNS)).astype(float)
        self.y = np.arange(ROWS) % 2.0
        self.arguments = {"X": self.X, "y": self.y, "sample_weight": data.integers(1, highest + 1, ROWS).astype(float)}
        self.expected = {}  # by entry, results of plain arrays
        self.make()

    def make(self):
        self.model = self.new()
        self.model.fit(self.X, self.y, epochs=1, threads=1)
        self.predictor = self.model.predictor()
        classes = np.array([0.0, 1.0]) if self.output == "softmax" else None
        names = ["c0", "c1", "c2"]
        self.table = TableModel(self.model, tuple(names), "y", classes, Scale.of(self.X, names))

    def new(self):
        layers = [COLUMNS, 4, 2 if self.output == "softmax" else 1]
        return Model(layers, output=self.output, dtype=self.dtype, seed=1)

    def entries(self):
        """{name: (function, the names of its arguments, how its errors call them)}

        A function returns what tells results apart, bit by bit. Of None, no name is asked for: the words are
        scikit-learn's.
        """
        model, table = self.model, self.table
        made = {
            "fit": (self.fit, ["X", "y", "sample_weight"], {}),
            "validation": (
                self.validation,
                ["X", "y", "sample_weight"],
                {name: f"validation {name}" for name in ("X", "y", "sample_weight")},
            ),
            "predict": (lambda X: model.predict(X).tobytes(), ["X"], {}),
            "evaluate": (lambda X, y: repr(model.evaluate(X, y)), ["X", "y"], {}),
            "loss": (lambda X, y: repr(model.loss(X, y)), ["X", "y"], {}),
            "predictor": (lambda X: self.predictor(X).tobytes(), ["X"], {"X": "x"}),
            "table": (lambda X: table.predict(X).tobytes(), ["X"], {}),
            "score": (lambda X, y: repr(table.score(X, y)), ["X", "y"], {}),
        }
        if model.spec.is_classifier:
            made["predict_proba"] = (lambda X: model.predict_proba(X).tobytes(), ["X"], {})
        return made

    def fit(self, X, y, sample_weight):
        model = self.new()
        model.fit(X, y, sample_weight=sample_weight, epochs=2, batch_size=5, threads=1)
        return model.digest()

    def validation(self, X, y, sample_weight):
        model = self.new()
        history = model.fit(self.X, self.y, epochs=2, validation=(X, y, sample_weight), threads=1)
        return model.digest() + repr(history.validation_loss.tolist())


TEXTS = [f"pandas {kind} text" for kind in ("str", "string", "string[pyarrow]", "category")]


class Estimator(Problem):
    """The same of an estimator."""

    # What scikit-learn takes, and what means something else.
    odd = (
        *(("X", name) for name in ("one column more", "polars structs", "a float of its own")),
        *(("y", name) for name in ("text", "text in lists", "digits", "bytes", "polars structs", "a float of its own")),
        *(("y", name) for name in TEXTS),
        *(("sample_weight", name) for name in ("a number", "a float of its own")),
    )

    def __init__(self, draws, kind):
        self.kind = kind
        super().__init__(draws, "softmax" if kind == "classifier" else "identity", "float64")
        self.output, self.dtype = kind, "either dtype"

    def make(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.made = self.new().fit(self.X, self.y)

    def new(self):
        from fastmlp import MLPClassifier, MLPRegressor

        kind = MLPClassifier if self.kind == "classifier" else MLPRegressor
        return kind(hidden_layer_sizes=4, max_iter=2, random_state=1, batch_size=5)

    def entries(self):
        arguments = ["X", "y", "sample_weight"]
        return {
            "fit": (lambda X, y, sample_weight: bits(self.new().fit(X, y, sample_weight)), arguments, None),
            "partial_fit": (self.partial_fit, arguments, None),
            "validation": (self.validation, arguments, None),
            "predict": (lambda X: self.made.predict(X).astype("f8").tobytes(), ["X"], None),
            "score": (lambda X: repr(float(self.made.score(X, self.y))), ["X"], None),
        }

    def partial_fit(self, X, y, sample_weight):
        first = {"classes": [0, 1]} if self.kind == "classifier" else {}
        return bits(self.new().partial_fit(X, y, sample_weight, **first))

    def validation(self, X, y, sample_weight):
        validation = {"X_val": X, "y_val": y, "sample_weight_val": sample_weight}
        return bits(self.new().fit(self.X, self.y, **validation))


def bits(made):
    return b"".join(w.tobytes() for w in made.coefs_) + repr(made.validation_scores_).encode()


# ---------------------------------------------------------------------------------------------------------
# Cases: (entry, argument, name, value, why it should be refused or None)

WITH_NAMES = ("table", "score")  # entries that go by a frame's names
# Of so many rows, a prediction asks NumPy for its result before it looks at them.
WITHOUT_MEMORY = ("predict", "predict_proba", "predictor", "score")
# What Python, the zoo and polars raise of an int, an array and an i128: in predictions, as through scikit-learn's own.
THEIRS = ("OverflowError", "RuntimeError", "InvalidOperationError")


def cases(problem):
    """All of the zoo."""
    for entry, (_, names, _) in problem.entries().items():
        for argument in names:
            plain = problem.arguments[argument]
            for name, value in input_zoo.good(plain).items():
                if not (entry in WITH_NAMES and name in ("pandas twice a name", "pandas levels")):
                    yield entry, argument, name, value, None
            for name, value in input_zoo.bad(plain).items():
                fewer = name == "a row less" and names == ["X"]
                nothing = name == "nothing" and argument == "sample_weight"
                if not (fewer or nothing or (argument, name) in problem.odd):
                    yield entry, argument, name, value, "it is no whole array of numbers"


def drawn(problem, draws):
    """One at random, whose rows are wrapped each in its own way."""
    entry, (_, names, _) = draws.choice(list(problem.entries().items()))
    argument = draws.choice(names)
    plain = problem.arguments[argument]
    if draws.random() < 0.5:
        return entry, argument, "mixture", input_zoo.mixture(draws, plain), None
    name, value = input_zoo.spoilt(draws, plain)
    if isinstance(problem, Estimator) and re.search("datetime64|'a'", name):  # a number to scikit-learn; a label
        return entry, argument, "mixture", input_zoo.mixture(draws, plain), None
    return entry, argument, name, value, "a row of it is none"


def run(problem, entry, argument, value, reason):
    """(what became of a case, what is wrong with that or None)"""
    function, names, words = problem.entries()[entry]
    given = {name: problem.arguments[name] for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if entry not in problem.expected:
            problem.expected[entry] = {function(**given)}
            if words is None:  # scikit-learn's estimators train float32 in float32
                problem.expected[entry].add(function(**{**given, "X": given["X"].astype("f4")}))
        try:
            found = function(**{**given, argument: value})
        except (ValueError, TypeError) as error:
            said = str(error)
            name = (words or {}).get(argument, argument)
            if words is not None and reason is None:
                return "refused", f"the same numbers are refused: {said[:500]}"
            if words is not None and not re.search(rf"\b({name}|y)\b", said):  # or y, of which X has other rows
                return "refused", f"{name} is not named: {type(error).__name__}: {said[:500]}"
            return "refused", None if said and len(said) < 1500 else f"said {len(said)} characters: {said[:200]!r}"
        except MemoryError as error:
            return "MemoryError", None if entry in WITHOUT_MEMORY else repr(error)
        except Exception as error:
            theirs = words is None and entry in ("predict", "score") and type(error).__name__ in THEIRS
            theirs |= entry in WITH_NAMES and isinstance(value, str) and isinstance(error, FileNotFoundError)  # a path
            return type(error).__name__, None if theirs else f"{type(error).__name__}: {str(error)[:300]}"
    if found in problem.expected[entry]:
        taken = reason is not None and words is not None  # scikit-learn takes digits as text, and labels of any kind
        return "same", f"it was taken, though {reason}" if taken else None
    return "other", "the result has other bits than that of a plain array" + (f", and {reason}" if reason else "")


def fuzz(problem, chosen, say=lambda line: None):
    """(Counter of what became of the chosen cases of a problem, [what is wrong])"""
    counts, failures = Counter(), []
    for entry, argument, name, value, reason in chosen:
        outcome, wrong = run(problem, entry, argument, value, reason)
        counts[outcome] += 1
        if wrong is not None:
            failures.append(f"{problem.output} {problem.dtype} {entry}({argument}={name}): {wrong}")
            say(failures[-1])
    return counts, failures
