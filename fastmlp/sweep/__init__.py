"""Many models at once: a grid, random draws or a list of points, each bit for bit what it would be alone.

`Sweep(...).fit(X, y, ...)` makes its models from points and returns a `SweepResult`, a table. `train_many` trains
models that are there already.
"""

from fastmlp.sweep.check import ImpossiblePoints
from fastmlp.sweep.folder import load
from fastmlp.sweep.many import Each, train_many
from fastmlp.sweep.results import Result, SweepResult
from fastmlp.sweep.sweep import Sweep

__all__ = ["Each", "ImpossiblePoints", "Result", "Sweep", "SweepResult", "load", "train_many"]
