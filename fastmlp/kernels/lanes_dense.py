"""Dense layers of a group of models: a register holds the same number of several models.

All numbers are [index][model]: number i of model m is at i * models + m, and rows of a tile lie `..._row` apart. A
register of models is independent of the next one. The sums of a block of rows x units, or inputs x units, stay in
registers, and both factors of a product are loaded: of each model its own. So 4 x 2 sums take 6 loads for 8 fma.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, added, filled, floored, passed, put, register_at, zeros
from fastmlp.kernels.memory import advance, load, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.row_sums import put_registers, registers_of
from fastmlp.kernels.simd import MINUS_INFINITY, REGISTER, fill, helper, lanes, line_lanes
from fastmlp.kernels.squares import transposed
from fastmlp.kernels.vectors import llvm_call, vec
from fastmlp.reference.arithmetic import LINE

STRAIGHT, RELU, SLOPED = range(3)  # what becomes of deltas on their way through an activation
ROWS = 8 if REGISTER == 64 else 4  # of a block of ROWS x 2 sums: of 32 registers, or of 16
INPUTS, UNITS = 4, 3  # of a block of weight gradients

# ---------------------------------------------------------------------------------------------------------
# Blocks


@intrinsic
def multiply_add_both(context, block, a, i, apart, w, j, w_apart):
    """block[r, c] = fma(the register a[i + r apart], the register w[j + c w_apart], block[r, c])."""

    def lower(context, builder, sig, values):
        block_, a_, i, apart, w_, j, w_apart = values
        columns = []
        for _ in range(block.registers):
            columns.append(register_at(context, builder, w_, j, block.dtype))
            j = builder.add(j, w_apart)
        made = []
        for r in range(block.rows):
            x = register_at(context, builder, a_, i, block.dtype)
            for c in range(block.registers):
                sum_so_far = builder.extract_value(block_, r * block.registers + c)
                made.append(llvm_call(builder, "fma", x, columns[c], sum_so_far))
            i = builder.add(i, apart)
        return filled(context, builder, block, made)

    index = types.int64
    return block(block, a, index, index, w, index, index), lower


@intrinsic(prefer_literal=True)
def few_sums(context, a, i, row, unit, dz, j, dz_row, dz_unit, rows, inputs, units):
    """A block: the sums of a[n, k] dz[n, j] over `rows` rows, a literal, written out as a tree of lanes.

    a[n, k] is the register a[i + n row + k unit], and so for dz.
    """
    block = Block(a.dtype, inputs.literal_value, units.literal_value)
    count, line = rows.literal_value, LINE * 8 // a.dtype.bitwidth

    def lower(context, builder, sig, values):
        a_, i, row, unit, dz_, j, dz_row, dz_unit = values[:8]
        zero = ir.Constant(context.get_value_type(vec(a.dtype)), None)

        def registers(pointer, at, apart, some):
            found = []
            for _ in range(some):
                found.append(register_at(context, builder, pointer, at, block.dtype))
                at = builder.add(at, apart)
            return found

        def lane(v):
            """The sum of the rows v, v + V, ..."""
            sums = [zero] * (block.rows * block.registers)
            for n in range(v, count, line):
                number = ir.Constant(i.type, n)
                xs = registers(a_, builder.add(i, builder.mul(row, number)), unit, block.rows)
                ds = registers(dz_, builder.add(j, builder.mul(dz_row, number)), dz_unit, block.registers)
                pairs = [(x, d) for x in xs for d in ds]
                sums = [llvm_call(builder, "fma", x, d, c) for (x, d), c in zip(pairs, sums, strict=True)]
            return sums

        def tree(first, apart):
            """Lanes first, first + apart, ... folded by halves."""
            if first + apart >= min(count, line):
                return lane(first)
            left, right = tree(first, 2 * apart), tree(first + apart, 2 * apart)
            return [builder.fadd(x, y) for x, y in zip(left, right, strict=True)]

        found = tree(0, 1)
        if count < line:
            found = [builder.fadd(x, zero) for x in found]  # the lanes that have no row are +0
        return filled(context, builder, block, found)

    index = types.int64
    return block(a, index, index, index, dz, index, index, index, rows, inputs, units), lower


@intrinsic
def times(context, a, b):
    """a * b, register by register."""

    def lower(context, builder, sig, values):
        found = [
            builder.fmul(builder.extract_value(values[0], i), builder.extract_value(values[1], i))
            for i in range(a.rows * a.registers)
        ]
        return filled(context, builder, a, found)

    return a(a, b), lower


@intrinsic
def descended(context, w, sums, scale, rate):
    """fma(rate, sums * scale, w), register by register; scale and rate are registers."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(w.rows * w.registers):
            was, total = (builder.extract_value(value, i) for value in values[:2])
            found.append(llvm_call(builder, "fma", values[3], builder.fmul(total, values[2]), was))
        return filled(context, builder, w, found)

    return w(w, sums, scale, rate), lower


