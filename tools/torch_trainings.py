"""Whole trainings by PyTorch, in float64, for tests/test_torch.py to compare ours with.

    python tools/torch_trainings.py            writes tests/torch.json; needs torch and scikit-learn
    python tools/torch_trainings.py --check    exits 1 unless torch still gives the numbers in that file, to 11 digits

Each is a network of a few layers on scikit-learn's first 200 digits for 5 epochs, mini-batches of 32 and a last one of
8. PyTorch makes the gradients, the clipping and the updates; the initial weights, the order of the rows and the factors
of dropout are ours (`fastmlp/reference/random.py`); learning rates come from formulas of their own here.
"""

import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "tests" / "torch.json"
ROWS, BATCH, EPOCHS, SEED = 200, 32, 5, 7
HIDDEN = (16, 8)
ACTIVATIONS = (
    "relu", "leaky_relu", "elu", "selu", "sigmoid", "tanh", "softplus", "gelu", "gelu_erf", "silu", "mish", "identity",
)  # fmt: skip

# A gradient 2^24 times as large, clipped at a limit as much larger and with a rate as much smaller, takes the same
# steps; the 1e-6 that PyTorch adds to the norm is then out of sight. (Adam's rate stays, and its epsilon grows.)
LARGE = 2.0**24

OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.3}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam, other settings": ("Adam", {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.5}),
    "adamw of weights": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.5, "decay_biases": False}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.003, "decay": 0.9, "epsilon": 1e-6}),
    "rmsprop, momentum": ("RMSprop", {"learning_rate": 0.001, "decay": 0.9, "epsilon": 1e-6, "momentum": 0.8}),
    "adagrad": ("Adagrad", {"learning_rate": 0.05, "initial_accumulator": 0.01}),
}
FACTORS = {"weight": [0.5, 2.0, 1.5], "bias": 0.1}
SCHEDULES = {
    "step": ("Step", {"learning_rate": 0.3, "every": 2, "factor": 0.5}),
    "exponential": ("Exponential", {"learning_rate": 0.3, "factor": 0.7}),
    "cosine": ("Cosine", {"learning_rate": 0.3, "epochs": 4.0, "floor": 0.01}),
    "inverse scaling": ("InverseScaling", {"learning_rate": 0.3, "power": 0.75}),
    "one cycle": ("OneCycle", {"peak": 0.5, "epochs": 5.0}),
    "flat cosine": ("FlatCosine", {"learning_rate": 0.3, "epochs": 4.0, "flat": 0.4, "floor": 0.01}),
    "cosine of logarithms": ("CosineLog", {"learning_rate": 0.3, "epochs": 5.0}),
    "warm-up": ("WarmUp", {"epochs": 1.5, "then": 0.3}),
}
CLASS_WEIGHT = [1.0, 0.5, 2.0, 0.0, 1.5, 1.0, 3.0, 0.25, 1.0, 1.0]
# loss: (its setting, what the targets are, columns)
LOSSES = {
    "cross_entropy": (None, "labels", 10),
    "soft cross_entropy": (None, "probabilities", 10),
    "binary_cross_entropy": (None, "one-hot", 10),
    "sigmoid squared_error": (None, "one-hot", 10),
    "squared_error": (None, "values", 2),
    "absolute_error": (None, "values", 2),
    "huber": (0.25, "values", 2),
    "quantile": (0.9, "values", 2),
    "poisson": (None, "counts", 1),
}


def run(hidden="tanh", loss="cross_entropy", parameter=None, optimizer="sgd", schedule=None, model=None, **fit):
    """One training in plain values. fit: l1, l2, clip_norm ... by our names; "penalty" says how PyTorch gets l2.

    model: how the network begins, and "input_scale".
    """
    kind, settings = OPTIMIZERS[optimizer]
    rate = settings["learning_rate"] if schedule is None else SCHEDULES[schedule]
    settings = {name: value for name, value in settings.items() if name != "learning_rate"}
    parameter = LOSSES[loss][0] if parameter is None else parameter
    return {
        "hidden": hidden, "loss": loss, "parameter": parameter, "optimizer": kind, "settings": settings,
        "rate": rate, "fit": {"batch_size": BATCH, **fit}, **({"model": model} if model else {}),
    }  # fmt: skip


