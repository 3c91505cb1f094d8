"""What people hand in as arrays: the same numbers in a hundred wrappings, and what is no array of numbers at all.

Everything of pandas, polars, pyarrow and SciPy is left out where they are not installed.
"""

import array
import datetime
import decimal
import fractions
from collections import UserList, deque

import numpy as np


def installed(name):
    try:
        return __import__(name)
    except ImportError:
        return None


pandas, polars, pyarrow, scipy = map(installed, ("pandas", "polars", "pyarrow", "scipy.sparse"))
MASKED = np.ma.masked


class Subclass(np.ndarray):
    pass


class ArrayLike:
    """`__array__` alone, as of tensors."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error is not None:
            raise self.error
        return np.array(self.values, dtype)


class Interface:
    """`__array_interface__` alone."""

    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


class Number:
    """A float to NumPy, a number to nobody else."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return float(self.value)


def unaligned(x):
    """The same numbers, C-contiguous, one byte off a whole address."""
    made = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    made[...] = x
    assert not made.flags.aligned
    return made


def objects(x, of=lambda value: value):
    made = np.empty(x.shape, object)
    made.reshape(-1)[:] = [of(value) for value in x.reshape(-1).tolist()]
    return made


def good(x):
    """{name: the numbers x (N,) or (N, K), small whole ones in float64, in another wrapping}."""
    wide = np.repeat(x, 2, axis=0)
    frozen = x.copy()
    frozen.flags.writeable = False
    masked = np.ma.array(x, mask=np.zeros(x.shape, bool))
    made = {
        "list": x.tolist(),
        "tuple": tuple(map(tuple, x.tolist())) if x.ndim == 2 else tuple(x.tolist()),
        "list of ints": x.astype(int).tolist(),
        "list of arrays": list(x),
        "list of float32": list(x.astype("f4")),
        "list of array.array": [array.array("d", row) for row in x] if x.ndim == 2 else array.array("d", x),
        "deque": deque(x.tolist()),
        "UserList": UserList(x.tolist()),
        "list of unmasked": list(masked),
        "list of memoryviews": [memoryview(row) for row in x] if x.ndim == 2 else memoryview(x),
        "Fortran": np.asfortranarray(x),
        "every other": wide[::2],
        "backwards": x[::-1].copy()[::-1],
        "columns backwards": np.ascontiguousarray(x[..., ::-1])[..., ::-1],
        "unaligned": unaligned(x),
        "unaligned float32": unaligned(x.astype("f4")),
        "read-only": frozen,
        "subclass": x.view(Subclass),
        "masked without masks": masked,
        "memoryview": memoryview(x),
        "__array__": ArrayLike(x),
        "__array_interface__": Interface(x),
        "objects": objects(x),
        "objects of ints": objects(x, int),
        "Fractions": objects(x, fractions.Fraction),
        "Decimals": objects(x, decimal.Decimal),
        "Decimals in lists": objects(x, decimal.Decimal).tolist(),
        "NumPy's numbers": objects(x, np.float32),
    }
    made |= {code: x.astype(code) for code in (">f8", "f4", ">f4", "f2", "g", "i1", "i8", ">i4", "u1", ">u8")}
    if x.ndim == 2:
        made["matrix"] = np.asmatrix(x)
    if ((x == 0) | (x == 1)).all():
        made |= {"bool": x == 1, "bools in lists": (x == 1).tolist(), "objects of bools": objects(x, bool)}
    return made | frames(x)


def frames(x):
    """The same of pandas and polars."""
    made = {}
    columns = list(x.T) if x.ndim == 2 else [x]
    names = [f"c{k}" for k in range(len(columns))]
    if pandas:
        kinds = ["float64", "float32", "int64", "uint8", "Int64", "Float64", "Float32", "UInt8", "object", "category"]
        if pyarrow:
            kinds += ["int64[pyarrow]", "double[pyarrow]", "float[pyarrow]"]
        if ((x == 0) | (x == 1)).all():
            kinds += ["bool", "boolean"] + (["bool[pyarrow]"] if pyarrow else [])
        for kind in kinds:
            series = [pandas.Series(column).astype("int64" if "nt" in kind else "float64") for column in columns]
            series = [one.astype(kind) for one in series]
            made[f"pandas {kind}"] = pandas.concat(series, axis=1, keys=names) if x.ndim == 2 else series[0]
        made["pandas sparse"] = pandas.DataFrame(x, columns=names).astype(pandas.SparseDtype("float64", 0.0))
        if x.ndim == 2:
            mixed = {
                name: pandas.array(c, dtype=("Int64", "float32")[k % 2])
                for k, (name, c) in enumerate(zip(names, columns, strict=True))
            }
            made["pandas mixed"] = pandas.DataFrame(mixed)
            made["pandas twice a name"] = pandas.DataFrame(x, columns=["c"] * len(columns))
            made["pandas levels"] = pandas.DataFrame(
                x, columns=pandas.MultiIndex.from_tuples([("a", n) for n in names])
            )
            made["pandas index"] = pandas.DataFrame(x, columns=names, index=[7] * len(x))
        else:
            del made["pandas sparse"]
            made["pandas Index"] = pandas.Index(x)
    if polars:
        kinds = [polars.Float64, polars.Float32, polars.Int64, polars.UInt8, polars.Decimal(20, 2)]
        if ((x == 0) | (x == 1)).all():
            kinds.append(polars.Boolean)
        for kind in kinds:
            series = [polars.Series(name, column).cast(kind) for name, column in zip(names, columns, strict=True)]
            made[f"polars {kind}"] = polars.DataFrame(series) if x.ndim == 2 else series[0]
        if x.ndim == 2:
            made["polars chunks"] = polars.concat(
                [polars.DataFrame(x[:1], schema=names), polars.DataFrame(x[1:], schema=names)], rechunk=False
            )
            made["polars arrays"] = polars.Series(x.tolist(), dtype=polars.Array(polars.Float64, x.shape[1]))
    return made


