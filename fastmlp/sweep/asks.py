"""What one model of a sweep is asked for: a point, as arguments of `Model` and of `Model.fit`."""

from __future__ import annotations

import copy
import dataclasses
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks import scalars
from fastmlp.checks.messages import shown
from fastmlp.fit.options import EPOCHS
from fastmlp.fit.transcript import Transcript
from fastmlp.optimizers import Optimizer
from fastmlp.spec import Spec
from fastmlp.sweep.names import FIT, MODEL, SHAPE
from fastmlp.sweep.points import Point
from fastmlp.sweep.rows import Rows

DEPTH, WIDTH = 1, 32  # where a sweep says nothing about the layers


@dataclass(frozen=True)
class Ask:
    """A model to make and to train. `Model(**model).fit(X, y, **fit)` is what it gives."""

    number: int
    point: Point
    spec: Spec
    model: dict[str, Any]
    fit: dict[str, Any]
    transcript: Transcript | None = None  # where one is written

    def of(self, number: int, point: Point, seed: Any) -> Ask:
        """The same, for another point that differs in its seed alone."""
        # a generator is copied: each point's model draws as if it were the only one
        seed = seed if isinstance(seed, int) else copy.deepcopy(seed)
        return Ask(number, point, self.spec, {**self.model, "seed": seed}, self.fit)


def ask_of(number: int, point: Point, common: Mapping[str, Any], rows: Rows) -> Ask:
    """What a point asks for. common: values of names that the point does not have. Raises TypeError or ValueError."""
    values = {**common, **point}
    if "layers" in point:
        values = {name: value for name, value in values.items() if name not in SHAPE or name in point}
    elif any(name in point for name in SHAPE):
        values.pop("layers", None)
    model = {name: values[name] for name in MODEL if name in values}
    model["layers"] = _layers(values, rows)
    spec = Spec.build(model["layers"], *(model.get(name, usual) for name, usual in _OF_SPEC))
    fit = {name: values[name] for name in FIT if name in values}
    fit.setdefault("epochs", EPOCHS)
    optimizer, rate = fit.get("optimizer"), fit.get("learning_rate")
    if isinstance(optimizer, Optimizer) and rate is not None and dataclasses.is_dataclass(optimizer):
        fit["optimizer"] = dataclasses.replace(optimizer, learning_rate=rate)
        del fit["learning_rate"]
    return Ask(number, point, spec, model, fit)


_OF_SPEC: tuple[tuple[str, Any], ...] = (
    ("hidden", "relu"), ("output", None), ("loss", None), ("dtype", "float64"), ("input_scale", False),
)  # fmt: skip


def _layers(values: Mapping[str, Any], rows: Rows) -> list[int]:
    """The sizes of all layers: as given; or the features, hidden layers by depth and width, and what y asks for."""
    if "layers" in values:
        for name in SHAPE:
            if name in values:
                raise ValueError(f"{name} is given beside layers, which has all sizes: leave one of them out")
        return values["layers"]
    width = values.get("width", WIDTH)
    if isinstance(width, (list, tuple, np.ndarray)):
        hidden = [_size(one, "width") for one in width]
        if "depth" in values and _depth(values["depth"]) != len(hidden):
            raise ValueError(
                f"depth={shown(values['depth'])} and width={shown(width)}, which has {len(hidden)} hidden layers: "
                "leave depth out, or give one width for all layers"
            )
    else:
        depth = _depth(values.get("depth", DEPTH))
        hidden = [_size(width, "width")] * depth
    return [rows.features, *hidden, rows.outputs(values.get("output"), values.get("loss"))]


def _size(value: Any, name: str) -> int:
    return scalars.positive_int(value, name)


def _depth(value: Any) -> int:
    """The number of hidden layers."""
    try:
        depth = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        depth = None
    if depth is None:
        raise TypeError(f"depth={shown(value)} is not a whole number: give the number of hidden layers, from 0")
    if not 0 <= depth <= 1000:
        raise ValueError(f"depth={shown(value)} is no number of hidden layers: give 0 to 1000")
    return depth
