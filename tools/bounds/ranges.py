"""The memory that kernels may access: ranges of addresses, in a table that compiled code searches.

Every array that NumPy makes enters the table, and leaves it when it is freed: NumPy takes its memory from here (NEP 49
lets it). GUARD unused bytes lie between two arrays, and new memory is full of NaN. So the first byte that a kernel
accesses outside of an array, or of one that was freed, is noticed.

To be imported before fastmlp. The process ends by `os._exit`: the code that frees arrays would be gone before them.
"""

import ctypes

import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

GUARD = 256  # bytes: no block of registers that begins in one array reaches another
LINE = 64
MOST, MOST_ONLY, SITES = 2**17, 64, 2**17  # arrays; arrays of one call; loads and stores of all kernels
# The state, int64: these four; a table of MOST (begin, end, key), sorted; a table that stands in its place while ONLY
# tells how many it has; of each site how often it was looked up and how often it was wrong, and (address, base, begin,
# end) of the first time that it was; and what was freed last, which no other array may have yet.
LOCK, COUNT, ONLY, FREED = 0, 8, 9, 10
TABLE = 16
ONLY_TABLE = TABLE + 3 * MOST
HITS = ONLY_TABLE + 3 * MOST_ONLY
WRONG = HITS + SITES
DETAILS = WRONG + SITES
WAITING = DETAILS + 4 * SITES
MOST_WAITING, LARGE = 1024, 2**20  # arrays, but those of so many bytes
NOWHERE = WAITING + MOST_WAITING  # 16 KB that wrong accesses go to
state = np.zeros(NOWHERE + 2048, np.int64)
_STATE = state.ctypes.data
_ELSEWHERE = _STATE + 8 * (NOWHERE + 1024)

_malloc = types.ExternalFunction("malloc", types.int64(types.int64))
_free = types.ExternalFunction("free", types.void(types.int64))
_memset = types.ExternalFunction("memset", types.int64(types.int64, types.int32, types.int64))
_memcpy = types.ExternalFunction("memcpy", types.int64(types.int64, types.int64, types.int64))


@intrinsic
def _exchange(context, p, value):
    """Puts a number into p[0] and returns what was there: one step, to all threads."""

    def lower(context, builder, sig, values):
        return builder.atomic_rmw("xchg", values[0], values[1], "acq_rel")

    return types.int64(p, types.int64), lower


