"""How to run both sides of each registered pair, and the sizes at which to do so.

A case takes a kernel, whichever, and raises AssertionError where it does not return its reference's bits or writes
where its docstring does not say so. Tiles are feature-major (unit k of row n is tile[k * stride + n]); kernels may
write a tile's padding, the rows up to the end of their group of two registers, and nothing reads it.
"""

import ctypes
import inspect
import itertools

import numpy as np
from bits import KINDS, Guarded, as_bits, assert_same_bits, canaries, lines, nasty, ordinary, random_bits, wild

from fastmlp.jit import compilation, machine_code
from fastmlp.kernels import blocks, plan, registry
from fastmlp.reference import (
    activations,
    arithmetic,
    dense,
    elementary,
    gradients,
    input_scale,
    layout,
    losses,
    optimizers,
    predict,
    preprocess,
    random,
)
from fastmlp.spec import HIDDEN
from fastmlp.system.cpu import target

# These order other kernels' work: their checks are in kernels/test_orders.py, and in the tests of whole trainings.
TRAINED = {
    *(f"{name}.span{more}" for name in ("streamed", "rowwise") for more in ("", "_with_options")),
    *("layered.span", "layered.dropout", "passes.dropout", "few.sum_batch"),
    *(f"train.{name}" for name in ("sum_batch", "record_objective", "step", "scaled_step", "train")),
    *(f"team.{name}" for name in ("meet", "own_part", "work", "together", "lead", "share_chunks")),
    *(f"predict.{name}" for name in ("checked", "scored", "lead", "help_out")),
    *(f"online.{name}" for name in ("train", "sweep", "pack", "unpack")),
}
CASES = {}  # kernel name: (run(kernel, dtype, rng, **size), sizes(dtype))


def check(name, kernel, dtype, every=1):
    """Runs the case of pair `name` on a kernel, at every size or every k-th. Raises AssertionError."""
    compare, sizes = CASES[name]
    for number, size in itertools.islice(enumerate(sizes(dtype)), 0, None, every):
        with np.errstate(all="ignore"):
            try:
                compare(kernel, dtype, np.random.default_rng(number), **size)
            except AssertionError as error:
                raise AssertionError(f"{name} {dtype} {size}: {error}") from None


def case(name, sizes):
    def register(compare):
        CASES[name] = compare, sizes
        return compare

    return register


class Unregistered:
    """A function as a kernel that is in no registry and no cache; called as a `pairs.Kernel` is.

    options: more of Numba's, for faults that only the compiler can make.
    """

    def __init__(self, function, **options):
        self.function, self._options, self._calls = function, options, {}
        self.arguments = tuple(p.annotation for p in inspect.signature(function).parameters.values())

    def code(self, dtype):
        """Its machine code, made in the way of a registered kernel's."""
        kernel = registry.Kernel(self.function.__name__, self.function, None, self.arguments, (dtype,))
        if self._options:
            return compilation.compile_by_numba(self.function, kernel.signature(dtype), **self._options)
        return compilation.compile_function(self.function, kernel.signature(dtype))

    def __call__(self, dtype, *arguments):
        if dtype not in self._calls:
            kinds = {registry.Int: ctypes.c_int64, registry.Float: np.ctypeslib.as_ctypes_type(dtype)}
            kinds = [kinds.get(argument, ctypes.c_void_p) for argument in self.arguments]
            self._calls[dtype] = machine_code.Function(machine_code.link(self.code(dtype)), kinds)
        return self._calls[dtype](*(registry._plain(argument) for argument in arguments))


def run(kernel, dtype, **arguments):
    """Calls a kernel by the names of its parameters, and then checks the bands of every Guarded argument."""
    names = list(inspect.signature(kernel.function).parameters)
    assert set(names) == set(arguments), f"takes {names}, and its case in tests/cases.py gives {list(arguments)}"
    kernel(dtype, *(arguments[n].array if isinstance(arguments[n], Guarded) else arguments[n] for n in names))
    for name in names:
        if isinstance(arguments[name], Guarded):
            arguments[name].check(name)


# ---------------------------------------------------------------------------------------------------------
# Sizes


def register_lanes(dtype):
    return target().register // np.dtype(dtype).itemsize


