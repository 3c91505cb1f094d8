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
- `audit()`, which checks the transcript of a training by parts that it trains again, and `bisect()`, which says where
  two of them part,
- `TabularClassifier` and `TabularRegressor`, for tables as they are, which need it, too,
- `verify()`, which compares this machine's bits with the reference's, and checks for your own tests, `fastmlp.testing`.

Names are loaded when they are first used, so that `import fastmlp` by itself imports little.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING, Any

from fastmlp._moved import MOVED as _MOVED
from fastmlp._moved import install as _install
from fastmlp._moved import moved as _moved_module
from fastmlp._version import __version__

if TYPE_CHECKING:
    from fastmlp import losses, optimizers, schedules, study, sweep, testing
    from fastmlp.callbacks import Info
    from fastmlp.cross_validation import cross_validate
    from fastmlp.ensemble import Ensemble
    from fastmlp.errors import DivergenceError, DivergenceWarning, ScaleWarning
    from fastmlp.estimators import MLPClassifier, MLPRegressor
    from fastmlp.fit.transcript import Transcript
    from fastmlp.history import History
    from fastmlp.losses import CrossEntropy, Huber, Quantile
    from fastmlp.model import Model
    from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
    from fastmlp.spec import Spec
    from fastmlp.stopping import EarlyStopping
    from fastmlp.tables.table_model import TableModel
    from fastmlp.tabular import TabularClassifier, TabularRegressor
    from fastmlp.verification import audit, bisect, verify

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
    "ScaleWarning",
    "Spec",
    "TableModel",
    "TabularClassifier",
    "TabularRegressor",
    "Transcript",
    "__version__",
    "audit",
    "bisect",
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
    "ScaleWarning": "errors",
    "EarlyStopping": "stopping",
    "Ensemble": "ensemble",
    "History": "history",
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "estimators"),
    "Info": "callbacks",
    "Model": "model",
    "Spec": "spec",
    "TableModel": "tables.table_model",
    "Transcript": "fit.transcript",
    **dict.fromkeys(("TabularClassifier", "TabularRegressor"), "tabular"),
    "cross_validate": "cross_validation",
    **dict.fromkeys(("audit", "bisect", "verify"), "verification"),
}
_MODULES = ("losses", "optimizers", "schedules", "study", "sweep", "testing")


def _attribute(name: str) -> Any:
    if name in _MODULES:
        return _importlib.import_module(f"fastmlp.{name}")
    if name in _MOVED:
        return _moved_module(name)
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}{_meant(name)}")
    value = getattr(_importlib.import_module(f"fastmlp.{_HOMES[name]}"), name)
    globals()[name] = value  # later look-ups do not come here
    return value


def _meant(name: str) -> str:
    """What may have been meant, for the error; nothing for names of Python's own, for which it looks everywhere."""
    if name.startswith("_"):
        return ""
    from fastmlp.checks.names import near_to

    near = near_to(name, __all__)
    return f": did you mean {near!r}?" if near else ""


def __dir__() -> list[str]:
    from importlib.util import find_spec

    absent = (
        () if find_spec("sklearn") else ("MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor")
    )  # help() reads all that are here
    return [name for name in __all__ if name not in absent]


if not TYPE_CHECKING:
    __getattr__ = _attribute  # a type checker that saw it would take any name

_install()
