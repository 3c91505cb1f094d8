"""Parameters after some updates by PyTorch's optimizers, in float64, for tests/test_optimizers.py to compare with ours.

    python tools/trajectories.py            writes tests/trajectories.json; needs torch
    python tools/trajectories.py --check    exits 1 unless torch still gives the numbers in that file, to 12 digits

The problem is a quadratic of whole numbers, so that its gradient A p - b needs no network. Where a gradient is clipped
by its norm, it is made large, so that the 1e-6 that PyTorch adds to the norm has no effect.
"""

import json
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "tests" / "trajectories.json"
A = [[4, 1, 0, -1, 0], [1, 3, 1, 0, 0], [0, 1, 5, 2, 1], [-1, 0, 2, 6, 0], [0, 0, 1, 0, 2]]
B = [1, -2, 3, -4, 20]
START = [1, -1, 2, -3, 0]
UPDATES = (1, 2, 10, 50)  # after which the parameters are kept
LARGE = 2.0**24

# name: torch's optimizer, its options, and what else is done: "factor" of the gradient, and how it is clipped.
# The options' names are PyTorch's.
RUNS = {
    "sgd": ("SGD", dict(lr=0.05), {}),
    "sgd, momentum": ("SGD", dict(lr=0.05, momentum=0.9), {}),
    "sgd, nesterov": ("SGD", dict(lr=0.05, momentum=0.9, nesterov=True), {}),
    "adam": ("Adam", dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8), {}),
    "adam, other settings": ("Adam", dict(lr=0.05, betas=(0.5, 0.75), eps=0.125), {}),
    "adamw": ("AdamW", dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01), {}),
    "adamw, much decay": ("AdamW", dict(lr=0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=2.0), {}),
    "rmsprop": ("RMSprop", dict(lr=0.01, alpha=0.99, eps=1e-8), {}),
    "rmsprop, other settings": ("RMSprop", dict(lr=0.05, alpha=0.5, eps=0.125), {}),
    "rmsprop, momentum": ("RMSprop", dict(lr=0.01, alpha=0.9, eps=1e-8, momentum=0.9), {}),
    "adagrad": ("Adagrad", dict(lr=0.5, eps=1e-10), {}),
    "adagrad, initial accumulator": ("Adagrad", dict(lr=0.5, initial_accumulator_value=3.0, eps=0.125), {}),
    "sgd, momentum, weight decay": ("SGD", dict(lr=0.05, momentum=0.9, weight_decay=0.5), {}),
    "adam, weight decay": ("Adam", dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.5), {}),
    "sgd, norm clipped": ("SGD", dict(lr=0.05 / LARGE), dict(factor=LARGE, norm=4 * LARGE)),
    "adam, norm clipped": ("Adam", dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8), dict(factor=LARGE, norm=3 * LARGE)),
    "sgd, momentum, values clipped": ("SGD", dict(lr=0.05, momentum=0.9), dict(value=2.0)),
    "adam, values clipped": ("Adam", dict(lr=0.1, betas=(0.9, 0.999), eps=1e-8), dict(value=1.5)),
}


def gradient(p, factor=1.0):
    """factor (A p - b), row by row."""
    return factor * np.array([sum(a * x for a, x in zip(row, p, strict=True)) - b for row, b in zip(A, B, strict=True)])


def trajectory(torch, name, options, around):
    """The parameters after each of UPDATES."""
    p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, name)([p], **options)
    kept = []
    for update in range(1, max(UPDATES) + 1):
        p.grad = torch.tensor(gradient(p.tolist(), around.get("factor", 1.0)))
        if "norm" in around:
            torch.nn.utils.clip_grad_norm_([p], around["norm"])
        if "value" in around:
            torch.nn.utils.clip_grad_value_([p], around["value"])
        optimizer.step()
        if update in UPDATES:
            kept.append(p.tolist())
    return kept


def trajectories():
    """{name of a run: its optimizer and options, what else is done, and the parameters after each of UPDATES}."""
    import torch

    return {
        name: {"optimizer": optimizer, "options": options, **around, "kept": trajectory(torch, *RUNS[name])}
        for name, (optimizer, options, around) in RUNS.items()
    }


def main(arguments):
    import torch

    found = trajectories()
    if arguments != ["--check"]:
        problem = {"torch": torch.__version__, "A": A, "b": B, "start": START, "updates": UPDATES}
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in problem.items()]
        runs = [f"{json.dumps(name)}: {json.dumps(run)}" for name, run in found.items()]
        text = ",\n ".join([*lines, '"runs": {\n  ' + ",\n  ".join(runs) + "\n }"])
        FILE.write_text(f"{{\n {text}\n}}\n")
        return 0
    stored = json.loads(FILE.read_text())["runs"]
    differ = sorted(set(RUNS) ^ set(stored))
    for name in set(RUNS) & set(stored):
        if not np.allclose(found[name]["kept"], stored[name]["kept"], rtol=1e-12, atol=1e-12):
            differ.append(name)
    print(f"torch {torch.__version__}: {len(differ)} of {len(RUNS)} runs differ from {FILE.name}", *differ, sep="\n  ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
