"""A row for each registered kernel: its arguments at a typical size, the reference's same work, and NumPy's.

`ROWS` has an entry for every kernel, or `unmeasured` names it. `Bench` calls one: it checks the bits before anybody
times it, and puts back what a call has overwritten before the next. NumPy's entries are the textbook's formulas with
`@` (its BLAS) and temporaries, on rows by rows (`textbook.py`); a kernel has none where NumPy has no such operation
(erf, quantiles). The rows of kernels whose lanes are models are in `lanes_kernels.py`.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.engine import numba_backend, reference_backend
from fastmlp.engine.sizes import aligned, panel_width, row_stride
from fastmlp.engine.team import Team
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.reference import activations, input_scale, optimizers, random
from fastmlp.reference import train as reference_train
from fastmlp.reference.arithmetic import CHUNK, LINE, fma
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import Training

from .. import exercise
from . import lanes_kernels, preprocess_kernels  # noqa: F401 - their rows are in ROWS
from .rows import ROWS, SMALL, TYPICAL, Row, Size, normal, row, vector
from .textbook import (
    NUMPY_ACTIVATIONS,
    NUMPY_LOSSES,
    UPDATES,
    logistic,
    numpy_softmax,
)

__all__ = ["ROWS", "SMALL", "TYPICAL", "Bench", "Row", "Size", "Unfit", "assert_same", "unmeasured"]


def unmeasured(registered: Mapping[str, Any], rows: Mapping[str, Any]) -> set[str]:
    """The names of kernels that have no row here."""
    return set(registered) - set(rows)


class Unfit(Exception):
    """The registry, an older commit's perhaps, has not the kernel that a row here is for."""


class Bench:
    """A kernel, ready to be timed: `restore`, then `kernel`, `reference` or `numpy`, and again."""

    def __init__(self, name: str, dtype: str, size: Size = TYPICAL):
        """Raises Unfit where there is no such kernel, or where it has other parameters than its row knows."""
        pair = registry.load_all().get(name)
        if pair is None or dtype not in pair.dtypes:
            raise Unfit(f"{name} is no kernel for {dtype}")
        self.name, self.dtype, self.row = name, dtype, ROWS[name](dtype, size)
        names = list(inspect.signature(pair.function).parameters)
        if set(names) != set(self.row.arguments):
            given = list(self.row.arguments)
            raise Unfit(f"{name} takes {names}, and its row in benchmarks/suites gives {given}")
        self._values = [registry._plain(self.row.arguments[n]) for n in names]
        self._function = registry.function(name, dtype, pair.arguments)
        self._definition = pair.reference
        arrays = [value for value in self.row.arguments.values() if isinstance(value, np.ndarray)]
        self._before = [(array, array.copy()) for array in (*arrays, *self.row.buffers)]
        self._expected = self.row.reference(self._definition)
        self.kernel()
        got = self.row.results()
        self._overwritten = [(a, was) for a, was in self._before if not np.array_equal(_bits(a), _bits(was))]
        assert_same(self._expected, got, f"{name} {dtype}")
        self.restore()

    def restore(self) -> None:
        for array, was in self._overwritten:
            array[...] = was

    def kernel(self) -> None:
        self._function(*self._values)

    def reference(self) -> None:
        self.row.reference(self._definition)

    @property
    def numpy(self) -> Callable[[], tuple[np.ndarray, ...]] | None:
        return self.row.numpy

    def check_numpy(self) -> None:
        """Raises AssertionError where NumPy does other work."""
        close = dict(rtol=2e-4, atol=2e-5) if self.dtype == "float32" else dict(rtol=1e-9, atol=1e-11)
        assert self.row.numpy
        for expected, got in zip(self._expected, self.row.numpy(), strict=False):
            np.testing.assert_allclose(got, expected, **close, err_msg=f"{self.name} {self.dtype}: NumPy's")


def _bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}")


def assert_same(expected: tuple[np.ndarray, ...], got: tuple[np.ndarray, ...], what: str) -> None:
    """Raises AssertionError unless they are the same arrays, bit for bit."""
    kinds = [[(array.dtype, array.shape) for array in arrays] for arrays in (got, expected)]
    assert kinds[0] == kinds[1], f"{what}: {kinds[0]}, expected {kinds[1]}"
    for number, (a, b) in enumerate(zip(expected, got, strict=True)):
        wrong = int((_bits(a) != _bits(b)).sum())
        assert not wrong, f"{what}: {wrong} of {a.size} numbers of result {number} are not the reference's"


# ---------------------------------------------------------------------------------------------------------
# Tiles and numbers. Unit k of row n is tile[k * stride + n]


