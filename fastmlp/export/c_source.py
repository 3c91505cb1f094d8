"""A network as one C99 source and its header, with the bits of `Model.predict`. Joins the files of this folder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastmlp.checks.messages import shown
from fastmlp.export import c_arithmetic, c_functions, c_header, c_selftest, c_text
from fastmlp.export.c_parts import Parts
from fastmlp.export.files import place_of, write_together
from fastmlp.export.weights import folded
from fastmlp.spec import Spec

MOST = 4_000_000  # parameters: a source of 100 MB, which a compiler still takes

LOGITS = """\
int @name@_logits(const @given@ x[@NAME@_INPUTS], @real@ z[@NAME@_OUTPUTS])
{
@array@    @check@
        return @NAME@_BAD_INPUT;
    }
    logits(@row@, z);
    return all_finite(z, OUTPUTS) ? @NAME@_OK : @NAME@_BAD_OUTPUT;
}
"""

OUTPUT = """\
int @name@_outputs(const @given@ x[@NAME@_INPUTS], @made@ y[@NAME@_OUTPUTS])
{
@array@    @check@
        return @NAME@_BAD_INPUT;
    }
    logits(@row@, y);
@function@    return all_finite(y, OUTPUTS) ? @NAME@_OK : @NAME@_BAD_OUTPUT;
}
"""

RESTORED = """\
int @name@_outputs(const @given@ x[@NAME@_INPUTS], @made@ y[@NAME@_OUTPUTS])
{
    real z[OUTPUTS];
@array@    @check@
        return @NAME@_BAD_INPUT;
    }
    logits(@row@, z);
@function@    return all_finite(z, OUTPUTS) && restore(z, y) ? @NAME@_OK : @NAME@_BAD_OUTPUT;
}
"""

PREDICT = """\
int @name@_predict(const @given@ x[@NAME@_INPUTS], int32_t label[@NAME@_LABELS])
{
    real z[OUTPUTS];
    const int state = @name@_logits(x, z);
@place@    if (state != @NAME@_OK) {
        return state;
    }
@take@    return @NAME@_OK;
}
"""
TAKE = {
    "softmax": "    label[0] = (int32_t)first_largest(z);\n",
    "sigmoid": "    for (j = 0; j < OUTPUTS; ++j) {\n        label[j] = z[j] > 0;\n    }\n",
}

ROWS = """\
size_t @name@_@what@_rows(size_t rows, const @given@ *x, @result@ *results)
{
    size_t n;
    for (n = 0; n < rows; ++n) {
        if (@name@_@what@(x + n * @NAME@_INPUTS, results + n * @NAME@_@count@) != @NAME@_OK) {
            break;
        }
    }
    return n;
}
"""


def write(
    path: str | os.PathLike,
    spec: Spec,
    parameters: np.ndarray,
    digest: str,
    name: str | None = None,
    class_names: Sequence[str] | None = None,
    parts: Parts | None = None,
) -> tuple[Path, Path]:
    """Writes the source and the header, and returns where they are.

    path: the source, ending in .c, or a folder, in which the files are called network.c and network.h. digest:
    `Model.digest()`. name: what the names in C begin with; None is the source's own name. class_names: one text for
    each output. parts: what stands before and after the network. Raises ValueError and TypeError for arguments, OSError
    for files.
    """
    parameters, spec = folded(spec, parameters), spec.plain
    place = place_of(path, ".c", "network" if name is None else name)
    if name is None:
        name = c_text.identifier(place.stem, "name")
    name = c_text.identifier(name, "name")
    names = _checked_names(class_names, spec)
    if names is None and parts is not None and parts.classes is not None:
        names = c_header.class_names_of(parts.classes)
    if spec.parameters > MOST:
        raise ValueError(f"the network has {spec.parameters} parameters, and C sources are written up to {MOST}")
    head = place.with_suffix(".h")
    texts: dict[Path, str | bytes] = {
        place: source(spec, parameters, name, head.name, names, parts),
        head: c_header.written(spec, name, digest, parts, names),
    }
    write_together(texts)
    return place, head


def source(
    spec: Spec,
    parameters: np.ndarray,
    name: str,
    header: str,
    class_names: Sequence[str] | None,
    parts: Parts | None,
) -> str:
    """Returns the text of the source."""
    dtype = spec.dtype
    real = c_header.kind(dtype)
    body = [
        c_arithmetic.written(c_arithmetic.PRODUCT, dtype),
        _product64(dtype, parts),
        c_arithmetic.written(c_arithmetic.FUSED[real], dtype),
        c_arithmetic.written(c_arithmetic.FINITE, dtype),
        c_functions.functions(set(spec.hidden), spec.output, dtype),
        c_functions.DENSE,
        _layers(spec, parameters),
        _around(parts),
        _public(spec, name, parts),
        _class_tables(name, class_names, parts),
        _selftest(spec, parameters, name, parts),
    ]
    text = "\n".join(part for part in body if part)
    begin = [
        f"/* See {header}. Written by fastmlp: products and sums are in the order that docs/arithmetic.md has. */",
        "",
        f'#include "{header}"',
        "",
        "#include <float.h>",
        "",
        c_arithmetic.GUARDS,
        f"typedef {real} real;",
        f"typedef uint{8 * np.dtype(dtype).itemsize}_t word;",
        "",
        f"enum {{ INPUTS = {spec.inputs}, OUTPUTS = {spec.outputs} }}; /* of the network */",
        "",
        c_functions.constant_lines(text, dtype),
        c_arithmetic.written(c_arithmetic.NUMBER, dtype),
    ]
    return "\n".join(begin) + "\n" + text


def _product64(dtype: str, parts: Parts | None) -> str:
    """The product of doubles that a table's units need."""
    if parts is None or "product64" not in parts.prepare + (parts.restore or ""):
        return ""
    if dtype == "float64":
        return "#define product64 product\n"
    return c_arithmetic.written(c_arithmetic.PRODUCT, "float64", "product64")


