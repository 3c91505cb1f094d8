"""What type checkers find. `mypy` reads this file: an error that is awaited here and does not come is one itself.

Names are checked as they are spelled in the docstrings. Other spellings, as "ReLU", are understood when a program runs.
"""

from typing import Any

from typing_extensions import assert_type

import fastmlp
from fastmlp import SGD, Adam, EarlyStopping, Ensemble, History, Model
from fastmlp.schedules import Cosine, ReduceOnPlateau
from fastmlp.sweep import Sweep

X, y = [[0, 1], [1, 0]], [0, 1]
options: dict[str, Any] = {"epochs": 3}


def right() -> None:
    """What is right has no error, and the types that are said."""
    model = Model(
        [2, 3, 3, 2], hidden=["relu", "tanh"], output="softmax", loss="cross_entropy", init=0.1, dtype="float32"
    )
    assert_type(model, Model)
    assert_type(model.fit(X, y), History)
    assert_type(model.fit(X, y, epochs=3, optimizer=Adam(Cosine(0.1, epochs=3)), early_stopping=3, **options), History)
    assert_type(Model.from_torch(object(), output="softmax"), Model)
    assert_type(fastmlp.Ensemble([2, 2], members=3, hidden="gelu").members, list[Model])
    assert_type(Sweep({"seed": [1]}, draws=1).points, list[dict[str, Any]])


def wrong() -> None:
    """Each line has one error."""
    from fastmlp import Modle  # type: ignore[attr-defined]  # noqa: F401

    fastmlp.Modle  # type: ignore[attr-defined]  # noqa: B018
    Model([2, 3, 2], hidden="rellu")  # type: ignore[arg-type]
    Model([2, 3, 2], hidden=["relu", "rellu"])  # type: ignore[list-item]
    Model([2, 3, 2], hidden="ReLU")  # type: ignore[arg-type]
    Model([2, 3, 2], output="softmaxx")  # type: ignore[arg-type]
    Model([2, 3, 2], loss="mse")  # type: ignore[arg-type]
    Model([2, 3, 2], init="he")  # type: ignore[arg-type]
    Model([2, 3, 2], backend="torch")  # type: ignore[arg-type]
    Model([2, 3, 2], activation="relu")  # type: ignore[call-arg]
    Model([2, 3, 2]).fit(X, y, lr=0.1)  # type: ignore[call-arg]
    Model([2, 3, 2]).fit(X, y, optimizer="adamm")  # type: ignore[arg-type]
    Ensemble([2, 3, 2], hidden="rellu")  # type: ignore[arg-type]
    Ensemble([2, 3, 2], n_estimators=3)  # type: ignore[call-arg]
    EarlyStopping(metric="val")  # type: ignore[arg-type]
    ReduceOnPlateau(0.1, metric="val")  # type: ignore[arg-type]
    SGD(lr=0.1)  # type: ignore[call-arg]
    Sweep({"seed": [1]}, lr=0.1)  # type: ignore[call-arg]
