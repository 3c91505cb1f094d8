"""A second implementation, in C, written from docs/arithmetic.md alone: it has the page's bits, and those of kernels.

It needs a C compiler (`cc`). Without one, these tests are skipped.
"""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Model, losses, optimizers
from fastmlp.spec import HIDDEN as ALL
from fastmlp.verification import trainings, vectors

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HIDDEN = [name for name in ALL if name != "mish"]  # which it leaves out
FLAGS = ["-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-pedantic", "-Werror"]
FAST = ["-march=native"], []  # of x86, an fma that is an instruction: a third of the time
LOSSES = [
    ("softmax", "cross_entropy"), ("softmax", losses.CrossEntropy(0.1)), ("sigmoid", "binary_cross_entropy"),
    ("sigmoid", "squared_error"), ("identity", "squared_error"), ("identity", "absolute_error"),
    ("identity", losses.Huber(0.5)), ("identity", losses.Quantile(0.3)), ("exponential", "poisson"),
]  # fmt: skip
OPTIMIZERS = [
    ("gradient_descent", optimizers.SGD(0.01)), ("momentum", optimizers.SGD(0.003, momentum=0.9)),
    ("nesterov", optimizers.SGD(0.003, momentum=0.8, nesterov=True)), ("adam", optimizers.Adam(0.02)),
    ("adam", optimizers.AdamW(0.02, weight_decay=0.05)), ("rmsprop", optimizers.RMSprop(0.02)),
    ("adagrad", optimizers.Adagrad(0.02, initial_accumulator=0.1)),
]  # fmt: skip
KEYS = {"momentum", "epsilon", "decay", "weight_decay", "initial_accumulator", "learning_rate"}


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The program: a function of its command and its input, that returns its output."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler named cc: the second implementation is not compiled, nor compared")
    program = tmp_path_factory.mktemp("second") / "second"
    for more in FAST:
        flags = [*FLAGS, *more, "-o", str(program)]
        made = subprocess.run(
            ["cc", "-O2", *flags, "tests/second/fastmlp.c", "-lm"], cwd=ROOT, capture_output=True, text=True
        )
        if made.returncode == 0:
            break
    assert made.returncode == 0, made.stderr

    def run(command, text=""):
        ended = subprocess.run([str(program), command], input=text, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def words(model, X, y, optimizer, epochs, batch, name="gradient_descent", shuffle=True, start=None, **more):
    """A training in the words that the program reads."""
    spec, settings = model.spec, {k: v for k, v in dataclasses.asdict(optimizer).items() if k in KEYS}
    settings |= {
        k: getattr(optimizer, k2) for k, k2 in (("beta1", "beta_1"), ("beta2", "beta_2")) if hasattr(optimizer, k2)
    }
    text = [f"dtype {spec.dtype}", f"layers {len(spec.layers)} {' '.join(map(str, spec.layers))}"]
    text += [f"hidden {' '.join(spec.hidden)}"] if spec.hidden else []
    text += [f"output {spec.output}", f"loss {spec.loss}"]
    text += [] if spec.loss_parameter is None else [f"loss_parameter {spec.loss_parameter!r}"]
    text += [f"optimizer {name}", f"seed {model.seed}", f"epochs {epochs}", f"batch {batch}", f"shuffle {int(shuffle)}"]
    for key, value in {**settings, **more}.items():
        text.append(f"{key} {' '.join(float(v).hex() for v in np.atleast_1d(value))}")
    if start is not None:
        text.append(f"start {len(start)} {' '.join(float(v).hex() for v in start)}")
    text.append(f"rows {len(X)} {int(spec.output == 'softmax')}")
    rows = np.column_stack([X, np.asarray(y).reshape(len(X), -1)])
    return "\n".join([*text, *(" ".join(float(v).hex() for v in row) for row in rows)]) + "\n"


def test_the_check_values_are_those_of_the_pages(second):
    said = second("check")
    page = (ROOT / "docs" / "arithmetic.md").read_text()
    (stated,) = re.findall(r"<!-- prints -->\n```text\n(.*?)```", page, re.DOTALL)
    left_out = ("a weight", "bootstrap", "folds", "mean", "entropy", "True")
    plain = [line for line in stated.splitlines() if not line.startswith((*left_out, "losses"))]
    assert said.splitlines()[: len(plain)] == plain
    losses_of = [
        f"loss {value}" for line in re.findall(r"^losses (.*)$", stated, re.MULTILINE) for value in line.split()
    ]
    digests = re.findall(r"^True (\w{64})$", stated, re.MULTILINE)
    first, second_one = losses_of[:2] + [f"digest {digests[0]}"], losses_of[2:] + [f"digest {digests[1]}"]
    assert said.splitlines()[len(plain) :][:6] == first + second_one
    for name in ("docs/quickstart.md", "README.md"):  # XOR, 2-8-2 on 4 rows and 2-8-8-2 on 2000
        digest = re.search(r"^\w{64}$", (ROOT / name).read_text(), re.MULTILINE).group()
        assert said.count(f"digest {digest}\n") == 1, name


@pytest.mark.parametrize("name", ["xor", "xor-sigmoid"])
def test_the_exercises_have_the_same_bits(second, name):
    """From the exercises' own initial weights; the first for 20 of its 5000 epochs."""
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    if name == "xor":
        model, rate, epochs, repeat = Model([2, 8, 8, 2], seed=np.random.RandomState(42)), 0.1, 20, 500
    else:
        model = Model(
            [2, 2, 1],
            hidden="sigmoid",
            output="sigmoid",
            loss="squared_error",
            init=1.0,
            seed=np.random.RandomState(42),
        )
        rate, epochs, repeat = 0.2, 10_000, 1
    X, y = np.tile(X, (repeat, 1)), np.tile(y, repeat)
    start = np.concatenate([part.ravel() for layer in model.weights for part in layer])
    said = second("train", words(model, X, y, optimizers.SGD(rate), epochs, len(X), start=start))
    history = model.fit(X, y, epochs=epochs, learning_rate=rate)
    assert said.splitlines()[-2:] == [f"loss {history.loss[-1].hex()}", f"digest {model.digest()}"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("number", range(11))
def test_trainings_have_the_same_bits(second, number, dtype):
    """Every activation but mish, loss and optimizer, with l2, l1 and dropout, short batches, 1 to 3 chunks."""
    rng = np.random.default_rng([number, dtype == "float32"])
    for again in range(2):
        output, loss = LOSSES[(number + 5 * again) % len(LOSSES)]
        name, optimizer = OPTIMIZERS[(number + again) % len(OPTIMIZERS)]
        hidden = [HIDDEN[number], *rng.choice(HIDDEN, int(rng.integers(0, 3)))]
        K, J = (int(n) for n in rng.integers(2, 6, 2))
        layers = [K, *(int(n) for n in rng.integers(1, 20, len(hidden))), J]
        rows = int(rng.integers(2, 200)) if again else int(rng.integers(513, 1300))
        batch = int(rng.integers(1, rows)) if again else rows
        X = rng.normal(size=(rows, K)) / 2
        y = {
            "softmax": rng.integers(0, J, rows), "sigmoid": rng.random((rows, J)),
            "identity": rng.normal(size=(rows, J)), "exponential": rng.integers(0, 5, (rows, J)).astype(float),
        }[output]  # fmt: skip
        model = Model(layers, hidden=hidden, output=output, loss=loss, dtype=dtype, seed=int(rng.integers(2**63)))
        more = {"l2": 0.01 * again, "l1": 0.003 * (number % 2), "dropout": rng.choice([0.0, 0.3], len(hidden))}
        shuffle = bool(number % 3)
        text = words(model, X, y, optimizer, 3, batch, name, shuffle, **more)
        more["dropout"] = more["dropout"].tolist()
        history = model.fit(X, y, epochs=3, batch_size=batch, shuffle=shuffle, optimizer=optimizer, **more)
        stated = [*(f"loss {value.hex()}" for value in history.loss), f"digest {model.digest()}"]
        assert second("train", text).splitlines() == stated, (layers, hidden, output, loss, name, rows, batch, more)


def test_it_has_the_vectors_of_functions(second):
    entries = [entry for entry in vectors.read("functions") if entry.get("pair", "").startswith("elementary.map_")]
    assert len(entries) == 14
    asked = [(e["pair"].removeprefix("elementary.map_"), e["dtype"], x) for e in entries for x in e["x"]]
    said = second("values", "".join(" ".join(words) + "\n" for words in asked)).split()
    for words, got, expected in zip(asked, said, [y for e in entries for y in e["y"]], strict=True):
        assert float.fromhex(got).hex() == expected or (got.endswith("nan") and expected == "nan"), words


def test_it_has_the_vectors_of_trainings(second):
    """But for those with clipping, schedules, or many models."""
    done = 0
    for entry in vectors.read("trainings"):
        fit = dict(entry["fit"])
        if {"clip_norm", "clip_value"} & set(fit) or {"schedule", "models"} & set(entry):
            continue
        X, y = trainings.rows_of(entry)
        optimizer = trainings.options_of(entry)["optimizer"]
        name = {"SGD": "momentum" if entry["optimizer"].get("momentum") else "gradient_descent", "Adam": "adam"}
        more = {key: fit[key] for key in ("l2", "l1", "dropout") if key in fit}
        batch, name = fit.get("batch_size", len(X)), name[entry["optimizer"]["name"]]
        said = second(
            "train", words(trainings.model_of(entry, "numba"), X, y, optimizer, fit["epochs"], batch, name, **more)
        )
        lines = [line.split() for line in said.splitlines()]
        assert [float.fromhex(value).hex() for key, value in lines if key == "loss"] == entry["results"]["loss"]
        assert lines[-1] == ["digest", entry["results"]["digest"]], entry["name"]
        done += 1
    assert done == 11
