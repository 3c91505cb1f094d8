"""The rows of kernels whose lanes are models: layers, updates, losses and trainings of some models of one network.

A group has one register of models where the kernel's name ends in `_one`, and two otherwise. The networks are small, as
those that are trained in groups. What is expected is in `lanes_definitions.py`; arrays are [...][model]. NumPy does all
models at once where it can, as stacked matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.engine import reference_backend
from fastmlp.engine.sizes import aligned
from fastmlp.reference import optimizers, random
from fastmlp.reference import train as reference_train
from fastmlp.reference.arithmetic import LINE
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import Training

from .. import exercise
from . import lanes_definitions as definitions
from .rows import ROWS, Row, Size, normal, row, vector
from .textbook import NUMPY_LOSSES, UPDATES

MOST_ROWS, MOST_UNITS = 64, 16
WRITTEN_OUT = (1, 2, 4, 8, 16, 32)  # rows whose sums have kernels of their own
RATE, SCALE = 0.1, 1 / 3

Make = Callable[[str, Size], Row]


def of_group(size: Size) -> Size:
    """A layer of a small network."""
    return replace(
        size, rows=min(size.rows, MOST_ROWS), K=min(size.K, MOST_UNITS), J=min(size.J, MOST_UNITS),
        count=math.ceil(size.count / MOST_UNITS),
    )  # fmt: skip


def models_of(dtype: str, one: str = "") -> int:
    """How many models a group has."""
    register = target().register // np.dtype(dtype).itemsize
    return register if one else 2 * register


def stacked(x: np.ndarray) -> np.ndarray:
    """x [row][unit][model] as matrices for NumPy: [model][row][unit], in this order in memory."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 0))


def back(x: np.ndarray) -> np.ndarray:
    """[model][row][unit] as [row][unit][model]."""
    return np.moveaxis(x, 0, -1)


class Tile:
    """x [row][unit][model] as a tile, [unit][row][model], whose units lie an odd number of lines apart."""

    def __init__(self, x: np.ndarray):
        rows, units, models = x.shape
        line = LINE // x.itemsize
        self.unit = (math.ceil(rows * models / line) | 1) * line
        self.array = aligned(units * self.unit, x.dtype.name)
        by_units = self.array.reshape(units, self.unit)[:, : rows * models].reshape(units, rows, models)
        self.x = by_units.swapaxes(0, 1)
        assert np.shares_memory(self.x, self.array)
        self.x[:] = x


# ---------------------------------------------------------------------------------------------------------
# lanes_dense.py, lanes_sums.py, lanes_rows.py


class Layer:
    """x [n][k], w [k][j], b [j] and dz [n][j] of each model."""

    def __init__(self, dtype: str, size: Size, one: str):
        self.models = models = models_of(dtype, one)
        self.x, self.dz = normal((size.rows, size.K, models), dtype), normal((size.rows, size.J, models), dtype, 1)
        self.w, self.b = normal((size.K, size.J, models), dtype, 2), normal((size.J, models), dtype, 3)
        self.parameters = vector(np.append(self.w, self.b))
        self.sizes = dict(group=models, K=size.K, J=size.J, rows=size.rows)


def forward(one: str) -> Make:
    def make(dtype: str, size: Size) -> Row:
        of = Layer(dtype, of_group(size), one)
        a, z = Tile(of.x), Tile(np.zeros_like(of.dz))
        x, w, b = stacked(of.x), stacked(of.w), stacked(of.b[None])
        arguments = dict(a=a.array, w=of.parameters, z=z.array, **of.sizes)
        return Row(
            arguments | dict(unit=a.unit, relu=1),
            lambda _: definitions.forward(of.x, of.w, of.b, relu=1),
            lambda: (z.x,),
            lambda: (back(np.maximum(x @ w + b, 0)),),
        )

    return make


def backward_input(one: str) -> Make:
    def make(dtype: str, size: Size) -> Row:
        from fastmlp.kernels.lanes_dense import RELU  # asv looks at commits that had none

        of = Layer(dtype, of_group(size), one)
        a, slope, da, dz = Tile(of.x), Tile(of.x), Tile(np.zeros_like(of.x)), Tile(of.dz)
        x, w, d = stacked(of.x), stacked(of.w), stacked(of.dz)
        arguments = dict(dz=dz.array, w=of.parameters, a=a.array, slope=slope.array, da=da.array, **of.sizes)
        return Row(
            arguments | dict(unit=a.unit, way=RELU),
            lambda _: definitions.backward_input(of.dz, of.w, of.x, None),
            lambda: (da.x,),
            lambda: (back((d @ w.transpose(0, 2, 1)) * (x > 0)),),
        )

    return make


