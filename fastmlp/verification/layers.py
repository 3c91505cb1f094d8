"""Single kernels of dense layers on given numbers, in the memory that each pass has: tiles, rows, or one row."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from fastmlp.kernels import blocks, registry
from fastmlp.kernels import plan as at
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.system.cpu import target

FILES = {"streamed": "dense", "layered": "layered_dense", "rowwise": "rowwise_dense"}  # of passes that have their own
ROOM = 128  # numbers to which strides are rounded: more than two registers and than a panel take
SPARE = 256  # numbers behind an array


def call(name: str, dtype: str, **arguments: Any) -> None:
    """Runs a kernel by the names of its parameters."""
    kernel = registry.PAIRS[name]
    kernel(dtype, *(arguments[one] for one in inspect.signature(kernel.function).parameters))


def room(count: int, dtype: str, value: float = 0.0) -> np.ndarray:
    """So many numbers and SPARE more, at a line of memory."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros((count + SPARE) * size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    made = raw[start : start + (count + SPARE) * size].view(dtype)
    made[:] = value
    return made


def flat(x: np.ndarray) -> np.ndarray:
    """An array's numbers, with room behind."""
    made = room(x.size, x.dtype.name)
    made[: x.size] = x.ravel()
    return made


def stride_of(count: int) -> int:
    """A distance between lines of so many numbers: there is at least one more."""
    return (count // ROOM + 1) * ROOM


def tile(x: np.ndarray, padding: float = 0.0) -> np.ndarray:
    """Rows (N, K) as a tile: unit k of row n is at k * stride + n."""
    made = room(x.shape[1] * stride_of(len(x)), x.dtype.name, padding)
    made[: x.shape[1] * stride_of(len(x))].reshape(x.shape[1], -1)[:, : len(x)] = x.T
    return made


def of_tile(made: np.ndarray, rows: int, units: int) -> np.ndarray:
    """A tile's rows (N, K)."""
    return made[: units * stride_of(rows)].reshape(units, -1)[:, :rows].T.copy()


def lines_of(x: np.ndarray) -> np.ndarray:
    """Rows (N, K) one behind the other, with three more behind them."""
    stride = stride_of(x.shape[1])
    made = room((len(x) + 3) * stride, x.dtype.name)
    made[: len(x) * stride].reshape(len(x), stride)[:, : x.shape[1]] = x
    return made


def of_lines(made: np.ndarray, rows: int, units: int) -> np.ndarray:
    """The rows (N, K) of `lines_of`."""
    return made[: rows * stride_of(units)].reshape(rows, -1)[:, :units].copy()


def chunks(rows: int) -> list[slice]:
    """Rows by chunks, in which sums over rows are computed."""
    return [slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK)]


def forward(way: str, a: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """z (N, J) of a (N, K), w (K, J), b (J,), by the kernel of a pass."""
    (rows, K), J, dtype = a.shape, len(b), a.dtype.name
    name, sizes = f"{FILES[way]}.dense_forward", {"K": K, "J": J, "relu": 0}
    if way == "streamed":
        parts = []
        for some in chunks(rows):
            z, count = tile(np.zeros((len(a[some]), J), dtype)), len(a[some])
            call(name, dtype, a=tile(a[some]), w=flat(w), b=flat(b), z=z, rows=count, stride=stride_of(count), **sizes)
            parts.append(of_tile(z, count, J))
        return np.concatenate(parts)
    if way == "rowwise":
        z = room(J, dtype)
        parts = []
        for row in a:
            call(name, dtype, a=flat(row), w=flat(w), b=flat(b), z=z, **sizes)
            parts.append(z[:J].copy())
        return np.array(parts)
    z = lines_of(np.zeros((rows, J), dtype))
    call(
        name, dtype, a=lines_of(a), w=flat(np.append(w, b)), b=flat(b), z=z,
        panel=room(at.DEPTH * _width(dtype), dtype), rows=rows, a_stride=stride_of(K), z_stride=stride_of(J), **sizes,
    )  # fmt: skip
    return of_lines(z, rows, J)


def backward_input(way: str, dz: np.ndarray, w: np.ndarray) -> np.ndarray:
    """da (N, K) of dz (N, J) and w (K, J), by the kernel of a pass."""
    (rows, J), K, dtype = dz.shape, len(w), dz.dtype.name
    name, sizes = f"{FILES[way]}.dense_backward_input", {"K": K, "J": J, "relu": 0}
    if way == "streamed":
        parts = []
        for some in chunks(rows):
            a, count = tile(np.zeros((len(dz[some]), K), dtype)), len(dz[some])
            call(name, dtype, dz=tile(dz[some]), w=flat(w), a=a, rows=count, stride=stride_of(count), **sizes)
            parts.append(of_tile(a, count, K))
        return np.concatenate(parts)
    if way == "rowwise":
        a, parts = room(K, dtype), []
        for row in dz:
            call(name, dtype, dz=flat(row), w=flat(w), a=a, **sizes)
            parts.append(a[:K].copy())
        return np.array(parts)
    da, width = lines_of(np.zeros((rows, K), dtype)), _width(dtype)
    call(
        name, dtype, dz=lines_of(dz), w=flat(np.append(w, np.zeros(J, dtype))), a=lines_of(np.zeros((rows, K), dtype)),
        da=da, panel=room((at.DEPTH + _lanes(dtype)) * width, dtype), sums=room((at.PASSING + 3) * width, dtype),
        rows=rows, dz_stride=stride_of(J), stride=stride_of(K), **sizes,
    )  # fmt: skip
    return of_lines(da, rows, K)


def backward_weights(way: str, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
    """The gradient (K + 1, J) of the weights and, in the last line, of the biases, for up to a chunk of rows.

    "rowwise": of the first row.
    """
    (rows, K), J, dtype = a.shape, dz.shape[1], a.dtype.name
    name, line = f"{FILES[way]}.dense_backward_weights", LINE // a.itemsize
    dw = room((K + 1) * J, dtype)
    if way == "streamed":
        call(
            name, dtype, a=tile(a), ones=room(stride_of(rows), dtype, 1.0), dz=tile(dz, -0.0),
            sums=room(((K + 1) * J + 12) * line, dtype), dw=dw, K=K, J=J, rows=rows, stride=stride_of(rows),
            first=1, last=1,
        )  # fmt: skip
    elif way == "rowwise":
        call(name, dtype, a=flat(a[0]), dz=flat(dz[0]), sums=dw, K=K, J=J, first=1)
    else:
        width, together = _width(dtype), line // at.BLOCK_INPUTS * at.BLOCK_INPUTS
        inputs = -(-(K + 1) // together) * together
        ones = np.column_stack([a, np.ones((rows, 1 + line), dtype)])
        call(
            name, dtype, a=lines_of(ones), dz=lines_of(dz), packed=room(rows * (width + inputs) + line, dtype),
            levels=room(16 * at.BLOCK_INPUTS * width, dtype), dw=dw, K=K, J=J, rows=rows,
            a_stride=stride_of(ones.shape[1]), dz_stride=stride_of(J), group=width,
        )  # fmt: skip
    return dw[: (K + 1) * J].reshape(K + 1, J).copy()


def _lanes(dtype: str) -> int:
    return target().register // np.dtype(dtype).itemsize


def _width(dtype: str) -> int:
    """Numbers of a panel."""
    return blocks.REGISTERS * _lanes(dtype)
