"""A trained network in a file: what `Model.save` writes and `Model.load` reads, by means of `container.py`."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from fastmlp import losses, optimizers, schedules
from fastmlp._version import __version__
from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut, shown
from fastmlp.checks.scalars import LIMIT
from fastmlp.core.network import STANDARDIZE, Network
from fastmlp.core.preprocess import Scale
from fastmlp.spec import DTYPES, LOSSES, NUMERICS_VERSION, Spec
from fastmlp.storage import container, rng_state
from fastmlp.training import Run, State


def write(
    path: str | os.PathLike,
    network: Network,
    kind: str,
    more: dict[str, Any] | None = None,
    more_tensors: dict[str, np.ndarray] | None = None,
    sync: bool = True,
) -> None:
    """Writes a network to a file.

    Parameters
    ----------
    path : path
        The file's name.
    network : Network
        What to write.
    kind : str
        "model", or another kind that has more in its header and more tensors.
    more : dict or None
        Further entries of the header.
    more_tensors : dict of str to ndarray or None
        Further tensors.
    sync : bool, default=True
        As for `container.write`.

    Raises
    ------
    TypeError, ValueError, OSError
        As `container.write`.
    """
    header, tensors = described(network)
    container.write(path, {**tensors, **(more_tensors or {})}, {**versions(kind), **header, **(more or {})}, sync)


def versions(kind: str) -> dict[str, Any]:
    """The entries of a header that say what kind of file it is, and what wrote it."""
    return {"kind": kind, "fastmlp": __version__, "numerics": NUMERICS_VERSION}


def described(network: Network) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A network as entries of a header and tensors, of which `network_of` makes it again."""
    tensors = dict[str, np.ndarray]()
    for layer, (w, b) in enumerate(network.spec.views(network.parameters)):
        tensors[f"layers.{layer}.w"], tensors[f"layers.{layer}.b"] = w, b
    if network.spec.input_scale:
        tensors["input_scale"] = network.spec.scale_of(network.parameters)
    run = network.run
    for name, part in _of_scales(network).items():
        tensors[name] = part
    header: dict[str, Any] = {
        "spec": network.spec.described(),
        "seed": rng_state.state_of(network.seed_to_resume()),
        "drawn_seed": network.drawn_seed,
        "epochs": network.epochs,
        "run": None,
    }
    if network.standardize:  # what is not there at its default is in no older file
        header["standardize"] = network.standardize
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
            "rate_begins": run.rate_begins,
            "held_out": run.held_out,
            "spoilt": run.not_resumable_because,
        }
    return header, tensors


def read(path: str | os.PathLike, *kinds: str) -> tuple[Network, dict[str, Any], dict[str, np.ndarray]]:
    """Reads a network from a file.

    Parameters
    ----------
    path : path
        The file's name.
    *kinds : str
        The kinds of file that are accepted.

    Returns
    -------
    network : Network
    header : dict
        The whole header.
    tensors : dict of str to ndarray
        The tensors that do not belong to the network.

    Raises
    ------
    ValueError
        As `container.read`; and for another kind or numerics version, or contents that do not fit together.
    OSError
        As `container.read`.
    """
    tensors, header = container.read(path)
    kind = check_kind(path, header, *kinds)
    try:
        network = network_of(header, tensors)
        if kind == "model" and tensors:
            raise ValueError(f"nothing of a model is called {cut(next(iter(tensors)))}")
    except Exception as error:
        only_faults(error)
        raise refusal(path, error) from error
    return network, header, tensors


