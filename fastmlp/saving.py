"""A trained network in a file and back: what `Model.save` writes and `Model.load` reads, by way of `files.py`."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import numpy as np

import fastmlp
from fastmlp import files, generators, losses, optimizers, schedules
from fastmlp.data import LIMIT
from fastmlp.network import Network
from fastmlp.spec import NUMERICS_VERSION, Spec
from fastmlp.training import Run, State


def write(path: str | os.PathLike, network: Network, kind: str, more: dict[str, Any] | None = None) -> None:
    """Writes a file of this kind ("model", or another with more in its header). Raises as `files.write` does."""
    tensors = {}
    for layer, (w, b) in enumerate(network.spec.views(network.parameters)):
        tensors[f"layers.{layer}.w"], tensors[f"layers.{layer}.b"] = w, b
    run = network.run
    header: dict[str, Any] = {
        "kind": kind,
        "fastmlp": fastmlp.__version__,
        "numerics": NUMERICS_VERSION,
        "spec": asdict(network.spec),
        "seed": generators.state_of(network.seed),
        "drawn_seed": network.drawn_seed,
        "epochs": network.epochs,
        "run": None,
        **(more or {}),
    }
    if run is not None:
        for number, vector in enumerate(run.state.vectors):
            tensors[f"optimizer.{number}"] = vector
        rate = run.optimizer.learning_rate
        header["run"] = {
            "optimizer": optimizers.describe(run.optimizer),
            "learning_rate": rate if isinstance(rate, float) else schedules.describe(rate),
            "powers": run.state.powers.tolist(),
            "epochs": run.epochs,
            "plateau": run.plateau.state() if run.plateau else None,
            "spoilt": run.spoilt,
        }
    files.write(path, tensors, header)


def read(path: str | os.PathLike, kind: str) -> tuple[Network, dict[str, Any], dict[str, np.ndarray]]:
    """(the model, the whole header, the tensors that are no part of it). Raises as `files.read` does.

    ValueError, too, for a file of another kind or another numerics version, and for one whose parts don't fit.
    """
    tensors, header = files.read(path)
    if header.get("kind") != kind:
        hint = {
            "model": "load it with fastmlp.Model.load",
            "table": "it takes rows of a table, standardised as `fastmlp train` did: use `fastmlp predict`, or "
            "fastmlp.tables.TableModel.load",
        }.get(str(header.get("kind")), "this version of fastmlp does not know it")
        raise ValueError(f"{os.fspath(path)} holds a {header.get('kind')}, not a {kind}: {hint}")
    if header.get("numerics") != NUMERICS_VERSION:
        raise ValueError(
            f"{os.fspath(path)} is of numerics version {header.get('numerics')}, and this fastmlp computes by version "
            f"{NUMERICS_VERSION}, which gives other bits: use fastmlp {header.get('fastmlp')}, which wrote it"
        )
    try:
        return _model(header, tensors), header, tensors
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"{os.fspath(path)} has parts that do not fit together: {error}") from error


def _model(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Network:
    """Takes a model's parts out of the tensors."""
    parts = dict(header["spec"])
    spec = Spec.build(
        parts["layers"],
        parts["hidden"],
        parts["output"],
        losses.of(parts["loss"], parts["loss_parameter"]),
        parts["dtype"],
    )
    parameters = np.empty(spec.parameters, spec.dtype)
    for layer, (w, b) in enumerate(spec.views(parameters)):
        w[:] = _taken(tensors, f"layers.{layer}.w", w.shape, spec.dtype)
        b[:] = _taken(tensors, f"layers.{layer}.b", b.shape, spec.dtype)
    run = None
    if header["run"] is not None:
        described = header["run"]
        rate = described["learning_rate"]
        optimizer = optimizers.from_description(described["optimizer"])
        rate = schedules.from_description(rate) if isinstance(rate, dict) else rate
        optimizer = optimizers.find(type(optimizer)(**{**_fields(optimizer), "learning_rate": rate}), None)
        state = State.new(optimizer, spec.parameters, spec.dtype)
        for number in range(len(state.vectors)):
            state.vectors[number] = _taken(tensors, f"optimizer.{number}", (spec.parameters,), spec.dtype)
        state.powers[:] = described["powers"]
        run = Run(optimizer, state, _count(described["epochs"]), spoilt=described["spoilt"])
        if described["plateau"] is not None:
            run.plateau = optimizer.learning_rate.start(described["plateau"])  # type: ignore[union-attr]
    seed = generators.from_state(header["seed"])
    drawn = header["drawn_seed"]
    return Network(spec, parameters, seed, None if drawn is None else _count(drawn), _count(header["epochs"]), run)


def _fields(optimizer: Any) -> dict[str, Any]:
    return {name: value for name, value in optimizers.describe(optimizer).items() if name != "name"}


def _taken(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    tensor = tensors.pop(name)
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(f"{name} is {tensor.dtype} of shape {tensor.shape}, and its place {dtype} of shape {shape}")
    return tensor


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LIMIT:
        raise ValueError(f"{value!r} is no count")
    return value
