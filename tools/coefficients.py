"""Computes the constants of `fastmlp/reference/constants.py` that are not plain powers of two. Needs mpmath.

    python tools/coefficients.py            prints them, and the error of each polynomial
    python tools/coefficients.py --check    exits 1 unless constants.py holds the same numbers; a minute

A polynomial is a minimax fit (Remez's exchange, one point at a time, on a fine grid). Its coefficients are rounded
one by one, from the constant term up, and the rest is fitted again after each rounding, so that later ones make up for
earlier ones: the float32 coefficients are a fit of their own, and not the float64 ones cut short.
"""

import argparse
import functools
import sys
from pathlib import Path

import mpmath
import numpy as np
from mpmath import mp

sys.path.insert(0, str(Path(__file__).parents[1]))
from fastmlp.reference import constants

mp.dps = 50
DTYPES = (np.float32, np.float64)
GRID = 801  # points; Chebyshev's spacing, dense towards both ends
HALF_LN2 = mpmath.log(2) / 2
S_MAX = (mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)  # s = f / (2 + f) at m = sqrt(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with constants.py, exit 1 if it differs")
    check = parser.parse_args().check
    stale = []
    for name, values in {**numbers(), **polynomials(verbose=not check)}.items():
        if not check:
            print(f"{name} = {values}")
        elif [np.ravel(getattr(constants, name)[dtype]).tolist() for dtype in DTYPES] != [list(v) for v in values]:
            stale.append(name)
    if check:
        print(f"constants.py differs in: {', '.join(stale)}" if stale else "constants.py is up to date")
    return 1 if stale else 0


# ---------------------------------------------------------------------------------------------------------
# What is computed. Each value is a pair of lists: float32, float64.


def numbers():
    ln2 = mpmath.log(2)
    return {
        "LOG2_E": [[nearest(1 / ln2, dtype)] for dtype in DTYPES],
        "LN2_HI": [[nearest(ln2, dtype)] for dtype in DTYPES],
        "LN2_LO": [[nearest(ln2 - nearest(ln2, dtype), dtype)] for dtype in DTYPES],
        "SQRT_HALF": [[nearest(mpmath.sqrt(0.5), dtype)] for dtype in DTYPES],
        "NORMAL_DENSITY": [[nearest(1 / mpmath.sqrt(2 * mpmath.pi), dtype)] for dtype in DTYPES],
    }


def exp_weight(r):
    """What an error in q(r) costs. Chosen by trial, of 17 such weights, for float32 exp and tanh.

    exp has no room at r < 0, where results stand in a binade of finer ulps; tanh has none at small r > 0, where its
    result is nearly r / 2. With this weight the worst float32 exp is 0.9901 ulp off, and the worst tanh 0.9841 (where
    it isn't about to become 1). r^2 e^-2r gives exp 1.0031; r^2 e^-3r gives tanh 1.0622.
    """
    return r**2 * (mpmath.exp(-3 * r) if r < 0 else max(mpmath.exp(-4 * r), 0.1 / r))


def normal_fit(dtype):
    """N(u) = (t + NORMAL_SHIFT) e^(t^2/2) Phi(-t), its weight (the error is relative), and where u is."""
    centre, shift, highest = (
        mpmath.mpf(float(getattr(constants, f"NORMAL_{name}")[dtype])) for name in ("CENTRE", "SHIFT", "HIGHEST")
    )

    @functools.cache
    def product(u):
        t = centre * (1 + u) / (1 - u)
        return (t + shift) * mpmath.exp(t**2 / 2) * mpmath.erfc(t / mpmath.sqrt(2)) / 2

    return product, lambda u: 1 / product(u), (mpmath.mpf(-1), (highest - centre) / (highest + centre))


