"""The table of goals: figures from a result's rows, and what of them is missed."""

import pytest

pytest.importorskip("matplotlib", reason="benchmarks.report imports its pictures")

from benchmarks import goals, report


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


def test_two_threads_are_compared_with_one():
    result = {
        "rows": [
            *(row("wide", "fastmlp", us, threads) for us, threads in ((19.0, 1), (10.0, 2))),
            *(row("xor", "fastmlp", us, threads, share=0.9) for us, threads in ((9.0, 1), (10.0, 2))),
            row("wide", "jax", 5.0, 2),  # on two cores: no peer of a figure of one
        ]
    }
    found = rows_of(result)
    assert found["wide: 2 threads, over 1"][2] == "1.90"
    assert found["the least of all: 2 threads, over 1"][2] == "**0.90**"
    assert "wide: PyTorch" not in found


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
