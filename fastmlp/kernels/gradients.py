"""What is done to a gradient before an update takes it, in place: the twin of `fastmlp/reference/gradients.py`."""

from fastmlp.kernels import tree
from fastmlp.kernels.memory import advance, fold, load, store
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.simd import (
    fill,
    fma,
    greater,
    helper,
    lane_numbers,
    lanes,
    less,
    line_lanes,
    negative,
    number,
    select,
    spread_number,
    sqrt,
)
from fastmlp.reference import gradients as reference
from fastmlp.reference.arithmetic import CHUNK


@kernel(reference.scaled)
def scaled(g: Floats, scale: Float, count: Int):
    """g = scale g. Writes whole registers."""
    factor = fill(g, scale)
    for i in range(0, count, lanes(g)):
        store(g, i, factor * load(g, i))


@kernel(reference.penalized)
def penalized(g: Floats, w: Floats, l2: Float, l1: Float, count: Int):
    """g = g + l2 w, and then + l1 where w > 0, - l1 where w < 0. Writes count numbers: what lies behind is not w's."""
    square, size = fill(g, l2), fill(g, l1)
    for i in range(0, count, lanes(g)):
        x, was = load(w, i), load(g, i)
        y = fma(square, x, was)
        y = select(greater(x, 0), y + size, select(less(x, 0), y - size, y))
        real = less(lane_numbers(g), spread_number(g, count - i))
        store(g, i, select(real, y, was))


@kernel(reference.clipped_by_value)
def clipped_by_value(g: Floats, limit: Float, count: Int):
    """g held between -limit and limit; NaN stays. Writes whole registers."""
    high = fill(g, limit)
    low = negative(high)
    for i in range(0, count, lanes(g)):
        x = load(g, i)
        store(g, i, select(less(x, low), low, select(greater(x, high), high, x)))


@helper
def squares_of_chunk(g, rows, line_of_sums):
    """A chunk's. Lane v takes in g[v], g[v + V], ... by fma; then the lanes fold. Writes the line of sums."""
    line, step = line_lanes(g), lanes(g)
    whole = rows // line * line
    c0 = c1 = c2 = c3 = fill(g, 0)
    for n in range(0, whole, line):
        # as many registers as a line has: 1, 2 or 4, which the compiler knows
        x = load(g, n)
        c0 = fma(x, x, c0)
        if step < line:
            x = load(g, n + step)
            c1 = fma(x, x, c1)
        if 2 * step < line:
            x, y = load(g, n + 2 * step), load(g, n + 3 * step)
            c2, c3 = fma(x, x, c2), fma(y, y, c3)
    store(line_of_sums, 0, c0)
    if step < line:
        store(line_of_sums, step, c1)
    if 2 * step < line:
        store(line_of_sums, 2 * step, c2)
        store(line_of_sums, 3 * step, c3)
    for n in range(whole, rows, step):
        # what lies behind the last row adds +0 to a sum that is never -0
        x = select(less(lane_numbers(g), spread_number(g, rows - n)), load(g, n), 0)
        store(line_of_sums, n - whole, fma(x, x, load(line_of_sums, n - whole)))
    return fold(line_of_sums, 0)


@helper
def all_squares(g, scratch, count):
    """Their sum: chunks, lanes, fold and tree. Destroys scratch."""
    levels = advance(scratch, line_lanes(g))
    chunks = (count + CHUNK - 1) // CHUNK
    total = number(g, 0)
    for chunk in range(chunks):
        left = count - chunk * CHUNK
        total = squares_of_chunk(advance(g, chunk * CHUNK), CHUNK if left > CHUNK else left, scratch)
        last = chunk + 1 == chunks
        level, waiting = 0, chunk
        while tree.goes_up(waiting, last):
            if waiting & 1:
                total = levels[level] + total
            level, waiting = level + 1, waiting >> 1
        if not last:
            levels[level] = total
    return total


@kernel(reference.sum_of_squares)
def sum_of_squares(w: Floats, scratch: Floats, count: Int):
    """scratch[0] = the sum of squares. scratch: as for `clipped_by_norm`. Destroys it."""
    scratch[0] = all_squares(w, scratch, count)


@kernel(reference.clipped_by_norm)
def clipped_by_norm(g: Floats, scratch: Floats, limit: Float, count: Int):
    """g = g (limit / norm) where its norm is above the limit, and finite. Writes whole registers of g then, else none.

    scratch: a line for the lanes, and behind it one number for each level of the tree of chunks, as many as
    ceil(count / 512) has binary digits. Destroys it.
    """
    norm = sqrt(all_squares(g, scratch, count))
    if norm > limit and norm - norm == 0:
        factor = fill(g, limit / norm)
        for i in range(0, count, lanes(g)):
            store(g, i, load(g, i) * factor)
