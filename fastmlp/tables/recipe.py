"""The recipe for tables: what network, optimizer and schedule a table gets where nobody says. docs/tables.md.

It is RealMLP-TD-S of Holzmüller, Grinsztajn and Steinwart, *Better by default: strong pre-tuned MLPs and boosted trees
on tabular data* (NeurIPS 2024), appendix A, but for the sizes and epochs below, and that the epoch of the least
validation loss is taken. Data are prepared by `core.preprocess.RobustScale`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fastmlp.losses import CrossEntropy
from fastmlp.optimizers import Adam
from fastmlp.schedules import CosineLog
from fastmlp.stopping import EarlyStopping

# Five networks of 128 units and 128 epochs, in the place of one of 256 and 256: as fast, and better on deciding tables
MEMBERS = 5
HIDDEN = (128, 128, 128)
EPOCHS = 128
BATCH_SIZE = 256
RATES = {"classify": 0.04, "regress": 0.07}
ACTIVATIONS = {"classify": "selu", "regress": "mish"}
SMOOTHING = 0.1
VALIDATION = 0.2


def network(task: str, inputs: int, hidden: Sequence[int], outputs: int, smoothing: float) -> dict[str, Any]:
    """The arguments of the `Model` of a task, "classify" or "regress", but for its seed and backend."""
    return {
        "layers": [inputs, *hidden, outputs],
        "hidden": ACTIVATIONS[task],
        "loss": CrossEntropy(smoothing) if task == "classify" else "squared_error",
        "init": "lecun_normal",
        "bias_init": 1.0,
        "zero_last": True,
        "input_scale": True,
        "dtype": "float32",
    }


def training(task: str, epochs: int, rate: float | None, batch_size: int) -> dict[str, Any]:
    """The arguments of `Model.fit` for a task, but for its rows and validation."""
    rate = RATES[task] if rate is None else rate
    return {
        "epochs": epochs,
        "batch_size": batch_size,
        "optimizer": Adam(CosineLog(rate, epochs=epochs), beta_2=0.95),
        "rate_factors": {"weight": "ntk", "bias": 0.1, "input_scale": 6.0},
    }


def stopping() -> EarlyStopping:
    """Which epoch's weights are taken, where rows validate: that of the least loss."""
    return EarlyStopping(patience=None, ties="last")


def completed(args: argparse.Namespace) -> argparse.Namespace:
    """The options of `fastmlp train --recipe`, with the recipe's sizes where nothing is given."""
    usual = {"hidden": ",".join(map(str, HIDDEN)), "batch_size": BATCH_SIZE, "validation": VALIDATION}
    given = {name: value for name, value in vars(args).items() if value is not None}
    return argparse.Namespace(**{**vars(args), **usual, **given})


def in_words(task: str, rate: float | None) -> str:
    """What the recipe does, in a line."""
    rate = RATES[task] if rate is None else rate
    return (
        "columns scaled by median and quartiles and clipped to 3; Adam, whose rate rises to "
        f"{rate:g} and falls four times; the epoch of the least validation loss; docs/tables.md"
    )
