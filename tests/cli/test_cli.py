"""The command line: the two exercises to the digit, training on tables, predicting, and errors of one line."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from fastmlp import SGD, Adagrad, Adam, AdamW, CrossEntropy, EarlyStopping, Huber, Model, Quantile, RMSprop, cli, splits
from fastmlp.cli import demos
from fastmlp.schedules import (
    Cosine,
    CosineLog,
    Exponential,
    FlatCosine,
    InverseScaling,
    OneCycle,
    ReduceOnPlateau,
    Step,
    WarmUp,
)
from fastmlp.splits import split
from fastmlp.storage.container import read as read_file
from fastmlp.study import datasets
from fastmlp.tables import reader
from fastmlp.tables.table_model import TableModel

XOR = """\
Epoch  500 | loss=0.004159 | acc=1.0000
Epoch 1000 | loss=0.001368 | acc=1.0000
Epoch 1500 | loss=0.000765 | acc=1.0000
Epoch 2000 | loss=0.000516 | acc=1.0000
Epoch 2500 | loss=0.000384 | acc=1.0000
Epoch 3000 | loss=0.000303 | acc=1.0000
Epoch 3500 | loss=0.000248 | acc=1.0000
Epoch 4000 | loss=0.000209 | acc=1.0000
Epoch 4500 | loss=0.000180 | acc=1.0000
Epoch 5000 | loss=0.000158 | acc=1.0000

Final accuracy: 1.0
Sample predictions (first 8): [0 1 1 0 0 1 1 0]
Sample truths      (first 8): [0 1 1 0 0 1 1 0]
"""
XOR_SIGMOID_LOSSES = {
    0: 0.2558299419444368,
    1000: 0.24940565956551236,
    2000: 0.24544465159719808,
    3000: 0.2047073304071442,
    4000: 0.15320405369970766,
    5000: 0.13869146014771938,
    6000: 0.13359363321851758,
    7000: 0.13115112181268004,
    8000: 0.12974916048385188,
    9000: 0.12884908965171127,
}
XOR_SIGMOID_END = """\
Training complete!
Final output:
[[0.05300868]
 [0.49554213]
 [0.95091319]
 [0.50319888]]
"""


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


def csv_of(path, x, y, target="label"):
    names = ",".join([*(f"c{k}" for k in range(x.shape[1])), target])
    np.savetxt(path, np.column_stack([x, y]), "%.10g", ",", header=names, comments="")
    return path


@pytest.fixture
def small(tmp_path):
    """Two classes that a line tells apart, -1 and 4."""
    x = np.random.default_rng(0).normal(size=(40, 3))
    return csv_of(tmp_path / "small.csv", x, np.where(x[:, 0] > 0, 4, -1))


# ---------------------------------------------------------------------------------------------------------
# The exercises


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_demo_xor_is_the_exercise(run, dtype):
    status, out, err = run("demo", "xor", "--dtype", dtype)
    assert (status, out) == (0, XOR)
    assert re.search(r"^5000 epochs in [0-9.e-]+ s[,;] ", err)


def test_demo_xor_sigmoid_is_the_exercise(run):
    status, out, _ = run("demo", "xor-sigmoid")
    assert status == 0
    lines = re.findall(r"^Iteration (\d+), Loss: (0\.\d+)$", out, re.MULTILINE)
    assert [int(iteration) for iteration, _ in lines] == list(XOR_SIGMOID_LOSSES)
    # to 13 digits; the last few of the exercise's are those of its own order of summation
    assert [float(loss) for _, loss in lines] == pytest.approx(list(XOR_SIGMOID_LOSSES.values()), rel=1e-13)
    assert out.endswith(XOR_SIGMOID_END)


def xor_sigmoid_script(iterations):
    """The second exercise as it was written. -> the losses, and the outputs of the last forward pass."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    inputs, labels = datasets.xor(0)
    labels = labels[:, None]
    draws = np.random.RandomState(42)
    w1, b1, w2, b2 = draws.randn(2, 2), np.zeros((1, 2)), draws.randn(2, 1), np.zeros((1, 1))
    losses = []
    for _ in range(iterations):
        hidden = sigmoid(inputs @ w1 + b1)
        output = sigmoid(hidden @ w2 + b2)
        losses.append(np.mean((output - labels) ** 2))
        delta_output = (output - labels) * output * (1 - output)
        delta_hidden = delta_output @ w2.T * hidden * (1 - hidden)
        w2 -= 0.1 * hidden.T @ delta_output
        b2 -= 0.1 * delta_output.sum(axis=0)
        w1 -= 0.1 * inputs.T @ delta_hidden
        b1 -= 0.1 * delta_hidden.sum(axis=0)
    return losses, output


def test_demo_xor_sigmoid_follows_the_script_all_the_way(capsys):
    history = demos.xor_sigmoid(demos.DEFAULTS["xor-sigmoid"]).history
    losses, _ = xor_sigmoid_script(10_000)
    assert history.loss == pytest.approx(np.array(losses), rel=1e-12)
    assert history.epoch.tolist() == list(range(1, 10_001))


@pytest.mark.parametrize("iterations", [1, 2, 11])
def test_demo_xor_sigmoid_shows_what_the_script_shows(run, iterations):
    arguments = ["--backend", "reference", "--log-every", 5, "--epochs", iterations]
    status, out, _ = run("demo", "xor-sigmoid", *arguments)
    losses, output = xor_sigmoid_script(iterations)
    lines = dict(re.findall(r"^Iteration (\d+), Loss: (0\.\d+)$", out, re.MULTILINE))
    assert status == 0
    assert {int(key): float(value) for key, value in lines.items()} == {
        iteration: pytest.approx(losses[iteration], rel=1e-13) for iteration in range(0, iterations, 5)
    }
    assert out.endswith(f"Final output:\n{output}\n")


def test_demo_xor_takes_options(run, tmp_path):
    plot = tmp_path / "xor.png"
    arguments = ["--backend", "reference", "--dtype", "float32", "--epochs", 5, "--log-every", 2, "--plot", plot]
    status, out, err = run("demo", "xor", "--learning-rate", 0.2, *arguments)
    assert status == 0
    assert re.findall(r"^Epoch    (\d) \| loss=0\.\d{6} \| acc=[01]\.\d{4}$", out, re.MULTILINE) == ["2", "4"]
    assert "(float32, reference)" in err
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_float32_losses_have_their_own_digits(run):
    _, out, _ = run("demo", "xor-sigmoid", "--epochs", 2, "--dtype", "float32", "--backend", "reference")
    loss = re.search(r"^Iteration 0, Loss: (.*)$", out, re.MULTILINE).group(1)
    assert loss == str(np.float32(loss))
    assert len(loss) <= 12


# ---------------------------------------------------------------------------------------------------------
# Tables


def found(out, name):
    return re.search(rf"^{name}: (\S+)", out, re.MULTILINE).group(1)


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_train_learns_the_digits(run, tmp_path, ending):
    x, y = load_digits(return_X_y=True)
    path = tmp_path / f"digits.{ending}"
    if ending == "csv":
        csv_of(path, x, y)
    else:
        np.savez(path, X=x, label=y)
    status, out, _ = run("train", path, "--target", "label")
    assert status == 0
    assert f"digits.{ending}: 1797 rows, 64 features, 10 classes (0 1 2 3 4 5 6 7 8 9)" in out
    assert "training on 1438 rows, 359 held out" in out
    assert float(found(out, "held-out accuracy")) >= 0.96
    assert re.fullmatch("[0-9a-f]{64}", found(out, "digest"))


def test_train_fits_a_quantity(run, tmp_path):
    x, y = load_diabetes(return_X_y=True)
    status, out, _ = run("train", csv_of(tmp_path / "diabetes.csv", x, y, "progress"), "--target", "progress")
    assert status == 0
    assert "442 rows, 10 features, a quantity to predict" in out
    assert float(found(out, "held-out R2")) > 0.35


