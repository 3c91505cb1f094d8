"""Sentences of a study from planted runs: they follow the runs, also where these contradict what is taught."""

import dataclasses

import numpy as np
import pytest

from fastmlp.study.cases import Case, Plan
from fastmlp.study.outcomes import is_constant, judged, loss_of_guessing, rises, typical
from fastmlp.study.runs import DIVERGED, GUESSING, PARTLY, SOLVED, Run
from fastmlp.study.sentences import sentences
from fastmlp.study.table import table

PLAN = Plan(rates=(0.01, 0.1, 1.0), depths=(0, 1, 2, 4), inits=(0.0, 0.01, "he_normal"), widths=(2, 8), seeds=(0, 1))
GUESS = np.log(2)


def case_of(outcome_of, plan=PLAN, rate=0.1, **fields_of):
    """A case whose runs are made up. outcome_of, fields_of: functions of (depth, width, init, rate)."""
    case = Case("xor", plan, np.zeros((4, 2)), np.array([0, 1, 1, 0]), rate=rate)
    points = {(depth, 8, plan.init, one) for one in plan.rates for depth in plan.depths}
    points |= {(depth, 8, init, rate) for init in plan.inits for depth in plan.depths}
    points |= {(plan.depth, width, plan.init, rate) for width in plan.widths}
    figures = {SOLVED: (0.001, 1.0), PARTLY: (0.3, 0.75), GUESSING: (GUESS, 0.5), DIVERGED: (9.0, 0.5)}
    for point in sorted(points, key=repr):
        outcome = outcome_of(*point)
        loss, accuracy = figures[outcome]
        fields = {"solved_at": 7 if outcome == SOLVED else None, "losses": np.full(100, loss)}
        fields |= {name: of(*point) for name, of in fields_of.items()}
        case.runs += [Run("xor", *point, seed, outcome, loss=loss, accuracy=accuracy, **fields) for seed in plan.seeds]
    return case


def as_taught(depth, width, init, rate):
    """Linear networks guess, zeros guess, tiny weights guess from 2 layers on, rate 1 diverges, 2 units guess."""
    if rate == 1.0:
        return DIVERGED
    if depth == 0 or init == 0.0 or (init == 0.01 and depth >= 2) or width == 2:
        return GUESSING
    return PARTLY if rate == 0.01 else SOLVED


def falling(depth, width, init, rate):
    return np.geomspace(1, 0.3, 100)


def test_what_is_taught():
    case = case_of(as_taught, rises=lambda depth, width, init, rate: 0.5 if rate == 1 else 0.0, losses=falling)
    assert sentences(case) == [
        "A network without hidden layers did not solve xor in any of its 10 runs (the best accuracy at the end was "
        "50 %, and the lowest loss 0.693; guessing has 0.693).",
        "Learning rate 0.01 was too small for xor: none of 2 runs solved it in 2000 steps, and in 2 the loss was "
        "still falling.",
        "Learning rate 0.1 solved xor with 2 hidden layers (all 2 runs), where half of the runs were there within 7 "
        "steps.",
        "At the largest learning rate, 1, the loss oscillated on xor with 2 hidden layers (all 2 runs).",
        "At the largest learning rate, 1, training diverged on xor with 2 hidden layers (all 2 runs).",
        "The largest learning rate that solved xor was 0.1 with 1, 2 and 4 hidden layers.",
        "With weights of zero, at learning rate 0.1, networks of 1, 2 and 4 hidden layers ended at the loss of "
        "guessing, 0.693 (all 6 runs).",
        "With weights of standard deviation 0.01, at learning rate 0.1, networks of 1 hidden layer solved xor (all 2 "
        "runs); networks of 2 and 4 hidden layers ended at the loss of guessing, 0.693 (all 4 runs).",
        "With he_normal, at learning rate 0.1, networks of 1, 2 and 4 hidden layers solved xor (all 6 runs).",
        "Networks of 4 hidden layers solved xor with he_normal (all 2 runs), but not with weights of zero (none of 2 "
        "runs) or weights of standard deviation 0.01 (none of 2 runs).",
        "From 8 units a layer on, networks solved xor with 2 hidden layers at learning rate 0.1: 0 of 2 runs with 2, "
        "2 of 2 with 8.",
    ]


def the_contrary(depth, width, init, rate):
    """Linear networks solve it, and so do zeros and tiny weights; he_normal diverges, small rates too; "
    "8 units guess."""
    if depth == 0:
        return SOLVED
    if width == 2:
        return SOLVED
    if init == "he_normal":
        return {0.01: DIVERGED, 0.1: GUESSING, 1.0: SOLVED}[rate]
    return SOLVED


