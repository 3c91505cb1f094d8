"""The self-test of a C source: its arithmetic, its parameters, and outputs that the reference has computed.

Imports the reference. Rows of any width come from a generator of a few lines, so that they take no memory; what is kept
is one number for all parameters and one for all outputs. A single change of a bit always changes it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastmlp.export import c_text
from fastmlp.reference import train as reference
from fastmlp.reference.arithmetic import fma
from fastmlp.spec import Spec

STEP, SHIFT = 6364136223846793005, 1442695040888963407  # Knuth's MMIX generator
PRIME, BEGIN = 0x100000001B3, 0xCBF29CE484222325  # those of FNV-1a
# powers of two that multiply rows: about 1 most, and those where functions are near their ends
POWERS = (0, 0, 0, 1, -1, 2, 0, -2, 3, 0, 4, -4, 5, 1, 0, -8, 6, 0, -16, 7, 2, -24, 1, 8, 0, -40, 3, 10, -60, 0, 12, 1)
MANY = 100_000  # parameters from which on fewer rows are taken: the reference computes 10^5 of 32 rows in a second
MASK = 2**64 - 1


def rows(spec: Spec) -> np.ndarray:
    """Returns the self-test's rows, (R, K): numbers of 24 bits from the generator, times a power of two by row."""
    count = len(POWERS) if spec.parameters <= MANY else 4
    state, drawn = 1, np.empty(count * spec.inputs)
    for place in range(len(drawn)):
        state = (state * STEP + SHIFT) & MASK
        drawn[place] = (state >> 40) - 2**23
    powers = np.array(POWERS[:count], np.float64)
    return (drawn.reshape(count, -1) * 2.0 ** (powers[:, None] - 23)).astype(spec.dtype)


def digest(values: np.ndarray, begin: int = BEGIN) -> int:
    """Returns one number for the bits of the values, in their order."""
    found = begin
    for bits in values.ravel().view(f"u{values.itemsize}").tolist():
        found = ((found ^ bits) * PRIME) & MASK
        found ^= found >> 32
    return found


def results(spec: Spec, parameters: np.ndarray, x: np.ndarray) -> int:
    """Returns the digest of each row's logits, and then outputs, by the reference; infinite ones are left out."""
    found = BEGIN
    with np.errstate(all="ignore"):
        logits, outputs = reference.logits(spec, parameters, x), reference.outputs(spec, parameters, x)
    for of in zip(logits, outputs, strict=True):
        for values in of:
            if np.isfinite(values).all():
                found = digest(values, found)
    return found


