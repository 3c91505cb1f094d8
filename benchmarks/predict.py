"""Microseconds of predictions, from one row to many, and those of NumPy's forward pass and of PyTorch, if installed.

    python -m benchmarks.predict                              64-100-10, both dtypes
    python -m benchmarks.predict --layers 784,128,10 --layers 2,8,8,2 --rows 1,100,100000
    python -m benchmarks.predict --rows 100000 --threads 2

relu and softmax. fastmlp checks its input and output; NumPy and PyTorch check nothing. The figures are medians of turns
in which all take part, on as many cores as threads. The last columns are the time of the faster of the two over
fastmlp's, and the fraction of the cores' peak in fused multiply-adds (`benchmarks.peak`) that predict_proba reached.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp import Model
from fastmlp.spec import DTYPES

from . import fair
from .cores import chosen, pinned
from .peak import peak

TURNS = 15
SECONDS = 0.002  # a turn of one of them
LONG = 0.3  # seconds of one, from which three turns are enough

OURS = "predictor", "predict_proba", "predict"
Ways = dict[str, Callable[[], np.ndarray]]


def numpy_forward(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """What one would write with NumPy."""
    *hidden, (w_out, b_out) = model.weights

    def outputs(x: np.ndarray) -> np.ndarray:
        for w, b in hidden:
            x = np.maximum(x @ w + b, 0)
        z = x @ w_out + b_out
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return outputs


def torch_forward(model: Model, threads: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """And with PyTorch, as it is run for predictions; None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(threads)
    parts: list[Any] = []
    for w, b in model.weights:
        linear = torch.nn.Linear(*w.shape, dtype=getattr(torch, model.spec.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(w.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, torch.nn.ReLU()]
    network = torch.nn.Sequential(*parts[:-1], torch.nn.Softmax(dim=1))

    def outputs(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(x)).numpy()

    return outputs


def ways(layers: Sequence[int], dtype: str, rows: int, threads: int = 1) -> Ways:
    """What to time."""
    model = Model(layers, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(rows, layers[0])).astype(dtype)
    asked = threads if threads > 1 else None  # one core has one thread; to be told so takes a microsecond
    found: Ways = {}
    if rows == 1:
        predictor, row = model.predictor(), x[0].copy()
        found["predictor"] = lambda: predictor(row)
    found["predict_proba"] = lambda: model.predict_proba(x, threads=asked)
    found["predict"] = lambda: model.predict(x, threads=asked)
    for name, forward in (("NumPy", numpy_forward(model)), ("PyTorch", torch_forward(model, threads))):
        if forward is not None:
            some = x[:1000]
            np.testing.assert_allclose(forward(some), model.predict_proba(some), rtol=1e-3, atol=1e-6)
            found[name] = lambda forward=forward: forward(x)  # type: ignore[misc]
    return found


def measure(found: Ways, turns: int = TURNS) -> dict[str, float]:
    """The median of the microseconds a call."""
    calls, times = {}, {name: [] for name in found}
    longest = 0.0
    for name, function in found.items():
        function()
        start = time.perf_counter()
        function()
        seconds = time.perf_counter() - start
        longest = max(longest, seconds)
        calls[name] = max(1, int(SECONDS / seconds))
    for _ in range(min(turns, 3) if longest > LONG else turns):
        for name, function in found.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - start) / calls[name] * 1e6)
    return {name: statistics.median(some) for name, some in times.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", action="append", help="sizes, 64,100,10; may be given several times")
    parser.add_argument("--rows", default="1,2,5,10,33,100,200,1000,10000", help="how many at once")
    parser.add_argument("--threads", type=int, default=1, help="of each, on as many cores")
    asked = parser.parse_args(arguments)
    with pinned(chosen(asked.threads)):
        for dtype in DTYPES:
            most = peak(dtype, asked.threads)
            for text in asked.layers or ["64,100,10"]:
                layers = [int(size) for size in text.split(",")]
                flops = 2 * sum(inputs * outputs for inputs, outputs in itertools.pairwise(layers))
                for rows in map(int, asked.rows.split(",")):
                    times = measure(ways(layers, dtype, rows, asked.threads))
                    others = [microseconds for name, microseconds in times.items() if name not in OURS]
                    ours = times["predict_proba"]
                    figures = "  ".join(f"{name} {microseconds:,.1f}" for name, microseconds in times.items())
                    share = rows * flops / ours / 1e3 / most
                    network = "-".join(map(str, layers))
                    print(f"{network} {dtype} {rows:,}: {figures} us; {min(others) / ours:.1f} {share:.0%}", flush=True)
    print(fair.line())


if __name__ == "__main__":
    main()
