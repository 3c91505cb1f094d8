"""A network as one file of plain NumPy: the reference's own functions that predicting takes, and the weights in hex.

Its functions are taken from the sources of `fastmlp/reference`, so that there is no third definition.
"""

from __future__ import annotations

import ast
import inspect
import os
from types import ModuleType

import numpy as np

from fastmlp.core.input_scale import seen
from fastmlp.core.preprocess import ScalePair
from fastmlp.reference import activations, arithmetic, constants, dense, elementary, losses, preprocess
from fastmlp.spec import NUMERICS_VERSION, Spec
from fastmlp.storage import whole_files

MODULES = (constants, arithmetic, elementary, activations, losses, dense, preprocess)

HEAD = '''"""A network of fastmlp ({layers}, {hidden}, {output}, {dtype}), which predicts the same bits by NumPy alone.

    import {name}
    {name}.predict(X)          # labels or values, as Model.predict
    {name}.outputs(X)          # probabilities or values, (N, J), as Model.predict_proba

numerics version {numerics}; Model.digest() is {digest}
"""
'''
TAIL = '''

def _numbers(text, *shape, dtype=DTYPE):
    """Numbers in hex, in the network's dtype."""
    return np.array([float.fromhex(word) for word in text.split()]).astype(dtype).reshape(shape)


def _finite(y):
    """y (N, J), if all of it is finite."""
    good = np.isfinite(y).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"the outputs of row {row} are beyond the dtype's range: X or the weights are too large")
    return y


def logits(X):
    """The last layer's sums for rows X (N, K){standardising}. -> (N, J), in the network's dtype."""
    x = np.asarray(X)
    if x.ndim != 2 or x.shape[1] != INPUTS:
        raise ValueError(f"X has the shape {x.shape}: give rows of {INPUTS} features, (N, {INPUTS})")
    with np.errstate(all="ignore"):
        a = x.astype({rows})
        if not np.isfinite(a).all():
            raise ValueError("X has NaN or infinity")
{scaled}        for forward, w, b in LAYERS:
            z = dense_forward(a, w, b)
            a = z if forward is None else forward(z)
            a = a[0] if isinstance(a, tuple) else a
    return _finite(z)


def outputs(X):
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential). -> (N, J)."""
    z = logits(X)
    with np.errstate(all="ignore"):
        y = z if OUTPUT is None else OUTPUT(z)
{restored}    return _finite(y)


def predict(X):
    """Labels (softmax: (N,); sigmoid: 1 where z > 0), or the outputs; (N,) where there is one output."""
    y = {predicted}
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
'''
SCALED = """\
        a = standardised(a, *SCALE).astype(DTYPE)
        if not np.isfinite(a).all():
            raise ValueError("a row of X is beyond the dtype's range once it is standardised")
"""
RESTORED = "        y = unstandardised(y.astype(np.float64), *TARGET_SCALE).astype(DTYPE)\n"
PREDICTED = {"softmax": "first_largest(logits(X)).astype(np.int64)", "sigmoid": "(logits(X) > 0).astype(np.int64)"}


def write(path: str | os.PathLike, spec: Spec, parameters: np.ndarray, digest: str, *scales: ScalePair | None) -> None:
    """Writes the file.

    Parameters
    ----------
    path : path
        The file's name, which ends in .py.
    spec : Spec
        The network.
    parameters : ndarray of shape (P,)
        Its parameters.
    digest : str
        Its digest.
    *scales : (ndarray, ndarray) or None
        As `text` takes them.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the name does not end in .py.
    """
    stem, ending = os.path.splitext(os.path.basename(os.fspath(path)))
    if ending != ".py":
        raise ValueError(f"path={os.fspath(path)!r} is to be a file of Python: give it a name that ends in .py")
    name = stem if stem.isidentifier() else "model"
    whole_files.write(path, [text(spec, parameters, digest, name, *scales).encode()])


