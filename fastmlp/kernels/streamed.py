"""The streamed pass: a tile of rows through all layers, the loss and back, then the next tile. Lanes are rows."""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, pointer
from fastmlp.kernels.passes import (
    begin_statistics,
    end_statistics,
    look_for_interrupt,
    loss_rows,
    set_tail,
    twice,
)
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.kernels.simd import lanes, line_lanes
from fastmlp.reference.arithmetic import CHUNK


def _make(options):
    def span(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, tile by tile through all layers: a tile and its activations stay in cache.

        Does what `mode` says: OUTPUT writes the rows' outputs; RECORD adds to the statistics; BACKWARD leaves the
        chunk's gradient. Returns INTERRUPTED (the chunk is then unfinished) or DONE.
        """
        layers = plan[at.LAYERS]
        tile, stride = plan[at.TILE], plan[at.STRIDE]
        ones = pointer(plan[at.ONES], parameters)
        sums = pointer(plan[at.SUMS], parameters)
        gradient = pointer(plan[at.GRADIENT], parameters)
        statistics = pointer(plan[at.STATISTICS], parameters)
        inputs = plan[at.FIELDS + at.LAYER_INPUTS]
        last_layer = at.FIELDS + (layers - 1) * at.LAYER_FIELDS
        group = 2 * lanes(parameters)
        begin_statistics(plan, parameters, mode, options)
        done = 0
        while done < rows:
            n = tile if tile < rows - done else rows - done
            ragged = n % group != 0
            if plan[at.X_TILES] != 0:
                slot = first // CHUNK * ((CHUNK + tile - 1) // tile) + done // tile
                x = advance(pointer(plan[at.X_TILES], parameters), slot * inputs * stride)
                y = advance(pointer(plan[at.Y_TILES], parameters), slot * plan[at.COLUMNS] * stride)
            else:
                x = pointer(plan[at.X_TILE], parameters)
                y = pointer(plan[at.Y_TILE], parameters)
                order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
                rows_of = pointer(plan[at.X], parameters)
                calls.gather(
                    plan, x=rows_of, order=order, ordered=ordered, first=first + done, rows=n, K=inputs, tile=x,
                    stride=stride,
                )  # fmt: skip
                if mode != at.OUTPUT:
                    rows_of = pointer(plan[at.Y], parameters)
                    calls.gather(
                        plan, x=rows_of, order=order, ordered=ordered, first=first + done, rows=n, K=plan[at.COLUMNS],
                        tile=y, stride=stride,
                    )  # fmt: skip
            # forward
            a = x
            layer = at.FIELDS
            while layer <= last_layer:
                K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                w = advance(parameters, plan[layer + at.LAYER_OFFSET])
                z = pointer(plan[layer + at.LAYER_A], parameters)
                calls.dense_forward(
                    plan, a, w, b=advance(w, K * J), z=z, K=K, J=J, rows=n, stride=stride,
                    relu=plan[layer + at.LAYER_RELU],
                )  # fmt: skip
                if plan[layer + at.LAYER_FORWARD] != 0:
                    slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                    calls.activation_forward(plan, layer, z, slope, units=J, rows=n, stride=stride)
                if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                    calls.dropout(plan, a=z, layer=layer, first=first + done, rows=n, stride=stride)
                if ragged and mode & at.BACKWARD and layer < last_layer:
                    set_tail(z, J, n, stride, 0.0)
                if look_for_interrupt(plan, n * K * J):
                    return at.INTERRUPTED
                a = z
                layer += at.LAYER_FIELDS
            J = plan[at.OUTPUTS]
            if mode & at.OUTPUT:
                if plan[at.OUTPUT_KERNEL] != 0:
                    calls.output(plan, z=a, J=J, rows=n, stride=stride)
                calls.scatter(
                    plan, tile=a, stride=stride, rows=n, K=J, x=pointer(plan[at.RESULT], parameters), first=first + done
                )
            else:
                record = int(mode & at.RECORD != 0)
                if options:
                    loss_rows(plan, a, y, statistics, J, n, stride, mode, record)
                else:
                    calls.loss(
                        plan, z=a, y=y, weights=ones, statistics=statistics, J=J, rows=n, stride=stride, record=record
                    )
            # backward: the deltas of a layer take the place of its activations
            if mode & at.BACKWARD:
                dz = a
                begins, ends = int(done == 0), int(done + n == rows)
                layer = last_layer
                while layer >= at.FIELDS:
                    K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                    offset = plan[layer + at.LAYER_OFFSET]
                    below = layer - at.LAYER_FIELDS
                    a = x if layer == at.FIELDS else pointer(plan[below + at.LAYER_A], parameters)
                    if ragged:
                        set_tail(dz, J, n, stride, -0.0)  # a sum that takes in -0 stays what it is
                    lines = sums if begins and ends else advance(sums, offset * line_lanes(parameters))
                    to = advance(gradient, offset)
                    calls.dense_backward_weights(
                        plan, a, ones, dz, sums=lines, dw=to, K=K, J=J, rows=n, stride=stride, first=begins, last=ends
                    )
                    if layer > at.FIELDS:
                        w = advance(parameters, offset)
                        relu = plan[below + at.LAYER_RELU]
                        calls.dense_backward_input(plan, dz, w, a, K, J, rows=n, stride=stride, relu=relu)
                        if plan[below + at.LAYER_SLOPE] != 0:
                            slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                            calls.multiply(plan, a, factors=slope, units=K, rows=n, stride=stride)
                    dz = a
                    if look_for_interrupt(plan, 2 * n * K * J):
                        return at.INTERRUPTED
                    layer = below
            done += n
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return span


span, span_with_options = twice(_make)
