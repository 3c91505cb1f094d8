"""Elementary functions, activations and outputs in C. Imports the constants of the reference.

Each has the name of its definition in `fastmlp/reference/elementary.py`, `activations.py` or `losses.py`, with an
underscore where C's library has the name, and the same operations in the same order. `product` and `fused` are those of
`c_arithmetic`. Constants are macros of the names that docs/arithmetic.md has.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from fastmlp.export import c_text
from fastmlp.reference import constants


class Function(NamedTuple):
    """A function's text, and the names of those that it calls."""

    text: str
    needs: tuple[str, ...] = ()


POLYNOMIALS = ("EXP_POLYNOMIAL", "LOG_POLYNOMIAL", "NORMAL_POLYNOMIAL")

FUNCTIONS = {
    "reduced": Function("""\
/* x = k ln 2 + r, nearly; power is 2^k times what magic says. */
static real reduced(real x, real magic, real *power, real *k)
{
    const real t = fused(x, LOG2_E, magic);
    *power = real_of(bits_of(t) << MANTISSA_BITS);
    *k = t - magic;
    return fused(*k, -LN2_HI, x);
}
"""),
    "rest": Function(
        """\
static real rest(real r, real r_low) /* e^(r + r_low) = 1 + r + rest */
{
    const real s = r + r_low;
    return fused(product(s, s), exp_polynomial(s), r_low);
}
""",
        ("EXP_POLYNOMIAL",),
    ),
    "exp_": Function(
        """\
static real exp_(real x)
{
    real power, k, r, p;
    x = x > EXP_HIGHEST ? EXP_HIGHEST : x;
    x = x < EXP_LOWEST ? EXP_LOWEST : x;
    r = reduced(x, x < 0 ? MAGIC_EXPONENT_UP : MAGIC_EXPONENT_DOWN, &power, &k);
    p = rest(r, product(k, -LN2_LO));
    return product(fused(r + p, power, power), x < 0 ? SCALE_DOWN : SCALE_UP);
}
""",
        ("reduced", "rest"),
    ),
    "exp_less_one": Function("""\
static real exp_less_one(real power, real r, real p, real *n_low) /* n + n_low = power (1 + r + p) - 1 */
{
    const real c = power - 1, n = fused(r + p, power, c);
    *n_low = fused(p, power, fused(r, power, c - n));
    return n;
}
"""),
    "expm1_nonpositive": Function(
        """\
static real expm1_nonpositive(real x)
{
    real power, k, r, n, n_low;
    x = x < -TANH_HIGHEST ? -TANH_HIGHEST : x;
    r = reduced(x, MAGIC_EXPONENT, &power, &k);
    n = exp_less_one(power, r, rest(r, product(k, -LN2_LO)), &n_low);
    return n + n_low;
}
""",
        ("reduced", "rest", "exp_less_one"),
    ),
    "reciprocal_error": Function("""\
static real reciprocal_error(real y, real high, real low) /* 1 / (high + low) = y (1 + error) */
{
    return fused(-y, low, fused(-y, high, 1));
}
"""),
    "sigmoid": Function(
        """\
static real sigmoid(real x)
{
    real t = real_of(bits_of(x) & ~SIGN_MASK), power, k, r, p, p_low, e, e_low, high, low, s;
    t = t > -EXP_LOWEST ? -EXP_LOWEST : t;
    r = reduced(t, MAGIC_EXPONENT_DOWN, &power, &k);
    p_low = rest(r, product(k, -LN2_LO));
    p = r + p_low;
    e = fused(p, power, power);
    e_low = fused(p, power, power - e);
    high = SCALE_DOWN + e;
    low = (SCALE_DOWN - (high - e)) + e_low;
    s = 1 / high;
    s = product(fused(s, reciprocal_error(s, high, low), s), SCALE_DOWN);
    return x < 0 ? s : 1 - s;
}
""",
        ("reduced", "rest", "reciprocal_error"),
    ),
    "tanh_": Function(
        """\
static real tanh_(real x)
{
    real t = product(real_of(bits_of(x) & ~SIGN_MASK), 2), power, k, r, n, n_low, high, low, y;
    t = t > TANH_HIGHEST ? TANH_HIGHEST : t;
    r = reduced(t, MAGIC_EXPONENT, &power, &k);
    n = exp_less_one(power, r, rest(r, product(k, -LN2_LO)), &n_low);
    high = 2 + n;
    low = (n - (high - 2)) + n_low;
    y = 1 / high;
    y = fused(n, y, product(y, fused(n, reciprocal_error(y, high, low), n_low)));
    return real_of(bits_of(y) | (bits_of(x) & SIGN_MASK));
}
""",
        ("reduced", "rest", "exp_less_one", "reciprocal_error"),
    ),
    "log1p_": Function(
        """\
static real log1p_(real x) /* x >= 0 */
{
    const real u = 1 + x, c = x - (u - 1);
    const word bits = bits_of(u) + (ONE_BITS - SQRT_HALF_BITS);
    const real exponent = real_of(bits >> MANTISSA_BITS | MAGIC_BITS);
    const real f = real_of((bits & MANTISSA_MASK) + SQRT_HALF_BITS) - 1, k = exponent - MAGIC_EXPONENT;
    const real twice = real_of((EXPONENT_LIMIT - bits_of(exponent)) << MANTISSA_BITS); /* 2 / 2^k */
    const real s = f / (f + 2), z = product(s, s), h = product(product(f, HALF), f);
    const real low = fused(k, LN2_LO, product(product(c, twice), HALF - s));
    const real tail = fused(z, log_polynomial(z), h);
    const real y = fused(k, LN2_HI, f - (h - fused(s, tail, low)));
    return all_finite(&x, 1) ? y : x;
}
""",
        ("LOG_POLYNOMIAL",),
    ),
    "normal_tail": Function(
        """\
static real normal_tail(real t) /* SCALE_UP times Phi(-t), 0 <= t <= NORMAL_HIGHEST */
{
    const real half = product(t, -HALF), square = product(half, t);
    real power, k, r, p, u, slant, n, n_low, s, s_low, y, q, q_low;
    r = reduced(square, MAGIC_EXPONENT_UP, &power, &k);
    p = rest(r, fused(k, -LN2_LO, fused(half, t, -square)));
    u = (t - NORMAL_CENTRE) / (t + NORMAL_CENTRE);
    slant = normal_polynomial(u);
    n = fused(slant, u, NORMAL_MIDDLE);
    n_low = fused(slant, u, NORMAL_MIDDLE - n);
    s = t + NORMAL_SHIFT;
    s_low = t - (s - NORMAL_SHIFT);
    y = 1 / s;
    q = product(n, y);
    q_low = product(fused(-q, s_low, fused(-q, s, n)) + n_low, y);
    return product(q + fused(r, q, fused(p, q, fused(r, q_low, q_low))), power);
}
""",
        ("reduced", "rest", "NORMAL_POLYNOMIAL"),
    ),
}

