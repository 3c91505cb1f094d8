"""Many models at once: the table, contestants that train the same, planted ones that do not, and the report."""

import copy
import json
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.spec import DTYPES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ lies beside the package

from benchmarks import contestants, many, many_cases, many_contestant, many_report  # noqa: E402
from benchmarks.contestants import many as trainers  # noqa: E402
from benchmarks.contestants import numpy_  # noqa: E402
from benchmarks.contestants.many import fastmlp_loop  # noqa: E402
from benchmarks.many_cases import CASES  # noqa: E402

# ---------------------------------------------------------------------------------------------------------
# The table


def test_the_table_has_what_it_should():
    found = {
        name: (*case.workload.layers, case.workload.batch_rows, case.workload.rows) for name, case in CASES.items()
    }
    assert found == {
        "2-2-1-b1": (2, 2, 1, 1, 4), "2-2-1-b4": (2, 2, 1, 4, 4), "2-8-8-2-b4": (2, 8, 8, 2, 4, 4),
        "matexp-b200": (4, 32, 16, 4, 200, 200), "tab-b32": (30, 64, 64, 2, 32, 2048),
        "digits-b32": (64, 100, 10, 32, 1797), "digits-b200": (64, 100, 10, 200, 1797),
        "xor-b2000": (2, 8, 8, 2, 2000, 2000),
    }  # fmt: skip
    assert all(case.name == name and case.workload.optimizer == "sgd" for name, case in CASES.items())
    assert many_cases.MODELS == (1, 8, 64, 512, 4096)
    assert set(many_report.LEADS) == set(CASES)
    assert set(many_report.LABELS) == set(trainers.MODULES)


def test_a_cell_is_a_case_and_a_number_of_models():
    assert many_cases.cell("tab-b32*64") == (CASES["tab-b32"], 64)
    with pytest.raises(ValueError, match="case='tob' is not known: use one of 2-2-1-b1, "):
        many_cases.cell("tob*64")
    for text in ("tab-b32", "tab-b32*", "tab-b32*0", "tab-b32*few"):
        with pytest.raises(ValueError, match=r"needs a number of models after the \*, like tab-b32\*64"):
            many_cases.cell(text)


