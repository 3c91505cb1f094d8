"""Rows of each model, from its own x and by its own order, into a tile of a group: `lanes_dense.py` has the layout."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, filled, put, register_at
from fastmlp.kernels.memory import address_of, load, store
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import lanes
from fastmlp.kernels.squares import transposed
from fastmlp.kernels.vectors import INTEGERS, Vec, splat, vec


@intrinsic
def row_pointers(context, sources, order, i, n, K, like):
    """A pointer for each lane: to row order[i + lane] of the x at the address sources[n + lane], whose rows have K."""
    count = vec(like.dtype).lanes
    pointers = types.UniTuple(like, count)

    def lower(context, builder, sig, values):
        sources_, order_, i, n, K, _ = values
        found = []
        for lane in range(count):
            step = ir.Constant(i.type, lane)
            base = builder.load(builder.gep(sources_, [builder.add(n, step)], inbounds=True))
            row = builder.load(builder.gep(order_, [builder.add(i, step)], inbounds=True))
            start = builder.inttoptr(base, context.get_value_type(like))
            found.append(builder.gep(start, [builder.mul(row, K)], inbounds=True))
        return context.make_tuple(builder, pointers, found)

    index = types.int64
    return pointers(sources, order, index, index, index, like), lower


@intrinsic
def collected(context, pointers, k):
    """A register of the numbers k of each row."""
    one = vec(pointers.dtype.dtype)

    def lower(context, builder, sig, values):
        made = ir.Constant(context.get_value_type(one), ir.Undefined)
        for lane in range(one.lanes):
            at = builder.gep(builder.extract_value(values[0], lane), [values[1]], inbounds=True)
            made = builder.insert_element(made, builder.load(at), ir.Constant(ir.IntType(32), lane))
        return made

    return one(pointers, types.int64), lower


@intrinsic
def square_from(context, pointers, k):
    """A square block: its row r is the register of numbers k, k + 1, ... of row r."""
    dtype = pointers.dtype.dtype
    block = Block(dtype, vec(dtype).lanes, 1)

    def lower(context, builder, sig, values):
        found = [
            register_at(context, builder, builder.extract_value(values[0], r), values[1], dtype)
            for r in range(block.rows)
        ]
        return filled(context, builder, block, found)

    return block(pointers, types.int64), lower


@kernel(None)
def gather(
    sources: Ints, order: Ints, models: Int, places: Ints, rows: Int, K: Int, tile: Floats, unit: Int
):  # fmt: skip
    """tile[n, k] = x[order[places[n]], k] of each model's x. order: [place][model]."""
    step = lanes(tile)
    for m in range(0, models, step):
        for n in range(rows):
            pointers = row_pointers(sources, order, places[n] * models + m, m, K, tile)
            k, to = 0, n * models + m
            while k + step <= K:
                put(tile, to + k * unit, unit, transposed(square_from(pointers, k)))
                k += step
            while k < K:
                store(tile, to + k * unit, collected(pointers, k))
                k += 1


@intrinsic
def places_at(context, order, i, like):
    """A register of the places order[i], order[i + 1], ..., as integers of the width of like's numbers."""
    wanted = Vec(INTEGERS[like.dtype], vec(like.dtype).lanes)

    def lower(context, builder, sig, values):
        kind = ir.VectorType(ir.IntType(64), wanted.lanes)
        found = builder.load(address_of(builder, *values[:2], kind), align=8, typ=kind)
        return found if wanted.dtype.bitwidth == 64 else builder.trunc(found, context.get_value_type(wanted))

    return wanted(order, types.int64, like), lower


@intrinsic
def chosen_at(context, places, row, a, b):
    """a where the place is `row`, else b."""

    def lower(context, builder, sig, values):
        places_, row, x, y = values
        row = row if places.dtype.bitwidth == 64 else builder.trunc(row, ir.IntType(32))
        return builder.select(builder.icmp_signed("==", places_, splat(builder, row, places.lanes)), x, y)

    return a(places, types.int64, a, b), lower


@kernel(None)
def pick(
    x: Floats, order: Ints, models: Int, count: Int, x_unit: Int, places: Ints, rows: Int, units: Int, tile: Floats,
    unit: Int,
):  # fmt: skip
    """tile[n, k] = x[order[places[n]], k], where x is all rows, `count` of them, as they are: each is looked at."""
    for n in range(rows):
        for m in range(0, models, lanes(tile)):
            chosen = places_at(order, places[n] * models + m, tile)
            for k in range(units):
                found = load(x, k * x_unit + m)
                for row in range(1, count):
                    found = chosen_at(chosen, row, load(x, k * x_unit + row * models + m), found)
                store(tile, k * unit + n * models + m, found)
