"""fastmlp trains small and mid-sized multi-layer perceptrons on a CPU, and every bit of the result is specified.

`Model` is the whole of it for most uses; `fastmlp demo xor` in a shell shows it at work. Optimizers, losses with a
setting and EarlyStopping are here by name, and MLPClassifier and MLPRegressor, which need scikit-learn; learning rates
that change are in `fastmlp.schedules`. Names load when first used: `import fastmlp` by itself takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastmlp._moved import MOVED, install, moved
from fastmlp._version import __version__

if TYPE_CHECKING:
    from fastmlp import losses, optimizers, schedules
    from fastmlp.callbacks import Info
    from fastmlp.errors import DivergenceError, DivergenceWarning
    from fastmlp.estimators import MLPClassifier, MLPRegressor
    from fastmlp.history import History
    from fastmlp.losses import CrossEntropy, Huber, Quantile
    from fastmlp.model import Model
    from fastmlp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
    from fastmlp.spec import Spec
    from fastmlp.stopping import EarlyStopping
    from fastmlp.tables.table_model import TableModel

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CrossEntropy",
    "DivergenceError",
    "DivergenceWarning",
    "EarlyStopping",
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
    "losses",
    "optimizers",
    "schedules",
]

_HOMES = {
    **dict.fromkeys(("SGD", "Adagrad", "Adam", "AdamW", "RMSprop"), "optimizers"),
    **dict.fromkeys(("CrossEntropy", "Huber", "Quantile"), "losses"),
    "DivergenceError": "errors",
    "DivergenceWarning": "errors",
    "EarlyStopping": "stopping",
    "History": "history",
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "estimators"),
    "Info": "callbacks",
    "Model": "model",
    "Spec": "spec",
    "TableModel": "tables.table_model",
}
_MODULES = ("losses", "optimizers", "schedules")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fastmlp.{name}")
    if name in MOVED:
        return moved(name)
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fastmlp.{_HOMES[name]}"), name)
    globals()[name] = value  # the next look-up finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


install()
