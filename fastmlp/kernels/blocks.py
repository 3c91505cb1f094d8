"""Blocks: some rows of some registers each, that a product keeps its sums in. See `simd.py` for registers.

To LLVM a block is an array of vectors, which it holds in registers as long as there are enough of them. That a step of
a product is one instruction to Numba keeps a kernel's compile time down, whatever the block's size.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from fastmlp.kernels.memory import _address, _shuffled
from fastmlp.kernels.simd import REGISTER, _llvm, element, splat, vec

# A block's registers side by side: 32 registers hold 6 x 4 sums, 4 operands and a broadcast, 16 hold 6 x 2.
REGISTERS = 4 if REGISTER == 64 else 2


class Block(types.Type):
    """`rows` x `registers` registers of `dtype`."""

    def __init__(self, dtype, rows, registers):
        self.dtype, self.rows, self.registers = dtype, rows, registers
        super().__init__(name=f"Block({dtype},{rows},{registers})")

    @property
    def mangling_args(self):
        return "Block", (self.dtype, self.rows, self.registers)


@register_model(Block)
class BlockModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        one = ir.VectorType(element(kind.dtype), vec(kind.dtype).lanes)
        super().__init__(manager, kind, ir.ArrayType(one, kind.rows * kind.registers))


def _register(context, builder, pointer, index, kind, number=0):
    """The register p[index + number registers] and on."""
    one = vec(kind)
    if number:
        index = builder.add(index, ir.Constant(index.type, number * one.lanes))
    vector = context.get_value_type(one)
    return builder.load(_address(builder, pointer, index, vector), align=kind.bitwidth // 8, typ=vector)


def _filled(context, builder, block, values):
    made = ir.Constant(context.get_value_type(block), ir.Undefined)
    for i, value in enumerate(values):
        made = builder.insert_value(made, value, i)
    return made


@intrinsic(prefer_literal=True)
def zeros(context, p, rows, registers):
    """A block of +0 of p's dtype."""
    block = Block(p.dtype, rows.literal_value, registers.literal_value)

    def lower(context, builder, sig, values):
        return ir.Constant(context.get_value_type(block), None)

    return block(p, rows, registers), lower


@intrinsic(prefer_literal=True)
def rows_of(context, p, i, stride, rows, registers):
    """A block of what lies at p[i], its rows `stride` apart; a stride of 0 repeats one row."""
    block = Block(p.dtype, rows.literal_value, registers.literal_value)

    def lower(context, builder, sig, values):
        pointer, i, stride = values[:3]
        found = []
        for _ in range(block.rows):
            found += [_register(context, builder, pointer, i, p.dtype, c) for c in range(block.registers)]
            i = builder.add(i, stride)
        return _filled(context, builder, block, found)

    return block(p, types.int64, types.int64, rows, registers), lower


@intrinsic(prefer_literal=True)
def spread_rows(context, p, i, apart, rows, registers):
    """A block whose row r is p[i + r apart] in every lane."""
    block = Block(p.dtype, rows.literal_value, registers.literal_value)

    def lower(context, builder, sig, values):
        pointer, i, apart = values[:3]
        found = []
        for _ in range(block.rows):
            x = builder.load(builder.gep(pointer, [i], inbounds=True))
            found += [splat(builder, x, vec(p.dtype).lanes)] * block.registers
            i = builder.add(i, apart)
        return _filled(context, builder, block, found)

    return block(p, types.int64, types.int64, rows, registers), lower


