"""What `fastmlp train` and `predict` tell: reports, --json, --quiet, and the curve of held-out rows in a plot."""

import json

import numpy as np
import pytest

from fastmlp import cli
from fastmlp.cli import reporting
from fastmlp.tables.table_model import TableModel

KEYS = {
    *("command", "version", "data", "rows", "columns", "target", "task", "classes", "network", "epochs", "stopped"),
    *("best_epoch", "loss", "validation_loss", "validation_accuracy", "metrics", "seconds", "loading_seconds"),
    *("backend", "digest", "files"),
}
PREDICT_KEYS = {
    *("command", "version", "model", "data", "rows", "target", "task", "classes", "columns", "predictions", "metrics"),
    *("not_scored", "digest", "files"),
}


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def csv_of(path, x, y):
    names = ",".join([*(f"c{k}" for k in range(x.shape[1])), "label"])
    np.savetxt(path, np.column_stack([x, y]), "%.10g", ",", header=names, comments="")
    return path


@pytest.fixture
def classes(tmp_path):
    x = np.random.RandomState(0).randn(60, 3)
    return csv_of(tmp_path / "classes.csv", x, np.where(x[:, 0] > 0.5, 7, np.where(x[:, 1] > 0, 4, -1)))


@pytest.fixture
def quantity(tmp_path):
    x = np.random.RandomState(1).randn(60, 3)
    return csv_of(tmp_path / "quantity.csv", x, 100 + 20.5 * x[:, 0] + x[:, 1])


def test_train_tells_of_each_class(run, classes):
    status, out, err = run("train", classes, "--target", "label", "--epochs", 5)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[7].startswith("log loss: ")
    assert lines[8].split() == ["class", "precision", "recall", "F1", "rows"]
    assert [line.split()[0] for line in lines[9:12]] == ["-1", "4", "7"]
    assert sum(int(line.split()[-1]) for line in lines[9:12]) == 12
    assert lines[12].startswith("  confusion")


def test_train_tells_errors_in_the_tables_units(run, quantity, tmp_path):
    file = tmp_path / "made.safetensors"
    _, out, _ = run(
        "train", quantity, "--target", "label", "--task", "regress", "--epochs", 5, "--held-out", 0, "-o", file
    )
    x, y = np.split(np.loadtxt(quantity, delimiter=",", skiprows=1), [3], axis=1)
    error = TableModel.load(file).predict(x) - y[:, 0]
    line = next(line for line in out.splitlines() if line.startswith("MAE"))
    mae, rmse = (part.split(": ")[1] for part in line.split(", "))
    assert float(mae) == pytest.approx(abs(error).mean(), rel=1e-5)
    assert float(rmse) == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)


@pytest.mark.parametrize("more", [[], ["--held-out", 0], ["--validation", 0.2, "--early-stopping", 2]], ids=str)
@pytest.mark.parametrize("kind", ["classes", "quantity"])
def test_json_has_the_same_keys_and_no_nan(run, request, tmp_path, kind, more):
    table, file = request.getfixturevalue(kind), tmp_path / "made.safetensors"
    status, out, err = run("train", table, "--target", "label", "--epochs", 4, "--json", "-o", file, *more)
    assert (status, err) == (0, "")
    found = json.loads(out, parse_constant=pytest.fail)
    assert out.count("\n") == 1
    assert set(found) == KEYS
    assert set(found["metrics"]) == {"training", "held_out"}
    assert (found["metrics"]["held_out"] is None) == (more == ["--held-out", 0])
    assert sum(found["rows"].values()) == 60
    assert found["digest"] == TableModel.load(file).model.digest()
    assert found["files"] == {"model": str(file), "plot": None, "checkpoint": None, "transcript": None}
    _, out, err = run("predict", file, table, "--json")
    told = json.loads(out, parse_constant=pytest.fail)
    assert (set(told), err) == (PREDICT_KEYS, "")
    assert len(told["predictions"]) == told["rows"] == 60
    if kind == "classes":
        assert found["classes"] == told["classes"] == [-1, 4, 7]
        matrix = np.array(told["metrics"]["confusion"])
        assert matrix.trace() / 60 == pytest.approx(told["metrics"]["accuracy"])
        assert set(told["predictions"]) <= {-1, 4, 7}
    else:
        assert found["classes"] is None
        assert set(told["metrics"]) == {"mae", "rmse", "r2"}