def test_train_takes_any_whole_numbers_as_classes(run, small):
    arguments = ["--backend", "reference", "--hidden", "none", "--epochs", 20]
    status, out, _ = run("train", small, "--target", "label", *arguments)
    assert status == 0
    assert "40 rows, 3 features, 2 classes (-1 4)" in out
    assert "network: 3-2, " in out
    assert "training on 32 rows, 8 held out" in out
    assert float(found(out, "training accuracy")) > 0.9


def test_train_repeats_itself_and_has_a_seed(run, small):
    arguments = ["train", small, "--target", "label", "--backend", "reference", "--hidden", 3, "--epochs", 2]
    first, again, other = (found(run(*arguments, "--seed", seed)[1], "digest") for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_train_takes_options(run, small, tmp_path):
    status, out, _ = run(
        *["train", small, "--target", "label", "--hidden", "5,4", "--activation", "tanh", "--epochs", 3],
        *["--batch-size", 1000, "--learning-rate", 0.01, "--held-out", 0.5, "--dtype", "float32"],
        *["--backend", "reference", "--plot", tmp_path / "small.svg"],
    )
    assert status == 0
    assert "network: 3-5-4-2, tanh, softmax, float32" in out
    assert "training on 20 rows, 20 held out" in out
    assert "in epoch 3" in out
    assert (tmp_path / "small.svg").read_text().startswith("<?xml")


def test_train_without_a_held_out_part(run, small):
    status, out, _ = run("train", small, "--target", "label", "--held-out", 0, "--epochs", 1, "--backend", "reference")
    assert status == 0
    assert "training on 40 rows, 0 held out" in out
    assert "held-out accuracy" not in out


def test_train_with_a_task(run, small, tmp_path):
    common = ["--epochs", 2, "--backend", "reference", "--hidden", 2]
    assert "training R2: " in run("train", small, "--target", "label", "--task", "regress", *common)[1]
    path = csv_of(tmp_path / "many.csv", np.eye(6), [1, 2, 3, 4, 5, 5])
    assert "training R2: " in run("train", path, "--target", "label", *common)[1]
    assert "5 classes (1 2 3 4 5)" in run("train", path, "--target", "label", "--task", "classify", *common)[1]


def test_train_with_several_outputs(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(tmp_path / "a.npz", X=x, y=x[:, :2] + x[:, 2:])
    np.savez(tmp_path / "b.npz", X=x, y=np.eye(3)[np.arange(30) % 3])
    common = ["--epochs", 2, "--backend", "reference", "--hidden", 2]
    out = run("train", tmp_path / "a.npz", *common)[1]
    assert "2 quantities to predict" in out
    assert "network: 4-2-2, relu, identity" in out
    assert "3 classes (0 1 2)" in run("train", tmp_path / "b.npz", *common)[1]


# ---------------------------------------------------------------------------------------------------------
# Options of a training

QUICK = ["--epochs", 3, "--backend", "reference", "--hidden", 3]


@pytest.fixture
def quantity(tmp_path):
    """A quantity y in units of its own, of two features and a column w of weights."""
    draws = np.random.default_rng(1)
    x = draws.normal(2, 3, size=(40, 2))
    w = draws.integers(0, 4, 40)
    path = tmp_path / "quantity.csv"
    columns = np.column_stack([x[:, 0], w, 200 + 20 * x[:, 0] - x[:, 1], x[:, 1]])
    np.savetxt(path, columns, "%.10g", ",", header="a,w,y,b", comments="")
    return path


def asked(monkeypatch, run, *arguments):
    """(Model's keywords, fit's keywords, fit's rows) of a `fastmlp train`, which does train; no Model's of --resume."""
    told = {"model": None}
    build, fit = Model.__init__, Model.fit

    def built(self, layers, **keywords):
        told["model"] = {"layers": layers, **keywords}
        build(self, layers, **keywords)

    def fitted(self, x, y, **keywords):
        told["fit"], told["rows"] = keywords, (x, y)
        return fit(self, x, y, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(Model, "__init__", built)
        patched.setattr(Model, "fit", fitted)
        status, _, err = run("train", *arguments)
    assert (status, err) == (0, "")
    return told["model"], told["fit"], told["rows"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], SGD(0.1)),
        (["--optimizer", "sgd"], SGD(0.1)),
        (["--momentum", "0.5"], SGD(0.05, 0.5)),
        (["--momentum", "0.5", "--nesterov", "--learning-rate", "0.2"], SGD(0.2, 0.5, True)),
        (["--optimizer", "adam"], Adam()),
        (
            ["--optimizer", "adam", "--beta-1", "0.8", "--beta-2", "0.9", "--epsilon", "1e-4"],
            Adam(0.001, 0.8, 0.9, 1e-4),
        ),
        (["--optimizer", "adamw", "--weight-decay", "0"], AdamW(weight_decay=0.0)),
        (["--optimizer", "adamw", "--no-decay-biases"], AdamW(decay_biases=False)),
        (["--optimizer", "rmsprop", "--decay", "0.5"], RMSprop(decay=0.5)),
        (["--optimizer", "rmsprop", "--momentum", "0.5"], RMSprop(momentum=0.5)),
        (["--optimizer", "adagrad", "--initial-accumulator", "1"], Adagrad(initial_accumulator=1.0)),
        (["--schedule", "constant"], SGD(0.1)),
        (["--schedule", "step", "--every", "2"], SGD(Step(0.1, 2))),
        (["--schedule", "step", "--every", "2", "--factor", "0.5"], SGD(Step(0.1, 2, 0.5))),
        (["--schedule", "exponential", "--factor", "0.9"], SGD(Exponential(0.1, 0.9))),
        (["--schedule", "cosine"], SGD(Cosine(0.1, 3))),
        (["--schedule", "cosine", "--schedule-epochs", "9", "--floor", "0.01"], SGD(Cosine(0.1, 9, 0.01))),
        (["--schedule", "inverse_scaling", "--power", "1"], SGD(InverseScaling(0.1, 1))),
        (["--schedule", "one_cycle"], SGD(OneCycle(0.1, 3))),
        (
            ["--schedule", "one_cycle", "--rise", "0.5", "--start-factor", "0.1", "--end-factor", "0"],
            SGD(OneCycle(0.1, 3, 0.5, 0.1, 0.0)),
        ),
        (["--schedule", "flat_cosine", "--flat", "0.25", "--floor", "0.01"], SGD(FlatCosine(0.1, 3, 0.25, 0.01))),
        (["--schedule", "cosine_log", "--cycles", "2", "--optimizer", "adam"], Adam(CosineLog(0.001, 3, 2))),
        (["--schedule", "reduce_on_plateau"], SGD(ReduceOnPlateau(0.1))),
        (
            [
                *("--schedule", "reduce_on_plateau", "--factor", "0.5", "--patience", "0", "--threshold", "0.1"),
                *("--floor", "0.01", "--metric", "accuracy"),
            ],
            SGD(ReduceOnPlateau(0.1, 0.5, 0, 0.1, 0.01, "accuracy")),
        ),
        (["--warm-up", "1"], SGD(WarmUp(1, 0.1))),
        (
            ["--warm-up", "1", "--warm-up-start", "0.5", "--schedule", "cosine", "--optimizer", "adam"],
            Adam(WarmUp(1, Cosine(0.001, 2), 0.5)),
        ),
    ],
)
def test_train_has_every_optimizer_and_schedule(run, small, monkeypatch, arguments, expected):
    _, fit, _ = asked(monkeypatch, run, small, "--target", "label", *QUICK, *arguments)
    assert fit["optimizer"] == expected
    assert fit["learning_rate"] is None