def whole(count, unit):
    """count, rounded up to a multiple of unit."""
    return -(-count // unit) * unit


def group_end(rows, dtype):
    """The end of the padding behind `rows` rows."""
    return whole(rows, 2 * register_lanes(dtype))


def edges(dtype):
    """Row counts on either side of a register, a group, a line and more lines."""
    units = {register_lanes(dtype), 2 * register_lanes(dtype), lines(dtype), 2 * lines(dtype), 5 * lines(dtype)}
    return sorted({1, 2, 3} | {unit + i for unit in units for i in (-1, 0, 1) if unit + i > 0})


WIDTHS = (*range(1, 10), 13)


def dense_sizes(dtype):
    """Every pair of small widths, each with one row count and kind of numbers; then every row count; then wide ones."""
    rows, kinds, flags = itertools.cycle(edges(dtype)), itertools.cycle(KINDS), itertools.cycle((0, 1, 1, 0, 1))
    for K, J in itertools.product(WIDTHS, WIDTHS):
        yield dict(K=K, J=J, rows=next(rows), kind=next(kinds), relu=next(flags))
    for n in (*edges(dtype), 100, 511, 512):
        yield dict(K=3, J=5, rows=n, kind="ordinary", relu=1)
    for (K, J), kind in itertools.product([(33, 70), (70, 33), (1, 70), (70, 1), (33, 13)], KINDS):
        yield dict(K=K, J=J, rows=next(rows), kind=kind, relu=next(flags))


def elementwise_sizes(dtype):
    rows = itertools.cycle(edges(dtype))
    for units in (*WIDTHS, 33):
        yield dict(units=units, rows=next(rows))
    for n in (*edges(dtype), 511, 512):
        yield dict(units=2, rows=n)


# ---------------------------------------------------------------------------------------------------------
# Tiles


def strides(rows, dtype):
    """Distances between units, for rng.choice: none to spare, and a line or more."""
    end = group_end(rows, dtype)
    return [end, end + lines(dtype), max(end, 512) + lines(dtype)]


def tile(x, stride, padding=None, writes=False):
    """x (N, K) as a tile, canaries in the rest of it. padding: what to put there; writes: may rows be written?"""
    rows, units = x.shape
    end = group_end(rows, x.dtype)
    values = canaries(units * stride, x.dtype).reshape(units, stride)
    values[:, :rows] = x.T
    if padding is not None:
        values[:, rows:end] = padding
    return Guarded(values, np.broadcast_to(np.arange(stride) < end, values.shape).ravel() & writes)


def rows_of(guarded, shape, stride):
    """A tile's rows, (N, K)."""
    return guarded.array.reshape(shape[1], stride)[:, : shape[0]].T


# ---------------------------------------------------------------------------------------------------------
# activations.py


def steep(rng, x):
    """x, a fifth of it as large as e^x, or Phi(x) and its products, can be: where what comes of it is subnormal."""
    ends = rng.choice([14, 40, 104, 745], x.shape) * rng.uniform(-1, 1, x.shape)
    return np.where(rng.random(x.shape) < 0.2, ends, x).astype(x.dtype)


def activation_forward(reference):
    def compare(kernel, dtype, rng, units, rows):
        z = steep(rng, wild(rng, (rows, units), dtype))
        stride = rng.choice(strides(rows, dtype))
        a, slope = tile(z, stride, writes=True), tile(canaries(z.size, dtype).reshape(z.shape), stride, writes=True)
        run(kernel, dtype, a=a, slope=slope, units=units, rows=rows, stride=stride)
        expected = reference(z)
        assert_same_bits(rows_of(a, z.shape, stride), expected[0], "a")
        assert_same_bits(rows_of(slope, z.shape, stride), expected[1], "slope")

    return compare


for _name in HIDDEN:
    if _name not in ("relu", "identity"):
        case(f"activations.{_name}_forward", elementwise_sizes)(
            activation_forward(getattr(activations, f"{_name}_forward"))
        )


@case("activations.multiply", elementwise_sizes)
def multiply(kernel, dtype, rng, units, rows):
    d, slopes = wild(rng, (rows, units), dtype), wild(rng, (rows, units), dtype)
    stride = rng.choice(strides(rows, dtype))
    a, factors = tile(d, stride, writes=True), tile(slopes, stride)
    run(kernel, dtype, a=a, factors=factors, units=units, rows=rows, stride=stride)
    assert_same_bits(rows_of(a, d.shape, stride), activations.multiply(d, slopes), "a")


# ---------------------------------------------------------------------------------------------------------
# dense.py


def parameters(rng, K, J, dtype, kind):
    """w (K, J), b (J,)."""
    return KINDS[kind](rng, (K, J), dtype), KINDS[kind](rng, J, dtype)


@case("dense.dense_forward", dense_sizes)
def dense_forward(kernel, dtype, rng, K, J, rows, kind, relu):
    x = KINDS[kind](rng, (rows, K), dtype)
    w, b = parameters(rng, K, J, dtype, kind)
    stride = rng.choice(strides(rows, dtype))
    z = tile(canaries(rows * J, dtype).reshape(rows, J), stride, writes=True)
    run(
        kernel, dtype, a=tile(x, stride), w=Guarded(w, offset=3), b=Guarded(b, offset=1), z=z,
        K=K, J=J, rows=rows, stride=stride, relu=relu,
    )  # fmt: skip
    expected = dense.dense_forward(x, w, b)
    expected = activations.relu_forward(expected) if relu else expected
    assert_same_bits(rows_of(z, expected.shape, stride), expected, "z")


@case("dense.dense_backward_input", dense_sizes)
def dense_backward_input(kernel, dtype, rng, K, J, rows, kind, relu):
    x, d = KINDS[kind](rng, (rows, K), dtype), KINDS[kind](rng, (rows, J), dtype)
    w, _ = parameters(rng, K, J, dtype, kind)
    expected = dense.dense_backward_input(d, w)
    expected = activations.relu_backward(x, expected) if relu else expected
    stride = rng.choice(strides(rows, dtype))
    a, dz = tile(x, stride, writes=True), tile(d, stride)
    run(kernel, dtype, dz=dz, w=Guarded(w, offset=3), a=a, K=K, J=J, rows=rows, stride=stride, relu=relu)
    assert_same_bits(rows_of(a, expected.shape, stride), expected, "da")


def chunk_sizes(dtype):
    """As dense_sizes, and a chunk in one tile or several, the last one whole or not."""
    step = max(2 * register_lanes(dtype), lines(dtype))
    tiles = itertools.cycle((512, step, 512, 2 * step, 3 * step))
    rows = itertools.cycle(edges(dtype))
    for size in dense_sizes(dtype):
        size.pop("relu")
        if size["rows"] < 100:
            size["rows"] = next(rows)
        most = next(tiles)
        yield dict(size, tile_rows=most if most == 512 or size["K"] * size["J"] < 100 else 3 * step)
    for n, most in itertools.product((1, step - 1, step, step + 1, 2 * step + 3, 511, 512), (step, 4 * step, 512)):
        yield dict(K=5, J=3, rows=n, kind="ordinary", tile_rows=most)
        yield dict(K=2, J=8, rows=n, kind="wild", tile_rows=most)


@case("dense.dense_backward_weights", chunk_sizes)
def dense_backward_weights(kernel, dtype, rng, K, J, rows, kind, tile_rows):
    x, d = KINDS[kind](rng, (rows, K), dtype), KINDS[kind](rng, (rows, J), dtype)
    alone = tile_rows >= rows
    line = lines(dtype)
    sums = Guarded(canaries((12 if alone else (K + 1) * J) * line, dtype), writes=True)
    dw = Guarded(canaries((K + 1) * J, dtype), writes=True, offset=5)
    stride = rng.choice(strides(min(rows, tile_rows), dtype))
    for start in range(0, rows, tile_rows):
        assert (as_bits(dw.array) == as_bits(canaries(dw.array.size, dtype))).all(), "dw was written too early"
        some = slice(start, start + tile_rows)
        run(  # padding as streamed.span leaves it: what it adds to a sum is -0
            kernel, dtype, a=tile(x[some], stride, padding=0), ones=Guarded(np.ones(stride, dtype)),
            dz=tile(d[some], stride, padding=-0.0), sums=sums, dw=dw, K=K, J=J, rows=len(x[some]), stride=stride,
            first=int(start == 0), last=int(start + tile_rows >= rows),
        )  # fmt: skip
    w, b = dense.dense_backward_weights(x, d)
    assert_same_bits(dw.array.reshape(K + 1, J), np.vstack([w, b]), "dw")


def rowwise_sizes(dtype):
    """One row: widths on either side of a register, and of the 1, 2, 4 and 8 that go side by side."""
    kinds, flags = itertools.cycle(KINDS), itertools.cycle((0, 1, 1, 0, 1))
    lanes = register_lanes(dtype)
    wide = sorted(
        {unit * lanes + i for unit in (1, 2, 4, 5, 7, 8, 13) for i in (-1, 0, 1) if unit * lanes + i > 0} | {70}
    )
    for K, J in [*itertools.product(WIDTHS, WIDTHS), *itertools.product((1, 3, 4, 33), wide)]:
        yield dict(K=K, J=J, kind=next(kinds), flag=next(flags))
        yield dict(K=J, J=K, kind=next(kinds), flag=next(flags))


@case("rowwise_dense.dense_forward", rowwise_sizes)
def rowwise_forward(kernel, dtype, rng, K, J, kind, flag):
    x = KINDS[kind](rng, (1, K), dtype)
    w, b = parameters(rng, K, J, dtype, kind)
    z = Guarded(canaries(J, dtype), writes=True)
    w_, b_ = Guarded(w, offset=3), Guarded(b, offset=1)
    run(kernel, dtype, a=Guarded(x, offset=2), w=w_, b=b_, z=z, K=K, J=J, relu=flag)
    expected = dense.dense_forward(x, w, b)
    assert_same_bits(z.array, (activations.relu_forward(expected) if flag else expected)[0], "z")


@case("rowwise_dense.dense_backward_input", rowwise_sizes)
def rowwise_backward_input(kernel, dtype, rng, K, J, kind, flag):
    x, d = KINDS[kind](rng, (1, K), dtype), KINDS[kind](rng, (1, J), dtype)
    w, _ = parameters(rng, K, J, dtype, kind)
    expected = dense.dense_backward_input(d, w)
    expected = activations.relu_backward(x, expected) if flag else expected
    a = Guarded(x, writes=True)
    run(kernel, dtype, dz=Guarded(d), w=Guarded(w, offset=3), a=a, K=K, J=J, relu=flag)
    assert_same_bits(a.array.reshape(-1), expected[0], "da")


@case("rowwise_dense.dense_backward_weights", rowwise_sizes)
def rowwise_backward_weights(kernel, dtype, rng, K, J, kind, flag):
    x, d = KINDS[kind](rng, K, dtype), KINDS[kind](rng, J, dtype)
    before = canaries((K + 1) * J, dtype) if flag else KINDS[kind](rng, (K + 1) * J, dtype)
    sums = Guarded(before, writes=True, offset=5)
    run(kernel, dtype, a=Guarded(x, offset=1), dz=Guarded(d), sums=sums, K=K, J=J, first=flag)
    start = np.zeros(before.shape, dtype) if flag else before
    inputs = np.append(x, np.ones(1, dtype))
    expected = arithmetic.fma(inputs[:, None], d, start.reshape(K + 1, J))
    assert_same_bits(sums.array.reshape(K + 1, J), expected, "sums")


def fold_sizes(dtype):
    for rows, count in itertools.product((*range(1, lines(dtype) + 2), 512), (1, 2, 7, 8, 9, 16, 17, 106)):
        yield dict(rows=rows, count=count)


@case("rowwise_dense.fold", fold_sizes)
def rowwise_fold(kernel, dtype, rng, rows, count):
    line = lines(dtype)
    size = (count + line) // line * line
    real = min(rows, line)
    lanes = canaries(line * size, dtype).reshape(line, size)
    lanes[:real, :count] = wild(rng, (real, count), dtype)
    lanes[:, 0] = -0.0  # a sum of -0 alone
    expected = np.zeros((line, count), dtype)
    expected[:real] = lanes[:real, :count]
    total = Guarded(canaries(whole(count, register_lanes(dtype)), dtype), writes=True)
    sums = Guarded(lanes, writes=np.arange(line * size) < real * size)
    run(kernel, dtype, sums=sums, total=total, count=count, size=size, rows=rows)
    assert_same_bits(total.array[:count], arithmetic.fold(expected), "total")


# ---------------------------------------------------------------------------------------------------------
# elementary.py

DOMAINS = {
    "exp_nonpositive": lambda x: -np.abs(x),
    "expm1_nonpositive": lambda x: -np.abs(x),
    "log1p": np.abs,
}


def map_sizes(dtype):
    for count in edges(dtype):
        yield dict(numbers="wild", count=count)
    for numbers in ("nasty", "random_bits", "near"):
        yield dict(numbers=numbers, count=20_000)


def elementary_map(name):
    def compare(kernel, dtype, rng, numbers, count):
        x = {
            "wild": lambda: wild(rng, count, dtype),
            "nasty": lambda: nasty(dtype),
            "random_bits": lambda: random_bits(rng, count, dtype),
            "near": lambda: (rng.standard_normal(count) * 10.0 ** rng.uniform(-6, 3, count)).astype(dtype),
        }[numbers]()
        x = DOMAINS.get(name, lambda x: x)(x)
        end = whole(len(x), register_lanes(dtype))
        y = Guarded(canaries(end, dtype), writes=True)
        run(kernel, dtype, x=Guarded(np.append(x, canaries(end - len(x), dtype))), y=y, count=len(x))
        assert_same_bits(y.array[: len(x)], getattr(elementary, name)(x), name)

    return compare


for _name in ("exp", "exp_nonpositive", "expm1_nonpositive", "log", "log1p", "normal_cdf", "sigmoid", "tanh"):
    case(f"elementary.map_{_name}", map_sizes)(elementary_map(_name))


# ---------------------------------------------------------------------------------------------------------
# layered_dense.py: rows one behind the other


def layered_sizes(dtype):
    """As dense_sizes, and more inputs, outputs and rows than a panel or a block has."""
    yield from dense_sizes(dtype)
    kinds = itertools.cycle(KINDS)
    for K, J, rows in (
        (129, 3, 5), (300, 65, 9), (3, 129, 5), (65, 300, 9), (130, 131, 4), (4, 5, 257), (3, 33, 600),
        (130, 3, 9), (130, 12, 9), (130, 20, 9),
    ):  # fmt: skip
        yield dict(K=K, J=J, rows=rows, kind=next(kinds), relu=rows % 2)


def by_rows(x, stride, writes=False):
    """x (N, K) with rows `stride` apart and three more behind, canaries in between. writes: may it be written to?"""
    values = canaries((len(x) + 3) * stride, x.dtype).reshape(-1, stride)
    values[: len(x), : x.shape[1]] = x
    return Guarded(values, writes=writes)


def panels(units, dtype):
    """Units up to the end of the last panel."""
    narrow, wide = 2 * register_lanes(dtype), blocks.REGISTERS * register_lanes(dtype)
    left = units % wide
    return units - left + (0 if not left else narrow if left <= narrow else wide)


def row_stride(rng, units, dtype):
    """Any that is long enough."""
    return int(max(panels(units, dtype), units + 1) + rng.integers(0, 3))


def spare(x, count):
    """x flat, and so many numbers behind it that may be read."""
    return Guarded(np.append(x, canaries(count, x.dtype)), offset=3)


def scratch(count, dtype):
    return Guarded(canaries(count, dtype), writes=True)


@case("layered_dense.dense_forward", layered_sizes)
def layered_forward(kernel, dtype, rng, K, J, rows, kind, relu):
    x = KINDS[kind](rng, (rows, K), dtype)
    w, b = parameters(rng, K, J, dtype, kind)
    a_stride, z_stride = row_stride(rng, K, dtype), row_stride(rng, J, dtype)
    width = blocks.REGISTERS * register_lanes(dtype)
    z = by_rows(canaries(rows * J, dtype).reshape(rows, J), z_stride, writes=True)
    run(
        kernel, dtype, a=by_rows(x, a_stride), w=spare(np.append(w, b), 2 * lines(dtype)), b=spare(b, 2 * lines(dtype)),
        z=z, panel=scratch(plan.DEPTH * width, dtype), K=K, J=J, rows=rows, a_stride=a_stride, z_stride=z_stride,
        relu=relu,
    )  # fmt: skip
    expected = dense.dense_forward(x, w, b)
    expected = activations.relu_forward(expected) if relu else expected
    assert_same_bits(np.ascontiguousarray(z.array.reshape(-1, z_stride)[:rows, :J]), expected, "z")


@case("layered_dense.dense_backward_input", layered_sizes)
def layered_backward_input(kernel, dtype, rng, K, J, rows, kind, relu):
    x, d = KINDS[kind](rng, (rows, K), dtype), KINDS[kind](rng, (rows, J), dtype)
    w, b = parameters(rng, K, J, dtype, kind)
    expected = dense.dense_backward_input(d, w)
    expected = activations.relu_backward(x, expected) if relu else expected
    stride, dz_stride = row_stride(rng, K, dtype), row_stride(rng, J, dtype)
    lanes, width = register_lanes(dtype), blocks.REGISTERS * register_lanes(dtype)
    da = by_rows(canaries(rows * K, dtype).reshape(rows, K), stride, writes=True)
    run(
        kernel, dtype, dz=by_rows(d, dz_stride), w=spare(np.append(w, b), 2 * lines(dtype)), a=by_rows(x, stride),
        da=da, panel=scratch((plan.DEPTH + lanes) * width, dtype), sums=scratch((plan.PASSING + 3) * width, dtype),
        K=K, J=J, rows=rows, dz_stride=dz_stride, stride=stride, relu=relu,
    )  # fmt: skip
    assert_same_bits(np.ascontiguousarray(da.array.reshape(-1, stride)[:rows, :K]), expected, "da")


def span_sizes(dtype):
    """As layered_sizes, and several chunks; all units' deltas packed at once, or one panel's."""
    groups = itertools.cycle((1, 9))
    for size in layered_sizes(dtype):
        size.pop("relu")
        yield dict(size, group=next(groups))
    for rows, group in itertools.product((513, 1024, 1025, 1537, 2048), (1, 9)):
        yield dict(K=3, J=70, rows=rows, kind="ordinary", group=group)


def by_groups(rng, x, d, group):
    """The arguments of a kernel of weight gradients, but for what it writes: of x and d, `group` panels at once."""
    (rows, K), J, dtype = x.shape, d.shape[1], x.dtype.name
    a_stride, dz_stride = row_stride(rng, K + lines(dtype), dtype), row_stride(rng, J, dtype)
    width = blocks.REGISTERS * register_lanes(dtype)
    group *= width
    together = lines(dtype) // plan.BLOCK_INPUTS * plan.BLOCK_INPUTS
    inputs = whole(K + 1 if group < J else 1, together)
    return dict(
        a=by_rows(np.column_stack([x, np.ones(rows, dtype)]), a_stride), dz=by_rows(d, dz_stride),
        packed=scratch(rows * (group + inputs) + lines(dtype), dtype),
        levels=scratch(16 * plan.BLOCK_INPUTS * width, dtype), K=K, J=J, rows=rows, a_stride=a_stride,
        dz_stride=dz_stride, group=group,
    )  # fmt: skip


@case("layered_dense.dense_backward_weights", span_sizes)
def layered_backward_weights(kernel, dtype, rng, K, J, rows, kind, group):
    x, d = KINDS[kind](rng, (rows, K), dtype), KINDS[kind](rng, (rows, J), dtype)
    dw = Guarded(canaries((K + 1) * J, dtype), writes=True, offset=5)
    run(kernel, dtype, dw=dw, **by_groups(rng, x, d, group))
    w, b = dense.dense_backward_weights(x, d)
    assert_same_bits(dw.array.reshape(K + 1, J), np.vstack([w, b]), "dw")


@case("layered_dense.dense_descend", span_sizes)
def layered_descend(kernel, dtype, rng, K, J, rows, kind, group):
    x, d = KINDS[kind](rng, (rows, K), dtype), KINDS[kind](rng, (rows, J), dtype)
    before = KINDS[kind](rng, (K + 1) * J, dtype)
    w = Guarded(before, writes=True, offset=5)
    scale, rate = np.dtype(dtype).type(1 / 3), np.dtype(dtype).type(0.1)
    run(kernel, dtype, w=w, scale=scale, learning_rate=rate, **by_groups(rng, x, d, group))
    assert_same_bits(w.array, dense.dense_descend(x, d, before, scale, rate), "w")


# ---------------------------------------------------------------------------------------------------------
# layout.py


def layout_sizes(dtype):
    rows = itertools.cycle(edges(dtype))
    for K, first, ordered in itertools.product((*WIDTHS, 70), (0, 1, 7), (0, 1)):
        yield dict(K=K, rows=next(rows), first=first, ordered=ordered)
    yield dict(K=3, rows=512, first=512, ordered=1)


@case("layout.gather", layout_sizes)
def gather(kernel, dtype, rng, K, rows, first, ordered):
    x = random_bits(rng, (first + rows + int(rng.integers(0, 3))) * K, dtype).reshape(-1, K)
    x[0, 0] = np.nan  # whose bits must not leak into the padding
    order = rng.permutation(len(x))
    stride = rng.choice(strides(rows, dtype))
    to = tile(canaries(rows * K, dtype).reshape(rows, K), stride, writes=True)
    run(
        kernel, dtype, x=Guarded(x, offset=1), order=Guarded(order), ordered=ordered, first=first, rows=rows, K=K,
        tile=to, stride=stride,
    )  # fmt: skip
    chosen = order[first : first + rows] if ordered else np.arange(first, first + rows)
    got = to.array.reshape(K, stride)
    assert_same_bits(as_bits(got[:, :rows]), as_bits(layout.gather(x, chosen)), "tile")
    padding = got[:, rows : group_end(rows, dtype)]
    assert_same_bits(as_bits(padding), as_bits(np.zeros(padding.shape, dtype)), "padding")


@case("layout.copy_rows", layout_sizes)
def copy_rows(kernel, dtype, rng, K, rows, first, ordered):
    x = random_bits(rng, (first + rows + int(rng.integers(0, 3))) * K, dtype).reshape(-1, K)
    order = rng.permutation(len(x))
    stride = K + 1 + int(rng.integers(0, 9))
    values = canaries(rows * stride, dtype).reshape(rows, stride)
    to = Guarded(values, writes=np.broadcast_to(np.arange(stride) <= K, values.shape).ravel())
    run(
        kernel, dtype, x=Guarded(x, offset=1), order=Guarded(order), ordered=ordered, first=first, rows=rows, K=K,
        to=to, stride=stride,
    )  # fmt: skip
    chosen = order[first : first + rows] if ordered else np.arange(first, first + rows)
    got = to.array.reshape(rows, stride)[:, : K + 1]
    assert_same_bits(as_bits(np.ascontiguousarray(got)), as_bits(layout.copy_rows(x, chosen)), "rows")


@case("layout.transpose", layout_sizes)
def transpose(kernel, dtype, rng, K, rows, first, ordered):
    x_stride, stride = K + first, rows + first
    x = random_bits(rng, rows * x_stride, dtype).reshape(rows, x_stride)
    values = canaries(K * stride, dtype).reshape(K, stride)
    to = Guarded(values, writes=np.broadcast_to(np.arange(stride) < rows, values.shape).ravel(), offset=ordered)
    run(kernel, dtype, x=Guarded(x, offset=1), x_stride=x_stride, rows=rows, K=K, to=to, stride=stride)
    got = np.ascontiguousarray(to.array.reshape(K, stride)[:, :rows])
    assert_same_bits(as_bits(got), as_bits(layout.transpose(np.ascontiguousarray(x[:, :K]))), "columns")


@case("layout.scatter", layout_sizes)
def scatter(kernel, dtype, rng, K, rows, first, ordered):
    values = random_bits(rng, rows * K, dtype).reshape(rows, K)
    stride = rng.choice(strides(rows, dtype))
    count = (first + rows + ordered) * K
    at = np.arange(count)
    x = Guarded(canaries(count, dtype), writes=(at >= first * K) & (at < (first + rows) * K), offset=1)
    run(kernel, dtype, tile=tile(values, stride), stride=stride, rows=rows, K=K, x=x, first=first)
    expected = layout.scatter(np.ascontiguousarray(values.T))
    assert_same_bits(as_bits(x.array.reshape(-1, K)[first : first + rows]), as_bits(expected), "x")


# ---------------------------------------------------------------------------------------------------------
# preprocess.py


def column_sizes(dtype):
    rows = itertools.cycle((*edges(dtype), 511, 512, 513, 1025, 1537, 5000))
    for columns, kind in itertools.product((1, 2, 3, 7, 8, 9, 33), ("ordinary", "cancelling", "near")):
        for _ in range(3):
            yield dict(columns=columns, rows=next(rows), kind=kind)
    for n, columns in itertools.product((1025, 1537, 5000), (2, 3)):  # chunks whose sums wait
        yield dict(columns=columns, rows=n, kind="ordinary")


def columns_of(rng, rows, columns, kind):
    """Finite columns: of one kind, or `near` ones, constant, constant but for rounding, or nearly so."""
    if kind != "near":
        return KINDS[kind](rng, (rows, columns), "float64")
    centre = 10.0 ** rng.uniform(-5, 5, columns)
    spread = 2.0 ** rng.choice([*range(-54, -40), *range(-25, -19)], columns) * rng.integers(0, 2, columns)
    x = centre * (1 + spread * rng.standard_normal((rows, columns)))
    x[:, ::3] = x[:, ::3].astype(np.float32)
    x[:, 1::5] = np.floor(x[:, 1::5])
    x[:, 4::5] = 5_000_000 + rng.integers(0, 2, (rows, len(range(4, columns, 5))))  # whole float32 numbers
    x[:, 6::7] = 1.5e308  # equal, and their sum is infinite
    return x


def scratch_of_sums(rows, columns):
    levels = ((rows + 511) // 512).bit_length()
    return Guarded(canaries((8 + levels) * columns, "float64"), writes=True)


def median_sizes(dtype):
    for count, kind in itertools.product((1, 2, 3, 4, 5, 8, 9, 100, 101, 1000), ("ordinary", "wild", "few")):
        yield dict(count=count, kind=kind)


@case("preprocess.median", median_sizes)
def median(kernel, dtype, rng, count, kind):
    values = rng.integers(-2, 3, count) * 0.1 if kind == "few" else KINDS[kind](rng, count, dtype)
    values[np.isnan(values)] = -0.0
    found = Guarded(canaries(1, dtype), writes=True)
    scratch = Guarded(canaries(count, dtype), writes=True)
    run(kernel, dtype, values=Guarded(values, offset=1), count=count, scratch=scratch, found=found)
    assert_same_bits(found.array[0], np.float64(preprocess.median(values)), "the median")


def quartile_sizes(dtype):
    for size, number in itertools.product(median_sizes(dtype), (1, 2, 3)):
        yield dict(size, number=number)


@case("preprocess.quartile", quartile_sizes)
def quartile(kernel, dtype, rng, count, kind, number):
    values = rng.integers(-2, 3, count) * 0.1 if kind == "few" else KINDS[kind](rng, count, dtype)
    values[np.isnan(values)] = -0.0
    found = Guarded(canaries(1, dtype), writes=True)
    scratch = Guarded(canaries(count, dtype), writes=True)
    given = dict(values=Guarded(values, offset=1), number=number, count=count)
    run(kernel, dtype, **given, scratch=scratch, found=found)
    with np.errstate(all="ignore"):
        assert_same_bits(found.array[0], np.float64(preprocess.quartile(values, number)), "the quartile")


@case("preprocess.filled", elementwise_sizes)
def filled(kernel, dtype, rng, units, rows):
    values = random_bits(rng, rows, dtype)
    values[:: units + 1] = np.nan
    to, flags = (Guarded(canaries(rows, dtype), writes=True, offset=1) for _ in range(2))
    run(kernel, dtype, values=Guarded(values), value=units * 0.1, rows=rows, to=to, flags=flags)
    for got, expected in zip((to, flags), preprocess.filled(values, units * 0.1), strict=True):
        assert_same_bits(got.array, expected)


@case("preprocess.one_hot", elementwise_sizes)
def one_hot(kernel, dtype, rng, units, rows):
    codes = rng.integers(-1, units + 1, rows)
    x = Guarded(canaries(rows * units, dtype), writes=True, offset=1)
    run(kernel, dtype, codes=Guarded(codes), count=units, rows=rows, x=x)
    assert_same_bits(x.array.reshape(rows, units), preprocess.one_hot(codes, units), "x")


@case("preprocess.mean", column_sizes)
def mean(kernel, dtype, rng, columns, rows, kind):
    x = columns_of(rng, rows, columns, kind)
    found = Guarded(canaries(columns, dtype), writes=True)
    sums = scratch_of_sums(rows, columns)
    run(kernel, dtype, x=Guarded(x, offset=1), rows=rows, columns=columns, sums=sums, found=found)
    assert_same_bits(found.array, preprocess.mean(x), "the mean")


@case("preprocess.deviation", column_sizes)
def deviation(kernel, dtype, rng, columns, rows, kind):
    x = columns_of(rng, rows, columns, kind)
    found = Guarded(canaries(columns, dtype), writes=True)
    centre, sums = preprocess.mean(x), scratch_of_sums(rows, columns)
    given = dict(x=Guarded(x, offset=1), centre=Guarded(centre), rows=rows, columns=columns)
    run(kernel, dtype, **given, sums=sums, found=found)
    assert_same_bits(found.array, preprocess.deviation(x, centre), "the deviation")


@case("preprocess.standardised", column_sizes)
def standardised(kernel, dtype, rng, columns, rows, kind):
    x = columns_of(rng, rows, columns, kind)
    centre, spread = preprocess.mean(x), np.abs(x[-1]) * rng.integers(0, 2, columns)
    z = Guarded(canaries(rows * columns, dtype), writes=True, offset=1)
    run(kernel, dtype, x=Guarded(x), centre=Guarded(centre), spread=Guarded(spread), rows=rows, columns=columns, z=z)
    assert_same_bits(z.array.reshape(x.shape), preprocess.standardised(x, centre, spread), "z")


@case("preprocess.smoothly_clipped", column_sizes)
def smoothly_clipped(kernel, dtype, rng, columns, rows, kind):
    x = columns_of(rng, rows, columns, kind)
    x[::3] *= 1e160  # whose squares are infinite
    centre, spread = x[0].copy(), np.abs(x[-1]) * rng.integers(0, 2, columns)
    spread[::4] *= 1e-160
    z = Guarded(canaries(rows * columns, dtype), writes=True, offset=1)
    run(kernel, dtype, x=Guarded(x), centre=Guarded(centre), spread=Guarded(spread), rows=rows, columns=columns, z=z)
    with np.errstate(all="ignore"):
        assert_same_bits(z.array.reshape(x.shape), preprocess.smoothly_clipped(x, centre, spread), "z")


@case("preprocess.unstandardised", column_sizes)
def unstandardised(kernel, dtype, rng, columns, rows, kind):
    z = columns_of(rng, rows, columns, kind)
    centre, spread = preprocess.mean(z), np.abs(z[-1]) * rng.integers(0, 2, columns)
    x = Guarded(canaries(rows * columns, dtype), writes=True, offset=1)
    run(kernel, dtype, z=Guarded(z), centre=Guarded(centre), spread=Guarded(spread), rows=rows, columns=columns, x=x)
    assert_same_bits(x.array.reshape(z.shape), preprocess.unstandardised(z, centre, spread), "x")


# ---------------------------------------------------------------------------------------------------------
# losses.py


def loss_sizes(dtype):
    rows, records = itertools.cycle(edges(dtype)), itertools.cycle((1, 0, 1))
    for J in (*WIDTHS, 33, 70):
        for _ in range(4):
            yield dict(J=J, rows=next(rows), record=next(records))
    for n in (*edges(dtype), 511, 512):
        yield dict(J=2, rows=n, record=1)
    for J, n in itertools.product((2, 3, 10), (100, 511)):  # several registers at a time
        yield dict(J=J, rows=n, record=0)


def some_targets(rng, name, rows, J, dtype):
    """y (N, 1), labels, or (N, J)."""
    if name == "softmax_soft_cross_entropy":
        y = rng.random((rows, J)) * rng.integers(0, 2, (rows, J))
        y[:, 0] += y.sum(axis=1) == 0
        y = y / y.sum(axis=1)[:, None]
        y[rng.random(rows) < 0.3] = 1 / J  # equal ones: the first is the label
        return y.astype(dtype)
    if name.startswith("softmax"):
        return rng.integers(0, J, (rows, 1)).astype(dtype)
    zero_or_one = rng.integers(0, 2, (rows, J)).astype(dtype)
    if name.startswith("sigmoid"):
        return np.where(rng.random((rows, J)) < 0.7, zero_or_one, rng.random((rows, J))).astype(dtype)
    return wild(rng, (rows, J), dtype)


def some_weights(rng, rows, dtype):
    """(N,): all 1, as where nobody weighs; or of all sizes, with zeros of both signs."""
    if rng.random() < 0.3:
        return np.ones(rows, dtype)
    return np.where(rng.random(rows) < 0.5, np.abs(wild(rng, rows, dtype)), rng.choice([0, -0.0, 1], rows)).astype(
        dtype
    )


SETTINGS = {  # of a loss: the parameter's name, and values, at the ends too
    "softmax_smooth_cross_entropy": ("smoothing", (0.1, 0.9999, 1e-30)),
    "softmax_soft_cross_entropy": ("smoothing", (0.0, 0.1, 0.9999)),
    "softmax_bounded_cross_entropy": ("least", (2.220446049250313e-16, 0.1, 1e-30)),
    "sigmoid_bounded_binary_cross_entropy": ("least", (2.220446049250313e-16, 0.1, 1e-30)),
    "identity_huber": ("delta", (1.0, 0.3, 1e30, 1e-30)),
    "identity_quantile": ("q", (0.5, 0.9, 1e-30)),
}


OF_ROWS = {  # losses whose targets have a column for each output
    "softmax_soft_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_bounded_binary_cross_entropy",
    "sigmoid_squared_error", "identity_squared_error", "identity_absolute_error", "identity_huber",
    "identity_quantile", "exponential_poisson",
}  # fmt: skip


def loss(name):
    def compare(kernel, dtype, rng, J, rows, record):
        x = wild(rng, (rows, J), dtype)
        x[rng.random(rows) < 0.3] = 0.5  # equal logits: the first is the label
        t = some_targets(rng, name, rows, J, dtype)
        line = lines(dtype)
        stride = rng.choice(strides(rows, dtype))
        before = np.concatenate([rng.random(line), rng.integers(0, 9, line)]).astype(dtype)
        real = np.tile(np.arange(line) < rows, 2)
        statistics = Guarded(before, writes=real & bool(record), offset=int(rng.integers(0, 4)))
        z = tile(x, stride, writes=True)
        weights = some_weights(rng, rows, dtype)
        parameter, values = SETTINGS.get(name, (None, (0,)))
        setting = {parameter: np.dtype(dtype).type(rng.choice(values))} if parameter else {}
        run(
            kernel, dtype, z=z, y=tile(t, stride), weights=tile(weights[:, None], stride), statistics=statistics,
            **setting, J=J, rows=rows, stride=stride, record=record,
        )  # fmt: skip
        dz, terms, right = getattr(losses, name)(x, t if name in OF_ROWS else t[:, 0], **setting)
        assert_same_bits(rows_of(z, x.shape, stride), dz, "dz")
        terms = losses.weigh(dz, terms, weights)[1]
        expected = before.copy()
        for n in range(rows * record):
            expected[n % line] += terms[n]
            expected[line + n % line] += right[n]
        assert_same_bits(statistics.array, expected, "statistics")

    return compare


for _name in (
    "softmax_cross_entropy", "softmax_smooth_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_squared_error",
    "softmax_soft_cross_entropy", "softmax_bounded_cross_entropy", "sigmoid_bounded_binary_cross_entropy",
    "identity_squared_error", "identity_absolute_error", "identity_huber", "identity_quantile", "exponential_poisson",
):  # fmt: skip
    case(f"losses.{_name}", loss_sizes)(loss(_name))


@case("losses.weigh", loss_sizes)
def weigh(kernel, dtype, rng, J, rows, record):
    d, weights = wild(rng, (rows, J), dtype), some_weights(rng, rows, dtype)
    line = lines(dtype)
    stride = rng.choice(strides(rows, dtype))
    before = rng.random(line).astype(dtype)
    sums = Guarded(before, writes=np.arange(line) < rows, offset=int(rng.integers(0, 4)))
    dz = tile(d, stride, writes=True)
    run(kernel, dtype, dz=dz, weights=tile(weights[:, None], stride), sums=sums, J=J, rows=rows, stride=stride)
    assert_same_bits(rows_of(dz, d.shape, stride), losses.weigh(d, weights, weights)[0], "dz")
    expected = before.copy()
    for n in range(rows):
        expected[n % line] += weights[n]
    assert_same_bits(sums.array, expected, "sums")


def output(reference):
    def compare(kernel, dtype, rng, J, rows, record):
        x = wild(rng, (rows, J), dtype)
        stride = rng.choice(strides(rows, dtype))
        z = tile(x, stride, writes=True)
        run(kernel, dtype, z=z, J=J, rows=rows, stride=stride)
        assert_same_bits(rows_of(z, x.shape, stride), reference(x), "p")

    return compare


for _name in ("softmax", "sigmoid_output", "exponential_output"):
    case(f"losses.{_name}", loss_sizes)(output(getattr(losses, _name)))


# ---------------------------------------------------------------------------------------------------------
# predict.py


@case("predict.copy_rows", layout_sizes)
def predict_copy_rows(kernel, dtype, rng, K, rows, first, ordered):
    """ordered: here, how many numbers are not finite."""
    x = ordinary(rng, (first + rows + int(rng.integers(0, 3)), K), dtype)
    wrong = rng.integers(0, x.size, int(rng.integers(0, 2 + ordered)))
    x.flat[wrong] = rng.choice(np.array([np.nan, np.inf, -np.inf], dtype), len(wrong))
    step = register_lanes(dtype)
    stride = K + 1 + int(rng.integers(0, 9))
    values = canaries(rows * stride + step + 1, dtype)
    places = np.arange(len(values))
    to = Guarded(values, writes=(places % stride < K) | (places >= rows * stride))
    order = Guarded(np.arange(3))
    run(
        kernel, dtype, x=Guarded(x, offset=1), order=order, ordered=0, first=first, rows=rows, K=K,
        to=to, stride=stride,
    )  # fmt: skip
    copied, finite = predict.copy_rows(x, np.arange(first, first + rows))
    got = to.array[: rows * stride].reshape(rows, stride)[:, :K]
    assert_same_bits(as_bits(np.ascontiguousarray(got)), as_bits(copied), "rows")
    assert bool((to.array[rows * stride :] == 0).all()) == finite, "whether all are finite"
    assert_same_bits(np.isnan(to.array[rows * stride :]).any(), np.bool_(not finite), "NaN")


def label(reference):
    def compare(kernel, dtype, rng, J, rows, record):
        x = wild(rng, (rows, J), dtype) if record else ordinary(rng, (rows, J), dtype)
        stride = rng.choice(strides(rows, dtype))
        z = tile(x, stride, writes=True)
        run(kernel, dtype, z=z, J=J, rows=rows, stride=stride)
        got, expected = rows_of(z, x.shape, stride), reference(x)
        assert_same_bits(got if expected.ndim == 2 else np.ascontiguousarray(got[:, 0]), expected, "z")

    return compare


def scatter_whole_numbers(reference):
    def compare(kernel, dtype, rng, K, rows, first, ordered):
        values = rng.integers(-1, 1000, (rows, K)).astype(dtype)
        stride = rng.choice(strides(rows, dtype))
        expected = reference(np.ascontiguousarray(values.T)).reshape(rows, -1)
        columns = expected.shape[1]
        places = np.arange((first + rows + ordered) * columns)
        writes = (places >= first * columns) & (places < (first + rows) * columns)
        x = Guarded(np.full(len(places), -7), writes=writes, offset=1)
        run(kernel, dtype, tile=tile(values, stride), stride=stride, rows=rows, K=K, x=x, first=first)
        assert_same_bits(x.array.reshape(-1, columns)[first : first + rows], expected, "x")

    return compare


for _name in ("label", "above_zero"):
    case(f"predict.{_name}", loss_sizes)(label(getattr(predict, _name)))
for _name in ("scatter_labels", "scatter_answers"):
    case(f"predict.{_name}", layout_sizes)(scatter_whole_numbers(getattr(predict, _name)))


# ---------------------------------------------------------------------------------------------------------
# optimizers.py


def update_sizes(dtype):
    for count, kind in itertools.product((*edges(dtype), 1000), KINDS):
        yield dict(count=count, kind=kind)


@case("optimizers.gradient_descent", update_sizes)
def gradient_descent(kernel, dtype, rng, count, kind):
    end = whole(count, register_lanes(dtype))
    p, total = KINDS[kind](rng, end, dtype), KINDS[kind](rng, end, dtype)
    scale, rate = np.dtype(dtype).type(1 / 3), np.dtype(dtype).type(rng.random())
    to = Guarded(p, writes=True)
    run(kernel, dtype, p=to, total=Guarded(total), scale=scale, learning_rate=rate, count=count)
    expected = optimizers.gradient_descent(p, total, scale, rate)
    assert_same_bits(to.array[:count], expected[:count], "p")


RATES = (0.1, 1e-3, 3.0, 1e-30)
# name: (vectors of state, the lists to draw this update's numbers from, and those to draw all updates' numbers from)
UPDATES = {
    "momentum": (1, [RATES], [(0.9, 0.5, 0.1, 1 - 2**-20)]),
    "nesterov": (1, [RATES], [(0.9, 0.5, 0.1, 1 - 2**-20)]),
    "classical_momentum": (1, [RATES], [(0.9, 0.5, 0.1, 1.0)]),
    "classical_nesterov": (1, [RATES], [(0.9, 0.5, 0.1, 1.0)]),
    "adam": (
        2,
        [RATES, (31.6, 1.0, 1.001), (1.0, 0.99, -1.5)],
        [(0.9, 0.0), (0.1, 1.0), (0.999, 0.0), (1e-3, 1.0), (1e-8, 1.0, 1e-45)],
    ),
    "rmsprop": (1, [RATES], [(0.99, 0.0), (0.01, 1.0), (1e-8, 1.0, 1e-45)]),
    "rmsprop_momentum": (
        2,
        [RATES],
        [(0.99, 0.0), (0.01, 1.0), (1e-8, 1.0, 1e-45), (0.9, 0.5, 1 - 2**-20)],
    ),
    "adagrad": (1, [RATES], [(1e-10, 1.0, 1e-45)]),
}


FACTORED = ("gradient_descent", "momentum", "nesterov", "adam", "rmsprop", "rmsprop_momentum", "adagrad")


def factored(name):
    """An update with rate factors, which lie behind the vectors that it writes, and adam's decays behind them."""
    vectors, step, settings = UPDATES.get(name, (0, [RATES], []))
    others = 2 if name == "adam" else 1

    def compare(kernel, dtype, rng, count, kind):
        line, every = lines(dtype), vectors + others
        end, size = whole(count, register_lanes(dtype)), (count + 1 + line) // line * line
        p, total = KINDS[kind](rng, count, dtype), KINDS[kind](rng, count, dtype)
        before = KINDS[kind](rng, (every, count), dtype)
        before[:vectors][rng.random((vectors, count)) < 0.2] = 0
        before[vectors] = rng.choice([0, 0.1, 1, 6], count)
        before[vectors + 1 :] = rng.integers(0, 2, count)
        state = canaries(every * size, dtype).reshape(every, size)
        state[:, :count] = before
        rest = canaries(end - count, dtype)
        scale = np.dtype(dtype).type(rng.choice([1, 1 / 3]))
        step_, settings_ = (np.array([rng.choice(one) for one in some], dtype) for some in (step, settings))
        p_, state_ = (
            Guarded(np.append(p, rest), writes=True),
            Guarded(state, writes=(np.arange(every * size) % size < end) & (np.arange(every * size) < vectors * size)),
        )
        run(
            kernel, dtype, p=p_, total=Guarded(np.append(total, rest)), scale=scale, state=state_,
            step=Guarded(step_, offset=1), settings=Guarded(np.append(settings_, step_[:0]), offset=3), count=count,
        )  # fmt: skip
        own = optimizers.with_factors(list(step_), before[vectors], before[-1])
        expected = getattr(optimizers, name)(p, total, scale, *before[:vectors], *own, *settings_)
        expected = expected if vectors else (expected,)
        assert_same_bits(p_.array[:count], expected[0], "p")
        after = state_.array.reshape(every, size)[:vectors, :count]
        assert_same_bits(after, np.array(expected[1:], dtype).reshape(after.shape), "state")

    return compare


for _name in FACTORED:
    case(f"factored_optimizers.{_name}", update_sizes)(factored(_name))


def update(name):
    vectors, step, settings = UPDATES[name]

    def compare(kernel, dtype, rng, count, kind):
        line = lines(dtype)
        end, size = whole(count, register_lanes(dtype)), (count + 1 + line) // line * line
        p, total = KINDS[kind](rng, count, dtype), KINDS[kind](rng, count, dtype)
        before = KINDS[kind](rng, (vectors, count), dtype)
        before[rng.random(before.shape) < 0.2] = 0  # as states begin
        state = canaries(vectors * size, dtype).reshape(vectors, size)
        state[:, :count] = before
        rest = canaries(end - count, dtype)
        scale = np.dtype(dtype).type(rng.choice([1, 1 / 3]))
        step_, settings_ = (np.array([rng.choice(one) for one in some], dtype) for some in (step, settings))
        p_, state_ = (
            Guarded(np.append(p, rest), writes=True),
            Guarded(state, writes=np.arange(vectors * size) % size < end),
        )
        run(
            kernel, dtype, p=p_, total=Guarded(np.append(total, rest)), scale=scale, state=state_,
            step=Guarded(step_, offset=1), settings=Guarded(settings_, offset=3), count=count,
        )  # fmt: skip
        expected = getattr(optimizers, name)(p, total, scale, *before, *step_, *settings_)
        assert_same_bits(p_.array[:count], expected[0], "p")
        assert_same_bits(state_.array.reshape(vectors, size)[:, :count], np.array(expected[1:]), "state")

    return compare


for _name in UPDATES:
    case(f"optimizers.{_name}", update_sizes)(update(_name))


# ---------------------------------------------------------------------------------------------------------
# input_scale.py


def input_scale_sizes(dtype):
    kinds = itertools.cycle(KINDS)
    for K, J in itertools.product((1, 2, 7, 8, 9, 17), (1, 2, 7, 16, 33)):
        yield dict(K=K, J=J, kind=next(kinds))


@case("input_scale.folded", input_scale_sizes)
def folded(kernel, dtype, rng, K, J, kind):
    w, s = KINDS[kind](rng, (K, J), dtype), KINDS[kind](rng, K, dtype)
    to = Guarded(canaries(K * J, dtype), writes=True, offset=1)
    run(kernel, dtype, w=Guarded(w.ravel(), offset=3), s=Guarded(s, offset=1), to=to, K=K, J=J)
    assert_same_bits(to.array.reshape(K, J), input_scale.folded(w, s), "to")


@case("input_scale.unfolded", input_scale_sizes)
def unfolded(kernel, dtype, rng, K, J, kind):
    dw, w, s = (KINDS[kind](rng, shape, dtype) for shape in ((K, J), (K, J), K))
    to, ds = Guarded(dw.ravel(), writes=True, offset=1), Guarded(canaries(K, dtype), writes=True, offset=3)
    run(kernel, dtype, dw=to, w=Guarded(w.ravel(), offset=3), s=Guarded(s, offset=1), ds=ds, K=K, J=J)
    expected = input_scale.unfolded(dw, w, s)
    assert_same_bits(to.array.reshape(K, J), expected[0], "dw")
    assert_same_bits(ds.array, expected[1], "ds")


# ---------------------------------------------------------------------------------------------------------
# gradients.py


def padded(x):
    """x, and canaries up to a whole register."""
    return np.append(x, canaries(whole(len(x), register_lanes(x.dtype)) - len(x), x.dtype))


def sprinkled(rng, x, numbers):
    """x with these in a quarter of its places."""
    return np.where(rng.random(len(x)) < 0.25, rng.choice(numbers, len(x)), x).astype(x.dtype)


@case("gradients.scaled", update_sizes)
def scaled(kernel, dtype, rng, count, kind):
    total, scale = KINDS[kind](rng, count, dtype), np.dtype(dtype).type(rng.choice([1, 1 / 3, 1e-30]))
    g = Guarded(padded(total), writes=True)
    run(kernel, dtype, g=g, scale=scale, count=count)
    assert_same_bits(g.array[:count], gradients.scaled(total, scale), "g")


@case("gradients.penalized", update_sizes)
def penalized(kernel, dtype, rng, count, kind):
    before, w = KINDS[kind](rng, count, dtype), sprinkled(rng, KINDS[kind](rng, count, dtype), [0.0, -0.0, np.nan])
    l2, l1 = (np.dtype(dtype).type(rng.choice([0, 0.1, 3])) for _ in range(2))
    g = Guarded(padded(before), writes=np.arange(len(padded(before))) < count, offset=int(rng.integers(0, 4)))
    run(kernel, dtype, g=g, w=Guarded(padded(w), offset=1), l2=l2, l1=l1, count=count)
    assert_same_bits(g.array[:count], gradients.penalized(before, w, l2, l1), "g")


@case("gradients.clipped_by_value", update_sizes)
def clipped_by_value(kernel, dtype, rng, count, kind):
    limit = np.dtype(dtype).type(rng.choice([0.5, 1.0, 1e-30]))
    before = sprinkled(rng, KINDS[kind](rng, count, dtype), [limit, -limit, np.inf, -np.inf, np.nan])
    g = Guarded(padded(before), writes=True)
    run(kernel, dtype, g=g, limit=limit, count=count)
    assert_same_bits(g.array[:count], gradients.clipped_by_value(before, limit), "g")


def square_sizes(dtype):
    for count, kind in itertools.product((*edges(dtype), 511, 512, 513, 1025, 1537, 5000), KINDS):
        yield dict(count=count, kind=kind)


@case("gradients.sum_of_squares", square_sizes)
def sum_of_squares(kernel, dtype, rng, count, kind):
    w = KINDS[kind](rng, count, dtype)
    levels = ((count + 511) // 512).bit_length()
    scratch = Guarded(canaries(lines(dtype) + levels, dtype), writes=True)
    run(kernel, dtype, w=Guarded(padded(w), offset=1), scratch=scratch, count=count)
    assert_same_bits(scratch.array[:1], gradients.sum_of_squares(w)[None], "the sum")


NORMS = ("below", "at", "just above", "above", "far above", "overflow", "underflow", "infinity", "nan")


def norm_sizes(dtype):
    """On either side of a register, a line, a chunk and more chunks; each with its norm on each side of the limit."""
    for count, norm in itertools.product((*edges(dtype), 511, 512, 513, 1024, 1025, 1537, 5000), NORMS):
        yield dict(count=count, norm=norm, kind="ordinary")
    for count, kind in itertools.product((1, 7, 8, 513, 1025), ("wild", "cancelling")):
        yield dict(count=count, norm="above", kind=kind)


@case("gradients.clipped_by_norm", norm_sizes)
def clipped_by_norm(kernel, dtype, rng, count, norm, kind):
    real, line = np.dtype(dtype).type, lines(dtype)
    before = KINDS[kind](rng, count, dtype)
    before[0] = real(1.5)
    exponent = np.finfo(dtype).maxexp // 2 + 1
    before[-1] = {"infinity": np.inf, "nan": np.nan}.get(norm, before[-1])
    before = np.ldexp(before, {"overflow": exponent, "underflow": -2 * exponent // 3}.get(norm, 0)).astype(dtype)
    size = np.sqrt(arithmetic.row_products(before[:, None], before[:, None])[0, 0])
    limit = {
        "below": real(2) * size, "at": size, "just above": np.nextafter(size, real(0)), "far above": size * real(1e-9),
    }.get(norm, real(0.7) * size)  # fmt: skip
    limit = real(1) if not np.isfinite(limit) else limit
    assert (norm in ("overflow", "infinity", "nan")) != np.isfinite(size) or kind != "ordinary"
    clips = bool(np.isfinite(size) and size > limit)
    assert clips == ("above" in norm or norm == "underflow") or kind != "ordinary"
    levels = ((count + 511) // 512).bit_length()
    scratch = Guarded(canaries(line + levels, dtype), writes=True)
    g = Guarded(padded(before), writes=clips)
    run(kernel, dtype, g=g, scratch=scratch, limit=limit, count=count)
    assert_same_bits(g.array[:count], gradients.clipped_by_norm(before, limit), "g")


# ---------------------------------------------------------------------------------------------------------
# random.py

SEEDS = (0, 1, 42, 2**32 - 1, 2**32, 2**63, 2**64 - 1)


def signed(seed):
    return int(np.array(seed, np.uint64).view(np.int64))


def random_sizes(dtype):
    for (number, seed), count in itertools.product(enumerate(SEEDS), (1, 2, 3, 4, 5, 16, 101, 1000)):
        yield dict(seed=seed, epoch=(0, 1, 77, 2**31)[number % 4], count=count)


@case("random.uniform", random_sizes)
def uniform(kernel, dtype, rng, seed, epoch, count):
    x = Guarded(canaries(whole(count, 2), dtype), writes=True)
    stream = int(rng.integers(0, 3))
    run(kernel, dtype, seed=signed(seed), stream=stream, epoch=epoch, count=count, x=x)
    assert_same_bits(x.array[:count], random.uniform(seed, stream, epoch, count), "x")


def normal_sizes(dtype):
    yield from random_sizes(dtype)
    for count in (511, 512, 513, 1024, 1537):
        yield dict(seed=count, epoch=0, count=count)


@case("random.normal", normal_sizes)
def normal(kernel, dtype, rng, seed, epoch, count):
    x = Guarded(canaries(whole(count, register_lanes(dtype)), dtype), writes=True)
    tails = Guarded(canaries(plan.NORMAL_BLOCK, dtype), writes=True)
    places = Guarded(np.full(plan.NORMAL_BLOCK, -1, np.int64), writes=True)
    stream = int(rng.integers(0, 3))
    where = dict(x=x, tails=tails, places=places)
    run(kernel, dtype, seed=signed(seed), stream=stream, epoch=epoch, count=count, **where)
    assert_same_bits(x.array[:count], random.normal(seed, stream, epoch, count), "x")


@case("random.permutation", random_sizes)
def permutation(kernel, dtype, rng, seed, epoch, count):
    order = Guarded(np.full(count, -1, np.int64), writes=True)
    run(kernel, dtype, seed=signed(seed), epoch=epoch, count=count, order=order)
    assert_same_bits(order.array, random.permutation(seed, epoch, count), "order")


def dropout_sizes(dtype):
    for units, rows, rate in itertools.product((1, 3, 4, 5, 33), (1, 2, 17, 64), (0.5, 0.1)):
        yield dict(units=units, rows=rows, rate=rate, seed=units * 2**58 + rows, epoch=2**32 - rows, first=2**32 - 99)
    yield dict(units=7, rows=9, rate=1 - 2**-40, seed=0, epoch=1, first=0)  # all but all
    yield dict(units=7, rows=9, rate=2.0**-32, seed=2**64 - 1, epoch=1, first=0)
    # a threshold that is itself a unit's word, which is not below it
    for unit in range(5):
        yield dict(units=5, rows=3, rate=_drawn(unit) * 2.0**-32, seed=9, epoch=1, first=0, stream=random.DROPOUT)


def _drawn(unit):
    """A unit's 32 bits of the row at place 1, where rows have 5 units."""
    block, word = 2 + unit // 4, unit % 4
    counter = np.array([[block], [0], [1], [random.DROPOUT]], np.uint64)
    return int(random.philox(counter, np.array([9, 0], np.uint64))[word][0])


@case("random.dropout_factors", dropout_sizes)
def dropout_factors(kernel, dtype, rng, units, rows, rate, seed, epoch, first, stream=None):
    threshold, kept = random.dropout_numbers(rate)
    kept = np.dtype(dtype).type(kept)
    if stream is None:
        stream = random.DROPOUT + int(rng.integers(0, 5))
    stride = rng.choice([rows, rows + 3])
    factors = Guarded(canaries(whole(units, 4) * stride, dtype), writes=True)
    run(
        kernel, dtype, factors=factors, seed=signed(seed), stream=stream, epoch=epoch, first=first, units=units,
        rows=rows, stride=stride, threshold=threshold, kept=kept,
    )  # fmt: skip
    expected = random.dropout_factors(seed, stream, epoch, np.arange(first, first + rows), units, threshold, kept)
    assert expected.dtype == dtype
    assert_same_bits(factors.array.reshape(-1, stride)[:units, :rows].T, expected, "factors")


@case("random.normal_quantile", map_sizes)
def normal_quantile(kernel, dtype, rng, numbers, count):
    p = {"wild": rng.random, "nasty": rng.random, "near": lambda n: 10.0 ** rng.uniform(-300, 0, n) / 2}.get(
        numbers, lambda n: np.abs(np.where(rng.random(n) < 0.5, 0, 1) - 10.0 ** rng.uniform(-15, -0.4, n))
    )(count)
    if numbers == "nasty":
        tiny = 2.0**-53
        p[:8] = 5e-324, 2.3e-308, tiny, 1 - tiny, 0.5, 0.075, 0.925, np.nextafter(0.5, 1)
    end = whole(count, register_lanes(dtype))
    x = Guarded(np.append(p, canaries(end - count, dtype)), writes=True)
    run(kernel, dtype, x=x, count=count)
    assert_same_bits(x.array[:count], random.normal_quantile(p), "quantile")
