"""Dense layers of a group of models: a register holds the same number of several models.

All numbers are [index][model]: number i of model m is at i * models + m. A tile is [unit][row][model]: rows lie `models`
apart, and units `unit`, the same in all tiles. A register of models is independent of the next one. The sums of a block
of rows x units, or inputs x units, stay in registers, and both factors of a product are loaded: of each model its own.
So 4 x 2 sums take 6 loads for 8 fma.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, added, filled, floored, passed, put, register_at, zeros
from fastmlp.kernels.memory import address_of, advance, load, load_several, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.row_sums import put_registers, registers_of
from fastmlp.kernels.simd import (
    MINUS_INFINITY,
    REGISTER,
    alike,
    at_most,
    fill,
    fma,
    helper,
    lanes,
    less,
    line_lanes,
    select,
)
from fastmlp.kernels.squares import transposed
from fastmlp.kernels.vectors import INTEGERS, Vec, llvm_call, splat, vec
from fastmlp.reference.arithmetic import LINE

STRAIGHT, RELU, SLOPED = range(3)  # what becomes of deltas on their way through an activation
ROWS = 8 if REGISTER == 64 else 4  # of a block of ROWS x 2 sums: of 32 registers, or of 16
INPUTS, UNITS = 4, 3  # of a block of weight gradients
SEVERAL = 4  # registers side by side, of groups of several and a batch of one row
INPUTS_NEAR = 8  # whose rows stay in the first cache while all deltas pass

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


def _tree_of_lanes(builder, count, line, zero, lane, apart):
    """The sums of `lane(v)`, a list of registers, over lanes 0, apart, 2 apart, ... of `count` rows, by halves."""

    def tree(first, apart):
        """Lanes first, first + apart, ... folded by halves."""
        if first + apart >= min(count, line):
            return lane(first)
        left, right = tree(first, 2 * apart), tree(first + apart, 2 * apart)
        return [builder.fadd(x, y) for x, y in zip(left, right, strict=True)]

    found = tree(0, apart)
    if count < line:
        found = [builder.fadd(x, zero) for x in found]  # the lanes that have no row are +0
    return found


@intrinsic(prefer_literal=True)
def few_sums(context, a, i, dz, j, row, unit, rows, apart, inputs, units):
    """A block: the sums of a[n, k] dz[n, j] over lanes 0, apart, ... of `rows` rows, written out as a tree of lanes.

    rows, apart: literals.

    a[n, k] is the register a[i + n row + k unit], and so for dz. A lane of one row is its product: that it may be -0
    where fma(a, dz, +0) is +0 disappears when +0 is added in the end.
    """
    block = Block(a.dtype, inputs.literal_value, units.literal_value)
    count, line = rows.literal_value, LINE * 8 // a.dtype.bitwidth

    def lower(context, builder, sig, values):
        a_, i, dz_, j, row, unit = values[:6]
        zero = ir.Constant(context.get_value_type(vec(a.dtype)), None)

        def registers(pointer, at, some):
            found = []
            for _ in range(some):
                found.append(register_at(context, builder, pointer, at, block.dtype))
                at = builder.add(at, unit)
            return found

        def lane(v):
            """The sum of the rows v, v + V, ..."""
            sums = None if count < line else [zero] * (block.rows * block.registers)
            for n in range(v, count, line):
                down = builder.mul(row, ir.Constant(i.type, n))
                xs = registers(a_, builder.add(i, down), block.rows)
                ds = registers(dz_, builder.add(j, down), block.registers)
                pairs = [(x, d) for x in xs for d in ds]
                if sums is None:
                    return [builder.fmul(x, d) for x, d in pairs]
                sums = [llvm_call(builder, "fma", x, d, c) for (x, d), c in zip(pairs, sums, strict=True)]
            return sums

        return filled(context, builder, block, _tree_of_lanes(builder, count, line, zero, lane, apart.literal_value))

    index = types.int64
    return block(a, index, dz, index, index, index, rows, apart, inputs, units), lower


@intrinsic(prefer_literal=True)
def few_deltas(context, dz, j, row, unit, rows, units):
    """A block of one row: the sums of dz[n, j] over `rows` rows, a literal, as `few_sums` of ones and dz."""
    block = Block(dz.dtype, 1, units.literal_value)
    count, line = rows.literal_value, LINE * 8 // dz.dtype.bitwidth

    def lower(context, builder, sig, values):
        dz_, j, row, unit = values[:4]
        zero = ir.Constant(context.get_value_type(vec(dz.dtype)), None)

        def lane(v):
            sums = None if count < line else [zero] * block.registers
            for n in range(v, count, line):
                at = builder.add(j, builder.mul(row, ir.Constant(j.type, n)))
                found = []
                for c in range(block.registers):
                    x = register_at(context, builder, dz_, at, block.dtype)
                    found.append(x if sums is None else builder.fadd(sums[c], x))
                    at = builder.add(at, unit)
                if sums is None:
                    return found
                sums = found
            return sums

        return filled(context, builder, block, _tree_of_lanes(builder, count, line, zero, lane, 1))

    index = types.int64
    return block(dz, index, index, index, rows, units), lower


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
def gather(sources: Ints, order: Ints, models: Int, rows: Int, K: Int, tile: Floats, unit: Int):
    """tile[n, k] = x[order[n], k] of each model's x. order: [n][model]."""
    step = lanes(tile)
    for m in range(0, models, step):
        for n in range(rows):
            pointers = row_pointers(sources, order, n * models + m, m, K, tile)
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
def pick(x: Floats, order: Ints, models: Int, count: Int, x_unit: Int, rows: Int, units: Int, tile: Floats, unit: Int):
    """tile[n, k] = x[order[n], k] where x is a tile of all rows, `count`, a few: each row is looked at."""
    for n in range(rows):
        for m in range(0, models, lanes(tile)):
            places = places_at(order, n * models + m, tile)
            for k in range(units):
                found = load(x, k * x_unit + m)
                for row in range(1, count):
                    found = chosen_at(places, row, load(x, k * x_unit + row * models + m), found)
                store(tile, k * unit + n * models + m, found)