def test_json_beside_a_file_of_predictions(run, classes, tmp_path):
    file, other = tmp_path / "made.safetensors", tmp_path / "p.csv"
    run("train", classes, "--target", "label", "--epochs", 2, "--quiet", "-o", file)
    status, out, _ = run("predict", file, classes, "--json", "-o", other, "--probabilities")
    found = json.loads(out)
    assert status == 0
    assert found["predictions"] is None
    assert found["columns"] == ["p_-1", "p_4", "p_7"]
    assert found["files"] == {"predictions": str(other)}
    assert len(other.read_text().splitlines()) == 61


def test_quiet_says_nothing_but_errors_and_warnings(run, classes, quantity, tmp_path):
    file = tmp_path / "made.safetensors"
    assert run("train", classes, "--target", "label", "--epochs", 2, "--quiet", "--progress", "-o", file) == (0, "", "")
    status, out, err = run("predict", file, classes, "--quiet")
    assert (status, len(out.splitlines()), err) == (0, 61, "")
    status, out, err = run(
        "train", quantity, "--target", "label", "--task", "regress", "--quiet", "--learning-rate", 1e9
    )
    assert (status, out) == (2, "")
    assert err.startswith("fastmlp: training diverged")
    assert run("train", classes, "--target", "label", "--quiet", "--json")[0] == 2


def test_labels_that_the_model_does_not_know(run, classes, tmp_path):
    file = tmp_path / "made.safetensors"
    run("train", classes, "--target", "label", "--epochs", 2, "-o", file)
    other = tmp_path / "other.csv"
    other.write_text(classes.read_text().replace(",7\n", ",9\n"))
    status, _, err = run("predict", file, other)
    assert status == 0
    assert err.startswith("accuracy: ")
    assert err.endswith("note: the target has labels that the model does not know: no figures of each class\n")
    assert json.loads(run("predict", file, other, "--json")[1])["metrics"].keys() == {"accuracy"}


def test_the_plot_has_a_curve_of_held_out_rows_and_changes_no_bit(run, classes, tmp_path, monkeypatch):
    seen = []
    begin = reporting.Curve.__init__
    monkeypatch.setattr(reporting.Curve, "__init__", lambda self, *given: (seen.append(self), begin(self, *given))[1])
    plain = json.loads(run("train", classes, "--target", "label", "--epochs", 6, "--json")[1])
    picture = tmp_path / "made.svg"
    drawn = json.loads(run("train", classes, "--target", "label", "--epochs", 6, "--json", "--plot", picture)[1])
    assert drawn["digest"] == plain["digest"]
    (curve,) = seen
    assert curve.epochs == [1, 2, 3, 4, 5, 6]
    assert curve.accuracy[-1] == plain["metrics"]["held_out"]["accuracy"]
    assert curve.loss[-1] == pytest.approx(plain["metrics"]["held_out"]["log_loss"], rel=1e-12)
    assert reporting.HELD_OUT == "tab:red"
    assert "#d62728" in picture.read_text()  # tab:red
    run("train", classes, "--target", "label", "--epochs", 3, "--held-out", 0, "--plot", picture)
    assert "#d62728" not in picture.read_text()
    assert len(seen) == 1


def test_labels_beyond_integers_are_reported(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{k % 2},{1e20 if k % 2 else 2e20!r}\n" for k in range(40)))
    assert cli.main(["train", str(path), "--target", "y", "--epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == [int(1e20), int(2e20)]