RUNS = {
    **{f"hidden {name}": run(hidden=name) for name in ACTIVATIONS},
    **{f"loss {name}": run(loss=name, optimizer="adam" if name == "poisson" else "momentum") for name in LOSSES},
    "loss soft cross_entropy, smoothed, weighed": run(
        loss="soft cross_entropy", parameter=0.2, optimizer="momentum", sample_weight=True
    ),
    "loss cross_entropy, smoothed": run(parameter=0.2, optimizer="momentum"),
    "hidden silu, tanh": run(hidden=["silu", "tanh"]),
    **{name: run(hidden="gelu", optimizer=name) for name in OPTIMIZERS if name != "sgd"},
    **{f"schedule {name}": run(schedule=name) for name in SCHEDULES},
    "schedule cosine, adamw": run(schedule="cosine", optimizer="adamw"),
    "schedule one cycle, nesterov": run(schedule="one cycle", optimizer="nesterov"),
    **{f"l2, {name}": run(hidden="elu", optimizer=name, l2=0.05) for name in OPTIMIZERS},
    "l1, sgd": run(l1=0.002),
    "l1, adam": run(l1=0.002, optimizer="adam"),
    "l1 and l2, momentum": run(l1=0.001, l2=0.02, optimizer="momentum"),
    "clipped by norm, sgd": run(clip_norm=0.5),
    "clipped by norm, momentum": run(clip_norm=0.5, optimizer="momentum"),
    "clipped by norm, adam": run(clip_norm=0.5, optimizer="adam"),
    "clipped by norm, l2": run(clip_norm=0.5, l2=0.05),
    "clipped by norm, gradients as they are": run(clip_norm=0.5, factor=1.0),
    "clipped by value, sgd": run(clip_value=0.05),
    "clipped by value, adam": run(clip_value=0.05, optimizer="adam"),
    "class weights": run(class_weight=CLASS_WEIGHT),
    "class weights, adam": run(class_weight=CLASS_WEIGHT, optimizer="adam"),
    "row weights": run(sample_weight=True),
    "row weights, smoothed": run(sample_weight=True, parameter=0.1),
    "row weights, squared error": run(sample_weight=True, loss="squared_error", optimizer="momentum"),
    "dropout": run(hidden="relu", dropout=[0.25, 0.5]),
    "dropout, adam": run(hidden="silu", dropout=[0.25, 0.5], optimizer="adam"),
    "input scale": run(model={"input_scale": True}),
    "rate factors, momentum": run(optimizer="momentum", rate_factors=FACTORS),
    "rate factors, adamw": run(optimizer="adamw", rate_factors=FACTORS),
    "decay of weights": run(optimizer="adamw of weights"),
    "begun as in the recipe": run(model={"init": "lecun_normal", "bias_init": 0.5, "zero_last": True}),
    "recipe": run(
        hidden="mish",
        parameter=0.1,
        optimizer="adamw of weights",
        schedule="cosine of logarithms",
        model={"input_scale": True, "init": "lecun_normal", "bias_init": 1.0, "zero_last": True},
        rate_factors={"weight": "ntk", "bias": 0.1, "input_scale": 6.0},
    ),
    "full batch": run(batch_size=None, optimizer="adam"),
    "rows as they are": run(shuffle=False),
}


# ---------------------------------------------------------------------------------------------------------
# Data, which tests/test_torch.py takes from here, too


