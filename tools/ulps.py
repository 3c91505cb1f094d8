"""The largest errors of exp, sigmoid, tanh, log and log1p, in units in the last place, found by trying arguments.

    python tools/ulps.py            float64: 16 million arguments each, judged by long double (80 bits, x86 only)
    python tools/ulps.py --float32  every float32 argument, judged by float64: about five minutes

Through the kernels, whose bits are the reference's.
"""

import argparse

import numpy as np

from fastmlp.pairs import load_all

FUNCTIONS = ("exp", "sigmoid", "tanh", "log", "log1p")
PART = 1 << 22


def truth(name, x):
    """The function in x's own, wider, dtype."""
    if name == "sigmoid":
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1) / (1 + e)
    return getattr(np, name)(x)


def errors(y, true, dtype):
    """|y - true| in ulps of dtype at the true value; 0 where either is not finite."""
    info = np.finfo(dtype)
    exponent = np.maximum(np.frexp(np.abs(true))[1] - 1, info.minexp)
    ulps = np.abs(y.astype(true.dtype) - true) / np.ldexp(np.ones_like(true), exponent - info.nmant)
    return np.where(np.isfinite(y) & np.isfinite(true.astype(dtype)), ulps, 0)


def float32_parts(name):
    """All arguments, the negative ones where the function has them; not the ends where it is constant."""
    limits = {"exp": 110.0, "sigmoid": 110.0, "tanh": 25.0}
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
    }[name]
    for turn in range(60):
        low, high = ranges[turn % len(ranges)]
        x = draw.uniform(low, high, 1 << 18)
        if name.startswith("log") and turn % 2:
            x = draw.integers(1, 0x7FF0000000000000, 1 << 18, dtype=np.uint64).view(np.float64)  # any exponent
        yield x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--float32", action="store_true", help="every float32 argument")
    dtype = "float32" if parser.parse_args().float32 else "float64"
    wider = np.float64 if dtype == "float32" else np.longdouble
    np.seterr(all="ignore")
    pairs = load_all()
    for name in FUNCTIONS:
        worst, place = 0.0, None
        for x in (float32_parts if dtype == "float32" else float64_parts)(name):
            whole = np.resize(x, -(-len(x) // 16) * 16)  # kernels write whole registers
            y = np.empty_like(whole)
            pairs[f"elementary.map_{name}"](dtype, whole, y, len(whole))
            found = errors(y, truth(name, whole.astype(wider)), dtype)
            if found.max() > worst:
                worst, place = float(found.max()), whole[found.argmax()]
        print(f"{dtype} {name:8} {worst:.4f} at {place!r}", flush=True)


if __name__ == "__main__":
    main()
