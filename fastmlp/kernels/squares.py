"""Square blocks, as many rows as a register has lanes: they turn rows into lanes."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, filled, register_at
from fastmlp.kernels.memory import address_of, shuffled
from fastmlp.kernels.vectors import splat, vec


@intrinsic
def square(context, p, i, stride):
    """A block of one register a row and as many rows as a register has lanes, from p[i] on."""
    block = Block(p.dtype, vec(p.dtype).lanes, 1)

    def lower(context, builder, sig, values):
        pointer, i, stride = values
        found = []
        for _ in range(block.rows):
            found.append(register_at(context, builder, pointer, i, p.dtype))
            i = builder.add(i, stride)
        return filled(context, builder, block, found)

    return block(p, types.int64, types.int64), lower


@intrinsic
def ordered_rows(context, order, ordered, n, like):
    """order[n], order[n + 1], ... as many as a register of `like` has lanes; or n, n + 1, ... where `ordered` is 0."""
    count = vec(like.dtype).lanes
    numbers = types.UniTuple(types.int64, count)

    def lower(context, builder, sig, values):
        order_, ordered, n = values[:3]
        several = ir.VectorType(n.type, count)
        mask_type = ir.VectorType(ir.IntType(1), count)
        read = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(several, [several.as_pointer(), ir.IntType(32), mask_type, several]),
            f"llvm.masked.load.v{count}i64.p0",
        )
        as_they_come = builder.add(splat(builder, n, count), ir.Constant(several, list(range(count))))
        asked = splat(builder, builder.icmp_signed("!=", ordered, ir.Constant(n.type, 0)), count)
        found = builder.call(
            read, [address_of(builder, order_, n, several), ir.Constant(ir.IntType(32), 8), asked, as_they_come]
        )
        return context.make_tuple(
            builder, numbers, [builder.extract_element(found, ir.Constant(ir.IntType(32), r)) for r in range(count)]
        )

    return numbers(order, types.int64, types.int64, like), lower


@intrinsic
def square_of_rows(context, p, numbers, stride, k):
    """A block of one register a row: row r is p[numbers[r] stride + k] and on."""
    block = Block(p.dtype, numbers.count, 1)

    def lower(context, builder, sig, values):
        pointer, numbers, stride, k = values
        found = []
        for r in range(block.rows):
            at = builder.add(builder.mul(builder.extract_value(numbers, r), stride), k)
            found.append(register_at(context, builder, pointer, at, p.dtype))
        return filled(context, builder, block, found)

    return block(p, numbers, types.int64, types.int64), lower


@intrinsic
def transposed(context, block):
    """A square block with rows and lanes exchanged: by pairs of rows, pairs of pairs, and so on."""

    def lower(context, builder, sig, values):
        size = block.rows
        rows = [builder.extract_value(values[0], r) for r in range(size)]
        step = 1
        while step < size:
            for r in (r for r in range(size) if not r & step):
                a, b = rows[r], rows[r + step]
                low = [lane if not lane & step else size + lane - step for lane in range(size)]
                high = [lane + step if not lane & step else size + lane for lane in range(size)]
                rows[r], rows[r + step] = shuffled(builder, a, b, low), shuffled(builder, a, b, high)
            step *= 2
        return filled(context, builder, block, rows)

    return block(block), lower
