"""Numba's compiler, as far as kernels need it: a target of its own, with few declarations and few passes.

Kernels are integers, pointers, registers and the loops around them. Numba's compiler for all of Python takes twice as
long over them: it loads what it knows of arrays, strings and lists (and SciPy, where there is one), asks each overload
of `+`, looks for closures, parallel loops and references, and translates a helper anew at each call. Here are its own
passes in their own order, and LLVM's as Numba runs them: the machine code is the same. Imports Numba.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

from numba.core import (
    codegen,
    config,
    cpu,
    imputils,
    ir,
    ir_utils,
    typed_passes,
    types,
    typing,
    untyped_passes,
)
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.compiler import CompilerBase, Flags, PassManager, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.descriptors import TargetDescriptor
from numba.core.dispatcher import Dispatcher
from numba.core.inline_closurecall import (
    InlineWorker,
    _add_definitions,
    _created_inlined_var_name,
    _replace_args_with,
    _replace_returns,
)
from numba.core.ir_utils import get_definition, guard, resolve_func_from_module
from numba.core.target_extension import CPU, dispatcher_registry, target_registry
from numba.core.typing import builtins as _  # noqa: F401 (types of integers, ranges, pointers)
from numba.core.typing import templates
from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401 (their code)

from fastmlp.jit import machine_code


def compile_function(function: Callable[..., Any], signature: Any) -> tuple[str, tuple[str, ...], bytes]:
    """Compiles `function` for a Numba signature. -> its symbol, the names that it needs, and the object code."""
    return begin(function, signature)()


def begin(function: Callable[..., Any], signature: Any) -> Callable[[], tuple[str, tuple[str, ...], bytes]]:
    """Numba's part of `compile_function`. -> LLVM's, to be called once, in any thread."""
    flags = Flags()
    contexts = _target.typing_context, _target.target_context
    _target.options.parse_as_flags(flags, machine_code.compiler_options())
    flags.enable_pyobject = False
    flags.no_compile = True  # no entry into Numba's own engine
    with global_compiler_lock:
        # Its target and LLVM's passes go by Numba's settings, which may not be those of the time before.
        _target.target_context._internal_codegen = _Codegen("fastmlp")
        made = compile_extra(
            *contexts, function, signature.args, signature.return_type, flags, {}, pipeline_class=_Compiler
        )
    symbol, library = made.fndesc.llvm_func_name, made.library

    def finish() -> tuple[str, tuple[str, ...], bytes]:
        code = library.emit_native_object()
        return symbol, machine_code.externals(library._final_module), code

    return finish


# ---------------------------------------------------------------------------------------------------------
# Passes


@register_pass(mutates_CFG=True, analysis_only=False)
class _InlineHelpers(untyped_passes.InlineInlinables):
    """Copies helpers into the function that calls them.

    Numba's own pass translates a helper anew at each call, and copies it twice by `copy.deepcopy`. It also leaves the
    helpers' names behind, to be typed, and a variable for each argument.
    """

    _name = "fastmlp_inline_helpers"

    def run_pass(self, state: Any) -> bool:
        caller = state.func_ir
        worker = InlineWorker(state.typingctx, state.targetctx, state.locals, state.pipeline, state.flags)
        worker._compiler_pipeline = _untyped
        waiting = list(caller.blocks.values())
        modified = False
        while waiting:
            block = waiting.pop()
            i = 0
            while i < len(block.body):
                helper = _called_helper(caller, block.body[i], worker)
                if helper is None:
                    i += 1
                else:
                    modified = True
                    i = _forget_name(caller, block, i)
                    waiting += _copy_in(helper, caller, block, i)  # where the copy begins, the search goes on
        if modified:
            for dead in compute_cfg_from_blocks(caller.blocks).dead_nodes():
                del caller.blocks[dead]
            caller.blocks = ir_utils.simplify_CFG(caller.blocks)
        return True


class _Helper:
    """A helper's statements, as Numba's IR. constant: the arguments that it assigns nothing to."""

    def __init__(self, translated: Any):
        self.blocks, self.arguments = translated.blocks, translated.arg_names
        self.name = translated.func_id.unique_name
        targets = Counter(s.target.name for block in self.blocks.values() for s in block.find_insts(ir.Assign))
        self.constant = {name for name in self.arguments if targets[name] == 1}
        if len(self.blocks) == 1:
            self._drop_none(*self.blocks.values())
        self.own = [name for name in next(iter(self.blocks.values())).scope.localvars._con if name not in self.constant]

    @staticmethod
    def _drop_none(block: Any) -> None:
        """Leaves a helper that returns nothing without a None, which would be typed and compiled at each call."""
        last: list[Any] = [getattr(statement, "value", None) for statement in block.body[-3:]]
        if len(last) < 3 or not isinstance(last[0], ir.Const) or not isinstance(last[1], ir.Expr):
            return
        if last[0].value is None and last[1].op == "cast" and last[1].value.name == block.body[-3].target.name:
            block.body[-3:] = [ir.Jump(0, block.loc)]


_translated: dict[Callable[..., Any], _Helper] = {}


def _called_helper(caller: Any, statement: Any, worker: InlineWorker) -> _Helper | None:
    """The helper that a statement calls, if it does."""
    if not isinstance(statement, ir.Assign) or getattr(statement.value, "op", None) != "call":
        return None
    called = guard(get_definition, caller, statement.value.func)
    if getattr(called, "op", None) == "getattr":
        called = guard(resolve_func_from_module, caller, called)
    elif isinstance(called, (ir.Global, ir.FreeVar)):
        called = called.value
    if getattr(called, "targetoptions", {}).get("inline") != "always":
        return None
    function = called.py_func
    if function not in _translated:
        _translated[function] = _Helper(worker.run_untyped_passes(function))
    return _translated[function]


def _forget_name(caller: Any, block: Any, i: int) -> int:
    """Removes what only the call, statement i, needs: the helper's name, and its module's. -> where the call is now."""
    name = block.body[i].value.func.name
    j = i - 1
    while name.startswith("$") and j >= 0:
        statement = block.body[j]
        if isinstance(statement, ir.Assign) and statement.target.name == name:
            value = statement.value
            module = getattr(value, "op", None) == "getattr"
            if not module and not isinstance(value, (ir.Global, ir.FreeVar)):
                break
            del block.body[j]
            caller._definitions.pop(name)
            i -= 1
            if not module:
                break
            name = value.value.name
        j -= 1
    return i


def _copy_in(helper: _Helper, caller: Any, block: Any, i: int) -> list[Any]:
    """Puts a helper's statements in place of its call, statement i of the block. -> the blocks that are new.

    `InlineWorker.inline_ir`, for a helper that stays as it is and is called with all its arguments. One that does not
    branch becomes a part of the block.
    """
    call, scope = block.body[i], block.scope
    given, named = call.value.args, dict(call.value.kws)
    arguments = [*given, *(named[name] for name in helper.arguments[len(given) :])]
    assert len(arguments) == len(given) + len(named), "helpers are called with all their arguments"
    variables = dict(zip(helper.arguments, arguments, strict=True))
    renamed = {name: variables[name] for name in helper.constant}
    for name in helper.own:
        renamed[name] = scope.redefine(_created_inlined_var_name(helper.name, name), call.loc)
    blocks = {}
    for label, old in helper.blocks.items():
        blocks[label] = ir.Block(scope, old.loc)
        blocks[label].body = [_copied(s) for s in old.body if not _is_argument(s, helper.constant)]
    caller._definitions[call.target.name].remove(call.value)
    if len(blocks) == 1:
        ir_utils.visit_vars(blocks, _renamed, renamed)
        _replace_args_with(blocks, arguments)
        (only,) = blocks.values()
        _replace_returns(blocks, call.target, 0)
        _add_definitions(caller, only)
        block.body[i : i + 1] = only.body[:-1]
        return []
    first = max(ir_utils._the_max_label.next(), *caller.blocks) + 1
    blocks = ir_utils.simplify_CFG(ir_utils.add_offset_to_labels(blocks, first))
    ir_utils._the_max_label.update(max(blocks))
    ir_utils.visit_vars(blocks, _renamed, renamed)
    _replace_args_with(blocks, arguments)
    order = ir_utils.find_topo_order(blocks)
    # The statements after the call go on in a block of their own.
    after = ir.Block(scope, block.loc)
    after.body = block.body[i + 1 :]
    label_after = ir_utils.next_label()
    block.body[i:] = [ir.Jump(min(blocks), call.loc)]
    _replace_returns(blocks, call.target, label_after)
    for label in order:
        _add_definitions(caller, blocks[label])
    caller.blocks[label_after] = after
    caller.blocks.update((label, blocks[label]) for label in order)
    return [after, *(blocks[label] for label in order)]


def _renamed(variable: Any, names: dict[str, Any]) -> Any:
    """Once: a name of the caller's may be another variable's of the helper."""
    return names.get(variable.name, variable) if isinstance(variable, ir.Var) else variable


def _is_argument(statement: Any, names: set[str]) -> bool:
    return isinstance(statement, ir.Assign) and isinstance(statement.value, ir.Arg) and statement.target.name in names


def _copied(statement: Any) -> Any:
    """A statement whose variables can be exchanged without changing the original."""
    statement = copy.copy(statement)
    if isinstance(statement, ir.Assign) and isinstance(statement.value, ir.Expr):
        expression = statement.value
        statement.value = ir.Expr(expression.op, expression.loc, **expression._kws)
    return statement


def _untyped(state: Any) -> PassManager:
    """What can be done before types are known: for kernels and helpers."""
    return _passes(
        "fastmlp untyped",
        untyped_passes.TranslateByteCode,
        untyped_passes.FixupArgs,
        untyped_passes.IRProcessing,
        untyped_passes.RewriteSemanticConstants,
        untyped_passes.DeadBranchPrune,
        untyped_passes.GenericRewrites,
        _InlineHelpers,
        untyped_passes.DeadBranchPrune,
    )


class _Compiler(CompilerBase):
    def define_pipelines(self) -> list[PassManager]:
        typed = _passes(
            "fastmlp",
            untyped_passes.ReconstructSSA,
            untyped_passes.DeadBranchPrune,
            typed_passes.NopythonTypeInference,
            typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization,
            typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        )
        typed.passes = _untyped(self.state).passes + typed.passes
        typed.finalize()
        return [typed]


def _passes(name: str, *passes: Any) -> PassManager:
    manager = PassManager(name)
    for one in passes:
        manager.add_pass(one, one.__name__)
    manager.finalize()
    return manager


# ---------------------------------------------------------------------------------------------------------
# The target


class _Library(codegen.AOTCodeLibrary):
    """A module of LLVM's that becomes object code: LLVM sees it only when that is asked for."""

    _waiting: Any = None

    def add_ir_module(self, ir_module: Any) -> None:
        assert self._waiting is None, "a kernel is one module"
        self._waiting = ir_module

    def finalize(self) -> None:
        # As Numba's own, which insists on its compiler's lock. llvmlite has a lock, too, and lets others run meanwhile.
        assert not self._linking_libraries, "a kernel calls no compiled function"
        super().add_ir_module(self._waiting)
        self._optimize_final_module()
        self._final_module.verify()
        self._finalized = True

    def add_llvm_module(self, module: Any) -> None:
        self._optimize_functions(module)
        self._final_module.link_in(module)

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout
        for function in module.functions:
            builder = self._codegen._pass_builder()
            builder.getFunctionPassManager().run(function, builder)

    def _optimize_final_module(self) -> None:
        # Without the first of Numba's two rounds, and without its pass over reference counts, which both rounds have:
        # the machine code of all kernels is the same without them.
        builder = self._codegen._pass_builder()
        builder.getModulePassManager().run(self._final_module, builder)


