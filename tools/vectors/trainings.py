"""The whole trainings of the vectors: networks, rows and options. `fastmlp.verification.trainings` runs them."""

from fastmlp.spec import DTYPES, HIDDEN


def training(name, layers, hidden, output, loss, rows, optimizer, fit, dtypes=DTYPES, **more):
    hidden = [hidden] * (len(layers) - 2) if isinstance(hidden, str) else hidden
    for dtype in dtypes:
        yield {
            "name": name,
            "dtype": dtype,
            "layers": layers,
            "hidden": hidden,
            "output": output,
            "loss": loss,
            "seed": 1,
            "rows": rows,
            "optimizer": optimizer,
            "fit": fit,
            **more,
        }


def SGD(rate, **more):
    return {"name": "SGD", "learning_rate": rate, **more}


# Together they run each pass in both dtypes, but for those that take long to compile: layers and lanes of models.
TRAININGS = [
    *training("xor", [2, 8, 8, 2], "relu", "softmax", "cross_entropy", {"xor": 500}, SGD(0.1), {"epochs": 30}),
    *training(
        "every activation, adam",
        [3, 9, 5, 6, 4, 7, 5, 8, 6, 4, 5, 3],
        list(HIDDEN)[:10],
        "softmax",
        "cross_entropy",
        {"seed": 2, "count": 70},
        {"name": "Adam", "learning_rate": 0.01},
        {"epochs": 2, "batch_size": 32},
        resumed=4,
    ),
    *training(
        "one row at a time",
        [4, 9, 7, 1],
        ["sigmoid", "relu"],
        "sigmoid",
        "squared_error",
        {"seed": 3, "count": 40},
        SGD(0.1, momentum=0.5, nesterov=True),
        {"epochs": 2, "batch_size": 1, "clip_norm": 0.1},
    ),
    *training(
        "online",
        [2, 2, 1],
        "sigmoid",
        "sigmoid",
        "squared_error",
        {"xor": 1},
        SGD(0.2),
        {"epochs": 100, "batch_size": 1},
    ),
    *training(
        "few rows",
        [2, 6, 2],
        "tanh",
        "identity",
        "squared_error",
        {"seed": 4, "count": 20},
        SGD(0.1),
        {"epochs": 4, "batch_size": 6},
    ),
    *training(
        "smooth labels, l2, l1, dropout",
        [4, 7, 5],
        "tanh",
        "softmax",
        "cross_entropy",
        {"seed": 5, "count": 130},
        SGD(0.1, momentum=0.9),
        {"epochs": 3, "batch_size": 50, "l2": 0.01, "l1": 0.001, "dropout": [0.3]},
        loss_parameter=0.1,
    ),
    *training(
        "huber, rmsprop, cosine",
        [3, 6, 2],
        "silu",
        "identity",
        "huber",
        {"seed": 6, "count": 90},
        {"name": "RMSprop"},
        {"epochs": 3, "batch_size": 32},
        loss_parameter=0.3,
        schedule={"name": "Cosine", "learning_rate": 0.01, "epochs": 3},
    ),
    *training(
        "counts, adagrad",
        [3, 5, 4],
        "gelu_erf",
        "exponential",
        "poisson",
        {"seed": 7, "count": 75},
        {"name": "Adagrad", "learning_rate": 0.1},
        {"epochs": 3, "batch_size": 25, "clip_value": 0.5},
    ),
    *training(
        "layers",
        [40, 128, 64, 10],
        "relu",
        "softmax",
        "cross_entropy",
        {"seed": 8, "count": 230},
        SGD(0.05),
        {"epochs": 2, "batch_size": 115},
        dtypes=("float32",),
    ),
    *training(
        "models together",
        [2, 8, 8, 2],
        "relu",
        "softmax",
        "cross_entropy",
        {"xor": 2},
        SGD(0.1),
        {"epochs": 5, "batch_size": 2},
        dtypes=("float64",),
        models=8,
    ),
]
