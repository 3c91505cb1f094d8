"""Sizes of what kernels work in: tiles, panels, strides, vectors like the gradient; and arrays on a line's edge."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.kernels import plan as at
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.spec import Spec

TILE_BYTES = 48 * 1024  # a tile's activations: a first cache, or a bit more; half of it makes xor 5 to 7 % slower
SUMS_BYTES = 128 * 1024  # lanes of row sums kept in memory between tiles; beyond, a tile is a whole chunk


def aligned(count: int, dtype: str) -> np.ndarray:
    """An array of zeros on a 64-byte boundary with two lines to spare behind it: kernels write whole registers."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(count * itemsize + 3 * LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + count * itemsize].view(dtype)


def padded_size(count: int, dtype: str) -> int:
    """Numbers of a vector like the gradient: `count` parameters, the loss, the sum of weights, up to a whole line."""
    line = LINE // np.dtype(dtype).itemsize
    return math.ceil((count + 2) / line) * line


def tile_rows(spec: Spec, rows: int, group: int) -> int:
    """Rows of a tile, a multiple of `group`: as many as fit the cache, and a chunk in tiles of about the same size."""
    chunk = min(CHUNK, rows)
    itemsize = np.dtype(spec.dtype).itemsize
    if spec.parameters * LINE > SUMS_BYTES:
        fitting = chunk
    else:
        fitting = max(group, TILE_BYTES // (itemsize * (sum(spec.layers) + spec.targets)))
    tiles = math.ceil(chunk / fitting)
    return math.ceil(math.ceil(chunk / tiles) / group) * group


def panel_width(dtype: str) -> int:
    """Units of the layered pass's panels, or more: four lines."""
    return 4 * LINE // np.dtype(dtype).itemsize


def row_stride(units: int, dtype: str) -> int:
    """Numbers from one row to the next in the layered pass: whole panels, a 1, and an odd number of lines.

    With a power of two, rows would fall on the same few sets of the cache.
    """
    lanes, panel = LINE // np.dtype(dtype).itemsize, panel_width(dtype)
    lines = math.ceil(max(math.ceil(units / panel) * panel, units + 1) / lanes)
    return (lines | 1) * lanes


def outputs_first(inputs: int, outputs: int, dtype: str) -> bool:
    """Whether the layered pass makes a weights' gradient transposed: where its blocks are then fewer."""
    rows, columns = (whole_panels(count, dtype) for count in (inputs + 1, outputs))
    blocks = math.ceil(outputs / at.BLOCK_INPUTS) * rows
    return blocks < 0.8 * math.ceil((inputs + 1) / at.BLOCK_INPUTS) * columns


def whole_panels(units: int, dtype: str) -> int:
    """Units that the layered pass computes for so many: the last panel has 4 registers or 2."""
    line = LINE // np.dtype(dtype).itemsize
    return math.ceil(units / (2 * line)) * 2 * line