# ---------------------------------------------------------------------------------------------------------
# The kernels, in two versions: of groups of any number of registers, and of one (`..._one`), which the compiler knows


@helper
def forward_tile(a, w, z, models, K, J, unit, floor, rows, units):
    """The sums of some rows x units. a, w, z: from the first row and unit on."""
    for m in range(0, models, lanes(a)):
        c = registers_of(w, K * J * models + m, 0, rows, models, rows, units)
        for k in range(K):
            c = multiply_add_both(c, a, k * unit + m, models, w, k * J * models + m, models)
        put_registers(z, m, models, rows, unit, floored(c, floor))


@helper
def forward_rows(a, w, z, models, K, J, unit, floor, rows, units):
    """Some rows, and all units: so many at a time, then one."""
    j = 0
    while j + units <= J:
        forward_tile(a, advance(w, j * models), advance(z, j * unit), models, K, J, unit, floor, rows, units)
        j += units
    while j < J:
        forward_tile(a, advance(w, j * models), advance(z, j * unit), models, K, J, unit, floor, rows, 1)
        j += 1


@helper
def forward_several(a, w, z, models, K, J, unit, relu, m, count):
    """One row and all units, of `count` registers of models from m on."""
    for j in range(J):
        c = load_several(w, (K * J + j) * models + m, count)
        for k in range(K):
            c = fma(load_several(a, k * unit + m, count), load_several(w, (k * J + j) * models + m, count), c)
        if relu:
            c = select(less(c, 0), 0, c)
        store(z, j * unit + m, c)


@helper
def backward_tile(dz, w, a, slope, da, models, J, unit, way, rows, inputs):
    """The deltas of some rows x inputs. dz, w, a, slope, da: from the first ones on."""
    for m in range(0, models, lanes(a)):
        c = zeros(a, rows, inputs)
        for j in range(J):
            c = multiply_add_both(c, dz, j * unit + m, models, w, j * models + m, J * models)
        if way == RELU:
            c = passed(c, registers_of(a, m, models, rows, unit, rows, inputs), fill(a, 0))
        elif way == SLOPED:
            c = times(c, registers_of(slope, m, models, rows, unit, rows, inputs))
        put_registers(da, m, models, rows, unit, c)


@helper
def backward_several(dz, w, a, slope, da, models, K, J, unit, way, m, count):
    """One row and all inputs, of `count` registers of models from m on."""
    for k in range(K):
        i = k * unit + m
        c = alike(load_several(a, i, count), 0)
        for j in range(J):
            c = fma(load_several(dz, j * unit + m, count), load_several(w, (k * J + j) * models + m, count), c)
        if way == RELU:
            c = select(at_most(load_several(a, i, count), 0), 0, c)
        elif way == SLOPED:
            c = c * load_several(slope, i, count)
        store(da, i, c)


@helper
def backward_rows(dz, w, a, slope, da, models, K, J, unit, way, rows, inputs):
    """Some rows, and all inputs: so many at a time, then one."""
    k = 0
    while k + inputs <= K:
        i = k * unit
        backward_tile(
            dz, advance(w, k * J * models), advance(a, i), advance(slope, i), advance(da, i), models, J, unit, way,
            rows, inputs,
        )  # fmt: skip
        k += inputs
    while k < K:
        i = k * unit
        backward_tile(
            dz, advance(w, k * J * models), advance(a, i), advance(slope, i), advance(da, i), models, J, unit, way,
            rows, 1,
        )  # fmt: skip
        k += 1


