"""Dense layers of a group of models: a register holds the same number of several models.

All numbers are [index][model]: number i of model m is at i * models + m, and rows of a tile lie `..._row` apart. A
register of models is independent of the next one. The sums of a block of rows x units, or inputs x units, stay in
registers, and both factors of a product are loaded: of each model its own. So 4 x 2 sums take 6 loads for 8 fma.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels.blocks import added, filled, floored, passed, put, register_at, zeros
from fastmlp.kernels.memory import advance, address_of, load, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.row_sums import put_registers, registers_of
from fastmlp.kernels.simd import MINUS_INFINITY, REGISTER, fill, fma, helper, lanes, line_lanes
from fastmlp.kernels.squares import transposed
from fastmlp.kernels.vectors import llvm_call, vec
from fastmlp.kernels.blocks import Block

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
    """A block: the sums of a[n, k] dz[n, j] over `rows` rows, a literal of less than a line.

    a[n, k] is the register a[i + n row + k unit], and so for dz. Each lane has one row; those that have none are +0.
    """
    block = Block(a.dtype, inputs.literal_value, units.literal_value)
    count = rows.literal_value

    def lower(context, builder, sig, values):
        a_, i, row, unit, dz_, j, dz_row, dz_unit = values[:8]
        zero = ir.Constant(context.get_value_type(vec(a.dtype)), None)

        def registers(pointer, at, apart, some):
            found = []
            for _ in range(some):
                found.append(register_at(context, builder, pointer, at, block.dtype))
                at = builder.add(at, apart)
            return found

        def products(n):
            number = ir.Constant(i.type, n)
            xs = registers(a_, builder.add(i, builder.mul(row, number)), unit, block.rows)
            ds = registers(dz_, builder.add(j, builder.mul(dz_row, number)), dz_unit, block.registers)
            return [llvm_call(builder, "fma", x, d, zero) for x in xs for d in ds]

        def tree(first, apart):
            """Lanes first, first + apart, ... folded by halves."""
            if first + apart >= count:
                return products(first)
            left, right = tree(first, 2 * apart), tree(first + apart, 2 * apart)
            return [builder.fadd(x, y) for x, y in zip(left, right, strict=True)]

        return filled(context, builder, block, [builder.fadd(x, zero) for x in tree(0, 1)])

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
# The kernels, in two versions: of groups of any number of registers, and of one, which the compiler knows

FEW = 4  # rows, up to which sums over rows are written out


@helper
def forward_tile(a, w, z, models, K, J, a_row, z_row, z_unit, floor, rows, units):
    """The sums of some rows x units. a, w, z: from the first row and unit on."""
    for m in range(0, models, lanes(a)):
        c = registers_of(w, K * J * models + m, 0, rows, models, rows, units)
        for k in range(K):
            c = multiply_add_both(c, a, k * models + m, a_row, w, k * J * models + m, models)
        put_registers(z, m, z_row, rows, z_unit, floored(c, floor))


@helper
def forward_rows(a, w, z, models, K, J, a_row, z_row, z_unit, floor, rows):
    """Some rows, and all units: two at a time, then one."""
    j = 0
    while j + 2 <= J:
        forward_tile(
            a, advance(w, j * models), advance(z, j * z_unit), models, K, J, a_row, z_row, z_unit, floor, rows, 2
        )
        j += 2
    if j < J:
        forward_tile(
            a, advance(w, j * models), advance(z, j * z_unit), models, K, J, a_row, z_row, z_unit, floor, rows, 1
        )


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
def backward_rows(dz, w, a, slope, da, models, K, J, dz_row, dz_unit, row, way, rows):
    """Some rows, and all inputs: two at a time, then one."""
    k = 0
    while k + 2 <= K:
        i = k * models
        backward_tile(
            dz, advance(w, i * J), advance(a, i), advance(slope, i), advance(da, i), models, J, dz_row, dz_unit, row,
            way, rows, 2,
        )  # fmt: skip
        k += 2
    if k < K:
        i = k * models
        backward_tile(
            dz, advance(w, i * J), advance(a, i), advance(slope, i), advance(da, i), models, J, dz_row, dz_unit, row,
            way, rows, 1,
        )  # fmt: skip


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


def _weights(descends):
    """What writes gradients, or subtracts them from the weights."""

    @helper
    def write(to, m, models, J, c, scale, rates, inputs, units):
        if descends:
            w = registers_of(to, m, J * models, inputs, models, inputs, units)
            c = descended(w, c, fill(to, scale), load(rates, m))
        put_registers(to, m, J * models, inputs, models, c)

    @helper
    def tile(a, dz, to, levels, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs, units):
        """Some inputs x units. to: from the first one on."""
        for m in range(0, models, lanes(a)):
            c = sums_tile(a, dz, levels, m, rows, a_row, a_unit, dz_row, dz_unit, inputs, units)
            write(to, m, models, J, c, scale, rates, inputs, units)

    @helper
    def inputs_of(a, dz, to, levels, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs):
        """Some inputs, and all units: UNITS at a time, then one."""
        j = 0
        while j + UNITS <= J:
            tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), levels, models, J, rows, a_row, a_unit, dz_row,
                dz_unit, scale, rates, inputs, UNITS,
            )  # fmt: skip
            j += UNITS
        while j < J:
            tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), levels, models, J, rows, a_row, a_unit, dz_row,
                dz_unit, scale, rates, inputs, 1,
            )  # fmt: skip
            j += 1

    @helper
    def few_tile(a, dz, to, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs, units):
        """Some inputs x units, of one, two or four rows."""
        if rows == 1:
            for m in range(0, models, lanes(a)):
                c = few_sums(a, m, a_row, a_unit, dz, m, dz_row, dz_unit, 1, inputs, units)
                write(to, m, models, J, c, scale, rates, inputs, units)
        elif rows == 2:
            for m in range(0, models, lanes(a)):
                c = few_sums(a, m, a_row, a_unit, dz, m, dz_row, dz_unit, 2, inputs, units)
                write(to, m, models, J, c, scale, rates, inputs, units)
        else:
            for m in range(0, models, lanes(a)):
                c = few_sums(a, m, a_row, a_unit, dz, m, dz_row, dz_unit, 4, inputs, units)
                write(to, m, models, J, c, scale, rates, inputs, units)

    @helper
    def few_inputs_of(a, dz, to, models, J, rows, a_row, a_unit, dz_row, dz_unit, scale, rates, inputs):
        """Some inputs, and all units: two at a time, then one."""
        j = 0
        while j + 2 <= J:
            few_tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), models, J, rows, a_row, a_unit, dz_row, dz_unit,
                scale, rates, inputs, 2,
            )  # fmt: skip
            j += 2
        if j < J:
            few_tile(
                a, advance(dz, j * dz_unit), advance(to, j * models), models, J, rows, a_row, a_unit, dz_row, dz_unit,
                scale, rates, inputs, 1,
            )  # fmt: skip

    return inputs_of, few_inputs_of


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
                advance(a, n * a_row), w, advance(z, n * z_row), models, K, J, a_row, z_row, z_unit, floor, ROWS
            )
            n += ROWS
        while n < rows:
            forward_rows(advance(a, n * a_row), w, advance(z, n * z_row), models, K, J, a_row, z_row, z_unit, floor, 1)
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
                dz_unit, row, way, ROWS,
            )  # fmt: skip
            n += ROWS
        while n < rows:
            i = n * row
            backward_rows(
                advance(dz, n * dz_row), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, dz_row,
                dz_unit, row, way, 1,
            )  # fmt: skip
            n += 1

    def weights(descends):
        inputs_of, few_inputs_of = _weights(descends)

        def backward_weights(
            a: Floats, ones: Floats, dz: Floats, to: Floats, levels: Floats, rates: Floats, scale: Float, group: Int,
            K: Int, J: Int, rows: Int, a_row: Int, dz_row: Int, dz_unit: Int,
        ):  # fmt: skip
            """to[k, j] = sum over the rows of a[n, k] dz[n, j]; to[K, j] likewise of dz[n, j].

            Or what becomes of to: fma(rate, sum * scale, to), where the rates are each model's -learning_rate.
            """
            models = lanes(a) if one else group
            k = 0
            if rows == 1 or rows == 2 or rows == FEW:
                while k + 2 <= K:
                    i = k * models
                    few_inputs_of(
                        advance(a, i), dz, advance(to, i * J), models, J, rows, a_row, models, dz_row, dz_unit, scale,
                        rates, 2,
                    )  # fmt: skip
                    k += 2
                while k <= K:
                    x, x_row = (advance(a, k * models), a_row) if k < K else (ones, 0)
                    few_inputs_of(
                        x, dz, advance(to, k * J * models), models, J, rows, x_row, 0, dz_row, dz_unit, scale, rates, 1
                    )
                    k += 1
            else:
                while k + INPUTS <= K:
                    i = k * models
                    inputs_of(
                        advance(a, i), dz, advance(to, i * J), levels, models, J, rows, a_row, models, dz_row, dz_unit,
                        scale, rates, INPUTS,
                    )  # fmt: skip
                    k += INPUTS
                while k <= K:
                    x, x_row = (advance(a, k * models), a_row) if k < K else (ones, 0)
                    inputs_of(
                        x, dz, advance(to, k * J * models), levels, models, J, rows, x_row, 0, dz_row, dz_unit, scale,
                        rates, 1,
                    )  # fmt: skip
                    k += 1

        return backward_weights

    made = [forward, backward_input, weights(False), weights(True)]
    made[-1].__name__ = "descend"
    if one:
        for function in made:
            function.__name__ += "_one"
    return [kernel(None)(function) for function in made]


forward, backward_input, backward_weights, descend = _make(False)
forward_one, backward_input_one, backward_weights_one, descend_one = _make(True)
