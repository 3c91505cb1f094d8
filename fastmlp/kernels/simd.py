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
from numba.core import cgutils
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model, typeof_impl

from fastmlp.reference.arithmetic import LINE
from fastmlp.reference.constants import Constant, Polynomial
from fastmlp.system.cpu import target

REGISTER = target().register  # bytes
MINUS_INFINITY = Constant(np.float32(-np.inf), np.float64(-np.inf))
INFINITY = Constant(np.float32(np.inf), np.float64(np.inf))
NAN = Constant(np.float32(np.nan), np.float64(np.nan))
HALF = Constant(np.float32(0.5), np.float64(0.5))

INTEGERS = {types.float32: types.int32, types.float64: types.int64}
FLOATS = {integer: real for real, integer in INTEGERS.items()}


def helper(function):
    """A function that is copied into the kernels that call it: no code of its own, no call."""
    return njit(inline="always", error_model="numpy", nogil=True, boundscheck=False)(function)


# ---------------------------------------------------------------------------------------------------------
# Types


class Vec(types.Type):
    """One register of `dtype`, or one bit a lane (a mask) where dtype is boolean."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vec({dtype},{lanes})")

    @property
    def mangling_args(self):
        return "Vec", (self.dtype, self.lanes)


@register_model(Vec)
class VecModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(element(kind.dtype), kind.lanes))


def element(dtype):
    if dtype == types.boolean:
        return ir.IntType(1)
    if isinstance(dtype, types.Float):
        return ir.DoubleType() if dtype == types.float64 else ir.FloatType()
    return ir.IntType(dtype.bitwidth)


def vec(dtype):
    """The Vec that fills a register."""
    return Vec(dtype, REGISTER * 8 // dtype.bitwidth)


class Number(types.Dummy):
    """The type of a `Constant`: its values are known to the compiler."""

    def __init__(self, values):
        self.values = values
        super().__init__(name=f"Number({values.float32!r},{values.float64!r})")

    def of(self, dtype):
        return self.values.float64 if dtype.bitwidth == 64 else self.values.float32


class Coefficients(types.Dummy):
    """The type of a `Polynomial`."""

    def __init__(self, values):
        self.values = values
        super().__init__(name=f"Coefficients({values.float32!r},{values.float64!r})")

    def of(self, dtype):
        return self.values.float64 if dtype.bitwidth == 64 else self.values.float32


def _dummy(context, builder, kind, value):
    return context.get_dummy_value()


for _python, _numba in ((Constant, Number), (Polynomial, Coefficients)):
    typeof_impl.register(_python)(lambda value, context, kind=_numba: kind(value))
    register_model(_numba)(models.OpaqueModel)
    lower_constant(_numba)(_dummy)


# ---------------------------------------------------------------------------------------------------------
# Building instructions


def splat(builder, x, lanes):
    kind = ir.VectorType(x.type, lanes)
    undefined = ir.Constant(kind, ir.Undefined)
    single = builder.insert_element(undefined, x, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(single, undefined, zeros)


def _constant(element, value):
    """An LLVM constant of exactly this value."""
    if isinstance(element, ir.IntType):
        return ir.Constant(element, int(value))
    return ir.Constant(element, float(value))


def _as(builder, value, kind, wanted):
    """`value` of Numba type `kind` as the Vec or scalar type `wanted`: constants take its dtype, scalars spread."""
    lanes = wanted.lanes if isinstance(wanted, Vec) else 0
    dtype = wanted.dtype if lanes else wanted
    if isinstance(kind, Number):
        value = _constant(element(dtype), kind.of(dtype))
    elif isinstance(kind, types.IntegerLiteral):
        value = _constant(element(dtype), kind.literal_value)
    if lanes and not isinstance(value.type, ir.VectorType):
        return splat(builder, value, lanes)
    return value


def _common(*kinds):
    """The one Vec type, or else the one scalar type, among operands; None where they don't go together."""
    vectors = {kind for kind in kinds if isinstance(kind, Vec)}
    reals = {kind for kind in kinds if isinstance(kind, types.Float)}
    if len(vectors) > 1 or len(reals) > 1:
        return None
    wanted = next(iter(vectors or reals), None)
    if wanted is None or any(real != getattr(wanted, "dtype", wanted) for real in reals):
        return None
    allowed = (Vec, types.Float, Number, types.IntegerLiteral)
    return wanted if all(isinstance(kind, allowed) for kind in kinds) else None


def _llvm(builder, name, *operands):
    """Calls the LLVM intrinsic `name` on operands of one type."""
    kind = operands[0].type
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    element = kind.element if lanes else kind
    suffix = f"{lanes}f{64 if isinstance(element, ir.DoubleType) else 32}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(operands)), f"llvm.{name}.{suffix}"
    )
    return builder.call(function, operands)


