"""Makes the files of this folder: run once, at commit 3022ee4, and never again.

    python tests/written_by_3022ee4/make.py

Models in files and pickles, and what came of them there: what tests/storage/test_old_files.py compares with.
"""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np

from fastmlp import EarlyStopping, MLPClassifier, MLPRegressor, Model
from fastmlp.optimizers import SGD, Adam
from fastmlp.reference import random
from fastmlp.schedules import Cosine, ReduceOnPlateau

FOLDER = Path(__file__).parent
X = np.round(8 * random.uniform(1, 0, 0, 40 * 3).reshape(40, 3) - 4, 2)
Y = (random.uniform(1, 1, 0, 40) * 3).astype(int)
MODELS = {  # name: (arguments of Model, those of fit)
    "plain": (dict(layers=[3, 5, 3], seed=1), dict(epochs=3)),
    "adam": (dict(layers=[3, 5, 3], seed=2, dtype="float32", hidden="tanh"),
             dict(epochs=3, batch_size=16, optimizer="adam", dropout=0.25)),
    "plateau": (dict(layers=[3, 4, 4, 3], hidden=["gelu", "elu"], seed=3),
                dict(epochs=5, batch_size=16, optimizer=Adam(ReduceOnPlateau(0.05, patience=0)), validation=0.25)),
    "cosine": (dict(layers=[3, 5, 1], output="sigmoid", seed=4),
               dict(epochs=3, optimizer=SGD(Cosine(0.1, epochs=9), momentum=0.9), l2=0.01)),
    "values": (dict(layers=[3, 5, 1], output="identity", loss="huber", seed=5), dict(epochs=3, batch_size=7)),
    "stopped": (dict(layers=[3, 5, 3], seed=6),
                dict(epochs=30, batch_size=8, optimizer="rmsprop", validation=0.3, early_stopping=EarlyStopping(3))),
    "RandomState": (dict(layers=[3, 5, 3], seed="RandomState"), dict(epochs=3, batch_size=16, dropout=0.1)),
    "Generator": (dict(layers=[3, 5, 3], seed="Generator"), dict(epochs=3, batch_size=16, optimizer="adagrad")),
}  # fmt: skip
RESUMED = {name: {k: v for k, v in fit.items() if k not in ("optimizer", "early_stopping")} | {"epochs": 4}
           for name, (_, fit) in MODELS.items()}  # fmt: skip
ESTIMATORS = {
    "classifier": (MLPClassifier, dict(hidden_layer_sizes=(5,), random_state=1, max_iter=5, batch_size=16)),
    "sgd": (MLPClassifier, dict(hidden_layer_sizes=(5, 4), random_state=1, max_iter=5, solver="sgd", batch_size=8)),
    "regressor": (MLPRegressor, dict(hidden_layer_sizes=(5,), random_state=2, max_iter=5, activation="tanh")),
}


def targets(model):
    return Y if model.spec.output == "softmax" else (Y > 1).astype(float)


def sha(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def figures(model, name):
    """What a model gives, and comes to when it is trained further."""
    told = {"digest": model.digest(), "predicted": sha(model.predict(X)), "loss": model.loss(X, targets(model)).hex()}
    history = model.fit(X, targets(model), resume=True, **RESUMED[name])
    return {**told, "resumed": model.digest(), "losses": [loss.hex() for loss in history.loss.tolist()]}


def of_estimator(made):
    told = {"weights": sha(*made.coefs_, *made.intercepts_), "predicted": sha(made.predict(X))}
    made.partial_fit(X[:16], Y[:16])
    return {**told, "further": sha(*made.coefs_, *made.intercepts_)}


def main():
    found = {}
    for name, (arguments, options) in MODELS.items():
        seeds = {"RandomState": np.random.RandomState, "Generator": np.random.default_rng}
        seed = arguments["seed"]
        model = Model(**{**arguments, "seed": seeds[seed](7) if seed in seeds else seed})
        model.fit(X, targets(model), **options)
        model.save(FOLDER / f"{name}.model")
        (FOLDER / f"{name}.pickle").write_bytes(pickle.dumps(model, 4))
        found[name] = figures(model, name)
    for name, (kind, arguments) in ESTIMATORS.items():
        made = kind(**arguments).fit(X, Y)
        (FOLDER / f"{name}.pickle").write_bytes(pickle.dumps(made, 4))
        found[name] = of_estimator(made)
    (FOLDER / "figures.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
