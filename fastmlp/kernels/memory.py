"""What kernels reach by address: numbers in memory, registers of them, sums of lines, and other kernels.

The intrinsics of `simd.py` make registers of registers; these move them. Pointers are `CPointer`s: `p[i]` reads or
writes one number, without a check.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.simd import helper, line_lanes
from fastmlp.kernels.vectors import Vec, element, llvm_call, splat, vec
from fastmlp.reference.arithmetic import LINE

# ---------------------------------------------------------------------------------------------------------
# Numbers and registers


def address_of(builder, pointer, index, kind):
    """The address of p[index], as that of a `kind`."""
    return builder.bitcast(builder.gep(pointer, [index], inbounds=True), kind.as_pointer())


@intrinsic
def load(context, p, i):
    """The register of numbers from p[i] on."""
    wanted = vec(p.dtype)

    def lower(context, builder, sig, values):
        kind = context.get_value_type(wanted)
        return builder.load(address_of(builder, *values, kind), align=p.dtype.bitwidth // 8, typ=kind)

    return wanted(p, types.intp), lower


@intrinsic(prefer_literal=True)
def load_several(context, p, i, count):
    """`count` registers of numbers from p[i] on, as one."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    one = vec(p.dtype)
    wanted = Vec(p.dtype, one.lanes * count.literal_value)

    def lower(context, builder, sig, values):
        kind = context.get_value_type(wanted)
        return builder.load(address_of(builder, *values[:2], kind), align=p.dtype.bitwidth // 8, typ=kind)

    return wanted(p, types.intp, count), lower


@intrinsic
def store(context, p, i, x):
    """Writes a register, or several, to p[i] and on."""

    def lower(context, builder, sig, values):
        where = address_of(builder, *values[:2], values[2].type)
        builder.store(values[2], where, align=p.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(p, types.intp, x), lower


@intrinsic
def spread(context, p, i):
    """The number p[i] in every lane."""
    wanted = vec(p.dtype)

    def lower(context, builder, sig, values):
        return splat(builder, builder.load(builder.gep(*values[:1], [values[1]], inbounds=True)), wanted.lanes)

    return wanted(p, types.intp), lower


@intrinsic
def advance(context, p, i):
    """The pointer to p[i]."""

    def lower(context, builder, sig, values):
        return builder.gep(values[0], [values[1]], inbounds=True)

    return p(p, types.intp), lower


@intrinsic
def pointer(context, address, like):
    """The address as a pointer of `like`'s type."""

    def lower(context, builder, sig, values):
        return builder.inttoptr(values[0], context.get_value_type(like))

    return like(types.int64, like), lower


@helper
def padded_size(like, count):
    """Numbers of a vector like the gradient: `count` parameters, the loss, the sum of weights, up to a whole line."""
    line = line_lanes(like)
    return (count + 1 + line) // line * line


def _touched(name, writes):
    """An intrinsic of an address that only asks for its line, so that it is near when it is wanted."""

    def typer(context, p, i):
        def lower(context, builder, sig, values):
            byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
            prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            # not `inbounds`: a line past the end may be asked for, and is then not fetched
            where = builder.bitcast(builder.gep(values[0], [values[1]]), byte)
            builder.call(prefetch, [where, whole(writes), whole(3), whole(1)])  # 3: into all caches; 1: data
            return context.get_dummy_value()

        return types.void(p, types.int64), lower

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


touch = _touched("touch", 0)
touch_to_write = _touched("touch_to_write", 1)


# ---------------------------------------------------------------------------------------------------------
# Sums of a line's lanes


@intrinsic
def fold(context, p, i):
    """The sum of the line p[i], p[i + 1], ... by halves: lane v takes in lane v + V/2, and so on."""

    def lower(context, builder, sig, values):
        x = _halved(builder, _load_line(builder, p.dtype, *values), 1)
        return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))

    return p.dtype(p, types.intp), lower


@intrinsic(prefer_literal=True)
def sum_of_products(context, a, d, rows, lanes):
    """The fold of the line a[n] d[n], +0 for n from `rows` on; `lanes`, a power of two, at least as many."""

    def lower(context, builder, sig, values):
        count = lanes.literal_value
        kind = ir.VectorType(element(a.dtype), count)
        x, y = (
            builder.load(builder.bitcast(p, kind.as_pointer()), align=a.dtype.bitwidth // 8, typ=kind)
            for p in values[:2]
        )
        zero = ir.Constant(kind, None)
        numbers = ir.Constant(ir.VectorType(values[2].type, count), list(range(count)))
        live = builder.icmp_signed("<", numbers, splat(builder, values[2], count))
        x = _halved(builder, builder.select(live, llvm_call(builder, "fma", x, y, zero), zero), 1)
        x = builder.extract_element(x, ir.Constant(ir.IntType(32), 0))
        return builder.fadd(x, ir.Constant(x.type, 0.0)) if count < LINE * 8 // a.dtype.bitwidth else x

    return (a.dtype(a, d, types.int64, lanes), lower) if isinstance(lanes, types.IntegerLiteral) else None


def _load_line(builder, dtype, pointer, index):
    kind = ir.VectorType(element(dtype), LINE * 8 // dtype.bitwidth)
    return builder.load(address_of(builder, pointer, index, kind), align=dtype.bitwidth // 8, typ=kind)


def _halved(builder, x, lanes):
    """x folded by halves down to this many lanes."""
    while x.type.count > lanes:
        half = x.type.count // 2
        x = builder.fadd(shuffled(builder, x, x, range(half)), shuffled(builder, x, x, range(half, 2 * half)))
    return x


def shuffled(builder, a, b, chosen):
    """The chosen lanes of a and, counting on, of b."""
    return builder.shuffle_vector(a, b, _lane_list(chosen))


def _lane_list(numbers):
    numbers = list(numbers)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


# ---------------------------------------------------------------------------------------------------------
# Other kernels, and Python


@intrinsic
def call(context, address, arguments):
    """Calls the kernel at an address (see native.py for the convention) and returns its int64, if it has one."""

    def lower(context, builder, sig, values):
        passed = cgutils.unpack_tuple(builder, values[1])
        result = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(64), 0))
        byte = ir.IntType(8).as_pointer()
        ends = [builder.bitcast(result, byte), ir.Constant(byte, None)]
        kind = ir.FunctionType(ir.IntType(32), [value.type for value in (*ends, *passed)])
        builder.call(builder.inttoptr(values[0], kind.as_pointer()), (*ends, *passed))
        return builder.load(result)

    return types.int64(types.int64, arguments), lower


@intrinsic
def interrupted(context):
    """Whether Ctrl-C was pressed since the last look (main thread only): 1 or 0. Takes the GIL for a moment."""

    def lower(context, builder, sig, values):
        whole = ir.IntType(32)
        take = cgutils.get_or_insert_function(builder.module, ir.FunctionType(whole, []), "PyGILState_Ensure")
        look = cgutils.get_or_insert_function(builder.module, ir.FunctionType(whole, []), "PyOS_InterruptOccurred")
        give = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [whole]), "PyGILState_Release"
        )
        state = builder.call(take, [])
        pressed = builder.call(look, [])
        builder.call(give, [state])
        return builder.sext(pressed, ir.IntType(64))

    return types.int64(), lower