def weights(descends: bool, literal: int, one: str) -> Make:
    """Gradients, or what becomes of the weights. literal: the number of rows; 0: any."""

    def make(dtype: str, size: Size) -> Row:
        size = of_group(size)
        of = Layer(dtype, replace(size, rows=literal or size.rows), one)
        from fastmlp.kernels.lanes_plan import tree_order  # asv looks at commits that had none

        line = LINE // of.x.itemsize
        order = tree_order(len(of.x), line)
        a, dz = Tile(of.x[order]), Tile(of.dz[order])
        before = of.parameters.reshape(-1, size.J, of.models).copy()
        to, scale = vector(before), np.dtype(dtype).type(SCALE)
        rates = np.linspace(RATE, 2 * RATE, of.models, dtype=dtype)
        x, d = stacked(of.x), stacked(of.dz)

        def expected(_: Any) -> tuple[np.ndarray, ...]:
            if descends:
                return definitions.descended(before, of.x, of.dz, rates, scale)
            return definitions.sums(of.x, of.dz)

        def with_numpy() -> tuple[np.ndarray]:
            made = back(np.concatenate([x.transpose(0, 2, 1) @ d, d.sum(axis=1, keepdims=True)], axis=1))
            return (before - rates * scale * made if descends else made,)

        arguments = dict(a=a.array, ones=vector(np.ones(max(of.models, line), dtype)), dz=dz.array, to=to)
        arguments |= dict(levels=vector(np.zeros(200 * line, dtype)), rates=vector(-rates), scale=scale, **of.sizes)
        return Row(
            arguments | dict(unit=a.unit),
            expected,
            lambda: (to.reshape(before.shape),),
            with_numpy,
        )

    return make


for _one in ("", "_one"):
    ROWS[f"lanes_dense.forward{_one}"] = forward(_one)
    ROWS[f"lanes_dense.backward_input{_one}"] = backward_input(_one)
    for _rows in (0, *WRITTEN_OUT):
        _end = f"_{_rows}{_one}" if _rows else _one
        ROWS[f"lanes_sums.backward_weights{_end}"] = weights(False, _rows, _one)
        ROWS[f"lanes_sums.descend{_end}"] = weights(True, _rows, _one)


@row("lanes_rows.gather")
def gather(dtype: str, size: Size) -> Row:
    size, models = of_group(size), models_of(dtype)
    xs = normal((models, 4 * size.rows, size.K), dtype)
    order = np.random.default_rng(1).integers(0, 4 * size.rows, (size.rows, models))
    tile = Tile(np.zeros((size.rows, size.K, models), dtype))
    arguments = dict(
        sources=np.array([x.ctypes.data for x in xs]), order=order, models=models, places=np.arange(size.rows)
    )
    return Row(
        arguments | dict(rows=size.rows, K=size.K, tile=tile.array, unit=tile.unit),
        lambda _: (np.stack([x[order[:, m]] for m, x in enumerate(xs)], axis=-1),),
        lambda: (tile.x,),
        lambda: (np.ascontiguousarray(back(xs[np.arange(models)[:, None], order.T])),),
    )


@row("lanes_rows.pick")
def pick(dtype: str, size: Size) -> Row:
    """From a tile of 8 rows."""
    size, models = of_group(size), models_of(dtype)
    x = normal((8, size.K, models), dtype)
    order = np.random.default_rng(1).integers(0, 8, (size.rows, models))
    all_rows, tile = Tile(x), Tile(np.zeros((size.rows, size.K, models), dtype))
    arguments = dict(x=all_rows.array, order=order, models=models, count=8, x_unit=all_rows.unit)
    return Row(
        arguments | dict(places=np.arange(size.rows), rows=size.rows, units=size.K, tile=tile.array, unit=tile.unit),
        lambda _: (np.stack([x[order[:, m], :, m] for m in range(models)], axis=-1),),
        lambda: (tile.x,),
        lambda: (np.take_along_axis(x, order[:, None, :], axis=0),),
    )


# ---------------------------------------------------------------------------------------------------------
# lanes_random.py. NumPy's draws are others, so its entry gives nothing to compare


@row("lanes_random.orders")
def orders(dtype: str, size: Size) -> Row:
    size, models = of_group(size), models_of(dtype)
    seeds, epochs = np.arange(models) + 1, np.arange(models) + 5
    rows = np.random.default_rng(1).integers(0, 1000, (size.rows, models))
    order = np.zeros_like(rows)
    draws = np.random.Generator(np.random.Philox(1))
    return Row(
        dict(seeds=seeds, epochs=epochs, models=models, count=size.rows, rows=rows, order=order),
        lambda _: definitions.orders(rows, seeds, epochs),
        lambda: (order,),
        lambda: (draws.permuted(rows, axis=0), ())[1],
    )


