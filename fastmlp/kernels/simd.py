"""Explicit vectors for Numba: `Vec`, one machine register of floats or integers, and what can be done with it.

Kernels written with it are ordinary Python functions that read like their formulas. Pointers are `CPointer`s, so
that a kernel is a plain C function of addresses and integers: `p[i]` reads one number, `load(p, i)` one register.
Every operation is exactly rounded or moves bits: nothing here may be contracted, reassociated or approximated.

`Constant` and `Polynomial` of `fastmlp/reference/constants.py` may stand in any formula: they take the dtype of the
vector that they meet, so that no float64 literal can creep into a float32 kernel.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fastmlp.kernels.vectors import (
    FLOATS,
    INTEGERS,
    REGISTER,
    Number,
    Vec,
    common,
    converted,
    define,
    define_operator,
    element,
    llvm_call,
    splat,
    vec,
)
from fastmlp.reference.arithmetic import LINE
from fastmlp.reference.constants import Constant

MINUS_INFINITY = Constant(np.float32(-np.inf), np.float64(-np.inf))
INFINITY = Constant(np.float32(np.inf), np.float64(np.inf))
NAN = Constant(np.float32(np.nan), np.float64(np.nan))
HALF = Constant(np.float32(0.5), np.float64(0.5))


def helper(function):
    """A function that is copied into the kernels that call it: no code of its own, no call."""
    return njit(inline="always", error_model="numpy", nogil=True, boundscheck=False)(function)


def _mask(wanted):
    return Vec(types.boolean, wanted.lanes)


# ---------------------------------------------------------------------------------------------------------
# Arithmetic: + - * / between vectors, and between a vector and a scalar, Constant or small whole number


define_operator(operator.add, "fadd", "add")
define_operator(operator.sub, "fsub", "sub")
define_operator(operator.mul, "fmul")
define_operator(operator.truediv, "fdiv")
define_operator(operator.and_, None, "and_")
define_operator(operator.or_, None, "or_")
define_operator(operator.lshift, None, "shl")
define_operator(operator.rshift, None, "lshr")  # integers are unsigned, as in the reference

fma = define("fma", "abc", common, lambda builder, a, b, c: llvm_call(builder, "fma", a, b, c))
sqrt = define("sqrt", "a", common, lambda builder, a: llvm_call(builder, "sqrt", a))
negative = define("negative", "a", common, lambda builder, a: builder.fneg(a))
absolute = define("absolute", "a", common, lambda builder, a: llvm_call(builder, "fabs", a))


# ---------------------------------------------------------------------------------------------------------
# Comparison and selection. A comparison with NaN is false, as in NumPy.

greater = define("greater", "ab", common, lambda builder, a, b: builder.fcmp_ordered(">", a, b), _mask)
less = define("less", "ab", common, lambda builder, a, b: builder.fcmp_ordered("<", a, b), _mask)
at_most = define("at_most", "ab", common, lambda builder, a, b: builder.fcmp_ordered("<=", a, b), _mask)
equal = define("equal", "ab", common, lambda builder, a, b: builder.fcmp_ordered("==", a, b), _mask)


def _masks(*kinds):
    same = len(set(kinds)) == 1 and isinstance(kinds[0], Vec) and kinds[0].dtype == types.boolean
    return kinds[0] if same else None


both = define("both", "ab", _masks, lambda builder, a, b: builder.and_(a, b))
same = define("same", "ab", _masks, lambda builder, a, b: builder.not_(builder.xor(a, b)))


@intrinsic(prefer_literal=True)
def select(context, mask, a, b):
    """a where the mask is set, else b."""
    wanted = common(a, b)
    if wanted is None or not isinstance(mask, Vec):
        return None

    def lower(context, builder, sig, values):
        chosen = [converted(builder, v, k, wanted) for v, k in zip(values[1:], sig.args[1:], strict=True)]
        return builder.select(values[0], *chosen)

    return wanted(mask, a, b), lower


@intrinsic
def always(context, p, flag):
    """A mask for registers of p's dtype: all set where the integer flag is not 0."""
    wanted = _mask(vec(p.dtype))

    def lower(context, builder, sig, values):
        return splat(builder, builder.icmp_signed("!=", values[1], values[1].type(0)), wanted.lanes)

    return wanted(p, types.int64), lower


# ---------------------------------------------------------------------------------------------------------
# Bits: integers of the same width as the float