def test_the_contrary_of_what_is_taught():
    case = case_of(the_contrary, rises=lambda depth, width, init, rate: 0.9 if rate == 0.01 else 0.0)
    assert sentences(case) == [
        "A network without hidden layers solved xor in all 10 runs (the best accuracy at the end was 100 %, and the "
        "lowest loss 0.001; guessing has 0.693).",
        "Learning rate 1 solved xor with 2 hidden layers (all 2 runs), where half of the runs were there within 7 "
        "steps.",
        "At learning rate 0.01, but not at 0.1 and 1, the loss oscillated on xor with 2 hidden layers (all 2 runs).",
        "At learning rate 0.01, but not at 0.1 and 1, training diverged on xor with 2 hidden layers (all 2 runs).",
        "The largest learning rate that solved xor was 1 with 1, 2 and 4 hidden layers.",
        "With weights of zero, at learning rate 0.1, networks of 1, 2 and 4 hidden layers solved xor (all 6 runs).",
        "With weights of standard deviation 0.01, at learning rate 0.1, networks of 1, 2 and 4 hidden layers solved "
        "xor (all 6 runs).",
        "With he_normal, at learning rate 0.1, networks of 1, 2 and 4 hidden layers ended at the loss of guessing, "
        "0.693 (all 6 runs).",
        "Networks of 4 hidden layers solved xor with weights of zero (all 2 runs) and weights of standard deviation "
        "0.01 (all 2 runs), but not with he_normal (none of 2 runs).",
        "Networks of 2 units a layer, but not all larger ones, solved xor with 2 hidden layers at learning rate 0.1: "
        "2 of 2 runs with 2, 0 of 2 with 8.",
    ]


def test_where_everything_solves_it_nothing_is_said_to_fail():
    text = " ".join(sentences(case_of(lambda *point: SOLVED)))
    for word in ("too small", "too large", "guessing,", "but not", "did not", "no initialisation"):
        assert word not in text, word
    assert "No learning rate up to 1 made half of its runs oscillate on xor with 2 hidden layers." in text
    assert "No learning rate up to 1 made half of its runs diverge on xor with 2 hidden layers." in text
    assert "Networks of 4 hidden layers solved xor with every initialisation" in text
    assert "Networks of every width solved xor" in text


def test_where_nothing_solves_it_nothing_is_said_to():
    text = " ".join(sentences(case_of(lambda *point: PARTLY)))
    assert (
        "No learning rate solved xor with 2 hidden layers in 2000 steps; the best accuracy at the end was 75 %" in text
    )
    assert "Networks of 4 hidden layers solved xor with no initialisation" in text
    assert "No number of units a layer solved xor" in text
    assert "largest learning rate" not in text
    assert text.count("ended in between (none of 6 runs solved it, the best accuracy 75 %)") == 3
    assert not {"too small", "too large"} & set(text.split(":"))


def test_a_rate_that_stands_still_is_not_called_too_small():
    case = case_of(as_taught)  # the losses are level
    assert not any("too small" in sentence for sentence in sentences(case))


def test_the_largest_rate_of_each_depth():
    plan = Plan(rates=(0.01, 0.1, 1.0), depths=(0, 1, 2, 3, 4), inits=("he_normal",), widths=(8,), seeds=(0,))
    largest = {0: 1.0, 1: 1.0, 2: 0.1, 3: 0.1, 4: 0.0}
    case = case_of(lambda depth, width, init, rate: SOLVED if rate <= largest[depth] else PARTLY, plan)
    assert (
        "The largest learning rate that solved xor was 1 with 1 hidden layer and 0.1 with 2 and 3 hidden layers; with "
        "4 hidden layers, none did."
    ) in sentences(case)


def test_rates_that_kill_are_too_large():
    case = case_of(lambda depth, width, init, rate: GUESSING if rate == 1 else SOLVED)
    assert "Learning rate 1 was too large for xor: all 2 runs ended at the loss of guessing, 0.693." in sentences(case)


def test_dead_networks_are_told_of():
    case = case_of(
        lambda depth, width, init, rate: {0.01: SOLVED, 0.1: GUESSING, 1.0: DIVERGED}[rate],
        rate=0.01,
        constant=lambda depth, width, init, rate: rate == 1,
    )
    for run in case.runs[:]:
        if run.learning_rate == 0.1 and run.seed == 0:
            case.runs[case.runs.index(run)] = dataclasses.replace(run, constant=True)
    said = sentences(case)
    assert (
        "At the largest learning rate, 1, training diverged on xor with 2 hidden layers (all 2 runs), and they "
        "all give the same answer for every row."
    ) in said
    assert (
        "Learning rate 0.1 was too large for xor: all 2 runs ended at the loss of guessing, 0.693, and 1 of these "
        "networks gives the same answer for every row."
    ) in said


