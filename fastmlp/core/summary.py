"""`Summary`: the layers of a network and their parameters, as text and for notebooks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp import losses
from fastmlp.spec import Spec
from fastmlp.views import html

HEADER = ("layer", "inputs", "outputs", "activation", "weights", "biases", "parameters")


@dataclass(frozen=True, repr=False)
class Summary:
    """What `Model.summary` returns: printed, or at the end of a notebook's cell, it shows each layer.

    Attributes
    ----------
    spec : Spec
        The network's layers, activations, loss and dtype.
    """

    spec: Spec

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return self.spec.parameters

    @property
    def rows(self) -> list[tuple[str, int, int, str, int, int, int]]:
        """For each layer: number, inputs K, outputs J, activation, and the numbers of weights, biases and both.

        An input scale comes first, as the layer "scale" of K weights.
        """
        spec = self.spec
        names = [*spec.hidden, spec.output]
        scale = [("scale", spec.inputs, spec.inputs, "identity", spec.inputs, 0, spec.inputs)] * spec.input_scale
        return scale + [
            (str(number), inputs, outputs, name, inputs * outputs, outputs, (inputs + 1) * outputs)
            for number, ((inputs, outputs), name) in enumerate(zip(spec.shapes, names, strict=True), 1)
        ]

    def heading(self) -> tuple[str, str]:
        """Returns the network's sizes, and what they come to.

        Returns
        -------
        (str, str)
            'Model 2-8-8-2' and '114 parameters of float64 (912 bytes), loss cross_entropy'.
        """
        spec = self.spec
        size = _in_bytes(spec.parameters * np.dtype(spec.dtype).itemsize)
        loss = losses.of(spec.loss, spec.loss_parameter)
        of_one = "parameter" if spec.parameters == 1 else "parameters"
        sizes = "-".join(map(str, spec.layers))
        return f"Model {sizes}", f"{spec.parameters:,} {of_one} of {spec.dtype} ({size}), loss {loss}"

    def table(self) -> str:
        """Returns the layers as a table of HTML.

        Returns
        -------
        str
        """
        return html.table(HEADER, [_texts(row) for row in self.rows])

    def __str__(self) -> str:
        lines = [HEADER, *(_texts(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
        table = ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
        return "\n".join([": ".join(self.heading()), *table])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.block(html.heading(*self.heading()), self.table())


def _texts(row: tuple[str | int, ...]) -> tuple[str, ...]:
    return tuple(f"{one:,}" if isinstance(one, int) else one for one in row)


def _in_bytes(size: int) -> str:
    """'912 bytes', '1.2 kB', '3.4 GB'."""
    for unit, of in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= of:
            return f"{size / of:.3g} {unit}"
    return f"{size} bytes"
