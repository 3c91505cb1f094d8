"""The one writer of plans: `kernels/plan.py` has their fields, and what each means.

Buffers are `buffers.py`'s, which tells their addresses. Fields are named where they are written, as X_TILE=...: a
search for a field's name shows who writes it and which kernels read it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.system.atomic import address
from fastmlp.training import Training


class PlanWriter:
    """A plan, all 0 at first, and what is written to it. fields: the plan itself, to read and to hand to kernels."""

    def __init__(self, dtype: str, layers: int, together: bool = False):
        """together: kernels that have to be compiled are made side by side, up to `link`."""
        self.dtype = dtype
        self.fields = np.zeros(at.FIELDS + at.LAYER_FIELDS * layers, np.int64)
        self._asked: dict[int, str] | None = {} if together else None

    # By kind

    def counts(self, **values: int) -> None:
        """Writes counts, flags and whatever else is no address: counts(TILE=512, STRIDE=520)."""
        for name, value in values.items():
            field = getattr(at, name)
            assert at.KINDS[field] not in ("address", "kernel"), name
            self.fields[field] = value

    def buffers(self, **addresses: int) -> None:
        """Writes where buffers are: buffers(GRADIENT=address)."""
        for name, place in addresses.items():
            field = getattr(at, name)
            assert at.KINDS[field] == "address", name
            self.fields[field] = place

    def kernels(self, **names: str) -> None:
        """Writes kernels' addresses: kernels(GATHER="layout.gather"). If several are made together, `link` does."""
        for name, kernel in names.items():
            field = getattr(at, name)
            assert at.KINDS[field] == "kernel", name
            self._ask(field, kernel)

    def layer(self, layer: int, **values: int) -> None:
        """Writes fields of a layer's table: layer(0, LAYER_INPUTS=784)."""
        for name, value in values.items():
            self.fields[layer_field(layer, getattr(at, name))] = value

    def layer_kernel(self, layer: int, kernel: str) -> None:
        """Writes the kernel of a layer's activation."""
        self._ask(layer_field(layer, at.LAYER_FORWARD), kernel)

    # Kernels

    def address(self, kernel: str) -> int:
        """A kernel's address, for the plan's dtype."""
        return registry.address(kernel, self.dtype)

    def _ask(self, field: int, kernel: str) -> None:
        if self._asked is None:
            self.fields[field] = self.address(kernel)
        else:
            self._asked[field] = kernel
            registry.begin(kernel, self.dtype)

    def link(self) -> None:
        """Ends a time of several kernels together: all that were asked for are in the plan."""
        asked, self._asked = self._asked or {}, None
        for field, kernel in asked.items():
            self._ask(field, kernel)

    # Training

    def add_option(self, bits: int) -> None:
        """Adds to the bits of every pass's mode."""
        self.fields[at.EXTRAS] |= bits

    def point_to(self, x: np.ndarray, y: np.ndarray | None) -> None:
        """Has the plan read these rows."""
        self.fields[at.X] = address(x)
        if y is not None:
            self.fields[at.Y] = address(y)

    def shuffle(self) -> None:
        """Has each epoch begin with an order of its own."""
        self.fields[at.PERMUTATION], self.fields[at.SHUFFLE] = registry.address("random.permutation", "float64"), 1

    def begin(self, training: Training) -> None:
        """Writes the numbers of the first epoch and of the last, and the seeds."""
        fields = self.fields
        fields[at.FIRST_EPOCH], fields[at.EPOCHS] = training.first_recorded, training.last
        fields[at.EPOCH], fields[at.EPOCHS_BEFORE] = training.first, training.epochs_before - training.done
        if isinstance(training.order, int):
            fields[at.SEED] = word(training.order)
        if training.drops:
            fields[at.DROPOUT_SEED] = word(training.dropout_seed)

    def go_back(self, fields: np.ndarray) -> None:
        """Writes all that the plan once was."""
        self.fields[:] = fields

    def begin_steps(self) -> None:
        """Has the next update be the first of STEPS."""
        self.fields[at.STEP] = 0

    # Teams

    def lead(self, loop: str, share: str | None) -> None:
        """Writes the kernels of a team's leader. share: a member's part of a pass; None: the pass itself."""
        for field, kernel in (
            (at.LOOP, loop),
            (at.MEET, "team.meet"),
            (at.OWN_PART, "team.own_part"),
            (at.TOGETHER, "team.together"),
        ):
            self.fields[field] = self.address(kernel)
        self.fields[at.SHARE] = self.address(share) if share else self.fields[at.PASS_KERNEL]

    def member(
        self, own: PlanWriter, names: Sequence[str], of_layers: Sequence[str], team: int, sums: int
    ) -> np.ndarray:
        """The plan of a member of the team that this one leads: the same but for these fields, which are its `own`.

        team, sums: TEAM, CHUNK_SUMS.
        """
        made = self.fields.copy()
        made[at.TEAM], made[at.CHUNK_SUMS] = team, sums
        places = [getattr(at, name) for name in names]
        for layer in range(int(made[at.LAYERS])):
            places += [layer_field(layer, getattr(at, name)) for name in of_layers]
        made[places] = own.fields[places]
        return made

    def copy_to(self, plans: Sequence[np.ndarray], of_layers: str) -> None:
        """Has other plans of the same network say of each layer what this one does, in one field."""
        for layer in range(int(self.fields[at.LAYERS])):
            place = layer_field(layer, getattr(at, of_layers))
            for other in plans:
                other[place] = self.fields[place]

    # Predictions and scores

    def set_rows(self, rows: int) -> None:
        """Has the next call end behind so many rows."""
        self.fields[at.ROWS] = rows

    def set_part(self, first: int, end: int) -> None:
        """Has the next call begin with row `first`, and end before row `end`."""
        self.fields[at.START], self.fields[at.ROWS] = first, end

    def take_rows(self, rows: int, x: int, result: int) -> None:
        """Has the next call read rows at an address, and write their outputs or labels to another."""
        self.fields[at.ROWS], self.fields[at.X], self.fields[at.RESULT] = rows, x, result

    def forget_right_rows(self) -> None:
        """Has the next call's right rows count from 0."""
        self.fields[at.BATCH_RIGHT] = 0

    def write(self, fields: Sequence[tuple[int, int]]) -> None:
        """Writes fields by their places: what `prepared` has made."""
        for field, value in fields:
            self.fields[field] = value

    def prepared(self, **values: int | str) -> list[tuple[int, int]]:
        """Fields for `write`, in a hurry; kernels by their names."""
        return [(getattr(at, name), self.address(v) if isinstance(v, str) else v) for name, v in values.items()]

    def move_layers(self, first: int, apart: int) -> None:
        """Has the layers from `first` on read parameters so many numbers further on."""
        self.fields[layer_field(first, at.LAYER_OFFSET) :: at.LAYER_FIELDS] += apart


def layer_field(layer: int, field: int) -> int:
    """Where a field of a layer's table is in the plan."""
    return at.FIELDS + layer * at.LAYER_FIELDS + field


def word(bits: int) -> int:
    """64 bits as a signed number."""
    return bits - 2**64 if bits >> 63 else bits


def take_turns(plans: Sequence[np.ndarray], turns: int) -> None:
    """Has plans take their pieces by turns, whose words are at this address; 0: each goes through all."""
    for plan in plans:
        plan[at.TURNS] = turns


def read_rows_at(plan: np.ndarray, layered: bool, x: int, y: int) -> None:
    """Has a plan read row 0 at these addresses. layered: whether x is where the layered pass copies rows to."""
    plan[at.X_TILE if layered else at.X], plan[at.Y] = x, y
