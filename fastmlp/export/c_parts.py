"""What stands before and after a network in C: a table's scaling, and its units. Imports NumPy.

A `Parts` holds the C text of two functions, so that any preparation of rows can be put before a network: `prepare`,
which makes the network's inputs of a row of the table, and `restore`, which makes what is answered of its outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.export import c_text


@dataclass(frozen=True, eq=False)
class Parts:
    """The code around a network, and rows by which the self-test checks it.

    prepare: the C text that defines `static int prepare(const double *x, real *a)`: from one row x of `columns` numbers
        to the network's inputs. It returns 0 where x cannot be used, else 1.
    restore: the C text that defines `static int restore(const real *z, double *y)`, from the network's outputs to as
        many values; it returns 0 where one is not finite. None where the network's own outputs are the answer.
    columns: what each number of a row is, for the comment of the header.
    classes: the labels (C,) of a classifier, float64, int64 or uint64; None for quantities.
    examples: rows (R, columns), float64.
    answers: what is expected of them, (R, J): probabilities in the network's dtype, or values, float64.
    bytes: what the tables of prepare and restore take.
    title: what the header says of it, in one line.

    Inside both texts `real` is the network's dtype, `product64(a, b)` is a product of doubles that no compiler
    contracts, and `product`, `fused`, `bits_of` and `all_finite` are those of `c_arithmetic`.
    """

    prepare: str
    restore: str | None
    columns: Sequence[str]
    classes: np.ndarray | None
    examples: np.ndarray
    answers: np.ndarray
    bytes: int
    title: str


FINITE_ROW = """\
static int finite_row(const double *x, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        if (!(x[i] - x[i] == 0)) { /* NaN and infinity */
            return 0;
        }
    }
    return 1;
}
"""


def standardise(mean: np.ndarray, deviation: np.ndarray) -> str:
    """Returns `prepare` for (x - mean) / deviation in double, and 0 where a deviation is 0."""
    return (
        _table("MEAN", mean)
        + _table("DEVIATION", deviation)
        + f"""\

{FINITE_ROW}
static int prepare(const double *x, real *a)
{{
    size_t k;
    if (!finite_row(x, {len(mean)})) {{
        return 0;
    }}
    for (k = 0; k < {len(mean)}; ++k) {{
        a[k] = (real)(DEVIATION[k] > 0 ? (x[k] - MEAN[k]) / DEVIATION[k] : 0);
    }}
    return 1;
}}
"""
    )


def rescale(scale: tuple[np.ndarray, np.ndarray] | None, count: int) -> str:
    """Returns `restore` for z * deviation + mean in double, two roundings; for z itself where there is no scale.

    scale: mean and deviation, (J,) each.
    """
    tables, value = "", "(double)z[j]"
    if scale is not None:
        tables = _table("TARGET_MEAN", scale[0]) + _table("TARGET_DEVIATION", scale[1]) + "\n"
        value = "product64((double)z[j], TARGET_DEVIATION[j]) + TARGET_MEAN[j]"
    return f"""\
{tables}static int restore(const real *z, double *y)
{{
    size_t j;
    for (j = 0; j < {count}; ++j) {{
        y[j] = {value};
    }}
    return finite_row(y, {count});
}}
"""


def _table(name: str, values: np.ndarray) -> str:
    """A table of doubles."""
    return f"static const double {name}[{len(values)}] = {{\n{c_text.numbers(np.asarray(values, np.float64))}\n}};\n"
