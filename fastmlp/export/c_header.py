"""The header of a C source: what a caller sees. Imports the other files of this folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp._version import __version__
from fastmlp.checks.messages import in_digits
from fastmlp.export import c_text
from fastmlp.export.c_parts import Parts
from fastmlp.spec import NUMERICS_VERSION, Spec

CALLS = 2048  # bytes of stack for calls, at most, apart from the arrays that are counted
CODE = 12288  # bytes of code, at most, without the self-test
SHOWN = 100  # columns of a table that the comment names

ABOUT = """\
#ifndef @NAME@_H
#define @NAME@_H

/* @name@: a network of @layers@ in @real@, exported by fastmlp @version@.

   Hidden activations: @hidden@. Output: @output@.
   Digest of the network: @digest@ (numerics version @numerics@).
@table@
   Compile @name@.c as C99 or later, without -ffast-math. It has the bits of fastmlp on every processor, with and
   without an instruction for fma; with it (-march=native, -mfma) it is several times as fast. It calls no library,
   allocates nothing, and has no state: threads may call it at once. x and the results must not overlap.

   Stack: @stack@ bytes of arrays, and less than @calls@ for calls. Memory that is only read: @flash@ bytes of
   parameters and tables, and less than @code@ of code. The self-test has more of both; @NAME@_NO_SELFTEST leaves it
   out. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define @NAME@_INPUTS @inputs@
#define @NAME@_OUTPUTS @outputs@
"""

STATES = """\

enum {
    @NAME@_OK = 0,
    @NAME@_BAD_INPUT = -1, /* NaN or infinity in x, or a number that the network's type cannot hold */
    @NAME@_BAD_OUTPUT = -2 /* a result is not finite: x or the weights are too large */
};

"""

FUNCTIONS = """\
/* y = @what@ of the row x. Returns @NAME@_OK, or what is wrong; y is then of no use. */
int @name@_outputs(const @given@ x[@NAME@_INPUTS], @made@ y[@NAME@_OUTPUTS]);

/* z = the last layer's sums, before the output function. */
int @name@_logits(const @given@ x[@NAME@_INPUTS], @real@ z[@NAME@_OUTPUTS]);

"""

PREDICT = """\
/* @taken@ */
int @name@_predict(const @given@ x[@NAME@_INPUTS], int32_t label[@NAME@_LABELS]);

"""

ROWS = """\
/* The same for rows of x, one behind the other. Returns how many rows were done: where they are fewer than rows, the
   next row was refused, and the function above says why. */
size_t @name@_outputs_rows(size_t rows, const @given@ *x, @made@ *y);
size_t @name@_logits_rows(size_t rows, const @given@ *x, @real@ *z);
"""

END = """\

#ifndef @NAME@_NO_SELFTEST
/* 0 where this program has the bits that fastmlp has. Else 1: the arithmetic differs (rounding, subnormal numbers,
   contraction, fma); 2: the parameters do; 3: the network's results do; 4: those of a whole row do. */
int @name@_selftest(void);
#endif

#ifdef __cplusplus
}
#endif

#endif
"""

WHAT = {
    "softmax": "probabilities",
    "sigmoid": "probabilities of 1",
    "identity": "values",
    "exponential": "means",
}
TAKEN = {
    "softmax": "label[0] = the place, from 0, of the first largest logit.",
    "sigmoid": "label[j] = 1 where logit j is above 0, else 0.",
}


def kind(dtype: str) -> str:
    """Returns C's name of a dtype."""
    return "float" if dtype == "float32" else "double"


def labels(spec: Spec) -> int:
    """Returns how many labels a row has; 0 where there are none."""
    return {"softmax": 1, "sigmoid": spec.outputs}.get(spec.output, 0)


def buffers(spec: Spec) -> tuple[int, int]:
    """Returns the lengths of the two arrays that hidden layers write to in turn."""
    hidden = spec.layers[1:-1]
    return max(hidden[0::2], default=0), max(hidden[1::2], default=0)


def stack(spec: Spec, parts: Parts | None) -> int:
    """Returns the bytes of all arrays that a prediction has on the stack at once."""
    numbers = sum(buffers(spec)) + spec.outputs + (spec.inputs if parts else 0)
    return numbers * np.dtype(spec.dtype).itemsize


def words(spec: Spec, name: str, parts: Parts | None) -> dict[str, str]:
    """Returns what stands in the places of @names@: types, sizes, and what names begin with.

    given: the type of a row's numbers; made: that of outputs. Those of a table are double, whatever the dtype.
    """
    real = kind(spec.dtype)
    return {
        "name": name,
        "NAME": name.upper(),
        "real": real,
        "given": "double" if parts else real,
        "made": "double" if parts and parts.restore and not parts.narrow else real,
        "inputs": str(len(parts.columns) if parts else spec.inputs),
        "outputs": str(spec.outputs),
    }


def written(spec: Spec, name: str, digest: str, parts: Parts | None, class_names: Sequence[str] | None) -> str:
    """Returns the text of the header."""
    size = np.dtype(spec.dtype).itemsize
    values = words(spec, name, parts) | {
        "layers": "-".join(map(str, spec.layers)),
        "version": __version__,
        "hidden": ", ".join(spec.hidden) or "none",
        "output": spec.output,
        "digest": digest,
        "numerics": str(NUMERICS_VERSION),
        "table": _table(parts),
        "stack": str(stack(spec, parts)),
        "calls": str(CALLS),
        "flash": str(spec.parameters * size + (parts.bytes if parts else 0)),
        "code": str(CODE),
        "what": WHAT[spec.output],
        "taken": TAKEN.get(spec.output, ""),
    }
    text = ABOUT
    if labels(spec):
        text += f"#define @NAME@_LABELS {labels(spec)} /* of a row */\n"
    text += STATES
    if class_names is not None:
        text += "extern const char *const @name@_class_names[@NAME@_OUTPUTS]; /* in UTF-8 */\n"
    if parts is not None and parts.classes is not None:
        text += f"extern const {classes_kind(parts.classes)} @name@_classes[@NAME@_OUTPUTS]; /* the labels */\n"
    text += FUNCTIONS
    if labels(spec):
        text += PREDICT
    text += ROWS
    if labels(spec):
        text += "size_t @name@_predict_rows(size_t rows, const @given@ *x, int32_t *labels);\n"
    return c_text.filled(text + END, values)


def classes_kind(classes: np.ndarray) -> str:
    """Returns the C type of a table's labels."""
    return {"f": "double", "i": "int64_t", "u": "uint64_t"}[classes.dtype.kind]


def class_names_of(classes: np.ndarray) -> list[str]:
    """Returns a table's labels as texts, with all of their digits."""
    return [in_digits(label) if label == int(label) else repr(float(label)) for label in classes]


def _table(parts: Parts | None) -> str:
    """What the comment says of a table's columns."""
    if parts is None:
        return ""
    if not any(parts.columns):
        return f"\n   {c_text.comment(parts.title)}\n"
    lines = ["", f"   {c_text.comment(parts.title)} The numbers of a row x:"]
    lines += [f"   {k}: {c_text.comment(column)}" for k, column in enumerate(parts.columns[:SHOWN])]
    if len(parts.columns) > SHOWN:
        lines.append(f"   and {len(parts.columns) - SHOWN} more")
    return "\n".join([*lines, ""])
