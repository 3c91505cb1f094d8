"""Random numbers that depend on (seed, stream, epoch, index) alone: the twin of `fastmlp/reference/random.py`."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.elementary import log
from fastmlp.kernels.memory import load, store
from fastmlp.kernels.plan import NORMAL_BLOCK
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.simd import (
    HALF,
    absolute,
    at_most,
    fma,
    helper,
    horner,
    lanes,
    less,
    negative,
    number,
    select,
    sqrt,
)
from fastmlp.kernels.vectors import splat, vec
from fastmlp.reference import random as reference
from fastmlp.reference.random import FAR_CENTRE, FAR_TAIL, MIDDLE, MIDDLE_CENTRE, MIDDLE_LIMIT, NEAR_CENTRE, NEAR_TAIL

LOW = np.uint64(0xFFFFFFFF)
TWELVE = np.uint64(12)
THIRTY_TWO = np.uint64(32)
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
SHUFFLE = np.uint64(reference.SHUFFLE)
MIDDLE_ABOVE, MIDDLE_BELOW = MIDDLE
MIDDLE_END = float(MIDDLE_LIMIT.float64)
NEAR_ABOVE, NEAR_BELOW = NEAR_TAIL
FAR_ABOVE, FAR_BELOW = FAR_TAIL


@helper
def block_words(seed, stream, epoch, block):
    """The two words of 64 bits of one block. All arguments are uint64."""
    c0, c1, c2, c3 = block & LOW, block >> THIRTY_TWO, epoch, stream
    k0, k1 = seed & LOW, seed >> THIRTY_TWO
    for _ in range(10):
        p0, p1 = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> THIRTY_TWO) ^ c1 ^ k0, p1 & LOW, (p0 >> THIRTY_TWO) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + WEYL_0) & LOW, (k1 + WEYL_1) & LOW
    return c0 | (c1 << THIRTY_TWO), c2 | (c3 << THIRTY_TWO)


@helper
def open_unit(word):
    """A word's top 52 bits as a number in (0, 1)."""
    return (np.float64(np.int64(word >> TWELVE)) + 0.5) * 2.0**-52


@kernel(reference.uniform, dtypes=("float64",))
def uniform(seed: Int, stream: Int, epoch: Int, count: Int, x: Floats):
    """x[i] in (0, 1). Writes count numbers, rounded up to an even count."""
    for i in range(0, count, 2):
        u, v = block_words(np.uint64(seed), np.uint64(stream), np.uint64(epoch), np.uint64(i >> 1))
        x[i] = open_unit(u)
        x[i + 1] = open_unit(v)


@helper
def middle_quantile(p):
    """The quantile of p with |p - 1/2| <= MIDDLE_LIMIT."""
    q = p - HALF
    r = fma(negative(q), q, MIDDLE_CENTRE)
    return q * (horner(r, MIDDLE_ABOVE) / horner(r, MIDDLE_BELOW))


@helper
def outer_quantile(p):
    """The quantile of other p."""
    lower = less(p - HALF, 0)
    r = sqrt(negative(log(select(lower, p, 1 - p))))
    near, far = r - NEAR_CENTRE, r - FAR_CENTRE
    near = horner(near, NEAR_ABOVE) / horner(near, NEAR_BELOW)
    far = horner(far, FAR_ABOVE) / horner(far, FAR_BELOW)
    outer = select(at_most(r, 5), near, far)
    return select(lower, negative(outer), outer)


@kernel(reference.normal_quantile, dtypes=("float64",))
def normal_quantile(x: Floats, count: Int):
    """x = the standard normal quantile of x, in place. Writes whole registers."""
    for i in range(0, count, lanes(x)):
        p = load(x, i)
        in_middle = at_most(absolute(p - HALF), MIDDLE_LIMIT)
        store(x, i, select(in_middle, middle_quantile(p), outer_quantile(p)))


def ten_rounds(builder, counters, keys):
    """What Philox makes of vectors of uint64, each below 2^32: `block_words`, several blocks side by side."""
    kind = counters[0].type

    def all_of(value):
        return ir.Constant(kind, [int(value)] * kind.count)

    low, half = all_of(LOW), all_of(32)
    (c0, c1, c2, c3), (k0, k1) = counters, keys
    for _ in range(10):
        c0, c2 = builder.and_(c0, low), builder.and_(c2, low)  # they are so already: LLVM sees it here
        p0, p1 = builder.mul(all_of(MULTIPLIER_0), c0), builder.mul(all_of(MULTIPLIER_1), c2)
        c0, c1, c2, c3 = (
            builder.xor(builder.xor(builder.lshr(p1, half), c1), k0),
            builder.and_(p1, low),
            builder.xor(builder.xor(builder.lshr(p0, half), c3), k1),
            builder.and_(p0, low),
        )
        k0 = builder.and_(builder.add(k0, all_of(WEYL_0)), low)
        k1 = builder.and_(builder.add(k1, all_of(WEYL_1)), low)
    return c0, c1, c2, c3