# a of z, by activation
ACTIVATIONS = {
    "relu": Function("z < 0 ? 0 : z"),
    "leaky_relu": Function("z < 0 ? product(LEAK, z) : z"),
    "elu": Function("z < 0 ? expm1_nonpositive(z) : z", ("expm1_nonpositive",)),
    "selu": Function(
        "z < 0 ? product(SELU_ALPHA_SCALE, expm1_nonpositive(z)) : product(SELU_SCALE, z)", ("expm1_nonpositive",)
    ),
    "sigmoid": Function("sigmoid(z)", ("sigmoid",)),
    "tanh": Function("tanh_(z)", ("tanh_",)),
    "softplus": Function("(z > 0 ? z : 0) + log1p_(exp_(real_of(bits_of(z) | SIGN_MASK)))", ("exp_", "log1p_")),
    "silu": Function("silu(z)", ("silu",)),
    "mish": Function("mish(z)", ("mish",)),
    "gelu": Function("gelu(z)", ("gelu",)),
    "gelu_erf": Function("gelu_erf(z)", ("gelu_erf",)),
}
FUNCTIONS |= {
    "silu": Function(
        """\
static real silu(real z)
{
    const real s = sigmoid(z);
    return s == 0 ? s : product(z, s);
}
""",
        ("sigmoid",),
    ),
    "mish": Function(
        """\
static real mish(real z)
{
    const real e = exp_(real_of(bits_of(z) | SIGN_MASK)), twice = e + e;
    const real n = z < 0 ? fused(e, e, twice) : 1 + twice;
    const real t = product(n, 1 / (z < 0 ? n + 2 : fused(twice, e, n)));
    return t == 0 ? t : product(z, t);
}
""",
        ("exp_",),
    ),
    "gelu": Function(
        """\
static real gelu(real z)
{
    real x = z > GELU_HIGHEST ? GELU_HIGHEST : z, s;
    x = x < -GELU_HIGHEST ? -GELU_HIGHEST : x;
    s = sigmoid(product(product(GELU_SCALE, x), fused(GELU_CUBE, product(x, x), 1)));
    return s == 0 ? s : product(z, s);
}
""",
        ("sigmoid",),
    ),
    "gelu_erf": Function(
        """\
static real gelu_erf(real z)
{
    real t = real_of(bits_of(z) & ~SIGN_MASK);
    t = t > NORMAL_HIGHEST ? NORMAL_HIGHEST : t;
    return (z > 0 ? z : 0) - product(product(t, normal_tail(t)), SCALE_DOWN);
}
""",
        ("normal_tail",),
    ),
}