def test_models_have_rates_orders_and_weights_of_their_own():
    workload = CASES["digits-b32"].workload
    rates = many_cases.rates(workload, 9)
    assert rates[0] == rates[8] == workload.learning_rate
    assert len(set(rates)) == 8
    assert min(rates) > rates[0] / 3
    orders = many_cases.orders(workload, 3, 2, 2)
    assert orders.shape == (2, 3, 1797)
    assert len({order.tobytes() for order in orders.reshape(6, -1)}) == 6
    assert (np.sort(orders, axis=2) == np.arange(1797)).all()
    assert (orders[1, 2] == contestants.order(1797, 3, seed=3)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_stacked_weights_are_the_models_own(dtype, monkeypatch, tmp_path):
    workload = CASES["2-8-8-2-b4"].workload
    drawn = many_cases.stacks(workload, dtype, 3)
    for k in range(3):
        for (w, b), (own_w, own_b) in zip(drawn, Model(workload.layers, seed=k + 1, dtype=dtype).weights, strict=True):
            assert (w[k] == own_w).all()
            assert (b[k] == own_b).all()
            assert w.dtype == dtype
    monkeypatch.setenv(many_cases.FOLDER, str(tmp_path))
    many_cases.keep_weights(workload, dtype, 4, tmp_path)
    monkeypatch.setattr(many_cases, "_drawn", None)  # from the file
    many_cases.keep_weights(workload, dtype, 3, tmp_path)
    for (w, b), (kept_w, kept_b) in zip(drawn, many_cases.stacks(workload, dtype, 3), strict=True):
        assert (w == kept_w).all()
        assert (b == kept_b).all()
    with pytest.raises(AssertionError, match="has 4 models, and 5 are needed"):
        many_cases.stacks(workload, dtype, 5)


def test_the_sample_has_the_first_and_the_last():
    assert many_cases.sample(1) == [0]
    assert many_cases.sample(16) == list(range(16))
    for models in (17, 64, 4096):
        some = many_cases.sample(models)
        assert len(some) == len(set(some)) == 16
        assert (some[0], some[-1]) == (0, models - 1)
        assert len({k % 8 for k in some}) >= 5  # lanes of a register, of 8 at least


# ---------------------------------------------------------------------------------------------------------
# The same work


def checked(kind, case, models, dtype):
    """(how far a contestant's losses are from the judge's, what is allowed)."""
    one = kind(case, models, dtype, 1)
    one.build()
    one.make()
    found = many_contestant.answer(one, f"check {case.check_epochs}")["losses"]
    one.end()
    return many_cases.furthest(found, many_cases.judge(case, models)), many.tolerance(case, dtype, one.tolerance)


@pytest.mark.sample(3)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", ["2-2-1-b1", "2-2-1-b4", "2-8-8-2-b4", "matexp-b200"])
def test_the_loop_trains_what_the_script_trains(case, dtype):
    off, allowed = checked(fastmlp_loop.Contestant, CASES[case], 3, dtype)
    assert off <= allowed


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", [name for name in trainers.MODULES if name != "fastmlp_loop"])
@pytest.mark.parametrize(
    "case", ["2-8-8-2-b4", *(pytest.param(case, marks=pytest.mark.slow) for case in ("2-2-1-b1", "digits-b200"))]
)
def test_others_train_the_same(name, case, monkeypatch):
    module = trainers.module(name)
    if module.available():
        pytest.skip(module.available())
    monkeypatch.setenv(many_cases.NO_COMPILE, "1")
    try:
        off, allowed = checked(module.Contestant, CASES[case], 3, "float32")
    except contestants.Unable as error:
        pytest.skip(str(error))
    assert off <= allowed


class FewerEpochs(fastmlp_loop.Contestant):
    def run(self, epochs, given):
        return super().run(epochs - given, given)


class LastUntrained(fastmlp_loop.Contestant):
    def make(self):
        super().make()
        *self.fitted, self.last = self.fitted

    def weights(self, k):
        return [*self.fitted, self.last][k].weights

    def run(self, epochs, given):
        kept, self.rates = self.rates, self.rates[:-1]
        seconds = super().run(epochs, given)
        self.rates = kept
        return seconds


class NeighboursRate(fastmlp_loop.Contestant):
    def build(self):
        super().build()
        self.rates = [*self.rates[1:], self.rates[0]]


class SharedShuffle(fastmlp_loop.Contestant):
    def make(self):
        super().make()
        first = self.fitted[0]
        for model in self.fitted[1:]:
            weights, model._network = model.weights, copy.copy(model._network)
            model._network.seed = first.seed
            model.set_weights(weights)


class NoShuffle(fastmlp_loop.Contestant):
    def build(self):
        super().build()
        self.options["shuffle"] = False


@pytest.mark.parametrize("fault", [FewerEpochs, LastUntrained, NeighboursRate, SharedShuffle, NoShuffle])
def test_other_work_is_seen_by_the_losses(fault):
    off, allowed = checked(fault, CASES["2-2-1-b1"], 3, "float32")
    assert off > 2 * allowed


@pytest.mark.parametrize("name", CASES)
def test_a_step_less_is_seen_in_each_case(name):
    """By the tolerance of float32, the wider one."""
    case = CASES[name]

    class Lazy(numpy_.Contestant):
        def batches(self):
            every = super().batches()
            return every[:-1] if len(every) > 1 else every

        def given(self, epochs):
            super().given(epochs if len(super().batches()) > 1 else epochs - 1)

    lazy = Lazy(case.workload, "float64", 1)
    lazy.x, lazy.y = case.workload.data("float64")
    lazy.build()
    lazy.reset()
    lazy.given(case.check_epochs)
    assert many_cases.furthest([lazy.loss()], many_cases.judge(case, 1)) > 2 * many.tolerance(case, "float32")


def test_losses_that_are_none_are_infinitely_far():
    assert many_cases.furthest([1.0, 2.0], [1.0, 2.5]) == pytest.approx(0.2)
    assert many_cases.furthest([1.0], [1.0, 2.5]) == float("inf")
    assert many_cases.furthest([1.0, float("nan")], [1.0, 2.5]) == float("inf")
    assert many_cases.furthest([float("nan"), 2.5], [1.0, 2.5]) == float("inf")


# ---------------------------------------------------------------------------------------------------------
# A run

PLANTED = {
    "planted_lazy": """
        class Contestant(fastmlp_loop.Contestant):
            def run(self, epochs, given):
                return super().run(max(1, epochs // 2), given)
    """,
    "planted_death": """
        class Contestant(fastmlp_loop.Contestant):
            def make(self):
                os._exit(3)
    """,
    "planted_slow": """
        class Contestant(fastmlp_loop.Contestant):
            def run(self, epochs, given):
                return super().run(epochs, given) + 1000 * (not given)
    """,
    "planted_absent": """
        def available():
            return "it is planted"
    """,
}


@pytest.fixture
def planted(tmp_path, monkeypatch):
    head = "import os\nfrom benchmarks.contestants.many import fastmlp_loop\n"
    head += "from benchmarks.contestants.many.fastmlp_loop import *\n"
    for name, body in PLANTED.items():
        (tmp_path / f"{name}.py").write_text(head + textwrap.dedent(body))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_a_run_of_two_models(planted, capsys, tmp_path):
    """In one round; who is not there, dies or does less is told. A second run keeps what there is."""
    out = tmp_path / "two.json"
    names = ["fastmlp_loop", *(f":{name}" for name in PLANTED)]
    words = ["--case", "2-2-1-b4", "--dtype", "float32", "--quick", "--out", str(out), "--contestants", *names]
    assert many.main([*words, "--models", "2"]) == 0
    printed = capsys.readouterr().out
    result = many_report.read(out)
    assert [row["contestant"] for row in result["rows"]] == ["fastmlp_loop", ":planted_lazy"]
    ours, lazy = result["rows"]
    assert ours["loss_ok"]
    assert not lazy["loss_ok"]
    assert 0 < ours["us_step"] < 1e4
    assert 0 < ours["models_s"] < 1e6
    assert ours["turns"] == 1
    assert 0 < ours["share_of_peak"] < 1
    assert "† :planted_lazy, 2-2-1-b4 x 2, float32: a loss is" in printed
    assert ":planted_absent: it is planted" in printed
    assert ":planted_death on 2-2-1-b4 x 2 (float32, one core): ended in getting ready with code 3" in printed
    assert ":planted_slow on 2-2-1-b4 x 2 (float32, one core): its turns would take 150 minutes or more" in printed
    many.main([*words, "--models", "2", "3"])
    again = many_report.read(out)
    for row in (*again["rows"], *result["rows"]):
        del row["share_of_peak"]  # of the highest peak that any run has seen
    assert again["rows"][:2] == result["rows"]
    assert [row["models"] for row in again["rows"]] == [2, 2, 3, 3]
    assert ":planted_slow on 2-2-1-b4 x 3 (float32, one core): 2 models took too long" in capsys.readouterr().out
    assert sum(entry["contestant"] == ":planted_absent" for entry in again["missing"]) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--case", "tob"], "case='tob' is not known"),
        (["--models", "0"], "models=0 has to be at least 1"),
        (["--threads", "0"], "threads=0 is not to be had"),
        (["--contestants", "jaxx"], "contestant='jaxx' is not known: use one of fastmlp_together, "),
        (["--check"], "--check needs --report FILE"),
        (["--report", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_is_not_known_is_refused(words, told, capsys):
    with pytest.raises(SystemExit) as ended:
        many.main(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_step_is_the_difference_of_two_turns():
    """A call that takes 3 ms and 2 us a step of each of 8 models, of 4 steps an epoch."""
    cell = many.Cell(CASES["2-2-1-b1"], 8, "float32", [0], True)
    cell.epochs, cell.losses, cell.makes = {"a": 101}, {"a": [1.0]}, {"a": 0.5}
    turns = [(0.003 + 1 * 32 * 2e-6, 0.003 + 101 * 32 * 2e-6)] * 3
    first = {"prepare_s": 1.0, "tolerance": 0.0, "note": "", "blas": [], "held_back": []}
    row = cell.row("a", turns, first, [1.0])
    assert row["us_step"] == pytest.approx(2.0)
    assert row["call_us_model"] == pytest.approx(3000 / 8)
    assert row["models_s"] == pytest.approx(8 / (0.003 + 5000 * 32 * 2e-6))
    assert (row["loss_ok"], row["loss_off"], row["make_s"]) == (True, 0.0, 0.5)
    assert json.loads(json.dumps(cell.row("a", turns, first, [1.0, 1.0])))["loss_ok"] is False


def test_turns_are_as_long_as_their_epochs_need():
    """Of a contestant whose calls take a second, and whose epochs a millisecond: as many as take a second, too."""
    cell = many.Cell(CASES["2-2-1-b1"], 8, "float32", [0], True)
    cell.train = lambda name, epochs: 1.0 + 0.001 * epochs
    cell.choose_epochs("a")
    assert 900 < cell.epochs["a"] < 1100
    cell.train = lambda name, epochs: 40.0 * epochs
    cell.choose_epochs("b")
    assert [entry["why"] for entry in cell.missing] == ["its turns would take 6 minutes or more"]


def test_a_pause_of_the_machine_does_not_make_turns_too_short():
    """The first long turn takes a second more than it would: twice as many epochs are tried, until there are enough."""
    cell = many.Cell(CASES["2-2-1-b1"], 8, "float32", [0], True)
    pauses = [0.0, 0.0, 1.0]
    cell.train = lambda name, epochs: 0.1 + 0.001 * epochs + (pauses.pop(0) if pauses else 0.0)
    cell.choose_epochs("a")
    assert 0.001 * cell.epochs["a"] > 0.1 / 3


def test_steps_that_drown_in_their_calls_are_no_row(monkeypatch):
    cell = many.Cell(CASES["2-2-1-b4"], 2, "float32", [0], True)
    first = {"prepare_s": 1.0, "tolerance": 0.0, "note": "", "blas": [], "held_back": [], "versions": {"a": "1"}}

    class Made:
        def __init__(self):
            self.first = first

        def end(self):
            pass

    def start(name):
        cell.children[name], cell.losses[name], cell.makes[name], cell.epochs[name] = Made(), [1.0, 1.0], 0.1, 3

    monkeypatch.setattr(cell, "start", start)
    monkeypatch.setattr(cell, "turns", lambda: {"fastmlp_loop": [(0.5, 0.4)]})
    rows, missing, versions = cell.measure({"fastmlp_loop": ""})
    assert (rows, versions) == ([], {})
    assert missing[0]["why"] == "its calls vary by more than its steps take: measure again"


def test_one_who_holds_all_activations_needs_memory(monkeypatch):
    assert many.memory_needed(CASES["xor-b2000"], 4096, "float64") > 5e9
    monkeypatch.setattr("benchmarks.compare.memory_free", lambda: 1e9)
    monkeypatch.setattr("benchmarks.many.Child", None)  # it is not started
    cell = many.Cell(CASES["xor-b2000"], 4096, "float64", [0], True)
    cell.start("jax_vmap")
    assert "GB of memory, and 1.0 are free" in cell.missing[0]["why"]


# ---------------------------------------------------------------------------------------------------------
# The report


def made_up(together=1.0, vmap=2.5, alone=1.5, threads=(1, 2)):
    """A result in which the times of all cases are these, in us; float32 takes half, and two cores 0.6 of it."""
    rows = []
    for case in CASES:
        for models in (1, 64, 512):
            for dtype in DTYPES:
                for count in threads:
                    scale = (0.5 if dtype == "float32" else 1.0) * (0.6 if count == 2 else 1.0)
                    for name, us in (("fastmlp_together", together), ("fastmlp_loop", alone), ("jax_vmap", vmap)):
                        rows.append({
                            "case": case, "models": models, "dtype": dtype, "threads": count, "contestant": name,
                            "us_step": us * scale, "low": us * scale, "high": us * scale, "turns": 5, "epochs_turn": 9,
                            "call_us_model": 50.0, "prepare_s": 1.0, "make_s": 1e-4 * models, "models_s": 100.0 / scale,
                            "loss": 0.3, "loss_judge": 0.3, "loss_off": 0.0, "loss_ok": True, "share_of_peak": 0.4,
                            "note": "a note", "blas": ["OpenBLAS"], "held_back": [],
                        })  # fmt: skip
    machine = {"cpu": "A CPU", "cores": 2, "memory_gb": 15.6, "os": "An OS"}
    made = {"when": "2030-01-02T03:04:05+00:00", "commit": "0123abc", "machine": machine, "versions": {"numpy": "2"}}
    return {
        "format": 1, "kind": many.KIND, "made": {**made, "command": "python -m benchmarks.many"}, "peaks": {},
        "rows": rows, "missing": [], "done": [], "data": {"tab-b32": "made up"},
    }  # fmt: skip


def test_goals_say_what_is_reached_and_what_is_not():
    found = {goal.what: goal.row[1:] for goal in many_report.goals(made_up())}
    assert found["tab-b32, 64 models: best peer"] == ["at least 1.9 / 1.9", "2.50", "2.50"]
    assert found["xor-b2000, 64 models: best peer"] == ["at least 14 / 12", "**2.50**", "**2.50**"]
    assert found["digits-b200, 64 models: best peer"] == ["at least 2 / 2.8", "2.50", "**2.50**"]
    assert found["2-2-1-b1, 512 models: best peer"] == ["at least 6 / 6", "**2.50**", "**2.50**"]
    assert found["a step of one of many over one alone, the slowest case"][1:] == ["0.67", "0.67"]
    assert found["digits-b32, 512 models: making them over training 20 epochs"][1:] == ["0.02", "0.01"]
    assert found["two cores over one, from 64 models on, the least case"][1:] == ["**1.67**", "**1.67**"]
    slow = {goal.what: goal.row[2:] for goal in many_report.goals(made_up(together=1.6))}
    assert slow["a step of one of many over one alone, the slowest case"] == ["**1.07**", "**1.07**"]
    quick = made_up()
    quick["rows"] += [
        {**row, "contestant": "jax_map", "us_step": row["us_step"] / 5}
        for row in quick["rows"]
        if row["contestant"] == "jax_vmap"
    ]
    assert many_report.goals(quick) == many_report.goals(made_up())  # it is in the table, and no rival
    assert "| tab-b32 | 64 | 1.00 | 1.50 | 2.50 | 0.500 | **jax.lax.map 0.50** |" in many_report.page(quick, "mine")
    alone = made_up()
    alone["rows"] = [row for row in alone["rows"] if row["contestant"] != "fastmlp_together"]
    assert many_report.goals(alone) == []


def test_the_page_says_all():
    result = made_up(vmap=0.9)
    result["rows"][0]["loss_ok"], result["rows"][0]["loss_off"] = False, 0.02
    result["rows"][1]["held_back"] = ["OPENBLAS_CORETYPE"]
    where = {"case": "tab-b32", "models": 512, "dtype": "float64", "threads": 1}
    result["missing"] = [
        {"contestant": "torch_func", **where, "why": "its turns would take 6 minutes or more", "long": True},
        {"contestant": "joblib_sklearn", "case": None, "why": "joblib is not installed"},
    ]
    text = many_report.page(result, "mine")
    assert "not fair: fastmlp, a loop: OPENBLAS_CORETYPE held OpenBLAS back" in text
    assert "| tab-b32 | 64 | 1.00 | 1.50 | 0.900 | **jax.vmap 0.90** | 40 % |" in text
    assert "† fastmlp together, 2-2-1-b1 x 1, float64: a loss is 2.0e-02 off" in text
    assert "- torch.func on tab-b32 x 512 (float64, one core): its turns would take 6 minutes or more" in text
    assert "- joblib, scikit-learn: joblib is not installed" in text
    assert "| digits-b32 | 20 | 64 | 200 | 200 | 200 |" in text
    short = many_report.readme_table(result, "mine")
    assert "| tab-b32 | 64 | 0.500 us | **jax.vmap 0.90** | 1.00 us | **jax.vmap 0.90** |" in short
    assert "| 2-2-1-b1 | 1 | 0.500 us | **jax.vmap 0.90** | 1.00 us† |" in short


def test_small_times_keep_two_digits():
    assert [many_report.us(value) for value in (0.00096, 0.0031, 0.0131, 0.2, 35.7)] == [
        "0.00096", "0.0031", "0.013", "0.200", "35.7",
    ]  # fmt: skip


def test_pages_and_pictures_are_written_and_checked(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(made_up()))
    assert many.main(["--report", str(path), "--check"]) == 1
    assert capsys.readouterr().out.count("is missing") == 2
    assert many.main(["--report", str(path)]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "mine-float32.svg", "mine-float64.svg", "mine.json", "mine.md",
    ]  # fmt: skip
    assert "![" in (tmp_path / "mine.md").read_text()
    capsys.readouterr()
    assert many.main(["--report", str(path), "--check"]) == 0
    assert capsys.readouterr().out == ""
    picture = tmp_path / "mine-float32.svg"
    picture.write_text(picture.read_text().replace("<svg", "<!-- --><svg", 1))
    path.write_text(json.dumps(made_up(vmap=3.0)))
    assert many.main(["--report", str(path), "--check"]) == 1
    said = capsys.readouterr().out
    assert "mine-float32.svg: was changed by hand" in said
    assert "mine-float64.svg: shows other figures" in said
    assert "mine.md: is not what mine.json gives" in said


def test_results_of_compare_and_of_many_are_told_apart(tmp_path):
    report = pytest.importorskip("benchmarks.report")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(made_up()))
    assert report.results(tmp_path) == {}
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"mine.json is no result: make one with python -m benchmarks\.many"):
        many_report.read(path)
