"""The checkers: equality of bits (`fastmlp.testing`'s), guard bands around what a kernel may write, nasty numbers.

Plain functions that take what they check, so that `test_harness.py` can feed them planted faults.
"""

import numpy as np

from fastmlp.testing.bits import as_bits, assert_same_bits

__all__ = ["as_bits", "assert_same_bits"]  # passed on

LINE = 64  # bytes
BAND = 8 * LINE  # bytes of canaries before and behind an array: more than any register or block writes at once
# A signalling NaN that no operation makes: who reads it gets NaN, who overwrites it is seen.
CANARY = {4: np.uint32(0x7FA5C3E1), 8: np.uint64(0x7FF4C0DEDEADBEEF)}


def lines(dtype):
    """The numbers in a line of 64 bytes: the lanes of a sum over rows."""
    return LINE // np.dtype(dtype).itemsize


class Guarded:
    """A copy of a flat array between bands of canaries, of which a kernel may write the entries in `writes` alone.

    offset: numbers by which it is off a 64-byte boundary. `array` is what to pass to a kernel.
    """

    def __init__(self, values, writes=False, offset=0):
        values = np.asarray(values)
        size = values.dtype.itemsize
        raw = np.empty(values.nbytes + 2 * BAND + 2 * LINE, np.uint8)
        start = -raw.ctypes.data % LINE
        end = start + (2 * BAND + values.nbytes + LINE) // size * size
        self._memory = raw[start:end].view(f"u{size}")
        self._memory[:] = CANARY[size]
        first = BAND // size + offset
        self.array = self._memory[first : first + values.size].view(values.dtype)
        self.array[:] = values.ravel()
        self._may_write = np.zeros(self._memory.size, bool)
        self._may_write[first : first + values.size] = writes
        self._first = first
        self._before = self._memory.copy()

    def check(self, what=""):
        """Raises AssertionError where anything but the entries in `writes` has changed."""
        wrong = (self._memory != self._before) & ~self._may_write
        if wrong.any():
            places = np.flatnonzero(wrong) - self._first
            raise AssertionError(
                f"{what}: {len(places)} numbers were written that must not be, the first at {places[0]} "
                f"of an array of {self.array.size}"
            )


def canaries(count, dtype):
    """An array of canaries."""
    return np.full(count, CANARY[np.dtype(dtype).itemsize]).view(dtype)


def nasty(dtype):
    """The zoo: zeros of both signs, subnormals, the smallest and largest, infinities, NaN, one-ulp neighbours."""
    kind = np.dtype(dtype).type
    info = np.finfo(dtype)
    edges = np.array(
        [
            0, info.smallest_subnormal, 3 * float(info.smallest_subnormal), info.tiny, info.eps, info.max, np.inf,
            0.5, 1, 2, 3, 10, 88.7, 104, 709.8, 745.2, np.sqrt(0.5), np.log(2), np.pi, 1e-5, 1e5,
            np.sqrt(float(info.max)), np.sqrt(float(info.tiny)), 2.0 ** (info.nmant + 1),
        ],
        np.float64,
    ).astype(dtype)  # fmt: skip
    with np.errstate(all="ignore"):
        near = np.concatenate([edges, np.nextafter(edges, kind(np.inf)), np.nextafter(edges, kind(-np.inf))])
    return np.concatenate([near, -near, [kind(np.nan)]])


def random_bits(rng, count, dtype):
    """Numbers of random bits: every exponent, subnormals, a few NaN."""
    size = np.dtype(dtype).itemsize
    return rng.integers(0, 2**8, count * size, dtype=np.uint8).view(dtype)


def ordinary(rng, shape, dtype):
    """Numbers about 1, a tenth of them powers of two, zeros or -0, so that sums cancel and ties occur."""
    x = rng.standard_normal(shape)
    simple = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.0])[rng.integers(0, 6, shape)]
    return np.where(rng.random(shape) < 0.1, simple, x).astype(dtype)


def wild(rng, shape, dtype):
    """Ordinary numbers with nasty ones among them, about one in sixteen."""
    zoo = nasty(dtype)
    return np.where(rng.random(shape) < 1 / 16, zoo[rng.integers(0, len(zoo), shape)], ordinary(rng, shape, dtype))


def cancelling(rng, shape, dtype):
    """Numbers over a wide range of exponents and of both signs, each about as often as its negative."""
    limit = np.finfo(dtype).maxexp // 4
    x = np.ldexp(rng.choice([-1.0, 1.0, 1.0 + 2**-20], shape), rng.integers(-limit, limit, shape))
    return np.where(rng.random(shape) < 0.5, x, rng.choice(x.ravel(), shape) * -1).astype(dtype)


KINDS = {"ordinary": ordinary, "wild": wild, "cancelling": cancelling}
