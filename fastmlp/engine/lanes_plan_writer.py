"""The one writer of groups' plans: `kernels/lanes_plan.py` has their fields, and what each means."""

from __future__ import annotations

import numpy as np

from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels import registry


class GroupPlan:
    """A group's plan, all 0 at first, and what is written to it. fields: the plan itself, to read and for kernels."""

    def __init__(self, dtype: str, layers: int):
        self.dtype = dtype
        self.fields = np.zeros(at.FIELDS + at.LAYER_FIELDS * layers, np.int64)
        self._asked: list[tuple[int, str, str]] = []

    def __getitem__(self, field: int) -> int:
        """A field's number."""
        return int(self.fields[field])

    def counts(self, **values: int) -> None:
        """Writes counts, flags and whatever else is no address: counts(MODELS=8)."""
        for name, value in values.items():
            field = getattr(at, name)
            assert at.KINDS[field] not in ("address", "kernel"), name
            self.fields[field] = value

    def buffers(self, **addresses: int) -> None:
        """Writes where buffers are: buffers(GRADIENT=address)."""
        for name, address in addresses.items():
            field = getattr(at, name)
            assert at.KINDS[field] == "address", name
            self.fields[field] = address

    def kernels(self, **names: str) -> None:
        """Asks for kernels: kernels(GATHER="lanes_rows.gather"). They are made side by side, up to `link`."""
        for name, kernel in names.items():
            field = getattr(at, name)
            assert at.KINDS[field] == "kernel", name
            # those of integers alone are filed under float64
            self._ask(field, kernel, "float64" if kernel.startswith("lanes_random.") else self.dtype)

    def layer(self, layer: int, **values: int) -> None:
        """Writes fields of a layer's table: layer(0, LAYER_INPUTS=784)."""
        for name, value in values.items():
            self.fields[at.FIELDS + layer * at.LAYER_FIELDS + getattr(at, name)] = value

    def layer_kernel(self, layer: int, kernel: str) -> None:
        """Asks for the kernel of a layer's activation."""
        self._ask(at.FIELDS + layer * at.LAYER_FIELDS + at.LAYER_FORWARD, kernel, self.dtype)

    def _ask(self, place: int, kernel: str, dtype: str) -> None:
        self._asked.append((place, kernel, dtype))
        registry.begin(kernel, dtype)

    def link(self) -> None:
        """Has all kernels that were asked for in the plan."""
        for place, kernel, dtype in self._asked:
            self.fields[place] = registry.address(kernel, dtype)
        self._asked = []

    def end_one(self) -> None:
        """Has one model less that has not ended."""
        self.fields[at.LIVING] -= 1