class Tile:
    """x (N, K) as a tile."""

    def __init__(self, x: np.ndarray, padding: float = 0.0):
        self.rows, self.units = x.shape
        line = LINE // x.itemsize
        group = max(2 * target().register // x.itemsize, line)
        self.stride = -(-self.rows // group) * group + line
        self.array = aligned(self.units * self.stride, x.dtype.name)
        self._units = self.array.reshape(self.units, self.stride)
        self._units[:, self.rows :] = padding
        self._units[:, : self.rows] = x.T

    def x(self) -> np.ndarray:
        return self._units[:, : self.rows].T

    def sizes(self, units: str) -> dict[str, int]:
        return {units: self.units, "rows": self.rows, "stride": self.stride}


# ---------------------------------------------------------------------------------------------------------
# activations.py


def activation(name: str) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        z = normal((size.rows, size.K), dtype)
        a, slope = Tile(z), Tile(np.zeros_like(z))
        with_numpy = NUMPY_ACTIVATIONS[name]
        return Row(
            dict(a=a.array, slope=slope.array, **a.sizes("units")),
            lambda forward: forward(z),
            lambda: (a.x(), slope.x()),
            (lambda: with_numpy(z)) if with_numpy else None,
        )

    return make


for _name in NUMPY_ACTIVATIONS:
    ROWS[f"activations.{_name}_forward"] = activation(_name)


@row("activations.multiply")
def multiply(dtype: str, size: Size) -> Row:
    d, slopes = normal((size.rows, size.K), dtype), normal((size.rows, size.K), dtype, 1)
    a, factors = Tile(d), Tile(slopes)
    return Row(
        dict(a=a.array, factors=factors.array, **a.sizes("units")),
        lambda times: (times(d, slopes),),
        lambda: (a.x(),),
        lambda: (d * slopes,),
    )


# ---------------------------------------------------------------------------------------------------------
# dense.py


class Layer:
    """x (N, K), w (K, J), b (J,) and dz (N, J)."""

    def __init__(self, dtype: str, size: Size, rows: int):
        self.x, self.dz = normal((rows, size.K), dtype), normal((rows, size.J), dtype, 1)
        self.w, self.b = normal((size.K, size.J), dtype, 2), normal(size.J, dtype, 3)
        self.sizes = dict(K=size.K, J=size.J)

    def forward(self, layer: Any) -> tuple[np.ndarray]:
        return (activations.relu_forward(layer(self.x, self.w, self.b)),)

    def backward_input(self, layer: Any) -> tuple[np.ndarray]:
        return (activations.relu_backward(self.x, layer(self.dz, self.w)),)

    def backward_weights(self, layer: Any) -> tuple[np.ndarray, ...]:
        return layer(self.x, self.dz)

    def numpy_forward(self) -> tuple[np.ndarray]:
        return (np.maximum(0, self.x @ self.w + self.b),)

    def numpy_backward_input(self) -> tuple[np.ndarray]:
        return ((self.dz @ self.w.T) * (self.x > 0),)

    def numpy_backward_weights(self) -> tuple[np.ndarray, ...]:
        return self.x.T @ self.dz, self.dz.sum(axis=0)


@row("dense.dense_forward")
def dense_forward(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    a, z = Tile(layer.x), Tile(np.zeros_like(layer.dz))
    arguments = dict(a=a.array, w=vector(layer.w), b=vector(layer.b), z=z.array, **a.sizes("K"), J=size.J, relu=1)
    return Row(arguments, layer.forward, lambda: (z.x(),), layer.numpy_forward)


@row("dense.dense_backward_input")
def dense_backward_input(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    a, dz = Tile(layer.x), Tile(layer.dz)
    arguments = dict(dz=dz.array, w=vector(layer.w), a=a.array, **a.sizes("K"), J=size.J, relu=1)
    return Row(arguments, layer.backward_input, lambda: (a.x(),), layer.numpy_backward_input)


@row("dense.dense_backward_weights")
def dense_backward_weights(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    a, dz = Tile(layer.x), Tile(layer.dz, padding=-0.0)  # as streamed.span leaves it: what it adds to a sum is -0
    dw = vector(np.zeros((size.K + 1) * size.J, dtype))
    ones, sums = vector(np.ones(a.stride, dtype)), vector(np.zeros(12 * LINE // dz.array.itemsize, dtype))
    found = dw.reshape(-1, size.J)
    return Row(
        dict(a=a.array, ones=ones, dz=dz.array, sums=sums, dw=dw, **a.sizes("K"), J=size.J, first=1, last=1),
        layer.backward_weights,
        lambda: (found[:-1], found[-1]),
        layer.numpy_backward_weights,
    )


class Rows:
    """x (N, K) row by row, each with a 1 behind it, as the layered pass has them."""

    def __init__(self, x: np.ndarray):
        rows, self.units = x.shape
        self.stride = row_stride(self.units, x.dtype.name)
        self.array = aligned((rows + at.BLOCK_ROWS) * self.stride, x.dtype.name)
        self._rows = self.array.reshape(-1, self.stride)[:rows]
        self._rows[:, : self.units], self._rows[:, self.units] = x, 1

    def x(self, more: int = 0) -> np.ndarray:
        return np.ascontiguousarray(self._rows[:, : self.units + more])


def with_room(values: np.ndarray) -> np.ndarray:
    """These numbers, and two lines behind them that may be read."""
    found = aligned(values.size, values.dtype.name)
    found[:] = values.ravel()
    return found


@row("layered_dense.dense_forward")
def layered_forward(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    a, z = Rows(layer.x), Rows(np.zeros_like(layer.dz))
    w = with_room(np.append(layer.w, layer.b))
    panel = aligned(at.DEPTH * panel_width(dtype), dtype)
    arguments = dict(a=a.array, w=w, b=w[layer.w.size :], z=z.array, panel=panel, **layer.sizes, rows=size.rows)
    arguments |= dict(a_stride=a.stride, z_stride=z.stride, relu=1)
    return Row(arguments, layer.forward, lambda: (z.x(),), layer.numpy_forward)


@row("layered_dense.dense_backward_input")
def layered_backward_input(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    a, da, dz = Rows(layer.x), Rows(np.zeros_like(layer.x)), Rows(layer.dz)
    width = panel_width(dtype)
    panel = aligned((at.DEPTH + LINE) * width, dtype)
    sums = aligned((at.PASSING + at.BLOCK_ROWS) * width, dtype)
    arguments = dict(dz=dz.array, w=with_room(np.append(layer.w, layer.b)), a=a.array, da=da.array, panel=panel)
    arguments |= dict(sums=sums, **layer.sizes, rows=size.rows, dz_stride=dz.stride, stride=a.stride, relu=1)
    return Row(arguments, layer.backward_input, lambda: (da.x(),), layer.numpy_backward_input)


def by_groups(layer: Layer, dtype: str, size: Size) -> dict[str, Any]:
    """The arguments of a kernel of weight gradients, but for what it writes."""
    a, dz = Rows(layer.x), Rows(layer.dz)
    width = panel_width(dtype)
    group = -(-size.J // width) * width
    packed = aligned(size.rows * (group + LINE // dz.array.itemsize), dtype)
    levels = aligned((at.LEVELS_OF_LANES + at.LEVELS_OF_CHUNKS) * at.BLOCK_INPUTS * width, dtype)
    arguments = dict(a=a.array, dz=dz.array, packed=packed, levels=levels, **layer.sizes, rows=size.rows)
    return arguments | dict(a_stride=a.stride, dz_stride=dz.stride, group=group)


@row("layered_dense.dense_backward_weights")
def layered_backward_weights(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    dw = vector(np.zeros((size.K + 1) * size.J, dtype))
    found = dw.reshape(-1, size.J)
    arguments = dict(dw=dw, **by_groups(layer, dtype, size))
    return Row(arguments, layer.backward_weights, lambda: (found[:-1], found[-1]), layer.numpy_backward_weights)


@row("layered_dense.dense_descend")
def layered_descend(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, size.rows)
    before = np.append(layer.w, layer.b)
    w = vector(before)
    scale, rate = np.dtype(dtype).type(1 / size.rows), np.dtype(dtype).type(0.1)
    arguments = dict(w=w, scale=scale, learning_rate=rate, **by_groups(layer, dtype, size))
    return Row(
        arguments, lambda descend: (descend(layer.x, layer.dz, before, scale, rate),), lambda: (w,),
        lambda: (before - rate * scale * np.vstack([layer.x.T @ layer.dz, layer.dz.sum(axis=0)]).ravel(),),
    )  # fmt: skip


@row("rowwise_dense.dense_forward")
def rowwise_forward(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, 1)
    z = vector(np.zeros(size.J, dtype))
    arguments = dict(a=vector(layer.x), w=vector(layer.w), b=vector(layer.b), z=z, **layer.sizes, relu=1)
    return Row(arguments, layer.forward, lambda: (z[None],), layer.numpy_forward)


@row("rowwise_dense.dense_backward_input")
def rowwise_backward_input(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, 1)
    a = vector(layer.x)
    arguments = dict(dz=vector(layer.dz), w=vector(layer.w), a=a, **layer.sizes, relu=1)
    return Row(arguments, layer.backward_input, lambda: (a[None],), layer.numpy_backward_input)


@row("rowwise_dense.dense_backward_weights")
def rowwise_backward_weights(dtype: str, size: Size) -> Row:
    layer = Layer(dtype, size, 1)
    sums = vector(np.zeros((size.K + 1) * size.J, dtype))
    found = sums.reshape(-1, size.J)
    return Row(
        dict(a=vector(layer.x), dz=vector(layer.dz), sums=sums, **layer.sizes, first=1),
        layer.backward_weights,
        lambda: (found[:-1], found[-1]),
        layer.numpy_backward_weights,
    )


@row("rowwise_dense.fold")
def rowwise_fold(dtype: str, size: Size) -> Row:
    line = LINE // np.dtype(dtype).itemsize
    lanes_size = (size.count + line) // line * line
    lanes = normal((line, lanes_size), dtype)
    total = vector(np.zeros(size.count, dtype))
    return Row(
        dict(sums=vector(lanes), total=total, count=size.count, size=lanes_size, rows=line),
        lambda fold: (fold(lanes[:, : size.count]),),
        lambda: (total,),
        lambda: (lanes[:, : size.count].sum(axis=0),),
    )


# ---------------------------------------------------------------------------------------------------------
# elementary.py

ELEMENTARY: dict[str, tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray] | None]] = {
    "exp": (lambda x: x, np.exp),
    "exp_nonpositive": (lambda x: -np.abs(x), np.exp),
    "expm1_nonpositive": (lambda x: -np.abs(x), np.expm1),
    "log": (np.abs, np.log),
    "log1p": (np.abs, np.log1p),
    "normal_cdf": (lambda x: x, None),
    "sigmoid": (lambda x: x, logistic),
    "tanh": (lambda x: x, np.tanh),
}


def elementary_map(name: str) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        domain, with_numpy = ELEMENTARY[name]
        x = domain(normal(size.count, dtype))
        y = vector(np.zeros_like(x))
        return Row(
            dict(x=vector(x), y=y, count=size.count),
            lambda function: (function(x),),
            lambda: (y,),
            (lambda: (with_numpy(x),)) if with_numpy else None,
        )

    return make


for _name in ELEMENTARY:
    ROWS[f"elementary.map_{_name}"] = elementary_map(_name)


# ---------------------------------------------------------------------------------------------------------
# layout.py


@row("layout.gather")
def gather(dtype: str, size: Size) -> Row:
    x = normal((4 * size.rows, size.K), dtype)
    order = np.random.default_rng(1).permutation(len(x))
    tile = Tile(np.zeros((size.rows, size.K), dtype))
    chosen = order[: size.rows]
    return Row(
        dict(
            x=vector(x), order=order, ordered=1, first=0, rows=size.rows, K=size.K, tile=tile.array, stride=tile.stride
        ),
        lambda gather: (gather(x, chosen),),
        lambda: (tile.x().T,),
        lambda: (np.ascontiguousarray(x[chosen].T),),
    )


@row("layout.copy_rows")
def copy_rows(dtype: str, size: Size) -> Row:
    x = normal((4 * size.rows, size.K), dtype)
    order = np.random.default_rng(1).permutation(len(x))
    to = Rows(np.zeros((size.rows, size.K), dtype))
    chosen = order[: size.rows]
    ones = np.ones(size.rows, dtype)
    return Row(
        dict(x=vector(x), order=order, ordered=1, first=0, rows=size.rows, K=size.K, to=to.array, stride=to.stride),
        lambda copy_rows: (copy_rows(x, chosen),),
        lambda: (to.x(more=1),),
        lambda: (np.column_stack([x[chosen], ones]),),
    )


@row("layout.transpose")
def transpose(dtype: str, size: Size) -> Row:
    x = normal((size.rows, size.K), dtype)
    to = vector(np.zeros(x.size, dtype))
    return Row(
        dict(x=vector(x), x_stride=size.K, rows=size.rows, K=size.K, to=to, stride=size.rows),
        lambda transpose: (np.ascontiguousarray(transpose(x)),),
        lambda: (to.reshape(size.K, -1),),
        lambda: (np.ascontiguousarray(x.T),),
    )


@row("layout.scatter")
def scatter(dtype: str, size: Size) -> Row:
    tile = Tile(normal((size.rows, size.K), dtype))
    x = vector(np.zeros(size.rows * size.K, dtype))
    units = np.ascontiguousarray(tile.x().T)
    return Row(
        dict(tile=tile.array, x=x, first=0, **tile.sizes("K")),
        lambda scatter: (scatter(units),),
        lambda: (x.reshape(-1, size.K),),
        lambda: (np.ascontiguousarray(units.T),),
    )


# ---------------------------------------------------------------------------------------------------------
# losses.py


def in_lanes(*values: np.ndarray) -> np.ndarray:
    """Sums over rows, lane by lane: a line for each of the arrays (N,)."""
    line = LINE // values[0].itemsize
    sums = np.zeros((len(values), line), values[0].dtype)
    for value, lanes in zip(values, sums, strict=True):
        for start in range(0, len(value), line):
            some = value[start : start + line]
            lanes[: len(some)] += some
    return sums.ravel()


def loss(name: str) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        with_numpy, settings = NUMPY_LOSSES[name]
        z = normal((size.rows, size.classes), dtype)
        draws = np.random.default_rng(1)
        columns = 1 if name.startswith("softmax") and "soft_" not in name else size.classes
        y = draws.integers(0, size.classes if columns == 1 else 2, (size.rows, columns)).astype(dtype)
        targets = y[:, 0] if columns == 1 else y
        logits = Tile(z)
        statistics = vector(np.zeros(2 * LINE // z.itemsize, dtype))
        ones = vector(np.ones(logits.stride, dtype))
        setting = {key: np.dtype(dtype).type(value) for key, value in settings.items()}

        def expected(loss: Any) -> tuple[np.ndarray, ...]:
            dz, terms, right = loss(z, targets, **setting)
            return dz, in_lanes(terms, right.astype(dtype))

        return Row(
            dict(
                z=logits.array, y=Tile(y).array, weights=ones, statistics=statistics, **setting,
                **logits.sizes("J"), record=1,
            ),
            expected,
            lambda: (logits.x(), statistics),
            lambda: with_numpy(z, targets, **settings),
        )  # fmt: skip

    return make


for _name in NUMPY_LOSSES:
    ROWS[f"losses.{_name}"] = loss(_name)


@row("losses.weigh")
def weigh(dtype: str, size: Size) -> Row:
    d = normal((size.rows, size.classes), dtype)
    weights = np.abs(normal(size.rows, dtype, 1))
    dz, sums = Tile(d), vector(np.zeros(LINE // d.itemsize, dtype))
    return Row(
        dict(dz=dz.array, weights=Tile(weights[:, None]).array, sums=sums, **dz.sizes("J")),
        lambda weigh: (weigh(d, weights, weights)[0], in_lanes(weights)),
        lambda: (dz.x(), sums),
        lambda: (d * weights[:, None], weights.sum())[:1],
    )


def output(with_numpy: Callable[[np.ndarray], np.ndarray]) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        z = normal((size.rows, size.classes), dtype)
        tile = Tile(z)
        arguments = dict(z=tile.array, **tile.sizes("J"))
        return Row(arguments, lambda output: (output(z),), lambda: (tile.x(),), lambda: (with_numpy(z),))

    return make


ROWS["losses.softmax"] = output(numpy_softmax)
ROWS["losses.sigmoid_output"] = output(logistic)
ROWS["losses.exponential_output"] = output(np.exp)


# ---------------------------------------------------------------------------------------------------------
# optimizers.py and gradients.py


def update(name: str) -> Callable[[str, Size], Row]:
    vectors, steps, settings, with_numpy = UPDATES[name]

    def make(dtype: str, size: Size) -> Row:
        line = LINE // np.dtype(dtype).itemsize
        between = (size.count + 1 + line) // line * line
        p, total = normal(size.count, dtype), normal(size.count, dtype, 1)
        before = np.abs(normal((vectors, size.count), dtype, 2))
        state = aligned(vectors * between, dtype)
        state.reshape(vectors, between)[:, : size.count] = before
        step, setting, scale = np.array(steps, dtype), np.array(settings, dtype), np.dtype(dtype).type(1 / 3)
        parameters = vector(p)
        return Row(
            dict(
                p=parameters, total=vector(total), scale=scale, state=state, step=step, settings=setting,
                count=size.count,
            ),
            lambda update: update(p, total, scale, *before, *step, *setting),
            lambda: (parameters, *state.reshape(vectors, between)[:, : size.count]),
            lambda: with_numpy(p, scale * total, *before, *step, *setting),
        )  # fmt: skip

    return make


for _name in UPDATES:
    ROWS[f"optimizers.{_name}"] = update(_name)


def factored(name: str) -> Callable[[str, Size], Row]:
    """An update with rate factors; NumPy's takes them, too."""
    vectors, steps, settings, with_numpy = UPDATES.get(name, (0, [1e-3], [], lambda p, g, rate: (p - rate * g,)))
    others = 2 if name == "adam" else 1

    def make(dtype: str, size: Size) -> Row:
        line = LINE // np.dtype(dtype).itemsize
        between = (size.count + 1 + line) // line * line
        p, total = normal(size.count, dtype), normal(size.count, dtype, 1)
        before = np.abs(normal((vectors + others, size.count), dtype, 2))
        state = aligned((vectors + others) * between, dtype)
        state.reshape(-1, between)[:, : size.count] = before
        step, setting, scale = np.array(steps, dtype), np.array([*settings, 0.0], dtype), np.dtype(dtype).type(1 / 3)
        parameters, own = vector(p), optimizers.with_factors(list(step), before[vectors], before[-1])

        def expected(update: Any) -> Any:
            found = update(p, total, scale, *before[:vectors], *own, *setting[:-1])
            return found if vectors else (found,)

        return Row(
            dict(
                p=parameters, total=vector(total), scale=scale, state=state, step=step, settings=setting,
                count=size.count,
            ),
            expected,
            lambda: (parameters, *state.reshape(-1, between)[:vectors, : size.count]),
            lambda: with_numpy(p, scale * total, *before[:vectors], *own, *setting[:-1]),
        )  # fmt: skip

    return make


for _name in ("gradient_descent", "momentum", "nesterov", "adam", "rmsprop", "rmsprop_momentum", "adagrad"):
    ROWS[f"factored_optimizers.{_name}"] = factored(_name)


@row("input_scale.folded")
def folded(dtype: str, size: Size) -> Row:
    w, s = normal((size.K, size.J), dtype), normal(size.K, dtype, 1)
    to = vector(np.zeros(w.size, dtype))
    return Row(
        dict(w=vector(w.ravel()), s=vector(s), to=to, K=size.K, J=size.J),
        lambda folded: (folded(w, s).ravel(),),
        lambda: (to,),
        lambda: ((s[:, None] * w).ravel(),),
    )


@row("input_scale.unfolded")
def unfolded(dtype: str, size: Size) -> Row:
    dw, w, s = normal((size.K, size.J), dtype), normal((size.K, size.J), dtype, 2), normal(size.K, dtype, 1)
    to, ds = vector(dw.ravel()), vector(np.zeros(size.K, dtype))

    def expected(unfolded: Any) -> tuple[np.ndarray, ...]:
        of_weights, of_scale = unfolded(dw, w, s)
        return of_weights.ravel(), of_scale

    return Row(
        dict(dw=to, w=vector(w.ravel()), s=vector(s), ds=ds, K=size.K, J=size.J),
        expected,
        lambda: (to, ds),
        lambda: ((s[:, None] * dw).ravel(), (dw * w).sum(axis=1)),
    )


@row("optimizers.gradient_descent")
def gradient_descent(dtype: str, size: Size) -> Row:
    p, total = normal(size.count, dtype), normal(size.count, dtype, 1)
    scale, rate = (np.dtype(dtype).type(x) for x in (1 / 3, 1e-3))
    parameters = vector(p)
    return Row(
        dict(p=parameters, total=vector(total), scale=scale, learning_rate=rate, count=size.count),
        lambda update: (update(p, total, scale, rate),),
        lambda: (parameters,),
        lambda: (p - rate * (scale * total),),
    )


def on_gradient(
    settings: dict[str, float], with_numpy: Callable[..., np.ndarray], more: Callable[[str, int], dict[str, np.ndarray]]
) -> Callable[[str, Size], Row]:
    """settings: the kernel's numbers. more(dtype, count): its other arrays; with "w", the reference takes it, too."""

    def make(dtype: str, size: Size) -> Row:
        before = normal(size.count, dtype)
        numbers = {key: np.dtype(dtype).type(value) for key, value in settings.items()}
        g, others = vector(before), more(dtype, size.count)
        taken = [others[key] for key in ("w",) if key in others]
        return Row(
            dict(g=g, **others, **numbers, count=size.count),
            lambda change: (change(before, *taken, *numbers.values()),),
            lambda: (g,),
            lambda: (with_numpy(before, *taken, *numbers.values()),),
        )

    return make


def numpy_by_norm(g: np.ndarray, limit: float) -> np.ndarray:
    norm = np.sqrt(g @ g)
    return g * (limit / norm) if norm > limit else g


ROWS["gradients.scaled"] = on_gradient({"scale": 1 / 3}, lambda g, scale: g * scale, lambda dtype, count: {})
ROWS["gradients.penalized"] = on_gradient(
    {"l2": 1e-2, "l1": 1e-3},
    lambda g, w, l2, l1: g + l2 * w + l1 * np.sign(w),
    lambda dtype, count: {"w": vector(normal(count, dtype, 1))},
)
ROWS["gradients.clipped_by_value"] = on_gradient(
    {"limit": 1.0}, lambda g, limit: np.clip(g, -limit, limit), lambda dtype, count: {}
)
ROWS["gradients.clipped_by_norm"] = on_gradient(
    {"limit": 1.0}, numpy_by_norm, lambda dtype, count: {"scratch": vector(np.zeros(LINE + count // 512, dtype))}
)


@row("gradients.sum_of_squares")
def sum_of_squares(dtype: str, size: Size) -> Row:
    w, scratch = normal(size.count, dtype), vector(np.zeros(LINE + size.count // 512, dtype))
    return Row(
        dict(w=vector(w), scratch=scratch, count=size.count),
        lambda summed: (np.array([summed(w)]),),
        lambda: (scratch[:1],),
        lambda: (np.array([w @ w]),),
    )


# ---------------------------------------------------------------------------------------------------------
# random.py. NumPy's draws are others, so its entries give nothing to compare


@row("random.uniform")
def uniform(dtype: str, size: Size) -> Row:
    x = vector(np.zeros(size.count + 1, dtype))
    draws = np.random.Generator(np.random.Philox(1))
    return Row(
        dict(seed=1, stream=0, epoch=0, count=size.count, x=x),
        lambda uniform: (uniform(1, 0, 0, size.count),),
        lambda: (x[: size.count],),
        lambda: (draws.random(size.count), ())[1],
    )


@row("random.permutation")
def permutation(dtype: str, size: Size) -> Row:
    order = np.zeros(size.count, np.int64)
    draws = np.random.Generator(np.random.Philox(1))
    return Row(
        dict(seed=1, epoch=1, count=size.count, order=order),
        lambda permutation: (permutation(1, 1, size.count),),
        lambda: (order,),
        lambda: (draws.permutation(size.count), ())[1],
    )


@row("random.normal")
def normal_numbers(dtype: str, size: Size) -> Row:
    x, tails, places = vector(np.zeros(size.count)), np.zeros(at.NORMAL_BLOCK), np.zeros(at.NORMAL_BLOCK, np.int64)
    draws = np.random.Generator(np.random.Philox(1))
    return Row(
        dict(seed=1, stream=0, epoch=1, count=size.count, x=x, tails=tails, places=places),
        lambda normal: (normal(1, 0, 1, size.count),),
        lambda: (x,),
        lambda: (draws.standard_normal(size.count), ())[1],
    )


@row("random.normal_quantile")
def normal_quantile(dtype: str, size: Size) -> Row:
    p = np.random.default_rng(0).random(size.count)
    x = vector(p)
    return Row(dict(x=x, count=size.count), lambda quantile: (quantile(p),), lambda: (x,))


@row("random.dropout_factors")
def dropout_factors(dtype: str, size: Size) -> Row:
    threshold, kept = random.dropout_numbers(0.5)
    kept = np.dtype(dtype).type(kept)
    units = -(-size.K // 4) * 4
    factors = Tile(np.zeros((size.rows, units), dtype))
    draws = np.random.Generator(np.random.Philox(1))
    places = np.arange(size.rows)
    return Row(
        dict(
            factors=factors.array, seed=1, stream=random.DROPOUT, epoch=1, first=0, units=size.K, rows=size.rows,
            stride=factors.stride, threshold=threshold, kept=kept,
        ),
        lambda drop: (drop(1, random.DROPOUT, 1, places, size.K, threshold, kept),),
        lambda: (factors.x()[:, : size.K],),
        lambda: ((draws.random((size.rows, size.K), dtype) >= 0.5) * kept, ())[1],
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------
# train.py: K-J-classes, relu, softmax, a batch of all rows. Their pair is the training; each is called here by itself.


class Plan:
    """A training's plan at its beginning."""

    def __init__(self, dtype: str, size: Size, pass_name: str = "streamed", weighed: bool = False, **options: Any):
        scaled = options.pop("input_scale", False)
        self.spec = Spec.build([size.K, size.J, size.classes], dtype=dtype, input_scale=scaled)
        self.x = normal((size.rows, size.K), dtype)
        self.labels = np.random.default_rng(1).integers(0, size.classes, size.rows)
        self.y = self.labels.astype(dtype)
        self.parameters = normal(self.spec.parameters, dtype, 2) / np.dtype(dtype).type(8)
        self.weights = np.abs(normal(size.rows, dtype, 3)) if weighed else None
        rate = options.pop("learning_rate", 0.1)
        self.training = Training(epochs=1, learning_rate=rate, batch_size=size.rows, record_every=1, **options)
        self.workspace = numba_backend.ready(
            self.spec, self.parameters, self.x, self.y, self.training, weights=self.weights, pass_name=pass_name
        )
        self.plan = self.workspace.plan
        self.addresses = dict(plan=self.plan, parameters=self.workspace.parameters)

    def factors(self) -> list[np.ndarray | None] | None:
        """Dropout's, of the first epoch."""
        if not self.training.drops:
            return None
        (threshold, kept), units = random.dropout_numbers(self.training.dropout[0]), self.spec.layers[1]
        kept = np.dtype(self.spec.dtype).type(kept)
        seed, places = self.training.dropout_seed, np.arange(len(self.x))
        return [random.dropout_factors(seed, random.DROPOUT, 1, places, units, threshold, kept)]

    def sums(self) -> Any:
        return reference_train.loss_and_gradient(
            self.spec, self.parameters, self.x, self.y, self.weights, self.factors()
        )


OPTIONS: dict[str, Any] = dict(weighed=True, dropout=(0.5,), dropout_seed=1)


def chunk(pass_name: str, options: dict[str, Any]) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        made = Plan(dtype, size, pass_name, **options)
        mode = at.BACKWARD | at.RECORD | int(made.plan[at.EXTRAS])
        gradient = made.workspace.gradient[: made.spec.parameters]
        return Row(
            dict(**made.addresses, first=0, rows=size.rows, mode=mode),
            lambda _: (made.sums().gradient,),
            lambda: (gradient,),
        )

    return make


for _schedule, _options in itertools.product(("streamed", "rowwise"), ("", "_with_options")):
    ROWS[f"{_schedule}.span{_options}"] = chunk(_schedule, OPTIONS if _options else {})
ROWS["layered.span"] = chunk("layered", {})


@row("train.sum_batch")
def sum_batch(dtype: str, size: Size, pass_name: str = "streamed") -> Row:
    made = Plan(dtype, size, pass_name)
    gradient = made.workspace.gradient[: made.spec.parameters + 1]

    def expected(_: Any) -> tuple[np.ndarray]:
        sums = made.sums()
        return (np.append(sums.gradient, sums.loss),)

    arguments = dict(**made.addresses, first=0, rows=size.rows, mode=at.BACKWARD | at.RECORD)
    return Row(arguments, expected, lambda: (gradient,))


@row("few.sum_batch")
def sum_few_rows(dtype: str, size: Size) -> Row:
    """A line of rows."""
    return sum_batch(dtype, replace(size, rows=min(size.rows, LINE // np.dtype(dtype).itemsize)), "few")


@row("train.record_objective")
def record_objective(dtype: str, size: Size) -> Row:
    """With a penalty, whose squares are most of the work."""
    from fastmlp.training import Objective  # asv looks at commits that had none

    made = Plan(dtype, size, l2=1e-3, objective=Objective(0.5))
    kind, workspace, count = np.dtype(dtype).type, made.workspace, made.spec.parameters
    workspace.gradient[count] = kind(7)
    total = workspace.numbers[at.TOTAL : at.TOTAL + 1]
    sums = reference_train.Sums(kind(7), workspace.gradient, None, 0)

    def expected(_: Any) -> tuple[np.ndarray]:
        half_l2, rows = kind(0.5 * made.training.l2), kind(size.rows)
        return (np.array([reference_train.batch_loss(made.spec, made.parameters, sums, rows, kind(0.5), half_l2)]),)

    return Row(dict(**made.addresses, rows=kind(size.rows)), expected, lambda: (total,), buffers=(workspace.numbers,))


@row("train.step")
def step(dtype: str, size: Size) -> Row:
    """Penalties, clipping and Adam."""
    from fastmlp.optimizers import Adam  # asv looks at commits that had none

    made = Plan(dtype, size, optimizer=Adam(), l2=1e-3, clip_norm=1.0)
    kind, workspace, count = np.dtype(dtype).type, made.workspace, made.spec.parameters
    total = normal(count, dtype, 4)
    workspace.gradient[:count] = total
    workspace.steps[0] = 1e-3, 1.001, 1.0
    scale = kind(1 / size.rows)
    settings = [kind(setting) for setting in Adam().settings]

    def expected(_: Any) -> tuple[np.ndarray, ...]:
        l2, clip = kind(made.training.l2), kind(made.training.clip_norm)
        g = reference_train.prepare(made.spec, made.parameters, total, scale, l2=l2, l1=kind(0), clip_norm=clip)
        zeros = np.zeros(count, dtype)
        return optimizers.adam(made.parameters, g, kind(1), zeros, zeros, *workspace.steps[0], *settings)

    return Row(
        dict(**made.addresses, scale=scale),
        expected,
        lambda: (workspace.parameters[:count], *workspace.state[:, :count]),
        buffers=(workspace.gradient, workspace.state),
    )


@row("train.scaled_step")
def scaled_step(dtype: str, size: Size) -> Row:
    """Plain gradient descent, of weights and an input scale."""
    made = Plan(dtype, size, input_scale=True)
    kind, workspace, spec = np.dtype(dtype).type, made.workspace, made.spec
    total = np.append(normal(spec.layer_parameters, dtype, 4), np.zeros(spec.inputs, dtype))
    workspace.gradient[: spec.layer_parameters] = total[: spec.layer_parameters]
    workspace.steps[0] = 1e-3
    scale = kind(1 / size.rows)

    def expected(_: Any) -> tuple[np.ndarray, ...]:
        g = total.copy()
        (w, _), (dw, _) = spec.views(made.parameters)[0], spec.views(g)[0]
        dw[:], spec.scale_of(g)[:] = input_scale.unfolded(dw.copy(), w, spec.scale_of(made.parameters))
        return (optimizers.gradient_descent(made.parameters, g, scale, kind(1e-3)),)

    return Row(
        dict(**made.addresses, scale=scale),
        expected,
        lambda: (workspace.trained[: spec.parameters],),
        buffers=(workspace.gradient, workspace.trained),
    )


@row("passes.dropout")
def dropout(dtype: str, size: Size) -> Row:
    made = Plan(dtype, size, dropout=(0.5,), dropout_seed=1)
    rows = min(int(made.plan[at.TILE]), size.rows)
    values = normal((rows, size.J), dtype)
    a = aligned(size.J * made.workspace.stride, dtype)
    units = a.reshape(size.J, -1)[:, :rows]
    units[:] = values.T

    def expected(_: Any) -> tuple[np.ndarray]:
        factors = made.factors()
        assert factors
        return (activations.multiply(values, factors[0][:rows]),)

    arguments = dict(plan=made.plan, a=a, layer=at.FIELDS, first=0, rows=rows, stride=made.workspace.stride)
    return Row(arguments, expected, lambda: (units.T,))


@row("layered.dropout")
def dropout_by_rows(dtype: str, size: Size) -> Row:
    made = Plan(dtype, size, "layered", dropout=(0.5,), dropout_seed=1)
    values = normal((size.rows, size.J), dtype)
    a = Rows(values)

    def expected(_: Any) -> tuple[np.ndarray]:
        factors = made.factors()
        assert factors
        return (activations.multiply(values, factors[0]),)

    arguments = dict(plan=made.plan, a=a.array, layer=at.FIELDS, first=0, low=0, rows=size.rows)
    return Row(arguments, expected, lambda: (a.x(),))


# team.py: what a team of one member takes, the main thread


class TeamPlan(Plan):
    def __init__(self, dtype: str, size: Size):
        super().__init__(dtype, size)
        self.team = Team(self.workspace, [], size.rows)
        self.shared = self.team._shared
        self.plan[[at.TEAM, at.CHUNK_SUMS]] = self.shared.ctypes.data, self.shared[at.JOB_SUMS]
        self.plan[at.MEMBERS] = self.shared[at.JOB_MEMBERS] = 1
        self.shared[[at.JOB, at.JOB_ROWS, at.JOB_EPOCH]] = at.PASS, size.rows, 1
        self.shared[at.JOB_MODE] = at.BACKWARD | at.RECORD

    def row(self, **arguments: Any) -> Row:
        gradient = self.workspace.gradient
        return Row(
            dict(**self.addresses, **arguments),
            lambda _: (self.sums().gradient,),
            lambda: (gradient[: self.spec.parameters],),
            buffers=(gradient, self.shared),
        )


@row("team.meet")
def meet(dtype: str, size: Size) -> Row:
    made = TeamPlan(dtype, size)
    came = np.array([1])
    shared = made.shared
    return Row(dict(plan=made.plan), lambda _: (came,), lambda: (shared[:1].copy(),), buffers=(shared,))


@row("team.own_part")
def own_part(dtype: str, size: Size) -> Row:
    return TeamPlan(dtype, size).row()


@row("team.share_chunks")
def share_chunks(dtype: str, size: Size) -> Row:
    return TeamPlan(dtype, size).row(first=0, rows=size.rows, mode=at.BACKWARD | at.RECORD)


@row("team.together")
def together(dtype: str, size: Size) -> Row:
    mode = at.BACKWARD | at.RECORD
    return TeamPlan(dtype, size).row(job=at.PASS, first=0, rows=size.rows, mode=mode)


@row("team.work")
def work(dtype: str, size: Size) -> Row:
    """A helper whose door is closed."""
    made = TeamPlan(dtype, size)
    door = closed_door()
    arguments = dict(**made.addresses, shared=made.shared.ctypes.data, door=door)
    return Row(arguments, lambda _: (np.array([at.CLOSED]),), lambda: (door[:1].copy(),), buffers=(door,))


@row("team.lead")
def lead_team(dtype: str, size: Size) -> Row:
    """A leader of no helpers, with nothing left to train."""
    made = TeamPlan(dtype, size)
    made.plan[[at.EPOCH, at.EPOCHS]] = 2, 1
    made.plan[at.NUMBERS] = made.workspace.keep(np.zeros(at.NUMBERS_COUNT, dtype))
    arguments = dict(
        **made.addresses, batches=1, shared=made.shared.ctypes.data, doors=closed_door(), helpers=0
    )  # fmt: skip
    shared, members = made.shared, np.array([1])
    return Row(arguments, lambda _: (members,), lambda: (shared[[at.JOB_MEMBERS]],), buffers=(shared,))


def closed_door() -> np.ndarray:
    door = np.zeros(at.DOOR, np.int64)
    door[0] = at.CLOSED
    return door


@row("predict.checked")
def checked(dtype: str, size: Size) -> Row:
    from fastmlp.engine.forward import ROW_BY_ROW, Pass  # asv looks at commits that had none

    spec = Spec.build([size.K, size.J, size.classes], dtype=dtype)
    parameters = normal(spec.parameters, dtype, 2) / np.dtype(dtype).type(8)
    made = Pass(spec, parameters, "rowwise", ROW_BY_ROW, ROW_BY_ROW)
    made.turn_to("outputs")
    x, _ = made.views[ROW_BY_ROW]
    x[:] = normal(x.shape, dtype)
    made.run(ROW_BY_ROW)
    return Row(
        dict(plan=made.plan, parameters=parameters),
        lambda _: (reference_train.outputs(spec, parameters, x),),
        lambda: (made.views[ROW_BY_ROW][1],),  # and `made` lives on
    )


@row("predict.help_out")
def help_out(dtype: str, size: Size) -> Row:
    """A helper whose door is closed."""
    made, door = Plan(dtype, size), closed_door()
    arguments = dict(**made.addresses, function=0, door=door)
    return Row(arguments, lambda _: (np.array([at.CLOSED]),), lambda: (door[:1].copy(),), buffers=(door,))


@row("predict.lead")
def lead_pieces(dtype: str, size: Size) -> Row:
    """The losses of all rows, by a leader of no helpers."""
    from fastmlp.kernels import registry

    of = scored(dtype, size)
    plan, turns = of.arguments["plan"], np.zeros(16, np.int64)
    plan[at.TURNS], turns[at.TAKEN] = turns.ctypes.data, 1
    arguments = dict(
        **of.arguments, function=registry.address("predict.scored", dtype), doors=closed_door(), helpers=0
    )  # fmt: skip
    return Row(arguments, of.reference, of.results, buffers=(*of.buffers, turns))


@row("predict.scored")
def scored(dtype: str, size: Size) -> Row:
    """The losses of all rows."""
    made = Plan(dtype, size)
    losses = np.zeros(-(-size.rows // CHUNK), dtype)
    made.plan[at.RESULT], made.plan[at.PIECE] = losses.ctypes.data, CHUNK
    terms = np.dtype(dtype).type(size.rows)

    def expected(_: Any) -> tuple[np.ndarray]:
        return (np.array([reference_train.evaluate(made.spec, made.parameters, made.x, made.y)[0]]),)

    return Row(made.addresses, expected, lambda: (losses / terms,), buffers=(losses,))


@row("predict.copy_rows")
def copy_checked_rows(dtype: str, size: Size) -> Row:
    x = normal((size.rows, size.K), dtype)
    stride = row_stride(size.K, dtype)
    to = aligned((size.rows + at.BLOCK_ROWS) * stride, dtype)
    rows = np.arange(size.rows)
    return Row(
        dict(x=vector(x), order=rows, ordered=0, first=0, rows=size.rows, K=size.K, to=to, stride=stride),
        lambda copy_rows: copy_rows(x, rows)[:1],
        lambda: (to[: size.rows * stride].reshape(size.rows, stride)[:, : size.K],),
        lambda: (x.copy() if np.isfinite(x).all() else x,),
    )


def labels_of(with_numpy: Callable[[np.ndarray], np.ndarray]) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        z = normal((size.rows, size.classes), dtype)
        tile = Tile(z)
        columns = with_numpy(z).ndim
        return Row(
            dict(z=tile.array, **tile.sizes("J")),
            lambda label: (label(z),),
            lambda: (tile.x() if columns == 2 else tile.x()[:, 0],),
            lambda: (with_numpy(z).astype(dtype),),
        )

    return make


ROWS["predict.label"] = labels_of(lambda z: z.argmax(axis=1))
ROWS["predict.above_zero"] = labels_of(lambda z: z > 0)


def whole_numbers(columns: int) -> Callable[[str, Size], Row]:
    def make(dtype: str, size: Size) -> Row:
        values = np.random.default_rng(1).integers(0, size.classes, (size.rows, size.K)).astype(dtype)
        tile = Tile(values)
        x = np.zeros((size.rows, size.K)[:columns], np.int64)
        return Row(
            dict(tile=tile.array, x=x, first=0, **tile.sizes("K")),
            lambda scatter: (scatter(values.T),),
            lambda: (x,),
            lambda: ((values if columns == 2 else values[:, 0]).astype(np.int64),),
        )

    return make


ROWS["predict.scatter_labels"] = whole_numbers(1)
ROWS["predict.scatter_answers"] = whole_numbers(2)


@row("train.train")
def train(dtype: str, size: Size) -> Row:
    """One epoch, of one batch."""
    made = Plan(dtype, size)
    count = made.spec.parameters
    one_hot = np.eye(size.classes, dtype=dtype)[made.labels]

    def expected(_: Any) -> tuple[np.ndarray]:
        parameters = made.parameters.copy()
        for _step in reference_backend.train(made.spec, parameters, made.x, made.y, made.training):
            pass
        return (parameters,)

    def with_numpy() -> tuple[np.ndarray]:
        parameters = made.parameters.copy()
        layers = [(w, b[None]) for w, b in made.spec.views(parameters)]
        exercise.epoch(layers, made.x, one_hot, made.training.learning_rate)
        return (parameters,)

    arguments = dict(**made.addresses, batches=1)
    return Row(arguments, expected, lambda: (made.workspace.parameters[:count],), with_numpy)


# ---------------------------------------------------------------------------------------------------------
# online.py


class OnlinePlan:
    """Of a training on one row after the other, some of which was done."""

    def __init__(self, dtype: str, size: Size, batches: int):
        rows = min(size.rows, 20)
        self.spec = Spec.build([size.K, size.J, size.classes], "tanh", dtype=dtype)
        self.x, self.parameters = normal((rows, size.K), dtype), normal(self.spec.parameters, dtype, 2) / 8
        self.y = np.random.default_rng(1).integers(0, size.classes, rows).astype(dtype)
        self.training = Training(epochs=1, learning_rate=0.1, batch_size=1, record_every=1)
        self.workspace = numba_backend.ready(self.spec, self.parameters, self.x, self.y, self.training)
        self.addresses = dict(plan=self.workspace.plan, parameters=self.workspace.parameters)
        if batches:
            registry.function("online.train", dtype, numba_backend._TRAIN)(
                self.workspace.plan.ctypes.data, self.workspace.parameters.ctypes.data, batches
            )

    @property
    def found(self) -> np.ndarray:
        return self.workspace.parameters[: self.spec.parameters]


@row("online.train")
def train_online(dtype: str, size: Size) -> Row:
    """One epoch of 20 rows."""
    made = OnlinePlan(dtype, size, 0)

    def expected(_: Any) -> tuple[np.ndarray]:
        parameters = made.parameters.copy()
        for _step in reference_backend.train(made.spec, parameters, made.x, made.y, made.training):
            pass
        return (parameters,)

    return Row(dict(**made.addresses, batches=len(made.x)), expected, lambda: (made.found,))


@row("online.pack")
def pack(dtype: str, size: Size) -> Row:
    """The parameters as they are, again."""
    made = OnlinePlan(dtype, size, 0)
    return Row(made.addresses, lambda _: (made.parameters,), lambda: (made.found,))


@row("online.unpack")
def unpack(dtype: str, size: Size) -> Row:
    """Nothing waits after a training's call: the parameters as they are."""
    made = OnlinePlan(dtype, size, 5)
    trained = made.found.copy()
    arguments = dict(**made.addresses, scale=np.dtype(dtype).type(1), learning_rate=np.dtype(dtype).type(0.1))
    return Row(arguments, lambda _: (trained,), lambda: (made.found,))


@row("online.sweep")
def sweep(dtype: str, size: Size) -> Row:
    """A row through a layer whose update waits."""
    kind = np.dtype(dtype).type
    stride = whole_registers(size.J, dtype)
    w, sums = vector(normal((size.K, stride), dtype)), vector(normal(stride, dtype, 1))
    now, before, deltas = (vector(normal(count, dtype, 2 + count)) for count in (size.K, size.K + 1, stride))
    scale, rate = kind(1 / 3), kind(0.1)
    arguments = dict(w=w, now=now, before=before, deltas=deltas, sums=sums, count=size.K, stride=stride)
    first = w.reshape(-1, stride).copy(), sums.copy()

    def expected(_: Any) -> tuple[np.ndarray, ...]:
        updated = fma(-rate, (before[: size.K, None] * deltas + kind(0)) * scale, first[0])
        z = first[1]
        for a, row_of in zip(now, updated, strict=True):
            z = fma(a, row_of, z)
        return updated, z

    found = w.reshape(-1, stride), sums
    return Row(arguments | dict(scale=scale, learning_rate=rate), expected, lambda: found)


def whole_registers(units: int, dtype: str) -> int:
    register = target().register // np.dtype(dtype).itemsize
    return -(-units // register) * register