def rows():
    """(X (200, 64) from 0 to 1, the digits (200,))."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data[:ROWS] / 16, digits.target[:ROWS]


def targets(kind, x, digits):
    """What a loss is trained on: labels (N,), or (N, J)."""
    if kind == "labels":
        return digits
    if kind == "one-hot":
        return np.eye(10)[digits]
    if kind == "probabilities":
        shares = np.eye(10)[digits] + x[:, 2:12]
        return shares / shares.sum(axis=1, keepdims=True)
    if kind == "counts":
        return digits[:, None].astype(float)
    return np.stack([digits / 9, x.mean(axis=1)], axis=1)


def row_weights():
    """0, 1/4, 1/2 ... 1 and again."""
    return (np.arange(ROWS) % 5) / 4


def layers(training):
    return [64, *HIDDEN, LOSSES[training["loss"]][2]]


# ---------------------------------------------------------------------------------------------------------
# A training by PyTorch


def rate_at(schedule, t):
    """The formulas of docs/training.md, in plain floats."""
    if isinstance(schedule, float):
        return schedule
    name, s = schedule
    if name == "Step":
        return s["learning_rate"] * s["factor"] ** math.floor(t / s["every"])
    if name == "Exponential":
        return s["learning_rate"] * s["factor"] ** t
    if name == "InverseScaling":
        return s["learning_rate"] / (1 + t) ** s["power"]
    if name == "Cosine":
        done = min(t / s["epochs"], 1)
        return s["floor"] + (s["learning_rate"] - s["floor"]) * (1 + math.cos(math.pi * done)) / 2
    if name == "OneCycle":
        top, end = 0.3 * s["epochs"], s["epochs"]
        low, done = (s["peak"] / 25, 1 - t / top) if t < top else (s["peak"] / 25 * 1e-4, (t - top) / (end - top))
        return low + (s["peak"] - low) * (1 + math.cos(math.pi * done)) / 2
    if name == "FlatCosine":
        done = max(min(t / s["epochs"], 1) - s["flat"], 0) / (1 - s["flat"])
        return s["floor"] + (s["learning_rate"] - s["floor"]) * (1 + math.cos(math.pi * done)) / 2
    if name == "CosineLog":
        return s["learning_rate"] * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * min(t / s["epochs"], 1)))) / 2
    return s["then"] * min(t / s["epochs"], 1)  # WarmUp


def activation(torch, name):
    F = torch.nn.functional
    return {
        # softplus(z) is z itself above PyTorch's threshold of 20, which is 2e-9 less
        "softplus": lambda z: F.softplus(z, threshold=50),
        "gelu": lambda z: F.gelu(z, approximate="tanh"),
        "gelu_erf": F.gelu,
        "identity": lambda z: z,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
    }.get(name) or getattr(F, name)


def row_losses(torch, training, z, y):
    """(N,): each row's loss, a mean over its outputs."""
    F = torch.nn.functional
    name, parameter = training["loss"], training["parameter"]
    if name.endswith(" cross_entropy") or name == "cross_entropy":
        return F.cross_entropy(z, y, reduction="none", label_smoothing=parameter or 0.0)
    if name == "quantile":
        terms = torch.maximum(parameter * (y - z), (parameter - 1) * (y - z))
    else:
        terms = {
            "binary_cross_entropy": lambda: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
            "sigmoid squared_error": lambda: F.mse_loss(torch.sigmoid(z), y, reduction="none"),
            "squared_error": lambda: F.mse_loss(z, y, reduction="none"),
            "absolute_error": lambda: F.l1_loss(z, y, reduction="none"),
            "huber": lambda: F.huber_loss(z, y, reduction="none", delta=parameter),
            "poisson": lambda: F.poisson_nll_loss(z, y, reduction="none", log_input=True, full=False),
        }[name]()
    return terms.mean(dim=1)


def mean_loss(torch, training, z, y, weights):
    """A batch's loss: PyTorch's own weighted mean for class weights."""
    classes = training["fit"].get("class_weight")
    if classes is not None:
        return torch.nn.functional.cross_entropy(z, y, weight=torch.tensor(classes, dtype=torch.float64))
    losses = row_losses(torch, training, z, y)
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()


