"""Single kernels on the vectors' arguments: the elementary functions, activations, losses, updates, random numbers.

A tile is feature-major: unit k of row n is at k * STRIDE + n. Kernels read and write whole registers, so there is room
behind every array's numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastmlp.kernels import registry
from fastmlp.verification.vectors import floats

STRIDE = 64  # numbers: two registers of 64 bytes in float32 are 32
SPARE = 64  # numbers behind an array
LINE = 64  # bytes, to which arrays are aligned

Results = Iterator[tuple[str, np.ndarray, np.ndarray]]  # what it is, by the kernel, by the vectors


def results(entry: dict[str, Any]) -> Results:
    """Runs an entry's kernel.

    Parameters
    ----------
    entry : dict
        An entry of the vectors with the key "pair": a kernel's name, its dtype, its arguments and its results.

    Yields
    ------
    tuple of str, ndarray and ndarray
        A result's name, what the kernel made, and what the reference has made.
    """
    pair, dtype = entry["pair"], entry["dtype"]
    kind, _, name = pair.partition(".")
    if kind == "random":
        yield from _random(pair, name, dtype, entry)
    else:
        numbers = {key: floats(value, dtype) for key, value in entry.items() if key not in ("pair", "dtype")}
        yield from _KINDS[kind](pair, dtype, numbers)


def _aligned(count: int, dtype: str) -> np.ndarray:
    """Zeros that begin at a line of memory, with SPARE more behind."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros((count + SPARE) * size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + (count + SPARE) * size].view(dtype)


def _line(values: np.ndarray) -> np.ndarray:
    """Numbers at a line of memory."""
    made = _aligned(values.size, values.dtype.name)
    made[: values.size] = values.ravel()
    return made


def _tile(rows: np.ndarray) -> np.ndarray:
    """Rows (N, J) as a tile."""
    made = _aligned(rows.shape[1] * STRIDE, rows.dtype.name)
    made[: rows.shape[1] * STRIDE].reshape(-1, STRIDE)[:, : len(rows)] = rows.T
    return made


def _rows(tile: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A tile's rows (N, J)."""
    return tile[: shape[1] * STRIDE].reshape(-1, STRIDE)[:, : shape[0]].T


def _elementary(pair: str, dtype: str, of: dict[str, np.ndarray]) -> Results:
    count = len(of["x"])
    whole = -(-count // 128) * 128  # several registers at a time
    x, y = _aligned(whole, dtype), _aligned(whole, dtype)
    x[:whole] = np.resize(of["x"], whole)
    registry.PAIRS[pair](dtype, x, y, whole)
    yield "y", y[:count], of["y"]


def _activations(pair: str, dtype: str, of: dict[str, np.ndarray]) -> Results:
    a, slope = _tile(of["z"]), _tile(of["z"])
    rows, units = of["z"].shape
    registry.PAIRS[pair](dtype, a, slope, units, rows, STRIDE)
    yield "a", _rows(a, of["z"].shape), of["a"]
    yield "slope", _rows(slope, of["z"].shape), of["slope"]


def _losses(pair: str, dtype: str, of: dict[str, np.ndarray]) -> Results:
    """The row's losses are seen as a batch of each row by itself: its sum is the row's loss."""
    z, y = of["z"], of["y"] if of["y"].ndim == 2 else of["y"][:, None]
    rows, J = z.shape
    setting = [of["parameter"][()]] if "parameter" in of else []
    dz, losses = np.empty_like(z), np.empty(rows, dtype)
    line = LINE // z.itemsize
    for n in range(rows):
        tile, sums = _tile(z[n : n + 1]), _aligned(2 * line, dtype)
        weights = _tile(np.ones((1, 1), dtype))
        registry.PAIRS[pair](dtype, tile, _tile(y[n : n + 1]), weights, sums, *setting, J, 1, STRIDE, 1)
        dz[n], losses[n] = _rows(tile, (1, J))[0], sums[0]
    yield "dz", dz, of["dz"]
    yield "loss", losses, of["loss"]


def _optimizers(pair: str, dtype: str, of: dict[str, np.ndarray]) -> Results:
    count, scale = len(of["p"]), of["scale"][()]
    whole = -(-count * scale.itemsize // LINE) * LINE // scale.itemsize
    p, state = _line(of["p"]), _aligned(whole * max(1, len(of["state"])), dtype)
    numbers = [_line(of[key]) for key in ("step", "settings")]
    for total in of["totals"]:
        more = [of["step"][0]] if pair.endswith(".gradient_descent") else [state, *numbers]
        registry.PAIRS[pair](dtype, p, _line(total), scale, *more, count)
    yield "p", p[:count], of["p_after"]
    if len(of["state"]):
        yield "state", state[: whole * len(of["state"])].reshape(-1, whole)[:, :count], of["state"]


def _gradients(pair: str, dtype: str, of: dict[str, np.ndarray]) -> Results:
    g, count = _line(of["g"]), len(of["g"])
    more = [_line(of["w"])] if "w" in of else [_aligned(4 * SPARE, dtype)] if pair.endswith("by_norm") else []
    registry.PAIRS[pair](dtype, g, *more, *of["settings"], count)
    yield "g", g[:count], of["g_after"]


_KINDS = {
    "elementary": _elementary,
    "activations": _activations,
    "losses": _losses,
    "optimizers": _optimizers,
    "gradients": _gradients,
}


def _random(pair: str, name: str, dtype: str, entry: dict[str, Any]) -> Results:
    seed, count = int(entry["seed"]), entry["count"]
    signed = seed - (seed >> 63 << 64)  # a kernel's int64
    if name == "permutation":
        order = np.empty(count, np.int64)
        registry.PAIRS[pair](dtype, signed, entry["epoch"], count, order)
        yield "order", order, np.array(entry["order"], np.int64)
    else:
        x = _aligned(-(-count // 8) * 8, dtype)
        registry.PAIRS[pair](dtype, signed, entry["stream"], entry["epoch"], count, x)
        yield "x", x[:count], floats(entry["x"], dtype)
