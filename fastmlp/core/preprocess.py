"""What is done to columns before the network sees them, in the one place: `Model`, tables and files use it.

`reference/preprocess.py` says what every bit is. Its functions are called here for few numbers, and the kernels of the
same names for many; both give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.kernels import registry
from fastmlp.kernels.registry import Float, Floats, Int, Ints
from fastmlp.reference import preprocess as definition
from fastmlp.reference.arithmetic import CHUNK

ScalePair = tuple[np.ndarray, np.ndarray]  # mean and deviation (K,), as files have them

FEW = 2**15  # numbers, some 0.1 ms in NumPy, up to which no kernel is looked for: the first call of one takes 1 ms

# the kernels' arguments: here, since to ask the kernels imports Numba
ARGUMENTS = {
    "median": (Floats, Int, Floats, Floats),
    "filled": (Floats, Float, Int, Floats, Floats),
    "one_hot": (Ints, Int, Int, Floats),
    "mean": (Floats, Int, Int, Floats, Floats),
    "deviation": (Floats, Floats, Int, Int, Floats, Floats),
    "standardised": (Floats, Floats, Floats, Int, Int, Floats),
    "unstandardised": (Floats, Floats, Floats, Int, Int, Floats),
    "quartile": (Floats, Int, Int, Floats, Floats),
    "smoothly_clipped": (Floats, Floats, Floats, Int, Int, Floats),
}


@dataclass(frozen=True, eq=False)
class Scale:
    """The mean (K,) and standard deviation (K,) of columns.

    A deviation of 0 marks a column that is constant, but for rounding perhaps: it becomes 0.
    """

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, names: Sequence[object], backend: str = "numba") -> Scale:
        """Returns the scale of x (N, K), float64.

        Raises ValueError naming a column whose numbers are too large to be squared.
        """
        with np.errstate(all="ignore"):
            if x.size <= FEW or backend == "reference":
                mean = definition.mean(x)
                deviation = definition.deviation(x, mean)
            else:
                mean, deviation = _by_kernel(x)
        finite = np.isfinite(deviation)
        if not finite.all():
            raise ValueError(f"column {names[int(np.argmin(finite))]!r} is too large to standardise")
        return cls(mean, deviation)

    def forward(self, x: np.ndarray, backend: str = "numba") -> np.ndarray:
        """Returns (x - mean) / deviation for x (N, K), float64: a new array."""
        return _mapped("standardised", x, self, backend)

    def backward(self, z: np.ndarray, backend: str = "numba") -> np.ndarray:
        """Returns what `forward` made z (N, K) of, except for rounding; float64."""
        return _mapped("unstandardised", z, self, backend)

    def described(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @property
    def constant(self) -> np.ndarray:
        """Where columns are constant, (K,)."""
        return self.deviation == 0


@dataclass(frozen=True, eq=False)
class RobustScale(Scale):
    """The median (K,), as `mean`, and the distance of the quartiles (K,), as `deviation`, of columns.

    `forward` divides by it and clips smoothly: outliers come to lie below 3. There is no way back.
    """

    @classmethod
    def of(cls, x: np.ndarray, names: Sequence[object], backend: str = "numba") -> RobustScale:
        """Returns the scale of x (N, K), float64.

        Raises ValueError naming a column whose numbers are too far apart.
        """
        quartiles = np.empty((3, x.shape[1]))
        for k in range(x.shape[1]):
            column = np.ascontiguousarray(x[:, k])
            quartiles[:, k] = [quartile(column, number, backend) for number in (1, 2, 3)]
        low, middle, high = quartiles
        with np.errstate(over="ignore"):
            single = definition.singles(x)
            spread = definition.robust_spread(low, high, x.min(axis=0), x.max(axis=0), single)
        finite = np.isfinite(spread)
        if not finite.all():
            raise ValueError(f"column {names[int(np.argmin(finite))]!r} has numbers too far apart to scale")
        return cls(middle, spread)

    def forward(self, x: np.ndarray, backend: str = "numba") -> np.ndarray:
        """Returns the scaled and smoothly clipped rows of x (N, K), float64: a new array."""
        return _mapped("smoothly_clipped", x, self, backend)

    def described(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        return {**super().described(), "clipped": True}

    def backward(self, z: np.ndarray, backend: str = "numba") -> np.ndarray:
        """Raises TypeError: what was clipped does not come back."""
        raise TypeError("rows that were clipped smoothly cannot be scaled back")


def quartile(values: np.ndarray, number: int, backend: str = "numba") -> float:
    """The first, second or third quartile (`number`) of finite values (N,), float64."""
    if values.size <= FEW or backend == "reference":
        return float(definition.quartile(values, number))
    found = np.empty(1)
    values = np.ascontiguousarray(values)
    _run("quartile", values, number, len(values), np.empty_like(values), found)
    return float(found[0])


def median(values: np.ndarray) -> float:
    """The median of finite values (N,), float64."""
    if values.size <= FEW:
        return float(definition.median(values))
    found = np.empty(1)
    values = np.ascontiguousarray(values)
    _run("median", values, len(values), np.empty_like(values), found)
    return float(found[0])


def filled(values: np.ndarray, value: float) -> tuple[np.ndarray, np.ndarray]:
    """values (N,) with `value` where they are NaN, and flags (N,) that are 1 there; float64."""
    if values.size <= FEW:
        return definition.filled(values, value)
    values = np.ascontiguousarray(values)
    to, flags = np.empty_like(values), np.empty_like(values)
    _run("filled", values, value, len(values), to, flags)
    return to, flags


def one_hot(codes: np.ndarray, count: int) -> np.ndarray:
    """Rows (N, count), float64, of codes (N,), int64: a code that is none of the columns gives zeros."""
    if len(codes) * count <= FEW:
        return definition.one_hot(codes, count)
    codes = np.ascontiguousarray(codes, np.int64)
    x = np.empty((len(codes), count))
    _run("one_hot", codes, count, len(codes), x)
    return x


def _by_kernel(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean (K,), deviation (K,)) of x (N, K)."""
    x = np.ascontiguousarray(x, np.float64)
    rows, columns = x.shape
    mean, deviation = np.empty(columns), np.empty(columns)
    levels = ((rows + CHUNK - 1) // CHUNK).bit_length()
    sums = np.empty((8 + levels) * columns)
    _run("mean", x, rows, columns, sums, mean)
    _run("deviation", x, mean, rows, columns, sums, deviation)
    return mean, deviation


def _mapped(name: str, x: np.ndarray, scale: Scale, backend: str) -> np.ndarray:
    """`standardised`, `unstandardised` or `smoothly_clipped` rows (N, K)."""
    x = np.ascontiguousarray(x, np.float64)
    if x.size <= FEW or backend == "reference":
        with np.errstate(all="ignore"):
            return getattr(definition, name)(x, scale.mean, scale.deviation)
    made = np.empty_like(x)
    centre, spread = (np.ascontiguousarray(part, np.float64) for part in (scale.mean, scale.deviation))
    _run(name, x, centre, spread, *x.shape, made)
    return made


def _run(name: str, *arguments: Any) -> None:
    """Calls a kernel on arrays that lie as it needs them."""
    plain = [value.ctypes.data if isinstance(value, np.ndarray) else value for value in arguments]
    registry.function(f"preprocess.{name}", "float64", ARGUMENTS[name])(*plain)