def bad(x):
    """{name: what has a hole or is no array of numbers}, made of x (N,) or (N, K): nothing of it may be trained on."""
    place = (len(x) // 2, *[0] * (x.ndim - 1))

    def having(value, kind=object):
        made = x.astype(kind)
        made[place] = value
        return made

    holes = np.zeros(x.shape, bool)
    holes[place] = True
    masked = np.ma.array(x, mask=holes)
    ring = []
    ring.append(ring)
    bare = np.empty(len(x), object)
    bare[:] = [[1.0]] * len(x)
    made = {
        "masked": masked,
        "masked ints": np.ma.array(x.astype(int), mask=holes),
        "list of masked": list(masked),
        "tuple of masked": tuple(masked),
        "deque of masked": deque(masked),
        "UserList of masked": UserList(masked),
        "lists with masked": having(MASKED).tolist(),
        "objects with masked": having(MASKED),
        "masked bools": list(np.ma.array(x > 0, mask=holes)),
        "masked subclass": masked.view(type("Ours", (np.ma.MaskedArray,), {})),
        "nan": having(np.nan, "f8"),
        "nan float32": having(np.nan, "f4"),
        "inf": having(-np.inf, "f8"),
        "None": having(None),
        "None in lists": having(None).tolist(),
        "text": having("a"),
        "digits": x.astype("U"),
        "bytes": x.astype("S"),
        "text in lists": having("a").tolist(),
        "no text": np.zeros((0, *x.shape[1:]), "U1"),
        "a huge int": having(10**400),
        "a huge int in lists": having(10**400).tolist(),
        "signalling": having(decimal.Decimal("sNaN")),
        "quiet": having(decimal.Decimal("NaN")),
        "complex": x.astype(complex),
        "one complex": having(1j),
        "dates": x.astype("i8").astype("M8[s]"),
        "spans": x.astype("i8").astype("m8[s]"),
        "a date": having(datetime.date(2020, 1, 1)),
        "structured": np.zeros(x.shape, [("a", "f8")]),
        "records": np.zeros(x.shape, "f8,i4").view(np.recarray),
        "void": np.zeros(x.shape, "V8"),
        "dicts": having({}),
        "a float of its own": having(Number(1.0)),
        "ring": ring,
        "lists in objects": bare,
        "ragged": [*x.tolist()[:-1], [1.0, 2.0] if x.ndim == 1 else [1.0] * (x.shape[1] + 1)],
        "no rows": x[:0],
        "no rows in a list": [],
        "one dimension more": x[..., None, None],
        "0-d": np.array(1.0),
        "0-d masked": MASKED,
        "a number": 1.0,
        "nothing": None,
        "a str": "abc",
        "a bytes": b"abc",
        "a generator": (row for row in x),
        "a map": map(float, range(len(x))),
        "a set": set(range(len(x))),
        "a dict": dict(enumerate(x.tolist())),
        "an object": object(),
        "a type": np.ndarray,
        "a raising array": ArrayLike(x, RuntimeError("no")),
        "a memoryview of chars": memoryview(b"ab"),
        "rows of a billion": np.broadcast_to(x[:1], (10**14, *x.shape[1:])),
        "a row less": x[:-1],
    }  # fmt: skip
    if x.ndim == 2:
        made |= {
            "no columns": x[:, :0],
            "one column more": np.hstack([x, x[:, :1]]),
            "turned": x[:-1].T,
        }  # fmt: skip
    if scipy:
        made["sparse"] = scipy.sparse.csr_matrix(np.atleast_2d(x))
    return made | bad_frames(x, place)


def bad_frames(x, place):
    made = {}
    names = [f"c{k}" for k in range(x.shape[1])] if x.ndim == 2 else ["c0"]
    columns = [column.tolist() for column in np.atleast_2d(x.T)]
    columns[0][place[0]] = None
    if pandas:
        kinds = ["float64", "Int64", "Float64", "boolean", "object"] + (
            ["int64[pyarrow]", "bool[pyarrow]"] if pyarrow else []
        )
        for kind in kinds:
            ones = [[None if value is None else value > 0 for value in column] for column in columns]
            series = [pandas.Series(c, dtype=kind) for c in (ones if "bool" in kind else columns)]
            made[f"pandas {kind} with NA"] = pandas.concat(series, axis=1, keys=names) if x.ndim == 2 else series[0]
        for kind in ["str", "string", "category"] + (["string[pyarrow]"] if pyarrow else []):
            series = [pandas.Series(np.array(c, str), dtype=kind) for c in columns]
            made[f"pandas {kind} text"] = pandas.concat(series, axis=1, keys=names) if x.ndim == 2 else series[0]
        made["pandas NaT"] = pandas.Series([pandas.NaT] * len(x))
        made["pandas dates"] = pandas.Series(pandas.date_range("2020", periods=len(x)))
        made["pandas NA in objects"] = np.where(np.arange(x.size).reshape(x.shape) == 0, pandas.NA, x.astype(object))
    if polars:
        for kind in (polars.Float64, polars.Int64, polars.Boolean, polars.String, polars.Categorical):
            text = kind in (polars.String, polars.Categorical)
            series = [
                polars.Series(n, [v if v is None else str(v) for v in c] if text else c, strict=False)
                for n, c in zip(names, columns, strict=True)
            ]
            series = [one.cast(kind) for one in series]
            made[f"polars {kind.__name__} with null"] = polars.DataFrame(series) if x.ndim == 2 else series[0]
        made["polars lazy"] = polars.LazyFrame(dict.fromkeys(names, x[:, 0] if x.ndim == 2 else x))
        made["polars lists"] = polars.Series([[1.0]] * (len(x) - 1) + [[1.0, 2.0]])
        made["polars structs"] = polars.Series([{"a": 1.0, "b": 2.0}] * len(x))
        made["polars Int128"] = polars.Series([2**100] * len(x), dtype=polars.Int128)
        made["polars dates"] = polars.Series([datetime.date(2020, 1, 1)] * len(x))
    return made


# ---------------------------------------------------------------------------------------------------------
# At random

CONTAINERS = [list, list, list, tuple, deque, UserList]


def mixture(draws, x):
    """x (N,) or (N, K) as a list, or so, whose rows are wrapped each in its own way."""
    return draws.choice(CONTAINERS)([wrapped(draws, row) for row in x])


def wrapped(draws, row):
    """A row (K,), or a number, in another wrapping."""
    if not np.ndim(row):
        ways = [float, int, np.float32, np.int8, np.float64, np.array, lambda x: np.array(x, "i2")]
        return draws.choice(ways)(row)
    ways = [
        *(list, tuple, np.array, deque, memoryview, ArrayLike, Interface, objects, unaligned, np.ma.array),
        *(lambda row: row.astype("f4"), lambda row: row.astype("i1"), lambda row: row[::-1].copy()[::-1]),
        lambda row: [wrapped(draws, value) for value in row],
    ]
    if pandas:
        ways += [pandas.Series, lambda row: pandas.array(row, dtype="Int64")]
    if polars:
        ways += [polars.Series, lambda row: polars.Series(row).cast(polars.Int16)]
    return draws.choice(ways)(row)


def spoilt(draws, x):
    """(name, the same with one row, or number, that is none)."""
    rows = list(mixture(draws, x))
    place = draws.randrange(len(rows))
    odd = [None, "a", b"a", np.nan, np.inf, 1j, {}, set(), object(), np.datetime64("2020"), MASKED]
    odd += [np.ma.array(1.0, mask=True), np.ma.array(1, mask=True)]
    if pandas:
        odd += [pandas.NA, pandas.NaT, pandas.Timestamp("2020-01-01")]
    value = draws.choice(odd)
    if x.ndim == 2:
        row, column = x[place], draws.randrange(x.shape[1])
        holes = np.arange(len(row)) == column
        having = [value if k == column else number for k, number in enumerate(row.tolist())]
        masked = [np.ma.array(row.astype(kind), mask=holes) for kind in ("f8", "i4", "f4")]
        value = draws.choice([*masked, having, having, having, [*having, 1.0], value])
    rows[place] = value
    return f"row {place} = {value!r:.80}", draws.choice(CONTAINERS)(rows)
