"""Adds a check before each load and store of a kernel, in Numba's LLVM code.

The package is not involved, no load or store can be missed, and code that is compiled without checks does not change.
To be imported after `ranges.install`.
"""

import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba.core.lowering import Lower

from fastmlp.jit import cache, compilation, numba_pipeline
from fastmlp.kernels import registry
from tools.bounds import ranges

WHOLE, LESS = ir.IntType(64), ir.IntType(32)


@dataclass(frozen=True)
class Site:
    """A load or store of a kernel."""

    kernel: str  # "dense.dense_forward float64"
    place: str  # "dense.py:31"
    writes: bool
    size: int  # bytes, at most

    def __str__(self):
        return f"{self.kernel}, {self.place}: {'writes' if self.writes else 'reads'} {self.size} bytes"


sites: list[Site] = []
kernels: list[str] = []  # all that were compiled
accesses = np.zeros(2**12, np.int64)  # of each kernel
_names: dict[int, tuple] = {}  # of kernels by their signatures, which live as long
_compiled = threading.local()  # the name of the kernel that a thread compiles


def install():
    """Has all kernels of this process compiled with checks, and none of them read from a cache or written to it."""
    signature, begin, add_module = (
        registry.Kernel.signature,
        numba_pipeline.begin,
        numba_pipeline._Library.add_ir_module,
    )
    lower, insert = Lower.lower_inst, ir.IRBuilder._insert

    def named_signature(self, dtype):
        made = signature(self, dtype)
        _names[id(made)] = made, f"{self.name} {dtype}"
        return made

    def named_begin(function, signature):
        _compiled.name = _names[id(signature)][1]
        return begin(function, signature)

    def checked_module(self, module):
        _check_module(module, _compiled.name)
        add_module(self, module)

    def refused(function, signature, **options):
        why = f"{function.__name__} is compiled without checks: its statements need Numba's own compiler"
        raise RuntimeError(why) from sys.exc_info()[1]

    def noted_lower(self, statement):
        self.builder.where = self.loc
        return lower(self, statement)

    def noted_insert(self, instruction):
        instruction.where = getattr(self, "where", None)
        return insert(self, instruction)

    cache.stamp = lambda: None
    registry.Kernel.signature, numba_pipeline.begin, compilation.compile_by_numba = (
        named_signature,
        named_begin,
        refused,
    )
    numba_pipeline._Library.add_ir_module = checked_module
    Lower.lower_inst, ir.IRBuilder._insert = noted_lower, noted_insert


# ---------------------------------------------------------------------------------------------------------
# Which instructions access memory


def _pointer(instruction):
    """The operand that an instruction accesses memory by; None where it accesses none."""
    if isinstance(instruction, ir.StoreInstr):  # atomic or not
        return instruction.operands[1]
    if isinstance(instruction, (ir.LoadInstr, ir.AtomicRMW, ir.CmpXchg)):
        return instruction.operands[0]
    if not isinstance(instruction, ir.CallInstr):
        return None
    name = getattr(instruction.callee, "name", "")
    if name.startswith("llvm.masked.load."):
        return instruction.args[0]
    if name.startswith("llvm.masked.store."):
        return instruction.args[1]
    given = any(isinstance(argument.type, ir.PointerType) for argument in instruction.args)
    unknown = name.startswith("llvm.") and given and not name.startswith("llvm.prefetch.")
    assert not unknown, f"tools/bounds/instrument.py does not know how {name} accesses memory"
    return None


def _accessed(instruction):
    """The type of what is read or written."""
    if isinstance(instruction, ir.StoreInstr):
        return instruction.operands[0].type
    if isinstance(instruction, ir.CmpXchg):
        return instruction.operands[1].type
    if isinstance(instruction, ir.CallInstr) and "store" in instruction.callee.name:
        return instruction.args[0].type
    return instruction.type


def _mask(instruction):
    return next((a for a in instruction.args if _of_bits(a.type)), None) if _is_call(instruction) else None


def _is_call(instruction):
    return isinstance(instruction, ir.CallInstr)


def _of_bits(kind):
    return isinstance(kind, ir.VectorType) and kind.element == ir.IntType(1)


def _size(kind):
    """Bytes of a value of this type in memory."""
    if isinstance(kind, (ir.VectorType, ir.ArrayType)):
        return kind.count * _size(kind.element)
    if isinstance(kind, ir.IntType):
        return max(8, kind.width) // 8
    return {ir.FloatType: 4, ir.DoubleType: 8, ir.PointerType: 8}[type(kind)]


def _indexed(pointer):
    """The pointer that this one was made from by an index."""
    while isinstance(pointer, ir.CastInstr) and pointer.opname == "bitcast":
        pointer = pointer.operands[0]
    return pointer.pointer if isinstance(pointer, ir.GEPInstr) else pointer


def _variable(pointer):
    """The function's variable in which a pointer points; None: not in one."""
    while isinstance(pointer, ir.GEPInstr) or (isinstance(pointer, ir.CastInstr) and pointer.opname == "bitcast"):
        pointer = pointer.operands[0]
    return pointer if isinstance(pointer, ir.AllocaInstr) else None