DENSE = """\
/* z[j] = b[j], and then z[j] = fma(a[k], w[k][j], z[j]) for k = 0, 1, ...: the sums of count units, in registers. */
static inline void units(size_t count, const real *w, const real *b, size_t K, size_t J, const real *a, real *z)
{
    real sum[16];
    size_t k, u;
    for (u = 0; u < count; ++u) {
        sum[u] = b[u];
    }
    for (k = 0; k < K; ++k, w += J) {
        for (u = 0; u < count; ++u) {
            sum[u] = fused(a[k], w[u], sum[u]);
        }
    }
    for (u = 0; u < count; ++u) {
        z[u] = sum[u];
    }
}

static void dense(const real *parameters, size_t K, size_t J, const real *a, real *z) /* parameters: w[K][J], b[J] */
{
    const real *b = parameters + K * J;
    size_t j = 0;
    for (; j + 16 <= J; j += 16) {
        units(16, parameters + j, b + j, K, J, a, z + j);
    }
    for (; j + 8 <= J; j += 8) {
        units(8, parameters + j, b + j, K, J, a, z + j);
    }
    for (; j + 4 <= J; j += 4) {
        units(4, parameters + j, b + j, K, J, a, z + j);
    }
    for (; j < J; ++j) {
        units(1, parameters + j, b + j, K, J, a, z + j);
    }
}
"""

LARGEST = """\
static size_t first_largest(const real *z)
{
    size_t j, label = 0;
    for (j = 1; j < OUTPUTS; ++j) {
        label = z[j] > z[label] ? j : label;
    }
    return label;
}
"""

# y of the logits z, both of OUTPUTS numbers and perhaps at one place
OUTPUTS = {
    "softmax": Function(
        LARGEST
        + """
static void output(const real *z, real *y)
{
    const real m = z[first_largest(z)];
    real s = 0, factor;
    size_t j;
    for (j = 0; j < OUTPUTS; ++j) {
        y[j] = exp_(z[j] - m);
        s = j == 0 ? y[j] : s + y[j];
    }
    factor = 1 / s;
    for (j = 0; j < OUTPUTS; ++j) {
        y[j] = product(y[j], factor);
    }
}
""",
        ("exp_",),
    ),
    "sigmoid": Function("sigmoid(z[j])", ("sigmoid",)),
    "exponential": Function("exp_(z[j])", ("exp_",)),
    "identity": Function(""),
}
_FORWARD = """\
static void @kind@_forward(real *a, size_t J)
{
    size_t j;
    for (j = 0; j < J; ++j) {
        const real z = a[j];
        a[j] = @value@;
    }
}
"""
_EACH = """\
static void output(const real *z, real *y)
{
    size_t j;
    for (j = 0; j < OUTPUTS; ++j) {
        y[j] = @value@;
    }
}
"""


def needed(names: list[str]) -> list[str]:
    """Returns the names and what they need, in an order in which each comes after its own."""
    found: list[str] = []

    def add(name: str) -> None:
        for need in FUNCTIONS[name].needs if name in FUNCTIONS else ():
            add(need)
        if name not in found:
            found.append(name)

    for name in names:
        add(name)
    return found


def functions(hidden: set[str], output: str, dtype: str) -> str:
    """Returns the constants and functions that a network with these activations and this output calls, but for dense.

    An activation becomes `relu_forward(z, J)`, which writes a in the place of z; the output, `output(z, y)`.
    """
    kinds = sorted(hidden - {"identity"})
    uses = [need for kind in kinds for need in ACTIVATIONS[kind].needs] + list(OUTPUTS[output].needs)
    parts = [_polynomial(name, dtype) if name in POLYNOMIALS else FUNCTIONS[name].text for name in needed(uses)]
    for kind in kinds:
        parts.append(c_text.filled(_FORWARD, {"kind": kind, "value": ACTIVATIONS[kind].text}))
    if output == "softmax":
        parts.append(OUTPUTS[output].text)
    elif output != "identity":
        parts.append(c_text.filled(_EACH, {"value": OUTPUTS[output].text}))
    return "\n".join(parts)


def constant_lines(text: str, dtype: str) -> str:
    """Returns the macros of the reference's constants that a text names, in the reference's order."""
    used = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))
    lines = []
    for name, value in vars(constants).items():
        if isinstance(value, constants.Constant) and name in used:
            chosen = value[dtype]
            if name == "MANTISSA_BITS":
                literal = str(int(chosen))
            elif isinstance(chosen, np.floating):
                literal = c_text.number(chosen)
                literal = f"({literal})" if chosen < 0 else literal  # -LN2_LO is no decrement then
            else:
                literal = c_text.integer(chosen)
            lines.append(f"#define {name} {literal}")
    return "\n".join(lines) + "\n"


def _polynomial(name: str, dtype: str) -> str:
    """A polynomial as a function: the highest degree first, an fma for each degree."""
    first, *others = map(c_text.number, getattr(constants, name)[dtype])
    lines = [f"    v = fused(v, x, {c});" for c in others]
    return (
        f"static real {name.lower()}(real x)\n{{\n    real v = {first};\n" + "\n".join(lines) + "\n    return v;\n}\n"
    )
