"""Early stopping, on sequences of which one can see where they must stop."""

import dataclasses
import math

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.stopping import METRICS, EarlyStopping, higher_is_better, resolve_metric

NAN, INF = math.nan, math.inf


def see(rule, values, first=1, every=1):
    """What the rule says to each value, as its first letters; it is not asked after "stop". -> (letters, run)."""
    run, said = rule.start(), ""
    for i, value in enumerate(values):
        answer = run.see(first + i * every, value)
        assert answer in ("better", "worse", "stop")
        said += answer[0]
        if answer == "stop":
            break
    return said, run


@pytest.mark.parametrize(
    ("rule", "values", "said", "best", "best_epoch"),
    [
        (dict(patience=2), [5, 4, 3, 2], "bbbb", 2, 4),
        (dict(patience=2), [5, 4, 6, 3, 6, 6, 1], "bbwbws", 3, 4),
        (dict(patience=2), [5, 6, 5, 1], "bws", 5, 1),  # a tie is not better
        (dict(patience=2, ties="last"), [5, 6, 5, 6, 7], "bwbws", 5, 3),
        (dict(patience=None, ties="last", metric="accuracy"), [0.5, 0.9, 0.9, 0.8, 0.9], "bbbwb", 0.9, 5),
        (dict(patience=1), [5, 4, 4, 3], "bbs", 4, 2),
        (dict(patience=3), [5, 5, 5, 5, 5], "bwws", 5, 1),
        (dict(patience=3), [1, 9, 8, 7, 6], "bwws", 1, 1),  # falling, but not below the best
        (dict(patience=2, metric="accuracy"), [0.5, 0.6, 0.6, 0.5, 0.9], "bbws", 0.6, 2),
        (dict(patience=2, metric="validation_accuracy"), [0.5, 0.4, 0.7, 0.8], "bwbb", 0.8, 4),
        (dict(patience=2, metric="validation_loss"), [0.5, 0.6, 0.7], "bws", 0.5, 1),
        (dict(patience=2, min_delta=0.5), [4, 3.5, 3.25, 2], "bwbb", 2, 4),
        (dict(patience=2, min_delta=0.5), [4, 3.5, 3.5], "bws", 4, 1),  # just min_delta is not more than it
        (dict(patience=2, min_delta=0.5), [4, math.nextafter(3.5, 0)], "bb", math.nextafter(3.5, 0), 2),
        (dict(patience=2, min_delta=0.5, metric="accuracy"), [0, 0.5, 0.5], "bws", 0, 1),
        (dict(patience=2, min_delta=0.25, metric="accuracy"), [0, 0.25, 0.5, 0.75], "bwbw", 0.5, 3),
        (dict(patience=4, min_delta=1), [9, 8.5, 8.1, 7.9, 7.5], "bwwbw", 7.9, 4),  # from the best, not the last
        (dict(patience=2), [NAN, 5, NAN, NAN, 1], "wbws", 5, 2),
        (dict(patience=2), [NAN, NAN], "ws", None, None),
        (dict(patience=1), [NAN], "s", None, None),
        (dict(patience=2), [INF, 5, -INF, -INF], "wbws", 5, 2),
        (dict(patience=2, metric="accuracy"), [NAN, 0.0, INF, NAN], "wbws", 0, 2),
        (dict(patience=2), [-1, -2, -2, -1.5], "bbws", -2, 2),  # losses may be negative
        (dict(patience=2), [1e308, -1e308, 0, 0], "bbws", -1e308, 2),  # their difference is infinite
        (dict(patience=2), [0.0, -0.0, 5e-324, 0], "bws", 0, 1),
    ],
)
def test_sequences(rule, values, said, best, best_epoch):
    found, run = see(EarlyStopping(**rule), values)
    assert found == said
    assert (run.best, run.best_epoch) == (best, best_epoch)


def test_patience_counts_recorded_epochs():
    """Epochs 10, 20, ... are seen: the third that is not better stops, whatever their numbers."""
    said, run = see(EarlyStopping(patience=3), [3, 2, 2, 2, 2, 2], first=10, every=10)
    assert said == "bbwws"
    assert run.best_epoch == 20


@pytest.mark.parametrize("patience", [1, 2, 10])
def test_a_run_without_gain_stops_after_patience(patience):
    said, _ = see(EarlyStopping(patience=patience), [1.0] * 50)
    assert said == "b" + "w" * (patience - 1) + "s"


def test_runs_are_apart():
    rule = EarlyStopping(patience=1)
    one, other = rule.start(), rule.start()
    assert one.see(1, 3.0) == "better"
    assert other.best is None
    assert other.see(1, 4.0) == "better"
    assert one.see(2, 3.0) == "stop"
    assert (other.best, other.best_epoch, other.rule) == (4.0, 1, rule)