class _Pointers:
    """Which of a function's pointers point to its own variables, its result, or constants.

    A pointer may come from a variable: an iterator's holds the addresses of others. There it counts what was ever
    stored.
    """

    def __init__(self, function):
        self._results = function.args[:2]
        self._stored = {}
        for block in function.blocks:
            for instruction in block.instructions:
                if isinstance(instruction, ir.StoreInstr) and (variable := _variable(instruction.operands[1])):
                    self._stored.setdefault(variable, []).append(instruction.operands[0])

    def is_local(self, value, seen=()):
        if isinstance(value, ir.LoadInstr):
            variable = _variable(value.operands[0])
            held = [x for x in self._stored.get(variable, []) if not isinstance(x.type, ir.IntType)]
            return variable in seen or (bool(held) and all(self.is_local(x, (*seen, variable)) for x in held))
        if isinstance(value, (ir.GEPInstr, ir.ExtractValue)) or getattr(value, "opname", "") == "bitcast":
            return self.is_local(value.operands[0], seen)
        if isinstance(value, (ir.InsertValue, ir.PhiInstr, ir.SelectInstr)):
            return all(self.is_local(x, seen) for x in value.operands if not isinstance(x.type, ir.IntType))
        return isinstance(value, (ir.AllocaInstr, ir.Constant, ir.GlobalVariable)) or value in self._results


# ---------------------------------------------------------------------------------------------------------
# Checks


def _check_module(module, kernel):
    bodies = [function for function in module.functions if function.blocks]
    check = _check_function(module)
    number = len(kernels)
    kernels.append(kernel)
    for function in bodies:
        pointers, found = _Pointers(function), []
        for block in function.blocks:
            for instruction in block.instructions:
                pointer = _pointer(instruction)
                if pointer is not None and not pointers.is_local(pointer):
                    found.append((block, instruction, pointer))
        if found:
            _check_function_body(function, found, check, kernel, number)


def _check_function_body(function, found, check, kernel, number):
    builder = ir.IRBuilder()
    builder.position_at_start(function.entry_basic_block)
    slots = builder.alloca(ir.ArrayType(WHOLE, 2 * len(found)))
    count = builder.alloca(WHOLE)
    builder.store(WHOLE(0), count)
    ranges_kept = [builder.gep(slots, [LESS(0), LESS(2 * i)], inbounds=True) for i in range(len(found))]
    for slot in ranges_kept:
        builder.store(WHOLE(0), builder.gep(slot, [LESS(1)]))  # a range that ends at 0 holds nothing
    for (block, instruction, pointer), slot in zip(found, ranges_kept, strict=True):
        builder.position_before(instruction)
        assert builder.block is block
        mask, kind = _mask(instruction), _accessed(instruction)
        address, size = builder.ptrtoint(pointer, WHOLE), WHOLE(_size(kind))
        first = None
        if mask is not None:  # from the first lane to the last that is set; none may be
            first, size = _extent(builder, mask, _size(kind.element))
            address = builder.add(address, first)
        base = builder.ptrtoint(_indexed(pointer), WHOLE)
        slot = builder.bitcast(slot, WHOLE.as_pointer())
        address = builder.call(check, [address, size, base, slot, WHOLE(len(sites)), count])
        if first is not None:
            address = builder.sub(address, first)
        instruction.replace_usage(pointer, builder.inttoptr(address, pointer.type))
        where = instruction.where
        place = f"{Path(where.filename).name}:{where.line}" if where else "?"
        writes = isinstance(instruction, (ir.StoreInstr, ir.AtomicRMW, ir.CmpXchg)) or kind is not instruction.type
        sites.append(Site(kernel, place, writes, _size(kind)))
    for block in function.blocks:
        if isinstance(block.terminator, ir.Ret):
            builder.position_before(block.terminator)
            of_kernel = builder.inttoptr(WHOLE(accesses.ctypes.data + 8 * number), WHOLE.as_pointer())
            builder.atomic_rmw("add", of_kernel, builder.load(count), "monotonic")


def _extent(builder, mask, size):
    """The bytes before the first lane that is set, and from there to behind the last."""
    lanes = mask.type.count
    bits = builder.zext(builder.bitcast(mask, ir.IntType(lanes)), WHOLE)
    none = builder.icmp_unsigned("==", bits, WHOLE(0))
    first = builder.select(none, WHOLE(0), builder.cttz(bits, ir.IntType(1)(0)))
    behind = builder.select(none, WHOLE(0), builder.sub(WHOLE(64), builder.ctlz(bits, ir.IntType(1)(0))))
    return builder.mul(first, WHOLE(size)), builder.mul(builder.sub(behind, first), WHOLE(size))


def _check_function(module):
    """check(address, size, base, slot, site, count) -> where to access: see `ranges.look_up`, which it need not ask
    where the range in the slot will do."""
    pointer = WHOLE.as_pointer()
    kind = ir.FunctionType(WHOLE, [WHOLE, WHOLE, WHOLE, pointer, WHOLE, pointer])
    function = ir.Function(module, kind, "fastmlp_checked_address")
    function.linkage = "internal"
    function.attributes.add("noinline")
    address, size, base, slot, site, count = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    builder.store(builder.add(builder.load(count), WHOLE(1)), count)
    begin, end = (builder.load(builder.gep(slot, [LESS(i)])) for i in range(2))
    inside = [
        builder.icmp_unsigned(">=", base, begin), builder.icmp_unsigned("<", base, end),
        builder.icmp_unsigned(">=", address, begin), builder.icmp_unsigned("<=", builder.add(address, size), end),
    ]  # fmt: skip
    known = inside[0]
    for each in inside[1:]:
        known = builder.and_(known, each)
    with builder.if_then(known):
        builder.ret(address)
    look_up = builder.inttoptr(WHOLE(ranges.look_up.address), ir.FunctionType(WHOLE, [WHOLE] * 5).as_pointer())
    builder.ret(builder.call(look_up, [address, size, base, builder.ptrtoint(slot, WHOLE), site]))
    return function