def check_kind(path: str | os.PathLike, header: dict[str, Any], *kinds: str) -> str:
    """Returns the kind of a file, if it is one of these, and of this numerics version. Raises ValueError."""
    kind = header.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        hint = {
            "model": "load it with fastmlp.Model.load",
            "ensemble": "load it with fastmlp.Ensemble.load",
            "checkpoint": "load it with fastmlp.Model.load, or continue with fit(..., resume=path)",
            "table": "it takes rows of a table, standardised as `fastmlp train` did: use `fastmlp predict`, or "
            "fastmlp.TableModel.load",
        }.get(kind if isinstance(kind, str) else "", "this version of fastmlp does not know it")
        found = cut(kind) if isinstance(kind, str) else shown(kind)
        raise ValueError(f"{os.fspath(path)} holds {_a(found)}, not {_a(kinds[0])}: {hint}")
    if header.get("numerics") != NUMERICS_VERSION:
        version = header.get("fastmlp")
        version = cut(version) if isinstance(version, str) else shown(version)
        raise ValueError(
            f"{os.fspath(path)} is of numerics version {shown(header.get('numerics'))}, and this fastmlp computes by "
            f"version {NUMERICS_VERSION}, which gives other bits: use fastmlp {version}, which wrote it"
        )
    return kind


def _a(kind: str) -> str:
    return f"{'an' if kind == 'ensemble' else 'a'} {kind}"


def refusal(path: str | os.PathLike, error: Exception) -> Exception:
    """The error for a header that has a right checksum and was not written by `write`.

    Its values may be of any kind.
    """
    if isinstance(error, MemoryError):
        return error
    wrong = f"it has no {error}" if isinstance(error, KeyError) else cut(str(error), 300)
    return ValueError(f"{os.fspath(path)} has parts that do not fit together: {wrong}")


