"""A table's columns on their way to the network: the twin of `fastmlp/reference/preprocess.py`.

x and z are N rows of K numbers, row by row. float64 only: a float32 network takes the result rounded.
"""

import numpy as np

from fastmlp.kernels import tree
from fastmlp.kernels.memory import advance
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.simd import absolute, helper, sqrt
from fastmlp.reference import preprocess as reference
from fastmlp.reference.arithmetic import CHUNK

ONLY = ("float64",)
WHOLE = 2.0**52  # from here on, all float64 numbers are whole
LANES = 8  # of a sum over rows, in float64: `arithmetic.lanes`


@helper
def select(scratch, count, place):
    """Puts the number of this place in ascending order there; before it are none larger, after it none smaller."""
    low, high = 0, count - 1
    while low < high:  # Hoare's selection: parts until the place alone is left
        pivot = scratch[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while scratch[i] < pivot:
                i += 1
            while pivot < scratch[j]:
                j -= 1
            if i <= j:
                was = scratch[i]
                scratch[i] = scratch[j]
                scratch[j] = was
                i += 1
                j -= 1
        if j < place:
            low = i
        if place < i:
            high = j


@kernel(reference.median, dtypes=ONLY)
def median(values: Floats, count: Int, scratch: Floats, found: Floats):
    """found[0] = the median of `count` values. scratch: as many numbers. Destroys it."""
    for i in range(count):
        scratch[i] = values[i]
    middle = count // 2
    select(scratch, count, middle)
    upper = scratch[middle]
    if count & 1:
        found[0] = upper + 0.0
    else:
        lower = scratch[0]
        for i in range(1, middle):
            if scratch[i] > lower:
                lower = scratch[i]
        found[0] = lower * 0.5 + upper * 0.5 + 0.0


@kernel(reference.quartile, dtypes=ONLY)
def quartile(values: Floats, number: Int, count: Int, scratch: Floats, found: Floats):
    """found[0] = the quartile of this number, 1 to 3, of `count` values. scratch: as many numbers. Destroys it."""
    for i in range(count):
        scratch[i] = values[i]
    at, rest = (count - 1) * number // 4, (count - 1) * number % 4
    select(scratch, count, at)
    lower = scratch[at]
    if rest == 0:
        found[0] = lower + 0.0
    else:
        upper = scratch[at + 1]
        for i in range(at + 2, count):
            if scratch[i] < upper:
                upper = scratch[i]
        t = rest / 4
        found[0] = lower * (1.0 - t) + upper * t + 0.0


@kernel(reference.filled, dtypes=ONLY)
def filled(values: Floats, value: Float, rows: Int, to: Floats, flags: Floats):
    """to[n] = values[n], or `value` where that is NaN; flags[n] = 1 there, else 0."""
    for n in range(rows):
        x = values[n]
        missing = x != x
        to[n] = value if missing else x
        flags[n] = 1.0 if missing else 0.0


@kernel(reference.one_hot, dtypes=ONLY)
def one_hot(codes: Ints, count: Int, rows: Int, x: Floats):
    """x[n, c] = 1 where codes[n] is c, else 0, for the columns c from 0 to count - 1."""
    for n in range(rows):
        code = codes[n]
        for c in range(count):
            x[n * count + c] = 1.0 if c == code else 0.0


@helper
def column_sums(x, centre, squares, sums, rows, columns):
    """The sums of x, or of (x - centre)^2, over rows -> where they are in `sums`. Destroys it.

    sums: (8 + levels) K numbers, for as many levels as N / 512, rounded up, has bits.
    """
    levels = advance(sums, LANES * columns)
    chunks = (rows + CHUNK - 1) // CHUNK
    for chunk in range(chunks):
        first = chunk * CHUNK
        end = first + CHUNK if first + CHUNK < rows else rows
        for i in range(LANES * columns):
            sums[i] = 0.0
        for n in range(first, end):
            lane = advance(sums, (n - first) % LANES * columns)
            row = advance(x, n * columns)
            if squares:
                for k in range(columns):
                    distance = row[k] - centre[k]
                    lane[k] = lane[k] + distance * distance
            else:
                for k in range(columns):
                    lane[k] = lane[k] + row[k]
        half = LANES // 2
        while half > 0:
            for i in range(half * columns):
                sums[i] = sums[i] + sums[i + half * columns]
            half = half // 2
        last = chunk + 1 == chunks
        level, waiting = 0, chunk
        while tree.goes_up(waiting, last):
            if waiting & 1:
                for k in range(columns):
                    sums[k] = levels[level * columns + k] + sums[k]
            level, waiting = level + 1, waiting >> 1
        if not last:
            for k in range(columns):
                levels[level * columns + k] = sums[k]


@kernel(reference.mean, dtypes=ONLY)
def mean(x: Floats, rows: Int, columns: Int, sums: Floats, found: Floats):
    """found[k] = the mean of column k. sums: as for `column_sums`. Destroys it."""
    column_sums(x, x, False, sums, rows, columns)
    for k in range(columns):
        found[k] = sums[k] / rows


@kernel(reference.deviation, dtypes=ONLY)
def deviation(x: Floats, centre: Floats, rows: Int, columns: Int, sums: Floats, found: Floats):
    """found[k] = the standard deviation of column k about its mean, centre[k]; 0 where it is constant but for rounding.

    sums: as for `column_sums`, of which it uses 4 K. Destroys it.
    """
    column_sums(x, centre, True, sums, rows, columns)
    for k in range(columns):
        found[k] = sqrt(sums[k] / rows)
    largest, differs = sums, advance(sums, columns)
    wider, broken = advance(sums, 2 * columns), advance(sums, 3 * columns)
    for k in range(columns):
        largest[k], differs[k], wider[k], broken[k] = absolute(x[k]), 0.0, 0.0, 0.0
    for n in range(rows):
        row = advance(x, n * columns)
        for k in range(columns):
            size = absolute(row[k])
            if size > largest[k] or size != size:
                largest[k] = size
            if row[k] != x[k]:
                differs[k] = 1.0
            if np.float64(np.float32(row[k])) != row[k]:
                wider[k] = 1.0
            if not size >= WHOLE and (size + WHOLE) - WHOLE != size:  # `np.floor` needs more of Numba
                broken[k] = 1.0
    for k in range(columns):
        single = wider[k] == 0.0 and broken[k] != 0.0
        least = reference.CONSTANT_SINGLE if single else reference.CONSTANT
        if differs[k] == 0.0 or found[k] <= least * largest[k]:
            found[k] = 0.0


@kernel(reference.standardised, dtypes=ONLY)
def standardised(x: Floats, centre: Floats, spread: Floats, rows: Int, columns: Int, z: Floats):
    """z[n, k] = (x[n, k] - centre[k]) / spread[k], or 0 where spread[k] is 0. z may be x."""
    for n in range(rows):
        for k in range(columns):
            i = n * columns + k
            z[i] = (x[i] - centre[k]) / spread[k] if spread[k] > 0.0 else 0.0


@kernel(reference.unstandardised, dtypes=ONLY)
def unstandardised(z: Floats, centre: Floats, spread: Floats, rows: Int, columns: Int, x: Floats):
    """x[n, k] = z[n, k] spread[k] + centre[k], rounded twice. x may be z."""
    for n in range(rows):
        for k in range(columns):
            i = n * columns + k
            product = z[i] * spread[k]
            x[i] = product + centre[k]


@kernel(reference.smoothly_clipped, dtypes=ONLY)
def smoothly_clipped(x: Floats, centre: Floats, spread: Floats, rows: Int, columns: Int, z: Floats):
    """z[n, k] = t / sqrt((t / 3)^2 + 1), t = (x[n, k] - centre[k]) / spread[k]; 0 where spread[k] is 0. z may be x."""
    for n in range(rows):
        for k in range(columns):
            i = n * columns + k
            if spread[k] > 0.0:
                t = (x[i] - centre[k]) / spread[k]
                t = reference.CLIPPED if t > reference.CLIPPED else t
                t = -reference.CLIPPED if t < -reference.CLIPPED else t
                part = t / 3.0
                square = part * part
                z[i] = t / sqrt(square + 1.0)
            else:
                z[i] = 0.0
