"""The type of a register, `Vec`, and how an operation on it is made: see `simd.py` for the operations.

A `Constant` or `Polynomial` of the reference is a type of its own, which takes the dtype of the vector that it meets.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_constant
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model, typeof_impl

from fastmlp.reference.constants import Constant, Polynomial
from fastmlp.system.cpu import target

REGISTER = target().register  # bytes

INTEGERS = {types.float32: types.int32, types.float64: types.int64}
FLOATS = {integer: real for real, integer in INTEGERS.items()}

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


def converted(builder, value, kind, wanted):
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


def common(*kinds):
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


def llvm_call(builder, name, *operands):
    """Calls the LLVM intrinsic `name` on operands of one type."""
    kind = operands[0].type
    lanes = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
    element = kind.element if lanes else kind
    suffix = f"{lanes}f{64 if isinstance(element, ir.DoubleType) else 32}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(operands)), f"llvm.{name}.{suffix}"
    )
    return builder.call(function, operands)


def define(name, arguments, kinds, build, result=None):
    """An intrinsic `name(*arguments)`.

    kinds(*types) gives the type that all operands take, or None; build(builder, *values) gives the value;
    result(type) its type, where that is another one.
    """

    def typer(context, *operands):
        wanted = kinds(*operands)
        if wanted is None:
            return None

        def lower(context, builder, sig, values):
            values = [converted(builder, v, k, wanted) for v, k in zip(values, sig.args, strict=True)]
            return build(builder, *values)

        return signature(result(wanted) if result else wanted, *operands), lower

    names = ", ".join(arguments)
    space = {"typer": typer}
    exec(f"def {name}(context, {names}):\n    return typer(context, {names})", space)
    return intrinsic(prefer_literal=True)(space[name])


def define_operator(python, real=None, whole=None):
    """Makes a Python operator work on vectors: of floats by the builder's `real`, of integers by its `whole`."""

    class Template(AbstractTemplate):
        key = python
        prefer_literal = True

        def generic(self, args, kws):
            wanted = common(*args) if len(args) == 2 and not kws else None
            if not isinstance(wanted, Vec) or (real if isinstance(wanted.dtype, types.Float) else whole) is None:
                return None
            return signature(wanted, *args)

    infer_global(python)(Template)

    def lower(context, builder, sig, values):
        wanted = sig.return_type
        values = [converted(builder, v, k, wanted) for v, k in zip(values, sig.args, strict=True)]
        return getattr(builder, real if isinstance(wanted.dtype, types.Float) else whole)(*values)

    others = (Vec, Number, types.IntegerLiteral, types.Float)
    for left, right in [(Vec, other) for other in others] + [(other, Vec) for other in others[1:]]:
        lower_builtin(python, left, right)(lower)
