"""What stands before and after a network in C: scales of rows, and units of values. Imports NumPy and the core.

A `Parts` holds the C text of two functions, so that any preparation of rows can be put before a network: `prepare`,
which makes the network's inputs of a row of the table, and `restore`, which makes what is answered of its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.core.network import Network
from fastmlp.export import c_text
from fastmlp.reference.arithmetic import fma


@dataclass(frozen=True, eq=False)
class Parts:
    """The code around a network, and rows by which the self-test checks it.

    prepare: the C text that defines `static int prepare(const double *x, real *a)`: from one row x of `columns` numbers
        to the network's inputs. It returns 0 where x cannot be used, else 1.
    restore: the C text that defines `static int restore(const real *z, double *y)`, from the network's outputs to as
        many values; it returns 0 where one is not finite. None where the network's own outputs are the answer.
    columns: what each number of a row is, for the comment of the header, which leaves them out if all are "".
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
    narrow: bool = False  # whether what restore writes is `real *y`, of the network's dtype


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


def rescale(scale: tuple[np.ndarray, np.ndarray] | None, count: int, narrow: bool = False) -> str:
    """Returns `restore` for z * deviation + mean in double, two roundings; for z itself where there is no scale.

    scale: mean and deviation, (J,) each. narrow: as in Parts.
    """
    tables, value = "", "(double)z[j]"
    if scale is not None:
        tables = _table("TARGET_MEAN", scale[0]) + _table("TARGET_DEVIATION", scale[1]) + "\n"
        value = "product64((double)z[j], TARGET_DEVIATION[j]) + TARGET_MEAN[j]"
    return f"""\
{tables}static int restore(const real *z, {"real" if narrow else "double"} *y)
{{
    size_t j;
    for (j = 0; j < {count}; ++j) {{
        y[j] = {f"(real)({value})" if narrow else value};
    }}
    return {"all_finite" if narrow else "finite_row"}(y, {count});
}}
"""


def of_network(
    network: Network, predict: Callable[[np.ndarray], np.ndarray], outputs: Callable[[np.ndarray], np.ndarray]
) -> Parts:
    """What stands around a network that standardises rows by itself.

    predict: the model's answers of rows; outputs: those of its network alone. Raises ValueError where no fit has learnt
    the scales.
    """
    scale, target = network.scales()
    assert scale is not None
    spec = network.spec
    examples = example_rows(
        *scale, spec.outputs, predict, target, lambda rows: outputs(network.inputs(rows, "reference"))
    )
    restore = None if target is None else rescale(target, spec.outputs, narrow=True)
    sizes = sum(part.nbytes for pair in (scale, target) if pair is not None for part in pair)
    title = "It takes a row as it is, and standardises it" + ("." if target is None else "; values are in y's units.")
    return Parts(standardise(*scale), restore, [""] * spec.inputs, None, *examples, sizes, title, narrow=True)


def example_rows(
    mean: np.ndarray,
    deviation: np.ndarray,
    outputs: int,
    predict: Callable[[np.ndarray], np.ndarray],
    target_scale: tuple[np.ndarray, np.ndarray] | None,
    scaled: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Eight rows around the mean (R, K), and what is predicted of them; none if that is beyond the range.

    Of 64, they are those first whose quantities would change if product and sum were rounded once. predict: the answers
    of rows; scaled: the same before target_scale, which is the quantities' mean and deviation, or None.
    """
    number = np.arange(64.0)[:, None]
    steps = (7 * number + 3 * np.arange(len(mean))) % 13 + number / 64
    with np.errstate(all="ignore"):
        rows = mean + deviation * ((steps - 6) / 4)
    try:
        answers = predict(rows).reshape(len(rows), -1)
    except ValueError:
        return rows[:0], np.zeros((0, outputs))
    hard = np.zeros(len(rows), bool)
    if target_scale is not None:
        z = scaled(rows).reshape(answers.shape).astype(np.float64)
        with np.errstate(over="ignore"):
            hard = (fma(z, target_scale[1], target_scale[0]).astype(answers.dtype) != answers).any(axis=1)
    chosen = np.argsort(~hard, kind="stable")[:8]
    return rows[chosen], answers[chosen]


def _table(name: str, values: np.ndarray) -> str:
    """A table of doubles."""
    return f"static const double {name}[{len(values)}] = {{\n{c_text.numbers(np.asarray(values, np.float64))}\n}};\n"
