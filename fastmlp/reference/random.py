"""Random numbers that depend on (seed, stream, epoch, index) alone. Imports NumPy only.

The fast twin is `fastmlp/kernels/random.py`. The generator is Philox 4x32 with 10 rounds, a block cipher applied to a
counter, in integer arithmetic: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma
from fastmlp.reference.constants import Constant, Polynomial
from fastmlp.reference.elementary import horner, log

WEIGHTS, SHUFFLE, DROPOUT = 0, 1, 2  # streams; dropout of hidden layer l (from 0) uses stream DROPOUT + l
BOOTSTRAP = 2**32 - 1  # the last stream
BIASES = 2**32 - 2

_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox(counter, key):
    """Ten rounds of Philox on counters (4, N) with a key (2,): uint64 arrays that hold 32-bit words. -> (4, N)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL[0]) & _LOW, (k1 + _WEYL[1]) & _LOW
    return np.stack([c0, c1, c2, c3])


def words(seed, stream, epoch, count):
    """The first `count` 64-bit words of (seed, stream, epoch). -> (count,) uint64.

    Word i is half i % 2 of block i // 2, the low 32 bits first. The block's counter is (block, block >> 32, epoch,
    stream).
    """
    block = np.arange((count + 1) // 2, dtype=np.uint64)
    counter = [block & _LOW, block >> _32, np.full_like(block, epoch), np.full_like(block, stream)]
    key = np.uint64(seed) & _LOW, np.uint64(seed) >> _32
    c0, c1, c2, c3 = philox(counter, key)
    return np.stack([c0 | (c1 << _32), c2 | (c3 << _32)], axis=1).ravel()[:count]


def uniform(seed, stream, epoch, count):
    """Uniform numbers in the open interval (0, 1): (the top 52 bits of a word + 1/2) / 2^52. -> (count,) float64.

    They are symmetric about 1/2.
    """
    return ((words(seed, stream, epoch, count) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal(seed, stream, epoch, count):
    """Standard normal numbers: `normal_quantile` of `uniform`. -> (count,) float64."""
    return normal_quantile(uniform(seed, stream, epoch, count))


def normal_quantile(p):
    """The inverse of the standard normal distribution function: x with Phi(x) = p. p (N,) float64, 0 < p < 1 -> (N,).

    A ratio of polynomials: in q = p - 1/2 for the middle, in sqrt(-log(tail)) for the tails. Wichura, "Algorithm AS
    241: the percentage points of the normal distribution", Applied Statistics 37(3), 1988 (PPND16).
    """
    d = p.dtype
    q = p - 0.5
    middle = _ratio(fma(-q, q, MIDDLE_CENTRE[d]), *MIDDLE)
    tail = np.where(q < 0, p, 1 - p)
    r = np.sqrt(-log(tail))
    outer = np.where(r <= 5, _ratio(r - NEAR_CENTRE[d], *NEAR_TAIL), _ratio(r - FAR_CENTRE[d], *FAR_TAIL))
    return np.where(np.abs(q) <= MIDDLE_LIMIT[d], q * middle, np.where(q < 0, -outer, outer))


def _ratio(r, above, below):
    """The quotient of two polynomials at r."""
    return horner(above[r.dtype], r) / horner(below[r.dtype], r)


def _double(value):
    """A constant that is used in float64."""
    return Constant(np.float32(value), np.float64(value))


def _doubles(*coefficients):
    """A polynomial that is used in float64."""
    return Polynomial((), tuple(np.float64(c) for c in coefficients))


MIDDLE_LIMIT = _double(0.425)
MIDDLE_CENTRE = _double(0.180625)
NEAR_CENTRE = _double(1.6)
FAR_CENTRE = _double(5.0)

# (numerator, denominator), the highest degree first
MIDDLE = (
    _doubles(
        2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987,
        13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665,
    ),
    _doubles(
        5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
        5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0,
    ),
)  # fmt: skip
NEAR_TAIL = (
    _doubles(
        0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684,
        3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835,
    ),
    _doubles(
        1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008,
        0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0,
    ),
)  # fmt: skip
FAR_TAIL = (
    _doubles(
        2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124,
        0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103,
    ),
    _doubles(
        2.0442631033899397e-15, 1.421511758316446e-07, 1.8463183175100548e-05, 0.0007868691311456133,
        0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1.0,
    ),
)  # fmt: skip


def permutation(seed, epoch, count):
    """A shuffled order of `count` rows. -> (count,) int64.

    Fisher and Yates' shuffle, from the last place down to place 1: place i is swapped with place j = floor(u (i + 1) /
    2^64), where u is word i of the stream. count < 2^32.
    """
    order = np.arange(count)
    u = words(seed, SHUFFLE, epoch, count)
    chosen = _part(u, np.arange(1, count + 1, dtype=np.uint64))  # of i + 1
    for i in range(count - 1, 0, -1):
        j = chosen[i]
        order[i], order[j] = order[j], order[i]
    return order


def draws_with_replacement(seed, member, count):
    """Row numbers of a bootstrap sample of `count` rows. -> (count,) int64.

    Draw i is floor(u count / 2^64), where u is word i of the stream BOOTSTRAP, and the member's number stands for the
    epoch. count < 2^32. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979.
    """
    return _part(words(seed, BOOTSTRAP, member, count), np.uint64(count)).astype(np.int64)


def _part(u, count):
    """floor(u count / 2^64), u's high half times count, from u's two halves: NumPy has no 128-bit product."""
    return ((u >> _32) * count + (((u & _LOW) * count) >> _32)) >> _32


def dropout_factors(seed, stream, epoch, places, units, threshold, kept):
    """The factors of a layer's activations under dropout: 0, or 1 / (1 - rate).

    Unit j of the row at place n has the 32-bit word j % 4 of block n ceil(units / 4) + j // 4. It is kept if this word
    is not below `threshold`. Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to
    prevent neural networks from overfitting", Journal of Machine Learning Research 15, 2014.

    Parameters
    ----------
    seed, stream, epoch : int
        They choose the words.
    places : array of shape (N,)
        The rows' places in the epoch's order, from 0.
    units : int
        The layer's number of units.
    threshold : int
        rate 2^32, rounded down.
    kept : numpy.floating
        The factor of a unit that is kept, in the network's dtype.

    Returns
    -------
    ndarray of shape (N, units), `kept`'s dtype
    """
    blocks = (units + 3) // 4
    block = (np.asarray(places, np.uint64)[:, None] * np.uint64(blocks) + np.arange(blocks, dtype=np.uint64)).ravel()
    counter = [block & _LOW, block >> _32, np.full_like(block, epoch), np.full_like(block, stream)]
    key = np.uint64(seed) & _LOW, np.uint64(seed) >> _32
    word = philox(counter, key).T.reshape(len(places), 4 * blocks)[:, :units]
    return np.where(word < np.uint64(threshold), type(kept)(0), kept)


def dropout_numbers(rate):
    """The threshold and the factor for a dropout rate: rate 2^32, rounded down, and 1 / (1 - rate) in float64."""
    return int(rate * 2.0**32), np.float64(1) / (np.float64(1) - np.float64(rate))


def initial_weights(seed, layer, fan_in, fan_out, init):
    """The initial weights w (fan_in, fan_out) of a layer, float64.

    normal: mean 0, standard deviation sqrt(2 / fan). uniform: between -limit and limit = sqrt(6 / fan). fan is fan_in
    for he_ (He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015) and fan_in + fan_out for glorot_ (Glorot
    and Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010). The standard
    deviation of lecun_normal is sqrt(1 / fan_in) (LeCun, Bottou, Orr and Mueller, "Efficient backprop", 1998).

    Parameters
    ----------
    seed : int
    layer : int
        The layer's number, from 0.
    fan_in, fan_out : int
        The numbers of inputs and outputs.
    init : str or float
        "he_normal", "he_uniform", "glorot_normal", "glorot_uniform" or "lecun_normal", or the standard deviation of
        normal weights.
    """
    count = fan_in * fan_out
    if isinstance(init, str) and init.endswith("_uniform"):
        u = uniform(seed, WEIGHTS, layer, count)
        w = (u + u - 1.0) * deviation(init, fan_in, fan_out)
    else:
        w = normal(seed, WEIGHTS, layer, count) * deviation(init, fan_in, fan_out)
    return w.reshape(fan_in, fan_out) + 0.0  # a deviation of 0 leaves no -0


def initial_biases(seed, layer, count, deviation):
    """Normal biases (count,) of a layer, with mean 0 and this standard deviation, float64."""
    return normal(seed, BIASES, layer, count) * np.float64(deviation) + 0.0


def deviation(init, fan_in, fan_out):
    """The standard deviation of normal weights, or the limit of uniform ones."""
    if not isinstance(init, str):
        return np.float64(init)
    if init == "lecun_normal":
        return np.sqrt(1.0 / np.float64(fan_in))
    fan = fan_in if init.startswith("he_") else fan_in + fan_out
    return np.sqrt((6.0 if init.endswith("_uniform") else 2.0) / np.float64(fan))
