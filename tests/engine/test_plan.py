"""The plan: each field has its place, its kind and its comment, and one file of the engine writes it."""

import ast
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.engine.plan_writer import PlanWriter, word
from fastmlp.kernels import calls, lanes_calls, lanes_plan, registry
from fastmlp.kernels import plan as at

PACKAGE = Path(fastmlp.__file__).parent
PLAN = (PACKAGE / "kernels" / "plan.py").read_text()
PLANS = [(PLAN, at), ((PACKAGE / "kernels" / "lanes_plan.py").read_text(), lanes_plan)]
FIELDS = dict(re.findall(r'^([A-Z]\w*) = _field\("(\w+)"\)', PLAN, re.MULTILINE))
LAYER_FIELDS = dict(re.findall(r'^(LAYER_\w+) = _layer_field\("(\w+)"\)', PLAN, re.MULTILINE))


def test_each_field_has_a_kind_of_those_that_are_explained():
    kinds = set(re.findall(r"^    (\w+)  +\S", PLAN.split('"""')[1], re.MULTILINE))
    for text, plan in PLANS:
        fields = dict(re.findall(r'^([A-Z]\w*) = _field\("(\w+)"\)', text, re.MULTILINE))
        of_layers = dict(re.findall(r'^(LAYER_\w+) = _layer_field\("(\w+)"\)', text, re.MULTILINE))
        assert len(fields) == plan.FIELDS
        assert len(of_layers) == plan.LAYER_FIELDS
        assert {*plan.KINDS, *plan.LAYER_KINDS} <= kinds
        assert {name: plan.KINDS[getattr(plan, name)] for name in fields} == fields
        assert {name: plan.LAYER_KINDS[getattr(plan, name)] for name in of_layers} == of_layers


def test_each_field_has_its_comment():
    for text, _ in PLANS:
        for line in text.splitlines():
            if re.match(r"\w+ = (_field|_layer_field|next)\(", line) and not line.startswith("NUMBERS_COUNT"):
                assert re.search(r"  # [\w`]", line), line


@pytest.mark.parametrize("number", range(2))
def test_no_name_is_given_twice(number):
    """A field whose name means another place by the end of the file would be written there."""
    names = Counter(
        target.id
        for node in ast.parse(PLANS[number][0]).body
        if isinstance(node, ast.Assign)
        for group in node.targets
        for target in (group.elts if isinstance(group, ast.Tuple) else [group])
        if isinstance(target, ast.Name)
    )
    assert [name for name, count in names.items() if count > 1] == []


def writes(text):
    """The lines that assign to places of a plan: plan[...], something.plan[...], .fields[...]"""
    found = []
    for node in ast.walk(ast.parse(text)):
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            for target in [part for some in targets for part in ast.walk(some)]:
                if isinstance(target, ast.Subscript) and isinstance(target.ctx, ast.Store):
                    name = ast.unparse(target.value).rpartition(".")[2]
                    if name in ("plan", "plans", "own", "fields") or "at." in ast.unparse(target.slice):
                        found.append((node.lineno, name, ast.unparse(target.slice)))
    return found


def test_one_file_of_the_engine_writes_plans():
    for path in (PACKAGE / "engine").rglob("*.py"):
        if path.name not in ("plan_writer.py", "lanes_plan_writer.py"):
            found = [write for write in writes(path.read_text()) if write[1] not in ("numbers", "_shared", "turns")]
            assert found == [], path.name


@pytest.mark.parametrize(
    "line", ["plan[at.X] = 1", "self.plan[at.X], y = 1, 2", "workspace.plan[3] |= 1", "own[at.X:] = 0", "a[at.X] += 1"]
)
def test_a_write_is_seen(line):
    assert len(writes(line)) == 1


def test_a_field_of_another_kind_is_refused():
    write = PlanWriter("float64", 2)
    write.counts(ROWS=3)
    write.layer(1, LAYER_INPUTS=5)
    assert write.fields[at.ROWS] == 3
    assert write.fields[at.FIELDS + at.LAYER_FIELDS + at.LAYER_INPUTS] == 5
    for wrong in (lambda: write.counts(X=1), lambda: write.buffers(ROWS=1), lambda: write.kernels(X="layout.gather")):
        with pytest.raises(AssertionError):
            wrong()
    assert np.count_nonzero(write.fields) == 2


@pytest.mark.parametrize(("module", "plan"), [(calls, PLAN), (lanes_calls, PLANS[1][0])])
def test_each_kernel_field_is_called_by_name(module, plan):
    """Where one calls it, that is by a helper of calls.py, whose docstring or name says which kernel that is."""
    text = Path(module.__file__).read_text()
    called = set(re.findall(r"call\(\s*plan\[(?:layer \+ )?at\.(\w+)\]", text))
    kernels = set(re.findall(r'^([A-Z]\w*) = _(?:layer_)?field\("kernel"\)', plan, re.MULTILINE))
    assert called == kernels
    names = {name.partition(".")[2] for name in registry.load_all()}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            own = node.name.removeprefix("layered_").removeprefix("rowwise_")
            assert own in names or re.search(r"`(\w+\.)?\w+`", ast.get_docstring(node)), node.name


def test_kernels_call_no_kernel_but_by_name():
    for path in (PACKAGE / "kernels").glob("*.py"):
        if path.name not in ("calls.py", "lanes_calls.py", "memory.py"):
            assert not re.search(r"(?<![\w.])call\(", path.read_text()), path.name


@pytest.mark.parametrize(("bits", "number"), [(5, 5), (2**63 - 1, 2**63 - 1), (2**63, -(2**63)), (2**64 - 1, -1)])
def test_a_word_has_the_bits_of_a_whole_number_without_sign(bits, number):
    assert word(bits) == number
