"""The recipe for tables as plain PyTorch, in float64, for tests/test_torch_recipe.py to compare ours with.

    python tools/torch_recipe.py            writes tests/torch_recipe.json; needs torch
    python tools/torch_recipe.py --check    exits 1 unless torch still gives the numbers in that file, to 11 digits

The text is RealMLP's own form where ours is another: weights of deviation 1, whose product with the activations is
divided by sqrt(K) (the neural tangent parametrisation), in the place of weights of deviation 1 / sqrt(K) that take
steps of 1 / sqrt(K). Nothing of fastmlp is in it but random numbers: table, initial values, orders, dropout's factors.
"""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "tests" / "torch_recipe.json"
ROWS, TRAINED, COLUMNS = 300, 240, 5  # the last 60 rows validate
HIDDEN, BATCH, SEED = (16, 8, 8), 64, 5
BETAS, EPSILON = (0.9, 0.95), 1e-8
# "regularised": dropout and AdamW's weight decay by schedules, which RealMLP-TD has, and TD-S, our recipe, has not
RUNS = {
    "classes": {"task": "classify", "epochs": 20, "rate": 0.04, "smoothing": 0.1},
    "values": {"task": "regress", "epochs": 12, "rate": 0.07},
    "values, regularised": {"task": "regress", "epochs": 12, "rate": 0.07, "dropout": 0.15, "decay": 0.2},
}


def table(task):
    """(X (300, 5), y): numbers with outliers; labels of 3 classes (300,), or standardised values (300, 1)."""
    from fastmlp.reference import random

    x = random.normal(8, 0, 0, COLUMNS * ROWS).reshape(ROWS, COLUMNS)
    noise = random.normal(9, 0, 0, ROWS)
    f = x[:, 0] * x[:, 1] - x[:, 2] + noise
    y = np.digitize(f, (-0.5, 0.7)) if task == "classify" else ((f - f.mean()) / f.std())[:, None]
    x = x * x * x * np.array([1.0, 1e4, 1e-3, 7.0, 1.0]) + np.array([0.0, 5e4, 0.0, -3.0, 1.0])
    x[:, 4] = np.round(x[:, 4])
    return x, y


def coslog4(t):
    """Of the fraction t of training that is done."""
    return 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))


def flat_cos(t):
    return 1.0 if t < 0.5 else 0.5 * (1 + math.cos(math.pi * (2 * t - 1)))


def prepared(torch, x):
    """Robust scaling and smooth clipping, learnt from all rows."""
    low, median, high = (torch.quantile(x, q, dim=0) for q in (0.25, 0.5, 0.75))
    t = (x - median) / (high - low)
    return t / torch.sqrt(1 + (t / 3) ** 2)


def network(torch, run, outputs):
    """(parameters, forward): {"scale": s, "w0": W, "b0": b, ...}, and the function of rows and dropout's factors."""
    from fastmlp.reference import random

    sizes = [COLUMNS, *HIDDEN, outputs]
    last = len(HIDDEN)
    p = {"scale": torch.ones(COLUMNS, dtype=torch.float64)}
    for layer, (k, j) in enumerate(itertools.pairwise(sizes)):
        p[f"w{layer}"] = torch.tensor(random.initial_weights(SEED, layer, k, j, "lecun_normal")) * math.sqrt(k)
        p[f"b{layer}"] = torch.tensor(random.initial_biases(SEED, layer, j, 1.0))
    p[f"w{last}"].zero_()
    p[f"b{last}"].zero_()
    squash = torch.nn.functional.selu if run["task"] == "classify" else torch.nn.functional.mish

    def forward(x, factors=None):
        a = x * p["scale"]
        for layer in range(last + 1):
            a = a @ p[f"w{layer}"] / math.sqrt(len(p[f"w{layer}"])) + p[f"b{layer}"]
            if layer < last:
                a = squash(a)
                a = a if factors is None else a * factors[layer]
        return a

    return p, forward