def _define(name, arguments, kinds, build, result=None):
    """An intrinsic `name(*arguments)`.

    kinds(*types) gives the type that all operands take, or None; build(builder, *values) gives the value;
    result(type) its type, where that is another one.
    """

    def typer(context, *operands):
        wanted = kinds(*operands)
        if wanted is None:
            return None

        def lower(context, builder, sig, values):
            values = [_as(builder, v, k, wanted) for v, k in zip(values, sig.args, strict=True)]
            return build(builder, *values)

        return signature(result(wanted) if result else wanted, *operands), lower

    names = ", ".join(arguments)
    space = {"typer": typer}
    exec(f"def {name}(context, {names}):\n    return typer(context, {names})", space)
    return intrinsic(prefer_literal=True)(space[name])


def _mask(wanted):
    return Vec(types.boolean, wanted.lanes)


# ---------------------------------------------------------------------------------------------------------
# Arithmetic: + - * / between vectors, and between a vector and a scalar, Constant or small whole number


def _operator(python, real=None, whole=None):
    """Makes a Python operator work on vectors: of floats by the builder's `real`, of integers by its `whole`."""

    class Template(AbstractTemplate):
        key = python
        prefer_literal = True

        def generic(self, args, kws):
            wanted = _common(*args) if len(args) == 2 and not kws else None
            if not isinstance(wanted, Vec) or (real if isinstance(wanted.dtype, types.Float) else whole) is None:
                return None
            return signature(wanted, *args)

    infer_global(python)(Template)

    def lower(context, builder, sig, values):
        wanted = sig.return_type
        values = [_as(builder, v, k, wanted) for v, k in zip(values, sig.args, strict=True)]
        return getattr(builder, real if isinstance(wanted.dtype, types.Float) else whole)(*values)

    others = (Vec, Number, types.IntegerLiteral, types.Float)
    for left, right in [(Vec, other) for other in others] + [(other, Vec) for other in others[1:]]:
        lower_builtin(python, left, right)(lower)


_operator(operator.add, "fadd", "add")
_operator(operator.sub, "fsub", "sub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")
_operator(operator.and_, None, "and_")
_operator(operator.or_, None, "or_")
_operator(operator.lshift, None, "shl")
_operator(operator.rshift, None, "lshr")  # integers are unsigned, as in the reference

fma = _define("fma", "abc", _common, lambda builder, a, b, c: _llvm(builder, "fma", a, b, c))
sqrt = _define("sqrt", "a", _common, lambda builder, a: _llvm(builder, "sqrt", a))
negative = _define("negative", "a", _common, lambda builder, a: builder.fneg(a))
absolute = _define("absolute", "a", _common, lambda builder, a: _llvm(builder, "fabs", a))


# ---------------------------------------------------------------------------------------------------------
# Comparison and selection. A comparison with NaN is false, as in NumPy.

greater = _define("greater", "ab", _common, lambda builder, a, b: builder.fcmp_ordered(">", a, b), _mask)
less = _define("less", "ab", _common, lambda builder, a, b: builder.fcmp_ordered("<", a, b), _mask)
at_most = _define("at_most", "ab", _common, lambda builder, a, b: builder.fcmp_ordered("<=", a, b), _mask)
equal = _define("equal", "ab", _common, lambda builder, a, b: builder.fcmp_ordered("==", a, b), _mask)


def _masks(*kinds):
    same = len(set(kinds)) == 1 and isinstance(kinds[0], Vec) and kinds[0].dtype == types.boolean
    return kinds[0] if same else None


both = _define("both", "ab", _masks, lambda builder, a, b: builder.and_(a, b))
same = _define("same", "ab", _masks, lambda builder, a, b: builder.not_(builder.xor(a, b)))


@intrinsic(prefer_literal=True)
def select(context, mask, a, b):
    """a where the mask is set, else b."""
    wanted = _common(a, b)
    if wanted is None or not isinstance(mask, Vec):
        return None

    def lower(context, builder, sig, values):
        chosen = [_as(builder, v, k, wanted) for v, k in zip(values[1:], sig.args[1:], strict=True)]
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


bits = _define("bits", "a", _common, lambda builder, a: builder.bitcast(a, _integer_type(a.type)), _bits_kind)
from_bits = _define("from_bits", "a", _whole, lambda builder, a: builder.bitcast(a, _float_type(a.type)), _float_kind)


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
        return _as(builder, values[1], sig.args[1], wanted)

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
        return _as(builder, values[1], value, x)

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


spread_first = _define("spread_first", "a", _common, lambda builder, a: _turned(builder, a, None))
rotated = _define("rotated", "a", _common, lambda builder, a: _turned(builder, a, 1))


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
            first = _llvm(builder, "fma", first, values[0], c)
        return first

    return x(x, coefficients), lower