def text(
    spec: Spec, parameters: np.ndarray, digest: str, name: str = "model", scale: ScalePair | None = None,
    target_scale: ScalePair | None = None,
) -> str:  # fmt: skip
    """Returns the file's text.

    Parameters
    ----------
    spec : Spec
        The network.
    parameters : ndarray of shape (P,)
        Its parameters.
    digest : str
        Its digest, for the docstring.
    name : str, default="model"
        The module's name, for the docstring.
    scale : (ndarray, ndarray) or None, default=None
        The mean and deviation of the features (K,), where rows are standardised.
    target_scale : (ndarray, ndarray) or None, default=None
        Those of the targets (J,).

    Returns
    -------
    str
        Python's source, which imports NumPy and the standard library only.
    """
    spec, parameters = spec.plain, seen(spec, parameters)
    hidden = [None if name == "identity" else f"{name}_forward" for name in spec.hidden]
    output = spec.output_kernel
    needed = ["dense_forward", *filter(None, [*hidden, output])] + ["first_largest"] * (spec.output == "softmax")
    needed += ["standardised"] * (scale is not None) + ["unstandardised"] * (target_scale is not None)
    head = HEAD.format(
        layers="-".join(map(str, spec.layers)), hidden=", ".join(dict.fromkeys(spec.hidden)) or "no hidden layer",
        output=spec.output, dtype=spec.dtype, name=name, numerics=NUMERICS_VERSION, digest=digest,
    )  # fmt: skip
    lines = [head, *definitions(needed)]
    lines.append(f"\n\n\nDTYPE = np.dtype({spec.dtype!r})\nINPUTS = {spec.inputs}")
    parts = {
        "predicted": PREDICTED.get(spec.output, "outputs(X)"),
        "standardising": ", which are standardised first" if scale else "",
        "rows": "np.float64" if scale else "DTYPE",
        "scaled": SCALED if scale else "",
        "restored": RESTORED if target_scale else "",
    }
    tail = TAIL
    for part, filling in parts.items():
        tail = tail.replace(f"{{{part}}}", filling)
    lines.append(tail)
    for called, pair in (("SCALE", scale), ("TARGET_SCALE", target_scale)):
        if pair is not None:
            numbers = ", ".join(f"_numbers({_hex(part)}, {len(part)}, dtype=np.float64)" for part in pair)
            lines.append(f"\n\n{called} = ({numbers})")
    lines.append(f"\n\nOUTPUT = {output}\nLAYERS = [\n")
    for forward, (w, b) in zip([*hidden, None], spec.views(parameters), strict=True):
        numbers = ", ".join(f"_numbers({_hex(part)}, {', '.join(map(str, part.shape))})" for part in (w, b))
        lines.append(f"    ({forward}, {numbers}),\n")
    return "".join([*lines, "]\n"])


def _hex(x: np.ndarray) -> str:
    """Numbers in hex, as a literal of Python."""
    return repr(" ".join(float(value).hex() for value in x.ravel()))


def definitions(names: list[str]) -> list[str]:
    """Returns the sources of functions of the reference, and of all that they use.

    Parameters
    ----------
    names : list of str
        Functions of `fastmlp.reference`.

    Returns
    -------
    list of str
        The imports, and then the definitions in an order in which they can be run.
    """
    parts, found = [], {}
    for module in MODULES:
        for node in ast.parse(inspect.getsource(module)).body:
            for name in _defined(node):
                found[_place(module), name] = node
    twice = {name for _, name in found if sum(other == name for _, other in found) > 1}
    homes = {name: place for place, name in found if name not in twice}
    wanted, left = set(), [(homes[name], name) for name in names]
    renamed = {}
    for module in MODULES:
        scope = _scope(module, found)
        for node in {id(node): node for (place, _), node in found.items() if place == _place(module)}.values():
            rewritten = _Renamed(scope, twice)
            renamed[id(node)] = ast.unparse(rewritten.visit(node)), rewritten.uses
    while left:
        key = left.pop()
        if key not in wanted:
            wanted.add(key)
            left += renamed[id(found[key])][1]
    written = set()
    for key, node in found.items():  # in the order of MODULES, each of which uses those before it
        if key in wanted and id(node) not in written:
            written.add(id(node))
            gap = "\n\n\n" if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else "\n"
            parts.append(gap + renamed[id(node)][0])
    return ["\nfrom dataclasses import dataclass\nfrom fractions import Fraction\n\nimport numpy as np\n", *parts]


def _place(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return []


def _scope(module: ModuleType, found: dict[tuple[str, str], ast.stmt]) -> dict[str, tuple[str, str]]:
    """{a name in a module: where it is defined and under which name}."""
    place = _place(module)
    scope = {name: (place, name) for home, name in found if home == place}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastmlp.reference."):
            home = (node.module or "").rpartition(".")[2]
            names = (alias.name for alias in node.names)  # none is imported under another name
            scope |= {name: (home, name) for name in names if (home, name) in found}
    return scope


class _Renamed(ast.NodeTransformer):
    """Gives names that several modules define their module's as well, and notes which names are used."""

    def __init__(self, scope: dict[str, tuple[str, str]], twice: set[str]) -> None:
        self.scope, self.twice = scope, twice
        self.uses: list[tuple[str, str]] = []
        self._own: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function's parameters and variables are its own."""
        arguments = {argument.arg for argument in node.args.args}
        stored = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        before, self._own = self._own, self._own | arguments | stored
        node.name = self._called(node.name) if not before and node.name in self.scope else node.name
        self.generic_visit(node)
        self._own = before
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A name of the module, or one that it imports."""
        if node.id in self.scope and node.id not in self._own:
            return ast.copy_location(ast.Name(self._called(node.id), node.ctx), node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A function of a module that is imported whole, as elementary.exp."""
        if isinstance(node.value, ast.Name) and node.value.id == "elementary":
            self.uses.append(("elementary", node.attr))
            return ast.copy_location(ast.Name(self._written("elementary", node.attr), node.ctx), node)
        self.generic_visit(node)
        return node

    def _called(self, name: str) -> str:
        self.uses.append(self.scope[name])
        return self._written(*self.scope[name])

    def _written(self, place: str, name: str) -> str:
        return f"{place}_{name.lstrip('_')}" if name in self.twice else name
