"""Dense layers of the layered pass, many rows of many units: a twin of `fastmlp/reference/dense.py`.

Rows lie one behind the other, `stride` numbers apart, and lanes are units: unit j of row n is a[n * stride + j]. Sums
stay in a block of rows x registers while k passes. What is past a layer's last unit, up to the end of a panel, is
written with no meaning and counts for nothing; so are up to 3 rows past the last. A row holds at least a line more than
its units.
"""

from fastmlp.kernels import tree
from fastmlp.kernels.blocks import REGISTERS, added, floored, multiply_add, passed, put, put_part, rows_of, zeros
from fastmlp.kernels.memory import advance, load, store, touch, touch_to_write
from fastmlp.kernels.plan import BLOCK_INPUTS, BLOCK_ROWS, DEPTH, LEVELS_OF_LANES, NARROW, PASSING, TALL_ROWS
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.simd import MINUS_INFINITY, NAN, fill, helper, lanes, line_lanes, negative
from fastmlp.kernels.squares import square, transposed
from fastmlp.reference import dense as reference
from fastmlp.reference.arithmetic import CHUNK


@helper
def product(a, stride, panel, c, depth, width):
    """c += the rows of a times a panel, k ascending."""
    for k in range(depth):
        c = multiply_add(c, a, k, stride, panel, k * width)
    return c


# What the next panel or block needs is asked for while this one is multiplied: rows of weights, of z and of dw are
# often a page apart each, where no processor looks ahead by itself.


@helper
def touch_rows(w, stride, first, end, count):
    """Asks for `count` numbers of the rows `first` to `end`."""
    for k in range(first, end):
        for i in range(0, count, line_lanes(w)):
            touch(w, k * stride + i)


@helper
def touch_block(z, i, stride, rows, width):
    """Asks for a block's numbers, which will be written."""
    for r in range(rows):
        for v in range(0, width, line_lanes(z)):
            touch_to_write(z, i + r * stride + v)


# Forward


@helper
def pack(w, J, panel, depth, width):
    """Rows of `width` numbers from a matrix of rows of J."""
    for k in range(depth):
        for i in range(0, width, lanes(w)):
            store(panel, k * width + i, load(w, k * J + i))


@helper
def forward_block(a, n, a_stride, panel, width, b, z, z_stride, depth, fresh, floor, rows, registers):
    """One panel's units of a block's rows, n and on."""
    to = n * z_stride
    c = rows_of(b, 0, 0, rows, registers) if fresh else rows_of(z, to, z_stride, rows, registers)
    c = product(advance(a, n * a_stride), a_stride, panel, c, depth, width)
    put(z, to, z_stride, floored(c, floor))


@kernel(reference.dense_forward)
def dense_forward(
    a: Floats, w: Floats, b: Floats, z: Floats, panel: Floats,
    K: Int, J: Int, rows: Int, a_stride: Int, z_stride: Int, relu: Int,
):  # fmt: skip
    """z[n, j] = b[j] + sum over k of a[n, k] w[k, j]; with relu, 0 where that is below 0. Writes z, and panel."""
    low = fill(a, MINUS_INFINITY)
    wide, narrow, single = REGISTERS * lanes(a), NARROW * lanes(a), lanes(a)
    for first in range(0, rows, PASSING):
        some = PASSING if first + PASSING < rows else rows - first
        for k in range(0, K, DEPTH):
            depth = DEPTH if k + DEPTH < K else K - k
            floor = fill(a, 0) if relu and k + depth == K else low
            j = 0
            while j < J:
                width = wide if J - j > narrow else narrow if J - j > single else single
                pack(advance(w, k * J + j), J, panel, depth, width)
                x, y, z_ = advance(a, first * a_stride + k), advance(b, j), advance(z, first * z_stride + j)
                later = j + width < J
                ahead = advance(w, k * J + j + width if later else (k + DEPTH) * J)
                rows_ahead = depth if later else DEPTH if k + 2 * DEPTH < K else K - k - DEPTH
                fresh = k == 0
                if width == wide:
                    share = BLOCK_ROWS * rows_ahead // some + 1
                    seen = 0
                    for n in range(0, some, BLOCK_ROWS):
                        upto = seen + share if seen + share < rows_ahead else rows_ahead
                        touch_rows(ahead, J, seen, upto, width)
                        seen = upto
                        touch_block(z_, (n + BLOCK_ROWS) * z_stride, z_stride, BLOCK_ROWS, width)
                        forward_block(
                            x, n, a_stride, panel, width, y, z_, z_stride, depth, fresh, floor, BLOCK_ROWS, REGISTERS
                        )
                elif width == narrow:
                    for n in range(0, some, BLOCK_ROWS):
                        forward_block(
                            x, n, a_stride, panel, width, y, z_, z_stride, depth, fresh, floor, BLOCK_ROWS, NARROW
                        )
                else:
                    n = 0
                    while n + TALL_ROWS <= some:
                        forward_block(x, n, a_stride, panel, width, y, z_, z_stride, depth, fresh, floor, TALL_ROWS, 1)
                        n += TALL_ROWS
                    while n < some:
                        forward_block(x, n, a_stride, panel, width, y, z_, z_stride, depth, fresh, floor, BLOCK_ROWS, 1)
                        n += BLOCK_ROWS
                j += width