# ---------------------------------------------------------------------------------------------------------
# Rows of each model into a tile


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
def gather(sources: Ints, order: Ints, models: Int, rows: Int, K: Int, tile: Floats, row: Int, unit: Int):
    """tile[n, k] = x[order[n], k] of each model's x: rows `row` apart, units `unit`. order: [n][model]."""
    step = lanes(tile)
    for m in range(0, models, step):
        for n in range(rows):
            pointers = row_pointers(sources, order, n * models + m, m, K, tile)
            k, to = 0, n * row + m
            while k + step <= K:
                put(tile, to + k * unit, unit, transposed(square_from(pointers, k)))
                k += step
            while k < K:
                store(tile, to + k * unit, collected(pointers, k))
                k += 1


# ---------------------------------------------------------------------------------------------------------
# The kernels, in two versions: of groups of any number of registers, and of one (`..._one`), which the compiler knows


@helper
def forward_tile(a, w, z, models, K, J, a_row, z_row, z_unit, floor, rows, units):
    """The sums of some rows x units. a, w, z: from the first row and unit on."""
    for m in range(0, models, lanes(a)):
        c = registers_of(w, K * J * models + m, 0, rows, models, rows, units)
        for k in range(K):
            c = multiply_add_both(c, a, k * models + m, a_row, w, k * J * models + m, models)
        put_registers(z, m, z_row, rows, z_unit, floored(c, floor))


@helper
def forward_rows(a, w, z, models, K, J, a_row, z_row, z_unit, floor, rows, units):
    """Some rows, and all units: so many at a time, then one."""
    j = 0
    while j + units <= J:
        forward_tile(
            a, advance(w, j * models), advance(z, j * z_unit), models, K, J, a_row, z_row, z_unit, floor, rows, units
        )
        j += units
    while j < J:
        forward_tile(
            a, advance(w, j * models), advance(z, j * z_unit), models, K, J, a_row, z_row, z_unit, floor, rows, 1
        )
        j += 1


@helper
def backward_tile(dz, w, a, slope, da, models, J, dz_row, dz_unit, row, way, rows, inputs):
    """The deltas of some rows x inputs. dz, w, a, slope, da: from the first ones on."""
    for m in range(0, models, lanes(a)):
        c = zeros(a, rows, inputs)
        for j in range(J):
            c = multiply_add_both(c, dz, j * dz_unit + m, dz_row, w, j * models + m, J * models)
        if way == RELU:
            c = passed(c, registers_of(a, m, row, rows, models, rows, inputs), fill(a, 0))
        elif way == SLOPED:
            c = times(c, registers_of(slope, m, row, rows, models, rows, inputs))
        put_registers(da, m, row, rows, models, c)


@helper
def backward_rows(dz, w, a, slope, da, models, K, J, dz_row, dz_unit, row, way, rows, inputs):
    """Some rows, and all inputs: so many at a time, then one."""
    k = 0
    while k + inputs <= K:
        i = k * models
        backward_tile(
            dz, advance(w, i * J), advance(a, i), advance(slope, i), advance(da, i), models, J, dz_row, dz_unit, row,
            way, rows, inputs,
        )  # fmt: skip
        k += inputs
    while k < K:
        i = k * models
        backward_tile(
            dz, advance(w, i * J), advance(a, i), advance(slope, i), advance(da, i), models, J, dz_row, dz_unit, row,
            way, rows, 1,
        )  # fmt: skip
        k += 1


# Sums over rows. Lane v has rows v, v + V, ...; lanes come in bit-reversed order, so that the fold by halves is a tree
# of neighbours: sum i takes in those that wait below the first 0 bit of i.


@helper
def sums_tile(a, dz, levels, m, rows, a_row, a_unit, dz_row, dz_unit, inputs, units):
    """The sums over the rows of a[n, k] dz[n, j] for some inputs x units, of one register of models."""
    line, size = line_lanes(a), inputs * units * lanes(a)
    count = 1
    while count < rows and count < line:
        count += count
    total = zeros(a, inputs, units)
    v = 0
    for i in range(count):
        total = zeros(a, inputs, units)
        for n in range(v, rows, line):
            total = multiply_add_both(total, a, n * a_row + m, a_unit, dz, n * dz_row + m, dz_unit)
        level, waiting = 0, i
        while waiting & 1:
            total = added(registers_of(levels, level, units * lanes(a), inputs, lanes(a), inputs, units), total)
            level, waiting = level + size, waiting >> 1
        if i + 1 < count:
            put_registers(levels, level, units * lanes(a), inputs, lanes(a), total)
        bit = count >> 1
        while v & bit:
            v -= bit
            bit >>= 1
        v += bit
    if count < line:
        total = added(total, zeros(a, inputs, units))  # the lanes that have no row are +0
    return total


WRITTEN_OUT = (1, 2, 4, 8, 16, 32)  # rows of batches whose sums are written out, each in a kernel of its own