def test_what_is_kept_is_plain():
    run = EarlyStopping(np.int64(3), min_delta=np.float32(0.5)).start()
    run.see(np.int64(7), np.float32(0.25))
    assert [type(value) for value in (run.best, run.best_epoch)] == [float, int]
    assert [type(value) for value in (run.rule.patience, run.rule.min_delta)] == [int, float]
    assert EarlyStopping() == EarlyStopping(10, None, 0.0, True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.rule.patience = 4


def test_metrics():
    assert [higher_is_better(name) for name in METRICS] == [False, True, False, True]
    assert not higher_is_better(None)
    assert resolve_metric(None, True, True) == "validation_loss"
    assert resolve_metric(None, False, False) == "loss"
    for name in METRICS:
        assert resolve_metric(name, True, True) == name
    with pytest.raises(ValueError, match=r"metric='validation_loss' needs rows to validate on: .* metric=\"loss\""):
        resolve_metric("validation_loss", False, True)
    with pytest.raises(ValueError, match=r"metric='validation_accuracy' needs labels.*metric=\"validation_loss\""):
        resolve_metric("validation_accuracy", True, False)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (dict(patience=0), ValueError, r"patience=0 is not positive: give 1 or more"),
        (dict(patience=2.0), TypeError, r"patience=2.0 is not a whole number"),
        (dict(patience=True), TypeError, r"patience=True is not a whole number"),
        (dict(metric="auc"), ValueError, r"metric='auc' is not known: use \"loss\", .* or None"),
        (dict(metric=3), TypeError, r"metric=3 is not a name: use \"loss\""),
        (dict(min_delta=-0.1), ValueError, r"min_delta=-0.1 is negative: give 0 or more"),
        (dict(min_delta=NAN), ValueError, r"min_delta=nan is not a finite number"),
        (dict(min_delta="0.1"), TypeError, r"min_delta='0.1' is not a number"),
        (dict(best_weights=1), TypeError, r"best_weights=1 is neither True nor False"),
    ],
)
def test_errors_in_words(arguments, error, words):
    with pytest.raises(error, match=words):
        EarlyStopping(**arguments)


def test_no_patience_never_stops():
    run = EarlyStopping(None).start()
    assert [run.see(epoch, value) for epoch, value in enumerate([3.0, 2.0, *[5.0] * 50], 1)][2:] == ["worse"] * 50
    assert (run.best, run.best_epoch, run.waited) == (2.0, 2, 50)
    with pytest.raises(ValueError, match="patience=None with best_weights=False does nothing"):
        EarlyStopping(None, best_weights=False)


def test_without_patience_the_best_epochs_weights_come_at_the_last_one(tmp_path):
    x = np.random.RandomState(1).standard_normal((40, 3))
    y = np.random.RandomState(2).randint(0, 2, 40)
    options = {"batch_size": 8, "optimizer": "adam", "learning_rate": 0.05, "validation": (x[::-1], y)}
    model = Model([3, 16, 2], seed=1)
    history = model.fit(x, y, epochs=30, early_stopping=EarlyStopping(None), **options)
    best = int(history.validation_loss.argmin())
    assert len(history) == 30
    assert history.stopped is None
    assert history.best_epoch == history.epoch[best] < 30
    assert model.loss(x[::-1], y) == history.validation_loss[best]
    parts, path = Model([3, 16, 2], seed=1), tmp_path / "fit"

    def stop(info):
        if info.epoch == 20:
            raise KeyboardInterrupt

    given = {"early_stopping": EarlyStopping(None), "checkpoint": path, "checkpoint_every": 5, **options}
    with pytest.raises(KeyboardInterrupt):
        parts.fit(x, y, epochs=30, callback=stop, **given)
    parts = Model([3, 16, 2], seed=1)
    parts.fit(x, y, epochs=30, resume=True, **given)
    assert parts.digest() == model.digest()


def test_ties_are_the_first_or_the_last():
    with pytest.raises(ValueError, match=r"min_delta=0.1 with ties=.last., where an equal value is an improvement"):
        EarlyStopping(ties="last", min_delta=0.1)
    with pytest.raises(ValueError, match="ties='none' is not known"):
        EarlyStopping(ties="none")


def test_of_equally_good_epochs_the_last_one_s_weights_are_taken(tmp_path):
    X, y = np.array([[0.0], [1.0]] * 8), np.array([0, 1] * 8)
    found = {}
    for ties in ("first", "last"):
        model = Model([1, 4, 2], seed=1)
        rule = EarlyStopping(patience=None, metric="validation_accuracy", ties=ties)
        options = {"epochs": 40, "learning_rate": 0.5, "validation": (X, y), "early_stopping": rule}
        history = model.fit(X, y, checkpoint=tmp_path / ties, **options)
        best = history.validation_accuracy == history.validation_accuracy.max()
        assert best.sum() > 1
        assert history.best_epoch == history.epoch[best][0 if ties == "first" else -1]
        found[ties] = model.digest()
        again = Model([1, 4, 2], seed=1)
        again.fit(X, y, checkpoint=tmp_path / ties, resume=True, **options)
        assert again.digest() == model.digest()
    assert found["first"] != found["last"]