def fma_cases(dtype: str) -> Iterator[tuple[np.ndarray, ...]]:
    """Yields (a, b, c, fma(a, b, c)) where another way to compute it has other bits."""
    info = np.finfo(dtype)
    kind, bits, least, most = info.dtype.type, info.nmant, float(info.smallest_subnormal), float(info.max)
    ulp, tie, half, third = 2.0**-bits, 2.0 ** -(bits + 1), 2.0 ** -(bits // 2 + 2), 2.0 ** -(bits // 2 - 1)
    hard = [
        (1 + half, 1 - half, -1),  # 0 where the product is rounded
        (1 + ulp, 1 + ulp, -(1 + 2 * ulp)),
        (tie * (1 + third), 1 - third + third**2, 1),  # above a tie by third^3 of it: lost where two roundings follow
        (tie * (1 + ulp), 1 - ulp, 1 + ulp),  # as little below a tie
        (tie * (1 + ulp), ulp - 1, 1 + ulp),
        (tie, 1, 1),  # ties, to even
        (tie, 1, 1 + ulp),
        (3, 1 / 3, -1),
        (1 - ulp, tie, 1),
        (1 + ulp, 1, -tie * ulp),
    ]
    small, large = 2.0 ** (info.minexp + 3 * bits // 2), 2.0 ** (info.maxexp - 3)
    hard += [(a * scale, b, c * scale) for scale in (small, large) for a, b, c in hard]
    for a, b, c in (
        *hard,
        (most, 2, -most),  # the product overflows, the result does not
        (most, -2, most),
        (most, 2, most),
        (info.tiny, 1 - ulp, least),  # subnormal
        (info.tiny, 0.5, -least),
        (least, 0.5, 0),  # a tie at the least number
        (least, 0.75, least),
        (least, -least, 1),
        (most, most, -1),
        (info.tiny, info.tiny, -info.tiny),
        (0, -1, 0),
    ):
        numbers = [np.array([value], kind) for value in (a, b, c)]
        yield *numbers, fma(*numbers)


ARITHMETIC = """\
static uint64_t digest(uint64_t found, const real *x, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        found = (found ^ bits_of(x[i])) * UINT64_C(@prime@);
        found ^= found >> 32;
    }
    return found;
}

static const word FMA_CASES[@cases@][4] = { /* the bits of a, b, c, fma(a, b, c) */
@fma@
};

/* Whether numbers are rounded to nearest, subnormal ones are kept, and each operation is made as it is written. */
static int arithmetic_is_right(void)
{
    volatile real read; /* so that nothing is computed beforehand */
    real one, tie, least_normal, minus_zero, x, y;
    size_t i;
    read = 1;
    one = read;
    read = @tie@;
    tie = read;
    read = @tiny@;
    least_normal = read;
    read = 0;
    minus_zero = -read;
    if (one + tie != one || (one + 2 * tie) + tie != one + 4 * tie || -one - tie != -one) {
        return 0;
    }
    x = least_normal / 2;
    if (!(x > 0) || x + x != least_normal || bits_of(minus_zero + 0) != 0 || bits_of(minus_zero) == 0) {
        return 0;
    }
    if (tie / 4 - ((one + tie / 4) - one) != tie / 4 || (tie + one) - one != 0) {
        return 0; /* sums in another order */
    }
    read = real_of(FMA_CASES[0][0]);
    x = read;
    read = real_of(FMA_CASES[0][1]);
    y = read;
    if (product(x, y) + real_of(FMA_CASES[0][2]) != 0) {
        return 0; /* contracted */
    }
    for (i = 0; i < @cases@; ++i) {
        real a, b, c;
        read = real_of(FMA_CASES[i][0]);
        a = read;
        read = real_of(FMA_CASES[i][1]);
        b = read;
        read = real_of(FMA_CASES[i][2]);
        c = read;
        if (bits_of(fused(a, b, c)) != FMA_CASES[i][3]) {
            return 0;
        }
    }
    return 1;
}
"""

NETWORK = """\
static const signed char POWERS[@rows@] = {
@powers@
};

static uint64_t digest_of_results(void)
{
    uint64_t state = 1, found = UINT64_C(@begin@);
    real x[@inputs@], z[@outputs@];
    size_t n, k;
    for (n = 0; n < @rows@; ++n) {
        real factor = @unit@; /* 2^-23 */
        int power;
        for (power = POWERS[n]; power > 0; --power) {
            factor = product(factor, 2);
        }
        for (; power < 0; ++power) {
            factor = product(factor, HALF);
        }
        for (k = 0; k < @inputs@; ++k) {
            state = state * UINT64_C(@step@) + UINT64_C(@shift@);
            x[k] = product((real)((int32_t)(state >> 40) - 8388608), factor);
        }
        logits(x, z);
        if (all_finite(z, @outputs@)) {
            found = digest(found, z, @outputs@);
        }
@output@    }
    return found;
}
"""
_OUTPUT = """\
        output(z, z);
        if (all_finite(z, @outputs@)) {
            found = digest(found, z, @outputs@);
        }
"""
_AGAIN = _OUTPUT.replace("        output(z, z);\n", "")


def arithmetic(dtype: str) -> str:
    """Returns `digest` and `arithmetic_is_right`."""
    info = np.finfo(dtype)
    kind = info.dtype.type
    cases = list(fma_cases(dtype))
    words = [[c_text.integer(number.view(f"u{number.itemsize}")[0]) for number in case] for case in cases]
    lines = [f"    {{{', '.join(case)}}}," for case in words]
    values = {
        "prime": f"{PRIME:#x}",
        "cases": str(len(cases)),
        "fma": "\n".join(lines),
        "tie": c_text.number(kind(2.0 ** -(info.nmant + 1))),
        "tiny": c_text.number(info.tiny),
    }
    return c_text.filled(ARITHMETIC, values)


def network(spec: Spec, x: np.ndarray) -> str:
    """Returns `digest_of_results`, over the rows x that `rows` gave."""
    values = {
        "output": _AGAIN if spec.output == "identity" else _OUTPUT,
        "rows": str(len(x)),
        "powers": c_text.words(map(str, POWERS[: len(x)])),
        "begin": f"{BEGIN:#x}",
        "step": str(STEP),
        "shift": str(SHIFT),
        "inputs": "INPUTS",
        "outputs": "OUTPUTS",
        "unit": c_text.number(np.dtype(spec.dtype).type(2.0**-23)),
    }
    return c_text.filled(NETWORK, values)
