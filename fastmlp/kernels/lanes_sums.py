"""Sums over rows of a group of models, and what becomes of weights by them. `lanes_dense.py` has the layout.

Lane v of a sum has rows v, v + V, ... Lanes come in bit-reversed order, and so do the rows of a tile
(`lanes_plan.tree_order`). So the fold by halves is a tree of neighbours, and a tile is read from its begin to its end:
sum i takes in those that wait below the first 0 bit of i.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import Block, added, filled, register_at, zeros
from fastmlp.kernels.lanes_dense import SEVERAL, multiply_add_both
from fastmlp.kernels.lanes_plan import tree_order
from fastmlp.kernels.memory import advance, load, load_several, store
from fastmlp.kernels.registry import Float, Floats, Int, kernel
from fastmlp.kernels.row_sums import put_registers, registers_of
from fastmlp.kernels.simd import alike, fill, fma, helper, lanes, line_lanes
from fastmlp.kernels.vectors import llvm_call, vec
from fastmlp.reference.arithmetic import LINE

INPUTS, UNITS = 4, 3  # of a block
INPUTS_NEAR = 8  # whose rows stay in the first cache while all deltas pass
WRITTEN_OUT = (1, 2, 4, 8, 16, 32)  # rows of batches whose sums are written out, each in a kernel of its own

# ---------------------------------------------------------------------------------------------------------
# Blocks


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
def few_sums(context, a, i, dz, j, row, unit, rows, fours, inputs, units):
    """A block: the sums of a[n, k] dz[n, j] over `rows` rows, a literal, written out as a tree of lanes.

    Of all lanes, or where `fours` is 1, a literal, of four that come one after the other, the first of which begins
    at i and j. a[n, k] is the register a[i + n row + k unit], and so for dz. Where lanes have one row at most, they are
    products: that one may be -0 where fma(a, dz, +0) is +0 disappears when +0 is added in the end.
    """
    block = Block(a.dtype, inputs.literal_value, units.literal_value)
    count, line = rows.literal_value, LINE * 8 // a.dtype.bitwidth
    order, apart = tree_order(count, line), line // 4 if fours.literal_value else 1

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
                down = builder.mul(row, ir.Constant(i.type, order.index(n)))
                xs = registers(a_, builder.add(i, down), block.rows)
                ds = registers(dz_, builder.add(j, down), block.registers)
                pairs = [(x, d) for x in xs for d in ds]
                if sums is None:
                    return [builder.fmul(x, d) for x, d in pairs]
                sums = [llvm_call(builder, "fma", x, d, c) for (x, d), c in zip(pairs, sums, strict=True)]
            return sums

        return filled(context, builder, block, _tree_of_lanes(builder, count, line, zero, lane, apart))

    index = types.int64
    return block(a, index, dz, index, index, index, rows, fours, inputs, units), lower


@intrinsic(prefer_literal=True)
def few_deltas(context, dz, j, row, unit, rows, units):
    """A block of one row: the sums of dz[n, j] over `rows` rows, a literal, as `few_sums` of ones and dz."""
    block = Block(dz.dtype, 1, units.literal_value)
    count, line = rows.literal_value, LINE * 8 // dz.dtype.bitwidth
    order = tree_order(count, line)

    def lower(context, builder, sig, values):
        dz_, j, row, unit = values[:4]
        zero = ir.Constant(context.get_value_type(vec(dz.dtype)), None)

        def lane(v):
            sums = None if count < line else [zero] * block.registers
            for n in range(v, count, line):
                at = builder.add(j, builder.mul(row, ir.Constant(j.type, order.index(n))))
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
def descended(context, w, sums, scale, rate):
    """fma(rate, sums * scale, w), register by register; scale and rate are registers."""

    def lower(context, builder, sig, values):
        found = []
        for i in range(w.rows * w.registers):
            was, total = (builder.extract_value(value, i) for value in values[:2])
            found.append(llvm_call(builder, "fma", values[3], builder.fmul(total, values[2]), was))
        return filled(context, builder, w, found)

    return w(w, sums, scale, rate), lower


@helper
def with_waiting(total, levels, i, count, inputs, units):
    """Sum i of `count`, with those that wait for it; but for the last one, it waits now."""
    level, row, waiting = 0, units * lanes(levels), i
    while waiting & 1:
        total = added(registers_of(levels, level, row, inputs, lanes(levels), inputs, units), total)
        level, waiting = level + inputs * row, waiting >> 1
    if i + 1 < count:
        put_registers(levels, level, row, inputs, lanes(levels), total)
    return total


@helper
def sums_tile(a, dz, levels, m, rows, a_row, dz_row, unit, inputs, units):
    """The sums over the rows of a[n, k] dz[n, j] for some inputs x units, of one register of models."""
    line = line_lanes(a)
    count = 1
    while count < rows and count < line:
        count += count
    total = zeros(a, inputs, units)
    v = begin = 0
    for i in range(count):
        total = zeros(a, inputs, units)
        end = begin + (rows - v + line - 1) // line
        for n in range(begin, end):
            total = multiply_add_both(total, a, n * a_row + m, unit, dz, n * dz_row + m, unit)
        begin = end
        total = with_waiting(total, levels, i, count, inputs, units)
        bit = count >> 1
        while v & bit:
            v -= bit
            bit >>= 1
        v += bit
    if count < line:
        total = added(total, zeros(a, inputs, units))  # the lanes that have no row are +0
    return total


@helper
def fours_of(a, dz, levels, m, models, unit, literal, inputs, units):
    """As `few_sums`, of all lanes: four at a time, so that what waits fits in registers."""
    fours, total = line_lanes(a) // 4, zeros(a, inputs, units)
    for i in range(fours):
        at = m + i * (literal // fours) * models
        total = few_sums(a, at, dz, at, models, unit, literal, 1, inputs, units)
        total = with_waiting(total, levels, i, fours, inputs, units)
    return total


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
    def tile(a, row, dz, to, levels, models, J, rows, unit, scale, rates, inputs, units):
        """Some inputs x units. a, dz, to: from the first one on. row: from one row of a to the next."""
        for m in range(0, models, lanes(a)):
            if literal > 8:
                c = fours_of(a, dz, levels, m, models, unit, literal, inputs, units)
            elif literal:
                c = few_sums(a, m, dz, m, models, unit, literal, 0, inputs, units)
            else:
                c = sums_tile(a, dz, levels, m, rows, row, models, unit, inputs, units)
            write(c, to, m, J * models, models, scale, rates, inputs, units)

    @helper
    def biases(dz, to, models, unit, scale, rates, units):
        """Those of some units, where the number of rows is written out."""
        for m in range(0, models, lanes(dz)):
            c = few_deltas(dz, m, models, unit, literal, units)
            write(c, to, m, 0, models, scale, rates, 1, units)

    @helper
    def units_of(a, ones, dz, to, levels, models, k, end, K, J, rows, unit, scale, rates, units):
        """The inputs from k to the end, so many at a time, then one, of some units. Input K is the ones."""
        while k + inputs_at_once <= end and k + inputs_at_once <= K:
            tile(
                advance(a, k * unit), models, dz, advance(to, k * J * models), levels, models, J, rows, unit, scale,
                rates, inputs_at_once, units,
            )  # fmt: skip
            k += inputs_at_once
        while k < end:
            x, row = (advance(a, k * unit), models) if k < K else (ones, 0)
            tile(x, row, dz, advance(to, k * J * models), levels, models, J, rows, unit, scale, rates, 1, units)
            k += 1

    @helper
    def layer(a, ones, dz, to, levels, rates, scale, models, K, J, rows, unit):
        """INPUTS_NEAR inputs, and all units of theirs; then the next inputs; the biases in the end."""
        begin, inputs = 0, K if literal else K + 1
        while begin < inputs:
            end = begin + INPUTS_NEAR if begin + INPUTS_NEAR < inputs else inputs
            j = 0
            while j + units_at_once <= J:
                units_of(
                    a, ones, advance(dz, j * unit), advance(to, j * models), levels, models, begin, end, K, J, rows,
                    unit, scale, rates, units_at_once,
                )  # fmt: skip
                j += units_at_once
            while j < J:
                units_of(
                    a, ones, advance(dz, j * unit), advance(to, j * models), levels, models, begin, end, K, J, rows,
                    unit, scale, rates, 1,
                )  # fmt: skip
                j += 1
            begin = end
        if literal:
            j, to = 0, advance(to, K * J * models)
            while j + 2 <= J:
                biases(advance(dz, j * unit), advance(to, j * models), models, unit, scale, rates, 2)
                j += 2
            while j < J:
                biases(advance(dz, j * unit), advance(to, j * models), models, unit, scale, rates, 1)
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


# ---------------------------------------------------------------------------------------------------------
# The kernels, in two versions: of groups of any number of registers, and of one (`..._one`), which the compiler knows


def _make(one, descends, literal):
    """One of them. literal: how many rows there are; 0: any number."""
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
    backward_weights.__name__ = f"{name}{f'_{literal}' if literal else ''}{'_one' if one else ''}"
    kernel(None)(backward_weights)


for _one in (False, True):
    for _descends in (False, True):
        for _rows in (0, *WRITTEN_OUT):
            _make(_one, _descends, _rows)
