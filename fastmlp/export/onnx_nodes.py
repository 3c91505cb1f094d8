"""The nodes and constants of an ONNX graph while it is made. Imports onnx when one is begun."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from fastmlp.checks.messages import lacks, shown

ML = "ai.onnx.ml"  # the domain of operators for texts


class Graph:
    """Inputs, nodes and constants, in the order in which they are added.

    kind: the dtype of the arithmetic. outputs: names that no input may have.
    """

    def __init__(self, kind: np.dtype, outputs: tuple[str, ...] = ()) -> None:
        try:
            from onnx import helper, numpy_helper
        except ImportError as error:
            raise ImportError(lacks("to_onnx needs", "onnx", "onnx")) from error
        self.kind = kind
        self.inputs: dict[str, Any] = {}
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.domains: set[str] = {""}
        self._outputs = outputs
        self._helper, self._array = helper, numpy_helper.from_array

    def input(self, name: str, kind: Any, columns: int, others: Collection[str] = ()) -> str:
        """Adds an input (N, columns), before all nodes -> its name: with "_" behind it, where an output has it.

        others: the names of all inputs.
        """
        self._check(name)
        if not name or name in self._outputs:
            name += "_"
            while name in others:
                name += "_"
        self.inputs[name] = self._helper.make_tensor_value_info(name, self.of_kind(kind), ["N", columns])
        return name

    def texts(self, values: Iterable[str]) -> list[str]:
        """The texts. Raises ValueError for one that ONNX does not hold."""
        return [self._check(value) for value in values]

    def node(self, operator: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Adds a node -> the name of its output."""
        name = self._free(name or f"{operator.lower()}_{len(self.nodes)}")
        self.domains.add(domain)
        made = self._helper.make_node(operator, list(inputs), [name], name=name, domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def constant(self, value: Any, name: str | None = None, kind: Any = None) -> str:
        """Adds a constant, in the graph's dtype unless another is given -> its name."""
        array = np.asarray(value, kind or self.kind)
        name = self._free(name or f"number_{float(array)!r}_{array.dtype}")
        self.constants[name] = self._array(array, name)
        return name

    def of_kind(self, kind: Any) -> int:
        """ONNX's number of a dtype."""
        return self._helper.np_dtype_to_tensor_dtype(np.dtype(kind))

    def cast(self, here: str, kind: Any, wanted: Any) -> str:
        """The name of `here`, of dtype `kind`, in another dtype."""
        return here if np.dtype(kind) == np.dtype(wanted) else self.node("Cast", here, to=self.of_kind(wanted))

    @staticmethod
    def _check(text: str) -> str:
        if "\0" in text or text != text.encode("utf-8", "replace").decode("utf-8"):
            raise ValueError(f"{shown(text)} has a character that a text in ONNX may not have: rename it in training")
        return text

    def _free(self, name: str) -> str:
        """The name, or a longer one, which is no input's: inputs are named as a table's columns, which may be w0."""
        while name in self.inputs:
            name += "_"
        return name
