"""The table of workloads: networks, their data, and how they are trained. All benchmarks use it.

Imports fastmlp's spec and NumPy only, so that reading the table compiles and loads nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fastmlp.spec import DTYPES, Spec


@dataclass(frozen=True)
class Workload:
    """A network, its rows, and one way of training it.

    layers, hidden, output, loss: as `fastmlp.Model` takes them. batch: rows of a batch, None for all of them at once;
    the last batch of an epoch is shorter where it must be. shuffle: whether each epoch of batches has an order of its
    own. source: a name in `sources.py`. dtypes: those that it makes sense in.
    """

    name: str
    layers: tuple[int, ...]
    hidden: str
    output: str
    loss: str
    optimizer: str  # "sgd", plain, or "adam", with its usual settings
    learning_rate: float
    rows: int
    batch: int | None
    shuffle: bool
    source: str
    dtypes: tuple[str, ...] = DTYPES
    note: str = ""

    @property
    def batch_rows(self) -> int:
        """Rows of a whole batch."""
        return self.rows if self.batch is None else min(self.batch, self.rows)

    @property
    def steps_epoch(self) -> int:
        """Batches, and so updates, of an epoch."""
        return math.ceil(self.rows / self.batch_rows)

    @property
    def parameters(self) -> int:
        return self.spec("float64").parameters

    @property
    def flops_epoch(self) -> int:
        """Multiplications and additions of the dense layers, over an epoch.

        Of a layer of K inputs and J outputs, for each row: 2 K J forward (the sum begins with the bias), 2 K J for the
        gradient of w, J for that of b, and 2 K J for the gradient of its inputs, which the first layer does without.
        Activations, losses and updates are left out.
        """
        row = 0
        for layer, (inputs, outputs) in enumerate(self.spec("float64").shapes):
            row += 2 * inputs * outputs * (3 if layer else 2) + outputs
        return row * self.rows

    @property
    def flops_step(self) -> float:
        """`flops_epoch` / `steps_epoch`: of a whole batch, or of the mean one where the last is shorter."""
        return self.flops_epoch / self.steps_epoch

    def bytes_step(self, dtype: str) -> float:
        """What a step cannot do without moving: x and y of its rows read (a label counts as one number of the dtype),
        all parameters read and written, and Adam's two numbers for each."""
        spec = self.spec(dtype)
        rows = self.rows / self.steps_epoch
        state = 2 if self.optimizer == "adam" else 0
        numbers = rows * (spec.inputs + spec.targets) + 2 * (1 + state) * spec.parameters
        return numbers * np.dtype(dtype).itemsize

    def spec(self, dtype: str) -> Spec:
        return Spec.build(self.layers, self.hidden, self.output, self.loss, dtype)

    def data(self, dtype: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """x (N, K); y: labels (N,) for softmax, else (N, J)."""
        from . import sources

        return sources.data(self.source, self.rows, self.layers, dtype, seed)

    def with_rows(self, rows: int, batch: int | None = None) -> Workload:
        """The same on fewer or more rows, under another name."""
        return replace(self, name=f"{self.name}@{rows}", rows=rows, batch=batch or self.batch)


def _softmax(name: str, layers: tuple[int, ...], rows: int, batch: int | None, source: str, **more: object) -> Workload:
    settings = {"optimizer": "sgd", "learning_rate": 0.1, "shuffle": batch is not None, **more}
    return Workload(name, layers, "relu", "softmax", "cross_entropy", rows=rows, batch=batch, source=source, **settings)  # type: ignore[arg-type]


def _values(name: str, layers: tuple[int, ...], rows: int, batch: int | None, source: str, **more: object) -> Workload:
    settings = {
        "output": "identity",
        "hidden": "tanh",
        "optimizer": "adam",
        "learning_rate": 0.001,
        "shuffle": batch is not None,
        **more,
    }
    return Workload(name, layers, loss="squared_error", rows=rows, batch=batch, source=source, **settings)  # type: ignore[arg-type]


def _online(name: str, batch: int) -> Workload:
    settings = {"hidden": "sigmoid", "output": "sigmoid", "optimizer": "sgd", "learning_rate": 0.2, "shuffle": False}
    return _values(name, (2, 2, 1), 4, batch, "xor-values", note="the overhead of a step", **settings)


SERIES_ROWS = (4, 20, 200, 2000, 20_000, 200_000, 2_000_000)
SERIES = {
    f"xor-{rows}": _softmax(f"xor-{rows}", (2, 8, 8, 2), rows, None, "xor", note="xor, by rows")
    for rows in SERIES_ROWS
}  # fmt: skip

_TABLE = (
    _softmax("xor", (2, 8, 8, 2), 2000, None, "xor", note="the first exercise"),
    _online("xor-online", 4),
    _online("xor-online-1", 1),
    _values("online-64", (4, 64, 64, 2), 1000, 1, "values", optimizer="sgd", learning_rate=0.01, shuffle=False,
            note="descent row by row"),
    _values("matexp", (4, 32, 16, 4), 10_000, None, "matexp", note="exp of 2x2 matrices, SimpleChains' case"),
    _values("matexp-200", (4, 32, 16, 4), 200, None, "matexp", note="the same on 200 rows"),
    _softmax("digits", (64, 100, 10), 1797, 200, "digits", optimizer="adam", learning_rate=0.001,
             note="scikit-learn's defaults, but for its L2"),
    _softmax("tab", (30, 64, 64, 2), 2048, 32, "classes", note="a table, in small batches"),
    _softmax("mnist", (784, 128, 10), 5000, 128, "mnist"),
    _softmax("mnist-wide", (784, 512, 512, 10), 5000, 128, "mnist"),
    _softmax("wide", (1024, 1024, 1024, 1024, 10), 4096, 1024, "classes", learning_rate=0.01,
             note="where libraries live on BLAS"),
    _softmax("letter", (16, 64, 26), 20_000, 256, "classes"),
    _values("policy", (17, 256, 256, 6), 2048, 256, "values", note="a policy in reinforcement learning"),
    _values("pinn", (2, 50, 50, 50, 50, 1), 4096, None, "waves", dtypes=("float64",), note="deep, narrow, tanh"),
)  # fmt: skip

WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in (*_TABLE, *SERIES.values())}