def _weights(descends, literal):
    """What writes gradients, or subtracts them from the weights. literal: how many rows there are; 0: any number."""
    inputs_at_once, units_at_once = (2, 2) if literal else (INPUTS, UNITS)

    @helper
    def tile(a, dz, to, levels, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs, units):
        """Some inputs x units. to: from the first one on."""
        for m in range(0, models, lanes(a)):
            if literal:
                c = few_sums(a, m, a_row, a_unit, dz, m, dz_row, dz_unit, literal, inputs, units)
            else:
                c = sums_tile(a, dz, levels, m, rows, a_row, a_unit, dz_row, dz_unit, inputs, units)
            if descends:
                w = registers_of(to, m, J * models, inputs, models, inputs, units)
                c = descended(w, c, fill(to, scale), load(rates, m))
            put_registers(to, m, J * models, inputs, models, c)

    @helper
    def inputs_of(a, dz, to, levels, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs):
        """Some inputs, and all units: so many at a time, then one."""
        j = 0
        while j + units_at_once <= J:
            tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), levels, models, J, rows, a_row, a_unit, dz_row,
                dz_unit, scale, rates, inputs, units_at_once,
            )  # fmt: skip
            j += units_at_once
        while j < J:
            tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), levels, models, J, rows, a_row, a_unit, dz_row,
                dz_unit, scale, rates, inputs, 1,
            )  # fmt: skip
            j += 1

    @helper
    def layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, a_row, dz_row, dz_unit):
        """All inputs: so many at a time, then one, and the biases as one more."""
        k = 0
        while k + inputs_at_once <= K:
            i = k * models
            inputs_of(
                advance(a, i), dz, advance(to, i * J), levels, models, J, rows, a_row, models, dz_row, dz_unit, scale,
                rates, inputs_at_once,
            )  # fmt: skip
            k += inputs_at_once
        while k <= K:
            x, x_row = (advance(a, k * models), a_row) if k < K else (ones, 0)
            inputs_of(
                x, dz, advance(to, k * J * models), levels, models, J, rows, x_row, 0, dz_row, dz_unit, scale, rates, 1
            )
            k += 1

    return layer


def _make(one):
    """The kernels of groups of one register, or of several."""

    def forward(
        a: Floats, w: Floats, z: Floats, group: Int, K: Int, J: Int, rows: Int, a_row: Int, z_row: Int, z_unit: Int,
        relu: Int,
    ):  # fmt: skip
        """z[n, j] = b[j] + sum over k of a[n, k] w[k, j]; with relu, 0 where that is below 0. b lies behind w."""
        models = lanes(a) if one else group
        floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
        n = 0
        while n + ROWS <= rows:
            forward_rows(
                advance(a, n * a_row), w, advance(z, n * z_row), models, K, J, a_row, z_row, z_unit, floor, ROWS, 2
            )
            n += ROWS
        while n < rows:
            forward_rows(
                advance(a, n * a_row), w, advance(z, n * z_row), models, K, J, a_row, z_row, z_unit, floor, 1, 4
            )
            n += 1

    def backward_input(
        dz: Floats, w: Floats, a: Floats, slope: Floats, da: Floats, group: Int, K: Int, J: Int, rows: Int,
        dz_row: Int, dz_unit: Int, row: Int, way: Int,
    ):  # fmt: skip
        """da[n, k] = sum over j of dz[n, j] w[k, j]; RELU: +0 where a[n, k] <= 0; SLOPED: times slope[n, k]."""
        models = lanes(a) if one else group
        n = 0
        while n + ROWS <= rows:
            i = n * row
            backward_rows(
                advance(dz, n * dz_row), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, dz_row,
                dz_unit, row, way, ROWS, 2,
            )  # fmt: skip
            n += ROWS
        while n < rows:
            i = n * row
            backward_rows(
                advance(dz, n * dz_row), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, dz_row,
                dz_unit, row, way, 1, 4,
            )  # fmt: skip
            n += 1

    def weights(descends, literal):
        layer = _weights(descends, literal)

        def backward_weights(
            a: Floats, ones: Floats, dz: Floats, to: Floats, levels: Floats, rates: Floats, scale: Float, group: Int,
            K: Int, J: Int, rows: Int, a_row: Int, dz_row: Int, dz_unit: Int,
        ):  # fmt: skip
            """to[k, j] = sum over the rows of a[n, k] dz[n, j]; to[K, j] likewise of dz[n, j].

            Or what becomes of to: fma(rate, sum * scale, to), where the rates are each model's -learning_rate.
            """
            models = lanes(a) if one else group
            layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, a_row, dz_row, dz_unit)

        name = "descend" if descends else "backward_weights"
        backward_weights.__name__ = f"{name}_{literal}" if literal else name
        return backward_weights

    made = [forward, backward_input]
    made += [weights(descends, literal) for descends in (False, True) for literal in (0, *WRITTEN_OUT)]
    for function in made:
        function.__name__ += "_one" if one else ""
        kernel(None)(function)


_make(one=False)
_make(one=True)