def _whole(*kinds):
    vectors = {kind for kind in kinds if isinstance(kind, Vec) and isinstance(kind.dtype, types.Integer)}
    return next(iter(vectors)) if len(vectors) == 1 else None


def _bits_kind(kind):
    return Vec(INTEGERS[kind.dtype], kind.lanes)


def _float_kind(kind):
    return Vec(FLOATS[kind.dtype], kind.lanes)


bits = define("bits", "a", common, lambda builder, a: builder.bitcast(a, _integer_type(a.type)), _bits_kind)
from_bits = define("from_bits", "a", _whole, lambda builder, a: builder.bitcast(a, _float_type(a.type)), _float_kind)


def _integer_type(kind):
    return ir.VectorType(ir.IntType(64 if isinstance(kind.element, ir.DoubleType) else 32), kind.count)


def _float_type(kind):
    return ir.VectorType(ir.DoubleType() if kind.element.width == 64 else ir.FloatType(), kind.count)


# ---------------------------------------------------------------------------------------------------------
# Registers of one number, and their size


@intrinsic(prefer_literal=True)
def fill(context, p, x):
    """x in every lane of a register of p's dtype; x is a scalar of that dtype, a Constant, or a whole number."""
    wanted = vec(p.dtype)
    if not isinstance(x, (types.Float, Number, types.IntegerLiteral)):
        return None

    def lower(context, builder, sig, values):
        return converted(builder, values[1], sig.args[1], wanted)

    return wanted(p, x), lower


@intrinsic(prefer_literal=True)
def number(context, p, x):
    """The whole number x as one number of p's dtype."""

    def lower(context, builder, sig, values):
        return ir.Constant(element(p.dtype), float(x.literal_value))

    return (p.dtype(p, x), lower) if isinstance(x, types.IntegerLiteral) else None


@intrinsic
def spread_number(context, p, i):
    """The integer i as a number of p's dtype, in every lane."""
    wanted = vec(p.dtype)

    def lower(context, builder, sig, values):
        return splat(builder, builder.sitofp(values[1], element(p.dtype)), wanted.lanes)

    return wanted(p, types.int64), lower


@intrinsic
def alike_number(context, x, i):
    """The integer i as a number in every lane of a vector like x."""

    def lower(context, builder, sig, values):
        return splat(builder, builder.sitofp(values[1], values[0].type.element), x.lanes)

    return x(x, types.int64), lower


@intrinsic(prefer_literal=True)
def alike(context, x, value):
    """A Constant or whole number in every lane of a vector like x."""

    def lower(context, builder, sig, values):
        return converted(builder, values[1], value, x)

    return x(x, value), lower


def _count(name, size):
    """An intrinsic of a pointer that is a number known to the compiler."""

    def typer(context, p):
        def lower(context, builder, sig, values):
            return ir.Constant(ir.IntType(64), size(p.dtype))

        return types.int64(p), lower

    typer.__name__ = typer.__qualname__ = name
    return intrinsic(typer)


lanes = _count("lanes", lambda dtype: REGISTER * 8 // dtype.bitwidth)
line_lanes = _count("line_lanes", lambda dtype: LINE * 8 // dtype.bitwidth)


def _turned(builder, a, by):
    """Lane i + by in lane i; by = None: lane 0 in all."""
    count = a.type.count
    chosen = [0 if by is None else (i + by) % count for i in range(count)]
    return builder.shuffle_vector(a, a, ir.Constant(ir.VectorType(ir.IntType(32), count), chosen))


spread_first = define("spread_first", "a", common, lambda builder, a: _turned(builder, a, None))
rotated = define("rotated", "a", common, lambda builder, a: _turned(builder, a, 1))


@intrinsic
def lane_numbers(context, p):
    """0, 1, 2, ... in a register of p's dtype."""
    wanted = vec(p.dtype)

    def lower(context, builder, sig, values):
        return ir.Constant(context.get_value_type(wanted), [float(i) for i in range(wanted.lanes)])

    return wanted(p), lower


# ---------------------------------------------------------------------------------------------------------
# Polynomials


@intrinsic
def horner(context, x, coefficients):
    """The polynomial at x: from the highest coefficient on, one fma for each."""

    def lower(context, builder, sig, values):
        kind = values[0].type
        first, *rest = [ir.Constant(kind, [float(c)] * kind.count) for c in sig.args[1].of(sig.args[0].dtype)]
        for c in rest:
            first = llvm_call(builder, "fma", first, values[0], c)
        return first

    return x(x, coefficients), lower