# ---------------------------------------------------------------------------------------------------------
# lanes_updates.py


def update(name: str) -> Make:
    """Of models whose numbers differ: the first has those of one model's row."""
    vectors, steps, shared, with_numpy = UPDATES.get(name, (0, [RATE], [], None))

    def make(dtype: str, size: Size) -> Row:
        size, models = of_group(size), models_of(dtype)
        shape = size.count, models
        p, total, before = normal(shape, dtype), normal(shape, dtype, 1), np.abs(normal((vectors, *shape), dtype, 2))
        less = np.linspace(1, 0.5, models)
        step, settings = ((np.array(numbers)[:, None] * less).astype(dtype) for numbers in (steps, shared))
        scale = np.dtype(dtype).type(SCALE)
        parameters, state = vector(p), vector(before)

        def numpy() -> tuple[np.ndarray, ...]:
            if with_numpy is None:
                return (p - step[0] * (scale * total),)
            return with_numpy(p, scale * total, *before, *step, *settings)

        arguments = dict(p=parameters, total=vector(total), scale=scale, state=state, settings=vector(settings))
        given = vector(step if vectors else -step)
        return Row(
            arguments | dict(step=given, models=models, count=size.count),
            lambda _: definitions.updated(name, p, total, before, step, settings, scale),
            lambda: (parameters.reshape(shape), *state.reshape(before.shape)),
            numpy,
        )

    return make


for _name in ("gradient_descent", *UPDATES):
    ROWS[f"lanes_updates.{_name}"] = update(_name)


# ---------------------------------------------------------------------------------------------------------
# lanes_losses.py


def loss(name: str) -> Make:
    with_numpy, _ = NUMPY_LOSSES[name]

    def make(dtype: str, size: Size) -> Row:
        size, models = of_group(size), models_of(dtype)
        count, J = size.rows * models, size.classes  # rows of all models
        z, softmax = normal((J, count), dtype), name.startswith("softmax")
        y = np.random.default_rng(1).integers(0, J if softmax else 2, (1 if softmax else J, count)).astype(dtype)
        targets = y[0] if softmax else y.T
        stride = count + LINE // z.itemsize
        tiles = aligned(2 * J * stride, dtype).reshape(2, J, stride)
        tiles[0, :, :count], tiles[1, : len(y), :count] = z, y
        values, rights = vector(np.zeros(count, dtype)), vector(np.zeros(count, dtype))
        rows = np.ascontiguousarray(z.T)

        return Row(
            dict(z=tiles[0], y=tiles[1], values=values, rights=rights, J=J, rows=count, stride=stride),
            lambda _: definitions.row_losses(name, z, targets.T),
            lambda: (tiles[0, :, :count], values + np.zeros(1, dtype), rights),
            lambda: (with_numpy(rows, targets)[0].T,),
        )

    return make


for _name in (
    "softmax_cross_entropy", "sigmoid_binary_cross_entropy", "sigmoid_squared_error", "identity_squared_error"
):  # fmt: skip
    ROWS[f"lanes_losses.{_name}"] = loss(_name)


# ---------------------------------------------------------------------------------------------------------
# A group's plan: K-J-classes, relu, softmax. As many models as lanes, with rates and orders of their own


class Plan:
    """A group at its training's beginning. batch: all rows by default."""

    def __init__(self, dtype: str, size: Size, batch: int = 0, order: bool = False, **options: Any):
        from fastmlp.engine.model_lanes import Group, Member  # asv looks at commits that had none
        from fastmlp.kernels import lanes_plan

        self.at, self.dtype, self.size, self.models = lanes_plan, dtype, size, models_of(dtype)
        self.spec = Spec.build([size.K, size.J, size.classes], dtype=dtype)
        self.labels = np.random.default_rng(1).integers(0, size.classes, (self.models, size.rows))
        xs = normal((self.models, size.rows, size.K), dtype)
        parameters = normal((self.models, self.spec.parameters), dtype, 2) / np.dtype(dtype).type(8)
        self.members = []
        for m, (own, x, labels) in enumerate(zip(parameters, xs, self.labels, strict=True)):
            training = Training(
                epochs=1, learning_rate=RATE * (1 + m / 8), batch_size=batch or size.rows, record_every=1,
                order=m if order else None, **options,
            )  # fmt: skip
            self.members.append(Member(own, x, labels.astype(dtype), training))
        self.group = Group(self.spec, dict(enumerate(self.members)), self.models)
        self.plan, self.parameters = self.group.plan.fields, self.group.parameters
        self.addresses = dict(plan=self.plan, parameters=self.parameters)

    def kernel(self, name: str, *arguments: Any) -> None:
        """Calls one."""
        from fastmlp.kernels import registry

        registry.PAIRS[name](self.dtype, self.plan, self.parameters, *arguments)

    def view(self, field: int, *shape: int) -> np.ndarray:
        """What the plan has the address of."""
        numbers = np.ctypeslib.as_ctypes_type(np.dtype(self.dtype)) * math.prod(shape)
        return np.ctypeslib.as_array(numbers.from_address(int(self.plan[field]))).reshape(shape)

    def sums(self) -> list[Any]:
        """Each model's loss, gradient and right rows, of all rows."""
        return [reference_train.loss_and_gradient(self.spec, m.parameters, m.x, m.y) for m in self.members]


