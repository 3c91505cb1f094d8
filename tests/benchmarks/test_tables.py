"""benchmarks/tables.py: which tables decide, and figures of a report by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tables(monkeypatch):
    """The module, which lies beside the package; it sets threads for its own process, which this one is not."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTMLP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks import tables

    return tables


def fold(error, test=100, seconds=1.0, log_loss=0.5):
    return {"error": error, "test": test, "rows": 4 * test, "seconds": seconds, "log_loss": log_loss}


def test_names_alone_say_which_tables_decide(tables):
    deciding = {name for name, table in tables.TABLES.items() if table.decides}
    assert deciding == {
        "breast_cancer", "wine", "chile", "arrests", "credit", "attrition", "churn", "orange_juice", "work",
        "contraceptive", "phoneme", "satimage", "concrete", "wage", "wages_1985", "grinnell", "cars",
    }  # fmt: skip
    assert len(tables.TABLES) >= 20


def test_ranks_ratios_and_seconds(tables):
    known = {
        "wine": {
            "0": {"fastmlp": fold(0.1), "hist_boosting": fold(0.2, seconds=3.0, log_loss=1.0)},
            "1": {"fastmlp": fold(0.0), "hist_boosting": fold(0.02, log_loss=1.0)},  # 0 counts as half a row
            "2": {"fastmlp": fold(0.9)},  # not all have it
        },
        "chile": {"0": {"fastmlp": fold(0.3, log_loss=0.4), "hist_boosting": fold(0.3, log_loss=0.4)}},
    }
    found = tables.summary(known, ["fastmlp", "hist_boosting"], ["wine", "chile"])
    ours, base = found["fastmlp"]["classify"], found["hist_boosting"]["classify"]
    assert (ours["tables"], ours["rank"], base["rank"]) == (2, 1.25, 1.75)
    assert ours["ratio"] == pytest.approx(((0.5 * 0.25) ** 0.5) ** 0.5)
    assert ours["log_loss"] == pytest.approx(0.5**0.5)
    assert (ours["seconds"], base["seconds"]) == (2.0, 3.0)
    assert (base["ratio"], found["fastmlp"]["rank"]) == (1, 1.25)
    text = tables.report(known, ["fastmlp", "hist_boosting"])
    assert text.startswith("Deciding tables: 2, 3 folds\n")
    assert "`fastmlp` | 1.25 | 1.250 |" in text


def test_a_run_goes_on_where_it_ended(tables, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    calls = []

    def measured(make, table, split):
        calls.append((table.name, split))
        if make is None:
            raise ImportError("not here")
        return fold(0.5)

    monkeypatch.setattr(tables, "measured", measured)
    out, both = tmp_path / "x" / "folds.json", [tables.TABLES["wine"], tables.TABLES["breast_cancer"]]
    tables.run({"a": 1, "b": None}, both[:1], 1, 1000, out)
    tables.run({"a": 1}, both, 2, 500, out)  # breast_cancer is larger
    assert calls == [("wine", 0), ("wine", 0), ("wine", 1)]
    assert set(json.loads(out.read_text())["wine"]["1"]) == {"a"}


def test_the_recipe_is_among_its_ablations(tables):
    pytest.importorskip("sklearn")
    from benchmarks.table_ablation import ABLATIONS
    from fastmlp import TabularClassifier, TabularRegressor

    for make in ABLATIONS.values():
        for task, kind in (("classify", TabularClassifier), ("regress", TabularRegressor)):
            made = make(task, None)
            assert isinstance(made, kind)
            assert made._network(3, 2)["layers"][0] == 3
            assert made._training()["epochs"] > 0
    told = set()
    for make in ABLATIONS.values():
        one = make("classify", None)
        scale = type(one._scale_of(np.arange(8.0).reshape(4, 2) ** 2, "ab"))
        told.add(repr((one._network(3, 2), one._training(), one._stopping(), scale, one.get_params())))
    assert len(told) == len(ABLATIONS), "two ablations are one"
    plain = ABLATIONS["recipe"]("classify", None)
    assert plain.get_params() == TabularClassifier().get_params()
    assert repr(plain._training()) == repr(TabularClassifier()._training())
