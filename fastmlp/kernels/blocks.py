"""Blocks: some rows of some registers each, that a product keeps its sums in. See `simd.py` for registers,
`squares.py` for rows that become lanes, and `row_sums.py` for sums whose lanes are rows.

To LLVM a block is an array of vectors, which it holds in registers as long as there are enough of them. That a step of
a product is one instruction to Numba keeps a kernel's compile time down, whatever the block's size.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from fastmlp.kernels.memory import address_of
from fastmlp.kernels.vectors import REGISTER, element, llvm_call, splat, vec

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


def register_at(context, builder, pointer, index, kind, number=0):
    """The register p[index + number registers] and on."""
    one = vec(kind)
    if number:
        index = builder.add(index, ir.Constant(index.type, number * one.lanes))
    vector = context.get_value_type(one)
    return builder.load(address_of(builder, pointer, index, vector), align=kind.bitwidth // 8, typ=vector)


def filled(context, builder, block, values):
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
            found += [register_at(context, builder, pointer, i, p.dtype, c) for c in range(block.registers)]
            i = builder.add(i, stride)
        return filled(context, builder, block, found)

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
        return filled(context, builder, block, found)

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
                builder.store(x, address_of(builder, pointer, at, x.type), align=p.dtype.bitwidth // 8)
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
                at = address_of(builder, pointer, builder.add(i, ir.Constant(i.type, c * lanes)), vector)
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
            return llvm_call(builder, "fma", step, builder.fmul(x, factor), found()) if descent else x

        return _put_part(context, builder, p, block, pointer, i, stride, rows, columns, value)

    index = types.int64
    return types.void(p, index, index, block, index, index, descends, step, factor), lower


@intrinsic
def multiply_add(context, block, a, i, stride, w, j):
    """block[r, c] = fma(a[i + r stride], the registers from w[j] on [c], block[r, c])."""

    def lower(context, builder, sig, values):
        block_, a_, i, stride, w_, j = values
        lanes = vec(block.dtype).lanes
        operands = [register_at(context, builder, w_, j, block.dtype, c) for c in range(block.registers)]
        made = []
        for r in range(block.rows):
            x = splat(builder, builder.load(builder.gep(a_, [i], inbounds=True)), lanes)
            for c in range(block.registers):
                sum_so_far = builder.extract_value(block_, r * block.registers + c)
                made.append(llvm_call(builder, "fma", x, operands[c], sum_so_far))
            i = builder.add(i, stride)
        return filled(context, builder, block, made)

    return block(block, a, types.int64, types.int64, w, types.int64), lower


@intrinsic
def multiply_add_held(context, block, factors, w, j):
    """block[r, c] = fma(factors[r, c], the registers from w[j] on [c], block[r, c])."""

    def lower(context, builder, sig, values):
        operands = [register_at(context, builder, values[2], values[3], block.dtype, c) for c in range(block.registers)]
        made = []
        for i in range(block.rows * block.registers):
            factor, sum_so_far = (builder.extract_value(value, i) for value in (values[1], values[0]))
            made.append(llvm_call(builder, "fma", factor, operands[i % block.registers], sum_so_far))
        return filled(context, builder, block, made)

    return block(block, factors, w, types.int64), lower


@intrinsic
def added(context, a, b):
    """a + b, register by register."""

    def lower(context, builder, sig, values):
        sums = [
            builder.fadd(builder.extract_value(values[0], i), builder.extract_value(values[1], i))
            for i in range(a.rows * a.registers)
        ]
        return filled(context, builder, a, sums)

    return a(a, b), lower


@intrinsic
def floored(context, block, floor):
    """The block, or the floor (a register) where it is below; a NaN stays."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(block.rows * block.registers):
            x = builder.extract_value(values[0], i)
            found.append(builder.select(builder.fcmp_ordered(">", values[1], x), values[1], x))
        return filled(context, builder, block, found)

    return block(block, floor), lower


@intrinsic
def passed(context, block, a, closed):
    """The block, or +0 where `a`, a block, is at most `closed`, a register."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(block.rows * block.registers):
            x, y = (builder.extract_value(value, i) for value in values[:2])
            found.append(builder.select(builder.fcmp_ordered("<=", y, values[2]), ir.Constant(x.type, None), x))
        return filled(context, builder, block, found)

    return block(block, a, closed), lower
