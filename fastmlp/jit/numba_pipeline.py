"""Numba's compiler, as far as kernels need it: a target of its own, with few declarations and few passes.

Kernels are integers, pointers, registers and the loops around them. Numba's compiler for all of Python takes twice as
long over them: it loads what it knows of arrays, strings and lists (and SciPy, where there is one), asks each overload
of `+`, looks for closures, parallel loops and references, and translates a helper again at each call. Here are its own
passes in their own order, and LLVM's as Numba runs them: the machine code is the same. Imports Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import (
    codegen,
    config,
    cpu,
    imputils,
    typed_passes,
    types,
    typing,
    untyped_passes,
)
from numba.core.compiler import CompilerBase, Flags, PassManager, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import register_pass
from numba.core.descriptors import TargetDescriptor
from numba.core.dispatcher import Dispatcher
from numba.core.inline_closurecall import InlineWorker
from numba.core.target_extension import CPU, dispatcher_registry, target_registry
from numba.core.typing import builtins as _  # noqa: F401 (types of integers, ranges, pointers)
from numba.core.typing import templates
from numba.cpython import builtins, numbers, rangeobj, tupleobj  # noqa: F401 (their code)

from fastmlp.jit import machine_code
from fastmlp.jit.helper_inlining import inline_helpers


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

    Numba's own pass translates a helper again at each call, and copies it twice by `copy.deepcopy`. It also leaves the
    helpers' names behind, to be typed, and a variable for each argument.
    """

    _name = "fastmlp_inline_helpers"

    def run_pass(self, state: Any) -> bool:
        worker = InlineWorker(state.typingctx, state.targetctx, state.locals, state.pipeline, state.flags)
        worker._compiler_pipeline = _untyped
        inline_helpers(state.func_ir, worker)
        return True


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