@pytest.mark.parametrize(
    ("arguments", "output", "loss"),
    [
        ([], "identity", "squared_error"),
        (["--loss", "squared_error"], "identity", "squared_error"),
        (["--loss", "absolute_error"], "identity", "absolute_error"),
        (["--loss", "huber"], "identity", Huber()),
        (["--loss", "huber", "--delta", "2"], "identity", Huber(2)),
        (["--loss", "quantile"], "identity", Quantile()),
        (["--loss", "quantile", "--quantile", "0.9"], "identity", Quantile(0.9)),
        (["--loss", "poisson"], "exponential", "poisson"),
        (["--loss", "cross_entropy", "--target", "w"], "softmax", "cross_entropy"),
        (["--label-smoothing", "0.1", "--target", "w"], "softmax", CrossEntropy(0.1)),
    ],
)
def test_train_has_every_loss(run, quantity, monkeypatch, arguments, output, loss):
    target = [] if "--target" in arguments else ["--target", "y"]
    model, _, _ = asked(monkeypatch, run, quantity, *target, *QUICK, "--learning-rate", 1e-5, *arguments)
    assert (model["output"], model["loss"]) == (output, loss)


def test_a_loss_says_the_task(run, quantity):
    assert "4 classes (0 1 2 3)" in run("train", quantity, "--target", "w", *QUICK)[1]
    out = run("train", quantity, "--target", "w", "--loss", "poisson", *QUICK)[1]
    assert "a quantity to predict" in out
    assert "network: 3-3-1, relu, exponential, poisson, float64" in out


def test_poisson_counts_are_not_standardised(run, quantity, monkeypatch):
    _, fit, (_, y) = asked(monkeypatch, run, quantity, "--target", "w", "--loss", "poisson", *QUICK)
    assert set(np.unique(y)) <= {0.0, 1.0, 2.0, 3.0}
    assert fit["optimizer"].learning_rate == pytest.approx(0.01 / y.mean())


def test_train_has_everything_else_of_model_and_fit(run, small, monkeypatch, tmp_path):
    model, fit, _ = asked(
        monkeypatch,
        run,
        small,
        *["--target", "label", "--hidden", "3,4", "--activation", "tanh,gelu", "--init", "0.25", "--dtype", "float32"],
        *["--epochs", 3, "--backend", "reference", "--batch-size", 7, "--no-shuffle", "--l2", 0.1, "--l1", 0.2],
        *["--dropout", "0.25,0.5", "--clip-norm", 3, "--class-weight", "-1:2,4:0.5", "--validation", 0.25],
        *["--early-stopping", 2, "--metric", "validation_accuracy", "--min-delta", 0.01, "--target-loss", 0.001],
        *["--target-accuracy", 1, "--record-every", 2, "--seed", 3, "--no-progress"],
        *["--threads", 2, "--checkpoint", tmp_path / "run", "--checkpoint-every", 3, "--keep", 2],
    )
    assert model == dict(
        **dict(layers=[3, 3, 4, 2], hidden=["tanh", "gelu"], output="softmax", loss="cross_entropy"),
        **dict(init=0.25, seed=3, dtype="float32", backend="reference"),
    )
    x, _ = fit.pop("validation")
    assert x.shape == (8, 3)
    assert fit == dict(
        **dict(epochs=3, optimizer=SGD(0.1), learning_rate=None, resume=False, batch_size=7, shuffle=False),
        **dict(l2=0.1, l1=0.2, dropout=[0.25, 0.5], clip_value=None, clip_norm=3.0, sample_weight=None),
        **dict(class_weight={0: 2.0, 1: 0.5}, record_every=2, target_loss=0.001, target_accuracy=1.0, progress=False),
        **dict(early_stopping=EarlyStopping(2, "validation_accuracy", 0.01), threads=2, transcript=None),
        **dict(checkpoint=tmp_path / "run", checkpoint_every=3, keep=2, callback=None, rate_factors=None),
    )


def test_every_argument_of_fit_has_an_option():
    """A new one is missed here."""
    import inspect

    options = {action.dest for action in cli._parser()._subparsers._group_actions[0].choices["train"]._actions}
    others = {"self", "X", "y", "callback", "layers", "output", "standardize"}  # it standardises anyway
    others |= {"bias_init", "zero_last", "input_scale", "rate_factors"}  # which are written in Python
    asked = {*inspect.signature(Model.fit).parameters, *inspect.signature(Model).parameters} - others
    assert asked <= options


def test_train_by_a_column_of_weights(run, quantity, monkeypatch):
    model, fit, (x, _) = asked(
        monkeypatch, run, quantity, "--target", "y", "--sample-weight", "w", "--held-out", 0, *QUICK
    )
    table = reader.read_table(quantity, "y", "w")
    assert (model["layers"], x.shape) == ([2, 3, 1], (40, 2))
    assert fit["sample_weight"].tolist() == table.weights.tolist()
    _, fit, (x, _) = asked(monkeypatch, run, quantity, "--target", "y", "--sample-weight", "w", *QUICK)
    rows = splits.split(np.zeros(40), 0.2, 0)[0]
    assert fit["sample_weight"].tolist() == table.weights[rows].tolist()


def test_train_trains_validates_and_holds_out_different_rows(run, small, monkeypatch):
    _, fit, (x, _) = asked(monkeypatch, run, small, "--target", "label", "--validation", 0.25, *QUICK)
    table = reader.read_table(small, "label")
    train, held = splits.split(table.y, 0.2, 0)
    rest, watched = splits.split(table.y[train], 0.25, 0)
    scale = reader.Scale.of(table.x[train[rest]], table.names)
    assert (len(x), len(watched), len(held)) == (24, 8, 8)
    assert x.tobytes() == scale.forward(table.x[train[rest]]).tobytes()
    assert fit["validation"][0].tobytes() == scale.forward(table.x[train[watched]]).tobytes()


