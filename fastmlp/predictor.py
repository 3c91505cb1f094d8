"""A model's outputs with as little around them as there can be: `Model.predictor`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.checks import arrays
from fastmlp.engine.forward import KEPT_BYTES, Forward, Pass, in_lines
from fastmlp.kernels.plan import DONE
from fastmlp.spec import Spec


class Predictor(functools.partial):
    """The outputs of a network as it was when `Model.predictor` made this: training the model does not change them.

    predictor(x) gives probabilities (softmax, sigmoid), values (identity) or means (exponential), with the bits that
    the model's own predictions have, in a new array.

    x: a row (K,), which gives (J,); or rows (N, K), which give (N, J). Fast is an array (K,) or (1, K) of the network's
        own dtype, in any memory order; anything else that `Model.predict` takes is taken, too, and converted.

    Everything is checked: x's type, dtype and shape, and that each number of x and of the outputs is finite. Raises
    ValueError or TypeError, in words, as `Model.predict` does. Threads may call it at once; all but one of them take as
    long as by `Model.predict_proba`. It can be copied and pickled.
    """

    # A partial of a closure, which has all of a call in local variables: a method __call__ takes 0.2 us more, of 1.5.
    # No out=: to check an array that is given takes longer than the 0.1 us of a new one.

    _of: tuple[Spec, np.ndarray, str]

    def __new__(cls, spec: Spec, parameters: np.ndarray, backend: str) -> Predictor:
        made = super().__new__(cls, _bound(spec, parameters.copy(), backend))
        made._of = spec, parameters.copy(), backend
        return made

    def __repr__(self) -> str:
        spec = self._of[0]
        return f"<Predictor of {'-'.join(map(str, spec.layers))}, {spec.dtype}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, self._of


def _bound(spec: Spec, parameters: np.ndarray, backend: str) -> Callable[[Any], np.ndarray]:
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
    ready.run(1)  # from now on it is of one row
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