@row("model_lanes.forward_batch")
def forward_batch(dtype: str, size: Size) -> Row:
    """A batch of all rows, recorded."""
    made = Plan(dtype, of_group(size))
    totals, rights = (made.view(field, made.models) for field in (made.at.TOTALS, made.at.RIGHTS))

    def expected(_: Any) -> tuple[np.ndarray, ...]:
        sums = made.sums()
        return np.array([one.loss for one in sums], dtype), np.array([one.right for one in sums], dtype)

    return Row(
        dict(**made.addresses, first=0, rows=made.size.rows, record=1),
        expected,
        lambda: (totals, rights),
        buffers=(totals, rights),
    )


@row("model_lanes.backward_batch")
def backward_batch(dtype: str, size: Size) -> Row:
    """And back, to the parameters."""
    made = Plan(dtype, of_group(size))
    made.kernel("model_lanes.forward_batch", 0, made.size.rows, 0)
    scale = np.dtype(dtype).type(1 / made.size.rows)

    def expected(_: Any) -> tuple[np.ndarray]:
        rates = [np.dtype(dtype).type(member.training.learning_rate) for member in made.members]
        changed = [
            optimizers.gradient_descent(member.parameters, sums.gradient, scale, rate)
            for member, sums, rate in zip(made.members, made.sums(), rates, strict=True)
        ]
        return (np.stack(changed, axis=-1),)

    arguments = dict(**made.addresses, first=0, rows=made.size.rows, scale=scale)
    return Row(arguments, expected, lambda: (made.parameters,))


@row("model_lanes.train")
def train(dtype: str, size: Size) -> Row:
    """One epoch, of batches in orders of each model's own; NumPy goes through the models one after the other."""
    size = of_group(size)
    batch = max(1, size.rows // 4)
    made = Plan(dtype, size, batch, order=True)
    one_hots = np.eye(size.classes, dtype=dtype)[made.labels]

    def expected(_: Any) -> tuple[np.ndarray]:
        trained = []
        for member in made.members:
            parameters = member.parameters.copy()
            for _step in reference_backend.train(made.spec, parameters, member.x, member.y, member.training):
                pass
            trained.append(parameters)
        return (np.stack(trained, axis=-1),)

    orders = [random.permutation(m, 1, size.rows) for m in range(made.models)]

    def with_numpy() -> tuple[np.ndarray]:
        trained = []
        for member, one_hot, order in zip(made.members, one_hots, orders, strict=True):
            parameters = member.parameters.copy()
            layers = [(w, b[None]) for w, b in made.spec.views(parameters)]
            for start in range(0, size.rows, batch):
                rows = order[start : start + batch]
                exercise.epoch(layers, member.x[rows], one_hot[rows], member.training.learning_rate)
            trained.append(parameters)
        return (np.stack(trained, axis=-1),)

    return Row(dict(**made.addresses, batches=100), expected, lambda: (made.parameters,), with_numpy)


@row("lanes_updates.penalized")
def penalized(dtype: str, size: Size) -> Row:
    kind, l2, l1 = np.dtype(dtype).type, 0.125, 0.0625
    made = Plan(dtype, of_group(size), l2=l2, l1=l1)
    total, scale = normal(made.parameters.shape, dtype, 4), kind(SCALE)
    gradient, w = vector(total), made.parameters.copy()
    is_weight = np.zeros(made.spec.parameters, bool)
    for weights_of_layer, _ in made.spec.views(is_weight):
        weights_of_layer[:] = True

    def with_numpy() -> tuple[np.ndarray]:
        return (scale * total + is_weight[:, None] * (kind(l2) * w + kind(l1) * np.sign(w)),)

    return Row(
        dict(**made.addresses, gradient=gradient, scale=scale),
        lambda _: definitions.penalized(made.spec, w, total, scale, l2, l1),
        lambda: (gradient.reshape(total.shape),),
        with_numpy,
    )