def network_of(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Network:
    """Takes a network's tensors out of `tensors`, and makes the network of them and of a header's entries.

    Raises what `refusal` takes.
    """
    of = part(header, "spec")
    if of["dtype"] not in DTYPES:  # as `write` spells them; NumPy would parse other texts
        raise ValueError(f"its dtype is {shown(of['dtype'])}, none of {', '.join(DTYPES)}")
    if of["output"] not in tuple(LOSSES):
        raise ValueError(f"its output is {shown(of['output'])}, none of {', '.join(LOSSES)}")
    loss = losses.of(of["loss"], of["loss_parameter"])
    spec = Spec.build(of["layers"], of["hidden"], of["output"], loss, of["dtype"], of.get("input_scale", False))
    for name in ("hidden", "loss"):  # as `write` spells them: others may mean the same to `build`
        own: Any = getattr(spec, name)
        if of[name] != (list(own) if name == "hidden" else own):
            raise ValueError(f"its {name} is {shown(of[name])}, which is not known")
    parts = []  # nothing is allocated for a size in the header before a tensor is known to have it
    for layer, (inputs, outputs) in enumerate(spec.shapes):
        parts.append(taken(tensors, f"layers.{layer}.w", (inputs, outputs), spec.dtype).reshape(-1))
        parts.append(taken(tensors, f"layers.{layer}.b", (outputs,), spec.dtype))
    if spec.input_scale:
        parts.append(taken(tensors, "input_scale", (spec.inputs,), spec.dtype))
    parameters = np.concatenate(parts)
    if not np.isfinite(parameters).all():
        raise ValueError("a weight is not finite")
    epochs, drawn = count(header["epochs"]), header["drawn_seed"]
    run = None if header["run"] is None else _run(part(header, "run"), tensors, spec, epochs)
    seed = rng_state.from_state(header["seed"])
    made = Network(spec, parameters, seed, None if drawn is None else count(drawn), epochs, run)
    if "standardize" in header:
        _take_scales(made, header["standardize"], tensors)
    return made


def _of_scales(network: Network) -> dict[str, np.ndarray]:
    """The tensors of a network's scales: as tensors, they keep fastmlp from before there were any from reading it."""
    if not network.standardize:
        return {}
    found = {}
    for name, scale in (("scale", network.scale), ("target_scale", network.target_scale)):
        for part in ("mean", "deviation"):
            found[f"{name}.{part}"] = np.zeros(0) if scale is None else getattr(scale, part)
    return found


def _take_scales(network: Network, how: Any, tensors: dict[str, np.ndarray]) -> None:
    """Takes a network's scales out of `tensors`. Raises ValueError."""
    if how not in STANDARDIZE[1:]:
        raise ValueError(f"its standardize is {shown(how)}, none of {', '.join(STANDARDIZE[1:])}")
    network.standardize = how
    network.scale = _scale_of(tensors, "scale", network.spec.inputs)
    network.target_scale = _scale_of(tensors, "target_scale", network.spec.outputs)
    learnt = network.scale is not None
    if (network.target_scale is not None) != (learnt and how == "both") or (network.epochs and not learnt):
        raise ValueError(f"its scales do not go with standardize {how!r}")


def _scale_of(tensors: dict[str, np.ndarray], name: str, size: int) -> Scale | None:
    """A scale of so many columns, or None for an empty one."""
    size = size if tensors[f"{name}.mean"].shape != (0,) else 0
    mean, deviation = (taken(tensors, f"{name}.{part}", (size,), "float64") for part in ("mean", "deviation"))
    if not np.isfinite(mean).all() or not np.isfinite(deviation).all() or (deviation < 0).any():
        raise ValueError(f"its {name} has a number that is not finite, or a deviation below 0")
    return Scale(mean, deviation) if size else None


def _run(described: dict[str, Any], tensors: dict[str, np.ndarray], spec: Spec, epochs: int) -> Run:
    """Takes the last fit's optimizer state out of `tensors`. epochs: the number of epochs of all fits."""
    rate = described["learning_rate"]
    rate = schedules.from_description(rate) if isinstance(rate, dict) else rate
    optimizer: Any = dataclasses.replace(optimizers.from_description(part(described, "optimizer")), learning_rate=rate)  # type: ignore[type-var]
    optimizers.check_settings(optimizer, spec.dtype)
    state = State.new(optimizer, spec.parameters, spec.dtype)
    for number in range(len(state.vectors)):
        state.vectors[number] = taken(tensors, f"optimizer.{number}", (spec.parameters,), spec.dtype)
    state.powers[:] = powers_of(described["powers"])
    done, plateau, spoilt = count(described["epochs"]), described["plateau"], described["spoilt"]
    if done > epochs:
        raise ValueError(f"its last fits have {done} epochs, and all of its fits {epochs}")
    if spoilt is not None and not isinstance(spoilt, str):
        raise ValueError(f"spoilt is {shown(spoilt)}, not text")
    begins, held_out = count(described["rate_begins"]), described["held_out"]
    if begins > done:
        raise ValueError(f"its learning rate begins after {begins} epochs of {done}")
    if held_out is not None and not (isinstance(held_out, float) and 0 < held_out < 1):
        raise ValueError(f"held_out is {shown(held_out)}, not a fraction")
    run = Run(optimizer, state, done, None, begins, held_out, spoilt if spoilt is None else cut(spoilt, 200))
    if plateau is not None:
        if not isinstance(rate, schedules.ReduceOnPlateau):
            raise ValueError(f"learning_rate={rate!r} has no plateau, and one is there")
        run.plateau = rate.start(plateau)
    return run


def powers_of(value: Any) -> np.ndarray:
    """Returns the optimizer's powers (2,) from a header. Raises ValueError."""
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(n, float) and 0 <= n <= 1 for n in value):
        raise ValueError(f"the optimizer's powers are {shown(value)}, not two numbers from 0 to 1")
    return np.array(value)


def part(of: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns an entry of a header that has to be a dict. Raises ValueError."""
    part = of[name]
    if not isinstance(part, dict):
        raise ValueError(f"its {name} is {shown(part)}, not a dict")
    return part


def taken(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Takes a tensor of this shape and dtype out of `tensors`. Raises ValueError."""
    tensor = tensors.pop(name)
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(f"{name} is {tensor.dtype} of shape {tensor.shape}, and its place {dtype} of shape {shape}")
    return tensor


def count(value: Any) -> int:
    """Returns a value that has to be a count. Raises ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LIMIT:
        raise ValueError(f"{shown(value)} is not a count")
    return value
