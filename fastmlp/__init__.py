"""fastmlp trains small and mid-sized multi-layer perceptrons on a CPU, and every bit of the result is specified.

`Model` is the class for most uses; the shell command `fastmlp demo xor` shows it at work. The package also has

- the optimizers `SGD`, `Adam`, `AdamW`, `RMSprop` and `Adagrad`,
- the parametrised losses `CrossEntropy`, `Huber` and `Quantile`,
- `EarlyStopping`,
- learning-rate schedules, in the module `fastmlp.schedules`,
- sweeps over many models, in the module `fastmlp.sweep`,
- a study of learning rate, initialisation and depth, `fastmlp.study.run`,
- `Ensemble`, several models that predict together, and `cross_validate`,
- `MLPClassifier` and `MLPRegressor`, which need scikit-learn 1.6 or newer,
- `verify()`, which compares this machine's bits with the reference's, and checks for your own tests, `fastmlp.testing`.

Names are loaded when they are first used, so that `import fastmlp` by itself imports little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastmlp._moved import MOVED, install, moved
from fastmlp._version import __version__

if TYPE_CHECKING:
    from fastmlp import losses, optimizers, schedules, study, sweep, testing
    from fastmlp.callbacks import Info
    from fastmlp.cross_validation import cross_validate
    from fastmlp.ensemble import Ensemble
    from fastmlp.errors import DivergenceError, DivergenceWarning
    from fastmlp.estimators import MLPClassifier, MLPRegressor
    from fastmlp.history import History
    from fastmlp.losses import CrossEntropy, Huber, Quantile
    from fastmlp.model import Model
    from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
    from fastmlp.spec import Spec
    from fastmlp.stopping import EarlyStopping
    from fastmlp.tables.table_model import TableModel
    from fastmlp.verification import verify

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CrossEntropy",
    "DivergenceError",
    "DivergenceWarning",
    "EarlyStopping",
    "Ensemble",
    "History",
    "Huber",
    "Info",
    "MLPClassifier",
    "MLPRegressor",
    "Model",
    "Quantile",
    "RMSprop",
    "Spec",
    "TableModel",
    "__version__",
    "cross_validate",
    "losses",
    "optimizers",
    "schedules",
    "study",
    "sweep",
    "testing",
    "verify",
]

_HOMES = {
    **dict.fromkeys(("SGD", "Adagrad", "Adam", "AdamW", "RMSprop"), "optimizers"),
    **dict.fromkeys(("CrossEntropy", "Huber", "Quantile"), "losses"),
    "DivergenceError": "errors",
    "DivergenceWarning": "errors",
    "EarlyStopping": "stopping",
    "Ensemble": "ensemble",
    "History": "history",
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "estimators"),
    "Info": "callbacks",
    "Model": "model",
    "Spec": "spec",
    "TableModel": "tables.table_model",
    "cross_validate": "cross_validation",
    "verify": "verification",
}
_MODULES = ("losses", "optimizers", "schedules", "study", "sweep", "testing")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fastmlp.{name}")
    if name in MOVED:
        return moved(name)
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fastmlp.{_HOMES[name]}"), name)
    globals()[name] = value  # later look-ups do not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


install()
