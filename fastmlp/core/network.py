"""The state of a model that outlives its process: a spec, parameters, a seed, and where training stands."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.core.preprocess import Scale
from fastmlp.spec import NUMERICS_VERSION, Spec
from fastmlp.system.atomic import Change, copied, held, together
from fastmlp.training import Run, State

STANDARDIZE = ("", "features", "both")


@dataclass
class Network:
    """A model without its history. Training changes it in place; `change` makes several changes at once."""

    spec: Spec
    parameters: np.ndarray  # (P,)
    seed: Any  # an int, or a NumPy Generator or RandomState
    drawn_seed: int | None = None  # the number that was drawn from such a generator
    epochs: int = 0  # of all fits: shuffles and dropout continue from there
    run: Run | None = None  # of the last fit, to resume
    standardize: str = ""  # "features", or "both": rows, or rows and targets, are standardised; "": neither
    scale: Scale | None = None  # of the features, once a fit has learnt it
    target_scale: Scale | None = None

    version = 0  # how often `change` was called

    def change(self, changes: Iterable[Change]) -> None:
        """Makes changes (of `system.atomic`) to the network and to what belongs with it, as one."""
        together([*changes, held(self, "version", self.version + 1)])

    def parameters_now(self) -> np.ndarray:
        """Returns a copy of the parameters (P,) as of one moment, even while another thread trains."""
        parameters = np.empty_like(self.parameters)
        together([copied(parameters, self.parameters)])
        return parameters

    def digest(self) -> str:
        """`Model.digest`."""
        parameters = self.parameters_now()
        numbers = parameters.astype(parameters.dtype.newbyteorder("<")).tobytes()
        found = hashlib.sha256(_words(self.spec) + b"\n" + numbers)
        if self.standardize:  # digests of networks without are older
            found.update(f"\n{self.standardize}\n".encode())
            for scale in (self.scale, self.target_scale):
                for part in () if scale is None else (scale.mean, scale.deviation):
                    found.update(part.astype("<f8").tobytes())
        return found.hexdigest()

    @property
    def rows_spec(self) -> Spec:
        """The spec that rows are read by: of float64, where they are standardised before they are rounded."""
        return wide(self.spec) if self.standardize else self.spec

    def inputs(self, x: np.ndarray, backend: str) -> np.ndarray:
        """Rows (N, K), as `data.features` has them by `rows_spec`, as the network sees them.

        Raises ValueError where no fit has learnt a scale, or a row is beyond the dtype's range.
        """
        return self._scaled(self.scale, x, backend) if self.standardize else x

    def scaled_targets(self, y: np.ndarray, backend: str) -> np.ndarray:
        """Targets (N, J), as `data.targets` has them, in the units of the network's outputs. Raises as `inputs`."""
        return self._scaled(self.target_scale, y, backend) if self.standardize == "both" else y

    def in_units(self, outputs: np.ndarray, backend: str) -> np.ndarray:
        """Outputs (N, J) in the targets' units, of the network's dtype.

        Raises ValueError where one is beyond its range, and as `inputs`.
        """
        if self.standardize != "both":
            return outputs
        with np.errstate(over="ignore"):
            found = self._learnt(self.target_scale).backward(outputs, backend).astype(self.spec.dtype, copy=False)
        if not np.isfinite(found).all():
            raise ValueError(f"an output is beyond the range of {self.spec.dtype} in y's units: X is too large")
        return found

    def scales(self) -> tuple[tuple[np.ndarray, np.ndarray] | None, tuple[np.ndarray, np.ndarray] | None]:
        """(mean, deviation) of the features and of the targets, None for each that is not standardised.

        Raises as `inputs`, where no fit has learnt them.
        """
        wanted = [self.scale] * bool(self.standardize) + [self.target_scale] * (self.standardize == "both")
        found = [(scale.mean, scale.deviation) for scale in map(self._learnt, wanted)]
        return (found[0] if found else None, found[1] if len(found) > 1 else None)

    def _scaled(self, scale: Scale | None, x: np.ndarray, backend: str) -> np.ndarray:
        with np.errstate(over="ignore"):
            found = self._learnt(scale).forward(x, backend).astype(self.spec.dtype, copy=False)
        if not np.isfinite(found).all():
            row = int(np.argmin(np.isfinite(found).all(axis=1)))
            raise ValueError(
                f"standardize: row {row} is beyond the range of {self.spec.dtype} once it is standardised; compare it "
                "with the rows that the scale was learnt from"
            )
        return found

    def _learnt(self, scale: Scale | None) -> Scale:
        if scale is None:
            raise ValueError("standardize: the scale is learnt by the first fit, and there was none: call fit first")
        return scale

    def at_once(self) -> Network:
        """Returns a copy of everything as of one moment, even while another thread trains."""
        while True:
            run = self.run
            parameters = np.empty_like(self.parameters)
            reads = [copied(parameters, self.parameters), self.__dict__.copy]
            if run is None:
                _, fields = together(map(partial, reads))
                state = None
            else:
                vectors, powers = np.empty_like(run.state.vectors), np.empty_like(run.state.powers)
                reads += [run.__dict__.copy, copied(vectors, run.state.vectors), copied(powers, run.state.powers)]
                reads += [run.plateau.__dict__.copy] if run.plateau else []
                _, fields, of_run, _, _, *of_plateau = together(map(partial, reads))
                state = State(vectors, powers)
            if fields["run"] is not run or (run is not None and of_run["state"] is not run.state):
                continue  # another fit has begun meanwhile
            made = object.__new__(Network)
            made.__dict__.update(fields, parameters=parameters)
            if run is not None:
                made.run = object.__new__(Run)
                made.run.__dict__.update(of_run, state=state)
                if run.plateau:
                    made.run.plateau = object.__new__(type(run.plateau))
                    made.run.plateau.__dict__.update(of_plateau[0])
            return made

    def __getstate__(self) -> dict[str, Any]:
        fields = self.at_once().__dict__
        fields.pop("version", None)
        return fields

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restores a pickle.

        Its buffers may be unaligned and read-only; kernels need aligned ones, and write to them.
        """
        self.__dict__.update(state)
        self.parameters = _own(self.parameters)
        if self.run is not None:
            state_of = self.run.state
            self.run.state = State(_own(state_of.vectors), _own(state_of.powers))

    def number_seed(self) -> int:
        """Returns the seed as a number.

        For a NumPy generator, it is the number that was drawn, or that `seed_drawn` will draw.
        """
        if isinstance(self.seed, int):
            return self.seed
        return _drawn(copy.deepcopy(self.seed_to_resume())) if self.drawn_seed is None else self.drawn_seed

    def seed_to_resume(self) -> Any:
        """Returns the seed as the next epoch needs it: a copy, if an interrupted fit has drawn from a generator."""
        if self.run is None or self.run.drawn_from is None:
            return self.seed
        seed = copy.deepcopy(self.seed)
        together([seed_set(seed, self.run.drawn_from)])
        return seed

    def seed_drawn(self) -> list[Change]:
        """Returns the changes that draw a number from a NumPy generator, once."""
        if isinstance(self.seed, int) or self.drawn_seed is not None:
            return []
        after = copy.deepcopy(self.seed_to_resume())
        number = _drawn(after)
        return [seed_set(self.seed, raw_state(after)), held(self, "drawn_seed", number)]

    def order(self, rows: int) -> int | Callable[[int], np.ndarray]:
        """Returns how the rows of an epoch are shuffled: `Training.order`."""
        return self.seed if isinstance(self.seed, int) else lambda epoch: _permutation(self.seed, rows)


def standardize_of(value: Any, spec: Spec) -> str:
    """What `Model` takes as `standardize`, as a Network has it. Raises TypeError or ValueError."""
    found = ("features" if value else "") if isinstance(value, (bool, np.bool_)) else value or None
    if not isinstance(found, str) or found not in STANDARDIZE:
        raise ValueError(f'standardize={shown(value)} is not known: use True for the features, "both", or False')
    if found == "both" and spec.output != "identity":
        raise ValueError(f'standardize="both" is of values, and output="{spec.output}" has none: use standardize=True')
    return found


@functools.lru_cache(64)
def wide(spec: Spec) -> Spec:
    """The same network in float64."""
    return replace(spec, dtype="float64")


@functools.lru_cache(64)  # most of the time that a small network's digest takes
def _words(spec: Spec) -> bytes:
    """What a digest says of a network, before its parameters."""
    fields = spec.described()
    if spec.loss_parameter is None:
        del fields["loss_parameter"]  # digests of networks without one are older than it
    return json.dumps({"numerics": NUMERICS_VERSION, **fields}, sort_keys=True).encode()


def _permutation(seed: np.random.Generator | np.random.RandomState, rows: int) -> np.ndarray:
    """A generator's order of the rows, checked.

    A user's subclass may return anything, and kernels read wherever it says.
    """
    order = np.asarray(seed.permutation(rows))
    if order.shape != (rows,) or order.dtype.kind not in "iu" or order.min() < 0 or order.max() >= rows:
        raise ValueError(f"seed is a {type(seed).__name__} whose permutation({rows}) is not an order of {rows} rows")
    return order


def raw_state(seed: np.random.Generator | np.random.RandomState) -> Any:
    """Returns the state of a NumPy generator of any kind."""
    return seed.get_state(legacy=False) if isinstance(seed, np.random.RandomState) else seed.bit_generator.state


def seed_set(seed: np.random.Generator | np.random.RandomState, state: Any) -> Change:
    """Returns the change that sets a generator's state."""
    if isinstance(seed, np.random.RandomState):
        return partial(seed.set_state, state)
    return held(seed.bit_generator, "state", state)


def _own(array: np.ndarray) -> np.ndarray:
    """The array, or a contiguous, aligned, writable copy."""
    return np.require(array, requirements=["C", "A", "W"])


def _drawn(generator: np.random.Generator | np.random.RandomState) -> int:
    """A number from 0 to 2^31 - 1, drawn from the generator."""
    draw = generator.integers if isinstance(generator, np.random.Generator) else generator.randint
    return int(draw(2**31))