# Sums over rows. Lane v has rows v, v + V, ...; lanes come in bit-reversed order, so that the fold by halves is a tree
# of neighbours: sum i takes in those that wait below the first 0 bit of i.


@helper
def sums_tile(a, dz, levels, m, rows, a_row, dz_row, unit, inputs, units):
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
            total = multiply_add_both(total, a, n * a_row + m, unit, dz, n * dz_row + m, unit)
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


@helper
def fours_of(a, dz, levels, m, models, unit, literal, apart, inputs, units):
    """As `few_sums`, of `apart` times four lanes: four at a time, so that what waits fits in registers."""
    size, total = inputs * units * lanes(a), zeros(a, inputs, units)
    for i in range(apart):
        at = m + (i if apart == 2 else (i & 1) * 2 + (i >> 1)) * models
        total = few_sums(a, at, dz, at, models, unit, literal, apart, inputs, units)
        level, waiting = 0, i
        while waiting & 1:
            total = added(registers_of(levels, level, units * lanes(a), inputs, lanes(a), inputs, units), total)
            level, waiting = level + size, waiting >> 1
        if i + 1 < apart:
            put_registers(levels, level, units * lanes(a), inputs, lanes(a), total)
    return total


WRITTEN_OUT = (1, 2, 4, 8, 16, 32)  # rows of batches whose sums are written out, each in a kernel of its own


def _weights(descends, literal):
    """What writes gradients, or subtracts them from the weights. literal: how many rows there are; 0: any number."""
    inputs_at_once, units_at_once = (2, 2) if literal else (INPUTS, UNITS)

    @helper
    def write(c, to, m, row, models, scale, rates, inputs, units):
        """A block of sums, or what becomes of the weights by it. row: from one input's to the next."""
        if descends:
            w = registers_of(to, m, row, inputs, models, inputs, units)
            c = descended(w, c, fill(to, scale), load(rates, m))
        put_registers(to, m, row, inputs, models, c)

    @helper
    def tile(a, dz, to, levels, models, J, rows, unit, scale, rates, inputs, units):
        """Some inputs x units. a, dz, to: from the first one on."""
        for m in range(0, models, lanes(a)):
            if literal > 8 and line_lanes(a) == 16:
                c = fours_of(a, dz, levels, m, models, unit, literal, 4, inputs, units)
            elif literal > 8:
                c = fours_of(a, dz, levels, m, models, unit, literal, 2, inputs, units)
            elif literal:
                c = few_sums(a, m, dz, m, models, unit, literal, 1, inputs, units)
            else:
                c = sums_tile(a, dz, levels, m, rows, models, models, unit, inputs, units)
            write(c, to, m, J * models, models, scale, rates, inputs, units)

    @helper
    def biases(ones, dz, to, levels, models, rows, unit, scale, rates, units):
        """Those of some units."""
        for m in range(0, models, lanes(dz)):
            if literal:
                c = few_deltas(dz, m, models, unit, literal, units)
            else:
                c = sums_tile(ones, dz, levels, m, rows, 0, models, unit, 1, units)
            write(c, to, m, 0, models, scale, rates, 1, units)

    @helper
    def units_of(a, dz, to, levels, models, k, end, J, rows, unit, scale, rates, units):
        """The inputs from k to the end, so many at a time, then one, of some units."""
        while k + inputs_at_once <= end:
            tile(
                advance(a, k * unit), dz, advance(to, k * J * models), levels, models, J, rows, unit, scale, rates,
                inputs_at_once, units,
            )  # fmt: skip
            k += inputs_at_once
        while k < end:
            tile(
                advance(a, k * unit), dz, advance(to, k * J * models), levels, models, J, rows, unit, scale, rates,
                1, units,
            )  # fmt: skip
            k += 1

    @helper
    def layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, unit):
        """INPUTS_NEAR inputs, and all units of theirs; then the next inputs; the biases in the end."""
        begin = 0
        while begin < K:
            end = begin + INPUTS_NEAR if begin + INPUTS_NEAR < K else K
            j = 0
            while j + units_at_once <= J:
                units_of(
                    a, advance(dz, j * unit), advance(to, j * models), levels, models, begin, end, J, rows, unit,
                    scale, rates, units_at_once,
                )  # fmt: skip
                j += units_at_once
            while j < J:
                units_of(
                    a, advance(dz, j * unit), advance(to, j * models), levels, models, begin, end, J, rows, unit,
                    scale, rates, 1,
                )  # fmt: skip
                j += 1
            begin = end
        j, to = 0, advance(to, K * J * models)
        while j + 2 <= J:
            biases(
                ones, advance(dz, j * unit), advance(to, j * models), levels, models, rows, unit, scale, rates, 2
            )
            j += 2
        while j < J:
            biases(
                ones, advance(dz, j * unit), advance(to, j * models), levels, models, rows, unit, scale, rates, 1
            )
            j += 1

    return layer


