"""The command line: the two exercises to the digit, training on tables, and errors of one line."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from fastmlp import cli, demos

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

    inputs, labels = demos.POINTS, demos.XOR[:, None]
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
    history = demos.xor_sigmoid(demos.DEFAULTS["xor-sigmoid"])
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
# Errors


LINES = "a,b,y\n1,2,0\n1,,0\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["COMMAND", "see fastmlp --help"]),
        (["demo"], ["name", "see fastmlp demo --help"]),
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
        (["train", "table.csv", "--target", "y"], ["line 3, column 'b'", "nothing there"]),
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


def test_without_matplotlib_a_plot_is_refused_before_training(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = run("demo", "xor", "--plot", "a.png")
    assert (status, out) == (2, "")
    assert "pip install matplotlib" in err


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
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            script,
            "train",
            path,
            "--target",
            "label",
            "--epochs",
            str(10**9),
            "--backend",
            backend,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not process.stdout.readline().startswith("network: "):
            assert process.poll() is None
        time.sleep(1.0 if backend == "reference" else 6.0)  # numba may compile first
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "fastmlp: stopped by Ctrl-C"
    assert "Traceback" not in err


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


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--help"], ["train", "--help"]])
def test_help(run, arguments):
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert out.startswith("usage: fastmlp")


def test_help_shows_every_default(run):
    out = " ".join(run("train", "--help")[1].split())
    for option in ("task", "hidden", "activation", "epochs", "batch-size", "learning-rate", "held-out", "seed"):
        assert re.search(rf"--{option} .*?\(default: ", out), option


def test_version(run):
    assert run("--version")[:2] == (0, "fastmlp 0.1.0\n")
