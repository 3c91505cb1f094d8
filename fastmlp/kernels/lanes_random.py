"""The orders of a group's rows, drawn side by side: `random.permutation` with a lane for each model.

A block of random words takes some hundred operations, which four or eight models share; so do the multiplications that
make places of them. Only the exchanges are made one by one.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.memory import load_several
from fastmlp.kernels.random import LOW, ten_rounds
from fastmlp.kernels.registry import Int, Ints, kernel
from fastmlp.kernels.simd import REGISTER, helper
from fastmlp.kernels.vectors import splat
from fastmlp.reference.random import SHUFFLE

MODELS = REGISTER // 8  # of a register of int64


@intrinsic
def words(context, seeds, epochs, block):
    """The two words of 64 bits of a block of each model's stream of shuffles: two registers like seeds and epochs."""
    pair = types.UniTuple(seeds, 2)

    def lower(context, builder, sig, values):
        kind = values[0].type
        number = ir.IntType(64)

        def all_of(value):
            return ir.Constant(kind, [value] * kind.count)

        low, half = all_of(int(LOW)), all_of(32)
        block_ = values[2]
        c0 = splat(builder, builder.and_(block_, ir.Constant(number, int(LOW))), kind.count)
        c1 = splat(builder, builder.lshr(block_, ir.Constant(number, 32)), kind.count)
        c2, c3 = builder.and_(values[1], low), all_of(SHUFFLE)
        k0, k1 = builder.and_(values[0], low), builder.lshr(values[0], half)
        c0, c1, c2, c3 = ten_rounds(builder, (c0, c1, c2, c3), (k0, k1))
        both = [builder.or_(a, builder.shl(b, half)) for a, b in ((c0, c1), (c2, c3))]
        return context.make_tuple(builder, pair, both)

    return pair(seeds, epochs, types.int64), lower


@intrinsic
def exchange(context, order, i, m, models, words):
    """In each model m, m + 1, ... place i changes its content with place floor(u (i + 1) / 2^64); u: its word."""

    def lower(context, builder, sig, values):
        order_, i, m, models, u = values
        kind = u.type

        def all_of(value):
            return splat(builder, value, kind.count)

        low, half = ir.Constant(kind, [int(LOW)] * kind.count), ir.Constant(kind, [32] * kind.count)
        places = builder.and_(all_of(builder.add(i, i.type(1))), low)
        upper = builder.mul(builder.lshr(u, half), places)
        rest = builder.lshr(builder.mul(builder.and_(u, low), places), half)
        place = builder.lshr(builder.add(upper, rest), half)
        others = builder.mul(place, builder.and_(all_of(models), low))
        own = builder.add(builder.mul(i, models), m)
        for lane in range(kind.count):
            number = ir.Constant(i.type, lane)
            other = builder.extract_element(others, ir.Constant(ir.IntType(32), lane))
            a = builder.gep(order_, [builder.add(own, number)], inbounds=True)
            b = builder.gep(order_, [builder.add(other, builder.add(m, number))], inbounds=True)
            was, new = builder.load(a), builder.load(b)
            builder.store(new, a)
            builder.store(was, b)
        return context.get_dummy_value()

    index = types.int64
    return types.void(order, index, index, index, words), lower


@helper
def shuffle(seeds, epochs, m, models, count, order, registers):
    """The orders of some registers of models from m on."""
    seed, epoch = load_several(seeds, m, registers), load_several(epochs, m, registers)
    i = count - 1
    while i > 0:
        u, v = words(seed, epoch, i >> 1)
        if i & 1:
            exchange(order, i, m, models, v)
            i -= 1
        exchange(order, i, m, models, u)
        i -= 1


@kernel(None, dtypes=("float64",))
def orders(seeds: Ints, epochs: Ints, models: Int, count: Int, rows: Ints, order: Ints):
    """order [place][model] = rows [place][model], shuffled by each model's seed and epoch: `random.permutation`."""
    for i in range(count * models):
        order[i] = rows[i]
    m = 0
    while m + 2 * MODELS <= models:
        shuffle(seeds, epochs, m, models, count, order, 2)
        m += 2 * MODELS
    while m < models:
        shuffle(seeds, epochs, m, models, count, order, 1)
        m += MODELS
