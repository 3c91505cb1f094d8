"""The comparison: its statistics on made-up turns, its children that fail, and contestants that train the same.

Timing decides nothing, but that one who sleeps is slower than one who does not.
"""

import itertools
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import results

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ lies beside the package

from benchmarks import children, compare, contestants, figures, startup  # noqa: E402
from benchmarks.contestant import answer, start, workload_of  # noqa: E402
from benchmarks.workloads import WORKLOADS  # noqa: E402

SAME = [name for name in contestants.MODULES if name not in ("torch_compiled", "jax")]  # that start in no time
TINY = ("xor@20", "digits@430", "matexp@50", "xor-online-1", "tab@100")


def made(name, workload, dtype="float64"):
    """A contestant in this process, ready."""
    module = contestants.module(name)
    if module.available():
        pytest.skip(module.available())
    found, first = start(name, workload_of(workload), dtype, 1)
    if found is None:
        pytest.skip(first["missing"])
    assert first["prepare_s"] > 0
    return found


# ---------------------------------------------------------------------------------------------------------
# Figures


def test_the_summary_of_known_turns():
    found = figures.summary([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median, found.low, found.high, found.turns) == (3.0, 2.0, 4.0, 5)
    one = figures.summary([7.0])
    assert (one.median, one.low, one.high, one.turns) == (7.0, 7.0, 7.0, 1)


def test_the_median_takes_no_notice_of_a_turn_that_was_disturbed():
    draws = np.random.default_rng(0)
    turns = draws.normal(10, 0.1, 11)
    calm = figures.summary(turns).median
    turns[3] = 1e6
    assert abs(figures.summary(turns).median - calm) < 0.1


def test_each_comes_first_and_everyone_has_a_turn():
    orders = [figures.rotated(["a", "b", "c"], turn) for turn in range(4)]
    assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
    assert figures.rotated([], 3) == []


def test_a_machine_that_drifts_favours_nobody():
    """The pairing: with a clock that slows down by half during the run, equals stay equal, and twice stays twice."""
    clock, times = 1.0, {"a": [], "b": [], "slow": []}
    for turn in range(12):
        for name in figures.rotated([*times], turn):
            clock *= 1.5 ** (1 / 36)
            times[name].append(clock * (2 if name == "slow" else 1))
    medians = {name: figures.summary(values).median for name, values in times.items()}
    assert medians["a"] == pytest.approx(medians["b"], rel=0.02)
    assert medians["slow"] == pytest.approx(2 * medians["a"], rel=0.02)


@pytest.mark.parametrize("seconds", [1e-7, 3e-4, 0.02, 0.5])
@pytest.mark.parametrize("overhead", [0.0, 1e-3])
def test_a_turn_has_as_many_epochs_as_fit(seconds, overhead):
    asked = []

    def train(epochs):
        asked.append(epochs)
        return overhead + seconds * epochs

    epochs = figures.epochs_of_turn(train, 0.1)
    assert epochs == 1 if seconds > 0.1 else 0.07 < overhead + epochs * seconds < 0.14
    assert sum(asked) * seconds < 0.5 + 0.1  # the search is no longer than a few turns


@pytest.mark.parametrize(
    ("loss", "ok"), [(0.5, True), (0.5 + 1e-8, True), (0.5 - 1e-6, False), (np.nan, False), (np.inf, False)]
)
def test_losses_that_agree(loss, ok):
    assert figures.agrees(loss, 0.5, 1e-7) is ok


# ---------------------------------------------------------------------------------------------------------
# Contestants train the same


@pytest.mark.sample(10)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("workload", TINY)
@pytest.mark.parametrize("name", SAME)
def test_contestants_begin_alike_and_train_the_same(name, workload, dtype):
    ours, theirs = made("numpy", workload), made(name, workload, dtype)
    for (w, b), (expected_w, expected_b) in zip(theirs.weights(), theirs.initial(), strict=True):
        assert w.dtype == dtype
        assert np.array_equal(w, expected_w)
        assert np.array_equal(b, expected_b)
    epochs = compare.check_epochs(ours.workload)
    begun = ours.loss()
    for contestant in (ours, theirs):
        contestant.given(epochs)
    tolerance = max(compare.TOLERANCE[dtype], theirs.tolerance)
    assert abs(ours.loss() - begun) > 20 * tolerance * begun  # else agreeing would mean nothing
    assert figures.agrees(theirs.loss(), ours.loss(), tolerance)
    theirs.again()
    assert theirs.loss() == pytest.approx(begun, rel=1e-6)
    assert theirs.train(2) > 0
    assert theirs.loss() < begun


@pytest.mark.parametrize("name", ["torch_compiled", "jax"])
def test_compiled_contestants_train_the_same(name):
    for workload, dtype in (("matexp@50", "float64"), ("digits@430", "float32")):  # the last batch is shorter
        ours, theirs = made("numpy", workload), made(name, workload, dtype)
        epochs = compare.check_epochs(ours.workload)
        for contestant in (ours, theirs):
            contestant.given(epochs)
        assert figures.agrees(theirs.loss(), ours.loss(), compare.TOLERANCE[dtype])
        for contestant in (ours, theirs):  # what is timed is what was checked
            contestant.train(3)
        assert figures.agrees(theirs.loss(), ours.loss(), compare.TOLERANCE[dtype])


@pytest.mark.parametrize("name", SAME)
def test_squares_by_gradient_descent_are_the_same(name):
    """No workload has it, and libraries differ in the factor of the loss."""
    workload = replace(WORKLOADS["matexp"].with_rows(40, 15), optimizer="sgd", learning_rate=0.05, shuffle=True)
    losses = []
    for contestant in ("numpy", name):
        if contestants.module(contestant).available():
            pytest.skip(contestants.module(contestant).available())
        found, _ = start(contestant, workload, "float64", 1)
        found.given(5)
        losses.append(found.loss())
    assert figures.agrees(losses[1], losses[0], compare.TOLERANCE["float64"])


def test_seconds_of_an_epoch_become_microseconds_of_a_step(monkeypatch):
    """Four batches an epoch; and a contestant's turns are its own."""
    group = compare.Group("tab@100", "float64", [0], True)
    first = {"versions": {}, "tolerance": 0.0, "prepare_s": 1.0, "note": "", "blas": [], "held_back": []}

    def start(name):
        group.children[name] = SimpleNamespace(first=first, end=lambda: None)
        group.losses[name] = 0.5

    monkeypatch.setattr(group, "start", start)
    monkeypatch.setattr(group, "turns", lambda: {"fastmlp": [4e-4, 8e-4, 2e-4], "numpy": [4e-3]})
    rows, *_ = group.measure(["fastmlp", "numpy"], 0.5)
    assert [(row["contestant"], row["us_step"], row["turns"]) for row in rows] == [
        ("fastmlp", pytest.approx(100), 3), ("numpy", pytest.approx(1000), 1)
    ]  # fmt: skip
    assert (rows[0]["low"], rows[0]["high"]) == (pytest.approx(75), pytest.approx(150))


def test_fastmlp_s_turn_is_as_many_epochs_as_asked(monkeypatch):
    """Between two calls of its callback, on a clock that counts the epochs that it has trained."""
    ours = made("fastmlp", "digits@430")
    monkeypatch.setattr(
        ours, "fit", lambda epochs, callback: [callback(None), clock.append(epochs - 1), callback(None)]
    )
    clock = [0]
    monkeypatch.setattr("benchmarks.contestants.fastmlp_.now", lambda: clock[-1])
    assert ours.run(7, given=False) == 7


def test_slow_rounds_are_fewer(planted, monkeypatch):
    monkeypatch.setattr(compare, "ROUND_SECONDS", 0.0)
    result = compare.run(["xor@20"], [], ["float32"], [1])
    assert [row["turns"] for row in result["rows"]] == [compare.FEWEST_TURNS]


def test_the_tolerance_grows_with_rows_in_float32():
    assert compare.tolerance(WORKLOADS["xor"], "float32") == compare.TOLERANCE["float32"]
    assert compare.tolerance(WORKLOADS["xor-200000"], "float32") == 20 * compare.TOLERANCE["float32"]
    assert compare.tolerance(WORKLOADS["xor-200000"], "float64") == compare.TOLERANCE["float64"]
    assert compare.tolerance(WORKLOADS["xor"], "float64", 1e-4) == 1e-4


def test_fits_of_fastmlp_go_on_where_the_last_one_ended():
    """A fit for each epoch, and one for all: Adam's state and the orders go on."""
    several, at_once = made("fastmlp", "digits@430"), made("fastmlp", "digits@430")
    for _ in range(3):
        several.given(1)
    at_once.given(3)
    assert several.loss() == at_once.loss()


def test_shuffles_are_those_of_fastmlp():
    """Another order is another training: the check would notice."""
    ours, theirs = made("numpy", "digits@430"), made("fastmlp", "digits@430")
    ours.epoch = 5  # the orders of later epochs
    for contestant in (ours, theirs):
        contestant.given(2)
    assert not figures.agrees(theirs.loss(), ours.loss(), compare.TOLERANCE["float32"])


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_check_sees_a_wrong_learning_rate(name):
    """On every workload, however few its steps: a rate one percent off is off by more than the tolerance."""
    workload = WORKLOADS[name].with_rows(min(WORKLOADS[name].rows, 64), 16 if WORKLOADS[name].batch else None)
    if workload.parameters > 1e5:  # its kind, narrower
        workload = replace(workload, layers=(workload.layers[0], 16, 16, workload.layers[-1]))
    losses = []
    for factor in (1, 1.01):
        changed = replace(workload, learning_rate=workload.learning_rate * factor)
        contestant, _ = start("numpy", changed, "float64", 1)
        contestant.given(max(1, compare.FEWER_STEPS // changed.steps_epoch))
        losses.append(contestant.loss())
    assert not figures.agrees(losses[1], losses[0], compare.tolerance(WORKLOADS[name], "float32"))


def test_scikit_learn_says_what_it_cannot():
    pytest.importorskip("sklearn")
    found, first = start("sklearn", WORKLOADS["xor-online"], "float64", 1)
    assert found is None
    assert first == {"missing": "scikit-learn has no sigmoid output with squared error"}


def test_a_turn_of_scikit_learns_is_from_its_first_epochs_end_to_the_last(monkeypatch):
    pytest.importorskip("sklearn")
    from benchmarks.contestants import sklearn_

    clock = itertools.count(0.0)
    monkeypatch.setattr(sklearn_, "now", lambda: next(clock))
    for name in ("xor-20", "matexp@50"):  # by sgd and by adam
        made = sklearn_.Contestant(workload_of(name), "float64", 1)
        made.prepare()
        assert made.train(5) == 5.0


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="contestant='tourch' is not known: use one of fastmlp, numpy"):
        contestants.module("tourch")
    with pytest.raises(ValueError, match="command='trian 3' is not known"):
        answer(None, "trian 3")
    for arguments, words in (
        ({"workloads": ["xar"]}, "workload='xar' is not known"),
        ({"workloads": ["xor@"]}, "workload='xor@' needs a number of rows after the @, like xor@200"),
        ({"workloads": ["xor@-3"]}, "workload='xor@-3' needs a number of rows"),
        ({"workloads": ["xor@0"]}, "workload='xor@0' needs a number of rows"),
        ({"dtypes": ["float16"]}, "dtype='float16' is not known"),
        ({"threads": [4096]}, "threads=4096 is not to be had"),
        ({"peers": ["keras"]}, "contestant='keras' is not known"),
    ):
        with pytest.raises(ValueError, match=words):
            compare.run(**{"workloads": ["xor@20"], "threads": [1], **arguments})


# ---------------------------------------------------------------------------------------------------------
# Planted contestants, in processes of their own

PLANTED = {
    "planted_slow": """
        class Contestant(numpy_.Contestant):
            def run(self, epochs, given):
                start = time.perf_counter()
                super().run(epochs, given)
                if not given:
                    time.sleep(0.005 * epochs)
                return time.perf_counter() - start
    """,
    "planted_wrong": """
        class Contestant(numpy_.Contestant):
            def update(self, gradients):
                super().update([g * 1.001 for g in gradients])
    """,
    "planted_crash": """
        class Contestant(numpy_.Contestant):
            def train(self, epochs):
                raise RuntimeError("planted")
    """,
    "planted_death": """
        class Contestant(numpy_.Contestant):
            def prepare(self):
                os._exit(3)
    """,
    "planted_hang": """
        class Contestant(numpy_.Contestant):
            def prepare(self):
                time.sleep(3600)
    """,
    "planted_chatter": """
        class Contestant(numpy_.Contestant):
            def given(self, epochs):
                print("a library's greeting")
                os.system("echo a child of its own")
                super().given(epochs)
    """,
    "planted_absent": """
        def available():
            return "it is planted"
    """,
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    head = "import os, time\nfrom benchmarks.contestants import numpy_\nfrom benchmarks.contestants.numpy_ import *\n"
    for name, body in PLANTED.items():
        (tmp_path / f"{name}.py").write_text(head + textwrap.dedent(body))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(compare.startup, "measure", lambda turns, pins: [])


def test_the_quick_table_leaves_out_what_is_slow_to_start():
    """And says so; who asks for workloads or peers gets them all."""
    every = list(contestants.MODULES)
    assert compare.contestants_of(None, False) == (every, [])
    names, (left_out,) = compare.contestants_of(None, True)
    assert names == [name for name in every if name != compare.SLOW_TO_START]
    assert (left_out["contestant"], left_out["workload"]) == (compare.SLOW_TO_START, None)
    assert compare.contestants_of(["torch_compiled", "fastmlp"], True) == (["fastmlp", "torch_compiled"], [])


def test_a_planted_run(planted, monkeypatch, tmp_path):
    """A slow one is slower, a wrong one is marked, those that fail are left out; and the rest of the result."""
    monkeypatch.setattr(children, "START_SECONDS", 60)
    seen = []
    peers = ["numpy", *(f":{name}" for name in PLANTED if name != "planted_hang")]
    result = compare.run(
        ["xor@200"], peers, ["float64"], [1], quick=True, tell=lambda *told: seen.append(told), command="planted"
    )
    rows = {row["contestant"]: row for row in result["rows"]}
    assert set(rows) == {"fastmlp", "numpy", ":planted_slow", ":planted_wrong", ":planted_chatter"}
    assert rows[":planted_slow"]["us_step"] > 5000 > rows["numpy"]["us_step"]
    assert {name for name, row in rows.items() if not row["loss_ok"]} == {":planted_wrong"}
    assert rows["fastmlp"]["loss"] == pytest.approx(rows["numpy"]["loss"], rel=1e-12)
    missing = {entry["contestant"]: entry for entry in result["missing"]}
    assert missing[":planted_absent"] == {"contestant": ":planted_absent", "workload": None, "why": "it is planted"}
    assert "RuntimeError: planted" in missing[":planted_crash"]["why"]
    assert missing[":planted_death"]["why"] == "ended in getting ready with code 3: it said nothing"
    for row in rows.values():
        assert row["low"] <= row["us_step"] <= row["high"]
        assert row["turns"] == compare.TURNS[True]
        assert row["prepare_s"] > 0
        gflops = WORKLOADS["xor"].flops_step / 10 / row["us_step"] / 1e3
        assert row["share_of_peak"] == pytest.approx(gflops / result["peak_gflops"]["float64"]["1"])
    assert [(done, of) for done, of, _ in seen] == [(0, 2), (1, 2), (2, 2)]
    compare.write(result, tmp_path / "results" / "planted.json")
    assert json.loads((tmp_path / "results" / "planted.json").read_text()) == result
    assert {*result} == {"format", "made", "peak_gflops", "rows", "missing", "startup", "data"}
    assert result["data"] == {"xor@200": "the four points, tiled"}
    assert {*result["made"]} == {"when", "commit", "machine", "versions", "command"}
    assert {*result["made"]["machine"]} == {"cpu", "cores", "memory_gb", "os"}
    lines = compare.table(result).splitlines()
    assert len(lines) == 3
    assert lines[2].count(" *") == 1


def test_the_plain_table_s_ratio_is_of_the_best_peer():
    us = {"fastmlp": 2.0, "numpy": 9.0, "jax": 7.0}
    made = results.result([results.row("xor", name, of, loss_ok=name != "jax") for name, of in us.items()])
    assert compare.table(made).splitlines()[2] == "| xor, float64, 1 | 2.00 | 9.00 | 7.00 * | 60% | 3.50 |"


def test_a_child_that_hangs_is_ended(planted, monkeypatch):
    monkeypatch.setattr(children, "START_SECONDS", 3)
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(children.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])
    with pytest.raises(children.Failed, match="no answer to getting ready in 3 s"):
        children.Child(":planted_hang", "xor@20", "float64", compare.cores.chosen(1), start_seconds=3)
    assert started[0].poll() is not None


def test_what_a_child_answers(planted):
    with children.Child("numpy", "xor@20", "float32", compare.cores.chosen(1)) as child:
        assert child.first["ready"]
        assert child.first["prepare_s"] > 0
        assert "numpy" in child.first["versions"]
        before = child.ask("loss")["loss"]
        assert child.ask("train 20")["seconds"] > 0
        assert child.ask("loss")["loss"] < before
        assert child.ask("again") == {}
        assert child.ask("loss")["loss"] == before
        with pytest.raises(children.Failed, match="command='dance' is not known"):
            child.ask("dance")
        with pytest.raises(children.Failed, match="code 1"):  # it has ended, and says so again
            child.ask("loss")


def test_the_folder_it_is_called_in_holds_another_fastmlp(tmp_path, monkeypatch):
    """As a checkout does, from which an installed package is measured: `python -m` would take the folder's."""
    for package in ("fastmlp", "benchmarks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise ImportError('this is another one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with children.Child("numpy", "xor@20", "float64", compare.cores.chosen(1)) as child:
        assert child.first["ready"]
    monkeypatch.setattr(startup, "SCRIPT", startup.SCRIPT.replace("epochs=5000", "epochs=5"))
    assert startup.run(os.environ.get("FASTMLP_CACHE_DIR", str(tmp_path)), compare.cores.chosen(1))["seconds"] > 0


def test_a_judge_that_fails_is_said_in_words(monkeypatch):
    def fails(*_):
        raise children.Failed("ended in getting ready with code -9: it said nothing")

    monkeypatch.setattr(compare, "Child", fails)
    with pytest.raises(ValueError, match="xor: the NumPy script, whose loss is to be compared with, ended in getting"):
        compare.judge("xor", [0])


def test_too_much_memory_is_said(monkeypatch):
    monkeypatch.setattr(compare, "memory_free", lambda: 1e9)
    group = compare.Group("xor-2000000", "float64", [0], True)
    group.start("numpy")
    assert not group.children
    assert "GB of memory, and 1.0 are free" in group.missing[0]["why"]
    assert compare.memory_needed(WORKLOADS["xor"], "float64") < 1e9


def test_start_up_is_a_run_whose_parts_add_up(monkeypatch):
    runs = [{"seconds": s, "parts": {"python": s}} for s in (3.0, 1.0, 2.0)]
    assert startup.median_run(runs)["parts"] == {"python": 2.0}
    assert startup.median_run(runs[:2])["seconds"] == 1.0
    monkeypatch.setattr(startup, "run", lambda cache, pins: runs[0])
    assert [row["what"] for row in startup.measure(2, [0])] == ["empty cache", "warm cache"]


def test_a_start_up_run(monkeypatch, tmp_path):
    """With this test run's own cache, so that nothing is compiled again without need."""
    monkeypatch.setattr(startup, "SCRIPT", startup.SCRIPT.replace("epochs=5000", "epochs=5"))
    found = startup.run(os.environ.get("FASTMLP_CACHE_DIR", str(tmp_path)), compare.cores.chosen(1))
    assert {*found["parts"]} == {"python", "import", "load_kernels", "train"}
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"])
    assert all(seconds > 0 for seconds in found["parts"].values())


def test_the_command_refuses_in_words(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--workload", "xar"])
    assert "workload='xar' is not known" in capsys.readouterr().err