def test_train_tells_what_stopped_it_and_the_best_epoch(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    path = csv_of(tmp_path / "noise.csv", x, np.arange(60) % 2)
    arguments = ["--early-stopping", 3, "--validation", 0.3, "--epochs", 200, "--backend", "reference"]
    status, out, _ = run("train", path, "--target", "label", *arguments, "-o", tmp_path / "m")
    assert status == 0
    assert "training on 34 rows, validating on 14, 12 held out" in out
    value, best = re.search(r"^stopped: validation loss had its best value, (\S+), in epoch (\d+)$", out, re.M).groups()
    assert re.search(rf"^loss: \S+ in epoch {best}, the best of {int(best) + 3}$", out, re.M)
    assert re.search(rf"^validation loss: {value}, accuracy: 0\.\d{{4}}$", out, re.M)
    assert TableModel.load(tmp_path / "m").model._network.run.epochs == int(best)


def test_train_tells_which_target_was_reached(run, small):
    out = run("train", small, "--target", "label", *QUICK, "--target-loss", 100)[1]
    assert re.search(r"^stopped: loss \S+ reached the target in epoch 1$", out, re.M)


def test_diverging_is_told_with_what_to_do(run, quantity, tmp_path):
    arguments = ["train", quantity, "--target", "y", *QUICK, "-o", tmp_path / "m", "--schedule", "cosine"]
    status, _, err = run(*arguments, "--learning-rate", 1e200)
    assert status == 2
    assert err.startswith("fastmlp: training diverged: ")
    assert err.endswith("; try a smaller --learning-rate than 1e+200, or --clip-norm 1; nothing was saved\n")
    assert not (tmp_path / "m").exists()


# ---------------------------------------------------------------------------------------------------------
# Saving, going on, predicting


def predicted(out):
    """(header, values) of a CSV."""
    header, *rows = out.splitlines()
    return header, np.array([[float(cell) for cell in row.split(",")] for row in rows])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_predict_gives_what_the_model_gives_for_classes(run, small, tmp_path, dtype):
    path = tmp_path / "m.safetensors"
    arguments = ["--optimizer", "adam", "--seed", 5, "--held-out", 0, "--dtype", dtype, *QUICK]
    status, out, _ = run("train", small, "--target", "label", *arguments, "-o", path)
    assert status == 0
    assert out.endswith(f"saved to: {path}\n")
    table = reader.read_table(small, "label")
    x = reader.Scale.of(table.x, table.names).forward(table.x)
    model = Model([3, 3, 2], seed=5, dtype=dtype, backend="reference")
    model.fit(x, (table.y == 4).astype(int), epochs=3, batch_size=32, optimizer="adam")
    assert found(out, "digest") == model.digest()
    status, out, err = run("predict", path, small, "--backend", "reference")
    header, values = predicted(out)
    assert (status, header) == (0, "label")
    labels = np.array([-1, 4])[model.predict(x)]
    assert values[:, 0].tolist() == labels.tolist()
    assert set(out.splitlines()[1:]) <= {"-1", "4"}
    assert err.startswith(f"accuracy: {(labels == table.y).mean():.4f} on 40 rows of small.csv\nlog loss: ")
    header, values = predicted(run("predict", path, small, "--probabilities", "--backend", "reference")[1])
    assert header == "p_-1,p_4"
    assert values.tobytes() == model.predict_proba(x).astype(np.float64).tobytes()


@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_predict_gives_what_the_model_gives_for_quantities(run, quantity, tmp_path, loss):
    path = tmp_path / "m"
    arguments = ["--loss", loss, "--learning-rate", 1e-5, "--sample-weight", "w", "--held-out", 0, *QUICK]
    assert run("train", quantity, "--target", "y", *arguments, "-o", path)[0] == 0
    table = reader.read_table(quantity, "y", "w")
    x = reader.Scale.of(table.x, table.names).forward(table.x)
    y, scale = table.y[:, None], reader.Scale.of(table.y[:, None], ["y"])
    model = Model([2, 3, 1], loss=loss, backend="reference")
    model.fit(
        *(x, y if loss == "poisson" else scale.forward(y)),
        **dict(epochs=3, batch_size=32, learning_rate=1e-5, sample_weight=table.weights),
    )
    expected = model.predict(x)
    if loss != "poisson":
        expected = expected * scale.deviation + scale.mean
    status, out, err = run("predict", path, quantity, "--backend", "reference")
    header, values = predicted(out)
    assert (status, header) == (0, "y")
    assert values[:, 0].tobytes() == expected.tobytes()
    r2 = 1 - ((expected - table.y) ** 2).sum() / ((table.y - table.y.mean()) ** 2).sum()
    assert err.startswith(f"R2: {r2:.4f} on 40 rows of quantity.csv\nMAE: ")


@pytest.fixture
def trained(run, quantity, tmp_path):
    """A file of a model of quantity.csv."""
    path = tmp_path / "trained.safetensors"
    assert run("train", quantity, "--target", "y", "--sample-weight", "w", *QUICK, "-o", path)[0] == 0
    return path


def test_predict_finds_columns_by_name(run, trained, quantity, tmp_path):
    table = reader.read_table(quantity, "y", "w")
    (tmp_path / "other.csv").write_text("b,a\n" + "".join(f"{b!r},{a!r}\n" for a, b in table.x.tolist()))
    np.savez(tmp_path / "other.npz", X=table.x)
    arguments = ["--backend", "reference"]
    expected = run("predict", trained, quantity, *arguments)[1]
    assert run("predict", trained, tmp_path / "other.csv", *arguments) == (0, expected, "")
    assert run("predict", trained, tmp_path / "other.npz", *arguments) == (0, expected, "")
    assert run("predict", trained, quantity, *arguments, "-o", tmp_path / "out.csv")[:2] == (0, "")
    assert (tmp_path / "out.csv").read_text() == expected


def test_predict_ignores_a_target_that_cannot_be_read(run, trained, tmp_path):
    (tmp_path / "new.csv").write_text("a,b,y\n1,2,\n3,4,?\n")
    status, out, err = run("predict", trained, tmp_path / "new.csv", "--backend", "reference")
    assert (status, len(out.splitlines())) == (0, 3)
    assert err == "not scored: column 'y' is empty\n"
    (tmp_path / "new.csv").write_text("a,b,y\n1,2,many\n3,4,few\n")
    _, _, err = run("predict", trained, tmp_path / "new.csv", "--backend", "reference")
    assert err == "not scored: column 'y' is not a number in every row\n"


def test_predict_several_quantities(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(tmp_path / "a.npz", X=x, y=x[:, :2] + x[:, 2:])
    assert run("train", tmp_path / "a.npz", *QUICK, "-o", tmp_path / "m")[0] == 0
    status, out, err = run("predict", tmp_path / "m", tmp_path / "a.npz", "--backend", "reference")
    header, values = predicted(out)
    assert (status, header, values.shape) == (0, "y_0,y_1", (30, 2))
    assert re.match(r"R2: -?\d\.\d{4} on 30 rows of a\.npz\nMAE: ", err)


def test_predict_of_one_hot_rows_is_scored(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 4))
    np.savez(tmp_path / "a.npz", X=x, y=np.eye(3)[np.arange(30) % 3])
    assert run("train", tmp_path / "a.npz", *QUICK, "-o", tmp_path / "m")[0] == 0
    assert "accuracy: " in run("predict", tmp_path / "m", tmp_path / "a.npz", "--backend", "reference")[2]


RESUMED = [
    [],
    ["--optimizer", "adam", "--schedule", "step", "--every", "4", "--batch-size", "7"],
    ["--momentum", "0.9", "--dropout", "0.2", "--l1", "0.01", "--no-shuffle", "--class-weight", "balanced"],
    ["--optimizer", "rmsprop", "--schedule", "reduce_on_plateau", "--patience", "1", "--validation", "0.2"],
    ["--optimizer", "adagrad", "--warm-up", "15", "--clip-norm", "0.1", "--held-out", "0.4", "--seed", "7"],
]


@pytest.mark.sample(4)
@pytest.mark.parametrize("options", RESUMED)
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_10_epochs_and_20_more_are_30(run, small, tmp_path, options, backend):
    common = ["train", small, "--backend", backend]
    new = [*common, "--target", "label", "--hidden", 3, *options]
    whole = run(*new, "--epochs", 30)[1]
    assert run(*new, "--epochs", 10, "-o", tmp_path / "ten")[0] == 0
    status, out, _ = run(*common, "--resume", tmp_path / "ten", "--epochs", 20, "-o", tmp_path / "thirty")
    assert status == 0
    assert f"resuming {tmp_path / 'ten'} after epoch 10" in out
    for name in ("loss", "training accuracy", "held-out accuracy", "digest"):
        assert found(out, name) == found(whole, name)
    assert "in epoch 30" in out
    assert read_file(tmp_path / "thirty")[1]["table"] == read_file(tmp_path / "ten")[1]["table"]


def test_resuming_tells_what_stays_and_takes_new_options(run, small, tmp_path):
    options = ["--l2", 0.5, "--clip-value", 2, "--no-shuffle", "--epochs", 2, "--backend", "reference"]
    run("train", small, "--target", "label", "--hidden", 3, *options, "-o", tmp_path / "m")
    arguments = ["train", small, "--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference"]
    out = run(*arguments, "-o", tmp_path / "m")[1]
    assert "after epoch 2, still with --no-shuffle --l2 0.5 --clip-value 2.0\n" in out
    out = run(*arguments, "--l2", 0, "--shuffle", "--clip-norm", 1, "--learning-rate", 1e-3)[1]
    assert f"resuming {tmp_path / 'm'} after epoch 3 at a new learning rate\n" in out
    assert "in epoch 4" in out


def test_resuming_with_a_new_schedule_goes_on_from_the_old_rate(run, small, tmp_path, monkeypatch):
    run("train", small, "--target", "label", *QUICK, "--learning-rate", 0.3, "--warm-up", 2, "-o", tmp_path / "m")
    arguments = ["--schedule", "cosine", "--epochs", 4, "--backend", "reference"]
    _, fit, _ = asked(monkeypatch, run, small, "--resume", tmp_path / "m", *arguments)
    assert (fit["optimizer"], fit["learning_rate"], fit["resume"]) == (None, Cosine(0.3, 4), True)


@pytest.mark.parametrize(
    ("trained_with", "refused"),
    [
        ([], ["--held-out", 0.3]),
        ([], ["--validation", 0.1]),
        (["--held-out", 0], ["--held-out", 0.2]),
        (["--held-out", 0], ["--validation", 0.2]),
        (["--validation", 0.25], ["--validation", 0.1]),
        (["--validation", 0.25], ["--held-out", 0]),  # which would shift the rows to validate on
    ],
)
def test_resuming_keeps_apart_what_was_kept_apart(trained_with, refused, run, small, tmp_path):
    """No row that the model has learned is held out, or validated on."""
    run("train", small, "--target", "label", *QUICK, *trained_with, "-o", tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    arguments = ["--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference", "-o", tmp_path / "m"]
    status, out, err = run("train", small, *arguments, *refused)
    assert (status, out) == (2, "")
    for word in (str(refused[0]), str(refused[1]), "kept apart", f"leave {refused[0]} out"):
        assert word in err
    assert (tmp_path / "m").read_bytes() == before
    for same in ([], trained_with):
        assert run("train", small, *arguments, *same)[0] == 0


def test_resuming_may_train_on_all_rows(run, small, tmp_path):
    """And then nothing is left to be held out."""
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    arguments = ["--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference", "-o", tmp_path / "m"]
    status, out, _ = run("train", small, *arguments, "--held-out", 0)
    assert status == 0
    assert "training on 40 rows, 0 held out" in out
    assert "held-out accuracy" not in out
    assert run("train", small, *arguments)[0] == 0
    status, _, err = run("train", small, *arguments, "--held-out", 0.2)
    assert status == 2
    assert "no rows kept apart" in err


def test_resuming_on_another_table_says_so(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    lines = small.read_text().splitlines(keepends=True)
    (tmp_path / "more.csv").write_text("".join([*lines, *lines[5:9]]))
    arguments = ["--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference"]
    note = "was trained on another table"
    assert note in run("train", tmp_path / "more.csv", *arguments)[1]
    assert note not in run("train", tmp_path / "more.csv", *arguments, "--held-out", 0)[1]
    assert note not in run("train", small, *arguments)[1]


@pytest.mark.parametrize(("count", "said"), [(20, False), (21, True)])
def test_many_classes_may_be_a_quantity(count, said, run, tmp_path):
    x = np.random.default_rng(0).normal(size=(5 * count, 2))
    path = csv_of(tmp_path / "many.csv", x, np.arange(5 * count) % count)
    note = "--task regress takes them for a quantity"
    assert (note in run("train", path, "--target", "label", *QUICK)[1]) is said
    assert note not in run("train", path, "--target", "label", *QUICK, "--task", "classify")[1]


def test_the_held_out_loss_is_the_models(run, quantity, tmp_path):
    """R2 says little of quantiles: what they minimise does."""
    arguments = ["--target", "y", "--loss", "quantile", *QUICK, "-o", tmp_path / "m"]
    _, out, _ = run("train", quantity, *arguments)
    table, made = reader.read_table(quantity, "y"), TableModel.load(tmp_path / "m")
    _, held = split(np.zeros(40), 0.2, 0)
    y = made.target_scale.forward(table.y[:, None])
    loss = made.model.loss(made.scale.forward(table.x)[held], y[held])
    assert found(out, "held-out loss") == f"{loss:.6g}"


def test_resuming_takes_columns_in_any_order(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    rows = [line.split(",") for line in small.read_text().splitlines()]
    (tmp_path / "turned.csv").write_text("".join(",".join(row[::-1]) + "\n" for row in rows))
    arguments = ["--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference"]
    digests = {found(run("train", table, *arguments)[1], "digest") for table in (small, tmp_path / "turned.csv")}
    assert len(digests) == 1


def test_resuming_keeps_the_scales_and_classes(run, quantity, small, tmp_path, monkeypatch):
    for path, target in ((quantity, "y"), (small, "label")):
        run("train", path, "--target", target, *QUICK, "-o", tmp_path / "m")
        before = TableModel.load(tmp_path / "m")
        lines = path.read_text().splitlines()
        less = [line for line in lines[1:] if not line.endswith(",4")][:9]  # of one class
        (tmp_path / "less.csv").write_text("\n".join([lines[0], *less]))
        arguments = ["--resume", tmp_path / "m", "--held-out", 0, "--epochs", 1, "--backend", "reference"]
        _, _, (x, y) = asked(monkeypatch, run, tmp_path / "less.csv", *arguments)
        table = reader.read_table(tmp_path / "less.csv", target)
        assert x.tobytes() == before.scale.forward(table.x).tobytes()
        if target == "y":
            assert y.tobytes() == before.target_scale.forward(table.y[:, None]).tobytes()
        else:
            assert y.tolist() == [0] * 9


def test_resuming_by_place_keeps_the_names(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    table = reader.read_table(small, "label")
    np.savez(tmp_path / "a.npz", X=table.x, label=table.y)
    arguments = ["--resume", tmp_path / "m", "--epochs", 1, "--backend", "reference", "-o", tmp_path / "n"]
    assert run("train", tmp_path / "a.npz", *arguments)[0] == 0
    assert TableModel.load(tmp_path / "n").names == ("c0", "c1", "c2")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_no_outputs(closed, small, tmp_path):
    line = shlex.join(
        [str(word) for word in command("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")]
    )
    ended = subprocess.run(f"{line} {closed}", shell=True, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert TableModel.load(tmp_path / "m").names == ("c0", "c1", "c2")


def test_a_reader_that_leaves_does_not_keep_the_model_from_its_file(small, tmp_path):
    arguments = command("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert TableModel.load(tmp_path / "m").names == ("c0", "c1", "c2")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(trained, quantity):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command("predict", trained, quantity), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (2, "fastmlp: No space left on device\n")


def test_a_file_that_cannot_be_written_after_all_comes_after_the_report(run, small, tmp_path, monkeypatch):
    def full(self, path):
        raise OSError(28, "not saved: No space left on device", str(path))

    monkeypatch.setattr(TableModel, "save", full)
    status, out, err = run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    assert (status, err) == (2, f"fastmlp: {tmp_path / 'm'}: not saved: No space left on device\n")
    assert "digest: " in out
    assert "saved to" not in out


# ---------------------------------------------------------------------------------------------------------
# Errors


LINES = "a,b,y\n1,2,0\n1,,0\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["COMMAND", "see fastmlp --help"]),
        (["demo", "--dataset", "moon"], ["'moon'", "moons", "see fastmlp demo --help"]),
        (["demo", "--layers", "3,2"], ["--layers=3,2 does not fit: xor needs 2 in the first place", "like 2,8,2"]),
        (["demo", "--layers", "2"], ["--layers=2 does not fit", "like 2,8,2"]),
        (["demo", "xor-sigmoid", "--layers", "2,4,2"], ["and 1 in the last one", "like 2,4,1"]),
        (["demo", "--dataset", "sine", "--layers", "2,4,2"], ["sine needs 1 in the first place", "like 1,4,1"]),
        (["demo", "--layers", "two"], ["--layers=two is not a list of sizes", "like 2,16,2"]),
        (["demo", "--layers", "2,0,2"], ["--layers=0 is not positive"]),
        (["demo", "--hidden", "8,8"], ["--hidden=8,8 is no activation", "sizes are what --layers takes"]),
        (["demo", "--hidden", "rellu"], ["--hidden=rellu is no activation", "relu"]),
        (["demo", "--init", "he"], ["--init='he' is not known", "he_normal"]),
        (["demo", "--seed", "-1"], ["--seed=-1 is not a seed", "2^32 - 1"]),
        (["demo", "xor-sigmoid", "--dataset", "sine"], ["--dataset sine has a quantity", "leave xor-sigmoid out"]),
        (["demo", "xxor"], ["'xxor'", "xor-sigmoid"]),
        (["demo", "xor", "--epochs", "many"], ["--epochs", "'many'"]),
        (["demo", "xor", "--epochs", "0"], ["--epochs=0 is not positive"]),
        (["demo", "xor", "--log-every", "-1"], ["--log-every=-1 is not positive"]),
        (["demo", "xor", "--learning-rate", "0"], ["--learning-rate=0.0 is not positive"]),
        (["demo", "xor", "--learning-rate", "nan"], ["--learning-rate=nan is not a finite number"]),
        (["demo", "xor", "--backend", "torch"], ["'torch'", "reference"]),
        (["demo", "xor", "--dtype", "float16"], ["'float16'", "float32"]),
        (["demo", "xor", "--plot", "nowhere/a.png"], ["no folder nowhere"]),
        (["demo", "xor", "--plot", "a.xyz"], [".xyz is not a format", "png"]),
        (["demo", "xor", "--plot", "."], ["is a folder"]),
        (["train"], ["DATA"]),
        (["train", "missing.csv", "--target", "y"], ["missing.csv: No such file"]),
        (["train", "missing.npz"], ["missing.npz: No such file"]),
        (["train", ".", "--target", "y"], ["Is a directory"]),
        (["train", "table.csv"], ["--target NAME", "a, b, y"]),
        (["train", "table.csv", "--target", "z"], ["no column 'z'", "a, b, y"]),
        (["train", "table.csv", "--target", "y"], ["'y' is 0 in every row"]),
        (["train", "table.csv", "--target", "y", "--hidden", "a"], ["--hidden=a"]),
        (["train", "table.csv", "--target", "y", "--hidden", "4,0"], ["--hidden=0 is not positive"]),
        (["train", "table.csv", "--target", "y", "--held-out", "1"], ["--held-out=1.0"]),
        (["train", "table.csv", "--target", "y", "--held-out", "nan"], ["--held-out=nan"]),
        (["train", "table.csv", "--target", "y", "--seed", "-1"], ["--seed=-1"]),
        (["train", "table.csv", "--target", "y", "--batch-size", "0"], ["--batch-size=0"]),
        (["train", "one.csv", "--target", "y"], ["one row"]),
        (["train", "same.csv", "--target", "y"], ["'y' is 3 in every row"]),
        (["train", "half.csv", "--target", "y", "--task", "classify"], ["'y' holds 0.5"]),
        (
            ["train", "half.csv", "--target", "y", "--learning-rate", "1e200", "--backend", "reference"],
            ["diverged", "smaller --learning-rate"],
        ),
    ],
)
def test_errors_of_users(run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(LINES)
    (tmp_path / "one.csv").write_text("a,y\n1,2\n")
    (tmp_path / "same.csv").write_text("a,y\n1,3\n2,3\n3,3\n")
    (tmp_path / "half.csv").write_text("a,y\n" + "".join(f"{k},{k / 2}\n" for k in range(20)))
    status, _, err = run(*arguments)
    assert status == 2
    lines = [line for line in err.splitlines() if line.startswith("fastmlp: ")]
    assert lines == [err.splitlines()[-1]]
    for word in words:
        assert word in lines[0]


QUANTITY = ["--target", "y", "--epochs", "2", "--backend", "reference"]
WEIGHTS = ["--target", "w", "--epochs", "2", "--backend", "reference"]  # four classes


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--momentum", "0.9", "--optimizer", "adam"],
            "--momentum goes with --optimizer sgd or rmsprop, and not with adam: give that, or leave --momentum out",
        ),
        (
            ["--nesterov", "--optimizer", "rmsprop"],
            "--nesterov goes with --optimizer sgd, and not with rmsprop: give that, or leave --nesterov out",
        ),
        (["--nesterov"], "--nesterov needs a momentum: give --momentum, like 0.9"),
        (
            ["--beta-1", "0.9"],
            "--beta-1 goes with --optimizer adam or adamw, and not with sgd: give that, or leave --beta-1 out",
        ),
        (
            ["--epsilon", "1"],
            "--epsilon goes with --optimizer adam, adamw, rmsprop or adagrad, and not with sgd: give that, or leave "
            "--epsilon out",
        ),
        (
            ["--weight-decay", "0.1", "--optimizer", "adam"],
            "--weight-decay goes with --optimizer adamw, and not with adam: give that, or leave --weight-decay out",
        ),
        (
            ["--decay", "0.1"],
            "--decay goes with --optimizer rmsprop, and not with sgd: give that, or leave --decay out",
        ),
        (["--momentum", "1"], "--momentum=1.0 is out of range: give a number from 0 to less than 1, like 0.9"),
        (["--delta", "1"], "--delta goes with --loss huber: give that, or leave --delta out"),
        (
            ["--quantile", "0.5", "--loss", "huber"],
            "--quantile goes with --loss quantile, and not with huber: give that, or leave --quantile out",
        ),
        (
            ["--quantile", "2", "--loss", "quantile"],
            "--quantile=2.0 is not a quantile: give a number above 0 and below 1, as 0.9",
        ),
        (["--delta", "0", "--loss", "huber"], "--delta=0.0 is not positive: give a number above 0"),
        (
            ["--label-smoothing", "0.1", "--loss", "huber"],
            "--label-smoothing goes with --loss cross_entropy, and not with huber: give that, or leave "
            "--label-smoothing out",
        ),
        (
            ["--label-smoothing", "0.1"],
            "--label-smoothing needs classes, and 'y' is a quantity: leave it out, or say --task classify",
        ),
        (
            ["--loss", "huber", "--task", "classify"],
            "--loss huber does not go with --task classify: use cross_entropy",
        ),
        (
            ["--loss", "cross_entropy", "--task", "regress"],
            "--loss cross_entropy does not go with --task regress: use squared_error, absolute_error, huber, quantile "
            "or poisson",
        ),
        (["--loss", "cross_entropy"], "--loss cross_entropy: 'y' holds "),
        (["--every", "3"], "--every goes with --schedule step: give that, or leave --every out"),
        (
            ["--factor", "0.1", "--schedule", "cosine"],
            "--factor goes with --schedule step, exponential or reduce_on_plateau, and not with cosine: give that, or "
            "leave --factor out",
        ),
        (["--power", "1"], "--power goes with --schedule inverse_scaling: give that, or leave --power out"),
        (["--patience", "1"], "--patience goes with --schedule reduce_on_plateau: give that, or leave --patience out"),
        (["--cycles", "2"], "--cycles goes with --schedule cosine_log: give that, or leave --cycles out"),
        (
            ["--schedule", "cosine_log", "--warm-up", "1"],
            "--warm-up does not go with --schedule cosine_log, which rises by itself: leave it out",
        ),
        (["--rise", "1"], "--rise goes with --schedule one_cycle: give that, or leave --rise out"),
        (
            ["--rise", "1", "--schedule", "one_cycle"],
            "--rise=1.0 leaves no rise or no fall: give a fraction above 0 and below 1",
        ),
        (["--schedule", "step"], "--schedule step needs --every: give it, like --every 30"),
        (["--schedule", "exponential"], "--schedule exponential needs --factor: give it, like --factor 0.95"),
        (
            ["--schedule", "cosine", "--floor", "1"],
            "--floor=1.0 is above --learning-rate=0.005: give a number from 0 up to that",
        ),
        (
            ["--schedule", "one_cycle", "--warm-up", "1"],
            "--warm-up does not go with --schedule one_cycle, which rises by itself: use --rise FRACTION",
        ),
        (
            ["--schedule", "reduce_on_plateau", "--warm-up", "1"],
            "--warm-up does not go with --schedule reduce_on_plateau, which would count it as no progress: leave one "
            "of them out",
        ),
        (
            ["--schedule", "cosine", "--warm-up", "2"],
            "--warm-up 2 leaves no epochs of 2 for the cosine: give fewer",
        ),
        (["--warm-up", "0"], "--warm-up=0.0 is not positive: give a number above 0"),
        (
            ["--warm-up-start", "1"],
            "--warm-up-start is of --warm-up EPOCHS: give that, or leave --warm-up-start out",
        ),
        (
            ["--metric", "loss"],
            "--metric is what --early-stopping or --schedule reduce_on_plateau watches: give one, or leave --metric "
            "out",
        ),
        (
            ["--metric", "validation_loss", "--early-stopping", "1"],
            "--metric validation_loss needs --validation FRACTION: give that, or another metric",
        ),
        (
            ["--metric", "accuracy", "--early-stopping", "1"],
            "--metric accuracy needs classes, and 'y' is a quantity: use --metric loss",
        ),
        (["--min-delta", "1"], "--min-delta is of --early-stopping PATIENCE: give that, or leave --min-delta out"),
        (["--early-stopping", "0"], "--early-stopping=0 is not positive: give 1 or more"),
        (
            ["--early-stopping", "1", "--min-delta", "-1"],
            "--min-delta=-1.0 is negative: give 0 or more",
        ),
        (
            ["--target-accuracy", "1"],
            "--target-accuracy needs classes, and 'y' is a quantity: use --target-loss",
        ),
        (["--class-weight", "0:1"], "--class-weight needs classes, and 'y' is a quantity: use --sample-weight COLUMN"),
        (
            [*WEIGHTS, "--class-weight", "0:1,7:2"],
            "--class-weight=0:1,7:2: 7 is none of the classes (0 1 2 3)",
        ),
        (
            [*WEIGHTS, "--class-weight", "0:1,0.0:2"],
            "--class-weight=0:1,0.0:2 has the label 0.0 twice: give it one weight",
        ),
        ([*WEIGHTS, "--class-weight", "0:-1"], "--class-weight=0:-1 has a negative weight: give 0 or more"),
        (
            [*WEIGHTS, "--class-weight", "heavy"],
            '--class-weight=heavy is neither "balanced" nor labels and weights like 0:1,1:5',
        ),
        ([*WEIGHTS, "--target-accuracy", "2"], "--target-accuracy=2.0 is not a fraction: give a number from 0 to 1"),
        (
            [*WEIGHTS, "--loss", "squared_error", "--class-weight", "balanced"],
            "--class-weight needs classes, and 'w' is",
        ),
        (["--target", "a", "--loss", "poisson"], "--loss poisson: 'a' holds -"),
        (["--sample-weight", "a"], "--sample-weight a: it holds -"),
        (["--sample-weight", "y"], "--sample-weight and --target are both 'y': name two columns"),
        (["--sample-weight", "v"], "quantity.csv has no column 'v': it has a, w, y, b"),
        (["--validation", "1"], "--validation=1.0 is not a fraction of the rows: give one between 0 and 1"),
        (["--activation", "sine"], "--activation='sine' is not known: use \"relu\", "),
        (
            ["--activation", "relu,tanh", "--hidden", "8"],
            "--activation=relu,tanh has 2 names, and there is one hidden layer: give one name, or one for each",
        ),
        (
            ["--activation", "tanh", "--hidden", "none"],
            "--activation is of hidden layers, and --hidden none has no such layer: leave it out",
        ),
        (
            ["--dropout", "0.5", "--hidden", "none"],
            "--dropout is of hidden layers, and --hidden none has no such layer: leave it out",
        ),
        (
            ["--dropout", "0.5,0.5", "--hidden", "8"],
            "--dropout=0.5,0.5 has 2 rates, and there is one hidden layer: give one rate, or one for each",
        ),
        (["--dropout", "half"], "--dropout=half is not a fraction of the units, like 0.2, or a list, like 0.2,0.5"),
        (["--dropout", "1"], "--dropout=1.0 is not a fraction of units to drop: give 0 or more, and less than 1"),
        (["--init", "he"], '--init=\'he\' is not known: did you mean "he_normal" or "he_uniform"? Use '),
        (["--l2", "-1"], "--l2=-1.0 is negative, which would reward large weights: give 0 or more"),
        (["--clip-norm", "0"], "--clip-norm=0.0 is not positive: give a number above 0"),
        (
            ["--clip-norm", "1", "--clip-value", "1"],
            "--clip-value and --clip-norm are both given: clip by one of them",
        ),
        (["--record-every", "0"], "--record-every=0 is not positive: give 1 or more"),
        (
            ["--dtype", "float32", "--learning-rate", "1e-60"],
            "--learning-rate=1e-60 rounds to 0.0 in float32: use another, or --dtype float64",
        ),
        (
            ["--dtype", "float32", "--momentum", "0.999999999999"],
            "--momentum=0.999999999999 rounds to 1.0 in float32: use another, or --dtype float64",
        ),
        (["-o", "nowhere/m"], "--output nowhere/m: there is no folder nowhere"),
        (["-o", os.devnull], f"--output {os.devnull} is a device or a pipe: name a file"),
        (["-o", "."], "--output . is a folder: name a file in it, like model.safetensors"),
        (["-o", "quantity.csv"], "--output quantity.csv is the table, and would be overwritten: name another file"),
        (["-o", "a.png", "--plot", "a.png"], "--output and --plot are both a.png: name two files"),
        (["--resume", "missing"], "missing: No such file or directory"),
        (["--resume", "quantity.csv"], "quantity.csv is no safetensors file"),
        (
            ["--resume", "trained.safetensors", "--hidden", "3", "--optimizer", "adam"],
            "--hidden, --optimizer beside --resume: trained.safetensors has its network, loss, optimizer and seed; "
            "leave them out, or --resume, to train a new one",
        ),
        (
            ["--resume", "trained.safetensors", "--target", "b"],
            "--target b: trained.safetensors predicts 'y'; leave --target out",
        ),
        (
            ["--resume", "trained.safetensors", "--class-weight", "balanced"],
            "--class-weight needs classes, and 'y' is a quantity: use --sample-weight COLUMN",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(run, trained, quantity, monkeypatch, arguments, line):
    monkeypatch.chdir(quantity.parent)
    status, _, err = run("train", "quantity.csv", *QUANTITY, *arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"fastmlp: {line}")
    if not line.endswith((" ", "-", "is", "use", "file")):
        assert err == f"fastmlp: {line}\n"
    assert "Error" not in err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["missing", "quantity.csv"], "missing: No such file or directory"),
        (["trained.safetensors", "missing.csv"], "missing.csv: No such file or directory"),
        (["quantity.csv", "quantity.csv"], "quantity.csv is no safetensors file"),
        (["cut", "quantity.csv"], "cut is cut short: it has "),
        (["plain", "quantity.csv"], "plain holds a model, not a table: load it with fastmlp.Model.load"),
        (
            ["trained.safetensors", "other.csv"],
            "other.csv does not have the model's columns: b missing",
        ),
        (["trained.safetensors", "less.csv"], "less.csv does not have the model's columns: b missing"),
        (["trained.safetensors", "wide.npz"], "wide.npz: X has 3 columns, and the model takes 2"),
        (["trained.safetensors", "text.csv"], "text.csv, line 2, column 'b': 'x' is text, and the model "),
        (["trained.safetensors", "empty.csv"], "empty.csv has a header and no rows"),
        (
            ["trained.safetensors", "quantity.csv", "--probabilities"],
            "--probabilities needs classes, and 'y' is a quantity: leave it out",
        ),
        (
            ["trained.safetensors", "quantity.csv", "-o", "trained.safetensors"],
            "--output trained.safetensors is the model, and would be overwritten: name another file",
        ),
        (["trained.safetensors", "quantity.csv", "-o", "no/a.csv"], "--output no/a.csv: there is no folder no"),
    ],
)
def test_predict_is_refused(run, trained, quantity, monkeypatch, arguments, line):
    monkeypatch.chdir(quantity.parent)
    with open("cut", "wb") as file:
        file.write(trained.read_bytes()[:1000])
    Model([2, 1], output="identity").save("plain")
    for name, text in {"other": "c,a,d\n1,2,3\n", "less": "a\n1\n", "text": "a,b\n1,x\n", "empty": "a,b\n"}.items():
        with open(f"{name}.csv", "w") as file:
            file.write(text)
    np.savez("wide.npz", X=np.eye(3))
    status, out, err = run("predict", *arguments, "--backend", "reference")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"fastmlp: {line}")


def test_classes_that_the_model_does_not_know_are_refused(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    (tmp_path / "new.csv").write_text(small.read_text().replace(",4\n", ",7\n"))
    status, _, err = run("train", tmp_path / "new.csv", "--resume", tmp_path / "m", "--backend", "reference")
    assert status == 2
    assert err.startswith(f"fastmlp: 'label' holds 7, which is none of the classes of {tmp_path / 'm'} (-1 4): ")


def test_weights_of_classes_without_a_row_are_refused(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    (tmp_path / "new.csv").write_text(small.read_text().replace(",4\n", ",-1\n"))
    arguments = ["--resume", tmp_path / "m", "--class-weight", "balanced", "--backend", "reference"]
    err = run("train", tmp_path / "new.csv", *arguments)[2]
    assert err == (
        "fastmlp: --class-weight balanced: there is no row of class 4 to train on; give weights like 0:1,1:5\n"
    )


def test_what_cannot_go_on_is_refused(run, small, tmp_path):
    run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    made = TableModel.load(tmp_path / "m")
    made.model.set_weights(made.model.weights)
    made.save(tmp_path / "set")
    err = run("train", small, "--resume", tmp_path / "set", "--backend", "reference")[2]
    assert err == (
        f"fastmlp: --resume {tmp_path / 'set'}: nothing can go on there, since set_weights has replaced the weights\n"
    )


def test_without_matplotlib_a_plot_is_refused_before_training(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run("demo", "xor", "--plot", "a.png")
    assert (status, out) == (2, "")
    assert 'pip install "fastmlp[plot]", or in a clone pip install ".[plot]"' in err


def command(*arguments):
    return [sys.executable, "-m", "fastmlp", *map(str, arguments)]


def test_an_error_is_one_line_and_no_traceback():
    ended = subprocess.run(
        command("train", "missing.csv", "--target", "y"), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "fastmlp: missing.csv: No such file or directory\n"


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_ctrl_c_ends_with_130_and_a_line(tmp_path, backend):
    x = np.random.default_rng(0).normal(size=(300, 4))
    path = csv_of(tmp_path / "noise.csv", x, np.arange(300) % 3)
    # a shell's background job ignores the signal, and what it starts would too
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "from fastmlp.cli import main; sys.exit(main())"
    checkpoint = tmp_path / "checkpoint"
    asked = ["train", path, "--target", "label", "--epochs", str(10**9), "--backend", backend, "-o", tmp_path / "m"]
    asked += ["--checkpoint", checkpoint, "--checkpoint-every", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while not process.stdout.readline().startswith("network: "):
            assert process.poll() is None
        written = set()
        while len(written) < 3:  # the first is written before the first epoch
            assert process.poll() is None
            if checkpoint.exists():
                written.add(checkpoint.stat().st_mtime_ns)
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "fastmlp: stopped by Ctrl-C"
    assert "Traceback" not in err
    assert out.endswith(f"saved to: {tmp_path / 'm'}\n")
    made = TableModel.load(tmp_path / "m")
    assert found(out, "digest") == made.model.digest()
    assert f" in epoch {made.model._network.run.epochs}\n" in out


def test_ctrl_c_before_the_first_epoch_saves_nothing(run, small, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Model, "fit", stop)
    status, _, err = run("train", small, "--target", "label", *QUICK, "-o", tmp_path / "m")
    assert (status, err) == (130, "nothing to save: no epoch was done\nfastmlp: stopped by Ctrl-C\n")
    assert not (tmp_path / "m").exists()


def test_a_reader_that_leaves_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    arguments = command("demo", "xor-sigmoid", "--epochs", 5, "--backend", "reference")
    try:
        ended = subprocess.run(arguments, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "BrokenPipe" not in ended.stderr


# ---------------------------------------------------------------------------------------------------------
# Help


@pytest.mark.parametrize("command", [[], ["demo"], ["study"], ["train"], ["predict"], ["warm"]])
@pytest.mark.parametrize("columns", [60, 100, 300])
def test_help(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith("usage: fastmlp")
    assert columns == 60 or max(map(len, out.splitlines())) <= 100


def test_every_option_has_a_help():
    for name, parser in cli._parser()._subparsers._group_actions[0].choices.items():
        for action in parser._actions:
            assert action.help, (name, action.dest)


def test_help_shows_every_default():
    none = {"help", "data", "sample_weight", "nesterov", "every", "warm_up", "clip_value", "clip_norm"}
    none |= {"validation", "early_stopping", "target_loss", "target_accuracy", "output", "resume", "plot", "checkpoint"}
    none |= {"json", "quiet", "transcript"}
    none |= {"force", "no_header", "words", "recipe"}
    for action in cli._parser()._subparsers._group_actions[0].choices["train"]._actions:
        assert ("default: " in action.help) == (action.dest not in none), action.dest


def test_help_imports_nothing_heavy():
    script = (
        "import sys, fastmlp.cli\nfor words in ([], ['train'], ['predict']): fastmlp.cli.main([*words, '--help'])\n"
    )
    script += "sys.exit(', '.join({'numba', 'llvmlite', 'matplotlib', 'safetensors', 'tqdm'} & {*sys.modules}))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == "\n"


def test_version(run):
    assert run("--version")[:2] == (0, "fastmlp 0.1.0\n")


def test_train_goes_on_from_a_checkpoint(run, small, tmp_path):
    """The same command, after the process was killed, ends with the same weights; another one is refused."""
    command = ["train", small, "--target", "label", "--epochs", 40, "--batch-size", 7, "--validation", 0.25]
    run(*command, "-o", tmp_path / "alone")
    model = TableModel.load(tmp_path / "alone").model
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nfrom fastmlp.storage import checkpoints\nreal, count = checkpoints.write, []\n"
        "def write(*arguments):\n    real(*arguments)\n    count.append(1)\n"
        "    if len(count) == 3: os.kill(os.getpid(), 9)\ncheckpoints.write = write\n"
    )
    more = ["--checkpoint", tmp_path / "run", "-o", tmp_path / "made"]
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    killed = subprocess.run(
        [sys.executable, "-m", "fastmlp", *map(str, [*command, *more])], env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, timeout=100,
    )  # fmt: skip
    assert killed.returncode == -9
    assert not (tmp_path / "made").exists()
    status, out, _ = run(*command, *more)
    assert (status, f"going on from {tmp_path / 'run'}" in out) == (0, True)
    assert TableModel.load(tmp_path / "made").model.digest() == model.digest()
    status, _, err = run(*command, *more, "--l2", 0.5)
    assert status != 0
    assert "--l2" in err
