"""Microseconds of a prediction: of one row by `Model.predictor`, and of some rows by the model, beside NumPy's forward.

    python -m benchmarks.predict                              64-100-10, both dtypes
    python -m benchmarks.predict --layers 2,8,8,2 --rows 1,100

relu and softmax, with all checks that each makes; NumPy makes none. One core; medians of turns in which all take part.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from fastmlp import Model
from fastmlp.spec import DTYPES

TURNS = 41
SECONDS = 0.002  # a turn of one of them


def numpy_forward(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """What one would write with NumPy: nothing is checked."""
    *hidden, (w_out, b_out) = model.weights

    def outputs(x: np.ndarray) -> np.ndarray:
        for w, b in hidden:
            x = np.maximum(x @ w + b, 0)
        z = x @ w_out + b_out
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return outputs


def ways(layers: Sequence[int], dtype: str, counts: Sequence[int]) -> dict[str, Callable[[], np.ndarray]]:
    """What to time."""
    model = Model(layers, dtype=dtype)
    predictor, with_numpy = model.predictor(), numpy_forward(model)
    every = np.random.default_rng(0).normal(size=(max(counts), layers[0])).astype(dtype)
    found: dict[str, Callable[[], np.ndarray]] = {"predictor(x), x (K,)": lambda row=every[0]: predictor(row)}
    for count in counts:
        x = every[:count].copy()
        np.testing.assert_allclose(with_numpy(x), model.predict_proba(x), rtol=1e-4, atol=1e-6)
        rows = f"{count} row{'s' if count > 1 else ''}"
        if count == 1:
            found["predictor(x), x (1, K)"] = lambda x=x: predictor(x)
        found[f"predict_proba, {rows}"] = lambda x=x: model.predict_proba(x)
        found[f"predict, {rows}"] = lambda x=x: model.predict(x)
        found[f"NumPy, {rows}"] = lambda x=x: with_numpy(x)
    return found


def measure(found: dict[str, Callable[[], np.ndarray]], turns: int = TURNS) -> dict[str, float]:
    """The median of the microseconds a call."""
    calls, times = {}, {name: [] for name in found}
    for name, function in found.items():
        function()
        start = time.perf_counter()
        function()
        calls[name] = max(1, int(SECONDS / (time.perf_counter() - start)))
    for _ in range(turns):
        for name, function in found.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - start) / calls[name] * 1e6)
    return {name: statistics.median(some) for name, some in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", default="64,100,10")
    parser.add_argument("--rows", default="1,2,4,20,32,100", help="how many at once")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    layers, counts = ([int(size) for size in text.split(",")] for text in (arguments.layers, arguments.rows))
    table = {dtype: measure(ways(layers, dtype, counts)) for dtype in DTYPES}
    print(f"{'-'.join(map(str, layers)):28}" + "".join(f"{dtype:>12}" for dtype in DTYPES))
    for name in table[DTYPES[0]]:
        print(f"{name:28}" + "".join(f"{table[dtype][name]:9.2f} us" for dtype in DTYPES))


if __name__ == "__main__":
    main()