@intrinsic
def put(context, p, i, stride, block):
    """Writes a block to p[i] and on, its rows `stride` apart, in order: a row's end may lie on the next one's begin."""

    def lower(context, builder, sig, values):
        pointer, i, stride, value = values
        lanes = vec(p.dtype).lanes
        for r in range(block.rows):
            for c in range(block.registers):
                x = builder.extract_value(value, r * block.registers + c)
                at = builder.add(i, ir.Constant(i.type, c * lanes))
                builder.store(x, _address(builder, pointer, at, x.type), align=p.dtype.bitwidth // 8)
            i = builder.add(i, stride)
        return context.get_dummy_value()

    return types.void(p, types.int64, types.int64, block), lower


def _masks(builder, index, lanes, registers, columns):
    """A mask for each register of a row: its first `columns` numbers."""
    numbers = ir.VectorType(index, lanes)
    bound = splat(builder, columns, lanes)
    return [
        builder.icmp_signed("<", ir.Constant(numbers, [c * lanes + lane for lane in range(lanes)]), bound)
        for c in range(registers)
    ]


def _masked(builder, name, vector, *others):
    """LLVM's masked.load or masked.store of a vector's type."""
    kind = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    result = vector if name == "load" else ir.VoidType()
    function = ir.FunctionType(result, list(others))
    return cgutils.get_or_insert_function(builder.module, function, f"llvm.masked.{name}.v{vector.count}{kind}.p0")


def _put_part(context, builder, p, block, pointer, i, stride, rows, columns, value):
    """Writes value(masked load, r, c) to a block's registers, as far as rows and columns go."""
    lanes = vec(p.dtype).lanes
    vector = context.get_value_type(vec(p.dtype))
    whole, mask_type = ir.IntType(32), ir.VectorType(ir.IntType(1), lanes)
    write = _masked(builder, "store", vector, vector, vector.as_pointer(), whole, mask_type)
    read = _masked(builder, "load", vector, vector.as_pointer(), whole, mask_type, vector)
    align = ir.Constant(whole, p.dtype.bitwidth // 8)
    masks = _masks(builder, i.type, lanes, block.registers, columns)
    for r in range(block.rows):
        with builder.if_then(builder.icmp_signed("<", ir.Constant(i.type, r), rows)):
            for c, mask in enumerate(masks):
                at = _address(builder, pointer, builder.add(i, ir.Constant(i.type, c * lanes)), vector)
                found = functools.partial(builder.call, read, [at, align, mask, ir.Constant(vector, None)])
                builder.call(write, [value(found, r, c), at, align, mask])
        i = builder.add(i, stride)
    return context.get_dummy_value()


@intrinsic(prefer_literal=True)
def put_part(context, p, i, stride, block, rows, columns, descends, step, factor):
    """Writes the first `rows` rows of a block, and of each the first `columns` numbers.

    Where it `descends`, which the compiler knows, what is written is fma(step, block * factor, what was there); step
    and factor are registers.
    """
    descent = descends.literal_value

    def lower(context, builder, sig, values):
        pointer, i, stride, made, rows, columns, _, step, factor = values

        def value(found, r, c):
            x = builder.extract_value(made, r * block.registers + c)
            return _llvm(builder, "fma", step, builder.fmul(x, factor), found()) if descent else x

        return _put_part(context, builder, p, block, pointer, i, stride, rows, columns, value)

    index = types.int64
    return types.void(p, index, index, block, index, index, descends, step, factor), lower


@intrinsic
def square(context, p, i, stride):
    """A block of one register a row and as many rows as a register has lanes, from p[i] on."""
    block = Block(p.dtype, vec(p.dtype).lanes, 1)

    def lower(context, builder, sig, values):
        pointer, i, stride = values
        found = []
        for _ in range(block.rows):
            found.append(_register(context, builder, pointer, i, p.dtype))
            i = builder.add(i, stride)
        return _filled(context, builder, block, found)

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
            read, [_address(builder, order_, n, several), ir.Constant(ir.IntType(32), 8), asked, as_they_come]
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
            found.append(_register(context, builder, pointer, at, p.dtype))
        return _filled(context, builder, block, found)

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
                rows[r], rows[r + step] = _shuffled(builder, a, b, low), _shuffled(builder, a, b, high)
            step *= 2
        return _filled(context, builder, block, rows)

    return block(block), lower


@intrinsic
def multiply_add(context, block, a, i, stride, w, j):
    """block[r, c] = fma(a[i + r stride], the registers from w[j] on [c], block[r, c])."""

    def lower(context, builder, sig, values):
        block_, a_, i, stride, w_, j = values
        lanes = vec(block.dtype).lanes
        operands = [_register(context, builder, w_, j, block.dtype, c) for c in range(block.registers)]
        made = []
        for r in range(block.rows):
            x = splat(builder, builder.load(builder.gep(a_, [i], inbounds=True)), lanes)
            for c in range(block.registers):
                sum_so_far = builder.extract_value(block_, r * block.registers + c)
                made.append(_llvm(builder, "fma", x, operands[c], sum_so_far))
            i = builder.add(i, stride)
        return _filled(context, builder, block, made)

    return block(block, a, types.int64, types.int64, w, types.int64), lower


@intrinsic
def multiply_add_held(context, block, factors, w, j):
    """block[r, c] = fma(factors[r, c], the registers from w[j] on [c], block[r, c])."""

    def lower(context, builder, sig, values):
        operands = [_register(context, builder, values[2], values[3], block.dtype, c) for c in range(block.registers)]
        made = []
        for i in range(block.rows * block.registers):
            factor, sum_so_far = (builder.extract_value(value, i) for value in (values[1], values[0]))
            made.append(_llvm(builder, "fma", factor, operands[i % block.registers], sum_so_far))
        return _filled(context, builder, block, made)

    return block(block, factors, w, types.int64), lower


@intrinsic
def added(context, a, b):
    """a + b, register by register."""

    def lower(context, builder, sig, values):
        sums = [
            builder.fadd(builder.extract_value(values[0], i), builder.extract_value(values[1], i))
            for i in range(a.rows * a.registers)
        ]
        return _filled(context, builder, a, sums)

    return a(a, b), lower


@intrinsic
def floored(context, block, floor):
    """The block, or the floor (a register) where it is below; a NaN stays."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(block.rows * block.registers):
            x = builder.extract_value(values[0], i)
            found.append(builder.select(builder.fcmp_ordered(">", values[1], x), values[1], x))
        return _filled(context, builder, block, found)

    return block(block, floor), lower


@intrinsic
def passed(context, block, a, closed):
    """The block, or +0 where `a`, a block, is at most `closed`, a register."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(block.rows * block.registers):
            x, y = (builder.extract_value(value, i) for value in values[:2])
            found.append(builder.select(builder.fcmp_ordered("<=", y, values[2]), ir.Constant(x.type, None), x))
        return _filled(context, builder, block, found)

    return block(block, a, closed), lower


# Sums over rows: a block's register is one sum's lanes, and lies apart from the others. The rows from `last` on are all
# the same one, so that a block may reach beyond what there is: it then does the last row again, to the same bits.


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
                found.append(_register(context, builder, pointer, at, p.dtype))
                at = builder.add(at, column)
        return _filled(context, builder, block, found)

    return block(p, types.int64, types.int64, types.int64, types.int64, rows, registers), lower


@intrinsic
def put_registers(context, p, i, row, last, column, block):
    """Writes a block's registers to p[i + min(r, last) row + c column]."""

    def lower(context, builder, sig, values):
        pointer, i, row, last, column, value = values
        for r, at in enumerate(_row_starts(builder, i, row, last, block.rows)):
            for c in range(block.registers):
                x = builder.extract_value(value, r * block.registers + c)
                builder.store(x, _address(builder, pointer, at, x.type), align=p.dtype.bitwidth // 8)
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
                some = _shuffled(builder, sums, sums, range(first, first + together))
                r, c = divmod(done + first, columns)
                at = builder.add(starts[r], ir.Constant(i.type, c))
                builder.store(some, _address(builder, pointer, at, some.type), align=p.dtype.bitwidth // 8)
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
            merged = [builder.fadd(*(_shuffled(builder, held[0], held[0], some) for some in (low, high)))]
        for a, b in zip(held[::2], held[1::2], strict=len(held) > 1):
            upper = [lane % width >= half for lane in range(lanes)]
            own = [lane + lanes * up for lane, up in enumerate(upper)]
            other = [lane + (lanes - half if up else half) for lane, up in enumerate(upper)]
            merged.append(builder.fadd(_shuffled(builder, a, b, own), _shuffled(builder, a, b, other)))
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
        rows = [_register(context, builder, builder.extract_value(xs_, r), n, block.dtype) for r in range(block.rows)]
        made = [builder.extract_value(block_, i) for i in range(block.rows * block.registers)]
        at = n
        for c in range(block.registers):
            x = _register(context, builder, d_, at, block.dtype)
            for r in range(block.rows):
                i = r * block.registers + c
                made[i] = _llvm(builder, "fma", rows[r], x, made[i])
            at = builder.add(at, stride)
        return _filled(context, builder, block, made)

    return block(block, xs, d, types.int64, types.int64), lower
