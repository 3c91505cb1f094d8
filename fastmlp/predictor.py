"""The outputs of a model with as little overhead as possible: what `Model.predictor` returns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.core import data
from fastmlp.core.input_scale import seen
from fastmlp.core.network import Network
from fastmlp.engine.forward import KEPT_BYTES, Forward, Pass, forward_of, in_lines
from fastmlp.kernels.plan import DONE
from fastmlp.spec import Spec


class Predictor(functools.partial):
    """A function that returns the outputs of a network, made by `Model.predictor`.

    It has a copy of the parameters: later training of the model does not change it. It can be copied and pickled.
    `predictor(x)` returns a new array with the bits of the model's own predictions: probabilities (softmax, sigmoid),
    values (identity) or means (exponential).

    Parameters
    ----------
    spec : Spec
        The network.
    parameters : ndarray of shape (P,)
        Its parameters, which are copied.
    backend : str
        "numba" or "reference".
    network : Network or None, default=None
        Whose scales x and outputs have; None for a model that standardises nothing.

    Notes
    -----
    The argument x is a row (K,), which gives (J,), or rows (N, K), which give (N, J). The fast way is an array of shape
    (K,) or (1, K) with the network's own dtype, in any memory order. Everything else that `Model.predict` accepts is
    accepted and converted.

    x's type, dtype and shape are checked, and that every number of x and of the outputs is finite. Errors are the
    ValueErrors and TypeErrors of `Model.predict`.

    Several threads may call it at once. One of them takes the fast way; for the others a call takes as long as
    `Model.predict_proba`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Model
    >>> outputs = Model([2, 8, 8, 2], seed=1).predictor()
    >>> outputs(np.array([0.0, 1.0])).shape
    (2,)
    """

    # A partial of a closure that holds everything in local variables: a method __call__ takes 0.2 us more, of 1.5.
    # There is no out=: checking a given array takes longer than the 0.1 us of a new one.

    _of: tuple[Any, ...]

    def __new__(cls, spec: Spec, parameters: np.ndarray, backend: str, network: Network | None = None) -> Predictor:
        if network is None:
            made = super().__new__(cls, _bound(spec, parameters.copy(), backend))
            made._of = spec, parameters.copy(), backend
            return made
        scales = Network(spec, np.zeros(0), 0, standardize=network.standardize)  # as they are now
        scales.scale, scales.target_scale = network.scale, network.target_scale
        made = super().__new__(cls, _scaled(scales, parameters.copy(), backend))
        made._of = spec, parameters.copy(), backend, scales
        return made

    def __repr__(self) -> str:
        spec = self._of[0]
        return f"<Predictor of {'-'.join(map(str, spec.layers))}, {spec.dtype}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, self._of


def _scaled(scales: Network, parameters: np.ndarray, backend: str) -> Callable[[Any], np.ndarray]:
    """Returns the function behind the Predictor of a model that standardises its rows."""
    forward = forward_of(scales.spec, parameters, backend)
    rows_spec = scales.rows_spec

    def outputs(x: Any) -> np.ndarray:
        array = arrays.numeric_array(x, "x")
        rows = array.reshape(1, -1) if array.ndim == 1 else x
        z = scales.inputs(data.features(rows, rows_spec, "x"), backend)
        found = scales.in_units(forward("outputs", z, "x"), backend)
        return found[0] if array.ndim == 1 else found

    scales.inputs(np.zeros((1, scales.spec.inputs)), backend)  # raises where no scale has been learnt
    return outputs


def _bound(spec: Spec, parameters: np.ndarray, backend: str) -> Callable[[Any], np.ndarray]:
    """Returns the function behind a Predictor, with everything that a call needs in local variables."""
    spec, parameters = spec.plain, seen(spec, parameters)
    forward = Forward(spec, parameters, backend)

    def outputs(x: Any) -> np.ndarray:
        """Whatever x is."""
        array = arrays.numeric_array(x, "x")
        if array.ndim == 1:
            return forward("outputs", array.reshape(1, -1), "x")[0]
        return forward("outputs", x, "x")

    if not forward.most:
        return outputs
    padded, held = in_lines(spec, parameters) if parameters.nbytes <= KEPT_BYTES else (None, parameters)
    ready = Pass(spec, held, "rowwise", 1, 1, padded)
    ready.turn_to("outputs")
    row, result = ready.views[1]
    call, (first, second, third, fourth), state = ready.call, ready.arguments, ready.state
    copies = {(spec.inputs,): result[0].copy, (1, spec.inputs): result.copy}
    array, dtype = np.ndarray, row.dtype
    ready.run(1)  # sets the pass's number of rows to 1
    free = [ready]  # empty while a call uses the pass
    assert DONE == 0

    def outputs_of_row(x: Any) -> np.ndarray:
        if type(x) is array and x.dtype is dtype and (copy := copies.get(x.shape)):
            try:
                free.pop()
            except IndexError:
                return outputs(x)
            try:
                row[...] = x
                call(first, second, third, fourth)
                if not state.value:
                    return copy()
                ready.see_interrupt()
            finally:
                free.append(ready)
        return outputs(x)

    return outputs_of_row
