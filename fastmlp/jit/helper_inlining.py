"""Helpers of kernels copied into their callers, as Numba's IR: for `numba_pipeline.py`. Imports Numba."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

from numba.core import ir, ir_utils
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.inline_closurecall import (
    InlineWorker,
    _add_definitions,
    _created_inlined_var_name,
    _replace_args_with,
    _replace_returns,
)
from numba.core.ir_utils import get_definition, guard, resolve_func_from_module


def inline_helpers(caller: Any, worker: InlineWorker) -> None:
    """Puts a copy of each helper that is called in place of its call, and so on with what these call."""
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
