"""Dense layers of a group of models: a register holds the same number of several models.

All numbers are [index][model]: number i of model m is at i * models + m. A tile is [unit][row][model]: rows lie
`models` apart, and units `unit`, the same in all tiles. With one register of models, and few rows, most distances are
numbers that the compiler knows: where each had its own, an 8 x 8 layer with 4 rows took twice the time. A register of
models is independent of the next one. The sums of a block of rows x units, or inputs x units, stay in registers, and
both factors of a product are loaded: of each model its own. So 4 x 2 sums take 6 loads for 8 fma.
"""

from numba import types
from numba.extending import intrinsic

from fastmlp.kernels.blocks import filled, floored, passed, register_at, zeros
from fastmlp.kernels.memory import advance, load_several, store
from fastmlp.kernels.registry import Floats, Int, kernel
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
    select,
)
from fastmlp.kernels.vectors import llvm_call

STRAIGHT, RELU, SLOPED = range(3)  # what becomes of deltas on their way through an activation
ROWS = 8 if REGISTER == 64 else 4  # of a block of ROWS x 2 sums: of 32 registers, or of 16
SEVERAL = 4  # registers side by side, of groups of several and a batch of one row

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

    for function in (forward, backward_input):
        function.__name__ += "_one" if one else ""
        kernel(None)(function)


_make(one=False)
_make(one=True)
