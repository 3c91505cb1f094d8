"""Arrays of every kind, the short form of `tests/long/fuzz_inputs.py`; and what it must catch."""

import random
from collections import Counter

import input_fuzz
import input_zoo
import numpy as np
import pytest

from fastmlp.checks import arrays
from fastmlp.core import data
from fastmlp.estimators import arguments
from fastmlp.fit import sample_weights

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
PART = 8  # of the zoo's cases, one is tried


@pytest.mark.parametrize("kind", [*input_fuzz.OUTPUTS, "classifier", "regressor"])
def test_arrays_of_every_kind(kind):
    draws = random.Random(f"arrays of {kind}")
    make = input_fuzz.Estimator if kind in ("classifier", "regressor") else input_fuzz.Problem
    problem = make(draws, kind)
    chosen = [case for case in input_fuzz.cases(problem) if draws.randrange(PART) == 0]
    chosen += [input_fuzz.drawn(problem, draws) for _ in range(100)]
    counts, failures = input_fuzz.fuzz(problem, chosen)
    assert failures == []
    assert min(counts["same"], counts["refused"]) > len(chosen) / 4, counts


def test_the_zoo_is_whole():
    """pandas and polars are among what the tests are installed with: without them most of the zoo would be missing."""
    x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    kinds = Counter(name.partition(" ")[0] for name in [*input_zoo.good(x), *input_zoo.bad(x)])
    assert (kinds["pandas"], kinds["polars"]) >= (25, 15)
    for name, value in input_zoo.good(x).items():
        if "categ" not in name:
            assert np.array_equal(np.asarray(value, float), x), name


def failures_of(argument, names, kind="softmax"):
    """What the fuzzer says of these cases of an argument."""
    draws = random.Random(0)
    problem = input_fuzz.Problem(draws, kind, "float64") if kind == "softmax" else input_fuzz.Estimator(draws, kind)
    cases = [case for case in input_fuzz.cases(problem) if case[1] == argument and case[2] in names]
    assert {case[2] for case in cases} == set(names)
    return input_fuzz.fuzz(problem, cases)[1]


def test_it_catches_masks_that_are_not_seen(monkeypatch):
    assert failures_of("X", ["list of masked", "deque of masked"]) == []
    monkeypatch.setattr(arrays, "masked_place", lambda *_, **__: None)
    assert any("it was taken" in failure for failure in failures_of("X", ["list of masked"]))
    monkeypatch.setattr(arguments, "masked_place", lambda *_: None)
    masked = np.ma.array(np.arange(36.0).reshape(12, 3), mask=np.arange(36).reshape(12, 3) == 5)
    problem = input_fuzz.Estimator(random.Random(0), "classifier")
    assert "other bits" in input_fuzz.run(problem, "fit", "X", masked, "planted")[1]


def test_it_catches_labels_that_are_read_by_their_address(monkeypatch):
    assert failures_of("y", ["every other", "backwards"]) == []
    monkeypatch.setattr(data, "compact", lambda found, kind, name: found)
    failures = failures_of("y", ["every other", "backwards"])
    assert any("other bits" in failure for failure in failures)


def test_it_catches_what_is_taken_and_what_is_refused_wrongly():
    problem = input_fuzz.Problem(random.Random(0), "identity", "float64")
    assert input_fuzz.run(problem, "loss", "X", problem.X, "planted")[1] == "it was taken, though planted"
    assert "the same numbers are refused" in input_fuzz.run(problem, "loss", "X", problem.X[:, :2], None)[1]


def test_it_catches_errors_without_a_name_and_of_another_kind(monkeypatch):
    def raising(error):
        def check(weights, rows, of):
            if np.isnan(weights).any():
                raise error
            return weights

        return check

    monkeypatch.setattr(sample_weights, "_sample_weights", raising(ValueError("bad")))
    assert "is not named" in failures_of("sample_weight", ["nan"])[0]
    monkeypatch.setattr(sample_weights, "_sample_weights", raising(RuntimeError("bad")))
    assert "RuntimeError" in failures_of("sample_weight", ["nan"])[0]