class _Codegen(codegen.JITCPUCodegen):
    """For this process's processor, as Numba's own, but without adding modules to its engine.

    It keeps the settings that it was made with: LLVM is at work when they may be others.
    """

    _library_class = _Library

    def __init__(self, name: str):
        self._settings = dict(opt=config.OPT, loop_vectorize=config.LOOP_VECTORIZE, slp_vectorize=config.SLP_VECTORIZE)
        super().__init__(name)

    def _pass_builder(self, **changes: Any) -> Any:
        return super()._pass_builder(**{**self._settings, **changes})

    def _add_module(self, module: Any) -> None:
        pass


class _TargetContext(cpu.CPUContext):
    """How declared operations become LLVM's."""

    def init(self) -> None:
        self.is32bit = False
        self._internal_codegen = None  # as yet: of each compile
        self.insert_func_defn([(_whole, _whole, (kind,)) for kind in (types.Boolean, types.Integer, types.Float)])

    def refresh(self) -> None:
        self.install_registry(imputils.builtin_registry)  # where intrinsics enter themselves, as they meet new types

    def post_lowering(self, mod: Any, library: Any) -> None:
        pass  # no reference counts, no fastmath


class _TypingContext(typing.Context):
    """The declared operations and their types."""

    def init(self) -> None:
        self.insert_global(int, types.Function(_Int))

    def refresh(self) -> None:
        self.install_registry(templates.builtin_registry)

    def install_registry(self, registry: Any) -> None:
        """Declares what is new in Numba's registry, but no overloads: they are compiled functions of Python objects."""
        if registry not in self._registries:
            self._registries[registry] = templates.RegistryLoader(registry)
        loader = self._registries[registry]
        for template in loader.new_registrations("functions"):
            if not _is_overload(template):
                self.insert_function(template(self))
        for template in loader.new_registrations("attributes"):
            if not _is_overload(template):
                self.insert_attributes(template(self))
        for value, kind in loader.new_registrations("globals"):
            if value is int or all(map(_is_overload, getattr(kind, "templates", ()) or (None,))):
                continue
            known = self._lookup_global(value)
            if known is None:
                self.insert_global(value, kind)
            elif (both := known.augment(kind)) is not None:
                self._remove_global(value)
                self._insert_global(value, both)


def _is_overload(template: Any) -> bool:
    return hasattr(template, "_overload_func")


def _whole(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return context.cast(builder, values[0], signature.args[0], signature.return_type)


class _Int(templates.AbstractTemplate):
    """int(x) of a number, which Numba itself makes by an overload."""

    key = _whole

    def generic(self, args: Any, kws: Any) -> Any:
        numbers_alone = len(args) == 1 and not kws and isinstance(args[0], (types.Boolean, types.Integer, types.Float))
        return templates.signature(types.int64, *args) if numbers_alone else None


class _Kernels(CPU):
    """The name of the target, by which intrinsics find its contexts."""


class _Target(TargetDescriptor):
    options = cpu.CPUTargetOptions
    typing_context: Any = None
    target_context: Any = None


target_registry["fastmlp"] = _Kernels
_target = _Target("fastmlp")
_target.typing_context = _TypingContext()
_target.target_context = _TargetContext(_target.typing_context, "fastmlp")


class _Dispatcher(Dispatcher):
    targetdescr = _target


dispatcher_registry[_Kernels] = _Dispatcher
