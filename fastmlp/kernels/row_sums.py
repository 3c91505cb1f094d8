"""Sums over rows, for `dense.py`: a block's register is one sum's lanes, and lies apart from the others.

The rows of a block from `last` on are all the same one, so that a block may reach beyond what there is: it then does
the last row again, to the same bits.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, filled, register_at
from fastmlp.kernels.memory import address_of, shuffled
from fastmlp.kernels.vectors import llvm_call, vec


def _row_starts(builder, i, row, last, rows):
    """The index of each row: i + min(r, last) row."""
    for r in range(rows):
        number = ir.Constant(i.type, r)
        inside = builder.icmp_signed("<", number, last)
        yield builder.add(i, builder.mul(builder.select(inside, number, last), row))


@intrinsic(prefer_literal=True)
def registers_of(context, p, i, row, last, column, rows, registers):
    """A block of the registers at p[i + min(r, last) row + c column]."""
    block = Block(p.dtype, rows.literal_value, registers.literal_value)

    def lower(context, builder, sig, values):
        pointer, i, row, last, column = values[:5]
        found = []
        for at in _row_starts(builder, i, row, last, block.rows):
            for _ in range(block.registers):
                found.append(register_at(context, builder, pointer, at, p.dtype))
                at = builder.add(at, column)
        return filled(context, builder, block, found)

    return block(p, types.int64, types.int64, types.int64, types.int64, rows, registers), lower


@intrinsic
def put_registers(context, p, i, row, last, column, block):
    """Writes a block's registers to p[i + min(r, last) row + c column]."""

    def lower(context, builder, sig, values):
        pointer, i, row, last, column, value = values
        for r, at in enumerate(_row_starts(builder, i, row, last, block.rows)):
            for c in range(block.registers):
                x = builder.extract_value(value, r * block.registers + c)
                builder.store(x, address_of(builder, pointer, at, x.type), align=p.dtype.bitwidth // 8)
                at = builder.add(at, column)
        return context.get_dummy_value()

    return types.void(p, types.int64, types.int64, types.int64, types.int64, block), lower


@intrinsic
def put_folds(context, p, i, row, last, block):
    """p[i + min(r, last) row + c] = the sum of a block's register, by halves: lane v takes in lane v + V/2, and so on.

    Two registers are halved at once, into one: 16 sums of 16 lanes take 15 additions, shuffles and blends.
    """

    def lower(context, builder, sig, values):
        pointer, i, row, last, value = values
        lanes, columns = vec(p.dtype).lanes, block.registers
        left = [builder.extract_value(value, number) for number in range(block.rows * columns)]
        starts = list(_row_starts(builder, i, row, last, block.rows))
        done = 0
        while left:
            count = min(lanes, 1 << (len(left).bit_length() - 1))
            sums = _folded(builder, left[:count], lanes)
            together = min(count, columns)
            for first in range(0, count, together):
                some = shuffled(builder, sums, sums, range(first, first + together))
                r, c = divmod(done + first, columns)
                at = builder.add(starts[r], ir.Constant(i.type, c))
                builder.store(some, address_of(builder, pointer, at, some.type), align=p.dtype.bitwidth // 8)
            left, done = left[count:], done + count
        return context.get_dummy_value()

    return types.void(p, types.int64, types.int64, types.int64, block), lower


def _folded(builder, registers, lanes):
    """One vector of the sums of each of these registers, a power of two of them and at most `lanes`.

    Of two registers a and b, which hold parts of `width` lanes, one is made: in each part, a's lower half or b's upper
    one, plus what this lacks. So a sum takes one blend, one shuffle and one addition of a register that it shares.
    """
    order = _folding_order(len(registers))
    held = [registers[order.index(number)] for number in range(len(registers))]
    width = lanes
    while width > 1:
        half, merged = width // 2, []
        if len(held) == 1:
            low = [start + lane for start in range(0, held[0].type.count, width) for lane in range(half)]
            high = [lane + half for lane in low]
            merged = [builder.fadd(*(shuffled(builder, held[0], held[0], some) for some in (low, high)))]
        for a, b in zip(held[::2], held[1::2], strict=len(held) > 1):
            upper = [lane % width >= half for lane in range(lanes)]
            own = [lane + lanes * up for lane, up in enumerate(upper)]
            other = [lane + (lanes - half if up else half) for lane, up in enumerate(upper)]
            merged.append(builder.fadd(shuffled(builder, a, b, own), shuffled(builder, a, b, other)))
        held, width = merged, half
    return held[0]


def _folding_order(count):
    """Which register's sum `_folded` leaves at each place, if it took them as they come."""
    held = [[number] for number in range(count)]
    while len(held) > 1:
        pairs = zip(held[::2], held[1::2], strict=True)
        held = [[i for both in zip(a, b, strict=True) for i in both] for a, b in pairs]
    return held[0]


@intrinsic(prefer_literal=True)
def input_rows(context, a, ones, k, K, stride, rows):
    """Pointers to the rows k, k + 1, ... of a, `stride` apart; from row K on, to `ones`."""
    pointers = types.UniTuple(a, rows.literal_value)

    def lower(context, builder, sig, values):
        a_, ones_, k, K, stride = values[:5]
        found = []
        for r in range(rows.literal_value):
            number = builder.add(k, ir.Constant(k.type, r))
            there = builder.gep(a_, [builder.mul(number, stride)])
            found.append(builder.select(builder.icmp_signed("<", number, K), there, ones_))
        return context.make_tuple(builder, pointers, found)

    return pointers(a, ones, types.int64, types.int64, types.int64, rows), lower


@intrinsic
def multiply_add_rows(context, block, xs, d, n, stride):
    """block[r, c] = fma(the register xs[r][n], the register d[n + c stride], block[r, c])."""

    def lower(context, builder, sig, values):
        block_, xs_, d_, n, stride = values
        rows = [register_at(context, builder, builder.extract_value(xs_, r), n, block.dtype) for r in range(block.rows)]
        made = [builder.extract_value(block_, i) for i in range(block.rows * block.registers)]
        at = n
        for c in range(block.registers):
            x = register_at(context, builder, d_, at, block.dtype)
            for r in range(block.rows):
                i = r * block.registers + c
                made[i] = llvm_call(builder, "fma", rows[r], x, made[i])
            at = builder.add(at, stride)
        return filled(context, builder, block, made)

    return block(block, xs, d, types.int64, types.int64), lower