def rate_factors(training, scale):
    """The factor of each w, of each b, and that of the input scale, if there is one."""
    given, layers = training["fit"].get("rate_factors", {}), len(HIDDEN) + 1
    sizes = (64, *HIDDEN)
    kinds = []
    for name in ("weight", "bias"):
        value = given.get(name, 1.0)
        if value == "ntk":
            value = [1 / (k if training["optimizer"] == "SGD" else math.sqrt(k)) for k in sizes]
        kinds += [value if isinstance(value, list) else [value] * layers]
    return [*kinds, [given.get("input_scale", 1.0)] * len(scale)]


def optimizer_of(torch, training, ws, bs, factor, scale=()):
    """PyTorch's optimizer; an L2 penalty goes by its weight_decay, for weights only.

    Each parameter is a group, with its rate factor f as "own"; a decay that such a factor does not change is that / f.
    """
    names = {"epsilon": "eps", "decay": "alpha", "initial_accumulator": "initial_accumulator_value"}
    options = {names.get(name, name): value for name, value in training["settings"].items()}
    if "beta_1" in options:
        options["betas"] = options.pop("beta_1"), options.pop("beta_2")
    if training["optimizer"] == "Adam":
        options["eps"] = options.get("eps", 1e-8) * factor
    spares = not options.pop("decay_biases", True)
    l2 = training["fit"].get("l2", 0.0) if decays(training) else 0.0
    groups = []
    for kind, (parameters, own) in enumerate(zip((ws, bs, scale), rate_factors(training, scale), strict=True)):
        for p, f in zip(parameters, own, strict=True):
            group = {"params": [p], "own": f}
            if training["optimizer"] == "AdamW":
                group["weight_decay"] = 0.0 if spares and kind == 1 else options["weight_decay"] / f
            elif kind == 0:
                group["weight_decay"] = l2
            groups.append(group)
    return getattr(torch.optim, training["optimizer"])(groups, lr=0.1, **options)


def decays(training):
    """Whether L2 goes by PyTorch's weight_decay; else it is a term of the loss."""
    return training["optimizer"] != "AdamW" and "clip_norm" not in training["fit"] and "l1" not in training["fit"]


