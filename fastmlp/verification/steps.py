"""One batch, pair by pair: each kernel of it by itself, on the numbers that the reference has there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fastmlp.engine.plan_writer import word
from fastmlp.engine.reference_backend import Rules
from fastmlp.kernels import registry
from fastmlp.reference import activations, dense, gradients, input_scale, losses, random
from fastmlp.reference import train as reference
from fastmlp.reference.arithmetic import LINE, row_products
from fastmlp.training import State
from fastmlp.verification import layers, pairs

Found = tuple[int | None, str, np.ndarray, np.ndarray]  # the layer from 1, the kernel, by it, by the reference
ROWS = pairs.STRIDE  # of a piece that `pairs` takes


@dataclass(frozen=True)
class Batch:
    """What a batch begins with.

    way: its pass. x, y, weights: its rows. places: where they are in the epoch's order. step: its update's numbers.
    """

    spec: Any
    rules: Rules
    way: str
    parameters: np.ndarray
    vectors: list[np.ndarray]
    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    epoch: int
    number: int
    places: np.ndarray
    step: list[Any]

    @cached_property
    def factors(self) -> list[np.ndarray | None] | None:
        """Dropout's."""
        return self.rules.factors(self.epoch, self.places)

    @cached_property
    def sums(self) -> reference.Sums:
        """The batch's sums, by the reference."""
        return reference.loss_and_gradient(self.spec, self.parameters, self.x, self.y, self.weights, self.factors)

    @property
    def scale(self) -> Any:
        """What turns the sum of gradients into that of the mean loss."""
        return reference._scale(self.spec, len(self.x), self.sums.weight)

    @cached_property
    def updated(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """The parameters and the optimizer's vectors after it, by the reference."""
        total, scale = self.rules.prepared(self.parameters, self.sums.gradient, self.scale)
        return self.rules.updated(self.parameters, self.vectors, total, scale, self.step)

    @property
    def state(self) -> State:
        """The optimizer's state before the batch, but for its powers."""
        vectors = np.array(self.vectors, self.spec.dtype).reshape(len(self.vectors), len(self.parameters))
        return State(vectors, np.ones(2))

    def pairs(self, order: np.ndarray | None = None) -> Iterator[Found]:
        """Each kernel's results and the reference's, in the order in which a batch runs them.

        order: of the epoch's rows, to be compared, too.
        """
        registry.load_all()
        with np.errstate(all="ignore"):
            if order is not None:
                yield from self._order(order)
            yield from self._dropped()
            yield from self._forward()
            yield from self._loss()
            yield from self._backward()
            yield from self._update()

    # -----------------------------------------------------------------------------------------------------

    def _order(self, order: np.ndarray) -> Iterator[Found]:
        training = self.rules.training
        if training.batch_size < len(order) and isinstance(training.order, int):
            got = np.empty(len(order), np.int64)
            number = training.epochs_before - training.done + self.epoch
            layers.call(
                "random.permutation", "float64", seed=word(training.order), epoch=number, count=len(got), order=got
            )
            yield None, "random.permutation", got, order

    def _dropped(self) -> Iterator[Found]:
        training, dtype = self.rules.training, self.spec.dtype
        number = training.epochs_before - training.done + self.epoch
        drops = self.rules.drops(self.epoch) if self.factors is not None else []
        for layer, ((threshold, kept), expected) in enumerate(zip(drops, self.factors or [], strict=True)):
            if expected is None:
                continue
            rows, units = expected.shape
            got = layers.room(-(-units // 4) * 4 * rows, dtype)
            layers.call(
                "random.dropout_factors", dtype, factors=got, seed=word(training.dropout_seed),
                stream=random.DROPOUT + layer, epoch=number, first=int(self.places[0]), units=units, rows=rows,
                stride=rows, threshold=threshold, kept=np.dtype(dtype).type(kept),
            )  # fmt: skip
            yield layer + 1, "random.dropout_factors", got[: units * rows].reshape(units, rows).T.copy(), expected

    @cached_property
    def _passed(self) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
        """The layers' values and slopes, by the reference."""
        return reference.forward(self.spec, self.parameters, self.x, self.factors)

    def _forward(self) -> Iterator[Found]:
        spec, dtype = self.spec, self.spec.dtype
        if spec.input_scale:
            w, s = spec.views(self.parameters)[0][0], spec.scale_of(self.parameters)
            got = layers.room(w.size, dtype)
            K, J = w.shape
            layers.call("input_scale.folded", dtype, w=layers.flat(w), s=layers.flat(s), to=got, K=K, J=J)
            yield 1, "input_scale.folded", got[: w.size].reshape(w.shape), input_scale.folded(w, s)
        values, names = self._passed[0], (*spec.hidden, "identity")
        for layer, (w, b) in enumerate(reference.layers_of(spec, self.parameters)):
            z = dense.dense_forward(values[layer], w, b)
            if self.way in layers.FILES:
                got = layers.forward(self.way, values[layer], w, b)
                yield layer + 1, f"{layers.FILES[self.way]}.dense_forward", got, z
            name = f"{names[layer]}_forward"
            if names[layer] in ("relu", "identity"):
                continue
            a, slope = getattr(activations, name)(z)
            for start in range(0, len(z), ROWS):
                piece = {key: of[start : start + ROWS] for key, of in (("z", z), ("a", a), ("slope", slope))}
                for _, got, expected in pairs._activations(f"activations.{name}", dtype, piece):
                    yield layer + 1, f"activations.{name}", got, expected

    def _loss(self) -> Iterator[Found]:
        spec, z = self.spec, self._passed[0][-1]
        dz, loss, _ = reference.loss_rows(spec, z, self.y)
        of = {"z": z, "y": self.y.astype(z.dtype), "dz": dz, "loss": loss}
        if spec.loss_parameter is not None:
            of["parameter"] = np.array(spec.loss_parameter, z.dtype)
        for _, got, expected in pairs._losses(f"losses.{spec.loss_kernel}", spec.dtype, of):
            yield len(spec.layers) - 1, f"losses.{spec.loss_kernel}", got, expected

    def _backward(self) -> Iterator[Found]:
        spec, (values, slopes) = self.spec, self._passed
        dz, loss, _ = reference.loss_rows(spec, values[-1], self.y)
        if self.weights is not None:
            dz, _ = losses.weigh(dz, loss, self.weights)
        views = spec.views(self.parameters)
        file = layers.FILES.get(self.way)
        for layer in reversed(range(len(views))):
            w, a = views[layer][0], values[layer]
            if file == "rowwise_dense":
                for n in range(len(a)):
                    expected = row_products(np.append(a[n], a.dtype.type(1))[None], dz[n][None])
                    yield (
                        layer + 1,
                        f"{file}.dense_backward_weights",
                        layers.backward_weights(self.way, a[n : n + 1], dz[n : n + 1]),
                        expected,
                    )
            elif file:
                for some in layers.chunks(len(a)):
                    got = layers.backward_weights(self.way, a[some], dz[some])
                    yield (
                        layer + 1,
                        f"{file}.dense_backward_weights",
                        got,
                        np.vstack(dense.dense_backward_weights(a[some], dz[some])),
                    )
            if not layer:
                break
            da = dense.dense_backward_input(dz, w)
            if file:
                yield layer + 1, f"{file}.dense_backward_input", layers.backward_input(self.way, dz, w), da
            dz = activations.relu_backward(a, da) if spec.hidden[layer - 1] == "relu" else da
            factors = slopes[layer]
            if factors is not None:
                expected = activations.multiply(dz, factors)
                got = layers.tile(dz)
                layers.call(
                    "activations.multiply", spec.dtype, a=got, factors=layers.tile(factors), units=dz.shape[1],
                    rows=len(dz), stride=layers.stride_of(len(dz)),
                )  # fmt: skip
                yield layer, "activations.multiply", layers.of_tile(got, *dz.shape), expected
                dz = expected

    def _update(self) -> Iterator[Found]:
        rules, spec, training = self.rules, self.spec, self.rules.training
        total, scale, dtype = self.sums.gradient, self.scale, spec.dtype
        kind = np.dtype(dtype).type
        if training.prepares:
            of = {"g": total, "settings": np.array([scale]), "g_after": gradients.scaled(total, scale)}
            yield from self._gradients("scaled", None, of)
            g = of["g_after"]
            if training.l2 or training.l1:
                limits = np.array([training.l2, training.l1], dtype)
                views = zip(spec.views(self.parameters), spec.views(g), strict=True)
                for layer, ((w, _), (dw, _)) in enumerate(views):
                    after = gradients.penalized(dw, w, *limits)
                    of = {"g": dw.ravel(), "w": w.ravel(), "settings": limits, "g_after": after.ravel()}
                    yield from self._gradients("penalized", layer + 1, of)
                    dw[:] = after
            for name, limit in (("value", training.clip_value), ("norm", training.clip_norm)):
                if limit is not None:
                    after = getattr(gradients, f"clipped_by_{name}")(g, kind(limit))
                    of = {"g": g, "settings": np.array([limit], dtype), "g_after": after}
                    yield from self._gradients(f"clipped_by_{name}", None, of)
                    g = after
        yield from self._optimizer(*rules.prepared(self.parameters, total, scale))

    def _gradients(self, name: str, layer: int | None, of: dict[str, np.ndarray]) -> Iterator[Found]:
        for _, got, expected in pairs._gradients(f"gradients.{name}", self.spec.dtype, of):
            yield layer, f"gradients.{name}", got, expected

    def _optimizer(self, total: np.ndarray, scale: Any) -> Iterator[Found]:
        """The update of all parameters; its numbers are those of the batch."""
        rules, dtype, p = self.rules, self.spec.dtype, self.parameters
        own, (expected, vectors) = self.step, self.updated
        factors = [] if rules.own is None else list(rules.own)
        name = f"{'factored_' if factors else ''}optimizers.{rules.kernel}"
        line = LINE // p.itemsize
        size = (len(p) + 1 + line) // line * line
        state = layers.room(size * (len(self.vectors) + len(factors)), dtype)
        for place, vector in enumerate([*self.vectors, *factors]):
            state[place * size : place * size + len(p)] = vector
        got = layers.flat(p)
        given: dict[str, Any] = {"p": got, "total": layers.flat(total), "scale": scale, "count": len(p)}
        if name == "optimizers.gradient_descent":
            given["learning_rate"] = own[0]
        else:
            settings = layers.flat(np.array([*rules.settings, 0], dtype))
            given |= {"state": state, "step": layers.flat(np.array(own, dtype)), "settings": settings}
        layers.call(name, dtype, **given)
        yield from self._by_layer(name, got[: len(p)], expected)
        for place, vector in enumerate(vectors):
            yield from self._by_layer(name, state[place * size : place * size + len(p)], vector)

    def _by_layer(self, name: str, got: np.ndarray, expected: np.ndarray) -> Iterator[Found]:
        for layer, parts in enumerate(zip(self.spec.views(got), self.spec.views(expected), strict=True)):
            for one, other in zip(*parts, strict=True):
                yield layer + 1, name, one, other
        if self.spec.input_scale:
            yield 1, name, self.spec.scale_of(got), self.spec.scale_of(expected)
