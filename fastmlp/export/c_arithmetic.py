"""What a compiler has to keep: C that refuses other arithmetic, a product that stays by itself, and fma.

A compiler may contract a * b + c into one operation, gcc does so by default, and no macro tells. So no `+` or `-` of
the C source has an inexact product as an operand: `product` hides it, and where one rounding is wanted, `fused` is
called. docs/export.md says how this is tested. Imports `c_text`.
"""

from fastmlp.export import c_text

GUARDS = """\
#if !defined(FLT_EVAL_METHOD) || FLT_EVAL_METHOD != 0
#error "Precision other than float's and double's (FLT_EVAL_METHOD): use C99 or later; on x86 -msse2 -mfpmath=sse, too"
#endif
#if FLT_RADIX != 2 || FLT_MANT_DIG != 24 || FLT_MAX_EXP != 128 || DBL_MANT_DIG != 53 || DBL_MAX_EXP != 1024
#error "float and double are not those of IEEE-754"
#endif
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \\
    defined(__NO_SIGNED_ZEROS__) || defined(_M_FP_FAST) || \\
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0)
#error "Compile without -ffast-math and its parts: the results would have other bits"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif
"""

# The processor's own instruction. gcc says which there are by __FP_FAST_FMA; clang does not on all targets.
HARDWARE = {
    "double": "defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__) || "
    "(defined(__ARM_FEATURE_FMA) && defined(__ARM_FP) && (__ARM_FP & 8)) || "
    "(defined(__riscv_flen) && __riscv_flen >= 64)",
    "float": "defined(__FP_FAST_FMAF) || defined(__FMA__) || defined(__aarch64__) || "
    "(defined(__ARM_FEATURE_FMA) && defined(__ARM_FP) && (__ARM_FP & 4)) || "
    "(defined(__riscv_flen) && __riscv_flen >= 32)",
}

PRODUCT = """\
/* a b, rounded by itself: what makes it of its operands is hidden from the compiler, which cannot contract it then. */
static inline @type@ @name@(@type@ a, @type@ b)
{
#if defined(__GNUC__) && defined(__SSE2__)
    @type@ ab = a * b;
    __asm__("" : "+x"(ab));
    return ab;
#elif defined(__GNUC__) && defined(__aarch64__)
    @type@ ab = a * b;
    __asm__("" : "+w"(ab));
    return ab;
#elif defined(__GNUC__) && defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & @vfp@)
    @type@ ab = a * b;
    __asm__("" : "+@register@"(ab));
    return ab;
#elif defined(__GNUC__) && defined(__riscv_flen) && __riscv_flen >= @bits@
    @type@ ab = a * b;
    __asm__("" : "+f"(ab));
    return ab;
#else
    volatile @type@ ab = a * b;
    return ab;
#endif
}
"""

NUMBER = """\
typedef union {
    @type@ real;
    uint@bits@_t bits;
} number;

static inline uint@bits@_t bits_of(@type@ x)
{
    number n;
    n.real = x;
    return n.bits;
}

static inline @type@ real_of(uint@bits@_t bits)
{
    number n;
    n.bits = bits;
    return n.real;
}
"""

FINITE = """\
static int all_finite(const @type@ *x, size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        if (((bits_of(x[i]) >> MANTISSA_BITS) & EXPONENT_LIMIT) == EXPONENT_LIMIT) {
            return 0;
        }
    }
    return 1;
}
"""

_BEGIN = """\
/* fma(a, b, c) = a b + c, rounded once. */
#if defined(__GNUC__) && (@hardware@)
static inline @type@ fused(@type@ a, @type@ b, @type@ c)
{
    return __builtin_fma@f@(a, b, c);
}
#else
"""