@intrinsic
def unit_blocks(context, x, seed, stream, epoch, block):
    """`open_unit` of the words of as many blocks as a register of x has lanes, from `block` on: two registers."""
    wanted = vec(x.dtype)

    def lower(context, builder, sig, values):
        _, seed, stream, epoch, block = values
        lanes, number = wanted.lanes, ir.IntType(64)
        kind = ir.VectorType(number, lanes)

        def all_of(value):
            return ir.Constant(kind, [int(value)] * lanes)

        def spread(value):
            return splat(builder, value, lanes)

        low, half = all_of(LOW), all_of(32)
        blocks = builder.add(spread(block), ir.Constant(kind, list(range(lanes))))
        c0, c1, c2, c3 = builder.and_(blocks, low), builder.lshr(blocks, half), spread(epoch), spread(stream)
        k0, k1 = builder.and_(spread(seed), low), builder.lshr(spread(seed), half)
        c0, c1, c2, c3 = ten_rounds(builder, (c0, c1, c2, c3), (k0, k1))
        real = context.get_value_type(wanted)
        units = []
        for lower_half, upper_half in ((c0, c1), (c2, c3)):
            word = builder.or_(lower_half, builder.shl(upper_half, half))
            # 2^52 + k, whose lowest bits k are, less 2^52: k < 2^52 as a number
            lifted = builder.or_(builder.lshr(word, all_of(12)), all_of(0x4330000000000000))
            k = builder.fsub(builder.bitcast(lifted, real), ir.Constant(real, [2.0**52] * lanes))
            k = builder.fadd(k, ir.Constant(real, [0.5] * lanes))
            units.append(builder.fmul(k, ir.Constant(real, [2.0**-52] * lanes)))
        chosen = [lane // 2 + lanes * (lane % 2) for lane in range(2 * lanes)]
        halves = [
            builder.shuffle_vector(*units, ir.Constant(ir.VectorType(ir.IntType(32), lanes), some))
            for some in (chosen[:lanes], chosen[lanes:])
        ]
        return context.make_tuple(builder, types.UniTuple(wanted, 2), halves)

    return types.UniTuple(wanted, 2)(x, types.int64, types.int64, types.int64, types.int64), lower


@kernel(reference.normal, dtypes=("float64",))
def normal(seed: Int, stream: Int, epoch: Int, count: Int, x: Floats, tails: Floats, places: Ints):
    """x[i] standard normal. Writes whole registers of x, NORMAL_BLOCK numbers of tails and as many of places.

    Of 100 uniform numbers, 15 are in the tails, which take four times as long: they go side by side.
    """
    step = lanes(x)
    for first in range(0, count, NORMAL_BLOCK):
        end = first + NORMAL_BLOCK if first + NORMAL_BLOCK < count else count
        outer = 0
        for i in range(first, end, 2 * step):
            u, v = unit_blocks(x, seed, stream, epoch, i >> 1)
            store(x, i, u)
            if i + step < end:
                store(x, i + step, v)
        for i in range(first, end):
            tails[outer] = x[i]
            places[outer] = i
            outer += np.int64(absolute(x[i] - 0.5) > MIDDLE_END)
        for i in range(outer, (outer + step - 1) // step * step):
            tails[i] = 0.01
        for i in range(first, end, step):
            store(x, i, middle_quantile(load(x, i)))
        for i in range(0, outer, step):
            store(tails, i, outer_quantile(load(tails, i)))
        for i in range(outer):
            x[places[i]] = tails[i]


@kernel(reference.permutation, dtypes=("float64",))
def permutation(seed: Int, epoch: Int, count: Int, order: Ints):
    """order = 0, 1, ... count - 1, shuffled by Fisher and Yates from the last place down."""
    for i in range(count):
        order[i] = i
    i = count - 1
    while i > 0:
        u, v = block_words(np.uint64(seed), SHUFFLE, np.uint64(epoch), np.uint64(i >> 1))
        if i & 1:
            exchange(order, i, v)
            i -= 1
        exchange(order, i, u)  # at i = 0 it exchanges place 0 with itself
        i -= 1


@helper
def exchange(order, i, u):
    """Exchanges place i with place floor(u (i + 1) / 2^64)."""
    places = np.uint64(i + 1)
    j = np.int64(((u >> THIRTY_TWO) * places + (((u & LOW) * places) >> THIRTY_TWO)) >> THIRTY_TWO)
    was = order[i]
    order[i] = order[j]
    order[j] = was


@kernel(reference.dropout_factors)
def dropout_factors(
    factors: Floats, seed: Int, stream: Int, epoch: Int, first: Int, units: Int, rows: Int, stride: Int,
    threshold: Int, kept: Float,
):  # fmt: skip
    """factors[j, n] = 0 or kept, for the rows at places first, first + 1, ... Writes units in whole fours."""
    blocks = (units + 3) // 4
    zero = number(factors, 0)
    for block in range(blocks):
        at = block * 4 * stride
        for n in range(rows):
            u, v = block_words(
                np.uint64(seed), np.uint64(stream), np.uint64(epoch), np.uint64((first + n) * blocks + block)
            )
            factors[at + n] = zero if np.int64(u & LOW) < threshold else kept
            factors[at + stride + n] = zero if np.int64(u >> THIRTY_TWO) < threshold else kept
            factors[at + 2 * stride + n] = zero if np.int64(v & LOW) < threshold else kept
            factors[at + 3 * stride + n] = zero if np.int64(v >> THIRTY_TWO) < threshold else kept