# Backward to the inputs


@helper
def pack_transposed(w, K, J, panel, k, depth, width):
    """panel[j, i] = w[k + i, j] for `depth` outputs and `width` inputs, of which those past K mean nothing."""
    step = lanes(w)
    for i in range(0, width, step):
        if k + i + step <= K:
            for j in range(0, depth, step):
                put(panel, j * width + i, width, transposed(square(w, (k + i) * J + j, J)))
        else:
            for j in range(depth):
                for v in range(i, i + step):
                    panel[j * width + v] = w[(k + v if k + v < K else K) * J + j]


@helper
def backward_block(dz, n, dz_stride, panel, width, sums, a, da, stride, depth, fresh, last, closed, registers):
    """One panel's inputs of a block's rows: from +0 if they are fresh, or from sums; with the last outputs, into da."""
    c = zeros(a, BLOCK_ROWS, registers) if fresh else rows_of(sums, n * width, width, BLOCK_ROWS, registers)
    c = product(advance(dz, n * dz_stride), dz_stride, panel, c, depth, width)
    if last:
        put(da, n * stride, stride, passed(c, rows_of(a, n * stride, stride, BLOCK_ROWS, registers), closed))
    else:
        put(sums, n * width, width, c)


@kernel(reference.dense_backward_input)
def dense_backward_input(
    dz: Floats, w: Floats, a: Floats, da: Floats, panel: Floats, sums: Floats,
    K: Int, J: Int, rows: Int, dz_stride: Int, stride: Int, relu: Int,
):  # fmt: skip
    """da[n, k] = sum over j of dz[n, j] w[k, j]; with relu, +0 where a[n, k] <= 0. Writes da, rows as far apart as a's.

    Behind w lies one row more, of which any number may be read. Writes panel, and sums (PASSING + 3 rows of a panel's
    width): those that more outputs are to be added to.
    """
    closed = fill(a, 0) if relu else fill(a, NAN)  # no number is at most NaN
    wide, narrow = REGISTERS * lanes(a), NARROW * lanes(a)
    for first in range(0, rows, PASSING):
        some = PASSING if first + PASSING < rows else rows - first
        k = 0
        while k < K:
            width = wide if K - k > narrow else narrow
            a_, da_ = advance(a, first * stride + k), advance(da, first * stride + k)
            for j in range(0, J, DEPTH):
                depth = DEPTH if j + DEPTH < J else J - j
                pack_transposed(advance(w, j), K, J, panel, k, depth, width)
                x = advance(dz, first * dz_stride + j)
                fresh, last = j == 0, j + depth == J
                ahead = advance(w, (k + width) * J if last else k * J + j + DEPTH)
                rows_ahead = (K - k - width if K - k < 2 * width else width) if last else width
                count = DEPTH if DEPTH < J else J
                share = BLOCK_ROWS * rows_ahead // some + 1
                seen = 0
                for n in range(0, some, BLOCK_ROWS):
                    if width == wide:
                        upto = seen + share if seen + share < rows_ahead else rows_ahead
                        touch_rows(ahead, J, seen, upto, count)
                        seen = upto
                        backward_block(
                            x, n, dz_stride, panel, width, sums, a_, da_, stride, depth, fresh, last, closed, REGISTERS
                        )
                    else:
                        backward_block(
                            x, n, dz_stride, panel, width, sums, a_, da_, stride, depth, fresh, last, closed, NARROW
                        )
            k += width


# Weight gradients: lane v of a sum takes rows v, v + V, ... of a chunk, and lanes fold by halves. Here a lane is a loop
# over its rows, for a block of inputs x outputs. Lanes are computed in bit-reversed order (0, V/2, V/4, 3V/4, ...), so
# that a binary counter folds them as the definition does. Packed rows lie in that order, too.


@helper
def lane_at(place, V):
    """The lane that comes at this place: its bits reversed."""
    lane, half = 0, V // 2
    while half > 0:
        lane += half if place & 1 else 0
        place >>= 1
        half >>= 1
    return lane


@helper
def pack_rows(x, stride, rows, packed, width, step):
    """Rows of `width` numbers, chunk by chunk and lane by lane, `step` apart. -> behind the last."""
    V = line_lanes(x)
    for first in range(0, rows, CHUNK):
        end = first + CHUNK if first + CHUNK < rows else rows
        for place in range(V):
            for n in range(first + lane_at(place, V), end, V):
                for i in range(0, width, lanes(x)):
                    store(packed, i, load(x, n * stride + i))
                packed = advance(packed, step)
    return packed


