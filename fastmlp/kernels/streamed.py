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
from fastmlp.kernels.simd import helper, lanes, line_lanes
from fastmlp.reference.arithmetic import CHUNK


@helper
def read_tile(plan, parameters, first, done, n, mode):
    """-> x (inputs, n) and y (columns, n): tile `done` of the chunk that begins with the epoch's row `first`."""
    tile, stride = plan[at.TILE], plan[at.STRIDE]
    inputs, columns = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.COLUMNS]
    if plan[at.X_TILES] != 0:
        slot = first // CHUNK * ((CHUNK + tile - 1) // tile) + done // tile
        x = advance(pointer(plan[at.X_TILES], parameters), slot * inputs * stride)
        y = advance(pointer(plan[at.Y_TILES], parameters), slot * columns * stride)
    else:
        x, y = pointer(plan[at.X_TILE], parameters), pointer(plan[at.Y_TILE], parameters)
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        begin, rows_of = first + done, pointer(plan[at.X], parameters)
        calls.gather(plan, rows_of, order, ordered, first=begin, rows=n, K=inputs, tile=x, stride=stride)
        if mode != at.OUTPUT:
            rows_of = pointer(plan[at.Y], parameters)
            calls.gather(plan, rows_of, order, ordered, first=begin, rows=n, K=columns, tile=y, stride=stride)
    return x, y


@helper
def backward(plan, parameters, x, n, ragged, begins, ends, last_layer):
    """From the logits' deltas down: a layer's weight gradient, then the deltas below in place of the activations there.

    begins, ends: whether the tile is its chunk's first, and last. -> whether Ctrl-C was pressed.
    """
    stride = plan[at.STRIDE]
    ones, sums = pointer(plan[at.ONES], parameters), pointer(plan[at.SUMS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    dz = pointer(plan[last_layer + at.LAYER_A], parameters)
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
            w, relu = advance(parameters, offset), plan[below + at.LAYER_RELU]
            calls.dense_backward_input(plan, dz, w, a, K, J, rows=n, stride=stride, relu=relu)
            if plan[below + at.LAYER_SLOPE] != 0:
                slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                calls.multiply(plan, a, factors=slope, units=K, rows=n, stride=stride)
        dz = a
        if look_for_interrupt(plan, 2 * n * K * J):
            return True
        layer = below
    return False


def _make(options):
    @helper
    def forward(plan, parameters, x, first, n, ragged, mode, last_layer):
        """A tile through all layers, which leave a (J, n) in LAYER_A. -> whether Ctrl-C was pressed.

        first: the epoch's row that the tile begins with. Padding becomes 0 where weight gradients will read it.
        """
        stride = plan[at.STRIDE]
        a = x
        layer = at.FIELDS
        while layer <= last_layer:
            K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
            w = advance(parameters, plan[layer + at.LAYER_OFFSET])
            z, relu = pointer(plan[layer + at.LAYER_A], parameters), plan[layer + at.LAYER_RELU]
            calls.dense_forward(plan, a, w, b=advance(w, K * J), z=z, K=K, J=J, rows=n, stride=stride, relu=relu)
            if plan[layer + at.LAYER_FORWARD] != 0:
                slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                calls.activation_forward(plan, layer, z, slope, units=J, rows=n, stride=stride)
            if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                calls.dropout(plan, a=z, layer=layer, first=first, rows=n, stride=stride)
            if ragged and mode & at.BACKWARD and layer < last_layer:
                set_tail(z, J, n, stride, 0.0)
            if look_for_interrupt(plan, n * K * J):
                return True
            a = z
            layer += at.LAYER_FIELDS
        return False

    @helper
    def outputs_of_tile(plan, parameters, y, first, n, mode, last_layer):
        """Writes the rows' outputs, or puts the deltas in the logits' place and adds to the statistics."""
        z, J, stride = pointer(plan[last_layer + at.LAYER_A], parameters), plan[at.OUTPUTS], plan[at.STRIDE]
        if mode & at.OUTPUT:
            if plan[at.OUTPUT_KERNEL] != 0:
                calls.output(plan, z, J, rows=n, stride=stride)
            result = pointer(plan[at.RESULT], parameters)
            calls.scatter(plan, tile=z, stride=stride, rows=n, K=J, x=result, first=first)
        else:
            statistics, record = pointer(plan[at.STATISTICS], parameters), int(mode & at.RECORD != 0)
            if options:
                loss_rows(plan, z, y, statistics, J, n, stride, mode, record)
            else:
                ones = pointer(plan[at.ONES], parameters)
                calls.loss(plan, z, y, weights=ones, statistics=statistics, J=J, rows=n, stride=stride, record=record)

    def span(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, tile by tile through all layers: a tile and its activations stay in cache.

        Does what `mode` says: OUTPUT writes the rows' outputs; RECORD adds to the statistics; BACKWARD leaves the
        chunk's gradient. Returns INTERRUPTED (the chunk is then unfinished) or DONE.
        """
        tile, group = plan[at.TILE], 2 * lanes(parameters)
        last_layer = at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
        begin_statistics(plan, parameters, mode, options)
        done = 0
        while done < rows:
            n = tile if tile < rows - done else rows - done
            ragged = n % group != 0
            x, y = read_tile(plan, parameters, first, done, n, mode)
            if forward(plan, parameters, x, first + done, n, ragged, mode, last_layer):
                return at.INTERRUPTED
            outputs_of_tile(plan, parameters, y, first + done, n, mode, last_layer)
            begins, ends = int(done == 0), int(done + n == rows)
            if mode & at.BACKWARD and backward(plan, parameters, x, n, ragged, begins, ends, last_layer):
                return at.INTERRUPTED
            done += n
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return span


span, span_with_options = twice(_make)