def _layers(spec: Spec, parameters: np.ndarray) -> str:
    """The parameters, and `logits`, which goes through the layers."""
    first, second = c_header.buffers(spec)
    calls, here = [], "x"
    for layer, (offset, (inputs, outputs)) in enumerate(zip(spec.offsets, spec.shapes, strict=True)):
        last = layer == len(spec.shapes) - 1
        to = "z" if last else "ab"[layer % 2]
        start = f"PARAMETERS + {offset}" if offset else "PARAMETERS"
        calls.append(f"    dense({start}, {inputs}, {outputs}, {here}, {to});")
        if not last and spec.hidden[layer] != "identity":
            calls.append(f"    {spec.hidden[layer]}_forward({to}, {outputs});")
        here = to
    arrays = [f"    real {letter}[{size}];" for letter, size in (("a", first), ("b", second)) if size]
    body = "\n".join([*arrays, *calls])
    return f"""\
static const real PARAMETERS[{spec.parameters}] = {{
{c_text.numbers(parameters)}
}};

static void logits(const real *x, real *z)
{{
{body}
}}
"""


def _around(parts: Parts | None) -> str:
    """What stands before and after the network."""
    if parts is None:
        return ""
    return "\n".join([parts.prepare, *([parts.restore] if parts.restore else [])])


def _public(spec: Spec, name: str, parts: Parts | None) -> str:
    """The functions that the header declares, but for the self-test."""
    words = c_header.words(spec, name, parts)
    ways = [("outputs", "made", "OUTPUTS"), ("logits", "real", "OUTPUTS")]
    found = [LOGITS, RESTORED if parts is not None and parts.restore else OUTPUT]
    if c_header.labels(spec):
        found.append(PREDICT)
        ways.append(("predict", "label", "LABELS"))
    for what, result, count in ways:
        found.append(c_text.filled(ROWS, {"what": what, "result": f"@{result}@", "count": count}))
    given = "if (!all_finite(x, INPUTS)) {" if parts is None else "if (!prepare(x, a) || !all_finite(a, INPUTS)) {"
    take = TAKE.get(spec.output, "")
    values = {
        "label": "int32_t",
        "array": "" if parts is None else "    real a[INPUTS];\n",
        "check": given,
        "row": "x" if parts is None else "a",
        "function": "" if spec.output == "identity" else "    output(@to@, @to@);\n",
        "place": "    size_t j;\n" if "j" in take else "",
        "take": take,
    }
    text = c_text.filled("\n".join(found), values)
    return c_text.filled(text.replace("@to@", "z" if parts is not None and parts.restore else "y"), words)


