"""The table of goals: figures from a result's rows, and what of them is missed."""

import os

import pytest

pytest.importorskip("matplotlib", reason="benchmarks.report imports its pictures")

from benchmarks import goals, report, scaling


def row(workload, contestant, us, threads=1, dtype="float64", share=None):
    return {
        "workload": workload, "dtype": dtype, "threads": threads, "contestant": contestant, "us_step": us,
        "share_of_peak": share,
    }  # fmt: skip


def rows_of(result):
    return {goal.what: goal.row for goal in goals.goals(result)}


def test_a_figure_that_misses_its_goal_is_bold_and_has_a_reason():
    result = {"rows": [row("xor", "fastmlp", 10.0, share=0.5), row("xor", "jax", 41.0), row("xor", "numpy_", 199.0)]}
    found = rows_of(result)
    assert found["xor: time over flops / peak"][1:3] == ["at most 1.45", "**2.00**"]
    assert found["xor: time over flops / peak"][4] == goals.REASONS["xor: time over flops / peak"]
    assert found["xor: JAX"][1:] == ["at least 4.00 / 7.00", "4.10", "-", ""]
    assert found["xor: NumPy, scikit-learn and PyTorch"][2] == "**19.90**"
    assert not any("mnist" in what for what in found)


@pytest.mark.parametrize(("share", "shown"), [(0.649, "**0.65**"), (0.65, "0.65"), (0.7, "0.70")])
def test_a_goal_that_is_just_reached_is_reached(share, shown):
    assert rows_of({"rows": [row("tab", "fastmlp", 1.0, share=share)]})["tab: of peak"][2] == shown


def test_a_missed_lead_says_what_share_of_peak_it_would_take():
    result = {"rows": [row("policy", "fastmlp", 10.0, share=0.7), row("policy", "jax", 14.0)]}
    assert rows_of(result)["policy: best peer"][4] == goals.LIMIT.format(0.5, 1.0)
    result["rows"][1]["us_step"] = 20.0
    assert rows_of(result)["policy: best peer"][4] == ""


def test_threads_are_compared_in_turns(monkeypatch):
    """With one thread by the environment, and as fit chooses: each is asked for, and the environment is as before."""

    class Made:
        def __init__(self, *_):
            pass

        def prepare(self):
            pass

        def train(self, epochs):
            return epochs * (0.19 if os.environ.get(scaling.VARIABLE) == "1" else 0.1)

    monkeypatch.setattr(scaling.fastmlp_, "Contestant", Made)
    monkeypatch.setenv(scaling.VARIABLE, "7")
    assert scaling.gain(scaling.WORKLOADS["wide"], "float64") == pytest.approx(1.9)
    assert os.environ[scaling.VARIABLE] == "7"
    assert {"wide", "mnist-wide", "xor-20000"} < set(scaling.SHARED)
    assert not {"xor", "xor-online-1", "tab"} & set(scaling.SHARED)

    found = rows_of({"rows": [], "goals": {"threads": {"wide": {"float64": 1.9}, "mnist": {"float64": 0.9}}}})
    assert found["wide: 2 cores, over 1 thread"][2] == "1.90"
    assert found["the least of all: 2 cores, over 1 thread"][2] == "**0.90**"


def test_what_compare_does_not_measure_comes_from_the_results_own_part():
    more = {
        "predict_proba": {"float64": 2.9, "float32": 3.1},
        "predict": {"784-128-10": {"float32": {"share": 0.71, "peer": 0.9}}},
        "memory": {"mnist": {"float64": 1.4}},
    }
    startup = [
        {"what": "empty cache", "seconds": 2.6, "parts": {"train": 0.1}},
        {"what": "warm cache", "seconds": 0.75, "parts": {"train": 0.1}},
    ]
    found = rows_of({"rows": [], "startup": startup, "goals": more})
    assert found["one row of 64-100-10, `predict_proba`, us"][2:4] == ["2.90", "**3.10**"]
    assert found["100,000 rows of 784-128-10: of peak"][2:4] == ["-", "0.71"]
    assert found["100,000 rows of 784-128-10: best peer"][3] == "**0.90**"
    assert found["mnist: memory over data, parameters and workspace"][2] == "1.40"
    assert found["first fit, empty cache, s"][2] == "**2.60**"
    assert found["first fit, warm cache, s, beside the training itself"][2] == "0.65"


def test_the_report_has_the_table():
    result = {"rows": [row("xor", "fastmlp", 10.0, share=0.5)]}
    assert "| xor: time over flops / peak | at most 1.45 | **2.00** |" in report.goals_table(result)
    assert report.goals_table({"rows": []}) == ""