@intrinsic
def _at(context, address):
    """The address as a pointer to int64."""

    def lower(context, builder, sig, values):
        return builder.inttoptr(values[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.int64)(types.int64), lower


@njit
def _lock(p):
    while _exchange(p, 1) != 0:
        pass


@njit
def _place(p, table, count, address, field):
    """How many entries' begin (field 0) or key (2) is at most the address."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if p[table + 3 * middle + field] <= address:
            low = middle + 1
        else:
            high = middle
    return low


@njit
def _inside(p, table, place, address, size):
    entry = table + 3 * place
    return place >= 0 and p[entry] <= address and address + size <= p[entry + 1]


@njit
def _enter(p, begin, end):
    _lock(p)
    count = p[COUNT]
    place = _place(p, TABLE, count, begin, 0)
    for i in range(TABLE + 3 * count - 1, TABLE + 3 * place - 1, -1):
        p[i + 3] = p[i]
    entry = TABLE + 3 * place
    p[entry], p[entry + 1], p[entry + 2] = begin, end, begin
    p[COUNT] = count + 1
    _exchange(p, 0)


@njit
def _leave(p, key):
    _lock(p)
    count = p[COUNT]
    place = _place(p, TABLE, count, key, 2) - 1
    if place >= 0 and p[TABLE + 3 * place + 2] == key:
        for i in range(TABLE + 3 * place, TABLE + 3 * (count - 1)):
            p[i] = p[i + 3]
        p[COUNT] = count - 1
    _exchange(p, 0)


@njit
def _new(p, size):
    """Memory for an array: 16 bytes off a line, as malloc's often is. Its size and malloc's address lie before it."""
    if p[COUNT] == MOST:
        return 0
    whole = size + 2 * GUARD + 2 * LINE
    raw = _malloc(whole)
    if raw == 0:
        return 0
    _memset(raw, 255, whole)
    begin = (raw + GUARD + LINE - 1) // LINE * LINE + 16
    before = _at(begin - 16)
    before[0], before[1] = size, raw
    _enter(p, begin, begin + size)
    return begin


@njit
def _gone(p, begin):
    if begin != 0:
        _leave(p, begin)
        size, raw = _at(begin - 16)[0], _at(begin - 16)[1]
        if size < LARGE:
            _lock(p)
            place = WAITING + p[FREED] % MOST_WAITING
            p[place], raw = raw, p[place]
            p[FREED] += 1
            _exchange(p, 0)
        if raw != 0:
            _free(raw)


@cfunc(types.int64(types.CPointer(types.int64), types.int64))
def _numpy_malloc(p, size):
    return _new(p, size)


@cfunc(types.int64(types.CPointer(types.int64), types.int64, types.int64))
def _numpy_calloc(p, count, size):
    begin = _new(p, count * size)
    if begin != 0:
        _memset(begin, 0, count * size)
    return begin


@cfunc(types.int64(types.CPointer(types.int64), types.int64, types.int64))
def _numpy_realloc(p, begin, size):
    new = _new(p, size)
    if new != 0 and begin != 0:
        _memcpy(new, begin, min(size, _at(begin - 16)[0]))
        _gone(p, begin)
    return new


@cfunc(types.void(types.CPointer(types.int64), types.int64, types.int64))
def _numpy_free(p, begin, size):
    _gone(p, begin)


class _Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = [
        ("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p), ("calloc", ctypes.c_void_p), ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    ]  # fmt: skip


def install():
    """Has NumPy take the memory of all arrays that this thread makes from here."""
    functions = (_numpy_malloc, _numpy_calloc, _numpy_realloc, _numpy_free)
    handler = _Handler(b"bounds", 1, _STATE, *(function.address for function in functions))
    new, get = ctypes.pythonapi.PyCapsule_New, ctypes.pythonapi.PyCapsule_GetPointer
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    capsule = new(ctypes.addressof(handler), b"mem_handler", None)
    core = np._core if hasattr(np, "_core") else np.core
    api = ctypes.cast(get(core._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(api[304])  # in NumPy's table since 1.22
    _installed.extend([handler, capsule, set_handler(capsule)])


_installed = []  # what lives as long as the process


@cfunc(types.int64(types.int64, types.int64))
def _narrow(begin, end):
    p = _at(_STATE)
    _lock(p)
    place = _place(p, TABLE, p[COUNT], begin, 0) - 1
    entry = TABLE + 3 * place
    found = _inside(p, TABLE, place, begin, 1)
    if found:
        p[entry], p[entry + 1] = begin, min(end, p[entry + 1])
    _exchange(p, 0)
    return found


def narrow(array, spare):
    """Of the memory that an array lies in, lets kernels access only the array, and so many bytes behind it."""
    begin = array.ctypes.data
    assert _narrow.ctypes(begin, begin + array.nbytes + spare) or not array.nbytes, "the array is not in the table"


def only(arrays):
    """Lets kernels access these arrays alone, each to its last byte; `everything` ends it."""
    found = sorted((array.ctypes.data, array.ctypes.data + array.nbytes, 0) for array in arrays)
    state[ONLY_TABLE : ONLY_TABLE + 3 * len(found)] = np.array(found, np.int64).ravel()
    state[ONLY] = len(found)


def everything():
    """Lets kernels access all arrays again."""
    state[ONLY] = 0


def wrong(site):
    """(how often a site was wrong, where it was the first time, in words)."""
    address, base, begin, end = (int(number) for number in state[DETAILS + 4 * site :][:4])
    words = "in no array"
    if end:
        inside = f", by a pointer to byte {base - begin}" if begin <= base < end else ""
        words = f"at byte {address - begin} of an array of {end - begin}{inside}"
    return int(state[WRONG + site]), words


# ---------------------------------------------------------------------------------------------------------
# What checked kernels call


@cfunc(types.int64(*[types.int64] * 5))
def look_up(address, size, base, slot, site):
    """Where to access `size` bytes instead of at `address`: there, if they are in the range that `base` is in.

    base: the pointer that was indexed; where it lies in no range, any range will do. slot: two numbers, into which the
    range is put, so that the kernel need not ask again.
    """
    if size == 0:
        return address
    p, kept = _at(_STATE), _at(slot)
    _lock(p)
    table, count = (ONLY_TABLE, p[ONLY]) if p[ONLY] > 0 else (TABLE, p[COUNT])
    p[HITS + site] += 1
    place = _place(p, table, count, base, 0) - 1
    if not _inside(p, table, place, base, 1):
        place = _place(p, table, count, address, 0) - 1
    right = _inside(p, table, place, address, size)
    if right:
        kept[0], kept[1] = p[table + 3 * place], p[table + 3 * place + 1]
    else:
        p[WRONG + site] += 1
        if p[WRONG + site] == 1:
            details = DETAILS + 4 * site
            p[details], p[details + 1], p[details + 2], p[details + 3] = address, base, 0, 0
            if place >= 0:
                p[details + 2], p[details + 3] = p[table + 3 * place], p[table + 3 * place + 1]
    _exchange(p, 0)
    return address if right else _ELSEWHERE