def optimizer_of(torch, run, p):
    """Adam, or AdamW of all but biases: a group for each parameter, with what its learning rate is multiplied by.

    A gradient by W is 1 / sqrt(K) of that by W / sqrt(K): so is the epsilon that is added to its root.
    """
    groups = []
    for name, values in p.items():
        of = {"s": 6.0, "b": 0.1, "w": 1.0}[name[0]]
        root = math.sqrt(len(values)) if name[0] == "w" else 1.0
        groups.append({"params": [values], "of": of, "eps": EPSILON / root, "root": root, "decays": name[0] != "b"})
    kind = torch.optim.AdamW if "decay" in run else torch.optim.Adam
    return kind(groups, lr=0.1, betas=BETAS, weight_decay=0.0)


def dropout_factors(torch, rate, epoch, places):
    """Of each hidden layer, drawn as ours are."""
    from fastmlp.reference import random

    numbers = random.dropout_numbers(rate)
    if not numbers[0]:
        return None
    return [
        torch.tensor(random.dropout_factors(SEED, random.DROPOUT + layer, epoch, places, units, *numbers))
        for layer, units in enumerate(HIDDEN)
    ]


def train(torch, run):
    """{"loss", "validation_loss": of each epoch; "best": the epoch whose parameters are "parameters"}."""
    from fastmlp.reference import random

    torch.set_num_threads(1)
    x, y = table(run["task"])
    x, y = prepared(torch, torch.tensor(x)), torch.tensor(y)
    classifies = run["task"] == "classify"
    p, forward = network(torch, run, 3 if classifies else 1)
    for values in p.values():
        values.requires_grad_()
    optimizer = optimizer_of(torch, run, p)

    def loss_of(z, y):
        if classifies:
            return torch.nn.functional.cross_entropy(z, y, label_smoothing=run["smoothing"])
        return torch.nn.functional.mse_loss(z, y)

    epochs, batches = run["epochs"], math.ceil(TRAINED / BATCH)
    losses, validated, best, kept = [], [], None, None
    for epoch in range(1, epochs + 1):
        order, total = torch.tensor(random.permutation(SEED, epoch, TRAINED)), 0.0
        for batch in range(batches):
            places = np.arange(TRAINED)[batch * BATCH :][:BATCH]
            chosen, t = order[places], (epoch - 1 + batch / batches) / epochs
            factors = None
            if "dropout" in run:
                factors = dropout_factors(torch, run["dropout"] * flat_cos((epoch - 1) / epochs), epoch, places)
            loss = loss_of(forward(x[chosen], factors), y[chosen])
            total += loss.item() * len(chosen)
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = run["rate"] * coslog4(t) * group["of"]
                if "decay" in run and group["decays"]:  # which rate factors, that of a w included, do not change
                    group["weight_decay"] = run["decay"] * flat_cos(t) / group["of"]
            optimizer.step()
        losses.append(total / TRAINED)
        with torch.no_grad():
            validated.append(loss_of(forward(x[TRAINED:]), y[TRAINED:]).item())
        if best is None or validated[-1] <= validated[best - 1]:  # of equals the last
            best, kept = epoch, {name: values.detach().clone() for name, values in p.items()}
    parameters = []
    for layer in range(len(HIDDEN) + 1):
        w = kept[f"w{layer}"]
        parameters += [w / math.sqrt(len(w)), kept[f"b{layer}"]]
    return {
        "loss": losses,
        "validation_loss": validated,
        "best": best,
        "parameters": [values.flatten().tolist() for values in (*parameters, kept["scale"])],
    }


def trainings(torch):
    """{name of a run: what it is, and what PyTorch made of it}."""
    return {name: {**run, "kept": train(torch, run)} for name, run in RUNS.items()}


def main(arguments):
    import torch

    from tools.torch_trainings import write

    found = trainings(torch)
    if arguments != ["--check"]:
        write(FILE, torch, found)
        return 0
    stored = json.loads(FILE.read_text())["runs"]
    differ = sorted(set(RUNS) ^ set(stored))
    for name in set(RUNS) & set(stored):
        a, b = found[name]["kept"], stored[name]["kept"]
        same = a["best"] == b["best"] and all(map(np.allclose, a["parameters"], b["parameters"], [1e-11], [1e-11]))
        if not same or not np.allclose(a["validation_loss"], b["validation_loss"], 1e-11, 0):
            differ.append(name)
    print(f"torch {torch.__version__}: {len(differ)} of {len(RUNS)} runs differ from {FILE.name}", *differ, sep="\n  ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(sys.argv[1:]))