def polynomials(verbose):
    fits = {  # name: of each dtype, the function, the weight, the interval; the degrees for float32, float64
        # e^r = 1 + r + r^2 q(r)
        "EXP_POLYNOMIAL": (
            lambda dtype: (lambda r: (mpmath.expm1(r) - r) / r**2, exp_weight, (-HALF_LN2, HALF_LN2)),
            (4, 9),
        ),
        # log((1 + s) / (1 - s)) = 2s + s z q(z), z = s^2; the error counts relative to the logarithm.
        "LOG_POLYNOMIAL": (
            lambda dtype: (
                lambda z: (2 * mpmath.atanh(mpmath.sqrt(z)) / mpmath.sqrt(z) - 2) / z,
                lambda z: z * mpmath.sqrt(z) / (2 * mpmath.atanh(mpmath.sqrt(z))),
                (mpmath.mpf(0), S_MAX**2),
            ),
            (2, 6),
        ),
        "NORMAL_POLYNOMIAL": (normal_fit, (10, 22)),
    }
    results = {}
    for name, (problem, degrees) in fits.items():
        results[name] = []
        for dtype, degree in zip(DTYPES, degrees, strict=True):
            coefficients, error = fit(*problem(dtype), degree, dtype)
            results[name].append(coefficients[::-1])
            if verbose:
                print(f"# {name}, {dtype.__name__}: degree {degree}, error 2^{float(mpmath.log(error, 2)):.2f}")
    results["NORMAL_MIDDLE"] = [[coefficients.pop()] for coefficients in results["NORMAL_POLYNOMIAL"]]
    return results


# ---------------------------------------------------------------------------------------------------------
# How


def nearest(value, dtype):
    """The number of this dtype nearest to an mpmath value (no subnormals here), as a Python float."""
    mantissa_bits = np.finfo(dtype).nmant + 1
    with mpmath.workprec(mantissa_bits):
        return float(+value)


def fit(function, weight, interval, degree, dtype):
    """Coefficients, lowest degree first, each a number of this dtype; and their maximal weighted error."""
    low, high = interval
    angles = [mpmath.pi * (i + mpmath.mpf(1) / 2) / GRID for i in range(GRID)]
    grid = [(low + high) / 2 - (high - low) / 2 * mpmath.cos(angle) for angle in angles]
    grid = [x for x in grid if abs(x) > high / 10**6]  # the weight vanishes at 0
    values, weights = [function(x) for x in grid], [weight(x) for x in grid]
    rounded = []
    for i in range(degree + 1):
        # What is left to fit: (value - rounded part) / x^i, by a polynomial of degree - i.
        rest = [(v - horner(rounded, x)) / x**i for v, x in zip(values, grid, strict=True)]
        free = remez(grid, rest, [w * abs(x) ** i for w, x in zip(weights, grid, strict=True)], degree - i)
        rounded.append(nearest(free[0], dtype))
    errors = [abs(v - horner(rounded, x)) * w for v, x, w in zip(values, grid, weights, strict=True)]
    return rounded, max(errors)


def remez(grid, values, weights, degree):
    """The polynomial (lowest degree first) whose maximal weighted error on the grid is within 0.1% of the least."""
    count = degree + 2
    points = [(2 * i + 1) * len(grid) // (2 * count) for i in range(count)]
    for _ in range(500):
        rows = [[grid[i] ** j for j in range(degree + 1)] + [(-1) ** n / weights[i]] for n, i in enumerate(points)]
        solution = list(mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix([values[i] for i in points])))
        polynomial, level = solution[:-1], abs(solution[-1])
        errors = [w * (v - horner(polynomial, x)) for x, v, w in zip(grid, values, weights, strict=True)]
        worst = max(range(len(grid)), key=lambda i: abs(errors[i]))
        if abs(errors[worst]) <= level * mpmath.mpf("1.001"):
            return polynomial
        points = exchange(points, worst, errors)
    raise RuntimeError(f"Remez's exchange did not converge: degree {degree}, level {level}, error {errors[worst]}")


def exchange(points, worst, errors):
    """Puts `worst` in the place of a neighbour whose error has the same sign, so that the signs still alternate."""
    after = sum(i < worst for i in points)
    for place in (after - 1, after):
        if 0 <= place < len(points) and errors[points[place]] * errors[worst] > 0:
            return points[:place] + [worst] + points[place + 1 :]
    return [worst] + points[:-1] if after == 0 else points[1:] + [worst]


def horner(coefficients, x):
    """coefficients: lowest degree first."""
    result = mpmath.mpf(0)
    for c in reversed(coefficients):
        result = result * x + c
    return result


if __name__ == "__main__":
    sys.exit(main())