@helper
def sum_block(x, d, levels, rows, registers):
    """-> dw for a block of inputs, of `together` that are packed side by side, and outputs."""
    V, width = line_lanes(x), registers * lanes(x)
    together = V // BLOCK_INPUTS * BLOCK_INPUTS
    size = BLOCK_INPUTS * width
    chunks = (rows + CHUNK - 1) // CHUNK
    c = zeros(x, BLOCK_INPUTS, registers)
    for chunk in range(chunks):
        here = CHUNK if rows - chunk * CHUNK > CHUNK else rows - chunk * CHUNK
        for place in range(V):
            c = zeros(x, BLOCK_INPUTS, registers)
            count = (here - lane_at(place, V) + V - 1) // V
            for i in range(count):
                c = multiply_add(c, x, i * together, 1, d, i * width)
            if count > 0:
                x, d = advance(x, count * together), advance(d, count * width)
            level, waiting = 0, place
            while tree.goes_up(waiting, False):
                c = added(rows_of(levels, level * size, width, BLOCK_INPUTS, registers), c)
                level, waiting = level + 1, waiting >> 1
            if place + 1 < V:
                put(levels, level * size, width, c)
        last = chunk + 1 == chunks
        level, waiting = LEVELS_OF_LANES, chunk
        while tree.goes_up(waiting, last):
            if waiting & 1:
                c = added(rows_of(levels, level * size, width, BLOCK_INPUTS, registers), c)
            level, waiting = level + 1, waiting >> 1
        if not last:
            put(levels, level * size, width, c)
    return c


@helper
def weight_gradients(a, dz, packed, levels, to, K, J, rows, a_stride, dz_stride, group, descends, step, factor):
    """The weight gradients, block by block: into `to`; or where it descends, taken from it. step, factor: registers."""
    V = line_lanes(a)
    wide, narrow = REGISTERS * lanes(a), NARROW * lanes(a)
    whole = group < J
    together = V // BLOCK_INPUTS * BLOCK_INPUTS  # inputs that are packed at once: a line's, in whole blocks
    for first in range(0, J, group):
        end = first + group if first + group < J else J
        d = packed
        j = first
        while j < end:
            width = wide if J - j > narrow else narrow
            d = pack_rows(advance(dz, j), dz_stride, rows, d, width, width)
            j += width
        for k in range(0, K + 1, BLOCK_INPUTS):
            tall = BLOCK_INPUTS if k + BLOCK_INPUTS <= K + 1 else K + 1 - k
            x = advance(packed, rows * (group + (k // together * together if whole else 0)))
            if k % together == 0 and (first == 0 or not whole):
                pack_rows(advance(a, k), a_stride, rows, x, V, together)
            x = advance(x, k % together)
            d = packed
            j = first
            while j < end:
                width = wide if J - j > narrow else narrow
                block = advance(to, k * J + j)
                touch_block(block, 0, J, BLOCK_INPUTS, width)
                if width == wide:
                    c = sum_block(x, d, levels, rows, REGISTERS)
                    put_part(block, 0, J, c, tall, J - j, descends, step, factor)
                else:
                    c_ = sum_block(x, d, levels, rows, NARROW)
                    put_part(block, 0, J, c_, tall, J - j, descends, step, factor)
                d = advance(d, rows * width)
                j += width


@kernel(reference.dense_backward_weights)
def dense_backward_weights(
    a: Floats, dz: Floats, packed: Floats, levels: Floats, dw: Floats,
    K: Int, J: Int, rows: Int, a_stride: Int, dz_stride: Int, group: Int,
):  # fmt: skip
    """dw[k, j] = sum over all rows of a[n, k] dz[n, j]; db[j], in row K of dw, likewise: a[n, K] is 1.

    The chunks combine in an aligned tree. group: the units, of whole panels, whose dz is packed at once. Writes dw;
    levels (LEVELS_OF_LANES + LEVELS_OF_CHUNKS blocks); and packed: rows x group numbers, and rows x (K + 1) where there
    are several groups, so that all inputs are packed; else rows x 6 (float64) or 12. Behind them lies a line more.
    """
    none = fill(a, 0)
    weight_gradients(a, dz, packed, levels, dw, K, J, rows, a_stride, dz_stride, group, False, none, none)


@kernel(reference.dense_descend)
def dense_descend(
    a: Floats, dz: Floats, packed: Floats, levels: Floats, w: Floats, scale: Float, learning_rate: Float,
    K: Int, J: Int, rows: Int, a_stride: Int, dz_stride: Int, group: Int,
):  # fmt: skip
    """w = w - learning_rate (scale dw), where dw is what `dense_backward_weights` gives, which is nowhere written.

    Of 670,000 parameters and 128 rows that saves a tenth of the time: a gradient that is written, and read again.
    """
    step, factor = negative(fill(a, learning_rate)), fill(a, scale)
    weight_gradients(a, dz, packed, levels, w, K, J, rows, a_stride, dz_stride, group, True, step, factor)
