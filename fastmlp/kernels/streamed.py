"""The streamed pass: a tile of rows through all layers, the loss and back, then the next tile. Lanes are rows."""

from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, call, pointer
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
                call(plan[at.GATHER], (rows_of, order, ordered, first + done, n, inputs, x, stride))
                if mode != at.OUTPUT:
                    rows_of = pointer(plan[at.Y], parameters)
                    call(plan[at.GATHER], (rows_of, order, ordered, first + done, n, plan[at.COLUMNS], y, stride))
            # forward
            a = x
            layer = at.FIELDS
            while layer <= last_layer:
                K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                w = advance(parameters, plan[layer + at.LAYER_OFFSET])
                z = pointer(plan[layer + at.LAYER_A], parameters)
                call(plan[at.DENSE_FORWARD], (a, w, advance(w, K * J), z, K, J, n, stride, plan[layer + at.LAYER_RELU]))
                if plan[layer + at.LAYER_FORWARD] != 0:
                    slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                    call(plan[layer + at.LAYER_FORWARD], (z, slope, J, n, stride))
                if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                    call(plan[at.DROPOUT], (plan, z, layer, first + done, n, stride))
                if ragged and mode & at.BACKWARD and layer < last_layer:
                    set_tail(z, J, n, stride, 0.0)
                if look_for_interrupt(plan, n * K * J):
                    return at.INTERRUPTED
                a = z
                layer += at.LAYER_FIELDS
            J = plan[at.OUTPUTS]
            if mode & at.OUTPUT:
                if plan[at.OUTPUT_KERNEL] != 0:
                    call(plan[at.OUTPUT_KERNEL], (a, J, n, stride))
                call(plan[at.SCATTER], (a, stride, n, J, pointer(plan[at.RESULT], parameters), first + done))
            else:
                record = int(mode & at.RECORD != 0)
                if options:
                    loss_rows(plan, a, y, statistics, J, n, stride, mode, record)
                else:
                    call(plan[at.LOSS_KERNEL], (a, y, ones, statistics, J, n, stride, record))
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
                    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, ones, dz, lines, to, K, J, n, stride, begins, ends))
                    if layer > at.FIELDS:
                        w = advance(parameters, offset)
                        relu = plan[below + at.LAYER_RELU]
                        call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, K, J, n, stride, relu))
                        if plan[below + at.LAYER_SLOPE] != 0:
                            slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                            call(plan[at.MULTIPLY], (a, slope, K, n, stride))
                    dz = a
                    if look_for_interrupt(plan, 2 * n * K * J):
                        return at.INTERRUPTED
                    layer = below
            done += n
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return span


span, span_with_options = twice(_make)