def _class_tables(name: str, class_names: Sequence[str] | None, parts: Parts | None) -> str:
    """The classes' names, and the labels of a table."""
    found = []
    if class_names is not None:
        lines = "\n".join(f"    {c_text.text(label)}," for label in class_names)
        found.append(f"const char *const {name}_class_names[{name.upper()}_OUTPUTS] = {{\n{lines}\n}};\n")
    if parts is not None and parts.classes is not None:
        kind = c_header.classes_kind(parts.classes)
        macro = {"double": "{}", "int64_t": "INT64_C({})", "uint64_t": "UINT64_C({})"}[kind]
        if kind == "double":
            values = [c_text.number(np.float64(label)) for label in parts.classes]
        else:  # the least int64 is no literal
            values = ["INT64_MIN" if int(label) == -(2**63) else macro.format(int(label)) for label in parts.classes]
        found.append(f"const {kind} {name}_classes[{name.upper()}_OUTPUTS] = {{\n{c_text.words(values)}\n}};\n")
    return "\n".join(found)


def _selftest(spec: Spec, parameters: np.ndarray, name: str, parts: Parts | None) -> str:
    """The self-test, which a macro leaves out."""
    x = c_selftest.rows(spec)
    begin = f"UINT64_C({c_selftest.BEGIN:#x})"
    found = [
        f"#ifndef {name.upper()}_NO_SELFTEST",
        c_selftest.arithmetic(spec.dtype),
        c_selftest.network(spec, x),
    ]
    last = ""
    if parts is not None and len(parts.examples):
        found.append(_examples(name, spec, parts))
        last = "    if (!examples_are_right()) {\n        return 4;\n    }\n"
    found.append(
        f"int {name}_selftest(void)\n{{\n"
        "    if (!arithmetic_is_right()) {\n        return 1;\n    }\n"
        f"    if (digest({begin}, PARAMETERS, {spec.parameters}) != UINT64_C({c_selftest.digest(parameters):#x})) {{\n"
        "        return 2;\n    }\n"
        f"    if (digest_of_results() != UINT64_C({c_selftest.results(spec, parameters, x):#x})) {{\n"
        f"        return 3;\n    }}\n{last}    return 0;\n}}"
    )
    found.append("#endif\n")
    return "\n".join(found)


def _examples(name: str, spec: Spec, parts: Parts) -> str:
    """Whole rows of a table, and what is expected of them."""
    rows, width = parts.examples.shape
    made = c_header.words(spec, name, parts)["made"]
    answers = np.asarray(parts.answers, "float64" if made == "double" else "float32").reshape(rows, spec.outputs)
    values = itertools.chain.from_iterable(parts.examples)
    return f"""\
static const double EXAMPLES[{rows * width}] = {{
{c_text.numbers(np.float64(value) for value in values)}
}};

static const {made} ANSWERS[{rows * spec.outputs}] = {{
{c_text.numbers(answers.ravel())}
}};

static int examples_are_right(void)
{{
    {made} y[OUTPUTS];
    size_t n, j;
    for (n = 0; n < {rows}; ++n) {{
        if ({name}_outputs(EXAMPLES + n * {width}, y) != {name.upper()}_OK) {{
            return 0;
        }}
        for (j = 0; j < OUTPUTS; ++j) {{
            if (!(y[j] == ANSWERS[n * OUTPUTS + j])) {{
                return 0;
            }}
        }}
    }}
    return 1;
}}
"""


def _checked_names(class_names: Sequence[str] | None, spec: Spec) -> list[str] | None:
    """Names of classes, one for each output."""
    if class_names is None:
        return None
    if not spec.is_classifier:
        raise ValueError(f'class_names are for output="softmax" or "sigmoid", and this network has {spec.output!r}')
    try:
        names = None if isinstance(class_names, (str, bytes, dict, set)) else list(class_names)
    except TypeError:
        names = None
    if names is None or not all(isinstance(label, str) for label in names):
        raise TypeError(f"class_names={shown(class_names)} is not a list of texts: give one for each output")
    if len(names) != spec.outputs:
        raise ValueError(f"class_names has {len(names)} names, and the network has {spec.outputs} outputs")
    return [str(label) for label in names]