def train(torch, training):
    """{"loss": each epoch's mean, "final": the loss at the end, "parameters": figures of each w and b}."""
    from fastmlp.reference import random

    fit = training["fit"]
    x, digits = rows()
    y = targets(LOSSES[training["loss"]][1], x, digits)
    sizes = layers(training)
    shapes = list(itertools.pairwise(sizes))
    begins = training.get("model", {})
    init, deviation = begins.get("init", "he_normal"), begins.get("bias_init", 0.0)
    ws = [torch.tensor(random.initial_weights(SEED, i, *shape, init)) for i, shape in enumerate(shapes)]
    bs = [torch.tensor(random.initial_biases(SEED, i, j, deviation)) for i, (_, j) in enumerate(shapes)]
    if begins.get("zero_last"):
        ws[-1][:] = bs[-1][:] = 0
    scale = [torch.ones(64, dtype=torch.float64)] if begins.get("input_scale") else []
    for p in [*ws, *bs, *scale]:
        p.requires_grad_()
    x, y = torch.tensor(x), torch.tensor(y)
    weights = torch.tensor(row_weights()) if fit.get("sample_weight") else None
    counted = weights
    if "class_weight" in fit:
        counted = torch.tensor(fit["class_weight"], dtype=torch.float64)[y]
    factor = fit.get("factor", LARGE) if "clip_norm" in fit else 1.0
    optimizer = optimizer_of(torch, training, ws, bs, factor, scale)
    hidden = training["hidden"]
    squash = [activation(torch, name) for name in ([hidden] * len(HIDDEN) if isinstance(hidden, str) else hidden)]

    def logits(a, factors=None):
        a = a * scale[0] if scale else a
        for layer, (w, b) in enumerate(zip(ws, bs, strict=True)):
            a = a @ w + b
            if layer < len(ws) - 1:
                a = squash[layer](a)
                if factors:
                    a = a * factors[layer]
        return a

    batch = fit["batch_size"] or ROWS
    batches = math.ceil(ROWS / batch)
    kept = []
    for epoch in range(1, EPOCHS + 1):
        shuffled = fit.get("shuffle", True) and batches > 1
        order = torch.tensor(random.permutation(SEED, epoch, ROWS) if shuffled else np.arange(ROWS))
        total = weight = 0.0
        for number in range(batches):
            places = np.arange(ROWS)[number * batch :][:batch]
            chosen = order[places]
            factors = None
            if "dropout" in fit:
                factors = []
                for layer, (units, rate) in enumerate(zip(HIDDEN, fit["dropout"], strict=True)):
                    numbers = random.dropout_numbers(rate)
                    stream = random.DROPOUT + layer
                    factors.append(torch.tensor(random.dropout_factors(SEED, stream, epoch, places, units, *numbers)))
            loss = mean_loss(
                torch, training, logits(x[chosen], factors), y[chosen], None if weights is None else weights[chosen]
            )
            part = float(len(chosen) if counted is None else counted[chosen].sum())
            total, weight = total + loss.item() * part, weight + part
            if "l1" in fit:
                loss = loss + fit["l1"] * sum(w.abs().sum() for w in ws)
            if "l2" in fit and not decays(training):
                loss = loss + fit["l2"] / 2 * sum((w * w).sum() for w in ws)
            optimizer.zero_grad()
            (loss * factor).backward()
            if "clip_norm" in fit:
                torch.nn.utils.clip_grad_norm_([*ws, *bs], fit["clip_norm"] * factor)
            if "clip_value" in fit:
                torch.nn.utils.clip_grad_value_([*ws, *bs], fit["clip_value"])
            for group in optimizer.param_groups:
                group["lr"] = rate_at(training["rate"], epoch - 1 + number / batches) * group["own"]
                if training["optimizer"] == "SGD":
                    group["lr"] /= factor
            optimizer.step()
        kept.append(total / weight)
    with torch.no_grad():
        final = row_losses(torch, training, logits(x), y).mean().item()
    return {
        "loss": kept,
        "final": final,
        "parameters": figures([*(p for pair in zip(ws, bs, strict=True) for p in pair), *scale]),
    }


def figures(parameters):
    """Of each w and b: the root of the sum of its squares, and its first, middle and last number."""
    found = []
    for p in parameters:
        p = np.asarray(p.detach() if hasattr(p, "detach") else p).ravel()
        found.append([math.sqrt(math.fsum(p * p)), float(p[0]), float(p[len(p) // 2]), float(p[-1])])
    return found


def trainings(torch):
    """{name of a run: what it is, and what PyTorch made of it}."""
    torch.set_num_threads(1)
    return {name: {**training, "kept": train(torch, training)} for name, training in RUNS.items()}


def write(file, torch, found):
    """Writes runs as JSON, one a line."""
    runs = [f"{json.dumps(name)}: {json.dumps(training)}" for name, training in found.items()]
    text = f'"torch": {json.dumps(torch.__version__)},\n "runs": {{\n  ' + ",\n  ".join(runs) + "\n }"
    file.write_text(f"{{\n {text}\n}}\n")


def main(arguments):
    import torch

    found = trainings(torch)
    if arguments != ["--check"]:
        write(FILE, torch, found)
        return 0
    stored = json.loads(FILE.read_text())["runs"]
    differ = sorted(set(RUNS) ^ set(stored))
    for name in set(RUNS) & set(stored):
        for part in ("loss", "final", "parameters"):
            if not np.allclose(found[name]["kept"][part], stored[name]["kept"][part], rtol=1e-11, atol=1e-11):
                differ.append(f"{name}: {part}")
    words = f"torch {torch.__version__}: {len(differ)} parts of {len(RUNS)} runs differ from {FILE.name}"
    print(words, *differ, sep="\n  ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main(sys.argv[1:]))
