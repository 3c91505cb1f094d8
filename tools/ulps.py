"""The largest errors of the elementary functions and of gelu_erf, in units in the last place, by trying arguments.

    python tools/ulps.py            float64: 16 million arguments each, judged by long double (80 bits, x86 only)
    python tools/ulps.py --float32  every float32 argument, judged by float64: about ten minutes

Through the kernels, whose bits are the reference's. NumPy has no normal distribution: normal_cdf and gelu_erf are
judged by mpmath at 250 thousand float64 arguments, and in float32 by our own float64. The slope of gelu_erf has a zero
near -0.75: its error is in ulps of the larger of it and Phi(-|z|).
"""

import argparse

import mpmath
import numpy as np

from fastmlp.kernels.registry import load_all

NORMAL = ("normal_cdf", "gelu_erf", "gelu_erf_slope")
FUNCTIONS = ("exp", "sigmoid", "tanh", "log", "log1p", *NORMAL)
PART = 1 << 22


def computed(name, x):
    """The function by our kernels."""
    a, y = x.copy(), np.empty_like(x)
    if name.startswith("gelu_erf"):
        load_all()["activations.gelu_erf_forward"](x.dtype.name, a, y, 1, len(x), len(x))
        return a if name == "gelu_erf" else y
    load_all()[f"elementary.map_{name}"](x.dtype.name, x, y, len(x))
    return y


def normal_truth(name, x):
    """A function of NORMAL at long doubles that are float64 numbers, by mpmath."""
    values = []
    with mpmath.workprec(160):
        for z in map(mpmath.mpf, x.astype(np.float64).tolist()):
            lower = mpmath.erfc(-z / mpmath.sqrt(2)) / 2
            value = lower if name == "normal_cdf" else z * lower if name == "gelu_erf" else lower + z * mpmath.npdf(z)
            values.append([float(value), float(value - float(value))])
    return np.array(values, x.dtype).sum(axis=1)


def truth(name, x):
    """The function in x's own, wider, dtype."""
    if name in NORMAL:
        return computed(name, x) if x.dtype == np.float64 else normal_truth(name, x)
    if name == "sigmoid":
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)
    return getattr(np, name)(x)


def errors(y, true, dtype, size=0):
    """|y - true| in ulps of dtype at the true value, or at `size` if that is larger; 0 where either is not finite."""
    info = np.finfo(dtype)
    exponent = np.maximum(np.frexp(np.maximum(np.abs(true), size))[1] - 1, info.minexp)
    ulps = np.abs(y.astype(true.dtype) - true) / np.ldexp(np.ones_like(true), exponent - info.nmant)
    return np.where(np.isfinite(y) & np.isfinite(true.astype(dtype)), ulps, 0)


def float32_parts(name):
    """All arguments, the negative ones where the function has them; not the ends where it is constant."""
    limits = {"exp": 110.0, "sigmoid": 110.0, "tanh": 25.0, **dict.fromkeys(NORMAL, 15.0)}
    end = int(np.float32(limits.get(name, np.inf)).view(np.uint32))
    for sign in (0, 1 << 31) if name in limits else (0,):
        for start in range(sign, sign + end, PART):
            yield np.arange(start, min(sign + end, start + PART), dtype=np.uint64).astype(np.uint32).view(np.float32)


def float64_parts(name):
    """Samples of the whole domain and, more, of where errors are largest."""
    draw = np.random.default_rng(1)
    ranges = {
        "exp": [(-745, 709.7), (-2, 2)],
        "sigmoid": [(-745, 40), (-745, -690), (-3, 3), (30, 40), (-40, -30)],
        "tanh": [(-20, 20), (-0.7, 0.7)],
        "log": [(0.5, 2), (0.5, 2), (0.69, 0.72)],
        "log1p": [(0, 1)],
    }.get(name, [(-38.6, 9), (-1, 1), (-1, 0), (-38.6, -37.4), (-6, 0)])
    for turn in range(60):
        low, high = ranges[turn % len(ranges)]
        x = draw.uniform(low, high, 1 << (12 if name in NORMAL else 18))
        if name.startswith("log") and turn % 2:
            x = draw.integers(1, 0x7FF0000000000000, 1 << 18, dtype=np.uint64).view(np.float64)  # any exponent
        yield x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--float32", action="store_true", help="every float32 argument")
    dtype = "float32" if parser.parse_args().float32 else "float64"
    wider = np.float64 if dtype == "float32" else np.longdouble
    np.seterr(all="ignore")
    for name in FUNCTIONS:
        worst, place = 0.0, None
        for x in (float32_parts if dtype == "float32" else float64_parts)(name):
            whole = np.resize(x, -(-len(x) // 16) * 16)  # kernels write whole registers
            size = computed("normal_cdf", -np.abs(whole)) if name == "gelu_erf_slope" else 0
            found = errors(computed(name, whole), truth(name, whole.astype(wider)), dtype, size)
            if found.max() > worst:
                worst, place = float(found.max()), whole[found.argmax()]
        print(f"{dtype} {name:14} {worst:.4f} at {place!r}", flush=True)


if __name__ == "__main__":
    main()