FUSED = {
    "float": _BEGIN
    + """\
/* The product is exact in double. The sum is rounded to odd, so that the rounding to float is the only one (Boldo and
   Melquiond, IEEE Transactions on Computers 57(4), 2008). No contraction changes it, since the product is exact. */
static float fused(float a, float b, float c)
{
    union {
        double real;
        uint64_t bits;
    } sum;
    const double product_of = (double)a * (double)b, added = (double)c;
    double back, error;
    sum.real = product_of + added;
    back = sum.real - product_of;
    error = (product_of - (sum.real - back)) + (added - back);
    if ((error < 0 || error > 0) && (sum.bits & 1) == 0) {
        sum.bits = (error > 0) == (sum.real > 0) ? sum.bits + 1 : sum.bits - 1;
    }
    return (float)sum.real;
}
#endif
""",
    "double": _BEGIN
    + """\
/* For all numbers, by integers: the product and c as numbers of 128 bits, high and low. What is cut off at the end sets
   the last bit. */
typedef struct {
    uint64_t high, low;
} wide;

static wide shifted(wide x, int places) /* to the right, places >= 0 */
{
    wide y;
    uint64_t cut;
    if (places == 0) {
        return x;
    }
    if (places >= 128) {
        y.high = 0;
        y.low = (x.high | x.low) != 0;
        return y;
    }
    if (places >= 64) {
        cut = x.low | (places > 64 ? x.high << (128 - places) : 0);
        y.low = x.high >> (places - 64);
        y.high = 0;
    } else {
        cut = x.low << (64 - places);
        y.low = x.low >> places | x.high << (64 - places);
        y.high = x.high >> places;
    }
    y.low |= cut != 0;
    return y;
}

static uint64_t mantissa_of(uint64_t bits, int *exponent) /* 53 bits, the first of them 1; of a number that is not 0 */
{
    uint64_t mantissa = bits & UINT64_C(0x000fffffffffffff);
    *exponent = (int)(bits >> 52 & 2047);
    if (*exponent != 0) {
        return mantissa | UINT64_C(0x0010000000000000);
    }
    *exponent = 1;
    while ((mantissa >> 52) == 0) {
        mantissa <<= 1;
        --*exponent;
    }
    return mantissa;
}

static double fused_by_integers(double a, double b, double c)
{
    const uint64_t sign_bit = UINT64_C(0x8000000000000000), infinite = UINT64_C(0x7ff0000000000000);
    const uint64_t a_bits = bits_of(a), b_bits = bits_of(b), c_bits = bits_of(c);
    const uint64_t a_size = a_bits & ~sign_bit, b_size = b_bits & ~sign_bit, c_size = c_bits & ~sign_bit;
    uint64_t sign = (a_bits ^ b_bits) & sign_bit, x, y, middle, rest;
    wide p, q;
    int exponent, other, up;
    if (a_size >= infinite || b_size >= infinite || a_size == 0 || b_size == 0) {
        return product(a, b) + c; /* the product is exact */
    }
    if (c_size >= infinite) {
        return c;
    }
    if (c_size == 0) {
        return product(a, b);
    }
    x = mantissa_of(a_size, &exponent);
    y = mantissa_of(b_size, &other);
    exponent += other - 2170;
    /* p = x y 2^20, which begins at bit 124 or 125 */
    x <<= 10;
    y <<= 10;
    middle = (x >> 32) * (y & 0xffffffffu) + ((x & 0xffffffffu) * (y & 0xffffffffu) >> 32);
    rest = (x & 0xffffffffu) * (y >> 32) + (middle & 0xffffffffu);
    p.high = (x >> 32) * (y >> 32) + (middle >> 32) + (rest >> 32);
    p.low = x * y;
    /* q = the mantissa of c 2^72, which begins at bit 124 */
    q.high = mantissa_of(c_size, &other) << 8;
    q.low = 0;
    other -= 1147;
    if (exponent > other) {
        q = shifted(q, exponent - other);
    } else {
        p = shifted(p, other - exponent);
        exponent = other;
    }
    if (sign == (c_bits & sign_bit)) {
        p.low += q.low;
        p.high += q.high + (p.low < q.low);
    } else {
        if (p.high < q.high || (p.high == q.high && p.low < q.low)) {
            const wide larger = q;
            q = p;
            p = larger;
            sign ^= sign_bit;
        }
        p.high -= q.high + (p.low < q.low);
        p.low -= q.low;
        if ((p.high | p.low) == 0) {
            return 0;
        }
    }
    if (p.high == 0) {
        p.high = p.low >> 1;
        p.low <<= 63;
        exponent -= 63;
    }
    while ((p.high >> 62) == 0) {
        p.high = p.high << 1 | p.low >> 63;
        p.low <<= 1;
        --exponent;
    }
    exponent += 1149; /* of the result, as its bits have it */
    if (exponent > 2046) {
        return real_of(sign | infinite);
    }
    if (exponent < 1) {
        p = shifted(p, 1 - exponent);
        exponent = 1;
    }
    rest = p.high & 1023;
    x = p.high >> 10;
    up = rest > 512 || (rest == 512 && (p.low != 0 || (x & 1) != 0));
    return real_of(sign | (((uint64_t)(exponent - 1) << 52) + x + (uint64_t)up));
}

/* Where no step can overflow or underflow: the exact product and the exact sum, each as two numbers, and one rounding
   to odd before the last (Boldo and Melquiond, IEEE Transactions on Computers 57(4), 2008). The halves have 26 bits:
   their products are exact, and no contraction changes them. */
static double fused(double a, double b, double c)
{
    const unsigned a_power = (unsigned)(bits_of(a) >> 52 & 2047), b_power = (unsigned)(bits_of(b) >> 52 & 2047);
    const unsigned c_power = (unsigned)(bits_of(c) >> 52 & 2047);
    double ab, a_high, a_low, b_high, b_low, ab_low, high, high_low, sum, sum_low, back, error;
    uint64_t bits;
    if (a_power - 100 > 1900 || b_power - 100 > 1900 || a_power + b_power - 1153 > 1870 || c_power - 130 > 1870) {
        return fused_by_integers(a, b, c);
    }
    ab = product(a, b);
    a_high = real_of((bits_of(a) + 0x4000000u) & ~(uint64_t)0x7ffffff);
    b_high = real_of((bits_of(b) + 0x4000000u) & ~(uint64_t)0x7ffffff);
    a_low = a - a_high;
    b_low = b - b_high;
    ab_low = ((a_high * b_high - ab) + a_high * b_low + a_low * b_high) + a_low * b_low;
    high = c + ab_low;
    back = high - c;
    high_low = (c - (high - back)) + (ab_low - back);
    sum = ab + high;
    back = sum - ab;
    sum_low = (ab - (sum - back)) + (high - back);
    ab_low = high_low + sum_low;
    back = ab_low - high_low;
    error = (high_low - (ab_low - back)) + (sum_low - back);
    bits = bits_of(ab_low);
    bits += ((error < 0) | (error > 0)) & ~bits & 1 ? ((error > 0) == (ab_low > 0) ? (uint64_t)1 : ~(uint64_t)0) : 0;
    return sum + real_of(bits);
}
#endif
""",
}


def written(template: str, dtype: str, name: str = "product") -> str:
    """Returns a template of this module for float32 or float64."""
    kind = "float" if dtype == "float32" else "double"
    values = {"type": kind, "name": name, "hardware": HARDWARE[kind]}
    if dtype == "float32":
        values |= {"bits": "32", "f": "f", "vfp": "4", "register": "t"}
    else:
        values |= {"bits": "64", "f": "", "vfp": "8", "register": "w"}
    return c_text.filled(template, values)