def _weights_of_one_row(descends):
    """As `_weights`, of batches of one row: several registers side by side."""

    @helper
    def several(a, dz, to, models, K, J, unit, scale, rates, m, count):
        """All weights and biases, of `count` registers of models from m on."""
        rate = load_several(rates, m, count)
        for k in range(K + 1):
            x = alike(rate, 1)
            if k < K:
                x = load_several(a, k * unit + m, count)
            for j in range(J):
                i = (k * J + j) * models + m
                total = x * load_several(dz, j * unit + m, count) + 0  # the lanes that have no row are +0
                if descends:
                    total = fma(rate, total * scale, load_several(to, i, count))
                store(to, i, total)

    @helper
    def layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, unit):
        m = 0
        while m + SEVERAL * lanes(a) <= models:
            several(a, dz, to, models, K, J, unit, scale, rates, m, SEVERAL)
            m += SEVERAL * lanes(a)
        while m < models:
            several(a, dz, to, models, K, J, unit, scale, rates, m, 1)
            m += lanes(a)

    return layer


def _make(one):
    """The kernels of groups of one register, or of several."""

    def forward(a: Floats, w: Floats, z: Floats, group: Int, K: Int, J: Int, rows: Int, unit: Int, relu: Int):
        """z[n, j] = b[j] + sum over k of a[n, k] w[k, j]; with relu, 0 where that is below 0. b lies behind w."""
        models = lanes(a) if one else group
        floor = fill(a, 0) if relu else fill(a, MINUS_INFINITY)
        n = 0
        while n + ROWS <= rows:
            i = n * models
            forward_rows(advance(a, i), w, advance(z, i), models, K, J, unit, floor, ROWS, 2)
            n += ROWS
        while n < rows:
            i = n * models
            if one:
                forward_rows(advance(a, i), w, advance(z, i), models, K, J, unit, floor, 1, 4)
            else:
                m = 0
                while m + SEVERAL * lanes(a) <= models:
                    forward_several(advance(a, i), w, advance(z, i), models, K, J, unit, relu, m, SEVERAL)
                    m += SEVERAL * lanes(a)
                while m < models:
                    forward_several(advance(a, i), w, advance(z, i), models, K, J, unit, relu, m, 1)
                    m += lanes(a)
            n += 1

    def backward_input(
        dz: Floats, w: Floats, a: Floats, slope: Floats, da: Floats, group: Int, K: Int, J: Int, rows: Int,
        unit: Int, way: Int,
    ):  # fmt: skip
        """da[n, k] = sum over j of dz[n, j] w[k, j]; RELU: +0 where a[n, k] <= 0; SLOPED: times slope[n, k]."""
        models = lanes(a) if one else group
        n = 0
        while n + ROWS <= rows:
            i = n * models
            backward_rows(
                advance(dz, i), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, unit, way, ROWS, 2
            )
            n += ROWS
        while n < rows:
            i = n * models
            if one:
                backward_rows(
                    advance(dz, i), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, unit, way, 1, 4
                )
            else:
                m = 0
                while m + SEVERAL * lanes(a) <= models:
                    backward_several(
                        advance(dz, i), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, unit, way,
                        m, SEVERAL,
                    )  # fmt: skip
                    m += SEVERAL * lanes(a)
                while m < models:
                    backward_several(
                        advance(dz, i), w, advance(a, i), advance(slope, i), advance(da, i), models, K, J, unit, way,
                        m, 1,
                    )  # fmt: skip
                    m += lanes(a)
            n += 1

    def weights(descends, literal):
        layer = _weights_of_one_row(descends) if literal == 1 and not one else _weights(descends, literal)

        def backward_weights(
            a: Floats, ones: Floats, dz: Floats, to: Floats, levels: Floats, rates: Floats, scale: Float, group: Int,
            K: Int, J: Int, rows: Int, unit: Int,
        ):  # fmt: skip
            """to[k, j] = sum over the rows of a[n, k] dz[n, j]; to[K, j] likewise of dz[n, j].

            Or what becomes of to: fma(rate, sum * scale, to), where the rates are each model's -learning_rate.
            """
            models = lanes(a) if one else group
            layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, unit)

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
