"""Small changes of a module's text, each at one place of its syntax tree: what a mutant is made by.

A change keeps all other text as it is, so that a mutant's diff is its change and nothing else. Left alone are text
that is shown or documents, annotations, imports, and what only type checkers read.
"""

import ast
import itertools
import re
from typing import NamedTuple

COMPARED = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "!=": ("==",)}
COMPARED |= {"is": ("is not",), "is not": ("is",), "in": ("not in",), "not in": ("in",)}
COMPUTED = {"+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "**": "*", "<<": ">>", ">>": "<<", "&": "|"}
COMPUTED |= {"|": "&", "and": "or", "or": "and"}
REMOVED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Assert, ast.Delete, ast.Continue, ast.Break)
_BETWEEN = re.compile(rb"[\s)]*([^\s()]+(?:\s+(?:in|not))?)[\s(]*")  # an operator between two nodes, of any parentheses


class Mutation(NamedTuple):
    """Bytes `start` to `end` of a file become `new`."""

    what: str
    start: int
    end: int
    new: bytes

    def of(self, source):
        return source[: self.start] + self.new + source[self.end :]


def mutations(source):
    """All of a module's text, bytes. Not all need be Python: see `is_one`."""
    return [each for each in _Finder(source).found if each.of(source) != source]


def is_one(mutation, source):
    """Whether it gives another program."""
    try:
        return ast.dump(ast.parse(mutation.of(source))) != ast.dump(ast.parse(source))
    except SyntaxError:
        return False


class _Finder(ast.NodeVisitor):
    def __init__(self, source):
        self.source, self.found = source, []
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self.visit(ast.parse(source))

    def _begin(self, node):
        return self._lines[node.lineno - 1] + node.col_offset

    def _end(self, node):
        return self._lines[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node):
        return self.source[self._begin(node) : self._end(node)]

    def _add(self, what, start, end, new):
        self.found.append(Mutation(what, start, end, new if isinstance(new, bytes) else new.encode()))

    def _replace(self, what, node, new):
        self._add(what, self._begin(node), self._end(node), new)

    def _operator(self, what, left, right, table):
        """Changes the operator that stands between two nodes."""
        start = self._end(left)
        between = _BETWEEN.fullmatch(self.source[start : self._begin(right)])
        if between:
            news = table.get(" ".join(between.group(1).decode().split()), ())
            for new in (news,) if isinstance(news, str) else news:
                self._add(what, start + between.start(1), start + between.end(1), new)

    # Left alone

    def visit_Import(self, node):
        pass

    visit_ImportFrom = visit_JoinedStr = visit_Import

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        for default in (*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Raise(self, node):  # its words
        pass

    # Changed

    def visit(self, node):
        if isinstance(node, REMOVED) and not self._documents(node):
            self._replace("a statement is left out", node, b"pass")
        super().visit(node)

    def _documents(self, node):
        value = getattr(node, "value", None)
        exported = isinstance(node, ast.Assign) and self._text(node.targets[0]).startswith(b"__")
        text = isinstance(node, ast.Expr) and isinstance(value, ast.Constant)
        return text or exported

    def visit_Compare(self, node):
        operands = [node.left, *node.comparators]
        for left, right in itertools.pairwise(operands):
            self._operator("another comparison", left, right, COMPARED)
        self.generic_visit(node)

    def visit_BinOp(self, node):
        if not isinstance(node.left, (ast.JoinedStr,)) and not _is_text(node.left) and not _is_text(node.right):
            self._operator("another operation", node.left, node.right, COMPUTED)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        for left, right in itertools.pairwise(node.values):
            self._operator("another connection", left, right, COMPUTED)
        self.generic_visit(node)

    def visit_If(self, node):
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._replace("the opposite condition", node.test, b"not (" + self._text(node.test) + b")")
        self.generic_visit(node)

    def visit_IfExp(self, node):
        self._replace("the opposite condition", node.test, b"not (" + self._text(node.test) + b")")
        self.generic_visit(node)

    visit_While = visit_If

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self._replace("the opposite", node, str(not value))
        elif isinstance(value, int):
            self._replace("one more", node, str(value + 1))
            self._replace("one less", node, str(value - 1) if value > 0 else f"({value - 1})")
        elif isinstance(value, float):
            self._replace("twice as much", node, repr(value * 2))

    def visit_Return(self, node):
        if node.value is not None and not _is_none(node.value):
            self._replace("nothing is returned", node.value, b"None")
        self.generic_visit(node)

    def visit_Call(self, node):
        plain = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        if len(plain) == len(node.args) >= 2:
            a, b = node.args[:2]
            between = self.source[self._end(a) : self._begin(b)]
            new = self._text(b) + between + self._text(a)
            self._add("two arguments change places", self._begin(a), self._end(b), new)
        self.generic_visit(node)


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None