def test_from_a_rate_on():
    case = case_of(lambda *point: SOLVED, rises=lambda depth, width, init, rate: 0.3 if rate >= 0.1 else 0.0)
    what = "the loss oscillated on xor with 2 hidden layers (all 2 runs at 0.1, all 2 runs at 1)."
    assert f"From learning rate 0.1 on, {what}" in sentences(case)


def test_outputs_that_are_all_the_same():
    assert is_constant(np.full((4, 2), 0.5))
    assert not is_constant(np.array([[0.5, 0.5], [0.5, np.nextafter(0.5, 1)]]))
    assert not is_constant(np.full((4, 2), np.nan))


def test_half_of_the_runs_are_enough_and_fewer_are_not():
    case = case_of(lambda *point: SOLVED, Plan(rates=(0.1,), depths=(2,), inits=("he_normal",), widths=(8,)))
    assert len(case.runs) == 5
    for well, failed, said in ((3, 2, True), (2, 2, True), (2, 3, False)):
        of = [SOLVED] * well + [PARTLY] * failed
        case.runs = [Run("xor", 2, 8, "he_normal", 0.1, k, outcome) for k, outcome in enumerate(of)]
        assert any("networks of 2 hidden layers solved xor" in sentence for sentence in sentences(case)) == said


def test_without_runs_nothing_is_said():
    case = Case("xor", PLAN, np.zeros((4, 2)), np.array([0, 1, 1, 0]))
    assert sentences(case) == []
    case.runs = case_of(as_taught).where(depth=0)
    assert len(sentences(case)) == 1


# ---------------------------------------------------------------------------------------------------------
# Outcomes


def test_outcomes():
    def outcome(losses, accuracies, early=False):
        return judged(np.array(losses), np.array(accuracies), early, GUESS, 0.95)["outcome"]

    assert outcome([0.7, 0.1], [0.5, 1.0]) == SOLVED
    assert outcome([0.7, 0.1], [1.0, 0.9]) == PARTLY
    assert outcome([0.7, 0.691], [0.5, 0.5]) == GUESSING
    assert outcome([0.7, 0.68], [0.5, 0.5]) == PARTLY
    assert outcome([0.7, 1.3], [0.5, 0.5]) == GUESSING
    assert outcome([0.7, 1.4], [0.5, 1.0]) == DIVERGED
    assert outcome([0.7, np.inf], [0.5, 0.5]) == outcome([0.7, np.nan], [0.5, 0.5]) == DIVERGED
    assert outcome([0.7, 0.1], [0.5, 1.0], early=True) == outcome([], [], early=True) == DIVERGED
    found = judged(np.array([0.7, 0.2, 0.3]), np.array([0.5, 1.0, 1.0]), False, GUESS, 0.95)
    assert found["solved_at"] == 2
    assert found["loss"] == 0.3


def test_rises():
    saw = np.tile([1.0, 2.0], 50)
    assert rises(saw) == pytest.approx(50 / 99)
    assert rises(np.geomspace(1, 0.1, 100)) == 0
    noise = 0.69 + 1e-9 * saw
    assert rises(noise) == 0  # of rounding
    assert rises(np.concatenate([saw, np.full(10_000, 2.0)])) == pytest.approx(50 / 99)  # then at rest
    assert rises(saw[:50]) == 0  # too few
    fifth = np.cumsum(np.tile([-1.0, -1, -1, -1, 1], 20))
    assert rises(1000 + np.concatenate([[0.0], fifth])) == 0.2
    assert not Run("xor", 1, 8, 0.0, 0.1, 0, SOLVED, rises=0.2).oscillates
    assert Run("xor", 1, 8, 0.0, 0.1, 0, SOLVED, rises=0.21).oscillates


def test_the_loss_of_guessing_is_that_of_the_best_constant():
    assert loss_of_guessing(np.array([0, 1, 1, 0])) == pytest.approx(np.log(2))
    assert loss_of_guessing(np.array([0, 0, 0, 1])) == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))


def test_the_typical_run_has_the_median_loss():
    runs = [Run("xor", 1, 8, 0.0, 0.1, k, PARTLY, loss=loss) for k, loss in enumerate((0.5, np.nan, 0.1, 0.3))]
    assert typical(runs).loss == 0.3
    assert typical(runs[1:2]).seed == 1


def test_the_table_counts():
    text = table(case_of(as_taught))
    assert ["0.1", "2/2", "7", ".", ".", ".", "0.001", "1.00"] in [line.split() for line in text.splitlines()]
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["zeros"] == ["0-", "0-", "0-", "0-"]
    assert rows["he_normal"] == ["0-", "2", "2", "2"]
    assert rows["1"] == ["0x", "0x", "0x", "0x"]
